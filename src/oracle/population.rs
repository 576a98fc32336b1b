//! A population: resources whose state is known from reading them, and what a list of them has to hold.
//!
//! [`design`] makes resources that tell right from wrong; a [`Population`] holds what was *read back*, never what was
//! sent, so that defaults, canonicalised values and dropped attributes raise no alarm. Rows of others are judged by
//! what they show themselves.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::truth::{self, Explanation};
use super::world::{Truth, World, Worlds};
use crate::scim::definition::ResourceDefinition;
use crate::scim::filter::Filter;
use crate::scim::list::ListResponse;
use crate::scim::resource::get;
use crate::scim::schema::{Attribute, AttributeType, Mutability, Returned, Uniqueness};

/// How many slices a designed population has: so many filters fit in one query.
pub const SLICES: usize = 16;

/// Resources of one type with their last known state.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Population {
    known: BTreeMap<String, Value>,
}

/// A list as an answer gives it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Listing<'a> {
    /// The rows.
    pub rows: &'a [Value],
    /// Whether this is all that matches, and no page of it.
    pub is_complete: bool,
    /// Whether the query asked for some attributes only, so that others may be absent.
    pub is_projected: bool,
}

impl<'a> Listing<'a> {
    /// The rows of an answer. It is complete if it says so: as many rows as `totalResults`, from the first on.
    pub fn of(list: &'a ListResponse, is_projected: bool) -> Listing<'a> {
        let has_cursor = list.next_cursor.is_some() || list.previous_cursor.is_some();
        let is_whole = list.total_results == Some(list.resources.len() as u64);
        let is_first = list.start_index.is_none_or(|start| start <= 1);
        Listing { rows: &list.resources, is_complete: is_whole && is_first && !has_cursor, is_projected }
    }
}

/// One thing that is wrong with a list.
#[derive(Debug, Clone, PartialEq)]
pub enum ListDeparture {
    /// A resource that must match is not there.
    Missing {
        /// Its id.
        id: String,
        /// Why it matches.
        explanation: Explanation,
    },
    /// A row that must not match is there.
    Surplus {
        /// Its index.
        index: usize,
        /// Its id, if it shows one.
        id: Option<String>,
        /// Whether it is of the population.
        is_known: bool,
        /// Why it does not match.
        explanation: Explanation,
    },
    /// A resource stands in the list more than once.
    Repeated {
        /// Its id.
        id: String,
    },
}

/// What a list came to.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Judged {
    /// What is wrong.
    pub departures: Vec<ListDeparture>,
    /// How many rows there was something to say about.
    pub decided: usize,
    /// How many known resources must match.
    pub awaited: usize,
}

impl Population {
    /// Nothing known yet.
    pub fn new() -> Population {
        Population::default()
    }

    /// Takes note of what a resource was read to be.
    pub fn read_back(&mut self, id: impl Into<String>, state: Value) {
        self.known.insert(id.into(), state);
    }

    /// Forgets a resource: it was written, or is gone.
    pub fn forget(&mut self, id: &str) {
        self.known.remove(id);
    }

    /// The last known state of a resource.
    pub fn state(&self, id: &str) -> Option<&Value> {
        self.known.get(id)
    }

    /// All resources with their ids.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Value)> {
        self.known.iter().map(|(id, state)| (id.as_str(), state))
    }

    /// How many resources are known.
    pub fn len(&self) -> usize {
        self.known.len()
    }

    /// Whether none is known.
    pub fn is_empty(&self) -> bool {
        self.known.is_empty()
    }

    /// Judges a list by the filter that was asked for. `definition_of` gives the definition of a row or a known
    /// resource; what has none is not judged.
    pub fn judge_list<'d>(
        &self,
        listing: &Listing<'_>,
        filter: &Filter,
        worlds: &Worlds,
        definition_of: impl Fn(&Value) -> Option<&'d ResourceDefinition>,
    ) -> Judged {
        let mut judged = Judged::default();
        let truth_of = |resource: &Value| {
            definition_of(resource).map_or(Truth::Open, |it| worlds.truth(filter, resource, it))
        };
        let explained =
            |resource: &Value, definition| truth::explain(filter, resource, definition, World::CONVENTIONAL);
        let ids: Vec<Option<&str>> =
            listing.rows.iter().map(|row| get(row, "id").and_then(Value::as_str)).collect();
        for (index, (row, id)) in listing.rows.iter().zip(&ids).enumerate() {
            let known = id.and_then(|id| self.state(id));
            if let Some(id) = id.filter(|id| ids[..index].contains(&Some(id))) {
                judged.departures.push(ListDeparture::Repeated { id: id.to_owned() });
                continue;
            }
            // What a projection leaves out may still be known.
            let Some(state) = (if listing.is_projected { known } else { Some(row) }) else { continue };
            let truth = truth_of(state);
            judged.decided += usize::from(truth != Truth::Open);
            if truth == Truth::MustNot
                && let Some(definition) = definition_of(state)
            {
                judged.departures.push(ListDeparture::Surplus {
                    index,
                    id: id.map(str::to_owned),
                    is_known: known.is_some(),
                    explanation: explained(state, definition),
                });
            }
        }
        if !listing.is_complete {
            return judged;
        }
        for (id, state) in self.iter().filter(|(_, state)| truth_of(state) == Truth::Must) {
            judged.awaited += 1;
            let is_there = ids.iter().flatten().any(|found| found.eq_ignore_ascii_case(id));
            if !is_there && let Some(definition) = definition_of(state) {
                let explanation = explained(state, definition);
                judged.departures.push(ListDeparture::Missing { id: id.to_owned(), explanation });
            }
        }
        judged
    }
}

