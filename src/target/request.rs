//! A request as it is asked for, and what came of it: the words in which the executor and the target speak. They
//! hold no decision.

use std::sync::Arc;

use bytes::Bytes;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

use super::exchange::Exchange;
use super::guard::Permissions;
use crate::suite::model::Auth;

/// What a path segment keeps unescaped: the unreserved characters of RFC 3986.
const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// What a query value keeps unescaped.
pub(super) const QUERY: &AsciiSet = SEGMENT;

/// A request to be sent.
#[derive(Debug, Clone)]
pub struct RequestPlan {
    /// The HTTP method.
    pub method: String,
    /// The path below the base URL, with a leading slash (or empty for the base URL itself), already encoded,
    /// with its query.
    pub path: String,
    /// The path with ids replaced, such as `/Users/{id}`; empty to let the target find out.
    pub endpoint: String,
    /// Headers beside the usual ones; `None` takes a usual one away.
    pub headers: Vec<(String, Option<String>)>,
    /// Whose credentials it carries.
    pub auth: Auth,
    /// The body, byte for byte.
    pub body: Option<Bytes>,
    /// Who asks: a case's id, `probe`, `population`.
    pub origin: String,
    /// Why it is made, where no step asks for it.
    pub reason: Option<String>,
    /// What it may do beyond the ownership rule.
    pub permissions: Permissions,
    /// Whether 429 and 503 are given back at once instead of being waited out; for cases about them.
    pub impatient: bool,
    /// Whether it goes out at once, whatever the pace: for a burst, which closes the gate behind it.
    pub unpaced: bool,
    /// What it makes beside what it asks for: endpoint and id, which nobody else can have.
    pub creates: Vec<(String, String)>,
}

impl RequestPlan {
    /// A request with the operator's credentials and no body.
    pub fn new(method: impl Into<String>, path: impl Into<String>, origin: impl Into<String>) -> RequestPlan {
        RequestPlan {
            method: method.into(),
            path: path.into(),
            endpoint: String::new(),
            headers: Vec::new(),
            auth: Auth::Good,
            body: None,
            origin: origin.into(),
            reason: None,
            permissions: Permissions::default(),
            impatient: false,
            unpaced: false,
            creates: Vec::new(),
        }
    }

    /// A GET.
    pub fn get(path: impl Into<String>, origin: impl Into<String>) -> RequestPlan {
        RequestPlan::new("GET", path, origin)
    }

    /// With this JSON as its body.
    #[must_use]
    pub fn json(mut self, body: &serde_json::Value) -> RequestPlan {
        self.body = Some(Bytes::from(body.to_string()));
        self
    }
}

/// What came of a request that was allowed.
#[derive(Debug, Clone)]
pub struct Sent {
    /// The exchange that counts: the last one.
    pub exchange: Arc<Exchange>,
    /// Exchanges made on the way: answers that asked to wait, redirects, the read-back of a new resource.
    pub also: Vec<Arc<Exchange>>,
    /// What the request created, as far as that is known.
    pub created: Option<Created>,
}

/// What a create, answered with success, has made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Created {
    /// A resource that is ours: it carries the run's mark, and its id was not seen before.
    Owned {
        /// The resource type, such as `User`.
        resource_type: String,
        /// The id.
        id: String,
    },
    /// A resource that is somebody else's: its id was seen before, or what lies under it is not what was sent.
    /// It is never written to. This is a finding.
    Disowned {
        /// The id.
        id: String,
        /// How we know.
        why: String,
    },
    /// A resource that cannot be shown to be ours, for no fault of the service provider's: the request carried
    /// no mark, or the resource cannot be read back. It is not written to before it is proven.
    Unproven {
        /// The id.
        id: String,
        /// What proof is missing.
        why: String,
    },
    /// The answer names no id.
    WithoutId,
}

/// The path of a resource.
pub fn resource_path(endpoint: &str, id: &str) -> String {
    format!("/{}/{}", endpoint.trim_matches('/'), utf8_percent_encode(id, SEGMENT))
}

/// The endpoint and the id of the resource that a path below the base URL names: `/Users/42?attributes=userName`.
pub fn resource_at(path: &str) -> Option<(String, String)> {
    let path = path.split(['?', '#']).next()?;
    let mut segments = path.strip_prefix('/')?.split('/');
    let (endpoint, id) = (segments.next()?, segments.next()?);
    if segments.next().is_some() || endpoint.is_empty() || id.is_empty() || id == ".search" {
        return None;
    }
    let id = percent_decode_str(id).decode_utf8().ok()?.into_owned();
    Some((format!("/{endpoint}"), id))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_names_a_resource_or_none() {
        let at = |path: &str| resource_at(path).map(|(endpoint, id)| format!("{endpoint} {id}"));
        assert_eq!(at("/Users/42?attributes=userName").as_deref(), Some("/Users 42"));
        assert_eq!(at("/Users/a%2Fb").as_deref(), Some("/Users a/b"));
        for path in ["/Users", "/Users/", "/Users/.search", "/Users/1/2", "/", "", "//1", "Users/1"] {
            assert_eq!(at(path), None, "{path}");
        }
    }
}
