//! What `tests/killers.toml` holds, and how it is chosen from all that the cases saw.

use std::collections::{BTreeMap, BTreeSet};

use scimspec::outcome::{Level, Reading};
use scimspec::server::{FaultEntry, faults as catalogue};
use serde::{Deserialize, Serialize};

use super::faults::{self, Sight, Sighting};
use super::proven::is_disputed;

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
    /// Cases that fail in the strict reading, and do less in the lenient one.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub strict: BTreeSet<String>,
    /// Cases that run beside them, so that rules have something to see.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub beside: BTreeSet<String>,
}

impl Killers {
    /// All that see it in the lenient reading.
    pub fn all(&self) -> impl Iterator<Item = (&str, &str)> {
        self.failed
            .iter()
            .map(|case| (case.as_str(), "failed"))
            .chain(self.warned.iter().map(|case| (case.as_str(), "warned")))
            .chain(self.noted.iter().map(|case| (case.as_str(), "noted")))
    }

    /// The cases that have to run to see it.
    pub fn cases(&self) -> Vec<String> {
        let mut cases: Vec<String> = self.all().map(|(case, _)| case.to_owned()).collect();
        if !cases.is_empty() {
            cases.extend(self.beside.iter().cloned());
        }
        cases
    }

    /// The cases that have to run in the strict reading.
    pub fn strict_cases(&self) -> Vec<String> {
        if self.strict.is_empty() {
            return Vec::new();
        }
        self.strict.iter().chain(&self.beside).cloned().collect()
    }

    /// Whether no case sees it.
    pub fn is_empty(&self) -> bool {
        self.strict.is_empty() && self.all().next().is_none()
    }

    /// Whether a case is recorded, in either reading.
    pub fn has(&self, case: &str) -> bool {
        self.strict.contains(case) || self.all().any(|(name, _)| name == case)
    }

    /// Whether any case is such a one, those that run beside included.
    pub fn any(&self, is_such: impl Fn(&str) -> bool) -> bool {
        let all = self.all().map(|(case, _)| case);
        all.chain(self.strict.iter().chain(&self.beside).map(String::as_str)).any(is_such)
    }

    /// Whether each case sees the fault as it is recorded to.
    pub fn see_again(&self, entry: &FaultEntry) -> bool {
        let again = |cases: Vec<String>, reading| match cases.is_empty() {
            true => BTreeMap::new(),
            false => faults::run(entry, cases, reading).seen,
        };
        let (lenient, strict) =
            (again(self.cases(), Reading::Lenient), again(self.strict_cases(), Reading::Strict));
        self.all().all(|(case, verdict)| lenient.get(case).is_some_and(|sight| sight.verdict == verdict))
            && self.strict.iter().all(|case| strict.get(case).is_some_and(|sight| sight.verdict == "failed"))
    }

    /// Records that a case sees it.
    fn record(&mut self, case: &str, sight: &Sight) {
        let of_verdict = match sight.verdict.as_str() {
            "failed" => &mut self.failed,
            "warned" => &mut self.warned,
            _ => &mut self.noted,
        };
        of_verdict.insert(case.to_owned());
        self.record_beside(case, sight);
    }

    /// Records that a case fails on it in the strict reading.
    fn record_strict(&mut self, case: &str, sight: &Sight) {
        self.strict.insert(case.to_owned());
        self.record_beside(case, sight);
    }

    fn record_beside(&mut self, case: &str, sight: &Sight) {
        if case.starts_with("rules/") {
            self.beside.extend(sight.origins.iter().cloned());
        }
    }
}

/// What is known without what was tried anew.
#[derive(Debug, Default)]
pub struct Known {
    /// The killers of faults that have not met every case anew.
    pub killers: BTreeMap<String, Killers>,
    /// The requirements that these prove.
    pub requirements: BTreeSet<String>,
}

/// Which killers to record of all that there are. Each of them has to see the fault again without the rest of the cases.
///
/// 1. For each fault a case that is about it: one that cites a requirement that the fault breaks. Where that does no
///    more than warn of a must, one that fails, too: in the lenient reading, or else in the strict one.
/// 2. For each requirement that any case proves a case that does, with as few more kills as that takes. What is in
///    dispute may be proven in the strict reading.
/// 3. For each case a fault that proves it: the one that fewest others see.
pub fn choose(matrix: &BTreeMap<String, Sighting>, known: Known) -> BTreeMap<String, Killers> {
    let cases = known.killers.values().flat_map(|killers| killers.all().map(|(case, _)| case.to_owned()));
    let mut choice =
        Choice { matrix, cases: cases.collect(), chosen: known.killers, requirements: known.requirements };
    choice.one_for_each_fault();
    choice.one_for_each_requirement();
    choice.one_for_each_disputed_requirement();
    choice.one_for_each_case();
    choice.chosen
}

