//! A check is done when it has been seen to fail.
//!
//! Three proofs, each of another kind:
//!
//! 1. Every exchange that is judged in a run against a server without faults is altered in each way that its
//!    expectation forbids, and judged again: it has to turn red ([`blocks`]). The same for the rules ([`rules`]).
//! 2. Every fault of the catalogue is planted alone, and has to be caught by the cases that `tests/killers.toml` names
//!    ([`faults`]).
//! 3. A case that no fault turns red stands in `tests/unproven.txt`. A requirement that a fault breaks, and that the
//!    findings of a case that catches it cite, stands in `src/coverage/proven.toml` ([`proven`]).
//!
//! With `UPDATE_PROOFS=1` every fault meets every case, which takes some minutes, and `tests/killers.toml`,
//! `tests/unproven.txt`, `src/coverage/proven.toml` and `docs/proofs.md` are written anew; without, they are held
//! equal. With `UPDATE_PROOFS=NAME,NAME` these faults meet every case, and what is known of the others stays. With
//! `UPDATE_PROOFS=none` the other files are written from what `tests/killers.toml` says.

#[path = "../common/mod.rs"]
mod common;

mod alter;
mod blocks;
mod excuses;
mod faults;
mod killers;
mod proven;
mod report;
mod rules;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::{LazyLock, Mutex};

use common::{Ran, Trial, everything};
use faults::Sighting;
use killers::{Killers, Known};
use proven::Proven;
use scimspec::judge::History;
use scimspec::judge::rules::{Definitions, Pairs, RULES, RuleContext};
use scimspec::outcome::{Level, Reading, Verdict};
use scimspec::run::Observed;
use scimspec::server::{self, FaultEntry};
use scimspec::target::exchange::ExchangeId;

/// Alterations that rightly leave the judgement green, each with the reason.
const SURVIVORS: &[&str] = &[];

/// A green run with everything in it altered.
pub struct Altered {
    /// How many alterations turned red, by case.
    pub killed: BTreeMap<String, u32>,
    /// Those that did not, with case and place.
    pub survivors: BTreeSet<String>,
    /// What came of altering the exchanges for each rule.
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
    if report::updates() {
        let names = report::chosen();
        let is_chosen = |entry: &FaultEntry| names.as_ref().is_none_or(|names| names.contains(entry.name));
        let matrix = faults::for_each(is_chosen, |entry| faults::run(entry, Vec::new(), Reading::Lenient));
        report::keep_matrix(&matrix);
        let mut known = Known::default();
        if names.is_some() {
            let stays = |name: &str| {
                server::faults::catalogue().iter().any(|entry| entry.name == name && !is_chosen(entry))
            };
            known.killers = recorded(&path);
            known.killers.retain(|name, _| stays(name));
            let proven = std::fs::read_to_string(report::path(report::PROVEN)).unwrap_or_default();
            for (id, pairs) in Proven::recorded(&proven).proven {
                if pairs.iter().any(|(fault, _)| stays(fault)) {
                    known.requirements.insert(id);
                }
            }
        }
        let chosen = killers::choose(&matrix, known);
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

/// What `tests/killers.toml` says.
fn recorded(path: &Path) -> BTreeMap<String, Killers> {
    let text = std::fs::read_to_string(path).unwrap_or_default();
    toml::from_str(&text).expect("tests/killers.toml can be read")
}

#[test]
fn every_judgement_turns_red() {
    for altered in [&*LENIENT, &*STRICT] {
        let survivors: Vec<&str> = altered.survivors.iter().map(String::as_str).collect();
        assert_eq!(survivors, SURVIVORS, "alterations that nothing saw");
        let never_red: Vec<&str> = altered
            .ran
            .outcomes
            .iter()
            .filter(|outcome| outcome.verdict == Verdict::Passed && !outcome.id.starts_with("rules/"))
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
        if binds && !is_about_it && excuses::elsewhere(entry.name).is_none() {
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
fn what_is_unproven_is_written_down() {
    report::hold("tests/unproven.txt", &report::unproven(&LENIENT, &CAUGHT));
}

#[test]
fn the_page_about_proofs_is_true() {
    report::hold("docs/proofs.md", &report::page(&[&LENIENT, &STRICT], &CAUGHT));
}
