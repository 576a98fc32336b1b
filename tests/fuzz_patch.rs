//! Fuzzing PATCH in process: nothing is reported of the reference server, and a defect of it is found soon, shrunk to one or
//! two operations, and reported once.

mod binary;
mod common;

use std::fmt::Write as _;
use std::time::Duration;

use binary::{Bench, Reference, VARIABLE};
use scimspec::fuzz::patch::saved::{SavedCase, cases};
use scimspec::fuzz::patch::{Counterexample, Fuzz, Fuzzed, record};
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
/// A fault is to be found within so many requests.
const SOON: u64 = 300;

/// A hunt that is going to be made.
#[derive(Debug, Clone)]
struct Hunt {
    faults: Vec<Fault>,
    variants: Vec<Variant>,
    seed: u64,
    most: Option<u64>,
    requests: u64,
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
            requests: 600,
            stop_at_first: false,
            saved: Vec::new(),
            interrupt_after: None,
        }
    }

    fn fault(name: &str, seed: u64) -> Hunt {
        Hunt { faults: vec![Fault::from_name(name).expect("a fault")], requests: 420, ..Hunt::of(seed) }
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
                in_flight: 1,
                stop_at_first: self.stop_at_first,
            },
            saved: &self.saved,
            progress: &Watching { target: &target, after: self.interrupt_after },
        };
        let fuzzed = fuzz.patches().await;
        let requests = target
            .exchanges()
            .iter()
            .map(|it| {
                let body = it.request.json().map(|body| body.to_string()).unwrap_or_default();
                let modified = it.json().and_then(|body| body.pointer("/meta/lastModified")).cloned();
                let modified = modified.filter(|_| std::env::var("SHOW").is_ok()).unwrap_or_default();
                format!("{} {} {body} -> {:?} {modified}", it.request.method, it.request.path, it.status())
            })
            .collect();
        let clean_up = target.clean_up().await;
        server.shutdown().await;
        Caught { fuzzed: fuzzed.map_err(|error| error.to_string()), clean_up, requests }
    }
}

struct Caught {
    fuzzed: Result<Fuzzed, String>,
    clean_up: CleanUp,
    requests: Vec<String>,
}

impl Caught {
    fn fuzzed(&self) -> &Fuzzed {
        self.fuzzed.as_ref().expect("there is something to patch")
    }

