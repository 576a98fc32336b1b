//! The report of a run as a typed, versioned document: `run.json`.
//!
//! Everything that terminal and JUnit print stands here, so that each can be written again from the file.
//! What enters is masked ([`super::mask`]) and bounded on the way in; nothing here holds a secret, and no text
//! is longer than [`BODY_LIMIT`] allows.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::baseline::Baseline;
use crate::outcome::{Exit, Finding, Level, Outcome, Place, Reading, Summary, Verdict};
use crate::readiness::{FeatureReadiness, untested_core};
use crate::suite::model::Auth;
use crate::target::exchange::{Body, Exchange, ExchangeId};

use super::mask::{Masker, Ours};
use super::text;

/// The version of the report's format. The first number changes when a reader has to change.
pub const SCHEMA_VERSION: &str = "1.0";

/// How many bytes of a body, or of any text in a finding, a report keeps.
pub const BODY_LIMIT: usize = 8 * 1024;

/// How many exchanges of one outcome are kept beside those that its findings name.
const EXCHANGES_PER_OUTCOME: usize = 32;

/// How many of the slowest cases the summary names.
const SLOWEST: usize = 5;

/// Everything that a run found.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RunReport {
    /// The version of this format: `1.0`.
    pub schema_version: String,
    /// The program that made the run.
    pub harness: Harness,
    /// The service provider that was tested.
    pub target: TargetIdentity,
    /// The profile that selected the suites.
    pub profile: String,
    /// How disputed spots of the RFCs were read.
    pub reading: Reading,
    /// Whether warnings counted as failures (`--deny warnings`).
    pub deny_warnings: bool,
    /// The seed of generated values.
    pub seed: u64,
    /// The mark that the values made by this run carry.
    pub run: String,
    /// When the run began.
    #[schemars(with = "String", extend("format" = "date-time"))]
    pub started: DateTime<Utc>,
    /// Wall time of the whole run, in milliseconds.
    pub duration_ms: u64,
    /// The arguments of `scimspec run` that make the same run again, without the selection of cases and
    /// without secrets.
    pub arguments: Vec<String>,
    /// What the service provider claims to support, each with where that was read.
    pub capabilities: Vec<CapabilityEvidence>,
    /// What each case came to, in the order of the suites.
    pub outcomes: Vec<Outcome>,
    /// The requirements that outcomes and findings cite, by id.
    pub requirements: BTreeMap<String, RequirementText>,
    /// The exchanges that findings and cases without a pass refer to, masked, by number.
    pub exchanges: Vec<ExchangeRecord>,
    /// The run in numbers.
    pub summary: RunSummary,
    /// What the features of the profile come to, in its order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub readiness: Vec<FeatureReadiness>,
    /// The client whose needs the profile holds, as people call it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client: Option<String>,
    /// Whether a core feature that was not tested counts as a failure (`--require-core`).
    #[serde(default, skip_serializing_if = "is_false")]
    pub require_core: bool,
    /// Whether `--case`, `--skip` or `--tag` left out a part of the profile.
    #[serde(default, skip_serializing_if = "is_false")]
    pub narrowed: bool,
    /// The list of known failures that the run was held to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub baseline: Option<BaselineRecord>,
    /// What the profile documents otherwise than the RFCs of the cases and rules that ran, and what came of it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub deviations: Vec<DeviationRecord>,
    /// Of a run of fuzzing, what was tried.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fuzz: Option<FuzzRecord>,
}

/// What a run of fuzzing tried.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FuzzRecord {
    /// The words after `scimspec` that make the same run again, without secrets.
    pub command: Vec<String>,
    /// What was tried: `filter`.
    pub noun: String,
    /// How many of these were judged.
    pub tried: u64,
    /// How many of them by each property.
    pub properties: Vec<PropertyRecord>,
    /// How many were left alone, since a cause that was found explains them.
    pub left_alone: u64,
    /// How many answers said nothing, for a limit or an interrupt.
    pub unjudged: u64,
    /// How many requests went into shrinking and judging anew.
    pub shrinking: u64,
    /// What it was judged on.
    pub resources: Vec<ResourceCount>,
    /// How the service provider reads what the RFCs leave open, as far as its answers settled it.
    pub dialect: Vec<String>,
    /// What a reader should know.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
    /// The cases of earlier runs that hold now.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub mended: Vec<String>,
    /// The suites that were written for what was found.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub saved: Vec<String>,
    /// Why it ended.
    pub ended: String,
}

