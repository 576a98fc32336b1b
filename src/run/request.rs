//! A step and the names it stands on → the request to send. Pure.
//!
//! Owns the encoding of paths and queries, the envelope of a PatchOp and the building of bodies; refuses to
//! know whether the request may be sent (the target's guard) or what comes back.

use bytes::Bytes;
use indexmap::IndexMap;
use percent_encoding::{AsciiSet, CONTROLS, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Map, Value, json};

use crate::scim::at;
use crate::scim::names::{BULK_REQUEST, PATCH_OP, SEARCH_REQUEST};
use crate::scim::path::PatchPath;
use crate::suite::model::{BulkLimit, BulkMake, BulkStep, By, Encode, Make, Payload, Query, bytes_of_hex};
use crate::suite::template::{Escape, Scope, TemplateError};

/// A request, ready but for credentials and default headers.
#[derive(Debug, Clone, PartialEq)]
pub struct Prepared {
    /// The HTTP method.
    pub method: String,
    /// The path below the base URL, with its query, encoded.
    pub path: String,
    /// The path with ids replaced: `/Users/{id}`.
    pub endpoint: String,
    /// The body as bytes.
    pub body: Option<Bytes>,
    /// The body as JSON, where it is.
    pub json: Option<Value>,
    /// The filter it asks with, resolved.
    pub filter: Option<String>,
}

