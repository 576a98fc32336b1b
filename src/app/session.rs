//! A command's session with a target: where it is, the client, what the probe learnt, and who may interrupt; and what a
//! report says of all that.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use chrono::{DateTime, Utc};
use tokio::runtime::Runtime;
use tokio::task::JoinHandle;
use url::Url;

use super::{AppError, runtime};
use crate::config::Config;
use crate::outcome::{Exit, Outcome};
use crate::profile::Profile;
use crate::report::mask::Ours;
use crate::report::model::{
    CapabilityEvidence, CleanUpRecord, LeftBehind, RequirementText, Run, TargetIdentity,
};
use crate::server::{self, RunningServer, ServerOptions, ServerProfile, interrupted};
use crate::suite::fresh::{Generator, run_mark};
use crate::target::client::resource_path;
use crate::target::exchange::Exchange;
use crate::target::probe::{Probe, probe};
use crate::target::{CleanUp, Credentials, Left, Target, consent_needed};

/// The configuration with the profile's limits where the operator says nothing.
pub(super) fn paced(config: &Config, profile: &Profile) -> Config {
    let mut config = config.clone();
    config.rate = config.rate.or(profile.limits.rate);
    config.requests = config.requests.or(profile.limits.requests);
    config.settle = config.settle.or(profile.consistency);
    config
}

/// What came of the profile's deviations.
/// Whether the operator consents to what is written on a host that is not this one.
///
/// # Errors
/// If not.
pub(super) fn consented(config: &Config) -> Result<(), AppError> {
    match &config.url {
        Some(url) if consent_needed(url) && !config.consent => {
            Err(AppError::Consent { host: url.host_str().unwrap_or_default().to_owned() })
        }
        _ => Ok(()),
    }
}

/// A session with a target.
pub(super) struct Session {
    pub(super) runtime: Runtime,
    pub(super) place: Place,
    pub(super) generator: Generator,
    pub(super) target: Arc<Target>,
    pub(super) probe: Probe,
    /// Whether anything may have been made.
    begun: Arc<AtomicBool>,
    interrupts: JoinHandle<()>,
}

/// What came of a session, for its report.
pub(super) struct Seen<'r> {
    pub(super) suites: String,
    pub(super) started: DateTime<Utc>,
    pub(super) duration: Duration,
    pub(super) ours: &'r Ours,
    pub(super) outcomes: &'r [Outcome],
    pub(super) exchanges: &'r [Arc<Exchange>],
    pub(super) requirement: &'r dyn Fn(&str) -> Option<RequirementText>,
    pub(super) clean_up: &'r CleanUp,
}

impl Session {
    /// Lets us in and asks the target what it is. None where that was interrupted.
    ///
    /// # Errors
    /// What keeps it from being used.
    pub(super) fn open(config: &Config, profile: &Profile) -> Result<Option<Session>, AppError> {
        let runtime = runtime()?;
        let place = Place::of(config, profile, &runtime)?;
        let generator = Generator::new(run_mark(), config.seed, config.patterns.clone());
        let target = Arc::new(place.target(config, profile, generator.mark())?);
        let begun = Arc::new(AtomicBool::new(false));
        let interrupts = runtime.spawn(interrupts(Arc::clone(&target), Arc::clone(&begun)));
        let authenticated = runtime.block_on(target.authenticate());
        if target.interrupted() {
            return Ok(None);
        }
        authenticated?;
        let probed = runtime.block_on(probe(&target));
        if target.interrupted() {
            return Ok(None);
        }
        let mut probe = probed?;
        learn(&mut probe, config, profile);
        Ok(Some(Session { runtime, place, generator, target, probe, begun, interrupts }))
    }

    /// From now on there may be something to clean up.
    pub(super) fn begin(&self) {
        self.begun.store(true, Ordering::SeqCst);
    }

    /// There is nothing to clean up any more.
    pub(super) fn end(&self) {
        self.interrupts.abort();
    }

    /// What is ours in the exchanges.
    pub(super) fn ours(&self) -> Ours {
        Ours {
            ids: self.target.owned().into_iter().map(|resource| resource.id).collect::<BTreeSet<_>>(),
            mark: self.generator.mark().to_owned(),
        }
    }

    /// What any report says; what only one command knows is not there.
    pub(super) fn run<'r>(&self, config: &Config, profile: &Profile, seen: Seen<'r>) -> Run<'r> {
        let Seen { suites, started, duration, ours, outcomes, exchanges, requirement, clean_up } = seen;
        Run {
            suites,
            target: self.place.identity(config, &self.target, &self.probe),
            profile: profile.name.clone(),
            reading: config.reading,
            deny_warnings: config.deny_warnings,
            seed: config.seed,
            ours,
            started,
            duration,
            arguments: config.arguments.clone(),
            capabilities: capabilities(&self.probe),
            outcomes,
            exchanges,
            requests: self.target.requests_made(),
            keep: config.keep,
            requirement,
            clean_up: record(clean_up),
            interrupted: self.target.interrupted(),
            deviations: Vec::new(),
            settling: None,
            readiness: Vec::new(),
            client: None,
            require_core: false,
            narrowed: false,
            baseline: None,
            fuzz: None,
        }
    }

    /// Stops the server inside scimspec, if it was that.
    pub(super) fn close(self) {
        self.place.close(&self.runtime);
    }
}

