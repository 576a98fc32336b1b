//! The model of a lifecycle: what is known of each resource, dead ones included, and what a step has to be answered with.
//! Pure: answers are put into it, and nothing is asked.
//!
//! What a resource is, is what it was last read to be; what a write makes of it is for
//! [`oracle::written`](crate::oracle::written) to say. So defaults, canonical forms and attributes that are dropped
//! raise no alarm.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use serde_json::Value;

use super::ground::Ground;
use super::step::{Attributes, Change, Condition, Key, Kind, Step, Var, plain};
use crate::scim::path::AttributePath;
use crate::scim::resource::{elements, get, is_unassigned};

/// What only the service provider writes, whatever the type.
const READ_ONLY: [&str; 3] = ["id", "meta", "groups"];

/// What is known of a resource.
#[derive(Debug, Clone, PartialEq)]
pub struct Known {
    /// Its id.
    pub id: String,
    /// Its name.
    pub key: Key,
    /// Which resource of its symbolic name it is, from 1.
    pub life: usize,
    /// What it was last read to be.
    pub state: Value,
    /// Its version when it was last read, as in `ETag`.
    pub tag: Option<String>,
    /// Versions that it had before.
    pub earlier: Vec<String>,
    /// `meta.created`, as a read first showed it.
    pub created: Option<(DateTime<Utc>, String)>,
    /// `meta.lastModified`, as it was last shown.
    pub modified: Option<DateTime<Utc>>,
    /// The same as it was written, and when, by our clock, a read first showed it.
    pub modified_at: Option<(String, DateTime<Utc>)>,
    /// Whether it ever showed members: if it did, then showing none says that there are none.
    pub shows_members: bool,
    /// Whether it lives.
    pub alive: bool,
}

/// Everything that a sequence made.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Model {
    lives: BTreeMap<Var, Vec<Known>>,
    /// Names that a deleted resource had.
    buried: BTreeSet<(Kind, Key)>,
}

/// What a step has to be answered with.
#[derive(Debug, Clone, PartialEq)]
pub struct Due {
    /// The statuses of success, none where it must not succeed.
    pub success: Vec<u16>,
    /// The statuses of a refusal that is right, or may be.
    pub refusals: Vec<u16>,
    /// Why it has to be refused, or may be.
    pub why: &'static str,
    /// The requirement that says so.
    pub requirement: &'static str,
    /// A refusal that is no failure, with the requirement that speaks against it.
    pub frowned: Option<(u16, &'static str)>,
    /// A success that is against a MUST which servers are known to break, and clients to survive.
    pub suffered: Option<u16>,
}

impl Model {
    /// What bears that symbolic name now, dead or alive.
    pub fn get(&self, who: Var) -> Option<&Known> {
        self.lives.get(&who)?.last()
    }

    /// The same, to be changed.
    pub fn get_mut(&mut self, who: Var) -> Option<&mut Known> {
        self.lives.get_mut(&who)?.last_mut()
    }

    /// The one that lives.
    pub fn living(&self, who: Var) -> Option<&Known> {
        self.get(who).filter(|known| known.alive)
    }

    /// All that live, of a type.
    pub fn all_living(&self, kind: Kind) -> impl Iterator<Item = (Var, &Known)> {
        self.lives
            .iter()
            .filter(move |(who, _)| who.kind == kind)
            .filter_map(|(who, lives)| Some((*who, lives.last().filter(|known| known.alive)?)))
    }

    /// The ids of the dead, of a type.
    pub fn dead(&self, kind: Kind) -> BTreeSet<&str> {
        self.lives
            .iter()
            .filter(|(who, _)| who.kind == kind)
            .flat_map(|(_, lives)| lives.iter().filter(|known| !known.alive).map(|known| known.id.as_str()))
            .collect()
    }

    /// Who of the living has an id.
    pub fn by_id(&self, kind: Kind, id: &str) -> Option<(Var, &Known)> {
        self.all_living(kind).find(|(_, known)| known.id.eq_ignore_ascii_case(id))
    }

    /// Who of all, the dead included, has an id.
    pub fn ever(&self, kind: Kind, id: &str) -> Option<Var> {
        let mut all = self.lives.iter().filter(|(who, _)| who.kind == kind);
        all.find(|(_, lives)| lives.iter().any(|known| known.id == id)).map(|(who, _)| *who)
    }

    /// Who of the living has a name.
    pub fn holder(&self, kind: Kind, key: Key) -> Option<Var> {
        self.all_living(kind).find(|(_, known)| plain(known.key) == plain(key)).map(|(who, _)| who)
    }

