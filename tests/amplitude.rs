//! The profile `amplitude` against the server that behaves as Amplitude documents it: without a fault nothing fails, below
//! the documented limit; each of the server's own faults turns a case about it red.
//!
//! The limit is scaled: a hundred requests in a few seconds instead of a minute, and a pace to match.

mod common;

use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroU32;
use std::time::Duration;

use common::{Trial, library};
use scimspec::outcome::{Outcome, Verdict};
use scimspec::profile::Profile;
use scimspec::requirement::Catalogue;
use scimspec::server::{Fault, RateLimit, ServerOptions, ServerProfile};
use scimspec::target::Rate;

const WINDOW: Duration = Duration::from_secs(3);
const LIMIT: NonZeroU32 = NonZeroU32::new(100).unwrap();
/// Below the limit with a distance, as the profile is below Amplitude's.
const PACE: NonZeroU32 = NonZeroU32::new(90).unwrap();

/// Why a case cannot be judged on the double.
const SKIPPED: &[(&str, &str)] = &[(
    "amplitude-authentication/switched-off",
    "not configured: the hook 'disable-scim'; give it a command under [hooks.disable-scim] in scimspec.toml",
)];

/// The cases where the documents say something else than the RFCs, and the double does as they say.
const DEVIATING: &[&str] = &[
    "amplitude-groups/create",
    "amplitude-groups/created-id",
    "amplitude-groups/listed-id",
    "amplitude-paging/count",
    "amplitude-paging/items-per-page",
    "amplitude-users/create-answer",
    "amplitude-users/meta",
    "rules/deleted-is-gone",
    "rules/id-present",
    "rules/list-arithmetic",
];

/// Faults of the double, each with a case that is about it and fails.
const CAUGHT: &[(&str, &str)] = &[
    // Users.
    ("id-case-sensitive", "amplitude-users/any-case"),
    ("delete-case-sensitive", "amplitude-users/delete"),
    ("id-encoded-unknown", "amplitude-users/address-in-the-path"),
    ("id-opaque", "amplitude-users/create"),
    ("id-required", "amplitude-users/create-by-okta"),
    ("user-name-unchecked", "amplitude-users/user-name-that-is-no-address"),
    ("create-answers-200", "amplitude-users/create"),
    ("create-answer-empty", "amplitude-users/create"),
    ("create-answers-another", "amplitude-users/create"),
    ("create-invites-another", "amplitude-users/create"),
    ("create-slash-unknown", "amplitude-users/slash-at-the-end"),
    ("json-refused", "amplitude-users/media-types[json]"),
    ("charset-refused", "amplitude-users/media-types[okta]"),
    ("password-echoed", "rules/password-never-returned"),
    ("duplicate-invited-again", "amplitude-users/duplicate"),
    ("duplicate-joined-taken", "amplitude-invitations/joined-is-not-created-again"),
    ("duplicate-by-case", "amplitude-users/duplicate"),
    ("duplicate-answers-500", "amplitude-users/duplicate"),
    ("pending-inactive", "amplitude-invitations/pending-is-active"),
    ("joined-inactive", "amplitude-invitations/joined-is-active"),
    ("placeholder-missing", "amplitude-invitations/nameless"),
    ("placeholder-for-all", "amplitude-users/update"),
    ("put-deactivate-ignored", "amplitude-invitations/deactivate-pending"),
    ("patch-deactivate-ignored", "amplitude-invitations/deactivate-by-patch"),
    ("deactivate-leaves-pending", "amplitude-invitations/deactivate-pending"),
    ("deactivate-blocks-return", "amplitude-invitations/assigned-again"),
    ("deactivate-leaves-member", "amplitude-invitations/removed-leaves-groups"),
    ("delete-leaves-invitation", "amplitude-invitations/delete-pending"),
    ("delete-answers-200", "amplitude-users/delete"),
    ("delete-deactivates", "amplitude-users/delete"),
    ("email-change-taken", "amplitude-users/address-stays-by-put"),
    ("email-change-answers-500", "amplitude-users/address-stays-by-put"),
    ("put-unknown-succeeds", "amplitude-users/update-of-nobody"),
    ("put-name-ignored", "amplitude-users/update"),
    ("patch-path-ignored", "amplitude-users/patch[with-path]"),
    ("patch-pathless-ignored", "amplitude-users/patch[without-path]"),
    ("unsupported-refused", "amplitude-users/other-attributes"),
    ("groups-applied-on-create", "amplitude-users/groups-ignored-on-create"),
    ("groups-applied-on-update", "amplitude-users/groups-ignored-on-update"),
    // Groups.
    ("group-read-id-integer", "amplitude-groups/read"),
    ("group-id-differs", "amplitude-groups/listed-id"),
    ("group-create-answers-202", "amplitude-groups/create"),
    ("group-create-without-members", "amplitude-groups/created-group-is-there"),
    ("members-not-invited", "amplitude-groups/create-invites"),
    ("members-unknown-refused", "amplitude-groups/create-invites"),
    ("members-unknown-dropped", "amplitude-groups/create-invites"),
    ("members-invited-inactive", "amplitude-groups/create-invites"),
    ("member-display-missing", "amplitude-groups/member-name"),
    ("add-replaces-members", "amplitude-groups/add"),
    ("add-renames-group", "amplitude-groups/add"),
    ("add-ignored", "amplitude-groups/add"),
    ("remove-ignored", "amplitude-groups/remove"),
    ("group-rename-ignored", "amplitude-groups/rename"),
    ("group-patch-answers-204", "amplitude-groups/add"),
    ("group-delete-answers-200", "amplitude-groups/delete"),
    ("group-delete-removes-users", "amplitude-groups/delete"),
    ("group-times-frozen", "amplitude-groups/times"),
    ("group-times-without-offset", "amplitude-groups/times"),
    ("group-filter-ignored", "amplitude-groups/find"),
    ("group-numbers-only", "amplitude-groups/unknown[no-number]"),
    // Lists, keys, the limit.
    ("page-of-200", "amplitude-paging/largest-page[items-per-page]"),
    ("page-of-20", "amplitude-paging/default-page"),
    ("page-size-ignored", "amplitude-paging/page-size"),
    ("page-size-not-shown", "amplitude-users/list"),
    ("start-index-from-zero", "amplitude-paging/start-index"),
    ("total-is-page", "amplitude-paging/page-size"),
    ("pending-unlisted", "amplitude-users/pending-is-listed"),
    ("joined-listed-twice", "rules/list-no-repeats"),
    ("filter-case-sensitive", "amplitude-paging/filter"),
    ("filter-misses-pending", "amplitude-paging/filter"),
    ("limit-missing", "amplitude-rate-limit/limit"),
    ("limit-of-50", "amplitude-rate-limit/limit"),
    ("old-key-lives", "amplitude-authentication/key-rotation"),
    ("bad-key-answers-200", "amplitude-authentication/wrong-key"),
    ("other-organisation-listed", "amplitude-authentication/other-organisation"),
    ("other-organisation-read", "amplitude-authentication/other-organisation"),
];

