//! Who may come in: one bearer token (RFC 6750), kept as a digest. Refuses to know what the request is for.

use axum::http::HeaderMap;
use axum::http::header::AUTHORIZATION;
use sha2::{Digest, Sha256};

/// The token that the server accepts.
#[derive(Clone)]
pub(crate) struct Authenticator {
    digest: [u8; 32],
}

/// What the credentials of a request are worth.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Credentials {
    /// The right token.
    Valid,
    /// There are none.
    Absent,
    /// Another scheme, a malformed header, or a wrong token.
    Invalid,
}

impl Credentials {
    /// The challenge of the 401 (RFC 6750 §3: no error code where no credentials were sent).
    pub(crate) fn challenge(self) -> &'static str {
        match self {
            Self::Valid | Self::Absent => r#"Bearer realm="scim""#,
            Self::Invalid => r#"Bearer realm="scim", error="invalid_token""#,
        }
    }
}

impl Authenticator {
    pub(crate) fn new(token: &str) -> Self {
        Self { digest: Sha256::digest(token.as_bytes()).into() }
    }

    /// Judges the `Authorization` header. Digests are compared, so that the time taken tells nothing about how
    /// much of a token was right.
    pub(crate) fn judge(&self, headers: &HeaderMap) -> Credentials {
        let mut values = headers.get_all(AUTHORIZATION).iter();
        let Some(value) = values.next() else { return Credentials::Absent };
        if values.next().is_some() {
            return Credentials::Invalid;
        }
        let Some((scheme, token)) = value.to_str().ok().and_then(|text| text.split_once(' ')) else {
            return Credentials::Invalid;
        };
        let digest: [u8; 32] = Sha256::digest(token.trim_matches(' ').as_bytes()).into();
        if scheme.eq_ignore_ascii_case("bearer") && digest == self.digest {
            Credentials::Valid
        } else {
            Credentials::Invalid
        }
    }
}

/// A fresh token: 122 random bits in hexadecimal.
pub(crate) fn random_token() -> String {
    uuid::Uuid::new_v4().simple().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judge(value: Option<&str>) -> Credentials {
        let mut headers = HeaderMap::new();
        if let Some(value) = value {
            headers.insert(AUTHORIZATION, value.parse().unwrap());
        }
        Authenticator::new("right").judge(&headers)
    }

    #[test]
    fn only_the_right_bearer_token_is_valid() {
        assert_eq!(judge(Some("Bearer right")), Credentials::Valid);
        assert_eq!(judge(Some("bearer  right")), Credentials::Valid);
        assert_eq!(judge(None), Credentials::Absent);
        for wrong in ["Bearer", "Bearer ", "Bearer Right", "Bearer righ", "Basic right", "right", ""] {
            assert_eq!(judge(Some(wrong)), Credentials::Invalid, "{wrong}");
        }
    }
}
