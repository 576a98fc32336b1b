//! Hooks, bursts and pauses, as a user of the binary meets them: what a command of the operator's can do to a run, what
//! it cannot, and what is said where it does not do its work. No secret is shown, whoever prints it.

mod binary;
mod hostile;

use std::num::NonZeroU32;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use binary::{Bench, Ran, Reference, TOKEN, VARIABLE, stable};
use hostile::{Act, Hostile, Received, answer, error, forward};
use scimspec::server::{RateLimit, ServerOptions};
use serde_json::{Value, json};

/// A suite with one case that runs a hook and then asks for something.
fn suite(step: &str) -> String {
    format!(
        "suite: mine\ntitle: Mine\ncases:\n  - id: hooked\n    title: A hook is run\n    spec: [RFC7644-3.4.1-01]\n    \
         level: must\n    given: {{ann: user}}\n    steps:\n      - {step}\n      - {{read: ann, expect: {{status: 200}}}}\n"
    )
}

fn run(bench: &Bench, url: &str, hooks: &str, step: &str) -> Ran {
    bench.write("scimspec.toml", hooks);
    bench.write("mine/a.yaml", &suite(step));
    let words = ["run", url, "--token-env", VARIABLE, "--suites", "mine", "--case", "mine/*"];
    bench.run(&[words.as_slice(), &["--json", "run.json"]].concat())
}

/// The only outcome.
fn outcome(bench: &Bench) -> Value {
    let report = bench.json("run.json");
    let all = report["outcomes"].as_array().unwrap();
    assert_eq!(all.len(), 1, "{all:#?}");
    all[0].clone()
}

fn notes(outcome: &Value) -> String {
    let notes = outcome["notes"].as_array().cloned().unwrap_or_default();
    notes.iter().filter_map(Value::as_str).collect::<Vec<_>>().join("\n")
}

#[test]
fn a_hook_is_told_what_it_needs_and_no_secret() {
    let reference = Reference::good();
    let bench = Bench::new();
    let hooks = "[hooks.ask]\ncommand = 'env > seen.txt; echo well done >&2'\n";
    run(&bench, reference.url(), hooks, "{hook: ask, with: {user-id: \"${ann.id}\"}}").exits(0);
    let seen = bench.read("seen.txt");
    for line in ["SCIMSPEC_HOOK=ask", &format!("SCIMSPEC_URL={}", reference.url()), "SCIMSPEC_ARG_USER_ID="] {
        assert!(seen.contains(line), "{line} is missing:\n{seen}");
    }
    assert!(!seen.contains(VARIABLE), "{seen}");
    let notes = notes(&outcome(&bench));
    assert!(notes.contains("the hook 'ask' took ") && notes.contains("it said: well done"), "{notes}");
}

#[test]
fn a_hook_that_is_not_there_skips_its_cases_and_says_where_to_put_it() {
    let reference = Reference::good();
    for step in ["{hook: accept-invitation}", "{send: GET /Users, requires: [{hook: accept-invitation}]}"] {
        let bench = Bench::new();
        bench.write("mine/a.yaml", &suite(step));
        let needs =
            if step.contains("requires") { "    requires: [{hook: accept-invitation}]\n" } else { "" };
        bench.write("mine/a.yaml", &suite(step).replace("    given:", &format!("{needs}    given:")));
        let words = ["run", reference.url(), "--token-env", VARIABLE, "--suites", "mine", "--case", "mine/*"];
        bench.run(&[words.as_slice(), &["--json", "run.json"]].concat()).exits(4);
        let verdict = &outcome(&bench)["verdict"];
        assert_eq!(verdict["reason"]["kind"], "not-configured", "{verdict}");
        assert_eq!(
            verdict["reason"]["what"],
            "the hook 'accept-invitation'; give it a command under [hooks.accept-invitation] in scimspec.toml"
        );
    }
}