/// Faults that are a warning or a note, since the documents say nothing about them: with what becomes of a client.
const REMARKED: &[(&str, &str)] = &[
    ("limit-without-retry-after", "amplitude-rate-limit/limit"),
    ("limit-retry-after-date", "amplitude-rate-limit/limit"),
    ("limit-answers-503", "amplitude-rate-limit/limit"),
    ("member-display-undefined", "amplitude-groups/invited-name"),
    ("limit-answers-html", "rules/error-shape"),
    ("deactivate-keeps", "amplitude-invitations/deactivate-pending"),
    ("id-unchecked", "amplitude-users/id-of-the-client"),
];

/// Faults that no case sees, with the reason.
const UNSEEN: &[(&str, &str)] = &[
    (
        "limit-renewed-with-key",
        "a request with a new key right after a burst would have to pass the closed gate",
    ),
    ("create-redirected", "308 is followed with the body, as RFC 7644 section 3.12 has clients do"),
];

fn amplitude() -> &'static Profile {
    library().profiles().get("amplitude").expect("the profile is shipped")
}

fn server(rate_limit: RateLimit) -> ServerOptions {
    ServerOptions {
        profile: Some(ServerProfile::from_name("amplitude").expect("the server has the profile")),
        rate_limit: Some(rate_limit),
        ..ServerOptions::default()
    }
}

/// Below the limit.
fn limited() -> Trial<'static> {
    let limit = RateLimit::new(LIMIT, WINDOW, None).expect("a limit");
    Trial {
        server: server(limit),
        rate: Some(Rate { requests: PACE, per: WINDOW }),
        ..Trial::of(amplitude())
    }
}

/// Without a limit to speak of.
fn unlimited() -> Trial<'static> {
    let limit = RateLimit::new(NonZeroU32::MAX, WINDOW, None).expect("a limit");
    Trial { server: server(limit), ..Trial::of(amplitude()) }
}

fn told(outcomes: &[&Outcome]) -> String {
    outcomes
        .iter()
        .map(|outcome| {
            let findings: Vec<&str> = outcome.findings.iter().map(|it| it.message.as_str()).collect();
            format!("{}: {:?} {findings:#?} {:#?}", outcome.id, outcome.verdict, outcome.notes)
        })
        .collect::<Vec<_>>()
        .join("\n")
}

