//! Feature × ready, ready with warnings, not ready or not tested: what a profile's features come to in a run.
//!
//! Pure, and made from outcomes alone. This module refuses to know how a case was judged and how the table is printed.
//!
//! A feature is decided by the cases that carry one of its tags, in this order:
//!
//! 1. A failed case makes it **not ready**. A known failure does so too: a baseline keeps a pipeline green, and makes
//!    no client work. So does a warning under `--deny warnings`.
//! 2. Where nothing ran to a verdict, or where the judgement was cut short, it is **not tested**. Cut short means that a
//!    case of it errored, stayed inconclusive, was left out of the selection, or was skipped because the run is
//!    read-only, was interrupted, spent its requests, or because something else went wrong before: what such a case
//!    would have found is unknown, so that nothing is promised.
//! 3. A warning makes it **ready with warnings**.
//! 4. What is left is **ready**, also where some of its cases were left aside: skipped because the service provider
//!    does not claim an optional part, because nothing was eligible, because they disturb and were not allowed, or
//!    because a hook is missing. The table says how many and why.
//!
//! A run is *partial* where a core feature is not tested. It is never called conformant then.

use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::outcome::{Outcome, SkipReason, Verdict};
use crate::profile::Feature;

/// Whether a feature works.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Readiness {
    /// All that was judged of it holds.
    Ready,
    /// Nothing failed, but a recommendation is not kept, or clients are known to trip over something.
    ReadyWithWarnings,
    /// A case of it failed.
    NotReady,
    /// It was not judged, or not far enough to say anything.
    NotTested,
}

impl Readiness {
    /// As tables print it.
    pub fn words(self) -> &'static str {
        match self {
            Readiness::Ready => "ready",
            Readiness::ReadyWithWarnings => "ready with warnings",
            Readiness::NotReady => "not ready",
            Readiness::NotTested => "not tested",
        }
    }
}

/// One line of the readiness table, with the cases behind it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FeatureReadiness {
    /// The feature's name in the profile: `create`.
    pub feature: String,
    /// What it is called for people.
    pub title: String,
    /// Whether the profile is not served without it.
    pub core: bool,
    /// Whether it works.
    pub readiness: Readiness,
    /// Why it is not simply ready, in one line; empty where it is.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub why: String,
    /// The cases that decide about it, by id.
    pub cases: Behind,
}

/// The cases behind a feature, by what they came to.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Behind {
    /// Failed, or failing as a baseline knows them to; under `--deny warnings` also those with warnings.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub failed: Vec<String>,
    /// Held with warnings.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warned: Vec<String>,
    /// Held.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub passed: Vec<String>,
    /// Without a verdict: errored or inconclusive.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unjudged: Vec<String>,
    /// Skipped.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub skipped: Vec<String>,
    /// Left out of the run by `--case`, `--skip` or `--tag`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub left_out: Vec<String>,
}

impl FeatureReadiness {
    /// The cases that make it what it is: the failed ones where it is not ready, those with warnings where it has some,
    /// those that could not be judged where they are why nothing is said.
    pub fn telling(&self) -> &[String] {
        match self.readiness {
            Readiness::NotReady => &self.cases.failed,
            Readiness::ReadyWithWarnings => &self.cases.warned,
            Readiness::NotTested => &self.cases.unjudged,
            Readiness::Ready => &[],
        }
    }
}

impl Behind {
    /// How many cases there are.
    pub fn total(&self) -> usize {
        let Behind { failed, warned, passed, unjudged, skipped, left_out } = self;
        [failed, warned, passed, unjudged, skipped, left_out].into_iter().map(Vec::len).sum()
    }
}

/// A case of the profile that the selection left out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeftOut {
    /// Its id.
    pub id: String,
    /// Its tags.
    pub tags: Vec<String>,
}

