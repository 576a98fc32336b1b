//! Lists: their pages, their order and what their rows show (RFC 7644 §3.4.2, §3.4.3, §3.9).

use axum::http::{Method, StatusCode};
use serde_json::{Map, Value};

use super::super::endpoint::{Endpoint, Kind};
use super::super::fault::{Rewrite, Seen};
use super::super::message::{Answer, Request};
use super::super::read::is_query;
use super::super::rewrite::{body_of, object, refuse, rewrite_body};
use super::super::variant::VariantEntry;
use super::{choice, rewriting};
use crate::scim::list::ListResponse;
use crate::scim::path::AttributePath;
use crate::scim::resource::{elements, member, remove_member};
use crate::scim::schema::SchemaSet;
use Rewrite::{Answer as At, Request as Before};

/// From how many matches on a query without a filter has to say how many it wants, where that is insisted on.
const TOO_MANY: u64 = 3;

/// The cursor of the page behind the last resources.
const BEHIND_THE_END: &str = "behind-the-end";

pub(super) const VARIANTS: &[VariantEntry] = &[
    choice(
        "page-of-ten",
        &["AMB-55"],
        "A page has at most ten resources, whatever the client asks for, and filter.maxResults says so.",
        "RFC 7644 section 3.4.2.4: a service provider may return fewer results than count asks for",
        |behaviour| behaviour.max_results = 10,
    ),
    choice(
        "page-of-twenty",
        &["AMB-55"],
        "A page has at most twenty resources, whatever the client asks for, and filter.maxResults says so.",
        "RFC 7644 section 3.4.2.4: a service provider may return fewer results than count asks for",
        |behaviour| behaviour.max_results = 20,
    ),
    choice(
        "page-of-three",
        &["AMB-55"],
        "A page has at most three resources, whatever the client asks for, and filter.maxResults says so.",
        "RFC 7644 section 3.4.2.4: a service provider may return fewer results than count asks for",
        |behaviour| behaviour.max_results = 3,
    ),
    choice(
        "page-of-three-by-default",
        &["AMB-55"],
        "A page has three resources where the client gives no count, and as many as count says where it does.",
        "RFC 7644 section 3.4.2.4 leaves the number to the service provider where count is not given",
        |behaviour| behaviour.default_page = Some(3),
    ),
    VariantEntry {
        name: "count-above-maximum-refused",
        disputes: &["AMB-55"],
        client_sees: "A count above filter.maxResults, which is 100, is answered with 400 invalidValue.",
        allowed_by: "RFC 7644 Table 9 has invalidValue for GET, and no sentence has a large count reduced; RFC 9865 has an error for it",
        settle: Some(|behaviour| behaviour.max_results = 100),
        rewrites: &[At(|seen, answer| {
            if is_list(seen, answer) && asked_number(seen.request, "count").is_some_and(|count| count > 100) {
                refuse(answer, StatusCode::BAD_REQUEST, Some("invalidValue"), "count is at most 100");
            }
        })],
    },
    rewriting(
        "no-resources-where-none-match",
        &["AMB-50"],
        "A list of nothing has no member Resources.",
        "RFC 7644 section 3.4.2: Resources is required if totalResults is not zero",
        &[At(|seen, answer| {
            if let Some(list) = list(seen, answer)
                && list.get("totalResults").and_then(Value::as_u64) == Some(0)
            {
                list.shift_remove("Resources");
            }
        })],
    ),
    rewriting(
        "no-resources-on-empty-pages",
        &["AMB-50"],
        "A page without rows has no member Resources, be it that nothing matches, count is 0 or startIndex beyond the end.",
        "RFC 7644 section 3.4.2.4: a count of 0 asks for no resource results except for totalResults",
        &[At(|seen, answer| {
            if let Some(list) = list(seen, answer)
                && rows_in(list) == 0
            {
                list.shift_remove("Resources");
            }
        })],
    ),
    rewriting(
        "null-resources-where-none-match",
        &["AMB-50"],
        "A list of nothing has null for Resources.",
        "RFC 7643 section 2.5: null and an empty array are the same state",
        &[At(|seen, answer| {
            if let Some(list) = list(seen, answer)
                && rows_in(list) == 0
            {
                list.insert("Resources".to_owned(), Value::Null);
            }
        })],
    ),
    rewriting(
        "complete-lists-without-paging-members",
        &["AMB-51"],
        "A list that is complete has neither startIndex nor itemsPerPage.",
        "RFC 7644 section 3.4.2: both are required when partial results are returned due to pagination",
        &[At(|seen, answer| {
            if let Some(list) = list(seen, answer)
                && list.get("totalResults").and_then(Value::as_u64) == Some(rows_in(list))
            {
                list.shift_remove("startIndex");
                list.shift_remove("itemsPerPage");
            }
        })],
    ),
    rewriting(
        "items-per-page-as-asked",
        &["AMB-51"],
        "itemsPerPage is the count that the client asked for, also where fewer resources are left.",
        "RFC 7644 section 3.4.2: the number of resources in a page, which the figure of the same section takes for the size asked for",
        &[At(|seen, answer| {
            let asked = asked_number(seen.request, "count").and_then(|count| u64::try_from(count).ok());
            if let (Some(asked), Some(list)) = (asked, list(seen, answer))
                && rows_in(list) < asked
            {
                list.insert("itemsPerPage".to_owned(), asked.into());
            }
        })],
    ),
    rewriting(
        "negative-count-refused",
        &["AMB-52"],
        "A negative count is answered with 400 invalidValue.",
        "RFC 7644 Table 9 has invalidValue for GET, and RFC 9865 section 2.1 an error for a negative count",
        &[At(|seen, answer| {
            if is_list(seen, answer) && asked_number(seen.request, "count").is_some_and(|count| count < 0) {
                refuse(answer, StatusCode::BAD_REQUEST, Some("invalidValue"), "count is negative");
            }
        })],
    ),
    rewriting(
        "start-index-zero-echoed",
        &["AMB-53"],
        "The list for startIndex=0 begins with the first resource, and says startIndex 0.",
        "RFC 7644 section 3.4.2.4 has the value read as 1, and says nothing of its echo",
        &[At(|seen, answer| {
            if asked_number(seen.request, "startIndex") == Some(0)
                && let Some(list) = list(seen, answer)
            {
                list.insert("startIndex".to_owned(), 0.into());
            }
        })],
    ),
    rewriting(
        "beyond-the-end-refused",
        &["AMB-53"],
        "A startIndex beyond the last resource is answered with 400 invalidValue.",
        "RFC 7644 section 3.4.2.4 does not describe a startIndex beyond the end; Table 9 has invalidValue for GET",
        &[At(|seen, answer| {
            if is_beyond_the_end(seen, answer) {
                let detail = "startIndex is beyond the end";
                refuse(answer, StatusCode::BAD_REQUEST, Some("invalidValue"), detail);
            }
        })],
    ),
    rewriting(
        "beyond-the-end-not-found",
        &["AMB-53"],
        "A startIndex beyond the last resource is answered with 404.",
        "RFC 7644 section 3.4.2.4 does not describe a startIndex beyond the end",
        &[At(|seen, answer| {
            if is_beyond_the_end(seen, answer) {
                refuse(answer, StatusCode::NOT_FOUND, None, "there is no such page");
            }
        })],
    ),
    rewriting(
        "count-that-is-no-number-ignored",
        &["AMB-54"],
        "A count or startIndex that is no number has no effect.",
        "RFC 7644 has no sentence on it; section 3.4.2 has unknown parameters ignored",
        &[Before(|request| {
            request.query.retain(|(name, value)| {
                !["count", "startIndex"].contains(&name.as_str()) || value.parse::<i64>().is_ok()
            });
        })],
    ),
    rewriting(
        "too-many-results-refused",
        &["AMB-56"],
        "A query without filter and count that more than three resources match is answered with 400 tooMany.",
        "RFC 7644 section 3.4.2.1: a query with too many results is rejected with 400 tooMany",
        &[At(|seen, answer| {
            let asked = |name: &str| asks(seen.request, name);
            if asked("filter") || asked("count") || !is_list(seen, answer) {
                return;
            }
            let total = object(answer).and_then(|list| list.get("totalResults")).and_then(Value::as_u64);
            if total.is_some_and(|total| total > TOO_MANY) {
                let detail = "too many results: give a filter or a count";
                refuse(answer, StatusCode::BAD_REQUEST, Some("tooMany"), detail);
            }
        })],
    ),
    rewriting(
        "unknown-parameter-refused",
        &["AMB-57"],
        "A query parameter that SCIM does not define is answered with 400 invalidValue.",
        "RFC 7644 section 3.4.2: unknown query parameters should be ignored",
        &[At(|seen, answer| {
            let is_known = |name: &str| PARAMETERS.contains(&name);
            if answer.status == StatusCode::OK && !seen.request.query.iter().all(|(name, _)| is_known(name)) {
                refuse(answer, StatusCode::BAD_REQUEST, Some("invalidValue"), "there is no such parameter");
            }
        })],
    ),
    rewriting(
        "newest-first",
        &[],
        "Where nothing is sorted, the resource created last comes first.",
        "RFC 7644 section 3.4.2.3 leaves the order to the service provider where sortBy is not given",
        &[Rewrite::Rows(|rows| rows.rows.reverse())],
    ),
    rewriting(
        "sort-by-unknown-refused",
        &["AMB-78"],
        "sortBy an attribute that no schema defines is answered with 400 invalidPath.",
        "RFC 7644 section 3.4.2.3 has no sentence on it",
        &[At(|seen, answer| {
            let sort_by = asked(seen.request, "sortBy");
            let name = sort_by.as_ref().and_then(Value::as_str).unwrap_or_default();
            if is_list(seen, answer) && !name.is_empty() && !is_defined(seen.endpoint, name) {
                refuse(answer, StatusCode::BAD_REQUEST, Some("invalidPath"), "sortBy names no attribute");
            }
        })],
    ),
    choice(
        "missing-values-sort-lowest",
        &["AMB-79"],
        "Resources without a value for sortBy come first in ascending and last in descending order.",
        "RFC 7644 section 3.4.2.3 has them last and first; many databases take an absent value for the lowest",
        |behaviour| behaviour.missing_sorts_lowest = true,
    ),
    rewriting(
        "attributes-beat-excluded-attributes",
        &["AMB-80"],
        "Of attributes and excludedAttributes in one request, attributes counts.",
        "RFC 7644 section 3.9: the two are mutually exclusive, with no sentence on what follows from both",
        &[Before(|request| drop_the_other(request, "attributes", "excludedAttributes"))],
    ),
    rewriting(
        "excluded-attributes-beat-attributes",
        &["AMB-80"],
        "Of attributes and excludedAttributes in one request, excludedAttributes counts.",
        "RFC 7644 section 3.9: the two are mutually exclusive, with no sentence on what follows from both",
        &[Before(|request| drop_the_other(request, "excludedAttributes", "attributes"))],
    ),
    rewriting(
        "part-asked-for-brings-the-whole",
        &["AMB-81"],
        "attributes=name.familyName returns the whole name.",
        "RFC 7644 section 3.9 speaks of attributes to return; servers that cannot take an attribute apart return all of it",
        &[Before(|request| {
            map_names(request, |name| match name.split_once('.') {
                Some((parent, _)) if !name.starts_with("urn:") => vec![parent.to_owned()],
                _ => vec![name.to_owned()],
            });
        })],
    ),
    rewriting(
        "unknown-name-in-attributes-refused",
        &["AMB-81"],
        "A name in attributes that no schema defines is answered with 400 invalidValue.",
        "RFC 7644 section 3.9 has no sentence on it; Table 9 has invalidValue for GET",
        &[At(|seen, answer| {
            let names = asked(seen.request, "attributes");
            let is_unknown = |name: &str| !is_defined(seen.endpoint, name);
            if answer.status.is_success()
                && names.as_ref().is_some_and(|names| each_name(names).any(is_unknown))
            {
                refuse(answer, StatusCode::BAD_REQUEST, Some("invalidValue"), "there is no such attribute");
            }
        })],
    ),
    rewriting(
        "meta-and-user-name-always-returned",
        &["AMB-82"],
        "userName and meta are returned, whatever attributes and excludedAttributes say.",
        "RFC 7643 section 7: a service provider declares what is returned always; both are such by the habit of many",
        &[Before(|request| {
            map_names(request, |name| vec![name.to_owned(), "userName".to_owned(), "meta".to_owned()]);
            let is_kept = |name: &str| !["userName", "meta"].iter().any(|it| name.eq_ignore_ascii_case(it));
            for (_, names) in request.query.iter_mut().filter(|(name, _)| name == "excludedAttributes") {
                *names = names.split(',').filter(|name| is_kept(name.trim())).collect::<Vec<_>>().join(",");
            }
        })],
    ),
    rewriting(
        "creates-and-replaces-not-projected",
        &["AMB-83"],
        "The answers to POST and PUT show the whole resource, whatever attributes says.",
        "RFC 7644 section 3.9 speaks of any operation that returns a resource, and section 3.5.1 of the entire resource",
        &[Before(|request| {
            let is_search = request.path.ends_with("/.search");
            if [Method::POST, Method::PUT].contains(&request.method) && !is_search {
                request
                    .query
                    .retain(|(name, _)| !["attributes", "excludedAttributes"].contains(&name.as_str()));
            }
        })],
    ),
    rewriting(
        "never-returned-name-refused",
        &["AMB-37"],
        "attributes=password is answered with 400 invalidValue.",
        "RFC 7643 section 7: what is never returned is not to be had, with no sentence on who asks for it",
        &[At(|seen, answer| {
            let names = asked(seen.request, "attributes");
            let is_password = |name: &str| name.eq_ignore_ascii_case("password");
            if answer.status.is_success()
                && names.as_ref().is_some_and(|names| each_name(names).any(is_password))
            {
                refuse(answer, StatusCode::BAD_REQUEST, Some("invalidValue"), "password is never returned");
            }
        })],
    ),
    rewriting(
        "filter-on-one-resource-refused",
        &["AMB-59"],
        "A filter on the URL of one resource is answered with 400 invalidFilter.",
        "RFC 7644 section 3.4.2: queries may be made against a single resource, and what then comes is not said",
        &[At(|seen, answer| {
            if is_filter_on_one(seen) && answer.status == StatusCode::OK {
                refuse(answer, StatusCode::BAD_REQUEST, Some("invalidFilter"), "there is nothing to filter");
            }
        })],
    ),
    rewriting(
        "filter-on-one-resource-answered-with-a-list",
        &["AMB-59"],
        "A filter on the URL of one resource that does not match is answered with an empty list.",
        "RFC 7644 section 3.4.2: queries may be made against a single resource, and are answered with a list",
        &[At(|seen, answer| {
            if is_filter_on_one(seen) && answer.status == StatusCode::OK {
                *answer = Answer::json(StatusCode::OK, ListResponse::complete(Vec::new()).to_json());
            }
        })],
    ),
    rewriting(
        "search-reads-attributes-in-one-text",
        &["AMB-84"],
        "attributes in a SearchRequest may be one text with commas, as in a URL.",
        "RFC 7644 section 3.4.3: the parameters are those of a URL; that attributes is an array there binds the client",
        &[Before(|request| {
            if request.path.ends_with("/.search") {
                rewrite_body(request, |body| {
                    if let Some(names @ Value::String(_)) = body.get_mut("attributes") {
                        let split: Vec<Value> = each_name(names).map(Value::from).collect();
                        *names = Value::Array(split);
                    }
                });
            }
        })],
    ),
    rewriting(
        "sensitive-filter-as-bad-request",
        &["AMB-09"],
        "A filter on password in a URL is answered with 400 sensitive.",
        "RFC 7644 Table 9 stands below the errors with status 400; section 7.5.2 has 403, which is warned of",
        &[At(|_, answer| sensitive_as(answer, "sensitive"))],
    ),
    rewriting(
        "sensitive-filter-is-invalid",
        &["AMB-09"],
        "A filter on password in a URL is answered with 400 invalidFilter.",
        "RFC 7643 section 9.2: a comparison with password may be supported, and need not be; RFC 7644 Table 9",
        &[At(|_, answer| sensitive_as(answer, "invalidFilter"))],
    ),
    rewriting(
        "cursor-with-start-index-refused",
        &["AMB-152"],
        "A request with both cursor and startIndex is answered with 400 invalidValue.",
        "RFC 9865 section 2.4 does not say what such a request is",
        &[At(|seen, answer| {
            let asked = |name| seen.request.parameter(name).is_some();
            if asked("cursor") && asked("startIndex") && answer.status == StatusCode::OK {
                refuse(answer, StatusCode::BAD_REQUEST, Some("invalidValue"), "cursor or startIndex");
            }
        })],
    ),
    rewriting(
        "cursor-with-negative-count-refused",
        &["AMB-150"],
        "By cursor, a negative count is answered with 400 invalidCount.",
        "RFC 9865 Table 3: invalidCount where count is not between 0 and the largest page; its Table 1 has 0 for it",
        &[At(|seen, answer| {
            let is_negative = asked_number(seen.request, "count").is_some_and(|count| count < 0);
            if is_negative && asks(seen.request, "cursor") && answer.status == StatusCode::OK {
                refuse(answer, StatusCode::BAD_REQUEST, Some("invalidCount"), "count is negative");
            }
        })],
    ),
    rewriting(
        "start-index-beside-next-cursor",
        &["AMB-156"],
        "A page by cursor has a startIndex beside its nextCursor.",
        "RFC 9865 section 2 asks for the cursors, and does not forbid the index; a warning, since a client has to guess which to follow",
        &[At(|seen, answer| {
            if let Some(page) = list(seen, answer)
                && page.contains_key("nextCursor")
            {
                page.entry("startIndex").or_insert_with(|| 1.into());
            }
        })],
    ),
    rewriting(
        "cursor-that-is-none-has-expired",
        &["AMB-154"],
        "A cursor that is none is answered with 400 expiredCursor, as by a server that forgets its cursors.",
        "RFC 9865 section 2.1 has both keywords, and a server without memory cannot tell one from the other",
        &[At(|_, answer| {
            if answer.status == StatusCode::BAD_REQUEST
                && let Some(body) = object(answer)
                && body.get("scimType").is_some_and(|keyword| keyword == "invalidCursor")
            {
                body.insert("scimType".to_owned(), "expiredCursor".into());
            }
        })],
    ),
    rewriting(
        "cursor-ends-with-an-empty-page",
        &["AMB-151"],
        "Behind the last resources there is one more page by cursor, with none.",
        "RFC 9865 section 2: nextCursor is left out of the last page, and whether there is one more a server need not know; a note",
        &[At(|seen, answer| {
            let cursor = seen.request.parameter("cursor").map(str::to_owned);
            if !is_query(seen.endpoint, &seen.request.method) || answer.status == StatusCode::UNAUTHORIZED {
                return;
            }
            if cursor.as_deref() == Some(BEHIND_THE_END) {
                let mut page = ListResponse::complete(Vec::new()).to_json();
                if let Some(page) = page.as_object_mut() {
                    ["totalResults", "startIndex", "itemsPerPage"].iter().for_each(|name| {
                        page.shift_remove(*name);
                    });
                }
                *answer = Answer::json(StatusCode::OK, page);
            } else if cursor.is_some_and(|cursor| !cursor.is_empty())
                && let Some(page) = list(seen, answer)
                && rows_in(page) > 0
            {
                page.entry("nextCursor").or_insert_with(|| BEHIND_THE_END.into());
            }
        })],
    ),
];