    fn reported(&self) -> Found {
        record::found(self.fuzzed(), Catalogue::embedded(), 1)
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

    /// The first sighting that showed again.
    fn first(&self) -> Option<&Counterexample> {
        let causes = self.fuzzed.as_ref().ok()?.causes.iter();
        causes
            .flat_map(|cause| &cause.sightings)
            .filter(|it| it.again != Some(false))
            .min_by_key(|it| it.sighted_at)
    }
}

#[test]
fn nothing_is_reported_of_the_reference_server() {
    let caught = Hunt { most: Some(100), ..Hunt::of(1) }.run();
    let fuzzed = caught.fuzzed();
    assert_eq!(caught.found(), Vec::<String>::new());
    assert_eq!(fuzzed.ended, Ended::Done, "{:?}", fuzzed.notes);
    assert_eq!(fuzzed.notes, Vec::<String>::new());
    assert!(fuzzed.tally.patches() >= 100 && fuzzed.tally.unjudged == 0, "{:?}", fuzzed.tally);
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
    let found =
        common::side_by_side(&SOME, |name| Hunt { stop_at_first: true, ..Hunt::fault(name, 1) }.run());
    for (name, caught) in SOME.iter().zip(&found) {
        let first = caught.first().unwrap_or_else(|| panic!("{name} is not found: {:?}", caught.found()));
        assert!(first.sighted_at <= SOON, "{name} after {} requests", first.sighted_at);
        assert!(first.operations().len() <= 2, "{name}: {}", first.body);
        assert_eq!(first.again, Some(true), "{name}: {}", first.body);
        assert!(caught.clean_up.is_complete(), "{name}");
    }
}

#[test]
fn one_defect_is_reported_once_and_left_alone() {
    for name in ["patch-remove-ignored", "patch-drops:User.title", "patch-answers-empty-200"] {
        let caught = Hunt::fault(name, 1).run();
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
        let caught = Hunt { stop_at_first: true, ..Hunt::fault(name, 3) }.run();
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
        let hunt = Hunt { saved: again.clone(), stop_at_first: true, ..Hunt::fault(name, 4) };
        let found = hunt.run();
        assert!(found.found()[0].starts_with("fuzz/patch/saved["), "{name}: {:?}", found.found());
        let mended = Hunt { saved: again, most: Some(4), ..Hunt::of(4) }.run();
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
        let requests = Hunt { most: Some(130), ..Hunt::of(9) }.run().requests;
        requests.iter().map(|it| ids.replace_all(it, "…").into_owned()).collect::<Vec<_>>()
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
        let caught = Hunt { requests, ..Hunt::of(1) }.run();
        match &caught.fuzzed {
            Ok(fuzzed) => assert_eq!(fuzzed.ended, Ended::BudgetSpent, "{requests}"),
            Err(error) => assert!(error.contains("could be created"), "{error}"),
        }
        assert!(caught.clean_up.is_complete(), "{requests}: {:?}", caught.clean_up);
        assert!(caught.requests.len() as u64 <= requests, "{} of {requests}", caught.requests.len());
    }
}

#[test]
fn an_interrupt_ends_it_and_leaves_nothing_behind() {
    let caught = Hunt { interrupt_after: Some(40), ..Hunt::of(1) }.run();
    assert_eq!(caught.fuzzed().ended, Ended::Interrupted);
    assert!(caught.clean_up.is_complete() && caught.clean_up.deleted.len() >= 8, "{:?}", caught.clean_up);
    assert!(caught.fuzzed().tally.patches() > 0);
}

/// Faults that are called after PATCH and are about something else: what discovery says of it, how a PATCH is refused that
/// there is not, and a header of a request with a media type that nobody understands.
const OTHERS: [&str; 3] =
    ["patch-not-advertised", "patch-denied-with-403", "patch-format-refused-without-hint"];

fn patch_faults() -> Vec<&'static str> {
    let named = std::env::var("FAULTS").unwrap_or_default();
    let chosen: Vec<&str> = named.split(',').filter(|it| !it.is_empty()).collect();
    faults::catalogue()
        .iter()
        .map(|it| it.name)
        .filter(|it| it.starts_with("patch-") && !OTHERS.contains(it))
        .filter(|it| chosen.is_empty() || chosen.iter().any(|part| it.contains(part)))
        .collect()
}

