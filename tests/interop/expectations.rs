//! The committed list of what a server is known to get wrong, and its comparison with a run.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::{env, fs};

use scimspec::outcome::{Finding, Fingerprint, Outcome, Severity, Verdict};
use serde::Deserialize;

/// A list such as `scim2-server.toml`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Expectations {
    /// The server and its version, as one installs it.
    pub server: String,
    /// What it gets wrong.
    #[serde(rename = "fault")]
    pub faults: Vec<Fault>,
    #[serde(skip)]
    path: PathBuf,
}

/// One thing that the server gets wrong, with everything that is found of it.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fault {
    /// What is wrong, in a few words.
    pub name: String,
    /// Why it is, and how anybody can see it.
    pub evidence: Evidence,
    /// What scimspec says of it.
    pub findings: Vec<Known>,
}

impl Fault {
    /// The strongest thing that is said of it.
    pub fn verdict(&self) -> Expected {
        self.findings.iter().map(|known| known.verdict).min().unwrap_or(Expected::Warned)
    }
}

/// Why a fault is one.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Evidence {
    /// Which sentence of which RFC it breaks, and how.
    pub why: String,
    /// A shell command that shows it with `$BASE` and `$TOKEN`, without scimspec.
    pub seen: String,
    /// What that command prints, or a part of it that proves the point.
    pub prints: String,
}

/// A finding that is right about the server.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Known {
    /// The case.
    pub id: String,
    /// The check inside the case.
    pub finding: String,
    /// The findings' fingerprints: a rule may find the same at several endpoints.
    pub fingerprints: Vec<Fingerprint>,
    /// What it comes to.
    pub verdict: Expected,
    /// The profiles whose runs show it.
    pub profiles: Vec<String>,
}

/// The verdicts that a known finding can stand for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Expected {
    /// A requirement is broken.
    Failed,
    /// A recommendation is not kept.
    Warned,
}

impl Expected {
    fn of(finding: &Finding) -> Option<Expected> {
        match finding.severity {
            Severity::Failure => Some(Expected::Failed),
            Severity::Warning => Some(Expected::Warned),
            Severity::Note => None,
        }
    }
}

/// What tells one finding from another.
type Key = (String, String, Expected, Fingerprint);

impl Expectations {
    /// Reads the list of a server of this directory.
    pub fn read(server: &str) -> Expectations {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/interop").join(format!("{server}.toml"));
        let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let mut list: Expectations =
            toml::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        list.path = path;
        for Fault { name, evidence, findings } in &list.faults {
            assert!(!findings.is_empty(), "{name}: findings must name at least one");
            assert!(evidence.why.contains("RFC "), "{name}: why must name the section of the RFC");
            for Known { id, fingerprints, profiles, .. } in findings {
                assert!(!fingerprints.is_empty(), "{id}: fingerprints must name at least one finding");
                assert!(!profiles.is_empty(), "{id}: profiles must name the runs that show it");
            }
        }
        list
    }

    /// The evidence of each fault, with the fault's name.
    pub fn evidence(&self) -> impl Iterator<Item = (&str, &Evidence)> {
        self.faults.iter().map(|fault| (fault.name.as_str(), &fault.evidence))
    }

    /// What is wrong with a run of this profile: findings that the list does not know, entries that the run
    /// does not show, and cases without a verdict. `None` where run and list agree.
    pub fn disagreement(&self, profile: &str, outcomes: &[Outcome]) -> Option<String> {
        let seen = findings(outcomes);
        let known: BTreeSet<Key> = self
            .faults
            .iter()
            .flat_map(|fault| &fault.findings)
            .filter(|entry| entry.profiles.iter().any(|name| name == profile))
            .flat_map(|entry| {
                entry.fingerprints.iter().map(|fingerprint| {
                    (entry.id.clone(), entry.finding.clone(), entry.verdict, fingerprint.clone())
                })
            })
            .collect();

        let mut text = String::new();
        for (key, finding) in seen.iter().filter(|(key, _)| !known.contains(*key)) {
            let _ = write!(
                text,
                "\n--- not in the list: a false alarm, or a new entry\n{}",
                draft(key, finding, profile)
            );
        }
        for (id, finding, verdict, fingerprint) in known.iter().filter(|key| !seen.contains_key(*key)) {
            let Fingerprint(fingerprint) = fingerprint;
            let _ = write!(
                text,
                "\n--- in the list, not seen any more: {id}, {finding}, {verdict:?}, {fingerprint}\n"
            );
        }
        for outcome in outcomes {
            match &outcome.verdict {
                Verdict::Errored { cause } => {
                    let _ = write!(text, "\n--- errored: {}\n{cause}\n", outcome.id);
                }
                Verdict::Inconclusive { why } => {
                    let _ = write!(text, "\n--- inconclusive: {}\n{why}\n", outcome.id);
                }
                _ => {}
            }
        }
        (!text.is_empty()).then(|| format!("run and {} disagree\n{text}", self.path.display()))
    }
}

