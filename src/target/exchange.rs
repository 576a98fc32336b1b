//! One request with its answer, exactly as it crossed the wire.
//!
//! An exchange is evidence: it is written once by the client and only read afterwards, by the judge, the rules
//! and the reports. It knows nothing of SCIM beyond JSON, and never holds a secret: credentials are masked
//! before an exchange is made.

use std::fmt;
use std::time::Duration;

use bytes::Bytes;
use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::suite::model::Auth;

/// The number of an exchange within its run, in the order in which requests were made, from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
pub struct ExchangeId(pub u64);

impl fmt::Display for ExchangeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "#{}", self.0)
    }
}

/// One request and what came of it.
#[derive(Debug, Clone)]
pub struct Exchange {
    /// Its number in the run.
    pub id: ExchangeId,
    /// The case that made it, such as `create/minimal-user`; `probe`, `population`, `clean-up` otherwise.
    pub origin: String,
    /// Why it was made, where no step asked for it: `read back after POST /Users`.
    pub reason: Option<String>,
    /// What was sent, credentials masked.
    pub request: Request,
    /// What came back, or why nothing did.
    pub answer: Result<Response, TransportFailure>,
    /// When the request was sent.
    pub started: DateTime<Utc>,
    /// From sending the request to the end of the answer; waiting for the pace is not counted.
    pub elapsed: Duration,
}

impl Exchange {
    /// The answer, if one came.
    pub fn response(&self) -> Option<&Response> {
        self.answer.as_ref().ok()
    }

    /// The status of the answer, if one came.
    pub fn status(&self) -> Option<u16> {
        self.response().map(|response| response.status)
    }

    /// The JSON of the answer, if one came and it is JSON.
    pub fn json(&self) -> Option<&Value> {
        self.response().and_then(|response| response.body.json().ok())
    }

    /// About how many bytes it takes to keep it.
    pub(super) fn size(&self) -> usize {
        1024 + self.request.body.as_ref().map_or(0, Bytes::len)
            // A value tree takes several times the bytes that it was read from.
            + self.response().map_or(0, |response| response.body.bytes().len().saturating_mul(6))
    }
}

/// What was sent.
#[derive(Debug, Clone)]
pub struct Request {
    /// The HTTP method, in capitals.
    pub method: String,
    /// The absolute URL with its query, as sent.
    pub url: String,
    /// The path below the base URL with its query, such as `/Users/42?attributes=userName`.
    pub path: String,
    /// The path with ids replaced, such as `/Users/{id}`: what findings are grouped by.
    pub endpoint: String,
    /// Whose credentials were sent; [`Auth::None`] also where a header of the case stood in for them.
    pub auth: Auth,
    /// The headers in the order sent. Values that hold credentials read `***`.
    pub headers: Vec<(String, String)>,
    /// The body, credentials masked.
    pub body: Option<Bytes>,
}

impl Request {
    /// The first header of that name, whatever its case.
    pub fn header(&self, name: &str) -> Option<&str> {
        header(&self.headers, name)
    }

    /// The body as JSON, if there is one and it is.
    pub fn json(&self) -> Option<Value> {
        self.body.as_deref().and_then(|body| serde_json::from_slice(body).ok())
    }
}

/// What came back.
#[derive(Debug, Clone)]
pub struct Response {
    /// The HTTP status.
    pub status: u16,
    /// The headers as they came. Bytes that are not visible ASCII are shown as `\xNN`; echoed credentials
    /// read `***`.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Body,
    /// Whether it repeated a secret of ours, before that was masked. Short secrets do not count, since what is short may
    /// stand there for another reason.
    pub repeats_secret: bool,
}

impl Response {
    /// The first header of that name, whatever its case.
    pub fn header(&self, name: &str) -> Option<&str> {
        header(&self.headers, name)
    }

    /// All headers of that name, whatever their case.
    pub fn headers_named<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.headers
            .iter()
            .filter(move |(n, _)| n.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
    }
}

fn header<'a>(headers: &'a [(String, String)], name: &str) -> Option<&'a str> {
    headers.iter().find(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
}

/// The body of an answer: its bytes, up to the limit, and what they read as.
#[derive(Debug, Clone)]
pub struct Body {
    bytes: Bytes,
    json: Result<Value, BodyProblem>,
}

impl Body {
    /// Reads a body that arrived whole.
    pub fn whole(bytes: Bytes) -> Body {
        let json = read_json(&bytes);
        Body { bytes, json }
    }

    /// A body that did not arrive whole, with what there is of it.
    pub fn broken(bytes: Bytes, problem: BodyProblem) -> Body {
        Body { bytes, json: Err(problem) }
    }

    /// The bytes that arrived, decompressed, at most the limit.
    pub fn bytes(&self) -> &Bytes {
        &self.bytes
    }

    /// Whether nothing arrived.
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// The body as JSON.
    ///
    /// # Errors
    /// Why it cannot be read as JSON, with the place.
    pub fn json(&self) -> Result<&Value, &BodyProblem> {
        self.json.as_ref()
    }

