//! Walks a suite file: the suite, its cases, their givens, rows and steps.

use std::collections::{BTreeMap, BTreeSet};

use indexmap::IndexMap;
use serde_json::Value;

use super::super::action::Slip;
use super::super::diagnostic::Severity;
use super::super::load::{Library, Population, SuiteFile};
use super::super::model::{
    Action, ActionError, Auth, BulkMake, Capture, Case, Expect, ForEach, Fresh, Given, Make, Paginate,
    Parallel, Payload, Query, Requires, Step, VectorKind, Vectors, bytes_of_hex,
};
use super::super::nearest::suggestion;
use super::super::place::Places;
use super::super::template::{references, references_in};
use super::super::vectors::{FilterVector, PatchVector};
use super::errand;
use super::expectation::{self, Place};
use super::names::{Condition, Kind, Names};
use super::{Known, Report, stored};

/// The most pages that a step may ask for: a tenant may hold a hundred thousand users.
const MOST_PAGES: u32 = 20;
/// The most requests that a step may send at once: what overlaps is to be seen, and no limit to be met.
const MOST_AT_ONCE: u32 = 20;

/// A suite file.
pub(super) fn suite(report: &mut Report<'_>, library: &Library, known: Known<'_>, file: &SuiteFile) {
    let suite = &file.suite;
    id(report, "suite", &suite.suite);
    report.spec(known, "spec", &suite.spec);
    if suite.cases.is_empty() {
        report.key_error("cases", "a suite without cases tests nothing", None);
    }
    headers(report, "defaults.headers", &suite.defaults.headers, false);
    for slip in file.slips() {
        let Slip { path, message, hint, is_warning } = slip;
        if *is_warning {
            report.key_warn(path, message, hint.clone());
        } else {
            report.key_error(path, message, hint.clone());
        }
    }
    for (index, written) in suite.cases.iter().enumerate() {
        let base = format!("cases[{index}]");
        for (_, case) in file.forms_of(index) {
            let mut found = Vec::new();
            let mut report_of_form = Report { text: report.text, diagnostics: &mut found };
            Walk { report: &mut report_of_form, library, known, file, case, written, base: &base }.case();
            let lines = lines(report.text.places(), index);
            // Two forms have most of their steps in common.
            for mut diagnostic in found {
                if !lines.contains(&diagnostic.place.line) {
                    diagnostic.message.push_str(&format!(" (in the case `{}`)", written.id));
                }
                if !report.diagnostics.contains(&diagnostic) {
                    report.diagnostics.push(diagnostic);
                }
            }
        }
    }
}

/// The names that a case has at its end. What is wrong with it is reported elsewhere.
pub(super) fn names_of<'l>(
    library: &'l Library,
    known: Known<'l>,
    file: &'l SuiteFile,
    case: &'l Case,
) -> Names<'l> {
    let mut reported = Vec::new();
    let mut report = Report { text: file.text(), diagnostics: &mut reported };
    let index = file.suite.cases.iter().position(|other| other.id == case.id).unwrap_or_default();
    let base = format!("cases[{index}]");
    let (_, formed) = file.forms_of(index).into_iter().next().unwrap_or((None, case));
    Walk { report: &mut report, library, known, file, case: formed, written: case, base: &base }.names()
}

/// The lines on which a case stands. What it does by an action stands elsewhere.
fn lines(places: &Places, index: usize) -> std::ops::Range<u32> {
    let first = |index: usize| {
        let path = format!("cases[{index}]");
        places.has(&path).then(|| places.spot(&path).line)
    };
    first(index).unwrap_or(0)..first(index + 1).filter(|next| first(index) < Some(*next)).unwrap_or(u32::MAX)
}

/// A population file: its members may refer to the run and to members before them.
pub(super) fn population(report: &mut Report<'_>, library: &Library, population: &Population) {
    let mut names = Names::new(&[]);
    let always = Condition::default();
    if population.members.is_empty() {
        report.key_error("members", "a population without members is none", None);
    }
    for (name, given) in &population.members {
        let path = format!("members.{name}");
        resource(report, library, &names, &path, given, &always);
        names.add(report, name, Kind::Member, &path, &always);
    }
}

/// One case.
struct Walk<'r, 'd, 'l> {
    report: &'r mut Report<'d>,
    library: &'l Library,
    known: Known<'l>,
    file: &'l SuiteFile,
    /// The case with the steps of its actions in place.
    case: &'l Case,
    /// The case as it is written.
    written: &'l Case,
    base: &'r str,
}

impl<'l> Walk<'_, '_, 'l> {
    fn at(&self, key: &str) -> String {
        format!("{}.{key}", self.base)
    }

    fn case(&mut self) {
        let case = self.case;
        id(self.report, &self.at("id"), &case.id);
        self.cited();
        if let Some(vectors) = &case.vectors {
            return self.vectors(vectors);
        }
        match (&case.rule, case.steps.is_empty()) {
            (Some(_), false) => {
                let hint =
                    Some("a rule looks at every exchange of the run and has no steps of its own".to_owned());
                self.report.key_error(&self.at("rule"), "a case has either steps or a rule", hint);
            }
            (None, true) => {
                let hint = Some("add `steps`, or the name of a `rule`, or `vectors`".to_owned());
                self.report.error(&self.at("id"), "this case has neither steps nor a rule", hint);
            }
            (Some(rule), true) => {
                self.rule(rule);
                return;
            }
            (None, false) => {}
        }
        self.walk();
    }

