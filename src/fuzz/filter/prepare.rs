//! What comes before the first filter: resources, whether they can be filtered and listed at all, and the dialect.

use serde_json::Value;

use super::ask::{Answer, Way, ask};
use super::hunt::{FOR_SHRINKING, Field, Hunt};
use super::terms::terms;
use super::{Fuzz, FuzzError};
use crate::fuzz::Ended;
use crate::fuzz::dataset::{BESIDE, BY_BULK, DataSet, ONE_BY_ONE, Row};
use crate::oracle::calibrate;
use crate::oracle::world::{Knob, Worlds};
use crate::scim::definition::ResourceDefinition;
use crate::scim::filter::Filter;
use crate::scim::resource::{elements, get, is_unassigned};
use crate::scim::schema::{AttributeType, Mutability, Returned};
use crate::suite::model::{Capability, Requires};
use crate::target::probe;

/// So many resources of others are judged by what they show; with more of them, filters are narrowed to ours.
const STRANGERS: u64 = 100;
/// The requests that making and reading resources takes beside one for each.
const AROUND: u64 = 8;

impl Hunt<'_> {
    /// Makes the resources: of users, and beside them of groups, or of whatever type the service provider has.
    pub(super) async fn prepare(&mut self) -> Result<(), FuzzError> {
        let Fuzz { target, probe, saved, .. } = self.fuzz;
        for kind in self.fuzz.kinds() {
            if self.fields.len() == 1 && (!self.may_search() || self.course.ended.is_some()) {
                break;
            }
            let Some(definition) = probe.schemas.definition(&kind.name) else { continue };
            self.tell(&format!("making resources at {}", definition.endpoint));
            let size = match (self.fields.is_empty(), target.bulk().is_some()) {
                (true, true) => BY_BULK,
                (true, false) => ONE_BY_ONE,
                (false, true) => BESIDE,
                (false, false) => BESIDE / 2,
            };
            // What is made has to be deleted, one by one if need be.
            let affordable = |size: &usize| target.can_spare(2 * *size as u64 + AROUND);
            let Some(size) =
                [size, BESIDE, BESIDE / 2, BESIDE / 4].into_iter().filter(|it| *it <= size).find(affordable)
            else {
                if self.fields.is_empty() {
                    self.notes.push(
                        "the budget of requests allows no resources to filter: --requests 200 is a beginning"
                            .to_owned(),
                    );
                    self.course.ended = Some(Ended::BudgetSpent);
                }
                break;
            };
            let members = self.fields.first().map(|field| field.set.rows.clone()).unwrap_or_default();
            let endpoint = definition.endpoint.trim_end_matches('/');
            let also: Vec<Value> = saved
                .iter()
                .filter(|case| case.endpoint == endpoint)
                .flat_map(|case| case.resources.iter().map(|(_, resource)| resource.clone()))
                .collect();
            let mut dice = self.dice(&format!("data {}", kind.name));
            match self.maker().make(&definition, size, &members, also, &mut dice).await {
                Ok(set) => {
                    let field = self.field(set);
                    self.fields.push(field);
                }
                Err(_) if target.interrupted() => self.course.ended = Some(Ended::Interrupted),
                Err(error) if self.fields.is_empty() && !target.can_spare(FOR_SHRINKING) => {
                    self.notes.push(error.to_string());
                    self.course.ended = Some(Ended::BudgetSpent);
                }
                Err(error) if self.fields.is_empty() && probe.schemas.resource_types.len() == 1 => {
                    return Err(error.into());
                }
                Err(error) => self.notes.push(error.to_string()),
            }
            if self.course.ended.is_some() {
                return Ok(());
            }
        }
        if self.fields.is_empty() {
            return if self.course.ended.is_some() { Ok(()) } else { Err(FuzzError::NoResources) };
        }
        // Who is in a group shows it.
        if self.fields.len() > 1 {
            let mut set = self.fields[0].set.clone();
            self.maker().refresh(&mut set).await;
            if let Some(definition) = probe.schemas.definition(&set.definition.name) {
                set.definition = definition;
            }
            self.fields[0] = self.field(set);
        }
        self.filters_there().await?;
        self.pages_there().await;
        Ok(())
    }

    /// Whether all of what is there can be seen page by page; where it cannot, `.search` may do better.
    async fn pages_there(&mut self) {
        let target = self.fuzz.target;
        for field in &mut self.fields {
            let Some(name) = field.terms.first().map(|term| term.path.clone()) else { continue };
            if !target.can_spare(FOR_SHRINKING) {
                return;
            }
            let text = Filter::Present(name).to_string();
            let text = field
                .narrowing
                .as_ref()
                .map_or(text.clone(), |narrowing| format!("{narrowing} and ({text})"));
            let reason = "see whether all pages can be read";
            let asked = ask(target, &field.set.endpoint, &text, Way::Get, reason).await;
            let Answer::List(found) = asked.answer else { continue };
            if !found.pages_repeat {
                continue;
            }
            let asked = ask(target, &field.set.endpoint, &text, Way::Search, reason).await;
            let endpoint = &field.set.endpoint;
            if matches!(&asked.answer, Answer::List(found) if found.is_complete) {
                field.way = Way::Search;
                self.notes.push(format!("the pages of GET {endpoint} repeat what was shown before, so filters were sent to {endpoint}/.search"));
            } else {
                self.notes.push(format!("the pages of GET {endpoint} repeat what was shown before, so nothing is said of what longer lists miss"));
            }
        }
    }

    fn field(&self, mut set: DataSet) -> Field {
        let states = set.states();
        keep_back_unshown(&mut set.definition, &states);
        let mut worlds = Worlds::all();
        let told = |row: &Row| shows_assumed_primary(&set.definition, &row.sent, &row.state);
        if let Some(is_shown) = set.rows.iter().filter_map(told).max() {
            worlds.settle(Knob::AssumedPrimaryIsShown, is_shown);
        }
        let strangers = self.strangers(&set);
        let narrowing = (strangers > STRANGERS).then(|| {
            let name = if set.definition.name == "User" { "userName" } else { "displayName" };
            format!("{name} sw {}", Value::from(set.word.as_str()))
        });
        Field {
            terms: terms(&set.definition, &states),
            worlds,
            batches: set.is_sliced(),
            misfires: 0,
            narrowing,
            way: Way::Get,
            right: Vec::new(),
            set,
        }
    }

    /// How many resources of others there are, as the probe was told.
    fn strangers(&self, set: &DataSet) -> u64 {
        let exchanges = self.fuzz.target.exchanges();
        let mut totals = exchanges
            .iter()
            .rev()
            .filter(|it| {
                it.origin == probe::ORIGIN
                    && it.request.method == "GET"
                    && it.request.endpoint == set.endpoint
            })
            .filter_map(|it| get(it.json()?, "totalResults")?.as_u64());
        totals.next().unwrap_or(0)
    }

    /// Whether there are filters at all: one that is not said to have them may refuse them.
    async fn filters_there(&mut self) -> Result<(), FuzzError> {
        let Err(evidence) = self.fuzz.probe.capabilities.check(&Requires::Capability(Capability::Filter))
        else {
            return Ok(());
        };
        let Some(field) = self.fields.first() else { return Ok(()) };
        let Some(text) = field.set.slice_filter(0) else { return Ok(()) };
        let asked =
            ask(self.fuzz.target, &field.set.endpoint, &text, Way::Get, "see whether there are filters")
                .await;
        match asked.answer {
            Answer::Refused { status, .. } => {
                Err(FuzzError::NoFilters(format!("{evidence}, and a filter is answered with {status}")))
            }
            _ => Ok(()),
        }
    }

    /// Settles the dialect by a few probes. What contradicts every reading is hunted down as any other finding.
    pub(super) async fn calibrate(&mut self, field: usize) {
        let Field { set, .. } = &self.fields[field];
        let known: Vec<(String, Value)> =
            set.rows.iter().map(|row| (row.id.clone(), row.state.clone())).collect();
        let known: Vec<(&str, &Value)> = known.iter().map(|(id, state)| (id.as_str(), state)).collect();
        let probes = calibrate::probes(&set.definition, &known);
        for probe in probes {
            if !self.goes_on() {
                return;
            }
            let text = probe.filter.to_string();
            self.tell("settling the dialect");
            let asked =
                self.ask_all(field, std::slice::from_ref(&text), Way::Get, "settle the dialect").await;
            for asked in asked {
                self.heed(&asked);
                let Answer::List(found) = &asked.answer else { continue };
                if !found.is_complete {
                    continue;
                }
                let ids = found
                    .ids()
                    .filter_map(|id| known.iter().find(|(known, _)| known.eq_ignore_ascii_case(id)));
                let ids = ids.map(|(id, _)| *id).collect();
                let Field { set, worlds, .. } = &mut self.fields[field];
                // What contradicts all readings is found by the sweep, too, and one comparison at a time.
                if worlds.observe(&probe.filter, &set.definition, &known, &ids).is_err() {
                    self.notes.push(format!(
                        "a probe of the dialect at {} was answered as no reading of the RFCs has it; what it asks stays open",
                        set.endpoint
                    ));
                }
            }
        }
    }
}

