//! Resources that exist before a case begins: its own givens, those shared between cases, and populations.
//!
//! What fails here is never the case's verdict: the case could not start. This module turns fixtures into
//! requests and answers into handles; it judges nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

use serde_json::Value;

use super::names::{CaseNames, Created};
use super::request::{change, left_out};
use super::seed::{is_as_sent, reads_the_same};
use super::{Shared, busy};
use crate::judge::Handle;
use crate::outcome::{ErrorCause, SkipReason, Verdict};
use crate::plan::Job;
use crate::suite::load::Population;
use crate::suite::model::Given;
use crate::target::Created as Ownership;
use crate::target::RequestPlan;
use crate::target::batch::WORTH;
use crate::target::failure::shorten;

/// Who makes what cases share.
pub const ORIGIN: &str = "population";

/// What is left of a budget has to allow so many requests, for it to be worth it to make many together.
pub(super) const LEAST_BUDGET: u64 = 20;

/// Why a given is not there.
#[derive(Debug, Clone)]
pub struct GivenTrouble {
    /// The fixture it starts from, if any.
    pub fixture: Option<String>,
    /// What was attempted and what came back.
    pub detail: String,
    /// Whether the service provider refused it, rather than the network or the suite.
    pub refused: bool,
    /// Whether the answer never came, or only said to come later.
    pub transport: bool,
    /// Whether nothing was sent, since the budget is spent or the run interrupted.
    pub not_sent: Option<SkipReason>,
}

impl GivenTrouble {
    /// Trouble of the suite's or the harness's own making.
    fn new(fixture: Option<&String>, detail: String) -> GivenTrouble {
        GivenTrouble { fixture: fixture.cloned(), detail, refused: false, transport: false, not_sent: None }
    }

    /// What it makes of the case that needed it.
    pub fn verdict(&self, shared: &Shared<'_>, case_id: &str) -> Verdict {
        if let Some(reason) = &self.not_sent {
            return Verdict::Skipped { reason: reason.clone() };
        }
        if self.transport {
            return Verdict::Errored { cause: ErrorCause::Transport { detail: self.detail.clone() } };
        }
        let about = self
            .fixture
            .as_deref()
            .filter(|_| self.refused)
            .and_then(|fixture| shared.about_fixture.get(fixture))
            .filter(|about| about.as_str() != case_id);
        match about {
            Some(case) => Verdict::Skipped {
                reason: SkipReason::BlockedBy { case: case.clone(), detail: self.detail.clone() },
            },
            None => Verdict::Errored { cause: ErrorCause::Precondition { detail: self.detail.clone() } },
        }
    }
}

/// Creates one given (or several, with `times`), and reads nothing back.
///
/// # Errors
/// Why it is not there.
pub async fn create(
    shared: &Shared<'_>,
    given: &Given,
    names: &CaseNames,
    origin: &str,
) -> Result<Vec<Created>, GivenTrouble> {
    let mut all = Vec::new();
    for _ in 0..given.times.unwrap_or(1) {
        let resource = resource(shared, given, names)?;
        all.push(post(shared, given, &resource, origin).await?);
    }
    Ok(all)
}

/// The resource that a given describes, new.
pub(super) fn resource(shared: &Shared<'_>, given: &Given, names: &CaseNames) -> Result<Value, GivenTrouble> {
    let trouble = |detail: String| GivenTrouble::new(given.fixture.as_ref(), detail);
    let base = match (&given.inline, &given.fixture) {
        (Some(inline), _) => names.scope.resolve(inline).map_err(|error| trouble(error.to_string()))?,
        (None, Some(fixture)) => shared
            .fixture(fixture, &names.generator)
            .ok_or_else(|| trouble(format!("the fixture '{fixture}' is not there")))?,
        (None, None) => return Err(trouble("a given needs a fixture or an inline resource".to_owned())),
    };
    let changed =
        change(base, &given.set, &given.without, &names.scope).map_err(|error| trouble(error.to_string()))?;
    Ok(left_out(shared.fill(changed, &names.generator), &given.set, &given.without))
}

/// Creates a given without what the service provider does not declare.
///
/// # Errors
/// Why it is not there. One that refers to a resource that was refused counts as refused, too.
async fn create_declared(
    shared: &Shared<'_>,
    given: &Given,
    names: &CaseNames,
) -> Result<Vec<Created>, GivenTrouble> {
    let resource =
        resource(shared, given, names).map_err(|trouble| GivenTrouble { refused: true, ..trouble })?;
    Ok(vec![post(shared, given, &shared.declared(resource), ORIGIN).await?])
}

