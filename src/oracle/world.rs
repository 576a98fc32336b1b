//! Possible worlds: every point about filters that the RFCs leave open is a [`Knob`], a [`World`] is one setting of
//! all of them, and [`Worlds`] are the settings that a service provider may still have.
//!
//! A resource *must* match a filter if it does in every possible world, *must not* if it does in none; otherwise
//! nothing is said. Evaluation world by world keeps what belongs together: `f or not (f)` is true in each of them,
//! though `f` alone is open. Only knobs that an evaluation asks for are branched on, so a plain filter is evaluated
//! once. This module refuses to know how a filter is evaluated: see [`truth`].

use std::collections::BTreeSet;
use std::fmt;

use serde_json::Value;

use super::truth::{self, Asking};
use crate::scim::definition::ResourceDefinition;
use crate::scim::filter::Filter;

macro_rules! knobs {
    ($($(#[$meta:meta])* $knob:ident: $usual:literal / $other:literal,)+) => {
        /// A point that the RFCs leave open. Each has a conventional setting, that of
        /// [`filter::matches`](crate::scim::filter::matches()), and another one that is as good.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Knob {
            $($(#[$meta])* $knob,)+
        }

        impl Knob {
            /// All knobs.
            pub const ALL: &'static [Knob] = &[$(Knob::$knob,)+];

            /// What a service provider does that has this setting, continuing `the service provider …`.
            pub fn words(self, departs: bool) -> &'static str {
                match self {
                    $(Knob::$knob => if departs { $other } else { $usual },)+
                }
            }
        }
    };
}

knobs! {
    /// `ne` on an attribute without value: not identical, so a match; or nothing to compare (AMB-66, RFC 7644 Table 3).
    NotEqualOnAbsent: "takes ne on an absent attribute as a match" / "takes ne on an absent attribute as no match",
    /// `ne` on several values: any value differs; or none is equal (AMB-65, RFC 7644 §3.4.2.2 "if any of the values").
    NotEqualOnSeveral: "takes ne as a match if any value differs" / "takes ne as a match if no value is equal",
    /// `ne` on a sub-attribute that some elements lack: these do not count; or they differ (AMB-65, AMB-66).
    NotEqualOnIncomplete: "passes over elements without the sub-attribute under ne" / "takes an element without the sub-attribute as different under ne",
    /// `ne` between brackets on an element without the sub-attribute: a match or not (AMB-66).
    NotEqualInBrackets: "takes ne between brackets on an absent sub-attribute as a match" / "takes ne between brackets on an absent sub-attribute as no match",
    /// A missing `primary` compares as false ("SHALL be assumed", RFC 7643 §2.4), or is unassigned (AMB-66).
    PrimaryAssumedFalse: "takes a missing primary as false" / "takes a missing primary as unassigned",
    /// `pr` on a missing `primary`: absent, or present since false is assumed (RFC 7643 §2.4).
    AssumedPrimaryIsPresent: "takes a missing primary as not present" / "takes a missing primary as present",
    /// `eq null` and `ne null`: as `not pr` and `pr`, or never a match (AMB-66, RFC 7643 §2.5).
    CompareWithNull: "takes eq null as unassigned and ne null as assigned" / "finds nothing by a comparison with null",
    /// Case of references, of binary values, and of values that are ids of other resources (AMB-28).
    ReferenceCase: "compares references and ids of others as they are declared" / "compares references and ids of others the other way about case",
    /// Case of `id` (AMB-32, RFC 7643 §3.1).
    IdCase: "compares id with regard to case" / "compares id without regard to case",
    /// Case of the URIs in `schemas` (AMB-72).
    SchemaUriCase: "compares schemas without regard to case" / "compares schemas with regard to case",
    /// Case of a schema URI in front of an attribute's name (AMB-72, RFC 7644 §3.10).
    UriPrefixCase: "reads the URI before an attribute's name in any case" / "reads the URI before an attribute's name in its exact case only",
    /// A multi-valued complex attribute compared without sub-attribute means its `value`, as in Figure 2, or nothing (AMB-64).
    ComplexMeansValue: "takes a comparison of emails as one of emails.value" / "finds nothing by a comparison of emails without sub-attribute",
    /// `co`, `sw` and `ew` on references and binary values: as on texts, or never a match (AMB-62).
    SubstringOfReference: "looks into references as into texts" / "finds nothing by co, sw and ew on references",
    /// `co`, `sw` and `ew` on booleans and numbers: never a match, or as on their text (AMB-62).
    SubstringOfNumber: "finds nothing by co, sw and ew on booleans and numbers" / "looks into booleans and numbers as into texts",
    /// `eq` and `ne` on a dateTime: the same instant, or the same text (AMB-75).
    DateTimeAsText: "compares dateTimes by eq as instants" / "compares dateTimes by eq as texts",
    /// Fractions of seconds in comparisons: they count, or are cut off (AMB-75).
    FractionsCut: "compares dateTimes to the fraction of a second" / "compares dateTimes to the second",
    /// `pr` on an empty text: not present, or present (AMB-67).
    EmptyIsPresent: "takes an empty text as not present" / "takes an empty text as present",
    /// `co`, `sw` and `ew` with an empty text: in each text, or in none (AMB-67).
    EmptySubstring: "finds the empty text in every text" / "finds the empty text in no text",
    /// A literal of the wrong type: never equal, or converted to the attribute's type (AMB-63).
    LiteralConverted: "takes a literal of another type as not equal" / "converts a literal to the attribute's type",
    /// `ne` with a literal of the wrong type, or on a complex value: no match, or a match since nothing is identical (AMB-63, AMB-64).
    IncomparableDiffers: "takes ne with a literal of another type as no match" / "takes ne with a literal of another type as a match",
    /// `ne` on an attribute that is not defined: no match, or a match (AMB-60).
    NotEqualOnUnknown: "takes ne on an undefined attribute as no match" / "takes ne on an undefined attribute as a match",
    /// A filter with an attribute that is not defined: the attribute has no value, or nothing is found (AMB-60).
    UnknownFindsNothing: "takes an undefined attribute as one without value" / "finds nothing by a filter with an undefined attribute",
    /// Order of texts, as to case: by the attribute's caseExact, or the other way (AMB-74).
    OrderCase: "orders texts by the attribute's caseExact" / "orders texts the other way about case",
    /// `meta.version`: compared in the form that it is shown in, or in one of its own, weak or bare (AMB-132).
    VersionAsShown: "compares meta.version as it is shown" / "compares meta.version in another form than it is shown in",
    /// `meta.location`: compared in the form that it is shown in, or in one of its own, relative or absolute (AMB-13).
    LocationAsShown: "compares meta.location as it is shown" / "compares meta.location in another form than it is shown in",
    /// A `primary` that is shown as false: a value that somebody gave, or the one that is assumed (RFC 7643 §2.4).
    AssumedPrimaryIsShown: "shows a primary of false only where it is assigned" / "shows a missing primary as false",
}

impl Knob {
    const fn bit(self) -> u32 {
        1 << self as u32
    }

    /// Whether it is about how values are shown, and not about how a filter is read: no defect of a filter looks like
    /// its other setting, so that what is known of it stays known.
    const fn is_of_values(self) -> bool {
        matches!(self, Knob::VersionAsShown | Knob::LocationAsShown | Knob::AssumedPrimaryIsShown)
    }
}

/// A set of knobs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Knobs(u32);

impl Knobs {
    /// No knob.
    pub const NONE: Knobs = Knobs(0);

    /// This set with one more.
    #[must_use]
    pub fn with(self, knob: Knob) -> Knobs {
        Knobs(self.0 | knob.bit())
    }

    /// Whether the knob is one of them.
    pub fn contains(self, knob: Knob) -> bool {
        self.0 & knob.bit() != 0
    }

    /// How many there are.
    pub fn len(self) -> usize {
        self.0.count_ones() as usize
    }

    /// Whether there is none.
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Those of either set.
    #[must_use]
    pub fn union(self, other: Knobs) -> Knobs {
        Knobs(self.0 | other.0)
    }

    /// Each of them.
    pub fn iter(self) -> impl Iterator<Item = Knob> {
        Knob::ALL.iter().copied().filter(move |knob| self.contains(*knob))
    }
}

/// One setting of all knobs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct World(u32);

impl World {
    /// Every knob as usual: the reading of [`filter::matches`](crate::scim::filter::matches()).
    pub const CONVENTIONAL: World = World(0);

    /// Whether the knob has the other setting here.
    pub fn departs(self, knob: Knob) -> bool {
        self.0 & knob.bit() != 0
    }

    /// The same world with one knob set.
    #[must_use]
    pub fn with(self, knob: Knob, departs: bool) -> World {
        World(if departs { self.0 | knob.bit() } else { self.0 & !knob.bit() })
    }

    fn within(self, knobs: Knobs) -> u32 {
        self.0 & knobs.0
    }
}

/// Whether a resource is found by a filter, as far as can be said.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Truth {
    /// It matches in every possible world.
    Must,
    /// It matches in none.
    MustNot,
    /// It depends: on a point that the RFCs leave open, or on what the resource does not show.
    Open,
}

impl fmt::Display for Truth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Truth::Must => "must match",
            Truth::MustNot => "must not match",
            Truth::Open => "may match or not",
        })
    }
}

