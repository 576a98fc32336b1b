//! Which readings a service provider has, learned from a handful of queries.
//!
//! A probe asks about several knobs at once, each at resources of its own: `(id eq "1" and (f)) or (id eq "2" and
//! (g))`. Whether a resource is in the answer tells the setting of its knob. Each knob is asked about at two
//! resources where there are two, so that a defect is less likely to be taken for a reading: answers that disagree
//! are a [`Contradiction`](super::world::Contradiction). This module makes filters and knows no network: send each
//! probe, and give the answer to [`Worlds::observe`]; a refusal (400) teaches nothing.

use serde_json::{Number, Value};

use super::world::{Knob, Knobs, World, Worlds};
use crate::scim::datetime;
use crate::scim::definition::ResourceDefinition;
use crate::scim::filter::{CompareOperator, Filter, FilterValue};
use crate::scim::path::AttributePath;
use crate::scim::resource::{elements, get};
use crate::scim::schema::{Attribute, AttributeType, Returned};

/// A query that tells settings of knobs apart.
#[derive(Debug, Clone, PartialEq)]
pub struct Probe {
    /// The filter.
    pub filter: Filter,
    /// The knobs that its answer settles.
    pub knobs: Vec<Knob>,
}

/// The knobs that are asked about together: what a server refuses in one probe must not cost the others.
const THEMES: [&[Knob]; 7] = [
    &[
        Knob::NotEqualOnAbsent,
        Knob::NotEqualOnSeveral,
        Knob::NotEqualOnIncomplete,
        Knob::EmptyIsPresent,
        Knob::OrderCase,
        Knob::FractionsCut,
        Knob::DateTimeAsText,
    ],
    &[Knob::PrimaryAssumedFalse, Knob::AssumedPrimaryIsPresent, Knob::NotEqualInBrackets],
    &[Knob::ReferenceCase, Knob::IdCase, Knob::SchemaUriCase],
    &[Knob::ComplexMeansValue, Knob::SubstringOfReference, Knob::EmptySubstring],
    // By itself: to a server that reads another URI than this, its filter has an undefined attribute.
    &[Knob::UriPrefixCase],
    &[Knob::CompareWithNull, Knob::SubstringOfNumber, Knob::LiteralConverted, Knob::IncomparableDiffers],
    &[Knob::VersionAsShown, Knob::LocationAsShown],
];

/// At how many resources a probe asks about a knob.
const TWICE: usize = 2;

/// The probes for resources that are known, each with its id; at most seven.
pub fn probes(definition: &ResourceDefinition, known: &[(&str, &Value)]) -> Vec<Probe> {
    let candidates = candidates(definition, known);
    THEMES.iter().filter_map(|theme| probe(theme, &candidates, definition, known)).collect()
}

/// The probe for a theme: for each of its knobs, resources whose match depends on that knob alone.
fn probe(
    theme: &[Knob],
    candidates: &[Filter],
    definition: &ResourceDefinition,
    known: &[(&str, &Value)],
) -> Option<Probe> {
    let mut taken: Vec<&str> = Vec::new();
    let mut terms = Vec::new();
    let mut knobs = Vec::new();
    for knob in theme {
        let before = terms.len();
        for filter in candidates {
            let left = TWICE - (terms.len() - before);
            let telling: Vec<&str> = known
                .iter()
                .filter(|(id, resource)| !taken.contains(id) && tells(*knob, filter, resource, definition))
                .map(|(id, _)| *id)
                .take(left)
                .collect();
            terms.extend(telling.iter().map(|id| {
                let is_it = compare(AttributePath::of("id"), CompareOperator::Equal, *id);
                Filter::And(vec![is_it, filter.clone()])
            }));
            taken.extend(telling);
            if terms.len() - before == TWICE {
                break;
            }
        }
        if terms.len() > before {
            knobs.push(*knob);
        }
    }
    let filter = match terms.len() {
        0 => return None,
        1 => terms.remove(0),
        _ => Filter::Or(terms),
    };
    Some(Probe { filter, knobs })
}

