//! A pipeline that is held to a baseline, with the binary and real runs: what is known fails nothing, what is new does,
//! and what is mended has to be taken out. And a file that is wrong in every way, with what is said of it.

mod binary;

use binary::{Bench, Ran, Reference, VARIABLE, stable};
use scimspec::server::{Fault, ServerOptions};
use serde_json::Value;

/// The cases that these runs are about: creates, deletes and one rule that the first fault breaks.
const CASES: [&str; 6] = ["--case", "create/*", "--case", "delete/*", "--case", "rules/location-on-create"];

fn server(faults: &[&str]) -> Reference {
    let faults = faults.iter().map(|name| Fault::from_name(name).unwrap()).collect();
    Reference::start(ServerOptions { faults, ..ServerOptions::default() })
}

fn run(bench: &Bench, reference: &Reference, more: &[&str]) -> Ran {
    let words =
        ["run", reference.url(), "--token-env", VARIABLE, "--json", "run.json", "--junit", "junit.xml"];
    bench.run(&[words.as_slice(), &CASES, more].concat())
}

fn held(bench: &Bench, reference: &Reference) -> Ran {
    run(bench, reference, &["--baseline", "scimspec-baseline.toml"])
}

/// The ids of the cases with a verdict.
fn with_verdict(report: &Value, verdict: &str) -> Vec<String> {
    let outcomes = report["outcomes"].as_array().unwrap();
    let found = outcomes.iter().filter(|outcome| outcome["verdict"]["kind"] == verdict);
    found.map(|outcome| outcome["id"].as_str().unwrap().to_owned()).collect()
}

fn known(bench: &Bench) -> toml::Table {
    bench.read("scimspec-baseline.toml").parse().unwrap()
}

fn entries(bench: &Bench) -> usize {
    known(bench).get("known").and_then(toml::Value::as_array).map_or(0, Vec::len)
}

