//! JUnit XML, as the readers of pipelines understand it.
//!
//! There is no standard; what is written here is what Jenkins, GitLab, GitHub's actions and Azure Pipelines all
//! read: a test case's name is unique alone, a failed case has exactly one `<failure>` whose text repeats its
//! message and holds everything, and whatever the service provider sent, the file stays valid XML. The form is
//! fixed by `schema/junit.xsd`.

use std::path::Path;
use std::time::Duration;

use chrono::{DateTime, FixedOffset};
use indexmap::IndexMap;
use quick_junit::{NonSuccessKind, Property, Report, SerializeError, TestCase, TestCaseStatus, TestSuite};
use url::Url;

use crate::outcome::{Outcome, Severity, Verdict};
use crate::readiness::FeatureReadiness;

use super::failure;
use super::file::{self, WriteError};
use super::look::Look;
use super::model::{BODY_LIMIT, CredentialNames, RunReport};
use super::text;

/// How many bytes the text of one case may have: below what Jenkins keeps of a failing case.
const CASE_LIMIT: usize = 64 * 1024;
/// How many bytes a message or a property may have.
const LINE_LIMIT: usize = 1024;

/// The report as XML.
///
/// # Errors
/// When the XML cannot be serialised, which no input should cause.
pub fn render(report: &RunReport) -> Result<String, SerializeError> {
    document(report).to_string()
}

/// Writes the report, replacing the file as a whole. Missing folders are made.
///
/// # Errors
/// When the file cannot be written; an older one is left as it was.
pub fn write(report: &RunReport, path: &Path) -> Result<(), WriteError> {
    let xml = render(report).map_err(|error| file::failed(path, std::io::Error::other(error)))?;
    file::replace(path, xml.as_bytes())
}

fn document(report: &RunReport) -> Report {
    let started: DateTime<FixedOffset> = report.started.fixed_offset();
    let mut document = Report::new("scimspec");
    document.set_timestamp(started).set_time(Duration::from_millis(report.duration_ms));
    let mut files: IndexMap<(&str, &str), Vec<&Outcome>> = IndexMap::new();
    for outcome in &report.outcomes {
        files.entry((&outcome.place.file, &outcome.suite)).or_default().push(outcome);
    }
    for ((file, suite), outcomes) in files {
        document.add_test_suite(test_suite(report, file, suite, &outcomes, started));
    }
    document
}

fn test_suite(
    report: &RunReport,
    file: &str,
    suite: &str,
    outcomes: &[&Outcome],
    started: DateTime<FixedOffset>,
) -> TestSuite {
    let mut tests = TestSuite::new(line(suite));
    let took = outcomes.iter().map(|outcome| outcome.duration_ms).fold(0, u64::saturating_add);
    tests.set_timestamp(started).set_time(Duration::from_millis(took));
    tests.extra.insert("hostname".into(), line(&host(&report.target.base_url)).into());
    tests.extra.insert("file".into(), line(file).into());
    for (name, value) in run_properties(report) {
        tests.add_property(Property::new(name, line(&value)));
    }
    for feature in &report.readiness {
        let name = line(&format!("readiness.{}", feature.feature));
        tests.add_property(Property::new(name, line(&readiness(feature))));
    }
    tests.add_test_cases(outcomes.iter().map(|outcome| test_case(report, outcome)));
    tests
}

