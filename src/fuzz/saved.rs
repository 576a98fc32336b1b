//! Counterexamples as suites: `scimspec run --suites DIR` replays them, and the next run of fuzzing tries them first.

use std::fmt::Write as _;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::filter::Counterexample;
use super::filter::verdict::Verdict;
use super::strategy::data::MARK;
use crate::oracle::world::{Truth, Worlds};
use crate::scim::filter::Filter;
use crate::suite::diagnostic::Diagnostic;
use crate::suite::model::Suite;
use crate::suite::yaml;

/// The folder below that of the operator.
const FOLDER: &str = "fuzz";
/// What the mark is in a suite: the run's, and a word for each case.
const REFERENCE: &str = "${run}${word}";
/// The most files that are read.
const MOST: usize = 500;

/// A counterexample of an earlier run.
#[derive(Debug, Clone, PartialEq)]
pub struct SavedCase {
    /// Its name, for people: the file.
    pub name: String,
    /// Where it is asked.
    pub endpoint: String,
    /// The resources that it needs, with [`MARK`] for the mark.
    pub resources: Vec<Value>,
    /// The filter, with [`MARK`] for the mark.
    pub filter: String,
}

/// Why a folder of saved cases cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum SavedError {
    /// The system says no.
    #[error("cannot {what} {path}: {source}")]
    Io {
        /// What was attempted.
        what: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// A file is no suite.
    #[error("{0}")]
    Unreadable(Box<Diagnostic>),
}

/// Reads what earlier runs have saved in a folder; nothing where there is none.
///
/// # Errors
/// If a file cannot be read, or is no suite.
pub fn read(folder: &Path) -> Result<Vec<SavedCase>, SavedError> {
    let folder = folder.join(FOLDER);
    let io = |what, path: &Path| {
        let path = path.to_owned();
        move |source| SavedError::Io { what, path, source }
    };
    if !folder.is_dir() {
        return Ok(Vec::new());
    }
    let mut files: Vec<PathBuf> = Vec::new();
    for entry in fs::read_dir(&folder).map_err(io("read", &folder))? {
        let path = entry.map_err(io("read", &folder))?.path();
        if path.extension().is_some_and(|it| it == "yaml") {
            files.push(path);
        }
    }
    files.sort();
    let mut cases = Vec::new();
    for path in files.into_iter().take(MOST) {
        let text = fs::read_to_string(&path).map_err(io("read", &path))?;
        let suite: Suite = yaml::read(&path.display().to_string(), &text).map_err(SavedError::Unreadable)?;
        for case in &suite.cases {
            let Some(query) = case.steps.iter().find_map(|step| step.query.as_ref()) else { continue };
            let Some(filter) = &query.filter else { continue };
            let resources: Vec<Value> =
                case.given.values().filter_map(|given| given.inline.as_ref()).map(unmarked).collect();
            cases.push(SavedCase {
                name: path.file_name().map(|it| it.to_string_lossy().into_owned()).unwrap_or_default(),
                endpoint: query.endpoint.trim_end_matches('/').to_owned(),
                resources,
                filter: filter.replace(REFERENCE, MARK),
            });
        }
    }
    // What refers to what only a suite knows is for `run` to replay.
    cases.retain(|case| !case.filter.contains("${"));
    Ok(cases)
}

/// A resource with [`MARK`] for the reference to the mark.
fn unmarked(value: &Value) -> Value {
    replaced(value, REFERENCE, MARK)
}

fn replaced(value: &Value, from: &str, to: &str) -> Value {
    match value {
        Value::String(text) => text.replace(from, to).into(),
        Value::Array(items) => items.iter().map(|item| replaced(item, from, to)).collect(),
        Value::Object(members) => {
            members.iter().map(|(name, member)| (name.clone(), replaced(member, from, to))).collect()
        }
        other => other.clone(),
    }
}

