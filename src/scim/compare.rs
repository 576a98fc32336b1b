//! Equality of resources as SCIM sees it.

use serde_json::Value;

use super::definition::ResourceDefinition;

/// How much of the actual resource the expected one speaks of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Extent {
    /// What is expected must be there; whatever else is there is left aside.
    Subset,
    /// What is expected must be there, and nothing else.
    Whole,
}

/// How resources are compared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CompareOptions {
    /// Subset or whole.
    pub extent: Extent,
    /// Whether members that servers derive are left aside in a whole comparison.
    pub ignore_server_derived: bool,
    /// Attributes that are left aside, in attribute notation: `meta`, `name.formatted`.
    pub ignore: Vec<String>,
}

/// One difference.
#[derive(Debug, Clone, PartialEq)]
pub struct Difference {
    /// Where, in attribute notation with indexes of the expected resource: `emails[1].type`.
    pub path: String,
    /// What was expected; `None` for nothing.
    pub expected: Option<Value>,
    /// What is there; `None` for nothing.
    pub actual: Option<Value>,
}

/// All differences between what is expected and what is there.
pub fn differences(
    _expected: &Value,
    _actual: &Value,
    _definition: &ResourceDefinition,
    _options: &CompareOptions,
) -> Vec<Difference> {
    todo!()
}
