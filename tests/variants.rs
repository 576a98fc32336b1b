//! Every case of the RFCs against servers that keep the RFCs in another way than the reference server does by itself: each
//! variant alone, and pairs of them. Nothing may fail in the default reading: a failure here is a false alarm.
//!
//! `VARIANTS=name,name cargo test --test variants` tries these alone and each pair of them, and nothing else.

mod common;

use std::collections::BTreeSet;
use std::sync::LazyLock;

use common::{Ran, Trial, everything, library, side_by_side};
use regex::Regex;
use scimspec::outcome::{Outcome, Verdict};
use scimspec::profile::Profile;
use scimspec::server::{Variant, variants};

/// Cases that repeat what a vendor's own test asks beyond the RFCs, with the variants that it refuses: what such a case
/// says of them is the vendor's word, and no false alarm.
const VENDORS: &[(&str, &[&str])] = &[
    // Okta wants a detail in each error.
    ("error-without-detail", &["okta-spec/step-04", "okta-spec/step-11", "okta-spec/step-12"]),
    // It creates with application/json, and what follows stands on the user that it creates.
    ("request-of-plain-json-refused", &["okta-spec/step-06"]),
    // It wants 401 with an error in SCIM's form.
    ("unauthorized-as-forbidden", &["okta-spec/step-11"]),
    ("unauthorized-as-not-found", &["okta-spec/step-11"]),
    ("unauthorized-says-a-page", &["okta-spec/step-11"]),
    ("unauthorized-without-body", &["okta-spec/step-11"]),
    // Each user has both names, active and an address.
    ("fewest-attributes", NAMES_AND_ADDRESS),
    ("names-undivided", NAMES_AND_ADDRESS),
    // It switches people off and on by active.
    (
        "no-active",
        &[
            "okta-spec/step-01",
            "okta-spec/step-02",
            "okta-spec/step-06",
            "okta-create/new-user",
            "okta-create/existing-user@patch",
            "okta-create/existing-user@put",
            "okta-deactivate/leaver@patch",
            "okta-deactivate/leaver@put",
            "okta-deactivate/leaver-is-found@patch",
            "okta-deactivate/leaver-is-found@put",
            "okta-deactivate/several-leavers@patch",
            "okta-deactivate/several-leavers@put",
            "okta-reactivate/found-and-activated@patch",
            "okta-reactivate/found-and-activated@put",
            "okta-reactivate/off-and-on-and-off@patch",
            "okta-reactivate/off-and-on-and-off@put",
        ],
    ),
    // It searches by userName.
    (
        "filter-unsupported",
        &[
            "okta-spec/step-03",
            "okta-spec/step-05",
            "okta-spec/step-09",
            "okta-create/new-user",
            "okta-create/existing-user@patch",
            "okta-create/existing-user@put",
            "okta-deactivate/leaver-is-found@patch",
            "okta-deactivate/leaver-is-found@put",
            "okta-reactivate/found-and-activated@patch",
            "okta-reactivate/found-and-activated@put",
            "okta-username/same-id",
        ],
    ),
    // It takes the id out of the answer to a create.
    ("create-without-body", &["okta-create/new-user", "okta-groups/create@patch", "okta-groups/create@put"]),
    // It sends empty lists: of groups with each user, of members with each group.
    (
        "empty-array-refused",
        &[
            "okta-create/new-user",
            "okta-group-delete/push-again",
            "okta-groups/create-empty@patch",
            "okta-groups/create-empty@put",
            "okta-groups/old-name-is-free@patch",
            "okta-groups/old-name-is-free@put",
            "okta-groups/same-name-again@put",
        ],
    ),
    // It imports groups with those who are in them.
    ("members-on-request", &["okta-import/groups-with-members"]),
    // It renames people.
    ("user-name-immutable", &["okta-username/same-id", "okta-username/old-name-is-free"]),
    // A userName comes back as it was sent.
    ("user-name-in-lower-case", &["okta-spec/step-06", "okta-spec/step-07"]),
];

