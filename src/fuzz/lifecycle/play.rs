//! Plays a sequence: each step becomes a request in a name space of its own, and what comes of it is held against the
//! model at once. A write is followed by a read of what it was about.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use chrono::Utc;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Map, Value, json};

use super::ground::Ground;
use super::look::{self, Look, Wrote, step_of_clock};
use super::model::{Due, Known, Model};
use super::patience::{Patience, Waiting};
use super::problem::{Problem, Signature, statuses};
use super::race;
use super::step::{Attributes, Change, Condition, Key, Kind, Step, Var, has_other_letters, key_word, plain};
use crate::fuzz::cause::Harm;
use crate::fuzz::heard::keyword;
use crate::fuzz::strategy::data::marked;
use crate::outcome::Severity;
use crate::run::Templates;
use crate::scim::list::ListResponse;
use crate::scim::names;
use crate::scim::resource::{get, set_member};
use crate::suite::fresh::Generator;
use crate::suite::model::FreshKind;
use crate::target::exchange::{Exchange, ExchangeId, TransportFailure};
use crate::target::request::{Created, Sent};
use crate::target::{RequestPlan, Target, needs, resource_path};

/// What a query value keeps unescaped.
const QUERY: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');
/// How many rows are asked for at once.
const ROWS: usize = 100;

/// Where sequences are played.
#[derive(Debug, Clone, Copy)]
pub struct Stage<'a> {
    /// The client.
    pub target: &'a Target,
    /// What there is.
    pub ground: &'a Ground,
    /// The maker of fresh values.
    pub generator: &'a Generator,
    /// What the operator puts under every resource.
    pub templates: &'a Templates,
    /// What is known to be wrong, and is passed over where the model can go on with what is there.
    pub known: &'a BTreeSet<Signature>,
    /// How long reads may lag behind writes.
    pub patience: &'a Patience,
}

/// A problem with the step that showed it.
#[derive(Debug, Clone, PartialEq)]
pub struct Sighting {
    /// The position of the step.
    pub at: usize,
    /// What it is.
    pub problem: Problem,
}

/// What playing a sequence came to.
#[derive(Debug, Clone, Default)]
pub struct Played {
    /// What contradicts the model: warnings, and at most one failure, which ended it.
    pub sightings: Vec<Sighting>,
    /// The exchanges made, in order.
    pub exchanges: Vec<ExchangeId>,
    /// How many steps were carried out.
    pub steps: u64,
    /// What the service provider declined that it need not have: searches, lists.
    pub declined: Vec<&'static str>,
    /// How often something known was passed over.
    pub left_alone: u64,
    /// Why it ended early without saying anything, if it did.
    pub nothing: Option<String>,
}

impl Played {
    /// The sighting of that signature.
    pub fn shows(&self, signature: &Signature) -> Option<&Sighting> {
        self.sightings.iter().find(|sighting| sighting.problem.signature == *signature)
    }
}

/// Why a step goes no further.
#[derive(Debug)]
pub enum Stop {
    /// It contradicts the model.
    Problem(Box<Problem>),
    /// Nothing can be said.
    Nothing(String),
}

impl From<Problem> for Stop {
    fn from(problem: Problem) -> Stop {
        Stop::Problem(Box::new(problem))
    }
}

/// What an exchange came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Came {
    /// Success.
    Done(u16),
    /// It is refused.
    Refused {
        /// The status.
        status: u16,
        /// The keyword.
        scim_type: Option<String>,
    },
    /// The service provider broke.
    Broken(String),
    /// Nothing can be said.
    Nothing(String),
}

