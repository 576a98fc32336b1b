//! Several clients at once: their requests are sent together, and what comes of them is held against every
//! [order](super::order) of them.

use std::collections::BTreeSet;
use std::time::Instant;

use futures_util::future::join_all;

use super::look::Wrote;
use super::order::{Event, MOST, Outcome, Reading, Things, is_explained, object};
use super::play::{Came, Play, Stop, came};
use super::problem::Problem;
use super::step::{Change, Condition, Step, Var};
use super::write::broken;
use crate::fuzz::cause::Harm;
use crate::outcome::Severity;
use crate::target::request::Sent;
use crate::target::{RequestPlan, resource_path};

/// What a race is about, for its signature.
fn subject(lanes: &[Vec<Step>]) -> &'static str {
    let steps: Vec<&Step> = lanes.iter().flatten().collect();
    let any = |wanted: &dyn Fn(&Step) -> bool| steps.iter().any(|step| wanted(step));
    let is_member = |change: &Change| !change.members().is_empty();
    if any(&|step| matches!(step, Step::Create { .. })) {
        "names"
    } else if any(&|step| step.condition() != Condition::None) {
        "preconditions"
    } else if any(&|step| matches!(step, Step::Patch { changes, .. } if changes.iter().any(is_member))) {
        "members"
    } else if any(&|step| matches!(step, Step::Delete { .. })) {
        "deletions"
    } else {
        "attributes"
    }
}

/// Runs a race and judges it.
pub(super) async fn race(
    play: &mut Play<'_>,
    step: &Step,
    lanes: &[Vec<Step>],
) -> Result<Vec<Problem>, Stop> {
    // What a condition names has to be the version of now.
    let steps: Vec<&Step> = lanes.iter().flatten().collect();
    let vars: BTreeSet<Var> = steps.iter().filter_map(|step| object(step)).collect();
    for who in &vars {
        let is_alive = play.model.living(*who).is_some();
        if is_alive && steps.iter().any(|it| object(it) == Some(*who) && it.condition() != Condition::None) {
            play.look(&Step::Read { who: *who }, *who, Wrote::Nothing).await?;
        }
    }
    let mut planned: Vec<Vec<(Step, RequestPlan)>> = Vec::new();
    let mut count = 0;
    for lane in lanes {
        let mut plans = Vec::new();
        for one in lane {
            // Under a condition that cannot be made there is nothing to do, nor to somebody who is not there.
            let is_possible = play.model.due(one, play.stage.ground).is_some();
            if let Some((mut plan, _)) = play.request(one).filter(|_| is_possible && count < MOST) {
                play.sign(&mut plan);
                plan.unpaced = plans.is_empty();
                plans.push((one.clone(), plan));
                count += 1;
            }
        }
        if !plans.is_empty() {
            planned.push(plans);
        }
    }
    if planned.len() < 2 {
        return Ok(Vec::new());
    }
    let before = Things::of(&play.model, &steps);
    let target = play.stage.target;
    for _ in &planned {
        target.await_turn().await;
    }
    let lanes_of = planned.into_iter().map(|plans| async move {
        let mut done: Vec<(Step, Instant, Result<Sent, String>, Instant)> = Vec::new();
        for (step, plan) in plans {
            let begun = Instant::now();
            let sent = target.send(plan).await.map_err(|refusal| refusal.to_string());
            done.push((step, begun, sent, Instant::now()));
        }
        done
    });
    let done: Vec<_> = join_all(lanes_of).await.into_iter().flatten().collect();
    for (_, _, sent, _) in &done {
        if let Ok(sent) = sent {
            play.note(sent);
        }
    }
    let mut events: Vec<Event> = Vec::new();
    for (one, begun, sent, ended) in &done {
        let sent = sent.as_ref().map_err(|why| Stop::Nothing(why.clone()))?;
        let outcome = match came(target, &sent.exchange) {
            Came::Nothing(why) => return Err(Stop::Nothing(why)),
            Came::Broken(what) => {
                let problem = broken(one, &sent.exchange, &what);
                let of_race = broken(step, &sent.exchange, &what);
                return Err(Problem { signature: of_race.signature, ..problem }.about(step.vars()).into());
            }
            Came::Done(_) => Outcome::Done,
            Came::Refused { status, .. } => Outcome::Refused(status),
        };
        events.push(Event { step: one.clone(), outcome, begun: *begun, ended: *ended });
        if let (Step::Create { who, key, .. }, Outcome::Done) = (one, outcome) {
            play.born(one, *who, *key, sent)?;
        }
        let key = match one {
            Step::Replace { key, .. } => *key,
            Step::Patch { changes, .. } => changes.iter().find_map(|change| match change {
                Change::Rename(key) => Some(*key),
                _ => None,
            }),
            _ => None,
        };
        if let (Some(who), Outcome::Done) = (object(one), outcome) {
            play.rename(who, key);
        }
    }
    let last = done.iter().rev().find_map(|(_, _, sent, _)| Some(sent.as_ref().ok()?.exchange.id));
    // What lags behind is looked at again, from what was known when the race was over.
    let over = play.model.clone();
    let mut waiting = play.waiting();
    loop {
        for who in before.vars() {
            observe(play, step, who).await?;
        }
        let after = Things::of(&play.model, &steps);
        let Some(problem) = unexplained(step, lanes, &before, &events, &after) else { return Ok(Vec::new()) };
        let problem = Problem { exchange: last, ..problem };
        if problem.severity < Severity::Failure {
            return Ok(vec![problem]);
        }
        if !play.again(&mut waiting, &problem.signature).await {
            return Err(problem.into());
        }
        play.model.clone_from(&over);
    }
}

