//! Resources that a schema allows, made to tell right from wrong.
//!
//! They are drawn as a table, column by column: of each attribute some resources have no value and others share one, and
//! values differ in case, in quotes, in wildcards and in letters beyond ASCII. Only what identifies a resource carries the
//! run's mark, as [`MARK`], so that the same filter means the same in every run.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Map, Value, json};

use crate::oracle::population::{SLICES, tag};
use crate::scim::definition::ResourceDefinition;
use crate::scim::schema::{Attribute, AttributeType, Mutability, Returned, Uniqueness};

/// What stands for the run's mark in a resource that is not made yet.
pub const MARK: &str = "{{mark}}";

/// Texts that servers stumble over, and texts that are near each other.
pub const WORDS: [&str; 16] = [
    "Alpha",
    "alpha",
    "ALPHA",
    "Alphabet",
    "The Alpha",
    "Delta",
    "deltas",
    "Beta Gamma",
    "O'Malley",
    "\"quoted\" \\ back",
    "100% of_it",
    "100 bits",
    "Zoë Żółć",
    "日本 太郎",
    "(a) [b] and not c",
    "x eq y",
];

/// Texts that no server stumbles over, for one that refuses the others.
const TAME: [&str; 8] = ["Alpha", "alpha", "ALPHA", "Alphabet", "Delta", "deltas", "Omega", "omegas"];

/// How odd texts may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Oddity {
    /// Whatever a JSON string can hold.
    Odd,
    /// Letters of ASCII only.
    Tame,
}

impl Oddity {
    fn words(self) -> &'static [&'static str] {
        match self {
            Oddity::Odd => &WORDS,
            Oddity::Tame => &TAME,
        }
    }
}

/// A column: the values of one attribute, one for each resource.
type Column = BoxedStrategy<Vec<Option<Value>>>;

/// So many resources of that type.
pub fn resources(
    definition: &ResourceDefinition,
    size: usize,
    domain: &str,
    oddity: Oddity,
) -> BoxedStrategy<Vec<Value>> {
    let tagged = tag(definition).map(|attribute| attribute.name.clone());
    let table = Table { size, domain: domain.to_owned(), oddity };
    let mut places: Vec<(Option<String>, String)> = Vec::new();
    let mut columns: Vec<Column> = Vec::new();
    for attribute in definition.top_attributes().filter(|attribute| attribute.name != "schemas") {
        places.push((None, attribute.name.clone()));
        columns.push(if tagged.as_ref() == Some(&attribute.name) {
            Just((0..size).map(|index| Some(slice(index).into())).collect::<Vec<_>>()).boxed()
        } else {
            table.column(attribute)
        });
    }
    for extension in &definition.extensions {
        for attribute in &extension.schema.attributes {
            places.push((Some(extension.schema.id.clone()), attribute.name.clone()));
            columns.push(table.column(attribute));
        }
    }
    let schema = definition.schema.id.clone();
    let required: Vec<String> =
        definition.extensions.iter().filter(|it| it.required).map(|it| it.schema.id.clone()).collect();
    columns
        .prop_map(move |columns| {
            (0..size).map(|index| assembled(&schema, &required, &places, &columns, index)).collect()
        })
        .boxed()
}

/// The value of the tag of the resource of that number.
pub fn slice(index: usize) -> String {
    format!("g{:02} {MARK}", index % SLICES)
}

fn assembled(
    schema: &str,
    required: &[String],
    places: &[(Option<String>, String)],
    columns: &[Vec<Option<Value>>],
    index: usize,
) -> Value {
    let mut members = Map::new();
    let mut extensions: Vec<(String, Map<String, Value>)> =
        required.iter().map(|urn| (urn.clone(), Map::new())).collect();
    for ((urn, name), column) in places.iter().zip(columns) {
        let Some(Some(value)) = column.get(index) else { continue };
        match urn {
            None => drop(members.insert(name.clone(), value.clone())),
            Some(urn) => {
                let at = extensions.iter().position(|(known, _)| known == urn).unwrap_or_else(|| {
                    extensions.push((urn.clone(), Map::new()));
                    extensions.len() - 1
                });
                extensions[at].1.insert(name.clone(), value.clone());
            }
        }
    }
    let mut urns = vec![Value::from(schema)];
    // Some resources do without an extension that they need not have.
    for (urn, container) in extensions {
        if required.contains(&urn) || index % 4 != 3 {
            urns.push(urn.as_str().into());
            members.insert(urn, Value::Object(container));
        }
    }
    let mut whole = Map::from_iter([("schemas".to_owned(), Value::Array(urns))]);
    whole.extend(members);
    Value::Object(whole)
}

