//! Shrinking by descent: the oracle knows what every part of a filter has to find, so the parts are asked, and the wrong
//! one is gone into, until one is wrong whose own parts are right. Proptest's value trees would ask some hundred times more.

use super::ask::{Asked, Way};
use super::features::{connectives, features};
use super::harm;
use super::hunt::{Hunt, Trial};
use super::verdict::Verdict;
use crate::fuzz::cause::{Feature, Features};
use crate::fuzz::strategy::spelling::Spelling;
use crate::oracle::batch::paths;
use crate::oracle::world::Truth;
use crate::scim::filter::{CompareOperator, Filter, FilterValue};
use crate::scim::path::AttributePath;

/// The most requests for one counterexample.
const MOST: usize = 26;

/// What is left when nothing can be left out.
pub(super) struct Minimal {
    pub(super) trial: Trial,
    pub(super) verdict: Verdict,
    pub(super) asked: Asked,
    /// What is at fault.
    pub(super) features: Features,
}

struct Shrinking {
    field: usize,
    left: usize,
    best: (Trial, Verdict, Asked),
}

impl Hunt<'_> {
    /// The smallest filter that is wrong as this one is.
    pub(super) async fn shrink(
        &mut self,
        field: usize,
        trial: &Trial,
        verdict: Verdict,
        asked: Asked,
    ) -> Minimal {
        let mut shrinking = Shrinking { field, left: MOST, best: (trial.clone(), verdict, asked) };
        if let Some(features) = self.plain_spelling(&mut shrinking).await {
            return shrinking.end(features);
        }
        let features = self.descend(&mut shrinking).await;
        shrinking.end(features)
    }

    /// Whether a candidate is wrong, too; then it is the best so far.
    async fn is_bad(&mut self, shrinking: &mut Shrinking, filter: &Filter) -> bool {
        self.is_bad_text(shrinking, &filter.to_string()).await
    }

    async fn is_bad_text(&mut self, shrinking: &mut Shrinking, text: &str) -> bool {
        let field = shrinking.field;
        let Some(trial) = self.trial(field, text) else { return false };
        let key = (field, text.to_owned());
        if !self.memo.contains_key(&key) {
            if shrinking.left == 0 || self.course.ended.is_some() || !self.fuzz.target.can_spare(4) {
                return false;
            }
            shrinking.left -= 1;
            let texts = [text.to_owned()];
            let Some(asked) = self.ask_all(field, &texts, Way::Get, "shrink what is wrong").await.pop()
            else {
                return false;
            };
            self.heed(&asked);
            let verdict = self.judge(field, &trial.filter, &asked);
            if verdict == Verdict::Right {
                self.was_right(field, &trial, asked.answer.is_served());
            }
            self.memo.insert(key.clone(), (verdict, asked));
        }
        let Some((verdict, asked)) = self.memo.get(&key) else { return false };
        // What breaks in another way is another matter.
        let is_bad = verdict.is_bad() && harm(verdict) == harm(&shrinking.best.1);
        if is_bad {
            shrinking.best = (trial, verdict.clone(), asked.clone());
        }
        is_bad
    }

    fn features_of(&self, shrinking: &Shrinking) -> Features {
        let (trial, ..) = &shrinking.best;
        let field = &self.fields[shrinking.field];
        features(&trial.text, &trial.filter, &field.set.definition, &field.terms)
    }

    /// Takes an odd spelling away. Where that mends it, the spelling is at fault, and only one of its kind is kept.
    async fn plain_spelling(&mut self, shrinking: &mut Shrinking) -> Option<Features> {
        let (trial, ..) = &shrinking.best;
        let (written, plain) =
            (trial.text.clone(), plain(&trial.filter, &self.fields[shrinking.field].set.definition));
        if plain.to_string() == written || self.is_bad(shrinking, &plain).await {
            return None;
        }
        let definition = self.fields[shrinking.field].set.definition.clone();
        let mut parts: Vec<Filter> = leaves(&plain);
        if parts.len() > 1 {
            parts.push(plain);
        }
        for spelling in [Spelling::OPERATORS, Spelling::NAMES, Spelling::URIS, Spelling::PARENTHESES] {
            for part in &parts {
                let text = spelling.write(part, &definition);
                if text != part.to_string() && self.is_bad_text(shrinking, &text).await {
                    let is_spelling = |it: &Feature| matches!(it, Feature::Spelling(_));
                    return Some(self.features_of(shrinking).into_iter().filter(is_spelling).collect());
                }
            }
        }
        // It takes more of it than one of each kind; what it is written around is not at fault.
        let all = self.features_of(shrinking);
        let spellings: Features =
            all.iter().filter(|it| matches!(it, Feature::Spelling(_))).cloned().collect();
        Some(if spellings.is_empty() { all } else { spellings })
    }

    /// Goes into what is wrong. The answer is what is at fault.
    async fn descend(&mut self, shrinking: &mut Shrinking) -> Features {
        loop {
            let filter = shrinking.best.0.filter.clone();
            let mut went_in = false;
            for part in parts(&filter) {
                if self.is_bad(shrinking, &part).await {
                    went_in = true;
                    break;
                }
            }
            if went_in {
                continue;
            }
            return match &filter {
                Filter::And(_) | Filter::Or(_) | Filter::Not(_) => self.connective(shrinking).await,
                Filter::ValuePath { .. } => {
                    let mut features = connectives(&shrinking.best.0.filter);
                    features.extend(self.features_of(shrinking));
                    features
                }
                Filter::Compare { .. } => {
                    self.shorten(shrinking).await;
                    self.comparison(shrinking).await
                }
                Filter::Present(_) => self.features_of(shrinking),
            };
        }
    }

    /// A connective whose operands are right: with as few and as simple ones as it takes.
    async fn connective(&mut self, shrinking: &mut Shrinking) -> Features {
        // Fewer operands.
        loop {
            let filter = shrinking.best.0.filter.clone();
            let (Filter::And(all) | Filter::Or(all)) = &filter else { break };
            if all.len() < 3 {
                break;
            }
            let mut is_less = false;
            for left_out in 0..all.len() {
                let rest: Vec<Filter> = all
                    .iter()
                    .enumerate()
                    .filter(|(at, _)| *at != left_out)
                    .map(|(_, it)| it.clone())
                    .collect();
                let fewer = match &filter {
                    Filter::And(_) => Filter::And(rest),
                    _ => Filter::Or(rest),
                };
                if self.is_bad(shrinking, &fewer).await {
                    is_less = true;
                    break;
                }
            }
            if !is_less {
                break;
            }
        }
        // Simple operands in the place of compound ones.
        let operands = operands(&shrinking.best.0.filter).len();
        for at in 0..operands {
            let filter = shrinking.best.0.filter.clone();
            let Some(operand) = super::shrink::operands(&filter).get(at).map(|it| (*it).clone()) else {
                break;
            };
            let is_compound = !matches!(operand, Filter::Compare { .. } | Filter::Present(_));
            for simple in
                self.stand_ins(shrinking, &operand, &filter).into_iter().take(if is_compound { 2 } else { 0 })
            {
                if self.is_bad(shrinking, &with_operand(&filter, at, simple)).await {
                    break;
                }
            }
        }
        let filter = shrinking.best.0.filter.clone();
        let all = super::shrink::operands(&filter);
        let is_plain = all.iter().all(|it| matches!(it, Filter::Compare { .. } | Filter::Present(_)));
        let mut features = connectives(&filter);
        if features.len() > 1 {
            // It is the mixture that is wrong, or the number: the connective alone is right.
            features.remove(&Feature::Connective(super::features::kind(&filter).to_owned()));
        }
        if !matches!(shrinking.best.1, Verdict::Wrong(_)) && super::hunt::count(&filter) > 2 {
            features.insert(Feature::Connective(super::features::SEVERAL.to_owned()));
        }
        if is_plain {
            // Does it go wrong with other operands of the same truth, too? If not, they matter.
            let mut other = filter.clone();
            for at in 0..all.len() {
                let operand = super::shrink::operands(&other).get(at).map(|it| (*it).clone());
                let stand_in =
                    operand.and_then(|it| self.stand_ins(shrinking, &it, &other).into_iter().next());
                if let Some(stand_in) = stand_in {
                    other = with_operand(&other, at, stand_in);
                }
            }
            let before = shrinking.best.clone();
            if other != filter {
                let is_bad = self.is_bad(shrinking, &other).await;
                // What was seen first is the better evidence.
                shrinking.best = before;
                if !is_bad && shrinking.left > 0 {
                    features.extend(self.features_of(shrinking));
                }
            }
        }
        features
    }

    /// Comparisons seen to be right that say the same as an operand of the resources that the answer is wrong about.
    fn stand_ins(&self, shrinking: &Shrinking, operand: &Filter, around: &Filter) -> Vec<Filter> {
        let field = &self.fields[shrinking.field];
        let Verdict::Wrong(mistake) = &shrinking.best.1 else { return Vec::new() };
        let wrong: Vec<_> = mistake
            .missing
            .iter()
            .chain(&mistake.surplus)
            .filter_map(|id| field.set.row(id))
            .take(6)
            .collect();
        let truth = |filter: &Filter, state| field.worlds.truth(filter, state, &field.set.definition);
        let taken: Vec<String> = paths(around).iter().map(ToString::to_string).collect();
        let suits = |it: &&Filter| {
            let is_free = paths(it).iter().all(|path| !taken.contains(&path.to_string()));
            is_free
                && !wrong.is_empty()
                && wrong.iter().all(|row| {
                    let wanted = truth(operand, &row.state);
                    wanted != Truth::Open && truth(it, &row.state) == wanted
                })
        };
        let mut all: Vec<Filter> =
            field.right.iter().map(|trial| &trial.filter).filter(suits).cloned().collect();
        all.sort_by_key(|it| it.to_string().len());
        all
    }

    /// The literal by halves, as long as it stays wrong.
    async fn shorten(&mut self, shrinking: &mut Shrinking) {
        for _ in 0..6 {
            let Filter::Compare { path, operator, value: FilterValue::String(text) } =
                &shrinking.best.0.filter
            else {
                return;
            };
            let (path, operator, text) = (path.clone(), *operator, text.clone());
            let letters: Vec<char> = text.chars().collect();
            let of = |letters: &[char]| Filter::Compare {
                path: path.clone(),
                operator,
                value: letters.iter().collect::<String>().as_str().into(),
            };
            // Of an equality nothing shorter is equal.
            let is_exact = matches!(operator, CompareOperator::Equal | CompareOperator::NotEqual);
            let is_wrong = matches!(shrinking.best.1, Verdict::Wrong(_));
            let is_time = crate::scim::datetime::parse(&text).is_some();
            if letters.len() < 4 || is_time || (is_exact && is_wrong) {
                return;
            }
            let (left, right) = letters.split_at(letters.len() / 2);
            let halves = [of(right), of(left)];
            let mut is_shorter = false;
            for half in &halves {
                if self.is_bad(shrinking, half).await {
                    is_shorter = true;
                    break;
                }
            }
            if !is_shorter {
                return;
            }
        }
    }

    /// What is at fault of a comparison: of one that is not even served, whether the literal matters.
    async fn comparison(&mut self, shrinking: &mut Shrinking) -> Features {
        let is_unserved = matches!(shrinking.best.1, Verdict::Refused { .. } | Verdict::Broken(_));
        let Filter::Compare { path, operator, value: FilterValue::String(text) } =
            shrinking.best.0.filter.clone()
        else {
            return self.features_of(shrinking);
        };
        if !is_unserved || text == "a" {
            return self.features_of(shrinking);
        }
        let of_time = crate::scim::datetime::parse(&text).is_some();
        let plain = if of_time { "2024-01-01T00:00:00Z" } else { "a" };
        let plain = Filter::Compare { path, operator, value: plain.into() };
        if self.is_bad(shrinking, &plain).await {
            return self.features_of(shrinking);
        }
        let mut features = self.features_of(shrinking);
        if !features.iter().any(|it| matches!(it, Feature::Literal(_))) {
            let what = if text.chars().any(char::is_uppercase) { "capitals" } else { "more than a letter" };
            features.insert(Feature::Literal(what));
        }
        features
    }
}

