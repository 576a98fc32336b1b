//! What several clients at once were answered, and what is there afterwards, has to be what some order of their requests, one
//! after the other, would have led to (linearizability of each resource, by the search of Wing and Gong). This module sends
//! nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

use serde_json::Value;

use super::model::Model;
use super::step::{Attributes, Change, Condition, Key, Kind, Step, Var, plain};
use crate::scim::compare::same_value;
use crate::scim::resource::{get, is_unassigned};

/// The most requests of one race: the search looks at every order of them.
pub const MOST: usize = 8;

/// What a request was answered with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// Success.
    Done,
    /// A refusal.
    Refused(u16),
}

/// A request of a race with its answer, and when it was under way.
#[derive(Debug, Clone)]
pub struct Event {
    /// What was asked.
    pub step: Step,
    /// What came.
    pub outcome: Outcome,
    /// When it was sent.
    pub begun: Instant,
    /// When the answer was there.
    pub ended: Instant,
}

/// What there is, as far as a race is about it.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Things {
    things: BTreeMap<Var, Thing>,
}

/// One resource.
#[derive(Debug, Clone, Default, PartialEq)]
struct Thing {
    alive: bool,
    key: Key,
    /// The values of the attributes that are written; `None` where anything may be there.
    values: BTreeMap<String, Option<Value>>,
    /// The same when the race began.
    at_first: BTreeMap<String, Option<Value>>,
    members: BTreeSet<Var>,
    first_members: BTreeSet<Var>,
    first_key: Key,
}

impl Things {
    /// The resources.
    pub fn vars(&self) -> impl Iterator<Item = Var> {
        self.things.keys().copied()
    }

    /// What is known of the resources that the steps are about.
    pub fn of(model: &Model, steps: &[&Step]) -> Things {
        let mut things = Things::default();
        let written: BTreeSet<String> = steps.iter().flat_map(|step| attributes(step)).collect();
        let vars: BTreeSet<Var> = steps.iter().filter_map(|step| object(step)).collect();
        // Whoever holds a name that is asked for counts, too.
        let keys: BTreeSet<(Kind, Key)> = steps.iter().flat_map(|step| step.keys()).collect();
        let holders = keys.iter().filter_map(|(kind, key)| model.holder(*kind, *key));
        for who in vars.iter().copied().chain(holders).collect::<BTreeSet<_>>() {
            things.look(model, who, &written);
        }
        things
    }

    fn look(&mut self, model: &Model, who: Var, written: &BTreeSet<String>) {
        let Some(known) = model.get(who) else {
            self.things.insert(who, Thing::default());
            return;
        };
        let value = |name: &String| {
            let value = get(&known.state, name).filter(|it| !is_unassigned(it));
            (name.clone(), Some(value.cloned().unwrap_or_default()))
        };
        let values: BTreeMap<String, Option<Value>> = written.iter().map(value).collect();
        let thing = Thing {
            alive: known.alive,
            key: known.key,
            at_first: values.clone(),
            values,
            first_key: known.key,
            first_members: model.members(known),
            members: model.members(known),
        };
        self.things.insert(who, thing);
    }

    fn is_taken(&self, who: Var, key: Key) -> bool {
        let mut others = self.things.iter().filter(|(other, _)| other.kind == who.kind && **other != who);
        others.any(|(_, thing)| thing.alive && plain(thing.key) == plain(key))
    }

    /// What there is after a request with that answer; none where it cannot have been answered so.
    fn after(&self, step: &Step, outcome: Outcome, reading: Reading) -> Option<Things> {
        let mut next = self.clone();
        let who = object(step)?;
        let thing = self.things.get(&who)?;
        match (step, outcome) {
            (Step::Create { key, .. }, Outcome::Refused(_)) => self.is_taken(who, *key).then_some(next),
            (Step::Create { key, body, members, .. }, Outcome::Done) => {
                if thing.alive || (who.kind == Kind::User && self.is_taken(who, *key)) {
                    return None;
                }
                let thing = next.things.get_mut(&who)?;
                thing.alive = true;
                thing.key = *key;
                thing.members.clone_from(members);
                // What nobody sent may have any default.
                thing.values = body.iter().map(|(name, value)| (name.clone(), Some(value.clone()))).collect();
                Some(next)
            }
            (_, Outcome::Refused(404 | 410)) => (!thing.alive).then_some(next),
            // Whoever cannot carry out two writes at once may say so.
            (_, Outcome::Refused(_)) => Some(next),
            (Step::Delete { .. }, Outcome::Done) if !thing.alive => {
                (reading == Reading::Suffering).then_some(next)
            }
            (_, Outcome::Done) => {
                let is_stale = step.condition() == Condition::Fresh && thing.is_another();
                if !thing.alive || is_stale {
                    return None;
                }
                next.things.get_mut(&who)?.write(step, reading);
                Some(next)
            }
        }
    }

