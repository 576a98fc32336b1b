//! The resources that are fuzzed over: made once, together where Bulk works, and read back. Only what was read counts, so
//! that defaults, canonical forms and dropped attributes raise no alarm.
//!
//! Everything passes the target's guard and stands in its ledger: what is made here goes when the run ends.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::ORIGIN;
use super::dice::Dice;
use super::strategy::data::{self, Oddity, marked};
use crate::oracle::population::{SLICES, tag};
use crate::run::Templates;
use crate::scim::definition::ResourceDefinition;
use crate::scim::path::AttributePath;
use crate::scim::resource::get;
use crate::scim::schema::SchemaSet;
use crate::suite::fresh::Generator;
use crate::target::batch::WORTH;
use crate::target::exchange::Exchange;
use crate::target::request::Created;
use crate::target::{RequestPlan, Target, needs, resource_path};

/// How many resources there are where Bulk makes them.
pub const BY_BULK: usize = 48;
/// How many where each costs a request.
pub const ONE_BY_ONE: usize = 16;
/// How many of a type that is filtered beside the first one.
pub const BESIDE: usize = 16;
/// With fewer than these nothing can be told apart.
const LEAST: usize = 4;

/// A resource of ours.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    /// Its id.
    pub id: String,
    /// What it was last read to be; null once it is gone.
    pub state: Value,
    /// What was sent, with [`data::MARK`] in the place of the run's mark.
    pub sent: Value,
    /// Its slice, where it has one.
    pub slice: usize,
}

/// The resources of one type.
#[derive(Debug, Clone)]
pub struct DataSet {
    /// The type.
    pub definition: ResourceDefinition,
    /// Where they are.
    pub endpoint: String,
    /// The resources.
    pub rows: Vec<Row>,
    /// The mark that stands in them: the run's, and what makes these unlike others of the run.
    pub word: String,
}

/// Why there is nothing to fuzz over.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("only {made} of {wanted} resources could be created at {endpoint}: {why}")]
pub struct TooFew {
    /// Where.
    pub endpoint: String,
    /// How many there are.
    pub made: usize,
    /// How many there should be.
    pub wanted: usize,
    /// What the last refusal was.
    pub why: String,
}

/// What makes resources.
#[derive(Debug, Clone, Copy)]
pub struct Maker<'a> {
    /// The client.
    pub target: &'a Target,
    /// The service provider's schemas.
    pub schemas: &'a SchemaSet,
    /// The maker of fresh values.
    pub generator: &'a Generator,
    /// What the operator puts under every resource of a type.
    pub templates: &'a Templates,
}

/// A resource that was made.
struct Made {
    id: String,
    state: Option<Value>,
    sent: Value,
    slice: usize,
}

