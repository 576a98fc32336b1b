//! The reference server: SCIM 2.0 to the letter of RFC 7643 and RFC 7644, in memory, on a loopback port.
//!
//! It is the target of `scimspec run` where no URL is given, the double that `scimspec serve` offers, and what our
//! own tests attack. Each request takes the same way through it:
//!
//! ```text
//! request ─► auth ─► endpoint ─► preconditions ─► body ─► operations ─► validation ─► store ─► representation ─► answer
//! ```
//!
//! [`scim`](crate::scim) says what SCIM means, the modules here when it is applied. Faults ([`faults`]) are planted
//! at the seams between the stages and rewrite only the data that crosses them; without one, no code of theirs runs.
//! Where the RFCs leave the choice, [`variants`] make the other one.
//!
//! The server binds 127.0.0.1 only and keeps nothing.

mod attribute;
mod auth;
mod behaviour;
mod bulk;
mod config_file;
mod control;
mod cursor;
mod discovery;
mod endpoint;
mod fault;
pub mod faults;
#[cfg(test)]
mod generate;
mod http;
mod index;
mod kind;
mod lag;
mod log;
mod me;
mod message;
mod negotiate;
mod normalize;
mod order;
mod overlap;
mod predicate;
mod profile;
pub mod profiles;
mod query;
mod rate;
mod read;
mod represent;
mod retain;
mod rewrite;
mod rows;
mod schema_file;
mod seed;
mod serve;
mod service;
mod store;
mod types;
mod unique;
mod variant;
pub mod variants;
mod wire;
mod write;

use std::fmt;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

pub use bulk::BulkLimits;
pub use config_file::ConfigFileError;
pub use fault::{Characteristic, FamilyMember, Fault, FaultEntry, Seam, UnknownFault};
pub use log::Log;
pub use profile::{ProfileEntry, ServerProfile, UnknownServerProfile};
pub use rate::{RateLimit, RateLimitError};
pub use schema_file::{Problems, SchemaFile, SchemaFileError};
pub use serve::{interrupted, list_faults, list_variants, serve};
pub use variant::{UnknownVariant, Variant, VariantEntry};

use control::Control;
use service::Service;

/// How long open connections may go on after the server was told to stop.
const SHUTDOWN_GRACE: Duration = Duration::from_secs(2);

/// How a server is to be.
#[derive(Clone)]
pub struct ServerOptions {
    /// The port on 127.0.0.1; 0 takes a free one.
    pub port: u16,
    /// The bearer token to accept; a random one if there is none.
    pub token: Option<String>,
    /// The bearer token of a second tenant, which shares nothing with the first; a random one if there is none.
    pub second_token: Option<String>,
    /// The defects to plant.
    pub faults: Vec<Fault>,
    /// The legal answers to give instead of the server's own.
    pub variants: Vec<Variant>,
    /// What the server insists on beyond the RFC.
    pub demands: Demands,
    /// The most resources in one page, and the size of a page where the client does not say.
    pub max_results: usize,
    /// How long a cursor holds (RFC 9865), at least. Told to clients in whole seconds; a cursor that holds for less
    /// than one second is for tests.
    pub cursor_timeout: Duration,
    /// The limits of bulk jobs.
    pub bulk: BulkLimits,
    /// Resource types and extensions beside the core ones.
    pub schemas: Option<SchemaFile>,
    /// The name of the user that the token belongs to, who need not exist yet; `/Me` stands for this user. Without
    /// one it is not supported.
    pub me: Option<String>,
    /// How many people the directory holds from the beginning.
    pub seed_users: usize,
    /// How many requests each token has in a window of time; any number if there is none.
    pub rate_limit: Option<RateLimit>,
    /// Where to write a configuration for `scimspec run` that aims at the server. The tokens are written beside it,
    /// readable for the owner only. Nothing is overwritten that was not written this way.
    pub write_config: Option<PathBuf>,
    /// How each request is noted on standard error.
    pub log: Log,
    /// Whose server it is to behave like, by the vendor's documents; the RFC's if there is none.
    pub profile: Option<ServerProfile>,
    /// How many reads after a write still see the store as it was before: a server that is eventually consistent.
    pub lag: usize,
}

impl Default for ServerOptions {
    fn default() -> Self {
        Self {
            port: 0,
            token: None,
            second_token: None,
            faults: Vec::new(),
            variants: Vec::new(),
            demands: Demands::default(),
            max_results: 200,
            cursor_timeout: Duration::from_secs(600),
            bulk: BulkLimits::default(),
            schemas: None,
            me: None,
            seed_users: 0,
            rate_limit: None,
            write_config: None,
            log: Log::Off,
            profile: None,
            lag: 0,
        }
    }
}

impl fmt::Debug for ServerOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServerOptions")
            .field("port", &self.port)
            .field("token", &self.token.as_ref().map(|_| "…"))
            .field("second_token", &self.second_token.as_ref().map(|_| "…"))
            .field("faults", &self.faults)
            .field("variants", &self.variants)
            .field("demands", &self.demands)
            .field("max_results", &self.max_results)
            .field("cursor_timeout", &self.cursor_timeout)
            .field("bulk", &self.bulk)
            .field("seed_users", &self.seed_users)
            .field("rate_limit", &self.rate_limit)
            .field("write_config", &self.write_config)
            .field("log", &self.log)
            .field("profile", &self.profile)
            .finish_non_exhaustive()
    }
}

/// What a picky, yet conformant, server insists on.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Demands {
    /// A `userName` that is no e-mail address is refused with 400 invalidValue.
    pub email_user_name: bool,
    /// Attributes of User that `/Schemas` declares required, in attribute notation: `displayName`,
    /// `name.formatted`. A required sub-attribute makes its parent required too.
    pub required: Vec<String>,
}

