//! The way of a request: its turn, the budget, the wire, and again where the service provider asks for that. Every
//! answer is bounded and masked before it becomes an exchange.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use chrono::Utc;
use reqwest::header::AUTHORIZATION;
use tokio::time::Instant;

use super::body;
use super::client::{Purpose, Target};
use super::exchange::{Exchange, ExchangeId, Request, Response, TransportFailure};
use super::failure;
use super::guard::Permissions;
use super::pace;
use super::setup::IDLE;
use super::tokens::Token;
use super::wire::Wire;

/// Redirects that are followed for one request, all within the base URL.
const REDIRECTS: usize = 3;

impl Target {
    /// Sends, and repeats or follows as far as that is harmless.
    pub(super) async fn converse(
        &self,
        mut wire: Wire,
        permissions: Permissions,
        purpose: Purpose,
    ) -> (Arc<Exchange>, Vec<Arc<Exchange>>) {
        let mut also = Vec::new();
        let (mut repeats, mut redirects, mut resets, mut renewals) = (0, 0, 0, 0);
        loop {
            let (exchange, token) = self.once(&wire, purpose).await;
            let again = match &exchange.answer {
                // The token may have been revoked, or its life cut short.
                Ok(response) if response.status == 401 && renewals == 0 && self.renews(&wire, token) => {
                    renewals += 1;
                    !self.stopped(purpose)
                }
                Err(TransportFailure::Closed { .. })
                    if wire.is_safe() && resets == 0 && !self.stopped(purpose) =>
                {
                    resets += 1;
                    true
                }
                Ok(response) if !wire.impatient && repeats < self.limits.repeats => {
                    match self.asked_to_wait(response, repeats) {
                        Some(wait) => {
                            repeats += 1;
                            self.pace.pause(wait);
                            !self.stopped(purpose)
                        }
                        None => {
                            redirects < REDIRECTS
                                && self.follow(&mut wire, response, permissions, &mut redirects)
                        }
                    }
                }
                Ok(response) => {
                    redirects < REDIRECTS && self.follow(&mut wire, response, permissions, &mut redirects)
                }
                Err(_) => false,
            };
            if !again {
                return (exchange, also);
            }
            also.push(exchange);
        }
    }

    fn stopped(&self, purpose: Purpose) -> bool {
        purpose == Purpose::Run && self.interrupted.is_cancelled()
    }

    /// How long to wait before the request is repeated, where the answer asks for that: 429 always, 503 with a
    /// Retry-After, and never longer than the limit.
    fn asked_to_wait(&self, response: &Response, repeats: u32) -> Option<Duration> {
        let asked =
            response.header("Retry-After").and_then(|value| pace::retry_after(value, SystemTime::now()));
        let wait = match (response.status, asked) {
            (429 | 503, Some(wait)) => wait,
            (429, None) => self.limits.back_off.saturating_mul(1 << repeats.min(16)),
            _ => return None,
        };
        (wait <= self.limits.retry_after).then_some(wait)
    }

    /// One request with what comes of it.
    ///
    /// Beside it stands the number of the token that it carried.
    async fn once(&self, wire: &Wire, purpose: Purpose) -> (Arc<Exchange>, Option<u32>) {
        let mut admitted = self.within_budget(purpose, false);
        if admitted.is_ok() {
            tokio::select! {
                biased;
                () = self.interrupted.cancelled(), if purpose == Purpose::Run => {
                    admitted = Err("the run was interrupted".to_owned());
                }
                () = self.turn(wire) => admitted = self.within_budget(purpose, true),
            }
        }
        let token = match admitted {
            Err(why) => Err(TransportFailure::NotSent { why }),
            Ok(()) => self.token(wire, purpose).await,
        };
        let number = token.as_ref().ok().and_then(|token| token.as_ref().map(|token| token.number));
        let started = Utc::now();
        let clock = Instant::now();
        let answer = match token {
            Err(failure) => Err(failure),
            Ok(token) => tokio::select! {
                biased;
                answer = self.perform(wire, token) => answer,
                () = self.abandoned(purpose) => Err(given_up()),
            },
        };
        if let (Some(number), Ok(response)) = (number, &answer)
            && response.status != 401
            && let Some((source, _)) = self.source(wire.on_behalf)
        {
            source.accepted(number);
        }
        let mut state = self.state();
        let id = ExchangeId(state.next_exchange);
        state.next_exchange += 1;
        let exchange = Arc::new(Exchange {
            id,
            origin: wire.origin.clone(),
            reason: wire.reason.clone(),
            request: Request {
                method: wire.method.as_str().to_owned(),
                url: self.masks.text(wire.url.as_str()),
                path: self.masks.text(&wire.below),
                endpoint: wire.endpoint.clone(),
                auth: wire.auth,
                headers: wire.shown.clone(),
                body: wire.body.as_ref().map(|body| self.masked(body.clone())),
            },
            answer,
            started,
            elapsed: clock.elapsed(),
        });
        let size = exchange.size();
        if state.log_bytes.saturating_add(size) <= self.limits.log {
            state.log_bytes += size;
            state.log.push(Arc::clone(&exchange));
        } else {
            state.log_dropped += 1;
        }
        (exchange, number)
    }

