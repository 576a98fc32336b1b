//! Learn Amp's SCIM server, as its help page describes it.

use super::super::behaviour::Behaviour;
use super::super::profile::ProfileEntry;

pub(super) const PROFILE: ProfileEntry = ProfileEntry {
    name: "learnamp",
    title: "Learn Amp's SCIM server, by its help page",
    faults: &[],
    is_controlled: false,
    settle,
    rewrites: &[],
};

fn settle(_: &mut Behaviour) {}
