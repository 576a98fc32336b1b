//! `tests/matrix.toml`: every fault with every case, and what that depends on, so that it can be seen to be out of date.
//!
//! What a cell depends on, as far as it is written down here, is what the case *says* and what the fault *claims*:
//!
//! - of a case the YAML of the case and of its suite's head, without what is only told to people (title, why, hint,
//!   consequence, tags) and without comments, the level of what it cites, and the fixtures, populations and vectors
//!   that it names;
//! - of a fault its name and the requirements that it breaks, with their levels.
//!
//! The code of judge, rules, server and faults is left out on purpose: a refactoring would make a quarter of an hour of
//! work stale, and it is held otherwise, since each run of these tests sees every recorded kill again.

use std::collections::{BTreeMap, BTreeSet};

use scimspec::requirement::Catalogue;
use scimspec::server::{FaultEntry, faults};
use scimspec::suite::load::SuiteFile;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::common::library;
use super::faults::Sighting;
use super::report;

/// Where the matrix is kept.
pub const MATRIX: &str = "tests/matrix.toml";

/// Every fault with every case.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Matrix {
    /// Of each case, what it depended on.
    #[serde(default)]
    pub cases: BTreeMap<String, String>,
    /// What a run of the cases of `--quick` sees.
    #[serde(default)]
    pub quick: Quick,
    /// The faults.
    #[serde(default)]
    pub faults: BTreeMap<String, Row>,
}

/// What a run of the cases of `--quick` sees, of which the rows of faults, which are of whole runs, do not tell: rules judge
/// what the cases exchange, and what is asked together differs.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Quick {
    /// Digest of the cases.
    #[serde(default)]
    pub cases: String,
    /// The faults that it sees.
    #[serde(default)]
    pub seen: BTreeSet<String>,
}

/// Who saw a fault.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Row {
    /// What the fault depended on.
    pub digest: String,
    /// Cases that fail, suite by suite: `patch: atomic simple`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    failed: Vec<String>,
    /// Cases that warn.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    warned: Vec<String>,
    /// Cases that take note.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    noted: Vec<String>,
}

impl Row {
    /// The cases that see the fault, with their verdict.
    pub fn cells(&self) -> BTreeMap<String, &'static str> {
        let of_verdict = |list: &[String], verdict: &'static str| -> Vec<(String, &'static str)> {
            let suites = list.iter().filter_map(|line| line.split_once(": "));
            suites
                .flat_map(|(suite, cases)| {
                    cases.split(' ').map(move |case| (format!("{suite}/{case}"), verdict))
                })
                .collect()
        };
        let failed = of_verdict(&self.failed, "failed");
        failed
            .into_iter()
            .chain(of_verdict(&self.warned, "warned"))
            .chain(of_verdict(&self.noted, "noted"))
            .collect()
    }

    fn new(digest: String, cells: &BTreeMap<String, &'static str>) -> Row {
        let list = |wanted: &str| {
            let mut suites: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
            for (case, _) in cells.iter().filter(|(_, verdict)| **verdict == wanted) {
                let (suite, name) = case.split_once('/').unwrap_or((case, ""));
                suites.entry(suite).or_default().push(name);
            }
            suites.into_iter().map(|(suite, names)| format!("{suite}: {}", names.join(" "))).collect()
        };
        Row { digest, failed: list("failed"), warned: list("warned"), noted: list("noted") }
    }
}

/// What is not as it was when the matrix was made.
#[derive(Debug, Default)]
pub struct Stale {
    /// Faults that are new or were changed.
    pub faults: BTreeSet<String>,
    /// Cases that are new or were changed.
    pub cases: BTreeSet<String>,
    /// Faults and cases that are gone.
    pub gone: BTreeSet<String>,
}

impl Stale {
    /// Whether everything is as it was.
    pub fn is_empty(&self) -> bool {
        self.faults.is_empty() && self.cases.is_empty() && self.gone.is_empty()
    }

