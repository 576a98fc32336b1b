//! Bad input and trouble, as a user of the binary meets them: one clear message each, with what, where and what to
//! do; the right exit code; nothing of others touched; no secret anywhere; and an end in time. What the client by
//! itself promises is tested in `tests/target.rs`.

mod binary;
mod hostile;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use binary::{Bench, RUNTIME, Ran, Reference, VARIABLE, ask, count, stable, there, until};
use hostile::{Act, Behaviour, Hostile, Received, answer, error, forward, tls_server};
use serde_json::{Value, json};

/// Several scenes at once, since most of them wait; in the order given.
fn scenes<S: Send, T: Send>(scenes: Vec<S>, play: impl Fn(S) -> T + Sync) -> Vec<T> {
    let queue = std::sync::Mutex::new(scenes.into_iter().enumerate().collect::<Vec<_>>());
    let results = std::sync::Mutex::new(BTreeMap::new());
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                loop {
                    let Some((at, scene)) = queue.lock().unwrap().pop() else { return };
                    let result = play(scene);
                    results.lock().unwrap().insert(at, result);
                }
            });
        }
    });
    results.into_inner().unwrap().into_values().collect()
}

/// What each command line says on standard error, one under the other.
fn transcript(lines: &[&str]) -> String {
    let played = scenes(lines.to_vec(), |line| {
        let bench = Bench::new();
        let words: Vec<&str> = line.split_whitespace().collect();
        let ran = bench.run(&words);
        assert!(!ran.stdout.contains("test result"), "{line} ran something");
        format!("$ scimspec {line}\n{}", ran.trouble())
    });
    played.join("\n")
}

fn authorised(url: &str) -> Vec<String> {
    ["run", url, "--token-env", VARIABLE].map(str::to_owned).to_vec()
}

/// Runs these cases there, with reports, and without waiting for long.
fn run_cases(bench: &Bench, url: &str, cases: &[&str], more: &[&str]) -> Ran {
    let going = start_cases(bench, url, cases, more);
    let ran = going.end();
    bench.no_secret(&ran);
    ran
}

fn start_cases(bench: &Bench, url: &str, cases: &[&str], more: &[&str]) -> binary::Going {
    bench.write("scimspec.toml", "[limits]\nrepeats = 1\nretry_after = \"1s\"\nconnect = \"5s\"\n");
    let mut words = authorised(url);
    words.extend(["--json", "run.json", "--junit", "junit.xml"].map(str::to_owned));
    words.extend(cases.iter().flat_map(|case| ["--case".to_owned(), (*case).to_owned()]));
    words.extend(more.iter().map(|word| (*word).to_owned()));
    bench.start(&words.iter().map(String::as_str).collect::<Vec<_>>())
}

/// Every outcome with that verdict: its id and the verdict whole.
fn outcomes<'r>(report: &'r Value, verdict: &str) -> Vec<(&'r str, &'r Value)> {
    let all = report["outcomes"].as_array().unwrap();
    all.iter()
        .filter(|outcome| outcome["verdict"]["kind"] == verdict)
        .map(|outcome| (outcome["id"].as_str().unwrap(), &outcome["verdict"]))
        .collect()
}

/// A user that no run has made.
fn stranger(reference: &Reference, name: &str) -> Value {
    let user = json!({"schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"], "userName": name,
        "emails": [{"value": format!("{name}@example.org"), "type": "work", "primary": true}]});
    let made = ask(reference.port(), "POST", "/Users", Some(&user));
    assert!(made["id"].is_string(), "{made}");
    made
}

fn proxy(reference: &Reference) -> Hostile {
    let port = reference.port();
    Hostile::scripted(move |request| forward(port, request))
}

fn writes(request: &Received) -> bool {
    !matches!(request.method.as_str(), "GET" | "HEAD" | "OPTIONS") && !request.path.contains("/.search")
}

// --- no run comes about ---------------------------------------------------------------------------------

