//! The commands as they are typed: what each prints, how it ends, and that it ends well where nobody reads on. What
//! goes wrong is in `tests/trouble.rs`, the texts of `--help` are beside their definition.

mod binary;
mod hostile;

use std::io::{BufRead, BufReader};
use std::process::Stdio;

use binary::{Bench, Reference, TOKEN, VARIABLE, stable};
use hostile::{Act, Behaviour, Hostile, forward};
use scimspec::server::{Fault, ServerOptions};

fn head(text: &str, lines: usize) -> String {
    text.lines().take(lines).collect::<Vec<_>>().join("\n")
}

#[test]
fn every_command_has_a_short_and_a_long_help() {
    let bench = Bench::new();
    for command in [
        "run",
        "list",
        "check",
        "probe",
        "serve",
        "profile",
        "schema",
        "clean",
        "snapshots",
        "baseline",
        "coverage",
        "explain",
    ] {
        let short = bench.run(&[command, "-h"]).exits(0);
        let long = bench.run(&[command, "--help"]).exits(0);
        assert!(short.stdout.contains(&format!("Usage: scimspec {command}")), "{}", short.stdout);
        assert!(long.stdout.len() >= short.stdout.len(), "{command}");
        assert!(long.stderr.is_empty() && short.stderr.is_empty(), "{command}");
    }
    let top = bench.run(&["--help"]).exits(0);
    for command in ["run", "list", "check", "probe", "serve", "profile", "schema", "clean", "snapshots"] {
        assert!(top.stdout.lines().any(|line| line.trim_start().starts_with(command)), "{command}");
    }
    let version = bench.run(&["--version"]).exits(0);
    assert_eq!(version.stdout, concat!("scimspec ", env!("CARGO_PKG_VERSION"), "\n"));
    // Without a command there is help, but no success: a script that lost its arguments should not go on.
    let nothing = bench.run(&[]).exits(2);
    assert!(nothing.stderr.contains("Usage: scimspec"), "{}", nothing.stderr);
}

#[test]
fn the_faults_in_the_help_exist() {
    let bench = Bench::new();
    let help = bench.run(&["serve", "--help"]).exits(0).stdout;
    let words: Vec<&str> = help.split_whitespace().collect();
    let named: Vec<&str> = words
        .windows(2)
        .filter(|pair| pair[0] == "--fault" && pair[1].contains('-') && !pair[1].starts_with('-'))
        .map(|pair| pair[1])
        .collect();
    assert!(!named.is_empty());
    for name in named {
        assert!(Fault::from_name(name).is_ok(), "{name}");
    }
}

#[test]
fn list_names_every_case_with_its_place() {
    let bench = Bench::new();
    let listed = bench.run(&["list"]).exits(0).stdout;
    insta::assert_snapshot!("list_head", head(&listed, 2));
    let json: serde_json::Value =
        serde_json::from_str(&bench.run(&["list", "--format", "json"]).exits(0).stdout).unwrap();
    let cases = json["cases"].as_array().unwrap();
    assert!(cases.len() > 60);
    for case in cases {
        assert!(listed.contains(case["id"].as_str().unwrap()), "{case}");
        assert!(case["place"]["line"].as_u64().unwrap() > 0, "{case}");
    }
    let narrowed = ["list", "--case", "filter/vectors[FV-046]", "--case", "filter/malformed[quote-open]"];
    insta::assert_snapshot!("list_trials", bench.run(&narrowed).exits(0).stdout);
    let json = bench.run(&[narrowed.as_slice(), &["--format", "json"]].concat()).exits(0).stdout;
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json["cases"][0]["rows"], serde_json::json!(["quote-open"]));
    let patch = bench.run(&["list", "--case", "patch/*"]).exits(0).stdout;
    assert!(patch.contains("patch/") && !patch.contains("create/"), "{patch}");
    let okta = bench.run(&["list", "--profile", "okta"]).exits(0).stdout;
    assert!(okta.contains("suites/okta/spec.yaml"), "{okta}");
}

#[test]
fn schemas_are_the_files_of_the_repository() {
    let bench = Bench::new();
    for kind in ["suite", "report", "config", "profile", "coverage"] {
        let printed = bench.run(&["schema", kind]).exits(0).stdout;
        let file = format!("{}/schema/{kind}.schema.json", env!("CARGO_MANIFEST_DIR"));
        assert_eq!(printed, std::fs::read_to_string(file).unwrap(), "{kind}");
    }
}

