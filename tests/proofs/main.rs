//! A check is done when it has been seen to fail.
//!
//! Three proofs, each of another kind:
//!
//! 1. Every exchange that is judged in a run against a server without faults is altered in each way that its
//!    expectation forbids, and judged again: it has to turn red ([`blocks`]). The same for the rules ([`rules`]).
//! 2. Every fault of the catalogue is planted alone, and has to be caught by the cases that `tests/killers.toml` names
//!    ([`faults`]).
//! 3. Every case and rule is turned red by one of these faults. A requirement that a fault breaks, and that the
//!    findings of a case that catches it cite, stands in `src/coverage/proven.toml` ([`proven`]).
//!
//! With `UPDATE_PROOFS=1` every fault meets every case, which takes a quarter of an hour; what came of it is written to
//! `tests/matrix.toml` ([`matrix`]), `tests/killers.toml`, `src/coverage/proven.toml`, `docs/matrix.md` and
//! `docs/proofs.md`. Without, they are held equal. With `UPDATE_PROOFS=NAME,NAME` these faults meet every case, with
//! `UPDATE_PROOFS=stale` what is not as it was when the matrix was made meets the rest, and what is known of the others
//! stays. With `UPDATE_PROOFS=none` the pages are written from what is recorded, and with `UPDATE_PROOFS=quick` the
//! cases of `--quick` are chosen anew from the matrix ([`quick`]).

#[path = "../common/mod.rs"]
mod common;

mod alter;
mod blocks;
mod excuses;
mod faults;
mod killers;
mod matrix;
mod page;
mod proven;
mod quick;
mod report;
mod rules;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::{LazyLock, Mutex};

use common::{Ran, Trial, everything};
use faults::Sighting;
use killers::{Killers, Known};
use matrix::{Matrix, Stale};
use proven::Proven;
use report::Wanted;
use scimspec::judge::History;
use scimspec::judge::rules::{Definitions, Pairs, RULES, RuleContext};
use scimspec::outcome::{Level, Reading, Verdict};
use scimspec::run::Observed;
use scimspec::server;
use scimspec::target::exchange::ExchangeId;

/// A green run with everything in it altered.
pub struct Altered {
    /// How many alterations turned red, by case.
    pub killed: BTreeMap<String, u32>,
    /// Those that did not, with case and place.
    pub survivors: BTreeSet<String>,
    /// What came of altering the exchanges for each rule. The kinds are the same in every run; how many exchanges each
    /// was tried on is not, since cases run beside each other and some rules look at what came before.
    pub rules: BTreeMap<&'static str, rules::Tried>,
    /// The run.
    pub ran: Ran,
}

static LENIENT: LazyLock<Altered> = LazyLock::new(|| alter_all(Reading::Lenient));
static STRICT: LazyLock<Altered> = LazyLock::new(|| alter_all(Reading::Strict));
static CAUGHT: LazyLock<Caught> = LazyLock::new(catch_all);

#[derive(Default)]
struct Noted {
    killed: BTreeMap<String, u32>,
    survivors: BTreeSet<String>,
    mutes: BTreeMap<String, BTreeSet<ExchangeId>>,
}

fn alter_all(reading: Reading) -> Altered {
    let noted = Mutex::new(Noted::default());
    let observer = |observed: &Observed<'_>| {
        let tried = blocks::try_all(observed);
        let mut noted = noted.lock().expect("no panic before");
        *noted.killed.entry(observed.id.to_owned()).or_default() += tried.killed;
        for survivor in tried.survivors {
            noted.survivors.insert(format!("{} {}: {survivor}", observed.id, observed.place));
        }
        for rule in &observed.expect.mutes {
            noted.mutes.entry(rule.clone()).or_default().insert(observed.exchange.id);
        }
    };
    let trial = Trial { observer: Some(&observer), jobs: 1, reading, ..Trial::of(everything()) };
    let ran = trial.run().expect("the server can be probed");
    let Noted { killed, survivors, mutes } = noted.into_inner().expect("no panic before");
    let definitions = Definitions::of(&ran.probe.schemas);
    let history = History::of(ran.exchanges.iter().map(AsRef::as_ref));
    let pairs = Pairs::of(ran.exchanges.iter().map(AsRef::as_ref));
    let context = RuleContext {
        level: Level::Must,
        spec: &[],
        place: None,
        definitions: &definitions,
        history: &history,
        capabilities: &ran.probe.capabilities,
        reading,
        mutes: &mutes,
        pairs: &pairs,
        validated: None,
    };
    let rules =
        RULES.iter().map(|rule| (rule.name, rules::try_rule(rule.name, &ran.exchanges, &context))).collect();
    Altered { killed, survivors, rules, ran }
}

