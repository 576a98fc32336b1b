//! The vectors of a case about PATCH: many requests on resources that are alike, made with as few requests as can be.
//!
//! Where Bulk was seen to work, each vector has a resource of its own: all are made together, changed by one job, and
//! read by lists. Elsewhere vectors follow each other on one resource as long as that is, for each of them, like the one
//! that it starts from; what the server answers is believed until the next read, and then held against it. Neither way
//! convicts anybody: a vector that does not come out well is tried again by itself, with a resource of its own and a
//! read before and after, and only that counts. So nothing that Bulk or a list breaks is blamed on PATCH.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::case::{CaseRun, precondition};
use super::step::resource_of;
use super::{given, request};
use crate::judge::patch_vector::{Came, judge};
use crate::oracle::patched::{Effect, effect};
use crate::oracle::written::{Grade, Write, departures};
use crate::outcome::{ErrorCause, Finding, Severity, SkipReason, Verdict};
use crate::scim::bulk::BulkResult;
use crate::scim::definition::ResourceDefinition;
use crate::scim::names;
use crate::scim::resource::{member, member_name, remove_member, schemas, set_member};
use crate::suite::model::{Capability, FreshKind, Given, Permission, Requires, Vectors};
use crate::suite::vectors::PatchVector;
use crate::target::batch::{self, WORTH};
use crate::target::exchange::{Exchange, ExchangeId};
use crate::target::{BulkUse, RequestPlan, resource_path};

/// A chain is read at least once in so many vectors.
const CHAIN: usize = 8;

/// The names that vectors have for users beside the one that they change, and for a group. The userName of the first is
/// what `pv-other` stands for.
const USERS: [&str; 3] = ["a", "b", "c"];
const GROUP: &str = "g";

/// One vector of the case that is to be tried.
struct Trial {
    part: usize,
    vector: PatchVector,
    definition: ResourceDefinition,
    /// The word in the names of what is made for it.
    word: String,
}

/// What else is there while vectors are tried: ids, and the userName that is taken.
#[derive(Debug, Default)]
struct Neighbours {
    ids: BTreeMap<&'static str, String>,
    taken: Option<String>,
    /// What vectors that have to be tried by themselves were tried on before, by part: endpoint and id.
    tried: BTreeMap<usize, (String, String)>,
}

/// What a vector has come to before it is tried by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Seen {
    /// Every reading of the RFCs allows what came.
    Well,
    /// It has to be tried by itself.
    Doubtful,
}

/// A resource that vectors change one after the other.
struct Current {
    endpoint: String,
    id: String,
    state: Value,
    /// The vectors since the last read, by position.
    believed: Vec<usize>,
}

/// Why nothing more can be tried.
struct Stopped(Verdict);

