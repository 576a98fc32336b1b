//! One resource made, one PATCH sent, the resource read again: what came, before anybody judges it.

use std::sync::Arc;

use serde_json::{Value, json};

use super::Fuzz;
use crate::fuzz::ORIGIN;
use crate::fuzz::heard::{Unheard, keyword, response};
use crate::fuzz::saved::replaced;
use crate::fuzz::strategy::data::{MARK, marked};
use crate::fuzz::strategy::patch::written;
use crate::oracle::derived::{is_visible, refers};
use crate::run::Templates;
use crate::scim::definition::ResourceDefinition;
use crate::scim::resource::get;
use crate::scim::schema::Mutability;
use crate::suite::fresh::Generator;
use crate::target::exchange::{Exchange, TransportFailure};
use crate::target::request::Created;
use crate::target::{RequestPlan, Target, needs, resource_path};

/// What came back.
#[derive(Debug, Clone, PartialEq)]
pub enum Answer {
    /// 2xx.
    Done {
        /// The status.
        status: u16,
        /// The resource in the answer, if there is one.
        shown: Option<Value>,
    },
    /// 4xx, or 501.
    Refused {
        /// The status.
        status: u16,
        /// The keyword of the error, if it has one.
        scim_type: Option<String>,
        /// What is wrong with the error, if anything is.
        flaw: Option<String>,
    },
    /// The service provider broke: 5xx, or no answer.
    Broken(String),
    /// Nothing that says anything: a limit, an interrupt.
    Nothing(String),
}

/// A resource of ours that is patched.
#[derive(Debug, Clone, PartialEq)]
pub struct Specimen {
    /// Its id.
    pub id: String,
    /// The word that stands in its names.
    pub word: String,
    /// What it was last read to be.
    pub state: Value,
}

/// A PATCH, with what was there before and after.
#[derive(Debug, Clone)]
pub struct Played {
    /// The resource as it was last read before.
    pub before: Value,
    /// The body, as it was sent.
    pub body: Value,
    /// Whether attributes were asked for.
    pub projected: bool,
    /// The answer.
    pub answer: Answer,
    /// The exchange.
    pub exchange: Option<Arc<Exchange>>,
    /// The resource as it was read afterwards.
    pub after: Option<Value>,
    /// Why it could not be read, if that is the service provider's fault.
    pub unread: Option<String>,
}

/// Where resources of one type are made and patched.
#[derive(Clone, Copy)]
pub struct Stage<'a> {
    /// The client.
    pub target: &'a Target,
    /// The type.
    pub definition: &'a ResourceDefinition,
    /// The maker of fresh values.
    pub generator: &'a Generator,
    /// What the operator puts under every resource.
    pub templates: &'a Templates,
}

