//! What is asked in which order: what finds most for a request comes first.

use std::collections::{BTreeSet, VecDeque};

use super::Property;
use super::batches::Batch;
use super::hunt::{Hunt, Trial};
use super::terms::{Draft, Term, drafts};
use super::verdict::may_be_refused;
use crate::fuzz::cause::Feature;
use crate::fuzz::dice::Dice;
use crate::fuzz::strategy::filter::filters;
use crate::fuzz::strategy::literal::{HOSTILE, Nearness, hostile};
use crate::fuzz::strategy::spelling::spellings;
use crate::oracle::population::SLICES;
use crate::oracle::world::Truth;
use crate::scim::filter::{CompareOperator, Filter, FilterValue};
use crate::scim::schema::AttributeType;

/// The longest filter that several make together, in bytes; half of the shortest limit of URLs that is common.
const LONGEST: usize = 3000;
/// After so many requests with filters of chance, a relation is tried.
const ROUNDS: u64 = 16;
/// So many look-ups come before the sweep.
const FIRST_LOOKUPS: usize = 12;
/// So many slips come before the sweep.
const FIRST_SLIPS: usize = 7;
/// So many hostile texts come before the sweep.
const FIRST_HOSTILE: usize = 6;

/// Connectives over four comparisons, each with what every assignment of truth tells apart.
const SHAPES: [&str; 22] = [
    "{a}",
    "{a} and {b}",
    "{a} or {b}",
    "not ({a})",
    "{a} or {b} and {c}",
    "{a} and {b} or {c}",
    "({a} or {b}) and {c}",
    "{a} and ({b} or {c})",
    "not ({a}) and {b}",
    "not ({a} and {b})",
    "not ({a} or {b})",
    "not (not ({a}))",
    "(({b}))",
    "{a} and {b} and {c}",
    "{a} or {b} or {c}",
    "{a} or {b} or {c} or {d}",
    "{a} or {b} and {c} or {d}",
    "({a} or {b}) and ({c} or {d})",
    "not ({a}) or not ({c})",
    "{a} and not ({b} or {d})",
    "{a} and ({b} or ({c} and {d}))",
    "{d} and {c} or {b} and {a}",
];

/// The sweep of one field, as far as it has come.
struct Sweep {
    drafts: VecDeque<Draft>,
    dice: Dice,
}

