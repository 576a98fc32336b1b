//! Rules about ListResponses against the filter that was asked for (RFC 7644 section 3.4.2.2), by the oracle: what
//! the RFCs leave open is left open.

use serde_json::Value;

use super::{Fault, Rule, RuleVerdict, View, parameter, verdict};
use crate::judge::{history, kind, words};
use crate::oracle::population::{Judged, ListDeparture, Listing, Population};
use crate::oracle::truth::Explanation;
use crate::oracle::world::Worlds;
use crate::scim::filter::Filter;
use crate::scim::list::ListResponse;
use crate::scim::resource::get;
use crate::target::exchange::Exchange;

pub const FILTER_ROWS_MATCH: Rule =
    Rule { name: "filter-rows-match", subject: "row that a filter decides about", judge: filter_rows_match };
pub const FILTER_FINDS_ALL: Rule = Rule {
    name: "filter-finds-all",
    subject: "complete list that has to hold a known resource",
    judge: filter_finds_all,
};

/// The longest filter that a message shows whole, in characters.
const SHOWN: usize = 200;

/// The filter of a query, if it has one that can be read, and the path says it only one way.
fn filter(exchange: &Exchange) -> Option<Filter> {
    history::rows(exchange)?;
    let is_resource = exchange.request.endpoint.contains("{id}");
    if is_resource || kind::discovery_type(&exchange.request).is_some() {
        return None;
    }
    let query = exchange.request.path.split_once('?').map_or("", |(_, query)| query);
    let named = query.split('&').filter(|pair| pair.starts_with("filter=")).collect::<Vec<_>>();
    // A plus may be read as a blank or as itself; of two filters either may be taken.
    if named.len() > 1 || named.iter().any(|pair| pair.contains('+')) {
        return None;
    }
    Filter::parse(&parameter(exchange, "filter")?).ok()
}

/// The list of an exchange judged by a population.
fn judge(
    exchange: &Exchange,
    view: &View<'_>,
    filter: &Filter,
    population: &Population,
    list: &ListResponse,
) -> Judged {
    let mut listing = Listing::of(list, kind::is_projected(&exchange.request));
    let asks_for_page = parameter(exchange, "cursor").is_some()
        || parameter(exchange, "startIndex").is_some_and(|start| start.trim().parse() != Ok(1));
    listing.is_complete &= !asks_for_page;
    population.judge_list(&listing, filter, &Worlds::all(), |resource| {
        view.definitions.by_endpoint(exchange).or_else(|| view.definitions.by_itself(resource))
    })
}

/// Every row matches.
fn filter_rows_match(exchange: &Exchange, view: &View<'_>) -> RuleVerdict {
    let Some((filter, body)) = filter(exchange).zip(exchange.json()) else { return RuleVerdict::NotEligible };
    let Some(mut list) = ListResponse::from_json(body).value else { return RuleVerdict::NotEligible };
    // An index may lag behind a change: such a row would be right a moment ago.
    list.resources.retain(|row| {
        let id = get(row, "id").and_then(Value::as_str);
        id.is_none_or(|id| view.history.is_unchanged(id, exchange))
    });
    // Rows are judged by what they show themselves, but for those of a projection.
    let population = if kind::is_projected(&exchange.request) {
        view.history.known_to(exchange)
    } else {
        Population::new()
    };
    let judged = judge(exchange, view, &filter, &population, &list);
    if judged.decided == 0 {
        return RuleVerdict::NotEligible;
    }
    let asked = as_sent(exchange);
    let surplus = judged.departures.into_iter().filter_map(|departure| match departure {
        ListDeparture::Surplus { id, explanation, .. } => Some((id, explanation)),
        ListDeparture::Missing { .. } | ListDeparture::Repeated { .. } => None,
    });
    let faults = first_of_each(
        surplus,
        |(_, explanation)| node(explanation),
        |first, count| {
            let (id, explanation) = first;
            let row = id
                .as_deref()
                .map_or("a row without id".to_owned(), |id| format!("the row '{}'", words::clip(id, 60)));
            // What others' resources hold is not for a report.
            let is_ours = id.as_deref().is_some_and(|id| view.history.is_ours(id, exchange));
            let why = why(&explanation, is_ours);
            let more = if count > 1 { format!(" ({count} such rows)") } else { String::new() };
            let kind = node(&explanation);
            Fault::new(
                format!("{row} does not match the filter {asked}: {why}{more}"),
                format!("only resources that match {asked}"),
                format!("{row}, though {why}"),
            )
            .class("rows that match", format!("row against {kind}"))
            .breaks(&["RFC7644-3.4.2.2-02"])
            .breaks_too(requirements(kind))
        },
    );
    verdict("filter-rows-match", exchange, faults)
}

