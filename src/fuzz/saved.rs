//! Suites that fuzzing has saved: `scimspec run --suites DIR` replays them, and the next run about the same subject tries
//! them first. What stands in them is the matter of each fuzzer.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::Subject;
use super::subject::FoundSuite;
use crate::outcome::Level;
use crate::report::text::clip;
use crate::suite::diagnostic::Diagnostic;
use crate::suite::model::Suite;
use crate::suite::yaml;

/// The folder below that of the operator.
const FOLDER: &str = "fuzz";
/// What the mark is in a suite: the run's, and a word for each case.
pub const REFERENCE: &str = "${run}${word}";
/// The most files that are read.
const MOST: usize = 500;

/// A suite of an earlier run.
#[derive(Debug, Clone)]
pub struct SavedSuite {
    /// Its name, for people: the file.
    pub name: String,
    /// What stands in it.
    pub suite: Suite,
    /// The same as text, with its comments.
    pub text: String,
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

/// Reads what earlier runs about a subject have saved in a folder; nothing where there is none.
///
/// # Errors
/// If a file cannot be read, or is no suite.
pub fn read(folder: &Path, subject: Subject) -> Result<Vec<SavedSuite>, SavedError> {
    let folder = folder.join(FOLDER);
    let io = |what, path: &Path| {
        let path = path.to_owned();
        move |source| SavedError::Io { what, path, source }
    };
    if !folder.is_dir() {
        return Ok(Vec::new());
    }
    let beginning = format!("{}-", subject.name());
    let mut files: Vec<(String, PathBuf)> = Vec::new();
    for entry in fs::read_dir(&folder).map_err(io("read", &folder))? {
        let path = entry.map_err(io("read", &folder))?.path();
        let Some(name) = path.file_name().map(|it| it.to_string_lossy().into_owned()) else { continue };
        if name.starts_with(&beginning) && name.ends_with(".yaml") {
            files.push((name, path));
        }
    }
    files.sort();
    let read = |(name, path): (String, PathBuf)| {
        let text = fs::read_to_string(&path).map_err(io("read", &path))?;
        let suite = yaml::read(&path.display().to_string(), &text).map_err(SavedError::Unreadable)?;
        Ok(SavedSuite { name, suite, text })
    };
    files.into_iter().take(MOST).map(read).collect()
}

/// Where a suite of that name about a subject stands in a folder.
pub fn place(folder: &Path, subject: Subject, name: &str) -> PathBuf {
    folder.join(FOLDER).join(format!("{}-{name}.yaml", subject.name()))
}

/// Writes a suite about a subject into the folder: where it stands.
///
/// # Errors
/// If the file cannot be written.
pub fn write(folder: &Path, subject: Subject, suite: &FoundSuite) -> Result<PathBuf, SavedError> {
    let path = place(folder, subject, &suite.name);
    let failed = |what| {
        let path = path.clone();
        move |source| SavedError::Io { what, path, source }
    };
    fs::create_dir_all(folder.join(FOLDER)).map_err(failed("make the folder of"))?;
    fs::write(&path, &suite.text).map_err(failed("write"))?;
    Ok(path)
}

/// What stands at the head of a suite, and of its only case.
#[derive(Debug)]
pub struct Head<'h> {
    /// What it is about.
    pub subject: Subject,
    /// The seed of the run that found it.
    pub seed: u64,
    /// A line of comment, if there is one.
    pub comment: Option<String>,
    /// The name of the cause.
    pub name: &'h str,
    /// What the suite is about.
    pub about: String,
    /// What it needs of the service provider.
    pub requires: &'h [&'h str],
    /// What the case shows; as much of it as a title bears.
    pub title: &'h str,
    /// How strongly it binds, where that is not what the requirements say.
    pub level: Option<Level>,
    /// The requirements that the case is about.
    pub spec: &'h [String],
}

impl Head<'_> {
    /// The YAML up to the keys that are each fuzzer's own.
    pub fn text(&self) -> String {
        let Head { subject, seed, comment, name, about, requires, title, level, spec } = self;
        let quoted = |text: &str| Value::from(text).to_string();
        let what = subject.name();
        let comment = comment.as_ref().map(|line| format!("{line}\n")).unwrap_or_default();
        let level = level
            .map(|level| format!("    level: {}\n", level.to_string().to_lowercase()))
            .unwrap_or_default();
        let spec = if spec.is_empty() { String::new() } else { format!("    spec: [{}]\n", spec.join(", ")) };
        format!(
            "# Found by 'scimspec fuzz {what} --seed {seed}'. 'scimspec run URL --suites DIR' replays it.\n\
             {comment}suite: fuzz-{what}-{name}\n\
             title: {}\n\
             requires: [{}]\n\
             cases:\n  - id: {name}\n    title: {}\n{level}{spec}",
            quoted(about),
            requires.join(", "),
            // What is sent may look like a reference, and a title has none.
            quoted(&clip(title, 200).replace("${", "$ {")),
        )
    }
}

/// A value with one text for another in all that it says. The depth is that of the value, which its reader bounds.
pub fn replaced(value: &Value, from: &str, to: &str) -> Value {
    match value {
        Value::String(text) => text.replace(from, to).into(),
        Value::Array(items) => items.iter().map(|item| replaced(item, from, to)).collect(),
        Value::Object(members) => {
            members.iter().map(|(name, member)| (name.clone(), replaced(member, from, to))).collect()
        }
        other => other.clone(),
    }
}
