//! The catalogue of variants: each a legal answer that some service provider gives where this server gives another,
//! with what makes it legal. The functions that do it stand beside their entries, by what they are about.

mod bulk;
mod discovery;
mod errors;
mod filters;
mod http;
mod lists;
mod patches;
mod representation;
mod writes;

use std::sync::LazyLock;

use super::behaviour::Behaviour;
use super::fault::Rewrite;
use super::variant::VariantEntry;

static CATALOGUE: LazyLock<Vec<VariantEntry>> = LazyLock::new(|| {
    [
        errors::VARIANTS,
        http::VARIANTS,
        discovery::VARIANTS,
        representation::VARIANTS,
        lists::VARIANTS,
        filters::VARIANTS,
        writes::VARIANTS,
        patches::VARIANTS,
        bulk::VARIANTS,
    ]
    .concat()
});

/// All variants that the server can be, ordered by what they are about: errors, HTTP, discovery, representation, lists,
/// filters, writes, PATCH, bulk jobs.
pub fn catalogue() -> &'static [VariantEntry] {
    &CATALOGUE
}

/// An entry that settles a choice of the server.
const fn choice(
    name: &'static str,
    disputes: &'static [&'static str],
    client_sees: &'static str,
    allowed_by: &'static str,
    settle: fn(&mut Behaviour),
) -> VariantEntry {
    VariantEntry { name, disputes, client_sees, allowed_by, settle: Some(settle), rewrites: &[] }
}

/// An entry that rewrites what passes a seam.
const fn rewriting(
    name: &'static str,
    disputes: &'static [&'static str],
    client_sees: &'static str,
    allowed_by: &'static str,
    rewrites: &'static [Rewrite],
) -> VariantEntry {
    VariantEntry { name, disputes, client_sees, allowed_by, settle: None, rewrites }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn entries_are_whole_and_names_unique() {
        let mut names = BTreeSet::new();
        for entry in catalogue() {
            let name = entry.name;
            assert!(names.insert(name), "{name} is there twice");
            assert!(
                name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-'),
                "{name}"
            );
            assert!(entry.client_sees.ends_with('.'), "{name}: {}", entry.client_sees);
            assert!(entry.allowed_by.contains("RFC"), "{name}: no source in {:?}", entry.allowed_by);
            assert!(entry.settle.is_some() || !entry.rewrites.is_empty(), "{name} does nothing");
        }
    }
}