async fn post(
    shared: &Shared<'_>,
    given: &Given,
    resource: &Value,
    origin: &str,
) -> Result<Created, GivenTrouble> {
    let what =
        given.fixture.as_deref().map_or_else(|| "the given".to_owned(), |name| format!("the given '{name}'"));
    let trouble = |detail: String| GivenTrouble::new(given.fixture.as_ref(), detail);
    let (resource_type, endpoint) = shared.kind_of(resource);
    let plan = RequestPlan::new("POST", &endpoint, origin).json(resource);
    let sent = shared.send(plan).await.map_err(|refusal| trouble(refusal.to_string()))?;
    let response = match &sent.exchange.answer {
        Ok(response) => response,
        Err(failure) => {
            return Err(GivenTrouble {
                transport: true,
                not_sent: shared.not_sent(failure),
                ..trouble(format!("{what} could not be created: {failure}"))
            });
        }
    };
    if let Some(why) = busy(&sent.exchange) {
        let detail = format!("{what} could not be created: POST {endpoint}: {why}");
        return Err(GivenTrouble { transport: true, ..trouble(detail) });
    }
    // A success may show a resource of somebody else's, which has no place in a message; an error is for us.
    let refused = |why: &str| GivenTrouble {
        refused: true,
        ..trouble(format!("{what} could not be created: POST {endpoint} answered {}{why}", response.status))
    };
    if !(200..300).contains(&response.status) {
        return Err(refused(&format!(" {}", clip(&response.body.text()))));
    }
    match &sent.created {
        Some(Ownership::Owned { id, .. }) => Ok(Created {
            handle: Handle {
                resource_type,
                id: Some(id.clone()),
                state: Some(sent.exchange.json().cloned().unwrap_or_else(|| resource.clone())),
            },
            endpoint,
        }),
        Some(Ownership::Disowned { id, why }) => {
            Err(refused(&format!(" with the id '{id}', which is not ours ({why}); it was left alone")))
        }
        Some(Ownership::Unproven { id, why }) => {
            Err(refused(&format!(" with the id '{id}', which cannot be shown to be ours ({why})")))
        }
        Some(Ownership::WithoutId) | None => Err(refused(" without an id")),
    }
}

/// The givens that several cases share, and the populations, created before the first case runs.
#[derive(Debug, Default)]
pub struct Pool {
    givens: BTreeMap<String, Result<Vec<Created>, GivenTrouble>>,
    populations: BTreeMap<String, Result<BTreeMap<String, Vec<Created>>, GivenTrouble>>,
    /// When the last of them was created.
    made: Option<Instant>,
}

impl Pool {
    /// Creates everything that the running jobs share: together where the service provider has Bulk, else one by one.
    pub async fn create(shared: &Shared<'_>) -> Pool {
        if let Some(pool) = Pool::plant(shared).await {
            return pool;
        }
        let mut pool = Pool::default();
        for name in shared.plan.populations() {
            let made = pool.population(shared, name).await;
            pool.populations.insert(name.to_owned(), made);
        }
        for job in shared.plan.running() {
            let mut names = shared.names(job, &job.id());
            // The case itself will take the first words of its own generator.
            names.generator = shared.generator.for_trial(&format!("shared by {}", job.id()));
            for (name, given) in &job.case.given {
                let Some(key) = job.pooled.get(name) else { continue };
                if !pool.givens.contains_key(key) {
                    let made = create(shared, given, &names, ORIGIN).await;
                    pool.givens.insert(key.clone(), made);
                }
                if let Some(Ok(made)) = pool.givens.get(key) {
                    names.resources(name, made);
                }
            }
        }
        pool.made = (!pool.givens.is_empty() || !pool.populations.is_empty()).then(Instant::now);
        pool
    }

