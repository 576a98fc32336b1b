//! Asks a service provider what it is: five or six requests, all GET, before anything is tested. It tells a
//! target that cannot be tested, and why, from one that merely has no discovery.

use std::fmt::Write as _;

use serde_json::{Value, json};
use url::Url;

use super::capabilities::{Answer, Capabilities, Discovery};
use super::client::Target;
use super::exchange::{BodyProblem, Exchange, ExchangeId, TransportFailure};
use super::failure::{self, shorten};
use super::guard::Refusal;
use super::request::RequestPlan;
use crate::outcome::Exit;
use crate::scim::names;
use crate::scim::problem::Problem;
use crate::scim::schema::SchemaSet;
use crate::suite::model::Auth;

/// The origin of the probe's exchanges.
pub const ORIGIN: &str = "probe";

/// What a service provider says of itself.
#[derive(Debug, Clone)]
pub struct Probe {
    /// What it claims, with the evidence.
    pub capabilities: Capabilities,
    /// Its schemas and resource types, completed from the core ones; endpoints all read `/Users`.
    pub schemas: SchemaSet,
    /// What is wrong with its discovery. The cases about discovery judge it; this is for the operator.
    pub problems: Vec<Problem>,
    /// The `Server` header, if it sends one.
    pub server: Option<String>,
    /// The exchanges made.
    pub exchanges: Vec<ExchangeId>,
}

/// Why a target cannot be tested.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ProbeError {
    /// No answer comes.
    #[error("{url} cannot be reached: {failure}")]
    Unreachable {
        /// What was asked for.
        url: String,
        /// Why no answer came.
        failure: TransportFailure,
    },
    /// The credentials are refused.
    #[error("{url} answered {status}: the credentials ({scheme}) are not accepted")]
    Unauthorized {
        /// What was asked for.
        url: String,
        /// 401 or 403.
        status: u16,
        /// The scheme of the credentials: `none`, `bearer`.
        scheme: String,
        /// What the server says that it wants, if it does.
        challenge: Option<String>,
    },
    /// Whatever answers there does not speak SCIM.
    #[error("{base_url} does not look like a SCIM service provider: {evidence}")]
    NotScim {
        /// The base URL.
        base_url: String,
        /// What the answers were.
        evidence: String,
        /// What to try.
        hint: String,
    },
    /// A server error, or too many requests, to every question.
    #[error("{url} answered {status} to every question")]
    Down {
        /// What was asked for.
        url: String,
        /// The status.
        status: u16,
    },
    /// The budget does not cover the questions.
    #[error("the probe did not come to its end: {why}")]
    NotSent {
        /// Why the next question was not sent.
        why: String,
    },
    /// The request could not be sent.
    #[error(transparent)]
    Refused(#[from] Refusal),
}

impl ProbeError {
    /// What to do about it.
    pub fn hint(&self) -> String {
        match self {
            ProbeError::Unreachable { failure, .. } => failure::hint(failure),
            ProbeError::Unauthorized { scheme, challenge, .. } if scheme == "none" => match challenge {
                Some(challenge) => format!("it asks for '{challenge}'; give a token with --token-env VAR"),
                None => "give a token with --token-env VAR, or see --help for basic and header credentials"
                    .to_owned(),
            },
            ProbeError::Unauthorized { challenge, .. } => {
                let mut hint =
                    "check that they (from --token-env or --token-file, say) are whole, valid for this tenant, and may read users".to_owned();
                if let Some(challenge) = challenge {
                    let _ = write!(hint, "; the server asks for '{challenge}'");
                }
                hint
            }
            ProbeError::NotScim { hint, .. } => hint.clone(),
            ProbeError::Down { status: 429, .. } => {
                "too many requests: wait, and give the server's limit with --rate".to_owned()
            }
            ProbeError::Down { .. } => "the server's log should say why".to_owned(),
            ProbeError::NotSent { .. } | ProbeError::Refused(_) => {
                "raise --requests; the probe alone takes up to seven".to_owned()
            }
        }
    }

    /// The exit code that a run ends with. Wrong credentials are configuration; everything else means that no
    /// SCIM service provider could be reached.
    pub fn exit(&self) -> Exit {
        match self {
            ProbeError::Unauthorized { .. } | ProbeError::NotSent { .. } | ProbeError::Refused(_) => {
                Exit::Usage
            }
            ProbeError::Unreachable { .. } | ProbeError::NotScim { .. } | ProbeError::Down { .. } => {
                Exit::Unreachable
            }
        }
    }
}

