//! What write cases start from, made together before the first of them runs, where the service provider has Bulk.
//!
//! A case must not be blamed for what Bulk broke. So a resource is used only if a list or a read shows it as it was
//! sent; what lists say counts only for resources of a form of which one, read by itself, was the same as its row; and a
//! case that does not come to a clean end on such resources is made again on resources of its own, made one by one. Only
//! that counts.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

use serde_json::Value;

use super::Shared;
use super::given::{self, LEAST_BUDGET, Pool};
use super::names::{CaseNames, Created};
use crate::judge::Handle;
use crate::oracle::written::{Write, departures};
use crate::plan::{Job, Phase};
use crate::target::batch::WORTH;
use crate::target::exchange::Exchange;
use crate::target::{Grown, RequestPlan, resource_path};

/// Who asks for what cases start from.
pub const ORIGIN: &str = "givens";

/// A resource that a case finds there.
#[derive(Debug, Clone)]
pub(super) struct Seed {
    pub(super) created: Created,
    /// The resource as it is now, where nothing was made since that may show in it.
    pub(super) state: Option<Value>,
}

/// All that was made, by job and by the name that the case has for it.
#[derive(Debug, Default)]
pub(super) struct Seeds {
    made: BTreeMap<String, BTreeMap<String, Vec<Seed>>>,
    /// The jobs of which something was made that cannot be used: it is there, under the values that the case would use.
    spoiled: BTreeSet<String>,
    /// When the last of it was made.
    when: Option<Instant>,
}

/// One that is to be made.
struct Wanted<'w> {
    job: &'w str,
    name: &'w str,
    endpoint: String,
    resource: Value,
}

/// What resources have in common whose rows may be trusted alike: endpoint and attributes.
type Form = (String, BTreeSet<String>);

impl Seeds {
    /// Makes what the write cases start from, as far as Bulk makes it.
    pub(super) async fn plant(shared: &Shared<'_>, pool: &Pool) -> Seeds {
        let mut seeds = Seeds::default();
        let jobs: Vec<&Job<'_>> = shared.plan.running().filter(|job| seeds_for(shared, job)).collect();
        let wanted: usize = jobs.iter().map(|job| own_givens(job)).sum();
        // A budget that is all but spent is better spent on the first cases.
        if shared.target.bulk().is_none() || wanted < WORTH || !shared.target.can_spare(LEAST_BUDGET) {
            return seeds;
        }
        let mut names: Vec<(String, &Job<'_>, CaseNames)> = jobs
            .into_iter()
            .map(|job| {
                let mut names = shared.names(job, &job.id());
                pool.name(job, &mut names);
                // The case itself will take the first words of its own generator.
                names.generator = shared.generator.for_trial(&format!("given to {}", job.id()));
                (job.id(), job, names)
            })
            .collect();
        let mut trusted: BTreeMap<Form, bool> = BTreeMap::new();
        let mut tried: BTreeSet<(String, String)> = BTreeSet::new();
        // What refers to other givens comes when they are there.
        loop {
            let wave: Vec<Wanted<'_>> = names
                .iter()
                .filter(|(id, ..)| !seeds.spoiled.contains(id))
                .flat_map(|(id, job, names)| ready(shared, id, job, names, &tried))
                .collect();
            if wave.is_empty() || shared.target.bulk().is_none() || shared.target.interrupted() {
                break;
            }
            tried.extend(wave.iter().map(|wanted| (wanted.job.to_owned(), wanted.name.to_owned())));
            let (scouts, others) = scouts(wave, &trusted);
            let scouted = seeds.make(shared, &scouts, &mut trusted).await;
            let others: Vec<Wanted<'_>> =
                others.into_iter().filter(|it| trusted.get(&form(it)) == Some(&true)).collect();
            let made = seeds.make(shared, &others, &mut trusted).await;
            for wanted in scouts.iter().chain(&others) {
                seeds.forget_members(wanted);
            }
            for (wanted, seed) in scouts.iter().zip(scouted).chain(others.iter().zip(made)) {
                match seed {
                    Some(seed) => {
                        let made = seeds.made.entry(wanted.job.to_owned()).or_default();
                        made.entry(wanted.name.to_owned()).or_default().push(seed);
                    }
                    None => drop(seeds.spoiled.insert(wanted.job.to_owned())),
                }
            }
            for (id, job, names) in &mut names {
                let Some(made) = seeds.made.get_mut(id.as_str()) else { continue };
                made.retain(|name, all| {
                    let times = job.case.given.get(name).and_then(|given| given.times).unwrap_or(1);
                    all.len() == times as usize
                });
                for (name, all) in made {
                    let all: Vec<Created> = all.iter().map(|seed| seed.created.clone()).collect();
                    names.resources(name, &all);
                }
            }
        }
        seeds.made.retain(|job, _| !seeds.spoiled.contains(job));
        seeds.when = (!seeds.made.is_empty()).then(Instant::now);
        seeds
    }

    /// What is in a group shows it: what was seen of it before does not count any more.
    fn forget_members(&mut self, group: &Wanted<'_>) {
        let text = group.resource.to_string();
        let named =
            |seed: &Seed| seed.created.handle.id.as_ref().is_some_and(|id| text.contains(id.as_str()));
        let all = self.made.get_mut(group.job).into_iter().flat_map(BTreeMap::values_mut).flatten();
        all.filter(|seed| named(seed)).for_each(|seed| seed.state = None);
    }

    /// When the last of it was made, if there is any.
    pub(super) fn when(&self) -> Option<Instant> {
        self.when
    }

    /// What the fresh values of a job depend on: its id, unless something with the values of that is there already.
    pub(super) fn trial(&self, job: &str) -> String {
        if self.spoiled.contains(job) { format!("{job} alone") } else { job.to_owned() }
    }

    /// What was made for a job, by name.
    pub(super) fn of(&self, job: &str) -> Option<&BTreeMap<String, Vec<Seed>>> {
        self.made.get(job).filter(|made| !made.is_empty())
    }

    /// Makes these together. The first of a form is read by itself, too: where that shows what its row shows, rows of its
    /// form are trusted from then on.
    async fn make(
        &self,
        shared: &Shared<'_>,
        wanted: &[Wanted<'_>],
        trusted: &mut BTreeMap<Form, bool>,
    ) -> Vec<Option<Seed>> {
        if wanted.is_empty() {
            return Vec::new();
        }
        let resources: Vec<(String, Value)> =
            wanted.iter().map(|it| (it.endpoint.clone(), it.resource.clone())).collect();
        let grown = shared.target.plant(&resources, ORIGIN).await.unwrap_or_default();
        let mut seeds = Vec::new();
        for (wanted, grown) in wanted.iter().zip(grown.into_iter().chain(std::iter::repeat(None))) {
            let Some(grown) = grown.filter(|grown| is_as_sent(shared, &wanted.resource, grown)) else {
                trusted.entry(form(wanted)).or_insert(false);
                seeds.push(None);
                continue;
            };
            let is_trusted = match trusted.get(&form(wanted)) {
                Some(is_trusted) => *is_trusted,
                None => {
                    let is_same =
                        grown.is_row && reads_the_same(shared, &wanted.endpoint, &grown, wanted.job).await;
                    trusted.insert(form(wanted), is_same);
                    is_same
                }
            };
            seeds.push(is_trusted.then(|| seed(shared, wanted, grown)));
        }
        seeds
    }
}

/// Whether a job's own givens may be made together with those of others.
fn seeds_for(shared: &Shared<'_>, job: &Job<'_>) -> bool {
    // Deviations are counted, and a case that is made again would count twice.
    job.phase == Phase::Write && shared.deviations_of(job).is_empty()
}

/// How many resources a job makes for itself alone before its first step.
fn own_givens(job: &Job<'_>) -> usize {
    let own = job.case.given.iter().filter(|(name, _)| !job.pooled.contains_key(*name));
    own.map(|(_, given)| given.times.unwrap_or(1) as usize).sum()
}

/// The givens of a job of which everything is known, and that were not tried yet.
fn ready<'w>(
    shared: &Shared<'_>,
    id: &'w str,
    job: &'w Job<'_>,
    names: &CaseNames,
    tried: &BTreeSet<(String, String)>,
) -> Vec<Wanted<'w>> {
    let mut all = Vec::new();
    for (name, given) in &job.case.given {
        if job.pooled.contains_key(name) || tried.contains(&(id.to_owned(), name.clone())) {
            continue;
        }
        let times = given.times.unwrap_or(1) as usize;
        for _ in 0..times {
            let Ok(resource) = given::resource(shared, given, names) else { break };
            let (_, endpoint) = shared.kind_of(&resource);
            all.push(Wanted { job: id, name, endpoint, resource });
        }
    }
    all
}

