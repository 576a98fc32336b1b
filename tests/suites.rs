//! Every case against a server that keeps the RFCs: nothing fails, errs or warns, in both readings; what is skipped
//! is skipped for the reasons written here; and the server is left empty.

mod common;

use std::collections::{BTreeMap, BTreeSet};

use common::{Ran, Trial, everything, library};
use scimspec::outcome::{Reading, Verdict};
use scimspec::profile::Kind;
use scimspec::server::{Fault, ServerOptions};
use scimspec::target::exchange::Exchange;

/// The cases that cannot be judged on the reference server, with the reason that a report gives.
const SKIPPED: &[(&str, &str)] = &[
    (
        "characteristics/case-exact",
        "needs an attribute of User with type string, caseExact true, mutability readWrite or immutable, returned always or default: /Schemas declares none",
    ),
    (
        "characteristics/immutable",
        "needs an attribute of User with mutability immutable: /Schemas declares none",
    ),
    (
        "characteristics/on-request",
        "needs an attribute of User with mutability readWrite or immutable, returned request: /Schemas declares none",
    ),
    (
        "characteristics/read-only",
        "needs an attribute of User with mutability readOnly: /Schemas declares none",
    ),
    (
        "characteristics/required",
        "needs an attribute of User other than userName with required true, mutability readWrite or immutable: /Schemas declares none",
    ),
    (
        "characteristics/unique",
        "needs an attribute of User other than userName with mutability readWrite or immutable, uniqueness server or global: /Schemas declares none",
    ),
    ("method/bulk-not-supported", "needs no bulk: ServiceProviderConfig.bulk.supported = true"),
    ("method/patch-not-supported", "needs no patch: ServiceProviderConfig.patch.supported = true"),
    ("okta-groups/batch-of-members@patch", "needs --allow slow"),
    ("okta-groups/batch-of-members@put", "needs --allow slow"),
    ("pagination/unannounced", "needs no page.cursor: ServiceProviderConfig.pagination.cursor = true"),
    ("query/filter-not-supported", "needs no filter: ServiceProviderConfig.filter.supported = true"),
    (
        "resource-types/extension-in-use",
        "needs no schema urn:ietf:params:scim:schemas:extension:enterprise:2.0:User: /ResourceTypes has it for User",
    ),
    ("rules/accepted-is-asynchronous", "saw no 202"),
    ("rules/charset-is-utf-8", "saw no charset parameter"),
    ("rules/cookies-end-with-the-session", "saw no Set-Cookie header"),
];

#[test]
fn every_case_holds_in_the_lenient_reading() {
    let ran = Trial::of(everything()).run().expect("the server can be probed");
    assert_conformant(&ran);
    assert_skipped(&ran, SKIPPED);
}

#[test]
fn every_case_holds_in_the_strict_reading() {
    let ran = Trial { reading: Reading::Strict, ..Trial::of(everything()) }
        .run()
        .expect("the server can be probed");
    assert_conformant(&ran);
    assert_skipped(&ran, SKIPPED);
}

/// One after the other in another order of arrival: no case may lean on what another leaves behind.
#[test]
fn every_case_holds_one_at_a_time() {
    let ran = Trial { jobs: 1, ..Trial::of(everything()) }.run().expect("the server can be probed");
    assert_conformant(&ran);
    assert_skipped(&ran, SKIPPED);
}

#[test]
fn every_profile_holds() {
    // What one vendor documents holds of that vendor's server.
    for (name, profile) in library().profiles().iter().filter(|(_, profile)| profile.kind != Kind::Server) {
        let ran = Trial::of(profile).run().expect("the server can be probed");
        assert_conformant(&ran);
        assert!(
            ran.outcomes.iter().any(|outcome| outcome.verdict == Verdict::Passed),
            "{name} judges nothing"
        );
    }
}

/// Where the credentials belong to a user, /Me is that user; and who is asked for may be gone.
#[test]
fn the_subject_is_found_at_me() {
    let serving = |me: &str, seed_users: usize| ServerOptions {
        me: Some(me.to_owned()),
        seed_users,
        ..ServerOptions::default()
    };
    let cases = vec!["method/me".to_owned(), "rules/location-equals-meta".to_owned()];
    for reading in [Reading::Lenient, Reading::Strict] {
        let server = serving("ingrid.novak.1@example.com", 1);
        let trial = Trial { reading, cases: cases.clone(), server, ..Trial::of(everything()) };
        let ran = trial.run().expect("the server can be probed");
        assert!(ran.outcomes.iter().all(|outcome| outcome.verdict == Verdict::Passed), "{:?}", ran.outcomes);
        let shown =
            ran.exchanges.iter().find(|exchange| exchange.request.path == "/Me").expect("a GET of /Me");
        assert_eq!(shown.status(), Some(200));
    }
    let gone = Trial { cases, server: serving("nobody", 0), ..Trial::of(everything()) };
    let ran = gone.run().expect("the server can be probed");
    let me = ran.outcomes.iter().find(|outcome| outcome.id == "method/me").expect("the case ran");
    assert_eq!(me.verdict, Verdict::Warned);
}

