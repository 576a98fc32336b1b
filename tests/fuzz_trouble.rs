//! Fuzzing in trouble, as a user of the binary meets it: filters that are not supported, a server that others change
//! meanwhile, that has enough of requests, or that dies; a budget that is too small; Ctrl-C. Each time there are clear
//! words, nothing is left behind that could be deleted, what was found until then is reported, and nothing is said
//! against a server that it did not do.

mod binary;
mod hostile;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use binary::{Bench, Ran, Reference, VARIABLE, ask, count, there, until};
use hostile::{Act, Hostile, Received, answer, error, forward};
use scimspec::server::{Fault, ServerOptions};
use serde_json::json;

/// Fuzzes filters there, one request at a time, with reports.
fn words(url: &str, more: &[&str]) -> Vec<String> {
    let words = ["fuzz", "filter", url, "--token-env", VARIABLE, "--seed", "1", "--in-flight", "1"];
    let reports = ["--json", "run.json", "--junit", "junit.xml"];
    words.iter().chain(&reports).chain(more).map(|word| (*word).to_owned()).collect()
}

fn start(bench: &Bench, url: &str, more: &[&str]) -> binary::Going {
    bench.write("scimspec.toml", "[limits]\nrepeats = 1\nretry_after = \"1s\"\nconnect = \"5s\"\n");
    let words = words(url, more);
    bench.start(&words.iter().map(String::as_str).collect::<Vec<_>>())
}

fn fuzz(bench: &Bench, url: &str, more: &[&str]) -> Ran {
    let ran = start(bench, url, more).end();
    bench.no_secret(&ran);
    ran
}

fn left(reference: &Reference) -> u64 {
    there(reference.port(), "/Users") + there(reference.port(), "/Groups")
}

fn filters(request: &Received) -> bool {
    request.path.contains("filter=") || request.path.contains("/.search")
}

/// What the reference server answers, with the proxy's port for its own, in requests as in answers: filters are about
/// addresses, too.
fn through(port: u16, request: &Received) -> Act {
    let here = request.header("host").and_then(|host| host.rsplit(':').next()).unwrap_or_default().to_owned();
    let there = port.to_string();
    let of = |text: &str, before: &str| text.replace(&format!("{before}{here}"), &format!("{before}{there}"));
    let path = of(&request.path, "127.0.0.1%3A");
    let body = of(&String::from_utf8_lossy(&request.body), "127.0.0.1:").into_bytes();
    let (method, headers) = (request.method.clone(), request.headers.clone());
    forward(port, &Received { method, path, headers, body })
}

/// A proxy that answers the filter of that number, and all behind it, in its own way.
fn from_the(number: usize, reference: &Reference, act: impl Fn() -> Act + Send + Sync + 'static) -> Hostile {
    let (port, asked) = (reference.port(), AtomicUsize::new(0));
    Hostile::scripted(move |request| {
        if filters(request) && asked.fetch_add(1, Ordering::SeqCst) >= number {
            return act();
        }
        through(port, request)
    })
}

#[test]
fn filters_that_are_all_refused_are_said_once() {
    for status in [400, 501] {
        let reference = Reference::good();
        let server = from_the(0, &reference, move || {
            Act::Bytes(answer(status, &[], error(status, "no such thing here").to_string().as_bytes()))
        });
        let bench = Bench::new();
        let ran = fuzz(&bench, server.base_url().as_str(), &[]).exits(0);
        let report = bench.json("run.json");
        assert_eq!((count(&report, "warned"), count(&report, "failed")), (1, 0), "{}", ran.stdout);
        assert!(
            ran.stdout.contains("every filter is refused, so that nothing more was tried"),
            "{}",
            ran.stdout
        );
        assert!(server.received().len() < 250, "{} requests", server.received().len());
        assert_eq!(left(&reference), 0);
    }
}