impl Shrinking {
    fn end(self, features: Features) -> Minimal {
        let (trial, verdict, asked) = self.best;
        Minimal { trial, verdict, asked, features }
    }
}

/// The parts of a filter that can be asked by themselves.
fn parts(filter: &Filter) -> Vec<Filter> {
    match filter {
        Filter::And(all) | Filter::Or(all) => all.clone(),
        Filter::Not(inner) => vec![(**inner).clone()],
        Filter::ValuePath { path, filter } => match &**filter {
            // One comparison between brackets, and the same without.
            Filter::Compare { path: sub, operator, value } => {
                vec![Filter::Compare { path: joined(path, sub), operator: *operator, value: value.clone() }]
            }
            Filter::Present(sub) => vec![Filter::Present(joined(path, sub))],
            inner => parts(inner)
                .into_iter()
                .map(|part| Filter::ValuePath { path: path.clone(), filter: Box::new(part) })
                .collect(),
        },
        Filter::Present(_) | Filter::Compare { .. } => Vec::new(),
    }
}

fn joined(path: &AttributePath, sub: &AttributePath) -> AttributePath {
    path.with_sub(&sub.name)
}

fn operands(filter: &Filter) -> Vec<&Filter> {
    match filter {
        Filter::And(all) | Filter::Or(all) => all.iter().collect(),
        Filter::Not(inner) => vec![inner],
        _ => Vec::new(),
    }
}

