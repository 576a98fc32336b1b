//! Credentials, and the wrong ones that a test sends on purpose. This module refuses to know where credentials come
//! from (`config`) and what they open; `masks` keeps them out of every exchange.

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use secrecy::{ExposeSecret, SecretString};
use uuid::Uuid;

use super::grant::ClientCredentials;
pub use super::masks::Masks;

/// What a masked secret reads as, wherever it stood.
pub const MASK: &str = "***";

/// How requests are authenticated. `Debug` never shows the secret.
#[derive(Debug, Clone, Default)]
pub enum Credentials {
    /// Not at all.
    #[default]
    None,
    /// `Authorization: Bearer …` (RFC 6750 section 2.1).
    Bearer(SecretString),
    /// `Authorization: Basic …` (RFC 7617).
    Basic {
        /// The user-id, which is no secret.
        user: String,
        /// The password.
        password: SecretString,
    },
    /// Any header, such as `X-Api-Key: …`.
    Header {
        /// The header's name.
        name: String,
        /// Its value.
        value: SecretString,
    },
    /// A bearer token that a token endpoint issues for them (RFC 6749 section 4.4).
    OAuth(Box<ClientCredentials>),
}

/// Why credentials cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CredentialsError {
    /// Not `Name: value`.
    #[error("a credential header is written `Name: value`")]
    NoColon,
    /// Characters that no header can hold.
    #[error("the {what} holds characters that an HTTP header cannot; is there a line break at its end?")]
    Unsendable {
        /// What is wrong: `token`, `header name`, …
        what: &'static str,
    },
    /// Nothing there.
    #[error("the {what} is empty")]
    Empty {
        /// What is empty.
        what: &'static str,
    },
}

impl Credentials {
    /// A bearer token. Blanks around it are not part of it.
    ///
    /// # Errors
    /// When it is empty or cannot stand in a header.
    pub fn bearer(token: &str) -> Result<Credentials, CredentialsError> {
        let token = sendable(token, "token")?;
        Ok(Credentials::Bearer(token.to_owned().into()))
    }

    /// A user and a password.
    ///
    /// # Errors
    /// When the user is empty or holds a colon (RFC 7617 section 2).
    pub fn basic(user: &str, password: &str) -> Result<Credentials, CredentialsError> {
        if user.is_empty() {
            return Err(CredentialsError::Empty { what: "user name" });
        }
        if user.contains(':') || user.chars().any(char::is_control) {
            return Err(CredentialsError::Unsendable { what: "user name" });
        }
        Ok(Credentials::Basic { user: user.to_owned(), password: password.to_owned().into() })
    }

    /// A raw header, `Name: value`.
    ///
    /// # Errors
    /// When it has no colon, or cannot be sent.
    pub fn header(line: &str) -> Result<Credentials, CredentialsError> {
        let (name, value) = line.split_once(':').ok_or(CredentialsError::NoColon)?;
        let name = sendable(name, "header name")?;
        if reqwest::header::HeaderName::from_bytes(name.as_bytes()).is_err() {
            return Err(CredentialsError::Unsendable { what: "header name" });
        }
        let value = sendable(value, "header value")?;
        Ok(Credentials::Header { name: name.to_owned(), value: value.to_owned().into() })
    }

    /// The scheme in one word, for reports: `none`, `bearer`, `basic`, `header X-Api-Key`, `oauth`.
    pub fn scheme(&self) -> String {
        match self {
            Credentials::None => "none".to_owned(),
            Credentials::Bearer(_) => "bearer".to_owned(),
            Credentials::Basic { .. } => "basic".to_owned(),
            Credentials::Header { name, .. } => format!("header {name}"),
            Credentials::OAuth(_) => "oauth".to_owned(),
        }
    }

    /// The same kind of credentials with another secret, as a hook that renews the key gives it.
    ///
    /// # Errors
    /// When it is empty or cannot stand in a header.
    pub fn renewed(&self, secret: &str) -> Result<Credentials, CredentialsError> {
        match self {
            Credentials::None | Credentials::Bearer(_) | Credentials::OAuth(_) => Credentials::bearer(secret),
            Credentials::Basic { user, .. } => Credentials::basic(user, sendable(secret, "password")?),
            Credentials::Header { name, value } => {
                let secret = sendable(secret, "header value")?;
                let value = match value.expose_secret().split_once(' ') {
                    Some((scheme, _)) if !scheme.is_empty() => format!("{scheme} {secret}"),
                    _ => secret.to_owned(),
                };
                Ok(Credentials::Header { name: name.clone(), value: value.into() })
            }
        }
    }