    /// A rule judges what all cases exchange: where one is stale, every case has to run.
    pub fn needs_all(&self) -> bool {
        self.cases.iter().any(|case| case.starts_with("rules/"))
    }

    /// Whether this is the id of a trial of a stale case.
    pub fn has_case(&self, id: &str) -> bool {
        self.cases.contains(case_of(id)) || self.gone.contains(case_of(id))
    }
}

/// The case that a trial belongs to: its id without row and form.
pub fn case_of(id: &str) -> &str {
    id.split(['[', '@']).next().unwrap_or(id)
}

impl Matrix {
    /// What is recorded.
    pub fn read() -> Matrix {
        let text = std::fs::read_to_string(report::path(MATRIX)).unwrap_or_default();
        toml::from_str(&text).expect("tests/matrix.toml can be read")
    }

    /// Writes it down.
    pub fn write(&self) {
        let text = toml::to_string(self).expect("names and lists");
        std::fs::write(report::path(MATRIX), format!("{HEADER}{text}")).expect("the file can be written");
    }

    /// What is not as it was when it was made. `trials` are the ids of all that runs.
    pub fn stale<'t>(&self, trials: impl Iterator<Item = &'t str>) -> Stale {
        let (cases, faults) = (case_digests(trials), fault_digests());
        let changed = |now: &BTreeMap<String, String>, then: &dyn Fn(&str) -> Option<String>| {
            let differs = |name: &str, digest: &String| then(name).as_ref() != Some(digest);
            let names = now.iter().filter(|(name, digest)| differs(name, digest));
            names.map(|(name, _)| name.clone()).collect::<BTreeSet<String>>()
        };
        let gone_cases = self.cases.keys().filter(|name| !cases.contains_key(*name));
        let gone_faults = self.faults.keys().filter(|name| !faults.contains_key(*name));
        Stale {
            gone: gone_cases.chain(gone_faults).cloned().collect(),
            cases: changed(&cases, &|name| self.cases.get(name).cloned()),
            faults: changed(&faults, &|name| self.faults.get(name).map(|row| row.digest.clone())),
        }
    }

    /// Takes over what has been tried: rows of faults that met every case, and those of others, which met the stale
    /// cases only. `columns` says that with these the cases are as they are now.
    pub fn update(&mut self, rows: &BTreeMap<String, Sighting>, whole: &BTreeSet<String>, stale: &Stale) {
        let digests = fault_digests();
        self.faults.retain(|name, _| digests.contains_key(name));
        for (fault, sighting) in rows {
            let before = self.faults.remove(fault).unwrap_or_default();
            let mut cells = if whole.contains(fault) { BTreeMap::new() } else { before.cells() };
            cells.retain(|case, _| !stale.has_case(case));
            for (case, sight) in &sighting.seen {
                cells.insert(case.clone(), word(&sight.verdict));
            }
            let digest = digests.get(fault).cloned().unwrap_or_default();
            self.faults.insert(fault.clone(), Row::new(digest, &cells));
        }
    }

    /// Says that every fault has met the cases as they are now.
    pub fn sign_cases<'t>(&mut self, trials: impl Iterator<Item = &'t str>) {
        self.cases = case_digests(trials);
    }

    /// Twelve hexadecimal digits over all that it was made of.
    pub fn digest(&self) -> String {
        let rows = self.faults.iter().map(|(name, row)| (name, &row.digest));
        let parts: Vec<String> =
            self.cases.iter().chain(rows).map(|(name, digest)| format!("{name} {digest}")).collect();
        hex(&parts.join("\n"))
    }
}

fn word(verdict: &str) -> &'static str {
    match verdict {
        "failed" => "failed",
        "warned" => "warned",
        _ => "noted",
    }
}

