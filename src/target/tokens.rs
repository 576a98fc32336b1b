//! Where access tokens come from: fetched before the first request, kept for the run, renewed before they expire and
//! once after the service provider refused one. Only one fetch is under way at a time, and whoever needs a token waits
//! for it. Every token that ever came is masked before anybody sees it.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use reqwest::Method;
use reqwest::header::{
    ACCEPT, ACCEPT_ENCODING, AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue, USER_AGENT,
};
use secrecy::{ExposeSecret, SecretString};
use tokio::time::Instant;

use super::body;
use super::client::Target;
use super::credentials::Credentials;
use super::exchange::{Response, TransportFailure};
use super::failure;
use super::grant::{self, ClientCredentials, TokenFault};
use super::masks::Masks;
use super::options::Limits;
use crate::suite::model::Auth;

pub use super::grant::TokenError;

/// How many bytes of an answer are read. A token that does not fit into this fits into no header either.
const ANSWER: usize = 64 * 1024;

/// How long a failure is remembered: those who waited for the same token do not each try again.
const REMEMBERED: Duration = Duration::from_secs(5);

/// So many tokens are fetched in a run at most.
const MOST: u32 = 500;

/// So often a refused token is replaced in a run at most: a service provider that refuses some requests for ever does
/// not mean the token.
const REPLACED: u32 = 20;

/// A token with its number.
#[derive(Clone)]
pub(super) struct Token {
    /// Counts the tokens of a source, from 1.
    pub(super) number: u32,
    /// The value of the `Authorization` header.
    pub(super) header: HeaderValue,
}

/// The tokens of one client.
pub(super) struct TokenSource {
    grant: ClientCredentials,
    /// Held by the one who fetches.
    fetching: tokio::sync::Mutex<()>,
    held: Mutex<Held>,
}

struct Held {
    current: Option<Current>,
    /// How many tokens have come so far.
    issued: u32,
    /// Whether the last token was ever taken.
    accepted: bool,
    /// How many tokens were given up since they were refused.
    replaced: u32,
    failed: Option<(Instant, TokenError)>,
    wrong: Credentials,
}

struct Current {
    token: Token,
    renew: Option<Instant>,
}

/// What a fetch goes through: the same connections, bounds and masks as everything else.
pub(super) struct Way<'a> {
    pub(super) client: &'a reqwest::Client,
    pub(super) limits: &'a Limits,
    pub(super) masks: &'a Masks,
    pub(super) user_agent: &'a str,
}

impl TokenSource {
    /// The source of what these credentials stand for, if that is tokens.
    pub(super) fn of(credentials: &Credentials) -> Option<TokenSource> {
        let Credentials::OAuth(grant) = credentials else { return None };
        Some(TokenSource {
            grant: (**grant).clone(),
            fetching: tokio::sync::Mutex::default(),
            held: Mutex::new(Held {
                current: None,
                issued: 0,
                accepted: false,
                replaced: 0,
                failed: None,
                wrong: credentials.wrong(),
            }),
        })
    }

    /// The token to send now, fetched if there is none that will do.
    ///
    /// # Errors
    /// Why there is none.
    pub(super) async fn token(&self, way: &Way<'_>) -> Result<Token, TokenError> {
        if let Some(known) = self.known() {
            return known;
        }
        let _alone = self.fetching.lock().await;
        // Another may have fetched it in the meantime, or met what we would meet.
        if let Some(known) = self.known() {
            return known;
        }
        let mut fetched = self.fetch(way).await;
        if fetched.as_ref().is_err_and(TokenError::is_passing) {
            tokio::time::sleep(way.limits.back_off).await;
            fetched = self.fetch(way).await;
        }
        let mut held = self.held();
        if let Err(error) = &fetched {
            held.failed = Some((Instant::now(), error.clone()));
        }
        fetched
    }

    /// Wrong credentials in the form of the right ones, as far as that is known.
    pub(super) fn wrong(&self) -> Credentials {
        self.held().wrong.clone()
    }

    /// Takes note that a token was not refused.
    pub(super) fn accepted(&self, number: u32) {
        let mut held = self.held();
        held.accepted |= held.issued == number;
    }

    /// Gives up a token that was refused. Whether there may be a better one: not where the one before it was never
    /// taken either, since then it is not for its age that it is refused.
    pub(super) fn refused(&self, number: u32) -> bool {
        let mut held = self.held();
        if held.issued != number {
            return true;
        }
        if (!held.accepted && number > 1) || held.replaced >= REPLACED {
            return false;
        }
        held.replaced += 1;
        held.current = None;
        true
    }

