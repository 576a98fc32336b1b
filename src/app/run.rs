//! `scimspec run`: probe, plan, execute, report.

use std::any::Any;
use std::collections::BTreeSet;
use std::panic::{self, AssertUnwindSafe};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use chrono::Utc;
use libtest_mimic::ColorSetting;
use tokio::runtime::Runtime;
use url::Url;

use super::{AppError, print, runtime};
use crate::baseline::Judge;
use crate::config::Config;
use crate::outcome::{ErrorCause, Exit, Outcome, Verdict};
use crate::plan::{Conditions, Estimate, Phase, Plan, Selection, plan};
use crate::profile::Profile;
use crate::readiness::{LeftOut, readiness};
use crate::report::failure;
use crate::report::mask::Ours;
use crate::report::model::{
    BaselineRecord, CapabilityEvidence, CleanUpRecord, DeviationRecord, LeftBehind, RequirementText, Run,
    RunReport, SettledReads, SettlingRecord, TargetIdentity,
};
use crate::report::{file, json, junit, terminal};
use crate::requirement::Catalogue;
use crate::run::board::{Board, Revise};
use crate::run::deviation::Came;
use crate::run::patience::{Patience, ReadKind, Tally};
use crate::run::{Shared, Templates};
use crate::server::{self, RunningServer, ServerOptions, ServerProfile, interrupted};
use crate::snapshot::Snapshots;
use crate::suite::diagnostic::Severity;
use crate::suite::fresh::{Generator, Patterns, run_mark};
use crate::suite::load::{Library, Origin};
use crate::target::client::resource_path;
use crate::target::probe::{Probe, probe};
use crate::target::{CleanUp, Credentials, Left, Target, consent_needed};
use crate::trial;