/// What was tried of a property.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PropertyRecord {
    /// Its name: `connectives`.
    pub name: String,
    /// How many filters, or whatever was tried, were judged by it.
    pub judged: u64,
}

/// How many resources of ours there were at an endpoint.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ResourceCount {
    /// The endpoint.
    pub endpoint: String,
    /// How many.
    pub count: u64,
}

/// A documented behaviour that departs from the RFCs, and what the answers of the run came to about it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DeviationRecord {
    /// What it is about: `create/minimal-user`, `rules/id-present on POST /Groups`.
    pub about: String,
    /// Where it is documented: ids of the vendor's catalogue, or links.
    pub cite: Vec<String>,
    /// Why the document is followed here.
    pub why: String,
    /// Where it stands in the profile.
    pub place: Place,
    /// How many answers were as documented, and not as the RFCs ask.
    pub documented: u32,
    /// How many answers were as the RFCs ask. Where none was as documented, the deviation is obsolete.
    pub conformant: u32,
    /// How many answers were neither.
    pub neither: u32,
}

impl DeviationRecord {
    /// Whether it can be taken out of the profile: every answer was as the RFCs ask.
    pub fn is_obsolete(&self) -> bool {
        self.conformant > 0 && self.documented == 0 && self.neither == 0
    }

    /// Whether no answer showed it, one way or the other.
    pub fn is_unused(&self) -> bool {
        self.documented == 0 && self.conformant == 0 && self.neither == 0
    }
}

/// The list of known failures that a run was held to. What it says of a case stands in the case's outcome.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct BaselineRecord {
    /// The file, as the operator named it.
    pub file: String,
    /// How many cases it lists.
    pub entries: u64,
    /// The cases that it lists and this run did not judge, so that their entries were not used.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub not_judged: Vec<String>,
}

impl BaselineRecord {
    /// The record of a baseline whose outcomes were held to it.
    pub fn of(baseline: &Baseline, outcomes: &[Outcome]) -> BaselineRecord {
        let used: BTreeSet<&str> = outcomes
            .iter()
            .filter(|outcome| outcome.baseline.is_some())
            .map(|outcome| outcome.id.as_str())
            .collect();
        let cases = baseline.entries.iter().map(|entry| &entry.case);
        BaselineRecord {
            file: baseline.file().to_owned(),
            entries: baseline.entries.len() as u64,
            not_judged: cases.filter(|case| !used.contains(case.as_str())).cloned().collect(),
        }
    }
}

/// The program that made a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Harness {
    /// `scimspec`.
    pub name: String,
    /// Its version.
    pub version: String,
    /// A digest over all suite files and fixtures: runs with the same digest asked the same questions.
    pub suites: String,
}

/// The service provider that a run tested.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TargetIdentity {
    /// The base URL, without credentials.
    pub base_url: String,
    /// Whether it was the reference server inside scimspec, started for the run.
    pub embedded: bool,
    /// Product and version as far as the service provider tells, from its `Server` header or configuration.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub product: Option<String>,
    /// `documentationUri` of its ServiceProviderConfig.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub documentation: Option<String>,
    /// How requests were authenticated, by the names of variables only.
    pub credentials: CredentialNames,
    /// Headers that the operator added to every request, as written: `${VAR}` where a variable was read.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub headers: Vec<HeaderRecord>,
    /// What else let requests in, and what was not checked.
    #[serde(default, skip_serializing_if = "AccessNames::is_plain")]
    pub access: AccessNames,
}