const HEADER: &str = "\
# Every fault of the embedded server with every case that sees it, in the lenient reading, and what that depended on.
# docs/matrix.md shows it. Written by `UPDATE_PROOFS=1 cargo test --test proofs`, or, for what is out of date only, by
# `UPDATE_PROOFS=stale cargo test --test proofs`.

";

/// Twelve hexadecimal digits of a text.
pub fn hex(text: &str) -> String {
    Sha256::digest(text.as_bytes()).iter().take(6).map(|byte| format!("{byte:02x}")).collect()
}

/// What each fault depends on.
fn fault_digests() -> BTreeMap<String, String> {
    let digest = |entry: &FaultEntry| {
        let requirements = entry.requirements.iter().map(|id| format!("{id} {:?}", level(id)));
        hex(&format!("{} {}", entry.name, requirements.collect::<Vec<_>>().join(" ")))
    };
    faults::catalogue().iter().map(|entry| (entry.name.to_owned(), digest(entry))).collect()
}

fn level(id: &str) -> Option<scimspec::outcome::Level> {
    Catalogue::embedded().strongest([id])
}

/// What each case depends on, of those that run.
fn case_digests<'t>(trials: impl Iterator<Item = &'t str>) -> BTreeMap<String, String> {
    let run: BTreeSet<&str> = trials.map(case_of).collect();
    let mut digests = BTreeMap::new();
    for file in library().suites() {
        let ids: Vec<String> = file.suite.cases.iter().map(|case| file.case_id(case)).collect();
        if !ids.iter().any(|id| run.contains(id.as_str())) {
            continue;
        }
        let (head, cases) = written(file);
        for (id, case) in ids.into_iter().zip(cases) {
            if run.contains(id.as_str()) {
                let digest = case_digest(&head, case);
                digests.insert(id, digest);
            }
        }
    }
    digests
}

/// The head of a suite and its cases, as they are written, without what is only told to people.
fn written(file: &SuiteFile) -> (Value, Vec<Value>) {
    let mut suite: Value =
        serde_saphyr::from_str(file.text().source()).expect("the suite has been read before");
    let mut cases = match suite.get_mut("cases").map(Value::take) {
        Some(Value::Array(cases)) => cases,
        _ => Vec::new(),
    };
    for one in cases.iter_mut().chain([&mut suite]) {
        if let Some(members) = one.as_object_mut() {
            members
                .retain(|name, _| !["title", "why", "hint", "consequence", "tags"].contains(&name.as_str()));
        }
    }
    (suite, cases)
}

fn case_digest(head: &Value, case: Value) -> String {
    let mut text = format!("{head}\n{case}");
    let mut known = BTreeSet::new();
    let mut waiting = vec![head.clone(), case];
    while let Some(value) = waiting.pop() {
        let mut words = Vec::new();
        collect_words(&value, &mut words);
        for word in words {
            if !known.insert(word.clone()) {
                continue;
            }
            if let Some(level) = level(&word) {
                text.push_str(&format!("\n{word} {level}"));
            }
            let of_vectors = library().vector_file_names().find(|name| *name == word);
            let read = |folder: &str| {
                let path = report::path(&format!("fixtures/{folder}/{word}.yaml"));
                let text = std::fs::read_to_string(path).expect("an embedded file stands in the repository");
                serde_saphyr::from_str::<Value>(&text).expect("it has been read before")
            };
            let named = [
                library().fixture(&word).cloned(),
                library().population(&word).map(|_| read("populations")),
                of_vectors.map(|_| read("vectors")),
            ];
            for value in named.into_iter().flatten() {
                text.push_str(&format!("\n{word} {value}"));
                waiting.push(value);
            }
        }
    }
    hex(&text)
}

fn collect_words(value: &Value, words: &mut Vec<String>) {
    match value {
        Value::String(text) => words.push(text.clone()),
        Value::Array(elements) => elements.iter().for_each(|element| collect_words(element, words)),
        Value::Object(members) => members.values().for_each(|member| collect_words(member, words)),
        _ => {}
    }
}
