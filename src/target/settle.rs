//! What became of a create, an update or a delete: the evidence in an answer is turned into ownership, and into
//! the ledger.

use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use percent_encoding::percent_decode_str;
use serde_json::Value;

use super::client::{Purpose, Target};
use super::exchange::Exchange;
use super::guard::{self, Ownership, Refusal, Touch, bulk_operations, classify};
use super::ledger::{Intent, OwnedResource};
use super::ownership::{Moment, identifier};
use super::request::{Created, RequestPlan};
use super::wire::Wire;
use crate::scim::bulk::{BulkResponse, BulkResult, REFERENCE};

/// A resource that a create is answered with, and that says it was created longer ago than any difference of
/// clocks and time zones explains, was there before.
const OLD: TimeDelta = TimeDelta::hours(26);

/// What the evidence says.
enum Proof {
    Ours,
    Foreign(&'static str),
    Missing(&'static str),
}

impl Target {
    /// Writes to the ledger what is about to be created.
    pub(super) fn announce(&self, touch: &Touch, wire: &Wire) -> Result<Vec<Intent>, Refusal> {
        let body = wire.body.as_deref().unwrap_or_default();
        let wanted: Vec<(String, Option<serde_json::Value>)> = match touch {
            Touch::Create { endpoint } => vec![(endpoint.clone(), serde_json::from_slice(body).ok())],
            Touch::Bulk => {
                let endpoints = self.endpoint_names();
                guard::bulk_operations(body)
                    .into_iter()
                    .filter_map(|operation| {
                        match guard::classify(&operation.method, &operation.path, &endpoints) {
                            Touch::Create { endpoint } => Some((endpoint, operation.data)),
                            _ => None,
                        }
                    })
                    .collect()
            }
            _ => Vec::new(),
        };
        let mut state = self.state();
        let mut announced = Vec::new();
        for (endpoint, resource) in wanted {
            let (attribute, value) = resource
                .as_ref()
                .and_then(|resource| state.register.trace(resource))
                .map_or((None, None), |(attribute, value)| (Some(attribute), Some(self.masks.text(&value))));
            let intent = Intent {
                number: state.next_intent,
                endpoint,
                attribute,
                value,
                marked: resource.as_ref().is_some_and(|resource| state.register.marks(resource)),
                origin: wire.origin.clone(),
                time: Utc::now(),
            };
            state.next_intent += 1;
            state.ledger.intent(&intent).map_err(|error| Refusal::Ledger { why: error.to_string() })?;
            state.tried.insert(intent.endpoint.clone());
            state.intents.insert(intent.number, intent.clone());
            announced.push(intent);
        }
        Ok(announced)
    }

    /// Writes to the ledger what a request is going to make beside what it asks for.
    pub(super) fn announce_beside(&self, plan: &RequestPlan) -> Result<Vec<Intent>, Refusal> {
        let mut state = self.state();
        let mut announced = Vec::new();
        let new: Vec<&(String, String)> =
            plan.creates.iter().filter(|(endpoint, id)| !state.register.owns(endpoint, id)).collect();
        let was_there = |endpoint: &str, id: &str| {
            state.register.is_foreign(Some(endpoint), id) || !state.register.never_existed(id)
        };
        if let Some((endpoint, id)) = new.iter().find(|(endpoint, id)| was_there(endpoint, id)) {
            return Err(Refusal::NotOurs {
                method: plan.method.clone(),
                endpoint: endpoint.clone(),
                id: id.clone(),
                why: "the step says that it makes this resource, and it may have been there before"
                    .to_owned(),
            });
        }
        for (endpoint, id) in new {
            let intent = Intent {
                number: state.next_intent,
                endpoint: endpoint.clone(),
                attribute: Some("userName".to_owned()),
                value: Some(self.masks.text(id)),
                marked: true,
                origin: plan.origin.clone(),
                time: Utc::now(),
            };
            state.next_intent += 1;
            state.ledger.intent(&intent).map_err(|error| Refusal::Ledger { why: error.to_string() })?;
            state.intents.insert(intent.number, intent.clone());
            announced.push(intent);
        }
        Ok(announced)
    }

    /// What a request said that it makes beside what it asks for is ours, once it succeeded.
    pub(super) fn settle_beside(&self, announced: &[Intent], plan: &RequestPlan, exchange: &Exchange) {
        let status = exchange.status();
        for intent in announced {
            match status {
                Some(200..=299) => {
                    let made = intent.value.as_ref().and_then(|value| {
                        plan.creates.iter().find(|(endpoint, id)| {
                            *endpoint == intent.endpoint && self.masks.text(id) == *value
                        })
                    });
                    if let Some((endpoint, id)) = made {
                        self.take(endpoint, id, &self.resource_type(endpoint), &intent.origin);
                    }
                }
                Some(400..=499) => {}
                // It may have been made all the same; the clean-up looks for it.
                _ if !exchange.answer.as_ref().is_err_and(never_left) => continue,
                _ => {}
            }
            self.close_intent(intent);
        }
    }

    pub(super) fn observe(&self, touch: &Touch, exchange: &Exchange) {
        let Some(answer) =
            exchange.json().filter(|_| exchange.status().is_some_and(|s| (200..300).contains(&s)))
        else {
            return;
        };
        // A create's answer was judged by `settle`; here it would look like a stranger.
        if !matches!(touch, Touch::Read | Touch::Search) {
            return;
        }
        let mut state = self.state();
        let endpoints = state.endpoints.clone();
        let path = exchange.request.path.split('?').next().unwrap_or_default();
        if guard::is_discovery(path) {
            return;
        }
        let names: Vec<String> = endpoints.iter().map(|(endpoint, _)| endpoint.clone()).collect();
        let pattern = guard::pattern(path, &names);
        let endpoint = pattern.trim_end_matches("/{id}").trim_end_matches("/.search").to_owned();
        let endpoint_of = |name: &str| {
            endpoints
                .iter()
                .find(|(_, resource_type)| resource_type == name)
                .map(|(endpoint, _)| endpoint.clone())
        };
        let revived = state.register.observe(&endpoint, answer, endpoint_of);
        for resource in revived {
            if let Err(error) = state.ledger.owned(&resource) {
                state.ledger_trouble.get_or_insert(error.to_string());
            }
        }
    }

    /// Decides whose the resource is that a create was answered with.
    pub(super) async fn settle(
        &self,
        intent: &Intent,
        endpoint: &str,
        moment: Moment,
        exchange: &Exchange,
        purpose: Purpose,
    ) -> (Option<Created>, Option<Arc<Exchange>>) {
        let Some(response) = exchange.response() else {
            if exchange.answer.as_ref().is_err_and(never_left) {
                self.close_intent(intent);
            }
            return (None, None);
        };
        match response.status {
            200..=299 => {}
            400..=499 => {
                self.close_intent(intent);
                return (None, None);
            }
            // After 5xx or an unfollowed 3xx there may be a resource all the same; the clean-up looks for it, if
            // there is something to look for.
            _ => {
                if intent.value.is_none() {
                    self.close_intent(intent);
                }
                return (None, None);
            }
        }
        let body = exchange.json();
        let from_location = || response.header("Location").and_then(|location| id_in(location, endpoint));
        let Some(id) = body.and_then(identifier).or_else(from_location) else {
            return (Some(Created::WithoutId), None);
        };
        self.claim(intent, endpoint, id, moment, body, response.status, purpose).await
    }

    #[expect(clippy::too_many_arguments, reason = "the evidence is what it is")]
    pub(super) async fn claim(
        &self,
        intent: &Intent,
        endpoint: &str,
        id: String,
        moment: Moment,
        body: Option<&Value>,
        status: u16,
        purpose: Purpose,
    ) -> (Option<Created>, Option<Arc<Exchange>>) {
        let (known, seen, marked) = {
            let state = self.state();
            (
                state.register.get(endpoint, &id).is_some(),
                state.register.seen_before(endpoint, &id, moment),
                body.is_some_and(|body| state.register.marks(body)),
            )
        };
        let mut read_back = None;
        let is_honest = || self.state().honest.contains(endpoint);
        let first_look = if marked && !is_honest() { Some(self.first_look.lock().await) } else { None };
        let proof = if known {
            Proof::Ours
        } else if seen {
            Proof::Foreign("a resource of this id was there before the request")
        } else if status == 200 && body.is_some_and(is_old) {
            Proof::Foreign("its meta.created lies long before the request, and the answer is 200")
        } else if marked && is_honest() {
            Proof::Ours
        } else if marked {
            // An answer may merely repeat the request. The first one at each endpoint has to be true to what a read
            // shows; a service provider that gets the id right once is trusted with it.
            read_back = self.fetch(endpoint, &id, &intent.origin, purpose).await;
            let shown = read_back.as_ref().filter(|exchange| exchange.status() == Some(200));
            match shown.and_then(|exchange| exchange.json()) {
                Some(resource) if self.state().register.marks(resource) => {
                    self.state().honest.insert(endpoint.to_owned());
                    Proof::Ours
                }
                Some(resource) if is_named(resource) => {
                    Proof::Foreign("the answer repeats the request, but a read shows another resource")
                }
                _ => Proof::Ours,
            }
        } else if intent.value.is_none() && !intent.marked {
            Proof::Missing("the request carried no mark of this run")
        } else {
            read_back = self.fetch(endpoint, &id, &intent.origin, purpose).await;
            let shown = read_back.as_ref().filter(|exchange| exchange.status() == Some(200));
            match shown.and_then(|exchange| exchange.json()) {
                Some(resource) if self.state().register.marks(resource) => Proof::Ours,
                Some(_) if intent.value.is_some() => {
                    Proof::Foreign("neither the answer nor a read of it shows what was sent")
                }
                Some(_) => Proof::Missing("neither the answer nor a read of it carries the run's mark"),
                None => Proof::Missing("the answer does not carry the run's mark, and it cannot be read"),
            }
        };
        drop(first_look);
        let created = match proof {
            Proof::Ours => {
                let resource_type = resource_type_of(body).unwrap_or_else(|| self.resource_type(endpoint));
                self.take(endpoint, &id, &resource_type, &intent.origin);
                Created::Owned { resource_type, id }
            }
            Proof::Foreign(why) => {
                self.state().disowned.push((endpoint.to_owned(), id.clone(), why.to_owned()));
                Created::Disowned { id, why: why.to_owned() }
            }
            Proof::Missing(why) => {
                self.state().unproven.push((endpoint.to_owned(), id.clone(), why.to_owned()));
                Created::Unproven { id, why: why.to_owned() }
            }
        };
        self.close_intent(intent);
        (Some(created), read_back)
    }

    /// The creates inside a Bulk request: each id is read back, since a BulkResponse shows no resource.
    pub(super) async fn settle_bulk(
        &self,
        intents: &[Intent],
        moment: Moment,
        exchange: &Exchange,
        purpose: Purpose,
    ) -> Vec<Arc<Exchange>> {
        let mut also = Vec::new();
        match exchange.response().map(|response| response.status) {
            Some(200..=299) => {}
            // Refused as a whole.
            Some(400..=499 | 501) => {
                intents.iter().for_each(|intent| self.close_intent(intent));
                return also;
            }
            Some(_) => {
                intents
                    .iter()
                    .filter(|intent| intent.value.is_none())
                    .for_each(|intent| self.close_intent(intent));
                return also;
            }
            None => {
                if exchange.answer.as_ref().is_err_and(never_left) {
                    intents.iter().for_each(|intent| self.close_intent(intent));
                }
                return also;
            }
        }
        let asked = bulk_operations(exchange.request.body.as_deref().unwrap_or_default());
        let endpoints = self.endpoint_names();
        let answered =
            exchange.json().and_then(|body| BulkResponse::from_json(body).value).unwrap_or_default();
        let in_order = asked.len() == answered.operations.len();
        let mut intents = intents.iter();
        for (index, operation) in asked.iter().enumerate() {
            let touch = classify(&operation.method, &operation.path, &endpoints);
            let named = operation.bulk_id.as_deref();
            let result = answered
                .operations
                .iter()
                .find(|result| named.is_some() && result.bulk_id.as_deref() == named)
                .or_else(|| answered.operations.get(index).filter(|_| in_order));
            match touch {
                Touch::Create { .. } => {
                    let Some(intent) = intents.next() else { break };
                    also.extend(self.settle_result(intent, result, moment, purpose).await);
                }
                Touch::Write { endpoint, id } => {
                    let is_another = result
                        .and_then(|it| it.location.as_deref())
                        .and_then(|location| id_in(location, &endpoint))
                        .is_some_and(|located| located != id);
                    let succeeded = !is_another
                        && result.and_then(|it| it.status).is_some_and(|it| (200..300).contains(&it));
                    if succeeded && operation.method.eq_ignore_ascii_case("DELETE") {
                        self.drop_owned(&endpoint, &id);
                    } else if succeeded
                        && !id.starts_with(REFERENCE)
                        && !self.state().register.owns(&endpoint, &id)
                    {
                        self.take(&endpoint, &id, &self.resource_type(&endpoint), &exchange.origin);
                    }
                }
                _ => {}
            }
        }
        also
    }

    /// What became of one create of a Bulk request. Without a result that says so, it may have been done.
    async fn settle_result(
        &self,
        intent: &Intent,
        result: Option<&BulkResult>,
        moment: Moment,
        purpose: Purpose,
    ) -> Option<Arc<Exchange>> {
        if result.and_then(|result| result.status).is_some_and(|status| (400..500).contains(&status)) {
            self.close_intent(intent);
            return None;
        }
        let location = result.and_then(|result| result.location.as_deref());
        let shown = result.and_then(|result| result.response.as_ref());
        let id = location
            .and_then(|location| id_in(location, &intent.endpoint))
            .or_else(|| shown.and_then(identifier));
        match id {
            Some(id) => self.claim(intent, &intent.endpoint, id, moment, None, 201, purpose).await.1,
            None => {
                // The clean-up looks for it, if there is something to look for.
                if intent.value.is_none() {
                    self.close_intent(intent);
                }
                None
            }
        }
    }

    /// Notes what an allowed write did to what is ours.
    pub(super) fn note_write(&self, endpoint: &str, id: &str, exchange: &Exchange) {
        if !exchange.status().is_some_and(|status| (200..300).contains(&status)) {
            return;
        }
        if exchange.request.method.eq_ignore_ascii_case("DELETE") {
            self.drop_owned(endpoint, id);
            return;
        }
        let body = exchange.json();
        let owns = self.state().register.owns(endpoint, id);
        let answered = body.and_then(identifier);
        let resource_type = || resource_type_of(body).unwrap_or_else(|| self.resource_type(endpoint));
        // A write to an id that never existed has made the resource.
        if !owns && answered.as_deref().is_none_or(|answered| answered == id) {
            self.take(endpoint, id, &resource_type(), &exchange.origin);
        }
        // Some service providers derive the id from a name, so that it changes with it.
        if let Some(answered) = answered.filter(|answered| answered != id) {
            let (marked, foreign) = {
                let state = self.state();
                (
                    body.is_some_and(|body| state.register.marks(body)),
                    state.register.is_foreign(Some(endpoint), &answered),
                )
            };
            if marked && !foreign {
                self.take(endpoint, &answered, &resource_type(), &exchange.origin);
            }
        }
    }

    /// Enters a resource as ours.
    pub(super) fn take(&self, endpoint: &str, id: &str, resource_type: &str, origin: &str) {
        let resource = OwnedResource {
            endpoint: endpoint.to_owned(),
            id: id.to_owned(),
            resource_type: resource_type.to_owned(),
            origin: origin.to_owned(),
        };
        let mut state = self.state();
        if let Err(error) = state.ledger.owned(&resource) {
            state.ledger_trouble.get_or_insert(error.to_string());
        }
        state.register.own(resource);
    }

    /// Enters a resource of ours as gone.
    pub(super) fn drop_owned(&self, endpoint: &str, id: &str) {
        let mut state = self.state();
        if state.register.gone(endpoint, id)
            && let Err(error) = state.ledger.deleted(endpoint, id)
        {
            state.ledger_trouble.get_or_insert(error.to_string());
        }
    }

    /// The outcome of a create is known.
    pub(super) fn close_intent(&self, intent: &Intent) {
        let mut state = self.state();
        state.intents.shift_remove(&intent.number);
        if let Err(error) = state.ledger.settled(intent.number) {
            state.ledger_trouble.get_or_insert(error.to_string());
        }
    }
}

/// Whether the request certainly never reached the service provider.
pub(super) fn never_left(failure: &super::exchange::TransportFailure) -> bool {
    use super::exchange::TransportFailure as Failure;
    matches!(
        failure,
        Failure::NotSent { .. }
            | Failure::NoToken { .. }
            | Failure::Resolve { .. }
            | Failure::Connect { .. }
            | Failure::Tls { .. }
    )
}

fn resource_type_of(body: Option<&Value>) -> Option<String> {
    body?.pointer("/meta/resourceType")?.as_str().filter(|name| !name.is_empty()).map(str::to_owned)
}

/// Whether the resource has a name by which somebody could tell whose it is.
fn is_named(resource: &Value) -> bool {
    ["userName", "displayName"].iter().any(|name| resource.get(name).is_some_and(Value::is_string))
}

/// Whether a resource says that it was created long ago. Dates before 2000 are no dates but a store's zero.
fn is_old(resource: &Value) -> bool {
    let created = resource.pointer("/meta/created").and_then(Value::as_str);
    created.and_then(|text| DateTime::parse_from_rfc3339(text).ok()).is_some_and(|created| {
        let created = created.with_timezone(&Utc);
        created > DateTime::UNIX_EPOCH + TimeDelta::days(365 * 30) && Utc::now() - created > OLD
    })
}

/// The id at the end of a location, if it is one of that endpoint's.
pub(crate) fn id_in(location: &str, endpoint: &str) -> Option<String> {
    let path = location.split(['?', '#']).next()?.trim_end_matches('/');
    let (before, id) = path.rsplit_once('/')?;
    let fits = before.to_ascii_lowercase().ends_with(&endpoint.trim_end_matches('/').to_ascii_lowercase());
    (fits && !id.is_empty()).then(|| percent_decode_str(id).decode_utf8_lossy().into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn an_id_is_read_from_a_location() {
        for (location, id) in [
            ("https://h/scim/v2/Users/42", Some("42")),
            ("/scim/v2/users/a%20b/", Some("a b")),
            ("https://h/scim/v2/Groups/42", None),
            ("https://h/scim/v2/Users", None),
            ("", None),
        ] {
            assert_eq!(id_in(location, "/Users").as_deref(), id, "{location}");
        }
    }

    #[test]
    fn old_is_what_no_clock_explains() {
        let created = |text: &str| json!({"meta": {"created": text}});
        assert!(is_old(&created("2011-05-13T04:42:34Z")));
        assert!(!is_old(&created(&Utc::now().to_rfc3339())));
        assert!(!is_old(&created(&(Utc::now() - TimeDelta::hours(14)).to_rfc3339())));
        assert!(!is_old(&created("0001-01-01T00:00:00Z")));
        assert!(!is_old(&created("yesterday")));
        assert!(!is_old(&json!({})));
    }
}
