//! The executor: phases, and in each phase its jobs, several at a time.
//!
//! Schedules what the plan decided, hands every outcome to the board, and makes sure that a case that panics,
//! a target that dies and an interrupt leave everything cleaned up. It decides nothing about verdicts: those
//! come from the judge, or from what stopped a case.

pub mod board;
mod burst;
mod case;
pub mod deviation;
mod filter_vectors;
pub mod given;
mod hook;
mod joined;
pub mod names;
mod pages;
mod paginate;
mod parallel;
mod patch_vectors;
pub mod patience;
mod read_back;
pub mod request;
mod rule;
mod seed;
mod settle;
mod snapshot;
mod step;
mod tally;
mod together;

use std::collections::{BTreeMap, BTreeSet};
use std::panic::AssertUnwindSafe;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use futures_util::{FutureExt, StreamExt, stream};
use serde_json::{Map, Value};

use crate::hook::Hooks;
use crate::judge::rules::{Definitions, Pairs, Validated};
use crate::judge::{Context, Handle, History, Judgement};
use crate::outcome::{ErrorCause, Outcome, Reading, SkipReason, Verdict};
use crate::plan::{Disposition, Job, Part, Phase, Plan, Together};
use crate::profile::{COUNT, Profile};
use crate::requirement::Catalogue;
use crate::scim::names as urns;
use crate::snapshot::Snapshots;
use crate::suite::fresh::{Generator, derived};
use crate::suite::load::Library;
use crate::suite::model::{Auth, Capability, Case, Expect, Fresh, FreshKind, Permission, Requires};
use crate::target::batch::{ROWS, WORTH};
use crate::target::exchange::{Exchange, ExchangeId, TransportFailure};
use crate::target::needs;
use crate::target::probe::{self, Probe};
use crate::target::{BulkUse, Capabilities, CleanUp, Refusal, RequestPlan, Sent, Target, id_in};

use board::Board;
use case::Ran;
use given::Pool;
use joined::Answered;
use names::{CaseNames, Created};
use patience::Patience;
use read_back::asks_for_more;
use seed::Seeds;
use together::Waiting;

/// The operator's own needs: attributes that the target insists on.
#[derive(Debug, Clone)]
pub struct Templates {
    /// Merged under every User: `[template.user]`.
    pub user: Value,
    /// Merged under every Group: `[template.group]`.
    pub group: Value,
}

/// What all cases of a run share.
pub struct Shared<'a> {
    /// The client.
    pub target: &'a Target,
    /// Suites, fixtures and populations.
    pub library: &'a Library,
    /// The requirements.
    pub catalogue: &'a Catalogue,
    /// What is going to run.
    pub plan: &'a Plan<'a>,
    /// What the target claims.
    pub probe: &'a Probe,
    /// How disputed spots are read.
    pub reading: Reading,
    /// The operator's needs.
    pub templates: Templates,
    /// The maker of fresh values.
    pub generator: &'a Generator,
    /// For each fixture, the case that is about creating it.
    pub about_fixture: BTreeMap<String, String>,
    /// Told of every judgement as it is made.
    pub observer: Option<&'a Observer<'a>>,
    /// The accepted payloads that answers are compared with, if there are any for this target.
    pub snapshots: Option<&'a Snapshots>,
    /// The operator's commands.
    pub hooks: Hooks,
    /// For how long reads may contradict the writes before them (`--settle`), and what came of it.
    pub patience: Option<Patience>,
    mutes: Mutex<BTreeMap<String, BTreeSet<ExchangeId>>>,
    /// About how many requests the cases that have not ended will make.
    ahead: AtomicU64,
    trouble: Mutex<Trouble>,
    /// How often a write of each kind was read back, where reads may be made together.
    together: OnceLock<Mutex<BTreeMap<String, usize>>>,
    /// Plain reads of cases that only read, by their path and headers, and what was answered.
    plain_reads: Mutex<BTreeMap<String, Arc<tokio::sync::Mutex<Option<Sent>>>>>,
    /// Steps that were answered together with others, by their job's id and their path.
    answered: Mutex<BTreeMap<(String, String), Answered>>,
    /// The profile, where it says more than which cases there are: deviations, the size of pages.
    pub profile: Option<&'a Profile>,
    /// What `${setting.NAME}` stands for.
    pub settings: Map<String, Value>,
    came: Mutex<BTreeMap<usize, deviation::Came>>,
    /// What the operator allows.
    pub allow: Vec<Permission>,
}

