//! The mechanism of faults: a named defect, and the seams of the server at which it may rewrite what passes.
//!
//! A fault sees only data that crosses a seam, and changes only that; the stages on both sides never know. The
//! catalogue itself is [`faults`](super::faults).

use std::collections::HashMap;
use std::fmt;

use axum::http::Method;
use serde_json::{Map, Value};

use super::attribute::CoreAttribute;
use super::behaviour::Behaviour;
use super::endpoint::{Endpoint, Kind};
use super::faults;
use super::message::{Answer, Request};
use super::profile;
use super::query::Query;
use super::store::Store;
use super::variant::Variant;
use crate::scim::bulk::{BulkOperation, BulkRequest};
use crate::scim::definition::ResourceDefinition;
use crate::scim::error::ScimError;
use crate::scim::filter::Filter;
use crate::scim::patch::PatchOperation;

/// A place where data passes from one stage of the server to the next.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Seam {
    /// The request, and the parameters read from it.
    Request,
    /// The parsed filter.
    Filter,
    /// The operations of a PATCH.
    Operations,
    /// A bulk job, and each of its operations.
    Bulk,
    /// A resource before and after a write.
    Resource,
    /// The resources that a query or a check for uniqueness considers.
    Rows,
    /// The answer: status, headers, body, and when it is sent.
    Answer,
    /// The bytes of an answer, below HTTP.
    Wire,
    /// What one request sees of another that is under way at the same time.
    Overlap,
}

impl fmt::Display for Seam {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Request => "request",
            Self::Filter => "filter",
            Self::Operations => "operations",
            Self::Bulk => "bulk",
            Self::Resource => "resource",
            Self::Rows => "rows",
            Self::Answer => "answer",
            Self::Wire => "wire",
            Self::Overlap => "overlap",
        })
    }
}

/// One defect of the catalogue.
#[derive(Debug, Clone, Copy)]
pub struct FaultEntry {
    /// Its name, permanent: in kebab-case; of a family, `family:attribute`.
    pub name: &'static str,
    /// The defects seen on real servers that it stands for: ids of the form `DEF-001`. Empty where none of them was
    /// collected; then the requirements say why it is here.
    pub defects: &'static [&'static str],
    /// What a client sees, in one sentence.
    pub client_sees: &'static str,
    /// Who is hurt by it, and how.
    pub hurts: &'static str,
    /// The requirements that it breaks: at most three.
    pub requirements: &'static [&'static str],
    /// The family that it belongs to: one defect of many attributes.
    pub family: Option<FamilyMember>,
    /// What of the server's behaviour it settles otherwise. Only faults of a [profile](super::ServerProfile) do.
    pub(crate) settle: Option<fn(&mut Behaviour)>,
    pub(crate) rewrites: &'static [Rewrite],
}

/// What a fault of a family is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FamilyMember {
    /// The family's name, in kebab-case.
    pub family: &'static str,
    /// What of the attribute is not kept.
    pub characteristic: Characteristic,
    /// The attribute: `User.title`, `User.name.givenName`, `EnterpriseUser.department`, `Group.members`.
    pub attribute: &'static str,
}

/// What a service provider can get wrong about an attribute (RFC 7643 §2.2), and what it does with its values.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Characteristic {
    /// The data type.
    Type,
    /// Whether there can be many values.
    MultiValued,
    /// Who may write it, and when.
    Mutability,
    /// When it is shown.
    Returned,
    /// Whether case matters.
    CaseExact,
    /// Whether there has to be a value.
    Required,
    /// Whether others may have the same value.
    Uniqueness,
    /// That what is written is kept.
    Storage,
    /// That it can be searched by.
    Filter,
    /// That it can be sorted by.
    Sort,
}

impl FaultEntry {
    /// The first seam at which the defect acts.
    pub fn seam(&self) -> Seam {
        self.rewrites.first().map_or(Seam::Answer, Rewrite::seam)
    }
}

