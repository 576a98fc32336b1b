//! What fuzzing is made of, as strategies that any property can compose: resources of a schema, literals near what is
//! held, filters over terms, other spellings of the same filter, and texts that are no filter.
//!
//! Nothing here knows a network, and nothing here judges.

pub mod data;
pub mod filter;
pub mod invalid;
pub mod lifecycle;
pub mod literal;
pub mod patch;
pub mod patch_slip;
pub mod spelling;
