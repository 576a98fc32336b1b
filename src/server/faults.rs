//! The catalogue of faults: each a defect that real servers have had, or that a requirement forbids, with the place
//! where it is planted. The functions that do it stand beside their entries, by what they are about.

mod attributes;
mod bulk;
mod changes;
mod cursors;
mod discovery;
mod disputed;
mod errors;
mod filters;
mod http;
mod lists;
mod patches;
mod protocol;
mod provisioning;
mod queries;
mod rare;
mod representation;
mod schemas;
mod tenants;
mod writes;

use std::sync::LazyLock;

use serde_json::Value;

use super::fault::{FaultEntry, Rewrite};
use super::rewrite::{body_of, each_resource, object, refuse, rewrite_body, set_raw, set_status};

static CATALOGUE: LazyLock<Vec<FaultEntry>> = LazyLock::new(|| {
    [
        errors::FAULTS,
        http::FAULTS,
        discovery::FAULTS,
        representation::FAULTS,
        lists::FAULTS,
        cursors::FAULTS,
        filters::FAULTS,
        writes::FAULTS,
        patches::FAULTS,
        bulk::FAULTS,
        tenants::FAULTS,
        provisioning::FAULTS,
        queries::FAULTS,
        rare::FAULTS,
        schemas::FAULTS,
        changes::FAULTS,
        protocol::FAULTS,
        disputed::FAULTS,
        &attributes::faults(),
    ]
    .concat()
});

/// All faults that can be planted, ordered by what they are about: one file after the other, and then the families over
/// the attributes of the core schemas.
pub fn catalogue() -> &'static [FaultEntry] {
    &CATALOGUE
}

/// An entry: name, defects that it stands for, what a client sees, who is hurt, requirements that it breaks, and what
/// it does where.
pub(super) const fn fault(
    name: &'static str,
    defects: &'static [&'static str],
    client_sees: &'static str,
    hurts: &'static str,
    requirements: &'static [&'static str],
    rewrites: &'static [Rewrite],
) -> FaultEntry {
    FaultEntry { name, defects, client_sees, hurts, requirements, family: None, settle: None, rewrites }
}

/// Shows, in each resource of an answer, what faults remember that it should show.
pub(super) const SHOW: Rewrite = Rewrite::Answer(|seen, answer| {
    let shown = std::mem::take(&mut seen.memory.shown);
    each_resource(seen, answer, |resource| {
        let id = resource.get("id").and_then(Value::as_str).unwrap_or_default();
        if let Some(members) = shown.get(id) {
            for (name, value) in members.clone() {
                resource.insert(name, value);
            }
        }
    });
    seen.memory.shown = shown;
});
