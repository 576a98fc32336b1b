//! The file of a baseline: read with the place of every slip, checked against the run that it is for, written.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::ops::Range;

use chrono::NaiveDate;
use serde::Deserialize;
use toml::Spanned;

use crate::config::file::{diagnostic, located};
use crate::outcome::{Fingerprint, Reading};
use crate::suite::Diagnostic;
use crate::suite::nearest::nearest;

use super::{Baseline, Entry, FORMAT, Known, Source, Spans};

/// How many digits a fingerprint has.
const DIGITS: usize = 12;

/// The file as it is written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    format: Spanned<i64>,
    profile: Spanned<String>,
    reading: Spanned<Reading>,
    #[serde(default)]
    known: Vec<EntryInFile>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct EntryInFile {
    case: Spanned<String>,
    reason: Option<Spanned<String>>,
    issue: Option<String>,
    until: Option<Spanned<toml::Value>>,
    findings: Spanned<Vec<KnownInFile>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct KnownInFile {
    fingerprint: Spanned<String>,
    #[serde(default)]
    shows: String,
}

/// Collects what is wrong, each at its place.
struct Slips<'t> {
    name: &'t str,
    text: &'t str,
    all: Vec<Diagnostic>,
}

impl Slips<'_> {
    fn at(&mut self, span: Range<usize>, message: String, hint: impl Into<Option<String>>) {
        self.all.push(located(self.text, self.name, span, message, hint.into()));
    }
}

impl Baseline {
    /// Understands the text of a file; `name` is what messages call it. An empty reason is read: it is a slip for a
    /// run ([`Baseline::check`]), and no more than unfinished for `scimspec baseline update`.
    ///
    /// # Errors
    /// Everything that is wrong, located: what is no TOML or no baseline, another version of the format, two entries
    /// about one case, a date that is none.
    pub fn read(text: &str, name: &str) -> Result<Baseline, Vec<Diagnostic>> {
        let file: File = toml::from_str(text).map_err(|error| vec![diagnostic(&error, text, name)])?;
        let mut slips = Slips { name, text, all: Vec::new() };
        if *file.format.get_ref() != FORMAT {
            let message = format!("this file has format {}", file.format.get_ref());
            let hint = format!("this scimspec reads and writes format {FORMAT}");
            slips.at(file.format.span(), message, hint);
            return Err(slips.all);
        }
        let mut seen = BTreeMap::new();
        let mut entries = Vec::new();
        for entry in file.known {
            let (case, span) = (entry.case.get_ref().clone(), entry.case.span());
            if let Some(line) = seen.get(&case) {
                let message = format!("there is an entry about `{case}` already, in line {line}");
                slips.at(span.clone(), message, "one entry lists all known findings of a case".to_owned());
            }
            seen.entry(case).or_insert_with(|| text[..span.start.min(text.len())].matches('\n').count() + 1);
            entries.push(understood(entry, &mut slips));
        }
        if !slips.all.is_empty() {
            return Err(slips.all);
        }
        Ok(Baseline {
            source: Source {
                name: name.to_owned(),
                text: text.to_owned(),
                profile: file.profile.span(),
                reading: file.reading.span(),
            },
            profile: file.profile.into_inner(),
            reading: file.reading.into_inner(),
            entries,
        })
    }

    /// What keeps a run of this profile and reading from being held to the baseline: another profile or reading,
    /// reasons that are missing, and cases that are none of the profile, so that their entries can never be used.
    pub fn check(&self, profile: &str, reading: Reading, cases: &BTreeSet<&str>) -> Vec<Diagnostic> {
        let slips = self.check_run(profile, reading);
        if !slips.is_empty() {
            return slips;
        }
        let Source { name, text, .. } = &self.source;
        let mut slips = Slips { name, text, all: Vec::new() };
        for Entry { case, reason, spans, .. } in &self.entries {
            // Which trials a case has that the target's schemas make, is known only once these have been read.
            let of_trial = case.split_once('[').map_or(case.as_str(), |(of, _)| of);
            if !cases.contains(case.as_str()) && !cases.contains(of_trial) {
                let message = format!("unused entry: profile {profile} has no case `{case}`");
                let hint = match nearest(case, cases.iter().copied()) {
                    Some(meant) => format!("did you mean `{meant}`?"),
                    None => "take it out; 'scimspec list' shows the cases that there are".to_owned(),
                };
                slips.at(spans.case.clone(), message, hint);
            } else if reason.trim().is_empty() {
                let message = format!("the entry about `{case}` says no reason");
                let hint =
                    "write why its failure is tolerated: reason = \"mended with release 4.2\"".to_owned();
                slips.at(spans.reason.clone().unwrap_or_else(|| spans.case.clone()), message, hint);
            }
        }
        slips.all
    }