/// The most evaluations that one verdict takes; a filter that would need more is [`Truth::Open`].
pub const MOST_WORLDS: usize = 1024;

/// The most knobs that are learned about together; an answer that ties more of them together teaches nothing.
pub const MOST_TIED: usize = 12;

/// The most sets that one world may find, for what resources do not show.
const MOST_UNSHOWN: usize = 16;

/// The worlds that are still possible.
///
/// Kept as groups of knobs, no knob in two of them, each with the settings that are possible for it; a knob in no
/// group is free.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Worlds {
    groups: Vec<Group>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Group {
    knobs: Knobs,
    allowed: BTreeSet<u32>,
}

/// A service provider's answer that contradicts every world that was possible before it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("no reading of the RFCs gives this answer to the filter {filter}{}", blamed(.wrong))]
pub struct Contradiction {
    /// The filter.
    pub filter: String,
    /// The ids of the resources that are wrong in every world, each with what they must be. Empty where each
    /// resource could be right alone, but not all together.
    pub wrong: Vec<(String, Truth)>,
}

fn blamed(wrong: &[(String, Truth)]) -> String {
    match wrong {
        [] => ", all its rows taken together".to_owned(),
        [(id, truth), rest @ ..] => {
            let more = if rest.is_empty() { String::new() } else { format!(" ({} more)", rest.len()) };
            format!(": {id} {truth}{more}")
        }
    }
}

