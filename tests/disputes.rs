//! The disputes about the RFCs: the table is complete, names what there is, and on a server of each kind each case comes to
//! what the table says, in both readings.
//!
//! `DISPUTES=AMB-98,AMB-99 cargo test --test disputes` tries these alone.

mod common;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use common::{Trial, everything, library, side_by_side};
use regex::Regex;
use scimspec::dispute::{Dispute, Ruling, RulingVerdict, ServerKind, disputes};
use scimspec::outcome::{Outcome, Reading};
use scimspec::requirement::Catalogue;
use scimspec::server::{faults, variants};

/// How many there are. One more is one more here.
const HOW_MANY: usize = 135;

#[test]
fn the_table_is_whole() {
    let table = disputes();
    assert_eq!(table.len(), HOW_MANY);
    let numbers: Vec<u32> = table.iter().map(number).collect();
    assert!(numbers.is_sorted_by(|a, b| a < b), "each id once, in their order: {numbers:?}");
    for Dispute { id, title, texts, strict, lenient, because, rulings } in table {
        assert!(!title.is_empty() && !title.ends_with('.'), "{id}: {title:?}");
        for sentence in [Some(texts), Some(strict), Some(lenient), because.as_ref()].into_iter().flatten() {
            assert!(sentence.ends_with('.'), "{id}: {sentence:?} is no sentence");
        }
        let kinds: BTreeSet<_> = rulings.iter().map(|ruling| (&ruling.variant, &ruling.fault)).collect();
        assert!(kinds.len() >= 2 || because.is_some(), "{id} is tried on {} kinds of servers", kinds.len());
    }
}

#[test]
fn the_table_names_what_there_is() {
    let cases: BTreeSet<String> = all_ids();
    for dispute in disputes() {
        let id = &dispute.id;
        assert!(dispute.requirements(Catalogue::embedded()).next().is_some(), "{id} is about no requirement");
        for ruling in &dispute.rulings {
            let words = ruling.what_it_does().unwrap_or_else(|error| panic!("{id}: {error}"));
            assert!(words.ends_with('.'), "{id}: {words:?}");
            for case in std::iter::once(&ruling.case).chain(&ruling.beside) {
                assert!(cases.contains(case), "{id}: there is no case {case}");
            }
            let is_legal = ruling.fault.is_none();
            assert!(!is_legal || ruling.lenient < RulingVerdict::Failed, "{id}: {} is legal", ruling.case);
        }
    }
}

#[test]
fn every_dispute_that_is_named_is_in_the_table() {
    let known: BTreeSet<&str> = disputes().iter().map(|dispute| dispute.id.as_str()).collect();
    let mut named: BTreeMap<String, String> = BTreeMap::new();
    for suite in library().suites() {
        for id in mentioned(suite.text().source()) {
            named.entry(id).or_insert_with(|| suite.file.clone());
        }
    }
    for requirement in Catalogue::embedded().requirements() {
        for id in &requirement.ambiguity {
            named.entry(id.clone()).or_insert_with(|| requirement.id.clone());
        }
    }
    for entry in variants::catalogue() {
        for id in entry.disputes {
            named.entry((*id).to_owned()).or_insert_with(|| format!("the variant {}", entry.name));
        }
    }
    for entry in faults::catalogue() {
        for id in mentioned(entry.client_sees).into_iter().chain(mentioned(entry.hurts)) {
            named.entry(id).or_insert_with(|| format!("the fault {}", entry.name));
        }
    }
    let unknown: Vec<_> = named.iter().filter(|(id, _)| !known.contains(id.as_str())).collect();
    assert!(unknown.is_empty(), "{unknown:#?}");
}

