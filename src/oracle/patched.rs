//! The states that a PATCH may lead to: one world for each reading of its operations that RFC 7644 section 3.5.2
//! leaves open, and for each that it forbids but that servers are known for, with its grade.
//!
//! Operations are carried out one by one by [`patch::apply`]; an alternative reading is the same operation under
//! another option, or another operation in its place. Comparing a world with what was read is for
//! [`written`](super::written).

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};

use super::written::Grade;
use crate::scim::definition::{Resolved, ResourceDefinition};
use crate::scim::error::ScimType;
use crate::scim::filter::Filter;
use crate::scim::names;
use crate::scim::patch::{self, PatchOp, PatchOperation, PatchOptions, PatchRequest};
use crate::scim::path::PatchPath;
use crate::scim::resource::{elements, get, is_unassigned, schemas};
use crate::scim::schema::{AttributeType, Mutability};

/// The most worlds that are followed. Each open point doubles them at worst; a request that has more open points than
/// this is judged by the first readings of each.
const MAX_WORLDS: usize = 64;

/// One state that the operations may lead to.
#[derive(Debug, Clone, PartialEq)]
pub struct World {
    /// The resource.
    pub state: Value,
    /// What is to be said of a server that lives in it; `None` where it is right.
    pub remark: Option<Remark>,
}

/// Why a world is not quite right.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Remark {
    /// How bad it is.
    pub grade: Grade,
    /// The dispute that it is about.
    pub dispute: &'static str,
    /// In words, to follow "but".
    pub why: &'static str,
}

/// The worlds that a PATCH answered with success may have led to, the RFC's own reading first where it has one. `None`
/// where nothing can be said, since the request is no PatchOp that can be read.
pub fn worlds(sent: &Value, before: &Value, definition: &ResourceDefinition) -> Option<Vec<World>> {
    let mut request = sent.clone();
    if !schemas(sent).iter().any(|urn| urn.eq_ignore_ascii_case(names::PATCH_OP)) {
        // A server may take a PatchOp that does not say it is one (AMB-19).
        request.as_object_mut()?.insert("schemas".to_owned(), json!([names::PATCH_OP]));
    }
    // Whoever takes a replace without a value takes it for one with null (AMB-108).
    let operations = request.get_mut("Operations").and_then(Value::as_array_mut);
    for operation in operations.into_iter().flatten().filter_map(Value::as_object_mut) {
        let op = operation.get("op").and_then(Value::as_str).unwrap_or_default();
        if op.eq_ignore_ascii_case(PatchOp::Replace.as_str()) && !operation.contains_key("value") {
            operation.insert("value".to_owned(), Value::Null);
        }
    }
    let operations = PatchRequest::parse(&request, tolerant()).ok()?;
    if operations.iter().any(|operation| selects_by_undeclared(operation, definition)) {
        return None;
    }
    let mut worlds = vec![World { state: before.clone(), remark: None }];
    for operation in &operations {
        let mut next: Vec<World> = Vec::new();
        for world in &worlds {
            for (state, remark) in outcomes(operation, &world.state, definition) {
                let remark = worse(world.remark, remark);
                match next.iter_mut().find(|known| known.state == state) {
                    Some(known) if known.remark.map(|it| it.grade) > remark.map(|it| it.grade) => {
                        known.remark = remark;
                    }
                    Some(_) => {}
                    None => next.push(World { state, remark }),
                }
            }
        }
        // What is right comes first, and is the last to be dropped.
        next.sort_by_key(|world| world.remark.map(|it| it.grade));
        next.truncate(MAX_WORLDS);
        worlds = next;
    }
    Some(worlds)
}

/// What a PATCH does to a resource by the letter of the RFC.
#[derive(Debug, Clone, PartialEq)]
pub enum Effect {
    /// It is refused, with this scimType.
    Refused(Option<ScimType>),
    /// It changes these members: each as it was, and as it is afterwards.
    Changes(BTreeMap<String, (Option<Value>, Option<Value>)>),
}

/// What a PATCH does to a resource by the letter of the RFC, as far as one resource alone shows it.
pub fn effect(sent: &Value, before: &Value, definition: &ResourceDefinition) -> Effect {
    let options = PatchOptions::default();
    let applied = PatchRequest::parse(sent, options)
        .and_then(|operations| patch::apply(&operations, before, definition, options));
    let after = match applied {
        Ok(after) => after,
        Err(error) => return Effect::Refused(error.scim_type),
    };
    let nothing = Map::new();
    let members = |value: &Value| value.as_object().unwrap_or(&nothing).clone();
    let (before, after) = (members(before), members(&after));
    let names: BTreeSet<&String> = before.keys().chain(after.keys()).collect();
    let changes = names.into_iter().filter_map(|name| {
        let (was, is) = (before.get(name), after.get(name));
        (was != is).then(|| (name.clone(), (was.cloned(), is.cloned())))
    });
    Effect::Changes(changes.collect())
}