/// Resources to create, unlike everybody else's by the run's mark: of each attribute some have no value, some have
/// several, and values differ in the case of letters, in quotes, wildcards and letters beyond ASCII.
///
/// Only what a client writes and reads freely is set; references to other resources, secrets and binary values are
/// left out. `domain` is that of user names and addresses.
pub fn design(definition: &ResourceDefinition, mark: &str, domain: &str, size: usize) -> Vec<Value> {
    let tag = tag(definition).map(|attribute| attribute.name.clone());
    (0..size)
        .map(|index| {
            let maker = Maker { mark, domain, index };
            let mut resource = Map::new();
            let mut urns = vec![Value::from(definition.schema.id.as_str())];
            let attributes = definition.top_attributes().filter(|it| it.name != "schemas");
            for (position, attribute) in attributes.enumerate() {
                if tag.as_ref() == Some(&attribute.name) {
                    resource.insert(attribute.name.clone(), slice(index, mark).into());
                } else if let Some(value) = maker.attribute(attribute, position) {
                    resource.insert(attribute.name.clone(), value);
                }
            }
            for extension in &definition.extensions {
                let mut container = Map::new();
                for (position, attribute) in extension.schema.attributes.iter().enumerate() {
                    if let Some(value) = maker.attribute(attribute, position + 1) {
                        container.insert(attribute.name.clone(), value);
                    }
                }
                if extension.required || (!container.is_empty() && index % 2 == 0) {
                    urns.push(extension.schema.id.as_str().into());
                    resource.insert(extension.schema.id.clone(), Value::Object(container));
                }
            }
            let mut whole = Map::from_iter([("schemas".to_owned(), Value::Array(urns))]);
            whole.extend(resource);
            Value::Object(whole)
        })
        .collect()
}

/// The attribute that holds the slice of a designed resource: a plain text that a client writes freely.
pub fn tag(definition: &ResourceDefinition) -> Option<&Attribute> {
    let suits = |attribute: &&Attribute| {
        attribute.kind == AttributeType::String
            && !attribute.multi_valued
            && attribute.mutability == Mutability::ReadWrite
            && attribute.returned == Returned::Default
            && attribute.uniqueness == Uniqueness::None
            && !attribute.required
            && attribute.canonical_values.is_empty()
    };
    let usual = ["userType", "nickName", "title"];
    let named = usual.iter().filter_map(|name| definition.schema.attribute(name)).find(|it| suits(it));
    named.or_else(|| {
        let strict = ["locale", "timezone", "preferredLanguage", "displayName"];
        definition.schema.attributes.iter().filter(|it| !strict.contains(&it.name.as_str())).find(suits)
    })
}

/// The slice of the resource of that number.
pub fn slice(index: usize, mark: &str) -> String {
    format!("g{} {mark}", index % SLICES)
}

/// Texts that servers stumble over.
const WORDS: [&str; 12] = [
    "Alpha",
    "alpha",
    "Beta Gamma",
    "O'Malley",
    "\"quoted\" \\ back",
    "100% of_it",
    "Zoë Żółć",
    "ALPHA",
    "日本 太郎",
    "(a) [b] and not c",
    "straße",
    "delta",
];

/// Makes the values of one designed resource.
struct Maker<'a> {
    mark: &'a str,
    domain: &'a str,
    index: usize,
}