impl CaseRun<'_> {
    /// Tries every vector of the case that was selected and that the service provider has the attributes for.
    pub(super) async fn patch_vectors(&mut self, vectors: &Vectors) {
        let trials = self.trials(vectors);
        if trials.is_empty() {
            return;
        }
        let common = format!("pv{}", self.names.generator.value(FreshKind::Word));
        let trials: Vec<Trial> = trials
            .into_iter()
            .enumerate()
            .map(|(index, trial)| Trial { word: format!("{common}x{index}"), ..trial })
            .collect();
        let mut neighbours = Neighbours::default();
        let can_list = self.shared.claims(&Requires::Capability(Capability::Filter)).is_ok();
        let is_worth = can_list && trials.len() > WORTH;
        if let Some(usage) = BulkUse::of(&self.shared.probe.capabilities).filter(|_| is_worth) {
            self.shared.target.may_use_bulk(usage);
        }
        let is_bulk = is_worth && self.shared.target.bulk().is_some();
        let batch = if is_bulk { self.all_at_once(&trials, &common, &mut neighbours).await } else { None };
        let seen = match batch {
            Some(seen) => Ok(seen),
            None => self.chained(&trials, &common, &mut neighbours).await,
        };
        let seen = match seen {
            Ok(seen) => seen,
            Err(Stopped(verdict)) => {
                trials.iter().for_each(|trial| self.stop_trial(trial, verdict.clone()));
                return;
            }
        };
        let mut stopped: Option<Verdict> = None;
        for (trial, seen) in trials.iter().zip(seen) {
            if seen != Some(Seen::Doubtful) {
                continue;
            }
            if let Some(verdict) = &stopped {
                self.stop_trial(trial, verdict.clone());
                continue;
            }
            self.parts[trial.part].started = Some(Instant::now());
            if let Err(Stopped(verdict)) = self.alone(trial, &common, &mut neighbours).await {
                self.stop_trial(trial, verdict.clone());
                stopped = Some(verdict);
            }
            let part = &mut self.parts[trial.part];
            part.elapsed = part.started.take().map(|started| started.elapsed()).unwrap_or_default();
        }
    }

    /// The vectors whose conditions hold; the others are skipped.
    fn trials(&mut self, vectors: &Vectors) -> Vec<Trial> {
        let mut trials = Vec::new();
        for (part, reported) in self.job.parts.iter().enumerate() {
            let Some(said) = vectors.trial_of(&reported.id) else { continue };
            let vector = match PatchVector::read(said) {
                Ok(vector) => vector,
                Err(why) => {
                    let detail = format!("{}: {why}", said.id);
                    self.parts[part].trouble = Some(Verdict::Errored { cause: ErrorCause::Suite { detail } });
                    continue;
                }
            };
            let unclaimed = vector.requires.iter().find_map(|requires| {
                let evidence = self.shared.claims(requires).err()?;
                Some(SkipReason::Capability { needs: requires.to_string(), evidence })
            });
            if let Some(reason) = unclaimed {
                self.parts[part].trouble = Some(Verdict::Skipped { reason });
                continue;
            }
            let Some(definition) = self.shared.probe.schemas.definition(&vector.resource_type) else {
                let detail = format!("{}: there is no resource type {}", vector.id, vector.resource_type);
                self.parts[part].trouble = Some(precondition(detail));
                continue;
            };
            trials.push(Trial { part, vector, definition, word: String::new() });
        }
        trials
    }

    fn stop_trial(&mut self, trial: &Trial, verdict: Verdict) {
        self.parts[trial.part].trouble.get_or_insert(verdict);
    }

    /// The resource that a vector starts from, with names of its own and without what the service provider does not
    /// have.
    fn initial(&self, trial: &Trial, neighbours: &Neighbours) -> Value {
        let mut resource = substituted(&trial.vector.initial_resource, neighbours);
        let generator = &self.names.generator;
        let Some(members) = resource.as_object_mut() else { return resource };
        let definition = &trial.definition;
        members.retain(|name, _| {
            name == "schemas"
                || definition.top_attribute(name).is_some()
                || definition.extension(name).is_some()
        });
        if let Some(Value::Array(urns)) = members.get_mut("schemas") {
            urns.retain(|urn| urn.as_str().is_some_and(|urn| definition.knows_schema(urn)));
        }
        let named = [
            ("userName", FreshKind::UserName, true),
            ("externalId", FreshKind::ExternalId, true),
            ("displayName", FreshKind::DisplayName, trial.vector.resource_type == "Group"),
        ];
        for (name, kind, is_own) in named {
            if is_own && members.contains_key(name) {
                set_member(members, name, generator.named(kind, &trial.word).into());
            }
        }
        resource
    }

    /// The body of a vector's request.
    fn body(&self, trial: &Trial, neighbours: &Neighbours) -> Value {
        let generator = &self.names.generator;
        let taken = neighbours.taken.clone().unwrap_or_default();
        let body = match (&trial.vector.operations, &trial.vector.request) {
            (Some(operations), _) => json!({"schemas": [names::PATCH_OP], "Operations": operations}),
            (None, request) => request.clone().unwrap_or_default(),
        };
        let renamed = format!("{}n", trial.word);
        let own = |text: &str| match text {
            "pv-other" => Some(taken.clone()),
            "PV-OTHER" => Some(taken.to_uppercase()),
            "pv-renamed" => Some(generator.named(FreshKind::UserName, &renamed)),
            "PV Group renamed" => Some(generator.named(FreshKind::DisplayName, &renamed)),
            _ => None,
        };
        replaced(&substituted(&body, neighbours), &own, 0)
    }

    /// Makes users and, where there are groups, a group that vectors refer to, one by one.
    async fn settle_neighbours(
        &mut self,
        wanted: &BTreeSet<&'static str>,
        common: &str,
        neighbours: &mut Neighbours,
    ) -> Result<(), Stopped> {
        let missing: Vec<&'static str> =
            wanted.iter().copied().filter(|name| !neighbours.ids.contains_key(name)).collect();
        for name in missing {
            let (resource, user_name) = self.neighbour(name, common);
            let created = self
                .create(&resource)
                .await
                .map_err(|trouble| Stopped(trouble.verdict(self.shared, &self.origin)))?;
            neighbours.take(name, created.1, user_name);
        }
        Ok(())
    }

    fn neighbour(&self, name: &str, common: &str) -> (Value, Option<String>) {
        let generator = &self.names.generator;
        let word = format!("{common}{name}");
        if name == GROUP {
            let display = generator.named(FreshKind::DisplayName, &word);
            return (json!({"schemas": [names::GROUP], "displayName": display}), None);
        }
        let user_name = generator.named(FreshKind::UserName, &word);
        (json!({"schemas": [names::USER], "userName": user_name}), Some(user_name))
    }

    /// Makes one resource: its endpoint and its id.
    async fn create(&self, resource: &Value) -> Result<(String, String), given::GivenTrouble> {
        let given = Given { inline: Some(resource.clone()), ..Given::default() };
        let made = given::create(self.shared, &given, &self.names, &self.origin).await?;
        let found = made.into_iter().next().and_then(|it| Some((it.endpoint, it.handle.id?)));
        found.ok_or_else(|| given::GivenTrouble {
            fixture: None,
            detail: "a create gave nothing".to_owned(),
            refused: true,
            transport: false,
            not_sent: None,
        })
    }

    /// All vectors at once: one resource each, one job, lists before and after. `None` where Bulk or the lists do not
    /// carry that.
    async fn all_at_once(
        &mut self,
        trials: &[Trial],
        common: &str,
        neighbours: &mut Neighbours,
    ) -> Option<Vec<Option<Seen>>> {
        let has_groups = self.shared.claims(&Requires::Capability(Capability::Groups)).is_ok();
        let found_by = format!("{}{common}", self.shared.target.run_mark());
        let is_group = |trial: &Trial| trial.vector.resource_type == "Group";
        // Groups name users, so they come second.
        let mut made: Vec<Option<(String, Value)>> = trials.iter().map(|_| None).collect();
        for second in [false, true] {
            let beside: Vec<&'static str> = match (second, has_groups) {
                (false, _) => USERS.to_vec(),
                (true, true) => vec![GROUP],
                (true, false) => Vec::new(),
            };
            let chosen: Vec<usize> =
                (0..trials.len()).filter(|index| is_group(&trials[*index]) == second).collect();
            let neighbouring: Vec<(Value, Option<String>)> =
                beside.iter().map(|name| self.neighbour(name, common)).collect();
            let own: Vec<Value> =
                chosen.iter().map(|index| self.initial(&trials[*index], neighbours)).collect();
            let resources: Vec<(String, Value)> = neighbouring
                .iter()
                .map(|(resource, _)| resource)
                .chain(&own)
                .map(|resource| {
                    let (_, endpoint) = self.shared.kind_of(resource);
                    (endpoint, self.shared.fill(resource.clone(), &self.names.generator))
                })
                .collect();
            let grown = self.shared.target.plant_under(&resources, &found_by, &self.origin).await.ok()?;
            let mut grown = grown.into_iter();
            for (name, (_, user_name)) in beside.into_iter().zip(neighbouring) {
                neighbours.take(name, grown.next()??.id, user_name);
            }
            for ((index, grown), (_, sent)) in
                chosen.into_iter().zip(grown).zip(resources.iter().skip(resources.len() - own.len()))
            {
                // A row that leaves out what was sent says nothing about a PATCH of it.
                let definition = &trials[index].definition;
                made[index] = grown
                    .filter(|it| is_well(departures(&Write::Create { sent }, &it.state, definition)))
                    .map(|it| (it.id, it.state));
            }
        }
        let jobs = self.patch_by_bulk(trials, &made, neighbours).await?;
        let mut rows: BTreeMap<String, Value> = BTreeMap::new();
        for second in [false, true] {
            let of_kind = trials.iter().zip(&made).filter(|(trial, _)| is_group(trial) == second);
            let ids: Vec<&str> = of_kind.filter_map(|(_, made)| Some(made.as_ref()?.0.as_str())).collect();
            let endpoint =
                trials.iter().find(|trial| is_group(trial) == second).map(|it| &it.definition.endpoint);
            if let Some(endpoint) = endpoint {
                let endpoint = endpoint.trim_end_matches('/');
                let listed = self.shared.target.survey(endpoint, &ids, &found_by, &self.origin).await;
                rows.extend(listed.into_iter().map(|(id, (_, row))| (id, row)));
            }
        }
        let mut seen = Vec::new();
        for (index, (trial, made)) in trials.iter().zip(&made).enumerate() {
            if let Some((id, _)) = made {
                let endpoint = trial.definition.endpoint.trim_end_matches('/').to_owned();
                neighbours.tried.insert(trial.part, (endpoint, id.clone()));
            }
            let came = made.as_ref().and_then(|(id, before)| {
                let (result, exchange) = jobs.get(&index)?;
                Some((before, rows.get(id)?, result.status?, result.response.as_ref(), *exchange))
            });
            let Some((before, after, status, answer, exchange)) = came else {
                seen.push(Some(Seen::Doubtful));
                continue;
            };
            let body = self.body(trial, neighbours);
            let initial = self.initial(trial, neighbours);
            let findings =
                self.judged(trial, (&body, &initial), before, (status, answer, after), Some(exchange));
            let is_well = findings.iter().all(|it| it.severity == Severity::Note);
            if is_well {
                let part = &mut self.parts[trial.part];
                part.exchanges.push(exchange);
                part.findings.extend(findings);
            }
            seen.push(Some(if is_well { Seen::Well } else { Seen::Doubtful }));
        }
        Some(seen)
    }

    /// Sends the PATCH of each vector as an operation of a job: its result, and the exchange that has it.
    async fn patch_by_bulk(
        &mut self,
        trials: &[Trial],
        made: &[Option<(String, Value)>],
        neighbours: &Neighbours,
    ) -> Option<BTreeMap<usize, (BulkResult, ExchangeId)>> {
        let changes = trials.iter().zip(made).enumerate().filter_map(|(index, (trial, made))| {
            let (id, _) = made.as_ref()?;
            // A job has no place for a query.
            trial.vector.query.is_none().then(|| {
                let operation = json!({
                    "method": "PATCH",
                    "path": resource_path(&trial.definition.endpoint, id),
                    "bulkId": format!("vector{index}"),
                    "data": self.body(trial, neighbours),
                });
                (index, operation)
            })
        });
        let jobs = self.shared.target.bulk()?.jobs(changes);
        let mut results = BTreeMap::new();
        for job in jobs {
            let (indexes, operations): (Vec<usize>, Vec<Value>) = job.into_iter().unzip();
            let mut plan = batch::bulk_job(&operations, &self.origin);
            plan.reason = Some("vectors, each on a resource of its own".to_owned());
            let sent = self.shared.send(plan).await.ok()?;
            sent.exchange.json().filter(|_| sent.exchange.status() == Some(200))?;
            let named = indexes.into_iter().zip(batch::results(&sent.exchange, &operations));
            results.extend(named.filter_map(|(index, result)| Some((index, (result?, sent.exchange.id)))));
        }
        Some(results)
    }

    /// One vector after the other on one resource of its type, as long as that is like the one that it starts from.
    async fn chained(
        &mut self,
        trials: &[Trial],
        common: &str,
        neighbours: &mut Neighbours,
    ) -> Result<Vec<Option<Seen>>, Stopped> {
        let mut seen: Vec<Option<Seen>> = trials.iter().map(|_| None).collect();
        let takes_all = self.shared.allow.contains(&Permission::Slow) || trials.len() == 1;
        let mut left: Vec<usize> = Vec::new();
        for (index, trial) in trials.iter().enumerate() {
            if takes_all || trial.vector.covered.is_empty() {
                left.push(index);
            } else {
                let reason = SkipReason::NeedsAllow { permission: "slow".to_owned() };
                self.stop_trial(trial, Verdict::Skipped { reason });
            }
        }
        let wanted = left.iter().flat_map(|index| refers_to(&trials[*index].vector)).collect();
        self.settle_neighbours(&wanted, common, neighbours).await?;
        for resource_type in ["User", "Group"] {
            let mut rest: Vec<usize> =
                left.iter().copied().filter(|it| trials[*it].vector.resource_type == resource_type).collect();
            let mut current: Option<Current> = None;
            while !rest.is_empty() {
                let fitting = current.as_ref().and_then(|current| {
                    let fits = |index: &usize| {
                        let trial = &trials[*index];
                        let (body, initial) = (self.body(trial, neighbours), self.initial(trial, neighbours));
                        alike(&body, &initial, &current.state, &trial.definition)
                    };
                    let is_idle = |index: &usize| {
                        let body = self.body(&trials[*index], neighbours);
                        match effect(&body, &current.state, &trials[*index].definition) {
                            Effect::Refused(_) => true,
                            Effect::Changes(changes) => changes.is_empty(),
                        }
                    };
                    let all: Vec<usize> = rest.iter().copied().filter(fits).collect();
                    all.iter().copied().find(is_idle).or_else(|| all.first().copied())
                });
                let index = match fitting {
                    Some(index) => index,
                    None => {
                        let index = rest[0];
                        let earlier = current.take();
                        if let Some(earlier) = &earlier {
                            self.verify(trials, earlier, &mut seen).await?;
                        }
                        current = match earlier {
                            Some(earlier) => self.reset(&trials[index], earlier, neighbours).await?,
                            None => None,
                        };
                        if current.is_none() {
                            current = self.begin(&trials[index], neighbours).await?;
                        }
                        if current.is_none() {
                            rest.retain(|it| *it != index);
                            continue;
                        }
                        index
                    }
                };
                rest.retain(|it| *it != index);
                let Some(now) = current.take() else { continue };
                current = self.link(trials, index, now, neighbours, &mut seen).await?;
            }
            if let Some(current) = &current {
                self.verify(trials, current, &mut seen).await?;
            }
        }
        Ok(seen)
    }

    /// Gives the resource of a chain what a vector starts from. `None` where a PUT does not bring it there.
    async fn reset(
        &mut self,
        trial: &Trial,
        current: Current,
        neighbours: &Neighbours,
    ) -> Result<Option<Current>, Stopped> {
        let mut resource = self.shared.fill(self.initial(trial, neighbours), &self.names.generator);
        if let (Some(members), Some(now)) = (resource.as_object_mut(), current.state.as_object()) {
            for name in ["userName", "externalId", "displayName"] {
                let own =
                    members.keys().find(|member| member.as_str() == name).and_then(|_| member(now, name));
                let is_own = name != "displayName" || trial.vector.resource_type == "Group";
                if let Some(own) = own.filter(|_| is_own).cloned() {
                    set_member(members, name, own);
                }
            }
        }
        let mut plan = RequestPlan::new("PUT", resource_path(&current.endpoint, &current.id), &self.origin)
            .json(&resource);
        plan.endpoint = format!("{}/{{id}}", current.endpoint);
        plan.reason = Some("a resource like the one that the next vector starts from".to_owned());
        let (exchange, status) = self.ask_for(trial, plan).await?;
        let shown = resource_of(&exchange, &current.id).filter(|it| status == 200 && !schemas(it).is_empty());
        let (body, initial) = (self.body(trial, neighbours), self.initial(trial, neighbours));
        let state = shown.filter(|state| alike(&body, &initial, state, &trial.definition));
        Ok(state.map(|state| Current { state, believed: Vec::new(), ..current }))
    }

    /// A new resource for a chain, as a vector has it. `None` where it cannot be made, and the vector is skipped.
    async fn begin(&mut self, trial: &Trial, neighbours: &Neighbours) -> Result<Option<Current>, Stopped> {
        let initial = self.initial(trial, neighbours);
        let (endpoint, id) = match self.create(&initial).await {
            Ok(made) => made,
            Err(trouble) if trouble.refused => {
                self.blocked(trial, trouble.detail);
                return Ok(None);
            }
            Err(trouble) => return Err(Stopped(trouble.verdict(self.shared, &self.origin))),
        };
        match self.fetch(trial, &endpoint, &id).await? {
            Some(state) => Ok(Some(Current { endpoint, id, state, believed: Vec::new() })),
            None => {
                self.blocked(trial, format!("GET {endpoint}/{{id}} does not show it"));
                Ok(None)
            }
        }
    }

    fn blocked(&mut self, trial: &Trial, detail: String) {
        let case = match trial.vector.initial.as_str() {
            "min" => "create/minimal-user",
            "two" => "create/emails-of-one-type",
            "ent" | "ent1" => "create/enterprise-user",
            _ if trial.vector.resource_type == "Group" => "create/group",
            _ => "create/full-user",
        };
        let reason = SkipReason::BlockedBy { case: case.to_owned(), detail };
        self.stop_trial(trial, Verdict::Skipped { reason });
    }

    /// Sends a vector to the resource of a chain. What the answer shows is believed until the next read.
    async fn link(
        &mut self,
        trials: &[Trial],
        index: usize,
        mut current: Current,
        neighbours: &mut Neighbours,
        seen: &mut [Option<Seen>],
    ) -> Result<Option<Current>, Stopped> {
        let trial = &trials[index];
        let body = self.body(trial, neighbours);
        let initial = self.initial(trial, neighbours);
        let (exchange, status) = self.patch(trial, (&current.endpoint, &current.id), &body).await?;
        let answer = exchange.json().cloned();
        let shown = match status {
            400..=499 => Some(current.state.clone()),
            _ => resource_of(&exchange, &current.id)
                .filter(|it| !schemas(it).is_empty() && trial.vector.query.is_none()),
        };
        let is_believed = shown.is_some() && current.believed.len() < CHAIN;
        let after = match shown.filter(|_| is_believed) {
            Some(after) => after,
            None => {
                let read = self.fetch(trial, &current.endpoint, &current.id).await?;
                let Some(read) = read else {
                    seen[index] = Some(Seen::Doubtful);
                    current.believed.iter().for_each(|it| seen[*it] = Some(Seen::Doubtful));
                    return Ok(None);
                };
                read
            }
        };
        let findings = self.judged(
            trial,
            (&body, &initial),
            &current.state,
            (status, answer.as_ref(), &after),
            Some(exchange.id),
        );
        let is_well = findings.iter().all(|it| it.severity == Severity::Note);
        seen[index] = Some(if is_well { Seen::Well } else { Seen::Doubtful });
        if is_well {
            self.parts[trial.part].findings.extend(findings);
            current.believed.push(index);
        }
        if !is_believed && is_well {
            // The read was judged from the state before, so what was believed of that holds, too.
            current.believed.clear();
        }
        if is_well {
            return Ok(Some(Current { state: after, ..current }));
        }
        neighbours.tried.insert(trial.part, (current.endpoint.clone(), current.id.clone()));
        // Whatever is there now, it is none that the next one should start from.
        self.verify(trials, &current, seen).await?;
        Ok(None)
    }

    /// Reads the resource of a chain, and doubts all that was believed where it is another one.
    async fn verify(
        &mut self,
        trials: &[Trial],
        current: &Current,
        seen: &mut [Option<Seen>],
    ) -> Result<(), Stopped> {
        let Some(last) = current.believed.last() else { return Ok(()) };
        let trial = &trials[*last];
        let read = self.fetch(trial, &current.endpoint, &current.id).await?;
        let is_so = read.is_some_and(|read| {
            let write = Write::Answered { answer: &current.state, create: false };
            is_well(departures(&write, &read, &trial.definition))
        });
        if !is_so {
            for &index in &current.believed {
                seen[index] = Some(Seen::Doubtful);
                self.parts[trials[index].part].findings.clear();
            }
        }
        Ok(())
    }

    /// A vector by itself: a resource of its own, a read before, the PATCH, a read after.
    async fn alone(
        &mut self,
        trial: &Trial,
        common: &str,
        neighbours: &mut Neighbours,
    ) -> Result<(), Stopped> {
        let of_others = self.shared.ahead.load(Ordering::Relaxed).saturating_sub(self.job.requests());
        if !self.shared.target.can_spare(of_others) {
            return Err(Stopped(Verdict::Skipped { reason: SkipReason::BudgetSpent }));
        }
        self.settle_neighbours(&refers_to(&trial.vector).collect(), common, neighbours).await?;
        // Another name than the one that was used together with the others.
        let trial = &Trial {
            part: trial.part,
            vector: trial.vector.clone(),
            definition: trial.definition.clone(),
            word: format!("{}o", trial.word),
        };
        let Some(current) = self.begin(trial, neighbours).await? else { return Ok(()) };
        let body = self.body(trial, neighbours);
        let initial = self.initial(trial, neighbours);
        let (mut exchange, mut status) = self.patch(trial, (&current.endpoint, &current.id), &body).await?;
        // Where the resource that the vector was tried on before got the value that it sends, that is what is in its way.
        if status == 409
            && let Some((endpoint, id)) = neighbours.tried.remove(&trial.part)
        {
            self.shared.target.discard(&endpoint, &id).await;
            (exchange, status) = self.patch(trial, (&current.endpoint, &current.id), &body).await?;
        }
        let answer = exchange.json().cloned();
        let until = self.shared.patience.as_ref().map(|patience| Instant::now() + patience.within());
        let findings = loop {
            let Some(after) = self.fetch(trial, &current.endpoint, &current.id).await? else {
                let detail = format!("after it, GET {}/{{id}} does not show the resource", current.endpoint);
                self.parts[trial.part].notes.push(detail);
                break self.judged(
                    trial,
                    (&body, &initial),
                    &current.state,
                    (status, answer.as_ref(), &Value::Object(serde_json::Map::new())),
                    Some(exchange.id),
                );
            };
            let findings = self.judged(
                trial,
                (&body, &initial),
                &current.state,
                (status, answer.as_ref(), &after),
                Some(exchange.id),
            );
            if findings.is_empty() || until.is_none_or(|until| Instant::now() >= until) {
                break findings;
            }
            tokio::time::sleep(Duration::from_millis(200)).await;
        };
        if findings.iter().all(|it| it.severity == Severity::Note) {
            let note = "it came out well by itself, which counts; together with others it did not";
            self.parts[trial.part].notes.push(note.to_owned());
        }
        self.parts[trial.part].findings.extend(findings);
        Ok(())
    }

    /// Sends a PATCH: what came, and its status.
    async fn patch(
        &mut self,
        trial: &Trial,
        (endpoint, id): (&str, &str),
        body: &Value,
    ) -> Result<(std::sync::Arc<Exchange>, u16), Stopped> {
        let query = trial.vector.query.as_ref().map(|query| format!("?{query}")).unwrap_or_default();
        let path = format!("{}{query}", resource_path(endpoint, id));
        let mut plan = RequestPlan::new("PATCH", path, &self.origin).json(body);
        plan.endpoint = format!("{endpoint}/{{id}}");
        self.ask_for(trial, plan).await
    }

    /// Reads a resource. `None` where what comes is none.
    async fn fetch(&mut self, trial: &Trial, endpoint: &str, id: &str) -> Result<Option<Value>, Stopped> {
        let mut plan = RequestPlan::get(resource_path(endpoint, id), &self.origin);
        plan.endpoint = request::endpoint_of(&plan.path);
        let (exchange, _) = self.ask_for(trial, plan).await?;
        Ok(resource_of(&exchange, id))
    }

    async fn ask_for(
        &mut self,
        trial: &Trial,
        plan: RequestPlan,
    ) -> Result<(std::sync::Arc<Exchange>, u16), Stopped> {
        let sent = self.shared.send(plan).await.map_err(|refusal| {
            Stopped(Verdict::Errored { cause: ErrorCause::Guard { detail: refusal.to_string() } })
        })?;
        let exchange = sent.exchange;
        self.parts[trial.part].exchanges.extend(sent.also.iter().map(|also| also.id).chain([exchange.id]));
        if let Some(why) = super::busy(&exchange) {
            return Err(Stopped(Verdict::Errored { cause: ErrorCause::Transport { detail: why } }));
        }
        match &exchange.answer {
            Ok(response) => {
                let status = response.status;
                Ok((exchange, status))
            }
            Err(failure) => Err(Stopped(self.shared.unanswered(&exchange, failure))),
        }
    }

    fn judged(
        &self,
        trial: &Trial,
        (sent, initial): (&Value, &Value),
        before: &Value,
        (status, answer, after): (u16, Option<&Value>, &Value),
        exchange: Option<ExchangeId>,
    ) -> Vec<Finding> {
        let part = &self.job.parts[trial.part];
        judge(&Came {
            vector: &trial.vector,
            sent,
            initial,
            before,
            status,
            answer,
            after,
            definition: &trial.definition,
            reading: self.shared.reading,
            level: part.level,
            spec: &part.spec,
            place: Some(&self.job.file.place(&part.path)),
            exchange,
        })
    }
}

