//! Filters made of terms by `and`, `or`, `not` and parentheses.

use proptest::prelude::*;
use proptest::sample::select;

use crate::scim::filter::Filter;

/// How deep connectives nest in a filter of chance.
const DEPTH: u32 = 3;
/// About how many terms it has at most.
const TERMS: u32 = 8;

/// Filters over these terms, each of up to about eight of them. There has to be a term.
pub fn filters(terms: Vec<Filter>) -> impl Strategy<Value = Filter> {
    let leaf = select(terms);
    leaf.prop_recursive(DEPTH, TERMS, 3, |inner| {
        prop_oneof![
            3 => proptest::collection::vec(inner.clone(), 2..4).prop_map(Filter::And),
            3 => proptest::collection::vec(inner.clone(), 2..4).prop_map(Filter::Or),
            2 => inner.prop_map(|operand| Filter::Not(Box::new(operand))),
        ]
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    proptest! {
        #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]
        #[test]
        fn a_filter_reads_back(filter in filters(vec![
            Filter::parse("title pr").unwrap(),
            Filter::parse("userName sw \"a\"").unwrap(),
            Filter::parse("emails[type eq \"work\" or value pr]").unwrap(),
        ])) {
            prop_assert_eq!(Filter::parse(&filter.to_string()).unwrap(), filter);
        }
    }
}
