//! Suites × profile × capabilities × selection → jobs in phases, each to run or to skip with its reason.
//!
//! Pure: what runs is decided here, before the first case sends a request, so that `list`, the trials and the
//! reports agree on it. This module refuses to know how a case is executed or judged.

use std::collections::{BTreeMap, BTreeSet};

use globset::{Glob, GlobMatcher};
use serde_json::Value;

use crate::outcome::{Level, Place, SkipReason};
use crate::profile::Profile;
use crate::requirement::Catalogue;
use crate::suite::load::SuiteFile;
use crate::suite::model::{Action, Becomes, By, Case, Given, Payload, Permission, Requires, Row, Step};
use crate::suite::template::references;

/// When a job runs. No resource is created or deleted while read-only cases run; exclusive cases run alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Phase {
    /// Cases that only read, on resources shared between them.
    ReadOnly,
    /// Cases that create, change or delete resources of their own.
    Write,
    /// Cases that need the target for themselves.
    Exclusive,
    /// Rules, judged over every exchange that the others made.
    Rules,
}

/// Whether a job runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Disposition {
    /// It runs.
    Run,
    /// It does not, for this reason.
    Skip(SkipReason),
}

/// What is reported under one id: a case, a row of it, or a checkpoint in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// The permanent id.
    pub id: String,
    /// In plain words.
    pub title: String,
    /// The strongest level judged.
    pub level: Level,
    /// The requirement ids cited.
    pub spec: Vec<String>,
    /// Where it stands.
    pub place: Place,
    /// What a client does when it fails.
    pub consequence: Option<String>,
}

/// One case (or one row of one) to execute.
#[derive(Debug, Clone)]
pub struct Job<'a> {
    /// The suite it stands in.
    pub file: &'a SuiteFile,
    /// The case.
    pub case: &'a Case,
    /// The path of the case inside its file: `cases[3]`.
    pub path: String,
    /// The row, where the case has rows.
    pub row: Option<&'a Row>,
    /// Its parts: one, or one a checkpoint.
    pub parts: Vec<Part>,
    /// When it runs.
    pub phase: Phase,
    /// Whether it runs.
    pub disposition: Disposition,
    /// Names of givens that are shared with other cases, since this one only reads them, with their pool keys.
    pub pooled: BTreeMap<String, String>,
}

impl Job<'_> {
    /// The id of the case with its row: what ledger, log and `--case` know it by.
    pub fn id(&self) -> String {
        let id = format!("{}/{}", self.file.suite.suite, self.case.id);
        match self.row {
            Some(row) => format!("{id}[{}]", row.id),
            None => id,
        }
    }

    /// What the whole job needs beside what its steps need.
    pub fn requires(&self) -> impl Iterator<Item = &Requires> {
        self.file
            .suite
            .requires
            .iter()
            .chain(&self.case.requires)
            .chain(self.row.into_iter().flat_map(|row| &row.requires))
    }

    /// Every tag of the case.
    pub fn tags(&self) -> Vec<String> {
        self.file.suite.tags.iter().chain(&self.case.tags).cloned().collect()
    }
}

/// Which cases a run is about.
#[derive(Debug, Clone, Default)]
pub struct Selection {
    cases: Vec<GlobMatcher>,
    skips: Vec<GlobMatcher>,
    tags: Vec<GlobMatcher>,
}

/// A pattern of `--case`, `--skip` or `--tag` that is no glob.
#[derive(Debug, thiserror::Error)]
#[error("'{pattern}' is no pattern: {why}")]
pub struct PatternError {
    /// The pattern as given.
    pub pattern: String,
    /// What is wrong with it.
    pub why: String,
}

