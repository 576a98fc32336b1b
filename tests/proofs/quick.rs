//! `src/plan/quick.toml`: the cases of `--quick`, chosen from the matrix by what they see and what they cost.

use std::collections::{BTreeMap, BTreeSet};

use scimspec::outcome::{Outcome, Verdict};
use scimspec::profile::Profile;
use scimspec::server::Fault;
use scimspec::snapshot::Snapshots;

use super::common::{Trial, library};
use super::matrix::{self, Matrix, Quick};
use super::{faults, report};

/// Where the choice is kept.
pub const QUICK: &str = "src/plan/quick.toml";

/// The most requests that a quick run may make of the embedded server, those of probe and clean-up included.
pub const REQUESTS: u64 = 100;

/// So many are chosen for: how requests fall together differs by one or two from run to run.
const AIM: u64 = REQUESTS - 2;

/// The least share of faults that it has to see, in percent.
pub const PERCENT: usize = 80;

/// So many cases are tried, one after the other, whether they still fit in.
const TRIES: usize = 60;

/// What a case costs though all its requests are shared, in thousandths of a request.
const LEAST: usize = 50;

fn profile() -> &'static Profile {
    &library().profiles()["rfc"]
}

/// The faults that each case sees. Rules are left out: what they see depends on what the other cases exchange.
fn kills(matrix: &Matrix) -> BTreeMap<String, BTreeSet<&str>> {
    let mut kills: BTreeMap<String, BTreeSet<&str>> = BTreeMap::new();
    for (fault, row) in &matrix.faults {
        for case in row.cells().into_keys().filter(|case| !case.starts_with("rules/")) {
            kills.entry(case).or_default().insert(fault);
        }
    }
    kills
}

/// The faults that a quick run has been seen to see.
pub fn caught(matrix: &Matrix) -> BTreeSet<&str> {
    let seen = matrix.quick.seen.iter().map(String::as_str);
    seen.filter(|it| matrix.faults.contains_key(*it)).collect()
}

/// Finds out what a quick run sees. What one of its cases sees in a whole run it sees here, too, as long as it makes requests
/// of its own; each fault beside these is planted, since filters are asked together with others here than there, and rules
/// judge whatever the cases exchange.
pub fn measure(matrix: &Matrix, cases: &[String]) -> Quick {
    let kills = kills(matrix);
    let by_themselves = cases.iter().filter(|case| !case.starts_with("filter/"));
    let sure: BTreeSet<&str> = by_themselves.filter_map(|case| kills.get(case)).flatten().copied().collect();
    let tried = faults::for_each(
        |entry| matrix.faults.contains_key(entry.name) && !sure.contains(entry.name),
        |entry| {
            let fault = Fault::from_name(entry.name).expect("it stands in the catalogue");
            let trial = Trial { cases: with_rules(cases), faults: vec![fault], ..Trial::of(profile()) };
            let is_red = |outcome: &Outcome| {
                matches!(outcome.verdict, Verdict::Failed | Verdict::Warned | Verdict::Noted)
            };
            trial.run().is_ok_and(|ran| ran.outcomes.iter().any(is_red))
        },
    );
    let tried = tried.into_iter().filter(|(_, is_seen)| *is_seen).map(|(fault, _)| fault);
    let seen = sure.into_iter().map(str::to_owned).chain(tried).collect();
    Quick { cases: digest(cases), seen }
}

/// What a measurement holds for.
pub fn digest(cases: &[String]) -> String {
    matrix::hex(&cases.join("\n"))
}

fn with_rules(cases: &[String]) -> Vec<String> {
    cases.iter().cloned().chain(["rules/*".to_owned()]).collect()
}

/// How many requests a run of these cases and all rules makes, and those of them that passed. Payloads are compared, as
/// the command does: a read whose payload is compared is made by itself.
pub fn run(cases: &[String]) -> (u64, BTreeSet<String>) {
    let shipped = Snapshots::shipped("rfc", true).expect("they are sound");
    let trial = Trial { cases: with_rules(cases), snapshots: shipped.as_ref(), ..Trial::of(profile()) };
    let ran = trial.run().expect("the server can be probed");
    let passed = ran.outcomes.into_iter().filter(|outcome| outcome.verdict == Verdict::Passed);
    (ran.requests, passed.map(|outcome| outcome.id).collect())
}

/// What is known for a choice.
struct Market<'m> {
    kills: BTreeMap<String, BTreeSet<&'m str>>,
    /// What each case costs, in thousandths of a request: of an exchange that several share, each has its part.
    costs: BTreeMap<String, usize>,
    /// What rules see, whatever is chosen; as far as is known, which is from the last choice.
    by_rules: BTreeSet<&'m str>,
}

