//! The target: one service provider, spoken to by a client that keeps promises.
//!
//! Every request passes the guard, the budget and the pace, every answer is bounded and masked before anybody
//! sees it, and every create is written to the ledger before it is sent. The client follows redirects only
//! within the base URL, so credentials never reach another origin. What an answer means is for others to judge.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use chrono::Utc;
use indexmap::IndexMap;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use reqwest::{Certificate, Client, Method, Proxy};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use url::Url;

use super::body;
use super::credentials::{Credentials, MASK, Masks};
use super::exchange::{Exchange, ExchangeId, Request, Response, TransportFailure};
use super::failure::{self, SystemResolver};
pub use super::guard::Refusal;
use super::guard::{self, Asked, Ownership, Permissions, Touch};
use super::ledger::{Intent, Ledger, LedgerError, LedgerLocation, OwnedResource};
use super::options::{Limits, TargetOptions};
use super::ownership::Register;
use super::pace::{self, Pace};
use crate::suite::model::Auth;

/// SCIM's media type (RFC 7644 section 3.1).
pub const SCIM_JSON: &str = "application/scim+json";

/// Redirects that are followed for one request, all within the base URL.
const REDIRECTS: usize = 3;

/// Idle connections are dropped early: many servers close theirs after 2 to 5 seconds, and a request on a
/// connection that is being closed fails for no fault of anybody's.
const IDLE: Duration = Duration::from_millis(1500);

/// What a path segment keeps unescaped: the unreserved characters of RFC 3986.
const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// What a query value keeps unescaped.
pub(crate) const QUERY: &AsciiSet = SEGMENT;

/// A request to be sent.
#[derive(Debug, Clone)]
pub struct RequestPlan {
    /// The HTTP method.
    pub method: String,
    /// The path below the base URL, with a leading slash (or empty for the base URL itself), already encoded,
    /// with its query.
    pub path: String,
    /// The path with ids replaced, such as `/Users/{id}`; empty to let the target find out.
    pub endpoint: String,
    /// Headers beside the usual ones; `None` takes a usual one away.
    pub headers: Vec<(String, Option<String>)>,
    /// Whose credentials it carries.
    pub auth: Auth,
    /// The body, byte for byte.
    pub body: Option<Bytes>,
    /// Who asks: a case's id, `probe`, `population`.
    pub origin: String,
    /// What it may do beyond the ownership rule.
    pub permissions: Permissions,
    /// Whether 429 and 503 are given back at once instead of being waited out; for cases about them.
    pub impatient: bool,
}

impl RequestPlan {
    /// A request with the operator's credentials and no body.
    pub fn new(method: impl Into<String>, path: impl Into<String>, origin: impl Into<String>) -> RequestPlan {
        RequestPlan {
            method: method.into(),
            path: path.into(),
            endpoint: String::new(),
            headers: Vec::new(),
            auth: Auth::Good,
            body: None,
            origin: origin.into(),
            permissions: Permissions::default(),
            impatient: false,
        }
    }

    /// A GET.
    pub fn get(path: impl Into<String>, origin: impl Into<String>) -> RequestPlan {
        RequestPlan::new("GET", path, origin)
    }

    /// With this JSON as its body.
    #[must_use]
    pub fn json(mut self, body: &serde_json::Value) -> RequestPlan {
        self.body = Some(Bytes::from(body.to_string()));
        self
    }
}

/// What came of a request that was allowed.
#[derive(Debug, Clone)]
pub struct Sent {
    /// The exchange that counts: the last one.
    pub exchange: Arc<Exchange>,
    /// Exchanges made on the way: answers that asked to wait, redirects, the read-back of a new resource.
    pub also: Vec<Arc<Exchange>>,
    /// What the request created, as far as that is known.
    pub created: Option<Created>,
}

/// What a create, answered with success, has made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Created {
    /// A resource that is ours: it carries the run's mark, and its id was not seen before.
    Owned {
        /// The resource type, such as `User`.
        resource_type: String,
        /// The id.
        id: String,
    },
    /// A resource that is somebody else's: its id was seen before, or what lies under it is not what was sent.
    /// It is never written to. This is a finding.
    Disowned {
        /// The id.
        id: String,
        /// How we know.
        why: String,
    },
    /// A resource that cannot be shown to be ours, for no fault of the service provider's: the request carried
    /// no mark, or the resource cannot be read back. It is not written to before it is proven.
    Unproven {
        /// The id.
        id: String,
        /// What proof is missing.
        why: String,
    },
    /// The answer names no id.
    WithoutId,
}

