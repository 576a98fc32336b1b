//! The way of a request through the server: who asks, what for, which stage answers. Everything but the wire is a
//! plain function from a [`Request`] to an [`Answer`], under one lock: each request sees the store as the one before
//! left it.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use axum::Router;
use axum::body::Body;
use axum::extract::State as Shared;
use axum::http::header::{ALLOW, CONNECTION, CONTENT_LENGTH, HOST, WWW_AUTHENTICATE};
use axum::http::{Method, StatusCode};
use axum::response::Response;
use chrono::{DateTime, Utc};
use url::form_urlencoded;

use super::auth::{Authenticator, Credentials};
use super::behaviour::Behaviour;
use super::discovery::Discovery;
use super::endpoint::{BASE_PATH, Endpoint, Kind};
use super::fault::{Memory, Planted, Seen};
use super::message::{Answer, Request};
use super::negotiate::{MAX_BODY, Refusal, allow};
use super::read::is_query;
use super::store::Store;
use super::{ServerError, ServerOptions};
use crate::scim::definition::ResourceDefinition;
use crate::scim::error::{ScimError, ScimType};
use crate::scim::path::AttributePath;
use crate::scim::schema::{Attribute, Schema, SchemaSet};

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
    schemas: SchemaSet,
    user: ResourceDefinition,
    group: ResourceDefinition,
    authenticator: Authenticator,
    pub(crate) faults: Planted,
    pub(crate) behaviour: Behaviour,
    base_url: String,
    since: DateTime<Utc>,
    log: bool,
    state: Mutex<State>,
}

/// What changes while the server runs.
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
    pub(crate) fn new(
        options: &ServerOptions,
        token: &str,
        address: SocketAddr,
    ) -> Result<Self, ServerError> {
        let behaviour = Behaviour::of(options);
        let mut schemas = SchemaSet::core().clone();
        for change in &behaviour.schemas {
            change(&mut schemas);
        }
        for name in &behaviour.demands.required {
            require(&mut schemas, name)?;
        }
        let definition = |kind: Kind| {
            schemas.definition(kind.name()).unwrap_or_else(|| {
                unreachable!("the core schemas define {}", kind.name());
            })
        };
        Ok(Self {
            user: definition(Kind::User),
            group: definition(Kind::Group),
            schemas,
            authenticator: Authenticator::new(token),
            faults: Planted::new(&options.faults, &options.variants),
            behaviour,
            base_url: format!("http://{address}{BASE_PATH}"),
            since: Utc::now(),
            log: options.log,
            state: Mutex::new(State::default()),
        })
    }

    /// The base URL by the address that the server is bound to.
    pub(crate) fn base_url(&self) -> &str {
        &self.base_url
    }

    /// The definition of a resource type.
    pub(crate) fn definition(&self, kind: Kind) -> &ResourceDefinition {
        match kind {
            Kind::User => &self.user,
            Kind::Group => &self.group,
        }
    }

    /// Answers a request.
    pub(crate) fn answer(&self, mut request: Request) -> Answer {
        request.credentials = self.authenticator.judge(&request.headers);
        self.faults.request(&mut request);
        let endpoint = Endpoint::of(&request.path);
        let call = Call { base: self.base_of(&request), endpoint, request };
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
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
            schemas: &self.schemas,
            base: &call.base,
            max_results: self.behaviour.max_results,
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

fn refuse(refusal: Refusal) -> Answer {
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

/// Declares an attribute of User required, with its parent.
fn require(schemas: &mut SchemaSet, name: &str) -> Result<(), ServerError> {
    let unknown = || ServerError::UnknownAttribute { name: name.to_owned() };
    let path = AttributePath::parse(name).map_err(|_| unknown())?;
    let urn = path.urn.as_deref().unwrap_or(crate::scim::names::USER);
    let schema: &mut Schema =
        schemas.schemas.iter_mut().find(|schema| schema.id.eq_ignore_ascii_case(urn)).ok_or_else(unknown)?;
    let named = |attributes: &mut Vec<Attribute>, name: &str| {
        attributes.iter().position(|attribute| attribute.name.eq_ignore_ascii_case(name))
    };
    let at = named(&mut schema.attributes, &path.name).ok_or_else(unknown)?;
    let attribute = &mut schema.attributes[at];
    attribute.required = true;
    if let Some(sub) = &path.sub {
        let at = named(&mut attribute.sub_attributes, sub).ok_or_else(unknown)?;
        attribute.sub_attributes[at].required = true;
    }
    Ok(())
}

/// The HTTP side of a service.
pub(crate) fn router(service: Arc<Service>) -> Router {
    Router::new().fallback(handle).with_state(service)
}

async fn handle(Shared(service): Shared<Arc<Service>>, request: axum::http::Request<Body>) -> Response {
    let started = Instant::now();
    let (parts, body) = request.into_parts();
    let line = service.log.then(|| format!("{} {}", parts.method, parts.uri));
    let method = parts.method.clone();
    let declared: Option<usize> =
        parts.headers.get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse().ok());
    let body = match declared {
        Some(length) if length > MAX_BODY => Err(too_large()),
        _ => axum::body::to_bytes(body, MAX_BODY).await.map_err(|error| {
            // The limit, or a client that stopped in the middle.
            use std::error::Error;
            match error.source().map(ToString::to_string) {
                Some(reason) if reason.contains("limit") => too_large(),
                _ => ScimError::with_type(400, ScimType::InvalidSyntax, "the body ended early"),
            }
        }),
    };
    let answer = match body {
        Ok(body) => service.answer(Request {
            path: parts.uri.path().to_owned(),
            query: form_urlencoded::parse(parts.uri.query().unwrap_or_default().as_bytes())
                .into_owned()
                .collect(),
            credentials: Credentials::Absent,
            method: parts.method,
            headers: parts.headers,
            body,
        }),
        // The rest of the body is on its way: the connection cannot be used again.
        Err(error) => refuse(error.into()).with_header(CONNECTION, "close"),
    };
    if let Some(delay) = answer.delay {
        tokio::time::sleep(delay).await;
    }
    if let Some(line) = line {
        eprintln!("{line} {} {} ms", answer.status.as_u16(), started.elapsed().as_millis());
    }
    answer.into_response(&method)
}
