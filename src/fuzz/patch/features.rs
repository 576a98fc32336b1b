//! What a PATCH has about it: its operations, how they name their targets, and what they are about.

use serde_json::Value;

use crate::fuzz::cause::{Feature, Features};
use crate::fuzz::strategy::patch::selected;
use crate::scim::definition::{Resolved, ResourceDefinition};
use crate::scim::filter::Filter;
use crate::scim::patch::PatchOp;
use crate::scim::path::{AttributePath, PatchPath};
use crate::scim::resource::{elements, get, is_unassigned};
use crate::scim::schema::{Attribute, AttributeType};

/// The features of operations that are carried out on a resource as it is. Of several operations that are at fault
/// together, that they are several is what counts.
pub fn features(operations: &[Value], state: &Value, definition: &ResourceDefinition) -> Features {
    match operations {
        [one] => of_one(one, state, definition),
        several => {
            let mut all = Features::from([Feature::Connective("several operations".to_owned())]);
            all.extend(several.iter().filter_map(op).map(|op| Feature::Operation(op.as_str())));
            all
        }
    }
}

fn op(operation: &Value) -> Option<PatchOp> {
    PatchOp::parse(get(operation, "op")?.as_str()?)
}

fn of_one(operation: &Value, state: &Value, definition: &ResourceDefinition) -> Features {
    let mut found = Features::new();
    let written = get(operation, "op").and_then(Value::as_str).unwrap_or_default();
    if let Some(op) = op(operation) {
        found.insert(Feature::Operation(op.as_str()));
        if op.as_str() != written {
            found.insert(Feature::Spelling("an op with a capital"));
        }
    }
    let value = get(operation, "value");
    match get(operation, "path").and_then(Value::as_str) {
        None => {
            found.insert(Feature::Form("no path"));
            of_object(value, definition, &mut found);
        }
        Some(text) => {
            if let Ok(path) = PatchPath::parse(text) {
                of_path(&path, value, state, definition, &mut found);
            }
        }
    }
    found
}

/// The attributes that a value without a path names.
fn of_object(value: Option<&Value>, definition: &ResourceDefinition, found: &mut Features) {
    let mut named: Vec<(&Attribute, bool)> = Vec::new();
    for (name, value) in value.and_then(Value::as_object).into_iter().flatten() {
        if let Some(attribute) = definition.top_attribute(name) {
            named.push((attribute, false));
        } else if let Some(extension) = definition.extension(name) {
            let inner = value.as_object().into_iter().flatten();
            named.extend(inner.filter_map(|(name, _)| Some((extension.schema.attribute(name)?, true))));
        }
    }
    if named.len() > 1 {
        found.insert(Feature::Connective("several attributes in one value".to_owned()));
        return;
    }
    for (attribute, is_extension) in named {
        of_attribute(attribute, is_extension, found);
    }
}

fn of_attribute(attribute: &Attribute, is_extension: bool, found: &mut Features) {
    found.insert(Feature::Attribute(attribute.name.to_ascii_lowercase()));
    found.insert(Feature::Type(attribute.kind.as_str()));
    if is_extension {
        found.insert(Feature::Extension);
    }
    if attribute.multi_valued {
        found.insert(Feature::Several);
    }
}

