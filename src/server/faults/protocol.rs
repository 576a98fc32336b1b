//! Wrong at the frame of the protocol: challenges, addresses, preconditions, what is said of answers that come later,
//! bodies and filters that are meant to break a parser, and requests that are under way at once.

use axum::http::header::{
    ALLOW, CONTENT_TYPE, ETAG, IF_MATCH, IF_NONE_MATCH, LOCATION, SET_COOKIE, WWW_AUTHENTICATE,
};
use axum::http::{Method, StatusCode};
use bytes::Bytes;
use serde_json::{Value, json};

use super::super::auth::Credentials;
use super::super::endpoint::Endpoint;
use super::super::fault::{FaultEntry, Rewrite, Seen};
use super::super::message::{Answer, Content, Request};
use super::super::negotiate::allow;
use super::super::rewrite::{declines_me, each_meta, list, service_config};
use super::{body_of, fault, object, refuse};
use Rewrite::{Answer as At, Filter as Parsed, Overlap, Request as Before};

pub(super) const FAULTS: &[FaultEntry] = &[
    // --- who may ask ---
    fault(
        "challenge-of-its-own-scheme",
        &[],
        "The challenge of a 401 names a scheme that HTTP does not know.",
        "clients, which have no such credentials",
        &["RFC7644-2-01"],
        &[At(|_, answer| {
            if answer.status == StatusCode::UNAUTHORIZED {
                answer.set_header(WWW_AUTHENTICATE, "Spoon realm=\"scim\"");
            }
        })],
    ),
    fault(
        "auth-not-checked-on-one-resource",
        &["DEF-281"],
        "A resource is shown to whoever knows its id, with or without credentials.",
        "everybody: ids are in every log",
        &["RFC7642-4-02"],
        &[Before(|request| {
            let names_one = request.path_below().split_once('/').is_some_and(|(_, id)| id != ".search");
            if request.method == Method::GET && names_one {
                request.credentials = Credentials::Valid;
            }
        })],
    ),
    fault(
        "auth-not-checked-on-search",
        &["DEF-281"],
        "A POST to .search is answered without credentials.",
        "everybody: anyone can read the directory",
        &["RFC7642-4-02"],
        &[Before(|request| {
            if request.path.ends_with("/.search") {
                request.credentials = Credentials::Valid;
            }
        })],
    ),
    fault(
        "auth-not-checked-on-put",
        &["DEF-281"],
        "PUT is carried out without credentials.",
        "everybody: anyone can change accounts",
        &["RFC7642-4-02"],
        &[Before(|request| {
            if request.method == Method::PUT {
                request.credentials = Credentials::Valid;
            }
        })],
    ),
    fault(
        "auth-not-checked-on-bulk",
        &["DEF-281"],
        "Bulk requests are answered without credentials.",
        "everybody: anyone can create accounts",
        &["RFC7642-4-02"],
        &[Before(|request| {
            if request.path_below() == "Bulk" {
                request.credentials = Credentials::Valid;
            }
        })],
    ),
    fault(
        "precondition-before-authentication",
        &[],
        "A request with If-None-Match and without credentials is answered with 304.",
        "everybody: it tells strangers which ids there are",
        &["RFC9110-13.2.1-01"],
        &[At(|seen, answer| {
            if answer.status == StatusCode::UNAUTHORIZED && seen.request.headers.contains_key(IF_NONE_MATCH) {
                *answer = Answer::empty(StatusCode::NOT_MODIFIED).with_header(ETAG, "W/\"1\"");
            }
        })],
    ),
    fault(
        "bulk-crosses-tenants",
        &["DEF-284"],
        "The operations of a bulk request change resources of another tenant.",
        "every tenant, whose people others delete",
        &["RFC7644-2-09", "RFC7644-6.1-03"],
        &[Before(|request| {
            if request.path_below() == "Bulk" {
                request.tenant = 0;
            }
        })],
    ),
    fault(
        "sets-lasting-cookie",
        &[],
        "Answers set a cookie that lasts for a year.",
        "everybody whose browser or proxy keeps it: it stands in for credentials",
        &["RFC7644-7.4-04"],
        &[At(|_, answer| answer.set_header(SET_COOKIE, "session=7f3a; Path=/; Max-Age=31536000"))],
    ),
    // --- addresses ---
    fault(
        "location-with-query",
        &[],
        "meta.location has a query.",
        "clients that append attributes to it",
        &["RFC7644-1.3-01"],
        &[At(|seen, answer| rewrite_locations(seen, answer, |location| format!("{location}?tenant=main")))],
    ),
    fault(
        "location-not-encoded",
        &[],
        "meta.location has braces in it.",
        "HTTP libraries, which refuse the URI",
        &["RFC7644-1.2-01"],
        &[At(|seen, answer| {
            rewrite_locations(seen, answer, |location| match location.rsplit_once('/') {
                Some((before, id)) => format!("{before}/{{{id}}}"),
                None => location.to_owned(),
            });
        })],
    ),
    fault(
        "location-version-misplaced",
        &[],
        "meta.location has the version in another place than the base URL.",
        "clients that follow it",
        &["RFC7644-3.13-02"],
        &[At(|seen, answer| {
            rewrite_locations(seen, answer, |location| location.replace("/scim/v2/", "/v2/scim/"));
        })],
    ),
    fault(
        "unknown-version-served",
        &[],
        "Any version in the URL is answered by version 2.",
        "clients of another version, which take the answers for theirs",
        &["RFC7644-3.13-03", "RFC7644-3.12-26"],
        &[Before(|request| {
            if request.path.starts_with("/scim/v") {
                let rest = request.path.splitn(4, '/').nth(3).unwrap_or_default();
                request.path = format!("/scim/v2/{rest}");
            }
        })],
    ),
    fault(
        "escaped-plus-as-blank",
        &["DEF-140"],
        "A plus sign that is percent-encoded in a query is read as a blank.",
        "people with a plus sign in their address",
        &["RFC7644-1.2-01"],
        &[Before(|request| {
            for (_, value) in &mut request.query {
                *value = value.replace('+', " ");
            }
        })],
    ),
    // --- methods, statuses and headers ---
    fault(
        "head-without-headers",
        &[],
        "HEAD is answered without the Content-Type and ETag of a GET.",
        "clients that ask with HEAD whether something changed",
        &["RFC9110-9.3.2-02"],
        &[At(|seen, answer| {
            if seen.request.method == Method::HEAD {
                answer.headers.remove(CONTENT_TYPE);
                answer.headers.remove(ETAG);
            }
        })],
    ),
    fault(
        "discovery-405-without-body",
        &["DEF-222"],
        "A method that an endpoint of discovery does not take is answered with 405 and an empty body.",
        "clients that show the detail of errors",
        &["RFC7644-3.12-02"],
        &[At(|seen, answer| {
            if seen.endpoint.is_discovery() && answer.status == StatusCode::METHOD_NOT_ALLOWED {
                answer.content = Content::Empty;
                answer.headers.remove(CONTENT_TYPE);
            }
        })],
    ),
    fault(
        "errors-answer-200",
        &["DEF-222"],
        "Errors are SCIM errors with the HTTP status 200.",
        "clients that look at the status: they take each refusal for done",
        &["RFC7644-3.12-01"],
        &[At(|_, answer| {
            if answer.status.is_client_error() && answer.body().is_some() {
                answer.status = StatusCode::OK;
            }
        })],
    ),
    fault(
        "bad-json-answers-409",
        &[],
        "A body that is no JSON is answered with 409 uniqueness.",
        "clients, which look for a duplicate that is not there",
        &["RFC7644-3.12-22"],
        &[At(|seen, answer| {
            let is_broken = !seen.request.body.is_empty() && body_of(seen.request).is_none();
            if answer.status == StatusCode::BAD_REQUEST && is_broken {
                refuse(answer, StatusCode::CONFLICT, Some("uniqueness"), "the resource exists");
            }
        })],
    ),
    fault(
        "patch-format-refused-without-hint",
        &[],
        "A PATCH of another media type is refused with 415 and no Accept-Patch.",
        "clients that could send another format",
        &["RFC5789-2.2-02"],
        &[At(|_, answer| {
            answer.headers.remove("accept-patch");
        })],
    ),
    fault(
        "bulk-answers-405",
        &["DEF-090"],
        "ServiceProviderConfig says that bulk is supported, and a POST to /Bulk is answered with 405.",
        "clients that rely on what is advertised",
        &["RFC7644-3.2-12"],
        &[At(|seen, answer| {
            if *seen.endpoint == Endpoint::Bulk && seen.request.method == Method::POST {
                refuse(answer, StatusCode::METHOD_NOT_ALLOWED, None, "POST is not allowed");
                answer.set_header(ALLOW, &allow(&[Method::GET]));
            }
        })],
    ),
    fault(
        "post-answers-405",
        &[],
        "A POST to /Users or /Groups is answered with 405.",
        "every client: nobody is provisioned",
        &["RFC7644-3.2-05"],
        &[At(|seen, answer| {
            if matches!(seen.endpoint, Endpoint::Resources(_))
                && seen.request.method == Method::POST
                && !seen.request.path.ends_with("/.search")
            {
                refuse(answer, StatusCode::METHOD_NOT_ALLOWED, None, "POST is not allowed");
                answer.set_header(ALLOW, &allow(&[Method::GET]));
            }
        })],
    ),
    fault(
        "patch-answers-405",
        &[],
        "ServiceProviderConfig says that PATCH is supported, and it is answered with 405.",
        "clients that rely on what is advertised",
        &["RFC7644-3.2-07"],
        &[At(|seen, answer| {
            if seen.request.method == Method::PATCH && matches!(seen.endpoint, Endpoint::Resource(..)) {
                refuse(answer, StatusCode::METHOD_NOT_ALLOWED, None, "PATCH is not allowed");
                answer.set_header(ALLOW, &allow(&[Method::GET, Method::PUT, Method::DELETE]));
            }
        })],
    ),
    fault(
        "me-without-location",
        &[],
        "/Me shows the subject's own resource, and not where it lives.",
        "clients that want to know who they are",
        &["RFC7644-3.11-05"],
        &[At(|seen, answer| {
            if declines_me(seen, answer) {
                let user = json!({
                    "schemas": [crate::scim::names::USER],
                    "id": "7f3a5c",
                    "userName": "client@example.com",
                    "meta": {
                        "resourceType": "User",
                        "created": "2026-01-01T00:00:00Z",
                        "lastModified": "2026-01-01T00:00:00Z",
                        "location": format!("{}/Me", seen.base),
                    },
                });
                *answer = Answer::json(StatusCode::OK, user);
            }
        })],
    ),
    fault(
        "me-lists-everybody",
        &[],
        "/Me stands for /Users: it lists everybody.",
        "portals, which show somebody else's account to whoever has signed in",
        &["RFC7644-3.2-10"],
        &[At(|seen, answer| {
            if declines_me(seen, answer) {
                let list = json!({
                    "schemas": [crate::scim::names::LIST_RESPONSE],
                    "totalResults": 1,
                    "Resources": [{ "schemas": [crate::scim::names::USER], "userName": "client@example.com" }],
                });
                *answer = Answer::json(StatusCode::OK, list);
                answer.set_header(LOCATION, &format!("{}/Users/7f3a5c", seen.base));
            }
        })],
    ),
    fault(
        "answers-latin-1",
        &[],
        "Bodies are encoded in ISO 8859-1.",
        "people whose names are not ASCII",
        &["RFC8259-8.1-01"],
        &[At(|_, answer| {
            if let Content::Json(body) = &answer.content {
                let bytes: Vec<u8> =
                    body.to_string().chars().map(|c| u8::try_from(c).unwrap_or(b'?')).collect();
                answer.content = Content::Raw(Bytes::from(bytes));
            }
        })],
    ),
    fault(
        "delete-answers-202-with-body",
        &[],
        "DELETE answers 202 with a body, and says neither where nor by which name to ask for the result.",
        "clients that want to know whether it was done",
        &["RFC9967-2.5.1.1-05", "RFC9967-3-01", "RFC9967-2.5.1.1-08"],
        &[At(|seen, answer| {
            if seen.request.method == Method::DELETE && answer.status == StatusCode::NO_CONTENT {
                *answer = Answer::json(StatusCode::ACCEPTED, json!({"message": "accepted"}));
            }
        })],
    ),
    fault(
        "delete-answers-bare-202",
        &[],
        "DELETE answers 202 and nothing else.",
        "clients that want to know whether it was done",
        &["RFC9967-2.5.1.1-06", "RFC9967-2.5.1.1-07"],
        &[At(|seen, answer| {
            if seen.request.method == Method::DELETE && answer.status == StatusCode::NO_CONTENT {
                answer.status = StatusCode::ACCEPTED;
            }
        })],
    ),
    // --- versions of resources ---
    fault(
        "create-without-etag",
        &[],
        "The answer to a create has no ETag, although meta.version is there.",
        "clients that update what they have just created",
        &["RFC7644-3.14-04"],
        &[At(|_, answer| {
            if answer.status == StatusCode::CREATED {
                answer.headers.remove(ETAG);
            }
        })],
    ),
    fault(
        "if-none-match-strong",
        &["DEF-215"],
        "A weak entity tag in If-None-Match never matches.",
        "clients that poll",
        &["RFC9110-13.1.2-01"],
        &[Before(|request| {
            if request.header(&IF_NONE_MATCH).is_some_and(|condition| condition.starts_with("W/")) {
                request.headers.remove(IF_NONE_MATCH);
            }
        })],
    ),
    fault(
        "not-modified-without-etag",
        &[],
        "A 304 has no ETag.",
        "caches",
        &["RFC9110-15.4.5-01"],
        &[At(|_, answer| {
            if answer.status == StatusCode::NOT_MODIFIED {
                answer.headers.remove(ETAG);
            }
        })],
    ),
    // --- discovery ---
    fault(
        "resource-types-without-total",
        &[],
        "The list of /ResourceTypes has no totalResults.",
        "clients that read lists by one rule",
        &["RFC7644-4-12"],
        &[At(|seen, answer| {
            if list(seen, answer, &Endpoint::ResourceTypes).is_some()
                && let Some(body) = object(answer)
            {
                body.shift_remove("totalResults");
            }
        })],
    ),
    fault(
        "security-events-malformed",
        &[],
        "securityEvents in /ServiceProviderConfig holds words of its own.",
        "clients that want to know whether they may ask for answers later",
        &["RFC9967-4-02", "RFC9967-4-03"],
        &[At(|seen, answer| {
            if let Some(config) = service_config(seen, answer) {
                let events = json!({"asyncRequest": "sometimes", "eventUris": "all"});
                config.insert("securityEvents".to_owned(), events);
            }
        })],
    ),
    // --- what is meant to break a parser, or to get around it ---
    fault(
        "filter-literal-interpolated",
        &["DEF-285", "DEF-286"],
        "A quote in the literal of a filter ends it: what follows is a condition of the sender's own.",
        "everybody: anyone with a token of little worth reads all",
        &["RFC7644-7.7-01"],
        &[Parsed(|filter| {
            if filter.text.contains("' or '1'='1") {
                filter.parsed = Ok(None);
            }
        })],
    ),
    fault(
        "filter-nul-answers-500",
        &["DEF-225"],
        "A NUL character in the literal of a filter is answered with 500.",
        "operators, whose database refuses it where nobody expected it",
        &["RFC7644-3.12-01"],
        &[At(|seen, answer| {
            let has_nul = |filter: &str| filter.contains("\\u0000");
            if seen.request.parameter("filter").is_some_and(has_nul) {
                let detail = "ERROR: invalid byte sequence for encoding \"UTF8\": 0x00";
                refuse(answer, StatusCode::INTERNAL_SERVER_ERROR, None, detail);
            }
        })],
    ),
    fault(
        "deep-filter-answers-500",
        &["DEF-253"],
        "A filter of many parentheses is answered with 500.",
        "everybody: the next one more brings the server down",
        &["RFC7644-3.12-01"],
        &[At(|seen, answer| {
            let is_deep = |filter: &str| filter.matches('(').count() > 15;
            if seen.request.parameter("filter").is_some_and(is_deep) {
                refuse(answer, StatusCode::INTERNAL_SERVER_ERROR, None, "RecursionError");
            }
        })],
    ),
    fault(
        "deep-body-answers-500",
        &["DEF-289"],
        "A body that nests deep is answered with 500.",
        "everybody: the next one more brings the server down",
        &["RFC7644-3.12-01", "RFC7644-3.12-09"],
        &[At(|seen, answer| {
            if seen.request.body.windows(40).any(|part| part.iter().all(|byte| *byte == b'[')) {
                refuse(answer, StatusCode::INTERNAL_SERVER_ERROR, None, "RecursionError");
            }
        })],
    ),
    fault(
        "bad-utf-8-answers-500",
        &["DEF-098"],
        "A body that is no UTF-8 is answered with 500.",
        "operators, who look for the fault on the wrong side",
        &["RFC7644-3.12-01", "RFC7644-3.12-09"],
        &[At(|seen, answer| {
            if std::str::from_utf8(&seen.request.body).is_err() {
                refuse(answer, StatusCode::INTERNAL_SERVER_ERROR, None, "UnicodeDecodeError");
            }
        })],
    ),
    fault(
        "patch-path-of-prototype-answers-500",
        &["DEF-267"],
        "A PATCH path that begins with __proto__ is answered with 500.",
        "everybody: it changes what all objects of the server have",
        &["RFC7644-3.12-23"],
        &[At(|seen, answer| {
            let names_prototype = String::from_utf8_lossy(&seen.request.body).contains("__proto__");
            if seen.request.method == Method::PATCH && names_prototype {
                refuse(answer, StatusCode::INTERNAL_SERVER_ERROR, None, "Cannot set property of undefined");
            }
        })],
    ),
    fault(
        "error-with-sql",
        &["DEF-225"],
        "The detail of an error is the database's own.",
        "the operator, whose tables anyone can read",
        &["RFC7644-3.12-06"],
        &[At(|_, answer| {
            if answer.status.is_client_error()
                && let Some(body) = object(answer)
            {
                let detail = "sqlite3.OperationalError: near \"users\": syntax error at or near FROM";
                body.insert("detail".to_owned(), detail.into());
            }
        })],
    ),
    // --- requests at once ---
    fault(
        "race-creates-twice",
        &["DEF-247"],
        "Two creates of one userName that are under way at once both succeed.",
        "everybody whom a client that retries has given a second account",
        &["RFC7643-4.1.1-02", "RFC7644-3.3-11"],
        &[Overlap(|request| {
            let body = body_of(request).filter(|_| request.method == Method::POST)?;
            Some(format!("create {}", body.get("userName").and_then(Value::as_str)?))
        })],
    ),
    fault(
        "race-loses-members",
        &["DEF-245"],
        "Of two members that are added to a group at once, one is lost.",
        "people without the access that their directory gave them",
        &["RFC5789-2-01"],
        &[Overlap(|request| overwrites(request, "Groups"))],
    ),
    fault(
        "race-loses-attributes",
        &["DEF-245"],
        "Of two attributes of a user that are changed at once, one keeps its old value.",
        "clients that send each change by itself",
        &["RFC5789-2-01"],
        &[Overlap(|request| overwrites(request, "Users"))],
    ),
    fault(
        "race-passes-preconditions",
        &["DEF-216"],
        "Two writes with the same If-Match that are under way at once both succeed.",
        "clients that guard against lost updates, and lose them",
        &["RFC9110-13.1.1-03"],
        &[Overlap(|request| {
            let condition = request.header(&IF_MATCH)?;
            Some(format!("{} if {condition}", request.path))
        })],
    ),
    fault(
        "race-deletes-twice",
        &[],
        "Two deletions of one resource that are under way at once both answer 204.",
        "clients that count what they deleted",
        &["RFC7644-3.6-03"],
        &[Overlap(|request| (request.method == Method::DELETE).then(|| format!("delete {}", request.path)))],
    ),
];

/// Rewrites the location of each resource, in its meta and in the header.
fn rewrite_locations(seen: &Seen<'_>, answer: &mut Answer, change: impl Fn(&str) -> String) {
    each_meta(seen, answer, |meta| {
        if let Some(location) = meta.get_mut("location") {
            *location = change(location.as_str().unwrap_or_default()).into();
        }
    });
    let header = answer.headers.get(LOCATION).and_then(|location| location.to_str().ok()).map(&change);
    if let Some(location) = header {
        answer.set_header(LOCATION, &location);
    }
}

/// The PATCH requests to one resource.
fn overwrites(request: &Request, endpoint: &str) -> Option<String> {
    let is_one = request.method == Method::PATCH
        && !request.headers.contains_key(IF_MATCH)
        && request.path_below().starts_with(endpoint);
    is_one.then(|| format!("patch {}", request.path))
}