    /// Whether there are none.
    pub fn is_none(&self) -> bool {
        matches!(self, Credentials::None)
    }

    /// The header that carries them, in clear: only for the wire. Of a token that has still to be fetched, what stands
    /// in its place until the request is sent.
    pub(crate) fn on_the_wire(&self) -> Option<(String, String)> {
        match self {
            Credentials::None => None,
            Credentials::Bearer(token) => {
                Some(("Authorization".to_owned(), format!("Bearer {}", token.expose_secret())))
            }
            Credentials::Basic { user, password } => {
                let pair = format!("{user}:{}", password.expose_secret());
                Some(("Authorization".to_owned(), format!("Basic {}", STANDARD.encode(pair))))
            }
            Credentials::Header { name, value } => Some((name.clone(), value.expose_secret().to_owned())),
            Credentials::OAuth(_) => Some(("Authorization".to_owned(), format!("Bearer {MASK}"))),
        }
    }

    /// Well-formed credentials of the same scheme that are wrong. They share nothing with the right ones but
    /// their form, so they are no secret.
    pub fn wrong(&self) -> Credentials {
        match self {
            // The form of a token is known when the first one has come.
            Credentials::None | Credentials::OAuth(_) => Credentials::Bearer(wrong_like("").into()),
            Credentials::Bearer(token) => Credentials::Bearer(wrong_like(token.expose_secret()).into()),
            Credentials::Basic { user, password } => Credentials::Basic {
                user: user.clone(),
                password: wrong_like(password.expose_secret()).into(),
            },
            Credentials::Header { name, value } => {
                let value = value.expose_secret();
                // `SSWS abc` keeps its scheme, so that the service provider looks at the value at all.
                let wrong = match value.split_once(' ') {
                    Some((scheme, rest)) if !scheme.is_empty() => format!("{scheme} {}", wrong_like(rest)),
                    _ => wrong_like(value),
                };
                Credentials::Header { name: name.clone(), value: wrong.into() }
            }
        }
    }

    /// Every text whose appearance would give the credentials away.
    pub(super) fn secrets(&self) -> Vec<String> {
        match self {
            Credentials::None => Vec::new(),
            Credentials::Bearer(token) => vec![token.expose_secret().to_owned()],
            Credentials::Basic { user, password } => {
                let password = password.expose_secret();
                vec![password.to_owned(), format!("{user}:{password}")]
            }
            Credentials::Header { value, .. } => {
                let value = value.expose_secret();
                let mut all = vec![value.to_owned()];
                if let Some((scheme, rest)) = value.split_once(' ') {
                    all.push(rest.trim().to_owned());
                    if scheme.eq_ignore_ascii_case("basic") {
                        let pair = STANDARD.decode(rest.trim()).ok().and_then(|b| String::from_utf8(b).ok());
                        if let Some((_, password)) = pair.as_deref().and_then(|pair| pair.split_once(':')) {
                            all.push(password.to_owned());
                        }
                    }
                }
                all
            }
            Credentials::OAuth(grant) => grant.secrets(),
        }
    }
}

pub(super) fn sendable<'a>(text: &'a str, what: &'static str) -> Result<&'a str, CredentialsError> {
    let text = text.trim();
    if text.is_empty() {
        return Err(CredentialsError::Empty { what });
    }
    if text.chars().any(|c| c.is_control() || !c.is_ascii()) {
        return Err(CredentialsError::Unsendable { what });
    }
    Ok(text)
}

