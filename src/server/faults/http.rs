//! Wrong at the level of HTTP: authentication, media types, entity tags.

use axum::http::StatusCode;
use axum::http::header::{
    ACCEPT, CONTENT_TYPE, ETAG, HeaderName, IF_MATCH, IF_NONE_MATCH, LOCATION, WWW_AUTHENTICATE,
};
use axum::http::{HeaderValue, Method};
use bytes::Bytes;
use serde_json::Value;

use super::super::auth::Credentials;
use super::super::endpoint::Endpoint;
use super::super::fault::{FaultEntry, Rewrite};
use super::super::message::{Answer, Content, Request, SCIM_JSON};
use super::super::rewrite::set_media_type;
use super::{each_resource, fault, refuse, set_status};
use crate::scim::list::ListResponse;
use Rewrite::{Answer as At, Request as Before};

/// Where a condition waits until the write is done.
const LATE_CONDITION: HeaderName = HeaderName::from_static("x-late-condition");

pub(super) const FAULTS: &[FaultEntry] = &[
    fault(
        "auth-not-checked",
        &["DEF-280"],
        "Every request is served, with or without credentials.",
        "everybody: anyone can create accounts",
        &["RFC7642-4-02", "RFC7644-2-09", "RFC7644-3.12-10"],
        &[Before(|request| request.credentials = Credentials::Valid)],
    ),
    fault(
        "auth-not-checked-on-groups",
        &["DEF-281"],
        "Requests to /Groups are served without credentials.",
        "everybody: anyone can join the administrators",
        &["RFC7642-4-02", "RFC7644-2-09", "RFC7644-3.12-10"],
        &[Before(|request| {
            if request.path.contains("/Groups") {
                request.credentials = Credentials::Valid;
            }
        })],
    ),
    fault(
        "auth-not-checked-on-delete",
        &["DEF-281"],
        "DELETE is carried out without credentials.",
        "everybody: anyone can delete accounts",
        &["RFC7642-4-02", "RFC7644-2-09"],
        &[Before(|request| {
            if request.method == Method::DELETE {
                request.credentials = Credentials::Valid;
            }
        })],
    ),
    fault(
        "auth-takes-any-token",
        &["DEF-262", "DEF-276"],
        "Any bearer token is accepted.",
        "everybody: the secret is none",
        &["RFC7644-2-05", "RFC7642-4-02"],
        &[Before(|request| {
            if request.credentials == Credentials::Invalid {
                request.credentials = Credentials::Valid;
            }
        })],
    ),
    fault(
        "auth-failure-answers-403",
        &["DEF-228"],
        "Missing credentials are answered with 403 instead of 401.",
        "clients that renew their token on 401",
        &["RFC7644-3.12-10"],
        &[At(|_, answer| {
            if answer.status == StatusCode::UNAUTHORIZED {
                answer.headers.remove(WWW_AUTHENTICATE);
                set_status(answer, StatusCode::FORBIDDEN);
            }
        })],
    ),
    fault(
        "auth-failure-answers-500",
        &["DEF-227"],
        "Missing credentials are answered with 500.",
        "identity providers, which retry a 5xx for ever",
        &["RFC7644-3.12-10"],
        &[At(|_, answer| {
            if answer.status == StatusCode::UNAUTHORIZED {
                refuse(answer, StatusCode::INTERNAL_SERVER_ERROR, None, "token is None");
            }
        })],
    ),
    fault(
        "auth-failure-answers-200",
        &["DEF-280"],
        "Missing credentials are answered with 200 and an empty list.",
        "administrators, whose connection test succeeds with a wrong token",
        &["RFC7644-3.12-10", "RFC7642-4-02"],
        &[At(|_, answer| {
            if answer.status == StatusCode::UNAUTHORIZED {
                *answer = Answer::json(StatusCode::OK, ListResponse::complete(Vec::new()).to_json());
            }
        })],
    ),
    fault(
        "auth-failure-without-challenge",
        &["DEF-228"],
        "A 401 has no WWW-Authenticate header.",
        "clients that learn from it how to authenticate",
        &["RFC9110-11.6.1-01", "RFC7644-2-08"],
        &[At(|_, answer| {
            if answer.status == StatusCode::UNAUTHORIZED {
                answer.headers.remove(WWW_AUTHENTICATE);
            }
        })],
    ),
    fault(
        "auth-failure-without-body",
        &["DEF-228"],
        "A 401 has no body.",
        "administrators, who learn nothing of the cause",
        &["RFC7644-3.12-02"],
        &[At(|_, answer| {
            if answer.status == StatusCode::UNAUTHORIZED {
                answer.content = Content::Empty;
                answer.headers.remove(CONTENT_TYPE);
            }
        })],
    ),
    fault(
        "service-config-needs-auth",
        &["DEF-028"],
        "/ServiceProviderConfig cannot be read without credentials.",
        "clients that want to learn there how to authenticate",
        &["RFC7643-5-17"],
        &[Before(|request| {
            if request.credentials == Credentials::Absent {
                request.credentials = Credentials::Invalid;
            }
        })],
    ),
    fault(
        "answers-plain-json",
        &["DEF-010"],
        "Answers are application/json, also where application/scim+json was asked for.",
        "clients that check the media type",
        &["RFC7644-3.1-01", "RFC7644-3.8-06", "RFC7644-3.8-08"],
        &[At(|_, answer| set_media_type(answer, "application/json"))],
    ),
    fault(
        "answers-misspelt-media-type",
        &["DEF-010"],
        "Answers are application/json+scim.",
        "clients that check the media type",
        &["RFC7644-3.1-01", "RFC7644-8.1-01"],
        &[At(|_, answer| set_media_type(answer, "application/json+scim"))],
    ),
    fault(
        "answers-text-html",
        &["DEF-010"],
        "Answers are JSON that is called text/html.",
        "every client that looks at the media type",
        &["RFC7644-3.1-01", "RFC7644-3.8-06"],
        &[At(|_, answer| set_media_type(answer, "text/html; charset=utf-8"))],
    ),
    fault(
        "answers-without-media-type",
        &["DEF-010"],
        "Answers have no Content-Type.",
        "every client that looks at the media type",
        &["RFC7644-3.1-01", "RFC7644-3.8-08"],
        &[At(|_, answer| {
            answer.headers.remove(CONTENT_TYPE);
        })],
    ),
    fault(
        "answers-with-byte-order-mark",
        &[],
        "Bodies begin with a byte order mark.",
        "clients with strict JSON parsers",
        &["RFC8259-8.1-02"],
        &[At(|_, answer| {
            if let Content::Json(body) = &answer.content {
                answer.content = Content::Raw(Bytes::from(format!("\u{feff}{body}")));
            }
        })],
    ),
    fault(
        "answers-broken-json",
        &["DEF-045"],
        "The bodies of lists end in the middle.",
        "every client: the import of the whole tenant fails",
        &["RFC7644-3.2-14", "RFC7644-3.8-01"],
        &[At(|seen, answer| {
            if let (Content::Json(body), Endpoint::Resources(_)) = (&answer.content, seen.endpoint) {
                let text = body.to_string();
                let half: String = text.chars().take(text.chars().count() / 2).collect();
                answer.content = Content::Raw(Bytes::from(half));
            }
        })],
    ),
    fault(
        "scim-json-refused",
        &["DEF-011"],
        "A body of application/scim+json is refused with 415.",
        "every client that follows the RFC: no write succeeds",
        &["RFC7644-3.8-09", "RFC7644-3.1-01"],
        &[Before(|request| {
            if media_type(request).starts_with(SCIM_JSON) {
                request.headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/unknown"));
            }
        })],
    ),
    fault(
        "json-refused",
        &["DEF-012"],
        "A body of application/json is refused with 415.",
        "Okta and older clients, which label their bodies so",
        &["OKTA-SPEC-06"],
        &[Before(|request| {
            if media_type(request).starts_with("application/json") {
                request.headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/unknown"));
            }
        })],
    ),
    fault(
        "charset-refused",
        &["DEF-013"],
        "A Content-Type with a charset parameter is refused with 415.",
        "clients whose HTTP library adds the parameter",
        &["RFC7644-3.8-02", "RFC7644-3.8-09"],
        &[Before(|request| {
            if media_type(request).contains(';') {
                request.headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/unknown"));
            }
        })],
    ),
    fault(
        "text-body-accepted",
        &[],
        "A body of text/plain is read as if it were SCIM.",
        "everybody: a form on another site can send it",
        &["RFC7644-3.1-01", "RFC9110-15.5.16-01"],
        &[Before(|request| {
            request.headers.remove(CONTENT_TYPE);
        })],
    ),
    fault(
        "text-body-answers-500",
        &[],
        "A body of text/plain is answered with 500 instead of 415.",
        "administrators, who look for the error in the server",
        &["RFC9110-15.5.16-01"],
        &[
            Before(|request| {
                if media_type(request).starts_with("text/") {
                    request.headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/unknown"));
                }
            }),
            At(|_, answer| {
                if answer.status == StatusCode::UNSUPPORTED_MEDIA_TYPE {
                    refuse(answer, StatusCode::INTERNAL_SERVER_ERROR, None, "no parser for text/plain");
                }
            }),
        ],
    ),
    fault(
        "accept-compared-as-text",
        &["DEF-014"],
        "application/scim+json is answered with 406 where Accept names other media types before it.",
        "clients that send the header of their HTTP library",
        &["RFC7644-3.8-06"],
        &[At(|seen, answer| {
            let accept = seen.request.header(&ACCEPT).unwrap_or_default();
            if accept.contains(SCIM_JSON) && accept.trim() != SCIM_JSON {
                refuse(answer, StatusCode::NOT_ACCEPTABLE, None, "application/scim+json only");
            }
        })],
    ),
    fault(
        "accept-json-refused",
        &["DEF-014"],
        "Accept: application/json is answered with 406.",
        "clients that know SCIM for plain JSON",
        &["RFC7644-3.8-07"],
        &[At(|seen, answer| {
            if seen.request.header(&ACCEPT).is_some_and(|accept| accept.trim() == "application/json") {
                refuse(answer, StatusCode::NOT_ACCEPTABLE, None, "application/scim+json only");
            }
        })],
    ),
    fault(
        "accept-refused",
        &["DEF-014"],
        "Accept: application/scim+json is answered with 406.",
        "every client that follows the RFC",
        &["RFC7644-3.8-06"],
        &[At(|seen, answer| {
            if seen.request.header(&ACCEPT).is_some_and(|accept| accept.trim() == SCIM_JSON) {
                refuse(answer, StatusCode::NOT_ACCEPTABLE, None, "application/json only");
            }
        })],
    ),
    fault(
        "accept-demanded",
        &["DEF-018"],
        "A request without Accept is answered with 406.",
        "clients that leave the header out",
        &["RFC7644-3.8-08"],
        &[At(|seen, answer| {
            let accept = seen.request.header(&ACCEPT).unwrap_or_default();
            if !accept.contains("json") {
                refuse(answer, StatusCode::NOT_ACCEPTABLE, None, "Accept is missing");
            }
        })],
    ),
    fault(
        "accept-html-answers-html",
        &["DEF-014"],
        "A request that accepts text/html only gets a page instead of SCIM or 406.",
        "people who look with a browser, and clients that take any 200 for a resource",
        &["RFC9110-12.5.1-01"],
        &[At(|_, answer| {
            if answer.status == StatusCode::NOT_ACCEPTABLE {
                answer.status = StatusCode::OK;
                answer.set_header(CONTENT_TYPE, "text/html");
                answer.content = Content::Raw(Bytes::from_static(b"<html><body>SCIM</body></html>"));
            }
        })],
    ),
    fault(
        "trailing-slash-answers-404",
        &["DEF-017"],
        "/Users/?filter=… is answered with 404.",
        "OneLogin and Microsoft's test collection, which write the slash",
        &[],
        &[Before(|request| {
            if request.path.ends_with('/') {
                request.path.push_str("/nowhere");
            }
        })],
    ),
    fault(
        "unknown-parameter-refused",
        &[],
        "A query parameter that is not of SCIM is answered with 400.",
        "clients that add parameters of their own",
        &["RFC7644-3.4.2-03"],
        &[At(|seen, answer| {
            const KNOWN: [&str; 7] =
                ["filter", "sortBy", "sortOrder", "startIndex", "count", "attributes", "excludedAttributes"];
            if seen.request.query.iter().any(|(name, _)| !KNOWN.contains(&name.as_str())) {
                refuse(answer, StatusCode::BAD_REQUEST, Some("invalidValue"), "unknown parameter");
            }
        })],
    ),
    fault(
        "create-without-location",
        &["DEF-016"],
        "The 201 has no Location header.",
        "clients that take the new id from it",
        &["RFC7644-3.3-09"],
        &[At(|_, answer| {
            if answer.status == StatusCode::CREATED {
                answer.headers.remove(LOCATION);
            }
        })],
    ),
    fault(
        "create-location-no-uri",
        &[],
        "The Location of the 201 has the server's IPv6 address without brackets, so that it is no URI.",
        "clients that follow it",
        &["RFC9110-10.2.2-01"],
        &[At(|_, answer| {
            if answer.status == StatusCode::CREATED
                && let Some(location) = answer.headers.get(LOCATION).and_then(|it| it.to_str().ok())
            {
                let path = location.splitn(4, '/').nth(3).unwrap_or_default();
                let location = format!("http://::1:8080/{path}");
                answer.set_header(LOCATION, &location);
            }
        })],
    ),
    fault(
        "read-location-differs",
        &[],
        "The Location of a GET is that of the collection, and not meta.location.",
        "clients that keep it for the address of the resource",
        &["RFC7644-3.4.1-03"],
        &[At(|seen, answer| {
            if let (&Method::GET, Endpoint::Resource(kind, _)) = (&seen.request.method, seen.endpoint)
                && answer.status == StatusCode::OK
            {
                answer.set_header(LOCATION, &format!("{}/{}", seen.base, kind.segment()));
            }
        })],
    ),
    fault(
        "create-location-differs",
        &["DEF-015"],
        "The Location of the 201 is that of the collection, and not meta.location.",
        "clients that follow it",
        &["RFC7644-3.3-09", "RFC9110-10.2.2-01"],
        &[At(|seen, answer| {
            if let (StatusCode::CREATED, Endpoint::Resources(kind)) = (answer.status, seen.endpoint) {
                answer.set_header(LOCATION, &format!("{}/{}", seen.base, kind.segment()));
            }
        })],
    ),
    fault(
        "content-location-differs",
        &[],
        "Content-Location and meta.location differ.",
        "caches",
        &["RFC7643-3.1-24"],
        &[At(|_, answer| {
            let name = HeaderName::from_static("content-location");
            if answer.headers.contains_key(&name) {
                answer.set_header(name, "/somewhere/else");
            }
        })],
    ),
    fault(
        "etag-missing",
        &[],
        "Answers with a resource have no ETag, although etag.supported is true.",
        "clients that guard against lost updates",
        &["RFC7644-3.14-02", "RFC7644-3.3-12", "RFC9110-8.8.3-02"],
        &[At(|_, answer| {
            answer.headers.remove(ETAG);
        })],
    ),
    fault(
        "etag-differs-from-version",
        &[],
        "ETag and meta.version differ.",
        "clients that send meta.version in If-Match",
        &["RFC7643-3.1-25", "RFC7644-3.3-12"],
        &[At(|_, answer| {
            if answer.headers.contains_key(ETAG) {
                answer.set_header(ETAG, "W/\"0000000000000000\"");
            }
        })],
    ),
    fault(
        "etag-unquoted",
        &["DEF-215"],
        "ETag and meta.version have no quotes.",
        "HTTP libraries, which refuse the header",
        &["RFC9110-8.8.3-01"],
        &[At(|seen, answer| {
            let tag = answer.headers.get(ETAG).and_then(|tag| tag.to_str().ok()).map(unquoted);
            if let Some(tag) = tag {
                answer.set_header(ETAG, &tag);
            }
            each_resource(seen, answer, |resource| {
                if let Some(version) = resource.get_mut("meta").and_then(|meta| meta.get_mut("version")) {
                    *version = unquoted(version.as_str().unwrap_or_default()).into();
                }
            });
        })],
    ),
    fault(
        "version-missing",
        &[],
        "meta has no version, although etag.supported is true.",
        "clients that read lists and update from there",
        &["RFC7644-3.14-03", "RFC7644-3.3-12"],
        &[At(|seen, answer| {
            each_resource(seen, answer, |resource| {
                if let Some(meta) = resource.get_mut("meta").and_then(Value::as_object_mut) {
                    meta.shift_remove("version");
                }
            });
        })],
    ),
    fault(
        "version-frozen",
        &[],
        "ETag and meta.version are the same whatever changes.",
        "clients that guard against lost updates, and lose them",
        &["RFC7644-3.14-08"],
        &[At(|seen, answer| {
            if answer.headers.contains_key(ETAG) {
                answer.set_header(ETAG, "W/\"1\"");
            }
            each_resource(seen, answer, |resource| {
                if let Some(version) = resource.get_mut("meta").and_then(|meta| meta.get_mut("version")) {
                    *version = "W/\"1\"".into();
                }
            });
        })],
    ),
    fault(
        "if-match-ignored",
        &["DEF-214"],
        "A write with a stale If-Match is carried out.",
        "everybody: one update overwrites another",
        &["RFC9110-13.1.1-01", "RFC9110-13.1.1-03"],
        &[Before(|request| {
            request.headers.remove(IF_MATCH);
        })],
    ),
    fault(
        "if-match-always-fails",
        &["DEF-215"],
        "A write with the current tag in If-Match, or with *, is answered with 412.",
        "clients that guard against lost updates",
        &["RFC9110-13.1.1-05", "RFC7644-3.14-01"],
        &[Before(|request| {
            if request.headers.contains_key(IF_MATCH) {
                request.headers.insert(IF_MATCH, HeaderValue::from_static("\"never\""));
            }
        })],
    ),
    fault(
        "if-match-looked-at-afterwards",
        &["DEF-214"],
        "A write with a stale If-Match is carried out, and answered with 412.",
        "everybody: one update overwrites another, and its client believes that nothing happened",
        &["RFC9110-13.1.1-01", "RFC9110-13.1.1-03"],
        &[
            Before(|request| {
                if matches!(request.method, Method::PUT | Method::PATCH)
                    && let Some(condition) = request.headers.remove(IF_MATCH)
                {
                    request.headers.insert(LATE_CONDITION, condition);
                }
            }),
            At(|seen, answer| {
                let address = seen.request.path_below().to_owned();
                let condition = seen.request.header(&LATE_CONDITION).filter(|condition| *condition != "*");
                let is_stale = condition.zip(seen.memory.tags.get(&address)).is_some_and(|(a, b)| a != b);
                let tag = answer.headers.get(ETAG).and_then(|tag| tag.to_str().ok());
                if let Some(tag) = tag {
                    seen.memory.tags.insert(address, tag.to_owned());
                }
                if is_stale && answer.status.is_success() {
                    refuse(answer, StatusCode::PRECONDITION_FAILED, None, "the version is another one");
                }
            }),
        ],
    ),
    fault(
        "if-none-match-ignored",
        &[],
        "A GET with the current tag in If-None-Match is answered with the whole resource.",
        "clients that poll",
        &["RFC7644-3.14-06", "RFC9110-13.1.2-02"],
        &[Before(|request| {
            request.headers.remove(IF_NONE_MATCH);
        })],
    ),
    fault(
        "precondition-answers-500",
        &[],
        "A precondition that does not hold is answered with 500.",
        "clients that guard against lost updates",
        &["RFC7644-3.12-14", "RFC9110-13.1.1-04"],
        &[At(|_, answer| {
            if answer.status == StatusCode::PRECONDITION_FAILED {
                set_status(answer, StatusCode::INTERNAL_SERVER_ERROR);
            }
        })],
    ),
    fault(
        "no-content-with-length",
        &[],
        "A 204 announces a body of two bytes.",
        "clients and proxies that wait for the body, or take the next answer for it",
        &["RFC9110-15.3.5-01"],
        &[Rewrite::Wire(|bytes| {
            const HEAD: &[u8] = b"HTTP/1.1 204 No Content\r\n";
            if bytes.starts_with(HEAD) {
                bytes.splice(HEAD.len()..HEAD.len(), *b"content-length: 2\r\n");
            }
        })],
    ),
];

fn media_type(request: &Request) -> String {
    request.header(&CONTENT_TYPE).unwrap_or_default().to_ascii_lowercase()
}

fn unquoted(tag: &str) -> String {
    tag.replace('"', "")
}
