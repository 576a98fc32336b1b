//! The vectors under `fixtures/vectors/`: texts, filters and PATCH requests with what should come of them, written by
//! hand from the RFCs. They hold for the reading of SCIM on its own, and for the server that stands on it.

mod core;
mod server;

use std::collections::BTreeSet;
use std::fs;

use serde_json::Value;

fn read(name: &str) -> Value {
    let path = format!("{}/fixtures/vectors/{name}", env!("CARGO_MANIFEST_DIR"));
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

/// What the instants of the vectors stand for: T0 is before the data was created, T1 after.
struct Instants {
    t0: &'static str,
    t0_elsewhere: &'static str,
    t1_elsewhere: &'static str,
}

impl Instants {
    /// For data that is said to be of the beginning of 2026.
    const FIXED: Instants = Instants {
        t0: "2026-01-01T00:00:00Z",
        t0_elsewhere: "2026-01-01T05:30:00+05:30",
        t1_elsewhere: "2026-01-01T16:00:00-08:00",
    };
    /// For data that is created now, whenever that is.
    const WIDE: Instants = Instants {
        t0: "2020-01-01T00:00:00Z",
        t0_elsewhere: "2020-01-01T05:30:00+05:30",
        t1_elsewhere: "2999-01-01T16:00:00-08:00",
    };
}

/// Puts ids and instants for the `{{…}}` of the vectors.
fn substituted(text: &str, id: &dyn Fn(&str) -> Option<String>, instants: &Instants) -> String {
    let mut text = text
        .replace("{{T0}}", instants.t0)
        .replace("{{T0+05:30}}", instants.t0_elsewhere)
        .replace("{{T1-08:00}}", instants.t1_elsewhere);
    for key in ["u1", "u2", "u3", "u4", "u5", "u6", "g1", "g2", "a", "b", "c", "g"] {
        if let Some(id) = id(key) {
            text = text.replace(&format!("{{{{{key}.id}}}}"), &id);
        }
    }
    assert!(!text.contains("{{"), "{text}");
    text
}
