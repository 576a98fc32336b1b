//! What a write comes to: its answer held against what is due, the model carried on, and what it was about read.

use std::sync::Arc;

use serde_json::Value;

use super::look::{self, Wrote};
use super::model::{Due, Known};
use super::play::{Came, Play, Stop, came};
use super::problem::{Problem, statuses};
use super::step::{Change, Condition, Key, Step, Var};
use crate::fuzz::cause::Harm;
use crate::outcome::Severity;
use crate::target::exchange::Exchange;
use crate::target::request::{Created, Sent};
use crate::target::{RequestPlan, resource_path};

impl Play<'_> {
    pub(super) async fn write(&mut self, step: &Step) -> Result<Vec<Problem>, Stop> {
        let who = match step {
            Step::Replace { who, condition: Condition::Fresh, .. }
            | Step::Patch { who, condition: Condition::Fresh, .. }
            | Step::Delete { who, condition: Condition::Fresh } => self.model.living(*who).map(|_| *who),
            _ => None,
        };
        // The version may have followed what was done to others.
        if let Some(who) = who.filter(|_| self.stage.ground.etag) {
            self.look(step, who, Wrote::Nothing).await?;
        }
        let Some(due) = self.model.due(step, self.stage.ground) else { return Ok(Vec::new()) };
        let Some((plan, body)) = self.request(step) else { return Ok(Vec::new()) };
        let sent = self.send(plan, None).await?;
        let exchange = &sent.exchange;
        match came(self.stage.target, exchange) {
            Came::Nothing(why) => Err(Stop::Nothing(why)),
            Came::Broken(what) => Err(broken(step, exchange, &what).into()),
            Came::Refused { status, scim_type } => {
                let mut warnings = refused(step, &due, status, scim_type.as_deref(), exchange)?;
                warnings.extend(self.after_refusal(step).await?);
                Ok(warnings)
            }
            Came::Done(status) if due.is_refusal() => self.served(step, &due, status, exchange).await,
            Came::Done(status) if !due.success.contains(&status) => {
                let message = format!("{step}: answered {status}, where {} is due", statuses(&due.success));
                Err(Problem::of(step, Harm::Wrong, format!("status {status}"), message)
                    .told(statuses(&due.success), status.to_string())
                    .breaks(&[due.requirement])
                    .shown(exchange.id)
                    .into())
            }
            Came::Done(_) => self.after_success(step, &sent, &body).await,
        }
    }

    /// What has to be refused is served.
    async fn served(
        &mut self,
        step: &Step,
        due: &Due,
        status: u16,
        exchange: &Arc<Exchange>,
    ) -> Result<Vec<Problem>, Stop> {
        let differs = match due.requirement {
            "RFC7644-3.6-03" => "deleted",
            "RFC9110-13.1.1-03" => "stale version",
            _ => "name in use",
        };
        let message = format!("{step}: answered {status}, though {}", due.why);
        let problem = Problem::of(step, Harm::Served, differs, message)
            .told(statuses(&due.refusals), status.to_string())
            .breaks(&[due.requirement])
            .shown(exchange.id);
        if due.suffered == Some(status) {
            return Ok(vec![problem.warning()]);
        }
        // Whose change is there already may say so (RFC 9110 section 13.1.1).
        let who = step.vars().into_iter().next();
        if let (Some(who), true, false) =
            (who, differs == "stale version", matches!(step, Step::Delete { .. }))
            && self.is_unchanged(who).await?
        {
            return Ok(Vec::new());
        }
        Err(problem.into())
    }

    pub(super) async fn is_unchanged(&mut self, who: Var) -> Result<bool, Stop> {
        let Some(known) = self.model.get(who) else { return Ok(false) };
        let plan = RequestPlan::get(resource_path(self.stage.ground.endpoint(who.kind), &known.id), "");
        let before = known.state.clone();
        let sent = self.send(plan, Some("see whether it changed")).await?;
        let Some(definition) = self.stage.ground.definition(who.kind) else { return Ok(false) };
        Ok(sent.exchange.json().is_some_and(|now| look::is_same(&before, now, definition)))
    }

    /// After a refusal nothing has changed.
    async fn after_refusal(&mut self, step: &Step) -> Result<Vec<Problem>, Stop> {
        let who = match step {
            Step::Replace { who, .. } | Step::Patch { who, .. } | Step::Delete { who, .. } => *who,
            _ => return Ok(Vec::new()),
        };
        match self.model.get(who).is_some_and(|known| known.alive) {
            true => self.look(step, who, Wrote::Refused).await,
            false => Ok(Vec::new()),
        }
    }

    async fn after_success(&mut self, step: &Step, sent: &Sent, body: &Value) -> Result<Vec<Problem>, Stop> {
        let exchange = &sent.exchange;
        let answer = sent.exchange.json().filter(|it| it.is_object()).cloned();
        match step {
            Step::Create { who, key, .. } => {
                self.born(step, *who, *key, sent)?;
                self.look(step, *who, Wrote::Create { sent: body, answer, exchange }).await
            }
            Step::Replace { who, key, .. } => {
                let mut warnings = self.answered(step, exchange, answer.is_some())?;
                self.rename(*who, *key);
                let wrote = Wrote::Replace { sent: body, answer, exchange };
                warnings.extend(self.look(step, *who, wrote).await?);
                Ok(warnings)
            }
            Step::Patch { who, changes, .. } => {
                let mut warnings = self.answered(step, exchange, answer.is_some())?;
                let key = changes.iter().find_map(|change| match change {
                    Change::Rename(key) => Some(*key),
                    _ => None,
                });
                self.rename(*who, key);
                let wrote = match changes.contains(&Change::Spoil) {
                    true => Wrote::Unknown,
                    false => Wrote::Patch { sent: body, answer, exchange },
                };
                warnings.extend(self.look(step, *who, wrote).await?);
                Ok(warnings)
            }
            Step::Delete { who, .. } => {
                self.model.died(*who);
                self.read(step, *who).await
            }
            _ => Ok(Vec::new()),
        }
    }

    pub(super) fn rename(&mut self, who: Var, key: Option<Key>) {
        if let (Some(known), Some(key)) = (self.model.get_mut(who), key) {
            known.key = key;
        }
    }

    /// A 200 has to show the resource (AMB-96), and a PUT is answered with 200 (AMB-134).
    fn answered(&self, step: &Step, exchange: &Exchange, has_resource: bool) -> Result<Vec<Problem>, Stop> {
        if exchange.status() == Some(204) && matches!(step, Step::Replace { .. }) {
            let message = format!("{step}: answered 204, where 200 with the resource is due");
            return Ok(vec![
                Problem::of(step, Harm::Wrong, "no answer", message)
                    .told("200 with the resource", "204")
                    .breaks(&["RFC7644-3.5.1-13"])
                    .shown(exchange.id)
                    .warning(),
            ]);
        }
        if exchange.status() != Some(200) || has_resource {
            return Ok(Vec::new());
        }
        let message = format!("{step}: answered 200 without the resource");
        Err(Problem::of(step, Harm::Wrong, "answer", message)
            .told("200 with the resource, or 204", "200 without one")
            .breaks(match step {
                Step::Replace { .. } => &["RFC7644-3.5.1-13"],
                _ => &["RFC7644-3.5.2-23"],
            })
            .shown(exchange.id)
            .into())
    }

    /// Takes in what a create has made.
    pub(super) fn born(&mut self, step: &Step, who: Var, key: Key, sent: &Sent) -> Result<(), Stop> {
        let exchange = &sent.exchange;
        let wrong = |differs: &str, message: String| {
            let id = "an id of its own, and an address under it";
            Problem::of(step, Harm::Wrong, differs, message).told(id, differs).shown(exchange.id)
        };
        let id = match &sent.created {
            Some(Created::Owned { id, .. }) => id.clone(),
            Some(Created::WithoutId) => {
                return Err(wrong("no id", format!("{step}: the answer says no id"))
                    .breaks(&["RFC7643-3.1-05"])
                    .into());
            }
            Some(Created::Disowned { why, .. }) => {
                let message = format!("{step}: the answer is about another resource: {why}");
                return Err(wrong("another id", message).breaks(&["RFC7643-3.1-06"]).into());
            }
            Some(Created::Unproven { why, .. }) => return Err(Stop::Nothing(why.clone())),
            None => return Err(Stop::Nothing("the create was not answered".to_owned())),
        };
        if self.model.by_id(who.kind, &id).is_some() || self.model.dead(who.kind).contains(id.as_str()) {
            let message = format!("{step}: the new resource has the id of one that was there before");
            return Err(wrong("used id", message).breaks(&["RFC7643-3.1-06", "RFC7643-3.1-08"]).into());
        }
        let life = self.model.next_life(who);
        self.model.born(
            who,
            Known {
                id,
                key,
                life,
                state: Value::Null,
                tag: None,
                earlier: Vec::new(),
                created: None,
                modified: None,
                modified_at: None,
                shows_members: false,
                alive: true,
            },
        );
        Ok(())
    }
}

