//! Operations on selected values of an attribute: all of them, or those that a filter matches.

use serde_json::{Map, Value};

use super::write::{
    immutable, is_primary, read_element, read_elements, read_only, settle_primary, unknown, without_repeats,
    write, write_members,
};
use super::{PatchOp, PatchOptions};
use crate::scim::compare::{contains_value, same_value};
use crate::scim::definition::sub_attribute;
use crate::scim::error::ScimError;
use crate::scim::filter::evaluate::element_problems;
use crate::scim::filter::{CompareOperator, Filter, element_matches};
use crate::scim::problem::json_type;
use crate::scim::resource::{elements, get, is_unassigned, member, remove_member, set_member};
use crate::scim::schema::{Attribute, AttributeType, Mutability};

/// Sets an attribute to what is left of it, which may be nothing.
pub(super) fn put(
    container: &mut Map<String, Value>,
    attribute: &Attribute,
    value: Value,
) -> Result<(), ScimError> {
    let current = member(container, &attribute.name).filter(|it| !is_unassigned(it));
    if attribute.mutability == Mutability::Immutable
        && current.is_some_and(|current| !same_value(current, &value, Some(attribute)))
    {
        return Err(immutable(&attribute.name));
    }
    if !is_unassigned(&value) {
        set_member(container, &attribute.name, value);
        return Ok(());
    }
    if attribute.required {
        return Err(ScimError::mutability(format!("{} is required", attribute.name)));
    }
    remove_member(container, &attribute.name);
    Ok(())
}

/// Applies a change to an object, or to each object of an array.
pub(super) fn for_each_object(
    value: &mut Value,
    mut change: impl FnMut(&mut Map<String, Value>) -> Result<(), ScimError>,
) -> Result<(), ScimError> {
    match value {
        Value::Object(members) => change(members),
        Value::Array(list) => {
            for members in list.iter_mut().filter_map(Value::as_object_mut) {
                change(members)?;
            }
            list.retain(|it| !is_unassigned(it));
            Ok(())
        }
        _ => Ok(()),
    }
}

/// `emails.type`: the sub-attribute of each value.
pub(super) fn write_each(
    container: &mut Map<String, Value>,
    attribute: &Attribute,
    sub: &Attribute,
    op: PatchOp,
    value: &Value,
    options: PatchOptions,
) -> Result<(), ScimError> {
    if attribute.mutability == Mutability::ReadOnly {
        return Err(read_only(&attribute.name));
    }
    let mut list = member(container, &attribute.name).map(elements).unwrap_or_default().to_vec();
    if list.is_empty() {
        return Err(ScimError::no_target(format!(
            "{} has no value whose {} could be set",
            attribute.name, sub.name
        )));
    }
    let mut touched = Vec::new();
    for (index, element) in list.iter_mut().enumerate() {
        if let Some(members) = element.as_object_mut() {
            write(members, sub, op, value, options)?;
            touched.push(index);
        }
    }
    settle_touched(attribute, Some(sub), &mut list, &touched)?;
    put(container, attribute, Value::Array(list))
}

/// Checks that a filter and a sub-attribute suit an attribute; the sub-attribute.
pub(super) fn check_filter<'a>(
    attribute: &'a Attribute,
    filter: &Filter,
    sub: Option<&str>,
) -> Result<Option<&'a Attribute>, ScimError> {
    if attribute.kind != AttributeType::Complex && !attribute.multi_valued {
        return Err(ScimError::invalid_path(format!("{} has no values to select from", attribute.name)));
    }
    if let Some(problem) = element_problems(filter, attribute).into_iter().next() {
        return Err(problem.into());
    }
    match sub {
        None => Ok(None),
        Some(name) => match sub_attribute(attribute, name) {
            Some(sub) => Ok(Some(sub)),
            None => Err(unknown(&format!("{}.{name}", attribute.name))),
        },
    }
}

