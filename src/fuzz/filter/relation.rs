//! Relations between answers, which need no oracle: what a filter and its negation find is everybody and nobody twice,
//! what two spellings find is the same. They are a second line: they hold also where the RFCs leave a filter open.

use std::collections::BTreeSet;

use serde_json::Value;

use super::anew::{pairs, renamed};
use super::ask::{Answer, Asked, Found, Way};
use super::hunt::{Field, Hunt, Trial, count};
use super::verdict::{Mistake, Verdict, may_be_refused};
use super::{Against, Counterexample, Property};
use crate::fuzz::cause::{Feature, Features};
use crate::fuzz::dataset::Row;
use crate::fuzz::dice::Dice;
use crate::fuzz::strategy::spelling::spellings;
use crate::oracle::world::{Truth, Worlds};
use crate::scim::filter::Filter;

/// A relation between what filters find of the same resources.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Relation {
    DoubleNegation,
    Partition,
    Commutation,
    Idempotence,
    DeMorgan,
    Spelling,
    Search,
    Pages,
}

/// What the relation is called by which no resource is found twice, and none by neither.
pub(super) const PARTITION: &str = "a filter and its negation";

/// The rows of a page, where pages are held against the whole.
const PAGE: usize = 3;

const ALL: [Relation; 8] = [
    Relation::Partition,
    Relation::DoubleNegation,
    Relation::DeMorgan,
    Relation::Commutation,
    Relation::Idempotence,
    Relation::Spelling,
    Relation::Search,
    Relation::Pages,
];

impl Relation {
    fn words(self) -> &'static str {
        match self {
            Relation::DoubleNegation => "a filter and its double negation",
            Relation::Partition => PARTITION,
            Relation::Commutation => "two terms in either order",
            Relation::Idempotence => "a filter and the same filter twice",
            Relation::DeMorgan => "a negated and, and the or of negations",
            Relation::Spelling => "two spellings of a filter",
            Relation::Search => "GET and .search",
            Relation::Pages => "one page and several",
        }
    }

    /// The relation between two filters of which the second is asked in that way, if there is one that is tried.
    pub(super) fn between(first: &Filter, second: &Filter, way: Way) -> Option<Relation> {
        let negated = |filter: &Filter| match filter {
            Filter::Not(inner) => Some((**inner).clone()),
            _ => None,
        };
        match (first, second) {
            _ if way == Way::Search => Some(Relation::Search),
            _ if matches!(way, Way::Pages(_)) => Some(Relation::Pages),
            (first, second) if first == second => Some(Relation::Spelling),
            (first, second) if negated(second).as_ref() == Some(first) => Some(Relation::Partition),
            (first, second) if negated(second).as_ref().and_then(negated).as_ref() == Some(first) => {
                Some(Relation::DoubleNegation)
            }
            (Filter::And(one), Filter::And(other)) if one.iter().rev().eq(other) => {
                Some(Relation::Commutation)
            }
            (first, Filter::Or(all)) if all.iter().all(|it| it == first) => Some(Relation::Idempotence),
            (Filter::Not(inner), Filter::Or(all)) => match inner.as_ref() {
                Filter::And(parts) if all.iter().map(negated).eq(parts.iter().cloned().map(Some)) => {
                    Some(Relation::DeMorgan)
                }
                _ => None,
            },
            _ => None,
        }
    }
}

