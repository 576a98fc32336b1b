//! The reports of real runs: run.json keeps its schema, JUnit its own, the numbers agree wherever they are told, and
//! whatever a server sends, both stay valid and small.

mod binary;
mod hostile;

use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use binary::{Bench, Ran, Reference, TOKEN, VARIABLE};
use hostile::{Act, Directory, Hostile, answer};
use quick_junit::{NonSuccessKind, Report, TestCaseStatus};
use scimspec::server::{Fault, ServerOptions};
use serde_json::{Value, json};

fn run(bench: &Bench, url: &str, more: &[&str]) -> (Ran, Value, String) {
    let words = ["run", url, "--token-env", VARIABLE, "--json", "run.json", "--junit", "junit.xml"];
    let ran = bench.run(&[words.as_slice(), more].concat());
    (ran, bench.json("run.json"), bench.read("junit.xml"))
}

fn validate(bench: &Bench, report: &Value, xml: &str) {
    let schema = Path::new(env!("CARGO_MANIFEST_DIR")).join("schema");
    let text = std::fs::read_to_string(schema.join("report.schema.json")).unwrap();
    let validator = jsonschema::validator_for(&serde_json::from_str(&text).unwrap()).unwrap();
    let wrong: Vec<String> =
        validator.iter_errors(report).map(|error| format!("{}: {error}", error.instance_path())).collect();
    assert!(wrong.is_empty(), "{wrong:#?}");

    assert!(
        xml.chars().all(|c| matches!(c, '\n' | ' '..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'..)),
        "characters that XML does not allow"
    );
    Report::deserialize_from_str(xml).expect("it reads back");
    let command = Command::new("xmllint")
        .args(["--noout", "--huge", "--schema"])
        .arg(schema.join("junit.xsd"))
        .arg(bench.join("junit.xml"))
        .output();
    match command {
        Ok(output) => assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr)),
        Err(error) => {
            eprintln!(
                "xmllint is missing ({error}): schema/junit.xsd was not applied, only the structure checked"
            );
        }
    }
}

/// The numbers of the report, which are those of JUnit, of the terminal and of the exit code.
fn agree(ran: &Ran, report: &Value, xml: &str) {
    let verdicts = &report["summary"]["verdicts"];
    let number = |word: &str| verdicts[word].as_u64().unwrap();
    for word in ["passed", "noted", "warned", "failed", "deviates", "skipped", "inconclusive", "errored"] {
        let listed = report["outcomes"].as_array().unwrap();
        let listed = listed.iter().filter(|outcome| outcome["verdict"]["kind"] == word).count();
        assert_eq!(number(word), listed as u64, "{word}");
        let row = ran.stdout.lines().rev().find_map(|line| {
            let (label, value) = line.trim().split_once(' ')?;
            (label == word).then(|| value.trim().parse::<u64>().ok()).flatten()
        });
        match row {
            Some(told) => assert_eq!(told, number(word), "{word} on the terminal"),
            None => assert_eq!(number(word), 0, "{word} is missing on the terminal:\n{}", ran.stdout),
        }
    }
    assert_eq!(report["summary"]["exit_code"].as_i64(), ran.code.map(i64::from));
    let denied = report["deny_warnings"] == true;
    let failures = number("failed") + if denied { number("warned") } else { 0 };
    let expected = if failures > 0 {
        1
    } else if number("errored") > 0 {
        3
    } else {
        0
    };
    assert_eq!(ran.code, Some(expected));

    let read = Report::deserialize_from_str(xml).unwrap();
    let cases: Vec<_> = read.test_suites.iter().flat_map(|suite| &suite.test_cases).collect();
    let of = |wanted: Option<NonSuccessKind>| {
        cases
            .iter()
            .filter(|case| match (&case.status, wanted) {
                (TestCaseStatus::NonSuccess { kind, .. }, Some(wanted)) => *kind == wanted,
                _ => false,
            })
            .count() as u64
    };
    let skipped = cases.iter().filter(|case| matches!(case.status, TestCaseStatus::Skipped { .. })).count();
    assert_eq!(cases.len() as u64, report["outcomes"].as_array().unwrap().len() as u64);
    assert_eq!(of(Some(NonSuccessKind::Failure)), failures, "failures in JUnit");
    assert_eq!(of(Some(NonSuccessKind::Error)), number("errored"), "errors in JUnit");
    assert_eq!(skipped as u64, number("skipped") + number("inconclusive"), "skipped in JUnit");
    assert_eq!(read.tests, cases.len());
    assert_eq!(read.failures as u64, failures);
    assert_eq!(read.errors as u64, number("errored"));
}

fn faulty(names: &[&str]) -> Reference {
    let faults = names.iter().map(|name| Fault::from_name(name).unwrap()).collect();
    Reference::start(ServerOptions { faults, ..ServerOptions::default() })
}

