//! What a run did to each resource, in order: for rules that hold one exchange against another.
//!
//! A pair counts only where nothing else can explain a difference: one case alone wrote to the resource, one request
//! after the other, and the log holds every exchange between the two. Anything else is silence.

use std::collections::BTreeMap;

use chrono::TimeDelta;
use serde_json::Value;

use crate::judge::history::rows as rows_of;
use crate::judge::{kind, same_id};
use crate::scim::resource::{get, schemas};
use crate::target::batch::SURVEY;
use crate::target::exchange::{Exchange, ExchangeId};
use crate::target::resource_at;

/// The clock that stamps a request and the one that measures it may disagree by this much.
const CLOCKS: TimeDelta = TimeDelta::milliseconds(5);

/// The exchanges of a run, in order, and those of each resource.
#[derive(Debug, Default)]
pub struct Pairs<'a> {
    all: Vec<&'a Exchange>,
    /// The resource that each of them is about.
    about: Vec<Option<Resource>>,
    /// Those that may have changed something: writes that were not refused.
    writes: Vec<usize>,
    by_resource: BTreeMap<Resource, Vec<usize>>,
    /// What a list showed of resources that were made together, where lists are known to show what reads show.
    rows: BTreeMap<Resource, (usize, &'a Value)>,
}

/// A resource: the last part of its endpoint, and its id.
type Resource = (String, String);

/// A read, and the write whose effect it is the last to show.
#[derive(Debug, Clone, Copy)]
pub struct Pair<'a> {
    /// The write.
    pub write: &'a Exchange,
    /// The resource as last read before the write, where nothing was written between the two, and the exchange that
    /// showed it.
    pub before: Option<(&'a Exchange, &'a Value)>,
}

impl<'a> Pairs<'a> {
    /// The pairs among exchanges, which come in the order in which they were made.
    pub fn of(exchanges: impl IntoIterator<Item = &'a Exchange>) -> Pairs<'a> {
        let mut pairs = Pairs { all: exchanges.into_iter().collect(), ..Pairs::default() };
        let may_change = |exchange: &Exchange| {
            let is_refused = exchange.status().is_some_and(|status| (400..500).contains(&status));
            kind::is_write(&exchange.request) && !is_refused
        };
        pairs.writes = (0..pairs.all.len()).filter(|index| may_change(pairs.all[*index])).collect();
        pairs.about = pairs.all.iter().map(|exchange| resource_of(exchange)).collect();
        for (index, resource) in pairs.about.iter().enumerate() {
            if let Some(resource) = resource {
                pairs.by_resource.entry(resource.clone()).or_default().push(index);
            }
        }
        pairs.rows = pairs.surveyed();
        pairs
    }

    /// The rows of lists in which the run looked at what it had made together. They count where one of the same form was
    /// read by itself, with nothing written in between, and none of that form was another then.
    fn surveyed(&self) -> BTreeMap<Resource, (usize, &'a Value)> {
        let mut rows = BTreeMap::new();
        for (index, exchange) in self.all.iter().enumerate() {
            if exchange.reason.as_deref() != Some(SURVEY) {
                continue;
            }
            let endpoint = kind::first_segment(&exchange.request);
            for row in rows_of(exchange).unwrap_or_default() {
                if let Some(id) = get(row, "id").and_then(Value::as_str) {
                    rows.insert((endpoint.to_owned(), id.to_owned()), (index, row));
                }
            }
        }
        let mut same: BTreeMap<Vec<String>, bool> = BTreeMap::new();
        for (resource, (index, row)) in &rows {
            let about = self.by_resource.get(resource).map(Vec::as_slice).unwrap_or_default();
            let next = about.iter().find(|later| *later > index).map(|later| self.all[*later]);
            if let Some(read) = next.and_then(shown) {
                *same.entry(form(resource, row)).or_insert(true) &= read == *row;
            }
        }
        rows.retain(|resource, (_, row)| same.get(&form(resource, row)) == Some(&true));
        rows
    }

    /// The write that a read is the last to show the effect of, if the pair counts. The read may be an altered copy
    /// of the one in the pairs.
    pub fn pair(&self, read: &Exchange) -> Option<Pair<'a>> {
        if !is_plain_get(read) {
            return None;
        }
        let at = self.index(read.id)?;
        let about = self.by_resource.get(&resource_of(read)?)?;
        let here = about.iter().position(|index| *index == at)?;
        let of_writes = |indexes: &[usize]| -> Vec<usize> {
            indexes.iter().copied().filter(|index| kind::is_write(&self.all[*index].request)).collect()
        };
        let earlier = of_writes(&about[..here]);
        let write = *earlier.last()?;
        // Somebody else wrote to it: whose change it is that the read shows cannot be told.
        if earlier.iter().any(|index| self.all[*index].origin != read.origin) {
            return None;
        }
        // Of several reads, as of one that is repeated until the effect shows, the last one counts.
        let is_shown_later = about[here + 1..]
            .iter()
            .map(|index| self.all[*index])
            .take_while(|later| !kind::is_write(&later.request))
            .any(|later| later.origin == read.origin && is_plain_get(later));
        let overtakes = self.overlaps(write, at)
            || earlier.iter().rev().nth(1).is_some_and(|previous| self.overlaps(*previous, write));
        if is_shown_later || overtakes || !self.is_undisturbed(write, at) {
            return None;
        }
        let since = earlier.iter().rev().nth(1).copied();
        let before = about[..here]
            .iter()
            .rev()
            .copied()
            .filter(|index| *index < write && since.is_none_or(|since| *index > since))
            // A read that found nothing any more makes what was read before it old.
            .find(|index| self.all[*index].origin == read.origin && is_plain_get(self.all[*index]))
            .filter(|before| self.is_undisturbed(*before, at))
            .and_then(|before| Some((self.all[before], shown(self.all[before])?)));
        let listed = || {
            let resource = resource_of(read)?;
            let (index, row) = self.rows.get(&resource)?;
            let is_first = earlier.len() == 1 && *index < write;
            let counts = is_first && self.is_undisturbed_by(*index, at, &read.origin, &resource);
            counts.then_some((self.all[*index], *row))
        };
        Some(Pair { write: self.all[write], before: before.or_else(listed) })
    }

