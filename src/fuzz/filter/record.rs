//! What fuzzing filters came to, as outcomes: a property that held is one that passed, a cause is one that failed.

use super::ask::Way;
use super::saved;
use super::verdict::Verdict as Sighted;
use super::{Counterexample, FuzzError, Fuzzed, Property, RowInQuestion};
use crate::fuzz::cause::{Cause, Feature, Features, Harm};
use crate::fuzz::record::{self, Said, also, failed, take_back};
use crate::fuzz::subject::{Found, Subject};
use crate::oracle::truth::Explanation;
use crate::outcome::{Difference, ErrorCause, Outcome, Severity, Signature, SkipReason, Verdict};
use crate::report::model::FuzzRecord;
use crate::report::text::count;
use crate::requirement::Catalogue;

/// How many resources of each kind a finding explains.
const EXPLAINED: usize = 1;
/// How many resources a finding lists.
const LISTED: usize = 6;

/// What was found and what held, in the order of the properties, with a suite for each cause that one can say.
pub fn found(fuzzed: &Fuzzed, catalogue: &Catalogue, seed: u64) -> Found {
    let about =
        |cause: &Cause<Counterexample>| (cause.name(), cause.sightings.first().map(|first| first.property));
    let told = |cause: &Cause<Counterexample>, name: &str, property| {
        let shown = best(cause)?;
        let mut outcome = outcome(name, property, cause, shown, catalogue);
        let text = saved::suite(name, &cause.about(), shown, &outcome.spec, seed);
        if text.is_none() {
            outcome.notes.push(
                "no case was saved: what shows it could not be made anew, or no case can say it".to_owned(),
            );
        }
        Some((outcome, text))
    };
    record::found(Subject::Filter, (tried(fuzzed), &fuzzed.tally, &fuzzed.ended), &fuzzed.causes, about, told)
}

/// What kept filters from being fuzzed at all.
pub fn unjudged(error: &FuzzError) -> Found {
    let verdict = match error {
        FuzzError::NoFilters(evidence) => Verdict::Skipped {
            reason: SkipReason::Capability { needs: "filter".to_owned(), evidence: evidence.clone() },
        },
        FuzzError::ReadOnly => Verdict::Skipped { reason: SkipReason::ReadOnly },
        FuzzError::TooFew(_) | FuzzError::NoResources => {
            Verdict::Errored { cause: ErrorCause::Precondition { detail: error.to_string() } }
        }
    };
    record::untried(Subject::Filter, verdict, &error.to_string())
}

/// The record of what was tried.
fn tried(fuzzed: &Fuzzed) -> FuzzRecord {
    let Fuzzed { tally, dialect, notes, ended, resources, mended, .. } = fuzzed;
    let resources = resources.iter().map(|(endpoint, count)| (endpoint.clone(), *count as u64));
    FuzzRecord {
        dialect: dialect.clone(),
        notes: notes.clone(),
        mended: mended.clone(),
        ..FuzzRecord::of(Subject::Filter, tally, ended, resources)
    }
}

/// The outcome of a cause, by the sighting that shows it best.
fn outcome(
    name: &str,
    property: Property,
    cause: &Cause<Counterexample>,
    shown: &Counterexample,
    catalogue: &Catalogue,
) -> Outcome {
    let said = Said {
        severity: severity(cause, shown),
        requirements: requirements(&cause.features),
        message: message(shown),
        expected: expected(shown),
        actual: actual(shown),
        differences: differences(&shown.rows),
        exchange: shown.exchange.as_ref().map(|exchange| exchange.id),
        signature: signature(cause, shown),
    };
    let mut outcome = failed(Subject::Filter, property, name, said, catalogue);
    outcome.exchanges = cause
        .sightings
        .iter()
        .filter_map(|sighting| sighting.exchange.as_ref().map(|exchange| exchange.id))
        .take(1)
        .collect();
    outcome.notes = notes(cause, shown);
    if cause.sightings.iter().all(|sighting| sighting.again == Some(false)) {
        take_back(&mut outcome, "not again from scratch: the server's answers changed meanwhile");
    }
    outcome
}

/// The sighting that shows a cause best: one that showed again, with the smallest filter.
pub fn best(cause: &Cause<Counterexample>) -> Option<&Counterexample> {
    cause
        .sightings
        .iter()
        .min_by_key(|it| (it.again == Some(false), it.again.is_none(), it.terms, it.filter.len()))
}

