//! Values that no two resources of a type may share: those of attributes that a schema file declares unique
//! (`uniqueness`, RFC 7643 §7). `server` and `global` come to the same here: one tenant of one server. User names
//! are the store's own index; ids are never a client's to give.

use std::collections::{BTreeSet, HashMap};

use serde_json::{Map, Value};

use super::kind::Kind;
use crate::scim::definition::ResourceDefinition;
use crate::scim::resource::{elements, is_unassigned};
use crate::scim::schema::{Attribute, AttributeType, Mutability, Uniqueness};
use crate::scim::text::fold_case;

/// An attribute, or a sub-attribute, with unique values.
#[derive(Debug)]
struct UniqueAttribute {
    kind: Kind,
    /// The URI of the extension that declares it.
    extension: Option<String>,
    name: String,
    sub: Option<String>,
    exact: bool,
}

/// All unique attributes of a server's types.
#[derive(Debug, Default)]
pub(crate) struct UniqueAttributes {
    attributes: Vec<UniqueAttribute>,
}

/// A value of a unique attribute in the form in which it is compared.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct UniqueValue {
    attribute: usize,
    text: String,
}

impl UniqueAttributes {
    pub(crate) fn of<'a>(types: impl Iterator<Item = (Kind, &'a ResourceDefinition)>) -> Self {
        let mut all = Self::default();
        for (kind, definition) in types {
            for attribute in &definition.schema.attributes {
                if kind != Kind::User || attribute.name != "userName" {
                    all.take(kind, None, attribute);
                }
            }
            for extension in &definition.extensions {
                for attribute in &extension.schema.attributes {
                    all.take(kind, Some(&extension.schema.id), attribute);
                }
            }
        }
        all
    }

    fn take(&mut self, kind: Kind, extension: Option<&str>, attribute: &Attribute) {
        let mut push = |of: &Attribute, sub: Option<&str>| {
            let counts = of.uniqueness != Uniqueness::None && of.mutability != Mutability::ReadOnly;
            if counts && of.kind != AttributeType::Complex {
                self.attributes.push(UniqueAttribute {
                    kind,
                    extension: extension.map(str::to_owned),
                    name: attribute.name.clone(),
                    sub: sub.map(str::to_owned),
                    exact: of.compares_exactly(),
                });
            }
        };
        push(attribute, None);
        for sub in &attribute.sub_attributes {
            push(sub, Some(&sub.name));
        }
    }

    /// The unique values of a resource, as the store keeps it.
    pub(crate) fn values(&self, kind: Kind, resource: &Map<String, Value>) -> Vec<UniqueValue> {
        let mut values = Vec::new();
        for (index, attribute) in self.attributes.iter().enumerate() {
            if attribute.kind != kind {
                continue;
            }
            let container = match &attribute.extension {
                Some(urn) => resource.get(urn).and_then(Value::as_object),
                None => Some(resource),
            };
            let found = container.and_then(|container| container.get(&attribute.name));
            for element in found.map(elements).unwrap_or_default() {
                let value = match &attribute.sub {
                    Some(sub) => element.get(sub),
                    None => Some(element),
                };
                for value in value.map(elements).unwrap_or_default() {
                    if !is_unassigned(value) {
                        values
                            .push(UniqueValue { attribute: index, text: comparable(value, attribute.exact) });
                    }
                }
            }
        }
        values
    }

    /// The attribute of a value, in attribute notation.
    pub(crate) fn label(&self, value: &UniqueValue) -> String {
        let Some(attribute) = self.attributes.get(value.attribute) else { return String::new() };
        let mut label = attribute.extension.as_ref().map(|urn| format!("{urn}:")).unwrap_or_default();
        label.push_str(&attribute.name);
        if let Some(sub) = &attribute.sub {
            label.push('.');
            label.push_str(sub);
        }
        label
    }
}

/// A value as text that is equal if the values are.
fn comparable(value: &Value, exact: bool) -> String {
    match value {
        Value::String(text) if exact => text.clone(),
        Value::String(text) => fold_case(text).into_owned(),
        // 1 and 1.0 are one number.
        Value::Number(number) if number.is_f64() => number.as_f64().unwrap_or_default().to_string(),
        other => other.to_string(),
    }
}

/// Which places of the store have which unique values.
#[derive(Debug, Clone, Default)]
pub(crate) struct UniqueIndex {
    places: HashMap<UniqueValue, BTreeSet<u64>>,
}

impl UniqueIndex {
    pub(crate) fn add(&mut self, values: Vec<UniqueValue>, place: u64) {
        for value in values {
            self.places.entry(value).or_default().insert(place);
        }
    }

    pub(crate) fn take_out(&mut self, values: &[UniqueValue], place: u64) {
        for value in values {
            if let Some(places) = self.places.get_mut(value) {
                places.remove(&place);
                if places.is_empty() {
                    self.places.remove(value);
                }
            }
        }
    }

    /// Whether another place than this one has a value.
    pub(crate) fn is_taken(&self, value: &UniqueValue, except: Option<u64>) -> bool {
        self.places.get(value).is_some_and(|places| places.iter().any(|place| Some(*place) != except))
    }
}
