//! What is wrong with a suite file, and where: a message, the place, the line it stands on, a hint.
//!
//! Rendering is the compiler's: file, line, column, the source line with a caret, `help:`. This module refuses to
//! know what makes a suite wrong; [`super::load`] and [`super::lint`] do.

use std::fmt;

use annotate_snippets::renderer::DecorStyle;
use annotate_snippets::{AnnotationKind, Level, Renderer, Snippet};

use crate::outcome::Place;

/// How much a diagnostic weighs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// Worth a look; the suite still runs.
    Warning,
    /// The suite does not run.
    Error,
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Severity::Warning => "warning",
            Severity::Error => "error",
        })
    }
}

/// The line of the file that a diagnostic points into.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Excerpt {
    /// The whole line, without its end.
    pub line: String,
    /// How many characters from the place's column on are meant; at least one.
    pub length: u32,
}

/// One thing that is wrong in a suite, fixture or profile file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostic {
    /// Where.
    pub place: Place,
    /// How much it weighs.
    pub severity: Severity,
    /// What is wrong, in one line.
    pub message: String,
    /// How to mend it.
    pub hint: Option<String>,
    /// The line that the place points into, where the file could be read as text.
    pub excerpt: Option<Excerpt>,
}

impl Diagnostic {
    /// An error about a file as a whole, or about one whose text cannot be shown.
    pub fn about_file(file: impl Into<String>, message: impl Into<String>, hint: Option<&str>) -> Diagnostic {
        Diagnostic {
            place: Place { file: file.into(), line: 1, column: 1 },
            severity: Severity::Error,
            message: message.into(),
            hint: hint.map(str::to_owned),
            excerpt: None,
        }
    }

    /// The diagnostic with its source line, a caret under the place, and the hint.
    pub fn render(&self, colour: bool) -> String {
        let renderer = if colour { Renderer::styled() } else { Renderer::plain() };
        let renderer = renderer.decor_style(DecorStyle::Ascii);
        let level = match self.severity {
            Severity::Error => Level::ERROR,
            Severity::Warning => Level::WARNING,
        };
        let message = printable(&self.message);
        let hint = self.hint.as_deref().map(printable);
        let Some(excerpt) = &self.excerpt else {
            let mut text = format!("{}: {message}\n  --> {}", self.severity, self.place.file);
            if let Some(hint) = hint {
                text.push_str("\n  = help: ");
                text.push_str(&hint);
            }
            return text;
        };
        let line = printable(&excerpt.line);
        let start = byte_of(&line, self.place.column.saturating_sub(1) as usize);
        let end =
            byte_of(&line, (self.place.column.saturating_sub(1) as usize) + excerpt.length.max(1) as usize)
                .max(start);
        let snippet = Snippet::source(line.as_str())
            .line_start(self.place.line as usize)
            .path(self.place.file.as_str())
            .annotation(AnnotationKind::Primary.span(start..end));
        let mut group = level.primary_title(message).element(snippet);
        if let Some(hint) = hint {
            group = group.element(Level::HELP.message(hint));
        }
        renderer.render(&[group])
    }
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}: {}", self.place, self.severity, self.message)?;
        if let Some(hint) = &self.hint {
            write!(f, " (help: {hint})")?;
        }
        Ok(())
    }
}

/// Control characters of a file shown as a replacement character of the same width, so that no file can drive
/// the terminal.
fn printable(text: &str) -> String {
    text.chars()
        .map(|c| {
            if c == '\t' {
                ' '
            } else if c.is_control() {
                '\u{fffd}'
            } else {
                c
            }
        })
        .collect()
}

fn byte_of(line: &str, character: usize) -> usize {
    line.char_indices().nth(character).map_or(line.len(), |(byte, _)| byte)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn diagnostic() -> Diagnostic {
        Diagnostic {
            place: Place { file: "suites/a.yaml".into(), line: 7, column: 5 },
            severity: Severity::Error,
            message: "unknown key `stauts`".into(),
            hint: Some("did you mean `status`?".into()),
            excerpt: Some(Excerpt { line: "  ü {stauts: 200}".into(), length: 6 }),
        }
    }

    #[test]
    fn a_caret_stands_under_the_slip_even_after_wide_letters() {
        let mut slip = diagnostic();
        slip.place.column = 6;
        insta::assert_snapshot!(slip.render(false), @r"
        error: unknown key `stauts`
         --> suites/a.yaml:7:6
          |
        7 |   ü {stauts: 200}
          |      ^^^^^^
          |
          = help: did you mean `status`?
        ");
    }

    #[test]
    fn control_characters_of_a_file_never_reach_the_terminal() {
        let mut hostile = diagnostic();
        hostile.message = "bad \u{1b}[31m".into();
        hostile.excerpt = Some(Excerpt { line: "\u{1b}]0;x\u{7}".into(), length: 400 });
        let shown = hostile.render(false);
        assert!(!shown.contains('\u{1b}') && !shown.contains('\u{7}'), "{shown:?}");
    }

    #[test]
    fn one_line_form_holds_place_and_hint() {
        assert_eq!(
            diagnostic().to_string(),
            "suites/a.yaml:7:5: error: unknown key `stauts` (help: did you mean `status`?)"
        );
    }
}
