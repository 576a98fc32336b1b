//! Whatever the body, a PATCH request is read or refused; what is read is applied or refused whole, in both sets of
//! choices, and leaves a resource behind that still has its id.

#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use scimspec::scim::definition::ResourceDefinition;
use scimspec::scim::patch::{PatchOptions, PatchRequest, apply};
use scimspec::scim::schema::SchemaSet;
use serde_json::Value;

static USER: LazyLock<(ResourceDefinition, Value)> = LazyLock::new(|| {
    let definition = SchemaSet::core().definition("User").expect("the core schemas define it");
    let mut resource: Value =
        serde_json::from_str(include_str!("../../../fixtures/full-user.json")).expect("it is JSON");
    resource["id"] = "2819c223".into();
    (definition, resource)
});

fuzz_target!(|body: &[u8]| {
    let Ok(body) = serde_json::from_slice::<Value>(body) else { return };
    let (definition, resource) = &*USER;
    for options in [PatchOptions::default(), PatchOptions::entra()] {
        if let Ok(operations) = PatchRequest::parse(&body, options)
            && let Ok(after) = apply(&operations, resource, definition, options)
        {
            assert_eq!(after["id"], resource["id"], "{body}");
        }
    }
});
