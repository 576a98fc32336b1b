//! What the server does where the RFCs leave the choice. The stages ask here; which choice is taken is a matter of
//! options and of [`variants`](super::variants). Every setting is legal: a setting that is not would be a fault.

use super::bulk::BulkLimits;
use super::{Demands, ServerOptions};
use crate::scim::patch::PatchOptions;

/// The choices of one server.
#[derive(Debug, Clone)]
pub(crate) struct Behaviour {
    /// What it insists on beyond the RFC.
    pub demands: Demands,
    /// The most resources in one page, and the size of a page where the client does not say.
    pub max_results: usize,
    /// The limits of a bulk job.
    pub bulk: BulkLimits,
    /// How PATCH is read.
    pub patch: PatchOptions,
}

impl Behaviour {
    /// The choices that the options and their variants make.
    pub(crate) fn of(options: &ServerOptions) -> Self {
        let mut behaviour = Self {
            demands: options.demands.clone(),
            max_results: options.max_results.max(1),
            bulk: options.bulk,
            patch: PATCH_OPTIONS,
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
