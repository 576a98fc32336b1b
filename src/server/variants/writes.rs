//! POST, PUT and DELETE where the RFC leaves the choice (RFC 7644 §3.3, §3.5.1, §3.6).

use super::super::variant::VariantEntry;

pub(super) const VARIANTS: &[VariantEntry] = &[];
