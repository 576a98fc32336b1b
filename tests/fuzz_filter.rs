//! Fuzzing filters in process: nothing is reported of the reference server, and a defect of it is found soon, shrunk to
//! something small, and reported once.

mod common;

use std::fmt::Write as _;
use std::time::Duration;

use percent_encoding::percent_decode_str;
use scimspec::fuzz::filter::saved::{SavedCase, cases};
use scimspec::fuzz::filter::{Counterexample, Fuzz, Fuzzed, record};
use scimspec::fuzz::progress::Progress;
use scimspec::fuzz::saved;
use scimspec::fuzz::{Ended, Found, Options, Subject};
use scimspec::outcome::{Outcome, Verdict};
use scimspec::requirement::Catalogue;
use scimspec::run::Templates;
use scimspec::server::{self, Fault, ServerOptions, Variant, faults, variants};
use scimspec::suite::fresh::{Generator, Patterns};
use scimspec::target::probe::probe;
use scimspec::target::{CleanUp, Credentials, Limits, Target, TargetOptions};
use serde_json::json;
use url::Url;

/// The mark of all runs here: every server is new.
const MARK: &str = "s0fuzz00";

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
    saved: Vec<SavedCase>,
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
            requests: 400,
            in_flight: 1,
            stop_at_first: false,
            saved: Vec::new(),
            interrupt_after: None,
        }
    }

    fn fault(name: &str, seed: u64) -> Hunt {
        Hunt { faults: vec![Fault::from_name(name).expect("a fault")], requests: 260, ..Hunt::of(seed) }
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
        let fuzzed = fuzz.filters().await;
        let paths = target
            .exchanges()
            .iter()
            .map(|it| format!("{} {}", it.request.method, it.request.path))
            .collect();
        let clean_up = target.clean_up().await;
        server.shutdown().await;
        Caught { fuzzed: fuzzed.map_err(|error| error.to_string()), clean_up, paths }
    }
}

struct Caught {
    fuzzed: Result<Fuzzed, String>,
    clean_up: CleanUp,
    paths: Vec<String>,
}

impl Caught {
    fn fuzzed(&self) -> &Fuzzed {
        self.fuzzed.as_ref().expect("there is something to filter")
    }

    fn reported(&self) -> Found {
        record::found(self.fuzzed(), Catalogue::embedded(), 3)
    }

    /// What was found, a line each.
    fn found(&self) -> Vec<String> {
        if let Err(error) = &self.fuzzed {
            return vec![format!("not tried: {error}")];
        }
        let held = |it: &Outcome| matches!(it.verdict, Verdict::Passed);
        self.reported()
            .outcomes
            .iter()
            .filter(|it| !held(it))
            .map(|it| {
                let message = it.findings.first().map(|it| it.message.clone()).unwrap_or_default();
                format!("{} {}: {message}", it.id, it.verdict.word())
            })
            .collect()
    }
}

#[test]
fn nothing_is_reported_of_the_reference_server() {
    let caught = Hunt { most: Some(300), ..Hunt::of(1) }.run();
    let fuzzed = caught.fuzzed();
    assert_eq!(caught.found(), Vec::<String>::new());
    assert_eq!(fuzzed.ended, Ended::Done, "{:?}", fuzzed.notes);
    assert_eq!(fuzzed.notes, Vec::<String>::new());
    assert!(fuzzed.tally.filters() >= 300 && fuzzed.tally.unjudged == 0, "{:?}", fuzzed.tally);
    assert!(fuzzed.dialect.len() > 8, "{:?}", fuzzed.dialect);
    assert!(caught.clean_up.is_complete() && caught.clean_up.deleted.len() >= 64);
}

/// The faults of which a few are tried each time: one of each kind of harm.
const SOME: [&str; 8] = [
    "filter-ends-with-as-contains",
    "filter-precedence-left-to-right",
    "filter-not-skips-absent",
    "filter-value-path-across-elements",
    "filter-user-name-case-sensitive",
    "filter-wildcards-active",
    "filter-members-answers-500",
    "filter-error-returns-all",
];