/// Whoever wants to see judgements as they are made: a test that alters a green exchange and demands red.
pub type Observer<'o> = dyn Fn(&Observed<'_>) + Sync + 'o;

/// One judgement with all that it was made of.
pub struct Observed<'a> {
    /// The part that it belongs to.
    pub id: &'a str,
    /// Where the expectation stands in its file: `cases[0].steps[1].expect`.
    pub place: &'a str,
    /// What was expected.
    pub expect: &'a Expect,
    /// What came.
    pub exchange: &'a Exchange,
    /// What the judge knew beside it.
    pub context: &'a Context<'a>,
    /// What it said.
    pub judgement: &'a Judgement,
}

/// How many requests in a row got no answer, and what the last one met.
#[derive(Debug, Default)]
struct Trouble {
    in_a_row: u32,
    gone: Option<String>,
}

/// What a 429 that outlived all patience comes to: like no answer, it says nothing about conformance.
fn busy(exchange: &Exchange) -> Option<String> {
    (exchange.status() == Some(429))
        .then(|| "429 Too Many Requests, also after waiting; give the server's limit with --rate".to_owned())
}

/// Whether an answer says what it says for good: another request would not mend it.
fn is_settled(exchange: &Exchange) -> bool {
    exchange.status().is_some_and(|status| status < 500 && status != 429)
}

/// After so many requests in a row without an answer, the target counts as gone and the rest is not tried:
/// with a time-out of half a minute a run would otherwise take an hour to say so.
const GONE_AFTER: u32 = 4;