fn of_path(
    path: &PatchPath,
    value: Option<&Value>,
    state: &Value,
    definition: &ResourceDefinition,
    found: &mut Features,
) {
    let Some(Resolved::Attribute { attribute, sub, extension }) = definition.resolve(&path.attribute) else {
        return;
    };
    let sub = sub.map(|it| it.name.clone()).or_else(|| path.sub.clone());
    found.insert(Feature::Form(match (&path.filter, &sub) {
        (None, None) => "a path",
        (None, Some(_)) => "a path to a part",
        (Some(_), None) => "a filter",
        (Some(_), Some(_)) => "a filter and a part",
    }));
    of_attribute(attribute, extension.is_some(), found);
    if let Some(sub) = &sub {
        found.remove(&Feature::Attribute(attribute.name.to_ascii_lowercase()));
        found.insert(Feature::Parent(attribute.name.to_ascii_lowercase()));
        found.insert(Feature::Attribute(format!(
            "{}.{}",
            attribute.name.to_ascii_lowercase(),
            sub.to_ascii_lowercase()
        )));
    }
    if !attribute.name.eq(&path.attribute.name) {
        found.insert(Feature::Spelling("names in another case"));
    }
    if path.attribute.urn.is_some() && extension.is_none() {
        found.insert(Feature::Spelling("the URI of the core schema"));
    }
    let whole = AttributePath { sub: None, ..path.attribute.clone() };
    let current = current(&whole, state, definition);
    if let Some(filter) = &path.filter {
        let list = current.map(elements).unwrap_or_default();
        if selected(filter, attribute, list).len() > 1 {
            found.insert(Feature::Literal("a filter that selects several"));
        }
        if !matches!(filter, Filter::Compare { .. }) {
            found.insert(Feature::Connective("several terms in a filter".to_owned()));
        }
        if sub.as_deref().is_some_and(|it| it.eq_ignore_ascii_case("primary")) {
            found.insert(Feature::Literal("primary"));
        }
        return;
    }
    let assigned = current.filter(|it| !is_unassigned(it));
    match value {
        Some(Value::Null) => found.insert(Feature::Literal("null")),
        Some(Value::Array(list)) if list.is_empty() => found.insert(Feature::Literal("an empty list")),
        Some(Value::Array(list)) if list.iter().any(|it| get(it, "primary") == Some(&Value::Bool(true))) => {
            found.insert(Feature::Literal("primary"))
        }
        Some(Value::Object(members)) if attribute.kind == AttributeType::Complex && members.len() == 1 => {
            found.insert(Feature::Literal("one part only"))
        }
        _ => false,
    };
    let is_there = |value: &Value| {
        assigned.is_some_and(|current| {
            crate::scim::compare::contains_value(value, current, Some(attribute))
                || (!value.is_array() && value == current)
        })
    };
    match value {
        _ if assigned.is_none() => found.insert(Feature::Literal("no value before")),
        Some(value) if sub.is_none() && is_there(value) => found.insert(Feature::Literal("what is there")),
        _ => false,
    };
}

/// The value at a path without a filter and without a part.
fn current<'v>(path: &AttributePath, state: &'v Value, definition: &ResourceDefinition) -> Option<&'v Value> {
    let Resolved::Attribute { attribute, extension, .. } = definition.resolve(path)? else { return None };
    let holder = match extension {
        Some(schema) => get(state, &schema.id)?,
        None => state,
    };
    get(holder, &attribute.name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scim::schema::SchemaSet;
    use serde_json::json;

    #[test]
    fn an_operation_says_what_it_is_about() {
        let definition = SchemaSet::core().definition("User").unwrap();
        let state = json!({"title": "Guide", "emails": [{"value": "a", "type": "work"}, {"value": "b", "type": "work"}]});
        let of = |operation: Value| features(&[operation], &state, &definition);
        let plain = of(json!({"op": "replace", "path": "title", "value": "B"}));
        assert_eq!(
            plain,
            Features::from([
                Feature::Operation("replace"),
                Feature::Form("a path"),
                Feature::Attribute("title".to_owned()),
                Feature::Type("string"),
            ])
        );
        let many = of(json!({"op": "remove", "path": "emails[type eq \"work\"]"}));
        assert!(many.contains(&Feature::Literal("a filter that selects several")), "{many:?}");
        assert!(many.contains(&Feature::Form("a filter")) && many.contains(&Feature::Several), "{many:?}");
        let nothing = of(json!({"op": "Add", "path": "nickName", "value": "B"}));
        assert!(nothing.contains(&Feature::Literal("no value before")), "{nothing:?}");
        assert!(nothing.contains(&Feature::Spelling("an op with a capital")), "{nothing:?}");
    }
}
