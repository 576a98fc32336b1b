//! What the profile documents otherwise than the RFCs ask: held against each answer that it is about, and counted, so that
//! a list of deviations cannot rot.

use std::cell::RefCell;
use std::collections::BTreeMap;

use serde_json::Value;

use super::Shared;
use super::case::CaseRun;
use super::request::Prepared;
use super::settle::part_of;
use crate::judge::rules::Document;
use crate::judge::{self, Context, Judgement, Ours};
use crate::outcome::{Finding, Level, Outcome, Severity, Verdict};
use crate::plan::Job;
use crate::profile::Deviation;
use crate::requirement::Catalogue;
use crate::suite::model::{Expect, Step};
use crate::suite::template::Scope;
use crate::target::exchange::Exchange;

/// How often the answers of a run came to what about one deviation.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Came {
    /// As documented, and not as the RFCs ask.
    pub documented: u32,
    /// As the RFCs ask: there is no such deviation.
    pub conformant: u32,
    /// Neither.
    pub neither: u32,
}

/// What one answer came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Answer {
    Documented,
    Conformant,
    Neither,
}

/// An answer that a deviation is about.
pub(super) struct ByDocument {
    /// The deviation, by its position in the profile.
    index: usize,
    answer: Answer,
    /// What the RFCs' own expectation found.
    found: Vec<Finding>,
    /// Whether the status was one that the RFCs' own expectation allows.
    status_held: bool,
}

impl ByDocument {
    /// Whether there is nothing to wait for: the answer is as the RFCs or the vendor's documents have it.
    pub(super) fn holds(&self) -> bool {
        self.answer != Answer::Neither
    }
}

/// Where a deviation is documented, for people: `AMP-26: Create a group answers 200`.
pub fn citation(catalogue: &Catalogue, deviation: &Deviation) -> String {
    let said = |id: &String| match catalogue.source(id) {
        Some(source) => format!("{id}: {}", source.title),
        None => id.clone(),
    };
    deviation.cite.iter().map(said).collect::<Vec<_>>().join("; ")
}

/// How strongly what is documented binds: as its source says, else like a must.
fn level(catalogue: &Catalogue, deviation: &Deviation) -> Level {
    catalogue.strongest(deviation.cite.iter().map(String::as_str)).unwrap_or(Level::Must)
}

/// Where a part of what is documented stands in the profile.
fn path(index: usize, below: &str) -> String {
    part_of(&format!("deviations[{index}].instead"), below)
}

impl Shared<'_> {
    fn deviation(&self, index: usize) -> Option<&Deviation> {
        self.profile.and_then(|profile| profile.deviations.get(index))
    }

    /// The deviations about a job: their position in the profile, and that of the step.
    pub(super) fn deviations_of(&self, job: &Job<'_>) -> Vec<(usize, usize)> {
        let suite = &job.file.suite.suite;
        let id = job.id();
        let is_about = |deviation: &Deviation| {
            deviation.is_about_case(&id) || job.parts.iter().any(|part| deviation.is_about_case(&part.id))
        };
        let all = self.profile.map(|profile| profile.deviations.as_slice()).unwrap_or_default();
        all.iter()
            .enumerate()
            .filter(|(_, deviation)| is_about(deviation))
            .filter_map(|(index, deviation)| Some((index, deviation.step_of(suite, job.case).ok()?)))
            .collect()
    }

    fn count_deviation(&self, index: usize, answer: Answer) {
        let mut came = self.came.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let came = came.entry(index).or_default();
        match answer {
            Answer::Documented => came.documented += 1,
            Answer::Conformant => came.conformant += 1,
            Answer::Neither => came.neither += 1,
        }
    }

    /// What came of each deviation about a case or rule that ran, by its position in the profile; those about what
    /// was not selected or skipped are left out.
    pub fn deviations(&self) -> BTreeMap<usize, Came> {
        let mut all: BTreeMap<usize, Came> = BTreeMap::new();
        let deviations = self.profile.map(|profile| profile.deviations.as_slice()).unwrap_or_default();
        for job in self.plan.running() {
            all.extend(self.deviations_of(job).into_iter().map(|(index, _)| (index, Came::default())));
            let id = job.id();
            let of_rule = |deviation: &Deviation| deviation.rule.as_deref() == Some(id.as_str());
            let rules = deviations.iter().enumerate().filter(|(_, deviation)| of_rule(deviation));
            all.extend(rules.map(|(index, _)| (index, Came::default())));
        }
        all.extend(&*self.came.lock().unwrap_or_else(std::sync::PoisonError::into_inner));
        all
    }
}

