//! Deviations from what Amplitude documents.

use super::super::super::fault::FaultEntry;

pub(super) const FAULTS: &[FaultEntry] = &[];