    /// The attribute that each trial is about, under its name.
    fn for_each(&mut self, for_each: &ForEach, names: &mut Names<'l>) {
        let has_others =
            !self.case.rows.is_empty() || self.case.vectors.is_some() || self.case.rule.is_some();
        if has_others {
            let hint = Some("make two cases of it".to_owned());
            self.report.key_error(
                &self.at("for-each"),
                "a case that is tried with attributes has steps, and neither rows nor vectors",
                hint,
            );
        }
        names.add(
            self.report,
            &for_each.name,
            Kind::Attribute,
            &self.at("for-each.as"),
            &Condition::default(),
        );
    }

    /// Vectors stand alone: what they are made from is a population, or their file has it.
    fn vectors(&mut self, vectors: &Vectors) {
        let case = self.case;
        let idle = [
            ("given", !case.given.is_empty()),
            ("fresh", !case.fresh.is_empty()),
            ("rows", !case.rows.is_empty()),
            ("setup", !case.setup.is_empty()),
            ("steps", !case.steps.is_empty()),
            ("rule", case.rule.is_some()),
            ("population", case.population.is_some() && vectors.kind != VectorKind::Filter),
        ];
        for (key, _) in idle.into_iter().filter(|(_, present)| *present) {
            let hint = Some("leave it out: what vectors need stands in their file".to_owned());
            self.report.key_error(&self.at(key), format!("a case of vectors has no `{key}`"), hint);
        }
        let path = self.at("vectors.file");
        if !self.library.vector_file_names().any(|name| name == vectors.file) {
            return self.report.unknown(
                &path,
                "file of vectors",
                &vectors.file,
                self.library.vector_file_names(),
            );
        }
        if vectors.trials.is_empty() {
            self.report.error(&path, "no vector of this file is left", None);
        }
        for (index, id) in &vectors.unknown {
            let path = self.at(&format!("vectors.without[{index}]"));
            self.report.error(&path, format!("there is no vector `{id}` in this file"), None);
        }
        let mut ids = BTreeSet::new();
        for vector in &vectors.trials {
            if !ids.insert(&vector.id) {
                self.report.error(&path, format!("the vector `{}` is there twice", vector.id), None);
            }
            for id in vector.spec.iter().filter(|id| self.known.catalogue.get(id).is_none()) {
                self.report.error(&path, format!("{}: there is no requirement `{id}`", vector.id), None);
            }
        }
        match vectors.kind {
            VectorKind::Filter => self.filter_vectors(vectors, &path),
            VectorKind::Patch => {
                for (vector, read) in vectors.trials.iter().map(|vector| (vector, PatchVector::read(vector)))
                {
                    if let Err(why) = read {
                        self.report.error(&path, format!("{}: {why}", vector.id), None);
                    }
                }
            }
        }
    }

    /// Filters find members of a population, so it has to be there and to have them.
    fn filter_vectors(&mut self, vectors: &Vectors, path: &str) {
        let Some(name) = &self.case.population else {
            let hint = Some("add the `population` whose members the filters find".to_owned());
            return self.report.error(path, "filters need something to find", hint);
        };
        let Some(population) = self.library.population(name) else {
            let path = self.at("population");
            return self.report.unknown(&path, "population", name, self.library.population_names());
        };
        for vector in &vectors.trials {
            match FilterVector::read(vector) {
                Err(why) => self.report.error(path, format!("{}: {why}", vector.id), None),
                Ok(filter) => {
                    for member in filter.members().filter(|it| !population.members.contains_key(*it)) {
                        let message = format!("{}: the population has no `{member}`", vector.id);
                        self.report.error(path, message, None);
                    }
                }
            }
        }
    }

    fn rule(&mut self, rule: &str) {
        let case = self.case;
        if !self.known.rules.contains(&rule) {
            self.report.unknown(&self.at("rule"), "rule", rule, self.known.rules.iter().copied());
        }
        let idle = [
            ("given", !case.given.is_empty()),
            ("fresh", !case.fresh.is_empty()),
            ("rows", !case.rows.is_empty()),
            ("setup", !case.setup.is_empty()),
            ("population", case.population.is_some()),
        ];
        for (key, _) in idle.into_iter().filter(|(_, present)| *present) {
            let hint = Some("leave it out: a rule looks at the exchanges of other cases".to_owned());
            self.report.key_error(&self.at(key), format!("a rule has no use for `{key}`"), hint);
        }
    }

    /// What the case and its rows cite, and the levels that follow.
    fn cited(&mut self) {
        let (case, suite) = (self.case, &self.file.suite);
        self.report.spec(self.known, &self.at("spec"), &case.spec);
        self.report.source(self.known, &self.at("source"), &case.source);
        let cited = self.all_cited();
        self.report.level(self.known, self.base, case.level, &cited);
        if case.level.is_none() && suite.level.is_some() {
            let narrower = self.known.catalogue.strongest(cited.iter().map(String::as_str));
            if narrower.is_some_and(|strongest| suite.level > Some(strongest)) {
                self.report.error(
                    &self.at("spec"),
                    "the suite's level is stronger than what this case cites",
                    Some("give the case a `level` of its own".to_owned()),
                );
            }
        }
        if cited.is_empty() && self.file.origin == super::super::load::Origin::Embedded {
            let hint = Some("add `spec` with requirement ids, or `source` with a vendor's".to_owned());
            self.report.warn(&self.at("id"), "this case cites nothing", hint);
        }
        let mut ids = BTreeSet::new();
        for (index, row) in case.rows.iter().enumerate() {
            let path = format!("{}.rows[{index}]", self.base);
            id(self.report, &format!("{path}.id"), &row.id);
            if !ids.insert(&row.id) {
                self.report.error(
                    &format!("{path}.id"),
                    format!("the row `{}` is there already", row.id),
                    None,
                );
            }
            self.report.spec(self.known, &format!("{path}.spec"), &row.spec);
            let with_row = [cited.as_slice(), &row.spec].concat();
            self.report.level(self.known, &path, row.level, &with_row);
        }
    }

