//! Counterexamples of lifecycles as suites, and back. The steps stand in the suite twice: for `scimspec run`, and as a line
//! of comment, by which the next run of fuzzing tries them first.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use serde_json::{Map, Value, json};

use super::problem::{Problem, Signature};
use super::step::{
    Attributes, Change, Condition, Key, Kind, Sequence, Step, Var, has_other_letters, key_word, plain,
};
use super::{Cause, SavedSequence};
use crate::fuzz::Subject;
use crate::fuzz::cause::Harm;
use crate::fuzz::saved::{Head, REFERENCE, SavedSuite, replaced};
use crate::fuzz::strategy::data::MARK;
use crate::outcome::{Level, Severity};
use crate::scim::names;

/// What the line of comment begins with.
const STEPS: &str = "# steps: ";

/// The sequences of suites that can be tried first.
pub fn sequences(suites: &[SavedSuite]) -> Vec<SavedSequence> {
    let steps = |saved: &SavedSuite| {
        let line = saved.text.lines().find_map(|line| line.strip_prefix(STEPS))?;
        serde_json::from_str::<Sequence>(line).ok()
    };
    suites
        .iter()
        .filter_map(|saved| Some(SavedSequence { name: saved.name.clone(), steps: steps(saved)? }))
        .collect()
}

/// The suite that shows a cause; none where a suite cannot say it.
pub fn suite(name: &str, cause: &Cause, spec: &[String], seed: u64) -> Option<String> {
    let shown = &cause.shown;
    let mut writer = Writer::new(&shown.steps, &cause.signature, &shown.problem);
    let last = shown.steps.len().checked_sub(1)?;
    for (at, step) in shown.steps.iter().enumerate() {
        writer.step(step, at == last)?;
    }
    let fresh: Vec<String> = writer.fresh.iter().map(|(name, kind)| format!("{name}: {kind}")).collect();
    let head = Head {
        subject: Subject::Lifecycle,
        seed,
        comment: Some(format!("{STEPS}{}", serde_json::to_string(&shown.steps).ok()?)),
        name,
        about: format!("Lifecycles: {}", name.replace('-', " ")),
        requires: &writer.requires.iter().copied().collect::<Vec<_>>(),
        title: &shown.problem.message,
        // What is warned of is no failure when it is replayed.
        level: (shown.problem.severity < Severity::Failure).then_some(Level::Should),
        spec,
    };
    let mut text = format!("{}    fresh: {{{}}}\n    steps:\n", head.text(), fresh.join(", "));
    for step in &writer.lines {
        let mut before = "      - ";
        for (key, value) in step {
            writeln!(text, "{before}{key}: {value}").ok()?;
            before = "        ";
        }
    }
    Some(text)
}

/// A resource of the suite.
#[derive(Debug, Clone)]
struct Role {
    key: Key,
    life: usize,
    alive: bool,
    members: BTreeSet<Var>,
    /// The names of the versions that were captured.
    tags: Vec<String>,
}

/// What differs where versions are at fault.
const OF_VERSIONS: [&str; 6] =
    ["version", "ETag", "ETag of version", "answer ETag", "answer version", "no version"];

type Line = Vec<(&'static str, String)>;

struct Writer<'a> {
    signature: &'a Signature,
    /// The attribute that differs, where the signature does not name it.
    path: &'a str,
    /// Whether versions are captured.
    has_conditions: bool,
    roles: BTreeMap<Var, Role>,
    /// Who has been read since it was written to: what a client that read it then goes on from.
    read: BTreeSet<Var>,
    fresh: BTreeMap<String, String>,
    requires: BTreeSet<&'static str>,
    lines: Vec<Line>,
}

fn endpoint(kind: Kind) -> &'static str {
    match kind {
        Kind::User => "/Users",
        Kind::Group => "/Groups",
    }
}

fn fixture(kind: Kind) -> &'static str {
    match kind {
        Kind::User => "user-minimal",
        Kind::Group => "group",
    }
}

