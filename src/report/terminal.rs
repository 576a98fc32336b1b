//! What stands on the terminal after the trials' own lines: what went wrong, what was left out, the run in
//! numbers.

use clap::builder::styling::Style;
use indexmap::IndexMap;

use crate::outcome::{ErrorCause, Exit, Outcome, Signature, SkipReason, Tolerance, Verdict};
use crate::readiness::{Readiness, untested_core};

use super::failure;
use super::look::{self, GUTTER, Look};
use super::model::{CleanUpRecord, CredentialNames, DeviationRecord, RunReport};
use super::{curl, text};

/// Up to how many warned cases are shown with their exchanges.
const WHOLE_WARNINGS: usize = 3;
/// From how many failures on those are told in brief that show nothing new.
const WHOLE_FAILURES: usize = 12;
/// How many ids are named for one reason of skipping.
const NAMED: usize = 4;
/// How many of what was left behind are named.
const LEFT_BEHIND: usize = 20;

/// Everything after the trials' lines, ending in a line feed.
pub fn render(report: &RunReport, look: Look) -> String {
    let mut out = String::new();
    details(&mut out, report, look);
    deviating(&mut out, report, look);
    skipped(&mut out, report, look);
    known(&mut out, report, look);
    summary(&mut out, report, look);
    readiness(&mut out, report, look);
    conclusion(&mut out, report, look);
    out
}

/// A block for each case that needs a reader: warnings first and failures last, nearest to the prompt.
fn details(out: &mut String, report: &RunReport, look: Look) {
    let warned: Vec<&Outcome> = report
        .outcomes
        .iter()
        .filter(|outcome| matches!(outcome.verdict, Verdict::Warned) && !report.is_failure(outcome))
        .collect();
    let whole = warned.len() <= WHOLE_WARNINGS;
    for outcome in &warned {
        out.push('\n');
        out.push_str(&if whole {
            failure::block(report, outcome, look)
        } else {
            failure::brief(report, outcome, look)
        });
    }
    unjudged(out, report, look);
    failed(out, report, look);
}

/// What could not be judged: a block for each cause, and the names of the other cases that it met. A server that goes
/// away takes hundreds of cases with it, for one reason.
fn unjudged(out: &mut String, report: &RunReport, look: Look) {
    let mut causes: IndexMap<String, Vec<&Outcome>> = IndexMap::new();
    for outcome in &report.outcomes {
        if matches!(outcome.verdict, Verdict::Inconclusive { .. } | Verdict::Errored { .. }) {
            causes.entry(failure::message(outcome)).or_default().push(outcome);
        }
    }
    for (first, others) in causes.values().filter_map(|outcomes| outcomes.split_first()) {
        out.push('\n');
        out.push_str(&failure::block(report, first, look));
        if !others.is_empty() {
            let names = named(others.iter().map(|outcome| outcome.id.as_str()), 3 * NAMED);
            let said =
                format!("{} for the same reason: {names}", text::count(others.len() as u64, "further case"));
            labelled(out, "also", &said, look);
        }
    }
}

/// A block for each failure. Where there are many, those that show the same as one before are told without their
/// exchanges.
fn failed(out: &mut String, report: &RunReport, look: Look) {
    let failed = report.outcomes.iter().filter(|outcome| report.is_failure(outcome) && !holds(outcome));
    let failed: Vec<&Outcome> = failed.collect();
    let mut shown: Vec<(Vec<&Signature>, &str)> = Vec::new();
    for outcome in &failed {
        out.push('\n');
        let own: Vec<&Signature> = outcome.findings.iter().map(|finding| &finding.signature).collect();
        let before = shown.iter().find(|(other, _)| !own.is_empty() && *other == own);
        match before {
            Some((_, like)) if failed.len() > WHOLE_FAILURES => {
                out.push_str(&failure::brief(report, outcome, look));
                labelled(out, "exchange", &format!("as in {like}, or by the command above"), look);
            }
            _ => {
                out.push_str(&failure::block(report, outcome, look));
                shown.push((own, outcome.id.as_str()));
            }
        }
    }
}

