//! `scimspec fuzz`: probe, fuzz, clean up, report.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use chrono::Utc;

use super::run::{Place, capabilities, interrupts, learn, library, paced, record, requirement, show};
use super::{AppError, runtime};
use crate::cli::{FuzzArguments, FuzzCommand};
use crate::config::Config;
use crate::fuzz::filter::{Fuzz, FuzzError, Fuzzed};
use crate::fuzz::progress::Bar;
use crate::fuzz::saved;
use crate::fuzz::{Ended, Options, record as outcomes};
use crate::outcome::{ErrorCause, Exit, Outcome, SkipReason, Verdict};
use crate::profile::Profile;
use crate::report::mask::Ours;
use crate::report::model::{FuzzRecord, Run};
use crate::report::{file, fuzz, json, junit};
use crate::requirement::Catalogue;
use crate::run::Templates;
use crate::suite::fresh::{Generator, run_mark};
use crate::target::probe::probe;
use crate::target::{CleanUp, consent_needed};

/// How many requests are made where nobody says how many: ten minutes of a target that allows 100 a minute.
const REQUESTS: u64 = 1000;

/// Runs the command.
///
/// # Errors
/// What kept it from trying anything.
pub fn fuzz(config: &Config, command: &FuzzCommand) -> Result<Exit, AppError> {
    match command {
        FuzzCommand::Filter(arguments) => filter(config, arguments),
    }
}

fn filter(config: &Config, arguments: &FuzzArguments) -> Result<Exit, AppError> {
    let started = Utc::now();
    let clock = Instant::now();
    let library = library(config)?;
    let profile = Profile::chosen(&library, &config.profile)?;
    let mut config = paced(config, profile);
    let budget = *config.requests.get_or_insert(REQUESTS);
    let config = &config;
    if let Some(url) = &config.url
        && consent_needed(url)
        && !config.consent
    {
        return Err(AppError::Consent { host: url.host_str().unwrap_or_default().to_owned() });
    }
    for path in [&config.json, &config.junit].into_iter().flatten() {
        file::check(path)?;
    }
    let cases = match &arguments.save {
        Some(folder) => {
            file::check(&folder.join("fuzz"))?;
            saved::read(folder)?
        }
        None => Vec::new(),
    };
    let catalogue = Catalogue::embedded();
    let runtime = runtime()?;
    let place = Place::of(config, profile, &runtime)?;
    let generator = Generator::new(run_mark(), config.seed, config.patterns.clone());
    let target = Arc::new(place.target(config, profile, generator.mark())?);
    let begun = Arc::new(AtomicBool::new(false));
    let interrupts = runtime.spawn(interrupts(Arc::clone(&target), Arc::clone(&begun)));
    runtime.block_on(target.authenticate())?;
    let probed = runtime.block_on(probe(&target));
    if target.interrupted() {
        return Ok(Exit::Unreachable);
    }
    let mut probed = probed?;
    learn(&mut probed, config, profile);
    show(&announcement(config, &place, budget, &cases))?;
    begun.store(true, Ordering::SeqCst);

    let templates = Templates { user: config.template_user.clone(), group: config.template_group.clone() };
    let bar = Bar::new(budget, "filters", config.look.colour);
    let options = Options {
        seed: config.seed,
        most: arguments.filters,
        in_flight: usize::from(arguments.in_flight.unwrap_or(IN_FLIGHT)),
        stop_at_first: false,
    };
    let fuzz = Fuzz {
        target: &target,
        probe: &probed,
        generator: &generator,
        templates: &templates,
        options,
        saved: &cases,
        progress: &bar,
    };
    let fuzzed = runtime.block_on(fuzz.filters());
    bar.clear();
    let clean_up = runtime.block_on(target.clean_up());
    interrupts.abort();

    let (outcomes, mut record_of_fuzz, kept) = match &fuzzed {
        Ok(fuzzed) => {
            let outcomes = judged(fuzzed, catalogue);
            let kept = save(arguments.save.as_deref(), fuzzed, &outcomes, config.seed)?;
            let record = FuzzRecord::of(fuzzed, command(config, arguments));
            (outcomes, record, kept)
        }
        Err(error) => (
            vec![unjudged(error)],
            FuzzRecord::without(command(config, arguments), &error.to_string()),
            Vec::new(),
        ),
    };
    record_of_fuzz.saved = kept.iter().map(|path| path.display().to_string()).collect();
    let exchanges = target.exchanges();
    let ours = Ours {
        ids: target.owned().into_iter().map(|resource| resource.id).collect::<BTreeSet<_>>(),
        mark: generator.mark().to_owned(),
    };
    let report = Run {
        suites: library.digest(),
        target: place.identity(config, &target, &probed),
        profile: profile.name.clone(),
        reading: config.reading,
        deny_warnings: config.deny_warnings,
        seed: config.seed,
        ours: &ours,
        started,
        duration: clock.elapsed(),
        arguments: config.arguments.clone(),
        capabilities: capabilities(&probed),
        outcomes: &outcomes,
        exchanges: &exchanges,
        requests: target.requests_made(),
        keep: config.keep,
        requirement: &|id: &str| requirement(catalogue, id),
        clean_up: record(&clean_up),
        interrupted: target.interrupted(),
        deviations: Vec::new(),
        settling: None,
        readiness: Vec::new(),
        client: None,
        require_core: false,
        narrowed: false,
        baseline: None,
        fuzz: Some(record_of_fuzz),
    }
    .report();
    if let Some(path) = &config.json {
        json::write(&report, path)?;
    }
    if let Some(path) = &config.junit {
        junit::write(&report, path)?;
    }
    show(&fuzz_report(&report, config, &clean_up))?;
    place.close(&runtime);
    Ok(report.exit())
}

