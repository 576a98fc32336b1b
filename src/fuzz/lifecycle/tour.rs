//! The first tour: short sequences that go through every transition once, before anything is left to chance.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::ground::Ground;
use super::step::{Attributes, Change, Condition, Key, Kind, Sequence, Step, Var, in_other_letters};
use crate::fuzz::strategy::data::MARK;

const ANN: Var = Var::user(0);
const BOB: Var = Var::user(1);
const CID: Var = Var::user(2);
const TEAM: Var = Var::group(0);
const CREW: Var = Var::group(1);

/// Attributes that races change: plain ones, of which each is written by a client of its own.
const RACED: [&str; 4] = ["title", "nickName", "userType", "displayName"];

/// A create.
pub fn create(who: Var, key: Key, body: Attributes) -> Step {
    Step::Create { who, key, body, members: BTreeSet::new() }
}

/// A create of a group.
pub fn create_group(who: Var, key: Key, members: &[Var]) -> Step {
    Step::Create { who, key, body: Attributes::new(), members: members.iter().copied().collect() }
}

/// A PATCH.
pub fn patch(who: Var, changes: Vec<Change>) -> Step {
    Step::Patch { who, changes, condition: Condition::None }
}

/// A DELETE.
pub fn delete(who: Var) -> Step {
    Step::Delete { who, condition: Condition::None }
}

/// A PUT.
pub fn replace(who: Var, body: Attributes) -> Step {
    Step::Replace { who, key: None, body, members: None, whole: false, condition: Condition::None }
}

fn read(who: Var) -> Step {
    Step::Read { who }
}

fn find(kind: Kind, key: Key) -> Step {
    Step::Find { kind, key, folded: false }
}

/// The sequences for what a service provider has.
pub fn tour(ground: &Ground) -> Vec<Sequence> {
    let maker = Maker { ground };
    let mut all = vec![maker.life(), maker.names(), maker.deletion(), maker.replacement()];
    if ground.patch {
        all.push(maker.patches());
    }
    all.extend([maker.activity(), maker.renames(), maker.copies(), maker.nameless(), maker.secrets()]);
    all.push(maker.times());
    if ground.etag {
        all.extend(maker.versions());
    }
    if ground.group.is_some() {
        all.extend(maker.groups());
    }
    for sequence in &mut all {
        sequence.retain(|step| maker.is_possible(step));
    }
    all.retain(|sequence| sequence.len() > 1);
    all
}

/// Races between clients, each after what it needs.
pub fn races(ground: &Ground, clients: usize) -> Vec<Sequence> {
    let maker = Maker { ground };
    let users = || [create(ANN, 0, Attributes::new()), create(BOB, 1, Attributes::new())];
    let at_once = |lanes: Vec<Step>| Step::AtOnce {
        lanes: lanes.into_iter().take(clients.max(2)).map(|step| vec![step]).collect(),
    };
    let mut all: Vec<Sequence> = vec![vec![at_once(
        users()
            .map(|step| match step {
                Step::Create { who, body, members, .. } => Step::Create { who, key: 0, body, members },
                other => other,
            })
            .to_vec(),
    )]];
    let plain: Vec<(&str, &Value)> = RACED
        .iter()
        .filter_map(|name| ground.tint(name).filter(|it| it.is_single))
        .filter_map(|tint| Some((tint.name.as_str(), tint.values.first()?)))
        .collect();
    let set =
        |(name, value): &(&str, &Value)| patch(ANN, vec![Change::Set((*name).to_owned(), (*value).clone())]);
    let ann = || create(ANN, 0, Attributes::new());
    if ground.patch && plain.len() > 1 {
        all.push(vec![ann(), at_once(plain.iter().map(set).collect())]);
    }
    if ground.group.is_some() && ground.patch {
        let [ann, bob] = users();
        let add = |who| patch(TEAM, vec![Change::AddMember(who)]);
        let remove = |who| patch(TEAM, vec![Change::RemoveMember(who)]);
        all.push(vec![ann, bob, create_group(TEAM, 0, &[]), at_once(vec![add(ANN), add(BOB)])]);
        let [ann, bob] = users();
        all.push(vec![ann, bob, create_group(TEAM, 0, &[ANN]), at_once(vec![remove(ANN), add(BOB)])]);
    }
    if ground.etag
        && let Some(tint) = ground.tint("title").or_else(|| ground.tint("nickName"))
    {
        let put = |value: &Value| Step::Replace {
            who: ANN,
            key: None,
            body: Attributes::from([(tint.name.clone(), value.clone())]),
            members: None,
            whole: true,
            condition: Condition::Fresh,
        };
        all.push(vec![ann(), at_once(tint.values.iter().map(put).collect())]);
    }
    if let (true, Some(first)) = (ground.patch, plain.first()) {
        all.push(vec![ann(), at_once(vec![delete(ANN), set(first)])]);
    }
    all.push(vec![ann(), at_once(vec![delete(ANN), delete(ANN)])]);
    all.iter_mut().for_each(|sequence| sequence.retain(|step| maker.is_possible(step)));
    all
}

