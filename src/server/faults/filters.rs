//! Filters that are read or evaluated wrongly (RFC 7644 §3.4.2.2).

use super::super::fault::{FaultEntry, ParsedFilter, Rewrite};
use super::super::represent::Representer;
use super::super::rewrite::operator;
use super::fault;
use crate::scim::error::ScimError;
use crate::scim::filter::evaluate::{FilterTypeErrorKind, problems};
use crate::scim::filter::{CompareOperator, Filter, FilterValue};
use crate::scim::path::AttributePath;
use Rewrite::Filter as Parsed;

pub(super) const FAULTS: &[FaultEntry] = &[
    fault(
        "filter-ignored",
        &["DEF-131"],
        "A filter has no effect: everything is returned.",
        "identity providers, which take the first row for their match and overwrite somebody else",
        &["RFC7644-3.4.2.2-02"],
        &[Parsed(|filter| filter.parsed = Ok(None))],
    ),
    fault(
        "filter-finds-nothing",
        &[],
        "A filter finds nothing, whatever it says.",
        "identity providers, which then create what is there",
        &["RFC7644-3.4.2.2-06", "RFC7644-3.4.2.2-02"],
        &[Rewrite::Rows(|rows| {
            if rows.filter.is_some() {
                rows.rows.clear();
            }
        })],
    ),
    fault(
        "filter-error-returns-all",
        &["DEF-130"],
        "A filter that is none is ignored: everything is returned.",
        "identity providers, which take the first row for their match",
        &["RFC7644-3.4.2.2-36", "RFC7644-3.4.2.2-28", "RFC7644-3.4.2.2-02"],
        &[Parsed(|filter| {
            if filter.parsed.is_err() {
                filter.parsed = Ok(None);
            }
        })],
    ),
    fault(
        "filter-error-returns-nothing",
        &["DEF-141"],
        "A filter that is none is answered with an empty list.",
        "clients with a mistake, which create what is there",
        &["RFC7644-3.4.2.2-36", "RFC7644-3.4.2.2-28"],
        &[Parsed(|filter| {
            if filter.parsed.is_err() {
                filter.parsed = Ok(Some(nothing()));
            }
        })],
    ),
    fault(
        "filter-present-means-true",
        &[],
        "active pr finds only the Users whose active is true.",
        "importers, which lose everybody who was deactivated",
        &["RFC7644-3.4.2.2-11"],
        &[Parsed(|filter| {
            rewrite(filter, |it| match it {
                Filter::Present(path) if path.name.eq_ignore_ascii_case("active") => {
                    Filter::Compare { path, operator: CompareOperator::Equal, value: true.into() }
                }
                other => other,
            });
        })],
    ),
    fault(
        "filter-capitals-refused",
        &[],
        "A filter on userName with a capital in its value is answered with 400.",
        "Okta, whose test asks in capitals",
        &["OKTA-SPEC-09", "RFC7643-4.1.1-03"],
        &[Parsed(|filter| {
            let has_capitals = |it: &Filter| {
                equality(it, "userName").is_some_and(|(_, value)| value.contains(char::is_uppercase))
            };
            if matches!(&filter.parsed, Ok(Some(tree)) if any(tree, &has_capitals)) {
                filter.parsed = Err(ScimError::invalid_filter("a userName has no capitals"));
            }
        })],
    ),
    fault(
        "filter-error-answers-500",
        &["DEF-147"],
        "A filter that is none is answered with 500.",
        "identity providers, which retry a 5xx for ever",
        &["RFC7644-3.4.2.2-36", "RFC7644-3.12-18"],
        &[Parsed(|filter| {
            if filter.parsed.is_err() {
                filter.parsed = Err(crash());
            }
        })],
    ),
    fault(
        "filter-unknown-attribute-ignored",
        &["DEF-007"],
        "A filter on an attribute that no schema defines is ignored: everything is returned.",
        "identity providers with a wrong mapping, which overwrite somebody else",
        &["RFC7644-3.4.2.1-06", "RFC7644-3.4.2.2-02"],
        &[Parsed(|filter| {
            if has_unknown_attribute(filter) {
                filter.parsed = Ok(None);
            }
        })],
    ),
    fault(
        "filter-unknown-attribute-answers-500",
        &["DEF-007"],
        "A filter on an attribute that no schema defines is answered with 500.",
        "identity providers with a wrong mapping, which retry for ever",
        &["RFC7644-3.12-18", "RFC7644-3.12-01"],
        &[Parsed(|filter| {
            if has_unknown_attribute(filter) {
                filter.parsed = Err(crash());
            }
        })],
    ),
    fault(
        "filter-user-name-case-sensitive",
        &["DEF-126"],
        "userName eq compares with regard to case.",
        "Entra and Okta, which create a second account for another spelling",
        &["RFC7644-3.4.2.2-37", "RFC7643-4.1.1-03", "RFC7643-7-17"],
        &[Rewrite::Rows(|rows| {
            if let Some((path, text)) = rows.filter.and_then(|filter| equality(filter, "userName")) {
                rows.rows.retain(|row| row.get(&path.name).is_none_or(|value| value == text));
            }
        })],
    ),
    fault(
        "filter-external-id-ignores-case",
        &["DEF-126"],
        "externalId eq finds an externalId that differs in case.",
        "tenants whose ids differ in case only",
        &["RFC7644-3.4.2.2-37", "RFC7643-3.1-17"],
        &[Rewrite::Rows(|rows| {
            if let Some((_, text)) = rows.filter.and_then(|filter| equality(filter, "externalId")) {
                let kind = rows.endpoint.kind();
                let representer = Representer { store: rows.store, base: rows.base };
                let is_near = |value: Option<&str>| {
                    value.is_some_and(|value| value != text && value.eq_ignore_ascii_case(text))
                };
                let near = rows.store.all().filter(|record| {
                    kind.is_none_or(|kind| kind == record.kind) && is_near(record.text("externalId"))
                });
                rows.rows.extend(near.map(|record| representer.candidate(record)));
            }
        })],
    ),
    fault(
        "filter-equals-as-contains",
        &["DEF-132"],
        "eq finds what contains the value.",
        "identity providers, which take ann@example.com for joann@example.com",
        &["RFC7644-3.4.2.2-06"],
        &[Parsed(|filter| {
            operators(filter, CompareOperator::Equal, CompareOperator::Contains);
        })],
    ),
    fault(
        "filter-not-equal-as-equal",
        &["DEF-145"],
        "ne finds what is equal.",
        "clients that look for the others",
        &["RFC7644-3.4.2.2-07"],
        &[Parsed(|filter| operators(filter, CompareOperator::NotEqual, CompareOperator::Equal))],
    ),
    fault(
        "filter-not-equal-refused",
        &["DEF-145"],
        "ne is answered with 500.",
        "clients that look for the others",
        &["RFC7644-3.4.2.2-07"],
        &[Parsed(|filter| crash_if(filter, |it| operator(it) == Some(CompareOperator::NotEqual)))],
    ),
    fault(
        "filter-contains-as-starts-with",
        &[],
        "co finds only what begins with the value.",
        "people who search by a part of a name",
        &["RFC7644-3.4.2.2-08"],
        &[Parsed(|filter| operators(filter, CompareOperator::Contains, CompareOperator::StartsWith))],
    ),
    fault(
        "filter-starts-with-as-contains",
        &[],
        "sw finds what has the value anywhere.",
        "people who search by the beginning of a name",
        &["RFC7644-3.4.2.2-09"],
        &[Parsed(|filter| operators(filter, CompareOperator::StartsWith, CompareOperator::Contains))],
    ),
    fault(
        "filter-ends-with-as-contains",
        &[],
        "ew finds what has the value anywhere.",
        "clients that search by a domain",
        &["RFC7644-3.4.2.2-10"],
        &[Parsed(|filter| operators(filter, CompareOperator::EndsWith, CompareOperator::Contains))],
    ),
    fault(
        "filter-present-always-true",
        &[],
        "pr finds resources without the attribute.",
        "clients that look for complete accounts",
        &["RFC7644-3.4.2.2-11"],
        &[Parsed(|filter| {
            rewrite(filter, |it| match it {
                Filter::Present(_) => Filter::Present(AttributePath::of("id")),
                other => other,
            });
        })],
    ),
    fault(
        "filter-present-on-complex-false",
        &["DEF-157"],
        "pr on a complex attribute finds nothing.",
        "clients that look for complete accounts",
        &["RFC7644-3.4.2.2-11"],
        &[Parsed(|filter| {
            rewrite(filter, |it| match it {
                Filter::Present(path)
                    if ["name", "emails", "phoneNumbers", "addresses", "members", "meta"]
                        .iter()
                        .any(|name| path.sub.is_none() && path.name.eq_ignore_ascii_case(name)) =>
                {
                    nothing()
                }
                other => other,
            });
        })],
    ),
    fault(
        "filter-greater-includes-equal",
        &[],
        "gt finds what is equal too.",
        "clients that ask what changed since",
        &["RFC7644-3.4.2.2-12"],
        &[Parsed(|filter| {
            operators(filter, CompareOperator::GreaterThan, CompareOperator::GreaterOrEqual);
        })],
    ),
    fault(
        "filter-greater-or-equal-excludes-equal",
        &[],
        "ge does not find what is equal.",
        "clients that ask what changed since, and miss a change",
        &["RFC7644-3.4.2.2-14"],
        &[Parsed(|filter| {
            operators(filter, CompareOperator::GreaterOrEqual, CompareOperator::GreaterThan);
        })],
    ),
    fault(
        "filter-less-includes-equal",
        &[],
        "lt finds what is equal too.",
        "clients that ask what is old",
        &["RFC7644-3.4.2.2-16"],
        &[Parsed(|filter| operators(filter, CompareOperator::LessThan, CompareOperator::LessOrEqual))],
    ),
    fault(
        "filter-less-or-equal-excludes-equal",
        &[],
        "le does not find what is equal.",
        "clients that ask what is old",
        &["RFC7644-3.4.2.2-18"],
        &[Parsed(|filter| operators(filter, CompareOperator::LessOrEqual, CompareOperator::LessThan))],
    ),
    fault(
        "filter-order-reversed",
        &[],
        "gt finds what is less, lt what is greater.",
        "clients that ask what changed since",
        &["RFC7644-3.4.2.2-12", "RFC7644-3.4.2.2-16"],
        &[Parsed(|filter| {
            rewrite(filter, |it| match it {
                Filter::Compare { path, operator, value } => {
                    let operator = match operator {
                        CompareOperator::GreaterThan => CompareOperator::LessThan,
                        CompareOperator::GreaterOrEqual => CompareOperator::LessOrEqual,
                        CompareOperator::LessThan => CompareOperator::GreaterThan,
                        CompareOperator::LessOrEqual => CompareOperator::GreaterOrEqual,
                        other => other,
                    };
                    Filter::Compare { path, operator, value }
                }
                other => other,
            });
        })],
    ),
    fault(
        "filter-order-on-boolean-accepted",
        &["DEF-146"],
        "gt on a boolean is answered with a list.",
        "clients with a mistake, which do not learn of it",
        &["RFC7644-3.4.2.2-13", "RFC7644-3.4.2.2-15", "RFC7644-3.4.2.2-17"],
        &[Parsed(|filter| {
            let is_boolean = |it: &Filter| {
                matches!(it, Filter::Compare { operator, value: FilterValue::Boolean(_), .. }
                    if operator.is_ordering())
            };
            if filter.parsed.is_err()
                && let Ok(tree) = Filter::parse(filter.text)
                && any(&tree, &is_boolean)
            {
                filter.parsed = Ok(Some(nothing()));
            }
        })],
    ),
    fault(
        "filter-and-as-or",
        &[],
        "and finds what matches one side only.",
        "identity providers, which overwrite somebody else",
        &["RFC7644-3.4.2.2-20"],
        &[Parsed(|filter| {
            rewrite(filter, |it| match it {
                Filter::And(operands) => Filter::Or(operands),
                other => other,
            });
        })],
    ),
    fault(
        "filter-or-as-and",
        &[],
        "or finds only what matches both sides.",
        "identity providers, which create what is there",
        &["RFC7644-3.4.2.2-21"],
        &[Parsed(|filter| {
            rewrite(filter, |it| match it {
                Filter::Or(operands) => Filter::And(operands),
                other => other,
            });
        })],
    ),
    fault(
        "filter-first-clause-only",
        &["DEF-129"],
        "Of a filter with and or or, only the first clause counts.",
        "identity providers, which overwrite somebody else",
        &["RFC7644-3.4.2.2-20", "RFC7644-3.4.2.2-21", "RFC7644-3.4.2.2-02"],
        &[Parsed(|filter| {
            rewrite(filter, |it| match it {
                Filter::And(operands) | Filter::Or(operands) => {
                    operands.into_iter().next().unwrap_or_else(nothing)
                }
                other => other,
            });
        })],
    ),
    fault(
        "filter-more-than-two-terms-refused",
        &["DEF-152"],
        "A filter of three terms is answered with 500.",
        "clients with more than one condition",
        &["RFC7644-3.4.2.2-05"],
        &[Parsed(|filter| {
            crash_if(filter, |it| match it {
                Filter::And(operands) | Filter::Or(operands) => {
                    operands.len() > 2
                        || operands.iter().any(|it| matches!(it, Filter::And(_) | Filter::Or(_)))
                }
                _ => false,
            });
        })],
    ),
    fault(
        "filter-precedence-left-to-right",
        &["DEF-150"],
        "and and or are evaluated from left to right: and does not bind tighter.",
        "clients with more than one condition",
        &["RFC7644-3.4.2.2-31"],
        &[Parsed(|filter| {
            if !filter.text.contains('(') {
                rewrite(filter, left_to_right);
            }
        })],
    ),
    fault(
        "filter-parentheses-ignored",
        &["DEF-149"],
        "Parentheses have no effect.",
        "clients with more than one condition",
        &["RFC7644-3.4.2.2-23", "RFC7644-3.4.2.2-31"],
        &[Parsed(|filter| {
            let mut in_literal = false;
            let outside = |letter: &char| {
                in_literal ^= *letter == '"';
                in_literal || !matches!(letter, '(' | ')')
            };
            let bare: String = filter.text.chars().filter(outside).collect();
            if filter.parsed.is_ok()
                && !filter.text.to_ascii_lowercase().contains("not")
                && let Ok(tree) = Filter::parse(&bare)
            {
                filter.parsed = Ok(Some(tree));
            }
        })],
    ),
    fault(
        "filter-not-ignored",
        &["DEF-151"],
        "not has no effect.",
        "clients that look for the others",
        &["RFC7644-3.4.2.2-22"],
        &[Parsed(|filter| {
            rewrite(filter, |it| match it {
                Filter::Not(operand) => *operand,
                other => other,
            });
        })],
    ),
    fault(
        "filter-not-of-not-once",
        &[],
        "A not within a not counts once.",
        "clients whose filters are put together by a program",
        &["RFC7644-3.4.2.2-22"],
        &[Parsed(|filter| {
            rewrite(filter, |it| match it {
                Filter::Not(operand) if matches!(*operand, Filter::Not(_)) => *operand,
                other => other,
            });
        })],
    ),
    fault(
        "filter-not-skips-absent",
        &["DEF-160"],
        "not (a eq \"x\") leaves out the resources that have no a.",
        "clients that look for the others",
        &["RFC7644-3.4.2.2-22"],
        &[Parsed(|filter| {
            rewrite(filter, |it| match it {
                Filter::Not(operand) => match &*operand {
                    Filter::Compare { path, .. } => {
                        let present = Filter::Present(path.clone());
                        Filter::And(vec![Filter::Not(operand), present])
                    }
                    _ => Filter::Not(operand),
                },
                other => other,
            });
        })],
    ),
    fault(
        "filter-value-path-across-elements",
        &["DEF-142"],
        "The conditions in emails[…] may be met by different elements.",
        "clients that look for a work address",
        &["RFC7644-3.4.2.2-25"],
        &[Parsed(|filter| {
            rewrite(filter, |it| match it {
                Filter::ValuePath { path, filter } => flatten(&path, *filter),
                other => other,
            });
        })],
    ),
    fault(
        "filter-value-path-ignored",
        &["DEF-142"],
        "emails[…] finds every resource that has emails.",
        "clients that look for a work address",
        &["RFC7644-3.4.2.2-26", "RFC7644-3.4.2.2-25"],
        &[Parsed(|filter| {
            rewrite(filter, |it| match it {
                Filter::ValuePath { path, .. } => Filter::Present(path),
                other => other,
            });
        })],
    ),
    fault(
        "filter-value-path-refused",
        &["DEF-158"],
        "emails[…] is answered with 500.",
        "clients that look for a work address",
        &["RFC7644-3.4.2.2-24"],
        &[Parsed(|filter| crash_if(filter, |it| matches!(it, Filter::ValuePath { .. })))],
    ),
    fault(
        "filter-one-element-for-all",
        &["DEF-159"],
        "emails.value eq \"a\" and emails.value eq \"b\" finds no user who has both.",
        "clients with more than one condition",
        &["RFC7644-3.4.2.2-32", "RFC7644-3.4.2.2-20"],
        &[Parsed(|filter| {
            rewrite(filter, |it| match it {
                Filter::And(operands) => in_one_element(operands),
                other => other,
            });
        })],
    ),
    fault(
        "filter-multi-valued-finds-nothing",
        &["DEF-157"],
        "A filter on emails.value finds nothing.",
        "identity providers that match by address",
        &["RFC7644-3.4.2.2-32"],
        &[Parsed(|filter| {
            rewrite(filter, |it| match it {
                Filter::Compare { path, .. } if path.name.eq_ignore_ascii_case("emails") => nothing(),
                other => other,
            });
        })],
    ),
    fault(
        "filter-sub-attribute-finds-nothing",
        &["DEF-157"],
        "A filter on name.familyName finds nothing.",
        "people who search by name",
        &["RFC7644-3.4.2.2-30"],
        &[Parsed(|filter| {
            rewrite(filter, |it| match it {
                Filter::Compare { path, .. } if path.name.eq_ignore_ascii_case("name") => nothing(),
                other => other,
            });
        })],
    ),
    fault(
        "filter-operator-case-sensitive",
        &["DEF-243", "DEF-128"],
        "Operators in capitals are refused.",
        "clients that write EQ or AND",
        &["RFC7644-3.4.2.2-03", "RFC7643-2.1-04"],
        &[Parsed(|filter| {
            let is_operator = |word: &str| {
                let lower = word.to_ascii_lowercase();
                let is_known = ["and", "or", "not", "pr"].contains(&lower.as_str());
                word != lower && (is_known || CompareOperator::parse(word).is_some())
            };
            if filter.text.split([' ', '(', ')', '[', ']']).any(is_operator) {
                filter.parsed = Err(ScimError::invalid_filter("unknown operator"));
            }
        })],
    ),
    fault(
        "filter-attribute-case-sensitive",
        &["DEF-242"],
        "Attribute names in another spelling find nothing.",
        "clients that write username",
        &["RFC7644-3.4.2.2-03", "RFC7643-2.1-03"],
        &[Parsed(|filter| {
            const KNOWN: [&str; 8] =
                ["userName", "displayName", "externalId", "name", "emails", "active", "title", "nickName"];
            rewrite(filter, |it| match it {
                Filter::Compare { path, .. } | Filter::Present(path)
                    if KNOWN
                        .iter()
                        .any(|known| path.name.eq_ignore_ascii_case(known) && path.name != *known) =>
                {
                    nothing()
                }
                other => other,
            });
        })],
    ),
    fault(
        "filter-urn-refused",
        &["DEF-082"],
        "An attribute with the URN of its core schema is refused.",
        "clients that write whole names",
        &["RFC7644-3.4.2.2-30", "RFC7644-3.10-01"],
        &[Parsed(|filter| {
            if filter.text.to_ascii_lowercase().contains("core:2.0:user:") {
                filter.parsed = Err(ScimError::invalid_filter("unexpected colon"));
            }
        })],
    ),
    fault(
        "filter-extension-finds-nothing",
        &["DEF-136"],
        "A filter on an attribute of the enterprise extension finds nothing.",
        "clients that look for employee numbers",
        &["RFC7644-3.4.2.2-30", "RFC7644-3.10-01"],
        &[Parsed(|filter| {
            rewrite(filter, |it| match it {
                Filter::Compare { path, .. } | Filter::Present(path)
                    if path.urn.as_deref().is_some_and(|urn| urn.contains("enterprise")) =>
                {
                    nothing()
                }
                other => other,
            });
        })],
    ),
    fault(
        "filter-escapes-not-understood",
        &["DEF-154"],
        "An escaped quote or backslash in a literal is refused.",
        "people whose names have one",
        &["RFC7644-3.4.2.2-29"],
        &[Parsed(|filter| {
            if filter.text.contains('\\') {
                filter.parsed = Err(ScimError::invalid_filter("unexpected backslash"));
            }
        })],
    ),
    fault(
        "filter-blank-in-literal-cut",
        &["DEF-153"],
        "A literal ends at its first blank.",
        "groups with more than one word in their name",
        &["RFC7644-3.4.2.2-29", "RFC7644-3.4.2.2-06"],
        &[Parsed(|filter| {
            rewrite_text(filter, |text| text.split(' ').next().unwrap_or_default().to_owned());
        })],
    ),
    fault(
        "filter-brackets-in-literal-refused",
        &["DEF-155"],
        "Brackets and parentheses in a literal are answered with 500.",
        "groups like Sales (EU)",
        &["RFC7644-3.4.2.2-29"],
        &[Parsed(|filter| {
            crash_if(filter, |it| {
                matches!(it, Filter::Compare { value: FilterValue::String(text), .. }
                    if text.contains(['(', ')', '[', ']']))
            });
        })],
    ),
    fault(
        "filter-wildcards-active",
        &["DEF-140"],
        "A percent sign in a literal stands for anything.",
        "everybody: somebody else is found",
        &["RFC7644-3.4.2.2-06"],
        &[Parsed(|filter| {
            rewrite(filter, |it| match it {
                Filter::Compare { path, value: FilterValue::String(text), .. } if text.contains('%') => {
                    let start = text.split('%').next().unwrap_or_default().to_owned();
                    Filter::Compare {
                        path,
                        operator: CompareOperator::StartsWith,
                        value: FilterValue::String(start),
                    }
                }
                other => other,
            });
        })],
    ),
    fault(
        "filter-external-id-answers-500",
        &["DEF-133"],
        "A filter on externalId is answered with 500.",
        "Entra, where it can be the matching attribute",
        &["RFC7644-3.4.2.2-06"],
        &[Parsed(|filter| crash_if(filter, |it| names(it, "externalId")))],
    ),
    fault(
        "filter-id-answers-500",
        &["DEF-134"],
        "A filter on id is answered with 500.",
        "Entra, which reads groups by id and member",
        &["RFC7644-3.4.2.2-06"],
        &[Parsed(|filter| crash_if(filter, |it| names(it, "id")))],
    ),
    fault(
        "filter-members-answers-500",
        &["DEF-135"],
        "A filter on members is answered with 500.",
        "Entra, which reads groups by id and member",
        &["RFC7644-3.4.2.2-32"],
        &[Parsed(|filter| crash_if(filter, |it| names(it, "members")))],
    ),
    fault(
        "filter-times-find-nothing",
        &[],
        "A filter on meta.created or meta.lastModified finds nothing.",
        "clients that ask what changed since",
        &["RFC7644-3.4.2.2-12"],
        &[Parsed(|filter| {
            rewrite(filter, |it| if names(&it, "meta") { nothing() } else { it });
        })],
    ),
    fault(
        "filter-boolean-finds-nothing",
        &["DEF-100"],
        "active eq false finds nothing.",
        "clients that look for leavers",
        &["RFC7644-3.4.2.2-29", "RFC7644-3.4.2.2-06"],
        &[Parsed(|filter| {
            rewrite(filter, |it| match it {
                Filter::Compare { value: FilterValue::Boolean(false), .. } => nothing(),
                other => other,
            });
        })],
    ),
];

