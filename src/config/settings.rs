//! What can be set, under the same name in `scimspec.toml`, in the environment and on the command line.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use indexmap::IndexMap;
use schemars::{JsonSchema, Schema};
use serde::Deserialize;
use serde_json::Value;
use url::Url;

use crate::cli::{Allow, ColorChoice, Deny};
use crate::hook::HookCommand;
use crate::outcome::Reading;
use crate::target::{ClientAuth, Rate};

use super::value::{de_base_url, de_jobs, de_rate, de_time, de_token_url};

/// The settings of scimspec, as `scimspec.toml` holds them. All of them can be left out. What is given on the
/// command line wins over the environment (SCIMSPEC_ and the name in capitals), and that over this file.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// The base URL of the server, such as http://localhost:8080/scim/v2. Without it, the reference server inside
    /// scimspec is tested.
    #[serde(deserialize_with = "de_base_url")]
    #[schemars(with = "Option<String>", extend("format" = "uri"))]
    pub url: Option<Url>,
    /// The environment variable that holds the bearer token.
    pub token_env: Option<String>,
    /// The file that holds the bearer token.
    pub token_file: Option<PathBuf>,
    /// The user to log in as; the password is read from the environment.
    pub basic: Option<String>,
    /// The environment variable that holds the password for `basic`. Default: SCIMSPEC_PASSWORD.
    pub password_env: Option<String>,
    /// Headers of every request, each `Name: value`; `${VAR}` in a value is read from the environment.
    pub header: Vec<String>,
    /// The time limit of one request: `30s`, `500ms`, `2m`.
    #[serde(deserialize_with = "de_time")]
    #[schemars(with = "Option<String>", extend("pattern" = "^[0-9]+(ms|s|m)$"))]
    pub timeout: Option<Duration>,
    /// The pace: `100/min`, `5/s`, `1000/h`.
    #[serde(deserialize_with = "de_rate")]
    #[schemars(with = "Option<String>", extend("pattern" = "^[0-9]+/(s|sec|second|m|min|minute|h|hour)$"))]
    pub rate: Option<Rate>,
    /// How many requests a run may make in all.
    pub requests: Option<u64>,
    /// Takes the server's certificate unseen. For test servers only.
    pub insecure: Option<bool>,
    /// A file with further certificates to trust, in PEM.
    pub cacert: Option<PathBuf>,
    /// A proxy for all requests.
    #[serde(deserialize_with = "de_base_url")]
    #[schemars(with = "Option<String>", extend("format" = "uri"))]
    pub proxy: Option<Url>,

    /// What the server is tested for: `rfc`, `okta`, …, or the path of a profile of yours. Default: rfc.
    pub profile: Option<String>,
    /// Patterns of the ids of cases to run, such as `patch/*`.
    pub case: Vec<String>,
    /// Patterns of the ids of cases to leave out.
    pub skip: Vec<String>,
    /// Tags of cases to run.
    pub tag: Vec<String>,
    /// Folders with further suites.
    pub suites: Vec<PathBuf>,

    /// How disputed spots of the RFCs are read. Default: lenient.
    pub reading: Option<Reading>,
    /// What counts as a failure beside failures.
    pub deny: Option<Deny>,
    /// Runs only what needs no write.
    pub read_only: Option<bool>,
    /// Consents to writes on a host that is not this one, as `--yes` does.
    #[serde(alias = "yes")]
    pub consent: Option<bool>,
    /// What may run although it may disturb the server, or take minutes.
    pub allow: Vec<Allow>,
    /// How many cases run at once. Default: 4.
    #[serde(deserialize_with = "de_jobs")]
    #[schemars(range(min = 1))]
    pub jobs: Option<u16>,
    /// The seed of generated values.
    pub seed: Option<u64>,
    /// Where to write a JUnit report.
    pub junit: Option<PathBuf>,
    /// Where to write the whole report as JSON.
    pub json: Option<PathBuf>,
    /// Keeps every exchange in the JSON report.
    pub all_exchanges: Option<bool>,
    /// When to use colours. Default: auto.
    pub color: Option<ColorChoice>,
    /// The folder of the ledgers, in which scimspec notes what it creates. Default: $XDG_STATE_HOME/scimspec.
    pub state: Option<PathBuf>,

    /// The credentials of a second tenant or principal, for cases about keeping them apart.
    pub second: Option<Second>,
    /// What the server insists on beyond the RFC.
    pub template: Template,
    /// How generated values have to look.
    pub new: New,
    /// Bounds on time and size.
    pub limits: LimitSettings,
    /// What the profile asks the operator to say, by the names of its settings.
    #[schemars(schema_with = "attributes")]
    pub settings: toml::Table,

    /// The file that lists the known failures; `scimspec baseline write` makes one.
    pub baseline: Option<PathBuf>,
    /// Fails where a feature that is core to the profile was not tested.
    pub require_core: Option<bool>,
    /// The folder of accepted payloads that answers are compared with.
    pub snapshots: Option<PathBuf>,
    /// Fails where no payload is accepted yet, instead of a warning.
    pub snapshots_required: Option<bool>,
    /// Commands for what no SCIM request can bring about, by their names: `[hooks.accept-invitation]`.
    pub hooks: BTreeMap<String, HookSettings>,
    /// A client that an authorization server issues bearer tokens to, by the client credentials grant.
    pub oauth: OAuth,
    /// A client certificate to show the server, in PEM.
    pub cert: Option<PathBuf>,
    /// The certificate's private key, in PEM, where it is not in the same file.
    pub key: Option<PathBuf>,
    /// For how long a read that contradicts a write is made again before it is judged: `5s`.
    #[serde(deserialize_with = "de_time")]
    #[schemars(with = "Option<String>", extend("pattern" = "^[0-9]+(ms|s|m)$"))]
    pub settle: Option<Duration>,
}

