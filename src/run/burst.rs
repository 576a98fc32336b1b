//! Steps about the service provider's limit: a burst, which sends as fast as it is answered until it is refused, and a
//! pause.
//!
//! A burst has its window to itself: it begins after a whole window of silence, and the gate stays closed behind it
//! until another has passed, for the clean-up too. Its refusals are what it is about, so they are neither repeated nor
//! counted as trouble. What its answers divide into, `tally` judges; what the refusal holds, the judge looks at.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use futures_util::{StreamExt, stream::FuturesUnordered};
use tokio::time::Instant;

use super::case::{CaseRun, Flow};
use super::request::{self, Prepared};
use super::step::CaseSources;
use super::tally::Count;
use crate::outcome::{ErrorCause, SkipReason, Verdict};
use crate::suite::model::{Burst, Expect, Payload, Step, Wait};
use crate::target::RequestPlan;
use crate::target::exchange::Exchange;
use crate::target::pace::retry_after;

/// Requests under way at once: enough that a slow answer does not keep the limit out of reach.
const AT_ONCE: usize = 8;
/// How many exchanges of each status are listed as evidence.
const LISTED: usize = 3;

/// What came of a burst.
#[derive(Debug, Default)]
struct Volley {
    answers: Vec<Arc<Exchange>>,
    /// The first answer that ended it.
    refusal: Option<Arc<Exchange>>,
    trouble: Option<Verdict>,
    /// How many were asked for.
    sent: u32,
    took: Duration,
}

