//! The steps of a lifecycle: what is done to which resource, by symbolic names. What stands behind a name is known only
//! while a sequence is played, so that a sequence means the same in every name space, and stays one when steps go.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// A resource type that lifecycles are of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// Users.
    User,
    /// Groups.
    Group,
}

impl Kind {
    /// The attribute that names a resource for people.
    pub fn name_attribute(self) -> &'static str {
        match self {
            Kind::User => "userName",
            Kind::Group => "displayName",
        }
    }

    /// The word for one of them.
    pub fn noun(self) -> &'static str {
        match self {
            Kind::User => "user",
            Kind::Group => "group",
        }
    }

    /// The name of the resource type.
    pub fn resource_type(self) -> &'static str {
        match self {
            Kind::User => "User",
            Kind::Group => "Group",
        }
    }
}

/// A resource by its symbolic name. Several resources may bear it one after the other: when one is deleted, the next
/// create under the same name takes its place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Var {
    /// Of which type.
    pub kind: Kind,
    /// Which one.
    pub number: u8,
}

impl Var {
    /// A user.
    pub const fn user(number: u8) -> Var {
        Var { kind: Kind::User, number }
    }

    /// A group.
    pub const fn group(number: u8) -> Var {
        Var { kind: Kind::Group, number }
    }
}

impl fmt::Display for Var {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const USERS: [&str; 4] = ["ann", "bob", "cid", "dot"];
        const GROUPS: [&str; 3] = ["team", "crew", "band"];
        let names: &[&str] = match self.kind {
            Kind::User => &USERS,
            Kind::Group => &GROUPS,
        };
        match names.get(usize::from(self.number)) {
            Some(name) => f.write_str(name),
            None => write!(f, "{}{}", self.kind.noun(), self.number),
        }
    }
}

/// One of few names (`userName`, `displayName` of a group), so that they collide.
pub type Key = u8;

/// The word that stands for a name.
pub fn key_word(key: Key) -> String {
    const WORDS: [&str; 4] = ["amber", "birch", "cedar", "drift"];
    let key = plain(key);
    WORDS.get(usize::from(key)).map_or_else(|| format!("name{key}"), |word| (*word).to_owned())
}

/// What makes of a name the same one in other letters, which is as taken as the name itself where case does not count.
const OTHER_LETTERS: Key = 0x80;

/// The same name in other letters.
pub fn in_other_letters(key: Key) -> Key {
    key | OTHER_LETTERS
}

/// Whether it is a name in other letters.
pub fn has_other_letters(key: Key) -> bool {
    key & OTHER_LETTERS != 0
}

/// The name itself, whatever its letters.
pub fn plain(key: Key) -> Key {
    key & !OTHER_LETTERS
}

/// A name in quotes, for people.
fn named(key: Key) -> String {
    let letters = if has_other_letters(key) { " in other letters" } else { "" };
    format!("\"{}\"{letters}", key_word(key))
}

/// Attributes with their values, in the order in which they are sent.
pub type Attributes = BTreeMap<String, Value>;

/// What a write demands with `If-Match` (RFC 7644 §3.14).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Condition {
    /// Nothing.
    #[default]
    None,
    /// The version that was read last.
    Fresh,
    /// A version from before.
    Stale,
}

/// One operation of a PATCH.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Change {
    /// `replace` with a path.
    Set(String, Value),
    /// `add` with a path.
    Add(String, Value),
    /// `remove` with a path.
    Remove(String),
    /// `replace` without a path.
    SetAll(Attributes),
    /// `replace` of the name.
    Rename(Key),
    /// `add` of a member.
    AddMember(Var),
    /// `add` of several members at once.
    AddMembers(BTreeSet<Var>),
    /// `remove` of a member.
    RemoveMember(Var),
    /// `remove` of the name, which has to fail.
    Spoil,
}

