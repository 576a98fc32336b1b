//! One case: givens → steps → captures, with a finding or a trouble for whatever went wrong.
//!
//! A wrong status ends a case, since the rest would be echo; in a flow of checkpoints it ends the checkpoint,
//! and later ones run if everything they stand on is there. Clean-up is the caller's.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::deviation::deviating;
use super::given::{self, Pool};
use super::names::CaseNames;
use super::read_back::ReadBack;
use super::seed::Seeds;
use super::together::Waiting;
use super::{Shared, outcome};
use crate::outcome::{ErrorCause, Finding, Outcome, Severity, SkipReason, Verdict};
use crate::plan::{Job, mentions};
use crate::suite::model::{Step, VectorKind, Vectors};
use crate::target::exchange::{Exchange, ExchangeId};

/// How far a case has come.
pub(super) enum Ran<'r> {
    /// It has ended, with an outcome for each of its parts.
    Ended(Vec<Outcome>),
    /// Only reads are left of it, that may be made with those of others.
    Waits(Box<Waiting<'r>>),
}

/// Runs one job, until it ends or waits.
pub(super) async fn begin<'r>(
    shared: &'r Shared<'r>,
    pool: &Pool,
    seeds: &Seeds,
    job: &'r Job<'r>,
) -> Ran<'r> {
    let mut case = CaseRun::new(shared, pool, seeds, job, &seeds.trial(&job.id()));
    match case.go(pool, seeds, true).await {
        Some(next) => Ran::Waits(Box::new(case.waiting_with(next))),
        None => Ran::Ended(sure(case, pool, seeds).await),
    }
}

/// Ends a case that waited: at once where rows have stood for its reads, else with these.
pub(super) async fn resume(waiting: Waiting<'_>, pool: &Pool, seeds: &Seeds, seen: bool) -> Vec<Outcome> {
    let Waiting { mut case, next, .. } = waiting;
    if !seen {
        case.part().started = Some(Instant::now());
        case.steps(next, false).await;
    }
    sure(case, pool, seeds).await
}

/// The outcomes of a case. It runs once more, with fresh values and on resources of its own, where requests sent at once
/// met trouble that says nothing of the service provider, and where it stood on resources made together with others and
/// did not end clean.
async fn sure(mut case: CaseRun<'_>, pool: &Pool, seeds: &Seeds) -> Vec<Outcome> {
    case.read_back().await;
    let (shared, job, lost) = (case.shared, case.job, case.lost.take());
    let outcomes = case.finish();
    let is_clean = |outcome: &Outcome| {
        use Verdict::{Deviates, Noted, Passed, Skipped};
        matches!(outcome.verdict, Passed | Noted | Deviates { .. } | Skipped { .. })
    };
    let may_blame = seeds.of(&job.id()).is_some() && !outcomes.iter().all(is_clean);
    if !(may_blame || lost.is_some()) || shared.target.interrupted() || shared.gone().is_some() {
        return outcomes;
    }
    let alone = Seeds::default();
    let mut case = CaseRun::new(shared, pool, &alone, job, &format!("{} again", job.id()));
    case.go(pool, &alone, false).await;
    case.read_back().await;
    let mut again = case.finish();
    if let Some(why) = lost {
        for outcome in &mut again {
            outcome.notes.push(format!("done once more, since of requests sent at once {why}"));
        }
        return again;
    }
    for (outcome, before) in again.iter_mut().zip(&outcomes) {
        if is_clean(outcome) && !is_clean(before) {
            outcome.notes.push(format!(
                "{} on what a bulk job had made, and well on what was made one by one, which counts",
                before.verdict.word()
            ));
        }
    }
    again
}

/// What one part has come to so far.
#[derive(Debug, Default)]
pub(super) struct PartRun {
    pub(super) findings: Vec<Finding>,
    pub(super) exchanges: Vec<ExchangeId>,
    pub(super) notes: Vec<String>,
    pub(super) trouble: Option<Verdict>,
    pub(super) started: Option<Instant>,
    pub(super) elapsed: Duration,
    /// The deviations that answers of this part kept, by their position in the profile.
    pub(super) deviates: Vec<usize>,
}

impl PartRun {
    /// What this part lacks is what a broken checkpoint before it should have brought: no trouble of its own.
    fn blame(&mut self, checkpoint: &str) {
        if let Some(Verdict::Errored { cause: ErrorCause::Precondition { detail } }) = &self.trouble {
            let reason = SkipReason::NotReached { checkpoint: format!("{checkpoint} ({detail})") };
            self.trouble = Some(Verdict::Skipped { reason });
        }
    }
}

/// Whether a case goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Flow {
    On,
    End,
}

pub(super) struct CaseRun<'r> {
    pub(super) shared: &'r Shared<'r>,
    pub(super) job: &'r Job<'r>,
    pub(super) origin: String,
    pub(super) names: CaseNames,
    pub(super) parts: Vec<PartRun>,
    pub(super) current: usize,
    pub(super) last: Option<Arc<Exchange>>,
    pub(super) reads: ReadBack,
    /// The deviations about this job: their position in the profile, and that of the step.
    pub(super) deviations: Vec<(usize, usize)>,
    /// How long the last refusal of a burst asked to wait.
    pub(super) asked_to_wait: Option<Duration>,
    /// When this case, or what it stands on, was last written.
    pub(super) wrote: Option<Instant>,
    /// The first exchange that may be this case's.
    pub(super) began: ExchangeId,
    /// The paths that it has asked for already.
    pub(super) asked: BTreeSet<String>,
    /// Why nothing can be said of requests that were sent at once.
    pub(super) lost: Option<String>,
}

