//! Whose a resource is: the register of ids that this run created, of ids that were seen as somebody else's, and
//! of ids that cannot exist. It decides by evidence only, and sends nothing.
//!
//! A resource is ours when the run's mark stands in it and its id was not seen before we asked for it. A service
//! provider that answers a create with a resource that was there already ("updates instead of duplicating") must
//! not make us delete somebody.

use std::collections::{HashMap, HashSet};
use std::hash::{BuildHasher, RandomState};

use indexmap::IndexMap;
use serde_json::Value;

use super::guard::Ownership;
use super::ledger::OwnedResource;

/// Ids of strangers that are remembered; one is eight bytes and a number.
const MEMORY: usize = 1 << 20;

/// The register.
#[derive(Debug)]
pub(crate) struct Register {
    mark: String,
    owned: IndexMap<(String, String), Entry>,
    never_existed: HashSet<String>,
    hasher: RandomState,
    /// Hash of endpoint and id → when it was first seen without being ours.
    seen: HashMap<u64, u64>,
    /// Hash of an id at any endpoint.
    seen_anywhere: HashSet<u64>,
    clock: u64,
}

#[derive(Debug)]
struct Entry {
    resource: OwnedResource,
    alive: bool,
}

/// A moment in the order of requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Moment(u64);

fn key(endpoint: &str, id: &str) -> (String, String) {
    (endpoint.trim_matches('/').to_ascii_lowercase(), folded(id))
}

/// Ids are case-exact (RFC 7643 section 3.1), but those that are e-mail addresses are not where a service provider
/// takes them in any case: what is ours as `ann@example.com` is ours as `ANN@example.com`.
fn folded(id: &str) -> String {
    if id.contains('@') { id.to_ascii_lowercase() } else { id.to_owned() }
}

impl Register {
    pub(crate) fn new(mark: &str) -> Register {
        Register {
            mark: mark.to_ascii_lowercase(),
            owned: IndexMap::new(),
            never_existed: HashSet::new(),
            hasher: RandomState::new(),
            seen: HashMap::new(),
            seen_anywhere: HashSet::new(),
            clock: 0,
        }
    }

    /// Whether the run's mark stands in the text, whatever the case of its letters.
    pub(crate) fn marked(&self, text: &str) -> bool {
        !self.mark.is_empty() && text.to_ascii_lowercase().contains(&self.mark)
    }

    /// The attribute by which a resource can be searched for, and its value: one that carries the mark.
    pub(crate) fn trace(&self, resource: &Value) -> Option<(String, String)> {
        ["userName", "displayName", "externalId"].into_iter().find_map(|name| {
            let value = member(resource, name)?.as_str()?;
            self.marked(value).then(|| (name.to_owned(), value.to_owned()))
        })
    }

    /// Whether the run's mark stands in any value of a resource. Names of members are not looked at: a mark is
    /// never one, and an error message that repeats a name proves nothing.
    pub(crate) fn marks(&self, resource: &Value) -> bool {
        let mut open = vec![resource];
        while let Some(value) = open.pop() {
            match value {
                Value::String(text) if self.marked(text) => return true,
                Value::Array(items) => open.extend(items),
                Value::Object(members) => open.extend(members.values()),
                _ => {}
            }
        }
        false
    }

    /// The moment of now; what is seen afterwards is later.
    pub(crate) fn now(&mut self) -> Moment {
        self.clock += 1;
        Moment(self.clock)
    }

    /// Whether the id was seen as somebody else's before that moment.
    pub(crate) fn seen_before(&self, endpoint: &str, id: &str, moment: Moment) -> bool {
        self.seen.get(&self.hash(endpoint, id)).is_some_and(|first| *first < moment.0)
    }

    pub(crate) fn own(&mut self, resource: OwnedResource) {
        self.owned.insert(key(&resource.endpoint, &resource.id), Entry { resource, alive: true });
    }

    /// It is gone; it stays ours.
    pub(crate) fn gone(&mut self, endpoint: &str, id: &str) -> bool {
        match self.owned.get_mut(&key(endpoint, id)) {
            Some(entry) if entry.alive => {
                entry.alive = false;
                true
            }
            _ => false,
        }
    }

    pub(crate) fn get(&self, endpoint: &str, id: &str) -> Option<&OwnedResource> {
        self.owned.get(&key(endpoint, id)).map(|entry| &entry.resource)
    }

    /// Whether it is ours and not known to be gone.
    pub(crate) fn is_alive(&self, endpoint: &str, id: &str) -> bool {
        self.owned.get(&key(endpoint, id)).is_some_and(|entry| entry.alive)
    }

    /// What is ours and not known to be gone, in the order of creation.
    pub(crate) fn alive(&self) -> impl DoubleEndedIterator<Item = &OwnedResource> {
        self.owned.values().filter(|entry| entry.alive).map(|entry| &entry.resource)
    }

    /// All that ever was ours, in the order of creation.
    pub(crate) fn all(&self) -> impl Iterator<Item = &OwnedResource> {
        self.owned.values().map(|entry| &entry.resource)
    }

    /// Declares ids that no resource can have had before this run.
    pub(crate) fn declare(&mut self, ids: impl IntoIterator<Item = String>) {
        self.never_existed.extend(ids);
    }

