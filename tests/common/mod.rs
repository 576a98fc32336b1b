//! What the tests of whole runs share: a run of some cases against a reference server of its own, in this process,
//! wired as `scimspec run` wires it.

#![allow(dead_code, reason = "each test binary uses its own part")]

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, LazyLock, Mutex};
use std::time::Duration;

use scimspec::hook::{Hook, HookCommand, Hooks};
use scimspec::outcome::{Outcome, Reading, Verdict};
use scimspec::plan::{Conditions, Selection, plan};
use scimspec::profile::Profile;
use scimspec::requirement::Catalogue;
use scimspec::run::board::Board;
use scimspec::run::deviation::Came;
use scimspec::run::{self, Observer, Shared, Templates};
use scimspec::server::{self, Fault, RunningServer, ServerOptions, Variant};
use scimspec::snapshot::Snapshots;
use scimspec::suite::fresh::{Generator, Patterns};
use scimspec::suite::load::Library;
use scimspec::suite::model::{Capability, Permission, Requires};
use scimspec::target::exchange::Exchange;
use scimspec::target::probe::{Probe, ProbeError, probe};
use scimspec::target::{CleanUp, Credentials, Limits, Rate, Target, TargetOptions};
use serde_json::{Value, json};
use url::Url;

/// Every server is new, so the mark and the seed of a run may always be the same.
const MARK: &str = "s0proof00";
const SEED: u64 = 20_150_915;

/// The suites inside scimspec, read once.
pub fn library() -> &'static Library {
    static LIBRARY: LazyLock<Library> =
        LazyLock::new(|| Library::embedded().expect("the embedded suites are sound; see `scimspec check`"));
    &LIBRARY
}

/// A profile of all suites that are about any server, so that no case is forgotten for want of a profile. Suites about one
/// vendor's server hold of that server only.
pub fn everything() -> &'static Profile {
    static EVERYTHING: LazyLock<Profile> = LazyLock::new(|| {
        Profile::read(
            "everything.yaml",
            "profile: everything\ntitle: Every case\nsuites: ['rfc*/**', 'rules/**', 'okta/**']\n",
        )
        .expect("the profile is sound")
    });
    &EVERYTHING
}

/// Does something for each of many, one more at a time than there are processors, and gives what each came to, in order.
pub fn side_by_side<T: Sync, R: Send>(many: &[T], work: impl Fn(&T) -> R + Sync) -> Vec<R> {
    several_at_once(std::thread::available_parallelism().map_or(2, |count| count.get() + 1), many, work)
}

/// The same, so many at a time: where most of the work is waiting.
pub fn several_at_once<T: Sync, R: Send>(
    threads: usize,
    many: &[T],
    work: impl Fn(&T) -> R + Sync,
) -> Vec<R> {
    let next = AtomicUsize::new(0);
    let done = Mutex::new(BTreeMap::new());
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                loop {
                    let index = next.fetch_add(1, Ordering::Relaxed);
                    let Some(one) = many.get(index) else { break };
                    let result = work(one);
                    done.lock().expect("no panic before").insert(index, result);
                }
            });
        }
    });
    done.into_inner().expect("no panic before").into_values().collect()
}

/// A run that is to be made.
#[derive(Clone)]
pub struct Trial<'a> {
    /// Which cases there are.
    pub profile: &'a Profile,
    /// Which of them run: globs over case ids. None means all.
    pub cases: Vec<String>,
    /// The defects of the server.
    pub faults: Vec<Fault>,
    /// The legal answers that the server gives instead of its own.
    pub variants: Vec<Variant>,
    /// How disputed spots are read.
    pub reading: Reading,
    /// Whether nothing may be written.
    pub read_only: bool,
    /// Whether cases that take long run too.
    pub slow: bool,
    /// How many cases run at a time.
    pub jobs: usize,
    /// The most requests, clean-up included.
    pub requests: Option<u64>,
    /// Told of every judgement.
    pub observer: Option<&'a Observer<'a>>,
    /// What payloads are compared with: nothing, unless a test is about them. A server that differs legally shows other
    /// payloads than those that are shipped.
    pub snapshots: Option<&'a Snapshots>,
    /// The mark of the run, where it matters.
    pub mark: &'a str,
    /// The seed of the run, where it matters.
    pub seed: u64,
    /// The server, but for its defects and variants.
    pub server: ServerOptions,
    /// The pace of the run.
    pub rate: Option<Rate>,
}

impl<'a> Trial<'a> {
    /// All cases of a profile against a server without a fault.
    pub fn of(profile: &'a Profile) -> Trial<'a> {
        Trial {
            profile,
            cases: Vec::new(),
            faults: Vec::new(),
            variants: Vec::new(),
            reading: Reading::Lenient,
            read_only: false,
            slow: false,
            jobs: 4,
            requests: None,
            observer: None,
            snapshots: None,
            mark: MARK,
            seed: SEED,
            server: ServerOptions::default(),
            rate: None,
        }
    }

    /// Makes the run on a runtime of its own.
    ///
    /// # Errors
    /// If the server cannot be probed, which a fault may bring about.
    pub fn run(&self) -> Result<Ran, ProbeError> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(self.run_here())
    }