/// Why a target cannot be set up: the operator's to mend.
#[derive(Debug, thiserror::Error)]
pub enum TargetError {
    /// The base URL cannot be one.
    #[error("{url} cannot be a base URL: {why}")]
    BaseUrl {
        /// The URL, without credentials.
        url: String,
        /// What is wrong with it.
        why: &'static str,
    },
    /// The run's mark would not be found again.
    #[error("'{mark}' cannot mark a run: it takes at least 4 letters and digits, and nothing else")]
    Mark {
        /// The mark.
        mark: String,
    },
    /// A header of the operator's cannot be sent.
    #[error("the header '{name}' cannot be sent: {why}")]
    Header {
        /// Its name.
        name: String,
        /// What is wrong.
        why: String,
    },
    /// A certificate or proxy cannot be used.
    #[error("cannot use the {what}: {why}")]
    Client {
        /// `certificate`, `proxy`, `TLS configuration`.
        what: &'static str,
        /// What the TLS or HTTP library says.
        why: String,
    },
    /// The ledger cannot be used.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
}

/// On whose behalf a request is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// A case, the probe, a population.
    Run,
    /// Cleaning up: neither an interrupt nor the budget stops it.
    CleanUp,
}

/// A service provider under test.
pub struct Target {
    client: Client,
    base: String,
    base_path: String,
    base_url: Url,
    address: String,
    auth: Credentials,
    wrong: Credentials,
    second: Option<Credentials>,
    headers: Vec<(String, String)>,
    user_agent: String,
    masks: Masks,
    pace: Pace,
    pub(crate) limits: Limits,
    requests: Option<u64>,
    read_only: bool,
    mark: String,
    interrupted: CancellationToken,
    state: Mutex<State>,
}

/// What changes while a run goes on.
#[derive(Debug)]
pub(crate) struct State {
    pub(crate) register: Register,
    pub(crate) ledger: Ledger,
    pub(crate) intents: IndexMap<u64, Intent>,
    /// Resources that a create was answered with and that are not ours to delete: endpoint, id, why.
    pub(crate) disowned: Vec<(String, String, String)>,
    /// Resources that could not be shown to be ours yet: endpoint, id, what proof is missing.
    pub(crate) unproven: Vec<(String, String, String)>,
    /// Endpoints that a create was sent to.
    pub(crate) tried: BTreeSet<String>,
    /// Endpoint and resource type of what can be created.
    endpoints: Vec<(String, String)>,
    next_intent: u64,
    next_exchange: u64,
    made: u64,
    log: Vec<Arc<Exchange>>,
    log_bytes: usize,
    log_dropped: u64,
    /// The first trouble with writing the ledger after something was created; the clean-up reports it.
    pub(crate) ledger_trouble: Option<String>,
}

impl fmt::Debug for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Target")
            .field("base_url", &self.base)
            .field("mark", &self.mark)
            .finish_non_exhaustive()
    }
}

/// A request ready for the wire, with what of it may be shown.
struct Wire {
    method: Method,
    url: Url,
    below: String,
    headers: HeaderMap,
    shown: Vec<(String, String)>,
    body: Option<Bytes>,
    origin: String,
    endpoint: String,
    impatient: bool,
}

impl Wire {
    /// Whether sending it twice is the same as once, whatever became of the first. PUT and DELETE are not: their
    /// second answer may differ from the first (a DELETE's 404), and would be judged.
    fn is_safe(&self) -> bool {
        matches!(self.method.as_str(), "GET" | "HEAD" | "OPTIONS")
    }
}

