//! The plan, on small libraries written for it.

use std::fs;

use super::*;
use crate::suite::load::Library;
use crate::suite::model::Capability;

/// A library that holds, beside the embedded suites, the one given; and the plan of that one alone.
fn planned<T>(
    suite: &str,
    conditions: &Conditions<'_>,
    selection: &Selection,
    look: impl Fn(&Plan<'_>) -> T,
) -> T {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("own.yaml"), suite).unwrap();
    let library = Library::load(&[folder.path().to_owned()]).unwrap_or_else(|all| panic!("{all:?}"));
    let own: Vec<&SuiteFile> = library.suites().iter().filter(|file| file.suite.suite == "own").collect();
    assert_eq!(own.len(), 1);
    let profile = Profile::by_name(&library, "rfc").unwrap();
    let mut plan = plan(library.suites(), Catalogue::embedded(), profile, selection, conditions);
    plan.jobs.retain(|job| job.file.suite.suite == "own");
    look(&plan)
}

const EVERYTHING: Conditions<'static> =
    Conditions { claims: &|_| Ok(()), allow: &[], read_only: false, schemas: None };

fn select(cases: &[&str], skips: &[&str]) -> Selection {
    let owned = |all: &[&str]| all.iter().map(|one| (*one).to_owned()).collect::<Vec<_>>();
    Selection::new(&owned(cases), &owned(skips), &[]).unwrap()
}

fn ids(plan: &Plan<'_>) -> Vec<String> {
    plan.parts().map(|(_, part)| part.id.clone()).collect()
}

const SUITE: &str = r#"
suite: own
title: Cases for the plan
cases:
  - id: changes
    title: A case that changes its user and reads its group
    given: {ann: user, staff: group}
    steps:
      - send: PATCH /Users/${ann.id}
        operations: [{op: replace, path: title, value: Clerk}]
        expect: {status: [200, 204]}
      - {read: staff, expect: {status: 200}}
  - id: reads
    title: A case that only reads, two users alike
    given: {ann: user, bob: user, staff: group}
    steps:
      - {read: ann, expect: {status: 200}}
  - id: rows
    title: A case with rows
    rows: [{id: one, data: {n: 1}}, {id: two, data: {n: 2}}]
    steps:
      - send: GET /Users?count=${row.n}
        expect: {status: 200}
  - id: flow
    title: A case with checkpoints
    steps:
      - {send: GET /Users, expect: {status: 200}}
      - {checkpoint: flow-01, title: First, send: GET /Users, expect: {status: 200}}
      - {checkpoint: flow-02, title: Second, level: should, send: GET /Groups, expect: {status: 200}}
  - id: careful
    title: A case that has to be allowed
    allow: [disruptive]
    steps: [{send: GET /Users, expect: {status: 200}}]
"#;

#[test]
fn rows_and_checkpoints_are_parts_with_ids_of_their_own() {
    planned(SUITE, &EVERYTHING, &Selection::default(), |plan| {
        let mut ids = ids(plan);
        ids.sort();
        assert_eq!(
            ids,
            [
                "own/careful",
                "own/changes",
                "own/flow-01",
                "own/flow-02",
                "own/reads",
                "own/rows[one]",
                "own/rows[two]"
            ]
        );
        let (_, second) = plan.parts().find(|(_, part)| part.id == "own/flow-02").unwrap();
        assert_eq!((second.title.as_str(), second.level), ("Second", Level::Should));
    });
}

#[test]
fn a_selection_knows_cases_rows_and_checkpoints() {
    for (cases, skips, expected) in [
        (vec!["own/rows"], vec![], vec!["own/rows[one]", "own/rows[two]"]),
        (vec!["own/rows[two]"], vec![], vec!["own/rows[two]"]),
        (vec!["own/flow-02"], vec![], vec!["own/flow-01", "own/flow-02"]),
        (vec!["own/r*"], vec!["*/reads"], vec!["own/rows[one]", "own/rows[two]"]),
        (vec!["other/*"], vec![], vec![]),
    ] {
        planned(SUITE, &EVERYTHING, &select(&cases, &skips), |plan| {
            assert_eq!(ids(plan), expected, "{cases:?}")
        });
    }
    assert!(Selection::new(&["{".to_owned()], &[], &[]).is_err());
}

#[test]
fn what_only_reads_runs_first_and_shares() {
    planned(SUITE, &EVERYTHING, &Selection::default(), |plan| {
        let job = |id: &str| plan.jobs.iter().find(|job| job.case.id == id).unwrap();
        assert_eq!(job("reads").phase, Phase::ReadOnly);
        assert_eq!(job("changes").phase, Phase::Write);
        let changes = &job("changes").pooled;
        assert!(!changes.contains_key("ann"), "a PATCH mentions it");
        assert_eq!(changes.get("staff"), job("reads").pooled.get("staff"), "both only read the group");
        let reads = &job("reads").pooled;
        assert_ne!(reads["ann"], reads["bob"], "two givens of one case are two resources");
        let phases: Vec<Phase> = plan.jobs.iter().map(|job| job.phase).collect();
        assert!(phases.is_sorted());
    });
}

