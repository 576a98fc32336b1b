//! What the exchanges of a run show about the resources that it created: when each was made and changed, and when a
//! list showed it.
//!
//! A rule sees one exchange at a time; this is what it can know beside it. Only what is certain counts: a resource's
//! state is one that a list showed before the query, and between the two this run wrote nothing at all. So a slow
//! index, cases that run at the same time, and values that the service provider derives from other resources raise
//! no alarm.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use percent_encoding::percent_decode_str;
use serde_json::Value;

use super::kind;
use crate::oracle::population::Population;
use crate::scim::resource::get;
use crate::suite::model::Auth;
use crate::target::exchange::Exchange;

/// The origin of what is created for several cases.
const SHARED: &str = "population";

/// What a run showed, in the order of time.
#[derive(Debug, Clone, Default)]
pub struct History<'e> {
    /// Whether exchanges are missing: then a write may be among them.
    has_gaps: bool,
    /// The ids created, with the segment of their endpoint, by the case that created them.
    created: BTreeMap<&'e str, Vec<(&'e str, &'e str)>>,
    /// When lists showed a resource, by its id, in the order of the exchanges.
    sightings: BTreeMap<&'e str, Vec<Sighting<'e>>>,
    /// When any answer showed a resource as a whole, by its endpoint and id, in the order of the exchanges.
    wholes: BTreeMap<(&'e str, &'e str), Vec<Whole<'e>>>,
    /// The lists that a filter was answered with, by endpoint and filter, in the order of the exchanges.
    filtered: BTreeMap<(String, String), Vec<Total<'e>>>,
    /// Everything that may have changed something.
    writes: Vec<Span>,
    /// The first attempt to change or delete a resource, by its id.
    changed: BTreeMap<String, DateTime<Utc>>,
    /// The first bulk request: what it changed is not looked into.
    bulk: Option<DateTime<Utc>>,
}

/// From when to when something was under way.
#[derive(Debug, Clone, Copy)]
struct Span {
    from: DateTime<Utc>,
    to: DateTime<Utc>,
}

/// A resource as an answer showed it.
#[derive(Debug, Clone, Copy)]
struct Whole<'e> {
    shown_by: &'e Exchange,
    state: &'e Value,
}

/// What a list said of how many there are.
#[derive(Debug, Clone, Copy)]
struct Total<'e> {
    said_by: &'e Exchange,
    total: u64,
}

#[derive(Debug, Clone, Copy)]
struct Sighting<'e> {
    span: Span,
    state: &'e Value,
}

impl Span {
    fn of(exchange: &Exchange) -> Span {
        let elapsed = chrono::TimeDelta::from_std(exchange.elapsed).unwrap_or(chrono::TimeDelta::MAX);
        let to = exchange.started.checked_add_signed(elapsed).unwrap_or(DateTime::<Utc>::MAX_UTC);
        Span { from: exchange.started, to }
    }
}

impl<'e> History<'e> {
    /// The history that these exchanges tell, all those of a run in the order of their numbers.
    pub fn of(exchanges: impl IntoIterator<Item = &'e Exchange>) -> History<'e> {
        let mut history = History::default();
        let mut last = None;
        for exchange in exchanges {
            let number = exchange.id.0;
            history.has_gaps |= last.is_some_and(|last| number != last + 1);
            last = Some(number);
            history.add(exchange);
        }
        history
    }

    /// The same history of a service that is eventually consistent: a list shows what was written only after that time.
    #[must_use]
    pub fn settling(mut self, within: std::time::Duration) -> History<'e> {
        let within = chrono::TimeDelta::from_std(within).unwrap_or(chrono::TimeDelta::MAX);
        for write in &mut self.writes {
            write.to = write.to.checked_add_signed(within).unwrap_or(DateTime::<Utc>::MAX_UTC);
        }
        self
    }

    fn add(&mut self, exchange: &'e Exchange) {
        let span = Span::of(exchange);
        if kind::is_write(&exchange.request) {
            // Without an answer it may still be carried out at any time.
            let to = if exchange.response().is_some() { span.to } else { DateTime::<Utc>::MAX_UTC };
            self.writes.push(Span { to, ..span });
            self.add_write(exchange);
            return;
        }
        self.add_whole(exchange);
        self.add_total(exchange);
        let Some(rows) = rows(exchange).filter(|_| exchange.request.auth == Auth::Good) else { return };
        if kind::is_projected(&exchange.request) || kind::discovery_type(&exchange.request).is_some() {
            return;
        }
        for row in rows {
            if let Some(id) = get(row, "id").and_then(Value::as_str) {
                self.sightings.entry(id).or_default().push(Sighting { span, state: row });
            }
        }
    }