/// Runs the command.
///
/// # Errors
/// What kept it from judging anything.
pub fn run(config: &Config) -> Result<Exit, AppError> {
    let started = Utc::now();
    let clock = Instant::now();
    let library = library(config)?;
    let profile = Profile::chosen(&library, &config.profile)?;
    let settings = profile.confirm(&library, &config.settings)?;
    let config = &paced(config, profile);
    if let Some(url) = &config.url
        && consent_needed(url)
        && !config.consent
        && !config.read_only
    {
        return Err(AppError::Consent { host: url.host_str().unwrap_or_default().to_owned() });
    }
    let catalogue = Catalogue::embedded();
    // Which cases there are does not depend on the target: what is wrong with the baseline is said before it is asked.
    let unasked =
        Conditions { claims: &|_| Ok(()), allow: &config.allow, read_only: config.read_only, schemas: None };
    let whole = plan(library.suites(), catalogue, profile, &Selection::default(), &unasked);
    let tried: Vec<String> = whole
        .jobs
        .iter()
        .filter(|job| job.case.for_each.is_some())
        .map(|job| job.file.case_id(job.case))
        .collect();
    let parts = whole.parts().map(|(_, part)| part.id.as_str());
    let cases = parts.chain(tried.iter().map(String::as_str)).collect();
    let baseline = super::baseline::of_run(config, &profile.name, config.reading, &cases)?;
    for path in [&config.json, &config.junit].into_iter().flatten() {
        file::check(path)?;
    }
    let snapshots = snapshots(config, profile)?;
    let runtime = runtime()?;
    let place = Place::of(config, profile, &runtime)?;
    let generator = Generator::new(run_mark(), config.seed, config.patterns.clone());
    let target = Arc::new(place.target(config, profile, generator.mark())?);
    let begun = Arc::new(AtomicBool::new(false));
    let interrupts = runtime.spawn(interrupts(Arc::clone(&target), Arc::clone(&begun)));
    let authenticated = runtime.block_on(target.authenticate());
    if target.interrupted() {
        return Ok(Exit::Unreachable);
    }
    authenticated?;
    let probe = runtime.block_on(probe(&target));
    if target.interrupted() {
        return Ok(Exit::Unreachable);
    }
    let mut probe = probe?;
    learn(&mut probe, config, profile);
    let claims = |requires: &_| probe.capabilities.check(requires);
    let conditions = Conditions {
        claims: &claims,
        allow: &config.allow,
        read_only: config.read_only,
        schemas: Some(&probe.schemas),
    };
    let mut plan = plan(library.suites(), catalogue, profile, &config.selection, &conditions);
    plan.leave_out(|job| settings.lacked_by(job.file, job.case));
    // With the trials that the target's schemas make.
    let unasked = Conditions { schemas: Some(&probe.schemas), ..unasked };
    let whole = crate::plan::plan(library.suites(), catalogue, profile, &Selection::default(), &unasked);
    let left_out = left_out(&whole, &plan);
    if plan.jobs.is_empty() {
        return Err(AppError::NothingSelected);
    }
    let estimate = estimate(config, &library, &plan, &probe);
    show(&place.announcement(config, profile, &plan, &estimate))?;
    begun.store(true, Ordering::SeqCst);

    let templates = Templates { user: config.template_user.clone(), group: config.template_group.clone() };
    let mut shared =
        Shared::new(&target, &library, catalogue, &plan, &probe, config.reading, templates, &generator);
    shared.profile = Some(profile);
    shared.settings = settings.values;
    shared.snapshots = snapshots.as_ref();
    shared.hooks = config.hooks.clone();
    shared.allow.clone_from(&config.allow);
    shared.patience = config.settle.map(Patience::new);
    let revise = baseline.as_ref().map(|baseline| {
        let rules = whole.parts().filter(|(job, _)| job.phase == Phase::Rules);
        let rules = rules.map(|(_, part)| part.id.clone()).collect();
        let today = started.date_naive();
        let judge = Judge::new(baseline.clone(), today, config.deny_warnings, rules, !left_out.is_empty());
        Box::new(move |outcome| judge.judge(outcome)) as Revise
    });
    let (outcomes, clean_up) = execute(config, &runtime, &shared, &plan, revise)?;
    interrupts.abort();

    let exchanges = target.exchanges();
    let ours = Ours {
        ids: target.owned().into_iter().map(|resource| resource.id).collect::<BTreeSet<_>>(),
        mark: generator.mark().to_owned(),
    };
    let requirement = |id: &str| requirement(catalogue, id);
    let report = Run {
        suites: library.digest(),
        target: place.identity(config, &target, &probe),
        profile: profile.name.clone(),
        reading: config.reading,
        deny_warnings: config.deny_warnings,
        seed: config.seed,
        ours: &ours,
        started,
        duration: clock.elapsed(),
        arguments: config.arguments.clone(),
        capabilities: capabilities(&probe),
        outcomes: &outcomes,
        exchanges: &exchanges,
        requests: target.requests_made(),
        keep: config.keep,
        requirement: &requirement,
        clean_up: record(&clean_up),
        interrupted: target.interrupted(),
        deviations: deviations(profile, &shared),
        settling: shared.patience.as_ref().map(settling),
        readiness: readiness(&profile.features, &outcomes, &left_out, config.deny_warnings),
        client: profile.client.clone(),
        require_core: config.require_core,
        narrowed: !left_out.is_empty(),
        baseline: baseline.as_ref().map(|baseline| BaselineRecord::of(baseline, &outcomes)),
        fuzz: None,
    }
    .report();
    publish(config, &report)?;
    place.close(&runtime);
    Ok(report.exit())
}

/// The text of a requirement, or of a vendor's statement.
pub(super) fn requirement(catalogue: &Catalogue, id: &str) -> Option<RequirementText> {
    let of_rfc = catalogue.get(id).map(|found| RequirementText {
        level: found.level,
        sentence: found.sentence.clone(),
        link: found.link(),
    });
    of_rfc.or_else(|| {
        catalogue.source(id).map(|found| RequirementText {
            level: found.level,
            sentence: found.sentence.clone(),
            link: found.link.clone().unwrap_or_else(|| found.document.clone()),
        })
    })
}

/// How many requests a plan will need.
pub(super) fn estimate(config: &Config, library: &Library, plan: &Plan<'_>, probe: &Probe) -> Estimate {
    let together = crate::run::together(&probe.capabilities, config.settle.is_some());
    Estimate::of(plan, library, &|requires| probe.capabilities.check(requires), together)
}

/// What the operator and the profile know of a target beside what it says itself.
pub(super) fn learn(probe: &mut Probe, config: &Config, profile: &Profile) {
    probe.capabilities.page_size.clone_from(&profile.page_size);
    probe.capabilities.hooks = config.hooks.names();
}

