//! The way of a request through the server: who asks, what for, which stage answers. Everything but the wire is a
//! plain function from a [`Request`] to an [`Answer`], under the lock of its tenant: each request sees the store as the
//! one before left it.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Instant;

use axum::http::header::{ALLOW, HOST, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{Method, StatusCode};
use chrono::{DateTime, Utc};

use super::auth::{Authenticator, Credentials};
use super::behaviour::Behaviour;
use super::control::Control;
use super::cursor::Cursors;
use super::discovery::Discovery;
use super::endpoint::{Endpoint, Kind};
use super::fault::{Memory, Planted, Seen};
use super::lag::{Replica, lagging};
use super::me::{self, Subject};
use super::message::{Answer, Request};
use super::negotiate::{MAX_BODY, Refusal, acceptable, allow};
use super::overlap::{Meeting, Overlaps, overlapping};
use super::profile::ServerProfile;
use super::rate::Window;
use super::read::is_query;
use super::seed::seed;
use super::store::Store;
use super::types::Types;
use super::{ServerError, ServerOptions};
use crate::scim::definition::ResourceDefinition;
use crate::scim::error::ScimError;

/// The methods of HTTP itself (RFC 9110 §9, RFC 5789). What is none of them is not implemented.
const KNOWN_METHODS: [Method; 9] = [
    Method::GET,
    Method::HEAD,
    Method::POST,
    Method::PUT,
    Method::PATCH,
    Method::DELETE,
    Method::OPTIONS,
    Method::TRACE,
    Method::CONNECT,
];

/// One server.
pub(crate) struct Service {
    pub(crate) types: Types,
    pub(super) authenticator: RwLock<Authenticator>,
    /// The control endpoints, where the profile has some.
    pub(super) control: Option<Control>,
    pub(crate) faults: Planted,
    pub(crate) behaviour: Behaviour,
    pub(crate) cursors: Cursors,
    base_url: String,
    since: DateTime<Utc>,
    lag: usize,
    overlaps: Overlaps,
    /// Of each tenant, in the order of their tokens.
    pub(super) tenants: Vec<Mutex<State>>,
}

/// What changes while the server runs: what one tenant has, of which no other ever sees anything.
#[derive(Debug, Default)]
pub(crate) struct State {
    pub store: Store,
    pub memory: Memory,
    /// Whom the tenant's token belongs to.
    pub me: Subject,
    /// The requests of the tenant's token that count towards the limit.
    pub window: Window,
    /// What reads see while they lag behind.
    pub replica: Option<Replica>,
}

impl State {
    pub(crate) fn new(store: Store) -> Self {
        Self { store, ..Self::default() }
    }
}

/// One request with what is known about it.
pub(crate) struct Call {
    pub request: Request,
    pub endpoint: Endpoint,
    /// The base URL under which the client knows the server.
    pub base: String,
}

impl Service {
    /// A service with one tenant for each token.
    pub(crate) fn new(
        options: &ServerOptions,
        tokens: &[&str],
        address: SocketAddr,
    ) -> Result<Self, ServerError> {
        let behaviour = Behaviour::of(options);
        let types = Types::new(options.schemas.as_ref(), &behaviour)?;
        let mut tenants: Vec<State> = tokens
            .iter()
            .map(|_| {
                let store = Store::new(types.unique().clone(), types.indexed().clone());
                State::new(store.with_clock_step(behaviour.clock_step))
            })
            .collect();
        if let Some(first) = tenants.first_mut() {
            match behaviour.seeded {
                None => seed(&mut first.store, options.seed_users),
                Some(adopt) => {
                    let mut directory = Store::default();
                    seed(&mut directory, options.seed_users);
                    adopt(&directory, &mut first.store);
                }
            }
            first.me = options.me.as_deref().map(Subject::named).unwrap_or_default();
        }
        Ok(Self {
            lag: options.lag,
            overlaps: Overlaps::default(),
            tenants: tenants.into_iter().map(Mutex::new).collect(),
            types,
            authenticator: RwLock::new(Authenticator::new(tokens)),
            control: None,
            faults: Planted::new(
                options.profile.map_or(&[], ServerProfile::rewrites),
                &options.faults,
                &options.variants,
            ),
            base_url: format!("http://{address}{}", behaviour.base_path),
            behaviour,
            cursors: Cursors::new(options.cursor_timeout),
            since: Utc::now(),
        })
    }

    /// This service with control endpoints.
    pub(crate) fn with_control(self, control: Option<Control>) -> Self {
        Self { control, ..self }
    }

    /// The base URL by the address that the server is bound to.
    pub(crate) fn base_url(&self) -> &str {
        &self.base_url
    }

    /// The definition of a resource type.
    pub(crate) fn definition(&self, kind: Kind) -> &ResourceDefinition {
        self.types.definition(kind)
    }

    /// The other request that a request overlaps with, where a fault lets it, and there is one.
    pub(super) async fn meeting(&self, request: &Request) -> Option<Arc<Meeting>> {
        let key = self.faults.overlap(request)?;
        self.overlaps.meet(&key).await
    }

    /// Answers a request.
    pub(crate) fn answer(&self, mut request: Request, meeting: Option<&Meeting>) -> Answer {
        (request.credentials, request.tenant) =
            self.authenticator.read().unwrap_or_else(PoisonError::into_inner).judge(&request.headers);
        self.faults.request(&mut request);
        let tenant = &self.tenants[request.tenant.min(self.tenants.len() - 1)];
        let mut state = tenant.lock().unwrap_or_else(PoisonError::into_inner);
        let endpoint = state.resolve(self.endpoint_of(&request.path));
        let endpoint = self.behaviour.user_ids.resolve(endpoint, &state.store);
        let call = Call { base: self.base_of(&request), endpoint, request };
        let mut answer = lagging(&mut state, self.lag, &call.request, |state| {
            overlapping(state, meeting, |state| self.dispatch(state, &call).unwrap_or_else(refuse))
        });
        let State { store, memory, .. } = &mut *state;
        let mut seen =
            Seen { request: &call.request, endpoint: &call.endpoint, store, base: &call.base, memory };
        self.faults.answer(&mut seen, &mut answer);
        answer
    }

    fn dispatch(&self, state: &mut State, call: &Call) -> Result<Answer, Refusal> {
        let request = &call.request;
        match request.credentials {
            Credentials::Valid => {}
            Credentials::Absent if call.endpoint.is_public() => {}
            credentials => {
                let error = match credentials {
                    Credentials::Absent => "no credentials: a bearer token is expected",
                    _ => "the credentials are not valid",
                };
                let mut refusal = Refusal::from(ScimError::new(401, error));
                refusal.headers.push((WWW_AUTHENTICATE, credentials.challenge().to_owned()));
                return Err(refusal);
            }
        }
        if request.credentials == Credentials::Valid {
            self.admit(state)?;
        }
        self.perform(state, call)
    }

    /// What a request comes to that was let in: a single one, or one operation of a bulk job.
    pub(super) fn perform(&self, state: &mut State, call: &Call) -> Result<Answer, Refusal> {
        let request = &call.request;
        if !KNOWN_METHODS.contains(&request.method) {
            return Err(ScimError::new(501, format!("{} is no method of HTTP", request.method)).into());
        }
        let Some(methods) = call.endpoint.methods() else {
            return Err(match call.endpoint {
                Endpoint::Me => me::unsupported(request),
                _ => ScimError::not_found(format!("there is no endpoint {}", request.path)),
            }
            .into());
        };
        if request.method == Method::OPTIONS {
            return Ok(Answer::empty(StatusCode::NO_CONTENT).with_header(ALLOW, &allow(methods)));
        }
        if !methods.contains(&request.method) {
            return Err(Refusal::method_not_allowed(&request.method, methods));
        }
        acceptable(request)?;
        if call.endpoint == Endpoint::Bulk {
            return self.bulk(state, call);
        }
        if request.body.len() > MAX_BODY {
            return Err(too_large().into());
        }
        if is_query(&call.endpoint, &request.method) {
            return self.query(state, call);
        }
        match (&call.endpoint, &request.method) {
            (Endpoint::Resources(kind), _) => self.create(state, call, *kind),
            (Endpoint::Resource(kind, id), &Method::PUT) => self.replace(state, call, *kind, id),
            (Endpoint::Resource(kind, id), &Method::PATCH) => self.patch(state, call, *kind, id),
            (Endpoint::Resource(kind, id), &Method::DELETE) => self.delete(state, call, *kind, id),
            (Endpoint::Resource(kind, id), _) => self.get_resource(state, call, *kind, id),
            _ => self.discover(call),
        }
    }

    /// What a path names, of what the server offers.
    pub(super) fn endpoint_of(&self, path: &str) -> Endpoint {
        match Endpoint::of(self.behaviour.base_path, path, self.types.kinds()) {
            endpoint @ (Endpoint::Resources(_) | Endpoint::Resource(..)) => endpoint,
            endpoint if self.behaviour.is_whole => endpoint,
            _ => Endpoint::Unknown,
        }
    }

    /// Counts a request with a token, and refuses it with 429 if it is one too many (RFC 6585 §4).
    fn admit(&self, state: &mut State) -> Result<(), Refusal> {
        let Some(limit) = self.behaviour.rate_limit else { return Ok(()) };
        state.window.admit(limit, Instant::now()).map_err(|seconds| {
            let mut refusal =
                Refusal::from(ScimError::new(429, format!("too many requests; go on in {seconds} s")));
            refusal.headers.push((RETRY_AFTER, seconds.to_string()));
            refusal
        })
    }

    /// The refusal of a body that is not even read.
    pub(crate) fn too_large(&self, path: &str) -> ScimError {
        match self.endpoint_of(path) {
            Endpoint::Bulk => self.behaviour.bulk.payload_error(),
            _ => too_large(),
        }
    }

    fn discover(&self, call: &Call) -> Result<Answer, Refusal> {
        if call.request.parameter("filter").is_some() {
            return Err(ScimError::new(403, "discovery endpoints take no filter (RFC 7644 section 4)").into());
        }
        let discovery = Discovery {
            schemas: self.types.schemas(),
            base: &call.base,
            max_results: self.behaviour.max_results,
            bulk: self.behaviour.bulk,
            cursor_timeout: self.cursors.timeout(),
            since: self.since,
        };
        let document = match &call.endpoint {
            Endpoint::ServiceProviderConfig => Some(discovery.service_provider_config()),
            Endpoint::ResourceTypes => Some(discovery.resource_types()),
            Endpoint::ResourceType(id) => discovery.resource_type(id),
            Endpoint::Schemas => Some(discovery.schemas()),
            Endpoint::Schema(id) => discovery.schema(id),
            _ => None,
        };
        match document {
            Some(document) => Ok(Answer::json(StatusCode::OK, document)),
            None => Err(ScimError::not_found(format!("there is no {}", call.request.path)).into()),
        }
    }

    /// The base URL under which the client knows the server: by its `Host` header if that is a name of this machine,
    /// because a foreign name there would put foreign links into answers; else by the address.
    fn base_of(&self, request: &Request) -> String {
        let host = request.header(&HOST).filter(|host| is_loopback(host));
        host.map_or_else(
            || self.base_url.clone(),
            |host| format!("http://{host}{}", self.behaviour.base_path),
        )
    }
}

fn is_loopback(host: &str) -> bool {
    let (name, port) = match host.rsplit_once(':') {
        Some((name, port)) if !port.contains(']') => (name, port),
        _ => (host, ""),
    };
    let names_us = name.eq_ignore_ascii_case("localhost") || name == "[::1]" || name == "127.0.0.1";
    names_us && port.bytes().all(|byte| byte.is_ascii_digit())
}

/// The answer that a refusal makes.
pub(crate) fn refuse(refusal: Refusal) -> Answer {
    let status = StatusCode::from_u16(refusal.error.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut answer = Answer::json(status, refusal.error.to_json());
    for (name, value) in refusal.headers {
        answer.set_header(name, &value);
    }
    answer
}

fn too_large() -> ScimError {
    ScimError::new(413, format!("the body is larger than {MAX_BODY} bytes"))
}
