//! Filters where the RFC leaves the choice (RFC 7644 §3.4.2.2).

use super::super::variant::VariantEntry;

pub(super) const VARIANTS: &[VariantEntry] = &[];