    /// Everything that the case cites, in its steps and rows too.
    fn all_cited(&self) -> Vec<String> {
        let (case, suite) = (self.case, &self.file.suite);
        let mut cited: Vec<String> = [suite.spec.as_slice(), &case.spec, &case.source].concat();
        for vector in case.vectors.iter().flat_map(|vectors| &vectors.trials) {
            cited.extend_from_slice(&vector.spec);
        }
        for row in &case.rows {
            cited.extend_from_slice(&row.spec);
            row.expect.values().for_each(|expect| expectation::cited(expect, &mut cited));
        }
        for step in &case.steps {
            cited.extend_from_slice(&step.spec);
            cited.extend_from_slice(&step.source);
            if let Some(expect) = &step.expect {
                expectation::cited(expect, &mut cited);
            }
        }
        cited
    }

    fn walk(&mut self) {
        let names = self.names();
        self.passed(&names);
        errand::old_credentials(self.report, self.base, self.case);
        names.unused(self.report, self.base);
    }

    /// Looks through the case, and gives all its names.
    fn names(&mut self) -> Names<'l> {
        let case = self.case;
        let mut names = Names::new(&case.rows);
        names.know_settings(self.library);
        if let Some(for_each) = &case.for_each {
            self.for_each(for_each, &mut names);
        }
        let always = Condition {
            requires: requires([&self.file.suite.requires, &case.requires]),
            ..Condition::default()
        };
        if let Some(name) = &case.population {
            match self.library.population(name) {
                Some(population) => {
                    for member in population.members.keys() {
                        names.add(self.report, member, Kind::Member, &self.at("population"), &always);
                    }
                }
                None => {
                    let path = self.at("population");
                    self.report.unknown(&path, "population", name, self.library.population_names());
                }
            }
        }
        for name in case.fresh.keys() {
            names.add(self.report, name, Kind::Fresh, &self.at(&format!("fresh.{name}")), &always);
        }
        for (name, given) in &case.given {
            let path = self.at(&format!("given.{name}"));
            resource(self.report, self.library, &names, &path, given, &always);
            let kind = if given.times.is_some() { Kind::Crowd } else { Kind::Given };
            names.add(self.report, name, kind, &path, &always);
        }
        for (name, fresh) in &case.fresh {
            self.fresh(&names, name, fresh, &always);
        }
        let steps: Vec<(&Step, String)> = case
            .setup
            .iter()
            .enumerate()
            .map(|(index, step)| (step, self.at(&format!("setup[{index}]"))))
            .chain(
                case.steps
                    .iter()
                    .enumerate()
                    .map(|(index, step)| (step, self.at(&format!("steps[{index}]")))),
            )
            .map(|(step, path)| (step, step.stands_at.clone().unwrap_or(path)))
            .collect();
        for (row_index, row) in case.rows.iter().enumerate() {
            for step in row.expect.keys() {
                let path = self.at(&format!("rows[{row_index}].expect.{step}"));
                let known: Vec<&str> = steps.iter().filter_map(|(step, _)| step.id.as_deref()).collect();
                if !known.contains(&step.as_str()) {
                    self.report.key_error(
                        &path,
                        format!("no step is called `{step}`"),
                        suggestion(step, known),
                    );
                }
            }
        }
        for (index, (step, path)) in steps.iter().enumerate() {
            let in_setup = index < case.setup.len();
            self.step(&mut names, step, path, &always, in_setup);
        }
        names
    }

    /// What is passed to an action is used, also where one of its forms has no need of it.
    fn passed(&self, names: &Names<'_>) {
        for step in self.written.setup.iter().chain(&self.written.steps) {
            for argument in step.call.values().flat_map(IndexMap::values) {
                for reference in references_in(argument) {
                    names.kind(&reference.name);
                }
            }
        }
    }

    fn fresh(&mut self, names: &Names<'_>, name: &str, fresh: &Fresh, always: &Condition) {
        let (how, of) = match fresh {
            Fresh::Kind(_) => return,
            Fresh::Upper(of) => ("upper", of),
            Fresh::Lower(of) => ("lower", of),
            Fresh::Mixed(of) => ("mixed", of),
        };
        let path = self.at(&format!("fresh.{name}.{how}"));
        if of == name {
            self.report.error(&path, format!("`{name}` is derived from itself"), None);
        } else {
            names.text(self.report, &path, &format!("${{{of}}}"), always);
        }
    }

    fn step(
        &mut self,
        names: &mut Names<'l>,
        step: &'l Step,
        path: &str,
        always: &Condition,
        in_setup: bool,
    ) {
        let at = |key: &str| format!("{path}.{key}");
        let mut own = always.requires.clone();
        own.extend(requires([&step.requires]));
        let condition = names.condition(self.report, path, &step.when, own);
        self.headings(step, path, in_setup);
        headers(self.report, &at("headers"), &step.headers, step.auth == Some(Auth::None));
        for (name, value) in &step.headers {
            if let Some(value) = value {
                names.text(self.report, &at(&format!("headers.{name}")), value, &condition);
            }
        }
        let action = step.action();
        match &action {
            Err(error) => self.no_action(step, path, error),
            Ok(action) => {
                self.misplaced_payload(step, path, action);
                match action {
                    Action::Send { line, payload } => {
                        send(self.report, names, self.case, &at("send"), line, &condition);
                        self.payload(names, path, payload, &condition);
                    }
                    Action::Query(query) => {
                        self.query(names, &at("query"), query, &condition);
                    }
                    Action::Read(name) => names.resource(self.report, &at("read"), name, false, &condition),
                    Action::Unchanged(all) => {
                        for (index, name) in all.iter().enumerate() {
                            names.resource(
                                self.report,
                                &at(&format!("unchanged[{index}]")),
                                name,
                                true,
                                &condition,
                            );
                        }
                    }
                    Action::Paginate(paginate) => {
                        self.paginate(names, &at("paginate"), paginate, &condition);
                    }
                    // In its place stand the steps of the action.
                    Action::Do(_) => {}
                    Action::Hook(_) => {}
                    Action::Burst(burst) => {
                        errand::burst(self.report, names, self.case, &at("burst"), burst, &condition);
                        if step.expect.is_none() {
                            let hint = Some("add `expect` with a `tally`".to_owned());
                            self.report.key_error(&at("burst"), "nothing is expected of this burst", hint);
                        }
                    }
                    Action::Wait(wait) => errand::wait(self.report, &at("wait"), step, wait),
                    Action::Parallel(parallel) => self.parallel(names, path, step, parallel, &condition),
                }
                errand::creates(self.report, names, path, step, action, &condition);
            }
        }
        errand::hook(self.report, names, path, step, &condition);
        if step.eventually.is_some()
            && let Ok(Action::Send { line, .. }) = &action
            && !line.starts_with("GET ")
            && !line.starts_with("HEAD ")
        {
            let hint = Some("put `eventually` on the read that follows".to_owned());
            self.report.key_error(&at("eventually"), "a write is not repeated", hint);
        }
        // From here on the step itself has a name: its own expectation may compare with what it sent.
        if let Some(name) = &step.id {
            names.add(self.report, name, step_kind(&action), &at("id"), &condition);
        }
        let own_alternatives = alternatives(step, self.case);
        if let Some(expect) = &step.expect {
            self.expect(names, &at("expect"), expect, &condition, &action);
        } else if !in_setup
            && step.id.is_none()
            && step.capture.is_empty()
            && matches!(
                action,
                Ok(Action::Send { .. } | Action::Query(_) | Action::Read(_) | Action::Paginate(_))
            )
        {
            let hint = Some("add `expect`, or `id` or `capture` if a later step needs the answer".to_owned());
            self.report.warn(path, "nothing is expected of this step", hint);
        }
        if let Some(name) = &step.id {
            for (index, row) in self.case.rows.iter().enumerate() {
                if let Some(expect) = row.expect.get(name) {
                    let path = self.at(&format!("rows[{index}].expect.{name}"));
                    self.expect(names, &path, expect, &condition, &action);
                }
            }
            names.set_alternatives(name, own_alternatives);
        }
        for name in step.gives.keys() {
            names.add(self.report, name, Kind::Capture, &at(&format!("gives.{name}")), &condition);
        }
        for (name, capture) in &step.capture {
            let path = at(&format!("capture.{name}"));
            self.capture(&path, capture);
            let kind = if capture.resource {
                Kind::Step { resource: true, body: false, operations: false }
            } else {
                Kind::Capture
            };
            names.add(self.report, name, kind, &path, &condition);
        }
    }

    /// The name of an accepted payload is part of the name of its file.
    fn snapshot(&mut self, path: &str, name: &str, in_setup: bool) {
        let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        if !name.chars().all(fits) || name.is_empty() || name.starts_with('-') || name.ends_with('-') {
            let better: String = name.to_lowercase().chars().map(|c| if fits(c) { c } else { '-' }).collect();
            let better = better.trim_matches('-');
            let hint = (!better.is_empty()).then(|| format!("such as `{better}`"));
            let what = format!("`{name}` cannot be the name of a snapshot: small letters, digits and - only");
            self.report.error(path, what, hint);
        }
        if in_setup {
            let hint = Some("compare the payload in a step: what prepares is no case's verdict".to_owned());
            self.report.key_error(path, "a setup step has no snapshot", hint);
        }
    }

    fn expect(
        &mut self,
        names: &Names<'_>,
        path: &str,
        expect: &Expect,
        condition: &Condition,
        action: &Result<Action<'_>, ActionError>,
    ) {
        if matches!(action, Ok(Action::Unchanged(_))) {
            let hint = Some("`unchanged` says itself what is expected".to_owned());
            self.report.key_error(path, "a comparison has no expectation of its own", hint);
            return;
        }
        if let Some(name) = &expect.snapshot {
            self.snapshot(&format!("{path}.snapshot"), name, path.contains(".setup["));
        }
        let many = match action {
            Ok(Action::Burst(_)) => errand::Many::Burst,
            Ok(Action::Parallel(_)) => errand::Many::Parallel,
            _ => errand::Many::None,
        };
        errand::tallies(self.report, path, expect, many);
        let cited = self.all_cited();
        let filter = match action {
            Ok(Action::Query(query)) => query.filter.is_some(),
            Ok(Action::Paginate(paginate)) => paginate.filter.is_some(),
            Ok(Action::Send { line, .. }) => line.contains("filter=") || line.contains(".search"),
            _ => false,
        };
        let pages = matches!(action, Ok(Action::Paginate(_)));
        let place = Place { known: self.known, names, condition, cited: &cited, filter, pages };
        expectation::expect(self.report, place, path, expect);
    }

    /// `title`, `level`, `source` and `consequence` describe a checkpoint.
    fn headings(&mut self, step: &Step, path: &str, in_setup: bool) {
        self.report.spec(self.known, &format!("{path}.spec"), &step.spec);
        self.report.source(self.known, &format!("{path}.source"), &step.source);
        let cited = if step.spec.is_empty() && step.source.is_empty() {
            self.all_cited()
        } else {
            [step.spec.as_slice(), &step.source].concat()
        };
        self.report.level(self.known, path, step.level, &cited);
        match &step.checkpoint {
            Some(checkpoint) => {
                let at = format!("{path}.checkpoint");
                id(self.report, &at, checkpoint);
                if step.title.is_none() {
                    let hint = Some("add `title`: what it shows, in plain words".to_owned());
                    self.report.key_error(&at, "a checkpoint is reported as a case, and has no title", hint);
                }
                if in_setup {
                    self.report.key_error(&at, "a step of `setup` is no checkpoint", None);
                }
            }
            None => {
                let described = [
                    ("title", step.title.is_some()),
                    ("level", step.level.is_some()),
                    ("source", !step.source.is_empty()),
                    ("consequence", step.consequence.is_some()),
                ];
                for (key, _) in described.into_iter().filter(|(_, present)| *present) {
                    let hint = Some(
                        "add `checkpoint` with an id, or move it to the case or into `expect`".to_owned(),
                    );
                    let message = format!("`{key}` belongs to a checkpoint, and this step is none");
                    self.report.key_warn(&format!("{path}.{key}"), message, hint);
                }
            }
        }
    }

    fn no_action(&mut self, step: &Step, path: &str, error: &ActionError) {
        match error {
            ActionError::None => {
                let hint = if has_payload(step).is_some() {
                    "add `send: METHOD /path`"
                } else {
                    "such as `send: GET /Users` or `read: NAME`"
                };
                self.report.error(path, error.to_string(), Some(hint.to_owned()));
            }
            ActionError::Several(keys) => {
                let last = keys.last().copied().unwrap_or_default();
                self.report.key_error(
                    &format!("{path}.{last}"),
                    error.to_string(),
                    Some("keep one".to_owned()),
                );
            }
        }
    }

    fn misplaced_payload(&mut self, step: &Step, path: &str, action: &Action<'_>) {
        if !matches!(action, Action::Send { .. })
            && let Some(key) = has_payload(step)
        {
            let hint = Some("only `send` has a body".to_owned());
            self.report.key_error(
                &format!("{path}.{key}"),
                format!("`{key}` has no `send` to belong to"),
                hint,
            );
        }
    }

    fn payload(&mut self, names: &Names<'_>, path: &str, payload: &Payload<'_>, condition: &Condition) {
        match payload {
            Payload::None => {}
            Payload::Hex(hex) => {
                if bytes_of_hex(hex).is_none_or(|bytes| bytes.is_empty()) {
                    let hint = Some("two hexadecimal digits for each byte, such as `7b 22`".to_owned());
                    self.report.error(&format!("{path}.hex"), "these are no bytes", hint);
                }
            }
            Payload::Body(body) => names.value(self.report, &format!("{path}.body"), body, condition),
            Payload::Operations(operations) => {
                names.value(self.report, &format!("{path}.operations"), operations, condition);
            }
            Payload::Bulk(bulk) => self.bulk(names, &format!("{path}.bulk"), bulk, condition),
            Payload::Raw(raw) => names.text(self.report, &format!("{path}.raw"), raw, condition),
            Payload::Make(make) => self.make(names, &format!("{path}.make"), make, condition),
        }
    }

    /// Requests that are sent at once.
    fn parallel(
        &mut self,
        names: &mut Names<'l>,
        path: &str,
        step: &Step,
        parallel: &Parallel,
        condition: &Condition,
    ) {
        let at = |key: &str| format!("{path}.parallel.{key}");
        let Parallel { times, over, name, requests, send: _, body: _, make: _, operations: _ } = parallel;
        one_of(
            self.report,
            &format!("{path}.parallel"),
            &[("times", times.is_some()), ("over", over.is_some()), ("requests", !requests.is_empty())],
        );
        if step.expect.is_none() {
            let hint = Some("add `expect` with a `tally`".to_owned());
            self.report.key_error(&format!("{path}.parallel"), "nothing is expected of these requests", hint);
        }
        if times.is_some_and(|times| !(2..=MOST_AT_ONCE).contains(&times)) {
            let message = format!("from 2 to {MOST_AT_ONCE} requests are sent at once");
            self.report.error(&at("times"), message, None);
        }
        if requests.len() == 1 {
            self.report.error(&at("requests"), "one request has nothing beside it", None);
        }
        if let Some(over) = over {
            match names.kind(over) {
                Some(Kind::Crowd) => {}
                _ => {
                    let hint = Some("such as a given with `times`".to_owned());
                    self.report.error(&at("over"), format!("`{over}` is not several resources"), hint);
                }
            }
        }
        if over.is_some() != name.is_some() {
            let hint = Some("`over: crowd, as: one`, and `${one.id}` in the request".to_owned());
            self.report.key_error(&format!("{path}.parallel"), "`over` and `as` belong together", hint);
        }
        if let Some(name) = name {
            names.add(self.report, name, Kind::Given, &at("as"), condition);
        }
        for (index, request) in parallel.steps().iter().enumerate() {
            let path = match requests.is_empty() {
                true => format!("{path}.parallel"),
                false => at(&format!("requests[{index}]")),
            };
            match request.action() {
                Ok(Action::Send { line, payload }) => {
                    send(self.report, names, self.case, &format!("{path}.send"), line, condition);
                    self.payload(names, &path, &payload, condition);
                }
                Ok(_) => {}
                Err(error) => self.no_action(request, &path, &error),
            }
        }
    }

    fn bulk(&mut self, names: &Names<'_>, path: &str, bulk: &BulkMake, condition: &Condition) {
        let BulkMake { fail_on_errors, operations, exceeds } = bulk;
        if let Some(count) = fail_on_errors {
            names.value(self.report, &format!("{path}.failOnErrors"), count, condition);
        }
        if operations.is_empty() && exceeds.is_some() {
            self.report.key_error(&format!("{path}.exceeds"), "there is no operation to repeat", None);
        }
        for (index, operation) in operations.iter().enumerate() {
            let at = |key: &str| format!("{path}.operations[{index}].{key}");
            let texts = [
                ("method", &operation.method),
                ("path", &operation.path),
                ("bulkId", &operation.bulk_id),
                ("version", &operation.version),
            ];
            for (key, text) in texts {
                if let Some(text) = text {
                    names.text(self.report, &at(key), text, condition);
                }
            }
            let sources = [
                ("data", operation.data.is_some()),
                ("make", operation.make.is_some()),
                ("patch", operation.patch.is_some()),
            ];
            if sources.iter().filter(|(_, present)| *present).count() > 1 {
                one_of(self.report, &format!("{path}.operations[{index}]"), &sources);
            }
            for (key, value) in [("data", &operation.data), ("patch", &operation.patch)] {
                if let Some(value) = value {
                    names.value(self.report, &at(key), value, condition);
                }
            }
            if let Some(make) = &operation.make {
                self.make(names, &at("make"), make, condition);
            }
        }
    }

    fn make(&mut self, names: &Names<'_>, path: &str, make: &Make, condition: &Condition) {
        let Make { from, fixture, sent, set, without, template: _, at, declared: _ } = make;
        let starts = [("from", from.is_some()), ("fixture", fixture.is_some()), ("sent", sent.is_some())];
        one_of(self.report, path, &starts);
        if let Some(name) = from {
            names.resource(self.report, &format!("{path}.from"), name, false, condition);
        }
        if let Some(name) = fixture {
            self::fixture(self.report, self.library, &format!("{path}.fixture"), name);
        }
        if let Some(name) = sent {
            names.sender(self.report, &format!("{path}.sent"), name, false, condition);
        }
        for (attribute, value) in set {
            names.value(self.report, &format!("{path}.set.{attribute}"), value, condition);
        }
        for (attribute, value) in at {
            let path = format!("{path}.at.{attribute}");
            names.text(self.report, &path, attribute, condition);
            expectation::attribute_path(self.report, &path, attribute);
            names.value(self.report, &path, value, condition);
        }
        for (index, text) in without.iter().enumerate() {
            names.text(self.report, &format!("{path}.without[{index}]"), text, condition);
        }
        set_and_without(self.report, path, set, without);
    }

    fn query(&mut self, names: &Names<'_>, path: &str, query: &Query, condition: &Condition) {
        let at = |key: &str| format!("{path}.{key}");
        if !query.endpoint.starts_with('/') {
            let hint = Some(format!("write `/{}`", query.endpoint));
            self.report.error(&at("endpoint"), "an endpoint begins with `/`", hint);
        }
        if query.endpoint.contains('?') {
            let hint = Some("write filter, count and the like as keys of `query`".to_owned());
            self.report.error(&at("endpoint"), "an endpoint has no parameters", hint);
        }
        names.text(self.report, &at("endpoint"), &query.endpoint, condition);
        let texts = [
            ("filter", &query.filter),
            ("sortBy", &query.sort_by),
            ("sortOrder", &query.sort_order),
            ("cursor", &query.cursor),
        ];
        for (key, text) in texts {
            if let Some(text) = text {
                names.text(self.report, &at(key), text, condition);
            }
        }
        for (key, list) in
            [("attributes", &query.attributes), ("excludedAttributes", &query.excluded_attributes)]
        {
            for (index, text) in list.iter().enumerate() {
                names.text(self.report, &at(&format!("{key}[{index}]")), text, condition);
            }
        }
    }

    fn paginate(&mut self, names: &Names<'_>, path: &str, paginate: &Paginate, condition: &Condition) {
        let Paginate { endpoint, by: _, size, filter, pages } = paginate;
        let query = Query { endpoint: endpoint.clone(), filter: filter.clone(), ..Query::default() };
        self.query(names, path, &query, condition);
        if *size == 0 {
            self.report.error(&format!("{path}.size"), "a page of nothing shows nothing", None);
        }
        if let Some(pages) = pages
            && !(1..=MOST_PAGES).contains(pages)
        {
            let message = format!("from 1 to {MOST_PAGES} pages are asked for");
            self.report.error(&format!("{path}.pages"), message, None);
        }
    }

    fn capture(&mut self, path: &str, capture: &Capture) {
        let Capture { path: json_path, header, resource: _ } = capture;
        one_of(self.report, path, &[("path", json_path.is_some()), ("header", header.is_some())]);
        if let Some(json_path) = json_path {
            expectation::json_path(self.report, &format!("{path}.path"), json_path);
        }
    }
}