impl Maker<'_> {
    /// Makes the resources of a type, and reads them back. `members` are resources that those of this type may refer to.
    ///
    /// # Errors
    /// If there are too few of them.
    pub async fn make(
        &self,
        definition: &ResourceDefinition,
        size: usize,
        members: &[Row],
        also: Vec<Value>,
        dice: &mut Dice,
    ) -> Result<DataSet, TooFew> {
        let strategy = |oddity| data::resources(definition, size, self.generator.domain(), oddity);
        let mut wanted = dice.draw(&strategy(Oddity::Odd)).unwrap_or_default();
        self.give_members(definition, &mut wanted, members, dice);
        let saved = also.len();
        wanted.splice(0..0, also);
        let word = self.generator.mark().to_owned();
        let endpoint = definition.endpoint.trim_end_matches('/').to_owned();
        let mut set =
            DataSet { definition: definition.clone(), endpoint, rows: Vec::new(), word: word.clone() };
        let mut why = String::new();
        self.fill_up(&mut set, &wanted, saved, &mut why).await;
        if set.rows.len() < wanted.len() / 2 && !self.target.interrupted() {
            // Odd texts may be refused for good reasons.
            let mut tame = dice.draw(&strategy(Oddity::Tame)).unwrap_or_default();
            self.give_members(definition, &mut tame, members, dice);
            for resource in &mut tame {
                *resource = marked(resource, &format!("{}t", data::MARK));
            }
            self.fill_up(&mut set, &tame, 0, &mut why).await;
        }
        if set.rows.len() < LEAST.min(size) {
            return Err(TooFew { endpoint: set.endpoint, made: set.rows.len(), wanted: wanted.len(), why });
        }
        Ok(set)
    }

    /// Copies of resources with another mark, one request each, read back by themselves. Of what these were made with,
    /// `keeps` says which attributes the copies have, beside what is required.
    pub async fn copies(
        &self,
        of: &DataSet,
        rows: &[&Row],
        word: &str,
        keeps: &dyn Fn(&str) -> bool,
    ) -> Option<DataSet> {
        let mut set = DataSet { rows: Vec::new(), word: word.to_owned(), ..of.clone() };
        for row in rows {
            let sent = reduced(&row.sent, &of.definition, keeps);
            let made = self.post(&set, &sent, row.slice, &mut String::new()).await?;
            let state = self.read(&set.endpoint, &made.id).await?;
            set.rows.push(Row { id: made.id, state, sent: made.sent, slice: made.slice });
        }
        Some(set)
    }

    /// Gives groups some members, of which each refers to a resource of ours.
    fn give_members(
        &self,
        definition: &ResourceDefinition,
        wanted: &mut [Value],
        members: &[Row],
        dice: &mut Dice,
    ) {
        if members.is_empty() || definition.attribute(&AttributePath::of("members")).is_none() {
            return;
        }
        for (index, resource) in wanted.iter_mut().enumerate() {
            let some: Vec<Value> = (0..index % 4)
                .filter_map(|_| dice.pick(members))
                .map(|row| json!({"value": row.id}))
                .collect();
            if let Some(object) = resource.as_object_mut().filter(|_| !some.is_empty()) {
                let mut unique: Vec<Value> = Vec::new();
                some.into_iter().for_each(|one| {
                    if !unique.contains(&one) {
                        unique.push(one);
                    }
                });
                object.insert("members".to_owned(), Value::Array(unique));
            }
        }
    }

    async fn fill_up(&self, set: &mut DataSet, wanted: &[Value], saved: usize, why: &mut String) {
        let bodies: Vec<Value> = wanted.iter().map(|resource| self.body(set, resource)).collect();
        let slice = |index: usize| index.saturating_sub(saved) % SLICES;
        let mut made: Vec<Made> = Vec::new();
        let mut rest: Vec<usize> = (0..wanted.len()).collect();
        if self.target.bulk().is_some() && wanted.len() >= WORTH {
            let resources: Vec<(String, Value)> =
                bodies.iter().map(|body| (set.endpoint.clone(), body.clone())).collect();
            let grown = self.target.plant(&resources, ORIGIN).await.unwrap_or_default();
            rest.clear();
            for (index, grown) in
                grown.into_iter().chain(std::iter::repeat(None)).take(wanted.len()).enumerate()
            {
                match grown {
                    Some(grown) => made.push(Made {
                        id: grown.id,
                        state: Some(grown.state),
                        sent: wanted[index].clone(),
                        slice: slice(index),
                    }),
                    None => rest.push(index),
                }
            }
            if made.len() >= wanted.len() / 2 {
                rest.clear();
            }
        }
        // Where each costs a request, fewer have to do.
        rest.truncate(ONE_BY_ONE + saved);
        for index in rest {
            if let Some(one) = self.post(set, &wanted[index], slice(index), why).await {
                made.push(one);
            } else if self.target.interrupted() || (made.is_empty() && index >= LEAST) {
                break;
            }
        }
        self.read_back(set, made).await;
    }

    /// The resource as it is sent.
    fn body(&self, set: &DataSet, resource: &Value) -> Value {
        let template = match set.definition.name.as_str() {
            "User" => &self.templates.user,
            "Group" => &self.templates.group,
            _ => &Value::Null,
        };
        needs::fill(marked(resource, &set.word), &set.definition, template, self.generator)
    }

    async fn post(&self, set: &DataSet, resource: &Value, slice: usize, why: &mut String) -> Option<Made> {
        let body = self.body(set, resource);
        let mut plan = RequestPlan::new("POST", set.endpoint.as_str(), ORIGIN).json(&body);
        plan.reason = Some("make a resource to filter".to_owned());
        let sent = match self.target.send(plan).await {
            Ok(sent) => sent,
            Err(refusal) => {
                *why = refusal.to_string();
                return None;
            }
        };
        match &sent.created {
            Some(Created::Owned { id, .. }) => {
                Some(Made { id: id.clone(), state: None, sent: resource.clone(), slice })
            }
            _ => {
                *why = match (
                    &sent.exchange.answer,
                    sent.exchange.json().and_then(|body| get(body, "detail")),
                ) {
                    (Err(failure), _) => failure.to_string(),
                    (Ok(response), Some(detail)) => format!("answered {}: {detail}", response.status),
                    (Ok(response), None) => format!("answered {}", response.status),
                };
                None
            }
        }
    }

    /// Reads what was made: together where a list shows it, else one by one.
    async fn read_back(&self, set: &mut DataSet, made: Vec<Made>) {
        let unread: Vec<&str> =
            made.iter().filter(|one| one.state.is_none()).map(|one| one.id.as_str()).collect();
        let mut rows = if unread.len() > 1 {
            self.target.survey(&set.endpoint, &unread, self.generator.mark(), ORIGIN).await.rows
        } else {
            BTreeMap::new()
        };
        for Made { id, state, sent, slice } in made {
            let listed = rows.remove(&id).map(|(_, row)| row);
            let state = match state.or(listed) {
                Some(state) => Some(state),
                None => self.read(&set.endpoint, &id).await,
            };
            if let Some(state) = state {
                set.rows.push(Row { id, state, sent, slice });
            }
        }
    }

    /// Reads all of them again, in one list where that shows them: what was made since may show in them.
    pub async fn refresh(&self, set: &mut DataSet) {
        let ids: Vec<&str> = set.rows.iter().map(|row| row.id.as_str()).collect();
        let mut rows = self.target.survey(&set.endpoint, &ids, self.generator.mark(), ORIGIN).await.rows;
        for row in &mut set.rows {
            if let Some((_, state)) = rows.remove(&row.id) {
                row.state = state;
            }
        }
    }

    /// What a resource is now.
    pub async fn read(&self, endpoint: &str, id: &str) -> Option<Value> {
        let mut plan = RequestPlan::get(resource_path(endpoint, id), ORIGIN);
        plan.reason = Some("read what is going to be filtered".to_owned());
        let sent = self.target.send(plan).await.ok()?;
        Exchange::json(&sent.exchange).filter(|_| sent.exchange.status() == Some(200)).cloned()
    }

    /// What a resource is now: null where it is not there any more, and nothing where that is not said.
    pub async fn now(&self, endpoint: &str, id: &str) -> Option<Value> {
        let mut plan = RequestPlan::get(resource_path(endpoint, id), ORIGIN);
        plan.reason = Some("see whether it is still what it was".to_owned());
        let sent = self.target.send(plan).await.ok()?;
        match sent.exchange.status() {
            Some(200) => Exchange::json(&sent.exchange).cloned(),
            Some(404 | 410) => Some(Value::Null),
            _ => None,
        }
    }
}

