//! What a run is told: `scimspec.toml`, the environment and the command line, laid over each other and turned into
//! what they mean.
//!
//! [`Config`] is what the rest of scimspec sees; it holds no flag and no text that still has to be understood.
//! [`environment`] is the only place that reads the environment. Secrets come in here, and go on in a type that does
//! not show them.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use clap::ValueEnum;
use secrecy::SecretString;
use serde_json::{Map, Value};
use url::Url;

use crate::cli::{
    Allow, BaselineAction, Cli, ColorChoice, Command, Deny, FuzzArguments, OAuthArguments, ProfileCommand,
    RunArguments, SelectionArguments, TargetArguments,
};
use crate::hook::{self, Hook, Hooks};
use crate::outcome::Reading;
use crate::plan::{Selection, quick_cases};
use crate::report::look::Look;
use crate::report::model::{AccessNames, CredentialNames, HeaderRecord, Keep};
use crate::suite::fresh::Patterns;
use crate::suite::model::Permission;
use crate::target::{ClientCertificate, Credentials, LedgerLocation, Limits, Rate, TargetOptions};

mod access;
pub mod environment;
pub mod error;
pub mod file;
pub mod settings;
pub mod value;

use access::{Access, access, variables};

pub use environment::Environment;
pub use error::ConfigError;
pub use settings::Settings;

/// The profile where none is named.
const PROFILE: &str = "rfc";
/// How many cases run at once where nothing is said.
const JOBS: u16 = 4;
/// The width of output that goes to no terminal.
const WIDTH: usize = 100;
/// No narrower and no wider, whatever the terminal says.
const WIDTHS: std::ops::RangeInclusive<usize> = 60..=160;

/// What a command was told, understood.
#[derive(Debug, Clone)]
pub struct Config {
    /// The base URL of the service provider; without one, the reference server inside scimspec is meant.
    pub url: Option<Url>,
    /// The operator's credentials.
    pub credentials: Credentials,
    /// Where they came from, for reports: names only.
    pub credential_names: CredentialNames,
    /// Credentials of a second tenant.
    pub second: Option<Credentials>,
    /// Headers of every request that hold no secret.
    pub headers: Vec<(String, String)>,
    /// All headers as the operator wrote them, for reports.
    pub header_names: Vec<HeaderRecord>,
    /// The pace.
    pub rate: Option<Rate>,
    /// Requests at most.
    pub requests: Option<u64>,
    /// Bounds on time and size.
    pub limits: Limits,
    /// Whether certificates are taken unseen.
    pub insecure: bool,
    /// Further certificates to trust, in PEM.
    pub roots: Vec<Vec<u8>>,
    /// A proxy.
    pub proxy: Option<Url>,
    /// The profile's name.
    pub profile: String,
    /// Which cases.
    pub selection: Selection,
    /// Folders with further suites.
    pub suites: Vec<PathBuf>,
    /// How disputed spots are read.
    pub reading: Reading,
    /// Whether warnings count as failures.
    pub deny_warnings: bool,
    /// Whether nothing may be written.
    pub read_only: bool,
    /// Whether writes to a host that is not this one are consented to.
    pub consent: bool,
    /// What may run although it disturbs.
    pub allow: Vec<Permission>,
    /// How many cases run at once.
    pub jobs: usize,
    /// The seed of generated values.
    pub seed: u64,
    /// Where to write JUnit.
    pub junit: Option<PathBuf>,
    /// Where to write JSON.
    pub json: Option<PathBuf>,
    /// Which exchanges the JSON report keeps.
    pub keep: Keep,
    /// How output looks.
    pub look: Look,
    /// The folder of the ledgers.
    pub state: PathBuf,
    /// What is put under every User.
    pub template_user: Value,
    /// What is put under every Group.
    pub template_group: Value,
    /// How generated values look.
    pub patterns: Patterns,
    /// The arguments after `scimspec run` that say the same again, without selection of cases, reports and secrets.
    pub arguments: Vec<String>,
    /// What the operator should know, a line each.
    pub warnings: Vec<String>,
    /// What the operator says of the profile's settings: `[settings]`.
    pub settings: Map<String, Value>,
    /// The folder of accepted payloads.
    pub snapshots: Option<PathBuf>,
    /// Whether a payload that nobody accepted yet is a failure.
    pub snapshots_required: bool,
    /// Commands for what no SCIM request can bring about.
    pub hooks: Hooks,
    /// Headers of every request that hold a secret beside the credentials.
    pub keys: Vec<(String, SecretString)>,
    /// The certificate that the client shows.
    pub certificate: Option<ClientCertificate>,
    /// The certificate that the client shows for the second tenant, if it is another.
    pub second_certificate: Option<ClientCertificate>,
    /// How connections and the second tenant's requests are secured, for reports: names only.
    pub access_names: AccessNames,
    /// For how long a read may contradict a write before it is judged.
    pub settle: Option<Duration>,
    /// The file of the known failures.
    pub baseline: Option<PathBuf>,
    /// Whether a core feature that was not tested counts as a failure.
    pub require_core: bool,
}

