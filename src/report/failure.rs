//! The block that shows one case that went wrong: everything that a server's developer needs, in one place.
//!
//! It always shows the requirement (id and sentence), the place in the suite, what was expected and what came,
//! the exchange, and the command that runs just this again. Terminal and JUnit print the same block.

use similar::{ChangeTag, TextDiff};

use crate::outcome::{Difference, Finding, Outcome, Place, Severity, Verdict};
use crate::target::exchange::ExchangeId;

use super::curl;
use super::layout::{self, Focus, Shown};
use super::look::{self, GUTTER, Look};
use super::model::{
    AnswerRecord, BodyRecord, ExchangeRecord, HeaderRecord, RequestRecord, ResponseRecord, RunReport,
};
use super::text;

/// How many findings of one case are shown whole; the rest are counted.
const FINDINGS: usize = 8;
/// How many exchanges of one case are shown whole.
const EXCHANGES: usize = 3;
/// How many requests of the way there are named.
const TRACE: usize = 8;
/// How many lines of a request's body are shown.
const REQUEST_LINES: usize = 24;
/// How many lines of an answer's body are shown.
const ANSWER_LINES: usize = 32;
/// How many lines of one long expected or actual value, and of one difference, are shown.
const VALUE_LINES: usize = 16;
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

/// The one line that says what is wrong, without the case's name.
pub fn message(outcome: &Outcome) -> String {
    let line = match &outcome.verdict {
        Verdict::Errored { cause } => cause.to_string(),
        Verdict::Inconclusive { why } => why.clone(),
        Verdict::Skipped { reason } => reason.to_string(),
        Verdict::Deviates { citation } => format!("as documented: {citation}"),
        Verdict::Passed | Verdict::Noted | Verdict::Warned | Verdict::Failed => {
            outcome.findings.first().map_or_else(|| outcome.title.clone(), |finding| finding.message.clone())
        }
    };
    let line = text::one_line(&text::clip(&line, 400));
    if line.is_empty() { outcome.verdict.word().to_owned() } else { line }
}

/// The whole block, with its heading, ending in a line feed.
pub fn block(report: &RunReport, outcome: &Outcome, look: Look) -> String {
    let mut page = Page { look, lines: Vec::new() };
    page.heading(outcome);
    page.body(report, outcome);
    page.finish()
}

/// The block without exchanges and curl: for what is worth a look and no more.
pub fn brief(report: &RunReport, outcome: &Outcome, look: Look) -> String {
    let mut page = Page { look, lines: Vec::new() };
    page.heading(outcome);
    page.findings(report, outcome);
    page.advice(report, outcome);
    page.finish()
}

/// The block without its heading: for a place that has one of its own, such as JUnit.
pub fn body(report: &RunReport, outcome: &Outcome, look: Look) -> String {
    let mut page = Page { look, lines: Vec::new() };
    page.body(report, outcome);
    page.finish()
}

/// One exchange as its lines crossed the wire, requests behind `>` and answers behind `<`.
pub fn exchange(exchange: &ExchangeRecord, look: Look) -> String {
    let mut page = Page { look, lines: Vec::new() };
    page.exchange(exchange, &[], &[]);
    page.finish()
}

/// The command that runs one case again.
pub fn rerun(report: &RunReport, outcome: &Outcome) -> String {
    let arguments = report.arguments.iter().map(|argument| curl::quote(argument));
    let words = ["scimspec".to_owned(), "run".to_owned()].into_iter().chain(arguments);
    let words: Vec<String> = words.chain(["--case".to_owned(), curl::quote(&outcome.id)]).collect();
    words.join(" ")
}

struct Page {
    look: Look,
    lines: Vec<String>,
}

impl Page {
    fn finish(mut self) -> String {
        while self.lines.last().is_some_and(String::is_empty) {
            self.lines.pop();
        }
        let mut whole = self.lines.join("\n");
        whole.push('\n');
        whole
    }

    fn blank(&mut self) {
        if self.lines.last().is_some_and(|line| !line.is_empty()) {
            self.lines.push(String::new());
        }
    }

    fn heading(&mut self, outcome: &Outcome) {
        let Look { width, .. } = self.look;
        let word = outcome.verdict.word().to_uppercase();
        let id = text::one_line(&outcome.id);
        let level = outcome.level.to_string();
        let used = text::columns(&word) + text::columns(&id) + text::columns(&level) + 8;
        let rule = "─".repeat(width.saturating_sub(used).max(2));
        let style = look::of(&outcome.verdict);
        self.lines.push(format!(
            "{} {} {} {} {} {}",
            self.look.paint(look::FAINT, "──"),
            self.look.paint(style.bold(), &word),
            self.look.paint(look::STRONG, &id),
            self.look.paint(look::FAINT, &rule),
            self.look.paint(look::FAINT, &level),
            self.look.paint(look::FAINT, "─"),
        ));
        for line in text::wrap(&text::one_line(&outcome.title), width) {
            self.lines.push(line);
        }
        self.blank();
    }

