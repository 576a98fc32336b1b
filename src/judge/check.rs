//! Single checks: one subject of the answer, one predicate.

use std::time::Duration;

use percent_encoding::percent_decode_str;
use regex::Regex;
use serde_json::Value;
use serde_json_path::JsonPath;
use url::Url;

use super::bench::{Bench, Judged, Wrong};
use super::{ExpectError, unasked, words};
use crate::outcome::Difference;
use crate::scim::at;
use crate::scim::datetime;
use crate::scim::path::PatchPath;
use crate::scim::resource::is_unassigned;
use crate::suite::model::{Check, Format, JsonType};

/// Judges the check at that position of its block.
pub fn judge(bench: &Bench<'_>, index: usize, check: &Check) -> Result<Judged, ExpectError> {
    let mut judged = Judged::default();
    if bench.missing(&check.requires).is_some() {
        return Ok(judged);
    }
    let name = format!("checks[{index}]");
    let own = bench.inner(check.level, &check.spec);
    let predicate = Predicate::of(&own, &name, check)?;
    let subject = Subject::of(&own, &name, check)?;
    let Some(wrong) = subject.judge(&own, &name, check, &predicate)? else {
        return Ok(judged);
    };
    if subject.absent().is_some_and(|path| unasked::may_be_left_out(&own, path)) {
        return Ok(judged);
    }
    // A check that is weaker than its block does not break the block.
    if own.level < bench.level {
        judged.remarks.push(own.broken(wrong));
    } else {
        judged.broken.push(own.broken(wrong));
    }
    Ok(judged)
}