impl Worlds {
    /// Every world.
    pub fn all() -> Worlds {
        Worlds::default()
    }

    /// One world alone.
    pub fn only(world: World) -> Worlds {
        let groups = Knob::ALL.iter().map(|knob| {
            let knobs = Knobs::NONE.with(*knob);
            Group { knobs, allowed: BTreeSet::from([world.within(knobs)]) }
        });
        Worlds { groups: groups.collect() }
    }

    /// These worlds and all others in which values are shown as they are in these: every reading of a filter is possible.
    #[must_use]
    pub fn in_every_reading(&self) -> Worlds {
        let is_of_values = |group: &&Group| group.knobs.iter().all(Knob::is_of_values);
        Worlds { groups: self.groups.iter().filter(is_of_values).cloned().collect() }
    }

    /// These worlds without those where the knob has the other setting. Where none would be left, nothing is settled.
    pub fn settle(&mut self, knob: Knob, departs: bool) {
        let wanted = if departs { knob.bit() } else { 0 };
        match self.groups.iter_mut().find(|group| group.knobs.contains(knob)) {
            Some(group) => {
                let allowed: BTreeSet<u32> =
                    group.allowed.iter().copied().filter(|it| it & knob.bit() == wanted).collect();
                if !allowed.is_empty() {
                    group.allowed = allowed;
                }
            }
            None => {
                self.groups.push(Group { knobs: Knobs::NONE.with(knob), allowed: BTreeSet::from([wanted]) })
            }
        }
    }

    /// Whether some possible world has these settings of these knobs.
    fn allows(&self, knobs: Knobs, world: World) -> bool {
        self.groups.iter().all(|group| {
            let common = group.knobs.0 & knobs.0;
            common == 0 || group.allowed.iter().any(|allowed| (allowed ^ world.0) & common == 0)
        })
    }

    /// The knobs whose setting is known, with the setting: whether it departs from the usual one.
    pub fn settled(&self) -> impl Iterator<Item = (Knob, bool)> {
        Knob::ALL.iter().filter_map(|knob| {
            let knobs = Knobs::NONE.with(*knob);
            let usual = self.allows(knobs, World::CONVENTIONAL);
            let other = self.allows(knobs, World::CONVENTIONAL.with(*knob, true));
            (usual != other).then_some((*knob, other))
        })
    }

    /// The service provider's dialect as far as it is known, a sentence for each point that is settled.
    pub fn dialect(&self) -> Vec<String> {
        self.settled()
            .map(|(knob, departs)| format!("the service provider {}", knob.words(departs)))
            .collect()
    }

