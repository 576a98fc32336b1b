//! Expect × Exchange → findings. Pure: no network, no clock, no file.
//!
//! [`judge`] looks at one exchange with the expectation of one step; [`rules`] look at every exchange of a
//! run. Both speak in [`Finding`]s. This module refuses to know how requests are made, how names get their
//! values, and what a verdict does to the exit code.
//!
//! How an expectation is judged: `requires` first; then `never`; then the status, since everything after a
//! wrong one would be echo; then the block's own demands; then the first of `any` that holds wholly, or
//! `otherwise`; then each block of `also` apart.

mod becomes;
mod bench;
mod body;
mod check;
mod context;
mod error;
mod history;
mod kind;
mod list;
pub mod pages;
pub mod patch_vector;
mod resource;
pub mod rules;
mod status;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;
mod unasked;
pub(crate) mod words;

use crate::outcome::{Finding, Place, Severity};
use crate::suite::block::Block;
use crate::suite::model::{Alternative, AlternativeVerdict, Check, Expect, Never, StatusPattern, StatusSet};
use crate::target::exchange::Exchange;

pub use crate::outcome::Reading;
use bench::{Bench, Judged, Wrong};
pub use context::{Claims, Context, Handle, Ours, same_id};
pub use history::History;

/// What an expectation came to.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Judgement {
    /// What contradicts the expectation, most severe first. Empty: it holds.
    pub findings: Vec<Finding>,
    /// The name of the alternative that was taken, for `when`.
    pub matched: Option<String>,
    /// What is worth knowing about a pass: an alternative's reason, a part that was not judged.
    pub notes: Vec<String>,
    /// Whether the status was one of those expected. Where it was not, the case ends, unless no finding is a
    /// failure.
    pub status_held: bool,
    /// What is wrong with the expectation itself; the case is errored, never failed.
    pub error: Option<ExpectError>,
}

/// Why an expectation cannot be judged. Nothing of it is a finding: what a service provider got wrong before is one
/// of the step that showed it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct ExpectError {
    /// Whether the expectation is sound, but an earlier answer did not bring what it stands on. Otherwise the suite is
    /// wrong.
    pub is_lack: bool,
    /// What is wrong, and how to mend it.
    pub message: String,
    /// Where in the suite.
    pub place: Option<Place>,
}

/// Judges one exchange by the expectation of its step.
///
/// An exchange without an answer is not judged: it holds nothing about the service provider. The executor
/// makes the case errored; here it gives an empty judgement whose status did not hold.
pub fn judge(expect: &Expect, exchange: &Exchange, context: &Context<'_>) -> Judgement {
    let mut judgement = Judgement::default();
    let Some(response) = exchange.response() else { return judgement };
    let bench = Bench {
        exchange,
        response,
        context,
        level: context.level,
        spec: context.spec.to_vec(),
        at: String::new(),
        prefix: String::new(),
    };
    if let Err(error) = judge_expect(&bench, expect, &mut judgement) {
        judgement.error = Some(error);
    }
    judgement.findings.sort_by_key(|finding| std::cmp::Reverse(finding.severity));
    judgement
}

/// The demands of a block, with what they mean where no status is written.
struct Demands<'e> {
    block: Block<'e>,
    unwritten: Unwritten,
}

/// What a block that writes no status demands of it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Unwritten {
    /// Success, where a body is looked at; anything but a server error otherwise.
    Usual,
    /// Success, where a resource or list is looked at; a mere body or check goes with whatever the block around it
    /// allows, be it a server error.
    Inherited,
    /// Nothing at all.
    Anything,
}

