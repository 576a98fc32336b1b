//! Sequences of steps over few resources and few names, so that they meet: names collide, what is deleted is used again,
//! and what is there is added once more.

use std::collections::BTreeSet;

use proptest::collection::{btree_set, vec};
use proptest::option;
use proptest::prelude::*;
use proptest::sample::{select, subsequence};

use crate::fuzz::lifecycle::ground::{Ground, Tint};
use crate::fuzz::lifecycle::step::{
    Attributes, Change, Condition, Key, Kind, Sequence, Step, Var, in_other_letters,
};

/// How many users there are.
const USERS: u8 = 3;
/// How many groups there are.
const GROUPS: u8 = 2;
/// How many names there are of each type.
const KEYS: u8 = 3;
/// The most steps of a sequence.
pub const LONGEST: usize = 40;

/// The kinds of step that are left out, since what is wrong with them is known: the words of steps.
pub type Avoided = BTreeSet<&'static str>;

/// Sequences for a service provider. With `clients` above 1, some steps are several clients at once.
pub fn sequences(ground: &Ground, avoided: &Avoided, clients: usize) -> BoxedStrategy<Sequence> {
    let users: Vec<Var> = (0..USERS).map(Var::user).collect();
    let groups: Vec<Var> = match ground.group {
        Some(_) => (0..GROUPS).map(Var::group).collect(),
        None => Vec::new(),
    };
    let maker = Maker { ground: ground.clone(), users, groups };
    let births = maker.births();
    let rest = vec(maker.step(avoided, clients), 6..LONGEST - 6);
    let closing = maker.closing();
    (births, rest)
        .prop_map(move |(births, rest)| {
            births.into_iter().chain(rest).chain(closing.clone()).take(LONGEST).collect()
        })
        .boxed()
}

/// A part of the attributes, each with one of its values.
pub fn bodies(tints: &[Tint]) -> BoxedStrategy<Attributes> {
    if tints.is_empty() {
        return Just(Attributes::new()).boxed();
    }
    let all: Vec<Tint> = tints.to_vec();
    let most = all.len().min(4);
    subsequence(all, 0..=most)
        .prop_flat_map(|some| {
            let each: Vec<BoxedStrategy<(String, serde_json::Value)>> = some
                .into_iter()
                .map(|tint| select(tint.values).prop_map(move |value| (tint.name.clone(), value)).boxed())
                .collect();
            each
        })
        .prop_map(|all| all.into_iter().collect())
        .boxed()
}

struct Maker {
    ground: Ground,
    users: Vec<Var>,
    groups: Vec<Var>,
}

impl Maker {
    /// What stands at the beginning, so that there is something to do something with.
    fn births(&self) -> BoxedStrategy<Sequence> {
        let has_group = !self.groups.is_empty();
        (bodies(&self.ground.tints), bodies(&self.ground.tints))
            .prop_map(move |(one, other)| {
                let create = |number, body| Step::Create {
                    who: Var::user(number),
                    key: number,
                    body,
                    members: BTreeSet::new(),
                };
                let group = Step::Create {
                    who: Var::group(0),
                    key: 0,
                    body: Attributes::new(),
                    members: BTreeSet::from([Var::user(0)]),
                };
                let groups = has_group.then_some(group);
                [create(0, one), create(1, other)].into_iter().chain(groups).collect()
            })
            .boxed()
    }

    /// A look at everything.
    fn closing(&self) -> Sequence {
        let all = self.users.iter().chain(&self.groups);
        let reads = all.map(|who| Step::Read { who: *who });
        let counts = [Kind::User, Kind::Group]
            .into_iter()
            .filter(|kind| self.ground.filter && (*kind == Kind::User || !self.groups.is_empty()));
        reads.chain(counts.map(|kind| Step::Count { kind })).collect()
    }