    /// The first exchange of the same case that showed the resource, before this one: a read, if there was one.
    pub fn first_shown(&self, exchange: &Exchange) -> Option<&'a Exchange> {
        let about = self.by_resource.get(&resource_of(exchange)?)?;
        let earlier = || {
            about
                .iter()
                .map(|index| self.all[*index])
                .take_while(|earlier| earlier.id < exchange.id)
                .filter(|earlier| earlier.origin == exchange.origin)
        };
        earlier()
            .find(|earlier| shown(earlier).is_some())
            .or_else(|| earlier().find(|earlier| represented(earlier).is_some()))
    }

    /// For a create: the delete that succeeded before, of a resource with the id that the new one has.
    pub fn deleted_before(&self, create: &Exchange) -> Option<&'a Exchange> {
        if id_in_path(&create.request.path).is_some() || create.status() != Some(201) {
            return None;
        }
        let about = self.by_resource.get(&resource_of(create)?)?;
        about.iter().map(|index| self.all[*index]).find(|earlier| {
            earlier.id < create.id && earlier.request.method == "DELETE" && earlier.status() == Some(204)
        })
    }

    fn index(&self, id: ExchangeId) -> Option<usize> {
        self.all.binary_search_by_key(&id, |exchange| exchange.id).ok()
    }

    /// Whether one request was sent before another was answered.
    fn overlaps(&self, first: usize, second: usize) -> bool {
        let (first, second) = (self.all[first], self.all[second]);
        let took = TimeDelta::from_std(first.elapsed).unwrap_or(TimeDelta::MAX);
        first.started.checked_add_signed(took).is_none_or(|end| second.started + CLOCKS < end)
    }

    /// Whether the log holds everything between two exchanges, and the case that made them did nothing to another
    /// resource in the meantime that could show in this one: groups show in users, and members in groups.
    fn is_undisturbed(&self, first: usize, second: usize) -> bool {
        match &self.about[first] {
            Some(resource) => self.is_undisturbed_by(first, second, &self.all[first].origin, resource),
            None => false,
        }
    }

    /// What may have changed something between two exchanges.
    fn writes_between(&self, first: usize, second: usize) -> impl Iterator<Item = usize> {
        let from = self.writes.partition_point(|index| *index <= first);
        self.writes[from..].iter().copied().take_while(move |index| *index < second)
    }

    fn is_undisturbed_by(&self, first: usize, second: usize, origin: &str, resource: &Resource) -> bool {
        let (from, to) = (self.all[first], self.all[second]);
        let is_whole = to.id.0.checked_sub(from.id.0) == Some((second - first) as u64);
        is_whole
            && !self.writes_between(first, second).any(|index| {
                let (other, about) = (self.all[index], &self.about[index]);
                if about.as_ref() == Some(resource) {
                    return false;
                }
                let is_about = || names(other, &resource.1);
                let is_create = || other.request.method == "POST" && about.is_some() && !is_about();
                // What the case starts from was made for it by others, and only that.
                (other.origin == origin && !is_create())
                    || (other.origin == from.origin && other.origin != origin && is_about())
            })
    }
}