struct Table {
    size: usize,
    domain: String,
    oddity: Oddity,
}

impl Table {
    fn column(&self, attribute: &Attribute) -> Column {
        if !is_settable(attribute) {
            return Just(vec![None; self.size]).boxed();
        }
        match (attribute.multi_valued, attribute.kind) {
            (true, _) => self.several(attribute),
            (false, AttributeType::Complex) => self.complex(attribute),
            (false, _) => self.simple(attribute),
        }
    }

    /// Values that stand in the column in an order of chance, so that each of them is there.
    fn simple(&self, attribute: &Attribute) -> Column {
        let has_order = attribute.uniqueness != Uniqueness::None
            || attribute.required
            || attribute.name.eq_ignore_ascii_case("externalId");
        let values: Vec<Option<Value>> = (0..self.size)
            .map(|index| {
                let is_absent = index % 4 == 3 && !attribute.required;
                (!is_absent).then(|| self.value(attribute, index - index / 4, index))
            })
            .collect();
        if has_order { Just(values).boxed() } else { Just(values).prop_shuffle().boxed() }
    }

    /// The value of that number for the resource of that index.
    fn value(&self, attribute: &Attribute, number: usize, index: usize) -> Value {
        match attribute.kind {
            AttributeType::Boolean => number.is_multiple_of(2).into(),
            AttributeType::Integer => json!(number as i64 % 9 * 3 - 7),
            AttributeType::Decimal => json!(number as f64 % 9.0 / 4.0),
            AttributeType::DateTime => {
                let zone = if number.is_multiple_of(2) { "Z" } else { "+02:00" };
                format!("2024-{:02}-{:02}T08:30:00{zone}", number % 12 + 1, number % 28 + 1).into()
            }
            AttributeType::Reference => format!("https://{}/{MARK}/Of-{number}", self.domain).into(),
            AttributeType::Binary | AttributeType::Complex => Value::Null,
            AttributeType::String => self.text(attribute, number, index).into(),
        }
    }

    fn text(&self, attribute: &Attribute, number: usize, index: usize) -> String {
        let of = |all: &[&str]| all[number % all.len()].to_owned();
        if !attribute.canonical_values.is_empty() {
            return attribute.canonical_values[number % attribute.canonical_values.len()].clone();
        }
        let case = if index.is_multiple_of(2) { "User" } else { "user" };
        match attribute.name.as_str() {
            "userName" => format!("{MARK}.{case}.{index:02}@{}", self.domain),
            "locale" | "preferredLanguage" => of(&["en-US", "de-DE", "fr-CA"]),
            "timezone" => of(&["America/Los_Angeles", "Europe/Berlin"]),
            "country" => of(&["US", "DE"]),
            "postalCode" => format!("{:05}", number * 7 % 100_000),
            "externalId" => format!("{MARK}-Ext-{index:02}"),
            "displayName" if attribute.required => format!("{MARK} {} {index:02}", of(self.oddity.words())),
            _ if attribute.uniqueness != Uniqueness::None => {
                format!("{MARK}.{} {index:02}", of(self.oddity.words()))
            }
            _ => of(self.oddity.words()),
        }
    }

    /// One object for each resource, of a column for each sub-attribute.
    fn complex(&self, attribute: &Attribute) -> Column {
        let subs: Vec<&Attribute> =
            attribute.sub_attributes.iter().filter(|sub| sub.kind != AttributeType::Complex).collect();
        let names: Vec<String> = subs.iter().map(|sub| sub.name.clone()).collect();
        let columns: Vec<Column> = subs.iter().map(|sub| self.column(sub)).collect();
        let size = self.size;
        let is_required = attribute.required;
        columns
            .prop_map(move |columns| {
                (0..size)
                    .map(|index| {
                        let members: Map<String, Value> = names
                            .iter()
                            .zip(&columns)
                            .filter_map(|(name, column)| Some((name.clone(), column.get(index)?.clone()?)))
                            .collect();
                        let is_absent = members.is_empty() || (index % 5 == 4 && !is_required);
                        (!is_absent).then_some(Value::Object(members))
                    })
                    .collect()
            })
            .boxed()
    }