/// Whether the match of this resource tells the knob's setting, and depends on nothing else.
fn tells(knob: Knob, filter: &Filter, resource: &Value, definition: &ResourceDefinition) -> bool {
    let answer = |departs| {
        let world = World::CONVENTIONAL.with(knob, departs);
        super::truth::evaluate(filter, resource, definition, world)
    };
    matches!((answer(false), answer(true)), (Some(usual), Some(other)) if usual != other)
        && Worlds::all().touched(filter, resource, definition) == Knobs::NONE.with(knob)
}

fn compare(path: AttributePath, operator: CompareOperator, value: impl Into<FilterValue>) -> Filter {
    Filter::Compare { path, operator, value: value.into() }
}

/// Filters that may tell something: each attribute compared in each disputed way with what the resources hold.
fn candidates(definition: &ResourceDefinition, known: &[(&str, &Value)]) -> Vec<Filter> {
    let mut filters = Vec::new();
    // What the service provider makes up, in the form that it shows.
    for name in ["version", "location"] {
        let made_up = known.iter().filter_map(|(_, it)| get(get(it, "meta")?, name)?.as_str());
        let path = AttributePath::of("meta").with_sub(name);
        filters.extend(made_up.take(TWICE).map(|text| compare(path.clone(), CompareOperator::Equal, text)));
    }
    for attribute in definition.top_attributes() {
        if attribute.returned != Returned::Default && attribute.returned != Returned::Always {
            continue;
        }
        let path = AttributePath::of(&attribute.name);
        let held: Vec<&Value> =
            known.iter().filter_map(|(_, it)| get(it, &attribute.name)).flat_map(elements).collect();
        if attribute.kind != AttributeType::Complex {
            simple(&path, attribute, &held, &mut filters);
            continue;
        }
        for sub in &attribute.sub_attributes {
            let held: Vec<&Value> =
                held.iter().filter_map(|it| get(it, &sub.name)).flat_map(elements).collect();
            simple(&path.with_sub(&sub.name), sub, &held, &mut filters);
            if attribute.multi_valued {
                let mut inner = Vec::new();
                simple(&AttributePath::of(&sub.name), sub, &held, &mut inner);
                filters.extend(
                    inner
                        .into_iter()
                        .map(|inner| Filter::ValuePath { path: path.clone(), filter: Box::new(inner) }),
                );
            }
        }
        if attribute.multi_valued
            && let Some(value) = held.iter().filter_map(|it| get(it, "value")).find_map(Value::as_str)
        {
            filters.push(compare(path.clone(), CompareOperator::Contains, value));
        }
        if !attribute.multi_valued {
            filters.push(compare(path, CompareOperator::NotEqual, "nothing like it"));
        }
    }
    // The URI of the base schema in another case, before a name that each resource has.
    if let Some(required) = definition.schema.attributes.iter().find(|attribute| attribute.required) {
        let urn = Some(other_case(&definition.schema.id));
        filters.push(Filter::Present(AttributePath { urn, name: required.name.clone(), sub: None }));
    }
    filters
}

/// The disputed comparisons of a simple attribute with values that are held.
fn simple(path: &AttributePath, attribute: &Attribute, held: &[&Value], filters: &mut Vec<Filter>) {
    use CompareOperator::{Contains, Equal, GreaterThan, NotEqual, StartsWith};
    let mut add = |operator, value: FilterValue| filters.push(compare(path.clone(), operator, value));
    match attribute.kind {
        AttributeType::Boolean => {
            add(Equal, false.into());
            add(Contains, "u".into());
            add(Equal, "true".into());
            add(NotEqual, "true".into());
        }
        AttributeType::Integer | AttributeType::Decimal => {
            let number = held.iter().find_map(|value| value.as_number()).cloned();
            let number = number.unwrap_or_else(|| Number::from(1));
            add(Contains, number.to_string().chars().take(1).collect::<String>().as_str().into());
            add(Equal, number.to_string().as_str().into());
        }
        AttributeType::DateTime => {
            for text in held.iter().filter_map(|value| value.as_str()).take(4) {
                let Some(time) = datetime::parse(text) else { continue };
                add(GreaterThan, time.utc.format("%Y-%m-%dT%H:%M:%SZ").to_string().as_str().into());
                let elsewhere = time.utc + chrono::TimeDelta::hours(1);
                add(NotEqual, elsewhere.format("%Y-%m-%dT%H:%M:%S%.f+01:00").to_string().as_str().into());
            }
        }
        AttributeType::Complex => {}
        AttributeType::String | AttributeType::Reference | AttributeType::Binary => {
            add(NotEqual, "nothing like it".into());
            for text in held.iter().filter_map(|value| value.as_str()).filter(|text| !text.is_empty()).take(4)
            {
                add(NotEqual, text.into());
                add(Equal, other_case(text).as_str().into());
                add(GreaterThan, other_case(text).as_str().into());
                add(StartsWith, text.chars().take(3).collect::<String>().as_str().into());
            }
            add(Contains, "".into());
        }
    }
    add(Equal, FilterValue::Null);
    filters.push(Filter::Present(path.clone()));
}