impl Neighbours {
    fn take(&mut self, name: &'static str, id: String, user_name: Option<String>) {
        self.ids.insert(name, id);
        if name == USERS[0] {
            self.taken = user_name;
        }
    }
}

/// Whether nothing but what is worth knowing departs.
fn is_well(found: Option<Vec<crate::oracle::written::Departure>>) -> bool {
    found.is_some_and(|found| found.iter().all(|it| it.grade == Grade::Note))
}

/// The resources that a vector refers to.
fn refers_to(vector: &PatchVector) -> impl Iterator<Item = &'static str> + use<> {
    let operations = [&vector.operations, &vector.request];
    let text = operations.iter().map(|it| format!("{it:?}")).collect::<String>()
        + &vector.initial_resource.to_string();
    let is_named = move |name: &&'static str| {
        text.contains(&format!("{{{{{name}.id}}}}"))
            || (*name == USERS[0] && text.to_lowercase().contains("pv-other"))
    };
    USERS.into_iter().chain([GROUP]).filter(is_named)
}

/// Puts ids for the `{{…}}` of a vector.
fn substituted(value: &Value, neighbours: &Neighbours) -> Value {
    let of_text = |text: &str| {
        let mut text = text.to_owned();
        for (name, id) in &neighbours.ids {
            text = text.replace(&format!("{{{{{name}.id}}}}"), id);
        }
        Some(text)
    };
    replaced(value, &of_text, 0)
}

