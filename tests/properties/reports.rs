//! Whatever outcomes there are and whatever crossed the wire: JUnit is well-formed XML that holds no character that XML
//! forbids, run.json keeps its schema and reads back, no text in it is longer than its format allows, what a terminal
//! gets does not move its cursor, and the numbers are those of the outcomes.

use std::sync::{Arc, LazyLock};
use std::time::Duration;

use bytes::Bytes;
use chrono::DateTime;
use scimspec::outcome::{
    Difference, ErrorCause, Finding, Fingerprint, Level, Outcome, Place, Reading, Severity, Signature,
    SkipReason, Tolerance, Verdict,
};
use scimspec::readiness::{Behind, FeatureReadiness, Readiness};
use scimspec::report::look::Look;
use scimspec::report::mask::Ours;
use scimspec::report::model::{
    BODY_LIMIT, CapabilityEvidence, CleanUpRecord, CredentialNames, Keep, LeftBehind, RequirementText, Run,
    RunReport, TargetIdentity,
};
use scimspec::report::{json, junit, terminal, text};
use scimspec::suite::model::Auth;
use scimspec::target::exchange::{Body, Exchange, ExchangeId, Request, Response, TransportFailure};
use serde_json::Value;

use crate::choices::Choices;

static SCHEMA: LazyLock<jsonschema::Validator> =
    LazyLock::new(|| jsonschema::validator_for(&json::schema()).expect("the schema is one"));

/// What a clipped text says beside what it keeps: `… (123 more bytes)`.
const CLIPPED: usize = 64;

/// Writes the reports of outcomes made by chance.
pub fn check_bytes(bytes: &[u8]) {
    let mut choices = Choices::new(bytes);
    let is_strict = choices.once_in(2);
    let exchanges: Vec<Arc<Exchange>> =
        (1..=choices.below(4) as u64).map(|id| Arc::new(exchange(id, &mut choices))).collect();
    let outcomes: Vec<Outcome> = (0..=choices.below(5)).map(|number| outcome(number, &mut choices)).collect();
    let around = Around::by_chance(&mut choices);
    check_report(&report(&outcomes, &exchanges, is_strict, around));
}

/// Writes all reports of a run that came to these outcomes, and reads them as others will.
pub fn check(outcomes: &[Outcome], exchanges: &[Arc<Exchange>], deny_warnings: bool) {
    check_report(&report(outcomes, exchanges, deny_warnings, Around::default()));
}

fn check_report(report: &RunReport) {
    let written = json::render(report).expect("every report has a JSON form");
    let xml = junit::render(report).expect("every report has an XML form");

    let read: RunReport = serde_json::from_str(&written).expect("run.json reads back");
    assert_eq!(read, *report, "as it was written");
    let value: Value = serde_json::from_str(&written).expect("it is JSON");
    let wrong: Vec<String> =
        SCHEMA.iter_errors(&value).map(|error| format!("{}: {error}", error.instance_path())).collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
    each_text(&value, &mut |text| {
        assert!(
            text.len() <= BODY_LIMIT + CLIPPED,
            "run.json has a text of {} bytes: {text:.200}",
            text.len()
        );
    });
    assert_eq!(junit::render(&read).expect("it has a form"), xml, "JUnit can be made again from run.json");

    is_xml(&xml, report);
    let cases = report.outcomes.len();
    assert!(xml.len() < 20_000 + 200_000 * cases, "JUnit has {} bytes of {cases} cases", xml.len());
    for width in [20, 100] {
        is_harmless(&terminal::render(report, Look { width, colour: false }));
    }
    is_harmless(&without_colours(&terminal::render(report, Look { width: 80, colour: true })));
}

