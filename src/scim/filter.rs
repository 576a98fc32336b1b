//! The filter language of RFC 7644 §3.4.2.2: the tree, its printed form, and what can be wrong with a text.
//!
//! [`parse`] reads, [`evaluate`] decides whether a resource matches.

pub mod evaluate;
pub mod parse;
mod print;
#[cfg(test)]
mod tests;

use std::fmt;

use serde_json::{Number, Value};

use super::error::ScimError;
use super::path::AttributePath;
pub use evaluate::{FilterTypeError, FilterTypeErrorKind, check, element_matches, matches};

/// The longest filter that is read, in bytes.
pub const MAX_LENGTH: usize = 16 * 1024;

/// How deep parentheses, `not` and brackets may nest.
pub const MAX_DEPTH: usize = 64;

/// A filter. `and` and `or` hold two or more operands; an operand that is itself of the same kind stood in
/// parentheses of its own, so what is printed reads back as the same tree.
#[derive(Debug, Clone, PartialEq)]
pub enum Filter {
    /// All operands match.
    And(Vec<Filter>),
    /// At least one operand matches.
    Or(Vec<Filter>),
    /// The operand does not match.
    Not(Box<Filter>),
    /// A comparison of an attribute with a value.
    Compare {
        /// The attribute.
        path: AttributePath,
        /// The operator.
        operator: CompareOperator,
        /// The value.
        value: FilterValue,
    },
    /// `pr`: the attribute has a value.
    Present(AttributePath),
    /// `path[filter]`: one element of the attribute matches the filter as a whole.
    ValuePath {
        /// The attribute.
        path: AttributePath,
        /// The filter, whose paths are sub-attributes.
        filter: Box<Filter>,
    },
}

impl Filter {
    /// Reads a filter.
    ///
    /// # Errors
    /// If the text breaks the grammar, is longer than [`MAX_LENGTH`] or nests deeper than [`MAX_DEPTH`].
    pub fn parse(text: &str) -> Result<Filter, FilterError> {
        parse::filter(text)
    }
}

/// A comparison operator (RFC 7644 Table 3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CompareOperator {
    /// `eq`: identical.
    Equal,
    /// `ne`: not identical.
    NotEqual,
    /// `co`: contains.
    Contains,
    /// `sw`: starts with.
    StartsWith,
    /// `ew`: ends with.
    EndsWith,
    /// `gt`: after.
    GreaterThan,
    /// `ge`: after or equal.
    GreaterOrEqual,
    /// `lt`: before.
    LessThan,
    /// `le`: before or equal.
    LessOrEqual,
}

impl CompareOperator {
    /// All operators.
    pub const ALL: [CompareOperator; 9] = [
        CompareOperator::Equal,
        CompareOperator::NotEqual,
        CompareOperator::Contains,
        CompareOperator::StartsWith,
        CompareOperator::EndsWith,
        CompareOperator::GreaterThan,
        CompareOperator::GreaterOrEqual,
        CompareOperator::LessThan,
        CompareOperator::LessOrEqual,
    ];

    /// The operator as it is written.
    pub fn as_str(self) -> &'static str {
        match self {
            CompareOperator::Equal => "eq",
            CompareOperator::NotEqual => "ne",
            CompareOperator::Contains => "co",
            CompareOperator::StartsWith => "sw",
            CompareOperator::EndsWith => "ew",
            CompareOperator::GreaterThan => "gt",
            CompareOperator::GreaterOrEqual => "ge",
            CompareOperator::LessThan => "lt",
            CompareOperator::LessOrEqual => "le",
        }
    }

    /// The operator that is written so, without regard to case.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|operator| operator.as_str().eq_ignore_ascii_case(text))
    }

    /// Whether it asks for an order: `gt`, `ge`, `lt`, `le`.
    pub fn is_ordering(self) -> bool {
        use CompareOperator::{GreaterOrEqual, GreaterThan, LessOrEqual, LessThan};
        matches!(self, GreaterThan | GreaterOrEqual | LessThan | LessOrEqual)
    }

    /// Whether it looks into a text: `co`, `sw`, `ew`.
    pub fn is_substring(self) -> bool {
        matches!(self, CompareOperator::Contains | CompareOperator::StartsWith | CompareOperator::EndsWith)
    }
}

impl fmt::Display for CompareOperator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The value of a comparison: a JSON literal.
#[derive(Debug, Clone, PartialEq)]
pub enum FilterValue {
    /// `null`.
    Null,
    /// `true` or `false`.
    Boolean(bool),
    /// A number.
    Number(Number),
    /// A string.
    String(String),
}

impl FilterValue {
    /// The value as JSON.
    pub fn to_json(&self) -> Value {
        match self {
            FilterValue::Null => Value::Null,
            FilterValue::Boolean(boolean) => Value::Bool(*boolean),
            FilterValue::Number(number) => Value::Number(number.clone()),
            FilterValue::String(text) => Value::String(text.clone()),
        }
    }
}

impl From<&str> for FilterValue {
    fn from(text: &str) -> Self {
        FilterValue::String(text.to_owned())
    }
}

impl From<bool> for FilterValue {
    fn from(boolean: bool) -> Self {
        FilterValue::Boolean(boolean)
    }
}

impl From<i64> for FilterValue {
    fn from(number: i64) -> Self {
        FilterValue::Number(number.into())
    }
}

/// Why a text is no filter, no attribute notation, or no PATCH path.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("at byte {position}: {message}{}", .hint.as_ref().map(|hint| format!(" ({hint})")).unwrap_or_default())]
pub struct FilterError {
    /// Where, as a byte offset into the text; its length for an unexpected end. Always on a character boundary.
    pub position: usize,
    /// What is wrong there.
    pub message: String,
    /// What may have been meant.
    pub hint: Option<String>,
    /// Whether the trouble lies in a filter, and not in the path around it.
    pub in_filter: bool,
}

impl FilterError {
    /// The answer to a request with this filter: 400 invalidFilter.
    pub fn for_filter(&self) -> ScimError {
        ScimError::invalid_filter(format!("the filter is malformed {self}"))
    }

    /// The answer to a PATCH with this path: 400 invalidFilter where the trouble lies between brackets,
    /// else invalidPath.
    pub fn for_path(&self) -> ScimError {
        let detail = format!("the path is malformed {self}");
        if self.in_filter { ScimError::invalid_filter(detail) } else { ScimError::invalid_path(detail) }
    }
}
