//! Whether a resource matches a filter.
//!
//! The logic is two-valued: a comparison on an attribute without value is false, but for `ne` and `eq null`,
//! and `not` turns false into true. On several values a comparison holds if it holds for any of them; only
//! brackets tie comparisons to one element. A missing `primary` counts as false (RFC 7643 §2.4).

use std::cmp::Ordering;

use serde_json::{Number, Value};

use super::{CompareOperator, Filter, FilterValue};
use crate::scim::datetime;
use crate::scim::definition::{Resolved, ResourceDefinition, sub_attribute};
use crate::scim::error::ScimError;
use crate::scim::path::AttributePath;
use crate::scim::resource::{elements, get, is_unassigned};
use crate::scim::schema::{Attribute, AttributeType, Returned};
use crate::scim::text;

/// Why a filter does not suit the definition.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FilterTypeErrorKind {
    /// The attribute is not defined. [`matches()`] takes it for one without value.
    Unknown,
    /// The attribute's type does not allow the comparison.
    Operator,
    /// The literal is not of the attribute's type.
    Literal,
    /// The attribute is never returned, so it must not be probed.
    Never,
}

/// A comparison that the definition does not allow (400 invalidFilter).
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{path} {message}")]
pub struct FilterTypeError {
    /// The attribute.
    pub path: AttributePath,
    /// Why.
    pub kind: FilterTypeErrorKind,
    /// Why it cannot be compared so, continuing the path to a sentence.
    pub message: String,
}

impl From<FilterTypeError> for ScimError {
    fn from(error: FilterTypeError) -> ScimError {
        ScimError::invalid_filter(error.to_string())
    }
}

/// Whether the filter suits the definition, whatever the data: its attributes are defined and their types
/// allow the comparisons.
///
/// # Errors
/// The first comparison that does not.
pub fn check(filter: &Filter, definition: &ResourceDefinition) -> Result<(), FilterTypeError> {
    match problems(filter, definition).into_iter().next() {
        None => Ok(()),
        Some(error) => Err(error),
    }
}

/// Everything in the filter that does not suit the definition, in the order of the text.
pub fn problems(filter: &Filter, definition: &ResourceDefinition) -> Vec<FilterTypeError> {
    let mut errors = Vec::new();
    collect(filter, Subject::Resource(definition), &mut errors);
    errors
}

/// Whether a resource matches. An attribute that is not defined has no value (RFC 7644 §3.4.2.1).
///
/// # Errors
/// If a comparison does not suit the type of its attribute, whatever the data.
pub fn matches(
    filter: &Filter,
    resource: &Value,
    definition: &ResourceDefinition,
) -> Result<bool, FilterTypeError> {
    refuse(filter, Subject::Resource(definition))?;
    Ok(holds(filter, resource, Subject::Resource(definition)))
}

/// Whether one element of an attribute matches the filter that stood between its brackets.
///
/// # Errors
/// If a comparison does not suit the type of its sub-attribute, whatever the data.
pub fn element_matches(
    filter: &Filter,
    element: &Value,
    attribute: &Attribute,
) -> Result<bool, FilterTypeError> {
    refuse(filter, Subject::Element(attribute))?;
    Ok(holds(filter, element, Subject::Element(attribute)))
}

/// Everything in a filter between the brackets of `attribute` that does not suit it, in the order of the text.
pub fn element_problems(filter: &Filter, attribute: &Attribute) -> Vec<FilterTypeError> {
    let mut errors = Vec::new();
    collect(filter, Subject::Element(attribute), &mut errors);
    errors
}