/// Cases that take long hold too, and each has been seen to fail.
#[test]
fn slow_cases_hold_and_fail() {
    let batches: Vec<String> = SLOW.iter().map(|(case, _)| (*case).to_owned()).collect();
    let trial = Trial { slow: true, cases: batches, ..Trial::of(everything()) };
    let ran = trial.run().expect("the server can be probed");
    assert_conformant(&ran);
    assert_eq!(ran.outcomes.len(), SLOW.len(), "{:?}", ran.outcomes);
    assert!(ran.outcomes.iter().all(|outcome| outcome.verdict == Verdict::Passed), "{:?}", ran.outcomes);
    for (case, fault) in SLOW {
        let faults = vec![Fault::from_name(fault).expect("it stands in the catalogue")];
        let ran = Trial { faults, cases: vec![(*case).to_owned()], ..trial.clone() };
        let outcomes = ran.run().expect("the server can be probed").outcomes;
        assert!(outcomes.iter().all(|outcome| outcome.verdict == Verdict::Failed), "{case}: {outcomes:?}");
    }
}

/// The cases that take long, each with a fault that it sees.
const SLOW: &[(&str, &str)] = &[
    ("okta-groups/batch-of-members@patch", "patch-members-beyond-two-dropped"),
    ("okta-groups/batch-of-members@put", "put-members-ignored"),
];

#[test]
fn a_read_only_run_only_reads() {
    let ran = Trial { read_only: true, ..Trial::of(everything()) }.run().expect("the server can be probed");
    assert_conformant(&ran);
    let writes: Vec<_> = ran
        .exchanges
        .iter()
        .filter(|exchange| {
            let request = &exchange.request;
            !matches!(request.method.as_str(), "GET" | "HEAD" | "OPTIONS")
                && !request.path.ends_with("/.search")
        })
        .map(|exchange| format!("{} {} {}", exchange.origin, exchange.request.method, exchange.request.path))
        .collect();
    assert!(writes.is_empty(), "{writes:#?}");
    let judged = ran.outcomes.iter().filter(|outcome| outcome.verdict == Verdict::Passed).count();
    assert!(judged >= 60, "only {judged} cases were judged");
    let reasons: Vec<_> = ran
        .skips()
        .into_iter()
        .filter(|(_, reason)| {
            reason != "writes, and the run is --read-only" && !reason.starts_with("saw no ")
        })
        .collect();
    let expected: Vec<_> = SKIPPED
        .iter()
        .filter(|(id, _)| !id.starts_with("rules/"))
        .map(|(id, why)| ((*id).to_owned(), (*why).to_owned()))
        .collect();
    assert_eq!(reasons, expected);
}

/// The state after each write to a resource of ours is known: the case reads it itself, or the executor does.
#[test]
fn every_write_is_read_back() {
    let cases = ["create/*", "replace/*", "patch*/*", "delete/*", "version/*"].map(str::to_owned).to_vec();
    // Whoever looks at judgements sees each read; else the last ones of cases are made together.
    let ran = Trial { cases, observer: Some(&|_| {}), ..Trial::of(everything()) };
    let ran = ran.run().expect("the server can be probed");
    assert_conformant(&ran);
    let mut alive: BTreeSet<String> = BTreeSet::new();
    let (mut written, mut unasked) = (0, 0);
    for (index, exchange) in ran.exchanges.iter().enumerate() {
        let path = exchange.request.path.split('?').next().expect("a path").to_owned();
        let succeeded = matches!(exchange.status(), Some(200..=299));
        let reason = exchange.reason.as_deref().unwrap_or_default();
        unasked += u32::from(reason.starts_with("read back after ") || reason.starts_with("read before P"));
        if exchange.request.method == "POST" && succeeded {
            let id = exchange.json().and_then(|body| body.get("id")?.as_str());
            alive.extend(id.map(|id| format!("{path}/{id}")));
            alive.extend(made_by_bulk(exchange));
        }
        let is_case = exchange.origin.contains('/');
        if !is_case || !alive.contains(&path) || exchange.request.method == "GET" {
            continue;
        }
        if exchange.request.method == "DELETE" && succeeded {
            alive.remove(&path);
        }
        written += 1;
        let next = ran.exchanges[index + 1..].iter().find(|next| next.origin == exchange.origin);
        let next = next.unwrap_or_else(|| {
            panic!("{} {path} is the last of {}", exchange.request.method, exchange.origin)
        });
        let shown = format!("{} {} {}", next.id, next.request.method, next.request.path);
        assert_eq!(
            (next.request.method.as_str(), &next.request.path),
            ("GET", &path),
            "{} then {shown}",
            exchange.id
        );
    }
    assert!(written >= 100, "{written} writes");
    let all = u32::try_from(ran.exchanges.len()).expect("not so many");
    assert!(unasked >= 3 && unasked * 5 < all, "{unasked} of {all} requests are made unasked");
}

