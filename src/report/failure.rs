//! The block that shows one case that went wrong: everything that a server's developer needs, in one place.
//!
//! It always shows the requirement (id and sentence), the place in the suite, what was expected and what came,
//! the exchange, and the command that runs just this again. Terminal and JUnit print the same block.

use crate::outcome::{Finding, Outcome, Place, Severity, Tolerance, Verdict};
use crate::target::exchange::ExchangeId;

use super::curl;
use super::layout::Focus;
use super::look::{self, GUTTER, Look};
use super::model::{AnswerRecord, ExchangeRecord, RunReport};
use super::page::Page;
use super::text;

/// How many findings of one case are shown whole; the rest are counted.
const FINDINGS: usize = 8;
/// How many exchanges of one case are shown whole.
const EXCHANGES: usize = 3;
/// How many requests of the way there are named.
const TRACE: usize = 8;

/// The one line that says what is wrong, without the case's name.
pub fn message(outcome: &Outcome) -> String {
    let line = match &outcome.verdict {
        Verdict::Errored { cause } => cause.to_string(),
        Verdict::Inconclusive { why } => why.clone(),
        Verdict::Skipped { reason } => reason.to_string(),
        Verdict::Deviates { citation } => format!("as documented: {citation}"),
        Verdict::KnownFailure => {
            let reason = outcome.baseline.as_ref().map(Tolerance::line).unwrap_or_default();
            format!("known failure: {reason}")
        }
        Verdict::UnexpectedPass => unexpected(outcome),
        Verdict::Passed | Verdict::Noted | Verdict::Warned | Verdict::Failed => {
            let said = outcome.findings.first().map_or(&outcome.title, |finding| &finding.message);
            match outcome
                .baseline
                .as_ref()
                .and_then(|tolerance| tolerance.until.filter(|_| tolerance.expired))
            {
                Some(until) => format!("tolerated until {until} only: {said}"),
                None => said.clone(),
            }
        }
    };
    let line = text::one_line(&text::clip(&line, 400));
    if line.is_empty() { outcome.verdict.word().to_owned() } else { line }
}

/// What is gone of that which the baseline lists, and what to do about it.
fn unexpected(outcome: &Outcome) -> String {
    let take_out = "take it out of the baseline (scimspec baseline update)";
    match outcome.baseline.as_ref() {
        Some(tolerance) if !tolerance.known.is_empty() => {
            let (gone, all) = (tolerance.gone.len(), tolerance.gone.len() + tolerance.known.len());
            format!(
                "{gone} of {} that the baseline lists {} gone: {take_out}",
                text::count(all as u64, "finding"),
                if gone == 1 { "is" } else { "are" }
            )
        }
        _ => format!("holds, and is listed as failing: {take_out}"),
    }
}

/// The whole block, with its heading, ending in a line feed.
pub fn block(report: &RunReport, outcome: &Outcome, look: Look) -> String {
    let mut page = Page::new(look);
    page.heading(outcome);
    page.body(report, outcome);
    page.finish()
}

/// The block without exchanges and curl: for what is worth a look and no more.
pub fn brief(report: &RunReport, outcome: &Outcome, look: Look) -> String {
    let mut page = Page::new(look);
    page.heading(outcome);
    page.findings(report, outcome);
    page.advice(report, outcome);
    page.finish()
}

/// The block without its heading: for a place that has one of its own, such as JUnit.
pub fn body(report: &RunReport, outcome: &Outcome, look: Look) -> String {
    let mut page = Page::new(look);
    page.body(report, outcome);
    page.finish()
}

/// One exchange as its lines crossed the wire, requests behind `>` and answers behind `<`.
pub fn exchange(exchange: &ExchangeRecord, look: Look) -> String {
    let mut page = Page::new(look);
    page.exchange(exchange, &[], &[]);
    page.finish()
}

/// The command that runs one case again.
pub fn rerun(report: &RunReport, outcome: &Outcome) -> String {
    if let Some(fuzz) = &report.fuzz {
        let words = fuzz.command.iter().map(|word| curl::quote(word));
        return std::iter::once("scimspec".to_owned()).chain(words).collect::<Vec<_>>().join(" ");
    }
    let arguments = report.arguments.iter().map(|argument| curl::quote(argument));
    let words = ["scimspec".to_owned(), "run".to_owned()].into_iter().chain(arguments);
    let words: Vec<String> = words.chain(["--case".to_owned(), curl::quote(&outcome.id)]).collect();
    words.join(" ")
}

