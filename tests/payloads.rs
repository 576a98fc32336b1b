//! Accepted payloads: those that are shipped hold on the server inside scimspec whatever the seed, differences without
//! meaning raise no alarm, every other one is found, and the binary alone records, shows, accepts and rejects.
//!
//! `UPDATE_PAYLOADS=1 cargo test --test payloads` writes what the reference server answers to `snapshots/rfc`, as
//! pending; `cargo insta review`, or `scimspec snapshots accept snapshots`, accepts it.

mod binary;
mod common;

use std::collections::BTreeMap;
use std::fs;
use std::num::NonZeroU32;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use binary::{Bench, Reference, TOKEN, VARIABLE, stable};
use common::{Ran, Trial, everything, library};
use scimspec::outcome::{Outcome, Verdict};
use scimspec::server::{Fault, RateLimit, ServerOptions, ServerProfile, Variant};
use scimspec::snapshot::file::SnapshotFile;
use scimspec::snapshot::store::{RFC, names};
use scimspec::snapshot::{Snapshots, compare};

/// The cases of the RFCs that compare a payload.
fn cases() -> Vec<String> {
    let files = library().suites().iter().filter(|file| file.path.starts_with("rfc"));
    let cases = files.flat_map(|file| file.suite.cases.iter().map(move |case| (file, case)));
    cases.filter(|(_, case)| !names(case).is_empty()).map(|(file, case)| file.case_id(case)).collect()
}

fn run(trial: Trial<'_>) -> Ran {
    Trial { cases: cases(), ..trial }.run().expect("the server can be probed")
}

fn shipped() -> Snapshots {
    Snapshots::shipped(RFC, true).expect("they are sound").expect("there are some")
}

/// What differs, by case.
fn differing(ran: &Ran) -> BTreeMap<&str, &str> {
    let findings = ran.outcomes.iter().flat_map(|outcome| outcome.findings.iter().map(move |f| (outcome, f)));
    findings
        .filter_map(|(outcome, finding)| {
            Some((outcome.id.as_str(), finding.snapshot.as_ref()?.diff.as_str()))
        })
        .collect()
}

/// The payloads that wait in a folder, by name.
fn pending(folder: &Path) -> BTreeMap<String, String> {
    let mut all = BTreeMap::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let Some(key) = name.strip_suffix(".snap.new") else { continue };
        let file = SnapshotFile::parse(&name, &fs::read_to_string(&path).unwrap()).unwrap();
        all.insert(key.to_owned(), file.payload);
    }
    all
}

#[test]
fn what_is_shipped_is_what_the_server_answers_whatever_the_seed() {
    let repository = Path::new(env!("CARGO_MANIFEST_DIR")).join("snapshots").join(RFC);
    if std::env::var_os("UPDATE_PAYLOADS").is_some() {
        let snapshots = Snapshots::folder(&repository, false).unwrap();
        run(Trial { snapshots: Some(&snapshots), ..Trial::of(everything()) });
    }
    let accepted: BTreeMap<String, String> = fs::read_dir(&repository)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|ending| ending == "snap"))
        .map(|path| {
            let file = SnapshotFile::parse("it", &fs::read_to_string(&path).unwrap()).unwrap();
            (path.file_stem().unwrap().to_string_lossy().into_owned(), file.payload)
        })
        .collect();
    assert!(accepted.len() >= 15, "{}", accepted.len());
    for (mark, seed) in [("s0payload", 1), ("sx9k2m4q7", 987_654_321)] {
        let folder = tempfile::tempdir().unwrap();
        let snapshots = Snapshots::folder(folder.path(), false).unwrap();
        let ran = run(Trial { snapshots: Some(&snapshots), mark, seed, ..Trial::of(everything()) });
        let warned = ran.outcomes.iter().filter(|outcome| outcome.verdict == Verdict::Warned).count();
        assert!(warned >= 15, "what is not accepted yet is a warning: {warned}");
        let received = pending(folder.path());
        for (key, payload) in &accepted {
            assert_eq!(received.get(key), Some(payload), "{key}, run {mark}");
        }
        assert_eq!(received.len(), accepted.len());
    }
    let shipped = shipped();
    let ran = run(Trial { snapshots: Some(&shipped), ..Trial::of(everything()) });
    assert_eq!(differing(&ran), BTreeMap::new());
    assert!(ran.outcomes.iter().all(|outcome| outcome.verdict == Verdict::Passed), "{:#?}", verdicts(&ran));
}