/// What the operator and the profile know of a target beside what it says itself.
pub(super) fn learn(probe: &mut Probe, config: &Config, profile: &Profile) {
    probe.capabilities.page_size.clone_from(&profile.page_size);
    probe.capabilities.hooks = config.hooks.names();
}

/// The first Ctrl-C (or SIGTERM, as pipelines send it) ends the run and lets clean-up happen; the second ends the
/// process. Before the run has begun there is nothing to clean up.
async fn interrupts(target: Arc<Target>, begun: Arc<AtomicBool>) {
    if interrupted().await.is_ok() {
        target.interrupt();
        if !begun.load(Ordering::SeqCst) {
            eprintln!("\ninterrupted before the run began; nothing was created");
            return;
        }
        eprintln!(
            "\ninterrupted: cleaning up what this run created; press Ctrl-C again to leave it ('scimspec clean' deletes it later)"
        );
        if interrupted().await.is_ok() {
            std::process::exit(i32::from(Exit::Unreachable.code()));
        }
    }
}

/// Where the service provider is: somewhere, or inside scimspec.
pub(super) enum Place {
    Elsewhere(Url),
    Embedded(RunningServer, Url),
}

impl Place {
    /// Without a URL it is inside scimspec: as the profile's vendor documents it, where there is such a double.
    pub(super) fn of(config: &Config, profile: &Profile, runtime: &Runtime) -> Result<Place, AppError> {
        match &config.url {
            Some(url) => Ok(Place::Elsewhere(url.clone())),
            None => {
                let double = profile.server.as_deref().map(ServerProfile::from_name).transpose()?;
                let options = ServerOptions { profile: double, ..ServerOptions::default() };
                let server = runtime.block_on(server::start(options))?;
                let url = Url::parse(server.base_url())
                    .map_err(|error| std::io::Error::other(format!("{}: {error}", server.base_url())))?;
                Ok(Place::Embedded(server, url))
            }
        }
    }

    pub(super) fn target(&self, config: &Config, profile: &Profile, mark: &str) -> Result<Target, AppError> {
        let mut options = match self {
            Place::Elsewhere(url) => config.target_options(url.clone(), mark),
            Place::Embedded(server, url) => {
                let mut options = config.target_options(url.clone(), mark);
                options.auth = Credentials::bearer(server.token())
                    .map_err(|error| std::io::Error::other(error.to_string()))?;
                options.second = Some(
                    Credentials::bearer(server.second_token())
                        .map_err(|error| std::io::Error::other(error.to_string()))?,
                );
                options
            }
        };
        options.page_size_parameter = profile.page_size_parameter().to_owned();
        Ok(Target::new(options)?)
    }

    /// What it is and its address, for people.
    pub(super) fn words(&self) -> String {
        match self {
            Place::Elsewhere(url) => url.to_string(),
            Place::Embedded(_, url) => format!("the reference server inside scimspec at {url}"),
        }
    }

    fn identity(&self, config: &Config, target: &Target, probe: &Probe) -> TargetIdentity {
        TargetIdentity {
            base_url: target.base_url().to_owned(),
            embedded: matches!(self, Place::Embedded(..)),
            product: probe.server.clone(),
            documentation: probe.capabilities.documentation.clone(),
            credentials: config.credential_names.clone(),
            headers: config.header_names.clone(),
            access: config.access_names.clone(),
        }
    }

    pub(super) fn close(self, runtime: &Runtime) {
        if let Place::Embedded(server, _) = self {
            runtime.block_on(server.shutdown());
        }
    }
}

fn capabilities(probe: &Probe) -> Vec<CapabilityEvidence> {
    probe
        .capabilities
        .claims()
        .map(|(name, claim)| CapabilityEvidence {
            name: name.to_owned(),
            claimed: (!claim.assumed).then_some(claim.supported),
            evidence: claim.evidence.clone(),
        })
        .collect()
}

fn record(clean_up: &CleanUp) -> CleanUpRecord {
    CleanUpRecord {
        deleted: clean_up.deleted.len() as u64,
        already_gone: clean_up.already_gone.len() as u64,
        left_behind: clean_up
            .left
            .iter()
            .chain(&clean_up.disowned)
            .map(|left| LeftBehind { path: whereabouts(left), why: left.why.clone() })
            .collect(),
    }
}

/// Where something that is left may be found.
fn whereabouts(left: &Left) -> String {
    match (&left.id, &left.trace) {
        (Some(id), _) => resource_path(&left.endpoint, id),
        (None, Some(trace)) => format!("{} with {trace}", left.endpoint),
        (None, None) => left.endpoint.clone(),
    }
}
