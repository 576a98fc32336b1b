//! Bulk jobs (RFC 7644 section 3.7) for what no case asks for: making what cases start from, and deleting what they
//! leave. A target that allows 100 requests a minute is done with a run twice as soon.
//!
//! Nothing here believes what a BulkResponse says: what was made is ours only once a list or a read shows it with the
//! run's mark, and what a job does not show as gone is deleted one by one. A job that fails is the last one.

use std::collections::BTreeMap;
use std::sync::Arc;

use percent_encoding::utf8_percent_encode;
use serde_json::{Value, json};

use super::capabilities::Capabilities;
use super::clean_up::ORIGIN;
use super::client::{Purpose, Target};
use super::exchange::Exchange;
use super::guard::{Permissions, Refusal, Touch};
use super::ledger::{Intent, OwnedResource};
use super::ownership::{Moment, identifier};
use super::request::{Created, QUERY, RequestPlan, resource_path};
use super::settle::{id_in, never_left};
use crate::scim::bulk::{BulkResponse, BulkResult};
use crate::scim::names;
use crate::suite::model::{Capability, Requires};

/// Fewer resources than these are not worth a job.
pub const WORTH: usize = 5;
/// The most operations of a job, whatever the service provider takes: a time-out is not to lose everything.
const MOST_OPERATIONS: usize = 100;
/// The most bytes of a job, likewise.
const MOST_BYTES: usize = 256 * 1024;
/// Rows asked for at once where new resources are looked at together.
pub const ROWS: usize = 200;
/// Pages of them at most.
const PAGES: usize = 20;

/// Why lists of new resources are read: what they show counts as a read of each row.
pub const SURVEY: &str = "read together, to see what a bulk job has made";

/// How Bulk may be used.
#[derive(Debug, Clone)]
pub struct BulkUse {
    max_operations: usize,
    max_bytes: usize,
    /// Whether it has failed, and is not tried again.
    failed: bool,
    /// Whether it was seen to do what it says.
    proven: bool,
    /// What jobs say to be gone.
    pub(super) deleted: Vec<OwnedResource>,
}

impl BulkUse {
    /// As the service provider says, if it says that it has Bulk. What is merely assumed is not used.
    pub fn of(capabilities: &Capabilities) -> Option<BulkUse> {
        capabilities.check(&Requires::Capability(Capability::Bulk)).ok()?;
        if capabilities.claim(Capability::Bulk).is_none_or(|claim| claim.assumed) {
            return None;
        }
        let limit = |said: Option<u64>, most: usize| {
            said.filter(|said| *said > 0)
                .and_then(|said| usize::try_from(said).ok())
                .unwrap_or(most)
                .min(most)
        };
        let max_operations = limit(capabilities.max_operations, MOST_OPERATIONS);
        let max_bytes = limit(capabilities.max_payload_size, MOST_BYTES);
        let usage = BulkUse { max_operations, max_bytes, failed: false, proven: false, deleted: Vec::new() };
        (max_operations >= WORTH).then_some(usage)
    }

    /// How many operations a job has.
    pub fn batch(&self) -> usize {
        self.max_operations
    }

    /// Operations in jobs, in their order and each as large as it may be. What is larger than a job may be is left out.
    pub fn jobs<T>(&self, operations: impl IntoIterator<Item = (T, Value)>) -> Vec<Vec<(T, Value)>> {
        let most = self.max_bytes.saturating_sub(ENVELOPE);
        let mut jobs: Vec<Vec<(T, Value)>> = Vec::new();
        let mut room = 0;
        for (what, operation) in operations {
            let size = operation.to_string().len() + 1;
            if size > most {
                continue;
            }
            match jobs.last_mut().filter(|job| job.len() < self.max_operations && size <= room) {
                Some(job) => job.push((what, operation)),
                None => {
                    jobs.push(vec![(what, operation)]);
                    room = most;
                }
            }
            room -= size;
        }
        jobs
    }

    /// In how many requests so many resources are deleted.
    pub(super) fn deletions(&self, resources: usize) -> usize {
        if self.proven && !self.failed { resources.div_ceil(self.max_operations) } else { resources }
    }
}

