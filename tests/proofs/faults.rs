//! Faults planted one at a time, and which cases see them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use scimspec::outcome::{ErrorCause, Level, Outcome, Reading, Verdict};
use scimspec::requirement::Catalogue;
use scimspec::server::{Fault, FaultEntry, faults};
use serde::{Deserialize, Serialize};

use super::common::{Ran, Trial, everything};

/// What the cases that saw a fault made of it, by case.
pub type Seen = BTreeMap<String, Sight>;

/// How one case saw a fault.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Sight {
    /// `failed`, `warned` or `noted`.
    pub verdict: String,
    /// How strongly the case binds.
    pub level: Level,
    /// Whether a finding cites a requirement that the fault breaks.
    pub is_about_it: bool,
    /// The cases whose exchanges show it: for a rule, those that have to run beside it.
    pub origins: BTreeSet<String>,
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

/// Runs the cases named (none: all) against a server with one fault.
pub fn run(entry: &FaultEntry, cases: Vec<String>, reading: Reading) -> Sighting {
    let fault = Fault::from_name(entry.name).expect("it stands in the catalogue");
    let trial = Trial { faults: vec![fault], cases, reading, jobs: 1, ..Trial::of(everything()) };
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

/// What a rule has to see beside the exchanges that break it: the case of a list that shows the population.
const NEEDS: &[(&str, &str)] = &[("rules/filter-finds-all", "query/users")];

fn sight(entry: &FaultEntry, outcome: &Outcome, ran: &Ran) -> Sight {
    let is_about_it = outcome
        .findings
        .iter()
        .any(|finding| finding.requirements.iter().any(|id| entry.requirements.contains(&id.as_str())));
    // A rule lists all exchanges that show it, the first of which is often one between cases.
    let finding = outcome.findings.first().and_then(|finding| finding.exchange);
    let origin = finding.iter().chain(&outcome.exchanges).find_map(|id| {
        let exchange = ran.exchanges.iter().find(|exchange| exchange.id == *id)?;
        exchange.origin.contains('/').then(|| exchange.origin.clone())
    });
    let needed = NEEDS.iter().filter(|(rule, _)| *rule == outcome.id).map(|(_, case)| (*case).to_owned());
    Sight {
        verdict: outcome.verdict.word().to_owned(),
        level: outcome.level,
        is_about_it,
        origins: origin.into_iter().chain(needed).collect(),
    }
}

/// Does something for each chosen fault of the catalogue, several at a time, and gives what came of each by its name.
pub fn for_each<T: Send>(
    is_chosen: impl Fn(&FaultEntry) -> bool,
    work: impl Fn(&'static FaultEntry) -> T + Sync,
) -> BTreeMap<String, T> {
    let chosen: Vec<&'static FaultEntry> =
        faults::catalogue().iter().filter(|entry| is_chosen(entry)).collect();
    let next = AtomicUsize::new(0);
    let done = Mutex::new(BTreeMap::new());
    let threads = std::thread::available_parallelism().map_or(2, |count| count.get() + 1);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                while let Some(entry) = chosen.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let result = work(entry);
                    done.lock().expect("no panic before").insert(entry.name.to_owned(), result);
                }
            });
        }
    });
    done.into_inner().expect("no panic before")
}

/// The strongest level that a fault breaks.
pub fn level(entry: &FaultEntry) -> Level {
    Catalogue::embedded().strongest(entry.requirements.iter().copied()).unwrap_or(Level::May)
}

/// The cases that a fault is recorded to be seen by.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Killers {
    /// Cases that fail.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub failed: BTreeSet<String>,
    /// Cases that warn.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub warned: BTreeSet<String>,
    /// Cases that take note.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub noted: BTreeSet<String>,
    /// Cases that only warn or take note in the lenient reading, and fail in the strict one.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub strict: BTreeSet<String>,
    /// Cases that run beside them, so that rules have something to see.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub beside: BTreeSet<String>,
}

