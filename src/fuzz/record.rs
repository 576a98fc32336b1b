//! What outcomes and records of all kinds of fuzzing have in common; what they say of filters is said beside those.

use std::collections::BTreeSet;

use super::{Ended, Subject};
use crate::outcome::{ErrorCause, Level, Outcome, Place, SkipReason, Verdict};
use crate::report::model::FuzzRecord;

/// An outcome that nothing is said against yet.
pub fn blank(subject: Subject, id: String, title: &str, spec: Vec<String>) -> Outcome {
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
pub fn id(subject: Subject, property: &str) -> String {
    format!("fuzz/{}/{property}", subject.name())
}

/// The id of a cause: `fuzz/filter/connectives[and-wrong]`.
pub fn id_of_cause(subject: Subject, property: &str, name: &str) -> String {
    format!("{}[{name}]", id(subject, property))
}

/// The names of causes, each unlike those before it: the second `ew-wrong` is `ew-wrong-2`.
pub fn distinct(names: impl IntoIterator<Item = String>) -> Vec<String> {
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
pub fn whole(subject: Subject, verdict: Verdict) -> Outcome {
    let mut outcome = blank(subject, format!("fuzz/{}", subject.name()), subject.title(), Vec::new());
    outcome.verdict = verdict;
    outcome
}

/// What has to be said of how it ended, beside the outcomes of what was tried.
pub fn ending(subject: Subject, ended: &Ended, was_tried: bool) -> Option<Outcome> {
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
    /// The record of a run that came to nothing.
    pub fn without(subject: Subject, why: &str) -> FuzzRecord {
        FuzzRecord { noun: subject.noun().to_owned(), ended: why.to_owned(), ..FuzzRecord::default() }
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
