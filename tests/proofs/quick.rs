//! `src/plan/quick.toml`: the cases of `--quick`, chosen by greedy cover from the matrix.

use std::collections::{BTreeMap, BTreeSet};

use scimspec::outcome::{Outcome, Verdict};
use scimspec::profile::Profile;
use scimspec::server::Fault;

use super::common::{Trial, library};
use super::matrix::{self, Matrix, Quick};
use super::{faults, report};

/// Where the choice is kept.
pub const QUICK: &str = "src/plan/quick.toml";

/// The most requests that a quick run may make of the embedded server, those of probe and clean-up included.
pub const REQUESTS: u64 = 100;

/// The least share of faults that it has to see, in percent.
pub const PERCENT: usize = 70;

fn profile() -> &'static Profile {
    &library().profiles()["rfc"]
}

/// The faults that each case sees. Rules are left out: what they see depends on what the other cases exchange.
fn kills(matrix: &Matrix) -> BTreeMap<String, BTreeSet<&str>> {
    let mut kills: BTreeMap<String, BTreeSet<&str>> = BTreeMap::new();
    for (fault, row) in &matrix.faults {
        for case in row.cells().into_keys().filter(|case| !case.starts_with("rules/")) {
            kills.entry(case).or_default().insert(fault);
        }
    }
    kills
}

/// The faults that a quick run sees: by one of its cases, or by a rule.
pub fn caught<'m>(matrix: &'m Matrix, cases: &[String]) -> BTreeSet<&'m str> {
    let mut caught = seen(matrix, cases);
    caught.extend(
        matrix.quick.by_rules.iter().map(String::as_str).filter(|it| matrix.faults.contains_key(*it)),
    );
    caught
}

/// Plants each fault that none of the cases sees, and finds out which of them a rule sees in a quick run.
pub fn measure(matrix: &Matrix, cases: &[String]) -> Quick {
    let seen = seen(matrix, cases);
    let by_rules = faults::for_each(
        |entry| matrix.faults.contains_key(entry.name) && !seen.contains(entry.name),
        |entry| {
            let fault = Fault::from_name(entry.name).expect("it stands in the catalogue");
            let trial = Trial { cases: with_rules(cases), faults: vec![fault], ..Trial::of(profile()) };
            let is_red = |outcome: &Outcome| {
                matches!(outcome.verdict, Verdict::Failed | Verdict::Warned | Verdict::Noted)
            };
            trial.run().is_ok_and(|ran| ran.outcomes.iter().any(is_red))
        },
    );
    let by_rules = by_rules.into_iter().filter(|(_, is_seen)| *is_seen).map(|(fault, _)| fault).collect();
    Quick { cases: digest(cases), by_rules }
}

/// What a measurement holds for.
pub fn digest(cases: &[String]) -> String {
    matrix::hex(&cases.join("\n"))
}

fn with_rules(cases: &[String]) -> Vec<String> {
    cases.iter().cloned().chain(["rules/*".to_owned()]).collect()
}

/// The faults that cases see together.
fn seen<'m>(matrix: &'m Matrix, cases: &[String]) -> BTreeSet<&'m str> {
    let kills = kills(matrix);
    cases.iter().filter_map(|case| kills.get(case)).flatten().copied().collect()
}

/// How many requests a run of these cases and all rules makes, and those of them that passed.
pub fn run(cases: &[String]) -> (u64, BTreeSet<String>) {
    let ran =
        Trial { cases: with_rules(cases), ..Trial::of(profile()) }.run().expect("the server can be probed");
    let passed = ran.outcomes.into_iter().filter(|outcome| outcome.verdict == Verdict::Passed);
    (ran.requests, passed.map(|outcome| outcome.id).collect())
}

/// Chooses: always the case that sees most new faults for each request of its own; of that order as many cases as a
/// hundred requests suffice for, given what cases share.
pub fn choose(matrix: &Matrix) -> Vec<String> {
    let ran = Trial::of(profile()).run().expect("the server can be probed");
    let passed: BTreeSet<&str> = ran
        .outcomes
        .iter()
        .filter(|outcome| outcome.verdict == Verdict::Passed)
        .map(|outcome| outcome.id.as_str())
        .collect();
    let mut costs: BTreeMap<&str, usize> = BTreeMap::new();
    for exchange in &ran.exchanges {
        *costs.entry(exchange.origin.as_str()).or_default() += 1;
    }
    let mut kills = kills(matrix);
    kills.retain(|case, _| passed.contains(case.as_str()));
    let mut order: Vec<String> = Vec::new();
    loop {
        let covered = seen(matrix, &order);
        let gain = |case: &String, seen: &BTreeSet<&str>| {
            // What is shared, such as the making of its resources, is nobody's own; so no case is for nothing.
            let cost = costs.get(case.as_str()).copied().unwrap_or(0) + 1;
            seen.difference(&covered).count() * 1000 / cost
        };
        let best = kills.iter().map(|(case, seen)| (gain(case, seen), case)).max_by_key(|(gain, case)| {
            (*gain, std::cmp::Reverse(case.len()), std::cmp::Reverse((*case).clone()))
        });
        match best {
            Some((gain, case)) if gain > 0 => order.push(case.clone()),
            _ => break,
        }
    }
    // What a longer list needs is never less.
    let fits = |count: &usize| run(&order[..*count]).0 <= REQUESTS;
    let (mut some, mut many) = (0, order.len() + 1);
    while many - some > 1 {
        let middle = usize::midpoint(some, many);
        if fits(&middle) { some = middle } else { many = middle }
    }
    order.truncate(some);
    order
}

/// The choice as the file has it.
pub fn recorded() -> Vec<String> {
    let text = std::fs::read_to_string(report::path(QUICK)).unwrap_or_default();
    let file: BTreeMap<String, Vec<String>> = toml::from_str(&text).expect("src/plan/quick.toml can be read");
    file.get("cases").cloned().unwrap_or_default()
}

/// Writes a choice down.
pub fn write(cases: &[String]) {
    let lines: String = cases.iter().map(|case| format!("    {case:?},\n")).collect();
    let text = format!("{HEADER}cases = [\n{lines}]\n");
    std::fs::write(report::path(QUICK), text).expect("the file can be written");
}

const HEADER: &str = "\
# The cases of `scimspec run --quick`, those first that see most faults of the embedded server for each request. Chosen
# from tests/matrix.toml by `UPDATE_PROOFS=1 cargo test --test proofs`, or, from the matrix as it is, by
# `UPDATE_PROOFS=quick cargo test --test proofs`.

";
