//! HTTP: methods, media types, headers, authentication (RFC 7644 §2, §3.2, §3.8, §3.14).

use axum::http::header::{
    ACCEPT, CACHE_CONTROL, CONNECTION, CONTENT_LOCATION, CONTENT_TYPE, ETAG, HeaderName, IF_MATCH,
    IF_NONE_MATCH, LOCATION, SET_COOKIE, VARY, WWW_AUTHENTICATE,
};
use axum::http::{HeaderValue, Method, StatusCode};
use serde_json::{Map, Value};

use super::super::auth::Credentials;
use super::super::endpoint::{Endpoint, Kind};
use super::super::fault::Rewrite;
use super::super::message::{Answer, Content, Request, SCIM_JSON};
use super::super::rewrite::{
    each_meta, each_resource, refuse, service_config, set_media_type, set_raw, set_status,
};
use super::super::variant::VariantEntry;
use super::rewriting;
use Rewrite::{Answer as At, Request as Before};

pub(super) const VARIANTS: &[VariantEntry] = &[
    rewriting(
        "me-redirects",
        &["AMB-137"],
        "/Me redirects with 308 to the subject's own address.",
        "RFC 7644 section 3.11: a service provider may redirect to the permanent resource",
        &[At(|seen, answer| {
            let is_me = seen.request.path_below() == "Me" && answer.status == StatusCode::NOT_IMPLEMENTED;
            let somebody = seen.store.all().find(|record| record.kind == Kind::User);
            if let Some(somebody) = somebody.filter(|_| is_me) {
                *answer = Answer::empty(StatusCode::PERMANENT_REDIRECT)
                    .with_header(LOCATION, &format!("{}/Users/{}", seen.base, somebody.id));
            }
        })],
    ),
    rewriting(
        "session-cookie",
        &[],
        "Answers set a cookie that ends with the session, and take another one away.",
        "RFC 7644 section 7.4: a cookie should last no longer than the session",
        &[At(|_, answer| {
            answer.headers.append(SET_COOKIE, HeaderValue::from_static("session=7f3a; Path=/; HttpOnly"));
            let gone = "old=; Path=/; Max-Age=0; Expires=Thu, 01 Jan 1970 00:00:00 GMT";
            answer.headers.append(SET_COOKIE, HeaderValue::from_static(gone));
        })],
    ),
    // --- media types and JSON ----------------------------------------------------------------------------------
    rewriting(
        "media-type-with-charset",
        &["AMB-130"],
        "Answers are labelled application/scim+json; charset=utf-8.",
        "RFC 9110 section 8.3.1: parameters may follow a media type, and do not change it",
        &[At(|_, answer| set_media_type(answer, "application/scim+json; charset=utf-8"))],
    ),
    rewriting(
        "media-type-in-capitals",
        &["AMB-130"],
        "Answers are labelled Application/SCIM+JSON;charset=\"UTF-8\".",
        "RFC 9110 section 8.3.1: type, subtype and charset are read without regard to case, and a value may be quoted",
        &[At(|_, answer| set_media_type(answer, "Application/SCIM+JSON;charset=\"UTF-8\""))],
    ),
    rewriting(
        "media-type-json",
        &["AMB-130"],
        "Answers are labelled application/json.",
        "RFC 7644 section 3.8: a service provider should also offer application/json; a warning in the lenient reading",
        &[At(|_, answer| set_media_type(answer, "application/json"))],
    ),
    rewriting(
        "media-type-follows-accept",
        &["AMB-130"],
        "Who accepts application/json alone is answered with it.",
        "RFC 7644 section 3.8: a service provider should support application/json in Accept",
        &[At(|seen, answer| {
            if seen.request.header(&ACCEPT).is_some_and(|accept| accept.trim() == "application/json") {
                set_media_type(answer, "application/json");
            }
        })],
    ),
    rewriting(
        "json-indented",
        &["AMB-140"],
        "Bodies are indented, and end with a line break.",
        "RFC 8259 section 2: white space around tokens means nothing",
        &[At(|_, answer| {
            answer.write = |value| serde_json::to_string_pretty(value).unwrap_or_default() + "\n";
        })],
    ),
    rewriting(
        "json-escaped",
        &["AMB-140"],
        "Bodies are pure ASCII: other letters are \\u escapes, and each solidus is escaped.",
        "RFC 8259 section 7: any character may be escaped",
        &[At(|_, answer| answer.write = escaped)],
    ),
    rewriting(
        "json-members-reversed",
        &["AMB-140"],
        "The members of each object come in another order: Resources before totalResults, meta before id.",
        "RFC 8259 section 4: the members of an object have no order",
        &[At(|_, answer| answer.write = |value| reversed(value, 0).to_string())],
    ),
    rewriting(
        "headers-of-a-front-end",
        &[],
        "Answers carry headers that SCIM does not know, and close the connection.",
        "RFC 9110 section 5.1: an unrecognised header field is ignored; RFC 9112 section 9.6: a server may close",
        &[At(|_, answer| {
            answer.set_header(CACHE_CONTROL, "no-store, private");
            answer.set_header(VARY, "Accept, Authorization");
            answer.set_header(CONNECTION, "close");
            answer.set_header(HeaderName::from_static("x-request-id"), "6ba7b810");
            answer.set_header(HeaderName::from_static("strict-transport-security"), "max-age=63072000");
            answer.set_header(HeaderName::from_static("server"), "front/1.2");
        })],
    ),
    rewriting(
        "html-answered-with-scim",
        &["AMB-131"],
        "Who accepts text/html alone is answered with SCIM all the same.",
        "RFC 9110 section 12.4.1: a server may disregard Accept and send what it has",
        &[Before(|request| {
            if request.header(&ACCEPT) == Some("text/html") {
                request.headers.remove(ACCEPT);
            }
        })],
    ),
    rewriting(
        "html-not-acceptable-says-a-page",
        &["AMB-131"],
        "Who accepts text/html alone is answered 406 with a page in HTML.",
        "RFC 9110 section 15.5.7: the form of the 406 is the server's; a warning for the want of a SCIM error",
        &[At(|seen, answer| {
            if seen.request.header(&ACCEPT) == Some("text/html")
                && answer.status == StatusCode::NOT_ACCEPTABLE
            {
                set_raw(answer, "text/html", "<html><body>Not Acceptable</body></html>");
            }
        })],
    ),
    rewriting(
        "request-of-plain-json-refused",
        &["AMB-130"],
        "A body labelled application/json is refused with 415.",
        "RFC 7644 section 3.1: clients send application/scim+json; RFC 9110 section 15.5.16; a warning",
        &[Before(|request| {
            if request.header(&CONTENT_TYPE).is_some_and(|kind| kind.starts_with("application/json")) {
                request.headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/unknown"));
            }
        })],
    ),
    rewriting(
        "request-of-text-taken",
        &["AMB-130"],
        "A body labelled text/plain is read as SCIM.",
        "RFC 9110 section 15.5.16: a server may, and need not, refuse an unsupported media type; a warning",
        &[Before(|request| {
            if request.header(&CONTENT_TYPE).is_some_and(|kind| kind.starts_with("text/")) {
                request.headers.insert(CONTENT_TYPE, HeaderValue::from_static(SCIM_JSON));
            }
        })],
    ),
    // --- authentication ----------------------------------------------------------------------------------------
    rewriting(
        "unauthorized-without-body",
        &["AMB-06"],
        "A 401 has no body.",
        "RFC 7644 section 2: authentication is HTTP's, often a front end's; a warning",
        &[At(|_, answer| {
            if answer.status == StatusCode::UNAUTHORIZED {
                answer.content = Content::Empty;
                answer.headers.remove(CONTENT_TYPE);
            }
        })],
    ),
    rewriting(
        "unauthorized-says-a-page",
        &["AMB-06"],
        "A 401 has a page in HTML for a body.",
        "RFC 7644 section 2: authentication is HTTP's, often a front end's; a warning",
        &[At(|_, answer| {
            if answer.status == StatusCode::UNAUTHORIZED {
                set_raw(
                    answer,
                    "text/html; charset=utf-8",
                    "<html><body>Authorization Required</body></html>",
                );
            }
        })],
    ),
    rewriting(
        "unauthorized-without-challenge",
        &["AMB-06"],
        "A 401 has no WWW-Authenticate header.",
        "RFC 7644 section 2: a warning in the lenient reading, because front ends leave it out",
        &[At(|_, answer| {
            if answer.status == StatusCode::UNAUTHORIZED {
                answer.headers.remove(WWW_AUTHENTICATE);
            }
        })],
    ),
    rewriting(
        "unauthorized-as-forbidden",
        &["AMB-06"],
        "Missing or wrong credentials are answered with 403.",
        "RFC 9110 section 15.5.4: 403 refuses a request whatever its credentials; a warning",
        &[At(|_, answer| {
            if answer.status == StatusCode::UNAUTHORIZED {
                answer.headers.remove(WWW_AUTHENTICATE);
                set_status(answer, StatusCode::FORBIDDEN);
            }
        })],
    ),
    rewriting(
        "unauthorized-as-not-found",
        &["AMB-06"],
        "Missing or wrong credentials are answered with 404.",
        "RFC 9110 section 15.5.4: a server that hides a resource may answer 404; a warning",
        &[At(|_, answer| {
            if answer.status == StatusCode::UNAUTHORIZED {
                answer.headers.remove(WWW_AUTHENTICATE);
                set_status(answer, StatusCode::NOT_FOUND);
            }
        })],
    ),
    rewriting(
        "several-challenges",
        &["AMB-06"],
        "A 401 offers Basic and Bearer, in one header.",
        "RFC 9110 section 11.6.1: WWW-Authenticate may hold more than one challenge",
        &[At(|_, answer| {
            if answer.status == StatusCode::UNAUTHORIZED {
                answer.set_header(WWW_AUTHENTICATE, "Basic realm=\"scim\", Bearer realm=\"scim\"");
            }
        })],
    ),
    rewriting(
        "service-config-protected",
        &["AMB-40"],
        "/ServiceProviderConfig is shown to nobody without credentials.",
        "RFC 7643 section 5: the authentication schemes should be public, and need not; a warning",
        &[Before(|request| {
            let is_absent = request.credentials == Credentials::Absent;
            if is_absent
                && Endpoint::of(request.base_path, &request.path, &[]) == Endpoint::ServiceProviderConfig
            {
                request.credentials = Credentials::Invalid;
            }
        })],
    ),
    // --- methods and paths -------------------------------------------------------------------------------------
    rewriting(
        "head-not-allowed",
        &["AMB-138"],
        "HEAD is answered with 405.",
        "RFC 7644 section 3.2: SCIM does not name HEAD",
        &[At(|seen, answer| {
            if seen.request.method == Method::HEAD {
                refuse(answer, StatusCode::METHOD_NOT_ALLOWED, None, "HEAD is not allowed");
                answer.set_header(axum::http::header::ALLOW, "GET, POST, PUT, PATCH, DELETE");
            }
        })],
    ),
    rewriting(
        "head-not-implemented",
        &["AMB-138"],
        "HEAD is answered with 501.",
        "RFC 7644 section 3.2: SCIM does not name HEAD; RFC 9110 section 15.6.2",
        &[At(|seen, answer| {
            if seen.request.method == Method::HEAD {
                refuse(answer, StatusCode::NOT_IMPLEMENTED, None, "HEAD is not implemented");
            }
        })],
    ),
    rewriting(
        "options-not-found",
        &["AMB-138"],
        "OPTIONS is answered with 404 and a page in HTML.",
        "RFC 7644 section 3.2: SCIM does not name OPTIONS",
        &[At(|seen, answer| {
            if seen.request.method == Method::OPTIONS {
                *answer = Answer::empty(StatusCode::NOT_FOUND);
                set_raw(answer, "text/html", "<html><body>Cannot OPTIONS</body></html>");
            }
        })],
    ),
    rewriting(
        "options-with-body",
        &["AMB-138"],
        "OPTIONS is answered with 200 and a text.",
        "RFC 9110 section 9.3.7: the answer to OPTIONS may have content, of no defined form",
        &[At(|seen, answer| {
            if seen.request.method == Method::OPTIONS && answer.status.is_success() {
                answer.status = StatusCode::OK;
                set_raw(answer, "text/plain", "GET,HEAD,POST");
            }
        })],
    ),
    // --- locations and versions --------------------------------------------------------------------------------
    rewriting(
        "location-on-create-only",
        &["AMB-13"],
        "Only the answer to a create has a Location, and none has a Content-Location.",
        "RFC 7644 section 3.3: Location is demanded of the 201 alone",
        &[At(|_, answer| {
            answer.headers.remove(CONTENT_LOCATION);
            if answer.status != StatusCode::CREATED {
                answer.headers.remove(LOCATION);
            }
        })],
    ),
    rewriting(
        "location-on-a-job",
        &[],
        "The answer to a bulk job has a Location, its own URL, as every answer of some servers has.",
        "RFC 9110 section 10.2.2: what a Location says of a 200 is not defined, and none is forbidden",
        &[At(|seen, answer| {
            if *seen.endpoint == Endpoint::Bulk && answer.status.is_success() {
                answer.set_header(LOCATION, "/scim/v2/Bulk");
            }
        })],
    ),
    rewriting(
        "location-without-host",
        &["AMB-13"],
        "The Location header is a path, while meta.location is absolute.",
        "RFC 9110 section 10.2.2: Location is a URI reference, which may be relative",
        &[At(|_, answer| {
            let path = answer
                .headers
                .get(LOCATION)
                .and_then(|value| url::Url::parse(value.to_str().ok()?).ok())
                .map(|url| url.path().to_owned());
            if let Some(path) = path {
                answer.set_header(LOCATION, &path);
            }
        })],
    ),
    rewriting(
        "strong-versions",
        &["AMB-133"],
        "Entity tags are strong.",
        "RFC 7644 section 3.14: a service provider may use weak or strong tags",
        &[At(|seen, answer| {
            each_version(seen, answer, |tag| tag.strip_prefix("W/").unwrap_or(tag).to_owned());
        })],
    ),
    rewriting(
        "versions-like-counters",
        &["AMB-132"],
        "Entity tags hold commas, semicolons and equals signs: W/\"v=…,rev=1;\".",
        "RFC 9110 section 8.8.3: within the quotes any visible character may stand but the quote itself",
        &[
            Before(|request| {
                for name in [IF_MATCH, IF_NONE_MATCH] {
                    let bare =
                        request.header(&name).map(|tags| tags.replace(",rev=1;", "").replace("v=", ""));
                    if let Some(bare) = bare.and_then(|bare| HeaderValue::from_str(&bare).ok()) {
                        request.headers.insert(name, bare);
                    }
                }
            }),
            At(|seen, answer| {
                each_version(seen, answer, |tag| match tag.split('"').nth(1) {
                    Some(opaque) => format!("W/\"v={opaque},rev=1;\""),
                    None => tag.to_owned(),
                });
            }),
        ],
    ),
    rewriting(
        "versions-unsupported",
        &["AMB-07", "AMB-132", "AMB-133", "AMB-134", "AMB-135"],
        "There are no versions: no ETag, no meta.version, preconditions are ignored, and etag.supported is false.",
        "RFC 7643 section 5 and RFC 7644 section 3.14: versioning is optional",
        &[
            Before(without_preconditions),
            At(|seen, answer| {
                claim_no_versions(service_config(seen, answer));
                answer.headers.remove(ETAG);
                each_meta(seen, answer, |meta| drop(meta.shift_remove("version")));
            }),
        ],
    ),
    rewriting(
        "versions-shown-though-unsupported",
        &["AMB-07", "AMB-132", "AMB-133", "AMB-134", "AMB-135"],
        "etag.supported is false and preconditions are ignored, yet answers have ETag and meta.version.",
        "RFC 7643 section 3.1: version may be there whatever is claimed; RFC 7644 section 3.14",
        &[Before(without_preconditions), At(|seen, answer| claim_no_versions(service_config(seen, answer)))],
    ),
    rewriting(
        "version-in-header-only",
        &["AMB-132"],
        "meta has no version; the ETag header has it.",
        "RFC 7644 section 3.14: the header is a MUST, meta.version a SHOULD; a warning",
        &[At(|seen, answer| each_meta(seen, answer, |meta| drop(meta.shift_remove("version"))))],
    ),
    rewriting(
        "version-without-weakness",
        &["AMB-132"],
        "meta.version lacks the W/ that the ETag header has.",
        "RFC 7643 section 3.1: the two differ in form only; a warning",
        &[At(|seen, answer| {
            each_meta(seen, answer, |meta| {
                if let Some(Value::String(version)) = meta.get_mut("version") {
                    *version = version.trim_start_matches("W/").to_owned();
                }
            });
        })],
    ),
    rewriting(
        "weak-versions-never-match",
        &["AMB-133"],
        "If-Match with the current tag, which is weak, is answered with 412.",
        "RFC 9110 section 13.1.1: If-Match compares strongly, and a weak tag equals none; a warning",
        &[Before(|request| {
            if request.header(&IF_MATCH).is_some_and(|tags| tags.trim() != "*") {
                request.headers.insert(IF_MATCH, HeaderValue::from_static("\"none\""));
            }
        })],
    ),
    rewriting(
        "stale-version-as-conflict",
        &["AMB-07"],
        "A write with a stale If-Match is answered with 409.",
        "RFC 7644 section 3.12 table 8: a version that does not match is named under 409 too; a warning",
        &[At(|seen, answer| {
            if answer.status == StatusCode::PRECONDITION_FAILED && seen.request.headers.contains_key(IF_MATCH)
            {
                set_status(answer, StatusCode::CONFLICT);
            }
        })],
    ),
    rewriting(
        "not-modified-without-version",
        &["AMB-135"],
        "A 304 has no ETag.",
        "RFC 7644 section 3.14: the 304 is just empty; a warning, because RFC 9110 section 15.4.5 wants the tag",
        &[At(|_, answer| {
            if answer.status == StatusCode::NOT_MODIFIED {
                answer.headers.remove(ETAG);
            }
        })],
    ),
    rewriting(
        "no-version-after-put",
        &["AMB-134"],
        "The answer to a PUT has no ETag header.",
        "RFC 9110 section 9.3.4: no validator where the content was transformed, as SCIM does",
        &[At(|seen, answer| {
            if seen.request.method == Method::PUT {
                answer.headers.remove(ETAG);
            }
        })],
    ),
];

