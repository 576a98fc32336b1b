//! What a case came to: verdict, findings with their fingerprints, the summary over a run, the exit code.
//!
//! This module owns the vocabulary that terminal, JUnit, JSON and the exit code share, so that a word means
//! the same thing everywhere. It refuses to know how a verdict was reached (`judge`) or how it is printed
//! (`report`).

use std::fmt;
use std::process::ExitCode;

use chrono::NaiveDate;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::target::exchange::ExchangeId;

/// How strongly a requirement binds the service provider (RFC 2119). `IMPLIED-MUST` counts as must.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// Permitted: never a failure, recorded only.
    May,
    /// Recommended: breaking it is a warning.
    Should,
    /// Required: breaking it is a failure.
    Must,
}

impl Level {
    /// The severity of a finding against a requirement of this level.
    pub fn severity(self) -> Severity {
        match self {
            Level::Must => Severity::Failure,
            Level::Should => Severity::Warning,
            Level::May => Severity::Note,
        }
    }
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Level::May => "MAY",
            Level::Should => "SHOULD",
            Level::Must => "MUST",
        })
    }
}

/// How the spots are read that the RFCs leave in dispute. It never changes what is a warning and what a
/// failure: that is [`Level`] and `--deny warnings`.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema, clap::ValueEnum,
)]
#[serde(rename_all = "lowercase")]
pub enum Reading {
    /// Accepts every answer that a careful reader of the RFCs can defend.
    #[default]
    Lenient,
    /// Accepts only what the letter of the RFCs says.
    Strict,
}

impl fmt::Display for Reading {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Reading::Lenient => "lenient",
            Reading::Strict => "strict",
        })
    }
}

/// What a finding does to the verdict of its case.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Recorded, no judgement.
    Note,
    /// A recommendation is not kept, or clients are known to trip over it.
    Warning,
    /// A requirement is broken.
    Failure,
}

impl Severity {
    /// The level of a requirement against which a finding has this severity: the other way round of
    /// [`Level::severity`].
    pub fn level(self) -> Level {
        match self {
            Severity::Failure => Level::Must,
            Severity::Warning => Level::Should,
            Severity::Note => Level::May,
        }
    }
}

/// A place in a suite file, for people and for editors.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub struct Place {
    /// The suite file as the user named it, or its path inside the embedded suites.
    pub file: String,
    /// One-based line.
    pub line: u32,
    /// One-based column.
    pub column: u32,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.file, self.line, self.column)
    }
}

/// Why a case, or a part of it, was not judged. Each reason carries its evidence.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum SkipReason {
    /// The service provider does not claim what the case needs.
    Capability {
        /// What was needed, as the suite writes it: `sort`, `attribute User.title`.
        needs: String,
        /// Where that was read: `ServiceProviderConfig.sort.supported = false`.
        evidence: String,
    },
    /// The operator has not configured something the case needs (a hook, a second credential).
    NotConfigured {
        /// What is missing and where to set it.
        what: String,
    },
    /// The case may disturb the target and was not allowed to run.
    NeedsAllow {
        /// The kind of permission: `disruptive`, `slow`.
        permission: String,
    },
    /// The run is `--read-only` and the case writes.
    ReadOnly,
    /// Another case is about the thing that went wrong before this one could start.
    BlockedBy {
        /// The id of the case that is about it.
        case: String,
        /// What happened.
        detail: String,
    },
    /// An earlier checkpoint of the same flow broke.
    NotReached {
        /// The checkpoint that broke.
        checkpoint: String,
    },
    /// No exchange of the run was eligible for a rule, or no attribute for a `for-each`.
    NothingEligible {
        /// What was looked for.
        what: String,
    },
    /// The request budget (`--requests`) was spent before the case could run.
    BudgetSpent,
    /// The run was interrupted before the case could run.
    Interrupted,
}

impl SkipReason {
    /// What is told of it, so that a report can bound it.
    pub(crate) fn texts_mut(&mut self) -> Vec<&mut String> {
        match self {
            SkipReason::Capability { needs, evidence } => vec![needs, evidence],
            SkipReason::BlockedBy { case, detail } => vec![case, detail],
            SkipReason::NotConfigured { what: text }
            | SkipReason::NeedsAllow { permission: text }
            | SkipReason::NotReached { checkpoint: text }
            | SkipReason::NothingEligible { what: text } => vec![text],
            SkipReason::ReadOnly | SkipReason::BudgetSpent | SkipReason::Interrupted => Vec::new(),
        }
    }
}

