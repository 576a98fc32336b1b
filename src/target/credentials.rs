//! Credentials, the wrong ones that a test sends on purpose, and the masks that keep the right ones out of every
//! exchange. This module refuses to know where credentials come from (`config`) and what they open.

use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE, URL_SAFE_NO_PAD};
use percent_encoding::{AsciiSet, CONTROLS, NON_ALPHANUMERIC, utf8_percent_encode};
use regex::bytes::{NoExpand, Regex};
use secrecy::{ExposeSecret, SecretString};
use uuid::Uuid;

/// What a masked secret reads as, wherever it stood.
pub const MASK: &str = "***";

/// Secrets shorter than this are masked only where they are a whole header value: replacing every `a` of a body
/// would falsify evidence, and such a value protects nothing.
const SHORTEST: usize = 4;

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

    /// The scheme in one word, for reports: `none`, `bearer`, `basic`, `header X-Api-Key`.
    pub fn scheme(&self) -> String {
        match self {
            Credentials::None => "none".to_owned(),
            Credentials::Bearer(_) => "bearer".to_owned(),
            Credentials::Basic { .. } => "basic".to_owned(),
            Credentials::Header { name, .. } => format!("header {name}"),
        }
    }

    /// The same kind of credentials with another secret, as a hook that renews the key gives it.
    ///
    /// # Errors
    /// When it is empty or cannot stand in a header.
    pub fn renewed(&self, secret: &str) -> Result<Credentials, CredentialsError> {
        match self {
            Credentials::None | Credentials::Bearer(_) => Credentials::bearer(secret),
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

    /// The header that carries them, in clear: only for the wire.
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
        }
    }

    /// Well-formed credentials of the same scheme that are wrong. They share nothing with the right ones but
    /// their form, so they are no secret.
    pub fn wrong(&self) -> Credentials {
        match self {
            Credentials::None => Credentials::Bearer(wrong_like("").into()),
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
    fn secrets(&self) -> Vec<String> {
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
        }
    }
}

fn sendable<'a>(text: &'a str, what: &'static str) -> Result<&'a str, CredentialsError> {
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

/// Replaces secrets, in every form in which they could come back, by [`MASK`]. A clone knows what the others learn.
#[derive(Clone, Default)]
pub struct Masks {
    known: Arc<RwLock<Known>>,
}

/// The secrets so far.
#[derive(Default)]
struct Known {
    whole: Vec<String>,
    anywhere: Option<Regex>,
}

impl Known {
    fn of(mut whole: Vec<String>) -> Known {
        whole.retain(|secret| !secret.is_empty());
        let mut forms: Vec<String> =
            whole.iter().filter(|secret| secret.len() >= SHORTEST).flat_map(|secret| forms(secret)).collect();
        // The longest first: the alternation takes the first that fits, and a shorter form would leave a rest.
        forms.sort_by(|a, b| b.len().cmp(&a.len()).then_with(|| a.cmp(b)));
        forms.dedup();
        let pattern = forms.iter().map(|form| regex::escape(form)).collect::<Vec<_>>().join("|");
        let anywhere = if forms.is_empty() { None } else { Regex::new(&pattern).ok() };
        Known { whole, anywhere }
    }
}

impl fmt::Debug for Masks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Masks").field("secrets", &self.known().whole.len()).finish_non_exhaustive()
    }
}

/// What `encodeURIComponent` leaves alone beside letters and digits.
const COMPONENT: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'_')
    .remove(b'.')
    .remove(b'!')
    .remove(b'~')
    .remove(b'*')
    .remove(b'\'')
    .remove(b'(')
    .remove(b')');
/// The unreserved characters of RFC 3986.
const UNRESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');
/// What a path segment has to escape.
const SEGMENT: &AsciiSet = &CONTROLS
    .add(b' ')
    .add(b'"')
    .add(b'#')
    .add(b'<')
    .add(b'>')
    .add(b'?')
    .add(b'`')
    .add(b'{')
    .add(b'}')
    .add(b'/')
    .add(b'%');