/// The query parameters that RFC 7644 and RFC 9865 define.
const PARAMETERS: &[&str] =
    &["attributes", "excludedAttributes", "filter", "sortBy", "sortOrder", "startIndex", "count", "cursor"];

/// Whether an answer is a ListResponse of resources.
fn is_list(seen: &Seen<'_>, answer: &Answer) -> bool {
    is_query(seen.endpoint, &seen.request.method) && answer.status == StatusCode::OK
}

/// The ListResponse of resources that an answer is.
fn list<'a>(seen: &Seen<'_>, answer: &'a mut Answer) -> Option<&'a mut Map<String, Value>> {
    if is_list(seen, answer) { object(answer) } else { None }
}

fn rows_in(list: &Map<String, Value>) -> u64 {
    list.get("Resources").map_or(0, |rows| elements(rows).len() as u64)
}

fn is_beyond_the_end(seen: &Seen<'_>, answer: &mut Answer) -> bool {
    let start = asked_number(seen.request, "startIndex").and_then(|start| u64::try_from(start).ok());
    let total = list(seen, answer).and_then(|list| list.get("totalResults")).and_then(Value::as_u64);
    start.zip(total).is_some_and(|(start, total)| start > total.max(1))
}

/// What a request asks for by a parameter, or by the member of a SearchRequest.
fn asked(request: &Request, name: &str) -> Option<Value> {
    if request.path.ends_with("/.search") {
        return body_of(request).and_then(|body| member(body.as_object()?, name).cloned());
    }
    request.parameter(name).map(Value::from)
}

