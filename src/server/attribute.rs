//! The attributes of User, EnterpriseUser and Group: which there are, and where a resource, a path and a schema have
//! them. What a family of faults is about. All of it follows from the core schemas; refuses to know what is done to an
//! attribute.

use serde_json::{Map, Value};

use super::kind::Kind;
use crate::scim::definition::{Resolved, ResourceDefinition};
use crate::scim::names;
use crate::scim::path::AttributePath;
use crate::scim::schema::{Attribute, AttributeType, Mutability, Schema, SchemaSet};

/// An attribute or sub-attribute of a core schema.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct CoreAttribute {
    /// The schema's name without blanks, and the path in it: `User.name.givenName`, `EnterpriseUser.department`.
    pub name: String,
    pub schema: &'static Schema,
    pub attribute: &'static Attribute,
    /// The sub-attribute of `attribute` that it is, if it is one.
    pub sub: Option<&'static Attribute>,
}

impl CoreAttribute {
    /// All attributes, each before its sub-attributes.
    pub(crate) fn all() -> Vec<Self> {
        let schemas = [names::USER, names::ENTERPRISE_USER, names::GROUP];
        let schemas = schemas.into_iter().filter_map(|urn| SchemaSet::core().schema(urn));
        schemas
            .flat_map(|schema| schema.attributes.iter().flat_map(|it| Self::with_subs(schema, it)))
            .collect()
    }

    fn with_subs(schema: &'static Schema, attribute: &'static Attribute) -> Vec<Self> {
        let prefix = schema.name.replace(' ', "");
        let of = |sub: Option<&'static Attribute>| {
            let path =
                AttributePath { sub: sub.map(|sub| sub.name.clone()), ..AttributePath::of(&attribute.name) };
            Self { name: format!("{prefix}.{path}"), schema, attribute, sub }
        };
        std::iter::once(None).chain(attribute.sub_attributes.iter().map(Some)).map(of).collect()
    }

    /// The definition with the characteristics of the attribute itself.
    pub(crate) fn leaf(&self) -> &'static Attribute {
        self.sub.unwrap_or(self.attribute)
    }

    /// Whether a client writes it and reads it again.
    pub(crate) fn is_writable(&self) -> bool {
        let is_kept = |it: &Attribute| matches!(it.mutability, Mutability::ReadWrite | Mutability::Immutable);
        is_kept(self.attribute) && is_kept(self.leaf())
    }

    /// Whether a resource has at most one value of it: it is neither multi-valued nor part of what is.
    pub(crate) fn is_singular(&self) -> bool {
        !self.attribute.multi_valued && !self.leaf().multi_valued
    }

    /// Whether a resource has it at one place only: it is singular, or the whole of what is multi-valued.
    pub(crate) fn is_singular_or_whole(&self) -> bool {
        self.sub.is_none() || self.is_singular()
    }

    /// Whether it has a value of its own, and not only sub-attributes.
    pub(crate) fn is_simple(&self) -> bool {
        self.leaf().kind != AttributeType::Complex
    }

    /// The type of the resources that have it.
    pub(crate) fn kind(&self) -> Kind {
        if self.schema.id == names::GROUP { Kind::Group } else { Kind::User }
    }

    fn is_of_extension(&self) -> bool {
        self.schema.id == names::ENTERPRISE_USER
    }

    /// Whether a resource is of the type that has it.
    pub(crate) fn is_of(&self, resource: &Map<String, Value>) -> bool {
        let base = if self.kind() == Kind::Group { names::GROUP } else { names::USER };
        resource.get("schemas").and_then(Value::as_array).is_some_and(|all| all.iter().any(|urn| urn == base))
    }

    /// Calls `change` with each object of a resource that may have it as a member, and the member's name.
    pub(crate) fn each_holder(
        &self,
        resource: &mut Map<String, Value>,
        mut change: impl FnMut(&mut Map<String, Value>, &str),
    ) {
        let top = if self.is_of_extension() {
            resource.get_mut(&self.schema.id).and_then(Value::as_object_mut)
        } else {
            Some(resource)
        };
        let Some(top) = top else { return };
        let Some(sub) = self.sub else { return change(top, &self.attribute.name) };
        match top.get_mut(&self.attribute.name) {
            Some(Value::Object(holder)) => change(holder, &sub.name),
            Some(Value::Array(elements)) => {
                elements.iter_mut().filter_map(Value::as_object_mut).for_each(|it| change(it, &sub.name));
            }
            _ => {}
        }
    }

    /// Its value in a resource, where there can be but one.
    pub(crate) fn value<'a>(&self, resource: &'a Map<String, Value>) -> Option<&'a Value> {
        let top = if self.is_of_extension() {
            resource.get(&self.schema.id)?.get(&self.attribute.name)?
        } else {
            resource.get(&self.attribute.name)?
        };
        match self.sub {
            Some(sub) => top.get(&sub.name),
            None => Some(top),
        }
    }

    /// Gives it a value in a resource, or none. What it is part of is made if need be.
    pub(crate) fn set(&self, resource: &mut Map<String, Value>, value: Option<&Value>) {
        let empty = || Value::Object(Map::new());
        if value.is_some() {
            let mut place = &mut *resource;
            let parts = self.is_of_extension().then_some(&self.schema.id);
            for part in parts.into_iter().chain(self.sub.map(|_| &self.attribute.name)) {
                let Some(inner) = place.entry(part.clone()).or_insert_with(empty).as_object_mut() else {
                    return;
                };
                place = inner;
            }
        }
        self.each_holder(resource, |holder, name| match value {
            Some(value) => drop(holder.insert(name.to_owned(), value.clone())),
            None => drop(holder.shift_remove(name)),
        });
    }

    /// Whether a path names it, in a resource of this definition.
    pub(crate) fn is_named_by(&self, path: &AttributePath, definition: &ResourceDefinition) -> bool {
        let base = definition.schema.id.as_str();
        match definition.resolve(path) {
            Some(Resolved::Attribute { attribute, sub, extension }) => {
                extension.map_or(base, |schema| schema.id.as_str()) == self.schema.id
                    && attribute.name == self.attribute.name
                    && sub.map(|sub| &sub.name) == self.sub.map(|sub| &sub.name)
            }
            _ => false,
        }
    }

    /// Whether a list of paths, as in `attributes`, names it.
    pub(crate) fn is_in_list(&self, list: &str) -> bool {
        list.split(',').filter_map(|text| AttributePath::parse(text.trim()).ok()).any(|path| {
            let definition = SchemaSet::core().definition(self.kind().name());
            definition.is_some_and(|definition| self.is_named_by(&path, &definition))
        })
    }

    /// Its declaration in a schema, if this is the schema that declares it.
    pub(crate) fn declaration<'a>(
        &self,
        schema: &'a mut Map<String, Value>,
    ) -> Option<&'a mut Map<String, Value>> {
        if schema.get("id").and_then(Value::as_str) != Some(&self.schema.id) {
            return None;
        }
        let found = named(schema, "attributes", &self.attribute.name)?;
        match self.sub {
            Some(sub) => named(found, "subAttributes", &sub.name),
            None => Some(found),
        }
    }
}