/// The names of a step's alternatives, whatever row is run.
fn alternatives(step: &Step, case: &Case) -> Vec<String> {
    let of = |expect: &Expect| {
        expect.any.iter().filter_map(|alternative| alternative.name.clone()).collect::<Vec<_>>()
    };
    let mut names: Vec<String> = step.expect.iter().flat_map(of).collect();
    if step.parallel.is_some() {
        // Which tally all the answers are of.
        let tallies = step.expect.iter().flat_map(|expect| &expect.tally);
        names.extend(tallies.filter_map(|tally| tally.name.clone()));
    }
    if let Some(id) = &step.id {
        names.extend(case.rows.iter().filter_map(|row| row.expect.get(id)).flat_map(of));
    }
    names
}

fn step_kind(action: &Result<Action<'_>, ActionError>) -> Kind {
    let (resource, body, operations) = match action {
        Ok(Action::Send { payload, .. }) => {
            (true, !matches!(payload, Payload::None), matches!(payload, Payload::Operations(_)))
        }
        Ok(Action::Read(_)) | Err(_) => (true, false, false),
        Ok(
            Action::Query(_)
            | Action::Unchanged(_)
            | Action::Do(_)
            | Action::Paginate(_)
            | Action::Hook(_)
            | Action::Burst(_)
            | Action::Wait(_),
        ) => (false, false, false),
        // What was created has the step's name.
        Ok(Action::Parallel(_)) => (true, false, false),
    };
    Kind::Step { resource, body, operations }
}

