//! How many requests a plan will need, before the first is made: what the executor does with each case, followed step by
//! step on the case as it is written, for a service provider that does what each case expects.
//!
//! An estimate and no promise: how many pages a list has, how often a limit is met, and what else follows from an answer
//! that nobody expected, is not known here. Against the reference server it is held within 10 % by a test.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use serde_json::Value;

use super::joined::joined;
use super::pool::{is_write, stands_on};
use super::{Job, Phase, Plan, ways};
use crate::oracle::batch;
use crate::scim::names::GROUP;
use crate::suite::load::Library;
use crate::suite::model::{Action, Auth, Expect, Given, Payload, Requires, StatusSet, Step, VectorKind};
use crate::suite::template::{references, references_in};
use crate::target::Rate;

/// What a target allows to be made together, as far as it is known before the run.
#[derive(Debug, Clone, Copy, Default)]
pub struct Together {
    /// How many operations a bulk job may have, where Bulk serves for what no case asks for.
    pub bulk: Option<usize>,
    /// Whether the last reads of cases may be made together.
    pub reads: bool,
    /// Whether filters of cases that only read are asked together.
    pub filters: bool,
    /// So many of anything are worth it.
    pub worth: usize,
    /// So many reads after writes of one kind are made by themselves before.
    pub by_themselves: usize,
    /// How many rows a list has that shows many together.
    pub rows: usize,
}

/// How many requests a run will need, by what they are for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Estimate {
    /// To see what the service provider claims.
    pub probe: u64,
    /// To make what cases start from.
    pub givens: u64,
    /// Steps that only read.
    pub reads: u64,
    /// Steps that write, or try to.
    pub writes: u64,
    /// To see what a write has made of a resource, and what it was before.
    pub read_backs: u64,
    /// To delete it all.
    pub clean_up: u64,
}

/// Requests of the probe to a service provider that answers each, credentials included.
const PROBE: u64 = 5;

impl Estimate {
    /// The estimate for the jobs of a plan that run. `claims` says what the service provider has, for steps that need it.
    pub fn of(
        plan: &Plan<'_>,
        library: &Library,
        claims: &dyn Fn(&Requires) -> Result<(), String>,
        together: Together,
    ) -> Estimate {
        let writing =
            plan.running().filter(|job| matches!(job.phase, Phase::Write | Phase::Exclusive)).count();
        let together = if writing >= together.worth {
            together
        } else {
            Together { bulk: None, reads: false, ..together }
        };
        let mut run = Run { together, ..Run::new(library, claims) };
        run.shared(plan);
        run.joined(plan);
        run.seeds(plan);
        for job in plan.running() {
            run.job(job);
        }
        run.lists();
        run.clean_up();
        run.estimate
    }

    /// All of them.
    pub fn total(&self) -> u64 {
        let Estimate { probe, givens, reads, writes, read_backs, clean_up } = *self;
        probe + givens + reads + writes + read_backs + clean_up
    }

    /// The estimate for people, and how long that takes at a rate.
    pub fn text(&self, rate: Option<Rate>) -> String {
        let lines = [
            ("probe", self.probe, "what the server claims"),
            ("givens", self.givens, "making what cases start from"),
            ("reads", self.reads, "steps that only read"),
            ("writes", self.writes, "steps that write, or try to"),
            ("read-backs", self.read_backs, "what a write changed, and what was before"),
            ("clean-up", self.clean_up, "deleting all of it"),
        ];
        let mut text = String::new();
        for (name, requests, what) in lines {
            let _ = writeln!(text, "  {name:<11}{requests:>6}  {what}");
        }
        let _ = writeln!(text, "  {:<11}{:>6}  requests, give or take 10 %", "total", self.total());
        if let Some(rate) = rate {
            let _ = writeln!(text, "\nAt {rate} that takes about {}.", time(rate.time_for(self.total())));
        }
        text
    }
}

/// A duration for people who wait.
pub fn time(takes: std::time::Duration) -> String {
    match takes.as_secs() {
        0..=89 => format!("{} s", takes.as_secs().max(1)),
        seconds => format!("{} min", seconds.div_ceil(60)),
    }
}

