//! One case: givens → steps → captures, with a finding or a trouble for whatever went wrong.
//!
//! A wrong status ends a case, since the rest would be echo; in a flow of checkpoints it ends the checkpoint,
//! and later ones run if everything they stand on is there. Clean-up is the caller's.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::given::{self, Pool};
use super::names::{CaseNames, Created};
use super::request::{self, Prepared, RequestError, Sources};
use super::{Observed, Shared, outcome};
use crate::judge::{self, Context, Handle, Judgement};
use crate::outcome::{ErrorCause, Finding, Level, Outcome, Place, Severity, Signature, SkipReason, Verdict};
use crate::plan::{Job, Part, is_write, mentions, stands_on, ways};
use crate::suite::model::{
    Action, Auth, Becomes, Capture, Encode, Eventually, Expect, Permission, StatusPattern, StatusSet, Step,
};
use crate::target::exchange::{Exchange, ExchangeId};
use crate::target::{Created as Ownership, RequestPlan, Sent};

/// Runs one job and gives an outcome for each of its parts.
pub async fn run(shared: &Shared<'_>, pool: &Pool, job: &Job<'_>) -> Vec<Outcome> {
    let mut case = CaseRun {
        shared,
        job,
        origin: job.id(),
        names: shared.names(job),
        parts: job.parts.iter().map(|_| PartRun::default()).collect(),
        current: 0,
        last: None,
    };
    case.parts[0].started = Some(Instant::now());
    match case.prepare(pool).await {
        Ok(()) => case.steps().await,
        Err(verdict) => case.parts.iter_mut().for_each(|part| part.trouble = Some(verdict.clone())),
    }
    case.finish()
}

/// What one part has come to so far.
#[derive(Debug, Default)]
struct PartRun {
    findings: Vec<Finding>,
    exchanges: Vec<ExchangeId>,
    notes: Vec<String>,
    trouble: Option<Verdict>,
    started: Option<Instant>,
    elapsed: Duration,
}

/// Whether a case goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Flow {
    On,
    End,
}

struct CaseRun<'r> {
    shared: &'r Shared<'r>,
    job: &'r Job<'r>,
    origin: String,
    names: CaseNames,
    parts: Vec<PartRun>,
    current: usize,
    last: Option<Arc<Exchange>>,
}