fn has_payload(step: &Step) -> Option<&'static str> {
    let all = [
        ("body", step.body.is_some()),
        ("make", step.make.is_some()),
        ("operations", step.operations.is_some()),
        ("bulk", step.bulk.is_some()),
        ("raw", step.raw.is_some()),
        ("hex", step.hex.is_some()),
    ];
    all.into_iter().find(|(_, present)| *present).map(|(key, _)| key)
}

/// A resource that exists before the first step, or a member of a population.
fn resource(
    report: &mut Report<'_>,
    library: &Library,
    names: &Names<'_>,
    path: &str,
    given: &Given,
    always: &Condition,
) {
    let Given { fixture: name, inline, set, without, times } = given;
    match (name, inline) {
        (Some(name), None) => {
            let long = format!("{path}.fixture");
            let at = if report.text.places().has(&long) { long } else { path.to_owned() };
            fixture(report, library, &at, name);
        }
        (None, Some(value)) => {
            let at = format!("{path}.inline");
            names.value(report, &at, value, always);
            stored::resource(report, &at, value);
        }
        (Some(_), Some(_)) => {
            report.key_error(
                &format!("{path}.inline"),
                "fixture and inline exclude each other",
                Some("keep one".into()),
            );
        }
        (None, None) => {
            report.key_error(path, "a resource starts from a `fixture` or stands `inline`", None);
        }
    }
    if *times == Some(0) {
        report.error(&format!("{path}.times"), "0 resources are none", Some("leave the name out".to_owned()));
    }
    for (attribute, value) in set {
        names.value(report, &format!("{path}.set.{attribute}"), value, always);
    }
    stored::attributes(
        report,
        &format!("{path}.set"),
        set.iter().map(|(name, value)| (name.as_str(), value)),
    );
    set_and_without(report, path, set, without);
}

