//! The vectors hold for the reading of SCIM in `scimspec::scim`: each with its preferred outcome, but for those that
//! are listed here by name, which take one that is accepted too.

use std::collections::{BTreeMap, BTreeSet};

use scimspec::oracle::written::{Grade, Write, departures};
use scimspec::scim::compare::{CompareOptions, differences};
use scimspec::scim::definition::ResourceDefinition;
use scimspec::scim::error::ScimError;
use scimspec::scim::filter::{Filter, FilterTypeErrorKind, matches};
use scimspec::scim::patch::{PatchOptions, PatchRequest, apply};
use scimspec::scim::path::PatchPath;
use scimspec::scim::project::Projection;
use scimspec::scim::schema::SchemaSet;
use scimspec::scim::{filter, names};
use serde_json::{Value, json};

use super::{list, population, read, set, text};

/// Puts ids and instants for the `{{…}}` of the vectors.
fn substituted(text: &str) -> String {
    super::substituted(text, &|key| Some(format!("id-of-{key}")), &super::Instants::FIXED)
}

fn substituted_value(value: &Value) -> Value {
    serde_json::from_str(&substituted(&value.to_string())).unwrap()
}

/// The outcome of a filter vector: ids found, or an error.
#[derive(Debug, PartialEq)]
enum Found {
    Ids(BTreeSet<String>),
    Error(u16, String),
}

fn refused(error: &ScimError) -> Found {
    Found::Error(error.status, error.scim_type.map(|it| it.to_string()).unwrap_or_default())
}

fn found(outcome: &Value) -> Found {
    match outcome.get("error") {
        Some(error) => {
            Found::Error(text(error, "status").parse().unwrap(), text(error, "scimType").to_owned())
        }
        None => Found::Ids(set(list(outcome, "ids"))),
    }
}

/// As a server would: a filter that does not suit the only resource type of the endpoint is refused; at
/// the root, an attribute that a type lacks has no value.
fn query(filter: &str, rows: &[(String, ResourceDefinition, Value)], is_root: bool) -> Found {
    let filter = match Filter::parse(filter) {
        Ok(filter) => filter,
        Err(error) => return refused(&error.for_filter()),
    };
    let mut ids = BTreeSet::new();
    for (key, definition, resource) in rows {
        let problems = filter::evaluate::problems(&filter, definition);
        if let Some(problem) =
            problems.into_iter().find(|it| !is_root || it.kind != FilterTypeErrorKind::Unknown)
        {
            return refused(&problem.into());
        }
        if matches(&filter, resource, definition).unwrap() {
            ids.insert(key.clone());
        }
    }
    Found::Ids(ids)
}

#[test]
fn filter_vectors() {
    let document = read("filter.yaml");
    let mut not_preferred = Vec::new();
    let mut failures = Vec::new();
    let members = population();
    let vectors = list(&document, "vectors");
    assert_eq!(vectors.len(), 146);
    for vector in vectors {
        let id = text(vector, "id");
        let endpoint = text(vector, "endpoint");
        let rows: Vec<_> = members
            .iter()
            .filter(|(_, lives, _)| endpoint == "/" || *lives == endpoint)
            .map(|(key, lives, resource)| {
                let definition = SchemaSet::core().definition_by_endpoint(lives).unwrap();
                let mut resource = substituted_value(resource);
                resource["id"] = format!("id-of-{key}").into();
                resource["meta"] = json!({
                    "resourceType": definition.name,
                    "created": "2026-01-01T00:00:00.250Z",
                    "lastModified": "2026-01-01T00:00:00.250Z"
                });
                (key.clone(), definition, resource)
            })
            .collect();
        let outcome = query(&substituted(text(vector, "filter")), &rows, endpoint == "/");
        if outcome == found(&vector["expected"]) {
            continue;
        }
        if list(vector, "also_accepted").iter().any(|it| outcome == found(it)) {
            not_preferred.push(id);
        } else {
            failures.push(format!("{id} {}: {outcome:?}", text(vector, "filter")));
        }
    }
    assert!(failures.is_empty(), "{failures:#?}");
    assert_eq!(not_preferred, [""; 0], "accepted, but not preferred");
}

/// The open texts of the corpus that the parser takes; it refuses the others.
const CORPUS_TAKEN: [&str; 34] = [
    "F046", "F047", "F064", "F105", "F109", "F110", "F111", "F112", "F113", "F114", "F125", "F129", "F130",
    "F131", "F132", "F133", "F144", "F145", "F148", "F150", "F151", "F154", "F155", "F156", "F235", "F236",
    "F237", "F285", "F288", "P299", "P302", "P303", "P307", "P329",
];

