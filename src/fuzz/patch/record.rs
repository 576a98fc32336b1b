//! What fuzzing PATCH came to, as outcomes: a property that held is one that passed, a cause is one that failed.

use serde_json::Value;

use super::saved;
use super::verdict::{Verdict as Sighted, Wants};
use super::{Counterexample, FuzzError, Fuzzed, Property, operations};
use crate::fuzz::cause::{Cause, Feature, Features};
use crate::fuzz::record::{self, Said, also, failed, take_back};
use crate::fuzz::strategy::patch_slip::Slip;
use crate::fuzz::subject::{Found, Subject};
use crate::judge::words;
use crate::oracle::written::{Departure, Grade};
use crate::outcome::{Difference, ErrorCause, Outcome, Signature, SkipReason, Verdict};
use crate::report::model::FuzzRecord;
use crate::report::text::{clip, count};
use crate::requirement::Catalogue;

/// How many differences a finding lists.
const LISTED: usize = 6;
/// How much of a body is told.
const TOLD: usize = 600;

/// What was found and what held, in the order of the properties, with a suite for each cause that one can say.
pub fn found(fuzzed: &Fuzzed, catalogue: &Catalogue, seed: u64) -> Found {
    let about =
        |cause: &Cause<Counterexample>| (cause.name(), cause.sightings.first().map(|first| first.property));
    let told = |cause: &Cause<Counterexample>, name: &str, property| {
        let shown = best(cause)?;
        let outcome = outcome(name, property, cause, shown, catalogue);
        let text = saved::suite(name, &cause.about(), shown, &outcome.spec, seed);
        Some((outcome, text))
    };
    record::found(Subject::Patch, (tried(fuzzed), &fuzzed.tally, &fuzzed.ended), &fuzzed.causes, about, told)
}

/// What kept PATCH from being fuzzed at all.
pub fn unjudged(error: &FuzzError) -> Found {
    let verdict = match error {
        FuzzError::NoPatch(evidence) => Verdict::Skipped {
            reason: SkipReason::Capability { needs: "patch".to_owned(), evidence: evidence.clone() },
        },
        FuzzError::ReadOnly => Verdict::Skipped { reason: SkipReason::ReadOnly },
        FuzzError::NoResource { .. } | FuzzError::NoResources => {
            Verdict::Errored { cause: ErrorCause::Precondition { detail: error.to_string() } }
        }
    };
    record::untried(Subject::Patch, verdict, &error.to_string())
}

/// The record of what was tried.
fn tried(fuzzed: &Fuzzed) -> FuzzRecord {
    let Fuzzed { tally, notes, ended, attributes, mended, .. } = fuzzed;
    let mut notes = notes.clone();
    notes.extend(attributes.iter().map(|(endpoint, number)| {
        format!("{endpoint}: {} that a client writes and reads again", count(*number as u64, "attribute"))
    }));
    let resources = attributes.iter().map(|(endpoint, _)| (endpoint.clone(), 2));
    FuzzRecord { notes, mended: mended.clone(), ..FuzzRecord::of(Subject::Patch, tally, ended, resources) }
}

/// The sighting that shows a cause best: one that showed again, with the fewest operations and the shortest of them.
pub fn best(cause: &Cause<Counterexample>) -> Option<&Counterexample> {
    cause.sightings.iter().min_by_key(|it| {
        (it.again == Some(false), it.again.is_none(), it.operations().len(), it.body.to_string().len())
    })
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
        severity: shown.judgement.severity,
        requirements: requirements(shown, &cause.features),
        message: message(shown),
        expected: expected(shown),
        actual: actual(shown),
        differences: differences(shown.judgement.departures()),
        exchange: shown.exchange.as_ref().map(|exchange| exchange.id),
        signature: signature(cause, shown),
    };
    let mut outcome = failed(Subject::Patch, property, name, said, catalogue);
    outcome.exchanges = cause
        .sightings
        .iter()
        .filter_map(|sighting| sighting.exchange.as_ref().map(|exchange| exchange.id))
        .take(1)
        .collect();
    outcome.notes = notes(cause, shown);
    if cause.sightings.iter().all(|sighting| sighting.again == Some(false)) {
        take_back(&mut outcome, "not again on a fresh resource");
    }
    outcome
}

/// The operations in one line.
fn told(shown: &Counterexample) -> String {
    told_body(&shown.body)
}

fn told_body(body: &Value) -> String {
    let text = match operations(body) {
        [] => body.to_string(),
        [one] => one.to_string(),
        several => Value::from(several).to_string(),
    };
    clip(&text, TOLD)
}

