//! A part of the answer: what is written has to be there.

use serde_json::{Map, Value};

use super::bench::{Bench, Judged, Wrong};
use super::{ExpectError, kind, unasked, words};
use crate::outcome;
use crate::scim::compare::{self, CompareOptions, Extent};
use crate::scim::resource::{elements, is_unassigned, member};

/// Judges the answer by the part of it that is written in `body`.
pub fn judge(bench: &Bench<'_>, written: &Value) -> Result<Judged, ExpectError> {
    let mut judged = Judged::default();
    let expected = bench.resolve("body", written)?;
    let actual = match bench.json("body", "a body") {
        Ok(actual) => actual,
        Err(finding) => {
            judged.broken.push(*finding);
            return Ok(judged);
        }
    };
    let differences = match (&expected, actual) {
        (Value::Object(expected), Value::Object(object)) if kind::is_list(actual) => {
            list_differences(bench, expected, object)
        }
        _ => resource_differences(bench, &expected, actual),
    };
    if let Some(wrong) = wrong(bench, "body", &differences) {
        judged.broken.push(bench.broken(wrong));
    }
    Ok(judged)
}

fn resource_differences(bench: &Bench<'_>, expected: &Value, actual: &Value) -> Vec<compare::Difference> {
    if !expected.is_object() || !actual.is_object() {
        return if expected == actual {
            Vec::new()
        } else {
            vec![difference("$", Some(expected), Some(actual))]
        };
    }
    let definition = kind::definition(bench.context.schemas, bench.exchange, actual);
    let options = CompareOptions { extent: Extent::Subset, ignore_server_derived: false, ignore: Vec::new() };
    let mut differences = compare::differences(expected, actual, &definition, &options);
    differences.retain(|it| it.actual.is_some() || !unasked::may_be_left_out(bench, &it.path));
    differences
}

/// The members of a list as they are, its resources as SCIM compares them.
fn list_differences(
    bench: &Bench<'_>,
    expected: &Map<String, Value>,
    actual: &Map<String, Value>,
) -> Vec<compare::Difference> {
    let mut differences = Vec::new();
    for (name, expected) in expected {
        let found = member(actual, name);
        if name.eq_ignore_ascii_case("Resources") {
            let rows = found.map(elements).unwrap_or_default();
            if is_unassigned(expected) {
                if !rows.is_empty() {
                    differences.push(difference(name, Some(expected), found));
                }
                continue;
            }
            for (index, expected) in elements(expected).iter().enumerate() {
                differences.extend(nearest(bench, index, expected, rows));
            }
        } else if name.eq_ignore_ascii_case("schemas") {
            let urns = found.map(elements).unwrap_or_default();
            for urn in elements(expected).iter().filter(|urn| !urns.contains(urn)) {
                differences.push(difference(name, Some(urn), found));
            }
        } else if is_unassigned(expected) {
            if found.is_some_and(|found| !is_unassigned(found)) {
                differences.push(difference(name, Some(expected), found));
            }
        } else if found != Some(expected) {
            differences.push(difference(name, Some(expected), found));
        }
    }
    differences
}

/// What is missing from the row that comes closest to the one expected: nothing where one fits.
fn nearest(bench: &Bench<'_>, index: usize, expected: &Value, rows: &[Value]) -> Vec<compare::Difference> {
    let mut best: Option<Vec<compare::Difference>> = None;
    for row in rows {
        let found = resource_differences(bench, expected, row);
        if found.is_empty() {
            return found;
        }
        if best.as_ref().is_none_or(|best| found.len() < best.len()) {
            best = Some(found);
        }
    }
    let at = format!("Resources[{index}]");
    match best {
        None => vec![difference(&at, Some(expected), None)],
        Some(found) => found
            .into_iter()
            .map(|difference| compare::Difference { path: format!("{at}.{}", difference.path), ..difference })
            .collect(),
    }
}

fn difference(path: &str, expected: Option<&Value>, actual: Option<&Value>) -> compare::Difference {
    compare::Difference { path: path.to_owned(), expected: expected.cloned(), actual: actual.cloned() }
}

/// The differences as one finding; none if there are none.
pub fn wrong(bench: &Bench<'_>, check: &str, differences: &[compare::Difference]) -> Option<Wrong> {
    let first = differences.first()?;
    let nothing = "absent".to_owned();
    let expected = first
        .expected
        .as_ref()
        .map_or(nothing.clone(), |expected| expected_words(expected, first.actual.as_ref()));
    let actual =
        first.actual.as_ref().map_or(nothing, |actual| words::show_beside(actual, first.expected.as_ref()));
    let more = match differences.len() {
        1 => String::new(),
        count => format!(", and {} more", count - 1),
    };
    Some(Wrong {
        check: check.to_owned(),
        message: format!("{}: {} is {actual}, expected {expected}{more}", bench.subject(), first.path),
        expected: format!("{}: {expected}", first.path),
        actual: format!("{}: {actual}", first.path),
        expected_class: signature(differences, |difference| difference.expected.as_ref()),
        actual_class: signature(differences, |difference| difference.actual.as_ref()),
        differences: differences.iter().map(shown).collect(),
        ..Wrong::default()
    })
}

fn expected_words(value: &Value, actual: Option<&Value>) -> String {
    if is_unassigned(value) { "absent, null or empty".to_owned() } else { words::show_beside(value, actual) }
}

fn shown(difference: &compare::Difference) -> outcome::Difference {
    let nothing = || "absent".to_owned();
    outcome::Difference {
        path: difference.path.clone(),
        expected: difference
            .expected
            .as_ref()
            .map_or_else(nothing, |expected| expected_words(expected, difference.actual.as_ref())),
        actual: difference
            .actual
            .as_ref()
            .map_or_else(nothing, |actual| words::show_beside(actual, difference.expected.as_ref())),
    }
}

/// Paths without indexes, each with the class of its value: the same from run to run.
fn signature<'d>(
    differences: &'d [compare::Difference],
    side: impl Fn(&'d compare::Difference) -> Option<&'d Value>,
) -> String {
    let mut parts: Vec<String> = differences
        .iter()
        .map(|difference| {
            format!("{} {}", without_indexes(&difference.path), words::class_of(side(difference)))
        })
        .collect();
    parts.sort();
    parts.dedup();
    words::clip(&parts.join(", "), 300)
}

/// The path without what stands in brackets.
pub(super) fn without_indexes(path: &str) -> String {
    let mut out = String::with_capacity(path.len());
    let mut depth = 0_u32;
    for c in path.chars() {
        match c {
            '[' => depth += 1,
            ']' => depth = depth.saturating_sub(1),
            _ if depth == 0 => out.push(c),
            _ => {}
        }
    }
    out
}