/// Where Okta's test looks at the names and the address of a user.
const NAMES_AND_ADDRESS: &[&str] = &[
    "okta-spec/step-01",
    "okta-spec/step-02",
    "okta-spec/step-06",
    "okta-spec/step-07",
    "okta-import/own-user",
    "okta-create/new-user",
    "okta-create/existing-user@patch",
    "okta-create/existing-user@put",
    "okta-reactivate/found-and-activated@patch",
    "okta-reactivate/found-and-activated@put",
    "okta-update/profile@put",
    "okta-update/member-of-a-group",
];

/// How many pairs are tried, and what picks them.
const PAIRS: usize = 40;
const SEED: u64 = 7_644;

/// Everything that a server can be, unless the environment names what to try.
fn chosen() -> (Vec<Variant>, bool) {
    let named = |name: &str| Variant::from_name(name).unwrap_or_else(|error| panic!("VARIANTS: {error}"));
    match std::env::var("VARIANTS") {
        Ok(names) => (names.split(',').map(|name| named(name.trim())).collect(), true),
        Err(_) => (variants::catalogue().iter().map(|entry| named(entry.name)).collect(), false),
    }
}

#[test]
fn exemptions_are_of_variants_that_there_are() {
    for (name, _) in VENDORS {
        Variant::from_name(name).unwrap_or_else(|error| panic!("VENDORS: {error}"));
    }
}

#[test]
fn no_variant_alone_raises_an_alarm() {
    let (all, _) = chosen();
    let plain = || looks(&run(&[], everything()).expect("the server can be probed"));
    let (plain, again) = (plain(), plain());
    let differing: Vec<_> = plain.symmetric_difference(&again).take(4).collect();
    assert!(differing.is_empty(), "two runs against one server look alike: {differing:#?}");
    let alarms = for_each(&all, |variant| {
        let ran = match run(&[*variant], everything()) {
            Ok(ran) => ran,
            Err(error) => return Some(error),
        };
        if let Some(alarms) = alarms(&ran, &[*variant]) {
            return Some(alarms);
        }
        if let Some(case) = exempted_for_nothing(&ran, *variant) {
            return Some(format!("  {case}: it says nothing against this server, and needs no exemption"));
        }
        (looks(&ran) == plain)
            .then(|| "no answer and no outcome is any different: the variant proves nothing".to_owned())
    });
    report(&alarms);
}

#[test]
fn no_pair_of_variants_raises_an_alarm() {
    let (all, few) = chosen();
    let mut pairs: Vec<[Variant; 2]> = all
        .iter()
        .enumerate()
        .flat_map(|(at, left)| all[at + 1..].iter().map(move |right| [*left, *right]))
        .filter(|[left, right]| left.goes_with(*right))
        .collect();
    if !few {
        fastrand::Rng::with_seed(SEED).shuffle(&mut pairs);
        pairs.truncate(PAIRS);
    }
    // What two do to one answer, the cases of the RFCs see; a client's flows are tried with each variant alone.
    let of_the_rfcs = &library().profiles()["rfc"];
    let alarms = for_each(&pairs, |pair| match run(pair, of_the_rfcs) {
        Ok(ran) => alarms(&ran, pair),
        Err(error) => Some(error),
    });
    report(&alarms);
}

fn run(variants: &[Variant], profile: &Profile) -> Result<Ran, String> {
    let trial = Trial { variants: variants.to_vec(), jobs: 1, ..Trial::of(profile) };
    trial.run().map_err(|error| format!("no run at all: {error}"))
}

