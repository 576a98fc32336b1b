//! The client credentials grant (RFC 6749 section 4.4), without a network: what is asked of a token endpoint, and
//! what its answer means. The endpoint is as little trusted as the service provider: whatever of its answer is
//! repeated in a message is cut short, and the caller masks it.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use clap::ValueEnum;
use schemars::JsonSchema;
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use url::Url;
use url::form_urlencoded::{Serializer, byte_serialize};

use super::credentials::{CredentialsError, sendable};
use super::exchange::{BodyProblem, Response, TransportFailure};
use super::failure::{self, shorten};
use crate::outcome::Exit;

/// The longest token that is sent; servers take heads of 8 to 16 KiB.
const LONGEST: usize = 16 * 1024;

/// How much earlier than it expires a token is renewed, at most; of a short-lived one, a quarter of its life.
const MARGIN: Duration = Duration::from_secs(30);

/// Lifetimes beyond this are as good as none.
const FOREVER: Duration = Duration::from_secs(365 * 24 * 3600);

/// How a client shows the token endpoint who it is (RFC 6749 section 2.3.1).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum ClientAuth {
    /// By HTTP Basic, which every token endpoint has to take.
    #[default]
    Basic,
    /// By `client_id` and `client_secret` in the body.
    Body,
}

/// A client of an authorization server, and where it gets its tokens. `Debug` does not show the secret.
#[derive(Debug, Clone)]
pub struct ClientCredentials {
    /// The token endpoint.
    pub token_url: Url,
    /// The client's id.
    pub client_id: String,
    /// The client's secret.
    pub client_secret: SecretString,
    /// The scope to ask for (RFC 6749 section 3.3).
    pub scope: Option<String>,
    /// How the client authenticates.
    pub client_auth: ClientAuth,
    /// Further parameters that some authorization servers want: `audience`, `resource` (RFC 8707).
    pub parameters: Vec<(String, String)>,
}

impl ClientCredentials {
    /// A client with its secret. Blanks around the secret are not part of it.
    ///
    /// # Errors
    /// When id or secret are empty or cannot be sent.
    pub fn new(
        token_url: Url,
        client_id: &str,
        client_secret: &str,
    ) -> Result<ClientCredentials, CredentialsError> {
        Ok(ClientCredentials {
            token_url,
            client_id: sendable(client_id, "client id")?.to_owned(),
            client_secret: sendable(client_secret, "client secret")?.to_owned().into(),
            scope: None,
            client_auth: ClientAuth::Basic,
            parameters: Vec::new(),
        })
    }

    /// The body of the request, a form.
    pub(super) fn form(&self) -> String {
        let mut form = Serializer::new(String::new());
        form.append_pair("grant_type", "client_credentials");
        if let Some(scope) = &self.scope {
            form.append_pair("scope", scope);
        }
        form.extend_pairs(&self.parameters);
        if self.client_auth == ClientAuth::Body {
            form.append_pair("client_id", &self.client_id);
            form.append_pair("client_secret", self.client_secret.expose_secret());
        }
        form.finish()
    }

    /// The `Authorization` header of the request, where it has one: id and secret are each encoded as in a form
    /// before they become user and password.
    pub(super) fn authorization(&self) -> Option<String> {
        (self.client_auth == ClientAuth::Basic).then(|| format!("Basic {}", STANDARD.encode(self.pair())))
    }

    fn pair(&self) -> String {
        let encoded = |text: &str| byte_serialize(text.as_bytes()).collect::<String>();
        format!("{}:{}", encoded(&self.client_id), encoded(self.client_secret.expose_secret()))
    }

    /// Every text whose appearance would give the secret away.
    pub(super) fn secrets(&self) -> Vec<String> {
        let secret = self.client_secret.expose_secret();
        vec![secret.to_owned(), format!("{}:{secret}", self.client_id), self.pair()]
    }

    /// The token endpoint as it may be shown: a query can hold what is nobody's business.
    pub fn shown_url(&self) -> String {
        let mut url = self.token_url.clone();
        url.set_query(None);
        url.to_string()
    }
}