/// A resource with these attributes only, and what is required.
fn reduced(resource: &Value, definition: &ResourceDefinition, keeps: &dyn Fn(&str) -> bool) -> Value {
    let mut resource = resource.clone();
    let Some(members) = resource.as_object_mut() else { return resource };
    members.retain(|name, _| {
        let is_required = definition.top_attribute(name).is_some_and(|attribute| attribute.required);
        let is_extension = definition.extension(name).is_some();
        name == "schemas" || is_required || is_extension || keeps(name)
    });
    for extension in &definition.extensions {
        let urn = &extension.schema.id;
        if let Some(container) = members.get_mut(urn).and_then(Value::as_object_mut) {
            container.retain(|name, _| {
                let is_required =
                    extension.schema.attribute(name).is_some_and(|attribute| attribute.required);
                is_required || keeps(name)
            });
        }
    }
    let is_hollow = |value: &Value| value.as_object().is_some_and(serde_json::Map::is_empty);
    let hollow: Vec<String> =
        members.iter().filter(|(_, value)| is_hollow(value)).map(|(name, _)| name.clone()).collect();
    members.retain(|name, _| !hollow.contains(name));
    if let Some(urns) = members.get_mut("schemas").and_then(Value::as_array_mut) {
        urns.retain(|urn| !hollow.iter().any(|it| urn == it.as_str()));
    }
    resource
}

impl DataSet {
    /// The states of all resources.
    pub fn states(&self) -> Vec<Value> {
        self.rows.iter().map(|row| row.state.clone()).collect()
    }

    /// The resource of that id.
    pub fn row(&self, id: &str) -> Option<&Row> {
        self.rows.iter().find(|row| row.id.eq_ignore_ascii_case(id))
    }

    /// The filter that finds one slice alone, if the resources carry one.
    pub fn slice_filter(&self, slice: usize) -> Option<String> {
        let tag = tag(&self.definition).map(|attribute| attribute.name.clone());
        match tag {
            Some(name) => {
                let value = marked(&data::slice(slice).into(), &self.word);
                Some(format!("{name} eq {value}"))
            }
            // What has no tag is told apart by its id, where there is one of each slice.
            None => {
                let mut ids = self.rows.iter().filter(|row| row.slice == slice).map(|row| row.id.as_str());
                let (id, more) = (ids.next()?, ids.next());
                more.is_none().then(|| format!("id eq {}", Value::from(id)))
            }
        }
    }

    /// Whether each resource shows the slice that it was sent with.
    pub fn is_sliced(&self) -> bool {
        let Some(tag) = tag(&self.definition).map(|attribute| attribute.name.clone()) else {
            return (0..SLICES).all(|slice| self.rows.iter().filter(|row| row.slice == slice).count() <= 1);
        };
        self.rows.iter().all(|row| {
            let wanted = marked(&data::slice(row.slice).into(), &self.word);
            get(&row.state, &tag) == Some(&wanted)
        })
    }

    /// A name for people: the userName, the displayName, or the id.
    pub fn label(&self, row: &Row) -> String {
        ["userName", "displayName"]
            .iter()
            .find_map(|name| Some(format!("{name} {}", get(&row.state, name)?)))
            .unwrap_or_else(|| format!("id \"{}\"", row.id))
    }
}
