//! Deviations from what Amplitude documents: each one thing that a server could plausibly get wrong, with the documented
//! behaviours that it contradicts.

mod groups;
mod lists;
mod users;

use super::super::super::fault::FaultEntry;

pub(super) const FAULTS: &[&[FaultEntry]] = &[users::FAULTS, groups::FAULTS, lists::FAULTS];
