//! What stands on the terminal after a run of fuzzing: a block for each cause, and the run in numbers.

use crate::outcome::{Outcome, Verdict};

use super::failure;
use super::look::{self, Look};
use super::model::{FuzzRecord, RunReport};
use super::{curl, text};

/// How many left resources are named.
const LEFT_BEHIND: usize = 20;

/// Everything, ending in a line feed.
pub fn render(report: &RunReport, look: Look) -> String {
    let mut out = String::new();
    let Some(record) = &report.fuzz else { return out };
    let rank = |outcome: &&Outcome| match outcome.verdict {
        Verdict::Passed | Verdict::Skipped { .. } => 0,
        Verdict::Noted => 1,
        Verdict::Warned => 2,
        Verdict::Inconclusive { .. } | Verdict::Errored { .. } => 3,
        _ => 4,
    };
    let mut shown: Vec<&Outcome> = report.outcomes.iter().filter(|outcome| rank(outcome) > 0).collect();
    shown.sort_by_key(rank);
    for outcome in shown {
        out.push('\n');
        out.push_str(&failure::block(report, outcome, look));
    }
    summary(&mut out, report, record, look);
    conclusion(&mut out, report, record, look);
    out
}

fn summary(out: &mut String, report: &RunReport, record: &FuzzRecord, look: Look) {
    let rule = "─".repeat(look.width.saturating_sub(11).max(2));
    out.push_str(&format!(
        "\n{} {} {}\n",
        look.paint(look::FAINT, "──"),
        look.paint(look::STRONG, "summary"),
        look.paint(look::FAINT, &rule)
    ));
    let mut row = |label: &str, said: &str| {
        for (at, line) in text::wrap(&text::one_line(said), look.room()).iter().enumerate() {
            let before = if at == 0 { look.label(label) } else { " ".repeat(look::GUTTER) };
            out.push_str(format!("{before}{line}").trim_end());
            out.push('\n');
        }
    };
    let embedded = if report.target.embedded { " (the server inside scimspec)" } else { "" };
    let product = report.target.product.as_ref().map(|it| format!(" ({it})")).unwrap_or_default();
    row("target", &format!("{}{product}{embedded}", report.target.base_url));
    row("seed", &report.seed.to_string());
    for (at, set) in record.resources.iter().enumerate() {
        let said = format!("{} at {}", text::count(set.count, "resource"), set.endpoint);
        row(if at == 0 { "judged on" } else { "" }, &said);
    }
    let wide = record.properties.iter().map(|it| it.judged.to_string().len()).max().unwrap_or(0);
    let tried = format!("{}s", record.noun);
    for (at, property) in record.properties.iter().enumerate() {
        row(if at == 0 { &tried } else { "" }, &format!("{:>wide$}  {}", property.judged, property.name));
    }
    if record.left_alone > 0 {
        row(
            "left alone",
            &format!("{}, which known causes explain", text::count(record.left_alone, &record.noun)),
        );
    }
    for (at, sentence) in record.dialect.iter().enumerate() {
        row(if at == 0 { "dialect" } else { "" }, sentence);
    }
    for note in &record.notes {
        row("note", note);
    }
    for name in &record.mended {
        row("mended", &format!("{name} holds now"));
    }
    let numbers = &report.summary;
    let shrinking = match record.shrinking {
        0 => String::new(),
        some => format!(", {some} of them to shrink and to judge anew"),
    };
    row("requests", &format!("{}{shrinking}", numbers.requests));
    row("time", &text::duration(numbers.wall_ms));
    let clean_up = &numbers.clean_up;
    if clean_up.deleted + clean_up.already_gone > 0 || !clean_up.left_behind.is_empty() {
        let rest = match clean_up.left_behind.len() {
            0 => ", nothing left behind".to_owned(),
            left => format!(", {} left behind:", text::count(left as u64, "resource")),
        };
        row("clean-up", &format!("{} deleted{rest}", text::count(clean_up.deleted, "resource")));
        for left in clean_up.left_behind.iter().take(LEFT_BEHIND) {
            row("", &format!("{}  {}", left.path, left.why));
        }
        if !clean_up.left_behind.is_empty() {
            row("", &format!("scimspec clean {} tries again", curl::quote(&report.target.base_url)));
        }
    }
    for (at, path) in record.saved.iter().enumerate() {
        row(if at == 0 { "saved" } else { "" }, path);
    }
    if let Some(folder) = record.saved.first().and_then(|path| std::path::Path::new(path).parent()?.parent())
    {
        let url = if report.target.embedded { String::new() } else { format!(" {}", report.target.base_url) };
        row(
            "replay",
            &format!(
                "scimspec run{url} --suites {} --case 'fuzz-*'",
                curl::quote(&folder.display().to_string())
            ),
        );
    }
}

/// The last lines: what it comes to.
fn conclusion(out: &mut String, report: &RunReport, record: &FuzzRecord, look: Look) {
    let counts = &report.summary.verdicts;
    let failed: Vec<&Outcome> = report.outcomes.iter().filter(|outcome| report.is_failure(outcome)).collect();
    if failed.len() > 1 {
        out.push('\n');
        for outcome in &failed {
            let said =
                text::clip_columns(&failure::message(outcome), look.width.saturating_sub(4)).into_owned();
            out.push_str(&format!("  {} {said}\n", look.paint(look::BAD, "✗")));
        }
    }
    let judged = text::count(record.tried, &record.noun);
    let also = match counts.warned {
        0 => String::new(),
        warned => format!(", {}", text::count(u64::from(warned), "warning")),
    };
    let (style, said) = if report.summary.interrupted {
        (look::TROUBLE, format!("Interrupted: {judged} judged, {} found{also}.", failed.len()))
    } else if !failed.is_empty() {
        let causes = text::count(failed.len() as u64, "defect");
        (look::BAD, format!("{causes} found by {judged}{also}."))
    } else if counts.errored > 0 {
        (look::TROUBLE, format!("Not all could be tried: {judged} judged, none failed{also}."))
    } else if record.tried == 0 {
        (look::TROUBLE, format!("Nothing was tried: {}.", record.ended))
    } else {
        (look::GOOD, format!("Nothing found: {judged} judged, and all hold{also}."))
    };
    let ended = if report.summary.interrupted || record.tried == 0 {
        String::new()
    } else {
        format!(" {}", record.ended)
    };
    out.push_str(&format!("\n{}{}\n", look.paint(style.bold(), &said), ended.trim_end()));
}