impl Target {
    /// Sets the client up. Nothing is sent.
    ///
    /// # Errors
    /// When the base URL, a certificate, a header, the run's mark or the ledger cannot be used.
    pub fn new(options: TargetOptions) -> Result<Target, TargetError> {
        let base_url = check_base(&options.base_url)?;
        let base = base_url.as_str().trim_end_matches('/').to_owned();
        let base_path = base_url.path().trim_end_matches('/').to_owned();
        let mark = options.run_mark;
        if mark.len() < 4 || !mark.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
            return Err(TargetError::Mark { mark });
        }
        let client = client(&options.limits, options.insecure, &options.roots, options.proxy.as_ref())?;
        for (name, value) in &options.headers {
            header(name, value).map_err(|why| TargetError::Header { name: name.clone(), why })?;
        }
        // A key that the operator gives as an ordinary header is no less secret.
        let in_headers: Vec<Credentials> = options
            .headers
            .iter()
            .filter(|(name, _)| is_telling(name))
            .map(|(name, value)| Credentials::Header { name: name.clone(), value: value.clone().into() })
            .collect();
        let masks = Masks::new([&options.auth].into_iter().chain(options.second.as_ref()).chain(&in_headers));
        let mut register = Register::new(&mark);
        let mut intents = IndexMap::new();
        if let LedgerLocation::Resume(leftover) = &options.ledger {
            for resource in &leftover.owned {
                register.own(resource.clone());
            }
            intents.extend(leftover.intents.iter().map(|intent| (intent.number, intent.clone())));
        }
        let next_intent = intents.keys().max().map_or(1, |last| last + 1);
        let ledger = Ledger::new(options.ledger, &base_url, &mark)?;
        let port = base_url.port_or_known_default().unwrap_or(0);
        Ok(Target {
            client,
            base,
            base_path,
            address: format!("{}:{port}", base_url.host_str().unwrap_or_default()),
            base_url,
            wrong: options.auth.wrong(),
            auth: options.auth,
            second: options.second,
            headers: options.headers,
            user_agent: options
                .user_agent
                .unwrap_or_else(|| concat!("scimspec/", env!("CARGO_PKG_VERSION")).to_owned()),
            masks,
            pace: Pace::new(options.rate),
            limits: options.limits,
            requests: options.requests,
            read_only: options.read_only,
            mark,
            interrupted: CancellationToken::new(),
            state: Mutex::new(State {
                tried: intents.values().map(|intent: &Intent| intent.endpoint.clone()).collect(),
                register,
                ledger,
                intents,
                disowned: Vec::new(),
                unproven: Vec::new(),
                endpoints: vec![
                    ("/Users".to_owned(), "User".to_owned()),
                    ("/Groups".to_owned(), "Group".to_owned()),
                ],
                next_intent,
                next_exchange: 1,
                made: 0,
                log: Vec::new(),
                log_bytes: 0,
                log_dropped: 0,
                ledger_trouble: None,
            }),
        })
    }

    /// The base URL, without a slash at its end.
    pub fn base_url(&self) -> &str {
        &self.base
    }

    /// The base URL.
    pub fn url(&self) -> &Url {
        &self.base_url
    }

    /// The scheme of the operator's credentials, for reports.
    pub fn auth_scheme(&self) -> String {
        self.auth.scheme()
    }

    /// Whether requests carry credentials at all.
    pub fn has_credentials(&self) -> bool {
        !self.auth.is_none()
    }

    /// Whether there are credentials of a second tenant.
    pub fn has_second(&self) -> bool {
        self.second.is_some()
    }

    /// The run's mark.
    pub fn run_mark(&self) -> &str {
        &self.mark
    }

    /// What keeps secrets out of any text that is going to be shown.
    pub fn masks(&self) -> &Masks {
        &self.masks
    }

    /// The limits.
    pub fn limits(&self) -> &Limits {
        &self.limits
    }

    /// Whether the run only reads.
    pub fn is_read_only(&self) -> bool {
        self.read_only
    }

    /// Tells which endpoints there are, each with its resource type, as the probe found them.
    pub fn know_endpoints(&self, endpoints: impl IntoIterator<Item = (String, String)>) {
        let mut state = self.state();
        for (endpoint, resource_type) in endpoints {
            state.endpoints.retain(|(known, _)| !known.eq_ignore_ascii_case(&endpoint));
            state.endpoints.push((endpoint, resource_type));
        }
    }

    /// Declares ids that no resource can have had before this run, such as a fresh UUID, so that requests which
    /// name them are allowed. Ids that carry the run's mark need no declaration.
    pub fn never_existed<I: Into<String>>(&self, ids: impl IntoIterator<Item = I>) {
        self.state().register.declare(ids.into_iter().map(Into::into));
    }

    /// Whether this run created the resource.
    pub fn owns(&self, endpoint: &str, id: &str) -> bool {
        self.state().register.owns(endpoint, id)
    }

    /// Everything that this run created, in order, what is gone included.
    pub fn owned(&self) -> Vec<OwnedResource> {
        self.state().register.all().cloned().collect()
    }

    /// Every request made so far.
    pub fn requests_made(&self) -> u64 {
        self.state().made
    }

    /// Every exchange made so far, in order; the oldest, as far as they fit in [`Limits::log`].
    pub fn exchanges(&self) -> Vec<Arc<Exchange>> {
        self.state().log.clone()
    }

    /// The exchange of that number, if it fits in the log.
    pub fn exchange(&self, id: ExchangeId) -> Option<Arc<Exchange>> {
        let state = self.state();
        let at = state.log.binary_search_by_key(&id, |exchange| exchange.id).ok()?;
        state.log.get(at).cloned()
    }

    /// How many exchanges did not fit in the log.
    pub fn exchanges_dropped(&self) -> u64 {
        self.state().log_dropped
    }

    /// From now on nothing is sent but clean-up; what is under way gets [`Limits::grace`] to end.
    pub fn interrupt(&self) {
        self.interrupted.cancel();
    }

    /// Whether the run was interrupted.
    pub fn interrupted(&self) -> bool {
        self.interrupted.is_cancelled()
    }

    /// Sends a request, waiting for its turn and for what the service provider asks to wait.
    ///
    /// # Errors
    /// Why the request is not sent at all: it would touch what is not ours, or it cannot be sent. Trouble on the
    /// way is no error but stands in the exchange.
    pub async fn send(&self, plan: RequestPlan) -> Result<Sent, Refusal> {
        self.dispatch(plan, Purpose::Run).await
    }

    pub(crate) async fn dispatch(&self, plan: RequestPlan, purpose: Purpose) -> Result<Sent, Refusal> {
        let wire = self.prepare(&plan)?;
        let touch = self.admit(&wire, plan.permissions)?;
        let creates = self.announce(&touch, &wire)?;
        let moment = self.state().register.now();
        let (exchange, mut also) = self.converse(wire, plan.permissions, purpose).await;
        let mut created = None;
        match (&touch, creates.as_slice()) {
            (Touch::Create { endpoint }, [intent]) => {
                let (outcome, read_back) = self.settle(intent, endpoint, moment, &exchange, purpose).await;
                created = outcome;
                also.extend(read_back);
            }
            (Touch::Bulk, intents) => {
                also.extend(self.settle_bulk(intents, moment, &exchange, purpose).await)
            }
            (Touch::Write { endpoint, id }, _) => self.note_write(endpoint, id, &exchange),
            _ => {}
        }
        self.observe(&touch, &exchange);
        Ok(Sent { exchange, also, created })
    }

    /// Reads one resource, outside of any case's steps.
    pub(crate) async fn fetch(
        &self,
        endpoint: &str,
        id: &str,
        origin: &str,
        purpose: Purpose,
    ) -> Option<Arc<Exchange>> {
        let plan = RequestPlan::get(resource_path(endpoint, id), origin);
        let wire = self.prepare(&plan).ok()?;
        let (exchange, _) = self.converse(wire, plan.permissions, purpose).await;
        Some(exchange)
    }

    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        // A panic elsewhere must not keep the clean-up from what is ours; every change below is whole.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The resource type at an endpoint.
    pub(crate) fn resource_type(&self, endpoint: &str) -> String {
        let state = self.state();
        let known = state.endpoints.iter().find(|(known, _)| known.eq_ignore_ascii_case(endpoint));
        known
            .map_or_else(|| endpoint.trim_matches('/').to_owned(), |(_, resource_type)| resource_type.clone())
    }

    fn endpoint_names(&self) -> Vec<String> {
        self.state().endpoints.iter().map(|(endpoint, _)| endpoint.clone()).collect()
    }

    fn prepare(&self, plan: &RequestPlan) -> Result<Wire, Refusal> {
        let unsendable = |why: String| Refusal::Unsendable { why };
        let method = Method::from_bytes(plan.method.as_bytes())
            .map_err(|_| unsendable(format!("'{}' is no HTTP method", plan.method.escape_debug())))?;
        if !plan.path.is_empty() && !plan.path.starts_with(['/', '?']) {
            return Err(unsendable(format!("the path '{}' does not begin with a slash", plan.path)));
        }
        let url = Url::parse(&format!("{}{}", self.base, plan.path))
            .map_err(|error| unsendable(format!("'{}' is no path: {error}", plan.path)))?;
        let Some(below) = self.below(&url) else {
            return Err(Refusal::OutsideBase { path: plan.path.clone() });
        };
        let credentials = match plan.auth {
            Auth::Good => Some(&self.auth),
            Auth::None => None,
            Auth::Bad => Some(&self.wrong),
            Auth::Second => Some(
                self.second
                    .as_ref()
                    .ok_or_else(|| unsendable("no second credentials are configured".to_owned()))?,
            ),
        };
        let mut lines: Vec<(String, String)> = Vec::new();
        set(&mut lines, "User-Agent", &self.user_agent);
        set(&mut lines, "Accept", SCIM_JSON);
        // A compressed answer is decoded all the same, but nothing is gained by asking for one.
        set(&mut lines, "Accept-Encoding", "identity");
        if plan.body.is_some() {
            set(&mut lines, "Content-Type", SCIM_JSON);
        }
        for (name, value) in &self.headers {
            set(&mut lines, name, value);
        }
        let carrier = credentials.and_then(Credentials::on_the_wire);
        if let Some((name, value)) = &carrier {
            set(&mut lines, name, value);
        }
        let mut overridden = false;
        for (name, value) in &plan.headers {
            overridden |= carrier.as_ref().is_some_and(|(carrier, _)| carrier.eq_ignore_ascii_case(name));
            match value {
                Some(value) => set(&mut lines, name, value),
                None => lines.retain(|(known, _)| !known.eq_ignore_ascii_case(name)),
            }
        }
        // The HTTP library adds this one where it is missing; the exchange shows what is sent.
        if !lines.iter().any(|(name, _)| name.eq_ignore_ascii_case("accept")) {
            lines.push(("Accept".to_owned(), "*/*".to_owned()));
        }
        let mut headers = HeaderMap::new();
        let mut shown = Vec::new();
        for (name, value) in lines {
            let (wire_name, wire_value) = header(&name, &value)
                .map_err(|why| unsendable(format!("the header '{}': {why}", name.escape_debug())))?;
            headers.append(wire_name, wire_value);
            let secret = !overridden
                && plan.auth != Auth::Bad
                && carrier.as_ref().is_some_and(|(carrier, _)| carrier.eq_ignore_ascii_case(&name));
            let value = if secret || self.is_operators_secret(&name, &value) {
                MASK.to_owned()
            } else {
                self.masks.header(&value)
            };
            shown.push((name, value));
        }
        let endpoint = if plan.endpoint.is_empty() {
            guard::pattern(&below, &self.endpoint_names())
        } else {
            plan.endpoint.clone()
        };
        Ok(Wire {
            method,
            url,
            below,
            headers,
            shown,
            body: plan.body.clone(),
            origin: plan.origin.clone(),
            endpoint,
            impatient: plan.impatient,
        })
    }

    fn is_operators_secret(&self, name: &str, value: &str) -> bool {
        is_telling(name)
            && self.headers.iter().any(|(known, secret)| known.eq_ignore_ascii_case(name) && secret == value)
    }

    /// The path below the base URL with its query, or nothing where the URL leads elsewhere.
    fn below(&self, url: &Url) -> Option<String> {
        if url.origin() != self.base_url.origin() || !url.username().is_empty() || url.password().is_some() {
            return None;
        }
        let below = url.path().strip_prefix(&self.base_path)?;
        if !below.is_empty() && !below.starts_with('/') {
            return None;
        }
        Some(url.query().map_or_else(|| below.to_owned(), |query| format!("{below}?{query}")))
    }

    fn admit(&self, wire: &Wire, permissions: Permissions) -> Result<Touch, Refusal> {
        let (path, query) = match wire.below.split_once('?') {
            Some((path, query)) => (path, Some(query)),
            None => (wire.below.as_str(), None),
        };
        let method_override =
            wire.headers.get("x-http-method-override").and_then(|value| value.to_str().ok());
        let asked =
            Asked { method: wire.method.as_str(), path, query, method_override, body: wire.body.as_deref() };
        let endpoints = self.endpoint_names();
        guard::decide(&asked, &endpoints, permissions, self.read_only, &self.state().register)
    }

    /// Sends, and repeats or follows as far as that is harmless.
    async fn converse(
        &self,
        mut wire: Wire,
        permissions: Permissions,
        purpose: Purpose,
    ) -> (Arc<Exchange>, Vec<Arc<Exchange>>) {
        let mut also = Vec::new();
        let (mut repeats, mut redirects, mut resets) = (0, 0, 0);
        loop {
            let exchange = self.once(&wire, purpose).await;
            let again = match &exchange.answer {
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

    /// Turns the wire to where the answer redirects, if that lies within the base URL and asks for nothing that
    /// the guard would not allow. RFC 7644 section 3.12 has clients follow 307 and 308.
    fn follow(
        &self,
        wire: &mut Wire,
        response: &Response,
        permissions: Permissions,
        count: &mut usize,
    ) -> bool {
        let reads = matches!(wire.method.as_str(), "GET" | "HEAD");
        let follows = matches!(response.status, 307 | 308) || (reads && matches!(response.status, 301 | 302));
        let location = response.header("Location").filter(|_| follows);
        let Some(url) = location.and_then(|location| wire.url.join(location).ok()) else { return false };
        let Some(below) = self.below(&url) else { return false };
        if url == wire.url {
            return false;
        }
        let (old_url, old_below) =
            (std::mem::replace(&mut wire.url, url), std::mem::replace(&mut wire.below, below));
        if self.admit(wire, permissions).is_err() {
            (wire.url, wire.below) = (old_url, old_below);
            return false;
        }
        *count += 1;
        true
    }

    /// One request with what comes of it.
    async fn once(&self, wire: &Wire, purpose: Purpose) -> Arc<Exchange> {
        let mut admitted = self.within_budget(purpose, false);
        if admitted.is_ok() {
            tokio::select! {
                biased;
                () = self.interrupted.cancelled(), if purpose == Purpose::Run => {
                    admitted = Err("the run was interrupted".to_owned());
                }
                () = self.pace.turn() => admitted = self.within_budget(purpose, true),
            }
        }
        let started = Utc::now();
        let clock = Instant::now();
        let answer = match admitted {
            Err(why) => Err(TransportFailure::NotSent { why }),
            Ok(()) => tokio::select! {
                biased;
                answer = self.perform(wire) => answer,
                () = self.abandoned(purpose) => {
                    Err(TransportFailure::Closed { why: "given up, since the run was interrupted".to_owned() })
                }
            },
        };
        let mut state = self.state();
        let id = ExchangeId(state.next_exchange);
        state.next_exchange += 1;
        let exchange = Arc::new(Exchange {
            id,
            origin: wire.origin.clone(),
            request: Request {
                method: wire.method.as_str().to_owned(),
                url: self.masks.text(wire.url.as_str()),
                path: self.masks.text(&wire.below),
                endpoint: wire.endpoint.clone(),
                headers: wire.shown.clone(),
                body: wire.body.as_ref().map(|body| self.masked(body.clone())),
            },
            answer,
            started,
            elapsed: clock.elapsed(),
        });
        let size = 1024
            + exchange.request.body.as_ref().map_or(0, Bytes::len)
            // A value tree takes several times the bytes that it was read from.
            + exchange.response().map_or(0, |response| response.body.bytes().len().saturating_mul(6));
        if state.log_bytes.saturating_add(size) <= self.limits.log {
            state.log_bytes += size;
            state.log.push(Arc::clone(&exchange));
        } else {
            state.log_dropped += 1;
        }
        exchange
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
    /// resource that is ours and for each create under way.
    fn within_budget(&self, purpose: Purpose, spend: bool) -> Result<(), String> {
        let mut state = self.state();
        if let (Some(most), Purpose::Run) = (self.requests, purpose) {
            let kept = state.register.alive().count() + state.intents.len();
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

    async fn perform(&self, wire: &Wire) -> Result<Response, TransportFailure> {
        let mut request = reqwest::Request::new(wire.method.clone(), wire.url.clone());
        *request.headers_mut() = wire.headers.clone();
        *request.body_mut() = wire.body.clone().map(Into::into);
        let limit = self.limits.request;
        let deadline = Instant::now() + limit;
        let mut response = match tokio::time::timeout_at(deadline, self.client.execute(request)).await {
            Err(_) => return Err(TransportFailure::TimedOut { limit }),
            Ok(Err(error)) => {
                return Err(self.masked_failure(failure::classify(&error, &self.address, &self.limits)));
            }
            Ok(Ok(response)) => response,
        };
        let status = response.status().as_u16();
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
        raw.bytes = self.masked(raw.bytes);
        Ok(Response { status, headers, body: body::finish(raw) })
    }

    fn masked(&self, bytes: Bytes) -> Bytes {
        match self.masks.bytes(&bytes) {
            std::borrow::Cow::Borrowed(_) => bytes,
            std::borrow::Cow::Owned(masked) => Bytes::from(masked),
        }
    }

    fn masked_failure(&self, failure: TransportFailure) -> TransportFailure {
        let text = |why: String| self.masks.text(&why);
        match failure {
            TransportFailure::Resolve { host, why } => TransportFailure::Resolve { host, why: text(why) },
            TransportFailure::Connect { address, why } => {
                TransportFailure::Connect { address, why: text(why) }
            }
            TransportFailure::Tls { address, why } => TransportFailure::Tls { address, why: text(why) },
            TransportFailure::Closed { why } => TransportFailure::Closed { why: text(why) },
            TransportFailure::NotHttp { why } => TransportFailure::NotHttp { why: text(why) },
            other @ (TransportFailure::TimedOut { .. } | TransportFailure::NotSent { .. }) => other,
        }
    }

    /// Writes to the ledger what is about to be created.
    fn announce(&self, touch: &Touch, wire: &Wire) -> Result<Vec<Intent>, Refusal> {
        let body = wire.body.as_deref().unwrap_or_default();
        let wanted: Vec<(String, Option<serde_json::Value>)> = match touch {
            Touch::Create { endpoint } => vec![(endpoint.clone(), serde_json::from_slice(body).ok())],
            Touch::Bulk => {
                let endpoints = self.endpoint_names();
                guard::bulk_operations(body)
                    .into_iter()
                    .filter_map(|operation| {
                        match guard::classify(&operation.method, &operation.path, &endpoints) {
                            Touch::Create { endpoint } => Some((endpoint, operation.data)),
                            _ => None,
                        }
                    })
                    .collect()
            }
            _ => Vec::new(),
        };
        let mut state = self.state();
        let mut announced = Vec::new();
        for (endpoint, resource) in wanted {
            let (attribute, value) = resource
                .as_ref()
                .and_then(|resource| state.register.trace(resource))
                .map_or((None, None), |(attribute, value)| (Some(attribute), Some(self.masks.text(&value))));
            let intent = Intent {
                number: state.next_intent,
                endpoint,
                attribute,
                value,
                marked: resource.as_ref().is_some_and(|resource| state.register.marks(resource)),
                origin: wire.origin.clone(),
                time: Utc::now(),
            };
            state.next_intent += 1;
            state.ledger.intent(&intent).map_err(|error| Refusal::Ledger { why: error.to_string() })?;
            state.tried.insert(intent.endpoint.clone());
            state.intents.insert(intent.number, intent.clone());
            announced.push(intent);
        }
        Ok(announced)
    }

    fn observe(&self, touch: &Touch, exchange: &Exchange) {
        let Some(answer) =
            exchange.json().filter(|_| exchange.status().is_some_and(|s| (200..300).contains(&s)))
        else {
            return;
        };
        // A create's answer was judged by `settle`; here it would look like a stranger.
        if !matches!(touch, Touch::Read | Touch::Search) {
            return;
        }
        let mut state = self.state();
        let endpoints = state.endpoints.clone();
        let path = exchange.request.path.split('?').next().unwrap_or_default();
        if guard::is_discovery(path) {
            return;
        }
        let names: Vec<String> = endpoints.iter().map(|(endpoint, _)| endpoint.clone()).collect();
        let pattern = guard::pattern(path, &names);
        let endpoint = pattern.trim_end_matches("/{id}").trim_end_matches("/.search").to_owned();
        let endpoint_of = |name: &str| {
            endpoints
                .iter()
                .find(|(_, resource_type)| resource_type == name)
                .map(|(endpoint, _)| endpoint.clone())
        };
        let revived = state.register.observe(&endpoint, answer, endpoint_of);
        for resource in revived {
            if let Err(error) = state.ledger.owned(&resource) {
                state.ledger_trouble.get_or_insert(error.to_string());
            }
        }
    }
}

/// The path of a resource.
pub fn resource_path(endpoint: &str, id: &str) -> String {
    format!("/{}/{}", endpoint.trim_matches('/'), utf8_percent_encode(id, SEGMENT))
}

fn check_base(url: &Url) -> Result<Url, TargetError> {
    let mut bare = url.clone();
    let userinfo = !url.username().is_empty() || url.password().is_some();
    // These fail only for URLs without a host, which are refused below.
    if bare.set_username("").is_err() || bare.set_password(None).is_err() {
        return Err(TargetError::BaseUrl { url: format!("{}:", url.scheme()), why: "it names no host" });
    }
    bare.set_query(None);
    bare.set_fragment(None);
    let wrong = |why| Err(TargetError::BaseUrl { url: bare.to_string(), why });
    if !matches!(url.scheme(), "http" | "https") {
        return wrong("it begins with neither http:// nor https://");
    }
    if url.host_str().is_none_or(str::is_empty) {
        return wrong("it names no host");
    }
    if userinfo {
        return wrong("it holds credentials, which would end up in reports; give them by their own option");
    }
    if url.query().is_some() || url.fragment().is_some() {
        return wrong("it holds a query or a fragment; paths are added to its end");
    }
    Ok(bare)
}

fn client(
    limits: &Limits,
    insecure: bool,
    roots: &[Vec<u8>],
    proxy: Option<&Url>,
) -> Result<Client, TargetError> {
    let wrong =
        |what| move |error: reqwest::Error| TargetError::Client { what, why: failure::innermost(&error) };
    let mut builder = Client::builder()
        .http1_only()
        .redirect(reqwest::redirect::Policy::none())
        .retry(reqwest::retry::never())
        .referer(false)
        .connect_timeout(limits.connect)
        .pool_idle_timeout(IDLE)
        .tcp_nodelay(true)
        .dns_resolver(Arc::new(SystemResolver))
        .tls_danger_accept_invalid_certs(insecure)
        .no_proxy();
    for pem in roots {
        let certificates = Certificate::from_pem_bundle(pem).map_err(wrong("certificate"))?;
        if certificates.is_empty() {
            let why = "the file holds no certificate in PEM".to_owned();
            return Err(TargetError::Client { what: "certificate", why });
        }
        builder = builder.tls_certs_merge(certificates);
    }
    if let Some(proxy) = proxy {
        builder = builder.proxy(Proxy::all(proxy.clone()).map_err(wrong("proxy"))?);
    }
    builder.build().map_err(wrong("TLS configuration"))
}

fn header(name: &str, value: &str) -> Result<(HeaderName, HeaderValue), String> {
    let name = HeaderName::from_bytes(name.as_bytes()).map_err(|_| "not a header's name".to_owned())?;
    let value = HeaderValue::from_bytes(value.as_bytes())
        .map_err(|_| "its value holds control characters".to_owned())?;
    Ok((name, value))
}

/// Sets a header, whatever the case of its name.
fn set(lines: &mut Vec<(String, String)>, name: &str, value: &str) {
    match lines.iter_mut().find(|(known, _)| known.eq_ignore_ascii_case(name)) {
        Some(line) => *line = (name.to_owned(), value.to_owned()),
        None => lines.push((name.to_owned(), value.to_owned())),
    }
}

/// Whether a header's name says that its value is a secret.
fn is_telling(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    ["auth", "cookie", "token", "key", "secret", "password", "credential"]
        .iter()
        .any(|word| name.contains(word))
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