impl Config {
    /// Understands a command line in an environment, with the configuration file where the command reads one.
    ///
    /// # Errors
    /// What cannot be used, with its place and a hint.
    pub fn load(cli: &Cli, environment: &Environment) -> Result<Config, ConfigError> {
        let flags = flags(cli);
        let from_environment = environment.settings()?;
        let in_file = if matches!(cli.command, Command::Schema(_) | Command::Serve(_)) {
            Settings::default()
        } else {
            let given =
                cli.common.config.clone().or_else(|| environment.get("SCIMSPEC_CONFIG").map(PathBuf::from));
            file::read(given.as_deref(), &environment.folder)?
        };
        let arguments = arguments(&flags);
        let settings = flags.over(from_environment).over(in_file);
        let speaks = match &cli.command {
            Command::Run(_) | Command::Fuzz(_) | Command::Probe(_) | Command::Clean(_) => true,
            Command::List(list) => list.plan,
            _ => false,
        };
        resolve(settings, arguments, speaks, environment)
    }

    /// How output looks before a configuration is understood: for its errors.
    pub fn look(cli: &Cli, environment: &Environment) -> Look {
        let color =
            cli.common.color.or_else(|| environment.settings().ok().and_then(|settings| settings.color));
        look(color.unwrap_or_default(), environment)
    }

    /// What the client has to know, for this base URL and run. The embedded server needs no ledger on disk: it
    /// vanishes with the process.
    pub fn target_options(&self, base_url: Url, run_mark: &str) -> TargetOptions {
        TargetOptions {
            auth: self.credentials.clone(),
            second: self.second.clone(),
            rate: self.rate,
            requests: self.requests,
            limits: self.limits,
            headers: self.headers.clone(),
            insecure: self.insecure,
            roots: self.roots.clone(),
            proxy: self.proxy.clone(),
            read_only: self.read_only,
            ledger: match self.url {
                Some(_) => LedgerLocation::Directory(self.state.clone()),
                None => LedgerLocation::Memory,
            },
            keys: self.keys.clone(),
            certificate: self.certificate.clone(),
            second_certificate: self.second_certificate.clone(),
            settle: self.settle,
            ..TargetOptions::new(base_url, run_mark)
        }
    }
}

/// What was typed, as settings.
fn flags(cli: &Cli) -> Settings {
    let mut settings = match &cli.command {
        Command::Run(run) => run_settings(run),
        Command::Fuzz(fuzz) => fuzz_settings(fuzz.arguments()),
        Command::List(list) => selection_settings(&list.selection, target_settings(&list.target)),
        Command::Probe(probe) => target_settings(&probe.target),
        Command::Clean(clean) => {
            Settings { consent: clean.yes.then_some(true), ..target_settings(&clean.target) }
        }
        Command::Profile(ProfileCommand::List(list)) => {
            Settings { suites: list.suites.clone(), ..Settings::default() }
        }
        Command::Check(_) | Command::Serve(_) | Command::Schema(_) | Command::Profile(_) => {
            Settings::default()
        }
        Command::Snapshots(snapshots) => Settings {
            snapshots: snapshots.folder.clone(),
            case: snapshots.case.clone(),
            suites: snapshots.suites.clone(),
            ..Settings::default()
        },
        Command::Baseline(baseline) => {
            let file = match &baseline.action {
                BaselineAction::Write(write) => &write.out,
                BaselineAction::Update(update) => &update.baseline,
            };
            Settings { baseline: file.clone(), ..Settings::default() }
        }
        Command::Coverage(coverage) => Settings { suites: coverage.suites.clone(), ..Settings::default() },
        Command::Explain(explain) => Settings { suites: explain.suites.clone(), ..Settings::default() },
    };
    settings.color = cli.common.color;
    settings
}