    /// Creates by Bulk what the running jobs share, all of it or nothing: cases that only read cannot be made again on
    /// other resources, so each has to be there as it was sent, and at each endpoint a read has to show what the list
    /// shows. Else what was made is deleted.
    async fn plant(shared: &Shared<'_>) -> Option<Pool> {
        let resources = shared.plan.shared_resources(shared.library);
        if shared.target.bulk().is_none() || resources < 2 * WORTH || !shared.target.can_spare(LEAST_BUDGET) {
            return None;
        }
        let mut pool = Pool::default();
        let is_whole = pool.grow(shared).await;
        if is_whole {
            pool.made = Some(Instant::now());
            return Some(pool);
        }
        shared.target.clean_up_after(ORIGIN, true).await;
        None
    }

    /// Makes wave after wave, each of what stands on those before, until everything is there. Gives whether it is.
    async fn grow(&mut self, shared: &Shared<'_>) -> bool {
        let mut looked_at: BTreeSet<String> = BTreeSet::new();
        let mut houses: Vec<House<'_>> = Vec::new();
        for name in shared.plan.populations() {
            let Some(population) = shared.library.population(name) else { return false };
            houses.push(House::of_population(shared, name, population));
            self.populations.insert(name.to_owned(), Ok(BTreeMap::new()));
        }
        houses.extend(shared.plan.running().filter_map(|job| House::of_job(shared, job)));
        // What one job makes may be of one instant, and cases sort by time: the last of a population comes later.
        let mut is_first_wave = true;
        loop {
            let mut wave: Vec<(usize, Place, Value)> = Vec::new();
            for (index, house) in houses.iter_mut().enumerate() {
                house.open.retain(|open| match &open.place {
                    Place::Given(key) => match self.givens.get(key) {
                        Some(Ok(made)) => {
                            house.names.resources(open.name, made);
                            false
                        }
                        _ => true,
                    },
                    Place::Member(..) => true,
                });
                for open in &house.open {
                    if wave.iter().any(|(_, place, _)| *place == open.place) {
                        continue;
                    }
                    for _ in 0..open.given.times.unwrap_or(1) {
                        let Ok(resource) = resource(shared, open.given, &house.names) else { break };
                        let resource = if open.is_declared { shared.declared(resource) } else { resource };
                        wave.push((index, open.place.clone(), resource));
                    }
                }
            }
            if std::mem::take(&mut is_first_wave) {
                hold_back(&mut wave);
            }
            if wave.is_empty() {
                return houses.iter().all(|house| house.open.is_empty());
            }
            let resources: Vec<(String, Value)> =
                wave.iter().map(|(_, _, resource)| (shared.kind_of(resource).1, resource.clone())).collect();
            let Ok(grown) = shared.target.plant(&resources, ORIGIN).await else { return false };
            let mut made: BTreeMap<Place, (usize, Vec<Created>)> = BTreeMap::new();
            for ((index, place, resource), ((endpoint, _), grown)) in
                wave.into_iter().zip(resources.iter().zip(grown))
            {
                let Some(grown) = grown.filter(|grown| is_as_sent(shared, &resource, grown)) else {
                    return false;
                };
                let is_first = looked_at.insert(endpoint.clone());
                if is_first && !(grown.is_row && reads_the_same(shared, endpoint, &grown, ORIGIN).await) {
                    return false;
                }
                let handle = Handle {
                    resource_type: shared.kind_at(endpoint),
                    id: Some(grown.id),
                    state: Some(grown.state),
                };
                let created = Created { handle, endpoint: endpoint.clone() };
                made.entry(place).or_insert((index, Vec::new())).1.push(created);
            }
            for (place, (index, created)) in made {
                let house = &mut houses[index];
                if let Some(open) = house.open.iter().find(|open| open.place == place) {
                    house.names.resources(open.name, &created);
                }
                house.open.retain(|open| open.place != place);
                match place {
                    Place::Member(population, member) => {
                        if let Some(Ok(members)) = self.populations.get_mut(&population) {
                            members.insert(member, created);
                        }
                    }
                    Place::Given(key) => drop(self.givens.insert(key, Ok(created))),
                }
            }
        }
    }

    /// Names what a job shares with others.
    pub(super) fn name(&self, job: &Job<'_>, names: &mut CaseNames) {
        if let Some(Ok(members)) = job.case.population.as_ref().and_then(|name| self.population_named(name)) {
            for (member, created) in members {
                names.resources(member, created);
            }
        }
        for (name, key) in &job.pooled {
            if let Some(Ok(made)) = self.given(key) {
                names.resources(name, made);
            }
        }
    }

    /// When the last of them was created, if there are any.
    pub fn made(&self) -> Option<Instant> {
        self.made
    }

