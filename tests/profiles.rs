//! What a profile says beyond the choice of cases: documented deviations, held against servers that are as documented, as
//! the RFC has it, or neither; the name of the parameter for the size of a page.

mod binary;
mod common;

use binary::{Bench, Reference, VARIABLE, stable};
use common::{Ran, Trial};
use scimspec::outcome::{Outcome, Severity, Summary, Verdict};
use scimspec::profile::Profile;
use scimspec::run::deviation::Came;
use scimspec::server::{Fault, ServerOptions};
use serde_json::Value;

/// A vendor whose DELETE is documented to answer 200, and whose creates name no Location.
const VENDOR: &str = "
profile: vendor
title: A vendor
suites: [rfc7644/3.3-create.yaml, rfc7644/3.6-delete.yaml, rfc7644/3.5.1-replace.yaml, rules/exchange.yaml]
deviations:
  - case: delete/user
    step: 1
    instead: {status: 200}
    cite: [OKTA-SPEC-06]
    why: deletes are answered with a body
  - rule: rules/location-on-create
    on: [POST /Users]
    instead: {checks: [{header: Location, absent: true}]}
    cite: [https://docs.example.com/scim]
    why: no Location is documented
";

fn vendor(text: &str) -> Profile {
    Profile::read("vendor.yaml", text).unwrap_or_else(|trouble| panic!("{}", trouble.render(false)))
}

fn run(profile: &Profile, faults: &[&str], cases: &[&str]) -> Ran {
    let faults = faults.iter().map(|name| Fault::from_name(name).expect("a fault")).collect();
    let cases = cases.iter().map(|case| (*case).to_owned()).collect();
    Trial { faults, cases, ..Trial::of(profile) }.run().expect("the server can be probed")
}

fn outcome<'r>(ran: &'r Ran, id: &str) -> &'r Outcome {
    ran.outcomes.iter().find(|outcome| outcome.id == id).unwrap_or_else(|| panic!("{id} ran"))
}

const CASES: &[&str] =
    &["delete/user", "create/minimal-user", "rules/location-on-create", "rules/id-present"];

#[test]
fn an_answer_as_documented_deviates_and_the_case_goes_on() {
    let profile = vendor(VENDOR);
    let ran = run(&profile, &["delete-answers-200", "create-without-location"], CASES);
    let deleted = outcome(&ran, "delete/user");
    let citation = "OKTA-SPEC-06: Create the user".to_owned();
    assert_eq!(deleted.verdict, Verdict::Deviates { citation });
    assert_eq!(
        deleted.notes,
        ["documented in OKTA-SPEC-06: Create the user: deletes are answered with a body"]
    );
    // How it differs from the RFC stays to be seen, and weighs nothing.
    assert_eq!(deleted.findings.len(), 1, "{:#?}", deleted.findings);
    assert_eq!(deleted.findings[0].severity, Severity::Note);
    assert_eq!(deleted.findings[0].signature.actual, "status 200");
    // The read after the DELETE was made and judged.
    let of_flow = ran.exchanges.iter().filter(|exchange| exchange.origin == "delete/one-user");
    let next =
        of_flow.skip_while(|exchange| exchange.request.method != "DELETE").nth(1).expect("an exchange");
    assert_eq!((next.request.method.as_str(), next.status()), ("GET", Some(404)));

    let rule = outcome(&ran, "rules/location-on-create");
    let citation = "https://docs.example.com/scim".to_owned();
    assert_eq!(rule.verdict, Verdict::Deviates { citation }, "{rule:#?}");
    assert!(rule.findings.iter().all(|finding| finding.severity == Severity::Note), "{:#?}", rule.findings);
    assert_eq!(ran.deviations[&0], Came { documented: 1, ..Came::default() });
    assert!(ran.deviations[&1].documented > 1 && ran.deviations[&1].neither == 0, "{:?}", ran.deviations);
    let summary = Summary::of(&ran.outcomes);
    // The missing Location is a finding of the case about creates, which nothing documents.
    assert_eq!((summary.deviates, summary.failed), (2, 1), "{summary:?}");
}

