//! The names of one case: what `${…}` stands for, which resources are behind it, what was sent.
//!
//! A handle's state is what a read last showed. The answer to a write never becomes the state, since a server
//! that echoes the request would then be compared with itself.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::judge::{Handle, Ours};
use crate::suite::fresh::Generator;
use crate::suite::template::Scope;

/// A resource that the run created, with where it lives.
#[derive(Debug, Clone, PartialEq)]
pub struct Created {
    /// What the judge knows of it.
    pub handle: Handle,
    /// The endpoint it lives under: `/Users`.
    pub endpoint: String,
}

/// The names of one case.
pub struct CaseNames {
    /// The maker of the case's own values.
    pub generator: Generator,
    /// The values of templates.
    pub scope: Scope,
    /// The resources.
    pub ours: Ours,
    /// The request bodies by step id.
    pub sent: BTreeMap<String, Value>,
    /// The alternatives that were taken, by step id.
    pub matched: BTreeMap<String, String>,
    endpoints: BTreeMap<String, String>,
    known: BTreeSet<String>,
    stale: BTreeSet<String>,
    read: BTreeSet<String>,
}

impl CaseNames {
    /// The names of a case that has none yet but those of the run: its mark, the domain of userNames.
    pub fn new(generator: Generator) -> CaseNames {
        let mut names = CaseNames {
            scope: Scope::new(),
            ours: Ours::new(),
            sent: BTreeMap::new(),
            matched: BTreeMap::new(),
            endpoints: BTreeMap::new(),
            known: BTreeSet::new(),
            stale: BTreeSet::new(),
            read: BTreeSet::new(),
            generator,
        };
        let mark = Value::from(names.generator.mark());
        names.value("run", mark);
        let domain = Value::from(names.generator.domain());
        names.value("domain", domain);
        names
    }

    /// Names a plain value.
    pub fn value(&mut self, name: &str, value: Value) {
        self.known.insert(name.to_owned());
        self.scope.insert(name, value);
    }

    /// Names a resource. `read` says whether its state comes from a read, so that it can be compared with.
    pub fn resource(&mut self, name: &str, created: &Created, read: bool) {
        self.known.insert(name.to_owned());
        self.scope.insert_handle(name, &with_id(&created.handle));
        self.ours.insert(name, created.handle.clone());
        self.endpoints.insert(name.to_owned(), created.endpoint.clone());
        if read {
            self.stale.remove(name);
            self.read.insert(name.to_owned());
        } else {
            self.stale.insert(name.to_owned());
            self.read.remove(name);
        }
    }

    /// Names several resources.
    pub fn resources(&mut self, name: &str, all: &[Created]) {
        if let [one] = all {
            return self.resource(name, one, false);
        }
        self.known.insert(name.to_owned());
        let states: Vec<Value> = all.iter().map(|created| with_id(&created.handle)).collect();
        self.scope.insert_handles(name, &states);
        self.ours.insert_many(name, all.iter().map(|created| created.handle.clone()).collect());
        if let Some(first) = all.first() {
            self.endpoints.insert(name.to_owned(), first.endpoint.clone());
        }
    }

    /// Whether the name stands for anything yet.
    pub fn knows(&self, name: &str) -> bool {
        self.known.contains(name)
    }

    /// Where the resource of that name lives, and its id.
    pub fn whereabouts(&self, name: &str) -> Option<(String, String)> {
        let id = self.ours.handle(name)?.id.clone()?;
        Some((self.endpoints.get(name)?.clone(), id))
    }

    /// The resource as last read.
    pub fn state(&self, name: &str) -> Option<Value> {
        self.ours.handle(name)?.state.clone()
    }

    /// Takes note of what a read showed.
    pub fn observed(&mut self, name: &str, state: Value) {
        let Some(mut handle) = self.ours.handle(name).cloned() else { return };
        handle.state = Some(state);
        self.scope.insert_handle(name, &with_id(&handle));
        self.ours.insert(name, handle);
        self.stale.remove(name);
        self.read.insert(name.to_owned());
    }

    /// Whether a read has ever shown the resource of that name.
    pub fn was_read(&self, name: &str) -> bool {
        self.read.contains(name)
    }

    /// Whether the state of the name does not come from a read since the last write.
    pub fn is_stale(&self, name: &str) -> bool {
        self.stale.contains(name)
    }

    /// Takes note of a write: whatever was read before may be different now.
    pub fn written(&mut self) {
        self.stale.extend(self.endpoints.keys().cloned());
    }
}

/// The state of a handle with its id in it, also where the answer held the id only in its Location.
pub(super) fn with_id(handle: &Handle) -> Value {
    let mut state = handle.state.clone().unwrap_or_else(|| Value::Object(serde_json::Map::new()));
    if let (Value::Object(members), Some(id)) = (&mut state, &handle.id) {
        let shown = members.entry("id").or_insert_with(|| Value::from(id.clone()));
        // Some service providers send a number, in some of their answers; as a name it is always the text.
        if shown.is_number() {
            *shown = Value::from(id.clone());
        }
    }
    state
}