impl Killers {
    /// All that see it.
    pub fn all(&self) -> impl Iterator<Item = (&str, &str)> {
        self.failed
            .iter()
            .map(|case| (case.as_str(), "failed"))
            .chain(self.warned.iter().map(|case| (case.as_str(), "warned")))
            .chain(self.noted.iter().map(|case| (case.as_str(), "noted")))
    }

    /// The cases that have to run to see it.
    pub fn cases(&self) -> Vec<String> {
        self.all().map(|(case, _)| case.to_owned()).chain(self.beside.iter().cloned()).collect()
    }

    /// The cases that have to run in the strict reading.
    pub fn strict_cases(&self) -> Vec<String> {
        if self.strict.is_empty() {
            return Vec::new();
        }
        self.strict.iter().chain(&self.beside).cloned().collect()
    }

    /// Records that a case sees it.
    pub fn record(&mut self, case: &str, sight: &Sight) {
        let of_verdict = match sight.verdict.as_str() {
            "failed" => &mut self.failed,
            "warned" => &mut self.warned,
            _ => &mut self.noted,
        };
        of_verdict.insert(case.to_owned());
        if case.starts_with("rules/") {
            self.beside.extend(sight.origins.iter().cloned());
        }
    }
}

/// Which killers to record of all that there are: for each fault one that is about it, and each proven case with the
/// fault that fewest others see. Where nothing but warnings are to be had of a must, the strict reading is tried. Each
/// of them has to see the fault again without the rest of the cases.
///
/// `known` is what is recorded of faults that the matrix does not have; cases that stand there need no other proof.
pub fn choose(
    matrix: &BTreeMap<String, Sighting>,
    known: BTreeMap<String, Killers>,
) -> BTreeMap<String, Killers> {
    let is_tried = |entry: &FaultEntry| matrix.contains_key(entry.name);
    let mut chosen: BTreeMap<String, Killers> = for_each(is_tried, |entry| {
        let mut killers = Killers::default();
        let mut sights: Vec<(&String, &Sight)> = matrix[entry.name].seen.iter().collect();
        let rank = |verdict: &str| match verdict {
            "failed" => 0,
            "warned" => 1,
            _ => 2,
        };
        sights.sort_by_key(|(case, sight)| {
            (rank(&sight.verdict), !sight.is_about_it, case.starts_with("rules/"), case.len(), *case)
        });
        let Some((case, sight)) = sights.iter().find(|(case, sight)| sees_again(entry, case, sight)) else {
            return killers;
        };
        killers.record(case, sight);
        if sight.verdict != "failed" && level(entry) == Level::Must {
            let failing = sights.iter().find(|(case, sight)| fails_strictly(entry, case, sight));
            if let Some((case, sight)) = failing {
                killers.record(case, sight);
                killers.strict.insert((*case).clone());
            }
        }
        killers
    });
    let proven: BTreeSet<&str> =
        known.values().flat_map(|killers| killers.all().map(|(case, _)| case)).collect();
    let cases: BTreeSet<&String> = matrix.values().flat_map(|sighting| sighting.seen.keys()).collect();
    for case in cases.into_iter().filter(|case| !proven.contains(case.as_str())) {
        let mut sights: Vec<(&FaultEntry, usize, &Sight)> = faults::catalogue()
            .iter()
            .filter_map(|entry| {
                let seen = &matrix.get(entry.name)?.seen;
                Some((entry, seen.len(), seen.get(case)?))
            })
            .collect();
        sights.sort_by_key(|(entry, seen, sight)| (!sight.is_proof(), !sight.is_about_it, *seen, entry.name));
        let proof = sights.iter().find(|(entry, _, sight)| {
            if sight.is_proof() { sees_again(entry, case, sight) } else { fails_strictly(entry, case, sight) }
        });
        if let Some((entry, _, sight)) = proof {
            let killers = chosen.entry(entry.name.to_owned()).or_default();
            killers.record(case, sight);
            if !sight.is_proof() {
                killers.strict.insert(case.clone());
            }
        }
    }
    chosen.extend(known);
    chosen
}