/// Whether an operation selects values by a sub-attribute that their declaration leaves out. Which values that are is
/// then the server's own affair: one that has work addresses only may take any for a work address.
fn selects_by_undeclared(operation: &PatchOperation, definition: &ResourceDefinition) -> bool {
    let Some(path) = &operation.path else { return false };
    let Some(Resolved::Attribute { attribute, .. }) = definition.resolve(&path.attribute) else {
        return false;
    };
    !attribute.sub_attributes.is_empty()
        && path.filter.as_ref().is_some_and(|filter| {
            names_in(filter).into_iter().any(|name| attribute.sub_attribute(name).is_none())
        })
}

/// The sub-attributes that a value filter names.
fn names_in(filter: &Filter) -> Vec<&str> {
    match filter {
        Filter::And(operands) | Filter::Or(operands) => operands.iter().flat_map(names_in).collect(),
        Filter::Not(operand) => names_in(operand),
        Filter::Compare { path, .. } | Filter::Present(path) | Filter::ValuePath { path, .. } => {
            vec![&path.name]
        }
    }
}

fn worse(left: Option<Remark>, right: Option<Remark>) -> Option<Remark> {
    if right.map(|it| it.grade) > left.map(|it| it.grade) { right } else { left }
}

/// What a server is expected to understand beside the letter of the RFC, since refusing it is as good and this is a
/// request that was not refused.
fn tolerant() -> PatchOptions {
    PatchOptions {
        boolean_strings: true,
        path_keys: true,
        extension_paths: true,
        ignore_read_only_members: true,
        ..PatchOptions::default()
    }
}

/// The states that one operation may lead to.
fn outcomes(
    operation: &PatchOperation,
    state: &Value,
    definition: &ResourceDefinition,
) -> Vec<(Value, Option<Remark>)> {
    let mut found = Vec::new();
    let main = patch::apply(std::slice::from_ref(operation), state, definition, tolerant());
    let is_refused = main.is_err();
    found.extend(main.ok().map(|state| (state, None)));
    for reading in readings(operation, definition) {
        if let Ok(state) = patch::apply(&reading.operations, state, definition, reading.options) {
            found.push((state, reading.remark));
        }
    }
    if is_refused {
        // It should have been refused. That it was answered with success is for the case to judge; what counts here
        // is that it changed nothing, or nothing but what can be changed.
        let ignoring = PatchOptions { ignore_unknown: true, ..tolerant() };
        let remark = Remark {
            grade: Grade::Warning,
            dispute: "AMB-111",
            why: "what cannot be carried out was left out, and not refused",
        };
        if let Ok(state) = patch::apply(std::slice::from_ref(operation), state, definition, ignoring) {
            found.push((state, Some(remark)));
        }
        found.push((state.clone(), Some(remark)));
    }
    found
}

/// Another reading of an operation.
struct Reading {
    operations: Vec<PatchOperation>,
    options: PatchOptions,
    remark: Option<Remark>,
}

