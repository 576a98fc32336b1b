//! The indexes that make a comparison by `eq` cheap however large the directory: for chosen attributes of each
//! resource type, from a value to the places of the records that have it. An index finds every record that matches,
//! and may find more; whether one matches is for its [predicate](super::predicate) to say.

use std::collections::HashMap;
use std::sync::Arc;

use serde_json::{Map, Value};

use super::endpoint::Kind;
use crate::scim::definition::ResourceDefinition;
use crate::scim::resource::{elements, get, member};
use crate::scim::schema::{Attribute, AttributeType, Mutability, Uniqueness};
use crate::scim::text;

/// Top-level attributes that clients look resources up by, although nothing makes them unique.
const LOOKED_UP: [&str; 2] = ["externalId", "displayName"];

/// An attribute, in the spelling of its schema, as an index knows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Column<'a> {
    /// The URI of the extension that declares it.
    pub extension: Option<&'a str>,
    pub name: &'a str,
    pub sub: Option<&'a str>,
    /// Whether case matters.
    pub exact: bool,
}

#[derive(Debug)]
struct IndexedAttribute {
    kind: Kind,
    extension: Option<String>,
    name: String,
    sub: Option<String>,
    exact: bool,
}

impl IndexedAttribute {
    fn column(&self) -> Column<'_> {
        Column {
            extension: self.extension.as_deref(),
            name: &self.name,
            sub: self.sub.as_deref(),
            exact: self.exact,
        }
    }

    /// The texts that a record has there, as they are compared, each once.
    fn texts(&self, attributes: &Map<String, Value>) -> Vec<String> {
        let value = match &self.extension {
            None => member(attributes, &self.name),
            Some(urn) => member(attributes, urn).and_then(|container| get(container, &self.name)),
        };
        let mut texts = Vec::new();
        for element in value.map(elements).unwrap_or_default() {
            // A bare element may count for its own `value`: better one record too many than one too few.
            let value = match &self.sub {
                Some(sub) => get(element, sub).unwrap_or(element),
                None => element,
            };
            for text in elements(value).iter().filter_map(Value::as_str) {
                texts.push(text::comparable(text, self.exact).into_owned());
            }
        }
        texts.sort_unstable();
        texts.dedup();
        texts
    }
}

/// Which attributes of a server's resource types have an index: those with unique values, and those that clients
/// look resources up by.
#[derive(Debug, Default)]
pub(crate) struct IndexedAttributes {
    attributes: Vec<IndexedAttribute>,
}

impl IndexedAttributes {
    /// The indexed attributes of these types. Ids and user names are not among them: the store finds them itself.
    pub(crate) fn of<'a>(types: impl IntoIterator<Item = (Kind, &'a ResourceDefinition)>) -> Self {
        let mut all = Self::default();
        for (kind, definition) in types {
            for attribute in definition.top_attributes() {
                if kind == Kind::User && attribute.name == "userName" {
                    continue;
                }
                all.take(kind, None, attribute, LOOKED_UP.contains(&attribute.name.as_str()));
            }
            for extension in &definition.extensions {
                for attribute in &extension.schema.attributes {
                    all.take(kind, Some(&extension.schema.id), attribute, false);
                }
            }
        }
        all
    }

    fn take(&mut self, kind: Kind, extension: Option<&str>, attribute: &Attribute, looked_up: bool) {
        let mut push = |leaf: &Attribute, sub: Option<&str>, looked_up: bool| {
            let is_text = matches!(leaf.kind, AttributeType::String | AttributeType::Reference);
            let is_stored = leaf.mutability != Mutability::ReadOnly;
            if is_text && is_stored && (looked_up || leaf.uniqueness != Uniqueness::None) {
                self.attributes.push(IndexedAttribute {
                    kind,
                    extension: extension.map(str::to_owned),
                    name: attribute.name.clone(),
                    sub: sub.map(str::to_owned),
                    exact: leaf.compares_exactly(),
                });
            }
        };
        push(attribute, None, looked_up);
        for sub in &attribute.sub_attributes {
            let is_address = extension.is_none() && attribute.name == "emails" && sub.name == "value";
            push(sub, Some(&sub.name), is_address);
        }
    }
}

/// The indexes of one store.
#[derive(Debug, Clone, Default)]
pub(crate) struct Indexes {
    attributes: Arc<IndexedAttributes>,
    /// Of each indexed attribute, from a text to the places of the records that have it, in order.
    places: Vec<HashMap<String, Vec<u64>>>,
}