    /// Which resource of its symbolic name the next one is.
    pub fn next_life(&self, who: Var) -> usize {
        self.lives.get(&who).map_or(0, Vec::len) + 1
    }

    /// Takes in a new resource.
    pub fn born(&mut self, who: Var, known: Known) {
        self.lives.entry(who).or_default().push(known);
    }

    /// Takes note of a deletion.
    pub fn died(&mut self, who: Var) {
        let Some(known) = self.get_mut(who) else { return };
        known.alive = false;
        let key = plain(known.key);
        self.buried.insert((who.kind, key));
    }

    /// The ids of the members of a group, as far as they are users of ours that live.
    pub fn members(&self, group: &Known) -> BTreeSet<Var> {
        let members = get(&group.state, "members").map(elements).unwrap_or_default();
        members
            .iter()
            .filter_map(|member| self.by_id(Kind::User, get(member, "value")?.as_str()?).map(|(who, _)| who))
            .collect()
    }

    /// What a write to one resource, or a read of it, has to be answered with. None where the step has no object.
    pub fn due(&self, step: &Step, ground: &Ground) -> Option<Due> {
        match step {
            Step::Create { who, key, body, .. } => {
                if self.living(*who).is_some() {
                    return None;
                }
                Some(self.due_create(who.kind, *key).with(body))
            }
            Step::Read { who } => Some(match self.get(*who)?.alive {
                true => Due::success(&[200], "RFC7644-3.4.1-02"),
                false => Due::refusal(&[404, 410], "it was deleted", "RFC7644-3.6-03"),
            }),
            Step::Delete { who, condition } => {
                let known = self.get(*who)?;
                if !known.alive {
                    let due = Due::refusal(&[404, 410, 412], "it was deleted", "RFC7644-3.6-03");
                    return Some(Due { suffered: Some(204), ..due });
                }
                let due = Due::success(&[204], "RFC7644-3.6-06");
                known.under(*condition, due)
            }
            Step::Replace { who, key, body, members, whole, condition } => {
                let known = self.get(*who)?;
                if !known.alive {
                    let statuses = &[404, 410, 400, 405, 409, 412];
                    return Some(Due::refusal(statuses, "it was deleted", "RFC7644-3.6-03"));
                }
                let due = Due::success(&[200, 204], "RFC7644-3.5.1-13");
                let mut due = self.renamed(*who, *key, due).with(body);
                // Whoever takes no empty list says so (AMB-108).
                let is_gone = |it: &Var| self.living(*it).is_none();
                if *whole && members.as_ref().is_some_and(|members| members.iter().all(is_gone)) {
                    due.refusals.push(400);
                }
                // What is readOnly and no more so should be ignored, and is often refused (AMB-92).
                if *whole && due.frowned.is_none() && self.has_old_groups(*who, known) {
                    due.frowned = Some((400, "RFC7644-3.5.1-11"));
                }
                known.under(*condition, due)
            }
            Step::Patch { who, changes, condition } => {
                let known = self.get(*who)?;
                if !known.alive {
                    let mut due = Due::refusal(&[404, 410, 412], "it was deleted", "RFC7644-3.6-03");
                    // Nobody says that a body is looked at after the resource.
                    let is_wrong = |change: &Change| {
                        *change == Change::Spoil || self.may_fail(*who, known, change, ground)
                    };
                    if changes.iter().any(is_wrong) {
                        due.refusals.push(400);
                    }
                    return Some(due);
                }
                let key = changes.iter().find_map(|change| match change {
                    Change::Rename(key) => Some(*key),
                    _ => None,
                });
                let mut due = self.renamed(*who, key, Due::success(&[200, 204], "RFC7644-3.5.2-23"));
                if changes.iter().any(|change| self.may_fail(*who, known, change, ground)) {
                    due.refusals.push(400);
                }
                if changes.contains(&Change::Spoil) {
                    // Whatever it is answered with, the rest must not have happened.
                    due.refusals.extend([400, 403, 409]);
                }
                known.under(*condition, due)
            }
            Step::Find { .. }
            | Step::List { .. }
            | Step::Count { .. }
            | Step::Pause
            | Step::AtOnce { .. } => None,
        }
    }

    /// Whether the groups that a user was read to have are not those that have it now.
    fn has_old_groups(&self, who: Var, known: &Known) -> bool {
        let Some(shown) = get(&known.state, "groups").filter(|it| !is_unassigned(it)) else { return false };
        let shown: BTreeSet<&str> =
            elements(shown).iter().filter_map(|group| get(group, "value")?.as_str()).collect();
        let groups = self.all_living(Kind::Group).filter(|(_, group)| self.members(group).contains(&who));
        groups.map(|(_, group)| group.id.as_str()).collect::<BTreeSet<_>>() != shown
    }

