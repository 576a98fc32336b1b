//! A check is done when it has been seen to fail.

#[path = "../common/mod.rs"]
mod common;

mod alter;
mod blocks;
mod faults;
mod rules;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;

use common::{Trial, everything};
use scimspec::judge::rules::{RULES, RuleContext};
use scimspec::outcome::{Reading, Verdict};
use scimspec::run::Observed;
use scimspec::target::exchange::ExchangeId;

#[derive(Debug, Default)]
struct Altered {
    killed: BTreeMap<String, u32>,
    survivors: BTreeMap<String, u32>,
    mutes: BTreeMap<String, BTreeSet<ExchangeId>>,
}

#[test]
fn every_judgement_can_turn_red() {
    let altered = Mutex::new(Altered::default());
    let observer = |observed: &Observed<'_>| {
        let tried = blocks::try_all(observed);
        let mut altered = altered.lock().expect("no panic before");
        *altered.killed.entry(observed.id.to_owned()).or_default() += tried.killed;
        for survivor in tried.survivors {
            *altered
                .survivors
                .entry(format!("{} {}: {survivor}", observed.id, observed.place))
                .or_default() += 1;
        }
        for rule in &observed.expect.mutes {
            altered.mutes.entry(rule.clone()).or_default().insert(observed.exchange.id);
        }
    };
    let started = std::time::Instant::now();
    let trial =
        Trial { observer: Some(&observer), jobs: 1, reading: Reading::Lenient, ..Trial::of(everything()) };
    let ran = trial.run().expect("the server can be probed");
    println!("run {:?}", started.elapsed());
    let altered = altered.into_inner().expect("no panic before");
    println!("killed {}", altered.killed.values().sum::<u32>());
    for survivor in &altered.survivors {
        println!("SURVIVOR {survivor:?}");
    }
    for outcome in &ran.outcomes {
        if outcome.verdict == Verdict::Passed
            && !outcome.id.starts_with("rules/")
            && altered.killed.get(&outcome.id).copied().unwrap_or(0) == 0
        {
            println!("NEVER RED {}", outcome.id);
        }
    }
    let context = RuleContext {
        capabilities: &ran.probe.capabilities,
        reading: Reading::Lenient,
        mutes: &altered.mutes,
        schemas: &ran.probe.schemas,
    };
    for rule in RULES {
        let tried = rules::try_rule(rule.name, &ran.exchanges, &context);
        println!("RULE {} killed {} survivors {}", rule.name, tried.killed, tried.survivors.len());
        for survivor in tried.survivors.iter().take(6) {
            println!("   {survivor}");
        }
    }
    println!("all {:?}", started.elapsed());
}

#[test]
fn matrix() {
    let matrix = faults::for_each(|entry| faults::run(entry, Vec::new()));
    std::fs::write("/tmp/matrix.json", serde_json::to_string_pretty(&matrix).unwrap()).unwrap();
    let chosen = faults::choose(&matrix);
    std::fs::write("/tmp/killers.toml", toml::to_string(&chosen).unwrap()).unwrap();
}