impl<'e> Demands<'e> {
    fn new(block: Block<'e>, unwritten: Unwritten) -> Demands<'e> {
        Demands { block, unwritten }
    }

    /// Whether a success is meant though no status is written.
    fn means_success(&self) -> bool {
        let looks_at_resource =
            self.block.becomes.is_some() || self.block.list.is_some() || self.block.resource.is_some();
        looks_at_resource || (self.block.body.is_some() && self.unwritten == Unwritten::Usual)
    }

    /// The demands on the status and error. The second value is whether the status held.
    fn judge_status(&self, bench: &Bench<'_>) -> (Judged, bool) {
        let mut judged = Judged::default();
        let wrong = match (self.block.status, self.block.error) {
            (Some(status), _) => status::judge(bench, status, "status"),
            (None, Some(error)) => status::judge(bench, &error.status, "error.status"),
            (None, None) if self.unwritten == Unwritten::Anything || self.block.is_empty() => None,
            (None, None) if self.unwritten == Unwritten::Inherited && !self.means_success() => None,
            (None, None) => status::judge_unwritten(bench, self.means_success()),
        };
        let held = wrong.is_none();
        judged.broken.extend(wrong);
        (judged, held)
    }

    /// All demands but the status, as far as the answer can meet them: a create should be answered with the
    /// resource, and need not (RFC 7644 §3.3). Then a read has to show it.
    fn judge_shown(&self, bench: &Bench<'_>) -> Result<Judged, ExpectError> {
        if !is_create_without_body(bench) {
            return self.judge_rest(bench);
        }
        let mut judged = Judged::default();
        let mut is_unseen = self.block.body.is_some() || self.block.becomes.is_some();
        is_unseen |= self.block.list.is_some() || self.block.resource.is_some();
        for (index, check) in self.block.checks.iter().enumerate() {
            if check.header.is_some() {
                judged.absorb(check::judge(bench, index, check)?);
            } else {
                is_unseen = true;
            }
        }
        if is_unseen {
            judged.remarks.push(bench.finding(
                Wrong {
                    check: "body".to_owned(),
                    at: Some(String::new()),
                    message: format!("{} answered 201 (Created) without the resource", bench.subject()),
                    expected: "the new resource".to_owned(),
                    actual: "an empty body".to_owned(),
                    expected_class: "body".to_owned(),
                    actual_class: "empty body".to_owned(),
                    ..Wrong::default()
                },
                Severity::Warning.min(bench.level.severity()),
            ));
        }
        Ok(judged)
    }

    /// All demands but the status.
    fn judge_rest(&self, bench: &Bench<'_>) -> Result<Judged, ExpectError> {
        let mut judged = Judged::default();
        if let Some(error) = self.block.error {
            judged.absorb(error::judge(bench, error));
        }
        if let Some(body) = self.block.body {
            judged.absorb(body::judge(bench, body)?);
        }
        if let Some(becomes) = self.block.becomes {
            judged.absorb(becomes::judge(bench, becomes)?);
        }
        if let Some(list) = self.block.list {
            judged.absorb(list::judge(bench, list)?);
        }
        if let Some(resource) = self.block.resource {
            judged.absorb(resource::judge(bench, resource)?);
        }
        for (index, check) in self.block.checks.iter().enumerate() {
            judged.absorb(check::judge(bench, index, check)?);
        }
        Ok(judged)
    }
}

/// Whether the answer is a 201 that shows nothing, where nobody but the RFCs is asked what that is worth and they are
/// read leniently.
fn is_create_without_body(bench: &Bench<'_>) -> bool {
    bench.context.reading == Reading::Lenient
        && bench.exchange.request.method == "POST"
        && bench.response.status == 201
        && bench.response.body.is_empty()
        && bench.spec.iter().all(|id| id.starts_with("RFC"))
}

fn judge_expect(bench: &Bench<'_>, expect: &Expect, judgement: &mut Judgement) -> Result<(), ExpectError> {
    if let Some(reason) = bench.missing(&expect.requires) {
        judgement.notes.push(format!("not judged, {reason}"));
        judgement.status_held = true;
        return Ok(());
    }
    let bench = bench.inner(expect.level, &expect.spec);
    let demands = Demands::new(expect.block(), Unwritten::Usual);
    let (judged, held) = demands.judge_status(&bench);
    judgement.status_held = held;

    let mut is_forbidden = false;
    for (index, never) in expect.never.iter().enumerate() {
        if let Some(finding) = judge_never(&bench, index, never)? {
            judgement.findings.push(finding);
            is_forbidden = true;
        }
    }
    judgement.findings.extend(judged.into_findings());
    // What else is wrong with an answer that must not come, or with a wrong status, is echo.
    if is_forbidden || !held {
        return Ok(());
    }
    judgement.findings.extend(demands.judge_shown(&bench)?.into_findings());
    if !expect.any.is_empty() {
        judge_any(&bench, expect, judgement)?;
    }
    if judgement.status_held {
        for (index, also) in expect.also.iter().enumerate() {
            judge_also(&bench, expect, index, also, judgement)?;
        }
    }
    note_unjudged_checks(&bench, &expect.checks, judgement);
    Ok(())
}

fn note_unjudged_checks(bench: &Bench<'_>, checks: &[Check], judgement: &mut Judgement) {
    for (index, check) in checks.iter().enumerate() {
        if let Some(reason) = bench.missing(&check.requires) {
            judgement.notes.push(format!("checks[{index}] not judged, {reason}"));
        }
    }
}

fn judge_never(bench: &Bench<'_>, index: usize, never: &Never) -> Result<Option<Finding>, ExpectError> {
    let at = format!("never[{index}]");
    let inner = bench.inner(None, &never.spec).at(at.as_str());
    let demands = Demands::new(never.block(), Unwritten::Anything);
    let (_, held) = demands.judge_status(&inner);
    if demands.block.is_empty() || !held || !demands.judge_rest(&inner)?.holds() {
        return Ok(None);
    }
    let own = bench.inner(None, &never.spec);
    Ok(Some(own.broken(Wrong {
        check: at,
        message: format!("{}: {}", bench.subject(), never.because),
        expected: "not this answer".to_owned(),
        actual: words::answer(bench.response),
        expected_class: "not this".to_owned(),
        actual_class: format!("status {}", bench.response.status),
        ..Wrong::default()
    })))
}

fn judge_any(bench: &Bench<'_>, expect: &Expect, judgement: &mut Judgement) -> Result<(), ExpectError> {
    let writes_status = expect.status.is_some() || expect.error.is_some();
    let unwritten = if writes_status { Unwritten::Inherited } else { Unwritten::Usual };
    let mut considered = Vec::new();
    let mut nearest: Option<Judged> = None;
    for (index, alternative) in expect.any.iter().enumerate() {
        if let Some(reason) = bench.missing(&alternative.requires) {
            let name = alternative.name.clone().unwrap_or_else(|| format!("any[{index}]"));
            judgement.notes.push(format!("alternative {name} not considered, {reason}"));
            continue;
        }
        considered.push(alternative);
        let inner = bench.clone().at(format!("any[{index}]"));
        let demands = Demands::new(alternative.block(), unwritten);
        let (_, held) = demands.judge_status(&inner);
        if !held {
            continue;
        }
        let judged = demands.judge_shown(&inner)?;
        if judged.holds() {
            take(&inner, alternative, judged, judgement);
            return Ok(());
        }
        nearest = nearest.or(Some(judged));
    }
    if considered.is_empty() {
        return Ok(());
    }
    let Some(severity) = otherwise_severity(bench, expect.otherwise.unwrap_or(AlternativeVerdict::Fail))
    else {
        return Ok(());
    };
    match nearest {
        Some(judged) => {
            judgement
                .findings
                .extend(judged.broken.into_iter().map(|finding| Finding { severity, ..finding }));
            judgement.findings.extend(judged.remarks);
        }
        None => {
            judgement.status_held = false;
            let answers = answers_words(
                considered
                    .iter()
                    .filter(|it| verdict(it, bench.context.reading) != AlternativeVerdict::Fail)
                    .copied(),
            );
            let classes: Vec<String> =
                considered.iter().map(|alternative| answer_class(alternative)).collect();
            let expected = words::or(&answers);
            let wrong = Wrong {
                check: "status".to_owned(),
                at: Some("any".to_owned()),
                message: format!(
                    "{} answered {}, expected {expected}",
                    bench.subject(),
                    words::status(bench.response.status)
                ),
                expected,
                actual: words::answer(bench.response),
                expected_class: classes.join(", "),
                actual_class: format!("status {}", bench.response.status),
                ..Wrong::default()
            };
            judgement.findings.push(bench.finding(wrong, severity));
        }
    }
    Ok(())
}

/// Takes the alternative that held: its name, its remarks, and what its verdict means.
fn take(bench: &Bench<'_>, alternative: &Alternative, judged: Judged, judgement: &mut Judgement) {
    judgement.matched = alternative.name.clone();
    judgement.findings.extend(judged.remarks);
    let verdict = verdict(alternative, bench.context.reading);
    let Some(severity) = otherwise_severity(bench, verdict) else {
        judgement.notes.extend(alternative.why.clone());
        return;
    };
    let name = alternative.name.as_deref().unwrap_or("this answer");
    let answered = format!("{} answered {}", bench.subject(), words::status(bench.response.status));
    let message = match &alternative.why {
        Some(why) => format!("{answered}: {why}"),
        None => format!("{answered}: {name} is tolerated, not right"),
    };
    judgement.findings.push(bench.finding(
        Wrong {
            check: "any".to_owned(),
            at: Some(String::new()),
            message,
            expected: "another of the answers allowed".to_owned(),
            actual: words::answer(bench.response),
            expected_class: "better alternative".to_owned(),
            actual_class: alternative.name.clone().unwrap_or_else(|| answer_class(alternative)),
            ..Wrong::default()
        },
        severity,
    ));
}

fn verdict(alternative: &Alternative, reading: Reading) -> AlternativeVerdict {
    match reading {
        Reading::Strict => alternative.strict.unwrap_or(alternative.verdict),
        Reading::Lenient => alternative.verdict,
    }
}

/// The severity of a verdict; `None` for a pass.
fn otherwise_severity(bench: &Bench<'_>, verdict: AlternativeVerdict) -> Option<Severity> {
    match verdict {
        AlternativeVerdict::Pass => None,
        AlternativeVerdict::Note => Some(Severity::Note),
        AlternativeVerdict::Warn => Some(Severity::Warning.min(bench.level.severity())),
        AlternativeVerdict::Fail => Some(bench.level.severity()),
    }
}

/// What alternatives accept, in words, each status said once.
fn answers_words<'a>(alternatives: impl Iterator<Item = &'a Alternative>) -> Vec<String> {
    let mut answers: Vec<String> = Vec::new();
    let mut said: Vec<StatusPattern> = Vec::new();
    for alternative in alternatives {
        let words = match (&alternative.status, &alternative.error) {
            (Some(status), None) => {
                let new = status.0.iter().copied().filter(|pattern| !said.contains(pattern));
                let new = StatusSet(new.collect());
                said.extend(&new.0);
                words::statuses(&new)
            }
            _ => answer_words(alternative),
        };
        if !words.is_empty() && !answers.contains(&words) {
            answers.push(words);
        }
    }
    answers
}