#[test]
fn filter_corpus_texts() {
    let document = read("filter_corpus.yaml");
    let entries = list(&document, "entries");
    assert_eq!(entries.len(), 336);
    let user = SchemaSet::core().definition("User").unwrap();
    let mut taken = Vec::new();
    let mut failures = Vec::new();
    for entry in entries {
        let (id, source) = (text(entry, "id"), text(entry, "text"));
        let is_ok = match text(entry, "kind") {
            "filter" => {
                let filter = Filter::parse(source);
                if let Ok(filter) = &filter {
                    assert_eq!(Filter::parse(&filter.to_string()).as_ref(), Ok(filter), "{id}");
                    if entry["on_user_schema"] == "known" {
                        let unknown: Vec<_> = filter::evaluate::problems(filter, &user)
                            .into_iter()
                            .filter(|it| it.kind == FilterTypeErrorKind::Unknown)
                            .collect();
                        assert!(unknown.is_empty(), "{id} {source}: {unknown:?}");
                    }
                    if let Some(table) = entry["truth_table"].as_str() {
                        assert_eq!(truth_table(filter), table, "{id} {source}");
                    }
                }
                filter.is_ok()
            }
            "path" => {
                let path = PatchPath::parse(source);
                if let Ok(path) = &path {
                    assert_eq!(PatchPath::parse(&path.to_string()).as_ref(), Ok(path), "{id}");
                }
                path.is_ok()
            }
            other => panic!("{id}: {other}"),
        };
        match (text(entry, "expect"), is_ok) {
            ("ok", true) | ("error", false) | ("open", false) => {}
            ("open", true) => taken.push(id),
            (expect, _) => failures.push(format!("{id} {source:?}: expected {expect}")),
        }
    }
    assert!(failures.is_empty(), "{failures:#?}");
    assert_eq!(taken, CORPUS_TAKEN);
}

/// The truth of a filter over `a eq "1"` … `d eq "1"`, for all 16 assignments.
fn truth_table(filter: &Filter) -> String {
    let attribute = |name: &str| json!({"name": name, "type": "string", "multiValued": false});
    let attributes: Vec<Value> = ["a", "b", "c", "d"].map(attribute).into();
    let schema = json!({"id": "urn:t", "attributes": attributes});
    let schema = scimspec::scim::schema::Schema::from_json(&schema).value.unwrap();
    let definition = ResourceDefinition::new("T".into(), "/T".into(), schema, Vec::new());
    (0..16_u32)
        .map(|bits| {
            let value = |bit: u32| if bits & (1 << bit) == 0 { "0" } else { "1" };
            let resource = json!({"a": value(0), "b": value(1), "c": value(2), "d": value(3)});
            if matches(filter, &resource, &definition).unwrap() { '1' } else { '0' }
        })
        .collect()
}

#[test]
fn filter_corpus_evaluation() {
    let document = read("filter_corpus.yaml");
    let evaluation = &document["evaluation"];
    let user = SchemaSet::core().definition("User").unwrap();
    let vectors = list(evaluation, "vectors");
    assert_eq!(vectors.len(), 110);
    let mut failures = Vec::new();
    for vector in vectors {
        let filter = Filter::parse(text(vector, "filter")).unwrap();
        let (must, open) = (set(list(vector, "must")), set(list(vector, "open")));
        for resource in list(evaluation, "dataset") {
            let id = text(resource, "id");
            let is_match = matches(&filter, resource, &user).unwrap();
            if is_match != must.contains(id) && !open.contains(id) {
                failures.push(format!("{} {filter}: {id} {is_match}", text(vector, "id")));
            }
        }
    }
    assert!(failures.is_empty(), "{failures:#?}");
}

/// The outcome of a PATCH vector.
#[derive(Debug)]
enum Patched {
    Resource(Value),
    Error(ScimError),
}

fn patched(body: &Value, resource: &Value, definition: &ResourceDefinition) -> Patched {
    let options = PatchOptions::default();
    let operations = match PatchRequest::parse(body, options) {
        Ok(operations) => operations,
        Err(error) => return Patched::Error(error),
    };
    match apply(&operations, resource, definition, options) {
        Ok(resource) => Patched::Resource(resource),
        Err(error) => Patched::Error(error),
    }
}