/// A filter that matches no resource.
pub(super) fn nothing() -> Filter {
    Filter::Not(Box::new(Filter::Present(AttributePath::of("id"))))
}

fn has_unknown_attribute(filter: &ParsedFilter<'_>) -> bool {
    let is_unknown = |tree: Filter| {
        problems(&tree, filter.definition).iter().any(|it| it.kind == FilterTypeErrorKind::Unknown)
    };
    filter.parsed.is_err() && Filter::parse(filter.text).is_ok_and(is_unknown)
}

fn crash() -> ScimError {
    ScimError::new(500, "unexpected token")
}

/// Rewrites a filter from its leaves up. Its depth is bounded by the parser.
pub(super) fn rewrite(filter: &mut ParsedFilter<'_>, change: impl Fn(Filter) -> Filter) {
    if let Ok(Some(tree)) = &mut filter.parsed {
        *tree = map(tree.clone(), &change);
    }
}

fn map(filter: Filter, change: &impl Fn(Filter) -> Filter) -> Filter {
    let all = |operands: Vec<Filter>| operands.into_iter().map(|it| map(it, change)).collect();
    change(match filter {
        Filter::And(operands) => Filter::And(all(operands)),
        Filter::Or(operands) => Filter::Or(all(operands)),
        Filter::Not(operand) => Filter::Not(Box::new(map(*operand, change))),
        Filter::ValuePath { path, filter } => {
            Filter::ValuePath { path, filter: Box::new(map(*filter, change)) }
        }
        leaf => leaf,
    })
}

