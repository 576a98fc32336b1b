//! What outcomes and records of all kinds of fuzzing have in common; what they say of filters is said beside those.

use std::collections::BTreeSet;

use super::subject::FoundSuite;
use super::tally::{Property, Tally};
use super::{Ended, Found, Subject};
use crate::outcome::{
    Difference, ErrorCause, Finding, Level, Outcome, Place, Severity, Signature, SkipReason, Verdict,
};
use crate::report::model::{FuzzRecord, PropertyRecord, ResourceCount};
use crate::report::text::count;
use crate::requirement::Catalogue;
use crate::target::exchange::ExchangeId;

/// How many further sightings of a cause are named.
const ALSO: usize = 4;

/// What is said against a service provider of one cause.
#[derive(Debug)]
pub struct Said {
    /// How bad it is.
    pub severity: Severity,
    /// The requirements that it breaks, the most telling first; those that the catalogue does not have are left out.
    pub requirements: Vec<&'static str>,
    /// In one line.
    pub message: String,
    /// What would have been right.
    pub expected: String,
    /// What came.
    pub actual: String,
    /// Member by member.
    pub differences: Vec<Difference>,
    /// The exchange that shows it.
    pub exchange: Option<ExchangeId>,
    /// What it is told from others by.
    pub signature: Signature,
}

/// What was found and what held, in the order of the properties, with a suite for each cause that one can say. `about`
/// gives the name of a cause and the property that it breaks, `told` its outcome and its suite under a name of its own.
pub fn found<P: Property, C>(
    subject: Subject,
    (record, tally, ended): (FuzzRecord, &Tally<P>, &Ended),
    causes: &[C],
    about: impl Fn(&C) -> (String, Option<P>),
    told: impl Fn(&C, &str, P) -> Option<(Outcome, Option<String>)>,
) -> Found {
    let mut found = Found { record, ..Found::default() };
    let names = distinct(causes.iter().map(|cause| about(cause).0));
    for property in P::ALL {
        let judged = tally.judged.get(property).copied().unwrap_or_default();
        let mut breaks =
            causes.iter().zip(&names).filter(|(cause, _)| about(cause).1 == Some(*property)).peekable();
        if breaks.peek().is_none() && judged > 0 {
            let mut held = blank(subject, id(subject, property.name()), property.title(), Vec::new());
            held.notes.push(format!("{} judged", count(judged, subject.noun())));
            found.outcomes.push(held);
        }
        for (cause, name) in breaks {
            let Some((outcome, suite)) = told(cause, name, *property) else { continue };
            found.suites.extend(suite.map(|text| FoundSuite { name: name.clone(), text }));
            found.outcomes.push(outcome);
        }
    }
    let was_tried = !found.outcomes.is_empty();
    found.outcomes.extend(ending(subject, ended, was_tried));
    found
}

/// What comes of a run that tried nothing.
pub fn untried(subject: Subject, verdict: Verdict, why: &str) -> Found {
    Found {
        outcomes: vec![whole(subject, verdict)],
        record: FuzzRecord {
            noun: subject.noun().to_owned(),
            ended: why.to_owned(),
            ..FuzzRecord::default()
        },
        suites: Vec::new(),
    }
}

/// The outcome of a cause under its name.
pub fn failed<P: Property>(
    subject: Subject,
    property: P,
    name: &str,
    said: Said,
    catalogue: &Catalogue,
) -> Outcome {
    let Said { severity, requirements, message, expected, actual, differences, exchange, signature } = said;
    let known = requirements.into_iter().filter(|id| catalogue.get(id).is_some());
    let requirements: Vec<String> = known.map(str::to_owned).collect();
    let id = id_of_cause(subject, property.name(), name);
    let mut outcome = blank(subject, id, property.title(), requirements.clone());
    outcome.level = severity.level();
    let finding = Finding {
        check: property.name().to_owned(),
        level: severity.level(),
        severity,
        requirements,
        message,
        expected,
        actual,
        differences,
        exchange,
        place: None,
        signature,
        snapshot: None,
    };
    outcome.verdict = Verdict::of(std::slice::from_ref(&finding));
    outcome.findings.push(finding);
    outcome
}

/// Takes a verdict back: what was seen was `not_again` seen.
pub fn take_back(outcome: &mut Outcome, not_again: &str) {
    let message = outcome.findings.first().map(|finding| finding.message.as_str()).unwrap_or_default();
    outcome.verdict = Verdict::Inconclusive { why: format!("{message}, and {not_again}") };
}

/// What else showed a cause, in a line; nothing where nothing did.
pub fn also(mut others: Vec<String>, what: &str) -> Option<String> {
    others.dedup();
    let more = others.len().saturating_sub(ALSO);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    others.truncate(ALSO);
    let named = others.join("; ");
    (!others.is_empty())
        .then(|| format!("the same with {named}{more}; {what} like these were left alone from then on"))
}