/// A defect that is to be planted.
#[derive(Clone, Copy)]
pub struct Fault(&'static FaultEntry);

impl Fault {
    /// The fault of this name, in the general catalogue or in that of a profile.
    ///
    /// # Errors
    /// If there is none; the error names the nearest.
    pub fn from_name(name: &str) -> Result<Self, UnknownFault> {
        let all = || faults::catalogue().iter().chain(profile::all_faults());
        match all().find(|entry| entry.name == name) {
            Some(entry) => Ok(Self(entry)),
            None => Err(UnknownFault {
                name: name.to_owned(),
                nearest: nearest(name, all().map(|entry| entry.name)),
            }),
        }
    }

    /// A fault that is in no catalogue.
    #[cfg(test)]
    pub(crate) fn of(entry: &'static FaultEntry) -> Self {
        Self(entry)
    }

    /// Its name.
    pub fn name(self) -> &'static str {
        self.0.name
    }

    /// Its entry in the catalogue.
    pub fn entry(self) -> &'static FaultEntry {
        self.0
    }
}

impl fmt::Debug for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Fault").field(&self.0.name).finish()
    }
}

/// No fault has this name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("there is no fault {name:?}{}", .nearest.map(|name| format!("; did you mean {name}?")).unwrap_or_default())]
pub struct UnknownFault {
    /// The name given.
    pub name: String,
    /// The most similar name that there is, if one is similar.
    pub nearest: Option<&'static str>,
}