/// Whether a part of a filter is of a kind.
fn any(filter: &Filter, is: &impl Fn(&Filter) -> bool) -> bool {
    is(filter)
        || match filter {
            Filter::And(operands) | Filter::Or(operands) => operands.iter().any(|it| any(it, is)),
            Filter::Not(operand) => any(operand, is),
            Filter::ValuePath { filter, .. } => any(filter, is),
            _ => false,
        }
}

fn crash_if(filter: &mut ParsedFilter<'_>, is: impl Fn(&Filter) -> bool) {
    if let Ok(Some(tree)) = &filter.parsed
        && any(tree, &is)
    {
        filter.parsed = Err(crash());
    }
}

fn operators(filter: &mut ParsedFilter<'_>, from: CompareOperator, to: CompareOperator) {
    rewrite(filter, |it| match it {
        Filter::Compare { path, operator, value } if operator == from => {
            let is_text = matches!(value, FilterValue::String(_));
            let operator = if to.is_substring() && !is_text { operator } else { to };
            Filter::Compare { path, operator, value }
        }
        other => other,
    });
}

fn rewrite_text(filter: &mut ParsedFilter<'_>, change: impl Fn(&str) -> String) {
    rewrite(filter, |it| match it {
        Filter::Compare { path, operator, value: FilterValue::String(text) } => {
            Filter::Compare { path, operator, value: FilterValue::String(change(&text)) }
        }
        other => other,
    });
}

