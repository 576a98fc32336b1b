//! Fuzzing lifecycles in process: nothing is reported of the reference server, and a defect of it is found soon and shrunk
//! to a few steps.

mod binary;
mod common;
mod hunts;

use std::fmt::Write as _;
use std::time::Duration;

use binary::{Bench, Ran, Reference, VARIABLE};
use hunts::{Sighting, calm, keep, number, table, trials, words};
use scimspec::fuzz::lifecycle::saved::sequences;
use scimspec::fuzz::lifecycle::{Cause, Property, SavedSequence};
use scimspec::fuzz::{Ended, Subject, saved};
use scimspec::outcome::{Severity, Verdict};
use scimspec::server::{Fault, ServerOptions, faults};

type Hunt = hunts::Hunt<SavedSequence>;
type Caught = hunts::Caught<SavedSequence>;

/// Within so many requests a fault is to be sighted.
const WITHIN: u64 = 1500;
/// A minimal counterexample has so many steps at most.
const STEPS: usize = 5;

fn good(seed: u64) -> Hunt {
    Hunt::of(seed, 4000)
}

fn faulty(name: &str, seed: u64) -> Hunt {
    let in_flight = if name.starts_with("race-") { 4 } else { 1 };
    Hunt { in_flight, stop_at_first: true, ..Hunt::of(seed, 2000).on(name) }
}

/// What was found, a line each, with the steps.
fn lines(caught: &Caught) -> Vec<String> {
    match &caught.fuzzed {
        Err(error) => vec![format!("not tried: {error}")],
        Ok(fuzzed) => fuzzed.causes.iter().map(line).collect(),
    }
}

fn line(cause: &Cause) -> String {
    let shown = &cause.shown;
    let steps: Vec<String> = shown.steps.iter().map(ToString::to_string).collect();
    format!(
        "{:?} {:?} {} again {:?}: {} [expected {} actual {}] ({})",
        shown.problem.severity,
        shown.property,
        cause.signature,
        shown.again,
        shown.problem.message,
        shown.problem.expected,
        shown.problem.actual,
        steps.join(" → ")
    )
}

#[test]
fn nothing_is_reported_of_the_reference_server() {
    let caught = Hunt { most: Some(30), ..good(1) }.run();
    let fuzzed = caught.fuzzed();
    assert_eq!(lines(&caught), Vec::<String>::new());
    assert_eq!(fuzzed.ended, Ended::Done, "{:?}", fuzzed.notes);
    assert_eq!(fuzzed.notes, Vec::<String>::new());
    assert_eq!((fuzzed.tally.tried(), fuzzed.tally.unjudged), (30, 0), "{:?}", fuzzed.tally);
    assert!(fuzzed.steps > 400, "{}", fuzzed.steps);
    assert!(caught.clean_up.is_complete(), "{:?}", caught.clean_up);
}

/// The faults of which a few are tried each time: one of each kind of harm, and a race.
const SOME: [&str; 8] = [
    "deleted-stay-findable",
    "duplicate-updates-existing",
    "create-refused-and-stored",
    "reactivation-makes-new-id",
    "version-frozen",
    "delete-of-group-leaves-it",
    "race-loses-members",
    "race-passes-preconditions",
];

#[test]
fn a_defect_is_found_shrunk_and_replayed() {
    let found = common::side_by_side(&SOME, |name| faulty(name, 1).run());
    let good = Reference::good();
    for (name, caught) in SOME.iter().zip(&found) {
        let cause = first(caught).unwrap_or_else(|| panic!("{name} is not found"));
        let shown = &cause.shown;
        assert!(shown.sighted_at <= WITHIN, "{name} after {} requests", shown.sighted_at);
        assert!(shown.steps.len() <= STEPS, "{name}: {:?}", shown.steps);
        assert_eq!(shown.again, Some(true), "{name}");
        assert!(caught.clean_up.is_complete(), "{name}");
        let (on_fault, on_good) = replayed(name, caught, &good);
        assert_eq!((on_fault.code, on_good.code), (Some(1), Some(0)), "{name}: {on_fault:?} {on_good:?}");
    }
}