    /// Whether the resource is found by the filter.
    pub fn truth(&self, filter: &Filter, resource: &Value, definition: &ResourceDefinition) -> Truth {
        let mut answers = (false, false);
        let is_sure =
            self.explore(self.known(), (filter, resource, definition), &mut |_, _, answer| match answer {
                Some(true) => {
                    answers.0 = true;
                    !answers.1
                }
                Some(false) => {
                    answers.1 = true;
                    !answers.0
                }
                None => {
                    answers = (true, true);
                    false
                }
            });
        match answers {
            (true, false) if is_sure => Truth::Must,
            (false, true) if is_sure => Truth::MustNot,
            _ => Truth::Open,
        }
    }

    /// The knobs that are settled, and a world that has them so.
    fn known(&self) -> (Knobs, World) {
        let mut known = (Knobs::NONE, World::CONVENTIONAL);
        for group in &self.groups {
            if let (1, Some(setting)) = (group.allowed.len(), group.allowed.first()) {
                known = (known.0.union(group.knobs), World(known.1.0 | setting));
            }
        }
        known
    }

    /// Walks through the possible worlds, as far as they differ for this resource: for each way to set the knobs
    /// that its evaluation asks for beside those that `start` has set, all that are set, the world, and the answer. Ends
    /// when `visit` says false; `false` where that was so, or where there were too many worlds.
    fn explore(
        &self,
        start: (Knobs, World),
        (filter, resource, definition): (&Filter, &Value, &ResourceDefinition),
        visit: &mut dyn FnMut(Knobs, World, Option<bool>) -> bool,
    ) -> bool {
        let mut open = vec![start];
        let mut evaluations = 0;
        while let Some((set, world)) = open.pop() {
            evaluations += 1;
            if evaluations > MOST_WORLDS {
                return false;
            }
            let asking = Asking::in_world(world);
            let answer = truth::evaluate_asking(filter, resource, definition, &asking);
            let Some(knob) = asking.asked().iter().find(|knob| !set.contains(*knob)) else {
                if !visit(set, world, answer) {
                    return false;
                }
                continue;
            };
            let set = set.with(knob);
            for departs in [true, false] {
                let world = world.with(knob, departs);
                if self.allows(set, world) {
                    open.push((set, world));
                }
            }
        }
        true
    }

    /// The knobs that the evaluation of this resource depends on, given what is possible.
    pub fn touched(&self, filter: &Filter, resource: &Value, definition: &ResourceDefinition) -> Knobs {
        let mut touched = Knobs::NONE;
        let nothing = (Knobs::NONE, World::CONVENTIONAL);
        self.explore(nothing, (filter, resource, definition), &mut |knobs, _, _| {
            touched = touched.union(knobs);
            true
        });
        touched
    }

    /// The sets of resources, each by its name, that the filter finds in the possible worlds: what one reading decides about
    /// several resources, it decides about all of them. Where a resource does not show what decides, it may be in each set
    /// or not.
    ///
    /// `None` where there are too many worlds, or too many such resources.
    pub fn findings(
        &self,
        filter: &Filter,
        known: &[(&str, &Value, &ResourceDefinition)],
    ) -> Option<BTreeSet<BTreeSet<String>>> {
        let touched = known.iter().fold(Knobs::NONE, |all, (_, resource, definition)| {
            all.union(self.touched(filter, resource, definition))
        });
        if touched.len() > MOST_TIED || known.len() << touched.len() > MOST_WORLDS {
            return None;
        }
        let mut all = BTreeSet::new();
        for world in settings(touched).filter(|world| self.allows(touched, *world)) {
            let mut found = vec![BTreeSet::new()];
            for (name, resource, definition) in known {
                let with = |set: &BTreeSet<String>| set.iter().cloned().chain([(*name).to_owned()]).collect();
                match truth::evaluate(filter, resource, definition, world) {
                    Some(true) => found = found.iter().map(with).collect(),
                    Some(false) => {}
                    None => found.extend(found.iter().map(with).collect::<Vec<_>>()),
                }
                if found.len() > MOST_UNSHOWN {
                    return None;
                }
            }
            all.extend(found);
        }
        Some(all)
    }