/// The suite that shows a counterexample; none where a suite cannot say it: of a relation between two answers, or of a
/// value that is another in every run and stands there in another form.
pub fn suite(
    name: &str,
    about: &str,
    counterexample: &Counterexample,
    spec: &[String],
    seed: u64,
) -> Option<String> {
    let Counterexample { filter, endpoint, verdict, data, .. } = counterexample;
    if counterexample.against.is_some() {
        return None;
    }
    let mut given = String::new();
    let mut found: Vec<String> = Vec::new();
    let mut text = filter.clone();
    let mut expectation = match verdict {
        Verdict::Served { .. } | Verdict::Miscalled { .. } => {
            "error: {status: 400, usual-scimType: [invalidFilter]}".to_owned()
        }
        _ => "status: 200".to_owned(),
    };
    let mut fresh = "{word: word}".to_owned();
    if let Some(data) = data {
        let parsed = Filter::parse(filter).ok()?;
        let mut resources: Vec<Value> =
            data.rows.iter().map(|row| replaced(&row.sent, MARK, REFERENCE)).collect();
        // A name in capitals needs a reference of its own.
        for (index, row) in data.rows.iter().enumerate() {
            let Some(name) = row.state.get("userName").and_then(Value::as_str) else { continue };
            let other = super::strategy::literal::other_case(name);
            if text.contains(&other) {
                resources[index]["userName"] = "${name}".into();
                text = text.replace(&other, "${other}");
                fresh = "{word: word, name: user-name, other: {upper: name}}".to_owned();
            }
        }
        text = text.replace(&data.word, REFERENCE);
        for (index, (row, resource)) in data.rows.iter().zip(&resources).enumerate() {
            let handle = format!("r{}", index + 1);
            text = text.replace(&row.id, &format!("${{{handle}.id}}"));
            for member in ["created", "lastModified", "location", "version"] {
                let value = row.state.pointer(&format!("/meta/{member}")).and_then(Value::as_str);
                if let Some(value) = value.filter(|value| value.len() > 8) {
                    text = text.replace(value, &format!("${{{handle}.meta.{member}}}"));
                }
            }
            writeln!(given, "      {handle}:\n        inline: {resource}").ok()?;
            match Worlds::all().truth(&parsed, &row.state, &data.definition) {
                Truth::Must => found.push(handle),
                Truth::MustNot => {}
                // What is open is no expectation.
                Truth::Open => return None,
            }
        }
        let is_stale = text.to_ascii_lowercase().contains(&data.word.to_ascii_lowercase());
        if is_stale {
            return None;
        }
        let _ = write!(expectation, "\n          list: {{ours: [{}]}}", found.join(", "));
    }
    let quoted = |text: &str| Value::from(text).to_string();
    let given = if given.is_empty() { String::new() } else { format!("    given:\n{given}") };
    let spec = if spec.is_empty() { String::new() } else { format!("    spec: [{}]\n", spec.join(", ")) };
    Some(format!(
        "# Found by 'scimspec fuzz filter --seed {seed}'. 'scimspec run URL --suites DIR' replays it.\n\
         suite: fuzz-filter-{name}\n\
         title: {}\n\
         requires: [filter]\n\
         cases:\n  - id: {name}\n    title: {}\n{spec}    fresh: {fresh}\n{given}    steps:\n      \
         - query:\n          endpoint: {endpoint}\n          filter: {}\n        expect:\n          {expectation}\n",
        quoted(&format!("Filters: {about}")),
        quoted(&crate::report::text::clip(filter, 200).replace("${", "$ {")),
        quoted(&text),
    ))
}

/// Writes a suite into the folder.
///
/// # Errors
/// If the file cannot be written.
pub fn write(folder: &Path, name: &str, suite: &str) -> Result<PathBuf, SavedError> {
    let folder = folder.join(FOLDER);
    fs::create_dir_all(&folder).map_err(|source| SavedError::Io {
        what: "make",
        path: folder.clone(),
        source,
    })?;
    let path = folder.join(format!("filter-{name}.yaml"));
    fs::write(&path, suite).map_err(|source| SavedError::Io { what: "write", path: path.clone(), source })?;
    Ok(path)
}