/// What an exchange came to.
pub fn came(target: &Target, exchange: &Exchange) -> Came {
    let response = match &exchange.answer {
        Ok(response) => response,
        Err(_) if target.interrupted() => return Came::Nothing("the run was interrupted".to_owned()),
        Err(TransportFailure::NotSent { why }) => return Came::Nothing(why.clone()),
        Err(
            failure @ (TransportFailure::TimedOut { .. }
            | TransportFailure::Resolve { .. }
            | TransportFailure::Connect { .. }
            | TransportFailure::Tls { .. }),
        ) => return Came::Nothing(failure.to_string()),
        Err(failure) => return Came::Broken(failure.to_string()),
    };
    match response.status {
        status @ (200 | 201 | 204) => Came::Done(status),
        202 => Came::Nothing("answered 202: it is done later".to_owned()),
        429 | 503 => Came::Nothing(format!("{}, also after waiting", response.status)),
        401 | 403 | 407 => {
            Came::Nothing(format!("answered {}: the credentials were not accepted", response.status))
        }
        status @ (400..=499 | 501) => Came::Refused { status, scim_type: keyword(exchange) },
        status => Came::Broken(format!("answered {status}")),
    }
}

/// A sequence that is being played.
pub struct Play<'a> {
    /// Where.
    pub stage: Stage<'a>,
    /// What is known.
    pub model: Model,
    /// The word of this name space, behind the run's mark.
    word: String,
    /// Who the exchanges are of.
    origin: String,
    /// When something was last written here.
    wrote: Option<Instant>,
    played: Played,
}

/// Plays a sequence. It ends at the first failure, or at `until`. What it made is given up for the target's clean-up.
pub async fn play(stage: Stage<'_>, steps: &[Step], origin: &str, until: Option<&Signature>) -> Played {
    let word = stage.generator.value(FreshKind::Word);
    let mut play = Play {
        stage,
        model: Model::default(),
        word,
        origin: origin.to_owned(),
        wrote: None,
        played: Played::default(),
    };
    for (at, step) in steps.iter().enumerate() {
        if stage.target.interrupted() {
            play.played.nothing = Some("the run was interrupted".to_owned());
            break;
        }
        match play.step(step).await {
            Ok(warnings) => {
                play.played.steps += 1;
                let is_it = warnings.iter().any(|it| Some(&it.signature) == until);
                play.played.sightings.extend(warnings.into_iter().map(|problem| Sighting { at, problem }));
                if is_it {
                    break;
                }
            }
            Err(Stop::Nothing(why)) => {
                play.played.nothing = Some(why);
                break;
            }
            Err(Stop::Problem(problem)) if step.only_reads() && stage.known.contains(&problem.signature) => {
                play.played.left_alone += 1;
            }
            Err(Stop::Problem(problem)) => {
                play.played.steps += 1;
                play.played.sightings.push(Sighting { at, problem: *problem });
                break;
            }
        }
    }
    play.played
}

