//! How output looks: its width, whether it is coloured, and which colour means what.

use clap::builder::styling::{AnsiColor, Color, Style};

use crate::outcome::Verdict;
use crate::readiness::Readiness;

use super::text;

/// Where labels end, in columns: `    expected`.
const LABEL: usize = 12;

/// Where the text beside a label begins, in columns.
pub const GUTTER: usize = LABEL + 2;

/// The width of text that is written to a file, where nobody's window limits it.
pub const FILE_WIDTH: usize = 110;

/// The width and the colours of an output.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Look {
    /// Its width in columns.
    pub width: usize,
    /// Whether it may be coloured.
    pub colour: bool,
}

impl Look {
    /// For a file: wide, without colours.
    pub const FILE: Look = Look { width: FILE_WIDTH, colour: false };

    /// A text in a style, or as it is where colours are off.
    pub fn paint(self, style: Style, text: &str) -> String {
        if self.colour && !text.is_empty() { format!("{style}{text}{style:#}") } else { text.to_owned() }
    }

    /// The columns beside the labels.
    pub fn room(self) -> usize {
        self.width.saturating_sub(GUTTER).max(24)
    }

    /// A label at its place, with the two blanks that follow it.
    pub fn label(self, label: &str) -> String {
        let blanks = LABEL.saturating_sub(text::columns(label));
        format!("{}{}  ", " ".repeat(blanks), self.paint(LABELS, label))
    }
}

const fn fg(color: AnsiColor) -> Style {
    Style::new().fg_color(Some(Color::Ansi(color)))
}

/// What labels are written in.
pub const LABELS: Style = Style::new().dimmed();
/// What stands back.
pub const FAINT: Style = Style::new().dimmed();
/// What stands out.
pub const STRONG: Style = Style::new().bold();
/// What was expected, what is well.
pub const GOOD: Style = fg(AnsiColor::Green);
/// What came instead, what is not well.
pub const BAD: Style = fg(AnsiColor::Red);
/// What somebody should look at.
pub const ODD: Style = fg(AnsiColor::Yellow);
/// What could not be judged.
pub const TROUBLE: Style = fg(AnsiColor::Magenta);
/// What was left out.
pub const ASIDE: Style = fg(AnsiColor::Cyan);
/// A command to copy.
pub const COMMAND: Style = fg(AnsiColor::Cyan);

/// The colour of a verdict.
pub fn of(verdict: &Verdict) -> Style {
    match verdict {
        Verdict::Passed | Verdict::Noted => GOOD,
        Verdict::Warned | Verdict::Deviates { .. } | Verdict::KnownFailure => ODD,
        Verdict::Failed | Verdict::UnexpectedPass => BAD,
        Verdict::Skipped { .. } => ASIDE,
        Verdict::Inconclusive { .. } | Verdict::Errored { .. } => TROUBLE,
    }
}

/// The mark and the colour of a feature.
pub fn of_readiness(readiness: Readiness) -> (&'static str, Style) {
    match readiness {
        Readiness::Ready => ("✓", GOOD),
        Readiness::ReadyWithWarnings => ("!", ODD),
        Readiness::NotReady => ("✗", BAD),
        Readiness::NotTested => ("·", ASIDE),
    }
}