impl<'r> CaseRun<'r> {
    /// A case before anything is sent. `trial` is what its fresh values depend on.
    pub(super) fn new(
        shared: &'r Shared<'r>,
        pool: &Pool,
        seeds: &Seeds,
        job: &'r Job<'r>,
        trial: &str,
    ) -> CaseRun<'r> {
        CaseRun {
            shared,
            job,
            origin: job.id(),
            names: shared.names(job, trial),
            parts: job.parts.iter().map(|_| PartRun::default()).collect(),
            current: 0,
            last: None,
            reads: ReadBack::default(),
            deviations: shared.deviations_of(job),
            asked_to_wait: None,
            wrote: seeds.of(&job.id()).and(seeds.when()).or(pool.made()),
            began: shared.target.next_exchange(),
            asked: BTreeSet::new(),
            lost: None,
        }
    }

    /// Everything up to the end, or to where only reads are left that may wait: the position of the first of them.
    async fn go(&mut self, pool: &Pool, seeds: &Seeds, may_wait: bool) -> Option<usize> {
        self.parts[0].started = Some(Instant::now());
        match self.prepare(pool, seeds).await {
            Ok(()) => match &self.job.case.vectors {
                Some(vectors) => {
                    self.vectors(vectors).await;
                    None
                }
                None => self.steps(0, may_wait).await,
            },
            Err(verdict) => {
                self.parts.iter_mut().for_each(|part| part.trouble = Some(verdict.clone()));
                None
            }
        }
    }

    /// Population, shared and own givens, then `setup`.
    async fn prepare(&mut self, pool: &Pool, seeds: &Seeds) -> Result<(), Verdict> {
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
        let seeds = seeds.of(&self.origin);
        for (name, wanted) in &self.job.case.given {
            if let Some(all) = seeds.and_then(|seeds| seeds.get(name)) {
                let created: Vec<_> = all.iter().map(|seed| seed.created.clone()).collect();
                self.names.resources(name, &created);
                self.reads.shown(all);
                continue;
            }
            let created = match self.job.pooled.get(name).and_then(|key| pool.given(key)) {
                Some(shared) => shared.clone(),
                None => {
                    let created = given::create(self.shared, wanted, &self.names, &self.origin).await;
                    // A group shows in its members.
                    self.reads.forget();
                    self.wrote = Some(Instant::now());
                    created
                }
            };
            match created {
                Ok(created) => self.names.resources(name, &created),
                Err(trouble) => return Err(trouble.verdict(self.shared, &self.origin)),
            }
        }
        for (index, step) in self.job.case.setup.iter().enumerate() {
            let path = step.stands_at.clone().unwrap_or_else(|| format!("{}.setup[{index}]", self.job.path));
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

    /// The vectors of the job's parts.
    async fn vectors(&mut self, vectors: &Vectors) {
        match vectors.kind {
            VectorKind::Filter => self.filter_vectors(vectors).await,
            VectorKind::Patch => self.patch_vectors(vectors).await,
        }
    }

    /// The steps from that position on. Gives the position of the first of those that may wait, if they do.
    async fn steps(&mut self, from: usize, may_wait: bool) -> Option<usize> {
        let steps = &self.job.case.steps;
        let mut seen_checkpoint = false;
        let mut broken: Option<String> = None;
        let mut skipping = false;
        for (index, step) in steps.iter().enumerate().skip(from) {
            if may_wait && broken.is_none() && self.may_wait(index) {
                self.close_part();
                return Some(index);
            }
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
            let path = step.stands_at.clone().unwrap_or_else(|| format!("{}.steps[{index}]", self.job.path));
            if self.step(step, &path, &steps[index + 1..]).await == Flow::End {
                if let Some(checkpoint) = &broken {
                    self.part().blame(checkpoint);
                }
                broken.get_or_insert_with(|| self.job.parts[self.current].id.clone());
                skipping = true;
                if self.job.parts.len() == 1 {
                    break;
                }
            }
        }
        let is_whole = broken.is_none() && self.parts.iter().all(|part| part.trouble.is_none());
        let waits = may_wait && is_whole && self.may_wait(steps.len());
        self.close_part();
        waits.then_some(steps.len())
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
            made.extend(step.capture.keys().chain(step.gives.keys()).map(String::as_str));
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

    pub(super) fn part(&mut self) -> &mut PartRun {
        &mut self.parts[self.current]
    }

    fn close_part(&mut self) {
        let part = self.part();
        if let Some(started) = part.started.take() {
            part.elapsed += started.elapsed();
        }
    }

    fn finish(self) -> Vec<Outcome> {
        let CaseRun { shared, job, parts, .. } = self;
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
                    None => deviating(shared, judged, &ran.deviates),
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

pub(super) fn precondition(detail: String) -> Verdict {
    Verdict::Errored { cause: ErrorCause::Precondition { detail } }
}

fn describe(verdict: &Verdict) -> String {
    match verdict {
        Verdict::Errored { cause } => cause.to_string(),
        Verdict::Skipped { reason } => reason.to_string(),
        other => other.word().to_owned(),
    }
}
