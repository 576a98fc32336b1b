//! A counterexample judged from scratch: on fresh copies of the resources that show it, which nobody has filtered yet.

use std::collections::BTreeMap;

use serde_json::Value;

use super::ask::{Way, ask};
use super::hunt::{Field, Hunt, Trial};
use super::verdict::{Judge, Verdict};
use super::{Counterexample, RowInQuestion};
use crate::fuzz::dataset::{DataSet, Row};
use crate::fuzz::strategy::data::marked;
use crate::oracle::batch::paths;
use crate::oracle::world::Truth;
use crate::scim::filter::{Filter, FilterValue};
use crate::scim::resource::{elements, get};
use crate::scim::schema::Mutability;

impl Hunt<'_> {
    /// Judges a counterexample on resources that nobody has filtered yet; where it needs none, asks once more.
    pub(super) async fn judge_anew(
        &mut self,
        field: usize,
        counterexample: &mut Counterexample,
        trial: &Trial,
    ) {
        if !self.fuzz.target.can_spare(6) {
            return;
        }
        self.tell("judging it anew on fresh resources");
        let ids: Vec<String> = counterexample.rows.iter().filter_map(|row| row.id.clone()).collect();
        let set = &self.fields[field].set;
        // What only the service provider gives cannot be made again.
        let is_given = |name: &str| {
            let attribute = set.definition.top_attribute(name);
            let is_made_anew = ["id", "meta", "schemas"].iter().any(|known| known.eq_ignore_ascii_case(name));
            !is_made_anew && attribute.is_some_and(|it| it.mutability == Mutability::ReadOnly)
        };
        if ids.is_empty()
            || paths(&trial.filter).iter().any(|path| path.urn.is_none() && is_given(&path.name))
        {
            return self.ask_once_more(field, counterexample, trial).await;
        }
        // One that is missed and one that is found wrongly, and one that was right beside them.
        let wrong =
            |must: bool| counterexample.rows.iter().find(move |row| row.must == must && row.id.is_some());
        let mut chosen: Vec<&str> =
            [wrong(true), wrong(false)].into_iter().flatten().filter_map(|row| row.id.as_deref()).collect();
        let beside = set.rows.iter().find(|row| {
            let truth = self.fields[field].worlds.truth(&trial.filter, &row.state, &set.definition);
            let opposite = if wrong(true).is_some() { Truth::MustNot } else { Truth::Must };
            !ids.contains(&row.id) && truth == opposite
        });
        chosen.extend(beside.map(|row| row.id.as_str()));
        let rows: Vec<_> = chosen.iter().filter_map(|id| set.row(id)).cloned().collect();
        // The attributes that the filter is about are enough, as a rule; if they are not, the whole resources.
        let named: Vec<String> =
            paths(&trial.filter).iter().map(|path| path.name.to_ascii_lowercase()).collect();
        for keeps_all in [false, true] {
            let keeps = |name: &str| keeps_all || named.contains(&name.to_ascii_lowercase());
            // A part of a name may reach into the mark from either side.
            self.copies += 1;
            let (mark, number) = (self.fuzz.generator.mark(), self.copies);
            let word = if keeps_all { format!("f{number}{mark}") } else { format!("{mark}f{number}") };
            let judged = self.judge_copies(field, counterexample, trial, &rows, &word, &keeps).await;
            let Some(is_bad) = judged else { return };
            counterexample.again = Some(is_bad);
            if is_bad {
                return;
            }
        }
        // When copies were made, and where they are, cannot be chosen.
        if paths(&trial.filter).iter().any(|path| path.name.eq_ignore_ascii_case("meta")) {
            self.ask_once_more(field, counterexample, trial).await;
        }
    }

    /// Asks once more, where there are no fresh resources to it.
    async fn ask_once_more(&mut self, field: usize, counterexample: &mut Counterexample, trial: &Trial) {
        let texts = [trial.text.clone()];
        let asked = self.ask_all(field, &texts, Way::Get, "ask once more").await;
        if let Some(asked) = asked.into_iter().next() {
            let verdict = self.judge(field, &trial.filter, &asked);
            counterexample.again = match verdict {
                Verdict::Nothing(_) => None,
                verdict => Some(verdict.is_bad()),
            };
        }
    }

    /// Whether what an answer is wrong about is not any more what it was when it was read, so that the answer may have
    /// been right. What is known of the resources is brought up to date.
    pub(super) async fn has_changed(
        &mut self,
        field: usize,
        filter: &Filter,
        rows: &[RowInQuestion],
    ) -> bool {
        let of = |must: bool| rows.iter().find(move |row| row.must == must && row.id.is_some());
        let ids: Vec<String> =
            [of(true), of(false)].into_iter().flatten().filter_map(|row| row.id.clone()).collect();
        let mut explains = false;
        for id in ids {
            let Some(now) = self.maker().now(&self.fields[field].set.endpoint, &id).await else { continue };
            let Field { set, worlds, .. } = &mut self.fields[field];
            let Some(row) = set.rows.iter_mut().find(|row| row.id == id) else { continue };
            let truth = |state| worlds.truth(filter, state, &set.definition);
            explains |= now.is_null() || truth(&now) != truth(&row.state);
            row.state = now;
        }
        if explains {
            self.memo.clear();
            let said = "resources of this run were changed or deleted by others while it went on; nothing is said of what was asked about them";
            if !self.notes.iter().any(|note| note == said) {
                self.notes.push(said.to_owned());
            }
        }
        explains
    }

    /// Reads again those whom fresh resources refer to, of another field: who is in a new group shows it, and has another
    /// version since.
    pub(super) async fn bring_up_to_date(&mut self, field: usize, fresh: &DataSet) {
        let refers_to = |id: &str| {
            let mut members =
                fresh.rows.iter().filter_map(|row| get(&row.sent, "members")).flat_map(elements);
            members.any(|member| get(member, "value").and_then(Value::as_str) == Some(id))
        };
        for other in (0..self.fields.len()).filter(|other| *other != field) {
            if !self.fields[other].set.rows.iter().any(|row| refers_to(&row.id)) {
                continue;
            }
            let mut set = self.fields[other].set.clone();
            self.maker().refresh(&mut set).await;
            self.fields[other].set = set;
            self.memo.retain(|(of, _), _| *of != other);
        }
    }

    /// Judges a counterexample on copies of resources; none where they could not be made, or asked about.
    async fn judge_copies(
        &mut self,
        field: usize,
        counterexample: &mut Counterexample,
        trial: &Trial,
        rows: &[Row],
        word: &str,
        keeps: &dyn Fn(&str) -> bool,
    ) -> Option<bool> {
        let refs: Vec<_> = rows.iter().collect();
        let set = &self.fields[field].set;
        let fresh = self.maker().copies(set, &refs, word, keeps).await?;
        let pairs = pairs(rows, &fresh, &set.word);
        let filter = renamed(&trial.filter, &pairs, &set.word, word);
        // A spelling is kept where no literal has changed.
        let text = if filter == trial.filter { trial.text.clone() } else { filter.to_string() };
        let narrowed = self
            .narrowed(field, &text)
            .replace(&Value::from(set.word.as_str()).to_string(), &Value::from(word).to_string());
        let asked = ask(
            self.fuzz.target,
            &fresh.endpoint,
            &narrowed,
            self.fields[field].way,
            "judge it on fresh resources",
        )
        .await;
        self.bring_up_to_date(field, &fresh).await;
        let judge = Judge { data: &fresh, worlds: &self.fields[field].worlds, is_narrowed: true };
        let verdict = judge.judge(&filter, &asked);
        if matches!(verdict, Verdict::Nothing(_)) {
            return None;
        }
        let is_bad = verdict.is_bad();
        if is_bad {
            let worlds = self.fields[field].worlds.clone();
            counterexample.rows = self.questioned(&fresh, &worlds, &filter, &verdict);
            counterexample.filter = text;
            counterexample.verdict = verdict;
            counterexample.exchange = asked.exchange;
            counterexample.data = Some(fresh);
        }
        Some(is_bad)
    }
}

