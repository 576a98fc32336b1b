//! `attributes` and `excludedAttributes` (RFC 7644 §3.9) on top of the `returned` characteristic (RFC 7643 §7).

use serde_json::{Map, Value};

use super::definition::{Resolved, ResourceDefinition, sub_attribute};
use super::error::ScimError;
use super::path::AttributePath;
use super::resource::is_unassigned;
use super::schema::{Attribute, AttributeType, Returned, Schema};

/// Which attributes a client asked for.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Projection {
    /// Nothing was asked: what is returned by default.
    #[default]
    Default,
    /// `attributes`: the minimum set and these.
    Only(Vec<AttributePath>),
    /// `excludedAttributes`: the default set without these.
    Without(Vec<AttributePath>),
}

impl Projection {
    /// Reads the two parameters of a query, each a comma-separated list in attribute notation. An empty
    /// parameter counts as absent. A malformed name is ignored, as one that is not defined is.
    ///
    /// # Errors
    /// 400 invalidValue if both are given: they exclude each other.
    pub fn parse(attributes: Option<&str>, excluded: Option<&str>) -> Result<Projection, ScimError> {
        let names = |list: Option<&str>| -> Vec<String> {
            list.unwrap_or_default()
                .split(',')
                .map(|it| it.trim().to_owned())
                .filter(|it| !it.is_empty())
                .collect()
        };
        Projection::from_names(&names(attributes), &names(excluded))
    }

    /// Reads the two members of a SearchRequest. An empty list counts as absent.
    ///
    /// # Errors
    /// As [`parse`](Self::parse).
    pub fn from_names(attributes: &[String], excluded: &[String]) -> Result<Projection, ScimError> {
        let paths =
            |names: &[String]| names.iter().filter_map(|name| AttributePath::parse(name).ok()).collect();
        match (attributes.is_empty(), excluded.is_empty()) {
            (true, true) => Ok(Projection::Default),
            (false, true) => Ok(Projection::Only(paths(attributes))),
            (true, false) => Ok(Projection::Without(paths(excluded))),
            (false, false) => {
                Err(ScimError::invalid_value("attributes and excludedAttributes cannot be given together"))
            }
        }
    }

    /// The part of a resource that was asked for. What becomes empty is left out.
    pub fn apply(&self, resource: &Value, definition: &ResourceDefinition) -> Value {
        let Some(members) = resource.as_object() else { return resource.clone() };
        let mut projected = Map::new();
        for (name, value) in members {
            let kept = if let Some(attribute) = definition.top_attribute(name) {
                self.attribute(value, attribute, None, definition)
            } else if let Some(extension) = definition.extension(name) {
                self.container(value, &extension.schema, definition)
            } else {
                self.unknown(value, name)
            };
            if let Some(kept) = kept {
                projected.insert(name.clone(), kept);
            }
        }
        Value::Object(projected)
    }

    fn container(&self, value: &Value, schema: &Schema, definition: &ResourceDefinition) -> Option<Value> {
        let members = value.as_object()?;
        let mut projected = Map::new();
        for (name, value) in members {
            let kept = match schema.attribute(name) {
                Some(attribute) => self.attribute(value, attribute, Some(schema), definition),
                None => self.unknown(value, &format!("{}:{name}", schema.id)),
            };
            if let Some(kept) = kept {
                projected.insert(name.clone(), kept);
            }
        }
        (!projected.is_empty()).then_some(Value::Object(projected))
    }

    fn attribute(
        &self,
        value: &Value,
        attribute: &Attribute,
        extension: Option<&Schema>,
        definition: &ResourceDefinition,
    ) -> Option<Value> {
        let mention = self.mention(attribute, extension, definition);
        let is_kept = match (attribute.returned, self) {
            (Returned::Never, _) => false,
            (Returned::Always, _) => true,
            (_, Projection::Only(_)) => mention.is_whole || !mention.subs.is_empty(),
            (Returned::Request, _) => false,
            (Returned::Default, Projection::Without(_)) => !mention.is_whole,
            (Returned::Default, Projection::Default) => true,
        };
        if !is_kept {
            return None;
        }
        if attribute.kind != AttributeType::Complex {
            return Some(value.clone());
        }
        let is_named = |sub: &Attribute| mention.subs.iter().any(|it| it.eq_ignore_ascii_case(&sub.name));
        let keeps = |name: &str| match sub_attribute(attribute, name) {
            None => !matches!(self, Projection::Only(_)) || mention.is_whole,
            Some(sub) => match (sub.returned, self) {
                (Returned::Never, _) => false,
                (Returned::Always, _) => true,
                (Returned::Request, Projection::Only(_)) => is_named(sub),
                (Returned::Request, _) => false,
                // Of an attribute that is always returned, nothing is lost because nobody asked for it.
                (Returned::Default, Projection::Only(_)) => {
                    mention.is_whole || is_named(sub) || mention.subs.is_empty()
                }
                (Returned::Default, Projection::Without(_)) => !is_named(sub),
                (Returned::Default, Projection::Default) => true,
            },
        };
        let project = |value: &Value| match value {
            Value::Object(members) => {
                let kept = members.iter().filter(|(name, _)| keeps(name));
                Value::Object(kept.map(|(name, value)| (name.clone(), value.clone())).collect())
            }
            other => other.clone(),
        };
        let projected = match value {
            Value::Array(list) => {
                Value::Array(list.iter().map(project).filter(|it| !is_unassigned(it)).collect())
            }
            other => project(other),
        };
        let has_vanished = is_unassigned(&projected) && !is_unassigned(value);
        (!has_vanished).then_some(projected)
    }