fn fixture(report: &mut Report<'_>, library: &Library, path: &str, name: &str) {
    if library.fixture(name).is_none() {
        report.unknown(path, "fixture", name, library.fixture_names());
    }
}

fn set_and_without(report: &mut Report<'_>, path: &str, set: &IndexMap<String, Value>, without: &[String]) {
    for (index, name) in without.iter().enumerate() {
        // The same name in other letters is another key: that is how a case swaps one for the other.
        if set.contains_key(name) {
            report.error(
                &format!("{path}.without[{index}]"),
                format!("`{name}` is set and left out at once"),
                None,
            );
        }
    }
    // What a reference stands for is not known here: the operator may have set it to a URN.
    let is_known = |name: &&String| references(name).next().is_none();
    for name in set.keys().filter(is_known).filter(|name| name.contains('.') && !name.starts_with("urn:")) {
        let top = name.split('.').next().unwrap_or(name);
        report.key_error(
            &format!("{path}.set.{name}"),
            "`set` names top-level attributes",
            Some(format!("write `{top}: {{…}}` with all of its parts")),
        );
    }
}

/// Exactly one of several keys.
pub(super) fn one_of(report: &mut Report<'_>, path: &str, keys: &[(&str, bool)]) {
    let present: Vec<&str> = keys.iter().filter(|(_, present)| *present).map(|(key, _)| *key).collect();
    match present.as_slice() {
        [_] => {}
        [] => {
            let all: Vec<&str> = keys.iter().map(|(key, _)| *key).collect();
            report.key_error(path, format!("one of {} is missing here", all.join(", ")), None);
        }
        [.., last] => {
            let message = format!("{} exclude each other", present.join(" and "));
            report.key_error(&format!("{path}.{last}"), message, Some("keep one".to_owned()));
        }
    }
}

