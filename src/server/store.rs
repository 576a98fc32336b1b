//! The resources of one tenant in memory, in the order of their creation, with the indexes that keep reads short: by
//! id, by user name, by membership, and by whatever else is unique. It holds what clients wrote; what the server adds to a representation is
//! [`represent`](super::represent)'s. Refuses to know HTTP and to judge values.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use chrono::{DateTime, Duration, DurationRound, Utc};
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::endpoint::Kind;
use super::unique::{UniqueAttributes, UniqueIndex, UniqueValue};
use crate::scim::text::fold_case;

/// One stored resource.
#[derive(Debug, Clone)]
pub(crate) struct Record {
    pub id: String,
    pub kind: Kind,
    /// What the client wrote: neither `id` nor `meta`, no read-only attribute, no password; of a group's
    /// members only `value`.
    pub attributes: Map<String, Value>,
    /// A salted digest. No password is kept (RFC 7643 §9.2).
    pub password: Option<String>,
    pub created: DateTime<Utc>,
    pub last_modified: DateTime<Utc>,
}

impl Record {
    /// A string attribute at the top level.
    pub(crate) fn text(&self, attribute: &str) -> Option<&str> {
        self.attributes.get(attribute).and_then(Value::as_str)
    }

    /// The ids of a group's members, in order.
    pub(crate) fn member_ids(&self) -> impl Iterator<Item = &str> {
        let members = match self.kind {
            Kind::Group => self.attributes.get("members").and_then(Value::as_array),
            Kind::User | Kind::Custom(_) => None,
        };
        members.into_iter().flatten().filter_map(|member| member.get("value").and_then(Value::as_str))
    }
}

/// All resources.
#[derive(Debug)]
pub(crate) struct Store {
    records: BTreeMap<u64, Record>,
    places: HashMap<String, u64>,
    /// From a user name, folded, to the places of the users that have it. More than one only where a fault let them.
    user_names: HashMap<String, BTreeSet<u64>>,
    /// From the id of a member to the places of the groups that list it.
    memberships: HashMap<String, BTreeSet<u64>>,
    unique: UniqueIndex,
    unique_attributes: Arc<UniqueAttributes>,
    next: u64,
    /// The finest difference that the clock tells.
    clock_step: Duration,
    clock: DateTime<Utc>,
    salt: [u8; 16],
}

impl Default for Store {
    fn default() -> Self {
        Self {
            records: BTreeMap::new(),
            places: HashMap::new(),
            user_names: HashMap::new(),
            memberships: HashMap::new(),
            unique: UniqueIndex::default(),
            unique_attributes: Arc::default(),
            next: 0,
            clock_step: FINEST,
            clock: DateTime::UNIX_EPOCH,
            salt: *Uuid::new_v4().as_bytes(),
        }
    }
}

/// The clock's usual step.
const FINEST: Duration = Duration::milliseconds(1);

/// How user names compare: without regard to case (RFC 7643 §4.1.1).
fn fold(user_name: &str) -> String {
    fold_case(user_name).into_owned()
}

impl Store {
    /// A store for types that have these unique attributes.
    pub(crate) fn new(unique_attributes: Arc<UniqueAttributes>) -> Self {
        Self { unique_attributes, ..Self::default() }
    }

    /// The first attribute, in attribute notation, with a unique value that another resource of the type has.
    pub(crate) fn conflict(
        &self,
        kind: Kind,
        attributes: &Map<String, Value>,
        own_id: Option<&str>,
    ) -> Option<String> {
        let own = own_id.and_then(|id| self.places.get(id)).copied();
        let values = self.unique_attributes.values(kind, attributes);
        let taken = values.iter().find(|value| self.unique.is_taken(value, own));
        taken.map(|value| self.unique_attributes.label(value))
    }

    fn unique_values(&self, record: &Record) -> Vec<UniqueValue> {
        self.unique_attributes.values(record.kind, &record.attributes)
    }

    /// This store with a coarser clock.
    pub(crate) fn with_clock_step(mut self, step: Duration) -> Self {
        self.clock_step = step;
        self
    }

    /// The time, in steps of the clock, never earlier than any time given before.
    fn now(&mut self) -> DateTime<Utc> {
        let now = Utc::now();
        let now = now.duration_trunc(self.clock_step).unwrap_or(now);
        self.clock = self.clock.max(now);
        self.clock
    }

    pub(crate) fn get(&self, id: &str) -> Option<&Record> {
        self.places.get(id).and_then(|place| self.records.get(place))
    }

    /// All resources, oldest first.
    pub(crate) fn all(&self) -> impl Iterator<Item = &Record> {
        self.records.values()
    }

    /// The users with this name, oldest first.
    pub(crate) fn users_named(&self, user_name: &str) -> impl Iterator<Item = &Record> {
        let places = self.user_names.get(&fold(user_name));
        places.into_iter().flatten().filter_map(|place| self.records.get(place))
    }

    /// The groups that list this id as a member, oldest first.
    pub(crate) fn groups_listing(&self, id: &str) -> impl Iterator<Item = &Record> {
        self.memberships.get(id).into_iter().flatten().filter_map(|place| self.records.get(place))
    }

