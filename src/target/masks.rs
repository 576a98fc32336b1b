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
            Finder::Forms(finder) if !finder.is_match(bytes) => bytes.into(),
            Finder::Forms(finder) => {
                let mut shown = Vec::with_capacity(bytes.len());
                finder.replace_all_with_bytes(bytes, &mut shown, |_, _, shown| {
                    shown.extend_from_slice(MASK.as_bytes());
                    true
                });
                shown.into()
            }
            Finder::Everything => MASK.as_bytes().into(),
        }
    }

    /// Whether a secret stands in these bytes as it is, one that is long enough to tell.
    pub fn are_in(&self, bytes: &[u8]) -> bool {
        // Most answers hold none, which the finder knows at once.
        if matches!(self.bytes(bytes), Cow::Borrowed(_)) {
            return false;
        }
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        let mut telling = known.whole.iter().filter(|secret| secret.len() >= TELLING);
        telling.any(|secret| bytes.windows(secret.len()).any(|window| window == secret.as_bytes()))
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
    fn what_repeats_a_secret_is_told_from_what_happens_to_hold_a_short_one() {
        let masks = Masks::new(&[Credentials::bearer(TOKEN).unwrap()]);
        masks.add(["password".to_owned()]);
        assert!(masks.are_in(format!("invalid token {TOKEN}").as_bytes()));
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
