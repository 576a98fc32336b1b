//! Lists that are wrong: form, paging, order, projection (RFC 7644 §3.4.2, §3.4.3, §3.9).

use std::time::Duration;

use axum::http::{Method, StatusCode};
use serde_json::{Map, Value};

use super::super::endpoint::{Endpoint, Kind};
use super::super::fault::{FaultEntry, Rewrite, Seen};
use super::super::message::{Answer, Request};
use super::super::represent::Representer;
use super::{each_resource, fault, object, refuse, rewrite_body};
use crate::scim::names;
use crate::scim::resource::remove_member;
use Rewrite::{Answer as At, Query as Asked, Request as Before};

pub(super) const FAULTS: &[FaultEntry] = &[
    fault(
        "list-as-array",
        &["DEF-030"],
        "A list is a bare array.",
        "every client",
        &["RFC7644-3.4.2-04", "RFC7644-3.4.2-05"],
        &[At(|seen, answer| {
            let rows = list(seen, answer).and_then(|body| body.get("Resources")).cloned();
            if let (Some(rows), Some(body)) = (rows, answer.body_mut()) {
                *body = rows;
            }
        })],
    ),
    fault(
        "list-without-schemas",
        &[],
        "A list has no schemas.",
        "clients that tell messages by their URN",
        &["RFC7644-3.4.2-04", "RFC7644-3.1-04"],
        &[At(|seen, answer| remove(seen, answer, &["schemas"]))],
    ),
    fault(
        "list-with-foreign-schemas",
        &[],
        "The schemas of a list is that of SCIM 1.1.",
        "clients that tell messages by their URN",
        &["RFC7644-3.4.2-04", "RFC7644-8.2-01"],
        &[At(|seen, answer| set(seen, answer, "schemas", ["urn:scim:schemas:core:1.0"].as_slice().into()))],
    ),
    fault(
        "list-without-total",
        &[],
        "A list has no totalResults.",
        "importers, which do not know when to stop",
        &["RFC7644-3.4.2-05"],
        &[At(|seen, answer| remove(seen, answer, &["totalResults"]))],
    ),
    fault(
        "list-without-resources",
        &[],
        "A list says how many there are, and has no Resources.",
        "importers, which find nobody",
        &["RFC7644-3.4.2-06", "RFC7644-3.4.2-11"],
        &[At(|seen, answer| remove(seen, answer, &["Resources"]))],
    ),
    fault(
        "list-member-names-in-lower-case",
        &[],
        "A list has resources and totalresults instead of Resources and totalResults.",
        "typed clients",
        &["RFC7644-3.4.2-05", "RFC7644-3.4.2-06"],
        &[At(|seen, answer| {
            if let Some(body) = list(seen, answer) {
                let members = std::mem::take(body);
                body.extend(members.into_iter().map(|(name, value)| (name.to_lowercase(), value)));
            }
        })],
    ),
    fault(
        "list-numbers-as-text",
        &["DEF-226"],
        "totalResults, startIndex and itemsPerPage are strings.",
        "Okta, whose import fails",
        &["RFC7644-3.4.2.4-11", "RFC7644-3.4.2.4-10", "RFC7644-3.4.2.4-12"],
        &[At(|seen, answer| {
            if let Some(body) = list(seen, answer) {
                for name in ["totalResults", "startIndex", "itemsPerPage"] {
                    if let Some(number) = body.get_mut(name) {
                        *number = number.to_string().into();
                    }
                }
            }
        })],
    ),
    fault(
        "list-rows-of-ids",
        &[],
        "The rows of a list are ids instead of resources.",
        "every client",
        &["RFC7644-3.4.2-11"],
        &[At(|seen, answer| {
            for row in rows(seen, answer).into_iter().flatten() {
                *row = row.get("id").cloned().unwrap_or_default();
            }
        })],
    ),
    fault(
        "list-rows-abbreviated",
        &["DEF-051"],
        "The rows of a list lack emails and name, which a GET by id shows.",
        "importers, which erase what they do not see",
        &["RFC7644-3.4.2-11", "RFC7644-3.4-03"],
        &[At(|seen, answer| {
            for row in rows(seen, answer).into_iter().flatten().filter_map(Value::as_object_mut) {
                row.shift_remove("emails");
                row.shift_remove("name");
            }
        })],
    ),
    fault(
        "list-empty",
        &["DEF-139"],
        "A list without filter is empty, although resources exist.",
        "importers, which find nobody",
        &["RFC7644-3.4.2-11", "RFC7644-3.4.2.4-11"],
        &[Rewrite::Rows(|rows| {
            if rows.filter.is_none() {
                rows.rows.clear();
            }
        })],
    ),
    fault(
        "list-needs-filter",
        &["DEF-006"],
        "A list without filter is refused with 400.",
        "Okta's connection test",
        &["RFC7644-3.2-04", "RFC7644-3.4.2-11"],
        &[At(|seen, answer| {
            let asks = matches!(seen.endpoint, Endpoint::Resources(_))
                && seen.request.method == Method::GET
                && seen.request.parameter("filter").is_none();
            if asks && answer.status == StatusCode::OK {
                refuse(answer, StatusCode::BAD_REQUEST, Some("invalidFilter"), "filter is missing");
            }
        })],
    ),
    fault(
        "list-repeats-rows",
        &["DEF-138", "DEF-177"],
        "Each resource is listed twice.",
        "importers, which take them for two",
        &["RFC7644-3.4.2-11", "RFC7643-3.1-06"],
        &[Rewrite::Rows(|rows| {
            rows.rows = rows.rows.iter().flat_map(|row| [row.clone(), row.clone()]).collect();
        })],
    ),
    fault(
        "empty-result-answers-404",
        &["DEF-137"],
        "A query that finds nothing answers 404.",
        "Entra's and Okta's connection test, and every search before a create",
        &["RFC7644-3.4.2-09"],
        &[At(|seen, answer| {
            if rows(seen, answer).is_some_and(|rows| rows.is_empty()) {
                refuse(answer, StatusCode::NOT_FOUND, None, "no results");
            }
        })],
    ),
    fault(
        "empty-result-answers-204",
        &["DEF-137"],
        "A query that finds nothing answers 204.",
        "clients that read the body",
        &["RFC7644-3.4.2-09"],
        &[At(|seen, answer| {
            if rows(seen, answer).is_some_and(|rows| rows.is_empty()) {
                *answer = Answer::empty(StatusCode::NO_CONTENT);
            }
        })],
    ),
    fault(
        "total-is-page-size",
        &["DEF-164"],
        "totalResults is the number of rows in the page.",
        "importers, which stop after the first page",
        &["RFC7644-3.4.2.4-11", "RFC7644-3.4.2-05"],
        &[At(|seen, answer| {
            let count = rows(seen, answer).map(|rows| rows.len());
            if let Some(count) = count {
                set(seen, answer, "totalResults", count.into());
            }
        })],
    ),
    fault(
        "total-ignores-filter",
        &["DEF-165"],
        "totalResults counts all resources, whatever the filter.",
        "importers, which ask for pages that are not there",
        &["RFC7644-3.4.2.4-11", "RFC7644-3.4.2-05"],
        &[At(|seen, answer| {
            let kind = seen.endpoint.kind();
            let all = seen.store.all().filter(|record| kind.is_none_or(|kind| kind == record.kind)).count();
            set(seen, answer, "totalResults", all.into());
        })],
    ),
    fault(
        "start-index-zero-based",
        &["DEF-163"],
        "startIndex counts from zero: 1 leaves out the first resource.",
        "importers, which miss one resource a page",
        &["RFC7644-3.4.2.4-02", "RFC7644-3.4.2.4-13"],
        &[
            Before(|request| set_parameter_default(request, "startIndex", "0")),
            Asked(|query| query.start_index = query.start_index.saturating_add(1)),
        ],
    ),
    fault(
        "start-index-ignored",
        &["DEF-167", "DEF-172"],
        "startIndex has no effect: every page is the first.",
        "importers, which loop for ever",
        &["RFC7644-3.4.2.4-02", "RFC7644-3.4.2.4-13", "RFC7644-3.4.2.4-14"],
        &[
            Asked(|query| query.start_index = 1),
            At(|seen, answer| {
                if let Some(index) = seen.request.parameter("startIndex").and_then(|text| text.parse().ok()) {
                    set(seen, answer, "startIndex", Value::Number(u64::into(index)));
                }
            }),
        ],
    ),
    fault(
        "start-index-zero-refused",
        &[],
        "A startIndex below 1 is refused with 400.",
        "clients that count from zero",
        &["RFC7644-3.4.2.4-03"],
        &[At(|seen, answer| refuse_below(seen, answer, "startIndex", 1))],
    ),
    fault(
        "start-index-beyond-end-returns-rows",
        &["DEF-166"],
        "A startIndex beyond the end returns the last resource again.",
        "importers that stop at the first empty page",
        &["RFC7644-3.4.2.4-14", "RFC7644-3.4.2.4-13"],
        &[At(|seen, answer| {
            let kind = seen.endpoint.kind();
            let last = seen.store.all().filter(|record| kind == Some(record.kind)).last();
            let last = last.map(|record| Representer { store: seen.store, base: seen.base }.resource(record));
            let asked_beyond = seen.request.parameter("startIndex").is_some()
                && seen.request.parameter("count").is_none_or(|count| count != "0");
            if let (Some(last), true, Some(rows)) = (last, asked_beyond, rows(seen, answer))
                && rows.is_empty()
            {
                rows.push(last);
            }
        })],
    ),
    fault(
        "start-index-missing",
        &[],
        "A page has no startIndex.",
        "importers that compute the next page from it",
        &["RFC7644-3.4.2-07", "RFC7644-3.4.2.4-12"],
        &[At(|seen, answer| remove(seen, answer, &["startIndex"]))],
    ),
    fault(
        "start-index-wrong",
        &[],
        "The startIndex of an answer is always 1.",
        "importers that compute the next page from it",
        &["RFC7644-3.4.2.4-12"],
        &[At(|seen, answer| set(seen, answer, "startIndex", 1.into()))],
    ),
    fault(
        "pages-overlap",
        &["DEF-168"],
        "Each page but the first begins one row too early.",
        "importers, which take a resource twice",
        &["RFC7644-3.4.2.4-02", "RFC7644-3.4.2.4-13"],
        &[Asked(|query| {
            if query.start_index > 1 {
                query.start_index -= 1;
            }
        })],
    ),
    fault(
        "count-ignored",
        &["DEF-252", "DEF-172"],
        "count has no effect: every page has all.",
        "importers, which time out on a large tenant",
        &["RFC7644-3.4.2.4-05", "RFC7644-3.4.2.4-04"],
        &[Asked(|query| query.count = query.count.filter(|count| *count == 0))],
    ),
    fault(
        "count-exceeded-by-one",
        &[],
        "A page has one row more than count.",
        "importers, which take a resource twice",
        &["RFC7644-3.4.2.4-05"],
        &[Asked(|query| query.count = query.count.map(|count| if count == 0 { 0 } else { count + 1 }))],
    ),
    fault(
        "count-zero-returns-rows",
        &["DEF-169"],
        "count=0 returns resources.",
        "clients that only want to count",
        &["RFC7644-3.4.2.4-08", "RFC7644-3.4.2.4-05"],
        &[Asked(|query| query.count = query.count.filter(|count| *count > 0))],
    ),
    fault(
        "count-zero-refused",
        &[],
        "count=0 is refused with 400.",
        "clients that only want to count",
        &["RFC7644-3.4.2.4-08"],
        &[At(|seen, answer| refuse_below(seen, answer, "count", 1))],
    ),
    fault(
        "negative-count-refused",
        &[],
        "A negative count is refused with 400.",
        "clients that mean no limit",
        &["RFC7644-3.4.2.4-07"],
        &[At(|seen, answer| refuse_below(seen, answer, "count", 0))],
    ),
    fault(
        "items-per-page-echoes-count",
        &["DEF-175"],
        "itemsPerPage is the count asked for, and not the number of rows.",
        "importers that add it to startIndex",
        &["RFC7644-3.4.2.4-10"],
        &[At(|seen, answer| {
            let count = seen.request.parameter("count").and_then(|text| text.parse::<u64>().ok());
            set(seen, answer, "itemsPerPage", count.unwrap_or(100).into());
        })],
    ),
    fault(
        "items-per-page-missing",
        &[],
        "A page has no itemsPerPage.",
        "importers that compute the next page from it",
        &["RFC7644-3.4.2-08"],
        &[At(|seen, answer| remove(seen, answer, &["itemsPerPage"]))],
    ),
    fault(
        "max-results-exceeded",
        &[],
        "filter.maxResults says 1, and pages are longer.",
        "clients that plan with the limit",
        &["RFC7643-5-11"],
        &[At(|seen, answer| {
            if *seen.endpoint == Endpoint::ServiceProviderConfig
                && let Some(Value::Object(filter)) = object(answer).and_then(|body| body.get_mut("filter"))
            {
                filter.insert("maxResults".to_owned(), 1.into());
            }
        })],
    ),
    fault(
        "sort-ignored",
        &["DEF-179"],
        "sortBy has no effect, although sort.supported is true.",
        "clients that page in an order",
        &["RFC7644-3.4.2.3-02", "RFC7643-5-24"],
        &[Asked(|query| query.sort_by = None)],
    ),
    fault(
        "sort-order-ignored",
        &[],
        "sortOrder=descending sorts ascending.",
        "clients that want the newest first",
        &["RFC7644-3.4.2.3-07"],
        &[Asked(|query| query.descending = false)],
    ),
    fault(
        "sort-descending-by-default",
        &[],
        "Without sortOrder the order is descending.",
        "clients that page in an order",
        &["RFC7644-3.4.2.3-08"],
        &[Before(|request| set_parameter_default(request, "sortOrder", "descending"))],
    ),
    fault(
        "sort-within-page",
        &["DEF-181"],
        "Sorting orders the rows of a page instead of the whole result.",
        "clients that page in an order",
        &["RFC7644-3.4.2.3-11"],
        &[
            Asked(|query| query.sort_by = None),
            At(|seen, answer| sort_page(seen, answer, |text| text.to_lowercase())),
        ],
    ),
    fault(
        "sort-case-sensitive",
        &[],
        "Sorting by an attribute that is not case-exact puts all capitals before all small letters.",
        "people, who look for a name in the wrong place",
        &["RFC7644-3.4.2.3-09"],
        &[Asked(|query| query.sort_by = None), At(|seen, answer| sort_page(seen, answer, str::to_owned))],
    ),
    fault(
        "sort-refused",
        &["DEF-178"],
        "sortBy is answered with 501, although sort.supported is true.",
        "clients that believe the configuration",
        &["RFC7644-3.4.2.3-01", "RFC7643-5-24"],
        &[At(|seen, answer| {
            if seen.request.parameter("sortBy").is_some() {
                refuse(answer, StatusCode::NOT_IMPLEMENTED, None, "sorting is not supported");
            }
        })],
    ),
    fault(
        "search-missing",
        &["DEF-047"],
        "POST /Users/.search answers 404.",
        "clients that keep filters out of URLs",
        &["RFC7644-3.4.3-02", "RFC7644-3.2-13"],
        &[At(|seen, answer| {
            if matches!(seen.endpoint, Endpoint::Search(_)) {
                refuse(answer, StatusCode::NOT_FOUND, None, "no such endpoint");
            }
        })],
    ),
    fault(
        "root-search-missing",
        &["DEF-048"],
        "POST /.search answers 404.",
        "clients that search users and groups at once",
        &["RFC7644-3.4.2-01", "RFC7644-3.4.2.1-01"],
        &[At(|seen, answer| {
            if *seen.endpoint == Endpoint::RootSearch {
                refuse(answer, StatusCode::NOT_FOUND, None, "no such endpoint");
            }
        })],
    ),
    fault(
        "root-query-users-only",
        &[],
        "A query at the base URL returns users only.",
        "clients that search users and groups at once",
        &["RFC7644-3.4.2.1-02", "RFC7644-3.4.3-12"],
        &[Rewrite::Rows(|rows| {
            if matches!(rows.endpoint, Endpoint::Root | Endpoint::RootSearch) {
                rows.rows.retain(|row| {
                    row.pointer("/meta/resourceType").and_then(Value::as_str) == Some(Kind::User.name())
                });
            }
        })],
    ),
    fault(
        "search-ignores-body",
        &["DEF-162"],
        "POST …/.search ignores its body and returns all.",
        "clients that take the first row for their match",
        &["RFC7644-3.4.3-07", "RFC7644-3.4.3-11"],
        &[Before(|request| {
            if request.path.ends_with("/.search") {
                rewrite_body(request, |body| {
                    *body = serde_json::json!({ "schemas": [names::SEARCH_REQUEST] });
                });
            }
        })],
    ),
    fault(
        "search-ignores-paging",
        &["DEF-162"],
        "POST …/.search ignores startIndex and count.",
        "importers, which loop for ever",
        &["RFC7644-3.4.3-10"],
        &[Before(|request| {
            if request.path.ends_with("/.search") {
                rewrite_body(request, |body| {
                    for name in ["startIndex", "count"] {
                        drop_member(body, name);
                    }
                });
            }
        })],
    ),
    fault(
        "search-ignores-projection",
        &["DEF-162"],
        "POST …/.search ignores attributes and excludedAttributes.",
        "clients of large groups",
        &["RFC7644-3.4.3-05", "RFC7644-3.4.3-06"],
        &[Before(|request| {
            if request.path.ends_with("/.search") {
                rewrite_body(request, |body| {
                    for name in ["attributes", "excludedAttributes"] {
                        drop_member(body, name);
                    }
                });
            }
        })],
    ),
    fault(
        "search-creates",
        &["DEF-162"],
        "POST …/.search answers 201.",
        "clients that search",
        &["RFC7644-3.4.3-02"],
        &[At(|seen, answer| {
            if matches!(seen.endpoint, Endpoint::Search(_)) && answer.status == StatusCode::OK {
                answer.status = StatusCode::CREATED;
            }
        })],
    ),
    fault(
        "attributes-ignored",
        &["DEF-117"],
        "attributes has no effect: everything is returned.",
        "clients of large groups, which time out",
        &["RFC7644-3.9-05", "RFC7644-3.4.2.5-02", "RFC7644-3.9-04"],
        &[Before(|request| drop_parameter(request, "attributes"))],
    ),
    fault(
        "excluded-attributes-ignored",
        &["DEF-182"],
        "excludedAttributes has no effect: everything is returned.",
        "Entra, which asks for groups without members",
        &["RFC7644-3.9-08", "RFC7644-3.4.2.5-04"],
        &[Before(|request| drop_parameter(request, "excludedAttributes"))],
    ),
    fault(
        "attributes-drop-id",
        &["DEF-190"],
        "With attributes, the id is returned only if it is named.",
        "clients that search by name and update by id",
        &["RFC7643-7-26", "RFC7644-3.4.2-10", "RFC7644-3.9-05"],
        &[At(|seen, answer| {
            let names = seen.request.parameter("attributes");
            if names.is_some_and(|names| !names.split(',').any(|name| name.eq_ignore_ascii_case("id"))) {
                each_resource(seen, answer, |resource| {
                    resource.shift_remove("id");
                });
            }
        })],
    ),
    fault(
        "excluded-attributes-drop-id",
        &[],
        "excludedAttributes=id takes out the id.",
        "clients that exclude too much",
        &["RFC7644-3.4.2.5-05", "RFC7644-3.9-07", "RFC7643-7-26"],
        &[At(|seen, answer| {
            let names = seen.request.parameter("excludedAttributes");
            if names.is_some_and(|names| names.split(',').any(|name| name.eq_ignore_ascii_case("id"))) {
                each_resource(seen, answer, |resource| {
                    resource.shift_remove("id");
                });
            }
        })],
    ),
    fault(
        "excluded-attributes-drop-extension",
        &["DEF-183"],
        "excludedAttributes takes out the enterprise extension, whatever it names.",
        "clients of the extension",
        &["RFC7644-3.9-08"],
        &[At(|seen, answer| {
            if seen.request.parameter("excludedAttributes").is_some() {
                each_resource(seen, answer, |resource| {
                    resource.shift_remove(names::ENTERPRISE_USER);
                });
            }
        })],
    ),
    fault(
        "attributes-sub-returns-parent",
        &["DEF-184"],
        "attributes=name.givenName returns the whole name.",
        "clients that asked for less",
        &["RFC7644-3.9-05", "RFC7644-3.10-04"],
        &[Before(|request| {
            map_names(request, |name| match name.split_once('.') {
                Some((parent, _)) if !name.starts_with("urn:") => Some(parent.to_owned()),
                _ => Some(name.to_owned()),
            });
        })],
    ),
    fault(
        "attributes-sub-lost",
        &["DEF-184", "DEF-189"],
        "attributes=name.givenName returns nothing of the name.",
        "clients that asked for it",
        &["RFC7644-3.9-05", "RFC7644-3.10-04"],
        &[Before(|request| {
            map_names(request, |name| {
                (name.starts_with("urn:") || !name.contains('.')).then(|| name.to_owned())
            });
        })],
    ),
    fault(
        "attributes-case-sensitive",
        &["DEF-187"],
        "attributes=USERNAME returns no userName.",
        "clients with another spelling",
        &["RFC7644-3.10-05", "RFC7643-2.1-03"],
        &[Before(|request| {
            map_names(request, |name| {
                let lower = name.to_ascii_lowercase();
                let is_other = ["userName", "displayName", "externalId", "emails", "name", "active", "title"]
                    .into_iter()
                    .any(|known| known.to_ascii_lowercase() == lower && known != name);
                (!is_other).then(|| name.to_owned())
            });
        })],
    ),
    fault(
        "attributes-urn-not-understood",
        &["DEF-184"],
        "A name with its URN in attributes returns nothing.",
        "clients that write whole names",
        &["RFC7644-3.10-01", "RFC7644-3.4.2.5-03"],
        &[Before(|request| map_names(request, |name| (!name.starts_with("urn:")).then(|| name.to_owned())))],
    ),
    fault(
        "attributes-unknown-refused",
        &["DEF-186"],
        "A name in attributes that no schema defines is answered with 500.",
        "clients of several servers",
        &["RFC7644-3.12-01"],
        &[At(|seen, answer| {
            let names = seen.request.parameter("attributes").unwrap_or_default();
            if names.split(',').any(|name| name.starts_with("unknown") || name.starts_with("no")) {
                refuse(answer, StatusCode::INTERNAL_SERVER_ERROR, None, "no such column");
            }
        })],
    ),
    fault(
        "projection-not-implemented",
        &[],
        "A GET with attributes or excludedAttributes is answered with 501.",
        "clients of large groups, which cannot leave the members out",
        &["RFC7644-3.4.2.5-01"],
        &[At(|seen, answer| {
            let is_asked = ["attributes", "excludedAttributes"]
                .iter()
                .any(|name| seen.request.parameter(name).is_some());
            if is_asked && seen.request.method == Method::GET && answer.status.is_success() {
                refuse(answer, StatusCode::NOT_IMPLEMENTED, None, "projections are not supported");
            }
        })],
    ),
    fault(
        "projection-ignored-on-write",
        &["DEF-117"],
        "The answers to POST, PUT and PATCH ignore attributes and excludedAttributes.",
        "clients of large groups",
        &["RFC7644-3.9-05"],
        &[Before(|request| {
            if request.method != Method::GET && !request.path.ends_with("/.search") {
                drop_parameter(request, "attributes");
                drop_parameter(request, "excludedAttributes");
            }
        })],
    ),
    fault(
        "slow-groups",
        &[],
        "GET /Groups takes longer than 600 ms.",
        "Okta, whose SPEC test wants an answer within 600 ms",
        &["OKTA-SPEC-10"],
        &[At(|seen, answer| {
            if *seen.endpoint == Endpoint::Resources(Kind::Group) && seen.request.method == Method::GET {
                answer.delay = Some(Duration::from_millis(700));
            }
        })],
    ),
    fault(
        "slow-users",
        &[],
        "GET /Users takes longer than 600 ms.",
        "clients with a short time-out",
        &[],
        &[At(|seen, answer| {
            if *seen.endpoint == Endpoint::Resources(Kind::User) && seen.request.method == Method::GET {
                answer.delay = Some(Duration::from_millis(700));
            }
        })],
    ),
];

