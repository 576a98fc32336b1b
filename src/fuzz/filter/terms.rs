//! What there is to filter by: the attributes of a resource type with the values that resources were read to hold, and
//! the comparisons that tell a right answer from a wrong one.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::fuzz::dice::Dice;
use crate::fuzz::strategy::literal::{self, Nearness};
use crate::fuzz::strategy::spelling::Spelling;
use crate::scim::definition::ResourceDefinition;
use crate::scim::filter::CompareOperator::{
    self, Contains, EndsWith, Equal, GreaterOrEqual, GreaterThan, LessOrEqual, LessThan, NotEqual, StartsWith,
};
use crate::scim::filter::{Filter, FilterValue};
use crate::scim::path::AttributePath;
use crate::scim::resource::{elements, get, is_unassigned};
use crate::scim::schema::{Attribute, AttributeType, Mutability, Returned};
use crate::scim::text::fold_case;

/// An attribute that can be compared, with its values.
#[derive(Debug, Clone)]
pub struct Term {
    /// Its path: `emails.value`, `urn:…:employeeNumber`.
    pub path: AttributePath,
    /// What the same attribute is known by however it is written: folded, and without a URI.
    pub name: String,
    /// Its characteristics.
    pub attribute: Attribute,
    /// Whether it is a part of a multi-valued attribute, or is one.
    pub several: bool,
    /// Whether it is of an extension.
    pub extension: bool,
    /// The values, each with the index of the resource that holds it.
    pub held: Vec<(usize, Value)>,
    /// The texts among them, each once, with their folded form.
    texts: Vec<(String, String)>,
}

/// The attributes by which users are looked up in practice, before others.
const FIRST: [&str; 9] = [
    "userName",
    "externalId",
    "id",
    "displayName",
    "emails.value",
    "title",
    "name.familyName",
    "active",
    "members.value",
];

/// All terms of a resource type, with what resources hold of them; those that matter most first.
pub fn terms(definition: &ResourceDefinition, states: &[Value]) -> Vec<Term> {
    let mut terms = Vec::new();
    for attribute in definition.top_attributes() {
        let held = held(states, |state| get(state, &attribute.name));
        of_attribute(&AttributePath::of(&attribute.name), attribute, false, &held, &mut terms);
    }
    for extension in &definition.extensions {
        for attribute in &extension.schema.attributes {
            let held = held(states, |state| get(get(state, &extension.schema.id)?, &attribute.name));
            let path = AttributePath {
                urn: Some(extension.schema.id.clone()),
                name: attribute.name.clone(),
                sub: None,
            };
            of_attribute(&path, attribute, true, &held, &mut terms);
        }
    }
    let place = |term: &Term| {
        let name = term.path.to_string();
        FIRST.iter().position(|first| first.eq_ignore_ascii_case(&name)).unwrap_or(FIRST.len())
    };
    terms.sort_by_key(place);
    terms
}

fn held<'s>(states: &'s [Value], of: impl Fn(&'s Value) -> Option<&'s Value>) -> Vec<(usize, Value)> {
    let all = states.iter().enumerate().filter_map(|(index, state)| Some((index, of(state)?)));
    all.flat_map(|(index, value)| elements(value).iter().map(move |element| (index, element.clone())))
        .filter(|(_, value)| !is_unassigned(value))
        .collect()
}

fn of_attribute(
    path: &AttributePath,
    attribute: &Attribute,
    extension: bool,
    values: &[(usize, Value)],
    terms: &mut Vec<Term>,
) {
    if is_kept_back(attribute) {
        return;
    }
    let several = attribute.multi_valued;
    terms.push(Term::new(path.clone(), attribute, several, extension, values.to_vec()));
    for sub in attribute.sub_attributes.iter().filter(|sub| !is_kept_back(sub)) {
        let held: Vec<(usize, Value)> = values
            .iter()
            .filter_map(|(index, value)| Some((*index, get(value, &sub.name)?)))
            .flat_map(|(index, value)| elements(value).iter().map(move |element| (index, element.clone())))
            .filter(|(_, value)| !is_unassigned(value))
            .collect();
        // Between what nobody holds there is nothing to tell apart.
        if !held.is_empty() && sub.kind != AttributeType::Complex && !sub.name.starts_with('$') {
            let several = several || sub.multi_valued;
            terms.push(Term::new(path.with_sub(&sub.name), sub, several, extension, held));
        }
    }
}

