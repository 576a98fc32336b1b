//! Services that are eventually consistent: against a server whose reads lag behind its writes a run fails, with
//! `--settle` it passes and says how long it took, and what is truly lost is still found.

mod binary;

use binary::{Bench, Ran, Reference, VARIABLE};
use scimspec::server::{Fault, ServerOptions};
use serde_json::Value;

/// Cases that write and read, and ones that query.
const CASES: [&str; 6] = ["create/*", "read/*", "replace/*", "patch-replace/*", "delete/*", "query/*"];

fn run(lag: usize, fault: Option<&str>, settle: Option<&str>) -> (Ran, Value) {
    let faults = fault.iter().map(|name| Fault::from_name(name).unwrap()).collect();
    let reference = Reference::start(ServerOptions { lag, faults, ..ServerOptions::default() });
    let bench = Bench::new();
    let mut words = vec!["run", reference.url(), "--token-env", VARIABLE, "--json", "run.json"];
    words.extend(CASES.iter().flat_map(|case| ["--case", case]));
    words.extend(["--case", "rules/*", "--jobs", "2"]);
    words.extend(settle.iter().flat_map(|time| ["--settle", time]));
    let ran = bench.run(&words);
    let report = bench.json("run.json");
    (ran, report)
}

fn count(report: &Value, verdict: &str) -> u64 {
    report["summary"]["verdicts"][verdict].as_u64().unwrap()
}

#[test]
fn a_lagging_server_fails_without_patience_and_passes_with_it() {
    let (_, report) = run(3, None, None);
    assert!(count(&report, "failed") > 5, "{}", report["summary"]);
    assert_eq!(report["summary"].get("settling"), None);

    let (ran, report) = run(3, None, Some("5s"));
    let ran = ran.exits(0);
    assert!(ran.stdout.contains("resources agreed with writes after at most "), "{}", ran.stdout);
    let resources = &report["summary"]["settling"]["resources"];
    assert!(resources["waited"].as_u64().unwrap() > 5, "{resources}");
    assert_eq!(resources["never"], 0, "{resources}");
    let longest = resources["longest_ms"].as_u64().unwrap();
    assert!((50..5000).contains(&longest), "{resources}");
}

#[test]
fn a_server_that_agrees_at_once_is_said_to() {
    let (ran, report) = run(0, None, Some("5s"));
    let ran = ran.exits(0);
    assert!(ran.stdout.contains("resources agreed with writes at once"), "{}", ran.stdout);
    for kind in ["resources", "lists"] {
        let reads = &report["summary"]["settling"][kind];
        assert!(reads["reads"].as_u64().unwrap() > 0, "{reads}");
        assert_eq!((&reads["waited"], &reads["never"]), (&Value::from(0), &Value::from(0)), "{kind}");
    }
}

#[test]
fn what_is_lost_is_found_however_long_one_waits() {
    for fault in ["create-stores-nothing", "patch-ignored"] {
        let (ran, report) = run(2, Some(fault), Some("400ms"));
        let ran = ran.exits(1);
        assert!(count(&report, "failed") > 0);
        assert!(report["summary"]["settling"]["resources"]["never"].as_u64().unwrap() > 0, "{}", ran.stdout);
        assert!(
            ran.stdout.contains("never did within 400 ms") || ran.stdout.contains("not at all"),
            "{}",
            ran.stdout
        );
    }
}