impl Selection {
    /// A selection of the cases and tags named, less those skipped. Empty lists narrow nothing.
    ///
    /// # Errors
    /// The first pattern that is no glob.
    pub fn new(cases: &[String], skips: &[String], tags: &[String]) -> Result<Selection, PatternError> {
        let compile = |patterns: &[String]| -> Result<Vec<GlobMatcher>, PatternError> {
            patterns
                .iter()
                .map(|pattern| {
                    // Ids of rows hold brackets, which a glob would read as a class: `case[row]` means itself.
                    let literal = pattern.replace('[', "[[]");
                    Glob::new(&literal).map(|glob| glob.compile_matcher()).map_err(|error| PatternError {
                        pattern: pattern.clone(),
                        why: error.kind().to_string(),
                    })
                })
                .collect()
        };
        Ok(Selection { cases: compile(cases)?, skips: compile(skips)?, tags: compile(tags)? })
    }

    fn takes(&self, id: &str, parts: &[Part], tags: &[String]) -> bool {
        let named = |globs: &[GlobMatcher]| {
            let bare = id.split('[').next().unwrap_or(id);
            globs.iter().any(|glob| {
                glob.is_match(id) || glob.is_match(bare) || parts.iter().any(|part| glob.is_match(&part.id))
            })
        };
        (self.cases.is_empty() || named(&self.cases))
            && !named(&self.skips)
            && (self.tags.is_empty()
                || self.tags.iter().any(|glob| tags.iter().any(|tag| glob.is_match(tag))))
    }
}

/// What decides whether a selected case can run.
pub struct Conditions<'a> {
    /// Whether the target claims what is needed; the evidence where it does not.
    pub claims: &'a dyn Fn(&Requires) -> Result<(), String>,
    /// What the operator allows.
    pub allow: &'a [Permission],
    /// Whether nothing may be written.
    pub read_only: bool,
}

/// What a run is going to do.
#[derive(Debug, Clone)]
pub struct Plan<'a> {
    /// The jobs, in the order of phases and within them of suites.
    pub jobs: Vec<Job<'a>>,
}

impl<'a> Plan<'a> {
    /// Every part that will be reported, in the order of the jobs.
    pub fn parts(&self) -> impl Iterator<Item = (&Job<'a>, &Part)> {
        self.jobs.iter().flat_map(|job| job.parts.iter().map(move |part| (job, part)))
    }

    /// The populations that a job which runs needs.
    pub fn populations(&self) -> BTreeSet<&'a str> {
        self.running().filter_map(|job| job.case.population.as_deref()).collect()
    }

    /// The jobs that run.
    pub fn running(&self) -> impl Iterator<Item = &Job<'a>> {
        self.jobs.iter().filter(|job| job.disposition == Disposition::Run)
    }

    /// The case that is about a fixture, so that others who cannot have it point there: the first one whose
    /// steps create it and expect something of the answer.
    pub fn about_fixture(&self, fixture: &str) -> Option<String> {
        self.running()
            .find(|job| {
                job.case.steps.iter().any(|step| {
                    step.send.as_deref().is_some_and(|line| line.starts_with("POST "))
                        && step.make.as_ref().and_then(|make| make.fixture.as_deref()) == Some(fixture)
                        && step
                            .expect
                            .as_ref()
                            .and_then(|expect| expect.status.as_ref())
                            .is_some_and(|status| status.contains(201))
                })
            })
            .map(Job::id)
    }
}

/// Plans a run: every selected case, in phases, with its disposition.
pub fn plan<'a>(
    files: &'a [SuiteFile],
    catalogue: &Catalogue,
    profile: &Profile,
    selection: &Selection,
    conditions: &Conditions<'_>,
) -> Plan<'a> {
    let mut jobs = Vec::new();
    for file in files {
        for (index, case) in file.suite.cases.iter().enumerate() {
            if !profile.includes(file, case) {
                continue;
            }
            let rows: Vec<Option<&Row>> =
                if case.rows.is_empty() { vec![None] } else { case.rows.iter().map(Some).collect() };
            for row in rows {
                let path = format!("cases[{index}]");
                let parts = parts(file, case, row, &path, catalogue);
                let mut job = Job {
                    file,
                    case,
                    path,
                    row,
                    parts,
                    phase: phase(case),
                    disposition: Disposition::Run,
                    pooled: pooled(case),
                };
                if !selection.takes(&job.id(), &job.parts, &job.tags()) {
                    continue;
                }
                job.disposition = disposition(&job, conditions);
                jobs.push(job);
            }
        }
    }
    jobs.sort_by_key(|job| job.phase);
    Plan { jobs }
}

