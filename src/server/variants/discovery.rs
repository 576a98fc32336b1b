//! Discovery: what the service provider says of itself (RFC 7643 §5–7, RFC 7644 §4).

use super::super::variant::VariantEntry;

pub(super) const VARIANTS: &[VariantEntry] = &[];