    /// What is not defined is returned by default, and can be asked for by its name.
    fn unknown(&self, value: &Value, name: &str) -> Option<Value> {
        let is_named =
            |paths: &[AttributePath]| paths.iter().any(|it| it.to_string().eq_ignore_ascii_case(name));
        let is_kept = match self {
            Projection::Default => true,
            Projection::Only(paths) => is_named(paths),
            Projection::Without(paths) => !is_named(paths),
        };
        is_kept.then(|| value.clone())
    }

    /// How the parameter speaks of an attribute.
    fn mention(
        &self,
        attribute: &Attribute,
        extension: Option<&Schema>,
        definition: &ResourceDefinition,
    ) -> Mention {
        let paths = match self {
            Projection::Default => return Mention::default(),
            Projection::Only(paths) | Projection::Without(paths) => paths,
        };
        let is_same_schema = |left: Option<&Schema>, right: Option<&Schema>| match (left, right) {
            (None, None) => true,
            (Some(left), Some(right)) => left.id.eq_ignore_ascii_case(&right.id),
            _ => false,
        };
        let mut mention = Mention::default();
        for path in paths {
            match definition.resolve(path) {
                Some(Resolved::Attribute { attribute: named, sub, extension: of })
                    if named.name == attribute.name && is_same_schema(of, extension) =>
                {
                    match sub {
                        None => mention.is_whole = true,
                        Some(sub) => mention.subs.push(sub.name.clone()),
                    }
                }
                Some(Resolved::Extension(schema)) if is_same_schema(Some(schema), extension) => {
                    mention.is_whole = true;
                }
                Some(Resolved::Resource(schema))
                    if extension.is_none() && schema.attribute(&attribute.name).is_some() =>
                {
                    mention.is_whole = true;
                }
                _ => {}
            }
        }
        mention
    }
}

#[derive(Default)]
struct Mention {
    is_whole: bool,
    subs: Vec<String>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scim::names;
    use crate::scim::schema::SchemaSet;
    use serde_json::json;

    fn resource() -> Value {
        json!({
            "schemas": [names::USER, names::ENTERPRISE_USER], "id": "1", "userName": "a", "password": "secret",
            "name": {"givenName": "A", "familyName": "B"},
            "emails": [{"value": "a", "type": "work"}, {"value": "b"}],
            names::ENTERPRISE_USER: {"department": "d", "manager": {"value": "2", "displayName": "M"}},
            "meta": {"resourceType": "User"}
        })
    }

    fn members(attributes: Option<&str>, excluded: Option<&str>) -> Value {
        let definition = SchemaSet::core().definition("User").unwrap();
        let mut projected = Projection::parse(attributes, excluded).unwrap().apply(&resource(), &definition);
        let object = projected.as_object_mut().unwrap();
        assert!(object.shift_remove("schemas").is_some() && object.shift_remove("id").is_some());
        projected
    }

    #[test]
    fn by_default_only_what_is_never_returned_is_missing() {
        let mut expected = resource();
        for name in ["schemas", "id", "password"] {
            expected.as_object_mut().unwrap().shift_remove(name);
        }
        assert_eq!(members(None, None), expected);
        assert_eq!(members(Some(""), None), expected);
    }

    #[test]
    fn attributes_select() {
        assert_eq!(members(Some("USERNAME,nothing,pass word,password"), None), json!({"userName": "a"}));
        assert_eq!(
            members(Some("name.givenName, emails.type"), None),
            json!({
                "name": {"givenName": "A"}, "emails": [{"type": "work"}]
            })
        );
        let department = format!("{}:department", names::ENTERPRISE_USER);
        assert_eq!(members(Some(&department), None), json!({names::ENTERPRISE_USER: {"department": "d"}}));
        let manager = format!("{}:manager.value", names::ENTERPRISE_USER);
        assert_eq!(
            members(Some(&manager), None),
            json!({names::ENTERPRISE_USER: {"manager": {"value": "2"}}})
        );
        assert_eq!(members(Some(names::ENTERPRISE_USER), None).as_object().unwrap().len(), 1);
        assert_eq!(members(Some("phoneNumbers"), None), json!({}));
    }

    #[test]
    fn excluded_attributes_select_the_rest() {
        let list = format!("id,schemas,meta,name.givenName,emails,userName,{}", names::ENTERPRISE_USER);
        assert_eq!(members(None, Some(&list)), json!({"name": {"familyName": "B"}}));
        assert_eq!(members(None, Some("name.givenName,name.familyName")).get("name"), None);
    }

    #[test]
    fn both_together_are_refused() {
        assert_eq!(Projection::parse(Some("id"), Some("name")).unwrap_err().status, 400);
    }
}