fn without_preconditions(request: &mut Request) {
    request.headers.remove(IF_MATCH);
    request.headers.remove(IF_NONE_MATCH);
}

fn claim_no_versions(config: Option<&mut Map<String, Value>>) {
    if let Some(config) = config {
        config.insert("etag".to_owned(), serde_json::json!({ "supported": false }));
    }
}

/// Changes each version that an answer shows, in its header and in `meta`.
fn each_version(seen: &super::super::fault::Seen<'_>, answer: &mut Answer, change: impl Fn(&str) -> String) {
    let tag = answer.headers.get(ETAG).and_then(|tag| tag.to_str().ok()).map(&change);
    if let Some(tag) = tag {
        answer.set_header(ETAG, &tag);
    }
    each_resource(seen, answer, |resource| {
        if let Some(Value::String(version)) =
            resource.get_mut("meta").and_then(|meta| meta.get_mut("version"))
        {
            *version = change(version);
        }
    });
}

/// JSON in pure ASCII. A solidus stands in strings only, so that each may be escaped where it stands.
fn escaped(value: &Value) -> String {
    let mut text = String::new();
    for letter in value.to_string().chars() {
        match letter {
            '/' => text.push_str("\\/"),
            _ if letter.is_ascii() => text.push(letter),
            _ => {
                for unit in letter.encode_utf16(&mut [0; 2]) {
                    text.push_str(&format!("\\u{unit:04x}"));
                }
            }
        }
    }
    text
}

/// The deepest nesting whose members are put in another order: deeper than any SCIM message nests.
const DEEPEST: usize = 32;

fn reversed(value: &Value, depth: usize) -> Value {
    match value {
        Value::Object(members) if depth < DEEPEST => {
            let members = members.iter().rev();
            Value::Object(members.map(|(name, value)| (name.clone(), reversed(value, depth + 1))).collect())
        }
        Value::Array(elements) if depth < DEEPEST => {
            elements.iter().map(|element| reversed(element, depth + 1)).collect()
        }
        other => other.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn other_texts_mean_the_same() {
        let value = json!({"a": "é/😀\"\\", "b": [{"c": 1, "d": null}]});
        for text in [escaped(&value), reversed(&value, 0).to_string()] {
            assert_eq!(serde_json::from_str::<Value>(&text).unwrap(), value);
        }
        assert!(escaped(&value).is_ascii());
        assert!(reversed(&value, 0).to_string().starts_with("{\"b\":[{\"d\""));
    }
}
