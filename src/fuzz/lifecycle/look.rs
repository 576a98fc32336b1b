//! Holds what a read shows of one resource against the model: what was written is there and nothing else changed, what a
//! resource never loses it has not lost, and its groups are those that it is a member of. Pure.

use std::sync::Arc;

use serde_json::Value;
use url::Url;

use super::ground::Ground;
use super::model::{Known, Model};
use super::play::Stop;
use super::problem::Problem;
use super::step::{Kind, Step, Var};
use crate::fuzz::cause::Harm;
use crate::judge::same_id;
use crate::oracle::written::{Departure, Grade, Write, departures};
use crate::outcome::Difference;
use crate::scim::datetime;
use crate::scim::definition::ResourceDefinition;
use crate::scim::resource::{elements, get, is_unassigned, member};
use crate::target::exchange::{Exchange, ExchangeId};

/// How far clocks of one service provider may be apart, in milliseconds.
const CLOCKS: i64 = 1000;
/// How many differences are told.
const TOLD: usize = 6;

/// What went before a read.
#[derive(Debug)]
pub enum Wrote<'a> {
    /// Nothing that it is about: it is as it was.
    Nothing,
    /// A write that was refused.
    Refused,
    /// A write whose effect is open.
    Unknown,
    /// It was created.
    Create {
        /// The request.
        sent: &'a Value,
        /// The resource in the answer.
        answer: Option<Value>,
        /// The exchange.
        exchange: &'a Arc<Exchange>,
    },
    /// A PUT.
    Replace {
        /// The request.
        sent: &'a Value,
        /// The resource in the answer.
        answer: Option<Value>,
    },
    /// A PATCH.
    Patch {
        /// The request.
        sent: &'a Value,
        /// The resource in the answer.
        answer: Option<Value>,
    },
}

impl Wrote<'_> {
    fn answer(&self) -> Option<&Value> {
        match self {
            Wrote::Create { answer, .. } | Wrote::Replace { answer, .. } | Wrote::Patch { answer, .. } => {
                answer.as_ref()
            }
            Wrote::Nothing | Wrote::Refused | Wrote::Unknown => None,
        }
    }

    fn is_write(&self) -> bool {
        !matches!(self, Wrote::Nothing | Wrote::Refused)
    }
}

/// A look at one resource.
#[derive(Debug, Clone, Copy)]
pub struct Look<'a> {
    /// The step that it belongs to.
    pub step: &'a Step,
    /// Which resource.
    pub who: Var,
    /// What is known.
    pub model: &'a Model,
    /// What there is.
    pub ground: &'a Ground,
    /// The base URL.
    pub base: &'a Url,
}

/// Whether two states of a resource are the same, as far as the RFCs let one tell.
pub fn is_same(before: &Value, now: &Value, definition: &ResourceDefinition) -> bool {
    departures(&Write::Refused { before }, now, definition).is_some_and(|all| all.is_empty())
}

/// The worst of what departs, where that is a failure.
fn worst(found: Option<Vec<Departure>>) -> Vec<Departure> {
    let mut failures: Vec<Departure> =
        found.unwrap_or_default().into_iter().filter(|it| it.grade == Grade::Failure).collect();
    failures.sort_by_key(|failure| plain(&failure.path));
    failures
}

/// A path without what stands in brackets, and of an extension only the attribute.
fn plain(path: &str) -> String {
    let mut out = String::new();
    let mut depth = 0_u32;
    for letter in path.chars() {
        match letter {
            '[' => depth += 1,
            ']' => depth = depth.saturating_sub(1),
            _ if depth == 0 => out.push(letter),
            _ => {}
        }
    }
    match out.to_ascii_lowercase().starts_with("urn:") {
        true => out.rsplit(':').next().unwrap_or_default().to_owned(),
        false => out,
    }
}

fn shown(value: Option<&Value>) -> String {
    value.map_or_else(|| "nothing".to_owned(), Value::to_string)
}

