//! Queries of every kind that come out wrong where the other catalogues are silent: filters that take what they should
//! refuse, orders by part of the data, pages that end without a word, projections, the root, cursors of others (RFC 7644
//! §3.4.2, §3.9; RFC 9865).

use axum::http::{Method, StatusCode};
use serde_json::{Value, json};

use super::super::auth::Credentials;
use super::super::endpoint::Endpoint;
use super::super::fault::{FaultEntry, ParsedFilter, Rewrite, Seen};
use super::super::kind::Kind;
use super::super::message::{Answer, Request};
use super::super::query::Query;
use super::super::represent::Representer;
use super::super::rewrite::any_part;
use super::filters::nothing;
use super::{body_of, each_resource, fault, object, refuse, rewrite_body};
use crate::scim::error::ScimError;
use crate::scim::filter::{CompareOperator, Filter};
use crate::scim::resource::remove_member;
use Rewrite::{Answer as At, Filter as Parsed, Query as Asked, Request as Before, Rows as Found};

/// The tenant that everybody is taken for.
const FIRST: usize = 0;
/// What a page holds that is cut.
const SHORT: usize = 2;

pub(super) const FAULTS: &[FaultEntry] = &[
    fault(
        "filter-empty-text-crashes",
        &[],
        "A filter with an empty text is answered with 500.",
        "search fields that are sent before anything stands in them",
        &["RFC7644-3.4.2.2-08"],
        &[Parsed(|filter| {
            if filter.text.contains("\"\"") {
                filter.parsed = Err(ScimError::new(500, "index out of range"));
            }
        })],
    ),
    fault(
        "filter-order-on-binary-accepted",
        &[],
        "gt and le on a certificate are answered with a list.",
        "clients with a mistake, which do not learn of it",
        &["RFC7644-3.4.2.2-13", "RFC7644-3.4.2.2-19"],
        &[Parsed(|filter| {
            if filter.parsed.is_err() && filter.text.starts_with("x509Certificates") {
                accept(filter, |it| match it {
                    Filter::Compare { operator, .. } if operator.is_ordering() => Some(nothing()),
                    _ => None,
                });
            }
        })],
    ),
    fault(
        "filter-without-value-accepted",
        &[],
        "A filter that ends with its operator is answered with an empty list.",
        "clients with a mistake, which take everybody for new",
        &["RFC7644-3.4.2.2-04"],
        &[Parsed(|filter| {
            let ends_so = |word: &str| CompareOperator::parse(word).is_some();
            if filter.parsed.is_err() && filter.text.split(' ').next_back().is_some_and(ends_so) {
                filter.parsed = Ok(Some(nothing()));
            }
        })],
    ),
    fault(
        "filter-or-in-brackets-as-and",
        &[],
        "or between brackets demands both sides.",
        "clients that look for an address of either kind",
        &["RFC7644-3.4.2.2-27", "RFC7644-3.4.2.2-26"],
        &[Parsed(|filter| {
            if let Ok(Some(tree)) = &mut filter.parsed {
                *tree = in_brackets(std::mem::replace(tree, nothing()));
            }
        })],
    ),
    fault(
        "filter-on-complex-finds-all",
        &[],
        "A comparison of a complex attribute without sub-attribute finds whoever has a value.",
        "clients with a mistake, which overwrite somebody else",
        &["RFC7644-3.4.2.2-33"],
        &[Parsed(|filter| {
            if filter.parsed.is_err() {
                accept(filter, |it| match it {
                    Filter::Compare { path, .. } if path.sub.is_none() && path.name == "name" => {
                        Some(Filter::Present(path.clone()))
                    }
                    _ => None,
                });
            }
        })],
    ),
    fault(
        "filter-schemas-finds-nothing",
        &[],
        "A filter that names schemas finds nothing.",
        "clients that look for whoever has an extension, as Figure 2 does",
        &["RFC7644-3.4.2.2-39"],
        &[Found(|rows| {
            if rows.filter.is_some_and(|filter| any_part(filter, &|it| names_attribute(it, "schemas"))) {
                rows.rows.clear();
            }
        })],
    ),
    fault(
        "filter-of-all-answered-413",
        &[],
        "userName pr is refused with 413.",
        "importers, which do not learn that they should ask for less",
        &["RFC7644-3.4.2.1-04"],
        &[At(|seen, answer| {
            let filter = asked(seen, "filter").unwrap_or_default();
            if filter == "userName pr" {
                refuse(answer, StatusCode::PAYLOAD_TOO_LARGE, None, "too many results");
            }
        })],
    ),
    fault(
        "root-filter-finds-undefined",
        &[],
        "At the root, a filter on an attribute of users finds every group, too.",
        "clients that search users and groups at once",
        &["RFC7644-3.4.2.1-06", "RFC7644-3.4.2.1-05"],
        &[Found(|rows| {
            let is_root = matches!(rows.endpoint, Endpoint::Root | Endpoint::RootSearch);
            if is_root && rows.filter.is_some_and(names_user) {
                let representer = Representer { store: rows.store, base: rows.base };
                let known: Vec<Value> = rows.rows.iter().filter_map(|row| row.get("id")).cloned().collect();
                let groups = rows.store.all().filter(|record| record.kind == Kind::Group);
                let others = groups
                    .map(|record| representer.candidate(record))
                    .filter(|row| row.get("id").is_some_and(|id| !known.contains(id)));
                rows.rows.extend(others);
            }
        })],
    ),
    fault(
        "root-filter-on-type-ignored",
        &[],
        "At the root, a filter on meta.resourceType has no effect.",
        "clients that ask for the groups only",
        &["RFC7644-3.4.2.1-03"],
        &[Parsed(|filter| {
            if filter.parsed.is_ok() && filter.text.starts_with("meta.resourceType eq \"Group\"") {
                filter.parsed = Ok(None);
            }
        })],
    ),
    fault(
        "sort-by-first-value",
        &[],
        "Sorting by a multi-valued attribute takes the first value, although another is primary.",
        "people, who look for an address in the wrong place",
        &["RFC7644-3.4.2.3-04"],
        &[Asked(|query| unsorted_by(query, "emails")), At(by_first_value)],
    ),
    fault(
        "sort-ignores-sub-attribute",
        &[],
        "sortBy with a dotted name has no effect.",
        "people, who look for a name in the wrong place",
        &["RFC7644-3.4.2.3-05"],
        &[Asked(|query| unsorted_by(query, "name"))],
    ),
    fault(
        "sort-absent-at-the-wrong-end",
        &["DEF-180"],
        "Resources without a value come first in ascending order, and last in descending order.",
        "people, who page through empty rows first",
        &["RFC7644-3.4.2.3-06"],
        &[At(|seen, answer| {
            let Some(name) = asked(seen, "sortBy").filter(|name| !name.contains('.')) else { return };
            let is_descending = asked(seen, "sortOrder").is_some_and(|order| order == "descending");
            if let Some(rows) = rows(answer) {
                rows.sort_by_key(|row| row.get(&name).is_some() != is_descending);
            }
        })],
    ),
    fault(
        "sort-by-time-reversed",
        &[],
        "Sorting by a time puts the newest first, ascending, and the oldest first, descending.",
        "clients that ask for what changed last",
        &["RFC7644-3.4.2.3-10"],
        &[Asked(|query| {
            if query.sort_by.as_ref().is_some_and(|name| name.starts_with("meta.")) {
                query.descending = !query.descending;
            }
        })],
    ),
    fault(
        "page-cut-without-a-word",
        &["DEF-170"],
        "Without count a list is cut after two resources, and says neither startIndex nor itemsPerPage.",
        "importers, which take the first page for all",
        &["RFC7644-3.4.2.4-09", "RFC7644-3.4.2-07"],
        &[At(|seen, answer| {
            if is_plain_list(seen) {
                cut(answer, &["startIndex", "itemsPerPage"]);
            }
        })],
    ),
    fault(
        "page-parameters-demanded",
        &[],
        "A list without parameters for pages is refused with 400.",
        "clients that ask for a list and nothing else",
        &["RFC9865-2.4-02"],
        &[At(|seen, answer| {
            if is_plain_list(seen) {
                refuse(answer, StatusCode::BAD_REQUEST, Some("invalidValue"), "count or cursor is missing");
            }
        })],
    ),
    fault(
        "excluded-attributes-urn-not-understood",
        &[],
        "excludedAttributes does not understand names with a URN.",
        "clients that write whole names",
        &["RFC7644-3.4.2.5-06"],
        &[Before(|request| {
            for (name, value) in &mut request.query {
                if name == "excludedAttributes" {
                    let plain: Vec<&str> =
                        value.split(',').filter(|name| !name.trim().starts_with("urn:")).collect();
                    *value = if plain.is_empty() { "nothing".to_owned() } else { plain.join(",") };
                }
            }
        })],
    ),
    fault(
        "search-ignores-sort-by",
        &["DEF-162"],
        "POST …/.search ignores sortBy.",
        "clients that keep filters out of URLs",
        &["RFC7644-3.4.3-08"],
        &[Before(|request| without_in_search(request, "sortBy"))],
    ),
    fault(
        "search-ignores-sort-order",
        &["DEF-162"],
        "POST …/.search ignores sortOrder.",
        "clients that keep filters out of URLs",
        &["RFC7644-3.4.3-09"],
        &[Before(|request| without_in_search(request, "sortOrder"))],
    ),
    fault(
        "both-projections-crash",
        &[],
        "attributes together with excludedAttributes is answered with 500.",
        "clients that always send both",
        &["RFC7644-3.9-03"],
        &[At(|seen, answer| {
            if asked(seen, "attributes").is_some() && asked(seen, "excludedAttributes").is_some() {
                refuse(answer, StatusCode::INTERNAL_SERVER_ERROR, None, "unexpected parameter");
            }
        })],
    ),
    fault(
        "attributes-first-name-only",
        &[],
        "Of several names in attributes, only the first counts.",
        "clients that ask for two attributes and get one",
        &["RFC7644-3.9-06"],
        &[Before(|request| {
            for (name, value) in &mut request.query {
                if name == "attributes"
                    && let Some((first, _)) = value.split_once(',')
                {
                    *value = first.to_owned();
                }
            }
        })],
    ),
    fault(
        "attributes-of-one-drop-id",
        &[],
        "A single resource that is read with attributes has no id.",
        "clients that store what they have read by its id",
        &["RFC7644-3.9-09"],
        &[At(|seen, answer| {
            if matches!(seen.endpoint, Endpoint::Resource(..)) && asked(seen, "attributes").is_some() {
                each_resource(seen, answer, |resource| drop(resource.shift_remove("id")));
            }
        })],
    ),
    fault(
        "projection-changes-values",
        &[],
        "With attributes, userName comes back in capitals.",
        "clients that compare what they hold with what they read",
        &["RFC7644-3.4-02", "RFC7644-3.9-05"],
        &[At(|seen, answer| {
            if asked(seen, "attributes").is_some() {
                each_resource(seen, answer, |resource| {
                    if let Some(name) = resource.get_mut("userName") {
                        *name = name.as_str().unwrap_or_default().to_uppercase().into();
                    }
                });
            }
        })],
    ),
    fault(
        "page-total-of-the-rest",
        &[],
        "totalResults counts the resources from startIndex on.",
        "importers, which end too early",
        &["RFC7644-3.4.2.4-11"],
        &[At(|seen, answer| {
            let start = asked(seen, "startIndex").and_then(|start| start.parse::<u64>().ok()).unwrap_or(1);
            if let Some(body) = object(answer).filter(|body| body.contains_key("Resources"))
                && let Some(total) = body.get("totalResults").and_then(Value::as_u64)
            {
                body.insert("totalResults".to_owned(), (total.saturating_sub(start.max(1) - 1)).into());
            }
        })],
    ),
    fault(
        "row-shows-another-time",
        &[],
        "The rows of a list show a time after the query as the time of their last change.",
        "clients that look for what changed since",
        &["RFC7644-3.4.2-11", "RFC7644-3.4-03"],
        &[At(|_, answer| {
            for row in rows(answer).into_iter().flatten() {
                if let Some(Value::Object(meta)) = row.get_mut("meta") {
                    let later = chrono::Utc::now() + chrono::TimeDelta::minutes(1);
                    let later = later.to_rfc3339_opts(chrono::SecondsFormat::Millis, true);
                    meta.insert("lastModified".to_owned(), later.into());
                }
            }
        })],
    ),
    fault(
        "cursor-page-without-schemas",
        &[],
        "A page by cursor has no schemas.",
        "clients that tell messages by their URN",
        &["RFC9865-2-16"],
        &[At(|seen, answer| {
            if asked(seen, "cursor").is_some()
                && let Some(body) = object(answer).filter(|body| body.contains_key("Resources"))
            {
                body.shift_remove("schemas");
            }
        })],
    ),
    fault(
        "cursor-page-cut-without-a-word",
        &[],
        "By cursor and without count, a list is cut after two resources and has no nextCursor.",
        "importers, which take the first page for all",
        &["RFC9865-2-08", "RFC9865-2-09"],
        &[At(|seen, answer| {
            if asked(seen, "cursor").is_some() && asked(seen, "count").is_none() {
                cut(answer, &["nextCursor"]);
            }
        })],
    ),
    fault(
        "cursor-expired-answered-410",
        &[],
        "A cursor that leads nowhere is answered with 410 and expiredCursor.",
        "clients that begin again on 400, as the RFC has it",
        &["RFC9865-2.1-03"],
        &[At(|seen, answer| {
            if asked(seen, "cursor").is_some_and(|cursor| !cursor.is_empty())
                && answer.status == StatusCode::BAD_REQUEST
            {
                refuse(answer, StatusCode::GONE, Some("expiredCursor"), "the cursor has expired");
            }
        })],
    ),
    fault(
        "cursor-across-tenants",
        &[],
        "A cursor shows the resources of whoever it was made for, whoever sends it.",
        "every tenant, whose people others read",
        &["RFC9865-5.2-01"],
        &[Before(|request| {
            if request.parameter("cursor").is_some_and(|cursor| !cursor.is_empty()) {
                request.tenant = FIRST;
            }
        })],
    ),
    fault(
        "cursor-needs-no-credentials",
        &[],
        "Pages after the first are served without credentials.",
        "everybody, whose people others read",
        &["RFC9865-5.2-02"],
        &[Before(|request| {
            if request.parameter("cursor").is_some_and(|cursor| !cursor.is_empty()) {
                request.credentials = Credentials::Valid;
            }
        })],
    ),
    fault(
        "service-config-pagination-without-cursor",
        &[],
        "pagination in /ServiceProviderConfig does not say whether there are cursors.",
        "clients that choose a method by it",
        &["RFC9865-4-02"],
        &[At(|seen, answer| pagination(seen, answer, |pagination| drop(pagination.shift_remove("cursor"))))],
    ),
    fault(
        "service-config-pagination-out-of-range",
        &[],
        "pagination in /ServiceProviderConfig has limits of 0 and a default method that does not exist.",
        "clients that plan with the limits",
        &["RFC9865-4-04", "RFC9865-4-06", "RFC9865-4-07"],
        &[At(|seen, answer| {
            pagination(seen, answer, |pagination| {
                pagination.insert("defaultPaginationMethod".to_owned(), json!("offset"));
                pagination.insert("maxPageSize".to_owned(), json!(0));
                pagination.insert("cursorTimeout".to_owned(), json!(0));
            });
        })],
    ),
    fault(
        "service-config-without-pagination",
        &[],
        "/ServiceProviderConfig has no pagination, although there are cursors.",
        "clients, which never learn of the cursors",
        &["RFC9865-4-01"],
        &[At(|seen, answer| {
            if *seen.endpoint == Endpoint::ServiceProviderConfig
                && let Some(body) = object(answer)
            {
                body.shift_remove("pagination");
            }
        })],
    ),
];

