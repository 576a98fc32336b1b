//! Counterexamples of filters as suites, and back.

use std::fmt::Write as _;

use serde_json::Value;

use super::ask::Way;
use super::relation::PARTITION;
use super::verdict::Verdict;
use super::{Against, Counterexample};
use crate::fuzz::Subject;
use crate::fuzz::cause::Feature;
use crate::fuzz::dataset::DataSet;
use crate::fuzz::saved::{Head, REFERENCE, SavedSuite, replaced};
use crate::fuzz::strategy::data::MARK;
use crate::fuzz::strategy::literal::other_case;
use crate::oracle::world::{Truth, Worlds};
use crate::scim::filter::{Filter, FilterValue};
use crate::suite::model::{By, Query};

/// What stands in a suite for a name that is asked for in other letters.
const NAME: &str = "${name}";
/// What that name in other letters is called in it.
pub(super) const OTHER: &str = "other";

/// The name that is tried in its place, with [`MARK`] for the mark.
pub(super) fn other_name() -> String {
    format!("{MARK}.other@example.com")
}

/// Whether a resource of a saved case is the one with that name.
pub(super) fn is_other(resource: &Value) -> bool {
    resource["userName"] == other_name()
}

/// A counterexample of an earlier run.
#[derive(Debug, Clone, PartialEq)]
pub struct SavedCase {
    /// Its name, for people: the file.
    pub name: String,
    /// Where it is asked.
    pub endpoint: String,
    /// The resources that it needs, each with its name in the filters, with [`MARK`] for the mark.
    pub resources: Vec<(String, Value)>,
    /// The filter, with [`MARK`] for the mark, and references to the resources.
    pub filter: String,
    /// What its answer is held against, if it is not what the oracle says.
    pub against: Option<Against>,
}

/// The cases of suites, as they are tried first.
pub fn cases(suites: &[SavedSuite]) -> Vec<SavedCase> {
    let mut cases = Vec::new();
    for SavedSuite { name, suite, .. } in suites {
        for case in &suite.cases {
            let queries: Vec<&Query> = case.steps.iter().filter_map(|step| step.query.as_ref()).collect();
            let filter = |query: &Query| query.filter.as_ref().map(|filter| filter.replace(REFERENCE, MARK));
            let (asked, against) = match queries.as_slice() {
                [only] => (only, None),
                [first, second] => {
                    let is_search = second.by.contains(&By::Search);
                    let way = if is_search { Way::Search } else { Way::Get };
                    (second, filter(first).map(|filter| Against { filter, way }))
                }
                _ => continue,
            };
            let Some(text) = filter(asked) else { continue };
            let given =
                case.given.iter().filter_map(|(handle, given)| Some((handle, given.inline.as_ref()?)));
            let resources = given.map(|(handle, resource)| {
                let resource = replaced(resource, REFERENCE, MARK);
                (handle.clone(), replaced(&resource, NAME, &other_name()))
            });
            cases.push(SavedCase {
                name: name.clone(),
                endpoint: asked.endpoint.trim_end_matches('/').to_owned(),
                resources: resources.collect(),
                filter: text,
                against,
            });
        }
    }
    cases
}

/// The suite that shows a counterexample; none where a suite cannot say it: of a value that is another in every run and
/// stands there in another form, or of answers that differ about what could not be made anew.
pub fn suite(
    name: &str,
    about: &str,
    counterexample: &Counterexample,
    spec: &[String],
    seed: u64,
) -> Option<String> {
    let Counterexample { filter, endpoint, verdict, data, against, .. } = counterexample;
    // Without its resources, a wrong list is no expectation.
    if data.is_none() && matches!(verdict, Verdict::Wrong(_)) {
        return None;
    }
    let mut expectation = match verdict {
        Verdict::Served { .. } | Verdict::Miscalled { .. } => {
            "error: {status: 400, usual-scimType: [invalidFilter]}".to_owned()
        }
        _ => "status: 200".to_owned(),
    };
    let (given, fresh, steps) = match (data, against) {
        (Some(data), Some(against)) => {
            let Told { given, fresh, texts } = told(data, &[&against.filter, filter])?;
            let [first, second] = texts.as_slice() else { return None };
            (given, fresh, held_against_each_other(counterexample, data, against, first, second)?)
        }
        (Some(data), None) => {
            let Told { given, fresh, texts } = told(data, &[filter])?;
            let found = ours(data, filter)?;
            let _ = write!(expectation, "\n          list: {{ours: [{}]}}", found.join(", "));
            (given, fresh, step(endpoint, texts.first()?, "", &expectation))
        }
        (None, _) => (String::new(), "{word: word}".to_owned(), step(endpoint, filter, "", &expectation)),
    };
    let given = if given.is_empty() { String::new() } else { format!("    given:\n{given}") };
    let title = match against {
        Some(against) if against.filter != *filter => format!("{filter} against {}", against.filter),
        _ => filter.clone(),
    };
    let head = Head {
        subject: Subject::Filter,
        seed,
        comment: None,
        name,
        about: format!("Filters: {about}"),
        requires: &["filter"],
        title: &title,
        level: None,
        spec,
    };
    Some(format!("{}    fresh: {fresh}\n{given}    steps:\n{steps}", head.text()))
}

