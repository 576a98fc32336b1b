//! Rules about ListResponses (RFC 7644 section 3.4.2).

use std::collections::HashSet;

use serde_json::{Map, Value};

use super::{Fault, Rule, RuleVerdict, View, parameter, success, verdict};
use crate::judge::{kind, words};
use crate::outcome::Severity;
use crate::scim::names;
use crate::scim::resource::{elements, get, member};
use crate::target::exchange::Exchange;

pub const LIST_SHAPE: Rule = Rule { name: "list-shape", subject: "answer to a query", judge: list_shape };
pub const LIST_ARITHMETIC: Rule =
    Rule { name: "list-arithmetic", subject: "ListResponse", judge: list_arithmetic };
pub const LIST_NO_REPEATS: Rule =
    Rule { name: "list-no-repeats", subject: "ListResponse with two resources", judge: list_no_repeats };

pub const LIST_WITHIN_LIMIT: Rule = Rule {
    name: "list-within-limit",
    subject: "ListResponse of a service provider that says how long lists may be",
    judge: list_within_limit,
};

/// Whether the request asks for a list: a query of a collection, a `.search`, or discovery of many.
fn asks_for_list(exchange: &Exchange, context: &View<'_>) -> bool {
    if kind::is_search(&exchange.request) {
        return true;
    }
    let path = exchange.request.endpoint.split('?').next().unwrap_or_default();
    let is_collection = path.trim_matches('/') == kind::first_segment(&exchange.request);
    exchange.request.method == "GET"
        && is_collection
        && kind::first_segment(&exchange.request) != "ServiceProviderConfig"
        && context.definitions.by_endpoint(exchange).is_some()
}

fn list_shape(exchange: &Exchange, context: &View<'_>) -> RuleVerdict {
    let Some(response) = success(exchange) else { return RuleVerdict::NotEligible };
    let Ok(body) = response.body.json() else { return RuleVerdict::NotEligible };
    if response.status != 200 || !asks_for_list(exchange, context) {
        return RuleVerdict::NotEligible;
    }
    let Some(object) = body.as_object() else {
        let what = words::article(body);
        let fault = Fault::new(
            format!("the answer to a query is {what}, expected a ListResponse"),
            "a ListResponse object",
            what,
        )
        .class("ListResponse", words::class(body));
        return verdict("list-shape", exchange, vec![fault]);
    };
    let mut faults = Vec::new();
    faults.extend(message_schema(object));
    faults.extend(counters(exchange, object));
    faults.extend(resources(exchange, context, object));
    verdict("list-shape", exchange, faults)
}

fn message_schema(object: &Map<String, Value>) -> Option<Fault> {
    let found = member(object, "schemas");
    let names_list = found
        .map(elements)
        .unwrap_or_default()
        .iter()
        .any(|urn| urn.as_str().is_some_and(|urn| urn.eq_ignore_ascii_case(names::LIST_RESPONSE)));
    (!names_list).then(|| {
        Fault::new(
            "the schemas do not name the ListResponse message",
            format!("schemas with {}", names::LIST_RESPONSE),
            found.map_or("no schemas".to_owned(), words::show),
        )
        .class("schemas ListResponse", words::class_of(found))
    })
}

/// Whether paging goes by cursor, where `totalResults` and `startIndex` may be missing (RFC 9865).
fn goes_by_cursor(exchange: &Exchange, object: &Map<String, Value>) -> bool {
    parameter(exchange, "cursor").is_some()
        || ["nextCursor", "previousCursor"].iter().any(|name| member(object, name).is_some())
}

fn counters(exchange: &Exchange, object: &Map<String, Value>) -> Vec<Fault> {
    let mut faults = Vec::new();
    for name in ["totalResults", "startIndex", "itemsPerPage"] {
        match member(object, name).filter(|value| !value.is_null()) {
            Some(value) if as_count(value).is_some() => {}
            Some(value) => faults.push(
                Fault::new(
                    format!("{name} is {}, expected a non-negative integer", words::show_typed(value)),
                    "a non-negative integer",
                    words::show_typed(value),
                )
                .class(format!("{name} integer"), words::class(value)),
            ),
            None if name == "totalResults" && !goes_by_cursor(exchange, object) => faults.push(
                Fault::new("totalResults is missing", "totalResults", "absent")
                    .class("totalResults integer", "absent")
                    .breaks(match kind::discovery_type(&exchange.request) {
                        Some(_) => &["RFC7644-4-12"],
                        None => &["RFC7644-3.4.2-05"],
                    }),
            ),
            None => {}
        }
    }
    faults
}