/// A value with its texts replaced where there is something to replace them by. The depth is that of a vector, which was
/// read from a file of ours or the operator's.
fn replaced(value: &Value, by: &dyn Fn(&str) -> Option<String>, depth: usize) -> Value {
    if depth > crate::scim::resource::MAX_DEPTH {
        return value.clone();
    }
    match value {
        Value::String(text) => by(text).map_or_else(|| value.clone(), Value::from),
        Value::Array(all) => all.iter().map(|it| replaced(it, by, depth + 1)).collect(),
        Value::Object(members) => {
            Value::Object(members.iter().map(|(k, v)| (k.clone(), replaced(v, by, depth + 1))).collect())
        }
        other => other.clone(),
    }
}

/// Whether a PATCH does the same kind of thing to both resources, names of their own apart.
fn alike(body: &Value, initial: &Value, state: &Value, definition: &ResourceDefinition) -> bool {
    let mut initial = initial.clone();
    let is_group = definition.name.eq_ignore_ascii_case("Group");
    if let (Some(members), Some(own)) = (initial.as_object_mut(), state.as_object()) {
        for name in ["userName", "externalId", "displayName", "id", "meta"] {
            if name == "displayName" && !is_group {
                continue;
            }
            match member_name(own, name).and_then(|name| own.get(name)) {
                Some(value) => set_member(members, name, value.clone()),
                None => drop(remove_member(members, name)),
            }
        }
    }
    shape(effect(body, &initial, definition)) == shape(effect(body, state, definition))
}