/// What beside credentials let requests in, and what was not checked: names of files and variables only.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct AccessNames {
    /// Whether the server's certificate was taken unseen (`--insecure`).
    #[serde(skip_serializing_if = "is_false")]
    pub insecure: bool,
    /// The file of further certificates that were trusted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cacert: Option<String>,
    /// The certificate that the client showed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub certificate: Option<CertificateFiles>,
    /// How requests of the second tenant were authenticated.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub second: Option<SecondNames>,
}

impl AccessNames {
    /// Whether there is nothing to say.
    pub fn is_plain(&self) -> bool {
        *self == AccessNames::default()
    }
}

/// The files of a client certificate.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CertificateFiles {
    /// The file with the certificate.
    pub cert: String,
    /// The file with its private key, where it is another.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
}

/// How requests of a second tenant were authenticated.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SecondNames {
    /// By the names of variables only.
    pub credentials: CredentialNames,
    /// The header that carried them, as written: `${VAR}` where a variable was read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub header: Option<HeaderRecord>,
    /// The certificate, where it was another than that of the first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub certificate: Option<CertificateFiles>,
}

/// How requests were authenticated: where a secret came from, never the secret.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "scheme", rename_all = "kebab-case", deny_unknown_fields)]
pub enum CredentialNames {
    /// Without credentials.
    #[default]
    None,
    /// A bearer token (RFC 6750).
    Bearer {
        /// The variable that held it, or a name to put it in.
        variable: String,
    },
    /// User and password (RFC 7617).
    Basic {
        /// The user.
        user: String,
        /// The variable that held the password.
        variable: String,
    },
    /// A header with a secret in it, which stands among the headers as it was written.
    Header {
        /// The header's name.
        name: String,
        /// The variables that its value was made of.
        variables: Vec<String>,
    },
    /// A bearer token that an authorization server issued (RFC 6749 section 4.4).
    #[serde(rename = "oauth")]
    OAuth {
        /// The token endpoint.
        token_url: String,
        /// The client.
        client_id: String,
        /// The variable that held the client's secret, or a name to put it in.
        variable: String,
    },
}

impl CredentialNames {
    /// The variable that a command by hand takes an access token from.
    pub const TOKEN: &str = "SCIM_TOKEN";
}

impl fmt::Display for CredentialNames {
    /// In a few words, for people.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            CredentialNames::None => f.write_str("none"),
            CredentialNames::Bearer { variable } => write!(f, "bearer token from {variable}"),
            CredentialNames::Basic { user, variable } => {
                write!(f, "user {user}, password from {variable}")
            }
            CredentialNames::Header { name, variables } => {
                write!(f, "header {name}, from {}", variables.join(", "))
            }
            CredentialNames::OAuth { token_url, client_id, variable } => {
                write!(f, "OAuth 2 client {client_id} at {token_url}, secret from {variable}")
            }
        }
    }
}

/// What the service provider claims about one capability.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CapabilityEvidence {
    /// The capability: `patch`, `filter`.
    pub name: String,
    /// Whether it claims it; absent where it does not say.
    pub claimed: Option<bool>,
    /// Where that was read: `ServiceProviderConfig.patch.supported = true`.
    pub evidence: String,
}

/// One requirement, as far as a reader of a report needs it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RequirementText {
    /// How strongly it binds.
    pub level: Level,
    /// The requirement in a sentence.
    pub sentence: String,
    /// Where the document can be read.
    pub link: String,
}

/// One exchange as reports keep it: masked, its bodies bounded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ExchangeRecord {
    /// Its number in the run.
    pub id: ExchangeId,
    /// The case that made it, or `probe`, `population`, `clean-up`.
    pub origin: String,
    /// Why it was made, where no step asked for it: `read back after POST /Users`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// When the request was sent.
    #[schemars(with = "String", extend("format" = "date-time"))]
    pub started: DateTime<Utc>,
    /// From sending the request to the end of the answer, in milliseconds.
    pub elapsed_ms: u64,
    /// What was sent.
    pub request: RequestRecord,
    /// What came back.
    pub answer: AnswerRecord,
}

