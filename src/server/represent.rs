//! From a stored record to the resource that a client sees: what the server adds. `id`, `schemas` and `meta`; the
//! groups of a user, direct and indirect; of members and managers what their ids stand for; the version.

use std::borrow::Cow;
use std::collections::{BTreeSet, VecDeque};

use chrono::{DateTime, SecondsFormat, Utc};
use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

use super::endpoint::Kind;
use super::store::{Record, Store};
use crate::scim::names;
use crate::scim::resource::member_name;

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
        format!("{}/{}/{}", self.base, record.kind.segment(), utf8_percent_encode(&record.id, SEGMENT))
    }

    /// The whole resource, its version included.
    pub(crate) fn resource(&self, record: &Record) -> Value {
        self.resource_in(record, self.version(record))
    }

    /// The whole resource, whose version is known already.
    pub(crate) fn resource_in(&self, record: &Record, version: String) -> Value {
        let mut resource = self.candidate(record);
        if let Some(meta) = resource.get_mut("meta").and_then(Value::as_object_mut) {
            meta.insert("version".to_owned(), version.into());
        }
        resource
    }

    /// The resource without its version, which is what rows are before it is known which of them are returned.
    pub(crate) fn candidate(&self, record: &Record) -> Value {
        let mut resource = Map::new();
        resource.insert("schemas".to_owned(), schemas(record).into());
        resource.insert("id".to_owned(), record.id.as_str().into());
        for (name, value) in record.attributes.iter().filter(|(name, _)| *name != "schemas") {
            resource.insert(name.clone(), self.shown(record, name, value).into_owned());
        }
        if let Some(groups) = self.groups(record) {
            resource.insert("groups".to_owned(), groups);
        }
        let mut meta = Map::new();
        for name in ["resourceType", "created", "lastModified", "location"] {
            if let Some(value) = self.meta_member(record, name) {
                meta.insert(name.to_owned(), value);
            }
        }
        resource.insert("meta".to_owned(), meta.into());
        Value::Object(resource)
    }

    /// One member of the resource, as [`Representer::resource`] has it. The name is compared as
    /// [`member_name`] compares it.
    pub(crate) fn member<'r>(&self, record: &'r Record, name: &str) -> Option<Cow<'r, Value>> {
        match name {
            "schemas" => Some(Cow::Owned(schemas(record).into())),
            "id" => Some(Cow::Owned(record.id.as_str().into())),
            "meta" => self.resource(record).get("meta").cloned().map(Cow::Owned),
            _ => {
                if name == "groups"
                    && let Some(groups) = self.groups(record)
                {
                    return Some(Cow::Owned(groups));
                }
                let name = member_name(&record.attributes, name)?;
                record.attributes.get(name).map(|value| self.shown(record, name, value))
            }
        }
    }

    /// One attribute of an extension of the resource, as [`Representer::resource`] has it.
    pub(crate) fn extension_member<'r>(
        &self,
        record: &'r Record,
        urn: &str,
        name: &str,
    ) -> Option<Cow<'r, Value>> {
        let urn = member_name(&record.attributes, urn)?;
        let container = record.attributes.get(urn)?.as_object()?;
        let name = member_name(container, name)?;
        let value = container.get(name)?;
        match (urn, name) {
            (names::ENTERPRISE_USER, "manager") => Some(self.manager(value)),
            _ => Some(Cow::Borrowed(value)),
        }
    }

    /// One member of the resource's `meta`.
    pub(crate) fn meta_member(&self, record: &Record, name: &str) -> Option<Value> {
        match name {
            "resourceType" => Some(record.kind.name().into()),
            "created" => Some(date_time(record.created).into()),
            "lastModified" => Some(date_time(record.last_modified).into()),
            "location" => Some(self.location(record).into()),
            "version" => Some(self.version(record).into()),
            _ => None,
        }
    }

    /// The entity tag. It is weak, because one tag stands for every projection of the resource, and changes with
    /// whatever a client can see, be it written by a client or derived by the server. It does not depend on the
    /// host name that the client used.
    ///
    /// What a client wrote changes with the revision, so that it need not be looked at: only what the server takes
    /// from other resources is. The time of change tells servers apart that start with the same resources.
    pub(crate) fn version(&self, record: &Record) -> String {
        let mut state = Sha256::new();
        // Every text with its length, so that no two sequences of texts are one.
        let mut add = |text: &str| {
            state.update(text.len().to_be_bytes());
            state.update(text);
        };
        add(&record.id);
        add(&record.place.to_string());
        add(&record.revision.to_string());
        add(&record.last_modified.timestamp_millis().to_string());
        for id in record.member_ids() {
            let member = self.store.get(id);
            add(member.map_or("", |member| member.kind.name()));
            add(member.and_then(display).unwrap_or_default());
        }
        if let Some(manager) = self.manager_of(record) {
            add(manager.kind.name());
            add(manager.text("displayName").unwrap_or_default());
        }
        self.each_group(record, |group, how| {
            add(&group.id);
            add(how);
            add(display(group).unwrap_or_default());
        });
        let digest: [u8; 32] = state.finalize().into();
        let [a, b, c, d, e, f, g, h, ..] = digest;
        format!("W/\"{:016x}\"", u64::from_be_bytes([a, b, c, d, e, f, g, h]))
    }

    /// A member that the record has, with what the server adds to it.
    fn shown<'r>(&self, record: &Record, name: &str, value: &'r Value) -> Cow<'r, Value> {
        match name {
            "members" if record.kind == Kind::Group => Cow::Owned(self.group_members(record)),
            names::ENTERPRISE_USER => match value.get("manager").map(|manager| self.manager(manager)) {
                Some(Cow::Owned(manager)) => {
                    let mut extension = value.clone();
                    extension["manager"] = manager;
                    Cow::Owned(extension)
                }
                _ => Cow::Borrowed(value),
            },
            _ => Cow::Borrowed(value),
        }
    }

    fn group_members(&self, group: &Record) -> Value {
        let member = |id: &str| match self.store.get(id) {
            Some(record) => {
                let mut element = json!({
                    "value": id,
                    "$ref": self.location(record),
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

    /// A manager with what its id stands for.
    fn manager<'r>(&self, manager: &'r Value) -> Cow<'r, Value> {
        let Some(record) = self.managing(manager) else { return Cow::Borrowed(manager) };
        let mut manager = manager.clone();
        manager["$ref"] = self.location(record).into();
        if let Some(name) = record.text("displayName") {
            manager["displayName"] = name.into();
        }
        Cow::Owned(manager)
    }

    fn manager_of(&self, record: &Record) -> Option<&Record> {
        self.managing(record.attributes.get(names::ENTERPRISE_USER)?.get("manager")?)
    }

    /// The user that the value of a `manager` names.
    fn managing(&self, manager: &Value) -> Option<&Record> {
        let id = manager.as_object()?.get("value")?.as_str()?;
        self.store.get(id).filter(|record| record.kind == Kind::User)
    }

    /// The groups of a user, as its attribute `groups` has them. None of what is in no group.
    fn groups(&self, record: &Record) -> Option<Value> {
        let mut groups = Vec::new();
        self.each_group(record, |group, how| {
            let mut element = json!({ "value": group.id, "$ref": self.location(group), "type": how });
            if let Some(display) = display(group) {
                element["display"] = display.into();
            }
            groups.push(element);
        });
        (!groups.is_empty()).then(|| groups.into())
    }

    /// The groups of a user: those that list it, then those that list a group that does, and so on. Groups may
    /// contain each other in circles.
    fn each_group(&self, record: &Record, mut visit: impl FnMut(&Record, &str)) {
        if record.kind != Kind::User {
            return;
        }
        let mut seen = BTreeSet::new();
        let mut queue = VecDeque::new();
        for group in self.store.groups_listing(&record.id) {
            queue.push_back((group, "direct"));
        }
        while let Some((group, how)) = queue.pop_front() {
            if !seen.insert(group.id.as_str()) {
                continue;
            }
            visit(group, how);
            for parent in self.store.groups_listing(&group.id) {
                queue.push_back((parent, "indirect"));
            }
        }
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

/// What a resource is called where another one refers to it.
fn display(record: &Record) -> Option<&str> {
    record.text("displayName").or_else(|| record.text("userName"))
}

/// An instant as [`date_time`] writes it: without what is smaller than a millisecond.
pub(crate) fn in_milliseconds(instant: DateTime<Utc>) -> DateTime<Utc> {
    DateTime::from_timestamp_millis(instant.timestamp_millis()).unwrap_or(instant)
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