impl fmt::Display for SkipReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SkipReason::Capability { needs, evidence } => write!(f, "needs {needs}: {evidence}"),
            SkipReason::NotConfigured { what } => write!(f, "not configured: {what}"),
            SkipReason::NeedsAllow { permission } => write!(f, "needs --allow {permission}"),
            SkipReason::ReadOnly => f.write_str("writes, and the run is --read-only"),
            SkipReason::BlockedBy { case, detail } => write!(f, "blocked by {case}: {detail}"),
            SkipReason::NotReached { checkpoint } => write!(f, "not reached: {checkpoint} broke the flow"),
            SkipReason::NothingEligible { what } => write!(f, "saw no {what}"),
            SkipReason::BudgetSpent => f.write_str("the request budget (--requests) is spent"),
            SkipReason::Interrupted => f.write_str("the run was interrupted"),
        }
    }
}

/// Whose trouble stopped a case that could not be judged. Never the service provider's fault in the sense of
/// the RFC: that is a finding.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum ErrorCause {
    /// No answer came: connection refused, reset, TLS, time-out.
    Transport {
        /// What happened, in one line.
        detail: String,
    },
    /// A `given`, `setup` or hook did not work, so the case could not start.
    Precondition {
        /// What was attempted and what came back.
        detail: String,
    },
    /// The suite asks for something that cannot be done: an unknown name, a template that does not resolve.
    Suite {
        /// What is wrong and how to mend it.
        detail: String,
    },
    /// The ownership guard refused a request that would have touched what is not ours.
    Guard {
        /// What was refused and why.
        detail: String,
    },
    /// A defect of scimspec itself, caught.
    Harness {
        /// The panic message or broken promise.
        detail: String,
    },
}

impl ErrorCause {
    /// One word for readers that group by it (`<error type>` in JUnit).
    pub fn kind(&self) -> &'static str {
        match self {
            ErrorCause::Transport { .. } => "transport",
            ErrorCause::Precondition { .. } => "precondition",
            ErrorCause::Suite { .. } => "suite",
            ErrorCause::Guard { .. } => "guard",
            ErrorCause::Harness { .. } => "harness",
        }
    }

    /// What happened, in one line.
    pub fn detail(&self) -> &str {
        match self {
            ErrorCause::Transport { detail }
            | ErrorCause::Precondition { detail }
            | ErrorCause::Suite { detail }
            | ErrorCause::Guard { detail }
            | ErrorCause::Harness { detail } => detail,
        }
    }
}

impl ErrorCause {
    /// What happened, so that a report can bound it.
    pub(crate) fn detail_mut(&mut self) -> &mut String {
        match self {
            ErrorCause::Transport { detail }
            | ErrorCause::Precondition { detail }
            | ErrorCause::Suite { detail }
            | ErrorCause::Guard { detail }
            | ErrorCause::Harness { detail } => detail,
        }
    }
}

impl fmt::Display for ErrorCause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.kind(), self.detail())
    }
}

/// What one case came to.
///
/// `Failed` is the service provider's fault; `Errored` is ours or the network's. The two are never mixed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Verdict {
    /// Everything that was asked held.
    Passed,
    /// Recorded without judgement: the RFC leaves it open.
    Noted,
    /// A recommendation is not kept.
    Warned,
    /// A requirement is broken.
    Failed,
    /// Differs from the RFC exactly as the vendor documents.
    Deviates {
        /// Where the vendor documents it.
        citation: String,
    },
    /// Not judged, for a reason with evidence.
    Skipped {
        /// The reason.
        reason: SkipReason,
    },
    /// Ran, but what came back does not allow a verdict (a race against 429s, an unsettled store).
    Inconclusive {
        /// Why there is no verdict.
        why: String,
    },
    /// Could not be judged, through no fault of the service provider's.
    Errored {
        /// Whose trouble it was.
        cause: ErrorCause,
    },
    /// A requirement is broken as the baseline says it is, and in no other way ([`Outcome::baseline`] has the reason).
    KnownFailure,
    /// The baseline lists findings that are gone: all of them, or some ([`Outcome::baseline`] names them).
    UnexpectedPass,
}

impl Verdict {
    /// The verdict's single word, as every report prints it.
    pub fn word(&self) -> &'static str {
        match self {
            Verdict::Passed => "passed",
            Verdict::Noted => "noted",
            Verdict::Warned => "warned",
            Verdict::Failed => "failed",
            Verdict::Deviates { .. } => "deviates",
            Verdict::Skipped { .. } => "skipped",
            Verdict::Inconclusive { .. } => "inconclusive",
            Verdict::Errored { .. } => "errored",
            Verdict::KnownFailure => "known-failure",
            Verdict::UnexpectedPass => "unexpected-pass",
        }
    }

    /// The verdict that a set of findings amounts to.
    pub fn of(findings: &[Finding]) -> Verdict {
        match findings.iter().map(|finding| finding.severity).max() {
            None => Verdict::Passed,
            Some(Severity::Note) => Verdict::Noted,
            Some(Severity::Warning) => Verdict::Warned,
            Some(Severity::Failure) => Verdict::Failed,
        }
    }
}