    fn known(&self) -> Option<Result<Token, TokenError>> {
        let held = self.held();
        if let Some(current) = &held.current
            && current.renew.is_none_or(|renew| Instant::now() < renew)
        {
            return Some(Ok(current.token.clone()));
        }
        held.failed
            .as_ref()
            .filter(|(when, _)| when.elapsed() < REMEMBERED)
            .map(|(_, error)| Err(error.clone()))
    }

    async fn fetch(&self, way: &Way<'_>) -> Result<Token, TokenError> {
        let error = |fault| TokenError { url: way.masks.text(&self.grant.shown_url()), fault };
        let issued = self.held().issued;
        if issued >= MOST {
            return Err(error(TokenFault::TooMany { issued }));
        }
        let asked = Instant::now();
        let response = self.ask(way).await.map_err(|failure| error(TokenFault::Transport(failure)))?;
        way.masks.add(grant::secrets_of(&response));
        let mask = |text: &str| way.masks.text(text);
        let issued = grant::read(&response, &self.grant.token_url, &mask).map_err(error)?;
        let header = header(&issued.token)
            .ok_or_else(|| error(TokenFault::Unsendable { why: "holds characters that are not allowed" }))?;
        let mut held = self.held();
        held.issued += 1;
        held.accepted = false;
        held.failed = None;
        held.wrong = Credentials::Bearer(issued.token).wrong();
        let token = Token { number: held.issued, header };
        // From before it was asked for: the way back is part of its life.
        let renew = issued.usable.and_then(|usable| asked.checked_add(usable));
        held.current = Some(Current { token: token.clone(), renew });
        Ok(token)
    }

    /// One request to the token endpoint. Redirects are not followed.
    async fn ask(&self, way: &Way<'_>) -> Result<Response, TransportFailure> {
        let mut request = reqwest::Request::new(Method::POST, self.grant.token_url.clone());
        *request.headers_mut() = self.headers(way.user_agent);
        *request.body_mut() = Some(self.grant.form().into());
        let limit = way.limits.request;
        let deadline = Instant::now() + limit;
        let url = &self.grant.token_url;
        let port = url.port_or_known_default().unwrap_or(0);
        let address = format!("{}:{port}", url.host_str().unwrap_or_default());
        let mut response = match tokio::time::timeout_at(deadline, way.client.execute(request)).await {
            Err(_) => return Err(TransportFailure::TimedOut { limit }),
            Ok(Err(error)) => {
                let failure = failure::classify(&error, &address, way.limits);
                return Err(failure.map_text(|why| way.masks.text(&why)));
            }
            Ok(Ok(response)) => response,
        };
        let text = |value: &HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
        let headers: Vec<(String, String)> =
            response.headers().iter().map(|(name, value)| (name.as_str().to_owned(), text(value))).collect();
        let codings: Vec<String> = response.headers().get_all("content-encoding").iter().map(text).collect();
        let status = response.status().as_u16();
        let raw = body::receive(&mut response, ANSWER, deadline).await;
        let raw = body::decode(raw, &codings, ANSWER).await;
        Ok(Response { status, headers, body: body::finish(raw), repeats_secret: false })
    }

    fn headers(&self, user_agent: &str) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
        headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/x-www-form-urlencoded"));
        let optional =
            [(USER_AGENT, Some(user_agent.to_owned())), (AUTHORIZATION, self.grant.authorization())];
        for (name, value) in optional {
            // Base64 and what Target::new has checked can always be sent.
            if let Some(value) = value.and_then(|value| HeaderValue::from_str(&value).ok()) {
                headers.insert(name, value);
            }
        }
        headers
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        // Every change to it is whole, whatever else panics.
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Target {
    /// Fetches the tokens that requests will carry, so that trouble with them is told before anything else is tried.
    /// Credentials that need none make no request.
    ///
    /// # Errors
    /// Why there is no token.
    pub async fn authenticate(&self) -> Result<(), TokenError> {
        for auth in [Auth::Good, Auth::Second] {
            if let Some((source, way)) = self.source(auth) {
                source.token(&way).await?;
            }
        }
        Ok(())
    }

    /// Where the tokens of these credentials come from, and on which way.
    pub(super) fn source(&self, auth: Auth) -> Option<(&TokenSource, Way<'_>)> {
        let source = match auth {
            Auth::Good | Auth::Old => self.tokens.as_ref(),
            Auth::Second => self.second_tokens.as_ref(),
            Auth::None | Auth::Bad => None,
        };
        let way = Way {
            client: &self.clients(auth).fresh,
            limits: &self.limits,
            masks: &self.masks,
            user_agent: &self.user_agent,
        };
        source.map(|source| (source, way))
    }
}

fn header(token: &SecretString) -> Option<HeaderValue> {
    let mut value = HeaderValue::from_str(&format!("Bearer {}", token.expose_secret())).ok()?;
    value.set_sensitive(true);
    Some(value)
}