impl<'a> Shared<'a> {
    /// What a run's cases share, before the first of them runs.
    #[expect(clippy::too_many_arguments, reason = "one constructor call, each argument a different noun")]
    pub fn new(
        target: &'a Target,
        library: &'a Library,
        catalogue: &'a Catalogue,
        plan: &'a Plan<'a>,
        probe: &'a Probe,
        reading: Reading,
        templates: Templates,
        generator: &'a Generator,
    ) -> Shared<'a> {
        let fixtures: BTreeSet<&str> = plan
            .running()
            .flat_map(|job| job.case.given.values())
            .filter_map(|given| given.fixture.as_deref())
            .collect();
        let about_fixture = fixtures
            .into_iter()
            .filter_map(|fixture| Some((fixture.to_owned(), plan.about_fixture(fixture)?)))
            .collect();
        Shared {
            target,
            library,
            catalogue,
            plan,
            probe,
            reading,
            templates,
            generator,
            about_fixture,
            observer: None,
            snapshots: None,
            hooks: Hooks::default(),
            patience: None,
            mutes: Mutex::default(),
            ahead: AtomicU64::new(plan.running().map(Job::requests).sum()),
            trouble: Mutex::default(),
            together: OnceLock::new(),
            plain_reads: Mutex::default(),
            answered: Mutex::default(),
            profile: None,
            settings: Map::new(),
            came: Mutex::default(),
            allow: Vec::new(),
        }
    }

    /// What the query parameter for the size of a page is called.
    pub fn page_size_parameter(&self) -> &str {
        self.profile.map_or(COUNT, Profile::page_size_parameter)
    }

    /// Whether the target claims what is needed.
    ///
    /// # Errors
    /// The evidence that it does not.
    pub fn claims(&self, requires: &Requires) -> Result<(), String> {
        self.probe.capabilities.check(requires)
    }

    /// Sends a request and keeps count of those without an answer.
    async fn send(&self, plan: RequestPlan) -> Result<Sent, Refusal> {
        let sent = self.target.send(plan).await?;
        let mut trouble = self.trouble.lock().unwrap_or_else(PoisonError::into_inner);
        let met = match &sent.exchange.answer {
            Err(TransportFailure::NotSent { .. }) => return Ok(sent),
            Err(failure) => Some(failure.to_string()),
            Ok(_) => busy(&sent.exchange),
        };
        trouble.in_a_row = if met.is_some() { trouble.in_a_row + 1 } else { 0 };
        if trouble.in_a_row >= GONE_AFTER {
            trouble.gone = met;
        }
        Ok(sent)
    }

    /// Sends a request of a case that only reads, unless another case or the probe has asked for exactly that: nothing is
    /// written meanwhile, so one answer serves them all. A case that asks twice means it, and so does one with headers or
    /// credentials of its own.
    async fn send_once(&self, plan: RequestPlan, asked: &mut BTreeSet<String>) -> Result<Sent, Refusal> {
        let is_plain = plan.method == "GET"
            && plan.auth == Auth::Good
            && !plan.headers.iter().any(|(name, value)| asks_for_more(name, value.as_deref()));
        let key = format!("{} {:?}", plan.path, plan.headers);
        if !is_plain || self.patience.is_some() || !asked.insert(key.clone()) {
            return self.send(plan).await;
        }
        let known = {
            let mut reads = self.plain_reads.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(reads.entry(key).or_insert_with(|| {
                let probed = self.target.exchanges().into_iter().take_while(|it| it.origin == probe::ORIGIN);
                let asked = probed.filter(|it| it.request.method == "GET" && it.request.path == plan.path);
                let serves = asked
                    .filter(|it| plan.headers.is_empty() && it.request.auth == Auth::Good && is_settled(it));
                let serves = serves.last();
                let sent = serves.map(|exchange| Sent { exchange, also: Vec::new(), created: None });
                Arc::new(tokio::sync::Mutex::new(sent))
            }))
        };
        let mut known = known.lock().await;
        if let Some(sent) = known.as_ref() {
            return Ok(sent.clone());
        }
        let sent = self.send(plan).await?;
        if is_settled(&sent.exchange) {
            *known = Some(Sent { also: Vec::new(), ..sent.clone() });
        }
        Ok(sent)
    }

    /// Takes note that a step needs no request of its own any more.
    fn answer(&self, job: &Job<'_>, step: usize, answered: Answered) {
        let path = format!("{}.steps[{step}]", job.path);
        self.answered.lock().unwrap_or_else(PoisonError::into_inner).insert((job.id(), path), answered);
    }

    /// What has answered a step, if it was asked together with others and everything was right.
    fn answered(&self, job: &str, path: &str) -> Option<Answered> {
        let answered = self.answered.lock().unwrap_or_else(PoisonError::into_inner);
        answered.get(&(job.to_owned(), path.to_owned())).copied()
    }

    /// Whether the request budget allows a request that no case needs.
    fn can_spare(&self) -> bool {
        self.target.can_spare(self.ahead.load(Ordering::Relaxed))
    }

    /// What the last of many requests without an answer met, once the target counts as gone.
    fn gone(&self) -> Option<String> {
        self.trouble.lock().unwrap_or_else(PoisonError::into_inner).gone.clone()
    }

    /// The skip reason of a request that was not sent, or given up by an interrupt; `None` for real transport trouble.
    fn not_sent(&self, failure: &TransportFailure) -> Option<SkipReason> {
        match failure {
            _ if self.target.interrupted() => Some(SkipReason::Interrupted),
            TransportFailure::NotSent { .. } => Some(SkipReason::BudgetSpent),
            _ => None,
        }
    }

    /// What a request of a step comes to that got no answer.
    fn unanswered(&self, exchange: &Exchange, failure: &TransportFailure) -> Verdict {
        match self.not_sent(failure) {
            Some(reason) => Verdict::Skipped { reason },
            None => {
                let detail = format!("{} {}: {failure}", exchange.request.method, exchange.request.path);
                Verdict::Errored { cause: ErrorCause::Transport { detail } }
            }
        }
    }

    fn mute(&self, rules: &[String], exchange: ExchangeId) {
        let mut mutes = self.mutes.lock().unwrap_or_else(PoisonError::into_inner);
        for rule in rules {
            mutes.entry(rule.clone()).or_default().insert(exchange);
        }
    }

    /// A new resource of a fixture, unlike every other made from it.
    fn fixture(&self, name: &str, generator: &Generator) -> Option<Value> {
        self.library.fixture(name).map(|fixture| generator.instance(fixture))
    }

    /// A resource with what the operator and the server's own schemas demand beside it.
    fn fill(&self, resource: Value, generator: &Generator) -> Value {
        let (kind, _) = self.kind_of(&resource);
        let Some(definition) = self.probe.schemas.definition(&kind) else { return resource };
        let template = match kind.as_str() {
            "User" => &self.templates.user,
            "Group" => &self.templates.group,
            _ => &Value::Null,
        };
        needs::fill(resource, &definition, template, generator)
    }

    /// A resource without what the server's own schemas do not declare.
    fn declared(&self, resource: Value) -> Value {
        let (kind, _) = self.kind_of(&resource);
        match self.probe.schemas.definition(&kind) {
            Some(definition) => needs::declared(resource, &definition),
            None => resource,
        }
    }

    /// The resource type and endpoint that a resource's `schemas` name; Users where they name none.
    fn kind_of(&self, resource: &Value) -> (String, String) {
        let schemas: Vec<&str> = resource
            .get("schemas")
            .and_then(Value::as_array)
            .map(|all| all.iter().filter_map(Value::as_str).collect())
            .unwrap_or_default();
        self.probe
            .schemas
            .resource_types
            .iter()
            .find(|kind| schemas.iter().any(|urn| urn.eq_ignore_ascii_case(&kind.schema)))
            .map_or_else(
                || ("User".to_owned(), "/Users".to_owned()),
                |kind| (kind.name.clone(), kind.endpoint.clone()),
            )
    }

    /// Whether the target keeps resources like this one: a group has no place where there are users only.
    fn keeps(&self, resource: &Value) -> bool {
        let schemas = resource.get("schemas").and_then(Value::as_array);
        let is_group = schemas.into_iter().flatten().any(|urn| urn == urns::GROUP);
        !is_group || self.probe.capabilities.check(&Requires::Capability(Capability::Groups)).is_ok()
    }

    /// The resource type that lives under an endpoint.
    fn kind_at(&self, endpoint: &str) -> String {
        self.probe
            .schemas
            .resource_types
            .iter()
            .find(|kind| kind.endpoint.trim_end_matches('/').eq_ignore_ascii_case(endpoint))
            .map_or_else(|| "User".to_owned(), |kind| kind.name.clone())
    }

    /// The resource that a location leads to, if it lies at an endpoint that is known.
    fn located(&self, location: &str) -> Option<Created> {
        self.probe.schemas.resource_types.iter().find_map(|kind| {
            let id = id_in(location, &kind.endpoint)?;
            let handle = Handle { resource_type: kind.name.clone(), id: Some(id), state: None };
            Some(Created { handle, endpoint: kind.endpoint.trim_end_matches('/').to_owned() })
        })
    }

    /// The names of a job before anything is created: the run's mark, its row, its fresh values.
    ///
    /// `trial` is what its fresh values depend on: the job's id, unless the case is made again.
    fn names(&self, job: &Job<'_>, trial: &str) -> CaseNames {
        let mut names = CaseNames::new(self.generator.for_trial(trial));
        names.value("setting", Value::Object(self.settings.clone()));
        if let Some(each) = &job.each {
            let (value, other) =
                needs::samples(&each.attribute, &names.generator).unwrap_or((Value::Null, Value::Null));
            let upper = value.as_str().map(str::to_uppercase);
            let (path, name) = (&each.path, &each.attribute.name);
            let data = serde_json::json!({"path": path, "name": name, "value": value, "other": other, "upper": upper});
            names.value(&each.name, data);
        }
        if let Some(row) = job.row {
            names.value("row", Value::Object(row.data.iter().map(|(k, v)| (k.clone(), v.clone())).collect()));
        }
        for (name, value) in fresh_values(job.case, &names.generator) {
            // A UUID made just now is the id of nothing, so that a case may write to it and expect a 404.
            if job.case.fresh.get(&name) == Some(&Fresh::Kind(FreshKind::Uuid)) {
                self.target.never_existed([value.clone()]);
            }
            names.value(&name, Value::from(value));
        }
        names
    }
}