/// A token as it was issued.
#[derive(Debug, Clone)]
pub(super) struct Issued {
    pub(super) token: SecretString,
    /// For how long it may be used before the next one is fetched; without, for the rest of the run.
    pub(super) usable: Option<Duration>,
}

/// No access token came.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("no access token from {url}: {fault}")]
pub struct TokenError {
    /// The token endpoint, without its query.
    pub url: String,
    /// What went wrong.
    pub fault: TokenFault,
}

/// What went wrong on the way to an access token.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TokenFault {
    /// No answer.
    #[error("{0}")]
    Transport(TransportFailure),
    /// A redirect, which is not followed: the client's secret goes to the endpoint that was named, and no other.
    #[error("it redirects (status {status}){}, and the client's secret is not sent on", to.as_ref().map(|to| format!(" to {to}")).unwrap_or_default())]
    Redirected {
        /// The status.
        status: u16,
        /// Where to, without query.
        to: Option<String>,
    },
    /// An error answer (RFC 6749 section 5.2).
    #[error("it refuses with '{error}'{}", description.as_ref().map(|text| format!(" ({text})")).unwrap_or_default())]
    Refused {
        /// `invalid_client`, `invalid_scope`, …
        error: String,
        /// What the server says beside it.
        description: Option<String>,
    },
    /// A status that is neither success nor such an error.
    #[error("it answered {status}, and says no reason in the form of RFC 6749 section 5.2")]
    Status {
        /// The status.
        status: u16,
    },
    /// The body is not read.
    #[error("it answered {status}, but {problem}")]
    Body {
        /// The status.
        status: u16,
        /// What is wrong with the body.
        problem: BodyProblem,
    },
    /// JSON, but no object with a token.
    #[error("its answer holds no access_token (RFC 6749 section 5.1)")]
    Missing,
    /// A token that no header can hold.
    #[error("its access_token {why}, so that no Authorization header can hold it")]
    Unsendable {
        /// What is wrong with it.
        why: &'static str,
    },
    /// A token to be used in another way.
    #[error("its token_type is '{token_type}', and scimspec can only send bearer tokens (RFC 6750)")]
    TokenType {
        /// What it says.
        token_type: String,
    },
    /// A lifetime that is none.
    #[error("its expires_in is {expires_in}, which is no lifetime in seconds (RFC 6749 section 5.1)")]
    Lifetime {
        /// What it says.
        expires_in: String,
    },
    /// Tokens without end.
    #[error("it has issued {issued} tokens in this run, each for too short a time to work with")]
    TooMany {
        /// How many.
        issued: u32,
    },
}

impl TokenError {
    /// What to do about it.
    pub fn hint(&self) -> String {
        match &self.fault {
            TokenFault::Transport(failure) => failure::hint(failure),
            TokenFault::Redirected { .. } => {
                "give the token endpoint itself as oauth.token_url (--oauth-token-url), without a redirect before it"
                    .to_owned()
            }
            TokenFault::Refused { error, .. } => match error.as_str() {
                "invalid_client" => {
                    "check client id and secret; some servers want them in the body: client_auth = \"body\" under \
                     [oauth], or --oauth-client-auth body"
                }
                "invalid_scope" => "check the scope: oauth.scope, or --oauth-scope",
                "unauthorized_client" | "unsupported_grant_type" => {
                    "allow this client the client credentials grant at the authorization server"
                }
                "invalid_request" | "invalid_target" => {
                    "a parameter is missing or wrong; audience or resource go below [oauth.parameters], or into \
                     --oauth-parameter NAME=VALUE"
                }
                _ => "the authorization server's log should say why",
            }
            .to_owned(),
            TokenFault::Status { status: 404 | 405 } => {
                "is this the token endpoint? The server's metadata (/.well-known/openid-configuration) names it"
                    .to_owned()
            }
            TokenFault::Status { status: 429 } => "too many tokens were asked for; wait".to_owned(),
            TokenFault::Status { .. } | TokenFault::TooMany { .. } => {
                "the authorization server's log and settings should say why".to_owned()
            }
            TokenFault::Body { .. } | TokenFault::Missing => {
                "is this the token endpoint, rather than a page to log in? It has to answer with JSON".to_owned()
            }
            TokenFault::Unsendable { .. } | TokenFault::TokenType { .. } | TokenFault::Lifetime { .. } => {
                "this is for the authorization server to mend; a token got otherwise goes into --token-env VAR"
                    .to_owned()
            }
        }
    }

