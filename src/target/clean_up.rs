//! Removes what the run created: what is known to be ours, and what a create may have made whose answer never
//! came. It works after a failure, after an interrupt, and on the ledger of a killed run, and says what is left.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};

use futures_util::{StreamExt, stream};
use percent_encoding::utf8_percent_encode;
use serde_json::Value;

use super::client::{Purpose, Target};
use super::exchange::{Exchange, TransportFailure};
use super::guard::Ownership;
use super::ledger::{Intent, OwnedResource};
use super::ownership::identifier;
use super::request::{QUERY, RequestPlan, resource_path};

/// Deletions under way at once.
const AT_ONCE: usize = 4;
/// After so many failures in a row the target counts as gone, and the rest is reported as left.
const GONE_AFTER: u32 = 3;
/// Rows asked for at once when strays are looked for, and how often.
const ROWS: usize = 100;
const SWEEPS: usize = 5;

/// Why something is left that was deleted.
const STILL_SHOWN: &str = "its DELETE was answered with a success, and a read still shows it";

/// The origin of clean-up's exchanges.
pub const ORIGIN: &str = "clean-up";

/// What a clean-up did.
#[derive(Debug, Clone, Default)]
pub struct CleanUp {
    /// Deleted now.
    pub deleted: Vec<OwnedResource>,
    /// Gone before: a case deleted it, or the service provider did.
    pub already_gone: Vec<OwnedResource>,
    /// What may still be there, and why.
    pub left: Vec<Left>,
    /// Resources that creates were answered with and that are not ours; nothing was done to them.
    pub disowned: Vec<Left>,
    /// The ledger, where something is left.
    pub ledger: Option<PathBuf>,
    /// Trouble with the ledger itself.
    pub trouble: Option<String>,
}

/// Something that may still be there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Left {
    /// Where, such as `/Users`.
    pub endpoint: String,
    /// Its id, where known.
    pub id: Option<String>,
    /// How else to find it: `userName "…"`.
    pub trace: Option<String>,
    /// Why it is left.
    pub why: String,
}

impl std::fmt::Display for Left {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.endpoint)?;
        if let Some(id) = &self.id {
            write!(f, "/{id}")?;
        }
        if let Some(trace) = &self.trace {
            write!(f, " with {trace}")?;
        }
        write!(f, ": {}", self.why)
    }
}

impl CleanUp {
    /// Whether nothing is left that is, or may be, ours.
    pub fn is_complete(&self) -> bool {
        self.left.is_empty()
    }

    fn add(&mut self, other: CleanUp) {
        self.deleted.extend(other.deleted);
        self.already_gone.extend(other.already_gone);
        self.left.extend(other.left);
    }
}

enum Fate {
    Deleted,
    Gone,
    Left(String),
}

impl Target {
    /// Removes everything that this run created. May be called again: what is gone is not asked for twice.
    pub async fn clean_up(&self) -> CleanUp {
        let mut done = CleanUp::default();
        let silence = AtomicU32::new(0);
        self.search_intents(&mut done, &silence).await;
        self.review_unproven(&mut done, &silence).await;
        let touched = self.touched();
        let alive: Vec<OwnedResource> = self.state().register.alive().cloned().collect();
        done.add(self.delete_many(alive, &silence).await);
        for endpoint in touched {
            if !self.sweep(&endpoint, &mut done, &silence).await {
                self.delete_again(&endpoint, &mut done, &silence).await;
            }
        }
        // What a bulk job only said to have deleted was deleted once more.
        let mut counted = BTreeSet::new();
        done.deleted.retain(|resource| counted.insert((resource.endpoint.clone(), resource.id.clone())));
        let mut state = self.state();
        done.disowned =
            state.disowned.iter().map(|(endpoint, id, why)| left(endpoint, Some(id), why)).collect();
        done.trouble = state.ledger_trouble.take();
        if done.left.is_empty() {
            if let Err(error) = state.ledger.close() {
                done.trouble.get_or_insert(error.to_string());
            }
        } else {
            done.ledger = state.ledger.path().map(ToOwned::to_owned);
        }
        done
    }