impl ExchangeRecord {
    /// The answer, if one came.
    pub fn response(&self) -> Option<&ResponseRecord> {
        match &self.answer {
            AnswerRecord::Response(response) => Some(response),
            AnswerRecord::None { .. } => None,
        }
    }
}

/// What was sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RequestRecord {
    /// The HTTP method.
    pub method: String,
    /// The absolute URL.
    pub url: String,
    /// The path below the base URL, with its query.
    pub path: String,
    /// The headers in the order sent; credentials read `***`.
    pub headers: Vec<HeaderRecord>,
    /// The body, if one was sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body: Option<BodyRecord>,
    /// Whether it carried the credentials of the second tenant.
    #[serde(default, skip_serializing_if = "is_false")]
    pub second: bool,
}

/// One header.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct HeaderRecord {
    /// Its name, as it was written.
    pub name: String,
    /// Its value.
    pub value: String,
}

/// What came back: a response, or nothing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum AnswerRecord {
    /// An HTTP response.
    Response(ResponseRecord),
    /// No response.
    None {
        /// Why, in one line.
        why: String,
    },
}

/// An HTTP response.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ResponseRecord {
    /// The status.
    pub status: u16,
    /// The headers in the order they came.
    pub headers: Vec<HeaderRecord>,
    /// The body, if there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body: Option<BodyRecord>,
}

/// A body, as far as reports keep it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct BodyRecord {
    /// Its text: as it crossed the wire, or reduced as the other members say.
    pub text: String,
    /// How many bytes there were on the wire, after decompression.
    pub bytes: u64,
    /// Whether values of resources that this run did not create were replaced by `…`.
    #[serde(default, skip_serializing_if = "is_false")]
    pub masked: bool,
    /// Whether it was shortened to fit the report.
    #[serde(default, skip_serializing_if = "is_false")]
    pub shortened: bool,
    /// Why it cannot be read as JSON, if it cannot.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
}

/// A run in numbers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RunSummary {
    /// How many cases came to which verdict.
    pub verdicts: Summary,
    /// The exit code of the run.
    pub exit_code: u8,
    /// All requests, those of probe, population and clean-up included.
    pub requests: u64,
    /// All requests for each case that ran to a verdict.
    pub requests_per_case: f64,
    /// Wall time of the whole run, in milliseconds.
    pub wall_ms: u64,
    /// The cases that took longest, slowest first.
    pub slowest: Vec<SlowCase>,
    /// What became of the resources that the run created.
    pub clean_up: CleanUpRecord,
    /// Whether the run was interrupted, so that what it did not come to is skipped.
    #[serde(default, skip_serializing_if = "is_false")]
    pub interrupted: bool,
    /// How reads agreed with the writes before them, where they were given time to (`--settle`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub settling: Option<SettlingRecord>,
}

/// How reads agreed with the writes before them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SettlingRecord {
    /// For how long a read might contradict before it was judged, in milliseconds.
    pub within_ms: u64,
    /// Reads of single resources.
    pub resources: SettledReads,
    /// Lists.
    pub lists: SettledReads,
}

/// How reads of one kind agreed with the writes before them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SettledReads {
    /// How many were made soon after a write, repeats not counted.
    pub reads: u64,
    /// How many of them agreed only when they were repeated.
    pub waited: u64,
    /// How many of them contradicted to the end.
    pub never: u64,
    /// The longest time from a write to the repeated read that agreed with it, in milliseconds.
    pub longest_ms: u64,
}

/// One of the slowest cases.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SlowCase {
    /// The case's id.
    pub id: String,
    /// Its wall time in milliseconds.
    pub duration_ms: u64,
    /// How many exchanges it made.
    pub exchanges: usize,
}

/// What became of the resources that a run created.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CleanUpRecord {
    /// How many were deleted.
    pub deleted: u64,
    /// How many had gone already.
    pub already_gone: u64,
    /// What is still there.
    pub left_behind: Vec<LeftBehind>,
}

/// A resource of ours that could not be deleted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LeftBehind {
    /// Where it is, below the base URL: `/Users/42`.
    pub path: String,
    /// Why it is still there.
    pub why: String,
}

fn is_false(value: &bool) -> bool {
    !value
}