/// An outcome that nothing is said against yet.
fn blank(subject: Subject, id: String, title: &str, spec: Vec<String>) -> Outcome {
    Outcome {
        id,
        suite: format!("fuzz-{}", subject.name()),
        title: title.to_owned(),
        level: Level::Must,
        spec,
        tags: vec![format!("fuzz.{}", subject.name())],
        place: Place { file: String::new(), line: 0, column: 0 },
        verdict: Verdict::Passed,
        findings: Vec::new(),
        exchanges: Vec::new(),
        duration_ms: 0,
        consequence: None,
        hint: None,
        notes: Vec::new(),
        baseline: None,
    }
}

/// The id of a property: `fuzz/filter/connectives`.
fn id(subject: Subject, property: &str) -> String {
    format!("fuzz/{}/{property}", subject.name())
}

/// The id of a cause: `fuzz/filter/connectives[and-wrong]`.
fn id_of_cause(subject: Subject, property: &str, name: &str) -> String {
    format!("{}[{name}]", id(subject, property))
}

/// The names of causes, each unlike those before it: the second `ew-wrong` is `ew-wrong-2`.
fn distinct(names: impl IntoIterator<Item = String>) -> Vec<String> {
    let mut taken = BTreeSet::new();
    let distinct = |name: String| {
        let mut one = name.clone();
        let mut number = 1;
        while !taken.insert(one.clone()) {
            number += 1;
            one = format!("{name}-{number}");
        }
        one
    };
    names.into_iter().map(distinct).collect()
}

/// The outcome of the whole, where it could not be tried, or not all of it.
fn whole(subject: Subject, verdict: Verdict) -> Outcome {
    let mut outcome = blank(subject, format!("fuzz/{}", subject.name()), subject.title(), Vec::new());
    outcome.verdict = verdict;
    outcome
}

/// What has to be said of how it ended, beside the outcomes of what was tried.
fn ending(subject: Subject, ended: &Ended, was_tried: bool) -> Option<Outcome> {
    let verdict = match ended {
        Ended::Gone(why) => {
            let detail = format!("the target stopped serving ({why}); the rest was not tried");
            Verdict::Errored { cause: ErrorCause::Transport { detail } }
        }
        Ended::BudgetSpent if !was_tried => Verdict::Skipped { reason: SkipReason::BudgetSpent },
        Ended::Interrupted if !was_tried => Verdict::Skipped { reason: SkipReason::Interrupted },
        Ended::Done | Ended::BudgetSpent | Ended::Interrupted => return None,
    };
    Some(whole(subject, verdict))
}

impl Ended {
    /// A sentence for reports; nothing where all was tried.
    pub fn sentence(&self) -> String {
        match self {
            Ended::Done => String::new(),
            Ended::BudgetSpent => "The budget of requests is spent; --requests allows more.".to_owned(),
            Ended::Interrupted => "It was interrupted.".to_owned(),
            Ended::Gone(why) => format!("The target stopped serving: {why}."),
        }
    }
}

impl FuzzRecord {
    /// The record of what was tried, on so many resources at each endpoint.
    pub fn of<P: Property>(
        subject: Subject,
        tally: &Tally<P>,
        ended: &Ended,
        resources: impl Iterator<Item = (String, u64)>,
    ) -> FuzzRecord {
        let judged = tally.judged.iter();
        FuzzRecord {
            noun: subject.noun().to_owned(),
            tried: tally.tried(),
            properties: judged
                .map(|(property, judged)| PropertyRecord {
                    name: property.name().to_owned(),
                    judged: *judged,
                })
                .collect(),
            left_alone: tally.left_alone,
            unjudged: tally.unjudged,
            shrinking: tally.shrinking,
            resources: resources.map(|(endpoint, count)| ResourceCount { endpoint, count }).collect(),
            ended: ended.sentence(),
            ..FuzzRecord::default()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_causes_share_a_name() {
        let names = ["ew-wrong", "and-wrong", "ew-wrong", "ew-wrong"].map(str::to_owned);
        assert_eq!(distinct(names), ["ew-wrong", "and-wrong", "ew-wrong-2", "ew-wrong-3"]);
    }

    #[test]
    fn how_it_ended_is_said_where_nothing_else_is() {
        let word = |ended, was_tried| {
            ending(Subject::Filter, &ended, was_tried).map(|outcome| outcome.verdict.word())
        };
        assert_eq!(word(Ended::BudgetSpent, true), None);
        assert_eq!(word(Ended::Done, false), None);
        assert_eq!(word(Ended::BudgetSpent, false), Some("skipped"));
        assert_eq!(word(Ended::Interrupted, false), Some("skipped"));
        assert_eq!(word(Ended::Gone("refused".to_owned()), true), Some("errored"));
    }
}
