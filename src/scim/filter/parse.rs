//! The parser of filters, attribute notation and PATCH paths.

use super::{Filter, FilterError};
use crate::scim::path::{AttributePath, PatchPath};

/// Reads a filter.
///
/// # Errors
/// If the text breaks the grammar or a limit.
pub fn filter(_text: &str) -> Result<Filter, FilterError> {
    todo!()
}

/// Reads `[urn:]name[.sub]`.
///
/// # Errors
/// If the text breaks the grammar.
pub fn attribute_path(_text: &str) -> Result<AttributePath, FilterError> {
    todo!()
}

/// Reads a PATCH path.
///
/// # Errors
/// If the text breaks the grammar or a limit.
pub fn patch_path(_text: &str) -> Result<PatchPath, FilterError> {
    todo!()
}
