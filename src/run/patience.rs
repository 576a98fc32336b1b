//! Patience with services that are eventually consistent (`--settle`): a read that contradicts the writes before it is
//! made again, with growing pauses, before anybody judges it.
//!
//! Only reads soon after a write of the same case, or of what it stands on, are made again, and only where what came
//! could be an older state: the resource, or its absence. What a read has to agree with is what judges it anyway: the
//! step's expectation, and the rules that hold reads against writes. A contradiction that outlasted the whole time
//! twice is not waited for again: then it is no matter of time.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use super::Shared;
use super::case::CaseRun;
use crate::judge::History;
use crate::judge::rules::{self, Definitions, Pairs, RuleContext};
use crate::outcome::{Finding, Level, Severity, Signature};
use crate::suite::model::{Action, Auth, Expect, StatusPattern, Step};
use crate::target::exchange::Exchange;
use crate::target::pauses::{HOPELESS, Pauses};
use crate::target::{RequestPlan, resource_at};

/// The rules that hold a read against the writes before it.
const RULES: [&str; 7] = [
    "written-is-read",
    "refused-changes-nothing",
    "write-answer-is-read",
    "created-stays",
    "deleted-is-gone",
    "version-follows-writes",
    "modified-never-back",
];

/// What is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum ReadKind {
    /// One resource.
    Resource,
    /// A list.
    List,
}

/// How many reads after writes there were, and how they agreed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tally {
    /// Reads soon after a write, each counted once.
    pub reads: u64,
    /// How many of them had to be made again, and then agreed.
    pub waited: u64,
    /// How many of them never agreed.
    pub never: u64,
    /// The longest time from the write to the read that agreed, among those that had to be made again.
    pub longest: Duration,
}

/// The patience of a run, and what it met.
#[derive(Debug)]
pub struct Patience {
    within: Duration,
    met: Mutex<Met>,
    definitions: OnceLock<Definitions>,
}

#[derive(Debug, Default)]
struct Met {
    tallies: BTreeMap<ReadKind, Tally>,
    /// How often each contradiction outlasted the whole time, by its signature.
    outlasted: BTreeMap<String, u32>,
}

impl Patience {
    /// Patience for that long with each read.
    pub fn new(within: Duration) -> Patience {
        Patience { within, met: Mutex::default(), definitions: OnceLock::new() }
    }

    /// How long a read may contradict.
    pub fn within(&self) -> Duration {
        self.within
    }

    /// What became of the reads so far.
    pub fn tally(&self, kind: ReadKind) -> Tally {
        self.met().tallies.get(&kind).copied().unwrap_or_default()
    }

    fn met(&self) -> MutexGuard<'_, Met> {
        self.met.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Met {
    fn is_hopeless(&self, contradictions: &[Signature]) -> bool {
        contradictions.iter().all(|it| self.outlasted.get(&key(it)).is_some_and(|times| *times >= HOPELESS))
    }
}

fn key(signature: &Signature) -> String {
    format!("{signature:?}")
}

/// A read that may be made again.
#[derive(Debug)]
pub(super) struct Waiting {
    kind: ReadKind,
    wrote: Instant,
    pauses: Pauses,
    tries: u32,
}

impl CaseRun<'_> {
    /// The patience for a read that is about to be made: some where something was written a moment ago.
    pub(super) fn waiting(&self, kind: ReadKind) -> Option<Waiting> {
        let within = self.shared.patience.as_ref()?.within;
        let wrote = self.wrote.filter(|wrote| wrote.elapsed() < within)?;
        Some(Waiting { kind, wrote, pauses: Pauses::starting(Instant::now(), within), tries: 0 })
    }

    /// The patience for a step that reads, where an older state could be what it met instead.
    pub(super) fn waiting_for(&self, step: &Step, plan: &RequestPlan, expect: &Expect) -> Option<Waiting> {
        let kind = match step.action() {
            Ok(Action::Query(_)) => ReadKind::List,
            Ok(Action::Read(_) | Action::Unchanged(_) | Action::Send { .. }) if plan.method == "GET" => {
                if resource_at(&plan.path).is_some() {
                    ReadKind::Resource
                } else {
                    ReadKind::List
                }
            }
            _ => return None,
        };
        let is_about_state = expect.status.as_ref().is_none_or(|statuses| {
            statuses.0.iter().any(|status| {
                matches!(status, StatusPattern::Class(2) | StatusPattern::Code(200 | 404 | 410))
            })
        });
        self.waiting(kind).filter(|_| is_about_state && plan.auth == Auth::Good)
    }