/// A step.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Step {
    /// POST.
    #[serde(rename_all = "kebab-case")]
    Create {
        /// As whom it is known.
        who: Var,
        /// Its name.
        key: Key,
        /// What else it has.
        body: Attributes,
        /// The members of a group.
        members: BTreeSet<Var>,
    },
    /// PUT.
    #[serde(rename_all = "kebab-case")]
    Replace {
        /// Which one.
        who: Var,
        /// Another name, or the one that it has.
        key: Option<Key>,
        /// What it has from then on.
        body: Attributes,
        /// The members of a group, or those that it has.
        members: Option<BTreeSet<Var>>,
        /// Whether what was read is sent again, with these changes.
        whole: bool,
        /// What it demands.
        condition: Condition,
    },
    /// PATCH.
    #[serde(rename_all = "kebab-case")]
    Patch {
        /// Which one.
        who: Var,
        /// The operations.
        changes: Vec<Change>,
        /// What it demands.
        condition: Condition,
    },
    /// DELETE.
    #[serde(rename_all = "kebab-case")]
    Delete {
        /// Which one.
        who: Var,
        /// What it demands.
        condition: Condition,
    },
    /// GET.
    Read {
        /// Which one.
        who: Var,
    },
    /// A search by name.
    #[serde(rename_all = "kebab-case")]
    Find {
        /// Of which type.
        kind: Kind,
        /// By which name.
        key: Key,
        /// Whether the name is asked for in other letters.
        folded: bool,
    },
    /// A list without filter.
    List {
        /// Of which type.
        kind: Kind,
    },
    /// A search for all of this sequence, of which only the number counts.
    Count {
        /// Of which type.
        kind: Kind,
    },
    /// Nothing is done until a clock of the precision that `meta.lastModified` shows has moved.
    Pause,
    /// Several clients at once, each with its own steps: POST, PUT, PATCH and DELETE.
    AtOnce {
        /// What each of them does, one after the other.
        lanes: Vec<Vec<Step>>,
    },
}

/// What is done one after the other, in a name space of its own.
pub type Sequence = Vec<Step>;

impl Step {
    /// The version that it demands.
    pub fn condition(&self) -> Condition {
        match self {
            Step::Replace { condition, .. }
            | Step::Patch { condition, .. }
            | Step::Delete { condition, .. } => *condition,
            _ => Condition::None,
        }
    }

