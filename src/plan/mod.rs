//! Suites × profile × capabilities × selection → jobs in phases, each to run or to skip with its reason.
//!
//! Pure: what runs is decided here, before the first case sends a request, so that `list`, the trials and the
//! reports agree on it. This module refuses to know how a case is executed or judged.

pub(crate) mod each;
pub mod estimate;
pub mod joined;
mod parts;
mod pool;
mod quick;
mod selection;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use crate::outcome::{Level, SkipReason};
use crate::profile::Profile;
use crate::requirement::Catalogue;
use crate::scim::schema::SchemaSet;
use crate::suite::load::{Library, SuiteFile};
use crate::suite::model::{Action, Auth, By, Case, Permission, Requires, Row, Step, VectorKind};

pub use each::Each;
pub use estimate::{Estimate, Together};
pub use pool::{is_write, mentions, stands_on};
pub use quick::quick_cases;
pub use selection::{PatternError, Selection};

use parts::parts;
use pool::pooled;

/// When a job runs. No resource is created or deleted while read-only cases run; exclusive cases run alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Phase {
    /// Cases that only read, on resources shared between them.
    ReadOnly,
    /// Cases that create, change or delete resources of their own.
    Write,
    /// Cases that need the target for themselves.
    Exclusive,
    /// Those of them after which the operator's credentials are others.
    Renewing,
    /// Those of them that send as much as the target takes, and are refused at last.
    Bursting,
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
    /// Its path inside the suite file, for its place: `cases[3]`.
    pub path: String,
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
    /// The wire form, where the case does actions that have forms.
    pub form: Option<&'a str>,
    /// The row, where the case has rows.
    pub row: Option<&'a Row>,
    /// The attribute, where the case is tried with attributes of the service provider's schemas.
    pub each: Option<Each>,
    /// Its parts: one, or one a checkpoint, or one a vector.
    pub parts: Vec<Part>,
    /// When it runs.
    pub phase: Phase,
    /// Whether it runs.
    pub disposition: Disposition,
    /// Names of givens that are shared with other cases, since this one only reads them, with their pool keys.
    pub pooled: BTreeMap<String, String>,
}

