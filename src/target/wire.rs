//! A request made ready for the wire: its URL below the base URL, its headers with credentials, and what of them
//! may be shown.

use bytes::Bytes;
use reqwest::Method;
use reqwest::header::HeaderMap;
use secrecy::ExposeSecret;
use url::Url;

use super::client::Target;
use super::credentials::{Credentials, MASK};
use super::exchange::Response;
use super::guard::{self, Asked, Permissions, Refusal, Touch};
use super::request::RequestPlan;
use super::setup::{header, is_telling};
use super::tokens::TokenSource;
use crate::scim::names::{MEDIA_TYPE, is_version};
use crate::suite::model::Auth;

/// A request ready for the wire, with what of it may be shown.
pub(super) struct Wire {
    pub(super) method: Method,
    pub(super) url: Url,
    pub(super) below: String,
    pub(super) headers: HeaderMap,
    pub(super) shown: Vec<(String, String)>,
    pub(super) body: Option<Bytes>,
    pub(super) origin: String,
    pub(super) reason: Option<String>,
    pub(super) endpoint: String,
    pub(super) auth: Auth,
    pub(super) impatient: bool,
    pub(super) unpaced: bool,
    /// Whose connections it goes on.
    pub(super) on_behalf: Auth,
    /// Whether a token has still to be put into it.
    pub(super) wants_token: bool,
}

impl Wire {
    /// Whether sending it twice is the same as once, whatever became of the first. PUT and DELETE are not: their
    /// second answer may differ from the first (a DELETE's 404), and would be judged.
    pub(super) fn is_safe(&self) -> bool {
        matches!(self.method.as_str(), "GET" | "HEAD" | "OPTIONS")
    }
}

impl Target {
    pub(super) fn prepare(&self, plan: &RequestPlan) -> Result<Wire, Refusal> {
        let unsendable = |why: String| Refusal::Unsendable { why };
        let method = Method::from_bytes(plan.method.as_bytes())
            .map_err(|_| unsendable(format!("'{}' is no HTTP method", plan.method.escape_debug())))?;
        if !plan.path.is_empty() && !plan.path.starts_with(['/', '?']) {
            return Err(unsendable(format!("the path '{}' does not begin with a slash", plan.path)));
        }
        let url = Url::parse(&format!("{}{}", self.base, plan.path))
            .map_err(|error| unsendable(format!("'{}' is no path: {error}", plan.path)))?;
        let Some(below) = self.below(&url).or_else(|| self.beside(&method, &url)) else {
            return Err(Refusal::OutsideBase { path: plan.path.clone() });
        };
        let (renewed, old) = {
            let state = self.state();
            (state.renewed.clone(), state.old.clone())
        };
        let wrong = self.tokens.as_ref().map(TokenSource::wrong);
        let credentials = match plan.auth {
            Auth::Good => Some(renewed.as_ref().unwrap_or(&self.auth)),
            Auth::None => None,
            Auth::Bad => Some(wrong.as_ref().unwrap_or(&self.wrong)),
            Auth::Second => Some(
                self.second
                    .as_ref()
                    .ok_or_else(|| unsendable("no second credentials are configured".to_owned()))?,
            ),
            Auth::Old => Some(
                old.as_ref().ok_or_else(|| unsendable("no hook has replaced the credentials".to_owned()))?,
            ),
        };
        let mut lines: Vec<(String, String)> = Vec::new();
        set(&mut lines, "User-Agent", &self.user_agent);
        set(&mut lines, "Accept", MEDIA_TYPE);
        // A compressed answer is decoded all the same, but nothing is gained by asking for one.
        set(&mut lines, "Accept-Encoding", "identity");
        if plan.body.is_some() {
            set(&mut lines, "Content-Type", MEDIA_TYPE);
        }
        for (name, value) in &self.headers {
            set(&mut lines, name, value);
        }
        for (name, key) in &self.keys {
            set(&mut lines, name, key.expose_secret());
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
            reason: plan.reason.clone(),
            endpoint,
            auth: if overridden { Auth::None } else { plan.auth },
            impatient: plan.impatient,
            unpaced: plan.unpaced,
            on_behalf: plan.auth,
            wants_token: !overridden && matches!(credentials, Some(Credentials::OAuth(_))),
        })
    }

    fn is_operators_secret(&self, name: &str, value: &str) -> bool {
        let is_it = |known: &str, secret: &str| known.eq_ignore_ascii_case(name) && secret == value;
        (is_telling(name) && self.headers.iter().any(|(known, secret)| is_it(known, secret)))
            || self.keys.iter().any(|(known, secret)| is_it(known, secret.expose_secret()))
    }

    /// The path below the base URL with its query, or nothing where the URL leads elsewhere.
    pub(super) fn below(&self, url: &Url) -> Option<String> {
        if url.origin() != self.base_url.origin() || !url.username().is_empty() || url.password().is_some() {
            return None;
        }
        let below = url.path().strip_prefix(&self.base_path)?;
        if !below.is_empty() && !below.starts_with('/') {
            return None;
        }
        Some(url.query().map_or_else(|| below.to_owned(), |query| format!("{below}?{query}")))
    }

    /// The path of a read in another version of the protocol, where the base URL ends in one (RFC 7644 section 3.13):
    /// `/../v9/Users`. Nothing else beside the base URL is asked for.
    fn beside(&self, method: &Method, url: &Url) -> Option<String> {
        let (parent, version) = self.base_path.rsplit_once('/')?;
        if method != Method::GET || !is_version(version) || url.origin() != self.base_url.origin() {
            return None;
        }
        let rest = url.path().strip_prefix(parent)?.strip_prefix('/')?;
        is_version(rest.split('/').next()?).then(|| format!("/../{rest}"))
    }

    pub(super) fn admit(&self, wire: &Wire, permissions: Permissions) -> Result<Touch, Refusal> {
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

    /// Turns the wire to where the answer redirects, if that lies within the base URL and asks for nothing that
    /// the guard would not allow. RFC 7644 section 3.12 has clients follow 307 and 308.
    pub(super) fn follow(
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
        // Of an alias the redirect is the answer (RFC 7644 section 3.11).
        let is_alias = wire.below.trim_matches('/').eq_ignore_ascii_case("Me");
        if url == wire.url || is_alias {
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
}

/// Sets a header, whatever the case of its name.
fn set(lines: &mut Vec<(String, String)>, name: &str, value: &str) {
    match lines.iter_mut().find(|(known, _)| known.eq_ignore_ascii_case(name)) {
        Some(line) => *line = (name.to_owned(), value.to_owned()),
        None => lines.push((name.to_owned(), value.to_owned())),
    }
}