    /// The token that the request carries, if it carries one.
    async fn token(&self, wire: &Wire, purpose: Purpose) -> Result<Option<Token>, TransportFailure> {
        let Some((source, way)) = self.source(wire.on_behalf).filter(|_| wire.wants_token) else {
            return Ok(None);
        };
        tokio::select! {
            biased;
            token = source.token(&way) => token
                .map(Some)
                .map_err(|error| TransportFailure::NoToken { why: error.to_string(), hint: error.hint() }),
            () = self.abandoned(purpose) => Err(given_up()),
        }
    }

    /// Whether a request that was refused may be sent again with another token.
    fn renews(&self, wire: &Wire, token: Option<u32>) -> bool {
        match (self.source(wire.on_behalf), token) {
            (Some((source, _)), Some(number)) => source.refused(number),
            _ => false,
        }
    }

    /// Waits for the request's turn.
    async fn turn(&self, wire: &Wire) {
        if !wire.unpaced {
            self.pace.turn().await;
        }
    }

    /// Ends when a request under way is not to be waited for any longer.
    async fn abandoned(&self, purpose: Purpose) {
        if purpose == Purpose::CleanUp {
            return std::future::pending().await;
        }
        self.interrupted.cancelled().await;
        tokio::time::sleep(self.limits.grace).await;
    }

    /// Whether the budget allows one more request, keeping back what the clean-up will need: one for each
    /// resource that is ours, for each create under way, and for the last look at each endpoint written to.
    fn within_budget(&self, purpose: Purpose, spend: bool) -> Result<(), String> {
        let limit = self.requests.filter(|_| purpose == Purpose::Run);
        let touched = limit.map_or(0, |_| self.touched().len());
        let mut state = self.state();
        if let Some(most) = limit {
            let kept = state.clean_up_requests() + touched;
            if state.made + 1 + kept as u64 > most {
                return Err(format!(
                    "the budget of {most} requests is spent ({kept} are kept for the clean-up)"
                ));
            }
        }
        if spend {
            state.made += 1;
        }
        Ok(())
    }

    /// Whether the budget would allow one more request, and after it as many as are still `needed`.
    pub fn can_spare(&self, needed: u64) -> bool {
        let Some(most) = self.requests else { return true };
        let touched = self.touched().len();
        let state = self.state();
        let kept = state.clean_up_requests() + touched;
        state.made.saturating_add(1 + kept as u64 + needed) <= most
    }

    async fn perform(&self, wire: &Wire, token: Option<Token>) -> Result<Response, TransportFailure> {
        let mut request = reqwest::Request::new(wire.method.clone(), wire.url.clone());
        *request.headers_mut() = wire.headers.clone();
        if let Some(token) = token {
            request.headers_mut().insert(AUTHORIZATION, token.header);
        }
        *request.body_mut() = wire.body.clone().map(Into::into);
        let limit = self.limits.request;
        let deadline = Instant::now() + limit;
        let clients = self.clients(wire.on_behalf);
        let client = if self.doubts_connections() { &clients.fresh } else { &clients.kept };
        let mut response = match tokio::time::timeout_at(deadline, client.execute(request)).await {
            Err(_) => return Err(TransportFailure::TimedOut { limit }),
            Ok(Err(error)) => {
                let failure = failure::classify(&error, &self.address, &self.limits);
                if matches!(failure, TransportFailure::Closed { .. }) {
                    self.doubt_connections();
                }
                return Err(failure.map_text(|why| self.masks.text(&why)));
            }
            Ok(Ok(response)) => response,
        };
        let status = response.status().as_u16();
        if status >= 500 {
            // Before the body is read, so that nobody gets this connection.
            self.doubt_connections();
        }
        let mut repeats_secret = response.headers().values().any(|value| self.masks.are_in(value.as_bytes()));
        let headers = response
            .headers()
            .iter()
            .map(|(name, value)| (name.as_str().to_owned(), self.masks.header(&visible(value.as_bytes()))))
            .collect();
        let codings: Vec<String> = response
            .headers()
            .get_all("content-encoding")
            .iter()
            .map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned())
            .collect();
        let raw = body::receive(&mut response, self.limits.body, deadline).await;
        let mut raw = body::decode(raw, &codings, self.limits.body).await;
        repeats_secret |= self.masks.are_in(&raw.bytes);
        raw.bytes = self.masked(raw.bytes);
        Ok(Response { status, headers, body: body::finish(raw), repeats_secret })
    }

    /// Frameworks whose error handler fails close the connection behind an answer that says it stays open: a request
    /// sent on it would be lost, and a write must not be repeated.
    fn doubt_connections(&self) {
        self.state().doubted = Some(Instant::now());
    }

    /// Whether a connection from before the last doubt may still be waiting for a request.
    fn doubts_connections(&self) -> bool {
        self.state().doubted.is_some_and(|since| since.elapsed() < IDLE)
    }

    fn masked(&self, bytes: Bytes) -> Bytes {
        match self.masks.bytes(&bytes) {
            std::borrow::Cow::Borrowed(_) => bytes,
            std::borrow::Cow::Owned(masked) => Bytes::from(masked),
        }
    }
}

fn given_up() -> TransportFailure {
    TransportFailure::Closed { why: "given up, since the run was interrupted".to_owned() }
}

/// A header's value with everything but visible ASCII and blanks as `\xNN`.
fn visible(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len());
    for &byte in bytes {
        if byte == b' ' || byte.is_ascii_graphic() {
            text.push(char::from(byte));
        } else {
            text.push_str(&format!("\\x{byte:02X}"));
        }
    }
    text
}