/// The same for what Amplitude documents, on the server that behaves so. Its documents print bodies and no headers.
#[test]
fn what_amplitude_documents_is_what_its_double_answers_whatever_the_seed() {
    let profile = library().profiles().get("amplitude").expect("the profile is shipped");
    let files = library().suites().iter().filter(|file| file.path.starts_with("amplitude/"));
    let cases: Vec<String> = files
        .flat_map(|file| file.suite.cases.iter().map(move |case| (file, case)))
        .filter(|(_, case)| !names(case).is_empty())
        .map(|(file, case)| file.case_id(case))
        .collect();
    let double = || ServerOptions {
        profile: Some(ServerProfile::from_name("amplitude").expect("the server has the profile")),
        rate_limit: Some(RateLimit::new(NonZeroU32::MAX, Duration::from_secs(60), None).expect("a limit")),
        ..ServerOptions::default()
    };
    let repository = Path::new(env!("CARGO_MANIFEST_DIR")).join("snapshots/amplitude");
    for (mark, seed) in [("s0amplitu", 1), ("sx9k2m4q7", 987_654_321)] {
        let folder = tempfile::tempdir().unwrap();
        let snapshots = Snapshots::folder(folder.path(), false).unwrap();
        let trial = Trial { cases: cases.clone(), mark, seed, server: double(), ..Trial::of(profile) };
        Trial { snapshots: Some(&snapshots), ..trial.clone() }.run().expect("the double can be probed");
        let received = pending(folder.path());
        let mut others = Vec::new();
        assert!(received.len() >= 10, "{:#?}", received.keys());
        for key in received.keys() {
            let waiting = fs::read_to_string(folder.path().join(format!("{key}.snap.new"))).unwrap();
            let mut file = SnapshotFile::parse(key, &waiting).unwrap();
            file.payload = compare::without_headers(&file.payload);
            let accepted = fs::read_to_string(repository.join(format!("{key}.snap"))).unwrap_or_default();
            let same =
                SnapshotFile::parse(key, &accepted).is_ok_and(|accepted| accepted.payload == file.payload);
            if !same && std::env::var_os("UPDATE_PAYLOADS").is_some() {
                fs::create_dir_all(&repository).unwrap();
                fs::write(repository.join(format!("{key}.snap.new")), file.text()).unwrap();
            }
            if !same {
                others.push(format!("{key}, run {mark}:\n{accepted}\n{}", file.payload));
            }
        }
        assert!(others.is_empty(), "{}", others.join("\n"));
        let shipped = Snapshots::shipped("amplitude", false).unwrap().expect("there are some");
        assert_eq!(shipped.keys().collect::<Vec<_>>(), received.keys().collect::<Vec<_>>());
        let ran =
            Trial { snapshots: Some(&shipped), ..trial.clone() }.run().expect("the double can be probed");
        assert_eq!(differing(&ran), BTreeMap::new());
        let faults = vec![Fault::from_name("amplitude-placeholder-missing").unwrap()];
        let ran =
            Trial { snapshots: Some(&shipped), faults, ..trial }.run().expect("the double can be probed");
        assert!(differing(&ran).contains_key("amplitude-invitations/nameless"), "{:#?}", differing(&ran));
    }
}

fn verdicts(ran: &Ran) -> Vec<(&str, &Verdict)> {
    ran.outcomes.iter().map(|outcome: &Outcome| (outcome.id.as_str(), &outcome.verdict)).collect()
}

/// Whatever differs from run to run or has no meaning is no difference.
#[test]
fn legal_differences_without_meaning_raise_no_alarm() {
    let shipped = shipped();
    for name in [
        "json-members-reversed",
        "json-indented",
        "json-escaped",
        "newest-first",
        "times-with-offset",
        "times-in-seconds",
        "id-of-digits",
        "id-like-an-address",
        "id-to-be-escaped",
        "id-with-quotes",
        "versions-like-counters",
    ] {
        let variants = vec![Variant::from_name(name).unwrap()];
        let ran = run(Trial { snapshots: Some(&shipped), variants, ..Trial::of(everything()) });
        assert_eq!(differing(&ran), BTreeMap::new(), "{name}");
    }
}