/// Every fault about PATCH, with ten seeds each; `UPDATE_FUZZ=1` writes `docs/fuzz.md`.
#[test]
#[ignore = "a quarter of an hour: UPDATE_FUZZ=1 cargo test --test fuzz_patch -- --ignored every_patch_fault"]
fn every_patch_fault_is_found() {
    let seeds: Vec<u64> =
        (1..=std::env::var("SEEDS").map_or(10, |it| it.parse().expect("a number"))).collect();
    let faults = patch_faults();
    let trials: Vec<(&str, u64)> =
        faults.iter().flat_map(|fault| seeds.iter().map(move |seed| (*fault, *seed))).collect();
    let found = common::side_by_side(&trials, |(name, seed)| {
        let caught = Hunt { stop_at_first: true, ..Hunt::fault(name, *seed) }.run();
        caught.first().map(|it| {
            let shown = match it.operations() {
                [] => it.body.to_string(),
                [one] => one.to_string(),
                several => json!(several).to_string(),
            };
            (it.sighted_at, it.minimal_at - it.sighted_at, it.operations().len(), shown)
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
        let soon = sighted.iter().filter(|at| **at <= SOON).count();
        let median = |all: &[u64]| all.get(all.len() / 2).map_or("–".to_owned(), u64::to_string);
        let most = |all: &[u64]| all.last().map_or("–".to_owned(), u64::to_string);
        let count = of.iter().filter_map(|it| it.as_ref().map(|it| it.2)).max().unwrap_or(0);
        let shown = of.iter().find_map(|it| it.as_ref().map(|it| it.3.clone())).unwrap_or_default();
        let shown: String = shown.replace('|', "\\|").chars().take(200).collect();
        writeln!(
            table,
            "| `{fault}` | {soon} of {} | {} | {} | {} | {} | {count} | `{shown}` |",
            seeds.len(),
            median(&sighted),
            most(&sighted),
            median(&more),
            most(&more),
        )
        .expect("a text");
        if soon * 10 < seeds.len() * 9 || count > 2 {
            late.push(format!(
                "{fault}: {soon} of {} within {SOON} requests, {count} operations",
                seeds.len()
            ));
        }
    }
    if std::env::var("UPDATE_FUZZ").as_deref() == Ok("1") {
        update("patch-faults", &table);
    }
    println!("{table}");
    assert_eq!(late, Vec::<String>::new());
}

/// Nothing is reported: ten seeds of the reference server, and each legal variant with one; `UPDATE_FUZZ=1` writes
/// `docs/fuzz.md`.
#[test]
#[ignore = "half an hour: UPDATE_FUZZ=1 cargo test --test fuzz_patch -- --ignored nothing_is_reported_of_anything"]
fn nothing_is_reported_of_anything_legal() {
    let most: u64 = std::env::var("PATCHES").map_or(2000, |it| it.parse().expect("a number"));
    let seeds: u64 = std::env::var("SEEDS").map_or(10, |it| it.parse().expect("a number"));
    let named = std::env::var("VARIANTS").unwrap_or_default();
    let chosen: Vec<&str> = named.split(',').filter(|it| !it.is_empty()).collect();
    let all = variants::catalogue().iter().map(|it| it.name);
    let names: Vec<&str> =
        all.filter(|it| chosen.is_empty() || chosen.iter().any(|part| it.contains(part))).collect();
    let mut hunts: Vec<(String, Hunt)> = (1..=seeds)
        .filter(|_| chosen.is_empty())
        .map(|seed| (format!("seed {seed}"), Hunt { most: Some(most), requests: most * 4, ..Hunt::of(seed) }))
        .collect();
    hunts.extend(names.iter().map(|name| {
        let variants = vec![Variant::from_name(name).expect("a variant")];
        ((*name).to_owned(), Hunt { variants, most: Some(most.min(300)), requests: 900, ..Hunt::of(1) })
    }));
    let ran = common::side_by_side(&hunts, |(_, hunt)| {
        let caught = hunt.run();
        let found = caught.found();
        let failed: Vec<String> = found.iter().filter(|it| it.contains(" failed: ")).cloned().collect();
        let declined = found.len() - failed.len();
        let fuzzed = caught.fuzzed.as_ref().ok();
        (fuzzed.map_or(0, |it| it.tally.patches()), caught.requests.len(), declined, failed)
    });
    let (mut table, mut alarms) = (String::new(), Vec::new());
    for ((name, _), (patches, requests, declined, failed)) in hunts.iter().zip(&ran) {
        if name.starts_with("seed ") || *declined > 0 || !failed.is_empty() {
            writeln!(table, "| {name} | {patches} | {requests} | {declined} | {} |", failed.len())
                .expect("a text");
        }
        alarms.extend(failed.iter().map(|it| format!("{name}: {it}")));
    }
    let quiet = ran.iter().skip(hunts.len() - names.len()).filter(|it| it.2 == 0 && it.3.is_empty()).count();
    writeln!(table, "| {quiet} further variants | | | 0 | 0 |").expect("a text");
    if std::env::var("UPDATE_FUZZ").as_deref() == Ok("1") {
        update("patch-alarms", &table);
    }
    println!("{table}");
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

/// By hand: `HUNT=fault,fault SEEDS=1,2 cargo test --test fuzz_patch by_hand -- --ignored --nocapture`.
#[test]
#[ignore = "for looking at single faults, variants and seeds"]
fn by_hand() {
    let said = |name: &str, default: &str| std::env::var(name).unwrap_or_else(|_| default.to_owned());
    let requests = said("REQUESTS", "420").parse().expect("a number");
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
                "requests" => caught.requests.iter().for_each(|it| println!("   {it}")),
                "suites" => caught.reported().suites.iter().for_each(|it| println!("{}", it.text)),
                _ => {}
            }
        }
    }
}
