//! A run's report → the entries that it needs, and what that changes.

use chrono::NaiveDate;

use crate::outcome::{Outcome, Severity, Verdict};
use crate::report::model::RunReport;

use super::judge::{is_judged, left_unmade};
use super::{Baseline, Entry, Known, Spans};

/// What new entries say.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Reasons {
    /// Why they are tolerated; empty where somebody has to fill it in.
    pub reason: String,
    /// Where that is followed up.
    pub issue: Option<String>,
    /// The last day on which they are tolerated.
    pub until: Option<NaiveDate>,
}

/// What an update did, by the ids of cases.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Updated {
    /// Entries that the run shows as they are.
    pub kept: Vec<String>,
    /// Entries whose findings are others now. The reason stayed, and may not be the whole reason any more.
    pub changed: Vec<Changed>,
    /// New entries.
    pub added: Vec<String>,
    /// Entries that went, since their case holds.
    pub removed: Vec<String>,
    /// Entries that stay as they are, since the run says nothing of their case.
    pub not_judged: Vec<String>,
    /// Entries without a reason, which no run takes.
    pub without_reason: Vec<String>,
}

/// An entry whose findings are others now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Changed {
    /// Its case.
    pub case: String,
    /// How many findings are new to it.
    pub new: usize,
    /// How many are gone.
    pub gone: usize,
}

/// Brings a baseline up to date with a run: adds entries for failures that it does not list, renews the findings of
/// those that it lists, and takes out what holds. What has no reason yet gets the one given. What the run did not judge stays, and so do findings of a rule in a
/// run that did not make all exchanges. `is_rule` says which cases look at the exchanges of all others.
pub fn update(
    baseline: &mut Baseline,
    report: &RunReport,
    is_rule: &dyn Fn(&str) -> bool,
    reasons: &Reasons,
) -> Updated {
    let incomplete = report.narrowed || report.outcomes.iter().any(|outcome| left_unmade(&outcome.verdict));
    let mut updated = Updated::default();
    for mut entry in std::mem::take(&mut baseline.entries) {
        if entry.reason.trim().is_empty() {
            entry.reason.clone_from(&reasons.reason);
            entry.issue = entry.issue.or_else(|| reasons.issue.clone());
            entry.until = entry.until.or(reasons.until);
        }
        let outcome = report.outcomes.iter().find(|outcome| outcome.id == entry.case);
        let Some(outcome) = outcome.filter(|outcome| is_judged(&outcome.verdict)) else {
            updated.not_judged.push(entry.case.clone());
            baseline.entries.push(entry);
            continue;
        };
        let mut now = counting(report, outcome);
        // A listed warning stays listed although it does not count in this run.
        let still = outcome.findings.iter().map(|finding| Known::of(finding, &outcome.id));
        for known in still.filter(|known| lists(&entry.findings, known)) {
            if !lists(&now, &known) {
                now.push(known);
            }
        }
        if incomplete && is_rule(&entry.case) {
            now.extend(
                entry.findings.iter().filter(|known| !lists(&now, known)).cloned().collect::<Vec<_>>(),
            );
        }
        if now.is_empty() {
            updated.removed.push(entry.case);
            continue;
        }
        let new = now.iter().filter(|known| !lists(&entry.findings, known)).count();
        let gone = entry.findings.iter().filter(|known| !lists(&now, known)).count();
        if new + gone == 0 {
            updated.kept.push(entry.case.clone());
        } else {
            updated.changed.push(Changed { case: entry.case.clone(), new, gone });
            entry.findings = now;
        }
        baseline.entries.push(entry);
    }
    for outcome in &report.outcomes {
        let findings = counting(report, outcome);
        let fails = matches!(outcome.verdict, Verdict::Failed | Verdict::KnownFailure | Verdict::Warned);
        if !fails || findings.is_empty() || baseline.entry(&outcome.id).is_some() {
            continue;
        }
        updated.added.push(outcome.id.clone());
        let Reasons { reason, issue, until } = reasons.clone();
        let case = outcome.id.clone();
        baseline.entries.push(Entry { case, reason, issue, until, findings, spans: Spans::default() });
    }
    baseline.entries.sort_by(|a, b| a.case.cmp(&b.case));
    let without = baseline.entries.iter().filter(|entry| entry.reason.trim().is_empty());
    updated.without_reason = without.map(|entry| entry.case.clone()).collect();
    updated
}

/// The findings of an outcome that count in its run, each once.
fn counting(report: &RunReport, outcome: &Outcome) -> Vec<Known> {
    let threshold = if report.deny_warnings { Severity::Warning } else { Severity::Failure };
    let mut all: Vec<Known> = Vec::new();
    for finding in outcome.findings.iter().filter(|finding| finding.severity >= threshold) {
        let known = Known::of(finding, &outcome.id);
        if !lists(&all, &known) {
            all.push(known);
        }
    }
    all.sort_by(|a, b| a.fingerprint.cmp(&b.fingerprint));
    all
}