/// All faults with the cases that are recorded to see them, and what these saw.
#[derive(Default)]
pub struct Caught {
    /// What is recorded.
    pub killers: BTreeMap<String, Killers>,
    /// What came of it now, in the lenient reading.
    pub lenient: BTreeMap<String, Sighting>,
    /// And in the strict one, of the cases that are to fail there.
    pub strict: BTreeMap<String, Sighting>,
}

fn catch_all() -> Caught {
    let path = report::path("tests/killers.toml");
    if let Some(wanted) = report::wanted() {
        let mut chosen = record(&wanted, recorded(&path));
        chosen.retain(|_, killers| !killers.is_empty());
        let text = toml::to_string(&chosen).expect("names and lists");
        std::fs::write(&path, format!("{}{text}", report::KILLERS_HEADER)).expect("the file can be written");
    }
    let killers = recorded(&path);
    let again = |cases: Vec<String>, entry, reading| {
        // No case named would mean all of them.
        if cases.is_empty() { Sighting::default() } else { faults::run(entry, cases, reading) }
    };
    let sightings = faults::for_each(
        |_| true,
        |entry| {
            let recorded = killers.get(entry.name).cloned().unwrap_or_default();
            (
                again(recorded.cases(), entry, Reading::Lenient),
                again(recorded.strict_cases(), entry, Reading::Strict),
            )
        },
    );
    let mut caught = Caught { killers, ..Caught::default() };
    for (fault, (lenient, strict)) in sightings {
        caught.lenient.insert(fault.clone(), lenient);
        caught.strict.insert(fault, strict);
    }
    caught
}

/// Tries what is wanted, takes it over into the matrix, and gives the killers to record.
fn record(wanted: &Wanted, mut recorded: BTreeMap<String, Killers>) -> BTreeMap<String, Killers> {
    let mut matrix = Matrix::read();
    let trials = || LENIENT.ran.outcomes.iter().map(|outcome| outcome.id.as_str());
    let mut stale = matrix.stale(trials());
    let all = || server::faults::catalogue().iter().map(|entry| entry.name.to_owned());
    recorded.retain(|name, _| all().any(|fault| fault == *name));
    // With the other faults, only the cases are tried that are not as they were.
    let (mut whole, column): (BTreeSet<String>, Vec<String>) = match wanted {
        Wanted::Named(names) => {
            stale = Stale::default();
            (names.clone(), Vec::new())
        }
        Wanted::Quick => {
            stale = Stale::default();
            (BTreeSet::new(), Vec::new())
        }
        Wanted::Stale if !stale.needs_all() => {
            (stale.faults.clone(), trials().filter(|id| stale.has_case(id)).map(str::to_owned).collect())
        }
        Wanted::All | Wanted::Stale => (all().collect(), Vec::new()),
    };
    let mut rows = faults::for_each(
        |entry| !column.is_empty() && !whole.contains(entry.name),
        |entry| faults::run(entry, column.clone(), Reading::Lenient),
    );
    let lost = faults::for_each(
        |entry| !stale.is_empty() && !whole.contains(entry.name),
        |entry| {
            let killers = recorded.get(entry.name).cloned().unwrap_or_default();
            killers.is_empty() || (killers.any(|case| stale.has_case(case)) && !killers.see_again(entry))
        },
    );
    whole.extend(lost.into_iter().filter(|(_, is_lost)| *is_lost).map(|(fault, _)| fault));
    rows.extend(faults::for_each(
        |entry| whole.contains(entry.name),
        |entry| faults::run(entry, Vec::new(), Reading::Lenient),
    ));
    matrix.update(&rows, &whole, &stale);
    if matches!(wanted, Wanted::All | Wanted::Stale) {
        matrix.sign_cases(trials());
    }
    if !matches!(wanted, Wanted::Named(_)) {
        let cases = quick::choose(&matrix);
        matrix.quick = quick::measure(&matrix, &cases);
        quick::write(&cases);
    }
    matrix.write();
    let proven = std::fs::read_to_string(report::path(report::PROVEN)).unwrap_or_default();
    recorded.retain(|name, killers| !whole.contains(name) && !killers.is_empty());
    let stays =
        |(fault, case): &(String, String)| recorded.contains_key(fault) && recorded[fault].has(case.as_str());
    let requirements = Proven::recorded(&proven)
        .proven
        .into_iter()
        .filter(|(_, pairs)| pairs.iter().any(stays))
        .map(|(id, _)| id)
        .collect();
    killers::choose(&rows, Known { killers: recorded, requirements })
}

