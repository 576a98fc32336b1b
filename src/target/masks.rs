//! What keeps secrets out of everything that is shown: every form in which one could come back reads `***`.
//!
//! Secrets may be added while a run goes on, since tokens are fetched on the way; what was masked once stays masked.
//! This module refuses to know what the secrets open.

use std::borrow::Cow;
use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};

use aho_corasick::{AhoCorasick, MatchKind};
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE, URL_SAFE_NO_PAD};
use percent_encoding::{AsciiSet, CONTROLS, NON_ALPHANUMERIC, utf8_percent_encode};

use super::credentials::{Credentials, MASK};

/// Secrets shorter than this are masked only where they are a whole header value: replacing every `a` of a body
/// would falsify evidence, and such a value protects nothing.
const SHORTEST: usize = 4;

/// Secrets of this length stand in an answer for no other reason than that the service provider repeats them.
const TELLING: usize = 12;

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
/// What the bodies of forms leave alone (the URL standard's `application/x-www-form-urlencoded`).
const FORM: &AsciiSet = &NON_ALPHANUMERIC.remove(b'*').remove(b'-').remove(b'.').remove(b'_');
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

/// Replaces secrets, in every form in which they could come back, by [`MASK`]. Clones share what they know.
#[derive(Clone, Default)]
pub struct Masks {
    known: Arc<RwLock<Known>>,
}

/// The secrets so far.
#[derive(Default)]
struct Known {
    whole: Vec<String>,
    forms: Vec<String>,
    finder: Finder,
}

/// What finds secrets in a text.
#[derive(Clone, Default)]
enum Finder {
    /// There are none.
    #[default]
    Nothing,
    /// All forms of all of them; of several that fit, the longest, since a shorter one would leave a rest.
    Forms(Arc<AhoCorasick>),
    /// The forms are too many to look for: nothing can be shown.
    Everything,
}

impl fmt::Debug for Masks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        f.debug_struct("Masks").field("secrets", &known.whole.len()).finish_non_exhaustive()
    }
}

impl Masks {
    /// Masks for the secrets of all these credentials: as they are, in base64 (four alphabets), percent-encoded
    /// and as inside a JSON text.
    pub fn new<'a>(all: impl IntoIterator<Item = &'a Credentials>) -> Masks {
        let masks = Masks::default();
        masks.add(all.into_iter().flat_map(Credentials::secrets));
        masks
    }

    /// Learns the secrets of further credentials, for everything that is masked from now on.
    pub fn learn(&self, credentials: &Credentials) {
        self.add(credentials.secrets());
    }

    /// Masks these texts too, from now on, in every copy of these masks.
    pub fn add(&self, secrets: impl IntoIterator<Item = String>) {
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        let before = known.whole.len();
        for secret in secrets {
            if !secret.is_empty() && !known.whole.contains(&secret) {
                known.whole.push(secret);
            }
        }
        let added: Vec<String> = known.whole[before..]
            .iter()
            .filter(|secret| secret.len() >= SHORTEST)
            .flat_map(|secret| forms(secret))
            .collect();
        if added.is_empty() {
            return;
        }
        known.forms.extend(added);
        known.forms.sort_unstable();
        known.forms.dedup();
        let finder = AhoCorasick::builder().match_kind(MatchKind::LeftmostLongest).build(&known.forms);
        known.finder = finder.map_or(Finder::Everything, |finder| Finder::Forms(Arc::new(finder)));
    }

    /// The text without secrets.
    pub fn text(&self, text: &str) -> String {
        String::from_utf8_lossy(&self.bytes(text.as_bytes())).into_owned()
    }

    /// The bytes without secrets; borrowed where there was none.
    pub fn bytes<'a>(&self, bytes: &'a [u8]) -> Cow<'a, [u8]> {
        let finder = self.known.read().unwrap_or_else(PoisonError::into_inner).finder.clone();
        match finder {
            Finder::Nothing => bytes.into(),
            Finder::Forms(finder) => match plain(&finder, bytes) {
                Cow::Borrowed(bytes) => escaped(&finder, bytes),
                Cow::Owned(shown) => escaped(&finder, &shown).into_owned().into(),
            },
            Finder::Everything => MASK.as_bytes().into(),
        }
    }

    /// Whether a secret stands in these bytes as it is, or can be read from them as from JSON, one that is long enough to
    /// tell.
    pub fn are_in(&self, bytes: &[u8]) -> bool {
        // Most answers hold none, which the finder knows at once.
        if matches!(self.bytes(bytes), Cow::Borrowed(_)) {
            return false;
        }
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        let mut telling = known.whole.iter().filter(|secret| secret.len() >= TELLING);
        let read = if has_escapes(bytes) { unescaped(bytes).0 } else { Vec::new() };
        let is_in =
            |bytes: &[u8], secret: &str| bytes.windows(secret.len()).any(|it| it == secret.as_bytes());
        telling.any(|secret| is_in(bytes, secret) || is_in(&read, secret))
    }

    /// A header's value without secrets, short ones included.
    pub fn header(&self, value: &str) -> String {
        let is_secret = {
            let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
            known.whole.iter().any(|secret| secret == value)
        };
        if is_secret { MASK.to_owned() } else { self.text(value) }
    }
}

