//! Fuzzing PATCH in process: nothing is reported of the reference server, and a defect of it is found soon, shrunk to one or
//! two operations, and reported once.

mod binary;
mod common;
mod hunts;

use std::collections::BTreeSet;

use binary::{Bench, Reference, VARIABLE};
use hunts::{Calm, Sighting, alarms, calm, keep, number, table, trials, words};
use scimspec::fuzz::patch::Counterexample;
use scimspec::fuzz::patch::saved::{SavedCase, cases};
use scimspec::fuzz::{Ended, Subject, saved};
use scimspec::outcome::Verdict;
use scimspec::server::{Fault, ServerOptions, Variant, faults};
use serde_json::json;

type Hunt = hunts::Hunt<SavedCase>;
type Caught = hunts::Caught<SavedCase>;

/// A fault is to be found within so many requests.
const SOON: u64 = 300;

/// That is shown by so many operations at most.
const OPERATIONS: usize = 2;

fn good(seed: u64) -> Hunt {
    Hunt::of(seed, 600)
}

fn faulty(name: &str, seed: u64) -> Hunt {
    Hunt::of(seed, 420).on(name)
}

/// The first sighting that showed again.
fn first(caught: &Caught) -> Option<&Counterexample> {
    let causes = caught.fuzzed.as_ref().ok()?.causes.iter();
    causes
        .flat_map(|cause| &cause.sightings)
        .filter(|it| it.again != Some(false))
        .min_by_key(|it| it.sighted_at)
}

#[test]
fn nothing_is_reported_of_the_reference_server() {
    let caught = Hunt { most: Some(100), ..good(1) }.run();
    let fuzzed = caught.fuzzed();
    assert_eq!(caught.found(), Vec::<String>::new());
    assert_eq!(fuzzed.ended, Ended::Done, "{:?}", fuzzed.notes);
    assert_eq!(fuzzed.notes, Vec::<String>::new());
    assert!(fuzzed.tally.tried() >= 100 && fuzzed.tally.unjudged == 0, "{:?}", fuzzed.tally);
    assert!(caught.clean_up.is_complete() && caught.clean_up.deleted.len() >= 10);
}

/// The faults of which a few are tried each time: one of each kind of harm.
const SOME: [&str; 8] = [
    "patch-first-operation-only",
    "patch-filtered-replace-hits-all",
    "patch-primary-not-reset",
    "patch-not-atomic",
    "patch-remove-ignores:User.title",
    "patch-members-beyond-two-dropped",
    "patch-invalid-path-answers-500",
    "patch-answers-part",
];

#[test]
fn a_defect_is_found_soon_and_shrunk_to_little() {
    let found = common::side_by_side(&SOME, |name| Hunt { stop_at_first: true, ..faulty(name, 1) }.run());
    for (name, caught) in SOME.iter().zip(&found) {
        let first = first(caught).unwrap_or_else(|| panic!("{name} is not found: {:?}", caught.found()));
        assert!(first.sighted_at <= SOON, "{name} after {} requests", first.sighted_at);
        assert!(first.operations().len() <= OPERATIONS, "{name}: {}", first.body);
        assert_eq!(first.again, Some(true), "{name}: {}", first.body);
        assert!(caught.clean_up.is_complete(), "{name}");
    }
}

#[test]
fn one_defect_is_reported_once_and_left_alone() {
    for name in ["patch-remove-ignored", "patch-drops:User.title", "patch-answers-empty-200"] {
        let caught = faulty(name, 1).run();
        let found = caught.found();
        assert_eq!(found.len(), 1, "{name}: {found:#?}");
        assert!(found[0].contains(" failed: "), "{name}: {found:?}");
    }
}

#[test]
fn a_counterexample_is_saved_as_a_suite_that_replays() {
    for name in
        ["patch-replace-ignores:User.nickName", "patch-no-target-ignored", "patch-add-ignores:Group.members"]
    {
        let caught = Hunt { stop_at_first: true, ..faulty(name, 3) }.run();
        let reported = caught.reported();
        let outcome = reported.outcomes.iter().find(|it| it.verdict == Verdict::Failed).expect("it is found");
        assert!(!outcome.spec.is_empty() && outcome.findings[0].exchange.is_some(), "{outcome:?}");
        let suite = reported.suites.first().unwrap_or_else(|| panic!("{name} can be said"));
        let folder = tempfile::tempdir().expect("a folder");
        saved::write(folder.path(), Subject::Patch, suite).expect("it can be written");
        let read = saved::read(folder.path(), Subject::Patch)
            .unwrap_or_else(|error| panic!("{error}\n{}", suite.text));
        let again = cases(&read);
        assert_eq!(again.len(), 1, "{}", suite.text);
        // What was saved is tried first, and holds where the defect is gone.
        let hunt = Hunt { saved: again.clone(), stop_at_first: true, ..faulty(name, 4) };
        let found = hunt.run();
        assert!(found.found()[0].starts_with("fuzz/patch/saved["), "{name}: {:?}", found.found());
        let mended = Hunt { saved: again, most: Some(4), ..good(4) }.run();
        assert_eq!(mended.fuzzed().mended.len(), 1, "{name}");
        assert_eq!(mended.found(), Vec::<String>::new());
        replays(folder.path(), name);
    }
}