#[test]
fn a_gate_bites_both_ways() {
    let bench = Bench::new();
    let faulty = server(&["create-without-location", "delete-answers-200"]);
    run(&bench, &faulty, &[]).exits(1);
    let failing = with_verdict(&bench.json("run.json"), "failed");
    assert!(failing.len() >= 3, "{failing:?}");

    let write = ["baseline", "write", "--from", "run.json", "--reason", "old gateway", "--issue", "SCIM-12"];
    let wrote = bench.run(&write).exits(0);
    assert!(
        wrote.stdout.starts_with(&format!("scimspec-baseline.toml: {} entries\n", failing.len())),
        "{wrote:?}"
    );

    // What is known fails nothing, and is said everywhere.
    let green = held(&bench, &faulty).exits(0);
    assert!(green.stdout.contains("── known failures ──"), "{}", green.stdout);
    assert!(green.stdout.contains("old gateway (SCIM-12)"), "{}", green.stdout);
    assert!(!green.stdout.contains("FAILED"), "{}", green.stdout);
    let report = bench.json("run.json");
    assert_eq!(with_verdict(&report, "known-failure"), failing);
    assert_eq!(report["summary"]["exit_code"], 0);
    assert_eq!(report["summary"]["verdicts"]["known_failures"], failing.len());
    let outcome = report["outcomes"].as_array().unwrap().iter().find(|o| o["id"] == failing[0]).unwrap();
    assert_eq!(outcome["baseline"]["reason"], "old gateway");
    assert_eq!(outcome["baseline"]["issue"], "SCIM-12");
    let junit = bench.read("junit.xml");
    assert!(junit.contains(r#"<skipped message="known failure: old gateway (SCIM-12)"/>"#), "{junit}");
    assert!(!junit.contains("<failure"));

    // One fault is mended: what it broke is an unexpected pass, until it is taken out.
    let half = server(&["delete-answers-200"]);
    let red = held(&bench, &half).exits(1);
    assert!(red.stdout.contains("── unexpected passes ──"), "{}", red.stdout);
    let report = bench.json("run.json");
    let mended = with_verdict(&report, "unexpected-pass");
    assert!(!mended.is_empty() && mended.len() < failing.len(), "{mended:?}");
    assert!(with_verdict(&report, "failed").is_empty());
    assert!(bench.read("junit.xml").contains(r#"type="unexpected-pass""#));
    bench.run(&["baseline", "update", "--from", "run.json"]).exits(0);
    held(&bench, &half).exits(0);

    // A fault that the baseline does not know fails the run, in a case that is listed as well.
    let worse = held(&bench, &server(&["delete-answers-200", "create-answers-200"])).exits(1);
    assert!(worse.stdout.contains("FAILED create/minimal-user"), "{}", worse.stdout);
    assert!(!with_verdict(&bench.json("run.json"), "known-failure").is_empty());

    // All is mended: an empty list is left.
    let good = Reference::good();
    held(&bench, &good).exits(1);
    let updated = bench.run(&["baseline", "update", "--from", "run.json"]).exits(0);
    assert!(updated.stdout.contains("removed"), "{}", updated.stdout);
    // The rule saw only the exchanges of a selection: a whole run decides about it.
    let left = entries(&bench);
    assert!(left <= 1, "{left}");
    held(&bench, &good).exits(0);
}

#[test]
fn a_new_finding_in_a_known_case_fails_and_is_shown() {
    let bench = Bench::new();
    run(&bench, &server(&["create-answers-200"]), &[]).exits(1);
    bench.run(&["baseline", "write", "--from", "run.json", "--reason", "old clients"]).exits(0);
    let both = server(&["create-answers-200", "delete-answers-200"]);
    let ran = held(&bench, &both).exits(1);
    let report = bench.json("run.json");
    let failed = with_verdict(&report, "failed");
    assert!(failed.iter().all(|id| !id.starts_with("create/")), "{failed:?}");
    assert!(!with_verdict(&report, "known-failure").is_empty());
    assert!(ran.stdout.contains("as the baseline says"), "{}", ran.stdout);

    // Where the case is listed for something else, the new finding is told apart from what is known.
    let bench = Bench::new();
    run(&bench, &server(&["create-drops-emails"]), &[]).exits(1);
    bench.run(&["baseline", "write", "--from", "run.json", "--reason", "old clients"]).exits(0);
    let ran = held(&bench, &server(&["create-answers-200", "create-drops-emails"])).exits(1);
    let report = bench.json("run.json");
    let new = report["outcomes"].as_array().unwrap().iter().find(|outcome| {
        outcome["verdict"]["kind"] == "failed" && outcome["baseline"]["new"].as_array().is_some()
    });
    let new = new.unwrap_or_else(|| panic!("no known case fails in a new way:\n{}", ran.stdout));
    assert_eq!(new["baseline"]["reason"], "old clients");
    assert!(ran.stdout.contains("new: the baseline lists this case, and not this finding"), "{}", ran.stdout);
}

#[test]
fn an_entry_whose_day_is_over_fails_and_says_so() {
    let bench = Bench::new();
    let faulty = server(&["delete-answers-200"]);
    run(&bench, &faulty, &[]).exits(1);
    let write = ["baseline", "write", "--from", "run.json", "--reason", "soon", "--until", "2020-02-29"];
    bench.run(&write).exits(0);
    let red = held(&bench, &faulty).exits(1);
    assert!(red.stdout.contains("its day is over: soon, until 2020-02-29"), "{}", red.stdout);
    assert!(bench.read("junit.xml").contains("tolerated until 2020-02-29 only: "));
}

#[test]
fn what_a_run_does_not_ask_uses_no_entry() {
    let bench = Bench::new();
    let faulty = server(&["delete-answers-200"]);
    run(&bench, &faulty, &[]).exits(1);
    bench.run(&["baseline", "write", "--from", "run.json", "--reason", "old gateway"]).exits(0);
    let words = ["run", faulty.url(), "--token-env", VARIABLE, "--json", "run.json"];
    let more = ["--baseline", "scimspec-baseline.toml", "--case", "create/minimal-user"];
    bench.run(&[words.as_slice(), &more].concat()).exits(0);
    let report = bench.json("run.json");
    let unused = report["baseline"]["not_judged"].as_array().unwrap().len();
    assert_eq!(unused as u64, report["baseline"]["entries"].as_u64().unwrap());
    bench.run(&["baseline", "update", "--from", "run.json"]).exits(0);
    assert_eq!(entries(&bench), unused, "what was not judged stays");
}

#[test]
fn the_baseline_can_stand_in_the_settings() {
    let bench = Bench::new();
    let faulty = server(&["delete-answers-200"]);
    run(&bench, &faulty, &[]).exits(1);
    bench
        .run(&["baseline", "write", "--from", "run.json", "--out", "ci/known.toml", "--reason", "x"])
        .exits(0);
    let mut command = bench.command(&["run", faulty.url(), "--token-env", VARIABLE, "--case", "delete/*"]);
    assert_eq!(command.env("SCIMSPEC_BASELINE", "ci/known.toml").output().unwrap().status.code(), Some(0));
    bench.write("scimspec.toml", "baseline = \"ci/known.toml\"\n");
    run(&bench, &faulty, &[]).exits(0);
    bench.run(&["baseline", "update", "--from", "run.json"]).exits(0);
    bench.write("scimspec.toml", "baseline = \"ci/known.toml\"\nrequire_core = true\n");
    let partial = run(&bench, &faulty, &[]).exits(1);
    assert!(partial.stdout.contains("Partial, against --require-core: "), "{}", partial.stdout);
}

#[test]
fn what_is_wrong_with_a_baseline_is_said_before_anything_runs() {
    const GOOD: &str = "format = 1\nprofile = \"rfc\"\nreading = \"lenient\"\n\n[[known]]\ncase = \"create/minimal-user\"\n\
                        reason = \"later\"\nfindings = [{ fingerprint = \"0123456789ab\" }]\n";
    let said = |text: &str, words: &[&str]| {
        let bench = Bench::new();
        bench.write("b.toml", text);
        let words = [&["run", "--case", "create/minimal-user", "--baseline", "b.toml"], words].concat();
        let ran = bench.run(&words).exits(2);
        assert_eq!(ran.stdout, "", "{words:?} ran something");
        format!("$ scimspec {}\n{}", words.join(" "), ran.trouble())
    };
    let bench = Bench::new();
    bench.write("run.json", "{\"schema_version\": 1}");
    bench.write("scimspec-baseline.toml", GOOD);
    let commands = [
        "run --baseline not-there.toml",
        "baseline write --from not-there.json --out new.toml",
        "baseline write --from run.json --out new.toml",
        "baseline update --from scimspec-baseline.toml",
        "baseline write --from run.json --until tomorrow",
    ];
    let commands = commands.map(|line| {
        let ran = bench.run(&line.split_whitespace().collect::<Vec<_>>()).exits(2);
        format!("$ scimspec {line}\n{}", ran.trouble())
    });
    insta::assert_snapshot!(
        [
            said(GOOD, &["--profile", "okta"]),
            said(GOOD, &["--reading", "strict"]),
            said(&GOOD.replace("minimal-user", "minimal-usr"), &[]),
            said(&GOOD.replace("later", ""), &[]),
            said(&GOOD.replace("[[known]]", "[[known]"), &[]),
            commands.join("\n"),
        ]
        .join("\n")
    );
}

#[test]
fn a_baseline_takes_the_place_of_no_other() {
    let bench = Bench::new();
    let faulty = server(&["delete-answers-200"]);
    run(&bench, &faulty, &[]).exits(1);
    let first = bench.run(&["baseline", "write", "--from", "run.json"]).exits(0);
    let before = bench.read("scimspec-baseline.toml");
    let again = bench.run(&["baseline", "write", "--from", "run.json", "--reason", "x"]).exits(2);
    assert_eq!(bench.read("scimspec-baseline.toml"), before);
    let refused = held(&bench, &faulty).exits(2);
    let reasoned = bench.run(&["baseline", "update", "--from", "run.json", "--reason", "x"]).exits(0);
    insta::assert_snapshot!(format!(
        "{}\n{}\n{}\n{}",
        first.stdout,
        again.trouble(),
        stable(&refused.stderr),
        reasoned.stdout
    ));
}

/// The readiness of a client's profile, in all three reports.
#[test]
fn a_client_that_would_not_work_is_told_so() {
    let bench = Bench::new();
    let run = |faults: &[&str], more: &[&str]| {
        let reference = server(faults);
        let words = ["run", reference.url(), "--token-env", VARIABLE, "--profile", "okta"];
        bench.run(&[words.as_slice(), &["--json", "run.json", "--junit", "junit.xml"], more].concat())
    };
    let row = |name: &str| {
        let report = bench.json("run.json");
        let rows = report["readiness"].as_array().unwrap();
        rows.iter()
            .find(|row| row["feature"] == name)
            .unwrap_or_else(|| panic!("no {name} in {rows:?}"))
            .clone()
    };
    let ready = run(&[], &[]).exits(0);
    assert!(ready.stdout.contains("── readiness for Okta ──"), "{}", ready.stdout);
    assert!(ready.stdout.contains("\nReady for Okta: "), "{}", ready.stdout);
    assert_eq!(row("spec")["readiness"], "ready");
    let broken = run(&["create-answers-200"], &[]).exits(1);
    assert!(broken.stdout.contains("\nNot ready for Okta: "), "{}", broken.stdout);
    let spec = row("spec");
    assert_eq!(spec["readiness"], "not-ready");
    let failed: Vec<&str> =
        spec["cases"]["failed"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
    assert!(!failed.is_empty());
    assert!(broken.stdout.contains(failed[0]));
    assert!(bench.read("junit.xml").contains("<property name=\"readiness.spec\" value=\"not ready: "));
    let partial = run(&[], &["--read-only"]).exits(0);
    assert!(partial.stdout.contains("\nPartial: "), "{}", partial.stdout);
    assert_eq!(row("spec")["readiness"], "not-tested");
    run(&[], &["--read-only", "--require-core"]).exits(1);
}
