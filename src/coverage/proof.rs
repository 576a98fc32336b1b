//! What has been shown: which case turned red on which fault, citing a requirement that the fault breaks.
//!
//! `proven.toml` holds these pairs by requirement; it is written where every fault meets every case (`UPDATE_PROOFS=1
//! cargo test --test proofs`), and only read here. `tests/killers.toml` has, for each fault, cases that see it. This
//! module refuses to know how a fault is tried, and what a requirement says.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::OnceLock;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

const PROVEN: &str = include_str!("proven.toml");
const KILLERS: &str = include_str!("../../tests/killers.toml");

/// A case that turned red on a fault.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema)]
pub struct Proof {
    /// The fault of the embedded server, as `scimspec serve --fault` takes it.
    pub fault: String,
    /// The case, row, checkpoint or rule that found it.
    pub case: String,
}

/// All that has been shown.
#[derive(Debug, Default)]
pub struct Proofs {
    by_requirement: BTreeMap<String, Vec<Proof>>,
    seen: BTreeSet<Proof>,
    beside: BTreeMap<String, Vec<String>>,
}

#[derive(Deserialize)]
struct ProvenFile {
    proven: BTreeMap<String, Vec<[String; 2]>>,
}

/// What one fault is seen by. What else the file says of it is for the tests.
#[derive(Deserialize)]
struct SeenBy {
    #[serde(default)]
    failed: Vec<String>,
    #[serde(default)]
    warned: Vec<String>,
    #[serde(default)]
    noted: Vec<String>,
    #[serde(default)]
    strict: Vec<String>,
    #[serde(default)]
    beside: Vec<String>,
}

impl Proofs {
    /// What is built into the binary.
    pub fn embedded() -> &'static Proofs {
        static PROOFS: OnceLock<Proofs> = OnceLock::new();
        // The files are part of the binary, and a test reads them: what cannot be read here was never released.
        PROOFS.get_or_init(|| match Proofs::read(PROVEN, KILLERS) {
            Ok(proofs) => proofs,
            Err(trouble) => unreachable!("the embedded proofs are broken: {trouble}"),
        })
    }

    fn read(proven: &str, killers: &str) -> Result<Proofs, toml::de::Error> {
        let ProvenFile { proven } = toml::from_str(proven)?;
        let by_requirement: BTreeMap<String, Vec<Proof>> = proven
            .into_iter()
            .map(|(id, pairs)| {
                let proofs = pairs.into_iter().map(|[fault, case]| Proof { fault, case });
                (id, proofs.collect())
            })
            .collect();
        let killers: BTreeMap<String, SeenBy> = toml::from_str(killers)?;
        let mut seen: BTreeSet<Proof> = by_requirement.values().flatten().cloned().collect();
        let mut besides = BTreeMap::new();
        for (fault, SeenBy { failed, warned, noted, strict, beside }) in killers {
            let cases = failed.into_iter().chain(warned).chain(noted).chain(strict);
            seen.extend(cases.map(|case| Proof { fault: fault.clone(), case }));
            besides.insert(fault, beside);
        }
        Ok(Proofs { by_requirement, seen, beside: besides })
    }

    /// What shows that a requirement is tested.
    pub fn of(&self, requirement: &str) -> &[Proof] {
        self.by_requirement.get(requirement).map(Vec::as_slice).unwrap_or_default()
    }

    /// The requirements that something shows to be tested.
    pub fn requirements(&self) -> impl Iterator<Item = &str> {
        self.by_requirement.keys().map(String::as_str)
    }

    /// The faults that a case, a row or form of it, or a checkpoint of that name has been seen to find.
    pub fn faults_of(&self, case: &str) -> BTreeSet<&str> {
        let is_it = |other: &str| {
            other == case
                || other.strip_prefix(case).is_some_and(|rest| rest.starts_with('[') || rest.starts_with('@'))
        };
        self.seen.iter().filter(|proof| is_it(&proof.case)).map(|proof| proof.fault.as_str()).collect()
    }

    /// The cases that have been seen to find a fault.
    pub fn cases_of(&self, fault: &str) -> BTreeSet<&str> {
        self.seen.iter().filter(|proof| proof.fault == fault).map(|proof| proof.case.as_str()).collect()
    }

    /// The cases that have to run so that a rule has something to see of a fault.
    pub fn beside(&self, fault: &str) -> &[String] {
        self.beside.get(fault).map(Vec::as_slice).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::requirement::Catalogue;
    use crate::server::faults;

    #[test]
    fn the_embedded_proofs_name_requirements_and_faults_that_exist() {
        let proofs = Proofs::read(PROVEN, KILLERS).unwrap();
        assert!(proofs.requirements().count() > 0);
        let mut unknown: Vec<&str> =
            proofs.requirements().filter(|id| Catalogue::embedded().get(id).is_none()).collect();
        let known = |fault: &str| faults::catalogue().iter().any(|entry| entry.name == fault);
        let of_requirements = proofs.by_requirement.values().flatten().map(|proof| proof.fault.as_str());
        unknown.extend(of_requirements.filter(|fault| !known(fault)));
        assert!(unknown.is_empty(), "{unknown:?}");
    }

    #[test]
    fn a_case_is_found_under_its_rows_and_forms_and_not_under_its_neighbours() {
        let proofs = Proofs::read(
            "[proven]\n\"RFC7644-3.3-01\" = [[\"a\", \"s/case\"], [\"b\", \"s/case[row]\"]]\n",
            "[c]\nfailed = [\"s/case@put\"]\nbeside = [\"s/other\"]\n[d]\nwarned = [\"s/case-two\"]\n",
        )
        .unwrap();
        assert_eq!(proofs.of("RFC7644-3.3-01").len(), 2);
        assert_eq!(proofs.faults_of("s/case"), BTreeSet::from(["a", "b", "c"]));
        assert_eq!(proofs.faults_of("s/other"), BTreeSet::new(), "what runs beside shows nothing");
        assert_eq!(proofs.beside("c"), ["s/other"]);
        assert_eq!(proofs.cases_of("d"), BTreeSet::from(["s/case-two"]));
    }
}
