//! Steps that send several requests at once: what of them overlaps is for the service provider to keep apart.
//!
//! All of them have their turns before the first goes out. A 429, or none at all, is no answer to what such a step
//! asks, so that the case is done once more with fresh values (`case`), and is inconclusive if it happens again.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use chrono::{DateTime, Utc};
use futures_util::future::join_all;
use serde_json::Value;

use super::busy;
use super::case::{CaseRun, Flow};
use super::names::Created;
use super::request::{self, Prepared, RequestError, Sources};
use super::step::CaseSources;
use super::tally::Count;
use crate::judge::Handle;
use crate::judge::rules::OF_ONE_WRITE;
use crate::outcome::{ErrorCause, Verdict};
use crate::suite::model::{Action, BulkLimit, Expect, Parallel, Step};
use crate::suite::template::Scope;
use crate::target::exchange::Exchange;
use crate::target::{Created as Ownership, RequestPlan, Sent, identifier};

impl CaseRun<'_> {
    /// Sends requests at once, and judges how their answers divide.
    pub(super) async fn parallel(
        &mut self,
        step: &Step,
        parallel: &Parallel,
        expect: &Expect,
        place: &str,
    ) -> Flow {
        let prepared = match self.prepare_all(parallel) {
            Ok(prepared) => prepared,
            Err(error) => return self.stop(error.is_lack(), error.to_string()),
        };
        let mut plans = Vec::new();
        for request in &prepared {
            match self.plan(request, step) {
                Ok(plan) => plans.push(RequestPlan { impatient: true, unpaced: true, ..plan }),
                Err(error) => return self.stop(error.is_lack(), error.to_string()),
            }
        }
        self.read_back().await;
        for _ in &plans {
            self.shared.target.await_turn().await;
        }
        let target = self.shared.target;
        let all = join_all(plans.into_iter().map(|plan| target.send(plan))).await;
        self.wrote = Some(Instant::now());
        self.reads.forget();
        self.names.written();
        let mut answered = Vec::new();
        for sent in all {
            match sent {
                Ok(sent) => answered.push(sent),
                Err(refusal) => {
                    let cause = ErrorCause::Guard { detail: refusal.to_string() };
                    self.part().trouble = Some(Verdict::Errored { cause });
                }
            }
        }
        self.file(&answered);
        if self.part().trouble.is_some() {
            return Flow::End;
        }
        if answered.is_empty() {
            return self.stop(true, "there was nothing to send at once".to_owned());
        }
        if let Some(trouble) = self.trouble(&answered) {
            self.part().trouble = Some(trouble);
            return Flow::End;
        }
        let holds = self.count(step, expect, place, &answered);
        self.name_created(step, &prepared, &answered, holds);
        Flow::On
    }

    /// The requests, ready to be sent.
    fn prepare_all(&self, parallel: &Parallel) -> Result<Vec<Prepared>, RequestError> {
        let case = CaseSources { shared: self.shared, names: &self.names };
        let steps = parallel.steps();
        let prepare = |step: &Step, sources: &OneOf<'_>| match step.action() {
            Ok(Action::Send { line, payload }) => request::send(line, &payload, sources),
            _ => Err(RequestError::NoSource),
        };
        if let (Some(over), Some(name), Some(step)) = (&parallel.over, &parallel.name, steps.first()) {
            let each = self.names.ours.handles(over).iter().map(|handle| {
                let state = super::names::with_id(handle);
                let mut scope = self.names.scope.clone();
                scope.insert_handle(name, &state);
                prepare(step, &OneOf { case: &case, scope: &scope, bound: Some((name, &state)) })
            });
            return each.collect();
        }
        let sources = OneOf { case: &case, scope: &self.names.scope, bound: None };
        let times = parallel.times.map_or(1, |times| times as usize);
        (0..times).flat_map(|_| &steps).map(|step| prepare(step, &sources)).collect()
    }

    /// Takes note of the exchanges: as evidence, and for the rules.
    fn file(&mut self, answered: &[Sent]) {
        let mut by_status: BTreeMap<String, usize> = BTreeMap::new();
        for sent in answered {
            let status = sent.exchange.status().map_or_else(|| "nothing".to_owned(), |it| it.to_string());
            *by_status.entry(status).or_default() += 1;
            self.shared.mute(&OF_ONE_WRITE.map(|rule| rule.name.to_owned()), sent.exchange.id);
            let also = sent.also.iter().map(|exchange| exchange.id);
            self.parts[self.current].exchanges.extend(also.chain([sent.exchange.id]));
        }
        let counts: Vec<String> =
            by_status.iter().map(|(status, count)| format!("{count} answered {status}")).collect();
        let overlap = most_at_once(answered.iter().map(|sent| span(&sent.exchange)).collect());
        let note = format!(
            "{} requests at once, {overlap} of them under way at the same time: {}",
            answered.len(),
            counts.join(", ")
        );
        self.part().notes.push(note);
        self.last = answered.last().map(|sent| Arc::clone(&sent.exchange));
    }

    /// What an exchange without a meaning for these requests comes to.
    fn trouble(&mut self, answered: &[Sent]) -> Option<Verdict> {
        answered.iter().find_map(|sent| {
            let why = match &sent.exchange.answer {
                Ok(_) => busy(&sent.exchange).map(|_| "one was answered 429".to_owned())?,
                Err(failure) => match self.shared.not_sent(failure) {
                    Some(reason) => return Some(Verdict::Skipped { reason }),
                    None => format!("one got no answer: {failure}"),
                },
            };
            self.lost = Some(why.clone());
            Some(Verdict::Inconclusive { why: format!("of requests sent at once {why}") })
        })
    }

    /// Names what was created: one resource, or several where that is what was expected.
    fn name_created(&mut self, step: &Step, prepared: &[Prepared], answered: &[Sent], holds: bool) {
        let Some(name) = &step.id else { return };
        let mut created: Vec<Created> = prepared
            .iter()
            .zip(answered)
            .filter(|(request, sent)| request.method == "POST" && sent.exchange.status() == Some(201))
            .filter_map(|(request, sent)| {
                let shown = sent.exchange.json();
                let id = match &sent.created {
                    Some(Ownership::Owned { id, .. }) => Some(id.clone()),
                    Some(Ownership::Disowned { .. }) => None,
                    _ => shown.and_then(identifier),
                }?;
                let collection = request.endpoint.trim_end_matches("/{id}").to_owned();
                let handle = Handle {
                    resource_type: self.shared.kind_at(&collection),
                    id: Some(id),
                    state: shown.or(request.json.as_ref()).cloned(),
                };
                Some(Created { handle, endpoint: collection })
            })
            .collect();
        if !holds {
            // What comes later is about one of them, if more came than should have.
            created.truncate(1);
        }
        if !created.is_empty() {
            self.names.resources(name, &created);
        }
    }

    /// Judges how the answers divide, by the expectation and by each block beside it. Whether all of it holds.
    fn count(&mut self, step: &Step, expect: &Expect, place: &str, answered: &[Sent]) -> bool {
        let answers: Vec<Arc<Exchange>> = answered.iter().map(|sent| Arc::clone(&sent.exchange)).collect();
        let Some(last) = answers.last() else { return true };
        if let Some(id) = &step.id {
            let counts = Count::of(&expect.tally, &answers).counts;
            let all = expect.tally.iter().zip(counts).find(|(_, count)| *count as usize == answers.len());
            if let Some(name) = all.and_then(|(tally, _)| tally.name.clone()) {
                self.names.matched.insert(id.clone(), name);
            }
        }
        let also = expect.also.iter().enumerate();
        let blocks = [(place.to_owned(), expect)]
            .into_iter()
            .chain(also.map(|(index, block)| (format!("{place}.also[{index}]"), block)));
        let mut holds = true;
        for (place, block) in blocks {
            if block.requires.iter().any(|requires| self.shared.claims(requires).is_err()) {
                continue;
            }
            let findings = self.miscounts(step, block, &place, &answers, last, "the requests sent at once");
            for answer in &answers {
                self.shared.mute(&block.mutes, answer.id);
            }
            holds &= findings.is_empty();
            self.part().findings.extend(findings);
        }
        holds
    }
}

