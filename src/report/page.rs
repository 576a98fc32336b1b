//! The lines of a block: labels, marks, wrapped text, values, differences, exchanges.
//!
//! Everything passes through [`text`] on its way: what a service provider sent cannot act on a terminal. This module
//! knows how things look, and nothing of which of them a failure shows: that is [`super::failure`].

use clap::builder::styling::Style;
use similar::{ChangeTag, TextDiff};

use crate::outcome::{Difference, Finding, SnapshotDifference};

use super::layout::{self, Focus, Shown};
use super::look::{self, GUTTER, Look};
use super::model::{AnswerRecord, BodyRecord, ExchangeRecord, HeaderRecord, RequestRecord, ResponseRecord};
use super::text;

/// How many lines of a request's body are shown.
const REQUEST_LINES: usize = 24;
/// How many lines of an answer's body are shown.
const ANSWER_LINES: usize = 32;
/// How many lines of one long expected or actual value, and of one difference, are shown.
const VALUE_LINES: usize = 16;
/// How many lines of the diff of a payload are shown.
const DIFF_LINES: usize = 40;
/// How many lines a single long line may take.
const WRAPPED: usize = 6;
/// The headers that a reader wants to see wherever they stand.
const TELLING_HEADERS: [&str; 12] = [
    "accept",
    "authorization",
    "content-type",
    "content-location",
    "etag",
    "if-match",
    "if-none-match",
    "location",
    "retry-after",
    "www-authenticate",
    "content-encoding",
    "allow",
];

/// Lines in the making.
pub(super) struct Page {
    pub(super) look: Look,
    pub(super) lines: Vec<String>,
}

impl Page {
    /// An empty page.
    pub(super) fn new(look: Look) -> Page {
        Page { look, lines: Vec::new() }
    }

    pub(super) fn finish(mut self) -> String {
        while self.lines.last().is_some_and(String::is_empty) {
            self.lines.pop();
        }
        let mut whole = self.lines.join("\n");
        whole.push('\n');
        whole
    }

    pub(super) fn blank(&mut self) {
        if self.lines.last().is_some_and(|line| !line.is_empty()) {
            self.lines.push(String::new());
        }
    }

    /// A line behind a mark, wrapped under itself.
    pub(super) fn marked(&mut self, mark: &str, style: Style, said: &str) {
        let wrapped = text::wrap(&text::one_line(said), self.look.width.saturating_sub(4).max(24));
        for (at, line) in wrapped.iter().enumerate() {
            let before =
                if at == 0 { format!("  {} ", self.look.paint(style.bold(), mark)) } else { "    ".into() };
            self.lines.push(format!("{before}{}", self.look.paint(look::STRONG, line)));
        }
    }

    pub(super) fn labelled(&mut self, label: &str, said: &str) {
        let wrapped = text::wrap(&text::visible(said.trim_end()), self.look.room());
        for (at, line) in wrapped.into_iter().enumerate() {
            let before = if at == 0 { self.look.label(label) } else { " ".repeat(GUTTER) };
            self.lines.push(format!("{before}{line}"));
        }
    }

    pub(super) fn command(&mut self, label: &str, command: &str) {
        for (at, line) in command.lines().enumerate() {
            let before = if at == 0 { self.look.label(label) } else { " ".repeat(GUTTER) };
            self.lines.push(format!("{before}{}", self.look.paint(look::COMMAND, line)));
        }
    }

    /// An expected or actual value: a short one on its line, JSON laid out, words wrapped.
    pub(super) fn value(&mut self, label: &str, style: Style, value: &str) {
        if value.is_empty() {
            return;
        }
        let lines = value_lines(value, self.look.room());
        for (at, line) in lines.iter().enumerate().take(VALUE_LINES) {
            let before = if at == 0 { self.look.label(label) } else { " ".repeat(GUTTER) };
            self.lines.push(format!("{before}{}", self.look.paint(style, line)));
        }
        self.more(lines.len(), VALUE_LINES);
    }

    pub(super) fn more(&mut self, all: usize, shown: usize) {
        if let Some(more) = all.checked_sub(shown).filter(|more| *more > 0) {
            let said = format!("⋮ {}", text::count(more as u64, "more line"));
            self.lines.push(format!("{}{}", " ".repeat(GUTTER), self.look.paint(look::FAINT, &said)));
        }
    }