    /// Learns from an answer: of the resources known, each with its id, those with one of these ids were found.
    /// Worlds that say otherwise are removed.
    ///
    /// # Errors
    /// If no world is left that gives this answer; then nothing is learned.
    pub fn observe(
        &mut self,
        filter: &Filter,
        definition: &ResourceDefinition,
        known: &[(&str, &Value)],
        found: &BTreeSet<&str>,
    ) -> Result<(), Contradiction> {
        let touched = known
            .iter()
            .fold(Knobs::NONE, |all, (_, resource)| all.union(self.touched(filter, resource, definition)));
        let contradiction = |wrong| Contradiction { filter: filter.to_string(), wrong };
        let wrong: Vec<(String, Truth)> = known
            .iter()
            .filter_map(|(id, resource)| {
                let truth = self.truth(filter, resource, definition);
                let is_wrong = match truth {
                    Truth::Must => !found.contains(id),
                    Truth::MustNot => found.contains(id),
                    Truth::Open => false,
                };
                is_wrong.then(|| ((*id).to_owned(), truth))
            })
            .collect();
        if !wrong.is_empty() {
            return Err(contradiction(wrong));
        }
        if touched.is_empty() {
            return Ok(());
        }
        let (joined, apart): (Vec<Group>, Vec<Group>) =
            self.groups.iter().cloned().partition(|group| group.knobs.0 & touched.0 != 0);
        let knobs = joined.iter().fold(touched, |all, group| all.union(group.knobs));
        if knobs.len() > MOST_TIED {
            return Ok(());
        }
        let allowed: BTreeSet<u32> = settings(knobs)
            .filter(|world| self.allows(knobs, *world))
            .filter(|world| {
                known.iter().all(|(id, resource)| {
                    truth::evaluate(filter, resource, definition, *world)
                        .is_none_or(|matches| matches == found.contains(id))
                })
            })
            .map(|world| world.0)
            .collect();
        if allowed.is_empty() {
            return Err(contradiction(Vec::new()));
        }
        self.groups = apart;
        self.groups.extend(Group { knobs, allowed }.split());
        Ok(())
    }
}

impl Group {
    /// The group without the knobs that are settled, and each of these as a group of its own.
    fn split(self) -> Vec<Group> {
        let is_settled = |knob: &Knob| {
            let on = self.allowed.iter().filter(|allowed| **allowed & knob.bit() != 0).count();
            on == 0 || on == self.allowed.len()
        };
        let settled = self.knobs.iter().filter(is_settled).fold(Knobs::NONE, Knobs::with);
        let part = |knobs: Knobs| Group {
            knobs,
            allowed: self.allowed.iter().map(|allowed| allowed & knobs.0).collect(),
        };
        let rest = Knobs(self.knobs.0 & !settled.0);
        let mut parts: Vec<Group> = settled.iter().map(|knob| part(Knobs::NONE.with(knob))).collect();
        if !rest.is_empty() {
            parts.push(part(rest));
        }
        parts
    }
}

