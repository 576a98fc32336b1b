//! Reads that no step asks for: what a write has made of a resource, and what it was before.
//!
//! After each write to a resource of ours, successful or refused, the resource is read once, unless the next request
//! of the case is that very read; before a PUT or PATCH it is read if nothing has shown it since the last write. What
//! these reads show is for the rules (`written-is-read` and its neighbours) and saves the executor reads that it
//! would make anyway. They change no handle, so that `becomes` and `unchanged` mean what they always did, and trouble
//! on their way is nobody's verdict. They are the first to be left out where the request budget is short.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

use serde_json::Value;

use super::case::CaseRun;
use super::patience::ReadKind;
use super::seed::Seed;
use super::step::resource_of;
use crate::suite::model::Auth;
use crate::target::exchange::{Exchange, ExchangeId};
use crate::target::{Created, RequestPlan, Sent, resource_at, resource_path};

/// Where a resource lives: its endpoint and its id.
type Whereabouts = (String, String);

/// A read that is due after a write.
#[derive(Debug)]
struct Due {
    at: Whereabouts,
    reason: String,
    /// The part of the case that wrote.
    part: usize,
}

/// What one case has to read beside its steps, and what is known of its resources.
#[derive(Debug, Default)]
pub(super) struct ReadBack {
    due: Option<Due>,
    /// Resources as a read showed them, with no write since that could have changed them.
    images: BTreeMap<Whereabouts, Value>,
    /// Resources that a read did not find, with no write since.
    gone: BTreeSet<Whereabouts>,
    /// The kind of the last write: its method, where it went, and whether it was taken.
    kind: Option<String>,
}

impl ReadBack {
    /// The resource as it is now, where a read has shown it and nothing was written since.
    pub(super) fn image(&self, endpoint: &str, id: &str) -> Option<&Value> {
        self.images.get(&(endpoint.to_owned(), id.to_owned()))
    }

    /// Where the read is to be made that is due, if any.
    pub(super) fn due_at(&self) -> Option<&Whereabouts> {
        self.due.as_ref().map(|due| &due.at)
    }

    /// The kind of the last write, if there was one.
    pub(super) fn kind(&self) -> Option<&str> {
        self.kind.as_deref()
    }

    /// Takes over what was seen of resources before the case.
    pub(super) fn shown(&mut self, seeds: &[Seed]) {
        for Seed { created, state } in seeds {
            if let (Some(id), Some(state)) = (&created.handle.id, state) {
                self.images.insert((created.endpoint.clone(), id.clone()), state.clone());
            }
        }
    }

    /// Something else may have changed them.
    pub(super) fn forget(&mut self) {
        self.images.clear();
    }
}