/// The first of each form that was never seen, with all that have its name, and all others.
fn scouts<'w>(wave: Vec<Wanted<'w>>, known: &BTreeMap<Form, bool>) -> (Vec<Wanted<'w>>, Vec<Wanted<'w>>) {
    let mut seen: BTreeSet<Form> = known.keys().cloned().collect();
    let mut chosen: BTreeSet<(&str, &str)> = BTreeSet::new();
    for wanted in &wave {
        if seen.insert(form(wanted)) {
            chosen.insert((wanted.job, wanted.name));
        }
    }
    wave.into_iter().partition(|wanted| chosen.contains(&(wanted.job, wanted.name)))
}

fn form(wanted: &Wanted<'_>) -> Form {
    let members = wanted.resource.as_object().map(|it| it.keys().cloned().collect()).unwrap_or_default();
    (wanted.endpoint.clone(), members)
}

/// Whether every reading of the RFCs lets what is there come of what was sent.
pub(super) fn is_as_sent(shared: &Shared<'_>, resource: &Value, grown: &Grown) -> bool {
    let (kind, _) = shared.kind_of(resource);
    let Some(definition) = shared.probe.schemas.definition(&kind) else { return false };
    departures(&Write::Create { sent: resource }, &grown.state, &definition)
        .is_some_and(|departures| departures.is_empty())
}

/// Whether a resource, read by itself, is what its row is.
pub(super) async fn reads_the_same(shared: &Shared<'_>, endpoint: &str, grown: &Grown, origin: &str) -> bool {
    let mut plan = RequestPlan::get(resource_path(endpoint, &grown.id), origin);
    plan.reason = Some("read, to see whether lists show the same".to_owned());
    match shared.send(plan).await {
        Ok(sent) => {
            sent.exchange.status() == Some(200) && Exchange::json(&sent.exchange) == Some(&grown.state)
        }
        Err(_) => false,
    }
}

fn seed(shared: &Shared<'_>, wanted: &Wanted<'_>, grown: Grown) -> Seed {
    let handle = Handle {
        resource_type: shared.kind_at(&wanted.endpoint),
        id: Some(grown.id),
        state: Some(grown.state.clone()),
    };
    Seed { created: Created { handle, endpoint: wanted.endpoint.clone() }, state: Some(grown.state) }
}