fn resources(exchange: &Exchange, context: &View<'_>, object: &Map<String, Value>) -> Vec<Fault> {
    let rows = member(object, "Resources");
    match rows {
        Some(Value::Array(rows)) => rows
            .iter()
            .enumerate()
            .filter(|(_, row)| !row.is_object())
            .map(|(index, row)| {
                Fault::new(
                    format!("Resources[{index}] is {}, expected a resource", words::article(row)),
                    "an object",
                    words::show(row),
                )
                .class("Resources object", words::class(row))
            })
            .take(1)
            .collect(),
        Some(Value::Null) => vec![
            Fault::new("Resources is null, expected an array or nothing", "an array, or no member", "null")
                .class("Resources array", "null")
                .warning(),
        ],
        Some(other) => vec![
            Fault::new(
                format!("Resources is {}, expected an array", words::article(other)),
                "an array",
                words::show(other),
            )
            .class("Resources array", words::class(other)),
        ],
        None => {
            let total = member(object, "totalResults").and_then(as_count).unwrap_or(0);
            let asks_for_none = context.asked_size(exchange).and_then(|count| count.parse::<i64>().ok());
            let is_beyond = parameter(exchange, "startIndex")
                .and_then(|start| start.parse::<i64>().ok())
                .is_some_and(|start| u64::try_from(start).is_ok_and(|start| start > total));
            if total == 0 || asks_for_none.is_some_and(|count| count <= 0) || is_beyond {
                return Vec::new();
            }
            vec![
                Fault::new(
                    format!("Resources is missing although totalResults is {total}"),
                    "Resources with the results",
                    "absent",
                )
                .class("Resources array", "absent")
                .breaks(&["RFC7644-3.4.2-06"]),
            ]
        }
    }
}

fn as_count(value: &Value) -> Option<u64> {
    value.as_u64().or_else(|| {
        let number = value.as_f64()?;
        (number >= 0.0 && number.fract() == 0.0 && number < 9e15).then_some(number as u64)
    })
}

fn list_arithmetic(exchange: &Exchange, context: &View<'_>) -> RuleVerdict {
    let Some(body) = success(exchange).and_then(|response| response.body.json().ok()) else {
        return RuleVerdict::NotEligible;
    };
    let Some(object) = body.as_object().filter(|_| kind::is_list(body)) else {
        return RuleVerdict::NotEligible;
    };
    let rows = match member(object, "Resources") {
        Some(Value::Array(rows)) => rows.len() as u64,
        None | Some(Value::Null) => 0,
        Some(_) => return RuleVerdict::NotEligible,
    };
    let read = |name: &str| member(object, name).and_then(as_count);
    let is_discovery = kind::discovery_type(&exchange.request).is_some();
    let mut faults = Vec::new();
    faults.extend(total_holds(read("totalResults"), rows));
    faults.extend(items_per_page(read("itemsPerPage"), rows, context));
    // Discovery ignores paging parameters (RFC 7644 section 4).
    if !is_discovery {
        faults.extend(count_kept(exchange, context, rows));
        if !goes_by_cursor(exchange, object) {
            faults.extend(start_echoed(exchange, read("startIndex"), rows));
            faults.extend(partial_says_so(exchange, context, object, read("totalResults"), rows));
        }
    }
    verdict("list-arithmetic", exchange, faults)
}

fn total_holds(total: Option<u64>, rows: u64) -> Option<Fault> {
    let total = total.filter(|total| *total < rows)?;
    Some(
        Fault::new(
            format!("totalResults is {total}, but this page alone holds {rows} resources"),
            format!("at least {rows}"),
            total.to_string(),
        )
        .class("totalResults >= page", "less")
        .breaks(&["RFC7644-3.4.2.4-11"]),
    )
}

fn items_per_page(items: Option<u64>, rows: u64, context: &View<'_>) -> Option<Fault> {
    let items = items.filter(|items| *items != rows)?;
    Some(
        Fault::new(
            format!("itemsPerPage is {items}, but the page holds {rows} resources"),
            rows.to_string(),
            items.to_string(),
        )
        .class("itemsPerPage = page", if items > rows { "more" } else { "less" })
        .breaks(&["RFC7644-3.4.2.4-10"])
        .warning_unless_strict(context),
    )
}

fn count_kept(exchange: &Exchange, context: &View<'_>, rows: u64) -> Option<Fault> {
    let count = context.asked_size(exchange)?.trim().parse::<i64>().ok()?;
    let most = u64::try_from(count).unwrap_or(0);
    (rows > most).then(|| {
        Fault::new(
            format!("the page holds {rows} resources though count is {count}"),
            format!("at most {most} resources"),
            format!("{rows} resources"),
        )
        .class(if most == 0 { "no resources" } else { "at most count" }, "more")
        .breaks(&["RFC7644-3.4.2.4-05"])
    })
}