/// What `tests/killers.toml` says.
fn recorded(path: &Path) -> BTreeMap<String, Killers> {
    let text = std::fs::read_to_string(path).unwrap_or_default();
    toml::from_str(&text).expect("tests/killers.toml can be read")
}

#[test]
fn every_judgement_turns_red() {
    for altered in [&*LENIENT, &*STRICT] {
        assert!(altered.survivors.is_empty(), "alterations that nothing saw: {:#?}", altered.survivors);
        let never_red: Vec<&str> = altered
            .ran
            .outcomes
            .iter()
            .filter(|outcome| outcome.verdict == Verdict::Passed && !outcome.id.starts_with("rules/"))
            // A vector about PATCH has no expectation to alter an answer by: it is judged by what the resource became.
            .filter(|outcome| !outcome.id.starts_with("patch/vectors["))
            .filter(|outcome| altered.killed.get(&outcome.id).is_none_or(|killed| *killed == 0))
            .map(|outcome| outcome.id.as_str())
            .collect();
        assert!(never_red.is_empty(), "cases that no alteration turned red: {never_red:#?}");
    }
}

#[test]
fn every_rule_breaks() {
    for altered in [&*LENIENT, &*STRICT] {
        for (rule, tried) in &altered.rules {
            assert!(tried.survivors.is_empty(), "{:#?}", tried.survivors);
            assert!(!tried.killed.is_empty(), "{rule}: nobody knows how to break it");
            for (what, killed) in &tried.killed {
                assert!(*killed > 0, "{rule}: no exchange of the run could be altered: {what}");
            }
        }
    }
}

#[test]
fn every_fault_is_caught() {
    let mut wrong = Vec::new();
    for entry in server::faults::catalogue() {
        let recorded = CAUGHT.killers.get(entry.name).cloned().unwrap_or_default();
        let (sighting, strict) = (&CAUGHT.lenient[entry.name], &CAUGHT.strict[entry.name]);
        if let Some(why) = sighting.no_run.as_ref().filter(|_| excuses::excuse(entry.name).is_none()) {
            wrong.push(format!("{}: no run: {why}", entry.name));
            continue;
        }
        let troubles = sighting.troubles.iter().chain(&strict.troubles);
        wrong.extend(troubles.map(|trouble| format!("{}: {trouble}", entry.name)));
        for case in &recorded.strict {
            let seen = strict.seen.get(case).map_or("nothing", |sight| sight.verdict.as_str());
            if seen != "failed" {
                wrong
                    .push(format!("{}: {case} was to fail in the strict reading, it has {seen}", entry.name));
            }
        }
        for (case, verdict) in recorded.all() {
            let seen = sighting.seen.get(case).map_or("nothing", |sight| sight.verdict.as_str());
            if seen != verdict {
                wrong.push(format!("{}: {case} was to have {verdict}, it has {seen}", entry.name));
            }
        }
        let level = faults::level(entry);
        let is_caught = match level {
            Level::Must => {
                let fails = !recorded.failed.is_empty() || !recorded.strict.is_empty();
                let is_lenient = excuses::leniency(entry.name).is_some();
                if fails && is_lenient {
                    wrong.push(format!("{}: a case fails on it, and it needs no leniency", entry.name));
                }
                fails || (is_lenient && recorded.all().next().is_some())
            }
            Level::Should => !recorded.failed.is_empty() || !recorded.warned.is_empty(),
            Level::May => recorded.all().next().is_some(),
        };
        if is_caught && excuses::excuse(entry.name).is_some() {
            wrong.push(format!("{}: it is caught, and needs no excuse", entry.name));
        }
        let recorded_sights = recorded
            .all()
            .filter_map(|(case, _)| sighting.seen.get(case))
            .chain(recorded.strict.iter().filter_map(|case| strict.seen.get(case)));
        let is_about_it = recorded_sights.into_iter().any(faults::Sight::is_about_it);
        let binds = !entry.requirements.is_empty() && excuses::excuse(entry.name).is_none();
        if binds && !is_about_it {
            let requirements = entry.requirements.join(" or ");
            wrong.push(format!("{}: no case that catches it cites {requirements}", entry.name));
        }
        let is_caught = is_caught || excuses::excuse(entry.name).is_some();
        if !is_caught {
            wrong.push(format!("{}: it breaks a {level}, and no case catches it", entry.name));
        }
    }
    let known: Vec<&str> = server::faults::catalogue().iter().map(|entry| entry.name).collect();
    wrong.extend(
        CAUGHT
            .killers
            .keys()
            .filter(|name| !known.contains(&name.as_str()))
            .map(|name| format!("{name}: no such fault")),
    );
    assert!(wrong.is_empty(), "{}\n(UPDATE_PROOFS=1 tries every fault with every case)", wrong.join("\n"));
}

