//! `scimspec baseline`, and the baseline of a run: files are read and written here, and decided on in
//! [`crate::baseline`].

use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};

use super::{AppError, print};
use crate::baseline::{Baseline, Changed, NAME, Reasons, Updated, update};
use crate::cli::{BaselineAction, ReasonArguments};
use crate::config::Config;
use crate::outcome::{Exit, Reading};
use crate::report::file::{self, WriteError};
use crate::report::model::RunReport;
use crate::report::text;
use crate::suite::Diagnostic;
use crate::suite::load::Library;

/// How many cases are named in one line of what was done.
const NAMED: usize = 6;
/// How many slips of one file are shown.
const SLIPS: usize = 8;

/// Why a list of known failures cannot be used, written or brought up to date.
#[derive(Debug, thiserror::Error)]
pub enum BaselineError {
    /// It cannot be read.
    #[error(
        "error: cannot read the baseline {}: {source}\n  = help: 'scimspec baseline write --from run.json' writes one from the \
         report of a run\n", path.display()
    )]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// What is wrong in it, each with its place.
    #[error("{0}")]
    Slips(String),
    /// A new one would take the place of one that is there.
    #[error(
        "error: {} is there already\n  = help: 'scimspec baseline update --from run.json' brings it up to date and keeps its \
         reasons; --out writes another one\n", path.display()
    )]
    There {
        /// The file.
        path: PathBuf,
    },
    /// The report of a run cannot be used.
    #[error(
        "error: cannot use {} as the report of a run: {why}\n  = help: 'scimspec run --json run.json' writes one\n",
        path.display()
    )]
    Report {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// The list cannot be written.
    #[error("error: {0}\n")]
    Write(#[from] WriteError),
}

impl BaselineError {
    fn slips(slips: &[Diagnostic], config: &Config) -> BaselineError {
        let mut shown: Vec<String> =
            slips.iter().take(SLIPS).map(|slip| format!("{}\n", slip.render(config.look.colour))).collect();
        if let Some(more) = slips.len().checked_sub(SLIPS).filter(|more| *more > 0) {
            shown.push(format!("and {} in the same file\n", text::count(more as u64, "further slip")));
        }
        BaselineError::Slips(shown.join("\n"))
    }
}

/// The baseline that a run is held to, where it is held to one. `cases` are all cases of the profile.
///
/// # Errors
/// What is wrong with the file, or that it is for other runs.
pub fn of_run(
    config: &Config,
    profile: &str,
    reading: Reading,
    cases: &BTreeSet<&str>,
) -> Result<Option<Baseline>, BaselineError> {
    let Some(path) = &config.baseline else { return Ok(None) };
    let baseline = read(path, config)?;
    let slips = baseline.check(profile, reading, cases);
    if slips.is_empty() { Ok(Some(baseline)) } else { Err(BaselineError::slips(&slips, config)) }
}

/// Runs the command.
///
/// # Errors
/// What kept the list from being written.
pub fn baseline(config: &Config, action: &BaselineAction) -> Result<Exit, AppError> {
    let path = config.baseline.clone().unwrap_or_else(|| PathBuf::from(NAME));
    let (from, reasons) = match action {
        BaselineAction::Write(write) => (&write.from, &write.reasons),
        BaselineAction::Update(update) => (&update.from, &update.reasons),
    };
    let report = report(from)?;
    let mut baseline = match action {
        BaselineAction::Write(_) if path.exists() => return Err(BaselineError::There { path }.into()),
        BaselineAction::Write(_) => Baseline::empty(&report.profile, report.reading),
        BaselineAction::Update(_) => read(&path, config)?,
    };
    let slips = baseline.check_run(&report.profile, report.reading);
    if !slips.is_empty() {
        return Err(BaselineError::slips(&slips, config).into());
    }
    let rules = rules(config)?;
    let updated = update(&mut baseline, &report, &|case| rules.contains(case), &said(reasons));
    file::replace(&path, baseline.text().as_bytes()).map_err(BaselineError::from)?;
    if report.summary.interrupted {
        eprintln!("warning: that run was interrupted: what it did not come to is not in the baseline");
    }
    print(&done(&path, &baseline, &updated))?;
    Ok(Exit::Conformant)
}

fn said(ReasonArguments { reason, issue, until }: &ReasonArguments) -> Reasons {
    Reasons { reason: reason.clone().unwrap_or_default(), issue: issue.clone(), until: *until }
}

/// The ids of all cases that look at the exchanges of others.
fn rules(config: &Config) -> Result<BTreeSet<String>, AppError> {
    let library = Library::load(&config.suites).map_err(|all| AppError::suites(all, config))?;
    let rules = library.suites().iter().flat_map(|file| {
        file.suite.cases.iter().filter(|case| case.rule.is_some()).map(|case| file.case_id(case))
    });
    Ok(rules.collect())
}

fn read(path: &Path, config: &Config) -> Result<Baseline, BaselineError> {
    let text = std::fs::read_to_string(path)
        .map_err(|source| BaselineError::Unreadable { path: path.to_owned(), source })?;
    Baseline::read(&text, &path.display().to_string()).map_err(|slips| BaselineError::slips(&slips, config))
}

fn report(path: &Path) -> Result<RunReport, BaselineError> {
    let unusable = |why: String| BaselineError::Report { path: path.to_owned(), why };
    let text = std::fs::read_to_string(path).map_err(|error| unusable(error.to_string()))?;
    serde_json::from_str(&text)
        .map_err(|error| unusable(text::clip(&text::one_line(&error.to_string()), 200)))
}

/// What was done, a line for each kind of change.
fn done(path: &Path, baseline: &Baseline, updated: &Updated) -> String {
    let Updated { kept, changed, added, removed, not_judged, without_reason } = updated;
    let entries = match baseline.entries.len() {
        0 => "nothing is known".to_owned(),
        1 => "1 entry".to_owned(),
        number => format!("{number} entries"),
    };
    let mut said = format!("{}: {entries}\n", path.display());
    let changed: Vec<String> = changed
        .iter()
        .map(|Changed { case, new, gone }| format!("{case} ({new} new, {gone} gone)"))
        .collect();
    for (word, cases, note) in [
        ("kept", kept, ""),
        ("added", added, ""),
        ("changed", &changed, "; does the reason still hold?"),
        ("removed", removed, "; it holds now"),
        ("not judged", not_judged, " in that run; kept"),
    ] {
        if !cases.is_empty() {
            said.push_str(&format!("{word:>12}  {}: {}{note}\n", cases.len(), names(cases)));
        }
    }
    if !without_reason.is_empty() {
        said.push_str(&format!(
            "\nA reason is missing: {}. Write it into the file, or give --reason; a run takes no entry without one.\n",
            names(without_reason)
        ));
    }
    said
}

fn names(cases: &[String]) -> String {
    let more = cases.len().saturating_sub(NAMED);
    let named = cases.iter().take(NAMED).map(|case| text::one_line(case)).collect::<Vec<_>>().join(", ");
    if more > 0 { format!("{named} and {more} more") } else { named }
}
