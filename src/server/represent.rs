//! From a stored record to the resource that a client sees: what the server adds. `id`, `schemas` and `meta`; the
//! groups of a user, direct and indirect; of members and managers what their ids stand for; the version.

use std::collections::{BTreeSet, VecDeque};

use chrono::{DateTime, SecondsFormat, Utc};
use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

use super::endpoint::Kind;
use super::store::{Record, Store};
use crate::scim::names;

/// What cannot stand for itself in a segment of a path (RFC 3986 §3.3).
const SEGMENT: &AsciiSet = &CONTROLS
    .add(b' ')
    .add(b'"')
    .add(b'#')
    .add(b'%')
    .add(b'/')
    .add(b'<')
    .add(b'>')
    .add(b'?')
    .add(b'[')
    .add(b'\\')
    .add(b']')
    .add(b'^')
    .add(b'`')
    .add(b'{')
    .add(b'|')
    .add(b'}');

/// Represents the records of one store under one base URL.
#[derive(Clone, Copy)]
pub(crate) struct Representer<'a> {
    pub store: &'a Store,
    /// The base URL, without a slash at its end.
    pub base: &'a str,
}

impl Representer<'_> {
    /// The URL of a resource.
    pub(crate) fn location(&self, record: &Record) -> String {
        location(self.base, record)
    }

    /// The whole resource, its version included.
    pub(crate) fn resource(&self, record: &Record) -> Value {
        let mut resource = self.candidate(record);
        if let Some(meta) = resource.get_mut("meta").and_then(Value::as_object_mut) {
            meta.insert("version".to_owned(), self.version(record).into());
        }
        resource
    }

    /// The resource without its version, which is what a query needs for all but the rows that it returns: the
    /// version costs a second representation.
    pub(crate) fn candidate(&self, record: &Record) -> Value {
        let mut resource = self.members(record, self.base);
        resource.insert(
            "meta".to_owned(),
            json!({
                "resourceType": record.kind.name(),
                "created": date_time(record.created),
                "lastModified": date_time(record.last_modified),
                "location": self.location(record),
            }),
        );
        Value::Object(resource)
    }

    /// The entity tag. It is weak, because one tag stands for every projection of the resource, and changes with
    /// whatever a client can see, be it written by a client or derived by the server. It does not depend on the
    /// host name that the client used.
    pub(crate) fn version(&self, record: &Record) -> String {
        let state = Value::Object(self.members(record, "")).to_string();
        let digest = Sha256::new()
            .chain_update(state)
            .chain_update(record.last_modified.timestamp_millis().to_be_bytes())
            .finalize();
        let mut tag = String::from("W/\"");
        for byte in digest.iter().take(8) {
            tag.push_str(&format!("{byte:02x}"));
        }
        tag.push('"');
        tag
    }

    /// Everything but `meta`.
    fn members(&self, record: &Record, base: &str) -> Map<String, Value> {
        let mut resource = Map::new();
        resource.insert("schemas".to_owned(), schemas(record).into());
        resource.insert("id".to_owned(), record.id.as_str().into());
        for (name, value) in &record.attributes {
            match name.as_str() {
                "schemas" => {}
                "members" if record.kind == Kind::Group => {
                    resource.insert(name.clone(), self.group_members(record, base));
                }
                names::ENTERPRISE_USER => {
                    resource.insert(name.clone(), self.enterprise(value, base));
                }
                _ => {
                    resource.insert(name.clone(), value.clone());
                }
            }
        }
        if record.kind == Kind::User {
            let groups = self.groups(&record.id, base);
            if !groups.is_empty() {
                resource.insert("groups".to_owned(), groups.into());
            }
        }
        resource
    }

    fn group_members(&self, group: &Record, base: &str) -> Value {
        let member = |id: &str| match self.store.get(id) {
            Some(record) => {
                let mut element = json!({
                    "value": id,
                    "$ref": location(base, record),
                    "type": record.kind.name(),
                });
                if let Some(display) = display(record) {
                    element["display"] = display.into();
                }
                element
            }
            None => json!({ "value": id }),
        };
        group.member_ids().map(member).collect()
    }

    fn enterprise(&self, extension: &Value, base: &str) -> Value {
        let mut extension = extension.clone();
        let manager = extension.get_mut("manager").and_then(Value::as_object_mut);
        if let Some(manager) = manager
            && let Some(record) =
                manager.get("value").and_then(Value::as_str).and_then(|id| self.store.get(id))
            && record.kind == Kind::User
        {
            manager.insert("$ref".to_owned(), location(base, record).into());
            if let Some(name) = record.text("displayName") {
                manager.insert("displayName".to_owned(), name.into());
            }
        }
        extension
    }

    /// The groups of a user: those that list it, then those that list a group that does, and so on. Groups may
    /// contain each other in circles.
    fn groups(&self, id: &str, base: &str) -> Vec<Value> {
        let mut seen = BTreeSet::new();
        let mut queue = VecDeque::new();
        for group in self.store.groups_listing(id) {
            queue.push_back((group, "direct"));
        }
        let mut groups = Vec::new();
        while let Some((group, how)) = queue.pop_front() {
            if !seen.insert(group.id.as_str()) {
                continue;
            }
            let mut element = json!({ "value": group.id, "$ref": location(base, group), "type": how });
            if let Some(display) = display(group) {
                element["display"] = display.into();
            }
            groups.push(element);
            for parent in self.store.groups_listing(&group.id) {
                queue.push_back((parent, "indirect"));
            }
        }
        groups
    }
}

