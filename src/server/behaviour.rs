//! What the server does where the RFCs leave the choice. The stages ask here; which choice is taken is a matter of
//! options and of [`variants`](super::variants), each of whose settings is legal. A [profile](super::profiles) settles
//! what a vendor documents, be it legal or not.

use serde_json::{Map, Value};

use super::bulk::BulkLimits;
use super::endpoint::{BASE_PATH, Endpoint, Kind};
use super::rate::RateLimit;
use super::store::Store;
use super::{Demands, ServerOptions};
use crate::scim::patch::PatchOptions;
use crate::scim::schema::SchemaSet;

/// The attributes of a user who is invited by an e-mail address.
pub(crate) type Invite = fn(&str) -> Map<String, Value>;

/// The id of the user that the body of a create is about.
pub(crate) type KnownAs = fn(&Store, &Map<String, Value>) -> Option<String>;

/// The choices of one server.
#[derive(Debug, Clone)]
pub(crate) struct Behaviour {
    /// What it insists on beyond the RFC.
    pub demands: Demands,
    /// The most resources in one page.
    pub max_results: usize,
    /// The limits of a bulk job.
    pub bulk: BulkLimits,
    /// The size of a page where the client does not say; none for as many as there may be.
    pub default_page: Option<usize>,
    /// Whether resources without a value for `sortBy` come first in ascending order, instead of last.
    pub missing_sorts_lowest: bool,
    /// What becomes of members that do not exist.
    pub unknown_members: UnknownMembers,
    /// How PATCH is read.
    pub patch: PatchOptions,
    /// The finest difference between two times that the server tells.
    pub clock_step: chrono::Duration,
    /// What is changed in the core schemas and resource types before the server takes them for its own.
    pub schemas: Vec<fn(&mut SchemaSet)>,
    /// The path under which the server stands.
    pub base_path: &'static str,
    /// Whether there are all endpoints of the RFC, or those of resources only.
    pub is_whole: bool,
    /// How many requests each tenant has in a window of time.
    pub rate_limit: Option<RateLimit>,
    /// What the ids of users are.
    pub user_ids: UserIds,
    /// How a member that does not exist, and whose value is an e-mail address, becomes a user; none where it does not.
    pub invite: Option<Invite>,
    /// What a user becomes who accepts the invitation; none where nobody is invited.
    pub accept: Option<fn(&mut Map<String, Value>)>,
    /// Whether a user whose `active` a write makes false is removed.
    pub inactive_leave: bool,
    /// The user that a create is for, if there is one already: it is updated. None where a create makes a new one.
    pub known_as: Option<KnownAs>,
    /// How the people of the directory that is there from the beginning become users; none where they are already.
    pub seeded: Option<fn(&Store, &mut Store)>,
    /// What becomes of an old key.
    pub old_keys: OldKeys,
}

/// What becomes of a key when there is a new one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum OldKeys {
    /// It is refused at once.
    Refused,
    /// It is refused at once, and the limit on requests begins anew for the new one.
    RefusedWithTheirLimit,
    /// It goes on.
    Taken,
}

/// What the ids of users are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum UserIds {
    /// Texts that mean nothing, and compare exactly.
    Opaque,
    /// Their user names, which compare without regard to case.
    UserNames,
}

impl UserIds {
    /// The id of the user that a client names so, as the server spells it; none if it has no spelling of its own.
    pub(crate) fn spelling<'a>(self, store: &'a Store, named: &str) -> Option<&'a str> {
        match self {
            Self::Opaque => None,
            Self::UserNames => store.users_named(named).next().map(|user| user.id.as_str()),
        }
    }

    /// The endpoint with the id as the server spells it.
    pub(crate) fn resolve(self, endpoint: Endpoint, store: &Store) -> Endpoint {
        match endpoint {
            Endpoint::Resource(Kind::User, id) => {
                let known = self.spelling(store, &id).map(str::to_owned);
                Endpoint::Resource(Kind::User, known.unwrap_or(id))
            }
            other => other,
        }
    }
}

/// What becomes of a member of a group that does not exist.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum UnknownMembers {
    /// The request is refused.
    Refused,
    /// The group lists it.
    Taken,
    /// The group is written without it.
    Dropped,
}

impl Behaviour {
    /// The choices that the options make, with their profile, then their variants, then their faults.
    pub(crate) fn of(options: &ServerOptions) -> Self {
        let mut behaviour = Self {
            demands: options.demands.clone(),
            max_results: options.max_results.max(1),
            bulk: options.bulk,
            default_page: None,
            missing_sorts_lowest: false,
            unknown_members: UnknownMembers::Refused,
            patch: PATCH_OPTIONS,
            clock_step: chrono::Duration::milliseconds(1),
            schemas: Vec::new(),
            base_path: BASE_PATH,
            is_whole: true,
            rate_limit: options.rate_limit,
            user_ids: UserIds::Opaque,
            invite: None,
            accept: None,
            inactive_leave: false,
            known_as: None,
            seeded: None,
            old_keys: OldKeys::Refused,
        };
        if let Some(profile) = options.profile {
            (profile.entry().settle)(&mut behaviour);
        }
        for variant in &options.variants {
            if let Some(settle) = variant.entry().settle {
                settle(&mut behaviour);
            }
        }
        for fault in &options.faults {
            if let Some(settle) = fault.entry().settle {
                settle(&mut behaviour);
            }
        }
        behaviour
    }
}

/// How PATCH is read. Where the RFC leaves a choice, the one that identity providers rely on: they write `Replace`,
/// name paths in the keys of a value, repeat the `id` there, select an element that they expect to be made, and list the
/// values that a remove is to take.
const PATCH_OPTIONS: PatchOptions = PatchOptions {
    lower_case_op_only: false,
    boolean_strings: false,
    add_creates_from_filter: true,
    replace_creates_from_filter: false,
    remove_listed_values: true,
    path_keys: true,
    extension_paths: true,
    ignore_read_only_members: true,
    ignore_unknown: false,
    max_operations: Some(1000),
};