fn run_settings(run: &RunArguments) -> Settings {
    let RunArguments {
        target,
        selection,
        reading,
        deny,
        read_only,
        yes,
        allow,
        jobs,
        seed,
        junit,
        json,
        all_exchanges,
        snapshots,
        snapshots_required,
        settle,
        baseline,
        require_core,
    } = run;
    Settings {
        reading: *reading,
        deny: *deny,
        read_only: read_only.then_some(true),
        consent: yes.then_some(true),
        allow: allow.clone(),
        jobs: *jobs,
        seed: *seed,
        junit: junit.clone(),
        json: json.clone(),
        all_exchanges: all_exchanges.then_some(true),
        snapshots: snapshots.clone(),
        snapshots_required: snapshots_required.then_some(true),
        settle: *settle,
        baseline: baseline.clone(),
        require_core: require_core.then_some(true),
        ..selection_settings(selection, target_settings(target))
    }
}

fn fuzz_settings(fuzz: &FuzzArguments) -> Settings {
    let FuzzArguments { target, profile, seed, in_flight: _, yes, deny, save: _, junit, json } = fuzz;
    Settings {
        profile: profile.clone(),
        deny: *deny,
        consent: yes.then_some(true),
        seed: *seed,
        junit: junit.clone(),
        json: json.clone(),
        ..target_settings(target)
    }
}

fn target_settings(target: &TargetArguments) -> Settings {
    let TargetArguments {
        url,
        token_env,
        token_file,
        basic,
        password_env,
        header,
        timeout,
        rate,
        requests,
        insecure,
        cacert,
        proxy,
        cert,
        key,
        oauth,
    } = target;
    let OAuthArguments {
        token_url,
        client_id,
        client_secret_env,
        client_secret_file,
        scope,
        client_auth,
        parameters,
    } = oauth;
    Settings {
        url: url.clone(),
        token_env: token_env.clone(),
        token_file: token_file.clone(),
        basic: basic.clone(),
        password_env: password_env.clone(),
        header: header.clone(),
        timeout: *timeout,
        rate: *rate,
        requests: *requests,
        insecure: insecure.then_some(true),
        cacert: cacert.clone(),
        proxy: proxy.clone(),
        cert: cert.clone(),
        key: key.clone(),
        oauth: settings::OAuth {
            token_url: token_url.clone(),
            client_id: client_id.clone(),
            client_secret_env: client_secret_env.clone(),
            client_secret_file: client_secret_file.clone(),
            scope: scope.clone(),
            client_auth: *client_auth,
            parameters: parameters.iter().cloned().collect(),
        },
        ..Settings::default()
    }
}

fn selection_settings(selection: &SelectionArguments, settings: Settings) -> Settings {
    let SelectionArguments { profile, case, skip, tag, suites, quick } = selection;
    Settings {
        profile: profile.clone(),
        case: if *quick { quick_cases() } else { case.clone() },
        skip: skip.clone(),
        tag: tag.clone(),
        suites: suites.clone(),
        ..settings
    }
}

