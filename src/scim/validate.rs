//! A resource against its schemas.
//!
//! Absent, `null` and `[]` are one state (RFC 7643 §2.5), so neither is ever of the wrong type. What
//! the RFC only suggests is told apart by its [`ViolationKind`]: canonical values are looked at in requests only,
//! and whether an attribute that is not defined matters is for the caller to say.

#[cfg(test)]
mod tests;

use std::collections::HashSet;
use std::fmt;

use serde_json::{Map, Value};

use super::datetime;
use super::definition::{ResourceDefinition, sub_attribute};
use super::error::ScimError;
use super::names;
use super::problem::{join, json_type};
use super::resource::{MAX_DEPTH, elements, get, is_deeper_than, is_unassigned, member};
use super::schema::{Attribute, AttributeType, Mutability, Returned, Schema};
use super::text;

/// The most violations that are reported.
const MAX_VIOLATIONS: usize = 200;
/// As many members as those of a resource, or fewer.
const FEW_MEMBERS: usize = 24;

/// Why a resource is validated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ValidationPurpose {
    /// The body of a POST. What is readOnly in it is ignored (RFC 7644 §3.3).
    CreateRequest,
    /// The body of a PUT. What is readOnly in it is ignored (RFC 7644 §3.5.1).
    ReplaceRequest,
    /// What a server returned, whole.
    Answer,
    /// What a server returned under `attributes` or `excludedAttributes`: anything but `id` may be absent.
    ProjectedAnswer,
}

impl ValidationPurpose {
    fn is_request(self) -> bool {
        matches!(self, ValidationPurpose::CreateRequest | ValidationPurpose::ReplaceRequest)
    }
}

/// What is wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ViolationKind {
    /// The resource is no object, or nests too deep.
    Shape,
    /// A value has the wrong JSON type, or is a malformed dateTime, base64 or integer.
    Type,
    /// An array where one value is due, or one value where an array is due.
    Multiplicity,
    /// A required attribute has no value.
    Required,
    /// An attribute is not defined. In an answer that is no violation of a MUST.
    Unknown,
    /// A value is none of the canonical ones. Suggestive only (RFC 7643 §7); in requests only.
    Canonical,
    /// An attribute with `returned: never` was returned.
    Never,
    /// `schemas` lacks the base schema, a required extension, or one whose container is there, or it lists what
    /// the resource type does not have, or lists something twice.
    Schemas,
    /// More than one value is primary.
    Primary,
    /// The same attribute stands there twice, in different case.
    Duplicate,
    /// Attributes of the base schema stand in an object of their own, as those of an extension do. In answers only.
    Container,
    /// A required extension that has required attributes is missing. In answers only.
    RequiredExtension,
}

/// One contradiction between a resource and its schemas.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// Where, in attribute notation with indexes: `emails[1].type`.
    pub path: String,
    /// What is wrong.
    pub kind: ViolationKind,
    /// What is there, and what was expected, continuing the path to a sentence.
    pub message: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.path.is_empty() {
            f.write_str(&self.message)
        } else {
            write!(f, "{} {}", self.path, self.message)
        }
    }
}

impl From<Violation> for ScimError {
    /// 400: invalidSyntax where the body does not have the form of its schemas, invalidValue where a value is wrong.
    fn from(violation: Violation) -> ScimError {
        let detail = violation.to_string();
        match violation.kind {
            ViolationKind::Shape
            | ViolationKind::Unknown
            | ViolationKind::Schemas
            | ViolationKind::Duplicate => ScimError::invalid_syntax(detail),
            _ => ScimError::invalid_value(detail),
        }
    }
}

/// All contradictions between a resource and its schemas, in the order of the resource; what is missing last.
/// At most two hundred.
pub fn validate(
    resource: &Value,
    definition: &ResourceDefinition,
    purpose: ValidationPurpose,
) -> Vec<Violation> {
    let mut validator = Validator { purpose, out: Vec::new() };
    let Some(members) = resource.as_object() else {
        validator.report(
            "",
            ViolationKind::Shape,
            format!("the resource is {}, expected an object", json_type(resource)),
        );
        return validator.out;
    };
    if is_deeper_than(resource, MAX_DEPTH) {
        validator.report("", ViolationKind::Shape, format!("the resource nests deeper than {MAX_DEPTH}"));
        return validator.out;
    }
    validator.resource(members, definition);
    validator.required_extensions(members, definition);
    validator.schemas(members, definition);
    validator.out
}

