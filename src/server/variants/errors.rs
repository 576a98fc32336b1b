//! Errors: their statuses, keywords and words (RFC 7644 §3.12).

use super::super::variant::VariantEntry;

pub(super) const VARIANTS: &[VariantEntry] = &[];