    fn agrees(&self, seen: &Things) -> bool {
        self.things.iter().all(|(who, thing)| {
            let Some(seen) = seen.things.get(who) else { return true };
            if thing.alive != seen.alive {
                return false;
            }
            let is_same = |(name, value): (&String, &Option<Value>)| {
                let (Some(value), Some(Some(seen))) = (value, seen.values.get(name)) else { return true };
                same_value(value, seen, None)
            };
            !thing.alive || (thing.members == seen.members && thing.values.iter().all(is_same))
        })
    }

    pub(super) fn told(&self) -> String {
        let told = |(who, thing): (&Var, &Thing)| {
            if !thing.alive {
                return format!("{who} is not there");
            }
            let values = thing.values.iter().map(|(name, value)| match value {
                Some(Value::Null) => format!("no {name}"),
                Some(value) => format!("{name} {value}"),
                None => format!("some {name}"),
            });
            let members: Vec<String> = thing.members.iter().map(ToString::to_string).collect();
            let members = (who.kind == Kind::Group).then(|| format!("members [{}]", members.join(", ")));
            let all: Vec<String> = values.chain(members).collect();
            if all.is_empty() { format!("{who} is there") } else { format!("{who} has {}", all.join(", ")) }
        };
        self.things.iter().map(told).collect::<Vec<_>>().join("; ")
    }
}

impl Thing {
    /// Whether it is another one than when the race began, so that its version is another one. A write that changes
    /// nothing need not change the version, and one back to what was may bring the old one back.
    fn is_another(&self) -> bool {
        let has_changed = |(name, first): (&String, &Option<Value>)| match (first, self.values.get(name)) {
            (Some(first), Some(Some(now))) => !same_value(first, now, None),
            _ => false,
        };
        self.key != self.first_key
            || self.members != self.first_members
            || self.at_first.iter().any(has_changed)
    }

    fn write(&mut self, step: &Step, reading: Reading) {
        match step {
            Step::Delete { .. } => self.alive = false,
            Step::Replace { body, members, whole, key, .. } => {
                for (name, value) in &mut self.values {
                    let read = self.at_first.get(name).cloned().flatten();
                    // A client that puts back what it read leaves out what had no value.
                    let is_left_out = *whole && read.as_ref().is_none_or(is_unassigned);
                    *value = match body.get(name) {
                        Some(sent) => Some(sent.clone()),
                        None if is_left_out && reading != Reading::Exact => continue,
                        None if *whole => read,
                        None => None,
                    };
                }
                if let Some(members) = members {
                    self.members.clone_from(members);
                }
                self.key = key.unwrap_or(self.key);
            }
            Step::Patch { changes, .. } => {
                for change in changes {
                    self.change(change);
                }
            }
            _ => {}
        }
    }

    fn change(&mut self, change: &Change) {
        match change {
            Change::Set(name, value) => drop(self.values.insert(name.clone(), Some(value.clone()))),
            // What several values come to is left open.
            Change::Add(name, value) => {
                let is_plain = !value.is_array() && !value.is_object();
                self.values.insert(name.clone(), is_plain.then(|| value.clone()));
            }
            Change::Remove(name) if name == "members" => self.members.clear(),
            Change::Remove(name) => drop(self.values.insert(name.clone(), Some(Value::Null))),
            Change::SetAll(all) => {
                self.values.extend(all.iter().map(|(name, value)| (name.clone(), Some(value.clone()))));
            }
            Change::Rename(key) => self.key = *key,
            Change::AddMember(member) => drop(self.members.insert(*member)),
            Change::AddMembers(members) => self.members.extend(members),
            Change::RemoveMember(member) => drop(self.members.remove(member)),
            Change::Spoil => {}
        }
    }
}

/// How strictly answers are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reading {
    /// As the RFC has it.
    Exact,
    /// A PUT may keep what it leaves out (AMB-91).
    Keeping,
    /// That, and a second deletion may succeed (AMB-115).
    Suffering,
}