/// A resource that a bulk job has made, and that is ours.
#[derive(Debug, Clone, PartialEq)]
pub struct Grown {
    /// Its id.
    pub id: String,
    /// The resource as a list or a read showed it.
    pub state: Value,
    /// Whether it was a list that showed it.
    pub is_row: bool,
}

/// A resource of a job that the answer gives an id, before that is proven.
struct Claimed<'r> {
    position: usize,
    endpoint: &'r str,
    id: String,
    intent: Intent,
}

impl Target {
    /// From now on Bulk serves for clean-up, and [`Target::plant`] works.
    pub fn use_bulk(&self, usage: BulkUse) {
        self.state().bulk = Some(usage);
    }

    /// As [`Target::use_bulk`], but where it is in use, or has failed, that stays.
    pub fn may_use_bulk(&self, usage: BulkUse) {
        self.state().bulk.get_or_insert(usage);
    }

    /// How Bulk may be used now.
    pub fn bulk(&self) -> Option<BulkUse> {
        self.state().bulk.clone().filter(|bulk| !bulk.failed)
    }

    /// Deletes by Bulk, in the order given, what is worth it. Beside what is gone stands what is not, or not surely.
    pub(super) async fn delete_by_bulk(
        &self,
        resources: Vec<OwnedResource>,
    ) -> (Vec<OwnedResource>, Vec<OwnedResource>) {
        let (mut gone, mut rest) = (Vec::new(), resources);
        let Some(bulk) = self.bulk().filter(|_| rest.len() >= WORTH) else { return (gone, rest) };
        let deletes = rest.iter().map(|resource| {
            let path = resource_path(&resource.endpoint, &resource.id);
            ((), json!({"method": "DELETE", "path": path}))
        });
        for job in bulk.jobs(deletes.collect::<Vec<_>>()) {
            if self.bulk().is_none() {
                break;
            }
            let operations: Vec<Value> = job.into_iter().map(|((), operation)| operation).collect();
            let succeeded = match self.dispatch(bulk_job(&operations, ORIGIN), Purpose::CleanUp).await {
                Ok(sent) => sent.exchange.status().is_some_and(|status| (200..300).contains(&status)),
                Err(_) => false,
            };
            let mut state = self.state();
            let (deleted, kept): (Vec<_>, Vec<_>) = rest
                .into_iter()
                .partition(|resource| !state.register.is_alive(&resource.endpoint, &resource.id));
            if let Some(bulk) = &mut state.bulk {
                bulk.failed |= !succeeded;
                bulk.deleted.extend(deleted.iter().cloned());
            }
            gone.extend(deleted);
            rest = kept;
        }
        (gone, rest)
    }

    /// Makes resources, each at its endpoint, by Bulk, and looks at them together. In the places of those that are not
    /// there, or not surely ours, stands nothing.
    ///
    /// # Errors
    /// Why nothing is sent at all.
    pub async fn plant(
        &self,
        resources: &[(String, Value)],
        origin: &str,
    ) -> Result<Vec<Option<Grown>>, Refusal> {
        self.plant_under(resources, self.run_mark(), origin).await
    }

    /// As [`Target::plant`], for resources whose names have a text in common, which lists are asked for.
    ///
    /// # Errors
    /// Why nothing is sent at all.
    pub async fn plant_under(
        &self,
        resources: &[(String, Value)],
        common: &str,
        origin: &str,
    ) -> Result<Vec<Option<Grown>>, Refusal> {
        let mut grown: Vec<Option<Grown>> = resources.iter().map(|_| None).collect();
        let Some(bulk) = self.bulk() else { return Ok(grown) };
        let creates = resources.iter().enumerate().map(|(index, (endpoint, resource))| {
            let name = format!("given{}", index + 1);
            (index, json!({"method": "POST", "path": endpoint, "bulkId": name, "data": resource}))
        });
        for job in bulk.jobs(creates) {
            if self.bulk().is_none() {
                break;
            }
            let (positions, operations): (Vec<usize>, Vec<Value>) = job.into_iter().unzip();
            let here: Vec<(usize, &str)> =
                positions.into_iter().map(|position| (position, resources[position].0.as_str())).collect();
            let (claimed, moment) = self.plant_job(&operations, &here, origin).await?;
            for (position, found) in self.prove(claimed, moment, common, origin).await {
                grown[position] = Some(found);
            }
        }
        Ok(grown)
    }