/// The failures and warnings of a run.
fn findings(outcomes: &[Outcome]) -> BTreeMap<Key, &Finding> {
    outcomes
        .iter()
        .flat_map(|outcome| outcome.findings.iter().map(move |finding| (outcome, finding)))
        .filter_map(|(outcome, finding)| {
            let key = (
                outcome.id.clone(),
                finding.check.clone(),
                Expected::of(finding)?,
                finding.fingerprint(&outcome.id),
            );
            Some((key, finding))
        })
        .collect()
}

/// A finding whole, with the line that would make it known.
fn draft((id, check, verdict, Fingerprint(fingerprint)): &Key, finding: &Finding, profile: &str) -> String {
    let Finding { message, expected, actual, requirements, exchange, place, .. } = finding;
    let mut text = format!("{message}\n  requirements: {}\n", requirements.join(", "));
    let _ = writeln!(text, "  expected: {expected}\n  actual: {actual}");
    for difference in &finding.differences {
        let _ = writeln!(
            text,
            "    {}: expected {}, actual {}",
            difference.path, difference.expected, difference.actual
        );
    }
    if let Some(exchange) = exchange {
        let _ = writeln!(text, "  exchange {exchange}");
    }
    if let Some(place) = place {
        let _ = writeln!(text, "  {place}");
    }
    let verdict = format!("{verdict:?}").to_lowercase();
    let _ = writeln!(
        text,
        "  {{ id = {id:?}, finding = {check:?}, fingerprints = [{fingerprint:?}], verdict = {verdict:?}, \
         profiles = [{profile:?}] }},"
    );
    text
}

#[cfg(test)]
mod tests {
    use scimspec::outcome::{ErrorCause, Level, Place, Signature};

    use super::*;

    fn finding(severity: Severity, actual: &str) -> Finding {
        Finding {
            check: "status".to_owned(),
            level: Level::Must,
            severity,
            requirements: vec!["RFC7644-3.9-01".to_owned()],
            message: "the answer holds more than was asked for".to_owned(),
            expected: "status 400".to_owned(),
            actual: actual.to_owned(),
            differences: Vec::new(),
            exchange: None,
            place: None,
            signature: Signature {
                check: "status".to_owned(),
                method: "POST".to_owned(),
                endpoint: "/Users".to_owned(),
                expected: "status 400".to_owned(),
                actual: actual.to_owned(),
            },
            snapshot: None,
        }
    }

    fn outcome(id: &str, findings: Vec<Finding>) -> Outcome {
        Outcome {
            id: id.to_owned(),
            suite: "create".to_owned(),
            title: String::new(),
            level: Level::Must,
            spec: Vec::new(),
            tags: Vec::new(),
            place: Place { file: "3.3-create.yaml".to_owned(), line: 1, column: 1 },
            verdict: Verdict::of(&findings),
            findings,
            exchanges: Vec::new(),
            duration_ms: 1,
            consequence: None,
            hint: None,
            notes: Vec::new(),
            baseline: None,
        }
    }

