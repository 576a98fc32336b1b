//! What a case may refer to: its givens, fresh values, rows, captures, steps before the one that refers, and the members
//! of its population; and under which conditions each of them is there at all.

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};

use indexmap::IndexMap;
use serde_json::Value;

use super::super::diagnostic::Severity;
use super::super::load::Library;
use super::super::model::Row;
use super::super::nearest::suggestion;
use super::super::template::{self, Reference, Selector, TemplateError};
use super::Report;

/// For each step named by `when`, the alternatives under which something is there.
pub(super) type Guards = BTreeMap<String, BTreeSet<String>>;

/// What a name stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// A text that is the same in the whole run: its mark, the domain of userNames.
    Run,
    /// What the operator says of the profile's settings.
    Setting,
    /// The data of a row.
    Row,
    /// An attribute of the service provider's schemas.
    Attribute,
    /// A resource of the population, which is only read.
    Member,
    /// One resource of the case's own.
    Given,
    /// Several resources of the case's own.
    Crowd,
    /// A generated text.
    Fresh,
    /// A step; whether it returns a resource, and whether it sends a body and operations.
    Step {
        /// Whether its answer can be a resource.
        resource: bool,
        /// Whether it sends a body that others can build on.
        body: bool,
        /// Whether it sends PATCH operations.
        operations: bool,
    },
    /// A part of an answer.
    Capture,
}

impl Kind {
    fn is_resource(self) -> bool {
        matches!(self, Kind::Member | Kind::Given | Kind::Step { resource: true, .. })
    }
}

#[derive(Debug)]
struct Name {
    kind: Kind,
    guards: Guards,
    requires: BTreeSet<String>,
    path: String,
    used: Cell<bool>,
}

/// The condition under which a step runs.
#[derive(Debug, Clone, Default)]
pub(super) struct Condition {
    /// By `when`, those of the steps named there included.
    pub guards: Guards,
    /// By `requires`, those of case and suite included.
    pub requires: BTreeSet<String>,
    /// Whether nothing is asked about conditions.
    pub any: bool,
}

impl Condition {
    /// A condition under which every name is there.
    pub(super) fn anything() -> Condition {
        Condition { any: true, ..Condition::default() }
    }
}

/// The names of one case, as far as they are there at a point of it.
#[derive(Debug, Default)]
pub(super) struct Names<'a> {
    names: IndexMap<String, Name>,
    /// The alternatives of each step, by its id.
    alternatives: IndexMap<String, Vec<String>>,
    rows: &'a [Row],
    /// The settings that profiles have.
    settings: BTreeSet<&'a str>,
    used_data: std::cell::RefCell<BTreeSet<String>>,
}