fn asks(request: &Request, name: &str) -> bool {
    asked(request, name).is_some_and(|value| !value.is_null())
}

fn asked_number(request: &Request, name: &str) -> Option<i64> {
    asked(request, name).and_then(|value| value.as_i64().or_else(|| value.as_str()?.parse().ok()))
}

/// Whether a filter stands in the URL of one resource.
fn is_filter_on_one(seen: &Seen<'_>) -> bool {
    seen.request.method == Method::GET
        && matches!(seen.endpoint, Endpoint::Resource(..))
        && seen.request.parameter("filter").is_some()
}

/// Answers what would be too sensitive for a URL with 400 and another keyword.
fn sensitive_as(answer: &mut Answer, keyword: &str) {
    let is_sensitive = answer.body().is_some_and(|body| body["scimType"] == "sensitive");
    if answer.status == StatusCode::FORBIDDEN && is_sensitive {
        refuse(answer, StatusCode::BAD_REQUEST, Some(keyword), "password cannot be searched in a URL");
    }
}

/// The names in `attributes`, be it a text with commas or an array.
fn each_name(names: &Value) -> impl Iterator<Item = &str> {
    elements(names)
        .iter()
        .filter_map(Value::as_str)
        .flat_map(|text| text.split(','))
        .map(str::trim)
        .filter(|name| !name.is_empty())
}

