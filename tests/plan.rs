//! `scimspec list --plan` against runs: what it says beforehand is what the run needs, give or take 10 %.

use std::process::Command;

use serde_json::Value;

fn scimspec(arguments: &[&str]) -> String {
    let folder = tempfile::tempdir().expect("a folder");
    let mut command = Command::new(env!("CARGO_BIN_EXE_scimspec"));
    let output =
        command.args(arguments).current_dir(folder.path()).env("COLUMNS", "120").output().expect("it runs");
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("text")
}

/// The number behind a word at the beginning of a line.
fn figure(text: &str, word: &str) -> u64 {
    let line = text.lines().find(|line| line.split_whitespace().next() == Some(word));
    let number = line.and_then(|line| line.split_whitespace().nth(1));
    number.and_then(|number| number.parse().ok()).unwrap_or_else(|| panic!("no {word} in {text}"))
}

#[test]
fn a_plan_says_what_a_run_needs() {
    let selections: &[&[&str]] = &[
        &[],
        &["--profile", "okta"],
        &["--case", "patch/*"],
        &["--case", "filter/*"],
        &["--case", "version/*", "--case", "replace/*"],
        &["--profile", "okta", "--case", "okta-groups/*"],
    ];
    // Much of a run is waiting.
    std::thread::scope(|scope| {
        for selection in selections {
            scope.spawn(|| is_planned(selection));
        }
    });
}

fn is_planned(selection: &[&str]) {
    let planned = scimspec(&[&["list", "--plan", "--rate", "100/min"], selection].concat());
    let total = figure(&planned, "total");
    let parts = ["probe", "givens", "reads", "writes", "read-backs", "clean-up"];
    assert_eq!(parts.iter().map(|part| figure(&planned, part)).sum::<u64>(), total, "{planned}");
    let report = tempfile::NamedTempFile::new().expect("a file");
    let path = report.path().to_str().expect("a path").to_owned();
    scimspec(&[&["run", "--seed", "7", "--json", &path], selection].concat());
    let report: Value =
        serde_json::from_slice(&std::fs::read(&path).expect("the report")).expect("it is JSON");
    let made = report["summary"]["requests"].as_u64().expect("a count");
    let off = total.abs_diff(made);
    assert!(off * 100 <= made * 10, "{selection:?}: {total} were planned, {made} were made\n{planned}");
    let minutes = total * 60 / 100;
    let says = planned.lines().last().unwrap_or_default();
    let expected =
        if minutes < 90 { format!("{} s", minutes.max(1)) } else { format!("{} min", total.div_ceil(100)) };
    assert!(says.contains(&expected), "{says}, expected {expected}");
}

#[test]
fn a_run_that_will_be_slow_says_so_by_the_same_estimate() {
    let selection = ["--case", "schemas/*", "--rate", "1000/s"];
    let planned = scimspec(&[&["list", "--plan"], &selection[..]].concat());
    let run = scimspec(&[&["run"], &selection[..]].concat());
    let said = format!("about {} requests; at 1000/s this takes about 1 s", figure(&planned, "total"));
    assert!(run.contains(&said), "{said}\n{run}");
}
