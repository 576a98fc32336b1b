//! Compares what a case stores with the types of the core schemas (RFC 7643 sections 4.1, 4.2 and 4.3).
//!
//! A resource that is a precondition has to be right, or the case tests something else than it says. What a step sends
//! on purpose is left alone.

use serde_json::Value;

use super::Report;

/// The types of the core schemas, as far as a literal can contradict them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Type {
    Text,
    Boolean,
    Complex,
    List,
}

impl Type {
    fn word(self) -> &'static str {
        match self {
            Type::Text => "a text",
            Type::Boolean => "true or false",
            Type::Complex => "an object",
            Type::List => "a list",
        }
    }

    fn takes(self, value: &Value) -> bool {
        match (self, value) {
            // null stands for absence (RFC 7643 section 2.5); a reference stands for a value of any type.
            (_, Value::Null) => true,
            (_, Value::String(text)) if text.starts_with("${") && text.ends_with('}') => true,
            (Type::Text, Value::String(_))
            | (Type::Boolean, Value::Bool(_))
            | (Type::Complex, Value::Object(_))
            | (Type::List, Value::Array(_)) => true,
            _ => false,
        }
    }
}

/// RFC 7643 section 8.7.1, by the name of the attribute.
const TYPES: &[(&str, Type)] = &[
    ("schemas", Type::List),
    ("id", Type::Text),
    ("externalId", Type::Text),
    ("meta", Type::Complex),
    ("userName", Type::Text),
    ("name", Type::Complex),
    ("displayName", Type::Text),
    ("nickName", Type::Text),
    ("profileUrl", Type::Text),
    ("title", Type::Text),
    ("userType", Type::Text),
    ("preferredLanguage", Type::Text),
    ("locale", Type::Text),
    ("timezone", Type::Text),
    ("active", Type::Boolean),
    ("password", Type::Text),
    ("emails", Type::List),
    ("phoneNumbers", Type::List),
    ("ims", Type::List),
    ("photos", Type::List),
    ("addresses", Type::List),
    ("groups", Type::List),
    ("entitlements", Type::List),
    ("roles", Type::List),
    ("x509Certificates", Type::List),
    ("members", Type::List),
];

/// A resource that is stored before a case begins. `path` is empty for a file that is nothing else.
pub(super) fn resource(report: &mut Report<'_>, path: &str, resource: &Value) {
    let Value::Object(members) = resource else { return };
    attributes(report, path, members.iter().map(|(name, value)| (name.as_str(), value)));
}

/// Attributes of such a resource.
pub(super) fn attributes<'v>(
    report: &mut Report<'_>,
    path: &str,
    attributes: impl Iterator<Item = (&'v str, &'v Value)>,
) {
    for (name, value) in attributes {
        let Some((known, kind)) = TYPES.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)) else {
            continue;
        };
        let at = if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") };
        if !kind.takes(value) {
            report.error(
                &at,
                format!("`{known}` is {} by the core schema", kind.word()),
                Some(
                    "what a step sends wrong on purpose stands in its body or raw, not in what exists before"
                        .into(),
                ),
            );
            continue;
        }
        let Value::Array(elements) = value else { continue };
        for (index, element) in elements.iter().enumerate() {
            let complex = *known != "schemas";
            let fits = match element {
                Value::String(text) => !complex || text.starts_with("${"),
                Value::Object(members) => {
                    complex && members.get("primary").is_none_or(|primary| Type::Boolean.takes(primary))
                }
                _ => false,
            };
            if !fits {
                let message = if complex {
                    format!(
                        "an element of `{known}` is an object with value, type, and primary as true or false"
                    )
                } else {
                    "an element of `schemas` is a text".to_owned()
                };
                report.error(&format!("{at}[{index}]"), message, None);
            }
        }
    }
}
