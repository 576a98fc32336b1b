//! The tolerant reading of attributes: what is readable is kept, each problem reported.

use serde_json::{Map, Value};

use super::{Attribute, AttributeType, Mutability, Returned, Uniqueness};
use crate::scim::problem::{Problem, join, json_type};
use crate::scim::resource::{self, elements, get};

/// How deep attributes may nest in a schema. The RFC allows two levels, its own Schema schema needs three.
pub(super) const MAX_ATTRIBUTE_DEPTH: usize = 6;

/// The most attributes read from one schema, sub-attributes included.
const MAX_ATTRIBUTES: usize = 20_000;

/// Reads attributes, and bounds how many and how deep.
pub(super) struct AttributeReader {
    pub(super) problems: Vec<Problem>,
    left: usize,
}

impl AttributeReader {
    pub(super) fn new(problems: Vec<Problem>) -> Self {
        AttributeReader { problems, left: MAX_ATTRIBUTES }
    }

    pub(super) fn attributes(&mut self, list: &Value, place: &str, depth: usize) -> Vec<Attribute> {
        let list = match list {
            Value::Array(list) => list,
            Value::Null => return Vec::new(),
            other => {
                self.problems
                    .push(Problem::new(place, format!("is {}, expected an array", json_type(other))));
                return Vec::new();
            }
        };
        let mut attributes: Vec<Attribute> = Vec::new();
        for (index, value) in list.iter().enumerate() {
            if self.left == 0 {
                self.problems.push(Problem::new(place, format!("has more than {MAX_ATTRIBUTES} attributes")));
                break;
            }
            self.left -= 1;
            let here = match get(value, "name").and_then(Value::as_str) {
                Some(name) => format!("{place}[{name}]"),
                None => format!("{place}[{index}]"),
            };
            if let Some(attribute) = self.attribute(value, &here, depth) {
                if attributes.iter().any(|it| it.name.eq_ignore_ascii_case(&attribute.name)) {
                    self.problems.push(Problem::new(here, "is listed more than once"));
                } else {
                    attributes.push(attribute);
                }
            }
        }
        attributes
    }

    pub(super) fn attribute(&mut self, value: &Value, place: &str, depth: usize) -> Option<Attribute> {
        let Some(object) = value.as_object() else {
            self.problems.push(Problem::new(place, format!("is {}, expected an object", json_type(value))));
            return None;
        };
        let name = text(object, "name", place, true, &mut self.problems);
        let kind = self.keyword(object, "type", place, AttributeType::ALL, AttributeType::as_str);
        if kind.is_none() && resource::member(object, "type").is_none_or(Value::is_null) {
            self.problems.push(Problem::new(join(place, "type"), "is missing"));
        }
        let mut attribute = Attribute::new(name.unwrap_or_default(), kind.unwrap_or(AttributeType::String));
        let problems = &mut self.problems;
        attribute.multi_valued = boolean(object, "multiValued", place, problems).unwrap_or(false);
        attribute.description = text(object, "description", place, false, problems).unwrap_or_default();
        attribute.required = boolean(object, "required", place, problems).unwrap_or(false);
        attribute.case_exact = boolean(object, "caseExact", place, problems).unwrap_or(false);
        attribute.canonical_values = texts(object, "canonicalValues", place, problems);
        attribute.reference_types = texts(object, "referenceTypes", place, problems);
        if let Some(mutability) =
            self.keyword(object, "mutability", place, Mutability::ALL, Mutability::as_str)
        {
            attribute.mutability = mutability;
        }
        if let Some(returned) = self.keyword(object, "returned", place, Returned::ALL, Returned::as_str) {
            attribute.returned = returned;
        }
        if let Some(uniqueness) =
            self.keyword(object, "uniqueness", place, Uniqueness::ALL, Uniqueness::as_str)
        {
            attribute.uniqueness = uniqueness;
        }
        if let Some(subs) =
            resource::member(object, "subAttributes").filter(|subs| !resource::is_unassigned(subs))
        {
            let here = join(place, "subAttributes");
            if depth + 1 >= MAX_ATTRIBUTE_DEPTH {
                self.problems.push(Problem::new(here, "nests too deep"));
            } else {
                attribute.sub_attributes = self.attributes(subs, &here, depth + 1);
                if kind.is_some_and(|kind| kind != AttributeType::Complex) {
                    self.problems.push(Problem::new(here, "stands on an attribute that is not complex"));
                }
                if kind.is_none() {
                    attribute.kind = AttributeType::Complex;
                }
            }
        }
        if attribute.name.is_empty() { None } else { Some(attribute) }
    }

    /// A keyword; another case than the RFC's is a problem, but understood.
    fn keyword<T: Copy>(
        &mut self,
        object: &Map<String, Value>,
        name: &str,
        place: &str,
        all: &[T],
        as_str: fn(T) -> &'static str,
    ) -> Option<T> {
        let value = resource::member(object, name).filter(|value| !value.is_null())?;
        let written = value.as_str();
        let found =
            written.and_then(|text| all.iter().copied().find(|it| as_str(*it).eq_ignore_ascii_case(text)));
        if found.map(as_str) != written || found.is_none() {
            let expected: Vec<&str> = all.iter().map(|it| as_str(*it)).collect();
            let message = format!("is {value}, expected one of {}", expected.join(", "));
            self.problems.push(Problem::new(join(place, name), message));
        }
        found
    }
}

pub(super) fn text(
    object: &Map<String, Value>,
    name: &str,
    place: &str,
    required: bool,
    problems: &mut Vec<Problem>,
) -> Option<String> {
    match resource::member(object, name) {
        Some(Value::String(text)) if !text.is_empty() || !required => Some(text.clone()),
        None | Some(Value::Null) => {
            if required {
                problems.push(Problem::new(join(place, name), "is missing"));
            }
            None
        }
        Some(other) => {
            problems.push(Problem::new(join(place, name), format!("is {other}, expected a string")));
            None
        }
    }
}

fn texts(object: &Map<String, Value>, name: &str, place: &str, problems: &mut Vec<Problem>) -> Vec<String> {
    let Some(value) = resource::member(object, name) else { return Vec::new() };
    if !matches!(value, Value::Array(_) | Value::Null) {
        problems.push(Problem::new(join(place, name), format!("is {}, expected an array", json_type(value))));
    }
    let mut texts = Vec::new();
    for (index, element) in elements(value).iter().enumerate() {
        match element {
            Value::String(text) => texts.push(text.clone()),
            other => {
                let message = format!("is {}, expected a string", json_type(other));
                problems.push(Problem::new(join(place, &format!("{name}[{index}]")), message));
            }
        }
    }
    texts
}

pub(super) fn boolean(
    object: &Map<String, Value>,
    name: &str,
    place: &str,
    problems: &mut Vec<Problem>,
) -> Option<bool> {
    match resource::member(object, name) {
        Some(Value::Bool(boolean)) => Some(*boolean),
        None | Some(Value::Null) => None,
        Some(other) => {
            problems.push(Problem::new(join(place, name), format!("is {other}, expected true or false")));
            match other.as_str() {
                Some(text) if text.eq_ignore_ascii_case("true") => Some(true),
                Some(text) if text.eq_ignore_ascii_case("false") => Some(false),
                _ => None,
            }
        }
    }
}
