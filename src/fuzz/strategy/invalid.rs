//! Texts that are no filter, made of one that is by a single slip. Slips that some careful reader takes for legal (two
//! blanks, a name without quotes as its value, brackets in brackets) are not made.

use proptest::prelude::*;
use proptest::sample::select;

use crate::scim::filter::Filter;

/// A slip.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Slip {
    /// The quote at the end is missing.
    Unclosed,
    /// The value is missing.
    NoValue,
    /// The operator is missing.
    NoOperator,
    /// The operator is none.
    UnknownOperator,
    /// The operator stands twice.
    TwiceTheOperator,
    /// A parenthesis is opened and not closed.
    Opened,
    /// A parenthesis is closed that was not opened.
    Closed,
    /// `and` or `or` has nothing behind it.
    NothingBehind,
    /// `and` or `or` has nothing before it.
    NothingBefore,
    /// Two terms stand side by side.
    NothingBetween,
    /// A bracket is not closed.
    OpenBracket,
    /// Parentheses hold nothing.
    Hollow,
}

impl Slip {
    /// All of them.
    pub const ALL: [Slip; 12] = [
        Slip::NoValue,
        Slip::UnknownOperator,
        Slip::Unclosed,
        Slip::NothingBehind,
        Slip::Opened,
        Slip::NoOperator,
        Slip::NothingBetween,
        Slip::Closed,
        Slip::TwiceTheOperator,
        Slip::NothingBefore,
        Slip::OpenBracket,
        Slip::Hollow,
    ];

    /// The text of a comparison (`path operator "value"`) with the slip in it.
    pub fn make(self, path: &str, operator: &str, value: &str) -> String {
        match self {
            Slip::Unclosed => format!("{path} {operator} \"{value}"),
            Slip::NoValue => format!("{path} {operator}"),
            Slip::NoOperator => format!("{path} \"{value}\""),
            Slip::UnknownOperator => format!("{path} xx \"{value}\""),
            Slip::TwiceTheOperator => format!("{path} {operator} {operator} \"{value}\""),
            Slip::Opened => format!("({path} {operator} \"{value}\""),
            Slip::Closed => format!("{path} {operator} \"{value}\")"),
            Slip::NothingBehind => format!("{path} {operator} \"{value}\" and"),
            Slip::NothingBefore => format!("or {path} {operator} \"{value}\""),
            Slip::NothingBetween => format!("{path} {operator} \"{value}\" {path} pr"),
            Slip::OpenBracket => format!("emails[type {operator} \"{value}\""),
            Slip::Hollow => "()".to_owned(),
        }
    }

    /// What is wrong, as a noun.
    pub fn words(self) -> &'static str {
        match self {
            Slip::Unclosed => "a literal without its last quote",
            Slip::NoValue => "a comparison without a value",
            Slip::NoOperator => "a comparison without an operator",
            Slip::UnknownOperator => "an operator that does not exist",
            Slip::TwiceTheOperator => "two operators in a row",
            Slip::Opened => "a parenthesis that is not closed",
            Slip::Closed => "a parenthesis that was not opened",
            Slip::NothingBehind => "a connective with nothing behind it",
            Slip::NothingBefore => "a connective with nothing before it",
            Slip::NothingBetween => "two comparisons without a connective",
            Slip::OpenBracket => "a bracket that is not closed",
            Slip::Hollow => "parentheses around nothing",
        }
    }
}

/// Texts that are no filter, with what is wrong about each.
pub fn slips(paths: Vec<String>, values: Vec<String>) -> impl Strategy<Value = (Slip, String)> {
    let operators = vec!["eq", "co", "sw"];
    (select(Slip::ALL.to_vec()), select(paths), select(operators), select(values))
        .prop_map(|(slip, path, operator, value)| (slip, slip.make(&path, operator, &value)))
        .prop_filter("it is a filter", |(_, text)| Filter::parse(text).is_err())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_slip_is_a_filter() {
        for slip in Slip::ALL {
            let text = slip.make("userName", "eq", "ann");
            assert!(Filter::parse(&text).is_err(), "{slip:?}: {text}");
        }
    }
}