fn named<'a>(
    holder: &'a mut Map<String, Value>,
    list: &str,
    name: &str,
) -> Option<&'a mut Map<String, Value>> {
    let elements = holder.get_mut(list)?.as_array_mut()?;
    elements
        .iter_mut()
        .filter_map(Value::as_object_mut)
        .find(|it| it.get("name").is_some_and(|it| it == name))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn attribute(name: &str) -> CoreAttribute {
        CoreAttribute::all().into_iter().find(|it| it.name == name).unwrap()
    }

    fn map(value: Value) -> Map<String, Value> {
        value.as_object().unwrap().clone()
    }

    #[test]
    fn all_attributes_have_a_name_of_their_own() {
        let all = CoreAttribute::all();
        let names: std::collections::BTreeSet<&str> = all.iter().map(|it| it.name.as_str()).collect();
        assert_eq!(names.len(), all.len());
        for name in
            ["User.userName", "User.name.givenName", "EnterpriseUser.manager.value", "Group.displayName"]
        {
            assert!(names.contains(name), "{name}");
        }
    }

    #[test]
    fn a_value_is_found_set_and_taken_away() {
        for (name, place) in [
            ("User.title", "/title"),
            ("User.name.givenName", "/name/givenName"),
            (
                "EnterpriseUser.manager.value",
                "/urn:ietf:params:scim:schemas:extension:enterprise:2.0:User/manager/value",
            ),
        ] {
            let (attribute, mut resource) = (attribute(name), Map::new());
            attribute.set(&mut resource, Some(&json!("x")));
            assert_eq!(attribute.value(&resource), Some(&json!("x")), "{name}");
            assert_eq!(Value::Object(resource.clone()).pointer(place), Some(&json!("x")), "{name}");
            attribute.set(&mut resource, None);
            assert_eq!(attribute.value(&resource), None, "{name}");
        }
        let mut resource = map(json!({"emails": [{"value": "a", "type": "b"}, {"type": "c"}]}));
        attribute("User.emails.type").set(&mut resource, None);
        assert_eq!(Value::Object(resource), json!({"emails": [{"value": "a"}, {}]}));
    }

    #[test]
    fn a_path_names_it_in_each_notation() {
        let given_name = attribute("User.name.givenName");
        assert!(given_name.is_in_list("title, NAME.givenname"));
        assert!(given_name.is_in_list("urn:ietf:params:scim:schemas:core:2.0:User:name.givenName"));
        assert!(!given_name.is_in_list("name"));
        assert!(!attribute("EnterpriseUser.department").is_in_list("department"));
        assert!(!attribute("Group.displayName").is_in_list("members"));
    }

    #[test]
    fn the_schema_that_declares_it_has_its_declaration() {
        let mut schema = map(SchemaSet::core().schema(names::USER).unwrap().to_json());
        let name = attribute("User.emails.value").declaration(&mut schema).unwrap()["name"].clone();
        assert_eq!(name, "value");
        assert!(attribute("Group.displayName").declaration(&mut schema).is_none());
    }
}