/// One difference between what was expected and what came, at one place of a resource.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Difference {
    /// Where: an attribute path such as `emails[type eq "work"].value`, or a JSONPath.
    pub path: String,
    /// What was expected there, as JSON text or in words.
    pub expected: String,
    /// What came, as JSON text or in words.
    pub actual: String,
}

/// One contradiction between an exchange and a requirement.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Finding {
    /// Which check found it: `status`, `body`, `error.scimType`, `list.foreign`, `checks[1]`, `becomes`, or a
    /// rule's name. Stable between runs.
    pub check: String,
    /// The level of the requirement at stake.
    pub level: Level,
    /// What it does to the verdict.
    pub severity: Severity,
    /// The requirement ids that are broken, the narrowest that the suite cites.
    pub requirements: Vec<String>,
    /// One line that says what is wrong, without run-specific ids where possible.
    pub message: String,
    /// What would have been right.
    pub expected: String,
    /// What came instead.
    pub actual: String,
    /// Member by member, where a resource or list was compared.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub differences: Vec<Difference>,
    /// The exchange that shows it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exchange: Option<ExchangeId>,
    /// Where in the suite the expectation stands.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub place: Option<Place>,
    /// What the comparison of two runs goes by.
    pub signature: Signature,
    /// Where the payload is not the accepted one: both, and what differs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub snapshot: Option<Box<SnapshotDifference>>,
}

/// A payload that is not the accepted one. Both are redacted: what differs from run to run stands there by its name,
/// such as `[ann.id]`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SnapshotDifference {
    /// The name of the snapshot, with its suite: `create__minimal-user`.
    pub name: String,
    /// The file of the accepted payload.
    pub file: String,
    /// The file in which the received payload waits to be accepted, if it was written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pending: Option<String>,
    /// The accepted payload.
    pub accepted: String,
    /// The payload that came.
    pub received: String,
    /// The lines that differ, as a unified diff from the accepted payload to the received one.
    pub diff: String,
}

/// The part of a finding that stays the same from run to run: no ids, no generated values, no wording.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub struct Signature {
    /// The check, as in [`Finding::check`].
    pub check: String,
    /// The HTTP method of the exchange, or empty.
    pub method: String,
    /// The endpoint of the exchange without ids, such as `/Users/{id}`, or empty.
    pub endpoint: String,
    /// The class of what was expected: `status 404`, `string`, `absent`.
    pub expected: String,
    /// The class of what came: `status 200`, `number`, `present`.
    pub actual: String,
}

/// Twelve hexadecimal digits that identify a finding between runs.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub struct Fingerprint(pub String);

impl Finding {
    /// The fingerprint of this finding in the case named. Equal findings of the same case in two runs have
    /// equal fingerprints, whatever ids the target gave out.
    pub fn fingerprint(&self, case_id: &str) -> Fingerprint {
        let Signature { check, method, endpoint, expected, actual } = &self.signature;
        let mut hash = Sha256::new();
        for part in [case_id, check, method, endpoint, expected, actual] {
            hash.update(part.as_bytes());
            hash.update([0]);
        }
        let digest = hash.finalize();
        Fingerprint(digest.iter().take(6).map(|byte| format!("{byte:02x}")).collect())
    }
}

/// What a baseline says of a case that it lists, and how the case compares.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Tolerance {
    /// Why its failure is tolerated.
    pub reason: String,
    /// Where that is followed up: a link, a number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub issue: Option<String>,
    /// The last day, in UTC, on which it is tolerated.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>", extend("format" = "date"))]
    pub until: Option<NaiveDate>,
    /// Whether that day is over.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub expired: bool,
    /// The findings of this run that the baseline lists.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub known: Vec<Fingerprint>,
    /// The findings of this run that it does not list and that count.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub new: Vec<Fingerprint>,
    /// What it lists and this run did not find, in its words.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub gone: Vec<String>,
}

impl Tolerance {
    /// The reason with issue and date, in one line: `userName is compared by case (SCIM-12), until 2026-12-31`.
    pub fn line(&self) -> String {
        let issue = self.issue.as_ref().map(|issue| format!(" ({issue})")).unwrap_or_default();
        let until = self.until.map(|until| format!(", until {until}")).unwrap_or_default();
        format!("{}{issue}{until}", self.reason)
    }
}