/// What a run should not have found, if there is anything.
fn alarms(ran: &Ran, variants: &[Variant]) -> Option<String> {
    let is_vendors = |case: &str| {
        VENDORS.iter().any(|(name, cases)| {
            variants.iter().any(|variant| variant.name() == *name) && cases.contains(&case)
        })
    };
    let mut alarms: Vec<String> = ran
        .outcomes
        .iter()
        .filter(|outcome| !is_vendors(&outcome.id))
        .filter_map(|outcome| {
            let why = match &outcome.verdict {
                Verdict::Failed => {
                    let messages = outcome.findings.iter().map(|finding| {
                        format!("{} (expected {}, was {})", finding.message, finding.expected, finding.actual)
                    });
                    messages.collect::<Vec<_>>().join("; ")
                }
                Verdict::Inconclusive { .. } | Verdict::Errored { .. } => format!("{:?}", outcome.verdict),
                _ => return None,
            };
            Some(format!("  {}: {why}", outcome.id))
        })
        .collect();
    if !ran.clean_up.is_complete() {
        alarms.push(format!("  not cleaned up: {:?}", ran.clean_up.left));
    }
    if ran.remaining != Ok(Vec::new()) {
        alarms.push(format!("  left on the server: {:?}", ran.remaining));
    }
    if ran.deviations.values().any(|came| came.neither > 0) {
        alarms.push(format!("  neither as documented nor as the RFC has it: {:?}", ran.deviations));
    }
    if !ran.probe.problems.is_empty() {
        alarms.push(format!("  the probe complains: {:?}", ran.probe.problems));
    }
    if !ran.clean_up.disowned.is_empty() {
        alarms.push(format!("  disowned: {:?}", ran.clean_up.disowned));
    }
    let passed = ran.outcomes.iter().filter(|outcome| outcome.verdict == Verdict::Passed).count();
    // What is not supported is skipped, which may be much; of the rest most has to pass.
    let is_skipped = |outcome: &&Outcome| matches!(outcome.verdict, Verdict::Skipped { .. });
    let skipped = ran.outcomes.iter().filter(is_skipped).count();
    let all = ran.outcomes.len();
    if passed < (all - skipped) / 2 || passed < all / 4 {
        alarms.push(format!(
            "  only {passed} of {all} cases passed, {skipped} were skipped: the rest is hardly evidence"
        ));
    }
    (!alarms.is_empty()).then(|| alarms.join("\n"))
}

/// A case that is exempted for a variant, though it does not refuse it.
fn exempted_for_nothing(ran: &Ran, variant: Variant) -> Option<&'static str> {
    let is_refused = |case: &str| {
        ran.outcomes.iter().any(|outcome| outcome.id == case && outcome.verdict == Verdict::Failed)
    };
    let exempted = VENDORS.iter().filter(|(name, _)| *name == variant.name());
    exempted.flat_map(|(_, cases)| cases.iter().copied()).find(|case| !is_refused(case))
}

/// What the server answered and what came of it, without what differs from run to run.
fn looks(ran: &Ran) -> BTreeSet<String> {
    static CHANGING: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(concat!(
            r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}",
            r"|\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z",
            // The same in a filter, in a URL.
            r"|\d{4}-\d\d-\d\dT\d\d%3A\d\d%3A\d\d",
            r#"|W/\\?"[0-9a-f]{16}\\?""#,
            r"|127\.0\.0\.1:\d+",
            // A cursor, sealed anew each time.
            r"|[A-Za-z0-9_-]{90,}",
            r"|[A-Z][a-z]{2}, \d\d [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d GMT",
        ))
        .expect("the expression is sound")
    });
    ran.exchanges
        .iter()
        .map(|exchange| {
            let request =
                format!("{} {} {}", exchange.origin, exchange.request.method, exchange.request.path);
            let response = exchange.response().map(|response| {
                let headers: Vec<_> = response
                    .headers
                    .iter()
                    .filter(|(name, _)| !name.eq_ignore_ascii_case("content-length"))
                    .collect();
                format!("{} {headers:?} {}", response.status, response.body.text())
            });
            let response = response.unwrap_or_default();
            CHANGING.replace_all(&format!("{request} {response}"), "…").into_owned()
        })
        .chain(ran.outcomes.iter().map(|outcome| format!("{}: {}", outcome.id, outcome.verdict.word())))
        .collect()
}

/// Does something for each of many, two more at a time than there are processors, and gives what each came to.
fn for_each<T: Sync + std::fmt::Debug>(
    many: &[T],
    work: impl Fn(&T) -> Option<String> + Sync,
) -> Vec<String> {
    let came = side_by_side(many, work);
    let mut alarms: Vec<String> =
        many.iter().zip(came).filter_map(|(one, alarm)| Some(format!("{one:?}\n{}", alarm?))).collect();
    alarms.sort();
    alarms
}

fn report(alarms: &[String]) {
    assert!(alarms.is_empty(), "{} servers raised an alarm\n\n{}", alarms.len(), alarms.join("\n\n"));
}