/// The fresh values of a case: the generated ones first, then those derived from them.
fn fresh_values(case: &Case, generator: &Generator) -> BTreeMap<String, String> {
    let mut values = BTreeMap::new();
    for (name, fresh) in &case.fresh {
        if let Fresh::Kind(kind) = fresh {
            values.insert(name.clone(), generator.value(*kind));
        }
    }
    for (name, fresh) in &case.fresh {
        if let Fresh::Upper(from) | Fresh::Lower(from) | Fresh::Mixed(from) = fresh
            && let Some(value) = values.get(from).and_then(|value| derived(fresh, value))
        {
            values.insert(name.clone(), value);
        }
    }
    values
}

/// What a run makes together on a target with these capabilities, for an estimate.
pub fn together(capabilities: &Capabilities, settles: bool) -> Together {
    Together {
        bulk: BulkUse::of(capabilities).map(|bulk| bulk.batch()),
        filters: !settles,
        reads: !settles,
        worth: WORTH,
        by_themselves: together::BY_THEMSELVES,
        rows: ROWS,
    }
}

/// Runs a plan. Every part gets an outcome on the board, whatever happens; the board is closed at the end.
pub async fn run(shared: &Shared<'_>, board: &Board, jobs_at_once: usize) -> CleanUp {
    for job in &shared.plan.jobs {
        if let Disposition::Skip(reason) = &job.disposition {
            post_all(board, job, &Verdict::Skipped { reason: reason.clone() });
        }
    }
    let writing =
        shared.plan.running().filter(|job| matches!(job.phase, Phase::Write | Phase::Exclusive)).count();
    if let Some(bulk) = BulkUse::of(&shared.probe.capabilities).filter(|_| writing >= WORTH) {
        shared.target.use_bulk(bulk);
    }
    // A test that looks at judgements wants to see each read; and reads that are to settle do not wait for others.
    if writing >= WORTH && shared.observer.is_none() && shared.patience.is_none() {
        shared.together.get_or_init(Mutex::default);
    }
    let pool = Pool::create(shared).await;
    joined::ask(shared, &pool).await;
    for phase in [Phase::ReadOnly, Phase::Write, Phase::Exclusive, Phase::Renewing, Phase::Bursting] {
        let at_once = if phase >= Phase::Exclusive { 1 } else { jobs_at_once.max(1) };
        let jobs = shared.plan.running().filter(|job| job.phase == phase);
        let seeds = if phase == Phase::Write { Seeds::plant(shared, &pool).await } else { Seeds::default() };
        let (pool, seeds) = (&pool, &seeds);
        let waiting: Mutex<Vec<Waiting<'_>>> = Mutex::default();
        // Where the budget ends before the lists that cases wait for, all of these are lost.
        if phase == Phase::Write && shared.together.get().is_some() {
            shared.target.reserve(together::LISTS);
        }
        let held = &waiting;
        stream::iter(jobs)
            .for_each_concurrent(at_once, |job| async move {
                let begun = async { Some(case::begin(shared, pool, seeds, job).await) };
                match one(shared, board, job, begun).await {
                    Some(Ran::Waits(waits)) => {
                        held.lock().unwrap_or_else(PoisonError::into_inner).push(*waits);
                    }
                    Some(Ran::Ended(outcomes)) => end(shared, board, job, outcomes).await,
                    None => end(shared, board, job, Vec::new()).await,
                }
            })
            .await;
        let waiting: Vec<Waiting<'_>> = waiting.into_inner().unwrap_or_else(PoisonError::into_inner);
        shared.target.reserve(0);
        let seen = &together::judge_rows(shared, &waiting).await;
        stream::iter(waiting.into_iter().enumerate())
            .for_each_concurrent(at_once, |(index, mut waits)| async move {
                let job = waits.case.job;
                let lists = seen.get(&index);
                lists.into_iter().for_each(|lists| waits.case.seen_in(lists));
                let ended = async { Some(case::resume(waits, pool, seeds, lists.is_some()).await) };
                let outcomes = one(shared, board, job, ended).await.unwrap_or_default();
                end(shared, board, job, outcomes).await;
            })
            .await;
    }
    // Clean-up comes before the rules, so that they see its exchanges too.
    let clean_up = shared.target.clean_up().await;
    let exchanges = shared.target.exchanges();
    let record = rule::Record {
        exchanges: &exchanges,
        definitions: Definitions::of(&shared.probe.schemas),
        history: History::of(exchanges.iter().map(AsRef::as_ref))
            .settling(shared.patience.as_ref().map(Patience::within).unwrap_or_default()),
        pairs: Pairs::of(exchanges.iter().map(AsRef::as_ref)),
        validated: Validated::of(exchanges.iter().map(AsRef::as_ref)),
        mutes: shared.mutes.lock().unwrap_or_else(PoisonError::into_inner).clone(),
    };
    for job in shared.plan.running().filter(|job| job.phase == Phase::Rules) {
        board.post(rule::judge(shared, job, &record));
    }
    board.close();
    clean_up
}

