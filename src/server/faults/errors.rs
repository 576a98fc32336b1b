//! Wrong status codes, and errors that are no SCIM errors (RFC 7644 §3.12).

use axum::http::{Method, StatusCode};
use serde_json::{Value, json};

use super::super::endpoint::{Endpoint, Kind};
use super::super::fault::{FaultEntry, Rewrite, Seen};
use super::super::message::{Answer, Content};
use super::super::rewrite::declines_me;
use super::{body_of, fault, object, refuse, set_raw, set_status};
use crate::scim::list::ListResponse;
use Rewrite::Answer as At;

pub(super) const FAULTS: &[FaultEntry] = &[
    fault(
        "create-answers-200",
        &["DEF-039"],
        "A create answers 200 instead of 201.",
        "clients that tell a new account from an old one by the status",
        &["RFC7644-3.3-07"],
        &[At(|seen, answer| {
            if seen.request.method == Method::POST && answer.status == StatusCode::CREATED {
                answer.status = StatusCode::OK;
            }
        })],
    ),
    fault(
        "duplicate-answers-400",
        &["DEF-001"],
        "A create with a userName in use answers 400 invalidValue instead of 409 uniqueness.",
        "Entra and authentik, which then do not fall back to an update",
        &["RFC7644-3.3-11", "RFC7644-3.12-13"],
        &[At(|_, answer| {
            if is_conflict(answer) {
                refuse(answer, StatusCode::BAD_REQUEST, Some("invalidValue"), "userName cannot be used");
            }
        })],
    ),
    fault(
        "duplicate-answers-500",
        &["DEF-002", "DEF-005"],
        "A write with a userName in use answers 500.",
        "identity providers retry a 5xx for ever, and quarantine the connection",
        &["RFC7644-3.3-11", "RFC7644-3.5.1-16", "RFC7644-3.5.2-26"],
        &[At(|_, answer| {
            if is_conflict(answer) {
                refuse(answer, StatusCode::INTERNAL_SERVER_ERROR, None, "duplicate key");
            }
        })],
    ),
    fault(
        "duplicate-without-scim-type",
        &["DEF-217"],
        "The 409 of a duplicate has no scimType.",
        "clients that tell a taken name from a version conflict",
        &["RFC7644-3.3-11", "RFC7644-3.12-20"],
        &[At(|_, answer| {
            if is_conflict(answer)
                && let Some(body) = object(answer)
            {
                body.shift_remove("scimType");
            }
        })],
    ),
    fault(
        "missing-user-name-answers-500",
        &["DEF-003"],
        "A user without userName is answered with 500.",
        "identity providers, which retry what can never succeed",
        &["RFC7643-4.1.1-01", "RFC7644-3.12-25"],
        &[At(|seen, answer| {
            let lacks = || {
                body_of(seen.request).is_some_and(|body| {
                    body.get("userName").and_then(Value::as_str).unwrap_or_default().is_empty()
                })
            };
            let is_create =
                seen.request.method == Method::POST && *seen.endpoint == Endpoint::Resources(Kind::User);
            if is_create && answer.status == StatusCode::BAD_REQUEST && lacks() {
                refuse(answer, StatusCode::INTERNAL_SERVER_ERROR, None, "KeyError: userName");
            }
        })],
    ),
    fault(
        "bad-json-answers-500",
        &["DEF-098"],
        "A body that is no JSON is answered with 500.",
        "developers of clients, who look for the fault on the wrong side",
        &["RFC7644-3.3-14", "RFC7644-3.12-09", "RFC5789-2.2-01"],
        &[At(|seen, answer| {
            if answer.status == StatusCode::BAD_REQUEST
                && !seen.request.body.is_empty()
                && body_of(seen.request).is_none()
            {
                refuse(answer, StatusCode::INTERNAL_SERVER_ERROR, None, "unexpected token");
            }
        })],
    ),
    fault(
        "bad-json-answers-422",
        &[],
        "What breaks the schema is answered with 422 instead of 400.",
        "clients that know the codes of SCIM only",
        &["RFC7644-3.12-09", "RFC7644-3.3-14", "RFC7644-3.5.1-17"],
        &[At(|seen, answer| {
            if answer.status == StatusCode::BAD_REQUEST && !seen.request.body.is_empty() {
                set_status(answer, StatusCode::UNPROCESSABLE_ENTITY);
            }
        })],
    ),
    fault(
        "unknown-resource-answers-200",
        &[],
        "GET of a resource that does not exist answers 200 with an empty list.",
        "clients that take a deleted account for a living one",
        &["RFC7644-3.4.1-04", "RFC7644-3.12-12", "RFC7644-3.4.1-01"],
        &[At(|seen, answer| {
            if is_missing(seen, answer, &Method::GET) {
                *answer = Answer::json(StatusCode::OK, ListResponse::complete(Vec::new()).to_json());
            }
        })],
    ),
    fault(
        "unknown-resource-answers-403",
        &["DEF-229"],
        "GET of a resource that does not exist answers 403.",
        "clients that then take their credentials for insufficient",
        &["RFC7644-3.4.1-04", "RFC7644-3.12-12", "RFC7644-3.12-29"],
        &[At(|seen, answer| {
            if is_missing(seen, answer, &Method::GET) {
                set_status(answer, StatusCode::FORBIDDEN);
            }
        })],
    ),
    fault(
        "unknown-resource-answers-500",
        &["DEF-121"],
        "A request for a resource that does not exist answers 500.",
        "identity providers, which retry a 5xx for ever",
        &["RFC7644-3.4.1-04", "RFC7644-3.5.2-25", "RFC7644-3.6-03"],
        &[At(|seen, answer| {
            if answer.status == StatusCode::NOT_FOUND && matches!(seen.endpoint, Endpoint::Resource(..)) {
                refuse(answer, StatusCode::INTERNAL_SERVER_ERROR, None, "NoneType has no attribute id");
            }
        })],
    ),
    fault(
        "unknown-delete-answers-204",
        &["DEF-120"],
        "DELETE of a resource that does not exist answers 204.",
        "clients that delete under a wrong id and believe that access is gone",
        &["RFC7644-3.6-03", "RFC7644-3.6-07"],
        &[At(|seen, answer| {
            if is_missing(seen, answer, &Method::DELETE) {
                *answer = Answer::empty(StatusCode::NO_CONTENT);
            }
        })],
    ),
    fault(
        "unknown-endpoint-answers-200",
        &[],
        "A path below the base URL that is no endpoint answers 200 with an empty list.",
        "clients with a typing error in their base URL, which import nothing and see no error",
        &["RFC7644-3.12-12"],
        &[At(|seen, answer| {
            if *seen.endpoint == Endpoint::Unknown && answer.status == StatusCode::NOT_FOUND {
                *answer = Answer::json(StatusCode::OK, ListResponse::complete(Vec::new()).to_json());
            }
        })],
    ),
    fault(
        "unknown-schema-answers-200",
        &[],
        "A schema or resource type that is not there is answered with 200 and an empty list.",
        "clients that look whether an extension is there",
        &["RFC7644-3.4.1-04"],
        &[At(|seen, answer| {
            let is_one = matches!(seen.endpoint, Endpoint::Schema(_) | Endpoint::ResourceType(_));
            if is_one && answer.status == StatusCode::NOT_FOUND {
                *answer = Answer::json(StatusCode::OK, ListResponse::complete(Vec::new()).to_json());
            }
        })],
    ),
    fault(
        "create-without-schemas-answers-500",
        &[],
        "A user whose body has no schemas is answered with 500.",
        "identity providers, which retry what can never succeed",
        &["RFC7643-2.1-01"],
        &[At(|seen, answer| {
            let lacks = || body_of(seen.request).is_some_and(|body| body.get("schemas").is_none());
            let is_create =
                seen.request.method == Method::POST && *seen.endpoint == Endpoint::Resources(Kind::User);
            if is_create && lacks() {
                refuse(answer, StatusCode::INTERNAL_SERVER_ERROR, None, "KeyError: schemas");
            }
        })],
    ),
    fault(
        "wrong-method-answers-200",
        &[],
        "A method that an endpoint does not take is answered with 200 and does nothing.",
        "clients that believe in a change that never was",
        &["RFC7644-3.2-09", "RFC9110-9.1-01"],
        &[At(|_, answer| {
            if answer.status == StatusCode::METHOD_NOT_ALLOWED {
                *answer = Answer::json(StatusCode::OK, json!({}));
            }
        })],
    ),
    fault(
        "wrong-method-without-allow",
        &[],
        "A 405 has no Allow header.",
        "generic HTTP clients",
        &["RFC9110-10.2.1-01"],
        &[At(|_, answer| {
            if answer.status == StatusCode::METHOD_NOT_ALLOWED {
                answer.headers.remove(axum::http::header::ALLOW);
            }
        })],
    ),
    fault(
        "me-answers-500",
        &[],
        "/Me, which is not supported, answers 500.",
        "clients that probe for /Me",
        &["RFC7644-3.11-02"],
        &[At(|seen, answer| {
            if declines_me(seen, answer) {
                set_status(answer, StatusCode::INTERNAL_SERVER_ERROR);
            }
        })],
    ),
    fault(
        "bulk-swallowed",
        &["DEF-025"],
        "ServiceProviderConfig says that bulk is not supported, and Bulk answers 200 without doing anything.",
        "clients whose whole job is lost in silence",
        &["RFC7644-3.12-17", "RFC7643-5-24"],
        &[At(|seen, answer| {
            if *seen.endpoint == Endpoint::ServiceProviderConfig
                && let Some(config) = object(answer)
            {
                let none = json!({ "supported": false, "maxOperations": 0, "maxPayloadSize": 0 });
                config.insert("bulk".to_owned(), none);
            }
            if *seen.endpoint == Endpoint::Bulk {
                let body = json!({ "schemas": [crate::scim::names::BULK_RESPONSE], "Operations": [] });
                *answer = Answer::json(StatusCode::OK, body);
            }
        })],
    ),
    fault(
        "error-as-html",
        &["DEF-222"],
        "Errors are HTML pages.",
        "administrators, who see a parse error instead of the cause",
        &["RFC7644-3.12-02", "RFC7644-3.12-03"],
        &[At(|_, answer| {
            if is_error(answer) {
                set_raw(answer, "text/html", "<html><body><h1>Error</h1></body></html>");
            }
        })],
    ),
    fault(
        "error-without-body",
        &["DEF-222"],
        "Errors have no body.",
        "administrators, who learn nothing of the cause",
        &["RFC7644-3.12-02", "RFC7644-3.5.2-22", "RFC7644-3.6-07"],
        &[At(|_, answer| {
            if is_error(answer) {
                answer.content = Content::Empty;
                answer.headers.remove(axum::http::header::CONTENT_TYPE);
            }
        })],
    ),
    fault(
        "error-of-its-own-form",
        &["DEF-222"],
        "Errors are JSON of a form of their own: {\"error\": …}.",
        "administrators, who learn nothing of the cause",
        &["RFC7644-3.12-02", "RFC7644-3.12-03", "RFC7644-3.12-04"],
        &[At(|_, answer| {
            if let Some(body) = error(answer) {
                let detail = body.get("detail").cloned().unwrap_or_default();
                *body = [("error".to_owned(), detail)].into_iter().collect();
            }
        })],
    ),
    fault(
        "error-without-schemas",
        &["DEF-222"],
        "Errors have no schemas.",
        "clients that tell messages by their URN",
        &["RFC7644-3.12-03"],
        &[At(|_, answer| {
            if let Some(body) = error(answer) {
                body.shift_remove("schemas");
            }
        })],
    ),
    fault(
        "error-schemas-as-text",
        &["DEF-224"],
        "The schemas of an error are a string instead of an array.",
        "clients with typed parsers",
        &["RFC7644-3.12-03"],
        &[At(|_, answer| {
            if let Some(body) = error(answer) {
                body.insert("schemas".to_owned(), crate::scim::names::ERROR.into());
            }
        })],
    ),
    fault(
        "error-without-status",
        &["DEF-218"],
        "Errors have no status member.",
        "clients with typed parsers",
        &["RFC7644-3.12-04"],
        &[At(|_, answer| {
            if let Some(body) = error(answer) {
                body.shift_remove("status");
            }
        })],
    ),
    fault(
        "error-status-as-number",
        &["DEF-219"],
        "The status member of an error is a number.",
        "clients with typed parsers",
        &["RFC7644-3.12-04"],
        &[At(|_, answer| {
            let status = answer.status.as_u16();
            if let Some(body) = error(answer) {
                body.insert("status".to_owned(), status.into());
            }
        })],
    ),
    fault(
        "error-status-differs",
        &[],
        "The status member of an error says 400, whatever the HTTP status.",
        "clients that look at the body only",
        &["RFC7644-3.12-04", "RFC7644-3.2-15"],
        &[At(|_, answer| {
            if let Some(body) = error(answer) {
                body.insert("status".to_owned(), "400".into());
            }
        })],
    ),
    fault(
        "error-scim-type-undefined",
        &["DEF-221"],
        "Errors have a scimType that no RFC defines.",
        "clients that switch on the keyword",
        &["RFC7644-3.12-05"],
        &[At(|_, answer| {
            if let Some(body) = error(answer) {
                body.insert("scimType".to_owned(), "badRequest".into());
            }
        })],
    ),
    fault(
        "error-scim-type-as-number",
        &[],
        "The scimType of an error is a number.",
        "typed clients, which fail on the error instead of telling it",
        &["RFC7644-3.12-05"],
        &[At(|_, answer| {
            if let Some(body) = error(answer) {
                body.insert("scimType".to_owned(), 4711.into());
            }
        })],
    ),
    fault(
        "error-scim-type-null-text",
        &["DEF-220"],
        "An error without keyword has the text \"null\" as scimType.",
        "clients that switch on the keyword",
        &["RFC7644-3.12-05"],
        &[At(|_, answer| {
            if let Some(body) = error(answer)
                && !body.contains_key("scimType")
            {
                body.insert("scimType".to_owned(), "null".into());
            }
        })],
    ),
    fault(
        "error-detail-as-object",
        &["DEF-223"],
        "The detail of an error is an object.",
        "clients with typed parsers",
        &["RFC7644-3.12-06"],
        &[At(|_, answer| {
            if let Some(body) = error(answer) {
                let detail = body.get("detail").cloned().unwrap_or_default();
                body.insert("detail".to_owned(), json!({ "message": detail }));
            }
        })],
    ),
    fault(
        "filter-error-scim-type-wrong",
        &[],
        "A filter that is none is refused with scimType invalidSyntax instead of invalidFilter.",
        "clients that switch on the keyword",
        &["RFC7644-3.4.2.2-36", "RFC7644-3.12-18"],
        &[At(|_, answer| {
            if let Some(body) = error(answer)
                && body.get("scimType").and_then(Value::as_str) == Some("invalidFilter")
            {
                body.insert("scimType".to_owned(), "invalidSyntax".into());
            }
        })],
    ),
    fault(
        "sensitive-filter-answers-404",
        &[],
        "A filter on password in a URL is answered with 404 and the keyword sensitive, as the RFC printed it at first.",
        "clients, which take the endpoint for missing",
        &["RFC7644-3.12-27", "RFC7644-7.5.2-02"],
        &[At(|_, answer| {
            if answer.body().is_some_and(|body| body["scimType"] == "sensitive") {
                set_status(answer, StatusCode::NOT_FOUND);
            }
        })],
    ),
    fault(
        "no-target-scim-type-missing",
        &[],
        "Where a PATCH path finds nothing, the error has no scimType noTarget.",
        "clients that add where there was nothing to replace",
        &["RFC7644-3.5.2.3-09", "RFC7644-3.5.2.2-02", "RFC7644-3.12-24"],
        &[At(|_, answer| without_scim_type(answer, "noTarget"))],
    ),
    fault(
        "mutability-scim-type-missing",
        &[],
        "Where a PATCH touches what cannot be changed, the error has no scimType mutability.",
        "clients that switch on the keyword",
        &["RFC7644-3.5.2.2-08", "RFC7644-3.12-21"],
        &[At(|_, answer| without_scim_type(answer, "mutability"))],
    ),
];

fn is_error(answer: &Answer) -> bool {
    answer.status.is_client_error() || answer.status.is_server_error()
}

/// The body of an answer that is an error.
fn error(answer: &mut Answer) -> Option<&mut serde_json::Map<String, Value>> {
    if is_error(answer) { object(answer) } else { None }
}

fn is_conflict(answer: &Answer) -> bool {
    answer.status == StatusCode::CONFLICT
}

/// Whether a request with this method found no resource.
fn is_missing(seen: &Seen<'_>, answer: &Answer, method: &Method) -> bool {
    seen.request.method == *method
        && answer.status == StatusCode::NOT_FOUND
        && matches!(seen.endpoint, Endpoint::Resource(..))
}

fn without_scim_type(answer: &mut Answer, keyword: &str) {
    if let Some(body) = error(answer)
        && body.get("scimType").and_then(Value::as_str) == Some(keyword)
    {
        body.shift_remove("scimType");
    }
}