/// Whether a filter is about an attribute.
fn names(filter: &Filter, name: &str) -> bool {
    match filter {
        Filter::Compare { path, .. } | Filter::Present(path) | Filter::ValuePath { path, .. } => {
            path.name.eq_ignore_ascii_case(name)
        }
        _ => false,
    }
}

/// The path and the text of a filter that is `name eq "text"`, on its own or as an operand of `and`.
fn equality<'a>(filter: &'a Filter, name: &'static str) -> Option<(AttributePath, &'a str)> {
    match filter {
        Filter::And(operands) => operands.iter().find_map(|operand| equality(operand, name)),
        Filter::Compare { path, operator: CompareOperator::Equal, value: FilterValue::String(text) }
            if path.name.eq_ignore_ascii_case(name) =>
        {
            Some((AttributePath::of(name), text))
        }
        _ => None,
    }
}

/// `a or b and c` as `(a or b) and c`.
fn left_to_right(filter: Filter) -> Filter {
    let Filter::Or(operands) = filter else { return filter };
    let mut operands = operands.into_iter();
    let Some(mut left) = operands.next() else { return nothing() };
    for operand in operands {
        left = match operand {
            Filter::And(factors) => {
                let mut factors = factors.into_iter();
                let first = factors.next().unwrap_or_else(nothing);
                let mut all = vec![Filter::Or(vec![left, first])];
                all.extend(factors);
                Filter::And(all)
            }
            other => Filter::Or(vec![left, other]),
        };
    }
    left
}

