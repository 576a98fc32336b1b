//! The answer as a resource that keeps the service provider's own schemas.

use serde_json::Value;

use super::bench::{Bench, Judged, Wrong};
use super::{ExpectError, kind, words};
use crate::outcome::{Difference, Severity};
use crate::scim::resource::get;
use crate::scim::validate::{ValidationPurpose, Violation, ViolationKind, validate};

/// Judges the answer as a resource of the type named.
pub fn judge(bench: &Bench<'_>, name: &str) -> Result<Judged, ExpectError> {
    let mut judged = Judged::default();
    let actual = match bench.json("resource", "a resource") {
        Ok(actual) => actual,
        Err(finding) => {
            judged.broken.push(*finding);
            return Ok(judged);
        }
    };
    let Some(definition) = bench.context.schemas.definition(name) else {
        let known: Vec<String> =
            bench.context.schemas.resource_types.iter().map(|kind| kind.name.clone()).collect();
        let message = format!("no resource type is called '{name}'; there are {}", words::or(&known));
        return Err(bench.error("resource", message));
    };
    let purpose = if kind::is_projected(&bench.exchange.request) {
        ValidationPurpose::ProjectedAnswer
    } else {
        ValidationPurpose::Answer
    };
    let violations = validate(actual, &definition, purpose);
    let (remarks, broken): (Vec<Violation>, Vec<Violation>) =
        violations.into_iter().partition(|violation| severity(violation.kind).is_some());
    if let Some(wrong) = wrong(bench, name, &broken) {
        judged.broken.push(bench.broken(wrong));
    }
    for level in [Severity::Warning, Severity::Note] {
        let same: Vec<Violation> =
            remarks.iter().filter(|violation| severity(violation.kind) == Some(level)).cloned().collect();
        if let Some(wrong) = wrong(bench, name, &same) {
            judged.remarks.push(bench.finding(wrong, level.min(bench.level.severity())));
        }
    }
    if let Some(found) = get(actual, "meta").and_then(|meta| get(meta, "resourceType"))
        && found.as_str() != Some(definition.name.as_str())
    {
        judged.broken.push(bench.broken(Wrong {
            check: "resource".to_owned(),
            message: format!(
                "{}: meta.resourceType is {}, expected \"{}\"",
                bench.subject(),
                words::show_typed(found),
                definition.name
            ),
            expected: definition.name.clone(),
            actual: words::show(found),
            expected_class: "meta.resourceType".to_owned(),
            actual_class: words::class(found).to_owned(),
            ..Wrong::default()
        }));
    }
    Ok(judged)
}

/// The severity of what breaks no requirement by itself; `None` for what does.
fn severity(kind: ViolationKind) -> Option<Severity> {
    match kind {
        // Returning what no schema declares is legal to read past (RFC 7643 section 2).
        ViolationKind::Unknown => Some(Severity::Warning),
        // Canonical values are suggestions (RFC 7643 section 7).
        ViolationKind::Canonical => Some(Severity::Note),
        _ => None,
    }
}

fn wrong(bench: &Bench<'_>, name: &str, violations: &[Violation]) -> Option<Wrong> {
    let first = violations.first()?;
    let actual = get_path(bench.exchange.json()?, &first.path);
    let more = match violations.len() {
        1 => String::new(),
        count => format!(", and {} more", count - 1),
    };
    let mut classes: Vec<String> =
        violations.iter().map(|violation| format!("{:?}", violation.kind)).collect();
    classes.sort();
    classes.dedup();
    let at = if first.path.is_empty() { "the body" } else { first.path.as_str() };
    Some(Wrong {
        check: "resource".to_owned(),
        message: format!("{}: {at}: {}{more}", bench.subject(), words::clip(&first.message, 200)),
        expected: format!("a {name} that keeps its schemas"),
        actual: actual.map_or_else(|| words::clip(&first.message, 200), words::show_typed),
        expected_class: format!("resource {name}"),
        actual_class: classes.join(", "),
        differences: violations
            .iter()
            .map(|violation| Difference {
                path: violation.path.clone(),
                expected: words::clip(&violation.message, 200),
                actual: exchange_value(bench, &violation.path),
            })
            .collect(),
        ..Wrong::default()
    })
}

fn exchange_value(bench: &Bench<'_>, path: &str) -> String {
    bench.exchange.json().and_then(|body| get_path(body, path)).map_or("absent".to_owned(), words::show)
}

/// The value at a path of names and indexes; `None` where the path does not lead there, as with names that
/// hold dots.
fn get_path<'a>(body: &'a Value, path: &str) -> Option<&'a Value> {
    if path.is_empty() {
        return Some(body);
    }
    path.split('.').try_fold(body, |value, part| {
        let (name, indexes) = part.split_once('[').unwrap_or((part, ""));
        let value = get(value, name)?;
        indexes
            .split('[')
            .filter(|index| !index.is_empty())
            .try_fold(value, |value, index| value.get(index.trim_end_matches(']').parse::<usize>().ok()?))
    })
}
