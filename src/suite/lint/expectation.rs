//! Judges expectations: whether they mean one thing, whether an answer can break them, whether what they name is there.

use serde_json::Value;
use serde_json_path::JsonPath;

use super::super::block::Block;
use super::super::diagnostic::Severity;
use super::super::model::{
    Alternative, AlternativeVerdict, Becomes, Check, ErrorExpect, Expect, Foreign, ListExpect, Never, Ours,
    StatusPattern, StatusSet,
};
use super::super::template;
use super::case::one_of;
use super::names::{Condition, Names};
use super::{Known, Report};
use crate::scim::path::PatchPath;

/// Where an expectation stands.
#[derive(Clone, Copy)]
pub(super) struct Place<'p> {
    pub known: Known<'p>,
    pub names: &'p Names<'p>,
    pub condition: &'p Condition,
    /// What the case cites, for blocks that cite nothing themselves.
    pub cited: &'p [String],
    /// Whether the request has a filter.
    pub filter: bool,
    /// Whether pages of a list are asked for.
    pub pages: bool,
}

/// Everything that an expectation cites.
pub(super) fn cited(expect: &Expect, into: &mut Vec<String>) {
    into.extend_from_slice(&expect.spec);
    expect.checks.iter().for_each(|check| into.extend_from_slice(&check.spec));
    expect.never.iter().for_each(|never| into.extend_from_slice(&never.spec));
    // Blocks of a block do not nest further than the file does, which the reader bounds.
    expect.also.iter().for_each(|block| cited(block, into));
}

/// The expectation of a step.
pub(super) fn expect(report: &mut Report<'_>, place: Place<'_>, path: &str, expect: &Expect) {
    block(report, place, path, expect);
    for (index, also) in expect.also.iter().enumerate() {
        let path = format!("{path}.also[{index}]");
        if !also.also.is_empty() {
            let hint = Some("put its blocks beside it".to_owned());
            report.key_error(&format!("{path}.also"), "`also` does not nest", hint);
        }
        for (key, is_there) in [("any", !also.any.is_empty()), ("never", !also.never.is_empty())] {
            if is_there {
                let hint = Some("put it into the expectation itself".to_owned());
                report.key_error(&format!("{path}.{key}"), format!("`also` judges no `{key}`"), hint);
            }
        }
        if !also.invariants.is_empty() {
            let hint = Some("put them beside `also`".to_owned());
            report.key_error(&format!("{path}.invariants"), "`also` judges each page by itself", hint);
        }
        if also.snapshot.is_some() {
            let hint = Some("put it into the expectation itself: an answer has one payload".to_owned());
            report.key_error(
                &format!("{path}.snapshot"),
                "a block of `also` has no snapshot of its own",
                hint,
            );
        }
        block(report, place, &path, also);
    }
}

fn block(report: &mut Report<'_>, place: Place<'_>, path: &str, expect: &Expect) {
    let at = |key: &str| format!("{path}.{key}");
    report.spec(place.known, &at("spec"), &expect.spec);
    let cited = if expect.spec.is_empty() { place.cited } else { &expect.spec };
    report.level(place.known, path, expect.level, cited);
    for (index, amb) in expect.amb.iter().enumerate() {
        let number = amb.strip_prefix("AMB-").unwrap_or_default();
        if number.is_empty() || !number.bytes().all(|byte| byte.is_ascii_digit()) {
            let hint = Some("such as AMB-07".to_owned());
            report.error(&at(&format!("amb[{index}]")), format!("`{amb}` is no id of a dispute"), hint);
        }
    }
    for (index, rule) in expect.mutes.iter().enumerate() {
        if !place.known.rules.contains(&rule.as_str()) {
            report.unknown(&at(&format!("mutes[{index}]")), "rule", rule, place.known.rules.iter().copied());
        }
    }
    let Expect { any, otherwise, also, never, .. } = expect;
    let own = expect.block();
    parts(report, place, path, &own, cited);
    if !expect.invariants.is_empty() && !place.pages {
        let hint = Some("they hold for the pages of a `paginate`".to_owned());
        report.key_error(&at("invariants"), "there is one answer here, and no pages", hint);
    }
    if own.is_empty()
        && any.is_empty()
        && also.is_empty()
        && never.is_empty()
        && expect.invariants.is_empty()
        && expect.tally.is_empty()
    {
        let (what, hint) = match expect.snapshot {
            None => ("no answer can break this expectation", "say at least which `status` should come"),
            Some(_) => (
                "where no payload is accepted, no answer can break this expectation",
                "say beside the snapshot what any answer has to keep, at least its `status`",
            ),
        };
        report.key_error(path, what, Some(hint.to_owned()));
    }
    if otherwise.is_some() && any.is_empty() {
        let hint = Some("it says what holds when no alternative of `any` does".to_owned());
        report.key_error(&at("otherwise"), "`otherwise` has no `any` to belong to", hint);
    }
    if *otherwise == Some(AlternativeVerdict::Pass) && !any.is_empty() && own.is_empty() && also.is_empty() {
        let hint = Some("write `note` where the answer is only recorded".to_owned());
        report.error(
            &at("otherwise"),
            "no answer can break this expectation: what is no alternative passes too",
            hint,
        );
    }
    alternatives(report, place, &at("any"), any);
    for (index, one) in never.iter().enumerate() {
        self::never(report, place, &at(&format!("never[{index}]")), one);
    }
}