/// `scimspec run` replays a saved suite: red on the fault, green without it.
fn replays(folder: &std::path::Path, fault: &str) {
    for (faults, exit) in [(vec![Fault::from_name(fault).expect("a fault")], 1), (Vec::new(), 0)] {
        let reference = Reference::start(ServerOptions { faults, ..ServerOptions::default() });
        let suites = folder.display().to_string();
        let words =
            ["run", reference.url(), "--token-env", VARIABLE, "--suites", &suites, "--case", "fuzz-patch-*"];
        let ran = Bench::new().run(&words);
        assert_eq!(ran.code, Some(exit), "{fault}:\n{}\n{}", ran.stdout, ran.stderr);
    }
}

#[test]
fn the_same_seed_sends_the_same() {
    let sent = || {
        let ids = regex::Regex::new(r"[0-9a-f]{8}-[0-9a-f-]{27}").expect("a pattern");
        let asked = Hunt { most: Some(130), keeps_all: true, ..good(9) }.run().asked;
        let plain =
            |it: &hunts::Asked| ids.replace_all(&format!("{} {}", it.line, it.more), "…").into_owned();
        asked.iter().map(plain).collect::<Vec<_>>()
    };
    let (one, other) = (sent(), sent());
    assert_eq!(one.len(), other.len());
    for (one, other) in one.iter().zip(&other) {
        assert_eq!(one, other);
    }
}

#[test]
fn a_budget_that_is_too_small_ends_it_in_order() {
    for requests in [12, 40, 60, 90] {
        let caught = Hunt { requests, ..good(1) }.run();
        match &caught.fuzzed {
            Ok(fuzzed) => assert_eq!(fuzzed.ended, Ended::BudgetSpent, "{requests}"),
            Err(error) => assert!(error.contains("could be created"), "{error}"),
        }
        assert!(caught.clean_up.is_complete(), "{requests}: {:?}", caught.clean_up);
        assert!(caught.requests <= requests, "{} of {requests}", caught.requests);
    }
}

#[test]
fn an_interrupt_ends_it_and_leaves_nothing_behind() {
    let caught = Hunt { interrupt_after: Some(40), ..good(1) }.run();
    assert_eq!(caught.fuzzed().ended, Ended::Interrupted);
    assert!(caught.clean_up.is_complete() && caught.clean_up.deleted.len() >= 8, "{:?}", caught.clean_up);
    assert!(caught.fuzzed().tally.tried() > 0);
}

#[test]
fn several_clients_find_the_same_defect_and_raise_no_alarm() {
    let quiet = Hunt { in_flight: 4, most: Some(260), requests: 1200, keeps_all: true, ..good(2) }.run();
    assert_eq!(quiet.found(), Vec::<String>::new());
    assert_eq!(quiet.fuzzed().tally.unjudged, 0);
    assert!(quiet.clean_up.is_complete(), "{:?}", quiet.clean_up);
    // Each of them has a resource of its own.
    let patched: BTreeSet<&str> =
        quiet.asked.iter().rev().take(100).filter_map(|it| it.line.strip_prefix("PATCH ")).collect();
    assert!(patched.len() >= 4, "{patched:?}");
    let caught = Hunt { in_flight: 4, ..faulty("patch-remove-ignored", 2) }.run();
    assert_eq!(caught.found().len(), 1, "{:#?}", caught.found());
}

/// Faults that are called after PATCH and are about something else: what discovery says of it, how a PATCH is refused that
/// there is not, and a header of a request with a media type that nobody understands.
const OTHERS: [&str; 3] =
    ["patch-not-advertised", "patch-denied-with-403", "patch-format-refused-without-hint"];

fn patch_faults() -> Vec<&'static str> {
    let chosen = words("FAULTS");
    faults::catalogue()
        .iter()
        .map(|it| it.name)
        .filter(|it| it.starts_with("patch-") && !OTHERS.contains(it))
        .filter(|it| chosen.is_empty() || chosen.iter().any(|part| it.contains(part.as_str())))
        .collect()
}