/// The texts of the original resources with those of their copies at the same places.
pub(super) fn pairs(rows: &[Row], fresh: &DataSet, mark: &str) -> BTreeMap<String, String> {
    let mut pairs = BTreeMap::new();
    for (old, new) in rows.iter().zip(&fresh.rows) {
        paired(&old.state, &new.state, &mut pairs, 0);
        // What was only sent may be a part of what a filter asks for.
        paired(&marked(&old.sent, mark), &marked(&new.sent, &fresh.word), &mut pairs, 0);
    }
    pairs
}

fn paired(old: &Value, new: &Value, pairs: &mut BTreeMap<String, String>, depth: usize) {
    const DEEPEST: usize = 16;
    match (old, new) {
        (Value::String(old), Value::String(new)) if old != new => {
            pairs.entry(old.clone()).or_insert_with(|| new.clone());
        }
        (Value::Array(old), Value::Array(new)) if depth < DEEPEST => {
            old.iter().zip(new).for_each(|(old, new)| paired(old, new, pairs, depth + 1));
        }
        (Value::Object(old), Value::Object(new)) if depth < DEEPEST => {
            for (name, old) in old {
                if let Some(new) = new.get(name) {
                    paired(old, new, pairs, depth + 1);
                }
            }
        }
        _ => {}
    }
}

/// The filter with its literals as they are for the copies.
pub(super) fn renamed(filter: &Filter, pairs: &BTreeMap<String, String>, mark: &str, word: &str) -> Filter {
    let part = |it: &Filter| renamed(it, pairs, mark, word);
    match filter {
        Filter::And(all) => Filter::And(all.iter().map(part).collect()),
        Filter::Or(all) => Filter::Or(all.iter().map(part).collect()),
        Filter::Not(inner) => Filter::Not(Box::new(part(inner))),
        Filter::ValuePath { path, filter } => {
            Filter::ValuePath { path: path.clone(), filter: Box::new(part(filter)) }
        }
        Filter::Compare { path, operator, value: FilterValue::String(text) } => {
            let renamed = match pairs.get(text) {
                Some(new) => new.clone(),
                None => text.replace(mark, word).replace(&mark.to_uppercase(), &word.to_uppercase()),
            };
            Filter::Compare { path: path.clone(), operator: *operator, value: renamed.as_str().into() }
        }
        other => other.clone(),
    }
}