/// The flags again, less selection and reports: what a report suggests to run a case again. What came from the file
/// or the environment is not repeated: it is still there.
fn arguments(flags: &Settings) -> Vec<String> {
    let mut words = Vec::new();
    if let Some(url) = &flags.url {
        words.push(url.as_str().trim_end_matches('/').to_owned());
    }
    let path = |path: &Option<PathBuf>| path.as_ref().map(|path| path.display().to_string());
    let time = |time: std::time::Duration| format!("{}ms", time.as_millis());
    let options = [
        ("--token-env", flags.token_env.clone()),
        ("--token-file", path(&flags.token_file)),
        ("--basic", flags.basic.clone()),
        ("--password-env", flags.password_env.clone()),
        ("--timeout", flags.timeout.map(time)),
        ("--rate", flags.rate.map(|rate| rate.to_string())),
        ("--cacert", path(&flags.cacert)),
        ("--proxy", flags.proxy.as_ref().map(Url::to_string)),
        ("--profile", flags.profile.clone()),
        ("--reading", flags.reading.map(|reading| reading.to_string())),
        ("--deny", flags.deny.map(|Deny::Warnings| "warnings".to_owned())),
        ("--snapshots", path(&flags.snapshots)),
        ("--settle", flags.settle.map(time)),
        ("--cert", path(&flags.cert)),
        ("--key", path(&flags.key)),
        ("--oauth-token-url", flags.oauth.token_url.as_ref().map(Url::to_string)),
        ("--oauth-client-id", flags.oauth.client_id.clone()),
        ("--oauth-client-secret-env", flags.oauth.client_secret_env.clone()),
        ("--oauth-client-secret-file", path(&flags.oauth.client_secret_file)),
        ("--oauth-scope", flags.oauth.scope.clone()),
        (
            "--oauth-client-auth",
            flags
                .oauth
                .client_auth
                .and_then(|how| how.to_possible_value())
                .map(|how| how.get_name().to_owned()),
        ),
        ("--baseline", path(&flags.baseline)),
    ];
    for (name, value) in options {
        words.extend(value.into_iter().flat_map(|value| [name.to_owned(), value]));
    }
    let parameters = flags.oauth.parameters.iter().map(|(name, value)| format!("{name}={value}"));
    words.extend(parameters.flat_map(|parameter| ["--oauth-parameter".to_owned(), parameter]));
    words.extend(flags.header.iter().flat_map(|header| ["--header".to_owned(), header.clone()]));
    words.extend(flags.suites.iter().flat_map(|dir| ["--suites".to_owned(), dir.display().to_string()]));
    for allow in &flags.allow {
        let what = match allow {
            Allow::Disruptive => "disruptive",
            Allow::Slow => "slow",
        };
        words.extend(["--allow".to_owned(), what.to_owned()]);
    }
    for (name, on) in [
        ("--insecure", flags.insecure),
        ("--read-only", flags.read_only),
        ("--yes", flags.consent),
        ("--snapshots-required", flags.snapshots_required),
    ] {
        words.extend(on.filter(|on| *on).map(|_| name.to_owned()));
    }
    words
}

fn resolve(
    settings: Settings,
    arguments: Vec<String>,
    speaks: bool,
    environment: &Environment,
) -> Result<Config, ConfigError> {
    if [&settings.url, &settings.proxy, &settings.oauth.token_url]
        .into_iter()
        .flatten()
        .any(value::holds_credentials)
    {
        return Err(ConfigError::OpenUrl);
    }
    let access =
        if speaks && settings.url.is_some() { access(&settings, environment)? } else { Access::default() };
    let mut named: Vec<&str> =
        [&settings.token_env, &settings.password_env].into_iter().flatten().map(String::as_str).collect();
    named.extend(settings.second.iter().flat_map(|second| {
        let all = [&second.token_env, &second.password_env, &second.oauth.client_secret_env];
        all.into_iter().flatten().map(String::as_str)
    }));
    named.extend(settings.oauth.client_secret_env.as_deref());
    let second_header = settings.second.iter().filter_map(|second| second.header.as_ref());
    named.extend(settings.header.iter().chain(second_header).flat_map(|header| variables(header)));
    let mut warnings = environment.slips(&named);
    if let (true, Some(true), Some(url)) = (speaks, settings.insecure, &settings.url) {
        warnings.push(format!(
            "certificates are not checked (--insecure): whoever stands between this machine and {} can read and \
             change everything, the credentials included",
            url.host_str().unwrap_or_default()
        ));
    }
    if speaks && settings.snapshots_required == Some(true) && settings.snapshots.is_none() {
        return Err(ConfigError::NoSnapshots);
    }
    let withheld = named.iter().map(|name| (*name).to_owned()).collect();
    let roots = match &settings.cacert {
        Some(path) => vec![std::fs::read(path).map_err(|source| ConfigError::Unreadable {
            what: "the certificates",
            path: path.clone(),
            source,
        })?],
        None => Vec::new(),
    };
    let defaults = Limits::default();
    let limits = Limits {
        request: settings.timeout.unwrap_or(defaults.request),
        connect: settings.limits.connect.unwrap_or(defaults.connect),
        body: settings.limits.body_bytes.map_or(defaults.body, |bytes| bytes.max(1024)),
        repeats: settings.limits.repeats.unwrap_or(defaults.repeats),
        retry_after: settings.limits.retry_after.unwrap_or(defaults.retry_after),
        ..defaults
    };
    let template = |table: &toml::Table| settings::to_json(&toml::Value::Table(table.clone()));
    Ok(Config {
        credentials: access.credentials,
        credential_names: access.names,
        second: access.second,
        headers: access.headers,
        header_names: access.written,
        rate: settings.rate,
        requests: settings.requests,
        limits,
        insecure: settings.insecure.unwrap_or(false),
        roots,
        proxy: settings.proxy,
        profile: settings.profile.unwrap_or_else(|| PROFILE.to_owned()),
        selection: Selection::new(&settings.case, &settings.skip, &settings.tag)?,
        suites: settings.suites,
        reading: settings.reading.unwrap_or_default(),
        deny_warnings: settings.deny == Some(Deny::Warnings),
        read_only: settings.read_only.unwrap_or(false),
        consent: settings.consent.unwrap_or(false),
        allow: settings.allow.iter().map(|allow| permission(*allow)).collect(),
        jobs: usize::from(settings.jobs.unwrap_or(JOBS)),
        seed: settings.seed.unwrap_or_else(fresh_seed),
        junit: settings.junit,
        json: settings.json,
        keep: if settings.all_exchanges == Some(true) { Keep::All } else { Keep::Evidence },
        look: look(settings.color.unwrap_or_default(), environment),
        state: settings.state.unwrap_or_else(|| state(environment)),
        template_user: template(&settings.template.user),
        template_group: template(&settings.template.group),
        patterns: patterns(settings.new)?,
        arguments,
        warnings,
        settings: settings
            .settings
            .iter()
            .map(|(name, value)| (name.clone(), settings::to_json(value)))
            .collect(),
        snapshots: settings.snapshots,
        snapshots_required: settings.snapshots_required.unwrap_or(false),
        hooks: hooks(settings.hooks, withheld),
        keys: access.keys,
        certificate: access.certificate,
        second_certificate: access.second_certificate,
        access_names: AccessNames {
            cacert: settings.cacert.as_ref().map(|path| path.display().to_string()),
            insecure: settings.insecure.unwrap_or(false),
            ..access.access_names
        },
        settle: settings.settle,
        url: settings.url,
        baseline: settings.baseline,
        require_core: settings.require_core.unwrap_or(false),
    })
}