fn readings(operation: &PatchOperation, definition: &ResourceDefinition) -> Vec<Reading> {
    let mut readings = Vec::new();
    let mut add = |operations: Vec<PatchOperation>, options: PatchOptions, remark: Option<Remark>| {
        readings.push(Reading { operations, options, remark });
    };
    let with_options = |options: PatchOptions| (vec![operation.clone()], options);
    let value = operation.value.as_ref();
    let has_value = value.is_some_and(|value| !is_unassigned(value));
    let filter = operation.path.as_ref().and_then(|path| path.filter.as_ref());
    let sub = operation.path.as_ref().and_then(|path| path.sub.as_ref());

    match operation.op {
        PatchOp::Remove if has_value && filter.is_none() => {
            // AMB-98: only the values listed, as Entra means it.
            let (same, options) = with_options(PatchOptions { remove_listed_values: true, ..tolerant() });
            add(same, options, None);
        }
        PatchOp::Add if filter.is_some() => {
            // AMB-100: where nothing matches, an element with the filter's terms.
            let (same, options) = with_options(PatchOptions { add_creates_from_filter: true, ..tolerant() });
            add(same, options, None);
        }
        PatchOp::Replace if filter.is_some() => {
            let (same, options) =
                with_options(PatchOptions { replace_creates_from_filter: true, ..tolerant() });
            let remark = Remark {
                grade: Grade::FailureIfStrict,
                dispute: "AMB-100",
                why: "a replace whose filter matches nothing made an element, where it has to be refused",
            };
            add(same, options, Some(remark));
            if sub.is_none() && value.is_some_and(Value::is_object) {
                // AMB-102: the value is merged into what matches.
                add(vec![PatchOperation { op: PatchOp::Add, ..operation.clone() }], tolerant(), None);
            }
        }
        _ => {}
    }
    if operation.op == PatchOp::Replace {
        if let (None, Some(Value::Object(members))) = (&operation.path, value) {
            // AMB-103, AMB-105: what the value names is substituted as a whole.
            let is_whole = |name: &&String| {
                definition.extension(name).is_some()
                    || definition
                        .top_attribute(name)
                        .is_some_and(|it| it.kind == AttributeType::Complex && !it.multi_valued)
            };
            let mut operations: Vec<PatchOperation> = members
                .keys()
                .filter(is_whole)
                .filter_map(|name| PatchPath::parse(name).ok())
                .map(|path| PatchOperation { op: PatchOp::Remove, path: Some(path), value: None })
                .collect();
            if !operations.is_empty() {
                operations.push(operation.clone());
                let remark = Remark {
                    grade: Grade::Warning,
                    dispute: "AMB-103",
                    why: "parts that the value does not name are gone",
                };
                add(operations, tolerant(), Some(remark));
            }
        }
        if let (Some(path), Some(sub), Some(value)) = (&operation.path, sub, value)
            && filter.is_some()
            && let Some(Resolved::Attribute { attribute, .. }) = definition.resolve(&path.attribute)
            && attribute.sub_attribute(sub).is_some_and(|it| it.mutability == Mutability::Immutable)
        {
            // AMB-35: a value that cannot be edited is exchanged for another one.
            let remark = Remark {
                grade: Grade::Warning,
                dispute: "AMB-35",
                why: "a part that is immutable was replaced, and not refused",
            };
            let whole = PatchPath { sub: None, ..path.clone() };
            let list = PatchPath { sub: None, filter: None, ..path.clone() };
            let remove = PatchOperation { op: PatchOp::Remove, path: Some(whole), value: None };
            let other = json!([{ sub.as_str(): value }]);
            let insert = PatchOperation { op: PatchOp::Add, path: Some(list), value: Some(other) };
            add(vec![remove, insert], tolerant(), Some(remark));
        }
    }
    if operation.op == PatchOp::Add {
        // AMB-108: adding null clears.
        if operation.path.is_some() && !has_value {
            add(vec![PatchOperation { op: PatchOp::Replace, ..operation.clone() }], tolerant(), None);
        } else if let (None, Some(Value::Object(members))) = (&operation.path, value) {
            let (nulls, rest): (Map<String, Value>, Map<String, Value>) =
                members.clone().into_iter().partition(|(_, value)| is_unassigned(value));
            if !nulls.is_empty() {
                let part =
                    |op, members| PatchOperation { op, path: None, value: Some(Value::Object(members)) };
                add(vec![part(PatchOp::Replace, nulls), part(PatchOp::Add, rest)], tolerant(), None);
            }
        }
    }
    if let (None, Some(Value::Object(members))) = (&operation.path, value) {
        // AMB-105: keys that are paths, which a server may not know.
        let plain: Map<String, Value> = members
            .iter()
            .filter(|(name, _)| {
                definition.top_attribute(name).is_some() || definition.extension(name).is_some()
            })
            .map(|(name, value)| (name.clone(), value.clone()))
            .collect();
        if plain.len() < members.len() {
            let remark = Remark {
                grade: Grade::Warning,
                dispute: "AMB-105",
                why: "keys that are paths were left out, and not refused",
            };
            let without = PatchOperation { value: Some(Value::Object(plain)), ..operation.clone() };
            add(vec![without], tolerant(), Some(remark));
        }
    }
    if let Some(path) = operation.path.as_ref().filter(|path| path.filter.is_none())
        && let Some(Resolved::Attribute { attribute, sub: Some(_), .. }) = definition.resolve(&path.attribute)
        && attribute.multi_valued
    {
        let remark = Remark {
            grade: Grade::Warning,
            dispute: "AMB-114",
            why: "a sub-attribute of all values was to change, and none did",
        };
        add(Vec::new(), tolerant(), Some(remark));
    }
    for primary in 0..primaries(value) {
        // AMB-110: of several primary values in one operation the server chooses one.
        let chosen = value.map(|value| with_one_primary(value, primary));
        add(vec![PatchOperation { value: chosen, ..operation.clone() }], tolerant(), None);
    }
    readings
}