/// Ids are small letters, digits, `-` and `.`, so that they can be typed, globbed and put into file names.
pub(super) fn id(report: &mut Report<'_>, path: &str, id: &str) {
    let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '-' | '.');
    let ends = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    if id.chars().all(fits) && id.starts_with(ends) && id.ends_with(ends) {
        return;
    }
    let better: String = id.to_lowercase().chars().map(|c| if fits(c) { c } else { '-' }).collect();
    let better = better.trim_matches(['-', '.']).to_owned();
    let hint = if better.is_empty() { None } else { Some(format!("such as `{better}`")) };
    report.error(path, format!("`{id}` cannot be an id: small letters, digits, - and . only"), hint);
}

/// `anonymous`: the request says `auth: none`, so an Authorization header can only hold what is no credential.
fn headers(report: &mut Report<'_>, path: &str, headers: &IndexMap<String, Option<String>>, anonymous: bool) {
    let mut seen = BTreeMap::new();
    for name in headers.keys() {
        let token = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c);
        let at = format!("{path}.{name}");
        if name.is_empty() || !name.chars().all(token) {
            report.key_error(&at, format!("`{name}` cannot be the name of a header"), None);
        }
        if let Some(other) = seen.insert(name.to_ascii_lowercase(), name) {
            report.key_error(&at, format!("the header `{other}` is there already"), None);
        }
        if name.eq_ignore_ascii_case("authorization") && !anonymous {
            let hint = Some(
                "write `auth: good`, `none`, `bad`, `second` or `old`; a suite holds no credentials"
                    .to_owned(),
            );
            report.key_error(&at, "credentials are not written into a suite", hint);
        }
    }
}

