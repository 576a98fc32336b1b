//! Fuzzing filters in process: nothing is reported of the reference server, and a defect of it is found soon, shrunk to
//! something small, and reported once.


use std::time::Duration;

use scimspec::fuzz::filter::{Fuzz, Fuzzed};
use scimspec::fuzz::progress::Silent;
use scimspec::fuzz::record;
use scimspec::fuzz::saved::SavedCase;
use scimspec::fuzz::{Ended, Options};
use scimspec::outcome::{Outcome, Verdict};
use scimspec::requirement::Catalogue;
use scimspec::run::Templates;
use scimspec::server::{self, Fault, ServerOptions, Variant};
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
            progress: &Silent,
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

    fn outcomes(&self) -> Vec<Outcome> {
        record::outcomes(self.fuzzed(), Catalogue::embedded())
    }

    /// What was found, a line each.
    fn found(&self) -> Vec<String> {
        let held = |it: &Outcome| matches!(it.verdict, Verdict::Passed);
        self.outcomes()
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
                    println!("   {}", path.replace("%20", " ").replace("%22", "\"").replace("%28", "(").replace("%29", ")"));
                }
            }
        }
    }
}
