//! Rules on every exchange of a run, at no request.

use std::collections::{BTreeMap, BTreeSet};

use crate::judge::{Claims, Reading};
use crate::outcome::Finding;
use crate::target::exchange::{Exchange, ExchangeId};

/// What a rule has to know beside the exchange.
#[derive(Clone, Copy)]
pub struct RuleContext<'a> {
    /// What the service provider claims.
    pub capabilities: &'a dyn Claims,
    /// Which reading of the RFCs applies.
    pub reading: Reading,
    /// Exchanges that a rule does not judge, by the rule's name (`mutes` in a suite).
    pub mutes: &'a BTreeMap<String, BTreeSet<ExchangeId>>,
}

/// What a rule says about one exchange.
#[derive(Debug, Clone, PartialEq)]
pub enum RuleVerdict {
    /// It has nothing to say: the exchange is none that the rule is about.
    NotEligible,
    /// The rule holds.
    Held,
    /// The rule is broken.
    Broke(Vec<Finding>),
}

/// A statement about every exchange it is eligible for.
pub struct Rule {
    /// Its permanent name, the `check` of its findings.
    pub name: &'static str,
    /// Judges one exchange.
    pub judge: fn(&Exchange, &RuleContext<'_>) -> RuleVerdict,
}

/// A finding with every exchange that shows it.
#[derive(Debug, Clone, PartialEq)]
pub struct RuleFinding {
    /// The finding as the first exchange shows it.
    pub finding: Finding,
    /// All exchanges that show it, in order.
    pub exchanges: Vec<ExchangeId>,
}

/// What a rule came to over a run.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct RuleOutcome {
    /// How many exchanges it was judged on; none means that the rule is skipped.
    pub eligible: usize,
    /// What it found, each kind once.
    pub findings: Vec<RuleFinding>,
}

/// All rules.
pub static RULES: &[Rule] = &[];

/// The rule of that name.
pub fn by_name(name: &str) -> Option<&'static Rule> {
    RULES.iter().find(|rule| rule.name == name)
}

/// Judges the exchanges by one rule. Findings with equal signatures are one finding with several exchanges.
pub fn judge_all<'e>(
    rule: &Rule,
    exchanges: impl IntoIterator<Item = &'e Exchange>,
    context: &RuleContext<'_>,
) -> RuleOutcome {
    let _ = (rule, exchanges.into_iter().count(), context);
    RuleOutcome::default()
}
