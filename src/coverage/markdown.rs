//! The report on coverage as a page: `docs/coverage.md`, with links into the RFCs.

use std::fmt::Write as _;

use super::report::{DocumentCoverage, Entry, Report, Role, of_level};
use super::state::State;
use super::tally::{Tally, percent_text};
use super::text::{because, class};
use crate::outcome::Level;

const HEAD: &str = "\
# Coverage

What the RFCs ask of a service provider, and what of it scimspec tests. Written by
`scimspec coverage --format markdown`; `scimspec coverage --help` has more ways to look at it.

A requirement is **proven** once a server with a defect against it has turned a case red that cites it. It is **exempt**
where a case tests it and no defect can show so, for the reason said; **cited only** where a case names it and nothing has
shown that the case can fail; **untested** where a case would take what is said; **missing** where nothing is said. What is
**beyond tests** cannot be seen from outside, cannot be broken, or binds somebody else: it is not testable, and no part of
a percentage.
";

/// The page, ending in a line feed.
pub fn render(report: &Report) -> String {
    let mut page = HEAD.to_owned();
    aims(&mut page, report);
    counts(&mut page, report);
    for document in &report.documents {
        whole(&mut page, document, report);
    }
    page
}

fn aims(page: &mut String, report: &Report) {
    if report.aims.is_empty() {
        return;
    }
    page.push_str("\n## Aims\n\nOver RFC 7643, RFC 7644 and RFC 9865:\n\n");
    page.push_str("| | covered | of testable | | aim | |\n|---|--:|--:|--:|--:|---|\n");
    for aim in &report.aims {
        let _ = writeln!(
            page,
            "| {} | {} | {} | {} | {:.0} % | {} |",
            class(aim.level, aim.observable),
            aim.tally.covered(),
            aim.tally.testable(),
            percent_text(aim.covered),
            aim.percent,
            if aim.met { "met" } else { "not met" }
        );
    }
}

fn counts(page: &mut String, report: &Report) {
    page.push_str("\n## Documents\n");
    let roles = [
        (Role::Core, ""),
        (Role::LeanedOn, "What they stand on:"),
        (Role::Apart, "Apart, and counted nowhere else:"),
    ];
    for (role, said) in roles {
        let mut of_role = report.documents.iter().filter(|document| document.role == role).peekable();
        if of_role.peek().is_none() {
            continue;
        }
        if !said.is_empty() {
            let _ = writeln!(page, "\n{said}");
        }
        page.push_str(
            "\n| | | asked | testable | proven | exempt | cited only | untested | missing | covered |\n\
             |---|---|--:|--:|--:|--:|--:|--:|--:|--:|\n",
        );
        for document in of_role {
            let mut name = format!("[{}]({})", document.name(), document.link);
            for count in &document.counts {
                let Tally { asked, proven, exempt, cited, untested, missing, .. } = count.tally;
                let _ = writeln!(
                    page,
                    "| {} | {} | {asked} | {} | {proven} | {exempt} | {cited} | {untested} | {missing} | {} |",
                    std::mem::take(&mut name),
                    class(count.level, count.observable),
                    count.tally.testable(),
                    percent_text(count.covered)
                );
            }
        }
    }
}

/// One document: its sections in numbers, then section by section what is asked.
fn whole(page: &mut String, document: &DocumentCoverage, report: &Report) {
    let _ = writeln!(page, "\n## {} {}\n", document.name(), document.short_title());
    page.push_str("Covered of testable:\n\n| section | | MUST | SHOULD | MAY |\n|---|---|--:|--:|--:|\n");
    for section in &document.sections {
        let cell = |level| {
            let tally = of_level(&section.counts, level);
            match (tally.asked, tally.testable()) {
                (0, _) => String::new(),
                (_, 0) => "–".to_owned(),
                (_, testable) => format!("{}/{testable}", tally.covered()),
            }
        };
        let _ = writeln!(
            page,
            "| [{}]({}) | {} | {} | {} | {} |",
            section.section,
            section.link,
            escaped(&section.title),
            cell(Level::Must),
            cell(Level::Should),
            cell(Level::May)
        );
    }
    for section in &document.sections {
        let own = || {
            report
                .requirements
                .iter()
                .filter(|one| one.document == document.id && one.section == section.section)
        };
        if own().next().is_none() {
            continue;
        }
        let _ = writeln!(
            page,
            "\n### [{} {}]({}) {}\n",
            document.name(),
            section.section,
            section.link,
            section.title
        );
        page.push_str(
            "| requirement | level | | what is asked | how it is tested |\n|---|---|---|---|---|\n",
        );
        own().for_each(|one| row(page, one));
    }
}

fn row(page: &mut String, one: &Entry) {
    let condition = one.condition.as_ref().map(|it| format!(" Where: {it}")).unwrap_or_default();
    let state = match one.state {
        State::Missing => format!("**{}**", one.state.words()),
        state => state.words().to_owned(),
    };
    let _ = writeln!(
        page,
        "| `{}` | {} | {state} | {}{} | {} |",
        one.id,
        class(one.level, one.observable),
        escaped(&one.sentence),
        escaped(&condition),
        escaped(&because(one).join(". "))
    );
}

/// Text that stands in a cell of a table as it is.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '|' | '*' | '_' | '<' | '`' | '[' | ']' => {
                out.push('\\');
                out.push(c);
            }
            '\n' => out.push(' '),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::coverage::{Citations, Proofs, Selection, report};
    use crate::requirement::Catalogue;
    use crate::suite::Library;

    #[test]
    fn docs_coverage_md_is_what_the_command_prints() {
        let citations = Citations::of(&Library::embedded().unwrap());
        let whole = report(Catalogue::embedded(), &citations, Proofs::embedded(), &Selection::default());
        crate::committed::hold_page(
            "docs/coverage.md",
            &render(&whole),
            "scimspec coverage --format markdown",
        );
    }

    #[test]
    fn a_cell_holds_what_would_end_it() {
        assert_eq!(escaped("a|b *c* [d]\n`e`"), "a\\|b \\*c\\* \\[d\\] \\`e\\`");
    }
}