fn status(all: &[u16]) -> String {
    match all {
        [one] => format!("{{status: {one}}}"),
        _ => format!("{{status: [{}]}}", all.iter().map(u16::to_string).collect::<Vec<_>>().join(", ")),
    }
}

impl<'a> Writer<'a> {
    fn new(steps: &[Step], signature: &'a Signature, problem: &'a Problem) -> Writer<'a> {
        let is_conditional = |step: &Step| condition(step) != Condition::None;
        let has_conditions = steps.iter().any(|step| match step {
            Step::AtOnce { lanes } => lanes.iter().flatten().any(is_conditional),
            step => is_conditional(step),
        });
        let mut requires = BTreeSet::from(["users"]);
        if has_conditions || OF_VERSIONS.contains(&signature.differs.as_str()) {
            requires.insert("etag");
        }
        Writer {
            signature,
            path: problem.differences.first().map_or("", |it| it.path.as_str()),
            has_conditions,
            roles: BTreeMap::new(),
            read: BTreeSet::new(),
            fresh: BTreeMap::from([("word".to_owned(), "word".to_owned())]),
            requires,
            lines: Vec::new(),
        }
    }

    fn handle(&self, who: Var) -> Option<String> {
        let role = self.roles.get(&who)?;
        Some(if role.life > 1 { format!("{who}{}", role.life) } else { who.to_string() })
    }

    fn path(&self, who: Var) -> Option<String> {
        Some(format!("{}/${{{}.id}}", endpoint(who.kind), self.handle(who)?))
    }

    fn name(&mut self, kind: Kind, key: Key) -> String {
        let (name, fresh) = match kind {
            Kind::User => (key_word(key), "user-name"),
            Kind::Group => (format!("{}group", key_word(key)), "display-name"),
        };
        self.fresh.insert(name.clone(), fresh.to_owned());
        if has_other_letters(key) {
            let other = format!("{name}upper");
            self.fresh.insert(other.clone(), format!("{{upper: {name}}}"));
            return other;
        }
        name
    }

    fn holder(&self, kind: Kind, key: Key) -> Option<Var> {
        let mut all = self
            .roles
            .iter()
            .filter(|(who, role)| who.kind == kind && role.alive && plain(role.key) == plain(key));
        all.next().map(|(who, _)| *who)
    }

    fn values(&self, who: Var, life: usize, attributes: &Attributes) -> Map<String, Value> {
        let mark = format!("{REFERENCE}{who}{life}");
        attributes.iter().map(|(name, value)| (name.clone(), replaced(value, MARK, &mark))).collect()
    }

    fn references(&self, members: &BTreeSet<Var>) -> Value {
        let living = members.iter().filter(|it| self.roles.get(it).is_some_and(|role| role.alive));
        let ids =
            living.filter_map(|it| self.handle(*it)).map(|it| json!({"value": format!("${{{it}.id}}")}));
        Value::Array(ids.collect())
    }

    /// A whole resource, from a small fixture and what the service provider demands.
    fn make(
        &mut self,
        who: Var,
        life: usize,
        key: Key,
        body: &Attributes,
        members: &BTreeSet<Var>,
    ) -> String {
        let mut set = Map::new();
        let has_extension = body.contains_key(names::ENTERPRISE_USER);
        if has_extension {
            set.insert("schemas".to_owned(), json!([names::USER, names::ENTERPRISE_USER]));
        }
        let name = self.name(who.kind, key);
        set.insert(who.kind.name_attribute().to_owned(), format!("${{{name}}}").into());
        set.extend(self.values(who, life, body));
        let without = without_name(&mut set, who.kind);
        let members = self.references(members);
        if members.as_array().is_some_and(|it| !it.is_empty()) {
            set.insert("members".to_owned(), members);
        }
        format!("{{fixture: {}, template: true{without}, set: {}}}", fixture(who.kind), Value::Object(set))
    }

    fn add(&mut self, line: Line) {
        self.lines.push(line);
    }

    /// A read that captures the version for conditions to come.
    fn capture(&mut self, who: Var) -> Option<()> {
        let handle = self.handle(who)?;
        let tag = format!("tag{}", self.lines.len());
        self.add(vec![
            ("read", handle),
            ("capture", format!("{{{tag}: {{header: ETag}}}}")),
            ("expect", "{status: 200}".to_owned()),
        ]);
        self.roles.get_mut(&who)?.tags.push(tag);
        Some(())
    }

    /// The header of a condition; the outer none where there is no such version.
    fn header(&self, who: Var, demanded: Condition) -> Option<Option<String>> {
        let tags = &self.roles.get(&who)?.tags;
        let tag = match demanded {
            Condition::None => return Some(None),
            Condition::Fresh => tags.last()?,
            Condition::Stale => tags.len().checked_sub(2).and_then(|at| tags.get(at))?,
        };
        Some(Some(format!("{{If-Match: \"${{{tag}}}\"}}")))
    }

    fn operations(&mut self, who: Var, changes: &[Change]) -> Option<Value> {
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
    fn due(
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

    fn step(&mut self, step: &Step, is_last: bool) -> Option<()> {
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

    fn tell(&mut self, step: &Step, is_last: bool) -> Option<()> {
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

    /// The version in the answer to a write, where that is the point.
    fn capture_answer(&self, is_last: bool) -> Option<(&'static str, String)> {
        let is_it = is_last && self.signature.differs == "answer version";
        is_it.then(|| ("capture", "{answered: {header: ETag}}".to_owned()))
    }

    /// What the answer to a create has to show, where that is the point.
    fn of_create(&self) -> Option<String> {
        let checks = match self.signature.differs.as_str() {
            "Location" => {
                "{header: Location, nonempty: true}, {path: $.meta.location, same-as: header Location}"
                    .to_owned()
            }
            "no answer" => "{path: $.id, nonempty: true}".to_owned(),
            "answer meta" => "{path: $.meta.location, nonempty: true}".to_owned(),
            "answer ETag" => "{header: ETag, nonempty: true}".to_owned(),
            "echo" => format!("{{path: $.{}, empty: true}}", self.top()?),
            _ => return None,
        };
        Some(format!("{{status: 201, checks: [{checks}]}}"))
    }

    /// The name of the attribute that differs; none of an extension's.
    fn top(&self) -> Option<&str> {
        let name = self.path.split(['.', '[']).next().unwrap_or_default();
        (!name.is_empty() && name.chars().all(|it| it.is_ascii_alphanumeric())).then_some(name)
    }

    /// What a read has to show of a resource beside what was written, where that is the point.
    fn of_read(&self, who: Var) -> Option<String> {
        let has = |role: &Role| role.alive && role.members.contains(&who);
        let ids = |wanted: bool| -> Vec<String> {
            let groups =
                self.roles.iter().filter(|(group, role)| group.kind == Kind::Group && wanted == has(role));
            let handles = groups.filter_map(|(group, _)| self.handle(*group));
            handles.map(|handle| format!("\"${{{handle}.id}}\"")).collect()
        };
        Some(match self.signature.differs.as_str() {
            "groups" | "no groups" => {
                let (has, lacks) = (ids(true), ids(false));
                let mut checks = Vec::new();
                if !has.is_empty() {
                    checks.push(format!("{{values: \"$.groups[*].value\", includes: [{}]}}", has.join(", ")));
                }
                if !lacks.is_empty() {
                    checks
                        .push(format!("{{values: \"$.groups[*].value\", excludes: [{}]}}", lacks.join(", ")));
                }
                checks.join(", ")
            }
            "groups.type" => "{values: \"$.groups[*].type\", set: [direct]}".to_owned(),
            "groups.$ref" => "{each: \"$.groups[*]['$ref']\", matches: \"/Groups/\"}".to_owned(),
            "no version" => "{path: $.meta.version, nonempty: true}".to_owned(),
            "no userName" => "{path: $.userName, nonempty: true}".to_owned(),
            "members twice" => {
                format!("{{path: $.members, length: {}}}", self.roles.get(&who)?.members.len())
            }
            "kept" => format!("{{path: $.{}, empty: true}}", self.top()?),
            _ => return None,
        })
    }

    fn listed(&mut self, query: String, ours: &[String], foreign: &str) -> Option<()> {
        // Rows are shown in no way that a case could tell from a read.
        if self.signature.differs.starts_with("row ") || self.signature.differs == "total" {
            return None;
        }
        let expect = format!("{{status: 200, list: {{ours: [{}], {foreign}}}}}", ours.join(", "));
        self.add(vec![("query", query), ("expect", expect)]);
        Some(())
    }

    fn living(&self, kind: Kind, key: Option<Key>) -> Vec<String> {
        let all = self.roles.iter().filter(|(who, role)| {
            who.kind == kind && role.alive && key.is_none_or(|key| plain(role.key) == plain(key))
        });
        all.filter_map(|(who, _)| self.handle(*who)).collect()
    }

    fn create(
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

    /// With what the answer has to show, where that is the point.
    fn with_answer(&self, expect: String, who: Var, body: &Attributes, is_last: bool) -> String {
        let Some(path) = self.signature.differs.strip_prefix("answer ").filter(|_| is_last) else {
            return expect;
        };
        match self.part(who, path, body) {
            Some(part) => {
                let status = expect.trim_start_matches('{').trim_end_matches('}');
                let status = if status.contains("204") { "status: 200" } else { status };
                format!("{{{status}, body: {part}}}")
            }
            None => expect,
        }
    }

    /// The part of a resource that a path is about, as it was written.
    fn part(&self, who: Var, path: &str, body: &Attributes) -> Option<Value> {
        let top = path.split('.').next().unwrap_or_default();
        let role = self.roles.get(&who)?;
        if top == "members" {
            return Some(json!({"members": self.references(&role.members)}));
        }
        let found =
            body.iter().find(|(name, _)| name.eq_ignore_ascii_case(top) || name.starts_with("urn:"))?;
        let one = Attributes::from([(found.0.clone(), found.1.clone())]);
        Some(Value::Object(self.values(who, role.life, &one)))
    }

    /// What has to be seen after the last write.
    fn closing(&mut self, step: &Step, who: Var, body: &Attributes, is_last: bool) -> Option<()> {
        if !is_last {
            return Some(());
        }
        let Signature { harm, differs, .. } = self.signature;
        let handle = self.handle(who)?;
        let get = format!("GET {}", self.path(who)?);
        if *harm != Harm::Wrong
            || differs.starts_with("status ")
            || matches!(
                differs.as_str(),
                "keyword" | "answer" | "no answer" | "answer meta" | "answer ETag" | "echo"
            )
        {
            return Some(());
        }
        if let Some(checks) = self.of_read(who) {
            self.add(vec![("send", get), ("expect", format!("{{status: 200, checks: [{checks}]}}"))]);
            return Some(());
        }
        let line: Line = match differs.as_str() {
            "answer version" => {
                let checks = "[{header: ETag, equals: \"${answered}\"}]";
                vec![("send", get), ("expect", format!("{{status: 200, checks: {checks}}}"))]
            }
            "meta.lastModified as before" => {
                let checks = "[{path: $.meta.lastModified, differs: \"${modified}\"}]";
                vec![("send", get), ("expect", format!("{{status: 200, checks: {checks}}}"))]
            }
            "lastModified before created" => {
                let checks = "[{path: $.meta.lastModified, after: \"${created}\"}]";
                vec![("send", get), ("expect", format!("{{status: 200, checks: {checks}}}"))]
            }
            "still there" => vec![("send", get), ("expect", status(&[404, 410]))],
            "gone" | "id" | "no resource" => {
                let checks = format!("[{{path: $.id, equals: \"${{{handle}.id}}\"}}]");
                vec![("send", get), ("expect", format!("{{status: 200, checks: {checks}}}"))]
            }
            "meta.created" => {
                let checks = "[{path: $.meta.created, equals: \"${created}\"}]";
                vec![("send", get), ("expect", format!("{{status: 200, checks: {checks}}}"))]
            }
            "version" => {
                let tag = self.roles.get(&who)?.tags.last()?.clone();
                let checks = format!("[{{header: ETag, differs: \"${{{tag}}}\"}}]");
                vec![("send", get), ("expect", format!("{{status: 200, checks: {checks}}}"))]
            }
            "ETag of version" => {
                let checks = "[{path: $.meta.version, same-as: header ETag}]";
                vec![("send", get), ("expect", format!("{{status: 200, checks: {checks}}}"))]
            }
            "ETag" => vec![
                ("send", get),
                ("expect", "{status: 200, checks: [{header: ETag, is: etag}]}".to_owned()),
            ],
            "Location" => return Some(()),
            "meta.lastModified" | "lastModified after created" | "no id" | "another id" | "used id" => {
                return None;
            }
            other if other.starts_with("answer ") => {
                return self.part(who, other.trim_start_matches("answer "), body).map(drop);
            }
            other if other.ends_with(" despite the refusal") => vec![("unchanged", format!("[{handle}]"))],
            path => match (self.part(who, path, body), step) {
                (Some(part), _) => {
                    vec![("send", get), ("expect", format!("{{status: 200, body: {part}}}"))]
                }
                // What the operations say nothing of is as it was.
                (None, Step::Patch { .. }) => {
                    let (_, change) = self.lines.last()?.first()?.clone();
                    let becomes = format!("{{from: {handle}, patched-by: {change}}}");
                    vec![("send", get), ("expect", format!("{{status: 200, becomes: {becomes}}}"))]
                }
                (None, _) => return None,
            },
        };
        self.add(line);
        Some(())
    }

    fn read(&mut self, who: Var, is_last: bool) -> Option<()> {
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

    /// Several clients at once: one request of each.
    fn race(&mut self, lanes: &[Vec<Step>]) -> Option<()> {
        let steps: Vec<&Step> = lanes.iter().map(|lane| lane.first()).collect::<Option<_>>()?;
        if lanes.iter().any(|lane| lane.len() > 1) {
            return None;
        }
        let id = "atonce".to_owned();
        if let Some(Step::Create { who, key, .. }) = steps.first() {
            let make = self.make(*who, 1, *key, &Attributes::new(), &BTreeSet::new());
            let parallel =
                format!("{{times: {}, send: POST {}, make: {make}}}", steps.len(), endpoint(who.kind));
            let tally = "{tally: [{name: created, status: 201, exactly: 1}, {name: refused, error: {status: 409}, rest: true}]}";
            self.add(vec![("id", id), ("parallel", parallel), ("expect", tally.to_owned())]);
            return Some(());
        }
        let vars: BTreeSet<Var> = steps
            .iter()
            .flat_map(|step| match step {
                Step::Replace { who, .. } | Step::Patch { who, .. } | Step::Delete { who, .. } => Some(*who),
                _ => None,
            })
            .collect();
        let who = *vars.first().filter(|_| vars.len() == 1)?;
        let (path, handle) = (self.path(who)?, self.handle(who)?);
        if steps.iter().all(|step| matches!(step, Step::Delete { condition: Condition::None, .. })) {
            let parallel = format!("{{times: {}, send: \"DELETE {path}\"}}", steps.len());
            let tally = "{tally: [{name: done, status: 204, exactly: 1}, {name: not found, error: {status: [404, 410]}, rest: true}]}";
            self.add(vec![("id", id), ("parallel", parallel), ("expect", tally.to_owned())]);
            return Some(());
        }
        if self.has_conditions {
            self.capture(who)?;
            let headers = self.header(who, Condition::Fresh)??;
            let mut requests = Vec::new();
            for step in &steps {
                match step {
                    Step::Replace { body, condition: Condition::Fresh, .. } => {
                        let set = Value::Object(self.values(who, 1, body));
                        requests
                            .push(format!("{{send: \"PUT {path}\", make: {{from: {handle}, set: {set}}}}}"));
                    }
                    Step::Patch { changes, condition: Condition::Fresh, .. } => {
                        let operations = self.operations(who, changes)?;
                        requests.push(format!("{{send: \"PATCH {path}\", operations: {operations}}}"));
                    }
                    _ => return None,
                }
            }
            let tally = "{tally: [{name: carried out, status: [200, 204], at-most: 1}, {name: refused, error: {status: [409, 412]}, rest: true}]}";
            self.add(vec![
                ("id", id),
                ("headers", headers),
                ("parallel", format!("{{requests: [{}]}}", requests.join(", "))),
                ("expect", tally.to_owned()),
            ]);
            return Some(());
        }
        let mut requests = Vec::new();
        let mut body = Attributes::new();
        let mut members = self.roles.get(&who)?.members.clone();
        for step in &steps {
            let Step::Patch { changes, .. } = step else { return None };
            let operations = self.operations(who, changes)?;
            requests.push(format!("{{send: \"PATCH {path}\", operations: {operations}}}"));
            for change in changes {
                match change {
                    Change::AddMember(member) => drop(members.insert(*member)),
                    Change::RemoveMember(member) => drop(members.remove(member)),
                    // Who of two that set one attribute comes last is open.
                    Change::Set(name, _) if body.contains_key(name) => return None,
                    Change::Set(name, value) => drop(body.insert(name.clone(), value.clone())),
                    _ => return None,
                }
            }
        }
        self.requires.insert("patch");
        let tally = "{tally: [{name: done, status: [200, 204], exactly: COUNT}]}"
            .replace("COUNT", &steps.len().to_string());
        self.add(vec![
            ("id", id),
            ("parallel", format!("{{requests: [{}]}}", requests.join(", "))),
            ("expect", tally),
        ]);
        let mut expected = self.values(who, 1, &body);
        if who.kind == Kind::Group {
            expected.insert("members".to_owned(), self.references(&members));
        }
        let get = format!("GET {path}");
        self.add(vec![
            ("send", get),
            ("expect", format!("{{status: 200, body: {}}}", Value::Object(expected))),
        ]);
        Some(())
    }
}

/// Where a body says that there is no name, it does not name it at all.
fn without_name(set: &mut Map<String, Value>, kind: Kind) -> String {
    let name = kind.name_attribute();
    match set.get(name).is_some_and(Value::is_null) {
        true => {
            set.remove(name);
            format!(", without: [{name}]")
        }
        false => String::new(),
    }
}

fn condition(step: &Step) -> Condition {
    match step {
        Step::Replace { condition, .. } | Step::Patch { condition, .. } | Step::Delete { condition, .. } => {
            *condition
        }
        _ => Condition::None,
    }
}

/// What operations leave in attributes, where that is certain.
fn written(changes: &[Change]) -> Attributes {
    let mut all = Attributes::new();
    for change in changes {
        match change {
            Change::Set(path, value) => {
                match path.rsplit_once(':').filter(|(urn, _)| urn.starts_with("urn:")) {
                    Some((urn, name)) => drop(all.insert(urn.to_owned(), json!({ name: value }))),
                    None => drop(all.insert(path.clone(), value.clone())),
                }
            }
            Change::Add(path, value) => drop(all.insert(path.clone(), value.clone())),
            Change::Remove(path) if path != "members" => drop(all.insert(path.clone(), Value::Null)),
            Change::SetAll(some) => all.extend(some.clone()),
            _ => {}
        }
    }
    all
}
