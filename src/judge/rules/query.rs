//! Rules that hold the answers to queries against each other and against themselves: rows stand in the order that was
//! asked for, a row is the resource, a projection shows a part of it and no other values, and a total is the same on
//! every page (RFC 7644 sections 3.4.2.3, 3.4.2.4 and 3.9).
//!
//! What is held against another answer is so only where this run wrote nothing between the two
//! ([`History`](crate::judge::History)).

use std::cmp::Ordering;

use serde_json::Value;

use super::{Fault, Rule, RuleVerdict, View, parameter, success, verdict};
use crate::judge::history;
use crate::judge::{kind, words};
use crate::oracle::truth::order_texts;
use crate::outcome::Difference;
use crate::scim::compare::{CompareOptions, differences};
use crate::scim::definition::{Resolved, ResourceDefinition};
use crate::scim::path::AttributePath;
use crate::scim::resource::{elements, get};
use crate::scim::schema::{Attribute, AttributeType};
use crate::scim::sort::{SortKey, SortOrder, key};
use crate::suite::model::Capability;
use crate::target::exchange::Exchange;

pub const SORTED_IN_ORDER: Rule = Rule {
    name: "sorted-in-order",
    subject: "sorted list with two rows whose order is known",
    judge: sorted_in_order,
};
pub const ROW_IS_THE_RESOURCE: Rule = Rule {
    name: "row-is-the-resource",
    subject: "list with a resource that was shown before",
    judge: row_is_the_resource,
};
pub const PROJECTION_KEEPS_VALUES: Rule = Rule {
    name: "projection-keeps-values",
    subject: "projection of a resource that was shown before as a whole",
    judge: projection_keeps_values,
};
pub const TOTAL_IS_STABLE: Rule = Rule {
    name: "total-is-stable",
    subject: "list that was asked for twice with one filter",
    judge: total_is_stable,
};

/// The most rows of a list whose order is looked at.
const MOST_ROWS: usize = 50;
/// The most differences that a finding shows.
const SHOWN: usize = 5;

/// Every two rows stand in the order that was asked for, where all readings agree about it.
fn sorted_in_order(exchange: &Exchange, view: &View<'_>) -> RuleVerdict {
    let Some(sort_by) = parameter(exchange, "sortBy").filter(|_| view.claims(Capability::Sort)) else {
        return RuleVerdict::NotEligible;
    };
    let order = parameter(exchange, "sortOrder");
    let order = order.as_deref().map_or(Some(SortOrder::Ascending), SortOrder::parse);
    let path = AttributePath::parse(&sort_by).ok();
    let Some((order, path)) = order.zip(path) else { return RuleVerdict::NotEligible };
    let Some(rows) = history::rows(exchange).filter(|_| !kind::is_projected(&exchange.request)) else {
        return RuleVerdict::NotEligible;
    };
    let mut is_eligible = false;
    let known: Vec<(&Value, Place<'_>)> = rows
        .iter()
        .take(MOST_ROWS)
        // An index may lag behind a change: such a row stood right a moment ago.
        .filter(|row| {
            let id = get(row, "id").and_then(Value::as_str);
            id.is_some_and(|id| view.history.is_unchanged(id, exchange))
        })
        .filter_map(|row| {
            let definition =
                view.definitions.by_endpoint(exchange).or_else(|| view.definitions.by_itself(row))?;
            Some((row, place(row, &path, definition)?))
        })
        .collect();
    for (index, (first, before)) in known.iter().enumerate() {
        for (second, after) in &known[index + 1..] {
            let Some(ascending) = before.order(after) else { continue };
            is_eligible |= ascending != Ordering::Equal;
            let wrong = match order {
                SortOrder::Ascending => Ordering::Greater,
                SortOrder::Descending => Ordering::Less,
            };
            if ascending != wrong {
                continue;
            }
            let label = |row: &Value| get(row, "id").map_or_else(|| "a row".to_owned(), words::show);
            let way = if order == SortOrder::Ascending { "ascending" } else { "descending" };
            let (values, is_absent) = (
                format!("{} before {}", before.words(), after.words()),
                before.key == SortKey::Missing || after.key == SortKey::Missing,
            );
            let fault = Fault::new(
                format!(
                    "{} stands before {}, {way} by {}: {values}",
                    label(first),
                    label(second),
                    words::clip(&sort_by, 60)
                ),
                format!("rows in {way} order of {}", words::clip(&sort_by, 60)),
                values,
            )
            .class(way, if is_absent { "absent at the wrong end" } else { "out of order" })
            .breaks(requirements(before, after, order, path.sub.is_some()));
            let fault = if is_absent { fault.warning_unless_strict(view) } else { fault };
            return verdict("sorted-in-order", exchange, vec![fault]);
        }
    }
    if is_eligible { RuleVerdict::Held } else { RuleVerdict::NotEligible }
}

/// What a row is sorted by.
struct Place<'a> {
    key: SortKey,
    value: Option<&'a str>,
    attribute: &'a Attribute,
    is_of_several: bool,
}

