//! What other testers of SCIM check, and what of scimspec judges it: the table in `tests/peers/` is complete, its names
//! are real, and the fault that stands beside each behaviour is seen by the cases that are said to judge it.
//!
//! `UPDATE_PEERS=1 cargo test --test peers` writes `docs/peers.md` anew.

mod common;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use common::{Trial, everything, library, side_by_side};
use scimspec::outcome::Verdict;
use scimspec::server::Fault;
use serde::Deserialize;

const PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/peers.md");

/// What one peer checks.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Check {
    id: String,
    peer: String,
    #[expect(dead_code, reason = "read by people")]
    section: String,
    #[expect(dead_code, reason = "read by people")]
    sends: String,
    #[expect(dead_code, reason = "read by people")]
    asserts: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    behaviours: Vec<Behaviour>,
}

/// What checks of several peers are about.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Behaviour {
    behaviour: String,
    checks: Vec<String>,
    #[serde(default)]
    judged: Vec<String>,
    fault: Option<String>,
    but: Option<String>,
    because: Option<Because>,
    why: Option<String>,
}

/// Why scimspec judges no such thing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Because {
    /// It would blame a server that keeps the RFCs.
    FalseAlarm,
    /// It drives or checks something else.
    NotTheServer,
    /// The peer asserts nothing, or never runs it.
    Nothing,
    /// No RFC of SCIM asks for it.
    AnotherDocument,
}

impl Because {
    const ALL: [Because; 4] = [Self::FalseAlarm, Self::NotTheServer, Self::AnotherDocument, Self::Nothing];

    fn words(self) -> &'static str {
        match self {
            Self::FalseAlarm => "a false alarm",
            Self::NotTheServer => "not the server",
            Self::Nothing => "nothing asserted",
            Self::AnotherDocument => "no RFC of SCIM",
        }
    }
}

impl Behaviour {
    /// The ids of its checks: `A-001..003` stands for three.
    fn ids(&self) -> Vec<String> {
        let mut ids = Vec::new();
        for entry in &self.checks {
            let Some((first, last)) = entry.split_once("..") else {
                ids.push(entry.clone());
                continue;
            };
            let (peer, first) = first.rsplit_once('-').expect("an id has a number");
            let number = |text: &str| text.parse::<u32>().unwrap_or_else(|_| panic!("{entry} is no range"));
            ids.extend((number(first)..=number(last)).map(|number| format!("{peer}-{number:03}")));
        }
        ids
    }
}

fn checks() -> Vec<Check> {
    serde_saphyr::from_str(include_str!("peers/checks.yaml")).expect("the checks can be read")
}

fn behaviours() -> Vec<Behaviour> {
    let table: Table =
        serde_saphyr::from_str(include_str!("peers/behaviours.yaml")).expect("the table can be read");
    table.behaviours
}

#[test]
fn every_check_stands_in_the_table_once() {
    let mut places: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for behaviour in behaviours() {
        for id in behaviour.ids() {
            places.entry(id).or_default().push(behaviour.behaviour.clone());
        }
    }
    let mut wrong = String::new();
    for check in checks() {
        match places.remove(&check.id).unwrap_or_default().as_slice() {
            [_] => {}
            [] => writeln!(wrong, "{} of {} stands nowhere", check.id, check.peer).unwrap(),
            several => writeln!(wrong, "{} stands in several places: {several:?}", check.id).unwrap(),
        }
    }
    for id in places.keys() {
        writeln!(wrong, "{id} is no check").unwrap();
    }
    assert!(wrong.is_empty(), "{wrong}");
}