/// Up to so many names, and how many more there are.
fn named<'a>(names: impl ExactSizeIterator<Item = &'a str>, limit: usize) -> String {
    let more = names.len().saturating_sub(limit);
    let mut said = names.take(limit).collect::<Vec<_>>().join(", ");
    if more > 0 {
        said.push_str(&format!(" and {more} more"));
    }
    said
}

/// A text beside a label, wrapped under itself.
fn labelled(out: &mut String, label: &str, said: &str, look: Look) {
    for (at, line) in text::wrap(&text::one_line(said), look.room()).iter().enumerate() {
        let before = if at == 0 { look.label(label) } else { " ".repeat(GUTTER) };
        out.push_str(&format!("{before}{line}\n"));
    }
}

/// What is as its vendor documents it, and not as the RFCs ask.
fn deviating(out: &mut String, report: &RunReport, look: Look) {
    let deviates: Vec<(&Outcome, &str)> = report
        .outcomes
        .iter()
        .filter_map(|outcome| match &outcome.verdict {
            Verdict::Deviates { citation } => Some((outcome, citation.as_str())),
            _ => None,
        })
        .collect();
    if deviates.is_empty() {
        return;
    }
    section(out, "as documented, not as the RFCs ask", look);
    for (outcome, _) in deviates {
        out.push_str(&format!(
            "  {} {}\n",
            look.paint(look::ODD, "≠"),
            look.paint(look::STRONG, &text::one_line(&outcome.id))
        ));
        if let Some(finding) = outcome.findings.first() {
            labelled(out, "differs", &text::clip(&finding.message, 300), look);
        }
        for note in outcome.notes.iter().filter(|note| note.starts_with("documented in ")) {
            labelled(out, "", note, look);
        }
    }
}

/// What was not judged, grouped by the reason.
fn skipped(out: &mut String, report: &RunReport, look: Look) {
    let mut reasons: IndexMap<String, Vec<&str>> = IndexMap::new();
    let mut evidence: IndexMap<String, &str> = IndexMap::new();
    for outcome in &report.outcomes {
        if let Verdict::Skipped { reason } = &outcome.verdict {
            reasons.entry(group(reason)).or_default().push(&outcome.id);
            if let SkipReason::BlockedBy { detail, .. } = reason {
                evidence.entry(group(reason)).or_insert(detail);
            }
        }
    }
    if reasons.is_empty() {
        return;
    }
    // The sort is stable: reasons of equal weight stay in the order of the suites.
    reasons.sort_by(|_, a, _, b| b.len().cmp(&a.len()));
    section(out, "skipped", look);
    for (reason, ids) in &reasons {
        labelled(out, &format!("{} ×", ids.len()), reason, look);
        if let Some(detail) = evidence.get(reason) {
            labelled(out, "", &text::clip(detail, 300), look);
        }
        let indent = " ".repeat(GUTTER);
        let named = named(ids.iter().copied(), NAMED);
        for line in text::wrap(&text::one_line(&named), look.room()) {
            out.push_str(&format!("{indent}{}\n", look.paint(look::FAINT, &line)));
        }
    }
}

/// Whether a case holds that the baseline lists, and with all that it lists.
fn holds(outcome: &Outcome) -> bool {
    let half = outcome.baseline.as_ref().is_some_and(|tolerance| !tolerance.known.is_empty());
    outcome.verdict == Verdict::UnexpectedPass && !half
}

/// The failures that the baseline knows, and those that it lists and that are none any more.
fn known(out: &mut String, report: &RunReport, look: Look) {
    let known = |outcome: &Outcome| outcome.verdict == Verdict::KnownFailure;
    tolerated(out, report, look, "known failures", &known);
    if tolerated(out, report, look, "unexpected passes", &holds) {
        let command = "scimspec baseline update --from run.json";
        let said = format!("after a run with --json run.json, '{command}' takes them out of the baseline");
        labelled(out, "hint", &said, look);
    }
}