    async fn population(
        &self,
        shared: &Shared<'_>,
        name: &str,
    ) -> Result<BTreeMap<String, Vec<Created>>, GivenTrouble> {
        let population = shared
            .library
            .population(name)
            .ok_or_else(|| GivenTrouble::new(None, format!("the population '{name}' is not there")))?;
        let mut names = CaseNames::new(shared.generator.for_trial(name));
        names.value("setting", Value::Object(shared.settings.clone()));
        let mut made = BTreeMap::new();
        let mut refused = None;
        for (member, given) in &population.members {
            // Cases that need a group say so; the others are not to suffer where there is no place for it.
            if given.inline.as_ref().is_some_and(|resource| !shared.keeps(resource)) {
                continue;
            }
            let of_member = |trouble: GivenTrouble| GivenTrouble {
                detail: format!("population {name}, {member}: {}", trouble.detail),
                ..trouble
            };
            let created = if population.partial {
                match create_declared(shared, given, &names).await {
                    Err(trouble) if trouble.refused => {
                        refused = Some(of_member(trouble));
                        continue;
                    }
                    made => made,
                }
            } else {
                create(shared, given, &names, ORIGIN).await
            };
            let created = created.map_err(of_member)?;
            names.resources(member, &created);
            made.insert(member.clone(), created);
        }
        match refused {
            Some(trouble) if made.is_empty() => Err(trouble),
            _ => Ok(made),
        }
    }

    /// The shared given of that key.
    pub fn given(&self, key: &str) -> Option<&Result<Vec<Created>, GivenTrouble>> {
        self.givens.get(key)
    }

    /// The shared population of that name.
    pub fn population_named(
        &self,
        name: &str,
    ) -> Option<&Result<BTreeMap<String, Vec<Created>>, GivenTrouble>> {
        self.populations.get(name)
    }
}

/// Where something that is shared belongs.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Place {
    /// In a population, under a name.
    Member(String, String),
    /// Among the givens, under its key.
    Given(String),
}

/// What is to be made and stands under the same names: a population, or what one job shares with others.
struct House<'g> {
    names: CaseNames,
    open: Vec<Open<'g>>,
}

/// One that is not made yet.
struct Open<'g> {
    place: Place,
    name: &'g str,
    given: &'g Given,
    /// Whether it goes without what the service provider does not declare.
    is_declared: bool,
}

impl<'g> House<'g> {
    fn of_population(shared: &Shared<'_>, name: &str, population: &'g Population) -> House<'g> {
        let mut names = CaseNames::new(shared.generator.for_trial(name));
        names.value("setting", Value::Object(shared.settings.clone()));
        let open = population
            .members
            .iter()
            .filter(|(_, given)| given.inline.as_ref().is_none_or(|resource| shared.keeps(resource)))
            .map(|(member, given)| Open {
                place: Place::Member(name.to_owned(), member.clone()),
                name: member,
                given,
                is_declared: population.partial,
            })
            .collect();
        House { names, open }
    }

    fn of_job(shared: &Shared<'_>, job: &'g Job<'_>) -> Option<House<'g>> {
        let open: Vec<Open<'g>> = job
            .case
            .given
            .iter()
            .filter_map(|(name, given)| {
                let place = Place::Given(job.pooled.get(name)?.clone());
                Some(Open { place, name, given, is_declared: false })
            })
            .collect();
        if open.is_empty() {
            return None;
        }
        let mut names = shared.names(job, &job.id());
        // The case itself will take the first words of its own generator.
        names.generator = shared.generator.for_trial(&format!("shared by {}", job.id()));
        Some(House { names, open })
    }
}

/// Leaves out the last member of each population.
fn hold_back(wave: &mut Vec<(usize, Place, Value)>) {
    let mut last: BTreeMap<usize, Place> = BTreeMap::new();
    for (house, place, _) in wave.iter() {
        if matches!(place, Place::Member(..)) {
            last.insert(*house, place.clone());
        }
    }
    let comes_now = |(house, place, _): &(usize, Place, Value)| last.get(house) != Some(place);
    if wave.iter().any(comes_now) {
        wave.retain(comes_now);
    }
}

/// The first words of an answer, for a message.
fn clip(text: &str) -> String {
    shorten(&text.split_whitespace().collect::<Vec<_>>().join(" "), 300)
}