impl CaseRun<'_> {
    /// Population, shared and own givens, then `setup`.
    async fn prepare(&mut self, pool: &Pool) -> Result<(), Verdict> {
        if let Some(name) = &self.job.case.population {
            match pool.population_named(name) {
                Some(Ok(members)) => {
                    for (member, created) in members {
                        self.names.resources(member, created);
                    }
                }
                Some(Err(trouble)) => return Err(trouble.verdict(self.shared, &self.origin)),
                None => return Err(precondition(format!("the population '{name}' was not created"))),
            }
        }
        for (name, wanted) in &self.job.case.given {
            let created = match self.job.pooled.get(name).and_then(|key| pool.given(key)) {
                Some(shared) => shared.clone(),
                None => given::create(self.shared, wanted, &self.names, &self.origin).await,
            };
            match created {
                Ok(created) => self.names.resources(name, &created),
                Err(trouble) => return Err(trouble.verdict(self.shared, &self.origin)),
            }
        }
        for (index, step) in self.job.case.setup.iter().enumerate() {
            let path = format!("{}.setup[{index}]", self.job.path);
            let flow = self.step(step, &path, &[]).await;
            let part = &mut self.parts[0];
            if let Some(trouble) = part.trouble.take() {
                return Err(trouble);
            }
            let broken = part.findings.iter().find(|finding| finding.severity == Severity::Failure);
            if flow == Flow::End || broken.is_some() {
                let detail =
                    broken.map_or_else(|| "a setup step ended the case".to_owned(), |f| f.message.clone());
                return Err(precondition(format!("setup[{index}]: {detail}")));
            }
        }
        Ok(())
    }

    async fn steps(&mut self) {
        let steps = &self.job.case.steps;
        let mut seen_checkpoint = false;
        let mut broken: Option<String> = None;
        let mut skipping = false;
        for (index, step) in steps.iter().enumerate() {
            if step.checkpoint.is_some() {
                self.close_part();
                if seen_checkpoint {
                    self.current += 1;
                }
                seen_checkpoint = true;
                self.parts[self.current].started.get_or_insert_with(Instant::now);
                let missing = self.missing(&steps[index..]);
                skipping = missing.is_some();
                if let (Some(name), Some(checkpoint)) = (missing, broken.clone()) {
                    let reason = SkipReason::NotReached { checkpoint: format!("{checkpoint} (no '{name}')") };
                    self.part().trouble = Some(Verdict::Skipped { reason });
                }
            }
            if skipping || !self.applies(step) {
                continue;
            }
            let path = format!("{}.steps[{index}]", self.job.path);
            if self.step(step, &path, &steps[index + 1..]).await == Flow::End {
                broken.get_or_insert_with(|| self.job.parts[self.current].id.clone());
                skipping = true;
                if self.job.parts.len() == 1 {
                    break;
                }
            }
        }
        self.close_part();
    }

    /// The first name that the steps up to the next checkpoint stand on and that is not there.
    fn missing(&self, steps: &[Step]) -> Option<String> {
        let mut made: BTreeSet<&str> = BTreeSet::new();
        for (index, step) in steps.iter().enumerate() {
            if index > 0 && step.checkpoint.is_some() {
                break;
            }
            let missing = mentions(step).into_iter().find(|name| {
                !self.names.knows(name)
                    && !self.names.sent.contains_key(name)
                    && !made.contains(name.as_str())
            });
            if missing.is_some() {
                return missing;
            }
            made.extend(step.id.as_deref());
            made.extend(step.capture.keys().map(String::as_str));
        }
        None
    }

    /// Whether a step's `when` and `requires` hold.
    fn applies(&mut self, step: &Step) -> bool {
        let taken = step
            .when
            .iter()
            .all(|(id, names)| self.names.matched.get(id).is_some_and(|matched| names.contains(matched)));
        if !taken {
            return false;
        }
        for requires in &step.requires {
            if let Err(evidence) = self.shared.claims(requires) {
                self.part().notes.push(format!("a step was not judged, it needs {requires}: {evidence}"));
                return false;
            }
        }
        true
    }

    fn part(&mut self) -> &mut PartRun {
        &mut self.parts[self.current]
    }

    fn close_part(&mut self) {
        let part = self.part();
        if let Some(started) = part.started.take() {
            part.elapsed += started.elapsed();
        }
    }

    /// Performs one step and takes note of what it came to.
    async fn step(&mut self, step: &Step, path: &str, later: &[Step]) -> Flow {
        if is_write(step) {
            if let Flow::End = self.before_images(step, later).await {
                return Flow::End;
            }
        }
        let action = match step.action() {
            Ok(action) => action,
            Err(error) => return self.suite_error(format!("{path}: {error}")),
        };
        let asked = self.expectation(step);
        let place = self.expect_path(step, path);
        match action {
            Action::Send { line, payload } => {
                let prepared = {
                    let sources = self.sources();
                    request::send(line, &payload, &sources.borrow())
                };
                self.exchange(step, prepared, &asked, &place).await
            }
            Action::Query(query) => {
                for way in ways(&query.by) {
                    let encode = step.encode.unwrap_or(Encode::Strict);
                    let prepared = request::query(query, way, encode, &self.names.scope);
                    if self.exchange(step, prepared, &asked, &place).await == Flow::End {
                        return Flow::End;
                    }
                }
                Flow::On
            }
            Action::Read(name) => {
                let Some((endpoint, id)) = self.names.whereabouts(name) else {
                    return self.suite_error(format!("{path}: there is no resource '{name}' to read"));
                };
                let flow = self.exchange(step, Ok(request::read(&endpoint, &id)), &asked, &place).await;
                if let Some(state) = self.last_resource(&id) {
                    self.names.observed(name, state);
                }
                flow
            }
            Action::Unchanged(all) => {
                for name in all {
                    let Some((endpoint, id)) = self.names.whereabouts(name) else {
                        return self.suite_error(format!("{path}: there is no resource '{name}' to compare"));
                    };
                    let unchanged = Expect {
                        status: Some(StatusSet(vec![StatusPattern::Code(200)])),
                        becomes: Some(Becomes { from: Some(name.clone()), ..Becomes::default() }),
                        level: asked.level,
                        spec: asked.spec.clone(),
                        title: Some(format!("'{name}' is as it was before")),
                        ..Expect::default()
                    };
                    let at = format!("{path}.unchanged");
                    let flow = self.exchange(step, Ok(request::read(&endpoint, &id)), &unchanged, &at).await;
                    if flow == Flow::End {
                        return Flow::End;
                    }
                    if let Some(state) = self.last_resource(&id) {
                        self.names.observed(name, state);
                    }
                }
                Flow::On
            }
        }
    }

    /// Reads what this write may change and a later step compares with.
    async fn before_images(&mut self, step: &Step, later: &[Step]) -> Flow {
        let mut wanted: BTreeSet<String> = BTreeSet::new();
        let until_next_write = later.iter().take_while(|later| !is_write(later));
        for later in until_next_write {
            wanted.extend(later.unchanged.iter().filter(|name| self.names.is_stale(name)).cloned());
        }
        for each in std::iter::once(step).chain(later) {
            wanted.extend(stands_on(each).into_iter().filter(|name| !self.names.was_read(name)));
        }
        for name in wanted {
            // A name that a later step will only make has nothing to read yet.
            let Some((endpoint, id)) = self.names.whereabouts(&name) else { continue };
            // The step's own credentials and headers may be what it tests.
            let plan = self.plan(&request::read(&endpoint, &id), &Step::default());
            match self.send(plan).await {
                Ok(sent) => {
                    if let Some(state) = resource_of(&sent.exchange, &id) {
                        self.names.observed(&name, state);
                    } else {
                        let status = sent.exchange.status().unwrap_or_default();
                        let detail =
                            format!("GET {endpoint}/{{id}} of '{name}' answered {status} before the step");
                        self.part().trouble = Some(precondition(detail));
                        return Flow::End;
                    }
                }
                Err(verdict) => {
                    self.part().trouble = Some(verdict);
                    return Flow::End;
                }
            }
        }
        Flow::On
    }

    /// Sends a request, judges the answer, and takes note of what it brought.
    async fn exchange(
        &mut self,
        step: &Step,
        prepared: Result<Prepared, RequestError>,
        expect: &Expect,
        place: &str,
    ) -> Flow {
        let prepared = match prepared {
            Ok(prepared) => prepared,
            Err(error) => return self.suite_error(error.to_string()),
        };
        if let (Some(id), Some(json)) = (&step.id, &prepared.json) {
            self.names.sent.insert(id.clone(), json.clone());
        }
        let patience =
            step.eventually.or(self.job.file.suite.defaults.eventually).filter(|_| !is_write(step));
        let deadline = patience.map(|patience| Instant::now() + patience.within);
        loop {
            let sent = match self.send(self.plan(&prepared, step)).await {
                Ok(sent) => sent,
                Err(verdict) => {
                    self.part().trouble = Some(verdict);
                    return Flow::End;
                }
            };
            let judgement = self.judge(expect, &sent.exchange, &prepared, step, place);
            let in_time = deadline.is_some_and(|deadline| Instant::now() < deadline);
            if !judgement.findings.is_empty() && in_time {
                tokio::time::sleep(pause(patience)).await;
                continue;
            }
            return self.settle(step, &prepared, expect, place, &sent, judgement);
        }
    }

    /// Takes note of a judged exchange: findings, captures, handles.
    fn settle(
        &mut self,
        step: &Step,
        prepared: &Prepared,
        expect: &Expect,
        place: &str,
        sent: &Sent,
        judgement: Judgement,
    ) -> Flow {
        let exchange = &sent.exchange;
        self.shared.mute(&expect.mutes, exchange.id);
        if let Some(error) = judgement.error {
            return self.suite_error(error.to_string());
        }
        let failed = judgement.findings.iter().any(|finding| finding.severity == Severity::Failure);
        if let (Some(id), Some(matched)) = (&step.id, judgement.matched) {
            self.names.matched.insert(id.clone(), matched);
        }
        let part = self.part();
        part.findings.extend(judgement.findings);
        part.notes.extend(judgement.notes);
        let succeeded = exchange.status().is_some_and(|status| (200..300).contains(&status));
        if is_write(step) && succeeded {
            self.names.written();
        }
        self.own(step, prepared, sent, place);
        if !judgement.status_held && failed {
            if !succeeded {
                if let Some(id) = &step.id {
                    self.names.sent.remove(id);
                }
            }
            return Flow::End;
        }
        if succeeded {
            return self.capture(&step.capture, exchange, place);
        }
        Flow::On
    }

    /// Names the resource that a step returned, and reports a create that gave us somebody else's.
    fn own(&mut self, step: &Step, prepared: &Prepared, sent: &Sent, place: &str) {
        let collection = prepared.endpoint.trim_end_matches("/{id}").to_owned();
        match &sent.created {
            Some(Ownership::Disowned { id, why }) => {
                let finding = self.finding(
                    "ownership",
                    &sent.exchange,
                    place,
                    format!(
                        "{} {} answered with a resource that is not the one sent",
                        prepared.method, collection
                    ),
                    "a new resource with the attributes sent and an id never seen before".to_owned(),
                    format!("the id '{id}': {why}"),
                );
                self.part().findings.push(finding);
                return;
            }
            Some(Ownership::Owned { id, .. }) => {
                if let Some(name) = &step.id {
                    let handle = Handle {
                        resource_type: self.shared.kind_at(&collection),
                        id: Some(id.clone()),
                        state: sent.exchange.json().cloned(),
                    };
                    self.names.resource(name, &Created { handle, endpoint: collection }, false);
                }
                return;
            }
            Some(Ownership::Unproven { .. } | Ownership::WithoutId) | None => {}
        }
        // Any other answer that is a resource: `{id: old, read: ann}`.
        if let (Some(name), Some(json)) = (&step.id, sent.exchange.json()) {
            if let Some(id) = json.get("id").and_then(Value::as_str) {
                let handle = Handle {
                    resource_type: self.shared.kind_at(&collection),
                    id: Some(id.to_owned()),
                    state: Some(json.clone()),
                };
                let read = prepared.method == "GET";
                self.names.resource(name, &Created { handle, endpoint: collection }, read);
            } else {
                self.names.value(name, json.clone());
            }
        }
    }

    fn capture(
        &mut self,
        captures: &indexmap::IndexMap<String, Capture>,
        exchange: &Exchange,
        place: &str,
    ) -> Flow {
        for (name, capture) in captures {
            let (value, what) = match (&capture.header, &capture.path) {
                (Some(header), _) => (
                    exchange.response().and_then(|response| response.header(header)).map(Value::from),
                    format!("the header {header}"),
                ),
                (None, Some(path)) => match serde_json_path::JsonPath::parse(path) {
                    Ok(parsed) => (
                        exchange.json().and_then(|json| parsed.query(json).exactly_one().ok().cloned()),
                        path.clone(),
                    ),
                    Err(error) => return self.suite_error(format!("capture {name}: {error}")),
                },
                (None, None) => return self.suite_error(format!("capture {name} needs path or header")),
            };
            match value {
                Some(value) => self.names.value(name, value),
                None => {
                    let finding = self.finding(
                        "capture",
                        exchange,
                        place,
                        format!("the answer holds no {what}, which the rest of the case needs"),
                        format!("{what} once"),
                        "absent".to_owned(),
                    );
                    self.part().findings.push(finding);
                    return Flow::End;
                }
            }
        }
        Flow::On
    }

    fn judge(
        &self,
        expect: &Expect,
        exchange: &Exchange,
        prepared: &Prepared,
        step: &Step,
        place: &str,
    ) -> Judgement {
        let part = &self.job.parts[self.current];
        let spec = if step.spec.is_empty() || step.checkpoint.is_some() { &part.spec } else { &step.spec };
        let level = step
            .level
            .or_else(|| if step.spec.is_empty() { None } else { self.cited(&step.spec) })
            .unwrap_or(part.level);
        let at = |below: &str| -> Place {
            let separator = if below.is_empty() || below.starts_with('[') { "" } else { "." };
            self.job.file.place(&format!("{place}{separator}{below}"))
        };
        let context = Context {
            scope: &self.names.scope,
            schemas: &self.shared.probe.schemas,
            capabilities: &self.shared.probe.capabilities,
            reading: self.shared.reading,
            ours: &self.names.ours,
            sent: &self.names.sent,
            filter: prepared.filter.as_deref(),
            level,
            spec,
            place: &at,
        };
        let judgement = judge::judge(expect, exchange, &context);
        if let Some(observer) = self.shared.observer {
            observer(&Observed {
                id: &part.id,
                place,
                expect,
                exchange,
                context: &context,
                judgement: &judgement,
            });
        }
        judgement
    }

    /// The strongest level of the requirements cited.
    fn cited(&self, ids: &[String]) -> Option<Level> {
        self.shared.catalogue.strongest(ids.iter().map(String::as_str))
    }

    /// What a step expects: its row's, its own, or a 2xx where it says nothing.
    fn expectation(&self, step: &Step) -> Expect {
        let row = self.job.row.and_then(|row| row.expect.get(step.id.as_deref()?));
        row.or(step.expect.as_ref()).cloned().unwrap_or_else(|| Expect {
            status: Some(StatusSet(vec![StatusPattern::Class(2)])),
            ..Expect::default()
        })
    }

    /// Where a step's expectation stands in its file.
    fn expect_path(&self, step: &Step, path: &str) -> String {
        let row = self
            .job
            .row
            .and_then(|row| Some((row, step.id.as_deref().filter(|id| row.expect.contains_key(*id))?)));
        match row {
            Some((row, id)) => {
                let index = self.job.case.rows.iter().position(|each| each.id == row.id).unwrap_or_default();
                format!("{}.rows[{index}].expect.{id}", self.job.path)
            }
            None if step.expect.is_some() => format!("{path}.expect"),
            None => path.to_owned(),
        }
    }

    fn plan(&self, prepared: &Prepared, step: &Step) -> RequestPlan {
        let defaults = &self.job.file.suite.defaults;
        let mut headers: Vec<(String, Option<String>)> = defaults
            .headers
            .iter()
            .filter(|(name, _)| !step.headers.keys().any(|own| own.eq_ignore_ascii_case(name)))
            .map(|(name, value)| (name.clone(), value.clone()))
            .collect();
        headers.extend(step.headers.iter().map(|(name, value)| (name.clone(), value.clone())));
        for (_, value) in &mut headers {
            if let Some(text) = value {
                if let Ok(resolved) = self.names.scope.text(text, crate::suite::template::Escape::None) {
                    *text = resolved;
                }
            }
        }
        let auth = step.auth.or(defaults.auth).unwrap_or(Auth::Good);
        let mut plan = RequestPlan::new(&prepared.method, &prepared.path, &self.origin);
        plan.endpoint.clone_from(&prepared.endpoint);
        plan.headers = headers;
        plan.auth = auth;
        plan.body.clone_from(&prepared.body);
        // A case that says it may disturb, and was allowed to, may also send what a good server has to refuse.
        plan.permissions.collection = self.job.case.allow.contains(&Permission::Disruptive);
        plan
    }

    /// Sends a request and files the exchange; the verdict where none came of it.
    async fn send(&mut self, plan: RequestPlan) -> Result<Sent, Verdict> {
        let sent = self.shared.send(plan).await.map_err(|refusal| Verdict::Errored {
            cause: ErrorCause::Guard { detail: refusal.to_string() },
        })?;
        let also = sent.also.iter().map(|exchange| exchange.id);
        self.part().exchanges.extend(also.chain([sent.exchange.id]));
        self.last = Some(Arc::clone(&sent.exchange));
        match &sent.exchange.answer {
            Ok(_) => Ok(sent),
            Err(failure) => Err(match self.shared.not_sent(failure) {
                Some(reason) => Verdict::Skipped { reason },
                None => {
                    let request = &sent.exchange.request;
                    let detail = format!("{} {}: {failure}", request.method, request.path);
                    Verdict::Errored { cause: ErrorCause::Transport { detail } }
                }
            }),
        }
    }

    /// The resource that the last exchange showed, if it is the one with that id.
    fn last_resource(&self, id: &str) -> Option<Value> {
        resource_of(self.last.as_deref()?, id)
    }

    fn suite_error(&mut self, detail: String) -> Flow {
        self.part().trouble = Some(Verdict::Errored { cause: ErrorCause::Suite { detail } });
        Flow::End
    }

    fn finding(
        &self,
        check: &str,
        exchange: &Exchange,
        place: &str,
        message: String,
        expected: String,
        actual: String,
    ) -> Finding {
        let part: &Part = &self.job.parts[self.current];
        Finding {
            check: check.to_owned(),
            level: part.level,
            severity: part.level.severity(),
            requirements: part.spec.clone(),
            message,
            expected: expected.clone(),
            actual: actual.clone(),
            differences: Vec::new(),
            exchange: Some(exchange.id),
            place: Some(self.job.file.place(place)),
            signature: Signature {
                check: check.to_owned(),
                method: exchange.request.method.clone(),
                endpoint: exchange.request.endpoint.clone(),
                expected: "present".to_owned(),
                actual: "absent or foreign".to_owned(),
            },
        }
    }

    fn sources(&self) -> OwnedSources<'_> {
        OwnedSources {
            names: &self.names,
            resource: Box::new(|name| self.names.state(name)),
            sent: Box::new(|step| self.names.sent.get(step).cloned()),
            fixture: Box::new(|name| self.shared.fixture(name, &self.names.generator)),
            fill: Box::new(|resource| self.shared.fill(resource, &self.names.generator)),
        }
    }

    fn finish(self) -> Vec<Outcome> {
        let CaseRun { job, parts, .. } = self;
        job.parts
            .iter()
            .zip(parts)
            .map(|(part, mut ran)| {
                ran.findings.sort_by_key(|finding| std::cmp::Reverse(finding.severity));
                let judged = Verdict::of(&ran.findings);
                let verdict = match ran.trouble {
                    // What the service provider got wrong before the trouble is still its fault.
                    Some(trouble) if judged == Verdict::Failed => {
                        ran.notes.push(format!("the case did not end: {}", describe(&trouble)));
                        judged
                    }
                    Some(trouble) => trouble,
                    None => judged,
                };
                let mut result = outcome(job, part, verdict);
                result.findings = ran.findings;
                result.exchanges = ran.exchanges;
                result.notes = ran.notes;
                result.duration_ms = u64::try_from(ran.elapsed.as_millis()).unwrap_or(u64::MAX);
                result
            })
            .collect()
    }
}