    /// The word for its kind, in names of causes.
    pub fn word(&self) -> &'static str {
        match self {
            Step::Create { .. } => "create",
            Step::Replace { .. } => "replace",
            Step::Patch { .. } => "patch",
            Step::Delete { .. } => "delete",
            Step::Read { .. } => "read",
            Step::Find { .. } => "find",
            Step::List { .. } => "list",
            Step::Count { .. } => "count",
            Step::Pause => "pause",
            Step::AtOnce { .. } => "race",
        }
    }

    /// The resources that it names.
    pub fn vars(&self) -> BTreeSet<Var> {
        match self {
            Step::Create { who, members, .. } => members.iter().copied().chain([*who]).collect(),
            Step::Replace { who, members, .. } => members.iter().flatten().copied().chain([*who]).collect(),
            Step::Patch { who, changes, .. } => {
                changes.iter().flat_map(Change::members).chain([*who]).collect()
            }
            Step::Delete { who, .. } | Step::Read { who } => BTreeSet::from([*who]),
            Step::Find { .. } | Step::List { .. } | Step::Count { .. } | Step::Pause => BTreeSet::new(),
            Step::AtOnce { lanes } => lanes.iter().flatten().flat_map(Step::vars).collect(),
        }
    }

    /// The names that it uses.
    pub fn keys(&self) -> BTreeSet<(Kind, Key)> {
        match self {
            Step::Create { who, key, .. } => BTreeSet::from([(who.kind, plain(*key))]),
            Step::Replace { who, key, .. } => key.iter().map(|key| (who.kind, plain(*key))).collect(),
            Step::Patch { who, changes, .. } => changes
                .iter()
                .filter_map(|change| match change {
                    Change::Rename(key) => Some((who.kind, plain(*key))),
                    _ => None,
                })
                .collect(),
            Step::Find { kind, key, .. } => BTreeSet::from([(*kind, *key)]),
            Step::AtOnce { lanes } => lanes.iter().flatten().flat_map(Step::keys).collect(),
            Step::Delete { .. }
            | Step::Read { .. }
            | Step::List { .. }
            | Step::Count { .. }
            | Step::Pause => BTreeSet::new(),
        }
    }

    /// Whether it only reads.
    pub fn only_reads(&self) -> bool {
        matches!(self, Step::Read { .. } | Step::Find { .. } | Step::List { .. } | Step::Count { .. })
    }

    /// How many requests it stands for beside those that look at what came of it.
    pub fn requests(&self) -> usize {
        match self {
            Step::AtOnce { lanes } => lanes.iter().map(Vec::len).sum(),
            Step::Pause => 0,
            _ => 1,
        }
    }

    /// How large it is, for the choice of the smaller one.
    pub fn size(&self) -> usize {
        let body = |body: &Attributes| body.values().map(|value| value.to_string().len() + 4).sum::<usize>();
        let conditions = |condition: &Condition| usize::from(*condition != Condition::None);
        match self {
            Step::Create { body: own, members, .. } => 2 + body(own) + members.len(),
            Step::Replace { body: own, members, key, whole, condition, .. } => {
                2 + body(own)
                    + members.as_ref().map_or(0, |it| 1 + it.len())
                    + usize::from(key.is_some())
                    + usize::from(*whole)
                    + conditions(condition)
            }
            Step::Patch { changes, condition, .. } => {
                1 + conditions(condition)
                    + changes
                        .iter()
                        .map(|change| match change {
                            Change::Set(_, value) | Change::Add(_, value) => 2 + value.to_string().len(),
                            Change::SetAll(all) => 2 + body(all),
                            Change::AddMembers(members) => 1 + members.len(),
                            _ => 2,
                        })
                        .sum::<usize>()
            }
            Step::AtOnce { lanes } => lanes.iter().flatten().map(|step| 1 + step.size()).sum(),
            Step::Delete { condition, .. } => 1 + conditions(condition),
            _ => 1,
        }
    }
}

fn listed(attributes: &Attributes) -> String {
    let plain: Map<String, Value> =
        attributes.iter().map(|(name, value)| (name.clone(), value.clone())).collect();
    Value::Object(plain).to_string()
}

