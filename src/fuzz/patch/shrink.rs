//! What was seen made small: on fresh resources, with fewer operations, a simpler filter, fewer values and a smaller
//! resource, as long as the same harm comes of it. What remains has shown from scratch.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use super::features::features;
use super::hunt::{Hunt, Trial, top};
use super::phases::simplest;
use super::play::{Played, neutral};
use super::verdict::{Judgement, Verdict, Wants};
use super::{Counterexample, Property, operations};
use crate::fuzz::Ended;
use crate::fuzz::cause::{Feature, Features, Harm};
use crate::oracle::written::Grade;
use crate::scim::definition::{Resolved, ResourceDefinition};
use crate::scim::filter::Filter;
use crate::scim::names;
use crate::scim::path::PatchPath;
use crate::scim::resource::{elements, get};

/// The most fresh resources that one counterexample is tried on.
const ATTEMPTS: u32 = 16;
/// The requests that one attempt takes, with what it leaves to be deleted.
const ATTEMPT: u64 = 6;
/// Of several operations so many are tried alone before they are halved.
const ALONE: usize = 4;

/// What has shown on a fresh resource.
struct Minimal {
    body: Value,
    resource: Value,
    played: Played,
    judgement: Judgement,
}

/// What attempts are held to.
struct Attempts<'t> {
    trial: &'t Trial,
    harm: Harm,
    left: u32,
}

