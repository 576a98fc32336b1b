//! A SCIM error: its status, its schema, its keyword (RFC 7644 section 3.12).

use serde_json::{Map, Value};

use super::bench::{Bench, Judged, Wrong};
use super::words;
use crate::outcome::Reading;
use crate::outcome::Severity;
use crate::scim::names;
use crate::scim::resource::{elements, member};
use crate::suite::model::ErrorExpect;

/// Judges the body of the answer as the SCIM error described; its status was judged before.
pub fn judge(bench: &Bench<'_>, expect: &ErrorExpect) -> Judged {
    // An answer to HEAD has no body.
    if bench.exchange.request.method == "HEAD" { Judged::default() } else { body(bench, expect) }
}

fn body(bench: &Bench<'_>, expect: &ErrorExpect) -> Judged {
    let mut judged = Judged::default();
    let code = bench.response.status;
    let subject = bench.subject();
    let answered = format!("{subject} answered {}", words::status(code));
    let json = match bench.response.body.json() {
        Ok(json) => json,
        Err(problem) => {
            let why = words::problem(problem, bench.response);
            let wrong = Wrong {
                check: "error.body".to_owned(),
                at: Some("error".to_owned()),
                message: format!("{answered} without a SCIM error: {why}"),
                expected: "a SCIM error as JSON".to_owned(),
                actual: why,
                expected_class: "SCIM error".to_owned(),
                actual_class: words::problem_class(problem).to_owned(),
                ..Wrong::default()
            };
            // A gateway in front of the server may have refused before SCIM saw the request.
            if may_come_from_gateway(code) && expect.scim_type.is_empty() {
                judged.remarks.push(bench.finding(wrong, Severity::Warning.min(bench.level.severity())));
            } else {
                judged.broken.push(bench.broken(wrong));
            }
            return judged;
        }
    };
    let Some(object) = json.as_object() else {
        judged.broken.push(bench.broken(Wrong {
            check: "error.body".to_owned(),
            at: Some("error".to_owned()),
            message: format!(
                "{answered} with {} for a body, expected a SCIM error object",
                words::article(json)
            ),
            expected: "a SCIM error object".to_owned(),
            actual: words::show(json),
            expected_class: "SCIM error".to_owned(),
            actual_class: words::class(json).to_owned(),
            ..Wrong::default()
        }));
        return judged;
    };
    judged.absorb(schemas(bench, &answered, object));
    judged.absorb(body_status(bench, &answered, object));
    judged.absorb(scim_type(bench, &answered, object, expect));
    judged
}

fn schemas(bench: &Bench<'_>, answered: &str, object: &Map<String, Value>) -> Judged {
    let mut judged = Judged::default();
    if !names_error(object) {
        let found = member(object, "schemas");
        judged.broken.push(bench.broken(Wrong {
            check: "error.schemas".to_owned(),
            at: Some("error".to_owned()),
            message: format!("{answered}, but the body's schemas do not name the SCIM Error message"),
            expected: format!("schemas with {}", names::ERROR),
            actual: found.map_or("no schemas".to_owned(), words::show),
            expected_class: "schemas Error".to_owned(),
            actual_class: words::class_of(found).to_owned(),
            ..Wrong::default()
        }));
    }
    judged
}