/// Whether what is there is not always shown: a filter by it says nothing, or too much.
fn is_kept_back(attribute: &Attribute) -> bool {
    matches!(attribute.returned, Returned::Never | Returned::Request)
        || attribute.mutability == Mutability::WriteOnly
        || attribute.kind == AttributeType::Binary
}

impl Term {
    fn new(
        path: AttributePath,
        attribute: &Attribute,
        several: bool,
        extension: bool,
        held: Vec<(usize, Value)>,
    ) -> Term {
        let texts: BTreeSet<&str> = held.iter().filter_map(|(_, value)| value.as_str()).collect();
        let texts = texts.into_iter().map(|text| (text.to_owned(), fold_case(text).into_owned())).collect();
        Term { name: name(&path, None), path, attribute: attribute.clone(), several, extension, held, texts }
    }

    /// The values of one resource.
    pub fn of(&self, index: usize) -> impl Iterator<Item = &Value> {
        self.held.iter().filter(move |(at, _)| *at == index).map(|(_, value)| value)
    }

    /// The texts that are held, each once.
    pub fn texts(&self) -> Vec<&str> {
        self.texts.iter().map(|(text, _)| text.as_str()).collect()
    }

    /// Whether a text is met by values in another case only.
    pub fn stands_in_other_case(&self, operator: CompareOperator, text: &str) -> bool {
        let meets = |value: &str, text: &str| match operator {
            Contains => value.contains(text),
            StartsWith => value.starts_with(text),
            EndsWith => value.ends_with(text),
            _ => value == text,
        };
        let folded = fold_case(text);
        !self.texts.iter().any(|(value, _)| meets(value, text))
            && self.texts.iter().any(|(_, value)| meets(value, &folded))
    }

    /// A comparison.
    pub fn compare(&self, operator: CompareOperator, value: impl Into<FilterValue>) -> Filter {
        Filter::Compare { path: self.path.clone(), operator, value: value.into() }
    }
}

