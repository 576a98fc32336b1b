//! Every case against servers that keep the RFCs in another way than the reference server does by itself: each
//! variant alone, and pairs of them. Nothing may fail in the default reading: a failure here is a false alarm.
//!
//! `VARIANTS=name,name cargo test --test variants` tries these alone and each pair of them, and nothing else.

mod common;

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{LazyLock, Mutex};

use common::{Ran, Trial, everything};
use regex::Regex;
use scimspec::outcome::Verdict;
use scimspec::server::{Variant, variants};

/// How many pairs are tried, and what picks them.
const PAIRS: usize = 200;
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
fn no_variant_alone_raises_an_alarm() {
    let (all, _) = chosen();
    let plain = || looks(&run(&[]).expect("the server can be probed"));
    let (plain, again) = (plain(), plain());
    let differing: Vec<_> = plain.symmetric_difference(&again).take(4).collect();
    assert!(differing.is_empty(), "two runs against one server look alike: {differing:#?}");
    let alarms = for_each(&all, |variant| {
        let ran = match run(&[*variant]) {
            Ok(ran) => ran,
            Err(error) => return Some(error),
        };
        if let Some(alarms) = alarms(&ran) {
            return Some(alarms);
        }
        (looks(&ran) == plain).then(|| "no answer is any different: the variant proves nothing".to_owned())
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
    let alarms = for_each(&pairs, |pair| match run(pair) {
        Ok(ran) => alarms(&ran),
        Err(error) => Some(error),
    });
    report(&alarms);
}

fn run(variants: &[Variant]) -> Result<Ran, String> {
    let trial = Trial { variants: variants.to_vec(), jobs: 1, ..Trial::of(everything()) };
    trial.run().map_err(|error| format!("no run at all: {error}"))
}

/// What a run should not have found, if there is anything.
fn alarms(ran: &Ran) -> Option<String> {
    let mut alarms: Vec<String> = ran
        .outcomes
        .iter()
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
    if !ran.probe.problems.is_empty() {
        alarms.push(format!("  the probe complains: {:?}", ran.probe.problems));
    }
    if !ran.clean_up.disowned.is_empty() {
        alarms.push(format!("  disowned: {:?}", ran.clean_up.disowned));
    }
    let passed = ran.outcomes.iter().filter(|outcome| outcome.verdict == Verdict::Passed).count();
    if passed < ran.outcomes.len() / 2 {
        alarms.push(format!(
            "  only {passed} of {} cases passed: the rest is hardly evidence",
            ran.outcomes.len()
        ));
    }
    (!alarms.is_empty()).then(|| alarms.join("\n"))
}

/// What the server answered, without what differs from run to run.
fn looks(ran: &Ran) -> BTreeSet<String> {
    static CHANGING: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(concat!(
            r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}",
            r"|\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z",
            r#"|W/\\?"[0-9a-f]{16}\\?""#,
            r"|127\.0\.0\.1:\d+",
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
        .collect()
}

/// Does something for each of many, two more at a time than there are processors, and gives what each came to.
fn for_each<T: Sync + std::fmt::Debug>(
    many: &[T],
    work: impl Fn(&T) -> Option<String> + Sync,
) -> Vec<String> {
    let next = AtomicUsize::new(0);
    let alarms = Mutex::new(Vec::new());
    let threads = std::thread::available_parallelism().map_or(2, |count| count.get() + 1);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                while let Some(one) = many.get(next.fetch_add(1, Ordering::Relaxed)) {
                    if let Some(alarm) = work(one) {
                        alarms.lock().expect("no panic before").push(format!("{one:?}\n{alarm}"));
                    }
                }
            });
        }
    });
    let mut alarms = alarms.into_inner().expect("no panic before");
    alarms.sort();
    alarms
}

fn report(alarms: &[String]) {
    assert!(alarms.is_empty(), "{} servers raised an alarm\n\n{}", alarms.len(), alarms.join("\n\n"));
}