    /// Whether the baseline is for runs of this profile and reading; what is wrong where it is not.
    pub fn check_run(&self, profile: &str, reading: Reading) -> Vec<Diagnostic> {
        let Source { name, text, profile: at_profile, reading: at_reading } = &self.source;
        let mut slips = Slips { name, text, all: Vec::new() };
        if self.profile != profile {
            let message =
                format!("this baseline is for profile `{}`, and the run is of `{profile}`", self.profile);
            let hint =
                format!("each profile has a baseline of its own: scimspec run --profile {}", self.profile);
            slips.at(at_profile.clone(), message, hint);
        }
        if self.reading != reading {
            let message = format!(
                "this baseline is for the {} reading, and the run is in the {reading} one",
                self.reading
            );
            let hint =
                format!("each reading has a baseline of its own: scimspec run --reading {}", self.reading);
            slips.at(at_reading.clone(), message, hint);
        }
        slips.all
    }

    /// The baseline as the text of a file, in the order of the cases' ids. What [`Baseline::read`] makes of it is the
    /// same again.
    pub fn text(&self) -> String {
        let mut text = format!(
            "# Known failures, for scimspec run --baseline. What is listed fails no run; anything else does, and so\n\
             # does what is listed and holds again. After a change: scimspec baseline update --from run.json, which\n\
             # keeps reason, issue and until, and no comments.\n\
             format = {FORMAT}\n\
             profile = {}\n\
             reading = {}\n",
            quoted(&self.profile),
            quoted(&self.reading.to_string()),
        );
        let mut entries: Vec<&Entry> = self.entries.iter().collect();
        entries.sort_by(|a, b| a.case.cmp(&b.case));
        for Entry { case, reason, issue, until, findings, .. } in entries {
            // A String takes every write.
            let _ = write!(text, "\n[[known]]\ncase = {}\nreason = {}\n", quoted(case), quoted(reason));
            if let Some(issue) = issue {
                let _ = writeln!(text, "issue = {}", quoted(issue));
            }
            if let Some(until) = until {
                let _ = writeln!(text, "until = {until}");
            }
            text.push_str("findings = [\n");
            for Known { fingerprint, shows } in findings {
                let _ = writeln!(
                    text,
                    "    {{ fingerprint = {}, shows = {} }},",
                    quoted(&fingerprint.0),
                    quoted(shows)
                );
            }
            text.push_str("]\n");
        }
        text
    }
}

fn understood(entry: EntryInFile, slips: &mut Slips<'_>) -> Entry {
    let case = entry.case.get_ref();
    let spans = Spans { case: entry.case.span(), reason: entry.reason.as_ref().map(Spanned::span) };
    let until = entry.until.and_then(|until| {
        let day = date(until.get_ref());
        if day.is_none() {
            let message = "`until` is no date".to_owned();
            slips.at(until.span(), message, "write it like until = 2027-03-31".to_owned());
        }
        day
    });
    if entry.findings.get_ref().is_empty() {
        let message = format!("the entry about `{case}` lists no finding, so that nothing would be known");
        slips.at(
            entry.findings.span(),
            message,
            "scimspec baseline update --from run.json lists them".to_owned(),
        );
    }
    let mut findings: Vec<Known> = Vec::new();
    for known in entry.findings.into_inner() {
        let (fingerprint, span) =
            (Fingerprint(known.fingerprint.get_ref().clone()), known.fingerprint.span());
        let digits = fingerprint.0.chars().all(|c| matches!(c, '0'..='9' | 'a'..='f'));
        if fingerprint.0.len() != DIGITS || !digits {
            let message = format!("`{}` is no fingerprint", fingerprint.0);
            let hint = format!("it has {DIGITS} digits of 0-9 and a-f, as run.json and JUnit show them");
            slips.at(span, message, hint);
        } else if findings.iter().any(|other| other.fingerprint == fingerprint) {
            let message = format!("fingerprint {} is listed twice", fingerprint.0);
            slips.at(span, message, "take one of them out".to_owned());
        } else {
            findings.push(Known { fingerprint, shows: known.shows });
        }
    }
    Entry {
        case: entry.case.into_inner(),
        reason: entry.reason.map(Spanned::into_inner).unwrap_or_default(),
        issue: entry.issue.filter(|issue| !issue.is_empty()),
        until,
        findings,
        spans,
    }
}