/// The filter in brackets as one over the whole attribute.
fn flatten(attribute: &AttributePath, filter: Filter) -> Filter {
    let whole = |path: AttributePath| attribute.with_sub(path.name);
    map(filter, &|it| match it {
        Filter::Compare { path, operator, value } => Filter::Compare { path: whole(path), operator, value },
        Filter::Present(path) => Filter::Present(whole(path)),
        other => other,
    })
}

/// Draws comparisons of the sub-attributes of one attribute together into one element of it.
fn in_one_element(operands: Vec<Filter>) -> Filter {
    let parent = |it: &Filter| match it {
        Filter::Compare { path, .. } => path.sub.as_ref().map(|_| path.without_sub()),
        _ => None,
    };
    let Some(shared) = operands.first().and_then(parent) else { return Filter::And(operands) };
    let is_list = ["emails", "phoneNumbers", "members", "addresses"]
        .iter()
        .any(|name| shared.name.eq_ignore_ascii_case(name));
    if !is_list || !operands.iter().all(|it| parent(it).as_ref() == Some(&shared)) {
        return Filter::And(operands);
    }
    let inner = operands.into_iter().map(|it| match it {
        Filter::Compare { path, operator, value } => {
            let path = AttributePath::of(path.sub.unwrap_or_default());
            Filter::Compare { path, operator, value }
        }
        other => other,
    });
    Filter::ValuePath { path: shared, filter: Box::new(Filter::And(inner.collect())) }
}