/// How many requests are under way at once where nothing is said.
const IN_FLIGHT: u16 = 4;

fn fuzz_report(report: &crate::report::model::RunReport, config: &Config, clean_up: &CleanUp) -> String {
    let mut text = fuzz::render(report, config.look);
    if let Some(trouble) = &clean_up.trouble {
        text.push_str(&format!("warning: {trouble}\n"));
    }
    text
}

fn announcement(config: &Config, place: &Place, budget: u64, saved: &[saved::SavedCase]) -> String {
    let (what, url) = match place {
        Place::Elsewhere(url) => (String::new(), url),
        Place::Embedded(_, url) => ("the reference server inside scimspec at ".to_owned(), url),
    };
    let time = config.rate.map(|rate| {
        format!("; at {rate} this takes up to {}", crate::plan::estimate::time(rate.time_for(budget)))
    });
    let tried = if saved.is_empty() {
        String::new()
    } else {
        format!("{} saved by earlier runs first\n", crate::report::text::count(saved.len() as u64, "case"))
    };
    format!(
        "scimspec {} → {what}{url}\nfuzzing filters with up to {budget} requests, seed {}{}\n{tried}",
        env!("CARGO_PKG_VERSION"),
        config.seed,
        time.unwrap_or_default(),
    )
}

/// The outcomes of what was tried; where it ended before anything was, what kept it.
fn judged(fuzzed: &Fuzzed, catalogue: &Catalogue) -> Vec<Outcome> {
    let mut all = outcomes::outcomes(fuzzed, catalogue);
    match &fuzzed.ended {
        Ended::Gone(why) => {
            let detail = format!("the target stopped serving ({why}); the rest was not tried");
            all.push(outcomes::whole(Verdict::Errored { cause: ErrorCause::Transport { detail } }));
        }
        Ended::BudgetSpent if all.is_empty() => {
            all.push(outcomes::whole(Verdict::Skipped { reason: SkipReason::BudgetSpent }));
        }
        Ended::Interrupted if all.is_empty() => {
            all.push(outcomes::whole(Verdict::Skipped { reason: SkipReason::Interrupted }));
        }
        _ => {}
    }
    all
}

/// What kept filters from being fuzzed at all.
fn unjudged(error: &FuzzError) -> Outcome {
    outcomes::whole(match error {
        FuzzError::NoFilters(evidence) => Verdict::Skipped {
            reason: SkipReason::Capability { needs: "filter".to_owned(), evidence: evidence.clone() },
        },
        FuzzError::ReadOnly => Verdict::Skipped { reason: SkipReason::ReadOnly },
        FuzzError::TooFew(_) | FuzzError::NoResources => {
            Verdict::Errored { cause: ErrorCause::Precondition { detail: error.to_string() } }
        }
    })
}

/// Writes what was found as suites.
fn save(
    folder: Option<&Path>,
    fuzzed: &Fuzzed,
    outcomes: &[Outcome],
    seed: u64,
) -> Result<Vec<PathBuf>, AppError> {
    let Some(folder) = folder else { return Ok(Vec::new()) };
    let mut written = Vec::new();
    for cause in &fuzzed.causes {
        let name = cause.name();
        let Some(shown) = outcomes::best(cause) else { continue };
        let spec: Vec<String> = outcomes
            .iter()
            .find(|outcome| outcome.id.contains(&format!("[{name}]")))
            .map(|outcome| outcome.spec.clone())
            .unwrap_or_default();
        if let Some(suite) = saved::suite(&name, &cause.about(), shown, &spec, seed) {
            written.push(saved::write(folder, &name, &suite)?);
        }
    }
    Ok(written)
}

/// The words that make the run again.
fn command(config: &Config, arguments: &FuzzArguments) -> Vec<String> {
    let mut words = vec!["fuzz".to_owned(), "filter".to_owned()];
    words.extend(config.arguments.iter().cloned());
    words.extend(["--seed".to_owned(), config.seed.to_string()]);
    if let Some(requests) = config.requests.filter(|requests| *requests != REQUESTS) {
        words.extend(["--requests".to_owned(), requests.to_string()]);
    }
    if let Some(filters) = arguments.filters {
        words.extend(["--filters".to_owned(), filters.to_string()]);
    }
    words
}