    fn due_create(&self, kind: Kind, key: Key) -> Due {
        let due = Due::success(&[201], "RFC7644-3.3-07");
        match (kind, self.holder(kind, key)) {
            (Kind::User, Some(_)) => Due::refusal(&[409], "another user has that userName", "RFC7644-3.3-11"),
            // Whether the names of groups are unique is for the service provider to say.
            (Kind::Group, Some(_)) => Due { refusals: vec![409], why: "another group has that name", ..due },
            (_, None) if self.buried.contains(&(kind, plain(key))) => Due {
                frowned: Some((409, "RFC7644-3.6-05")),
                why: "only a deleted resource had that name",
                ..due
            },
            (_, None) => due,
        }
    }

    /// What is due where the write may also give another name.
    fn renamed(&self, who: Var, key: Option<Key>, due: Due) -> Due {
        let Some(key) = key.filter(|key| self.get(who).is_none_or(|known| plain(known.key) != plain(*key)))
        else {
            // Whoever keeps the names of the deleted back may do so of one that was given again.
            let is_buried =
                |known: &Known| due.frowned.is_none() && self.buried.contains(&(who.kind, plain(known.key)));
            let frowned = self.get(who).is_some_and(is_buried).then_some((409, "RFC7644-3.6-05"));
            return Due { frowned: frowned.or(due.frowned), ..due };
        };
        match (who.kind, self.holder(who.kind, key).filter(|holder| *holder != who)) {
            (Kind::User, Some(_)) => {
                Due::refusal(&[409, 400], "another user has that userName", "RFC7643-4.1.1-02")
            }
            (Kind::Group, Some(_)) => {
                Due { refusals: vec![409, 400], why: "another group has that name", ..due }
            }
            (_, None) if self.buried.contains(&(who.kind, plain(key))) => {
                Due { refusals: vec![409, 400], why: "a deleted resource had that name", ..due }
            }
            (_, None) => due,
        }
    }

    /// Whether the RFCs leave it open what an operation does (AMB-99).
    fn may_fail(&self, who: Var, known: &Known, change: &Change, ground: &Ground) -> bool {
        match change {
            Change::Remove(name) => {
                let is_required = ground
                    .definition(who.kind)
                    .and_then(|definition| definition.attribute(&AttributePath::of(name)))
                    .is_none_or(|attribute| attribute.required);
                is_required || get(&known.state, name).is_none_or(is_unassigned)
            }
            Change::RemoveMember(member) => !self.members(known).contains(member),
            _ => false,
        }
    }
}

impl Known {
    /// The version that a condition names, if there is one.
    pub fn version(&self, condition: Condition) -> Option<&str> {
        match condition {
            Condition::None => None,
            Condition::Fresh => self.tag.as_deref(),
            Condition::Stale => self.earlier.last().map(String::as_str),
        }
    }

    /// What is due under a condition; none where there is no such version.
    fn under(&self, condition: Condition, mut due: Due) -> Option<Due> {
        match condition {
            Condition::None => {}
            Condition::Fresh => {
                // Under strong comparison a weak tag matches nothing (AMB-133).
                if self.version(condition)?.trim_start().starts_with("W/") {
                    due.refusals.push(412);
                    if due.success.is_empty() {
                        due.why = "its name is taken, or its tag is weak";
                    }
                }
            }
            Condition::Stale => {
                self.version(condition)?;
                let mut refusals = due.refusals;
                refusals.extend([412, 409]);
                due = Due::refusal(&refusals, "the version is not the current one", "RFC9110-13.1.1-03");
            }
        }
        Some(due)
    }
}

impl Due {
    fn success(statuses: &[u16], requirement: &'static str) -> Due {
        Due {
            success: statuses.to_vec(),
            refusals: Vec::new(),
            why: "",
            requirement,
            frowned: None,
            suffered: None,
        }
    }

    fn refusal(statuses: &[u16], why: &'static str, requirement: &'static str) -> Due {
        Due {
            success: Vec::new(),
            refusals: statuses.to_vec(),
            why,
            requirement,
            frowned: None,
            suffered: None,
        }
    }

    /// The same, where a body has what a service provider may refuse: a password by its policy, null and empty lists
    /// (AMB-108), what is readOnly (AMB-92).
    fn with(mut self, body: &Attributes) -> Due {
        if body.iter().any(|(name, value)| is_unassigned(value) || name == "password") {
            self.refusals.push(400);
        }
        if self.frowned.is_none() && body.keys().any(|name| READ_ONLY.contains(&name.as_str())) {
            self.frowned = Some((400, "RFC7644-3.3-02"));
        }
        self
    }