    /// The exit code that a run ends with: what the authorization server refuses is configuration.
    pub fn exit(&self) -> Exit {
        match &self.fault {
            TokenFault::Refused { error, .. }
                if !matches!(error.as_str(), "server_error" | "temporarily_unavailable") =>
            {
                Exit::Usage
            }
            _ => Exit::Unreachable,
        }
    }

    /// Whether it may be otherwise in a moment.
    pub(super) fn is_passing(&self) -> bool {
        match &self.fault {
            TokenFault::Transport(failure) => matches!(failure, TransportFailure::Closed { .. }),
            TokenFault::Status { status } => matches!(status, 429 | 500..=599),
            TokenFault::Refused { error, .. } => error == "temporarily_unavailable",
            _ => false,
        }
    }
}

/// What an answer of the token endpoint means. What is repeated of it goes through `mask` before it is cut short.
pub(super) fn read(
    response: &Response,
    asked: &Url,
    mask: &dyn Fn(&str) -> String,
) -> Result<Issued, TokenFault> {
    let line = |text: &str, most: usize| one_line(&mask(text), most);
    let status = response.status;
    if (300..400).contains(&status) {
        let to = response.header("Location").and_then(|location| asked.join(location).ok()).map(|mut url| {
            url.set_query(None);
            url.set_fragment(None);
            line(url.as_str(), 200)
        });
        return Err(TokenFault::Redirected { status, to });
    }
    let body = response.body.json();
    // Some answer errors with 200; where there is no such address, `error` is the words of a web framework.
    let error = body.ok().and_then(|body| body.get("error")).and_then(Value::as_str);
    if let Some(error) = error.filter(|_| !matches!(status, 404 | 405)) {
        let description = body.ok().and_then(|body| body.get("error_description")).and_then(Value::as_str);
        return Err(TokenFault::Refused {
            error: line(error, 60),
            description: description.map(|it| line(it, 200)),
        });
    }
    if !(200..300).contains(&status) {
        return Err(TokenFault::Status { status });
    }
    let body = body.map_err(|problem| TokenFault::Body { status, problem: problem.clone() })?;
    let token = body.get("access_token").and_then(Value::as_str).filter(|token| !token.is_empty());
    let token = token.ok_or(TokenFault::Missing)?;
    // RFC 6750 section 2.1: letters, digits and a few marks; what is visible is sent as it is.
    if !token.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(TokenFault::Unsendable {
            why: "holds blanks, control characters or others beyond ASCII",
        });
    }
    if token.len() > LONGEST {
        return Err(TokenFault::Unsendable { why: "is longer than 16 KiB" });
    }
    // Some servers leave the type out, and all of those mean this one.
    match body.get("token_type") {
        None | Some(Value::Null) => {}
        Some(Value::String(kind)) if kind.eq_ignore_ascii_case("bearer") => {}
        Some(other) => {
            let token_type = other.as_str().map_or_else(|| other.to_string(), str::to_owned);
            return Err(TokenFault::TokenType { token_type: line(&token_type, 60) });
        }
    }
    let lifetime = lifetime(body.get("expires_in"))
        .map_err(|expires_in| TokenFault::Lifetime { expires_in: line(&expires_in, 60) })?;
    Ok(Issued { token: token.to_owned().into(), usable: lifetime.map(usable) })
}

