//! What a PUT cannot take away: values that the client never sees, and values that are written once. Pure.
//!
//! RFC 7644 §3.5.1 has a PUT clear what it leaves out, yet of an immutable attribute with a value, "the input value(s)
//! MUST match". A client that leaves it out, or that leaves out what is never returned to it, asserts nothing of it:
//! the value stays. Inside the elements of a multi-valued attribute nothing is retained: they are replaced whole.

use serde_json::{Map, Value};

use crate::scim::definition::ResourceDefinition;
use crate::scim::error::ScimError;
use crate::scim::resource::{is_unassigned, member, member_name};
use crate::scim::schema::{Attribute, AttributeType, Mutability, Returned};
use crate::scim::text::fold_case;

/// The body of a PUT with the values that stay as they are.
///
/// # Errors
/// 400 mutability if an immutable attribute that has a value is given another.
pub(crate) fn retain(
    sent: &Map<String, Value>,
    stored: &Map<String, Value>,
    definition: &ResourceDefinition,
) -> Result<Map<String, Value>, ScimError> {
    let mut whole = sent.clone();
    retain_in(&mut whole, stored, &definition.schema.attributes)?;
    for extension in &definition.extensions {
        let urn = &extension.schema.id;
        let Some(Value::Object(stored)) = stored.get(urn) else { continue };
        let name = member_name(sent, urn).unwrap_or(urn).to_owned();
        let mut container = match whole.get(&name) {
            Some(Value::Object(container)) => container.clone(),
            Some(other) if !other.is_null() => continue,
            _ => Map::new(),
        };
        retain_in(&mut container, stored, &extension.schema.attributes)?;
        if !container.is_empty() {
            whole.insert(name, Value::Object(container));
        }
    }
    Ok(whole)
}

fn retain_in(
    sent: &mut Map<String, Value>,
    stored: &Map<String, Value>,
    attributes: &[Attribute],
) -> Result<(), ScimError> {
    for attribute in attributes {
        let Some(old) = stored.get(&attribute.name) else { continue };
        let given = member(sent, &attribute.name).filter(|value| !is_unassigned(value));
        if attribute.mutability == Mutability::Immutable {
            match given {
                Some(new) if !is_same(new, old, attribute.compares_exactly()) => {
                    return Err(ScimError::mutability(format!("{} is immutable", attribute.name)));
                }
                _ => put(sent, attribute, old.clone()),
            }
        } else if is_hidden(attribute) {
            if given.is_none() {
                put(sent, attribute, old.clone());
            }
        } else if let (AttributeType::Complex, false, Value::Object(old)) =
            (attribute.kind, attribute.multi_valued, old)
        {
            let mut inner = match given {
                Some(Value::Object(inner)) => inner.clone(),
                Some(_) => continue,
                None => Map::new(),
            };
            retain_in(&mut inner, old, &attribute.sub_attributes)?;
            if !inner.is_empty() {
                put(sent, attribute, Value::Object(inner));
            }
        }
    }
    Ok(())
}

/// Sets a member under the spelling that the client used, if it used one.
fn put(sent: &mut Map<String, Value>, attribute: &Attribute, value: Value) {
    let name = member_name(sent, &attribute.name).unwrap_or(&attribute.name).to_owned();
    sent.insert(name, value);
}

/// Whether a client can write the attribute, but never see it.
fn is_hidden(attribute: &Attribute) -> bool {
    attribute.mutability == Mutability::WriteOnly
        || (attribute.returned == Returned::Never && attribute.mutability != Mutability::ReadOnly)
}

fn is_same(left: &Value, right: &Value, exact: bool) -> bool {
    match (left, right) {
        (Value::String(left), Value::String(right)) if !exact => fold_case(left) == fold_case(right),
        (Value::Array(left), Value::Array(right)) => {
            left.len() == right.len()
                && left.iter().all(|left| right.iter().any(|right| is_same(left, right, exact)))
        }
        _ => left == right,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scim::error::ScimType;
    use crate::scim::schema::Schema;
    use serde_json::json;

    fn definition() -> ResourceDefinition {
        let schema = Schema::from_json(&json!({
            "id": "urn:x:Device",
            "attributes": [
                {"name": "serial", "type": "string", "mutability": "immutable"},
                {"name": "secret", "type": "string", "mutability": "writeOnly", "returned": "never"},
                {"name": "label", "type": "string"},
                {"name": "place", "type": "complex", "subAttributes": [
                    {"name": "pin", "type": "string", "returned": "never"}, {"name": "room", "type": "string"}
                ]}
            ]
        }));
        ResourceDefinition::new("Device".into(), "/Devices".into(), schema.value.unwrap(), Vec::new())
    }

    fn put(sent: Value) -> Result<Value, ScimError> {
        let stored = json!({"serial": "S1", "secret": "x", "label": "a", "place": {"pin": "1", "room": "2"}});
        retain(sent.as_object().unwrap(), stored.as_object().unwrap(), &definition()).map(Value::Object)
    }

    #[test]
    fn what_is_hidden_or_written_once_stays_and_the_rest_goes() {
        let expected = json!({"serial": "S1", "secret": "x", "place": {"pin": "1"}});
        assert_eq!(put(json!({})), Ok(expected));
        let sent = json!({"SERIAL": "s1", "secret": "y", "label": "b", "place": {"room": "3"}});
        let expected =
            json!({"SERIAL": "S1", "secret": "y", "label": "b", "place": {"room": "3", "pin": "1"}});
        assert_eq!(put(sent), Ok(expected));
        let error = put(json!({"serial": "S2"})).unwrap_err();
        assert_eq!((error.status, error.scim_type), (400, Some(ScimType::Mutability)));
    }
}