/// The bytes without the forms that stand in them letter by letter.
fn plain<'a>(finder: &AhoCorasick, bytes: &'a [u8]) -> Cow<'a, [u8]> {
    if !finder.is_match(bytes) {
        return bytes.into();
    }
    let mut shown = Vec::with_capacity(bytes.len());
    finder.replace_all_with_bytes(bytes, &mut shown, |_, _, shown| {
        shown.extend_from_slice(MASK.as_bytes());
        true
    });
    shown.into()
}

/// The bytes without the forms that can be read from them as from JSON, where any character may be escaped (RFC 8259
/// section 7) and libraries escape what HTML would trip over: `token\u003d\u003d`.
fn escaped<'a>(finder: &AhoCorasick, bytes: &'a [u8]) -> Cow<'a, [u8]> {
    if !has_escapes(bytes) {
        return bytes.into();
    }
    let (read, stood) = unescaped(bytes);
    let mut shown = Vec::with_capacity(bytes.len());
    let mut from = 0;
    for found in finder.find_iter(&read) {
        shown.extend_from_slice(&bytes[from..stood[found.start()]]);
        shown.extend_from_slice(MASK.as_bytes());
        from = stood[found.end()];
    }
    if from == 0 {
        return bytes.into();
    }
    shown.extend_from_slice(&bytes[from..]);
    shown.into()
}

/// Whether a character may stand escaped by its number.
fn has_escapes(bytes: &[u8]) -> bool {
    bytes.windows(2).any(|two| two == b"\\u")
}

/// The bytes with the escapes of JSON undone, and where each of them and their end stood. What is no escape is kept.
fn unescaped(bytes: &[u8]) -> (Vec<u8>, Vec<usize>) {
    let mut read = Vec::with_capacity(bytes.len());
    let mut stood = Vec::with_capacity(bytes.len() + 1);
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        let (length, meant) = match (byte, bytes.get(at + 1)) {
            (b'\\', Some(b'u')) => match unicode_escape(&bytes[at..]) {
                Some((length, meant)) => (length, Some(meant)),
                None => (1, None),
            },
            (b'\\', Some(quoted @ (b'"' | b'\\' | b'/'))) => (2, Some(char::from(*quoted))),
            _ => (1, None),
        };
        let before = read.len();
        match meant {
            Some(meant) => read.extend_from_slice(meant.encode_utf8(&mut [0; 4]).as_bytes()),
            None => read.push(byte),
        }
        stood.resize(stood.len() + read.len() - before, at);
        at += length;
    }
    stood.push(at);
    (read, stood)
}