    fn list(of: &Finding, verdict: &str) -> Expectations {
        let Fingerprint(fingerprint) = of.fingerprint("create/empty");
        toml::from_str(&format!(
            "server = 'x'\n[[fault]]\nname = 'x'\nevidence = {{ why = 'RFC 7643', seen = 'true', prints = '' }}\n\
             [[fault.findings]]\nid = 'create/empty'\nfinding = 'status'\n\
             fingerprints = ['{fingerprint}']\nverdict = '{verdict}'\nprofiles = ['rfc']\n"
        ))
        .expect("the list is valid")
    }

    #[test]
    fn a_run_that_shows_what_the_list_says_agrees() {
        let known = finding(Severity::Failure, "status 201");
        let outcomes = [
            outcome("create/empty", vec![known.clone(), finding(Severity::Note, "status 200")]),
            outcome("create/minimal", Vec::new()),
        ];
        assert_eq!(list(&known, "failed").disagreement("rfc", &outcomes), None);
    }

    #[test]
    fn a_finding_that_the_list_does_not_know_is_shown_whole() {
        let known = finding(Severity::Failure, "status 201");
        let other = finding(Severity::Failure, "status 500");
        let outcomes = [outcome("create/empty", vec![known.clone(), other.clone()])];
        let text = list(&known, "failed").disagreement("rfc", &outcomes).expect("a disagreement");
        let Fingerprint(fingerprint) = other.fingerprint("create/empty");
        assert!(text.contains(&fingerprint) && text.contains(&other.message), "{text}");
    }

    #[test]
    fn the_same_check_in_another_case_or_of_another_weight_is_not_known() {
        let known = finding(Severity::Failure, "status 201");
        let elsewhere =
            [outcome("create/empty", vec![known.clone()]), outcome("create/other", vec![known.clone()])];
        assert!(list(&known, "failed").disagreement("rfc", &elsewhere).is_some());
        let weaker = [outcome("create/empty", vec![finding(Severity::Warning, "status 201")])];
        assert!(list(&known, "failed").disagreement("rfc", &weaker).is_some());
    }

    #[test]
    fn an_entry_that_is_not_seen_any_more_is_named() {
        let known = finding(Severity::Failure, "status 201");
        let text = list(&known, "failed").disagreement("rfc", &[outcome("create/empty", Vec::new())]);
        assert!(text.is_some_and(|text| text.contains("not seen any more: create/empty")));
    }

    #[test]
    fn an_entry_binds_the_runs_of_its_profiles_only() {
        let known = finding(Severity::Failure, "status 201");
        assert_eq!(list(&known, "failed").disagreement("okta", &[outcome("create/empty", Vec::new())]), None);
        assert!(
            list(&known, "failed").disagreement("okta", &[outcome("create/empty", vec![known])]).is_some()
        );
    }

    #[test]
    fn a_case_without_a_verdict_is_a_disagreement() {
        let known = finding(Severity::Failure, "status 201");
        for verdict in [
            Verdict::Errored { cause: ErrorCause::Harness { detail: "a panic".to_owned() } },
            Verdict::Inconclusive { why: "a race".to_owned() },
        ] {
            let mut stuck = outcome("create/other", Vec::new());
            stuck.verdict = verdict;
            let outcomes = [outcome("create/empty", vec![known.clone()]), stuck];
            let text = list(&known, "failed").disagreement("rfc", &outcomes);
            assert!(text.is_some_and(|text| text.contains("create/other")));
        }
    }

    #[test]
    fn the_committed_lists_are_about_the_versions_that_are_installed() {
        for (server, pinned) in [
            ("scim2-server", include_str!("scim2-server.requirements.txt")),
            ("scimmy", include_str!("scimmy/package.json")),
            ("django-scim2", include_str!("django-scim2.requirements.txt")),
            ("better-auth", include_str!("better-auth/package.json")),
            ("django-scim2-server", include_str!("django-scim2-server.requirements.txt")),
        ] {
            let list = Expectations::read(server);
            let (name, version) = list.server.split_once(' ').expect("server and version");
            let is_pin = |line: &str| {
                line.starts_with(name) && line.ends_with(&format!("=={version}"))
                    || line.contains(&format!("\"{name}\": \"{version}\""))
            };
            assert!(pinned.lines().any(is_pin), "the list is about {version}: {pinned}");
        }
    }
}