/// Whether a name is that of an attribute of the endpoint's type, or of any type at the root.
fn is_defined(endpoint: &Endpoint, name: &str) -> bool {
    let Ok(path) = AttributePath::parse(name) else { return false };
    let kinds = endpoint.kind().map_or_else(|| Kind::CORE.to_vec(), |kind| vec![kind]);
    let definitions = kinds.iter().filter_map(|kind| SchemaSet::core().definition(kind.name()));
    definitions.into_iter().any(|definition| definition.resolve(&path).is_some())
}

/// Takes a parameter out where the one that counts is there.
fn drop_the_other(request: &mut Request, counts: &str, other: &str) {
    if asks(request, counts) && asks(request, other) {
        request.query.retain(|(name, _)| name != other);
        if request.path.ends_with("/.search") {
            rewrite_body(request, |body| {
                if let Some(body) = body.as_object_mut() {
                    remove_member(body, other);
                }
            });
        }
    }
}

/// Changes the names in `attributes`, each to others.
fn map_names(request: &mut Request, change: impl Fn(&str) -> Vec<String>) {
    for (parameter, value) in &mut request.query {
        if parameter == "attributes" {
            let names: Vec<String> =
                value.split(',').map(str::trim).filter(|name| !name.is_empty()).flat_map(&change).collect();
            *value = names.join(",");
        }
    }
    if request.path.ends_with("/.search") {
        rewrite_body(request, |body| {
            if let Some(Value::Array(names)) = body.get_mut("attributes") {
                *names = names.iter().filter_map(Value::as_str).flat_map(&change).map(Value::from).collect();
            }
        });
    }
}
