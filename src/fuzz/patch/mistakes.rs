//! What has to be refused, and what would have been carried out without the mistake in it.

use serde_json::Value;

use super::chance::REFUSALS;
use super::hunt::{Field, Hunt, Trial};
use super::play::{Answer, neutral};
use super::verdict::Wants;
use super::{Property, operations};
use crate::fuzz::cause::{Feature, Features};
use crate::fuzz::strategy::patch_slip::{Ground, Slip, bodies};
use crate::oracle::written::{Grade, Write, departures};

impl Hunt<'_> {
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
}