/// What a row is sorted by; nothing where the attribute is not one to sort by, or it is open which value counts.
fn place<'a>(row: &'a Value, path: &AttributePath, definition: &'a ResourceDefinition) -> Option<Place<'a>> {
    let Some(Resolved::Attribute { attribute, sub, extension }) = definition.resolve(path) else {
        return None;
    };
    let leaf = match sub {
        Some(sub) => sub,
        None if attribute.kind == AttributeType::Complex => return None,
        None => attribute,
    };
    let container = match extension {
        None => Some(row),
        Some(schema) => get(row, &schema.id),
    };
    let values = container.and_then(|it| get(it, &attribute.name)).map(elements).unwrap_or_default();
    let primary = values.iter().find(|it| get(it, "primary") == Some(&Value::Bool(true)));
    if values.len() > 1 && primary.is_none() {
        return None;
    }
    let chosen = primary.or(values.first());
    let value = chosen.and_then(|it| if sub.is_some() { get(it, &leaf.name) } else { Some(it) });
    Some(Place {
        key: key(row, path, definition),
        value: value.and_then(Value::as_str),
        attribute: leaf,
        is_of_several: values.len() > 1,
    })
}

impl Place<'_> {
    /// The ascending order of two rows, where all collations agree about it.
    fn order(&self, other: &Place<'_>) -> Option<Ordering> {
        match (&self.key, &other.key) {
            (SortKey::Missing, SortKey::Missing) => Some(Ordering::Equal),
            (SortKey::Text(_), SortKey::Text(_)) => {
                let (left, right) = (self.value?, other.value?);
                // Capitals stand before small letters or beside them, where case matters.
                let is_exact = self.attribute.compares_exactly();
                if is_exact && (left.to_lowercase() != left || right.to_lowercase() != right) {
                    return None;
                }
                order_texts(left, right, is_exact)
            }
            // Which of the two comes first is nowhere said.
            (SortKey::Boolean(_), SortKey::Boolean(_)) => None,
            (left, right) => Some(left.order(right)),
        }
    }

    fn words(&self) -> String {
        match (&self.key, self.value) {
            (SortKey::Missing, _) => "no value".to_owned(),
            (_, Some(text)) => words::clip(&format!("{text:?}"), 80),
            (SortKey::Number(number), _) => number.to_string(),
            (other, _) => format!("{other:?}"),
        }
    }
}

/// What is broken by two rows that stand the wrong way round.
fn requirements(
    before: &Place<'_>,
    after: &Place<'_>,
    order: SortOrder,
    is_part: bool,
) -> &'static [&'static str] {
    if before.key == SortKey::Missing || after.key == SortKey::Missing {
        &["RFC7644-3.4.2.3-06"]
    } else if before.is_of_several || after.is_of_several {
        &["RFC7644-3.4.2.3-04"]
    } else if before.attribute.kind == AttributeType::DateTime || matches!(before.key, SortKey::Number(_)) {
        &["RFC7644-3.4.2.3-10"]
    } else if is_part {
        &["RFC7644-3.4.2.3-05"]
    } else if order == SortOrder::Descending {
        &["RFC7644-3.4.2.3-07"]
    } else {
        &["RFC7644-3.4.2.3-02", "RFC7644-3.4.2.3-08", "RFC7644-3.4.2.3-09"]
    }
}

