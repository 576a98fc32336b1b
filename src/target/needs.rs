//! What a service provider demands of every resource: the required attributes of its schemas, and what the
//! operator adds by `[template.user]` and `[template.group]`. Pure.
//!
//! Only what is missing is filled in. What a case sets stays, an explicit `null` included, since that may be the
//! very point of the case.

use serde_json::{Map, Value};

use crate::scim::definition::ResourceDefinition;
use crate::scim::schema::{Attribute, AttributeType, Mutability, Uniqueness};
use crate::suite::fresh::Generator;
use crate::suite::model::FreshKind;

/// What stands for a new word in the operator's template, one for the whole resource.
const UNIQUE: &str = "{{unique}}";

/// The resource, completed: the operator's template under it first, then what the schemas require.
pub fn fill(
    resource: Value,
    definition: &ResourceDefinition,
    template: &Value,
    generator: &Generator,
) -> Value {
    let mut resource = resource;
    let Value::Object(members) = &mut resource else { return resource };
    if let Value::Object(under) = template {
        let word = format!("{}{}", generator.mark(), generator.value(FreshKind::Word));
        merge_under(members, under, &word);
    }
    let maker = Maker { generator, group: definition.name.eq_ignore_ascii_case("group") };
    maker.complete(members, &definition.schema.attributes, None);
    for extension in &definition.extensions {
        let urn = &extension.schema.id;
        if extension.required && key(members, urn).is_none() {
            members.insert(urn.clone(), Value::Object(Map::new()));
        }
        let Some(name) = key(members, urn) else { continue };
        if let Some(Value::Object(container)) = members.get_mut(&name) {
            maker.complete(container, &extension.schema.attributes, None);
            declare(members, urn);
        }
    }
    resource
}

/// The resource without attributes and sub-attributes that its schemas do not declare, and without extensions that its type
/// does not have. A schema without any attributes is one that is not known, and declares everything.
pub fn declared(mut resource: Value, definition: &ResourceDefinition) -> Value {
    let Value::Object(members) = &mut resource else { return resource };
    let knows_all = definition.schema.attributes.is_empty();
    members.retain(|name, _| {
        knows_all || definition.top_attribute(name).is_some() || definition.extension(name).is_some()
    });
    for (name, value) in members.iter_mut() {
        if let Some(attribute) = definition.top_attribute(name) {
            with_declared_parts(value, attribute);
        } else if let (Some(extension), Value::Object(container)) = (definition.extension(name), value) {
            let schema = &extension.schema;
            container.retain(|name, _| schema.attributes.is_empty() || schema.attribute(name).is_some());
            for (name, value) in container.iter_mut() {
                if let Some(attribute) = schema.attribute(name) {
                    with_declared_parts(value, attribute);
                }
            }
        }
    }
    if let Some(Value::Array(urns)) = members.get_mut("schemas") {
        urns.retain(|urn| urn.as_str().is_none_or(|urn| definition.knows_schema(urn)));
    }
    resource
}

/// Leaves out of the values of an attribute the sub-attributes that are not declared.
fn with_declared_parts(value: &mut Value, attribute: &Attribute) {
    let items = match value {
        Value::Array(items) => items.as_mut_slice(),
        one => std::slice::from_mut(one),
    };
    if !attribute.sub_attributes.is_empty() {
        for members in items.iter_mut().filter_map(Value::as_object_mut) {
            members.retain(|name, _| attribute.sub_attribute(name).is_some());
        }
    }
}

/// Adds members that are not there, into objects as deep as both go. JSON in configuration is as deep as its
/// parser lets it be.
fn merge_under(members: &mut Map<String, Value>, under: &Map<String, Value>, word: &str) {
    for (name, value) in under {
        match key(members, name) {
            None => {
                members.insert(name.clone(), with_word(value, word));
            }
            Some(known) => {
                if let (Some(Value::Object(inner)), Value::Object(deeper)) = (members.get_mut(&known), value)
                {
                    merge_under(inner, deeper, word);
                }
            }
        }
    }
}