    /// Member by member: `-` what was expected, `+` what came, as in a diff from the one to the other. Short ones
    /// stand in columns, long ones below their path.
    pub(super) fn differences(&mut self, differences: &[Difference]) {
        const SHOWN: usize = 12;
        let indent = " ".repeat(GUTTER);
        let rows: Vec<Row> = differences.iter().take(SHOWN).map(Row::of).collect();
        let widest = |column: fn(&Row) -> &str| {
            let short = rows.iter().filter(|row| row.is_short);
            short.map(|row| text::columns(column(row))).max().unwrap_or(0)
        };
        let (paths, expected) = (widest(|row| &row.path), widest(|row| &row.expected));
        let fits =
            |row: &Row| row.is_short && paths + expected + text::columns(&row.actual) + 8 <= self.look.room();
        let mut lines = Vec::new();
        for (row, difference) in rows.iter().zip(differences) {
            let path = self.look.paint(look::STRONG, &row.path);
            if fits(row) {
                lines.push(format!(
                    "{path}{}  {}{}  {}",
                    " ".repeat(paths - text::columns(&row.path)),
                    self.look.paint(look::GOOD, &format!("- {}", row.expected)),
                    " ".repeat(expected - text::columns(&row.expected)),
                    self.look.paint(look::BAD, &format!("+ {}", row.actual)),
                ));
                continue;
            }
            lines.push(path);
            for (sign, line) in changes(difference, self.look.room().saturating_sub(4)) {
                let style = match sign {
                    '-' => look::GOOD,
                    '+' => look::BAD,
                    _ => look::FAINT,
                };
                lines.push(format!("  {}", self.look.paint(style, format!("{sign} {line}").trim_end())));
            }
        }
        if let Some(more) = differences.len().checked_sub(SHOWN).filter(|more| *more > 0) {
            let said = format!("⋮ {}", text::count(more as u64, "more difference"));
            lines.push(self.look.paint(look::FAINT, &said));
        }
        if !lines.is_empty() {
            let legend = self.look.paint(look::FAINT, "(- expected, + actual)");
            self.lines.push(format!("{}{legend}", self.look.label("differs at")));
            self.lines.extend(lines.iter().map(|line| format!("{indent}{line}")));
        }
    }

    /// The lines in which a payload is not the accepted one, and how to accept it.
    pub(super) fn snapshot(&mut self, snapshot: &SnapshotDifference) {
        let legend = self.look.paint(look::FAINT, "(- accepted, + received)");
        self.lines.push(format!("{}{legend}", self.look.label("payload")));
        let lines: Vec<&str> = snapshot.diff.lines().collect();
        for line in lines.iter().take(DIFF_LINES) {
            self.diff_line(line);
        }
        self.more(lines.len(), DIFF_LINES);
        if let Some(pending) = &snapshot.pending {
            let folder = std::path::Path::new(pending).parent().unwrap_or(std::path::Path::new("."));
            let command =
                format!("scimspec snapshots accept {}", super::curl::quote(&folder.display().to_string()));
            self.lines.push(format!(
                "{}{}",
                self.look.label("accept"),
                self.look.paint(look::COMMAND, &command)
            ));
        }
    }

    /// One line of a diff, in the colour of its sign; a long one is continued below.
    pub(super) fn diff_line(&mut self, line: &str) {
        let style = match line.chars().next() {
            Some('-') => look::GOOD,
            Some('+') => look::BAD,
            _ => look::FAINT,
        };
        let line = text::one_line(line);
        let chunks = text::hard_wrap(&line, self.look.room());
        for chunk in chunks.iter().take(WRAPPED) {
            self.lines.push(
                format!("{}{}", " ".repeat(GUTTER), self.look.paint(style, chunk)).trim_end().to_owned(),
            );
        }
        self.more(chunks.len(), WRAPPED);
    }

