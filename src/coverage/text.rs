//! The report on coverage for people: aims, counts by document and section, then the requirements that wait.

use std::fmt::Write as _;

use super::report::{Count, DocumentCoverage, Entry, Report, Role, of_level};
use super::state::State;
use super::tally::{Tally, percent_text};
use crate::outcome::Level;
use crate::report::look::{self, Look};
use crate::report::text;
use crate::requirement::Observable;

/// The columns of a label and a percentage in the table of documents.
const LABEL: usize = 30;
/// The columns of a number there.
const NUMBER: usize = 9;
/// How many cases or proofs are named for one requirement.
const NAMED: usize = 4;
/// The columns before what is said of a requirement.
const INDENT: usize = 6;

/// The report, ending in a line feed. The requirements that are proven are listed only where `proven` says so.
pub fn render(report: &Report, proven: bool, look: Look) -> String {
    let mut out = String::new();
    aims(&mut out, report, look);
    table(&mut out, report, look);
    sections(&mut out, report, look);
    requirements(&mut out, report, proven, look);
    out
}

fn section(out: &mut String, title: &str, look: Look) {
    if !out.is_empty() {
        out.push('\n');
    }
    let rule = "─".repeat(look.width.saturating_sub(text::columns(title) + 4));
    let line = format!("── {title} {rule}");
    let _ = writeln!(out, "{}", look.paint(look::STRONG, &line));
}

/// What a level is called together with how well it can be observed.
pub fn class(level: Level, observable: Observable) -> String {
    match observable {
        Observable::Fully => level.to_string(),
        Observable::Partly => format!("{level}, seen in part"),
        Observable::Not => format!("{level}, not seen"),
    }
}

fn aims(out: &mut String, report: &Report, look: Look) {
    if report.aims.is_empty() {
        return;
    }
    section(out, "aims: RFC 7643, RFC 7644 and RFC 9865", look);
    for aim in &report.aims {
        let (mark, style) = if aim.met { ("✓", look::GOOD) } else { ("✗", look::BAD) };
        let _ = writeln!(
            out,
            "  {} {:<22} {:>4} of {:<4} {:>8}   {}",
            look.paint(style, mark),
            class(aim.level, aim.observable),
            aim.tally.covered(),
            aim.tally.testable(),
            percent_text(aim.covered),
            look.paint(look::FAINT, &format!("aim {:.0} %", aim.percent)),
        );
    }
}

fn table(out: &mut String, report: &Report, look: Look) {
    if report.documents.is_empty() {
        return;
    }
    section(out, "what is asked of a service provider", look);
    let heads = ["asked", "testable", "proven", "exempt", "cited", "untested", "missing"];
    let heads: String = heads.iter().map(|head| format!("{head:>NUMBER$}")).collect();
    let _ = writeln!(out, "{:LABEL$}{}", "", look.paint(look::FAINT, heads.trim_end()));
    let mut role = None;
    for document in &report.documents {
        if role != Some(document.role) {
            role = Some(document.role);
            let said = match document.role {
                Role::Core => "",
                Role::LeanedOn => "what they stand on",
                Role::Apart => "apart, counted nowhere else",
            };
            if !said.is_empty() {
                let _ = writeln!(out, "{}", look.paint(look::FAINT, said));
            }
        }
        let name = format!("{}  {}", document.name(), document.short_title());
        let _ = writeln!(out, "{}", look.paint(look::STRONG, &text::clip_columns(&name, look.width)));
        for count in &document.counts {
            row(out, count, look);
        }
    }
}

fn row(out: &mut String, count: &Count, look: Look) {
    let Tally { asked, proven, exempt, cited, untested, missing, .. } = count.tally;
    let style = match count.covered {
        Some(_) if count.tally.covered() == count.tally.testable() => look::GOOD,
        Some(_) => look::ODD,
        None => look::FAINT,
    };
    let percent = format!("{:>8}", percent_text(count.covered));
    let class = class(count.level, count.observable);
    let numbers: String = [asked, count.tally.testable(), proven, exempt, cited, untested, missing]
        .iter()
        .map(|number| {
            let shown = if *number == 0 { "·".to_owned() } else { number.to_string() };
            format!("{shown:>NUMBER$}")
        })
        .collect();
    let _ = writeln!(out, "  {class:<20}{}{numbers}", look.paint(style, &percent));
}