fn run_properties(report: &RunReport) -> Vec<(&'static str, String)> {
    let claims = report.capabilities.iter().map(|capability| {
        let claimed = match capability.claimed {
            Some(true) => "yes",
            Some(false) => "no",
            None => "unsaid",
        };
        format!("{}={claimed}", capability.name)
    });
    let mut properties = vec![
        ("target", report.target.base_url.clone()),
        ("harness", format!("{} {}", report.harness.name, report.harness.version)),
        ("suites", report.harness.suites.clone()),
        ("profile", report.profile.clone()),
        ("reading", report.reading.to_string()),
        ("deny-warnings", report.deny_warnings.to_string()),
        ("seed", report.seed.to_string()),
        ("run", report.run.clone()),
        ("capabilities", claims.collect::<Vec<_>>().join(" ")),
    ];
    if let Some(product) = &report.target.product {
        properties.insert(1, ("product", product.clone()));
    }
    for deviation in &report.deviations {
        if deviation.is_obsolete() {
            properties.push(("deviation-obsolete", deviation.about.clone()));
        } else if deviation.is_unused() {
            properties.push(("deviation-unused", deviation.about.clone()));
        }
    }
    if let Some(baseline) = &report.baseline {
        properties.push(("baseline", baseline.file.clone()));
    }
    if let CredentialNames::Basic { user, .. } = &report.target.credentials {
        properties.push(("user", user.clone()));
    }
    properties.push(("credentials", report.target.credentials.to_string()));
    if let Some(certificate) = &report.target.access.certificate {
        properties.push(("client-certificate", certificate.cert.clone()));
    }
    if let Some(second) = &report.target.access.second {
        properties.push(("second-credentials", second.credentials.to_string()));
    }
    if report.target.access.insecure {
        properties.push(("insecure", "certificates were not checked".to_owned()));
    }
    properties
}

/// A feature in one line, with the cases that make it what it is: `not ready: 1 of 9 cases failed: okta-users/create`.
fn readiness(feature: &FeatureReadiness) -> String {
    let mut parts = vec![feature.readiness.words().to_owned()];
    parts.extend(Some(feature.why.clone()).filter(|why| !why.is_empty()));
    let telling = feature.telling();
    parts.extend(Some(telling.join(", ")).filter(|_| !telling.is_empty()));
    parts.join(": ")
}

fn test_case(report: &RunReport, outcome: &Outcome) -> TestCase {
    let message = line(&failure::message(outcome));
    let mut properties = vec![
        ("verdict", verdict(outcome)),
        ("level", outcome.level.to_string()),
        ("title", outcome.title.clone()),
    ];
    if !outcome.spec.is_empty() {
        properties.push(("requirements", outcome.spec.join(" ")));
    }
    if !outcome.tags.is_empty() {
        properties.push(("tags", outcome.tags.join(" ")));
    }
    for finding in &outcome.findings {
        if finding.severity > Severity::Note {
            properties.push(("fingerprint", finding.fingerprint(&outcome.id).0));
        }
    }
    if let Some(tolerance) = &outcome.baseline {
        properties.push(("baseline.reason", tolerance.reason.clone()));
        properties.extend(tolerance.issue.iter().map(|issue| ("baseline.issue", issue.clone())));
        properties.extend(tolerance.until.iter().map(|until| ("baseline.until", until.to_string())));
        properties.extend(tolerance.new.iter().map(|print| ("baseline.new", print.0.clone())));
    }
    let mut output = None;
    let status = match &outcome.verdict {
        Verdict::UnexpectedPass => {
            non_success(NonSuccessKind::Failure, "unexpected-pass", &message, report, outcome)
        }
        Verdict::Failed | Verdict::Warned if report.is_failure(outcome) => {
            output = Some(exchanges(report, outcome));
            non_success(NonSuccessKind::Failure, &outcome.level.to_string(), &message, report, outcome)
        }
        Verdict::Errored { cause } => {
            output = Some(exchanges(report, outcome));
            non_success(NonSuccessKind::Error, cause.kind(), &message, report, outcome)
        }
        Verdict::Inconclusive { .. } => {
            output = Some(exchanges(report, outcome));
            let mut skipped = TestCaseStatus::skipped();
            skipped.set_message(line(&format!("inconclusive: {message}")));
            skipped
        }
        Verdict::Skipped { .. } | Verdict::KnownFailure => {
            let mut skipped = TestCaseStatus::skipped();
            skipped.set_message(message);
            skipped
        }
        Verdict::Deviates { citation } => {
            properties.push(("deviation", citation.clone()));
            output = Some(format!("{message}\n\n{}", failure::body(report, outcome, Look::FILE)));
            TestCaseStatus::success()
        }
        Verdict::Passed | Verdict::Noted => TestCaseStatus::success(),
        // JUnit knows no warning: the case passes, and says so where readers look.
        Verdict::Warned | Verdict::Failed => {
            output = Some(format!("warning: {message}\n\n{}", failure::body(report, outcome, Look::FILE)));
            TestCaseStatus::success()
        }
    };
    let mut case = TestCase::new(line(&outcome.id), status);
    case.set_classname(line(&format!("scim.{}", outcome.suite)));
    case.set_time(Duration::from_millis(outcome.duration_ms));
    case.extra.insert("file".into(), line(&outcome.place.file).into());
    case.extra.insert("line".into(), outcome.place.line.to_string().into());
    for (name, value) in properties {
        case.add_property(Property::new(name, line(&value)));
    }
    if let Some(output) = output.filter(|output| !output.is_empty()) {
        case.set_system_out(whole(&output));
    }
    case
}