/// Whether a value suits an attribute, as one of its values: type, members, required sub-attributes.
pub(super) fn element(value: &Value, attribute: &Attribute) -> Result<(), String> {
    let mut validator = Validator { purpose: ValidationPurpose::ReplaceRequest, out: Vec::new() };
    validator.element(value, attribute, &attribute.name);
    match validator.out.into_iter().find(|it| it.kind != ViolationKind::Canonical) {
        None => Ok(()),
        Some(violation) => Err(violation.to_string()),
    }
}

struct Validator {
    purpose: ValidationPurpose,
    out: Vec<Violation>,
}

impl Validator {
    fn report(&mut self, path: &str, kind: ViolationKind, message: impl Into<String>) {
        if self.out.len() < MAX_VIOLATIONS {
            self.out.push(Violation { path: path.to_owned(), kind, message: message.into() });
        }
    }

    fn resource(&mut self, members: &Map<String, Value>, definition: &ResourceDefinition) {
        self.duplicates(members, "");
        for (name, value) in members {
            if let Some(attribute) = definition.top_attribute(name) {
                self.attribute(value, attribute, &attribute.name);
            } else if let Some(extension) = definition.extension(name) {
                self.container(value, &extension.schema);
            } else if !self.purpose.is_request()
                && name.eq_ignore_ascii_case(&definition.schema.id)
                && !is_unassigned(value)
            {
                let message = "holds attributes of the base schema, which stand in the resource itself";
                self.report(name, ViolationKind::Container, message);
            } else if !definition.schema.attributes.is_empty() && !is_unassigned(value) {
                self.report(name, ViolationKind::Unknown, "is not defined");
            }
        }
        for attribute in definition.top_attributes() {
            // Whether `schemas` is complete is judged by what it should hold.
            let is_exempt = attribute.name == "schemas"
                || (attribute.name == "id" && has_optional_id(definition) && !self.purpose.is_request());
            if !is_exempt {
                self.required(members, attribute, &attribute.name);
            }
        }
        let is_request = self.purpose.is_request();
        for extension in definition.extensions.iter().filter(|it| it.required && is_request) {
            if member(members, &extension.schema.id).is_none_or(is_unassigned) {
                self.report(
                    &extension.schema.id,
                    ViolationKind::Required,
                    "is a required extension, and missing",
                );
            }
        }
    }

    /// Reports required extensions that a whole answer lacks. One that requires nothing may be empty, and so left out.
    fn required_extensions(&mut self, members: &Map<String, Value>, definition: &ResourceDefinition) {
        if self.purpose != ValidationPurpose::Answer {
            return;
        }
        for extension in definition.extensions.iter().filter(|it| it.required) {
            let requires_some = extension.schema.attributes.iter().any(|it| {
                it.required
                    && it.mutability != Mutability::WriteOnly
                    && matches!(it.returned, Returned::Always | Returned::Default)
            });
            let urn = &extension.schema.id;
            let is_listed = member(members, "schemas").is_some_and(|urns| {
                elements(urns).iter().filter_map(Value::as_str).any(|it| it.eq_ignore_ascii_case(urn))
            });
            let is_missing = member(members, urn).is_none_or(is_unassigned);
            if is_missing && (requires_some || !is_listed) {
                self.report(urn, ViolationKind::RequiredExtension, "is a required extension, and missing");
            }
        }
    }

    fn container(&mut self, value: &Value, schema: &Schema) {
        let members = match value {
            Value::Object(members) => members,
            other if is_unassigned(other) => return,
            other => {
                let message = format!("is {}, expected an object", json_type(other));
                return self.report(&schema.id, ViolationKind::Type, message);
            }
        };
        let place = |name: &str| format!("{}:{name}", schema.id);
        self.duplicates(members, &schema.id);
        for (name, value) in members {
            match schema.attribute(name) {
                Some(attribute) => self.attribute(value, attribute, &place(&attribute.name)),
                None if schema.attributes.is_empty() || is_unassigned(value) => {}
                None => self.report(&place(name), ViolationKind::Unknown, "is not defined"),
            }
        }
        if !is_unassigned(value) {
            for attribute in schema.attributes.iter().filter(|it| it.required) {
                self.required(members, attribute, &place(&attribute.name));
            }
        }
    }

