//! The catalogue of faults.

use super::fault::FaultEntry;

static CATALOGUE: &[FaultEntry] = &[];

/// All faults that can be planted.
pub fn catalogue() -> &'static [FaultEntry] {
    CATALOGUE
}