/// How bad it is. What a service provider may decline is a warning, brackets a note (AMB-61); a filter that it takes in
/// another spelling or with another literal is no such thing.
fn severity(cause: &Cause<Counterexample>, shown: &Counterexample) -> Severity {
    let has = |wanted: fn(&Feature) -> bool| cause.features.iter().any(wanted);
    match (&shown.verdict, cause.harm) {
        (_, Harm::Contradiction) => Severity::Warning,
        (Sighted::Refused { status, .. }, _) if !matches!(status, 400 | 501) => Severity::Failure,
        (Sighted::Refused { .. }, _) => {
            let is_odd = has(|it| {
                matches!(it, Feature::Literal(_))
                    || matches!(it, Feature::Spelling(what) if !what.starts_with("parentheses"))
            });
            if is_odd {
                Severity::Failure
            } else if has(|it| matches!(it, Feature::Connective(word) if word.contains("[]"))) {
                Severity::Note
            } else {
                Severity::Warning
            }
        }
        (Sighted::Miscalled { status: 400, .. }, _) => {
            let is_demanded = has(
                |it| matches!(it, Feature::Slip(what) if what.starts_with("order ") || what.starts_with("an operator that")),
            );
            if is_demanded { Severity::Failure } else { Severity::Warning }
        }
        _ => Severity::Failure,
    }
}

/// What it says in one line.
fn message(shown: &Counterexample) -> String {
    let filter = &shown.filter;
    if let Some(against) = &shown.against {
        let other = match against.way {
            Way::Get => against.filter.clone(),
            Way::Search => "the same by .search".to_owned(),
            Way::Pages(_) => "the same in small pages".to_owned(),
        };
        return format!("{filter} and {other} contradict each other");
    }
    match &shown.verdict {
        Sighted::Wrong(mistake) => {
            let missing = mistake.missing.len() as u64;
            let surplus = (mistake.surplus.len() + mistake.strangers.len()) as u64;
            let misses = format!("misses {} that must be found", count(missing, "resource"));
            let finds = format!("finds {} that must not be found", count(surplus, "resource"));
            match (missing, surplus) {
                (0, 0) => format!("{filter} shows a resource more than once"),
                (0, _) => format!("{filter} {finds}"),
                (_, 0) => format!("{filter} {misses}"),
                _ => format!("{filter} {misses}, and {finds}"),
            }
        }
        Sighted::Refused { status, scim_type } => {
            let keyword = scim_type.as_ref().map(|it| format!(" {it}")).unwrap_or_default();
            format!("{filter} is refused with {status}{keyword}")
        }
        Sighted::Served { rows } => {
            format!("{filter} is no filter, and is answered with {}", count(*rows as u64, "row"))
        }
        Sighted::Miscalled { status, scim_type } => match scim_type {
            Some(keyword) => format!("{filter} is no filter, and is refused with {status} {keyword}"),
            None => format!("{filter} is no filter, and is refused with {status} without a keyword"),
        },
        Sighted::Broken(what) => format!("{filter} breaks the server: {what}"),
        Sighted::Right | Sighted::Nothing(_) => filter.clone(),
    }
}

fn expected(shown: &Counterexample) -> String {
    match &shown.verdict {
        Sighted::Wrong(_) if shown.against.is_some() => "answers that agree about every resource".to_owned(),
        Sighted::Wrong(_) => {
            let of = |must: bool| shown.rows.iter().filter(move |row| row.must == must).take(EXPLAINED);
            let lines: Vec<String> = of(true)
                .chain(of(false))
                .map(|row| {
                    let must = if row.must { "must be found" } else { "must not be found" };
                    format!("{} {must}:\n{}", row.label, tree(&row.explanation))
                })
                .collect();
            if lines.is_empty() { "each resource at most once".to_owned() } else { lines.join("\n") }
        }
        Sighted::Refused { .. } => "200 with what matches: a client may send this filter".to_owned(),
        Sighted::Served { .. } | Sighted::Miscalled { .. } => "400 with scimType invalidFilter".to_owned(),
        Sighted::Broken(_) => "200 with a ListResponse, or 400 where the filter is not supported".to_owned(),
        Sighted::Right | Sighted::Nothing(_) => String::new(),
    }
}