/// A command that cases run. It is told by its environment (SCIMSPEC_URL, SCIMSPEC_ARG_…) and answers with nothing, or
/// with one JSON object on standard output; a member `token` of it replaces the credentials of the run.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct HookSettings {
    /// What to run: a text, which `sh -c` runs, or a list of a program and its arguments.
    #[serde(deserialize_with = "de_command")]
    #[schemars(schema_with = "command")]
    pub command: HookCommand,
    /// How long it may take. Default: 30s.
    #[serde(default, deserialize_with = "de_time")]
    #[schemars(with = "Option<String>", extend("pattern" = "^[0-9]+(ms|s|m)$"))]
    pub within: Option<Duration>,
    /// The folder of the file, in which it runs.
    #[serde(skip)]
    pub folder: Option<PathBuf>,
}

fn de_command<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<HookCommand, D::Error> {
    struct CommandVisitor;
    impl<'de> serde::de::Visitor<'de> for CommandVisitor {
        type Value = HookCommand;
        fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("a command: a text for `sh -c`, or a list of a program and its arguments")
        }
        fn visit_str<E: serde::de::Error>(self, line: &str) -> Result<HookCommand, E> {
            if line.trim().is_empty() {
                return Err(E::invalid_value(serde::de::Unexpected::Str(line), &self));
            }
            Ok(HookCommand::Shell(line.to_owned()))
        }
        fn visit_seq<A: serde::de::SeqAccess<'de>>(self, mut all: A) -> Result<HookCommand, A::Error> {
            let mut words: Vec<String> = Vec::new();
            while let Some(word) = all.next_element()? {
                words.push(word);
            }
            if words.first().is_none_or(|program| program.trim().is_empty()) {
                return Err(serde::de::Error::invalid_length(0, &self));
            }
            Ok(HookCommand::Program(words))
        }
    }
    deserializer.deserialize_any(CommandVisitor)
}

fn command(_: &mut schemars::SchemaGenerator) -> Schema {
    schemars::json_schema!({
        "description": "What to run: a text, which `sh -c` runs, or a list of a program and its arguments.",
        "oneOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}, "minItems": 1}]
    })
}

/// A client that an authorization server issues bearer tokens to, by the client credentials grant of OAuth 2 (RFC 6749
/// section 4.4).
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct OAuth {
    /// The token endpoint.
    #[serde(deserialize_with = "de_token_url")]
    #[schemars(with = "Option<String>", extend("format" = "uri"))]
    pub token_url: Option<Url>,
    /// The client's id.
    pub client_id: Option<String>,
    /// The environment variable that holds the client's secret. Default: SCIMSPEC_CLIENT_SECRET.
    pub client_secret_env: Option<String>,
    /// The file that holds the client's secret.
    pub client_secret_file: Option<PathBuf>,
    /// The scope to ask for.
    pub scope: Option<String>,
    /// How the client shows who it is: `basic` (in the header) or `body`. Default: basic.
    pub client_auth: Option<ClientAuth>,
    /// Further parameters of the request for a token, such as `audience = "https://api.example.com"`.
    pub parameters: IndexMap<String, String>,
}