impl<'m> Market<'m> {
    fn of(matrix: &'m Matrix) -> Market<'m> {
        let shipped = Snapshots::shipped("rfc", true).expect("they are sound");
        let trial = Trial { snapshots: shipped.as_ref(), ..Trial::of(profile()) };
        let ran = trial.run().expect("the server can be probed");
        let passed: Vec<Outcome> =
            ran.outcomes.into_iter().filter(|outcome| outcome.verdict == Verdict::Passed).collect();
        let mut sharers = BTreeMap::new();
        for exchange in passed.iter().flat_map(|outcome| &outcome.exchanges) {
            *sharers.entry(*exchange).or_insert(0_usize) += 1;
        }
        let mut kills = kills(matrix);
        let mut costs = BTreeMap::new();
        for outcome in passed.into_iter().filter(|outcome| kills.contains_key(&outcome.id)) {
            let cost: usize = outcome.exchanges.iter().map(|exchange| 1000 / sharers[exchange]).sum();
            costs.insert(outcome.id, cost + LEAST);
        }
        kills.retain(|case, _| costs.contains_key(case));
        let chosen = recorded();
        let by_cases: BTreeSet<&str> =
            chosen.iter().filter_map(|case| kills.get(case)).flatten().copied().collect();
        let by_rules = caught(matrix).difference(&by_cases).copied().collect();
        Market { kills, costs, by_rules }
    }

    /// What cases see together, and rules.
    fn seen(&self, cases: &[String]) -> BTreeSet<&'m str> {
        let by_cases = cases.iter().filter_map(|case| self.kills.get(case)).flatten().copied();
        by_cases.chain(self.by_rules.iter().copied()).collect()
    }

    /// The case that sees most beside this for what it costs; of several the one with the shortest name.
    fn best(&self, seen: &BTreeSet<&str>, but: &BTreeSet<String>) -> Option<&String> {
        let gain = |case: &String| {
            let new = self.kills[case].iter().filter(|fault| !seen.contains(*fault)).count();
            new * 1_000_000 / self.costs[case]
        };
        let open = self.kills.keys().filter(|case| !but.contains(*case));
        let best = open.map(|case| (gain(case), case)).max_by_key(|(gain, case)| {
            (*gain, std::cmp::Reverse(case.len()), std::cmp::Reverse((*case).clone()))
        });
        best.filter(|(gain, _)| *gain > 0).map(|(_, case)| case)
    }

    /// Always the case that sees most new faults for what it costs.
    fn greedy(&self) -> Vec<String> {
        let mut order: Vec<String> = Vec::new();
        while let Some(case) = self.best(&self.seen(&order), &BTreeSet::new()) {
            order.push(case.clone());
        }
        order
    }

    /// Leaves out, the dearest first, what sees nothing that the others do not see.
    fn prune(&self, cases: &mut Vec<String>) {
        let mut dearest = cases.clone();
        dearest.sort_by_key(|case| std::cmp::Reverse(self.costs[case]));
        for case in dearest {
            let others: Vec<String> = cases.iter().filter(|other| **other != case).cloned().collect();
            if self.seen(&others).len() == self.seen(cases).len() {
                *cases = others;
            }
        }
    }

    /// Adds what still fits in.
    fn fill(&self, cases: &mut Vec<String>) {
        let mut tried = BTreeSet::new();
        while tried.len() < TRIES {
            let Some(case) = self.best(&self.seen(cases), &tried) else { break };
            tried.insert(case.clone());
            cases.push(case.clone());
            if run(cases).0 > AIM {
                cases.pop();
            }
        }
    }
}

/// Chooses: in the order of what cases see for what they cost as many as the requests suffice for, without those that see
/// nothing of their own, and then what still fits in. How many requests a choice makes is found out by making them.
pub fn choose(matrix: &Matrix) -> Vec<String> {
    let market = Market::of(matrix);
    let mut order = market.greedy();
    // What a longer list needs is never less, or hardly.
    let (mut some, mut many) = (0, order.len() + 1);
    while many - some > 1 {
        let middle = usize::midpoint(some, many);
        if run(&order[..middle]).0 <= AIM { some = middle } else { many = middle }
    }
    order.truncate(some);
    market.prune(&mut order);
    market.fill(&mut order);
    market.prune(&mut order);
    order
}

/// The choice as the file has it.
pub fn recorded() -> Vec<String> {
    let text = std::fs::read_to_string(report::path(QUICK)).unwrap_or_default();
    let file: BTreeMap<String, Vec<String>> = toml::from_str(&text).expect("src/plan/quick.toml can be read");
    file.get("cases").cloned().unwrap_or_default()
}

/// Writes a choice down.
pub fn write(cases: &[String]) {
    let lines: String = cases.iter().map(|case| format!("    {case:?},\n")).collect();
    let text = format!("{HEADER}cases = [\n{lines}]\n");
    std::fs::write(report::path(QUICK), text).expect("the file can be written");
}

const HEADER: &str = "\
# The cases of `scimspec run --quick`, those first that see most faults of the embedded server for what they cost. Chosen
# from tests/matrix.toml by `UPDATE_PROOFS=1 cargo test --test proofs`, or, from the matrix as it is, by
# `UPDATE_PROOFS=quick cargo test --test proofs`.

";
