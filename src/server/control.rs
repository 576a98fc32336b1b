//! The control endpoints of a profile: what a person or an administrator does outside of SCIM. They stand outside of
//! the base path and want a token of their own, which opens nothing else; no token of a tenant opens them.
//!
//! ```text
//! POST /control/accept-invitation  {"user": "ann@example.com"}   200 {"user": …} · 404 nobody · 409 joined already
//! POST /control/rotate-key                                       200 {"token": …}; the old key is dead
//! ```
//!
//! Both are about the first tenant. A body can be JSON or a form: a shell quotes a form more easily.

use std::path::PathBuf;
use std::sync::PoisonError;

use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, WWW_AUTHENTICATE};
use axum::http::{Method, StatusCode};
use serde_json::{Value, json};
use url::form_urlencoded;

use super::auth::{Authenticator, Credentials, random_token};
use super::behaviour::OldKeys;
use super::config_file;
use super::message::{Answer, Request};
use super::negotiate::{Refusal, read_object};
use super::overlap::Meeting;
use super::rate::Window;
use super::service::{Service, refuse};
use crate::scim::error::ScimError;

/// The path below which all control endpoints are.
pub(crate) const CONTROL_PATH: &str = "/control";

/// Who may use the control endpoints, and what a new key has to be written to.
pub(crate) struct Control {
    authenticator: Authenticator,
    /// The file that holds the first tenant's token for `scimspec run`, if one was written.
    token_file: Option<PathBuf>,
}

impl Control {
    pub(crate) fn new(token: &str, token_file: Option<PathBuf>) -> Self {
        Self { authenticator: Authenticator::new(&[token]), token_file }
    }
}

impl Service {
    /// Answers any request: one to a control endpoint, where there are some, or one of SCIM.
    pub(crate) fn take(&self, request: Request, meeting: Option<&Meeting>) -> Answer {
        let name =
            request.path.strip_prefix(CONTROL_PATH).filter(|rest| rest.is_empty() || rest.starts_with('/'));
        match (&self.control, name) {
            (Some(control), Some(name)) => {
                let name = name.trim_matches('/').to_owned();
                self.control(control, &name, &request)
                    .unwrap_or_else(refuse)
                    .with_header(CACHE_CONTROL, "no-store")
            }
            _ => self.answer(request, meeting),
        }
    }

    fn control(&self, control: &Control, name: &str, request: &Request) -> Result<Answer, Refusal> {
        let (credentials, _) = control.authenticator.judge(&request.headers);
        if credentials != Credentials::Valid {
            let mut refusal =
                Refusal::from(ScimError::new(401, "the control endpoints want the control token"));
            refusal.headers.push((WWW_AUTHENTICATE, r#"Bearer realm="control""#.to_owned()));
            return Err(refusal);
        }
        if request.method != Method::POST {
            return Err(Refusal::method_not_allowed(&request.method, &[Method::POST]));
        }
        match name {
            "accept-invitation" => self.accept_invitation(request),
            "rotate-key" => self.rotate_key(control),
            _ => Err(ScimError::not_found(format!("there is no control endpoint {name:?}")).into()),
        }
    }

    /// What happens when a person follows the link of the invitation and signs up.
    fn accept_invitation(&self, request: &Request) -> Result<Answer, Refusal> {
        let named = user_of(request)?;
        let unknown = || ScimError::not_found(format!("nobody is invited as {named:?}"));
        let accept = self.behaviour.accept.ok_or_else(unknown)?;
        let mut state = self.tenants[0].lock().unwrap_or_else(PoisonError::into_inner);
        let user = state.store.users_named(&named).next().cloned().ok_or_else(unknown)?;
        if state.store.has_joined(&user.id) {
            return Err(ScimError::new(409, format!("{named:?} has joined already")).into());
        }
        let mut attributes = user.attributes;
        accept(&mut attributes);
        state.store.update(&user.id, attributes, user.password, true);
        state.store.join(&user.id);
        Ok(said(json!({ "user": user.id })))
    }

    /// Gives the first tenant a new key. It is written down before it counts: whoever reads the file has one that works.
    fn rotate_key(&self, control: &Control) -> Result<Answer, Refusal> {
        let token = random_token();
        let mut state = self.tenants[0].lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(file) = &control.token_file {
            config_file::replace(file, &token).map_err(|error| ScimError::new(500, error.to_string()))?;
        }
        let keeps_old = self.behaviour.old_keys == OldKeys::Taken;
        self.authenticator.write().unwrap_or_else(PoisonError::into_inner).renew(0, &token, keeps_old);
        if self.behaviour.old_keys == OldKeys::RefusedWithTheirLimit {
            state.window = Window::default();
        }
        Ok(said(json!({ "token": token })))
    }
}

/// The user that a body names.
fn user_of(request: &Request) -> Result<String, Refusal> {
    let media_type = request.header(&CONTENT_TYPE).unwrap_or_default();
    let named = if media_type.starts_with("application/x-www-form-urlencoded") {
        form_urlencoded::parse(&request.body)
            .find(|(name, _)| name == "user")
            .map(|(_, user)| user.into_owned())
    } else {
        read_object(request)?.get("user").and_then(Value::as_str).map(str::to_owned)
    };
    let missing = || ScimError::invalid_value("user: the id of the invited user has to be there, a string");
    Ok(named.filter(|user| !user.is_empty()).ok_or_else(missing)?)
}

/// An answer that is no message of SCIM.
fn said(body: Value) -> Answer {
    Answer::json(StatusCode::OK, body).with_header(CONTENT_TYPE, "application/json")
}
