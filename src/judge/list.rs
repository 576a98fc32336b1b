//! A ListResponse seen from the resources that the run created: which of ours it must hold, and what the
//! other rows may be.

use serde_json::Value;

use super::bench::{Bench, Judged, Wrong};
use super::{ExpectError, kind, words};
use crate::oracle::world::{Truth, Worlds};
use crate::outcome::{Difference, Severity};
use crate::scim::filter::Filter;
use crate::scim::list::ListResponse;
use crate::scim::resource::get;
use crate::suite::model::{Foreign, ListExpect, Ours};

/// Judges the answer as a list.
pub fn judge(bench: &Bench<'_>, expect: &ListExpect) -> Result<Judged, ExpectError> {
    let mut judged = Judged::default();
    let json = match bench.json("list", "a ListResponse") {
        Ok(json) => json,
        Err(finding) => {
            judged.broken.push(*finding);
            return Ok(judged);
        }
    };
    let parsed = ListResponse::from_json(json);
    // A total that is smaller than the page is arithmetic, and a rule's business.
    let broken_form = parsed.problems.iter().find(|problem| {
        matches!(problem.path.as_str(), "" | "schemas" | "Resources")
            || problem.path.starts_with("Resources[")
    });
    // An explicit null for no resources is a warning of a rule, not a list that cannot be read.
    let tolerated = get(json, "Resources").is_some_and(Value::is_null);
    if let Some(problem) = broken_form.filter(|problem| !(tolerated && problem.path == "Resources")) {
        judged.broken.push(bench.broken(Wrong {
            check: "list".to_owned(),
            message: format!("{}: the answer is no ListResponse: {problem}", bench.subject()),
            expected: "a ListResponse".to_owned(),
            actual: words::clip(&problem.to_string(), 200),
            expected_class: "ListResponse".to_owned(),
            actual_class: format!("{} wrong", if problem.path.is_empty() { "body" } else { "member" }),
            ..Wrong::default()
        }));
    }
    let Some(list) = parsed.value else { return Ok(judged) };
    let rows: Vec<Row<'_>> = list.resources.iter().map(Row::of).collect();
    let is_partial = list.total_results.is_some_and(|total| total > rows.len() as u64);
    if let Some(ours) = &expect.ours {
        judged.absorb(match ours {
            Ours::Some => at_least_one(bench, &rows),
            Ours::Exactly(names) => exactly(bench, &rows, names, expect.ordered, is_partial)?,
        });
    }
    judged.absorb(foreign(bench, &rows, expect.foreign)?);
    Ok(judged)
}

/// One row with its id.
struct Row<'a> {
    resource: &'a Value,
    id: Option<String>,
}

impl<'a> Row<'a> {
    fn of(resource: &'a Value) -> Row<'a> {
        let id = match get(resource, "id") {
            Some(Value::String(id)) => Some(id.clone()),
            Some(Value::Number(id)) => Some(id.to_string()),
            _ => None,
        };
        Row { resource, id }
    }

    /// What the row is, for people: its userName or displayName.
    fn label(&self) -> String {
        ["userName", "displayName", "id"]
            .iter()
            .find_map(|name| get(self.resource, name))
            .map_or("a resource without a name".to_owned(), words::show)
    }
}

fn at_least_one(bench: &Bench<'_>, rows: &[Row<'_>]) -> Judged {
    let mut judged = Judged::default();
    if !rows.iter().any(|row| row.id.as_deref().is_some_and(|id| bench.context.ours.created(id))) {
        judged.broken.push(bench.broken(Wrong {
            check: "list.ours".to_owned(),
            message: format!("{}: the list holds none of the resources created here", bench.subject()),
            expected: "at least one of ours".to_owned(),
            actual: format!("{} others", rows.len()),
            expected_class: "some of ours".to_owned(),
            actual_class: "none of ours".to_owned(),
            ..Wrong::default()
        }));
    }
    judged
}