/// A step that broke the service provider.
pub fn broken(step: &Step, exchange: &Exchange, what: &str) -> Problem {
    let differs = what.strip_prefix("answered ").unwrap_or("no answer").to_owned();
    Problem::of(step, Harm::Broken, differs, format!("{step}: {what}"))
        .told("an answer that SCIM has for it", what)
        .breaks(&["RFC7644-3.12-02"])
        .shown(exchange.id)
}

/// A refusal: what it says of the service provider.
fn refused(
    step: &Step,
    due: &Due,
    status: u16,
    scim_type: Option<&str>,
    exchange: &Exchange,
) -> Result<Vec<Problem>, Stop> {
    let keyword = scim_type.map(|it| format!(" {it}")).unwrap_or_default();
    if due.refusals.contains(&status) {
        let is_nameless =
            due.is_refusal() && matches!(step, Step::Create { .. }) && scim_type != Some("uniqueness");
        if is_nameless {
            let message = format!("{step}: refused with {status}{keyword}, and not as uniqueness");
            return Err(Problem::of(step, Harm::Wrong, "keyword", message)
                .told("409 uniqueness", format!("{status}{keyword}"))
                .breaks(&["RFC7644-3.3-11"])
                .shown(exchange.id)
                .into());
        }
        return Ok(Vec::new());
    }
    // What is not there at all is refused whatever is due.
    let is_missing = matches!(status, 405 | 501);
    let (harm, expected) = match due.is_refusal() && !is_missing {
        true => (Harm::Wrong, format!("{}, since {}", statuses(&due.refusals), due.why)),
        false => (Harm::Refused, statuses(if due.is_refusal() { &due.refusals } else { &due.success })),
    };
    let differs = if harm == Harm::Wrong { format!("status {status}") } else { status.to_string() };
    let problem = Problem::of(step, harm, differs, format!("{step}: refused with {status}{keyword}"))
        .told(expected, format!("{status}{keyword}"))
        .breaks(&[due.requirement])
        .shown(exchange.id);
    match due.frowned.filter(|(frowned, _)| *frowned == status) {
        Some((_, requirement)) => {
            Ok(vec![Problem { severity: Severity::Warning, ..problem.breaks(&[requirement]) }])
        }
        None => Err(problem.into()),
    }
}