    /// The salted digest under which a password is kept.
    pub(crate) fn password_digest(&self, password: &str) -> String {
        let digest = Sha256::new().chain_update(self.salt).chain_update(password).finalize();
        let mut text = String::from("sha256:");
        for byte in digest {
            text.push_str(&format!("{byte:02x}"));
        }
        text
    }

    /// Creates a resource under an id. One that has the id already is replaced; a correct server never gives it.
    pub(crate) fn insert(
        &mut self,
        id: String,
        kind: Kind,
        attributes: Map<String, Value>,
        password: Option<String>,
    ) {
        self.remove_alone(&id);
        let now = self.now();
        let place = self.next;
        self.next += 1;
        let record = Record { id: id.clone(), kind, attributes, password, created: now, last_modified: now };
        self.index(place, &record);
        self.records.insert(place, record);
        self.places.insert(id, place);
    }

    /// Writes a resource anew. Its time of change grows, if it is to change at all.
    pub(crate) fn update(
        &mut self,
        id: &str,
        attributes: Map<String, Value>,
        password: Option<String>,
        touch: bool,
    ) {
        let now = self.now();
        let Some(&place) = self.places.get(id) else { return };
        let Some(mut record) = self.records.remove(&place) else { return };
        self.unindex(place, &record);
        record.attributes = attributes;
        record.password = password;
        if touch {
            // A coarse clock shows two changes at one time, as those of databases do; a fine one has time to spare.
            let grows = if self.clock_step == FINEST { FINEST } else { Duration::zero() };
            record.last_modified = now.max(record.last_modified + grows);
            self.clock = self.clock.max(record.last_modified);
        }
        self.index(place, &record);
        self.records.insert(place, record);
    }

    /// Removes a resource, and with it its memberships: no reference to it dangles (RFC 7644 §3.6).
    pub(crate) fn remove(&mut self, id: &str) {
        let groups: Vec<String> = self.groups_listing(id).map(|group| group.id.clone()).collect();
        for group in groups {
            self.remove_member(&group, id);
        }
        self.remove_alone(id);
    }

    fn remove_member(&mut self, group: &str, member: &str) {
        let Some(record) = self.get(group) else { return };
        let mut attributes = record.attributes.clone();
        let password = record.password.clone();
        if let Some(Value::Array(members)) = attributes.get_mut("members") {
            members.retain(|element| element.get("value").and_then(Value::as_str) != Some(member));
            if members.is_empty() {
                attributes.shift_remove("members");
            }
        }
        self.update(group, attributes, password, true);
    }

    fn remove_alone(&mut self, id: &str) {
        let Some(place) = self.places.remove(id) else { return };
        if let Some(record) = self.records.remove(&place) {
            self.unindex(place, &record);
        }
    }

    fn index(&mut self, place: u64, record: &Record) {
        if let (Kind::User, Some(name)) = (record.kind, record.text("userName")) {
            self.user_names.entry(fold(name)).or_default().insert(place);
        }
        for member in record.member_ids() {
            self.memberships.entry(member.to_owned()).or_default().insert(place);
        }
        self.unique.add(self.unique_values(record), place);
    }

    fn unindex(&mut self, place: u64, record: &Record) {
        if let (Kind::User, Some(name)) = (record.kind, record.text("userName")) {
            take_out(&mut self.user_names, &fold(name), place);
        }
        for member in record.member_ids() {
            take_out(&mut self.memberships, member, place);
        }
        self.unique.take_out(&self.unique_values(record), place);
    }
}

fn take_out(index: &mut HashMap<String, BTreeSet<u64>>, key: &str, place: u64) {
    if let Some(places) = index.get_mut(key) {
        places.remove(&place);
        if places.is_empty() {
            index.remove(key);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn attributes(value: Value) -> Map<String, Value> {
        value.as_object().cloned().unwrap()
    }

    fn insert(store: &mut Store, kind: Kind, value: Value) -> String {
        let id = Uuid::new_v4().to_string();
        store.insert(id.clone(), kind, attributes(value), None);
        id
    }

    #[test]
    fn removing_a_member_takes_it_out_of_its_groups() {
        let mut store = Store::default();
        let ann = insert(&mut store, Kind::User, json!({"userName": "Ann"}));
        let group = insert(&mut store, Kind::Group, json!({"members": [{"value": ann}]}));
        let before = store.get(&group).unwrap().last_modified;
        assert_eq!(store.groups_listing(&ann).count(), 1);
        store.remove(&ann);
        assert!(store.get(&ann).is_none() && store.users_named("ann").next().is_none());
        assert_eq!(store.get(&group).unwrap().member_ids().count(), 0);
        assert!(store.get(&group).unwrap().last_modified > before);
    }

    #[test]
    fn the_name_index_follows_a_rename() {
        let mut store = Store::default();
        let ann = insert(&mut store, Kind::User, json!({"userName": "Ann"}));
        store.update(&ann, attributes(json!({"userName": "Bob"})), None, true);
        assert!(store.users_named("ANN").next().is_none());
        assert!(store.users_named("bOB").map(|user| &user.id).eq([&ann]));
    }
}
