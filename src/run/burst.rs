//! Steps about the service provider's limit: a burst, which sends as fast as it is answered until it is refused, and a
//! pause.
//!
//! A burst has its window to itself: it begins after a whole window of silence, and the gate stays closed behind it
//! until another has passed, for the clean-up too. Its refusals are what it is about, so they are neither repeated nor
//! counted as trouble. What its answers divide into is judged here; what the refusal holds, the judge looks at.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use futures_util::{StreamExt, stream::FuturesUnordered};
use tokio::time::Instant;

use super::case::{CaseRun, Flow};
use super::request::{self, Prepared};
use super::step::CaseSources;
use crate::outcome::{ErrorCause, Finding, SkipReason, Verdict};
use crate::scim::names::ERROR;
use crate::suite::model::{Burst, Expect, Payload, Step, Tally, Wait};
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
        let mut counts = vec![0_u32; expect.tally.len()];
        let mut stray: Option<(usize, &Exchange)> = None;
        for exchange in &volley.answers {
            let is_one = |tally: &Tally| is_kind(tally, exchange);
            let counted = expect.tally.iter().position(|tally| !tally.rest && is_one(tally));
            let rest = expect.tally.iter().position(|tally| tally.rest);
            match (counted, rest) {
                (Some(at), _) => counts[at] += 1,
                (None, Some(at)) if !is_one(&expect.tally[at]) => stray = stray.or(Some((at, exchange))),
                (None, _) => {}
            }
        }
        let too_slow = volley.refusal.is_none() && volley.sent < burst.at_most;
        let mut findings = Vec::new();
        for (at, tally) in expect.tally.iter().enumerate().filter(|(_, tally)| !tally.rest) {
            let Some(wanted) = wrong_count(tally, counts[at]) else { continue };
            if too_slow && tally.at_least.is_some_and(|least| counts[at] < least) {
                let why = format!(
                    "only {} requests went through in {} s, so the limit was not reached",
                    volley.sent,
                    volley.took.as_secs()
                );
                self.part().trouble = Some(Verdict::Inconclusive { why });
                return Flow::End;
            }
            let message = format!(
                "{} of {} answers of the burst are {}, expected {wanted}",
                counts[at],
                volley.answers.len(),
                called(tally)
            );
            findings.push(self.miscount(expect, place, at, last, message, wanted, counts[at].to_string()));
        }
        if let Some((at, exchange)) = stray {
            let wanted = format!("every other answer {}", called(&expect.tally[at]));
            let status = exchange.status().unwrap_or_default();
            let message = format!("an answer of the burst is {status}, expected {wanted}");
            findings.push(self.miscount(expect, place, at, exchange, message, wanted, status.to_string()));
        }
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

    #[expect(clippy::too_many_arguments, reason = "the parts of one finding")]
    fn miscount(
        &self,
        expect: &Expect,
        place: &str,
        at: usize,
        exchange: &Exchange,
        message: String,
        expected: String,
        actual: String,
    ) -> Finding {
        let check = format!("tally[{at}]");
        let mut finding =
            self.finding(&check, exchange, &format!("{place}.tally[{at}]"), message, expected, actual);
        if let Some(level) = expect.level {
            finding.level = level;
            finding.severity = level.severity();
        }
        finding.signature.expected = called(&expect.tally[at]);
        finding.signature.actual = "another number of answers".to_owned();
        finding
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

/// Whether an answer is of the kind that a tally counts.
fn is_kind(tally: &Tally, exchange: &Exchange) -> bool {
    let Some(status) = exchange.status() else { return false };
    let Some(error) = &tally.error else {
        return tally.status.as_ref().is_some_and(|wanted| wanted.contains(status));
    };
    let body = exchange.json();
    let is_error = body
        .and_then(|body| body.get("schemas")?.as_array())
        .is_some_and(|schemas| schemas.iter().any(|urn| urn == ERROR));
    let keyword = body.and_then(|body| body.get("scimType")?.as_str());
    let fits = |all: &[String]| all.iter().any(|wanted| keyword == Some(wanted));
    error.status.contains(status) && is_error && (error.scim_type.is_empty() || fits(&error.scim_type))
}

/// How long a refusal asks to wait.
fn asked_for(exchange: &Exchange) -> Option<Duration> {
    let header = exchange.response()?.header("Retry-After")?;
    retry_after(header, SystemTime::now())
}

/// What a tally demands, where the count does not keep it.
fn wrong_count(tally: &Tally, count: u32) -> Option<String> {
    let demands = [
        tally.exactly.filter(|wanted| *wanted != count).map(|wanted| format!("exactly {wanted}")),
        tally.at_least.filter(|least| count < *least).map(|least| format!("at least {least}")),
        tally.at_most.filter(|most| count > *most).map(|most| format!("at most {most}")),
    ];
    demands.into_iter().flatten().next()
}

/// What a tally counts, in words.
fn called(tally: &Tally) -> String {
    match (&tally.name, &tally.status, &tally.error) {
        (Some(name), ..) => name.clone(),
        (None, Some(status), _) => status.to_string(),
        (None, None, Some(error)) => format!("errors {}", error.status),
        (None, None, None) => "answers".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::suite::model::{StatusPattern, StatusSet};

    #[test]
    fn counts_are_held_against_what_is_demanded() {
        let tally = |exactly, at_least, at_most| Tally { exactly, at_least, at_most, ..Tally::default() };
        assert_eq!(wrong_count(&tally(Some(2), None, None), 2), None);
        assert_eq!(wrong_count(&tally(Some(2), None, None), 3).as_deref(), Some("exactly 2"));
        assert_eq!(wrong_count(&tally(None, Some(100), None), 99).as_deref(), Some("at least 100"));
        assert_eq!(wrong_count(&tally(None, Some(100), Some(200)), 100), None);
        assert_eq!(wrong_count(&tally(None, None, Some(0)), 1).as_deref(), Some("at most 0"));
        let status = Some(StatusSet(vec![StatusPattern::Code(429)]));
        assert_eq!(called(&Tally { status: status.clone(), ..Tally::default() }), "429");
        assert_eq!(
            called(&Tally { status, name: Some("refused".to_owned()), ..Tally::default() }),
            "refused"
        );
    }
}