    fn body(&mut self, report: &RunReport, outcome: &Outcome) {
        self.findings(report, outcome);
        for (at, exchange) in self.exchanges(report, outcome).into_iter().enumerate() {
            let command = curl::command(exchange, &report.target);
            self.command(if at == 0 { "curl" } else { "then" }, &command);
        }
        self.advice(report, outcome);
    }

    fn findings(&mut self, report: &RunReport, outcome: &Outcome) {
        let mut cited: Vec<&str> = Vec::new();
        let mut placed = None;
        for finding in outcome.findings.iter().take(FINDINGS) {
            self.finding(report, outcome, finding, &mut cited, &mut placed);
            self.blank();
        }
        if let Some(more) = outcome.findings.len().checked_sub(FINDINGS).filter(|more| *more > 0) {
            self.lines.push(format!("  and {} of this case", text::count(more as u64, "further finding")));
            self.blank();
        }
        if outcome.findings.is_empty() {
            self.trouble(outcome);
            self.requirements(report, &outcome.spec, &mut cited);
            self.place(Some(&outcome.place), &mut placed);
            self.blank();
        }
    }

    /// What it means, how to mend it, and how to see it again.
    fn advice(&mut self, report: &RunReport, outcome: &Outcome) {
        for (label, advice) in [("consequence", &outcome.consequence), ("hint", &outcome.hint)] {
            if let Some(advice) = advice {
                self.labelled(label, advice);
            }
        }
        for note in &outcome.notes {
            self.labelled("note", note);
        }
        let rerun = rerun(report, outcome);
        self.command("rerun", &rerun);
    }

    /// What stopped a case without a finding.
    fn trouble(&mut self, outcome: &Outcome) {
        let style = look::of(&outcome.verdict);
        let said = match &outcome.verdict {
            Verdict::Errored { cause } => format!("{}: {}", cause.kind(), cause.detail()),
            _ => message(outcome),
        };
        self.marked("✗", style, &said);
    }

