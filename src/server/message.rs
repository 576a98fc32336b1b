//! The request and the answer as the server sees them: plain data, free of the HTTP library's streams, so that
//! every decision below is a pure function of one to the other. Refuses to know what a resource is.

use std::time::Duration;

use axum::http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use bytes::Bytes;
use serde_json::Value;

use super::auth::Credentials;

/// The media type of every SCIM message (RFC 7644 §8.1). It has no parameters.
pub(crate) const SCIM_JSON: &str = "application/scim+json";

/// A request, read completely.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    pub method: Method,
    /// The path as it was sent, percent-encoded.
    pub path: String,
    /// The path under which the server stands.
    pub base_path: &'static str,
    /// The query parameters, decoded, in order.
    pub query: Vec<(String, String)>,
    pub headers: HeaderMap,
    pub body: Bytes,
    /// What the credentials in the headers are worth.
    pub credentials: Credentials,
    /// Whose resources it is about: the place of the token among those of the tenants.
    pub tenant: usize,
}

impl Request {
    /// The value of a header, if it is there and is text.
    pub(crate) fn header(&self, name: &HeaderName) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    /// The path below the base path, without slashes at its ends; nothing if it is no path of the server.
    pub(crate) fn path_below(&self) -> &str {
        self.path.strip_prefix(self.base_path).unwrap_or_default().trim_matches('/')
    }

    /// The first value of a query parameter. Names are compared exactly, as HTTP does.
    pub(crate) fn parameter(&self, name: &str) -> Option<&str> {
        self.query.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }
}

/// What an answer carries.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Content {
    Empty,
    /// A SCIM message or resource.
    Json(Value),
    /// Anything else. The server never sends it by itself: only faults do, and what stands for a front end.
    Raw(Bytes),
}

/// An answer, not yet on the wire.
#[derive(Debug, Clone)]
pub(crate) struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub content: Content,
    /// How a JSON body is written out as text. All ways mean the same.
    pub write: fn(&Value) -> String,
    /// How long to wait before sending. A correct server never waits: only faults do.
    pub delay: Option<Duration>,
}

impl Answer {
    /// An answer without a body.
    pub(crate) fn empty(status: StatusCode) -> Self {
        Self {
            status,
            headers: HeaderMap::new(),
            content: Content::Empty,
            write: Value::to_string,
            delay: None,
        }
    }

    /// An answer with a SCIM body.
    pub(crate) fn json(status: StatusCode, value: Value) -> Self {
        let mut answer = Self::empty(status);
        answer.headers.insert(CONTENT_TYPE, HeaderValue::from_static(SCIM_JSON));
        answer.content = Content::Json(value);
        answer
    }

    /// Sets a header. A value that no header can hold is left out: headers here are built from our own
    /// identifiers and from a checked host name.
    pub(crate) fn with_header(mut self, name: HeaderName, value: &str) -> Self {
        self.set_header(name, value);
        self
    }

    /// See [`Answer::with_header`].
    pub(crate) fn set_header(&mut self, name: HeaderName, value: &str) {
        if let Ok(value) = HeaderValue::from_str(value) {
            self.headers.insert(name, value);
        }
    }

    /// The JSON body, if the answer has one.
    pub(crate) fn body_mut(&mut self) -> Option<&mut Value> {
        match &mut self.content {
            Content::Json(value) => Some(value),
            Content::Empty | Content::Raw(_) => None,
        }
    }

    /// The JSON body, if the answer has one.
    pub(crate) fn body(&self) -> Option<&Value> {
        match &self.content {
            Content::Json(value) => Some(value),
            Content::Empty | Content::Raw(_) => None,
        }
    }

    /// Turns the answer into what the HTTP library sends. The answer to HEAD keeps the headers of the answer to
    /// GET, its length included, and has no content (RFC 9110 §9.3.2).
    pub(crate) fn into_response(self, to: &Method) -> axum::response::Response {
        let bytes = match self.content {
            Content::Empty => Bytes::new(),
            Content::Json(value) => Bytes::from((self.write)(&value)),
            Content::Raw(bytes) => bytes,
        };
        let mut headers = self.headers;
        let body = if to == Method::HEAD {
            if !bytes.is_empty() {
                headers.insert(CONTENT_LENGTH, HeaderValue::from(bytes.len()));
            }
            axum::body::Body::empty()
        } else if bytes.is_empty() {
            axum::body::Body::empty()
        } else {
            axum::body::Body::from(bytes)
        };
        let mut response = axum::response::Response::new(body);
        *response.status_mut() = self.status;
        *response.headers_mut() = headers;
        response
    }
}