fn actual(shown: &Counterexample) -> String {
    match &shown.verdict {
        Sighted::Wrong(mistake) => {
            let labels = |must: bool| -> Vec<&str> {
                shown
                    .rows
                    .iter()
                    .filter(|row| row.must == must)
                    .map(|row| row.label.as_str())
                    .take(LISTED)
                    .collect()
            };
            let mut said = Vec::new();
            if !mistake.missing.is_empty() {
                said.push(format!("{} not found: {}", mistake.missing.len(), labels(true).join(", ")));
            }
            let surplus = mistake.surplus.len() + mistake.strangers.len();
            if surplus > 0 {
                said.push(format!("{surplus} found wrongly: {}", labels(false).join(", ")));
            }
            if !mistake.repeated.is_empty() {
                said.push(format!("{} found more than once", mistake.repeated.len()));
            }
            said.join("\n").trim_end_matches([':', ' ']).to_owned()
        }
        Sighted::Refused { status, scim_type } | Sighted::Miscalled { status, scim_type } => {
            format!(
                "{status}{}",
                scim_type
                    .as_ref()
                    .map(|it| format!(" {it}"))
                    .unwrap_or_else(|| " without scimType".to_owned())
            )
        }
        Sighted::Served { rows } => format!("200 with {}", count(*rows as u64, "row")),
        Sighted::Broken(what) => what.clone(),
        Sighted::Right | Sighted::Nothing(_) => String::new(),
    }
}

/// The evaluation as a tree, each node with its value; the lines keep their form where blanks are drawn together.
pub fn tree(explanation: &Explanation) -> String {
    let mut lines = Vec::new();
    branch(explanation, 0, &mut lines);
    lines.join("\n")
}

/// The depth is that of the filter, which its parser bounds.
fn branch(node: &Explanation, depth: usize, lines: &mut Vec<String>) {
    let because = node.because.as_ref().map(|because| format!(" ({because})")).unwrap_or_default();
    let before = if depth == 0 { String::new() } else { format!("{}└ ", "· ".repeat(depth - 1)) };
    lines.push(format!("{before}{}{because}", node.verdict()));
    node.operands.iter().for_each(|operand| branch(operand, depth + 1, lines));
}

fn differences(rows: &[RowInQuestion]) -> Vec<Difference> {
    let word = |found: bool| if found { "found" } else { "not found" }.to_owned();
    rows.iter()
        .take(LISTED)
        .map(|row| Difference { path: row.label.clone(), expected: word(row.must), actual: word(!row.must) })
        .collect()
}

fn signature(cause: &Cause<Counterexample>, shown: &Counterexample) -> Signature {
    let (expected, actual) = match &shown.verdict {
        Sighted::Wrong(_) => ("the resources that match", "others"),
        Sighted::Refused { .. } => ("status 200", "refused"),
        Sighted::Served { .. } => ("status 400", "status 200"),
        Sighted::Miscalled { .. } => ("400 invalidFilter", "another refusal"),
        Sighted::Broken(_) => ("status 200", "broken"),
        Sighted::Right | Sighted::Nothing(_) => ("", ""),
    };
    Signature {
        check: cause.name(),
        method: "GET".to_owned(),
        endpoint: shown.endpoint.clone(),
        expected: expected.to_owned(),
        actual: actual.to_owned(),
    }
}

fn notes(cause: &Cause<Counterexample>, shown: &Counterexample) -> Vec<String> {
    let mut notes = vec![format!("what these have in common: {}", cause.about())];
    let others = cause.sightings.iter().map(|it| &it.filter).filter(|filter| **filter != shown.filter);
    notes.extend(also(others.cloned().collect(), "filters"));
    if shown.seen != shown.filter {
        let took = count(shown.shrinking, "request");
        notes.push(format!(
            "first seen with {}; shrunk with {took}",
            crate::report::text::clip(&shown.seen, 300)
        ));
    }
    match shown.again {
        Some(true) if shown.data.is_some() => {
            notes.push("judged anew on fresh resources: the same".to_owned())
        }
        Some(true) => notes.push("asked once more: the same".to_owned()),
        Some(false) => {
            notes.push("judged anew, it was right: whatever broke it is not there any more".to_owned())
        }
        None => notes.push(
            "not judged anew: the budget did not allow it, or what it needs could not be made".to_owned(),
        ),
    }
    if cause.harm == Harm::Contradiction {
        notes.push(
            "some reading of the RFCs allows this answer, but not the reading that the server's other answers show"
                .to_owned(),
        );
    }
    notes
}

