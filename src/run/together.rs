//! The last reads of write cases, made together: one list by the run's mark for many cases, instead of a read for each.
//!
//! A row stands for a read only where nothing at all is wrong with it: the case's expectation holds of it, and no rule
//! that holds a read against the write before it, or against a schema, has anything to say. Else the case makes its own
//! read, and that alone is judged; so what fails always shows its own exchange. Of each kind of write the first is
//! read by itself in any case, so that a service provider whose lists know more than its reads does not go unseen.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, PoisonError};

use bytes::Bytes;
use serde_json::Value;

use super::Shared;
use super::case::CaseRun;
use super::read_back::asks_for_more;
use super::request::{self, Prepared};
use super::step::CaseSources;
use crate::judge::History;
use crate::judge::rules::{Definitions, OF_WRITES, Pairs, RuleContext, RuleVerdict, View};
use crate::outcome::Level;
use crate::suite::model::{Action, Auth, Becomes, Check, Expect, Payload, StatusPattern, StatusSet, Step};
use crate::target::batch::WORTH;
use crate::target::exchange::{Body, Exchange, ExchangeId, Request, Response};
use crate::target::{resource_at, resource_path};

/// So many reads after writes of one kind are made by themselves before rows stand for others.
pub(super) const BY_THEMSELVES: usize = 1;

/// About how many lists that takes.
pub(super) const LISTS: usize = 4;

/// Who asks for lists of what was written.
const ORIGIN: &str = "read-back";

/// A case that has only reads before it.
pub(super) struct Waiting<'r> {
    pub(super) case: CaseRun<'r>,
    /// Its first step that was not made.
    pub(super) next: usize,
    reads: Vec<Wanted>,
}

/// A read that a row may stand for.
struct Wanted {
    at: (String, String),
    /// What the case expects of it; nothing where only the rules look at it.
    judged: Option<(usize, Expect, Prepared, String)>,
}

impl<'r> CaseRun<'r> {
    /// The reads that are left of the case, where it has no more than that and rows may stand for them.
    fn last_reads(&self, next: usize) -> Option<Vec<Wanted>> {
        let defaults = &self.job.file.suite.defaults;
        let is_plain = self.job.parts.len() == 1
            && defaults.auth.is_none_or(|auth| auth == Auth::Good)
            && !defaults.headers.iter().any(|(name, value)| asks_for_more(name, value.as_deref()))
            && defaults.eventually.is_none();
        if !is_plain {
            return None;
        }
        let mut wanted: Vec<Wanted> = Vec::new();
        for (index, step) in self.job.case.steps.iter().enumerate().skip(next) {
            // What the answers so far have decided may be skipped; what a read will decide is not known yet.
            if !self.is_decided(step)? {
                continue;
            }
            for (at, expect, prepared, place) in self.plain_reads(index, step)? {
                if wanted.iter().any(|other| other.at == at) || !self.shared.target.owns(&at.0, &at.1) {
                    return None;
                }
                wanted.push(Wanted { at, judged: Some((index, expect, prepared, place)) });
            }
        }
        if let Some(at) = self.reads.due_at().filter(|at| wanted.iter().all(|other| other.at != **at)) {
            wanted.push(Wanted { at: at.clone(), judged: None });
        }
        (!wanted.is_empty()).then_some(wanted)
    }

    /// Whether a step is made, by the alternatives that were taken; nothing where that is still open.
    fn is_decided(&self, step: &Step) -> Option<bool> {
        let mut is_made = true;
        for (id, names) in &step.when {
            is_made &= names.contains(self.names.matched.get(id)?);
        }
        Some(is_made)
    }