#[test]
fn what_is_documented_holds_below_the_limit() {
    let ran = limited().run().expect("the double can be probed");
    let fine = |outcome: &&Outcome| {
        !matches!(
            outcome.verdict,
            Verdict::Passed | Verdict::Noted | Verdict::Deviates { .. } | Verdict::Skipped { .. }
        )
    };
    let wrong: Vec<&Outcome> = ran.outcomes.iter().filter(fine).collect();
    assert!(wrong.is_empty(), "{}", told(&wrong));
    assert!(ran.clean_up.is_complete() && ran.clean_up.disowned.is_empty(), "{:?}", ran.clean_up);
    let skipped: BTreeMap<String, String> = ran.skips();
    let expected: BTreeMap<String, String> =
        SKIPPED.iter().map(|(id, why)| ((*id).to_owned(), (*why).to_owned())).collect();
    assert_eq!(skipped, expected);
    assert!(skipped.len() <= 5);
    let deviating: BTreeSet<&str> = ran
        .outcomes
        .iter()
        .filter(|outcome| matches!(outcome.verdict, Verdict::Deviates { .. }))
        .map(|outcome| outcome.id.as_str())
        .collect();
    assert_eq!(deviating, BTreeSet::from_iter(DEVIATING.iter().copied()));
    // Nothing but the burst was refused.
    let refused: BTreeSet<&str> = ran
        .exchanges
        .iter()
        .filter(|exchange| exchange.status() == Some(429))
        .map(|exchange| exchange.origin.as_str())
        .collect();
    assert_eq!(refused, BTreeSet::from(["amplitude-rate-limit/limit"]));
}

#[test]
fn nobody_is_left_behind() {
    // All but what changes the key, by which the test looks afterwards.
    let suites = ["users", "groups", "invitations", "paging"];
    let cases = suites.map(|suite| format!("amplitude-{suite}/*")).to_vec();
    let ran = Trial { cases, ..unlimited() }.run().expect("the double can be probed");
    assert!(ran.clean_up.is_complete() && ran.clean_up.disowned.is_empty(), "{:?}", ran.clean_up);
    assert_eq!(ran.remaining, Ok(Vec::new()), "whom a group invited is gone, too");
}

/// The outcome of a case on a double with that fault.
fn with_fault(fault: &str, case: &str) -> Outcome {
    let about_limit = fault.starts_with("limit-");
    let trial = if about_limit { limited() } else { unlimited() };
    // A rule needs exchanges, and pages need people.
    let cases = match case {
        "rules/error-shape" => vec![case.to_owned(), "amplitude-rate-limit/*".to_owned()],
        _ if case.starts_with("rules/") => vec![case.to_owned(), "amplitude-users/*".to_owned()],
        _ => vec![case.to_owned()],
    };
    let seed_users = match fault {
        _ if fault.starts_with("page-of-") => 120,
        "joined-listed-twice" => 20,
        _ => 0,
    };
    let fault = Fault::from_name(&format!("amplitude-{fault}")).expect("the double has the fault");
    let trial =
        Trial { cases, faults: vec![fault], server: ServerOptions { seed_users, ..trial.server }, ..trial };
    let ran = trial.run().expect("the double can be probed");
    ran.outcomes
        .into_iter()
        .find(|outcome| outcome.id == case)
        .unwrap_or_else(|| panic!("there is no case {case}"))
}

/// What comes of each fault, with its name.
fn with_each<'f>(faults: &[(&'f str, &str)]) -> Vec<(&'f str, Outcome)> {
    common::several_at_once(6, faults, |(fault, case)| (*fault, with_fault(fault, case)))
}

#[test]
fn each_fault_of_the_double_turns_a_case_about_it_red() {
    let silent: Vec<String> = with_each(CAUGHT)
        .iter()
        .filter(|(_, outcome)| outcome.verdict != Verdict::Failed)
        .map(|(fault, outcome)| format!("{fault}: {}", told(&[outcome])))
        .collect();
    assert!(silent.is_empty(), "{} faults are not caught:\n{}", silent.len(), silent.join("\n"));
    assert!(CAUGHT.len() >= 20);
}

#[test]
fn what_the_documents_leave_open_is_remarked() {
    let all = with_each(REMARKED);
    for (fault, outcome) in &all {
        assert!(matches!(outcome.verdict, Verdict::Warned | Verdict::Noted), "{fault}: {}", told(&[outcome]));
    }
    let (_, outcome) = &all[0];
    assert!(outcome.findings[0].message.contains("Okta then waits for 5 minutes"), "{}", told(&[outcome]));
}

#[test]
fn every_fault_of_the_double_is_accounted_for() {
    let known: BTreeSet<String> =
        CAUGHT.iter().chain(REMARKED).chain(UNSEEN).map(|(fault, _)| format!("amplitude-{fault}")).collect();
    let profile = ServerProfile::from_name("amplitude").expect("the server has the profile");
    let there: BTreeSet<String> = profile.entry().faults().map(|fault| fault.name.to_owned()).collect();
    assert_eq!(known, there);
}

#[test]
fn every_documented_behaviour_is_cited_by_a_case() {
    let cited: BTreeSet<&str> = amplitude()
        .cases(library())
        .flat_map(|(_, case)| case.source.iter().chain(case.steps.iter().flat_map(|step| &step.source)))
        .map(String::as_str)
        .collect();
    let documented: Vec<&str> = Catalogue::embedded()
        .sources()
        .map(|it| it.id.as_str())
        .filter(|id| id.starts_with("AMP-"))
        .collect();
    assert_eq!(documented.len(), 41);
    let missing: Vec<&&str> = documented.iter().filter(|id| !cited.contains(**id)).collect();
    assert!(missing.is_empty(), "no case cites {missing:?}");
}
