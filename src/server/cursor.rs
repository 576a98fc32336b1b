//! The cursors of RFC 9865: where in the rows of a query a page begins, sealed so that only this server can read it,
//! make it or change it. Nothing is kept between requests: what a cursor stands for is in the cursor.
//!
//! A cursor is bound to the query that it was made for, to the store that it was made from, and to a time. It holds
//! the [position](super::order) of a row, not a number of rows, so that nothing is left out or repeated when other
//! resources come and go.

use std::time::{Duration, Instant};

use aws_lc_rs::aead::{AES_256_GCM, Aad, NONCE_LEN, Nonce, RandomizedNonceKey};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::DateTime;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::order::Position;
use crate::scim::error::{ScimError, ScimType};
use crate::scim::sort::SortKey;

/// How much of a text that is sorted by goes into a cursor, in bytes: a cursor has its place in a URL.
pub(crate) const MAX_KEY: usize = 256;

/// The longest cursor that is looked at, in bytes. None that the server gives is as long.
const MAX_LENGTH: usize = 4096;

/// Makes and reads the cursors of one server.
pub(crate) struct Cursors {
    key: RandomizedNonceKey,
    started: Instant,
    timeout: Duration,
}

/// What a cursor stands for: the page after a row, or before it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Cursor {
    /// Its key may be the beginning of a text that was too long.
    pub position: Position,
    /// Whether the page ends before the position, and does not begin behind it.
    pub is_backward: bool,
    /// The `count` of the query.
    pub count: Option<usize>,
}

/// What a cursor is bound to: a digest of everything that has to stay the same from page to page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Binding([u8; 32]);

impl Binding {
    /// The digest of parts, in order.
    pub(crate) fn of<'a>(parts: impl IntoIterator<Item = &'a [u8]>) -> Self {
        let mut digest = Sha256::new();
        for part in parts {
            digest.update(part.len().to_be_bytes());
            digest.update(part);
        }
        Self(digest.finalize().into())
    }
}

#[derive(Serialize, Deserialize)]
struct Sealed {
    /// When it was made, in milliseconds since the server started.
    at: u64,
    place: u64,
    key: SealedKey,
    back: bool,
    count: Option<usize>,
}

#[derive(Serialize, Deserialize)]
enum SealedKey {
    Boolean(bool),
    /// The bits of a double, which a decimal number might not give back.
    Number(u64),
    /// Seconds since 1970, and nanoseconds.
    Instant(i64, u32),
    Text(String),
    Missing,
}

impl Cursors {
    /// Cursors that hold for at least `timeout`, under a key that nobody else has.
    pub(crate) fn new(timeout: Duration) -> Self {
        let mut secret = [0; 32];
        let (left, right) = secret.split_at_mut(16);
        left.copy_from_slice(uuid::Uuid::new_v4().as_bytes());
        right.copy_from_slice(uuid::Uuid::new_v4().as_bytes());
        let key = RandomizedNonceKey::new(&AES_256_GCM, &secret).unwrap_or_else(|_| {
            unreachable!("a key of AES-256 has 32 bytes");
        });
        Self { key, started: Instant::now(), timeout }
    }

    /// How long a cursor holds at least.
    pub(crate) fn timeout(&self) -> Duration {
        self.timeout
    }

    fn now(&self) -> u64 {
        u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    /// The cursor as the client sees it: unreserved characters of RFC 3986 only (RFC 9865 §2). None if it cannot be
    /// sealed, which would need a broken source of random numbers.
    pub(crate) fn seal(&self, cursor: &Cursor, binding: &Binding) -> Option<String> {
        let key = sealed_key(&cursor.position.key);
        let sealed = Sealed {
            at: self.now(),
            place: cursor.position.place,
            key,
            back: cursor.is_backward,
            count: cursor.count,
        };
        let mut bytes = serde_json::to_vec(&sealed).ok()?;
        let nonce = self.key.seal_in_place_append_tag(Aad::from(&binding.0), &mut bytes).ok()?;
        let mut token = nonce.as_ref().to_vec();
        token.append(&mut bytes);
        Some(URL_SAFE_NO_PAD.encode(token))
    }

    /// Reads a cursor.
    ///
    /// # Errors
    /// 400 invalidCursor, in the same words whatever is wrong, if this server did not give it for this query;
    /// 400 expiredCursor if it did, but too long ago (RFC 9865 §2.1).
    pub(crate) fn open(&self, token: &str, binding: &Binding) -> Result<Cursor, ScimError> {
        self.open_at(self.now(), token, binding)
    }

    /// [`Cursors::open`] at so many milliseconds after the start of the server.
    fn open_at(&self, now: u64, token: &str, binding: &Binding) -> Result<Cursor, ScimError> {
        let sealed = self.unseal(token, binding).ok_or_else(|| {
            ScimError::bad_request(
                ScimType::InvalidCursor,
                "the cursor is not one that this server gave for this query",
            )
        })?;
        if Duration::from_millis(now.saturating_sub(sealed.at)) > self.timeout {
            return Err(ScimError::bad_request(ScimType::ExpiredCursor, "the cursor has expired"));
        }
        let key = match sealed.key {
            SealedKey::Boolean(boolean) => SortKey::Boolean(boolean),
            SealedKey::Number(bits) => SortKey::Number(f64::from_bits(bits)),
            SealedKey::Instant(seconds, nanos) => {
                DateTime::from_timestamp(seconds, nanos).map_or(SortKey::Missing, SortKey::Instant)
            }
            SealedKey::Text(text) => SortKey::Text(text),
            SealedKey::Missing => SortKey::Missing,
        };
        Ok(Cursor {
            position: Position { key, place: sealed.place },
            is_backward: sealed.back,
            count: sealed.count,
        })
    }

    fn unseal(&self, token: &str, binding: &Binding) -> Option<Sealed> {
        if token.len() > MAX_LENGTH {
            return None;
        }
        let token = URL_SAFE_NO_PAD.decode(token).ok()?;
        let (nonce, sealed) = token.split_at_checked(NONCE_LEN)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).ok()?;
        let mut sealed = sealed.to_vec();
        let bytes = self.key.open_in_place(nonce, Aad::from(&binding.0), &mut sealed).ok()?;
        serde_json::from_slice(bytes).ok()
    }
}

