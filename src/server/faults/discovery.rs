//! Discovery that is missing, incomplete or untrue (RFC 7644 §4).

use axum::http::StatusCode;
use serde_json::{Map, Value, json};

use super::super::endpoint::Endpoint;
use super::super::fault::{FaultEntry, Rewrite};
use super::super::message::{Answer, Request};
use super::super::rewrite::{
    count_rows, each_attribute, each_resource_type, each_schema, list, service_config, without,
};
use super::{fault, object, refuse};
use crate::scim::list::ListResponse;
use crate::scim::names;
use Rewrite::{Answer as At, Request as Before};

pub(super) const FAULTS: &[FaultEntry] = &[
    fault(
        "service-config-missing",
        &["DEF-019"],
        "/ServiceProviderConfig answers 404.",
        "clients that ask what is supported",
        &["RFC7644-3.2-11", "RFC7644-4-02"],
        &[At(|seen, answer| {
            if *seen.endpoint == Endpoint::ServiceProviderConfig {
                refuse(answer, StatusCode::NOT_FOUND, None, "no such endpoint");
            }
        })],
    ),
    fault(
        "service-config-in-a-list",
        &["DEF-030"],
        "/ServiceProviderConfig answers a ListResponse with one row.",
        "typed clients",
        &["RFC7644-4-02", "RFC7643-8.5-01", "RFC7644-4-03"],
        &[At(|seen, answer| {
            if let Some(config) = service_config(seen, answer) {
                *config = match ListResponse::complete(vec![Value::Object(config.clone())]).to_json() {
                    Value::Object(list) => list,
                    _ => Map::new(),
                };
            }
        })],
    ),
    fault(
        "service-config-without-schemas",
        &["DEF-024"],
        "/ServiceProviderConfig has no schemas.",
        "clients that tell documents by their URN",
        &["RFC7644-4-02", "RFC7643-5-01", "RFC7643-2.1-01"],
        &[At(|seen, answer| without(service_config(seen, answer), &["schemas"]))],
    ),
    fault(
        "service-config-without-patch",
        &["DEF-024"],
        "/ServiceProviderConfig has no patch.",
        "clients, which then update with PUT and erase what they do not know",
        &["RFC7643-5-05", "RFC7644-3.5-03"],
        &[At(|seen, answer| without(service_config(seen, answer), &["patch"]))],
    ),
    fault(
        "service-config-without-bulk",
        &["DEF-024"],
        "/ServiceProviderConfig has no bulk.",
        "typed clients",
        &["RFC7643-5-06"],
        &[At(|seen, answer| without(service_config(seen, answer), &["bulk"]))],
    ),
    fault(
        "service-config-without-sort-and-etag",
        &["DEF-024"],
        "/ServiceProviderConfig has neither sort nor etag nor changePassword.",
        "typed clients",
        &["RFC7643-5-14", "RFC7643-5-15", "RFC7643-5-12"],
        &[At(|seen, answer| {
            without(service_config(seen, answer), &["sort", "etag", "changePassword"]);
        })],
    ),
    fault(
        "service-config-without-max-results",
        &["DEF-024"],
        "filter.maxResults is missing.",
        "typed clients",
        &["RFC7643-5-10"],
        &[At(|seen, answer| {
            if let Some(Value::Object(filter)) =
                service_config(seen, answer).and_then(|config| config.get_mut("filter"))
            {
                filter.shift_remove("maxResults");
            }
        })],
    ),
    fault(
        "service-config-without-authentication-schemes",
        &["DEF-024"],
        "/ServiceProviderConfig has no authenticationSchemes.",
        "clients that ask how to authenticate",
        &["RFC7643-5-16"],
        &[At(|seen, answer| without(service_config(seen, answer), &["authenticationSchemes"]))],
    ),
    fault(
        "service-config-authentication-scheme-untyped",
        &[],
        "An authentication scheme has no type.",
        "clients that choose by it",
        &["RFC7643-5-18"],
        &[At(|seen, answer| {
            let schemes =
                service_config(seen, answer).and_then(|config| config.get_mut("authenticationSchemes"));
            for scheme in schemes.and_then(Value::as_array_mut).into_iter().flatten() {
                without(scheme.as_object_mut(), &["type"]);
            }
        })],
    ),
    fault(
        "service-config-booleans-as-text",
        &["DEF-024"],
        "supported is the text \"true\" in /ServiceProviderConfig.",
        "typed clients",
        &["RFC7643-2.3.2-01", "RFC7643-5-05", "RFC7643-5-15"],
        &[At(|seen, answer| {
            for feature in service_config(seen, answer).into_iter().flat_map(Map::values_mut) {
                if let Some(supported) = feature.get_mut("supported") {
                    *supported = supported.to_string().into();
                }
            }
        })],
    ),
    fault(
        "service-config-claims-bulk",
        &["DEF-025"],
        "/ServiceProviderConfig says that bulk is supported, which it is not.",
        "clients that choose bulk",
        &["RFC7643-5-24"],
        &[At(|seen, answer| {
            if let Some(config) = service_config(seen, answer) {
                config.insert(
                    "bulk".to_owned(),
                    json!({ "supported": true, "maxOperations": 1000, "maxPayloadSize": 1_048_576 }),
                );
            }
            if *seen.endpoint == Endpoint::Bulk {
                refuse(answer, StatusCode::NOT_IMPLEMENTED, None, "there are no bulk operations");
            }
        })],
    ),
    fault(
        "schemas-missing",
        &["DEF-023"],
        "/Schemas answers 404.",
        "schema-driven clients",
        &["RFC7644-4-04", "RFC7644-3.2-11", "RFC7644-3.1-03"],
        &[At(|seen, answer| {
            if matches!(seen.endpoint, Endpoint::Schemas | Endpoint::Schema(_)) {
                refuse(answer, StatusCode::NOT_FOUND, None, "no such endpoint");
            }
        })],
    ),
    fault(
        "schemas-empty",
        &["DEF-023"],
        "/Schemas is an empty list.",
        "schema-driven clients",
        &["RFC7644-4-04", "RFC7643-7-01", "RFC7643-1.2-01"],
        &[At(|seen, answer| {
            if *seen.endpoint == Endpoint::Schemas {
                *answer = Answer::json(StatusCode::OK, ListResponse::complete(Vec::new()).to_json());
            }
        })],
    ),
    fault(
        "schemas-as-array",
        &["DEF-030"],
        "/Schemas is a bare array.",
        "schema-driven clients",
        &["RFC7644-4-04", "RFC7644-4-09"],
        &[At(|seen, answer| {
            if *seen.endpoint == Endpoint::Schemas {
                as_array(answer);
            }
        })],
    ),
    fault(
        "schema-by-id-missing",
        &["DEF-027"],
        "/Schemas/{urn} answers 404 for a schema that the list has.",
        "clients that look up one schema",
        &["RFC7644-4-05", "RFC7644-4-08"],
        &[At(|seen, answer| {
            if matches!(seen.endpoint, Endpoint::Schema(_)) {
                refuse(answer, StatusCode::NOT_FOUND, None, "no such schema");
            }
        })],
    ),
    fault(
        "schemas-without-enterprise-user",
        &["DEF-029"],
        "/Schemas lacks the enterprise extension, which /ResourceTypes names and the server accepts.",
        "Entra's discovery of attributes",
        &["RFC7643-7-01", "RFC7643-6-09"],
        &[At(|seen, answer| {
            if let Some(schemas) = list(seen, answer, &Endpoint::Schemas) {
                schemas.retain(|schema| {
                    schema.get("id").and_then(Value::as_str) != Some(names::ENTERPRISE_USER)
                });
                count_rows(answer);
            }
        })],
    ),
    fault(
        "schemas-without-schemas",
        &["DEF-022"],
        "The schemas in /Schemas have no schemas member.",
        "clients that tell documents by their URN",
        &["RFC7643-7-03", "RFC7643-2.1-01"],
        &[At(|seen, answer| {
            each_schema(seen, answer, |schema| without(Some(schema), &["schemas"]));
        })],
    ),
    fault(
        "schemas-without-id",
        &[],
        "The schemas in /Schemas have no id.",
        "schema-driven clients, which do not find the schema of a resource",
        &["RFC7643-7-03", "RFC7643-7-06"],
        &[At(|seen, answer| {
            each_schema(seen, answer, |schema| without(Some(schema), &["id"]));
        })],
    ),
    fault(
        "schemas-with-messages",
        &[],
        "/Schemas lists the schema of a message.",
        "schema-driven clients, which offer it as a resource",
        &["RFC7644-3.1-05"],
        &[At(|seen, answer| {
            if let Some(schemas) = list(seen, answer, &Endpoint::Schemas) {
                let mut message = schemas.first().cloned().unwrap_or_default();
                message["id"] = names::LIST_RESPONSE.into();
                schemas.push(message);
                count_rows(answer);
            }
        })],
    ),
    fault(
        "schema-user-name-optional",
        &["DEF-032"],
        "/Schemas says that userName is not required.",
        "schema-driven clients, whose creates fail",
        &["RFC7643-4.1.1-03"],
        &[At(|seen, answer| {
            each_attribute(seen, answer, "userName", |attribute| {
                attribute.insert("required".to_owned(), false.into());
            });
        })],
    ),
    fault(
        "schema-password-readable",
        &["DEF-026"],
        "/Schemas says that the password is returned by default.",
        "clients that ask for it",
        &["RFC7643-4.1.1-25"],
        &[At(|seen, answer| {
            each_attribute(seen, answer, "password", |attribute| {
                attribute.insert("returned".to_owned(), "default".into());
                attribute.insert("mutability".to_owned(), "readWrite".into());
            });
        })],
    ),
    fault(
        "schema-display-name-read-only",
        &["DEF-026"],
        "/Schemas says that displayName is readOnly, which it is not.",
        "Rippling, Okta and Entra, which then leave it out",
        &["RFC7643-2.2-02"],
        &[At(|seen, answer| {
            each_attribute(seen, answer, "displayName", |attribute| {
                attribute.insert("mutability".to_owned(), "readOnly".into());
            });
        })],
    ),
    fault(
        "schema-emails-single-valued",
        &[],
        "/Schemas says that emails has one value.",
        "schema-driven clients, which send an object",
        &["RFC7643-7-13", "RFC7643-2.4-01"],
        &[At(|seen, answer| {
            each_attribute(seen, answer, "emails", |attribute| {
                attribute.insert("multiValued".to_owned(), false.into());
            });
        })],
    ),
    fault(
        "schema-type-undefined",
        &[],
        "/Schemas gives active a type that SCIM does not have.",
        "typed clients",
        &["RFC7643-7-10"],
        &[At(|seen, answer| {
            each_attribute(seen, answer, "active", |attribute| {
                attribute.insert("type".to_owned(), "bool".into());
            });
        })],
    ),
    fault(
        "schema-attributes-without-names",
        &[],
        "An attribute in /Schemas has no name.",
        "schema-driven clients",
        &["RFC7643-7-09", "RFC7644-4-06"],
        &[At(|seen, answer| {
            each_attribute(seen, answer, "nickName", |attribute| without(Some(attribute), &["name"]));
        })],
    ),
    fault(
        "resource-types-missing",
        &["DEF-023"],
        "/ResourceTypes answers 404.",
        "clients that ask what there is",
        &["RFC7644-3.2-11", "RFC7644-4-07"],
        &[At(|seen, answer| {
            if matches!(seen.endpoint, Endpoint::ResourceTypes | Endpoint::ResourceType(_)) {
                refuse(answer, StatusCode::NOT_FOUND, None, "no such endpoint");
            }
        })],
    ),
    fault(
        "resource-types-empty",
        &["DEF-023"],
        "/ResourceTypes is an empty list.",
        "clients that ask what there is",
        &["RFC7644-4-07"],
        &[At(|seen, answer| {
            if *seen.endpoint == Endpoint::ResourceTypes {
                *answer = Answer::json(StatusCode::OK, ListResponse::complete(Vec::new()).to_json());
            }
        })],
    ),
    fault(
        "resource-types-as-array",
        &["DEF-030"],
        "/ResourceTypes is a bare array.",
        "clients that ask what there is",
        &["RFC7644-4-09"],
        &[At(|seen, answer| {
            if *seen.endpoint == Endpoint::ResourceTypes {
                as_array(answer);
            }
        })],
    ),
    fault(
        "resource-types-repeated",
        &[],
        "/ResourceTypes lists each resource type twice.",
        "clients that index by name",
        &["RFC7643-6-04", "RFC7644-4-07"],
        &[At(|seen, answer| {
            if let Some(types) = list(seen, answer, &Endpoint::ResourceTypes) {
                let again = types.clone();
                types.extend(again);
                count_rows(answer);
            }
        })],
    ),
    fault(
        "resource-types-wrong-endpoint",
        &[],
        "/ResourceTypes says that users are at /User.",
        "clients that go there",
        &["RFC7643-6-06", "RFC7644-4-07", "RFC7644-3.2-01"],
        &[At(|seen, answer| {
            each_resource_type(seen, answer, |resource_type| {
                if resource_type.get("name").and_then(Value::as_str) == Some("User") {
                    resource_type.insert("endpoint".to_owned(), "/User".into());
                }
            });
        })],
    ),
    fault(
        "resource-types-unknown-schema",
        &[],
        "/ResourceTypes names a schema that /Schemas does not have.",
        "schema-driven clients",
        &["RFC7643-6-07", "RFC7643-4.1-01", "RFC7643-4.2-01"],
        &[At(|seen, answer| {
            each_resource_type(seen, answer, |resource_type| {
                if let Some(schema) = resource_type.get_mut("schema") {
                    *schema = format!("{}Account", schema.as_str().unwrap_or_default()).into();
                }
            });
        })],
    ),
    fault(
        "resource-types-without-schema",
        &[],
        "The resource types have no schema member.",
        "schema-driven clients",
        &["RFC7643-6-02", "RFC7643-6-07"],
        &[At(|seen, answer| {
            each_resource_type(seen, answer, |it| without(Some(it), &["schema"]));
        })],
    ),
    fault(
        "resource-types-without-extension",
        &["DEF-029"],
        "/ResourceTypes does not name the enterprise extension, which the server accepts.",
        "clients that ask which extensions there are",
        &["RFC7644-4-07", "RFC7643-3-03"],
        &[At(|seen, answer| {
            each_resource_type(seen, answer, |resource_type| {
                resource_type.insert("schemaExtensions".to_owned(), json!([]));
            });
        })],
    ),
    fault(
        "resource-type-by-id-missing",
        &["DEF-027"],
        "/ResourceTypes/{id} answers 404 for a type that the list has.",
        "clients that look up one type",
        &["RFC7644-4-08"],
        &[At(|seen, answer| {
            if matches!(seen.endpoint, Endpoint::ResourceType(_)) {
                refuse(answer, StatusCode::NOT_FOUND, None, "no such resource type");
            }
        })],
    ),
    fault(
        "discovery-filter-accepted",
        &[],
        "A filter on a discovery endpoint is ignored instead of refused with 403.",
        "clients that rely on the filter",
        &["RFC7644-4-11"],
        &[Before(|request| {
            if is_discovery(request) {
                request.query.retain(|(name, _)| name != "filter");
            }
        })],
    ),
    fault(
        "discovery-paging-applied",
        &[],
        "count shortens the lists of discovery.",
        "clients that send their usual parameters everywhere",
        &["RFC7644-4-10"],
        &[At(|seen, answer| {
            let count = seen.request.parameter("count").and_then(|count| count.parse().ok());
            if let (true, Some(count)) = (seen.endpoint.is_discovery(), count)
                && let Some(Value::Array(rows)) = object(answer).and_then(|body| body.get_mut("Resources"))
            {
                rows.truncate(count);
                count_rows(answer);
            }
        })],
    ),
    fault(
        "discovery-writable",
        &[],
        "POST to /Schemas is answered with 201.",
        "everybody: the schemas are no client's",
        &["RFC7643-7-02", "RFC7644-3.2-11"],
        &[At(|seen, answer| {
            if *seen.endpoint == Endpoint::Schemas && answer.status == StatusCode::METHOD_NOT_ALLOWED {
                *answer = Answer::json(StatusCode::CREATED, json!({}));
            }
        })],
    ),
];

fn is_discovery(request: &Request) -> bool {
    Endpoint::of(request.base_path, &request.path, &[]).is_discovery()
}

fn as_array(answer: &mut Answer) {
    let rows = object(answer).and_then(|body| body.get("Resources")).cloned();
    if let (Some(rows), Some(body)) = (rows, answer.body_mut()) {
        *body = rows;
    }
}