/// The URNs of a resource: its base schema, the extensions that it declares, and those that it has.
fn schemas(record: &Record) -> Vec<String> {
    let mut schemas = vec![record.kind.schema().to_owned()];
    let declared = record.attributes.get("schemas").and_then(Value::as_array);
    for urn in declared.into_iter().flatten().filter_map(Value::as_str) {
        if !schemas.iter().any(|known| known.eq_ignore_ascii_case(urn)) {
            schemas.push(urn.to_owned());
        }
    }
    for name in record.attributes.keys().filter(|name| name.starts_with("urn:")) {
        if !schemas.iter().any(|known| known.eq_ignore_ascii_case(name)) {
            schemas.push(name.clone());
        }
    }
    schemas
}

fn location(base: &str, record: &Record) -> String {
    format!("{base}/{}/{}", record.kind.segment(), utf8_percent_encode(&record.id, SEGMENT))
}

/// What a resource is called where another one refers to it.
fn display(record: &Record) -> Option<&str> {
    record.text("displayName").or_else(|| record.text("userName"))
}

/// An xsd:dateTime in UTC with milliseconds (RFC 7643 §2.3.5).
pub(crate) fn date_time(instant: DateTime<Utc>) -> String {
    instant.to_rfc3339_opts(SecondsFormat::Millis, true)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn insert(store: &mut Store, kind: Kind, value: Value) -> String {
        let id = uuid::Uuid::new_v4().to_string();
        store.insert(id.clone(), kind, value.as_object().cloned().unwrap(), None);
        id
    }

    #[test]
    fn groups_are_found_through_groups_and_circles_end() {
        let mut store = Store::default();
        let ann = insert(&mut store, Kind::User, json!({"userName": "ann", "displayName": "Ann"}));
        let inner =
            insert(&mut store, Kind::Group, json!({"displayName": "Inner", "members": [{"value": ann}]}));
        let outer =
            insert(&mut store, Kind::Group, json!({"displayName": "Outer", "members": [{"value": inner}]}));
        let circle = json!({"displayName": "Inner", "members": [{"value": ann}, {"value": outer}]});
        store.update(&inner, circle.as_object().cloned().unwrap(), None, true);
        let representer = Representer { store: &store, base: "http://h/scim/v2" };
        let user = representer.resource(store.get(&ann).unwrap());
        assert_eq!(
            user["groups"],
            json!([
                {"value": inner, "$ref": format!("http://h/scim/v2/Groups/{inner}"), "type": "direct", "display": "Inner"},
                {"value": outer, "$ref": format!("http://h/scim/v2/Groups/{outer}"), "type": "indirect", "display": "Outer"},
            ])
        );
        let group = representer.resource(store.get(&inner).unwrap());
        assert_eq!(group["members"][0]["display"], "Ann");
        assert_eq!(group["members"][1]["type"], "Group");
    }

    #[test]
    fn the_version_follows_what_is_seen_and_not_the_host() {
        let mut store = Store::default();
        let ann = insert(&mut store, Kind::User, json!({"userName": "ann"}));
        let of = |store: &Store, base: &str| Representer { store, base }.version(store.get(&ann).unwrap());
        let before = of(&store, "http://a");
        assert_eq!(before, of(&store, "http://b"));
        insert(&mut store, Kind::Group, json!({"displayName": "G", "members": [{"value": ann}]}));
        assert_ne!(before, of(&store, "http://a"));
    }
}
