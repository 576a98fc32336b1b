//! How a resource is shown (RFC 7643 §2–4, RFC 7644 §3.9).

use super::super::variant::VariantEntry;

pub(super) const VARIANTS: &[VariantEntry] = &[];
