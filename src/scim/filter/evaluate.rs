//! Whether a resource matches a filter.

use serde_json::Value;

use super::Filter;
use crate::scim::definition::ResourceDefinition;
use crate::scim::error::ScimError;
use crate::scim::path::AttributePath;
use crate::scim::schema::Attribute;

/// A comparison that the attribute's type does not allow (400 invalidFilter).
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{path}: {message}")]
pub struct FilterTypeError {
    /// The attribute.
    pub path: AttributePath,
    /// Why it cannot be compared so.
    pub message: String,
}

impl From<FilterTypeError> for ScimError {
    fn from(error: FilterTypeError) -> ScimError {
        ScimError::invalid_filter(error.to_string())
    }
}

/// Whether the filter's comparisons suit the types of its attributes, whatever the data.
///
/// # Errors
/// The first comparison that does not.
pub fn check(_filter: &Filter, _definition: &ResourceDefinition) -> Result<(), FilterTypeError> {
    todo!()
}

/// Whether a resource matches.
///
/// # Errors
/// As [`check`].
pub fn matches(
    _filter: &Filter,
    _resource: &Value,
    _definition: &ResourceDefinition,
) -> Result<bool, FilterTypeError> {
    todo!()
}

/// Whether one element of a multi-valued attribute matches the filter between its brackets.
///
/// # Errors
/// As [`check`].
pub fn element_matches(
    _filter: &Filter,
    _element: &Value,
    _attribute: &Attribute,
) -> Result<bool, FilterTypeError> {
    todo!()
}

/// The paths of the filter that the definition does not know, in the order of the text.
pub fn unknown_paths(_filter: &Filter, _definition: &ResourceDefinition) -> Vec<AttributePath> {
    todo!()
}
