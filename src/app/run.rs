//! `scimspec run`: probe, plan, execute, report.

use std::any::Any;
use std::collections::BTreeSet;
use std::panic::{self, AssertUnwindSafe};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use chrono::Utc;
use libtest_mimic::ColorSetting;
use tokio::runtime::Runtime;

use super::session::{Place, Seen, Session, consented, paced};
use super::{AppError, print};
use crate::baseline::Judge;
use crate::config::Config;
use crate::outcome::{ErrorCause, Exit, Outcome, Verdict};
use crate::plan::{Conditions, Estimate, Phase, Plan, Selection, plan};
use crate::profile::Profile;
use crate::readiness::{LeftOut, readiness};
use crate::report::failure;
use crate::report::model::{
    BaselineRecord, DeviationRecord, RequirementText, Run, RunReport, SettledReads, SettlingRecord,
};
use crate::report::{file, json, junit, terminal};
use crate::requirement::Catalogue;
use crate::run::board::{Board, Revise};
use crate::run::deviation::Came;
use crate::run::patience::{Patience, ReadKind, Tally};
use crate::run::{Shared, Templates};
use crate::snapshot::Snapshots;
use crate::suite::diagnostic::Severity;
use crate::suite::fresh::Patterns;
use crate::suite::load::{Library, Origin};
use crate::target::CleanUp;
use crate::target::probe::Probe;
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
    if !config.read_only {
        consented(config)?;
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
    let Some(session) = Session::open(config, profile)? else { return Ok(Exit::Unreachable) };
    let Session { runtime, place, generator, target, probe, .. } = &session;
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
    let estimate = estimate(config, &library, &plan, probe);
    show(&place.announcement(config, profile, &plan, &estimate))?;
    session.begin();

    let templates = Templates { user: config.template_user.clone(), group: config.template_group.clone() };
    let mut shared =
        Shared::new(target, &library, catalogue, &plan, probe, config.reading, templates, generator);
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
    let (outcomes, clean_up) = execute(config, runtime, &shared, &plan, revise)?;
    session.end();

    let exchanges = target.exchanges();
    let ours = session.ours();
    let seen = Seen {
        suites: library.digest(),
        started,
        duration: clock.elapsed(),
        ours: &ours,
        outcomes: &outcomes,
        exchanges: &exchanges,
        requirement: &|id: &str| requirement(catalogue, id),
        clean_up: &clean_up,
    };
    let report = Run {
        deviations: deviations(profile, &shared),
        settling: shared.patience.as_ref().map(settling),
        readiness: readiness(&profile.features, &outcomes, &left_out, config.deny_warnings),
        client: profile.client.clone(),
        require_core: config.require_core,
        narrowed: !left_out.is_empty(),
        baseline: baseline.as_ref().map(|baseline| BaselineRecord::of(baseline, &outcomes)),
        ..session.run(config, profile, seen)
    }
    .report();
    publish(config, &report)?;
    drop(shared);
    session.close();
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

impl Place {
    fn announcement(
        &self,
        config: &Config,
        profile: &Profile,
        plan: &Plan<'_>,
        estimate: &Estimate,
    ) -> String {
        let cases = plan.parts().count();
        let running = plan.running().map(|job| job.parts.len()).sum::<usize>();
        let mut text = format!(
            "scimspec {} → {}\nprofile {} ({}), {} reading: {running} of {cases} cases, seed {}\n",
            env!("CARGO_PKG_VERSION"),
            self.words(),
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