#[test]
fn the_proven_requirements_are_those_that_are_written_down() {
    report::hold(report::PROVEN, &Proven::of(&CAUGHT).text());
}

#[test]
fn every_case_has_been_seen_red() {
    let unproven = report::unproven_cases(&LENIENT, &CAUGHT);
    let list: Vec<String> = unproven.iter().map(|(case, level)| format!("{level} {case}")).collect();
    assert!(
        list.is_empty(),
        "no recorded fault turns these as red as they can be:\n{}\n(UPDATE_PROOFS=NAME records a fault that does)",
        list.join("\n")
    );
}

#[test]
fn quick_cases_find_most_in_a_hundred_requests() {
    LazyLock::force(&CAUGHT);
    let cases = quick::recorded();
    let (requests, passed) = quick::run(&cases);
    let unknown: Vec<&String> = cases.iter().filter(|case| !passed.contains(*case)).collect();
    assert!(unknown.is_empty(), "cases of {} that do not run: {unknown:?}", quick::QUICK);
    assert!(
        requests <= quick::REQUESTS,
        "a quick run makes {requests} requests; UPDATE_PROOFS=quick cargo test --test proofs chooses anew"
    );
    let matrix = Matrix::read();
    assert!(
        matrix.quick.cases == quick::digest(&cases),
        "{} is not what {} was measured with; UPDATE_PROOFS=quick cargo test --test proofs chooses anew",
        quick::QUICK,
        matrix::MATRIX
    );
    let (seen, all) = (quick::caught(&matrix).len(), matrix.faults.len());
    assert!(all > 0, "{} is empty", matrix::MATRIX);
    assert!(
        seen * 100 >= all * quick::PERCENT,
        "a quick run sees {seen} of {all} faults; UPDATE_PROOFS=quick cargo test --test proofs chooses anew"
    );
}

#[test]
fn the_matrix_is_of_what_there_is() {
    // What is to be written anew is written first.
    LazyLock::force(&CAUGHT);
    let matrix = Matrix::read();
    let stale = matrix.stale(LENIENT.ran.outcomes.iter().map(|outcome| outcome.id.as_str()));
    let list = |what: &str, names: &BTreeSet<String>| match names.len() {
        0 => String::new(),
        count => {
            let some: Vec<&str> = names.iter().take(20).map(String::as_str).collect();
            let more =
                if count > some.len() { format!(" and {} more", count - some.len()) } else { String::new() };
            format!("\n{what}: {}{more}", some.join(", "))
        }
    };
    assert!(
        stale.is_empty() || report::wanted().is_some_and(|wanted| matches!(wanted, Wanted::Named(_))),
        "{} is out of date; `UPDATE_PROOFS=stale cargo test --test proofs` tries what it lacks{}{}{}",
        matrix::MATRIX,
        list("new or changed faults", &stale.faults),
        list("new or changed cases", &stale.cases),
        list("gone", &stale.gone),
    );
    // A checkpoint has the name of its case nowhere in its own.
    let is_checkpoint = |id: &str| LENIENT.ran.outcomes.iter().any(|outcome| outcome.id == id);
    let red: Vec<String> = matrix
        .faults
        .iter()
        .flat_map(|(fault, row)| row.cells().into_keys().map(move |case| (fault, case)))
        .filter(|(_, case)| !matrix.cases.contains_key(matrix::case_of(case)) && !is_checkpoint(case))
        .map(|(fault, case)| format!("{fault}: {case}"))
        .collect();
    assert!(red.is_empty() || !stale.is_empty(), "the matrix has cases that there are not: {red:#?}");
    report::hold("docs/matrix.md", &page::page(&matrix));
}

#[test]
fn the_page_about_proofs_is_true() {
    report::hold("docs/proofs.md", &report::page(&[&LENIENT, &STRICT], &CAUGHT));
}
