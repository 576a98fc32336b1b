//! Lists: their pages and their order (RFC 7644 §3.4.2).

use super::super::variant::VariantEntry;
use super::choice;

pub(super) const VARIANTS: &[VariantEntry] = &[choice(
    "page-of-ten",
    &["AMB-55"],
    "A page has at most ten resources, whatever the client asks for, and filter.maxResults says so.",
    "RFC 7644 section 3.4.2.4: a service provider may return fewer results than count asks for",
    |behaviour| behaviour.max_results = 10,
)];