/// Asks the target what it is, and tells it which endpoints there are.
///
/// # Errors
/// Why it cannot be tested.
pub async fn probe(target: &Target) -> Result<Probe, ProbeError> {
    let mut asked =
        Asked { target, exchanges: Vec::new(), statuses: Vec::new(), looks_like_scim: false, server: None };
    let version = target.url().path_segments().and_then(|mut all| all.rfind(|segment| !segment.is_empty()));
    let mut discovery = Discovery {
        second: target.has_second(),
        version: version.filter(|segment| names::is_version(segment)).map(str::to_owned),
        ..Discovery::default()
    };
    discovery.config = asked.get("/ServiceProviderConfig", Auth::Good).await?.0;
    discovery.resource_types = asked.get("/ResourceTypes", Auth::Good).await?.0;
    discovery.schemas = asked.get("/Schemas", Auth::Good).await?.0;
    let parsed = SchemaSet::from_discovery(discovery.schemas.success(), discovery.resource_types.success());
    let mut problems = parsed.problems;
    for (name, answer) in [("/ResourceTypes", &discovery.resource_types), ("/Schemas", &discovery.schemas)] {
        if answer.success().is_none() {
            problems.insert(0, Problem::new(name, answer.summary.clone()));
        }
    }
    let mut schemas = parsed.value.unwrap_or_default().or_core();
    for kind in &mut schemas.resource_types {
        kind.endpoint = below_base(&kind.endpoint, target.url());
    }
    let users = endpoint_of(&schemas, "User", names::USER);
    // Where there are no users, another type's list shows as well whether the credentials are accepted.
    let rows = users.clone().or_else(|| schemas.resource_types.first().map(|kind| kind.endpoint.clone()));
    let size = target.page_size_parameter();
    let query = format!("{}?{size}=1", rows.as_deref().unwrap_or("/Users"));
    let (answer, exchange) = asked.get(&query, Auth::Good).await?;
    if let Some(status @ (401 | 403)) = answer.status {
        let response = exchange.response();
        return Err(ProbeError::Unauthorized {
            url: exchange.request.url.clone(),
            status,
            scheme: target.auth_scheme(),
            challenge: response.and_then(|it| it.header("WWW-Authenticate")).map(|it| shorten(it, 120)),
        });
    }
    asked.is_scim(target, &exchange)?;
    discovery.users = users.is_some().then_some(answer);
    if discovery.resource_types.success().is_none() {
        discovery.groups = Some(asked.get(&format!("/Groups?{size}=1"), Auth::Good).await?.0);
    }
    if target.has_credentials() {
        discovery.anonymous = Some(asked.get(&query, Auth::None).await?.0);
    }
    target
        .know_endpoints(schemas.resource_types.iter().map(|kind| (kind.endpoint.clone(), kind.name.clone())));
    let (capabilities, wrong) = Capabilities::new(&discovery, schemas.clone());
    problems.splice(0..0, wrong.into_iter().map(|message| Problem::new("", message)));
    Ok(Probe { capabilities, schemas, problems, server: asked.server, exchanges: asked.exchanges })
}

struct Asked<'a> {
    target: &'a Target,
    exchanges: Vec<ExchangeId>,
    statuses: Vec<u16>,
    looks_like_scim: bool,
    server: Option<String>,
}