fn lists(all: &[Known], one: &Known) -> bool {
    all.iter().any(|known| known.fingerprint == one.fingerprint)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::outcome::{ErrorCause, Finding, Reading, SkipReason};
    use crate::report::sample;

    fn failing(id: &str, checks: &[&str]) -> Outcome {
        let findings: Vec<Finding> =
            checks.iter().map(|check| sample::finding(check, check, "a", "b", 1)).collect();
        Outcome { findings, ..sample::outcome(id, "x", Verdict::Failed, &[]) }
    }

    fn report(outcomes: &[Outcome]) -> RunReport {
        sample::report_of(outcomes, &sample::exchanges(), false)
    }

    fn reasons(reason: &str) -> Reasons {
        Reasons { reason: reason.to_owned(), ..Reasons::default() }
    }

    fn written(outcomes: &[Outcome], reason: &str) -> Baseline {
        let mut baseline = Baseline::empty("rfc", Reading::Lenient);
        update(&mut baseline, &report(outcomes), &|_| false, &reasons(reason));
        baseline
    }

    #[test]
    fn only_failures_are_written_and_each_finding_once() {
        let outcomes = [
            failing("b/fails", &["two", "one", "one"]),
            sample::outcome("b/passes", "x", Verdict::Passed, &[]),
            sample::warning(),
            sample::errored(),
            failing("a/fails", &["one"]),
        ];
        let baseline = written(&outcomes, "");
        let ids: Vec<&str> = baseline.entries.iter().map(|entry| entry.case.as_str()).collect();
        assert_eq!(ids, ["a/fails", "b/fails"]);
        assert_eq!(baseline.entries[1].findings.len(), 2);
        let mut denied = sample::report_of(&outcomes, &sample::exchanges(), true);
        denied.profile = "rfc".to_owned();
        let mut with_warnings = Baseline::empty("rfc", Reading::Lenient);
        let updated = update(&mut with_warnings, &denied, &|_| false, &reasons("later"));
        assert_eq!(updated.added, ["b/fails", "create/location", "a/fails"]);
        assert!(updated.without_reason.is_empty());
    }

    #[test]
    fn an_update_keeps_reasons_and_says_what_it_did() {
        let mut baseline = written(
            &[
                failing("a/same", &["one"]),
                failing("a/other", &["one", "two"]),
                failing("a/mended", &["one"]),
                failing("a/absent", &["one"]),
                failing("a/errored", &["one"]),
                failing("a/skipped", &["one"]),
            ],
            "known for long",
        );
        let cause = ErrorCause::Transport { detail: "reset".to_owned() };
        let now = report(&[
            failing("a/same", &["one"]),
            failing("a/other", &["two", "three", "four"]),
            sample::outcome("a/mended", "x", Verdict::Passed, &[]),
            sample::outcome("a/errored", "x", Verdict::Errored { cause }, &[]),
            sample::outcome("a/skipped", "x", Verdict::Skipped { reason: SkipReason::ReadOnly }, &[]),
            failing("a/new", &["one"]),
        ]);
        let updated = update(&mut baseline, &now, &|_| false, &Reasons::default());
        assert_eq!(updated.kept, ["a/same"]);
        assert_eq!(updated.changed, [Changed { case: "a/other".to_owned(), new: 2, gone: 1 }]);
        assert_eq!(updated.removed, ["a/mended"]);
        assert_eq!(updated.added, ["a/new"]);
        assert_eq!(updated.not_judged, ["a/absent", "a/errored", "a/skipped"]);
        assert_eq!(updated.without_reason, ["a/new"]);
        let reason = |case: &str| baseline.entry(case).map(|entry| entry.reason.as_str());
        assert_eq!(reason("a/other"), Some("known for long"));
        assert_eq!(reason("a/mended"), None);
        let again = update(&mut baseline, &now, &|_| false, &reasons("it comes with the gateway"));
        assert_eq!((again.kept.len(), again.changed, again.added.len()), (3, vec![], 0), "once is enough");
        let reason = |case: &str| baseline.entry(case).map(|entry| entry.reason.as_str());
        assert_eq!(
            reason("a/new"),
            Some("it comes with the gateway"),
            "what has none yet gets the one given"
        );
        assert_eq!(reason("a/same"), Some("known for long"));
    }

    #[test]
    fn a_rule_in_a_narrowed_run_loses_nothing() {
        let before =
            written(&[failing("rules/x", &["one", "two"]), failing("a/x", &["one", "two"])], "later");
        let mut now = report(&[failing("rules/x", &["one"]), failing("a/x", &["one"])]);
        let is_rule = |id: &str| id.starts_with("rules/");
        let mut whole = before.clone();
        assert_eq!(update(&mut whole, &now, &is_rule, &Reasons::default()).changed.len(), 2);
        now.narrowed = true;
        let mut narrowed = before.clone();
        let updated = update(&mut narrowed, &now, &is_rule, &Reasons::default());
        assert_eq!((updated.kept, updated.changed.len()), (vec!["rules/x".to_owned()], 1));
        assert_eq!(narrowed.entry("rules/x"), before.entry("rules/x"));
    }

    #[test]
    fn a_listed_warning_stays_listed_where_warnings_do_not_count() {
        let outcomes = [sample::warning()];
        let mut baseline = Baseline::empty("rfc", Reading::Lenient);
        let denied = sample::report_of(&outcomes, &sample::exchanges(), true);
        update(&mut baseline, &denied, &|_| false, &reasons("later"));
        let updated = update(&mut baseline, &report(&outcomes), &|_| false, &Reasons::default());
        assert_eq!(updated.kept, ["create/location"]);
    }
}