/// The run as far as it was followed.
struct Run<'p> {
    library: &'p Library,
    claims: &'p dyn Fn(&Requires) -> Result<(), String>,
    together: Together,
    estimate: Estimate,
    /// Endpoints at which something was created.
    touched: BTreeSet<&'static str>,
    /// How many resources there are that are ours.
    alive: u64,
    /// Plain reads that were made, of cases that only read.
    plain: BTreeSet<String>,
    /// Givens that are there before their case begins, by job.
    seeds: BTreeMap<String, BTreeSet<String>>,
    /// How often a write of each kind was read back.
    kinds: BTreeMap<String, usize>,
    /// How many resources of cases wait to be read together.
    waiting: u64,
    /// Steps that are answered together with others, by job and position.
    answered: BTreeSet<(String, usize)>,
}

impl<'p> Run<'p> {
    fn new(library: &'p Library, claims: &'p dyn Fn(&Requires) -> Result<(), String>) -> Run<'p> {
        let plain = ["/ServiceProviderConfig", "/ResourceTypes", "/Schemas"].map(str::to_owned);
        Run {
            library,
            claims,
            together: Together::default(),
            estimate: Estimate { probe: PROBE, ..Estimate::default() },
            touched: BTreeSet::new(),
            alive: 0,
            plain: plain.into(),
            seeds: BTreeMap::new(),
            kinds: BTreeMap::new(),
            waiting: 0,
            answered: BTreeSet::new(),
        }
    }

    /// Filters of cases that are asked together, where all goes well.
    fn joined(&mut self, plan: &Plan<'_>) {
        let all = joined(plan);
        if !self.together.filters || !batch::is_crowd(all.values().map(Vec::len).sum()) {
            return;
        }
        let jobs: Vec<String> = plan.running().map(Job::id).collect();
        for filters in all.values() {
            let texts: Vec<&str> = filters.iter().map(|(_, filter)| filter.filter).collect();
            for share in batch::shares_apart(&texts).into_iter().filter(|share| share.len() > 1) {
                self.estimate.reads += 1;
                let here = share.into_iter().filter_map(|index| filters.get(index));
                self.answered.extend(here.map(|(job, filter)| (jobs[*job].clone(), filter.step)));
            }
        }
    }

    /// Populations, and what cases share, made by Bulk: wave after wave, each shown by lists.
    fn planted(&mut self, plan: &Plan<'_>, batch: usize) {
        let mut waves: BTreeMap<usize, Vec<&Given>> = BTreeMap::new();
        let mut add = |given, depth| waves.entry(depth).or_default().push(given);
        for population in plan.populations().into_iter().filter_map(|name| self.library.population(name)) {
            let mut depths = BTreeMap::new();
            let members = &population.members;
            let made: Vec<_> =
                members.iter().map(|(name, given)| (given, depth(&mut depths, name, given))).collect();
            // The last of those that come first comes later, so that not all are of one instant.
            let last = made.iter().rposition(|(_, depth)| *depth == 0);
            for (index, (given, depth)) in made.into_iter().enumerate() {
                add(given, depth + usize::from(Some(index) == last));
            }
        }
        let mut keys = BTreeSet::new();
        let jobs: Vec<&Job<'_>> = plan.running().collect();
        for job in &jobs {
            let mut depths = BTreeMap::new();
            for (name, given) in &job.case.given {
                let Some(key) = job.pooled.get(name) else { continue };
                let depth = depth(&mut depths, name, given);
                if keys.insert(key) {
                    add(given, depth);
                }
            }
        }
        let mut looked_at = BTreeSet::new();
        for givens in waves.into_values() {
            let made: u64 = givens.iter().map(|given| given.times.map_or(1, u64::from)).sum();
            let endpoints: BTreeSet<_> = givens.into_iter().map(|given| self.endpoint(given)).collect();
            self.alive += made;
            self.estimate.givens += made.div_ceil(batch as u64);
            self.estimate.read_backs += endpoints.len() as u64;
            looked_at.extend(endpoints);
        }
        // One at each endpoint is read by itself as well.
        self.estimate.read_backs += looked_at.len() as u64;
    }

    /// Populations, and what cases share.
    fn shared(&mut self, plan: &Plan<'_>) {
        if let Some(batch) = self.together.bulk
            && plan.shared_resources(self.library) >= 2 * self.together.worth
        {
            return self.planted(plan, batch);
        }
        for population in plan.populations().into_iter().filter_map(|name| self.library.population(name)) {
            for given in population.members.values() {
                self.make(given);
            }
        }
        let mut keys = BTreeSet::new();
        for job in plan.running() {
            for (name, key) in &job.pooled {
                if let Some(given) = job.case.given.get(name).filter(|_| keys.insert(key)) {
                    self.make(given);
                }
            }
        }
    }

    /// A given that is made by itself.
    fn make(&mut self, given: &Given) {
        let times = given.times.map_or(1, u64::from);
        self.estimate.givens += times;
        self.created(self.endpoint(given), times);
    }

    fn created(&mut self, endpoint: &'static str, times: u64) {
        // The first at each endpoint is read, to see whose it is.
        if self.touched.insert(endpoint) {
            self.estimate.read_backs += 1;
        }
        self.alive += times;
    }

    fn endpoint(&self, given: &Given) -> &'static str {
        let fixture = given.fixture.as_deref().and_then(|name| self.library.fixture(name));
        let schemas = given.inline.as_ref().or(fixture).and_then(|resource| resource.get("schemas"));
        let is_group =
            schemas.and_then(Value::as_array).is_some_and(|all| all.iter().any(|urn| urn == GROUP));
        if is_group { "/Groups" } else { "/Users" }
    }

    /// What write cases start from, where that is made together.
    fn seeds(&mut self, plan: &Plan<'_>) {
        let Some(batch) = self.together.bulk else { return };
        let mut wanted: Vec<(String, &str, &Given, usize)> = Vec::new();
        for job in plan.running().filter(|job| job.phase == Phase::Write) {
            let mut depths: BTreeMap<&str, usize> = BTreeMap::new();
            for (name, given) in job.case.given.iter().filter(|(name, _)| !job.pooled.contains_key(*name)) {
                let depth = depth(&mut depths, name, given);
                wanted.push((job.id(), name, given, depth));
            }
        }
        let resources = |given: &Given| given.times.unwrap_or(1) as usize;
        if wanted.iter().map(|(_, _, given, _)| resources(given)).sum::<usize>() < self.together.worth {
            return;
        }
        let mut forms: BTreeSet<String> = BTreeSet::new();
        for wave in 0..=wanted.iter().map(|(.., depth)| *depth).max().unwrap_or_default() {
            let mut scouts: BTreeMap<&'static str, usize> = BTreeMap::new();
            let mut others: BTreeMap<&'static str, usize> = BTreeMap::new();
            for (.., given, _) in wanted.iter().filter(|(.., depth)| *depth == wave) {
                let members: BTreeSet<&String> = given.set.keys().collect();
                let form = format!("{:?} {members:?} {:?} {:?}", given.fixture, given.without, given.inline);
                let is_scout = forms.insert(form);
                // The first of a form is read by itself as well.
                self.estimate.read_backs += u64::from(is_scout);
                let made = if is_scout { &mut scouts } else { &mut others };
                *made.entry(self.endpoint(given)).or_default() += resources(given);
            }
            for made in [scouts, others] {
                let all: usize = made.values().sum();
                self.estimate.givens += all.div_ceil(batch) as u64;
                for (endpoint, resources) in made {
                    self.touched.insert(endpoint);
                    self.alive += resources as u64;
                    self.estimate.read_backs += (self.alive as usize).div_ceil(self.together.rows) as u64;
                }
            }
        }
        for (job, name, ..) in wanted {
            self.seeds.entry(job).or_default().insert(name.to_owned());
        }
    }

    fn job(&mut self, job: &Job<'_>) {
        let mut case = CaseRun::new(job);
        let seeds = self.seeds.remove(&job.id()).unwrap_or_default();
        for (name, given) in &job.case.given {
            if seeds.contains(name) {
                // A group shows in its members.
                let named: Vec<_> = given
                    .set
                    .values()
                    .chain(&given.inline)
                    .flat_map(references_in)
                    .map(|it| it.name)
                    .collect();
                case.images.retain(|image| !named.contains(image));
                case.images.insert(name.clone());
            } else if !job.pooled.contains_key(name) {
                self.make(given);
            }
            case.ours.insert(name.clone());
        }
        for step in &job.case.setup {
            self.step(&mut case, step, &[]);
        }
        let steps = &job.case.steps;
        let mut waits = false;
        for (index, step) in steps.iter().enumerate() {
            if self.waits(&case, index) {
                waits = true;
                break;
            }
            // A step that is answered already asks for nothing.
            if !self.answered.is_empty() && self.answered.contains(&(job.id(), index)) {
                continue;
            }
            self.step(&mut case, step, &steps[index + 1..]);
        }
        if !waits && !self.waits(&case, steps.len()) {
            self.estimate.read_backs += u64::from(case.due.is_some());
        }
        if let Some(vectors) = &job.case.vectors {
            let trials = job.parts.len() as u64;
            match vectors.kind {
                // Most filters are asked several at a time.
                VectorKind::Filter => self.estimate.reads += trials / 2 + 1,
                // All are made, changed and looked at together.
                VectorKind::Patch if self.together.bulk.is_some() => {
                    let jobs = trials.div_ceil(100);
                    self.estimate.givens += 2 * jobs + 2;
                    self.estimate.writes += jobs;
                    self.estimate.read_backs += jobs + 1;
                }
                // Those that no other case sends, one after the other.
                VectorKind::Patch => {
                    let own =
                        vectors.trials.iter().filter(|it| it.said.get("covered").is_none()).count() as u64;
                    self.estimate.writes += own.min(trials);
                    self.estimate.read_backs += own.min(trials);
                }
            }
        }
    }

    /// Whether only reads are left of a case that will be made with those of others.
    fn waits(&mut self, case: &CaseRun<'_>, next: usize) -> bool {
        let is_plain = |step: &Step| {
            if !step.when.iter().all(|(id, names)| case.takes(id, names)) {
                return true;
            }
            let names = match step.action() {
                Ok(Action::Read(name)) => vec![name.to_owned()],
                Ok(Action::Unchanged(all)) => all.to_vec(),
                Ok(Action::Send { line, payload: Payload::None }) => {
                    plain_read(line).map(|name| case.resource(name)).into_iter().collect()
                }
                _ => Vec::new(),
            };
            let expect = expectation(case.job, step);
            let of_resource = |expect: &Expect| {
                let of_body = expect.checks.iter().all(|check| check.header.is_none() && !check.elapsed);
                of_body && !is_refused_by(expect) && expect.never.is_empty() && expect.mutes.is_empty()
            };
            !names.is_empty()
                && names.iter().all(|name| case.ours.contains(name))
                && step.auth.is_none()
                && step.headers.is_empty()
                && step.capture.is_empty()
                && step.requires.is_empty()
                && expect.is_none_or(|expect| of_resource(expect) && expect.snapshot.is_none())
        };
        let Some(kind) = case.kind.as_ref().filter(|_| self.together.reads) else { return false };
        let rest = &case.job.case.steps[next..];
        let is_left = !rest.is_empty() || case.due.is_some();
        if case.job.phase == Phase::ReadOnly
            || case.job.parts.len() > 1
            || !is_left
            || !rest.iter().all(is_plain)
        {
            return false;
        }
        let count = self.kinds.entry(kind.clone()).or_default();
        *count += 1;
        let waits = *count > self.together.by_themselves;
        self.waiting += u64::from(waits);
        waits
    }

    fn step(&mut self, case: &mut CaseRun<'_>, step: &Step, later: &[Step]) {
        let holds = step.requires.iter().all(|requires| (self.claims)(requires).is_ok());
        if !holds || !step.when.iter().all(|(id, names)| case.takes(id, names)) {
            return;
        }
        if is_write(step) {
            self.before(case, step, later);
        }
        match step.action() {
            Ok(Action::Send { line, payload }) => self.send(case, step, line, &payload),
            Ok(Action::Query(query)) => {
                for _ in ways(&query.by) {
                    self.read(case, None);
                }
            }
            Ok(Action::Paginate(paginate)) => {
                for _ in 0..paginate.most_pages().min(3) {
                    self.read(case, None);
                }
            }
            Ok(Action::Read(name)) => self.read(case, Some(name)),
            Ok(Action::Unchanged(all)) => all.iter().for_each(|name| self.read(case, Some(name))),
            Ok(Action::Burst(burst)) => self.estimate.reads += u64::from(burst.at_most),
            Ok(Action::Parallel(parallel)) => {
                let given = parallel.over.as_ref().and_then(|over| case.job.case.given.get(over)?.times);
                let requests = given.map_or_else(|| parallel.at_least() as u64, u64::from);
                case.images.clear();
                self.estimate.writes += requests;
            }
            Ok(Action::Hook(_) | Action::Wait(_) | Action::Do(_)) | Err(_) => {}
        }
    }

    /// The reads of what a write may change and a later step compares with.
    fn before(&mut self, case: &mut CaseRun<'_>, step: &Step, later: &[Step]) {
        let mut wanted: BTreeSet<String> = BTreeSet::new();
        for later in later.iter().take_while(|later| !is_write(later)) {
            wanted.extend(later.unchanged.iter().cloned());
        }
        for each in std::iter::once(step).chain(later) {
            wanted.extend(stands_on(each).into_iter().filter(|name| !case.read.contains(name)));
        }
        for name in wanted {
            if case.ours.contains(&name) && case.read.insert(name.clone()) && case.images.insert(name.clone())
            {
                self.flush(case, Some(&name));
                self.estimate.read_backs += 1;
            }
        }
    }

    /// The read that is due, unless this is it.
    fn flush(&mut self, case: &mut CaseRun<'_>, read: Option<&str>) {
        if let Some(due) = case.due.take()
            && read != Some(due.as_str())
        {
            case.images.insert(due);
            self.estimate.read_backs += 1;
        }
    }

    fn read(&mut self, case: &mut CaseRun<'_>, name: Option<&str>) {
        self.flush(case, name);
        if let Some(name) = name {
            case.images.insert(name.to_owned());
            case.read.insert(name.to_owned());
            let resource = case.job.pooled.get(name).map_or(name, String::as_str);
            if case.job.phase == Phase::ReadOnly && !self.is_new(case, resource.to_owned()) {
                return;
            }
        }
        self.estimate.reads += 1;
    }

    /// Whether a plain read of a case that only reads is made: nobody asked before, or the case itself did.
    fn is_new(&mut self, case: &mut CaseRun<'_>, read: String) -> bool {
        let is_first = case.asked.insert(read.clone());
        self.plain.insert(read) || !is_first
    }

    fn send(&mut self, case: &mut CaseRun<'_>, step: &Step, line: &str, payload: &Payload<'_>) {
        let (method, path) = line.split_once(' ').unwrap_or((line, ""));
        let is_good = step.auth.or(case.job.file.suite.defaults.auth).unwrap_or(Auth::Good) == Auth::Good;
        let target =
            references(path).next().map(|it| case.resource(it.name)).filter(|name| case.ours.contains(name));
        if !is_write(step) {
            let plain =
                plain_read(line).map(|name| case.resource(name)).filter(|name| case.ours.contains(name));
            if let Some(name) = plain.filter(|_| is_good && step.headers.is_empty()) {
                return self.read(case, Some(&name));
            }
            self.flush(case, None);
            let is_shared =
                method == "GET" && is_good && step.headers.is_empty() && case.job.phase == Phase::ReadOnly;
            let named =
                references(path).any(|it| case.job.case.fresh.contains_key(&it.name) || it.name == "row");
            if !is_shared || named || self.is_new(case, path.to_owned()) {
                self.estimate.reads += 1;
            }
            return;
        }
        self.flush(case, None);
        if let Some(name) = target.as_ref().filter(|_| matches!(method, "PUT" | "PATCH"))
            && case.images.insert(name.clone())
        {
            self.estimate.read_backs += 1;
        }
        self.estimate.writes += 1;
        let is_refused = expectation(case.job, step).is_some_and(is_refused_by);
        let endpoint = path.split(['?', '$']).next().unwrap_or_default().trim_end_matches('/');
        case.kind = Some(format!("{method} {endpoint} {} {is_refused}", target.is_some()));
        if let Payload::Bulk(bulk) = payload {
            let posts =
                bulk.operations.iter().filter(|it| it.method.as_deref() == Some("POST")).count() as u64;
            if !is_refused {
                // Each is read, to see whose it is.
                self.estimate.read_backs += posts;
                self.alive += posts;
                case.images.clear();
                let made = step.capture.iter().filter(|(_, capture)| capture.resource);
                case.ours.extend(made.map(|(name, _)| name.clone()));
            }
            return;
        }
        match (method, target) {
            ("POST", None) if !is_refused => {
                let made = step.id.clone().unwrap_or_else(|| "what was made".to_owned());
                let endpoint = if endpoint == "/Groups" { "/Groups" } else { "/Users" };
                self.created(endpoint, 1);
                case.ours.insert(made.clone());
                for (name, capture) in &step.capture {
                    if capture.path.as_deref() == Some("$.id") {
                        case.ids.insert(name.clone(), made.clone());
                    }
                }
                case.due = Some(made);
            }
            (_, Some(name)) => {
                if is_refused {
                    case.images.remove(&name);
                } else {
                    case.images.clear();
                    case.read.clear();
                    self.alive = self.alive.saturating_sub(u64::from(method == "DELETE"));
                }
                case.due = Some(name);
            }
            _ => {}
        }
    }

    /// The lists that stand for the reads of cases that wait.
    fn lists(&mut self) {
        if self.waiting >= self.together.worth as u64 && self.waiting > 0 {
            self.estimate.read_backs += self.alive.div_ceil(self.together.rows as u64) + 1;
        } else {
            self.estimate.read_backs += self.waiting;
        }
    }

    fn clean_up(&mut self) {
        let deletions = match self.together.bulk {
            Some(batch) if self.alive >= self.together.worth as u64 => self.alive.div_ceil(batch as u64) + 1,
            _ => self.alive,
        };
        self.estimate.clean_up = deletions + self.touched.len() as u64;
    }
}