/// The text with the case of each letter of ASCII turned round.
fn other_case(text: &str) -> String {
    text.chars()
        .map(|it| if it.is_ascii_lowercase() { it.to_ascii_uppercase() } else { it.to_ascii_lowercase() })
        .collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use serde_json::json;

    use super::*;
    use crate::oracle::population::design;
    use crate::oracle::truth::evaluate;
    use crate::scim::schema::SchemaSet;

    /// The designed users as a server would show them.
    fn shown(definition: &ResourceDefinition) -> Vec<(String, Value)> {
        design(definition, "run7", "example.com", 24)
            .into_iter()
            .enumerate()
            .map(|(index, mut user)| {
                let id = format!("Id-{index}");
                user["id"] = id.clone().into();
                user["meta"] = json!({
                    "resourceType": "User",
                    "created": "2026-01-01T00:00:00.500Z",
                    "version": format!("W/\"{index}\""),
                    "location": format!("https://example.com/Users/{id}"),
                });
                (id, user)
            })
            .collect()
    }

    fn found<'k>(
        world: World,
        filter: &Filter,
        definition: &ResourceDefinition,
        known: &[(&'k str, &Value)],
    ) -> BTreeSet<&'k str> {
        known
            .iter()
            .filter(|(_, it)| evaluate(filter, it, definition, world) == Some(true))
            .map(|(id, _)| *id)
            .collect()
    }

    #[test]
    fn a_handful_of_probes_settles_the_knobs() {
        let definition = SchemaSet::core().definition("User").unwrap();
        let users = shown(&definition);
        let known: Vec<(&str, &Value)> = users.iter().map(|(id, user)| (id.as_str(), user)).collect();
        let probes = probes(&definition, &known);
        assert!(probes.len() <= 7);
        for probe in &probes {
            let text = probe.filter.to_string();
            assert!(text.len() < 2000, "{} bytes", text.len());
            assert_eq!(Filter::parse(&text).as_ref(), Ok(&probe.filter));
        }
        let asked: usize = probes.iter().map(|probe| probe.knobs.len()).sum();
        assert!(asked >= 17, "{probes:#?}");
        // Whatever the dialect is, its probes tell it.
        for seed in [0_u32, 0x00ff_ffff, 0x0055_5555, 0x00aa_aaaa, 0x0012_3456] {
            let world = Knob::ALL.iter().enumerate().fold(World::CONVENTIONAL, |world, (index, knob)| {
                world.with(*knob, seed & (1 << index) != 0)
            });
            let mut worlds = Worlds::all();
            for probe in &probes {
                let found = found(world, &probe.filter, &definition, &known);
                worlds.observe(&probe.filter, &definition, &known, &found).unwrap();
            }
            let settled: Vec<(Knob, bool)> = worlds.settled().collect();
            for knob in probes.iter().flat_map(|probe| &probe.knobs) {
                assert!(settled.contains(&(*knob, world.departs(*knob))), "{knob:?} in {settled:?}");
            }
            assert_eq!(worlds.dialect().len(), settled.len());
        }
    }

    #[test]
    fn a_defect_is_a_contradiction_and_no_reading() {
        let definition = SchemaSet::core().definition("User").unwrap();
        let users = shown(&definition);
        let known: Vec<(&str, &Value)> = users.iter().map(|(id, user)| (id.as_str(), user)).collect();
        let probe = &probes(&definition, &known)[0];
        let everybody = known.iter().map(|(id, _)| *id).collect();
        let error = Worlds::all().observe(&probe.filter, &definition, &known, &everybody).unwrap_err();
        assert_eq!(error.filter, probe.filter.to_string());
        assert!(!error.wrong.is_empty());
    }
}
