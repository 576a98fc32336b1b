//! What is tried in which order: what finds most for a request comes first.

use serde_json::{Value, json};

use super::chance::REFUSALS;
use super::hunt::{Field, Hunt, Trial};
use super::play::{Answer, neutral};
use super::shrink::envelope;
use super::verdict::{Judgement, Verdict, Wants};
use super::{Counterexample, Property, operations};
use crate::fuzz::cause::{Feature, Features};
use crate::fuzz::dice::Dice;
use crate::fuzz::strategy::data::marked;
use crate::fuzz::strategy::patch::{self, Class, Form, Place, joined, parts};
use crate::fuzz::strategy::patch_slip::{Ground, Slip, bodies};
use crate::oracle::derived::refers;
use crate::oracle::patched::{Effect, effect};
use crate::oracle::written::{Grade, Write, departures};
use crate::outcome::Severity;
use crate::scim::resource::{elements, get};
use crate::scim::schema::AttributeType;
use crate::suite::model::{Capability, Requires};
use crate::target::{RequestPlan, resource_path};

/// The most operations of one PATCH of the sweep.
const TOGETHER: usize = 12;
/// So many mistakes come before the second field.
const FIRST_MISTAKES: usize = 12;

/// The simplest PATCHes there are: one attribute with one value each, by its path.
pub(super) fn simplest(field: &Field) -> Vec<Value> {
    let is_plain = |it: &&Place| {
        it.class() == Class::Simple
            && it.attribute.kind == AttributeType::String
            && !it.attribute.required
            && it.attribute.canonical_values.is_empty()
            && !["displayName", "externalId", "locale", "preferredLanguage", "timezone"]
                .contains(&it.attribute.name.as_str())
    };
    let plain = field.places.iter().filter(is_plain);
    let mut all: Vec<Value> = plain
        .map(|it| envelope(&[json!({"op": "replace", "path": it.path(), "value": "a simple one"})]))
        .collect();
    if all.is_empty() {
        let required = field.places.iter().filter(|it| it.class() == Class::Simple && it.attribute.required);
        let value = |it: &Place| {
            let mark = crate::fuzz::strategy::data::MARK;
            let domain = &field.stock.domain;
            if it.attribute.name == "userName" {
                format!("{mark}.simple@{domain}")
            } else {
                format!("{mark} simple")
            }
        };
        all.extend(
            required.map(|it| envelope(&[json!({"op": "replace", "path": it.path(), "value": value(it)})])),
        );
    }
    all
}