/// What rows have in common that are trusted alike: their endpoint and their attributes.
fn form(resource: &Resource, row: &Value) -> Vec<String> {
    let mut form: Vec<String> = row.as_object().map(|row| row.keys().cloned().collect()).unwrap_or_default();
    form.sort_unstable();
    form.push(resource.0.clone());
    form
}

/// Whether a request names a resource in its body: a group that is created with its members shows in these.
fn names(exchange: &Exchange, id: &str) -> bool {
    exchange.request.json().is_some_and(|body| names_in(&body, id))
}

/// The depth is that of the body, which was made from a suite.
fn names_in(value: &Value, id: &str) -> bool {
    match value {
        Value::String(text) => text == id,
        Value::Array(elements) => elements.iter().any(|element| names_in(element, id)),
        Value::Object(members) => members.values().any(|member| names_in(member, id)),
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
    }
}

/// Whether a resource was asked for as it is.
fn is_plain_get(exchange: &Exchange) -> bool {
    exchange.request.method == "GET" && !exchange.request.path.contains('?')
}

/// The resource in a whole read of it.
pub(super) fn shown(exchange: &Exchange) -> Option<&Value> {
    represented(exchange).filter(|_| is_plain_get(exchange))
}

/// The whole resource in an answer that shows one under its own id.
pub(super) fn represented(exchange: &Exchange) -> Option<&Value> {
    if kind::is_projected(&exchange.request) || !matches!(exchange.status(), Some(200 | 201)) {
        return None;
    }
    let body = exchange.json().filter(|body| body.is_object() && !schemas(body).is_empty())?;
    let (_, asked) = resource_of(exchange)?;
    let id = get(body, "id").and_then(Value::as_str)?;
    (id == asked || same_id(id, &asked)).then_some(body)
}

/// The resource that an exchange is about: the one in its path, or the one that it made.
fn resource_of(exchange: &Exchange) -> Option<Resource> {
    let endpoint = kind::first_segment(&exchange.request).to_owned();
    // A bulk job is no resource, even where its answer has a Location.
    if endpoint.is_empty()
        || endpoint.eq_ignore_ascii_case("Bulk")
        || kind::discovery_type(&exchange.request).is_some()
    {
        return None;
    }
    if let Some(id) = id_in_path(&exchange.request.path) {
        return Some((endpoint, id));
    }
    let is_create = exchange.request.method == "POST"
        && !kind::is_search(&exchange.request)
        && matches!(exchange.status(), Some(200..=299));
    if !is_create {
        return None;
    }
    let response = exchange.response()?;
    let in_body = exchange.json().and_then(|body| get(body, "id")).and_then(Value::as_str).map(str::to_owned);
    let in_location = || {
        let location = response.header("location")?;
        let path = location.split(['?', '#']).next()?.trim_end_matches('/');
        let id = path.rsplit('/').next()?;
        Some(percent_encoding::percent_decode_str(id).decode_utf8().ok()?.into_owned())
    };
    Some((endpoint, in_body.or_else(in_location)?))
}

/// The id in the path of a single resource, decoded: `42` of `/Users/42?attributes=userName`.
pub(super) fn id_in_path(path: &str) -> Option<String> {
    let path = path.split(['?', '#']).next()?;
    resource_at(&format!("/{}", path.trim_matches('/'))).map(|(_, id)| id)
}