/// The cases of one kind that the baseline lists, grouped by what it says of them. Whether there are any.
fn tolerated(
    out: &mut String,
    report: &RunReport,
    look: Look,
    title: &str,
    kind: &dyn Fn(&Outcome) -> bool,
) -> bool {
    let mut reasons: IndexMap<String, Vec<&str>> = IndexMap::new();
    for outcome in report.outcomes.iter().filter(|outcome| kind(outcome)) {
        let reason = outcome.baseline.as_ref().map(Tolerance::line).unwrap_or_default();
        reasons.entry(reason).or_default().push(&outcome.id);
    }
    if reasons.is_empty() {
        return false;
    }
    section(out, title, look);
    for (reason, ids) in &reasons {
        labelled(out, &format!("{} ×", ids.len()), reason, look);
        let indent = " ".repeat(GUTTER);
        for line in text::wrap(&text::one_line(&named(ids.iter().copied(), NAMED)), look.room()) {
            out.push_str(&format!("{indent}{}\n", look.paint(look::FAINT, &line)));
        }
    }
    true
}

/// What skipped cases are grouped by: the reason without what differs from case to case.
fn group(reason: &SkipReason) -> String {
    match reason {
        SkipReason::BlockedBy { case, .. } => format!("blocked by {case}"),
        other => other.to_string(),
    }
}

fn section(out: &mut String, title: &str, look: Look) {
    let rule = "─".repeat(look.width.saturating_sub(text::columns(title) + 4).max(2));
    out.push_str(&format!(
        "\n{} {} {}\n",
        look.paint(look::FAINT, "──"),
        look.paint(look::STRONG, title),
        look.paint(look::FAINT, &rule)
    ));
}

fn summary(out: &mut String, report: &RunReport, look: Look) {
    section(out, "summary", look);
    let mut row = |label: &str, said: &str| {
        let line = format!("{}{said}", look.label(label));
        out.push_str(line.trim_end());
        out.push('\n');
    };

    let product =
        report.target.product.as_deref().map_or_else(String::new, |product| format!(" ({product})"));
    let embedded = if report.target.embedded { " (the server inside scimspec)" } else { "" };
    row("target", &text::one_line(&format!("{}{product}{embedded}", report.target.base_url)));
    if report.target.access.insecure {
        row("", &look.paint(look::BAD, "insecure: certificates were not checked (--insecure)"));
    }
    let counts = &report.summary.verdicts;
    if matches!(report.target.credentials, CredentialNames::OAuth { .. }) && counts.failed + counts.warned > 0
    {
        row("", &format!("the curl commands take an access token from {}", CredentialNames::TOKEN));
    }
    let deny = if report.deny_warnings { ", warnings denied" } else { "" };
    row(
        "profile",
        &text::one_line(&format!(
            "{}, reading {}{deny}, seed {}",
            report.profile, report.reading, report.seed
        )),
    );

    if let Some(baseline) = &report.baseline {
        let listed = text::count(baseline.entries, "case");
        let unused = match baseline.not_judged.len() {
            0 => String::new(),
            unused => format!(", {unused} of them not judged"),
        };
        row("baseline", &text::one_line(&format!("{}: {listed}{unused}", baseline.file)));
    }

    let counts = &report.summary.verdicts;
    let rows: [(&str, u32, Style); 10] = [
        ("passed", counts.passed, look::of(&Verdict::Passed)),
        ("noted", counts.noted, look::of(&Verdict::Noted)),
        ("deviates", counts.deviates, look::ODD),
        ("warned", counts.warned, look::of(&Verdict::Warned)),
        ("known", counts.known_failures, look::of(&Verdict::KnownFailure)),
        ("failed", counts.failed, look::of(&Verdict::Failed)),
        ("unexpected", counts.unexpected_passes, look::of(&Verdict::UnexpectedPass)),
        ("errored", counts.errored, look::TROUBLE),
        ("inconclusive", counts.inconclusive, look::TROUBLE),
        ("skipped", counts.skipped, look::ASIDE),
    ];
    let width = counts.total().to_string().len();
    row("", "");
    for (word, number, style) in rows {
        if number > 0 || matches!(word, "passed" | "failed") {
            let said = format!("{number:>width$}");
            let said = if number > 0 { look.paint(style.bold(), &said) } else { said };
            row(word, &said);
        }
    }

    deviations(&mut row, report);

    let numbers = &report.summary;
    row("", "");
    row("requests", &format!("{}, {:.1} for each case judged", numbers.requests, numbers.requests_per_case));
    row("time", &text::duration(numbers.wall_ms));
    let slow = numbers.slowest.iter().map(|case| text::duration(case.duration_ms)).collect::<Vec<_>>();
    let width = slow.iter().map(String::len).max().unwrap_or(0);
    for (at, (case, took)) in numbers.slowest.iter().zip(&slow).enumerate() {
        let made = look.paint(look::FAINT, &text::count(case.exchanges as u64, "request"));
        let label = if at == 0 { "slowest" } else { "" };
        row(label, &format!("{took:>width$}  {}  {made}", text::one_line(&case.id)));
    }
    settling(out, report, look);
    clean_up(out, report, look);
    advice(out, report, look);
}

