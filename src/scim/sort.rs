//! `sortBy` (RFC 7644 §3.4.2.3).

use std::cmp::Ordering;

use serde_json::Value;

use super::definition::ResourceDefinition;
use super::path::AttributePath;

/// The ascending order of two resources by an attribute; without data last.
pub fn compare(
    _left: &Value,
    _right: &Value,
    _sort_by: &AttributePath,
    _definition: &ResourceDefinition,
) -> Ordering {
    todo!()
}