/// A row shows what a read of the resource shows, and what every other list does.
fn row_is_the_resource(exchange: &Exchange, view: &View<'_>) -> RuleVerdict {
    let Some(rows) = history::rows(exchange).filter(|_| !kind::is_projected(&exchange.request)) else {
        return RuleVerdict::NotEligible;
    };
    let mut is_eligible = false;
    for row in rows {
        let Some((definition, state, shown_by)) = shown_before(row, exchange, view) else { continue };
        is_eligible = true;
        let found = differences(state, row, definition, &CompareOptions::whole());
        let show = |value: &Option<Value>| value.as_ref().map_or_else(|| "absent".to_owned(), words::show);
        let found: Vec<Difference> = found
            .into_iter()
            .take(SHOWN)
            .map(|it| Difference { expected: show(&it.expected), actual: show(&it.actual), path: it.path })
            .collect();
        let Some(first) = found.first() else { continue };
        let mut fault = Fault::new(
            format!(
                "a row differs from the resource as {shown_by} showed it, and nothing was written between: {} is {}, \
                 and was {}",
                first.path, first.actual, first.expected
            ),
            format!("{} as it was shown: {}", first.path, first.expected),
            first.actual.clone(),
        )
        .class("the resource", "another");
        fault.differences = found;
        return verdict("row-is-the-resource", exchange, vec![fault]);
    }
    if is_eligible { RuleVerdict::Held } else { RuleVerdict::NotEligible }
}

/// What a projection shows is a part of the resource as a whole.
fn projection_keeps_values(exchange: &Exchange, view: &View<'_>) -> RuleVerdict {
    if !kind::is_projected(&exchange.request) || kind::is_write(&exchange.request) {
        return RuleVerdict::NotEligible;
    }
    let single = || success(exchange)?.body.json().ok().filter(|body| !kind::is_list(body));
    let rows: Vec<&Value> = match history::rows(exchange) {
        Some(rows) => rows.iter().collect(),
        None => single().into_iter().collect(),
    };
    let mut is_eligible = false;
    for row in rows {
        let Some((_, state, shown_by)) = shown_before(row, exchange, view) else { continue };
        is_eligible = true;
        let members = row.as_object().into_iter().flatten().filter(|(name, _)| *name != "schemas");
        for (name, part) in members {
            let Some(whole) = get(state, name).filter(|whole| !is_part_of(part, whole, 0)) else { continue };
            let fault = Fault::new(
                format!(
                    "{name} is {}, and {shown_by} showed {}, though nothing was written between",
                    words::show(part),
                    words::show(whole)
                ),
                format!("{name} as the whole resource has it: {}", words::show(whole)),
                words::show(part),
            )
            .class("a part of the resource", "another value");
            return verdict("projection-keeps-values", exchange, vec![fault]);
        }
    }
    if is_eligible { RuleVerdict::Held } else { RuleVerdict::NotEligible }
}

/// What was last shown of a resource before this answer, with its definition and what showed it.
fn shown_before<'v>(
    row: &Value,
    exchange: &Exchange,
    view: &View<'v>,
) -> Option<(&'v ResourceDefinition, &'v Value, String)> {
    if kind::discovery_type(&exchange.request).is_some() {
        return None;
    }
    let id = get(row, "id").and_then(Value::as_str)?;
    let (state, shown_by) = view.history.shown_before(id, exchange)?;
    // What others' resources hold is not for a report.
    if !view.history.is_ours(id, exchange) {
        return None;
    }
    let definition = view.definitions.by_endpoint(exchange).or_else(|| view.definitions.by_itself(state))?;
    Some((definition, state, words::clip(&words::subject(shown_by), 80)))
}

/// Whether a value is a part of another: members it has are parts of those, elements are parts of some. What the whole
/// does not show, a projection may have been asked for by name. The depth of both is bounded by the reader of JSON.
fn is_part_of(part: &Value, whole: &Value, depth: usize) -> bool {
    if depth > crate::scim::resource::MAX_DEPTH {
        return true;
    }
    match (part, whole) {
        (Value::Object(part), Value::Object(_)) => part
            .iter()
            .all(|(name, part)| get(whole, name).is_none_or(|whole| is_part_of(part, whole, depth + 1))),
        (Value::Array(part), Value::Array(whole)) => {
            part.iter().all(|part| whole.iter().any(|whole| is_part_of(part, whole, depth + 1)))
        }
        (part, whole) => part == whole,
    }
}

/// Two answers to one filter say the same total, whatever page they show.
fn total_is_stable(exchange: &Exchange, view: &View<'_>) -> RuleVerdict {
    let Some((now, before, shown_by)) = view.history.totals(exchange) else {
        return RuleVerdict::NotEligible;
    };
    if now == before {
        return RuleVerdict::Held;
    }
    let fault = Fault::new(
        format!(
            "totalResults is {now}, and was {before} for the same filter in {}, though nothing was written between",
            words::clip(&words::subject(shown_by), 80)
        ),
        format!("totalResults {before}"),
        now.to_string(),
    )
    .class("the same total", "another");
    verdict("total-is-stable", exchange, vec![fault])
}