    /// One job, and what its answer claims to have made: each operation has its position and endpoint beside it.
    async fn plant_job<'r>(
        &self,
        operations: &[Value],
        resources: &[(usize, &'r str)],
        origin: &str,
    ) -> Result<(Vec<Claimed<'r>>, Moment), Refusal> {
        let mut plan = bulk_job(operations, origin);
        plan.reason = Some("make what cases start from, together".to_owned());
        let wire = self.prepare(&plan)?;
        let touch: Touch = self.admit(&wire, plan.permissions)?;
        let intents = self.announce(&touch, &wire)?;
        let moment = self.state().register.now();
        let (exchange, _) = self.converse(wire, plan.permissions, Purpose::Run).await;
        let succeeded = exchange.status().is_some_and(|status| (200..300).contains(&status));
        // Else it is not known which of them is whose.
        let is_whole = intents.len() == resources.len();
        if !succeeded || !is_whole {
            let is_refused =
                exchange.status().is_some_and(|status| (400..500).contains(&status) || status == 501);
            let not_sent = exchange.answer.as_ref().is_err_and(never_left);
            // What the budget has no room for says nothing of Bulk, which the clean-up counts on.
            if !not_sent {
                self.fail_bulk();
            }
            for intent in intents.iter().filter(|intent| is_refused || not_sent || intent.value.is_none()) {
                self.close_intent(intent);
            }
            return Ok((Vec::new(), moment));
        }
        let mut claimed: Vec<Claimed<'r>> = Vec::new();
        let results = results(&exchange, operations);
        for ((intent, result), &(position, endpoint)) in intents.into_iter().zip(results).zip(resources) {
            let status = result.as_ref().and_then(|result| result.status);
            let id = result.as_ref().and_then(|result| id_of(result, endpoint));
            match id {
                Some(id) if status.is_none_or(|status| (200..300).contains(&status)) => {
                    let is_twice = claimed.iter().any(|other| other.endpoint == endpoint && other.id == id);
                    if is_twice || self.state().register.get(endpoint, &id).is_some() {
                        // Two resources cannot have one id: the clean-up looks for this one by its name.
                        continue;
                    }
                    claimed.push(Claimed { position, endpoint, id, intent });
                }
                _ if status.is_some_and(|status| (400..500).contains(&status)) || intent.value.is_none() => {
                    self.close_intent(&intent);
                }
                _ => {}
            }
        }
        Ok((claimed, moment))
    }

    /// Looks whether what a job claims to have made is there, and ours: together where lists show it, each by itself
    /// where they do not.
    async fn prove(
        &self,
        claimed: Vec<Claimed<'_>>,
        moment: Moment,
        common: &str,
        origin: &str,
    ) -> Vec<(usize, Grown)> {
        let mut by_endpoint: BTreeMap<&str, Vec<Claimed<'_>>> = BTreeMap::new();
        for claim in claimed {
            by_endpoint.entry(claim.endpoint).or_default().push(claim);
        }
        let mut grown = Vec::new();
        for (endpoint, claims) in by_endpoint {
            let ids: Vec<&str> = claims.iter().map(|claim| claim.id.as_str()).collect();
            let mut rows = self.survey(endpoint, &ids, common, origin).await;
            let mut hopeless = rows.is_empty() && claims.len() >= WORTH;
            for claim in claims {
                let row = rows.remove(&claim.id).map(|(_, row)| row).filter(|row| {
                    let state = self.state();
                    state.register.marks(row) && !state.register.seen_before(endpoint, &claim.id, moment)
                });
                if let Some(row) = row {
                    self.take(endpoint, &claim.id, &self.resource_type(endpoint), origin);
                    self.close_intent(&claim.intent);
                    if let Some(bulk) = &mut self.state().bulk {
                        bulk.proven = true;
                    }
                    grown.push((claim.position, Grown { id: claim.id, state: row, is_row: true }));
                    continue;
                }
                let (made, read) =
                    self.claim(&claim.intent, endpoint, claim.id, moment, None, 201, Purpose::Run).await;
                let state = read.as_deref().and_then(Exchange::json).cloned();
                if let (Some(Created::Owned { id, .. }), Some(state)) = (made, state) {
                    grown.push((claim.position, Grown { id, state, is_row: false }));
                } else if std::mem::take(&mut hopeless) {
                    // Neither a list nor a read shows it.
                    self.fail_bulk();
                }
            }
        }
        grown
    }

    /// The rows of these ids in lists of what has this text in its name, by id, each with the list that showed it.
    pub async fn survey(
        &self,
        endpoint: &str,
        ids: &[&str],
        common: &str,
        origin: &str,
    ) -> BTreeMap<String, (Arc<Exchange>, Value)> {
        let mut found = BTreeMap::new();
        let Some(attribute) = self.name_of(endpoint) else { return found };
        let filter = format!("{attribute} co {}", Value::from(common));
        let size = &self.page_size_parameter;
        let mut shown = 0;
        for _ in 0..PAGES {
            let start = if shown == 0 { String::new() } else { format!("&startIndex={}", shown + 1) };
            let path =
                format!("{endpoint}?filter={}&{size}={ROWS}{start}", utf8_percent_encode(&filter, QUERY));
            let mut plan = RequestPlan::get(path, origin);
            plan.reason = Some(SURVEY.to_owned());
            let Ok(sent) = self.dispatch(plan, Purpose::Run).await else { return found };
            let Some(body) = sent.exchange.json().filter(|_| sent.exchange.status() == Some(200)) else {
                return found;
            };
            let rows = body.get("Resources").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
            for row in rows {
                if let Some(id) = identifier(row).filter(|id| ids.contains(&id.as_str())) {
                    found.insert(id, (Arc::clone(&sent.exchange), row.clone()));
                }
            }
            // A service provider that does not filter shows strangers, and maybe no end of them.
            if rows.iter().any(|row| !self.state().register.marks(row)) {
                break;
            }
            shown += rows.len();
            let total = body.get("totalResults").and_then(Value::as_u64).unwrap_or_default();
            if rows.is_empty() || found.len() == ids.len() || shown as u64 >= total {
                break;
            }
        }
        found
    }

    fn fail_bulk(&self) {
        if let Some(bulk) = &mut self.state().bulk {
            bulk.failed = true;
        }
    }
}

/// What the message of a job holds beside its operations, in bytes, generously.
const ENVELOPE: usize = 256;

/// The request of a job.
pub fn bulk_job(operations: &[Value], origin: &str) -> RequestPlan {
    let message = json!({"schemas": [names::BULK_REQUEST], "Operations": operations});
    let mut plan = RequestPlan::new("POST", "/Bulk", origin).json(&message);
    plan.permissions = Permissions { bulk: true, ..Permissions::default() };
    plan
}

/// The result of each operation, by its bulkId, or by its place where the results name none.
pub fn results(exchange: &Exchange, operations: &[Value]) -> Vec<Option<BulkResult>> {
    let answered =
        exchange.json().and_then(|body| BulkResponse::from_json(body).value).unwrap_or_default().operations;
    let in_order =
        answered.len() == operations.len() && answered.iter().all(|result| result.bulk_id.is_none());
    operations
        .iter()
        .enumerate()
        .map(|(index, operation)| {
            let name = operation.get("bulkId").and_then(Value::as_str);
            let named = answered.iter().find(|result| name.is_some() && result.bulk_id.as_deref() == name);
            named.or_else(|| answered.get(index).filter(|_| in_order)).cloned()
        })
        .collect()
}

fn id_of(result: &BulkResult, endpoint: &str) -> Option<String> {
    let located = result.location.as_deref().and_then(|location| id_in(location, endpoint));
    located.or_else(|| result.response.as_ref().and_then(identifier))
}