    /// The whole reads of resources that a step consists of; nothing where it is anything else, or where its expectation
    /// looks at more than the resource.
    #[expect(clippy::type_complexity, reason = "the parts of one value that lives for a line")]
    fn plain_reads(
        &self,
        index: usize,
        step: &Step,
    ) -> Option<Vec<((String, String), Expect, Prepared, String)>> {
        let is_plain = step.auth.is_none()
            && step.headers.is_empty()
            && step.capture.is_empty()
            && step.eventually.is_none()
            && step.requires.is_empty()
            && step.creates.is_empty();
        if !is_plain {
            return None;
        }
        let path = step.stands_at.clone().unwrap_or_else(|| format!("{}.steps[{index}]", self.job.path));
        let asked = self.expectation(step);
        let place = self.expect_path(step, &path);
        match step.action().ok()? {
            Action::Read(name) => {
                let at = self.names.whereabouts(name)?;
                let prepared = request::read(&at.0, &at.1);
                is_about_resource(&asked, self.shared).then(|| vec![(at, asked, prepared, place)])
            }
            Action::Unchanged(all) => all
                .iter()
                .map(|name| {
                    let at = self.names.whereabouts(name)?;
                    let prepared = request::read(&at.0, &at.1);
                    Some((at, unchanged(name, &asked), prepared, format!("{path}.unchanged")))
                })
                .collect(),
            Action::Send { line, payload: payload @ Payload::None } if line.starts_with("GET ") => {
                let sources = CaseSources { shared: self.shared, names: &self.names };
                let prepared = request::send(line, &payload, &sources).ok()?;
                let at = resource_at(&prepared.path).filter(|_| !prepared.path.contains('?'))?;
                is_about_resource(&asked, self.shared).then(|| vec![(at, asked, prepared, place)])
            }
            _ => None,
        }
    }

    /// Waits with the reads that are left, where others wait as well.
    pub(super) fn may_wait(&self, next: usize) -> bool {
        let Some(together) = self.shared.together.get() else { return false };
        let Some(kind) = self.reads.kind() else { return false };
        if self.last_reads(next).is_none() {
            return false;
        }
        let mut seen = together.lock().unwrap_or_else(PoisonError::into_inner);
        let count = seen.entry(kind.to_owned()).or_default();
        *count += 1;
        *count > BY_THEMSELVES
    }

    pub(super) fn waiting_with(self, next: usize) -> Waiting<'r> {
        let reads = self.last_reads(next).unwrap_or_default();
        Waiting { case: self, next, reads }
    }
}

/// What is expected of a resource that nothing changed.
pub(super) fn unchanged(name: &str, asked: &Expect) -> Expect {
    Expect {
        status: Some(StatusSet(vec![StatusPattern::Code(200)])),
        becomes: Some(Becomes { from: Some(name.to_owned()), ..Becomes::default() }),
        level: asked.level,
        spec: asked.spec.clone(),
        title: Some(format!("'{name}' is as it was before")),
        ..Expect::default()
    }
}

/// Whether an expectation can be judged by the resource alone.
fn is_about_resource(expect: &Expect, shared: &Shared<'_>) -> bool {
    let of_body = |checks: &[Check]| checks.iter().all(|check| check.header.is_none() && !check.elapsed);
    expect.error.is_none()
        && expect.list.is_none()
        && expect.never.is_empty()
        && expect.mutes.is_empty()
        && expect.tally.is_empty()
        && expect.invariants.is_empty()
        && (expect.snapshot.is_none() || shared.snapshots.is_none())
        && of_body(&expect.checks)
        && expect.any.iter().all(|alternative| of_body(&alternative.checks))
        && expect.also.iter().all(|block| block.mutes.is_empty() && of_body(&block.checks))
}

