//! The resources of one tenant in memory, in the order of their creation, with the indexes that keep reads short: by
//! id, by user name, by membership, by whatever else is unique, and by what clients look resources up by
//! ([`index`](super::index)). It holds what clients wrote; what the server adds to a representation is
//! [`represent`](super::represent)'s. Refuses to know HTTP and to judge values.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::ops::RangeBounds;
use std::sync::Arc;

use chrono::{DateTime, Duration, DurationRound, Utc};
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::endpoint::Kind;
use super::index::{Column, IndexedAttributes, Indexes};
use super::unique::{UniqueAttributes, UniqueIndex};
use crate::scim::text::fold_case;

/// One stored resource.
#[derive(Debug, Clone)]
pub(crate) struct Record {
    pub id: String,
    pub kind: Kind,
    /// Its place in the order of creation. No two records have had the same.
    pub place: u64,
    /// What the client wrote: neither `id` nor `meta`, no read-only attribute, no password; of a group's
    /// members only `value`.
    pub attributes: Map<String, Value>,
    /// A salted digest. No password is kept (RFC 7643 §9.2).
    pub password: Option<String>,
    pub created: DateTime<Utc>,
    pub last_modified: DateTime<Utc>,
    /// How often it was written: the time may stand still where the clock is coarse.
    pub revision: u64,
}

impl Record {
    /// A string attribute at the top level.
    pub(crate) fn text(&self, attribute: &str) -> Option<&str> {
        self.attributes.get(attribute).and_then(Value::as_str)
    }

    /// Whether it is a group with members.
    pub(crate) fn has_members(&self) -> bool {
        self.kind == Kind::Group && self.attributes.contains_key("members")
    }

    /// The ids of a group's members, in order.
    pub(crate) fn member_ids(&self) -> impl Iterator<Item = &str> {
        members_of(self.kind, &self.attributes)
    }
}

fn members_of(kind: Kind, attributes: &Map<String, Value>) -> impl Iterator<Item = &str> {
    let members = attributes.get("members").filter(|_| kind == Kind::Group).and_then(Value::as_array);
    members.into_iter().flatten().filter_map(|member| member.get("value").and_then(Value::as_str))
}

