//! Several filters in one query, and what one of them may find.
//!
//! [`parity`] makes of several filters one that holds for a resource if an odd number of them does. A service provider
//! that is wrong about one filter at one resource then shows or hides that resource, whatever the others say of it: the
//! one query is as sharp as all of them, but for two errors that meet at one resource. [`outcomes`] says which answers
//! to a filter are right. Neither knows of networks.

use std::collections::BTreeSet;

use serde_json::Value;

use super::world::{Truth, World, Worlds};
use crate::scim::definition::ResourceDefinition;
use crate::scim::filter::{CompareOperator, Filter};
use crate::scim::path::AttributePath;

/// The most filters in one request.
const MOST_AT_ONCE: usize = 8;
/// The longest filter that several make together, in bytes; half of the shortest limit of URLs that is common.
const LONGEST: usize = 3000;
/// So few filters are asked one by one: there is little to save, and those that somebody chooses are much alike, so that one
/// defect may be wrong about an even number of them.
const FEW: usize = 16;
/// The most resources of which a filter may leave open whether it finds them for each to be either; of more, only the sets
/// that a reading finds count.
const MOST_OPEN: usize = 4;

/// Whether filters are so many that they are worth to be asked together.
pub fn is_crowd(filters: usize) -> bool {
    filters > FEW
}

/// A filter that finds what an odd number of these find; it needs `and`, `or`, `not` and parentheses.
pub fn parity(filters: &[&str]) -> String {
    match filters {
        [] => String::new(),
        [one] => (*one).to_owned(),
        several => {
            let (left, right) = several.split_at(several.len() / 2);
            let (left, right) = (parity(left), parity(right));
            format!("(({left}) or ({right})) and not (({left}) and ({right}))")
        }
    }
}

/// The members that an odd number of these sets hold.
pub fn odd<'s>(sets: impl IntoIterator<Item = &'s BTreeSet<String>>) -> BTreeSet<String> {
    let mut odd = BTreeSet::new();
    for set in sets {
        odd = odd.symmetric_difference(set).cloned().collect();
    }
    odd
}

/// A resource that is known by a name, with what was read of it.
#[derive(Debug, Clone, Copy)]
pub struct Member<'a> {
    /// The name.
    pub name: &'a str,
    /// What the service provider shows of it.
    pub state: &'a Value,
    /// Its definition.
    pub definition: &'a ResourceDefinition,
}

/// Which sets of members a filter may find.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Outcomes {
    /// The sets, without repetition; none where so much is open that nothing can be said.
    pub sets: Vec<BTreeSet<String>>,
    /// Whether there is one set only, and the oracle is sure of it.
    pub is_firm: bool,
}

