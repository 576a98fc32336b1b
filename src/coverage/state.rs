//! How far one requirement is tested: proven, or what stands in the way of it.
//!
//! Pure: the catalogue's entry, who cites it and what has been shown come in, a state and its reason go out.

use schemars::JsonSchema;
use serde::Serialize;

use super::citation::Citation;
use super::proof::Proof;
use crate::requirement::{Because, Observable, Requirement};

/// How far a requirement is tested.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, JsonSchema, clap::ValueEnum,
)]
#[serde(rename_all = "kebab-case")]
pub enum State {
    /// A fault against it turns a case red that cites it.
    Proven,
    /// A case tests it, and the catalogue says why no fault can show so.
    Exempt,
    /// A case cites it, and nothing has shown that the case can fail.
    Cited,
    /// No case tests it, and the catalogue says what that would take.
    Untested,
    /// No case could test it: nothing shows it, nothing breaks it, or it binds somebody else.
    BeyondTests,
    /// No case tests it, and nothing says why.
    Missing,
}

impl State {
    /// All of them, best first.
    pub const ALL: [State; 6] =
        [State::Proven, State::Exempt, State::Cited, State::Untested, State::BeyondTests, State::Missing];

    /// What it is called.
    pub fn words(self) -> &'static str {
        match self {
            State::Proven => "proven",
            State::Exempt => "exempt",
            State::Cited => "cited only",
            State::Untested => "untested",
            State::BeyondTests => "beyond tests",
            State::Missing => "missing",
        }
    }

    /// The state of a requirement, by who cites it and what has been shown.
    pub fn of(requirement: &Requirement, citations: &[Citation], proofs: &[Proof]) -> State {
        let Requirement { untested, unproven, observable, .. } = requirement;
        if !proofs.is_empty() {
            return State::Proven;
        }
        match (citations.is_empty(), untested, observable) {
            (false, _, _) if unproven.is_some() => State::Exempt,
            (false, _, _) => State::Cited,
            (true, Some(untested), _) if untested.because.is_beyond_tests() => State::BeyondTests,
            (true, Some(_), _) => State::Untested,
            (true, None, Observable::Not) => State::BeyondTests,
            (true, None, _) => State::Missing,
        }
    }
}

/// Why a requirement is not proven: the kind of reason where there is one, and the reason.
pub fn reason(requirement: &Requirement, state: State) -> (Option<Because>, Option<&str>) {
    match (state, &requirement.untested) {
        (State::Exempt, _) => (None, requirement.unproven.as_deref()),
        (State::Untested | State::BeyondTests, Some(untested)) => {
            (Some(untested.because), Some(&untested.why))
        }
        (State::BeyondTests, None) => (Some(Because::Unobservable), None),
        _ => (None, None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::requirement::{Catalogue, Untested};

    fn requirement() -> Requirement {
        let any = Catalogue::embedded().get("RFC7644-3.3-07").unwrap().clone();
        Requirement { untested: None, unproven: None, observable: Observable::Fully, ..any }
    }

    #[test]
    fn a_state_follows_from_what_was_shown_then_who_cites_then_what_the_catalogue_says() {
        let cited = [Citation { case: "s/c".into(), row: None, rule: false }];
        let proof = [Proof { fault: "f".into(), case: "s/c".into() }];
        let because = |because| Some(Untested { because, why: "so".into() });
        let plain = requirement();
        let excused = Requirement { unproven: Some("no fault".into()), ..requirement() };
        let hook = Requirement { untested: because(Because::NeedsHook), ..requirement() };
        let permits = Requirement { untested: because(Because::NothingToBreak), ..requirement() };
        let unseen = Requirement { observable: Observable::Not, ..requirement() };

        assert_eq!(State::of(&plain, &cited, &proof), State::Proven);
        assert_eq!(State::of(&plain, &cited, &[]), State::Cited);
        assert_eq!(State::of(&plain, &[], &[]), State::Missing);
        assert_eq!(State::of(&excused, &cited, &[]), State::Exempt);
        assert_eq!(State::of(&excused, &[], &[]), State::Missing, "an excuse for a test that is not there");
        assert_eq!(State::of(&hook, &[], &[]), State::Untested);
        assert_eq!(State::of(&permits, &[], &[]), State::BeyondTests);
        assert_eq!(State::of(&unseen, &[], &[]), State::BeyondTests);

        assert_eq!(reason(&excused, State::Exempt), (None, Some("no fault")));
        assert_eq!(reason(&hook, State::Untested), (Some(Because::NeedsHook), Some("so")));
        assert_eq!(reason(&unseen, State::BeyondTests), (Some(Because::Unobservable), None));
        assert_eq!(reason(&plain, State::Missing), (None, None));
    }
}