    /// None to three elements for each resource.
    fn several(&self, attribute: &Attribute) -> Column {
        let least = usize::from(attribute.required);
        let counts =
            vec(prop_oneof![1 => Just(least), 2 => Just(1_usize), 3 => Just(2), 1 => Just(3)], self.size);
        let numbers = vec(vec(0..97_usize, 3), self.size);
        let primaries = vec(select(vec![None, Some(0_usize), Some(1)]), self.size);
        let attribute = attribute.clone();
        let table = Table { size: self.size, domain: self.domain.clone(), oddity: self.oddity };
        (counts, numbers, primaries)
            .prop_map(move |(counts, numbers, primaries)| {
                (0..table.size)
                    .map(|index| {
                        let elements: Vec<Value> = (0..counts[index])
                            .map(|place| {
                                table.element(
                                    &attribute,
                                    numbers[index][place],
                                    index,
                                    place,
                                    primaries[index],
                                )
                            })
                            .collect();
                        (!elements.is_empty()).then_some(Value::Array(elements))
                    })
                    .collect()
            })
            .boxed()
    }

    fn element(
        &self,
        attribute: &Attribute,
        number: usize,
        index: usize,
        place: usize,
        primary: Option<usize>,
    ) -> Value {
        if attribute.kind != AttributeType::Complex {
            return self.value(attribute, number + place, index);
        }
        let mut members = Map::new();
        for (offset, sub) in attribute.sub_attributes.iter().enumerate().filter(|(_, sub)| is_settable(sub)) {
            let value = match (attribute.name.as_str(), sub.name.as_str()) {
                (_, "primary") => match primary {
                    Some(chosen) if chosen == place => Value::Bool(true),
                    Some(_) if place == 0 => Value::Bool(false),
                    _ => continue,
                },
                // A service provider may know more canonical values than it declares.
                (_, "type") if sub.canonical_values.is_empty() && self.oddity == Oddity::Tame => continue,
                (_, "type") if sub.canonical_values.is_empty() => {
                    ["work", "home", "other"][(number + place) % 3].into()
                }
                ("emails", "value") => {
                    let name = if index.is_multiple_of(2) { "Mail" } else { "mail" };
                    format!("{MARK}.{name}.{index:02}.{place}@{}", self.domain).into()
                }
                ("phoneNumbers", "value") => format!("+1-555-{:04}", (number * 7 + place) % 10_000).into(),
                // Each sub-attribute is absent from other elements than its neighbours are.
                (_, name) if name != "value" && (number + offset).is_multiple_of(3) => continue,
                _ if sub.kind == AttributeType::Complex || sub.multi_valued => continue,
                _ => self.value(sub, number + offset + place * 5, index),
            };
            if !value.is_null() {
                members.insert(sub.name.clone(), value);
            }
        }
        Value::Object(members)
    }
}

/// Whether a client sets it freely, and reads it again.
fn is_settable(attribute: &Attribute) -> bool {
    matches!(attribute.mutability, Mutability::ReadWrite | Mutability::Immutable)
        && matches!(attribute.returned, Returned::Default | Returned::Always)
        && attribute.kind != AttributeType::Binary
        && attribute.sub_attribute("$ref").is_none()
}

/// A resource with the mark in the place of [`MARK`].
pub fn marked(value: &Value, mark: &str) -> Value {
    match value {
        Value::String(text) => text.replace(MARK, mark).into(),
        Value::Array(items) => items.iter().map(|item| marked(item, mark)).collect(),
        Value::Object(members) => {
            members.iter().map(|(name, member)| (name.clone(), marked(member, mark))).collect()
        }
        other => other.clone(),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::fuzz::dice::Dice;
    use crate::scim::resource::get;
    use crate::scim::schema::SchemaSet;
    use crate::scim::validate::{ValidationPurpose, validate};

    #[test]
    fn a_table_suits_its_schema_and_tells_apart() {
        let definition = SchemaSet::core().definition("User").unwrap();
        for seed in 0..5 {
            let strategy = resources(&definition, 48, "example.com", Oddity::Odd);
            let users = Dice::new(seed, "data").draw(&strategy).unwrap();
            assert_eq!(users.len(), 48);
            let users: Vec<Value> = users.iter().map(|user| marked(user, "s0mark")).collect();
            let names: BTreeSet<String> =
                users.iter().map(|user| user["userName"].as_str().unwrap().to_lowercase()).collect();
            assert_eq!(names.len(), 48);
            for user in &users {
                assert!(user["userName"].as_str().unwrap().starts_with("s0mark."));
                let problems = validate(user, &definition, ValidationPurpose::CreateRequest);
                assert!(problems.is_empty(), "{problems:?} in {user}");
            }
            let holds = |name: &str| users.iter().filter(|user| get(user, name).is_some()).count();
            for name in ["title", "displayName", "externalId", "name", "emails", "active", "profileUrl"] {
                assert!((20..48).contains(&holds(name)), "{name}: {}", holds(name));
            }
            let text = Value::from(users).to_string();
            for word in ["O'Malley", "\\\"quoted", "100%", "日本", "(a) [b]"] {
                assert!(text.contains(word), "{word}");
            }
        }
    }
}
