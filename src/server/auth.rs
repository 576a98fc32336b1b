//! Who may come in, and to which tenant: bearer tokens (RFC 6750), kept as digests. Refuses to know what the request
//! is for.

use axum::http::HeaderMap;
use axum::http::header::AUTHORIZATION;
use sha2::{Digest, Sha256};

/// The tokens that the server accepts: one of each tenant, unless old ones are kept.
#[derive(Clone)]
pub(crate) struct Authenticator {
    /// Each with the place of its tenant.
    digests: Vec<(usize, [u8; 32])>,
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
    /// The tokens of the tenants, in their order.
    pub(crate) fn new(tokens: &[&str]) -> Self {
        Self { digests: tokens.iter().map(|token| digest(token)).enumerate().collect() }
    }

    /// Opens a tenant to a new token, and closes it to all others unless they are kept.
    pub(crate) fn renew(&mut self, tenant: usize, token: &str, keeps_old: bool) {
        self.digests.retain(|(other, _)| keeps_old || *other != tenant);
        self.digests.push((tenant, digest(token)));
    }

    /// Judges the `Authorization` header, and says whose tenant it opens; the first where it opens none. Digests are
    /// compared, so that the time taken tells nothing about how much of a token was right.
    pub(crate) fn judge(&self, headers: &HeaderMap) -> (Credentials, usize) {
        let mut values = headers.get_all(AUTHORIZATION).iter();
        let Some(value) = values.next() else { return (Credentials::Absent, 0) };
        if values.next().is_some() {
            return (Credentials::Invalid, 0);
        }
        let Some((scheme, token)) = value.to_str().ok().and_then(|text| text.split_once(' ')) else {
            return (Credentials::Invalid, 0);
        };
        let digest = digest(token.trim_matches(' '));
        match self.digests.iter().find(|(_, known)| *known == digest) {
            Some(&(tenant, _)) if scheme.eq_ignore_ascii_case("bearer") => (Credentials::Valid, tenant),
            _ => (Credentials::Invalid, 0),
        }
    }
}

fn digest(token: &str) -> [u8; 32] {
    Sha256::digest(token.as_bytes()).into()
}

/// A fresh token: 122 random bits in hexadecimal.
pub(crate) fn random_token() -> String {
    uuid::Uuid::new_v4().simple().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judge(value: Option<&str>) -> (Credentials, usize) {
        let mut headers = HeaderMap::new();
        if let Some(value) = value {
            headers.insert(AUTHORIZATION, value.parse().unwrap());
        }
        Authenticator::new(&["right", "other"]).judge(&headers)
    }

    #[test]
    fn a_new_token_takes_the_place_of_the_old_one() {
        let mut authenticator = Authenticator::new(&["right", "other"]);
        let judge = |authenticator: &Authenticator, token: &str| {
            let value = format!("Bearer {token}").parse().unwrap();
            authenticator.judge(&HeaderMap::from_iter([(AUTHORIZATION, value)]))
        };
        authenticator.renew(0, "new", false);
        assert_eq!(judge(&authenticator, "new"), (Credentials::Valid, 0));
        assert_eq!(judge(&authenticator, "right"), (Credentials::Invalid, 0));
        assert_eq!(judge(&authenticator, "other"), (Credentials::Valid, 1));
        authenticator.renew(0, "newer", true);
        assert_eq!(judge(&authenticator, "new"), (Credentials::Valid, 0));
        assert_eq!(judge(&authenticator, "newer"), (Credentials::Valid, 0));
    }

    #[test]
    fn only_the_right_bearer_tokens_are_valid() {
        assert_eq!(judge(Some("Bearer right")), (Credentials::Valid, 0));
        assert_eq!(judge(Some("bearer  right")), (Credentials::Valid, 0));
        assert_eq!(judge(Some("Bearer other")), (Credentials::Valid, 1));
        assert_eq!(judge(None), (Credentials::Absent, 0));
        for wrong in ["Bearer", "Bearer ", "Bearer Right", "Bearer righ", "Basic right", "right", ""] {
            assert_eq!(judge(Some(wrong)), (Credentials::Invalid, 0), "{wrong}");
        }
    }
}