#[test]
fn a_defect_is_found_soon_and_shrunk_to_little() {
    let found =
        common::side_by_side(&SOME, |name| Hunt { stop_at_first: true, ..Hunt::fault(name, 1) }.run());
    for (name, caught) in SOME.iter().zip(&found) {
        let first = first(caught).unwrap_or_else(|| panic!("{name} is not found"));
        assert!(first.sighted_at <= 150, "{name} after {} requests", first.sighted_at);
        assert!(
            first.minimal_at - first.sighted_at <= 30,
            "{name}: {} requests more",
            first.minimal_at - first.sighted_at
        );
        assert!(first.terms <= 3, "{name}: {}", first.filter);
        assert_eq!(first.again, Some(true), "{name}: {}", first.filter);
        assert!(caught.clean_up.is_complete(), "{name}");
    }
}

#[test]
fn one_defect_is_reported_once_and_left_alone() {
    for name in ["filter-ends-with-as-contains", "filter-sub-attribute-finds-nothing", "filter-ignored"] {
        let caught = Hunt::fault(name, 1).run();
        let found = caught.found();
        assert_eq!(found.len(), 1, "{name}: {found:#?}");
        assert!(found[0].contains(" failed: "), "{name}: {found:?}");
    }
}

#[test]
fn a_counterexample_says_why_and_is_saved_as_a_suite() {
    let caught = Hunt { stop_at_first: true, ..Hunt::fault("filter-ends-with-as-contains", 3) }.run();
    let reported = caught.reported();
    let outcome = reported.outcomes.iter().find(|it| it.verdict == Verdict::Failed).expect("it is found");
    let finding = &outcome.findings[0];
    assert_eq!(finding.requirements, ["RFC7644-3.4.2.2-10"]);
    assert!(
        finding.expected.contains("must not be found:\n") && finding.expected.contains(" is false ("),
        "{finding:?}"
    );
    assert!(finding.message.contains(" ew ") && finding.exchange.is_some(), "{finding:?}");
    let folder = tempfile::tempdir().expect("a folder");
    for suite in &reported.suites {
        saved::write(folder.path(), Subject::Filter, suite).expect("it can be written");
    }
    std::fs::write(folder.path().join("fuzz/patch-other.yaml"), "of another subject")
        .expect("it can be written");
    let again = cases(&saved::read(folder.path(), Subject::Filter).expect("it can be read"));
    assert_eq!(again.len(), 1);
    assert!(again[0].filter.contains(" ew ") && !again[0].resources.is_empty(), "{again:?}");
    // What was saved is tried first: it is found with the first question, and holds where the defect is gone.
    let hunt =
        Hunt { saved: again.clone(), stop_at_first: true, ..Hunt::fault("filter-ends-with-as-contains", 4) };
    let found = hunt.run();
    assert!(found.found()[0].starts_with("fuzz/filter/saved["), "{:?}", found.found());
    let mended = Hunt { saved: again, most: Some(40), ..Hunt::of(4) }.run();
    assert_eq!(mended.fuzzed().mended.len(), 1);
    assert_eq!(mended.found(), Vec::<String>::new());
}

