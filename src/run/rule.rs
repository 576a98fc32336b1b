//! One rule over every exchange of the run → its outcome.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::deviation::RuleDocuments;
use super::{Shared, outcome};
use crate::judge::History;
use crate::judge::rules::{self, Definitions, Pairs, RuleContext, Validated};
use crate::outcome::{ErrorCause, Finding, Outcome, SkipReason, Verdict};
use crate::plan::Job;
use crate::target::exchange::{Exchange, ExchangeId};

/// How many exchanges of one finding a report lists.
const LISTED: usize = 20;

/// What a run leaves for the rules.
pub struct Record<'e> {
    /// Everything that was exchanged, in order.
    pub exchanges: &'e [Arc<Exchange>],
    /// The service provider's resource types.
    pub definitions: Definitions,
    /// What the exchanges show of the resources that the run created.
    pub history: History<'e>,
    /// The exchanges by resource.
    pub pairs: Pairs<'e>,
    /// What the validator says of the resources that they show.
    pub validated: Validated<'e>,
    /// Exchanges that a rule does not judge, by the rule's name.
    pub mutes: BTreeMap<String, BTreeSet<ExchangeId>>,
}

/// Judges a rule over the exchanges of a run.
pub fn judge(shared: &Shared<'_>, job: &Job<'_>, record: &Record<'_>) -> Outcome {
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
        definitions: &record.definitions,
        history: &record.history,
        pairs: &record.pairs,
        capabilities: &shared.probe.capabilities,
        reading: shared.reading,
        mutes: &record.mutes,
        validated: Some(&record.validated),
    };
    let documents = RuleDocuments::new(shared, job.id());
    let say = |exchange: &Exchange, finding: Option<&Finding>| documents.say(exchange, finding);
    let judged = rules::judge_by(rule, record.exchanges.iter().map(AsRef::as_ref), &context, &say);
    if judged.eligible == 0 {
        let what = rule.subject.to_owned();
        result.verdict = Verdict::Skipped { reason: SkipReason::NothingEligible { what } };
        return result;
    }
    result.notes.push(format!("judged on {} exchanges", judged.eligible));
    let mut kept = Vec::new();
    for found in judged.findings {
        let finding = found.finding;
        kept.extend(found.documented);
        if found.exchanges.len() > 1 {
            let listed: Vec<String> = found.exchanges.iter().take(LISTED).map(ToString::to_string).collect();
            let more = found.exchanges.len().saturating_sub(LISTED);
            let more = if more > 0 { format!(" and {more} more") } else { String::new() };
            result.notes.push(format!("{}: exchanges {}{more}", finding.message, listed.join(" ")));
        }
        // Of a finding that holds exchanges against others, those it was made of are enough.
        let listed = if found.beside.is_empty() { LISTED } else { 1 };
        result.exchanges.extend(found.beside);
        result.exchanges.extend(found.exchanges.iter().take(listed));
        result.findings.push(finding);
    }
    result.exchanges.sort_unstable();
    result.exchanges.dedup();
    result.findings.sort_by_key(|finding| std::cmp::Reverse(finding.severity));
    result.verdict = Verdict::of(&result.findings);
    documents.conclude(&mut result, &kept);
    result
}