impl Job<'_> {
    /// The id of the case with its form and row, `suite/case@put[row]`: what ledger, log and `--case` know it by.
    pub fn id(&self) -> String {
        let form = self.form.map(|form| format!("@{form}")).unwrap_or_default();
        let row = self.row.map(|row| format!("[{}]", row.id)).unwrap_or_default();
        let each = self.each.as_ref().map(|each| format!("[{}]", each.id)).unwrap_or_default();
        format!("{}/{}{form}{row}{each}", self.file.suite.suite, self.case.id)
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

    /// About how many requests it makes, rather too many than too few: its own resources, each step in each of its
    /// ways, a read of whatever it compares with, and the deletion of what it creates.
    pub fn requests(&self) -> u64 {
        let own = self.case.given.iter().filter(|(name, _)| !self.pooled.contains_key(*name));
        let givens: u64 = own.map(|(_, given)| given.times.map_or(1, u64::from)).sum();
        let mut compared: BTreeSet<String> = BTreeSet::new();
        let mut asked = 0;
        for step in all_steps(self.case) {
            compared.extend(stands_on(step).into_iter().chain(step.unchanged.iter().cloned()));
            asked += match step.action() {
                Ok(Action::Query(query)) => ways(&query.by).len(),
                Ok(Action::Unchanged(all)) => all.len(),
                Ok(Action::Paginate(paginate)) => paginate.most_pages() as usize + 1,
                Ok(Action::Send { line, .. }) if line.starts_with("POST ") => 2,
                Ok(Action::Hook(_) | Action::Wait(_)) => 0,
                Ok(Action::Burst(burst)) => burst.at_most as usize,
                Ok(Action::Parallel(parallel)) => {
                    let given = parallel.over.as_ref().and_then(|over| self.case.given.get(over)?.times);
                    given.map_or_else(|| parallel.at_least(), |times| times as usize)
                }
                _ => 1,
            };
        }
        let vectors = self.case.vectors.as_ref().map_or(0, |vectors| match vectors.kind {
            // Most filters are asked several at a time; a PATCH is sent and read back.
            VectorKind::Filter => self.parts.len() as u64 / 2 + 1,
            VectorKind::Patch => 2 * self.parts.len() as u64,
        });
        2 * givens + (asked + compared.len()) as u64 + vectors
    }

    /// Every tag of the case.
    pub fn tags(&self) -> Vec<String> {
        self.file.suite.tags.iter().chain(&self.case.tags).cloned().collect()
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
    /// The target's schemas, which make trials of cases; without them, the core schemas do.
    pub schemas: Option<&'a SchemaSet>,
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

    /// How many resources there are in the populations, and that cases share.
    pub fn shared_resources(&self, library: &Library) -> usize {
        let populations = self.populations().into_iter().filter_map(|name| library.population(name));
        let members = populations.map(|population| population.members.len()).sum::<usize>();
        let mut givens: BTreeMap<&str, usize> = BTreeMap::new();
        for job in self.running() {
            for (name, key) in &job.pooled {
                let times = job.case.given.get(name).and_then(|given| given.times).unwrap_or(1);
                givens.insert(key, times as usize);
            }
        }
        members + givens.into_values().sum::<usize>()
    }

    /// The jobs that run.
    pub fn running(&self) -> impl Iterator<Item = &Job<'a>> {
        self.jobs.iter().filter(|job| job.disposition == Disposition::Run)
    }

    /// Leaves out jobs that would run, each for the reason given.
    pub fn leave_out(&mut self, why: impl Fn(&Job<'a>) -> Option<SkipReason>) {
        for job in self.jobs.iter_mut().filter(|job| job.disposition == Disposition::Run) {
            if let Some(reason) = why(job) {
                job.disposition = Disposition::Skip(reason);
            }
        }
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
            let eaches: Vec<Option<Each>> = match &case.for_each {
                None => vec![None],
                Some(for_each) => {
                    let schemas = conditions.schemas.unwrap_or_else(|| SchemaSet::core());
                    let trials: Vec<Option<Each>> =
                        each::trials(for_each, schemas).into_iter().map(Some).collect();
                    if trials.is_empty() { vec![None] } else { trials }
                }
            };
            let forms = file.forms_of(index).into_iter().filter(|(form, _)| profile.takes_form(*form));
            let trials = forms.flat_map(|form| {
                let eaches = &eaches;
                rows.iter().flat_map(move |row| eaches.iter().map(move |each| (form, *row, each)))
            });
            for ((form, case), row, each) in trials {
                let path = format!("cases[{index}]");
                let mut parts = parts(file, case, form, row, &path, catalogue);
                if let Some(each) = each {
                    parts.iter_mut().for_each(|part| part.id = format!("{}[{}]", part.id, each.id));
                }
                let mut job = Job {
                    file,
                    case,
                    path,
                    form,
                    row,
                    each: each.clone(),
                    parts,
                    phase: phase(case),
                    disposition: Disposition::Run,
                    pooled: pooled(case),
                };
                if case.vectors.is_some() {
                    // Each vector can be chosen by itself; they share what they are made from.
                    let tags = job.tags();
                    job.parts.retain(|part| selection.takes(&part.id, &[], &tags));
                    if job.parts.is_empty() {
                        continue;
                    }
                } else if !selection.takes(&job.id(), &job.parts, &job.tags()) {
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
    if let (Some(for_each), None) = (&job.case.for_each, &job.each) {
        let needs = each::wanted(&for_each.attribute);
        let evidence = "/Schemas declares none".to_owned();
        return Disposition::Skip(SkipReason::Capability { needs, evidence });
    }
    // Without its hook a case would end half-way.
    let hooks: Vec<Requires> =
        all_steps(job.case).filter_map(|step| step.hook.clone()).map(Requires::Hook).collect();
    for requires in job.requires().chain(&hooks) {
        if let (Requires::Hook(_), Err(what)) = (requires, (conditions.claims)(requires)) {
            return Disposition::Skip(SkipReason::NotConfigured { what });
        }
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
    has_patch_vectors(case)
        || !case.given.is_empty()
        || case.population.is_some()
        || all_steps(case).any(is_write)
}

fn phase(case: &Case) -> Phase {
    if case.rule.is_some() {
        Phase::Rules
    } else if all_steps(case).any(|step| step.burst.is_some()) {
        Phase::Bursting
    } else if all_steps(case).any(|step| step.auth == Some(Auth::Old)) {
        Phase::Renewing
    } else if case.exclusive {
        Phase::Exclusive
    } else if has_patch_vectors(case)
        || all_steps(case).any(is_write)
        || pooled(case).len() < case.given.len()
    {
        Phase::Write
    } else {
        Phase::ReadOnly
    }
}

fn has_patch_vectors(case: &Case) -> bool {
    case.vectors.as_ref().is_some_and(|vectors| vectors.kind == VectorKind::Patch)
}

fn all_steps(case: &Case) -> impl Iterator<Item = &Step> {
    case.setup.iter().chain(&case.steps)
}

/// How a query travels: as written, or by GET.
pub fn ways(by: &[By]) -> Vec<By> {
    if by.is_empty() { vec![By::Get] } else { by.to_vec() }
}
