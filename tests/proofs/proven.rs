//! Which requirements are proven: a fault breaks them, and the case that is recorded to catch it says so.

use std::collections::BTreeMap;

use scimspec::requirement::Catalogue;
use scimspec::server::faults;
use serde::{Deserialize, Serialize};

use super::Caught;

/// `src/coverage/proven.toml`.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Proven {
    /// Of each proven requirement, pairs of a fault and the case that catches it and cites the requirement.
    #[serde(default)]
    pub proven: BTreeMap<String, Vec<(String, String)>>,
}

/// How many pairs are written down of a requirement.
const PAIRS: usize = 3;

/// Whether careful readers differ about what a requirement asks. Such a one may be proven in the strict reading.
pub fn is_disputed(requirement: &str) -> bool {
    Catalogue::embedded().get(requirement).is_some_and(|requirement| !requirement.ambiguity.is_empty())
}

impl Proven {
    /// What the recorded killers prove, as they were seen just now. The best pairs come first: in the lenient reading,
    /// by a fault that breaks little else, and by a case rather than by a rule.
    pub fn of(caught: &Caught) -> Proven {
        let mut found: BTreeMap<&str, Vec<_>> = BTreeMap::new();
        for entry in faults::catalogue() {
            let Some(killers) = caught.killers.get(entry.name) else { continue };
            let lenient = killers.all().map(|(case, _)| (false, case));
            let strict = killers.strict.iter().map(|case| (true, case.as_str()));
            for (is_strict, case) in lenient.chain(strict) {
                let sightings = if is_strict { &caught.strict } else { &caught.lenient };
                let Some(sight) = sightings.get(entry.name).and_then(|sighting| sighting.seen.get(case))
                else {
                    continue;
                };
                for id in sight.proves().filter(|id| !is_strict || is_disputed(id)) {
                    let is_rule = case.starts_with("rules/");
                    let pair = (is_strict, entry.requirements.len(), is_rule, entry.name, case);
                    found.entry(id).or_default().push(pair);
                }
            }
        }
        let best = |mut pairs: Vec<(bool, usize, bool, &str, &str)>| {
            pairs.sort_unstable();
            let mut pairs: Vec<(String, String)> =
                pairs.into_iter().map(|(.., fault, case)| (fault.to_owned(), case.to_owned())).collect();
            // What fails in both readings is one pair.
            pairs.dedup();
            pairs.truncate(PAIRS);
            pairs
        };
        Proven { proven: found.into_iter().map(|(id, pairs)| (id.to_owned(), best(pairs))).collect() }
    }

    /// What is recorded.
    pub fn recorded(text: &str) -> Proven {
        toml::from_str(text).expect("src/coverage/proven.toml can be read")
    }

    /// The file.
    pub fn text(&self) -> String {
        format!("{HEADER}{}", toml::to_string(self).expect("names and lists"))
    }
}

const HEADER: &str = "\
# Requirements that are proven: a fault of the embedded server breaks the requirement, a case or rule turns red on it, as
# strongly as the requirement binds, and the finding cites the requirement. Of each, up to three pairs of fault and case,
# the best first. Written by `UPDATE_PROOFS=1 cargo test --test proofs`; held by `cargo test --test proofs`.

";