impl Hunt<'_> {
    /// Everything, in the order that pays.
    pub(super) async fn phases(&mut self) {
        self.saved_ones().await;
        self.calibrate(0).await;
        self.shapes(0).await;
        let mut lookups = self.lookups();
        let rest = lookups.split_off(FIRST_LOOKUPS.min(lookups.len()));
        self.try_alone(0, Property::Lookups, lookups, "looking accounts up").await;
        let mut slips = self.slips();
        let later = slips.split_off(FIRST_SLIPS.min(slips.len()));
        self.try_slips(slips).await;
        let mut hostile = self.hostile();
        let more = hostile.split_off(FIRST_HOSTILE.min(hostile.len()));
        self.try_alone(0, Property::Hostile, hostile, "trying hostile texts").await;
        let mut sweeps: Vec<Sweep> = (0..self.fields.len()).map(|field| self.sweep(field)).collect();
        self.sweep_rounds(0, &mut sweeps, 1).await;
        for field in 1..self.fields.len() {
            self.sweep_rounds(field, &mut sweeps, 1).await;
        }
        self.sweep_rounds(0, &mut sweeps, 2).await;
        for field in 1..self.fields.len() {
            self.calibrate(field).await;
            self.sweep_rounds(field, &mut sweeps, 2).await;
        }
        self.try_slips(later).await;
        self.try_alone(0, Property::Hostile, more, "trying hostile texts").await;
        self.relations(0).await;
        for field in 0..self.fields.len() {
            self.sweep_rounds(field, &mut sweeps, 3).await;
        }
        self.try_alone(0, Property::Lookups, rest, "looking accounts up").await;
        self.random().await;
    }

    /// Connectives, over comparisons that tell as many assignments of truth apart as there are.
    async fn shapes(&mut self, field: usize) {
        let mut dice = self.dice("shapes");
        let Some(atoms) = self.atoms(field, &mut dice) else {
            self.notes.push(
                "connectives were not tried by themselves: what was read back tells too little apart"
                    .to_owned(),
            );
            return;
        };
        let texts = SHAPES.map(|shape| {
            let mut text = shape.to_owned();
            for (name, atom) in ["{a}", "{b}", "{c}", "{d}"].iter().zip(&atoms) {
                text = text.replace(name, atom);
            }
            text
        });
        self.try_alone(field, Property::Connectives, texts.to_vec(), "trying connectives").await;
        let is_broken = self
            .causes
            .all()
            .iter()
            .any(|cause| cause.features.iter().any(|it| matches!(it, Feature::Connective(_))));
        if is_broken {
            for field in &mut self.fields {
                field.batches = false;
            }
            self.notes
                .push("connectives are broken, so every filter was asked in a request of its own".to_owned());
        }
    }

    /// Four comparisons that are true of some and false of others, as independent of each other as there are.
    fn atoms(&self, field: usize, dice: &mut Dice) -> Option<[String; 4]> {
        let it = &self.fields[field];
        let (rows, definition) = (&it.set.rows, &it.set.definition);
        let mut candidates: Vec<(String, String, Vec<bool>)> = Vec::new();
        for term in &it.terms {
            if term.several
                || term.extension
                || term.attribute.kind != AttributeType::String
                || term.path.sub.is_some()
            {
                continue;
            }
            let texts = term.texts();
            let plain: Vec<&str> =
                texts.into_iter().filter(|text| text.chars().all(|it| it.is_ascii_alphanumeric())).collect();
            let mut filters = vec![Filter::Present(term.path.clone())];
            for text in plain {
                filters.push(term.compare(CompareOperator::Equal, text));
                filters.extend(
                    Nearness::Beginning
                        .of(text)
                        .map(|it| term.compare(CompareOperator::StartsWith, it.as_str())),
                );
            }
            for filter in filters {
                let truths: Vec<Truth> =
                    rows.iter().map(|row| it.worlds.truth(&filter, &row.state, definition)).collect();
                let found = truths.iter().filter(|truth| **truth == Truth::Must).count();
                let is_telling = found * 8 >= rows.len() && (rows.len() - found) * 8 >= rows.len();
                if is_telling && !truths.contains(&Truth::Open) {
                    let holds = truths.iter().map(|truth| *truth == Truth::Must).collect();
                    candidates.push((term.path.to_string(), filter.to_string(), holds));
                }
            }
        }
        let mut best: Option<(usize, [String; 4])> = None;
        for _ in 0..200 {
            let drawn: Vec<_> = (0..4).filter_map(|_| dice.pick(&candidates)).collect();
            let names: BTreeSet<&String> = drawn.iter().map(|(name, ..)| name).collect();
            if names.len() < 4 {
                continue;
            }
            let assignments: BTreeSet<Vec<bool>> =
                (0..rows.len()).map(|row| drawn.iter().map(|(_, _, holds)| holds[row]).collect()).collect();
            // One that looks for a value is worth more: those who have none tell how `not` is read.
            let looks = drawn.iter().filter(|(_, text, _)| !text.ends_with(" pr")).count();
            let worth = assignments.len() * 4 + looks;
            if best.as_ref().is_none_or(|(most, _)| worth > *most) {
                let text = |at: usize| drawn[at].1.clone();
                best = Some((worth, [text(0), text(1), text(2), text(3)]));
            }
        }
        best.map(|(_, atoms)| atoms)
    }

    /// One comparison for equality and no more: servers answer these from an index, and others by looking at each.
    fn lookups(&self) -> Vec<String> {
        let mut dice = self.dice("lookups");
        let mut texts = Vec::new();
        let simple = |term: &&Term| {
            matches!(term.attribute.kind, AttributeType::String)
                && !term.held.is_empty()
                && term.path.name != "schemas"
        };
        for (at, term) in self.fields[0].terms.iter().filter(simple).enumerate() {
            let mut held = term.texts();
            // One that has another case, where any has.
            if held.iter().any(|text| Nearness::OtherCase.of(text).is_some()) {
                held.retain(|text| Nearness::OtherCase.of(text).is_some());
            }
            let Some(text) = dice.pick(&held) else { continue };
            let nearnesses: &[Nearness] =
                if at < 4 { &[Nearness::Exact, Nearness::OtherCase] } else { &[Nearness::OtherCase] };
            for nearness in nearnesses {
                texts.extend(
                    nearness.of(text).map(|it| term.compare(CompareOperator::Equal, it.as_str()).to_string()),
                );
            }
            if at == 0 {
                texts.push(Filter::Present(term.path.clone()).to_string());
                texts.extend(
                    Nearness::Beginning
                        .of(text)
                        .map(|it| term.compare(CompareOperator::Equal, it.as_str()).to_string()),
                );
            }
        }
        texts
    }

    /// Texts that are meant to hurt, as literals and as filters.
    fn hostile(&self) -> Vec<String> {
        let mut dice = self.dice("hostile");
        let field = &self.fields[0];
        let texts: Vec<&Term> = field
            .terms
            .iter()
            .filter(|it| it.attribute.kind == AttributeType::String && !it.held.is_empty() && !it.several)
            .collect();
        let plain = texts.iter().find(|it| it.path.name == "title").or(texts.first());
        let Some(term) = plain else { return Vec::new() };
        let complex = field.terms.iter().find(|it| {
            it.attribute.kind == AttributeType::Complex
                && !it.several
                && it.path.name != "meta"
                && !it.extension
        });
        // An attribute that no schema has: nobody, or a refusal; never everybody.
        let mut all = vec!["noSuchAttribute eq \"x\"".to_owned()];
        all.extend(complex.map(|it| it.compare(CompareOperator::Equal, "nothing like it").to_string()));
        all.extend(HOSTILE.iter().map(|text| term.compare(CompareOperator::Equal, *text).to_string()));
        let strategy = hostile();
        for operator in [CompareOperator::Contains, CompareOperator::StartsWith, CompareOperator::EndsWith] {
            all.extend(dice.draw(&strategy).map(|text| term.compare(operator, text.as_str()).to_string()));
        }
        let leaf = Filter::Present(term.path.clone()).to_string();
        all.push(format!("{}{leaf}{}", "(".repeat(20), ")".repeat(20)));
        all.push(term.compare(CompareOperator::Equal, "x".repeat(700).as_str()).to_string());
        all.push("noSuchAttribute pr".to_owned());
        all
    }

    fn sweep(&self, field: usize) -> Sweep {
        let mut dice = self.dice(&format!("sweep {field}"));
        let mut all = drafts(&self.fields[field].terms);
        dice.shuffle(&mut all);
        all.sort_by_key(|draft| draft.round);
        Sweep { drafts: all.into(), dice }
    }

    /// The sweep of a field up to that round.
    async fn sweep_rounds(&mut self, field: usize, sweeps: &mut [Sweep], round: u8) {
        let Some(sweep) = sweeps.get_mut(field) else { return };
        let sweeping = format!("sweeping {}", self.fields[field].set.endpoint);
        let next = |hunt: &mut Self| {
            hunt.tell(&sweeping);
            Some(hunt.next_batch(field, sweep, round)).filter(|batch| !batch.is_empty())
        };
        self.try_batches(field, Property::Comparisons, next).await;
    }

    /// The next filters that fit into one request: one for each slice, each made of what a resource of it holds.
    fn next_batch(&mut self, field: usize, sweep: &mut Sweep, round: u8) -> Batch {
        let mut batch = Batch::new();
        let mut kept = Vec::new();
        let mut length = 0;
        let most = if self.fields[field].batches { SLICES } else { 1 };
        while batch.len() < most && length < LONGEST && kept.len() < 200 {
            let Some(draft) = sweep.drafts.front().filter(|draft| draft.round <= round) else { break };
            let draft = draft.clone();
            sweep.drafts.pop_front();
            let it = &self.fields[field];
            let taken: BTreeSet<usize> = batch.iter().map(|(slice, _)| *slice).collect();
            let places = draft.places(&it.terms);
            let free: Vec<usize> = places
                .iter()
                .copied()
                .filter(|place| {
                    it.set.rows.get(*place).is_some_and(|row| most == 1 || !taken.contains(&row.slice))
                })
                .collect();
            let Some(place) = sweep.dice.pick(&free).copied() else {
                if !places.is_empty() {
                    kept.push(draft);
                }
                continue;
            };
            let made = draft.make(&it.terms, place, &it.set.definition, &mut sweep.dice);
            let slice = it.set.rows[place].slice;
            let Some(trial) = made.and_then(|text| self.trial(field, &text)) else { continue };
            if self.is_explained(&trial.features) {
                continue;
            }
            length += trial.text.len() + 50;
            batch.push((slice, trial));
        }
        for draft in kept.into_iter().rev() {
            sweep.drafts.push_front(draft);
        }
        batch
    }

    /// Filters of chance, as long as the budget lasts.
    async fn random(&mut self) {
        let mut round = 0_u64;
        let mut is_idle = false;
        while self.goes_on() && !is_idle {
            let end = round + ROUNDS;
            is_idle = true;
            let next = |hunt: &mut Self| {
                hunt.tell("trying filters of chance");
                while round < end {
                    round += 1;
                    let batch = hunt.random_batch(0, round);
                    if !batch.is_empty() {
                        is_idle = false;
                        return Some(batch);
                    }
                }
                None
            };
            self.try_batches(0, Property::Random, next).await;
            self.relation_of_chance(0, round).await;
        }
    }

    fn random_batch(&mut self, field: usize, round: u64) -> Batch {
        let mut dice = self.dice(&format!("random {round}"));
        let it = &self.fields[field];
        // Comparisons that are right by themselves, and some that say more than they.
        let near = near(&it.terms, &mut dice);
        let near: Vec<Trial> = (near.iter())
            .filter(|filter| !may_be_refused(filter, &it.set.definition))
            .filter_map(|filter| self.trial(field, &filter.to_string()))
            .collect();
        let terms: Vec<Filter> = (it.right.iter().chain(&near))
            .filter(|trial| self.causes.explains(&trial.features).is_none())
            .map(|trial| trial.filter.clone())
            .collect();
        if terms.is_empty() {
            return Vec::new();
        }
        let strategy = filters(terms);
        let spelling = spellings();
        let most = if it.batches { SLICES } else { 1 };
        let mut batch = Batch::new();
        let mut length = 0;
        for slice in 0..most {
            let Some(filter) = dice.draw(&strategy) else { continue };
            let mut text = filter.to_string();
            if dice.below(4) == 0
                && let Some(spelling) = dice.draw(&spelling)
            {
                text = spelling.write(&filter, &self.fields[field].set.definition);
            }
            if length + text.len() + 50 > LONGEST || text.len() > LONGEST / 4 {
                continue;
            }
            let Some(trial) = self.trial(field, &text) else { continue };
            if self.is_explained(&trial.features) {
                continue;
            }
            length += text.len() + 50;
            batch.push((slice, trial));
        }
        batch
    }
}

/// Comparisons near what is held, drawn anew.
fn near(terms: &[Term], dice: &mut Dice) -> Vec<Filter> {
    let texts: Vec<&Term> =
        terms.iter().filter(|it| it.attribute.kind == AttributeType::String && !it.held.is_empty()).collect();
    (0..24)
        .filter_map(|_| {
            let term = dice.pick(&texts)?;
            let held = term.texts();
            let nearness = *dice.pick(&Nearness::ALL)?;
            let text = nearness.of(dice.pick(&held)?)?;
            let operator = *dice.pick(&CompareOperator::ALL)?;
            Some(Filter::Compare { path: term.path.clone(), operator, value: FilterValue::String(text) })
        })
        .collect()
}