/// The word by which a pipeline can filter; warnings under their plain name.
fn verdict(outcome: &Outcome) -> String {
    match outcome.verdict {
        Verdict::Warned => "warning".to_owned(),
        ref other => other.word().to_owned(),
    }
}

fn non_success(
    kind: NonSuccessKind,
    class: &str,
    message: &str,
    report: &RunReport,
    outcome: &Outcome,
) -> TestCaseStatus {
    let mut status = TestCaseStatus::non_success(kind);
    // Some readers show only the text, some only the message: the text begins with the message.
    let said = format!("{message}\n\n{}\n\n{}", outcome.title, failure::body(report, outcome, Look::FILE));
    status.set_message(message).set_type(class).set_description(whole(&said));
    status
}

/// All exchanges of a case that the report kept, oldest first.
fn exchanges(report: &RunReport, outcome: &Outcome) -> String {
    let mut said = String::new();
    for exchange in outcome.exchanges.iter().filter_map(|id| report.exchange(*id)) {
        if said.len() > CASE_LIMIT {
            break;
        }
        said.push_str(&failure::exchange(exchange, Look::FILE));
        said.push('\n');
    }
    said
}

fn host(url: &str) -> String {
    Url::parse(url).ok().and_then(|url| url.host_str().map(str::to_owned)).unwrap_or_default()
}

/// One line that any XML file can hold.
fn line(text: &str) -> String {
    text::clip(&text::one_line(&text::clip(text, BODY_LIMIT)), LINE_LIMIT)
}