fn alternatives(report: &mut Report<'_>, place: Place<'_>, path: &str, any: &[Alternative]) {
    let mut names: Vec<&str> = Vec::new();
    for (index, alternative) in any.iter().enumerate() {
        let path = format!("{path}[{index}]");
        let Alternative { name, verdict, strict, why, .. } = alternative;
        let own = alternative.block();
        parts(report, place, &path, &own, place.cited);
        if own.is_empty() {
            let hint =
                Some("say which `status` it stands for; for all the rest there is `otherwise`".to_owned());
            report.error(&path, "every answer fits this alternative", hint);
        }
        if let Some(name) = name {
            if names.contains(&name.as_str()) {
                report.error(
                    &format!("{path}.name"),
                    format!("the alternative `{name}` is there already"),
                    None,
                );
            }
            names.push(name);
        }
        if why.is_none() && (*verdict != AlternativeVerdict::Pass || strict.is_some()) {
            let key = if *verdict == AlternativeVerdict::Pass { "strict" } else { "verdict" };
            let hint = Some("add `why`: it becomes the message".to_owned());
            report.key_warn(&format!("{path}.{key}"), "a verdict that is no pass has no reason", hint);
        }
    }
}

fn never(report: &mut Report<'_>, place: Place<'_>, path: &str, never: &Never) {
    let Never { because, spec, .. } = never;
    report.spec(place.known, &format!("{path}.spec"), spec);
    let own = never.block();
    parts(report, place, path, &own, if spec.is_empty() { place.cited } else { spec });
    if own.is_empty() {
        let hint = Some("say what must not come: status, body, list or checks".to_owned());
        report.error(path, "every answer is excluded here", hint);
    }
    if because.trim().is_empty() {
        report.error(&format!("{path}.because"), "it becomes the message, and is empty", None);
    }
}

fn parts(report: &mut Report<'_>, place: Place<'_>, path: &str, parts: &Block<'_>, cited: &[String]) {
    let at = |key: &str| format!("{path}.{key}");
    let Place { names, condition, .. } = place;
    if let (Some(status), Some(error)) = (parts.status, parts.error)
        && !overlap(status, &error.status)
    {
        let hint = Some("`error` holds its status itself: leave `status` out".to_owned());
        report.key_error(&at("status"), format!("no answer has status {status} and {}", error.status), hint);
    }
    if let Some(error) = parts.error {
        self::error(report, &at("error"), error);
    }
    if let Some(body) = parts.body {
        names.value(report, &at("body"), body, condition);
        if matches!(body, Value::Object(members) if members.is_empty()) {
            let hint = Some("write the members that have to be there".to_owned());
            report.warn(&at("body"), "an empty body to compare with holds for every object", hint);
        }
    }
    if let Some(becomes) = parts.becomes {
        self::becomes(report, place, &at("becomes"), becomes);
    }
    if let Some(list) = parts.list {
        self::list(report, place, &at("list"), list);
    }
    if let Some(resource) = parts.resource
        && (resource.is_empty() || resource.contains(['/', ' ', ':']))
    {
        let hint = Some("such as User or Group".to_owned());
        report.error(&at("resource"), format!("`{resource}` is no name of a resource type"), hint);
    }
    for (index, check) in parts.checks.iter().enumerate() {
        self::check(report, place, &at(&format!("checks[{index}]")), check, cited);
    }
}

fn overlap(a: &StatusSet, b: &StatusSet) -> bool {
    let within = |pattern: &StatusPattern, other: &StatusSet| match *pattern {
        StatusPattern::Code(code) => other.contains(code),
        StatusPattern::Class(class) => (0..100).any(|rest| other.contains(u16::from(class) * 100 + rest)),
    };
    a.0.iter().any(|pattern| within(pattern, b))
}