impl<'a> Stage<'a> {
    /// A stage for resources of a type.
    pub fn of(fuzz: &Fuzz<'a>, definition: &'a ResourceDefinition) -> Stage<'a> {
        Stage { target: fuzz.target, definition, generator: fuzz.generator, templates: fuzz.templates }
    }

    /// Where the resources are.
    pub fn endpoint(&self) -> &str {
        self.definition.endpoint.trim_end_matches('/')
    }

    /// A body as it is sent to make a resource: with that word in the place of [`MARK`], and what the service provider
    /// needs beside.
    pub fn body(&self, resource: &Value, word: &str) -> Value {
        let template = match self.definition.name.as_str() {
            "User" => &self.templates.user,
            "Group" => &self.templates.group,
            _ => &Value::Null,
        };
        needs::fill(marked(resource, word), self.definition, template, self.generator)
    }

    /// Makes a resource, and reads it.
    ///
    /// # Errors
    /// Why there is none, in words.
    pub async fn make(&self, resource: &Value, word: &str, reason: &str) -> Result<Specimen, String> {
        let body = self.body(resource, word);
        let mut plan = RequestPlan::new("POST", self.endpoint(), ORIGIN).json(&body);
        plan.reason = Some(reason.to_owned());
        let sent = self.target.send(plan).await.map_err(|refusal| refusal.to_string())?;
        let Some(Created::Owned { id, .. }) = &sent.created else {
            let detail = sent.exchange.json().and_then(|body| get(body, "detail"));
            return Err(match (&sent.exchange.answer, detail) {
                (Err(failure), _) => failure.to_string(),
                (Ok(response), Some(detail)) => format!("answered {}: {detail}", response.status),
                (Ok(response), None) => format!("answered {}", response.status),
            });
        };
        // The first of a type is read back by the target itself.
        let read = sent.also.iter().rev().find(|it| it.request.method == "GET" && it.status() == Some(200));
        let state = match read.and_then(|exchange| exchange.json()) {
            Some(state) if get(state, "id") == Some(&id.as_str().into()) => Some(state.clone()),
            _ => self.read(id, "read what is going to be patched").await.ok(),
        };
        let state =
            state.ok_or_else(|| format!("{} could not be read", resource_path(self.endpoint(), id)))?;
        Ok(Specimen { id: id.clone(), word: word.to_owned(), state })
    }

    /// What a resource is now.
    ///
    /// # Errors
    /// Why that is not known; `Some` where it is the service provider's fault.
    pub async fn read(&self, id: &str, reason: &str) -> Result<Value, Option<String>> {
        let mut plan = RequestPlan::get(resource_path(self.endpoint(), id), ORIGIN);
        plan.reason = Some(reason.to_owned());
        let sent = self.target.send(plan).await.map_err(|_| None)?;
        match (&sent.exchange.answer, sent.exchange.status()) {
            (_, Some(200)) => match sent.exchange.json() {
                Some(state) if state.is_object() => Ok(state.clone()),
                _ => Err(Some("the resource is answered with 200, and no JSON object".to_owned())),
            },
            (_, Some(429 | 503 | 401 | 403 | 407)) => Err(None),
            (_, Some(status)) => Err(Some(format!("a read of the resource is answered {status}"))),
            (Err(TransportFailure::NotSent { .. }), _) => Err(None),
            (Err(_), _) if self.target.interrupted() => Err(None),
            (Err(failure), _) => Err(Some(format!("a read of the resource: {failure}"))),
            (Ok(_), None) => Err(None),
        }
    }

    /// Sends a PATCH, without a read.
    pub async fn send(&self, specimen: &Specimen, body: &Value, projected: bool, reason: &str) -> Played {
        let body = marked(body, &specimen.word);
        let query = if projected { "?attributes=id" } else { "" };
        let path = format!("{}{query}", resource_path(self.endpoint(), &specimen.id));
        let mut plan = RequestPlan::new("PATCH", path, ORIGIN).json(&body);
        plan.reason = Some(reason.to_owned());
        let (answer, exchange) = match self.target.send(plan).await {
            Err(refusal) => (Answer::Nothing(refusal.to_string()), None),
            Ok(sent) => (read(self.target, &sent.exchange), Some(sent.exchange)),
        };
        Played {
            before: specimen.state.clone(),
            body,
            projected,
            answer,
            exchange,
            after: None,
            unread: None,
        }
    }

    /// Reads the resource behind a PATCH.
    pub async fn look(&self, specimen: &mut Specimen, played: &mut Played) {
        if matches!(played.answer, Answer::Nothing(_)) {
            return;
        }
        match self.read(&specimen.id, "read back what was patched").await {
            Ok(state) => {
                specimen.state = state.clone();
                played.after = Some(state);
            }
            Err(why) => played.unread = why,
        }
    }

    /// Sends a PATCH, and reads the resource.
    pub async fn play(&self, specimen: &mut Specimen, body: &Value, projected: bool, reason: &str) -> Played {
        let mut played = self.send(specimen, body, projected, reason).await;
        self.look(specimen, &mut played).await;
        played
    }

    /// A resource as a client could make another one like it: what it may write, with [`MARK`] for its word.
    pub fn neutral(&self, specimen: &Specimen) -> Value {
        neutral(&specimen.state, &specimen.word, self.definition)
    }
}

/// What a client may write of a resource, with [`MARK`] for its word.
pub fn neutral(state: &Value, word: &str, definition: &ResourceDefinition) -> Value {
    let mut resource = json!({});
    let Some(members) = resource.as_object_mut() else { return resource };
    for (name, value) in state.as_object().into_iter().flatten() {
        if name.eq_ignore_ascii_case("schemas") {
            members.insert(name.clone(), value.clone());
        } else if let Some(attribute) = definition.top_attribute(name) {
            if attribute.mutability != Mutability::ReadOnly && is_visible(attribute) {
                members.insert(name.clone(), kept(attribute, value));
            }
        } else if let (Some(extension), Some(inner)) = (definition.extension(name), value.as_object()) {
            let inner = inner.iter().filter_map(|(name, value)| {
                let attribute = extension.schema.attribute(name)?;
                let is_kept = attribute.mutability != Mutability::ReadOnly && is_visible(attribute);
                is_kept.then(|| (name.clone(), kept(attribute, value)))
            });
            members.insert(name.clone(), Value::Object(inner.collect()));
        }
    }
    replaced(&resource, word, MARK)
}

fn kept(attribute: &crate::scim::schema::Attribute, value: &Value) -> Value {
    if refers(attribute) { written(attribute, value) } else { value.clone() }
}

/// What an exchange says.
fn read(target: &Target, exchange: &Exchange) -> Answer {
    let response = match response(target, exchange) {
        Ok(response) => response,
        Err(Unheard::Nothing(why)) => return Answer::Nothing(why),
        Err(Unheard::Broken(why)) => return Answer::Broken(why),
    };
    match response.status {
        429 | 503 => Answer::Nothing(format!("{}, also after waiting", response.status)),
        501 | 400..=499 => {
            let is_text = !exchange.json().is_some_and(Value::is_object) && !response.body.is_empty();
            let flaw =
                is_text.then(|| format!("answered {} with a body that is no SCIM error", response.status));
            Answer::Refused { status: response.status, scim_type: keyword(exchange), flaw }
        }
        status @ 200..=299 => {
            let shown = exchange.json().filter(|body| body.is_object());
            Answer::Done { status, shown: shown.cloned() }
        }
        status => Answer::Broken(format!("answered {status}")),
    }
}