/// What an effect is apart from the values: which attributes it touches, how many of their values come and go, and which
/// parts of those that stay change.
fn shape(effect: Effect) -> Effect {
    let Effect::Changes(changes) = effect else { return effect };
    let of = |was: Option<Value>, is: Option<Value>| -> Value {
        let parts = |left: &Value, right: &Value| -> Value {
            let names: BTreeSet<&String> =
                [left, right].into_iter().filter_map(Value::as_object).flat_map(|it| it.keys()).collect();
            names.into_iter().filter(|name| left.get(*name) != right.get(*name)).cloned().collect()
        };
        match (&was, &is) {
            (Some(Value::Array(was)), Some(Value::Array(is))) => {
                let gone: Vec<&Value> = was.iter().filter(|it| !is.contains(it)).collect();
                let come: Vec<&Value> = is.iter().filter(|it| !was.contains(it)).collect();
                let pairs: Vec<Value> =
                    gone.iter().zip(&come).map(|(left, right)| parts(left, right)).collect();
                json!([gone.len(), come.len(), if gone.len() == come.len() { pairs } else { Vec::new() }])
            }
            (Some(was), Some(is)) if was.is_object() && is.is_object() => parts(was, is),
            _ => json!([was.map(|it| it.is_array()), is.map(|it| it.is_array())]),
        }
    };
    Effect::Changes(changes.into_iter().map(|(name, (was, is))| (name, (Some(of(was, is)), None))).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scim::schema::SchemaSet;

    #[test]
    fn a_chain_goes_on_where_a_vector_does_what_it_was_written_for() {
        let definition = SchemaSet::core().definition("User").unwrap();
        let sent = |path: &str, op: &str, value: &str| json!({"schemas": [names::PATCH_OP], "Operations": [{"op": op, "path": path, "value": value}]});
        let initial = json!({"userName": "a", "emails": [
            {"value": "a@example.com", "type": "work"}, {"value": "b@example.com", "type": "home"},
        ]});
        let more = json!({"userName": "b", "nickName": "N", "emails": [
            {"value": "a@example.com", "type": "work"}, {"value": "c@example.com", "type": "home"},
            {"value": "d@example.com", "type": "other"},
        ]});
        let none = json!({"userName": "c"});
        let home = sent("emails[type eq \"home\"].value", "replace", "x@example.com");
        assert!(alike(&home, &initial, &more, &definition));
        assert!(!alike(&home, &initial, &none, &definition));
        let nick = sent("nickName", "add", "B");
        assert!(!alike(&nick, &initial, &more, &definition), "one adds, the other replaces");
        assert!(alike(&nick, &initial, &none, &definition));
    }
}