/// The texts of an answer that are secrets, also where the answer is of no use.
pub(super) fn secrets_of(response: &Response) -> Vec<String> {
    let members = response.body.json().ok().and_then(Value::as_object);
    members
        .into_iter()
        .flatten()
        .filter(|(name, _)| name.to_ascii_lowercase().ends_with("token"))
        .filter_map(|(_, value)| value.as_str())
        .filter(|secret| secret.len() <= LONGEST)
        .map(str::to_owned)
        .collect()
}

/// `expires_in`; as a text of digits too, which older servers write. The error is what it says instead.
fn lifetime(expires_in: Option<&Value>) -> Result<Option<Duration>, String> {
    let seconds = match expires_in {
        None | Some(Value::Null) => return Ok(None),
        Some(Value::Number(number)) => number.as_u64(),
        Some(Value::String(text)) => text.parse().ok(),
        Some(_) => None,
    };
    match (seconds, expires_in) {
        (Some(seconds), _) if seconds > 0 => {
            Ok(Some(Duration::from_secs(seconds)).filter(|lifetime| *lifetime < FOREVER))
        }
        (_, expires_in) => Err(expires_in.map_or_else(String::new, ToString::to_string)),
    }
}

/// For how long a token of this lifetime is used.
fn usable(lifetime: Duration) -> Duration {
    lifetime - MARGIN.min(lifetime / 4)
}