/// A text that any XML file can hold.
fn whole(text: &str) -> String {
    text::clip(&text::visible(text), CASE_LIMIT)
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use serde_json::json;

    use super::*;
    use crate::outcome::{Difference, ErrorCause};
    use crate::report::sample;

    /// Validates against our own schema with xmllint, and where that is not installed says so: the structural
    /// checks below hold in any case.
    fn check(xml: &str) {
        let read = Report::deserialize_from_str(xml).expect("it reads back");
        let mut names: Vec<&str> = read
            .test_suites
            .iter()
            .flat_map(|suite| &suite.test_cases)
            .map(|case| case.name.as_str())
            .collect();
        assert_eq!(read.tests, names.len());
        names.sort_unstable();
        let all = names.len();
        names.dedup();
        assert_eq!(names.len(), all, "names are unique alone");
        for case in read.test_suites.iter().flat_map(|suite| &suite.test_cases) {
            if let TestCaseStatus::NonSuccess { message, description, .. } = &case.status {
                let message = message.as_ref().expect("a failure has a message").as_str();
                let text = description.as_ref().expect("a failure has a text").as_str();
                assert!(text.starts_with(message), "the text repeats the message: {text}");
                assert!(text.contains("rerun  scimspec run"), "the text says how to run it again: {text}");
            }
        }
        assert!(
            xml.chars()
                .all(|c| matches!(c, '\n' | ' '..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'..)),
            "only characters that XML allows, and no others that need care"
        );
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("junit.xml");
        std::fs::write(&file, xml).unwrap();
        let schema = concat!(env!("CARGO_MANIFEST_DIR"), "/schema/junit.xsd");
        match Command::new("xmllint").args(["--noout", "--huge", "--schema", schema]).arg(&file).output() {
            Ok(output) => assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr)),
            Err(error) => {
                eprintln!(
                    "xmllint is missing ({error}): schema/junit.xsd was not applied, only the structure checked"
                );
            }
        }
    }

    #[test]
    fn the_sample_is_valid_and_whole() {
        let xml = render(&sample::report()).unwrap();
        check(&xml);
        let read = Report::deserialize_from_str(&xml).unwrap();
        assert_eq!((read.tests, read.failures, read.errors, read.skipped), (9, 3, 1, 3));
        insta::assert_snapshot!(xml);
    }

    #[test]
    fn what_a_baseline_knows_is_skipped_and_what_it_lists_in_vain_fails() {
        let xml =
            render(&sample::report_of(&sample::held_to_a_baseline(), &sample::exchanges(), false)).unwrap();
        check(&xml);
        let read = Report::deserialize_from_str(&xml).unwrap();
        assert_eq!((read.tests, read.failures, read.errors, read.skipped), (7, 4, 0, 2));
        let known =
            r#"<skipped message="known failure: mended with release 4.2 (SCIM-12), until 2026-11-20""#;
        assert!(xml.contains(known), "{xml}");
        assert!(xml.contains(r#"type="unexpected-pass""#));
        assert!(xml.contains(r#"<property name="baseline.reason" value="mended with release 4.2"/>"#));
        assert!(xml.contains("tolerated until 2026-11-20 only: a second user"), "{xml}");
    }

    #[test]
    fn every_suite_says_what_the_features_came_to() {
        let mut report = sample::report();
        report.readiness = sample::features();
        let xml = render(&report).unwrap();
        check(&xml);
        let said: Vec<&str> =
            xml.lines().filter(|line| line.contains("\"readiness.")).take(5).map(str::trim).collect();
        insta::assert_snapshot!(said.join("\n"));
    }

    #[test]
    fn warnings_fail_where_they_are_denied() {
        let xml = render(&sample::report_of(&sample::outcomes(), &sample::exchanges(), true)).unwrap();
        check(&xml);
        assert_eq!(Report::deserialize_from_str(&xml).unwrap().failures, 4);
        assert!(xml.contains(r#"type="SHOULD""#));
    }

    #[test]
    fn hostile_text_stays_valid_and_visible() {
        const HOSTILE: &str = "\u{0}\u{8}\u{b}\u{1b}[31mred\u{1b}[0m \u{9b}2J \u{fffe}\u{ffff}\u{1ffff} ]]> <![CDATA[ &lt; \
                               </failure> \u{202e}rtl\r\n\ttab \"quote\" 'apos' \u{85}\u{2028}";
        let big = "x".repeat(5 * 1024 * 1024);
        let mut outcome = sample::status_failure();
        outcome.title = HOSTILE.to_owned();
        outcome.hint = Some(HOSTILE.to_owned());
        outcome.tags = vec![HOSTILE.to_owned()];
        outcome.findings[0].message = HOSTILE.to_owned();
        outcome.findings[0].actual = big.clone();
        outcome.findings[0].differences =
            vec![Difference { path: HOSTILE.to_owned(), expected: HOSTILE.to_owned(), actual: big.clone() }];
        let mut errored = sample::errored();
        errored.verdict = Verdict::Errored { cause: ErrorCause::Harness { detail: HOSTILE.to_owned() } };
        let sent = json!({"userName": HOSTILE});
        let echoed = json!({"id": HOSTILE, "userName": big, HOSTILE: [HOSTILE]}).to_string();
        let exchanges = [
            sample::exchange(1, "POST", "/Users", Some(sent.clone()), 201, HOSTILE.as_bytes()),
            sample::exchange(2, "POST", "/Users", Some(sent), 201, echoed.as_bytes()),
            sample::exchange(7, "GET", "/Users/x", None, 200, format!("{HOSTILE}{big}").as_bytes()),
            sample::exchange(8, "GET", "/Users/x", None, 500, &[0xff, 0xfe, 0, 1, 2, b'<', b'&']),
        ];
        let report = sample::report_of(&[outcome, errored], &exchanges, false);
        let xml = render(&report).unwrap();
        check(&xml);
        assert!(xml.contains(r"\u{1b}[31mred"), "an escape sequence is shown, not dropped");
        assert!(xml.contains(r"\u{fffe}\u{ffff}"));
        assert!(xml.len() < 400 * 1024, "bounded: {} bytes", xml.len());
        let json = crate::report::json::render(&report).unwrap();
        assert!(json.len() < 400 * 1024, "bounded: {} bytes", json.len());
    }
}
