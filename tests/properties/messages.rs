//! Filters, paths and PATCH requests: whatever the text, it is read or refused; what is read prints as the same, and does
//! what the algebra says.

use std::sync::LazyLock;

use scimspec::scim::definition::ResourceDefinition;
use scimspec::scim::filter::evaluate::problems;
use scimspec::scim::filter::{Filter, matches};
use scimspec::scim::patch::{PatchOptions, PatchRequest, apply};
use scimspec::scim::path::{AttributePath, PatchPath};
use scimspec::scim::project::Projection;
use scimspec::scim::schema::SchemaSet;
use serde_json::{Value, json};

static USER: LazyLock<(ResourceDefinition, Value)> = LazyLock::new(|| {
    let definition = SchemaSet::core().definition("User").expect("the core schemas define it");
    let mut resource: Value =
        serde_json::from_str(include_str!("../../fixtures/full-user.json")).expect("it is JSON");
    resource["id"] = "2819c223".into();
    (definition, resource)
});

/// What is read prints as the same filter, and `not` gives the opposite of it.
pub fn filter(text: &str) {
    let Ok(filter) = Filter::parse(text) else { return };
    let printed = filter.to_string();
    assert_eq!(Filter::parse(&printed).as_ref(), Ok(&filter), "{printed}");
    let (definition, resource) = &*USER;
    if problems(&filter, definition).is_empty() {
        let is_match = matches(&filter, resource, definition).expect("it suits the schema");
        let negated = Filter::Not(Box::new(filter));
        assert_eq!(matches(&negated, resource, definition), Ok(!is_match), "{printed}");
    }
}

/// What is read prints as the same path.
pub fn path(text: &str) {
    if let Ok(path) = PatchPath::parse(text) {
        let printed = path.to_string();
        assert_eq!(PatchPath::parse(&printed), Ok(path), "{printed}");
    }
    if let Ok(path) = AttributePath::parse(text) {
        let printed = path.to_string();
        assert_eq!(AttributePath::parse(&printed), Ok(path), "{printed}");
    }
    if let Ok(projection) = Projection::parse(Some(text), None) {
        let (definition, _) = &*USER;
        let shown =
            projection.apply(&json!({"id": "1", "userName": "ann", "name": {"givenName": "A"}}), definition);
        assert_eq!(shown["id"], "1", "id is always returned");
    }
}

/// What is read is applied or refused whole, in both sets of choices, and leaves a resource behind that has its id.
pub fn patch(body: &[u8]) {
    let Ok(body) = serde_json::from_slice::<Value>(body) else { return };
    let (definition, resource) = &*USER;
    for options in [PatchOptions::default(), PatchOptions::entra()] {
        if let Ok(operations) = PatchRequest::parse(&body, options)
            && let Ok(after) = apply(&operations, resource, definition, options)
        {
            assert_eq!(after["id"], resource["id"], "{body}");
        }
    }
}
