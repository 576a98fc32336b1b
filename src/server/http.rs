//! The HTTP side of a service: from the wire to a [`Request`], from an [`Answer`](super::message::Answer) to the
//! wire, and a line for the log. Refuses to know what is asked.

use std::sync::Arc;
use std::time::Instant;

use axum::Router;
use axum::body::{Body, HttpBody};
use axum::extract::State as Shared;
use axum::http::header::{CONNECTION, CONTENT_LENGTH};
use axum::response::Response;
use chrono::Utc;
use url::form_urlencoded;

use super::auth::Credentials;
use super::log::{Entry, Log};
use super::message::Request;
use super::negotiate::MAX_BODY;
use super::service::{Service, refuse};
use crate::scim::error::{ScimError, ScimType};

/// What answers for a service.
pub(crate) fn router(service: Arc<Service>, log: Log) -> Router {
    Router::new().fallback(handle).with_state((service, log))
}

async fn handle(
    Shared((service, log)): Shared<(Arc<Service>, Log)>,
    request: axum::http::Request<Body>,
) -> Response {
    let (started, time) = (Instant::now(), Utc::now());
    let (parts, body) = request.into_parts();
    let method = parts.method.clone();
    let path = parts.uri.path().to_owned();
    let query: Vec<(String, String)> =
        form_urlencoded::parse(parts.uri.query().unwrap_or_default().as_bytes()).into_owned().collect();
    let logged = (log != Log::Off).then(|| (path.clone(), query.clone()));
    let too_large = || service.too_large(&path);
    // A message that is a little too large is read all the same, so that its sender gets to see the refusal.
    let most = MAX_BODY.max(service.behaviour.bulk.max_payload_size).saturating_mul(2);
    let declared: Option<usize> =
        parts.headers.get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse().ok());
    let body = match declared {
        Some(length) if length > most => Err(too_large()),
        _ => axum::body::to_bytes(body, most).await.map_err(|error| {
            // The limit, or a client that stopped in the middle.
            use std::error::Error;
            match error.source().map(ToString::to_string) {
                Some(reason) if reason.contains("limit") => too_large(),
                _ => ScimError::with_type(400, ScimType::InvalidSyntax, "the body ended early"),
            }
        }),
    };
    let answer = match body {
        Ok(body) => {
            let request = Request {
                path,
                base_path: service.behaviour.base_path,
                query,
                credentials: Credentials::Absent,
                tenant: 0,
                method: parts.method,
                headers: parts.headers,
                body,
            };
            let meeting = service.meeting(&request).await;
            service.take(request, meeting.as_deref())
        }
        // The rest of the body is on its way: the connection cannot be used again.
        Err(error) => refuse(error.into()).with_header(CONNECTION, "close"),
    };
    if let Some(delay) = answer.delay {
        tokio::time::sleep(delay).await;
    }
    let response = answer.into_response(&method);
    if let Some((path, query)) = logged {
        log.write(&Entry {
            time,
            method: method.as_str(),
            path: &path,
            query: &query,
            status: response.status().as_u16(),
            duration: started.elapsed(),
            bytes: response.body().size_hint().exact().unwrap_or_default(),
        });
    }
    response
}