    fn condition(&self) -> BoxedStrategy<Condition> {
        match self.ground.etag {
            true => prop_oneof![
                5 => Just(Condition::None),
                2 => Just(Condition::Fresh),
                1 => Just(Condition::Stale),
            ]
            .boxed(),
            false => Just(Condition::None).boxed(),
        }
    }

    /// The name of a new user: now and then in other letters, where these do not make another name of it.
    fn user_name(&self) -> BoxedStrategy<Key> {
        match self.ground.folds {
            true => prop_oneof![5 => 0..KEYS, 1 => (0..KEYS).prop_map(in_other_letters)].boxed(),
            false => (0..KEYS).boxed(),
        }
    }

    fn members(&self) -> BoxedStrategy<BTreeSet<Var>> {
        btree_set(select(self.users.clone()), 0..=self.users.len()).boxed()
    }

    /// Who, users more often than groups.
    fn anybody(&self) -> BoxedStrategy<Var> {
        match self.groups.is_empty() {
            true => select(self.users.clone()).boxed(),
            false => prop_oneof![2 => select(self.users.clone()), 1 => select(self.groups.clone())].boxed(),
        }
    }

    fn change(&self) -> BoxedStrategy<Change> {
        let tints = self.ground.tints.clone();
        let mut all: Vec<(u32, BoxedStrategy<Change>)> = Vec::new();
        let of =
            |wanted: fn(&Tint) -> bool| tints.iter().filter(|tint| wanted(tint)).cloned().collect::<Vec<_>>();
        let any = of(|tint| !tint.name.starts_with("urn:"));
        if !any.is_empty() {
            let tint = select(any.clone());
            let set = tint.prop_flat_map(|tint| {
                select(tint.values).prop_map(move |value| Change::Set(tint.name.clone(), value))
            });
            all.push((5, set.boxed()));
            all.push((
                2,
                bodies(&any).prop_filter("nothing", |it| !it.is_empty()).prop_map(Change::SetAll).boxed(),
            ));
        }
        let single = of(|tint| tint.is_single);
        if !single.is_empty() {
            let add = select(single).prop_flat_map(|tint| {
                select(tint.values).prop_map(move |value| Change::Add(tint.name.clone(), value))
            });
            all.push((2, add.boxed()));
        }
        let removable = of(|tint| tint.is_removable);
        if !removable.is_empty() {
            all.push((1, select(removable).prop_map(|tint| Change::Remove(tint.name)).boxed()));
        }
        if self.ground.renames_users {
            all.push((1, (0..KEYS).prop_map(Change::Rename).boxed()));
        }
        all.push((1, Just(Change::Spoil).boxed()));
        proptest::strategy::Union::new_weighted(all).boxed()
    }

    /// Changes of one PATCH. Each attribute stands in one of them only, so that what comes of them is certain.
    fn changes(&self) -> BoxedStrategy<Vec<Change>> {
        vec(self.change(), 1..=3).prop_map(distinct).boxed()
    }

    fn membership(&self) -> BoxedStrategy<Change> {
        let who = select(self.users.clone());
        let mut all = vec![
            (3, who.clone().prop_map(Change::AddMember).boxed()),
            (2, who.prop_map(Change::RemoveMember).boxed()),
            (
                1,
                btree_set(select(self.users.clone()), 2..=self.users.len())
                    .prop_map(Change::AddMembers)
                    .boxed(),
            ),
        ];
        if self.ground.renames_groups {
            all.push((1, (0..KEYS).prop_map(Change::Rename).boxed()));
        }
        proptest::strategy::Union::new_weighted(all).boxed()
    }

    fn user_patch(&self) -> BoxedStrategy<Step> {
        (select(self.users.clone()), self.changes(), self.condition())
            .prop_map(|(who, changes, condition)| Step::Patch { who, changes, condition })
            .boxed()
    }