    fn duplicates(&mut self, members: &Map<String, Value>, place: &str) {
        // What few members are called is compared sooner than hashed.
        let mut seen = HashSet::new();
        let is_short = members.len() <= FEW_MEMBERS;
        for (index, name) in members.keys().enumerate() {
            let is_repeated = if is_short {
                members.keys().take(index).any(|earlier| earlier.eq_ignore_ascii_case(name))
            } else {
                !seen.insert(name.to_ascii_lowercase())
            };
            if is_repeated {
                self.report(
                    &join(place, name),
                    ViolationKind::Duplicate,
                    "stands there more than once, in different case",
                );
            }
        }
    }

    /// Reports an attribute that must have a value and has none.
    fn required(&mut self, members: &Map<String, Value>, attribute: &Attribute, path: &str) {
        let is_due = match self.purpose {
            ValidationPurpose::CreateRequest | ValidationPurpose::ReplaceRequest => {
                attribute.mutability != Mutability::ReadOnly
            }
            ValidationPurpose::Answer => {
                attribute.mutability != Mutability::WriteOnly
                    && matches!(attribute.returned, Returned::Always | Returned::Default)
            }
            ValidationPurpose::ProjectedAnswer => path == "id",
        };
        let is_empty = |value: &Value| is_unassigned(value) || (self.purpose.is_request() && value == "");
        if attribute.required && is_due && member(members, &attribute.name).is_none_or(is_empty) {
            self.report(path, ViolationKind::Required, "is required, and has no value");
        }
    }

    fn attribute(&mut self, value: &Value, attribute: &Attribute, path: &str) {
        if is_unassigned(value) && !value.is_object() {
            return;
        }
        if self.purpose.is_request() {
            if attribute.mutability == Mutability::ReadOnly {
                return;
            }
        } else if attribute.returned == Returned::Never {
            return self.report(path, ViolationKind::Never, "is returned, but must never be");
        }
        match (attribute.multi_valued, value) {
            (true, Value::Array(list)) => {
                for (index, value) in list.iter().enumerate() {
                    self.element(value, attribute, &format!("{path}[{index}]"));
                }
                let primaries =
                    list.iter().filter(|it| get(it, "primary") == Some(&Value::Bool(true))).count();
                if attribute.kind == AttributeType::Complex && primaries > 1 {
                    self.report(
                        path,
                        ViolationKind::Primary,
                        format!("has {primaries} primary values, one may be"),
                    );
                }
            }
            (true, other) => {
                let message =
                    format!("is {}, but the attribute is multi-valued: expected an array", json_type(other));
                self.report(path, ViolationKind::Multiplicity, message);
                self.element(other, attribute, path);
            }
            (false, Value::Array(_)) => {
                let message = "is an array, but the attribute is single-valued";
                self.report(path, ViolationKind::Multiplicity, message);
            }
            (false, other) => self.element(other, attribute, path),
        }
    }

    /// One value of an attribute.
    fn element(&mut self, value: &Value, attribute: &Attribute, path: &str) {
        let expected = match attribute.kind {
            AttributeType::Complex => match value {
                Value::Object(members) => return self.complex(members, attribute, path),
                _ => "an object",
            },
            AttributeType::String => match value {
                Value::String(text) => return self.canonical(text, attribute, path),
                _ => "a string",
            },
            AttributeType::Reference => match value {
                Value::String(_) => return,
                _ => "a URI in a string",
            },
            AttributeType::Boolean => match value {
                Value::Bool(_) => return,
                _ => "true or false",
            },
            AttributeType::Integer => match value {
                Value::Number(number) if !number.is_f64() => return,
                // Beyond 64 bits a whole number is read as a double.
                Value::Number(number) if number.as_f64().is_some_and(|it| it.abs() >= 9.0e18) => return,
                _ => "a whole number",
            },
            AttributeType::Decimal => match value {
                Value::Number(_) => return,
                _ => "a number",
            },
            AttributeType::DateTime => match value {
                Value::String(text) if datetime::parse(text).is_some() => return,
                _ => "an xsd:dateTime such as 2011-05-13T04:42:34Z",
            },
            AttributeType::Binary => match value {
                Value::String(text) if is_base64(text) => return,
                _ => "base64 in a string",
            },
        };
        let shown = match value {
            Value::Object(_) | Value::Array(_) => json_type(value).to_owned(),
            other => other.to_string(),
        };
        self.report(path, ViolationKind::Type, format!("is {shown}, expected {expected}"));
    }