fn is_met(expected: &Value, outcome: &Patched, initial: &Value, definition: &ResourceDefinition) -> bool {
    match (expected.get("error"), outcome) {
        (Some(error), Patched::Error(outcome)) => {
            text(error, "status") == outcome.status.to_string()
                && error["scimType"].as_str() == outcome.scim_type.map(|it| it.as_str())
        }
        (None, Patched::Resource(resource)) => {
            let expected = if expected["unchanged"] == true {
                initial.clone()
            } else {
                let mut expected = substituted_value(&expected["resource"]);
                expected["id"] = initial["id"].clone();
                expected["meta"] = initial["meta"].clone();
                expected
            };
            // A password can be written, but is not seen.
            let resource = Projection::Default.apply(resource, definition);
            differences(&expected, &resource, definition, &CompareOptions::whole()).is_empty()
        }
        _ => false,
    }
}

/// Accepted, but not preferred: a `replace` without value is invalidSyntax to us, as an `add` without value is.
const PATCH_VECTORS_NOT_PREFERRED: [&str; 1] = ["PV-075"];

/// Two users of one name are the store's concern, a single resource cannot collide: the server's test has them.
const PATCH_VECTORS_OF_THE_STORE: [&str; 2] = ["PV-106", "PV-107"];

#[test]
fn patch_vectors() {
    let document = read("patch.yaml");
    let vectors = list(&document, "vectors");
    assert_eq!(vectors.len(), 131);
    let mut not_preferred = Vec::new();
    let mut failures = Vec::new();
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for vector in vectors {
        let id = text(vector, "id");
        if PATCH_VECTORS_OF_THE_STORE.contains(&id) {
            continue;
        }
        let definition = SchemaSet::core().definition(text(vector, "resource_type")).unwrap();
        let mut initial = substituted_value(&document["initial_resources"][text(vector, "initial")]);
        initial["id"] = "id-of-this".into();
        initial["meta"] = json!({"resourceType": definition.name, "created": "2026-01-01T00:00:00Z"});
        let body = match vector.get("operations") {
            Some(operations) => json!({"schemas": [names::PATCH_OP], "Operations": operations}),
            None => vector["request"].clone(),
        };
        let before = initial.clone();
        let outcome = patched(&substituted_value(&body), &initial, &definition);
        assert_eq!(initial, before);
        let kind = if is_met(&vector["expected"], &outcome, &initial, &definition) {
            "preferred"
        } else if list(vector, "also_accepted").iter().any(|it| is_met(it, &outcome, &initial, &definition)) {
            not_preferred.push(id);
            "accepted"
        } else {
            failures.push(format!("{id} {body}\n  got {outcome:?}\n  expected {}", vector["expected"]));
            "failed"
        };
        *counts.entry(kind).or_default() += 1;
    }
    assert!(failures.is_empty(), "{}\n{counts:?}", failures.join("\n"));
    assert_eq!(not_preferred, PATCH_VECTORS_NOT_PREFERRED);
}

/// Whatever a vector accepts, the model of a write accepts: no server is blamed for it.
#[test]
fn the_model_of_a_patch_accepts_what_the_vectors_accept() {
    let document = read("patch.yaml");
    let mut failures = Vec::new();
    for vector in list(&document, "vectors") {
        let id = text(vector, "id");
        let definition = SchemaSet::core().definition(text(vector, "resource_type")).unwrap();
        let mut before = substituted_value(&document["initial_resources"][text(vector, "initial")]);
        before["id"] = "id-of-this".into();
        let body = match vector.get("operations") {
            Some(operations) => json!({"schemas": [names::PATCH_OP], "Operations": operations}),
            None => vector["request"].clone(),
        };
        let sent = substituted_value(&body);
        let outcomes = std::iter::once(&vector["expected"]).chain(list(vector, "also_accepted"));
        for outcome in outcomes.filter(|it| it.get("error").is_none()) {
            let after = match outcome.get("resource") {
                Some(resource) => substituted_value(resource),
                None => before.clone(),
            };
            let write = Write::Patch { sent: &sent, before: &before };
            // What the model cannot read as operations may only change nothing.
            let found = departures(&write, &after, &definition).unwrap_or_default();
            let bad: Vec<_> = found.iter().filter(|it| it.grade >= Grade::FailureIfStrict).collect();
            if !bad.is_empty() {
                failures.push(format!("{id}: {outcome}\n  {bad:#?}"));
            }
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}
