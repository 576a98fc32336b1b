//! Counterexamples of lifecycles as suites, and back. The steps stand in the suite twice: for `scimspec run`, and as a line
//! of comment, by which the next run of fuzzing tries them first.

mod at_once;
mod shown;
mod steps;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use serde_json::{Map, Value, json};

use super::problem::{Problem, Signature};
use super::step::{
    Attributes, Change, Condition, Key, Kind, Sequence, Step, Var, has_other_letters, key_word, plain,
};
use super::{Cause, SavedSequence};
use crate::fuzz::Subject;
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
        let is_conditional = |step: &Step| step.condition() != Condition::None;
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