/// Whether the XML is what pipelines read, with the numbers and texts of the report.
fn is_xml(xml: &str, report: &RunReport) {
    is_harmless(xml);
    let options = roxmltree::ParsingOptions { allow_dtd: false, ..roxmltree::ParsingOptions::default() };
    let document = roxmltree::Document::parse_with_options(xml, options)
        .unwrap_or_else(|error| panic!("{error}:\n{xml}"));
    let root = document.root_element();
    assert_eq!(root.tag_name().name(), "testsuites");
    let cases: Vec<_> = root.descendants().filter(|it| it.has_tag_name("testcase")).collect();
    let has = |case: &roxmltree::Node<'_, '_>, name: &str| case.children().any(|it| it.has_tag_name(name));
    let number = |name: &str| -> usize {
        root.attribute(name).unwrap_or_else(|| panic!("no {name}")).parse().expect("a number")
    };
    let of = |kinds: &[&str]| {
        report.outcomes.iter().filter(|outcome| kinds.contains(&outcome.verdict.word())).count()
    };
    let failures =
        of(&["failed", "unexpected-pass"]) + if report.deny_warnings { of(&["warned"]) } else { 0 };
    assert_eq!(cases.len(), report.outcomes.len(), "every outcome is a case");
    assert_eq!((number("tests"), number("failures")), (cases.len(), failures));
    assert_eq!(number("errors"), of(&["errored"]));
    assert_eq!(cases.iter().filter(|case| has(case, "failure")).count(), failures);
    assert_eq!(cases.iter().filter(|case| has(case, "error")).count(), of(&["errored"]));
    let skipped = of(&["skipped", "inconclusive", "known-failure"]);
    assert_eq!(cases.iter().filter(|case| has(case, "skipped")).count(), skipped);
    for suite in root.children().filter(|it| it.has_tag_name("testsuite")) {
        let own = suite.children().filter(|it| it.has_tag_name("testcase")).count();
        assert_eq!(suite.attribute("tests"), Some(own.to_string().as_str()));
    }
    // Reading undoes what writing did: what stood in the report stands in the XML, made visible.
    let line = |said: &str| text::clip(&text::one_line(&text::clip(said, BODY_LIMIT)), 1024);
    let mut names: Vec<&str> = cases.iter().filter_map(|case| case.attribute("name")).collect();
    let mut ids: Vec<String> = report.outcomes.iter().map(|outcome| line(&outcome.id)).collect();
    names.sort_unstable();
    ids.sort_unstable();
    assert_eq!(names, ids);
    for failure in root.descendants().filter(|it| it.has_tag_name("failure") || it.has_tag_name("error")) {
        let message = failure.attribute("message").expect("it has a message");
        let text = failure.text().expect("it has a text");
        assert!(text.starts_with(message), "the text begins with the message\n{message}\n{text:.500}");
    }
}