/// All settings of these knobs, the others as usual.
fn settings(knobs: Knobs) -> impl Iterator<Item = World> {
    let knobs: Vec<Knob> = knobs.iter().collect();
    (0..1_u32 << knobs.len()).map(move |number| {
        knobs
            .iter()
            .enumerate()
            .filter(|(index, _)| number & (1 << index) != 0)
            .fold(World::CONVENTIONAL, |world, (_, knob)| world.with(*knob, true))
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::scim::schema::SchemaSet;

    fn user() -> ResourceDefinition {
        SchemaSet::core().definition("User").unwrap()
    }

    fn truth(worlds: &Worlds, filter: &str, resource: &Value) -> Truth {
        worlds.truth(&Filter::parse(filter).unwrap(), resource, &user())
    }

    #[test]
    fn what_belongs_together_stays_together() {
        let worlds = Worlds::all();
        let nobody = json!({"userName": "a"});
        assert_eq!(truth(&worlds, r#"title ne "x""#, &nobody), Truth::Open);
        assert_eq!(truth(&worlds, r#"title ne "x" or not (title ne "x")"#, &nobody), Truth::Must);
        assert_eq!(truth(&worlds, r#"title ne "x" and not (title ne "y")"#, &nobody), Truth::MustNot);
        assert_eq!(truth(&worlds, r#"not (title eq "x")"#, &nobody), Truth::Must);
        assert_eq!(truth(&Worlds::only(World::CONVENTIONAL), r#"title ne "x""#, &nobody), Truth::Must);
    }

    #[test]
    fn answers_settle_knobs() {
        let mut worlds = Worlds::all();
        let filter = Filter::parse(r#"emails.type ne "work""#).unwrap();
        let none = json!({"userName": "a"});
        let both = json!({"emails": [{"type": "work"}, {"type": "home"}]});
        let known = [("none", &none), ("both", &both)];
        worlds.observe(&filter, &user(), &known, &BTreeSet::from(["none"])).unwrap();
        assert_eq!(truth(&worlds, r#"title ne "x""#, &none), Truth::Must);
        assert_eq!(truth(&worlds, r#"emails.type ne "home""#, &both), Truth::MustNot);
        assert_eq!(
            worlds.dialect(),
            [
                "the service provider takes ne on an absent attribute as a match",
                "the service provider takes ne as a match if no value is equal"
            ]
        );
        let before = worlds.clone();
        let found = BTreeSet::from(["none", "both"]);
        let error = worlds.observe(&filter, &user(), &known, &found).unwrap_err();
        assert_eq!(error.wrong, [("both".to_owned(), Truth::MustNot)]);
        assert_eq!(
            error.to_string(),
            "no reading of the RFCs gives this answer to the filter emails.type ne \"work\": both must not match"
        );
        assert_eq!(worlds, before);
    }

    #[test]
    fn an_answer_that_needs_two_worlds_at_once_is_a_contradiction() {
        let mut worlds = Worlds::all();
        let filter = Filter::parse(r#"title ne "x""#).unwrap();
        let (one, two) = (json!({"userName": "a"}), json!({"userName": "b"}));
        let known = [("1", &one), ("2", &two)];
        let error = worlds.observe(&filter, &user(), &known, &BTreeSet::from(["1"])).unwrap_err();
        assert!(error.wrong.is_empty());
        assert_eq!(worlds, Worlds::all());
    }

    #[test]
    fn a_version_may_be_compared_in_another_form_than_it_is_shown_in() {
        let shown = json!({"meta": {"version": "\"f1\"", "location": "/Users/1"}});
        for (filter, in_the_form_shown) in [
            (r#"meta.version le "\"f""#, Truth::MustNot),
            (r#"meta.version sw "\"f""#, Truth::Must),
            (r#"meta.version eq "\"f1\"""#, Truth::Must),
            (r#"meta.location eq "/Users/1""#, Truth::Must),
            (r#"meta.location eq "/Users/2""#, Truth::MustNot),
        ] {
            let mut worlds = Worlds::all();
            assert_eq!(truth(&worlds, filter, &shown), Truth::Open, "{filter}");
            worlds.settle(Knob::VersionAsShown, false);
            worlds.settle(Knob::LocationAsShown, false);
            assert_eq!(truth(&worlds, filter, &shown), in_the_form_shown, "{filter}");
            assert_eq!(truth(&worlds.in_every_reading(), filter, &shown), in_the_form_shown, "{filter}");
        }
        assert_eq!(truth(&Worlds::all(), "meta.version pr and meta.location pr", &shown), Truth::Must);
    }

    #[test]
    fn a_primary_of_false_may_be_the_assumed_one() {
        let shown = json!({"emails": [{"value": "a@example.com", "primary": false}]});
        let mut worlds = Worlds::all();
        for filter in ["emails.primary pr", "emails[primary pr]"] {
            assert_eq!(truth(&worlds, filter, &shown), Truth::Open, "{filter}");
        }
        assert_eq!(truth(&worlds, "emails.primary eq false", &shown), Truth::Must);
        worlds.settle(Knob::AssumedPrimaryIsShown, false);
        for filter in ["emails.primary pr", "emails[primary pr]"] {
            assert_eq!(truth(&worlds, filter, &shown), Truth::Must, "{filter}");
        }
        worlds.settle(Knob::AssumedPrimaryIsShown, true);
        assert_eq!(truth(&worlds, "emails.primary pr", &shown), Truth::Must, "what is settled stays");
    }

    #[test]
    fn a_filter_about_everything_is_bounded() {
        let everything =
            r#"title ne "a" and emails.type ne "b" and emails.primary eq false and nickName eq null
            and profileUrl eq "x:A" and id eq "A" and schemas eq "A" and emails co "a" and profileUrl co "b"
            and active co "t" and not (userName pr and displayName eq 5) and unknown ne "a"
            and userName gt "A" and displayName pr"#
                .replace('\n', " ");
        let filter = Filter::parse(&everything.split_whitespace().collect::<Vec<_>>().join(" ")).unwrap();
        let resource = json!({
            "id": "a", "schemas": ["a"], "userName": "b", "displayName": "", "profileUrl": "x:a",
            "emails": [{"type": "b", "value": "a"}, {"type": "c"}], "active": true,
        });
        // Whatever it says, it says it soon.
        let _ = Worlds::all().truth(&filter, &resource, &user());
        assert!(Worlds::all().touched(&filter, &resource, &user()).len() > 3);
    }
}
