//! The order of a query's rows: by `sortBy` and `sortOrder` where the client gives them, else by creation. Rows that
//! `sortBy` does not tell apart stand in the order of their creation, so that no two rows have the same position, and
//! a page can begin where another ended although resources were added or deleted in between.

use std::cmp::Ordering;

use serde_json::Value;

use super::endpoint::Kind;
use super::represent::{Representer, in_milliseconds};
use super::store::Record;
use crate::scim::definition::{Resolved, ResourceDefinition};
use crate::scim::path::AttributePath;
use crate::scim::schema::{Attribute, Schema};
use crate::scim::sort::{self, SortKey};

/// Where a row stands.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Position {
    /// Missing for all rows if nothing is sorted by.
    pub key: SortKey,
    /// The place of the record in the order of creation.
    pub place: u64,
}

/// What the rows of one query are ordered by.
pub(crate) struct Order<'a> {
    by: Option<By<'a>>,
    descending: bool,
    /// Whether what has no value stands below what has one.
    missing_is_lowest: bool,
}

struct By<'a> {
    path: &'a AttributePath,
    /// What the path names in each type.
    attributes: Vec<(Kind, Option<SortedAttribute<'a>>)>,
}

#[derive(Clone, Copy)]
struct SortedAttribute<'a> {
    attribute: &'a Attribute,
    sub: Option<&'a Attribute>,
    extension: Option<&'a Schema>,
}

impl<'a> Order<'a> {
    /// The order of creation.
    pub(crate) const CREATION: Order<'static> =
        Order { by: None, descending: false, missing_is_lowest: false };

    /// The order by an attribute of resources of these types. Where it is not defined, nothing has a value.
    pub(crate) fn by(
        path: &'a AttributePath,
        descending: bool,
        types: impl IntoIterator<Item = (Kind, &'a ResourceDefinition)>,
    ) -> Self {
        let attributes = types.into_iter().map(|(kind, definition)| {
            let sorted = match definition.resolve(path) {
                Some(Resolved::Attribute { attribute, sub, extension }) => {
                    Some(SortedAttribute { attribute, sub, extension })
                }
                _ => None,
            };
            (kind, sorted)
        });
        let by = By { path, attributes: attributes.collect() };
        Self { by: Some(by), descending, missing_is_lowest: false }
    }

    /// This order with rows without a value at the lower end, instead of the upper one.
    pub(crate) fn with_missing_lowest(self, missing_is_lowest: bool) -> Self {
        Self { missing_is_lowest, ..self }
    }

    /// Whether it is the order of creation.
    pub(crate) fn is_by_creation(&self) -> bool {
        self.by.is_none()
    }

    /// What a record is sorted by.
    pub(crate) fn key(&self, record: &Record, representer: &Representer<'_>) -> SortKey {
        let Some(by) = &self.by else { return SortKey::Missing };
        let sorted = by.attributes.iter().find(|(kind, _)| *kind == record.kind);
        let Some((_, Some(SortedAttribute { attribute, sub, extension }))) = sorted else {
            return SortKey::Missing;
        };
        let value = match (extension, attribute.name.as_str(), sub) {
            (None, "meta", Some(sub)) => {
                return match sub.name.as_str() {
                    "created" => SortKey::Instant(in_milliseconds(record.created)),
                    "lastModified" => SortKey::Instant(in_milliseconds(record.last_modified)),
                    name => match representer.meta_member(record, name) {
                        Some(value) => sort::key_of(&value, sub),
                        None => SortKey::Missing,
                    },
                };
            }
            (None, name, _) => representer.member(record, name),
            (Some(schema), name, _) => representer.extension_member(record, &schema.id, name),
        };
        value.map_or(SortKey::Missing, |value| sort::key_in(&value, attribute, *sub))
    }

    /// What a row that is a resource already is sorted by.
    pub(crate) fn key_of_resource(&self, resource: &Value, definition: &ResourceDefinition) -> SortKey {
        match &self.by {
            Some(by) => sort::key(resource, by.path, definition),
            None => SortKey::Missing,
        }
    }

    /// How two rows stand to each other.
    pub(crate) fn compare(&self, left: &Position, right: &Position) -> Ordering {
        let is_lowest = |key: &SortKey| self.missing_is_lowest && *key == SortKey::Missing;
        let ends = is_lowest(&right.key).cmp(&is_lowest(&left.key));
        let keys = ends.then_with(|| left.key.order(&right.key));
        let keys = if self.descending { keys.reverse() } else { keys };
        keys.then(left.place.cmp(&right.place))
    }
}