/// Takes what only the service provider writes and no resource shows as shown on request: it may be there all the same
/// (AMB-34), so that nothing is said of a filter by it.
fn keep_back_unshown(definition: &mut ResourceDefinition, states: &[Value]) {
    for attribute in &mut definition.schema.attributes {
        let is_shown = states
            .iter()
            .filter_map(|state| get(state, &attribute.name))
            .any(|value| elements(value).iter().any(|element| !is_unassigned(element)));
        if attribute.mutability == Mutability::ReadOnly
            && attribute.returned == Returned::Default
            && !is_shown
        {
            attribute.returned = Returned::Request;
        }
    }
}

/// Whether a `primary` that was not sent is shown as false; none where the resource does not tell.
fn shows_assumed_primary(definition: &ResourceDefinition, sent: &Value, shown: &Value) -> Option<bool> {
    let mut told = None;
    for attribute in definition.schema.attributes.iter().filter(|it| it.multi_valued) {
        let has_primary =
            attribute.sub_attribute("primary").is_some_and(|it| it.kind == AttributeType::Boolean);
        let (Some(sent), Some(shown)) = (get(sent, &attribute.name), get(shown, &attribute.name)) else {
            continue;
        };
        let (sent, shown) = (elements(sent), elements(shown));
        if !has_primary || sent.len() != shown.len() {
            continue;
        }
        for (sent, shown) in sent.iter().zip(shown) {
            match (get(sent, "primary"), get(shown, "primary")) {
                (None, Some(Value::Bool(false))) => return Some(true),
                (None, None) => told = Some(false),
                _ => {}
            }
        }
    }
    told
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::oracle::world::Truth;
    use crate::scim::schema::SchemaSet;

    fn user() -> ResourceDefinition {
        SchemaSet::core().definition("User").unwrap()
    }

    #[test]
    fn nothing_is_said_of_groups_that_nobody_shows() {
        let present = Filter::parse("groups pr").unwrap();
        let truth =
            |definition: &ResourceDefinition, state: &Value| Worlds::all().truth(&present, state, definition);
        let (without, with) = (json!({"id": "1"}), json!({"id": "2", "groups": [{"value": "g"}]}));
        let mut never_shown = user();
        keep_back_unshown(&mut never_shown, std::slice::from_ref(&without));
        assert_eq!(truth(&never_shown, &without), Truth::Open);
        assert!(
            terms(&never_shown, std::slice::from_ref(&without)).iter().all(|term| term.path.name != "groups")
        );
        let mut shown = user();
        keep_back_unshown(&mut shown, &[without.clone(), with.clone()]);
        assert_eq!(truth(&shown, &without), Truth::MustNot);
        assert_eq!(truth(&shown, &with), Truth::Must);
    }

    #[test]
    fn what_was_sent_tells_whether_an_assumed_primary_is_shown() {
        let of = |sent: Value, shown: Value| {
            shows_assumed_primary(&user(), &json!({"emails": sent}), &json!({"emails": shown}))
        };
        let silent = || json!([{"value": "a"}]);
        assert_eq!(of(silent(), silent()), Some(false));
        assert_eq!(of(silent(), json!([{"value": "a", "primary": false}])), Some(true));
        assert_eq!(of(silent(), json!([{"value": "a", "primary": true}])), None);
        let said = || json!([{"value": "a", "primary": false}]);
        assert_eq!(of(said(), said()), None);
        assert_eq!(of(json!([{"value": "a"}, {"value": "b"}]), silent()), None);
    }
}