/// What `\u003d` or a pair of surrogates at the beginning of the bytes means, with its length.
fn unicode_escape(bytes: &[u8]) -> Option<(usize, char)> {
    let unit = |at: usize| {
        let digits = bytes.get(at..at + 6)?.strip_prefix(b"\\u")?;
        let digits = std::str::from_utf8(digits).ok().filter(|it| !it.starts_with('+'))?;
        u16::from_str_radix(digits, 16).ok()
    };
    let first = unit(0)?;
    if let Some(Ok(alone)) = char::decode_utf16([first]).next() {
        return Some((6, alone));
    }
    let pair = char::decode_utf16([first, unit(6)?]).next()?.ok()?;
    Some((12, pair))
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
    for set in [COMPONENT, UNRESERVED, FORM, SEGMENT, NON_ALPHANUMERIC] {
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
    fn a_secret_is_masked_however_json_escapes_it() {
        let masks = Masks::new(&[Credentials::bearer("s3cr3t/tok+en==").unwrap()]);
        for form in [
            r"s3cr3t/tok+en\u003d\u003d",
            r"s3cr3t\/tok\u002Ben\u003D=",
            r"\u0073\u0033\u0063\u0072\u0033\u0074\u002f\u0074\u006f\u006b\u002b\u0065\u006e\u003d\u003d",
        ] {
            let body = format!(r#"{{"detail":"no \u00e9 {form} \ud83d\ude00 \ud800 \u+123 \u12"}}"#);
            let shown = body.replace(form, "***");
            assert_eq!(masks.text(&body), shown, "{form}");
        }
        let clean = r#"{"a":"\u003d\u003d \ud800\udc00 \u"}"#;
        assert!(matches!(masks.bytes(clean.as_bytes()), Cow::Borrowed(_)), "nothing is changed for nothing");
    }

    #[test]
    fn a_secret_in_the_body_of_a_form_is_masked() {
        let masks = Masks::new(&[Credentials::bearer("s3cr3t~tok/en-1").unwrap()]);
        assert_eq!(masks.text("token=s3cr3t%7Etok%2Fen-1&x=1"), "token=***&x=1");
    }

    #[test]
    fn what_repeats_a_secret_is_told_from_what_happens_to_hold_a_short_one() {
        let masks = Masks::new(&[Credentials::bearer(TOKEN).unwrap()]);
        masks.add(["password".to_owned()]);
        assert!(masks.are_in(format!("invalid token {TOKEN}").as_bytes()));
        assert!(masks.are_in(br#"{"detail":"s3cr3t/tok\u002ben\u003d\u003d\"quoted\""}"#));
        assert!(!masks.are_in(b"changePassword, password"));
        assert!(!masks.are_in(b"***"));
        assert!(!Masks::default().are_in(TOKEN.as_bytes()));
    }

    #[test]
    fn a_secret_that_comes_later_is_masked_in_every_copy() {
        let masks = Masks::new(&[Credentials::bearer("first-token").unwrap()]);
        let copy = masks.clone();
        masks.add(["later-token".to_owned(), "x".to_owned()]);
        assert_eq!(copy.text("first-token later-token x"), "*** *** x");
        assert_eq!(copy.header("x"), "***");
    }

    #[test]
    fn the_longest_of_several_secrets_leaves_no_rest() {
        let masks = Masks::default();
        masks.add(["abcd".to_owned(), "abcdefgh".to_owned()]);
        assert_eq!(masks.text("abcdefgh abcdx"), "*** ***x");
    }

    #[test]
    fn hundreds_of_long_secrets_are_masked() {
        let masks = Masks::default();
        let secret = |number: usize| format!("token-{number}-{}", "0123456789abcdef".repeat(128));
        masks.add((0..200).map(secret));
        assert_eq!(masks.text(&format!("<{}>", secret(117))), "<***>");
    }
}