#[test]
fn a_server_that_says_it_has_no_filters_is_believed() {
    let reference = Reference::good();
    let port = reference.port();
    let server = Hostile::scripted(move |request| {
        if filters(request) {
            return Act::Bytes(answer(501, &[], error(501, "no filters").to_string().as_bytes()));
        }
        if request.path.ends_with("/ServiceProviderConfig") {
            let mut config = ask(port, "GET", "/ServiceProviderConfig", None);
            config["filter"]["supported"] = json!(false);
            return Act::Bytes(answer(200, &[], config.to_string().as_bytes()));
        }
        through(port, request)
    });
    let bench = Bench::new();
    let ran = fuzz(&bench, server.base_url().as_str(), &[]).exits(4);
    let report = bench.json("run.json");
    assert_eq!((count(&report, "skipped"), count(&report, "failed")), (1, 0), "{}", ran.stdout);
    assert!(ran.stdout.contains("the server has no filters"), "{}", ran.stdout);
    assert_eq!(left(&reference), 0);
}

#[test]
fn what_others_change_meanwhile_is_no_finding() {
    let reference = Reference::good();
    let (port, asked) = (reference.port(), AtomicUsize::new(0));
    let server = Hostile::scripted(move |request| {
        if filters(request) && asked.fetch_add(1, Ordering::SeqCst) == 30 {
            let rows = ask(port, "GET", "/Users?count=20", None);
            let path = |at: usize| {
                format!("/Users/{}", rows["Resources"][at]["id"].as_str().expect("there are users"))
            };
            let change = json!({"schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"], "Operations": [
                {"op": "replace", "path": "displayName", "value": "changed by others"},
                {"op": "replace", "path": "nickName", "value": "changed by others"},
                {"op": "replace", "path": "title", "value": "changed by others"},
                {"op": "replace", "path": "locale", "value": "fr-CA"}]});
            for at in 1..4 {
                assert!(ask(port, "PATCH", &path(at), Some(&change))["id"].is_string());
            }
            ask(port, "DELETE", &path(0), None);
        }
        through(port, request)
    });
    let bench = Bench::new();
    let ran = fuzz(&bench, server.base_url().as_str(), &["--requests", "260"]).exits(0);
    let report = bench.json("run.json");
    assert_eq!((count(&report, "failed"), count(&report, "warned")), (0, 0), "{}", ran.stdout);
    assert!(ran.stdout.contains("were changed or deleted by others"), "{}", ran.stdout);
    assert!(report["fuzz"]["tried"].as_u64() > Some(300), "{}", ran.stdout);
    assert_eq!(left(&reference), 0);
}

#[test]
fn a_limit_in_the_middle_is_waited_out() {
    let reference = Reference::good();
    let (port, asked) = (reference.port(), AtomicUsize::new(0));
    let server = Hostile::scripted(move |request| {
        // Two in a row would be the second no to the same request, which is repeated once here.
        if asked.fetch_add(1, Ordering::SeqCst) % 13 == 12 {
            return Act::Bytes(answer(429, &[("Retry-After", "0")], b"{}"));
        }
        through(port, request)
    });
    let bench = Bench::new();
    let ran = fuzz(&bench, server.base_url().as_str(), &["--filters", "300"]).exits(0);
    let report = bench.json("run.json");
    assert!(report["fuzz"]["tried"].as_u64() >= Some(300), "{}", ran.stdout);
    assert_eq!(report["fuzz"]["unjudged"], 0, "{}", ran.stdout);
    assert_eq!(left(&reference), 0);
}

#[test]
fn a_limit_that_stays_ends_it() {
    let reference = Reference::good();
    let server = from_the(30, &reference, || {
        Act::Bytes(answer(429, &[("Retry-After", "0")], error(429, "slow down").to_string().as_bytes()))
    });
    let bench = Bench::new();
    let ran = fuzz(&bench, server.base_url().as_str(), &[]).exits(3);
    let report = bench.json("run.json");
    assert_eq!(count(&report, "failed"), 0, "{}", ran.stdout);
    assert!(report["fuzz"]["tried"].as_u64() > Some(10), "{}", ran.stdout);
    assert!(ran.stdout.contains("The target stopped serving: 429, also after waiting"), "{}", ran.stdout);
    assert!(server.received().len() < 250, "{} requests", server.received().len());
    assert_eq!(left(&reference), 0, "what was made can still be deleted");
}

