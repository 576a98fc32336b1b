//! What the tests of fuzzing share: a hunt in process against a reference server of its own, and the tables of what hunts
//! find, and of what they report of servers that are right.

#![allow(dead_code, reason = "each test binary uses its own part")]

use std::fmt::Write as _;
use std::future::Future;
use std::time::Duration;

use scimspec::fuzz::progress::Progress;
use scimspec::fuzz::{Found, Options, Setting, filter, lifecycle, patch};
use scimspec::outcome::{Outcome, Verdict};
use scimspec::requirement::Catalogue;
use scimspec::run::Templates;
use scimspec::server::{self, Fault, ServerOptions, Variant, variants};
use scimspec::suite::fresh::{Generator, Patterns};
use scimspec::target::probe::probe;
use scimspec::target::{CleanUp, Credentials, Limits, Target, TargetOptions};
use serde_json::json;
use url::Url;

/// A fuzzer, named by what it reads of earlier runs.
pub trait Fuzzer: Clone + Sync {
    /// What it comes to.
    type Fuzzed;
    /// The mark of all its runs here: every server is new.
    const MARK: &'static str;

    /// Fuzzes.
    fn fuzz(setting: &Setting<'_, Self>) -> impl Future<Output = Result<Self::Fuzzed, String>>;

    /// What it reports.
    fn found(fuzzed: &Self::Fuzzed, seed: u64) -> Found;
}

impl Fuzzer for filter::saved::SavedCase {
    type Fuzzed = filter::Fuzzed;
    const MARK: &'static str = "s0fuzz00";

    async fn fuzz(setting: &Setting<'_, Self>) -> Result<Self::Fuzzed, String> {
        setting.filters().await.map_err(|error| error.to_string())
    }

    fn found(fuzzed: &Self::Fuzzed, seed: u64) -> Found {
        filter::record::found(fuzzed, Catalogue::embedded(), seed)
    }
}

impl Fuzzer for patch::saved::SavedCase {
    type Fuzzed = patch::Fuzzed;
    const MARK: &'static str = "s0fuzz00";

    async fn fuzz(setting: &Setting<'_, Self>) -> Result<Self::Fuzzed, String> {
        setting.patches().await.map_err(|error| error.to_string())
    }

    fn found(fuzzed: &Self::Fuzzed, seed: u64) -> Found {
        patch::record::found(fuzzed, Catalogue::embedded(), seed)
    }
}

impl Fuzzer for lifecycle::SavedSequence {
    type Fuzzed = lifecycle::Fuzzed;
    const MARK: &'static str = "s0life00";

    async fn fuzz(setting: &Setting<'_, Self>) -> Result<Self::Fuzzed, String> {
        setting.lifecycles().await.map_err(|error| error.to_string())
    }

    fn found(fuzzed: &Self::Fuzzed, seed: u64) -> Found {
        lifecycle::record::found(fuzzed, Catalogue::embedded(), seed)
    }
}

/// A hunt that is going to be made.
#[derive(Debug, Clone)]
pub struct Hunt<S> {
    pub faults: Vec<Fault>,
    pub variants: Vec<Variant>,
    pub seed: u64,
    pub most: Option<u64>,
    pub requests: u64,
    pub in_flight: usize,
    pub stop_at_first: bool,
    /// Whether all that is asked is kept, to look at it.
    pub keeps_all: bool,
    pub saved: Vec<S>,
    /// So many reads after a write do not see it yet.
    pub lag: usize,
    /// How long reads get to see it.
    pub settle: Option<Duration>,
    /// After so many requests it is interrupted.
    pub interrupt_after: Option<u64>,
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

impl<S: Fuzzer> Hunt<S> {
    /// One of a server without a fault.
    pub fn of(seed: u64, requests: u64) -> Hunt<S> {
        Hunt {
            faults: Vec::new(),
            variants: Vec::new(),
            seed,
            most: None,
            requests,
            in_flight: 1,
            stop_at_first: false,
            keeps_all: false,
            saved: Vec::new(),
            lag: 0,
            settle: None,
            interrupt_after: None,
        }
    }

    /// The same of a server with a fault.
    pub fn on(self, fault: &str) -> Hunt<S> {
        Hunt { faults: vec![Fault::from_name(fault).expect("a fault")], ..self }
    }

    pub fn run(&self) -> Caught<S> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(self.run_here())
    }

