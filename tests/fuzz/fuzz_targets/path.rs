//! Whatever the text, a path of a PATCH operation, an attribute path and a list of attributes is read or refused; what
//! is read prints as the same path.

#![no_main]

use libfuzzer_sys::fuzz_target;
use scimspec::scim::path::{AttributePath, PatchPath};
use scimspec::scim::project::Projection;
use scimspec::scim::schema::SchemaSet;
use serde_json::json;

fuzz_target!(|text: &str| {
    if let Ok(path) = PatchPath::parse(text) {
        let printed = path.to_string();
        assert_eq!(PatchPath::parse(&printed), Ok(path), "{printed}");
    }
    if let Ok(path) = AttributePath::parse(text) {
        let printed = path.to_string();
        assert_eq!(AttributePath::parse(&printed), Ok(path), "{printed}");
    }
    if let Ok(projection) = Projection::parse(Some(text), None) {
        let definition = SchemaSet::core().definition("User").expect("the core schemas define it");
        let shown = projection.apply(&json!({"id": "1", "userName": "ann", "name": {"givenName": "A"}}), &definition);
        assert_eq!(shown["id"], "1", "id is always returned");
    }
});
