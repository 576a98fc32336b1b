//! Values written to attributes: the type checked, the mutability kept, lists merged.

use std::collections::HashMap;

use serde_json::{Map, Value};

use super::{PatchOp, PatchOptions};
use crate::scim::compare::{contains_value, same_value};
use crate::scim::definition::sub_attribute;
use crate::scim::error::ScimError;
use crate::scim::problem::json_type;
use crate::scim::resource::{elements, get, is_unassigned, member, remove_member, set_member};
use crate::scim::schema::{Attribute, AttributeType, Mutability};
use crate::scim::text::fold_case;
use crate::scim::validate;

/// Adds a value to an attribute of `members`, or replaces the attribute's value.
pub(super) fn write(
    members: &mut Map<String, Value>,
    attribute: &Attribute,
    op: PatchOp,
    value: &Value,
    options: PatchOptions,
) -> Result<(), ScimError> {
    let name = &attribute.name;
    let current = member(members, name).cloned().unwrap_or(Value::Null);
    if attribute.mutability == Mutability::ReadOnly {
        // Nothing is modified by a value that is there already.
        return if same_value(value, &current, Some(attribute)) { Ok(()) } else { Err(read_only(name)) };
    }
    if is_unassigned(value) && !value.is_object() {
        return match op {
            PatchOp::Add => Ok(()),
            _ => unassign(members, attribute, ScimError::invalid_value),
        };
    }
    let new = if attribute.multi_valued {
        let new = read_elements(attribute, value, options)?;
        Value::Array(match op {
            PatchOp::Add => merged(attribute, elements(&current), new)?,
            _ => without_repeats(attribute, new)?,
        })
    } else if attribute.kind == AttributeType::Complex {
        let Value::Object(value) = value else {
            return Err(wrong_type(attribute, value));
        };
        let mut object = current.as_object().cloned().unwrap_or_default();
        write_members(&mut object, attribute, op, value, options)?;
        let object = Value::Object(object);
        validate::element(&object, attribute).map_err(ScimError::invalid_value)?;
        object
    } else {
        simple(attribute, value, options)?
    };
    if attribute.mutability == Mutability::Immutable
        && !is_unassigned(&current)
        && !same_value(&new, &current, Some(attribute))
    {
        return Err(immutable(name));
    }
    if is_unassigned(&new) {
        return unassign(members, attribute, ScimError::invalid_value);
    }
    set_member(members, name, new);
    Ok(())
}

/// Writes each member of `value` to the sub-attribute of that name; those not named stay as they are.
pub(super) fn write_members(
    object: &mut Map<String, Value>,
    attribute: &Attribute,
    op: PatchOp,
    value: &Map<String, Value>,
    options: PatchOptions,
) -> Result<(), ScimError> {
    for (name, value) in value {
        match sub_attribute(attribute, name) {
            Some(sub) => write(object, sub, op, value, options)?,
            None if options.ignore_unknown => {}
            None => return Err(unknown(&format!("{}.{name}", attribute.name))),
        }
    }
    Ok(())
}

/// Removes an attribute's value.
pub(super) fn unassign(
    members: &mut Map<String, Value>,
    attribute: &Attribute,
    required: fn(String) -> ScimError,
) -> Result<(), ScimError> {
    if attribute.mutability == Mutability::ReadOnly {
        return Err(read_only(&attribute.name));
    }
    if attribute.required {
        return Err(required(format!("{} is required", attribute.name)));
    }
    let has_value = member(members, &attribute.name).is_some_and(|it| !is_unassigned(it));
    if has_value && attribute.mutability == Mutability::Immutable {
        return Err(immutable(&attribute.name));
    }
    remove_member(members, &attribute.name);
    Ok(())
}

/// The new elements of a multi-valued attribute, each checked. A single value counts as one element.
pub(super) fn read_elements(
    attribute: &Attribute,
    value: &Value,
    options: PatchOptions,
) -> Result<Vec<Value>, ScimError> {
    elements(value).iter().map(|it| read_element(attribute, it, options)).collect()
}

/// One new element of a multi-valued attribute, checked, its members in the spelling of the schema.
pub(super) fn read_element(
    attribute: &Attribute,
    value: &Value,
    options: PatchOptions,
) -> Result<Value, ScimError> {
    if attribute.kind != AttributeType::Complex {
        return simple(attribute, value, options);
    }
    let Value::Object(value) = value else { return Err(wrong_type(attribute, value)) };
    let mut element = Map::new();
    for (name, value) in value {
        match sub_attribute(attribute, name) {
            // What the server derives anyhow is ignored, as in a PUT.
            Some(sub) if sub.mutability == Mutability::ReadOnly => {}
            Some(sub) => write(&mut element, sub, PatchOp::Replace, value, options)?,
            None if options.ignore_unknown => {}
            None => return Err(unknown(&format!("{}.{name}", attribute.name))),
        }
    }
    let element = Value::Object(element);
    if is_unassigned(&element) {
        return Err(ScimError::invalid_value(format!("a value of {} is empty", attribute.name)));
    }
    validate::element(&element, attribute).map_err(ScimError::invalid_value)?;
    Ok(element)
}