#[test]
fn what_was_saved_is_tried_first() {
    let caught = faulty("deleted-stay-findable", 3).run();
    let folder = tempfile::tempdir().expect("a folder");
    for suite in &caught.reported().suites {
        saved::write(folder.path(), Subject::Lifecycle, suite).expect("it can be written");
    }
    let again = sequences(&saved::read(folder.path(), Subject::Lifecycle).expect("it can be read"));
    assert_eq!(again.len(), 1);
    assert_eq!(again[0].steps, caught.fuzzed().causes[0].shown.steps);
    let hunt = Hunt { saved: again.clone(), ..faulty("deleted-stay-findable", 4) }.run();
    let outcome = hunt.reported().outcomes.into_iter().next().expect("an outcome");
    assert!(outcome.id.starts_with("fuzz/lifecycle/saved[find-wrong-deleted"), "{}", outcome.id);
    assert_eq!(outcome.verdict, Verdict::Failed);
    let finding = &outcome.findings[0];
    assert!(finding.expected.contains("1. create the user") && finding.exchange.is_some(), "{finding:?}");
    assert_eq!(finding.requirements, ["RFC7644-3.6-04"]);
    let mended = Hunt { saved: again, most: Some(4), ..good(4) }.run();
    assert_eq!(mended.fuzzed().mended.len(), 1);
    assert_eq!(lines(&mended), Vec::<String>::new());
}

#[test]
fn one_defect_is_reported_once_and_left_alone() {
    for name in ["deleted-stay-findable", "put-missing"] {
        let caught = Hunt { stop_at_first: false, most: Some(25), ..faulty(name, 1) }.run();
        let found = lines(&caught);
        assert_eq!(found.len(), 1, "{name}: {found:#?}");
        assert_eq!(caught.fuzzed().ended, Ended::Done, "{name}");
    }
}

#[test]
fn the_same_seed_asks_the_same() {
    let asked = || {
        let ids = regex::Regex::new(r"/(Users|Groups)/[^? ]+").expect("a pattern");
        let asked = Hunt { most: Some(20), keeps_all: true, ..good(9) }.run().asked;
        asked.iter().map(|it| ids.replace_all(&it.line, "/$1/…").into_owned()).collect::<Vec<_>>()
    };
    assert_eq!(asked(), asked());
}

#[test]
fn a_budget_that_is_too_small_and_an_interrupt_end_it_in_order() {
    for requests in [12, 80, 150, 300] {
        let caught = Hunt { requests, ..good(1) }.run();
        assert_eq!(caught.fuzzed().ended, Ended::BudgetSpent, "{requests}");
        assert!(caught.clean_up.is_complete(), "{requests}: {:?}", caught.clean_up);
        assert!(caught.requests <= requests, "{} of {requests}", caught.requests);
    }
    let caught = Hunt { interrupt_after: Some(60), ..good(1) }.run();
    assert_eq!(caught.fuzzed().ended, Ended::Interrupted);
    assert!(caught.clean_up.is_complete(), "{:?}", caught.clean_up);
}

#[test]
fn several_clients_at_once_raise_no_alarm() {
    let caught = Hunt { in_flight: 4, most: Some(45), ..good(2) }.run();
    assert_eq!(lines(&caught), Vec::<String>::new());
    assert_eq!(caught.fuzzed().tally.unjudged, 0);
    assert!(caught.fuzzed().tally.judged.contains_key(&Property::Races));
}

#[test]
fn reads_that_lag_behind_writes_are_made_again() {
    let lagging = |settle| Hunt { lag: 1, settle, most: Some(2), ..good(1) }.run();
    let caught = lagging(Some(Duration::from_secs(5)));
    assert_eq!(lines(&caught), Vec::<String>::new());
    assert_eq!(caught.fuzzed().tally.unjudged, 0);
    assert!(!lines(&lagging(None)).is_empty());
}

