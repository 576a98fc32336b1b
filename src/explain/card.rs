//! What an explanation looks like: a heading, a title, labelled lines, each left out where there is nothing to say.

use std::fmt::Write as _;

use crate::outcome::Level;
use crate::report::look::{self, GUTTER, Look};
use crate::report::text;

/// An explanation in the making.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Card {
    /// What kind of thing it is about: `case`, `requirement`.
    pub kind: &'static str,
    /// Its id.
    pub id: String,
    /// How strongly it binds, where it does.
    pub level: Option<Level>,
    /// It in plain words.
    pub title: String,
    rows: Vec<Row>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Row {
    label: &'static str,
    lines: Vec<Line>,
}

/// A line of an explanation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Line {
    /// What is said, wrapped.
    Said(String),
    /// A name that stands out, and what is said of it.
    Named(String, String),
    /// What stands back: a link, a further remark.
    Aside(String),
    /// A command to copy, which is not wrapped.
    Command(String),
}

impl Card {
    /// A card with nothing but its heading and title.
    pub fn new(
        kind: &'static str,
        id: impl Into<String>,
        level: Option<Level>,
        title: impl Into<String>,
    ) -> Card {
        Card { kind, id: id.into(), level, title: title.into(), rows: Vec::new() }
    }

    /// Adds a text behind a label, if there is one.
    pub fn text(&mut self, label: &'static str, said: Option<&str>) {
        self.lines(label, said.map(|said| Line::Said(said.to_owned())));
    }

    /// Adds lines behind a label, if there are any.
    pub fn lines(&mut self, label: &'static str, lines: impl IntoIterator<Item = Line>) {
        let lines: Vec<Line> = lines.into_iter().collect();
        if !lines.is_empty() {
            self.rows.push(Row { label, lines });
        }
    }

    /// Adds the first lines behind a label, and how many more there are.
    pub fn some(&mut self, label: &'static str, lines: Vec<Line>, limit: usize) {
        let more = lines.len().saturating_sub(limit);
        let rest = (more > 0).then(|| Line::Aside(format!("and {more} more")));
        self.lines(label, lines.into_iter().take(limit).chain(rest));
    }

    /// The labels of what it says.
    pub fn labels(&self) -> impl Iterator<Item = &'static str> {
        self.rows.iter().map(|row| row.label)
    }

    /// The card as text, ending in a line feed.
    pub fn render(&self, look: Look) -> String {
        let mut out = String::new();
        let level = self.level.map(|level| format!(" {level} ─")).unwrap_or_default();
        let id = text::one_line(&self.id);
        let used = text::columns(self.kind) + text::columns(&id) + text::columns(&level) + 5;
        let rule = "─".repeat(look.width.saturating_sub(used).max(2));
        let _ = writeln!(
            out,
            "{} {} {} {}",
            look.paint(look::FAINT, "──"),
            look.paint(look::FAINT, self.kind),
            look.paint(look::STRONG, &id),
            look.paint(look::FAINT, &format!("{rule}{level}"))
        );
        for line in text::wrap(&text::visible(&self.title), look.width) {
            let _ = writeln!(out, "{line}");
        }
        out.push('\n');
        for row in &self.rows {
            let mut label = look.label(row.label);
            for line in &row.lines {
                for shown in line.shown(look) {
                    let _ = writeln!(out, "{label}{shown}");
                    label = " ".repeat(GUTTER);
                }
            }
        }
        out
    }
}

impl Line {
    fn shown(&self, look: Look) -> Vec<String> {
        let visible = |said: &str| text::visible(said.trim_end()).into_owned();
        match self {
            Line::Said(said) => wrapped(&visible(said), look.room()),
            Line::Aside(said) => {
                let lines = text::wrap(&visible(said), look.room());
                lines.iter().map(|line| look.paint(look::FAINT, line)).collect()
            }
            Line::Command(command) => vec![look.paint(look::COMMAND, &text::one_line(command))],
            Line::Named(name, said) => {
                // The name is painted after the text was wrapped, so that colours take no columns.
                let name = text::one_line(name);
                // A column is kept for the second blank behind the name.
                let mut lines = wrapped(&format!("{name} {}", visible(said)), look.room() - 1);
                if let Some(first) = lines.first_mut() {
                    let rest = first.strip_prefix(&name).map(str::trim_start).map(str::to_owned);
                    if let Some(rest) = rest {
                        let gap = if rest.is_empty() { "" } else { "  " };
                        *first = format!("{}{gap}{rest}", look.paint(look::STRONG, &name));
                    }
                }
                lines
            }
        }
    }
}

/// Text in lines, and a word that is longer than one in as many as it takes.
fn wrapped(text: &str, width: usize) -> Vec<String> {
    let lines = text::wrap(text, width);
    lines.iter().flat_map(|line| text::hard_wrap(line, width)).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_unknown_has_no_label() {
        let mut card = Card::new("case", "a/b", Some(Level::Must), "It holds");
        card.text("why", None);
        card.lines("asks", []);
        card.text("hint", Some("Mend it."));
        card.some("faults", (1..=3).map(|n| Line::Named(format!("f{n}"), "x".into())).collect(), 2);
        let look = Look { width: 40, colour: false };
        assert_eq!(
            card.render(look),
            "── case a/b ───────────────────── MUST ─\nIt holds\n\n        hint  Mend it.\n      faults  f1  x\n              f2  x\n              and 1 more\n"
        );
    }

    #[test]
    fn colours_take_no_columns_and_long_texts_are_wrapped() {
        let mut card = Card::new("fault", "f", None, "word ".repeat(40));
        card.lines(
            "hurts",
            [Line::Named("name".into(), "word ".repeat(60)), Line::Aside("word ".repeat(30))],
        );
        let plain = card.render(Look { width: 100, colour: false });
        assert!(plain.lines().all(|line| text::columns(line) <= 100), "{plain}");
        let painted = card.render(Look { width: 100, colour: true });
        assert_eq!(painted.lines().count(), plain.lines().count());
    }
}
