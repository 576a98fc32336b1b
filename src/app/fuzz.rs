//! `scimspec fuzz`: probe, fuzz, clean up, report.

use std::path::{Path, PathBuf};
use std::time::Instant;

use chrono::Utc;

use super::AppError;
use super::run::{library, requirement, show};
use super::session::{Place, Seen, Session, consented, paced};
use crate::cli::{FuzzArguments, FuzzCommand};
use crate::config::Config;
use crate::fuzz::progress::Bar;
use crate::fuzz::saved::{self, SavedSuite};
use crate::fuzz::subject::FoundSuite;
use crate::fuzz::{Options, Setting, Subject};
use crate::outcome::Exit;
use crate::profile::Profile;
use crate::report::model::{Keep, Run, RunReport};
use crate::report::{file, fuzz, json, junit, text};
use crate::requirement::Catalogue;
use crate::run::Templates;
use crate::target::CleanUp;

/// How many requests are made where nobody says how many: ten minutes of a target that allows 100 a minute.
const REQUESTS: u64 = 1000;
/// How many requests are under way at once where nobody says how many.
const IN_FLIGHT: u16 = 4;

/// What is asked for.
struct Wanted<'a> {
    /// What is fuzzed.
    subject: Subject,
    /// How many of it at most.
    most: Option<u64>,
    /// The rest.
    arguments: &'a FuzzArguments,
}

/// Runs the command.
///
/// # Errors
/// What kept it from trying anything.
pub fn fuzz(config: &Config, command: &FuzzCommand) -> Result<Exit, AppError> {
    let (subject, most) = match command {
        FuzzCommand::Filter(filter) => (Subject::Filter, filter.filters),
        FuzzCommand::Patch(patch) => (Subject::Patch, patch.patches),
        FuzzCommand::Lifecycle(lifecycle) => (Subject::Lifecycle, lifecycle.lifecycles),
    };
    fuzz_any(config, &Wanted { subject, most, arguments: command.arguments() })
}

fn fuzz_any(config: &Config, wanted: &Wanted<'_>) -> Result<Exit, AppError> {
    let Wanted { subject, most, arguments } = *wanted;
    let started = Utc::now();
    let clock = Instant::now();
    let library = library(config)?;
    let profile = Profile::chosen(&library, &config.profile)?;
    let mut config = paced(config, profile);
    let budget = *config.requests.get_or_insert(REQUESTS);
    let config = &config;
    consented(config)?;
    for path in [&config.json, &config.junit].into_iter().flatten() {
        file::check(path)?;
    }
    let suites = match &arguments.save {
        Some(folder) => {
            file::check(&saved::place(folder, subject, "found"))?;
            saved::read(folder, subject)?
        }
        None => Vec::new(),
    };
    let catalogue = Catalogue::embedded();
    let Some(session) = Session::open(config, profile)? else { return Ok(Exit::Unreachable) };
    let Session { runtime, place, generator, target, probe, .. } = &session;
    show(&announcement(config, place, subject, budget, &suites))?;
    session.begin();

    let templates = Templates { user: config.template_user.clone(), group: config.template_group.clone() };
    let bar = Bar::new(budget, &format!("{}s", subject.noun()), config.look.colour);
    let setting = Setting {
        target,
        probe,
        generator,
        templates: &templates,
        catalogue,
        options: Options {
            seed: config.seed,
            most,
            in_flight: usize::from(arguments.in_flight.unwrap_or(IN_FLIGHT)),
            stop_at_first: false,
            keeps_all: config.keep == Keep::All,
        },
        saved: &suites,
        progress: &bar,
    };
    let mut found = runtime.block_on(subject.fuzz(&setting));
    bar.clear();
    let clean_up = runtime.block_on(target.clean_up());
    session.end();

    let kept = save(arguments.save.as_deref(), subject, &found.suites)?;
    found.record.command = words(config, wanted);
    found.record.saved = kept.iter().map(|path| path.display().to_string()).collect();
    let exchanges = target.exchanges();
    let ours = session.ours();
    let seen = Seen {
        suites: library.digest(),
        started,
        duration: clock.elapsed(),
        ours: &ours,
        outcomes: &found.outcomes,
        exchanges: &exchanges,
        requirement: &|id: &str| requirement(catalogue, id),
        clean_up: &clean_up,
    };
    let report = Run { fuzz: Some(found.record), ..session.run(config, profile, seen) }.report();
    if let Some(path) = &config.json {
        json::write(&report, path)?;
    }
    if let Some(path) = &config.junit {
        junit::write(&report, path)?;
    }
    show(&fuzz_report(&report, config, &clean_up))?;
    session.close();
    Ok(report.exit())
}

fn fuzz_report(report: &RunReport, config: &Config, clean_up: &CleanUp) -> String {
    let mut text = fuzz::render(report, config.look);
    if let Some(trouble) = &clean_up.trouble {
        text.push_str(&format!("warning: {trouble}\n"));
    }
    text
}

fn announcement(
    config: &Config,
    place: &Place,
    subject: Subject,
    budget: u64,
    suites: &[SavedSuite],
) -> String {
    let time = config.rate.map(|rate| {
        format!("; at {rate} this takes up to {}", crate::plan::estimate::time(rate.time_for(budget)))
    });
    let cases: usize = suites.iter().map(|saved| saved.suite.cases.len()).sum();
    let tried = match cases {
        0 => String::new(),
        some => format!("{} saved by earlier runs first\n", text::count(some as u64, "case")),
    };
    format!(
        "scimspec {} → {}\nfuzzing {}s with up to {budget} requests, seed {}{}\n{tried}",
        env!("CARGO_PKG_VERSION"),
        place.words(),
        subject.noun(),
        config.seed,
        time.unwrap_or_default(),
    )
}

/// Writes what was found as suites.
fn save(folder: Option<&Path>, subject: Subject, suites: &[FoundSuite]) -> Result<Vec<PathBuf>, AppError> {
    let Some(folder) = folder else { return Ok(Vec::new()) };
    suites.iter().map(|suite| Ok(saved::write(folder, subject, suite)?)).collect()
}

/// The words that make the run again.
fn words(config: &Config, wanted: &Wanted<'_>) -> Vec<String> {
    let mut words = vec!["fuzz".to_owned(), wanted.subject.name().to_owned()];
    words.extend(config.arguments.iter().cloned());
    words.extend(["--seed".to_owned(), config.seed.to_string()]);
    let mut add = |option: &str, number: Option<u64>| {
        words.extend(number.into_iter().flat_map(|number| [option.to_owned(), number.to_string()]));
    };
    add("--requests", config.requests.filter(|requests| *requests != REQUESTS));
    add(wanted.subject.option(), wanted.most);
    add("--in-flight", wanted.arguments.in_flight.map(u64::from));
    words
}