fn with_word(value: &Value, word: &str) -> Value {
    match value {
        Value::String(text) => Value::String(text.replace(UNIQUE, word)),
        Value::Array(items) => Value::Array(items.iter().map(|item| with_word(item, word)).collect()),
        Value::Object(members) => Value::Object(
            members.iter().map(|(name, value)| (name.clone(), with_word(value, word))).collect(),
        ),
        other => other.clone(),
    }
}

/// The name by which an object knows a member; names compare without regard to case (RFC 7643 section 2.1).
fn key(members: &Map<String, Value>, name: &str) -> Option<String> {
    members.keys().find(|known| known.eq_ignore_ascii_case(name)).cloned()
}

/// Lists the extension in `schemas`, if that is an array; anything else is a case's own doing.
fn declare(members: &mut Map<String, Value>, urn: &str) {
    if let Some(Value::Array(schemas)) = members.get_mut("schemas") {
        let listed =
            schemas.iter().any(|known| known.as_str().is_some_and(|known| known.eq_ignore_ascii_case(urn)));
        if !listed {
            schemas.push(Value::from(urn));
        }
    }
}

/// Whether values for an attribute can be made up: not where they are the ids of other resources.
pub fn can_make(attribute: &Attribute) -> bool {
    let is_for_anything = attribute.reference_types.is_empty()
        || attribute
            .reference_types
            .iter()
            .any(|it| it.eq_ignore_ascii_case("external") || it.eq_ignore_ascii_case("uri"));
    attribute.kind != AttributeType::Reference || is_for_anything
}

/// Two values that an attribute with one value can have.
pub fn samples(attribute: &Attribute, generator: &Generator) -> Option<(Value, Value)> {
    let maker = Maker { generator, group: false };
    let one = maker.value(attribute, None)?;
    let other = match (&one, attribute.kind) {
        (Value::Bool(is_so), _) => Value::from(!is_so),
        (_, AttributeType::Decimal) => Value::from(2.5),
        (_, AttributeType::Integer) => Value::from(2),
        (_, AttributeType::DateTime) => Value::from("2025-06-30T12:00:00Z"),
        (_, AttributeType::Binary) => Value::from("c2NpbQ=="),
        _ => match attribute.canonical_values.get(1) {
            Some(second) if attribute.uniqueness == Uniqueness::None => Value::from(second.clone()),
            _ => maker.value(attribute, None)?,
        },
    };
    Some((one, other))
}

struct Maker<'a> {
    generator: &'a Generator,
    group: bool,
}