/// One run for each kind of server and reading, with all cases of all disputes about it.
#[test]
fn each_kind_of_server_gets_the_verdicts_of_the_table() {
    let chosen = std::env::var("DISPUTES").ok();
    let is_chosen = |id: &str| chosen.as_ref().is_none_or(|all| all.split(',').any(|it| it.trim() == id));
    let mut servers: BTreeMap<(&str, &str), Vec<(&Dispute, &Ruling)>> = BTreeMap::new();
    for dispute in disputes().iter().filter(|dispute| is_chosen(&dispute.id)) {
        for ruling in &dispute.rulings {
            let name = |name: &'static Option<String>| name.as_deref().unwrap_or_default();
            servers.entry((name(&ruling.variant), name(&ruling.fault))).or_default().push((dispute, ruling));
        }
    }
    assert!(!servers.is_empty(), "DISPUTES names none that has a ruling");
    let runs: Vec<_> = servers
        .values()
        .flat_map(|rulings| [Reading::Lenient, Reading::Strict].map(|reading| (rulings, reading)))
        .collect();
    let mut wrong = side_by_side(&runs, |(rulings, reading)| departures(rulings, *reading)).concat();
    wrong.sort();
    assert!(wrong.is_empty(), "{} departures from the table\n{}", wrong.len(), wrong.join("\n"));
}

/// Where a run against one kind of server came to something else than the table says.
fn departures(rulings: &[(&Dispute, &Ruling)], reading: Reading) -> Vec<String> {
    let mut trial = Trial { reading, jobs: 1, ..Trial::of(everything()) };
    trial.cases = rulings
        .iter()
        .flat_map(|(_, ruling)| std::iter::once(&ruling.case).chain(&ruling.beside))
        .cloned()
        .collect::<BTreeSet<_>>()
        .into_iter()
        .collect();
    match rulings[0].1.server().expect("a test holds that it is there") {
        ServerKind::Reference => {}
        ServerKind::Variant(variant) => trial.variants.push(variant),
        ServerKind::Fault(fault) => trial.faults.push(fault),
    }
    let about = |dispute: &Dispute, ruling: &Ruling| {
        let server = ruling.variant.as_ref().or(ruling.fault.as_ref());
        format!("{} {reading}, {}: {}", dispute.id, server.map_or("reference", String::as_str), ruling.case)
    };
    let ran = match trial.run() {
        Ok(ran) => ran,
        Err(error) => return vec![format!("{}: no run: {error}", about(rulings[0].0, rulings[0].1))],
    };
    rulings
        .iter()
        .filter_map(|(dispute, ruling)| {
            let outcome = ran.outcomes.iter().find(|outcome| outcome.id == ruling.case);
            let expected = ruling.verdict(reading).word();
            let found = outcome.map_or("no outcome", |outcome| outcome.verdict.word());
            (found != expected).then(|| {
                let why = outcome.map(words).unwrap_or_default();
                format!("{}: {found}, expected {expected}\n    {why}", about(dispute, ruling))
            })
        })
        .collect()
}

fn words(outcome: &Outcome) -> String {
    let findings = outcome.findings.iter().map(|finding| finding.message.as_str());
    format!("{:?} {}", outcome.verdict, findings.collect::<Vec<_>>().join("; "))
}

/// The ids of all cases, as a report names them.
fn all_ids() -> BTreeSet<String> {
    let mut ids = BTreeSet::new();
    let observed = Trial { read_only: true, ..Trial::of(everything()) };
    let ran = observed.run().expect("the server can be probed");
    ids.extend(ran.outcomes.into_iter().map(|outcome| outcome.id));
    ids
}

fn number(dispute: &Dispute) -> u32 {
    let digits = dispute.id.strip_prefix("AMB-").unwrap_or_default();
    digits.parse().unwrap_or_else(|_| panic!("{} is no id", dispute.id))
}

/// The ids of disputes in a text.
fn mentioned(text: &str) -> Vec<String> {
    static ID: LazyLock<Regex> =
        LazyLock::new(|| Regex::new(r"\bAMB-\d+\b").expect("the expression is sound"));
    ID.find_iter(text).map(|found| found.as_str().to_owned()).collect()
}