impl Asked<'_> {
    /// One question. A target that does not answer at all is not asked again.
    async fn get(
        &mut self,
        path: &str,
        auth: Auth,
    ) -> Result<(Answer, std::sync::Arc<Exchange>), ProbeError> {
        let mut plan = RequestPlan::get(path, ORIGIN);
        plan.auth = auth;
        let sent = self.target.send(plan).await?;
        let exchange = sent.exchange;
        self.exchanges.extend(sent.also.iter().chain([&exchange]).map(|exchange| exchange.id));
        let answer = match &exchange.answer {
            Ok(response) => {
                self.statuses.push(response.status);
                if self.server.is_none() {
                    self.server = response.header("Server").map(|name| shorten(name, 120));
                }
                let json = exchange.json().cloned();
                self.looks_like_scim |= json.as_ref().is_some_and(looks_like_scim);
                Answer { status: Some(response.status), json, summary: summary(&exchange) }
            }
            // A server may choke on one question only, such as a huge /Schemas; but not on the first.
            Err(TransportFailure::NotSent { why }) => {
                return Err(ProbeError::NotSent { why: why.clone() });
            }
            Err(failure) if self.statuses.is_empty() => {
                let url = exchange.request.url.clone();
                return Err(ProbeError::Unreachable { url, failure: failure.clone() });
            }
            Err(failure) => Answer { status: None, json: None, summary: format!("got no answer: {failure}") },
        };
        Ok((answer, exchange))
    }

    /// Whether anything so far looked like SCIM.
    fn is_scim(&self, target: &Target, last: &Exchange) -> Result<(), ProbeError> {
        if self.looks_like_scim && self.statuses.iter().any(|status| (200..300).contains(status)) {
            return Ok(());
        }
        if let Some(&status) = self.statuses.first()
            && (status >= 500 || status == 429)
            && self.statuses.iter().all(|each| *each == status)
        {
            return Err(ProbeError::Down { url: last.request.url.clone(), status });
        }
        let location = last.response().and_then(|response| response.header("Location"));
        let elsewhere = location.and_then(|location| Url::parse(&last.request.url).ok()?.join(location).ok());
        let broken = last.response().and_then(|response| response.body.json().err());
        let hint = match elsewhere {
            _ if broken.is_some_and(is_cut) => {
                "the server, or something before it, does not deliver its answers whole; its log should say why".to_owned()
            }
            Some(url) => format!("it redirects to {}; is the base URL there?", shorten(url.as_str(), 200)),
            None if target.url().path().to_ascii_lowercase().contains("scim") => {
                "is this the base URL, the part before /Users? Its documentation should say".to_owned()
            }
            None => {
                format!("is this the base URL, the part before /Users? Try {}/scim/v2", target.base_url())
            }
        };
        Err(ProbeError::NotScim {
            base_url: target.base_url().to_owned(),
            evidence: format!("GET {} {}", last.request.path, summary(last)),
            hint,
        })
    }
}

/// What came, in words.
fn summary(exchange: &Exchange) -> String {
    let Some(response) = exchange.response() else { return "got no answer".to_owned() };
    let status = response.status;
    let body = &response.body;
    match body.json() {
        Ok(json) if status < 300 && !looks_like_scim(json) => {
            format!("answered {status} with JSON that is no SCIM message (no 'schemas' in it)")
        }
        Ok(_) => format!("answered {status}"),
        Err(BodyProblem::Empty) => format!("answered {status} without a body"),
        Err(problem) => {
            let start = body.text().trim_start().chars().next();
            let kind = response.header("Content-Type").unwrap_or_default();
            let html = start == Some('<') || kind.to_ascii_lowercase().contains("html");
            if html {
                format!("answered {status} with HTML")
            } else {
                format!("answered {status}, but {}", shorten(&problem.to_string(), 120))
            }
        }
    }
}

/// Whether the body did not come whole, so that it says nothing about what answers there.
fn is_cut(problem: &BodyProblem) -> bool {
    matches!(
        problem,
        BodyProblem::CutOff { .. } | BodyProblem::TooLarge { .. } | BodyProblem::Compression { .. }
    )
}

/// An object with `schemas`, as all SCIM messages and resources have, or with a list's members.
fn looks_like_scim(json: &Value) -> bool {
    let urns = json.get("schemas").and_then(Value::as_array);
    let urn =
        |value: &Value| value.as_str().is_some_and(|text| text.to_ascii_lowercase().starts_with("urn:"));
    urns.is_some_and(|urns| urns.iter().any(urn)) || json.get("Resources").is_some_and(Value::is_array)
}

fn endpoint_of(schemas: &SchemaSet, name: &str, urn: &str) -> Option<String> {
    let by_schema = schemas.resource_types.iter().find(|kind| kind.schema.eq_ignore_ascii_case(urn));
    by_schema.or_else(|| schemas.resource_type(name)).map(|kind| kind.endpoint.clone())
}

/// An endpoint as `/Users`: resource types write it with a slash, without, or as an absolute URL.
fn below_base(endpoint: &str, base: &Url) -> String {
    let path = match Url::parse(endpoint) {
        Ok(url) if url.host().is_some() => url.path().to_owned(),
        _ => endpoint.to_owned(),
    };
    let base_path = base.path().trim_end_matches('/');
    let path = match path.strip_prefix(base_path) {
        Some(below) if !base_path.is_empty() && below.starts_with('/') => below.to_owned(),
        _ => path,
    };
    format!("/{}", path.trim_matches('/'))
}