impl Indexes {
    pub(crate) fn new(attributes: Arc<IndexedAttributes>) -> Self {
        let places = attributes.attributes.iter().map(|_| HashMap::new()).collect();
        Self { attributes, places }
    }

    /// The places of the records of a type that have a text in a column, if that is indexed.
    pub(crate) fn find(&self, kind: Kind, column: &Column<'_>, text: &str) -> Option<&[u64]> {
        let mut all = self.attributes.attributes.iter().zip(&self.places);
        let (_, places) = all.find(|(it, _)| it.kind == kind && it.column() == *column)?;
        Some(places.get(text).map(Vec::as_slice).unwrap_or_default())
    }

    /// Follows a write: what the record at a place had, and what it has.
    pub(crate) fn change(
        &mut self,
        place: u64,
        kind: Kind,
        before: Option<&Map<String, Value>>,
        after: Option<&Map<String, Value>>,
    ) {
        for (attribute, index) in self.attributes.attributes.iter().zip(&mut self.places) {
            if attribute.kind != kind {
                continue;
            }
            let texts = |attributes: Option<&Map<String, Value>>| {
                attributes.map(|attributes| attribute.texts(attributes)).unwrap_or_default()
            };
            let (before, after) = (texts(before), texts(after));
            for text in before.iter().filter(|text| after.binary_search(text).is_err()) {
                take_out(index, text, place);
            }
            for text in after.into_iter().filter(|text| before.binary_search(text).is_err()) {
                let places = index.entry(text).or_default();
                if let Err(at) = places.binary_search(&place) {
                    places.insert(at, place);
                }
            }
        }
    }
}

fn take_out(index: &mut HashMap<String, Vec<u64>>, text: &str, place: u64) {
    let Some(places) = index.get_mut(text) else { return };
    if let Ok(at) = places.binary_search(&place) {
        places.remove(at);
    }
    if places.is_empty() {
        index.remove(text);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scim::schema::SchemaSet;
    use serde_json::json;

    const EMAIL: Column<'_> = Column { extension: None, name: "emails", sub: Some("value"), exact: false };
    const EXTERNAL_ID: Column<'_> = Column { extension: None, name: "externalId", sub: None, exact: true };

    #[test]
    fn values_are_found_as_they_compare_and_follow_changes() {
        let definition = SchemaSet::core().definition("User").unwrap();
        let mut indexes = Indexes::new(Arc::new(IndexedAttributes::of([(Kind::User, &definition)])));
        let one =
            json!({"externalId": "E1", "emails": [{"value": "A@x"}, {"value": "b@x"}, {"value": "a@X"}]});
        let other = json!({"externalId": "E1", "emails": [{"value": "b@X"}, {"value": "c@x"}]});
        indexes.change(7, Kind::User, None, one.as_object());
        assert_eq!(indexes.find(Kind::User, &EMAIL, "a@x"), Some([7].as_slice()));
        assert_eq!(indexes.find(Kind::User, &EXTERNAL_ID, "E1"), Some([7].as_slice()));
        assert_eq!(indexes.find(Kind::User, &EXTERNAL_ID, "e1"), Some([].as_slice()));
        assert_eq!(indexes.find(Kind::Group, &EXTERNAL_ID, "E1"), None);
        indexes.change(3, Kind::User, None, other.as_object());
        assert_eq!(indexes.find(Kind::User, &EMAIL, "b@x"), Some([3, 7].as_slice()));
        indexes.change(7, Kind::User, one.as_object(), other.as_object());
        assert_eq!(indexes.find(Kind::User, &EMAIL, "a@x"), Some([].as_slice()));
        assert_eq!(indexes.find(Kind::User, &EMAIL, "c@x"), Some([3, 7].as_slice()));
        indexes.change(7, Kind::User, other.as_object(), None);
        indexes.change(3, Kind::User, other.as_object(), None);
        assert!(indexes.places.iter().all(HashMap::is_empty));
    }

    #[test]
    fn what_is_unique_or_looked_up_is_indexed() {
        let set = SchemaSet::core();
        let (user, group) = (set.definition("User").unwrap(), set.definition("Group").unwrap());
        let indexed = IndexedAttributes::of([(Kind::User, &user), (Kind::Group, &group)]);
        let names: Vec<(Kind, &str)> =
            indexed.attributes.iter().map(|it| (it.kind, it.name.as_str())).collect();
        assert_eq!(
            names,
            [
                (Kind::User, "externalId"),
                (Kind::User, "displayName"),
                (Kind::User, "emails"),
                (Kind::Group, "externalId"),
                (Kind::Group, "displayName"),
            ]
        );
    }
}