#[test]
fn a_server_that_hangs_up_midway_is_not_judged_for_the_rest() {
    let reference = Reference::good();
    let server = from_the(40, &reference, || Act::Close);
    let bench = Bench::new();
    let ran = fuzz(&bench, server.base_url().as_str(), &[]).exits(1);
    let report = bench.json("run.json");
    // To hang up is a finding; that it was done again and again is not another one.
    assert_eq!(count(&report, "failed"), 1, "{}", ran.stdout);
    assert!(count(&report, "passed") > 0 && server.received().len() < 300, "{}", ran.stdout);
    assert_eq!(left(&reference), 0);
}

#[test]
fn a_budget_that_is_too_small_is_kept_and_said() {
    for (requests, code) in [("12", 4), ("60", 0)] {
        let reference = Reference::good();
        let port = reference.port();
        let server = Hostile::scripted(move |request| through(port, request));
        let bench = Bench::new();
        let ran = fuzz(&bench, server.base_url().as_str(), &["--requests", requests]).exits(code);
        assert!(
            server.received().len() <= requests.parse().expect("a number"),
            "{}",
            server.received().len()
        );
        let last = ran.stdout.trim_end().lines().last().expect("a conclusion");
        assert!(last.contains("--requests"), "{last}");
        assert_eq!(last.starts_with("Nothing was tried"), code == 4, "{last}");
        assert_eq!(left(&reference), 0);
    }
}

#[test]
fn an_interrupt_cleans_up_and_reports_what_was_found() {
    let fault = Fault::from_name("filter-and-as-or").expect("a fault");
    let reference = Reference::start(ServerOptions { faults: vec![fault], ..ServerOptions::default() });
    let stays = json!({"schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"], "userName": "stays"});
    let bystander = ask(reference.port(), "POST", "/Users", Some(&stays));
    let (port, asked) = (reference.port(), Arc::new(AtomicUsize::new(0)));
    let counted = Arc::clone(&asked);
    let server = Hostile::scripted(move |request| {
        counted.fetch_add(usize::from(filters(request)), Ordering::SeqCst);
        through(port, request)
    });
    let bench = Bench::new();
    let going = start(&bench, server.base_url().as_str(), &["--save", "found"]);
    until("the sixtieth filter", || asked.load(Ordering::SeqCst) >= 60);
    going.signal("-INT");
    let ran = going.end().exits(3);
    bench.no_secret(&ran);
    let users = ask(reference.port(), "GET", "/Users", None);
    assert_eq!(
        (&users["totalResults"], &users["Resources"][0]["id"]),
        (&json!(1), &bystander["id"]),
        "{users}"
    );
    assert!(bench.ledgers().is_empty());
    let report = bench.json("run.json");
    assert!(report["summary"]["interrupted"] == true && count(&report, "failed") >= 1, "{}", ran.stdout);
    let last = ran.stdout.trim_end().lines().last().expect("a conclusion");
    assert!(last.starts_with("Interrupted: ") && last.contains("filters judged, 1 found"), "{last}");
    assert!(bench.read("junit.xml").contains("fuzz-filter"));
    assert_eq!(ran.stderr.matches("interrupted").count(), 1, "{}", ran.stderr);
    assert!(bench.join("found/fuzz").is_dir(), "what was found is saved");
}

#[test]
fn what_is_saved_replays() {
    let fault = Fault::from_name("filter-ends-with-as-contains").expect("a fault");
    let broken = Reference::start(ServerOptions { faults: vec![fault], ..ServerOptions::default() });
    let good = Reference::good();
    let bench = Bench::new();
    fuzz(&bench, broken.url(), &["--save", "found", "--requests", "200"]).exits(1);
    let replay = |url: &str| {
        let words = ["run", url, "--token-env", VARIABLE, "--suites", "found", "--case", "fuzz-*"];
        bench.run(&words)
    };
    replay(broken.url()).exits(1);
    replay(good.url()).exits(0);
    // The next run tries it first, and says that it holds where it does.
    let again = fuzz(&bench, good.url(), &["--save", "found", "--requests", "150"]).exits(0);
    assert!(again.stdout.contains("1 case saved by earlier runs first"), "{}", again.stdout);
    assert!(again.stdout.contains("holds now"), "{}", again.stdout);
    assert_eq!(left(&good) + left(&broken), 0);
}
