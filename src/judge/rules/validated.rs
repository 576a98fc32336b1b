//! What the validator says of the resources in the answers of a run, found out once for all rules that go by it.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::OnceLock;

use crate::scim::validate::Violation;
use crate::target::exchange::{Exchange, ExchangeId};

/// The violations in each resource of an answer, in the order of the resources.
pub(super) type Violations = Vec<Vec<Violation>>;

/// The exchanges of a run, each with the violations in it once a rule has asked for them.
#[derive(Debug, Default)]
pub struct Validated<'e> {
    known: BTreeMap<ExchangeId, (&'e Exchange, OnceLock<Violations>)>,
}

impl<'e> Validated<'e> {
    /// Of these exchanges, nothing is found out yet.
    pub fn of(exchanges: impl IntoIterator<Item = &'e Exchange>) -> Validated<'e> {
        let known =
            exchanges.into_iter().map(|exchange| (exchange.id, (exchange, OnceLock::new()))).collect();
        Validated { known }
    }

    /// The violations in an exchange. One that is an altered copy of one of the run is looked at anew.
    pub(super) fn violations(
        &self,
        exchange: &Exchange,
        find: impl FnOnce() -> Violations,
    ) -> Cow<'_, [Vec<Violation>]> {
        match self.known.get(&exchange.id).filter(|(known, _)| std::ptr::eq(*known, exchange)) {
            Some((_, violations)) => Cow::Borrowed(violations.get_or_init(find)),
            None => Cow::Owned(find()),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::judge::testing::exchange;
    use crate::scim::validate::ViolationKind;

    #[test]
    fn an_exchange_is_looked_at_once_and_its_copy_anew() {
        let (told, copy) =
            (exchange("GET", "/Users/1", 200, json!({})), exchange("GET", "/Users/1", 200, json!({})));
        let validated = Validated::of([&told]);
        let violation = |path: &str| {
            let (path, message) = (path.to_owned(), String::new());
            vec![vec![Violation { path, kind: ViolationKind::Type, message }]]
        };
        assert_eq!(*validated.violations(&told, || violation("a")), violation("a"));
        assert_eq!(*validated.violations(&told, || violation("b")), violation("a"));
        assert_eq!(*validated.violations(&copy, || violation("b")), violation("b"));
    }
}