    fn user_replace(&self) -> BoxedStrategy<Step> {
        let key = match self.ground.renames_users {
            true => option::weighted(0.25, 0..KEYS).boxed(),
            false => Just(None).boxed(),
        };
        (select(self.users.clone()), key, bodies(&self.ground.tints), any::<bool>(), self.condition())
            .prop_map(|(who, key, body, whole, condition)| Step::Replace {
                who,
                key,
                body,
                members: None,
                whole,
                condition,
            })
            .boxed()
    }

    fn delete(&self) -> BoxedStrategy<Step> {
        (self.anybody(), self.condition())
            .prop_map(|(who, condition)| Step::Delete { who, condition })
            .boxed()
    }

    fn step(&self, avoided: &Avoided, clients: usize) -> BoxedStrategy<Step> {
        let ground = &self.ground;
        let mut all: Vec<(&'static str, u32, BoxedStrategy<Step>)> = vec![
            (
                "create",
                4,
                (select(self.users.clone()), self.user_name(), bodies(&ground.tints))
                    .prop_map(|(who, key, body)| Step::Create { who, key, body, members: BTreeSet::new() })
                    .boxed(),
            ),
            ("replace", 4, self.user_replace()),
            ("delete", 3, self.delete()),
            ("read", 3, self.anybody().prop_map(|who| Step::Read { who }).boxed()),
        ];
        if ground.patch {
            all.push(("patch", 5, self.user_patch()));
        }
        let kinds = match self.groups.is_empty() {
            true => vec![Kind::User],
            false => vec![Kind::User, Kind::User, Kind::Group],
        };
        if ground.filter {
            let find = (select(kinds.clone()), 0..KEYS, any::<bool>())
                .prop_map(|(kind, key, folded)| Step::Find { kind, key, folded });
            all.push(("find", 3, find.boxed()));
            all.push(("count", 1, select(kinds.clone()).prop_map(|kind| Step::Count { kind }).boxed()));
        }
        if ground.lists {
            all.push(("list", 1, select(kinds).prop_map(|kind| Step::List { kind }).boxed()));
        }
        if !self.groups.is_empty() {
            let group = select(self.groups.clone());
            let create = (group.clone(), 0..KEYS, self.members())
                .prop_map(|(who, key, members)| Step::Create { who, key, body: Attributes::new(), members });
            all.push(("create", 2, create.boxed()));
            let key = match ground.renames_groups {
                true => option::weighted(0.3, 0..KEYS).boxed(),
                false => Just(None).boxed(),
            };
            let replace = (group.clone(), key, option::of(self.members()), any::<bool>(), self.condition())
                .prop_map(|(who, key, members, whole, condition)| Step::Replace {
                    who,
                    key,
                    body: Attributes::new(),
                    members,
                    whole,
                    condition,
                });
            all.push(("replace", 2, replace.boxed()));
            if ground.patch {
                let patch = (group, vec(self.membership(), 1..=2), self.condition()).prop_map(
                    |(who, changes, condition)| Step::Patch { who, changes: distinct(changes), condition },
                );
                all.push(("patch", 4, patch.boxed()));
            }
        }
        if clients > 1 {
            all.push(("race", 2, self.race(clients)));
        }
        let left: Vec<(u32, BoxedStrategy<Step>)> = all
            .into_iter()
            .filter(|(word, _, _)| !avoided.contains(word))
            .map(|(_, weight, strategy)| (weight, strategy))
            .collect();
        match left.is_empty() {
            true => Just(Step::Read { who: Var::user(0) }).boxed(),
            false => proptest::strategy::Union::new_weighted(left).boxed(),
        }
    }