impl CaseRun<'_> {
    /// The reads that have to come before a request: of what the last write made, and of what this one will change.
    pub(super) async fn read_before(&mut self, plan: &RequestPlan) {
        let at = resource_at(&plan.path);
        if self.reads.due.as_ref().is_some_and(|due| is_read_of(plan, &due.at)) {
            self.reads.due = None;
        }
        self.read_back().await;
        let Some(at) = at.filter(|(endpoint, id)| {
            matches!(plan.method.as_str(), "PUT" | "PATCH") && self.shared.target.owns(endpoint, id)
        }) else {
            return;
        };
        if !self.reads.images.contains_key(&at) && !self.reads.gone.contains(&at) {
            let reason = format!("read before {}", words(plan));
            self.read_unasked(Due { at, reason, part: self.current }).await;
        }
    }

    /// What was to be read, these lists have shown.
    pub(super) fn seen_in(&mut self, lists: &BTreeSet<ExchangeId>) {
        self.reads.due = None;
        self.part().exchanges.extend(lists);
    }

    /// Makes the read that is due, if any.
    pub(super) async fn read_back(&mut self) {
        if let Some(due) = self.reads.due.take() {
            self.read_unasked(due).await;
        }
    }

    /// Takes note of an exchange: what it shows, what it may have changed, and what is to be read now.
    pub(super) fn note_exchange(&mut self, plan: &RequestPlan, sent: &Sent, was_ours: bool) {
        let exchange = &sent.exchange;
        let method = plan.method.as_str();
        let is_search = plan.path.split('?').next().is_some_and(|path| path.ends_with("/.search"));
        if matches!(method, "GET" | "HEAD" | "OPTIONS") || is_search {
            return self.note_read(exchange);
        }
        self.wrote = Some(Instant::now());
        self.reads.gone.clear();
        let status = exchange.status();
        self.reads.kind = Some(format!("{} {}", words(plan), status.unwrap_or_default() / 100));
        let succeeded = status.is_some_and(|status| (200..300).contains(&status));
        // 429 says nothing about the resource; without an answer, or after a 5xx, anything may be.
        let is_refused = status.is_some_and(|status| (400..500).contains(&status) && status != 429);
        let at = match &sent.created {
            Some(Created::Owned { id, .. }) => {
                let collection = plan.path.split('?').next().unwrap_or_default().trim_end_matches('/');
                Some((collection.to_owned(), id.clone()))
            }
            Some(_) => None,
            None => resource_at(&plan.path).filter(|_| was_ours),
        };
        // A create leaves other resources as they are; whatever else was done to one may show in another.
        match &at {
            Some(at) if is_refused => drop(self.reads.images.remove(at)),
            _ if method == "POST" && resource_at(&plan.path).is_none() && !is_bulk(&plan.path) => {}
            _ => self.reads.images.clear(),
        }
        for also in &sent.also {
            self.note_read(also);
        }
        let Some(at) = at.filter(|at| (succeeded || is_refused) && !self.reads.images.contains_key(at))
        else {
            return;
        };
        let reason = format!("read back after {}", words(plan));
        self.reads.due = Some(Due { at, reason, part: self.current });
    }

    fn note_read(&mut self, exchange: &Exchange) {
        if exchange.request.method != "GET" || exchange.request.path.contains('?') {
            return;
        }
        let Some(at) = resource_at(&exchange.request.path) else { return };
        if let Some(state) = resource_of(exchange, &at.1) {
            self.reads.images.insert(at, state);
        } else if exchange.status() == Some(404) && exchange.request.auth == Auth::Good {
            self.reads.gone.insert(at);
        }
    }

    async fn read_unasked(&mut self, due: Due) {
        let target = self.shared.target;
        let mut plan = RequestPlan::get(resource_path(&due.at.0, &due.at.1), &self.origin);
        plan.reason = Some(due.reason);
        let mut waiting = self.waiting(ReadKind::Resource);
        loop {
            if target.interrupted() || self.shared.gone().is_some() || !self.shared.can_spare() {
                return;
            }
            let part = &mut self.parts[due.part];
            match target.send(plan.clone()).await {
                Ok(sent) => {
                    part.exchanges.extend(sent.also.iter().map(|also| also.id).chain([sent.exchange.id]));
                    if self.again(&mut waiting, &sent.exchange, None).await {
                        continue;
                    }
                    self.note_read(&sent.exchange);
                }
                Err(refusal) => part.notes.push(format!("a resource was not read back: {refusal}")),
            }
            return;
        }
    }
}

/// Whether a request reads that resource whole, as its owner: nothing left out, no condition, no other tenant.
fn is_read_of(plan: &RequestPlan, at: &Whereabouts) -> bool {
    plan.method == "GET"
        && plan.auth == Auth::Good
        && !plan.path.contains('?')
        && resource_at(&plan.path).as_ref() == Some(at)
        && !plan.headers.iter().any(|(name, value)| asks_for_more(name, value.as_deref()))
}

/// Whether a header may bring another answer than the resource whole, as SCIM writes it.
pub(super) fn asks_for_more(name: &str, value: Option<&str>) -> bool {
    let is_scim = || value.is_some_and(|value| value.trim().eq_ignore_ascii_case("application/scim+json"));
    let is = |other: &str| name.eq_ignore_ascii_case(other);
    (is("Accept") && !is_scim()) || is("If-None-Match") || is("If-Match") || is("Authorization")
}

fn is_bulk(path: &str) -> bool {
    path.trim_matches('/').eq_ignore_ascii_case("Bulk")
}

/// Method and path without the id, for people.
fn words(plan: &RequestPlan) -> String {
    format!("{} {}", plan.method, super::request::endpoint_of(&plan.path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_whole_read_by_the_owner_saves_one() {
        let at = ("/Users".to_owned(), "4 2".to_owned());
        let plan = RequestPlan::get("/Users/4%202", "test");
        assert!(is_read_of(&plan, &at));
        let usual = vec![("Accept".to_owned(), Some("application/scim+json".to_owned()))];
        assert!(is_read_of(&RequestPlan { headers: usual, ..plan.clone() }, &at));
        for other in [
            RequestPlan::get("/Users/42", "test"),
            RequestPlan::get("/Users/4%202?attributes=id", "test"),
            RequestPlan::new("DELETE", "/Users/4%202", "test"),
            RequestPlan { auth: Auth::None, ..plan.clone() },
            RequestPlan { headers: vec![("Accept".into(), Some("text/html".into()))], ..plan.clone() },
            RequestPlan { headers: vec![("accept".into(), None)], ..plan.clone() },
            RequestPlan { headers: vec![("If-None-Match".into(), Some("*".into()))], ..plan.clone() },
        ] {
            assert!(!is_read_of(&other, &at), "{other:?}");
        }
    }
}