    /// Removes what one case created, at once; where Bulk may be used and nothing presses, with what other cases leave, as
    /// soon as it is worth a job. Creates whose outcome is not known wait for [`Target::clean_up`].
    pub async fn clean_up_after(&self, origin: &str, at_once: bool) -> CleanUp {
        let due: Vec<OwnedResource> = {
            let mut state = self.state();
            state.ended.insert(origin.to_owned());
            let due: Vec<OwnedResource> = state
                .register
                .alive()
                .filter(|resource| state.ended.contains(&resource.origin))
                .cloned()
                .collect();
            if !at_once && state.bulk.as_ref().is_some_and(|bulk| due.len() < bulk.batch()) {
                return CleanUp::default();
            }
            state.ended.clear();
            due
        };
        self.delete_many(due, &AtomicU32::new(0)).await
    }

    /// Removes one resource that this run created, since it is in the way of what comes. What does not go is left for
    /// [`Target::clean_up`].
    pub async fn discard(&self, endpoint: &str, id: &str) -> CleanUp {
        let found: Vec<OwnedResource> = {
            let state = self.state();
            let is_it = |it: &&OwnedResource| it.endpoint == endpoint && it.id == id;
            state.register.alive().filter(is_it).cloned().collect()
        };
        self.delete_all(found, &AtomicU32::new(0)).await
    }

    /// Deletes by Bulk where that is worth it, and one by one whatever that does not show as gone.
    async fn delete_many(&self, resources: Vec<OwnedResource>, silence: &AtomicU32) -> CleanUp {
        let (deleted, rest) = self.delete_by_bulk(in_order(resources)).await;
        let mut done = CleanUp { deleted, ..CleanUp::default() };
        done.add(self.delete_all(rest, silence).await);
        done
    }

    /// Where nobody can be asked what is left at an endpoint, what only a Bulk job says to be gone is deleted once more.
    async fn delete_again(&self, endpoint: &str, done: &mut CleanUp, silence: &AtomicU32) {
        let doubtful: Vec<OwnedResource> = {
            let mut state = self.state();
            let Some(bulk) = &mut state.bulk else { return };
            let (doubtful, others) =
                std::mem::take(&mut bulk.deleted).into_iter().partition(|it| it.endpoint == endpoint);
            bulk.deleted = others;
            doubtful
        };
        let mut again = self.delete_all(doubtful, silence).await;
        // They are counted as deleted already.
        again.already_gone.clear();
        again.deleted.clear();
        done.add(again);
    }

    /// Deletes one by one in the order given, but what may refer to others (groups) before all users.
    async fn delete_all(&self, resources: Vec<OwnedResource>, silence: &AtomicU32) -> CleanUp {
        let mut done = CleanUp::default();
        let (users, groups): (Vec<_>, Vec<_>) =
            resources.into_iter().partition(|resource| resource.resource_type == "User");
        for batch in [groups, users] {
            let fates: Vec<(OwnedResource, Fate)> = stream::iter(batch)
                .map(|resource| async move {
                    let fate = self.delete(&resource, silence).await;
                    (resource, fate)
                })
                .buffered(AT_ONCE)
                .collect()
                .await;
            for (resource, fate) in fates {
                match fate {
                    Fate::Deleted => done.deleted.push(resource),
                    Fate::Gone => done.already_gone.push(resource),
                    Fate::Left(why) => done.left.push(left(&resource.endpoint, Some(&resource.id), &why)),
                }
            }
        }
        done
    }

    async fn delete(&self, resource: &OwnedResource, silence: &AtomicU32) -> Fate {
        let mut plan = RequestPlan::new("DELETE", resource_path(&resource.endpoint, &resource.id), ORIGIN);
        let mut why = String::new();
        for _ in 0..2 {
            if silence.load(Ordering::Relaxed) >= GONE_AFTER {
                return Fate::Left("the target does not answer any more".to_owned());
            }
            let sent = match self.dispatch(plan.clone(), Purpose::CleanUp).await {
                Ok(sent) => sent,
                Err(refusal) => return Fate::Left(refusal.to_string()),
            };
            match &sent.exchange.answer {
                Err(failure) => {
                    silence.fetch_add(1, Ordering::Relaxed);
                    why = failure.to_string();
                }
                Ok(response) => {
                    silence.store(0, Ordering::Relaxed);
                    why = format!("DELETE answered {}", response.status);
                    match response.status {
                        200..=299 => return Fate::Deleted,
                        404 | 410 => {
                            self.drop_owned(&resource.endpoint, &resource.id);
                            return Fate::Gone;
                        }
                        // Some service providers insist on a precondition; any version will do.
                        412 | 428 => plan.headers = vec![("If-Match".to_owned(), Some("*".to_owned()))],
                        500..=599 => {}
                        _ => return Fate::Left(why),
                    }
                }
            }
        }
        Fate::Left(why)
    }