/// Which exchanges a report keeps.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Keep {
    /// Those that findings name, and those of cases that did not pass.
    #[default]
    Evidence,
    /// Every one.
    All,
}

/// A run in memory, ready to be reported.
pub struct Run<'a> {
    /// A digest over suites and fixtures.
    pub suites: String,
    /// The service provider.
    pub target: TargetIdentity,
    /// The profile's name.
    pub profile: String,
    /// The reading.
    pub reading: Reading,
    /// Whether warnings count as failures.
    pub deny_warnings: bool,
    /// The seed.
    pub seed: u64,
    /// What this run created, and its mark: everything else is masked.
    pub ours: &'a Ours,
    /// When the run began.
    pub started: DateTime<Utc>,
    /// How long it took.
    pub duration: Duration,
    /// The arguments that make it again, without selection and secrets.
    pub arguments: Vec<String>,
    /// What the service provider claims.
    pub capabilities: Vec<CapabilityEvidence>,
    /// What each case came to.
    pub outcomes: &'a [Outcome],
    /// Every exchange of the run.
    pub exchanges: &'a [Arc<Exchange>],
    /// All requests made, also those whose exchange was not kept in memory.
    pub requests: u64,
    /// Which exchanges the report keeps.
    pub keep: Keep,
    /// Looks up a requirement by its id.
    pub requirement: &'a dyn Fn(&str) -> Option<RequirementText>,
    /// What became of what the run created.
    pub clean_up: CleanUpRecord,
    /// Whether it was interrupted.
    pub interrupted: bool,
    /// What came of the profile's deviations.
    pub deviations: Vec<DeviationRecord>,
    /// How reads agreed with writes.
    pub settling: Option<SettlingRecord>,
    /// What the features of the profile come to.
    pub readiness: Vec<FeatureReadiness>,
    /// The client whose needs the profile holds.
    pub client: Option<String>,
    /// Whether a core feature that was not tested counts as a failure.
    pub require_core: bool,
    /// Whether a part of the profile was left out.
    pub narrowed: bool,
    /// The list of known failures that it was held to.
    pub baseline: Option<BaselineRecord>,
    /// Of a run of fuzzing, what was tried.
    pub fuzz: Option<FuzzRecord>,
}

impl Run<'_> {
    /// The report of this run: masked, bounded, with the sentences of the requirements that it cites.
    pub fn report(self) -> RunReport {
        let kept = self.kept();
        let mut masker = Masker::new(self.ours);
        let exchanges: Vec<ExchangeRecord> = self
            .exchanges
            .iter()
            .filter(|exchange| kept.as_ref().is_none_or(|kept| kept.contains(&exchange.id)))
            .map(|exchange| record(exchange, &mut masker))
            .collect();
        let outcomes: Vec<Outcome> =
            self.outcomes.iter().map(|outcome| bounded(outcome.clone(), &masker)).collect();
        let requirements = outcomes
            .iter()
            .flat_map(|outcome| outcome.findings.iter().flat_map(|f| &f.requirements).chain(&outcome.spec))
            .chain(self.deviations.iter().flat_map(|deviation| &deviation.cite))
            .collect::<BTreeSet<_>>()
            .into_iter()
            .filter_map(|id| Some((id.clone(), (self.requirement)(id)?)))
            .collect();
        let verdicts = Summary::of(&outcomes);
        let wall_ms = milliseconds(self.duration);
        let lacks_core = self.require_core && untested_core(&self.readiness).next().is_some();
        let summary = RunSummary {
            exit_code: exit(&verdicts, self.deny_warnings, self.interrupted, lacks_core).code(),
            requests: self.requests,
            requests_per_case: per_case(self.requests, &verdicts),
            wall_ms,
            slowest: slowest(&outcomes),
            clean_up: self.clean_up,
            interrupted: self.interrupted,
            settling: self.settling,
            verdicts,
        };
        RunReport {
            schema_version: SCHEMA_VERSION.to_owned(),
            harness: Harness {
                name: env!("CARGO_PKG_NAME").to_owned(),
                version: env!("CARGO_PKG_VERSION").to_owned(),
                suites: self.suites,
            },
            target: self.target,
            profile: self.profile,
            reading: self.reading,
            deny_warnings: self.deny_warnings,
            seed: self.seed,
            run: self.ours.mark.clone(),
            started: self.started,
            duration_ms: wall_ms,
            arguments: self.arguments,
            capabilities: self.capabilities,
            outcomes,
            requirements,
            exchanges,
            summary,
            deviations: self.deviations,
            readiness: self.readiness,
            client: self.client,
            require_core: self.require_core,
            narrowed: self.narrowed,
            baseline: self.baseline,
            fuzz: self.fuzz,
        }
    }

    /// The exchanges to keep; `None` keeps all.
    fn kept(&self) -> Option<BTreeSet<ExchangeId>> {
        if self.keep == Keep::All {
            return None;
        }
        let named = self.outcomes.iter().flat_map(|o| &o.findings).filter_map(|finding| finding.exchange);
        let of_troubled = self
            .outcomes
            .iter()
            .filter(|outcome| {
                matches!(
                    outcome.verdict,
                    Verdict::Warned
                        | Verdict::Failed
                        | Verdict::Deviates { .. }
                        | Verdict::KnownFailure
                        | Verdict::Inconclusive { .. }
                        | Verdict::Errored { .. }
                )
            })
            .flat_map(|outcome| {
                let from = outcome.exchanges.len().saturating_sub(EXCHANGES_PER_OUTCOME);
                outcome.exchanges[from..].iter().copied()
            });
        Some(named.chain(of_troubled).collect())
    }
}