/// A foreign text in one short line.
fn one_line(text: &str, most: usize) -> String {
    let tame: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    shorten(tame.trim(), most)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::target::exchange::Body;
    use serde_json::json;

    fn client() -> ClientCredentials {
        ClientCredentials::new(
            "https://id.example.com/token?tenant=7".parse().unwrap(),
            "a b",
            "p:ss w\u{6f}rd%",
        )
        .unwrap()
    }

    fn answered(status: u16, body: &str) -> Response {
        let body = Body::whole(body.to_owned().into());
        Response { status, headers: Vec::new(), body, repeats_secret: false }
    }

    fn read_it(status: u16, body: &str) -> Result<Issued, TokenFault> {
        read(&answered(status, body), &client().token_url, &str::to_owned)
    }

    fn token(body: Value) -> Result<Issued, TokenFault> {
        read_it(200, &body.to_string())
    }

    #[test]
    fn a_client_authenticates_in_the_header_or_in_the_body() {
        let mut client = client();
        client.scope = Some("scim:read scim:write".to_owned());
        client.parameters = vec![("audience".to_owned(), "https://api.example.com/".to_owned())];
        let form = "grant_type=client_credentials&scope=scim%3Aread+scim%3Awrite&audience=https%3A%2F%2Fapi.example.com%2F";
        assert_eq!(client.form(), form);
        let header = client.authorization().unwrap();
        assert_eq!(STANDARD.decode(header.strip_prefix("Basic ").unwrap()).unwrap(), b"a+b:p%3Ass+word%25");
        client.client_auth = ClientAuth::Body;
        assert_eq!(client.form(), format!("{form}&client_id=a+b&client_secret=p%3Ass+word%25"));
        assert_eq!(client.authorization(), None);
    }

    #[test]
    fn nothing_shows_the_secret() {
        let client = client();
        assert!(!format!("{client:?}").contains("p:ss"));
        assert_eq!(client.shown_url(), "https://id.example.com/token");
        let url = || "https://id.example.com/".parse().unwrap();
        assert!(ClientCredentials::new(url(), "a", "b\u{0}c").is_err());
        assert!(ClientCredentials::new(url(), " ", "b").is_err());
    }

    #[test]
    fn a_token_is_used_for_most_of_its_life() {
        for (expires_in, seconds) in [
            (json!(3600), Some(3570.0)),
            (json!("3600"), Some(3570.0)),
            (json!(60), Some(45.0)),
            (json!(1), Some(0.75)),
            (json!(null), None),
            (json!(u64::MAX), None),
        ] {
            let issued =
                token(json!({"access_token": "abc", "token_type": "bearer", "expires_in": expires_in}));
            assert_eq!(issued.unwrap().usable.map(|time| time.as_secs_f64()), seconds, "{expires_in}");
        }
        assert_eq!(token(json!({"access_token": "abc"})).unwrap().usable, None);
    }

    #[test]
    fn lifetimes_that_are_none_are_named() {
        for expires_in in
            [json!(0), json!(-1), json!(1.5), json!(1e300), json!("soon"), json!("-5"), json!([])]
        {
            let fault = token(json!({"access_token": "abc", "expires_in": expires_in})).unwrap_err();
            assert!(matches!(fault, TokenFault::Lifetime { .. }), "{expires_in}: {fault}");
        }
    }

    #[test]
    fn answers_without_a_usable_token_are_told_apart() {
        type Check = fn(&TokenFault) -> bool;
        let cases: [(u16, &str, Check); 13] = [
            (200, "<html>", |it| matches!(it, TokenFault::Body { status: 200, .. })),
            (200, "", |it| matches!(it, TokenFault::Body { .. })),
            (200, "[]", |it| *it == TokenFault::Missing),
            (200, r#"{"access_token": ""}"#, |it| *it == TokenFault::Missing),
            (200, r#"{"access_token": {"a": 1}}"#, |it| *it == TokenFault::Missing),
            (200, r#"{"access_token": "a\r\nX: y"}"#, |it| matches!(it, TokenFault::Unsendable { .. })),
            (200, r#"{"access_token": "é"}"#, |it| matches!(it, TokenFault::Unsendable { .. })),
            (200, r#"{"access_token": "a", "token_type": "DPoP"}"#, |it| {
                matches!(it, TokenFault::TokenType { .. })
            }),
            (200, r#"{"error": "invalid_scope"}"#, |it| matches!(it, TokenFault::Refused { .. })),
            (401, r#"{"error": "invalid_client"}"#, |it| matches!(it, TokenFault::Refused { .. })),
            (500, "oops", |it| *it == TokenFault::Status { status: 500 }),
            (404, r#"{"error": "Not Found"}"#, |it| *it == TokenFault::Status { status: 404 }),
            (302, "", |it| *it == TokenFault::Redirected { status: 302, to: None }),
        ];
        for (status, body, check) in cases {
            let fault = read_it(status, body).unwrap_err();
            assert!(check(&fault), "{status} {body}: {fault:?}");
            let error = TokenError { url: "https://id.example.com/token".to_owned(), fault };
            assert!(!error.hint().is_empty());
            assert_eq!(error.exit() == Exit::Usage, body.contains("invalid_"), "{error}");
        }
        let long = format!(r#"{{"access_token": "{}"}}"#, "a".repeat(LONGEST + 1));
        assert!(matches!(read_it(200, &long), Err(TokenFault::Unsendable { .. })));
    }

    #[test]
    fn what_is_repeated_of_an_answer_is_one_short_line() {
        let body = json!({"error": "invalid_client", "error_description": format!("a\u{1b}[31m\nb{}", "x".repeat(900))});
        let Err(TokenFault::Refused { description, .. }) = read_it(400, &body.to_string()) else { panic!() };
        let description = description.unwrap();
        assert!(description.starts_with("a [31m b") && description.chars().count() <= 201, "{description}");
        let mut moved = answered(307, "");
        moved.headers = vec![("location".to_owned(), "/elsewhere?code=secret".to_owned())];
        let Err(TokenFault::Redirected { to, .. }) = read(&moved, &client().token_url, &str::to_owned) else {
            panic!()
        };
        assert_eq!(to.as_deref(), Some("https://id.example.com/elsewhere"));
    }

    #[test]
    fn every_token_of_an_answer_is_a_secret() {
        let body = r#"{"access_token": "one", "refresh_token": "two", "id_token": "three", "token_type": "mac", "expires_in": 1}"#;
        assert_eq!(secrets_of(&answered(200, body)), ["one", "two", "three"]);
    }
}