/// The configuration with the profile's limits where the operator says nothing.
pub(super) fn paced(config: &Config, profile: &Profile) -> Config {
    let mut config = config.clone();
    config.rate = config.rate.or(profile.limits.rate);
    config.requests = config.requests.or(profile.limits.requests);
    config.settle = config.settle.or(profile.consistency);
    config
}

/// What came of the profile's deviations.
fn deviations(profile: &Profile, shared: &Shared<'_>) -> Vec<DeviationRecord> {
    let record = |(index, came): (usize, Came)| {
        let deviation = profile.deviations.get(index)?;
        Some(DeviationRecord {
            about: deviation.label(),
            cite: deviation.cite.clone(),
            why: deviation.why.clone(),
            place: profile.place(&format!("deviations[{index}]")),
            documented: came.documented,
            conformant: came.conformant,
            neither: came.neither,
        })
    };
    shared.deviations().into_iter().filter_map(record).collect()
}

/// What a selection leaves out of the whole.
fn left_out(whole: &Plan<'_>, selected: &Plan<'_>) -> Vec<LeftOut> {
    let selected: BTreeSet<&str> = selected.parts().map(|(_, part)| part.id.as_str()).collect();
    whole
        .parts()
        .filter(|(_, part)| !selected.contains(part.id.as_str()))
        .map(|(job, part)| LeftOut { id: part.id.clone(), tags: job.tags() })
        .collect()
}

/// The accepted payloads: the operator's, or those that belong to the target.
fn snapshots(config: &Config, profile: &Profile) -> Result<Option<Snapshots>, AppError> {
    let read = match &config.snapshots {
        Some(folder) => {
            file::check(&folder.join("payload"))
                .map_err(|error| AppError::snapshots(error.into(), config))?;
            Snapshots::folder(folder, config.snapshots_required).map(Some)
        }
        // What the operator puts into each resource stands in no payload that is shipped.
        None if makes_usual_resources(config) => {
            Snapshots::shipped(&profile.name, config.url.is_none() && profile.server.is_none())
        }
        None => Ok(None),
    };
    read.map_err(|error| AppError::snapshots(error, config))
}

/// Whether resources are made as they are by themselves: without `[template]` and `[new]`.
fn makes_usual_resources(config: &Config) -> bool {
    let is_empty = |template: &serde_json::Value| template.as_object().is_none_or(serde_json::Map::is_empty);
    is_empty(&config.template_user)
        && is_empty(&config.template_group)
        && config.patterns == Patterns::default()
}

/// The suites, embedded and the user's own; those of the user are linted before they run.
pub(super) fn library(config: &Config) -> Result<Library, AppError> {
    let library = super::files::library(config)?;
    let own = library.suites().iter().any(|file| file.origin != Origin::Embedded);
    if own || library.profiles().values().any(|profile| profile.origin != Origin::Embedded) {
        let errors: Vec<_> = super::files::lint(&library)
            .into_iter()
            .filter(|diagnostic| diagnostic.severity == Severity::Error)
            .collect();
        if !errors.is_empty() {
            return Err(AppError::suites(errors, config));
        }
    }
    Ok(library)
}

/// Runs the plan behind libtest-mimic's trials, and gives the outcomes in the order of the plan.
fn execute(
    config: &Config,
    runtime: &Runtime,
    shared: &Shared<'_>,
    plan: &Plan<'_>,
    revise: Option<Revise>,
) -> Result<(Vec<Outcome>, CleanUp), AppError> {
    let board = Arc::new(Board::revising(revise));
    let parts = plan.parts().map(|(_, part)| (part.id.clone(), part.level.to_string())).collect();
    let describe: trial::Describe = Arc::new(failure::message);
    let trials = trial::trials(parts, &board, &describe, config.deny_warnings);
    let color = if config.look.colour { ColorSetting::Always } else { ColorSetting::Never };
    let arguments = trial::arguments(color);
    let clean_up = std::thread::scope(|scope| {
        let executor = std::thread::Builder::new().name("executor".to_owned()).spawn_scoped(scope, || {
            // The trials wait for the board: whatever happens to the executor, it has to be closed.
            let _closing = Closing(&board);
            runtime.block_on(crate::run::run(shared, &board, config.jobs))
        })?;
        // Verdicts and exit code are ours: libtest-mimic counts a run of nothing as a success.
        print_trials(|| drop(libtest_mimic::run(&arguments, trials)));
        executor
            .join()
            .map_err(|_| std::io::Error::other("the executor panicked; this is a defect of scimspec"))
    })?;
    let outcomes = plan
        .parts()
        .map(|(job, part)| {
            board.wait(&part.id).unwrap_or_else(|| {
                let detail = "the run ended before this case did".to_owned();
                crate::run::outcome(job, part, Verdict::Errored { cause: ErrorCause::Harness { detail } })
            })
        })
        .collect();
    Ok((outcomes, clean_up))
}