    /// Whether it must not succeed.
    pub fn is_refusal(&self) -> bool {
        self.success.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use serde_json::json;

    use super::super::ground::testing::ground;
    use super::*;

    fn known(id: &str, key: Key) -> Known {
        Known {
            id: id.to_owned(),
            key,
            life: 1,
            state: json!({"id": id, "title": "Engineer"}),
            tag: Some("\"2\"".to_owned()),
            earlier: vec!["\"1\"".to_owned()],
            created: None,
            modified: None,
            modified_at: None,
            shows_members: false,
            alive: true,
        }
    }

    fn create(who: Var, key: Key) -> Step {
        Step::Create { who, key, body: Default::default(), members: BTreeSet::new() }
    }

    #[test]
    fn names_collide_and_come_free() {
        let (ann, bob) = (Var::user(0), Var::user(1));
        let mut model = Model::default();
        model.born(ann, known("1", 0));
        let due = |model: &Model, step: &Step| model.due(step, &ground()).unwrap();
        assert_eq!(due(&model, &create(bob, 0)).refusals, [409]);
        assert_eq!(due(&model, &create(bob, 1)).success, [201]);
        assert!(model.due(&create(ann, 1), &ground()).is_none());
        model.died(ann);
        let again = due(&model, &create(bob, 0));
        assert_eq!((again.success, again.frowned), (vec![201], Some((409, "RFC7644-3.6-05"))));
        assert_eq!(due(&model, &Step::Read { who: ann }).refusals, [404, 410]);
        assert_eq!(model.next_life(ann), 2);
        model.born(bob, known("2", 1));
        model.born(ann, known("3", 2));
        let rename =
            |key| Step::Patch { who: bob, changes: vec![Change::Rename(key)], condition: Condition::None };
        assert!(due(&model, &rename(2)).is_refusal());
        assert_eq!(due(&model, &rename(1)).success, [200, 204]);
        assert_eq!(due(&model, &rename(3)).refusals, Vec::<u16>::new());
    }

    #[test]
    fn versions_and_open_points_are_in_what_is_due() {
        let ann = Var::user(0);
        let mut model = Model::default();
        model.born(ann, known("1", 0));
        let ground = ground();
        let delete = |condition| Step::Delete { who: ann, condition };
        assert_eq!(model.due(&delete(Condition::Fresh), &ground).unwrap().refusals, Vec::<u16>::new());
        assert!(model.due(&delete(Condition::Stale), &ground).unwrap().is_refusal());
        model.get_mut(ann).unwrap().tag = Some("W/\"2\"".to_owned());
        assert_eq!(model.due(&delete(Condition::Fresh), &ground).unwrap().refusals, [412]);
        model.get_mut(ann).unwrap().earlier.clear();
        assert!(model.due(&delete(Condition::Stale), &ground).is_none());
        let remove = |name: &str| Step::Patch {
            who: ann,
            changes: vec![Change::Remove(name.to_owned())],
            condition: Condition::None,
        };
        assert!(model.due(&remove("title"), &ground).unwrap().refusals.is_empty());
        assert_eq!(model.due(&remove("nickName"), &ground).unwrap().refusals, [400]);
    }

    #[test]
    fn what_may_be_refused_is_and_a_name_in_other_letters_is_taken() {
        let (ann, bob) = (Var::user(0), Var::user(1));
        let mut model = Model::default();
        model.born(ann, known("1", 0));
        let due = |step: &Step| model.due(step, &ground()).unwrap();
        let put = |body: &[(&str, serde_json::Value)], members| Step::Replace {
            who: ann,
            key: None,
            body: body.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect(),
            members,
            whole: true,
            condition: Condition::None,
        };
        assert_eq!(due(&put(&[("title", json!("x"))], None)).refusals, Vec::<u16>::new());
        assert_eq!(due(&put(&[("emails", json!([]))], None)).refusals, [400]);
        assert_eq!(due(&put(&[("title", serde_json::Value::Null)], None)).refusals, [400]);
        assert_eq!(due(&put(&[], Some(BTreeSet::new()))).refusals, [400]);
        assert_eq!(due(&put(&[], Some(BTreeSet::from([ann])))).refusals, Vec::<u16>::new());
        assert_eq!(due(&create(bob, super::super::step::in_other_letters(0))).refusals, [409]);
        let copied = Step::Create {
            who: bob,
            key: 1,
            body: Attributes::from([("id".to_owned(), json!("1"))]),
            members: BTreeSet::new(),
        };
        assert_eq!(due(&copied).frowned, Some((400, "RFC7644-3.3-02")));
    }
}
