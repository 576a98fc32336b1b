//! The vectors under `fixtures/vectors/`: texts, filters and PATCH requests with what should come of them, written by
//! hand from the RFCs. They hold for the reading of SCIM on its own, and for the server that stands on it.

mod core;
mod server;

use std::collections::BTreeSet;
use std::fs;

use serde_json::Value;

fn read(name: &str) -> Value {
    read_at(&format!("fixtures/vectors/{name}"))
}

fn read_at(path: &str) -> Value {
    let path = format!("{}/{path}", env!("CARGO_MANIFEST_DIR"));
    let text = fs::read_to_string(&path).unwrap();
    let options = serde_saphyr::options! {
        strict_booleans: true,
        leading_zero_numbers_as_strings: true,
        underscored_numbers_as_strings: true,
    };
    serde_saphyr::from_str_with_options(&text, options).unwrap_or_else(|error| panic!("{path}: {error}"))
}

fn list<'a>(value: &'a Value, member: &str) -> &'a [Value] {
    value[member].as_array().map(Vec::as_slice).unwrap_or_default()
}

fn text<'a>(value: &'a Value, member: &str) -> &'a str {
    value[member].as_str().unwrap_or_else(|| panic!("{member} in {value}"))
}

fn set(values: &[Value]) -> BTreeSet<String> {
    values.iter().map(|it| it.as_str().unwrap().to_owned()).collect()
}

/// What the instants of the filter vectors stand for: before the population was created, and after.
struct Instants {
    before: &'static str,
    before_east: &'static str,
    after_west: &'static str,
}

impl Instants {
    /// For data that is said to be of the beginning of 2026.
    const FIXED: Instants = Instants {
        before: "2026-01-01T00:00:00Z",
        before_east: "2026-01-01T05:30:00+05:30",
        after_west: "2026-01-01T16:00:00-08:00",
    };
    /// For data that is created now, whenever that is.
    const WIDE: Instants = Instants {
        before: "2020-01-01T00:00:00Z",
        before_east: "2020-01-01T05:30:00+05:30",
        after_west: "2999-01-01T16:00:00-08:00",
    };
}

/// Puts ids for the `{{…}}` of the PATCH vectors, and for the `${…}` of the filter vectors what they stand for.
fn substituted(text: &str, id: &dyn Fn(&str) -> Option<String>, instants: &Instants) -> String {
    let mut text = text
        .replace("${before}", instants.before)
        .replace("${before-east}", instants.before_east)
        .replace("${after-west}", instants.after_west)
        .replace("${run}", "run7")
        .replace("${domain}", "example.com");
    for key in ["u1", "u2", "u3", "u4", "u5", "u6", "g1", "g2", "a", "b", "c", "g"] {
        if let Some(id) = id(key) {
            text = text.replace(&format!("{{{{{key}.id}}}}"), &id).replace(&format!("${{{key}.id}}"), &id);
        }
    }
    assert!(!text.contains("{{") && !text.contains("${"), "{text}");
    text
}

/// The members of the population that the filter vectors are about: key, endpoint, resource as it is written.
fn population() -> Vec<(String, &'static str, Value)> {
    let document = read_at("fixtures/populations/filters.yaml");
    let members = document["members"].as_object().unwrap();
    members
        .iter()
        .map(|(key, member)| {
            let resource = member["inline"].clone();
            let is_group = resource["schemas"][0].as_str().unwrap().ends_with(":Group");
            (key.clone(), if is_group { "/Groups" } else { "/Users" }, resource)
        })
        .collect()
}