/// How many others have to be there before a given is, one after the other.
fn depth<'g>(depths: &mut BTreeMap<&'g str, usize>, name: &'g str, given: &Given) -> usize {
    let values = given.set.values().chain(&given.inline);
    let named = values.flat_map(references_in).filter_map(|it| depths.get(it.name.as_str()).copied());
    let depth = named.max().map_or(0, |depth| depth + 1);
    depths.insert(name, depth);
    depth
}

/// One case as far as it was followed.
struct CaseRun<'j> {
    job: &'j Job<'j>,
    /// Names of resources of this run.
    ours: BTreeSet<String>,
    /// Those of which it is known what they are now.
    images: BTreeSet<String>,
    /// Those that were read since the last write.
    read: BTreeSet<String>,
    /// The resource of which a read is due.
    due: Option<String>,
    /// The kind of the last write.
    kind: Option<String>,
    /// The plain reads of the case.
    asked: BTreeSet<String>,
    /// Names for ids, with the resource that each is of.
    ids: BTreeMap<String, String>,
}

impl<'j> CaseRun<'j> {
    fn new(job: &'j Job<'j>) -> CaseRun<'j> {
        CaseRun {
            job,
            ours: BTreeSet::new(),
            images: BTreeSet::new(),
            read: BTreeSet::new(),
            due: None,
            kind: None,
            asked: BTreeSet::new(),
            ids: BTreeMap::new(),
        }
    }

    /// The name of the resource that a name stands for, or whose id it is.
    fn resource(&self, name: String) -> String {
        self.ids.get(&name).cloned().unwrap_or(name)
    }

    /// Whether a step that waits for one of these alternatives runs, where the first of all is what comes.
    fn takes(&self, id: &str, names: &[String]) -> bool {
        let step = self.job.case.steps.iter().find(|step| step.id.as_deref() == Some(id));
        let first = step.and_then(|step| expectation(self.job, step)?.any.first()?.name.clone());
        first.is_some_and(|first| names.contains(&first))
    }
}

/// What a step expects: its row's, or its own.
fn expectation<'j>(job: &'j Job<'_>, step: &'j Step) -> Option<&'j Expect> {
    let of_row = job.row.and_then(|row| row.expect.get(step.id.as_deref()?));
    of_row.or(step.expect.as_ref())
}

/// Whether what is expected is no success.
fn is_refused_by(expect: &Expect) -> bool {
    let fails = |status: &StatusSet| !(200..300).any(|code| status.contains(code));
    let first = expect.any.first();
    expect.error.is_some()
        || expect.status.as_ref().is_some_and(fails)
        || first.is_some_and(|first| first.error.is_some() || first.status.as_ref().is_some_and(fails))
}

/// The name of the resource that a line reads whole: `GET /Users/${ann.id}`.
fn plain_read(line: &str) -> Option<String> {
    let path = line.strip_prefix("GET ").filter(|path| !path.contains('?'))?;
    let mut names = references(path);
    let first = names.next()?;
    (names.next().is_none() && first.span.end == path.len()).then_some(first.name)
}
