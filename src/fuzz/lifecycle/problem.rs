//! What contradicts the model, in words, and the signature by which one defect is told from another.

use std::collections::BTreeSet;
use std::fmt;

use super::step::{Key, Kind, Step, Var};
use crate::fuzz::cause::{Harm, slug};
use crate::outcome::{Difference, Severity};
use crate::target::exchange::ExchangeId;

/// What one defect has in common wherever it shows: the harm, the kind of step, and what differs.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Signature {
    /// What comes of it.
    pub harm: Harm,
    /// The word of the step.
    pub step: &'static str,
    /// What differs: an attribute, a status, what is found.
    pub differs: String,
}

impl fmt::Display for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&slug(&format!("{}-{}-{}", self.step, self.harm.word(), self.differs)))
    }
}

/// What contradicts the model.
#[derive(Debug, Clone, PartialEq)]
pub struct Problem {
    /// What it is told from others by.
    pub signature: Signature,
    /// How bad it is: what servers are known for, and clients survive, is a warning.
    pub severity: Severity,
    /// In one line.
    pub message: String,
    /// What would have been right.
    pub expected: String,
    /// What came.
    pub actual: String,
    /// Member by member.
    pub differences: Vec<Difference>,
    /// The requirements that it breaks.
    pub requirements: Vec<&'static str>,
    /// The exchange that shows it.
    pub exchange: Option<ExchangeId>,
    /// The resources that it is about.
    pub vars: BTreeSet<Var>,
    /// The names that it is about.
    pub keys: BTreeSet<(Kind, Key)>,
}

impl Problem {
    /// A problem of a step.
    pub fn of(step: &Step, harm: Harm, differs: impl Into<String>, message: impl Into<String>) -> Problem {
        Problem {
            signature: Signature { harm, step: step.word(), differs: differs.into() },
            severity: Severity::Failure,
            message: message.into(),
            expected: String::new(),
            actual: String::new(),
            differences: Vec::new(),
            requirements: Vec::new(),
            exchange: None,
            vars: step.vars(),
            keys: step.keys(),
        }
    }

    /// With what would have been right, and what came.
    #[must_use]
    pub fn told(mut self, expected: impl Into<String>, actual: impl Into<String>) -> Problem {
        self.expected = expected.into();
        self.actual = actual.into();
        self
    }

    /// With a requirement.
    #[must_use]
    pub fn breaks(mut self, requirements: &[&'static str]) -> Problem {
        self.requirements.extend(requirements);
        self
    }

    /// Shown by an exchange.
    #[must_use]
    pub fn shown(mut self, exchange: ExchangeId) -> Problem {
        self.exchange = Some(exchange);
        self
    }

    /// About another resource, too.
    #[must_use]
    pub fn about(mut self, who: impl IntoIterator<Item = Var>) -> Problem {
        self.vars.extend(who);
        self
    }

    /// As a warning.
    #[must_use]
    pub fn warning(mut self) -> Problem {
        self.severity = Severity::Warning;
        self
    }
}

/// The status in words that a reader knows.
pub fn statuses(all: &[u16]) -> String {
    let words: Vec<String> = all.iter().map(u16::to_string).collect();
    match words.split_last() {
        None => "a refusal".to_owned(),
        Some((last, [])) => last.clone(),
        Some((last, rest)) => format!("{} or {last}", rest.join(", ")),
    }
}