fn error(report: &mut Report<'_>, path: &str, error: &ErrorExpect) {
    /// RFC 7644 section 3.12, table 9; RFC 9865 section 2.4.
    const SCIM_TYPES: &[&str] = &[
        "invalidFilter",
        "tooMany",
        "uniqueness",
        "mutability",
        "invalidSyntax",
        "invalidPath",
        "noTarget",
        "invalidValue",
        "invalidVers",
        "sensitive",
        "invalidCursor",
        "expiredCursor",
        "invalidCount",
    ];
    for (key, types) in [("scimType", &error.scim_type), ("usual-scimType", &error.usual_scim_type)] {
        for (index, one) in types.iter().enumerate() {
            if !SCIM_TYPES.contains(&one.as_str()) {
                let listed = format!("{path}.{key}[{index}]");
                let at = if report.text.places().has(&listed) { listed } else { format!("{path}.{key}") };
                let hint = super::super::nearest::nearest(one, SCIM_TYPES.iter().copied())
                    .map(|near| format!("did you mean `{near}`?"));
                report.warn(&at, format!("`{one}` is no scimType that an RFC defines"), hint);
            }
        }
    }
    let successful = |pattern: &StatusPattern| match *pattern {
        StatusPattern::Code(code) => code < 300,
        StatusPattern::Class(class) => class < 3,
    };
    if error.status.0.iter().any(successful) {
        report.error(&format!("{path}.status"), format!("{} is no status of an error", error.status), None);
    }
}

fn becomes(report: &mut Report<'_>, place: Place<'_>, path: &str, becomes: &Becomes) {
    let Place { names, condition, .. } = place;
    let Becomes { from, sent, set, without, patched_by } = becomes;
    one_of(report, path, &[("from", from.is_some()), ("sent", sent.is_some())]);
    if let Some(name) = from {
        names.resource(report, &format!("{path}.from"), name, false, condition);
    }
    if let Some(name) = sent {
        names.sender(report, &format!("{path}.sent"), name, false, condition);
    }
    if let Some(name) = patched_by {
        names.sender(report, &format!("{path}.patched-by"), name, true, condition);
    }
    for (attribute, value) in set {
        names.value(report, &format!("{path}.set.{attribute}"), value, condition);
    }
    for (index, name) in without.iter().enumerate() {
        if set.contains_key(name) {
            report.error(
                &format!("{path}.without[{index}]"),
                format!("`{name}` is set and gone at once"),
                None,
            );
        }
    }
}

fn list(report: &mut Report<'_>, place: Place<'_>, path: &str, list: &ListExpect) {
    if let Some(Ours::Exactly(ours)) = &list.ours {
        for (index, name) in ours.iter().enumerate() {
            place.names.resource(report, &format!("{path}.ours[{index}]"), name, true, place.condition);
        }
    }
    if list.ordered && !matches!(&list.ours, Some(Ours::Exactly(ours)) if ours.len() > 1) {
        let hint = Some("name at least two in `ours`".to_owned());
        report.key_error(&format!("{path}.ordered"), "there is no order to keep here", hint);
    }
    if list.foreign == Foreign::Matching && !place.filter {
        let hint = Some("write `none`, or leave it out".to_owned());
        report.error(&format!("{path}.foreign"), "there is no filter that strangers could match", hint);
    }
}