impl OAuth {
    /// Whether anything is said.
    pub fn is_given(&self) -> bool {
        *self != OAuth::default()
    }

    fn over(self, below: OAuth) -> OAuth {
        let own = self.client_secret_env.is_some() || self.client_secret_file.is_some();
        OAuth {
            token_url: self.token_url.or(below.token_url),
            client_id: self.client_id.or(below.client_id),
            client_secret_env: self.client_secret_env.or(if own { None } else { below.client_secret_env }),
            client_secret_file: self.client_secret_file.or(if own { None } else { below.client_secret_file }),
            scope: self.scope.or(below.scope),
            client_auth: self.client_auth.or(below.client_auth),
            parameters: if self.parameters.is_empty() { below.parameters } else { self.parameters },
        }
    }
}

/// The credentials of a second tenant or principal, in the same forms as those of the first, and one of them; a
/// certificate can stand beside them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Second {
    /// The environment variable that holds its bearer token.
    pub token_env: Option<String>,
    /// The file that holds its bearer token.
    pub token_file: Option<PathBuf>,
    /// Its user; the password is read from the environment.
    pub basic: Option<String>,
    /// The environment variable that holds the password for `basic`.
    pub password_env: Option<String>,
    /// The header that carries its credentials, `Name: value` with `${VAR}` in the value.
    pub header: Option<String>,
    /// Its client at an authorization server.
    pub oauth: OAuth,
    /// Its client certificate, in PEM. Without one, that of the first is shown.
    pub cert: Option<PathBuf>,
    /// The certificate's private key, in PEM, where it is not in the same file.
    pub key: Option<PathBuf>,
}

/// Attributes that are put under the resources which scimspec creates, where a case does not set them itself.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Template {
    /// Under every User, such as `displayName = "Ann Example"`.
    #[schemars(schema_with = "attributes")]
    pub user: toml::Table,
    /// Under every Group.
    #[schemars(schema_with = "attributes")]
    pub group: toml::Table,
}

fn attributes(_: &mut schemars::SchemaGenerator) -> Schema {
    schemars::json_schema!({"type": "object", "additionalProperties": true})
}

/// How generated values have to look. `{word}` stands for a word that is unique, and has to be kept in.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default, rename_all = "camelCase")]
pub struct New {
    /// userNames, such as `{word}@tenant.example.com`.
    pub user_name: Option<String>,
    /// E-mail addresses.
    pub email: Option<String>,
    /// Names of groups.
    pub display_name: Option<String>,
    /// External ids.
    pub external_id: Option<String>,
}

/// Bounds on time and size, beside `timeout`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct LimitSettings {
    /// The time limit of a connection, TLS included. Default: 10s.
    #[serde(deserialize_with = "de_time")]
    #[schemars(with = "Option<String>", extend("pattern" = "^[0-9]+(ms|s|m)$"))]
    pub connect: Option<Duration>,
    /// How many bytes of a body are read, after decompression. Default: 16777216.
    #[schemars(range(min = 1024))]
    pub body_bytes: Option<usize>,
    /// How often a request is repeated that was answered 429. Default: 3.
    pub repeats: Option<u32>,
    /// The longest wait for which Retry-After is honoured. Default: 60s.
    #[serde(deserialize_with = "de_time")]
    #[schemars(with = "Option<String>", extend("pattern" = "^[0-9]+(ms|s|m)$"))]
    pub retry_after: Option<Duration>,
}