/// What the paths of a filter are relative to.
#[derive(Clone, Copy)]
enum Subject<'a> {
    Resource(&'a ResourceDefinition),
    Element(&'a Attribute),
}

impl<'a> Subject<'a> {
    /// What a path names. Between the brackets of a simple attribute, `value` is the element itself.
    fn resolve(self, path: &AttributePath) -> Option<Resolved<'a>> {
        match self {
            Subject::Resource(definition) => definition.resolve(path),
            Subject::Element(parent) if parent.kind == AttributeType::Complex => {
                let attribute =
                    sub_attribute(parent, &path.name).filter(|_| path.urn.is_none() && path.sub.is_none())?;
                Some(Resolved::Attribute { attribute, sub: None, extension: None })
            }
            Subject::Element(parent) => {
                let is_value =
                    path.urn.is_none() && path.sub.is_none() && path.name.eq_ignore_ascii_case("value");
                is_value.then_some(Resolved::Attribute { attribute: parent, sub: None, extension: None })
            }
        }
    }
}

/// The attribute that a comparison is made on: of a multi-valued complex attribute its `value` (AMB-64).
fn comparable(resolved: Resolved<'_>) -> Option<(&Attribute, bool)> {
    let leaf = resolved.leaf()?;
    if leaf.kind != AttributeType::Complex {
        return Some((leaf, false));
    }
    let value = leaf.sub_attribute("value").filter(|_| leaf.multi_valued)?;
    Some((value, true))
}

fn refuse(filter: &Filter, subject: Subject<'_>) -> Result<(), FilterTypeError> {
    let mut errors = Vec::new();
    collect(filter, subject, &mut errors);
    match errors.into_iter().find(|error| error.kind != FilterTypeErrorKind::Unknown) {
        None => Ok(()),
        Some(error) => Err(error),
    }
}

fn collect(filter: &Filter, subject: Subject<'_>, errors: &mut Vec<FilterTypeError>) {
    let mut report = |path: &AttributePath, kind: FilterTypeErrorKind, message: String| {
        errors.push(FilterTypeError { path: path.clone(), kind, message });
    };
    match filter {
        Filter::And(operands) | Filter::Or(operands) => {
            for operand in operands {
                collect(operand, subject, errors);
            }
        }
        Filter::Not(operand) => collect(operand, subject, errors),
        Filter::Present(path) => match subject.resolve(path) {
            None => report(path, FilterTypeErrorKind::Unknown, "is not defined".into()),
            Some(resolved) if is_never(resolved) => {
                report(
                    path,
                    FilterTypeErrorKind::Never,
                    "is never returned, so it cannot be filtered on".into(),
                );
            }
            Some(_) => {}
        },
        Filter::Compare { path, operator, value } => match subject.resolve(path) {
            None => report(path, FilterTypeErrorKind::Unknown, "is not defined".into()),
            Some(resolved) if is_never(resolved) => {
                report(
                    path,
                    FilterTypeErrorKind::Never,
                    "is never returned, so it cannot be filtered on".into(),
                );
            }
            Some(resolved) => match comparable(resolved) {
                None => {
                    let message = "is complex: a comparison needs a sub-attribute".into();
                    report(path, FilterTypeErrorKind::Operator, message);
                }
                Some((attribute, _)) => {
                    if let Some((kind, message)) = mismatch(attribute, *operator, value) {
                        report(path, kind, message);
                    }
                }
            },
        },
        Filter::ValuePath { path, filter } => match subject.resolve(path) {
            None => report(path, FilterTypeErrorKind::Unknown, "is not defined".into()),
            Some(resolved) => match resolved.leaf() {
                Some(attribute) if attribute.kind == AttributeType::Complex || attribute.multi_valued => {
                    collect(filter, Subject::Element(attribute), errors);
                }
                _ => report(path, FilterTypeErrorKind::Operator, "has no sub-attributes to filter by".into()),
            },
        },
    }
}

fn is_never(resolved: Resolved<'_>) -> bool {
    match resolved {
        Resolved::Attribute { attribute, sub, .. } => {
            attribute.returned == Returned::Never || sub.is_some_and(|sub| sub.returned == Returned::Never)
        }
        _ => false,
    }
}