#[test]
fn a_hook_that_does_not_do_its_work_is_nobodys_failure_and_is_explained() {
    let reference = Reference::good();
    let cases = [
        ("hangs", "command = 'echo waiting for a person >&2; sleep 100'\nwithin = '300ms'", "{hook: it}"),
        ("hangs for the case", "command = 'sleep 100'", "{hook: it, within: 200ms}"),
        ("fails", "command = 'echo the mail server is down >&2; exit 7'", "{hook: it}"),
        ("prints garbage", "command = 'echo done'", "{hook: it}"),
        ("prints a list", "command = ['echo', '[1]']", "{hook: it}"),
        ("prints without end", "command = 'yes'", "{hook: it}"),
        ("does not exist", "command = ['/no/such/program']", "{hook: it}"),
        ("does not exist for the shell", "command = 'no-such-program 2>/dev/null'", "{hook: it}"),
        ("gives too little", "command = 'echo {}'", "{hook: it, gives: {code: code}}"),
        ("gives no token", "command = \"echo '{\\\"token\\\": 7}'\"", "{hook: it}"),
        ("gives a token of nothing", "command = \"echo '{\\\"token\\\": \\\" \\\"}'\"", "{hook: it}"),
    ];
    let mut told = Vec::new();
    for (title, hook, step) in cases {
        let bench = Bench::new();
        let step = step.replace("gives: {code: code}}", "gives: {code: code}, with: {}}");
        bench.write("scimspec.toml", "");
        let mut text = suite(&step);
        if step.contains("gives") {
            text = text.replace(
                "{read: ann, expect: {status: 200}}",
                "{send: \"GET /Users/${code}\", expect: {status: 404}}",
            );
        }
        bench.write("scimspec.toml", &format!("[hooks.it]\n{hook}\n"));
        bench.write("mine/a.yaml", &text);
        let words = ["run", reference.url(), "--token-env", VARIABLE, "--suites", "mine", "--case", "mine/*"];
        let ran = bench.run(&[words.as_slice(), &["--json", "run.json", "--junit", "junit.xml"]].concat());
        assert!(ran.took < Duration::from_secs(20), "{title} took {:?}", ran.took);
        let ran = ran.exits(3);
        let outcome = outcome(&bench);
        let verdict = &outcome["verdict"];
        assert_eq!(
            (verdict["kind"].as_str(), verdict["cause"]["kind"].as_str()),
            (Some("errored"), Some("precondition"))
        );
        let detail = verdict["cause"]["detail"].as_str().unwrap().to_owned();
        // The words wrap on the screen.
        let first: String = detail.split_whitespace().take(4).collect::<Vec<_>>().join(" ");
        assert!(ran.stdout.contains(&first), "{title}: {}", ran.stdout);
        assert!(bench.ledgers().is_empty(), "{title} leaves something behind");
        told.push(format!("# {title}\n{}\n", stable(&detail)));
    }
    insta::assert_snapshot!(told.join("\n"));
}