fn with_operand(filter: &Filter, at: usize, operand: Filter) -> Filter {
    let replaced = |all: &[Filter]| {
        let mut all = all.to_vec();
        if let Some(place) = all.get_mut(at) {
            *place = operand.clone();
        }
        all
    };
    match filter {
        Filter::And(all) => Filter::And(replaced(all)),
        Filter::Or(all) => Filter::Or(replaced(all)),
        Filter::Not(_) => Filter::Not(Box::new(operand)),
        other => other.clone(),
    }
}

/// The comparisons of a filter, those between brackets with them.
fn leaves(filter: &Filter) -> Vec<Filter> {
    match filter {
        Filter::And(all) | Filter::Or(all) => all.iter().flat_map(leaves).collect(),
        Filter::Not(inner) => leaves(inner),
        leaf => vec![leaf.clone()],
    }
}

/// The filter with every name as its schema has it, and without the URI of the base schema.
fn plain(filter: &Filter, definition: &crate::scim::definition::ResourceDefinition) -> Filter {
    let part = |it: &Filter| plain(it, definition);
    let name = |path: &AttributePath| {
        use crate::scim::definition::Resolved;
        match definition.resolve(path) {
            Some(Resolved::Attribute { attribute, sub, extension }) => AttributePath {
                urn: extension.map(|schema| schema.id.clone()),
                name: attribute.name.clone(),
                sub: sub.map(|sub| sub.name.clone()),
            },
            _ => path.clone(),
        }
    };
    match filter {
        Filter::And(all) => Filter::And(all.iter().map(part).collect()),
        Filter::Or(all) => Filter::Or(all.iter().map(part).collect()),
        Filter::Not(inner) => Filter::Not(Box::new(part(inner))),
        // Between brackets names are as they were made.
        Filter::ValuePath { path, filter } => {
            Filter::ValuePath { path: name(path), filter: Box::new((**filter).clone()) }
        }
        Filter::Present(path) => Filter::Present(name(path)),
        Filter::Compare { path, operator, value } => {
            Filter::Compare { path: name(path), operator: *operator, value: value.clone() }
        }
    }
}
