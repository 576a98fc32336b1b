//! Faults planted one at a time, and which cases see them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use scimspec::outcome::{ErrorCause, Level, Outcome, Reading, Severity, Verdict};
use scimspec::requirement::Catalogue;
use scimspec::server::{Fault, FaultEntry, faults};
use scimspec::target::exchange::ExchangeId;
use serde::Serialize;

use super::common::{Ran, Trial, everything, library, side_by_side};

/// What the cases that saw a fault made of it, by case.
pub type Seen = BTreeMap<String, Sight>;

/// How one case saw a fault.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Sight {
    /// `failed`, `warned` or `noted`.
    pub verdict: String,
    /// How strongly the case binds.
    pub level: Level,
    /// The requirements that the fault breaks and a finding cites, each with the severest finding that does.
    pub cited: BTreeMap<String, Severity>,
    /// The cases whose exchanges show it: for a rule, those that have to run beside it.
    pub origins: BTreeSet<String>,
    /// Other cases whose exchanges show something of it; those first that look at one resource.
    #[serde(skip)]
    pub others: Vec<String>,
}

impl Sight {
    /// Whether the case has been as red as it can be: a case of a must that only warned has yet to fail.
    pub fn is_proof(&self) -> bool {
        match self.level {
            Level::Must => self.verdict == "failed",
            Level::Should => matches!(self.verdict.as_str(), "failed" | "warned"),
            Level::May => true,
        }
    }

    /// Whether a finding cites a requirement that the fault breaks.
    pub fn is_about_it(&self) -> bool {
        !self.cited.is_empty()
    }

    /// The requirements that are broken, cited, and found as severe as they bind: what has been seen here is that the
    /// case tests them.
    pub fn proves(&self) -> impl Iterator<Item = &str> {
        let binds = |id: &str| {
            // What a vendor states is no requirement.
            Catalogue::embedded().get(id)?;
            Catalogue::embedded().strongest([id]).map(Level::severity)
        };
        self.cited
            .iter()
            .filter(move |(id, severity)| binds(id).is_some_and(|least| **severity >= least))
            .map(|(id, _)| id.as_str())
    }
}

/// What a run against a faulty server came to.
#[derive(Debug, Default, Serialize)]
pub struct Sighting {
    /// The cases that saw the fault.
    pub seen: Seen,
    /// What must not happen whatever the server does: errors of the harness or of the suites.
    pub troubles: Vec<String>,
    /// Why there was no run at all.
    pub no_run: Option<String>,
}

/// Runs the cases named (none: all, those that take long too) against a server with one fault.
pub fn run(entry: &FaultEntry, cases: Vec<String>, reading: Reading) -> Sighting {
    let fault = Fault::from_name(entry.name).expect("it stands in the catalogue");
    let trial = Trial { faults: vec![fault], cases, reading, slow: true, jobs: 1, ..Trial::of(everything()) };
    match trial.run() {
        Ok(ran) => sighting(entry, &ran),
        Err(error) => Sighting { no_run: Some(error.to_string()), ..Sighting::default() },
    }
}

fn sighting(entry: &FaultEntry, ran: &Ran) -> Sighting {
    let mut sighting = Sighting::default();
    for outcome in &ran.outcomes {
        match &outcome.verdict {
            Verdict::Failed | Verdict::Warned | Verdict::Noted => {
                sighting.seen.insert(outcome.id.clone(), sight(entry, outcome, ran));
            }
            Verdict::Errored { cause: cause @ (ErrorCause::Harness { .. } | ErrorCause::Suite { .. }) } => {
                sighting.troubles.push(format!("{}: {cause}", outcome.id));
            }
            _ => {}
        }
    }
    sighting
}

/// What a rule has to see beside the exchanges that break it: the cases of lists that show the populations, and one
/// whose filter only a part of it matches.
const NEEDS: &[(&str, &str)] = &[
    ("rules/filter-finds-all", "query/groups"),
    ("rules/filter-finds-all", "query/users"),
    ("rules/filter-rows-match", "filter/equal"),
    ("rules/projection-keeps-values", "query/users"),
    ("rules/row-is-the-resource", "query/users"),
    ("rules/total-is-stable", "search/filter"),
];