#[test]
fn a_secret_that_a_hook_prints_is_masked() {
    let reference = Reference::good();
    for command in [
        format!("echo the token is {TOKEN} >&2; exit 1"),
        format!("echo the token is {TOKEN} >&2"),
        format!(r#"echo "{{\"user\": \"{TOKEN}\"}}""#),
        format!("echo {TOKEN}"),
    ] {
        let bench = Bench::new();
        bench.write("secret.sh", "");
        // The command is read from a file of another folder, since this one is searched for the secret.
        let elsewhere = tempfile::tempdir().unwrap();
        let script = elsewhere.path().join("hook.sh");
        std::fs::write(&script, &command).unwrap();
        let hooks = format!("[hooks.it]\ncommand = ['sh', '{}']\n", script.display());
        run(&bench, reference.url(), &hooks, "{hook: it}");
        let outcome = outcome(&bench);
        let shown = outcome.to_string();
        let quoted = command != format!("echo {TOKEN}");
        assert_eq!(shown.contains("***"), quoted, "{command}: {shown}");
    }
}

#[test]
fn slips_in_hooks_are_located() {
    let mut told = Vec::new();
    for text in [
        "[hooks.it]\nwithin = '5s'\n",
        "[hooks.it]\ncommand = ''\n",
        "[hooks.it]\ncommand = []\n",
        "[hooks.it]\ncommand = 7\n",
        "[hooks.it]\ncommand = 'true'\nwithin = '0s'\n",
        "[hooks.it]\ncomand = 'true'\n",
        "hooks = 'true'\n",
    ] {
        let bench = Bench::new();
        bench.write("scimspec.toml", text);
        told.push(format!("{text}{}", bench.run(&["run"]).exits(2).trouble()));
    }
    insta::assert_snapshot!(told.join("\n"));
}

/// The reference server behind a gate that knows one key at a time; `/rotate` gives a new one.
fn gate(reference: &Reference) -> (Hostile, Arc<Mutex<Vec<String>>>) {
    let keys = Arc::new(Mutex::new(vec![TOKEN.to_owned()]));
    let (port, known) = (reference.port(), Arc::clone(&keys));
    let server = Hostile::scripted(move |request| {
        let mut known = known.lock().unwrap();
        if request.path.ends_with("/rotate") {
            let key = format!("another-s3cret-{}", known.len());
            known.push(key.clone());
            let body = json!({ "token": key }).to_string();
            return Act::Bytes(answer(200, &[("Content-Type", "application/json")], body.as_bytes()));
        }
        if request.header("Authorization") != Some(&format!("Bearer {}", known.last().unwrap())) {
            return Act::json(401, &error(401, "no such key"));
        }
        let headers = request
            .headers
            .iter()
            .map(|(name, value)| {
                let is_key = name.eq_ignore_ascii_case("authorization");
                (name.clone(), if is_key { format!("Bearer {TOKEN}") } else { value.clone() })
            })
            .collect();
        forward(port, &Received { headers, ..request.clone() })
    });
    (server, keys)
}

#[test]
fn a_hook_renews_the_key_for_all_that_follows() {
    let reference = Reference::good();
    let (server, keys) = gate(&reference);
    let url = server.base_url();
    let bench = Bench::new();
    bench.write(
        "scimspec.toml",
        &format!(
            "[hooks.rotate-key]\ncommand = ['curl', '-fsS', 'http://127.0.0.1:{}/rotate']\n",
            server.port()
        ),
    );
    let case = |id: &str, steps: &str| {
        format!(
            "  - id: {id}\n    title: Keys\n    spec: [RFC7644-3.4.1-01]\n    given: {{ann: user}}\n{steps}"
        )
    };
    let text = [
        "suite: mine\ntitle: Mine\ncases:\n".to_owned(),
        case(
            "rotates",
            "    exclusive: true\n    steps:\n      - {read: ann, expect: {status: 200}}\n      - {hook: rotate-key, gives: {fresh: token}}\n      \
             - {send: GET /Users, auth: old, expect: {status: 401}}\n      - {read: ann, expect: {status: 200}}\n      \
             - {send: \"GET /Users/${fresh}\", expect: {status: 404}}\n      - {hook: rotate-key}\n      \
             - {send: GET /Users, auth: old, expect: {status: 401}}\n      - {read: ann, expect: {status: 200}}\n",
        ),
        case("alone", "    exclusive: true\n    steps:\n      - {read: ann, expect: {status: 200}}\n"),
        case("among-others", "    steps:\n      - {read: ann, expect: {status: 200}}\n"),
    ]
    .concat();
    bench.write("mine/a.yaml", &text);
    let words = ["run", url.as_str(), "--token-env", VARIABLE, "--suites", "mine", "--case", "mine/*"];
    let ran = bench.run(&[words.as_slice(), &["--json", "run.json", "--all-exchanges"]].concat()).exits(0);
    let keys = keys.lock().unwrap().clone();
    assert_eq!(keys.len(), 3);
    let written = [ran.stdout, ran.stderr, bench.read("run.json")].concat();
    for key in &keys[1..] {
        assert!(!written.contains(key), "{key} is shown");
    }
    let report = bench.json("run.json");
    assert_eq!(report["summary"]["verdicts"]["passed"], 3, "{report:#}");
    assert!(bench.ledgers().is_empty(), "the clean-up used the new key");
    // Whoever changes the key comes after those who need the old one.
    let order: Vec<String> =
        report["outcomes"].as_array().unwrap().iter().map(|it| it["id"].to_string()).collect();
    assert_eq!(order, ["\"mine/among-others\"", "\"mine/alone\"", "\"mine/rotates\""]);
}

fn limited(requests: u32, window: Duration) -> Reference {
    let requests = NonZeroU32::new(requests).unwrap();
    let rate_limit = Some(RateLimit::new(requests, window, None).unwrap());
    Reference::start(ServerOptions { rate_limit, ..ServerOptions::default() })
}

fn burst(bench: &Bench, url: &str, expect: &str, more: &[&str]) -> Ran {
    let text = format!(
        "suite: mine\ntitle: Mine\ncases:\n  - id: burst\n    title: A limit\n    spec: [RFC7644-3.4.1-01]\n    allow: [disruptive]\n    \
         exclusive: true\n    given: {{ann: user}}\n    steps:\n      - burst: {{send: GET /Users?count=1, until: [429], at-most: 120, within: 20s}}\n        \
         expect: {{{expect}}}\n      - {{wait: {{retry-after: true, at-most: 10s}}}}\n      - {{read: ann, expect: {{status: 200}}}}\n"
    );
    bench.write("mine/a.yaml", &text);
    let words =
        ["run", url, "--token-env", VARIABLE, "--suites", "mine", "--case", "mine/*", "--rate", "20/s"];
    bench.run(&[words.as_slice(), &["--json", "run.json"], more].concat())
}

const FORTY: &str = "tally: [{name: refused, status: 429, at-least: 1}, {name: served, status: 200, exactly: 40}, {rest: true, status: 200}], \
                     status: 429, checks: [{header: Retry-After, is: integer}]";

#[test]
fn a_burst_finds_the_limit_and_nobody_else_suffers() {
    let reference = limited(40, Duration::from_secs(1));
    let bench = Bench::new();
    let ran = burst(&bench, reference.url(), FORTY, &["--allow", "disruptive"]).exits(0);
    let outcome = outcome(&bench);
    assert_eq!(outcome["verdict"]["kind"], "passed", "{outcome:#}\n{}", ran.stdout);
    let notes = notes(&outcome);
    assert!(notes.contains("40 answered 200") && notes.contains(" answered 429"), "{notes}");
    assert!(bench.ledgers().is_empty(), "the clean-up waits until it is served again");
    burst(&bench, reference.url(), FORTY, &[]).exits(4);
    assert_eq!(self::outcome(&bench)["verdict"]["reason"]["kind"], "needs-allow");
}

#[test]
fn a_burst_that_comes_to_something_else_fails() {
    let allow = ["--allow", "disruptive"];
    for (requests, said) in
        [(30, "30 of"), (200, "0 of 120 answers of the burst are refused, expected at least 1")]
    {
        let reference = limited(requests, Duration::from_secs(1));
        let bench = Bench::new();
        burst(&bench, reference.url(), FORTY, &allow).exits(1);
        let outcome = outcome(&bench);
        assert_eq!(outcome["verdict"]["kind"], "failed");
        assert!(outcome["findings"].to_string().contains(said), "{requests}: {:#}", outcome["findings"]);
    }
    let reference = limited(40, Duration::from_secs(1));
    let bench = Bench::new();
    let wrong = FORTY
        .replace("Retry-After", "X-Not-There")
        .replace("{rest: true, status: 200}", "{rest: true, status: 204}");
    burst(&bench, reference.url(), &wrong, &allow).exits(1);
    assert!(outcome(&bench)["findings"].to_string().contains("X-Not-There"));
}