fn body_status(bench: &Bench<'_>, answered: &str, object: &Map<String, Value>) -> Judged {
    let mut judged = Judged::default();
    let code = bench.response.status;
    let found = member(object, "status");
    let wrong = |message: String, class: &str| Wrong {
        check: "error.status".to_owned(),
        at: Some("error".to_owned()),
        message,
        expected: format!("\"status\": \"{code}\""),
        actual: found.map_or("no status".to_owned(), words::show_typed),
        expected_class: "status as string".to_owned(),
        actual_class: class.to_owned(),
        ..Wrong::default()
    };
    match error_status(object, code) {
        ErrorStatus::Right => {}
        ErrorStatus::Number => {
            let wrong =
                wrong(format!("{answered}, but the body's status is a number instead of a string"), "number");
            match bench.context.reading {
                Reading::Strict => judged.broken.push(bench.broken(wrong)),
                Reading::Lenient => {
                    judged.remarks.push(bench.finding(wrong, Severity::Warning.min(bench.level.severity())))
                }
            }
        }
        ErrorStatus::Missing => judged
            .broken
            .push(bench.broken(wrong(format!("{answered}, but the SCIM error has no status"), "absent"))),
        ErrorStatus::Other => {
            let shown = found.map_or(String::new(), words::show);
            judged.broken.push(bench.broken(wrong(
                format!("{answered}, but the SCIM error says status {shown}"),
                "other status",
            )));
        }
    }
    judged
}

fn scim_type(bench: &Bench<'_>, answered: &str, object: &Map<String, Value>, expect: &ErrorExpect) -> Judged {
    let mut judged = Judged::default();
    let found = member(object, "scimType").filter(|value| !value.is_null());
    let is_one_of = |keywords: &[String]| {
        found.and_then(Value::as_str).is_some_and(|found| keywords.iter().any(|keyword| keyword == found))
    };
    let class = match found {
        None => "absent".to_owned(),
        Some(Value::String(keyword)) => words::clip(keyword, 40),
        Some(other) => words::class(other).to_owned(),
    };
    let wrong = |keywords: &[String]| {
        let expected = words::or(keywords);
        Wrong {
            check: "error.scimType".to_owned(),
            message: match found {
                None => format!("{answered} without a scimType, expected {expected}"),
                Some(found) => {
                    format!("{answered} with scimType {}, expected {expected}", words::show(found))
                }
            },
            expected: format!("scimType {expected}"),
            actual: found
                .map_or("no scimType".to_owned(), |found| format!("scimType {}", words::show(found))),
            expected_class: format!("scimType {}", keywords.join("|")),
            actual_class: class.clone(),
            ..Wrong::default()
        }
    };
    if !expect.scim_type.is_empty() && !is_one_of(&expect.scim_type) {
        judged.broken.push(bench.broken(wrong(&expect.scim_type)));
    } else if expect.scim_type.is_empty()
        && !expect.usual_scim_type.is_empty()
        && !is_one_of(&expect.usual_scim_type)
    {
        let severity = if found.is_none() { Severity::Note } else { Severity::Warning };
        let mut wrong = wrong(&expect.usual_scim_type);
        wrong.at = Some("error.usual-scimType".to_owned());
        judged.remarks.push(bench.finding(wrong, severity.min(bench.level.severity())));
    }
    judged
}

/// Whether a front end may have given this status before SCIM was asked.
pub fn may_come_from_gateway(status: u16) -> bool {
    matches!(status, 401 | 403 | 413 | 429) || status >= 500
}

/// Whether the object's `schemas` name the Error message. URNs are compared without regard to case.
pub fn names_error(object: &Map<String, Value>) -> bool {
    member(object, "schemas")
        .map(elements)
        .unwrap_or_default()
        .iter()
        .any(|urn| urn.as_str().is_some_and(|urn| urn.eq_ignore_ascii_case(names::ERROR)))
}

/// How the `status` of an error body stands to the status of the answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorStatus {
    /// The same, as a string.
    Right,
    /// The same, but as a JSON number.
    Number,
    /// There is none.
    Missing,
    /// Another one.
    Other,
}

/// Compares the `status` of an error body with the status of the answer.
pub fn error_status(object: &Map<String, Value>, code: u16) -> ErrorStatus {
    match member(object, "status") {
        None | Some(Value::Null) => ErrorStatus::Missing,
        Some(Value::String(text)) if text.trim() == code.to_string() => ErrorStatus::Right,
        Some(Value::Number(number)) if number.as_f64() == Some(f64::from(code)) => ErrorStatus::Number,
        Some(_) => ErrorStatus::Other,
    }
}
