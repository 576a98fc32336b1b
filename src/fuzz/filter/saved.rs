//! Counterexamples of filters as suites, and back.

use std::fmt::Write as _;

use serde_json::Value;

use super::Counterexample;
use super::verdict::Verdict;
use crate::fuzz::Subject;
use crate::fuzz::saved::{Head, REFERENCE, SavedSuite, replaced};
use crate::fuzz::strategy::data::MARK;
use crate::fuzz::strategy::literal::other_case;
use crate::oracle::world::{Truth, Worlds};
use crate::scim::filter::{Filter, FilterValue};

/// A counterexample of an earlier run.
#[derive(Debug, Clone, PartialEq)]
pub struct SavedCase {
    /// Its name, for people: the file.
    pub name: String,
    /// Where it is asked.
    pub endpoint: String,
    /// The resources that it needs, with [`MARK`] for the mark.
    pub resources: Vec<Value>,
    /// The filter, with [`MARK`] for the mark.
    pub filter: String,
}

/// The cases of suites that can be tried first. What refers to what only a suite knows is for `run` to replay.
pub fn cases(suites: &[SavedSuite]) -> Vec<SavedCase> {
    let mut cases = Vec::new();
    for SavedSuite { name, suite, .. } in suites {
        for case in &suite.cases {
            let Some(query) = case.steps.iter().find_map(|step| step.query.as_ref()) else { continue };
            let Some(filter) = &query.filter else { continue };
            let given = case.given.values().filter_map(|given| given.inline.as_ref());
            cases.push(SavedCase {
                name: name.clone(),
                endpoint: query.endpoint.trim_end_matches('/').to_owned(),
                resources: given.map(|resource| replaced(resource, REFERENCE, MARK)).collect(),
                filter: filter.replace(REFERENCE, MARK),
            });
        }
    }
    cases.retain(|case| !case.filter.contains("${"));
    cases
}

/// The suite that shows a counterexample; none where a suite cannot say it: of a relation between two answers, or of a
/// value that is another in every run and stands there in another form.
pub fn suite(
    name: &str,
    about: &str,
    counterexample: &Counterexample,
    spec: &[String],
    seed: u64,
) -> Option<String> {
    let Counterexample { filter, endpoint, verdict, data, .. } = counterexample;
    // Without its resources, a wrong list is no expectation.
    if counterexample.against.is_some() || (data.is_none() && matches!(verdict, Verdict::Wrong(_))) {
        return None;
    }
    let mut given = String::new();
    let mut found: Vec<String> = Vec::new();
    let mut text = filter.clone();
    let mut expectation = match verdict {
        Verdict::Served { .. } | Verdict::Miscalled { .. } => {
            "error: {status: 400, usual-scimType: [invalidFilter]}".to_owned()
        }
        _ => "status: 200".to_owned(),
    };
    let mut fresh = "{word: word}".to_owned();
    if let Some(data) = data {
        let parsed = Filter::parse(filter).ok()?;
        let reference = reference(&parsed, &data.word);
        let mut resources: Vec<Value> =
            data.rows.iter().map(|row| replaced(&row.sent, MARK, &reference)).collect();
        // A name in capitals needs a reference of its own.
        for (index, row) in data.rows.iter().enumerate() {
            let Some(name) = row.state.get("userName").and_then(Value::as_str) else { continue };
            let other = other_case(name);
            if text.contains(&other) {
                resources[index]["userName"] = "${name}".into();
                text = text.replace(&other, "${other}");
                fresh = "{word: word, name: user-name, other: {upper: name}}".to_owned();
            }
        }
        text = text.replace(&data.word, &reference);
        for (index, (row, resource)) in data.rows.iter().zip(&resources).enumerate() {
            let handle = format!("r{}", index + 1);
            text = text.replace(&row.id, &format!("${{{handle}.id}}"));
            for member in ["created", "lastModified", "location", "version"] {
                let value = row.state.pointer(&format!("/meta/{member}")).and_then(Value::as_str);
                if let Some(value) = value.filter(|value| value.len() > 8) {
                    text = text.replace(value, &format!("${{{handle}.meta.{member}}}"));
                }
            }
            writeln!(given, "      {handle}:\n        inline: {resource}").ok()?;
            match Worlds::all().truth(&parsed, &row.state, &data.definition) {
                Truth::Must => found.push(handle),
                Truth::MustNot => {}
                // What is open is no expectation.
                Truth::Open => return None,
            }
        }
        let is_stale =
            text.replace(&reference, "").to_ascii_lowercase().contains(&data.word.to_ascii_lowercase());
        if is_stale {
            return None;
        }
        let _ = write!(expectation, "\n          list: {{ours: [{}]}}", found.join(", "));
    }
    let given = if given.is_empty() { String::new() } else { format!("    given:\n{given}") };
    let head = Head {
        subject: Subject::Filter,
        seed,
        comment: None,
        name,
        about: format!("Filters: {about}"),
        requires: &["filter"],
        title: filter,
        level: None,
        spec,
    };
    Some(format!(
        "{}    fresh: {fresh}\n{given}    steps:\n      - query:\n          endpoint: {endpoint}\n          filter: {}\n        expect:\n          {expectation}\n",
        head.text(),
        Value::from(text),
    ))
}

/// What stands in a suite for the mark of a run. Where a literal reaches into the mark from either side, as `9x-Ext` does
/// of a mark that ends in `9x`, those letters stay beside the mark of the run that replays it.
fn reference(filter: &Filter, word: &str) -> String {
    let mut literals = Vec::new();
    collect(filter, &mut literals);
    let word = word.to_ascii_lowercase();
    let overlap = |reaches: &dyn Fn(&str, &str) -> bool, part: &dyn Fn(usize) -> Option<String>| {
        let parts = (1..word.len()).rev().filter_map(part);
        let mut reached = parts.filter(|part| literals.iter().any(|literal| reaches(literal, part)));
        reached.next().unwrap_or_default()
    };
    if literals
        .iter()
        .any(|literal| !literal.is_empty() && literal.len() < word.len() && word.contains(literal))
    {
        return format!("{word}{REFERENCE}");
    }
    let before =
        overlap(&|literal, part| literal.ends_with(part), &|size| word.get(..size).map(str::to_owned));
    let behind = overlap(&|literal, part| literal.starts_with(part), &|size| {
        word.get(word.len() - size..).map(str::to_owned)
    });
    format!("{before}{REFERENCE}{behind}")
}

/// The texts that a filter compares with, in small letters. The depth is that of the filter, which its parser bounds.
fn collect(filter: &Filter, literals: &mut Vec<String>) {
    match filter {
        Filter::And(all) | Filter::Or(all) => all.iter().for_each(|it| collect(it, literals)),
        Filter::Not(inner) | Filter::ValuePath { filter: inner, .. } => collect(inner, literals),
        Filter::Compare { value: FilterValue::String(text), .. } => literals.push(text.to_ascii_lowercase()),
        Filter::Compare { .. } | Filter::Present(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_of_the_mark_that_a_literal_has_stay() {
        let of = |text: &str| reference(&Filter::parse(text).unwrap(), "s0fuzz9x");
        assert_eq!(of("externalId ew \"-Ext-05\""), "${run}${word}");
        assert_eq!(of("externalId ew \"9X-E\""), "${run}${word}9x");
        assert_eq!(of("title co \"g00 s0f\" and title pr"), "s0f${run}${word}");
        assert_eq!(of("externalId co \"uzz\""), "s0fuzz9x${run}${word}");
        assert_eq!(of("externalId eq \"s0fuzz9x-Ext-05\""), "${run}${word}");
    }
}
