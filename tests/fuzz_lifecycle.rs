//! Fuzzing lifecycles in process: nothing is reported of the reference server, and a defect of it is found soon and shrunk
//! to a few steps.

mod binary;
mod common;

use std::fmt::Write as _;
use std::time::Duration;

use binary::{Bench, Ran, Reference, VARIABLE};
use scimspec::fuzz::lifecycle::saved::sequences;
use scimspec::fuzz::lifecycle::{Cause, Fuzz, Fuzzed, Property, SavedSequence, record};
use scimspec::fuzz::progress::Progress;
use scimspec::fuzz::{Ended, Found, Options, Subject, saved};
use scimspec::outcome::{Severity, Verdict};
use scimspec::requirement::Catalogue;
use scimspec::run::Templates;
use scimspec::server::{self, Fault, ServerOptions, Variant, faults, variants};
use scimspec::suite::fresh::{Generator, Patterns};
use scimspec::target::probe::probe;
use scimspec::target::{CleanUp, Credentials, Limits, Target, TargetOptions};
use serde_json::json;
use url::Url;

/// The mark of all runs here: every server is new.
const MARK: &str = "s0life00";
/// Within so many requests a fault is to be sighted.
const WITHIN: u64 = 1500;
/// A minimal counterexample has so many steps at most.
const STEPS: usize = 5;

/// A hunt that is going to be made.
#[derive(Debug, Clone)]
struct Hunt {
    faults: Vec<Fault>,
    variants: Vec<Variant>,
    seed: u64,
    most: Option<u64>,
    requests: u64,
    in_flight: usize,
    stop_at_first: bool,
    saved: Vec<SavedSequence>,
    /// After so many requests it is interrupted.
    interrupt_after: Option<u64>,
}

/// Somebody who interrupts.
struct Watching<'a> {
    target: &'a Target,
    after: Option<u64>,
}

impl Progress for Watching<'_> {
    fn tell(&self, requests: u64, _: u64, _: usize, _: &str) {
        if self.after.is_some_and(|after| requests >= after) {
            self.target.interrupt();
        }
    }
}

impl Hunt {
    fn of(seed: u64) -> Hunt {
        Hunt {
            faults: Vec::new(),
            variants: Vec::new(),
            seed,
            most: None,
            requests: 4000,
            in_flight: 1,
            stop_at_first: false,
            saved: Vec::new(),
            interrupt_after: None,
        }
    }

    fn fault(name: &str, seed: u64) -> Hunt {
        let in_flight = if name.starts_with("race-") { 4 } else { 1 };
        Hunt {
            faults: vec![Fault::from_name(name).expect("a fault")],
            requests: 2000,
            in_flight,
            stop_at_first: true,
            ..Hunt::of(seed)
        }
    }

    fn run(&self) -> Caught {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(self.run_here())
    }

    async fn run_here(&self) -> Caught {
        let options = ServerOptions {
            faults: self.faults.clone(),
            variants: self.variants.clone(),
            ..ServerOptions::default()
        };
        let server = server::start(options).await.expect("a port is free");
        let generator = Generator::new(MARK, self.seed, Patterns::default());
        let target = Target::new(TargetOptions {
            auth: Credentials::bearer(server.token()).expect("the server's own token"),
            limits: Limits {
                request: Duration::from_secs(10),
                repeats: 2,
                back_off: Duration::from_millis(10),
                ..Limits::default()
            },
            requests: Some(self.requests),
            ..TargetOptions::new(Url::parse(server.base_url()).expect("a URL"), generator.mark())
        })
        .expect("the options are sound");
        let probe = probe(&target).await.expect("the server speaks SCIM");
        let templates = Templates { user: json!({}), group: json!({}) };
        let fuzz = Fuzz {
            target: &target,
            probe: &probe,
            generator: &generator,
            templates: &templates,
            options: Options {
                seed: self.seed,
                most: self.most,
                in_flight: self.in_flight,
                stop_at_first: self.stop_at_first,
            },
            saved: &self.saved,
            progress: &Watching { target: &target, after: self.interrupt_after },
        };
        let fuzzed = fuzz.lifecycles().await;
        let paths = target
            .exchanges()
            .iter()
            .map(|it| format!("{} {}", it.request.method, it.request.path))
            .collect();
        let requests = target.requests_made();
        let clean_up = target.clean_up().await;
        server.shutdown().await;
        Caught { fuzzed: fuzzed.map_err(|error| error.to_string()), clean_up, paths, requests }
    }
}

