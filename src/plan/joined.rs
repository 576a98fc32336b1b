//! Which filters of cases can be asked together: those of which a case says no more than whom they find.
//!
//! Pure, so that the executor and the estimate agree on it. How they are asked, and what becomes of the answer, is the
//! executor's business.

use std::collections::BTreeMap;

use serde_json::json;

use super::{Disposition, Job, Phase, Plan, ways};
use crate::oracle::batch;
use crate::scim::filter::{CompareOperator, Filter};
use crate::suite::block::Block;
use crate::suite::model::{
    Action, AlternativeVerdict, Auth, By, Expect, Foreign, ListExpect, Ours, Query, StatusPattern, Step,
};

/// A filter that a step asks with, and whom it has to find.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Joined<'j> {
    /// The position of the step in its case.
    pub step: usize,
    /// `/Users` or `/Groups`.
    pub endpoint: &'j str,
    /// The filter as it is written, with its references.
    pub filter: &'j str,
    /// The members of the population that it finds.
    pub finds: &'j [String],
    /// What it needs of the service provider beside plain filters.
    pub theme: &'static str,
}

/// What filters have in common that can be asked together: population, endpoint and theme.
pub type Together<'j> = (&'j str, &'j str, &'static str);

/// The filters of a plan that can be asked together, with the position of their job among those that run.
pub fn joined<'p>(plan: &'p Plan<'_>) -> BTreeMap<Together<'p>, Vec<(usize, Joined<'p>)>> {
    let mut all: BTreeMap<Together<'p>, Vec<(usize, Joined<'p>)>> = BTreeMap::new();
    for (index, job) in plan.running().enumerate() {
        let Some(population) = job.case.population.as_deref() else { continue };
        for filter in of_job(job) {
            all.entry((population, filter.endpoint, filter.theme)).or_default().push((index, filter));
        }
    }
    all
}

/// Those of a job that reads a population and nothing else.
fn of_job<'j>(job: &'j Job<'_>) -> Vec<Joined<'j>> {
    let defaults = &job.file.suite.defaults;
    let is_plain = job.disposition == Disposition::Run
        && job.phase == Phase::ReadOnly
        && job.parts.len() == 1
        && job.row.is_none()
        && job.each.is_none()
        && job.case.given.is_empty()
        && job.case.setup.is_empty()
        && defaults.auth.is_none_or(|auth| auth == Auth::Good)
        && defaults.headers.is_empty()
        && defaults.eventually.is_none();
    if !is_plain {
        return Vec::new();
    }
    job.case.steps.iter().enumerate().filter_map(|(index, step)| of_step(index, step)).collect()
}

fn of_step(index: usize, step: &Step) -> Option<Joined<'_>> {
    let Ok(Action::Query(query)) = step.action() else { return None };
    let Query {
        endpoint,
        filter: Some(filter),
        sort_by: None,
        sort_order: None,
        start_index: None,
        count: None,
        cursor: None,
        attributes,
        excluded_attributes,
        by,
    } = query
    else {
        return None;
    };
    let is_plain = attributes.is_empty()
        && excluded_attributes.is_empty()
        && ways(by) == [By::Get]
        && endpoint != "/"
        && step.id.is_none()
        && step.auth.is_none()
        && step.headers.is_empty()
        && step.encode.is_none()
        && step.capture.is_empty()
        && step.eventually.is_none()
        && step.when.is_empty()
        && step.requires.is_empty()
        && step.creates.is_empty()
        && step.stands_at.is_none();
    let parsed = Filter::parse(filter).ok().filter(|_| is_plain)?;
    // Of parentheses and precedence these filters are all about; among others they would stand in more of them. A plain
    // `eq` is what clients send most, and what service providers answer by another way than the rest of their filters.
    let is_equality = matches!(parsed, Filter::Compare { operator: CompareOperator::Equal, .. });
    if is_equality || filter.starts_with('(') || batch::is_mixed(&parsed) {
        return None;
    }
    let finds = finds(step.expect.as_ref()?)?;
    let theme = match filter {
        _ if batch::has_brackets(&parsed) => "brackets",
        urn if urn.to_ascii_lowercase().starts_with("urn:") => "schema URIs",
        _ => "plain",
    };
    Some(Joined { step: index, endpoint, filter, finds, theme })
}

/// Whom an expectation wants found, where it wants no more than that, or else has alternatives of which that is the first.
fn finds(expect: &Expect) -> Option<&[String]> {
    let Expect {
        mutes,
        requires,
        any,
        also,
        never,
        invariants,
        snapshot: None,
        tally,
        // What it demands by itself.
        status: _,
        error: _,
        body: _,
        becomes: _,
        list: _,
        resource: _,
        checks: _,
        // What findings say.
        level: _,
        spec: _,
        title: _,
        amb: _,
        otherwise: _,
    } = expect
    else {
        return None;
    };
    let is_more = !(mutes.is_empty()
        && requires.is_empty()
        && also.is_empty()
        && never.is_empty()
        && invariants.is_empty()
        && tally.is_empty());
    let block = match any.first() {
        _ if is_more => return None,
        None => expect.block(),
        Some(first) => {
            let is_first_alone = expect.block().is_empty()
                && first.requires.is_empty()
                && first.verdict == AlternativeVerdict::Pass
                && first.strict.is_none();
            is_first_alone.then(|| first.block())?
        }
    };
    exactly(&block)
}

/// Whom a block wants found, and nobody else.
fn exactly<'e>(block: &Block<'e>) -> Option<&'e [String]> {
    let Block { status, error: None, body, becomes: None, list, resource: None, checks: [] } = *block else {
        return None;
    };
    let ListExpect { ours: Some(Ours::Exactly(finds)), foreign: Foreign::None, ordered: false } = list?
    else {
        return None;
    };
    let is_ok = status.is_some_and(|status| status.0 == [StatusPattern::Code(200)]);
    let is_counted = body.is_none_or(|body| *body == json!({"totalResults": finds.len()}));
    (is_ok && is_counted).then_some(finds)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_says_whom_it_finds_is_joined_and_a_plain_eq_is_not() {
        let is_joined = |filter: &str, expect: serde_json::Value| {
            let step = json!({"query": {"endpoint": "/Users", "filter": filter}, "expect": expect});
            let step: Step = serde_json::from_value(step).expect("a step");
            of_step(0, &step).is_some()
        };
        let finds = || json!({"status": 200, "body": {"totalResults": 1}, "list": {"ours": ["u1"], "foreign": "none"}});
        assert!(is_joined("title pr", finds()));
        assert!(is_joined("title pr", json!({"any": [finds(), {"error": {"status": 400}}]})));
        assert!(is_joined("title co \"x\" and active eq true", finds()));
        assert!(!is_joined("title eq \"x\"", finds()));
        assert!(!is_joined("(title pr)", finds()));
        assert!(!is_joined("title pr", json!({"status": 200, "checks": [{"path": "$.id", "absent": true}]})));
        assert!(!is_joined("title pr", json!({"status": 200, "any": [finds()]})));
        assert!(!is_joined(
            "title pr",
            json!({"status": 200, "body": {"totalResults": 2}, "list": {"ours": ["u1"], "foreign": "none"}})
        ));
    }
}