/// Only characters that every reader of XML takes, and none that moves a cursor or turns the direction of writing.
fn is_harmless(text: &str) {
    let odd: Vec<char> = text
        .chars()
        .filter(|c| !matches!(c, '\n' | ' '..='\u{7e}' | '\u{a0}'..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'..))
        .chain(text.chars().filter(|c| matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{2028}' | '\u{2029}')))
        .collect();
    assert!(odd.is_empty(), "{odd:?} in {text:.2000}");
}

/// The text without the escape sequences for colours, which are all that may be there.
fn without_colours(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, sequence)) = rest.split_once("\u{1b}[") {
        plain.push_str(before);
        let end = sequence.find(|c: char| !c.is_ascii_digit() && c != ';').unwrap_or(sequence.len());
        rest = sequence[end..].strip_prefix('m').unwrap_or_else(|| panic!("no colour: {sequence:.20}"));
    }
    plain + rest
}

/// Every text and every name in a JSON value.
pub fn each_text(value: &Value, visit: &mut dyn FnMut(&str)) {
    match value {
        Value::String(text) => visit(text),
        Value::Array(elements) => elements.iter().for_each(|inner| each_text(inner, visit)),
        Value::Object(members) => members.iter().for_each(|(name, inner)| {
            visit(name);
            each_text(inner, visit);
        }),
        _ => {}
    }
}

/// What a service provider says that belongs to no case.
#[derive(Default)]
struct Around {
    product: Option<String>,
    documentation: Option<String>,
    evidence: String,
    left_behind: Vec<LeftBehind>,
    readiness: Vec<FeatureReadiness>,
}

impl Around {
    fn by_chance(choices: &mut Choices<'_>) -> Around {
        let feature = |choices: &mut Choices<'_>| FeatureReadiness {
            feature: name(choices),
            title: name(choices),
            core: choices.once_in(2),
            readiness: choices.pick(&[Readiness::Ready, Readiness::NotReady, Readiness::NotTested]),
            why: choices.text(),
            cases: Behind { failed: vec![name(choices)], ..Behind::default() },
        };
        let left = |choices: &mut Choices<'_>| LeftBehind { path: choices.text(), why: choices.text() };
        Around {
            product: choices.once_in(2).then(|| choices.text()),
            documentation: choices.once_in(2).then(|| choices.text()),
            evidence: choices.text(),
            left_behind: (0..choices.below(3)).map(|_| left(choices)).collect(),
            readiness: (0..choices.below(3)).map(|_| feature(choices)).collect(),
        }
    }
}

/// The report of a run that came to this.
fn report(
    outcomes: &[Outcome],
    exchanges: &[Arc<Exchange>],
    deny_warnings: bool,
    around: Around,
) -> RunReport {
    let ours = Ours { ids: ["u1".to_owned()].into(), mark: "s0proof00".to_owned() };
    let requirement = |id: &str| {
        id.starts_with("RFC").then(|| RequirementText {
            level: Level::Must,
            sentence: "What has to hold.".to_owned(),
            link: "https://www.rfc-editor.org/rfc/rfc7644".to_owned(),
        })
    };
    Run {
        suites: "5f2a".to_owned(),
        target: TargetIdentity {
            base_url: "http://127.0.0.1:1/scim/v2".to_owned(),
            embedded: false,
            product: around.product,
            documentation: around.documentation,
            credentials: CredentialNames::Bearer { variable: "SCIM_TOKEN".to_owned() },
            headers: Vec::new(),
            access: Default::default(),
        },
        profile: "rfc".to_owned(),
        reading: Reading::Lenient,
        deny_warnings,
        seed: 7,
        ours: &ours,
        started: DateTime::UNIX_EPOCH,
        duration: Duration::from_millis(1),
        arguments: vec!["http://127.0.0.1:1/scim/v2".to_owned()],
        capabilities: vec![CapabilityEvidence {
            name: "sort".to_owned(),
            claimed: Some(false),
            evidence: around.evidence,
        }],
        outcomes,
        exchanges,
        requests: exchanges.len() as u64,
        keep: if deny_warnings { Keep::All } else { Keep::Evidence },
        requirement: &requirement,
        clean_up: CleanUpRecord { left_behind: around.left_behind, ..CleanUpRecord::default() },
        interrupted: false,
        deviations: Vec::new(),
        settling: None,
        readiness: around.readiness,
        client: None,
        require_core: false,
        narrowed: false,
        baseline: None,
        fuzz: None,
    }
    .report()
}

fn outcome(number: usize, choices: &mut Choices<'_>) -> Outcome {
    let findings: Vec<Finding> = (0..choices.below(4)).map(|_| finding(choices)).collect();
    let texts = |choices: &mut Choices<'_>| (0..choices.below(3)).map(|_| choices.text()).collect::<Vec<_>>();
    let names = |choices: &mut Choices<'_>| (0..choices.below(3)).map(|_| name(choices)).collect::<Vec<_>>();
    let suite = if choices.once_in(3) { name(choices) } else { "create".to_owned() };
    let id = if choices.once_in(2) { name(choices) } else { "minimal".to_owned() };
    let baseline = choices.once_in(4).then(|| Tolerance {
        reason: choices.text(),
        issue: choices.once_in(2).then(|| choices.text()),
        until: None,
        expired: choices.once_in(2),
        known: Vec::new(),
        new: findings
            .first()
            .map(|finding| finding.fingerprint("x"))
            .into_iter()
            .collect::<Vec<Fingerprint>>(),
        gone: texts(choices),
    });
    Outcome {
        // Ids are unique in a run.
        id: format!("{number}{suite}/{id}"),
        suite,
        title: choices.text(),
        level: choices.pick(&[Level::Must, Level::Should, Level::May]),
        spec: names(choices),
        tags: names(choices),
        place: place(choices),
        verdict: verdict(&findings, choices),
        findings,
        exchanges: (0..choices.below(4) as u64).map(ExchangeId).collect(),
        duration_ms: choices.number(),
        consequence: choices.once_in(2).then(|| choices.text()),
        hint: choices.once_in(2).then(|| choices.text()),
        notes: texts(choices),
        baseline,
    }
}

fn verdict(findings: &[Finding], choices: &mut Choices<'_>) -> Verdict {
    let detail = choices.text();
    match choices.below(16) {
        0 => Verdict::Deviates { citation: detail },
        1 => Verdict::Inconclusive { why: detail },
        2 => Verdict::KnownFailure,
        3 => Verdict::UnexpectedPass,
        4 => Verdict::Errored { cause: ErrorCause::Transport { detail } },
        5 => Verdict::Errored { cause: ErrorCause::Precondition { detail } },
        6 => Verdict::Errored { cause: ErrorCause::Harness { detail } },
        7 => Verdict::Skipped { reason: SkipReason::Capability { needs: choices.text(), evidence: detail } },
        8 => Verdict::Skipped { reason: SkipReason::BlockedBy { case: choices.text(), detail } },
        9 => Verdict::Skipped { reason: SkipReason::NotReached { checkpoint: detail } },
        10 => Verdict::Skipped { reason: SkipReason::BudgetSpent },
        11 => Verdict::Failed,
        12 => Verdict::Warned,
        _ => Verdict::of(findings),
    }
}

fn finding(choices: &mut Choices<'_>) -> Finding {
    let severity = choices.pick(&[Severity::Failure, Severity::Warning, Severity::Note]);
    Finding {
        check: choices.pick(&["status", "body", "checks[1]"]).to_string(),
        level: Level::Must,
        severity,
        requirements: (0..choices.below(3)).map(|number| format!("RFC7644-3.3-0{number}")).collect(),
        message: choices.text(),
        expected: choices.text(),
        actual: choices.text(),
        differences: (0..choices.below(4))
            .map(|_| Difference { path: choices.text(), expected: choices.text(), actual: choices.text() })
            .collect(),
        exchange: choices.once_in(2).then(|| ExchangeId(choices.below(4) as u64)),
        place: choices.once_in(2).then(|| place(choices)),
        signature: Signature {
            check: "status".to_owned(),
            method: "GET".to_owned(),
            endpoint: "/Users".to_owned(),
            expected: "status 200".to_owned(),
            actual: "status 500".to_owned(),
        },
        snapshot: None,
    }
}

/// What an author calls something: in odd letters perhaps, but no longer than a file's name.
fn name(choices: &mut Choices<'_>) -> String {
    choices.text().chars().take(250).collect()
}

fn place(choices: &mut Choices<'_>) -> Place {
    Place { file: name(choices), line: 1, column: u32::MAX }
}

fn exchange(id: u64, choices: &mut Choices<'_>) -> Exchange {
    let header = |choices: &mut Choices<'_>| (choices.text(), choices.text());
    let answer = if choices.once_in(6) {
        Err(match choices.below(3) {
            0 => TransportFailure::Closed { why: choices.text() },
            1 => TransportFailure::Connect { address: choices.text(), why: choices.text() },
            _ => TransportFailure::TimedOut { limit: Duration::from_millis(choices.number()) },
        })
    } else {
        let body = match choices.below(3) {
            0 => Bytes::from(choices.text()),
            1 => Bytes::copy_from_slice(choices.raw(60)),
            _ => Bytes::from(
                serde_json::json!({"schemas": [choices.text()], "id": choices.text(), choices.text(): [choices.text()]})
                    .to_string(),
            ),
        };
        Ok(Response {
            status: 100 + u16::try_from(choices.below(900)).unwrap_or(0),
            headers: (0..choices.below(3)).map(|_| header(choices)).collect(),
            body: Body::whole(body),
            repeats_secret: choices.once_in(8),
        })
    };
    Exchange {
        id: ExchangeId(id),
        origin: choices.text(),
        reason: choices.once_in(2).then(|| choices.text()),
        request: Request {
            method: choices.pick(&["GET", "POST", "PATCH", "M-SEARCH"]).to_string(),
            url: choices.text(),
            path: choices.text(),
            endpoint: choices.pick(&["/Users", "/Schemas", "/Users/{id}", ""]).to_string(),
            auth: choices.pick(&[Auth::Good, Auth::None, Auth::Second]),
            headers: (0..choices.below(3)).map(|_| header(choices)).collect(),
            body: choices.once_in(2).then(|| Bytes::from(choices.text())),
        },
        answer,
        started: DateTime::UNIX_EPOCH,
        elapsed: Duration::from_millis(choices.number()),
    }
}
