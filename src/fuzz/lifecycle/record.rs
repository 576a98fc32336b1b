//! What lifecycles came to, as outcomes: a property that held is one that passed, a cause is one that failed.

use super::problem::Problem;
use super::{Cause, FuzzError, Fuzzed, Property, saved};
use crate::fuzz::record::{blank, distinct, ending, id, id_of_cause, whole};
use crate::fuzz::subject::{Found, FoundSuite, Subject};
use crate::outcome::{ErrorCause, Finding, Level, Outcome, Severity, Signature, SkipReason, Verdict};
use crate::report::model::{FuzzRecord, PropertyRecord, ResourceCount};
use crate::report::text::count;
use crate::requirement::Catalogue;

/// What was found and what held, in the order of the properties.
pub fn found(fuzzed: &Fuzzed, catalogue: &Catalogue, seed: u64) -> Found {
    let mut found = Found { record: record(fuzzed), ..Found::default() };
    let names = distinct(fuzzed.causes.iter().map(|cause| cause.signature.to_string()));
    for property in Property::ALL {
        let judged = fuzzed.tally.judged.get(&property).copied().unwrap_or_default();
        let causes: Vec<_> =
            fuzzed.causes.iter().zip(&names).filter(|(cause, _)| cause.shown.property == property).collect();
        if causes.is_empty() && judged > 0 {
            let id = id(Subject::Lifecycle, property.name());
            let mut held = blank(Subject::Lifecycle, id, property.title(), Vec::new());
            held.notes.push(format!("{} judged", count(judged, Subject::Lifecycle.noun())));
            found.outcomes.push(held);
        }
        for (cause, name) in causes {
            let outcome = outcome(name, cause, catalogue);
            let is_told = cause.shown.again != Some(false);
            let text = saved::suite(name, cause, &outcome.spec, seed).filter(|_| is_told);
            found.suites.extend(text.map(|text| FoundSuite { name: name.clone(), text }));
            found.outcomes.push(outcome);
        }
    }
    let was_tried = !found.outcomes.is_empty();
    found.outcomes.extend(ending(Subject::Lifecycle, &fuzzed.ended, was_tried));
    found
}

/// What kept lifecycles from being fuzzed at all.
pub fn unjudged(error: &FuzzError) -> Found {
    let verdict = match error {
        FuzzError::ReadOnly => Verdict::Skipped { reason: SkipReason::ReadOnly },
        FuzzError::NoUsers => {
            Verdict::Errored { cause: ErrorCause::Precondition { detail: error.to_string() } }
        }
    };
    Found {
        outcomes: vec![whole(Subject::Lifecycle, verdict)],
        record: FuzzRecord::without(Subject::Lifecycle, &error.to_string()),
        suites: Vec::new(),
    }
}

/// The record of what was tried.
fn record(fuzzed: &Fuzzed) -> FuzzRecord {
    let Fuzzed { tally, notes, ended, resources, mended, .. } = fuzzed;
    FuzzRecord {
        command: Vec::new(),
        noun: Subject::Lifecycle.noun().to_owned(),
        tried: tally.lifecycles(),
        properties: tally
            .judged
            .iter()
            .map(|(property, judged)| PropertyRecord { name: property.name().to_owned(), judged: *judged })
            .collect(),
        left_alone: tally.left_alone,
        unjudged: tally.unjudged,
        shrinking: tally.shrinking,
        resources: resources
            .iter()
            .map(|(endpoint, count)| ResourceCount { endpoint: endpoint.clone(), count: *count as u64 })
            .collect(),
        dialect: Vec::new(),
        notes: notes.clone(),
        mended: mended.clone(),
        saved: Vec::new(),
        ended: ended.sentence(),
    }
}

/// The outcome of a cause.
fn outcome(name: &str, cause: &Cause, catalogue: &Catalogue) -> Outcome {
    let shown = &cause.shown;
    let Problem { severity, message, expected, actual, differences, exchange, .. } = &shown.problem;
    let requirements: Vec<String> = shown
        .problem
        .requirements
        .iter()
        .filter(|id| catalogue.get(id).is_some())
        .map(|id| (*id).to_owned())
        .collect();
    let level = match severity {
        Severity::Failure => Level::Must,
        Severity::Warning => Level::Should,
        Severity::Note => Level::May,
    };
    let id = id_of_cause(Subject::Lifecycle, shown.property.name(), name);
    let mut outcome = blank(Subject::Lifecycle, id, shown.property.title(), requirements.clone());
    outcome.level = level;
    let steps: Vec<String> =
        shown.steps.iter().enumerate().map(|(at, step)| format!("{}. {step}", at + 1)).collect();
    let told = |what: &str| format!("after\n{}\n{what}", steps.join("\n"));
    let finding = Finding {
        check: shown.property.name().to_owned(),
        level,
        severity: *severity,
        requirements,
        message: message.clone(),
        expected: told(expected),
        actual: actual.clone(),
        differences: differences.clone(),
        exchange: *exchange,
        place: None,
        signature: Signature {
            check: name.to_owned(),
            method: method(cause.signature.step).to_owned(),
            endpoint: String::new(),
            expected: "what the model has".to_owned(),
            actual: cause.signature.differs.clone(),
        },
        snapshot: None,
    };
    outcome.verdict = match shown.again {
        Some(false) => Verdict::Inconclusive {
            why: format!("{message}, and not again from scratch: the server's answers changed meanwhile"),
        },
        _ => Verdict::of(std::slice::from_ref(&finding)),
    };
    outcome.exchanges.clone_from(&shown.exchanges);
    if cause.sightings > 1 {
        outcome.notes.push(format!("seen {} times", cause.sightings));
    }
    if shown.again.is_none() {
        outcome.notes.push("there was no budget left to try it again".to_owned());
    }
    outcome.findings.push(finding);
    outcome
}

fn method(step: &str) -> &'static str {
    match step {
        "create" => "POST",
        "replace" => "PUT",
        "patch" => "PATCH",
        "delete" => "DELETE",
        "race" => "",
        _ => "GET",
    }
}