impl Hunt<'_> {
    /// Shrinks what was seen, and puts it to its cause. Whether something may be left to be hunted down: other operations
    /// of the same PATCH, which the causes known by then do not explain.
    pub(super) async fn hunt_down(
        &mut self,
        field: usize,
        trial: &Trial,
        played: &Played,
        judgement: &Judgement,
        word: &str,
    ) -> bool {
        if self.course.ended.is_some() {
            return false;
        }
        let sighted_at = self.fuzz.target.requests_made();
        let definition = self.fields[field].definition.clone();
        let left: Vec<Value> = match trial.wants {
            Wants::Carried => operations(&trial.body)
                .iter()
                .filter(|it| {
                    let features = features(std::slice::from_ref(it), &played.before, &definition);
                    self.causes.explains(&features).is_none()
                })
                .cloned()
                .collect(),
            Wants::Refused(_) => operations(&trial.body).to_vec(),
        };
        let harmed = harmed(judgement);
        let suspects: Vec<&Value> =
            left.iter().filter(|it| !tops(it, &definition).is_disjoint(&harmed)).collect();
        // What is harmed by an operation that is known is known.
        let is_known =
            left.len() < operations(&trial.body).len() && !harmed.is_empty() && suspects.is_empty();
        if (left.is_empty() && !operations(&trial.body).is_empty()) || is_known {
            return false;
        }
        self.tell("shrinking what looks wrong");
        let resource = neutral(&played.before, word, &definition);
        let mut attempts = Attempts { trial, harm: judgement.harm(), left: ATTEMPTS };
        let found = self.shrink(field, &mut attempts, &resource, &left, &suspects).await;
        let again = match &found {
            Some(_) => Some(true),
            None if attempts.left == ATTEMPTS => None,
            None => Some(false),
        };
        let is_found = found.is_some();
        let minimal = found.unwrap_or_else(|| Minimal {
            body: trial.body.clone(),
            resource,
            played: played.clone(),
            judgement: judgement.clone(),
        });
        let is_several = operations(&minimal.body).len() > 1;
        let mut features = match trial.wants {
            Wants::Refused(slip) => Features::from([Feature::Slip(slip.words())]),
            Wants::Carried => features(operations(&minimal.body), &minimal.played.before, &definition),
        };
        if trial.projected && !is_several {
            features = Features::from([Feature::Slip("a PATCH that asks for attributes")]);
        }
        if let Some(harmed) =
            beside(&minimal, &definition).filter(|_| is_found && trial.wants == Wants::Carried)
        {
            // Something that the operation is not about: every other PATCH will show it, too.
            features = Features::from([
                Feature::Attribute(harmed.clone()),
                Feature::Form("an operation on something else"),
            ]);
            self.fields[field].blind.insert(harmed);
        } else if trial.wants == Wants::Carried && is_found && !trial.projected {
            self.control(field, &minimal, &mut features).await;
        }
        let all = [&minimal.body, &minimal.resource].map(Value::to_string).concat();
        let references = self.fields[field].stock.references.iter();
        let counterexample = Counterexample {
            property: trial.property,
            resource_type: definition.name.clone(),
            endpoint: definition.endpoint.trim_end_matches('/').to_owned(),
            seen: trial.body.clone(),
            wants: trial.wants,
            projected: trial.projected,
            before: minimal.played.before.clone(),
            references: references.filter(|id| all.contains(id.as_str())).cloned().collect(),
            exchange: minimal.played.exchange.clone(),
            judgement: minimal.judgement,
            body: minimal.body,
            resource: minimal.resource,
            features,
            again,
            sighted_at,
            minimal_at: self.fuzz.target.requests_made(),
            shrinking: self.fuzz.target.requests_made() - sighted_at,
        };
        let is_saved = trial.property == Property::Saved;
        self.put_to_cause(counterexample);
        is_found && left.len() > 1 && !is_several && !is_saved
    }

    /// The smallest PATCH on a fresh resource of which the same harm comes.
    async fn shrink(
        &mut self,
        field: usize,
        attempts: &mut Attempts<'_>,
        resource: &Value,
        left: &[Value],
        suspects: &[&Value],
    ) -> Option<Minimal> {
        let is_carried = attempts.trial.wants == Wants::Carried;
        let mut minimal: Option<Minimal> = None;
        if is_carried && left.len() > 1 {
            for suspect in suspects.iter().take(ALONE) {
                let one = envelope(std::slice::from_ref(*suspect));
                minimal = self.attempt(field, attempts, &one, resource).await;
                if minimal.is_some() {
                    break;
                }
            }
            if minimal.is_none() {
                minimal = self.pairs(field, attempts, resource, left, suspects).await;
            }
            if minimal.is_none() {
                minimal = self.halves(field, attempts, resource, left).await;
            }
        }
        let mut minimal = match minimal {
            Some(minimal) => minimal,
            None => {
                let body = match operations(&attempts.trial.body).len() == left.len() {
                    true => attempts.trial.body.clone(),
                    false => envelope(left),
                };
                self.attempt(field, attempts, &body, resource).await?
            }
        };
        if is_carried {
            self.simplify(field, attempts, &mut minimal).await;
        }
        let definition = self.fields[field].definition.clone();
        let smaller = reduced(&minimal, &definition);
        if smaller != minimal.resource
            && let Some(smaller) = self.attempt(field, attempts, &minimal.body.clone(), &smaller).await
        {
            minimal = smaller;
        }
        Some(minimal)
    }

    /// Two operations: a suspect, and the one before or behind it.
    async fn pairs(
        &mut self,
        field: usize,
        attempts: &mut Attempts<'_>,
        resource: &Value,
        left: &[Value],
        suspects: &[&Value],
    ) -> Option<Minimal> {
        if left.len() < 3 {
            return None;
        }
        let at = |suspect: &Value| left.iter().position(|it| it == suspect);
        for suspect in suspects.iter().take(2) {
            let Some(index) = at(suspect) else { continue };
            for other in [0, index.wrapping_sub(1), index + 1] {
                let Some(beside) = left.get(other).filter(|_| other != index) else { continue };
                let pair = if other < index { [beside, suspect] } else { [suspect, beside] };
                let body = envelope(&pair.map(Clone::clone));
                if let Some(minimal) = self.attempt(field, attempts, &body, resource).await {
                    return Some(minimal);
                }
            }
        }
        None
    }

    /// One half of the operations after the other, then without one of them after the other.
    async fn halves(
        &mut self,
        field: usize,
        attempts: &mut Attempts<'_>,
        resource: &Value,
        left: &[Value],
    ) -> Option<Minimal> {
        let mut current = left.to_vec();
        let mut minimal: Option<Minimal> = None;
        while current.len() > 1 {
            let (first, second) = current.split_at(current.len() / 2);
            let mut chosen = None;
            for half in [first, second] {
                if let Some(found) = self.attempt(field, attempts, &envelope(half), resource).await {
                    chosen = Some((half.to_vec(), found));
                    break;
                }
            }
            match chosen {
                Some((half, found)) => {
                    current = half;
                    minimal = Some(found);
                }
                None => break,
            }
        }
        let mut index = 0;
        while current.len() > 2 && index < current.len() {
            let mut fewer = current.clone();
            fewer.remove(index);
            match self.attempt(field, attempts, &envelope(&fewer), resource).await {
                Some(found) => {
                    current = fewer;
                    minimal = Some(found);
                }
                None => index += 1,
            }
        }
        minimal
    }

    /// Fewer attributes in a value without a path, fewer terms in a filter, fewer values.
    async fn simplify(&mut self, field: usize, attempts: &mut Attempts<'_>, minimal: &mut Minimal) {
        let definition = self.fields[field].definition.clone();
        for _ in 0..4 {
            let [operation] = operations(&minimal.body) else { return };
            let simpler = simpler(operation, &harmed(&minimal.judgement), &definition);
            let mut is_simpler = false;
            for candidate in simpler {
                let resource = minimal.resource.clone();
                if let Some(found) = self.attempt(field, attempts, &envelope(&[candidate]), &resource).await {
                    *minimal = found;
                    is_simpler = true;
                    break;
                }
            }
            if !is_simpler {
                return;
            }
        }
    }

    /// Tries a body on a fresh resource; what has shown, if the same harm comes of it.
    async fn attempt(
        &mut self,
        field: usize,
        attempts: &mut Attempts<'_>,
        body: &Value,
        resource: &Value,
    ) -> Option<Minimal> {
        if attempts.left == 0 || !self.fuzz.target.can_spare(ATTEMPT) || self.fuzz.target.interrupted() {
            return None;
        }
        self.words += 1;
        let word = self.word(self.words);
        let stage = self.stage(field);
        let mut specimen = stage.make(resource, &word, "judge it on a fresh resource").await.ok()?;
        attempts.left -= 1;
        let trial = attempts.trial;
        let mut played =
            stage.play(&mut specimen, body, trial.projected, "judge it on a fresh resource").await;
        let mut judgement = self.judge(field, &played, trial.wants);
        if trial.property == Property::Repeats && !judgement.is_bad() {
            let again = self.stage(field).play(&mut specimen, body, false, "repeat it").await;
            judgement = self.judge(field, &again, trial.wants);
            played = again;
        }
        self.heed(&played);
        (judgement.is_bad() && judgement.harm() == attempts.harm).then(|| Minimal {
            body: body.clone(),
            resource: resource.clone(),
            played,
            judgement,
        })
    }

    /// Whether any PATCH is right at all: two of the simplest, on other attributes, are tried once. Where both do the same
    /// harm, that is the cause of everything.
    async fn control(&mut self, field: usize, minimal: &Minimal, features: &mut Features) {
        if std::mem::replace(&mut self.controlled, true) {
            return;
        }
        let about: BTreeSet<String> = operations(&minimal.body)
            .iter()
            .flat_map(|it| tops(it, &self.fields[field].definition))
            .collect();
        let harm = minimal.judgement.harm();
        let bodies: Vec<Value> = simplest(&self.fields[field])
            .into_iter()
            .filter(|body| {
                let definition = &self.fields[field].definition;
                operations(body).iter().all(|it| tops(it, definition).is_disjoint(&about))
            })
            .take(2)
            .collect();
        if bodies.len() < 2 {
            return;
        }
        for body in bodies {
            let trial = Trial::carried(Property::Operations, body.clone());
            let mut attempts = Attempts { trial: &trial, harm, left: 1 };
            let base = self.fields[field].base.clone();
            if self.attempt(field, &mut attempts, &body, &base).await.is_none() {
                return;
            }
        }
        *features = Features::from([Feature::Form("every PATCH")]);
        if harm == Harm::Contradiction {
            self.deaf = true;
        } else {
            self.notes.push(
                "the simplest PATCHes of other attributes show the same, so nothing more was tried"
                    .to_owned(),
            );
            self.course.ended.get_or_insert(Ended::Done);
        }
    }
}

