//! What is wrong with suites that can be read: names that mean nothing, expectations that cannot fail, requirements that
//! do not exist. Each finding stands at its place, with a hint.
//!
//! The checks stand beside each other by what they look at: `case` walks a suite file, `expectation` judges what is
//! expected, `errand` looks at hooks, bursts and pauses, `names` knows what a case may refer to, `profile` looks at profiles, `stored` compares what is
//! stored with the core schemas. None of them knows a target.

mod case;
mod errand;
mod expectation;
mod names;
mod profile;
mod stored;

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use super::diagnostic::{Diagnostic, Severity};
use super::load::{Library, SuiteFile};
use super::nearest::suggestion;
use super::place::Spot;
use super::text::Text;
use crate::outcome::{Level, Place};
use crate::requirement::Catalogue;

/// What is known beside the library: the catalogue, and the rules that cases may name.
#[derive(Debug, Clone, Copy)]
pub struct Known<'a> {
    /// The requirements and sources that exist.
    pub catalogue: &'a Catalogue,
    /// The names of the rules that exist.
    pub rules: &'a [&'a str],
}

/// Looks through everything in a library. Errors come with warnings, in the order of the files.
pub fn lint(library: &Library, known: Known<'_>) -> Vec<Diagnostic> {
    let mut diagnostics = Vec::new();
    for (fixture, text) in library.fixtures() {
        let mut report = Report { text, diagnostics: &mut diagnostics };
        stored::resource(&mut report, "", fixture);
    }
    for (population, text) in library.populations() {
        let mut report = Report { text, diagnostics: &mut diagnostics };
        case::population(&mut report, library, population);
    }
    for file in library.suites() {
        let mut report = Report { text: file.text(), diagnostics: &mut diagnostics };
        case::suite(&mut report, library, known, file);
    }
    for profile in library.profiles().values() {
        let mut report = Report { text: profile.text(), diagnostics: &mut diagnostics };
        profile::profile(&mut report, library, known, profile);
    }
    duplicates(library, &mut diagnostics);
    same_snapshots(library, &mut diagnostics);
    diagnostics
}

/// The names of snapshots are unique in a suite: each is the name of a file.
fn same_snapshots(library: &Library, diagnostics: &mut Vec<Diagnostic>) {
    let mut seen: BTreeMap<(&str, &str), Place> = BTreeMap::new();
    for file in library.suites() {
        for path in snapshots_of_actions(file) {
            let hint = Some("compare the payload in the case: several cases may do one action".to_owned());
            Report { text: file.text(), diagnostics }.key_error(&path, "an action has no snapshot", hint);
        }
        for (name, path) in snapshots(file) {
            match seen.entry((&file.suite.suite, name)) {
                Entry::Vacant(free) => {
                    free.insert(file.place(&path));
                }
                Entry::Occupied(first) => {
                    let hint = format!("it stands first at {}; each is the name of a file", first.get());
                    let mut report = Report { text: file.text(), diagnostics };
                    report.error(&path, format!("the snapshot `{name}` is taken already"), Some(hint));
                }
            }
        }
    }
}

fn snapshots_of_actions(file: &SuiteFile) -> Vec<String> {
    let mut all = Vec::new();
    for (name, action) in &file.suite.actions {
        let own = action.steps.iter().enumerate().map(|(at, step)| (step, format!("steps[{at}]")));
        let forms = action.forms.iter().flat_map(|(form, steps)| {
            steps.iter().enumerate().map(move |(at, step)| (step, format!("forms.{form}[{at}]")))
        });
        let asking = own
            .chain(forms)
            .filter(|(step, _)| step.expect.as_ref().is_some_and(|expect| expect.snapshot.is_some()));
        all.extend(asking.map(|(_, path)| format!("actions.{name}.{path}.expect.snapshot")));
    }
    all
}

fn snapshots(file: &SuiteFile) -> Vec<(&str, String)> {
    let mut all = Vec::new();
    for (index, case) in file.suite.cases.iter().enumerate() {
        let steps = case.steps.iter().enumerate().filter_map(|(at, step)| {
            let name = step.expect.as_ref()?.snapshot.as_deref()?;
            Some((name, format!("cases[{index}].steps[{at}].expect.snapshot")))
        });
        let rows = case.rows.iter().enumerate().flat_map(|(at, row)| {
            row.expect.iter().filter_map(move |(step, expect)| {
                let name = expect.snapshot.as_deref()?;
                Some((name, format!("cases[{index}].rows[{at}].expect.{step}.snapshot")))
            })
        });
        all.extend(steps.chain(rows));
    }
    all
}