fn sight(entry: &FaultEntry, outcome: &Outcome, ran: &Ran) -> Sight {
    let mut cited = BTreeMap::new();
    // What a vendor states is cited by a case as a whole, and by a checkpoint.
    if let Some(severest) = outcome.findings.iter().map(|finding| finding.severity).max() {
        let stated = sources_of(&outcome.id).filter(|id| entry.requirements.contains(id));
        cited.extend(stated.map(|id| (id.to_owned(), severest)));
    }
    for finding in &outcome.findings {
        for id in finding.requirements.iter().filter(|id| entry.requirements.contains(&id.as_str())) {
            let severest = cited.entry(id.clone()).or_insert(finding.severity);
            *severest = finding.severity.max(*severest);
        }
    }
    // What has to run so that a rule comes to the same again: the case of its severest finding, and that of a finding
    // for each requirement cited. Often the first of all exchanges that show it is one between cases.
    let exchange = |id: &ExchangeId| {
        ran.exchanges.iter().find(|exchange| exchange.id == *id && exchange.origin.contains('/'))
    };
    let severest = |id: Option<&String>| {
        let findings =
            outcome.findings.iter().filter(|one| id.is_none_or(|id| one.requirements.contains(id)));
        findings.rev().max_by_key(|finding| finding.severity)
    };
    let telling = std::iter::once(None).chain(cited.keys().map(Some)).filter_map(severest);
    let mut origins: BTreeSet<String> = telling
        .filter_map(|finding| finding.exchange.iter().chain(&outcome.exchanges).find_map(exchange))
        .map(|exchange| exchange.origin.clone())
        .collect();
    // A list shows what other cases have made, and shows nothing without them.
    let mut shown: Vec<_> = outcome.exchanges.iter().filter_map(exchange).collect();
    shown.sort_by_key(|exchange| exchange.request.path.matches('/').count() < 2);
    let mut others: Vec<String> = Vec::new();
    for exchange in shown {
        if !origins.contains(&exchange.origin) && !others.contains(&exchange.origin) {
            others.push(exchange.origin.clone());
        }
    }
    let needed = NEEDS.iter().filter(|(rule, _)| *rule == outcome.id);
    origins.extend(needed.map(|(_, case)| (*case).to_owned()));
    Sight { verdict: outcome.verdict.word().to_owned(), level: outcome.level, cited, origins, others }
}

/// The statements of vendors that a case is about, or a checkpoint.
fn sources_of(id: &str) -> impl Iterator<Item = &'static str> {
    static SOURCES: LazyLock<BTreeMap<String, Vec<String>>> = LazyLock::new(|| {
        let mut sources = BTreeMap::new();
        for file in library().suites() {
            for case in &file.suite.cases {
                sources.insert(file.case_id(case), case.source.clone());
                for step in &case.steps {
                    if let Some(checkpoint) = &step.checkpoint {
                        let id = format!("{}/{checkpoint}", file.suite.suite);
                        sources.insert(id, [case.source.as_slice(), &step.source].concat());
                    }
                }
            }
        }
        sources
    });
    SOURCES.get(super::matrix::case_of(id)).into_iter().flatten().map(String::as_str)
}

/// Does something for each chosen fault of the catalogue, several at a time, and gives what came of each by its name.
pub fn for_each<T: Send>(
    is_chosen: impl Fn(&FaultEntry) -> bool,
    work: impl Fn(&'static FaultEntry) -> T + Sync,
) -> BTreeMap<String, T> {
    let chosen: Vec<&'static FaultEntry> =
        faults::catalogue().iter().filter(|entry| is_chosen(entry)).collect();
    let came = side_by_side(&chosen, |entry| work(entry));
    chosen.iter().map(|entry| entry.name.to_owned()).zip(came).collect()
}

/// The strongest level that a fault breaks.
pub fn level(entry: &FaultEntry) -> Level {
    Catalogue::embedded().strongest(entry.requirements.iter().copied()).unwrap_or(Level::May)
}
