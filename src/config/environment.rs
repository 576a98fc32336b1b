//! The environment of the process, read once: variables, the current folder, the terminal.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io::IsTerminal;
use std::path::PathBuf;

use clap::ValueEnum;

use crate::suite::nearest;

use super::error::ConfigError;
use super::settings::{OAuth, Settings};
use super::value;

/// What every variable of ours begins with.
const PREFIX: &str = "SCIMSPEC_";

/// Variables of ours that are no settings.
const OTHERS: [&str; 4] =
    ["SCIMSPEC_TOKEN", "SCIMSPEC_PASSWORD", "SCIMSPEC_CLIENT_SECRET", "SCIMSPEC_CONFIG"];

/// What the process was started in.
#[derive(Clone)]
pub struct Environment {
    /// The variables.
    variables: BTreeMap<String, OsString>,
    /// The current folder.
    pub folder: PathBuf,
    /// Whether standard output is a terminal.
    pub terminal: bool,
    /// How wide the terminal is, if it is one.
    pub columns: Option<usize>,
}

impl std::fmt::Debug for Environment {
    /// Without values: any of them may be a secret.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Environment").field("folder", &self.folder).finish_non_exhaustive()
    }
}

impl Environment {
    /// Reads the environment of this process. Nothing else in scimspec does.
    ///
    /// # Errors
    /// When there is no current folder.
    pub fn read() -> Result<Environment, ConfigError> {
        let folder = std::env::current_dir().map_err(|source| ConfigError::Unreadable {
            what: "the current folder",
            path: PathBuf::from("."),
            source,
        })?;
        let terminal = std::io::stdout().is_terminal();
        let size = if terminal { terminal_size::terminal_size() } else { None };
        let columns = size.map(|(width, _)| usize::from(width.0));
        let variables =
            std::env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value))).collect();
        Ok(Environment { variables, folder, terminal, columns })
    }

    /// An environment of these variables, without a terminal: for tests and for callers of the library.
    pub fn of<'a>(
        folder: impl Into<PathBuf>,
        variables: impl IntoIterator<Item = (&'a str, &'a str)>,
    ) -> Environment {
        let variables =
            variables.into_iter().map(|(name, value)| (name.to_owned(), OsString::from(value))).collect();
        Environment { variables, folder: folder.into(), terminal: false, columns: None }
    }

    /// A variable that is set and not empty.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.variables.get(name).and_then(|value| value.to_str()).filter(|value| !value.is_empty())
    }

    /// A variable that has to be there.
    pub(super) fn demand(&self, name: &str, named_by: &str) -> Result<&str, ConfigError> {
        let Some(value) = self.variables.get(name) else {
            return Err(ConfigError::MissingVariable {
                name: name.to_owned(),
                named_by: named_by.to_owned(),
            });
        };
        match value.to_str() {
            None => {
                Err(ConfigError::Environment { name: name.to_owned(), why: "it is not UTF-8".to_owned() })
            }
            Some(text) if text.trim().is_empty() => {
                Err(ConfigError::EmptyVariable { name: name.to_owned(), named_by: named_by.to_owned() })
            }
            Some(text) => Ok(text),
        }
    }

    /// A folder that a variable names; a relative one does not count (XDG Base Directory Specification).
    pub(super) fn folder_of(&self, name: &str) -> Option<PathBuf> {
        self.variables.get(name).map(PathBuf::from).filter(|path| path.is_absolute())
    }

    /// The settings in variables, each `SCIMSPEC_` and the setting's name in capitals.
    pub(super) fn settings(&self) -> Result<Settings, ConfigError> {
        Ok(Settings {
            url: self.parsed("URL", value::base_url)?,
            token_env: self.text("TOKEN_ENV"),
            token_file: self.text("TOKEN_FILE").map(PathBuf::from),
            basic: self.text("BASIC"),
            password_env: self.text("PASSWORD_ENV"),
            header: self.get("SCIMSPEC_HEADER").map(|line| vec![line.to_owned()]).unwrap_or_default(),
            timeout: self.parsed("TIMEOUT", value::time)?,
            rate: self.parsed("RATE", |text| {
                text.parse().map_err(|error: crate::target::pace::RateError| error.to_string())
            })?,
            requests: self.number("REQUESTS")?,
            insecure: self.parsed("INSECURE", value::switch)?,
            cacert: self.text("CACERT").map(PathBuf::from),
            proxy: self.parsed("PROXY", value::base_url)?,
            profile: self.text("PROFILE"),
            case: self.list("CASE"),
            skip: self.list("SKIP"),
            tag: self.list("TAG"),
            suites: self.list("SUITES").into_iter().map(PathBuf::from).collect(),
            reading: self.parsed("READING", choice)?,
            deny: self.parsed("DENY", choice)?,
            read_only: self.parsed("READ_ONLY", value::switch)?,
            consent: match self.parsed("CONSENT", value::switch)? {
                None => self.parsed("YES", value::switch)?,
                consent => consent,
            },
            allow: self.choices("ALLOW")?,
            jobs: self.parsed("JOBS", value::jobs)?,
            seed: self.number("SEED")?,
            junit: self.text("JUNIT").map(PathBuf::from),
            json: self.text("JSON").map(PathBuf::from),
            all_exchanges: self.parsed("ALL_EXCHANGES", value::switch)?,
            color: self.parsed("COLOR", choice)?,
            state: self.text("STATE").map(PathBuf::from),
            snapshots: self.text("SNAPSHOTS").map(PathBuf::from),
            snapshots_required: self.parsed("SNAPSHOTS_REQUIRED", value::switch)?,
            oauth: OAuth {
                token_url: self.parsed("OAUTH_TOKEN_URL", value::token_url)?,
                client_id: self.text("OAUTH_CLIENT_ID"),
                client_secret_env: self.text("OAUTH_CLIENT_SECRET_ENV"),
                client_secret_file: self.text("OAUTH_CLIENT_SECRET_FILE").map(PathBuf::from),
                scope: self.text("OAUTH_SCOPE"),
                client_auth: self.parsed("OAUTH_CLIENT_AUTH", choice)?,
                parameters: self
                    .list("OAUTH_PARAMETERS")
                    .iter()
                    .map(|text| value::parameter(text))
                    .collect::<Result<_, String>>()
                    .map_err(|why| ConfigError::Environment {
                        name: format!("{PREFIX}OAUTH_PARAMETERS"),
                        why,
                    })?,
            },
            cert: self.text("CERT").map(PathBuf::from),
            key: self.text("KEY").map(PathBuf::from),
            settle: self.parsed("SETTLE", value::time)?,
            baseline: self.text("BASELINE").map(PathBuf::from),
            require_core: self.parsed("REQUIRE_CORE", value::switch)?,
            ..Settings::default()
        })
    }

    /// Variables that begin as ours do and are none, with what was probably meant; those that a setting names as
    /// the holder of a secret are somebody's own.
    pub(super) fn slips(&self, named: &[&str]) -> Vec<String> {
        let known: Vec<String> = SETTINGS.iter().map(|name| format!("{PREFIX}{name}")).collect();
        let known: Vec<&str> = known.iter().map(String::as_str).chain(OTHERS).collect();
        self.variables
            .keys()
            .filter(|name| {
                name.starts_with(PREFIX) && !known.contains(&name.as_str()) && !named.contains(&name.as_str())
            })
            .map(|name| {
                let hint = nearest::nearest(name, known.iter().copied());
                let hint = hint.map(|meant| format!("; did you mean {meant}?")).unwrap_or_default();
                format!("{name} in the environment is no setting of scimspec{hint}")
            })
            .collect()
    }

    fn text(&self, name: &str) -> Option<String> {
        self.get(&format!("{PREFIX}{name}")).map(str::to_owned)
    }

    fn list(&self, name: &str) -> Vec<String> {
        let text = self.text(name).unwrap_or_default();
        text.split(',').map(str::trim).filter(|part| !part.is_empty()).map(str::to_owned).collect()
    }

    fn parsed<T>(
        &self,
        name: &str,
        parse: impl Fn(&str) -> Result<T, String>,
    ) -> Result<Option<T>, ConfigError> {
        self.text(name)
            .map(|text| parse(&text))
            .transpose()
            .map_err(|why| ConfigError::Environment { name: format!("{PREFIX}{name}"), why })
    }

    fn number(&self, name: &str) -> Result<Option<u64>, ConfigError> {
        self.parsed(name, |text| text.trim().parse().map_err(|_| "it is no whole number".to_owned()))
    }

    fn choices<T: ValueEnum>(&self, name: &str) -> Result<Vec<T>, ConfigError> {
        let all: Result<Vec<T>, String> = self.list(name).iter().map(|text| choice(text)).collect();
        all.map_err(|why| ConfigError::Environment { name: format!("{PREFIX}{name}"), why })
    }
}

