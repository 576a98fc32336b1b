//! The catalogue of faults: each a defect that real servers have had, or that a requirement forbids, with the place
//! where it is planted. The functions that do it stand beside their entries, by what they are about.

mod bulk;
mod discovery;
mod errors;
mod filters;
mod http;
mod lists;
mod patches;
mod rare;
mod representation;
mod writes;

use std::sync::LazyLock;

use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use bytes::Bytes;
use serde_json::{Map, Value};

use super::endpoint::Endpoint;
use super::fault::{FaultEntry, Rewrite, Seen};
use super::message::{Answer, Content, Request};

static CATALOGUE: LazyLock<Vec<FaultEntry>> = LazyLock::new(|| {
    [
        errors::FAULTS,
        http::FAULTS,
        discovery::FAULTS,
        representation::FAULTS,
        lists::FAULTS,
        filters::FAULTS,
        writes::FAULTS,
        patches::FAULTS,
        bulk::FAULTS,
        rare::FAULTS,
    ]
    .concat()
});

/// All faults that can be planted, ordered by what they are about: errors, HTTP, discovery, representation, lists,
/// filters, writes, PATCH, bulk, rare things.
pub fn catalogue() -> &'static [FaultEntry] {
    &CATALOGUE
}

/// An entry: name, defects that it stands for, what a client sees, who is hurt, requirements that it breaks, and what
/// it does where.
const fn fault(
    name: &'static str,
    defects: &'static [&'static str],
    client_sees: &'static str,
    hurts: &'static str,
    requirements: &'static [&'static str],
    rewrites: &'static [Rewrite],
) -> FaultEntry {
    FaultEntry { name, defects, client_sees, hurts, requirements, rewrites }
}

/// Changes each User and Group that a successful answer shows, alone or in a list.
fn each_resource(seen: &Seen<'_>, answer: &mut Answer, mut change: impl FnMut(&mut Map<String, Value>)) {
    if seen.endpoint.is_discovery() || *seen.endpoint == Endpoint::Bulk || !answer.status.is_success() {
        return;
    }
    if let Some(body) = object(answer) {
        match body.get_mut("Resources") {
            Some(Value::Array(rows)) => rows.iter_mut().filter_map(Value::as_object_mut).for_each(change),
            _ => change(body),
        }
    }
}

/// The JSON object of an answer.
fn object(answer: &mut Answer) -> Option<&mut Map<String, Value>> {
    answer.body_mut().and_then(Value::as_object_mut)
}

/// Gives an answer another status; an error says it in its body too.
fn set_status(answer: &mut Answer, status: StatusCode) {
    answer.status = status;
    if let Some(body) = object(answer)
        && body.contains_key("status")
    {
        body.insert("status".to_owned(), status.as_str().into());
    }
}

/// Turns an answer into an error.
fn refuse(answer: &mut Answer, status: StatusCode, scim_type: Option<&str>, detail: &str) {
    let mut body = serde_json::json!({
        "schemas": [crate::scim::names::ERROR],
        "status": status.as_str(),
        "detail": detail,
    });
    if let Some(scim_type) = scim_type {
        body["scimType"] = scim_type.into();
    }
    *answer = Answer::json(status, body);
}

/// Gives an answer a body that is not JSON.
fn set_raw(answer: &mut Answer, media_type: &'static str, body: &'static str) {
    answer.set_header(CONTENT_TYPE, media_type);
    answer.content = Content::Raw(Bytes::from_static(body.as_bytes()));
}

/// Changes the JSON body of a request, if it has one.
fn rewrite_body(request: &mut Request, change: impl FnOnce(&mut Value)) {
    if let Ok(mut body) = serde_json::from_slice(&request.body) {
        change(&mut body);
        request.body = Bytes::from(body.to_string());
    }
}

/// The JSON body of a request, if it has one.
fn body_of(request: &Request) -> Option<Value> {
    serde_json::from_slice(&request.body).ok()
}

/// Shows, in each resource of an answer, what faults remember that it should show.
const SHOW: Rewrite = Rewrite::Answer(|seen, answer| {
    let shown = std::mem::take(&mut seen.memory.shown);
    each_resource(seen, answer, |resource| {
        let id = resource.get("id").and_then(Value::as_str).unwrap_or_default();
        if let Some(members) = shown.get(id) {
            for (name, value) in members.clone() {
                resource.insert(name, value);
            }
        }
    });
    seen.memory.shown = shown;
});