/// Every known resource that matches is there.
fn filter_finds_all(exchange: &Exchange, view: &View<'_>) -> RuleVerdict {
    let Some((filter, body)) = filter(exchange).zip(exchange.json()) else { return RuleVerdict::NotEligible };
    let population = view.history.known_to(exchange);
    if population.is_empty() {
        return RuleVerdict::NotEligible;
    }
    let Some(list) = ListResponse::from_json(body).value else { return RuleVerdict::NotEligible };
    let judged = judge(exchange, view, &filter, &population, &list);
    if judged.awaited == 0 {
        return RuleVerdict::NotEligible;
    }
    let asked = as_sent(exchange);
    let missing = judged.departures.into_iter().filter_map(|departure| match departure {
        ListDeparture::Missing { id, explanation } => Some((id, explanation)),
        ListDeparture::Surplus { .. } | ListDeparture::Repeated { .. } => None,
    });
    let faults = first_of_each(
        missing,
        |(_, explanation)| node(explanation),
        |(id, explanation), count| {
            let why = why(&explanation, true);
            let more = if count > 1 { format!(" ({count} such resources)") } else { String::new() };
            let kind = node(&explanation);
            Fault::new(
                format!(
                    "the list lacks the resource '{}', which matches the filter {asked}: {why}{more}",
                    words::clip(&id, 60)
                ),
                format!("every resource that matches {asked}"),
                format!("'{}' missing, though {why}", words::clip(&id, 60)),
            )
            .class("all that match", format!("missing by {kind}"))
            .breaks(requirements(kind))
        },
    );
    verdict("filter-finds-all", exchange, faults)
}

/// One fault for each kind of trouble, with how many there are of it.
fn first_of_each<T>(
    all: impl Iterator<Item = T>,
    kind: impl Fn(&T) -> &'static str,
    fault: impl Fn(T, usize) -> Fault,
) -> Vec<Fault> {
    let mut kinds: Vec<(&'static str, Vec<T>)> = Vec::new();
    for each in all {
        let kind = kind(&each);
        match kinds.iter_mut().find(|(known, _)| *known == kind) {
            Some((_, same)) => same.push(each),
            None => kinds.push((kind, vec![each])),
        }
    }
    kinds
        .into_iter()
        .filter_map(|(_, same)| {
            let count = same.len();
            same.into_iter().next().map(|first| fault(first, count))
        })
        .collect()
}

/// The kind of the node that decides; `not` where it stands between, for that is what breaks most often.
fn node(explanation: &Explanation) -> &'static str {
    let path = explanation.deciding_path();
    let last = path.last().map_or(explanation.kind, |node| node.kind);
    if path.iter().any(|node| node.kind == "not") { "not" } else { last }
}

/// What decides: the innermost node, with what the attribute holds where that may be said, and the `not` around it.
fn why(explanation: &Explanation, with_values: bool) -> String {
    let path = explanation.deciding_path();
    let deciding = explanation.deciding();
    let grounds = deciding.grounds();
    let mut text = match (with_values, path.len()) {
        (false, _) => deciding.verdict(),
        // The whole filter stands before this already.
        (true, 1) if !grounds.is_empty() => grounds.join("; "),
        (true, _) => deciding.words(),
    };
    if let Some(not) = path.iter().rev().find(|node| node.kind == "not") {
        text = format!("{text}, so {}", not.verdict());
    }
    words::clip(&text, 2 * SHOWN)
}

/// The filter as it was sent: its spelling may be what it is about.
fn as_sent(exchange: &Exchange) -> String {
    words::clip(&parameter(exchange, "filter").unwrap_or_default(), SHOWN)
}

/// What the service provider breaks whose answer goes wrong by that kind of node.
fn requirements(kind: &str) -> &'static [&'static str] {
    match kind {
        "eq" => &["RFC7644-3.4.2.2-06"],
        "ne" => &["RFC7644-3.4.2.2-07"],
        "co" => &["RFC7644-3.4.2.2-08"],
        "sw" => &["RFC7644-3.4.2.2-09"],
        "ew" => &["RFC7644-3.4.2.2-10"],
        "pr" => &["RFC7644-3.4.2.2-11"],
        "gt" => &["RFC7644-3.4.2.2-12"],
        "ge" => &["RFC7644-3.4.2.2-14"],
        "lt" => &["RFC7644-3.4.2.2-16"],
        "le" => &["RFC7644-3.4.2.2-18"],
        "and" => &["RFC7644-3.4.2.2-20"],
        "or" => &["RFC7644-3.4.2.2-21"],
        "not" => &["RFC7644-3.4.2.2-22"],
        _ => &["RFC7644-3.4.2.2-25", "RFC7644-3.4.2.2-32"],
    }
}