    /// Looks for what creates may have made whose outcome is not known.
    async fn search_intents(&self, done: &mut CleanUp, silence: &AtomicU32) {
        let intents: Vec<Intent> = self.state().intents.values().cloned().collect();
        let mut deaf: Vec<(String, String)> = Vec::new();
        for intent in intents {
            let (Some(attribute), Some(value)) = (&intent.attribute, &intent.value) else {
                let why = "a create came to no known end, and it carried no mark to search for";
                done.left.push(left(&intent.endpoint, None, why));
                self.close_intent(&intent);
                continue;
            };
            let known =
                deaf.iter().find(|(endpoint, _)| *endpoint == intent.endpoint).map(|(_, why)| why.clone());
            let outcome = match known {
                Some(why) => Err(why),
                None => self.search(&intent.endpoint, attribute, "eq", value, 10, silence).await,
            };
            match outcome {
                Ok(rows) => {
                    for (id, resource_type) in rows {
                        self.take(&intent.endpoint, &id, &resource_type, &intent.origin);
                    }
                    self.close_intent(&intent);
                }
                Err(why) => {
                    done.left.push(Left {
                        endpoint: intent.endpoint.clone(),
                        id: None,
                        trace: Some(format!("{attribute} \"{value}\"")),
                        why: format!("a create came to no known end, and it cannot be searched for: {why}"),
                    });
                    deaf.push((intent.endpoint.clone(), why));
                }
            }
        }
    }

    /// Looks again at resources that could not be shown to be ours when they were created.
    async fn review_unproven(&self, done: &mut CleanUp, silence: &AtomicU32) {
        let unproven = std::mem::take(&mut self.state().unproven);
        for (endpoint, id, why) in unproven {
            if self.state().register.owns(&endpoint, &id) {
                continue;
            }
            let shown = if silence.load(Ordering::Relaxed) < GONE_AFTER {
                self.fetch(&endpoint, &id, ORIGIN, Purpose::CleanUp).await
            } else {
                None
            };
            let body =
                shown.as_deref().filter(|exchange| exchange.status() == Some(200)).and_then(Exchange::json);
            if body.is_some_and(|body| self.state().register.marks(body)) {
                self.take(&endpoint, &id, &self.resource_type(&endpoint), ORIGIN);
            } else if !shown.is_some_and(|exchange| matches!(exchange.status(), Some(404 | 410))) {
                done.left.push(left(&endpoint, Some(&id), &why));
                self.state().unproven.push((endpoint, id, why));
            }
        }
    }

    /// Endpoints where this run created something, or tried to.
    pub(super) fn touched(&self) -> Vec<String> {
        let state = self.state();
        let created = state.register.all().map(|resource| resource.endpoint.as_str());
        let endpoints: BTreeSet<&str> = created.chain(state.tried.iter().map(String::as_str)).collect();
        endpoints.into_iter().map(str::to_owned).collect()
    }

    /// Reads what was deleted twice: some service providers only mark a resource as deleted, and go on showing it.
    async fn look_at(&self, deleted: Vec<OwnedResource>, done: &mut CleanUp, silence: &AtomicU32) {
        for resource in deleted {
            if silence.load(Ordering::Relaxed) >= GONE_AFTER {
                return;
            }
            let shown = self.fetch(&resource.endpoint, &resource.id, ORIGIN, Purpose::CleanUp).await;
            if shown.is_some_and(|exchange| exchange.status() == Some(200)) {
                done.deleted.retain(|it| !is_same(it, &resource));
                done.left.push(left(&resource.endpoint, Some(&resource.id), STILL_SHOWN));
            }
        }
    }