fn people(members: &BTreeSet<Var>) -> String {
    members.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

impl Change {
    /// The members of a group that it is about.
    pub fn members(&self) -> BTreeSet<Var> {
        match self {
            Change::AddMember(member) | Change::RemoveMember(member) => BTreeSet::from([*member]),
            Change::AddMembers(members) => members.clone(),
            _ => BTreeSet::new(),
        }
    }

    /// Of an extension with one attribute, the change of that attribute.
    pub fn within(self) -> Change {
        match self {
            Change::Set(urn, Value::Object(members)) if urn.starts_with("urn:") && members.len() == 1 => {
                let mut members = members.into_iter();
                match members.next() {
                    Some((name, value)) => Change::Set(format!("{urn}:{name}"), value),
                    None => Change::Set(urn, Value::Object(Map::new())),
                }
            }
            other => other,
        }
    }
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Change::Set(path, value) => write!(f, "replace {path} by {value}"),
            Change::Add(path, value) => write!(f, "add {value} to {path}"),
            Change::Remove(path) => write!(f, "remove {path}"),
            Change::SetAll(all) => write!(f, "replace, without a path, by {}", listed(all)),
            Change::Rename(key) => write!(f, "replace the name by {}", named(*key)),
            Change::AddMember(member) => write!(f, "add the member {member}"),
            Change::AddMembers(members) => write!(f, "add the members {}", people(members)),
            Change::RemoveMember(member) => write!(f, "remove the member {member}"),
            Change::Spoil => f.write_str("remove the name, which is required"),
        }
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let condition = |condition: &Condition| match condition {
            Condition::None => "",
            Condition::Fresh => ", If-Match its version",
            Condition::Stale => ", If-Match an earlier version",
        };
        match self {
            Step::Create { who, key, body, members } => {
                write!(f, "create the {} {who}, named {}", who.kind.noun(), named(*key))?;
                if !body.is_empty() {
                    write!(f, ", with {}", listed(body))?;
                }
                if !members.is_empty() {
                    write!(f, ", members {}", people(members))?;
                }
                Ok(())
            }
            Step::Replace { who, key, body, members, whole, condition: demanded } => {
                write!(f, "PUT {who}")?;
                if *whole {
                    f.write_str(" as it was read")?;
                }
                if let Some(key) = key {
                    write!(f, ", named {} from now on", named(*key))?;
                }
                if !body.is_empty() {
                    write!(f, ", with {}", listed(body))?;
                }
                match members {
                    Some(members) if members.is_empty() => f.write_str(", no members")?,
                    Some(members) => write!(f, ", members {}", people(members))?,
                    None => {}
                }
                f.write_str(condition(demanded))
            }
            Step::Patch { who, changes, condition: demanded } => {
                let changes: Vec<String> = changes.iter().map(ToString::to_string).collect();
                write!(f, "PATCH {who}: {}{}", changes.join("; "), condition(demanded))
            }
            Step::Delete { who, condition: demanded } => write!(f, "delete {who}{}", condition(demanded)),
            Step::Read { who } => write!(f, "read {who}"),
            Step::Find { kind, key, folded } => {
                let letters = if *folded { ", in other letters" } else { "" };
                write!(f, "search {}s by the name \"{}\"{letters}", kind.noun(), key_word(*key))
            }
            Step::List { kind } => write!(f, "list {}s", kind.noun()),
            Step::Count { kind } => write!(f, "count the {}s of this sequence", kind.noun()),
            Step::Pause => f.write_str("wait until the clock has moved"),
            Step::AtOnce { lanes } => {
                let lanes: Vec<String> = lanes
                    .iter()
                    .map(|lane| lane.iter().map(ToString::to_string).collect::<Vec<_>>().join(", then "))
                    .collect();
                write!(f, "at once: {}", lanes.join(" | "))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn steps_say_what_they_do_and_are_read_again() {
        let ann = Var::user(0);
        let body = Attributes::from([("title".to_owned(), json!("Engineer"))]);
        let steps: Sequence = vec![
            Step::Create { who: ann, key: 0, body: body.clone(), members: BTreeSet::new() },
            Step::Replace {
                who: Var::group(0),
                key: Some(1),
                body,
                members: Some(BTreeSet::from([ann])),
                whole: true,
                condition: Condition::Stale,
            },
            Step::AtOnce {
                lanes: vec![
                    vec![Step::Delete { who: ann, condition: Condition::None }],
                    vec![Step::Patch { who: ann, changes: vec![Change::Spoil], condition: Condition::Fresh }],
                ],
            },
        ];
        let said: Vec<String> = steps.iter().map(ToString::to_string).collect();
        assert_eq!(said[0], "create the user ann, named \"amber\", with {\"title\":\"Engineer\"}");
        assert!(said[1].ends_with("members ann, If-Match an earlier version"), "{}", said[1]);
        assert!(said[2].starts_with("at once: delete ann | PATCH ann: remove the name"), "{}", said[2]);
        let text = serde_json::to_string(&steps).unwrap();
        assert_eq!(serde_json::from_str::<Sequence>(&text).unwrap(), steps);
        assert_eq!(steps[1].vars().len(), 2);
        assert_eq!(steps[1].keys(), BTreeSet::from([(Kind::Group, 1)]));
    }
}
