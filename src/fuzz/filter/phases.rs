//! What is asked in which order: what finds most for a request comes first.

use std::collections::{BTreeSet, VecDeque};

use futures_util::future::join_all;

use super::Property;
use super::ask::{Answer, Asked, Way, ask};
use super::hunt::{Hunt, Trial};
use super::terms::{Draft, Term, drafts};
use super::verdict::{Judge, Verdict};
use crate::fuzz::cause::{Feature, Features};
use crate::fuzz::dice::Dice;
use crate::fuzz::strategy::filter::filters;
use crate::fuzz::strategy::invalid::{Slip, slips};
use crate::fuzz::strategy::literal::{HOSTILE, Nearness, hostile};
use crate::fuzz::strategy::spelling::spellings;
use crate::oracle::population::SLICES;
use crate::oracle::world::Truth;
use crate::scim::filter::{CompareOperator, Filter, FilterValue};
use crate::scim::path::AttributePath;
use crate::scim::schema::AttributeType;

/// The longest filter that several make together, in bytes; half of the shortest limit of URLs that is common.
const LONGEST: usize = 3000;
/// So many look-ups come before the sweep.
const FIRST_LOOKUPS: usize = 12;
/// So many slips come before the sweep.
const FIRST_SLIPS: usize = 7;
/// So many hostile texts come before the sweep.
const FIRST_HOSTILE: usize = 6;
/// So many suspects in one request that are right alone, and several filters in one request are what is wrong.
const INNOCENT: usize = 4;
/// After so many requests with several filters that looked wrong for no filter's sake, each is asked alone.
const MISFIRES: u32 = 3;

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

    /// What earlier runs have found.
    async fn saved_ones(&mut self) {
        for case in self.fuzz.saved {
            let Some(field) = self.fields.iter().position(|field| field.set.endpoint == case.endpoint) else {
                self.notes.push(format!("{}: there is no {} to try it at", case.name, case.endpoint));
                continue;
            };
            if !self.goes_on() {
                return;
            }
            let text = case.filter.replace(crate::fuzz::strategy::data::MARK, &self.fields[field].set.word);
            let before = self.causes.all().iter().map(|cause| cause.sightings.len()).sum::<usize>();
            match self.trial(field, &text) {
                Some(trial) if self.is_explained(&trial.features) => continue,
                Some(_) => {
                    self.try_alone(field, Property::Saved, vec![text], "trying what was saved").await;
                }
                None => self.try_slips(vec![(Feature::Slip("what was saved"), text, false)]).await,
            }
            let after = self.causes.all().iter().map(|cause| cause.sightings.len()).sum::<usize>();
            if before == after {
                self.mended.push(case.name.clone());
            }
        }
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
            let plain: Vec<&String> =
                texts.iter().filter(|text| text.chars().all(|it| it.is_ascii_alphanumeric())).collect();
            let mut filters = vec![Filter::Present(term.path.clone())];
            for text in plain {
                filters.push(term.compare(CompareOperator::Equal, text.as_str()));
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

    /// Texts that are no filter, with the slip in each and whether the keyword is demanded.
    fn slips(&self) -> Vec<(Feature, String, bool)> {
        let field = &self.fields[0];
        let mut dice = self.dice("slips");
        let texts: Vec<&Term> = field
            .terms
            .iter()
            .filter(|it| it.attribute.kind == AttributeType::String && !it.held.is_empty())
            .collect();
        let mut all: Vec<(Feature, String, bool)> = Vec::new();
        let Some(first) = texts.first() else { return all };
        for slip in Slip::ALL {
            let text = slip.make(&first.path.to_string(), "eq", "ann");
            all.push((Feature::Slip(slip.words()), text, slip == Slip::UnknownOperator));
        }
        // Order on what has none SHALL be refused (RFC 7644 Table 3).
        let boolean = field.terms.iter().find(|it| it.attribute.kind == AttributeType::Boolean);
        for (at, operator) in ["gt", "le"].iter().enumerate() {
            if let Some(term) = boolean {
                all.insert(
                    2 + at,
                    (Feature::Slip("order on a boolean"), format!("{} {operator} true", term.path), true),
                );
            }
        }
        let binary = field.set.definition.top_attributes().find_map(|attribute| {
            let path = AttributePath::of(&attribute.name);
            let sub = attribute.sub_attributes.iter().find(|sub| sub.kind == AttributeType::Binary);
            match sub {
                Some(sub) => Some(path.with_sub(&sub.name)),
                None => (attribute.kind == AttributeType::Binary).then_some(path),
            }
        });
        if let Some(path) = binary {
            let at = all.len().min(4);
            all.insert(at, (Feature::Slip("order on a binary value"), format!("{path} gt \"MII\""), true));
        }
        let paths: Vec<String> = texts.iter().take(8).map(|it| it.path.to_string()).collect();
        let strategy = slips(paths, vec!["ann".to_owned(), "Beta Gamma".to_owned(), "x".to_owned()]);
        for _ in 0..4 {
            if let Some((slip, text)) = dice.draw(&strategy) {
                all.push((Feature::Slip(slip.words()), text, slip == Slip::UnknownOperator));
            }
        }
        all
    }

    async fn try_slips(&mut self, slips: Vec<(Feature, String, bool)>) {
        for some in slips.chunks(self.in_flight()) {
            if !self.goes_on() {
                return;
            }
            self.tell("trying what is no filter");
            let texts: Vec<String> = some.iter().map(|(_, text, _)| text.clone()).collect();
            let endpoint = self.fields[0].set.endpoint.clone();
            // What narrows a filter would mend some slips.
            let asked = join_all(
                texts
                    .iter()
                    .map(|text| ask(self.fuzz.target, &endpoint, text, Way::Get, "ask what is no filter")),
            )
            .await;
            for ((slip, text, demands), asked) in some.iter().zip(asked) {
                self.heed(&asked);
                let features = Features::from([slip.clone()]);
                let field = &self.fields[0];
                let judge = Judge { data: &field.set, worlds: &field.worlds, is_narrowed: false };
                let verdict = judge.judge_slip(&asked, *demands);
                if matches!(verdict, Verdict::Nothing(_)) {
                    continue;
                }
                *self.tally.judged.entry(Property::Slips).or_default() += 1;
                if verdict == Verdict::Right || self.is_explained(&features) {
                    continue;
                }
                self.slipped(text, features, *demands, verdict, asked).await;
            }
        }
    }

    /// A text that is no filter, and was not refused as it should be: asked once more, and put to its cause.
    async fn slipped(
        &mut self,
        text: &str,
        features: Features,
        demands: bool,
        verdict: Verdict,
        asked: Asked,
    ) {
        let now = self.fuzz.target.requests_made();
        let field = &self.fields[0];
        let endpoint = field.set.endpoint.clone();
        let mut again = None;
        if self.fuzz.target.can_spare(2) {
            let asked = ask(self.fuzz.target, &endpoint, text, Way::Get, "ask once more").await;
            let field = &self.fields[0];
            let judge = Judge { data: &field.set, worlds: &field.worlds, is_narrowed: false };
            again = match judge.judge_slip(&asked, demands) {
                Verdict::Nothing(_) => None,
                verdict => Some(verdict.is_bad()),
            };
        }
        // All that is answered alike has one cause: that what is no filter is taken for one.
        let alike = match &verdict {
            Verdict::Served { rows: 0 } => "an empty list for what is no filter",
            Verdict::Served { .. } => "rows for what is no filter",
            Verdict::Miscalled { status: 400, .. } => "another keyword than invalidFilter",
            Verdict::Miscalled { .. } => "another status than 400",
            _ => "a broken answer to what is no filter",
        };
        let mut features = features;
        features.insert(Feature::Literal(alike));
        let counterexample = super::Counterexample {
            property: Property::Slips,
            endpoint,
            seen: text.to_owned(),
            filter: text.to_owned(),
            against: None,
            verdict,
            rows: Vec::new(),
            exchange: asked.exchange,
            features,
            again,
            data: None,
            sighted_at: now,
            minimal_at: now,
            shrinking: 0,
            terms: 1,
        };
        self.put_to_cause(0, counterexample, None).await;
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
        while self.goes_on() {
            let mut batches = Vec::new();
            while batches.len() < self.in_flight() {
                let batch = self.next_batch(field, sweep, round);
                if batch.is_empty() {
                    break;
                }
                batches.push(batch);
            }
            if batches.is_empty() {
                return;
            }
            self.tell(&format!("sweeping {}", self.fields[field].set.endpoint));
            self.try_batches(field, Property::Comparisons, batches).await;
        }
    }

    /// The next filters that fit into one request: one for each slice, each made of what a resource of it holds.
    fn next_batch(&mut self, field: usize, sweep: &mut Sweep, round: u8) -> Vec<(usize, Trial)> {
        let mut batch: Vec<(usize, Trial)> = Vec::new();
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

    /// Asks batches, as many at once as may be, and sorts out what came.
    async fn try_batches(&mut self, field: usize, property: Property, batches: Vec<Vec<(usize, Trial)>>) {
        let texts: Vec<String> = batches.iter().map(|batch| self.together(field, batch)).collect();
        let way = self.fields[field].way;
        let endpoint = self.fields[field].set.endpoint.clone();
        let asked =
            join_all(texts.iter().map(|text| ask(self.fuzz.target, &endpoint, text, way, "try filters")))
                .await;
        for (batch, asked) in batches.into_iter().zip(asked) {
            self.sort_out(field, property, batch, asked).await;
        }
    }

    /// Several filters as one, each for its slice.
    fn together(&self, field: usize, batch: &[(usize, Trial)]) -> String {
        match batch {
            [(_, only)] => self.narrowed(field, &only.text),
            several => {
                let parts: Vec<String> = several
                    .iter()
                    .filter_map(|(slice, trial)| {
                        let slice = self.fields[field].set.slice_filter(*slice)?;
                        Some(format!("({slice} and ({}))", trial.text))
                    })
                    .collect();
                parts.join(" or ")
            }
        }
    }

    /// What came of several filters in one request: those that are right are noted, each suspect is asked alone.
    async fn sort_out(&mut self, field: usize, property: Property, batch: Vec<(usize, Trial)>, asked: Asked) {
        let mut open = vec![(batch, asked)];
        while let Some((batch, asked)) = open.pop() {
            if let [(_, only)] = batch.as_slice() {
                let verdict = self.judge(field, &only.filter, &asked);
                self.note(field, property, only, verdict, asked).await;
                continue;
            }
            self.heed(&asked);
            if self.ended.is_some() {
                return;
            }
            let Answer::List(found) = &asked.answer else {
                if matches!(asked.answer, Answer::Nothing(_)) || !self.goes_on() {
                    continue;
                }
                // One of them is refused, or breaks it: the halves tell which.
                let (left, right) = batch.split_at(batch.len() / 2);
                let way = self.fields[field].way;
                let endpoint = self.fields[field].set.endpoint.clone();
                for half in [left, right] {
                    let half: Vec<(usize, Trial)> = half
                        .iter()
                        .filter(|(_, trial)| self.causes.explains(&trial.features).is_none())
                        .cloned()
                        .collect();
                    if half.is_empty() || !self.goes_on() {
                        continue;
                    }
                    let text = self.together(field, &half);
                    let asked =
                        ask(self.fuzz.target, &endpoint, &text, way, "find out which filter it is").await;
                    open.push((half, asked));
                }
                continue;
            };
            let ids: BTreeSet<String> = found.ids().map(str::to_ascii_lowercase).collect();
            let is_complete = found.is_complete;
            let it = &self.fields[field];
            let mut suspects: BTreeSet<usize> = BTreeSet::new();
            for row in &it.set.rows {
                let is_found = ids.contains(&row.id.to_ascii_lowercase());
                let Some(at) = batch.iter().position(|(slice, _)| *slice == row.slice) else {
                    // Nobody asked for this one: any of them may be the reason.
                    if is_found {
                        suspects.extend(0..batch.len());
                    }
                    continue;
                };
                match it.worlds.truth(&batch[at].1.filter, &row.state, &it.set.definition) {
                    Truth::Must if !is_found && is_complete => drop(suspects.insert(at)),
                    Truth::MustNot if is_found => drop(suspects.insert(at)),
                    _ => {}
                }
            }
            let mut innocent = 0;
            let mut is_guilty = suspects.is_empty();
            for (at, (_, trial)) in batch.iter().enumerate() {
                if !suspects.contains(&at) {
                    *self.tally.judged.entry(property).or_default() += 1;
                    self.was_right(field, trial);
                    continue;
                }
                if !self.goes_on() {
                    return;
                }
                if self.is_explained(&trial.features) {
                    is_guilty = true;
                    continue;
                }
                let texts = [trial.text.clone()];
                let Some(asked) = self.ask_all(field, &texts, Way::Get, "ask a suspect alone").await.pop()
                else {
                    continue;
                };
                let verdict = self.judge(field, &trial.filter, &asked);
                is_guilty |= verdict.is_bad();
                innocent += usize::from(verdict == Verdict::Right);
                self.note(field, property, trial, verdict, asked).await;
            }
            if !is_guilty && innocent > 0 {
                let it = &mut self.fields[field];
                it.misfires += 1;
                if it.batches && (it.misfires >= MISFIRES || innocent >= INNOCENT) {
                    it.batches = false;
                    let endpoint = it.set.endpoint.clone();
                    self.notes.push(format!(
                        "at {endpoint} several filters in one request found what none of them finds alone, so every one was asked by itself"
                    ));
                }
            }
        }
    }

    /// Filters of chance, as long as the budget lasts.
    async fn random(&mut self) {
        let mut round = 0_u64;
        let mut idle = 0;
        while self.goes_on() && idle < 8 {
            let mut batches = Vec::new();
            for _ in 0..self.in_flight() {
                let batch = self.random_batch(0, round);
                round += 1;
                if !batch.is_empty() {
                    batches.push(batch);
                }
            }
            idle = if batches.is_empty() { idle + 1 } else { 0 };
            self.tell("trying filters of chance");
            self.try_batches(0, Property::Random, batches).await;
            if round % 16 < self.in_flight() as u64 {
                self.relation_of_chance(0, round).await;
            }
        }
    }

    fn random_batch(&mut self, field: usize, round: u64) -> Vec<(usize, Trial)> {
        let mut dice = self.dice(&format!("random {round}"));
        let it = &self.fields[field];
        // Comparisons that are right by themselves, and some that say more than they.
        let mut terms: Vec<Filter> = it.right.clone();
        let extra: Vec<Filter> = near(&it.terms, &mut dice);
        terms.extend(extra);
        terms.retain(|term| {
            let text = term.to_string();
            self.trial(field, &text).is_some_and(|trial| self.causes.explains(&trial.features).is_none())
        });
        if terms.is_empty() {
            return Vec::new();
        }
        let strategy = filters(terms);
        let spelling = spellings();
        let most = if it.batches { SLICES } else { 1 };
        let mut batch = Vec::new();
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
