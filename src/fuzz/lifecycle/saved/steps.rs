//! What a step is in a suite: the request that makes it, and how it has to be answered.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::{Role, Writer, endpoint, status, without_name, written};
use crate::fuzz::lifecycle::step::{Attributes, Change, Condition, Key, Kind, Step, Var, plain};

impl Writer<'_> {
    pub(super) fn operations(&mut self, who: Var, changes: &[Change]) -> Option<Value> {
        let life = self.roles.get(&who)?.life;
        let mut all = Vec::new();
        for change in changes {
            let one = |name: &str, value: &Value| {
                self.values(who, life, &Attributes::from([(name.to_owned(), value.clone())]))
                    .remove(name)
                    .unwrap_or_default()
            };
            all.push(match change {
                Change::Set(path, value) => json!({"op": "replace", "path": path, "value": one(path, value)}),
                Change::Add(path, value) => json!({"op": "add", "path": path, "value": one(path, value)}),
                Change::Remove(path) => json!({"op": "remove", "path": path}),
                Change::SetAll(all) => json!({"op": "replace", "value": self.values(who, life, all)}),
                Change::Rename(key) => {
                    let name = self.name(who.kind, *key);
                    json!({"op": "replace", "path": who.kind.name_attribute(), "value": format!("${{{name}}}")})
                }
                Change::AddMember(member) => {
                    let members = self.references(&BTreeSet::from([*member]));
                    json!({"op": "add", "path": "members", "value": members})
                }
                Change::AddMembers(members) => {
                    json!({"op": "add", "path": "members", "value": self.references(members)})
                }
                Change::RemoveMember(member) => {
                    let path = format!("members[value eq \"${{{}.id}}\"]", self.handle(*member)?);
                    json!({"op": "remove", "path": path})
                }
                Change::Spoil => json!({"op": "remove", "path": who.kind.name_attribute()}),
            });
        }
        Some(Value::Array(all))
    }

    /// What a write is expected to be answered with, and whether that is success.
    pub(super) fn due(
        &self,
        who: Var,
        key: Option<Key>,
        demanded: Condition,
        success: &[u16],
        dead: &[u16],
    ) -> Option<(String, bool)> {
        let role = self.roles.get(&who)?;
        if !role.alive {
            return Some((status(dead), false));
        }
        let is_taken = key
            .filter(|key| plain(*key) != plain(role.key))
            .and_then(|key| self.holder(who.kind, key))
            .is_some();
        Some(if demanded == Condition::Stale {
            (status(&[412, 409]), false)
        } else if is_taken && who.kind == Kind::User {
            (status(&[409, 400]), false)
        } else {
            (status(success), true)
        })
    }

    pub(super) fn step(&mut self, step: &Step, is_last: bool) -> Option<()> {
        if step.vars().iter().any(|who| who.kind == Kind::Group) {
            self.requires.insert("groups");
        }
        let differs = self.signature.differs.clone();
        // What the last write has to leave as it was has to be read before.
        let of_times = match differs.as_str() {
            "meta.created" => Some("{created: {path: $.meta.created}}"),
            "meta.lastModified as before" => Some("{modified: {path: $.meta.lastModified}}"),
            _ => None,
        };
        let is_kept = is_last && (differs.ends_with(" despite the refusal") || of_times.is_some());
        let before = match step {
            Step::Replace { who, .. } | Step::Patch { who, .. } | Step::Delete { who, .. } => Some(*who),
            _ => None,
        };
        let before = before.filter(|who| self.roles.get(who).is_some_and(|role| role.alive));
        if let Some(who) = before.filter(|_| is_kept) {
            let handle = self.handle(who)?;
            let mut line = vec![("read", handle)];
            line.extend(of_times.map(|capture| ("capture", capture.to_owned())));
            line.push(("expect", "{status: 200}".to_owned()));
            self.add(line);
        }
        if let Some(who) = before.filter(|_| self.has_conditions || (is_last && differs == "version")) {
            self.capture(who)?;
        }
        let written = match step {
            Step::Create { who, .. } => Some(*who),
            _ => before,
        };
        let told = self.tell(step, is_last);
        if let Some(who) = written {
            self.read.remove(&who);
        }
        told
    }

    pub(super) fn tell(&mut self, step: &Step, is_last: bool) -> Option<()> {
        let differs = self.signature.differs.clone();
        match step {
            Step::Create { who, key, body, members } => {
                self.create(step, *who, *key, (body, members), is_last)
            }
            Step::Replace { who, key, body, members, whole, condition } => {
                let is_nameless = body.get(who.kind.name_attribute()).is_some_and(Value::is_null);
                let success: &[u16] = match (is_last, differs.as_str()) {
                    (true, "no answer") => &[200],
                    _ if is_nameless => &[200, 204, 400],
                    _ => &[200, 204],
                };
                let (expect, succeeds) =
                    self.due(*who, *key, *condition, success, &[404, 410, 400, 405, 409, 412])?;
                let role = self.roles.get(who)?.clone();
                let headers = self.header(*who, *condition)?;
                let all = members.clone().unwrap_or(role.members.clone());
                let make = if *whole {
                    let handle = self.handle(*who)?;
                    if role.alive && !self.read.contains(who) {
                        self.add(vec![("read", handle.clone()), ("expect", "{status: 200}".to_owned())]);
                    }
                    let mut set = self.values(*who, role.life, body);
                    if let Some(key) = key {
                        let name = self.name(who.kind, *key);
                        set.insert(who.kind.name_attribute().to_owned(), format!("${{{name}}}").into());
                    }
                    if who.kind == Kind::Group {
                        set.insert("members".to_owned(), self.references(&all));
                    }
                    let without = without_name(&mut set, who.kind);
                    format!("{{from: {handle}{without}, set: {}}}", Value::Object(set))
                } else {
                    self.make(*who, role.life, key.unwrap_or(role.key), body, &all)
                };
                let mut line = vec![("send", format!("PUT {}", self.path(*who)?)), ("make", make)];
                line.extend(headers.map(|it| ("headers", it)));
                line.extend(self.capture_answer(is_last));
                let expect = self.with_answer(expect, *who, body, is_last);
                line.push(("expect", expect));
                self.add(line);
                if succeeds {
                    let role = self.roles.get_mut(who)?;
                    role.key = key.unwrap_or(role.key);
                    role.members = all;
                }
                self.closing(step, *who, body, is_last)
            }
            Step::Patch { who, changes, condition } => {
                self.requires.insert("patch");
                let key = changes.iter().find_map(|change| match change {
                    Change::Rename(key) => Some(*key),
                    _ => None,
                });
                let (mut expect, mut succeeds) =
                    self.due(*who, key, *condition, &[200, 204], &[404, 410, 412])?;
                if succeeds && changes.contains(&Change::Spoil) {
                    (expect, succeeds) = (status(&[400, 403, 409]), false);
                }
                let headers = self.header(*who, *condition)?;
                let operations = self.operations(*who, changes)?;
                let mut line = vec![
                    ("id", format!("change{}", self.lines.len())),
                    ("send", format!("PATCH {}", self.path(*who)?)),
                    ("operations", operations.to_string()),
                ];
                line.extend(headers.map(|it| ("headers", it)));
                line.extend(self.capture_answer(is_last));
                let written = written(changes);
                let expect = self.with_answer(expect, *who, &written, is_last);
                line.push(("expect", expect));
                self.add(line);
                if succeeds {
                    let role = self.roles.get_mut(who)?;
                    role.key = key.unwrap_or(role.key);
                    for change in changes {
                        match change {
                            Change::AddMember(member) => drop(role.members.insert(*member)),
                            Change::AddMembers(members) => role.members.extend(members),
                            Change::RemoveMember(member) => drop(role.members.remove(member)),
                            Change::Remove(name) if name == "members" => role.members.clear(),
                            _ => {}
                        }
                    }
                }
                self.closing(step, *who, &written, is_last)
            }
            Step::Delete { who, condition } => {
                let (expect, succeeds) = self.due(*who, None, *condition, &[204], &[404, 410, 412])?;
                let headers = self.header(*who, *condition)?;
                let mut line = vec![("send", format!("DELETE {}", self.path(*who)?))];
                line.extend(headers.map(|it| ("headers", it)));
                line.push(("expect", expect));
                self.add(line);
                if succeeds {
                    self.roles.get_mut(who)?.alive = false;
                }
                self.closing(step, *who, &Attributes::new(), is_last)
            }
            Step::Read { who } => self.read(*who, is_last),
            Step::Find { kind, key, folded } => {
                self.requires.insert("filter");
                let name = self.name(*kind, *key);
                let asked = if *folded {
                    let other = format!("{name}upper");
                    self.fresh.insert(other.clone(), format!("{{upper: {name}}}"));
                    other
                } else {
                    name
                };
                let ours = self.living(*kind, Some(*key));
                let filter = format!("{} eq \"${{{asked}}}\"", kind.name_attribute());
                let query = format!("{{endpoint: {}, filter: {}}}", endpoint(*kind), Value::from(filter));
                self.listed(query, &ours, "foreign: none")
            }
            Step::List { kind } => {
                let ours = self.living(*kind, None);
                self.listed(format!("{{endpoint: {}, count: 100}}", endpoint(*kind)), &ours, "foreign: any")
            }
            Step::Count { kind } => {
                self.requires.insert("filter");
                let ours = self.living(*kind, None);
                let filter = format!("{} co \"${{run}}\"", kind.name_attribute());
                let query =
                    format!("{{endpoint: {}, count: 100, filter: {}}}", endpoint(*kind), Value::from(filter));
                self.listed(query, &ours, "foreign: any")
            }
            Step::Pause => {
                self.add(vec![("wait", "{for: 2100ms}".to_owned())]);
                Some(())
            }
            Step::AtOnce { lanes } => self.race(lanes),
        }
    }

    pub(super) fn listed(&mut self, query: String, ours: &[String], foreign: &str) -> Option<()> {
        // Rows are shown in no way that a case could tell from a read.
        if self.signature.differs.starts_with("row ") || self.signature.differs == "total" {
            return None;
        }
        let expect = format!("{{status: 200, list: {{ours: [{}], {foreign}}}}}", ours.join(", "));
        self.add(vec![("query", query), ("expect", expect)]);
        Some(())
    }

    pub(super) fn living(&self, kind: Kind, key: Option<Key>) -> Vec<String> {
        let all = self.roles.iter().filter(|(who, role)| {
            who.kind == kind && role.alive && key.is_none_or(|key| plain(role.key) == plain(key))
        });
        all.filter_map(|(who, _)| self.handle(*who)).collect()
    }

    pub(super) fn create(
        &mut self,
        step: &Step,
        who: Var,
        key: Key,
        (body, members): (&Attributes, &BTreeSet<Var>),
        is_last: bool,
    ) -> Option<()> {
        if self.roles.get(&who).is_some_and(|role| role.alive) {
            return Some(());
        }
        let life = self.roles.get(&who).map_or(1, |role| role.life + 1);
        let make = self.make(who, life, key, body, members);
        let send = format!("POST {}", endpoint(who.kind));
        if who.kind == Kind::User && self.holder(Kind::User, key).is_some() {
            let expect = "{error: {status: 409, scimType: uniqueness}}".to_owned();
            self.add(vec![("send", send), ("make", make), ("expect", expect)]);
            return Some(());
        }
        let role = Role { key, life, alive: true, members: members.clone(), tags: Vec::new() };
        self.roles.insert(who, role);
        let handle = self.handle(who)?;
        let expect = self
            .of_create()
            .filter(|_| is_last)
            .unwrap_or_else(|| self.with_answer("{status: 201}".to_owned(), who, body, is_last));
        let mut line = vec![("id", handle.clone()), ("send", send), ("make", make)];
        line.extend(self.capture_answer(is_last));
        line.push(("expect", expect));
        self.add(line);
        if is_last && self.signature.differs == "lastModified before created" {
            self.add(vec![
                ("read", handle),
                ("capture", "{created: {path: $.meta.created}}".to_owned()),
                ("expect", "{status: 200}".to_owned()),
            ]);
        }
        self.closing(step, who, body, is_last)
    }

    pub(super) fn read(&mut self, who: Var, is_last: bool) -> Option<()> {
        let role = self.roles.get(&who)?.clone();
        let get = format!("GET {}", self.path(who)?);
        if !role.alive {
            self.add(vec![("send", get), ("expect", status(&[404, 410]))]);
            return Some(());
        }
        let differs = self.signature.differs.as_str();
        let handle = self.handle(who)?;
        if is_last && differs.ends_with(" of another") {
            self.add(vec![("unchanged", format!("[{handle}]"))]);
            return Some(());
        }
        if let Some(checks) = self.of_read(who).filter(|_| is_last) {
            self.add(vec![("send", get), ("expect", format!("{{status: 200, checks: [{checks}]}}"))]);
            return Some(());
        }
        self.add(vec![("read", handle), ("expect", "{status: 200}".to_owned())]);
        self.read.insert(who);
        Some(())
    }
}