struct Caught {
    fuzzed: Result<Fuzzed, String>,
    clean_up: CleanUp,
    paths: Vec<String>,
    requests: u64,
}

impl Caught {
    fn fuzzed(&self) -> &Fuzzed {
        self.fuzzed.as_ref().expect("there is something that lives")
    }

    fn reported(&self) -> Found {
        record::found(self.fuzzed(), Catalogue::embedded(), 3)
    }

    /// What was found, a line each.
    fn found(&self) -> Vec<String> {
        match &self.fuzzed {
            Err(error) => vec![format!("not tried: {error}")],
            Ok(fuzzed) => fuzzed.causes.iter().map(line).collect(),
        }
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
    let caught = Hunt { most: Some(30), ..Hunt::of(1) }.run();
    let fuzzed = caught.fuzzed();
    assert_eq!(caught.found(), Vec::<String>::new());
    assert_eq!(fuzzed.ended, Ended::Done, "{:?}", fuzzed.notes);
    assert_eq!(fuzzed.notes, Vec::<String>::new());
    assert_eq!((fuzzed.tally.lifecycles(), fuzzed.tally.unjudged), (30, 0), "{:?}", fuzzed.tally);
    assert!(fuzzed.tally.steps > 400, "{:?}", fuzzed.tally);
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
    let found = common::side_by_side(&SOME, |name| Hunt::fault(name, 1).run());
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
    let caught = Hunt::fault("deleted-stay-findable", 3).run();
    let folder = tempfile::tempdir().expect("a folder");
    for suite in &caught.reported().suites {
        saved::write(folder.path(), Subject::Lifecycle, suite).expect("it can be written");
    }
    let again = sequences(&saved::read(folder.path(), Subject::Lifecycle).expect("it can be read"));
    assert_eq!(again.len(), 1);
    assert_eq!(again[0].steps, caught.fuzzed().causes[0].shown.steps);
    let hunt = Hunt { saved: again.clone(), ..Hunt::fault("deleted-stay-findable", 4) }.run();
    let outcome = hunt.reported().outcomes.into_iter().next().expect("an outcome");
    assert!(outcome.id.starts_with("fuzz/lifecycle/saved[find-wrong-deleted"), "{}", outcome.id);
    assert_eq!(outcome.verdict, Verdict::Failed);
    let finding = &outcome.findings[0];
    assert!(finding.expected.contains("1. create the user") && finding.exchange.is_some(), "{finding:?}");
    assert_eq!(finding.requirements, ["RFC7644-3.6-04"]);
    let mended = Hunt { saved: again, most: Some(4), ..Hunt::of(4) }.run();
    assert_eq!(mended.fuzzed().mended.len(), 1);
    assert_eq!(mended.found(), Vec::<String>::new());
}

#[test]
fn one_defect_is_reported_once_and_left_alone() {
    for name in ["deleted-stay-findable", "put-missing"] {
        let caught = Hunt { stop_at_first: false, most: Some(25), ..Hunt::fault(name, 1) }.run();
        let found = caught.found();
        assert_eq!(found.len(), 1, "{name}: {found:#?}");
        assert_eq!(caught.fuzzed().ended, Ended::Done, "{name}");
    }
}

#[test]
fn the_same_seed_asks_the_same() {
    let asked = || {
        let ids = regex::Regex::new(r"/(Users|Groups)/[^? ]+").expect("a pattern");
        let paths = Hunt { most: Some(20), ..Hunt::of(9) }.run().paths;
        paths.iter().map(|path| ids.replace_all(path, "/$1/…").into_owned()).collect::<Vec<_>>()
    };
    assert_eq!(asked(), asked());
}

#[test]
fn a_budget_that_is_too_small_and_an_interrupt_end_it_in_order() {
    for requests in [12, 80, 150, 300] {
        let caught = Hunt { requests, ..Hunt::of(1) }.run();
        assert_eq!(caught.fuzzed().ended, Ended::BudgetSpent, "{requests}");
        assert!(caught.clean_up.is_complete(), "{requests}: {:?}", caught.clean_up);
        assert!(caught.paths.len() as u64 <= requests, "{} of {requests}", caught.paths.len());
    }
    let caught = Hunt { interrupt_after: Some(60), ..Hunt::of(1) }.run();
    assert_eq!(caught.fuzzed().ended, Ended::Interrupted);
    assert!(caught.clean_up.is_complete(), "{:?}", caught.clean_up);
}

#[test]
fn several_clients_at_once_raise_no_alarm() {
    let caught = Hunt { in_flight: 4, most: Some(45), ..Hunt::of(2) }.run();
    assert_eq!(caught.found(), Vec::<String>::new());
    assert_eq!(caught.fuzzed().tally.unjudged, 0);
    assert!(caught.fuzzed().tally.judged.contains_key(&Property::Races));
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
        bench.run(&["run", url, "--token-env", VARIABLE, "--suites", ".", "--case", "fuzz-lifecycle*"])
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
const NOT_OWED: &[(&str, &str)] = &[];

fn seeds() -> Vec<u64> {
    (1..=std::env::var("SEEDS").map_or(10, |it| it.parse().expect("a number"))).collect()
}

/// Every fault that lifecycles are owed to find, with ten seeds each; `UPDATE_FUZZ=1` writes `docs/fuzz.md`.
#[test]
#[ignore = "some minutes: UPDATE_FUZZ=1 cargo test --test fuzz_lifecycle -- --ignored every_lifecycle_fault"]
fn every_lifecycle_fault_is_found() {
    let seeds = seeds();
    let named = std::env::var("FAULTS").unwrap_or_default();
    let named: Vec<&str> = named.split(',').filter(|it| !it.is_empty()).collect();
    let faults: Vec<&str> = if named.is_empty() { owed() } else { named };
    let trials: Vec<(&str, u64)> =
        faults.iter().flat_map(|fault| seeds.iter().map(move |seed| (*fault, *seed))).collect();
    let found = common::side_by_side(&trials, |(name, seed)| {
        let caught = Hunt::fault(name, *seed).run();
        println!(
            "{name}: {}",
            first(&caught).map_or_else(|| format!("not found {:?}", caught.found()), line)
        );
        if std::env::var("REPLAY").is_ok() && first(&caught).is_some() {
            let suites = caught.reported().suites;
            if suites.is_empty() {
                println!("{name}: no suite for {}", caught.found().join("; "));
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
            (shown.sighted_at, shown.minimal_at - shown.sighted_at, shown.steps.len(), steps.join(" → "))
        })
    });
    let mut table = String::new();
    let mut late = Vec::new();
    for (index, fault) in faults.iter().enumerate() {
        let of: Vec<_> = found[index * seeds.len()..(index + 1) * seeds.len()].iter().collect();
        let mut sighted: Vec<u64> = of.iter().filter_map(|it| it.as_ref().map(|it| it.0)).collect();
        let mut more: Vec<u64> = of.iter().filter_map(|it| it.as_ref().map(|it| it.1)).collect();
        sighted.sort_unstable();
        more.sort_unstable();
        let soon = sighted.iter().filter(|at| **at <= WITHIN).count();
        let median = |all: &[u64]| all.get(all.len() / 2).map_or("–".to_owned(), u64::to_string);
        let most = |all: &[u64]| all.last().map_or("–".to_owned(), u64::to_string);
        let steps = of.iter().filter_map(|it| it.as_ref().map(|it| it.2)).max().unwrap_or(0);
        let shown = of.iter().find_map(|it| it.as_ref().map(|it| it.3.clone())).unwrap_or_default();
        writeln!(
            table,
            "| `{fault}` | {soon} of {} | {} | {} | {} | {} | {steps} | {} |",
            seeds.len(),
            median(&sighted),
            most(&sighted),
            median(&more),
            most(&more),
            shown.replace('|', "∥"),
        )
        .expect("a text");
        if soon * 10 < seeds.len() * 9 || steps > STEPS {
            late.push(format!("{fault}: {soon} of {} within {WITHIN} requests, {steps} steps", seeds.len()));
        }
    }
    if std::env::var("UPDATE_FUZZ").as_deref() == Ok("1") {
        update("lifecycle faults", &table);
    }
    assert_eq!(late, Vec::<String>::new());
}

/// Nothing is reported: ten seeds of the reference server, with one client and with four, and each legal variant with one
/// seed; `UPDATE_FUZZ=1` writes `docs/fuzz.md`.
#[test]
#[ignore = "some minutes: UPDATE_FUZZ=1 cargo test --test fuzz_lifecycle -- --ignored nothing_is_reported_of_anything"]
fn nothing_is_reported_of_anything_legal() {
    let most: u64 = std::env::var("LIFECYCLES").map_or(500, |it| it.parse().expect("a number"));
    let named = std::env::var("VARIANTS").unwrap_or_default();
    let chosen: Vec<&str> = named.split(',').filter(|it| !it.is_empty()).collect();
    let all = variants::catalogue().iter().map(|it| it.name);
    let names: Vec<&str> =
        all.filter(|it| chosen.is_empty() || chosen.iter().any(|part| it.contains(part))).collect();
    let mut hunts: Vec<(String, Hunt)> = Vec::new();
    for seed in seeds().into_iter().filter(|_| chosen.is_empty()) {
        let plain = Hunt { most: Some(most), requests: 100_000, ..Hunt::of(seed) };
        hunts.push((format!("seed {seed}"), plain.clone()));
        hunts.push((format!("seed {seed}, four clients"), Hunt { in_flight: 4, ..plain }));
    }
    hunts.extend(names.iter().map(|name| {
        let variants = vec![Variant::from_name(name).expect("a variant")];
        let of = Hunt { variants, most: Some(most.min(100)), requests: 20_000, in_flight: 2, ..Hunt::of(1) };
        ((*name).to_owned(), of)
    }));
    let ran = common::side_by_side(&hunts, |(name, hunt)| {
        let caught = hunt.run();
        for line in caught.found() {
            println!("{name}: {line}");
        }
        caught
    });
    let mut table = String::new();
    let mut alarms = Vec::new();
    for ((name, _), caught) in hunts.iter().zip(&ran) {
        let Ok(fuzzed) = &caught.fuzzed else {
            alarms.push(format!("{name}: {:?}", caught.found()));
            continue;
        };
        let failed = fuzzed.causes.iter().filter(|it| it.shown.problem.severity == Severity::Failure).count();
        let warned = fuzzed.causes.len() - failed;
        if failed > 0 || fuzzed.ended != Ended::Done || fuzzed.tally.unjudged > 0 {
            alarms.push(format!(
                "{name}: {:?} {} unjudged {:#?}",
                fuzzed.ended,
                fuzzed.tally.unjudged,
                caught.found()
            ));
        }
        writeln!(
            table,
            "| {name} | {} | {} | {} | {warned} | {failed} |",
            fuzzed.tally.lifecycles(),
            fuzzed.tally.steps,
            caught.requests
        )
        .expect("a text");
    }
    if std::env::var("UPDATE_FUZZ").as_deref() == Ok("1") {
        update("lifecycle alarms", &table);
    }
    assert!(alarms.is_empty(), "{}", alarms.join("\n"));
}

/// Writes the rows of a table into `docs/fuzz.md`, between its markers.
fn update(name: &str, rows: &str) {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/fuzz.md");
    let text = std::fs::read_to_string(path).expect("the page is there");
    let (begin, end) = (format!("<!-- {name} -->\n"), format!("<!-- end of {name} -->"));
    let (before, rest) = text.split_once(&begin).expect("the table begins");
    let (old, after) = rest.split_once(&end).expect("the table ends");
    let head: String = old.lines().take(2).map(|line| format!("{line}\n")).collect();
    std::fs::write(path, format!("{before}{begin}{head}{rows}{end}{after}"))
        .expect("the page can be written");
}