/// What a check looks at.
enum Subject<'a> {
    One { path: String, nodes: Vec<&'a Value> },
    Each { path: String, nodes: Vec<&'a Value> },
    Values { path: String, nodes: Vec<&'a Value> },
    Header { name: String, value: Option<Value> },
    Elapsed(Duration),
}

impl<'a> Subject<'a> {
    fn of(bench: &Bench<'a>, name: &str, check: &Check) -> Result<Subject<'a>, ExpectError> {
        let mut subjects = Vec::new();
        if let Some(path) = &check.path {
            let (path, nodes) = select(bench, name, path)?;
            subjects.push(Subject::One { path, nodes });
        }
        if let Some(path) = &check.each {
            let (path, nodes) = select(bench, name, path)?;
            subjects.push(Subject::Each { path, nodes });
        }
        if let Some(path) = &check.values {
            let (path, nodes) = select(bench, name, path)?;
            subjects.push(Subject::Values { path, nodes });
        }
        if let Some(path) = &check.attribute {
            let path = bench.text(name, path)?;
            let parsed = PatchPath::parse(&path)
                .map_err(|error| bench.error(name, format!("'{path}' is no attribute path: {error}")))?;
            let json = bench.response.body.json();
            let nodes = json.map_or_else(|_| Vec::new(), |json| at::values(json, &parsed));
            subjects.push(Subject::One { path, nodes });
        }
        if let Some(header) = &check.header {
            subjects.push(Subject::Header { name: header.clone(), value: header_value(bench, header) });
        }
        if check.elapsed {
            subjects.push(Subject::Elapsed(bench.exchange.elapsed));
        }
        match subjects.pop() {
            Some(subject) if subjects.is_empty() => Ok(subject),
            _ => Err(bench
                .error(name, "a check needs one subject: path, each, values, attribute, header or elapsed")),
        }
    }

    /// The path in the body, where nothing is there.
    fn absent(&self) -> Option<&str> {
        match self {
            Subject::One { path, nodes }
            | Subject::Each { path, nodes }
            | Subject::Values { path, nodes } => nodes.is_empty().then_some(path),
            Subject::Header { .. } | Subject::Elapsed(_) => None,
        }
    }

    fn judge(
        &self,
        bench: &Bench<'_>,
        name: &str,
        check: &Check,
        predicate: &Predicate,
    ) -> Result<Option<Wrong>, ExpectError> {
        let wrong = match self {
            Subject::One { path, nodes } => match nodes.as_slice() {
                [] => predicate.on_nothing(path),
                [node] => predicate.on_node(path, node),
                many => predicate.on_many(path, many.len()),
            },
            Subject::Each { path, nodes } if nodes.is_empty() => {
                if check.or_none {
                    None
                } else {
                    predicate.on_nothing(path)
                }
            }
            Subject::Each { path, nodes } => nodes.iter().enumerate().find_map(|(position, node)| {
                let mut wrong = predicate.on_node(path, node)?;
                if nodes.len() > 1 {
                    wrong.message = format!("{} (number {} of {})", wrong.message, position + 1, nodes.len());
                }
                Some(wrong)
            }),
            Subject::Values { path, nodes } => predicate.on_values(path, nodes),
            Subject::Header { name: header, value } => {
                let label = format!("header {header}");
                match value {
                    None => predicate.on_nothing(&label),
                    Some(value) => predicate.on_node(&label, value),
                }
            }
            Subject::Elapsed(elapsed) => match predicate {
                Predicate::AtMost(limit) => (elapsed > limit).then(|| Wrong {
                    message: format!(
                        "the answer took {} ms, at most {} ms expected",
                        elapsed.as_millis(),
                        limit.as_millis()
                    ),
                    expected: format!("at most {} ms", limit.as_millis()),
                    actual: format!("{} ms", elapsed.as_millis()),
                    expected_class: "at-most".to_owned(),
                    actual_class: "longer".to_owned(),
                    ..Wrong::default()
                }),
                _ => return Err(bench.error(name, "elapsed goes with at-most only")),
            },
        };
        Ok(wrong.map(|wrong| Wrong {
            check: name.to_owned(),
            message: format!("{}: {}", bench.subject(), wrong.message),
            ..wrong
        }))
    }
}

fn select<'a>(bench: &Bench<'a>, name: &str, path: &str) -> Result<(String, Vec<&'a Value>), ExpectError> {
    let path = bench.json_path(name, path)?;
    let parsed = JsonPath::parse(&path)
        .map_err(|error| bench.error(name, format!("'{path}' is no JSONPath: {error}")))?;
    let nodes = bench.response.body.json().map_or_else(|_| Vec::new(), |json| parsed.query(json).all());
    Ok((path, nodes))
}

/// The lines of a header, joined as RFC 9110 section 5.3 has it.
fn header_value(bench: &Bench<'_>, name: &str) -> Option<Value> {
    let lines: Vec<&str> = bench.response.headers_named(name).collect();
    (!lines.is_empty()).then(|| Value::String(lines.join(", ")))
}

/// What a check asks of its subject, with all names resolved.
enum Predicate {
    Equals(Value),
    EqualsCi(String),
    Differs(Value),
    OneOf(Vec<Value>),
    SameAs { label: String, values: Vec<Value>, base: Option<Url> },
    Type(JsonType),
    Is(Format),
    Present,
    Nonempty,
    Absent,
    Empty,
    Length(u64),
    Min(f64),
    Max(f64),
    Includes(Value),
    Excludes(Value),
    Set(Vec<Value>),
    Matches(Regex),
    Locates(String),
    Before(chrono::DateTime<chrono::Utc>, String),
    After(chrono::DateTime<chrono::Utc>, String),
    AtMost(Duration),
}

impl Predicate {
    fn of(bench: &Bench<'_>, name: &str, check: &Check) -> Result<Predicate, ExpectError> {
        let mut all = Vec::new();
        let resolve = |value: &Value| bench.resolve(name, value);
        let text = |text: &str| bench.text(name, text);
        if let Some(value) = &check.equals {
            all.push(Predicate::Equals(resolve(value)?));
        }
        if let Some(value) = &check.equals_ci {
            all.push(Predicate::EqualsCi(text(value)?));
        }
        if let Some(value) = &check.differs {
            all.push(Predicate::Differs(resolve(value)?));
        }
        if let Some(values) = &check.one_of {
            all.push(Predicate::OneOf(values.iter().map(resolve).collect::<Result<_, _>>()?));
        }
        if let Some(other) = &check.same_as {
            all.push(same_as(bench, name, other)?);
        }
        if let Some(kind) = check.kind {
            all.push(Predicate::Type(kind));
        }
        if let Some(format) = check.is {
            all.push(Predicate::Is(format));
        }
        for (asked, predicate) in [
            (check.present, Predicate::Present),
            (check.nonempty, Predicate::Nonempty),
            (check.absent, Predicate::Absent),
            (check.empty, Predicate::Empty),
        ] {
            if asked {
                all.push(predicate);
            }
        }
        if let Some(length) = check.length {
            all.push(Predicate::Length(length));
        }
        if let Some(min) = check.min {
            all.push(Predicate::Min(min));
        }
        if let Some(max) = check.max {
            all.push(Predicate::Max(max));
        }
        if let Some(value) = &check.includes {
            all.push(Predicate::Includes(resolve(value)?));
        }
        if let Some(value) = &check.excludes {
            all.push(Predicate::Excludes(resolve(value)?));
        }
        if let Some(value) = &check.set {
            match resolve(value)? {
                Value::Array(elements) => all.push(Predicate::Set(elements)),
                other => {
                    let message = format!("set takes a list, this is {}", words::show(&other));
                    return Err(bench.error(name, message));
                }
            }
        }
        if let Some(pattern) = &check.matches {
            let pattern = text(pattern)?;
            let regex = Regex::new(&pattern).map_err(|error| {
                bench.error(name, format!("'{pattern}' is no regular expression: {error}"))
            })?;
            all.push(Predicate::Matches(regex));
        }
        if let Some(id) = &check.locates {
            all.push(Predicate::Locates(text(id)?));
        }
        if let Some(instant) = &check.before {
            let (instant, shown) = self::instant(bench, name, &text(instant)?)?;
            all.push(Predicate::Before(instant, shown));
        }
        if let Some(instant) = &check.after {
            let (instant, shown) = self::instant(bench, name, &text(instant)?)?;
            all.push(Predicate::After(instant, shown));
        }
        if let Some(limit) = check.at_most {
            all.push(Predicate::AtMost(limit));
        }
        match all.pop() {
            Some(predicate) if all.is_empty() => Ok(predicate),
            Some(_) => {
                Err(bench.error(name, "a check takes one predicate; write a second check for the other"))
            }
            None => Err(bench.error(name, "a check needs a predicate, such as equals or nonempty")),
        }
    }

    /// What the predicate asks, in words.
    fn words(&self, actual: Option<&Value>) -> String {
        match self {
            Predicate::Equals(value) => words::show_beside(value, actual),
            Predicate::EqualsCi(text) => format!("{} whatever the case of its letters", words::quote(text)),
            Predicate::Differs(value) => format!("anything but {}", words::show(value)),
            Predicate::OneOf(values) => {
                // The same value as a text, as a number and in an object is shown once.
                let mut told: Vec<String> = Vec::new();
                let mut shown: Vec<String> = Vec::new();
                for value in values.iter().take(64) {
                    let plain = plain(value);
                    if !told.contains(&plain) && shown.len() < 20 {
                        told.push(plain);
                        shown.push(words::show(value));
                    }
                }
                words::or(&shown)
            }
            Predicate::SameAs { label, values, .. } => match values.as_slice() {
                [value] => format!("the same as {label}, {}", words::show(value)),
                _ => format!("the same as {label}"),
            },
            Predicate::Type(kind) => type_words(*kind).to_owned(),
            Predicate::Is(format) => format_words(*format).to_owned(),
            Predicate::Present => "to be there".to_owned(),
            Predicate::Nonempty => "a value".to_owned(),
            Predicate::Absent => "absent".to_owned(),
            Predicate::Empty => "absent, null or empty".to_owned(),
            Predicate::Length(length) => format!("{length}"),
            Predicate::Min(min) => format!("at least {min}"),
            Predicate::Max(max) => format!("at most {max}"),
            Predicate::Includes(value) => format!("to include {}", words::show(value)),
            Predicate::Excludes(value) => format!("not to include {}", words::show(value)),
            Predicate::Set(values) => {
                format!("exactly the set {}", words::show(&Value::Array(values.clone())))
            }
            Predicate::Matches(regex) => format!("to match {}", words::clip(regex.as_str(), 80)),
            Predicate::Locates(id) => format!("the URI of the resource {}", words::quote(id)),
            Predicate::Before(_, shown) => format!("an instant before {shown}"),
            Predicate::After(_, shown) => format!("an instant at or after {shown}"),
            Predicate::AtMost(limit) => format!("at most {} ms", limit.as_millis()),
        }
    }

    /// The class of what is asked, for signatures.
    fn class(&self) -> String {
        match self {
            Predicate::Equals(value) => format!("equals {}", words::class(value)),
            Predicate::EqualsCi(_) => "equals-ci".to_owned(),
            Predicate::Differs(_) => "differs".to_owned(),
            Predicate::OneOf(_) => "one-of".to_owned(),
            Predicate::SameAs { .. } => "same-as".to_owned(),
            Predicate::Type(kind) => format!("type {}", type_words(*kind)),
            Predicate::Is(format) => format!("is {}", format_words(*format)),
            Predicate::Present => "present".to_owned(),
            Predicate::Nonempty => "nonempty".to_owned(),
            Predicate::Absent => "absent".to_owned(),
            Predicate::Empty => "empty".to_owned(),
            Predicate::Length(length) => format!("length {length}"),
            Predicate::Min(_) => "min".to_owned(),
            Predicate::Max(_) => "max".to_owned(),
            Predicate::Includes(_) => "includes".to_owned(),
            Predicate::Excludes(_) => "excludes".to_owned(),
            Predicate::Set(_) => "set".to_owned(),
            Predicate::Matches(_) => "matches".to_owned(),
            Predicate::Locates(_) => "locates".to_owned(),
            Predicate::Before(..) => "before".to_owned(),
            Predicate::After(..) => "after".to_owned(),
            Predicate::AtMost(_) => "at-most".to_owned(),
        }
    }

    fn wrong(&self, subject: &str, actual: Option<&Value>) -> Wrong {
        let expected = self.words(actual);
        let (verb, shown) = match (self, actual) {
            (_, None) => ("is", "absent".to_owned()),
            (Predicate::Length(_), Some(actual)) => match words::extent(actual) {
                Some(extent) => ("has", extent),
                None => ("is", words::show_typed(actual)),
            },
            (Predicate::Equals(value) | Predicate::Differs(value), Some(actual)) => {
                ("is", words::show_beside(actual, Some(value)))
            }
            (_, Some(actual)) => ("is", words::show_typed(actual)),
        };
        Wrong {
            message: format!("{subject} {verb} {shown}, expected {expected}"),
            expected,
            actual: shown,
            expected_class: self.class(),
            actual_class: words::class_of(actual).to_owned(),
            ..Wrong::default()
        }
    }

    /// The verdict on a subject that is not there.
    fn on_nothing(&self, subject: &str) -> Option<Wrong> {
        let holds = match self {
            Predicate::Absent | Predicate::Empty | Predicate::Excludes(_) => true,
            // Absent, null and [] are one state (RFC 7643 section 2.5).
            Predicate::Equals(value) => is_unassigned(value),
            Predicate::Set(values) => values.is_empty(),
            Predicate::Length(length) => *length == 0,
            _ => false,
        };
        (!holds).then(|| self.wrong(subject, None))
    }

    /// The verdict on a subject that is there several times, where once was meant.
    fn on_many(&self, subject: &str, count: usize) -> Option<Wrong> {
        let expected = format!("one node that is {}", self.words(None));
        Some(Wrong {
            message: format!("{subject} selects {count} nodes, expected exactly one"),
            expected,
            actual: format!("{count} nodes"),
            expected_class: self.class(),
            actual_class: "several nodes".to_owned(),
            ..Wrong::default()
        })
    }

    /// The verdict on one node.
    fn on_node(&self, subject: &str, node: &Value) -> Option<Wrong> {
        let holds = match self {
            Predicate::Equals(value) => equal(node, value) || (is_unassigned(node) && is_unassigned(value)),
            Predicate::EqualsCi(text) => {
                as_text(node).is_some_and(|node| node.to_lowercase() == text.to_lowercase())
            }
            Predicate::Differs(value) => !equal(node, value),
            Predicate::OneOf(values) => values.iter().any(|value| equal(node, value)),
            Predicate::SameAs { values, base, .. } => match values.as_slice() {
                [value] => equal(node, value) || same_uri(node, value, base.as_ref()),
                _ => false,
            },
            Predicate::Type(kind) => has_type(node, *kind),
            Predicate::Is(format) => has_format(node, *format),
            Predicate::Present => true,
            Predicate::Nonempty => !is_unassigned(node) && node.as_str().is_none_or(|text| !text.is_empty()),
            Predicate::Absent => false,
            Predicate::Empty => is_unassigned(node) || node.as_str() == Some(""),
            Predicate::Length(length) => self::length(node) == Some(*length),
            Predicate::Min(min) => as_number(node).is_some_and(|number| number >= *min),
            Predicate::Max(max) => as_number(node).is_some_and(|number| number <= *max),
            Predicate::Includes(value) => includes(node, value),
            Predicate::Excludes(value) => excludes(node, value),
            Predicate::Set(values) => match node {
                Value::Array(elements) => {
                    return self.on_set(subject, &elements.iter().collect::<Vec<_>>(), values);
                }
                _ => false,
            },
            Predicate::Matches(regex) => as_text(node).is_some_and(|text| regex.is_match(&text)),
            Predicate::Locates(id) => node.as_str().and_then(located_id).is_some_and(|found| found == *id),
            Predicate::Before(instant, _) => as_instant(node).is_some_and(|node| node < *instant),
            Predicate::After(instant, _) => as_instant(node).is_some_and(|node| node >= *instant),
            Predicate::AtMost(_) => false,
        };
        (!holds).then(|| self.wrong(subject, Some(node)))
    }

    /// The verdict on the nodes taken as a set.
    fn on_values(&self, subject: &str, nodes: &[&Value]) -> Option<Wrong> {
        let holds = match self {
            Predicate::Set(values) => return self.on_set(subject, nodes, values),
            Predicate::Equals(Value::Array(values)) => return self.on_set(subject, nodes, values),
            Predicate::Includes(value) => {
                return {
                    let missing: Vec<&Value> = wanted(value)
                        .iter()
                        .filter(|value| !nodes.iter().any(|node| equal(node, value)))
                        .collect();
                    (!missing.is_empty()).then(|| self.set_wrong(subject, nodes, &missing, &[]))
                };
            }
            Predicate::Excludes(value) => {
                return {
                    let extra: Vec<&Value> = wanted(value)
                        .iter()
                        .filter(|value| nodes.iter().any(|node| equal(node, value)))
                        .collect();
                    (!extra.is_empty()).then(|| self.set_wrong(subject, nodes, &[], &extra))
                };
            }
            Predicate::Length(length) => nodes.len() as u64 == *length,
            Predicate::Min(min) => nodes.len() as f64 >= *min,
            Predicate::Max(max) => nodes.len() as f64 <= *max,
            Predicate::Present | Predicate::Nonempty => !nodes.is_empty(),
            Predicate::Absent | Predicate::Empty => nodes.is_empty(),
            _ if nodes.is_empty() => return self.on_nothing(subject),
            _ => return nodes.iter().find_map(|node| self.on_node(subject, node)),
        };
        (!holds).then(|| self.set_wrong(subject, nodes, &[], &[]))
    }

    fn on_set(&self, subject: &str, nodes: &[&Value], values: &[Value]) -> Option<Wrong> {
        let missing: Vec<&Value> =
            values.iter().filter(|value| !nodes.iter().any(|node| equal(node, value))).collect();
        let extra: Vec<&Value> =
            nodes.iter().filter(|node| !values.iter().any(|value| equal(node, value))).copied().collect();
        (!missing.is_empty() || !extra.is_empty()).then(|| self.set_wrong(subject, nodes, &missing, &extra))
    }

    fn set_wrong(&self, subject: &str, nodes: &[&Value], missing: &[&Value], extra: &[&Value]) -> Wrong {
        let actual = match nodes {
            [] => "nothing".to_owned(),
            _ => words::clip(
                &nodes.iter().take(50).map(|node| words::show(node)).collect::<Vec<_>>().join(", "),
                400,
            ),
        };
        let expected = self.words(None);
        let mut class = Vec::new();
        if !missing.is_empty() {
            class.push("elements missing");
        }
        if !extra.is_empty() {
            class.push("elements too many");
        }
        if class.is_empty() {
            class.push(if nodes.is_empty() { "no nodes" } else { "other nodes" });
        }
        let differences = missing
            .iter()
            .map(|value| Difference {
                path: subject.to_owned(),
                expected: words::show(value),
                actual: "missing".to_owned(),
            })
            .chain(extra.iter().map(|value| Difference {
                path: subject.to_owned(),
                expected: "not there".to_owned(),
                actual: words::show(value),
            }))
            .take(50)
            .collect();
        Wrong {
            message: format!("{subject} holds {actual}, expected {expected}"),
            expected,
            actual,
            expected_class: self.class(),
            actual_class: class.join(", "),
            differences,
            ..Wrong::default()
        }
    }
}

fn same_as(bench: &Bench<'_>, name: &str, other: &str) -> Result<Predicate, ExpectError> {
    let base = Url::parse(&bench.exchange.request.url).ok();
    let (label, values) = match other.strip_prefix("header ") {
        Some(header) => {
            (format!("header {}", header.trim()), header_value(bench, header.trim()).into_iter().collect())
        }
        None => {
            let (path, nodes) = select(bench, name, other)?;
            (path, nodes.into_iter().cloned().collect())
        }
    };
    Ok(Predicate::SameAs { label, values, base })
}

fn instant(
    bench: &Bench<'_>,
    name: &str,
    text: &str,
) -> Result<(chrono::DateTime<chrono::Utc>, String), ExpectError> {
    match datetime::parse(text) {
        Some(instant) => Ok((instant.utc, words::clip(text, 60))),
        None => Err(bench.lack(name, format!("'{}' is no dateTime to compare with", words::clip(text, 60)))),
    }
}

/// Equality of JSON values: numbers by value, arrays in order, members in any order.
fn equal(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Number(a), Value::Number(b)) => a == b || (a.as_f64().is_some() && a.as_f64() == b.as_f64()),
        (Value::Array(a), Value::Array(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| equal(a, b)),
        (Value::Object(a), Value::Object(b)) => {
            a.len() == b.len() && a.iter().all(|(key, a)| b.get(key).is_some_and(|b| equal(a, b)))
        }
        _ => a == b,
    }
}

/// Whether two texts are URIs that name the same, resolved against the request.
fn same_uri(a: &Value, b: &Value, base: Option<&Url>) -> bool {
    let (Some(a), Some(b)) = (a.as_str(), b.as_str()) else { return false };
    if !a.contains("://") && !b.contains("://") {
        return false;
    }
    let read = |text: &str| match base {
        Some(base) => base.join(text).ok(),
        None => Url::parse(text).ok(),
    };
    matches!((read(a), read(b)), (Some(a), Some(b)) if a == b)
}

/// The id of the resource that a URI names: the last segment of its path, unescaped.
fn located_id(uri: &str) -> Option<String> {
    let path = uri.split(['?', '#']).next()?.trim_end_matches('/');
    let (_, id) = path.rsplit_once('/')?;
    Some(percent_decode_str(id).decode_utf8().ok()?.into_owned())
}

fn wanted(value: &Value) -> &[Value] {
    match value {
        Value::Array(elements) => elements,
        other => std::slice::from_ref(other),
    }
}

fn includes(node: &Value, value: &Value) -> bool {
    match node {
        Value::Array(elements) => {
            wanted(value).iter().all(|value| elements.iter().any(|element| equal(element, value)))
        }
        _ => as_text(node).is_some_and(|node| {
            wanted(value).iter().all(|part| part.as_str().is_some_and(|part| node.contains(part)))
        }),
    }
}

fn excludes(node: &Value, value: &Value) -> bool {
    match node {
        Value::Array(elements) => {
            !wanted(value).iter().any(|value| elements.iter().any(|element| equal(element, value)))
        }
        _ => as_text(node).is_none_or(|node| {
            !wanted(value).iter().any(|part| part.as_str().is_some_and(|part| node.contains(part)))
        }),
    }
}

/// What a value says, whatever it is wrapped in: `"404"`, `404` and `{"code": "404"}` say the same.
fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Object(members) if members.len() == 1 => members
            .values()
            .next()
            .map(|inner| as_text(inner).unwrap_or_default().into_owned())
            .unwrap_or_default(),
        other => other.to_string(),
    }
}

