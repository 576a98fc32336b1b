//! The profiles of the server: vendors' servers as their documents describe them, one file each. Where the documents
//! leave something open, the file of the profile says what was chosen and why, with the id of the documented
//! behaviour that it is about.

mod amplitude;
mod learnamp;

use super::behaviour::Behaviour;
use super::fault::{FaultEntry, Rewrite};
use super::faults::{SHOW, fault};
use super::profile::ProfileEntry;

/// All profiles.
pub fn catalogue() -> &'static [ProfileEntry] {
    &[amplitude::PROFILE, learnamp::PROFILE]
}

/// An entry of a profile's catalogue of faults that rewrites data: name, documented behaviours that it contradicts,
/// what a client sees, who is hurt, and what it does where.
const fn rewriting(
    name: &'static str,
    contradicts: &'static [&'static str],
    client_sees: &'static str,
    hurts: &'static str,
    rewrites: &'static [Rewrite],
) -> FaultEntry {
    fault(name, &[], client_sees, hurts, contradicts, rewrites)
}

/// As [`rewriting`], of a fault that settles a choice of the server otherwise.
const fn settling(
    name: &'static str,
    contradicts: &'static [&'static str],
    client_sees: &'static str,
    hurts: &'static str,
    settle: fn(&mut Behaviour),
) -> FaultEntry {
    FaultEntry { settle: Some(settle), ..fault(name, &[], client_sees, hurts, contradicts, &[]) }
}
