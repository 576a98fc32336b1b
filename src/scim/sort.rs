//! `sortBy` and `sortOrder` (RFC 7644 §3.4.2.3).

use std::cmp::Ordering;

use chrono::{DateTime, Utc};
use serde_json::Value;

use super::datetime;
use super::definition::{Resolved, ResourceDefinition};
use super::path::AttributePath;
use super::resource::{elements, get};
use super::schema::{Attribute, AttributeType};
use super::text;

/// Which way a list is sorted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum SortOrder {
    /// What has no value stands last.
    #[default]
    Ascending,
    /// What has no value stands first.
    Descending,
}

impl SortOrder {
    /// The order that is written so, without regard to case.
    pub fn parse(text: &str) -> Option<SortOrder> {
        if text.eq_ignore_ascii_case("ascending") {
            Some(SortOrder::Ascending)
        } else if text.eq_ignore_ascii_case("descending") {
            Some(SortOrder::Descending)
        } else {
            None
        }
    }
}

/// What a resource is sorted by. Keys of one attribute are of one kind, unless the data is broken.
#[derive(Debug, Clone, PartialEq)]
pub enum SortKey {
    /// False before true.
    Boolean(bool),
    /// By value.
    Number(f64),
    /// By time.
    Instant(DateTime<Utc>),
    /// By code point, case taken out where it does not matter.
    Text(String),
    /// Last.
    Missing,
}

impl SortKey {
    /// The ascending order of two keys.
    pub fn order(&self, other: &SortKey) -> Ordering {
        match (self, other) {
            (SortKey::Boolean(left), SortKey::Boolean(right)) => left.cmp(right),
            (SortKey::Number(left), SortKey::Number(right)) => left.total_cmp(right),
            (SortKey::Instant(left), SortKey::Instant(right)) => left.cmp(right),
            (SortKey::Text(left), SortKey::Text(right)) => left.cmp(right),
            _ => self.rank().cmp(&other.rank()),
        }
    }

    fn rank(&self) -> u8 {
        match self {
            SortKey::Boolean(_) => 0,
            SortKey::Number(_) => 1,
            SortKey::Instant(_) => 2,
            SortKey::Text(_) => 3,
            SortKey::Missing => 4,
        }
    }
}

/// What a resource is sorted by: of a multi-valued attribute the primary value, else the first; of a
/// complex one its `value`. Missing for an attribute that is not defined or cannot be sorted by.
pub fn key(resource: &Value, sort_by: &AttributePath, definition: &ResourceDefinition) -> SortKey {
    let Some(Resolved::Attribute { attribute, sub, extension }) = definition.resolve(sort_by) else {
        return SortKey::Missing;
    };
    let container = match extension {
        None => Some(resource),
        Some(schema) => get(resource, &schema.id),
    };
    match container.and_then(|it| get(it, &attribute.name)) {
        Some(value) => key_in(value, attribute, sub),
        None => SortKey::Missing,
    }
}

/// What a resource is sorted by, from the value of the attribute and the sub-attribute that `sortBy` names.
pub fn key_in(value: &Value, attribute: &Attribute, sub: Option<&Attribute>) -> SortKey {
    let list = elements(value);
    let is_primary = |it: &&Value| get(it, "primary") == Some(&Value::Bool(true));
    let Some(chosen) = list.iter().find(is_primary).or(list.first()) else { return SortKey::Missing };
    if attribute.kind != AttributeType::Complex {
        return key_of(chosen, attribute);
    }
    let Some(sub) = sub.or_else(|| attribute.sub_attribute("value")) else { return SortKey::Missing };
    match get(chosen, &sub.name).map(elements).unwrap_or_default().first() {
        Some(value) => key_of(value, sub),
        None => SortKey::Missing,
    }
}

/// What one value of an attribute is sorted by.
pub fn key_of(value: &Value, attribute: &Attribute) -> SortKey {
    match value {
        Value::Bool(boolean) => SortKey::Boolean(*boolean),
        Value::Number(number) => number.as_f64().map_or(SortKey::Missing, SortKey::Number),
        Value::String(text) => match datetime::parse(text) {
            Some(instant) if attribute.kind == AttributeType::DateTime => SortKey::Instant(instant.utc),
            _ => SortKey::Text(text::comparable(text, attribute.compares_exactly()).into_owned()),
        },
        _ => SortKey::Missing,
    }
}

/// The ascending order of two resources by an attribute; without data last.
pub fn compare(
    left: &Value,
    right: &Value,
    sort_by: &AttributePath,
    definition: &ResourceDefinition,
) -> Ordering {
    key(left, sort_by, definition).order(&key(right, sort_by, definition))
}

/// Sorts resources; those with equal keys keep their order.
pub fn sort(
    resources: &mut [Value],
    sort_by: &AttributePath,
    order: SortOrder,
    definition: &ResourceDefinition,
) {
    resources.sort_by_cached_key(|resource| Keyed { key: key(resource, sort_by, definition), order });
}

/// A key with the order of keys that was asked for.
struct Keyed {
    key: SortKey,
    order: SortOrder,
}

impl Ord for Keyed {
    fn cmp(&self, other: &Self) -> Ordering {
        match self.order {
            SortOrder::Ascending => self.key.order(&other.key),
            SortOrder::Descending => other.key.order(&self.key),
        }
    }
}

impl PartialOrd for Keyed {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Keyed {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Keyed {}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scim::schema::SchemaSet;
    use serde_json::json;

    fn sorted(resources: Value, sort_by: &str, order: SortOrder) -> Vec<u64> {
        let definition = SchemaSet::core().definition("User").unwrap();
        let mut resources = elements(&resources).to_vec();
        sort(&mut resources, &AttributePath::parse(sort_by).unwrap(), order, &definition);
        resources.iter().map(|it| it["n"].as_u64().unwrap()).collect()
    }

    #[test]
    fn order_follows_the_type_and_what_is_missing_stands_last() {
        let names = json!([{"n": 0}, {"n": 1, "userName": "b"}, {"n": 2, "userName": "A"}, {"n": 3, "userName": null}]);
        assert_eq!(sorted(names.clone(), "userName", SortOrder::Ascending), [2, 1, 0, 3]);
        assert_eq!(sorted(names, "username", SortOrder::Descending), [0, 3, 1, 2]);
        let exact =
            json!([{"n": 0, "externalId": "b"}, {"n": 1, "externalId": "B"}, {"n": 2, "externalId": "a"}]);
        assert_eq!(sorted(exact, "externalId", SortOrder::Ascending), [1, 2, 0]);
        let times = json!([
            {"n": 0, "meta": {"created": "2020-01-01T10:00:00Z"}}, {"n": 1, "meta": {"created": "2020-01-01T10:30:00+01:00"}}
        ]);
        assert_eq!(sorted(times, "meta.created", SortOrder::Ascending), [1, 0]);
    }

    #[test]
    fn of_several_values_the_primary_counts_else_the_first() {
        let users = json!([
            {"n": 0, "emails": [{"value": "c"}, {"value": "a"}]},
            {"n": 1, "emails": [{"value": "z"}, {"value": "b", "primary": true}]},
            {"n": 2, "emails": []}
        ]);
        assert_eq!(sorted(users.clone(), "emails", SortOrder::Ascending), [1, 0, 2]);
        assert_eq!(sorted(users.clone(), "emails.value", SortOrder::Ascending), [1, 0, 2]);
        assert_eq!(sorted(users.clone(), "name", SortOrder::Ascending), [0, 1, 2]);
        assert_eq!(sorted(users, "unknown", SortOrder::Ascending), [0, 1, 2]);
    }
}