/// The settings that the environment can hold: all but the tables of the file, of which `[oauth]` can.
pub(super) const SETTINGS: [&str; 44] = [
    "URL",
    "TOKEN_ENV",
    "TOKEN_FILE",
    "BASIC",
    "PASSWORD_ENV",
    "HEADER",
    "TIMEOUT",
    "RATE",
    "REQUESTS",
    "INSECURE",
    "CACERT",
    "PROXY",
    "PROFILE",
    "CASE",
    "SKIP",
    "TAG",
    "SUITES",
    "READING",
    "DENY",
    "READ_ONLY",
    "CONSENT",
    "YES",
    "ALLOW",
    "JOBS",
    "SEED",
    "JUNIT",
    "JSON",
    "ALL_EXCHANGES",
    "COLOR",
    "STATE",
    "SNAPSHOTS",
    "SNAPSHOTS_REQUIRED",
    "OAUTH_TOKEN_URL",
    "OAUTH_CLIENT_ID",
    "OAUTH_CLIENT_SECRET_ENV",
    "OAUTH_CLIENT_SECRET_FILE",
    "OAUTH_SCOPE",
    "OAUTH_CLIENT_AUTH",
    "OAUTH_PARAMETERS",
    "CERT",
    "KEY",
    "SETTLE",
    "BASELINE",
    "REQUIRE_CORE",
];

fn choice<T: ValueEnum>(text: &str) -> Result<T, String> {
    T::from_str(text.trim(), true).map_err(|_| {
        let known: Vec<String> = T::value_variants()
            .iter()
            .filter_map(T::to_possible_value)
            .map(|v| v.get_name().to_owned())
            .collect();
        format!("it is none of {}", known.join(", "))
    })
}
