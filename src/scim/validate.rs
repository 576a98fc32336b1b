//! A resource against its schemas.

use serde_json::Value;

use super::definition::ResourceDefinition;

/// Why a resource is validated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ValidationPurpose {
    /// The body of a POST.
    CreateRequest,
    /// The body of a PUT.
    ReplaceRequest,
    /// What a server returned, whole.
    Answer,
    /// What a server returned under `attributes` or `excludedAttributes`: anything not `always` may be absent.
    ProjectedAnswer,
}

/// What is wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ViolationKind {
    /// The resource is no object, or nests too deep.
    Shape,
    /// A value has the wrong JSON type, or a malformed dateTime, base64 or integer.
    Type,
    /// An array where one value is due, or one value where an array is due.
    Multiplicity,
    /// A required attribute has no value.
    Required,
    /// An attribute is not defined.
    Unknown,
    /// A value is none of the canonical ones. Suggestive only (RFC 7643 §7).
    Canonical,
    /// An attribute with `returned: never` was returned.
    Never,
    /// `schemas` lacks the URI of the base schema, of a required extension or of a container that is there.
    Schemas,
    /// More than one element is primary.
    Primary,
    /// The same attribute stands there twice, in different case.
    Duplicate,
}

/// One contradiction between a resource and its schemas.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// Where, in attribute notation with indexes: `emails[1].type`.
    pub path: String,
    /// What is wrong.
    pub kind: ViolationKind,
    /// What is there, and what was expected.
    pub message: String,
}

/// All contradictions between a resource and its schemas.
pub fn validate(
    _resource: &Value,
    _definition: &ResourceDefinition,
    _purpose: ValidationPurpose,
) -> Vec<Violation> {
    todo!()
}