    pub(super) fn exchange(&mut self, exchange: &ExchangeRecord, focus: &[Focus], about: &[&Finding]) {
        let took = match &exchange.answer {
            AnswerRecord::Response(_) => format!("answered in {}", text::duration(exchange.elapsed_ms)),
            AnswerRecord::None { .. } => format!("given up after {}", text::duration(exchange.elapsed_ms)),
        };
        // What no step asked for says why it is there.
        let why = exchange
            .reason
            .as_deref()
            .map(|reason| format!(", {}", text::one_line(reason)))
            .unwrap_or_default();
        self.lines.push(format!(
            "{}{} {}",
            self.look.label("exchange"),
            exchange.id,
            self.look.paint(look::FAINT, &format!("{took}{why}"))
        ));
        let wanted = |header: &HeaderRecord| {
            TELLING_HEADERS.iter().any(|known| known.eq_ignore_ascii_case(&header.name))
                || about.iter().any(|finding| mentions(finding, &header.name))
        };
        let RequestRecord { method, url, headers, body, .. } = &exchange.request;
        self.wire('>', &format!("{method} {url}"), Some(look::STRONG));
        if let Some(query) = decoded_query(url) {
            self.remark('>', &query);
        }
        for HeaderRecord { name, value } in headers.iter().filter(|header| wanted(header)) {
            self.wire('>', &format!("{name}: {value}"), None);
        }
        if let Some(body) = body {
            self.wire_body('>', body, &[], REQUEST_LINES);
        }
        match &exchange.answer {
            AnswerRecord::Response(ResponseRecord { status, headers, body }) => {
                self.wire('<', &status_line(*status), Some(look::STRONG));
                for HeaderRecord { name, value } in headers.iter().filter(|header| wanted(header)) {
                    self.wire('<', &format!("{name}: {value}"), None);
                }
                match body {
                    Some(body) => self.wire_body('<', body, focus, ANSWER_LINES),
                    None => self.remark('<', "no body"),
                }
            }
            AnswerRecord::None { why } => self.wire('<', why, Some(look::TROUBLE)),
        }
    }

    /// One line of an exchange, behind its direction; a long one is continued below.
    pub(super) fn wire(&mut self, direction: char, line: &str, style: Option<Style>) {
        let room = self.look.room();
        let line = text::one_line(line);
        let chunks = text::hard_wrap(&line, room);
        for (at, chunk) in chunks.iter().enumerate().take(WRAPPED) {
            let arrow = if at == 0 { direction } else { ' ' };
            let chunk = style.map_or_else(|| (*chunk).to_owned(), |style| self.look.paint(style, chunk));
            self.lines.push(self.behind(arrow, &chunk));
        }
        self.more(chunks.len(), WRAPPED);
    }

    pub(super) fn behind(&self, direction: char, line: &str) -> String {
        let arrow = self.look.paint(look::FAINT, &direction.to_string());
        format!("{}{arrow} {line}", " ".repeat(GUTTER - 2)).trim_end().to_owned()
    }

    pub(super) fn remark(&mut self, direction: char, remark: &str) {
        let said = self.look.paint(look::FAINT, &format!("({remark})"));
        self.lines.push(self.behind(direction, &said));
    }

    pub(super) fn wire_body(&mut self, direction: char, body: &BodyRecord, focus: &[Focus], limit: usize) {
        self.lines.push(self.behind(direction, ""));
        match serde_json::from_str(&body.text) {
            Ok(json) => {
                let lines = layout::lay_out(&json, self.look.room());
                for shown in layout::choose(&lines, focus, limit) {
                    match shown {
                        Shown::Line(line, false) => self.wire(direction, line, None),
                        Shown::Line(line, true) => self.wire(direction, line, Some(look::BAD)),
                        Shown::Gap(lines) => {
                            let said = format!("⋮ {}", text::count(lines as u64, "line"));
                            let said = self.look.paint(look::FAINT, &said);
                            self.lines.push(self.behind(direction, &said));
                        }
                    }
                }
            }
            Err(_) => {
                let shown = text::visible(&body.text);
                let lines: Vec<&str> = shown.lines().collect();
                for line in lines.iter().take(limit) {
                    self.wire(direction, line, None);
                }
                self.more(lines.len(), limit);
            }
        }
        let mut remarks = Vec::new();
        if let Some(problem) = &body.problem {
            remarks.push(text::one_line(problem));
        }
        if body.masked {
            remarks.push("values of resources that this run did not create read …".to_owned());
        }
        if body.shortened {
            remarks.push(format!("shortened from {}", text::size(body.bytes)));
        }
        if !remarks.is_empty() {
            self.remark(direction, &remarks.join("; "));
        }
    }
}

