//! What is tried in which order: what finds most for a request comes first.

use serde_json::{Value, json};

use super::Property;
use super::hunt::{Field, Hunt, Trial};
use super::play::neutral;
use super::shrink::envelope;
use super::verdict::Wants;
use crate::fuzz::dice::Dice;
use crate::fuzz::strategy::data::marked;
use crate::fuzz::strategy::patch::{self, Class, Form, Place, joined};
use crate::fuzz::strategy::patch_slip::Slip;
use crate::oracle::patched::{Effect, effect};
use crate::scim::schema::AttributeType;

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
}