#[test]
fn slips_on_the_command_line() {
    insta::assert_snapshot!(transcript(&[
        "run --frob",
        "frob",
        "run localhost:8080/scim/v2",
        "run http://ann:pass@127.0.0.1:1/scim/v2",
        "run --profile oktaa",
        "run --case nothing/like-it",
        "list --case nothing/like-it",
        "run http://127.0.0.1:1/scim/v2 --token-env NOT_THERE",
        "run http://127.0.0.1:1/scim/v2 --token-file not-there",
        "run http://127.0.0.1:1/scim/v2 --cacert not-there.pem",
        "run http://127.0.0.1:1/scim/v2 --header Authorization:Basic",
        "run --config not-there.toml",
        "run --suites not-there",
        "check not-there.yaml",
        "serve --fault patch-replaces-whole-aray",
        "serve --fault zzz",
        "probe",
        "run https://scim.example.invalid/scim/v2",
        "run --requests many",
        "run --rate fast",
    ]));
}

/// What is broken, the files that show it, and the command that meets them.
type BrokenFiles = (&'static str, &'static [(&'static str, &'static str)], &'static str);

#[test]
fn broken_files() {
    let files: &[BrokenFiles] = &[
        ("configuration: unknown key", &[("scimspec.toml", "profle = \"okta\"\n")], "run"),
        ("configuration: wrong type", &[("scimspec.toml", "jobs = \"four\"\n")], "run"),
        ("configuration: no TOML", &[("scimspec.toml", "[template.user\ntitle = 1\n")], "run"),
        ("configuration: unknown profile", &[("scimspec.toml", "profile = \"octa\"\n")], "run"),
        ("configuration: no {word}", &[("scimspec.toml", "[new]\nuserName = \"ann@example.com\"\n")], "run"),
        ("configuration: not UTF-8 is an error of the file", &[("scimspec.toml", "a = \"\u{0}\"")], "run"),
        (
            "suite: unknown key",
            &[("mine/a.yaml", "suite: mine\ntitle: Mine\ncases:\n  - id: a\n    titel: A\n")],
            "run --suites mine",
        ),
        (
            "suite: unknown requirement",
            &[(
                "mine/a.yaml",
                "suite: mine\ntitle: Mine\ncases:\n  - id: a\n    title: A\n    spec: [RFC7644-3.3-99]\n    steps:\n      - send: GET /Users\n",
            )],
            "run --suites mine",
        ),
        ("suite: no YAML", &[("mine/a.yaml", "suite: [\n")], "run --suites mine"),
        (
            "suite: unknown fixture",
            &[(
                "mine/a.yaml",
                "suite: mine\ntitle: Mine\ncases:\n  - id: a\n    title: A\n    spec: [RFC7644-3.4.1-01]\n    given: {ann: usr}\n    steps:\n      - read: ann\n",
            )],
            "run --suites mine",
        ),
        ("fixture: no JSON", &[("mine/fixtures/ann.json", "{\"userName\": }\n")], "run --suites mine"),
        ("fixture: no resource", &[("mine/fixtures/ann.json", "[1, 2]\n")], "run --suites mine"),
        (
            "profile: unknown key",
            &[("mine/profiles/p.yaml", "profile: p\ntitle: P\nsuits: []\n")],
            "run --suites mine",
        ),
        (
            "profile: no suites",
            &[("mine/profiles/p.yaml", "profile: p\ntitle: P\n")],
            "run --suites mine --profile p",
        ),
    ];
    let played = scenes(files.to_vec(), |(title, files, line)| {
        let bench = Bench::new();
        for (name, text) in files {
            bench.write(name, text);
        }
        let ran = bench.run(&line.split_whitespace().collect::<Vec<_>>());
        assert!(!ran.stdout.contains("test result"), "{title} ran something");
        format!("# {title}\n$ scimspec {line}\n{}", ran.trouble())
    });
    insta::assert_snapshot!(played.join("\n"));
}

#[test]
fn a_target_that_cannot_be_tested() {
    let behaviours = [
        Behaviour::Hang,
        Behaviour::Drip,
        Behaviour::DripHead,
        Behaviour::Endless,
        Behaviour::GzipBomb,
        Behaviour::LyingEncoding,
        Behaviour::InvalidJson,
        Behaviour::DeepNesting,
        Behaviour::InvalidUtf8,
        Behaviour::CloseMidBody,
        Behaviour::CloseAfterAccept,
        Behaviour::NotHttp,
        Behaviour::HugeHeaders,
        Behaviour::TooManyRequests,
        Behaviour::TooManyRequestsHour,
        Behaviour::ServerErrorHtml,
        Behaviour::LoginPage,
        Behaviour::Unauthorized,
        Behaviour::PlainNotFound,
        Behaviour::NoContent,
        Behaviour::RedirectLoop,
    ];
    let told = scenes(behaviours.to_vec(), |behaviour| {
        let bench = Bench::new();
        bench.write("scimspec.toml", "[limits]\nbody_bytes = 1000000\nretry_after = \"1s\"\n");
        let server = Hostile::start(behaviour);
        let ran = bench.run(&[
            "run",
            server.base_url().as_str(),
            "--token-env",
            VARIABLE,
            "--timeout",
            "500ms",
            "--junit",
            "junit.xml",
        ]);
        assert!(ran.took < Duration::from_secs(20), "{behaviour:?} took {:?}", ran.took);
        assert!(server.received().iter().all(|request| request.method == "GET"), "{behaviour:?}");
        assert!(bench.ledgers().is_empty(), "{behaviour:?}");
        format!("# {behaviour:?}\n{}", ran.trouble())
    });
    insta::assert_snapshot!(told.join("\n"));
}

#[test]
fn a_target_that_is_elsewhere() {
    let mut told = Vec::new();
    let mut tell = |title: &str, bench: &Bench, words: &[&str]| {
        let ran = bench.run(words);
        told.push(format!("# {title}\n{}", ran.trouble()));
    };
    let bench = Bench::new();
    let free = {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.local_addr().unwrap().port()
    };
    tell("closed port", &bench, &["run", &format!("http://127.0.0.1:{free}/scim/v2")]);
    tell("no such host", &bench, &["run", "https://scim.example.invalid/scim/v2", "--yes"]);
    let (port, _) = RUNTIME.block_on(tls_server());
    tell("certificate that nobody signed", &bench, &["run", &format!("https://localhost:{port}/scim/v2")]);
    tell(
        "http to a TLS port",
        &bench,
        &["run", &format!("http://localhost:{port}/scim/v2"), "--timeout", "2s"],
    );
    let plain = Reference::good();
    tell(
        "https to a plain port",
        &bench,
        &["run", &format!("https://127.0.0.1:{}/scim/v2", plain.port()), "--timeout", "2s"],
    );
    tell("no credentials", &bench, &["run", plain.url()]);
    let bench = Bench::new();
    bench.write("wrong", "some-other-token\n");
    tell("wrong credentials", &bench, &["run", plain.url(), "--token-file", "wrong"]);
    tell("wrong credentials, probe", &bench, &["probe", plain.url(), "--token-file", "wrong"]);
    let bench = Bench::new();
    tell(
        "base URL too short",
        &bench,
        &["run", &format!("http://127.0.0.1:{}", plain.port()), "--token-env", VARIABLE],
    );
    tell("base URL too long", &bench, &["run", &format!("{}/Users", plain.url()), "--token-env", VARIABLE]);
    let api = Hostile::scripted(|_| {
        Act::Bytes(answer(200, &[("Content-Type", "application/json")], br#"{"users": [], "next": null}"#))
    });
    tell("JSON of another API", &bench, &["run", api.base_url().as_str()]);
    tell("JSON of another API, probe", &bench, &["probe", api.base_url().as_str()]);
    tell(
        "too few requests for a probe",
        &bench,
        &["run", plain.url(), "--token-env", VARIABLE, "--requests", "2"],
    );
    insta::assert_snapshot!(told.join("\n"));
}

#[test]
fn consent_comes_before_the_first_request() {
    let proxy = Hostile::start(Behaviour::PlainNotFound);
    let bench = Bench::new();
    let through = format!("http://127.0.0.1:{}", proxy.port());
    let words = ["run", "http://scim.example.invalid/scim/v2", "--token-env", VARIABLE, "--proxy", &through];
    bench.run(&words).exits(2);
    assert_eq!(proxy.connections(), 0, "asked before consent");
    // The proxy is the way that requests take: with consent, or where nothing is written, they come.
    for more in ["--yes", "--read-only"] {
        let before = proxy.connections();
        bench.run(&[words.as_slice(), &[more]].concat()).exits(3);
        assert!(proxy.connections() > before, "{more}");
    }
}

#[test]
fn reports_that_cannot_be_written_are_known_before_the_run() {
    let reference = Reference::good();
    let recorder = proxy(&reference);
    let bench = Bench::new();
    bench.write("file", "x");
    let mut told = Vec::new();
    for words in [["--junit", "."], ["--json", "file/below/run.json"], ["--junit", "/proc/nowhere/junit.xml"]]
    {
        let mut all = authorised(recorder.base_url().as_str());
        all.extend(words.map(str::to_owned));
        let ran = bench.run(&all.iter().map(String::as_str).collect::<Vec<_>>()).exits(2);
        told.push(format!("$ scimspec run URL {}\n{}", words.join(" "), ran.trouble()));
    }
    assert_eq!(recorder.connections(), 0);
    insta::assert_snapshot!(told.join("\n"));

    // A folder that is not there is made.
    let ran = bench.run(&["run", "--case", "discovery/*", "--junit", "new/folder/junit.xml"]).exits(0);
    assert!(bench.read("new/folder/junit.xml").contains("<testsuites"), "{}", ran.stdout);
}

// --- a run that meets trouble ---------------------------------------------------------------------------

/// Cases that write, read and delete; few, and all of their kinds.
const SOME: [&str; 8] = [
    "create/minimal-user",
    "create/group",
    "create/duplicate-user-name",
    "replace/*",
    "patch/deactivate",
    "delete/user",
    "query/*",
    "rules/*",
];

#[test]
fn a_server_that_turns_hostile_makes_findings_and_no_panic() {
    let reference = Reference::good();
    let port = reference.port();
    scenes(Behaviour::ALL.to_vec(), |behaviour| {
        let asked = AtomicUsize::new(0);
        let server = Hostile::scripted(move |request| {
            // The probe is answered well.
            let good = asked.fetch_add(1, Ordering::SeqCst) < 6;
            if good { forward(port, request) } else { behaviour.act(request) }
        });
        let bench = Bench::new();
        let ran = run_cases(&bench, server.base_url().as_str(), &SOME, &["--timeout", "300ms"]);
        let report = bench.json("run.json");
        let said = format!("{behaviour:?}:\n{}\n{}", ran.stdout, ran.stderr);
        assert!(matches!(ran.code, Some(1 | 3)), "{said}");
        assert_eq!(report["summary"]["exit_code"], ran.code.unwrap(), "{said}");
        for (id, verdict) in outcomes(&report, "errored") {
            assert_ne!(verdict["cause"]["kind"], "harness", "{behaviour:?} {id}: {verdict}");
            assert_ne!(verdict["cause"]["kind"], "suite", "{behaviour:?} {id}: {verdict}");
        }
        let transport = matches!(
            behaviour,
            Behaviour::Hang
                | Behaviour::DripHead
                | Behaviour::CloseAfterAccept
                | Behaviour::CloseBeforeAnswer
                | Behaviour::NotHttp
                | Behaviour::TooManyRequests
                | Behaviour::TooManyRequestsSilent
                | Behaviour::TooManyRequestsHour
        );
        if transport {
            let failed: Vec<_> =
                outcomes(&report, "failed").into_iter().filter(|(id, _)| !id.starts_with("rules/")).collect();
            assert!(failed.is_empty(), "{behaviour:?} is no verdict: {failed:?}");
        }
        assert!(bench.read("junit.xml").len() < 2 << 20, "{behaviour:?}");
    });
}

#[test]
fn a_server_that_dies_midway_is_not_judged_for_it() {
    let reference = Reference::good();
    let port = reference.port();
    let asked = AtomicUsize::new(0);
    let server = Hostile::scripted(move |request| {
        if asked.fetch_add(1, Ordering::SeqCst) < 60 { forward(port, request) } else { Act::Die }
    });
    let bench = Bench::new();
    let ran =
        run_cases(&bench, server.base_url().as_str(), &["create/*", "patch/*", "query/*"], &[]).exits(3);
    let report = bench.json("run.json");
    assert_eq!(count(&report, "failed"), 0, "{}", ran.stdout);
    assert!(count(&report, "passed") > 5, "{}", ran.stdout);
    let errored = outcomes(&report, "errored");
    assert!(errored.len() > 20);
    assert!(errored.iter().all(|(_, verdict)| verdict["cause"]["kind"] == "transport"), "{errored:?}");
    // What is still there is said, with the command that deletes it later, and the ledger remembers it.
    assert!(ran.stdout.contains("left behind"), "{}", ran.stdout);
    assert!(ran.stdout.contains(&format!("scimspec clean {}", server.base_url())), "{}", ran.stdout);
    assert_eq!(bench.ledgers().len(), 1);
    assert!(ran.stdout.contains("the target stopped serving"), "{}", ran.stdout);
    assert!(bench.read("junit.xml").contains("<error"));
}

#[test]
fn somebody_elses_id_is_a_finding_and_never_written_to() {
    // Answers to creates: the stranger whole, or what was sent under the id of a stranger, whom the run has met
    // (the probe sees the first user) or not.
    for (whole, met) in [(true, true), (true, false), (false, true), (false, false)] {
        let reference = Reference::good();
        let port = reference.port();
        if !met {
            stranger(&reference, "another");
        }
        let known = stranger(&reference, "bystander");
        let victim = known.clone();
        let server = Hostile::scripted(move |request| {
            let path = request.path.trim_start_matches("/scim/v2");
            if request.method != "POST" || path != "/Users" {
                return forward(port, request);
            }
            if whole {
                return Act::json(201, &victim);
            }
            let mut echo = request.json();
            if !echo.is_object() {
                return forward(port, request);
            }
            echo["id"] = victim["id"].clone();
            Act::json(201, &echo)
        });
        let bench = Bench::new();
        let cases = ["create/*", "patch/*", "replace/*", "delete/*"];
        let ran = run_cases(&bench, server.base_url().as_str(), &cases, &[]).exits(1);
        let id = known["id"].as_str().unwrap();
        let touched: Vec<String> = server
            .received()
            .iter()
            .filter(|request| writes(request))
            .filter(|request| {
                request.path.contains(id) || String::from_utf8_lossy(&request.body).contains(id)
            })
            .map(|request| format!("{} {}", request.method, request.path))
            .collect();
        assert!(touched.is_empty(), "whole: {whole}, met: {met}; written to the stranger: {touched:?}");
        assert_eq!(ask(reference.port(), "GET", &format!("/Users/{id}"), None), known);
        let report = bench.json("run.json");
        let failed = report["outcomes"].as_array().unwrap().iter();
        let found = failed
            .filter(|outcome| outcome["verdict"]["kind"] == "failed")
            .flat_map(|outcome| outcome["findings"].as_array().unwrap())
            .filter(|finding| finding["check"] == "ownership")
            .count();
        assert!(found > 0, "whole: {whole}, met: {met}; no finding says so:\n{}", ran.stdout);
        let text = bench.read("run.json") + &bench.read("junit.xml") + &ran.stdout;
        assert!(
            !text.contains("bystander@example.org"),
            "whole: {whole}, met: {met}; the stranger's data is in a report"
        );
    }
}

#[test]
fn another_origin_gets_nothing() {
    let elsewhere = Hostile::start(Behaviour::NoContent);
    let reference = Reference::good();
    let (port, to) = (reference.port(), elsewhere.port());
    let asked = AtomicUsize::new(0);
    let server = Hostile::scripted(move |request| {
        let number = asked.fetch_add(1, Ordering::SeqCst);
        if number < 6 || !number.is_multiple_of(3) {
            return forward(port, request);
        }
        let location = format!("http://127.0.0.1:{to}{}", request.path);
        Act::Bytes(answer(307, &[("Location", &location)], b""))
    });
    let bench = Bench::new();
    let ran = run_cases(&bench, server.base_url().as_str(), &SOME, &[]);
    assert_eq!(elsewhere.connections(), 0, "the redirect was followed: {:?}", elsewhere.received());
    assert!(matches!(ran.code, Some(1 | 3)), "{}", ran.stdout);
    assert!(server.received().iter().any(|request| request.header("authorization").is_some()));
}

#[test]
fn too_many_requests_are_no_verdict() {
    let reference = Reference::good();
    let port = reference.port();
    let asked = AtomicUsize::new(0);
    let server = Hostile::scripted(move |request| {
        if asked.fetch_add(1, Ordering::SeqCst) < 40 {
            return forward(port, request);
        }
        Act::Bytes(answer(429, &[("Retry-After", "0")], error(429, "slow down").to_string().as_bytes()))
    });
    let bench = Bench::new();
    let ran = run_cases(&bench, server.base_url().as_str(), &["create/*", "query/*"], &[]).exits(3);
    let report = bench.json("run.json");
    assert_eq!(count(&report, "failed"), 0, "{}", ran.stdout);
    assert!(ran.stdout.contains("429") && ran.stdout.contains("--rate"), "{}", ran.stdout);
    assert!(
        server.received().len() < 200,
        "a server that says no is left in peace: {}",
        server.received().len()
    );
}

#[test]
fn a_short_429_is_waited_out() {
    let reference = Reference::good();
    let port = reference.port();
    let asked = AtomicUsize::new(0);
    let server = Hostile::scripted(move |request| {
        // Two in a row would be the second no to the same request, which is repeated once here.
        if asked.fetch_add(1, Ordering::SeqCst) % 17 == 16 {
            return Act::Bytes(answer(429, &[("Retry-After", "0")], b"{}"));
        }
        forward(port, request)
    });
    let bench = Bench::new();
    let cases = ["create/*", "query/*", "delete/*"];
    let ran = run_cases(&bench, server.base_url().as_str(), &cases, &["--jobs", "1"]).exits(0);
    assert!(there(reference.port(), "/Users") == 0, "{}", ran.stdout);
}

// --- promises -------------------------------------------------------------------------------------------

#[test]
fn read_only_writes_nothing() {
    let reference = Reference::good();
    let recorder = proxy(&reference);
    let bench = Bench::new();
    let ran = run_cases(&bench, recorder.base_url().as_str(), &[], &["--read-only"]).exits(0);
    let wrote: Vec<String> = recorder
        .received()
        .iter()
        .filter(|r| writes(r))
        .map(|r| format!("{} {}", r.method, r.path))
        .collect();
    assert!(wrote.is_empty(), "{wrote:?}");
    assert!(recorder.received().len() > 10, "{}", ran.stdout);
    assert!(bench.ledgers().is_empty());
    assert!(ran.stdout.contains("the run is --read-only"), "{}", ran.stdout);
}

#[test]
fn the_budget_is_kept_and_what_it_left_out_is_said() {
    let reference = Reference::good();
    let recorder = proxy(&reference);
    let bench = Bench::new();
    let ran = run_cases(&bench, recorder.base_url().as_str(), &[], &["--requests", "60"]).exits(0);
    assert!(recorder.received().len() <= 60, "{} requests", recorder.received().len());
    assert_eq!(
        there(reference.port(), "/Users") + there(reference.port(), "/Groups"),
        0,
        "something is left"
    );
    assert!(ran.stdout.contains("the request budget (--requests) is spent"), "{}", ran.stdout);
    let last = ran.stdout.trim_end().lines().last().unwrap();
    assert!(last.contains("--requests"), "a part is not the whole: {last}");
}

#[test]
fn the_pace_is_kept_and_said_beforehand() {
    let reference = Reference::good();
    let recorder = proxy(&reference);
    let bench = Bench::new();
    let before = Instant::now();
    let cases = ["discovery/*"];
    let ran = run_cases(&bench, recorder.base_url().as_str(), &cases, &["--rate", "20/s"]).exits(0);
    let requests = recorder.received().len();
    assert!(requests > 8, "{requests}");
    let least = Duration::from_millis(50) * u32::try_from(requests - 1).unwrap();
    assert!(before.elapsed() >= least, "{requests} requests in {:?}", before.elapsed());
    assert!(ran.stdout.contains("at 20/s this takes about"), "{}", ran.stdout);
}

/// A proxy that lets some requests through and then waits with the answer to a create, which the server has got.
fn stalling(reference: &Reference, creates: usize) -> (Hostile, Arc<AtomicBool>, Arc<AtomicUsize>) {
    let stalled = Arc::new(AtomicBool::new(true));
    let made = Arc::new(AtomicUsize::new(0));
    let (port, stalls, makes) = (reference.port(), Arc::clone(&stalled), Arc::clone(&made));
    let server = Hostile::scripted(move |request| {
        if request.method == "POST" && !request.path.contains(".search") {
            let answer = forward(port, request);
            let number = makes.fetch_add(1, Ordering::SeqCst) + 1;
            if number > creates && stalls.load(Ordering::SeqCst) {
                return Act::Hang;
            }
            return answer;
        }
        forward(port, request)
    });
    (server, stalled, made)
}

#[test]
fn an_interrupt_cleans_up_and_reports() {
    for signal in ["-INT", "-TERM"] {
        let reference = Reference::good();
        let bystander = stranger(&reference, "bystander");
        let (server, _stalled, made) = stalling(&reference, 5);
        let bench = Bench::new();
        let cases = ["create/*", "patch/*", "query/*"];
        let going = start_cases(&bench, server.base_url().as_str(), &cases, &["--timeout", "5s"]);
        until("the sixth create", || made.load(Ordering::SeqCst) > 5);
        going.signal(signal);
        let ran = going.end().exits(3);
        bench.no_secret(&ran);
        let left = ask(reference.port(), "GET", "/Users", None);
        assert_eq!(left["totalResults"], 1, "{signal}: {left}\n{}", ran.stdout);
        assert_eq!(left["Resources"][0]["id"], bystander["id"]);
        assert_eq!(there(reference.port(), "/Groups"), 0, "{signal}");
        assert!(bench.ledgers().is_empty(), "{signal}");
        let report = bench.json("run.json");
        assert_eq!(report["summary"]["exit_code"], 3, "{signal}");
        assert!(count(&report, "skipped") > 10, "{signal}: {}", ran.stdout);
        assert!(bench.read("junit.xml").contains("the run was interrupted"), "{signal}");
        let last = ran.stdout.trim_end().lines().last().unwrap();
        assert!(last.contains("nterrupted") && !last.starts_with("Conformant"), "{signal}: {last}");
        assert_eq!(ran.stderr.matches("interrupted").count(), 1, "{}", ran.stderr);
        if signal == "-INT" {
            insta::assert_snapshot!("an_interrupt", ran.trouble());
        }
    }
}

#[test]
fn an_interrupt_during_the_probe_ends_it() {
    let server = Hostile::start(Behaviour::Hang);
    let bench = Bench::new();
    let going = bench.start(&["run", server.base_url().as_str()]);
    until("the first request", || !server.received().is_empty());
    going.signal("-INT");
    let ran = going.end().exits(3);
    insta::assert_snapshot!(ran.trouble());
}

#[test]
fn a_second_interrupt_ends_at_once_and_clean_finishes() {
    let reference = Reference::good();
    let stuck = Arc::new(AtomicBool::new(true));
    let deletes = Arc::new(AtomicUsize::new(0));
    let made = Arc::new(AtomicUsize::new(0));
    let (port, hangs, asked, makes) =
        (reference.port(), Arc::clone(&stuck), Arc::clone(&deletes), Arc::clone(&made));
    let server = Hostile::scripted(move |request| {
        if request.method == "DELETE" && hangs.load(Ordering::SeqCst) {
            asked.fetch_add(1, Ordering::SeqCst);
            return Act::Hang;
        }
        if request.method == "POST" {
            makes.fetch_add(1, Ordering::SeqCst);
        }
        forward(port, request)
    });
    let url = server.base_url();
    let bench = Bench::new();
    let going = start_cases(&bench, url.as_str(), &["query/*", "filter/*"], &[]);
    until("five creates", || made.load(Ordering::SeqCst) > 5);
    going.signal("-INT");
    until("the clean-up", || deletes.load(Ordering::SeqCst) > 0);
    going.signal("-INT");
    let ran = going.end().exits(3);
    bench.no_secret(&ran);
    assert!(ran.took < Duration::from_secs(20), "{:?}", ran.took);
    insta::assert_snapshot!(ran.trouble());
    assert!(there(reference.port(), "/Users") > 0);
    stuck.store(false, Ordering::SeqCst);
    bench.run(&["clean", url.as_str(), "--token-env", VARIABLE]).exits(0);
    assert_eq!(there(reference.port(), "/Users") + there(reference.port(), "/Groups"), 0);
    assert!(bench.ledgers().is_empty());
}

#[test]
fn clean_deletes_what_a_killed_run_left_and_nothing_else() {
    let reference = Reference::good();
    let bystander = stranger(&reference, "bystander");
    let (server, stalled, made) = stalling(&reference, 5);
    let url = server.base_url();
    let bench = Bench::new();
    let going = start_cases(&bench, url.as_str(), &["query/*", "filter/*", "create/*"], &[]);
    until("the sixth create", || made.load(Ordering::SeqCst) > 5);
    let still = bench.run(&["clean", url.as_str(), "--token-env", VARIABLE]).exits(0);
    assert!(still.stdout.contains("still going"), "{}", still.stdout);
    going.signal("-KILL");
    let ran = going.end();
    assert_eq!(ran.code, None);
    bench.no_secret(&ran);
    stalled.store(false, Ordering::SeqCst);
    assert!(there(reference.port(), "/Users") > 4);
    assert_eq!(bench.ledgers().len(), 1);

    let listed = bench.run(&["clean"]).exits(0);
    assert!(listed.stdout.contains(&format!("scimspec clean {url}")), "{}", listed.stdout);
    let elsewhere = bench.run(&["clean", "http://127.0.0.1:1/scim/v2"]).exits(0);
    let refused = bench.run(&["clean", url.as_str()]);
    let cleaned = bench.run(&["clean", url.as_str(), "--token-env", VARIABLE]).exits(0);
    let left = ask(reference.port(), "GET", "/Users", None);
    assert_eq!(left["totalResults"], 1, "{left}\n{}", cleaned.stdout);
    assert_eq!(
        left["Resources"][0],
        ask(reference.port(), "GET", &format!("/Users/{}", bystander["id"].as_str().unwrap()), None)
    );
    assert_eq!(there(reference.port(), "/Groups"), 0);
    assert!(bench.ledgers().is_empty());
    let again = bench.run(&["clean", url.as_str(), "--token-env", VARIABLE]).exits(0);

    let run = regex::Regex::new(r"run \w{6,} of [^)]*UTC|run \w{6,}").unwrap();
    let number = regex::Regex::new(r"\d+ (deleted|resources|creates|gone|still)").unwrap();
    let shown = [
        ("clean", listed),
        ("clean http://127.0.0.1:1/scim/v2", elsewhere),
        ("clean URL", refused),
        ("clean URL --token-env VAR", cleaned),
        ("clean URL --token-env VAR", again),
    ]
    .map(|(line, ran)| format!("$ scimspec {line}\n{}{}", stable(&ran.stdout), ran.trouble()))
    .join("\n");
    let shown = run.replace_all(&shown, "run MARK");
    let name = regex::Regex::new(r#"(userName|displayName) "[^"]*""#).unwrap();
    let shown = name.replace_all(&shown, "$1 NAME");
    // How much had been made by then differs from run to run.
    let mut lines: Vec<String> = number.replace_all(&shown, "N $1").lines().map(str::to_owned).collect();
    lines.dedup();
    insta::assert_snapshot!(lines.join("\n"));
}
