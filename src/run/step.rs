//! One step of a case: its request, the reads that have to come before it, and the sending.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::case::{CaseRun, Flow, precondition};
use super::deviation::ByDocument;
use super::joined::Answered;
use super::names::CaseNames;
use super::patience::ReadKind;
use super::request::{self, Prepared, RequestError, Sources};
use super::together::unchanged;
use super::{Shared, busy};
use crate::judge;
use crate::outcome::{ErrorCause, Verdict};
use crate::plan::{Phase, is_write, stands_on, ways};
use crate::suite::model::{
    Action, Auth, BulkLimit, Capability, Encode, Eventually, Expect, Permission, StatusPattern, StatusSet,
    Step,
};
use crate::suite::template::{Escape, Scope, TemplateError};
use crate::target::exchange::Exchange;
use crate::target::{RequestPlan, Sent, identifier, resource_at};

impl CaseRun<'_> {
    /// Performs one step and takes note of what it came to.
    pub(super) async fn step(&mut self, step: &Step, path: &str, later: &[Step]) -> Flow {
        if is_write(step)
            && let Flow::End = self.before_images(step, later).await
        {
            return Flow::End;
        }
        let action = match step.action() {
            Ok(action) => action,
            Err(error) => return self.suite_error(format!("{path}: {error}")),
        };
        let asked = self.expectation(step);
        let place = self.expect_path(step, path);
        match action {
            Action::Send { line, payload } => {
                let sources = CaseSources { shared: self.shared, names: &self.names };
                let prepared = request::send(line, &payload, &sources);
                self.exchange(step, prepared, &asked, &place).await
            }
            Action::Query(query) => {
                if let Some(answered) = self.shared.answered(&self.origin, path) {
                    self.note_answered(answered);
                    return Flow::On;
                }
                for way in ways(&query.by) {
                    let encode = step.encode.unwrap_or(Encode::Strict);
                    let prepared = request::query(
                        query,
                        way,
                        encode,
                        &self.names.scope,
                        self.shared.page_size_parameter(),
                    );
                    if self.exchange(step, prepared, &asked, &place).await == Flow::End {
                        return Flow::End;
                    }
                }
                Flow::On
            }
            Action::Paginate(paginate) => self.paginate(step, paginate, &asked, &place).await,
            // A case that runs has the steps of its actions in place.
            Action::Do(_) => self.suite_error(format!("{path}: there is no such action")),
            Action::Read(name) => {
                let Some(at) = self.names.whereabouts(name) else {
                    return self.stop(true, format!("{path}: there is no resource '{name}' to read"));
                };
                self.read(step, name, at, &asked, &place).await
            }
            Action::Unchanged(all) => {
                for name in all {
                    let Some(at) = self.names.whereabouts(name) else {
                        return self.stop(true, format!("{path}: there is no resource '{name}' to compare"));
                    };
                    let unchanged = unchanged(name, &asked);
                    let place = format!("{path}.unchanged");
                    if self.read(step, name, at, &unchanged, &place).await == Flow::End {
                        return Flow::End;
                    }
                }
                Flow::On
            }
            Action::Hook(name) => self.hook(step, name, path).await,
            Action::Burst(burst) => self.burst(step, burst, &asked, &place).await,
            Action::Wait(wait) => self.wait(wait).await,
            Action::Parallel(parallel) => self.parallel(step, parallel, &asked, &place).await,
        }
    }

    /// Takes note of an answer to several filters at once, which was right.
    fn note_answered(&mut self, answered: Answered) {
        let part = self.part();
        if !part.exchanges.contains(&answered.exchange) {
            part.exchanges.push(answered.exchange);
        }
        part.notes.push(format!("asked together with {} others in one request", answered.others));
    }

    /// Reads the resource of a name where it lives, judges the answer, and takes note of what it showed.
    async fn read(
        &mut self,
        step: &Step,
        name: &str,
        (endpoint, id): (String, String),
        expect: &Expect,
        place: &str,
    ) -> Flow {
        let flow = self.exchange(step, Ok(request::read(&endpoint, &id)), expect, place).await;
        if let Some(state) = self.last.as_deref().and_then(|exchange| resource_of(exchange, &id)) {
            self.names.observed(name, state);
        }
        flow
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
            if let Some(state) = self.reads.image(&endpoint, &id).cloned() {
                self.names.observed(&name, state);
                continue;
            }
            // The step's own credentials and headers may be what it tests.
            let plan = match self.plan(&request::read(&endpoint, &id), &Step::default()) {
                Ok(plan) => RequestPlan {
                    reason: Some(format!("read before a step, to compare '{name}' with")),
                    ..plan
                },
                Err(error) => return self.stop(error.is_lack(), error.to_string()),
            };
            let mut waiting = self.waiting(ReadKind::Resource);
            let sent = loop {
                let sent = self.send(plan.clone()).await;
                let repeats = match &sent {
                    Ok(sent) => self.again(&mut waiting, &sent.exchange, None).await,
                    Err(_) => false,
                };
                if !repeats {
                    break sent;
                }
            };
            match sent {
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
    pub(super) async fn exchange(
        &mut self,
        step: &Step,
        prepared: Result<Prepared, RequestError>,
        expect: &Expect,
        place: &str,
    ) -> Flow {
        let prepared = match prepared {
            Ok(prepared) => prepared,
            Err(error) => return self.stop(error.is_lack(), error.to_string()),
        };
        if let (Some(id), Some(json)) = (&step.id, &prepared.json) {
            self.names.sent.insert(id.clone(), json.clone());
        }
        let patience =
            step.eventually.or(self.job.file.suite.defaults.eventually).filter(|_| !is_write(step));
        let deadline = patience.map(|patience| Instant::now() + patience.within);
        let plan = match self.plan(&prepared, step) {
            Ok(plan) => plan,
            Err(error) => return self.stop(error.is_lack(), error.to_string()),
        };
        let mut waiting = self.waiting_for(step, &plan, expect).filter(|_| patience.is_none());
        loop {
            let sent = match self.send(plan.clone()).await {
                Ok(sent) => self.all_pages(step, &prepared, sent).await,
                Err(verdict) => Err(verdict),
            };
            let sent = match sent {
                Ok(sent) => sent,
                Err(verdict) => {
                    self.part().trouble = Some(verdict);
                    return Flow::End;
                }
            };
            let (judgement, by_document) = self.judge_either(expect, &sent.exchange, &prepared, step, place);
            let in_time = deadline.is_some_and(|deadline| Instant::now() < deadline);
            let holds = by_document.as_ref().map_or(judgement.findings.is_empty(), ByDocument::holds);
            if !holds && in_time {
                tokio::time::sleep(pause(patience)).await;
                continue;
            }
            // What the vendor documents needs no patience, whatever the RFC's expectation says of it.
            let contradicting = if holds { &[] } else { judgement.findings.as_slice() };
            if judgement.error.is_none()
                && self.again(&mut waiting, &sent.exchange, Some(contradicting)).await
            {
                self.shared.mute(&expect.mutes, sent.exchange.id);
                continue;
            }
            let flow = self.settle(step, &prepared, expect, place, &sent, judgement);
            let is_end = by_document.is_some_and(|by| self.note_deviation(by, &sent.exchange));
            return if is_end { Flow::End } else { flow };
        }
    }

    /// What a step expects: its row's, its own, or a 2xx where it says nothing.
    pub(super) fn expectation(&self, step: &Step) -> Expect {
        let row = self.job.row.and_then(|row| row.expect.get(step.id.as_deref()?));
        row.or(step.expect.as_ref()).cloned().unwrap_or_else(|| Expect {
            status: Some(StatusSet(vec![StatusPattern::Class(2)])),
            ..Expect::default()
        })
    }

    /// Where a step's expectation stands in its file.
    pub(super) fn expect_path(&self, step: &Step, path: &str) -> String {
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

    /// The request with credentials and headers: the suite's, and over them the step's.
    pub(super) fn plan(&self, prepared: &Prepared, step: &Step) -> Result<RequestPlan, TemplateError> {
        let defaults = &self.job.file.suite.defaults;
        let mut headers: Vec<(String, Option<String>)> = defaults
            .headers
            .iter()
            .filter(|(name, _)| !step.headers.keys().any(|own| own.eq_ignore_ascii_case(name)))
            .map(|(name, value)| (name.clone(), value.clone()))
            .collect();
        headers.extend(step.headers.iter().map(|(name, value)| (name.clone(), value.clone())));
        for text in headers.iter_mut().filter_map(|(_, value)| value.as_mut()) {
            *text = self.names.scope.text(text, Escape::None)?;
        }
        let auth = step.auth.or(defaults.auth).unwrap_or(Auth::Good);
        let mut plan = RequestPlan::new(&prepared.method, &prepared.path, &self.origin);
        plan.endpoint.clone_from(&prepared.endpoint);
        plan.headers = headers;
        plan.auth = auth;
        plan.body.clone_from(&prepared.body);
        // The guard judges each operation of a bulk job by itself.
        plan.permissions.bulk = true;
        // A case that says it may disturb, and was allowed to, may also send what a good server has to refuse.
        plan.permissions.collection = self.job.case.allow.contains(&Permission::Disruptive);
        for path in &step.creates {
            let path = self.names.scope.text(path, Escape::PathSegment)?;
            plan.creates.extend(resource_at(&path));
        }
        Ok(plan)
    }

    /// Sends a request and files the exchange; the verdict where none came of it.
    pub(super) async fn send(&mut self, plan: RequestPlan) -> Result<Sent, Verdict> {
        self.read_before(&plan).await;
        let was_ours =
            resource_at(&plan.path).is_some_and(|(endpoint, id)| self.shared.target.owns(&endpoint, &id));
        let sent = match self.job.phase {
            Phase::ReadOnly => self.shared.send_once(plan.clone(), &mut self.asked).await,
            _ => self.shared.send(plan.clone()).await,
        };
        let sent = sent.map_err(|refusal| Verdict::Errored {
            cause: ErrorCause::Guard { detail: refusal.to_string() },
        })?;
        self.note_exchange(&plan, &sent, was_ours);
        let also = sent.also.iter().map(|exchange| exchange.id);
        self.part().exchanges.extend(also.chain([sent.exchange.id]));
        self.last = Some(Arc::clone(&sent.exchange));
        let request = &sent.exchange.request;
        match &sent.exchange.answer {
            Ok(_) => match busy(&sent.exchange) {
                None => Ok(sent),
                Some(why) => {
                    let detail = format!("{} {}: {why}", request.method, request.path);
                    Err(Verdict::Errored { cause: ErrorCause::Transport { detail } })
                }
            },
            Err(failure) => Err(self.shared.unanswered(&sent.exchange, failure)),
        }
    }

    pub(super) fn suite_error(&mut self, detail: String) -> Flow {
        self.stop(false, detail)
    }

    /// Ends the case: for want of what an earlier answer should have brought, or by a fault of the suite.
    pub(super) fn stop(&mut self, is_lack: bool, detail: String) -> Flow {
        self.part().trouble = Some(if is_lack {
            precondition(detail)
        } else {
            Verdict::Errored { cause: ErrorCause::Suite { detail } }
        });
        Flow::End
    }
}

/// A case's own sources of bodies.
pub(super) struct CaseSources<'c> {
    pub(super) shared: &'c Shared<'c>,
    pub(super) names: &'c CaseNames,
}

impl Sources for CaseSources<'_> {
    fn scope(&self) -> &Scope {
        &self.names.scope
    }

    fn resource(&self, name: &str) -> Option<Value> {
        self.names.state(name)
    }

    fn sent(&self, step: &str) -> Option<Value> {
        self.names.sent.get(step).cloned()
    }

    fn fixture(&self, name: &str) -> Option<Value> {
        self.shared.fixture(name, &self.names.generator)
    }

    fn fill(&self, resource: Value) -> Value {
        self.shared.fill(resource, &self.names.generator)
    }

    fn declared(&self, resource: Value) -> Value {
        self.shared.declared(resource)
    }

    fn limit(&self, limit: BulkLimit) -> Option<u64> {
        // Asked for in spite of its size, a limit like that would be a burden to both sides.
        let capabilities = &self.shared.probe.capabilities;
        let (capability, most) = match limit {
            BulkLimit::MaxOperations => (Capability::BulkMaxOperations, capabilities.max_operations),
            BulkLimit::MaxPayloadSize => (Capability::BulkMaxPayloadSize, capabilities.max_payload_size),
        };
        most.filter(|_| capabilities.claim(capability).is_some_and(|claim| claim.supported))
    }
}

/// The resource of that id in an answer, if that is what it is.
pub(super) fn resource_of(exchange: &Exchange, id: &str) -> Option<Value> {
    let json = exchange.json().filter(|_| exchange.status() == Some(200))?;
    let shown = identifier(json)?;
    judge::same_id(&shown, id).then(|| json.clone())
}

fn pause(patience: Option<Eventually>) -> Duration {
    const SHORTEST: Duration = Duration::from_millis(100);
    patience.map_or(SHORTEST, |patience| patience.every.unwrap_or(patience.within / 10).max(SHORTEST))
}
