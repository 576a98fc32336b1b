//! The words of findings: clipped values, statuses with their names, classes for signatures.

use std::fmt::Write as _;

use serde_json::Value;

use crate::oracle::written::Departure;
use crate::outcome::Difference;
use crate::suite::model::{StatusPattern, StatusSet};
use crate::target::exchange::{BodyProblem, Exchange, Response};

/// How many characters of a value a message shows.
const SHOWN: usize = 160;

/// The text, cut after so many characters, never inside one.
pub fn clip(text: &str, characters: usize) -> String {
    match text.char_indices().nth(characters) {
        None => text.to_owned(),
        Some((end, _)) => format!("{}… ({} characters)", &text[..end], text.chars().count()),
    }
}

/// A class of a signature. It may have a name in it that the service provider chose, and stands in every report and
/// baseline.
pub fn bounded_class(class: &str) -> String {
    clip(class, SHOWN)
}

/// A value as JSON text, clipped.
pub fn show(value: &Value) -> String {
    clip(&value.to_string(), SHOWN)
}

/// A text as JSON text, clipped.
pub fn quote(text: &str) -> String {
    show(&Value::String(clip(text, SHOWN)))
}

/// A value with its JSON type, where the text alone could deceive: `"true" (a string)`.
pub fn show_typed(value: &Value) -> String {
    match value {
        Value::String(_) | Value::Number(_) => format!("{} ({})", show(value), article(value)),
        _ => show(value),
    }
}

/// A value beside the one it is compared with: with its type where the types differ.
pub fn show_beside(value: &Value, other: Option<&Value>) -> String {
    match other {
        Some(other) if article(other) == article(value) => show(value),
        _ => show_typed(value),
    }
}

/// What a read shows otherwise than a write leads one to expect, both sides in words.
pub fn departure(departure: &Departure) -> Difference {
    let show = |value: Option<&Value>, other: Option<&Value>| {
        value.map_or_else(|| "absent".to_owned(), |value| show_beside(value, other))
    };
    let (expected, actual) = (departure.expected.as_ref(), departure.actual.as_ref());
    Difference {
        path: departure.path.clone(),
        expected: show(expected, actual),
        actual: show(actual, expected),
    }
}

/// How long a value is: `6 elements`, `3 characters`.
pub fn extent(value: &Value) -> Option<String> {
    match value {
        Value::Array(elements) => Some(format!("{} elements", elements.len())),
        Value::String(text) => Some(format!("{} characters", text.chars().count())),
        _ => None,
    }
}

/// The JSON type with its article.
pub fn article(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "an array",
        Value::Object(_) => "an object",
    }
}

/// The JSON type alone: the class of a value in a signature.
pub fn class(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(elements) if elements.is_empty() => "empty array",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

/// The class of a value that may be missing.
pub fn class_of(value: Option<&Value>) -> &'static str {
    value.map_or("absent", class)
}

/// A status with its name: `201 (Created)`.
pub fn status(code: u16) -> String {
    match reqwest::StatusCode::from_u16(code).ok().and_then(|status| status.canonical_reason()) {
        Some(reason) => format!("{code} ({reason})"),
        None => code.to_string(),
    }
}

/// The statuses with their names: `200 (OK) or 204 (No Content)`.
pub fn statuses(set: &StatusSet) -> String {
    let names: Vec<String> = set
        .0
        .iter()
        .map(|pattern| match *pattern {
            StatusPattern::Code(code) => status(code),
            StatusPattern::Class(class) => format!("{class}xx"),
        })
        .collect();
    or(&names)
}

/// `a`, `a or b`, `a, b or c`.
pub fn or(names: &[String]) -> String {
    match names {
        [] => String::new(),
        [only] => only.clone(),
        [first @ .., last] => format!("{} or {last}", first.join(", ")),
    }
}

/// Method and endpoint without ids: what a message begins with.
pub fn subject(exchange: &Exchange) -> String {
    format!("{} {}", exchange.request.method, exchange.request.endpoint)
}

/// What an answer is, in a few words: status, SCIM keyword and detail.
pub fn answer(response: &Response) -> String {
    let mut words = status(response.status);
    if let Ok(body) = response.body.json() {
        if let Some(keyword) = body.get("scimType").and_then(Value::as_str) {
            let _ = write!(words, ", scimType {}", clip(keyword, 40));
        }
        if let Some(detail) = body.get("detail").and_then(Value::as_str) {
            let _ = write!(words, ", detail {}", quote(detail));
        }
    }
    words
}

/// Why there is no JSON to look at, as a phrase: `the body is empty`.
pub fn problem(problem: &BodyProblem, response: &Response) -> String {
    match problem {
        BodyProblem::NotJson { .. } => match response.header("content-type") {
            Some(kind) if !kind.contains("json") => {
                format!("the body is not JSON (Content-Type {})", clip(kind, 60))
            }
            _ => clip(&problem.to_string(), SHOWN),
        },
        other => other.to_string(),
    }
}

/// The class of a body that is no JSON.
pub fn problem_class(problem: &BodyProblem) -> &'static str {
    match problem {
        BodyProblem::Empty => "empty body",
        BodyProblem::NotUtf8 { .. } => "body not UTF-8",
        BodyProblem::NotJson { .. } => "body not JSON",
        BodyProblem::TooDeep => "body nested too deep",
        BodyProblem::TooLarge { .. } => "body too large",
        BodyProblem::CutOff { .. } => "body cut off",
        BodyProblem::Compression { .. } => "body not decompressible",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn clipping_keeps_characters_whole() {
        assert_eq!(clip("äöü", 3), "äöü");
        assert_eq!(clip("äöüß", 3), "äöü… (4 characters)");
        assert_eq!(clip("", 0), "");
    }

    #[test]
    fn statuses_are_named() {
        assert_eq!(status(201), "201 (Created)");
        assert_eq!(status(599), "599");
        let set = StatusSet(vec![StatusPattern::Code(200), StatusPattern::Class(4)]);
        assert_eq!(statuses(&set), "200 (OK) or 4xx");
    }

    #[test]
    fn types_show_where_the_text_deceives() {
        assert_eq!(show_typed(&json!("true")), "\"true\" (a string)");
        assert_eq!(show_typed(&json!(true)), "true");
        assert_eq!(show_beside(&json!(1), Some(&json!(2))), "1");
        assert_eq!(show_beside(&json!("1"), Some(&json!(1))), "\"1\" (a string)");
        assert_eq!(show_beside(&json!(1), None), "1 (a number)");
    }
}
