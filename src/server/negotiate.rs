//! What the HTTP headers of a request ask for: the media type of its body and its preconditions. Pure.

use axum::http::header::{ACCEPT, ALLOW, CONTENT_TYPE, IF_MATCH, IF_NONE_MATCH};
use axum::http::{HeaderName, Method};
use serde_json::{Map, Value};

use super::message::{Request, SCIM_JSON};
use crate::scim::error::ScimError;
use crate::scim::resource;

/// The largest body that is read, in bytes.
pub(crate) const MAX_BODY: usize = 1 << 20;

/// `Accept-Patch` (RFC 5789 §3.1), which the HTTP library does not name.
const ACCEPT_PATCH: HeaderName = HeaderName::from_static("accept-patch");

/// A refusal: the SCIM error, and the headers that its status needs.
#[derive(Debug, Clone)]
pub(crate) struct Refusal {
    pub error: ScimError,
    pub headers: Vec<(HeaderName, String)>,
}

impl From<ScimError> for Refusal {
    fn from(error: ScimError) -> Self {
        Self { error, headers: Vec::new() }
    }
}

impl Refusal {
    fn with_header(mut self, name: HeaderName, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    /// 405, with the methods that are allowed (RFC 9110 §15.5.6).
    pub(crate) fn method_not_allowed(method: &Method, allowed: &[Method]) -> Self {
        Refusal::from(ScimError::new(405, format!("{method} is not allowed on this endpoint")))
            .with_header(ALLOW, allow(allowed))
    }
}

/// The value of an `Allow` header.
pub(crate) fn allow(methods: &[Method]) -> String {
    methods.iter().map(Method::as_str).collect::<Vec<_>>().join(", ")
}

/// The JSON object that a request carries.
///
/// `application/scim+json` and `application/json` are read, with any parameters, and so is a body that does not
/// say what it is; anything else is refused with 415. What is no JSON object, or nests deeper than any SCIM message
/// does, is refused with 400 invalidSyntax.
pub(crate) fn read_object(request: &Request) -> Result<Map<String, Value>, Refusal> {
    if let Some(value) = request.headers.get(CONTENT_TYPE) {
        let text = String::from_utf8_lossy(value.as_bytes());
        let essence = text.split(';').next().unwrap_or_default().trim();
        if !(essence.eq_ignore_ascii_case(SCIM_JSON) || essence.eq_ignore_ascii_case("application/json")) {
            let refusal = Refusal::from(ScimError::new(
                415,
                format!("the body has to be {SCIM_JSON} (or application/json), not {essence:?}"),
            ));
            let name = if request.method == Method::PATCH { ACCEPT_PATCH } else { ACCEPT };
            return Err(refusal.with_header(name, format!("{SCIM_JSON}, application/json")));
        }
    }
    let value: Value = serde_json::from_slice(&request.body)
        .map_err(|error| ScimError::invalid_syntax(format!("the body is not valid JSON: {error}")))?;
    if resource::is_deeper_than(&value, resource::MAX_DEPTH) {
        return Err(ScimError::invalid_syntax(format!(
            "the body nests deeper than {} levels",
            resource::MAX_DEPTH
        ))
        .into());
    }
    match value {
        Value::Object(object) => Ok(object),
        _ => Err(ScimError::invalid_syntax("the body has to be a JSON object").into()),
    }
}

/// Refuses a request whose answer the client could not read: one with an `Accept` that allows no JSON gets 406
/// (RFC 9110 §15.5.7). An `Accept` that nobody can read counts as absent, and an answer to DELETE has no content.
pub(crate) fn acceptable(request: &Request) -> Result<(), Refusal> {
    let Some(accept) = field(request, &ACCEPT).filter(|_| request.method != Method::DELETE) else {
        return Ok(());
    };
    let ranges = || accept.split(',').map(str::trim).filter(|range| !range.is_empty());
    if !ranges().all(|range| range.contains('/')) || ranges().next().is_none() || ranges().any(allows_json) {
        return Ok(());
    }
    let error = ScimError::new(406, format!("answers are {SCIM_JSON}, which Accept does not allow"));
    Err(error.into())
}

/// Whether a media range has JSON in it, and does not rule it out by `q=0`.
fn allows_json(range: &str) -> bool {
    let mut parts = range.split(';').map(str::trim);
    let media_type = parts.next().unwrap_or_default();
    let is_refused = parts.any(|parameter| {
        parameter.split_once('=').is_some_and(|(name, value)| {
            name.trim().eq_ignore_ascii_case("q") && value.trim().parse::<f32>() == Ok(0.0)
        })
    });
    !is_refused
        && [SCIM_JSON, "application/json", "application/*", "*/*"]
            .iter()
            .any(|known| known.eq_ignore_ascii_case(media_type))
}

/// What the preconditions of a request come to (RFC 9110 §13, RFC 7644 §3.14).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Precondition {
    /// There is none, or it holds.
    Proceed,
    /// 304: the client has this version already.
    NotModified,
    /// 412.
    Failed,
}