impl Probe {
    /// The result for people: what `scimspec probe URL` prints.
    pub fn text(&self, target: &Target) -> String {
        let mut out = String::new();
        let mut line = |text: String| {
            out.push_str(text.trim_end());
            out.push('\n');
        };
        line(format!("Target          {}", target.base_url()));
        if let Some(server) = &self.server {
            line(format!("Server          {server}"));
        }
        line(format!("Authentication  {}", target.auth_scheme()));
        if !self.capabilities.authentication_schemes.is_empty() {
            line(format!("Claims schemes  {}", self.capabilities.authentication_schemes.join(", ")));
        }
        if let Some(documentation) = &self.capabilities.documentation {
            line(format!("Documentation   {}", shorten(documentation, 200)));
        }
        line(String::new());
        line(format!("{:<24} {:<9} Evidence", "Feature", "Claimed"));
        for (name, claim) in self.capabilities.claims() {
            let word = match (claim.supported, claim.assumed) {
                (true, false) => "yes",
                (false, false) => "no",
                (true, true) => "assumed",
                (false, true) => "unknown",
            };
            line(format!("{name:<24} {word:<9} {}", claim.evidence));
        }
        line(String::new());
        line(format!("{:<24} {:<20} Schemas", "Resource type", "Endpoint"));
        for kind in &self.schemas.resource_types {
            let extensions = kind.extensions.iter().map(|it| it.schema.as_str());
            let urns: Vec<&str> = std::iter::once(kind.schema.as_str()).chain(extensions).collect();
            line(format!("{:<24} {:<20} {}", kind.name, kind.endpoint, urns.join(", ")));
        }
        if !self.problems.is_empty() {
            line(String::new());
            line("Trouble with discovery".to_owned());
            for problem in &self.problems {
                line(format!("  {}", shorten(&problem.to_string(), 300)));
            }
        }
        printable(&out)
    }

    /// The result for programs.
    pub fn json(&self, target: &Target) -> Value {
        let features: serde_json::Map<String, Value> = self
            .capabilities
            .claims()
            .map(|(name, claim)| {
                let value = json!({"supported": claim.supported, "assumed": claim.assumed, "evidence": claim.evidence});
                (name.to_owned(), value)
            })
            .collect();
        let types: Vec<Value> = self
            .schemas
            .resource_types
            .iter()
            .map(|kind| {
                let extensions: Vec<Value> = kind
                    .extensions
                    .iter()
                    .map(|it| json!({"schema": it.schema, "required": it.required}))
                    .collect();
                json!({"name": kind.name, "endpoint": kind.endpoint, "schema": kind.schema, "extensions": extensions})
            })
            .collect();
        let problems: Vec<String> = self.problems.iter().map(ToString::to_string).collect();
        json!({
            "target": target.base_url(),
            "server": self.server,
            "authentication": target.auth_scheme(),
            "authenticationSchemes": self.capabilities.authentication_schemes,
            "documentation": self.capabilities.documentation,
            "limits": {
                "maxResults": self.capabilities.max_results,
                "maxOperations": self.capabilities.max_operations,
                "maxPayloadSize": self.capabilities.max_payload_size,
            },
            "features": features,
            "resourceTypes": types,
            "problems": problems,
            "requests": self.exchanges.len(),
        })
    }
}

/// Whatever the server sent, a terminal gets no control characters but line breaks.
fn printable(text: &str) -> String {
    text.chars().map(|c| if c.is_control() && c != '\n' { '\u{FFFD}' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn endpoints_are_read_however_they_are_written() {
        let base = Url::parse("https://api.example.com/scim/v2/").unwrap();
        for (endpoint, expected) in [
            ("/Users", "/Users"),
            ("Users", "/Users"),
            ("/Users/", "/Users"),
            ("https://api.example.com/scim/v2/Users", "/Users"),
            ("/scim/v2/Users", "/Users"),
            ("https://other.example.com/x/Users", "/x/Users"),
            ("/scim/v2x/Users", "/scim/v2x/Users"),
        ] {
            assert_eq!(below_base(endpoint, &base), expected, "{endpoint}");
        }
        assert_eq!(below_base("Users", &Url::parse("http://localhost:1").unwrap()), "/Users");
    }

    #[test]
    fn scim_is_told_from_other_json() {
        assert!(looks_like_scim(&json!({"schemas": [names::ERROR], "status": "404"})));
        assert!(looks_like_scim(&json!({"Resources": []})));
        for other in [json!({"error": "not found"}), json!({"schemas": ["public"]}), json!([]), json!("x")] {
            assert!(!looks_like_scim(&other), "{other}");
        }
    }

    #[test]
    fn control_characters_do_not_reach_a_terminal() {
        assert_eq!(printable("a\u{1b}[31m\r\nb"), "a\u{FFFD}[31m\u{FFFD}\nb");
    }
}