fn as_text(node: &Value) -> Option<std::borrow::Cow<'_, str>> {
    match node {
        Value::String(text) => Some(text.into()),
        Value::Number(number) => Some(number.to_string().into()),
        Value::Bool(flag) => Some(flag.to_string().into()),
        _ => None,
    }
}

fn as_number(node: &Value) -> Option<f64> {
    match node {
        Value::Number(number) => number.as_f64(),
        Value::String(text) => text.trim().parse().ok(),
        _ => None,
    }
}

fn as_instant(node: &Value) -> Option<chrono::DateTime<chrono::Utc>> {
    node.as_str().and_then(datetime::parse).map(|instant| instant.utc)
}

fn length(node: &Value) -> Option<u64> {
    match node {
        Value::Array(elements) => Some(elements.len() as u64),
        Value::String(text) => Some(text.chars().count() as u64),
        _ => None,
    }
}

fn has_type(node: &Value, kind: JsonType) -> bool {
    match kind {
        JsonType::String => node.is_string(),
        JsonType::Number => node.is_number(),
        JsonType::Integer => node.as_number().is_some_and(|number| {
            number.is_i64() || number.is_u64() || number.as_f64().is_some_and(|number| number.fract() == 0.0)
        }),
        JsonType::Boolean => node.is_boolean(),
        JsonType::Array => node.is_array(),
        JsonType::Object => node.is_object(),
        JsonType::Null => node.is_null(),
    }
}