/// What the features of a profile come to, in the order of the profile.
pub fn readiness(
    features: &IndexMap<String, Feature>,
    outcomes: &[Outcome],
    left_out: &[LeftOut],
    deny_warnings: bool,
) -> Vec<FeatureReadiness> {
    let one = |(name, feature): (&String, &Feature)| {
        let about = |tags: &[String]| tags.iter().any(|tag| feature.tags.contains(tag));
        let mut tally = Tally::default();
        for outcome in outcomes.iter().filter(|outcome| about(&outcome.tags)) {
            tally.count(outcome, deny_warnings);
        }
        for case in left_out.iter().filter(|case| about(&case.tags)) {
            tally.cases.left_out.push(case.id.clone());
            tally.short.push("left out by --case, --skip or --tag".to_owned());
        }
        let (readiness, why) = tally.conclusion();
        FeatureReadiness {
            feature: name.clone(),
            title: feature.title.clone(),
            core: feature.core,
            readiness,
            why,
            cases: tally.cases,
        }
    };
    features.iter().map(one).collect()
}

/// The core features that were not tested: with one of them, a run is partial.
pub fn untested_core(table: &[FeatureReadiness]) -> impl Iterator<Item = &FeatureReadiness> {
    table.iter().filter(|feature| feature.core && feature.readiness == Readiness::NotTested)
}

/// The cases of one feature, and why some of them say nothing.
#[derive(Default)]
struct Tally {
    cases: Behind,
    /// Why cases were not judged that might have found something.
    short: Vec<String>,
    /// Why cases were not judged that a feature can do without.
    aside: Vec<String>,
}

impl Tally {
    fn count(&mut self, outcome: &Outcome, deny_warnings: bool) {
        let cases = &mut self.cases;
        let list = match &outcome.verdict {
            Verdict::Failed | Verdict::KnownFailure => &mut cases.failed,
            Verdict::Warned if deny_warnings => &mut cases.failed,
            Verdict::Warned => &mut cases.warned,
            // Some of what the baseline lists is gone, but not all.
            Verdict::UnexpectedPass if outcome.baseline.as_ref().is_some_and(|t| !t.known.is_empty()) => {
                &mut cases.failed
            }
            Verdict::Passed | Verdict::Noted | Verdict::Deviates { .. } | Verdict::UnexpectedPass => {
                &mut cases.passed
            }
            Verdict::Errored { cause } => {
                self.short.push(format!("errored ({})", cause.kind()));
                &mut cases.unjudged
            }
            Verdict::Inconclusive { .. } => {
                self.short.push("inconclusive".to_owned());
                &mut cases.unjudged
            }
            Verdict::Skipped { reason } => {
                // What blocked a case may repeat what the service provider sent: its name is enough here.
                let said = match reason {
                    SkipReason::BlockedBy { case, .. } => format!("blocked by {case}"),
                    other => other.to_string(),
                };
                if cuts_short(reason) {
                    self.short.push(said)
                } else {
                    self.aside.push(said)
                }
                &mut cases.skipped
            }
        };
        list.push(outcome.id.clone());
    }

    fn conclusion(&self) -> (Readiness, String) {
        let Behind { failed, warned, passed, .. } = &self.cases;
        let of = |count: usize| match self.cases.total() {
            1 => "its only case".to_owned(),
            total => format!("{count} of {total} cases"),
        };
        if !failed.is_empty() {
            return (Readiness::NotReady, format!("{} failed", of(failed.len())));
        }
        if warned.is_empty() && passed.is_empty() && self.short.is_empty() {
            let why = reasons(&self.aside).unwrap_or_else(|| "no case is about it".to_owned());
            return (Readiness::NotTested, why);
        }
        if let Some(why) = reasons(&self.short) {
            let why = match self.cases.total() {
                total if total == self.short.len() => why,
                _ => format!("{} not judged: {why}", of(self.short.len())),
            };
            return (Readiness::NotTested, why);
        }
        let mut said = Vec::new();
        if !warned.is_empty() {
            said.push(format!("{} warned", of(warned.len())));
        }
        if let Some(why) = reasons(&self.aside) {
            said.push(format!("{} skipped: {why}", self.aside.len()));
        }
        let readiness = if warned.is_empty() { Readiness::Ready } else { Readiness::ReadyWithWarnings };
        (readiness, said.join("; "))
    }
}

