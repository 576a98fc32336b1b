//! What a target is told beforehand: where it is, how to authenticate, how fast, how much, how long.

use std::time::Duration;

use secrecy::SecretString;
use url::Url;

use super::certificate::ClientCertificate;
use super::credentials::Credentials;
use super::ledger::LedgerLocation;
use super::pace::Rate;
use crate::profile::COUNT;

/// Everything that [`Target::new`](super::Target::new) needs.
#[derive(Debug, Clone)]
pub struct TargetOptions {
    /// Where the SCIM protocol begins, such as `https://api.example.com/scim/v2`.
    pub base_url: Url,
    /// The operator's credentials.
    pub auth: Credentials,
    /// Credentials of a second tenant.
    pub second: Option<Credentials>,
    /// The pace at most.
    pub rate: Option<Rate>,
    /// Requests at most, clean-up included.
    pub requests: Option<u64>,
    /// Time and size limits.
    pub limits: Limits,
    /// Headers of every request, beside the usual ones. A request's own win.
    pub headers: Vec<(String, String)>,
    /// The `User-Agent`; without it `scimspec/VERSION`.
    pub user_agent: Option<String>,
    /// Whether certificates are taken unseen.
    pub insecure: bool,
    /// Certificates in PEM that are trusted beside the system's.
    pub roots: Vec<Vec<u8>>,
    /// A proxy. The environment's is not looked at here.
    pub proxy: Option<Url>,
    /// Whether every request that could write is refused.
    pub read_only: bool,
    /// Where the ledger lies.
    pub ledger: LedgerLocation,
    /// A word of letters and digits, unique to this run, that every resource it creates carries in some value.
    pub run_mark: String,
    /// What the query parameter for the size of a page is called.
    pub page_size_parameter: String,
    /// Headers of every request whose values are secrets beside the credentials, such as a gateway's key.
    pub keys: Vec<(String, SecretString)>,
    /// The certificate that the client shows of itself, whoever's credentials a request carries.
    pub certificate: Option<ClientCertificate>,
    /// The certificate for requests of the second tenant, where it is another.
    pub second_certificate: Option<ClientCertificate>,
    /// For how long a new resource may not show yet.
    pub settle: Option<Duration>,
}

impl TargetOptions {
    /// The defaults for a base URL and a run's mark: no credentials, no pace, no budget, a ledger in memory.
    pub fn new(base_url: Url, run_mark: impl Into<String>) -> TargetOptions {
        TargetOptions {
            base_url,
            auth: Credentials::None,
            second: None,
            rate: None,
            requests: None,
            limits: Limits::default(),
            headers: Vec::new(),
            user_agent: None,
            insecure: false,
            roots: Vec::new(),
            proxy: None,
            read_only: false,
            ledger: LedgerLocation::Memory,
            run_mark: run_mark.into(),
            page_size_parameter: COUNT.to_owned(),
            keys: Vec::new(),
            certificate: None,
            second_certificate: None,
            settle: None,
        }
    }
}

/// Bounds that a hostile service provider cannot pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// For the connection, TLS included.
    pub connect: Duration,
    /// From sending a request to the last byte of its answer.
    pub request: Duration,
    /// Bytes of a body, after decompression.
    pub body: usize,
    /// Bytes of bodies kept for the rules that look at the whole run.
    pub log: usize,
    /// How often a request is repeated that was answered 429, or 503 with Retry-After.
    pub repeats: u32,
    /// The longest wait that a Retry-After is honoured for; beyond it, the answer stands.
    pub retry_after: Duration,
    /// The first wait where 429 came without Retry-After; it doubles each time.
    pub back_off: Duration,
    /// How long a request under way may still take after an interrupt.
    pub grace: Duration,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            connect: Duration::from_secs(10),
            request: Duration::from_secs(30),
            body: 16 << 20,
            log: 256 << 20,
            repeats: 3,
            retry_after: Duration::from_secs(60),
            back_off: Duration::from_secs(1),
            grace: Duration::from_secs(2),
        }
    }
}