    /// Looks for whatever else carries the mark: what a refused create made all the same, and what a delete only
    /// claimed to delete. Only where the service provider can search so.
    ///
    /// Whether it could look.
    async fn sweep(&self, endpoint: &str, done: &mut CleanUp, silence: &AtomicU32) -> bool {
        let Some(attribute) = self.name_of(endpoint) else { return false };
        for _ in 0..SWEEPS {
            let mark = self.run_mark().to_owned();
            let Ok(rows) = self.search(endpoint, attribute, "co", &mark, ROWS, silence).await else {
                return false;
            };
            let full = rows.len() >= ROWS;
            let mut strays = Vec::new();
            for (id, resource_type) in rows {
                if done.left.iter().any(|left| left.endpoint == endpoint && left.id.as_deref() == Some(&id)) {
                    continue;
                }
                self.take(endpoint, &id, &resource_type, ORIGIN);
                strays.extend(self.state().register.get(endpoint, &id).cloned());
            }
            if strays.is_empty() {
                return true;
            }
            let is_doubtful = |stray: &&OwnedResource| done.deleted.iter().any(|it| is_same(it, stray));
            let doubtful: Vec<OwnedResource> = strays.iter().filter(is_doubtful).cloned().collect();
            done.add(self.delete_all(in_order(strays), silence).await);
            self.look_at(doubtful, done, silence).await;
            let is_left = |id: &str, left: &Left| left.endpoint == endpoint && left.id.as_deref() == Some(id);
            if done.left.iter().any(|left| left.endpoint == endpoint && left.why == STILL_SHOWN) {
                // So it is with whatever else was deleted, and one page does not show all of that.
                let others: Vec<OwnedResource> = self
                    .state()
                    .register
                    .all()
                    .filter(|it| {
                        it.endpoint == endpoint && !done.left.iter().any(|left| is_left(&it.id, left))
                    })
                    .cloned()
                    .collect();
                self.look_at(others, done, silence).await;
                return true;
            }
            if !full {
                return true;
            }
        }
        true
    }

    /// The attribute that carries the mark in the name of every resource at an endpoint.
    pub(super) fn name_of(&self, endpoint: &str) -> Option<&'static str> {
        match self.resource_type(endpoint).as_str() {
            "User" => Some("userName"),
            "Group" => Some("displayName"),
            _ => None,
        }
    }

    /// Ids and resource types of rows that carry the mark and are not known as somebody else's.
    async fn search(
        &self,
        endpoint: &str,
        attribute: &str,
        operator: &str,
        value: &str,
        count: usize,
        silence: &AtomicU32,
    ) -> Result<Vec<(String, String)>, String> {
        if silence.load(Ordering::Relaxed) >= GONE_AFTER {
            return Err("the target does not answer any more".to_owned());
        }
        let filter = format!("{attribute} {operator} {}", Value::from(value));
        let size = &self.page_size_parameter;
        let path = format!("{endpoint}?filter={}&{size}={count}", utf8_percent_encode(&filter, QUERY));
        let sent = self
            .dispatch(RequestPlan::get(path, ORIGIN), Purpose::CleanUp)
            .await
            .map_err(|refusal| refusal.to_string())?;
        let response = match &sent.exchange.answer {
            Ok(response) => response,
            Err(failure) => {
                if !matches!(failure, TransportFailure::NotSent { .. }) {
                    silence.fetch_add(1, Ordering::Relaxed);
                }
                return Err(failure.to_string());
            }
        };
        silence.store(0, Ordering::Relaxed);
        let rows = match (response.status, response.body.json()) {
            (200, Ok(body)) => body.get("Resources").and_then(Value::as_array).cloned().unwrap_or_default(),
            (status, _) => return Err(format!("the search answered {status}")),
        };
        let default = self.resource_type(endpoint);
        let state = self.state();
        let found = rows.iter().filter(|row| state.register.marks(row)).filter_map(|row| {
            let id = identifier(row).filter(|id| !state.register.is_foreign(Some(endpoint), id))?;
            let resource_type = row.pointer("/meta/resourceType").and_then(Value::as_str).unwrap_or(&default);
            Some((id, resource_type.to_owned()))
        });
        Ok(found.collect())
    }
}

fn is_same(one: &OwnedResource, other: &OwnedResource) -> bool {
    one.endpoint == other.endpoint && one.id == other.id
}

/// The order in which resources are deleted: the youngest first, and before all users what may refer to them.
fn in_order(resources: Vec<OwnedResource>) -> Vec<OwnedResource> {
    let (users, mut others): (Vec<_>, Vec<_>) =
        resources.into_iter().rev().partition(|resource| resource.resource_type == "User");
    others.extend(users);
    others
}

fn left(endpoint: &str, id: Option<&String>, why: &str) -> Left {
    Left { endpoint: endpoint.to_owned(), id: id.cloned(), trace: None, why: why.to_owned() }
}
