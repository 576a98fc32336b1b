//! What reads and lists come to: what they show held against the model.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;

use super::look::{Look, Wrote};
use super::model::Known;
use super::play::{Came, Play, Stop, came};
use super::problem::Problem;
use super::step::{Key, Kind, Step, Var, has_other_letters, plain};
use super::write::broken;
use crate::fuzz::cause::Harm;
use crate::scim::list::ListResponse;
use crate::scim::resource::get;
use crate::target::exchange::ExchangeId;
use crate::target::pauses::Pauses;
use crate::target::{RequestPlan, resource_path};

/// What a query value keeps unescaped.
const QUERY: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');
/// How many rows are asked for at once.
const ROWS: usize = 100;

impl Play<'_> {
    /// Reads a resource, dead or alive.
    pub(super) async fn read(&mut self, step: &Step, who: Var) -> Result<Vec<Problem>, Stop> {
        let Some(known) = self.model.get(who) else { return Ok(Vec::new()) };
        if known.alive {
            return self.look(step, who, Wrote::Nothing).await;
        }
        let path = resource_path(self.stage.ground.endpoint(who.kind), &known.id);
        let mut waiting = self.waiting();
        loop {
            let read = self.read_dead(step, who, &path).await;
            match read {
                Err(Stop::Problem(problem)) if self.again(&mut waiting, &problem.signature).await => {}
                read => return read.map(|()| Vec::new()),
            }
        }
    }

    pub(super) async fn read_dead(&mut self, step: &Step, who: Var, path: &str) -> Result<(), Stop> {
        let sent = self.send(RequestPlan::get(path, ""), Some("read what was deleted")).await?;
        let told = |differs: String, message: String| {
            Problem::of(step, Harm::Wrong, differs, message)
                .told("404", sent.exchange.status().map_or_else(String::new, |it| it.to_string()))
                .breaks(&["RFC7644-3.6-03"])
                .shown(sent.exchange.id)
        };
        match came(self.stage.target, &sent.exchange) {
            Came::Nothing(why) => Err(Stop::Nothing(why)),
            Came::Broken(what) => Err(broken(step, &sent.exchange, &what).into()),
            Came::Refused { status: 404 | 410, .. } => Ok(()),
            Came::Refused { status, .. } => {
                let message = format!("{who} was deleted, and a read of it is answered with {status}");
                Err(told(format!("status {status} of the deleted"), message).into())
            }
            Came::Done(status) => {
                let message = format!("{who} was deleted, and can still be read ({status})");
                Err(told("still there".to_owned(), message).into())
            }
        }
    }

    /// Reads a resource that lives, and holds it against what is known and what was written.
    pub(super) async fn look(
        &mut self,
        step: &Step,
        who: Var,
        wrote: Wrote<'_>,
    ) -> Result<Vec<Problem>, Stop> {
        let mut waiting = self.waiting();
        loop {
            match self.look_once(step, who, &wrote, &mut waiting).await {
                Ok(None) => {}
                Ok(Some(warnings)) => return Ok(warnings),
                Err(Stop::Problem(problem)) if self.again(&mut waiting, &problem.signature).await => {}
                Err(stop) => return Err(stop),
            }
        }
    }

    /// One read of it; none where it is worth another one.
    pub(super) async fn look_once(
        &mut self,
        step: &Step,
        who: Var,
        wrote: &Wrote<'_>,
        waiting: &mut Option<Pauses>,
    ) -> Result<Option<Vec<Problem>>, Stop> {
        let Some(known) = self.model.get(who) else { return Ok(Some(Vec::new())) };
        let plan = RequestPlan::get(resource_path(self.stage.ground.endpoint(who.kind), &known.id), "");
        let reason = match step {
            Step::Read { .. } => None,
            _ => Some(format!("read back after: {step}")),
        };
        let sent = self.send(plan, reason.as_deref()).await?;
        let exchange = &sent.exchange;
        match came(self.stage.target, exchange) {
            Came::Nothing(why) => return Err(Stop::Nothing(why)),
            Came::Broken(what) => return Err(broken(step, exchange, &what).into()),
            Came::Refused { status, .. } => {
                let differs = if matches!(status, 404 | 410) {
                    "gone".to_owned()
                } else {
                    format!("status {status} of a read")
                };
                let message = format!("after: {step}, {who} cannot be read ({status})");
                let shown = Problem::of(step, Harm::Wrong, differs, message)
                    .told("200 with the resource", status.to_string())
                    .breaks(&["RFC7644-3.4.1-02"])
                    .about([who])
                    .shown(exchange.id);
                return Err(shown.into());
            }
            Came::Done(_) => {}
        }
        let seen =
            Look { step, who, model: &self.model, ground: self.stage.ground, base: self.stage.target.url() };
        let (known, warnings) = match seen.judge(wrote, exchange) {
            Ok(judged) => judged,
            // What is known to be wrong is taken for what it is, so that the rest can be looked at.
            Err(Stop::Problem(problem)) if self.stage.known.contains(&problem.signature) => {
                self.played.left_alone += 1;
                match seen.as_it_is(exchange) {
                    Some(known) => (known, Vec::new()),
                    None => return Err(Stop::Problem(problem)),
                }
            }
            Err(stop) => return Err(stop),
        };
        if let Some(first) = warnings.first()
            && self.again(waiting, &first.signature).await
        {
            return Ok(None);
        }
        if let Some(place) = self.model.get_mut(who) {
            *place = known;
        }
        Ok(Some(warnings))
    }

    /// A list; none where the service provider declines it.
    pub(super) async fn rows(
        &mut self,
        step: &Step,
        kind: Kind,
        filter: Option<&str>,
        feature: &'static str,
    ) -> Result<Option<(ListResponse, ExchangeId)>, Stop> {
        if self.played.declined.contains(&feature) {
            return Ok(None);
        }
        let parameter = self.stage.target.page_size_parameter();
        let filter =
            filter.map(|it| format!("filter={}&", utf8_percent_encode(it, QUERY))).unwrap_or_default();
        let path = format!("{}?{filter}{parameter}={ROWS}", self.stage.ground.endpoint(kind));
        let sent = self.send(RequestPlan::get(path, ""), None).await?;
        let exchange = &sent.exchange;
        match came(self.stage.target, exchange) {
            Came::Nothing(why) => Err(Stop::Nothing(why)),
            Came::Broken(what) => Err(broken(step, exchange, &what).into()),
            Came::Refused { .. } => {
                self.played.declined.push(feature);
                Ok(None)
            }
            Came::Done(_) => {
                let list = exchange.json().filter(|it| it.is_object());
                match list.and_then(|body| ListResponse::from_json(body).value) {
                    Some(list) => Ok(Some((list, exchange.id))),
                    None => Err(broken(step, exchange, "answered 200 with what is no ListResponse").into()),
                }
            }
        }
    }

    pub(super) async fn find(
        &mut self,
        step: &Step,
        kind: Kind,
        key: Key,
        folded: bool,
    ) -> Result<Vec<Problem>, Stop> {
        let ground = self.stage.ground;
        if !ground.filter || (folded && (!ground.folds || kind == Kind::Group)) {
            return Ok(Vec::new());
        }
        let name = self.name(kind, key);
        let asked = if folded { crate::fuzz::strategy::literal::other_case(&name) } else { name.clone() };
        let filter = format!("{} eq {}", kind.name_attribute(), Value::from(asked));
        let feature = if folded { "searches in other letters" } else { "searches by name" };
        // Whether a name is found in other letters is not known where searches for those are declined.
        if !ground.folds && self.model.all_living(kind).any(|(_, known)| has_other_letters(known.key)) {
            return Ok(Vec::new());
        }
        let wanted = |_: Var, known: &Known| plain(known.key) == plain(key);
        self.rows_judged(step, kind, (Some(&filter), feature), &wanted, true).await
    }

    /// A list held against the model.
    pub(super) async fn rows_judged(
        &mut self,
        step: &Step,
        kind: Kind,
        (filter, feature): (Option<&str>, &'static str),
        wanted: &(dyn Fn(Var, &Known) -> bool + Sync),
        is_scoped: bool,
    ) -> Result<Vec<Problem>, Stop> {
        let mut waiting = self.waiting();
        loop {
            let Some((list, exchange)) = self.rows(step, kind, filter, feature).await? else {
                return Ok(Vec::new());
            };
            match self.listed(step, kind, &list, exchange, wanted, is_scoped) {
                Err(Stop::Problem(problem)) if self.again(&mut waiting, &problem.signature).await => {}
                judged => return judged,
            }
        }
    }

    pub(super) async fn list(
        &mut self,
        step: &Step,
        kind: Kind,
        filter: Option<String>,
    ) -> Result<Vec<Problem>, Stop> {
        let ground = self.stage.ground;
        let is_scoped = filter.is_some();
        if ground.definition(kind).is_none() || (is_scoped && !ground.filter) || (!is_scoped && !ground.lists)
        {
            return Ok(Vec::new());
        }
        let feature = if is_scoped { "searches by the beginning of a name" } else { "lists without filter" };
        self.rows_judged(step, kind, (filter.as_deref(), feature), &|_, _| true, is_scoped).await
    }

    /// Holds a list against the model: exactly the wanted ones of the living, each as it was read. `is_scoped` says that
    /// nobody else can be in it.
    fn listed(
        &self,
        step: &Step,
        kind: Kind,
        list: &ListResponse,
        exchange: ExchangeId,
        wanted: &dyn Fn(Var, &Known) -> bool,
        is_scoped: bool,
    ) -> Result<Vec<Problem>, Stop> {
        let word = step.word();
        let told = |differs: &str, message: String, actual: String| {
            let expected = format!(
                "those that live: {}",
                self.model
                    .all_living(kind)
                    .filter(|(who, known)| wanted(*who, known))
                    .map(|(who, _)| who.to_string())
                    .collect::<Vec<_>>()
                    .join(", ")
            );
            Problem::of(step, Harm::Wrong, differs, message).told(expected, actual).shown(exchange)
        };
        let dead = self.model.dead(kind);
        let mut seen: Vec<Var> = Vec::new();
        for row in &list.resources {
            let Some(id) = get(row, "id").and_then(Value::as_str) else { continue };
            if dead.contains(id) {
                let message = format!("{word}: a deleted {} is still shown", kind.noun());
                let problem =
                    told("deleted", message, format!("the deleted {id}")).breaks(&["RFC7644-3.6-04"]);
                return Err(problem.about(self.vars_of(kind, id)).into());
            }
            let Some((who, known)) = self.model.by_id(kind, id) else {
                if is_scoped && self.is_named_here(row, kind) {
                    let message =
                        format!("{word}: a {} is shown that nobody created with success", kind.noun());
                    return Err(told("unknown", message, id.to_owned()).breaks(&["RFC7644-3.3-13"]).into());
                }
                continue;
            };
            if !wanted(who, known) {
                let message = format!("{word}: {who} is shown, and has another name");
                return Err(told("another", message, who.to_string())
                    .breaks(&["RFC7644-3.4.2.2-06"])
                    .about([who])
                    .into());
            }
            if seen.contains(&who) {
                let message = format!("{word}: {who} is shown twice");
                return Err(told("twice", message, who.to_string()).about([who]).into());
            }
            seen.push(who);
            let look = Look {
                step,
                who,
                model: &self.model,
                ground: self.stage.ground,
                base: self.stage.target.url(),
            };
            look.judge_row(known, row, exchange)?;
        }
        let rows = list.resources.len() as u64;
        let total = list.total_results;
        let is_complete = total.is_none_or(|total| total <= rows) && list.next_cursor.is_none();
        let living: Vec<Var> = self
            .model
            .all_living(kind)
            .filter(|(who, known)| wanted(*who, known))
            .map(|(who, _)| who)
            .collect();
        if is_complete && let Some(missing) = living.iter().find(|who| !seen.contains(who)) {
            let message = format!("{word}: {missing} is not shown");
            return Err(told("missing", message, format!("{missing} is missing"))
                .breaks(&["RFC7644-3.4.2-06"])
                .about([*missing])
                .into());
        }
        let total = total.filter(|_| is_scoped && list.next_cursor.is_none());
        if let Some(total) = total.filter(|total| *total != living.len() as u64) {
            let message = format!("{word}: totalResults is {total}, and there are {}", living.len());
            return Err(told("total", message, total.to_string()).breaks(&["RFC7644-3.4.2-06"]).into());
        }
        Ok(Vec::new())
    }

    /// Whether a row has a name of this name space.
    pub(super) fn is_named_here(&self, row: &Value, kind: Kind) -> bool {
        let name = get(row, kind.name_attribute()).and_then(Value::as_str).unwrap_or_default();
        name.to_lowercase().contains(&self.word.to_lowercase())
    }

    pub(super) fn vars_of(&self, kind: Kind, id: &str) -> Vec<Var> {
        self.model.ever(kind, id).into_iter().collect()
    }
}