/// What one case (or one row, or one checkpoint of it) came to, with everything a report needs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Outcome {
    /// The permanent id: `suite/case`, `suite/case[row]`, or a checkpoint's `suite/checkpoint`.
    pub id: String,
    /// The suite's name.
    pub suite: String,
    /// The case in plain words.
    pub title: String,
    /// The strongest level the case judges at.
    pub level: Level,
    /// The requirements it cites.
    pub spec: Vec<String>,
    /// The tags it carries.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<String>,
    /// Where it stands.
    pub place: Place,
    /// The verdict.
    pub verdict: Verdict,
    /// What was found, most severe first. Empty for a pass.
    pub findings: Vec<Finding>,
    /// The exchanges it made, in order.
    pub exchanges: Vec<ExchangeId>,
    /// Wall time in milliseconds, pacing included.
    pub duration_ms: u64,
    /// What a client such as Okta does when this goes wrong.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub consequence: Option<String>,
    /// How to mend it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
    /// What is worth knowing about a pass: the alternative that matched, a resource left behind.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
    /// What the baseline of the run says of the case, where it lists it and the case was judged.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub baseline: Option<Tolerance>,
}

/// How many outcomes of each kind a run had.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Summary {
    /// Everything that was asked held.
    pub passed: u32,
    /// Recorded without judgement.
    pub noted: u32,
    /// Recommendations not kept.
    pub warned: u32,
    /// Requirements broken.
    pub failed: u32,
    /// As the vendor documents.
    pub deviates: u32,
    /// Not judged.
    pub skipped: u32,
    /// Ran without a verdict.
    pub inconclusive: u32,
    /// Could not be judged.
    pub errored: u32,
    /// Broken as the baseline says.
    #[serde(default)]
    pub known_failures: u32,
    /// Listed by the baseline as broken, and not, or not in all the ways that it lists.
    #[serde(default)]
    pub unexpected_passes: u32,
}

impl Summary {
    /// Counts a run's outcomes.
    pub fn of<'a>(outcomes: impl IntoIterator<Item = &'a Outcome>) -> Summary {
        let mut summary = Summary::default();
        for outcome in outcomes {
            *match outcome.verdict {
                Verdict::Passed => &mut summary.passed,
                Verdict::Noted => &mut summary.noted,
                Verdict::Warned => &mut summary.warned,
                Verdict::Failed => &mut summary.failed,
                Verdict::Deviates { .. } => &mut summary.deviates,
                Verdict::Skipped { .. } => &mut summary.skipped,
                Verdict::Inconclusive { .. } => &mut summary.inconclusive,
                Verdict::Errored { .. } => &mut summary.errored,
                Verdict::KnownFailure => &mut summary.known_failures,
                Verdict::UnexpectedPass => &mut summary.unexpected_passes,
            } += 1;
        }
        summary
    }

    /// All outcomes.
    pub fn total(&self) -> u32 {
        self.passed
            + self.noted
            + self.warned
            + self.failed
            + self.deviates
            + self.skipped
            + self.inconclusive
            + self.errored
            + self.known_failures
            + self.unexpected_passes
    }

    /// How many of them ran to a verdict.
    pub fn judged(&self) -> u32 {
        self.passed
            + self.noted
            + self.warned
            + self.failed
            + self.deviates
            + self.known_failures
            + self.unexpected_passes
    }

    /// The exit code of a run with this summary. Failures win over harness errors, since a report of
    /// failures is worth reading even where something else could not be judged.
    pub fn exit(&self, deny_warnings: bool) -> Exit {
        if self.failed > 0 || self.unexpected_passes > 0 || (deny_warnings && self.warned > 0) {
            Exit::Failures
        } else if self.errored > 0 {
            Exit::Unreachable
        } else if self.judged() == 0 {
            Exit::NothingRan
        } else {
            Exit::Conformant
        }
    }
}

/// The documented exit codes of `scimspec`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// 0: conformant, or partial.
    Conformant,
    /// 1: failures (or warnings under `--deny warnings`), unexpected passes of a baseline, or core features that were
    /// not tested under `--require-core`.
    Failures,
    /// 2: usage, configuration or suite error.
    Usage,
    /// 3: the target cannot be reached, or a harness error.
    Unreachable,
    /// 4: nothing ran.
    NothingRan,
}

impl Exit {
    /// The number the process ends with.
    pub fn code(self) -> u8 {
        match self {
            Exit::Conformant => 0,
            Exit::Failures => 1,
            Exit::Usage => 2,
            Exit::Unreachable => 3,
            Exit::NothingRan => 4,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> ExitCode {
        ExitCode::from(exit.code())
    }
}
