//! What can be wrong with a configuration, in words that say how to mend it.

use std::io;
use std::path::PathBuf;

use crate::suite::Diagnostic;
use crate::target::CertificateError;
use crate::target::credentials::CredentialsError;

/// The configuration cannot be used. Every one of these ends scimspec with exit code 2.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// A spot in `scimspec.toml`.
    #[error("{0}")]
    File(Box<Diagnostic>),
    /// A file that cannot be read.
    #[error("cannot read {what} {}: {source}", path.display())]
    Unreadable {
        /// What it was to be: `the configuration`, `the token`.
        what: &'static str,
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// A variable of the environment with a value that cannot be used.
    #[error("{name} in the environment cannot be used: {why}")]
    Environment {
        /// The variable.
        name: String,
        /// What is wrong with its value, which is not repeated: it may be a secret.
        why: String,
    },
    /// A variable that holds a secret and is not there.
    #[error("the environment variable {name} is not set, and {named_by} needs it")]
    MissingVariable {
        /// The variable.
        name: String,
        /// What needs it: `token_env`, `header`.
        named_by: String,
    },
    /// A variable that holds a secret and is empty.
    #[error("the environment variable {name} is empty, and {named_by} needs it")]
    EmptyVariable {
        /// The variable.
        name: String,
        /// What needs it.
        named_by: String,
    },
    /// A URL with a password in it.
    #[error("the URL holds credentials, which would be shown in reports and in the list of processes")]
    OpenUrl,
    /// Several kinds of credentials where one can be sent.
    #[error("{first} and {second} are both given, and scimspec sends one kind of credentials")]
    SeveralCredentials {
        /// One of them.
        first: String,
        /// Another.
        second: String,
    },
    /// A secret where it would be shown.
    #[error("the value of the header {name} would be shown in reports and in the list of processes")]
    OpenSecret {
        /// The header.
        name: String,
    },
    /// A header that is none.
    #[error("'{text}' cannot be a header: {why}")]
    Header {
        /// As given.
        text: String,
        /// What is wrong.
        why: String,
    },
    /// Credentials that cannot be sent.
    #[error("the credentials cannot be used: {0}")]
    Credentials(#[from] CredentialsError),
    /// Payloads are demanded, and there is no place for them.
    #[error("accepted payloads are required, and no folder is said to hold them")]
    NoSnapshots,
    /// Settings of a client that do not come to one.
    #[error("{table} says nothing of {missing}, without which there is no token to get")]
    OAuthIncomplete {
        /// `oauth` or `second.oauth`.
        table: String,
        /// The key that is missing.
        missing: &'static str,
    },
    /// A token endpoint that would get the client's secret in clear.
    #[error(
        "the token endpoint at {host} would be sent the client's secret, and send tokens, without encryption"
    )]
    OpenTokenUrl {
        /// The host of the token endpoint.
        host: String,
    },
    /// A client certificate that cannot be used.
    #[error("the client certificate cannot be used: {}: {error}", path.display())]
    Certificate {
        /// The file at fault.
        path: PathBuf,
        /// What is wrong with it.
        error: CertificateError,
    },
    /// A private key without a certificate.
    #[error("{prefix}key is given without {prefix}cert, and a private key alone is shown to nobody")]
    KeyAlone {
        /// What stands before the keys: nothing, or `second.`.
        prefix: &'static str,
    },
    /// A pattern of cases that is none.
    #[error("{0}")]
    Pattern(#[from] crate::plan::PatternError),
    /// A pattern of generated values that would make the same value twice.
    #[error("new.{name} = \"{pattern}\" has no {{word}} in it, so that all values would be the same")]
    NoWord {
        /// The key below `[new]`.
        name: &'static str,
        /// The pattern.
        pattern: String,
    },
}

impl ConfigError {
    /// What to do about it, where that is not part of the message.
    pub fn hint(&self) -> Option<String> {
        match self {
            ConfigError::File(diagnostic) => diagnostic.hint.clone(),
            ConfigError::MissingVariable { name, .. } | ConfigError::EmptyVariable { name, .. } => {
                Some(format!("export {name}=… before the run; its value appears in no output"))
            }
            ConfigError::SeveralCredentials { .. } => Some("leave one of them out".to_owned()),
            ConfigError::OpenSecret { name } => Some(format!(
                "put it in a variable, and write 'NAME: ${{VAR}}': --header '{name}: ${{MY_SECRET}}'"
            )),
            ConfigError::OpenUrl => {
                Some("use --basic USER, with the password in SCIMSPEC_PASSWORD".to_owned())
            }
            ConfigError::OAuthIncomplete { table, missing } => Some(match table.as_str() {
                "oauth" => {
                    format!(
                        "give --oauth-{}, or {missing} under [oauth] in scimspec.toml",
                        missing.replace('_', "-")
                    )
                }
                table => format!("give {missing} under [{table}] in scimspec.toml"),
            }),
            ConfigError::OpenTokenUrl { .. } => Some(
                "use https://; --insecure consents, for a test server with secrets of its own".to_owned(),
            ),
            ConfigError::Certificate { error, .. } => Some(error.hint()),
            ConfigError::KeyAlone { .. } => {
                Some("give the certificate with --cert; key and certificate may stand in one file".to_owned())
            }
            ConfigError::NoWord { .. } => Some("write it like \"{word}@tenant.example.com\"".to_owned()),
            ConfigError::NoSnapshots => {
                Some("name it: --snapshots DIR, or snapshots = \"DIR\" in scimspec.toml".to_owned())
            }
            ConfigError::Unreadable { .. }
            | ConfigError::Environment { .. }
            | ConfigError::Header { .. }
            | ConfigError::Credentials(_)
            | ConfigError::Pattern(_) => None,
        }
    }

    /// The error as it is printed: message, place with its line and a caret, hint.
    pub fn render(&self, colour: bool) -> String {
        if let ConfigError::File(diagnostic) = self {
            return diagnostic.render(colour);
        }
        match self.hint() {
            Some(hint) => format!("error: {self}\n  = help: {hint}"),
            None => format!("error: {self}"),
        }
    }
}
