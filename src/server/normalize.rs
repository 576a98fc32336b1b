//! From what a client sent to what the server keeps: names in the spelling of the schema, read-only and unassigned
//! and unknown attributes left out, types checked. Pure; the rules that need the store are [`write`](super::write)'s.

use indexmap::IndexMap;
use indexmap::map::Entry;
use serde_json::{Map, Value};

use crate::scim::definition::{ResourceDefinition, sub_attribute};
use crate::scim::error::ScimError;
use crate::scim::resource::{elements, is_unassigned};
use crate::scim::schema::{Attribute, AttributeType, Mutability};
use crate::scim::validate::{ValidationPurpose, ViolationKind, validate};

/// The attributes of a resource that a client may write, as they are to be kept.
///
/// Read-only attributes are ignored (RFC 7644 §3.3, §3.5.1), and so are attributes that no schema defines (§3.3: the
/// server may ignore posted content). An extension whose URI the client forgot in `schemas` is declared for it.
///
/// # Errors
/// 400 invalidSyntax where the resource is not of the form of its schemas, 400 invalidValue where a value does not
/// fit its attribute or a required one is missing.
pub(crate) fn normalize(
    sent: &Map<String, Value>,
    definition: &ResourceDefinition,
    purpose: ValidationPurpose,
) -> Result<Map<String, Value>, ScimError> {
    let mut kept = Map::new();
    for (name, value) in sent {
        if is_unassigned(value) {
            continue;
        }
        if let Some(attribute) = definition.top_attribute(name) {
            keep(&mut kept, attribute, value)?;
        } else if let Some(extension) = definition.extension(name) {
            let container = match value {
                Value::Object(members) => {
                    let mut container = Map::new();
                    for (name, value) in members.iter().filter(|(_, value)| !is_unassigned(value)) {
                        if let Some(attribute) = extension.schema.attribute(name) {
                            keep(&mut container, attribute, value)?;
                        }
                    }
                    if container.is_empty() {
                        continue;
                    }
                    Value::Object(container)
                }
                other => other.clone(),
            };
            insert(&mut kept, &extension.schema.id, container)?;
        }
    }
    declare_extensions(&mut kept, definition);
    let resource = Value::Object(kept);
    check(&resource, definition, purpose)?;
    match resource {
        Value::Object(kept) => Ok(kept),
        _ => Ok(Map::new()),
    }
}

/// Refuses the first contradiction to the schemas that is worth refusing. Canonical values are suggestions
/// (RFC 7643 §7).
fn check(
    resource: &Value,
    definition: &ResourceDefinition,
    purpose: ValidationPurpose,
) -> Result<(), ScimError> {
    for violation in validate(resource, definition, purpose) {
        match violation.kind {
            ViolationKind::Canonical | ViolationKind::Unknown | ViolationKind::Never => {}
            _ => return Err(violation.into()),
        }
    }
    Ok(())
}

fn keep(into: &mut Map<String, Value>, attribute: &Attribute, value: &Value) -> Result<(), ScimError> {
    if attribute.mutability == Mutability::ReadOnly {
        return Ok(());
    }
    let value = kept_value(attribute, value)?;
    if is_unassigned(&value) {
        return Ok(());
    }
    insert(into, &attribute.name, value)
}

fn insert(into: &mut Map<String, Value>, name: &str, value: Value) -> Result<(), ScimError> {
    if into.insert(name.to_owned(), value).is_some() {
        return Err(ScimError::invalid_syntax(format!("{name} is there twice, in different spelling")));
    }
    Ok(())
}

fn kept_value(attribute: &Attribute, value: &Value) -> Result<Value, ScimError> {
    if attribute.kind != AttributeType::Complex {
        return Ok(match value {
            Value::Array(elements) if attribute.multi_valued => {
                elements.iter().filter(|element| !element.is_null()).cloned().collect()
            }
            other => other.clone(),
        });
    }
    match value {
        Value::Array(elements) if attribute.multi_valued => {
            let mut kept: IndexMap<String, Value> = IndexMap::new();
            for element in elements {
                let element = kept_element(attribute, element)?;
                if !is_unassigned(&element) {
                    add_element(&mut kept, element);
                }
            }
            Ok(kept.into_values().collect())
        }
        other => kept_element(attribute, other),
    }
}

fn kept_element(attribute: &Attribute, element: &Value) -> Result<Value, ScimError> {
    let Value::Object(members) = element else { return Ok(element.clone()) };
    let mut kept = Map::new();
    for (name, value) in members.iter().filter(|(_, value)| !is_unassigned(value)) {
        if let Some(sub) = sub_attribute(attribute, name) {
            keep(&mut kept, sub, value)?;
        }
    }
    Ok(Value::Object(kept))
}

/// Adds an element, unless one of the same type and value is there: the pair should not be returned twice
/// (RFC 7643 §2.4). Of two, the primary one stays.
fn add_element(kept: &mut IndexMap<String, Value>, element: Value) {
    let identity = match element.get("value") {
        Some(value) => format!("{value} {:?}", element.get("type").map(Value::to_string)),
        None => format!("{element} alone"),
    };
    match kept.entry(identity) {
        Entry::Occupied(mut twin) => {
            if element.get("primary") == Some(&Value::Bool(true)) {
                twin.insert(element);
            }
        }
        Entry::Vacant(place) => {
            place.insert(element);
        }
    }
}

/// Takes up in `schemas` each extension that the resource has, spells the URIs as the schemas do, and drops
/// repetitions. Does nothing where `schemas` is missing or is no array: that is for validation to refuse.
fn declare_extensions(kept: &mut Map<String, Value>, definition: &ResourceDefinition) {
    let Some(Value::Array(declared)) = kept.get("schemas") else { return };
    let mut schemas: Vec<Value> = Vec::new();
    let mut declare = |urn: Value| {
        let urn = match urn.as_str() {
            Some(text) if definition.schema.id.eq_ignore_ascii_case(text) => {
                definition.schema.id.as_str().into()
            }
            Some(text) => match definition.extension(text) {
                Some(extension) => extension.schema.id.as_str().into(),
                None => urn,
            },
            None => urn,
        };
        if !schemas.contains(&urn) {
            schemas.push(urn);
        }
    };
    for urn in declared {
        declare(urn.clone());
    }
    for extension in &definition.extensions {
        if kept.contains_key(&extension.schema.id) {
            declare(extension.schema.id.as_str().into());
        }
    }
    kept.insert("schemas".to_owned(), Value::Array(schemas));
}

/// Whether `schemas` has a URI, without regard to case.
pub(crate) fn declares(resource: &Map<String, Value>, urn: &str) -> bool {
    let schemas = resource.get("schemas").map(elements).unwrap_or_default();
    schemas.iter().filter_map(Value::as_str).any(|declared| declared.eq_ignore_ascii_case(urn))
}