fn mismatch(
    attribute: &Attribute,
    operator: CompareOperator,
    value: &FilterValue,
) -> Option<(FilterTypeErrorKind, String)> {
    use AttributeType::{Binary, Boolean, Complex, DateTime, Decimal, Integer, Reference, String};
    let kind = attribute.kind;
    let refused_operator = match kind {
        Boolean => operator.is_ordering() || operator.is_substring(),
        Binary => operator.is_ordering(),
        Integer | Decimal => operator.is_substring(),
        Complex => true,
        String | Reference | DateTime => false,
    };
    if refused_operator {
        return Some((
            FilterTypeErrorKind::Operator,
            format!("is of type {kind}, which {operator} cannot compare"),
        ));
    }
    if *value == FilterValue::Null {
        let is_equality = matches!(operator, CompareOperator::Equal | CompareOperator::NotEqual);
        return (!is_equality)
            .then(|| (FilterTypeErrorKind::Literal, format!("cannot be compared with null by {operator}")));
    }
    let fits = match (kind, value) {
        (Boolean, FilterValue::Boolean(_)) | (Integer | Decimal, FilterValue::Number(_)) => true,
        (DateTime, FilterValue::String(text)) => operator.is_substring() || datetime::parse(text).is_some(),
        (String | Reference | Binary, FilterValue::String(_)) => true,
        _ => false,
    };
    (!fits).then(|| (FilterTypeErrorKind::Literal, format!("is of type {kind}, which {value} is not")))
}

/// Whether a filter holds that [`refuse`] has let through. The depth is that of the filter, which the parser bounds.
fn holds(filter: &Filter, subject: &Value, kind: Subject<'_>) -> bool {
    match filter {
        Filter::And(operands) => operands.iter().all(|operand| holds(operand, subject, kind)),
        Filter::Or(operands) => operands.iter().any(|operand| holds(operand, subject, kind)),
        Filter::Not(operand) => !holds(operand, subject, kind),
        Filter::Present(path) => kind.resolve(path).is_some_and(|resolved| {
            values(subject, kind, resolved, Reading::default()).iter().any(|value| is_present(value))
        }),
        Filter::Compare { path, operator, value } => {
            let Some(resolved) = kind.resolve(path) else { return false };
            let Some((attribute, by_value)) = comparable(resolved) else { return false };
            let reading = Reading { by_value, assume_primary: *value != FilterValue::Null };
            let values = values(subject, kind, resolved, reading);
            compare(&values, *operator, value, attribute)
        }
        Filter::ValuePath { path, filter } => {
            let Some(resolved) = kind.resolve(path) else { return false };
            let Some(attribute) = resolved.leaf() else { return false };
            values(subject, kind, resolved, Reading::default())
                .iter()
                .any(|element| holds(filter, element, Subject::Element(attribute)))
        }
    }
}

/// How the values of a path are read.
#[derive(Clone, Copy, Default)]
struct Reading {
    /// Of a complex attribute the `value` of each element.
    by_value: bool,
    /// A missing `primary` as false.
    assume_primary: bool,
}

/// The values that a path names in a resource or an element, arrays taken apart.
fn values<'v>(
    subject: &'v Value,
    kind: Subject<'_>,
    resolved: Resolved<'_>,
    reading: Reading,
) -> Vec<&'v Value> {
    static FALSE: Value = Value::Bool(false);
    let (attribute, sub, container) = match resolved {
        Resolved::Resource(_) => return vec![subject],
        Resolved::Extension(schema) => return get(subject, &schema.id).into_iter().collect(),
        Resolved::Attribute { attribute, sub, extension } => match extension {
            None => (attribute, sub, Some(subject)),
            Some(schema) => (attribute, sub, get(subject, &schema.id)),
        },
    };
    if let Subject::Element(parent) = kind {
        if parent.kind != AttributeType::Complex {
            return vec![subject];
        }
        return match get(subject, &attribute.name) {
            Some(value) if !value.is_null() => elements(value).iter().collect(),
            _ if reading.assume_primary && is_primary(attribute, parent) => vec![&FALSE],
            _ => Vec::new(),
        };
    }
    let Some(value) = container.and_then(|container| get(container, &attribute.name)) else {
        return Vec::new();
    };
    let value_name = if reading.by_value { Some("value") } else { sub.map(|sub| sub.name.as_str()) };
    let Some(name) = value_name else { return elements(value).iter().collect() };
    let missing_is_false = reading.assume_primary && sub.is_some_and(|sub| is_primary(sub, attribute));
    elements(value)
        .iter()
        .flat_map(|element| match get(element, name) {
            Some(value) if !value.is_null() => elements(value),
            _ if missing_is_false => std::slice::from_ref(&FALSE),
            // Some servers write the bare value where an object with `value` is due.
            _ if reading.by_value && !element.is_object() => std::slice::from_ref(element),
            _ => &[],
        })
        .collect()
}