#[test]
fn coverage_is_narrowed_and_printed_in_three_ways() {
    let bench = Bench::new();
    let whole = bench.run(&["coverage"]).exits(0).stdout;
    for part in ["── aims: ", "RFC 7644 by section", "RFC 9967: not proven", "apart, counted nowhere else"]
    {
        assert!(whole.contains(part), "{part}");
    }
    assert!(whole.lines().all(|line| line.chars().count() <= 100), "no line is wider than the page");
    let part = ["coverage", "--document", "rfc7644", "--section", "3.3.1", "--level", "must"];
    let shown = bench.run(&[part.as_slice(), &["--proven"]].concat()).exits(0).stdout;
    assert!(!shown.contains("aims"), "an aim is about the whole: {shown}");
    assert!(shown.contains("RFC7644-3.3.1-01") && !shown.contains("RFC7644-3.3-"), "{shown}");
    let json = bench.run(&[part.as_slice(), &["--format", "json"]].concat()).exits(0).stdout;
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json["requirements"][0]["id"], "RFC7644-3.3.1-01");
    assert!(json["requirements"][0]["cases"].as_array().unwrap().contains(&"create/minimal-user".into()));
    let page = bench.run(&["coverage", "--format", "markdown"]).exits(0).stdout;
    assert!(page.contains("(https://www.rfc-editor.org/rfc/rfc7644#section-3.5.2.3)"), "no link");
    let missing = bench.run(&["coverage", "--state", "proven", "--format", "json"]).exits(0).stdout;
    let missing: serde_json::Value = serde_json::from_str(&missing).unwrap();
    let states = missing["requirements"].as_array().unwrap().iter().map(|one| &one["state"]);
    assert!(states.clone().count() > 0 && states.clone().all(|state| state == "proven"));
}

#[test]
fn coverage_of_what_does_not_exist_is_a_slip() {
    let bench = Bench::new();
    insta::assert_snapshot!(bench.run(&["coverage", "--document", "RFC7643x"]).exits(2).stderr, @"error: the catalogue has no document `RFC7643x`; did you mean `RFC7643`?");
    insta::assert_snapshot!(
        bench.run(&["coverage", "--document", "RFC7644", "--section", "99"]).exits(2).stderr,
        @r"
        error: no requirement matches
          = help: 'scimspec coverage' shows the documents and sections that there are
        "
    );
}