/// What came of the profile's deviations, those by name that can be taken out of it.
fn deviations(row: &mut dyn FnMut(&str, &str), report: &RunReport) {
    let documented = report.deviations.iter().filter(|deviation| deviation.documented > 0).count();
    let idle: Vec<&DeviationRecord> = report
        .deviations
        .iter()
        .filter(|deviation| deviation.is_obsolete() || deviation.is_unused())
        .collect();
    if report.deviations.is_empty() {
        return;
    }
    let all = text::count(report.deviations.len() as u64, "deviation");
    row("", "");
    row("documented", &format!("{all} from the RFCs, {documented} met"));
    for deviation in idle {
        let (word, why) = if deviation.is_obsolete() {
            ("obsolete", "the answers are as the RFC has them")
        } else {
            ("not used", "no answer came to it")
        };
        row(word, &text::one_line(&deviation.about));
        row("", &text::one_line(&format!("{why}: {}", deviation.place)));
    }
}

/// Where ordinary resources were refused, the service provider may insist on more than the RFC does, which is its right
/// and a matter of configuration.
fn advice(out: &mut String, report: &RunReport, look: Look) {
    let refused = |outcome: &&Outcome| match &outcome.verdict {
        Verdict::Skipped { reason: SkipReason::BlockedBy { .. } } => true,
        Verdict::Errored { cause: ErrorCause::Precondition { detail } } => {
            detail.contains("could not be created")
        }
        _ => false,
    };
    let blocked = report.outcomes.iter().filter(refused).count();
    if blocked == 0 {
        return;
    }
    let said = format!(
        "{} could not start, since resources that it needs could not be created. If the server insists on more than \
         RFC 7643 does, say so in scimspec.toml: attributes in [template.user] and [template.group], the form of \
         names and addresses in [new]. 'scimspec schema config' describes them.",
        text::count(blocked as u64, "case")
    );
    out.push('\n');
    labelled(out, "hint", &said, look);
}

/// How long the service provider took to show what was written, where it was given time to.
fn settling(out: &mut String, report: &RunReport, look: Look) {
    let Some(settling) = &report.summary.settling else { return };
    let within = text::duration(settling.within_ms);
    let mut label = "settled";
    for (what, it) in [("resources", &settling.resources), ("lists", &settling.lists)] {
        if it.reads == 0 {
            continue;
        }
        let mut said = match (it.waited, it.never) {
            (0, 0) => format!("{what} agreed with writes at once ({})", text::count(it.reads, "read")),
            (0, _) => format!("{what} agreed with writes at once or not at all"),
            (waited, _) => format!(
                "{what} agreed with writes after at most {} ({waited} of {} had to wait)",
                text::duration(it.longest_ms),
                text::count(it.reads, "read"),
            ),
        };
        if it.never > 0 {
            said.push_str(&format!("; {} of {} never did within {within}", it.never, it.reads));
        }
        labelled(out, label, &said, look);
        label = "";
    }
}

