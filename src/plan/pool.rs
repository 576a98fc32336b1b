//! What a step stands on and what it may change, and so which resources several cases can share.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::all_steps;
use crate::suite::model::{Action, Becomes, Case, Given, Make, Payload, Step};
use crate::suite::template::references;

/// Whether a step can change something on the target. A POST to `.search` is a read.
pub fn is_write(step: &Step) -> bool {
    match step.action() {
        Ok(Action::Send { line, .. }) => {
            let mut words = line.split_whitespace();
            let method = words.next().unwrap_or_default();
            let path = words.next().unwrap_or_default();
            !matches!(method, "GET" | "HEAD" | "OPTIONS") && !path.ends_with("/.search")
        }
        // Nobody knows what a command does.
        Ok(Action::Hook(_)) => true,
        Ok(Action::Parallel(parallel)) => parallel.steps().iter().any(is_write),
        // What an action does is known of the case that has its steps in place.
        Ok(
            Action::Query(_)
            | Action::Read(_)
            | Action::Unchanged(_)
            | Action::Do(_)
            | Action::Paginate(_)
            | Action::Burst(_)
            | Action::Wait(_),
        )
        | Err(_) => false,
    }
}

/// The givens of a case that can be shared, each with the key of its pool: those that no request but a GET
/// mentions, and that stand on nothing made for this case alone.
pub(super) fn pooled(case: &Case) -> BTreeMap<String, String> {
    let mut touched = BTreeSet::new();
    for step in all_steps(case).filter(|step| is_write(step)) {
        touched.extend(mentions(step));
    }
    let mut keys: BTreeMap<String, String> = BTreeMap::new();
    for (name, given) in &case.given {
        if touched.contains(name) {
            continue;
        }
        if let Some(mut key) = pool_key(given, &keys) {
            // Two givens of one case are two resources, however alike they are.
            while keys.values().any(|other| *other == key) {
                key.push_str(" again");
            }
            keys.insert(name.clone(), key);
        }
    }
    keys
}

/// What two givens have in common when one resource can serve for both. `None` where a given stands on
/// something that is not shared.
fn pool_key(given: &Given, earlier: &BTreeMap<String, String>) -> Option<String> {
    let mut key = format!("{given:?}");
    let mut names = BTreeSet::new();
    for value in given.set.values().chain(&given.inline) {
        names_in(value, &mut names);
    }
    for name in names {
        if name != "run" {
            key.push('|');
            key.push_str(earlier.get(&name)?);
        }
    }
    Some(key)
}

/// The names that a step's request stands on.
pub fn mentions(step: &Step) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    if let Ok(Action::Send { payload: Payload::Bulk(bulk), .. }) = step.action() {
        names_in(&bulk.fail_on_errors.clone().unwrap_or_default(), &mut names);
        for operation in &bulk.operations {
            let texts = [&operation.path, &operation.version, &operation.bulk_id, &operation.method];
            for text in texts.into_iter().flatten() {
                names.extend(references(text).map(|reference| reference.name));
            }
            operation.data.iter().chain(&operation.patch).for_each(|value| names_in(value, &mut names));
            operation.make.iter().for_each(|make| names_of(make, &mut names));
        }
    }
    let mut text = |text: &str| names.extend(references(text).map(|reference| reference.name));
    match step.action() {
        Ok(Action::Send { line, payload }) => {
            text(line);
            for header in step.headers.values().flatten() {
                text(header);
            }
            match payload {
                // What a bulk job mentions stands above.
                Payload::None | Payload::Bulk(_) | Payload::Hex(_) => {}
                Payload::Raw(raw) => text(raw),
                Payload::Body(value) | Payload::Operations(value) => names_in(value, &mut names),
                Payload::Make(make) => names_of(make, &mut names),
            }
        }
        Ok(Action::Query(query)) => text(query.filter.as_deref().unwrap_or_default()),
        Ok(Action::Read(name)) => {
            names.insert(name.to_owned());
        }
        Ok(Action::Unchanged(all)) => names.extend(all.iter().cloned()),
        Ok(Action::Paginate(paginate)) => text(paginate.filter.as_deref().unwrap_or_default()),
        Ok(Action::Hook(_)) => step.with.values().for_each(|value| text(value)),
        Ok(Action::Burst(burst)) => text(&burst.send),
        Ok(Action::Parallel(parallel)) => {
            step.headers.values().flatten().for_each(|header| text(header));
            let mut requests: BTreeSet<String> = parallel.steps().iter().flat_map(mentions).collect();
            if let Some(name) = &parallel.name {
                requests.remove(name);
            }
            names.extend(requests.into_iter().chain(parallel.over.clone()));
        }
        Ok(Action::Wait(_) | Action::Do(_)) | Err(_) => {}
    }
    names
}

/// The names whose resource a step's expectation or body starts from, so that a read has to have shown it.
pub fn stands_on(step: &Step) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    let mut becomes = |becomes: &Option<Becomes>| {
        names.extend(becomes.iter().filter_map(|becomes| becomes.from.clone()));
    };
    if let Some(expect) = &step.expect {
        becomes(&expect.becomes);
        expect.any.iter().for_each(|alternative| becomes(&alternative.becomes));
        expect.also.iter().for_each(|block| {
            becomes(&block.becomes);
            block.any.iter().for_each(|alternative| becomes(&alternative.becomes));
        });
    }
    let in_bulk =
        step.bulk.iter().flat_map(|bulk| &bulk.operations).filter_map(|operation| operation.make.as_ref());
    names.extend(step.make.iter().chain(in_bulk).filter_map(|make| make.from.clone()));
    if let Some(parallel) = &step.parallel {
        names.extend(
            parallel.steps().iter().flat_map(stands_on).filter(|name| parallel.name.as_ref() != Some(name)),
        );
    }
    names
}

fn names_of(make: &Make, names: &mut BTreeSet<String>) {
    names.extend(make.from.iter().chain(&make.sent).cloned());
    for value in make.set.values().chain(make.at.values()) {
        names_in(value, names);
    }
    for path in make.at.keys() {
        names.extend(references(path).map(|reference| reference.name));
    }
}

fn names_in(value: &Value, names: &mut BTreeSet<String>) {
    match value {
        Value::String(text) => names.extend(references(text).map(|reference| reference.name)),
        Value::Array(all) => all.iter().for_each(|value| names_in(value, names)),
        Value::Object(members) => members.values().for_each(|value| names_in(value, names)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}