/// Takes a filter that was refused, if `instead` has another one for it.
fn accept(filter: &mut ParsedFilter<'_>, instead: impl Fn(&Filter) -> Option<Filter>) {
    if let Some(other) = Filter::parse(filter.text).ok().as_ref().and_then(instead) {
        filter.parsed = Ok(Some(other));
    }
}

/// The same filter, with every `or` between brackets turned into `and`.
fn in_brackets(filter: Filter) -> Filter {
    let all = |operands: Vec<Filter>| operands.into_iter().map(in_brackets).collect();
    match filter {
        Filter::And(operands) => Filter::And(all(operands)),
        Filter::Or(operands) => Filter::Or(all(operands)),
        Filter::Not(operand) => Filter::Not(Box::new(in_brackets(*operand))),
        Filter::ValuePath { path, filter } => {
            let filter = match *filter {
                Filter::Or(operands) => Filter::And(operands),
                other => other,
            };
            Filter::ValuePath { path, filter: Box::new(filter) }
        }
        leaf => leaf,
    }
}

fn names_attribute(filter: &Filter, name: &str) -> bool {
    matches!(filter, Filter::Present(path) | Filter::Compare { path, .. } if path.name == name)
}

/// Whether a filter is about an attribute that only users have.
fn names_user(filter: &Filter) -> bool {
    any_part(filter, &|it| names_attribute(it, "userName"))
}