/// The waiting cases of which all rows hold, by their position, with the lists that showed them. The others have to read
/// for themselves.
pub(super) async fn judge_rows(
    shared: &Shared<'_>,
    waiting: &[Waiting<'_>],
) -> BTreeMap<usize, BTreeSet<ExchangeId>> {
    if waiting.len() < WORTH || shared.target.exchanges_dropped() > 0 || shared.target.interrupted() {
        return BTreeMap::new();
    }
    let mut ids: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for wanted in waiting.iter().flat_map(|waits| &waits.reads) {
        ids.entry(&wanted.at.0).or_default().push(&wanted.at.1);
    }
    let mut rows: BTreeMap<(&str, String), (Arc<Exchange>, Value)> = BTreeMap::new();
    for (endpoint, ids) in ids.into_iter().filter(|(_, ids)| ids.len() >= WORTH) {
        let found = shared.target.survey(endpoint, &ids, shared.target.run_mark(), ORIGIN).await;
        rows.extend(found.into_iter().map(|(id, row)| ((endpoint, id), row)));
    }
    let log = shared.target.exchanges();
    let mut number = log.last().map_or(0, |last| last.id.0);
    let mut shown: Vec<(usize, &Wanted, ExchangeId, Exchange)> = Vec::new();
    let mut lacking = BTreeSet::new();
    for (index, waits) in waiting.iter().enumerate() {
        for wanted in &waits.reads {
            let Some((list, row)) = rows.get(&(wanted.at.0.as_str(), wanted.at.1.clone())) else {
                lacking.insert(index);
                continue;
            };
            number += 1;
            shown.push((index, wanted, list.id, as_read(list, wanted, row, &waits.case.origin, number)));
        }
    }
    let all = || log.iter().map(AsRef::as_ref).chain(shown.iter().map(|(.., read)| read));
    let (definitions, history, pairs) =
        (Definitions::of(&shared.probe.schemas), History::of(all()), Pairs::of(all()));
    let mutes = shared.mutes.lock().unwrap_or_else(PoisonError::into_inner).clone();
    let context = RuleContext {
        level: Level::Must,
        spec: &[],
        place: None,
        definitions: &definitions,
        history: &history,
        pairs: &pairs,
        capabilities: &shared.probe.capabilities,
        reading: shared.reading,
        mutes: &mutes,
        validated: None,
    };
    let view = View::of(&context);
    let mut held: BTreeMap<usize, BTreeSet<ExchangeId>> = BTreeMap::new();
    for (index, wanted, list, read) in &shown {
        let case = &waiting[*index].case;
        let expected = wanted.judged.as_ref().is_none_or(|(step, expect, prepared, place)| {
            let step = &case.job.case.steps[*step];
            let judgement = case.judge(expect, read, prepared, step, place);
            judgement.error.is_none() && judgement.findings.is_empty()
        });
        let is_right = expected
            && OF_WRITES.iter().all(|rule| {
                matches!((rule.judge)(read, &view), RuleVerdict::Held | RuleVerdict::NotEligible)
            });
        if is_right && !lacking.contains(index) {
            held.entry(*index).or_default().insert(*list);
        } else {
            lacking.insert(*index);
        }
    }
    held.retain(|index, _| !lacking.contains(index));
    held
}

/// The read that a row stands for: only to be judged, and never in a report.
fn as_read(list: &Exchange, wanted: &Wanted, row: &Value, origin: &str, number: u64) -> Exchange {
    let path = resource_path(&wanted.at.0, &wanted.at.1);
    let headers = list
        .response()
        .and_then(|response| response.header("Content-Type"))
        .map(|media_type| ("Content-Type".to_owned(), media_type.to_owned()));
    Exchange {
        id: ExchangeId(number),
        origin: origin.to_owned(),
        reason: Some("a row of a list".to_owned()),
        request: Request {
            method: "GET".to_owned(),
            url: path.clone(),
            endpoint: format!("{}/{{id}}", wanted.at.0),
            path,
            auth: Auth::Good,
            headers: list.request.headers.clone(),
            body: None,
        },
        answer: Ok(Response {
            status: 200,
            headers: headers.into_iter().collect(),
            body: Body::whole(Bytes::from(row.to_string())),
            repeats_secret: false,
        }),
        started: list.started,
        elapsed: list.elapsed,
    }
}