#[test]
fn a_suite_of_the_users_counts_for_coverage_and_is_explained() {
    let bench = Bench::new();
    let case = "{id: a, title: It is so, hint: Mend it., spec: [RFC7644-3.3.1-01], \
                steps: [{send: GET /Users, expect: {status: 200}}]}";
    bench.write("mine/mine.yaml", &format!("suite: mine\ntitle: Mine\ncases:\n  - {case}\n"));
    let words = ["coverage", "--suites", "mine", "--section", "3.3.1", "--format", "json"];
    let json: serde_json::Value = serde_json::from_str(&bench.run(&words).exits(0).stdout).unwrap();
    let cases = json["requirements"][0]["cases"].as_array().unwrap();
    assert!(cases.contains(&"mine/a".into()), "{cases:?}");
    insta::assert_snapshot!(bench.run(&["explain", "mine/a", "--suites", "mine"]).exits(0).stdout, @r#"
    ── case mine/a ────────────────────────────────────────────────────────────────────────────── MUST ─
    It is so

     how to mend  Mend it.
            asks  RFC7644-3.3.1-01  SHALL: meta.resourceType is set by the provider according to the
                  endpoint posted to.
                  https://www.rfc-editor.org/rfc/rfc7644#section-3.3.1
        requests  GET /Users
       stands in  mine/mine.yaml:4
             run  scimspec run URL --case mine/a
    "#);
}

#[test]
fn explain_tells_what_an_id_stands_for() {
    let bench = Bench::new();
    for (name, id) in [
        ("case", "create/body-is-no-object"),
        ("row", "filter/malformed[value-missing]"),
        ("filter_vector", "filter/vectors[FV-046]"),
        ("patch_vector", "patch/vectors[PV-072]"),
        ("attribute", "characteristics/immutable[User.badge]"),
        ("rule", "rules/allow-on-405"),
        ("requirement", "RFC9110-10.2.1-01"),
        ("source", "AMP-09"),
        ("fault", "wrong-method-without-allow"),
        ("variant", "page-of-ten"),
        ("feature", "okta.password-sync"),
        ("profile", "learnamp"),
    ] {
        // The line that a case stands in changes with every case before it.
        insta::with_settings!({filters => vec![(r"\.yaml:\d+", ".yaml:LINE")]}, {
            insta::assert_snapshot!(format!("explain_{name}"), bench.run(&["explain", id]).exits(0).stdout);
        });
    }
    let two = bench.run(&["explain", "page-of-ten", "AMP-09"]).exits(0).stdout;
    assert!(two.contains("── variant page-of-ten ") && two.contains("── source AMP-09 "), "{two}");
}

#[test]
fn explain_answers_a_slip_with_what_is_like_it() {
    let bench = Bench::new();
    insta::assert_snapshot!(bench.run(&["explain", "create/minimal-usr"]).exits(2).stderr, @r#"
    error: nothing is called `create/minimal-usr`; did you mean `create/minimal-user`?
      = help: 'scimspec list' shows the cases, 'scimspec coverage' the requirements,
              'scimspec serve --list-faults' the faults, 'scimspec profile list' the profiles
    "#);
    let ran = bench.run(&["explain", "page-of-ten", "RFC7644-3.3-99"]).exits(2);
    assert!(ran.stdout.is_empty() && ran.stderr.contains("did you mean `RFC7644-3.3-0"), "{}", ran.stderr);
}

#[test]
fn probe_says_what_is_claimed_and_where() {
    let reference = Reference::good();
    let bench = Bench::new();
    let words = ["probe", reference.url(), "--token-env", VARIABLE];
    insta::assert_snapshot!("probe", stable(&bench.run(&words).exits(0).stdout));
    let json = bench.run(&[words.as_slice(), &["--format", "json"]].concat()).exits(0).stdout;
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json["features"]["patch"]["supported"], true, "{json}");
    assert!(json["features"]["patch"]["evidence"].as_str().unwrap().contains("patch.supported"), "{json}");
    insta::assert_snapshot!("probe_json", stable(&format!("{json:#}")));
}

#[test]
fn check_knows_what_is_shipped_and_what_is_exported() {
    let bench = Bench::new();
    let shipped = bench.run(&["check"]).exits(0);
    assert!(shipped.stdout.ends_with(": 0 errors, 0 warnings\n"), "{}", shipped.stdout);
    let exported = bench.run(&["list", "--export", "mine"]).exits(0);
    assert!(exported.stdout.contains("files written"), "{}", exported.stdout);
    // What was exported and not changed is what is shipped.
    assert_eq!(bench.run(&["check", "mine"]).exits(0).stdout, shipped.stdout);
    let again = bench.run(&["list", "--export", "mine"]).exits(0);
    assert!(again.stdout.contains(": 0 files written"), "{}", again.stdout);
    // A changed file is the user's own, and is not written over.
    let path = "mine/rfc7644/3.6-delete.yaml";
    let name =
        if bench.join(path).exists() { path.to_owned() } else { format!("mine/suites/{}", &path[5..]) };
    let changed = format!("{}\n# mine\n", bench.read(&name));
    bench.write(&name, &changed);
    bench.run(&["list", "--export", "mine"]).exits(2);
    assert_eq!(bench.read(&name), changed);
    let ran = bench.run(&["run", "--suites", "mine", "--case", "delete/*"]).exits(0);
    assert!(ran.stdout.contains("delete/user"), "{}", ran.stdout);
}

#[test]
fn serve_says_its_address_first_and_takes_faults_and_a_token() {
    let bench = Bench::new();
    let faults = bench.run(&["serve", "--list-faults"]).exits(0).stdout;
    for line in faults.lines() {
        let (name, said) = line.split_once(' ').unwrap();
        assert!(Fault::from_name(name).is_ok() && said.contains(": ") && said.contains(". ["), "{line}");
    }
    let name = faults.split_whitespace().next().unwrap();
    let mut child = bench
        .command(&["serve", "--fault", name, "--token", TOKEN])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let lines: Vec<String> =
        BufReader::new(child.stdout.take().unwrap()).lines().take(3).map(Result::unwrap).collect();
    let ran = bench.run(&["probe", &lines[0], "--token-env", VARIABLE]);
    let stopped =
        std::process::Command::new("kill").args(["-TERM", &child.id().to_string()]).status().unwrap();
    assert!(stopped.success());
    let mut said = String::new();
    std::io::Read::read_to_string(&mut child.stderr.take().unwrap(), &mut said).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(0), "{said}");
    ran.exits(0);
    assert!(lines[0].starts_with("http://127.0.0.1:"), "{lines:?}");
    assert_eq!(lines[2], format!("Planted: {name}"));
    assert!(!lines.concat().contains(TOKEN) && !said.contains(TOKEN), "{lines:?}\n{said}");
    assert!(said.contains("/ServiceProviderConfig"), "requests are noted: {said}");
}