#[test]
fn the_same_seed_asks_the_same() {
    let asked = || {
        let literals = regex::Regex::new(r#""(?:\\.|[^"\\])*"|/(Users|Groups)/[^? ]+"#).expect("a pattern");
        let paths = Hunt { most: Some(400), ..Hunt::of(9) }.run().paths;
        let plain = |path: &String| {
            let decoded = percent_decode_str(path).decode_utf8().expect("UTF-8").into_owned();
            literals.replace_all(&decoded, "…").into_owned()
        };
        paths.iter().map(plain).collect::<Vec<_>>()
    };
    let (one, other) = (asked(), asked());
    assert_eq!(one.len(), other.len());
    for (one, other) in one.iter().zip(&other) {
        assert_eq!(one, other);
    }
}

#[test]
fn a_budget_that_is_too_small_ends_it_in_order() {
    for requests in [12, 20, 30, 60] {
        let caught = Hunt { requests, ..Hunt::of(1) }.run();
        match &caught.fuzzed {
            Ok(fuzzed) => assert_eq!(fuzzed.ended, Ended::BudgetSpent, "{requests}"),
            Err(error) => assert!(error.contains("could be created"), "{error}"),
        }
        assert!(caught.clean_up.is_complete(), "{requests}: {:?}", caught.clean_up);
        assert!(caught.paths.len() as u64 <= requests, "{} of {requests}", caught.paths.len());
    }
}

#[test]
fn an_interrupt_ends_it_and_leaves_nothing_behind() {
    let caught = Hunt { interrupt_after: Some(40), ..Hunt::of(1) }.run();
    assert_eq!(caught.fuzzed().ended, Ended::Interrupted);
    assert!(caught.clean_up.is_complete() && caught.clean_up.deleted.len() >= 60, "{:?}", caught.clean_up);
    assert!(caught.fuzzed().tally.filters() > 0);
}

#[test]
fn several_requests_in_flight_find_the_same_defect() {
    let caught =
        Hunt { in_flight: 4, stop_at_first: true, ..Hunt::fault("filter-starts-with-as-contains", 2) }.run();
    assert_eq!(caught.found().len(), 1, "{:?}", caught.found());
    let quiet = Hunt { in_flight: 8, most: Some(600), ..Hunt::of(5) }.run();
    assert_eq!(quiet.found(), Vec::<String>::new());
}

/// The first sighting that showed again.
fn first(caught: &Caught) -> Option<&Counterexample> {
    let causes = caught.fuzzed.as_ref().ok()?.causes.iter();
    causes
        .flat_map(|cause| &cause.sightings)
        .filter(|it| it.again != Some(false))
        .min_by_key(|it| it.sighted_at)
}

/// Every fault about filters, with ten seeds each; `UPDATE_FUZZ=1` writes `docs/fuzz.md`.
#[test]
#[ignore = "a quarter of an hour: UPDATE_FUZZ=1 cargo test --test fuzz_filter -- --ignored every_filter_fault"]
fn every_filter_fault_is_found() {
    let seeds: Vec<u64> =
        (1..=std::env::var("SEEDS").map_or(10, |it| it.parse().expect("a number"))).collect();
    let faults: Vec<&str> =
        faults::catalogue().iter().map(|it| it.name).filter(|it| it.starts_with("filter-")).collect();
    let trials: Vec<(&str, u64)> =
        faults.iter().flat_map(|fault| seeds.iter().map(move |seed| (*fault, *seed))).collect();
    let found = common::side_by_side(&trials, |(name, seed)| {
        let caught = Hunt { stop_at_first: true, ..Hunt::fault(name, *seed) }.run();
        first(&caught).map(|it| (it.sighted_at, it.minimal_at - it.sighted_at, it.terms, it.filter.clone()))
    });
    let mut table = String::new();
    let mut late = Vec::new();
    for (index, fault) in faults.iter().enumerate() {
        let of: Vec<_> = found[index * seeds.len()..(index + 1) * seeds.len()].iter().collect();
        let mut sighted: Vec<u64> = of.iter().filter_map(|it| it.as_ref().map(|it| it.0)).collect();
        let mut more: Vec<u64> = of.iter().filter_map(|it| it.as_ref().map(|it| it.1)).collect();
        sighted.sort_unstable();
        more.sort_unstable();
        let soon = sighted.iter().filter(|at| **at <= 150).count();
        let median = |all: &[u64]| all.get(all.len() / 2).map_or("–".to_owned(), u64::to_string);
        let most = |all: &[u64]| all.last().map_or("–".to_owned(), u64::to_string);
        let terms = of.iter().filter_map(|it| it.as_ref().map(|it| it.2)).max().unwrap_or(0);
        let shown = of.iter().find_map(|it| it.as_ref().map(|it| it.3.clone())).unwrap_or_default();
        writeln!(
            table,
            "| `{fault}` | {soon} of {} | {} | {} | {} | {} | {terms} | `{}` |",
            seeds.len(),
            median(&sighted),
            most(&sighted),
            median(&more),
            most(&more),
            shown.replace('|', "\\|"),
        )
        .expect("a text");
        if soon * 10 < seeds.len() * 9 || more.last().is_some_and(|more| *more > 30) || terms > 3 {
            late.push(format!(
                "{fault}: {soon} of {} within 150 requests, {} more at most, {terms} terms",
                seeds.len(),
                most(&more)
            ));
        }
    }
    if std::env::var("UPDATE_FUZZ").as_deref() == Ok("1") {
        update("faults", &table);
    }
    assert_eq!(late, Vec::<String>::new());
}

/// Nothing is reported: ten seeds of the reference server, and each legal variant with one; `UPDATE_FUZZ=1` writes
/// `docs/fuzz.md`.
#[test]
#[ignore = "half an hour: UPDATE_FUZZ=1 cargo test --test fuzz_filter -- --ignored nothing_is_reported_of_anything"]
fn nothing_is_reported_of_anything_legal() {
    let most: u64 = std::env::var("FILTERS").map_or(5000, |it| it.parse().expect("a number"));
    let named = std::env::var("VARIANTS").unwrap_or_default();
    let chosen: Vec<&str> = named.split(',').filter(|it| !it.is_empty()).collect();
    let all = variants::catalogue().iter().map(|it| it.name);
    let names: Vec<&str> =
        all.filter(|it| chosen.is_empty() || chosen.iter().any(|part| it.contains(part))).collect();
    let mut hunts: Vec<(String, Hunt)> = (1..=10)
        .filter(|_| chosen.is_empty())
        .map(|seed| (format!("seed {seed}"), Hunt { most: Some(most), requests: 4000, ..Hunt::of(seed) }))
        .collect();
    hunts.extend(names.iter().map(|name| {
        let variants = vec![Variant::from_name(name).expect("a variant")];
        ((*name).to_owned(), Hunt { variants, most: Some(most.min(1500)), requests: 1500, ..Hunt::of(1) })
    }));
    let ran = common::side_by_side(&hunts, |(_, hunt)| {
        let caught = hunt.run();
        let failed: Vec<String> = caught.found().into_iter().filter(|it| it.contains(" failed: ")).collect();
        let declined = caught.found().len() - failed.len();
        let fuzzed = caught.fuzzed.as_ref().ok();
        (fuzzed.map_or(0, |it| it.tally.filters()), caught.paths.len(), declined, failed)
    });
    let (mut table, mut alarms) = (String::new(), Vec::new());
    for ((name, _), (filters, requests, declined, failed)) in hunts.iter().zip(&ran) {
        if name.starts_with("seed ") || *declined > 0 || !failed.is_empty() {
            writeln!(table, "| {name} | {filters} | {requests} | {declined} | {} |", failed.len())
                .expect("a text");
        }
        alarms.extend(failed.iter().map(|it| format!("{name}: {it}")));
    }
    let quiet = ran.iter().skip(hunts.len() - names.len()).filter(|it| it.2 == 0 && it.3.is_empty()).count();
    writeln!(table, "| {quiet} further variants | | | 0 | 0 |").expect("a text");
    if std::env::var("UPDATE_FUZZ").as_deref() == Ok("1") {
        update("alarms", &table);
    }
    assert_eq!(alarms, Vec::<String>::new());
}

/// Puts a table into its place in `docs/fuzz.md`.
fn update(name: &str, table: &str) {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/fuzz.md");
    let page = std::fs::read_to_string(path).expect("the page");
    let (begin, end) = (format!("<!-- {name} -->\n"), format!("<!-- end of {name} -->"));
    let (before, rest) = page.split_once(&begin).expect("its beginning");
    let (old, after) = rest.split_once(&end).expect("its end");
    let head: Vec<&str> = old.lines().take(2).collect();
    let page = format!("{before}{begin}{}\n{table}{end}{after}", head.join("\n"));
    std::fs::write(path, page).expect("it can be written");
}

/// By hand: `HUNT=fault,fault SEEDS=1,2 cargo test --test fuzz_filter by_hand -- --ignored --nocapture`.
#[test]
#[ignore = "for looking at single faults, variants and seeds"]
fn by_hand() {
    let said = |name: &str, default: &str| std::env::var(name).unwrap_or_else(|_| default.to_owned());
    let requests = said("REQUESTS", "260").parse().expect("a number");
    for seed in said("SEEDS", "1").split(',') {
        let seed = seed.parse().expect("a number");
        for name in said("HUNT", "").split(',') {
            let mut hunt = Hunt { requests, stop_at_first: said("FIRST", "") == "1", ..Hunt::of(seed) };
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
                                "      at {}, minimal at {}, again {:?}: {}   <- {}",
                                it.sighted_at, it.minimal_at, it.again, it.filter, it.seen
                            );
                        }
                    }
                }
            }
            for line in caught.found() {
                println!("   {line}");
            }
            if said("PATHS", "").as_str() == "1" {
                for path in &caught.paths {
                    println!(
                        "   {}",
                        path.replace("%20", " ").replace("%22", "\"").replace("%28", "(").replace("%29", ")")
                    );
                }
            }
        }
    }
}
