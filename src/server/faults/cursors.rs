//! Lists that are wrong where pages are turned by cursor (RFC 9865).

use axum::http::StatusCode;
use serde_json::{Map, Value, json};

use super::super::endpoint::Endpoint;
use super::super::fault::{FaultEntry, Rewrite, Seen};
use super::super::message::Answer;
use super::super::query::Query;
use super::{body_of, fault, object, refuse, rewrite_body, set_status};
use crate::scim::resource::remove_member;
use Rewrite::{Answer as At, Query as Asked, Request as Before};

/// Cursors of this server are longer, whatever they stand for.
const SHORTEST: usize = 40;

pub(super) const FAULTS: &[FaultEntry] = &[
    fault(
        "cursor-ignored",
        &[],
        "Every page by cursor is the first one.",
        "importers, which loop for ever",
        &["RFC9865-2-01", "RFC9865-2-15"],
        &[Asked(|query| query.cursor = query.cursor.take().map(|_| String::new()))],
    ),
    fault(
        "cursor-loses-a-row",
        &[],
        "Each page by cursor but the first lacks its first resource.",
        "importers, which miss one resource a page",
        &["RFC9865-2-15"],
        &[At(|seen, answer| {
            if asked(seen).is_some_and(|cursor| !cursor.is_empty())
                && let Some(Value::Array(rows)) =
                    page(seen, answer).and_then(|body| body.get_mut("Resources"))
                && !rows.is_empty()
            {
                rows.remove(0);
            }
        })],
    ),
    fault(
        "cursor-next-missing",
        &[],
        "No page has a nextCursor.",
        "importers, which stop after the first page",
        &["RFC9865-2-09", "RFC9865-2-10"],
        &[At(|seen, answer| {
            if let Some(body) = page(seen, answer) {
                body.shift_remove("nextCursor");
            }
        })],
    ),
    fault(
        "cursor-never-ends",
        &[],
        "The nextCursor of the last page leads to the last page.",
        "importers, which loop for ever",
        &["RFC9865-2-10", "RFC9865-2-15"],
        &[At(|seen, answer| {
            let cursor = asked(seen).filter(|cursor| !cursor.is_empty());
            if let (Some(cursor), Some(body)) = (cursor, page(seen, answer)) {
                body.entry("nextCursor").or_insert_with(|| cursor.into());
            }
        })],
    ),
    fault(
        "cursor-null-at-the-end",
        &[],
        "The last page has a nextCursor of null.",
        "importers that look for the member, and not for its value",
        &["RFC9865-2-10"],
        &[At(|seen, answer| {
            if let Some(body) = page(seen, answer) {
                body.entry("nextCursor").or_insert(Value::Null);
            }
        })],
    ),
    fault(
        "cursor-previous-on-first-page",
        &[],
        "The first page has a previousCursor.",
        "clients that turn pages back until there are no more",
        &["RFC9865-2-12"],
        &[At(|seen, answer| {
            if asked(seen).is_some_and(|cursor| cursor.is_empty())
                && let Some(body) = page(seen, answer)
            {
                body.insert("previousCursor".to_owned(), json!("first"));
            }
        })],
    ),
    fault(
        "cursor-of-reserved-characters",
        &[],
        "Cursors end with equals signs.",
        "clients that put a cursor into a URL as it stands",
        &["RFC9865-2-03"],
        &[
            Asked(|query| {
                query.cursor = query.cursor.take().map(|cursor| cursor.trim_end_matches('=').to_owned())
            }),
            At(|seen, answer| {
                if let Some(Value::String(cursor)) =
                    page(seen, answer).and_then(|body| body.get_mut("nextCursor"))
                {
                    cursor.push_str("==");
                }
            }),
        ],
    ),
    fault(
        "cursor-count-exceeded",
        &[],
        "A page by cursor has one resource more than count.",
        "clients with room for so many",
        &["RFC9865-2-06"],
        &[Asked(|query| counted(query, |count| if count == 0 { 0 } else { count + 1 }))],
    ),
    fault(
        "cursor-count-zero-returns-rows",
        &[],
        "By cursor, count=0 returns resources.",
        "clients that only want to count",
        &["RFC9865-2-05"],
        &[Asked(|query| counted(query, |count| count.max(1)))],
    ),
    fault(
        "cursor-count-refused-as-500",
        &[],
        "A count that is too large or changes on the way is answered with 500.",
        "clients that ask for more than there may be",
        &["RFC9865-2.1-04"],
        &[At(|seen, answer| {
            let count = seen.request.parameter("count").and_then(|count| count.parse::<i64>().ok());
            let is_large = count.is_some_and(|count| count > 1000);
            let is_refused = scim_type(answer).as_deref() == Some("invalidCount");
            if is_refused || (is_large && asked(seen).is_some()) {
                refuse(answer, StatusCode::INTERNAL_SERVER_ERROR, None, "count is out of range");
            }
        })],
    ),
    fault(
        "cursor-count-negative-refused-as-500",
        &[],
        "By cursor, a negative count is answered with 500.",
        "clients that mean no limit",
        &["RFC9865-2-04"],
        &[At(|seen, answer| {
            let is_negative = seen.request.parameter("count").is_some_and(|count| count.starts_with('-'));
            if is_negative && asked(seen).is_some() {
                refuse(answer, StatusCode::INTERNAL_SERVER_ERROR, None, "count is out of range");
            }
        })],
    ),
    fault(
        "cursor-unknown-starts-over",
        &[],
        "A cursor that the server did not give leads to the first page.",
        "importers whose cursor has expired; they read everything again",
        &["RFC9865-2.1-02", "RFC9865-2.1-01", "RFC9865-5.2-04"],
        &[Asked(|query| query.cursor = query.cursor.take().map(known))],
    ),
    fault(
        "cursor-unknown-answers-404",
        &[],
        "A cursor that the server did not give is answered with 404.",
        "clients that start over when a cursor is invalid",
        &["RFC9865-2.1-02"],
        &[At(|_, answer| {
            if scim_type(answer).as_deref() == Some("invalidCursor") {
                refuse(answer, StatusCode::NOT_FOUND, None, "no such page");
            }
        })],
    ),
    fault(
        "cursor-unknown-of-another-keyword",
        &[],
        "The error about a cursor that is none has the scimType invalidValue.",
        "clients that start over when a cursor is invalid",
        &["RFC9865-2.1-02"],
        &[At(|_, answer| {
            if scim_type(answer).as_deref() == Some("invalidCursor")
                && let Some(body) = object(answer)
            {
                body.insert("scimType".to_owned(), json!("invalidValue"));
            }
        })],
    ),
    fault(
        "cursor-total-of-the-page",
        &[],
        "By cursor, totalResults is the number of resources in the page.",
        "clients that show how far they are",
        &["RFC9865-2-17"],
        &[At(|seen, answer| {
            if asked(seen).is_some()
                && let Some(body) = page(seen, answer)
            {
                let rows = body.get("Resources").and_then(Value::as_array).map_or(0, Vec::len);
                body.insert("totalResults".to_owned(), rows.into());
            }
        })],
    ),
    fault(
        "cursor-drops-the-order",
        &[],
        "By cursor, sortBy has no effect.",
        "administrators who look for a name in a long list",
        &["RFC9865-2.2-01"],
        &[Asked(|query| {
            if query.cursor.is_some() {
                query.sort_by = None;
            }
        })],
    ),
    fault(
        "cursor-ignored-in-search",
        &[],
        "POST …/.search ignores cursor.",
        "clients that keep filters out of URLs; they stop after the first page",
        &["RFC9865-3-01"],
        &[Before(|request| {
            if request.path.ends_with("/.search") {
                rewrite_body(request, |body| {
                    if let Some(body) = body.as_object_mut() {
                        remove_member(body, "cursor");
                    }
                });
            }
        })],
    ),
    fault(
        "cursor-and-start-index-answered-with-500",
        &[],
        "A request with both cursor and startIndex is answered with 500.",
        "clients that always send startIndex",
        &["RFC9865-2.4-01"],
        &[At(|seen, answer| {
            if asked(seen).is_some() && seen.request.parameter("startIndex").is_some() {
                set_status(answer, StatusCode::INTERNAL_SERVER_ERROR);
            }
        })],
    ),
    fault(
        "service-config-pagination-as-text",
        &[],
        "pagination.index is the text \"true\" in /ServiceProviderConfig, and the sizes of pages are 0.",
        "typed clients, which cannot read the configuration",
        &["RFC9865-4-03", "RFC9865-4-05"],
        &[At(|seen, answer| {
            if *seen.endpoint == Endpoint::ServiceProviderConfig
                && let Some(Value::Object(pagination)) =
                    object(answer).and_then(|body| body.get_mut("pagination"))
            {
                pagination.insert("index".to_owned(), json!("true"));
                pagination.insert("defaultPageSize".to_owned(), json!(0));
            }
        })],
    ),
];

/// The cursor that a request names.
fn asked(seen: &Seen<'_>) -> Option<String> {
    match seen.request.parameter("cursor") {
        Some(cursor) => Some(cursor.to_owned()),
        None => body_of(seen.request)?.get("cursor")?.as_str().map(str::to_owned),
    }
}

/// The page that an answer is.
fn page<'a>(seen: &Seen<'_>, answer: &'a mut Answer) -> Option<&'a mut Map<String, Value>> {
    if seen.endpoint.is_discovery() || answer.status != StatusCode::OK || asked(seen).is_none() {
        return None;
    }
    object(answer).filter(|body| body.contains_key("Resources"))
}

fn scim_type(answer: &mut Answer) -> Option<String> {
    object(answer)?.get("scimType")?.as_str().map(str::to_owned)
}

fn counted(query: &mut Query, change: fn(usize) -> usize) {
    if query.cursor.is_some() {
        query.count = query.count.map(change);
    }
}

/// The cursor, if it looks like one of this server; otherwise that of the first page.
fn known(cursor: String) -> String {
    if cursor.len() < SHORTEST { String::new() } else { cursor }
}