/// The closures behind [`Sources`], kept alive while a body is built.
struct OwnedSources<'c> {
    names: &'c CaseNames,
    resource: Box<dyn Fn(&str) -> Option<Value> + 'c>,
    sent: Box<dyn Fn(&str) -> Option<Value> + 'c>,
    fixture: Box<dyn Fn(&str) -> Option<Value> + 'c>,
    fill: Box<dyn Fn(Value) -> Value + 'c>,
}

impl OwnedSources<'_> {
    fn borrow(&self) -> Sources<'_> {
        Sources {
            scope: &self.names.scope,
            resource: &*self.resource,
            sent: &*self.sent,
            fixture: &*self.fixture,
            fill: &*self.fill,
        }
    }
}

fn resource_of(exchange: &Exchange, id: &str) -> Option<Value> {
    let json = exchange.json().filter(|_| exchange.status() == Some(200))?;
    let shown = json.get("id").and_then(Value::as_str)?;
    judge::same_id(shown, id).then(|| json.clone())
}

fn pause(patience: Option<Eventually>) -> Duration {
    const SHORTEST: Duration = Duration::from_millis(100);
    patience.map_or(SHORTEST, |patience| patience.every.unwrap_or(patience.within / 10).max(SHORTEST))
}

fn precondition(detail: String) -> Verdict {
    Verdict::Errored { cause: ErrorCause::Precondition { detail } }
}

fn describe(verdict: &Verdict) -> String {
    match verdict {
        Verdict::Errored { cause } => cause.to_string(),
        Verdict::Skipped { reason } => reason.to_string(),
        other => other.word().to_owned(),
    }
}
