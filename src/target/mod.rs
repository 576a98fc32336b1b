//! The client that speaks to the service provider under test, and the promises it keeps: it touches only what
//! this run created, is bounded in time and memory, keeps to the pace it was given, and shows no secret.
//!
//! [`client::Target`] sends; [`guard`] decides what may be sent; [`ledger`] remembers on disk what is ours;
//! [`clean_up`] removes it; [`probe`] asks what the service provider claims, and [`capabilities`] judges that
//! claim without a network; [`needs`] fills in what it demands of every resource. Nothing here knows cases or
//! verdicts.

pub mod batch;
mod body;
pub mod capabilities;
pub mod certificate;
pub mod clean_up;
pub mod client;
pub mod consent;
mod converse;
pub mod credentials;
pub mod exchange;
pub mod failure;
pub mod grant;
pub mod guard;
pub mod ledger;
mod masks;
pub mod needs;
pub mod options;
mod ownership;
pub mod pace;
pub mod pauses;
pub mod probe;
pub mod request;
mod settle;
mod setup;
pub mod tokens;
mod wire;

pub use batch::{BulkUse, Grown};
pub use capabilities::Capabilities;
pub use certificate::{CertificateError, ClientCertificate};
pub use clean_up::{CleanUp, Left};
pub use client::Target;
pub use consent::consent_needed;
pub use credentials::Credentials;
pub use grant::{ClientAuth, ClientCredentials};
pub use guard::{Permissions, Refusal};
pub use ledger::{LedgerLocation, Leftover, Leftovers};
pub use options::{Limits, TargetOptions};
pub(crate) use ownership::identifier;
pub use pace::Rate;
pub use probe::{Probe, ProbeError};
pub use request::{Created, RequestPlan, Sent, resource_at, resource_path};
pub(crate) use settle::id_in;
pub use setup::TargetError;
pub use tokens::TokenError;
