//! The profile `learnamp` against the double of Learn Amp's server: green as the help page has it, and red for each way
//! in which the double can depart from that page.

mod binary;

use std::collections::BTreeSet;

use binary::{Bench, Reference, VARIABLE};
use scimspec::outcome::{Outcome, SkipReason, Verdict};
use scimspec::report::model::RunReport;
use scimspec::requirement::Catalogue;
use scimspec::server::{Fault, ServerOptions, ServerProfile};
use scimspec::suite::load::Library;

/// What Learn Amp would confirm, as the double has it.
const SETTINGS: &str = r#"
[settings]
job-title = "title"
department = "department"
manager = "value"
time-zone = "timezone"
extension = "urn:ietf:params:scim:schemas:extension:learnamp:2.0:User"
hire-date = "hireDate"
custom-field = "custom1"
"#;

/// What somebody sees who looks at the product, as an operator's hooks would tell it.
const HOOKS: &str = r#"
[hooks.try-login]
command = '''printf '{"user": "%s"}' "$SCIMSPEC_ARG_ADDRESS"'''
[hooks.read-team]
command = '''echo '{"team": "Bridges"}' '''
[hooks.read-role]
command = '''echo '{"role": "Viewer"}' '''
"#;

/// Cases that need a hook.
const HOOKED: [&str; 3] = [
    "learnamp-attributes/address-is-login",
    "learnamp-attributes/new-user-is-viewer",
    "learnamp-attributes/team",
];

/// Statements of the page of which a part is out of a case's sight, with the reason.
const UNSEEN: [(&str, &str); 1] =
    [("LAMP-17", "that plain HTTP is not served: a run asks its base URL only")];

fn double(faults: Vec<Fault>) -> Reference {
    let profile = Some(ServerProfile::from_name("learnamp").unwrap());
    Reference::start(ServerOptions { profile, faults, ..ServerOptions::default() })
}

fn run(double: &Reference, config: &str, code: i32) -> RunReport {
    let bench = Bench::new();
    bench.write("scimspec.toml", config);
    let words = ["run", double.url(), "--token-env", VARIABLE, "--profile", "learnamp", "--json", "run.json"];
    bench.run(&words).exits(code);
    serde_json::from_value(bench.json("run.json")).unwrap()
}

fn ids(report: &RunReport, is: impl Fn(&Verdict) -> bool) -> BTreeSet<&str> {
    report.outcomes.iter().filter(|outcome| is(&outcome.verdict)).map(|outcome| outcome.id.as_str()).collect()
}

fn of_the_suites(outcome: &&Outcome) -> bool {
    outcome.id.starts_with("learnamp-")
}

#[test]
fn every_statement_of_the_page_has_a_case() {
    let library = Library::embedded().unwrap();
    let cited: BTreeSet<&str> = library
        .suites()
        .iter()
        .filter(|file| file.suite.suite.starts_with("learnamp-"))
        .flat_map(|file| &file.suite.cases)
        .flat_map(|case| &case.source)
        .map(String::as_str)
        .collect();
    let stated: BTreeSet<&str> = Catalogue::embedded()
        .sources()
        .map(|source| source.id.as_str())
        .filter(|id| id.starts_with("LAMP-"))
        .collect();
    assert_eq!(stated.len(), 18);
    assert_eq!(cited, stated);
    for (id, why) in UNSEEN {
        assert!(stated.contains(id) && !why.is_empty(), "{id}");
    }
}

#[test]
fn the_double_is_as_the_page_has_it() {
    let report = run(&double(Vec::new()), &format!("{SETTINGS}{HOOKS}"), 0);
    assert!(report.summary.clean_up.left_behind.is_empty());
    let skipped: Vec<_> = report
        .outcomes
        .iter()
        .filter(of_the_suites)
        .filter(|outcome| matches!(outcome.verdict, Verdict::Skipped { .. }))
        .map(|outcome| (&outcome.id, &outcome.verdict))
        .collect();
    assert!(skipped.is_empty(), "{skipped:#?}");
    let deviating = ids(&report, |verdict| matches!(verdict, Verdict::Deviates { .. }));
    assert_eq!(deviating, BTreeSet::from(["learnamp-accounts/duplicate"]));
    let warned = ids(&report, |verdict| *verdict == Verdict::Warned);
    assert!(warned.is_empty(), "{warned:?}");
}

#[test]
fn what_is_not_confirmed_is_skipped_and_says_what_to_write() {
    let report = run(&double(Vec::new()), "", 0);
    let mut unconfirmed = 0;
    for outcome in report.outcomes.iter().filter(of_the_suites) {
        let Verdict::Skipped { reason } = &outcome.verdict else { continue };
        let SkipReason::NotConfigured { what } = reason else { panic!("{}: {reason:?}", outcome.id) };
        if HOOKED.contains(&outcome.id.as_str()) {
            assert!(what.contains("[hooks.") || what.contains("[settings]"), "{what}");
        } else {
            assert!(what.contains("under [settings] in scimspec.toml"), "{what}");
            unconfirmed += 1;
        }
    }
    assert_eq!(
        unconfirmed, 9,
        "job title, department, three about managers, hire date, time zone, two custom fields"
    );
}

#[test]
fn what_hooks_see_is_judged() {
    let wrong =
        HOOKS.replace("Viewer", "Admin").replace("Bridges", "Tunnels").replace("%s", "nobody@example.com");
    let report = run(&double(Vec::new()), &format!("{SETTINGS}{wrong}"), 1);
    assert_eq!(ids(&report, |verdict| *verdict == Verdict::Failed), BTreeSet::from(HOOKED));
}

#[test]
fn every_departure_from_the_page_is_found() {
    let mut missed = Vec::new();
    let mut tried = 0;
    for fault in ServerProfile::from_name("learnamp").unwrap().entry().faults() {
        tried += 1;
        let double = double(vec![Fault::from_name(fault.name).unwrap()]);
        let bench = Bench::new();
        bench.write("scimspec.toml", SETTINGS);
        // What the page leaves open is a warning.
        let words =
            ["run", double.url(), "--token-env", VARIABLE, "--profile", "learnamp", "--deny", "warnings"];
        if bench.run(&words).code != Some(1) {
            missed.push(fault.name);
        }
    }
    assert!(missed.is_empty(), "{missed:?}");
    assert!(tried > 0, "the double has no faults");
}
