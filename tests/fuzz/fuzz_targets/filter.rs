//! Whatever the text, a filter is read or refused in bounded time; what is read prints as the same filter, and is
//! evaluated over a resource without a panic, `not` giving the opposite.

#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use scimspec::scim::definition::ResourceDefinition;
use scimspec::scim::filter::evaluate::problems;
use scimspec::scim::filter::{Filter, matches};
use scimspec::scim::schema::SchemaSet;
use serde_json::Value;

static USER: LazyLock<(ResourceDefinition, Value)> = LazyLock::new(|| {
    let definition = SchemaSet::core().definition("User").expect("the core schemas define it");
    let resource = serde_json::from_str(include_str!("../../../fixtures/full-user.json")).expect("it is JSON");
    (definition, resource)
});

fuzz_target!(|text: &str| {
    let Ok(filter) = Filter::parse(text) else { return };
    let printed = filter.to_string();
    assert_eq!(Filter::parse(&printed).as_ref(), Ok(&filter), "{printed}");
    let (definition, resource) = &*USER;
    if problems(&filter, definition).is_empty() {
        let is_match = matches(&filter, resource, definition).expect("it suits the schema");
        let negated = Filter::Not(Box::new(filter));
        assert_eq!(matches(&negated, resource, definition), Ok(!is_match), "{printed}");
    }
});
