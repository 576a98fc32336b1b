//! Which resource type a body is of: by the endpoint asked, else by what the body says of itself.

use serde_json::Value;

use crate::scim::definition::ResourceDefinition;
use crate::scim::names;
use crate::scim::resource::{get, schemas};
use crate::scim::schema::{Schema, SchemaSet};
use crate::target::exchange::{Exchange, Request};

/// The first segment of the path below the base URL: `Users` of `/Users/42?count=1`.
pub fn first_segment(request: &Request) -> &str {
    request.endpoint.trim_start_matches('/').split(['/', '?', '#']).next().unwrap_or_default()
}

/// The name of the resource type that a discovery endpoint serves.
pub fn discovery_type(request: &Request) -> Option<&'static str> {
    match first_segment(request) {
        "ServiceProviderConfig" => Some("ServiceProviderConfig"),
        "ResourceTypes" => Some("ResourceType"),
        "Schemas" => Some("Schema"),
        _ => None,
    }
}

/// The definition of a resource that came in the answer of that exchange.
pub fn definition(known: &SchemaSet, exchange: &Exchange, resource: &Value) -> ResourceDefinition {
    by_endpoint(known, &exchange.request)
        .or_else(|| by_itself(known, resource))
        .unwrap_or_else(|| nameless(resource))
}

/// The definition of what the endpoint serves.
pub fn by_endpoint(known: &SchemaSet, request: &Request) -> Option<ResourceDefinition> {
    match discovery_type(request) {
        Some(name) => known.definition(name),
        None => known.definition_by_endpoint(first_segment(request)),
    }
}

/// The definition that a resource itself names, by `meta.resourceType` or by a base schema in `schemas`.
pub fn by_itself(known: &SchemaSet, resource: &Value) -> Option<ResourceDefinition> {
    let named = get(resource, "meta").and_then(|meta| get(meta, "resourceType")).and_then(Value::as_str);
    named.and_then(|name| known.definition(name)).or_else(|| {
        let urns = schemas(resource);
        known
            .resource_types
            .iter()
            .find(|kind| urns.iter().any(|urn| urn.eq_ignore_ascii_case(&kind.schema)))
            .map(|kind| known.definition_of(kind))
    })
}

/// A definition without attributes, for what is no resource.
pub fn nameless(resource: &Value) -> ResourceDefinition {
    let id = schemas(resource).first().map_or(String::new(), |urn| (*urn).to_owned());
    let schema = Schema { id, name: String::new(), description: String::new(), attributes: Vec::new() };
    ResourceDefinition::new(String::new(), String::new(), schema, Vec::new())
}

/// Whether the body is a ListResponse: it says so, or it has the members of one.
pub fn is_list(body: &Value) -> bool {
    schemas(body).iter().any(|urn| urn.eq_ignore_ascii_case(names::LIST_RESPONSE))
        || (get(body, "totalResults").is_some() && get(body, "id").is_none())
        || get(body, "Resources").is_some_and(Value::is_array)
}

/// Whether the request asked for some attributes only, so that others may be absent.
pub fn is_projected(request: &Request) -> bool {
    let in_query = request.path.split_once('?').is_some_and(|(_, query)| {
        query.split('&').any(|pair| {
            let name = pair.split('=').next().unwrap_or_default();
            name.eq_ignore_ascii_case("attributes") || name.eq_ignore_ascii_case("excludedAttributes")
        })
    });
    in_query
        || (is_search(request)
            && request.json().is_some_and(|body| {
                get(&body, "attributes").is_some() || get(&body, "excludedAttributes").is_some()
            }))
}

/// Whether the request is a query by POST.
pub fn is_search(request: &Request) -> bool {
    let path = || request.path.split(['?', '#']).next().unwrap_or_default();
    request.method == "POST" && path().trim_end_matches('/').ends_with("/.search")
}

/// Whether the request may change something.
pub fn is_write(request: &Request) -> bool {
    !matches!(request.method.as_str(), "GET" | "HEAD" | "OPTIONS") && !is_search(request)
}
