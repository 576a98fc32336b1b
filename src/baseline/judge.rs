//! Outcome × entry → the verdict under a baseline.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};

use chrono::NaiveDate;

use crate::outcome::{Fingerprint, Outcome, Severity, SkipReason, Tolerance, Verdict};

use super::{Baseline, Entry};

/// Holds the outcomes of one run to a baseline, in the order in which they come.
#[derive(Debug)]
pub struct Judge {
    baseline: Baseline,
    /// The day, in UTC.
    today: NaiveDate,
    deny_warnings: bool,
    /// The ids of the cases that look at every exchange of the run.
    rules: BTreeSet<String>,
    /// Whether the run makes fewer exchanges than a whole one, so that what a rule does not find may still be there.
    incomplete: AtomicBool,
}

impl Judge {
    /// A judge for one run. `rules` are the cases that look at the exchanges of all others; `narrowed` says that
    /// `--case`, `--skip` or `--tag` left some of those out.
    pub fn new(
        baseline: Baseline,
        today: NaiveDate,
        deny_warnings: bool,
        rules: BTreeSet<String>,
        narrowed: bool,
    ) -> Judge {
        Judge { baseline, today, deny_warnings, rules, incomplete: AtomicBool::new(narrowed) }
    }

    /// The outcome with the verdict that the baseline makes of it.
    ///
    /// An outcome that the baseline does not list stays as it is, and so does one that was not judged. Of the others:
    ///
    /// - A finding that counts (a failure; under `--deny warnings` a warning, too) and is not listed: the verdict
    ///   stays failed, the new findings come first, and all are told apart in [`Outcome::baseline`].
    /// - All that count are listed: a known failure. Where `until` is over it stays failed.
    /// - Findings that are listed and gone: an unexpected pass, also where others of the same case are still there:
    ///   half a mended defect would else come back unseen. Where a rule is listed and the run did not make all
    ///   exchanges (selection, `--requests`, interrupt, trouble), a finding that is gone says nothing: what is left
    ///   decides.
    /// - A warning that is listed and does not count without `--deny warnings` is used, and stays a warning.
    pub fn judge(&self, mut outcome: Outcome) -> Outcome {
        if left_unmade(&outcome.verdict) {
            self.incomplete.store(true, Ordering::Relaxed);
        }
        let Some(entry) = self.baseline.entry(&outcome.id) else { return outcome };
        if !is_judged(&outcome.verdict) {
            return outcome;
        }
        let tolerance = self.compare(entry, &mut outcome);
        let gone_counts = !(self.rules.contains(&outcome.id) && self.incomplete.load(Ordering::Relaxed));
        let fails = match outcome.verdict {
            Verdict::Failed => true,
            Verdict::Warned => self.deny_warnings,
            _ => false,
        };
        let is_new = !tolerance.new.is_empty() || (fails && tolerance.known.is_empty());
        outcome.verdict = match outcome.verdict {
            verdict if fails && is_new => verdict,
            _ if !tolerance.gone.is_empty() && gone_counts => Verdict::UnexpectedPass,
            verdict if fails && tolerance.expired => verdict,
            _ if fails => Verdict::KnownFailure,
            verdict => verdict,
        };
        outcome.baseline = Some(tolerance);
        outcome
    }

    /// What is known, new and gone; the new findings are put first.
    fn compare(&self, entry: &Entry, outcome: &mut Outcome) -> Tolerance {
        let listed: BTreeSet<&Fingerprint> = entry.findings.iter().map(|known| &known.fingerprint).collect();
        let threshold = if self.deny_warnings { Severity::Warning } else { Severity::Failure };
        let id = outcome.id.clone();
        let is_known = |print: &Fingerprint| listed.contains(print);
        outcome.findings.sort_by_key(|finding| {
            (std::cmp::Reverse(finding.severity), is_known(&finding.fingerprint(&id)))
        });
        let mut tolerance = Tolerance {
            reason: entry.reason.clone(),
            issue: entry.issue.clone(),
            until: entry.until,
            expired: entry.until.is_some_and(|until| until < self.today),
            ..Tolerance::default()
        };
        for finding in &outcome.findings {
            let print = finding.fingerprint(&id);
            let list = match (is_known(&print), finding.severity >= threshold) {
                (true, _) => &mut tolerance.known,
                (false, true) => &mut tolerance.new,
                (false, false) => continue,
            };
            if !list.contains(&print) {
                list.push(print);
            }
        }
        tolerance.gone = entry
            .findings
            .iter()
            .filter(|known| !tolerance.known.contains(&known.fingerprint))
            .map(
                |known| {
                    if known.shows.is_empty() { known.fingerprint.0.clone() } else { known.shows.clone() }
                },
            )
            .collect();
        tolerance
    }
}

