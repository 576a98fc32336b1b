//! What can be set, under the same name in `scimspec.toml`, in the environment and on the command line.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use schemars::{JsonSchema, Schema};
use serde::Deserialize;
use serde_json::Value;
use url::Url;

use crate::cli::{Allow, ColorChoice, Deny};
use crate::hook::HookCommand;
use crate::outcome::Reading;
use crate::target::Rate;

use super::value::{de_base_url, de_jobs, de_rate, de_time};

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

    /// What the server is tested for: `rfc`, `okta`, … Default: rfc.
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

/// The credentials of a second tenant or principal. Exactly one of them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Second {
    /// The environment variable that holds its bearer token.
    pub token_env: Option<String>,
    /// The file that holds its bearer token.
    pub token_file: Option<PathBuf>,
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
        let own = self.token_env.is_some() || self.token_file.is_some() || self.basic.is_some();
        let from = |below: Option<String>| if own { None } else { below };
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
            snapshots: self.snapshots.or(below.snapshots),
            snapshots_required: self.snapshots_required.or(below.snapshots_required),
            hooks: if self.hooks.is_empty() { below.hooks } else { self.hooks },
            baseline: self.baseline.or(below.baseline),
            require_core: self.require_core.or(below.require_core),
        }
    }

    /// Paths in a file are meant from the folder of the file.
    pub(super) fn relative_to(mut self, folder: &Path) -> Settings {
        let second = self.second.as_mut().and_then(|second| second.token_file.as_mut());
        let single =
            [&mut self.token_file, &mut self.cacert, &mut self.junit, &mut self.json, &mut self.state];
        let single = single.into_iter().chain([&mut self.snapshots, &mut self.baseline]);
        for path in single.flatten().chain(self.suites.iter_mut()).chain(second) {
            *path = folder.join(&*path);
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