/// The requirements that a cause is about, the most telling first.
pub fn requirements(features: &Features) -> Vec<&'static str> {
    let mut found: Vec<&'static str> = Vec::new();
    let mut add = |id: &'static str| {
        if !found.contains(&id) {
            found.push(id);
        }
    };
    for feature in features {
        match feature {
            Feature::Slip("a comparison without a value") => add("RFC7644-3.4.2.2-04"),
            Feature::Slip("an operator that does not exist") => add("RFC7644-3.4.2.2-36"),
            Feature::Slip("an attribute that is not defined") => add("RFC7644-3.4.2.1-06"),
            Feature::Slip("a complex attribute compared as a whole") => add("RFC7644-3.4.2.2-33"),
            Feature::Slip("order on a boolean" | "order on a binary value") => {
                add("RFC7644-3.4.2.2-13");
                add("RFC7644-3.4.2.2-19");
            }
            Feature::Slip("a filter and its double negation" | "a filter and its negation") => {
                add("RFC7644-3.4.2.2-22")
            }
            Feature::Slip("a negated and, and the or of negations") => {
                add("RFC7644-3.4.2.2-22");
                add("RFC7644-3.4.2.2-20");
            }
            Feature::Slip("two spellings of a filter") => add("RFC7644-3.4.2.2-03"),
            Feature::Slip("GET and .search") => add("RFC7644-3.4.3-02"),
            Feature::Slip("one page and several") => add("RFC7644-3.4.2.4-01"),
            Feature::Slip("two terms in either order" | "a filter and the same filter twice") => {
                add("RFC7644-3.4.2.2-20");
            }
            Feature::Slip(_) => add("RFC7644-3.4.2.2-28"),
            Feature::Spelling(what) if what.contains("URI") => add("RFC7644-3.4.2.2-30"),
            Feature::Spelling(what) if what.contains("parentheses") => add("RFC7644-3.4.2.2-23"),
            Feature::Spelling(_) => add("RFC7644-3.4.2.2-03"),
            _ => {}
        }
    }
    for feature in features {
        if let Feature::Connective(word) = feature {
            match word.as_str() {
                word if word.contains("[]") => add("RFC7644-3.4.2.2-25"),
                word if word.contains(" within ") => add("RFC7644-3.4.2.2-31"),
                word if word.starts_with("and") => add("RFC7644-3.4.2.2-20"),
                word if word.starts_with("or") => add("RFC7644-3.4.2.2-21"),
                _ => add("RFC7644-3.4.2.2-22"),
            }
        }
    }
    let is_found = !found.is_empty();
    let mut add = |id: &'static str| {
        if !found.contains(&id) {
            found.push(id);
        }
    };
    for feature in features.iter().filter(|_| !is_found) {
        match feature {
            Feature::Literal("other case") => add("RFC7644-3.4.2.2-37"),
            Feature::Literal("escapes" | "brackets" | "apostrophes" | "percent signs" | "underscores") => {
                add("RFC7644-3.4.2.2-29");
            }
            Feature::Operator("eq") => add("RFC7644-3.4.2.2-06"),
            Feature::Operator("ne") => add("RFC7644-3.4.2.2-07"),
            Feature::Operator("co") => add("RFC7644-3.4.2.2-08"),
            Feature::Operator("sw") => add("RFC7644-3.4.2.2-09"),
            Feature::Operator("ew") => add("RFC7644-3.4.2.2-10"),
            Feature::Operator("pr") => add("RFC7644-3.4.2.2-11"),
            Feature::Operator("gt") => add("RFC7644-3.4.2.2-12"),
            Feature::Operator("ge") => add("RFC7644-3.4.2.2-14"),
            Feature::Operator("lt") => add("RFC7644-3.4.2.2-16"),
            Feature::Operator("le") => add("RFC7644-3.4.2.2-18"),
            Feature::Extension => add("RFC7644-3.4.2.2-30"),
            _ => {}
        }
    }
    if found.is_empty() {
        found.push("RFC7644-3.4.2.2-02");
    }
    found.truncate(3);
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_requirement_is_in_the_catalogue() {
        let catalogue = Catalogue::embedded();
        let slips = crate::fuzz::strategy::invalid::Slip::ALL.map(|slip| Feature::Slip(slip.words()));
        let others = [
            Feature::Slip("GET and .search"),
            Feature::Slip("one page and several"),
            Feature::Slip("order on a boolean"),
            Feature::Connective("and within or".to_owned()),
            Feature::Connective("[]".to_owned()),
            Feature::Operator("ew"),
            Feature::Literal("other case"),
            Feature::Spelling("operators in capitals"),
            Feature::Extension,
        ];
        for feature in slips.into_iter().chain(others) {
            for id in requirements(&Features::from([feature.clone()])) {
                assert!(catalogue.get(id).is_some(), "{feature:?}: {id}");
            }
        }
    }
}
