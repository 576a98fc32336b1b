//! Holds what a read shows of one resource against the model: what was written is there and nothing else changed, what a
//! resource never loses it has not lost, and its groups are those that it is a member of. Pure.

mod groups;
mod meta;

use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use url::Url;

use super::ground::Ground;
use super::model::{Known, Model};
use super::play::Stop;
use super::problem::Problem;
use super::step::{Kind, Step, Var};
use crate::fuzz::cause::Harm;
use crate::judge::same_id;
use crate::oracle::derived::is_visible;
use crate::oracle::written::{Departure, Grade, Write, departures};
use crate::outcome::Difference;
use crate::scim::definition::ResourceDefinition;
use crate::scim::resource::{elements, get, is_unassigned, member};
use crate::target::exchange::{Exchange, ExchangeId};

/// How far clocks of one service provider may be apart, in milliseconds.
const CLOCKS: i64 = 1000;
/// How far `created` and `lastModified` of a new resource may be apart, in milliseconds (AMB-14).
const AT_BIRTH: i64 = 1000;
/// How long a clock that shows parts of a second may show the same time.
const FINE: Duration = Duration::from_millis(150);
/// How long one that shows seconds may, with a second for clocks that differ.
const COARSE: Duration = Duration::from_millis(2100);
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
        /// The exchange.
        exchange: &'a Arc<Exchange>,
    },
    /// A PATCH.
    Patch {
        /// The request.
        sent: &'a Value,
        /// The resource in the answer.
        answer: Option<Value>,
        /// The exchange.
        exchange: &'a Arc<Exchange>,
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

    fn exchange(&self) -> Option<&Exchange> {
        match self {
            Wrote::Create { exchange, .. }
            | Wrote::Replace { exchange, .. }
            | Wrote::Patch { exchange, .. } => Some(exchange.as_ref()),
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

/// How long a clock may show the time that it was asked for here: whoever writes no parts of a second counts seconds.
pub fn step_of_clock(time: &str) -> Duration {
    let fraction = time.split_once('.').map_or("", |(_, rest)| rest);
    let is_fine = fraction.chars().take_while(char::is_ascii_digit).any(|digit| digit != '0');
    if is_fine { FINE } else { COARSE }
}

/// A version without its quotes and its weakness.
fn bare(tag: &str) -> &str {
    tag.trim().trim_start_matches("W/").trim_matches('"')
}

fn version_of(resource: &Value) -> Option<&str> {
    get(get(resource, "meta")?, "version")?.as_str()
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
    /// What is known of the resource from then on, and what is no failure, but worth a warning.
    ///
    /// # Errors
    /// What contradicts the model.
    pub fn judge(&self, wrote: &Wrote<'_>, read: &Exchange) -> Result<(Known, Vec<Problem>), Stop> {
        let broken = || Stop::Nothing("it is not known".to_owned());
        let known = self.model.get(self.who).ok_or_else(broken)?;
        let definition = self.ground.definition(self.who.kind).ok_or_else(broken)?;
        let Some(state) = read.json().filter(|it| it.is_object()) else {
            let message = format!("after: {}, a read of {} shows no resource", self.step, self.who);
            return Err(self.problem("no resource", message, read.id).told("the resource", "none").into());
        };
        self.identity(known, state, read.id)?;
        self.name(state, definition, read.id)?;
        let mut warnings = self.content(known, wrote, state, definition, read)?;
        if let Wrote::Create { exchange, answer, .. } = wrote {
            self.location(exchange, answer.as_ref(), state)?;
            warnings.extend(self.birth(exchange, answer.as_ref(), state)?);
        }
        let has_members = get(state, "members").is_some_and(|it| !is_unassigned(it));
        let mut next = Known {
            state: state.clone(),
            shows_members: known.shows_members || has_members,
            ..known.clone()
        };
        self.times(known, &mut next, (wrote, definition), state, read)?;
        warnings.extend(self.version(known, &mut next, wrote, read, definition)?);
        warnings.extend(self.groups(known, state, read.id)?);
        Ok((next, warnings))
    }

    /// A user has a name, whatever was written (RFC 7643 section 4.1.1).
    fn name(&self, state: &Value, definition: &ResourceDefinition, exchange: ExchangeId) -> Result<(), Stop> {
        let name = self.who.kind.name_attribute();
        let is_required = definition.top_attribute(name).is_some_and(|it| it.required && is_visible(it));
        if self.who.kind == Kind::Group
            || !is_required
            || get(state, name).is_some_and(|it| !is_unassigned(it))
        {
            return Ok(());
        }
        let message = format!("after: {}, {} has no {name}, which is required", self.step, self.who);
        Err(self
            .problem(&format!("no {name}"), message, exchange)
            .told(format!("{name} with a value"), format!("{name}: nothing"))
            .breaks(&["RFC7643-4.1.1-01"])
            .into())
    }

    /// What the answer to a create has beside what it was about: the resource should be in it, and if it is, then with
    /// what the service provider has given it (AMB-90); its times are one (AMB-14).
    fn birth(&self, created: &Exchange, answer: Option<&Value>, state: &Value) -> Result<Vec<Problem>, Stop> {
        let Some(answer) = answer else {
            let message = format!("{}: the answer does not show the resource", self.step);
            return Ok(vec![
                self.problem("no answer", message, created.id)
                    .told("201 with the resource", "201 without one")
                    .breaks(&["RFC7644-3.3-08"])
                    .warning(),
            ]);
        };
        let place = |resource: &Value| get(get(resource, "meta")?, "location").cloned();
        if let (Some(place), None) = (place(state), place(answer)) {
            let message = format!("{}: the answer has no meta.location, and a read has", self.step);
            return Err(self
                .problem("answer meta", message, created.id)
                .told(format!("meta.location: {place}"), "meta.location: nothing")
                .breaks(&["RFC7644-3.3-09", "RFC7643-3.1-02"])
                .into());
        }
        let has_tag = created.response().is_some_and(|response| response.header("ETag").is_some());
        if self.ground.etag && !has_tag && version_of(state).is_some() {
            let message = format!("{}: the answer has no ETag, though a read has a version", self.step);
            return Err(self
                .problem("answer ETag", message, created.id)
                .told("ETag", "none")
                .breaks(&["RFC7644-3.14-04"])
                .into());
        }
        Ok(Vec::new())
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
            modified_at: None,
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
    ) -> Result<Vec<Problem>, Stop> {
        let (before, now) = (self.without_dead(&known.state), self.without_dead(state));
        let write = match wrote {
            Wrote::Nothing | Wrote::Refused => Write::Refused { before: &before },
            Wrote::Create { sent, .. } => Write::Create { sent },
            Wrote::Replace { sent, .. } => Write::Replace { sent, before: Some(&before) },
            Wrote::Patch { sent, .. } => Write::Patch { sent, before: &before },
            Wrote::Unknown => return Ok(Vec::new()),
        };
        let all = departures(&write, &now, definition);
        let mut warnings = self.doubtful(wrote, all.as_deref().unwrap_or_default(), read.id);
        let found = worst(all);
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
        let Some(answer) = wrote.answer() else { return Ok(warnings) };
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
        let all = departures(&Write::Answered { answer: &answer, create }, &now, definition);
        if let Wrote::Create { sent, .. } = wrote {
            warnings.extend(self.echoed(sent, all.as_deref().unwrap_or_default(), read.id));
        }
        let found = worst(all);
        let Some(first) = found.first() else { return Ok(warnings) };
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

    /// What is against a SHOULD, or a reading that few have: what a PUT left out and kept (AMB-91), and a member that is
    /// there twice (AMB-24).
    fn doubtful(&self, wrote: &Wrote<'_>, found: &[Departure], exchange: ExchangeId) -> Vec<Problem> {
        let first = |dispute: &str, wanted: &dyn Fn(&Departure) -> bool| {
            let is_it =
                |it: &&Departure| it.grade == Grade::Warning && it.dispute == Some(dispute) && wanted(it);
            found.iter().find(is_it)
        };
        let told = |departure: &Departure, differs: &str, requirements: &[&'static str]| {
            let message = format!(
                "after: {}, {} of {} is {}: {}",
                self.step,
                departure.path,
                self.who,
                shown(departure.actual.as_ref()),
                departure.why
            );
            let problem = self
                .problem(differs, message, exchange)
                .told(
                    format!("{}: {}", departure.path, shown(departure.expected.as_ref())),
                    format!("{}: {}", departure.path, shown(departure.actual.as_ref())),
                )
                .breaks(requirements)
                .warning();
            Problem { differences: list_of(std::slice::from_ref(departure)), ..problem }
        };
        // One of two values may be the default as well.
        let is_kept = |it: &Departure| {
            matches!(wrote, Wrote::Replace { .. }) && !matches!(it.actual, Some(Value::Bool(_)))
        };
        let kept = first("AMB-91", &is_kept);
        let twice = first("AMB-24", &|it| wrote.is_write() && plain(&it.path) == "members");
        let kept = kept.map(|it| told(it, "kept", &["RFC7644-3.5.1-01", "RFC7644-3.5.1-05"]));
        kept.into_iter().chain(twice.map(|it| told(it, "members twice", &["RFC7643-2.4-11"]))).collect()
    }

    /// An answer to a create that repeats what was sent, where something else was stored: it should show the service
    /// provider's own view (RFC 7644 section 3.3).
    fn echoed(&self, sent: &Value, found: &[Departure], exchange: ExchangeId) -> Option<Problem> {
        let is_echo = |it: &&Departure| {
            let name = it.path.split(['.', '[']).next().unwrap_or_default();
            let value = get(sent, name).filter(|it| !is_unassigned(it));
            it.grade == Grade::Warning && it.expected.is_some() && it.actual.is_none() && value.is_some()
        };
        let first = found.iter().find(is_echo)?;
        let message = format!(
            "{}: the answer repeats {} for {}, and a read of {} shows nothing",
            self.step,
            shown(first.expected.as_ref()),
            first.path,
            self.who
        );
        let problem = self
            .problem("echo", message, exchange)
            .told(
                format!("{}: nothing, as in a read", first.path),
                format!("{}: {}", first.path, shown(first.expected.as_ref())),
            )
            .breaks(&["RFC7644-3.3-10"])
            .warning();
        Some(Problem { differences: list_of(std::slice::from_ref(first)), ..problem })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::ground::testing::ground;
    use super::*;

    fn looked<T>(look: impl FnOnce(&Look<'_>) -> T) -> T {
        let (step, ground, base) =
            (Step::Read { who: Var::user(0) }, ground(), Url::parse("https://example.com/scim/v2").unwrap());
        let model = Model::default();
        look(&Look { step: &step, who: Var::user(0), model: &model, ground: &ground, base: &base })
    }

    #[test]
    fn what_is_relative_is_so_to_the_base_or_to_the_request() {
        let request = Url::parse("https://example.com/scim/v2/Users").unwrap();
        let is_same = |header: &str, said: &str| looked(|look| look.is_one_place(&request, header, said));
        let whole = "https://example.com/scim/v2/Users/1";
        for said in [whole, "/Users/1", "Users/1", "../v2/Users/1", "/scim/v2/Users/1", "/scim/v2/Users/1/"] {
            assert!(is_same(whole, said) && is_same(said, whole), "{said}");
        }
        for said in ["/Users/2", "https://example.com/scim/v2/Groups/1", "/v1/Users/1"] {
            assert!(!is_same(whole, said), "{said}");
        }
    }

    #[test]
    fn a_reference_leads_to_the_resource_if_it_ends_as_its_address() {
        let leads = |place: &str| looked(|look| look.leads_to(place, Kind::Group, "a b"));
        for place in ["https://x.example/scim/Groups/a%20b", "../Groups/a b", "Groups/a%20b/", "a b"] {
            assert!(leads(place), "{place}");
        }
        assert!(!leads("https://x.example/scim/Users/a%20b"));
        assert!(!leads("https://x.example/scim/Groups/c"));
    }

    #[test]
    fn a_clock_of_seconds_gets_more_time() {
        assert_eq!(step_of_clock("2026-11-22T10:00:00.120Z"), FINE);
        for seconds in ["2026-11-22T10:00:00Z", "2026-11-22T10:00:00.000Z", "2026-11-22T10:00:00+01:00"] {
            assert_eq!(step_of_clock(seconds), COARSE, "{seconds}");
        }
    }

    #[test]
    fn what_a_put_keeps_and_a_member_that_is_there_twice_are_warned_of() {
        let definition = ground().user;
        let (before, sent) = (json!({"userName": "a", "title": "x"}), json!({"userName": "a"}));
        let found = departures(&Write::Replace { sent: &sent, before: Some(&before) }, &before, &definition);
        let exchange = ExchangeId(1);
        let told = looked(|look| look.doubtful(&Wrote::Nothing, &found.clone().unwrap(), exchange));
        assert_eq!(told, []);
        let exchange_made = crate::report::sample::exchange(1, "PUT", "/Users/1", None, 200, b"{}");
        let wrote = Wrote::Replace { sent: &sent, answer: None, exchange: &exchange_made };
        let told = looked(|look| look.doubtful(&wrote, &found.unwrap(), exchange));
        assert_eq!(told.len(), 1);
        assert_eq!(
            (told[0].signature.differs.as_str(), told[0].differences[0].path.as_str()),
            ("kept", "title")
        );
        assert_eq!(told[0].severity, crate::outcome::Severity::Warning);
    }
}
