//! What a PATCH is held against beside its own result: its neighbours, the PUT that is equal to it, several operations in a
//! row, and the URI of an extension alone.

use serde_json::{Value, json};

use super::hunt::{Field, Hunt, Trial};
use super::phases::simplest;
use super::play::neutral;
use super::shrink::envelope;
use super::verdict::{Judgement, Verdict, Wants};
use super::{Counterexample, Property};
use crate::fuzz::cause::{Feature, Features};
use crate::fuzz::strategy::patch::{Class, Place, parts};
use crate::oracle::derived::refers;
use crate::oracle::written::{Grade, Write, departures};
use crate::outcome::Severity;
use crate::scim::resource::{elements, get};
use crate::scim::schema::AttributeType;
use crate::suite::model::{Capability, Requires};
use crate::target::{RequestPlan, resource_path};

impl Hunt<'_> {
    pub(super) fn of_several(&self, field: usize) -> Vec<(Value, bool)> {
        let Field { places, specimen, definition, stock, .. } = &self.fields[field];
        let mut bodies: Vec<(Value, bool)> = Vec::new();
        let mut add = |operations: Value| bodies.push((envelope(elements(&operations)), false));
        let plain: Vec<&Place> = places
            .iter()
            .filter(|it| {
                it.class() == Class::Simple
                    && it.urn.is_none()
                    && it.attribute.kind == AttributeType::String
                    && !it.attribute.required
                    && it.attribute.canonical_values.is_empty()
                    && !["displayName", "externalId", "locale", "preferredLanguage", "timezone"]
                        .contains(&it.attribute.name.as_str())
            })
            .collect();
        if let [one, other, ..] = plain.as_slice() {
            let (one, other) = (one.path(), other.path());
            add(
                json!([{"op": "replace", "path": one, "value": "first"}, {"op": "replace", "path": one, "value": "second"}]),
            );
            add(json!([{"op": "remove", "path": one}, {"op": "add", "path": one, "value": "third"}]));
            add(
                json!([{"op": "replace", "path": one, "value": "fourth"}, {"op": "replace", "path": other, "value": "fifth"}]),
            );
            add(json!([{"op": "Replace", "path": one, "value": "sixth"}]));
        }
        for place in places
            .iter()
            .filter(|it| it.class() == Class::Several && it.attribute.kind == AttributeType::Complex)
        {
            let path = place.path();
            let known = elements(place.value(&specimen.state).unwrap_or(&Value::Null));
            let Some(first) = known.first().and_then(|it| get(it, "value")).and_then(Value::as_str) else {
                continue;
            };
            let first = Value::from(first.replace(&specimen.word, crate::fuzz::strategy::data::MARK));
            if refers(&place.attribute) {
                let is_there =
                    |id: &&String| known.iter().any(|it| get(it, "value") == Some(&id.as_str().into()));
                let Some(new) = stock.references.iter().find(|id| !is_there(id)) else { continue };
                add(json!([
                    {"op": "remove", "path": format!("{path}[value eq {first}]")},
                    {"op": "add", "path": path, "value": [{"value": new}]},
                ]));
                // Who is no member, since there is nobody of that id.
                add(json!([{"op": "remove", "path": format!("{path}[value eq \"nobody\"]")}]));
                continue;
            }
            let sub = parts(&place.attribute)
                .into_iter()
                .find(|it| {
                    it.kind == AttributeType::String
                        && !["value", "type", "display", "primary"].contains(&it.name.as_str())
                })
                .or_else(|| place.attribute.sub_attribute("type"))
                .map(|it| {
                    (it.name.clone(), it.canonical_values.first().cloned().unwrap_or("other".to_owned()))
                });
            let Some((sub, part)) = sub else { continue };
            let mail = crate::fuzz::strategy::data::MARK;
            let new = match place.attribute.name.as_str() {
                "emails" => format!("{mark}.new@{}", stock.domain, mark = mail),
                "phoneNumbers" => "+1-555-0199".to_owned(),
                _ => continue,
            };
            add(json!([
                {"op": "add", "path": path, "value": [{"value": new}]},
                {"op": "replace", "path": format!("{path}[value eq {}].{sub}", Value::from(new.as_str())), "value": part},
            ]));
            add(json!([
                {"op": "remove", "path": format!("{path}[value eq {first}]")},
                {"op": "add", "path": path, "value": [{"value": format!("{}{new}", if new.starts_with('+') { "" } else { "x" })}]},
            ]));
            add(json!([{"op": "remove", "path": format!("{path}[value eq \"nothing like it\"]")}]));
            add(
                json!([{"op": "add", "path": format!("{path}[value eq \"{mail}.made@{}\"].{sub}", stock.domain), "value": part}]),
            );
            break;
        }
        if let Some(body) = simplest(&self.fields[field]).into_iter().next() {
            bodies.push((body, true));
        }
        let changes = Requires::Capability(Capability::ChangePassword);
        let has_password = definition.top_attribute("password").is_some();
        if has_password && self.fuzz.probe.capabilities.check(&changes).is_ok() {
            let operation = json!({"op": "replace", "path": "password", "value": "N3w-Pass!word-7"});
            bodies.push((envelope(&[operation]), false));
        }
        bodies
    }

    /// An extension that a resource does not have yet, put into `schemas` with its first attribute.
    pub(super) async fn bare_extension(&mut self, field: usize) {
        let Field { places, base, .. } = &self.fields[field];
        let Some(place) = places.iter().find(|it| {
            it.urn.is_some() && it.class() == Class::Simple && it.attribute.kind == AttributeType::String
        }) else {
            return;
        };
        let Some(urn) = place.urn.clone() else { return };
        let path = place.path();
        let mut bare = base.clone();
        if let Some(members) = bare.as_object_mut() {
            members.retain(|name, _| !name.eq_ignore_ascii_case(&urn));
            if let Some(urns) = members.get_mut("schemas").and_then(Value::as_array_mut) {
                urns.retain(|it| !it.as_str().is_some_and(|it| it.eq_ignore_ascii_case(&urn)));
            }
        }
        if !self.goes_on() {
            return;
        }
        self.words += 1;
        let word = self.word(self.words);
        let Ok(mut specimen) = self.stage(field).make(&bare, &word, "make one without an extension").await
        else {
            return;
        };
        let body = envelope(&[
            json!({"op": "add", "path": "schemas", "value": [urn]}),
            json!({"op": "add", "path": path, "value": "of an extension"}),
        ]);
        let trial = Trial::carried(Property::Sequences, body);
        let played = self.stage(field).play(&mut specimen, &trial.body, false, "bring an extension in").await;
        self.note(field, &trial, played, &word).await;
    }

    /// Whether a resource that nobody patched is as it was.
    pub(super) async fn neighbours(&mut self, field: usize) {
        let recent = std::mem::take(&mut self.fields[field].recent);
        if recent.is_empty() || !self.goes_on() {
            return;
        }
        let Some(bystander) = self.fields[field].bystander.clone() else { return };
        self.tell("looking at a resource beside");
        let Ok(after) =
            self.stage(field).read(&bystander.id, "see whether another resource has changed").await
        else {
            return;
        };
        self.tally.judge(Property::Neighbours);
        let definition = self.fields[field].definition.clone();
        let found =
            departures(&Write::Refused { before: &bystander.state }, &after, &definition).unwrap_or_default();
        if let Some(specimen) = &mut self.fields[field].bystander {
            specimen.state = after;
        }
        if !found.iter().any(|it| it.grade == Grade::Failure) {
            return;
        }
        let sighted_at = self.fuzz.target.requests_made();
        // The last ones first: one of them does it again.
        let mut again = Some(false);
        let mut shown = recent.last().cloned().unwrap_or_default();
        for body in recent.iter().rev().take(8) {
            if !self.fuzz.target.can_spare(8) {
                again = None;
                break;
            }
            self.renew(field).await;
            let mut specimen = self.fields[field].specimen.clone();
            let before = self.fields[field].bystander.as_ref().map(|it| it.state.clone()).unwrap_or_default();
            self.stage(field).send(&specimen, body, false, "see whether this changes another resource").await;
            let read =
                self.stage(field).read(&bystander.id, "see whether another resource has changed").await;
            if let Ok(state) = self.stage(field).read(&specimen.id, "read back what was patched").await {
                specimen.state = state;
                self.fields[field].specimen = specimen;
            }
            let Ok(after) = read else { continue };
            let changed =
                departures(&Write::Refused { before: &before }, &after, &definition).unwrap_or_default();
            if let Some(specimen) = &mut self.fields[field].bystander {
                specimen.state = after;
            }
            if changed.iter().any(|it| it.grade == Grade::Failure) {
                (again, shown) = (Some(true), body.clone());
                break;
            }
        }
        let counterexample = Counterexample {
            property: Property::Neighbours,
            resource_type: definition.name.clone(),
            endpoint: definition.endpoint.trim_end_matches('/').to_owned(),
            seen: shown.clone(),
            body: shown,
            wants: Wants::Carried,
            projected: false,
            judgement: Judgement { verdict: Verdict::Changed(found), severity: Severity::Failure },
            before: bystander.state.clone(),
            resource: self.fields[field].base.clone(),
            references: Vec::new(),
            exchange: None,
            features: Features::from([Feature::Form("a PATCH of another resource")]),
            again,
            sighted_at,
            minimal_at: self.fuzz.target.requests_made(),
            shrinking: self.fuzz.target.requests_made() - sighted_at,
        };
        self.put_to_cause(counterexample);
    }

    /// The resource as PATCHes have made it, against one that a PUT makes the same.
    pub(super) async fn twin(&mut self, field: usize) {
        let Field { specimen, base, definition, .. } = &self.fields[field];
        let (definition, base) = (definition.clone(), base.clone());
        let patched = neutral(&specimen.state, &specimen.word, &definition);
        self.words += 1;
        let word = self.word(self.words);
        self.tell("comparing with PUT");
        let stage = self.stage(field);
        let Ok(mut twin) = stage.make(&base, &word, "make a twin").await else { return };
        let mut plan =
            RequestPlan::new("PUT", resource_path(stage.endpoint(), &twin.id), crate::fuzz::ORIGIN)
                .json(&stage.body(&patched, &word));
        plan.reason = Some("put what PATCHes have led to".to_owned());
        let Ok(sent) = self.fuzz.target.send(plan).await else { return };
        // What PUT refuses is no matter of PATCH.
        if sent.exchange.status() != Some(200) {
            return;
        }
        let Ok(state) = self.stage(field).read(&twin.id, "read the twin").await else { return };
        twin.state = state;
        self.tally.judge(Property::Twins);
        let put = neutral(&twin.state, &twin.word, &definition);
        let found = departures(&Write::Refused { before: &put }, &patched, &definition).unwrap_or_default();
        let found: Vec<_> = found.into_iter().filter(|it| it.grade == Grade::Failure).collect();
        let Some(worst) = found.first() else { return };
        let features = Features::from([
            Feature::Slip("a PATCH and the equal PUT"),
            Feature::Attribute(super::hunt::top(&worst.path)),
        ]);
        if self.is_explained(&features) {
            return;
        }
        let at = self.fuzz.target.requests_made();
        let body = self.fields[field].recent.last().cloned().unwrap_or_default();
        let what = format!("after PUT, {} is another one than after PATCH", worst.path);
        let counterexample = Counterexample {
            property: Property::Twins,
            resource_type: definition.name.clone(),
            endpoint: definition.endpoint.trim_end_matches('/').to_owned(),
            seen: body.clone(),
            body,
            wants: Wants::Carried,
            projected: false,
            judgement: Judgement { verdict: Verdict::Misreported(what), severity: Severity::Warning },
            before: put,
            resource: patched,
            references: Vec::new(),
            exchange: Some(sent.exchange),
            features,
            again: None,
            sighted_at: at,
            minimal_at: at,
            shrinking: 0,
        };
        self.put_to_cause(counterexample);
    }
}