fn disposition(job: &Job<'_>, conditions: &Conditions<'_>) -> Disposition {
    for requires in job.requires() {
        if let Err(evidence) = (conditions.claims)(requires) {
            return Disposition::Skip(SkipReason::Capability { needs: requires.to_string(), evidence });
        }
    }
    if let Some(missing) = job.case.allow.iter().find(|permission| !conditions.allow.contains(permission)) {
        let permission = match missing {
            Permission::Disruptive => "disruptive",
            Permission::Slow => "slow",
        };
        return Disposition::Skip(SkipReason::NeedsAllow { permission: permission.to_owned() });
    }
    if conditions.read_only && writes(job.case) {
        return Disposition::Skip(SkipReason::ReadOnly);
    }
    Disposition::Run
}

/// Whether a case leaves a trace on the target: it needs resources, or sends what is no read.
fn writes(case: &Case) -> bool {
    !case.given.is_empty() || case.population.is_some() || all_steps(case).any(is_write)
}

fn phase(case: &Case) -> Phase {
    if case.rule.is_some() {
        Phase::Rules
    } else if case.exclusive {
        Phase::Exclusive
    } else if all_steps(case).any(is_write) || pooled(case).len() < case.given.len() {
        Phase::Write
    } else {
        Phase::ReadOnly
    }
}

fn all_steps(case: &Case) -> impl Iterator<Item = &Step> {
    case.setup.iter().chain(&case.steps)
}

/// Whether a step can change something on the target. A POST to `.search` is a read.
pub fn is_write(step: &Step) -> bool {
    match step.action() {
        Ok(Action::Send { line, .. }) => {
            let mut words = line.split_whitespace();
            let method = words.next().unwrap_or_default();
            let path = words.next().unwrap_or_default();
            !matches!(method, "GET" | "HEAD" | "OPTIONS") && !path.ends_with("/.search")
        }
        Ok(Action::Query(_) | Action::Read(_) | Action::Unchanged(_)) | Err(_) => false,
    }
}

/// The parts that a case is reported as: itself, or its checkpoints. Steps before the first checkpoint belong
/// to it.
fn parts(file: &SuiteFile, case: &Case, row: Option<&Row>, path: &str, catalogue: &Catalogue) -> Vec<Part> {
    let suffix = row.map(|row| format!("[{}]", row.id)).unwrap_or_default();
    let own_spec = |extra: &[String]| -> Vec<String> {
        let mut spec: Vec<String> = Vec::new();
        let row_spec = row.map(|row| row.spec.as_slice()).unwrap_or_default();
        for id in extra.iter().chain(row_spec).chain(&case.spec).chain(&file.suite.spec) {
            if !spec.contains(id) {
                spec.push(id.clone());
            }
        }
        spec
    };
    let level = |own: Option<Level>, spec: &[String]| {
        own.or(row.and_then(|row| row.level))
            .or(case.level)
            .or(file.suite.level)
            .or_else(|| catalogue.strongest(spec.iter().map(String::as_str)))
            .unwrap_or_else(|| catalogue.level_of(&file.suite, case))
    };
    let consequence = |own: &Option<String>| {
        own.clone().or_else(|| case.consequence.clone()).or_else(|| file.suite.consequence.clone())
    };
    let checkpoints: Vec<Part> = case
        .steps
        .iter()
        .enumerate()
        .filter_map(|(index, step)| {
            let name = step.checkpoint.as_ref()?;
            let spec = own_spec(&step.spec);
            Some(Part {
                id: format!("{}/{name}{suffix}", file.suite.suite),
                title: step.title.clone().unwrap_or_else(|| case.title.clone()),
                level: level(step.level, &spec),
                spec,
                place: file.place(&format!("{path}.steps[{index}]")),
                consequence: consequence(&step.consequence),
            })
        })
        .collect();
    if !checkpoints.is_empty() {
        return checkpoints;
    }
    let spec = own_spec(&[]);
    vec![Part {
        id: format!("{}/{}{suffix}", file.suite.suite, case.id),
        title: case.title.clone(),
        level: level(None, &spec),
        spec,
        place: file.place(path),
        consequence: consequence(&None),
    }]
}