/// A parameter of a query, by GET or by `.search`.
fn asked(seen: &Seen<'_>, name: &str) -> Option<String> {
    if let Some(value) = seen.request.parameter(name) {
        return Some(value.to_owned());
    }
    if !matches!(seen.endpoint, Endpoint::Search(_) | Endpoint::RootSearch) {
        return None;
    }
    match body_of(seen.request)?.get(name)? {
        Value::String(text) => Some(text.clone()),
        Value::Null => None,
        other => Some(other.to_string()),
    }
}

/// Whether a list is asked for, and nothing said about its pages.
fn is_plain_list(seen: &Seen<'_>) -> bool {
    matches!(seen.endpoint, Endpoint::Resources(_))
        && seen.request.method == Method::GET
        && !["startIndex", "count", "cursor"].iter().any(|name| seen.request.parameter(name).is_some())
}

fn rows(answer: &mut Answer) -> Option<&mut Vec<Value>> {
    if answer.status != StatusCode::OK {
        return None;
    }
    object(answer)?.get_mut("Resources")?.as_array_mut()
}

/// Cuts a page short, and takes out what says so.
fn cut(answer: &mut Answer, members: &[&str]) {
    let Some(rows) = rows(answer).filter(|rows| rows.len() > SHORT) else { return };
    rows.truncate(SHORT);
    if let Some(body) = object(answer) {
        for member in members {
            body.shift_remove(*member);
        }
    }
}