impl CaseRun<'_> {
    /// Judges an exchange by its step's expectation, and where the profile documents something else of that step, by
    /// what is documented.
    pub(super) fn judge_either(
        &self,
        expect: &Expect,
        exchange: &Exchange,
        prepared: &Prepared,
        step: &Step,
        place: &str,
    ) -> (Judgement, Option<ByDocument>) {
        let judgement = self.judge(expect, exchange, prepared, step, place);
        let Some((index, deviation)) = self.deviation_of(step) else { return (judgement, None) };
        let by = |answer, judgement: &Judgement| {
            let Judgement { findings, status_held, .. } = judgement;
            Some(ByDocument { index, answer, found: findings.clone(), status_held: *status_held })
        };
        let keeps_rfc = judgement.findings.iter().all(|finding| finding.severity == Severity::Note);
        if judgement.error.is_some() || exchange.response().is_none() {
            return (judgement, None);
        }
        if keeps_rfc {
            let by = by(Answer::Conformant, &judgement);
            return (judgement, by);
        }
        let catalogue = self.shared.catalogue;
        let level = level(catalogue, deviation);
        let at = |below: &str| {
            self.shared
                .profile
                .map_or_else(|| self.job.file.place(place), |profile| profile.place(&path(index, below)))
        };
        let documented = self.judge_in(
            &deviation.instead,
            exchange,
            prepared,
            &path(index, ""),
            (level, &deviation.cite),
            &at,
        );
        let holds = documented.error.is_none() && documented.findings.is_empty();
        let by = by(if holds { Answer::Documented } else { Answer::Neither }, &judgement);
        (documented, by)
    }

    fn deviation_of(&self, step: &Step) -> Option<(usize, &Deviation)> {
        let is_this =
            |at: usize| {
                self.job.case.steps.get(at).is_some_and(|other| {
                    std::ptr::eq(other, step) || (step.id.is_some() && step.id == other.id)
                })
            };
        let (index, _) = self.deviations.iter().find(|(_, at)| is_this(*at))?;
        Some((*index, self.shared.deviation(*index)?))
    }

    /// Takes note of what an answer came to that a deviation is about. Whether the rest of the case would be echo: a
    /// documented refusal leaves nothing to stand on, unless something is documented of a later step, too.
    pub(super) fn note_deviation(&mut self, by: ByDocument, exchange: &Exchange) -> bool {
        let Some(deviation) = self.shared.deviation(by.index) else { return false };
        self.shared.count_deviation(by.index, by.answer);
        let citation = citation(self.shared.catalogue, deviation);
        let why = &deviation.why;
        let rfc = by.found.first().map(|finding| finding.message.clone()).unwrap_or_default();
        let note = match by.answer {
            Answer::Conformant => {
                format!("deviation obsolete: the answer is as the RFC has it, not as in {citation}")
            }
            Answer::Documented => format!("documented in {citation}: {why}"),
            Answer::Neither => {
                format!(
                    "expected as documented in {citation}: {why}; as the RFC has it, it is not either: {rfc}"
                )
            }
        };
        let mutes = deviation.instead.mutes.clone();
        let part = self.part();
        if !part.notes.contains(&note) {
            part.notes.push(note);
        }
        if by.answer != Answer::Documented {
            return false;
        }
        part.deviates.push(by.index);
        part.findings
            .extend(by.found.into_iter().map(|finding| Finding { severity: Severity::Note, ..finding }));
        self.shared.mute(&mutes, exchange.id);
        let succeeded = exchange.status().is_some_and(|status| (200..300).contains(&status));
        let position = self.deviations.iter().find(|(index, _)| *index == by.index).map(|(_, at)| *at);
        let is_last = self.deviations.iter().all(|(_, at)| Some(*at) <= position);
        !succeeded && !by.status_held && is_last
    }
}

/// What a profile documents of the answers that one rule is about.
pub(super) struct RuleDocuments<'s> {
    shared: &'s Shared<'s>,
    rule: String,
    scope: Scope,
    /// Of each deviation, the answers that kept the rule, those as documented, and what the first of the others got
    /// wrong.
    seen: RefCell<BTreeMap<usize, (Came, Option<String>)>>,
}