/// An empty page has no first result, so nothing can be said about its `startIndex`.
fn start_echoed(exchange: &Exchange, start: Option<u64>, rows: u64) -> Option<Fault> {
    let start = start.filter(|_| rows > 0)?;
    let asked = match parameter(exchange, "startIndex") {
        Some(text) => text.trim().parse::<i64>().ok()?,
        None => 1,
    };
    let expected = u64::try_from(asked).unwrap_or(0).max(1);
    (start != expected).then(|| {
        let fault = Fault::new(
            format!("startIndex is {start}, though {expected} was asked for"),
            expected.to_string(),
            start.to_string(),
        )
        .class("startIndex of the page", "other")
        .breaks(&["RFC7644-3.4.2.4-12"]);
        // The echo of a startIndex below 1 is a slip, no more.
        if start == 0 { fault.warning() } else { fault }
    })
}

fn partial_says_so(
    exchange: &Exchange,
    context: &View<'_>,
    object: &Map<String, Value>,
    total: Option<u64>,
    rows: u64,
) -> Option<Fault> {
    let total = total.filter(|total| *total > rows && rows > 0)?;
    // After the last page that was asked for nothing is left, and the page is partial all the same.
    let missing: Vec<&str> =
        ["startIndex", "itemsPerPage"].into_iter().filter(|name| member(object, name).is_none()).collect();
    if missing.is_empty() {
        return None;
    }
    let names = missing.join(" and ");
    let what = if context.asked_size(exchange).is_some() { "a page" } else { "a part" };
    let mut fault = Fault::new(
        format!("{names} missing though this is {what} of the list ({rows} of {total})"),
        "startIndex and itemsPerPage",
        format!("{names} absent"),
    )
    .class("startIndex, itemsPerPage", "absent")
    .breaks(&["RFC7644-3.4.2-07", "RFC7644-3.4.2-08"]);
    if missing.len() == 1 {
        fault.severity = Some(Severity::Warning);
    }
    Some(fault)
}

fn list_no_repeats(exchange: &Exchange, _: &View<'_>) -> RuleVerdict {
    let Some(body) = success(exchange).and_then(|response| response.body.json().ok()) else {
        return RuleVerdict::NotEligible;
    };
    let rows = get(body, "Resources").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    if !kind::is_list(body) || rows.len() < 2 || kind::discovery_type(&exchange.request).is_some() {
        return RuleVerdict::NotEligible;
    }
    let mut seen = HashSet::new();
    let repeated = rows.iter().filter_map(|row| get(row, "id")).find(|id| !seen.insert(id.to_string()));
    let faults = repeated.map(|id| {
        Fault::new("the list holds one id twice", "each resource once", format!("{} twice", words::show(id)))
            .class("each id once", "repeated id")
    });
    verdict("list-no-repeats", exchange, faults.into_iter().collect())
}

/// No list is longer than `filter.maxResults`, whatever was asked for, nor than the vendor documents. Discovery ignores
/// paging (RFC 7644 section 4), and a limit of nothing says nothing.
fn list_within_limit(exchange: &Exchange, view: &View<'_>) -> RuleVerdict {
    let claimed = view.capabilities.max_results().map(|limit| (limit, "filter.maxResults"));
    let documented = view
        .capabilities
        .page_size()
        .and_then(|page| Some((page.limit(view.asked_size(exchange).is_some())?, "the profile's page-size")));
    let limits = claimed.into_iter().chain(documented).filter(|(limit, _)| *limit > 0);
    let Some((limit, says)) = limits.min_by_key(|(limit, _)| *limit) else {
        return RuleVerdict::NotEligible;
    };
    let Some(body) = success(exchange).and_then(|response| response.body.json().ok()) else {
        return RuleVerdict::NotEligible;
    };
    if !kind::is_list(body) || kind::discovery_type(&exchange.request).is_some() {
        return RuleVerdict::NotEligible;
    }
    let rows = get(body, "Resources").and_then(Value::as_array).map_or(0, Vec::len) as u64;
    let fault = (rows > limit).then(|| {
        Fault::new(
            format!("the list holds {rows} resources, and {says} says {limit} at most"),
            format!("at most {limit} resources"),
            format!("{rows} resources"),
        )
        .class("at most maxResults", "more")
    });
    verdict("list-within-limit", exchange, fault.into_iter().collect())
}