/// Leaves the order of a list to chance where it is to be by a part of that attribute.
fn unsorted_by(query: &mut Query, attribute: &str) {
    let is_part = |name: &String| name.split_once('.').is_some_and(|(parent, _)| parent == attribute);
    query.sort_by = query.sort_by.take().filter(|name| !is_part(name));
}

fn by_first_value(seen: &mut Seen<'_>, answer: &mut Answer) {
    if asked(seen, "sortBy").as_deref() == Some("emails.value")
        && let Some(rows) = rows(answer)
    {
        let first =
            |row: &Value| row.pointer("/emails/0/value").and_then(Value::as_str).map(str::to_lowercase);
        rows.sort_by_key(|row| (row.get("emails").is_none(), first(row)));
    }
}

fn without_in_search(request: &mut Request, member: &str) {
    if request.path.ends_with("/.search") {
        rewrite_body(request, |body| {
            if let Some(body) = body.as_object_mut() {
                remove_member(body, member);
            }
        });
    }
}

fn pagination(
    seen: &Seen<'_>,
    answer: &mut Answer,
    change: impl FnOnce(&mut serde_json::Map<String, Value>),
) {
    if *seen.endpoint == Endpoint::ServiceProviderConfig
        && let Some(Value::Object(pagination)) = object(answer).and_then(|body| body.get_mut("pagination"))
    {
        change(pagination);
    }
}