fn clean_up(out: &mut String, report: &RunReport, look: Look) {
    let CleanUpRecord { deleted, already_gone, left_behind } = &report.summary.clean_up;
    if *deleted == 0 && *already_gone == 0 && left_behind.is_empty() {
        return;
    }
    let mut parts = vec![format!("{} deleted", text::count(*deleted, "resource"))];
    if *already_gone > 0 {
        parts.push(format!("{already_gone} had gone already"));
    }
    if left_behind.is_empty() {
        parts.push("nothing left behind".to_owned());
    }
    let label = look.label("clean-up");
    let indent = " ".repeat(GUTTER);
    out.push_str(&format!("{label}{}\n", parts.join(", ")));
    if left_behind.is_empty() {
        return;
    }
    let said = format!("{} left behind:", text::count(left_behind.len() as u64, "resource"));
    out.push_str(&format!("{indent}{}\n", look.paint(look::BAD, &said)));
    for left in left_behind.iter().take(LEFT_BEHIND) {
        let said = text::one_line(&format!("{}  {}", left.path, left.why));
        out.push_str(&format!("{indent}  {}\n", text::clip_columns(&said, look.room())));
    }
    if left_behind.len() > LEFT_BEHIND {
        out.push_str(&format!("{indent}  and {} more\n", left_behind.len() - LEFT_BEHIND));
    }
    let again = format!("scimspec clean {}", curl::quote(&report.target.base_url));
    out.push_str(&format!("{indent}{} tries again\n", look.paint(look::COMMAND, &again)));
}

/// The table of a client's profile: what of the client works. Failures are named, so that nobody has to look for them.
fn readiness(out: &mut String, report: &RunReport, look: Look) {
    const BESIDE: usize = 24;
    let Some(client) = report.client.as_ref().filter(|_| !report.readiness.is_empty()) else { return };
    section(out, &text::one_line(&format!("readiness for {client}")), look);
    let titles: Vec<String> = report.readiness.iter().map(|row| text::one_line(&row.title)).collect();
    let widest = |cells: &mut dyn Iterator<Item = usize>| cells.max().unwrap_or(0);
    let title = widest(&mut titles.iter().map(|title| text::columns(title))).min(look.width / 2);
    let word = widest(&mut report.readiness.iter().map(|row| row.readiness.words().len()));
    let gutter = title + word + 8;
    // In a narrow window the reason goes below.
    let beside = gutter + BESIDE <= look.width;
    let indent = " ".repeat(if beside { gutter } else { 6 });
    let room = look.width.saturating_sub(indent.len()).max(BESIDE);
    for (row, name) in report.readiness.iter().zip(&titles) {
        let (mark, style) = look::of_readiness(row.readiness);
        let mut notes: Vec<(Style, String)> = text::wrap(&text::one_line(&row.why), room)
            .into_iter()
            .map(|line| (Style::new(), line))
            .collect();
        let telling = named(row.telling().iter().map(String::as_str), NAMED);
        notes.extend(text::wrap(&text::one_line(&telling), room).into_iter().map(|line| (look::FAINT, line)));
        let mut notes = notes.into_iter().filter(|(_, line)| !line.is_empty());
        let first = if beside { notes.next() } else { None };
        let first = first.map(|(style, line)| look.paint(style, &line)).unwrap_or_default();
        let name = text::clip_columns(name, title);
        let line = format!(
            "  {} {name}{}  {}{}  {first}",
            look.paint(style.bold(), mark),
            " ".repeat(title.saturating_sub(text::columns(&name))),
            look.paint(style, row.readiness.words()),
            " ".repeat(word - row.readiness.words().len()),
        );
        out.push_str(&format!("{}\n", line.trim_end()));
        for (style, line) in notes {
            out.push_str(&format!("{indent}{}\n", look.paint(style, &line)));
        }
    }
}

/// Whether the budget was spent before the case could run.
fn left_out(outcome: &Outcome) -> bool {
    matches!(outcome.verdict, Verdict::Skipped { reason: SkipReason::BudgetSpent })
}

/// What a whole run comes to, in the words of its profile.
fn verdict(report: &RunReport, good: bool) -> String {
    let any = |readiness| report.readiness.iter().any(|feature| feature.readiness == readiness);
    match &report.client {
        Some(client) if good => format!("Ready for {client}"),
        Some(client) if any(Readiness::NotReady) => format!("Not ready for {client}"),
        // What was left out may be otherwise.
        _ if good && report.narrowed => "Partial".to_owned(),
        _ if good => "Conformant".to_owned(),
        _ => "Not conformant".to_owned(),
    }
}

