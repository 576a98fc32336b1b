//! The way of a request through the server: who asks, what for, which stage answers. Everything but the wire is a
//! plain function from a [`Request`] to an [`Answer`], under the lock of its tenant: each request sees the store as the
//! one before left it.

use std::net::SocketAddr;
use std::sync::{Mutex, PoisonError};

use axum::http::header::{ALLOW, HOST, WWW_AUTHENTICATE};
use axum::http::{Method, StatusCode};
use chrono::{DateTime, Utc};

use super::auth::{Authenticator, Credentials};
use super::cursor::Cursors;
use super::discovery::Discovery;
use super::endpoint::{BASE_PATH, Endpoint, Kind};
use super::fault::{Memory, Planted, Seen};
use super::message::{Answer, Request};
use super::negotiate::{MAX_BODY, Refusal, allow};
use super::read::is_query;
use super::store::Store;
use super::types::Types;
use super::{Demands, ServerError, ServerOptions};
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
    authenticator: Authenticator,
    pub(crate) faults: Planted,
    pub(crate) demands: Demands,
    pub(crate) max_results: usize,
    pub(crate) cursors: Cursors,
    base_url: String,
    since: DateTime<Utc>,
    /// Of each tenant, in the order of their tokens.
    tenants: Vec<Mutex<State>>,
}

/// What changes while the server runs: what one tenant has, of which no other ever sees anything.
#[derive(Debug, Default)]
pub(crate) struct State {
    pub store: Store,
    pub memory: Memory,
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
        let types = Types::new(options.schemas.as_ref(), &options.demands)?;
        let tenant = |_: &&str| {
            let store = Store::new(types.unique().clone(), types.indexed().clone());
            Mutex::new(State { store, memory: Memory::default() })
        };
        Ok(Self {
            tenants: tokens.iter().map(tenant).collect(),
            types,
            authenticator: Authenticator::new(tokens),
            faults: Planted::new(&options.faults),
            demands: options.demands.clone(),
            max_results: options.max_results.max(1),
            cursors: Cursors::new(options.cursor_timeout),
            base_url: format!("http://{address}{BASE_PATH}"),
            since: Utc::now(),
        })
    }

    /// The base URL by the address that the server is bound to.
    pub(crate) fn base_url(&self) -> &str {
        &self.base_url
    }

    /// The definition of a resource type.
    pub(crate) fn definition(&self, kind: Kind) -> &ResourceDefinition {
        self.types.definition(kind)
    }

    /// Answers a request.
    pub(crate) fn answer(&self, mut request: Request) -> Answer {
        (request.credentials, request.tenant) = self.authenticator.judge(&request.headers);
        self.faults.request(&mut request);
        let endpoint = Endpoint::of(&request.path, self.types.kinds());
        let call = Call { base: self.base_of(&request), endpoint, request };
        let tenant = &self.tenants[call.request.tenant.min(self.tenants.len() - 1)];
        let mut state = tenant.lock().unwrap_or_else(PoisonError::into_inner);
        let mut answer = self.dispatch(&mut state, &call).unwrap_or_else(refuse);
        let State { store, memory } = &mut *state;
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
        if !KNOWN_METHODS.contains(&request.method) {
            return Err(ScimError::new(501, format!("{} is no method of HTTP", request.method)).into());
        }
        let Some(methods) = call.endpoint.methods() else {
            return Err(match call.endpoint {
                Endpoint::Me => ScimError::new(501, "/Me is not supported: the token belongs to no user"),
                Endpoint::Bulk => ScimError::new(501, "bulk operations are not supported"),
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

    fn discover(&self, call: &Call) -> Result<Answer, Refusal> {
        if call.request.parameter("filter").is_some() {
            return Err(ScimError::new(403, "discovery endpoints take no filter (RFC 7644 section 4)").into());
        }
        let discovery = Discovery {
            schemas: self.types.schemas(),
            base: &call.base,
            max_results: self.max_results,
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
        host.map_or_else(|| self.base_url.clone(), |host| format!("http://{host}{BASE_PATH}"))
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

pub(crate) fn too_large() -> ScimError {
    ScimError::new(413, format!("the body is larger than {MAX_BODY} bytes"))
}