    /// The body as text, with what is not UTF-8 replaced.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.bytes).into_owned()
    }
}

/// Why a body cannot be read as JSON.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BodyProblem {
    /// There is none.
    #[error("the body is empty")]
    Empty,
    /// It is not UTF-8 (RFC 8259 section 8.1).
    #[error("the body is not UTF-8 (first bad byte at offset {offset})")]
    NotUtf8 {
        /// Byte offset of the first bad byte.
        offset: usize,
    },
    /// It is not JSON.
    #[error("the body is not JSON: {message}")]
    NotJson {
        /// What the parser says, with line and column.
        message: String,
    },
    /// It is nested more deeply than any SCIM message.
    #[error("the body is nested more than 128 levels deep")]
    TooDeep,
    /// It is larger than the limit; reading stopped there.
    #[error("the body is larger than {limit} bytes; reading stopped there")]
    TooLarge {
        /// The limit in bytes, after decompression.
        limit: usize,
    },
    /// The connection ended, or a time limit passed, before the body did.
    #[error("the body broke off after {received} bytes: {why}")]
    CutOff {
        /// Bytes received.
        received: usize,
        /// What ended it.
        why: String,
    },
    /// The content coding is unknown or its data is broken.
    #[error("the body cannot be decompressed: {why}")]
    Compression {
        /// What is wrong.
        why: String,
    },
}

/// U+FEFF in UTF-8.
pub const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

fn read_json(bytes: &[u8]) -> Result<Value, BodyProblem> {
    // A byte order mark is forbidden (RFC 8259 section 8.1) and commonly survived; a rule reports it, and the
    // rest of the answer is judged all the same.
    let bytes = bytes.strip_prefix(BYTE_ORDER_MARK).unwrap_or(bytes);
    if bytes.is_empty() {
        return Err(BodyProblem::Empty);
    }
    let text =
        std::str::from_utf8(bytes).map_err(|error| BodyProblem::NotUtf8 { offset: error.valid_up_to() })?;
    serde_json::from_str(text).map_err(|error| {
        let message = error.to_string();
        if message.starts_with("recursion limit") {
            BodyProblem::TooDeep
        } else {
            BodyProblem::NotJson { message }
        }
    })
}

/// Why a request got no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TransportFailure {
    /// The host name does not resolve.
    #[error("{host} does not resolve: {why}")]
    Resolve {
        /// The host.
        host: String,
        /// What the resolver says.
        why: String,
    },
    /// Nothing listens there, or the connection was refused.
    #[error("cannot connect to {address}: {why}")]
    Connect {
        /// Host and port.
        address: String,
        /// What the system says.
        why: String,
    },
    /// TLS could not be agreed.
    #[error("TLS with {address} failed: {why}")]
    Tls {
        /// Host and port.
        address: String,
        /// What went wrong, with the certificate's fault where known.
        why: String,
    },
    /// No connection, or no whole answer, within the limit.
    #[error("no answer within {}", humane(*.limit))]
    TimedOut {
        /// The limit that passed.
        limit: Duration,
    },
    /// The connection ended before the head of the answer did.
    #[error("the connection was closed without an answer: {why}")]
    Closed {
        /// What the client saw.
        why: String,
    },
    /// What came is not HTTP.
    #[error("the answer is not HTTP: {why}")]
    NotHttp {
        /// What is wrong with it.
        why: String,
    },
    /// The harness refused to send it: the request budget is spent or the run was interrupted.
    #[error("not sent: {why}")]
    NotSent {
        /// Why.
        why: String,
    },
    /// There is no access token to send it with.
    #[error("{why}")]
    NoToken {
        /// Why the token endpoint gave none.
        why: String,
        /// What to do about it.
        hint: String,
    },
}

impl TransportFailure {
    /// The same failure with its foreign texts changed.
    pub(crate) fn map_text(self, change: impl Fn(String) -> String) -> TransportFailure {
        match self {
            TransportFailure::Resolve { host, why } => TransportFailure::Resolve { host, why: change(why) },
            TransportFailure::Connect { address, why } => {
                TransportFailure::Connect { address, why: change(why) }
            }
            TransportFailure::Tls { address, why } => TransportFailure::Tls { address, why: change(why) },
            TransportFailure::Closed { why } => TransportFailure::Closed { why: change(why) },
            TransportFailure::NotHttp { why } => TransportFailure::NotHttp { why: change(why) },
            other @ (TransportFailure::TimedOut { .. }
            | TransportFailure::NotSent { .. }
            | TransportFailure::NoToken { .. }) => other,
        }
    }
}

/// A limit of time for people: `30 s`, `500 ms`.
pub(crate) fn humane(limit: Duration) -> String {
    if limit.as_millis().is_multiple_of(1000) {
        format!("{} s", limit.as_secs())
    } else {
        format!("{} ms", limit.as_millis())
    }
}
