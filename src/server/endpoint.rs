//! Which endpoint a path names, and which methods it takes (RFC 7644 §3.2, Table 2). Pure.

use axum::http::Method;
use percent_encoding::percent_decode_str;

pub(crate) use super::kind::Kind;

/// The path under which the server stands, unless a profile says otherwise.
pub(crate) const BASE_PATH: &str = "/scim/v2";

/// What a path names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Endpoint {
    /// The base URI itself: a query over all resources (RFC 7644 §3.4.2.1).
    Root,
    /// `/.search` at the base.
    RootSearch,
    Resources(Kind),
    Search(Kind),
    Resource(Kind, String),
    ServiceProviderConfig,
    ResourceTypes,
    ResourceType(String),
    Schemas,
    Schema(String),
    /// The alias of the authenticated subject (RFC 7644 §3.11).
    Me,
    Bulk,
    Unknown,
}

impl Endpoint {
    /// Reads a percent-encoded path, on a server that stands under a base path and has resources of these types. One
    /// trailing slash is of no account.
    pub(crate) fn of(base_path: &str, path: &str, kinds: &[Kind]) -> Self {
        let Some(rest) = path.strip_prefix(base_path) else { return Self::Unknown };
        if !(rest.is_empty() || rest.starts_with('/')) {
            return Self::Unknown;
        }
        let rest = rest.strip_prefix('/').unwrap_or(rest);
        let rest = rest.strip_suffix('/').unwrap_or(rest);
        let mut segments = Vec::new();
        for segment in rest.split('/') {
            match percent_decode_str(segment).decode_utf8() {
                Ok(text) => segments.push(text.into_owned()),
                Err(_) => return Self::Unknown,
            }
        }
        let names: Vec<&str> = segments.iter().map(String::as_str).collect();
        match names.as_slice() {
            [""] => Self::Root,
            [".search"] => Self::RootSearch,
            ["ServiceProviderConfig"] => Self::ServiceProviderConfig,
            ["ResourceTypes"] => Self::ResourceTypes,
            ["ResourceTypes", id] => Self::ResourceType((*id).to_owned()),
            ["Schemas"] => Self::Schemas,
            ["Schemas", id] => Self::Schema((*id).to_owned()),
            ["Me"] => Self::Me,
            ["Bulk"] => Self::Bulk,
            [segment, rest @ ..] => {
                let Some(kind) = kinds.iter().copied().find(|kind| kind.segment() == *segment) else {
                    return Self::Unknown;
                };
                match rest {
                    [] => Self::Resources(kind),
                    [".search"] => Self::Search(kind),
                    [id] if !id.is_empty() => Self::Resource(kind, (*id).to_owned()),
                    _ => Self::Unknown,
                }
            }
            [] => Self::Root,
        }
    }

    /// The methods that the endpoint takes, as the `Allow` header lists them. None where every method has the
    /// same answer, whatever it is: nothing is there, or the feature is not implemented.
    pub(crate) fn methods(&self) -> Option<&'static [Method]> {
        const READ: &[Method] = &[Method::GET, Method::HEAD, Method::OPTIONS];
        const POST_ONLY: &[Method] = &[Method::POST, Method::OPTIONS];
        const COLLECTION: &[Method] = &[Method::GET, Method::HEAD, Method::POST, Method::OPTIONS];
        const RESOURCE: &[Method] =
            &[Method::GET, Method::HEAD, Method::PUT, Method::PATCH, Method::DELETE, Method::OPTIONS];
        match self {
            Self::Root
            | Self::ServiceProviderConfig
            | Self::ResourceTypes
            | Self::ResourceType(_)
            | Self::Schemas
            | Self::Schema(_) => Some(READ),
            Self::RootSearch | Self::Search(_) | Self::Bulk => Some(POST_ONLY),
            Self::Resources(_) => Some(COLLECTION),
            Self::Resource(..) => Some(RESOURCE),
            Self::Me | Self::Unknown => None,
        }
    }

    /// Whether a request without credentials may read it: `authenticationSchemes` should be readable before
    /// authenticating (RFC 7643 §5).
    pub(crate) fn is_public(&self) -> bool {
        matches!(self, Self::ServiceProviderConfig)
    }

    /// The type of the resources below this endpoint, if there is one.
    pub(crate) fn kind(&self) -> Option<Kind> {
        match self {
            Self::Resources(kind) | Self::Search(kind) | Self::Resource(kind, _) => Some(*kind),
            _ => None,
        }
    }

    /// Whether it is one of the three discovery endpoints, or a document below them.
    pub(crate) fn is_discovery(&self) -> bool {
        matches!(
            self,
            Self::ServiceProviderConfig
                | Self::ResourceTypes
                | Self::ResourceType(_)
                | Self::Schemas
                | Self::Schema(_)
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_name_endpoints() {
        let device = Kind::custom("Device", "Devices", "urn:x:Device");
        let kinds = [Kind::User, Kind::Group, device];
        let cases = [
            ("/scim/v2", Endpoint::Root),
            ("/scim/v2/", Endpoint::Root),
            ("/scim/v2/.search", Endpoint::RootSearch),
            ("/scim/v2/Users", Endpoint::Resources(Kind::User)),
            ("/scim/v2/Users/", Endpoint::Resources(Kind::User)),
            ("/scim/v2/Users/.search", Endpoint::Search(Kind::User)),
            ("/scim/v2/Groups/a%2Fb", Endpoint::Resource(Kind::Group, "a/b".to_owned())),
            ("/scim/v2/Groups/a+b", Endpoint::Resource(Kind::Group, "a+b".to_owned())),
            ("/scim/v2/Schemas/urn:a:b", Endpoint::Schema("urn:a:b".to_owned())),
            ("/scim/v2/Devices/.search", Endpoint::Search(device)),
            ("/scim/v2/Devices/7", Endpoint::Resource(device, "7".to_owned())),
            ("/scim/v2/Robots", Endpoint::Unknown),
            ("/scim/v2/Me", Endpoint::Me),
            ("/scim/v2/Me/x", Endpoint::Unknown),
            ("/scim/v2/Users/1/2", Endpoint::Unknown),
            ("/scim/v2/users", Endpoint::Unknown),
            ("/scim/v2x/Users", Endpoint::Unknown),
            ("/scim/v1/Users", Endpoint::Unknown),
            ("/scim/v2/Users//1", Endpoint::Unknown),
            ("/scim/v2/Users/%ff", Endpoint::Unknown),
        ];
        for (path, expected) in cases {
            assert_eq!(Endpoint::of(BASE_PATH, path, &kinds), expected, "{path}");
        }
        let elsewhere = |path| Endpoint::of("/scim/1", path, &kinds);
        assert_eq!(elsewhere("/scim/1/Users/"), Endpoint::Resources(Kind::User));
        assert_eq!(elsewhere("/scim/v2/Users"), Endpoint::Unknown);
    }
}