/// The givens of a case that can be shared, each with the key of its pool: those that no request but a GET
/// mentions, and that stand on nothing made for this case alone.
fn pooled(case: &Case) -> BTreeMap<String, String> {
    let mut touched = BTreeSet::new();
    for step in all_steps(case).filter(|step| is_write(step)) {
        touched.extend(mentions(step));
    }
    let mut keys: BTreeMap<String, String> = BTreeMap::new();
    for (name, given) in &case.given {
        if touched.contains(name) {
            continue;
        }
        if let Some(mut key) = pool_key(given, &keys) {
            // Two givens of one case are two resources, however alike they are.
            while keys.values().any(|other| *other == key) {
                key.push_str(" again");
            }
            keys.insert(name.clone(), key);
        }
    }
    keys
}

/// What two givens have in common when one resource can serve for both. `None` where a given stands on
/// something that is not shared.
fn pool_key(given: &Given, earlier: &BTreeMap<String, String>) -> Option<String> {
    let mut key = format!("{given:?}");
    let mut names = BTreeSet::new();
    for value in given.set.values().chain(&given.inline) {
        names_in(value, &mut names);
    }
    for name in names {
        if name != "run" {
            key.push('|');
            key.push_str(earlier.get(&name)?);
        }
    }
    Some(key)
}

/// The names that a step's request stands on.
pub fn mentions(step: &Step) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    let mut text = |text: &str| names.extend(references(text).map(|reference| reference.name));
    match step.action() {
        Ok(Action::Send { line, payload }) => {
            text(line);
            for header in step.headers.values().flatten() {
                text(header);
            }
            match payload {
                Payload::None => {}
                Payload::Raw(raw) => text(raw),
                Payload::Body(value) | Payload::Operations(value) => names_in(value, &mut names),
                Payload::Make(make) => {
                    names.extend(make.from.iter().chain(&make.sent).cloned());
                    for value in make.set.values() {
                        names_in(value, &mut names);
                    }
                }
            }
        }
        Ok(Action::Query(query)) => text(query.filter.as_deref().unwrap_or_default()),
        Ok(Action::Read(name)) => {
            names.insert(name.to_owned());
        }
        Ok(Action::Unchanged(all)) => names.extend(all.iter().cloned()),
        Err(_) => {}
    }
    names
}

/// The names whose resource a step's expectation or body starts from, so that a read has to have shown it.
pub fn stands_on(step: &Step) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    let mut becomes = |becomes: &Option<Becomes>| {
        names.extend(becomes.iter().filter_map(|becomes| becomes.from.clone()));
    };
    if let Some(expect) = &step.expect {
        becomes(&expect.becomes);
        expect.any.iter().for_each(|alternative| becomes(&alternative.becomes));
        expect.also.iter().for_each(|block| {
            becomes(&block.becomes);
            block.any.iter().for_each(|alternative| becomes(&alternative.becomes));
        });
    }
    names.extend(step.make.iter().filter_map(|make| make.from.clone()));
    names
}

/// How a query travels: as written, or by GET.
pub fn ways(by: &[By]) -> Vec<By> {
    if by.is_empty() { vec![By::Get] } else { by.to_vec() }
}

fn names_in(value: &Value, names: &mut BTreeSet<String>) {
    match value {
        Value::String(text) => names.extend(references(text).map(|reference| reference.name)),
        Value::Array(all) => all.iter().for_each(|value| names_in(value, names)),
        Value::Object(members) => members.values().for_each(|value| names_in(value, names)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}