    fn add_whole(&mut self, exchange: &'e Exchange) {
        let is_projected = kind::is_projected(&exchange.request);
        let is_meant = exchange.request.auth == Auth::Good && exchange.status() == Some(200);
        if is_projected || !is_meant || kind::discovery_type(&exchange.request).is_some() {
            return;
        }
        let single =
            || exchange.json().filter(|body| exchange.request.method == "GET" && !kind::is_list(body));
        let shown: Vec<&Value> = match rows(exchange) {
            Some(rows) => rows.iter().collect(),
            None => single().into_iter().collect(),
        };
        // Ids of one type may be those of another, so what the root shows is nobody's.
        let Some(segment) = endpoint_of(exchange) else { return };
        for state in shown {
            if let Some(id) = get(state, "id").and_then(Value::as_str) {
                self.wholes.entry((segment, id)).or_default().push(Whole { shown_by: exchange, state });
            }
        }
    }

    fn add_total(&mut self, exchange: &'e Exchange) {
        if let (Some(key), Some(total)) = (asked(exchange), total(exchange)) {
            self.filtered.entry(key).or_default().push(Total { said_by: exchange, total });
        }
    }

    /// The resource as an earlier answer showed it, where nothing was written between the two, and that answer.
    pub fn shown_before(&self, id: &str, exchange: &Exchange) -> Option<(&'e Value, &'e Exchange)> {
        if self.has_gaps || exchange.request.auth != Auth::Good {
            return None;
        }
        let shown = self.wholes.get(&(endpoint_of(exchange)?, id))?;
        let latest = shown.iter().rev().find(|whole| whole.shown_by.id < exchange.id)?;
        self.is_quiet(between(latest.shown_by, exchange)).then_some((latest.state, latest.shown_by))
    }

    /// The total that a list says, the one that an earlier answer to the same filter said, and that answer: where nothing
    /// was written between the two and all that they show is ours, so that nobody else's doing is seen in them.
    pub fn totals(&self, exchange: &Exchange) -> Option<(u64, u64, &'e Exchange)> {
        if self.has_gaps {
            return None;
        }
        let now = total(exchange)?;
        let said = self.filtered.get(&asked(exchange)?)?;
        let before = said.iter().rev().find(|total| total.said_by.id < exchange.id)?;
        let (here, there) = (rows(exchange)?, rows(before.said_by)?);
        let all_ours = here.iter().chain(there).all(|row| {
            let id = get(row, "id").and_then(Value::as_str);
            id.is_some_and(|id| self.is_ours(id, exchange))
        });
        let is_whole = here.len() as u64 == now || there.len() as u64 == before.total;
        let is_sure = all_ours && is_whole && self.is_quiet(between(before.said_by, exchange));
        is_sure.then_some((now, before.total, before.said_by))
    }

    fn add_write(&mut self, exchange: &'e Exchange) {
        let path = exchange.request.path.split(['?', '#']).next().unwrap_or_default();
        let mut segments = path.trim_matches('/').split('/');
        let (endpoint, id) = (segments.next().unwrap_or_default(), segments.next());
        if endpoint == "Bulk" {
            let only_creates = self.add_bulk(exchange);
            if !only_creates {
                self.bulk.get_or_insert(exchange.started);
            }
        }
        if let Some(id) = id {
            let id = percent_decode_str(id).decode_utf8_lossy().into_owned();
            self.changed.entry(id).or_insert(exchange.started);
            return;
        }
        let is_created = exchange.request.method == "POST" && exchange.status() == Some(201);
        let id = exchange.json().and_then(|body| get(body, "id")).and_then(Value::as_str);
        if let Some(id) = id.filter(|_| is_created) {
            self.created.entry(&exchange.origin).or_default().push((endpoint, id));
        }
    }