/// A value that is not complex, checked.
fn simple(attribute: &Attribute, value: &Value, options: PatchOptions) -> Result<Value, ScimError> {
    let value = match value {
        Value::String(text) if options.boolean_strings && attribute.kind == AttributeType::Boolean => {
            if text.eq_ignore_ascii_case("true") {
                Value::Bool(true)
            } else if text.eq_ignore_ascii_case("false") {
                Value::Bool(false)
            } else {
                value.clone()
            }
        }
        other => other.clone(),
    };
    validate::element(&value, attribute).map_err(ScimError::invalid_value)?;
    if attribute.required && value == "" {
        return Err(ScimError::invalid_value(format!("{} is required, and cannot be empty", attribute.name)));
    }
    Ok(value)
}

/// What makes two elements the same value of a list: `value` alone where it cannot be edited, as a member's,
/// else `value` and `type`.
fn identity(attribute: &Attribute, element: &Value) -> Option<String> {
    let text = |name: &str| -> Option<String> {
        let sub = sub_attribute(attribute, name)?;
        let text = get(element, name)?.as_str()?;
        Some(if sub.compares_exactly() { text.to_owned() } else { fold_case(text).into_owned() })
    };
    if attribute.kind != AttributeType::Complex {
        return match element {
            Value::String(text) if attribute.compares_exactly() => Some(text.clone()),
            Value::String(text) => Some(fold_case(text).into_owned()),
            other => Some(other.to_string()),
        };
    }
    if refers(attribute) {
        return text("value");
    }
    // A text cannot hold the separator unescaped in a way that makes two pairs one: lengths come first.
    let value = text("value")?;
    Some(format!("{} {value}{}", value.len(), text("type").unwrap_or_default()))
}

/// Whether the values are references that can be added and removed, but not edited.
fn refers(attribute: &Attribute) -> bool {
    attribute.sub_attribute("value").is_some_and(|it| it.mutability == Mutability::Immutable)
}

/// The elements that are there with the new ones: what is there already stays once, with what the new element
/// says in addition (RFC 7644 §3.5.2.1).
fn merged(attribute: &Attribute, current: &[Value], added: Vec<Value>) -> Result<Vec<Value>, ScimError> {
    let mut result = current.to_vec();
    let mut places: HashMap<String, usize> = HashMap::new();
    for (index, element) in current.iter().enumerate() {
        if let Some(identity) = identity(attribute, element) {
            places.entry(identity).or_insert(index);
        }
    }
    let mut primaries = Vec::new();
    for element in added {
        let key = identity(attribute, &element);
        let known = match &key {
            Some(key) => places.get(key).copied(),
            None => None,
        };
        let known = known.or_else(|| {
            // A long list of references is not searched: each has a value.
            let is_searched = !refers(attribute);
            result.iter().position(|it| is_searched && contains_value(&element, it, Some(attribute)))
        });
        let is_primary = is_primary(&element);
        let index = match known {
            Some(index) => {
                if let (Some(members), Some(new), false) =
                    (result[index].as_object_mut(), element.as_object(), refers(attribute))
                {
                    for (name, value) in new {
                        set_member(members, name, value.clone());
                    }
                }
                index
            }
            None => {
                let index = result.len();
                if let Some(key) = key {
                    places.insert(key, index);
                }
                result.push(element);
                index
            }
        };
        if is_primary && !primaries.contains(&index) {
            primaries.push(index);
        }
    }
    settle_primary(attribute, &mut result, &primaries)?;
    Ok(result)
}

/// The elements of a new list, each once.
pub(super) fn without_repeats(attribute: &Attribute, added: Vec<Value>) -> Result<Vec<Value>, ScimError> {
    merged(attribute, &[], added)
}

/// Whether an element says that it is primary.
pub(super) fn is_primary(element: &Value) -> bool {
    get(element, "primary") == Some(&Value::Bool(true))
}

/// Makes the element that an operation made primary the only one (RFC 7644 §3.5.2).
pub(super) fn settle_primary(
    attribute: &Attribute,
    list: &mut [Value],
    primaries: &[usize],
) -> Result<(), ScimError> {
    match primaries {
        [] => {}
        [primary] => {
            for (index, element) in list.iter_mut().enumerate() {
                if index != *primary
                    && is_primary(element)
                    && let Some(members) = element.as_object_mut()
                {
                    set_member(members, "primary", Value::Bool(false));
                }
            }
        }
        _ => {
            let detail =
                format!("{} values of {} would be primary, one may be", primaries.len(), attribute.name);
            return Err(ScimError::invalid_value(detail));
        }
    }
    Ok(())
}

pub(super) fn read_only(name: &str) -> ScimError {
    ScimError::mutability(format!("{name} is readOnly"))
}

pub(super) fn immutable(name: &str) -> ScimError {
    ScimError::mutability(format!("{name} is immutable and has a value"))
}

pub(super) fn unknown(name: &str) -> ScimError {
    ScimError::invalid_path(format!("{name} is not defined"))
}

fn wrong_type(attribute: &Attribute, value: &Value) -> ScimError {
    ScimError::invalid_value(format!("{} is {}, expected an object", attribute.name, json_type(value)))
}
