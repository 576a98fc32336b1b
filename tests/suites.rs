//! Every case against a server that keeps the RFCs: nothing fails, errs or warns, in both readings; what is skipped
//! is skipped for the reasons written here; and the server is left empty.

mod common;

use std::collections::BTreeMap;

use common::{Ran, Trial, everything, library};
use scimspec::outcome::{Reading, Verdict};

/// The cases that cannot be judged on the reference server, with the reason that a report gives.
const SKIPPED: &[(&str, &str)] = &[
    ("method/bulk-not-supported", "needs no bulk: ServiceProviderConfig.bulk.supported = true"),
    ("method/patch-not-supported", "needs no patch: ServiceProviderConfig.patch.supported = true"),
    ("query/filter-not-supported", "needs no filter: ServiceProviderConfig.filter.supported = true"),
    (
        "resource-types/extension-in-use",
        "needs no schema urn:ietf:params:scim:schemas:extension:enterprise:2.0:User: /ResourceTypes has it for User",
    ),
    ("rules/charset-is-utf-8", "saw no charset parameter"),
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
    for (name, profile) in library().profiles() {
        let ran = Trial::of(profile).run().expect("the server can be probed");
        assert_conformant(&ran);
        assert!(
            ran.outcomes.iter().any(|outcome| outcome.verdict == Verdict::Passed),
            "{name} judges nothing"
        );
    }
}

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
    let reasons: Vec<_> = skips(&ran)
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
}

fn assert_skipped(ran: &Ran, expected: &[(&str, &str)]) {
    let expected: BTreeMap<String, String> =
        expected.iter().map(|(id, why)| ((*id).to_owned(), (*why).to_owned())).collect();
    assert_eq!(skips(ran), expected);
}

fn skips(ran: &Ran) -> BTreeMap<String, String> {
    ran.outcomes
        .iter()
        .filter_map(|outcome| match &outcome.verdict {
            Verdict::Skipped { reason } => Some((outcome.id.clone(), reason.to_string())),
            _ => None,
        })
        .collect()
}