#[test]
fn the_reports_of_a_faulty_server_are_valid_and_agree() {
    let reference = faulty(&[
        "create-without-location",
        "filter-external-id-answers-500",
        "duplicate-without-scim-type",
        "patch-replace-adds",
        "deleted-stay-in-lists",
    ]);
    for more in [&["--deny", "warnings"][..], &["--all-exchanges"]] {
        let bench = Bench::new();
        let (ran, report, xml) = run(&bench, reference.url(), more);
        let ran = ran.exits(1);
        validate(&bench, &report, &xml);
        agree(&ran, &report, &xml);
        // Each failure says how to run it again, and that shows it again.
        let failed = report["outcomes"].as_array().unwrap();
        let failed = failed.iter().find(|outcome| outcome["verdict"]["kind"] == "failed").unwrap();
        let id = failed["id"].as_str().unwrap();
        assert!(
            ran.stdout.contains(&format!("--case {id}")) || ran.stdout.contains(&format!("--case '{id}'"))
        );
        let words = ["run", reference.url(), "--token-env", VARIABLE, "--case", id];
        bench.run(&words).exits(1);
    }
}

#[test]
fn the_reports_of_a_good_server_are_valid_and_agree() {
    let reference = Reference::good();
    let bench = Bench::new();
    let (ran, report, xml) = run(&bench, reference.url(), &["--profile", "okta"]);
    let ran = ran.exits(0);
    validate(&bench, &report, &xml);
    agree(&ran, &report, &xml);
}

/// What a hostile server would like to see in a report, a terminal or a pipeline's page.
const HOSTILE: &str = "\u{1b}[31mred\u{1b}[2J\u{1b}]0;title\u{7} \u{0}\u{8}\u{fffe}\u{ffff}\u{9b}2J ]]> <![CDATA[ </failure> &lt; \u{202e}rtl";

#[test]
fn hostile_text_goes_through_a_run_and_harms_no_report() {
    let directory = Arc::new(Directory::default());
    let serving = Arc::clone(&directory);
    let big = "x".repeat(5 << 20);
    let server = Hostile::scripted(move |request| {
        let refuses = request.header("authorization").is_none_or(|given| !given.contains(TOKEN));
        if refuses {
            return Act::json(401, &hostile::error(401, HOSTILE));
        }
        let path = request.path.trim_start_matches("/scim/v2");
        match (request.method.as_str(), path) {
            // A create gives back what was sent with poison in it, in names and in values.
            ("POST", "/Users") => {
                let mut made = serving.create("/Users", request.json());
                made["displayName"] = json!(HOSTILE);
                made[HOSTILE] = json!([HOSTILE]);
                let headers = [("Location", "http://127.0.0.1/\u{1}\u{1b}[31m"), ("ETag", "W/\"]]>\"")];
                Act::Bytes(answer(201, &headers[1..], made.to_string().as_bytes()))
            }
            ("POST", "/Groups") => {
                Act::json(409, &json!({"schemas": [HOSTILE], "status": HOSTILE, "detail": big}))
            }
            ("PATCH", _) => {
                Act::Bytes(answer(500, &[], [HOSTILE.as_bytes(), big.as_bytes()].concat().as_slice()))
            }
            ("PUT", _) => Act::Bytes(answer(200, &[], b"{\"a\": \"\xff\xfe\"}")),
            ("GET", path) if path.starts_with("/Users?") => {
                let mut rows = serving.rows();
                rows.push(json!({"id": HOSTILE, "userName": big, "schemas": [HOSTILE]}));
                Act::json(
                    200,
                    &json!({"schemas": [HOSTILE, "urn:x"], "totalResults": HOSTILE, "Resources": rows}),
                )
            }
            _ => serving.act(request),
        }
    });
    let bench = Bench::new();
    let cases = ["create/*", "patch/*", "replace/*", "query/*", "delete/*", "rules/*", "error*/*"];
    let mut more: Vec<&str> = cases.iter().flat_map(|case| ["--case", case]).collect();
    more.extend(["--timeout", "10s"]);
    let (ran, report, xml) = run(&bench, server.base_url().as_str(), &more);
    let ran = ran.exits(1);
    validate(&bench, &report, &xml);
    agree(&ran, &report, &xml);
    let json = bench.read("run.json");
    assert!(xml.len() < 4 << 20, "JUnit has {} bytes", xml.len());
    assert!(json.len() < 4 << 20, "run.json has {} bytes", json.len());
    assert!(ran.stdout.len() < 2 << 20, "the terminal got {} bytes", ran.stdout.len());
    // The poison was there, and is shown as text.
    assert!(xml.contains(r"\u{1b}[31m") || xml.contains(r"\u001b[31m"), "it is shown");
    // JSON is data, in which only its own escapes count; the others are read by people.
    for (name, text) in [("terminal", &ran.stdout), ("JUnit", &xml)] {
        let raw: Vec<char> = text.chars().filter(|c| c.is_control() && *c != '\n').collect();
        assert!(raw.is_empty(), "{name} holds {raw:?}");
        assert!(!text.contains('\u{202e}'), "{name} holds an override of direction");
    }
}