    /// The resources that a bulk job created, as its results say. Whether it did nothing else.
    fn add_bulk(&mut self, exchange: &'e Exchange) -> bool {
        let operations = |body: Option<&'e Value>| {
            body.and_then(|body| get(body, "Operations")).and_then(Value::as_array).map(Vec::as_slice)
        };
        for result in operations(exchange.json()).unwrap_or_default() {
            let location = get(result, "location").and_then(Value::as_str);
            let created = get(result, "method").and_then(Value::as_str) == Some("POST");
            let path = location.and_then(|location| location.split(['?', '#']).next());
            let mut segments = path.into_iter().flat_map(|path| path.trim_end_matches('/').rsplit('/'));
            if let (true, Some(id), Some(endpoint)) = (created, segments.next(), segments.next()) {
                self.created.entry(&exchange.origin).or_default().push((endpoint, id));
            }
        }
        let asked = exchange.request.json();
        let asked = asked.as_ref().and_then(|body| get(body, "Operations")).and_then(Value::as_array);
        asked.is_some_and(|all| {
            all.iter().all(|operation| get(operation, "method").and_then(Value::as_str) == Some("POST"))
        })
    }

    /// Whether this run created the resource that an answer shows under this id.
    pub fn is_ours(&self, id: &str, shown_by: &Exchange) -> bool {
        let asked = endpoint_of(shown_by);
        self.created.values().flatten().any(|(endpoint, ours)| {
            *ours == id && asked.is_none_or(|asked| asked.eq_ignore_ascii_case(endpoint))
        })
    }

    /// Whether the resource is as it was when it was created, or was never written here: only then is a row of it
    /// sure to stand where an index last saw it.
    pub fn is_unchanged(&self, id: &str, query: &Exchange) -> bool {
        let end = Span::of(query).to;
        let is_before = |change: &DateTime<Utc>| *change <= end;
        !self.changed.get(id).is_some_and(is_before)
            && (!self.bulk.as_ref().is_some_and(is_before) || !self.is_ours(id, query))
    }

    /// The resources that a query must know: created by its own case or for all, and shown by a list before, with
    /// nothing written since.
    pub fn known_to(&self, query: &Exchange) -> Population {
        let mut population = Population::new();
        if self.has_gaps || query.request.auth != Auth::Good {
            return population;
        }
        let span = Span::of(query);
        // Whatever was written until the query had been answered: what is quiet since then is quiet.
        let written = self.writes.iter().filter(|write| write.from <= span.to).map(|write| write.to).max();
        let segment = kind::first_segment(&query.request);
        let is_root = segment.is_empty() || segment == ".search";
        let mut origins = vec![SHARED];
        if query.origin != SHARED {
            origins.push(&query.origin);
        }
        for (endpoint, id) in origins.iter().filter_map(|origin| self.created.get(origin)).flatten() {
            if !is_root && *endpoint != segment {
                continue;
            }
            let seen = self.sightings.get(id).map(Vec::as_slice).unwrap_or_default();
            let latest = seen.iter().filter(|it| it.span.to <= span.from).max_by_key(|it| it.span.from);
            let is_quiet_since = |it: &&Sighting<'_>| written.is_none_or(|written| written < it.span.from);
            if let Some(latest) = latest.filter(is_quiet_since) {
                population.read_back(*id, latest.state.clone());
            }
        }
        population
    }

    /// Whether nothing was written in that time.
    fn is_quiet(&self, span: Span) -> bool {
        !self.writes.iter().any(|write| write.from <= span.to && write.to >= span.from)
    }
}

/// The first segment of the path, where all that an answer shows lives; nothing at the root.
fn endpoint_of(exchange: &Exchange) -> Option<&str> {
    let segment = kind::first_segment(&exchange.request);
    (!segment.is_empty() && !segment.starts_with('.') && segment != "Me").then_some(segment)
}

/// From the beginning of one exchange to the end of another.
fn between(first: &Exchange, second: &Exchange) -> Span {
    Span { from: Span::of(first).from, to: Span::of(second).to }
}

/// The endpoint and the filter of a query by index; by cursor a total may be a guess (RFC 9865 section 2).
fn asked(exchange: &Exchange) -> Option<(String, String)> {
    if exchange.request.auth != Auth::Good || super::rules::parameter(exchange, "cursor").is_some() {
        return None;
    }
    rows(exchange)?;
    let filter = super::rules::parameter(exchange, "filter")?;
    Some((kind::first_segment(&exchange.request).to_owned(), filter))
}

fn total(exchange: &Exchange) -> Option<u64> {
    get(exchange.json()?, "totalResults")?.as_u64()
}