    fn complex(&mut self, members: &Map<String, Value>, attribute: &Attribute, path: &str) {
        self.duplicates(members, path);
        for (name, value) in members {
            match sub_attribute(attribute, name) {
                Some(sub) => self.attribute(value, sub, &join(path, &sub.name)),
                None if attribute.sub_attributes.is_empty() || is_unassigned(value) => {}
                // The schema of schemas, listed by itself, nests once more than it says.
                None if name == "subAttributes" && attribute.name == *name => {}
                None => self.report(&join(path, name), ViolationKind::Unknown, "is not defined"),
            }
        }
        // A required sub-attribute binds only where its parent has a value (RFC 7643 §7).
        if members.values().any(|value| !is_unassigned(value)) {
            for sub in attribute.sub_attributes.iter().filter(|it| it.required) {
                self.required(members, sub, &join(path, &sub.name));
            }
        }
    }

    fn canonical(&mut self, text: &str, attribute: &Attribute, path: &str) {
        let is_free = !self.purpose.is_request()
            || attribute.canonical_values.is_empty()
            || attribute.canonical_values.iter().any(|it| text::equal(it, text, attribute.case_exact));
        if !is_free {
            let message = format!("is {text:?}, which is none of {}", attribute.canonical_values.join(", "));
            self.report(path, ViolationKind::Canonical, message);
        }
    }

    fn schemas(&mut self, members: &Map<String, Value>, definition: &ResourceDefinition) {
        let listed = match member(members, "schemas") {
            Some(list) if !is_unassigned(list) => elements(list),
            _ if self.purpose == ValidationPurpose::ProjectedAnswer => return,
            _ => {
                let message = format!("is missing, expected at least {}", definition.schema.id);
                return self.report("schemas", ViolationKind::Schemas, message);
            }
        };
        let urns: Vec<&str> = listed.iter().filter_map(Value::as_str).collect();
        let is_listed = |urn: &str| urns.iter().any(|it| it.eq_ignore_ascii_case(urn));
        if !is_listed(&definition.schema.id) {
            self.report("schemas", ViolationKind::Schemas, format!("lacks {}", definition.schema.id));
        }
        let mut seen = HashSet::new();
        for (index, urn) in urns.iter().enumerate() {
            if !definition.knows_schema(urn) {
                let message =
                    format!("is {urn}, which is no schema of the resource type {}", definition.name);
                self.report(&format!("schemas[{index}]"), ViolationKind::Schemas, message);
            }
            if !seen.insert(urn.to_ascii_lowercase()) {
                self.report(&format!("schemas[{index}]"), ViolationKind::Schemas, format!("repeats {urn}"));
            }
        }
        if self.purpose.is_request() {
            // A container without its URI is accepted: the server adds the URI.
            return;
        }
        for extension in &definition.extensions {
            let urn = &extension.schema.id;
            let has_container = member(members, urn).is_some_and(|it| !is_unassigned(it));
            if has_container && !is_listed(urn) {
                let message = format!("lacks {urn}, which stands in the resource");
                self.report("schemas", ViolationKind::Schemas, message);
            }
        }
    }
}

/// A service provider's configuration and a resource type need no id (RFC 7643 §3.1).
fn has_optional_id(definition: &ResourceDefinition) -> bool {
    [names::SERVICE_PROVIDER_CONFIG, names::RESOURCE_TYPE].contains(&definition.schema.id.as_str())
}

/// Base64 of either alphabet, with or without padding and line ends.
fn is_base64(text: &str) -> bool {
    let mut body: Vec<u8> = text.bytes().filter(|byte| !matches!(byte, b'\r' | b'\n')).collect();
    let padded = body.len();
    while body.last() == Some(&b'=') {
        body.pop();
    }
    let padding = padded - body.len();
    let is_alphabet =
        body.iter().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'-' | b'_'));
    is_alphabet && body.len() % 4 != 1 && (padding == 0 || (padding <= 2 && padded.is_multiple_of(4)))
}
