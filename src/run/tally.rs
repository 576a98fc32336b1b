//! How many answers divide: each counted by the first tally that it fits, the others held against the rest.

use std::sync::Arc;

use super::case::CaseRun;
use crate::outcome::{Finding, Level, Reading, Severity};
use crate::scim::names::ERROR;
use crate::suite::model::{AlternativeVerdict, Expect, Step, Tally};
use crate::target::exchange::Exchange;

/// The answers by tally.
#[derive(Debug)]
pub(super) struct Count {
    /// How many answers each tally counts.
    pub(super) counts: Vec<u32>,
    /// The first answer that no tally counts and the rest must not hold: the place of that tally, and of the answer.
    stray: Option<(usize, usize)>,
}

impl Count {
    /// Counts answers.
    pub(super) fn of(tallies: &[Tally], answers: &[Arc<Exchange>]) -> Count {
        let mut count = Count { counts: vec![0; tallies.len()], stray: None };
        let rest = tallies.iter().position(|tally| tally.rest);
        for (index, exchange) in answers.iter().enumerate() {
            let is_one = |tally: &Tally| is_kind(tally, exchange);
            match (tallies.iter().position(|tally| !tally.rest && is_one(tally)), rest) {
                (Some(at), _) => count.counts[at] += 1,
                (None, Some(at)) if !is_one(&tallies[at]) => count.stray = count.stray.or(Some((at, index))),
                (None, _) => {}
            }
        }
        count
    }
}

impl CaseRun<'_> {
    /// What is wrong with how answers divide, by one block of an expectation. `last` stands for all of them, `what` is
    /// what they are the answers of.
    pub(super) fn miscounts(
        &self,
        step: &Step,
        expect: &Expect,
        place: &str,
        answers: &[Arc<Exchange>],
        last: &Exchange,
        what: &str,
    ) -> Vec<Finding> {
        let count = Count::of(&expect.tally, answers);
        let spec = [&expect.spec, &step.spec].into_iter().find(|spec| !spec.is_empty());
        let level = expect.level.or_else(|| {
            let ids = spec.filter(|_| step.checkpoint.is_none() || !expect.spec.is_empty())?;
            self.shared.catalogue.strongest(ids.iter().map(String::as_str))
        });
        let told = |at: usize, exchange: &Exchange, message: String, expected: String, actual: String| {
            let check = format!("tally[{at}]");
            let at_place = format!("{place}.tally[{at}]");
            let mut finding = self.finding(&check, exchange, &at_place, message, expected, actual);
            if let Some(spec) = spec.filter(|_| !expect.spec.is_empty() || step.checkpoint.is_none()) {
                finding.requirements.clone_from(spec);
            }
            let level: Level = level.unwrap_or(finding.level);
            finding.level = level;
            finding.severity = severity(&expect.tally[at], self.shared.reading).min(level.severity());
            finding.signature.expected = called(&expect.tally[at]);
            finding.signature.actual = "another number of answers".to_owned();
            finding
        };
        let mut findings = Vec::new();
        for (at, tally) in expect.tally.iter().enumerate().filter(|(_, tally)| !tally.rest) {
            let Some(wanted) = wrong_count(tally, count.counts[at]) else { continue };
            let message = format!(
                "{} of {} answers of {what} are {}, expected {wanted}",
                count.counts[at],
                answers.len(),
                called(tally)
            );
            findings.push(told(at, last, message, wanted, count.counts[at].to_string()));
        }
        if let Some((at, index)) = count.stray {
            let exchange = &answers[index];
            let wanted = format!("every other answer {}", called(&expect.tally[at]));
            let status = exchange.status().unwrap_or_default();
            let message = format!("an answer of {what} is {status}, expected {wanted}");
            findings.push(told(at, exchange, message, wanted, status.to_string()));
        }
        findings
    }
}

/// How much another number counts in a reading.
fn severity(tally: &Tally, reading: Reading) -> Severity {
    let strict = tally.strict.filter(|_| reading == Reading::Strict);
    match strict.or(tally.verdict) {
        Some(AlternativeVerdict::Warn) => Severity::Warning,
        Some(AlternativeVerdict::Note | AlternativeVerdict::Pass) => Severity::Note,
        Some(AlternativeVerdict::Fail) | None => Severity::Failure,
    }
}

/// Whether an answer is of the kind that a tally counts.
fn is_kind(tally: &Tally, exchange: &Exchange) -> bool {
    let Some(status) = exchange.status() else { return false };
    let Some(error) = &tally.error else {
        return tally.status.as_ref().is_some_and(|wanted| wanted.contains(status));
    };
    let body = exchange.json();
    let is_error = body
        .and_then(|body| body.get("schemas")?.as_array())
        .is_some_and(|schemas| schemas.iter().any(|urn| urn == ERROR));
    let keyword = body.and_then(|body| body.get("scimType")?.as_str());
    let fits = |all: &[String]| all.iter().any(|wanted| keyword == Some(wanted));
    error.status.contains(status) && is_error && (error.scim_type.is_empty() || fits(&error.scim_type))
}

/// What a tally demands, where the count does not keep it.
fn wrong_count(tally: &Tally, count: u32) -> Option<String> {
    let demands = [
        tally.exactly.filter(|wanted| *wanted != count).map(|wanted| format!("exactly {wanted}")),
        tally.at_least.filter(|least| count < *least).map(|least| format!("at least {least}")),
        tally.at_most.filter(|most| count > *most).map(|most| format!("at most {most}")),
    ];
    demands.into_iter().flatten().next()
}

/// What a tally counts, in words.
fn called(tally: &Tally) -> String {
    match (&tally.name, &tally.status, &tally.error) {
        (Some(name), ..) => name.clone(),
        (None, Some(status), _) => status.to_string(),
        (None, None, Some(error)) => format!("errors {}", error.status),
        (None, None, None) => "answers".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::suite::model::{StatusPattern, StatusSet};

    #[test]
    fn counts_are_held_against_what_is_demanded() {
        let tally = |exactly, at_least, at_most| Tally { exactly, at_least, at_most, ..Tally::default() };
        assert_eq!(wrong_count(&tally(Some(2), None, None), 2), None);
        assert_eq!(wrong_count(&tally(Some(2), None, None), 3).as_deref(), Some("exactly 2"));
        assert_eq!(wrong_count(&tally(None, Some(100), None), 99).as_deref(), Some("at least 100"));
        assert_eq!(wrong_count(&tally(None, Some(100), Some(200)), 100), None);
        assert_eq!(wrong_count(&tally(None, None, Some(0)), 1).as_deref(), Some("at most 0"));
        let status = Some(StatusSet(vec![StatusPattern::Code(429)]));
        assert_eq!(called(&Tally { status: status.clone(), ..Tally::default() }), "429");
        assert_eq!(
            called(&Tally { status, name: Some("refused".to_owned()), ..Tally::default() }),
            "refused"
        );
    }
}
