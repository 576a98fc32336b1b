//! HTTP: methods, media types, headers, authentication (RFC 7644 §2, §3.2, §3.8, §3.14).

use super::super::variant::VariantEntry;

pub(super) const VARIANTS: &[VariantEntry] = &[];