impl Maker<'_> {
    /// Fills in what is required among these attributes, and inside of what is there.
    fn complete(
        &self,
        members: &mut Map<String, Value>,
        attributes: &[Attribute],
        parent: Option<&Attribute>,
    ) {
        for attribute in attributes {
            match key(members, &attribute.name).and_then(|name| members.get_mut(&name)) {
                None if attribute.required && writable(attribute) => {
                    if let Some(value) = self.value(attribute, parent) {
                        members.insert(attribute.name.clone(), value);
                    }
                }
                Some(Value::Object(inner)) => {
                    self.complete(inner, &attribute.sub_attributes, Some(attribute))
                }
                Some(Value::Array(items)) => {
                    for item in items {
                        if let Value::Object(inner) = item {
                            self.complete(inner, &attribute.sub_attributes, Some(attribute));
                        }
                    }
                }
                _ => {}
            }
        }
    }

    /// A value for an attribute; `None` where none can be made up, such as a group's members.
    fn value(&self, attribute: &Attribute, parent: Option<&Attribute>) -> Option<Value> {
        let one = match attribute.kind {
            AttributeType::Complex => self.complex(attribute)?,
            AttributeType::Boolean => Value::from(!attribute.name.eq_ignore_ascii_case("primary")),
            AttributeType::Decimal => Value::from(1.5),
            AttributeType::Integer => Value::from(1),
            AttributeType::DateTime => Value::from("2024-01-01T00:00:00Z"),
            AttributeType::Binary => Value::from("c2NpbXNwZWM="),
            AttributeType::Reference => self.reference(attribute, parent)?,
            AttributeType::String => Value::from(self.text(attribute, parent)),
        };
        Some(if attribute.multi_valued { Value::from(vec![one]) } else { one })
    }

    fn complex(&self, attribute: &Attribute) -> Option<Value> {
        // Their values are ids of other resources, which cannot be made up.
        let refers =
            ["members", "manager", "groups"].iter().any(|name| attribute.name.eq_ignore_ascii_case(name));
        if refers {
            return None;
        }
        let mut members = Map::new();
        self.complete(&mut members, &attribute.sub_attributes, Some(attribute));
        if members.is_empty() {
            let likely = ["value", "formatted", "familyName", "givenName"];
            let wanted: Vec<&Attribute> = likely
                .iter()
                .filter_map(|name| attribute.sub_attribute(name))
                .filter(|sub| writable(sub))
                .collect();
            let any = attribute
                .sub_attributes
                .iter()
                .find(|sub| writable(sub) && sub.kind != AttributeType::Complex);
            for sub in if wanted.is_empty() { any.into_iter().collect() } else { wanted } {
                if let Some(value) = self.value(sub, Some(attribute)) {
                    members.insert(sub.name.clone(), value);
                }
            }
        }
        if attribute.multi_valued
            && let Some(kind) = attribute.sub_attribute("type")
            && key(&members, "type").is_none()
            && let Some(first) = kind.canonical_values.first()
        {
            members.insert(kind.name.clone(), Value::from(first.clone()));
        }
        (!members.is_empty()).then_some(Value::Object(members))
    }

    fn reference(&self, attribute: &Attribute, parent: Option<&Attribute>) -> Option<Value> {
        let any =
            |wanted: &str| attribute.reference_types.iter().any(|kind| kind.eq_ignore_ascii_case(wanted));
        if attribute.reference_types.is_empty() || any("external") || any("uri") {
            let word = self.text(attribute, parent);
            return Some(Value::from(format!("https://example.com/{}", word.replace([' ', '@'], "-"))));
        }
        None
    }

    fn text(&self, attribute: &Attribute, parent: Option<&Attribute>) -> String {
        let fresh = |kind| self.generator.value(kind);
        let marked = || format!("{}{}", self.generator.mark(), fresh(FreshKind::Word));
        if let Some(first) = attribute.canonical_values.first()
            && attribute.uniqueness == Uniqueness::None
        {
            return first.clone();
        }
        let name = attribute.name.to_ascii_lowercase();
        let around = parent.map(|parent| parent.name.to_ascii_lowercase()).unwrap_or_default();
        // A `value` or `display` means what its attribute means.
        let about =
            if matches!(name.as_str(), "value" | "display") { around.as_str() } else { name.as_str() };
        match about {
            "username" => fresh(FreshKind::UserName),
            "displayname" if self.group => fresh(FreshKind::DisplayName),
            "displayname" | "formatted" => {
                format!("{} {}", fresh(FreshKind::GivenName), fresh(FreshKind::FamilyName))
            }
            "givenname" | "firstname" | "nickname" => fresh(FreshKind::GivenName),
            "familyname" | "lastname" => fresh(FreshKind::FamilyName),
            "externalid" => fresh(FreshKind::ExternalId),
            "password" => fresh(FreshKind::Password),
            "locale" => "en-US".to_owned(),
            "preferredlanguage" => "en".to_owned(),
            "timezone" => "Europe/Berlin".to_owned(),
            "country" => "US".to_owned(),
            "region" => "CA".to_owned(),
            "locality" => "Hollywood".to_owned(),
            "postalcode" => "91608".to_owned(),
            "streetaddress" => "100 Universal City Plaza".to_owned(),
            "type" => "work".to_owned(),
            _ if about.contains("email") || about == "mail" => fresh(FreshKind::Email),
            _ if about.contains("phone") || about.contains("mobile") || about.contains("fax") => {
                "+1-201-555-0123".to_owned()
            }
            _ if about.contains("url") || about.contains("uri") || about == "photos" => {
                format!("https://example.com/{}", marked())
            }
            _ => marked(),
        }
    }
}