/// The line of a `send`: method and path, references, and what it writes to.
fn send(
    report: &mut Report<'_>,
    names: &Names<'_>,
    case: &Case,
    path: &str,
    line: &str,
    condition: &Condition,
) {
    names.text(report, path, line, condition);
    let Some((method, target)) = line.split_once(' ') else {
        let hint = Some("such as `GET /Users`".to_owned());
        report.error(path, "a request is METHOD, a blank, and the path", hint);
        return;
    };
    if method.is_empty() || !method.chars().all(|c| c.is_ascii_alphabetic()) {
        report.error(path, format!("`{method}` is no method"), Some("such as `GET /Users`".to_owned()));
    }
    if !target.starts_with('/') {
        report.error(
            path,
            "a path begins with `/`, below the base URL",
            Some("such as `GET /Users`".to_owned()),
        );
    }
    if target.contains([' ', '"', '#']) {
        let spot = report.piece(path, target);
        let hint = Some("use `query`, which encodes it, or percent-encode it here".to_owned());
        report.at(spot, Severity::Error, "a blank, a quote or `#` cannot stand in a path", hint);
    }
    comment_cuts(report, path);
    ownership(report, names, case, path, method, target);
}

/// ` #` begins a comment in YAML: what follows it in an unquoted path is silently lost.
fn comment_cuts(report: &mut Report<'_>, path: &str) {
    let places = report.text.places();
    if !places.plain(path) {
        return;
    }
    let spot = places.spot(path);
    let Some(line) = report.text.source().lines().nth(spot.line.saturating_sub(1) as usize) else { return };
    let rest: String = line.chars().skip((spot.column - 1 + spot.length) as usize).collect();
    let lost = rest.trim_start();
    if rest.starts_with(' ')
        && lost.starts_with('#')
        && lost.chars().nth(1).is_some_and(|c| !c.is_whitespace())
    {
        let hint = Some("quote the whole value, or put a blank after `#` if it is a comment".to_owned());
        report.warn(path, format!("`{lost}` is a comment to YAML, not part of the path"), hint);
    }
}

/// PUT, PATCH and DELETE go to what the case created itself.
fn ownership(
    report: &mut Report<'_>,
    names: &Names<'_>,
    case: &Case,
    path: &str,
    method: &str,
    target: &str,
) {
    if !matches!(method, "PUT" | "PATCH" | "DELETE")
        || case.allow.contains(&super::super::model::Permission::Disruptive)
    {
        return;
    }
    let bare = target.split('?').next().unwrap_or(target);
    let mut segments = bare.split('/').skip(1).filter(|segment| !segment.is_empty());
    let (Some(collection), Some(resource)) = (segments.next(), segments.next()) else {
        let message = format!("{method} without an id could touch resources of others");
        let hint = Some("name a resource of the case, or add `allow: [disruptive]`".to_owned());
        report.warn(path, message, hint);
        return;
    };
    let references: Vec<_> = references(resource).collect();
    if let [reference] = references.as_slice() {
        if names.kind(&reference.name) == Some(Kind::Member) {
            let spot = report.piece(path, resource);
            let hint = Some("add a `given` of the case's own".to_owned());
            let message = format!("`{}` belongs to the population, which cases only read", reference.name);
            report.at(spot, Severity::Error, message, hint);
        }
    } else if references.is_empty() && matches!(collection, "Users" | "Groups") {
        let spot = report.piece(path, resource);
        let hint =
            Some("use a resource of the case, or `fresh: {nobody: uuid}` for one that nobody has".to_owned());
        let message = format!("{method} to the fixed id `{resource}` could touch a resource of others");
        report.at(spot, Severity::Warning, message, hint);
    }
}

/// Requirements as texts, to compare conditions.
fn requires<const N: usize>(lists: [&Vec<Requires>; N]) -> BTreeSet<String> {
    lists.into_iter().flatten().map(Requires::to_string).collect()
}
