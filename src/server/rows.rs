//! The rows of a query, from the store to one page: matched, ordered, cut. As long as nothing else asks for it, rows
//! are records, and only those of the page become resources.

use std::cmp::Ordering;
use std::collections::HashMap;

use serde_json::Value;

use super::cursor::MAX_KEY;
use super::endpoint::Kind;
use super::order::{Order, Position};
use super::predicate::Predicate;
use super::represent::Representer;
use super::store::{Record, Store};
use crate::scim::sort::SortKey;

/// One row.
#[derive(Debug)]
pub(crate) struct Row<'a> {
    pub position: Position,
    pub content: Content<'a>,
}

impl<'a> Row<'a> {
    /// A record, sorted by a key.
    pub(crate) fn of(record: &'a Record, key: SortKey) -> Self {
        Self { position: Position { key, place: record.place }, content: Content::Record(record) }
    }
}

/// What a row shows.
#[derive(Debug)]
pub(crate) enum Content<'a> {
    Record(&'a Record),
    /// A resource that is represented already, but for its version.
    Resource(Value),
}

/// Which rows make the page.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Window {
    /// By number: so many rows are left out before it.
    Skip(usize),
    /// By cursor, from the beginning.
    First,
    /// By cursor: what comes behind a position.
    After(Position),
    /// By cursor: what comes last before a position.
    Before(Position),
}

impl Window {
    /// Whether the page is found by cursor.
    pub(crate) fn is_by_cursor(&self) -> bool {
        !matches!(self, Self::Skip(_))
    }

    /// A cursor holds no more than the beginning of a long text. If the row that it speaks of is still there and
    /// its text begins so, the position gets the whole; otherwise rows with the same beginning may be repeated.
    pub(crate) fn settle(&mut self, rows: &[Row<'_>]) {
        let (Self::After(position) | Self::Before(position)) = self else { return };
        let SortKey::Text(beginning) = &position.key else { return };
        if beginning.len() + 3 < MAX_KEY {
            return;
        }
        let row = rows.iter().find(|row| row.position.place == position.place);
        if let Some(SortKey::Text(text)) = row.map(|row| &row.position.key)
            && text.starts_with(beginning.as_str())
        {
            position.key = SortKey::Text(text.clone());
        }
    }
}

/// One page.
#[derive(Debug)]
pub(crate) struct Page<'a> {
    /// How many rows there are in all.
    pub total: usize,
    pub rows: Vec<Row<'a>>,
    /// Whether there are rows before those of the page.
    pub has_previous: bool,
    /// Whether there are rows behind those of the page.
    pub has_next: bool,
}

/// The records of these types that match, oldest first; all of them if there is no predicate. There is one for each
/// type otherwise.
pub(crate) fn matching<'a>(
    representer: &Representer<'a>,
    kinds: &[Kind],
    predicates: Option<&HashMap<Kind, Predicate>>,
) -> Vec<&'a Record> {
    let store = representer.store;
    let mut records: Vec<&Record> = Vec::new();
    for &kind in kinds {
        let Some(predicate) = predicates.and_then(|predicates| predicates.get(&kind)) else {
            records.extend(store.of_kind(kind, ..));
            continue;
        };
        let holds = |record: &&Record| predicate.holds(record, representer);
        match predicate.places(&|column, text| store.find(kind, column, text)) {
            Some(places) => {
                let found = places.iter().filter_map(|place| store.at(*place));
                records.extend(found.filter(|record| record.kind == kind).filter(holds));
            }
            None => records.extend(store.of_kind(kind, ..).filter(holds)),
        }
    }
    if kinds.len() > 1 {
        records.sort_unstable_by_key(|record| record.place);
    }
    records
}

/// A page of all records of a type, in the order of their creation, found without looking at the others.
pub(crate) fn page_of_all(store: &Store, kind: Kind, window: Window, count: usize) -> Page<'_> {
    let row = |record| Row::of(record, SortKey::Missing);
    let total = store.count(kind);
    let (rows, has_previous, has_next): (Vec<Row<'_>>, bool, bool) = match window {
        Window::Skip(skip) => {
            let rows: Vec<_> = store.of_kind(kind, ..).skip(skip).take(count).map(row).collect();
            let end = skip.saturating_add(rows.len());
            (rows, skip > 0, end < total)
        }
        Window::First => {
            let rows: Vec<_> = store.of_kind(kind, ..).take(count).map(row).collect();
            let has_next = rows.len() < total;
            (rows, false, has_next)
        }
        Window::After(Position { place, .. }) => {
            let behind = place.saturating_add(1);
            let mut later = store.of_kind(kind, behind..);
            let rows = later.by_ref().take(count).map(row).collect();
            (rows, store.of_kind(kind, ..behind).next().is_some(), later.next().is_some())
        }
        Window::Before(Position { place, .. }) => {
            let mut earlier = store.of_kind(kind, ..place).rev();
            let mut rows: Vec<_> = earlier.by_ref().take(count).map(row).collect();
            rows.reverse();
            (rows, earlier.next().is_some(), store.of_kind(kind, place..).next().is_some())
        }
    };
    Page { total, rows, has_previous, has_next }
}

/// A page of these rows. They stand in the order of their places, unless an order other than that of creation is
/// still to be made.
pub(crate) fn page_of<'a>(
    mut rows: Vec<Row<'a>>,
    order: &Order<'_>,
    window: Window,
    count: usize,
) -> Page<'a> {
    let total = rows.len();
    let compare = |left: &Row<'_>, right: &Row<'_>| order.compare(&left.position, &right.position);
    match window {
        Window::Skip(skip) => {
            let end = skip.saturating_add(count);
            if !order.is_by_creation() {
                keep_first(&mut rows, end, compare);
            }
            let rows: Vec<_> = rows.into_iter().skip(skip).take(count).collect();
            Page { total, has_previous: skip > 0, has_next: skip.saturating_add(rows.len()) < total, rows }
        }
        Window::First => {
            keep_first(&mut rows, count, compare);
            Page { total, has_previous: false, has_next: rows.len() < total, rows }
        }
        Window::After(position) => {
            rows.retain(|row| order.compare(&row.position, &position).is_gt());
            let behind = rows.len();
            keep_first(&mut rows, count, compare);
            Page { total, has_previous: behind < total, has_next: rows.len() < behind, rows }
        }
        Window::Before(position) => {
            rows.retain(|row| order.compare(&row.position, &position).is_lt());
            let before = rows.len();
            keep_first(&mut rows, count, |left, right| compare(right, left));
            rows.reverse();
            Page { total, has_previous: rows.len() < before, has_next: before < total, rows }
        }
    }
}

/// Sorts as many rows as are wanted, and drops the others, which need not be sorted for that.
fn keep_first(rows: &mut Vec<Row<'_>>, count: usize, compare: impl Fn(&Row<'_>, &Row<'_>) -> Ordering) {
    if count == 0 {
        rows.clear();
    } else if count < rows.len() {
        rows.select_nth_unstable_by(count, &compare);
        rows.truncate(count);
    }
    rows.sort_by(compare);
}