impl<'s> RuleDocuments<'s> {
    /// Those about the rule whose case has that id.
    pub(super) fn new(shared: &'s Shared<'s>, rule: String) -> RuleDocuments<'s> {
        let mut scope = Scope::new();
        scope.insert("setting", Value::Object(shared.settings.clone()));
        RuleDocuments { shared, rule, scope, seen: RefCell::default() }
    }

    /// What they say of an answer.
    pub(super) fn say(&self, exchange: &Exchange, finding: Option<&Finding>) -> Document {
        let deviations = self.shared.profile.map(|profile| profile.deviations.as_slice()).unwrap_or_default();
        for (index, deviation) in deviations.iter().enumerate() {
            if !deviation.is_about_rule(&self.rule, exchange) {
                continue;
            }
            let mut seen = self.seen.borrow_mut();
            let (came, wrong) = seen.entry(index).or_default();
            let Some(finding) = finding else {
                came.conformant += 1;
                continue;
            };
            if !deviation.finding.as_ref().is_none_or(|text| finding.message.contains(text.as_str())) {
                continue;
            }
            match self.breach(index, deviation, exchange) {
                None => {
                    came.documented += 1;
                    return Document::Kept(index);
                }
                Some(breach) => {
                    came.neither += 1;
                    wrong.get_or_insert(breach);
                }
            }
        }
        Document::Silent
    }

    /// Why an answer is not as documented.
    fn breach(&self, index: usize, deviation: &Deviation, exchange: &Exchange) -> Option<String> {
        let shared = self.shared;
        let at = |below: &str| {
            shared.profile.map_or_else(
                || crate::outcome::Place { file: String::new(), line: 1, column: 1 },
                |profile| profile.place(&path(index, below)),
            )
        };
        let context = Context {
            scope: &self.scope,
            schemas: &shared.probe.schemas,
            capabilities: &shared.probe.capabilities,
            reading: shared.reading,
            ours: &Ours::new(),
            sent: &BTreeMap::new(),
            filter: None,
            level: level(shared.catalogue, deviation),
            spec: &deviation.cite,
            place: &at,
        };
        let judgement = judge::judge(&deviation.instead, exchange, &context);
        let error = judgement.error.map(|error| error.to_string());
        error.or_else(|| judgement.findings.into_iter().next().map(|finding| finding.message))
    }

    /// Adds to the rule's outcome what came of its deviations, and counts it.
    pub(super) fn conclude(self, result: &mut Outcome, kept: &[usize]) {
        let catalogue = self.shared.catalogue;
        for (index, (came, wrong)) in self.seen.into_inner() {
            let Some(deviation) = self.shared.deviation(index) else { continue };
            let citation = citation(catalogue, deviation);
            // A rule that held where a finding is documented says so only if it held on all such answers.
            let obsolete = came.documented == 0 && came.neither == 0;
            for (answer, times) in [
                (Answer::Documented, came.documented),
                (Answer::Neither, came.neither),
                (Answer::Conformant, if obsolete { came.conformant } else { 0 }),
            ] {
                (0..times).for_each(|_| self.shared.count_deviation(index, answer));
            }
            if obsolete {
                let what = "the answers are as the RFC has them, not as in";
                result.notes.push(format!("deviation obsolete: {what} {citation}"));
            } else if came.documented > 0 {
                result.notes.push(format!("documented in {citation}: {}", deviation.why));
            }
            if let Some(wrong) = wrong {
                result.notes.push(format!("neither is it as documented in {citation}: {wrong}"));
                for finding in result.findings.iter_mut().filter(|finding| finding.severity > Severity::Note)
                {
                    let missing = deviation.cite.iter().filter(|id| !finding.requirements.contains(id));
                    let missing: Vec<String> = missing.cloned().collect();
                    finding.requirements.extend(missing);
                }
            }
        }
        result.verdict =
            deviating(self.shared, std::mem::replace(&mut result.verdict, Verdict::Passed), kept);
    }
}

/// The verdict of a part in which some answers were as documented and not as the RFCs ask. What else is wrong weighs more.
pub(super) fn deviating(shared: &Shared<'_>, verdict: Verdict, deviations: &[usize]) -> Verdict {
    if deviations.is_empty() || !matches!(verdict, Verdict::Passed | Verdict::Noted) {
        return verdict;
    }
    let mut cited: Vec<String> = Vec::new();
    for deviation in deviations.iter().filter_map(|index| shared.deviation(*index)) {
        let citation = citation(shared.catalogue, deviation);
        if !cited.contains(&citation) {
            cited.push(citation);
        }
    }
    Verdict::Deviates { citation: cited.join("; ") }
}
