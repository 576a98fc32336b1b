//! Plays a sequence: each step becomes a request in a name space of its own, and what comes of it is held against the
//! model at once. A write is followed by a read of what it was about.

use super::ground::Ground;
use super::look::step_of_clock;
use super::model::{Known, Model};
use super::patience::Patience;
use super::problem::{Problem, Signature};
use super::race;
use super::step::{Key, Kind, Step, has_other_letters, key_word};
use crate::fuzz::heard::keyword;
use crate::run::Templates;
use crate::suite::fresh::Generator;
use crate::suite::model::FreshKind;
use crate::target::exchange::{Exchange, TransportFailure};
use crate::target::pauses::Pauses;
use crate::target::request::Sent;
use crate::target::{RequestPlan, Target};
use chrono::Utc;
use serde_json::Value;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

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
    pub exchanges: Vec<Arc<Exchange>>,
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
    pub(super) word: String,
    /// Who the exchanges are of.
    pub(super) origin: String,
    /// When something was last written here.
    pub(super) wrote: Option<Instant>,
    pub(super) played: Played,
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
                self.played.exchanges.extend(sent.also.iter().cloned());
                self.played.exchanges.push(Arc::clone(&sent.exchange));
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
        self.played.exchanges.extend(sent.also.iter().cloned());
        self.played.exchanges.push(Arc::clone(&sent.exchange));
        self.wrote = Some(Instant::now());
    }

    /// The patience for a read that is about to be made: some where something was written a moment ago.
    pub fn waiting(&self) -> Option<Pauses> {
        self.stage.patience.waiting(self.wrote)
    }

    /// Whether a read that contradicts the model is to be made again, after a pause that this takes.
    pub async fn again(&self, waiting: &mut Option<Pauses>, problem: &Signature) -> bool {
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
        self.stage.target.rest(longest).await;
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
}
