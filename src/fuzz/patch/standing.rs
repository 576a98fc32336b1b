//! What the RFC leaves open about operations, one by one: how bad it is to refuse them, and to make something else of them.

use serde_json::Value;

use crate::oracle::derived::refers;
use crate::outcome::Severity;
use crate::scim::definition::{Resolved, ResourceDefinition};
use crate::scim::filter::Filter;
use crate::scim::names;
use crate::scim::patch::{self, PatchOp, PatchOperation, PatchOptions, PatchRequest};
use crate::scim::path::{AttributePath, PatchPath};
use crate::scim::resource::{elements, get, is_unassigned, schemas};
use crate::scim::schema::{Attribute, AttributeType, Mutability};

/// What the RFC leaves open about operations.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Standing {
    /// How bad a refusal with 400 is.
    pub refusal: Severity,
    /// How bad a wrong result is.
    pub result: Severity,
}

/// What the RFC leaves open about the operations of a body, together.
pub fn standing(body: &Value, before: &Value, definition: &ResourceDefinition) -> Standing {
    let mut standing = Standing { refusal: Severity::Failure, result: Severity::Failure };
    if !schemas(body).iter().any(|urn| urn.eq_ignore_ascii_case(names::PATCH_OP)) {
        standing.refusal = Severity::Note;
    }
    let options = PatchOptions::default();
    let mut state = before.clone();
    for raw in get(body, "Operations").map(elements).unwrap_or_default() {
        let alone = serde_json::json!({"schemas": [names::PATCH_OP], "Operations": [raw]});
        let Ok(operations) = PatchRequest::parse(&alone, options) else { continue };
        let Some(operation) = operations.first() else { continue };
        if get(raw, "op").and_then(Value::as_str) != Some(operation.op.as_str()) {
            standing.refusal = standing.refusal.min(Severity::Note);
        }
        let (refusal, result) = open(operation, &state, definition);
        standing.refusal = standing.refusal.min(refusal);
        standing.result = standing.result.min(result);
        if let Ok(next) = patch::apply(&operations, &state, definition, options) {
            state = next;
        }
    }
    standing
}

/// How bad it is to refuse one operation, and to make something else of it.
fn open(operation: &PatchOperation, state: &Value, definition: &ResourceDefinition) -> (Severity, Severity) {
    let firm = (Severity::Failure, Severity::Failure);
    match &operation.path {
        None => open_without_path(operation, definition),
        Some(path) => {
            let Some(Resolved::Attribute { attribute, sub, .. }) = definition.resolve(&path.attribute) else {
                // The URI of an extension alone (AMB-106).
                return (Severity::Note, Severity::Failure);
            };
            let spelled = [
                Some((&path.attribute.name, &attribute.name)),
                path.attribute.sub.as_ref().zip(sub.map(|it| &it.name)),
            ];
            if spelled.into_iter().flatten().any(|(written, declared)| written != declared) {
                return (Severity::Warning, Severity::Warning);
            }
            if attribute.name.eq_ignore_ascii_case("schemas") || attribute.mutability == Mutability::ReadOnly
            {
                return (Severity::Note, Severity::Warning);
            }
            // Whether a password may be changed, and into what, is the server's affair.
            if attribute.name.eq_ignore_ascii_case("password") {
                return (Severity::Warning, Severity::Failure);
            }
            match &path.filter {
                Some(filter) => open_with_filter(operation, path, filter, attribute, state, definition),
                None if sub.is_some() && attribute.multi_valued => (Severity::Note, Severity::Warning),
                None => open_at(operation, attribute, sub.is_some(), &path.attribute, state, definition),
            }
            .min_with(firm)
        }
    }
}

/// The lesser of two pairs.
trait MinWith {
    fn min_with(self, other: Self) -> Self;
}

impl MinWith for (Severity, Severity) {
    fn min_with(self, other: Self) -> Self {
        (self.0.min(other.0), self.1.min(other.1))
    }
}