impl Hunt<'_> {
    /// Everything, in the order that pays.
    pub(super) async fn phases(&mut self) {
        self.saved_ones().await;
        self.sequences(0).await;
        self.sweep(0, &Form::ALL).await;
        let mut mistakes = self.mistakes(0);
        let later = mistakes.split_off(FIRST_MISTAKES.min(mistakes.len()));
        self.try_mistakes(0, mistakes).await;
        for field in 1..self.fields.len() {
            self.sequences(field).await;
            self.sweep(field, &Form::ALL).await;
            let mistakes = self.mistakes(field);
            self.try_mistakes(field, mistakes).await;
        }
        self.try_mistakes(0, later).await;
        for field in 0..self.fields.len() {
            self.neighbours(field).await;
        }
        self.random().await;
        for field in 0..self.fields.len() {
            self.neighbours(field).await;
        }
    }

    /// What earlier runs have found.
    async fn saved_ones(&mut self) {
        for case in self.fuzz.saved {
            let at = |field: &Field| field.definition.endpoint.trim_end_matches('/') == case.endpoint;
            let Some(field) = self.fields.iter().position(at) else {
                self.notes.push(format!("{}: there is no {} to try it at", case.name, case.endpoint));
                continue;
            };
            if !self.goes_on() {
                return;
            }
            let stock = &self.fields[field].stock;
            let (Some(resource), Some(body)) =
                (case.with(&case.resource, &stock.references), case.with(&case.body, &stock.references))
            else {
                self.notes.push(format!("{}: it needs more resources to refer to than there are", case.name));
                continue;
            };
            self.words += 1;
            let word = self.word(self.words);
            let made = self.stage(field).make(&resource, &word, "make what a saved case needs").await;
            let mut specimen = match made {
                Ok(specimen) => specimen,
                Err(why) => {
                    self.notes.push(format!("{}: its resource could not be made: {why}", case.name));
                    continue;
                }
            };
            let wants = if case.is_refused { Wants::Refused(Slip::Saved) } else { Wants::Carried };
            let trial = Trial { property: Property::Saved, body, wants, projected: case.projected };
            let reason = "trying what was saved";
            self.tell(reason);
            let played = self.stage(field).play(&mut specimen, &trial.body, trial.projected, reason).await;
            if self.note(field, &trial, played, &word).await {
                self.mended.push(case.name.clone());
            }
        }
    }

    /// Several operations in one PATCH, of which later ones stand on earlier ones; and what comes as one request by itself.
    async fn sequences(&mut self, field: usize) {
        for (body, projected) in self.of_several(field) {
            if !self.goes_on() {
                return;
            }
            let mut trial = Trial::carried(Property::Sequences, body);
            trial.projected = projected;
            self.try_it(field, &trial, "trying several operations in one PATCH").await;
        }
        self.bare_extension(field).await;
    }

    fn of_several(&self, field: usize) -> Vec<(Value, bool)> {
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
    async fn bare_extension(&mut self, field: usize) {
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

    /// Every form at every place, as many of them in one PATCH as may be.
    async fn sweep(&mut self, field: usize, forms: &[Form]) {
        let mut dice = self.dice(&format!("sweep {field}"));
        let mut is_new = true;
        for form in forms {
            let mut rounds = 0;
            // What a form could not be made of on one resource, it may on a new one.
            while rounds < 2 {
                if !self.goes_on() {
                    return;
                }
                let (drafts, lacking) = self.drafts(field, *form, &mut dice);
                if lacking > drafts.len() && !is_new && rounds == 0 {
                    self.renew(field).await;
                    is_new = true;
                    rounds += 1;
                    continue;
                }
                let most = if self.fields[field].together { TOGETHER } else { 1 };
                for some in drafts.chunks(most) {
                    if !self.goes_on() {
                        return;
                    }
                    let together = match form.is_pathless() {
                        true => joined(some.to_vec()),
                        false => some.to_vec(),
                    };
                    let Some(body) = self.carried_out(field, together) else { continue };
                    let trial = Trial::carried(Property::Operations, body);
                    let reason = format!("sweeping {}", self.fields[field].definition.endpoint);
                    is_new = !self.try_it(field, &trial, &reason).await;
                }
                break;
            }
        }
    }

    /// The operations of a form that can be made now, and how many cannot.
    fn drafts(&mut self, field: usize, form: Form, dice: &mut Dice) -> (Vec<Value>, usize) {
        let mut drafts = Vec::new();
        let mut lacking = 0;
        let Field { places, specimen, definition, stock, base, .. } = &self.fields[field];
        let state = specimen.state.clone();
        let neutral = neutral(&state, &specimen.word, definition);
        let (places, definition, stock, base) =
            (places.clone(), definition.clone(), stock.clone(), base.clone());
        for place in &places {
            let Some(strategy) = patch::operations(form, place, &neutral, &definition, &stock) else {
                lacking += usize::from(patch::operations(form, place, &base, &definition, &stock).is_some());
                continue;
            };
            let Some(operation) = dice.draw(&strategy) else { continue };
            let features = super::features::features(std::slice::from_ref(&operation), &neutral, &definition);
            if !self.is_explained(&features) {
                drafts.push(operation);
            }
        }
        (drafts, lacking)
    }

    /// A body of those operations that the model carries out one after the other on the resource as it is.
    fn carried_out(&self, field: usize, all: Vec<Value>) -> Option<Value> {
        let Field { specimen, definition, .. } = &self.fields[field];
        let is_fine = |some: &[Value]| {
            let body = marked(&envelope(some), &specimen.word);
            matches!(effect(&body, &specimen.state, definition), Effect::Changes(_))
        };
        if is_fine(&all) {
            return Some(envelope(&all));
        }
        let mut kept: Vec<Value> = Vec::new();
        for operation in all {
            kept.push(operation);
            if !is_fine(&kept) {
                kept.pop();
            }
        }
        (!kept.is_empty()).then(|| envelope(&kept))
    }

    /// PATCHes that have to be refused.
    pub(super) fn mistakes(&self, field: usize) -> Vec<Trial> {
        let mut dice = self.dice(&format!("mistakes {field}"));
        let Field { places, specimen, definition, stock, bystander, .. } = &self.fields[field];
        let neutral = neutral(&specimen.state, &specimen.word, definition);
        let other = bystander.as_ref().map(|it| &it.state);
        let ground = Ground { places, state: &neutral, definition, stock, other };
        let mut trials = Vec::new();
        for slip in Slip::ALL {
            let Some(strategy) = bodies(slip, ground) else { continue };
            let times =
                if matches!(slip, Slip::ReadOnly | Slip::BadPath | Slip::BadFilter | Slip::TextForBoolean) {
                    2
                } else {
                    1
                };
            let mut seen: Vec<Value> = Vec::new();
            for _ in 0..times {
                let Some(body) = dice.draw(&strategy) else { continue };
                if !seen.contains(&body) {
                    seen.push(body.clone());
                    let wants = Wants::Refused(slip);
                    trials.push(Trial { property: Property::Mistakes, body, wants, projected: false });
                }
            }
        }
        trials
    }

    /// Tries what has to be refused: several one after the other, and a read behind them. Where that shows a change, or one
    /// of them was not refused, each is looked at by itself.
    pub(super) async fn try_mistakes(&mut self, field: usize, trials: Vec<Trial>) {
        for some in trials.chunks(REFUSALS) {
            let mut waiting: Vec<(&Trial, super::play::Played)> = Vec::new();
            for trial in some {
                let Wants::Refused(slip) = trial.wants else { continue };
                if !self.goes_on() {
                    return;
                }
                let Field { specimen, definition, .. } = &self.fields[field];
                let mut known: Vec<Features> = operations(&trial.body)
                    .iter()
                    .map(|it| {
                        super::features::features(std::slice::from_ref(it), &specimen.state, definition)
                    })
                    .filter(|features| !features.is_empty())
                    .collect();
                known.push(Features::from([Feature::Slip(slip.words())]));
                if known.iter().any(|features| self.is_explained(features)) {
                    continue;
                }
                self.tell("trying mistakes");
                let mut specimen = self.fields[field].specimen.clone();
                let word = specimen.word.clone();
                let mut played =
                    self.stage(field).send(&specimen, &trial.body, false, "try what has to be refused").await;
                if matches!(played.answer, Answer::Refused { .. } | Answer::Nothing(_)) {
                    waiting.push((trial, played));
                    continue;
                }
                self.stage(field).look(&mut specimen, &mut played).await;
                self.fields[field].specimen = specimen;
                self.note(field, trial, played, &word).await;
            }
            if waiting.is_empty() || !self.goes_on() {
                continue;
            }
            let mut specimen = self.fields[field].specimen.clone();
            let word = specimen.word.clone();
            let before = specimen.state.clone();
            let Ok(after) =
                self.stage(field).read(&specimen.id, "see whether what was refused changed it").await
            else {
                continue;
            };
            let definition = &self.fields[field].definition;
            let found =
                departures(&Write::Refused { before: &before }, &after, definition).unwrap_or_default();
            let is_changed = found.iter().any(|it| it.grade == Grade::Failure);
            specimen.state = after.clone();
            self.fields[field].specimen = specimen;
            if is_changed {
                self.renew(field).await;
            }
            for (trial, mut played) in waiting {
                // A group that changed something says nothing of any one of them.
                if !is_changed {
                    played.after = Some(after.clone());
                    played.before = before.clone();
                    self.note(field, trial, played, &word).await;
                } else if self.goes_on() {
                    self.try_it(field, trial, "try by itself what was refused").await;
                }
            }
        }
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
