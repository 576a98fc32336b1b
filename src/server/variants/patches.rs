//! PATCH where the RFC leaves the choice (RFC 7644 §3.5.2).

use axum::http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use axum::http::{Method, StatusCode};

use super::super::fault::Rewrite;
use super::super::message::Content;
use super::super::variant::VariantEntry;
use super::rewriting;

pub(super) const VARIANTS: &[VariantEntry] = &[rewriting(
    "patch-no-content",
    &["AMB-96"],
    "A successful PATCH is answered 204 without a body, unless the request asks for attributes.",
    "RFC 7644 section 3.5.2: a service provider may return 204 unless attributes is specified",
    &[Rewrite::Answer(|seen, answer| {
        let projected = seen.request.parameter("attributes").is_some();
        if seen.request.method == Method::PATCH && answer.status == StatusCode::OK && !projected {
            answer.status = StatusCode::NO_CONTENT;
            answer.content = Content::Empty;
            answer.headers.remove(CONTENT_TYPE);
            answer.headers.remove(CONTENT_LENGTH);
        }
    })],
)];