fn sealed_key(key: &SortKey) -> SealedKey {
    match key {
        SortKey::Boolean(boolean) => SealedKey::Boolean(*boolean),
        SortKey::Number(number) => SealedKey::Number(number.to_bits()),
        SortKey::Instant(instant) => {
            SealedKey::Instant(instant.timestamp(), instant.timestamp_subsec_nanos())
        }
        SortKey::Text(text) => SealedKey::Text(text[..text.floor_char_boundary(MAX_KEY)].to_owned()),
        SortKey::Missing => SealedKey::Missing,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cursor(key: SortKey) -> Cursor {
        Cursor { position: Position { key, place: 7 }, is_backward: true, count: Some(2) }
    }

    fn refused(cursors: &Cursors, token: &str, binding: &Binding) -> Option<ScimType> {
        let error = cursors.open(token, binding).unwrap_err();
        assert_eq!(error.status, 400);
        error.scim_type
    }

    #[test]
    fn what_is_sealed_is_read_back() {
        let cursors = Cursors::new(Duration::from_secs(60));
        let binding = Binding::of([b"a".as_slice()]);
        let instant = DateTime::from_timestamp(-1, 5).unwrap();
        for key in [
            SortKey::Boolean(true),
            SortKey::Number(0.1),
            SortKey::Number(-0.0),
            SortKey::Instant(instant),
            SortKey::Text("zoé".into()),
            SortKey::Missing,
        ] {
            let token = cursors.seal(&cursor(key.clone()), &binding).unwrap();
            assert!(token.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte)));
            assert_eq!(cursors.open(&token, &binding), Ok(cursor(key)));
        }
    }

    #[test]
    fn only_the_server_that_made_a_cursor_reads_it_and_for_the_same_query_only() {
        let cursors = Cursors::new(Duration::from_secs(60));
        let binding = Binding::of([b"ab".as_slice(), b"c"]);
        let token = cursors.seal(&cursor(SortKey::Text("secret".into())), &binding).unwrap();
        let other = Cursors::new(Duration::from_secs(60));
        assert_eq!(refused(&other, &token, &binding), Some(ScimType::InvalidCursor));
        let other = Binding::of([b"a".as_slice(), b"bc"]);
        assert_eq!(refused(&cursors, &token, &other), Some(ScimType::InvalidCursor));
        for at in 0..token.len() {
            let mut forged = token.clone().into_bytes();
            forged[at] = if forged[at] == b'A' { b'B' } else { b'A' };
            let forged = String::from_utf8(forged).unwrap();
            assert_eq!(refused(&cursors, &forged, &binding), Some(ScimType::InvalidCursor), "{at}");
        }
        for bogus in ["x", "AAAA", "~~", "é", &"A".repeat(100), &"A".repeat(MAX_LENGTH + 1)] {
            assert_eq!(refused(&cursors, bogus, &binding), Some(ScimType::InvalidCursor), "{bogus}");
        }
    }

    #[test]
    fn a_cursor_expires() {
        let cursors = Cursors::new(Duration::from_secs(60));
        let binding = Binding::of([]);
        let before = cursors.now();
        let token = cursors.seal(&cursor(SortKey::Missing), &binding).unwrap();
        let after = cursors.now();
        assert!(cursors.open_at(before + 60_000, &token, &binding).is_ok());
        let error = cursors.open_at(after + 60_001, &token, &binding).unwrap_err();
        assert_eq!((error.status, error.scim_type), (400, Some(ScimType::ExpiredCursor)));
    }

    #[test]
    fn a_cursor_stays_short_whatever_is_sorted_by() {
        let cursors = Cursors::new(Duration::from_secs(60));
        let binding = Binding::of([]);
        for text in ["é".repeat(100_000), "\u{1}".repeat(100_000)] {
            let token = cursors.seal(&cursor(SortKey::Text(text)), &binding).unwrap();
            assert!(token.len() < MAX_LENGTH, "{}", token.len());
            let key = cursors.open(&token, &binding).unwrap().position.key;
            assert!(matches!(key, SortKey::Text(text) if (MAX_KEY - 3..=MAX_KEY).contains(&text.len())));
        }
    }
}