/// The first cause that showed again.
fn first(caught: &Caught) -> Option<&Cause> {
    caught.fuzzed.as_ref().ok()?.causes.iter().find(|cause| cause.shown.again == Some(true))
}

/// What the saved cases come to on a server with the fault, and on one without.
fn replayed(name: &str, caught: &Caught, good: &Reference) -> (Ran, Ran) {
    let bench = Bench::new();
    let suites = caught.reported().suites;
    assert!(!suites.is_empty(), "{name} can be said by no suite");
    for suite in &suites {
        saved::write(bench.path(), Subject::Lifecycle, suite).expect("it can be written");
    }
    let bad = Reference::start(ServerOptions {
        faults: vec![Fault::from_name(name).expect("a fault")],
        ..ServerOptions::default()
    });
    let run = |url: &str| {
        let case = ["--case", "fuzz-lifecycle*", "--deny", "warnings"];
        bench.run(&[&["run", url, "--token-env", VARIABLE, "--suites", "."], &case[..]].concat())
    };
    (run(bad.url()), run(good.url()))
}

/// The faults that lifecycles are to find: those of creating, replacing, deleting, of groups, versions and times, and of
/// requests at once.
fn owed() -> Vec<&'static str> {
    const ABOUT: [&str; 26] = [
        "create-",
        "created-",
        "duplicate-",
        "put-",
        "delete-",
        "deleted-",
        "race-",
        "group-",
        "groups-",
        "reactivation-",
        "deactivation-",
        "inactive-",
        "last-modified-",
        "version-",
        "etag-",
        "id-missing",
        "patch-deactivation",
        "patch-reactivation",
        "patch-inactive",
        "patch-rename",
        "patch-group-rename",
        "patch-ignored",
        "patch-not-atomic",
        "patch-members",
        "patch-existing-member",
        "patch-absent-member",
    ];
    let is_owed = |name: &&str| {
        ABOUT.iter().any(|about| name.starts_with(about)) && !NOT_OWED.iter().any(|(not, _)| not == name)
    };
    let plain = faults::catalogue().iter().filter(|it| it.family.is_none()).map(|it| it.name);
    plain.filter(is_owed).collect()
}

/// Faults of these names that no lifecycle can hold against a server, each with the reason.
const NOT_OWED: &[(&str, &str)] = &[
    ("create-without-schemas-answers-500", "a request that is not sound, and lifecycles send none"),
    ("etag-unquoted", "how a header is spelt, in every answer alike: nothing that a lifecycle leads to"),
    ("delete-of-member-leaves-it", "referential integrity may be enforced, or not (RFC 7643 section 2.3.7)"),
    ("group-patch-refuses-id", "a PATCH of what is readOnly may be refused (RFC 7644 section 3.5.2)"),
    ("create-fills-in-a-user-type", "what is left out may get any default (RFC 7644 section 3.3)"),
    (
        "delete-answers-202-with-body",
        "a 202 is carried out later (RFC 9967), so nothing can be said of what is there now",
    ),
    (
        "delete-answers-bare-202",
        "a 202 is carried out later (RFC 9967), so nothing can be said of what is there now",
    ),
];