impl Play<'_> {
    /// The value of a name here.
    pub fn name(&self, kind: Kind, key: Key) -> String {
        let kind = match kind {
            Kind::User => FreshKind::UserName,
            Kind::Group => FreshKind::DisplayName,
        };
        let name = self.stage.generator.named(kind, &format!("{}{}", self.word, key_word(key)));
        if has_other_letters(key) { crate::fuzz::strategy::literal::other_case(&name) } else { name }
    }

    /// What all names of a type here begin with.
    fn beginning(&self, kind: Kind) -> String {
        let name = self.name(kind, 0);
        let marked = format!("{}{}", self.stage.generator.mark(), self.word);
        match name.find(&marked) {
            Some(at) => name[..at + marked.len()].to_owned(),
            None => name,
        }
    }

    /// Says whose a request is.
    pub fn sign(&self, plan: &mut RequestPlan) {
        plan.origin.clone_from(&self.origin);
    }

    /// Sends a request.
    pub async fn send(&mut self, mut plan: RequestPlan, reason: Option<&str>) -> Result<Sent, Stop> {
        self.sign(&mut plan);
        plan.reason = reason.map(str::to_owned);
        let writes = plan.method != "GET";
        match self.stage.target.send(plan).await {
            Ok(sent) => {
                self.played.exchanges.extend(sent.also.iter().map(|it| it.id));
                self.played.exchanges.push(sent.exchange.id);
                if writes {
                    self.wrote = Some(Instant::now());
                }
                Ok(sent)
            }
            Err(refusal) => Err(Stop::Nothing(refusal.to_string())),
        }
    }

    /// Takes note of exchanges that were made elsewhere.
    pub fn note(&mut self, sent: &Sent) {
        self.played.exchanges.extend(sent.also.iter().map(|it| it.id));
        self.played.exchanges.push(sent.exchange.id);
        self.wrote = Some(Instant::now());
    }

    /// The patience for a read that is about to be made: some where something was written a moment ago.
    pub fn waiting(&self) -> Option<Waiting> {
        self.stage.patience.waiting(self.wrote)
    }

    /// Whether a read that contradicts the model is to be made again, after a pause that this takes.
    pub async fn again(&self, waiting: &mut Option<Waiting>, problem: &Signature) -> bool {
        let is_known = self.stage.known.contains(problem);
        let Some(waiting) = waiting.as_mut().filter(|_| !is_known) else { return false };
        self.stage.patience.again(waiting, problem, self.stage.target).await
    }

    /// Waits until no clock that showed the time of a resource's last change shows the same any more.
    async fn pause(&self) {
        let left = |known: &Known| {
            let (text, since) = known.modified_at.as_ref()?;
            let rested = (Utc::now() - *since).to_std().unwrap_or_default();
            Some(step_of_clock(text).saturating_sub(rested) + Duration::from_millis(1))
        };
        let all = [Kind::User, Kind::Group].into_iter().flat_map(|kind| self.model.all_living(kind));
        let Some(longest) = all.filter_map(|(_, known)| left(known)).max() else { return };
        tokio::select! {
            () = tokio::time::sleep(longest) => {}
            () = self.stage.target.until_interrupted() => {}
        }
    }

    async fn step(&mut self, step: &Step) -> Result<Vec<Problem>, Stop> {
        match step {
            Step::Create { .. } | Step::Replace { .. } | Step::Patch { .. } | Step::Delete { .. } => {
                self.write(step).await
            }
            Step::Read { who } => self.read(step, *who).await,
            Step::Find { kind, key, folded } => self.find(step, *kind, *key, *folded).await,
            Step::List { kind } => self.list(step, *kind, None).await,
            Step::Count { kind } => {
                let beginning = self.beginning(*kind);
                let filter = format!("{} sw {}", kind.name_attribute(), Value::from(beginning));
                self.list(step, *kind, Some(filter)).await
            }
            Step::Pause => {
                self.pause().await;
                Ok(Vec::new())
            }
            Step::AtOnce { lanes } => race::race(self, step, lanes).await,
        }
    }

    /// The values of a body, marked for this resource.
    fn attributes(&self, who: Var, life: usize, attributes: &Attributes) -> Map<String, Value> {
        let word = format!("{}{}{who}{life}", self.stage.generator.mark(), self.word);
        attributes.iter().map(|(name, value)| (name.clone(), marked(value, &word))).collect()
    }

    fn references<'v>(&self, members: impl IntoIterator<Item = &'v Var>) -> Value {
        let living = members.into_iter().filter_map(|member| self.model.living(*member));
        Value::Array(living.map(|known| json!({"value": known.id})).collect())
    }

    /// A whole resource, with what the service provider demands of each.
    fn body(
        &self,
        who: Var,
        name: &str,
        attributes: Map<String, Value>,
        members: Option<Value>,
    ) -> Option<Value> {
        let definition = self.stage.ground.definition(who.kind)?;
        let mut urns = vec![Value::from(definition.schema.id.as_str())];
        urns.extend(
            attributes
                .keys()
                .filter(|name| definition.extension(name).is_some())
                .map(|it| it.as_str().into()),
        );
        let mut whole = Map::from_iter([("schemas".to_owned(), Value::Array(urns))]);
        whole.insert(who.kind.name_attribute().to_owned(), name.into());
        whole.extend(attributes);
        if let Some(members) = members.filter(|it| it.as_array().is_some_and(|it| !it.is_empty())) {
            whole.insert("members".to_owned(), members);
        }
        let template = match who.kind {
            Kind::User => &self.stage.templates.user,
            Kind::Group => &self.stage.templates.group,
        };
        let mut whole = needs::fill(Value::Object(whole), definition, template, self.stage.generator);
        without_name(&mut whole, who.kind);
        Some(whole)
    }

    /// The request of a write with its body; none where nothing is left of it.
    pub fn request(&self, step: &Step) -> Option<(RequestPlan, Value)> {
        let ground = self.stage.ground;
        let path = |who: Var, known: &Known| resource_path(ground.endpoint(who.kind), &known.id);
        let conditional = |mut plan: RequestPlan, known: &Known, condition: Condition| {
            if let Some(version) = known.version(condition) {
                plan.headers.push(("If-Match".to_owned(), Some(version.to_owned())));
            }
            plan
        };
        match step {
            Step::Create { who, key, body, members } => {
                let attributes = self.attributes(*who, self.model.next_life(*who), body);
                let members = (who.kind == Kind::Group).then(|| self.references(members));
                let body = self.body(*who, &self.name(who.kind, *key), attributes, members)?;
                Some((RequestPlan::new("POST", ground.endpoint(who.kind), "").json(&body), body))
            }
            Step::Replace { who, key, body, members, whole, condition } => {
                let known = self.model.get(*who)?;
                let attributes = self.attributes(*who, known.life, body);
                let name = self.name(who.kind, key.unwrap_or(known.key));
                let is_said = members.is_some();
                let members = (who.kind == Kind::Group).then(|| match members {
                    Some(members) => self.references(members),
                    None => self.references(&self.model.members(known)),
                });
                let body = if *whole {
                    let mut body = known.state.clone();
                    let object = body.as_object_mut()?;
                    for (name, value) in attributes {
                        if ground.definition(who.kind)?.extension(&name).is_some() {
                            declare(object, &name);
                        }
                        set_member(object, &name, value);
                    }
                    if key.is_some() {
                        set_member(object, who.kind.name_attribute(), name.into());
                    }
                    match members {
                        // What nobody asked for is left out where there is none of it.
                        Some(Value::Array(members)) if members.is_empty() && !is_said => {
                            object.retain(|name, _| !name.eq_ignore_ascii_case("members"));
                        }
                        Some(members) => set_member(object, "members", members),
                        None => {}
                    }
                    without_name(&mut body, who.kind);
                    body
                } else {
                    self.body(*who, &name, attributes, members)?
                };
                let plan = RequestPlan::new("PUT", path(*who, known), "").json(&body);
                Some((conditional(plan, known, *condition), body))
            }
            Step::Patch { who, changes, condition } => {
                let known = self.model.get(*who)?;
                let operations: Vec<Value> =
                    changes.iter().filter_map(|change| self.operation(*who, known, change)).collect();
                if operations.is_empty() {
                    return None;
                }
                let body = json!({"schemas": [names::PATCH_OP], "Operations": operations});
                let plan = RequestPlan::new("PATCH", path(*who, known), "").json(&body);
                Some((conditional(plan, known, *condition), body))
            }
            Step::Delete { who, condition } => {
                let known = self.model.get(*who)?;
                let plan = RequestPlan::new("DELETE", path(*who, known), "");
                Some((conditional(plan, known, *condition), Value::Null))
            }
            _ => None,
        }
    }

    fn operation(&self, who: Var, known: &Known, change: &Change) -> Option<Value> {
        let value = |name: &str, value: &Value| {
            let one = Attributes::from([(name.to_owned(), value.clone())]);
            self.attributes(who, known.life, &one).remove(name).unwrap_or_default()
        };
        Some(match change {
            Change::Set(path, new) => json!({"op": "replace", "path": path, "value": value(path, new)}),
            Change::Add(path, new) => json!({"op": "add", "path": path, "value": value(path, new)}),
            Change::Remove(path) => json!({"op": "remove", "path": path}),
            Change::SetAll(all) => json!({"op": "replace", "value": self.attributes(who, known.life, all)}),
            Change::Rename(key) => {
                let name = self.name(who.kind, *key);
                json!({"op": "replace", "path": who.kind.name_attribute(), "value": name})
            }
            Change::AddMember(member) => {
                let id = &self.model.living(*member)?.id;
                json!({"op": "add", "path": "members", "value": [{"value": id}]})
            }
            Change::AddMembers(members) => {
                let members = self.references(members);
                if members.as_array().is_none_or(Vec::is_empty) {
                    return None;
                }
                json!({"op": "add", "path": "members", "value": members})
            }
            Change::RemoveMember(member) => {
                let id = &self.model.living(*member)?.id;
                json!({"op": "remove", "path": format!("members[value eq {}]", Value::from(id.as_str()))})
            }
            Change::Spoil => json!({"op": "remove", "path": who.kind.name_attribute()}),
        })
    }

    async fn write(&mut self, step: &Step) -> Result<Vec<Problem>, Stop> {
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

    async fn is_unchanged(&mut self, who: Var) -> Result<bool, Stop> {
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

    /// Reads a resource, dead or alive.
    async fn read(&mut self, step: &Step, who: Var) -> Result<Vec<Problem>, Stop> {
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

    async fn read_dead(&mut self, step: &Step, who: Var, path: &str) -> Result<(), Stop> {
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
    async fn look_once(
        &mut self,
        step: &Step,
        who: Var,
        wrote: &Wrote<'_>,
        waiting: &mut Option<Waiting>,
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
    async fn rows(
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

    async fn find(&mut self, step: &Step, kind: Kind, key: Key, folded: bool) -> Result<Vec<Problem>, Stop> {
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
    async fn rows_judged(
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

    async fn list(&mut self, step: &Step, kind: Kind, filter: Option<String>) -> Result<Vec<Problem>, Stop> {
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
    fn is_named_here(&self, row: &Value, kind: Kind) -> bool {
        let name = get(row, kind.name_attribute()).and_then(Value::as_str).unwrap_or_default();
        name.to_lowercase().contains(&self.word.to_lowercase())
    }

    fn vars_of(&self, kind: Kind, id: &str) -> Vec<Var> {
        self.model.ever(kind, id).into_iter().collect()
    }
}

/// Lists a schema among those of a resource, whose attributes it has from now on.
fn declare(resource: &mut Map<String, Value>, urn: &str) {
    let Some(Value::Array(urns)) = resource.get_mut("schemas") else { return };
    if !urns.iter().filter_map(Value::as_str).any(|known| known.eq_ignore_ascii_case(urn)) {
        urns.push(urn.into());
    }
}

/// Where a body says that there is no name, it does not name it at all.
fn without_name(body: &mut Value, kind: Kind) {
    let Some(object) = body.as_object_mut() else { return };
    object.retain(|name, value| !(value.is_null() && name.eq_ignore_ascii_case(kind.name_attribute())));
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_extension_is_listed_once_and_a_name_that_is_null_is_left_out() {
        let mut body = json!({"schemas": ["urn:a"], "userName": null, "title": null});
        for urn in ["urn:A", "urn:b", "urn:b"] {
            declare(body.as_object_mut().unwrap(), urn);
        }
        without_name(&mut body, Kind::User);
        assert_eq!(body, json!({"schemas": ["urn:a", "urn:b"], "title": null}));
        without_name(&mut body, Kind::Group);
        assert_eq!(body["title"], Value::Null);
    }
}