/// The ListResponse of resources that an answer is.
fn list<'a>(seen: &Seen<'_>, answer: &'a mut Answer) -> Option<&'a mut Map<String, Value>> {
    if seen.endpoint.is_discovery() || answer.status != StatusCode::OK {
        return None;
    }
    object(answer).filter(|body| body.contains_key("Resources"))
}

fn rows<'a>(seen: &Seen<'_>, answer: &'a mut Answer) -> Option<&'a mut Vec<Value>> {
    list(seen, answer)?.get_mut("Resources")?.as_array_mut()
}

fn remove(seen: &Seen<'_>, answer: &mut Answer, names: &[&str]) {
    if let Some(body) = list(seen, answer) {
        for name in names {
            body.shift_remove(*name);
        }
    }
}

fn set(seen: &Seen<'_>, answer: &mut Answer, name: &str, value: Value) {
    if let Some(body) = list(seen, answer) {
        body.insert(name.to_owned(), value);
    }
}

/// Refuses a list whose parameter is below a bound.
fn refuse_below(seen: &Seen<'_>, answer: &mut Answer, name: &str, bound: i64) {
    let value = seen.request.parameter(name).and_then(|text| text.parse::<i64>().ok());
    if value.is_some_and(|value| value < bound) && list(seen, answer).is_some() {
        refuse(answer, StatusCode::BAD_REQUEST, Some("invalidValue"), "the value is too small");
    }
}