/// A difference as a row of a table.
struct Row {
    path: String,
    expected: String,
    actual: String,
    /// Whether it is one line on both sides.
    is_short: bool,
}

impl Row {
    fn of(difference: &Difference) -> Row {
        let Difference { path, expected, actual } = difference;
        let path =
            if path.is_empty() { "the whole".to_owned() } else { text::one_line(&text::clip(path, 200)) };
        let is_short = [expected, actual].iter().all(|side| side.len() <= 80 && !side.contains('\n'));
        let side = |text: &str| if is_short { text::one_line(text) } else { String::new() };
        Row { path, expected: side(expected), actual: side(actual), is_short }
    }
}

/// Whether a finding is about a header: its check or its words name it.
fn mentions(finding: &Finding, header: &str) -> bool {
    let header = header.to_ascii_lowercase();
    [&finding.check, &finding.message, &finding.expected, &finding.actual].iter().any(|part| {
        part.to_ascii_lowercase()
            .split(|c: char| !c.is_ascii_alphanumeric() && c != '-')
            .any(|word| word == header)
    })
}

/// The query of a URL as people read it, where percent-encoding hides it.
fn decoded_query(url: &str) -> Option<String> {
    let (_, query) = url.split_once('?')?;
    let decoded = percent_encoding::percent_decode_str(query).decode_utf8_lossy();
    (decoded != query).then(|| text::one_line(&decoded))
}

/// `201 Created`.
fn status_line(status: u16) -> String {
    match reqwest::StatusCode::from_u16(status).ok().and_then(|code| code.canonical_reason()) {
        Some(reason) => format!("{status} {reason}"),
        None => status.to_string(),
    }
}

/// A value for reading: JSON objects and arrays laid out, everything else wrapped.
fn value_lines(value: &str, room: usize) -> Vec<String> {
    let structured = value.trim_start().starts_with(['{', '[']) && value.len() > room;
    if let (true, Ok(json)) = (structured, serde_json::from_str(value)) {
        return layout::lay_out(&json, room).into_iter().map(|line| line.text).collect();
    }
    text::wrap(&text::visible(value.trim_end()), room)
        .iter()
        .flat_map(|line| text::hard_wrap(line, room).into_iter().map(str::to_owned).collect::<Vec<_>>())
        .collect()
}

/// The lines of one difference with their signs. Two structures are compared line by line; lines that agree
/// and are far from a change are left out.
fn changes(difference: &Difference, room: usize) -> Vec<(char, String)> {
    let expected = value_lines(&difference.expected, room);
    let actual = value_lines(&difference.actual, room);
    if expected.len() < 3 || actual.len() < 3 {
        let all =
            expected.into_iter().map(|line| ('-', line)).chain(actual.into_iter().map(|line| ('+', line)));
        let mut all: Vec<_> = all.collect();
        all.truncate(2 * VALUE_LINES);
        return all;
    }
    let (expected, actual) = (expected.join("\n"), actual.join("\n"));
    let diff = TextDiff::from_lines(&expected, &actual);
    let mut lines = Vec::new();
    for group in diff.grouped_ops(2) {
        if !lines.is_empty() {
            lines.push(('⋮', String::new()));
        }
        for change in group.iter().flat_map(|op| diff.iter_changes(op)) {
            let sign = match change.tag() {
                ChangeTag::Delete => '-',
                ChangeTag::Insert => '+',
                ChangeTag::Equal => ' ',
            };
            lines.push((sign, change.value().trim_end_matches('\n').to_owned()));
        }
    }
    if lines.len() > 2 * VALUE_LINES {
        let more = lines.len() - 2 * VALUE_LINES;
        lines.truncate(2 * VALUE_LINES);
        lines.push(('⋮', text::count(more as u64, "more line")));
    }
    lines
}