/// A PatchOp of these operations.
pub(super) fn envelope(operations: &[Value]) -> Value {
    json!({"schemas": [names::PATCH_OP], "Operations": operations})
}

/// The attributes that are not what they have to be, at the top.
fn harmed(judgement: &Judgement) -> BTreeSet<String> {
    judgement.departures().iter().filter(|it| it.grade > Grade::Note).map(|it| top(&it.path)).collect()
}

/// The attributes that an operation is about, at the top.
pub(super) fn tops(operation: &Value, definition: &ResourceDefinition) -> BTreeSet<String> {
    let of_path = |text: &str| {
        let path = PatchPath::parse(text).ok()?;
        match definition.resolve(&path.attribute)? {
            Resolved::Attribute { attribute, extension: Some(schema), .. } => {
                Some(format!("{}:{}", schema.id, attribute.name).to_ascii_lowercase())
            }
            Resolved::Attribute { attribute, .. } => Some(attribute.name.to_ascii_lowercase()),
            _ => None,
        }
    };
    if let Some(path) = get(operation, "path").and_then(Value::as_str) {
        return of_path(path).into_iter().collect();
    }
    members(operation, definition)
        .into_iter()
        .map(|(urn, name, _)| match urn {
            Some(urn) => format!("{urn}:{name}").to_ascii_lowercase(),
            None => name.to_ascii_lowercase(),
        })
        .collect()
}