/// A step that asks a filter; `more` are further keys of it.
fn step(endpoint: &str, filter: &str, more: &str, expectation: &str) -> String {
    format!(
        "      - query:\n          endpoint: {endpoint}\n          filter: {}\n{more}        expect:\n          {expectation}\n",
        Value::from(filter),
    )
}

/// The two steps of answers that contradict each other. Where the RFCs say what each has to find, that is expected of
/// each; else the second has to find as many as the first, which is about one resource alone.
fn held_against_each_other(
    shown: &Counterexample,
    data: &DataSet,
    against: &Against,
    first: &str,
    second: &str,
) -> Option<String> {
    let endpoint = &shown.endpoint;
    let way = match against.way {
        Way::Get => "",
        Way::Search => "          by: [search]\n",
        Way::Pages(_) => return None,
    };
    let list = |found: Vec<String>| format!("status: 200\n          list: {{ours: [{}]}}", found.join(", "));
    if let (Some(one), Some(other)) = (ours(data, &against.filter), ours(data, &shown.filter)) {
        return Some(step(endpoint, first, "", &list(one)) + &step(endpoint, second, way, &list(other)));
    }
    let is_about_one = |filter: &str| {
        data.rows
            .iter()
            .any(|row| filter.starts_with(&format!("id eq {} and ", Value::from(row.id.as_str()))))
    };
    let is_contrary = shown.features.contains(&Feature::Slip(PARTITION));
    if !is_about_one(&against.filter) || !is_about_one(&shown.filter) {
        return None;
    }
    let predicate = if is_contrary { "differs" } else { "equals" };
    let capture = "        capture: {found: {path: $.totalResults}}\n";
    let expectation =
        format!("status: 200\n          checks: [{{path: $.totalResults, {predicate}: \"${{found}}\"}}]");
    Some(step(endpoint, first, capture, "status: 200") + &step(endpoint, second, way, &expectation))
}

/// The handles of the resources that a filter has to find; none where that is open, which is no expectation.
fn ours(data: &DataSet, filter: &str) -> Option<Vec<String>> {
    let filter = Filter::parse(filter).ok()?;
    let mut found = Vec::new();
    for (index, row) in data.rows.iter().enumerate() {
        match Worlds::all().truth(&filter, &row.state, &data.definition) {
            Truth::Must => found.push(handle(index)),
            Truth::MustNot => {}
            Truth::Open => return None,
        }
    }
    Some(found)
}

/// The name of a resource in a suite.
fn handle(index: usize) -> String {
    format!("r{}", index + 1)
}

/// What a suite says of resources, and of filters about them.
struct Told {
    /// The resources.
    given: String,
    /// What is made up for each run.
    fresh: String,
    /// The filters, with references in them.
    texts: Vec<String>,
}

/// Resources and filters with references for what is another in every run; none where that stands in another form.
fn told(data: &DataSet, filters: &[&String]) -> Option<Told> {
    let parsed: Vec<Filter> = filters.iter().map(|it| Filter::parse(it)).collect::<Result<_, _>>().ok()?;
    let reference = reference(&Filter::And(parsed), &data.word);
    let mut texts: Vec<String> = filters.iter().map(|it| (*it).clone()).collect();
    let mut put = |old: &str, new: &str| {
        texts.iter_mut().fold(false, |was_there, text| {
            let is_there = text.contains(old);
            *text = text.replace(old, new);
            was_there || is_there
        })
    };
    let mut fresh = "{word: word}".to_owned();
    let mut resources: Vec<Value> =
        data.rows.iter().map(|row| replaced(&row.sent, MARK, &reference)).collect();
    // A name in capitals needs a reference of its own.
    for (row, resource) in data.rows.iter().zip(&mut resources) {
        let Some(name) = row.state.get("userName").and_then(Value::as_str) else { continue };
        if put(&other_case(name), &format!("${{{OTHER}}}")) {
            resource["userName"] = NAME.into();
            fresh = "{word: word, name: user-name, other: {upper: name}}".to_owned();
        }
    }
    put(&data.word, &reference);
    let mut given = String::new();
    for (index, (row, resource)) in data.rows.iter().zip(&resources).enumerate() {
        let handle = handle(index);
        put(&row.id, &format!("${{{handle}.id}}"));
        for member in ["created", "lastModified", "location", "version"] {
            let value = row.state.pointer(&format!("/meta/{member}")).and_then(Value::as_str);
            if let Some(value) = value.filter(|value| value.len() > 8) {
                put(value, &format!("${{{handle}.meta.{member}}}"));
            }
        }
        writeln!(given, "      {handle}:\n        inline: {resource}").ok()?;
    }
    let is_stale = |text: &String| {
        text.replace(&reference, "").to_ascii_lowercase().contains(&data.word.to_ascii_lowercase())
    };
    if texts.iter().any(is_stale) { None } else { Some(Told { given, fresh, texts }) }
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