/// What no order of the requests explains; a warning where one does that suffers what servers are known for.
fn unexplained(
    step: &Step,
    lanes: &[Vec<Step>],
    before: &Things,
    events: &[Event],
    after: &Things,
) -> Option<Problem> {
    // Whoever keeps what a PUT leaves out is told so where nobody else is about.
    if [Reading::Exact, Reading::Keeping].into_iter().any(|it| is_explained(before, events, after, it)) {
        return None;
    }
    let answers: Vec<String> = events
        .iter()
        .map(|event| match event.outcome {
            Outcome::Done => format!("{}: done", event.step),
            Outcome::Refused(status) => format!("{}: {status}", event.step),
        })
        .collect();
    let what = subject(lanes);
    let message =
        format!("{step}: no order of these requests explains the answers and what is there afterwards");
    let problem = Problem::of(step, Harm::Wrong, what, message)
        .told(
            "what one request after the other, in some order, leads to",
            format!("{}\nafterwards: {}", answers.join("\n"), after.told()),
        )
        .breaks(match what {
            "names" => &["RFC7643-4.1.1-02", "RFC7644-3.3-11"],
            "preconditions" => &["RFC9110-13.1.1-03"],
            "deletions" => &["RFC7644-3.6-03"],
            _ => &["RFC5789-2-01"],
        });
    Some(match is_explained(before, events, after, Reading::Suffering) {
        true => problem.warning(),
        false => problem,
    })
}

/// Reads what a race has left of a resource, without holding it against anything.
async fn observe(play: &mut Play<'_>, step: &Step, who: Var) -> Result<(), Stop> {
    let Some(known) = play.model.get(who) else { return Ok(()) };
    let path = resource_path(play.stage.ground.endpoint(who.kind), &known.id);
    let sent = play.send(RequestPlan::get(path, ""), Some(&format!("read back after: {step}"))).await?;
    match came(play.stage.target, &sent.exchange) {
        Came::Nothing(why) => Err(Stop::Nothing(why)),
        Came::Broken(what) => Err(broken(step, &sent.exchange, &what).about([who]).into()),
        Came::Refused { status: 404 | 410, .. } => {
            if play.model.living(who).is_some() {
                play.model.died(who);
            }
            Ok(())
        }
        Came::Refused { status, .. } => Err(Stop::Nothing(format!("a read was answered with {status}"))),
        Came::Done(_) => {
            let Some(state) = sent.exchange.json().filter(|it| it.is_object()) else {
                return Err(Stop::Nothing("a read shows no resource".to_owned()));
            };
            let tag = sent.exchange.response().and_then(|response| response.header("ETag"));
            let has_versions = play.stage.ground.etag;
            if let Some(known) = play.model.get_mut(who) {
                known.state = state.clone();
                known.tag = tag.filter(|_| has_versions).map(str::to_owned);
                known.earlier.clear();
            }
            Ok(())
        }
    }
}