/// A random token in the form of the right one: a JWT for a JWT, else letters and digits of its length.
fn wrong_like(right: &str) -> String {
    let parts: Vec<&str> = right.split('.').collect();
    if parts.len() == 3 && right.starts_with("eyJ") {
        let header = URL_SAFE_NO_PAD.encode(r#"{"alg":"HS256","typ":"JWT"}"#);
        let claims = URL_SAFE_NO_PAD.encode(format!(r#"{{"sub":"scimspec","jti":"{}"}}"#, Uuid::new_v4()));
        let signature =
            URL_SAFE_NO_PAD.encode([Uuid::new_v4().into_bytes(), Uuid::new_v4().into_bytes()].concat());
        return format!("{header}.{claims}.{signature}");
    }
    let length = right.len().clamp(16, 256);
    let mut wrong = String::from("wrong");
    while wrong.len() < length {
        wrong.push_str(&Uuid::new_v4().simple().to_string());
    }
    wrong.truncate(length);
    wrong
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOKEN: &str = "s3cr3t/tok+en==\"quoted\"";

    #[test]
    fn debug_shows_no_secret() {
        let credentials = [
            Credentials::bearer(TOKEN).unwrap(),
            Credentials::basic("ann", "pass-word-1").unwrap(),
            Credentials::header("X-Api-Key: key-key-key").unwrap(),
        ];
        let masks = Masks::new(&credentials);
        let shown = format!("{credentials:?} {masks:?}");
        for secret in [TOKEN, "pass-word-1", "key-key-key"] {
            assert!(!shown.contains(secret), "{shown}");
        }
    }

    #[test]
    fn basic_masks_password_and_pair_but_not_the_user() {
        let basic = Credentials::basic("admin", "hunter22").unwrap();
        let masks = Masks::new(std::slice::from_ref(&basic));
        let (_, value) = basic.on_the_wire().unwrap();
        assert_eq!(masks.header(&value), "Basic ***");
        assert_eq!(masks.text("admin has hunter22"), "admin has ***");
    }

    #[test]
    fn a_header_with_a_scheme_masks_its_token_alone_too() {
        let masks = Masks::new(&[Credentials::header("Authorization: SSWS abcdefgh").unwrap()]);
        assert_eq!(masks.text("invalid token abcdefgh"), "invalid token ***");
        let encoded = STANDARD.encode("bob:letmein!");
        let masks = Masks::new(&[Credentials::header(&format!("Authorization: Basic {encoded}")).unwrap()]);
        assert_eq!(masks.text("letmein! is wrong"), "*** is wrong");
    }

    #[test]
    fn a_renewed_key_is_of_the_same_kind_and_masked_from_then_on() {
        let old = Credentials::header("Authorization: SSWS abcdefgh").unwrap();
        let masks = Masks::new(std::slice::from_ref(&old));
        let new = old.renewed(" ijklmnop\n").unwrap();
        assert_eq!(new.on_the_wire().unwrap().1, "SSWS ijklmnop");
        assert_eq!(masks.text("ijklmnop"), "ijklmnop");
        let shared = masks.clone();
        masks.learn(&new);
        assert_eq!(shared.text("abcdefgh then ijklmnop"), "*** then ***");
        let basic = Credentials::basic("ann", "hunter22").unwrap().renewed("hunter33").unwrap();
        assert_eq!(basic.on_the_wire().unwrap().1, format!("Basic {}", STANDARD.encode("ann:hunter33")));
        assert!(Credentials::None.renewed(" ").is_err());
    }

    #[test]
    fn a_short_secret_is_masked_where_it_is_the_whole_value() {
        let masks = Masks::new(&[Credentials::header("X-Key: abc").unwrap()]);
        assert_eq!(masks.header("abc"), "***");
        assert_eq!(masks.text("abcdef"), "abcdef");
    }

    #[test]
    fn wrong_credentials_keep_the_form_and_nothing_else() {
        let Credentials::Bearer(wrong) = Credentials::bearer("0123456789abcdef0123").unwrap().wrong() else {
            panic!("another scheme")
        };
        assert_eq!(wrong.expose_secret().len(), 20);
        assert_ne!(wrong.expose_secret(), "0123456789abcdef0123");

        let jwt = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJ4In0.c2ln";
        let Credentials::Bearer(wrong) = Credentials::bearer(jwt).unwrap().wrong() else { panic!() };
        assert_eq!(wrong.expose_secret().split('.').count(), 3);
        assert!(!wrong.expose_secret().contains("c2ln"));

        let ssws = Credentials::header("Authorization: SSWS abcdefgh").unwrap().wrong();
        let (name, value) = ssws.on_the_wire().unwrap();
        assert_eq!(name, "Authorization");
        assert!(value.starts_with("SSWS wrong"), "{value}");
    }

    #[test]
    fn what_cannot_be_sent_is_refused_without_showing_it() {
        let error = Credentials::bearer("abc\r\nX: y").unwrap_err();
        assert!(!error.to_string().contains("abc"));
        assert_eq!(Credentials::header("no colon").unwrap_err(), CredentialsError::NoColon);
        assert_eq!(Credentials::bearer("  ").unwrap_err(), CredentialsError::Empty { what: "token" });
        assert!(Credentials::basic("a:b", "x").is_err());
        // A trailing line break is how a secret read from a file looks; it is no part of it.
        assert!(Credentials::bearer("token-from-file\n").is_ok());
    }
}