fn type_words(kind: JsonType) -> &'static str {
    match kind {
        JsonType::String => "a string",
        JsonType::Number => "a number",
        JsonType::Integer => "an integer",
        JsonType::Boolean => "a boolean",
        JsonType::Array => "an array",
        JsonType::Object => "an object",
        JsonType::Null => "null",
    }
}

fn format_words(format: Format) -> &'static str {
    match format {
        Format::DateTime => "an xsd:dateTime such as 2026-11-22T10:00:00Z",
        Format::Uri => "an absolute URI",
        Format::UriReference => "a URI",
        Format::Etag => "an entity tag such as W/\"1\"",
        Format::Urn => "a URN",
        Format::Integer => "digits only",
    }
}

fn has_format(node: &Value, format: Format) -> bool {
    let Some(text) = node.as_str() else { return false };
    match format {
        Format::DateTime => datetime::parse(text).is_some(),
        Format::Uri => is_uri_text(text) && Url::parse(text).is_ok(),
        Format::UriReference => is_uri_reference(text),
        Format::Etag => is_etag(text),
        Format::Urn => is_urn(text),
        Format::Integer => !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()),
    }
}

/// Whether the text has only characters that a URI may hold; those outside ASCII are let pass (RFC 3987).
fn is_uri_text(text: &str) -> bool {
    !text.is_empty()
        && !text.chars().any(|c| c.is_whitespace() || c.is_control() || "<>\"{}|\\^`".contains(c))
}

/// Whether the text is an absolute URI or a relative reference.
pub fn is_uri_reference(text: &str) -> bool {
    if !is_uri_text(text) {
        return false;
    }
    match Url::parse(text) {
        Ok(_) => true,
        Err(url::ParseError::RelativeUrlWithoutBase) => {
            Url::parse("http://host/").is_ok_and(|base| base.join(text).is_ok())
        }
        Err(_) => false,
    }
}

/// Whether the text is an entity tag (RFC 9110 section 8.8.3).
pub fn is_etag(text: &str) -> bool {
    let opaque = text.strip_prefix("W/").unwrap_or(text);
    opaque.len() >= 2
        && opaque.starts_with('"')
        && opaque.ends_with('"')
        && opaque[1..opaque.len() - 1].chars().all(|c| c != '"' && c > ' ' && c != '\u{7f}')
}

fn is_urn(text: &str) -> bool {
    let mut parts = text.splitn(3, ':');
    parts.next().is_some_and(|scheme| scheme.eq_ignore_ascii_case("urn"))
        && parts.next().is_some_and(|space| {
            (2..=32).contains(&space.len())
                && space.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
        })
        && parts.next().is_some_and(is_uri_text)
}