    /// Remembers the strangers in an answer: rows of a list, or the resource itself. A row that carries the mark
    /// is no stranger, even before the answer to its create has come. What is ours and counted as gone, yet is
    /// still answered, counts as alive again and is returned.
    pub(crate) fn observe(
        &mut self,
        endpoint: &str,
        answer: &Value,
        endpoint_of: impl Fn(&str) -> Option<String>,
    ) -> Vec<OwnedResource> {
        let mut revived = Vec::new();
        let rows: Vec<&Value> = match member(answer, "Resources").and_then(Value::as_array) {
            Some(rows) => rows.iter().collect(),
            None => vec![answer],
        };
        self.clock += 1;
        for row in rows {
            let Some(id) = identifier(row) else { continue };
            let declared = row.pointer("/meta/resourceType").and_then(Value::as_str).and_then(&endpoint_of);
            let endpoint = declared.as_deref().unwrap_or(endpoint);
            if let Some(entry) = self.owned.get_mut(&key(endpoint, &id)) {
                if !entry.alive {
                    entry.alive = true;
                    revived.push(entry.resource.clone());
                }
                continue;
            }
            if self.marks(row) || self.seen.len() >= MEMORY {
                continue;
            }
            let hash = self.hash(endpoint, &id);
            self.seen.entry(hash).or_insert(self.clock);
            let anywhere = self.hash("", &id);
            self.seen_anywhere.insert(anywhere);
        }
        revived
    }

    fn hash(&self, endpoint: &str, id: &str) -> u64 {
        self.hasher.hash_one(key(endpoint, id))
    }
}

impl Ownership for Register {
    fn owns(&self, endpoint: &str, id: &str) -> bool {
        self.owned.contains_key(&key(endpoint, id))
    }

    fn never_existed(&self, id: &str) -> bool {
        self.never_existed.contains(id) || self.marked(id)
    }

    fn is_foreign(&self, endpoint: Option<&str>, id: &str) -> bool {
        match endpoint {
            Some(endpoint) => !self.owns(endpoint, id) && self.seen.contains_key(&self.hash(endpoint, id)),
            // Ids such as `7` may be ours at one endpoint and somebody's at another.
            None => {
                self.seen_anywhere.contains(&self.hash("", id))
                    && !self.owned.keys().any(|(_, owned)| *owned == folded(id))
            }
        }
    }
}

/// A member of an object, whatever the case of its name.
fn member<'a>(value: &'a Value, name: &str) -> Option<&'a Value> {
    let members = value.as_object()?;
    members
        .get(name)
        .or_else(|| members.iter().find(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, value)| value))
}

/// The id of a resource, as text; some service providers send a number.
pub(crate) fn identifier(resource: &Value) -> Option<String> {
    match member(resource, "id")? {
        Value::String(id) if !id.is_empty() => Some(id.clone()),
        Value::Number(id) => Some(id.to_string()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn register() -> Register {
        Register::new("M4rk")
    }

    fn user(id: &str) -> OwnedResource {
        OwnedResource {
            endpoint: "/Users".to_owned(),
            id: id.to_owned(),
            resource_type: "User".to_owned(),
            origin: "test".to_owned(),
        }
    }

    fn endpoint_of(name: &str) -> Option<String> {
        (name == "Group").then(|| "/Groups".to_owned())
    }

    #[test]
    fn the_mark_is_found_in_any_value_but_not_in_names() {
        let register = register();
        assert!(register.marks(&json!({"userName": "ANN-M4RK@EXAMPLE.COM"})));
        assert!(register.marks(&json!({"emails": [{"value": "x-m4rk-y"}]})));
        assert!(!register.marks(&json!({"m4rk": "x"})));
        assert!(!Register::new("").marks(&json!({"a": ""})));
    }

    #[test]
    fn strangers_are_remembered_with_the_moment() {
        let mut register = register();
        register.own(user("ours"));
        let before = register.now();
        let list = json!({"Resources": [
            {"id": "ours"}, {"id": "theirs"}, {"id": 7}, {"id": "in-flight", "userName": "m4rk-2"},
            {"id": "theirs", "meta": {"resourceType": "Group"}}, {"id": ""}, "odd"
        ]});
        register.observe("/Users", &list, endpoint_of);
        let after = register.now();

        assert!(register.seen_before("/users/", "theirs", after));
        assert!(register.seen_before("/Groups", "theirs", after));
        assert!(register.seen_before("/Users", "7", after));
        assert!(!register.seen_before("/Users", "theirs", before), "seen only after that create was sent");
        assert!(!register.seen_before("/Users", "ours", after));
        assert!(!register.seen_before("/Users", "in-flight", after));
        assert!(register.is_foreign(Some("/Users"), "theirs"));
        assert!(register.is_foreign(None, "7"));
        register.own(OwnedResource { endpoint: "/Groups".to_owned(), ..user("7") });
        assert!(!register.is_foreign(None, "7"), "ours at another endpoint");
        assert!(register.is_foreign(Some("/Users"), "7"));
    }

    #[test]
    fn what_is_gone_stays_ours() {
        let mut register = register();
        register.own(user("a"));
        assert!(register.gone("/Users", "a"));
        assert!(!register.gone("/Users", "a"));
        assert!(register.owns("/Users", "a"));
        assert_eq!(register.alive().count(), 0);
        register.own(user("a"));
        assert_eq!(register.alive().count(), 1, "the id was given out again");
    }

    #[test]
    fn an_id_cannot_exist_when_it_was_declared_or_carries_the_mark() {
        let mut register = register();
        assert!(!register.never_existed("some-uuid"));
        register.declare(["some-uuid".to_owned()]);
        assert!(register.never_existed("some-uuid"));
        assert!(register.never_existed("no-such-m4rk"));
    }

    #[test]
    fn an_e_mail_address_is_one_id_in_any_case_and_no_other_id_is() {
        let mut register = register();
        register.own(user("Ann@example.com"));
        assert!(register.owns("/Users", "ann@EXAMPLE.com") && register.owns("/Users", "Ann@example.com"));
        assert!(register.gone("/Users", "ANN@example.com"));
        assert_eq!(register.alive().count(), 0);
        register.own(user("Ab"));
        assert!(!register.owns("/Users", "ab"));
    }
}