    async fn run_here(&self) -> Caught<S> {
        let options = ServerOptions {
            faults: self.faults.clone(),
            variants: self.variants.clone(),
            lag: self.lag,
            ..ServerOptions::default()
        };
        let server = server::start(options).await.expect("a port is free");
        let generator = Generator::new(S::MARK, self.seed, Patterns::default());
        let target = Target::new(TargetOptions {
            auth: Credentials::bearer(server.token()).expect("the server's own token"),
            limits: Limits {
                request: Duration::from_secs(10),
                repeats: 2,
                back_off: Duration::from_millis(10),
                ..Limits::default()
            },
            requests: Some(self.requests),
            settle: self.settle,
            ..TargetOptions::new(Url::parse(server.base_url()).expect("a URL"), generator.mark())
        })
        .expect("the options are sound");
        let probe = probe(&target).await.expect("the server speaks SCIM");
        let templates = Templates { user: json!({}), group: json!({}) };
        let setting = Setting {
            target: &target,
            probe: &probe,
            generator: &generator,
            templates: &templates,
            catalogue: Catalogue::embedded(),
            options: Options {
                seed: self.seed,
                most: self.most,
                in_flight: self.in_flight,
                stop_at_first: self.stop_at_first,
                keeps_all: self.keeps_all,
            },
            saved: &self.saved,
            progress: &Watching { target: &target, after: self.interrupt_after },
        };
        let fuzzed = S::fuzz(&setting).await;
        for outcome in fuzzed.iter().flat_map(|fuzzed| S::found(fuzzed, self.seed).outcomes) {
            let shown = outcome.findings.iter().filter_map(|finding| finding.exchange);
            for exchange in shown.chain(outcome.exchanges) {
                assert!(target.exchange(exchange).is_some(), "{}: {exchange:?} was let go of", outcome.id);
            }
        }
        let asked = target
            .exchanges()
            .iter()
            .map(|it| {
                let body = it.request.json().map(|body| body.to_string()).unwrap_or_default();
                let modified = it.json().and_then(|body| body.pointer("/meta/lastModified")).cloned();
                Asked {
                    line: format!("{} {}", it.request.method, it.request.path),
                    more: format!("{body} -> {:?}", it.status()),
                    modified: modified.unwrap_or_default().to_string(),
                }
            })
            .collect();
        let requests = target.requests_made();
        let clean_up = target.clean_up().await;
        server.shutdown().await;
        Caught { fuzzed, clean_up, asked, requests }
    }
}

/// A request that was made.
pub struct Asked {
    /// The method and the path.
    pub line: String,
    /// The body, and the status of the answer.
    pub more: String,
    /// The time of the last change that the answer shows.
    pub modified: String,
}

/// What a hunt came to.
pub struct Caught<S: Fuzzer> {
    pub fuzzed: Result<S::Fuzzed, String>,
    pub clean_up: CleanUp,
    /// What was kept of what was asked.
    pub asked: Vec<Asked>,
    pub requests: u64,
}

impl<S: Fuzzer> Caught<S> {
    pub fn fuzzed(&self) -> &S::Fuzzed {
        self.fuzzed.as_ref().expect("there is something to fuzz")
    }

    pub fn reported(&self) -> Found {
        S::found(self.fuzzed(), 3)
    }

    /// What was found, a line each.
    pub fn found(&self) -> Vec<String> {
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

/// A number that the environment may say.
pub fn number(name: &str, default: u64) -> u64 {
    std::env::var(name).map_or(default, |it| it.parse().expect("a number"))
}

/// The words that the environment gives between commas.
pub fn words(name: &str) -> Vec<String> {
    let said = std::env::var(name).unwrap_or_default();
    said.split(',').filter(|it| !it.is_empty()).map(str::to_owned).collect()
}

/// The legal variants: all, or those that `VARIANTS` names a part of.
pub fn legal() -> Vec<&'static str> {
    let chosen = words("VARIANTS");
    let all = variants::catalogue().iter().map(|it| it.name);
    all.filter(|it| chosen.is_empty() || chosen.iter().any(|part| it.contains(part.as_str()))).collect()
}

/// Each fault with each seed.
pub fn trials<'f>(faults: &[&'f str], seeds: u64) -> Vec<(&'f str, u64)> {
    faults.iter().flat_map(|fault| (1..=seeds).map(move |seed| (*fault, seed))).collect()
}

/// What one hunt saw of a fault.
pub struct Sighting {
    /// The requests until it was seen.
    pub at: u64,
    /// The requests from there to the smallest counterexample.
    pub more: u64,
    /// How large that is.
    pub size: usize,
    /// That, for people.
    pub shown: String,
}

/// What all hunts saw of a fault.
pub struct Row {
    pub fault: String,
    /// In how many of them it was seen soon.
    pub soon: usize,
    pub seeds: usize,
    /// The most requests from a first sighting to the smallest counterexample.
    pub most_more: u64,
    /// The size of the largest smallest counterexample.
    pub size: usize,
}

impl Row {
    /// Whether nine of ten hunts saw it.
    pub fn is_found(&self) -> bool {
        self.soon * 10 >= self.seeds * 9
    }
}