/// `add` or `replace` on the values that a filter selects.
pub(super) fn write_filtered(
    container: &mut Map<String, Value>,
    attribute: &Attribute,
    filter: &Filter,
    sub: Option<&str>,
    op: PatchOp,
    value: &Value,
    options: PatchOptions,
) -> Result<(), ScimError> {
    if attribute.mutability == Mutability::ReadOnly {
        return Err(read_only(&attribute.name));
    }
    let sub = check_filter(attribute, filter, sub)?;
    let mut list = member(container, &attribute.name).map(elements).unwrap_or_default().to_vec();
    let mut touched = Vec::new();
    for (index, element) in list.iter().enumerate() {
        if element_matches(filter, element, attribute)? {
            touched.push(index);
        }
    }
    if touched.is_empty() {
        let is_created = match op {
            PatchOp::Add => options.add_creates_from_filter,
            _ => options.replace_creates_from_filter,
        };
        let from_filter =
            equal_terms(filter).filter(|_| is_created && attribute.kind == AttributeType::Complex);
        let Some(terms) = from_filter else {
            return Err(ScimError::no_target(format!("no value of {} matches {filter}", attribute.name)));
        };
        let mut element = Map::new();
        write_members(&mut element, attribute, PatchOp::Replace, &terms, options)?;
        touched.push(list.len());
        list.push(Value::Object(element));
    }
    for &index in &touched {
        let element = &mut list[index];
        match (sub, element.as_object_mut()) {
            (Some(sub), Some(members)) => write(members, sub, op, value, options)?,
            (Some(sub), None) => return Err(unknown(&format!("{}.{}", attribute.name, sub.name))),
            (None, Some(members)) if op == PatchOp::Add || !attribute.multi_valued => {
                let Value::Object(value) = value else {
                    let detail = format!("value is {}, expected an object", json_type(value));
                    return Err(ScimError::invalid_value(detail));
                };
                write_members(members, attribute, op, value, options)?;
            }
            (None, _) if is_unassigned(value) => *element = Value::Null,
            (None, _) => *element = substituted(attribute, element, value, options)?,
        }
    }
    settle_touched(attribute, sub, &mut list, &touched)?;
    list.retain(|it| !is_unassigned(it));
    let changed = if attribute.multi_valued {
        // Values that the operation made equal become one.
        if sub.is_none() && touched.len() > 1 {
            Value::Array(without_repeats(attribute, list)?)
        } else {
            list.into()
        }
    } else {
        list.into_iter().next().unwrap_or(Value::Null)
    };
    put(container, attribute, changed)
}

/// A new element in the place of another; what is immutable in it must be the same.
fn substituted(
    attribute: &Attribute,
    element: &Value,
    value: &Value,
    options: PatchOptions,
) -> Result<Value, ScimError> {
    let new = match elements(value) {
        [only] => read_element(attribute, only, options)?,
        several => {
            // An array where one value is due is wrong, however many it holds.
            read_elements(attribute, value, options)?;
            let detail = format!("{} values are given for each value of {}", several.len(), attribute.name);
            return Err(ScimError::invalid_value(detail));
        }
    };
    for sub in attribute.sub_attributes.iter().filter(|it| it.mutability == Mutability::Immutable) {
        let (old, new) = (get(element, &sub.name), get(&new, &sub.name));
        if let (Some(old), Some(new)) = (old, new)
            && !contains_value(old, new, Some(sub))
        {
            return Err(ScimError::mutability(format!("{}.{} is immutable", attribute.name, sub.name)));
        }
    }
    Ok(new)
}

/// Settles which element is primary after an operation on some of them.
fn settle_touched(
    attribute: &Attribute,
    sub: Option<&Attribute>,
    list: &mut [Value],
    touched: &[usize],
) -> Result<(), ScimError> {
    if sub.is_some_and(|sub| !sub.name.eq_ignore_ascii_case("primary")) {
        return Ok(());
    }
    let primaries: Vec<usize> = touched.iter().copied().filter(|index| is_primary(&list[*index])).collect();
    settle_primary(attribute, list, &primaries)
}

/// The members that an element needs to match a filter of `eq` terms joined by `and`; `None` for another filter.
fn equal_terms(filter: &Filter) -> Option<Map<String, Value>> {
    match filter {
        Filter::Compare { path, operator: CompareOperator::Equal, value } => {
            Some(Map::from_iter([(path.name.clone(), value.to_json())]))
        }
        Filter::And(operands) => {
            let mut terms = Map::new();
            for operand in operands {
                terms.extend(equal_terms(operand)?);
            }
            Some(terms)
        }
        _ => None,
    }
}