impl<'a> Names<'a> {
    pub(super) fn new(rows: &'a [Row]) -> Names<'a> {
        let mut names = Names { rows, ..Names::default() };
        names.put("run", Kind::Run, "", &Condition::default());
        names.put("domain", Kind::Run, "", &Condition::default());
        names.put("setting", Kind::Setting, "", &Condition::default());
        if !rows.is_empty() {
            names.put("row", Kind::Row, "rows", &Condition::default());
        }
        names
    }

    /// Whatever the profiles of a library ask the operator for can be referred to.
    pub(super) fn know_settings(&mut self, library: &'a Library) {
        self.settings = library
            .profiles()
            .values()
            .flat_map(|profile| profile.settings.keys().map(String::as_str))
            .collect();
    }

    fn put(&mut self, name: &str, kind: Kind, path: &str, condition: &Condition) {
        let Condition { guards, requires, any: _ } = condition.clone();
        self.names.insert(
            name.to_owned(),
            Name { kind, guards, requires, path: path.to_owned(), used: Cell::new(false) },
        );
    }

    /// Adds a name; one that is taken is reported.
    pub(super) fn add(
        &mut self,
        report: &mut Report<'_>,
        name: &str,
        kind: Kind,
        path: &str,
        condition: &Condition,
    ) {
        let mut letters = name.chars();
        let well_formed = letters.next().is_some_and(|c| c.is_ascii_alphabetic() || c == '_')
            && letters.all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-'));
        if !well_formed {
            report.key_error(
                path,
                format!("`{name}` cannot be a name"),
                Some("a name begins with a letter and goes on with letters, digits, - and _".to_owned()),
            );
        }
        if matches!(name, "run" | "domain" | "setting" | "row") {
            report.key_error(
                path,
                format!("the name `{name}` has a meaning of its own"),
                Some(
                    "`${run}` is the run's mark, `${domain}` the domain of userNames, `${setting.x}` what the operator \
                     says and `${row.x}` the data of a row; choose another name"
                        .to_owned(),
                ),
            );
        } else if let Some(taken) = self.names.get(name) {
            let first = report.text.places().key_spot(&taken.path).line;
            report.key_error(
                path,
                format!("the name `{name}` is taken already"),
                Some(format!("it stands first in line {first}; one case has one set of names")),
            );
        }
        self.put(name, kind, path, condition);
    }

    pub(super) fn set_alternatives(&mut self, step: &str, alternatives: Vec<String>) {
        self.alternatives.insert(step.to_owned(), alternatives);
    }

    /// Checks a step's `when` and gives the condition that it amounts to.
    pub(super) fn condition(
        &self,
        report: &mut Report<'_>,
        path: &str,
        when: &IndexMap<String, Vec<String>>,
        requires: BTreeSet<String>,
    ) -> Condition {
        let mut condition = Condition { guards: Guards::new(), requires, any: false };
        for (step, wanted) in when {
            let at = format!("{path}.when.{step}");
            let Some(known) = self.alternatives.get(step) else {
                let steps = self.alternatives.iter().filter(|(_, names)| !names.is_empty());
                report.key_error(
                    &at,
                    format!("no step before this one is called `{step}`"),
                    suggestion(step, steps.map(|(name, _)| name.as_str())),
                );
                continue;
            };
            if wanted.is_empty() {
                report.key_error(&at, "no alternative is named here, so the step never runs", None);
            }
            for (index, alternative) in wanted.iter().enumerate() {
                if known.contains(alternative) {
                    continue;
                }
                let hint = if known.is_empty() {
                    Some(format!("give the alternatives of `{step}` a `name`"))
                } else {
                    suggestion(alternative, known.iter().map(String::as_str))
                };
                report.error(
                    &format!("{at}[{index}]"),
                    format!("`{step}` has no alternative `{alternative}`"),
                    hint,
                );
            }
            // Where a step ran, so did what it was conditional on.
            if let Some(name) = self.names.get(step) {
                for (guard, alternatives) in &name.guards {
                    condition.guards.entry(guard.clone()).or_insert_with(|| alternatives.clone());
                }
                condition.requires.extend(name.requires.iter().cloned());
            }
            condition.guards.insert(step.clone(), wanted.iter().cloned().collect());
        }
        condition
    }

    fn get(&self, name: &str) -> Option<&Name> {
        let found = self.names.get(name)?;
        found.used.set(true);
        Some(found)
    }

    /// The kind of a name, if it is there.
    pub(super) fn kind(&self, name: &str) -> Option<Kind> {
        self.get(name).map(|name| name.kind)
    }

    fn of_kind(&self, wanted: impl Fn(Kind) -> bool) -> Vec<&str> {
        self.names.iter().filter(|(_, name)| wanted(name.kind)).map(|(name, _)| name.as_str()).collect()
    }

    /// A name that has to be a resource (`from`, `read`, `unchanged`), or several of them where that is allowed.
    pub(super) fn resource(
        &self,
        report: &mut Report<'_>,
        path: &str,
        name: &str,
        several: bool,
        condition: &Condition,
    ) {
        let fits = |kind: Kind| kind.is_resource() || (several && kind == Kind::Crowd);
        match self.get(name) {
            None => {
                let known = suggestion(name, self.of_kind(fits));
                report.error(path, format!("no resource is called `{name}` here"), known);
            }
            Some(found) if fits(found.kind) => self.guarded(report, path, None, name, found, condition),
            Some(found) => {
                let what = match found.kind {
                    Kind::Crowd => "stands for several resources",
                    Kind::Step { .. } => "is a step that returns no resource",
                    _ => "is a value, not a resource",
                };
                report.error(path, format!("`{name}` {what}"), suggestion(name, self.of_kind(fits)));
            }
        }
    }

    /// A name that has to be a step with a body (`sent`) or with operations (`patched-by`).
    pub(super) fn sender(
        &self,
        report: &mut Report<'_>,
        path: &str,
        name: &str,
        operations: bool,
        condition: &Condition,
    ) {
        let fits = |kind: Kind| match kind {
            Kind::Step { body, operations: has, .. } => {
                if operations {
                    has
                } else {
                    body
                }
            }
            _ => false,
        };
        let what = if operations { "sends no operations" } else { "sends no body" };
        match self.get(name) {
            Some(found) if fits(found.kind) => self.guarded(report, path, None, name, found, condition),
            Some(Name { kind: Kind::Step { .. }, .. }) => {
                report.error(path, format!("the step `{name}` {what}"), suggestion(name, self.of_kind(fits)));
            }
            _ => {
                let message = format!("no step up to this one is called `{name}`");
                report.error(path, message, suggestion(name, self.of_kind(fits)));
            }
        }
    }

    /// The references of all texts in a value at a path.
    pub(super) fn value(&self, report: &mut Report<'_>, path: &str, value: &Value, condition: &Condition) {
        match value {
            Value::String(text) => self.text(report, path, text, condition),
            Value::Array(elements) => {
                for (index, element) in elements.iter().enumerate() {
                    self.value(report, &format!("{path}[{index}]"), element, condition);
                }
            }
            Value::Object(members) => {
                for (name, member) in members {
                    let path = format!("{path}.{name}");
                    self.text(report, &path, name, condition);
                    self.value(report, &path, member, condition);
                }
            }
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }

    /// The references of a text at a path.
    pub(super) fn text(&self, report: &mut Report<'_>, path: &str, text: &str, condition: &Condition) {
        match template::parse(text) {
            Ok(references) => {
                for reference in references {
                    self.reference(report, path, text, &reference, condition);
                }
            }
            Err(TemplateError::Malformed { text, why, .. }) => {
                let spot = report.piece(path, &text);
                report.at(spot, Severity::Error, format!("`{text}` is no reference: {why}"), None);
            }
            Err(other) => report.error(path, other.to_string(), None),
        }
    }

    fn reference(
        &self,
        report: &mut Report<'_>,
        path: &str,
        text: &str,
        reference: &Reference,
        condition: &Condition,
    ) {
        let piece = &text[reference.span.clone()];
        let spot = report.piece(path, piece);
        let Some(found) = self.get(&reference.name) else {
            let hint = if reference.name == "row" {
                Some("the case has no rows".to_owned())
            } else {
                suggestion(&reference.name, self.names.keys().map(String::as_str))
            };
            report.at(spot, Severity::Error, format!("nothing is called `{}` here", reference.name), hint);
            return;
        };
        self.guarded(report, path, Some(piece), &reference.name, found, condition);
        let first = reference.path.first();
        match found.kind {
            Kind::Run | Kind::Fresh if first.is_some() => {
                let name = &reference.name;
                report.at(
                    spot,
                    Severity::Error,
                    format!("`{name}` is a text and has no members"),
                    Some(format!("write `${{{name}}}`")),
                );
            }
            Kind::Row => self.row(report, spot, first),
            Kind::Attribute => {
                const MEMBERS: [&str; 5] = ["path", "name", "value", "other", "upper"];
                let fits = matches!(first, Some(Selector::Member(it)) if MEMBERS.contains(&it.as_str()));
                if !fits {
                    let message = format!("`{}` stands for an attribute", reference.name);
                    let hint = format!("it has {}", MEMBERS.map(|it| format!(".{it}")).join(", "));
                    report.at(spot, Severity::Error, message, Some(hint));
                }
            }
            Kind::Setting => self.setting(report, spot, first),
            Kind::Crowd => {
                let fits = match first {
                    Some(Selector::Member(member)) => member == "members" || member == "ids",
                    Some(Selector::Element(_)) => true,
                    None => false,
                };
                if !fits {
                    report.at(
                        spot,
                        Severity::Error,
                        format!("`{}` stands for several resources", reference.name),
                        Some(format!("it has .members and .ids, and {}[0] is the first", reference.name)),
                    );
                }
            }
            _ => {}
        }
    }

    fn setting(&self, report: &mut Report<'_>, spot: super::Spot, member: Option<&Selector>) {
        let Some(Selector::Member(member)) = member else {
            let hint = Some("write `${setting.NAME}` with the name of a setting".to_owned());
            report.at(spot, Severity::Error, "a setting is read by its name", hint);
            return;
        };
        if !self.settings.contains(member.as_str()) {
            let hint = suggestion(member, self.settings.iter().copied())
                .or(Some("a profile names it under `settings`, with a title".to_owned()));
            report.at(spot, Severity::Error, format!("no profile has a setting `{member}`"), hint);
        }
    }

    fn row(&self, report: &mut Report<'_>, spot: super::Spot, member: Option<&Selector>) {
        let Some(Selector::Member(member)) = member else {
            let hint = Some("write `${row.NAME}` with a name of its data".to_owned());
            report.at(spot, Severity::Error, "a row is read by the names of its data", hint);
            return;
        };
        self.used_data.borrow_mut().insert(member.clone());
        for row in self.rows.iter().filter(|row| !row.data.contains_key(member)) {
            report.at(
                spot,
                Severity::Error,
                format!("the row `{}` has no `{member}`", row.id),
                suggestion(member, row.data.keys().map(String::as_str)),
            );
        }
    }

    /// A name that is only there under a condition may only be used under that condition.
    fn guarded(
        &self,
        report: &mut Report<'_>,
        path: &str,
        piece: Option<&str>,
        name: &str,
        found: &Name,
        condition: &Condition,
    ) {
        let spot = match piece {
            Some(piece) => report.piece(path, piece),
            None => report.text.places().spot(path),
        };
        if condition.any {
            return;
        }
        for (step, alternatives) in &found.guards {
            let holds = condition.guards.get(step).is_some_and(|here| here.is_subset(alternatives));
            if !holds {
                let list: Vec<&str> = alternatives.iter().map(String::as_str).collect();
                let list = list.join(", ");
                report.at(
                    spot,
                    Severity::Error,
                    format!("`{name}` is only there when `{step}` came to {list}"),
                    Some(format!("put this under `when: {{{step}: [{list}]}}` too")),
                );
            }
        }
        for requires in found.requires.difference(&condition.requires) {
            report.at(
                spot,
                Severity::Error,
                format!("`{name}` is only there where the service provider claims: {requires}"),
                Some("let this step require the same".to_owned()),
            );
        }
    }

    /// Names that are made and never used.
    pub(super) fn unused(&self, report: &mut Report<'_>, base: &str) {
        for (name, entry) in &self.names {
            if !entry.used.get() && matches!(entry.kind, Kind::Fresh | Kind::Capture | Kind::Attribute) {
                report.key_warn(
                    &entry.path,
                    format!("`{name}` is never used"),
                    Some("leave it out".to_owned()),
                );
            }
        }
        let used = self.used_data.borrow();
        for (index, row) in self.rows.iter().enumerate() {
            for name in row.data.keys().filter(|name| !used.contains(*name)) {
                report.key_warn(
                    &format!("{base}.rows[{index}].data.{name}"),
                    format!("`${{row.{name}}}` is never used"),
                    Some("leave it out".to_owned()),
                );
            }
        }
    }
}