/// Why a server could not start.
#[derive(Debug, thiserror::Error)]
pub enum ServerError {
    /// The port could not be had.
    #[error(
        "cannot listen on 127.0.0.1:{port}: {source} (another program may hold the port; 0 takes a free one)"
    )]
    Bind {
        /// The port asked for.
        port: u16,
        /// What the system said.
        source: std::io::Error,
    },
    /// A demand names an attribute that User does not have.
    #[error(
        "User has no attribute {name:?} to require (attribute notation is expected: displayName, name.formatted)"
    )]
    UnknownAttribute {
        /// The name given.
        name: String,
    },
    /// A fault is one of another profile than the server has.
    #[error("{fault} is a fault of the profile {owner}: it takes --profile {owner}")]
    ForeignFault {
        /// The fault.
        fault: &'static str,
        /// The profile that can have it.
        owner: &'static str,
    },
    /// Both tenants would have the same token.
    #[error("the second tenant needs a token of its own: the first has this one")]
    SameToken,
    /// The configuration that aims at the server cannot be written.
    #[error(transparent)]
    Config(#[from] ConfigFileError),
    /// The words about the server could not be written, or a signal not be awaited.
    #[error("the server cannot run: {0}")]
    Io(#[from] std::io::Error),
}

/// Where the control endpoints are, and what opens them.
struct ControlAccess {
    url: String,
    token: String,
}

/// A server that answers until it is told to stop, or dropped.
pub struct RunningServer {
    base_url: String,
    token: String,
    second_token: String,
    control: Option<ControlAccess>,
    stop: Option<oneshot::Sender<()>>,
    task: JoinHandle<()>,
}

impl RunningServer {
    /// The base URL: `http://127.0.0.1:PORT/scim/v2`, or where the profile has the server stand.
    pub fn base_url(&self) -> &str {
        &self.base_url
    }

    /// The bearer token that the server accepts, at least until a control endpoint renews it. A secret.
    pub fn token(&self) -> &str {
        &self.token
    }

    /// The bearer token of the second tenant. A secret.
    pub fn second_token(&self) -> &str {
        &self.second_token
    }

    /// Where the control endpoints are, if the profile has some: `http://127.0.0.1:PORT/control`. Below it are
    /// `accept-invitation` and `rotate-key`.
    pub fn control_url(&self) -> Option<&str> {
        self.control.as_ref().map(|control| control.url.as_str())
    }

    /// The bearer token that opens the control endpoints, and nothing else. A secret.
    pub fn control_token(&self) -> Option<&str> {
        self.control.as_ref().map(|control| control.token.as_str())
    }

    /// Stops the server: no new request, and a short while for those under way.
    pub async fn shutdown(mut self) {
        if let Some(stop) = self.stop.take() {
            // The receiver is gone only if the server has ended already.
            let _ = stop.send(());
        }
        let ended = tokio::time::timeout(SHUTDOWN_GRACE, &mut self.task).await;
        if ended.is_err() {
            self.task.abort();
        }
    }
}

impl Drop for RunningServer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl fmt::Debug for RunningServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RunningServer").field("base_url", &self.base_url).finish_non_exhaustive()
    }
}

/// Starts a server.
///
/// # Errors
/// If the port cannot be had, a demand names an attribute that does not exist, a fault is of another profile, both
/// tenants have one token, or the configuration cannot be written.
pub async fn start(options: ServerOptions) -> Result<RunningServer, ServerError> {
    for fault in &options.faults {
        let chosen = options.profile.map(ServerProfile::name);
        if let Some(owner) = profile::owner_of(fault.name()).filter(|owner| chosen != Some(owner)) {
            return Err(ServerError::ForeignFault { fault: fault.name(), owner });
        }
    }
    if let Some(path) = &options.write_config {
        config_file::check(path)?;
    }
    let bind = |source| ServerError::Bind { port: options.port, source };
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, options.port)).await.map_err(bind)?;
    let address: SocketAddr = listener.local_addr().map_err(bind)?;
    let token = options.token.clone().unwrap_or_else(auth::random_token);
    let second_token = options.second_token.clone().unwrap_or_else(auth::random_token);
    if token == second_token {
        return Err(ServerError::SameToken);
    }
    let is_controlled = options.profile.is_some_and(|profile| profile.entry().is_controlled);
    let control = is_controlled.then(|| ControlAccess {
        url: format!("http://{address}{}", control::CONTROL_PATH),
        token: auth::random_token(),
    });
    let token_file = options.write_config.as_deref().map(config_file::token_file).transpose()?;
    let service = Service::new(&options, &[&token, &second_token], address)?
        .with_control(control.as_ref().map(|access| Control::new(&access.token, token_file)));
    let service = Arc::new(service);
    let base_url = service.base_url().to_owned();
    let (stop, stopped) = oneshot::channel::<()>();
    let task = tokio::spawn(async move {
        let router = http::router(Arc::clone(&service), options.log);
        // A sender that was dropped has aborted this task as well.
        let stopped = async move { drop(stopped.await) };
        let served = if service.faults.rewrite_wire() {
            let listener = wire::Spoiled::new(listener, service);
            axum::serve(listener, router).with_graceful_shutdown(stopped).await
        } else {
            axum::serve(listener, router).with_graceful_shutdown(stopped).await
        };
        if let Err(error) = served {
            eprintln!("scimspec: the embedded server ended: {error}");
        }
    });
    let server = RunningServer { base_url, token, second_token, control, stop: Some(stop), task };
    if let Some(path) = &options.write_config {
        config_file::write(path, &server, options.profile)?;
    }
    Ok(server)
}
