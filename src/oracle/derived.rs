//! What a service provider may add to a resource, or change in it, without being told to: its own attributes, what
//! it computes from others, the canonical form of a value.
//!
//! Knows one attribute at a time; what was written, and what that has to lead to, is for [`written`](super::written).

use serde_json::Value;
use url::Url;

use crate::scim::compare::same_value;
use crate::scim::datetime;
use crate::scim::definition::sub_attribute;
use crate::scim::resource::{MAX_DEPTH, elements, is_unassigned};
use crate::scim::schema::{Attribute, AttributeType, Mutability, Returned};
use crate::scim::text::fold_case;

/// Whether a client sees what it wrote to an attribute. Not so where only the server writes it, where it is never
/// shown (a password), and where it is shown on demand (AMB-37).
pub fn is_visible(attribute: &Attribute) -> bool {
    !matches!(attribute.mutability, Mutability::ReadOnly | Mutability::WriteOnly)
        && !matches!(attribute.returned, Returned::Never | Returned::Request)
}

/// Whether a complex attribute refers to other resources, so that the server can tell what is behind an id. Of members
/// and groups that is so wherever they are declared with less than RFC 7643 section 4 gives them.
pub fn refers(attribute: &Attribute) -> bool {
    let is_either = |name: &str| attribute.name.eq_ignore_ascii_case(name);
    attribute.sub_attribute("$ref").is_some()
        || (attribute.kind == AttributeType::Complex && ["members", "groups"].into_iter().any(is_either))
}

/// Whether an attribute never counts, whatever was written to it: `$ref` and `display` follow the resource that they
/// are about (AMB-26), and `name.formatted` follows the other parts of the name. `parent` is the complex attribute
/// around it.
pub fn is_free(attribute: &Attribute, parent: Option<&Attribute>) -> bool {
    let Some(parent) = parent else { return false };
    match attribute.name.to_ascii_lowercase().as_str() {
        "$ref" | "display" => true,
        "type" => refers(parent),
        "formatted" => !parent.multi_valued,
        _ => false,
    }
}

/// Whether an attribute that is computed from others may have changed along with them.
pub fn is_computed(attribute: &Attribute, parent: Option<&Attribute>) -> bool {
    match parent {
        None => attribute.name.eq_ignore_ascii_case("displayName"),
        Some(_) => attribute.name.eq_ignore_ascii_case("formatted"),
    }
}

/// Whether a value is one that servers give by default to what no client asserted (RFC 7644 section 3.3), so that
/// it is not worth a word.
pub fn is_usual_default(attribute: &Attribute, parent: Option<&Attribute>, value: &Value) -> bool {
    is_computed(attribute, parent)
        || match parent {
            None => attribute.name.eq_ignore_ascii_case("active") && *value == Value::Bool(true),
            // Of a reference that was given by its URI alone, the server knows the id.
            Some(parent) => attribute.name.eq_ignore_ascii_case("value") && refers(parent),
        }
}

/// No value: unassigned (AMB-17), or a `primary` that is false, which says as much as none (RFC 7643 section 2.4).
pub fn is_nothing(value: &Value, attribute: &Attribute) -> bool {
    is_unassigned(value) || (is_primary(attribute) && *value == Value::Bool(false))
}

/// Whether the attribute marks the preferred one of several values.
pub fn is_primary(attribute: &Attribute) -> bool {
    attribute.kind == AttributeType::Boolean && attribute.name.eq_ignore_ascii_case("primary")
}

/// Whether a label is none of those that its schema suggests, which a server may drop (AMB-21).
pub fn is_not_canonical(value: &Value, attribute: &Attribute) -> bool {
    let label = value.as_str().map(fold_case);
    !attribute.canonical_values.is_empty()
        && !attribute.canonical_values.iter().any(|known| label.as_ref() == Some(&fold_case(known)))
}

/// Whether a value, or each of a list, is of its attribute's type. Text that says true or false counts as boolean,
/// since servers that take it make a boolean of it (AMB-20).
pub fn fits(value: &Value, attribute: &Attribute) -> bool {
    fits_at(value, attribute, 0)
}

fn fits_at(value: &Value, attribute: &Attribute, depth: usize) -> bool {
    if depth > MAX_DEPTH || (value.is_array() && !attribute.multi_valued) {
        return false;
    }
    elements(value).iter().all(|value| match (attribute.kind, value) {
        (_, Value::Null) => true,
        (AttributeType::Boolean, Value::String(text)) => {
            ["true", "false"].iter().any(|word| text.eq_ignore_ascii_case(word))
        }
        (AttributeType::Boolean, value) => value.is_boolean(),
        (AttributeType::Integer | AttributeType::Decimal, value) => value.is_number(),
        (AttributeType::Complex, Value::Object(members)) => members.iter().all(|(name, value)| {
            sub_attribute(attribute, name).is_none_or(|sub| fits_at(value, sub, depth + 1))
        }),
        (AttributeType::Complex, _) => false,
        (AttributeType::DateTime, value) => {
            value.as_str().is_some_and(|text| datetime::parse(text).is_some())
        }
        (AttributeType::String | AttributeType::Binary | AttributeType::Reference, value) => {
            value.is_string()
        }
    })
}

/// How the value read stands to the value written, both of them single and assigned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Likeness {
    /// The same, or the same in canonical form.
    Same,
    /// The same but for blanks around it.
    Trimmed,
    /// Another value.
    Other,
}