fn sections(out: &mut String, report: &Report, look: Look) {
    for document in &report.documents {
        section(out, &format!("{} by section: covered of testable", document.name()), look);
        let _ = writeln!(
            out,
            "{}",
            look.paint(look::FAINT, &format!("{:>74}{:>12}{:>12}", "MUST", "SHOULD", "MAY"))
        );
        for one in &document.sections {
            let cells: String = [Level::Must, Level::Should, Level::May]
                .iter()
                .map(|level| cell(&of_level(&one.counts, *level), look))
                .collect();
            let title = text::clip_columns(&one.title, 48);
            let line = format!("  {:<12}{title:<48}{cells}", one.section);
            let _ = writeln!(out, "{}", line.trim_end());
        }
    }
}

/// How many are covered of those that can be, in twelve columns.
fn cell(tally: &Tally, look: Look) -> String {
    let said = match (tally.asked, tally.testable()) {
        (0, _) => String::new(),
        (_, 0) => "–".to_owned(),
        (_, testable) => format!("{}/{testable}", tally.covered()),
    };
    let style = if tally.covered() == tally.testable() { look::GOOD } else { look::ODD };
    let blanks = 12_usize.saturating_sub(text::columns(&said));
    format!("{}{}", " ".repeat(blanks), look.paint(style, &said))
}

fn requirements(out: &mut String, report: &Report, proven: bool, look: Look) {
    for document in &report.documents {
        let listed: Vec<&Entry> = report
            .requirements
            .iter()
            .filter(|one| one.document == document.id && (proven || one.state != State::Proven))
            .collect();
        if listed.is_empty() {
            continue;
        }
        let what = if proven { "requirements" } else { "not proven" };
        section(out, &format!("{}: {what}", document.name()), look);
        let mut at = "";
        for one in listed {
            if at != one.section {
                at = &one.section;
                heading(out, document, at, look);
            }
            requirement(out, one, look);
        }
    }
}

fn heading(out: &mut String, document: &DocumentCoverage, number: &str, look: Look) {
    let title = document.sections.iter().find(|section| section.section == number);
    let title = title.map(|section| section.title.as_str()).unwrap_or_default();
    let _ = writeln!(out, "{}", look.paint(look::STRONG, &format!("{number} {title}")));
}

fn requirement(out: &mut String, one: &Entry, look: Look) {
    let (mark, style) = mark(one.state);
    let class = class(one.level, one.observable);
    let _ = writeln!(
        out,
        "  {} {:<22}{}{}",
        look.paint(style, mark),
        one.id,
        look.paint(look::FAINT, &format!("{class:<24}")),
        look.paint(style, one.state.words())
    );
    said(out, &one.sentence, look);
    if let Some(condition) = &one.condition {
        said(out, &format!("Where: {condition}"), look);
    }
    for line in because(one) {
        faintly(out, &line, look);
    }
}

/// The mark and the colour of a state.
fn mark(state: State) -> (&'static str, clap::builder::styling::Style) {
    match state {
        State::Proven => ("✓", look::GOOD),
        State::Exempt => ("✓", look::ODD),
        State::Cited => ("!", look::ODD),
        State::Untested => ("·", look::ASIDE),
        State::BeyondTests => ("–", look::ASIDE),
        State::Missing => ("✗", look::BAD),
    }
}

/// What shows that a requirement is tested, or why it is not.
pub fn because(one: &Entry) -> Vec<String> {
    let mut lines = Vec::new();
    match one.state {
        State::Proven => {
            let pairs: Vec<String> =
                one.proofs.iter().map(|proof| format!("{} on {}", proof.case, proof.fault)).collect();
            lines.push(format!("red: {}", named(&pairs)));
        }
        State::Exempt | State::Cited => lines.push(format!("cited by {}", named(&one.cases))),
        State::Untested | State::BeyondTests | State::Missing => {}
    }
    match (one.because, &one.reason) {
        (Some(because), Some(reason)) => lines.push(format!("{because}: {reason}")),
        (Some(because), None) => lines.push(because.to_string()),
        (None, Some(reason)) => lines.push(reason.clone()),
        (None, None) => {}
    }
    lines
}

/// The first few names, and how many more there are.
fn named(names: &[String]) -> String {
    let shown = names.iter().take(NAMED).map(String::as_str).collect::<Vec<_>>().join(", ");
    match names.len().saturating_sub(NAMED) {
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}

fn said(out: &mut String, what: &str, look: Look) {
    for line in text::wrap(what, look.width.saturating_sub(INDENT)) {
        let _ = writeln!(out, "{:INDENT$}{line}", "");
    }
}

fn faintly(out: &mut String, what: &str, look: Look) {
    for line in text::wrap(what, look.width.saturating_sub(INDENT)) {
        let _ = writeln!(out, "{:INDENT$}{}", "", look.paint(look::FAINT, &line));
    }
}