/// A comparison that is going to be made at some resource.
#[derive(Debug, Clone)]
pub struct Draft {
    /// When in the sweep.
    pub round: u8,
    /// The term; of brackets, the attribute before them.
    pub term: usize,
    form: Form,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    Present,
    Text(CompareOperator, Nearness),
    /// A text with one of these letters in it.
    Special(CompareOperator, &'static [char]),
    Boolean(CompareOperator, bool),
    /// A number so far away from one that is held.
    Number(CompareOperator, i64),
    /// A time so many seconds away from one that is held, in that time zone.
    Time(CompareOperator, i64, i32),
    Null(CompareOperator),
    Empty(CompareOperator),
    /// `not (a eq "x")`.
    NotEqual,
    Spelled(Spelling, CompareOperator),
    /// Both sides in one element.
    OneElement,
    /// One side in one element, one in another.
    TwoElements,
    /// Either side in brackets.
    Either,
    /// Neither side in brackets.
    Neither,
    /// One side in brackets.
    Bracket(CompareOperator),
    /// `a.b eq "x" and a.b eq "y"` of a resource that has both.
    BothValues,
    /// `schemas eq "…"` of the schemas that a resource has.
    Whole,
}

const SPECIAL: [&[char]; 7] = [&['"'], &['\\'], &['%', '_'], &['(', '['], &['\''], &['Ż', '日', 'ë'], &[' ']];

/// The sweep over these terms: every operator with every kind of literal that says something about it.
pub fn drafts(terms: &[Term]) -> Vec<Draft> {
    let mut drafts = Vec::new();
    for (term, it) in terms.iter().enumerate() {
        let mut add = |round: u8, form: Form| drafts.push(Draft { round, term, form });
        add(1, Form::Present);
        if it.held.is_empty() {
            continue;
        }
        match it.attribute.kind {
            AttributeType::String | AttributeType::Reference => texts(it, &mut add),
            AttributeType::Boolean => {
                for wanted in [true, false] {
                    add(1, Form::Boolean(Equal, wanted));
                    add(2, Form::Boolean(NotEqual, wanted));
                }
            }
            AttributeType::Integer | AttributeType::Decimal => {
                for operator in [Equal, NotEqual, GreaterThan, GreaterOrEqual, LessThan, LessOrEqual] {
                    add(if operator == Equal { 1 } else { 2 }, Form::Number(operator, 0));
                    add(3, Form::Number(operator, 1));
                }
            }
            AttributeType::DateTime => {
                for operator in [GreaterThan, GreaterOrEqual, LessThan, LessOrEqual] {
                    add(1, Form::Time(operator, -3600, 0));
                    add(2, Form::Time(operator, 3600, 0));
                    add(3, Form::Time(operator, -7, 330));
                    add(3, Form::Time(operator, 7, -480));
                }
            }
            AttributeType::Complex if it.several => {
                add(2, Form::OneElement);
                add(2, Form::TwoElements);
                add(2, Form::Either);
                add(3, Form::Neither);
                add(2, Form::Bracket(Equal));
                add(3, Form::Bracket(Contains));
                add(3, Form::Bracket(StartsWith));
            }
            AttributeType::Complex | AttributeType::Binary => {}
        }
        if it.several && it.attribute.kind == AttributeType::String {
            add(2, Form::BothValues);
        }
        if it.path.name == "schemas" {
            add(1, Form::Whole);
        }
    }
    drafts
}

fn texts(term: &Term, add: &mut impl FnMut(u8, Form)) {
    use Nearness::{
        Asterisk, Beginning, Changed, End, Exact, Longer, Middle, MiddleInOtherCase, OtherCase, Percent,
        Underscore,
    };
    let is_plain = term.attribute.kind == AttributeType::String;
    for (round, operator, nearness) in [
        (1, Equal, Exact),
        (1, Equal, OtherCase),
        (2, Equal, Beginning),
        (2, NotEqual, Exact),
        (3, NotEqual, OtherCase),
        (3, NotEqual, Changed),
        (2, Contains, Middle),
        (3, Contains, MiddleInOtherCase),
        (3, Contains, Changed),
        (3, Contains, Percent),
        (2, StartsWith, Beginning),
        (2, StartsWith, Middle),
        (3, StartsWith, Underscore),
        (2, EndsWith, End),
        (2, EndsWith, Middle),
        (3, EndsWith, OtherCase),
        (3, EndsWith, Asterisk),
        (2, GreaterThan, Exact),
        (3, GreaterThan, Beginning),
        (2, GreaterOrEqual, Exact),
        (3, GreaterOrEqual, Longer),
        (2, LessThan, Exact),
        (3, LessThan, Longer),
        (2, LessOrEqual, Exact),
        (3, LessOrEqual, Beginning),
        (3, Equal, Percent),
        (3, Equal, Longer),
    ] {
        // What these find in references is the service provider's choice.
        if is_plain || matches!(operator, Equal | NotEqual) {
            add(round, Form::Text(operator, nearness));
        }
    }
    if !is_plain {
        return;
    }
    add(2, Form::NotEqual);
    add(3, Form::Null(Equal));
    add(3, Form::Null(NotEqual));
    add(3, Form::Empty(Contains));
    for letters in SPECIAL {
        add(3, Form::Special(Equal, letters));
        add(3, Form::Special(Contains, letters));
    }
    add(2, Form::Spelled(Spelling::OPERATORS, Equal));
    add(3, Form::Spelled(Spelling::OPERATORS, Contains));
    add(3, Form::Spelled(Spelling::OPERATORS, GreaterOrEqual));
    add(2, Form::Spelled(Spelling::NAMES, Equal));
    add(2, Form::Spelled(Spelling::URIS, Equal));
}

impl Draft {
    /// The resources at which it can be made.
    pub fn places(&self, terms: &[Term]) -> Vec<usize> {
        let term = &terms[self.term];
        let wanted = |value: &Value| match self.form {
            Form::Special(_, letters) => {
                value.as_str().is_some_and(|text| text.contains(|letter| letters.contains(&letter)))
            }
            _ => true,
        };
        let mut places: Vec<usize> =
            term.held.iter().filter(|(_, value)| wanted(value)).map(|(index, _)| *index).collect();
        places.dedup();
        if matches!(self.form, Form::TwoElements | Form::BothValues) {
            places.retain(|index| term.of(*index).count() > 1);
        }
        // False is a value, too: who holds it tells.
        let holds_false = |index: &usize| term.of(*index).any(|value| *value == Value::Bool(false));
        if self.form == Form::Present && places.iter().any(holds_false) {
            places.retain(holds_false);
        }
        // Nobody holds it: it finds nobody anywhere.
        if places.is_empty() && self.form == Form::Present { vec![0] } else { places }
    }

