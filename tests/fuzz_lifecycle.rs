//! Fuzzing lifecycles in process: nothing is reported of the reference server, and a defect of it is found soon and shrunk
//! to a few steps.

mod common;

use std::fmt::Write as _;
use std::time::Duration;

use scimspec::fuzz::lifecycle::{Cause, Fuzz, Fuzzed, SavedSequence};
use scimspec::fuzz::progress::Progress;
use scimspec::fuzz::{Ended, Options};
use scimspec::run::Templates;
use scimspec::server::{self, Fault, ServerOptions, Variant, faults, variants};
use scimspec::suite::fresh::{Generator, Patterns};
use scimspec::target::probe::probe;
use scimspec::target::{CleanUp, Credentials, Limits, Target, TargetOptions};
use serde_json::json;
use url::Url;

/// The mark of all runs here: every server is new.
const MARK: &str = "s0life00";

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

#[test]
#[ignore = "a look at some faults"]
fn a_look() {
    let names = std::env::var("FAULTS").unwrap_or_default();
    let names: Vec<&str> = names.split(',').filter(|it| !it.is_empty()).collect();
    let found = common::side_by_side(&names, |name| Hunt { stop_at_first: true, ..Hunt::fault(name, 1) }.run());
    for (name, caught) in names.iter().zip(&found) {
        let shown = caught.fuzzed.as_ref().ok().and_then(|it| it.causes.first()).map(|it| (it.shown.sighted_at, it.shown.minimal_at - it.shown.sighted_at, it.shown.steps.len()));
        println!("{name}: {shown:?} of {} {:?} {:#?}", caught.requests, caught.fuzzed.as_ref().map(|it| (&it.ended, &it.notes, &it.tally)), caught.found());
    }
}

#[test]
#[ignore = "a look at some variants"]
fn a_look_at_variants() {
    let named = std::env::var("VARIANTS").unwrap_or_default();
    let most: u64 = std::env::var("LIFECYCLES").map_or(60, |it| it.parse().expect("a number"));
    let chosen: Vec<&str> = named.split(',').filter(|it| !it.is_empty()).collect();
    let all = variants::catalogue().iter().map(|it| it.name);
    let names: Vec<&str> = all.filter(|it| chosen.is_empty() || chosen.iter().any(|part| it.contains(part))).collect();
    let found = common::side_by_side(&names, |name| {
        let variants = vec![Variant::from_name(name).expect("a variant")];
        Hunt { variants, most: Some(most), requests: 20000, ..Hunt::of(1) }.run()
    });
    for (name, caught) in names.iter().zip(&found) {
        let fuzzed = caught.fuzzed.as_ref();
        let is_quiet = fuzzed.is_ok_and(|it| it.causes.is_empty() && it.ended == Ended::Done && it.tally.unjudged == 0);
        if !is_quiet {
            println!("{name}: {} {:?} {:#?}", caught.requests, fuzzed.map(|it| (&it.ended, &it.notes, &it.tally)), caught.found());
        }
    }
}