/// All resources.
#[derive(Debug, Clone)]
pub(crate) struct Store {
    records: BTreeMap<u64, Record>,
    places: HashMap<String, u64>,
    /// The places of the resources of each type.
    of_kind: HashMap<Kind, BTreeSet<u64>>,
    indexes: Indexes,
    /// Whether ids compare with and without regard to case alike: each is as folding leaves it.
    ids_are_folded: bool,
    /// From a user name, folded, to the places of the users that have it. More than one only where a fault let them.
    user_names: HashMap<String, BTreeSet<u64>>,
    /// From the id of a member to the places of the groups that list it.
    memberships: HashMap<String, BTreeSet<u64>>,
    unique: UniqueIndex,
    unique_attributes: Arc<UniqueAttributes>,
    /// The places of the users who have accepted their invitation. Of no account where nobody is invited.
    joined: BTreeSet<u64>,
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
            of_kind: HashMap::new(),
            indexes: Indexes::default(),
            ids_are_folded: true,
            user_names: HashMap::new(),
            memberships: HashMap::new(),
            unique: UniqueIndex::default(),
            unique_attributes: Arc::default(),
            joined: BTreeSet::new(),
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
    /// A store for types that have these unique attributes and these indexes.
    pub(crate) fn new(unique_attributes: Arc<UniqueAttributes>, indexed: Arc<IndexedAttributes>) -> Self {
        Self { unique_attributes, indexes: Indexes::new(indexed), ..Self::default() }
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

    /// How many resources there are of a type.
    pub(crate) fn count(&self, kind: Kind) -> usize {
        self.of_kind.get(&kind).map_or(0, BTreeSet::len)
    }

    /// The resources of a type whose places lie in a range, oldest first.
    pub(crate) fn of_kind(
        &self,
        kind: Kind,
        range: impl RangeBounds<u64>,
    ) -> impl DoubleEndedIterator<Item = &Record> {
        let places = self.of_kind.get(&kind).into_iter();
        // One kind has one set: flattening it visits the range alone.
        places
            .flat_map(move |places| places.range((range.start_bound(), range.end_bound())))
            .filter_map(|place| self.records.get(place))
    }

    /// The resource at a place.
    pub(crate) fn at(&self, place: u64) -> Option<&Record> {
        self.records.get(&place)
    }

    /// The places, in order, of the records of a type that have a text in a column: all of them, and maybe others
    /// too. None if no index knows.
    pub(crate) fn find(&self, kind: Kind, column: &Column<'_>, text: &str) -> Option<Cow<'_, [u64]>> {
        let owned = |places: Option<&BTreeSet<u64>>| {
            Some(Cow::Owned(places.into_iter().flatten().copied().collect()))
        };
        match column {
            Column { extension: None, name: "id", sub: None, exact: true } => {
                Some(Cow::Owned(self.places.get(text).copied().into_iter().collect()))
            }
            Column { extension: None, name: "userName", sub: None, exact: false } if kind == Kind::User => {
                owned(self.user_names.get(text))
            }
            Column { extension: None, name: "members", sub: Some("value"), .. }
                if kind == Kind::Group && self.ids_are_folded =>
            {
                owned(self.memberships.get(text))
            }
            _ => self.indexes.find(kind, column, text).map(Cow::Borrowed),
        }
    }

    /// The place that the next new resource gets.
    pub(crate) fn next_place(&self) -> u64 {
        self.next
    }

    /// Whether a user has accepted the invitation.
    pub(crate) fn has_joined(&self, id: &str) -> bool {
        self.places.get(id).is_some_and(|place| self.joined.contains(place))
    }

    /// Notes that a user has accepted the invitation. One who is removed and invited again has not.
    pub(crate) fn join(&mut self, id: &str) {
        self.joined.extend(self.places.get(id));
    }

    /// What tells this store from every other one.
    pub(crate) fn identity(&self) -> &[u8] {
        &self.salt
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
        let record = Record {
            id: id.clone(),
            kind,
            place,
            attributes,
            password,
            created: now,
            last_modified: now,
            revision: 0,
        };
        self.index(place, kind, None, Some(&record.attributes));
        self.ids_are_folded &= fold_case(&id) == id.as_str();
        self.of_kind.entry(kind).or_default().insert(place);
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
        let Some(&place) = self.places.get(id) else { return };
        let Some(mut record) = self.records.remove(&place) else { return };
        self.index(place, record.kind, Some(&record.attributes), Some(&attributes));
        if touch {
            self.touch(&mut record);
        } else if record.attributes != attributes || record.password != password {
            // A write that a fault makes without its time shows in the version all the same.
            record.revision += 1;
        }
        record.attributes = attributes;
        record.password = password;
        self.records.insert(place, record);
    }

    /// Notes that a record changes now.
    fn touch(&mut self, record: &mut Record) {
        record.revision += 1;
        let now = self.now();
        // A coarse clock shows two changes at one time, as those of databases do; a fine one has time to spare.
        let grows = if self.clock_step == FINEST { FINEST } else { Duration::zero() };
        record.last_modified = now.max(record.last_modified + grows);
        self.clock = self.clock.max(record.last_modified);
    }

    /// Removes a resource, and with it its memberships: no reference to it dangles (RFC 7644 §3.6).
    pub(crate) fn remove(&mut self, id: &str) {
        for place in self.memberships.remove(id).into_iter().flatten() {
            if let Some(mut group) = self.records.remove(&place) {
                drop_member(&mut group.attributes, id);
                self.touch(&mut group);
                self.records.insert(place, group);
            }
        }
        self.remove_alone(id);
    }

    /// Writes over this store what made another one out of an earlier state of it, whatever was written since.
    pub(crate) fn overwrite(&mut self, before: &Store, after: &Store) {
        for record in after.all() {
            let Record { id, kind, attributes, password, .. } = record.clone();
            match before.get(&id) {
                None => self.insert(id, kind, attributes, password),
                Some(old) if old.revision != record.revision => self.update(&id, attributes, password, true),
                Some(_) => {}
            }
        }
        for gone in before.all().filter(|record| after.get(&record.id).is_none()) {
            self.remove(&gone.id);
        }
    }

    fn remove_alone(&mut self, id: &str) {
        let Some(place) = self.places.remove(id) else { return };
        if let Some(record) = self.records.remove(&place) {
            self.index(place, record.kind, Some(&record.attributes), None);
            if let Some(places) = self.of_kind.get_mut(&record.kind) {
                places.remove(&place);
            }
        }
    }

    /// Follows a write in all indexes: what the record at a place had, and what it has.
    fn index(
        &mut self,
        place: u64,
        kind: Kind,
        before: Option<&Map<String, Value>>,
        after: Option<&Map<String, Value>>,
    ) {
        self.indexes.change(place, kind, before, after);
        let name = |attributes: Option<&Map<String, Value>>| {
            let name = attributes.filter(|_| kind == Kind::User)?.get("userName")?.as_str()?;
            Some(fold(name))
        };
        let (old, new) = (name(before), name(after));
        if old != new {
            if let Some(name) = old {
                take_out(&mut self.user_names, &name, place);
            }
            if let Some(name) = new {
                self.user_names.entry(name).or_default().insert(place);
            }
        }
        let (old, new): (HashSet<&str>, HashSet<&str>) = (
            before.into_iter().flat_map(|before| members_of(kind, before)).collect(),
            after.into_iter().flat_map(|after| members_of(kind, after)).collect(),
        );
        for gone in old.difference(&new) {
            take_out(&mut self.memberships, gone, place);
        }
        for come in new.difference(&old) {
            self.memberships.entry((*come).to_owned()).or_default().insert(place);
        }
        let values = |attributes: Option<&Map<String, Value>>| match attributes {
            Some(attributes) => self.unique_attributes.values(kind, attributes),
            None => Vec::new(),
        };
        let (old, new) = (values(before), values(after));
        self.unique.take_out(&old, place);
        self.unique.add(new, place);
    }
}

/// Takes a member out of a group; an attribute without values is none.
fn drop_member(group: &mut Map<String, Value>, id: &str) {
    if let Some(Value::Array(members)) = group.get_mut("members") {
        members.retain(|element| element.get("value").and_then(Value::as_str) != Some(id));
        if members.is_empty() {
            group.shift_remove("members");
        }
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
