//! Properties of scimspec itself: what reads a suite, judges an answer, writes a report and keeps a secret does so
//! whatever it is given. The same functions are behind the coverage-guided targets in `fuzz/`.
//!
//! The inputs are bytes read as decisions ([`choices`]), so that an input either of them finds is one line of a test here.

#[path = "../common/mod.rs"]
mod common;
#[path = "../hostile/mod.rs"]
mod hostile;

mod answers;
mod choices;
mod messages;
mod reports;
mod secrets;
mod suites;

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind, set_hook, take_hook};
use std::sync::{LazyLock, Once};
use std::time::Duration;

use answers::Recorded;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestError, TestRng, TestRunner};

thread_local! {
    /// Whether a panic of this thread is one of many that lead to the smallest input, and not told.
    static TRYING: Cell<bool> = const { Cell::new(false) };
}

/// What a property says of an input, if it does not hold.
fn said(property: &impl Fn(&[u8]), bytes: &[u8]) -> Result<(), String> {
    TRYING.set(true);
    let caught = catch_unwind(AssertUnwindSafe(|| property(bytes)));
    TRYING.set(false);
    caught.map_err(|panic| match (panic.downcast_ref::<String>(), panic.downcast_ref::<&str>()) {
        (Some(said), _) => said.clone(),
        (None, said) => said.copied().unwrap_or_default().to_owned(),
    })
}

/// Tries a property on so many inputs: the same ones in every run, unless `SEED` says otherwise, and more of them with
/// `CASES`.
fn try_all(cases: u32, longest: usize, property: impl Fn(&[u8])) {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let usual = take_hook();
        set_hook(Box::new(move |panic| {
            if !TRYING.get() {
                usual(panic);
            }
        }));
    });
    let asked = |name: &str| std::env::var(name).ok().and_then(|value| value.parse::<u64>().ok());
    let cases = asked("CASES").map_or(cases, |cases| u32::try_from(cases).unwrap_or(u32::MAX));
    let config = Config { cases, failure_persistence: None, max_shrink_iters: 1000, ..Config::default() };
    let mut seed = [0; 32];
    seed[..8].copy_from_slice(&asked("SEED").unwrap_or(20_150_915).to_le_bytes());
    let mut runner = TestRunner::new_with_rng(config, TestRng::from_seed(RngAlgorithm::ChaCha, &seed));
    let inputs = vec(any::<u8>(), 0..longest);
    match runner.run(&inputs, |bytes| said(&property, &bytes).map_err(TestCaseError::fail)) {
        Ok(()) => {}
        Err(TestError::Fail(why, bytes)) => panic!("{:.6000}\nwith the bytes {bytes:?}", why.to_string()),
        Err(TestError::Abort(why)) => panic!("{why}"),
    }
}

#[test]
fn suites_with_slips_are_read_or_refused_at_a_place() {
    try_all(250, 60, suites::check_slips);
}

#[test]
fn odd_texts_are_read_or_refused_at_a_place() {
    for (path, text) in suites::each_odd_text() {
        suites::check(path, &text);
    }
    try_all(100, 80, suites::check_bytes);
}

#[test]
fn the_files_inside_scimspec_are_sound_each_alone() {
    for (path, text) in suites::FILES.iter().filter(|(path, _)| !path.contains("/vectors/")) {
        suites::check(path, text);
    }
}

/// Cases with an expectation of every kind.
const CASES: &[&str] = &[
    "create/*",
    "replace/*",
    "patch/*",
    "query/*",
    "search/*",
    "sort/*",
    "paging/*",
    "bulk/*",
    "errors/*",
    "schemas/*",
    "projection/*",
    "versions/*",
    "okta-*/*",
    "groups/*",
    "methods/*",
];

static RECORDED: LazyLock<Recorded> = LazyLock::new(|| Recorded::of(CASES));

#[test]
fn altered_answers_are_judged_the_same_twice_and_reported() {
    try_all(150, 120, |bytes| RECORDED.check(bytes));
}

/// Twice the `ROWS` may take twice the time: four seconds for 4 000 of them, of which a case with sixty checks of every row
/// takes three in a debug build.
#[test]
#[ignore = "takes minutes, and a machine that does nothing else"]
fn large_answers_are_judged_soon() {
    let rows = std::env::var("ROWS").ok().and_then(|rows| rows.parse().ok()).unwrap_or(4_000);
    let slow = RECORDED.slow(rows, Duration::from_millis(rows as u64));
    assert!(slow.is_empty(), "{slow:#?}");
}

#[test]
fn reports_of_anything_are_sound() {
    try_all(120, 1500, reports::check_bytes);
}

#[test]
fn a_secret_stands_in_no_exchange_however_it_comes_back() {
    let echo = secrets::Echo::start();
    try_all(200, 120, |bytes| echo.check(bytes));
}

#[test]
fn filters_paths_and_requests_with_slips_print_as_they_were_read() {
    let vectors: Vec<&str> = suites::FILES
        .iter()
        .filter(|(path, _)| path.contains("/vectors/"))
        .flat_map(|(_, text)| text.lines())
        .filter_map(|line| line.trim_start().trim_start_matches("- ").split_once(": "))
        .map(|(_, value)| value.trim_matches(['\'', '"']))
        .collect();
    try_all(2000, 40, |bytes| {
        let mut choices = choices::Choices::new(bytes);
        let text = suites::with_slips(choices.pick(&vectors), &mut choices);
        let text = text.trim_end();
        messages::filter(text);
        messages::path(text);
        messages::patch(text.as_bytes());
    });
}