fn writable(attribute: &Attribute) -> bool {
    let common = ["id", "meta", "schemas"].iter().any(|name| attribute.name.eq_ignore_ascii_case(name));
    attribute.mutability != Mutability::ReadOnly && !common
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scim::names;
    use crate::scim::schema::SchemaSet;
    use crate::suite::fresh::Patterns;
    use serde_json::json;

    fn generator() -> Generator {
        Generator::new("s0123abcd", 7, Patterns::default())
    }

    /// A definition of User whose schema demands this, too.
    fn demanding(attributes: Value, extension: Option<Value>) -> ResourceDefinition {
        let mut schemas = vec![json!({"id": names::USER, "name": "User", "attributes": attributes})];
        let mut extensions = Vec::new();
        if let Some((attributes, required)) =
            extension.map(|it| (it["attributes"].clone(), it["required"].clone()))
        {
            schemas.push(json!({"id": "urn:acme:User", "name": "Acme", "attributes": attributes}));
            extensions.push(json!({"schema": "urn:acme:User", "required": required}));
        }
        let types = json!({"schemas": [names::LIST_RESPONSE], "totalResults": 1, "Resources": [
            {"name": "User", "endpoint": "/Users", "schema": names::USER, "schemaExtensions": extensions}]});
        let schemas = json!({"schemas": [names::LIST_RESPONSE], "totalResults": 1, "Resources": schemas});
        SchemaSet::from_discovery(Some(&schemas), Some(&types)).value.unwrap().definition("User").unwrap()
    }

    fn required(name: &str, kind: &str) -> Value {
        json!({"name": name, "type": kind, "required": true, "mutability": "readWrite"})
    }

    #[test]
    fn core_users_need_nothing_but_a_user_name() {
        let definition = SchemaSet::core().definition("User").unwrap();
        let whole = json!({"schemas": [names::USER], "userName": "ann"});
        assert_eq!(fill(whole.clone(), &definition, &Value::Null, &generator()), whole);
        let filled = fill(json!({"schemas": [names::USER]}), &definition, &Value::Null, &generator());
        assert!(filled["userName"].as_str().unwrap().contains("s0123abcd"), "{filled}");
    }

    #[test]
    fn required_attributes_are_filled_by_type_and_name() {
        let mut unique = required("badge", "string");
        unique["uniqueness"] = json!("server");
        let mut choice = required("userType", "string");
        choice["canonicalValues"] = json!(["Contractor", "Employee"]);
        let mut read_only = required("score", "integer");
        read_only["mutability"] = json!("readOnly");
        let mut emails = required("emails", "complex");
        emails["multiValued"] = json!(true);
        emails["subAttributes"] = json!([
            {"name": "value", "type": "string"},
            {"name": "type", "type": "string", "canonicalValues": ["work", "home"]}]);
        let mut name = required("name", "complex");
        name["subAttributes"] =
            json!([required("formatted", "string"), {"name": "givenName", "type": "string"}]);
        let definition = demanding(
            json!([
                required("displayName", "string"),
                required("active", "boolean"),
                required("level", "integer"),
                required("since", "dateTime"),
                required("profileUrl", "reference"),
                unique,
                choice,
                read_only,
                emails,
                name
            ]),
            None,
        );
        let filled = fill(json!({"userName": "ann"}), &definition, &Value::Null, &generator());
        assert!(filled["displayName"].is_string());
        assert_eq!(filled["active"], true);
        assert!(filled["level"].is_i64());
        assert!(filled["since"].as_str().unwrap().ends_with('Z'));
        assert!(filled["profileUrl"].as_str().unwrap().starts_with("https://example.com/"));
        assert!(filled["badge"].as_str().unwrap().contains("s0123abcd"));
        assert_eq!(filled["userType"], "Contractor");
        assert_eq!(filled.get("score"), None);
        assert!(filled["emails"][0]["value"].as_str().unwrap().ends_with("@example.com"));
        assert_eq!(filled["emails"][0]["type"], "work");
        assert!(filled["name"]["formatted"].is_string());
        assert_eq!(filled["name"].get("givenName"), None, "only what is required");
    }

    #[test]
    fn what_the_case_sets_stays() {
        let mut name = required("name", "complex");
        name["subAttributes"] = json!([required("formatted", "string"), required("familyName", "string")]);
        let definition = demanding(json!([required("displayName", "string"), name]), None);
        let set = json!({"DISPLAYNAME": null, "name": {"familyName": "Lee"}});
        let filled =
            fill(set, &definition, &json!({"displayName": "X", "name": {"familyName": "Y"}}), &generator());
        assert_eq!(filled["DISPLAYNAME"], Value::Null);
        assert_eq!(filled.get("displayName"), None);
        assert_eq!(filled["name"]["familyName"], "Lee");
        assert!(filled["name"]["formatted"].is_string(), "completed by sub-attribute");
    }

    #[test]
    fn the_template_goes_under_and_its_words_are_new() {
        let definition = SchemaSet::core().definition("User").unwrap();
        let template = json!({
            "userName": "never", "title": "Tester", "nickName": "n-{{unique}}",
            "name": {"givenName": "T", "middleName": "M"}, "emails": [{"value": "{{unique}}@acme.test"}]});
        let filled = fill(
            json!({"userName": "ann", "name": {"givenName": "Ann"}}),
            &definition,
            &template,
            &generator(),
        );
        assert_eq!(filled["userName"], "ann");
        assert_eq!(filled["title"], "Tester");
        assert_eq!(filled["name"], json!({"givenName": "Ann", "middleName": "M"}));
        let mail = filled["emails"][0]["value"].as_str().unwrap();
        assert!(mail.starts_with("s0123abcd") && mail.ends_with("@acme.test"), "{mail}");
        assert_eq!(filled["nickName"].as_str().unwrap(), format!("n-{}", mail.split('@').next().unwrap()));
    }

    #[test]
    fn a_required_extension_is_added_and_declared_an_optional_one_completed() {
        let extension =
            |needed: bool| json!({"required": needed, "attributes": [required("tenant", "string")]});
        let resource = json!({"schemas": [names::USER], "userName": "ann"});
        let definition = demanding(json!([]), Some(extension(true)));
        let filled = fill(resource.clone(), &definition, &Value::Null, &generator());
        assert!(filled["urn:acme:User"]["tenant"].is_string());
        assert_eq!(filled["schemas"], json!([names::USER, "urn:acme:User"]));

        let definition = demanding(json!([]), Some(extension(false)));
        assert_eq!(fill(resource.clone(), &definition, &Value::Null, &generator()), resource);
        let mut with = resource;
        with["urn:acme:User"] = json!({"other": 1});
        assert!(fill(with, &definition, &Value::Null, &generator())["urn:acme:User"]["tenant"].is_string());
    }

    #[test]
    fn members_are_not_made_up_and_no_object_is_left_alone() {
        let mut members = required("members", "complex");
        members["multiValued"] = json!(true);
        members["subAttributes"] = json!([{"name": "value", "type": "string"}]);
        let definition = demanding(json!([members]), None);
        assert_eq!(fill(json!({}), &definition, &Value::Null, &generator()), json!({}));
        assert_eq!(fill(json!("text"), &definition, &Value::Null, &generator()), json!("text"));
    }
}
