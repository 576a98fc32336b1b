//! Errors: their statuses, keywords and words (RFC 7644 §3.12).

use axum::http::header::{ALLOW, CONTENT_LANGUAGE};
use axum::http::{Method, StatusCode};
use serde_json::{Map, Value, json};

use super::super::endpoint::Endpoint;
use super::super::fault::Rewrite;
use super::super::message::Answer;
use super::super::rewrite::{body_of, object, refuse, set_raw, set_status};
use super::super::variant::VariantEntry;
use super::rewriting;
use Rewrite::Answer as At;

pub(super) const VARIANTS: &[VariantEntry] = &[
    rewriting(
        "error-without-scim-type",
        &["AMB-02", "AMB-08"],
        "Errors have no scimType, but for those that a sentence of the RFC demands by name.",
        "RFC 7644 section 3.12: scimType is optional",
        &[At(|_, answer| {
            const DEMANDED: [&str; 5] = ["uniqueness", "tooMany", "invalidFilter", "noTarget", "mutability"];
            if let Some(body) = error(answer)
                && !keyword(body).is_some_and(|keyword| DEMANDED.contains(&keyword))
            {
                body.shift_remove("scimType");
            }
        })],
    ),
    rewriting(
        "error-scim-type-null",
        &["AMB-17"],
        "An error without keyword has scimType null.",
        "RFC 7643 section 2.5: null is the same as absent; RFC 7644 section 3.12: scimType is optional",
        &[At(|_, answer| {
            if let Some(body) = error(answer) {
                body.entry("scimType").or_insert(Value::Null);
            }
        })],
    ),
    rewriting(
        "error-without-detail",
        &["AMB-10"],
        "Errors have no detail, but for the 413, which has to name the limit.",
        "RFC 7644 section 3.12: detail is optional; section 3.7.4 demands it of the 413",
        &[At(|_, answer| {
            let names_limit = answer.status == StatusCode::PAYLOAD_TOO_LARGE;
            if let Some(body) = error(answer).filter(|_| !names_limit) {
                body.shift_remove("detail");
            }
        })],
    ),
    rewriting(
        "error-detail-in-another-language",
        &["AMB-10"],
        "The detail of an error is in German, and Content-Language says so.",
        "RFC 7644 section 3.12: detail is a text for people, in no prescribed words",
        &[At(|_, answer| {
            if let Some(body) = error(answer) {
                // The limit that a 413 has to name is a number in any language.
                let detail = body.get("detail").and_then(Value::as_str).unwrap_or_default();
                let numbers: Vec<&str> = detail
                    .split(|letter: char| !letter.is_ascii_digit())
                    .filter(|it| !it.is_empty())
                    .collect();
                let german = match numbers.as_slice() {
                    [] => "Die Anfrage ließ sich nicht ausführen.".to_owned(),
                    numbers => format!("Die Anfrage ließ sich nicht ausführen ({}).", numbers.join(", ")),
                };
                body.insert("detail".to_owned(), german.into());
                answer.set_header(CONTENT_LANGUAGE, "de");
            }
        })],
    ),
    rewriting(
        "error-status-as-a-number",
        &["AMB-01"],
        "The status in the body of an error is a number.",
        "RFC 7644 section 3.12: a string is expected; a warning in the lenient reading, because clients read both",
        &[At(|_, answer| {
            let status = answer.status.as_u16();
            if let Some(body) = error(answer) {
                body.insert("status".to_owned(), status.into());
            }
        })],
    ),
    rewriting(
        "error-with-more-members",
        &[],
        "Errors say more than SCIM asks for: an instance, a time, the errors one by one.",
        "RFC 7644 section 3.12: the members named there are those that are defined; no sentence closes the message",
        &[At(|seen, answer| {
            let instance = seen.request.path.clone();
            if let Some(body) = error(answer) {
                body.insert("instance".to_owned(), instance.into());
                body.insert("timestamp".to_owned(), "2026-11-22T10:00:00Z".into());
                body.insert("errors".to_owned(), json!([{ "code": 17, "field": null }]));
            }
        })],
    ),
    rewriting(
        "conflict-on-change-without-scim-type",
        &["AMB-03"],
        "The 409 to a PUT or PATCH has no scimType.",
        "RFC 7644 section 3.12: scimType is optional, and demanded by section 3.3 of a create only; a warning",
        &[At(|seen, answer| {
            let is_change = seen.request.method != Method::POST && answer.status == StatusCode::CONFLICT;
            if let Some(body) = error(answer).filter(|_| is_change) {
                body.shift_remove("scimType");
            }
        })],
    ),
    rewriting(
        "unresolved-reference-as-412",
        &["AMB-122"],
        "An operation of a bulk job whose reference cannot be resolved has status 412.",
        "RFC 7644 section 3.7.2 names no status for it; table 8: 412, a precondition failed",
        &[At(|seen, answer| {
            if *seen.endpoint != Endpoint::Bulk {
                return;
            }
            let operations = object(answer).and_then(|body| body.get_mut("Operations")?.as_array_mut());
            for operation in operations.into_iter().flatten() {
                let detail = operation.pointer("/response/detail").and_then(Value::as_str);
                if detail.is_some_and(|detail| detail.contains("cannot be resolved")) {
                    operation["status"] = "412".into();
                    operation["response"]["status"] = "412".into();
                }
            }
        })],
    ),
    rewriting(
        "bad-syntax-as-bad-value",
        &["AMB-08"],
        "What is refused as invalidSyntax elsewhere is invalidValue here.",
        "RFC 7644 section 3.12 table 9: the two descriptions overlap",
        &[At(|_, answer| exchange(answer, "invalidSyntax", "invalidValue"))],
    ),
    rewriting(
        "bad-value-as-bad-syntax",
        &["AMB-08"],
        "What is refused as invalidValue elsewhere is invalidSyntax here.",
        "RFC 7644 section 3.12 table 9: the two descriptions overlap",
        &[At(|_, answer| exchange(answer, "invalidValue", "invalidSyntax"))],
    ),
    rewriting(
        "bad-patch-as-bad-path",
        &["AMB-08"],
        "A PATCH that is refused as invalidSyntax elsewhere is invalidPath here.",
        "RFC 7644 section 3.12 table 9: invalidSyntax does not name PATCH",
        &[At(|seen, answer| {
            if seen.request.method == Method::PATCH {
                exchange(answer, "invalidSyntax", "invalidPath");
            }
        })],
    ),
    rewriting(
        "method-not-allowed-without-allow",
        &["AMB-05"],
        "A 405 has no Allow header.",
        "RFC 9110 section 15.5.6 wants it, RFC 7644 does not speak of 405; a warning in the lenient reading",
        &[At(|_, answer| {
            if answer.status == StatusCode::METHOD_NOT_ALLOWED {
                answer.headers.remove(ALLOW);
            }
        })],
    ),
    rewriting(
        "wrong-method-not-found",
        &["AMB-05"],
        "A method that an endpoint does not take is answered with 404.",
        "RFC 7644 section 3.12 table 8: no status is named for it",
        &[At(|_, answer| wrong_method(answer, StatusCode::NOT_FOUND))],
    ),
    rewriting(
        "wrong-method-not-implemented",
        &["AMB-05"],
        "A method that an endpoint does not take is answered with 501.",
        "RFC 7644 section 3.12 table 8: 501 is for operations that are not supported",
        &[At(|_, answer| wrong_method(answer, StatusCode::NOT_IMPLEMENTED))],
    ),
    rewriting(
        "wrong-method-forbidden",
        &["AMB-05"],
        "A method that an endpoint does not take is answered with 403.",
        "RFC 7644 section 3.12 table 8: 403 is for operations that are not permitted",
        &[At(|_, answer| wrong_method(answer, StatusCode::FORBIDDEN))],
    ),
    rewriting(
        "me-not-found",
        &["AMB-137"],
        "/Me is answered with 404.",
        "RFC 7644 section 3.11: 501 is a SHOULD, and the token belongs to no user",
        &[At(|seen, answer| {
            if *seen.endpoint == Endpoint::Me {
                set_status(answer, StatusCode::NOT_FOUND);
            }
        })],
    ),
    rewriting(
        "me-forbidden",
        &["AMB-137"],
        "/Me is answered with 403.",
        "RFC 7644 section 3.11: 501 is a SHOULD; section 3.12 table 8",
        &[At(|seen, answer| {
            if *seen.endpoint == Endpoint::Me {
                set_status(answer, StatusCode::FORBIDDEN);
            }
        })],
    ),
    rewriting(
        "search-not-implemented",
        &["AMB-04", "AMB-58"],
        "POST to .search is answered with 501.",
        "RFC 7644 section 3.12 table 8: 501 is for operations that are not supported; a warning",
        &[At(|seen, answer| search_as(seen.endpoint, answer, StatusCode::NOT_IMPLEMENTED))],
    ),
    rewriting(
        "search-not-found",
        &["AMB-04", "AMB-58"],
        "POST to .search is answered with 404.",
        "RFC 9110 section 15.5.5: there is nothing at that path; a warning",
        &[At(|seen, answer| search_as(seen.endpoint, answer, StatusCode::NOT_FOUND))],
    ),
    rewriting(
        "search-not-allowed",
        &["AMB-04", "AMB-58"],
        "POST to .search is answered with 405, as by a server that takes .search for an id.",
        "RFC 9110 section 15.5.6: the path has no POST; a warning",
        &[At(|seen, answer| {
            search_as(seen.endpoint, answer, StatusCode::METHOD_NOT_ALLOWED);
            if matches!(seen.endpoint, Endpoint::Search(_) | Endpoint::RootSearch) {
                answer.set_header(ALLOW, "GET, PUT, PATCH, DELETE");
            }
        })],
    ),
    rewriting(
        "root-not-found",
        &["AMB-04", "AMB-58"],
        "The base URL itself, and .search there, are answered with 404.",
        "RFC 7644 section 3.4.2.1: a query of several types may be supported",
        &[At(|seen, answer| {
            if matches!(seen.endpoint, Endpoint::Root | Endpoint::RootSearch) && !is_refused_earlier(answer) {
                refuse(answer, StatusCode::NOT_FOUND, None, "there is no endpoint here");
            }
        })],
    ),
    rewriting(
        "root-not-implemented",
        &["AMB-04", "AMB-58"],
        "The base URL itself, and .search there, are answered with 501.",
        "RFC 7644 section 3.4.2.1: a query of several types may be supported; section 3.12 table 8",
        &[At(|seen, answer| {
            if matches!(seen.endpoint, Endpoint::Root | Endpoint::RootSearch) && !is_refused_earlier(answer) {
                refuse(answer, StatusCode::NOT_IMPLEMENTED, None, "queries are per resource type");
            }
        })],
    ),
    rewriting(
        "bad-json-without-keyword",
        &["AMB-02", "AMB-08"],
        "A body that is no JSON is refused with 400 and no scimType.",
        "RFC 7644 section 3.12: scimType is optional",
        &[At(|seen, answer| {
            if answer.status == StatusCode::BAD_REQUEST
                && !seen.request.body.is_empty()
                && body_of(seen.request).is_none()
                && let Some(body) = error(answer)
            {
                body.shift_remove("scimType");
            }
        })],
    ),
    rewriting(
        "too-large-refused-in-front",
        &["AMB-10", "AMB-126"],
        "A message larger than maxPayloadSize is answered with 413 and a page in HTML, by what stands in front of the server.",
        "RFC 9110 section 15.5.14: a server may refuse what is too large before it reads it; that RFC 7644 section 3.7.4 has the limit named is warned of",
        &[At(|seen, answer| {
            // No request of a usual size is this large.
            if answer.status == StatusCode::PAYLOAD_TOO_LARGE && seen.request.body.len() > 100_000 {
                set_raw(answer, "text/html", "<html><h1>413 Request Entity Too Large</h1></html>");
            }
        })],
    ),
];