impl Hunt<'_> {
    /// Each relation once.
    pub(super) async fn relations(&mut self, field: usize) {
        let mut dice = self.dice("relations");
        for relation in ALL {
            if !self.goes_on() {
                return;
            }
            self.relation(field, relation, &mut dice).await;
        }
    }

    /// One relation, drawn.
    pub(super) async fn relation_of_chance(&mut self, field: usize, round: u64) {
        let mut dice = self.dice(&format!("relation {round}"));
        let relation = ALL[dice.below(ALL.len())];
        if self.goes_on() {
            self.relation(field, relation, &mut dice).await;
        }
    }

    async fn relation(&mut self, field: usize, relation: Relation, dice: &mut Dice) {
        // What may be refused may be taken to find nothing, too, and so may its negation.
        let Field { right, set, .. } = &self.fields[field];
        let firm: Vec<&Filter> = right
            .iter()
            .map(|trial| &trial.filter)
            .filter(|filter| !may_be_refused(filter, &set.definition))
            .collect();
        let drawn = (dice.pick(&firm).copied().cloned(), dice.pick(&firm).copied().cloned());
        let (Some(one), Some(other)) = drawn else { return };
        let not = |it: Filter| Filter::Not(Box::new(it));
        let both = |one: &Filter, other: &Filter| Filter::And(vec![one.clone(), other.clone()]);
        let (one, other) = match relation {
            Relation::DoubleNegation => (one.clone(), not(not(one))),
            Relation::Partition => (one.clone(), not(one)),
            Relation::Commutation => (both(&one, &other), both(&other, &one)),
            Relation::Idempotence => (one.clone(), Filter::Or(vec![one.clone(), one])),
            Relation::DeMorgan => (not(both(&one, &other)), Filter::Or(vec![not(one), not(other)])),
            Relation::Spelling => (both(&one, &other), both(&one, &other)),
            Relation::Search | Relation::Pages => (one.clone(), one),
        };
        let mut texts = [one.to_string(), other.to_string()];
        if relation == Relation::Spelling
            && let Some(spelling) = dice.draw(&spellings())
        {
            texts[1] = spelling.write(&other, &self.fields[field].set.definition);
        }
        self.hold(field, Property::Relations, relation, texts, None).await;
    }

    /// Holds the answers to two filters against each other, where no known cause explains them: whether that was so.
    /// `about` is the id of the resource that they are about, if it is one alone.
    pub(super) async fn hold(
        &mut self,
        field: usize,
        property: Property,
        relation: Relation,
        texts: [String; 2],
        about: Option<&str>,
    ) -> bool {
        let way = match relation {
            Relation::Search => Way::Search,
            Relation::Pages => Way::Pages(PAGE),
            _ => Way::Get,
        };
        let features = Features::from([Feature::Slip(relation.words())]);
        let known = texts.iter().filter_map(|text| self.trial(field, text)).collect::<Vec<_>>();
        if known.iter().any(|trial| self.causes.explains(&trial.features).is_some())
            || self.is_explained(&features)
        {
            return false;
        }
        self.tell("holding answers against each other");
        let Some((first, second)) = self.pair(field, &texts, way).await else { return false };
        let contradicts = |hunt: &Self, first: &Asked, second: &Asked| {
            let rows = hunt.fields[field].set.rows.iter();
            apart(relation, rows.filter(|row| about.is_none_or(|id| row.id == id)), first, second)
        };
        let Some(broken) = contradicts(self, &first, &second) else {
            self.tally.judge(property);
            return true;
        };
        *self.tally.judged.entry(property).or_default() += 2;
        let now = self.fuzz.target.requests_made();
        // If the oracle knows better which of them is wrong, that is the better finding.
        for (trial, asked) in known.iter().zip([&first, &second]) {
            let verdict = self.judge(field, &trial.filter, asked);
            if verdict.is_bad() && (way == Way::Get || std::ptr::eq(asked, &first)) {
                self.note(field, property, trial, verdict, asked.clone()).await;
                return true;
            }
        }
        // Once more, since others may have written meanwhile.
        let Some((first, second)) = self.pair(field, &texts, way).await else { return true };
        if contradicts(self, &first, &second).is_none() {
            return true;
        }
        let mut counterexample = Counterexample {
            property,
            endpoint: self.fields[field].set.endpoint.clone(),
            seen: texts[1].clone(),
            filter: texts[1].clone(),
            against: Some(Against { filter: texts[0].clone(), way }),
            verdict: Verdict::Wrong(broken.clone()),
            rows: Vec::new(),
            exchange: second.exchange,
            features,
            again: Some(true),
            data: None,
            sighted_at: now,
            minimal_at: now,
            shrinking: 0,
            terms: known.last().map_or(0, |trial| count(&trial.filter)),
        };
        self.relate_anew(field, relation, &mut counterexample, &known, &broken).await;
        self.put_to_cause(field, counterexample, None).await;
        true
    }

    /// Holds the two answers against each other on fresh copies of the resources that they differ about, for a case that
    /// can be replayed. They have differed twice before, so that it says nothing if they agree here.
    async fn relate_anew(
        &mut self,
        field: usize,
        relation: Relation,
        counterexample: &mut Counterexample,
        known: &[Trial],
        broken: &Mistake,
    ) {
        let (Some(against), [one, other]) = (counterexample.against.clone(), known) else { return };
        // A page is not full with the few copies.
        if !self.fuzz.target.can_spare(10) || matches!(against.way, Way::Pages(_)) {
            return;
        }
        let set = &self.fields[field].set;
        let beside = set.rows.iter().find(|row| {
            !row.state.is_null() && !broken.missing.contains(&row.id) && !broken.surplus.contains(&row.id)
        });
        let chosen = [broken.missing.first(), broken.surplus.first()].into_iter().flatten();
        let chosen = chosen.filter_map(|id| set.row(id)).chain(beside);
        let rows: Vec<Row> = chosen.cloned().collect();
        self.copies += 1;
        let word = format!("f{}{}", self.copies, self.fuzz.generator.mark());
        let refs: Vec<&Row> = rows.iter().collect();
        let Some(fresh) = self.maker().copies(set, &refs, &word, &|_| true).await else { return };
        self.bring_up_to_date(field, &fresh).await;
        let mark = self.fields[field].set.word.clone();
        let pairs = pairs(&rows, &fresh, &mark);
        let filters = [one, other].map(|trial| renamed(&trial.filter, &pairs, &mark, &word));
        let texts = [(one, &filters[0]), (other, &filters[1])].map(|(trial, filter)| {
            // The same spelling, if the literals are all that has changed.
            let respelled = pairs.iter().fold(trial.text.clone(), |text, (old, new)| {
                text.replace(&Value::from(old.as_str()).to_string(), &Value::from(new.as_str()).to_string())
            });
            let is_it = Filter::parse(&respelled).as_ref() == Ok(filter);
            if is_it { respelled } else { filter.to_string() }
        });
        let open = |filter: &Filter| {
            let truth = |row: &Row| Worlds::all().truth(filter, &row.state, &fresh.definition);
            fresh.rows.iter().any(|row| truth(row) == Truth::Open)
        };
        let mut tries = Vec::new();
        if filters.iter().any(open) {
            // Where nobody knows what is right, one resource has to tell: it is found by both, or by neither.
            tries.extend(fresh.rows.iter().map(|row| {
                let narrowed = |text: &String| format!("id eq {} and ({text})", Value::from(row.id.as_str()));
                ([narrowed(&texts[0]), narrowed(&texts[1])], Some(row.id.clone()))
            }));
        } else {
            tries.push((texts, None));
        }
        for (texts, about) in tries {
            if !self.fuzz.target.can_spare(4) {
                return;
            }
            let Some((first, second)) = self.pair(field, &texts, against.way).await else { return };
            let rows = fresh.rows.iter().filter(|row| about.as_ref().is_none_or(|id| row.id == *id));
            let Some(mistake) = apart(relation, rows, &first, &second) else { continue };
            let [first, second] = texts;
            counterexample.filter = second;
            counterexample.against = Some(Against { filter: first, way: against.way });
            counterexample.verdict = Verdict::Wrong(mistake);
            counterexample.data = Some(fresh);
            return;
        }
    }

    async fn pair(&mut self, field: usize, texts: &[String; 2], way: Way) -> Option<(Asked, Asked)> {
        let first =
            self.ask_all(field, &texts[..1], Way::Get, "hold answers against each other").await.pop()?;
        let second = self.ask_all(field, &texts[1..], way, "hold answers against each other").await.pop()?;
        self.heed(&first);
        self.heed(&second);
        Some((first, second))
    }
}

/// What two answers say differently about these resources, or both alike where one has to be the contrary of the other;
/// none where they agree, or say nothing.
fn apart<'r>(
    relation: Relation,
    rows: impl Iterator<Item = &'r Row>,
    first: &Asked,
    second: &Asked,
) -> Option<Mistake> {
    let (Answer::List(first), Answer::List(second)) = (&first.answer, &second.answer) else {
        return None;
    };
    if !first.is_complete || !second.is_complete {
        return None;
    }
    let ids = |found: &Found| found.ids().map(str::to_ascii_lowercase).collect::<BTreeSet<String>>();
    let (first, second) = (ids(first), ids(second));
    let (mut missing, mut surplus) = (Vec::new(), Vec::new());
    for Row { id, .. } in rows {
        let key = id.to_ascii_lowercase();
        match (first.contains(&key), second.contains(&key), relation == Relation::Partition) {
            (false, false, true) | (true, false, false) => missing.push(id.clone()),
            (true, true, true) | (false, true, false) => surplus.push(id.clone()),
            _ => {}
        }
    }
    let is_wrong = !missing.is_empty() || !surplus.is_empty();
    is_wrong.then(|| Mistake { missing, surplus, is_firm: true, ..Mistake::default() })
}
