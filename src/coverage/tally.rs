//! Requirements counted by their state, and the aims that the counts are held to.

use schemars::JsonSchema;
use serde::Serialize;

use super::state::State;
use crate::outcome::Level;
use crate::requirement::Observable;

/// The documents that the aims are about.
pub const CORE: [&str; 3] = ["RFC7643", "RFC7644", "RFC9865"];
/// The document that is reported apart, and counts for nothing else: event tokens, which SCIM servers rarely issue.
pub const APART: &str = "RFC9967";

/// How many requirements are in which state.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Tally {
    /// All of them.
    pub asked: u32,
    /// A fault against them turns a case red that cites them.
    pub proven: u32,
    /// A case tests them, though no fault can show so.
    pub exempt: u32,
    /// A case cites them, and nothing has shown that it can fail.
    pub cited: u32,
    /// No case tests them, with a reason.
    pub untested: u32,
    /// No case could test them.
    #[serde(rename = "beyondTests")]
    pub beyond_tests: u32,
    /// No case tests them, and nothing says why.
    pub missing: u32,
}

impl Tally {
    /// Counts one.
    pub fn count(&mut self, state: State) {
        self.asked += 1;
        *self.slot(state) += 1;
    }

    /// Counts all of another, too.
    pub fn add(&mut self, other: &Tally) {
        self.asked += other.asked;
        for state in State::ALL {
            *self.slot(state) += other.of(state);
        }
    }

    /// How many are in a state.
    pub fn of(&self, state: State) -> u32 {
        match state {
            State::Proven => self.proven,
            State::Exempt => self.exempt,
            State::Cited => self.cited,
            State::Untested => self.untested,
            State::BeyondTests => self.beyond_tests,
            State::Missing => self.missing,
        }
    }

    fn slot(&mut self, state: State) -> &mut u32 {
        match state {
            State::Proven => &mut self.proven,
            State::Exempt => &mut self.exempt,
            State::Cited => &mut self.cited,
            State::Untested => &mut self.untested,
            State::BeyondTests => &mut self.beyond_tests,
            State::Missing => &mut self.missing,
        }
    }

    /// How many a case could test.
    pub fn testable(&self) -> u32 {
        self.asked - self.beyond_tests
    }

    /// How many count as covered: proven, or exempt for a reason.
    pub fn covered(&self) -> u32 {
        self.proven + self.exempt
    }

    /// The share of those that a case could test and that are covered, in percent; none where there are none.
    pub fn percent(&self) -> Option<f64> {
        let testable = self.testable();
        (testable > 0).then(|| f64::from(self.covered()) * 100.0 / f64::from(testable))
    }
}

/// A percentage as people read it, never rounded up to a whole that it is not: `99.9 %`.
pub fn percent_text(percent: Option<f64>) -> String {
    percent.map_or_else(|| "–".to_owned(), |percent| format!("{:.1} %", (percent * 10.0).floor() / 10.0))
}

/// A share of the requirements of the core documents that is to be covered.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Aim {
    /// How strongly they bind.
    pub level: Level,
    /// How well they can be observed.
    pub observable: Observable,
    /// The share, in percent.
    pub percent: f64,
    /// What it may never fall below again, in percent: raised with what is reached.
    pub floor: f64,
}

/// The aims.
pub const AIMS: [Aim; 3] = [
    Aim { level: Level::Must, observable: Observable::Fully, percent: 100.0, floor: 100.0 },
    Aim { level: Level::Must, observable: Observable::Partly, percent: 90.0, floor: 92.0 },
    Aim { level: Level::Should, observable: Observable::Fully, percent: 90.0, floor: 100.0 },
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_no_case_could_test_is_no_part_of_the_share() {
        let mut tally = Tally::default();
        for state in State::ALL {
            tally.count(state);
        }
        assert_eq!((tally.asked, tally.testable(), tally.covered()), (6, 5, 2));
        assert_eq!(tally.percent(), Some(40.0));
        let mut twice = tally;
        twice.add(&tally);
        assert_eq!((twice.asked, twice.percent()), (12, Some(40.0)));
        assert_eq!(Tally::default().percent(), None);
    }

    #[test]
    fn a_share_is_not_rounded_up_to_the_whole() {
        assert_eq!(percent_text(Some(99.97)), "99.9 %");
        assert_eq!(percent_text(Some(100.0)), "100.0 %");
        assert_eq!(percent_text(None), "–");
    }
}
