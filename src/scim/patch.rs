//! PATCH (RFC 7644 §3.5.2).

use serde_json::Value;

use super::definition::ResourceDefinition;
use super::error::ScimError;
use super::path::PatchPath;

/// What an operation does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PatchOp {
    /// `add`.
    Add,
    /// `remove`.
    Remove,
    /// `replace`.
    Replace,
}

/// One operation of a PATCH request.
#[derive(Debug, Clone, PartialEq)]
pub struct PatchOperation {
    /// What it does.
    pub op: PatchOp,
    /// Its target; `None` for the resource itself.
    pub path: Option<PatchPath>,
    /// Its value; `None` if the member is absent.
    pub value: Option<Value>,
}

/// Where a server may be milder than the letter. The default is the letter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct PatchOptions {
    /// `Add`, `Replace`, `REMOVE` are understood.
    pub any_case_op: bool,
    /// The strings `"True"` and `"False"` are taken for booleans.
    pub boolean_strings: bool,
    /// An `add` whose value filter matches nothing creates an element from the filter's `eq` terms.
    pub add_creates_from_filter: bool,
    /// A `replace` whose value filter matches nothing does so too.
    pub replace_creates_from_filter: bool,
    /// A `remove` with a path to a multi-valued attribute and a value removes the listed elements only.
    pub remove_listed_values: bool,
    /// Keys of a pathless value may be paths: `name.givenName`, `urn:…:User:department`.
    pub path_keys: bool,
    /// Read-only members of a pathless value are ignored.
    pub ignore_read_only_members: bool,
    /// Attributes that are not defined are ignored.
    pub ignore_unknown: bool,
    /// The most operations in one request.
    pub max_operations: Option<usize>,
}

/// A PATCH request.
#[derive(Debug, Clone, Copy)]
pub struct PatchRequest;

impl PatchRequest {
    /// Reads the body of a PATCH request.
    ///
    /// # Errors
    /// 400 with invalidSyntax, invalidPath, invalidFilter or noTarget.
    pub fn parse(_body: &Value, _options: PatchOptions) -> Result<Vec<PatchOperation>, ScimError> {
        todo!()
    }
}

/// The resource after all operations; the given one is left as it is.
///
/// # Errors
/// The first operation that cannot be done.
pub fn apply(
    _operations: &[PatchOperation],
    _resource: &Value,
    _definition: &ResourceDefinition,
    _options: PatchOptions,
) -> Result<Value, ScimError> {
    todo!()
}