/// A payload that changes is found, by its finding and no other where the change is legal.
#[test]
fn changed_payloads_are_found() {
    let shipped = shipped();
    for (name, at_least, case, line) in [
        ("media-type-with-charset", 15, "read/user", "+Content-Type: application/scim+json;"),
        ("patch-no-content", 2, "patch-add/simple", "+HTTP 204 No Content"),
        ("members-without-reference", 1, "read/group", ""),
        ("display-name-by-default", 1, "create/minimal-user", "+  \"displayName\""),
        ("error-without-detail", 1, "read/unknown-id", "-  \"detail\""),
        ("unassigned-as-null", 1, "read/user", "null"),
    ] {
        let variants = vec![Variant::from_name(name).unwrap()];
        let ran = run(Trial { snapshots: Some(&shipped), variants, ..Trial::of(everything()) });
        let differing = differing(&ran);
        assert!(differing.len() >= at_least, "{name}: {differing:#?}");
        if !line.is_empty() {
            let diff = differing.get(case).unwrap_or_else(|| panic!("{name}: {:#?}", differing.keys()));
            assert!(diff.contains(line), "{name}: {diff}");
        }
        for outcome in &ran.outcomes {
            let only = outcome.findings.iter().all(|finding| finding.check == "snapshot");
            if differing.contains_key(outcome.id.as_str()) && only {
                assert_eq!(outcome.verdict, Verdict::Failed, "{name}: {}", outcome.id);
            }
        }
    }
    let faults = vec![Fault::from_name("undeclared-member-shown").unwrap()];
    let ran = run(Trial { snapshots: Some(&shipped), faults, ..Trial::of(everything()) });
    assert!(differing(&ran).contains_key("read/user"), "{:#?}", differing(&ran).keys());
}

const READ: [&str; 4] = ["--case", "read/user", "--case", "read/unknown-id"];

/// What an operator does, from the first run to the day on which something changed. There is no cargo on this machine.
#[test]
fn a_target_is_recorded_compared_and_accepted_by_the_binary_alone() {
    let bench = Bench::new();
    let good = Reference::good();
    let run = |url: &str, more: &[&str]| {
        let words =
            [&["run", url, "--token-env", VARIABLE, "--snapshots", "payloads"], &READ[..], more].concat();
        bench.run(&words)
    };
    let first = run(good.url(), &["--json", "run.json"]).exits(0);
    assert!(first.stdout.contains("no payload is accepted yet as `read__user`"), "{}", first.stdout);
    run(good.url(), &["--snapshots-required"]).exits(1);
    let waiting = bench.run(&["snapshots", "diff", "payloads"]).exits(1);
    insta::assert_snapshot!("waiting", stable(&waiting.stdout));
    let accepted = bench.run(&["snapshots", "accept", "payloads", "--case", "read/user"]).exits(0);
    insta::assert_snapshot!("accepted", accepted.stdout);
    bench.run(&["snapshots", "accept", "payloads"]).exits(0);
    let nothing = bench.run(&["snapshots", "diff", "payloads"]).exits(0);
    assert_eq!(nothing.stdout, "0 payloads waiting, 2 accepted in payloads\n");
    run(good.url(), &["--snapshots-required"]).exits(0);

    // Another server, another port, another answer.
    let variants = vec![Variant::from_name("media-type-with-charset").unwrap()];
    let changed = Reference::start(ServerOptions { variants, ..ServerOptions::default() });
    let failed = run(changed.url(), &["--json", "run.json", "--junit", "junit.xml"]).exits(1);
    let block = failed.stdout.split("──").find(|block| block.contains("(- accepted, + received)")).unwrap();
    // What follows is the exchange, whose ids and times are its own.
    let block = block.split("\n    exchange").next().unwrap();
    insta::assert_snapshot!("failed", stable(block));
    let report = bench.json("run.json");
    let finding =
        report["outcomes"].as_array().unwrap().iter().find(|o| o["id"] == "read/user").unwrap()["findings"]
            [0]
        .clone();
    assert_eq!(finding["check"], "snapshot");
    assert_eq!(finding["snapshot"]["name"], "read__user");
    assert!(finding["snapshot"]["accepted"].as_str().unwrap().contains("\"id\": \"[ann.id]\""));
    assert!(
        finding["snapshot"]["diff"].as_str().unwrap().contains("\n-Content-Type: application/scim+json\n+")
    );
    let junit = bench.read("junit.xml");
    assert!(junit.contains("+Content-Type: application/scim+json"), "{junit}");
    match Command::new("xmllint")
        .args(["--noout", "--schema", concat!(env!("CARGO_MANIFEST_DIR"), "/schema/junit.xsd")])
        .arg(bench.join("junit.xml"))
        .output()
    {
        Ok(output) => assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr)),
        Err(error) => eprintln!("xmllint is missing ({error}); the schema was not applied"),
    }
    let waiting = bench.run(&["snapshots", "diff", "payloads"]).exits(1);
    insta::assert_snapshot!("waiting_changed", stable(&waiting.stdout));
    bench.run(&["snapshots", "reject", "payloads"]).exits(0);
    bench.run(&["snapshots", "diff", "payloads"]).exits(0);
    run(good.url(), &[]).exits(0);
    run(changed.url(), &[]).exits(1);
    bench.run(&["snapshots", "accept", "payloads"]).exits(0);
    run(changed.url(), &[]).exits(0);
}