/// The name most like the one given, if one is similar. Names here are long, and whole words of them get lost.
pub(super) fn nearest(name: &str, names: impl IntoIterator<Item = &'static str>) -> Option<&'static str> {
    names
        .into_iter()
        .map(|known| (similar::TextDiff::from_chars(name, known).ratio(), known))
        .max_by(|(a, _), (b, _)| a.total_cmp(b))
        .filter(|(ratio, _)| *ratio > 0.5)
        .map(|(_, name)| name)
}

/// What a fault does, and where.
#[derive(Clone, Copy)]
pub(crate) enum Rewrite {
    Request(fn(&mut Request)),
    Query(fn(&mut Query)),
    Filter(fn(&mut ParsedFilter<'_>)),
    Operations(fn(&mut PatchOperations<'_>)),
    Bulk(fn(&mut BulkJob)),
    BulkStep(fn(&mut BulkStep<'_>)),
    Change(fn(&mut Change<'_>)),
    Rows(fn(&mut Rows<'_>)),
    Conflicts(fn(&mut Conflicts<'_>)),
    Answer(fn(&mut Seen<'_>, &mut Answer)),
    /// For what the HTTP library would mend. The bytes begin with the head of an answer, unless they are the rest of a
    /// long one.
    Wire(fn(&mut Vec<u8>)),
    /// Which requests may overlap: two for which it says the same see the store as the first of them found it.
    Overlap(fn(&Request) -> Option<String>),
    /// What a family does, to this attribute.
    Of(&'static CoreAttribute, AttributeRewrite),
}

/// What a family of faults does to an attribute, and where.
#[derive(Clone, Copy)]
pub(crate) enum AttributeRewrite {
    Query(fn(&CoreAttribute, &mut Query)),
    Filter(fn(&CoreAttribute, &mut ParsedFilter<'_>)),
    Change(fn(&CoreAttribute, &mut Change<'_>)),
    Rows(fn(&CoreAttribute, &mut Rows<'_>)),
    Answer(fn(&CoreAttribute, &mut Seen<'_>, &mut Answer)),
}

impl AttributeRewrite {
    fn seam(&self) -> Seam {
        match self {
            Self::Query(_) => Seam::Request,
            Self::Filter(_) => Seam::Filter,
            Self::Change(_) => Seam::Resource,
            Self::Rows(_) => Seam::Rows,
            Self::Answer(_) => Seam::Answer,
        }
    }
}

impl Rewrite {
    fn seam(&self) -> Seam {
        match self {
            Self::Request(_) | Self::Query(_) => Seam::Request,
            Self::Filter(_) => Seam::Filter,
            Self::Operations(_) => Seam::Operations,
            Self::Bulk(_) | Self::BulkStep(_) => Seam::Bulk,
            Self::Change(_) => Seam::Resource,
            Self::Rows(_) | Self::Conflicts(_) => Seam::Rows,
            Self::Answer(_) => Seam::Answer,
            Self::Wire(_) => Seam::Wire,
            Self::Overlap(_) => Seam::Overlap,
            Self::Of(_, rewrite) => rewrite.seam(),
        }
    }
}

impl fmt::Debug for Rewrite {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.seam().fmt(f)
    }
}

/// What planted faults remember between requests. Empty as long as none needs it.
#[derive(Debug, Default)]
pub(crate) struct Memory {
    /// Resources that were deleted, as they last looked.
    pub deleted: Vec<Value>,
    /// Of each resource that was changed, how it looked before the last change.
    pub previous: HashMap<String, Value>,
    /// Of each resource, members that answers show although the store does not have them.
    pub shown: HashMap<String, Map<String, Value>>,
    /// Of each address, the entity tag that an answer gave last.
    pub tags: HashMap<String, String>,
}

/// A filter after parsing, or why it is none.
pub(crate) struct ParsedFilter<'a> {
    pub text: &'a str,
    /// The first resource type that it is to be applied to.
    pub definition: &'a ResourceDefinition,
    pub parsed: Result<Option<Filter>, ScimError>,
}

/// The operations of a PATCH before they are applied.
pub(crate) struct PatchOperations<'a> {
    pub list: Vec<PatchOperation>,
    pub definition: &'a ResourceDefinition,
    pub id: &'a str,
    pub before: &'a Value,
    pub memory: &'a mut Memory,
}

/// A bulk job before its first operation.
pub(crate) struct BulkJob {
    pub request: BulkRequest,
    /// Which operations run, and in which order; those of one group refer to each other in a circle.
    pub groups: Vec<Vec<usize>>,
    /// Why the job is refused as a whole, if it is; then there are no groups.
    pub refusal: Option<ScimError>,
}

/// An operation of a bulk job, its references resolved.
pub(crate) struct BulkStep<'a> {
    /// The operation as it was sent.
    pub sent: &'a BulkOperation,
    pub path: String,
    pub data: Option<Value>,
    pub version: Option<String>,
    /// The answer, where there is one before the operation has run: a refusal.
    pub answer: Option<Answer>,
}

/// A write before it reaches the store.
pub(crate) struct Change<'a> {
    pub method: &'a Method,
    pub kind: Kind,
    pub definition: &'a ResourceDefinition,
    /// What the client sent.
    pub sent: &'a Value,
    /// The operations of a PATCH.
    pub operations: &'a [PatchOperation],
    /// How the resource looks now; none if it is to be created.
    pub before: Option<&'a Value>,
    /// How it is to look; none if it is to be deleted, or the write is refused.
    pub after: Option<Value>,
    /// Why the write is refused, if it is.
    pub refusal: Option<ScimError>,
    /// The id; of a create, the one that is to be given.
    pub id: String,
    /// Whether the time of change grows even if nothing changes.
    pub touch: bool,
    pub store: &'a Store,
    pub memory: &'a mut Memory,
}

/// The resources that matched a query, before sorting and paging.
pub(crate) struct Rows<'a> {
    pub endpoint: &'a Endpoint,
    pub filter: Option<&'a Filter>,
    pub rows: Vec<Value>,
    pub store: &'a Store,
    pub base: &'a str,
    pub memory: &'a mut Memory,
}

/// The ids of the resources that have a unique value which a write wants.
pub(crate) struct Conflicts<'a> {
    pub method: &'a Method,
    pub user_name: &'a str,
    pub store: &'a Store,
    pub ids: Vec<String>,
    pub memory: &'a Memory,
}

/// What an answer answers.
pub(crate) struct Seen<'a> {
    pub request: &'a Request,
    pub endpoint: &'a Endpoint,
    pub store: &'a Store,
    pub base: &'a str,
    pub memory: &'a mut Memory,
}

/// The rewrites of one server: those of its variants, and those of its faults.
#[derive(Debug, Default)]
pub(crate) struct Planted {
    rewrites: Vec<&'static Rewrite>,
}

macro_rules! seam {
    ($name:ident, $variant:ident, $data:ty) => {
        pub(crate) fn $name(&self, data: &mut $data) {
            for rewrite in &self.rewrites {
                if let Rewrite::$variant(rewrite) = rewrite {
                    rewrite(data);
                }
            }
        }
    };
    ($name:ident, $variant:ident, $data:ty, of attributes) => {
        pub(crate) fn $name(&self, data: &mut $data) {
            for rewrite in &self.rewrites {
                match rewrite {
                    Rewrite::$variant(rewrite) => rewrite(data),
                    Rewrite::Of(attribute, AttributeRewrite::$variant(rewrite)) => rewrite(attribute, data),
                    _ => {}
                }
            }
        }
    };
}

impl Planted {
    /// What a profile does comes first, then variants: a fault spoils what the server would say.
    pub(crate) fn new(profile: &'static [Rewrite], faults: &[Fault], variants: &[Variant]) -> Self {
        let legal = profile.iter().chain(variants.iter().flat_map(|variant| variant.entry().rewrites));
        Self { rewrites: legal.chain(faults.iter().flat_map(|fault| fault.0.rewrites)).collect() }
    }

    /// Whether anything rewrites the rows of queries, so that they have to be resources before they are a page.
    pub(crate) fn rewrite_rows(&self) -> bool {
        self.rewrites
            .iter()
            .any(|rewrite| rewrite.seam() == Seam::Rows && !matches!(rewrite, Rewrite::Conflicts(_)))
    }

    /// Whether anything rewrites answers below HTTP.
    pub(crate) fn rewrite_wire(&self) -> bool {
        self.rewrites.iter().any(|rewrite| rewrite.seam() == Seam::Wire)
    }

    seam!(request, Request, Request);
    seam!(query, Query, Query, of attributes);
    seam!(filter, Filter, ParsedFilter<'_>, of attributes);
    seam!(operations, Operations, PatchOperations<'_>);
    seam!(bulk, Bulk, BulkJob);
    seam!(bulk_step, BulkStep, BulkStep<'_>);
    seam!(change, Change, Change<'_>, of attributes);
    seam!(rows, Rows, Rows<'_>, of attributes);
    seam!(conflicts, Conflicts, Conflicts<'_>);
    seam!(wire, Wire, Vec<u8>);

    /// What a request has in common with those that it may overlap with, if with any.
    pub(crate) fn overlap(&self, request: &Request) -> Option<String> {
        self.rewrites.iter().find_map(|rewrite| match rewrite {
            Rewrite::Overlap(key) => key(request),
            _ => None,
        })
    }

    pub(crate) fn answer(&self, seen: &mut Seen<'_>, answer: &mut Answer) {
        for rewrite in &self.rewrites {
            match rewrite {
                Rewrite::Answer(rewrite) => rewrite(seen, answer),
                Rewrite::Of(attribute, AttributeRewrite::Answer(rewrite)) => rewrite(attribute, seen, answer),
                _ => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_name_gets_a_hint() {
        let error = Fault::from_name("filter-ignord").unwrap_err();
        assert_eq!(error.nearest, Some("filter-ignored"));
        assert!(error.to_string().contains("did you mean filter-ignored?"));
        assert_eq!(Fault::from_name("###").unwrap_err().nearest, None);
    }
}