fn exactly(
    bench: &Bench<'_>,
    rows: &[Row<'_>],
    names: &[String],
    ordered: bool,
    is_partial: bool,
) -> Result<Judged, ExpectError> {
    let mut judged = Judged::default();
    let mut expected: Vec<(&str, &str)> = Vec::new();
    for name in names {
        let handles = bench.context.ours.handles(name);
        if handles.is_empty() {
            return Err(bench.lack("list.ours", format!("'{name}' names no resource of this case")));
        }
        for handle in handles {
            let id = handle.id.as_deref().ok_or_else(|| {
                bench.lack("list.ours", format!("'{name}' has no id: the service provider gave none"))
            })?;
            expected.push((name, id));
        }
    }
    let found: Vec<(usize, &str, &str)> = rows
        .iter()
        .enumerate()
        .filter_map(|(index, row)| {
            let id = row.id.as_deref()?;
            bench.context.ours.name_of(id).map(|name| (index, name, id))
        })
        .collect();
    let is_there = |id: &str| found.iter().any(|(_, _, found)| super::same_id(found, id));
    let missing: Vec<&str> = expected.iter().filter(|(_, id)| !is_there(id)).map(|(name, _)| *name).collect();
    let surplus: Vec<&str> = found
        .iter()
        .filter(|(_, _, id)| !expected.iter().any(|(_, wanted)| super::same_id(wanted, id)))
        .map(|(_, name, _)| *name)
        .collect();
    let twice: Vec<&str> = found
        .iter()
        .enumerate()
        .filter(|(position, (_, _, id))| {
            found[..*position].iter().any(|(_, _, earlier)| super::same_id(earlier, id))
        })
        .map(|(_, (_, name, _))| *name)
        .collect();
    let wanted = match names {
        [] => "none of ours".to_owned(),
        _ => format!("exactly {} of ours", names.join(", ")),
    };
    let present: Vec<&str> = found.iter().map(|(_, name, _)| *name).collect();
    let actual = if present.is_empty() { "none of ours".to_owned() } else { present.join(", ") };

    // A page that is smaller than what was expected may be a cap: the rest can stand on the next page.
    let capped = is_partial && rows.len() < expected.len() && surplus.is_empty() && twice.is_empty();
    let mut parts = Vec::new();
    let mut classes = Vec::new();
    for (names, what, class) in [
        (&missing, "lacks", "ours missing"),
        (&surplus, "should not hold", "ours too many"),
        (&twice, "repeats", "ours twice"),
    ] {
        if !names.is_empty() {
            parts.push(format!("{what} {}", names.join(", ")));
            classes.push(class);
        }
    }
    if !parts.is_empty() {
        let tail = if capped { " (the page is partial: they may stand on the next)" } else { "" };
        let differences = missing
            .iter()
            .map(|name| Difference {
                path: (*name).to_owned(),
                expected: "in the list".to_owned(),
                actual: "missing".to_owned(),
            })
            .chain(surplus.iter().map(|name| Difference {
                path: (*name).to_owned(),
                expected: "not in the list".to_owned(),
                actual: "there".to_owned(),
            }))
            .collect();
        let wrong = Wrong {
            check: "list.ours".to_owned(),
            message: format!("{}: the list {}{tail}", bench.subject(), parts.join(" and ")),
            expected: wanted,
            actual,
            expected_class: "exactly ours".to_owned(),
            actual_class: classes.join(", "),
            differences,
            ..Wrong::default()
        };
        judged.broken.push(if capped {
            bench.finding(wrong, Severity::Warning.min(bench.level.severity()))
        } else {
            bench.broken(wrong)
        });
    } else if ordered {
        let order: Vec<&str> = found.iter().map(|(_, _, id)| *id).collect();
        let held = order.iter().zip(&expected).all(|(id, (_, wanted))| super::same_id(id, wanted));
        if !held {
            judged.broken.push(bench.broken(Wrong {
                check: "list.ours".to_owned(),
                at: Some("list.ordered".to_owned()),
                message: format!(
                    "{}: the list has the order {}, expected {}",
                    bench.subject(),
                    present.join(", "),
                    names.join(", ")
                ),
                expected: names.join(", "),
                actual,
                expected_class: "ordered".to_owned(),
                actual_class: "other order".to_owned(),
                ..Wrong::default()
            }));
        }
    }
    Ok(judged)
}

fn foreign(bench: &Bench<'_>, rows: &[Row<'_>], wanted: Foreign) -> Result<Judged, ExpectError> {
    let mut judged = Judged::default();
    let ours = bench.context.ours;
    let strangers: Vec<&Row<'_>> =
        rows.iter().filter(|row| row.id.as_deref().is_none_or(|id| ours.name_of(id).is_none())).collect();
    let offending: Vec<&Row<'_>> = match wanted {
        Foreign::Any => return Ok(judged),
        Foreign::Matching => {
            let oracle = Oracle::of(bench)?;
            strangers.into_iter().filter(|row| !oracle.may_match(bench, row.resource)).collect()
        }
        Foreign::None => {
            // Resources of other cases of this run are no strangers: they may stand here if they match.
            let oracle = Oracle::of(bench).ok();
            strangers
                .into_iter()
                .filter(|row| {
                    let is_created_here = row.id.as_deref().is_some_and(|id| ours.created(id));
                    !(is_created_here
                        && oracle.as_ref().is_some_and(|oracle| oracle.may_match(bench, row.resource)))
                })
                .collect()
        }
    };
    if let Some(first) = offending.first() {
        let (expected, class, what) = match wanted {
            Foreign::None => {
                ("no resource but ours".to_owned(), "no strangers", "holds resources that are not ours")
            }
            _ => (
                format!("only resources that match {}", bench.context.filter.unwrap_or("the filter")),
                "strangers that match",
                "holds resources that do not match the filter",
            ),
        };
        judged.broken.push(bench.broken(Wrong {
            check: "list.foreign".to_owned(),
            message: format!(
                "{}: the list {what}: {} of {} rows",
                bench.subject(),
                offending.len(),
                rows.len()
            ),
            expected,
            actual: format!("{} such rows, the first is {}", offending.len(), first.label()),
            expected_class: class.to_owned(),
            actual_class: "strangers".to_owned(),
            ..Wrong::default()
        }));
    }
    Ok(judged)
}

/// What the oracle says of the query's filter.
enum Oracle {
    /// No filter: everything matches.
    Everything,
    /// The rows do not show what the filter looks at, so nothing can be said against any.
    Blind,
    /// The filter.
    Filter(Filter),
}

impl Oracle {
    fn of(bench: &Bench<'_>) -> Result<Oracle, ExpectError> {
        let Some(text) = bench.context.filter else { return Ok(Oracle::Everything) };
        let filter = Filter::parse(text).map_err(|error| {
            let message = format!("foreign: matching needs a filter that can be evaluated: {error}");
            bench.error("list.foreign", message)
        })?;
        if kind::is_projected(&bench.exchange.request) {
            return Ok(Oracle::Blind);
        }
        Ok(Oracle::Filter(filter))
    }

    /// Whether the resource matches, or nothing can be said against it.
    fn may_match(&self, bench: &Bench<'_>, resource: &Value) -> bool {
        match self {
            Oracle::Everything | Oracle::Blind => true,
            Oracle::Filter(filter) => {
                let definition = kind::definition(bench.context.schemas, bench.exchange, resource);
                let is_nameless = definition.schema.attributes.is_empty() && definition.extensions.is_empty();
                is_nameless || Worlds::all().truth(filter, resource, &definition) != Truth::MustNot
            }
        }
    }
}