/// Runs what prints the trials. libtest-mimic panics where its output cannot be written, as in `scimspec run | head`;
/// the run goes on without it, since there are reports to write and resources to delete.
fn print_trials(prints: impl FnOnce()) {
    let said = panic::take_hook();
    let printer = thread::current().id();
    panic::set_hook(Box::new(move |info| {
        let unwritten = thread::current().id() == printer && is_broken_pipe(info.payload());
        if !unwritten {
            said(info);
        }
    }));
    let ended = panic::catch_unwind(AssertUnwindSafe(prints));
    // The hook put here goes with its box; the standard one does what the one before it did.
    drop(panic::take_hook());
    if let Err(payload) = ended
        && !is_broken_pipe(&*payload)
    {
        panic::resume_unwind(payload);
    }
}

fn is_broken_pipe(payload: &(dyn Any + Send)) -> bool {
    let text = payload.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| payload.downcast_ref::<&str>().copied()).is_some_and(|text| text.contains("BrokenPipe"))
}

/// Closes the board when dropped.
struct Closing<'b>(&'b Board);

impl Drop for Closing<'_> {
    fn drop(&mut self) {
        self.0.close();
    }
}

/// The first Ctrl-C (or SIGTERM, as pipelines send it) ends the run and lets clean-up happen; the second ends the
/// process. Before the run has begun there is nothing to clean up.
pub(super) async fn interrupts(target: Arc<Target>, begun: Arc<AtomicBool>) {
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

/// The reports in files and on screen. That nobody reads the screen any more keeps no file from being written, and
/// changes no verdict.
fn publish(config: &Config, report: &RunReport) -> Result<(), AppError> {
    if let Some(path) = &config.json {
        json::write(report, path)?;
    }
    if let Some(path) = &config.junit {
        junit::write(report, path)?;
    }
    show(&terminal::render(report, config.look))
}

/// Prints for whoever still reads.
pub(super) fn show(text: &str) -> Result<(), AppError> {
    print(text).or_else(|error| if error.is_broken_pipe() { Ok(()) } else { Err(error) })
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

    fn announcement(
        &self,
        config: &Config,
        profile: &Profile,
        plan: &Plan<'_>,
        estimate: &Estimate,
    ) -> String {
        let cases = plan.parts().count();
        let running = plan.running().map(|job| job.parts.len()).sum::<usize>();
        let (what, url) = match self {
            Place::Elsewhere(url) => (String::new(), url),
            Place::Embedded(_, url) => ("the reference server inside scimspec at ".to_owned(), url),
        };
        let mut text = format!(
            "scimspec {} → {what}{url}\nprofile {} ({}), {} reading: {running} of {cases} cases, seed {}\n",
            env!("CARGO_PKG_VERSION"),
            profile.name,
            profile.title,
            config.reading,
            config.seed,
        );
        if let Some(rate) = config.rate {
            // It is said so that nobody waits unawares.
            let requests = estimate.total();
            let takes = crate::plan::estimate::time(rate.time_for(requests));
            let whose = if profile.limits.rate == Some(rate) { ", as the profile says," } else { "" };
            text.push_str(&format!("about {requests} requests; at {rate}{whose} this takes about {takes}\n"));
        }
        text
    }

    pub(super) fn identity(&self, config: &Config, target: &Target, probe: &Probe) -> TargetIdentity {
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

pub(super) fn capabilities(probe: &Probe) -> Vec<CapabilityEvidence> {
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

pub(super) fn record(clean_up: &CleanUp) -> CleanUpRecord {
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

/// How reads agreed with writes.
fn settling(patience: &Patience) -> SettlingRecord {
    let milliseconds = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
    let reads = |kind| {
        let Tally { reads, waited, never, longest } = patience.tally(kind);
        SettledReads { reads, waited, never, longest_ms: milliseconds(longest) }
    };
    SettlingRecord {
        within_ms: milliseconds(patience.within()),
        resources: reads(ReadKind::Resource),
        lists: reads(ReadKind::List),
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