/// The rows of a list that was answered with 200.
pub(super) fn rows(exchange: &Exchange) -> Option<&[Value]> {
    let body = exchange.json().filter(|_| exchange.status() == Some(200))?;
    let is_query = exchange.request.method == "GET" || kind::is_search(&exchange.request);
    if !is_query || !kind::is_list(body) {
        return None;
    }
    Some(get(body, "Resources").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use chrono::TimeDelta;
    use serde_json::json;

    use super::*;
    use crate::judge::testing::{exchange, list, user};
    use crate::target::exchange::{ExchangeId, TransportFailure};

    /// An exchange of a case that begins at that second and takes one.
    fn at(second: i64, origin: &str, exchange: Exchange) -> Exchange {
        Exchange {
            id: ExchangeId(u64::try_from(second).unwrap_or_default() + 1),
            origin: origin.to_owned(),
            started: exchange.started + TimeDelta::seconds(2 * second),
            elapsed: Duration::from_secs(1),
            ..exchange
        }
    }

    fn create(second: i64, origin: &str, id: &str) -> Exchange {
        at(second, origin, exchange("POST", "/Users", 201, user(id)))
    }

    fn show(second: i64, origin: &str, id: &str) -> Exchange {
        at(second, origin, exchange("GET", "/Users", 200, list(vec![user(id)])))
    }

    fn query(second: i64, origin: &str) -> Exchange {
        at(second, origin, exchange("GET", "/Users?filter=title%20pr", 200, list(Vec::new())))
    }

    fn known(exchanges: &[Exchange], query: &Exchange) -> Vec<String> {
        let population = History::of(exchanges).known_to(query);
        population.iter().map(|(id, _)| id.to_owned()).collect()
    }

    #[test]
    fn what_was_written_a_moment_ago_may_not_show_yet() {
        let told = [create(0, SHARED, "1"), show(1, "c", "1"), query(2, "c")];
        let known = |seconds| {
            let history = History::of(&told).settling(Duration::from_secs(seconds));
            history.known_to(&told[2]).iter().map(|(id, _)| id.to_owned()).collect::<Vec<_>>()
        };
        assert_eq!(known(0), ["1"]);
        assert_eq!(known(60), Vec::<String>::new());
    }

    #[test]
    fn a_list_and_nothing_written_since_make_a_resource_known() {
        let told = [
            create(0, SHARED, "1"),
            create(1, "a/case", "2"),
            show(2, "b/other", "1"),
            show(3, "a/case", "2"),
        ];
        assert_eq!(known(&told, &query(4, "a/case")), ["1", "2"]);
        assert_eq!(known(&told, &query(4, "b/other")), ["1"], "what other cases made is no concern of it");
        let at_groups = at(4, "a/case", exchange("GET", "/Groups?filter=x%20pr", 200, list(Vec::new())));
        assert!(known(&told, &at_groups).is_empty());
        // Not seen yet, or seen only afterwards.
        assert!(known(&told[..2], &query(4, "a/case")).is_empty());
        assert!(
            known(&[create(0, SHARED, "1"), query(1, "a/case"), show(2, "a/case", "1")], &query(1, "a/case"))
                .is_empty()
        );
    }

    #[test]
    fn whatever_is_uncertain_is_not_known() {
        let base = || vec![create(0, SHARED, "1"), show(1, "a/case", "1")];
        let with = |write: Exchange| base().into_iter().chain([write]).collect::<Vec<_>>();
        // Anything written between, by whomever, or at the same time.
        assert!(known(&with(create(2, "b/other", "7")), &query(3, "a/case")).is_empty());
        let mut long = create(2, "b/other", "7");
        long.elapsed = Duration::from_secs(60);
        assert!(known(&with(long), &query(9, "a/case")).is_empty());
        let lost = Exchange {
            answer: Err(TransportFailure::TimedOut { limit: Duration::from_secs(1) }),
            ..create(2, "b/other", "7")
        };
        assert!(known(&with(lost), &query(3, "a/case")).is_empty());
        // Other credentials, and a record with gaps.
        let mut second = query(2, "a/case");
        second.request.auth = Auth::Second;
        assert!(known(&base(), &second).is_empty());
        assert!(known(&[create(0, SHARED, "1"), show(5, "a/case", "1")], &query(6, "a/case")).is_empty());
        // A projection shows a part only.
        let part = at(1, "a/case", exchange("GET", "/Users?attributes=id", 200, list(vec![user("1")])));
        assert!(known(&[create(0, SHARED, "1"), part], &query(2, "a/case")).is_empty());
        assert_eq!(known(&base(), &query(2, "a/case")), ["1"]);
    }

    #[test]
    fn a_change_makes_a_row_uncertain() {
        let put = at(1, "a/case", exchange("PUT", "/Users/a%20b", 200, user("a b")));
        let told = [create(0, "a/case", "a b"), put];
        let history = History::of(&told);
        assert!(history.is_ours("a b", &query(2, "a/case")) && !history.is_ours("1", &query(2, "a/case")));
        let groups = at(2, "a/case", exchange("GET", "/Groups", 200, list(vec![user("a b")])));
        assert!(!history.is_ours("a b", &groups), "a group of the same id is somebody else's");
        assert!(!history.is_unchanged("a b", &query(2, "a/case")));
        assert!(
            history.is_unchanged("a b", &query(0, "a/case"))
                && history.is_unchanged("1", &query(2, "a/case"))
        );
        let told = [create(0, "a/case", "1"), at(1, "a/case", exchange("POST", "/Bulk", 200, json!({})))];
        let history = History::of(&told);
        assert!(
            !history.is_unchanged("1", &query(2, "a/case")) && history.is_unchanged("9", &query(2, "a/case"))
        );
    }
}