impl Settings {
    /// These settings, and where they say nothing, those below. A list replaces the one below it; credentials are
    /// one setting, whichever way they are given.
    pub fn over(self, below: Settings) -> Settings {
        fn list<T>(above: Vec<T>, below: Vec<T>) -> Vec<T> {
            if above.is_empty() { below } else { above }
        }
        let own = self.token_env.is_some()
            || self.token_file.is_some()
            || self.basic.is_some()
            || self.oauth.is_given();
        let from = |below: Option<String>| if own { None } else { below };
        let oauth = match (own, self.oauth.is_given()) {
            (true, false) => OAuth::default(),
            // What another layer says of the same client goes with it.
            _ => self.oauth.over(below.oauth),
        };
        let own_certificate = self.cert.is_some();
        Settings {
            url: self.url.or(below.url),
            token_env: self.token_env.or(from(below.token_env)),
            token_file: self.token_file.or(if own { None } else { below.token_file }),
            basic: self.basic.or(from(below.basic)),
            password_env: self.password_env.or(below.password_env),
            header: list(self.header, below.header),
            timeout: self.timeout.or(below.timeout),
            rate: self.rate.or(below.rate),
            requests: self.requests.or(below.requests),
            insecure: self.insecure.or(below.insecure),
            cacert: self.cacert.or(below.cacert),
            proxy: self.proxy.or(below.proxy),
            profile: self.profile.or(below.profile),
            case: list(self.case, below.case),
            skip: list(self.skip, below.skip),
            tag: list(self.tag, below.tag),
            suites: list(self.suites, below.suites),
            reading: self.reading.or(below.reading),
            deny: self.deny.or(below.deny),
            read_only: self.read_only.or(below.read_only),
            consent: self.consent.or(below.consent),
            allow: list(self.allow, below.allow),
            jobs: self.jobs.or(below.jobs),
            seed: self.seed.or(below.seed),
            junit: self.junit.or(below.junit),
            json: self.json.or(below.json),
            all_exchanges: self.all_exchanges.or(below.all_exchanges),
            color: self.color.or(below.color),
            state: self.state.or(below.state),
            second: self.second.or(below.second),
            template: if self.template == Template::default() { below.template } else { self.template },
            new: if self.new == New::default() { below.new } else { self.new },
            limits: if self.limits == LimitSettings::default() { below.limits } else { self.limits },
            settings: if self.settings.is_empty() { below.settings } else { self.settings },
            snapshots: self.snapshots.or(below.snapshots),
            snapshots_required: self.snapshots_required.or(below.snapshots_required),
            hooks: if self.hooks.is_empty() { below.hooks } else { self.hooks },
            oauth,
            cert: self.cert.or(below.cert),
            key: self.key.or(if own_certificate { None } else { below.key }),
            settle: self.settle.or(below.settle),
            baseline: self.baseline.or(below.baseline),
            require_core: self.require_core.or(below.require_core),
        }
    }

    /// Paths in a file are meant from the folder of the file.
    pub(super) fn relative_to(mut self, folder: &Path) -> Settings {
        let second = self.second.iter_mut().flat_map(|second| {
            [&mut second.token_file, &mut second.oauth.client_secret_file, &mut second.cert, &mut second.key]
        });
        let single =
            [&mut self.token_file, &mut self.cacert, &mut self.junit, &mut self.json, &mut self.state];
        let own = [
            &mut self.snapshots,
            &mut self.baseline,
            &mut self.oauth.client_secret_file,
            &mut self.cert,
            &mut self.key,
        ];
        let single = single.into_iter().chain(own).chain(second);
        for path in single.flatten().chain(self.suites.iter_mut()) {
            *path = folder.join(&*path);
        }
        if let Some(profile) = self.profile.as_mut().filter(|profile| crate::profile::is_file(profile)) {
            *profile = folder.join(&*profile).display().to_string();
        }
        for hook in self.hooks.values_mut() {
            hook.folder = Some(folder.to_owned());
        }
        self
    }
}

/// TOML as the JSON that it means. A date has no JSON form but its text.
pub(super) fn to_json(value: &toml::Value) -> Value {
    match value {
        toml::Value::String(text) => Value::from(text.as_str()),
        toml::Value::Integer(number) => Value::from(*number),
        toml::Value::Float(number) => Value::from(*number),
        toml::Value::Boolean(truth) => Value::from(*truth),
        toml::Value::Datetime(date) => Value::from(date.to_string()),
        toml::Value::Array(items) => Value::Array(items.iter().map(to_json).collect()),
        toml::Value::Table(members) => {
            Value::Object(members.iter().map(|(name, member)| (name.clone(), to_json(member))).collect())
        }
    }
}

/// The JSON Schema of `scimspec.toml`: `schema/config.schema.json`.
pub fn schema() -> Value {
    let mut schema = schemars::schema_for!(Settings);
    schema.insert("title".to_owned(), "scimspec.toml".into());
    schema.to_value()
}