/// Whether some order of the requests, one after the other, explains what they were answered with and what is there
/// afterwards.
pub fn is_explained(before: &Things, events: &[Event], after: &Things, reading: Reading) -> bool {
    fn search(now: &Things, left: &[&Event], after: &Things, reading: Reading) -> bool {
        if left.is_empty() {
            return now.agrees(after);
        }
        left.iter().enumerate().any(|(at, event)| {
            // None that ended before this one began may come after it.
            let is_first = left.iter().all(|other| other.ended >= event.begun);
            is_first
                && now.after(&event.step, event.outcome, reading).is_some_and(|next| {
                    let rest: Vec<&Event> = left
                        .iter()
                        .enumerate()
                        .filter(|(other, _)| *other != at)
                        .map(|(_, it)| *it)
                        .collect();
                    search(&next, &rest, after, reading)
                })
        })
    }
    let left: Vec<&Event> = events.iter().take(MOST).collect();
    search(before, &left, after, reading)
}

/// The resource that a write is about.
pub(super) fn object(step: &Step) -> Option<Var> {
    match step {
        Step::Create { who, .. }
        | Step::Replace { who, .. }
        | Step::Patch { who, .. }
        | Step::Delete { who, .. } => Some(*who),
        _ => None,
    }
}

/// The attributes that a write is about.
fn attributes(step: &Step) -> Vec<String> {
    let names = |all: &Attributes| all.keys().cloned().collect::<Vec<_>>();
    match step {
        Step::Create { body, .. } | Step::Replace { body, .. } => names(body),
        Step::Patch { changes, .. } => changes
            .iter()
            .flat_map(|change| match change {
                Change::Remove(name) if name == "members" => Vec::new(),
                Change::Set(name, _) | Change::Add(name, _) | Change::Remove(name) => vec![name.clone()],
                Change::SetAll(all) => names(all),
                _ => Vec::new(),
            })
            .collect(),
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use serde_json::json;

    use super::*;

    fn thing(values: &[(&str, &str)], members: &[u8]) -> Thing {
        let values: BTreeMap<String, Option<Value>> =
            values.iter().map(|(name, value)| ((*name).to_owned(), Some(json!(value)))).collect();
        Thing {
            alive: true,
            at_first: values.clone(),
            values,
            members: members.iter().map(|number| Var::user(*number)).collect(),
            first_members: members.iter().map(|number| Var::user(*number)).collect(),
            ..Thing::default()
        }
    }

    fn things(who: Var, thing: Thing) -> Things {
        Things { things: [(who, thing)].into() }
    }

    fn patch(who: Var, change: Change) -> Step {
        Step::Patch { who, changes: vec![change], condition: Condition::None }
    }

    /// Events of which each overlaps with all others.
    fn at_once(all: &[(Step, Outcome)]) -> Vec<Event> {
        let begun = Instant::now();
        let ended = begun + Duration::from_millis(10);
        all.iter()
            .map(|(step, outcome)| Event { step: step.clone(), outcome: *outcome, begun, ended })
            .collect()
    }

    #[test]
    fn lost_updates_are_explained_by_no_order() {
        let ann = Var::user(0);
        let set = |name: &str, value: &str| patch(ann, Change::Set(name.to_owned(), json!(value)));
        let before = things(ann, thing(&[("title", "a"), ("nickName", "a")], &[]));
        let events = at_once(&[(set("title", "b"), Outcome::Done), (set("nickName", "b"), Outcome::Done)]);
        let is = |title: &str, nick: &str, events: &[Event]| {
            let after = things(ann, thing(&[("title", title), ("nickName", nick)], &[]));
            is_explained(&before, events, &after, Reading::Exact)
        };
        assert!(is("b", "b", &events));
        assert!(!is("b", "a", &events) && !is("a", "b", &events) && !is("a", "a", &events));
        let refused =
            at_once(&[(set("title", "b"), Outcome::Done), (set("nickName", "b"), Outcome::Refused(409))]);
        assert!(is("b", "a", &refused) && !is("b", "b", &refused));
        // What ended before another began comes before it.
        let mut one = at_once(&[(set("title", "b"), Outcome::Done), (set("title", "c"), Outcome::Done)]);
        assert!(is("b", "a", &one) && is("c", "a", &one));
        one[1].begun = one[0].ended + Duration::from_millis(1);
        one[1].ended = one[1].begun + Duration::from_millis(1);
        assert!(!is("b", "a", &one) && is("c", "a", &one));
    }

    #[test]
    fn members_deletions_and_versions() {
        let (team, ann) = (Var::group(0), Var::user(0));
        let add = |number| patch(team, Change::AddMember(Var::user(number)));
        let events = at_once(&[(add(0), Outcome::Done), (add(1), Outcome::Done)]);
        let is = |members: &[u8]| {
            is_explained(
                &things(team, thing(&[], &[])),
                &events,
                &things(team, thing(&[], members)),
                Reading::Exact,
            )
        };
        assert!(is(&[0, 1]) && !is(&[0]) && !is(&[]));

        let delete = Step::Delete { who: ann, condition: Condition::None };
        let before = things(ann, thing(&[("title", "a")], &[]));
        let gone = things(ann, Thing { alive: false, ..thing(&[("title", "a")], &[]) });
        let twice = at_once(&[(delete.clone(), Outcome::Done), (delete.clone(), Outcome::Done)]);
        assert!(!is_explained(&before, &twice, &gone, Reading::Exact));
        assert!(is_explained(&before, &twice, &gone, Reading::Suffering));
        let set = patch(ann, Change::Set("title".to_owned(), json!("b")));
        let both = at_once(&[(delete, Outcome::Done), (set, Outcome::Done)]);
        assert!(is_explained(&before, &both, &gone, Reading::Exact));
        assert!(!is_explained(&before, &both, &things(ann, thing(&[("title", "b")], &[])), Reading::Exact));

        let put = |title: &str| Step::Replace {
            who: ann,
            key: None,
            body: Attributes::from([("title".to_owned(), json!(title))]),
            members: None,
            whole: true,
            condition: Condition::Fresh,
        };
        let after = things(ann, thing(&[("title", "c")], &[]));
        let of = |second| at_once(&[(put("b"), second), (put("c"), Outcome::Done)]);
        assert!(is_explained(&before, &of(Outcome::Refused(412)), &after, Reading::Exact));
        assert!(!is_explained(&before, &of(Outcome::Done), &after, Reading::Exact));
        // A write that changes nothing may leave the version as it is.
        let idle = patch(ann, Change::Set("title".to_owned(), json!("a")));
        let events = at_once(&[(idle, Outcome::Done), (put("c"), Outcome::Done)]);
        assert!(is_explained(&before, &events, &after, Reading::Exact));
    }

    #[test]
    fn a_put_may_keep_what_it_leaves_out_and_nothing_else() {
        let ann = Var::user(0);
        let before = things(
            ann,
            Thing {
                values: [("title", Some(json!("a"))), ("nickName", Some(Value::Null))]
                    .map(|(name, value)| (name.to_owned(), value))
                    .into(),
                at_first: [("title", Some(json!("a"))), ("nickName", Some(Value::Null))]
                    .map(|(name, value)| (name.to_owned(), value))
                    .into(),
                ..thing(&[], &[])
            },
        );
        let put = Step::Replace {
            who: ann,
            key: None,
            body: Attributes::new(),
            members: None,
            whole: true,
            condition: Condition::None,
        };
        // One client changes both, and puts back what it read when it began.
        let set = |name: &str| patch(ann, Change::Set(name.to_owned(), json!("b")));
        let mut events =
            at_once(&[(set("title"), Outcome::Done), (set("nickName"), Outcome::Done), (put, Outcome::Done)]);
        events[2].begun = events[1].ended + Duration::from_millis(1);
        events[2].ended = events[2].begun + Duration::from_millis(1);
        let is = |title: &str, nick: Value, reading| {
            let values = [("title".to_owned(), Some(json!(title))), ("nickName".to_owned(), Some(nick))];
            let after = things(ann, Thing { values: values.into(), ..thing(&[], &[]) });
            is_explained(&before, &events, &after, reading)
        };
        assert!(is("a", Value::Null, Reading::Exact));
        assert!(!is("a", json!("b"), Reading::Exact) && is("a", json!("b"), Reading::Keeping));
        assert!(!is("b", json!("b"), Reading::Keeping) && !is("b", Value::Null, Reading::Keeping));
    }

    #[test]
    fn one_of_two_creates_of_a_name_succeeds() {
        let (ann, bob) = (Var::user(0), Var::user(1));
        let create = |who| Step::Create { who, key: 0, body: Attributes::new(), members: BTreeSet::new() };
        let none = Things { things: [(ann, Thing::default()), (bob, Thing::default())].into() };
        let with = |alive: [bool; 2]| {
            let of = |alive| Thing { alive, ..Thing::default() };
            Things { things: [(ann, of(alive[0])), (bob, of(alive[1]))].into() }
        };
        let is = |outcomes: [Outcome; 2], alive: [bool; 2]| {
            let events = at_once(&[(create(ann), outcomes[0]), (create(bob), outcomes[1])]);
            is_explained(&none, &events, &with(alive), Reading::Exact)
        };
        assert!(is([Outcome::Done, Outcome::Refused(409)], [true, false]));
        assert!(!is([Outcome::Done, Outcome::Done], [true, true]));
        assert!(!is([Outcome::Refused(409), Outcome::Refused(409)], [false, false]));
        assert!(!is([Outcome::Done, Outcome::Refused(409)], [false, false]));
    }
}