fn list_of(differences: &[Departure]) -> Vec<Difference> {
    let one = |it: &Departure| Difference {
        path: it.path.clone(),
        expected: shown(it.expected.as_ref()),
        actual: shown(it.actual.as_ref()),
    };
    differences.iter().take(TOLD).map(one).collect()
}

impl Look<'_> {
    /// What is known of the resource from then on.
    ///
    /// # Errors
    /// What contradicts the model.
    pub fn judge(&self, wrote: &Wrote<'_>, read: &Exchange) -> Result<Known, Stop> {
        let broken = || Stop::Nothing("it is not known".to_owned());
        let known = self.model.get(self.who).ok_or_else(broken)?;
        let definition = self.ground.definition(self.who.kind).ok_or_else(broken)?;
        let Some(state) = read.json().filter(|it| it.is_object()) else {
            let message = format!("after: {}, a read of {} shows no resource", self.step, self.who);
            return Err(self.problem("no resource", message, read.id).told("the resource", "none").into());
        };
        self.identity(known, state, read.id)?;
        self.content(known, wrote, state, definition, read)?;
        if let Wrote::Create { exchange, answer, .. } = wrote {
            self.location(exchange, answer.as_ref(), state)?;
        }
        let mut next = Known { state: state.clone(), ..known.clone() };
        self.times(known, &mut next, state, read.id)?;
        self.version(known, &mut next, wrote, read, definition)?;
        self.groups(known, state, read.id)?;
        Ok(next)
    }

    /// What is known of the resource if a read is taken for what it is; none where it shows no resource of that id.
    pub fn as_it_is(&self, read: &Exchange) -> Option<Known> {
        let known = self.model.get(self.who)?;
        let state = read.json().filter(|it| it.is_object())?;
        let is_it = get(state, "id").and_then(Value::as_str).is_some_and(|id| same_id(id, &known.id));
        let tag = read.response().and_then(|response| response.header("ETag"));
        is_it.then(|| Known {
            state: state.clone(),
            tag: tag.filter(|_| self.ground.etag).map(str::to_owned),
            earlier: Vec::new(),
            created: None,
            modified: None,
            ..known.clone()
        })
    }

    /// A row of a list shows the resource as a read does.
    ///
    /// # Errors
    /// Where it differs.
    pub fn judge_row(&self, known: &Known, row: &Value, exchange: ExchangeId) -> Result<(), Stop> {
        let Some(definition) = self.ground.definition(self.who.kind) else { return Ok(()) };
        let (before, row) = (self.without_dead(&known.state), self.without_dead(row));
        let found = worst(departures(&Write::Refused { before: &before }, &row, definition));
        let Some(first) = found.first() else { return Ok(()) };
        let message = format!(
            "{}: the row of {} shows {} for {}, and a read showed {}",
            self.step.word(),
            self.who,
            shown(first.actual.as_ref()),
            first.path,
            shown(first.expected.as_ref())
        );
        let problem = self
            .problem(&format!("row {}", plain(&first.path)), message, exchange)
            .told(
                format!("{}: {}", first.path, shown(first.expected.as_ref())),
                format!("{}: {}", first.path, shown(first.actual.as_ref())),
            )
            .breaks(&["RFC7644-3.4.2-11"]);
        Err(Problem { differences: list_of(&found), ..problem }.into())
    }

    fn problem(&self, differs: &str, message: String, exchange: ExchangeId) -> Problem {
        Problem::of(self.step, Harm::Wrong, differs, message).about([self.who]).shown(exchange)
    }

    /// Members that are dead may be there or not (AMB-115): references to what was deleted are nobody's promise.
    fn without_dead(&self, resource: &Value) -> Value {
        let mut resource = resource.clone();
        if self.who.kind != Kind::Group {
            return resource;
        }
        let dead = self.model.dead(Kind::User);
        let members = resource.as_object().and_then(|object| {
            let members = elements(member(object, "members")?);
            let is_dead =
                |it: &&Value| get(it, "value").and_then(Value::as_str).is_some_and(|id| dead.contains(id));
            let some: Vec<Value> = members.iter().filter(|it| !is_dead(it)).cloned().collect();
            (some.len() < members.len()).then_some(some)
        });
        if let (Some(members), Some(object)) = (members, resource.as_object_mut()) {
            crate::scim::resource::set_member(object, "members", Value::Array(members));
        }
        resource
    }

    fn identity(&self, known: &Known, state: &Value, exchange: ExchangeId) -> Result<(), Stop> {
        let id = get(state, "id").and_then(Value::as_str);
        if id.is_some_and(|id| same_id(id, &known.id)) {
            return Ok(());
        }
        let message = format!("after: {}, {} has another id", self.step, self.who);
        Err(self
            .problem("id", message, exchange)
            .told(format!("id: \"{}\"", known.id), format!("id: {}", shown(get(state, "id"))))
            .breaks(&["RFC7643-3.1-07"])
            .into())
    }

    /// What is there is what the write leads to, and what its answer showed.
    fn content(
        &self,
        known: &Known,
        wrote: &Wrote<'_>,
        state: &Value,
        definition: &ResourceDefinition,
        read: &Exchange,
    ) -> Result<(), Stop> {
        let (before, now) = (self.without_dead(&known.state), self.without_dead(state));
        let write = match wrote {
            Wrote::Nothing | Wrote::Refused => Write::Refused { before: &before },
            Wrote::Create { sent, .. } => Write::Create { sent },
            Wrote::Replace { sent, .. } => Write::Replace { sent, before: Some(&before) },
            Wrote::Patch { sent, .. } => Write::Patch { sent, before: &before },
            Wrote::Unknown => return Ok(()),
        };
        let found = worst(departures(&write, &now, definition));
        if let Some(first) = found.first() {
            let path = plain(&first.path);
            let (differs, why) = match wrote {
                Wrote::Nothing => (format!("{path} of another"), "nothing was done to it since".to_owned()),
                Wrote::Refused => (format!("{path} despite the refusal"), first.why.to_owned()),
                _ => (path, first.why.to_owned()),
            };
            let message = format!(
                "after: {}, {} of {} is {}, expected {}: {why}",
                self.step,
                first.path,
                self.who,
                shown(first.actual.as_ref()),
                shown(first.expected.as_ref()),
            );
            let problem = self
                .problem(&differs, message, read.id)
                .told(
                    format!("{}: {}", first.path, shown(first.expected.as_ref())),
                    format!("{}: {}", first.path, shown(first.actual.as_ref())),
                )
                .breaks(first.requirements);
            return Err(Problem { differences: list_of(&found), ..problem }.into());
        }
        let Some(answer) = wrote.answer() else { return Ok(()) };
        let create = matches!(wrote, Wrote::Create { .. });
        let id = get(answer, "id").and_then(Value::as_str);
        if id.is_some_and(|id| !same_id(id, &known.id)) {
            let message = format!("{}: the answer shows another id than a read", self.step);
            return Err(self
                .problem("answer id", message, read.id)
                .told(format!("id: \"{}\"", known.id), format!("id: {}", shown(get(answer, "id"))))
                .breaks(&["RFC7643-3.1-07"])
                .into());
        }
        let answer = self.without_dead(answer);
        let found = worst(departures(&Write::Answered { answer: &answer, create }, &now, definition));
        let Some(first) = found.first() else { return Ok(()) };
        let message = format!(
            "{}: the answer shows {} for {}, and a read of {} shows {}",
            self.step,
            shown(first.expected.as_ref()),
            first.path,
            self.who,
            shown(first.actual.as_ref())
        );
        let problem = self
            .problem(&format!("answer {}", plain(&first.path)), message, read.id)
            .told(
                format!("{}: {}", first.path, shown(first.actual.as_ref())),
                format!("{}: {}", first.path, shown(first.expected.as_ref())),
            )
            .breaks(first.requirements);
        Err(Problem { differences: list_of(&found), ..problem }.into())
    }

    /// A create says where the resource is, in its header and in its body alike (AMB-13, AMB-90).
    fn location(&self, created: &Exchange, answer: Option<&Value>, state: &Value) -> Result<(), Stop> {
        let header = created.response().and_then(|response| response.header("Location"));
        let Some(header) = header else {
            let message = format!("{}: the answer has no Location", self.step);
            return Err(self
                .problem("Location", message, created.id)
                .told("Location with the address of the resource", "none")
                .breaks(&["RFC7644-3.3-09"])
                .into());
        };
        let said = |resource: &Value| get(get(resource, "meta")?, "location")?.as_str().map(str::to_owned);
        let Some(said) = answer.and_then(said).or_else(|| said(state)) else { return Ok(()) };
        // Whatever is relative is so to the base URL, or to the request.
        let places = |text: &str| -> Vec<Url> {
            let folder = Url::parse(&format!("{}/", self.base.as_str().trim_end_matches('/')));
            let request = Url::parse(&created.request.url);
            let bases = [folder, request].into_iter().flatten();
            let trimmed = |url: Url| {
                let path = url.path().trim_end_matches('/').to_owned();
                let mut url = url;
                url.set_path(&path);
                url
            };
            bases.filter_map(|base| base.join(text).ok()).map(trimmed).collect()
        };
        let (header_places, said_places) = (places(header), places(&said));
        if header_places.iter().any(|place| said_places.contains(place)) {
            return Ok(());
        }
        let message = format!("{}: Location and meta.location differ", self.step);
        Err(self
            .problem("Location", message, created.id)
            .told(format!("Location: {said}"), format!("Location: {header}"))
            .breaks(&["RFC7644-3.3-09", "RFC7643-3.1-24"])
            .into())
    }

    /// `meta.created` stays, and `meta.lastModified` does not go back.
    fn times(
        &self,
        known: &Known,
        next: &mut Known,
        state: &Value,
        exchange: ExchangeId,
    ) -> Result<(), Stop> {
        let time = |name: &str| {
            let text = get(get(state, "meta")?, name)?.as_str()?.to_owned();
            Some((datetime::parse(&text)?.utc, text))
        };
        let created = time("created");
        if let (Some((then, then_text)), Some((now, now_text))) = (&known.created, &created)
            && then_text.len() == now_text.len()
            && then != now
        {
            let message = format!("after: {}, meta.created of {} is another one", self.step, self.who);
            return Err(self
                .problem("meta.created", message, exchange)
                .told(format!("meta.created: {then_text}"), format!("meta.created: {now_text}"))
                .breaks(&["RFC7643-3.1-21"])
                .into());
        }
        let modified = time("lastModified");
        if let (Some(then), Some((now, text))) = (known.modified, &modified)
            && (*now - then).num_milliseconds() < -CLOCKS
        {
            let message =
                format!("after: {}, meta.lastModified of {} is earlier than before", self.step, self.who);
            return Err(self
                .problem("meta.lastModified", message, exchange)
                .told(
                    format!("meta.lastModified: {} or later", then.to_rfc3339()),
                    format!("meta.lastModified: {text}"),
                )
                .breaks(&["RFC7643-3.1-22"])
                .into());
        }
        next.created = known.created.clone().or(created);
        next.modified = modified.map(|(time, _)| time).or(known.modified);
        Ok(())
    }

    /// The version is in the header and in the resource alike, and changes when the resource does (AMB-132).
    fn version(
        &self,
        known: &Known,
        next: &mut Known,
        wrote: &Wrote<'_>,
        read: &Exchange,
        definition: &ResourceDefinition,
    ) -> Result<(), Stop> {
        if !self.ground.etag {
            return Ok(());
        }
        let header = read.response().and_then(|response| response.header("ETag"));
        let Some(header) = header else {
            let message = format!("a read of {} has no ETag, though etag.supported is true", self.who);
            return Err(self
                .problem("ETag", message, read.id)
                .told("ETag", "none")
                .breaks(&["RFC7644-3.14-02"])
                .into());
        };
        let bare = |tag: &str| tag.trim().trim_start_matches("W/").trim_matches('"').to_owned();
        let said = get(&next.state, "meta").and_then(|meta| get(meta, "version")).and_then(Value::as_str);
        if let Some(said) = said.filter(|said| bare(said) != bare(header)) {
            let message = format!("a read of {} has another ETag than meta.version", self.who);
            return Err(self
                .problem("ETag of version", message, read.id)
                .told(format!("ETag: {said}"), format!("ETag: {header}"))
                .breaks(&["RFC7643-3.1-25"])
                .into());
        }
        if let Some(before) = known.tag.as_deref().filter(|_| wrote.is_write()) {
            let has_changed = !worst(departures(
                &Write::Refused { before: &self.without_dead(&known.state) },
                &self.without_dead(&next.state),
                definition,
            ))
            .is_empty();
            if has_changed && bare(before) == bare(header) {
                let message =
                    format!("after: {}, {} has changed, and its version has not", self.step, self.who);
                return Err(self
                    .problem("version", message, read.id)
                    .told(format!("another ETag than {before}"), format!("ETag: {header}"))
                    .breaks(&["RFC7644-3.14-08"])
                    .into());
            }
            if bare(before) != bare(header) {
                next.earlier.retain(|tag| bare(tag) != bare(header));
                // Only a version of another state is one that must not match.
                if has_changed {
                    next.earlier.push(before.to_owned());
                }
            }
        }
        next.tag = Some(header.to_owned());
        next.earlier.retain(|tag| bare(tag) != bare(header));
        Ok(())
    }

    /// The groups that a user shows are those that have it as a member, where it shows any (RFC 7643 section 4.1.2).
    fn groups(&self, known: &Known, state: &Value, exchange: ExchangeId) -> Result<(), Stop> {
        if self.who.kind != Kind::User {
            return Ok(());
        }
        let Some(listed) = get(state, "groups").filter(|it| !is_unassigned(it)) else { return Ok(()) };
        let listed: Vec<&str> =
            elements(listed).iter().filter_map(|group| get(group, "value")?.as_str()).collect();
        let told = |message: String, expected: String, actual: String| {
            self.problem("groups", message, exchange).told(expected, actual).breaks(&["RFC7643-4.1.2-19"])
        };
        let has = |group: &Known| {
            let members = get(&group.state, "members").map(elements).unwrap_or_default();
            members
                .iter()
                .any(|it| get(it, "value").and_then(Value::as_str).is_some_and(|id| same_id(id, &known.id)))
        };
        for (group, of) in self.model.all_living(Kind::Group) {
            let is_listed = listed.iter().any(|id| same_id(id, &of.id));
            if has(of) && !is_listed {
                let message = format!("{} is a member of {group}, which its groups do not show", self.who);
                return Err(told(
                    message,
                    format!("groups with {group}"),
                    format!("groups: {}", listed.join(", ")),
                )
                .about([group])
                .into());
            }
            // A group that does not show its members says nothing.
            if !has(of) && is_listed && get(&of.state, "members").is_some_and(|it| !is_unassigned(it)) {
                let message = format!("{} is no member of {group}, which its groups show", self.who);
                return Err(told(
                    message,
                    format!("groups without {group}"),
                    format!("groups: {}", listed.join(", ")),
                )
                .about([group])
                .into());
            }
        }
        let dead = self.model.dead(Kind::Group);
        if let Some(id) = listed.iter().find(|id| dead.contains(**id)) {
            let message = format!("the groups of {} show one that was deleted", self.who);
            let group = self.model.ever(Kind::Group, id);
            return Err(told(message, "groups that there are".to_owned(), format!("the deleted {id}"))
                .about(group)
                .into());
        }
        Ok(())
    }
}