/// What it says in one line.
fn message(shown: &Counterexample) -> String {
    let about = format!("PATCH of a {} with {}", shown.resource_type, told(shown));
    if shown.property == Property::Neighbours {
        return format!("a resource that was not patched has changed; the last: {about}");
    }
    match &shown.judgement.verdict {
        Sighted::Wrong(found) => match found.first() {
            Some(first) => format!("{about} leaves {} wrong: {}", first.path, first.why),
            None => format!("{about} leaves the resource wrong"),
        },
        Sighted::Misreported(what) => format!("{about}: {what}"),
        Sighted::Refused { status, scim_type } => {
            format!("{about} is refused with {}", keyword(*status, scim_type.as_ref()))
        }
        Sighted::Changed(found) => {
            let first = found.first().map(|it| format!(" {}", it.path)).unwrap_or_default();
            format!("{about} is refused, and changes{first} all the same")
        }
        Sighted::Served { status, changed } => match changed.first() {
            Some(first) => format!("{about} is answered {status}, and changes {}", first.path),
            None => format!("{about} is answered {status}, and changes nothing"),
        },
        Sighted::Miscalled { status, scim_type } => {
            format!("{about} is refused with {}", keyword(*status, scim_type.as_ref()))
        }
        Sighted::Broken(what) => format!("{about} breaks the server: {what}"),
        Sighted::Right | Sighted::Nothing(_) => about,
    }
}

fn keyword(status: u16, scim_type: Option<&String>) -> String {
    match scim_type {
        Some(scim_type) => format!("{status} {scim_type}"),
        None => format!("{status} without a keyword"),
    }
}

fn listed(found: &[Departure], pick: impl Fn(&Departure) -> Option<&Value>) -> String {
    let lines: Vec<String> = found
        .iter()
        .filter(|it| it.grade > Grade::Note)
        .take(LISTED)
        .map(|it| match pick(it) {
            Some(value) => format!("{}: {}", it.path, clip(&value.to_string(), 300)),
            None => format!("{}: no value", it.path),
        })
        .collect();
    lines.join("\n")
}

fn expected(shown: &Counterexample) -> String {
    let refusal = || match shown.wants {
        Wants::Refused(slip) => match slip.usual() {
            [] => "400, and nothing changed".to_owned(),
            usual => format!("400 with scimType {}, and nothing changed", usual.join(" or ")),
        },
        Wants::Carried => "the resource as it was".to_owned(),
    };
    match &shown.judgement.verdict {
        Sighted::Wrong(found) => listed(found, |it| it.expected.as_ref()),
        Sighted::Changed(found) => listed(found, |it| it.expected.as_ref()),
        Sighted::Misreported(_) => {
            "200 with the whole resource as it is, or 204 without a body; 200 where attributes are asked for"
                .to_owned()
        }
        Sighted::Refused { .. } => "200 with the resource, or 204: a client may send this".to_owned(),
        Sighted::Served { .. } | Sighted::Miscalled { .. } => refusal(),
        Sighted::Broken(_) => match shown.wants {
            Wants::Carried => "200 or 204".to_owned(),
            Wants::Refused(_) => refusal(),
        },
        Sighted::Right | Sighted::Nothing(_) => String::new(),
    }
}

fn actual(shown: &Counterexample) -> String {
    match &shown.judgement.verdict {
        Sighted::Wrong(found) | Sighted::Changed(found) => listed(found, |it| it.actual.as_ref()),
        Sighted::Misreported(what) | Sighted::Broken(what) => what.clone(),
        Sighted::Refused { status, scim_type } | Sighted::Miscalled { status, scim_type } => {
            keyword(*status, scim_type.as_ref())
        }
        Sighted::Served { status, changed } if changed.is_empty() => format!("{status}, and nothing changed"),
        Sighted::Served { status, changed } => {
            format!("{status}\n{}", listed(changed, |it| it.actual.as_ref()))
        }
        Sighted::Right | Sighted::Nothing(_) => String::new(),
    }
}

fn differences(found: &[Departure]) -> Vec<Difference> {
    found.iter().filter(|it| it.grade > Grade::Note).take(LISTED).map(words::departure).collect()
}

fn signature(cause: &Cause<Counterexample>, shown: &Counterexample) -> Signature {
    let (expected, actual) = match &shown.judgement.verdict {
        Sighted::Wrong(_) => ("the resource as the operations leave it", "another one"),
        Sighted::Misreported(_) => ("an answer that fits", "another one"),
        Sighted::Changed(_) => ("the resource as it was", "another one"),
        Sighted::Refused { .. } => ("success", "refused"),
        Sighted::Served { .. } => ("refused", "success"),
        Sighted::Miscalled { .. } => ("refused with 400", "another refusal"),
        Sighted::Broken(_) => ("an answer", "broken"),
        Sighted::Right | Sighted::Nothing(_) => ("", ""),
    };
    Signature {
        check: cause.name(),
        method: "PATCH".to_owned(),
        endpoint: format!("{}/{{id}}", shown.endpoint),
        expected: expected.to_owned(),
        actual: actual.to_owned(),
    }
}