    /// Whether a read is to be made again, after the pause that this takes. What a step expects has `judged` it; reads
    /// that no step asks for are judged by nobody yet.
    pub(super) async fn again(
        &self,
        waiting: &mut Option<Waiting>,
        exchange: &Exchange,
        judged: Option<&[Finding]>,
    ) -> bool {
        let (Some(patience), Some(read)) = (&self.shared.patience, waiting.as_mut()) else { return false };
        let contradictions = self.contradictions(exchange, judged);
        let now = Instant::now();
        let pause = {
            let mut met = patience.met();
            let hopeless = !contradictions.is_empty() && met.is_hopeless(&contradictions);
            let pause = read.pauses.next(now);
            let Some(pause) = pause.filter(|_| !contradictions.is_empty() && !hopeless && self.may_repeat())
            else {
                if pause.is_none() {
                    for it in &contradictions {
                        *met.outlasted.entry(key(it)).or_default() += 1;
                    }
                }
                let tally = met.tallies.entry(read.kind).or_default();
                tally.reads += 1;
                if !contradictions.is_empty() {
                    tally.never += 1;
                } else if read.tries > 0 {
                    tally.waited += 1;
                    tally.longest = tally.longest.max(now - read.wrote);
                }
                *waiting = None;
                return false;
            };
            pause
        };
        read.tries += 1;
        self.shared.target.rest(pause).await;
        true
    }

    fn may_repeat(&self) -> bool {
        !self.shared.target.interrupted() && self.shared.gone().is_none() && self.shared.can_spare()
    }

    /// What contradicts the writes before a read, as far as an older state could explain it.
    fn contradictions(&self, read: &Exchange, judged: Option<&[Finding]>) -> Vec<Signature> {
        if !matches!(read.status(), Some(200 | 404 | 410)) {
            return Vec::new();
        }
        let of_step = judged.into_iter().flatten().filter(|finding| finding.severity > Severity::Note);
        let mut all: Vec<Signature> = of_step.map(|finding| finding.signature.clone()).collect();
        all.extend(self.departures(read));
        if all.is_empty() && judged.is_none() && self.is_lost(read) {
            all.push(Signature {
                check: "settle".to_owned(),
                method: read.request.method.clone(),
                endpoint: read.request.endpoint.clone(),
                expected: "the resource".to_owned(),
                actual: "not found".to_owned(),
            });
        }
        all
    }

    /// Whether a resource of ours does not show that this case did not delete.
    fn is_lost(&self, read: &Exchange) -> bool {
        let path = &read.request.path;
        let is_ours =
            || resource_at(path).is_some_and(|(endpoint, id)| self.shared.target.owns(&endpoint, &id));
        let is_deleted = || {
            let all = self.shared.target.exchanges_since(self.began);
            all.iter().any(|other| {
                let is_bulk = other.request.path.trim_matches('/').eq_ignore_ascii_case("Bulk");
                is_bulk || (other.request.method == "DELETE" && other.request.path == *path)
            })
        };
        read.status() != Some(200) && !path.contains('?') && is_ours() && !is_deleted()
    }

    /// What the rules about reads after writes would say of a read, with what this case has done so far.
    fn departures(&self, read: &Exchange) -> Vec<Signature> {
        let Shared { target, probe, patience: Some(patience), .. } = self.shared else { return Vec::new() };
        let exchanges = target.exchanges_since(self.began);
        let context = RuleContext {
            level: Level::Must,
            spec: &[],
            place: None,
            definitions: patience.definitions.get_or_init(|| Definitions::of(&probe.schemas)),
            history: &History::default(),
            capabilities: &probe.capabilities,
            reading: self.shared.reading,
            mutes: &self.shared.mutes.lock().unwrap_or_else(PoisonError::into_inner).clone(),
            pairs: &Pairs::of(exchanges.iter().map(AsRef::as_ref)),
            validated: None,
        };
        RULES
            .iter()
            .filter_map(|name| rules::by_name(name))
            .flat_map(|rule| rules::judge_all(rule, [read], &context).findings)
            .filter(|found| found.finding.severity > Severity::Note)
            .map(|found| found.finding.signature)
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn signature(actual: &str) -> Signature {
        Signature {
            check: "written-is-read".to_owned(),
            method: "GET".to_owned(),
            endpoint: "/Users/{id}".to_owned(),
            expected: "string".to_owned(),
            actual: actual.to_owned(),
        }
    }

    #[test]
    fn what_outlasted_the_time_twice_is_hopeless() {
        let mut met = Met::default();
        for _ in 0..HOPELESS {
            assert!(!met.is_hopeless(&[signature("lost")]));
            *met.outlasted.entry(key(&signature("lost"))).or_default() += 1;
        }
        assert!(met.is_hopeless(&[signature("lost")]));
        assert!(!met.is_hopeless(&[signature("lost"), signature("old")]), "the other may still come");
    }
}
