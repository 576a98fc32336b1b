//! PATCHes of chance, from several clients at once: each has resources of its own, so that what one of them does is no
//! matter of the others.

use futures_util::future::join_all;
use serde_json::Value;

use super::features::features;
use super::hunt::{Field, Hunt, Trial};
use super::play::{Stage, neutral};
use super::shrink::envelope;
use super::{Property, operations};
use crate::fuzz::dice::Dice;
use crate::fuzz::strategy::data::marked;
use crate::fuzz::strategy::patch::{self, Form};
use crate::oracle::patched::{Effect, effect};
use crate::scim::names;
use crate::scim::resource::{elements, get};

/// So many refusals stand between two reads.
pub(super) const REFUSALS: usize = 5;
/// A bystander is looked at after so many PATCHes of chance.
const LOOK: u64 = 40;
/// PATCHes of chance between two comparisons with PUT.
const TWINS: u64 = 12;
/// The most operations of a PATCH of chance.
const SEVERAL: usize = 4;

/// One PATCH of one client.
struct Turn {
    field: usize,
    client: usize,
    round: u64,
    dice: Dice,
    trial: Trial,
}

impl Hunt<'_> {
    /// PATCHes of chance, as long as the budget lasts.
    pub(super) async fn random(&mut self) {
        let clients = self.hire().await;
        let (mut round, mut idle) = (0_u64, 0);
        while self.goes_on() && idle < 16 {
            let mut turns = Vec::new();
            for client in 0..clients {
                // Groups have few attributes, so they come less often.
                let field = if self.fields.len() > 1 && round % 4 == 3 { 1 } else { 0 };
                let mut dice = self.dice(&format!("random {round}"));
                round += 1;
                self.change_places(field, client);
                match self.of_chance(field, &mut dice) {
                    Some(body) => {
                        idle = 0;
                        let trial = Trial::carried(Property::Random, body);
                        turns.push(Turn { field, client, round, dice, trial });
                    }
                    None => {
                        self.renew(field).await;
                        idle += 1;
                    }
                }
                self.change_places(field, client);
            }
            self.take(turns).await;
        }
    }

    /// Makes resources for as many clients as may be, and says how many there are.
    async fn hire(&mut self) -> usize {
        for _ in 1..self.fuzz.options.in_flight {
            if !self.goes_on() {
                break;
            }
            let mut others = Vec::new();
            for field in 0..self.fields.len() {
                self.words += 1;
                let word = self.word(self.words);
                let stage = self.stage(field);
                match stage.make(&self.fields[field].base, &word, "make a resource for another client").await
                {
                    Ok(specimen) => others.push(specimen),
                    // There are fewer clients then.
                    Err(_) => return self.clients(),
                }
            }
            self.fields.iter_mut().zip(others).for_each(|(field, specimen)| field.others.push(specimen));
        }
        self.clients()
    }

    fn clients(&self) -> usize {
        1 + self.fields.iter().map(|field| field.others.len()).min().unwrap_or(0)
    }

    /// Has a client's resource be the one that is patched, or the first one again.
    fn change_places(&mut self, field: usize, client: usize) {
        let Field { specimen, others, .. } = &mut self.fields[field];
        if let Some(other) = client.checked_sub(1).and_then(|at| others.get_mut(at)) {
            std::mem::swap(specimen, other);
        }
    }

    /// Plays all turns at once, and takes note of them one after the other.
    async fn take(&mut self, turns: Vec<Turn>) {
        self.tell("trying operations of chance");
        let fields = &self.fields;
        let fuzz = self.fuzz;
        let plays = turns.iter().map(|turn| async {
            let Field { specimen, others, definition, .. } = &fields[turn.field];
            let client = turn.client.checked_sub(1).and_then(|at| others.get(at));
            let mut specimen = client.unwrap_or(specimen).clone();
            let stage = Stage::of(fuzz, definition);
            let played =
                stage.play(&mut specimen, &turn.trial.body, false, "trying operations of chance").await;
            (specimen, played)
        });
        let played = join_all(plays).await;
        for (turn, (specimen, played)) in turns.into_iter().zip(played) {
            let Turn { field, client, round, mut dice, trial } = turn;
            self.change_places(field, client);
            let word = specimen.word.clone();
            self.fields[field].specimen = specimen;
            self.fields[field].recent.push(trial.body.clone());
            let was_right = self.note(field, &trial, played, &word).await;
            if was_right && is_repeatable(&trial.body) && dice.below(3) == 0 && self.goes_on() {
                let trial = Trial { property: Property::Repeats, ..trial };
                self.try_it(field, &trial, "trying it twice").await;
            }
            self.change_places(field, client);
            self.now_and_then(field, round).await;
        }
    }

    /// What is looked at between PATCHes of chance.
    async fn now_and_then(&mut self, field: usize, round: u64) {
        if round.is_multiple_of(TWINS) && self.goes_on() {
            self.twin(field).await;
        }
        if round.is_multiple_of(LOOK) {
            self.neighbours(field).await;
        }
        if round.is_multiple_of(64) && self.goes_on() {
            let mistakes = self.mistakes_of_chance(field, round);
            self.try_mistakes(field, mistakes).await;
        }
    }

    /// Operations of chance that the model carries out.
    fn of_chance(&mut self, field: usize, dice: &mut Dice) -> Option<Value> {
        let Field { places, specimen, definition, stock, odd, together, .. } = &self.fields[field];
        let (places, definition, word) = (places.clone(), definition.clone(), specimen.word.clone());
        let stock = if dice.below(2) == 0 { stock.clone() } else { odd.clone() };
        let most = if *together { 1 + dice.below(SEVERAL) } else { 1 };
        let mut state = specimen.state.clone();
        let mut kept: Vec<Value> = Vec::new();
        for _ in 0..most * 6 {
            if kept.len() == most {
                break;
            }
            let neutral = neutral(&state, &word, &definition);
            let (Some(form), Some(place)) = (dice.pick(&Form::ALL), dice.pick(&places)) else { continue };
            // What is legal to refuse says little, and costs the others of its PATCH.
            if matches!(form, Form::OtherCase | Form::ReplaceWithPart) {
                continue;
            }
            let Some(strategy) = patch::operations(*form, place, &neutral, &definition, &stock) else {
                continue;
            };
            let Some(operation) = dice.draw(&strategy) else { continue };
            let features = features(std::slice::from_ref(&operation), &neutral, &definition);
            if self.is_explained(&features) {
                continue;
            }
            kept.push(operation);
            let body = marked(&envelope(&kept), &word);
            let before = &self.fields[field].specimen.state;
            match effect(&body, before, &definition) {
                Effect::Changes(changes) => {
                    state = before.clone();
                    if let Some(members) = state.as_object_mut() {
                        for (name, (_, is)) in changes {
                            match is {
                                Some(value) => drop(members.insert(name, value)),
                                None => drop(members.shift_remove(&name)),
                            }
                        }
                    }
                }
                Effect::Refused(_) => drop(kept.pop()),
            }
        }
        (!kept.is_empty()).then(|| envelope(&kept))
    }

    fn mistakes_of_chance(&self, field: usize, round: u64) -> Vec<Trial> {
        let mut trials = self.mistakes(field);
        self.dice(&format!("mistakes of chance {round}")).shuffle(&mut trials);
        trials.truncate(REFUSALS);
        trials
    }
}

/// Whether a PATCH says the same when it is sent again: replacements only, none of what a filter selects.
fn is_repeatable(body: &Value) -> bool {
    let is_one = |operation: &Value| {
        let path = get(operation, "path").and_then(Value::as_str).unwrap_or_default();
        get(operation, "op") == Some(&"replace".into()) && !path.contains('[')
    };
    get(body, "schemas").is_some_and(|it| elements(it).contains(&names::PATCH_OP.into()))
        && operations(body).iter().all(is_one)
}