fn is_primary(sub: &Attribute, parent: &Attribute) -> bool {
    parent.multi_valued && sub.kind == AttributeType::Boolean && sub.name.eq_ignore_ascii_case("primary")
}

/// `pr`: neither null nor empty, and of a complex value at least one member is not (RFC 7644 Table 3).
fn is_present(value: &Value) -> bool {
    match value {
        Value::String(text) => !text.is_empty(),
        other => !is_unassigned(other),
    }
}

fn compare(
    values: &[&Value],
    operator: CompareOperator,
    literal: &FilterValue,
    attribute: &Attribute,
) -> bool {
    use CompareOperator::{Equal, NotEqual};
    if *literal == FilterValue::Null {
        let has_value = values.iter().any(|value| !is_unassigned(value));
        return if operator == Equal { !has_value } else { has_value };
    }
    if operator == NotEqual {
        return values.is_empty()
            || values.iter().any(|value| !compare_one(value, Equal, literal, attribute));
    }
    values.iter().any(|value| compare_one(value, operator, literal, attribute))
}

fn compare_one(
    value: &Value,
    operator: CompareOperator,
    literal: &FilterValue,
    attribute: &Attribute,
) -> bool {
    use CompareOperator::{
        Contains, EndsWith, Equal, GreaterOrEqual, GreaterThan, LessOrEqual, LessThan, NotEqual, StartsWith,
    };
    let order = match (value, literal) {
        (Value::Bool(value), FilterValue::Boolean(literal)) => (value == literal).then_some(Ordering::Equal),
        (Value::Number(value), FilterValue::Number(literal)) => order_numbers(value, literal),
        (Value::String(value), FilterValue::String(literal)) => {
            let exact = attribute.compares_exactly();
            match operator {
                Contains | StartsWith | EndsWith => {
                    let (value, literal) = (text::comparable(value, exact), text::comparable(literal, exact));
                    return match operator {
                        Contains => value.contains(literal.as_ref()),
                        StartsWith => value.starts_with(literal.as_ref()),
                        _ => value.ends_with(literal.as_ref()),
                    };
                }
                _ => {}
            }
            match (attribute.kind, datetime::parse(value), datetime::parse(literal)) {
                (AttributeType::DateTime, Some(value), Some(literal)) => Some(value.utc.cmp(&literal.utc)),
                // A stored value that is no dateTime can be identical, but has no order.
                (AttributeType::DateTime, ..) => (value == literal).then_some(Ordering::Equal),
                _ => Some(text::order(value, literal, exact)),
            }
        }
        _ => None,
    };
    match (operator, order) {
        (Equal | GreaterOrEqual | LessOrEqual, Some(Ordering::Equal)) => true,
        (GreaterThan | GreaterOrEqual, Some(Ordering::Greater)) => true,
        (LessThan | LessOrEqual, Some(Ordering::Less)) => true,
        (NotEqual, order) => order != Some(Ordering::Equal),
        _ => false,
    }
}

/// The order of two numbers; whole numbers beyond the precision of doubles are compared exactly.
pub(crate) fn order_numbers(left: &Number, right: &Number) -> Option<Ordering> {
    let whole = |number: &Number| number.as_i64().map(i128::from).or_else(|| number.as_u64().map(i128::from));
    match (whole(left), whole(right)) {
        (Some(left), Some(right)) => Some(left.cmp(&right)),
        _ => left.as_f64()?.partial_cmp(&right.as_f64()?),
    }
}
