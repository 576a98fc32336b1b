//! The file of one payload, in insta's format: a front matter between lines of `---`, and the payload below it.
//!
//! An accepted payload is `NAME.snap`, one that waits for a decision `NAME.snap.new`. `cargo insta` reads both, and
//! scimspec reads what it writes.

use serde::Deserialize;
use serde_json::Value;

use crate::outcome::Place;
use crate::suite::diagnostic::Severity;
use crate::suite::place::Spot;
use crate::suite::{Diagnostic, yaml};

/// How the name of an accepted payload ends.
pub const ACCEPTED: &str = ".snap";
/// How the name of a payload ends that waits for a decision.
pub const PENDING: &str = ".snap.new";

/// The line before and after the front matter.
const FENCE: &str = "---";

/// One payload with where it comes from.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SnapshotFile {
    /// The suite file that asks for it.
    pub source: Option<String>,
    /// The request: `POST /Users`.
    pub expression: Option<String>,
    /// The id of the case, and what it is about.
    pub description: Option<String>,
    /// The payload, ending in a line feed.
    pub payload: String,
}

/// A file that is no snapshot.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}:{}: {message}", place.file, place.line)]
pub struct DamagedSnapshot {
    /// The file and the line.
    pub place: Place,
    /// What is wrong there.
    pub message: String,
}

/// What insta writes above a payload; what scimspec has no use for is let pass.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct FrontMatter {
    source: Option<String>,
    expression: Option<String>,
    description: Option<String>,
    snapshot_kind: Option<String>,
}

impl SnapshotFile {
    /// Understands the text of a file; `name` is what messages call it.
    ///
    /// # Errors
    /// The line that is no part of a snapshot.
    pub fn parse(name: &str, text: &str) -> Result<SnapshotFile, DamagedSnapshot> {
        let damaged = |line: usize, message: String| DamagedSnapshot {
            place: Place { file: name.to_owned(), line: u32::try_from(line).unwrap_or(u32::MAX), column: 1 },
            message,
        };
        let lines: Vec<&str> = text.lines().collect();
        if lines.first().map(|line| line.trim_end()) != Some(FENCE) {
            return Err(damaged(
                1,
                "a snapshot begins with a line of `---`, and this file does not".to_owned(),
            ));
        }
        let Some(end) = lines.iter().skip(1).position(|line| line.trim_end() == FENCE).map(|at| at + 1)
        else {
            let why = "the front matter does not end: there is no second line of `---`".to_owned();
            return Err(damaged(lines.len(), why));
        };
        // A blank line in the place of the first fence keeps the numbers of the lines.
        let front = format!("\n{}", lines[1..end].join("\n"));
        let front: FrontMatter = if front.trim().is_empty() {
            FrontMatter::default()
        } else {
            yaml::read(name, &front).map_err(|error| DamagedSnapshot {
                place: error.place.clone(),
                message: format!("the front matter cannot be read: {}", error.message),
            })?
        };
        if front.snapshot_kind.as_deref().is_some_and(|kind| kind != "text") {
            return Err(damaged(2, "the snapshot is binary, and payloads are texts".to_owned()));
        }
        let payload = &lines[end + 1..];
        let first = payload.iter().position(|line| !line.trim().is_empty());
        match first.map(|at| payload[at]) {
            Some(line) if is_status_line(line) => {}
            Some(line) => {
                let shown = crate::report::text::one_line(&crate::report::text::clip(line, 60));
                let why =
                    format!("a payload begins with its status, such as `HTTP 200 OK`, not with `{shown}`");
                return Err(damaged(end + 2 + first.unwrap_or_default(), why));
            }
            None => return Err(damaged(end + 1, "there is no payload below the front matter".to_owned())),
        }
        let payload = format!("{}\n", payload[first.unwrap_or_default()..].join("\n").trim_end());
        Ok(SnapshotFile {
            source: front.source,
            expression: front.expression,
            description: front.description,
            payload,
        })
    }

    /// The text of the file.
    pub fn text(&self) -> String {
        let mut text = format!("{FENCE}\n");
        for (key, value) in
            [("source", &self.source), ("description", &self.description), ("expression", &self.expression)]
        {
            if let Some(value) = value {
                text.push_str(&format!("{key}: {}\n", scalar(value)));
            }
        }
        text.push_str(&format!("{FENCE}\n{}\n", self.payload.trim_end()));
        text
    }

