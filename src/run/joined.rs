//! Filters of cases that only read, asked several at a time before these cases begin.
//!
//! [`joined`] says which filters may be asked so, and [`batch::parity`] makes one of several. Only an answer with which
//! nothing is wrong counts for the cases: what is refused is asked in halves, and where anything else comes, each of the
//! cases asks for itself, so that what fails always shows an exchange of its own. With `--settle`, or an observer, each
//! asks for itself anyway.

use serde_json::json;

use super::Shared;
use super::case::CaseRun;
use super::filter_vectors::MOST_REFUSALS;
use super::given::Pool;
use super::seed::Seeds;
use crate::oracle::batch;
use crate::plan::Job;
use crate::plan::joined::{Joined, joined};
use crate::suite::model::{Expect, Foreign, ListExpect, Ours, StatusPattern, StatusSet, Step};
use crate::suite::template::Escape;
use crate::target::exchange::ExchangeId;

/// Who asks several filters at a time.
pub const ORIGIN: &str = "filters";

/// What stands for the answer to a step: the exchange, and how many other filters it was about.
#[derive(Debug, Clone, Copy)]
pub(super) struct Answered {
    pub(super) exchange: ExchangeId,
    pub(super) others: usize,
}

/// A filter that is going to be asked.
struct Asked<'p> {
    job: &'p Job<'p>,
    filter: Joined<'p>,
    /// With its references resolved.
    text: String,
}

/// Asks what can be asked together, and remembers which steps that answers.
pub(super) async fn ask(shared: &Shared<'_>, pool: &Pool) {
    if shared.observer.is_some() || shared.patience.is_some() {
        return;
    }
    let jobs: Vec<&Job<'_>> = shared.plan.running().collect();
    let mut all = joined(shared.plan);
    for filters in all.values_mut() {
        // Deviations are counted, each at its own request.
        filters.retain(|(job, _)| jobs.get(*job).is_some_and(|job| shared.deviations_of(job).is_empty()));
    }
    if !batch::is_crowd(all.values().map(Vec::len).sum()) {
        return;
    }
    for ((population, endpoint, _), filters) in all {
        let first = filters.first().and_then(|(job, _)| jobs.get(*job));
        let (Some(job), Some(Ok(_))) = (first, pool.population_named(population)) else { continue };
        let seeds = Seeds::default();
        let mut case = CaseRun::new(shared, pool, &seeds, job, &job.id());
        pool.name(job, &mut case.names);
        ORIGIN.clone_into(&mut case.origin);
        let asked: Vec<Asked<'_>> = filters
            .into_iter()
            .filter_map(|(job, filter)| {
                // A name that is missing is for the case itself to complain of.
                let text = case.names.scope.text(filter.filter, Escape::JsonString).ok()?;
                Some(Asked { job: jobs.get(job)?, filter, text })
            })
            .collect();
        case.join(endpoint, &asked).await;
    }
}

impl CaseRun<'_> {
    /// Asks filters several at a time, until each is answered or has to be asked alone.
    async fn join(&mut self, endpoint: &str, all: &[Asked<'_>]) {
        let texts: Vec<&str> = all.iter().map(|asked| asked.text.as_str()).collect();
        let mut open = batch::shares_apart(&texts);
        let mut refusals = 0;
        while let Some(share) = open.pop() {
            if share.len() < 2 || refusals >= MOST_REFUSALS || self.shared.target.interrupted() {
                continue;
            }
            let asked: Vec<&Asked<'_>> = share.iter().filter_map(|index| all.get(*index)).collect();
            let Some(first) = asked.first() else { continue };
            let filters: Vec<&str> = asked.iter().map(|asked| asked.text.as_str()).collect();
            let sets: Vec<_> =
                asked.iter().map(|asked| asked.filter.finds.iter().cloned().collect()).collect();
            let finds: Vec<String> = batch::odd(&sets).into_iter().collect();
            let Ok(((prepared, sent), _)) = self.list(endpoint, &batch::parity(&filters)).await else {
                // The cases will meet that trouble themselves.
                return;
            };
            let place = format!("{}.steps[{}]", self.job.path, first.filter.step);
            let judgement =
                self.judge(&expectation(finds), &sent.exchange, &prepared, &Step::default(), &place);
            if judgement.error.is_none() && judgement.findings.is_empty() {
                for one in &asked {
                    let answered = Answered { exchange: sent.exchange.id, others: asked.len() - 1 };
                    self.shared.answer(one.job, one.filter.step, answered);
                }
            } else if sent.exchange.status() != Some(200) {
                refusals += 1;
                let (left, right) = share.split_at(share.len() / 2);
                open.extend([right.to_vec(), left.to_vec()]);
            }
        }
    }
}

/// A list of exactly these, and of nobody else.
fn expectation(finds: Vec<String>) -> Expect {
    Expect {
        status: Some(StatusSet(vec![StatusPattern::Code(200)])),
        body: Some(json!({"totalResults": finds.len()})),
        list: Some(ListExpect { ours: Some(Ours::Exactly(finds)), foreign: Foreign::None, ordered: false }),
        ..Expect::default()
    }
}
