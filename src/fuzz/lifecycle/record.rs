//! What lifecycles came to, as outcomes: a property that held is one that passed, a cause is one that failed.

use super::problem::Problem;
use super::{Cause, FuzzError, Fuzzed, saved};
use crate::fuzz::record::{self, Said, failed, take_back};
use crate::fuzz::subject::{Found, Subject};
use crate::outcome::{ErrorCause, Outcome, Signature, SkipReason, Verdict};
use crate::report::model::FuzzRecord;
use crate::requirement::Catalogue;

/// What was found and what held, in the order of the properties, with a suite for each cause that one can say.
pub fn found(fuzzed: &Fuzzed, catalogue: &Catalogue, seed: u64) -> Found {
    let about = |cause: &Cause| (cause.signature.to_string(), Some(cause.shown.property));
    let told = |cause: &Cause, name: &str, _| {
        let outcome = outcome(name, cause, catalogue);
        let is_told = cause.shown.again != Some(false);
        let text = saved::suite(name, cause, &outcome.spec, seed).filter(|_| is_told);
        Some((outcome, text))
    };
    record::found(
        Subject::Lifecycle,
        (tried(fuzzed), &fuzzed.tally, &fuzzed.ended),
        &fuzzed.causes,
        about,
        told,
    )
}

/// What kept lifecycles from being fuzzed at all.
pub fn unjudged(error: &FuzzError) -> Found {
    let verdict = match error {
        FuzzError::ReadOnly => Verdict::Skipped { reason: SkipReason::ReadOnly },
        FuzzError::NoUsers => {
            Verdict::Errored { cause: ErrorCause::Precondition { detail: error.to_string() } }
        }
    };
    record::untried(Subject::Lifecycle, verdict, &error.to_string())
}

/// The record of what was tried.
fn tried(fuzzed: &Fuzzed) -> FuzzRecord {
    let Fuzzed { tally, notes, ended, resources, mended, .. } = fuzzed;
    let resources = resources.iter().map(|(endpoint, count)| (endpoint.clone(), *count as u64));
    FuzzRecord {
        notes: notes.clone(),
        mended: mended.clone(),
        ..FuzzRecord::of(Subject::Lifecycle, tally, ended, resources)
    }
}

/// The outcome of a cause.
fn outcome(name: &str, cause: &Cause, catalogue: &Catalogue) -> Outcome {
    let shown = &cause.shown;
    let Problem { severity, requirements, message, expected, actual, differences, exchange, .. } =
        &shown.problem;
    let steps: Vec<String> =
        shown.steps.iter().enumerate().map(|(at, step)| format!("{}. {step}", at + 1)).collect();
    let said = Said {
        severity: *severity,
        requirements: requirements.clone(),
        message: message.clone(),
        expected: format!("after\n{}\n{expected}", steps.join("\n")),
        actual: actual.clone(),
        differences: differences.clone(),
        exchange: *exchange,
        signature: Signature {
            check: name.to_owned(),
            method: method(cause.signature.step).to_owned(),
            endpoint: String::new(),
            expected: "what the model has".to_owned(),
            actual: cause.signature.differs.clone(),
        },
    };
    let mut outcome = failed(Subject::Lifecycle, shown.property, name, said, catalogue);
    if shown.again == Some(false) {
        take_back(&mut outcome, "not again from scratch: the server's answers changed meanwhile");
    }
    outcome.exchanges = shown.exchanges.iter().map(|exchange| exchange.id).collect();
    if cause.sightings > 1 {
        outcome.notes.push(format!("seen {} times", cause.sightings));
    }
    if shown.again.is_none() {
        outcome.notes.push("there was no budget left to try it again".to_owned());
    }
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