fn open_without_path(operation: &PatchOperation, definition: &ResourceDefinition) -> (Severity, Severity) {
    let mut open = (Severity::Failure, Severity::Failure);
    for (name, value) in operation.value.as_ref().and_then(Value::as_object).into_iter().flatten() {
        let attribute = definition.top_attribute(name);
        let is_exact = attribute.is_none_or(|it| it.name == *name);
        let is_known = attribute.is_some() || definition.extension(name).is_some();
        let is_read_only = attribute.is_some_and(|it| it.mutability == Mutability::ReadOnly);
        let is_common = ["schemas"].contains(&name.as_str());
        let inner = definition.extension(name).and(value.as_object()).into_iter().flatten();
        let is_cleared = is_unassigned(value) || inner.clone().any(|(_, value)| is_unassigned(value));
        let is_odd_name = inner.into_iter().any(|(inner, _)| {
            definition
                .extension(name)
                .is_some_and(|it| it.schema.attribute(inner).is_none_or(|it| it.name != *inner))
        });
        if !is_known || is_read_only || is_common {
            open = open.min_with((Severity::Note, Severity::Warning));
        }
        if !is_exact || is_cleared || is_odd_name {
            open = open.min_with((Severity::Warning, Severity::Warning));
        }
        if attribute.is_some_and(|it| it.multi_valued && !value.is_array()) {
            open = open.min_with((Severity::Note, Severity::Failure));
        }
    }
    open
}

fn open_with_filter(
    operation: &PatchOperation,
    path: &PatchPath,
    filter: &Filter,
    attribute: &Attribute,
    state: &Value,
    definition: &ResourceDefinition,
) -> (Severity, Severity) {
    let whole = Filter::ValuePath { path: path.attribute.clone(), filter: Box::new(filter.clone()) };
    let finds = crate::scim::filter::matches(&whole, state, definition).unwrap_or(false);
    let mut refusal = Severity::Failure;
    if !matches!(filter, Filter::Compare { .. }) {
        refusal = Severity::Warning;
    }
    let sub = path.sub.as_deref();
    if sub.is_some_and(|it| ["primary", "display"].iter().any(|known| it.eq_ignore_ascii_case(known)))
        || (sub.is_none() && operation.op != PatchOp::Remove)
    {
        refusal = refusal.min(Severity::Warning);
    }
    if !finds {
        // The RFC's own example has the removal of somebody who is no member succeed.
        let is_member = refers(attribute) && operation.op == PatchOp::Remove;
        refusal = refusal.min(if is_member { Severity::Warning } else { Severity::Note });
    }
    (refusal, Severity::Failure)
}

fn open_at(
    operation: &PatchOperation,
    attribute: &Attribute,
    is_part: bool,
    path: &AttributePath,
    state: &Value,
    definition: &ResourceDefinition,
) -> (Severity, Severity) {
    let value = operation.value.as_ref();
    let present = Filter::Present(path.clone());
    let is_there = crate::scim::filter::matches(&present, state, definition).unwrap_or(true);
    match operation.op {
        PatchOp::Remove if value.is_some_and(|it| !is_unassigned(it)) => (Severity::Note, Severity::Failure),
        PatchOp::Remove if !is_there => (Severity::Note, Severity::Failure),
        PatchOp::Remove => (Severity::Failure, Severity::Failure),
        // An object that says only some of its parts is merged; servers that substitute are known (AMB-103).
        PatchOp::Replace
            if !is_part
                && attribute.kind == AttributeType::Complex
                && !attribute.multi_valued
                && !is_whole(value, path, state, definition) =>
        {
            (Severity::Failure, Severity::Warning)
        }
        _ if value.is_none_or(is_unassigned) => (Severity::Warning, Severity::Failure),
        _ if !is_part && attribute.multi_valued && !value.is_some_and(Value::is_array) => {
            (Severity::Note, Severity::Failure)
        }
        _ => (Severity::Failure, Severity::Failure),
    }
}

/// Whether an object says every part that the value has which is there.
fn is_whole(
    value: Option<&Value>,
    path: &AttributePath,
    state: &Value,
    definition: &ResourceDefinition,
) -> bool {
    let holder = match definition.resolve(path) {
        Some(Resolved::Attribute { extension: Some(schema), .. }) => get(state, &schema.id),
        _ => Some(state),
    };
    let current = holder.and_then(|it| get(it, &path.name)).and_then(Value::as_object);
    let Some(value) = value.filter(|it| it.is_object()) else { return true };
    current.into_iter().flatten().all(|(name, part)| is_unassigned(part) || get(value, name).is_some())
}