/// Judges `If-Match` and `If-None-Match` against the current version of the resource.
///
/// Tags are compared without regard to their strength. RFC 9110 would have a weak tag never match in `If-Match`;
/// RFC 7644 §3.14 shows a weak tag there, and expects it to.
pub(crate) fn precondition(request: &Request, version: &str) -> Precondition {
    if let Some(condition) = field(request, &IF_MATCH)
        && !names(&condition, version)
    {
        return Precondition::Failed;
    }
    match field(request, &IF_NONE_MATCH) {
        Some(condition) if names(&condition, version) => {
            if request.method == Method::GET || request.method == Method::HEAD {
                Precondition::NotModified
            } else {
                Precondition::Failed
            }
        }
        _ => Precondition::Proceed,
    }
}

/// All lines of a list-valued header in one.
fn field(request: &Request, name: &HeaderName) -> Option<String> {
    let lines: Vec<String> = request
        .headers
        .get_all(name)
        .iter()
        .map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned())
        .collect();
    (!lines.is_empty()).then(|| lines.join(", "))
}

/// Whether a list of entity tags is `*` or has this one. Commas inside a tag belong to it.
fn names(condition: &str, version: &str) -> bool {
    if condition.trim() == "*" {
        return true;
    }
    let version = version.strip_prefix("W/").unwrap_or(version).trim_matches('"');
    let mut rest = condition;
    while let Some(start) = rest.find('"') {
        let Some(length) = rest[start + 1..].find('"') else { return false };
        if &rest[start + 1..start + 1 + length] == version {
            return true;
        }
        rest = &rest[start + length + 2..];
    }
    false
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderMap;

    use super::super::auth::Credentials;
    use super::*;

    #[test]
    fn json_has_to_be_acceptable() {
        let of = |accept: &str, method: Method| {
            let mut headers = HeaderMap::new();
            headers.insert(ACCEPT, accept.parse().unwrap());
            let request = Request {
                method,
                base_path: "",
                path: String::new(),
                query: Vec::new(),
                headers,
                body: bytes::Bytes::new(),
                credentials: Credentials::Valid,
                tenant: 0,
            };
            acceptable(&request).map_err(|refusal| refusal.error.status)
        };
        for accept in [
            "*/*",
            "application/*;q=0.1",
            "text/html, application/scim+json;q=0.8",
            "Application/JSON",
            "application/scim+json; charset=utf-8",
            "",
            "nonsense",
        ] {
            assert_eq!(of(accept, Method::GET), Ok(()), "{accept}");
        }
        for accept in ["text/html", "application/xml, text/*", "application/scim+json;q=0, text/html"] {
            assert_eq!(of(accept, Method::GET), Err(406), "{accept}");
            assert_eq!(of(accept, Method::DELETE), Ok(()), "{accept}");
        }
    }

    #[test]
    fn tags_are_found_in_lists() {
        let version = "W/\"a1\"";
        for condition in ["*", "W/\"a1\"", "\"a1\"", "\"x\", W/\"a1\"", "\"x,y\",\"a1\""] {
            assert!(names(condition, version), "{condition}");
        }
        for condition in ["", "a1", "\"a\"", "W/\"a2\"", "\"a1", "\"x, a1\""] {
            assert!(!names(condition, version), "{condition}");
        }
    }
}
