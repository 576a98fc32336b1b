//! Reading a body without trusting it: at most so many bytes, at most so long, decompressed within the same
//! bound.

use async_compression::tokio::bufread::{BrotliDecoder, DeflateDecoder, GzipDecoder, ZlibDecoder};
use bytes::{Bytes, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::time::Instant;

use super::exchange::{Body, BodyProblem};
use super::failure;

/// More codings than this stacked on each other are no honest answer.
const CODINGS: usize = 3;

/// What arrived, and what ended it too early.
pub(crate) struct Raw {
    pub(crate) bytes: Bytes,
    pub(crate) problem: Option<BodyProblem>,
}

/// Reads up to `limit` bytes until `deadline`.
pub(crate) async fn receive(response: &mut reqwest::Response, limit: usize, deadline: Instant) -> Raw {
    let mut bytes = BytesMut::new();
    loop {
        let problem = match tokio::time::timeout_at(deadline, response.chunk()).await {
            Ok(Ok(Some(chunk))) => {
                let room = limit - bytes.len();
                if chunk.len() <= room {
                    bytes.extend_from_slice(&chunk);
                    continue;
                }
                bytes.extend_from_slice(&chunk[..room]);
                BodyProblem::TooLarge { limit }
            }
            Ok(Ok(None)) => return Raw { bytes: bytes.freeze(), problem: None },
            Ok(Err(error)) => BodyProblem::CutOff { received: bytes.len(), why: failure::innermost(&error) },
            Err(_) => BodyProblem::CutOff {
                received: bytes.len(),
                why: "the time limit passed before the end of the body".to_owned(),
            },
        };
        return Raw { bytes: bytes.freeze(), problem: Some(problem) };
    }
}

/// Undoes the content codings (RFC 9110 section 8.4), the last one first, never holding more than `limit` bytes.
pub(crate) async fn decode(raw: Raw, codings: &[String], limit: usize) -> Raw {
    if raw.problem.is_some() || raw.bytes.is_empty() {
        return raw;
    }
    let codings: Vec<String> = codings
        .iter()
        .flat_map(|value| value.split(','))
        .map(|coding| coding.trim().to_ascii_lowercase())
        .filter(|coding| !coding.is_empty() && coding != "identity")
        .collect();
    if codings.len() > CODINGS {
        let why = format!("{} content codings on top of each other", codings.len());
        return Raw { bytes: raw.bytes, problem: Some(BodyProblem::Compression { why }) };
    }
    let mut bytes = raw.bytes;
    for coding in codings.iter().rev() {
        match undo(coding, &bytes, limit).await {
            Ok(plain) => bytes = plain,
            Err((plain, problem)) => return Raw { bytes: plain, problem: Some(problem) },
        }
    }
    Raw { bytes, problem: None }
}

/// The body with its reading as JSON.
pub(crate) fn finish(raw: Raw) -> Body {
    match raw.problem {
        None => Body::whole(raw.bytes),
        Some(problem) => Body::broken(raw.bytes, problem),
    }
}

async fn undo(coding: &str, bytes: &Bytes, limit: usize) -> Result<Bytes, (Bytes, BodyProblem)> {
    let input: &[u8] = bytes;
    match coding {
        "gzip" | "x-gzip" => {
            let mut decoder = GzipDecoder::new(input);
            decoder.multiple_members(true);
            read(decoder, coding, limit).await
        }
        "br" => read(BrotliDecoder::new(input), coding, limit).await,
        // The name means zlib's format (RFC 9110 section 8.4.1.2), yet many send the bare stream, as the
        // section itself notes.
        "deflate" => match read(ZlibDecoder::new(input), coding, limit).await {
            Err((plain, BodyProblem::Compression { .. })) if plain.is_empty() => {
                read(DeflateDecoder::new(input), coding, limit).await
            }
            other => other,
        },
        _ => {
            let why = format!("unknown content coding '{}'", failure::shorten(coding, 40));
            Err((bytes.clone(), BodyProblem::Compression { why }))
        }
    }
}

async fn read(
    mut decoder: impl AsyncRead + Unpin,
    coding: &str,
    limit: usize,
) -> Result<Bytes, (Bytes, BodyProblem)> {
    let mut plain = BytesMut::new();
    let mut chunk = vec![0; 16 << 10];
    loop {
        match decoder.read(&mut chunk).await {
            Ok(0) => return Ok(plain.freeze()),
            Ok(read) => {
                let room = limit - plain.len();
                if read > room {
                    plain.extend_from_slice(&chunk[..room]);
                    return Err((plain.freeze(), BodyProblem::TooLarge { limit }));
                }
                plain.extend_from_slice(&chunk[..read]);
            }
            Err(error) => {
                let why = format!("{coding}: {error}");
                return Err((plain.freeze(), BodyProblem::Compression { why }));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use async_compression::tokio::write::{BrotliEncoder, DeflateEncoder, GzipEncoder, ZlibEncoder};
    use tokio::io::AsyncWriteExt;

    macro_rules! encoded {
        ($encoder:ident, $bytes:expr) => {{
            let mut encoder = $encoder::new(Vec::new());
            encoder.write_all($bytes).await.unwrap();
            encoder.shutdown().await.unwrap();
            Bytes::from(encoder.into_inner())
        }};
    }

    async fn decoded(bytes: Bytes, codings: &[&str], limit: usize) -> Raw {
        let codings: Vec<String> = codings.iter().map(ToString::to_string).collect();
        decode(Raw { bytes, problem: None }, &codings, limit).await
    }

    #[tokio::test]
    async fn every_common_coding_is_undone() {
        let plain = br#"{"schemas":[]}"#;
        for (bytes, coding) in [
            (encoded!(GzipEncoder, plain), "gzip"),
            (encoded!(GzipEncoder, plain), "X-GZIP"),
            (encoded!(ZlibEncoder, plain), "deflate"),
            (encoded!(DeflateEncoder, plain), "deflate"),
            (encoded!(BrotliEncoder, plain), "br"),
            (Bytes::from_static(plain), "identity"),
        ] {
            let raw = decoded(bytes, &[coding], 1000).await;
            assert_eq!(raw.problem, None, "{coding}");
            assert_eq!(&raw.bytes[..], plain, "{coding}");
        }
    }

    #[tokio::test]
    async fn codings_are_undone_in_reverse() {
        let plain = br#"{"schemas":[]}"#;
        let twice = encoded!(BrotliEncoder, &encoded!(GzipEncoder, plain));
        assert_eq!(&decoded(twice.clone(), &["gzip, br"], 1000).await.bytes[..], plain);
        assert_eq!(&decoded(twice, &["gzip", "br"], 1000).await.bytes[..], plain);
    }

    #[tokio::test]
    async fn a_bomb_stops_at_the_limit() {
        let bomb = encoded!(GzipEncoder, &vec![b' '; 4 << 20]);
        assert!(bomb.len() < 10_000);
        let raw = decoded(bomb, &["gzip"], 100_000).await;
        assert_eq!(raw.problem, Some(BodyProblem::TooLarge { limit: 100_000 }));
        assert_eq!(raw.bytes.len(), 100_000);
    }

    #[tokio::test]
    async fn broken_and_unknown_codings_are_named() {
        for (bytes, coding) in
            [(&b"not compressed"[..], "gzip"), (b"{}", "deflate"), (b"\xff\xff", "br"), (b"{}", "zstd")]
        {
            let raw = decoded(Bytes::from_static(bytes), &[coding], 1000).await;
            let Some(BodyProblem::Compression { why }) = raw.problem else {
                panic!("{coding}: {:?}", raw.problem)
            };
            assert!(why.contains(coding), "{why}");
        }
        let whole = encoded!(GzipEncoder, &vec![b'x'; 5000]);
        let cut = whole.slice(..whole.len() - 10);
        assert!(matches!(decoded(cut, &["gzip"], 9999).await.problem, Some(BodyProblem::Compression { .. })));
        let stacked = decoded(Bytes::from_static(b"x"), &["gzip, gzip, gzip, gzip"], 100).await;
        assert!(matches!(stacked.problem, Some(BodyProblem::Compression { .. })));
    }
}