#[test]
fn an_answer_as_the_rfc_has_it_passes_and_the_deviation_is_obsolete() {
    let profile = vendor(VENDOR);
    let ran = run(&profile, &[], CASES);
    for id in CASES {
        assert_eq!(outcome(&ran, id).verdict, Verdict::Passed, "{id}");
    }
    assert_eq!(
        outcome(&ran, "delete/user").notes,
        ["deviation obsolete: the answer is as the RFC has it, not as in OKTA-SPEC-06: Create the user"]
    );
    let rule = &outcome(&ran, "rules/location-on-create").notes;
    let note =
        "deviation obsolete: the answers are as the RFC has them, not as in https://docs.example.com/scim";
    assert!(rule.iter().any(|said| said == note), "{rule:?}");
    assert_eq!(ran.deviations[&0], Came { conformant: 1, ..Came::default() });
    assert!(ran.deviations[&1].conformant > 0 && ran.deviations[&1].documented == 0);
}

#[test]
fn an_answer_that_is_neither_fails_by_what_is_documented() {
    let profile = vendor(&VENDOR.replace("instead: {status: 200}", "instead: {status: 202}"));
    let ran = run(&profile, &["delete-answers-200"], &["delete/user"]);
    let deleted = outcome(&ran, "delete/user");
    assert_eq!(deleted.verdict, Verdict::Failed);
    let finding = &deleted.findings[0];
    assert_eq!(
        (finding.expected.as_str(), finding.requirements.as_slice()),
        ("202 (Accepted)", ["OKTA-SPEC-06".to_owned()].as_slice())
    );
    let place = finding.place.as_ref().expect("a place");
    assert_eq!((place.file.as_str(), place.line), ("vendor.yaml", 8), "{place}");
    let note = &deleted.notes[0];
    assert!(
        note.starts_with("expected as documented in OKTA-SPEC-06: Create the user: deletes are"),
        "{note}"
    );
    assert!(note.contains("answered 200 (OK), expected 204"), "{note}");
    assert_eq!(ran.deviations[&0], Came { neither: 1, ..Came::default() });
}

/// Of a rule only what is documented is excused: other exchanges, and other answers, fail it as before.
#[test]
fn a_rule_fails_with_what_is_not_documented() {
    let elsewhere = vendor(&VENDOR.replace("on: [POST /Users]", "on: [POST /Groups]"));
    let ran = run(&elsewhere, &["create-without-location"], CASES);
    assert_eq!(outcome(&ran, "rules/location-on-create").verdict, Verdict::Failed);
    assert_eq!(ran.deviations[&1], Came::default(), "no answer came to it");

    let otherwise =
        vendor(&VENDOR.replace("{header: Location, absent: true}", "{header: Location, matches: ^x}"));
    let ran = run(&otherwise, &["create-without-location"], CASES);
    let rule = outcome(&ran, "rules/location-on-create");
    assert_eq!(rule.verdict, Verdict::Failed);
    assert!(rule.findings[0].requirements.iter().any(|id| id == "https://docs.example.com/scim"));
    let note = "neither is it as documented in https://docs.example.com/scim: ";
    assert!(rule.notes.iter().any(|said| said.starts_with(note)), "{:?}", rule.notes);

    let of_some = VENDOR.replace("on: [POST /Users]", "on: [POST /Users]\n    finding: nothing of the kind");
    let ran = run(&vendor(&of_some), &["create-without-location"], CASES);
    assert_eq!(outcome(&ran, "rules/location-on-create").verdict, Verdict::Failed);
}