/// From when to when a request was under way.
fn span(exchange: &Exchange) -> (DateTime<Utc>, DateTime<Utc>) {
    let took = chrono::TimeDelta::from_std(exchange.elapsed).unwrap_or(chrono::TimeDelta::MAX);
    (exchange.started, exchange.started.checked_add_signed(took).unwrap_or(DateTime::<Utc>::MAX_UTC))
}

/// How many of several spans of time lie over one moment, at most.
fn most_at_once(spans: Vec<(DateTime<Utc>, DateTime<Utc>)>) -> usize {
    let over = |moment: DateTime<Utc>| {
        spans.iter().filter(|(start, end)| *start <= moment && moment < *end).count().max(1)
    };
    spans.iter().map(|(start, _)| over(*start)).max().unwrap_or(0)
}

/// A case's sources for one of several requests, and the resource that it is for.
struct OneOf<'o> {
    case: &'o CaseSources<'o>,
    scope: &'o Scope,
    bound: Option<(&'o str, &'o Value)>,
}

impl Sources for OneOf<'_> {
    fn scope(&self) -> &Scope {
        self.scope
    }

    fn resource(&self, name: &str) -> Option<Value> {
        match self.bound {
            Some((bound, state)) if bound == name => Some(state.clone()),
            _ => self.case.resource(name),
        }
    }

    fn sent(&self, step: &str) -> Option<Value> {
        self.case.sent(step)
    }

    fn fixture(&self, name: &str) -> Option<Value> {
        self.case.fixture(name)
    }

    fn fill(&self, resource: Value) -> Value {
        self.case.fill(resource)
    }

    fn declared(&self, resource: Value) -> Value {
        self.case.declared(resource)
    }

    fn limit(&self, limit: BulkLimit) -> Option<u64> {
        self.case.limit(limit)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono::TimeDelta;

    #[test]
    fn requests_overlap_while_they_are_under_way() {
        let at = |start: i64, end: i64| {
            let zero = DateTime::UNIX_EPOCH;
            (zero + TimeDelta::milliseconds(start), zero + TimeDelta::milliseconds(end))
        };
        assert_eq!(most_at_once(vec![at(0, 5), at(1, 4), at(2, 3)]), 3);
        assert_eq!(most_at_once(vec![at(0, 1), at(1, 2), at(2, 3)]), 1);
        assert_eq!(most_at_once(vec![at(0, 9), at(1, 2), at(3, 4)]), 2);
        assert_eq!(most_at_once(Vec::new()), 0);
    }
}
