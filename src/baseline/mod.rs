//! Known failures: a file that says which findings are known and why they are tolerated, and what a run is held to by
//! it.
//!
//! A baseline bites both ways. What it lists fails no run; what it does not list does, also in a case that it lists;
//! and what it lists and is gone fails the run too, so that no entry outlives its defect and hides the next one.
//!
//! | module | responsible for |
//! |---|---|
//! | `file` | the TOML file: read with the place of every slip, checked, written |
//! | `judge` | outcome × entry → the verdict |
//! | `update` | a run's report → the entries that it needs, and what that changes |
//!
//! All of it is pure: whoever reads files, the clock and the library hands in what they say. It refuses to know how a
//! case came to its findings.
//!
//! # When an entry is used
//!
//! - Its case is none of the run's profile: nothing can ever match it. That is a slip in the file, found before the run
//!   ([`Baseline::check`]), located, and ends it with exit code 2.
//! - Its case was left out by `--case`, `--skip` or `--tag`, or was skipped for any reason: the run says nothing of
//!   it, neither that the entry holds nor that it does not. It stays unused without harm, and the reports count it.
//! - Its case errored or was inconclusive: likewise. Trouble with the network neither confirms a defect nor mends it.
//! - Its case was judged: then the findings decide ([`Judge::judge`]).

mod file;
mod judge;
mod update;

use std::fmt;
use std::ops::Range;

use chrono::NaiveDate;

use crate::outcome::{Finding, Fingerprint, Reading, Signature};

pub use judge::Judge;
pub use update::{Changed, Reasons, Updated, update};

/// The name of the file where none is given.
pub const NAME: &str = "scimspec-baseline.toml";

/// The version of the file's format.
pub const FORMAT: i64 = 1;

/// The known failures of a service provider in one profile and one reading.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Baseline {
    /// The profile of the runs that are held to it.
    pub profile: String,
    /// The reading of these runs.
    pub reading: Reading,
    /// What is known, one entry a case.
    pub entries: Vec<Entry>,
    /// The file that it was read from.
    source: Source,
}

/// What is known of one case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The case's id.
    pub case: String,
    /// Why its failure is tolerated. Empty only between `baseline write` and whoever fills it in: no run takes it so.
    pub reason: String,
    /// Where that is followed up.
    pub issue: Option<String>,
    /// The last day, in UTC, on which it is tolerated.
    pub until: Option<NaiveDate>,
    /// The findings that are known.
    pub findings: Vec<Known>,
    /// Where `case`, or `reason` where there is one, stands in the file.
    spans: Spans,
}

/// One finding that is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Known {
    /// Its fingerprint.
    pub fingerprint: Fingerprint,
    /// What it is about, for people: nothing is decided by it.
    pub shows: String,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Spans {
    case: Range<usize>,
    reason: Option<Range<usize>>,
}

/// The text that a baseline was read from, and where it says for whom it is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Source {
    name: String,
    text: String,
    profile: Range<usize>,
    reading: Range<usize>,
}

impl Baseline {
    /// A baseline that knows nothing yet.
    pub fn empty(profile: &str, reading: Reading) -> Baseline {
        Baseline { profile: profile.to_owned(), reading, entries: Vec::new(), source: Source::default() }
    }

    /// The file that it was read from, as the operator named it.
    pub fn file(&self) -> &str {
        &self.source.name
    }

    /// The entry about a case.
    pub fn entry(&self, case: &str) -> Option<&Entry> {
        self.entries.iter().find(|entry| entry.case == case)
    }
}

impl Known {
    /// A finding of a case, known from now on.
    pub fn of(finding: &Finding, case: &str) -> Known {
        Known { fingerprint: finding.fingerprint(case), shows: Shown(&finding.signature).to_string() }
    }
}

/// A finding in one line, without anything that differs from run to run:
/// `status: POST /Users, status 201 instead of status 409`.
struct Shown<'a>(&'a Signature);

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Signature { check, method, endpoint, expected, actual } = self.0;
        write!(f, "{check}:")?;
        for part in [method, endpoint].into_iter().filter(|part| !part.is_empty()) {
            write!(f, " {part}")?;
        }
        let comma = if method.is_empty() && endpoint.is_empty() { "" } else { "," };
        match (actual.as_str(), expected.as_str()) {
            ("", "") => Ok(()),
            (actual, "") => write!(f, "{comma} {actual}"),
            ("", expected) => write!(f, "{comma} not {expected}"),
            (actual, expected) => write!(f, "{comma} {actual} instead of {expected}"),
        }
    }
}