/// A create that is documented to be refused leaves nothing that the rest of the case could stand on.
#[test]
fn a_documented_refusal_ends_the_case() {
    let text = "
profile: vendor
title: A vendor
suites: [rfc7644/3.5.1-replace.yaml]
deviations:
  - case: replace/CASE
    step: 1
    instead: {error: {status: 501}}
    cite: [https://docs.example.com/scim]
    why: resources are never replaced
";
    let library = common::library();
    let file = library.suites().iter().find(|file| file.suite.suite == "replace").expect("the suite");
    let case = file
        .suite
        .cases
        .iter()
        .find(|case| {
            let first = case.steps.first().is_some_and(|step| {
                step.send.as_deref().is_some_and(|line| line.starts_with("PUT ")) && step.expect.is_some()
            });
            first && case.steps.len() > 1 && case.rows.is_empty()
        })
        .expect("a case that begins with a PUT");
    let id = format!("replace/{}", case.id);
    let profile = vendor(&text.replace("CASE", &case.id));
    let ran = run(&profile, &["put-missing"], &[&id]);
    let replaced = outcome(&ran, &id);
    assert!(matches!(replaced.verdict, Verdict::Deviates { .. }), "{replaced:#?}");
}

#[test]
fn the_size_of_a_page_travels_under_the_documented_name() {
    let text = "
profile: vendor
title: A vendor
suites: [rfc7644/3.4.2.4-paging.yaml, rules/exchange.yaml]
cases: [paging/*, rules/list-within-limit, rules/list-arithmetic]
page-size: {parameter: pageSize, max: 100, default: 100}
";
    let ran = run(&vendor(text), &[], &[]);
    let queries = ran.exchanges.iter().filter(|exchange| exchange.origin.starts_with("paging/"));
    let sized = queries.filter(|exchange| exchange.request.path.contains("pageSize=")).count();
    assert!(sized > 3, "{sized} queries");
    let by_probe = |exchange: &&std::sync::Arc<scimspec::target::exchange::Exchange>| {
        exchange.origin == "probe" && exchange.request.path.contains("count=")
    };
    assert_eq!(ran.exchanges.iter().filter(by_probe).count(), 0);
    // The reference server knows no such parameter: it sends whole lists, which the rules now hold against it.
    assert_eq!(outcome(&ran, "rules/list-arithmetic").verdict, Verdict::Failed);

    let tight = text.replace("max: 100, default: 100", "max: 100, default: 1");
    let ran = run(&vendor(&tight), &[], &[]);
    let rule = outcome(&ran, "rules/list-within-limit");
    assert_eq!(rule.verdict, Verdict::Failed);
    assert!(
        rule.findings[0].message.contains("the profile's page-size says 1 at most"),
        "{:?}",
        rule.findings[0]
    );
}

/// A new profile is sound, runs green as it is, and is never written over.
#[test]
fn a_new_profile_passes_check_and_runs_green() {
    for kind in ["client", "server"] {
        let bench = Bench::new();
        let new = bench.run(&["profile", "new", "acme", "--kind", kind]).exits(0);
        assert!(new.stdout.contains("acme/profiles/acme.yaml"), "{}", new.stdout);
        let checked = bench.run(&["check", "acme"]).exits(0);
        assert_eq!(checked.stdout, "1 suite files, 2 cases, 1 profile: 0 errors, 0 warnings\n");
        assert_eq!(checked.stderr, "");
        let words = ["run", "--profile", "acme/profiles/acme.yaml", "--json", "run.json"];
        let ran = bench.run(&words).exits(0);
        assert!(ran.stdout.contains("Conformant"), "{}", ran.stdout);
        let report = bench.json("run.json");
        let verdicts = &report["summary"]["verdicts"];
        assert!(verdicts["passed"].as_u64() >= Some(7), "{verdicts}");
        assert_eq!((&verdicts["failed"], &verdicts["errored"]), (&0.into(), &0.into()), "{verdicts}");
        let of_suite = |outcome: &&Value| outcome["suite"] == "acme-users";
        assert_eq!(report["outcomes"].as_array().unwrap().iter().filter(of_suite).count(), 2);
        let listed = bench.run(&["profile", "list", "--suites", "acme"]).exits(0).stdout;
        assert!(listed.lines().any(|line| line.starts_with("acme ") && line.contains(kind)), "{listed}");
        assert!(listed.lines().any(|line| line.starts_with("rfc ") && line.contains("standard")), "{listed}");

        bench.write("acme/acme/users.yaml", "# mine\n");
        let again = bench.run(&["profile", "new", "acme"]).exits(2);
        assert!(again.stderr.contains("acme/profiles/acme.yaml is there already"), "{}", again.stderr);
        assert_eq!(bench.read("acme/acme/users.yaml"), "# mine\n");
    }
    let bench = Bench::new();
    let wrong = bench.run(&["profile", "new", "Acme Inc"]).exits(2);
    assert!(wrong.stderr.contains("`Acme Inc` cannot be the name of a profile"), "{}", wrong.stderr);
}

#[test]
fn a_profile_that_is_not_there_or_unsound_is_refused() {
    let bench = Bench::new();
    let missing = bench.run(&["run", "--profile", "./nowhere.yaml"]).exits(2);
    assert_eq!(missing.stderr, "error: there is no profile `./nowhere.yaml`\n");
    bench.write("mine.yaml", "profile: mine\ntitle: t\nsuites: [\"rfc7644/**\"]\nlimits: {rate: fast}\n");
    let unreadable = bench.run(&["run", "--profile", "mine.yaml"]).exits(2);
    assert!(unreadable.stderr.contains("expected a rate such as 100/min"), "{}", unreadable.stderr);
    bench.write("mine.yaml", "profile: mine\ntitle: t\nsuites: [\"rfc7644/**\"]\ncases: [\"creat/*\"]\n");
    let unsound = bench.run(&["run", "--profile", "mine.yaml"]).exits(2);
    assert!(unsound.stderr.contains("there is no case `creat/*`"), "{}", unsound.stderr);
    assert!(unsound.stderr.contains("mine.yaml:4:9"), "{}", unsound.stderr);
}

/// A vendor that documents neither where the hire date stands nor what time zones are called.
const SETTINGS: &str = "
profile: vendor
title: A vendor
suites: [\"vendor/**\"]
settings:
  hire-date: {title: where the hire date stands, default: title, confirm: true}
  zone: {title: where the time zone stands, default: timezone}
  odd: {title: something that no user has}
";

const SETTINGS_SUITE: &str = r#"
suite: vendor
title: What an operator says
cases:
  - id: hire-date
    title: The hire date is kept where the operator says that it stands
    steps:
      - id: ann
        send: POST /Users
        make: {fixture: user, at: {"${setting.hire-date}": "2026-03-02"}, template: true}
        expect: {status: 201}
      - read: ann
        expect: {status: 200, checks: [{attribute: "${setting.hire-date}", equals: "2026-03-02"}]}
  - id: zone
    title: The time zone is kept
    given: {ann: user}
    steps:
      - send: PATCH /Users/${ann.id}
        operations: [{op: replace, value: {"${setting.zone}": Europe/Paris}}]
        expect: {status: [200, 204]}
      - read: ann
        expect: {status: 200, checks: [{attribute: "${setting.zone}", equals: Europe/Paris}]}
  - id: odd
    title: What nobody has said is not asked for
    steps: [{query: {endpoint: /Users, filter: '${setting.odd} pr'}, expect: {status: 200}}]
"#;

#[test]
fn settings_come_from_the_operator_and_cases_without_them_are_skipped() {
    let bench = Bench::new();
    bench.write("v/profiles/vendor.yaml", SETTINGS);
    bench.write("v/vendor/users.yaml", SETTINGS_SUITE);
    bench.run(&["check", "v"]).exits(0);
    let run = || bench.run(&["run", "--profile", "v/profiles/vendor.yaml", "--json", "run.json"]);
    let verdicts = |report: &Value| -> Vec<String> {
        let outcomes = report["outcomes"].as_array().unwrap().iter();
        outcomes.map(|outcome| format!("{} {}", outcome["id"], outcome["verdict"]["kind"])).collect()
    };
    run().exits(0);
    let report = bench.json("run.json");
    assert_eq!(
        verdicts(&report),
        [r#""vendor/odd" "skipped""#, r#""vendor/hire-date" "skipped""#, r#""vendor/zone" "passed""#]
    );
    let reason = &report["outcomes"][1]["verdict"]["reason"];
    assert_eq!(reason["kind"], "not-configured");
    assert_eq!(
        reason["what"],
        "hire-date (where the hire date stands) under [settings] in scimspec.toml: write hire-date = \"title\" if that is right"
    );

    // An extension's attribute is set with its URN, and checked there.
    let path = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:employeeNumber";
    bench.write("scimspec.toml", &format!("[settings]\nhire-date = \"{path}\"\nodd = \"title\"\n"));
    run().exits(0);
    let report = bench.json("run.json");
    assert!(verdicts(&report).iter().all(|said| said.ends_with("\"passed\"")), "{:?}", verdicts(&report));

    // A server that does not keep what stands there fails.
    bench.write("scimspec.toml", "[settings]\nhire-date = \"displayName\"\n");
    let faulty = Reference::start(ServerOptions {
        faults: vec![Fault::from_name("create-drops:User.displayName").unwrap()],
        ..ServerOptions::default()
    });
    let words = [
        "run",
        faulty.url(),
        "--token-env",
        VARIABLE,
        "--profile",
        "v/profiles/vendor.yaml",
        "--case",
        "*/hire-date",
    ];
    let failed = bench.run(&words).exits(1);
    assert!(failed.stdout.contains("displayName is absent"), "{}", failed.stdout);

    bench.write("scimspec.toml", "[settings]\nhire-dat = \"title\"\n");
    let unknown = run().exits(2);
    assert_eq!(
        unknown.stderr,
        "error: [settings] in scimspec.toml: no profile has a setting `hire-dat`; did you mean `hire-date`?\n"
    );
}

/// Terminal, run.json and JUnit show what deviates with its citation and the reason, and what has become obsolete.
#[test]
fn the_reports_show_deviations_with_citation_and_reason() {
    let bench = Bench::new();
    bench.write("v/profiles/vendor.yaml", VENDOR.trim_start());
    let faulty = Reference::start(ServerOptions {
        faults: vec![Fault::from_name("delete-answers-200").unwrap()],
        ..ServerOptions::default()
    });
    let words = [
        "run",
        faulty.url(),
        "--token-env",
        VARIABLE,
        "--profile",
        "v/profiles/vendor.yaml",
        "--case",
        "delete/user",
        "--case",
        "rules/location-on-create",
        "--json",
        "run.json",
        "--junit",
        "scim.xml",
    ];
    let ran = bench.run(&words).exits(0);
    let shown = after(&ran.stdout, "── as documented");
    let section = shown.split("\n── summary").next().unwrap();
    insta::assert_snapshot!("deviations_terminal", stable(section));
    for line in [
        "    deviates  1\n",
        "  documented  2 deviations from the RFCs, 1 met\n",
        "    obsolete  rules/location-on-create on POST /Users\n",
        "              the answers are as the RFC has them: v/profiles/vendor.yaml:10:5\n",
    ] {
        assert!(shown.contains(line), "{line}\n{shown}");
    }
    let report = bench.json("run.json");
    assert_eq!(report["summary"]["verdicts"]["deviates"], 1);
    assert_eq!(report["deviations"][0]["documented"], 1);
    // The flow makes a user twice.
    assert_eq!(report["deviations"][1]["conformant"], 2);
    assert_eq!(report["outcomes"][0]["verdict"]["citation"], "OKTA-SPEC-06: Create the user");
    assert!(report["requirements"]["OKTA-SPEC-06"]["sentence"].as_str().unwrap().contains("POST /Users"));
    let xml = bench.read("scim.xml");
    for part in [
        r#"<property name="verdict" value="deviates"/>"#,
        r#"<property name="deviation" value="OKTA-SPEC-06: Create the user"/>"#,
        r#"<property name="deviation-obsolete" value="rules/location-on-create on POST /Users"/>"#,
        "deletes are answered with a body",
    ] {
        assert!(xml.contains(part), "{part}\n{xml}");
    }
}

fn after(text: &str, mark: &str) -> String {
    text.find(mark).map_or_else(|| panic!("no {mark} in\n{text}"), |at| text[at..].to_owned())
}
