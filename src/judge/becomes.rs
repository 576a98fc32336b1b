//! The whole resource as it should be now: from what was there or was sent, with what should have changed.
//!
//! Where the expectation starts from a request body (`sent`), the service provider may have added defaults,
//! so attributes that were not sent are let be. Where it starts from a state that the service provider
//! showed (`from`), nothing else may differ. What a server derives (`meta`, `$ref`, `display`, …) is left
//! aside in both.

use indexmap::IndexMap;
use serde_json::{Map, Value};

use super::bench::{Bench, Judged};
use super::{ExpectError, body, kind, unasked};
use crate::scim::compare::{self, CompareOptions, Extent};
use crate::scim::definition::ResourceDefinition;
use crate::scim::patch::{self, PatchOptions, PatchRequest};
use crate::scim::resource::{get, member, member_mut, remove_member, set_member};
use crate::suite::model::Becomes;

/// Judges the answer as the whole resource described.
pub fn judge(bench: &Bench<'_>, becomes: &Becomes) -> Result<Judged, ExpectError> {
    let mut judged = Judged::default();
    let actual = match bench.json("becomes", "a resource") {
        Ok(actual) => actual,
        Err(finding) => {
            judged.broken.push(*finding);
            return Ok(judged);
        }
    };
    let definition = kind::definition(bench.context.schemas, bench.exchange, actual);
    let (mut expected, id) = base(bench, becomes, &definition)?;
    if let Some(object) = expected.as_object_mut() {
        change(bench, object, &becomes.set, &becomes.without)?;
        if becomes.from.is_none() {
            adopt_defaults(object, actual);
        }
        remove_member(object, "id");
        if let Some(id) = id {
            set_member(object, "id", Value::String(id));
        }
    }
    let ignore = if get(&expected, "id").is_some() { Vec::new() } else { vec!["id".to_owned()] };
    let options = CompareOptions { extent: Extent::Whole, ignore_server_derived: true, ignore };
    let mut differences = compare::differences(&expected, actual, &definition, &options);
    differences.retain(|it| it.actual.is_some() || !unasked::may_be_left_out(bench, &it.path));
    if let Some(wrong) = body::wrong(bench, "becomes", &differences) {
        judged.broken.push(bench.broken(wrong));
    }
    Ok(judged)
}

/// What the expectation starts from, and the id it must have where that is known.
fn base(
    bench: &Bench<'_>,
    becomes: &Becomes,
    definition: &ResourceDefinition,
) -> Result<(Value, Option<String>), ExpectError> {
    let (state, id) = match (&becomes.from, &becomes.sent) {
        (Some(name), None) => {
            let handle = bench.context.ours.handle(name).ok_or_else(|| {
                bench.lack("becomes.from", format!("'{name}' names no single resource of this case"))
            })?;
            let state = handle.state.clone().ok_or_else(|| {
                bench.lack("becomes.from", format!("no state of '{name}' is known; read it before"))
            })?;
            (state, handle.id.clone())
        }
        (None, Some(step)) => (sent(bench, "becomes.sent", step)?.clone(), None),
        _ => return Err(bench.error("becomes", "becomes needs exactly one of from and sent")),
    };
    let Some(step) = &becomes.patched_by else { return Ok((state, id)) };
    let request = sent(bench, "becomes.patched-by", step)?;
    let options = PatchOptions {
        boolean_strings: true,
        path_keys: true,
        extension_paths: true,
        ignore_read_only_members: true,
        ..PatchOptions::default()
    };
    let patched = PatchRequest::parse(request, options)
        .and_then(|operations| patch::apply(&operations, &state, definition, options))
        .map_err(|error| {
            let message = format!("the operations of step '{step}' cannot be applied: {error}");
            bench.lack("becomes.patched-by", message)
        })?;
    Ok((patched, id))
}

fn sent<'a>(bench: &Bench<'a>, part: &str, step: &str) -> Result<&'a Value, ExpectError> {
    bench
        .context
        .sent
        .get(step)
        .ok_or_else(|| bench.lack(part, format!("no step '{step}' has sent a body before this one")))
}

/// Sets and removes top-level attributes. What is set to null or left out stays as an explicit null: it must
/// not be there.
fn change(
    bench: &Bench<'_>,
    object: &mut Map<String, Value>,
    set: &IndexMap<String, Value>,
    without: &[String],
) -> Result<(), ExpectError> {
    for (name, value) in set {
        let value = bench.resolve("becomes.set", value)?;
        set_member(object, &bench.text("becomes.set", name)?, value);
    }
    for name in without {
        set_member(object, name, Value::Null);
    }
    Ok(())
}

/// Takes over what the answer holds and the request left open: whole attributes, sub-attributes of a complex
/// one, and sub-attributes of elements that have the same `value`. Explicit nulls stay.
fn adopt_defaults(expected: &mut Map<String, Value>, actual: &Value) {
    let Some(actual) = actual.as_object() else { return };
    for (name, actual) in actual {
        if member(expected, name).is_none() {
            expected.insert(name.clone(), actual.clone());
            continue;
        }
        let Some(expected) = member_mut(expected, name) else { continue };
        match (expected, actual) {
            (Value::Object(expected), Value::Object(actual)) => adopt_members(expected, actual),
            (Value::Array(expected), Value::Array(actual)) => {
                for element in expected.iter_mut().filter_map(Value::as_object_mut) {
                    let value = member(element, "value").cloned();
                    let twin = actual
                        .iter()
                        .filter_map(Value::as_object)
                        .find(|it| member(it, "value") == value.as_ref());
                    if let (Some(_), Some(twin)) = (value, twin) {
                        adopt_members(element, twin);
                    }
                }
            }
            _ => {}
        }
    }
}

fn adopt_members(expected: &mut Map<String, Value>, actual: &Map<String, Value>) {
    for (name, value) in actual {
        if member(expected, name).is_none() {
            expected.insert(name.clone(), value.clone());
        }
    }
}
