//! Every way in which a command can end before it did its work, with the exit code that goes with it.

use std::io;

use super::BaselineError;
use crate::config::{Config, ConfigError};
use crate::explain::UnknownId;
use crate::fuzz::saved::SavedError;
use crate::outcome::Exit;
use crate::profile::skeleton::SkeletonError;
use crate::profile::{UnknownProfile, UnknownSetting};
use crate::report::file::WriteError;
use crate::server::{
    RateLimitError, SchemaFileError, ServerError, UnknownFault, UnknownServerProfile, UnknownVariant,
};
use crate::snapshot::store::StoreError;
use crate::suite::diagnostic::Diagnostic;
use crate::suite::export::ExportError;
use crate::target::ledger::LedgerError;
use crate::target::{ProbeError, TargetError, TokenError};

/// Why a command could not do its work.
#[derive(Debug, thiserror::Error)]
pub enum AppError {
    /// The command line, the environment or `scimspec.toml`.
    #[error("{}\n", .0.render(false))]
    Config(#[from] ConfigError),
    /// Suite files, with the place of each slip.
    #[error("{0}")]
    Suites(String),
    /// The profile.
    #[error("error: {0}\n")]
    Profile(#[from] UnknownProfile),
    /// A setting that no profile has.
    #[error("error: [settings] in scimspec.toml: {0}\n")]
    Setting(#[from] UnknownSetting),
    /// A fault of the reference server.
    #[error("error: {0}\n  = help: 'scimspec serve --list-faults' names them all\n")]
    Fault(#[from] UnknownFault),
    /// The resource types and extensions of the reference server.
    #[error(
        "error: {0}\n  = help: what /Schemas and /ResourceTypes of a service provider print can stand there as it is:\n          \
         {{\"schemas\": …, \"resourceTypes\": …}}\n"
    )]
    Schemas(#[from] SchemaFileError),
    /// The limit on requests of the reference server.
    #[error("error: {0}\n")]
    RateLimit(#[from] RateLimitError),
    /// The profile of the reference server.
    #[error("error: {0}\n")]
    ServerProfile(#[from] UnknownServerProfile),
    /// A variant of the reference server.
    #[error("error: {0}\n  = help: 'scimspec serve --list-variants' names them all\n")]
    Variant(#[from] UnknownVariant),
    /// The operator has not consented to writes on somebody else's host.
    #[error(
        "error: {host} is not this machine, and a run creates, changes and deletes resources there\n  \
         = help: it touches only what it creates itself; say --yes (or consent = true in scimspec.toml) to agree,\n          \
         or --read-only to run what needs no write\n"
    )]
    Consent {
        /// The host.
        host: String,
    },
    /// The client cannot be set up.
    #[error("error: {0}\n")]
    Target(#[from] TargetError),
    /// The target does not answer as a service provider.
    #[error("error: {error}\n  = help: {hint}\n")]
    Probe {
        /// What happened.
        error: ProbeError,
        /// What to do about it.
        hint: String,
    },
    /// The authorization server.
    #[error("error: {error}\n  = help: {hint}\n")]
    Token {
        /// What happened.
        error: TokenError,
        /// What to do about it.
        hint: String,
    },
    /// The reference server.
    #[error("error: {0}\n")]
    Server(#[from] ServerError),
    /// The ledger.
    #[error("error: {0}\n")]
    Ledger(#[from] LedgerError),
    /// A report cannot be written.
    #[error("error: {0}\n  = help: --junit and --json take the path of a file that can be written\n")]
    Write(#[from] WriteError),
    /// The suites cannot be exported.
    #[error("error: {0}\n")]
    Export(#[from] ExportError),
    /// A new profile cannot be written.
    #[error("error: {0}\n")]
    Skeleton(#[from] SkeletonError),
    /// The JUnit report cannot be made.
    #[error("error: the JUnit report cannot be made: {0}\n")]
    Junit(#[from] quick_junit::SerializeError),
    /// Nothing was selected.
    #[error(
        "error: no case matches\n  = help: 'scimspec list' shows the ids that --case and --skip select by\n"
    )]
    NothingSelected,
    /// A command needs a URL.
    #[error(
        "error: {command} needs the URL of a server\n  = help: scimspec {command} http://localhost:8080/scim/v2\n"
    )]
    NoUrl {
        /// The command.
        command: &'static str,
    },
    /// Accepted payloads that cannot be compared with.
    #[error("{0}")]
    Snapshots(String),
    /// A command about payloads does not know where they are.
    #[error(
        "error: no folder is said to hold accepted payloads\n  = help: scimspec snapshots diff DIR, or snapshots = \"DIR\" in scimspec.toml\n"
    )]
    NoSnapshots,
    /// The list of known failures.
    #[error("{0}")]
    Baseline(#[from] BaselineError),
    /// An id that nothing has.
    #[error(
        "error: {0}\n  = help: 'scimspec list' shows the cases, 'scimspec coverage' the requirements,\n          'scimspec serve --list-faults' the faults, 'scimspec profile list' the profiles\n"
    )]
    Unknown(#[from] UnknownId),
    /// A document that the catalogue does not have.
    #[error("error: the catalogue has no document `{document}`; {hint}\n")]
    UnknownDocument {
        /// What was asked for.
        document: String,
        /// What there is.
        hint: String,
    },
    /// No requirement was selected.
    #[error(
        "error: no requirement matches\n  = help: 'scimspec coverage' shows the documents and sections that there are\n"
    )]
    NoRequirement,
    /// Cases that fuzzing has saved.
    #[error(
        "error: {0}\n  = help: --save takes a folder that can be written, with what earlier runs have saved there\n"
    )]
    Saved(#[from] SavedError),
    /// Printing, threads, signals.
    #[error("error: {0}\n")]
    Io(#[from] io::Error),
}

impl From<ProbeError> for AppError {
    fn from(error: ProbeError) -> AppError {
        AppError::Probe { hint: error.hint(), error }
    }
}

impl From<TokenError> for AppError {
    fn from(error: TokenError) -> AppError {
        AppError::Token { hint: error.hint(), error }
    }
}

impl AppError {
    /// Suite files that cannot be used, each slip with its place.
    pub fn suites(diagnostics: Vec<Diagnostic>, config: &Config) -> AppError {
        let shown: Vec<String> = diagnostics
            .iter()
            .map(|diagnostic| format!("{}\n", diagnostic.render(config.look.colour)))
            .collect();
        AppError::Suites(shown.join("\n"))
    }

    /// Accepted payloads that cannot be compared with; what is damaged is shown at its place.
    pub fn snapshots(error: StoreError, config: &Config) -> AppError {
        AppError::Snapshots(match error {
            StoreError::Damaged(diagnostic) => format!("{}\n", diagnostic.render(config.look.colour)),
            StoreError::Write(error) => {
                format!("error: {error}\n  = help: --snapshots takes a folder that can be written\n")
            }
            other => format!("error: {other}\n"),
        })
    }

    /// The exit code.
    pub fn exit(&self) -> Exit {
        match self {
            AppError::Config(_)
            | AppError::Suites(_)
            | AppError::Profile(_)
            | AppError::Setting(_)
            | AppError::Skeleton(_)
            | AppError::Fault(_)
            | AppError::Schemas(_)
            | AppError::RateLimit(_)
            | AppError::Variant(_)
            | AppError::ServerProfile(_)
            | AppError::Consent { .. }
            | AppError::Target(_)
            | AppError::NoUrl { .. }
            | AppError::Export(_)
            | AppError::Snapshots(_)
            | AppError::NoSnapshots
            | AppError::Baseline(_)
            | AppError::Unknown(_)
            | AppError::UnknownDocument { .. }
            | AppError::NoRequirement
            | AppError::Saved(_)
            | AppError::Write(_) => Exit::Usage,
            AppError::Probe { error, .. } => error.exit(),
            AppError::Token { error, .. } => error.exit(),
            AppError::Server(
                ServerError::SameToken | ServerError::ForeignFault { .. } | ServerError::Config(_),
            ) => Exit::Usage,
            AppError::Server(_) | AppError::Ledger(_) | AppError::Junit(_) | AppError::Io(_) => {
                Exit::Unreachable
            }
            AppError::NothingSelected => Exit::NothingRan,
        }
    }

    /// Whether the reader of our output has gone away.
    pub fn is_broken_pipe(&self) -> bool {
        matches!(self, AppError::Io(error) if error.kind() == io::ErrorKind::BrokenPipe)
    }
}