/// Whether a skip leaves open what the case would have found, so that the feature cannot be called ready.
fn cuts_short(reason: &SkipReason) -> bool {
    match reason {
        SkipReason::ReadOnly
        | SkipReason::BlockedBy { .. }
        | SkipReason::NotReached { .. }
        | SkipReason::BudgetSpent
        | SkipReason::Interrupted => true,
        SkipReason::Capability { .. }
        | SkipReason::NotConfigured { .. }
        | SkipReason::NeedsAllow { .. }
        | SkipReason::NothingEligible { .. } => false,
    }
}

/// The first reason, and how many others there are.
fn reasons(all: &[String]) -> Option<String> {
    let first = all.first()?;
    let others = all.iter().filter(|reason| *reason != first).count();
    Some(if others == 0 { first.clone() } else { format!("{first}, and {others} for other reasons") })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::outcome::{ErrorCause, Fingerprint, Tolerance};
    use crate::report::sample;

    fn errored() -> Verdict {
        Verdict::Errored { cause: ErrorCause::Transport { detail: "no answer".to_owned() } }
    }

    fn skipped(reason: SkipReason) -> Verdict {
        Verdict::Skipped { reason }
    }

    fn unclaimed() -> Verdict {
        let evidence = "ServiceProviderConfig.sort.supported = false".to_owned();
        skipped(SkipReason::Capability { needs: "sort".to_owned(), evidence })
    }

    fn inconclusive() -> Verdict {
        Verdict::Inconclusive { why: "a race".to_owned() }
    }

    /// What a feature of cases with these verdicts comes to, and why.
    fn table(verdicts: &[Verdict], left_out: usize, deny: bool) -> FeatureReadiness {
        let outcomes: Vec<Outcome> = verdicts
            .iter()
            .enumerate()
            .map(|(at, verdict)| sample::outcome(&format!("create/{at}"), "x", verdict.clone(), &[]))
            .collect();
        of(&outcomes, left_out, deny)
    }

    fn of(outcomes: &[Outcome], left_out: usize, deny: bool) -> FeatureReadiness {
        let tags = vec!["create".to_owned()];
        let left: Vec<LeftOut> =
            (0..left_out).map(|at| LeftOut { id: format!("create/out-{at}"), tags: tags.clone() }).collect();
        let feature = Feature { title: "Create".to_owned(), tags, core: true };
        readiness(&IndexMap::from([("create".to_owned(), feature)]), outcomes, &left, deny).remove(0)
    }

    #[test]
    fn every_mixture_has_one_answer() {
        use Readiness::{NotReady, NotTested, Ready, ReadyWithWarnings};
        use Verdict::{Failed, KnownFailure, Noted, Passed, UnexpectedPass, Warned};
        let deviates = || Verdict::Deviates { citation: "AMP-24".to_owned() };
        for (verdicts, expected, why) in [
            (vec![], NotTested, "no case is about it"),
            (vec![Passed], Ready, ""),
            (vec![Passed, Noted, deviates(), UnexpectedPass], Ready, ""),
            (vec![Warned], ReadyWithWarnings, "its only case warned"),
            (vec![Passed, Warned], ReadyWithWarnings, "1 of 2 cases warned"),
            (vec![Failed], NotReady, "its only case failed"),
            (vec![KnownFailure, Passed], NotReady, "1 of 2 cases failed"),
            (vec![Failed, Warned, Passed], NotReady, "1 of 3 cases failed"),
            (vec![Failed, errored(), inconclusive(), unclaimed()], NotReady, "1 of 4 cases failed"),
            (vec![errored()], NotTested, "errored (transport)"),
            (vec![Passed, errored()], NotTested, "1 of 2 cases not judged: errored (transport)"),
            (vec![Warned, inconclusive()], NotTested, "1 of 2 cases not judged: inconclusive"),
            (vec![errored(), inconclusive()], NotTested, "errored (transport), and 1 for other reasons"),
            (vec![unclaimed()], NotTested, "needs sort: ServiceProviderConfig.sort.supported = false"),
            (
                vec![Passed, unclaimed()],
                Ready,
                "1 skipped: needs sort: ServiceProviderConfig.sort.supported = false",
            ),
            (
                vec![Warned, unclaimed(), skipped(SkipReason::NeedsAllow { permission: "slow".to_owned() })],
                ReadyWithWarnings,
                "1 of 3 cases warned; 2 skipped: needs sort: ServiceProviderConfig.sort.supported = false, and 1 for \
                 other reasons",
            ),
            (
                vec![Passed, skipped(SkipReason::NotConfigured { what: "a hook".to_owned() })],
                Ready,
                "1 skipped: not configured: a hook",
            ),
            (
                vec![Passed, skipped(SkipReason::NothingEligible { what: "list".to_owned() })],
                Ready,
                "1 skipped: saw no list",
            ),
            (
                vec![Passed, skipped(SkipReason::ReadOnly)],
                NotTested,
                "1 of 2 cases not judged: writes, and the run is --read-only",
            ),
            (
                vec![skipped(SkipReason::BudgetSpent), skipped(SkipReason::BudgetSpent)],
                NotTested,
                "the request budget (--requests) is spent",
            ),
            (
                vec![Passed, Passed, skipped(SkipReason::Interrupted)],
                NotTested,
                "1 of 3 cases not judged: the run was interrupted",
            ),
        ] {
            let row = table(&verdicts, 0, false);
            assert_eq!((row.readiness, row.why.as_str()), (expected, why), "{verdicts:?}");
            assert_eq!(row.cases.total(), verdicts.len(), "every case is behind it: {verdicts:?}");
        }
    }

    #[test]
    fn what_blocked_a_case_is_named_without_what_the_server_sent() {
        let reason = SkipReason::BlockedBy { case: "create/minimal".to_owned(), detail: "<html>".to_owned() };
        let row = table(&[Verdict::Passed, skipped(reason)], 0, false);
        assert_eq!(
            (row.readiness, row.why.as_str()),
            (Readiness::NotTested, "1 of 2 cases not judged: blocked by create/minimal")
        );
    }

    #[test]
    fn denied_warnings_make_a_feature_not_ready() {
        assert_eq!(table(&[Verdict::Passed, Verdict::Warned], 0, true).readiness, Readiness::NotReady);
    }

    #[test]
    fn a_selection_promises_nothing_of_what_it_left_out() {
        let row = table(&[Verdict::Passed], 2, false);
        assert_eq!(row.readiness, Readiness::NotTested);
        assert_eq!(row.why, "2 of 3 cases not judged: left out by --case, --skip or --tag");
        assert_eq!(table(&[Verdict::Failed], 2, false).readiness, Readiness::NotReady);
        assert_eq!(row.cases.left_out, ["create/out-0", "create/out-1"]);
    }

    #[test]
    fn half_a_pass_is_none() {
        let tolerance = Tolerance { known: vec![Fingerprint("a".to_owned())], ..Tolerance::default() };
        let half = Outcome {
            baseline: Some(tolerance),
            ..sample::outcome("create/half", "x", Verdict::UnexpectedPass, &[])
        };
        assert_eq!(of(&[half], 0, false).readiness, Readiness::NotReady);
    }

    #[test]
    fn only_cases_with_a_tag_of_the_feature_count_and_the_profile_gives_the_order() {
        let outcomes = [
            sample::outcome("create/a", "x", Verdict::Passed, &[]),
            Outcome {
                tags: vec!["delete".to_owned()],
                ..sample::outcome("delete/a", "x", Verdict::Failed, &[])
            },
        ];
        let feature = |tag: &str, core| Feature { title: tag.to_owned(), tags: vec![tag.to_owned()], core };
        let features = IndexMap::from([
            ("remove".to_owned(), feature("delete", false)),
            ("make".to_owned(), feature("create", true)),
            ("other".to_owned(), feature("other", true)),
        ]);
        let table = readiness(&features, &outcomes, &[], false);
        let shown: Vec<_> = table.iter().map(|row| (row.feature.as_str(), row.readiness)).collect();
        let expected =
            [("remove", Readiness::NotReady), ("make", Readiness::Ready), ("other", Readiness::NotTested)];
        assert_eq!(shown, expected);
        assert_eq!(table[0].cases.failed, ["delete/a"]);
        assert_eq!(untested_core(&table).map(|row| row.feature.as_str()).collect::<Vec<_>>(), ["other"]);
    }
}
