//! What faults and variants do to requests and answers: parts of either by what they are, and the changes that many
//! make. Refuses to know which change is legal.

use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderValue, StatusCode};
use bytes::Bytes;
use serde_json::{Map, Value};

use super::endpoint::Endpoint;
use super::fault::Seen;
use super::message::{Answer, Content, Request};
use crate::scim::filter::{CompareOperator, Filter};
use crate::scim::names;

/// Changes each User and Group that a successful answer shows, alone or in a list.
pub(super) fn each_resource(
    seen: &Seen<'_>,
    answer: &mut Answer,
    mut change: impl FnMut(&mut Map<String, Value>),
) {
    if seen.endpoint.is_discovery() || *seen.endpoint == Endpoint::Bulk || !answer.status.is_success() {
        return;
    }
    if let Some(body) = object(answer) {
        let is_list = body.contains_key("totalResults");
        match body.get_mut("Resources") {
            Some(Value::Array(rows)) => rows.iter_mut().filter_map(Value::as_object_mut).for_each(change),
            _ if is_list => {}
            _ => change(body),
        }
    }
}

/// Whether an answer says that /Me is not supported.
pub(super) fn declines_me(seen: &Seen<'_>, answer: &Answer) -> bool {
    *seen.endpoint == Endpoint::Me && answer.status == StatusCode::NOT_IMPLEMENTED
}

/// The JSON object of an answer.
pub(super) fn object(answer: &mut Answer) -> Option<&mut Map<String, Value>> {
    answer.body_mut().and_then(Value::as_object_mut)
}

/// Gives an answer another status; an error says it in its body too.
pub(super) fn set_status(answer: &mut Answer, status: StatusCode) {
    answer.status = status;
    if let Some(body) = object(answer)
        && body.contains_key("status")
    {
        body.insert("status".to_owned(), status.as_str().into());
    }
}

/// Turns an answer into an error.
pub(super) fn refuse(answer: &mut Answer, status: StatusCode, scim_type: Option<&str>, detail: &str) {
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
pub(super) fn set_raw(answer: &mut Answer, media_type: &'static str, body: &'static str) {
    answer.set_header(CONTENT_TYPE, media_type);
    answer.content = Content::Raw(Bytes::from_static(body.as_bytes()));
}

/// Changes the JSON body of a request, if it has one.
pub(super) fn rewrite_body(request: &mut Request, change: impl FnOnce(&mut Value)) {
    if let Ok(mut body) = serde_json::from_slice(&request.body) {
        change(&mut body);
        request.body = Bytes::from(body.to_string());
    }
}

/// The JSON body of a request, if it has one.
pub(super) fn body_of(request: &Request) -> Option<Value> {
    serde_json::from_slice(&request.body).ok()
}

pub(super) fn each_meta(
    seen: &Seen<'_>,
    answer: &mut Answer,
    mut change: impl FnMut(&mut Map<String, Value>),
) {
    each_resource(seen, answer, |resource| {
        if let Some(meta) = resource.get_mut("meta").and_then(Value::as_object_mut) {
            change(meta);
        }
    });
}

pub(super) fn each_time(seen: &Seen<'_>, answer: &mut Answer, change: impl Fn(&str) -> Value) {
    each_meta(seen, answer, |meta| {
        for name in ["created", "lastModified"] {
            if let Some(time) = meta.get_mut(name) {
                *time = change(time.as_str().unwrap_or_default());
            }
        }
    });
}

pub(super) fn each_user(
    seen: &Seen<'_>,
    answer: &mut Answer,
    mut change: impl FnMut(&mut Map<String, Value>),
) {
    each_resource(seen, answer, |resource| {
        if resource.get("schemas").is_some_and(|schemas| schemas[0] == names::USER) {
            change(resource);
        }
    });
}

pub(super) fn each_member(
    seen: &Seen<'_>,
    answer: &mut Answer,
    mut change: impl FnMut(&mut Map<String, Value>),
) {
    each_resource(seen, answer, |resource| {
        let members = resource.get_mut("members").and_then(Value::as_array_mut);
        members.into_iter().flatten().filter_map(Value::as_object_mut).for_each(&mut change);
    });
}

pub(super) fn service_config<'a>(
    seen: &Seen<'_>,
    answer: &'a mut Answer,
) -> Option<&'a mut Map<String, Value>> {
    let is_config = *seen.endpoint == Endpoint::ServiceProviderConfig && answer.status == StatusCode::OK;
    if is_config { object(answer) } else { None }
}