impl CaseRun<'_> {
    /// Sends a burst, judges how its answers divide and what ended it, and closes the gate behind it.
    pub(super) async fn burst(&mut self, step: &Step, burst: &Burst, expect: &Expect, place: &str) -> Flow {
        let sources = CaseSources { shared: self.shared, names: &self.names };
        let prepared = match request::send(&burst.send, &Payload::None, &sources) {
            Ok(prepared) => prepared,
            Err(error) => return self.stop(error.is_lack(), error.to_string()),
        };
        let plan = match self.plan(&prepared, step) {
            Ok(plan) => RequestPlan { impatient: true, unpaced: true, ..plan },
            Err(error) => return self.stop(error.is_lack(), error.to_string()),
        };
        self.read_back().await;
        // What was sent before would count, too.
        let window = self.shared.target.window();
        self.shared.target.pause(window);
        if let Flow::End = self.rest(window).await {
            return Flow::End;
        }
        let volley = self.volley(&plan, burst).await;
        let asked = volley.refusal.as_deref().and_then(asked_for);
        self.asked_to_wait = asked;
        let honoured = self.honoured();
        self.shared
            .target
            .pause(asked.filter(|asked| *asked <= honoured).map_or(window, |it| it.max(window)));
        self.note_volley(&volley);
        if let Some(trouble) = volley.trouble {
            self.part().trouble = Some(trouble);
            return Flow::End;
        }
        self.judge_volley(step, &prepared, burst, expect, place, &volley)
    }

    /// Sends until something ends it.
    async fn volley(&self, plan: &RequestPlan, burst: &Burst) -> Volley {
        let mut volley = Volley::default();
        let started = Instant::now();
        let deadline = started + burst.within;
        let mut under_way = FuturesUnordered::new();
        loop {
            let goes_on = volley.refusal.is_none() && volley.trouble.is_none();
            while goes_on
                && under_way.len() < AT_ONCE
                && volley.sent < burst.at_most
                && Instant::now() < deadline
            {
                volley.sent += 1;
                under_way.push(self.shared.target.send(plan.clone()));
            }
            let Some(sent) = under_way.next().await else { break };
            match sent {
                Err(refusal) => {
                    let cause = ErrorCause::Guard { detail: refusal.to_string() };
                    volley.trouble.get_or_insert(Verdict::Errored { cause });
                }
                Ok(sent) => match &sent.exchange.answer {
                    Ok(response) => {
                        if burst.until.contains(response.status) && volley.refusal.is_none() {
                            volley.refusal = Some(Arc::clone(&sent.exchange));
                        }
                        volley.answers.push(sent.exchange);
                    }
                    Err(failure) => {
                        volley.trouble.get_or_insert(self.shared.unanswered(&sent.exchange, failure));
                    }
                },
            }
        }
        volley.took = started.elapsed();
        volley
    }

    /// The burst in one line, and the first exchanges of each status as evidence.
    fn note_volley(&mut self, volley: &Volley) {
        let mut by_status: BTreeMap<u16, Vec<&Exchange>> = BTreeMap::new();
        for exchange in &volley.answers {
            by_status.entry(exchange.status().unwrap_or_default()).or_default().push(exchange);
        }
        let counts: Vec<String> =
            by_status.iter().map(|(status, all)| format!("{} answered {status}", all.len())).collect();
        let note = format!(
            "burst: {} requests in {:.1} s: {}",
            volley.sent,
            volley.took.as_secs_f64(),
            if counts.is_empty() { "none answered".to_owned() } else { counts.join(", ") }
        );
        let part = self.part();
        part.notes.push(note);
        part.exchanges.extend(by_status.values().flat_map(|all| all.iter().take(LISTED)).map(|it| it.id));
        part.exchanges.extend(volley.refusal.iter().map(|refusal| refusal.id));
        part.exchanges.sort_unstable();
        part.exchanges.dedup();
    }

    fn judge_volley(
        &mut self,
        step: &Step,
        prepared: &Prepared,
        burst: &Burst,
        expect: &Expect,
        place: &str,
        volley: &Volley,
    ) -> Flow {
        let Some(last) = volley.refusal.as_ref().or(volley.answers.last()) else {
            return self.stop(true, "no request of the burst was sent".to_owned());
        };
        let count = Count::of(&expect.tally, &volley.answers);
        let too_slow = volley.refusal.is_none() && volley.sent < burst.at_most;
        let short = expect
            .tally
            .iter()
            .zip(&count.counts)
            .any(|(tally, count)| !tally.rest && tally.at_least.is_some_and(|least| *count < least));
        if too_slow && short {
            let why = format!(
                "only {} requests went through in {} s, so the limit was not reached",
                volley.sent,
                volley.took.as_secs()
            );
            self.part().trouble = Some(Verdict::Inconclusive { why });
            return Flow::End;
        }
        let findings = self.miscounts(step, expect, place, &volley.answers, last, "the burst");
        self.part().findings.extend(findings);
        if volley.refusal.is_none() {
            return Flow::On;
        }
        let judgement = self.judge(expect, last, prepared, step, place);
        self.shared.mute(&expect.mutes, last.id);
        if let (Some(id), Some(matched)) = (&step.id, judgement.matched) {
            self.names.matched.insert(id.clone(), matched);
        }
        let part = self.part();
        part.findings.extend(judgement.findings);
        part.notes.extend(judgement.notes);
        match judgement.error {
            Some(error) => self.stop(error.is_lack, error.to_string()),
            None => Flow::On,
        }
    }

    /// The longest wait that a refusal may ask for.
    fn honoured(&self) -> Duration {
        let target = self.shared.target;
        target.limits().retry_after.max(target.window())
    }

    /// Waits as a step says, and no longer than the operator lets a service provider ask for.
    pub(super) async fn wait(&mut self, wait: &Wait) -> Flow {
        let wanted = match (wait.retry_after, wait.time) {
            (true, _) => self
                .asked_to_wait
                .unwrap_or_else(|| self.shared.target.window())
                .max(self.shared.target.closed_for()),
            (false, time) => time.unwrap_or_default(),
        };
        let bounded = if wait.retry_after { wanted.min(self.honoured()) } else { wanted };
        let time = wait.at_most.map_or(bounded, |most| bounded.min(most));
        if time < wanted {
            let note = format!("waited {} s, though {} s were asked for", time.as_secs(), wanted.as_secs());
            self.part().notes.push(note);
        }
        self.read_back().await;
        self.rest(time).await
    }

    /// Does nothing for a while, unless the run is interrupted.
    async fn rest(&mut self, time: Duration) -> Flow {
        tokio::select! {
            biased;
            () = self.shared.target.until_interrupted() => {
                self.part().trouble = Some(Verdict::Skipped { reason: SkipReason::Interrupted });
                Flow::End
            }
            () = tokio::time::sleep(time) => Flow::On,
        }
    }
}

/// How long a refusal asks to wait.
fn asked_for(exchange: &Exchange) -> Option<Duration> {
    let header = exchange.response()?.header("Retry-After")?;
    retry_after(header, SystemTime::now())
}
