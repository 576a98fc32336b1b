//! PATCH (RFC 7644 §3.5.2): the request read, and what it makes of a resource.
//!
//! [`apply`] is pure and atomic: it returns the whole new resource, or the first error and nothing.
//! What concerns other resources (uniqueness, members that exist) and what the server adds
//! (`meta.lastModified`, `$ref`) is not for here.

mod apply;
mod select;
#[cfg(test)]
mod tests;
mod write;

use serde_json::Value;

pub use apply::apply;

use super::error::ScimError;
use super::names;
use super::path::PatchPath;
use super::problem::json_type;
use super::resource::{self, MAX_DEPTH, get, is_deeper_than};

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

impl PatchOp {
    /// The operation as it is written.
    pub fn as_str(self) -> &'static str {
        match self {
            PatchOp::Add => "add",
            PatchOp::Remove => "remove",
            PatchOp::Replace => "replace",
        }
    }

    /// The operation that is written so, in any case: `op` is not declared caseExact.
    pub fn parse(text: &str) -> Option<Self> {
        [PatchOp::Add, PatchOp::Remove, PatchOp::Replace]
            .into_iter()
            .find(|op| op.as_str().eq_ignore_ascii_case(text))
    }
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

/// What a server does at the points that the RFC leaves open. The default is the strictest common reading.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct PatchOptions {
    /// Only `add`, `remove` and `replace` in lower case are understood.
    pub lower_case_op_only: bool,
    /// The strings `"True"` and `"False"`, in any case, are taken for booleans.
    pub boolean_strings: bool,
    /// An `add` whose value filter matches nothing creates an element from the filter's `eq` terms.
    pub add_creates_from_filter: bool,
    /// A `replace` whose value filter matches nothing does so too. The RFC demands noTarget.
    pub replace_creates_from_filter: bool,
    /// A `remove` with a path to a multi-valued attribute and a value removes the listed values only.
    pub remove_listed_values: bool,
    /// Keys of a pathless value may be paths: `name.givenName`, `urn:…:User:department`.
    pub path_keys: bool,
    /// A path may be the URI of an extension, for the whole of it.
    pub extension_paths: bool,
    /// Read-only members of a pathless value are ignored.
    pub ignore_read_only_members: bool,
    /// Attributes that are not defined are ignored.
    pub ignore_unknown: bool,
    /// The most operations in one request; `None` for no limit.
    pub max_operations: Option<usize>,
}

impl PatchOptions {
    /// What Microsoft Entra ID needs of a server that does not know its feature flag for conformant PATCH.
    pub fn entra() -> Self {
        PatchOptions {
            boolean_strings: true,
            add_creates_from_filter: true,
            replace_creates_from_filter: true,
            remove_listed_values: true,
            path_keys: true,
            extension_paths: true,
            ..PatchOptions::default()
        }
    }
}

/// A PATCH request.
#[derive(Debug, Clone, Copy)]
pub struct PatchRequest;

impl PatchRequest {
    /// Reads the body of a PATCH request.
    ///
    /// # Errors
    /// 400: invalidSyntax for the envelope and for operations, noTarget for a `remove` without path,
    /// invalidPath or invalidFilter for a path. The detail names the operation, counted from 1.
    pub fn parse(body: &Value, options: PatchOptions) -> Result<Vec<PatchOperation>, ScimError> {
        let Some(object) = body.as_object() else {
            return Err(ScimError::invalid_syntax(format!(
                "a PATCH body is an object, this is {}",
                json_type(body)
            )));
        };
        if is_deeper_than(body, MAX_DEPTH) {
            return Err(ScimError::invalid_syntax(format!("the body nests deeper than {MAX_DEPTH}")));
        }
        if !resource::schemas(body).iter().any(|urn| urn.eq_ignore_ascii_case(names::PATCH_OP)) {
            return Err(ScimError::invalid_syntax(format!("schemas must contain {}", names::PATCH_OP)));
        }
        let operations = match resource::member(object, "Operations") {
            Some(Value::Array(operations)) if !operations.is_empty() => operations,
            _ => {
                return Err(ScimError::invalid_syntax(
                    "Operations must be an array of at least one operation",
                ));
            }
        };
        if let Some(most) = options.max_operations.filter(|most| operations.len() > *most) {
            let detail = format!("{} operations are sent, {most} are processed", operations.len());
            return Err(ScimError::invalid_value(detail));
        }
        operations
            .iter()
            .enumerate()
            .map(|(index, operation)| {
                operation_from(operation, options).map_err(|error| numbered(index, error))
            })
            .collect()
    }
}

/// An error of one operation, which it names.
pub(super) fn numbered(index: usize, error: ScimError) -> ScimError {
    ScimError { detail: format!("operation {}: {}", index + 1, error.detail), ..error }
}

fn operation_from(operation: &Value, options: PatchOptions) -> Result<PatchOperation, ScimError> {
    let Some(object) = operation.as_object() else {
        return Err(ScimError::invalid_syntax(format!("is {}, expected an object", json_type(operation))));
    };
    let op = match get(operation, "op") {
        Some(Value::String(text)) => {
            PatchOp::parse(text).filter(|op| !options.lower_case_op_only || op.as_str() == text).ok_or_else(
                || ScimError::invalid_syntax(format!("op is {text:?}, expected add, remove or replace")),
            )?
        }
        Some(other) => {
            return Err(ScimError::invalid_syntax(format!("op is {}, expected a string", json_type(other))));
        }
        None => return Err(ScimError::invalid_syntax("op is missing")),
    };
    let path = match get(operation, "path") {
        None | Some(Value::Null) => None,
        Some(Value::String(text)) => Some(PatchPath::parse(text).map_err(|error| error.for_path())?),
        Some(other) => {
            return Err(ScimError::invalid_path(format!("path is {}, expected a string", json_type(other))));
        }
    };
    let value = resource::member(object, "value").cloned();
    match op {
        PatchOp::Remove if path.is_none() => return Err(ScimError::no_target("a remove needs a path")),
        PatchOp::Add | PatchOp::Replace if value.is_none() => {
            return Err(ScimError::invalid_syntax(format!("value is missing, which {} needs", op.as_str())));
        }
        _ => {}
    }
    Ok(PatchOperation { op, path, value })
}