/// Every fault about PATCH, with ten seeds each; `UPDATE_FUZZ=1` writes `docs/fuzz.md`.
#[test]
#[ignore = "a quarter of an hour: UPDATE_FUZZ=1 cargo test --test fuzz_patch -- --ignored every_patch_fault"]
fn every_patch_fault_is_found() {
    let seeds = number("SEEDS", 10);
    let faults = patch_faults();
    let found = common::side_by_side(&trials(&faults, seeds), |(name, seed)| {
        let caught = Hunt { stop_at_first: true, ..faulty(name, *seed) }.run();
        first(&caught).map(|it| {
            let shown = match it.operations() {
                [] => it.body.to_string(),
                [one] => one.to_string(),
                several => json!(several).to_string(),
            };
            Sighting {
                at: it.sighted_at,
                more: it.minimal_at - it.sighted_at,
                size: it.operations().len(),
                shown: shown.chars().take(200).collect(),
            }
        })
    });
    let (table, rows) = table(&faults, &found, SOON);
    keep("patch-faults", &table);
    let late: Vec<String> = rows
        .iter()
        .filter(|row| !row.is_found() || row.size > OPERATIONS)
        .map(|row| {
            format!(
                "{}: {} of {} within {SOON} requests, {} operations",
                row.fault, row.soon, row.seeds, row.size
            )
        })
        .collect();
    assert_eq!(late, Vec::<String>::new());
}

/// Nothing is reported: ten seeds of the reference server, and each legal variant with one; `UPDATE_FUZZ=1` writes
/// `docs/fuzz.md`.
#[test]
#[ignore = "half an hour: UPDATE_FUZZ=1 cargo test --test fuzz_patch -- --ignored nothing_is_reported_of_anything"]
fn nothing_is_reported_of_anything_legal() {
    let most = number("PATCHES", 2000);
    let in_flight = usize::try_from(number("IN_FLIGHT", 1)).expect("not so many");
    let hunts = calm(
        number("SEEDS", 10),
        |seed| Hunt { most: Some(most), requests: most * 4, in_flight, ..good(seed) },
        |seed| Hunt { most: Some(most.min(300)), requests: 900, in_flight, ..good(seed) },
    );
    let ran = common::side_by_side(&hunts, |(name, hunt)| {
        let caught = hunt.run();
        let tried = caught.fuzzed.as_ref().map_or(0, |it| it.tally.tried());
        Calm::of(name, &caught, tried)
    });
    let (table, alarms) = alarms(&ran);
    keep("patch-alarms", &table);
    assert_eq!(alarms, Vec::<String>::new());
}

/// By hand: `HUNT=fault,fault SEEDS=1,2 cargo test --test fuzz_patch by_hand -- --ignored --nocapture`.
#[test]
#[ignore = "for looking at single faults, variants and seeds"]
fn by_hand() {
    let said = |name: &str, default: &str| std::env::var(name).unwrap_or_else(|_| default.to_owned());
    let requests = said("REQUESTS", "420").parse().expect("a number");
    for seed in said("SEEDS", "1").split(',') {
        let seed = seed.parse().expect("a number");
        for name in said("HUNT", "").split(',') {
            let mut hunt =
                Hunt { requests, stop_at_first: said("FIRST", "") == "1", keeps_all: true, ..good(seed) };
            if let Ok(fault) = Fault::from_name(name) {
                hunt.faults.push(fault);
            } else if let Ok(variant) = Variant::from_name(name) {
                hunt.variants.push(variant);
            }
            let caught = hunt.run();
            println!("== {name} seed {seed}");
            match &caught.fuzzed {
                Err(error) => println!("   {error}"),
                Ok(fuzzed) => {
                    println!("   {:?} {:?} {:?}", fuzzed.ended, fuzzed.tally, fuzzed.notes);
                    for cause in &fuzzed.causes {
                        println!("   -- {} ({:?})", cause.name(), cause.features);
                        for it in &cause.sightings {
                            println!(
                                "      at {}, minimal at {}, again {:?}: {} of {}",
                                it.sighted_at, it.minimal_at, it.again, it.body, it.resource
                            );
                        }
                    }
                }
            }
            for line in caught.found() {
                println!("   {line}");
            }
            match said("SHOW", "").as_str() {
                "requests" => {
                    caught.asked.iter().for_each(|it| println!("   {} {} {}", it.line, it.more, it.modified));
                }
                "suites" => caught.reported().suites.iter().for_each(|it| println!("{}", it.text)),
                _ => {}
            }
        }
    }
}