/// The attributes that a value without a path names, with their values.
fn members(operation: &Value, definition: &ResourceDefinition) -> Vec<(Option<String>, String, Value)> {
    let mut all = Vec::new();
    for (name, value) in get(operation, "value").and_then(Value::as_object).into_iter().flatten() {
        match (definition.extension(name), value.as_object()) {
            (Some(_), Some(inner)) => {
                all.extend(
                    inner.iter().map(|(inner, value)| (Some(name.clone()), inner.clone(), value.clone())),
                );
            }
            _ => all.push((None, name.clone(), value.clone())),
        }
    }
    all
}

/// The attribute that is harmed by an operation on something else, if that is all it does.
fn beside(minimal: &Minimal, definition: &ResourceDefinition) -> Option<String> {
    let [operation] = operations(&minimal.body) else { return None };
    if !matches!(minimal.judgement.verdict, Verdict::Wrong(_)) {
        return None;
    }
    let (about, harmed) = (tops(operation, definition), harmed(&minimal.judgement));
    if about.is_empty() || !about.is_disjoint(&harmed) {
        return None;
    }
    harmed.into_iter().next()
}

/// Simpler forms of an operation, the simplest first.
fn simpler(operation: &Value, harmed: &BTreeSet<String>, definition: &ResourceDefinition) -> Vec<Value> {
    let with = |name: &str, value: Value| {
        let mut other = operation.clone();
        if let Some(members) = other.as_object_mut() {
            members.insert(name.to_owned(), value);
        }
        other
    };
    let value = get(operation, "value");
    let Some(path) = get(operation, "path").and_then(Value::as_str) else {
        return fewer_members(operation, harmed, definition)
            .into_iter()
            .map(|it| with("value", it))
            .collect();
    };
    let mut all = Vec::new();
    if let Ok(path) = PatchPath::parse(path)
        && let Some(filter) = &path.filter
    {
        let terms: Vec<Filter> = match filter {
            Filter::And(all) | Filter::Or(all) => all.clone(),
            Filter::Not(inner) if !matches!(**inner, Filter::Compare { .. }) => vec![(**inner).clone()],
            _ => Vec::new(),
        };
        all.extend(terms.into_iter().map(|filter| {
            let path = PatchPath { filter: Some(filter), ..path.clone() };
            with("path", path.to_string().into())
        }));
    }
    if let Some(Value::Array(list)) = value.filter(|it| elements(it).len() > 1) {
        all.extend(list.iter().take(1).map(|one| with("value", json!([one]))));
        if list.len() > 2 {
            all.push(with("value", list.iter().take(2).cloned().collect()));
        }
    }
    all
}