/// The table of `--help` and the README, each code once.
#[test]
fn exit_codes() {
    let bench = Bench::new();
    let good = Reference::good();
    let bad = Reference::start(ServerOptions {
        faults: vec![Fault::from_name("create-answers-200").unwrap()],
        ..ServerOptions::default()
    });
    // Every answer after the probe's is none.
    let port = good.port();
    let asked = std::sync::atomic::AtomicUsize::new(0);
    let broken = Hostile::scripted(move |request| {
        let number = asked.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
        if number < 6 { forward(port, request) } else { Act::Close }
    });
    let down = Hostile::start(Behaviour::ServerErrorHtml);
    let (broken_url, down_url) = (broken.base_url().to_string(), down.base_url().to_string());
    for (code, words) in [
        (0, vec!["run", good.url(), "--case", "create/minimal-user"]),
        (1, vec!["run", bad.url(), "--case", "create/minimal-user"]),
        (1, vec!["run", bad.url(), "--case", "create/*", "--case", "delete/*"]),
        (2, vec!["run", good.url(), "--profile", "none-such"]),
        (3, vec!["run", &down_url]),
        (3, vec!["run", &broken_url, "--case", "create/minimal-user"]),
        (4, vec!["run", good.url(), "--case", "none/*"]),
        (4, vec!["run", good.url(), "--case", "query/filter-not-supported"]),
    ] {
        let ran = bench.run(&[words.as_slice(), &["--token-env", VARIABLE]].concat());
        assert_eq!(ran.code, Some(code), "{words:?}\n{}\n{}", ran.stdout, ran.stderr);
    }
}

#[test]
fn warnings_are_failures_only_where_they_are_denied() {
    let bench = Bench::new();
    let reference = Reference::start(ServerOptions {
        faults: vec![Fault::from_name("unknown-parameter-refused").unwrap()],
        ..ServerOptions::default()
    });
    let words = [
        "run",
        reference.url(),
        "--token-env",
        VARIABLE,
        "--case",
        "query/unknown-parameter",
        "--json",
        "run.json",
    ];
    bench.run(&words).exits(0);
    assert_eq!(bench.json("run.json")["summary"]["verdicts"]["warned"], 1);
    bench.run(&[words.as_slice(), &["--deny", "warnings"]].concat()).exits(1);
}

/// `scimspec … | head -1`: no panic, no complaint; and a run is not turned green by it.
#[test]
fn nobody_reads_on() {
    let reference = Reference::start(ServerOptions {
        faults: vec![Fault::from_name("create-answers-200").unwrap()],
        ..ServerOptions::default()
    });
    let bench = Bench::new();
    let run = [
        "run",
        reference.url(),
        "--token-env",
        VARIABLE,
        "--case",
        "create/*",
        "--json",
        "run.json",
        "--junit",
        "junit.xml",
    ];
    for (words, code) in [
        (vec!["list"], 0),
        (vec!["schema", "suite"], 0),
        (vec!["serve", "--list-faults"], 0),
        (vec!["--help"], 0),
        (run.to_vec(), 1),
    ] {
        for lines in [0, 1] {
            let mut child =
                bench.command(&words).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
            let out = BufReader::new(child.stdout.take().unwrap());
            let read = out.lines().take(lines).count();
            assert!(read <= lines);
            let mut said = String::new();
            std::io::Read::read_to_string(&mut child.stderr.take().unwrap(), &mut said).unwrap();
            assert_eq!(child.wait().unwrap().code(), Some(code), "{words:?}: {said}");
            assert_eq!(said, "", "{words:?}");
        }
    }
    assert_eq!(bench.json("run.json")["summary"]["exit_code"], 1);
    assert!(bench.read("junit.xml").contains("<failure"));
    assert!(bench.ledgers().is_empty());
}