/// Whether a finding is about a payload that was accepted, or was not yet: the case's requirements, consequence and hint
/// are about something else.
fn is_of_a_payload(finding: &Finding) -> bool {
    finding.check == "snapshot"
}

impl Page {
    fn heading(&mut self, outcome: &Outcome) {
        let Look { width, .. } = self.look;
        let word = outcome.verdict.word().to_uppercase().replace('-', " ");
        let id = text::one_line(&outcome.id);
        // A warning may stand in a case about a MUST: its own requirement says how strongly that binds.
        let level = match outcome.verdict {
            Verdict::Warned => String::new(),
            _ => format!(" {} ─", outcome.level),
        };
        let used = text::columns(&word) + text::columns(&id) + text::columns(&level) + 5;
        let rule = "─".repeat(width.saturating_sub(used).max(2));
        let style = look::of(&outcome.verdict);
        self.lines.push(format!(
            "{} {} {} {}{}",
            self.look.paint(look::FAINT, "──"),
            self.look.paint(style.bold(), &word),
            self.look.paint(look::STRONG, &id),
            self.look.paint(look::FAINT, &rule),
            self.look.paint(look::FAINT, &level),
        ));
        for line in text::wrap(&text::one_line(&outcome.title), width) {
            self.lines.push(line);
        }
        self.blank();
    }

    fn body(&mut self, report: &RunReport, outcome: &Outcome) {
        self.findings(report, outcome);
        if outcome.verdict == Verdict::UnexpectedPass {
            // What went well needs no evidence and no advice.
            return self.command("rerun", &rerun(report, outcome));
        }
        let again = self.exchanges(report, outcome);
        // The server inside scimspec is gone when this is read.
        let again = if report.target.embedded { Vec::new() } else { again };
        for (at, exchange) in again.into_iter().enumerate() {
            let command = curl::command(exchange, &report.target);
            self.command(if at == 0 { "curl" } else { "then" }, &command);
        }
        self.advice(report, outcome);
    }

    fn findings(&mut self, report: &RunReport, outcome: &Outcome) {
        if let (Verdict::UnexpectedPass, Some(tolerance)) = (&outcome.verdict, &outcome.baseline) {
            self.trouble(outcome);
            self.labelled("baseline", &tolerance.line());
            for gone in tolerance.gone.iter().take(FINDINGS) {
                self.labelled("gone", gone);
            }
            return self.blank();
        }
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
        if let Some(tolerance) = outcome.baseline.as_ref().filter(|tolerance| tolerance.expired) {
            self.labelled("baseline", &format!("its day is over: {}", tolerance.line()));
        }
        let only_payloads = !outcome.findings.is_empty() && outcome.findings.iter().all(is_of_a_payload);
        for (label, advice) in [("consequence", &outcome.consequence), ("hint", &outcome.hint)] {
            if let Some(advice) = advice.as_ref().filter(|_| !only_payloads) {
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
        if !is_of_a_payload(finding) {
            let spec = if finding.requirements.is_empty() { &outcome.spec } else { &finding.requirements };
            self.requirements(report, spec, cited);
        }
        self.place(finding.place.as_ref().or(Some(&outcome.place)), placed);
        if let Some(tolerance) = &outcome.baseline {
            let print = finding.fingerprint(&outcome.id);
            if tolerance.new.contains(&print) {
                self.labelled("baseline", "new: the baseline lists this case, and not this finding");
            } else if tolerance.known.contains(&print) && !tolerance.new.is_empty() {
                self.labelled("baseline", &format!("known: {}", tolerance.line()));
            }
        }
        self.value("expected", look::GOOD, &finding.expected);
        self.value("actual", look::BAD, &finding.actual);
        self.differences(&finding.differences);
        if let Some(snapshot) = &finding.snapshot {
            self.snapshot(snapshot);
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
        // What was drawn stands in no file.
        if let Some(place) = place.filter(|place| *placed != Some(*place) && !place.file.is_empty()) {
            *placed = Some(place);
            self.lines.push(format!("{}{}", self.look.label("place"), text::one_line(&place.to_string())));
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
            let why = step.reason.as_deref().map(|reason| format!(", {reason}")).unwrap_or_default();
            let said = format!("{} {} {} → {came}{why}", step.id, step.request.method, step.request.path);
            let said = text::one_line(&said);
            let line = text::clip_columns(&said, self.look.room().saturating_sub(2)).into_owned();
            self.lines.push(format!("{before}{line}{here}"));
        }
        self.blank();
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