/// What an alternative accepts, in words: `400 (Bad Request) with scimType noTarget`.
fn answer_words(alternative: &Alternative) -> String {
    match (&alternative.status, &alternative.error) {
        (Some(status), _) => words::statuses(status),
        (None, Some(error)) => {
            let status = words::statuses(&error.status);
            match error.scim_type.as_slice() {
                [] => status,
                keywords => format!("{status} with scimType {}", words::or(keywords)),
            }
        }
        (None, None) => "a success".to_owned(),
    }
}

fn answer_class(alternative: &Alternative) -> String {
    match (&alternative.status, &alternative.error) {
        (Some(status), _) => format!("status {status}"),
        (None, Some(error)) => format!("error {}", error.status),
        (None, None) => "success".to_owned(),
    }
}

fn judge_also(
    bench: &Bench<'_>,
    expect: &Expect,
    index: usize,
    also: &Expect,
    judgement: &mut Judgement,
) -> Result<(), ExpectError> {
    let at = format!("also[{index}]");
    if let Some(reason) = bench.missing(&also.requires) {
        let what = also.title.as_deref().unwrap_or(&at);
        judgement.notes.push(format!("{what}: not judged, {reason}"));
        return Ok(());
    }
    let mut inner = bench.inner(also.level, &also.spec).at(at.as_str());
    inner.prefix = format!("{at}.");
    let is_written = expect.status.is_some() || expect.error.is_some() || !expect.any.is_empty();
    let unwritten = if is_written { Unwritten::Inherited } else { Unwritten::Usual };
    let demands = Demands::new(also.block(), unwritten);
    let (mut judged, held) = demands.judge_status(&inner);
    if held {
        judged.absorb(demands.judge_shown(&inner)?);
        note_unjudged_checks(&inner, &also.checks, judgement);
    } else {
        judgement.status_held = false;
    }
    let titled = judged.into_findings().into_iter().map(|mut finding| {
        if let Some(title) = &also.title {
            finding.message = format!("{title}: {}", finding.message);
        }
        finding
    });
    judgement.findings.extend(titled);
    Ok(())
}