/// The sets that a filter may find among the members: those written down by hand for members as they were sent, if what
/// is shown of them makes no difference, and those of any reading of the RFCs for members as they are shown. Where none is
/// written down, a filter has to be refused. `preferred` says whether the first of them is what a filter usually finds.
pub fn outcomes(
    filter: &str,
    members: &[Member<'_>],
    written: &[BTreeSet<String>],
    preferred: bool,
) -> Outcomes {
    // A member that is not there is found by no filter.
    let is_there = |name: &String| members.iter().any(|member| member.name == name.as_str());
    let mut sets: Vec<BTreeSet<String>> =
        written.iter().filter(|set| set.iter().all(is_there)).cloned().collect();
    let parsed = Filter::parse(filter).ok().filter(|_| !written.is_empty());
    let Some(filter) = parsed else { return Outcomes { sets, is_firm: false } };
    let worlds = Worlds::all();
    let mut sure = BTreeSet::new();
    let mut open = Vec::new();
    let mut usual = BTreeSet::new();
    for member in members {
        let Member { name, state, definition } = *member;
        match worlds.truth(&filter, state, definition) {
            Truth::Must => drop(sure.insert(name.to_owned())),
            Truth::MustNot => {}
            Truth::Open => open.push(name.to_owned()),
        }
        if super::truth::evaluate(&filter, state, definition, World::CONVENTIONAL) == Some(true) {
            usual.insert(name.to_owned());
        }
    }
    if preferred && written.first().is_some_and(|first| *first != usual) {
        sets.clear();
    }
    let is_firm = open.is_empty() && sets.iter().all(|set| *set == sure);
    if open.len() <= MOST_OPEN {
        for choice in 0..1_usize << open.len() {
            let chosen = open.iter().enumerate().filter(|(bit, _)| choice & (1 << bit) != 0);
            let set: BTreeSet<String> = sure.iter().chain(chosen.map(|(_, name)| name)).cloned().collect();
            if !sets.contains(&set) {
                sets.push(set);
            }
        }
    } else {
        // Of many who are open, those stand together about whom one reading decides.
        let known: Vec<_> = members.iter().map(|it| (it.name, it.state, it.definition)).collect();
        for set in worlds.findings(&filter, &known).unwrap_or_default() {
            if !sets.contains(&set) {
                sets.push(set);
            }
        }
    }
    Outcomes { sets, is_firm }
}

/// The attributes that a filter names, those between brackets with the attribute before them.
pub fn paths(filter: &Filter) -> Vec<AttributePath> {
    match filter {
        Filter::And(all) | Filter::Or(all) => all.iter().flat_map(paths).collect(),
        Filter::Not(inner) => paths(inner),
        Filter::Present(path) | Filter::Compare { path, .. } => vec![path.clone()],
        Filter::ValuePath { path, filter } => {
            let within = paths(filter).into_iter().map(|inner| path.with_sub(&inner.name));
            std::iter::once(path.clone()).chain(within).collect()
        }
    }
}

/// Whether a filter has brackets, which a service provider need not understand (RFC 7644 §3.4.2.2).
pub fn has_brackets(filter: &Filter) -> bool {
    match filter {
        Filter::And(all) | Filter::Or(all) => all.iter().any(has_brackets),
        Filter::Not(inner) => has_brackets(inner),
        Filter::Present(_) | Filter::Compare { .. } => false,
        Filter::ValuePath { .. } => true,
    }
}

/// Whether `and` stands beside `or`, so that precedence decides.
pub fn is_mixed(filter: &Filter) -> bool {
    match filter {
        Filter::Or(all) => all.iter().any(|it| matches!(it, Filter::And(_))),
        Filter::And(all) => all.iter().any(|it| matches!(it, Filter::Or(_))),
        _ => false,
    }
}

/// Deals filters out, by their position, into as few shares as can be, each of which is asked together. Those of one kind,
/// which stand together, are not in one share, since a defect is likely to meet all of them, and two errors at one resource
/// would hide each other.
pub fn shares(filters: &[&str]) -> Vec<Vec<usize>> {
    let fewest = filters.len().div_ceil(MOST_AT_ONCE).max(1);
    let ways = (fewest..=filters.len()).map(|hands| dealt(filters, hands));
    ways.min_by_key(Vec::len).unwrap_or_default()
}

/// Deals filters out to so many, and halves what is too long.
fn dealt(filters: &[&str], hands: usize) -> Vec<Vec<usize>> {
    let mut shares: Vec<Vec<usize>> = vec![Vec::new(); hands];
    for index in 0..filters.len() {
        shares[index % hands].push(index);
    }
    let mut fitting = Vec::new();
    while let Some(share) = shares.pop() {
        let all: Vec<&str> = share.iter().filter_map(|index| filters.get(*index)).copied().collect();
        if share.len() > 1 && parity(&all).len() > LONGEST {
            let (left, right) = share.split_at(share.len() / 2);
            shares.extend([right.to_vec(), left.to_vec()]);
        } else {
            fitting.push(share);
        }
    }
    fitting
}

/// Deals filters out that somebody chose, a few at a time: no two of a share compare the same attribute, since one defect
/// would be wrong about the same resource in both, and two errors at one resource hide each other. Only what narrows them
/// all to the same resources (`userName sw "…" and …`) may stand in several.
pub fn shares_apart(filters: &[&str]) -> Vec<Vec<usize>> {
    let subjects: Vec<Option<Subjects>> = filters.iter().map(|filter| Subjects::of(filter)).collect();
    let mut shares: Vec<Vec<usize>> = Vec::new();
    for (index, subject) in subjects.iter().enumerate() {
        let takes_it = |share: &Vec<usize>| {
            let all: Vec<&str> = share.iter().chain([&index]).map(|at| filters[*at]).collect();
            share.len() < MOST_AT_ONCE
                && parity(&all).len() <= LONGEST
                && share.iter().all(|other| match (&subjects[*other], subject) {
                    (Some(other), Some(subject)) => other.is_apart_from(subject),
                    _ => false,
                })
        };
        match shares.iter().position(takes_it) {
            Some(share) => shares[share].push(index),
            None => shares.push(vec![index]),
        }
    }
    shares
}

/// The attributes that a filter is about, and those that only narrow it, in small letters.
struct Subjects {
    about: BTreeSet<String>,
    narrowed_by: BTreeSet<String>,
}

impl Subjects {
    /// What a filter is about; `None` where it is none, and has to be asked alone.
    fn of(filter: &str) -> Option<Subjects> {
        let filter = Filter::parse(filter).ok()?;
        let names = |filter: &Filter| paths(filter).into_iter().map(|path| path.name.to_ascii_lowercase());
        let is_beginning =
            |filter: &Filter| matches!(filter, Filter::Compare { operator: CompareOperator::StartsWith, .. });
        let (narrowed_by, about) = match &filter {
            Filter::And(operands) if operands.first().is_some_and(is_beginning) => {
                let (first, rest) = operands.split_at(1);
                (first.iter().flat_map(names).collect(), rest.iter().flat_map(names).collect())
            }
            whole => (BTreeSet::new(), names(whole).collect()),
        };
        Some(Subjects { about, narrowed_by })
    }

    fn is_apart_from(&self, other: &Subjects) -> bool {
        self.about.is_disjoint(&other.about)
            && self.about.is_disjoint(&other.narrowed_by)
            && self.narrowed_by.is_disjoint(&other.about)
    }
}

/// What several texts begin with, in whatever case.
pub fn common_beginning<'t>(texts: impl IntoIterator<Item = &'t str>) -> String {
    let mut texts = texts.into_iter();
    let Some(first) = texts.next() else { return String::new() };
    let mut common: Vec<char> = first.chars().collect();
    for text in texts {
        let same = common.iter().zip(text.chars()).take_while(|(a, b)| a.eq_ignore_ascii_case(b)).count();
        common.truncate(same);
    }
    common.into_iter().collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::scim::filter::matches;
    use crate::scim::schema::SchemaSet;

    fn set(names: &[&str]) -> BTreeSet<String> {
        names.iter().map(|it| (*it).to_owned()).collect()
    }

    #[test]
    fn each_filter_is_in_one_share_that_is_not_too_long() {
        assert!(shares(&[]).is_empty());
        let long = format!("title eq \"{}\"", "x".repeat(LONGEST));
        let mut filters = vec!["userName sw \"a\""; 2 * MOST_AT_ONCE + 1];
        filters.insert(3, &long);
        for count in 1..=filters.len() {
            let dealt = shares(&filters[..count]);
            let mut all: Vec<usize> = dealt.iter().flatten().copied().collect();
            all.sort_unstable();
            assert!(all.into_iter().eq(0..count), "{dealt:?}");
            for share in &dealt {
                let together: Vec<&str> = share.iter().map(|index| filters[*index]).collect();
                assert!((1..=MOST_AT_ONCE).contains(&share.len()), "{share:?}");
                assert!(share.len() == 1 || parity(&together).len() <= LONGEST, "{share:?}");
            }
        }
    }

    #[test]
    fn filters_about_one_attribute_are_asked_apart() {
        let filters = [
            "userName co \"a\"",
            "title pr",
            "USERNAME ew \"A\"",
            "userName sw \"x.\" and nickName pr",
            "userName sw \"x.\" and emails[type eq \"work\"]",
            "emails.value pr",
            "userName eq",
        ];
        assert_eq!(shares_apart(&filters), [vec![0, 1, 5], vec![2], vec![3, 4], vec![6]]);
        assert!(shares_apart(&[]).is_empty());
    }

    #[test]
    fn one_query_holds_where_an_odd_number_of_its_filters_does() {
        let user = SchemaSet::core().definition("User").unwrap();
        let filters =
            ["title pr", "userName sw \"a\"", "active eq true", "not (nickName eq \"x\")", "emails[type pr]"];
        for count in 1..=filters.len() {
            let text = parity(&filters[..count]);
            let whole = Filter::parse(&text).unwrap();
            for bits in 0..32_u32 {
                let bit = |at: u32| bits & (1 << at) != 0;
                let mut resource = json!({"userName": if bit(1) { "ab" } else { "ba" }, "active": bit(2)});
                if bit(0) {
                    resource["title"] = "t".into();
                }
                if bit(3) {
                    resource["nickName"] = "x".into();
                }
                if bit(4) {
                    resource["emails"] = json!([{"type": "work"}]);
                }
                let holding = filters[..count]
                    .iter()
                    .filter(|it| matches(&Filter::parse(it).unwrap(), &resource, &user).unwrap())
                    .count();
                assert_eq!(matches(&whole, &resource, &user).unwrap(), holding % 2 == 1, "{text}");
            }
        }
        assert_eq!(odd([&set(&["a", "b"]), &set(&["b", "c"]), &set(&["b"])]), set(&["a", "b", "c"]));
    }

    #[test]
    fn what_is_open_may_be_found_or_not() {
        let user = SchemaSet::core().definition("User").unwrap();
        let (ann, bob) = (json!({"userName": "a", "title": "Boss"}), json!({"userName": "b"}));
        let members = [
            Member { name: "ann", state: &ann, definition: &user },
            Member { name: "bob", state: &bob, definition: &user },
        ];
        let firm = outcomes("title pr", &members, &[set(&["ann"])], true);
        assert_eq!(firm, Outcomes { sets: vec![set(&["ann"])], is_firm: true });
        let open = outcomes("title ne \"Clerk\"", &members, &[set(&["ann", "bob"])], true);
        assert_eq!(open.sets, [set(&["ann", "bob"]), set(&["ann"])]);
        assert!(!open.is_firm);
        // With so many that each could not be either, those are found together about whom one reading decides.
        let many: Vec<_> = ["a", "b", "c", "d", "e"]
            .map(|name| Member { name, state: &bob, definition: &user })
            .into_iter()
            .chain([Member { name: "ann", state: &ann, definition: &user }])
            .collect();
        let reading = outcomes("title ne \"Clerk\"", &many, &[set(&["ann", "bob"])], true);
        assert_eq!(reading.sets, [set(&["a", "ann", "b", "c", "d", "e"]), set(&["ann"])]);
        // What is written down stands on what was sent; here the service provider shows something else.
        let other = outcomes("title pr", &members, &[set(&["ann", "bob"])], true);
        assert_eq!(other.sets, [set(&["ann"])]);
        // A text that is no filter is judged by hand only.
        let broken = outcomes("title", &members, &[], false);
        assert_eq!(broken, Outcomes::default());
    }

    #[test]
    fn paths_and_beginnings() {
        let filter = Filter::parse("not (emails[type eq \"x\"]) or name.familyName pr").unwrap();
        let named: Vec<String> = paths(&filter).iter().map(ToString::to_string).collect();
        assert_eq!(named, ["emails", "emails.type", "name.familyName"]);
        assert!(has_brackets(&filter));
        assert_eq!(common_beginning(["fv-Ann", "FV-bob"]), "fv-");
        assert_eq!(common_beginning([]), "");
    }
}