/// The last lines: what it comes to, and the failed cases by name.
fn conclusion(out: &mut String, report: &RunReport, look: Look) {
    let counts = &report.summary.verdicts;
    let judged = text::count(counts.judged(), "case");
    let failed: Vec<&Outcome> = report.outcomes.iter().filter(|outcome| report.is_failure(outcome)).collect();
    if failed.len() > 1 {
        out.push('\n');
        let ids: Vec<String> = failed.iter().map(|outcome| text::one_line(&outcome.id)).collect();
        let widest = ids.iter().map(|id| text::columns(id)).max().unwrap_or(0).min(look.width / 2);
        let room = look.width.saturating_sub(widest + 6).max(20);
        for (outcome, id) in failed.iter().zip(&ids) {
            let said = failure::message(outcome);
            let said = text::clip_columns(&said, room);
            out.push_str(&format!(
                "  {} {id:<widest$}  {}\n",
                look.paint(look::BAD, "✗"),
                look.paint(look::FAINT, &said)
            ));
        }
    }
    let mut also = Vec::new();
    if counts.warned > 0 && !report.deny_warnings {
        also.push(text::count(counts.warned, "warning"));
    }
    let only_mended = counts.unexpected_passes as usize == failed.len();
    match counts.known_failures {
        0 => {}
        _ if failed.is_empty() => {}
        known if only_mended => also.push(format!("{known} failed as it says")),
        known => also.push(format!("{known} more failed as the baseline says")),
    }
    if counts.errored > 0 && !failed.is_empty() {
        also.push(format!("{} could not be judged", text::count(counts.errored, "case")));
    }
    let also = if also.is_empty() { String::new() } else { format!("; {}", also.join(", ")) };
    let unspent = report.outcomes.iter().filter(|outcome| left_out(outcome)).count();
    let (style, said) = match counts.exit(report.deny_warnings) {
        _ if report.summary.interrupted => (
            look::TROUBLE,
            format!("Interrupted: {judged} judged, {} failed{also}; the rest was not run.", failed.len()),
        ),
        Exit::Conformant if unspent > 0 => (
            look::ODD,
            format!(
                "No failure so far: {judged} judged{also}; {} did not fit in the budget of --requests.",
                text::count(unspent as u64, "case")
            ),
        ),
        Exit::Conformant if report.is_partial() => {
            let untested: Vec<&str> =
                untested_core(&report.readiness).map(|feature| feature.title.as_str()).collect();
            let none = match counts.known_failures {
                0 => "none failed".to_owned(),
                known => format!("{known} failed, as the baseline says"),
            };
            let against = if report.require_core { ", against --require-core" } else { "" };
            let style = if report.require_core { look::BAD } else { look::ODD };
            let untested = named(untested.into_iter(), 2 * NAMED);
            let said =
                format!("Partial{against}: {judged} judged, {none}{also}; core and not tested: {untested}.");
            (style, text::one_line(&said))
        }
        Exit::Conformant if counts.known_failures > 0 => (
            look::GOOD,
            format!(
                "No new failure: {judged} judged, and {} failed as the baseline says{also}.",
                counts.known_failures
            ),
        ),
        Exit::Conformant if counts.warned + counts.deviates == 0 => {
            (look::GOOD, format!("{}: {judged} judged, and all hold.", verdict(report, true)))
        }
        Exit::Conformant => {
            (look::GOOD, format!("{}: {judged} judged, none failed{also}.", verdict(report, true)))
        }
        Exit::Failures if only_mended && !failed.is_empty() => (
            look::BAD,
            match failed.len() {
                1 => format!(
                    "Not as the baseline says: of {judged} judged, 1 holds that it lists as failing{also}."
                ),
                more => format!(
                    "Not as the baseline says: of {judged} judged, {more} hold that it lists as failing{also}."
                ),
            },
        ),
        Exit::Failures => {
            (look::BAD, format!("{}: {} of {judged} failed{also}.", verdict(report, false), failed.len()))
        }
        Exit::Unreachable | Exit::Usage => (
            look::TROUBLE,
            format!(
                "No verdict: {} could not be judged; of {judged} judged, none failed.",
                text::count(counts.errored, "case")
            ),
        ),
        Exit::NothingRan => {
            (look::TROUBLE, "Nothing ran: no case was selected and could be judged.".to_owned())
        }
    };
    out.push('\n');
    for line in text::wrap(&said, look.width) {
        out.push_str(&format!("{}\n", look.paint(style.bold(), &line)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::model::BaselineRecord;
    use crate::report::sample;

    fn plain(width: usize) -> Look {
        Look { width, colour: false }
    }

    fn of(outcomes: &[Outcome], look: Look) -> String {
        render(&sample::report_of(outcomes, &sample::exchanges(), false), look)
    }

    #[test]
    fn a_run_with_one_of_each() {
        insta::assert_snapshot!(render(&sample::report(), plain(100)));
    }

    /// From its heading on.
    fn end(report: &RunReport, width: usize, heading: &str) -> String {
        let shown = render(report, plain(width));
        let at = shown.find(heading).unwrap_or_else(|| panic!("no {heading} in {shown}"));
        shown[at..].to_owned()
    }

    #[test]
    fn a_client_gets_its_readiness_table() {
        let mut report = sample::report();
        report.client = Some("Okta".to_owned());
        report.readiness = sample::features();
        insta::assert_snapshot!("readiness", end(&report, 100, "── readiness"));
        insta::assert_snapshot!("readiness_narrow", end(&report, 60, "── readiness"));
        let table = end(&report, 60, "── readiness");
        let longest = table.lines().take_while(|line| !line.is_empty()).map(text::columns).max();
        assert!(longest <= Some(60), "{longest:?}");
    }

    #[test]
    fn a_run_held_to_a_baseline() {
        let outcomes = sample::held_to_a_baseline();
        let mut report = sample::report_of(&outcomes, &sample::exchanges(), false);
        report.baseline = Some(BaselineRecord {
            file: "scimspec-baseline.toml".to_owned(),
            entries: 7,
            not_judged: vec!["bulk/too-many".to_owned()],
        });
        assert_eq!(report.exit(), Exit::Failures);
        insta::assert_snapshot!("baseline", render(&report, plain(100)));
        let last = |outcomes: &[Outcome]| of(outcomes, plain(120)).lines().last().unwrap().to_owned();
        assert_eq!(
            last(&outcomes[..3]),
            "No new failure: 3 cases judged, and 2 failed as the baseline says."
        );
        let mended = "Not as the baseline says: of 4 cases judged, 1 holds that it lists as failing; 2 failed as it says.";
        assert_eq!(last(&outcomes[..4]), mended);
    }

    #[test]
    fn a_run_without_its_core_is_partial_and_never_more() {
        let passed = sample::outcomes().remove(0);
        let mut report = sample::report_of(&[passed], &sample::exchanges(), false);
        report.readiness = sample::features();
        report.readiness[2].readiness = crate::readiness::Readiness::NotTested;
        assert_eq!(report.exit(), Exit::Conformant);
        let shown = render(&report, plain(100));
        let last = "\nPartial: 1 case judged, none failed; core and not tested: Create people.\n";
        assert!(shown.ends_with(last), "{shown}");
        report.require_core = true;
        assert_eq!(report.exit(), Exit::Failures);
        let shown = render(&report, plain(100));
        assert!(shown.contains("\nPartial, against --require-core: 1 case judged"), "{shown}");
        report.readiness[2].readiness = crate::readiness::Readiness::Ready;
        report.client = Some("Okta".to_owned());
        assert_eq!(report.exit(), Exit::Conformant);
        let shown = render(&report, plain(100));
        assert!(shown.ends_with("\nReady for Okta: 1 case judged, and all hold.\n"), "{shown}");
    }

    #[test]
    fn narrow_windows_are_kept_to() {
        let shown = render(&sample::report(), plain(72));
        let wide: Vec<&str> = shown
            .lines()
            // Commands stay on their lines, so that they can be copied.
            .filter(|line| {
                text::columns(line) > 72
                    && !["curl", "then", "rerun", "  -", "clean"].iter().any(|word| line.contains(word))
            })
            .collect();
        assert!(wide.is_empty(), "{wide:#?}");
    }

    #[test]
    fn colours_only_where_they_are_wanted() {
        let plain = render(&sample::report(), plain(100));
        assert!(!plain.contains('\u{1b}'));
        let coloured = render(&sample::report(), Look { width: 100, colour: true });
        let stripped =
            regex::Regex::new("\u{1b}\\[[0-9;]*m").unwrap().replace_all(&coloured, "").into_owned();
        assert_eq!(stripped, plain, "colours change nothing else");
        assert_ne!(coloured, plain);
    }

    #[test]
    fn a_good_run_is_short() {
        let passed = sample::outcomes().remove(0);
        insta::assert_snapshot!(of(&[passed], plain(80)));
    }

    #[test]
    fn nothing_run_is_no_success() {
        assert!(of(&[], plain(80)).ends_with("\nNothing ran: no case was selected and could be judged.\n"));
    }

    #[test]
    fn an_errored_run_has_no_verdict() {
        let outcomes = [sample::outcomes().remove(0), sample::errored()];
        let shown = of(&outcomes, plain(80));
        assert!(
            shown.ends_with("No verdict: 1 case could not be judged; of 1 case judged, none failed.\n"),
            "{shown}"
        );
    }

    #[test]
    fn denied_warnings_are_failures() {
        let report = sample::report_of(&[sample::warning()], &sample::exchanges(), true);
        let shown = render(&report, plain(80));
        assert!(shown.ends_with("\nNot conformant: 1 of 1 case failed.\n"), "{shown}");
    }

    #[test]
    fn many_warnings_are_shown_in_brief() {
        let warnings: Vec<Outcome> =
            (0..4).map(|n| Outcome { id: format!("create/location-{n}"), ..sample::warning() }).collect();
        let shown = of(&warnings, plain(80));
        assert!(!shown.contains("curl") && shown.contains("create/location-3"), "{shown}");
    }

    #[test]
    fn many_failures_alike_show_one_exchange() {
        let alike = |n: usize| Outcome { id: format!("create/taken-{n}"), ..sample::status_failure() };
        let few: Vec<Outcome> = (0..12).map(alike).collect();
        assert_eq!(of(&few, plain(80)).matches("    curl  ").count(), 12);
        let many: Vec<Outcome> = (0..40).map(alike).collect();
        let shown = of(&many, plain(80));
        assert_eq!(shown.matches("    curl  ").count(), 1);
        assert_eq!(shown.matches("exchange  as in create/taken-0").count(), 39);
        assert!(shown.contains("--case create/taken-39\n"));
    }

    #[test]
    fn one_cause_is_told_once() {
        let gone: Vec<Outcome> =
            (0..40).map(|n| Outcome { id: format!("delete/gone-{n}"), ..sample::errored() }).collect();
        let shown = of(&gone, plain(80));
        assert_eq!(shown.matches("── ERRORED").count(), 1);
        assert!(shown.contains("39 further cases for the same reason: delete/gone-1,"), "{shown}");
    }

    #[test]
    fn hostile_text_cannot_reach_the_terminal() {
        let mut outcome = sample::status_failure();
        outcome.id = "create/\u{1b}[2J".to_owned();
        outcome.title = "\u{1b}]0;owned\u{7}".to_owned();
        outcome.findings[0].message = "a\u{9b}31m\u{202e}b".to_owned();
        outcome.findings[0].expected = "\u{1b}[1m\r".to_owned();
        outcome.notes = vec!["\u{1b}c".to_owned()];
        let exchanges = [
            sample::exchange(1, "GET", "/Users/\u{1b}c", None, 200, b"\x1b[31m{}\x00"),
            sample::exchange(2, "GET", "/Users/\u{1b}c", None, 200, b"{\"a\": \"\\u001b[31m\"}"),
        ];
        let shown = render(&sample::report_of(&[outcome], &exchanges, false), plain(80));
        let hostile: Vec<char> =
            shown.chars().filter(|c| c.is_control() && *c != '\n' || *c == '\u{202e}').collect();
        assert!(hostile.is_empty(), "{hostile:?} in {shown}");
    }
}