#[test]
fn a_behaviour_is_judged_or_it_says_why_not() {
    let mut known = BTreeSet::new();
    for file in library().suites() {
        for case in &file.suite.cases {
            // Checkpoints of a flow are cases in the report.
            let checkpoints = case.steps.iter().filter_map(|step| step.checkpoint.as_ref());
            known.extend(checkpoints.chain([&case.id]).map(|id| format!("{}/{id}", file.suite.suite)));
        }
    }
    let mut wrong = String::new();
    for behaviour in behaviours() {
        let name = &behaviour.behaviour;
        let is_judged = !behaviour.judged.is_empty() && behaviour.fault.is_some();
        let is_excused = behaviour.because.is_some() && behaviour.why.is_some();
        let is_mixed = !behaviour.judged.is_empty() || behaviour.fault.is_some() || behaviour.but.is_some();
        if is_judged == is_excused || (is_excused && is_mixed) {
            writeln!(wrong, "{name}: either judged and fault, or because and why").unwrap();
        }
        for case in &behaviour.judged {
            let case = case.split(['[', '@']).next().unwrap_or(case);
            if !known.contains(case) {
                writeln!(wrong, "{name}: there is no case {case}").unwrap();
            }
        }
        if let Some(fault) = &behaviour.fault
            && Fault::from_name(fault).is_err()
        {
            writeln!(wrong, "{name}: there is no fault {fault}").unwrap();
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}

/// Each fault is planted, and one of the cases beside it has to see it.
#[test]
fn what_is_said_to_judge_a_behaviour_sees_it_broken() {
    let behaviours: Vec<Behaviour> =
        behaviours().into_iter().filter(|behaviour| behaviour.fault.is_some()).collect();
    let seen = side_by_side(&behaviours, is_seen);
    let blind: Vec<String> = behaviours
        .iter()
        .zip(seen)
        .filter_map(|(behaviour, seen)| Some(format!("{}: {}", behaviour.behaviour, seen.err()?)))
        .collect();
    assert!(blind.is_empty(), "{}", blind.join("\n"));
}

fn is_seen(behaviour: &Behaviour) -> Result<(), String> {
    let name = behaviour.fault.as_deref().unwrap_or_default();
    let fault = Fault::from_name(name).map_err(|error| error.to_string())?;
    let trial =
        Trial { faults: vec![fault], cases: behaviour.judged.clone(), jobs: 1, ..Trial::of(everything()) };
    let ran = trial.run().map_err(|error| format!("{name}: no run: {error}"))?;
    let is_red = |verdict: &Verdict| matches!(verdict, Verdict::Failed | Verdict::Warned | Verdict::Noted);
    if ran.outcomes.iter().any(|outcome| is_red(&outcome.verdict)) {
        return Ok(());
    }
    Err(format!("none of {} sees {name}", behaviour.judged.join(", ")))
}

#[test]
fn the_page_says_what_the_table_says() {
    let page = page();
    if std::env::var_os("UPDATE_PEERS").is_some() {
        std::fs::write(PAGE, &page).expect("the page can be written");
    }
    let committed = std::fs::read_to_string(PAGE).unwrap_or_default();
    assert!(committed == page, "docs/peers.md is stale: UPDATE_PEERS=1 cargo test --test peers");
}

fn page() -> String {
    let checks = checks();
    let behaviours = behaviours();
    let peers: BTreeSet<&str> = checks.iter().map(|check| check.peer.as_str()).collect();
    let judged = behaviours.iter().filter(|behaviour| behaviour.because.is_none());
    let counted: usize = judged.clone().map(|behaviour| behaviour.ids().len()).sum();
    let mut page = format!(
        "# What other testers check, and what judges it here\n\n\
         {} checks of {} suites of others, grouped into {} behaviours. {} behaviours ({counted} checks) are judged by cases and \
         rules of scimspec; beside each stands a fault of the reference server that they see. The rest says why nothing \
         judges it. `cargo test --test peers` plants every fault of this page and holds the page to \
         `tests/peers/behaviours.yaml`; `UPDATE_PEERS=1` writes it anew. The checks themselves stand in \
         `tests/peers/checks.yaml`.\n\n## Judged\n\n| behaviour | checks | judged by | seen on the fault |\n|---|---:|---|---|\n",
        checks.len(),
        peers.len(),
        behaviours.len(),
        judged.clone().count(),
    );
    for behaviour in judged {
        let cases: Vec<String> = behaviour.judged.iter().map(|case| format!("`{case}`")).collect();
        let but = behaviour.but.as_ref().map(|but| format!(" *{but}*")).unwrap_or_default();
        let fault = behaviour.fault.as_deref().unwrap_or_default();
        let count = behaviour.ids().len();
        writeln!(page, "| {}{but} | {count} | {} | `{fault}` |", behaviour.behaviour, cases.join(", "))
            .unwrap();
    }
    page.push_str("\n## Not judged\n\n| behaviour | checks | because |\n|---|---|---|\n");
    for because in Because::ALL {
        for behaviour in behaviours.iter().filter(|behaviour| behaviour.because == Some(because)) {
            let why = behaviour.why.as_deref().unwrap_or_default();
            let (what, ids) = (&behaviour.behaviour, behaviour.checks.join(", "));
            writeln!(page, "| {what} | {ids} | {}: {why} |", because.words()).unwrap();
        }
    }
    page.push_str("\n## Whose checks they are\n\n| suite | checks | judged here |\n|---|---:|---:|\n");
    let judged: BTreeSet<String> =
        behaviours.iter().filter(|behaviour| behaviour.because.is_none()).flat_map(Behaviour::ids).collect();
    for peer in peers {
        let own = || checks.iter().filter(|check| check.peer == peer);
        let here = own().filter(|check| judged.contains(&check.id)).count();
        writeln!(page, "| {peer} | {} | {here} |", own().count()).unwrap();
    }
    page
}