struct Choice<'m> {
    matrix: &'m BTreeMap<String, Sighting>,
    chosen: BTreeMap<String, Killers>,
    /// The cases that are proven.
    cases: BTreeSet<String>,
    /// The requirements that are proven.
    requirements: BTreeSet<String>,
}

impl Choice<'_> {
    fn is_tried(&self, entry: &FaultEntry) -> bool {
        self.matrix.contains_key(entry.name)
    }

    fn one_for_each_fault(&mut self) {
        let matrix = self.matrix;
        let chosen = faults::for_each(
            |entry| self.is_tried(entry) && !self.chosen.contains_key(entry.name),
            |entry| {
                let mut killers = Killers::default();
                let mut proven = BTreeSet::new();
                let mut sights: Vec<(&String, &Sight)> = matrix[entry.name].seen.iter().collect();
                sights.sort_by_key(|(case, sight)| {
                    let is_rule = case.starts_with("rules/");
                    (!sight.is_about_it(), rank(&sight.verdict), is_rule, case.len(), *case)
                });
                let again =
                    sights.iter().find_map(|(case, sight)| Some((*case, sees_again(entry, case, sight)?)));
                let Some((case, again)) = again else { return (killers, proven) };
                killers.record(case, &again);
                proven.extend(again.proves().map(str::to_owned));
                if again.verdict == "failed" || faults::level(entry) != Level::Must {
                    return (killers, proven);
                }
                let failing = sights
                    .iter()
                    .filter(|(_, sight)| sight.verdict == "failed")
                    .find_map(|(case, sight)| Some((*case, sees_again(entry, case, sight)?)));
                if let Some((case, again)) = failing {
                    killers.record(case, &again);
                    proven.extend(again.proves().map(str::to_owned));
                    return (killers, proven);
                }
                let failing = sights
                    .iter()
                    .find_map(|(case, sight)| Some((*case, *sight, fails_strictly(entry, case, sight)?)));
                if let Some((case, sight, again)) = failing {
                    killers.record(case, &Sight { origins: again.origins.clone(), ..sight.clone() });
                    killers.record_strict(case, &again);
                    proven.extend(again.proves().filter(|id| is_disputed(id)).map(str::to_owned));
                }
                (killers, proven)
            },
        );
        for (fault, (killers, proven)) in chosen {
            self.chosen.insert(fault, killers);
            self.requirements.extend(proven);
        }
    }

    fn one_for_each_requirement(&mut self) {
        let mut pairs: Vec<(&'static FaultEntry, &String, &Sight)> = Vec::new();
        for entry in catalogue::catalogue() {
            let seen = self.matrix.get(entry.name).into_iter().flat_map(|sighting| &sighting.seen);
            pairs.extend(seen.map(|(case, sight)| (entry, case, sight)));
        }
        loop {
            pairs.retain(|(_, _, sight)| sight.proves().any(|id| !self.requirements.contains(id)));
            // The most at once; then a fault that is about little, and a case rather than a rule.
            let best = pairs.iter().enumerate().min_by_key(|(_, (entry, case, sight))| {
                let new = sight.proves().filter(|id| !self.requirements.contains(*id)).count();
                let is_rule = case.starts_with("rules/");
                (std::cmp::Reverse(new), entry.requirements.len(), is_rule, entry.name, *case)
            });
            let Some((at, _)) = best else { break };
            let (entry, case, sight) = pairs.swap_remove(at);
            let Some(again) = sees_again(entry, case, sight) else { continue };
            if again.proves().any(|id| !self.requirements.contains(id)) {
                self.requirements.extend(again.proves().map(str::to_owned));
                self.chosen.entry(entry.name.to_owned()).or_default().record(case, &again);
            }
        }
    }

    /// A case of the lenient reading may not see anything of what fails in the strict one, so that all cases run again.
    fn one_for_each_disputed_requirement(&mut self) {
        let is_open = |id: &str| is_disputed(id) && !self.requirements.contains(id);
        let strict = faults::for_each(
            |entry| self.is_tried(entry) && entry.requirements.iter().any(|id| is_open(id)),
            |entry| faults::run(entry, Vec::new(), Reading::Strict),
        );
        for entry in catalogue::catalogue() {
            let Some(sighting) = strict.get(entry.name) else { continue };
            for (case, sight) in &sighting.seen {
                let is_new = |id: &&str| is_disputed(id) && !self.requirements.contains(*id);
                if sight.verdict != "failed" || !sight.proves().any(|id| is_new(&id)) {
                    continue;
                }
                let Some(again) = fails_strictly(entry, case, sight) else { continue };
                let proven: Vec<String> = again.proves().filter(is_new).map(str::to_owned).collect();
                if !proven.is_empty() {
                    self.requirements.extend(proven);
                    self.chosen.entry(entry.name.to_owned()).or_default().record_strict(case, &again);
                }
            }
        }
    }

    fn one_for_each_case(&mut self) {
        for (fault, killers) in &self.chosen {
            let seen = self.matrix.get(fault).map(|sighting| &sighting.seen);
            let is_proof = |case: &str| seen.and_then(|seen| seen.get(case)).is_some_and(Sight::is_proof);
            self.cases.extend(killers.strict.iter().cloned());
            self.cases
                .extend(killers.all().filter(|(case, _)| is_proof(case)).map(|(case, _)| case.to_owned()));
        }
        let cases: BTreeSet<&String> =
            self.matrix.values().flat_map(|sighting| sighting.seen.keys()).collect();
        for case in cases.into_iter().filter(|case| !self.cases.contains(*case)) {
            let mut sights: Vec<(&FaultEntry, usize, &Sight)> = catalogue::catalogue()
                .iter()
                .filter_map(|entry| {
                    let seen = &self.matrix.get(entry.name)?.seen;
                    Some((entry, seen.len(), seen.get(case)?))
                })
                .collect();
            sights.sort_by_key(|(entry, seen, sight)| {
                (!sight.is_proof(), !sight.is_about_it(), *seen, entry.name)
            });
            let proof = sights.iter().find_map(|(entry, _, sight)| {
                let again = if sight.is_proof() {
                    sees_again(entry, case, sight)
                } else {
                    fails_strictly(entry, case, sight)
                };
                Some((entry, sight, again?))
            });
            if let Some((entry, sight, again)) = proof {
                let killers = self.chosen.entry(entry.name.to_owned()).or_default();
                killers.record(case, &Sight { origins: again.origins.clone(), ..Sight::clone(sight) });
                if !sight.is_proof() {
                    killers.record_strict(case, &again);
                }
            }
        }
    }
}