/// Compares a single value as written with the one read.
pub fn likeness(
    written: &Value,
    read: &Value,
    attribute: &Attribute,
    parent: Option<&Attribute>,
) -> Likeness {
    if same_value(written, read, Some(attribute)) {
        return Likeness::Same;
    }
    if let (Value::String(written), Value::Bool(read)) = (written, read) {
        // Entra writes booleans as texts; who takes them makes booleans of them (AMB-20).
        return if written.eq_ignore_ascii_case(&read.to_string()) {
            Likeness::Same
        } else {
            Likeness::Other
        };
    }
    let (Value::String(written), Value::String(read)) = (written, read) else { return Likeness::Other };
    let is_same = match attribute.kind {
        // A server may keep fewer digits of a second than were sent.
        AttributeType::DateTime => match (datetime::parse(written), datetime::parse(read)) {
            (Some(written), Some(read)) => (written.utc - read.utc).num_milliseconds().abs() < 1000,
            _ => false,
        },
        AttributeType::Reference => match (Url::parse(written), Url::parse(read)) {
            (Ok(written), Ok(read)) => written == read,
            _ => false,
        },
        AttributeType::Binary => without_blanks(written) == without_blanks(read),
        _ => canonical(written, attribute, parent) == canonical(read, attribute, parent),
    };
    if is_same {
        Likeness::Same
    } else if written.trim() == read.trim() {
        Likeness::Trimmed
    } else {
        Likeness::Other
    }
}

fn without_blanks(text: &str) -> String {
    text.chars().filter(|it| !it.is_whitespace()).collect()
}

/// What is left of a value when its spelling is taken out, where a server may bring it into a canonical form: letters
/// of user names and addresses (AMB-22, AMB-30), the punctuation of telephone numbers.
fn canonical(text: &str, attribute: &Attribute, parent: Option<&Attribute>) -> String {
    let is_value = attribute.name.eq_ignore_ascii_case("value");
    match parent.map(|parent| parent.name.to_ascii_lowercase()).as_deref() {
        Some("emails" | "ims") if is_value => fold_case(text.trim()).into_owned(),
        Some("phonenumbers") if is_value => fold_case(text)
            .trim_start_matches("tel:")
            .chars()
            .filter(|it| !it.is_whitespace() && !matches!(it, '-' | '.' | '(' | ')' | '/'))
            .collect(),
        None if attribute.name.eq_ignore_ascii_case("userName") => fold_case(text).into_owned(),
        _ => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scim::definition::ResourceDefinition;
    use crate::scim::schema::SchemaSet;
    use serde_json::json;

    fn user() -> ResourceDefinition {
        SchemaSet::core().definition("User").unwrap()
    }

    #[test]
    fn members_refer_to_others_however_they_are_declared() {
        let group = SchemaSet::core().definition("Group").unwrap();
        let mut members = group.top_attribute("members").unwrap().clone();
        members.sub_attributes.retain(|it| it.name != "$ref");
        assert!(refers(&members));
        assert!(!refers(user().top_attribute("emails").unwrap()));
    }

    #[test]
    fn canonical_forms_are_the_same_value() {
        let user = user();
        let top = |name: &str| user.top_attribute(name).unwrap();
        let of = |name: &str, written: &str, read: &str| {
            let attribute = top(name);
            match attribute.sub_attribute("value") {
                Some(value) => likeness(&json!(written), &json!(read), value, Some(attribute)),
                None => likeness(&json!(written), &json!(read), attribute, None),
            }
        };
        assert_eq!(of("userName", "Ann@Example.com", "ann@example.com"), Likeness::Same);
        assert_eq!(of("emails", "Ann@Example.com", "ann@example.com"), Likeness::Same);
        assert_eq!(of("emails", "ann@a-b.example", "ann@ab.example"), Likeness::Other);
        assert_eq!(of("phoneNumbers", "tel:+1-201-555-0123", "+12015550123"), Likeness::Same);
        assert_eq!(of("phoneNumbers", "+12015550123", "+12015550124"), Likeness::Other);
        assert_eq!(of("profileUrl", "https://EXAMPLE.com", "https://example.com/"), Likeness::Same);
        assert_eq!(of("profileUrl", "https://example.com/a", "https://example.com/A"), Likeness::Other);
        assert_eq!(of("title", " Engineer", "Engineer"), Likeness::Trimmed);
        assert_eq!(of("externalId", "A", "a"), Likeness::Other);
        let active = top("active");
        assert_eq!(likeness(&json!("False"), &json!(false), active, None), Likeness::Same);
        assert_eq!(likeness(&json!(true), &json!("true"), active, None), Likeness::Other);
    }

    #[test]
    fn what_is_free_is_so_within_something_only() {
        let user = user();
        let emails = user.top_attribute("emails").unwrap();
        let name = user.top_attribute("name").unwrap();
        let addresses = user.top_attribute("addresses").unwrap();
        let sub = |parent: &Attribute, name: &str| parent.sub_attribute(name).unwrap().clone();
        assert!(is_free(&sub(emails, "display"), Some(emails)));
        assert!(!is_free(&sub(emails, "type"), Some(emails)));
        assert!(is_free(&sub(name, "formatted"), Some(name)));
        assert!(!is_free(&sub(addresses, "formatted"), Some(addresses)));
        assert!(is_computed(user.top_attribute("displayName").unwrap(), None));
        assert!(!is_free(user.top_attribute("displayName").unwrap(), None));
    }
}
