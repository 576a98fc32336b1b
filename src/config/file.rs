//! `scimspec.toml`: found, read, and where it is wrong, shown with the line and a caret.

use std::ops::Range;
use std::path::Path;
use std::sync::LazyLock;

use regex::Regex;

use crate::outcome::Place;
use crate::suite::diagnostic::{Excerpt, Severity};
use crate::suite::{Diagnostic, nearest};

use super::error::ConfigError;
use super::settings::Settings;

/// The name of the file that is looked for in the current folder.
pub const NAME: &str = "scimspec.toml";

/// Credentials inside a URL.
static PASSWORD: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"://[^/@\s]*@").expect("the pattern is valid"));

/// Reads the file given, or the one in the current folder if there is one.
///
/// # Errors
/// When the file given is not there, or a file cannot be read or understood.
pub fn read(given: Option<&Path>, folder: &Path) -> Result<Settings, ConfigError> {
    let (path, shown) = match given {
        Some(path) => (folder.join(path), path.display().to_string()),
        None => (folder.join(NAME), NAME.to_owned()),
    };
    let text = match std::fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) if given.is_none() && error.kind() == std::io::ErrorKind::NotFound => {
            return Ok(Settings::default());
        }
        Err(source) => return Err(ConfigError::Unreadable { what: "the configuration", path, source }),
    };
    let settings = parse(&text, &shown)?;
    Ok(settings.relative_to(path.parent().unwrap_or(folder)))
}

/// Understands the text of a file; `name` is what messages call it.
///
/// # Errors
/// The first spot that cannot be understood, with its line.
pub fn parse(text: &str, name: &str) -> Result<Settings, ConfigError> {
    toml::from_str(text).map_err(|error| ConfigError::File(Box::new(diagnostic(&error, text, name))))
}

/// What the parser says of a text, at its place.
pub(crate) fn diagnostic(error: &toml::de::Error, text: &str, name: &str) -> Diagnostic {
    let (message, hint) = words(error.message());
    match error.span() {
        Some(span) => located(text, name, span, message, hint),
        None => Diagnostic::about_file(name, message, hint.as_deref()),
    }
}

/// An error about a span of bytes in the text of a file.
pub(crate) fn located(
    text: &str,
    name: &str,
    span: Range<usize>,
    message: String,
    hint: Option<String>,
) -> Diagnostic {
    let start = (0..=span.start.min(text.len())).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
    let line_start = text[..start].rfind('\n').map_or(0, |at| at + 1);
    let line = text[line_start..].lines().next().unwrap_or_default();
    let length =
        text.get(start..span.end).map_or(1, |meant| meant.lines().next().unwrap_or_default().chars().count());
    // A URL may hold a password, which is the very slip that is shown here.
    let line = PASSWORD.replace_all(line, "://***@");
    let number = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
    Diagnostic {
        place: Place {
            file: name.to_owned(),
            line: number(text[..line_start].matches('\n').count() + 1),
            column: number(text[line_start..start].chars().count() + 1),
        },
        severity: Severity::Error,
        message,
        hint,
        excerpt: Some(Excerpt { length: number(length.max(1)), line: line.into_owned() }),
    }
}

/// The parser's words in ours. `unknown field` and `unknown variant` list what would have been known, each between
/// backticks; from that comes the hint.
fn words(message: &str) -> (String, Option<String>) {
    let quoted: Vec<&str> = message.split('`').skip(1).step_by(2).collect();
    for (theirs, ours) in [("unknown field", "unknown key"), ("unknown variant", "unknown value")] {
        if let (true, Some((slip, known))) = (message.starts_with(theirs), quoted.split_first()) {
            return (format!("{ours} `{slip}`"), nearest::suggestion(slip, known.iter().copied()));
        }
    }
    let mut message = message.trim().replace('\n', ", ").replace("invalid type:", "wrong type:");
    for number in ["u16", "u32", "u64", "usize"] {
        message = message.replace(&format!("expected {number}"), "expected a whole number");
    }
    (message, None)
}