/// Every fault that lifecycles are owed to find, with ten seeds each; `UPDATE_FUZZ=1` writes `docs/fuzz.md`.
#[test]
#[ignore = "some minutes: UPDATE_FUZZ=1 cargo test --test fuzz_lifecycle -- --ignored every_lifecycle_fault"]
fn every_lifecycle_fault_is_found() {
    let seeds = number("SEEDS", 10);
    let named = words("FAULTS");
    let faults: Vec<&str> =
        if named.is_empty() { owed() } else { named.iter().map(String::as_str).collect() };
    let found = common::side_by_side(&trials(&faults, seeds), |(name, seed)| {
        let caught = faulty(name, *seed).run();
        println!(
            "{name}: {}",
            first(&caught).map_or_else(|| format!("not found {:?}", lines(&caught)), line)
        );
        if std::env::var("REPLAY").is_ok() && first(&caught).is_some() {
            let suites = caught.reported().suites;
            if suites.is_empty() {
                println!("{name}: no suite for {}", lines(&caught).join("; "));
            } else {
                let (bad, good) = replayed(name, &caught, &Reference::good());
                if (bad.code, good.code) != (Some(1), Some(0)) {
                    println!(
                        "{name}: replay {:?} {:?}\n{}\n{}{}\n{}{}",
                        bad.code, good.code, suites[0].text, bad.stdout, bad.stderr, good.stdout, good.stderr
                    );
                }
            }
        }
        first(&caught).map(|cause| {
            let shown = &cause.shown;
            let steps: Vec<String> = shown.steps.iter().map(ToString::to_string).collect();
            Sighting {
                at: shown.sighted_at,
                more: shown.minimal_at - shown.sighted_at,
                size: shown.steps.len(),
                shown: steps.join(" → "),
            }
        })
    });
    let (table, rows) = table(&faults, &found, WITHIN);
    keep("lifecycle faults", &table);
    let late: Vec<String> = rows
        .iter()
        .filter(|row| !row.is_found() || row.size > STEPS)
        .map(|row| {
            format!(
                "{}: {} of {} within {WITHIN} requests, {} steps",
                row.fault, row.soon, row.seeds, row.size
            )
        })
        .collect();
    assert_eq!(late, Vec::<String>::new());
}

/// Nothing is reported: ten seeds of the reference server, with one client and with four, and each legal variant with one
/// seed; `UPDATE_FUZZ=1` writes `docs/fuzz.md`.
#[test]
#[ignore = "some minutes: UPDATE_FUZZ=1 cargo test --test fuzz_lifecycle -- --ignored nothing_is_reported_of_anything"]
fn nothing_is_reported_of_anything_legal() {
    let most = number("LIFECYCLES", 500);
    let plain = |seed| Hunt { most: Some(most), requests: 100_000, ..good(seed) };
    let varied = |seed| Hunt { most: Some(most.min(100)), requests: 20_000, in_flight: 2, ..good(seed) };
    let mut hunts = calm(number("SEEDS", 10), plain, varied);
    let several: Vec<_> = hunts
        .iter()
        .filter(|(name, _)| name.starts_with("seed "))
        .map(|(name, hunt)| (format!("{name}, four clients"), Hunt { in_flight: 4, ..hunt.clone() }))
        .collect();
    hunts.extend(several);
    let ran = common::side_by_side(&hunts, |(name, hunt)| {
        let caught = hunt.run();
        for line in lines(&caught) {
            println!("{name}: {line}");
        }
        caught
    });
    let mut table = String::new();
    let mut alarms = Vec::new();
    let (mut quiet, mut tried, mut steps, mut requests) = (0, 0, 0, 0);
    for ((name, _), caught) in hunts.iter().zip(&ran) {
        let Ok(fuzzed) = &caught.fuzzed else {
            alarms.push(format!("{name}: {:?}", lines(caught)));
            continue;
        };
        let failed = fuzzed.causes.iter().filter(|it| it.shown.problem.severity == Severity::Failure).count();
        let warned = fuzzed.causes.len() - failed;
        if failed > 0 || fuzzed.ended != Ended::Done || fuzzed.tally.unjudged > 0 {
            alarms.push(format!(
                "{name}: {:?} {} unjudged {:#?}",
                fuzzed.ended,
                fuzzed.tally.unjudged,
                lines(caught)
            ));
        }
        if !name.starts_with("seed ") && fuzzed.causes.is_empty() {
            quiet += 1;
            tried += fuzzed.tally.tried();
            steps += fuzzed.steps;
            requests += caught.requests;
            continue;
        }
        writeln!(
            table,
            "| {name} | {} | {} | {} | {warned} | {failed} |",
            fuzzed.tally.tried(),
            fuzzed.steps,
            caught.requests
        )
        .expect("a text");
    }
    writeln!(table, "| {quiet} further variants | {tried} | {steps} | {requests} | 0 | 0 |").expect("a text");
    keep("lifecycle alarms", &table);
    assert!(alarms.is_empty(), "{}", alarms.join("\n"));
}