fn rank(verdict: &str) -> u8 {
    match verdict {
        "failed" => 0,
        "warned" => 1,
        _ => 2,
    }
}

/// How many cases are tried beside a rule until it sees a fault again.
const TRIES: usize = 6;

/// What a case sees of a fault again, with little beside it, if that is as red and as much to the point.
fn sees_again(entry: &FaultEntry, case: &str, sight: &Sight) -> Option<Sight> {
    again(entry, case, sight, Reading::Lenient, |seen| {
        seen.verdict == sight.verdict && (seen.is_about_it() || !sight.is_about_it())
    })
}

/// What a case that only warns of a fault sees in the strict reading, if it fails there.
fn fails_strictly(entry: &FaultEntry, case: &str, sight: &Sight) -> Option<Sight> {
    again(entry, case, sight, Reading::Strict, |seen| seen.verdict == "failed")
}

fn again(
    entry: &FaultEntry,
    case: &str,
    sight: &Sight,
    reading: Reading,
    is_right: impl Fn(&Sight) -> bool,
) -> Option<Sight> {
    let tries = if case.starts_with("rules/") { TRIES } else { 0 };
    let others = &sight.others[..tries.min(sight.others.len())];
    // None of them, each alone, all of them.
    let sets = std::iter::once(&[][..]).chain(others.chunks(1)).chain((others.len() > 1).then_some(others));
    sets.into_iter().find_map(|set| {
        let beside: BTreeSet<String> = sight.origins.iter().chain(set).cloned().collect();
        let cases = std::iter::once(case.to_owned()).chain(beside.iter().cloned()).collect();
        let seen = faults::run(entry, cases, reading).seen.remove(case)?;
        is_right(&seen).then_some(Sight { origins: beside, ..seen })
    })
}
