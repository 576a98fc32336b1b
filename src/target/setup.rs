//! From options to a target: whatever cannot work is refused here, before anything is sent.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use indexmap::IndexMap;
use reqwest::header::{HeaderName, HeaderValue};
use reqwest::{Certificate, Client, Proxy};
use secrecy::ExposeSecret;
use tokio_util::sync::CancellationToken;
use url::Url;

use super::certificate::ClientCertificate;
use super::client::{State, Target};
use super::credentials::{Credentials, Masks};
use super::failure::{self, SystemResolver};
use super::ledger::{Intent, Ledger, LedgerError, LedgerLocation};
use super::options::TargetOptions;
use super::ownership::Register;
use super::pace::Pace;
use super::tokens::TokenSource;

/// Idle connections are dropped early: many servers close theirs after 2 to 5 seconds, and a request on a
/// connection that is being closed fails for no fault of anybody's.
pub(super) const IDLE: Duration = Duration::from_millis(1500);

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

impl Target {
    /// Sets the client up. Nothing is sent.
    ///
    /// # Errors
    /// When the base URL, a certificate, a header, the run's mark or the ledger cannot be used.
    pub fn new(options: TargetOptions) -> Result<Target, TargetError> {
        let base_url = check_base(&options.base_url)?;
        let base = base_url.as_str().trim_end_matches('/').to_owned();
        let base_path = base_url.path().trim_end_matches('/').to_owned();
        let mark = options.run_mark.clone();
        if mark.len() < 4 || !mark.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
            return Err(TargetError::Mark { mark });
        }
        let clients = Clients::new(&options, options.certificate.as_ref())?;
        let second_clients = options
            .second_certificate
            .as_ref()
            .map(|certificate| Clients::new(&options, Some(certificate)))
            .transpose()?;
        let keys = options.keys.iter().map(|(name, key)| (name, key.expose_secret()));
        for (name, value) in options.headers.iter().map(|(name, value)| (name, value.as_str())).chain(keys) {
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
        masks.add(options.keys.iter().map(|(_, key)| key.expose_secret().to_owned()));
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
            clients,
            second_clients,
            tokens: TokenSource::of(&options.auth),
            second_tokens: options.second.as_ref().and_then(TokenSource::of),
            keys: options.keys,
            settle: options.settle,
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
            rate: options.rate,
            limits: options.limits,
            requests: options.requests,
            read_only: options.read_only,
            mark,
            page_size_parameter: options.page_size_parameter,
            interrupted: CancellationToken::new(),
            first_look: tokio::sync::Mutex::new(()),
            state: Mutex::new(State {
                tried: intents.values().map(|intent: &Intent| intent.endpoint.clone()).collect(),
                register,
                ledger,
                intents,
                disowned: Vec::new(),
                unproven: Vec::new(),
                honest: Default::default(),
                endpoints: vec![
                    ("/Users".to_owned(), "User".to_owned()),
                    ("/Groups".to_owned(), "Group".to_owned()),
                ],
                next_intent,
                next_exchange: 1,
                made: 0,
                doubted: None,
                log: Vec::new(),
                log_bytes: 0,
                log_dropped: 0,
                ledger_trouble: None,
                renewed: None,
                old: None,
                never_shown: 0,
                bulk: None,
                ended: Default::default(),
                reserved: 0,
            }),
        })
    }
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

/// The connections of one who shows the same certificate, or none, on all of them.
pub(super) struct Clients {
    /// Keeps connections open between requests.
    pub(super) kept: Client,
    /// Opens a connection for each request.
    pub(super) fresh: Client,
}

impl Clients {
    fn new(options: &TargetOptions, certificate: Option<&ClientCertificate>) -> Result<Clients, TargetError> {
        Ok(Clients { kept: client(options, certificate, true)?, fresh: client(options, certificate, false)? })
    }
}

fn client(
    options: &TargetOptions,
    certificate: Option<&ClientCertificate>,
    keeps_connections: bool,
) -> Result<Client, TargetError> {
    let TargetOptions { limits, insecure, roots, proxy, .. } = options;
    let wrong =
        |what| move |error: reqwest::Error| TargetError::Client { what, why: failure::innermost(&error) };
    let mut builder = Client::builder()
        .http1_only()
        .redirect(reqwest::redirect::Policy::none())
        .retry(reqwest::retry::never())
        .referer(false)
        .connect_timeout(limits.connect)
        .pool_idle_timeout(IDLE)
        .pool_max_idle_per_host(if keeps_connections { usize::MAX } else { 0 })
        .tcp_nodelay(true)
        .dns_resolver(Arc::new(SystemResolver))
        .tls_danger_accept_invalid_certs(*insecure)
        .no_proxy();
    for pem in roots {
        let certificates = Certificate::from_pem_bundle(pem).map_err(wrong("certificate"))?;
        if certificates.is_empty() {
            let why = "the file holds no certificate in PEM".to_owned();
            return Err(TargetError::Client { what: "certificate", why });
        }
        builder = builder.tls_certs_merge(certificates);
    }
    if let Some(certificate) = certificate {
        builder = builder.identity(certificate.identity().map_err(wrong("client certificate"))?);
    }
    if let Some(proxy) = proxy {
        builder = builder.proxy(Proxy::all(proxy.clone()).map_err(wrong("proxy"))?);
    }
    builder.build().map_err(wrong("TLS configuration"))
}

pub(super) fn header(name: &str, value: &str) -> Result<(HeaderName, HeaderValue), String> {
    let name = HeaderName::from_bytes(name.as_bytes()).map_err(|_| "not a header's name".to_owned())?;
    let value = HeaderValue::from_bytes(value.as_bytes())
        .map_err(|_| "its value holds control characters".to_owned())?;
    Ok((name, value))
}

/// Whether a header's name says that its value is a secret.
pub(super) fn is_telling(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    ["auth", "cookie", "token", "key", "secret", "password", "credential"]
        .iter()
        .any(|word| name.contains(word))
}