/// The table of what hunts of [`trials`] saw within so many requests.
pub fn table(faults: &[&str], found: &[Option<Sighting>], within: u64) -> (String, Vec<Row>) {
    let seeds = found.len() / faults.len().max(1);
    let median = |all: &[u64]| all.get(all.len() / 2).map_or("–".to_owned(), u64::to_string);
    let most = |all: &[u64]| all.last().map_or("–".to_owned(), u64::to_string);
    let (mut table, mut rows) = (String::new(), Vec::new());
    for (fault, of) in faults.iter().zip(found.chunks(seeds.max(1))) {
        let seen = || of.iter().flatten();
        let mut sighted: Vec<u64> = seen().map(|it| it.at).collect();
        let mut more: Vec<u64> = seen().map(|it| it.more).collect();
        sighted.sort_unstable();
        more.sort_unstable();
        let soon = sighted.iter().filter(|at| **at <= within).count();
        let size = seen().map(|it| it.size).max().unwrap_or(0);
        let shown = seen().next().map(|it| it.shown.replace('|', "\\|")).unwrap_or_default();
        writeln!(
            table,
            "| `{fault}` | {soon} of {seeds} | {} | {} | {} | {} | {size} | `{shown}` |",
            median(&sighted),
            most(&sighted),
            median(&more),
            most(&more),
        )
        .expect("a text");
        let most_more = more.last().copied().unwrap_or(0);
        rows.push(Row { fault: (*fault).to_owned(), soon, seeds, most_more, size });
    }
    (table, rows)
}

/// What a hunt of a server that is right came to.
pub struct Calm {
    /// Whom, for people.
    pub name: String,
    /// How much was tried.
    pub tried: u64,
    pub requests: u64,
    /// What was reported that is not a failure.
    pub declined: usize,
    /// What was reported that is: false alarms.
    pub failed: Vec<String>,
}

impl Calm {
    /// What was caught, of so many tries.
    pub fn of<S: Fuzzer>(name: &str, caught: &Caught<S>, tried: u64) -> Calm {
        let found = caught.found();
        let failed: Vec<String> = found.iter().filter(|it| it.contains(" failed: ")).cloned().collect();
        let (name, declined) = (name.to_owned(), found.len() - failed.len());
        Calm { name, tried, requests: caught.requests, declined, failed }
    }
}

/// The hunts on servers that are right: so many seeds of `plain` – none, where single variants are asked for –, and each
/// legal variant with one seed of `varied`.
pub fn calm<S: Fuzzer>(
    seeds: u64,
    plain: impl Fn(u64) -> Hunt<S>,
    varied: impl Fn(u64) -> Hunt<S>,
) -> Vec<(String, Hunt<S>)> {
    let seeds = if words("VARIANTS").is_empty() { seeds } else { 0 };
    let mut hunts: Vec<_> = (1..=seeds).map(|seed| (format!("seed {seed}"), plain(seed))).collect();
    hunts.extend(legal().into_iter().map(|name| {
        let variants = vec![Variant::from_name(name).expect("a variant")];
        (name.to_owned(), Hunt { variants, ..varied(1) })
    }));
    hunts
}

/// The table of hunts on servers that are right, the variants of which nothing is said in one row; and the alarms.
pub fn alarms(ran: &[Calm]) -> (String, Vec<String>) {
    let is_quiet = |it: &&Calm| !it.name.starts_with("seed ") && it.declined == 0 && it.failed.is_empty();
    let mut table = String::new();
    for it in ran.iter().filter(|it| !is_quiet(it)) {
        writeln!(
            table,
            "| {} | {} | {} | {} | {} |",
            it.name,
            it.tried,
            it.requests,
            it.declined,
            it.failed.len()
        )
        .expect("a text");
    }
    let quiet: Vec<&Calm> = ran.iter().filter(is_quiet).collect();
    let (tried, requests) = quiet.iter().fold((0, 0), |sum, it| (sum.0 + it.tried, sum.1 + it.requests));
    writeln!(table, "| {} further variants | {tried} | {requests} | 0 | 0 |", quiet.len()).expect("a text");
    let alarms =
        ran.iter().flat_map(|it| it.failed.iter().map(move |failed| format!("{}: {failed}", it.name)));
    (table, alarms.collect())
}

/// Puts the rows of a table into their place in `docs/fuzz.md`, where `UPDATE_FUZZ=1` says so.
pub fn keep(name: &str, rows: &str) {
    println!("{rows}");
    if std::env::var("UPDATE_FUZZ").as_deref() != Ok("1") {
        return;
    }
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/fuzz.md");
    let page = std::fs::read_to_string(path).expect("the page");
    let (begin, end) = (format!("<!-- {name} -->\n"), format!("<!-- end of {name} -->"));
    let (before, rest) = page.split_once(&begin).expect("its beginning");
    let (old, after) = rest.split_once(&end).expect("its end");
    let head: Vec<&str> = old.lines().take(2).collect();
    let page = format!("{before}{begin}{}\n{rows}{end}{after}", head.join("\n"));
    std::fs::write(path, page).expect("it can be written");
}
