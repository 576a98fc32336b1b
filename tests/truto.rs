//! The profile `truto`, a directory API as the client, against the reference server and against the double of Amplitude's
//! server, over which Truto documents it.

mod binary;

use std::collections::BTreeSet;
use std::num::NonZeroU32;
use std::time::Duration;

use binary::{Bench, Reference, VARIABLE};
use scimspec::outcome::Verdict;
use scimspec::report::model::RunReport;
use scimspec::requirement::Catalogue;
use scimspec::server::{Fault, RateLimit, ServerOptions, ServerProfile};
use scimspec::suite::load::Library;

/// Statements of the page that no request to a SCIM server shows, with the reason.
const UNSEEN: [(&str, &str); 1] =
    [("TRUTO-09", "the plan of an organisation and the role of whoever made the token are in no answer")];

/// The hook of the page's "accept the invitation", where nobody has to: the reference server invites nobody.
const HOOKS: &str = "[hooks.accept-invitation]\ncommand = 'true'\n";

fn run(server: &Reference, config: &str, code: i32, more: &[&str]) -> RunReport {
    let bench = Bench::new();
    bench.write("scimspec.toml", config);
    let words = ["run", server.url(), "--token-env", VARIABLE, "--profile", "truto", "--json", "run.json"];
    bench.run(&[&words, more].concat()).exits(code);
    serde_json::from_value(bench.json("run.json")).unwrap()
}

/// The cases of the suite with that verdict.
fn ids(report: &RunReport, is: impl Fn(&Verdict) -> bool) -> BTreeSet<&str> {
    let own = report.outcomes.iter().filter(|outcome| outcome.id.starts_with("truto-"));
    own.filter(|outcome| is(&outcome.verdict)).map(|outcome| outcome.id.as_str()).collect()
}

fn skipped(verdict: &Verdict) -> bool {
    matches!(verdict, Verdict::Skipped { .. })
}

#[test]
fn every_statement_of_the_page_has_a_case_or_a_reason() {
    let library = Library::embedded().unwrap();
    let cases = library.suites().iter().filter(|file| file.suite.suite.starts_with("truto-"));
    let mut cited: BTreeSet<&str> =
        cases.flat_map(|file| &file.suite.cases).flat_map(|case| &case.source).map(String::as_str).collect();
    for (id, why) in UNSEEN {
        assert!(cited.insert(id), "{id} has a case now, and needs no reason: {why}");
    }
    let stated: BTreeSet<&str> = Catalogue::embedded()
        .sources()
        .map(|source| source.id.as_str())
        .filter(|id| id.starts_with("TRUTO-"))
        .collect();
    assert_eq!(stated.len(), 10);
    assert_eq!(cited, stated);
}

#[test]
fn it_works_with_the_reference_server() {
    // The pace is what makes the pauses around the search for a limit short.
    let report =
        run(&Reference::good(), HOOKS, 0, &["--allow", "disruptive", "--allow", "slow", "--rate", "500/s"]);
    assert!(ids(&report, skipped).is_empty(), "{:?}", ids(&report, skipped));
    let others = ids(&report, |verdict| *verdict != Verdict::Passed);
    assert!(others.is_empty(), "{others:?}");
}

#[test]
fn it_goes_on_after_the_limit() {
    let limit = RateLimit::new(NonZeroU32::new(40).unwrap(), Duration::from_secs(2), None).unwrap();
    let server = Reference::start(ServerOptions { rate_limit: Some(limit), ..ServerOptions::default() });
    let only =
        ["--allow", "disruptive", "--allow", "slow", "--rate", "15/s", "--case", "truto-directory/back-off"];
    let report = run(&server, "", 0, &only);
    let passed = ids(&report, |verdict| *verdict == Verdict::Passed);
    assert_eq!(passed, BTreeSet::from(["truto-directory/back-off"]));
}

#[test]
fn it_works_with_a_server_like_amplitudes() {
    let profile = Some(ServerProfile::from_name("amplitude").unwrap());
    let double = Reference::start(ServerOptions { profile, ..ServerOptions::default() });
    let report = run(&double, "", 0, &[]);
    let asked = BTreeSet::from(["truto-directory/back-off", "truto-directory/joined"]);
    assert_eq!(ids(&report, skipped), asked, "the limit is not tried, and nobody accepts an invitation");
}

#[test]
fn what_such_a_client_stumbles_over_is_found() {
    for (fault, case) in [
        ("auth-takes-any-token", "truto-directory/wrong-token"),
        ("list-repeats-rows", "truto-directory/all-users"),
        ("start-index-ignored", "truto-directory/all-users"),
        ("filter-ignored", "truto-directory/new-user-is-listed"),
        ("create-drops-members", "truto-directory/all-groups"),
        ("patch-deactivation-ignored", "truto-directory/deactivate"),
        ("patch-filtered-remove-ignored", "truto-directory/membership"),
        ("patch-filtered-remove-wipes-all", "truto-directory/membership"),
    ] {
        let server = Reference::start(ServerOptions {
            faults: vec![Fault::from_name(fault).unwrap()],
            ..ServerOptions::default()
        });
        let failed = run(&server, HOOKS, 1, &[]);
        assert!(ids(&failed, |verdict| *verdict == Verdict::Failed).contains(case), "{fault}");
    }
}