/// The rows of a discovery list.
pub(super) fn list<'a>(
    seen: &Seen<'_>,
    answer: &'a mut Answer,
    endpoint: &Endpoint,
) -> Option<&'a mut Vec<Value>> {
    if seen.endpoint != endpoint {
        return None;
    }
    object(answer)?.get_mut("Resources")?.as_array_mut()
}

fn each_document(
    seen: &Seen<'_>,
    answer: &mut Answer,
    of_list: &Endpoint,
    is_one: bool,
    mut change: impl FnMut(&mut Map<String, Value>),
) {
    if answer.status != StatusCode::OK {
        return;
    }
    if is_one {
        if let Some(document) = object(answer) {
            change(document);
        }
    } else if let Some(rows) = list(seen, answer, of_list) {
        rows.iter_mut().filter_map(Value::as_object_mut).for_each(change);
    }
}

pub(super) fn each_schema(seen: &Seen<'_>, answer: &mut Answer, change: impl FnMut(&mut Map<String, Value>)) {
    let is_one = matches!(seen.endpoint, Endpoint::Schema(_));
    each_document(seen, answer, &Endpoint::Schemas, is_one, change);
}

pub(super) fn each_resource_type(
    seen: &Seen<'_>,
    answer: &mut Answer,
    change: impl FnMut(&mut Map<String, Value>),
) {
    let is_one = matches!(seen.endpoint, Endpoint::ResourceType(_));
    each_document(seen, answer, &Endpoint::ResourceTypes, is_one, change);
}

/// Changes the attributes of this name, in whichever schema they are.
pub(super) fn each_attribute(
    seen: &Seen<'_>,
    answer: &mut Answer,
    name: &str,
    mut change: impl FnMut(&mut Map<String, Value>),
) {
    each_schema(seen, answer, |schema| {
        let attributes = schema.get_mut("attributes").and_then(Value::as_array_mut);
        for attribute in attributes.into_iter().flatten().filter_map(Value::as_object_mut) {
            if attribute.get("name").and_then(Value::as_str) == Some(name) {
                change(attribute);
            }
        }
    });
}

/// Makes the numbers of a list agree with its rows.
pub(super) fn count_rows(answer: &mut Answer) {
    if let Some(body) = object(answer)
        && let Some(rows) = body.get("Resources").and_then(Value::as_array).map(Vec::len)
    {
        body.insert("totalResults".to_owned(), rows.into());
        body.insert("itemsPerPage".to_owned(), rows.into());
    }
}

pub(super) fn without(object: Option<&mut Map<String, Value>>, members: &[&str]) {
    if let Some(object) = object {
        for member in members {
            object.shift_remove(*member);
        }
    }
}

pub(super) fn set_media_type(answer: &mut Answer, media_type: &'static str) {
    if answer.headers.contains_key(CONTENT_TYPE) {
        answer.headers.insert(CONTENT_TYPE, HeaderValue::from_static(media_type));
    }
}

/// Whether a part of a filter is of a kind, outside of brackets. Its depth is bounded by the parser.
pub(super) fn any_part(filter: &Filter, is: &impl Fn(&Filter) -> bool) -> bool {
    is(filter)
        || match filter {
            Filter::And(operands) | Filter::Or(operands) => operands.iter().any(|it| any_part(it, is)),
            Filter::Not(operand) => any_part(operand, is),
            _ => false,
        }
}

/// The operator of a comparison.
pub(super) fn operator(filter: &Filter) -> Option<CompareOperator> {
    match filter {
        Filter::Compare { operator, .. } => Some(*operator),
        _ => None,
    }
}