/// Whether a case sees a fault again with little beside it.
fn sees_again(entry: &FaultEntry, case: &str, sight: &Sight) -> bool {
    let sighting = again(entry, case, sight, Reading::Lenient);
    sighting.seen.get(case).is_some_and(|seen| seen.verdict == sight.verdict)
}

/// Whether a case that only warns of a fault fails in the strict reading.
fn fails_strictly(entry: &FaultEntry, case: &str, sight: &Sight) -> bool {
    let sighting = again(entry, case, sight, Reading::Strict);
    sighting.seen.get(case).is_some_and(|sight| sight.verdict == "failed")
}

fn again(entry: &FaultEntry, case: &str, sight: &Sight, reading: Reading) -> Sighting {
    let cases = std::iter::once(case.to_owned()).chain(sight.origins.iter().cloned()).collect();
    run(entry, cases, reading)
}

/// Why no case fails on a fault, where that is right or known.
pub fn excuse(fault: &str) -> Option<&'static str> {
    EXCUSES.iter().find(|(name, _)| *name == fault).map(|(_, why)| *why)
}

/// Faults that break a must and that no case fails on, each with the reason.
pub const EXCUSES: &[(&str, &str)] = &[
    ("accept-refused", "the probe is refused too, and the run ends with that"),
    ("member-references-missing", "$ref and type are optional (AMB-26)"),
    ("slow-users", "it breaks no requirement; clients with a short time-out are hurt"),
    ("trailing-slash-answers-404", "it breaks no requirement; clients that write the slash are hurt"),
];

/// Why a case does no more than warn or take note of a fault that breaks a must, in both readings.
pub fn leniency(fault: &str) -> Option<&'static str> {
    LENIENCIES.iter().find(|(name, _)| *name == fault).map(|(_, why)| *why)
}

/// Faults that break a must and that cases only warn of or take note of, each with the reason: mostly a dispute.
const LENIENCIES: &[(&str, &str)] = &[
    ("bulk-ids-not-unique", "what becomes of a bulkId that is there twice is open (AMB-121)"),
    ("bulk-location-relative", "a relative location resolves all the same (AMB-127)"),
    ("bulk-path-references-unknown", "the RFC does not speak of references in paths (AMB-122)"),
    ("bulk-post-needs-no-bulk-id", "nothing is lost but the name of the result (AMB-121)"),
    ("bulk-status-number", "the RFC's examples contradict its text (AMB-120)"),
    ("bulk-version-of-result-wrong", "the version may change by other operations of the job"),
    ("create-read-only-refused", "nothing wrong is stored, and the client is told (AMB-92)"),
    ("cursor-unknown-of-another-keyword", "which keyword goes with the refusal is not binding (AMB-154)"),
    ("delete-of-member-leaves-it", "whether the entry goes with the user is open (AMB-34)"),
    ("discovery-paging-applied", "providers with many schemas page them (AMB-41)"),
    ("error-scim-type-null-text", "a keyword of one's own is no worse than none"),
    ("error-with-stack-trace", "detail is a text for people, and no text is forbidden"),
    ("external-id-hidden", "externalId is optional (AMB-31)"),
    ("external-id-unique", "whether an externalId may be used twice is the provider's domain"),
    ("groups-of-user-missing", "groups is optional (AMB-34)"),
    ("member-references-broken", "$ref is a should"),
    ("meta-location-internal-host", "proxies change the host, and clients resolve what they know"),
    ("meta-location-relative", "a relative reference resolves all the same"),
    ("mutability-scim-type-missing", "which keyword goes with which refusal is in dispute (AMB-109)"),
    ("patch-op-case-sensitive", "the RFC writes op in small letters (AMB-97)"),
    ("root-search-missing", "a search at the root is optional (AMB-58)"),
    ("schema-display-name-read-only", "a provider may declare other characteristics than the RFC"),
    ("schemas-without-schemas", "the RFC's own examples of schemas leave it out"),
    ("text-body-accepted", "what is too liberal serves every client (AMB-130)"),
    ("times-without-zone", "xsd:dateTime allows it"),
    ("undeclared-member-shown", "a client reads past what it does not know"),
    ("version-missing", "the version is in the ETag header (AMB-132)"),
];
