//! What is written down about the proofs, and held equal.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use scimspec::outcome::{Level, Verdict};
use scimspec::server;

use super::proven::Proven;
use super::{Altered, Caught, excuses};

/// What `tests/killers.toml` begins with.
pub const KILLERS_HEADER: &str = "\
# For each fault of the embedded server, cases that see it: one that is about it, and those for which this is the fault
# that proves them or a requirement that they cite. There are more. `strict` are those that fail in the strict reading
# only; `beside` are cases that run too, so that a rule has something to see.
# Written by `UPDATE_PROOFS=1 cargo test --test proofs`, or, for some faults only, with their names instead of the 1;
# held by `cargo test --test proofs`.

";

/// Where the proven requirements are written down.
pub const PROVEN: &str = "src/coverage/proven.toml";

/// What is to be tried and written anew.
pub enum Wanted {
    /// Every fault with every case.
    All,
    /// What is not as it was when the matrix was made.
    Stale,
    /// These faults with every case; none of them means that only the pages are written.
    Named(BTreeSet<String>),
    /// Nothing; the cases of `--quick` are chosen anew.
    Quick,
}

/// What the environment wants to be tried and written anew.
pub fn wanted() -> Option<Wanted> {
    let wanted = std::env::var("UPDATE_PROOFS").ok()?;
    Some(match wanted.as_str() {
        "1" => Wanted::All,
        "stale" => Wanted::Stale,
        "quick" => Wanted::Quick,
        "none" => Wanted::Named(BTreeSet::new()),
        names => {
            let names: BTreeSet<String> = names.split(',').map(|name| name.trim().to_owned()).collect();
            for name in &names {
                server::Fault::from_name(name).unwrap_or_else(|error| panic!("UPDATE_PROOFS: {error}"));
            }
            Wanted::Named(names)
        }
    })
}

/// A file of the project.
pub fn path(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
}

/// Holds a file equal to what it should say, or writes it.
pub fn hold(name: &str, text: &str) {
    if wanted().is_some() {
        std::fs::write(path(name), text).expect("the file can be written");
        return;
    }
    let written = std::fs::read_to_string(path(name)).unwrap_or_default();
    assert!(
        written == text,
        "{name} is not what it should be; UPDATE_PROOFS=1 cargo test --test proofs writes it anew:\n{}",
        similar::TextDiff::from_lines(written.as_str(), text).unified_diff()
    );
}

/// The cases that no recorded fault turns as red as they can be, with their level.
pub fn unproven_cases<'a>(green: &'a Altered, caught: &Caught) -> BTreeMap<&'a str, Level> {
    green
        .ran
        .outcomes
        .iter()
        .filter(|outcome| {
            !caught
                .lenient
                .values()
                .chain(caught.strict.values())
                .flat_map(|sighting| &sighting.seen)
                .any(|(case, sight)| is_or_has_trial(&outcome.id, case) && sight.is_proof())
        })
        .map(|outcome| (outcome.id.as_str(), outcome.level))
        .collect()
}

/// Whether a case is the one of that id, or a trial of it with an attribute that only a faulty server declares so.
fn is_or_has_trial(id: &str, case: &str) -> bool {
    case.strip_prefix(id).is_some_and(|rest| rest.is_empty() || rest.starts_with('['))
}

/// `docs/proofs.md`.
pub fn page(altered: &[&Altered; 2], caught: &Caught) -> String {
    let [lenient, strict] = altered;
    let outcomes = &lenient.ran.outcomes;
    let judged = outcomes.iter().filter(|outcome| outcome.verdict == Verdict::Passed).count();
    let unproven = unproven_cases(lenient, caught);
    let proven = Proven::of(caught).proven.len();
    let killed = |altered: &Altered| altered.killed.values().sum::<u32>();
    // How many exchanges each kind can be tried on depends on what happened to run beside what: see `Altered::rules`.
    let broken = |altered: &Altered| altered.rules.values().map(|tried| tried.killed.len()).sum::<usize>();
    let pairs: usize = caught.killers.values().map(|killers| killers.all().count()).sum();
    let mut page = "# Proofs\n\
         \n\
         A check is done when it has been seen to fail. `cargo test --test proofs` shows it for every case and rule, and\n\
         holds this page to the truth; `UPDATE_PROOFS=1 cargo test --test proofs` tries every fault with every case and\n\
         writes the page anew; with `UPDATE_PROOFS=NAME,NAME` only these faults are tried, with `UPDATE_PROOFS=stale`\n\
         only what was changed since.\n\
         \n\
         ## Altered exchanges\n\
         \n\
         Each exchange that is judged in a run against a server without faults is altered in every way that its\n\
         expectation forbids (another status, a member removed or changed, one of ours missing from a list, a stranger in\n\
         it, an error without its schemas) and judged again. It has to turn red.\n\
         \n\
         | | lenient reading | strict reading |\n\
         |---|---|---|\n".to_string();
    let rows: [(&str, String, String); 4] = [
        ("cases judged", judged.to_string(), passed(strict).to_string()),
        ("alterations for cases", killed(lenient).to_string(), killed(strict).to_string()),
        ("kinds of alterations for rules", broken(lenient).to_string(), broken(strict).to_string()),
        ("survivors", lenient.survivors.len().to_string(), strict.survivors.len().to_string()),
    ];
    for (what, lenient, strict) in rows {
        let _ = writeln!(page, "| {what} | {lenient} | {strict} |");
    }
    let _ = write!(
        page,
        "\n## Faults\n\
         \n\
         Each of the {} faults that the embedded server can be given is planted alone, and has to be caught. The table\n\
         shows {pairs} kills: for each fault a case that is about it, and the cases for which it is the proof. Most\n\
         faults are seen by more cases than that.\n\
         \n\
         Of {} cases and rules {} have been seen red on a faulty server, and {proven} requirements are proven: a fault\n\
         breaks them, and the finding that catches it cites them (`src/coverage/proven.toml`). [Every fault with every\n\
         suite](matrix.md) has a page of its own.\n\
         \n\
         | fault | what a client sees | failed | warned or noted |\n\
         |---|---|---|---|\n",
        server::faults::catalogue().len(),
        outcomes.len(),
        outcomes.len() - unproven.len(),
    );
    for entry in server::faults::catalogue() {
        let excuse = excuses::excuse(entry.name).map(|why| format!("none: {why}"));
        let killers = caught.killers.get(entry.name).cloned().unwrap_or_default();
        let list =
            |all: Vec<&String>| all.iter().map(|case| format!("`{case}`")).collect::<Vec<_>>().join(", ");
        let sees = entry.client_sees.replace('|', "\\|");
        let _ = writeln!(
            page,
            "| `{}` | {sees} | {} | {} |",
            entry.name,
            excuse.unwrap_or_else(|| list(killers.failed.iter().collect())),
            list(killers.warned.iter().chain(&killers.noted).collect()),
        );
    }
    page
}

fn passed(altered: &Altered) -> usize {
    altered.ran.outcomes.iter().filter(|outcome| outcome.verdict == Verdict::Passed).count()
}