impl Maker<'_> {
    /// The value of an attribute, or none: where it is not for a client to set, and now and then.
    fn attribute(&self, attribute: &Attribute, position: usize) -> Option<Value> {
        let is_settable = matches!(attribute.mutability, Mutability::ReadWrite | Mutability::Immutable)
            && matches!(attribute.returned, Returned::Default | Returned::Always)
            && attribute.kind != AttributeType::Binary
            && attribute.sub_attribute("$ref").is_none();
        // Each attribute is absent from other resources than its neighbours are.
        let is_left_out = (self.index + position * 5) % 3 == 2;
        if !is_settable || (is_left_out && !attribute.required) {
            return None;
        }
        if !attribute.multi_valued {
            return self.single(attribute, position);
        }
        let count = (self.index + position) % 4;
        let count = if attribute.required { count.max(1) } else { count };
        let values: Vec<Value> =
            (0..count).filter_map(|number| self.single(attribute, position + number * 7)).collect();
        (!values.is_empty()).then(|| self.with_primary(values, attribute, position))
    }

    /// At most one element is primary; the others say so, or say nothing.
    fn with_primary(&self, mut values: Vec<Value>, attribute: &Attribute, position: usize) -> Value {
        let has_primary = attribute.sub_attribute("primary").is_some();
        for (number, element) in values.iter_mut().enumerate() {
            let Some(element) = element.as_object_mut() else { continue };
            element.shift_remove("primary");
            match (self.index + position + number) % 4 {
                0 if has_primary && number == 0 => drop(element.insert("primary".into(), true.into())),
                1 if has_primary => drop(element.insert("primary".into(), false.into())),
                _ => {}
            }
        }
        Value::Array(values)
    }

    fn single(&self, attribute: &Attribute, position: usize) -> Option<Value> {
        let number = self.index + position;
        Some(match attribute.kind {
            AttributeType::Boolean => (number % 2 == 0).into(),
            AttributeType::Integer => json!(number as i64 * 3 - 20),
            AttributeType::Decimal => json!(number as f64 / 4.0),
            AttributeType::DateTime => {
                let zone = if number % 2 == 0 { "Z" } else { "+02:00" };
                format!("2024-{:02}-{:02}T08:30:00{zone}", number % 12 + 1, number % 28 + 1).into()
            }
            AttributeType::Reference => format!("https://{}/{}/Of-{number}", self.domain, self.mark).into(),
            AttributeType::Binary => return None,
            AttributeType::String => self.text(attribute, position).into(),
            AttributeType::Complex => {
                let parts: Map<String, Value> = attribute
                    .sub_attributes
                    .iter()
                    .enumerate()
                    .filter(|(_, sub)| sub.kind != AttributeType::Complex)
                    .filter_map(|(place, sub)| {
                        // The value of an element is always there: without it there is nothing to hold.
                        let value = if sub.name.eq_ignore_ascii_case("value") {
                            self.single(sub, position)
                        } else {
                            self.attribute(sub, position + place)
                        };
                        // What an address is named after is the attribute around it.
                        let value = match (attribute.name.as_str(), sub.name.as_str()) {
                            ("emails", "value") => Some(self.address(position).into()),
                            ("phoneNumbers", "value") => {
                                Some(format!("+1-555-{:04}", number % 10_000).into())
                            }
                            _ => value,
                        };
                        value.map(|value| (sub.name.clone(), value))
                    })
                    .collect();
                if parts.is_empty() {
                    return None;
                }
                Value::Object(parts)
            }
        })
    }

    fn address(&self, position: usize) -> String {
        let name = if self.index % 2 == 0 { "Mail" } else { "mail" };
        format!("{}.{name}.{}.{position}@{}", self.mark, self.index, self.domain)
    }

    fn text(&self, attribute: &Attribute, position: usize) -> String {
        let number = self.index + position;
        if !attribute.canonical_values.is_empty() {
            return attribute.canonical_values[number % attribute.canonical_values.len()].clone();
        }
        let pick = |all: &[&str]| all[number % all.len()].to_owned();
        match attribute.name.as_str() {
            "userName" => {
                let name = if self.index % 2 == 0 { "User" } else { "user" };
                format!("{}.{name}.{}@{}", self.mark, self.index, self.domain)
            }
            "locale" | "preferredLanguage" => pick(&["en-US", "de-DE", "fr-CA"]),
            "timezone" => pick(&["America/Los_Angeles", "Europe/Berlin"]),
            "country" => pick(&["US", "DE"]),
            "postalCode" => format!("{:05}", number * 7 % 100_000),
            "type" => pick(&["work", "home", "other"]),
            // A word twice within the design, so that equality finds several; unique where it has to be.
            _ if attribute.uniqueness != Uniqueness::None || attribute.name == "externalId" => {
                format!("{} {} {}", WORDS[number % WORDS.len()], self.mark, self.index)
            }
            _ => format!("{} {}", WORDS[number % WORDS.len()], self.mark),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::scim::schema::SchemaSet;
    use crate::scim::validate::{ValidationPurpose, validate};

    fn user() -> ResourceDefinition {
        SchemaSet::core().definition("User").unwrap()
    }

    fn list(rows: Vec<Value>) -> ListResponse {
        ListResponse::complete(rows)
    }

    fn judged(population: &Population, list: &ListResponse, filter: &str, is_projected: bool) -> Judged {
        let definition = user();
        population.judge_list(
            &Listing::of(list, is_projected),
            &Filter::parse(filter).unwrap(),
            &Worlds::all(),
            |_| Some(&definition),
        )
    }

    fn departures(judged: &Judged) -> Vec<String> {
        judged
            .departures
            .iter()
            .map(|departure| match departure {
                ListDeparture::Missing { id, .. } => format!("missing {id}"),
                ListDeparture::Surplus { id, is_known, .. } => {
                    format!("surplus {} {is_known}", id.as_deref().unwrap_or_default())
                }
                ListDeparture::Repeated { id } => format!("repeated {id}"),
            })
            .collect()
    }

    #[test]
    fn a_list_is_judged_against_what_was_read() {
        let mut population = Population::new();
        let (ann, bob) = (json!({"id": "1", "userName": "ann"}), json!({"id": "2", "userName": "bob"}));
        population.read_back("1", ann.clone());
        population.read_back("2", bob.clone());
        let filter = r#"userName sw "a""#;
        let foreign = json!({"id": "9", "userName": "zoe"});
        assert_eq!(
            judged(&population, &list(vec![ann.clone()]), filter, false),
            Judged { decided: 1, awaited: 1, ..Judged::default() }
        );
        let wrong = judged(&population, &list(vec![bob.clone(), foreign.clone()]), filter, false);
        assert_eq!(departures(&wrong), ["surplus 2 true", "surplus 9 false", "missing 1"]);
        let twice = judged(&population, &list(vec![ann.clone(), ann.clone()]), filter, false);
        assert_eq!(departures(&twice), ["repeated 1"]);
        // A projection hides what decides, but for what is known.
        let bare = |id: &str| json!({"id": id});
        let projected = judged(&population, &list(vec![bare("1"), bare("2"), bare("9")]), filter, true);
        assert_eq!(departures(&projected), ["surplus 2 true"]);
        // What a page lacks may stand on the next.
        let page = ListResponse::page(3, 1, vec![foreign]);
        assert_eq!(departures(&judged(&population, &page, filter, false)), ["surplus 9 false"]);
        // Where the RFCs leave it open, nothing is said.
        assert!(judged(&population, &list(vec![]), r#"title ne "x""#, false).departures.is_empty());
        population.forget("1");
        assert!(judged(&population, &list(vec![]), filter, false).departures.is_empty());
    }

    #[test]
    fn a_design_suits_its_schema_and_tells_apart() {
        let definition = user();
        let users = design(&definition, "run7", "example.com", 24);
        assert_eq!(users, design(&definition, "run7", "example.com", 24));
        let names: BTreeSet<String> =
            users.iter().map(|user| user["userName"].as_str().unwrap().to_lowercase()).collect();
        assert_eq!(names.len(), 24);
        let slices: BTreeSet<&str> = users.iter().map(|user| user["userType"].as_str().unwrap()).collect();
        assert_eq!(slices.len(), SLICES);
        for user in &users {
            assert!(user["userName"].as_str().unwrap().starts_with("run7."));
            let problems = validate(user, &definition, ValidationPurpose::CreateRequest);
            assert!(problems.is_empty(), "{problems:?} in {user}");
        }
        let holds = |name: &str| users.iter().filter(|user| get(user, name).is_some()).count();
        for name in ["title", "displayName", "externalId", "name", "emails", "active", "profileUrl"] {
            assert!((1..24).contains(&holds(name)), "{name}: {}", holds(name));
        }
        let several =
            |count: usize| users.iter().any(|user| user["emails"].as_array().map(Vec::len) == Some(count));
        assert!(several(1) && several(2) && several(3));
        let text = Value::from(users).to_string();
        for part in ["O'Malley", "\\\"quoted", "%", "日本", "Alpha run7", "alpha run7"] {
            assert!(text.contains(part), "{part}");
        }
    }

    #[test]
    fn groups_and_strange_types_can_be_designed() {
        let group = SchemaSet::core().definition("Group").unwrap();
        let groups = design(&group, "run7", "example.com", 6);
        assert!(groups.iter().all(|group| group.get("members").is_none()));
        assert!(
            groups.iter().all(|group| group["displayName"].as_str().is_some_and(|it| it.contains("run7")))
        );
        assert_eq!(tag(&group).map(|tag| tag.name.as_str()), None);
    }
}
