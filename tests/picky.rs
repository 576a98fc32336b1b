//! A server that insists on more than the RFC does: e-mail addresses as userName, and displayName and name.formatted
//! for everybody. It is conformant, and has to be tested by configuration alone.

mod binary;

use binary::{Bench, Ran, Reference, VARIABLE};
use scimspec::server::{Demands, ServerOptions};
use serde_json::Value;

/// What the server declares in /Schemas is filled in by itself; that userName has to be an address stands in no schema.
const CONFIGURATION: &str = r#"
[template.user]
displayName = "Ann Example"
name = { formatted = "Ann Example" }

[new]
userName = "{word}@tenant.example.com"
"#;

fn picky(required: &[&str]) -> Reference {
    let demands =
        Demands { email_user_name: true, required: required.iter().map(|name| (*name).to_owned()).collect() };
    Reference::start(ServerOptions { demands, ..ServerOptions::default() })
}

fn run(bench: &Bench, reference: &Reference, more: &[&str]) -> (Ran, Value) {
    let words = ["run", reference.url(), "--token-env", VARIABLE, "--json", "run.json"];
    let ran = bench.run(&[words.as_slice(), more].concat());
    (ran, bench.json("run.json"))
}

#[test]
fn a_picky_server_runs_green_by_configuration_alone() {
    let reference = picky(&["displayName", "name.formatted"]);
    let bench = Bench::new();
    bench.write("tenant.toml", CONFIGURATION);
    for profile in ["rfc", "okta"] {
        let (ran, report) = run(&bench, &reference, &["--config", "tenant.toml", "--profile", profile]);
        let ran = ran.exits(0);
        let verdicts = &report["summary"]["verdicts"];
        assert_eq!(verdicts["failed"], 0, "{profile}: {}", ran.stdout);
        assert_eq!(verdicts["errored"], 0, "{profile}: {}", ran.stdout);
        assert!(!ran.stdout.contains("blocked by"), "{profile}: {}", ran.stdout);
        assert!(verdicts["passed"].as_u64().unwrap() > 10, "{profile}: {}", ran.stdout);
    }
}

#[test]
fn without_configuration_the_user_is_told_what_to_configure() {
    let reference = picky(&["displayName", "name.formatted"]);
    let bench = Bench::new();
    let (ran, report) = run(&bench, &reference, &[]);
    let verdicts = &report["summary"]["verdicts"];
    println!("{verdicts}\n{}", ran.stdout);
    assert!(matches!(ran.code, Some(1 | 3)));
    let hint = "[new]";
    assert!(ran.stdout.contains(hint) && ran.stdout.contains("scimspec.toml"), "{}", ran.stdout);
}
