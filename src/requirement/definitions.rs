//! Which requirements say how the attributes of the core schemas are defined (RFC 7643 section 8.7). Refuses to know the
//! definitions themselves.

use crate::scim::names;

/// For each attribute of the core schemas, the requirements that its definition breaks if it differs: first that of
/// section 8.7, then what the text before it says of the same attribute.
const REQUIREMENTS: &[(&str, &str, &[&str])] = &[
    (names::USER, "userName", &["RFC7643-8.7.1-01"]),
    (names::USER, "name", &["RFC7643-8.7.1-02", "RFC7643-4.1.1-06"]),
    (names::USER, "displayName", &["RFC7643-8.7.1-03"]),
    (names::USER, "nickName", &["RFC7643-8.7.1-04", "RFC7643-4.1.1-10"]),
    (names::USER, "profileUrl", &["RFC7643-8.7.1-05", "RFC7643-4.1.1-10"]),
    (names::USER, "title", &["RFC7643-8.7.1-06", "RFC7643-4.1.1-11"]),
    (names::USER, "userType", &["RFC7643-8.7.1-07", "RFC7643-4.1.1-11"]),
    (names::USER, "preferredLanguage", &["RFC7643-8.7.1-08"]),
    (names::USER, "locale", &["RFC7643-8.7.1-09"]),
    (names::USER, "timezone", &["RFC7643-8.7.1-10"]),
    (names::USER, "active", &["RFC7643-8.7.1-11"]),
    (names::USER, "password", &["RFC7643-8.7.1-12"]),
    (names::USER, "emails", &["RFC7643-8.7.1-13"]),
    (names::USER, "phoneNumbers", &["RFC7643-8.7.1-14"]),
    (names::USER, "ims", &["RFC7643-8.7.1-15"]),
    (names::USER, "photos", &["RFC7643-8.7.1-16"]),
    (names::USER, "addresses", &["RFC7643-8.7.1-17", "RFC7643-4.1.2-16"]),
    (names::USER, "groups", &["RFC7643-8.7.1-18"]),
    (names::USER, "entitlements", &["RFC7643-8.7.1-19"]),
    (names::USER, "roles", &["RFC7643-8.7.1-20"]),
    (names::USER, "x509Certificates", &["RFC7643-8.7.1-21"]),
    (names::GROUP, "displayName", &["RFC7643-8.7.1-22"]),
    (names::GROUP, "members", &["RFC7643-8.7.1-23"]),
    (names::ENTERPRISE_USER, "employeeNumber", &["RFC7643-8.7.1-24", "RFC7643-4.3-02"]),
    (names::ENTERPRISE_USER, "costCenter", &["RFC7643-8.7.1-25", "RFC7643-4.3-02"]),
    (names::ENTERPRISE_USER, "organization", &["RFC7643-8.7.1-26", "RFC7643-4.3-02"]),
    (names::ENTERPRISE_USER, "division", &["RFC7643-8.7.1-27", "RFC7643-4.3-02"]),
    (names::ENTERPRISE_USER, "department", &["RFC7643-8.7.1-28", "RFC7643-4.3-02"]),
    (names::ENTERPRISE_USER, "manager", &["RFC7643-8.7.1-29", "RFC7643-4.3-03"]),
    (names::SERVICE_PROVIDER_CONFIG, "documentationUri", &["RFC7643-8.7.2-01"]),
    (names::SERVICE_PROVIDER_CONFIG, "patch", &["RFC7643-8.7.2-02"]),
    (names::SERVICE_PROVIDER_CONFIG, "bulk", &["RFC7643-8.7.2-03"]),
    (names::SERVICE_PROVIDER_CONFIG, "filter", &["RFC7643-8.7.2-04"]),
    (names::SERVICE_PROVIDER_CONFIG, "changePassword", &["RFC7643-8.7.2-05"]),
    (names::SERVICE_PROVIDER_CONFIG, "sort", &["RFC7643-8.7.2-06"]),
    (names::SERVICE_PROVIDER_CONFIG, "authenticationSchemes", &["RFC7643-8.7.2-07"]),
    (names::RESOURCE_TYPE, "id", &["RFC7643-8.7.2-08"]),
    (names::RESOURCE_TYPE, "name", &["RFC7643-8.7.2-09"]),
    (names::RESOURCE_TYPE, "description", &["RFC7643-8.7.2-10"]),
    (names::RESOURCE_TYPE, "endpoint", &["RFC7643-8.7.2-11"]),
    (names::RESOURCE_TYPE, "schema", &["RFC7643-8.7.2-12"]),
    (names::RESOURCE_TYPE, "schemaExtensions", &["RFC7643-8.7.2-13"]),
    (names::SCHEMA, "id", &["RFC7643-8.7.2-14"]),
    (names::SCHEMA, "name", &["RFC7643-8.7.2-15"]),
    (names::SCHEMA, "description", &["RFC7643-8.7.2-16"]),
    (names::SCHEMA, "attributes", &["RFC7643-8.7.2-17"]),
];

/// The requirements that say how an attribute of a core schema is defined, that of section 8.7 first; `None` for attributes
/// that RFC 7643 does not print. Both names in their own spelling.
pub fn of_definition(urn: &str, attribute: &str) -> Option<&'static [&'static str]> {
    let found = REQUIREMENTS.iter().find(|(id, name, _)| *id == urn && *name == attribute);
    found.map(|(_, _, requirements)| *requirements)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::requirement::Catalogue;
    use crate::scim::schema::SchemaSet;

    #[test]
    fn every_printed_attribute_has_the_requirement_that_names_it() {
        let catalogue = Catalogue::embedded();
        let mut seen = BTreeSet::new();
        for (urn, name, requirements) in REQUIREMENTS {
            let schema = SchemaSet::core().schema(urn).expect("a core schema");
            assert!(schema.attribute(name).is_some(), "{urn} has no {name}");
            let first = catalogue.get(requirements[0]).expect("it is in the catalogue");
            let short = urn.trim_start_matches("urn:ietf:params:scim:schemas:");
            let sentence = format!("Schema {short} publishes {name} as ");
            assert!(first.sentence.starts_with(&sentence), "{} is not about {name}", first.id);
            assert!(seen.insert(requirements[0]), "{} stands there twice", first.id);
        }
        assert_eq!(seen.len(), 46);
    }
}
