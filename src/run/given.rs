//! Resources that exist before a case begins: its own givens, those shared between cases, and populations.
//!
//! What fails here is never the case's verdict: the case could not start. This module turns fixtures into
//! requests and answers into handles; it judges nothing.

use std::collections::BTreeMap;
use std::time::Instant;

use serde_json::Value;

use super::names::{CaseNames, Created};
use super::request::{change, left_out};
use super::{Shared, busy};
use crate::judge::Handle;
use crate::outcome::{ErrorCause, SkipReason, Verdict};
use crate::plan::Job;
use crate::suite::model::Given;
use crate::target::Created as Ownership;
use crate::target::RequestPlan;
use crate::target::failure::shorten;

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
    Ok(vec![post(shared, given, &shared.declared(resource), "population").await?])
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
    /// Creates everything that the running jobs share.
    pub async fn create(shared: &Shared<'_>) -> Pool {
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
                    let made = create(shared, given, &names, "population").await;
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
                create(shared, given, &names, "population").await
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

/// The first words of an answer, for a message.
fn clip(text: &str) -> String {
    shorten(&text.split_whitespace().collect::<Vec<_>>().join(" "), 300)
}
