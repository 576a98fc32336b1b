//! What a run makes together is no case's fault: on servers whose Bulk or whose lists are broken or other than usual, cases
//! that are about neither come out as ever, nothing is left behind, and fewer requests are made where it works.

mod common;

use common::{Ran, Trial, everything};
use scimspec::outcome::Verdict;
use scimspec::server::{Fault, ServerOptions, Variant, faults, variants};

/// Cases that stand on what was there before, and are about neither Bulk nor lists.
fn cases() -> Vec<String> {
    ["patch-add/*", "patch-remove/*", "replace/*", "delete/group"].map(str::to_owned).to_vec()
}

fn run(faults: Vec<Fault>, variants: Vec<Variant>, server: ServerOptions) -> Ran {
    let trial = Trial { cases: cases(), faults, variants, server, ..Trial::of(everything()) };
    trial.run().expect("the server can be probed")
}

fn blamed(ran: &Ran) -> Vec<String> {
    let unclean = |verdict: &Verdict| !matches!(verdict, Verdict::Passed | Verdict::Skipped { .. });
    let mut all: Vec<String> = ran
        .outcomes
        .iter()
        .filter(|outcome| unclean(&outcome.verdict))
        .map(|outcome| {
            let messages: Vec<&str> = outcome.findings.iter().map(|it| it.message.as_str()).collect();
            format!("{}: {:?} {messages:?}", outcome.id, outcome.verdict)
        })
        .collect();
    if !ran.clean_up.is_complete() {
        all.push(format!("left behind: {:?}", ran.clean_up.left));
    }
    if ran.remaining.as_ref().is_ok_and(|remaining| !remaining.is_empty()) {
        all.push(format!("still there: {:?}", ran.remaining));
    }
    all
}

fn jobs(ran: &Ran) -> usize {
    ran.exchanges.iter().filter(|exchange| exchange.request.path == "/Bulk").count()
}

#[test]
fn what_bulk_breaks_is_no_cases_fault() {
    let mut wrong = Vec::new();
    let mut tried = 0;
    for entry in faults::catalogue().iter().filter(|entry| entry.name.starts_with("bulk-")) {
        tried += 1;
        let fault = Fault::from_name(entry.name).expect("it stands in the catalogue");
        let found = blamed(&run(vec![fault], Vec::new(), ServerOptions::default()));
        if found.is_empty() {
            continue;
        }
        // Some of them break more than Bulk: what fails where there is none is no fault of Bulk's.
        let without = Variant::from_name("bulk-unsupported").expect("it stands in the catalogue");
        let alone = blamed(&run(vec![fault], vec![without], ServerOptions::default()));
        if found.len() > alone.len() {
            wrong.extend(found.into_iter().map(|what| format!("{}: {what}", entry.name)));
        }
    }
    assert!(tried >= 10, "{tried} faults of Bulk");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn other_legal_ways_of_bulk_and_of_lists_change_no_verdict() {
    let mut wrong = Vec::new();
    let mut tried = 0;
    let about = |name: &str| ["bulk", "list", "rows", "page"].iter().any(|word| name.contains(word));
    for entry in variants::catalogue().iter().filter(|entry| about(entry.name)) {
        tried += 1;
        let variant = Variant::from_name(entry.name).expect("it stands in the catalogue");
        let ran = run(Vec::new(), vec![variant], ServerOptions::default());
        wrong.extend(blamed(&ran).into_iter().map(|what| format!("{}: {what}", entry.name)));
    }
    assert!(tried >= 3, "{tried} variants");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn it_is_worth_it() {
    let together = run(Vec::new(), Vec::new(), ServerOptions::default());
    assert!(blamed(&together).is_empty(), "{:?}", blamed(&together));
    assert!((2..=12).contains(&jobs(&together)), "{} bulk jobs", jobs(&together));
    let without = Variant::from_name("bulk-unsupported").expect("it stands in the catalogue");
    let alone = run(Vec::new(), vec![without], ServerOptions::default());
    assert_eq!(jobs(&alone), 0);
    let (few, many) = (together.exchanges.len(), alone.exchanges.len());
    assert!(few * 3 < many * 2, "{few} requests together, {many} alone");
}

/// What a list shows no more is not read one by one, and a server that keeps what it says to have deleted is found all the
/// same.
#[test]
fn what_is_gone_is_seen_to_be_gone() {
    let run = |faults: Vec<Fault>| {
        let cases = ["delete/*", "bulk/*", "replace/*"].map(str::to_owned).to_vec();
        let ran = Trial { cases, faults, ..Trial::of(everything()) }.run();
        ran.expect("the server can be probed")
    };
    let ran = run(Vec::new());
    assert!(blamed(&ran).is_empty(), "{:?}", blamed(&ran));
    let reads_nothing = |case: &str| {
        let of_case = ran.exchanges.iter().filter(|exchange| exchange.origin == case);
        of_case.filter(|exchange| exchange.request.method == "GET" && exchange.status() == Some(404)).count()
    };
    let deletes = [
        "bulk/put-patch-delete",
        "bulk/goes-on-after-an-error",
        "bulk/fail-on-second-error",
        "bulk/method",
        "bulk/path",
        "delete/group",
        "delete/group-stays-readable",
    ];
    let alone = deletes.iter().filter(|case| reads_nothing(case) > 0).count();
    // The first of each kind of deletion.
    assert!((1..=3).contains(&alone), "{alone} of these read for themselves");
    for name in
        ["delete-keeps-resource", "delete-of-group-leaves-it", "deleted-stay-findable", "deleted-writable"]
    {
        let ran = run(vec![Fault::from_name(name).expect("it stands in the catalogue")]);
        let failed = ran.outcomes.iter().filter(|outcome| outcome.verdict == Verdict::Failed).count();
        assert!(failed > 0, "{name}");
    }
}