/// Gives a GET of a collection a parameter that it does not have.
fn set_parameter_default(request: &mut Request, name: &str, value: &str) {
    if request.method == Method::GET && request.parameter(name).is_none() {
        request.query.push((name.to_owned(), value.to_owned()));
    }
}

fn drop_parameter(request: &mut Request, name: &str) {
    request.query.retain(|(parameter, _)| parameter != name);
}

fn drop_member(body: &mut Value, name: &str) {
    if let Some(body) = body.as_object_mut() {
        remove_member(body, name);
    }
}

/// Changes the names in `attributes`. If none is left, the parameter asks for what does not exist.
fn map_names(request: &mut Request, change: impl Fn(&str) -> Option<String>) {
    for (parameter, value) in &mut request.query {
        if parameter == "attributes" {
            let names: Vec<String> = value.split(',').map(str::trim).filter_map(&change).collect();
            *value = if names.is_empty() { "nothing".to_owned() } else { names.join(",") };
        }
    }
}

/// Sorts the rows of a page by the string that `sortBy` names, folded.
fn sort_page(seen: &Seen<'_>, answer: &mut Answer, fold: impl Fn(&str) -> String) {
    let Some(sort_by) = seen.request.parameter("sortBy") else { return };
    let pointer = format!("/{}", sort_by.replace('.', "/"));
    let descending = seen.request.parameter("sortOrder") == Some("descending");
    if let Some(rows) = rows(seen, answer) {
        let key = |row: &Value| row.pointer(&pointer).and_then(Value::as_str).map(&fold);
        rows.sort_by_key(key);
        if descending {
            rows.reverse();
        }
    }
}