/// Where the budget ends early, some cases are not made, and those that wait for a list together still get it.
#[test]
fn a_short_budget_costs_few_cases() {
    let cases = ["create/*", "replace/*", "patch-*/*"].map(str::to_owned).to_vec();
    let trial = Trial { cases, jobs: 1, ..Trial::of(everything()) };
    let whole = trial.run().expect("the server can be probed").exchanges.len() as u64;
    let ran = Trial { requests: Some(whole - 10), ..trial }.run().expect("the server can be probed");
    assert_conformant(&ran);
    let lost = ran.skips().values().filter(|why| why.contains("--requests")).count();
    assert!((1..=20).contains(&lost), "{lost} cases did not fit");
}

/// The paths of what a bulk job says that it made.
fn made_by_bulk(exchange: &Exchange) -> Vec<String> {
    let results = exchange.json().and_then(|body| body.get("Operations")?.as_array());
    let made = results.into_iter().flatten().filter(|result| result["method"] == "POST");
    let location = |result: &serde_json::Value| result["location"].as_str().map(str::to_owned);
    let path = |location: String| {
        let mut segments = location.rsplit('/');
        let (id, endpoint) = (segments.next()?, segments.next()?);
        Some(format!("/{endpoint}/{id}"))
    };
    made.filter_map(location).filter_map(path).collect()
}

/// Where reads are made together, each write is read back all the same: by itself, or in a list that the run reads
/// after it, in which no other resource of the case is missing.
#[test]
fn what_is_read_together_is_read() {
    let cases = ["replace/*", "patch*/*"].map(str::to_owned).to_vec();
    let ran = Trial { cases, ..Trial::of(everything()) }.run().expect("the server can be probed");
    assert_conformant(&ran);
    let (mut alone, mut together) = (0, 0);
    for (index, exchange) in ran.exchanges.iter().enumerate() {
        let method = exchange.request.method.as_str();
        if !exchange.origin.contains('/') || !matches!(method, "PUT" | "PATCH") {
            continue;
        }
        let path = exchange.request.path.split('?').next().expect("a path");
        let id = path.rsplit('/').next().expect("an id");
        let is_ours = ran.exchanges[..index].iter().any(|other| {
            other.request.method == "POST" && other.json().is_some_and(|body| body.to_string().contains(id))
        });
        let later = || ran.exchanges[index + 1..].iter().filter(|later| later.request.method == "GET");
        let shows = |list: &Exchange| {
            let rows = list.json().and_then(|body| body.get("Resources")?.as_array());
            list.origin == "read-back" && rows.is_some_and(|rows| rows.iter().any(|row| row["id"] == id))
        };
        if later().any(|read| read.request.path == path && read.origin == exchange.origin) {
            alone += 1;
        } else if later().any(|list| shows(list)) {
            together += 1;
        } else {
            assert!(!is_ours, "{} {method} {path} was never read back", exchange.id);
        }
    }
    assert!(alone >= 5 && together >= 50, "{alone} alone, {together} together");
}

/// A budget that is short of some requests costs reads that no step asks for, and no case.
#[test]
fn unasked_reads_are_the_first_to_be_left_out() {
    let cases = ["create/*", "replace/*", "patch-*/*"].map(str::to_owned).to_vec();
    // Those made together are few, and not left out.
    let trial = Trial { cases, jobs: 1, observer: Some(&|_| {}), ..Trial::of(everything()) };
    let whole = trial.run().expect("the server can be probed").exchanges.len() as u64;
    let ran = Trial { requests: Some(whole - 2), ..trial }.run().expect("the server can be probed");
    assert_conformant(&ran);
    let sent = ran.exchanges.iter().filter(|exchange| exchange.answer.is_ok()).count() as u64;
    let unasked = |exchanges: &[std::sync::Arc<Exchange>]| {
        exchanges.iter().filter(|exchange| exchange.reason.is_some()).count()
    };
    assert!(sent <= whole - 2, "{sent} of {whole} requests, {} unasked", unasked(&ran.exchanges));
    let skipped = ran.skips();
    assert!(!skipped.values().any(|why| why.contains("--requests")), "{skipped:#?}");
}

fn assert_conformant(ran: &Ran) {
    let wrong: Vec<String> = ran
        .outcomes
        .iter()
        .filter(|outcome| !matches!(outcome.verdict, Verdict::Passed | Verdict::Skipped { .. }))
        .map(|outcome| {
            let findings: Vec<&str> =
                outcome.findings.iter().map(|finding| finding.message.as_str()).collect();
            format!("{}: {:?} {findings:#?}", outcome.id, outcome.verdict)
        })
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(ran.probe.problems.is_empty(), "{:?}", ran.probe.problems);
    assert!(ran.clean_up.is_complete(), "{:?}", ran.clean_up.left);
    assert!(ran.clean_up.disowned.is_empty(), "{:?}", ran.clean_up.disowned);
    assert_eq!(ran.remaining, Ok(Vec::new()), "the server is empty afterwards");
    assert!(ran.deviations.values().all(|came| came.neither == 0), "{:?}", ran.deviations);
}

fn assert_skipped(ran: &Ran, expected: &[(&str, &str)]) {
    let expected: BTreeMap<String, String> =
        expected.iter().map(|(id, why)| ((*id).to_owned(), (*why).to_owned())).collect();
    assert_eq!(ran.skips(), expected);
}