/// Case ids, checkpoints included, are unique across all suites.
fn duplicates(library: &Library, diagnostics: &mut Vec<Diagnostic>) {
    let mut seen: BTreeMap<String, Place> = BTreeMap::new();
    for file in library.suites() {
        for (id, path) in ids(file) {
            let full = format!("{}/{id}", file.suite.suite);
            match seen.get(&full) {
                None => {
                    seen.insert(full, file.place(&path));
                }
                Some(first) => {
                    let mut report = Report { text: file.text(), diagnostics };
                    report.error(
                        &path,
                        format!("the id `{full}` is taken already"),
                        Some(format!("it stands first at {first}; ids are unique across all suites")),
                    );
                }
            }
        }
    }
}

fn ids(file: &SuiteFile) -> Vec<(&str, String)> {
    let mut ids = Vec::new();
    for (index, case) in file.suite.cases.iter().enumerate() {
        ids.push((case.id.as_str(), format!("cases[{index}].id")));
        for (step_index, step) in case.steps.iter().enumerate() {
            if let Some(checkpoint) = &step.checkpoint {
                ids.push((checkpoint, format!("cases[{index}].steps[{step_index}].checkpoint")));
            }
        }
    }
    ids
}

/// Where findings about one file go.
struct Report<'r> {
    text: &'r Text,
    diagnostics: &'r mut Vec<Diagnostic>,
}

impl Report<'_> {
    fn error(&mut self, path: &str, message: impl Into<String>, hint: Option<String>) {
        self.at(self.text.places().spot(path), Severity::Error, message, hint);
    }

    fn warn(&mut self, path: &str, message: impl Into<String>, hint: Option<String>) {
        self.at(self.text.places().spot(path), Severity::Warning, message, hint);
    }

    /// An error about a key itself, or about one of several keys that exclude each other.
    fn key_error(&mut self, path: &str, message: impl Into<String>, hint: Option<String>) {
        self.at(self.text.places().key_spot(path), Severity::Error, message, hint);
    }

    fn key_warn(&mut self, path: &str, message: impl Into<String>, hint: Option<String>) {
        self.at(self.text.places().key_spot(path), Severity::Warning, message, hint);
    }

    fn at(&mut self, spot: Spot, severity: Severity, message: impl Into<String>, hint: Option<String>) {
        self.diagnostics.push(self.text.diagnostic(spot, severity, message, hint));
    }

    /// The spot of a piece of the text at a path, or of all of it where it cannot be told (escapes, folded lines).
    fn piece(&self, path: &str, piece: &str) -> Spot {
        let spot = self.text.places().spot(path);
        let Some(line) = self.text.source().lines().nth(spot.line.saturating_sub(1) as usize) else {
            return spot;
        };
        let from = spot.column.saturating_sub(1) as usize;
        let value: String = line.chars().skip(from).take(spot.length as usize).collect();
        let Some(at) = value.find(piece) else { return spot };
        let before = u32::try_from(value[..at].chars().count()).unwrap_or(0);
        let length = u32::try_from(piece.chars().count()).unwrap_or(1);
        Spot { line: spot.line, column: spot.column + before, length: length.max(1) }
    }

    /// A name that is not among those known.
    fn unknown<'n>(&mut self, path: &str, what: &str, name: &str, known: impl IntoIterator<Item = &'n str>) {
        self.error(path, format!("there is no {what} `{name}`"), suggestion(name, known));
    }

    /// Requirement ids that do not exist.
    fn spec(&mut self, known: Known<'_>, path: &str, ids: &[String]) {
        for (index, id) in ids.iter().enumerate() {
            if known.catalogue.get(id).is_none() {
                let hint = known.catalogue.nearest(id).map(|near| format!("did you mean `{near}`?"));
                self.error(&format!("{path}[{index}]"), format!("there is no requirement `{id}`"), hint);
            }
        }
    }

    /// Source ids that do not exist.
    fn source(&mut self, known: Known<'_>, path: &str, ids: &[String]) {
        for (index, id) in ids.iter().enumerate() {
            if known.catalogue.source(id).is_none() {
                let hint = known.catalogue.nearest_source(id).map(|near| format!("did you mean `{near}`?"));
                self.error(&format!("{path}[{index}]"), format!("there is no source `{id}`"), hint);
            }
        }
    }

    /// A level stronger than anything it is judged by.
    fn level(&mut self, known: Known<'_>, path: &str, level: Option<Level>, cited: &[String]) {
        let Some(level) = level else { return };
        let Some(strongest) = known.catalogue.strongest(cited.iter().map(String::as_str)) else { return };
        if level > strongest {
            self.error(
                &format!("{path}.level"),
                format!("{level} is stronger than what is cited"),
                Some(format!(
                    "the strongest requirement cited here is a {strongest}; cite the one that asks for more"
                )),
            );
        }
    }
}