impl RunReport {
    /// The exchange of that number, if the report kept it.
    pub fn exchange(&self, id: ExchangeId) -> Option<&ExchangeRecord> {
        self.exchanges.binary_search_by_key(&id, |exchange| exchange.id).ok().map(|at| &self.exchanges[at])
    }

    /// The exit code of the run.
    pub fn exit(&self) -> Exit {
        let lacks_core = self.require_core && self.is_partial();
        exit(&self.summary.verdicts, self.deny_warnings, self.summary.interrupted, lacks_core)
    }

    /// Whether a core feature of the profile was not tested, so that the run says nothing of the whole.
    pub fn is_partial(&self) -> bool {
        untested_core(&self.readiness).next().is_some()
    }

    /// Whether an outcome counts as a failure in this run: it failed, it is not as its baseline says, or it warned
    /// under `--deny warnings`.
    pub fn is_failure(&self, outcome: &Outcome) -> bool {
        match outcome.verdict {
            Verdict::Failed | Verdict::UnexpectedPass => true,
            Verdict::Warned => self.deny_warnings,
            _ => false,
        }
    }
}

/// The exit code of a run: a part that was interrupted is no verdict on the whole, and neither is one without the
/// core, where the operator asked for it.
fn exit(verdicts: &Summary, deny_warnings: bool, interrupted: bool, lacks_core: bool) -> Exit {
    match verdicts.exit(deny_warnings) {
        _ if interrupted => Exit::Unreachable,
        Exit::Conformant if lacks_core => Exit::Failures,
        exit => exit,
    }
}

fn milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

fn per_case(requests: u64, verdicts: &Summary) -> f64 {
    let cases = verdicts.judged();
    if cases == 0 {
        return 0.0;
    }
    // Requests of a run are far below 2^52; two decimals are what a reader can use.
    #[expect(clippy::cast_precision_loss, reason = "a request count is far below 2^52")]
    let ratio = requests as f64 / f64::from(cases);
    (ratio * 100.0).round() / 100.0
}

fn slowest(outcomes: &[Outcome]) -> Vec<SlowCase> {
    let mut slow: Vec<SlowCase> = outcomes
        .iter()
        .filter(|outcome| !outcome.exchanges.is_empty())
        .map(|outcome| SlowCase {
            id: outcome.id.clone(),
            duration_ms: outcome.duration_ms,
            exchanges: outcome.exchanges.len(),
        })
        .collect();
    slow.sort_by(|a, b| b.duration_ms.cmp(&a.duration_ms).then_with(|| a.id.cmp(&b.id)));
    slow.truncate(SLOWEST);
    slow
}