    /// Whether it is one of texts that may hold anything.
    pub fn is_special(&self) -> bool {
        matches!(self.form, Form::Special(..))
    }

    /// The text of the filter, made of what the resource at that place holds; none where that does not allow it.
    pub fn make(
        &self,
        terms: &[Term],
        place: usize,
        definition: &ResourceDefinition,
        dice: &mut Dice,
    ) -> Option<String> {
        let term = &terms[self.term];
        let values: Vec<&Value> = term.of(place).collect();
        let value = |dice: &mut Dice| dice.pick(&values).copied();
        let text = |dice: &mut Dice| value(dice)?.as_str();
        let filter = match self.form {
            Form::Present => Filter::Present(term.path.clone()),
            Form::Text(operator, nearness) => term.compare(operator, nearness.of(text(dice)?)?.as_str()),
            Form::Special(operator, letters) => {
                let found = values
                    .iter()
                    .filter_map(|value| value.as_str())
                    .find(|text| text.contains(|letter| letters.contains(&letter)))?;
                let at = found.find(|letter| letters.contains(&letter))?;
                // Of a text that is looked into, what stands around the letter.
                let from = found[..at].char_indices().next_back().map_or(at, |(before, _)| before);
                let part = if operator == Equal { found } else { &found[from..] };
                term.compare(operator, part)
            }
            Form::Boolean(operator, wanted) => term.compare(operator, wanted),
            Form::Number(operator, away) => {
                let number = value(dice)?.as_number()?;
                let near = match number.as_i64() {
                    Some(whole) => FilterValue::Number(whole.checked_add(away)?.into()),
                    None if away == 0 => FilterValue::Number(number.clone()),
                    None => return None,
                };
                Filter::Compare { path: term.path.clone(), operator, value: near }
            }
            Form::Time(operator, seconds, zone) => {
                term.compare(operator, literal::later(text(dice)?, seconds, zone)?.as_str())
            }
            Form::Null(operator) => {
                Filter::Compare { path: term.path.clone(), operator, value: FilterValue::Null }
            }
            Form::Empty(operator) => term.compare(operator, ""),
            Form::NotEqual => Filter::Not(Box::new(term.compare(Equal, text(dice)?))),
            Form::Spelled(spelling, operator) => {
                return Some(spelling.write(&term.compare(operator, text(dice)?), definition));
            }
            Form::Whole => term.compare(Equal, text(dice)?),
            Form::OneElement => {
                let (one, other) = sides(value(dice)?, dice)?;
                brackets(term, Filter::And(vec![one, other]))
            }
            Form::TwoElements => {
                let (one, _) = sides(values.first()?, dice)?;
                let (_, other) = sides(values.last()?, dice)?;
                brackets(term, Filter::And(vec![one, other]))
            }
            Form::Either => {
                let (one, _) = sides(values.first()?, dice)?;
                let nobody = Filter::Compare {
                    path: path_of(&one)?,
                    operator: Equal,
                    value: "nothing like it".into(),
                };
                brackets(term, Filter::Or(vec![one, nobody]))
            }
            Form::Neither => {
                let (one, _) = sides(value(dice)?, dice)?;
                brackets(term, Filter::Not(Box::new(one)))
            }
            Form::Bracket(operator) => {
                let element = value(dice)?.as_object()?;
                let texts: Vec<(&String, &str)> =
                    element.iter().filter_map(|(name, value)| Some((name, value.as_str()?))).collect();
                let (name, text) = dice.pick(&texts).filter(|(name, _)| !name.starts_with('$'))?;
                let near = match operator {
                    Contains => Nearness::Middle.of(text)?,
                    StartsWith => Nearness::Beginning.of(text)?,
                    _ => (*text).to_owned(),
                };
                let path = AttributePath::of(name.as_str());
                brackets(term, Filter::Compare { path, operator, value: near.as_str().into() })
            }
            Form::BothValues => {
                let (first, last) = (values.first()?.as_str()?, values.last()?.as_str()?);
                Filter::And(vec![term.compare(Equal, first), term.compare(Equal, last)])
            }
        };
        Some(filter.to_string())
    }
}

/// The name of an attribute, folded and without a URI, by which the same one is known in and out of brackets.
pub fn name(path: &AttributePath, within: Option<&AttributePath>) -> String {
    let name = match (within, &path.sub) {
        (Some(around), _) => format!("{}.{}", around.name, path.name),
        (None, Some(sub)) => format!("{}.{sub}", path.name),
        (None, None) => path.name.clone(),
    };
    name.to_ascii_lowercase()
}

fn brackets(term: &Term, filter: Filter) -> Filter {
    Filter::ValuePath { path: term.path.clone(), filter: Box::new(filter) }
}

fn path_of(filter: &Filter) -> Option<AttributePath> {
    match filter {
        Filter::Compare { path, .. } => Some(path.clone()),
        _ => None,
    }
}

/// Two comparisons that an element meets, by two of its texts; the first is about what others are likely to have too.
fn sides(element: &Value, dice: &mut Dice) -> Option<(Filter, Filter)> {
    let members = element.as_object()?;
    let mut texts: Vec<(&str, &str)> = members
        .iter()
        .filter(|(name, _)| !name.starts_with('$'))
        .filter_map(|(name, value)| Some((name.as_str(), value.as_str()?)))
        .collect();
    dice.shuffle(&mut texts);
    texts.sort_by_key(|(name, _)| *name == "value");
    let equal = |(name, text): &(&str, &str)| Filter::Compare {
        path: AttributePath::of(*name),
        operator: Equal,
        value: (*text).into(),
    };
    match texts.as_slice() {
        [first, .., last] => Some((equal(first), equal(last))),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fuzz::strategy::data::{Oddity, marked, resources};
    use crate::scim::schema::SchemaSet;

    #[test]
    fn the_sweep_is_of_filters() {
        let definition = SchemaSet::core().definition("User").unwrap();
        let mut dice = Dice::new(1, "data");
        let users = dice.draw(&resources(&definition, 48, "example.com", Oddity::Odd)).unwrap();
        let users: Vec<Value> = users.iter().map(|user| marked(user, "s0mark")).collect();
        let terms = terms(&definition, &users);
        assert_eq!(terms[0].path.to_string(), "userName");
        assert!(terms.iter().all(|term| term.path.name != "password"));
        assert!(terms.iter().any(|term| term.extension) && terms.iter().any(|term| term.several));
        let drafts = drafts(&terms);
        let mut made = 0;
        for draft in &drafts {
            for place in draft.places(&terms).into_iter().take(2) {
                if let Some(text) = draft.make(&terms, place, &definition, &mut dice) {
                    Filter::parse(&text).unwrap_or_else(|error| panic!("{text}: {error}"));
                    made += 1;
                }
            }
        }
        assert!(drafts.len() > 500 && made > 600, "{} drafts, {made} filters", drafts.len());
    }
}