struct Maker<'a> {
    ground: &'a Ground,
}

impl Maker<'_> {
    /// Every attribute there is, with its first or its second value.
    fn full(&self, number: usize) -> Attributes {
        let tints = self.ground.tints.iter();
        tints.filter_map(|tint| Some((tint.name.clone(), tint.values.get(number)?.clone()))).collect()
    }

    fn value(&self, name: &str, number: usize) -> Option<(String, Value)> {
        let tint = self.ground.tint(name)?;
        Some((tint.name.clone(), tint.values.get(number)?.clone()))
    }

    fn with(&self, name: &str, number: usize) -> Attributes {
        self.value(name, number).into_iter().collect()
    }

    /// Whether the service provider has what the step needs.
    fn is_possible(&self, step: &Step) -> bool {
        let ground = self.ground;
        let renames = |who: &Var| ground.renames(who.kind);
        match step {
            Step::Replace { who, key, condition, .. } => {
                (key.is_none() || renames(who)) && (ground.etag || *condition == Condition::None)
            }
            Step::Patch { who, changes, condition } => {
                ground.patch
                    && !changes.is_empty()
                    && (!changes.iter().any(|it| matches!(it, Change::Rename(_))) || renames(who))
                    && (ground.etag || *condition == Condition::None)
            }
            Step::Delete { condition, .. } => ground.etag || *condition == Condition::None,
            Step::Find { .. } | Step::Count { .. } => ground.filter,
            Step::List { .. } => ground.lists,
            _ => true,
        }
    }

    fn set(&self, name: &str, number: usize) -> Vec<Change> {
        self.value(name, number).map(|(name, value)| Change::Set(name, value)).into_iter().collect()
    }

    fn life(&self) -> Sequence {
        vec![
            create(ANN, 0, self.full(0)),
            find(Kind::User, 0),
            Step::Find { kind: Kind::User, key: 0, folded: true },
            Step::Count { kind: Kind::User },
            Step::List { kind: Kind::User },
            delete(ANN),
        ]
    }

    fn names(&self) -> Sequence {
        let twin = |key| create(BOB, key, self.with("title", 1));
        let folded = self.ground.folds.then(|| twin(in_other_letters(0)));
        let mut steps = vec![create(ANN, 0, self.with("title", 0)), twin(0)];
        steps.extend(folded);
        steps.extend([
            read(ANN),
            find(Kind::User, 0),
            Step::Count { kind: Kind::User },
            twin(1),
            read(ANN),
            delete(ANN),
            create(ANN, 0, Attributes::new()),
            read(BOB),
        ]);
        steps
    }

    fn deletion(&self) -> Sequence {
        vec![
            create(ANN, 0, self.with("title", 0)),
            create(BOB, 1, Attributes::new()),
            delete(ANN),
            find(Kind::User, 0),
            Step::List { kind: Kind::User },
            Step::Count { kind: Kind::User },
            replace(ANN, self.with("title", 1)),
            patch(ANN, self.set("title", 1)),
            delete(ANN),
            create(ANN, 0, self.with("title", 1)),
            read(BOB),
        ]
    }

    fn replacement(&self) -> Sequence {
        // What is taken away is null, or an empty list.
        let emptied = |name: &&str| self.ground.tint(name).is_some_and(|tint| tint.is_removable);
        let nothing = |name: &str| match name {
            "emails" => (name.to_owned(), json!([])),
            _ => (name.to_owned(), Value::Null),
        };
        let cleared: Attributes =
            ["title", "nickName", "emails"].into_iter().filter(emptied).map(nothing).collect();
        vec![
            create(ANN, 0, self.full(0)),
            replace(ANN, self.full(1)),
            replace(ANN, self.with("title", 0)),
            replace_whole(ANN, self.with("nickName", 1)),
            replace_whole(ANN, cleared),
            replace(ANN, Attributes::new()),
        ]
    }

    /// A resource that was copied from somewhere, with what only the service provider writes.
    fn copies(&self) -> Sequence {
        let copied = Attributes::from([
            ("id".to_owned(), json!(format!("{MARK}-own"))),
            ("meta".to_owned(), json!({"resourceType": "User", "created": "2001-02-03T04:05:06Z"})),
            ("groups".to_owned(), json!([{"display": format!("{MARK} nobody")}])),
        ]);
        vec![create(ANN, 0, copied), read(ANN)]
    }

    /// A PUT without the name that every user has.
    fn nameless(&self) -> Sequence {
        let mut body = self.with("title", 1);
        body.insert(Kind::User.name_attribute().to_owned(), Value::Null);
        vec![create(ANN, 0, self.with("title", 0)), replace(ANN, body), read(ANN)]
    }

    /// A password is not read, so nobody can send it again.
    fn secrets(&self) -> Sequence {
        if !self.ground.password {
            return Vec::new();
        }
        let secret = Attributes::from([("password".to_owned(), json!(format!("t7#Kd.{MARK}.Wq2")))]);
        vec![create(ANN, 0, secret), replace_whole(ANN, self.with("title", 1))]
    }

    /// Changes that a clock can tell from the creation.
    fn times(&self) -> Sequence {
        vec![
            create(ANN, 0, self.with("title", 0)),
            create(BOB, 1, self.with("title", 0)),
            Step::Pause,
            replace_whole(ANN, self.with("title", 1)),
            patch(BOB, self.set("title", 1)),
        ]
    }

    fn patches(&self) -> Sequence {
        let mut several = self.set("title", 0);
        several.extend(self.set("nickName", 1));
        let mut spoiled = self.set("title", 1);
        spoiled.push(Change::Spoil);
        let together: Attributes =
            [self.value("title", 1), self.value("displayName", 0)].into_iter().flatten().collect();
        let add = |name: &str, number| {
            self.value(name, number).map(|(name, value)| Change::Add(name, value)).into_iter().collect()
        };
        let removed = self.ground.tint("title").filter(|it| it.is_removable);
        let remove: Vec<Change> = removed.map(|tint| Change::Remove(tint.name.clone())).into_iter().collect();
        vec![
            create(ANN, 0, self.with("name", 0)),
            patch(ANN, self.set("title", 0)),
            patch(ANN, add("nickName", 0)),
            patch(ANN, spoiled),
            patch(ANN, remove),
            patch(ANN, if together.is_empty() { Vec::new() } else { vec![Change::SetAll(together)] }),
            patch(ANN, several),
            patch(ANN, self.set("name", 1)),
            patch(ANN, add("emails", 0)),
            patch(ANN, self.set("externalId", 0)),
            patch(
                ANN,
                self.set(crate::scim::names::ENTERPRISE_USER, 0).into_iter().map(Change::within).collect(),
            ),
        ]
    }

    fn activity(&self) -> Sequence {
        if self.ground.tint("active").is_none() {
            return Vec::new();
        }
        let by_put = |number| Step::Replace {
            who: ANN,
            key: None,
            body: self.with("active", number),
            members: None,
            whole: true,
            condition: Condition::None,
        };
        let mut leaver = self.full(0);
        leaver.extend(self.with("active", 1));
        vec![
            create(ANN, 0, self.full(0)),
            patch(ANN, self.set("active", 1)),
            find(Kind::User, 0),
            patch(ANN, self.set("title", 1)),
            patch(ANN, self.set("active", 0)),
            by_put(1),
            by_put(0),
            delete(ANN),
            create(BOB, 1, leaver),
        ]
    }

    fn renames(&self) -> Sequence {
        let put = |key| Step::Replace {
            who: ANN,
            key: Some(key),
            body: self.with("title", 0),
            members: None,
            whole: false,
            condition: Condition::None,
        };
        if !self.ground.renames_users {
            return Vec::new();
        }
        vec![
            create(ANN, 0, Attributes::new()),
            create(BOB, 1, Attributes::new()),
            put(1),
            patch(ANN, vec![Change::Rename(1)]),
            read(BOB),
            patch(ANN, vec![Change::Rename(2)]),
            find(Kind::User, 0),
            find(Kind::User, 2),
            create(Var::user(2), 0, Attributes::new()),
            put(3),
            find(Kind::User, 2),
            find(Kind::User, 3),
        ]
    }

    fn versions(&self) -> Vec<Sequence> {
        let under = |step: Step, condition| match step {
            Step::Replace { who, key, body, members, .. } => {
                Step::Replace { who, key, body, members, whole: true, condition }
            }
            Step::Patch { who, changes, .. } => Step::Patch { who, changes, condition },
            Step::Delete { who, .. } => Step::Delete { who, condition },
            other => other,
        };
        let put = |number| replace(ANN, self.with("title", number));
        vec![
            vec![
                create(ANN, 0, self.with("title", 0)),
                under(put(1), Condition::Fresh),
                under(put(0), Condition::Stale),
                under(patch(ANN, self.set("nickName", 0)), Condition::Fresh),
                under(patch(ANN, self.set("nickName", 1)), Condition::Stale),
                under(delete(ANN), Condition::Fresh),
            ],
            vec![
                create(ANN, 0, self.with("title", 0)),
                put(1),
                under(delete(ANN), Condition::Stale),
                under(delete(ANN), Condition::Fresh),
            ],
        ]
    }

    fn groups(&self) -> Vec<Sequence> {
        let users = || [create(ANN, 0, Attributes::new()), create(BOB, 1, Attributes::new())];
        let put = |key: Option<Key>, members: Option<&[Var]>| Step::Replace {
            who: TEAM,
            key,
            body: Attributes::new(),
            members: members.map(|it| it.iter().copied().collect()),
            whole: false,
            condition: Condition::None,
        };
        let add = |who| patch(TEAM, vec![Change::AddMember(who)]);
        let remove = |who| patch(TEAM, vec![Change::RemoveMember(who)]);
        let [ann, bob] = users();
        let by_patch = vec![
            ann,
            bob,
            create_group(TEAM, 0, &[ANN]),
            read(ANN),
            Step::Count { kind: Kind::Group },
            add(BOB),
            read(BOB),
            add(BOB),
            remove(ANN),
            read(ANN),
            remove(ANN),
            patch(TEAM, vec![Change::Remove("members".to_owned())]),
            read(BOB),
        ];
        let [ann, bob] = users();
        let by_put = vec![
            ann,
            bob,
            create_group(TEAM, 0, &[]),
            put(None, Some(&[ANN])),
            put(None, Some(&[ANN, BOB])),
            read(ANN),
            replace_whole(ANN, self.with("title", 1)),
            put(None, Some(&[BOB])),
            read(ANN),
            put(Some(1), None),
            find(Kind::Group, 1),
        ];
        let [ann, bob] = users();
        let names = vec![
            ann,
            bob,
            create_group(TEAM, 0, &[ANN, BOB]),
            patch(TEAM, vec![Change::Rename(1)]),
            read(ANN),
            create_group(CREW, 0, &[ANN]),
            find(Kind::Group, 0),
            delete(TEAM),
            read(ANN),
            read(CREW),
            Step::List { kind: Kind::Group },
            create_group(TEAM, 1, &[]),
        ];
        let [ann, bob] = users();
        let death = vec![
            ann,
            bob,
            create_group(TEAM, 0, &[ANN, BOB]),
            delete(ANN),
            read(TEAM),
            remove(BOB),
            read(BOB),
            delete(TEAM),
            delete(TEAM),
            read(BOB),
        ];
        let [ann, bob] = users();
        let crowd = vec![
            ann,
            bob,
            create(CID, 2, Attributes::new()),
            create_group(TEAM, 0, &[]),
            patch(TEAM, vec![Change::AddMembers(BTreeSet::from([ANN, BOB, CID]))]),
            read(CID),
        ];
        // What a client read a while ago has groups that are not so any more.
        let left = match self.ground.patch {
            true => remove(ANN),
            false => put(None, Some(&[])),
        };
        let old = vec![
            create(ANN, 0, Attributes::new()),
            create_group(TEAM, 0, &[ANN]),
            read(ANN),
            left,
            replace_whole(ANN, Attributes::new()),
            read(ANN),
        ];
        vec![by_patch, old, by_put, names, death, crowd]
    }
}

fn replace_whole(who: Var, body: Attributes) -> Step {
    Step::Replace { who, key: None, body, members: None, whole: true, condition: Condition::None }
}

#[cfg(test)]
mod tests {
    use super::super::ground::testing::ground;
    use super::*;

    #[test]
    fn the_tour_has_every_kind_of_step_and_what_is_not_there_is_left_out() {
        let all = tour(&ground());
        let words: BTreeSet<&str> = all.iter().flatten().map(Step::word).collect();
        assert_eq!(
            words,
            ["count", "create", "delete", "find", "list", "patch", "pause", "read", "replace"].into()
        );
        assert!(all.len() >= 12 && all.iter().all(|it| it.len() <= 14), "{}", all.len());
        let poor = Ground { patch: false, etag: false, filter: false, group: None, ..ground() };
        let words: BTreeSet<&str> = tour(&poor).iter().flatten().map(Step::word).collect();
        assert_eq!(words, ["create", "delete", "list", "pause", "read", "replace"].into());
        assert_eq!(races(&ground(), 4).len(), 7);
        assert_eq!(races(&poor, 4).len(), 2);
    }
}