    async fn run_here(&self) -> Result<Ran, ProbeError> {
        let options = ServerOptions {
            faults: self.faults.clone(),
            variants: self.variants.clone(),
            ..self.server.clone()
        };
        let server = server::start(options).await.expect("a port is free");
        let generator = Generator::new(self.mark, self.seed, Patterns::default());
        let target = Target::new(TargetOptions {
            auth: Credentials::bearer(server.token()).expect("the server's own token"),
            second: Some(Credentials::bearer(server.second_token()).expect("the server's own token")),
            limits: Limits {
                request: Duration::from_secs(10),
                repeats: 2,
                retry_after: Duration::from_millis(100),
                back_off: Duration::from_millis(10),
                ..Limits::default()
            },
            read_only: self.read_only,
            requests: self.requests,
            page_size_parameter: self.profile.page_size_parameter().to_owned(),
            rate: self.rate,
            ..TargetOptions::new(Url::parse(server.base_url()).expect("a URL"), generator.mark())
        })
        .expect("the options are sound");
        let hooks = hooks(&server);
        let mut probe = probe(&target).await?;
        probe.capabilities.page_size.clone_from(&self.profile.page_size);
        probe.capabilities.hooks = hooks.names();
        let claims = |requires: &_| probe.capabilities.check(requires);
        let allowed = [Permission::Disruptive, Permission::Slow];
        let allow = if self.slow { &allowed[..] } else { &allowed[..1] };
        let conditions =
            Conditions { claims: &claims, allow, read_only: self.read_only, schemas: Some(&probe.schemas) };
        let selection = Selection::new(&self.cases, &[], &[]).expect("ids are patterns");
        let catalogue = Catalogue::embedded();
        let plan = plan(library().suites(), catalogue, self.profile, &selection, &conditions);
        let templates = Templates { user: json!({}), group: json!({}) };
        let mut shared =
            Shared::new(&target, library(), catalogue, &plan, &probe, self.reading, templates, &generator);
        shared.observer = self.observer;
        shared.profile = Some(self.profile);
        shared.allow = allow.to_vec();
        shared.hooks = hooks;
        shared.snapshots = self.snapshots;
        let board = Board::default();
        let clean_up = run::run(&shared, &board, self.jobs).await;
        let outcomes = plan
            .parts()
            .map(|(_, part)| board.wait(&part.id).unwrap_or_else(|| panic!("{} has no outcome", part.id)))
            .collect();
        let mut remaining = Ok(Vec::new());
        let has_groups = probe.capabilities.check(&Requires::Capability(Capability::Groups)).is_ok();
        // A limit would refuse what is asked for here.
        let looks = self.rate.is_none();
        for endpoint in ["Users", "Groups"].into_iter().take(1 + usize::from(has_groups)).filter(|_| looks) {
            let listed = resources(&format!("{}/{endpoint}", server.base_url()), server.token()).await;
            remaining = remaining.and_then(|all| Ok([all, listed?].concat()));
        }
        let exchanges = target.exchanges();
        let deviations = shared.deviations();
        let requests = target.requests_made();
        drop(shared);
        server.shutdown().await;
        Ok(Ran { outcomes, exchanges, clean_up, probe, remaining, deviations, requests })
    }
}

/// The hooks of a server that can be told what no client can.
fn hooks(server: &RunningServer) -> Hooks {
    let (Some(url), Some(token)) = (server.control_url(), server.control_token()) else {
        return Hooks::default();
    };
    let hook = |name: &str, more: &str| {
        let line = format!("curl -fsS -X POST -H 'Authorization: Bearer {token}' {more} '{url}/{name}'");
        let hook = Hook { command: HookCommand::Shell(line), within: Duration::from_secs(30), folder: None };
        (name.to_owned(), hook)
    };
    let accept = hook("accept-invitation", r#"--data-urlencode "user=$SCIMSPEC_ARG_USER""#);
    Hooks::new([accept, hook("rotate-key", "")].into(), Vec::new())
}

/// What a run came to.
pub struct Ran {
    /// Of each case, in the order of the plan.
    pub outcomes: Vec<Outcome>,
    /// Everything that was exchanged.
    pub exchanges: Vec<Arc<Exchange>>,
    /// What was deleted at the end.
    pub clean_up: CleanUp,
    /// What the server claims.
    pub probe: Probe,
    /// The resources that the server holds afterwards, as another client sees them; what came instead of a list
    /// where a fault spoils lists.
    pub remaining: Result<Vec<Value>, String>,
    /// What came of the profile's deviations, by their position.
    pub deviations: BTreeMap<usize, Came>,
    /// How many requests were made: those of the probe and of clean-up are among them.
    pub requests: u64,
}

impl Ran {
    /// The cases that were skipped, each with the reason.
    pub fn skips(&self) -> BTreeMap<String, String> {
        self.outcomes
            .iter()
            .filter_map(|outcome| match &outcome.verdict {
                Verdict::Skipped { reason } => Some((outcome.id.clone(), reason.to_string())),
                _ => None,
            })
            .collect()
    }
}

/// What an endpoint lists.
async fn resources(url: &str, token: &str) -> Result<Vec<Value>, String> {
    let answer = async { reqwest::Client::new().get(url).bearer_auth(token).send().await?.text().await };
    let text = answer.await.map_err(|error| error.to_string())?;
    let list: Value = serde_json::from_str(&text).map_err(|error| format!("{error}: {text}"))?;
    let total = list.get("totalResults").and_then(Value::as_u64);
    let rows = list.get("Resources").and_then(Value::as_array);
    match (total, rows) {
        (Some(0), _) => Ok(Vec::new()),
        (Some(_), Some(rows)) if !rows.is_empty() => Ok(rows.clone()),
        _ => Err(text),
    }
}