#[test]
fn other_targets_are_compared_with_nothing_unless_told() {
    let bench = Bench::new();
    let variants = vec![Variant::from_name("media-type-with-charset").unwrap()];
    let other = Reference::start(ServerOptions { variants, ..ServerOptions::default() });
    let words = [&["run", other.url(), "--token-env", VARIABLE], &READ[..]].concat();
    let ran = bench.run(&words).exits(0);
    assert!(!ran.stdout.contains("payload"), "{}", ran.stdout);
}

#[test]
fn settings_name_the_folder() {
    let bench = Bench::new();
    let good = Reference::good();
    let words = [&["run", good.url(), "--token-env", VARIABLE], &READ[..]].concat();
    bench.write("scimspec.toml", "snapshots = \"accepted\"\nsnapshots_required = true\n");
    bench.run(&words).exits(1);
    assert!(bench.join("accepted/read__user.snap.new").is_file());
    let accepted = bench.run(&["snapshots", "accept"]).exits(0);
    assert!(accepted.stdout.ends_with("2 payloads accepted\n"), "{}", accepted.stdout);
    bench.run(&words).exits(0);
    bench.write("scimspec.toml", "");
    let required = bench.command(&words).env("SCIMSPEC_SNAPSHOTS_REQUIRED", "true").output().unwrap();
    assert_eq!(required.status.code(), Some(2));
    let folder = bench.command(&words).env("SCIMSPEC_SNAPSHOTS", "accepted").output().unwrap();
    assert_eq!(folder.status.code(), Some(0));
    assert!(!String::from_utf8_lossy(&required.stderr).contains(TOKEN));
    let none = bench.run(&["snapshots", "diff"]).exits(2);
    insta::assert_snapshot!(
        "no_folder",
        format!("{}{}", none.stderr, String::from_utf8_lossy(&required.stderr))
    );
}

#[test]
fn trouble_with_files_is_named_before_anything_is_sent() {
    let bench = Bench::new();
    let words = ["run", "http://127.0.0.1:9/scim", "--snapshots", "payloads"];
    bench.write("payloads/read__user.snap", "---\nsource: x\n---\n<<<<<<< HEAD\nHTTP 200 OK\n");
    let damaged = bench.run(&words).exits(2).stderr;
    let shown = bench.run(&["snapshots", "diff", "payloads"]).exits(2).stderr;
    assert_eq!(damaged, shown);
    bench.write("payloads/read__user.snap", "---\nsource: x\n---\nHTTP 200 OK\n");
    bench.write("payloads/gone__since.snap", "---\nsource: x\n---\nHTTP 200 OK\n");
    bench.write("payloads/read__group.snap.new", "HTTP 200 OK\n");
    let pending = bench.run(&["snapshots", "accept", "payloads"]).exits(2).stderr;
    bench.write("payloads/read__group.snap.new", "---\ndescription: \"read/group: x\"\n---\nHTTP 200 OK\n");
    let stale = bench.run(&["snapshots", "diff", "payloads", "--case", "create/*"]).exits(0).stdout;
    let missing = bench.run(&["snapshots", "diff", "nowhere"]).exits(2).stderr;
    bench.write("file", "x");
    let no_folder = bench.run(&["run", "http://127.0.0.1:9/scim", "--snapshots", "file"]).exits(2).stderr;
    insta::assert_snapshot!("trouble", stable(&[damaged, pending, stale, missing, no_folder].join("\n")));
}
