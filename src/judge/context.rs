//! What the judge has to know beside the exchange: names and their values, what the service provider claims,
//! what the run created, and which reading of the RFCs applies.
//!
//! Everything here is given by the executor. The judge asks; it never fetches.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::outcome::{Level, Place, Reading};
use crate::profile::PageSize;
use crate::scim::schema::SchemaSet;
use crate::suite::model::Requires;
use crate::suite::template::Scope;

/// What the service provider claims, with the evidence.
pub trait Claims {
    /// Whether a requirement of a suite is met.
    ///
    /// # Errors
    /// The evidence that it is not: `ServiceProviderConfig.sort.supported = false`.
    fn check(&self, requires: &Requires) -> Result<(), String>;

    /// The most resources of a list, where `filter.maxResults` says (RFC 7643 section 5).
    fn max_results(&self) -> Option<u64> {
        None
    }

    /// How pages are asked for and how long they are, where a vendor documents that otherwise than the RFCs.
    fn page_size(&self) -> Option<&PageSize> {
        None
    }
}

/// A resource that the case knows by a name.
#[derive(Debug, Clone, PartialEq)]
pub struct Handle {
    /// The name of its resource type: `User`.
    pub resource_type: String,
    /// The id the service provider gave it, if the answer held one.
    pub id: Option<String>,
    /// Its last known state: what a read, or else the answer to the last write, showed.
    pub state: Option<Value>,
}

/// What is ours: the case's resources by name, and the ids of everything the run created.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Ours {
    handles: BTreeMap<String, Vec<Handle>>,
    created: BTreeSet<String>,
}

impl Ours {
    /// Nothing yet.
    pub fn new() -> Ours {
        Ours::default()
    }

    /// Names a resource; whatever the name stood for before is replaced.
    pub fn insert(&mut self, name: impl Into<String>, handle: Handle) {
        self.insert_many(name, vec![handle]);
    }

    /// Names several resources at once (`times: n`).
    pub fn insert_many(&mut self, name: impl Into<String>, handles: Vec<Handle>) {
        self.created.extend(handles.iter().filter_map(|handle| handle.id.clone()));
        self.handles.insert(name.into(), handles);
    }

    /// Remembers an id that this run created, in whichever case.
    pub fn insert_created(&mut self, id: impl Into<String>) {
        self.created.insert(id.into());
    }

    /// The resource of that name; `None` where the name is unknown or stands for several.
    pub fn handle(&self, name: &str) -> Option<&Handle> {
        match self.handles.get(name).map(Vec::as_slice) {
            Some([handle]) => Some(handle),
            _ => None,
        }
    }

    /// The resources of that name: none where it is unknown.
    pub fn handles(&self, name: &str) -> &[Handle] {
        self.handles.get(name).map(Vec::as_slice).unwrap_or_default()
    }

    /// All names with their resources.
    pub fn named(&self) -> impl Iterator<Item = (&str, &Handle)> {
        self.handles
            .iter()
            .flat_map(|(name, handles)| handles.iter().map(move |handle| (name.as_str(), handle)))
    }

    /// The name by which the case knows the id.
    pub fn name_of(&self, id: &str) -> Option<&str> {
        self.named()
            .find(|(_, handle)| handle.id.as_deref().is_some_and(|known| same_id(known, id)))
            .map(|(name, _)| name)
    }

    /// Whether the run created the id, in this case or another.
    pub fn created(&self, id: &str) -> bool {
        self.created.contains(id) || self.created.iter().any(|known| same_id(known, id))
    }
}

/// Whether two ids name the same resource. Ids are case-exact (RFC 7643 section 3.1), but a server that uses
/// e-mail addresses as ids may fold their case.
pub fn same_id(a: &str, b: &str) -> bool {
    a == b || (a.contains('@') && a.eq_ignore_ascii_case(b))
}

/// Everything that [`judge`](super::judge) has to know beside the exchange.
#[derive(Clone, Copy)]
pub struct Context<'a> {
    /// The values of the case's names.
    pub scope: &'a Scope,
    /// The service provider's own schemas and resource types, completed from the core ones.
    pub schemas: &'a SchemaSet,
    /// What the service provider claims.
    pub capabilities: &'a dyn Claims,
    /// Which reading of the RFCs applies.
    pub reading: Reading,
    /// What is ours.
    pub ours: &'a Ours,
    /// The request bodies of the case's steps, by step id.
    pub sent: &'a BTreeMap<String, Value>,
    /// The filter of the query judged, resolved; `None` for a query without one and for anything else.
    pub filter: Option<&'a str>,
    /// The level of the case, row or step: what blocks and checks without one of their own inherit. One that
    /// cites requirements of its own is judged at the strongest of these.
    pub level: Level,
    /// The requirement ids of the case and step.
    pub spec: &'a [String],
    /// Where a part of the expectation stands, by its path below `expect`: `any[1].error.scimType`, or the
    /// empty path for the expectation itself.
    pub place: &'a dyn Fn(&str) -> Place,
}