/// How many elements of a list say that they are primary, if more than one.
fn primaries(value: Option<&Value>) -> usize {
    let count = match value {
        Some(Value::Array(list)) => list.iter().filter(|it| says_primary(it)).count(),
        _ => 0,
    };
    if count > 1 { count.min(8) } else { 0 }
}

fn says_primary(element: &Value) -> bool {
    get(element, "primary") == Some(&Value::Bool(true))
}

/// The list with only one of its primary values left as such.
fn with_one_primary(list: &Value, chosen: usize) -> Value {
    let mut changed = elements(list).to_vec();
    for (seen, element) in changed.iter_mut().filter(|it| says_primary(it)).enumerate() {
        if seen != chosen
            && let Some(members) = element.as_object_mut()
        {
            members.retain(|name, _| !name.eq_ignore_ascii_case("primary"));
        }
    }
    Value::Array(changed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scim::schema::SchemaSet;

    fn of(operations: Value, before: Value) -> Vec<(Value, Option<Grade>)> {
        let definition = SchemaSet::core().definition("User").unwrap();
        let sent = json!({"schemas": [names::PATCH_OP], "Operations": operations});
        let worlds = worlds(&sent, &before, &definition).unwrap();
        worlds.into_iter().map(|world| (world.state, world.remark.map(|it| it.grade))).collect()
    }

    #[test]
    fn what_is_clear_has_one_world() {
        let worlds = of(
            json!([{"op": "replace", "path": "title", "value": "B"}, {"op": "remove", "path": "nickName"}]),
            json!({"title": "A", "nickName": "N"}),
        );
        assert_eq!(worlds, [(json!({"title": "B"}), None)]);
    }

    #[test]
    fn remove_with_a_value_has_two() {
        let two = json!({"emails": [{"value": "a@example.com"}, {"value": "b@example.com"}]});
        let worlds =
            of(json!([{"op": "remove", "path": "emails", "value": [{"value": "a@example.com"}]}]), two);
        assert_eq!(worlds, [(json!({}), None), (json!({"emails": [{"value": "b@example.com"}]}), None)]);
    }

    #[test]
    fn a_filter_without_match_may_make_an_element() {
        let path = "emails[type eq \"work\"].value";
        let operation = |op: &str| json!([{"op": op, "path": path, "value": "a@example.com"}]);
        let made = json!({"emails": [{"type": "work", "value": "a@example.com"}]});
        let grade_of_made = |worlds: Vec<(Value, Option<Grade>)>| {
            worlds.into_iter().find(|(state, _)| *state == made).map(|(_, grade)| grade)
        };
        assert_eq!(grade_of_made(of(operation("add"), json!({}))), Some(None));
        assert_eq!(grade_of_made(of(operation("replace"), json!({}))), Some(Some(Grade::FailureIfStrict)));
    }

    #[test]
    fn a_replaced_value_is_merged_or_substituted() {
        let before = json!({"addresses": [{"type": "work", "locality": "Ulm", "country": "DE"}]});
        let worlds = of(
            json!([{"op": "replace", "path": "addresses[type eq \"work\"]", "value": {"locality": "Bonn"}}]),
            before,
        );
        assert!(worlds.contains(&(json!({"addresses": [{"locality": "Bonn"}]}), None)), "{worlds:?}");
        let merged = json!({"addresses": [{"type": "work", "locality": "Bonn", "country": "DE"}]});
        assert!(worlds.contains(&(merged, None)), "{worlds:?}");
    }

    #[test]
    fn two_primaries_are_settled_one_way_or_the_other() {
        let both = json!([
            {"value": "a@example.com", "primary": true}, {"value": "b@example.com", "primary": true}
        ]);
        let worlds = of(json!([{"op": "add", "path": "emails", "value": both}]), json!({}));
        let right: Vec<_> = worlds.iter().filter(|(_, grade)| grade.is_none()).collect();
        assert_eq!(right.len(), 2, "{worlds:?}");
    }

    #[test]
    fn what_cannot_be_carried_out_may_only_be_left_out() {
        let before = json!({"id": "1", "title": "A"});
        for operations in [
            json!([{"op": "replace", "path": "id", "value": "2"}]),
            json!([{"op": "replace", "path": "color", "value": "red"}]),
            json!([{"op": "remove", "path": "userName"}]),
        ] {
            let worlds = of(operations.clone(), before.clone());
            assert_eq!(worlds, [(before.clone(), Some(Grade::Warning))], "{operations}");
        }
    }
}
