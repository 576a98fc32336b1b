//! One defect, one report: what several sightings have in common is their cause, and whatever has all of that in it is
//! left alone from then on.
//!
//! A sighting is a set of features. The first of its kind is a cause by itself. Another one that shares something telling
//! with it (an operator, an attribute, a connective, an oddity of the literal) belongs to it, and the cause is then what
//! both have in common: `ew` on `title` and `ew` on `nickName` make a cause about `ew`. This module knows no requests.

use std::collections::BTreeSet;
use std::fmt;

/// What a thing that was tried has about it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Feature {
    /// The attribute, folded, without the schema's URI.
    Attribute(String),
    /// The attribute that it is a part of, folded.
    Parent(String),
    /// A connective, or brackets, that is at fault though its operands are right.
    Connective(String),
    /// The operator.
    Operator(&'static str),
    /// What the operator does: `order`, `substring`.
    Family(&'static str),
    /// What an operation of a PATCH does: `add`.
    Operation(&'static str),
    /// How an operation of a PATCH names its target: `no path`.
    Form(&'static str),
    /// An oddity of the literal: `percent`, `escape`, `other case`.
    Literal(&'static str),
    /// A spelling: `capital operators`.
    Spelling(&'static str),
    /// The slip that makes it no filter.
    Slip(&'static str),
    /// The attribute is of an extension.
    Extension,
    /// The attribute has several values.
    Several,
    /// The type of the attribute.
    Type(&'static str),
}

impl Feature {
    /// Whether it can be what is at fault by itself.
    fn is_telling(&self) -> bool {
        !matches!(self, Feature::Type(_) | Feature::Several)
    }

    /// Whether others have it too often by chance.
    fn is_incidental(&self) -> bool {
        matches!(self, Feature::Literal(_) | Feature::Extension | Feature::Operation(_) | Feature::Form(_))
    }
}

impl fmt::Display for Feature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Feature::Attribute(name) => write!(f, "the attribute {name}"),
            Feature::Parent(name) => write!(f, "parts of {name}"),
            Feature::Connective(word) => write!(f, "{word}"),
            Feature::Operator(word) => write!(f, "the operator {word}"),
            Feature::Operation(word) => write!(f, "{word}"),
            Feature::Form(how) => write!(f, "{how}"),
            Feature::Family("order") => f.write_str("comparisons by order"),
            Feature::Family(_) => f.write_str("comparisons by a part of the text"),
            Feature::Literal(what) => write!(f, "literals with {what}"),
            Feature::Spelling(what) => write!(f, "{what}"),
            Feature::Slip(what) => write!(f, "{what}"),
            Feature::Extension => f.write_str("attributes of extensions"),
            Feature::Several => f.write_str("attributes with several values"),
            Feature::Type(kind) => write!(f, "attributes of type {kind}"),
        }
    }
}

/// The features of one thing.
pub type Features = BTreeSet<Feature>;

/// What comes of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Harm {
    /// The answer is not right.
    Wrong,
    /// What has to be served is refused.
    Refused,
    /// What has to be refused is served.
    Served,
    /// The service provider broke: 5xx, no answer, no JSON.
    Broken,
    /// Two answers contradict each other.
    Contradiction,
}

impl Harm {
    /// Its word in names.
    pub fn word(self) -> &'static str {
        match self {
            Harm::Wrong => "wrong",
            Harm::Refused => "refused",
            Harm::Served => "served",
            Harm::Broken => "broken",
            Harm::Contradiction => "contradiction",
        }
    }
}

/// Words as a name: small letters, digits and full stops, with one hyphen between.
pub fn slug(words: &str) -> String {
    let plain =
        |it: char| if it.is_ascii_alphanumeric() || it == '.' { it.to_ascii_lowercase() } else { '-' };
    let name: String = words.chars().map(plain).collect();
    name.split('-').filter(|part| !part.is_empty()).collect::<Vec<_>>().join("-")
}

/// A cause, with the evidence of each sighting.
#[derive(Debug, Clone)]
pub struct Cause<E> {
    /// What all sightings have in common.
    pub features: Features,
    /// What comes of it.
    pub harm: Harm,
    /// The evidence, the first one first.
    pub sightings: Vec<E>,
}

/// So many sets of features that came out right are kept: what refutes a cause is seen long before.
const MOST_RIGHT: usize = 10_000;

/// All causes that were found.
#[derive(Debug, Clone)]
pub struct Causes<E> {
    all: Vec<Cause<E>>,
    /// What was right.
    right: BTreeSet<Features>,
}

impl<E> Default for Causes<E> {
    fn default() -> Self {
        Causes { all: Vec::new(), right: BTreeSet::new() }
    }
}

impl<E> Causes<E> {
    /// All of them, in the order of their first sighting.
    pub fn all(&self) -> &[Cause<E>] {
        &self.all
    }

    /// The same, to be taken.
    pub fn into_all(self) -> Vec<Cause<E>> {
        self.all
    }

    /// Takes note of something that came out right.
    pub fn was_right(&mut self, features: &Features) {
        if self.right.len() < MOST_RIGHT && !self.right.contains(features) {
            self.right.insert(features.clone());
        }
    }

    /// The cause that explains something with these features before it is tried.
    pub fn explains(&self, features: &Features) -> Option<usize> {
        self.all.iter().position(|cause| cause.features.is_subset(features))
    }

    /// The cause that a sighting belongs to, with what they have in common.
    fn related(&self, features: &Features, harm: Harm) -> Option<(usize, Features)> {
        let common = |cause: &Cause<E>| {
            let common: Features = cause.features.intersection(features).cloned().collect();
            let telling: Vec<&Feature> = common.iter().filter(|it| it.is_telling()).collect();
            // What many others have too, and are right, is no cause.
            let right = || self.right.iter().filter(|right| common.is_subset(right)).count();
            let is_refuted =
                telling.iter().all(|it| it.is_incidental()) && right() > 2 * (cause.sightings.len() + 1);
            // What several sightings agree on is not given up for one that lacks it, if it comes out right without.
            let gives_up = cause.sightings.len() > 1
                && cause.features.difference(&common).any(|it| matches!(it, Feature::Literal(_)))
                && right() > cause.sightings.len();
            let is_refuted = is_refuted || gives_up;
            (cause.harm == harm && !telling.is_empty() && !is_refuted).then(|| {
                let firm = telling.iter().filter(|it| !it.is_incidental()).count();
                (firm, telling.len(), common.clone())
            })
        };
        let related = self.all.iter().enumerate().filter_map(|(at, cause)| Some((at, common(cause)?)));
        related
            .max_by_key(|(at, (firm, telling, _))| (*firm, *telling, usize::MAX - at))
            .map(|(at, it)| (at, it.2))
    }

    /// Takes in a sighting: whether it is the first of its cause, and which cause that is.
    pub fn add(&mut self, features: &Features, harm: Harm, evidence: E) -> (usize, bool) {
        match self.related(features, harm) {
            Some((at, common)) => {
                self.all[at].features = common;
                self.all[at].sightings.push(evidence);
                (at, false)
            }
            None => {
                self.all.push(Cause { features: features.clone(), harm, sightings: vec![evidence] });
                (self.all.len() - 1, true)
            }
        }
    }
}

impl<E> Cause<E> {
    /// What it is about, in words: the fewest features that say it.
    pub fn about(&self) -> String {
        let named = |wanted: fn(&Feature) -> bool| {
            let all: Vec<String> =
                self.features.iter().filter(|it| wanted(it)).map(ToString::to_string).collect();
            (!all.is_empty()).then(|| all.join(", "))
        };
        let strong = named(|it| {
            matches!(
                it,
                Feature::Attribute(_)
                    | Feature::Parent(_)
                    | Feature::Connective(_)
                    | Feature::Operator(_)
                    | Feature::Operation(_)
                    | Feature::Form(_)
                    | Feature::Spelling(_)
                    | Feature::Slip(_)
            )
        });
        let literal = named(|it| matches!(it, Feature::Literal(_)));
        match (strong, literal) {
            (Some(strong), Some(literal)) => format!("{strong}, {literal}"),
            (Some(only), None) | (None, Some(only)) => only,
            (None, None) => named(Feature::is_telling).unwrap_or_else(|| "filters".to_owned()),
        }
    }

    /// A short name that stays the same from run to run: `ew`, `title-eq`, `and`.
    pub fn name(&self) -> String {
        let word = |feature: &Feature| match feature {
            Feature::Attribute(name) => Some(name.clone()),
            Feature::Parent(name) => {
                (!self.features.iter().any(|it| matches!(it, Feature::Attribute(_)))).then(|| name.clone())
            }
            Feature::Connective(word) => Some(word.clone()),
            Feature::Operator(word)
            | Feature::Operation(word)
            | Feature::Form(word)
            | Feature::Literal(word)
            | Feature::Spelling(word)
            | Feature::Slip(word) => Some((*word).to_owned()),
            Feature::Extension => Some("extension".to_owned()),
            Feature::Family(_) | Feature::Several | Feature::Type(_) => None,
        };
        let mut words: Vec<String> = self.features.iter().filter_map(word).collect();
        if words.is_empty() {
            words.extend(self.features.iter().find_map(|it| match it {
                Feature::Family(word) => Some((*word).to_owned()),
                _ => None,
            }));
        }
        words.push(self.harm.word().to_owned());
        slug(&words.join("-").replace("[]", "brackets"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(attribute: &str, operator: &'static str, literal: &'static str) -> Features {
        let mut features = Features::from([
            Feature::Attribute(attribute.to_owned()),
            Feature::Operator(operator),
            Feature::Type("string"),
        ]);
        if !literal.is_empty() {
            features.insert(Feature::Literal(literal));
        }
        features
    }

    #[test]
    fn sightings_that_share_something_telling_are_of_one_cause() {
        let mut causes = Causes::default();
        assert_eq!(causes.add(&of("title", "ew", ""), Harm::Wrong, 1), (0, true));
        assert_eq!(causes.explains(&of("nickName", "ew", "")), None);
        assert_eq!(causes.explains(&of("title", "ew", "blank")), Some(0));
        assert_eq!(causes.add(&of("nickname", "ew", ""), Harm::Wrong, 2), (0, false));
        assert_eq!(causes.explains(&of("displayname", "ew", "")), Some(0));
        assert_eq!(causes.all()[0].name(), "ew-wrong");
        assert_eq!(causes.all()[0].about(), "the operator ew");
        // Another defect, and another harm.
        assert_eq!(causes.add(&of("locale", "sw", ""), Harm::Wrong, 3), (1, true));
        assert_eq!(causes.add(&of("nickname", "ew", ""), Harm::Broken, 4), (2, true));
    }

    #[test]
    fn what_others_have_too_is_no_cause() {
        let mut causes = Causes::default();
        causes.add(&of("title", "eq", "blank"), Harm::Wrong, 1);
        for attribute in ["locale", "timezone", "usertype", "a", "b"] {
            causes.was_right(&of(attribute, "co", "blank"));
        }
        assert_eq!(causes.add(&of("nickname", "sw", "blank"), Harm::Wrong, 2), (1, true));
        let mut causes = Causes::default();
        causes.add(&of("title", "eq", "percent"), Harm::Wrong, 1);
        assert_eq!(causes.add(&of("nickname", "sw", "percent"), Harm::Wrong, 2), (0, false));
        assert_eq!(causes.all()[0].about(), "literals with percent");
    }

    #[test]
    fn what_sightings_agree_on_is_not_given_up_for_another() {
        let mut causes = Causes::default();
        causes.add(&of("title", "eq", "other case"), Harm::Wrong, 1);
        causes.add(&of("nickname", "eq", "other case"), Harm::Wrong, 2);
        for attribute in ["locale", "timezone", "usertype"] {
            causes.was_right(&of(attribute, "eq", ""));
        }
        assert_eq!(causes.add(&of("meta.location", "eq", ""), Harm::Wrong, 3), (1, true));
        assert_eq!(causes.all()[0].about(), "the operator eq, literals with other case");
    }
}