/// An outcome whose texts are bounded and free of the values that were masked in exchanges.
fn bounded(mut outcome: Outcome, masker: &Masker<'_>) -> Outcome {
    let tidy = |text: &str| text::clip(&masker.sentence(text), BODY_LIMIT);
    for finding in &mut outcome.findings {
        let Finding { message, expected, actual, differences, .. } = finding;
        for part in [message, expected, actual] {
            *part = tidy(part);
        }
        for difference in differences {
            difference.expected = tidy(&difference.expected);
            difference.actual = tidy(&difference.actual);
        }
        if let Some(snapshot) = &mut finding.snapshot {
            for part in [&mut snapshot.accepted, &mut snapshot.received, &mut snapshot.diff] {
                *part = tidy(part);
            }
        }
    }
    for note in &mut outcome.notes {
        *note = tidy(note);
    }
    outcome
}

fn record(exchange: &Exchange, masker: &mut Masker<'_>) -> ExchangeRecord {
    let request = &exchange.request;
    let headers = |headers: &[(String, String)]| {
        headers
            .iter()
            .map(|(name, value)| HeaderRecord { name: name.clone(), value: text::clip(value, BODY_LIMIT) })
            .collect()
    };
    ExchangeRecord {
        id: exchange.id,
        origin: exchange.origin.clone(),
        reason: exchange.reason.as_deref().map(|reason| text::clip(reason, BODY_LIMIT)),
        started: exchange.started,
        elapsed_ms: milliseconds(exchange.elapsed),
        request: RequestRecord {
            method: request.method.clone(),
            url: text::clip(&request.url, BODY_LIMIT),
            path: text::clip(&request.path, BODY_LIMIT),
            headers: headers(&request.headers),
            // What was sent is ours by nature: nothing in it came from the service provider's tenant.
            body: request.body.as_deref().filter(|body| !body.is_empty()).map(|body| {
                let (text, shortened) = shorten(&String::from_utf8_lossy(body));
                BodyRecord { text, bytes: body.len() as u64, masked: false, shortened, problem: None }
            }),
            second: request.auth == Auth::Second,
        },
        answer: match &exchange.answer {
            Ok(response) => AnswerRecord::Response(ResponseRecord {
                status: response.status,
                headers: headers(&response.headers),
                body: answer_body(&response.body, &request.endpoint, response.status, masker),
            }),
            Err(failure) => AnswerRecord::None { why: text::clip(&failure.to_string(), BODY_LIMIT) },
        },
    }
}

fn answer_body(body: &Body, endpoint: &str, status: u16, masker: &mut Masker<'_>) -> Option<BodyRecord> {
    if body.is_empty() {
        return None;
    }
    let bytes = body.bytes().len() as u64;
    let (text, masked, problem) = match body.json() {
        Ok(json) => match masker.body(json, endpoint, status) {
            Some(reduced) => (reduced.to_string(), true, None),
            None => (body.text(), false, None),
        },
        Err(problem) => {
            let (text, masked) = masker.broken(&body.text(), endpoint, status);
            (text, masked, Some(text::clip(&problem.to_string(), BODY_LIMIT)))
        }
    };
    let (text, shortened) = shorten(&text);
    Some(BodyRecord { text, bytes, masked, shortened, problem })
}

/// A body that fits a report. JSON stays JSON: long arrays and texts are shortened inside it, so that it can
/// still be laid out and searched; only what is no JSON, or too wide all the same, is cut.
fn shorten(body: &str) -> (String, bool) {
    if body.len() <= BODY_LIMIT {
        return (body.to_owned(), false);
    }
    if let Ok(json) = serde_json::from_str(body) {
        for rows in [8, 3, 1] {
            let short = super::mask::shortened(&json, rows, 256).to_string();
            if short.len() <= BODY_LIMIT {
                return (short, true);
            }
        }
    }
    (text::clip(body, BODY_LIMIT), true)
}
