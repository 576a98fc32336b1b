//! A server that insists on more than the RFC does: e-mail addresses as userName, and displayName and name.formatted
//! for everybody. It is conformant, and has to be tested by configuration alone. And one that declares more: attributes of
//! every type and characteristic, which make trials of their own.

mod binary;
mod hostile;

use binary::{Bench, Ran, Reference, TOKEN, VARIABLE};
use hostile::{Act, Hostile, error, forward};
use scimspec::server::{Demands, SchemaFile, ServerOptions};
use serde_json::{Value, json};

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

fn run(bench: &Bench, url: &str, more: &[&str]) -> (Ran, Value) {
    let words = ["run", url, "--token-env", VARIABLE, "--json", "run.json"];
    let ran = bench.run(&[words.as_slice(), more].concat());
    (ran, bench.json("run.json"))
}

#[test]
fn a_picky_server_runs_green_by_configuration_alone() {
    let reference = picky(&["displayName", "name.formatted"]);
    let bench = Bench::new();
    bench.write("tenant.toml", CONFIGURATION);
    for profile in ["rfc", "okta"] {
        let (ran, report) = run(&bench, reference.url(), &["--config", "tenant.toml", "--profile", profile]);
        let ran = ran.exits(0);
        let verdicts = &report["summary"]["verdicts"];
        assert_eq!(verdicts["failed"], 0, "{profile}: {}", ran.stdout);
        assert_eq!(verdicts["errored"], 0, "{profile}: {}", ran.stdout);
        assert!(!ran.stdout.contains("blocked by"), "{profile}: {}", ran.stdout);
        assert!(verdicts["passed"].as_u64().unwrap() > 10, "{profile}: {}", ran.stdout);
    }
}

#[test]
fn what_the_schemas_declare_needs_no_configuration() {
    let reference = picky(&["displayName", "name.formatted", "userType"]);
    let (ran, report) = run(&Bench::new(), reference.url(), &[]);
    let ran = ran.exits(0);
    // What is required makes trials of a case that has none on a server that demands no more than the RFC.
    let skipped = skipped_by_a_good_server().map(|skipped| skipped - 1);
    assert_eq!(report["summary"]["verdicts"]["skipped"].as_u64(), skipped, "{}", ran.stdout);
    for trial in ["User.displayName", "User.userType"] {
        assert!(ran.stdout.contains(&format!("characteristics/required[{trial}]")), "{}", ran.stdout);
    }
}

/// An extension with an attribute of each characteristic that no attribute of the core schemas has.
fn rich() -> SchemaFile {
    const URN: &str = "urn:example:params:scim:schemas:extension:hr:2.0:User";
    let attribute = |name: &str, kind: &str, mutability: &str, returned: &str, uniqueness: &str| {
        json!({
            "name": name, "type": kind, "multiValued": false, "description": name, "required": false,
            "caseExact": kind == "string", "mutability": mutability, "returned": returned, "uniqueness": uniqueness,
        })
    };
    let text = json!({
        "schemas": [{"id": URN, "name": "Hr", "description": "What personnel keeps", "attributes": [
            attribute("badge", "string", "immutable", "default", "server"),
            attribute("workload", "decimal", "readWrite", "default", "none"),
            attribute("floor", "integer", "readWrite", "request", "none"),
            attribute("score", "integer", "readOnly", "default", "none"),
            attribute("hired", "dateTime", "readWrite", "default", "none"),
            attribute("pin", "string", "writeOnly", "never", "none"),
        ]}],
        "resourceTypes": [{
            "name": "User", "endpoint": "/Users", "schema": "urn:ietf:params:scim:schemas:core:2.0:User",
            "schemaExtensions": [{"schema": URN, "required": false}],
        }],
    });
    SchemaFile::parse(&text.to_string(), "rich.json").expect("the schemas can be served")
}