/// Runs a part of one job; a panic in it is a defect of ours, and no reason to lose the others. Where nothing comes of
/// it, its outcomes are posted.
async fn one<T>(
    shared: &Shared<'_>,
    board: &Board,
    job: &Job<'_>,
    part: impl Future<Output = Option<T>>,
) -> Option<T> {
    if shared.target.interrupted() {
        post_all(board, job, &Verdict::Skipped { reason: SkipReason::Interrupted });
        return None;
    }
    if let Some(why) = shared.gone() {
        let detail = format!("the target stopped serving ({why}); the rest was not tried");
        post_all(board, job, &Verdict::Errored { cause: ErrorCause::Transport { detail } });
        return None;
    }
    match AssertUnwindSafe(part).catch_unwind().await {
        Ok(result) => result,
        Err(panic) => {
            let detail = panic
                .downcast_ref::<String>()
                .cloned()
                .or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()))
                .unwrap_or_else(|| "a panic without a message".to_owned());
            post_all(board, job, &Verdict::Errored { cause: ErrorCause::Harness { detail } });
            None
        }
    }
}

/// Posts what came of a job, and lets go of what it made.
async fn end(shared: &Shared<'_>, board: &Board, job: &Job<'_>, outcomes: Vec<Outcome>) {
    // What should not be there (a user with an empty name, say) is not to stand in the way of other cases.
    let at_once = outcomes.iter().any(|outcome| matches!(outcome.verdict, Verdict::Failed));
    outcomes.into_iter().for_each(|outcome| board.post(outcome));
    shared.ahead.fetch_sub(job.requests(), Ordering::Relaxed);
    shared.target.clean_up_after(&job.id(), at_once).await;
}

fn post_all(board: &Board, job: &Job<'_>, verdict: &Verdict) {
    for part in &job.parts {
        board.post(outcome(job, part, verdict.clone()));
    }
}

/// An outcome without evidence yet.
pub fn outcome(job: &Job<'_>, part: &Part, verdict: Verdict) -> Outcome {
    Outcome {
        id: part.id.clone(),
        suite: job.file.suite.suite.clone(),
        title: part.title.clone(),
        level: part.level,
        spec: part.spec.clone(),
        tags: job.tags(),
        place: job.file.place(&part.path),
        verdict,
        findings: Vec::new(),
        exchanges: Vec::new(),
        duration_ms: 0,
        consequence: part.consequence.clone(),
        hint: job.case.hint.clone(),
        notes: Vec::new(),
        baseline: None,
    }
}