    /// The case that it belongs to, as far as the file says.
    pub fn case(&self) -> Option<&str> {
        self.description
            .as_deref()
            .and_then(|said| said.split([':', ' ']).next())
            .filter(|id| id.contains('/'))
    }
}

fn is_status_line(line: &str) -> bool {
    let code = line.strip_prefix("HTTP ").and_then(|rest| rest.get(..3));
    code.is_some_and(|code| code.bytes().all(|byte| byte.is_ascii_digit()))
}

/// A text as YAML: plain where that means nothing else, or as JSON, which YAML contains.
fn scalar(text: &str) -> String {
    let plain = text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"/._-".contains(&byte))
        && !["true", "false", "null", "yes", "no"].contains(&text.to_ascii_lowercase().as_str());
    if plain { text.to_owned() } else { Value::from(text).to_string() }
}

/// As the rest of scimspec shows what is wrong in a file: with the line itself.
pub fn diagnostic(error: &DamagedSnapshot, text: &str) -> Diagnostic {
    let spot = Spot { line: error.place.line, column: error.place.column, length: 1 };
    yaml::diagnostic_at(
        &error.place.file,
        text,
        spot,
        Severity::Error,
        error.message.clone(),
        Some("take the file from version control, or delete it and accept the payload anew".to_owned()),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> SnapshotFile {
        SnapshotFile {
            source: Some("suites/rfc7644/3.3-create.yaml".to_owned()),
            expression: Some("POST /Users".to_owned()),
            description: Some("create/minimal-user: a user: \"minimal\" #1".to_owned()),
            payload:
                "HTTP 201 Created\nContent-Type: application/scim+json\n\n{\n  \"id\": \"[ann.id]\"\n}\n"
                    .to_owned(),
        }
    }

    #[test]
    fn what_is_written_reads_back() {
        let file = sample();
        assert_eq!(SnapshotFile::parse("x.snap", &file.text()).unwrap(), file);
        assert_eq!(file.case(), Some("create/minimal-user"));
        let bare = SnapshotFile { payload: "HTTP 204 No Content\n".to_owned(), ..SnapshotFile::default() };
        assert_eq!(SnapshotFile::parse("x.snap", &bare.text()).unwrap(), bare);
    }

    #[test]
    fn what_insta_adds_is_let_pass() {
        let text = "---\nsource: src/x.rs\nassertion_line: 7\nexpression: \"&x\"\ninfo:\n  a: [1]\n---\r\nHTTP 200 OK\r\n\r\n";
        let file = SnapshotFile::parse("x.snap", text).unwrap();
        assert_eq!((file.payload.as_str(), file.expression.as_deref()), ("HTTP 200 OK\n", Some("&x")));
    }

    #[test]
    fn insta_reads_what_is_written() {
        let folder = tempfile::tempdir().unwrap();
        let file = sample();
        std::fs::write(folder.path().join("create__user.snap"), file.text()).unwrap();
        insta::with_settings!({snapshot_path => folder.path(), prepend_module_to_snapshot => false, omit_expression => true}, {
            insta::assert_snapshot!("create__user", file.payload.trim_end());
        });
    }

    #[test]
    fn damage_is_named_with_its_line() {
        for (text, line, why) in [
            ("", 1, "begins with"),
            ("HTTP 200 OK\n", 1, "begins with"),
            ("---\nsource: x\nHTTP 200 OK\n", 3, "no second line"),
            ("---\nsource: x\nexpression: [\n---\nHTTP 200 OK\n", 3, "cannot be read"),
            ("---\nsource: {a: b}\n---\nHTTP 200 OK\n", 2, "cannot be read"),
            ("---\nsource: x\n---\n\n\n", 3, "no payload"),
            ("---\nsource: x\n---\n<<<<<<< HEAD\nHTTP 200 OK\n", 4, "`<<<<<<< HEAD`"),
            ("---\nsnapshot_kind: binary\nextension: png\n---\n", 2, "binary"),
        ] {
            let error = SnapshotFile::parse("d/x.snap", text).unwrap_err();
            assert_eq!(
                (error.place.line, error.place.file.as_str()),
                (line, "d/x.snap"),
                "{text:?}: {error}"
            );
            assert!(error.to_string().contains(why), "{error}");
        }
    }
}