fn is_error(answer: &Answer) -> bool {
    answer.status.is_client_error() || answer.status.is_server_error()
}

/// Whether an answer was refused before anything was asked of the endpoint: for its credentials.
fn is_refused_earlier(answer: &Answer) -> bool {
    matches!(answer.status, StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN)
}

/// The body of an answer that is an error.
fn error(answer: &mut Answer) -> Option<&mut Map<String, Value>> {
    if is_error(answer) { object(answer) } else { None }
}

fn keyword(body: &Map<String, Value>) -> Option<&str> {
    body.get("scimType").and_then(Value::as_str)
}

/// Puts one keyword in the place of another.
fn exchange(answer: &mut Answer, from: &str, to: &str) {
    if let Some(body) = error(answer)
        && keyword(body) == Some(from)
    {
        body.insert("scimType".to_owned(), to.into());
    }
}

fn wrong_method(answer: &mut Answer, status: StatusCode) {
    if answer.status == StatusCode::METHOD_NOT_ALLOWED {
        answer.headers.remove(ALLOW);
        set_status(answer, status);
    }
}

fn search_as(endpoint: &Endpoint, answer: &mut Answer, status: StatusCode) {
    if matches!(endpoint, Endpoint::Search(_) | Endpoint::RootSearch) && !is_refused_earlier(answer) {
        refuse(answer, status, None, "queries are made with GET here");
    }
}