    fn finding<'a>(
        &mut self,
        report: &RunReport,
        outcome: &'a Outcome,
        finding: &'a Finding,
        cited: &mut Vec<&'a str>,
        placed: &mut Option<&'a Place>,
    ) {
        let (mark, style) = match finding.severity {
            Severity::Failure => ("✗", look::BAD),
            Severity::Warning => ("!", look::ODD),
            Severity::Note => ("·", look::FAINT),
        };
        self.marked(mark, style, &finding.message);
        let spec = if finding.requirements.is_empty() { &outcome.spec } else { &finding.requirements };
        self.requirements(report, spec, cited);
        self.place(finding.place.as_ref().or(Some(&outcome.place)), placed);
        self.value("expected", look::GOOD, &finding.expected);
        self.value("actual", look::BAD, &finding.actual);
        self.differences(&finding.differences);
    }

    /// A line behind a mark, wrapped under itself.
    fn marked(&mut self, mark: &str, style: clap::builder::styling::Style, said: &str) {
        let wrapped = text::wrap(&text::one_line(said), self.look.width.saturating_sub(4).max(24));
        for (at, line) in wrapped.iter().enumerate() {
            let before =
                if at == 0 { format!("  {} ", self.look.paint(style.bold(), mark)) } else { "    ".into() };
            self.lines.push(format!("{before}{}", self.look.paint(look::STRONG, line)));
        }
    }

    fn requirements<'a>(&mut self, report: &RunReport, spec: &'a [String], cited: &mut Vec<&'a str>) {
        for id in spec {
            if cited.contains(&id.as_str()) {
                continue;
            }
            cited.push(id);
            match report.requirements.get(id) {
                Some(requirement) => {
                    let said = format!("{id} {}: {}", requirement.level, requirement.sentence);
                    self.labelled("requirement", &said);
                    let link = self.look.paint(look::FAINT, &text::one_line(&requirement.link));
                    self.lines.push(format!("{}{link}", " ".repeat(GUTTER)));
                }
                None => self.labelled("requirement", id),
            }
        }
    }

    fn place<'a>(&mut self, place: Option<&'a Place>, placed: &mut Option<&'a Place>) {
        if let Some(place) = place.filter(|place| *placed != Some(*place)) {
            *placed = Some(place);
            self.lines.push(format!("{}{}", self.look.label("place"), text::one_line(&place.to_string())));
        }
    }

    fn labelled(&mut self, label: &str, said: &str) {
        let wrapped = text::wrap(&text::visible(said.trim_end()), self.look.room());
        for (at, line) in wrapped.into_iter().enumerate() {
            let before = if at == 0 { self.look.label(label) } else { " ".repeat(GUTTER) };
            self.lines.push(format!("{before}{line}"));
        }
    }

    fn command(&mut self, label: &str, command: &str) {
        for (at, line) in command.lines().enumerate() {
            let before = if at == 0 { self.look.label(label) } else { " ".repeat(GUTTER) };
            self.lines.push(format!("{before}{}", self.look.paint(look::COMMAND, line)));
        }
    }

    /// An expected or actual value: a short one on its line, JSON laid out, words wrapped.
    fn value(&mut self, label: &str, style: clap::builder::styling::Style, value: &str) {
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

    fn more(&mut self, all: usize, shown: usize) {
        if let Some(more) = all.checked_sub(shown).filter(|more| *more > 0) {
            let said = format!("⋮ {}", text::count(more as u64, "more line"));
            self.lines.push(format!("{}{}", " ".repeat(GUTTER), self.look.paint(look::FAINT, &said)));
        }
    }

    /// Member by member: `-` what was expected, `+` what came, as in a diff from the one to the other.
    fn differences(&mut self, differences: &[Difference]) {
        const SHOWN: usize = 12;
        let indent = " ".repeat(GUTTER);
        for (at, difference) in differences.iter().enumerate().take(SHOWN) {
            let before = if at == 0 { self.look.label("differs at") } else { indent.clone() };
            let legend = if at == 0 {
                self.look.paint(look::FAINT, "   (- expected, + actual)")
            } else {
                String::new()
            };
            let path = if difference.path.is_empty() {
                "the whole".to_owned()
            } else {
                text::one_line(&difference.path)
            };
            self.lines.push(format!("{before}{}{legend}", self.look.paint(look::STRONG, &path)));
            for (sign, line) in changes(difference, self.look.room().saturating_sub(4)) {
                let style = match sign {
                    '-' => look::GOOD,
                    '+' => look::BAD,
                    _ => look::FAINT,
                };
                self.lines.push(format!("{indent}  {}", self.look.paint(style, &format!("{sign} {line}"))));
            }
        }
        if let Some(more) = differences.len().checked_sub(SHOWN).filter(|more| *more > 0) {
            let said = format!("⋮ {}", text::count(more as u64, "more difference"));
            self.lines.push(format!("{indent}{}", self.look.paint(look::FAINT, &said)));
        }
    }

    /// The exchanges that the findings name, or the last one of a case without findings; before a read, the write
    /// whose effect it shows. Returns the ones that a reader will want to make again.
    fn exchanges<'r>(&mut self, report: &'r RunReport, outcome: &Outcome) -> Vec<&'r ExchangeRecord> {
        let mut ids: Vec<ExchangeId> = Vec::new();
        for id in outcome.findings.iter().filter_map(|finding| finding.exchange) {
            if !ids.contains(&id) {
                ids.push(id);
            }
        }
        if ids.is_empty() {
            ids.extend(outcome.exchanges.last());
        }
        self.trace(report, outcome, &ids);
        let mut again = Vec::new();
        let mut written = None;
        for exchange in ids.iter().take(EXCHANGES).filter_map(|id| report.exchange(*id)) {
            if let Some(write) =
                write_before(report, outcome, exchange).filter(|write| !ids.contains(&write.id))
            {
                if written.replace(write.id) != Some(write.id) {
                    self.exchange(write, &[], &[]);
                    self.blank();
                }
                if again.is_empty() {
                    again.push(write);
                }
            }
            if again.iter().all(|chosen| chosen.request.method != "GET") && again.len() < 2 {
                again.push(exchange);
            }
            let about: Vec<&Finding> =
                outcome.findings.iter().filter(|finding| finding.exchange == Some(exchange.id)).collect();
            let focus: Vec<Focus> =
                about.iter().flat_map(|f| &f.differences).filter_map(|d| Focus::of(&d.path)).collect();
            self.exchange(exchange, &focus, &about);
            self.blank();
        }
        if ids.len() > EXCHANGES {
            let rest: Vec<String> = ids[EXCHANGES..].iter().take(20).map(ToString::to_string).collect();
            let dots = if ids.len() > EXCHANGES + 20 { ", …" } else { "" };
            self.labelled("also", &format!("exchanges {}{dots}", rest.join(", ")));
        }
        again
    }

    /// The requests that led there, a line each.
    fn trace(&mut self, report: &RunReport, outcome: &Outcome, shown: &[ExchangeId]) {
        let steps: Vec<&ExchangeRecord> =
            outcome.exchanges.iter().filter_map(|id| report.exchange(*id)).collect();
        if steps.len() < 2 {
            return;
        }
        // The last steps up to the last one that is shown: what came after it explains nothing.
        let end = steps.iter().rposition(|step| shown.contains(&step.id)).map_or(steps.len(), |at| at + 1);
        let from = end.saturating_sub(TRACE);
        for (at, step) in steps[from..end].iter().enumerate() {
            let before = if at == 0 { self.look.label("steps") } else { " ".repeat(GUTTER) };
            let here =
                if shown.contains(&step.id) { self.look.paint(look::BAD, " ←") } else { String::new() };
            let came = match &step.answer {
                AnswerRecord::Response(response) => response.status.to_string(),
                AnswerRecord::None { .. } => "no answer".to_owned(),
            };
            let said = format!("{} {} {} → {came}", step.id, step.request.method, step.request.path);
            let said = text::one_line(&said);
            let line = text::clip_columns(&said, self.look.room().saturating_sub(2)).into_owned();
            self.lines.push(format!("{before}{line}{here}"));
        }
        self.blank();
    }

    fn exchange(&mut self, exchange: &ExchangeRecord, focus: &[Focus], about: &[&Finding]) {
        let took = match &exchange.answer {
            AnswerRecord::Response(_) => format!("answered in {}", text::duration(exchange.elapsed_ms)),
            AnswerRecord::None { .. } => format!("given up after {}", text::duration(exchange.elapsed_ms)),
        };
        self.lines.push(format!(
            "{}{} {}",
            self.look.label("exchange"),
            exchange.id,
            self.look.paint(look::FAINT, &took)
        ));
        let wanted = |header: &HeaderRecord| {
            TELLING_HEADERS.iter().any(|known| known.eq_ignore_ascii_case(&header.name))
                || about.iter().any(|finding| mentions(finding, &header.name))
        };
        let RequestRecord { method, url, headers, body, .. } = &exchange.request;
        self.wire('>', &format!("{method} {url}"), Some(look::STRONG));
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
    fn wire(&mut self, direction: char, line: &str, style: Option<clap::builder::styling::Style>) {
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

    fn behind(&self, direction: char, line: &str) -> String {
        let arrow = self.look.paint(look::FAINT, &direction.to_string());
        format!("{}{arrow} {line}", " ".repeat(GUTTER - 2)).trim_end().to_owned()
    }

    fn remark(&mut self, direction: char, remark: &str) {
        let said = self.look.paint(look::FAINT, &format!("({remark})"));
        self.lines.push(self.behind(direction, &said));
    }

    fn wire_body(&mut self, direction: char, body: &BodyRecord, focus: &[Focus], limit: usize) {
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

/// The write of the same case whose effect a read shows: the last one before it, to the same resource or as the
/// create of one.
fn write_before<'r>(
    report: &'r RunReport,
    outcome: &Outcome,
    read: &ExchangeRecord,
) -> Option<&'r ExchangeRecord> {
    let resource = |exchange: &ExchangeRecord| {
        exchange.request.path.split('?').next().unwrap_or_default().trim_end_matches('/').to_owned()
    };
    let path = resource(read);
    if read.request.method != "GET" {
        return None;
    }
    outcome.exchanges.iter().rev().filter(|id| **id < read.id).filter_map(|id| report.exchange(*id)).find(
        |before| match before.request.method.as_str() {
            "PUT" | "PATCH" | "DELETE" => resource(before) == path,
            "POST" => path.strip_prefix(&resource(before)).is_some_and(|rest| rest.starts_with('/')),
            _ => false,
        },
    )
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

/// `201 Created`.
fn status_line(status: u16) -> String {
    match reqwest::StatusCode::from_u16(status).ok().and_then(|code| code.canonical_reason()) {
        Some(reason) => format!("{status} {reason}"),
        None => status.to_string(),
    }
}

/// A value for reading: JSON objects and arrays laid out, everything else wrapped.
fn value_lines(value: &str, room: usize) -> Vec<String> {
    if value.trim_start().starts_with(['{', '['])
        && value.len() > room
        && let Ok(json) = serde_json::from_str(value)
    {
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