fn permission(allow: Allow) -> Permission {
    match allow {
        Allow::Disruptive => Permission::Disruptive,
        Allow::Slow => Permission::Slow,
    }
}

/// A seed that a person can type again.
fn fresh_seed() -> u64 {
    let bytes = uuid::Uuid::new_v4().into_bytes();
    u64::from(u32::from_be_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]))
}

fn look(color: ColorChoice, environment: &Environment) -> Look {
    let colour = match color {
        ColorChoice::Always => true,
        ColorChoice::Never => false,
        // NO_COLOR counts where it is set and not empty (no-color.org).
        ColorChoice::Auto => {
            environment.terminal
                && environment.get("NO_COLOR").is_none()
                && environment.get("TERM") != Some("dumb")
        }
    };
    let said = environment.get("COLUMNS").and_then(|columns| columns.trim().parse().ok());
    let width = said.or(environment.columns).unwrap_or(WIDTH);
    Look { width: width.clamp(*WIDTHS.start(), *WIDTHS.end()), colour }
}

/// The folder of the ledgers, by the XDG Base Directory Specification; the current folder where there is no home.
fn state(environment: &Environment) -> PathBuf {
    environment
        .folder_of("XDG_STATE_HOME")
        .or_else(|| environment.folder_of("HOME").map(|home| home.join(".local/state")))
        .unwrap_or_else(|| environment.folder.clone())
        .join("scimspec")
}

fn hooks(settings: BTreeMap<String, settings::HookSettings>, withheld: Vec<String>) -> Hooks {
    let hook = |settings: settings::HookSettings| Hook {
        command: settings.command,
        within: settings.within.unwrap_or(hook::WITHIN),
        folder: settings.folder,
    };
    Hooks::new(settings.into_iter().map(|(name, settings)| (name, hook(settings))).collect(), withheld)
}

fn patterns(new: settings::New) -> Result<Patterns, ConfigError> {
    let settings::New { user_name, email, display_name, external_id } = new;
    for (name, pattern) in [
        ("userName", &user_name),
        ("email", &email),
        ("displayName", &display_name),
        ("externalId", &external_id),
    ] {
        if let Some(pattern) = pattern.as_ref().filter(|pattern| !pattern.contains("{word}")) {
            return Err(ConfigError::NoWord { name, pattern: pattern.clone() });
        }
    }
    Ok(Patterns { user_name, email, display_name, external_id })
}

#[cfg(test)]
mod tests;