/// A value without a path, with one attribute of several, or two.
fn fewer_members(
    operation: &Value,
    harmed: &BTreeSet<String>,
    definition: &ResourceDefinition,
) -> Vec<Value> {
    let mut all = members(operation, definition);
    if all.len() < 2 {
        return Vec::new();
    }
    let object = |some: &[&(Option<String>, String, Value)]| {
        let mut whole = Map::new();
        for (urn, name, value) in some {
            match urn {
                None => drop(whole.insert(name.clone(), value.clone())),
                Some(urn) => {
                    let inner = whole.entry(urn.clone()).or_insert_with(|| json!({}));
                    if let Some(inner) = inner.as_object_mut() {
                        inner.insert(name.clone(), value.clone());
                    }
                }
            }
        }
        Value::Object(whole)
    };
    let first = all[0].clone();
    let is_harmed = |(urn, name, _): &(Option<String>, String, Value)| {
        let whole = urn.as_ref().map_or(name.clone(), |urn| format!("{urn}:{name}"));
        harmed.contains(&whole.to_ascii_lowercase())
    };
    all.sort_by_key(|it| !is_harmed(it));
    let mut candidates: Vec<Value> = all.iter().take(2).map(|it| object(&[it])).collect();
    if all.len() > 2 {
        if all[0] != first {
            candidates.push(object(&[&first, &all[0]]));
        }
        candidates.push(object(&[&all[0], &all[1]]));
        candidates.push(object(&all.iter().take(all.len() / 2).collect::<Vec<_>>()));
        candidates.push(object(&all.iter().skip(all.len() / 2).collect::<Vec<_>>()));
    }
    candidates
}

/// The resource with what the operations and the harm are about, and what is required.
fn reduced(minimal: &Minimal, definition: &ResourceDefinition) -> Value {
    let mut keeps = harmed(&minimal.judgement);
    for operation in operations(&minimal.body) {
        keeps.extend(tops(operation, definition));
    }
    let mut hollow: Vec<String> = Vec::new();
    let mut resource = minimal.resource.clone();
    let Some(members) = resource.as_object_mut() else { return resource };
    members.retain(|name, value| {
        if let Some(extension) = definition.extension(name) {
            if let Some(inner) = value.as_object_mut() {
                inner.retain(|inner, _| {
                    let is_required = extension.schema.attribute(inner).is_some_and(|it| it.required);
                    is_required || keeps.contains(&format!("{name}:{inner}").to_ascii_lowercase())
                });
                if inner.is_empty() && !extension.required {
                    hollow.push(name.to_ascii_lowercase());
                    return false;
                }
            }
            return true;
        }
        let is_required = definition.top_attribute(name).is_some_and(|it| it.required);
        name == "schemas" || is_required || keeps.contains(&name.to_ascii_lowercase())
    });
    if let Some(Value::Array(urns)) = members.get_mut("schemas") {
        urns.retain(|urn| !urn.as_str().is_some_and(|it| hollow.contains(&it.to_ascii_lowercase())));
    }
    resource
}