/// A date of TOML, or one between quotes.
fn date(value: &toml::Value) -> Option<NaiveDate> {
    match value {
        toml::Value::Datetime(moment) if moment.time.is_none() && moment.offset.is_none() => {
            moment.to_string().parse().ok()
        }
        toml::Value::String(text) => text.parse().ok(),
        _ => None,
    }
}

/// A text as TOML writes it.
fn quoted(text: &str) -> String {
    toml::Value::from(text).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "format = 1\nprofile = \"rfc\"\nreading = \"lenient\"\n\n[[known]]\ncase = \"create/taken\"\n\
                        reason = \"later\"\nuntil = 2027-03-31\nfindings = [\n    { fingerprint = \"0123456789ab\" },\n]\n";

    fn read(text: &str) -> Baseline {
        Baseline::read(text, "b.toml").unwrap_or_else(|slips| panic!("{slips:#?}"))
    }

    fn slips(text: &str) -> String {
        let slips = Baseline::read(text, "b.toml").expect_err("it is broken");
        slips.iter().map(|slip| format!("{}\n", slip.render(false))).collect::<Vec<_>>().join("\n")
    }

    #[test]
    fn what_is_written_is_what_was_read() {
        let mut baseline = read(GOOD);
        let odd = "a \"quoted\" \\ text,\nin two lines \u{1b}";
        baseline.entries.push(Entry {
            case: "a/case[row]@put".to_owned(),
            reason: odd.to_owned(),
            issue: Some("https://tracker.example/1".to_owned()),
            until: None,
            findings: vec![Known {
                fingerprint: Fingerprint("ba9876543210".to_owned()),
                shows: odd.to_owned(),
            }],
            spans: Spans::default(),
        });
        let again = read(&baseline.text());
        let plain = |baseline: &Baseline| {
            let mut entries = baseline.entries.clone();
            entries.iter_mut().for_each(|entry| entry.spans = Spans::default());
            entries.sort_by(|a, b| a.case.cmp(&b.case));
            entries
        };
        assert_eq!(plain(&again), plain(&baseline));
        assert_eq!(again.entries[0].case, "a/case[row]@put", "in the order of ids");
        assert_eq!(again.text(), baseline.text());
        insta::assert_snapshot!(read(GOOD).text());
    }

    #[test]
    fn slips_are_shown_at_their_place() {
        let swap = |from: &str, to: &str| {
            assert!(GOOD.contains(from), "{from}");
            slips(&GOOD.replace(from, to))
        };
        insta::assert_snapshot!(
            [
                slips(""),
                slips("format = 1\nprofile = [[["),
                swap("format = 1", "format = 2"),
                swap("lenient", "loose"),
                swap("reason =", "raeson ="),
                swap("2027-03-31", "2027-02-30"),
                swap("2027-03-31", "2027-03-31T10:00:00Z"),
                swap("2027-03-31", "\"soon\""),
                swap("0123456789ab", "0123"),
                swap("    { fingerprint = \"0123456789ab\" },\n", ""),
                swap("},\n]", "},\n    { fingerprint = \"0123456789ab\" },\n]"),
                slips(&format!("{GOOD}\n{}", &GOOD[GOOD.find("[[known]]").unwrap()..])),
            ]
            .join("\n")
        );
    }

    #[test]
    fn a_date_may_stand_between_quotes() {
        assert_eq!(read(&GOOD.replace("2027-03-31", "\"2027-03-31\"")), {
            let mut same = read(GOOD);
            same.source.text = same.source.text.replace("2027-03-31", "\"2027-03-31\"");
            same
        });
    }

    #[test]
    fn a_run_of_something_else_cannot_be_held_to_it() {
        let cases = BTreeSet::from(["create/taken", "create/minimal"]);
        let check = |text: &str, profile: &str, reading| {
            let found = read(text).check(profile, reading, &cases);
            found.iter().map(|slip| format!("{}\n", slip.render(false))).collect::<Vec<_>>().join("\n")
        };
        assert_eq!(check(GOOD, "rfc", Reading::Lenient), "");
        // A trial that the schemas of the target made.
        let trial = GOOD.replace("create/taken", "create/taken[User.badge]");
        assert_eq!(check(&trial, "rfc", Reading::Lenient), "");
        insta::assert_snapshot!(
            [
                check(GOOD, "okta", Reading::Strict),
                check(&GOOD.replace("create/taken", "create/takne"), "rfc", Reading::Lenient),
                check(&GOOD.replace("create/taken", "gone/for-good"), "rfc", Reading::Lenient),
                check(&GOOD.replace("\"later\"", "\" \""), "rfc", Reading::Lenient),
                check(&GOOD.replace("reason = \"later\"\n", ""), "rfc", Reading::Lenient),
            ]
            .join("\n")
        );
    }
}