/// Whether the case ran to a verdict, so that an entry can be held against it.
pub(super) fn is_judged(verdict: &Verdict) -> bool {
    match verdict {
        Verdict::Passed
        | Verdict::Noted
        | Verdict::Warned
        | Verdict::Failed
        | Verdict::Deviates { .. }
        | Verdict::KnownFailure
        | Verdict::UnexpectedPass => true,
        Verdict::Skipped { .. } | Verdict::Inconclusive { .. } | Verdict::Errored { .. } => false,
    }
}

/// Whether the case may not have made the exchanges that it makes in an undisturbed run.
pub(super) fn left_unmade(verdict: &Verdict) -> bool {
    match verdict {
        // What a case is blocked by is the service provider's own, run after run.
        Verdict::Skipped { reason } => {
            matches!(reason, SkipReason::BudgetSpent | SkipReason::Interrupted | SkipReason::ReadOnly)
        }
        Verdict::Inconclusive { .. } | Verdict::Errored { .. } => true,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::baseline::Known;
    use crate::outcome::{ErrorCause, Finding, Reading};
    use crate::report::sample;

    const ID: &str = "create/taken";

    fn finding(check: &str, severity: Severity) -> Finding {
        Finding { severity, ..sample::finding(check, check, "a", "b", 1) }
    }

    fn failure(check: &str) -> Finding {
        finding(check, Severity::Failure)
    }

    fn outcome(findings: Vec<Finding>) -> Outcome {
        let verdict = Verdict::of(&findings);
        Outcome { findings, ..sample::outcome(ID, "x", verdict, &[]) }
    }

    fn day(text: &str) -> NaiveDate {
        text.parse().unwrap()
    }

    /// A judge of 22 November 2026 whose baseline lists these findings.
    fn judge(listed: &[Finding], until: Option<&str>, deny: bool, rule: bool, narrowed: bool) -> Judge {
        let mut baseline = Baseline::empty("rfc", Reading::Lenient);
        baseline.entries.push(Entry {
            case: ID.to_owned(),
            reason: "later".to_owned(),
            issue: None,
            until: until.map(day),
            findings: listed.iter().map(|finding| Known::of(finding, ID)).collect(),
            spans: super::super::Spans::default(),
        });
        let rules = if rule { BTreeSet::from([ID.to_owned()]) } else { BTreeSet::new() };
        Judge::new(baseline, day("2026-11-22"), deny, rules, narrowed)
    }

    fn verdict(listed: &[Finding], found: Vec<Finding>) -> Verdict {
        judge(listed, None, false, false, false).judge(outcome(found)).verdict
    }

    #[test]
    fn known_new_and_gone_findings_decide() {
        let (a, b) = (|| failure("a"), || failure("b"));
        let warning = || finding("w", Severity::Warning);
        let note = || finding("n", Severity::Note);
        for (listed, found, expected) in [
            (vec![a()], vec![a()], Verdict::KnownFailure),
            (vec![a()], vec![a(), a()], Verdict::KnownFailure),
            (vec![a(), b()], vec![b(), a()], Verdict::KnownFailure),
            (vec![a()], vec![a(), note()], Verdict::KnownFailure),
            (vec![a()], vec![a(), warning()], Verdict::KnownFailure),
            (vec![a()], vec![a(), b()], Verdict::Failed),
            (vec![a()], vec![b()], Verdict::Failed),
            (vec![a(), b()], vec![a()], Verdict::UnexpectedPass),
            (vec![a()], vec![], Verdict::UnexpectedPass),
            (vec![a()], vec![note()], Verdict::UnexpectedPass),
            (vec![a()], vec![warning()], Verdict::UnexpectedPass),
            (vec![warning()], vec![warning()], Verdict::Warned),
            (vec![warning()], vec![warning(), a()], Verdict::Failed),
            (vec![], vec![a()], Verdict::Failed),
        ] {
            let said: Vec<_> = found.iter().map(|finding| finding.check.clone()).collect();
            assert_eq!(verdict(&listed, found), expected, "{said:?}");
        }
    }

    #[test]
    fn a_case_that_is_not_listed_stays_as_it_is() {
        let other = sample::status_failure();
        assert_eq!(judge(&[failure("a")], None, false, false, false).judge(other.clone()), other);
    }

    #[test]
    fn new_findings_come_first_and_all_are_told_apart() {
        let judged = judge(&[failure("a"), failure("gone")], None, false, false, false).judge(outcome(vec![
            failure("a"),
            finding("w", Severity::Warning),
            failure("b"),
        ]));
        let order: Vec<&str> = judged.findings.iter().map(|finding| finding.check.as_str()).collect();
        assert_eq!(order, ["b", "a", "w"]);
        let tolerance = judged.baseline.unwrap();
        assert_eq!(tolerance.known, [failure("a").fingerprint(ID)]);
        assert_eq!(tolerance.new, [failure("b").fingerprint(ID)]);
        assert_eq!(tolerance.gone, ["gone: POST /Users, status 201 instead of status 409"]);
    }

    #[test]
    fn what_was_not_judged_uses_no_entry() {
        let judge = judge(&[failure("a")], None, false, false, false);
        for verdict in [
            Verdict::Skipped { reason: SkipReason::ReadOnly },
            Verdict::Inconclusive { why: "a race".to_owned() },
            Verdict::Errored { cause: ErrorCause::Transport { detail: "reset".to_owned() } },
        ] {
            let before = sample::outcome(ID, "x", verdict, &[]);
            assert_eq!(judge.judge(before.clone()), before);
        }
    }

    #[test]
    fn an_entry_holds_to_the_end_of_its_last_day() {
        let on = |until: &str| judge(&[failure("a")], Some(until), false, false, false);
        assert_eq!(on("2026-11-22").judge(outcome(vec![failure("a")])).verdict, Verdict::KnownFailure);
        let over = on("2026-11-21").judge(outcome(vec![failure("a")]));
        assert_eq!(over.verdict, Verdict::Failed);
        assert!(over.baseline.unwrap().expired);
        assert_eq!(on("2026-11-21").judge(outcome(vec![])).verdict, Verdict::UnexpectedPass);
    }

    #[test]
    fn denied_warnings_are_known_or_new_like_failures() {
        let warning = || finding("w", Severity::Warning);
        let on = |listed: &[Finding], found: Vec<Finding>| {
            judge(listed, None, true, false, false).judge(outcome(found)).verdict
        };
        assert_eq!(on(&[warning()], vec![warning()]), Verdict::KnownFailure);
        assert_eq!(on(&[failure("a")], vec![warning()]), Verdict::Warned, "new, and denied by who counts");
        assert_eq!(on(&[failure("a")], vec![failure("a"), warning()]), Verdict::Failed);
        assert_eq!(on(&[warning()], vec![]), Verdict::UnexpectedPass);
    }

    #[test]
    fn a_rule_is_not_mended_by_asking_less() {
        let listed = [failure("a"), failure("b")];
        let narrowed = judge(&listed, None, false, true, true);
        assert_eq!(narrowed.judge(outcome(vec![])).verdict, Verdict::Passed);
        assert_eq!(narrowed.judge(outcome(vec![failure("a")])).verdict, Verdict::KnownFailure);
        assert_eq!(narrowed.judge(outcome(vec![failure("c")])).verdict, Verdict::Failed);
        let whole = judge(&listed, None, false, true, false);
        assert_eq!(whole.judge(outcome(vec![failure("a")])).verdict, Verdict::UnexpectedPass);
        whole.judge(sample::outcome("a/b", "x", Verdict::Skipped { reason: SkipReason::BudgetSpent }, &[]));
        assert_eq!(whole.judge(outcome(vec![failure("a")])).verdict, Verdict::KnownFailure);
    }

    #[test]
    fn a_failure_without_a_finding_is_never_known() {
        let odd = sample::outcome(ID, "x", Verdict::Failed, &[]);
        assert_eq!(judge(&[failure("a")], None, false, false, false).judge(odd).verdict, Verdict::Failed);
    }
}