/// Why a step cannot be made into a request.
#[derive(Debug, thiserror::Error)]
pub enum RequestError {
    /// A `${…}` does not resolve.
    #[error(transparent)]
    Template(#[from] TemplateError),
    /// `send` is not `METHOD /path`.
    #[error("send: '{line}' is not METHOD /path")]
    Line {
        /// The line as written.
        line: String,
    },
    /// A body stands on a handle, fixture or step that is not there.
    #[error("{what} '{name}' is not there")]
    Missing {
        /// `fixture`, `resource` or `request`.
        what: &'static str,
        /// Its name.
        name: String,
    },
    /// A message is to exceed a limit that the service provider does not say.
    #[error("ServiceProviderConfig says no {limit}")]
    Limit {
        /// The limit.
        limit: &'static str,
    },
    /// A value is to stand at what is no attribute path, or has no place in the resource.
    #[error("make: nothing can be set at '{path}': {why}")]
    Path {
        /// The path.
        path: String,
        /// What is wrong with it.
        why: String,
    },
    /// `hex` holds something else.
    #[error("hex: these are no bytes")]
    Hex,
    /// A `make` names no source.
    #[error("make needs one of from, fixture and sent")]
    NoSource,
}

impl RequestError {
    /// Whether the step is sound, but an earlier answer did not bring what its request stands on.
    pub fn is_lack(&self) -> bool {
        match self {
            RequestError::Template(error) => error.is_lack(),
            RequestError::Missing { what, .. } => *what != "fixture",
            RequestError::Limit { .. } => true,
            RequestError::Line { .. }
            | RequestError::NoSource
            | RequestError::Path { .. }
            | RequestError::Hex => false,
        }
    }
}

/// Where bodies come from: what a case knows when it builds a request.
pub trait Sources {
    /// The values that `${…}` stands for.
    fn scope(&self) -> &Scope;
    /// A handle's resource as last read.
    fn resource(&self, name: &str) -> Option<Value>;
    /// The body that a step sent.
    fn sent(&self, step: &str) -> Option<Value>;
    /// A new resource of a fixture, its unique marks replaced.
    fn fixture(&self, name: &str) -> Option<Value>;
    /// The operator's template and the server's required attributes, filled in.
    fn fill(&self, resource: Value) -> Value;
    /// The resource without what the service provider's schemas do not declare.
    fn declared(&self, resource: Value) -> Value;
    /// A limit of Bulk, where the service provider says it.
    fn limit(&self, limit: BulkLimit) -> Option<u64>;
}

/// Everything but unreserved characters: what a query value may hold raw.
const STRICT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');
/// Only what a query cannot hold: the way terse clients encode.
const MINIMAL: &AsciiSet =
    &CONTROLS.add(b' ').add(b'"').add(b'#').add(b'<').add(b'>').add(b'&').add(b'+').add(b'%');

/// Prepares `send`.
///
/// # Errors
/// A template that does not resolve, a malformed line, a body that stands on nothing.
pub fn send(line: &str, payload: &Payload<'_>, sources: &impl Sources) -> Result<Prepared, RequestError> {
    let malformed = || RequestError::Line { line: line.to_owned() };
    let (method, target) = line.split_once(' ').ok_or_else(malformed)?;
    let target = target.trim();
    if method.is_empty() || !method.bytes().all(|byte| byte.is_ascii_uppercase()) || !target.starts_with('/')
    {
        return Err(malformed());
    }
    let json = match payload {
        Payload::None | Payload::Raw(_) | Payload::Hex(_) => None,
        Payload::Body(body) => Some(sources.scope().resolve(body)?),
        Payload::Make(make) => Some(build(make, sources)?),
        Payload::Bulk(bulk) => Some(bulk_request(bulk, sources)?),
        Payload::Operations(operations) => Some(
            json!({"schemas": [PATCH_OP], "Operations": sources.scope().resolve_operations(operations)?}),
        ),
    };
    let body = match (payload, &json) {
        (Payload::Hex(hex), _) => Some(Bytes::from(bytes_of_hex(hex).ok_or(RequestError::Hex)?)),
        (Payload::Raw(raw), _) => Some(Bytes::from(sources.scope().text(raw, Escape::None)?)),
        (Payload::Bulk(BulkMake { exceeds: Some(limit @ BulkLimit::MaxPayloadSize), .. }), Some(json)) => {
            let mut text = json.to_string();
            let blanks = beyond(*limit, sources)?.saturating_sub(text.len());
            text.extend(std::iter::repeat_n(' ', blanks));
            Some(Bytes::from(text))
        }
        (_, Some(json)) => Some(Bytes::from(json.to_string())),
        _ => None,
    };
    let path = sources.scope().text(target, Escape::PathSegment)?.replace(' ', "%20");
    Ok(Prepared { method: method.to_owned(), endpoint: endpoint_of(&path), path, body, json, filter: None })
}

/// Prepares a read of a resource by its endpoint and id.
pub fn read(endpoint: &str, id: &str) -> Prepared {
    let path = format!("{endpoint}/{}", utf8_percent_encode(id, STRICT));
    Prepared {
        method: "GET".to_owned(),
        endpoint: format!("{endpoint}/{{id}}"),
        path,
        body: None,
        json: None,
        filter: None,
    }
}

/// Prepares a query in one of its ways; the size of its pages travels under the name of `page_size`.
///
/// # Errors
/// A filter whose template does not resolve.
pub fn query(
    query: &Query,
    by: By,
    encode: Encode,
    scope: &Scope,
    page_size: &str,
) -> Result<Prepared, RequestError> {
    let filter = query.filter.as_deref().map(|filter| scope.text(filter, Escape::JsonString)).transpose()?;
    let cursor = query.cursor.as_deref().map(|cursor| scope.text(cursor, Escape::None)).transpose()?;
    let attribute_list = |all: &[String]| (!all.is_empty()).then(|| all.join(","));
    let endpoint = query.endpoint.trim_end_matches('/');
    match by {
        By::Get => {
            let parameters: [(&str, Option<String>); 8] = [
                ("filter", filter.clone()),
                ("sortBy", query.sort_by.clone()),
                ("sortOrder", query.sort_order.clone()),
                ("startIndex", query.start_index.map(|number| number.to_string())),
                (page_size, query.count.map(|number| number.to_string())),
                ("cursor", cursor),
                ("attributes", attribute_list(&query.attributes)),
                ("excludedAttributes", attribute_list(&query.excluded_attributes)),
            ];
            let written: Vec<String> = parameters
                .into_iter()
                .filter_map(|(name, value)| value.map(|value| format!("{name}={}", encoded(&value, encode))))
                .collect();
            let path = if endpoint.is_empty() { "/".to_owned() } else { endpoint.to_owned() };
            let path = if written.is_empty() { path } else { format!("{path}?{}", written.join("&")) };
            Ok(Prepared {
                method: "GET".to_owned(),
                endpoint: endpoint_of(&path),
                path,
                body: None,
                json: None,
                filter,
            })
        }
        By::Search => {
            let mut body = Map::new();
            body.insert("schemas".to_owned(), json!([SEARCH_REQUEST]));
            let mut add = |name: &str, value: Option<Value>| {
                if let Some(value) = value {
                    body.insert(name.to_owned(), value);
                }
            };
            let list = |all: &[String]| (!all.is_empty()).then(|| json!(all));
            add("filter", filter.clone().map(Value::from));
            add("sortBy", query.sort_by.clone().map(Value::from));
            add("sortOrder", query.sort_order.clone().map(Value::from));
            add("startIndex", query.start_index.map(Value::from));
            add(page_size, query.count.map(Value::from));
            add("cursor", cursor.map(Value::from));
            add("attributes", list(&query.attributes));
            add("excludedAttributes", list(&query.excluded_attributes));
            let path = format!("{endpoint}/.search");
            let json = Value::Object(body);
            Ok(Prepared {
                method: "POST".to_owned(),
                endpoint: path.clone(),
                path,
                body: Some(Bytes::from(json.to_string())),
                json: Some(json),
                filter,
            })
        }
    }
}

fn encoded(value: &str, encode: Encode) -> String {
    match encode {
        Encode::Strict => utf8_percent_encode(value, STRICT).to_string(),
        Encode::Minimal => utf8_percent_encode(value, MINIMAL).to_string(),
        Encode::Plus => utf8_percent_encode(value, STRICT).to_string().replace("%20", "+"),
    }
}

/// Builds the resource that a `make` describes.
///
/// # Errors
/// A source that is not there, a template that does not resolve.
pub fn build(make: &Make, sources: &impl Sources) -> Result<Value, RequestError> {
    let base = if let Some(name) = &make.from {
        sources
            .resource(name)
            .ok_or_else(|| RequestError::Missing { what: "resource", name: name.clone() })?
    } else if let Some(name) = &make.fixture {
        sources.fixture(name).ok_or_else(|| RequestError::Missing { what: "fixture", name: name.clone() })?
    } else if let Some(name) = &make.sent {
        sources.sent(name).ok_or_else(|| RequestError::Missing { what: "request", name: name.clone() })?
    } else {
        return Err(RequestError::NoSource);
    };
    let named = |name: &String| sources.scope().text(name, Escape::None);
    let without = &make.without.iter().map(named).collect::<Result<Vec<String>, _>>()?;
    let mut changed = change(base, &make.set, without, sources.scope())?;
    for (path, value) in &make.at {
        let path = sources.scope().text(path, Escape::None)?;
        let value = sources.scope().resolve(value)?;
        let wrong = |why: String| RequestError::Path { path: path.clone(), why };
        let parsed = PatchPath::parse(&path).map_err(|error| wrong(error.to_string()))?;
        at::set(&mut changed, &parsed, value).map_err(wrong)?;
    }
    if make.declared {
        changed = sources.declared(changed);
    }
    if !make.template {
        return Ok(changed);
    }
    let schemas = make.set.get("schemas").and_then(|_| changed.get("schemas")).cloned();
    // Filled in last: inside of what was set, too, a sub-attribute may be required.
    let mut filled = left_out(sources.fill(changed), &make.set, without);
    // What is filled in is declared, but a case that sets `schemas` means what it says.
    if let (Some(members), Some(schemas)) = (filled.as_object_mut(), schemas) {
        members.insert("schemas".to_owned(), schemas);
    }
    Ok(filled)
}

/// Builds the message that a `bulk` describes.
fn bulk_request(bulk: &BulkMake, sources: &impl Sources) -> Result<Value, RequestError> {
    let mut operations = Vec::new();
    for operation in &bulk.operations {
        operations.push(bulk_operation(operation, sources)?);
    }
    if let (Some(limit @ BulkLimit::MaxOperations), Some(last)) = (bulk.exceeds, operations.last().cloned()) {
        operations.resize(beyond(limit, sources)?.max(operations.len()), last);
    }
    let mut message = json!({"schemas": [BULK_REQUEST], "Operations": operations});
    if let Some(count) = &bulk.fail_on_errors {
        message["failOnErrors"] = sources.scope().resolve(count)?;
    }
    Ok(message)
}

fn bulk_operation(operation: &BulkStep, sources: &impl Sources) -> Result<Value, RequestError> {
    let BulkStep { method, path, bulk_id, version, data, make, patch } = operation;
    let scope = sources.scope();
    let mut members = Map::new();
    let texts = [
        ("method", method, Escape::None),
        ("path", path, Escape::PathSegment),
        ("bulkId", bulk_id, Escape::None),
        ("version", version, Escape::None),
    ];
    for (name, text, escape) in texts {
        if let Some(text) = text {
            members.insert(name.to_owned(), Value::from(scope.text(text, escape)?));
        }
    }
    let data = match (data, make, patch) {
        (Some(data), ..) => Some(scope.resolve(data)?),
        (_, Some(make), _) => Some(build(make, sources)?),
        (.., Some(patch)) => {
            Some(json!({"schemas": [PATCH_OP], "Operations": scope.resolve_operations(patch)?}))
        }
        (None, None, None) => None,
    };
    members.extend(data.map(|data| ("data".to_owned(), data)));
    Ok(Value::Object(members))
}

/// One more than a limit.
fn beyond(limit: BulkLimit, sources: &impl Sources) -> Result<usize, RequestError> {
    let name = match limit {
        BulkLimit::MaxOperations => "bulk.maxOperations",
        BulkLimit::MaxPayloadSize => "bulk.maxPayloadSize",
    };
    let most = sources.limit(limit).and_then(|limit| usize::try_from(limit).ok());
    most.map(|most| most.saturating_add(1)).ok_or(RequestError::Limit { limit: name })
}

/// A filled resource without what a case leaves out on purpose.
pub fn left_out(mut resource: Value, set: &IndexMap<String, Value>, without: &[String]) -> Value {
    if let Value::Object(members) = &mut resource {
        members.retain(|member, _| {
            !without.iter().any(|name| name.eq_ignore_ascii_case(member))
                || set.keys().any(|name| name.eq_ignore_ascii_case(member))
        });
    }
    resource
}

/// A resource with top-level attributes set and others left out; names are matched whatever their case.
///
/// # Errors
/// A template that does not resolve.
pub fn change(
    mut resource: Value,
    set: &IndexMap<String, Value>,
    without: &[String],
    scope: &Scope,
) -> Result<Value, TemplateError> {
    if let Value::Object(members) = &mut resource {
        for name in without {
            members.retain(|member, _| !member.eq_ignore_ascii_case(name));
        }
        for (name, value) in set {
            let (name, value) = (scope.key(name)?, scope.resolve(value)?);
            match members.keys().find(|member| member.eq_ignore_ascii_case(&name)).cloned() {
                Some(member) => members.insert(member, value),
                None => members.insert(name, value),
            };
        }
    }
    Ok(resource)
}

/// A path without its query, its resource id replaced by `{id}`.
pub fn endpoint_of(path: &str) -> String {
    let path = path.split(['?', '#']).next().unwrap_or(path);
    let mut segments = path.trim_start_matches('/').split('/');
    match (segments.next(), segments.next()) {
        (Some(first), Some(second)) if second == ".search" || second.is_empty() => {
            format!("/{first}/{second}")
        }
        (Some(first), Some(_)) => {
            let rest: String = segments.map(|segment| format!("/{segment}")).collect();
            format!("/{first}/{{id}}{rest}")
        }
        (Some(first), None) => format!("/{first}"),
        (None, _) => "/".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::profile::COUNT;

    #[test]
    fn bytes_are_written_as_digits() {
        assert_eq!(bytes_of_hex("7b 22FF"), Some(vec![0x7b, 0x22, 0xff]));
        assert_eq!(bytes_of_hex(""), Some(Vec::new()));
        for odd in ["7", "7b2", "xy", "7b,22", "é0"] {
            assert_eq!(bytes_of_hex(odd), None, "{odd}");
        }
    }

    #[test]
    fn endpoints_lose_ids_and_queries() {
        for (path, endpoint) in [
            ("/Users", "/Users"),
            ("/Users?filter=x", "/Users"),
            ("/Users/42?attributes=id", "/Users/{id}"),
            ("/Users/.search", "/Users/.search"),
            ("/.search", "/.search"),
            ("/", "/"),
            ("/?filter=x", "/"),
        ] {
            assert_eq!(endpoint_of(path), endpoint, "{path}");
        }
    }

    #[test]
    fn queries_are_encoded_as_asked() {
        let scope = Scope::new();
        let asked = Query {
            endpoint: "/Users".to_owned(),
            filter: Some(r#"userName eq "a+b&c""#.to_owned()),
            count: Some(2),
            ..Query::default()
        };
        let path = |encode| {
            query(&asked, By::Get, encode, &scope, COUNT).map(|prepared| prepared.path).unwrap_or_default()
        };
        assert_eq!(path(Encode::Strict), "/Users?filter=userName%20eq%20%22a%2Bb%26c%22&count=2");
        assert_eq!(path(Encode::Plus), "/Users?filter=userName+eq+%22a%2Bb%26c%22&count=2");
        assert_eq!(path(Encode::Minimal), "/Users?filter=userName%20eq%20%22a%2Bb%26c%22&count=2");
    }

    #[test]
    fn the_size_of_a_page_travels_under_the_name_that_the_profile_gives_it() {
        let asked = Query { endpoint: "/Users".to_owned(), count: Some(2), ..Query::default() };
        let made = |by| query(&asked, by, Encode::Strict, &Scope::new(), "itemsPerPage").unwrap();
        assert_eq!(made(By::Get).path, "/Users?itemsPerPage=2");
        assert_eq!(made(By::Search).json, Some(json!({"schemas": [SEARCH_REQUEST], "itemsPerPage": 2})));
    }

    #[test]
    fn a_search_carries_the_query_in_its_body() {
        let asked = Query {
            endpoint: "/Users".to_owned(),
            filter: Some("title pr".to_owned()),
            attributes: vec!["userName".to_owned()],
            ..Query::default()
        };
        let prepared =
            query(&asked, By::Search, Encode::Strict, &Scope::new(), COUNT).unwrap_or_else(|e| panic!("{e}"));
        assert_eq!(prepared.path, "/Users/.search");
        assert_eq!(
            prepared.json,
            Some(json!({"schemas": [SEARCH_REQUEST], "filter": "title pr", "attributes": ["userName"]}))
        );
    }
}