impl Masks {
    /// Masks for the secrets of all these credentials: as they are, in base64 (four alphabets), percent-encoded
    /// and as inside a JSON text.
    pub fn new<'a>(all: impl IntoIterator<Item = &'a Credentials>) -> Masks {
        let known = Known::of(all.into_iter().flat_map(Credentials::secrets).collect());
        Masks { known: Arc::new(RwLock::new(known)) }
    }

    /// Learns the secrets of further credentials, for everything that is masked from now on.
    pub fn learn(&self, credentials: &Credentials) {
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        let mut whole = std::mem::take(&mut known.whole);
        whole.extend(credentials.secrets());
        *known = Known::of(whole);
    }

    fn known(&self) -> std::sync::RwLockReadGuard<'_, Known> {
        self.known.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// The text without secrets.
    pub fn text(&self, text: &str) -> String {
        String::from_utf8_lossy(&self.bytes(text.as_bytes())).into_owned()
    }

    /// The bytes without secrets; borrowed where there was none.
    pub fn bytes<'a>(&self, bytes: &'a [u8]) -> std::borrow::Cow<'a, [u8]> {
        match &self.known().anywhere {
            Some(secrets) => secrets.replace_all(bytes, NoExpand(MASK.as_bytes())),
            None => bytes.into(),
        }
    }

    /// A header's value without secrets, short ones included.
    pub fn header(&self, value: &str) -> String {
        if self.known().whole.iter().any(|secret| secret == value) {
            MASK.to_owned()
        } else {
            self.text(value)
        }
    }
}

fn forms(secret: &str) -> Vec<String> {
    let mut forms = vec![
        secret.to_owned(),
        STANDARD.encode(secret),
        STANDARD_NO_PAD.encode(secret),
        URL_SAFE.encode(secret),
        URL_SAFE_NO_PAD.encode(secret),
    ];
    // A base64 text may itself be percent-encoded (`%3D`), so all of these are.
    let plain = forms.clone();
    for set in [COMPONENT, UNRESERVED, SEGMENT, NON_ALPHANUMERIC] {
        for form in &plain {
            let encoded = utf8_percent_encode(form, set).to_string();
            forms.push(lower_escapes(&encoded));
            forms.push(encoded.replace("%20", "+"));
            forms.push(encoded);
        }
    }
    let json = serde_json::Value::from(secret).to_string();
    let json = json.strip_prefix('"').and_then(|json| json.strip_suffix('"')).unwrap_or(&json).to_owned();
    forms.push(json.replace('/', "\\/"));
    forms.push(json);
    forms.sort_unstable();
    forms.dedup();
    forms
}

/// `%2F` as `%2f`, the rest as it is.
fn lower_escapes(encoded: &str) -> String {
    let mut lowered = String::with_capacity(encoded.len());
    let mut digits = 0;
    for c in encoded.chars() {
        lowered.push(if digits > 0 { c.to_ascii_lowercase() } else { c });
        digits = if c == '%' { 2 } else { digits.max(1) - 1 };
    }
    lowered
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
    fn every_form_of_a_secret_is_masked() {
        let masks = Masks::new(&[Credentials::bearer(TOKEN).unwrap()]);
        for form in [
            TOKEN.to_owned(),
            STANDARD.encode(TOKEN),
            URL_SAFE_NO_PAD.encode(TOKEN),
            "s3cr3t%2Ftok%2Ben%3D%3D%22quoted%22".to_owned(),
            "s3cr3t%2ftok%2ben%3d%3d%22quoted%22".to_owned(),
            "s3cr3t/tok+en==\\\"quoted\\\"".to_owned(),
        ] {
            assert_eq!(masks.text(&format!("before {form} after")), "before *** after", "{form}");
        }
        assert_eq!(masks.text("nothing secret"), "nothing secret");
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
