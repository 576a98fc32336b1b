//! One rule over every exchange of the run → its outcome.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::{Shared, outcome};
use crate::judge::History;
use crate::judge::rules::{self, Definitions, RuleContext};
use crate::outcome::{ErrorCause, Outcome, SkipReason, Verdict};
use crate::plan::Job;
use crate::target::exchange::{Exchange, ExchangeId};

/// How many exchanges of one finding a report lists.
const LISTED: usize = 20;

/// Judges a rule over the exchanges of a run.
pub fn judge(
    shared: &Shared<'_>,
    job: &Job<'_>,
    exchanges: &[Arc<Exchange>],
    definitions: &Definitions,
    history: &History<'_>,
    mutes: &BTreeMap<String, BTreeSet<ExchangeId>>,
) -> Outcome {
    let mut result = outcome(job, &job.parts[0], Verdict::Passed);
    let name = job.case.rule.as_deref().unwrap_or_default();
    let Some(rule) = rules::by_name(name) else {
        let detail = format!("no rule is called '{name}'");
        result.verdict = Verdict::Errored { cause: ErrorCause::Suite { detail } };
        return result;
    };
    let context = RuleContext {
        level: result.level,
        spec: &result.spec,
        place: Some(&result.place),
        definitions,
        history,
        capabilities: &shared.probe.capabilities,
        reading: shared.reading,
        mutes,
    };
    let judged = rules::judge_all(rule, exchanges.iter().map(AsRef::as_ref), &context);
    if judged.eligible == 0 {
        let what = rule.subject.to_owned();
        result.verdict = Verdict::Skipped { reason: SkipReason::NothingEligible { what } };
        return result;
    }
    result.notes.push(format!("judged on {} exchanges", judged.eligible));
    for found in judged.findings {
        let finding = found.finding;
        if found.exchanges.len() > 1 {
            let listed: Vec<String> = found.exchanges.iter().take(LISTED).map(ToString::to_string).collect();
            let more = found.exchanges.len().saturating_sub(LISTED);
            let more = if more > 0 { format!(" and {more} more") } else { String::new() };
            result.notes.push(format!("{}: exchanges {}{more}", finding.message, listed.join(" ")));
        }
        result.exchanges.extend(found.exchanges.iter().take(LISTED));
        result.findings.push(finding);
    }
    result.findings.sort_by_key(|finding| std::cmp::Reverse(finding.severity));
    result.verdict = Verdict::of(&result.findings);
    result
}
