//! What the server does where the RFCs leave the choice. The stages ask here; which choice is taken is a matter of
//! options and of [`variants`](super::variants). Every setting is legal: a setting that is not would be a fault.

use super::bulk::BulkLimits;
use super::{Demands, ServerOptions};
use crate::scim::patch::PatchOptions;
use crate::scim::schema::SchemaSet;

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
    /// The choices that the options and their variants make.
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
        };
        for variant in &options.variants {
            if let Some(settle) = variant.entry().settle {
                settle(&mut behaviour);
            }
        }
        behaviour
    }
}

/// How PATCH is read. Where the RFC leaves a choice, the one that identity providers rely on: they write `Replace`,
/// name paths in the keys of a value, repeat the `id` there, and select an element that they expect to be made.
const PATCH_OPTIONS: PatchOptions = PatchOptions {
    lower_case_op_only: false,
    boolean_strings: false,
    add_creates_from_filter: true,
    replace_creates_from_filter: false,
    remove_listed_values: false,
    path_keys: true,
    extension_paths: true,
    ignore_read_only_members: true,
    ignore_unknown: false,
    max_operations: Some(1000),
};