#[test]
fn what_cannot_run_is_skipped_with_its_reason() {
    let disposition = |conditions: &Conditions<'_>, id: &str| {
        planned(SUITE, conditions, &Selection::default(), |plan| {
            plan.jobs.iter().find(|job| job.case.id == id).unwrap().disposition.clone()
        })
    };
    assert_eq!(
        disposition(&EVERYTHING, "careful"),
        Disposition::Skip(SkipReason::NeedsAllow { permission: "disruptive".to_owned() })
    );
    let allowed = Conditions { allow: &[Permission::Disruptive], ..EVERYTHING };
    assert_eq!(disposition(&allowed, "careful"), Disposition::Run);
    let read_only = Conditions { read_only: true, ..EVERYTHING };
    assert_eq!(
        disposition(&read_only, "reads"),
        Disposition::Skip(SkipReason::ReadOnly),
        "givens are written"
    );
    assert_eq!(disposition(&read_only, "rows"), Disposition::Run);

    let suite = SUITE
        .replace("title: A case that only reads, two users alike", "title: Sorted\n    requires: [sort]");
    let refused = Conditions {
        claims: &|_| Err("ServiceProviderConfig.sort.supported = false".to_owned()),
        ..EVERYTHING
    };
    let skipped = planned(&suite, &refused, &Selection::default(), |plan| {
        plan.jobs.iter().find(|job| job.case.id == "reads").unwrap().disposition.clone()
    });
    let Disposition::Skip(reason) = skipped else { panic!("it runs") };
    assert_eq!(reason.to_string(), "needs sort: ServiceProviderConfig.sort.supported = false");
}

#[test]
fn a_search_is_no_write_and_a_name_in_a_body_is_a_mention() {
    let step = |yaml: &str| -> Step {
        serde_saphyr::from_str(yaml).unwrap_or_else(|error| panic!("{yaml}: {error}"))
    };
    assert!(!is_write(&step("{send: POST /Users/.search, body: {}}")));
    assert!(is_write(&step("{send: POST /Users, body: {}}")));
    assert!(!is_write(&step("{read: ann}")));
    let add = step(
        "{send: 'PATCH /Groups/${g.id}', operations: [{op: add, path: members, value: ['${ann.member}']}]}",
    );
    assert_eq!(mentions(&add).into_iter().collect::<Vec<_>>(), ["ann", "g"]);
    let put = step("{send: 'PUT /Users/${ann.id}', make: {from: ann, set: {title: '${word}'}}}");
    assert_eq!(mentions(&put).into_iter().collect::<Vec<_>>(), ["ann", "word"]);
    assert_eq!(stands_on(&put).into_iter().collect::<Vec<_>>(), ["ann"]);
}

const FORMS: &str = r#"
suite: own
title: A case that is done in two forms
actions:
  rename:
    params: [user, name]
    forms:
      patch: [{send: "PATCH /Users/${user.id}", requires: [patch], operations: [{op: replace, value: {title: "${name}"}}]}]
      put: [{send: "PUT /Users/${user.id}", make: {from: user, set: {title: "${name}"}}}]
cases:
  - id: renames
    title: A case that renames
    given: {ann: user, bob: user}
    rows: [{id: a, data: {name: A}}, {id: b, data: {name: B}}]
    steps:
      - {checkpoint: renamed, title: It is renamed, do: {rename: {user: ann, name: "${row.name}"}}}
      - {read: bob}
"#;

#[test]
fn each_form_is_a_job_that_needs_what_the_form_needs() {
    let all = Selection::default();
    planned(FORMS, &EVERYTHING, &all, |plan| {
        let expected =
            ["own/renamed@patch[a]", "own/renamed@patch[b]", "own/renamed@put[a]", "own/renamed@put[b]"];
        assert_eq!(ids(plan), expected);
        let first = &plan.jobs[0];
        assert_eq!(first.id(), "own/renames@patch[a]");
        assert_eq!(
            (first.phase, first.parts[0].path.as_str()),
            (Phase::Write, "actions.rename.forms.patch[0]")
        );
        assert_eq!(
            first.pooled.keys().collect::<Vec<_>>(),
            ["bob"],
            "what the action writes to is not shared"
        );
        assert!(first.requires().any(|it| *it == Requires::Capability(Capability::Patch)));
    });
    planned(FORMS, &EVERYTHING, &select(&["own/renames@put"], &[]), |plan| {
        assert_eq!(ids(plan), ["own/renamed@put[a]", "own/renamed@put[b]"]);
    });
    let claims = |requires: &Requires| match requires {
        Requires::Capability(Capability::Patch) => Err("patch.supported = false".to_owned()),
        _ => Ok(()),
    };
    planned(FORMS, &Conditions { claims: &claims, ..EVERYTHING }, &all, |plan| {
        let runs: Vec<String> = plan.running().map(Job::id).collect();
        assert_eq!(runs, ["own/renames@put[a]", "own/renames@put[b]"]);
    });
}