fn check(report: &mut Report<'_>, place: Place<'_>, path: &str, check: &Check, cited: &[String]) {
    let at = |key: &str| format!("{path}.{key}");
    let Place { names, condition, .. } = place;
    report.spec(place.known, &at("spec"), &check.spec);
    report.level(place.known, path, check.level, if check.spec.is_empty() { cited } else { &check.spec });
    let subjects = [
        ("path", check.path.is_some()),
        ("each", check.each.is_some()),
        ("values", check.values.is_some()),
        ("header", check.header.is_some()),
        ("elapsed", check.elapsed),
        ("attribute", check.attribute.is_some()),
    ];
    exactly_one(report, path, "subject", "of what it speaks", &subjects);
    let predicates = [
        ("equals", check.equals.is_some()),
        ("equals-ci", check.equals_ci.is_some()),
        ("differs", check.differs.is_some()),
        ("one-of", check.one_of.is_some()),
        ("same-as", check.same_as.is_some()),
        ("type", check.kind.is_some()),
        ("is", check.is.is_some()),
        ("present", check.present),
        ("nonempty", check.nonempty),
        ("absent", check.absent),
        ("empty", check.empty),
        ("length", check.length.is_some()),
        ("min", check.min.is_some()),
        ("max", check.max.is_some()),
        ("includes", check.includes.is_some()),
        ("excludes", check.excludes.is_some()),
        ("set", check.set.is_some()),
        ("matches", check.matches.is_some()),
        ("locates", check.locates.is_some()),
        ("before", check.before.is_some()),
        ("after", check.after.is_some()),
        ("at-most", check.at_most.is_some()),
    ];
    exactly_one(report, path, "predicate", "what should hold", &predicates);
    if check.elapsed != check.at_most.is_some() {
        let key = if check.elapsed { "elapsed" } else { "at-most" };
        let hint = Some("write `{elapsed: true, at-most: 600ms}`".to_owned());
        report.key_error(&at(key), "`elapsed` and `at-most` go together", hint);
    }
    if check.or_none && check.each.is_none() {
        report.key_error(&at("or-none"), "`or-none` belongs to `each`", None);
    }
    if check.or_none && check.present {
        report.key_error(&at("present"), "no answer can break this check", None);
    }
    for (key, text) in [("path", &check.path), ("each", &check.each), ("values", &check.values)] {
        if let Some(text) = text {
            names.text(report, &at(key), text, condition);
            json_path(report, &at(key), text);
        }
    }
    if let Some(text) = &check.attribute {
        names.text(report, &at("attribute"), text, condition);
        attribute_path(report, &at("attribute"), text);
    }
    if let Some(other) = &check.same_as
        && !other.starts_with("header ")
    {
        names.text(report, &at("same-as"), other, condition);
        json_path(report, &at("same-as"), other);
    }
    if let Some(pattern) = &check.matches {
        names.text(report, &at("matches"), pattern, condition);
        regular_expression(report, &at("matches"), pattern);
    }
    let values = [
        ("equals", &check.equals),
        ("differs", &check.differs),
        ("includes", &check.includes),
        ("excludes", &check.excludes),
        ("set", &check.set),
    ];
    for (key, value) in values {
        if let Some(value) = value {
            names.value(report, &at(key), value, condition);
        }
    }
    for (index, value) in check.one_of.iter().flatten().enumerate() {
        names.value(report, &at(&format!("one-of[{index}]")), value, condition);
    }
    if check.one_of.as_ref().is_some_and(Vec::is_empty) {
        report.key_error(&at("one-of"), "no value is one of none", None);
    }
    let texts = [
        ("equals-ci", &check.equals_ci),
        ("locates", &check.locates),
        ("before", &check.before),
        ("after", &check.after),
    ];
    for (key, text) in texts {
        if let Some(text) = text {
            names.text(report, &at(key), text, condition);
        }
    }
}

fn exactly_one(report: &mut Report<'_>, path: &str, what: &str, meaning: &str, keys: &[(&str, bool)]) {
    let present: Vec<&str> = keys.iter().filter(|(_, present)| *present).map(|(key, _)| *key).collect();
    match present.as_slice() {
        [_] => {}
        [] => {
            let all: Vec<&str> = keys.iter().map(|(key, _)| *key).collect();
            let hint = Some(format!("one of {}", all.join(", ")));
            report.error(path, format!("this check has no {what}: {meaning} is missing"), hint);
        }
        [.., last] => {
            let hint = Some("write two checks".to_owned());
            let message = format!("a check has one {what}, and {} are two", present.join(" and "));
            report.key_error(&format!("{path}.{last}"), message, hint);
        }
    }
}

/// An attribute path as a PATCH operation has it; references in it stand for what an operator will say.
pub(super) fn attribute_path(report: &mut Report<'_>, path: &str, text: &str) {
    if let Err(error) = PatchPath::parse(&without_references(text)) {
        let hint = Some("such as title, name.givenName or urn:example:User:hireDate".to_owned());
        report.key_error(path, format!("`{text}` is no attribute path: {error}"), hint);
    }
}

/// A JSONPath (RFC 9535); references in it stand for a part of a name.
pub(super) fn json_path(report: &mut Report<'_>, path: &str, text: &str) {
    let plain = without_references(text);
    if let Err(error) = JsonPath::parse(&plain) {
        let position = error.position();
        let mut spot = report.text.places().spot(path);
        let message = format!("`{text}` is no JSONPath: {}", error.message());
        if plain == text && position < text.len() {
            let rest = report.piece(path, &text[text.floor_char_boundary(position)..]);
            spot = rest;
        }
        let hint = (!text.starts_with('$')).then(|| format!("a JSONPath begins with `$`: `$.{text}`"));
        report.at(spot, Severity::Error, message, hint);
    }
}

fn regular_expression(report: &mut Report<'_>, path: &str, text: &str) {
    if let Err(error) = regex::Regex::new(&without_references(text)) {
        let shown = error.to_string();
        let reason = shown.lines().last().unwrap_or_default().trim_start_matches("error: ");
        report.error(path, format!("`{text}` is no regular expression: {reason}"), None);
    }
}

fn without_references(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut from = 0;
    for reference in template::references(text) {
        plain.push_str(&text[from..reference.span.start]);
        plain.push('x');
        from = reference.span.end;
    }
    plain.push_str(&text[from..]);
    plain
}