fn notes(cause: &Cause<Counterexample>, shown: &Counterexample) -> Vec<String> {
    let mut notes = vec![
        format!("what these have in common: {}", cause.about()),
        format!("the resource before: {}", clip(&shown.resource.to_string(), TOLD)),
    ];
    let others = cause.sightings.iter().filter(|it| it.body != shown.body);
    notes.extend(also(others.map(|it| clip(&told(it), 160)).collect(), "operations"));
    if shown.seen != shown.body {
        let took = count(shown.shrinking, "request");
        notes.push(format!("first seen with {}; shrunk with {took}", clip(&told_body(&shown.seen), 300)));
    }
    notes.push(
        match shown.again {
            Some(true) => "judged anew on a fresh resource: the same",
            Some(false) => {
                "judged anew on a fresh resource, it was right: something before it has a part in it"
            }
            None => "not judged anew: the budget did not allow it, or what it needs could not be made",
        }
        .to_owned(),
    );
    notes
}

/// The requirements that a counterexample is about, the most telling first.
pub fn requirements(shown: &Counterexample, features: &Features) -> Vec<&'static str> {
    let mut all: Vec<&'static str> = Vec::new();
    if let Wants::Refused(slip) = shown.wants
        && slip != Slip::Saved
    {
        all.push(slip.requirement());
    }
    match &shown.judgement.verdict {
        Sighted::Changed(_) => all.extend(["RFC7644-3.5.2-19", "RFC7644-3.5.2-20"]),
        Sighted::Misreported(what) if what.contains("attributes") => all.push("RFC7644-3.5.2-24"),
        Sighted::Misreported(what) if what.contains("lastModified") => all.push("RFC7644-3.5.2.1-12"),
        Sighted::Misreported(_) => all.push("RFC7644-3.5.2-23"),
        Sighted::Miscalled { .. } => all.push("RFC7644-3.5.2-21"),
        _ => {}
    }
    if shown.wants == Wants::Carried {
        all.extend(features.iter().filter_map(of_feature));
    }
    if all.is_empty() {
        all.push("RFC7644-3.5.2-17");
    }
    let mut unique: Vec<&'static str> = Vec::new();
    for id in all {
        if !unique.contains(&id) {
            unique.push(id);
        }
    }
    unique.truncate(3);
    unique
}

fn of_feature(feature: &Feature) -> Option<&'static str> {
    Some(match feature {
        Feature::Connective(what) if what == "several operations" => "RFC7644-3.5.2-17",
        Feature::Connective(what) if what == "several terms in a filter" => "RFC7644-3.4.2.2-25",
        Feature::Connective(_) => "RFC7644-3.5.2.3-02",
        Feature::Form("every PATCH" | "an operation on something else") => "RFC7644-3.5.2-01",
        Feature::Form("a filter" | "a filter and a part") => "RFC7644-3.5.2-07",
        Feature::Spelling("an op with a capital") => "RFC7644-3.5.2-05",
        Feature::Spelling("names in another case") => "RFC7643-2.1-03",
        Feature::Spelling(_) | Feature::Extension => "RFC7644-3.5.2-13",
        Feature::Literal("primary") => "RFC7644-3.5.2-18",
        Feature::Literal("null" | "an empty list") => "RFC7643-2.5-02",
        Feature::Literal("what is there") => "RFC7644-3.5.2.1-11",
        Feature::Operation("add") => "RFC7644-3.5.2.1-01",
        Feature::Operation("remove") => "RFC7644-3.5.2.2-01",
        Feature::Operation("replace") => "RFC7644-3.5.2.3-01",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_requirement_is_in_the_catalogue() {
        let catalogue = Catalogue::embedded();
        let features = [
            Feature::Connective("several operations".to_owned()),
            Feature::Connective("several terms in a filter".to_owned()),
            Feature::Connective("several attributes in one value".to_owned()),
            Feature::Form("every PATCH"),
            Feature::Form("a filter"),
            Feature::Spelling("an op with a capital"),
            Feature::Spelling("names in another case"),
            Feature::Spelling("the URI of the core schema"),
            Feature::Literal("primary"),
            Feature::Literal("null"),
            Feature::Literal("what is there"),
            Feature::Operation("add"),
            Feature::Operation("remove"),
            Feature::Operation("replace"),
        ];
        for feature in features {
            let id = of_feature(&feature).unwrap_or_else(|| panic!("{feature:?}"));
            assert!(catalogue.get(id).is_some(), "{feature:?}: {id}");
        }
        for id in [
            "RFC7644-3.5.2-19",
            "RFC7644-3.5.2-20",
            "RFC7644-3.5.2-21",
            "RFC7644-3.5.2-23",
            "RFC7644-3.5.2-24",
            "RFC7644-3.5.2.1-12",
        ] {
            assert!(catalogue.get(id).is_some(), "{id}");
        }
    }
}