#[test]
fn what_a_server_declares_is_tried() {
    let reference = Reference::start(ServerOptions { schemas: Some(rich()), ..ServerOptions::default() });
    for reading in ["lenient", "strict"] {
        let (ran, report) =
            run(&Bench::new(), reference.url(), &["--reading", reading, "--case", "characteristics/*"]);
        let ran = ran.exits(0);
        let verdicts = &report["summary"]["verdicts"];
        assert_eq!(verdicts["passed"], 5, "{reading}: {}", ran.stdout);
        for trial in [
            "read-only[Hr.score]",
            "immutable[Hr.badge]",
            "unique[Hr.badge]",
            "case-exact[Hr.badge]",
            "on-request[Hr.floor]",
        ] {
            assert!(ran.stdout.contains(trial), "{reading}: {trial}: {}", ran.stdout);
        }
    }
    // One trial can be chosen by itself.
    let one = "characteristics/immutable[Hr.badge]";
    let (ran, report) = run(&Bench::new(), reference.url(), &["--case", one]);
    assert_eq!(report["summary"]["verdicts"]["passed"], 1, "{}", ran.exits(0).stdout);
}

/// What is wrong with a user, beyond what is wrong in itself: that the server behind refuses.
fn refused(user: &Value) -> Option<&'static str> {
    let member = |name: &str| {
        let members = user.as_object()?;
        members.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.clone())
    };
    let name = member("userName")?.as_str().map(str::to_ascii_lowercase)?;
    if !name.ends_with("@tenant.example.com") {
        Some("userName is not in the domain tenant.example.com")
    } else if member("userType").is_none_or(|name| name.is_null()) {
        Some("userType is missing")
    } else {
        None
    }
}

/// A server whose demands stand in no schema: addresses of its own domain, and a userType.
fn secretive(reference: &Reference) -> Hostile {
    let port = reference.port();
    Hostile::scripted(move |request| {
        let path = request.path.trim_start_matches("/scim/v2");
        let writes = matches!((request.method.as_str(), path), ("POST", "/Users"))
            || (request.method == "PUT" && path.starts_with("/Users/"));
        let known = request.header("authorization").is_some_and(|given| given.ends_with(TOKEN));
        let sent = request.json();
        // A job is refused as a whole: its users are no others.
        let users: Vec<Value> = if request.method == "POST" && path == "/Bulk" {
            let operations = sent["Operations"].as_array().into_iter().flatten();
            operations.map(|operation| operation["data"].clone()).collect()
        } else if writes {
            vec![sent]
        } else {
            Vec::new()
        };
        let Some(refusal) = users.iter().find_map(refused).filter(|_| known) else {
            return forward(port, request);
        };
        let mut body = error(400, refusal);
        body["scimType"] = "invalidValue".into();
        Act::json(400, &body)
    })
}

#[test]
fn demands_that_no_schema_declares_are_met_by_configuration() {
    let reference = Reference::good();
    let server = secretive(&reference);
    let bench = Bench::new();
    bench.write(
        "scimspec.toml",
        "[template.user]\nuserType = \"Employee\"\n\n[new]\nuserName = \"{word}@tenant.example.com\"\n",
    );
    let (ran, report) = run(&bench, server.base_url().as_str(), &[]);
    let ran = ran.exits(0);
    assert_eq!(
        report["summary"]["verdicts"]["skipped"].as_u64(),
        skipped_by_a_good_server(),
        "{}",
        ran.stdout
    );
}

#[test]
fn without_configuration_the_user_is_told_what_to_configure() {
    let reference = Reference::good();
    let server = secretive(&reference);
    let bench = Bench::new();
    let (ran, report) = run(&bench, server.base_url().as_str(), &[]);
    let verdicts = &report["summary"]["verdicts"];
    let number = |verdict: &str| verdicts[verdict].as_u64().unwrap();
    let ran = ran.exits(1);
    // Not a wall of failures: what only needed a user is blocked, and says by what.
    assert!(number("skipped") + number("errored") > 3 * number("failed"), "{verdicts}\n{}", ran.stdout);
    assert!(ran.stdout.contains("userName is not in the domain tenant.example.com"), "{}", ran.stdout);
    let end: Vec<&str> = ran.stdout.lines().rev().take(60).collect();
    for part in ["[template.user]", "[new]", "scimspec.toml"] {
        assert!(end.iter().any(|line| line.contains(part)), "{part}:\n{}", ran.stdout);
    }
}

/// How many cases do not apply to the reference server.
fn skipped_by_a_good_server() -> Option<u64> {
    let reference = Reference::good();
    let (ran, report) = run(&Bench::new(), reference.url(), &[]);
    ran.exits(0);
    report["summary"]["verdicts"]["skipped"].as_u64()
}