    /// Several clients at one resource.
    fn race(&self, clients: usize) -> BoxedStrategy<Step> {
        let ground = &self.ground;
        let single: Vec<Tint> = ["title", "nickName", "userType"]
            .iter()
            .filter_map(|name| ground.tint(name).filter(|tint| tint.is_single).cloned())
            .collect();
        let most = clients.clamp(2, 4);
        let of_user = |who: Var| {
            let mut all: Vec<(u32, BoxedStrategy<Step>)> =
                vec![(1, Just(Step::Delete { who, condition: Condition::None }).boxed())];
            if !single.is_empty() {
                let value = select(single.clone()).prop_flat_map(|tint| {
                    select(tint.values).prop_map(move |value| (tint.name.clone(), value))
                });
                if ground.patch {
                    let patch = value.clone().prop_map(move |(name, value)| Step::Patch {
                        who,
                        changes: vec![Change::Set(name, value)],
                        condition: Condition::None,
                    });
                    all.push((6, patch.boxed()));
                }
                let condition = match ground.etag {
                    true => select(vec![Condition::None, Condition::Fresh]).boxed(),
                    false => Just(Condition::None).boxed(),
                };
                let put = (value, condition).prop_map(move |((name, value), condition)| Step::Replace {
                    who,
                    key: None,
                    body: Attributes::from([(name, value)]),
                    members: None,
                    whole: true,
                    condition,
                });
                all.push((3, put.boxed()));
            }
            proptest::strategy::Union::new_weighted(all).boxed()
        };
        let mut kinds: Vec<(u32, BoxedStrategy<Step>)> = Vec::new();
        for who in &self.users {
            let lanes = vec(vec(of_user(*who), 1..=2), 2..=most);
            kinds.push((1, lanes.prop_map(|lanes| Step::AtOnce { lanes }).boxed()));
        }
        if ground.patch {
            for who in self.groups.iter().copied() {
                let users = select(self.users.clone());
                let change = prop_oneof![
                    2 => users.clone().prop_map(Change::AddMember),
                    1 => users.prop_map(Change::RemoveMember),
                ];
                let step = change.prop_map(move |change| Step::Patch {
                    who,
                    changes: vec![change],
                    condition: Condition::None,
                });
                let lanes = vec(vec(step, 1..=2), 2..=most);
                kinds.push((1, lanes.prop_map(|lanes| Step::AtOnce { lanes }).boxed()));
            }
        }
        proptest::strategy::Union::new_weighted(kinds).boxed()
    }
}

/// Without changes of what another one is about, too.
fn distinct(changes: Vec<Change>) -> Vec<Change> {
    let mut seen: BTreeSet<String> = BTreeSet::new();
    let names = |change: &Change| -> Vec<String> {
        match change {
            Change::Set(name, _) | Change::Add(name, _) | Change::Remove(name) => vec![name.clone()],
            Change::SetAll(all) => all.keys().cloned().collect(),
            Change::Rename(_) | Change::Spoil => vec!["the name".to_owned()],
            Change::AddMember(_) | Change::AddMembers(_) | Change::RemoveMember(_) => {
                change.members().iter().map(ToString::to_string).collect()
            }
        }
    };
    changes
        .into_iter()
        .filter(|change| {
            let names = names(change);
            let is_new = names.iter().all(|name| !seen.contains(name));
            seen.extend(names);
            is_new
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fuzz::dice::Dice;
    use crate::fuzz::lifecycle::ground::testing::ground;

    #[test]
    fn sequences_are_bounded_and_keep_to_what_there_is() {
        let mut dice = Dice::new(1, "lifecycle");
        let poor = Ground { patch: false, etag: false, filter: false, lists: false, group: None, ..ground() };
        let mut words: BTreeSet<&str> = BTreeSet::new();
        for _ in 0..30 {
            let steps = dice.draw(&sequences(&ground(), &Avoided::new(), 4)).unwrap();
            assert!(steps.len() <= LONGEST && steps.len() > 8);
            words.extend(steps.iter().map(Step::word));
            let steps = dice.draw(&sequences(&poor, &Avoided::from(["delete"]), 1)).unwrap();
            assert!(
                steps.iter().all(|step| ["create", "replace", "read"].contains(&step.word())),
                "{steps:?}"
            );
            assert!(steps.iter().flat_map(Step::vars).all(|who| who.kind == Kind::User));
        }
        assert_eq!(words.len(), 9, "{words:?}");
    }
}
