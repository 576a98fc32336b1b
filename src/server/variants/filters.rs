//! Filters where the RFC leaves the choice (RFC 7644 §3.4.2.2): what is declined, and how the rest is read.

use std::sync::LazyLock;

use axum::http::StatusCode;
use regex::Regex;
use serde_json::Value;

use super::super::endpoint::{Endpoint, Kind};
use super::super::fault::{ParsedFilter, Rewrite};
use super::super::rewrite::{any_part, operator, refuse};
use super::super::variant::VariantEntry;
use super::discovery::declare;
use super::{choice, rewriting};
use crate::scim::definition::ResourceDefinition;
use crate::scim::error::ScimError;
use crate::scim::filter::evaluate::{FilterTypeError, FilterTypeErrorKind, problems};
use crate::scim::filter::{CompareOperator, Filter, FilterValue};
use crate::scim::names;
use crate::scim::path::AttributePath;
use crate::scim::schema::{AttributeType, SchemaSet};
use Rewrite::Filter as Parsed;

/// What allows a server to decline a part of the filter language.
const DECLINED: &str = "RFC 7644 section 3.4.2.2: filters are optional, and an operation that is not recognised is declined with 400 invalidFilter";

pub(super) const VARIANTS: &[VariantEntry] = &[
    rewriting(
        "filter-on-unknown-attribute-finds-nothing",
        &["AMB-60"],
        "A filter on an attribute that no schema defines is answered with an empty list.",
        "RFC 7644 section 3.4.2.1: a filter on an undefined attribute evaluates to false",
        &[Parsed(|filter| {
            if filter.parsed.is_err()
                && let Ok(tree) = Filter::parse(filter.text)
                && problems(&tree, filter.definition)
                    .iter()
                    .all(|problem| problem.kind == FilterTypeErrorKind::Unknown)
            {
                filter.parsed = Ok(Some(tree));
            }
        })],
    ),
    rewriting(
        "root-filter-needs-attributes-of-every-type",
        &["AMB-60"],
        "At the root, a filter on an attribute that one of the types does not have is answered with 400 invalidFilter.",
        "RFC 7644 Table 9: invalidFilter where attribute and comparison are not supported; section 3.4.2.1 has it otherwise for the root, which is warned of",
        &[Rewrite::Answer(|seen, answer| {
            if !matches!(seen.endpoint, Endpoint::Root | Endpoint::RootSearch)
                || answer.status != StatusCode::OK
            {
                return;
            }
            let body = super::super::rewrite::body_of(seen.request).unwrap_or_default();
            let text = seen.request.parameter("filter").or_else(|| body.get("filter")?.as_str());
            let lacks = |tree: &Filter, definition: &ResourceDefinition| {
                problems(tree, definition).iter().any(|problem| problem.kind == FilterTypeErrorKind::Unknown)
            };
            if let Some(Ok(tree)) = text.map(Filter::parse)
                && Kind::CORE
                    .iter()
                    .filter_map(|kind| SchemaSet::core().definition(kind.name()))
                    .any(|definition| lacks(&tree, &definition))
            {
                refuse(answer, StatusCode::BAD_REQUEST, Some("invalidFilter"), "not every type has that");
            }
        })],
    ),
    rewriting(
        "filter-value-paths-declined",
        &["AMB-61"],
        "A filter with brackets is answered with 400 invalidFilter.",
        "RFC 7644 section 3.4.2.2: service providers may support complex filters within brackets",
        &[Parsed(|filter| decline(filter, |it| matches!(it, Filter::ValuePath { .. })))],
    ),
    rewriting(
        "filter-equality-only",
        &["AMB-61"],
        "Every filter but one comparison with eq is answered with 400 invalidFilter.",
        DECLINED,
        &[Parsed(|filter| {
            decline(filter, |it| !matches!(it, Filter::Compare { operator: CompareOperator::Equal, .. }));
        })],
    ),
    rewriting(
        "filter-equality-and-conjunction-only",
        &["AMB-61"],
        "Every filter but comparisons with eq, joined by and, is answered with 400 invalidFilter.",
        DECLINED,
        &[Parsed(|filter| {
            let is_supported = |it: &Filter| {
                matches!(it, Filter::And(_) | Filter::Compare { operator: CompareOperator::Equal, .. })
            };
            decline(filter, |it| !is_supported(it));
        })],
    ),
    rewriting(
        "filter-negation-declined",
        &["AMB-61"],
        "A filter with ne or not is answered with 400 invalidFilter.",
        DECLINED,
        &[Parsed(|filter| {
            decline(filter, |it| {
                matches!(it, Filter::Not(_) | Filter::Compare { operator: CompareOperator::NotEqual, .. })
            });
        })],
    ),
    rewriting(
        "filter-disjunction-declined",
        &["AMB-61"],
        "A filter with or is answered with 400 invalidFilter.",
        DECLINED,
        &[Parsed(|filter| decline(filter, |it| matches!(it, Filter::Or(_))))],
    ),
    rewriting(
        "filter-connectives-declined",
        &["AMB-61"],
        "A filter of more than one expression is answered with 400 invalidFilter.",
        DECLINED,
        &[Parsed(|filter| {
            decline(filter, |it| matches!(it, Filter::Or(_) | Filter::And(_) | Filter::Not(_)))
        })],
    ),
    rewriting(
        "filter-order-declined",
        &["AMB-61"],
        "A filter with gt, ge, lt or le is answered with 400 invalidFilter.",
        DECLINED,
        &[Parsed(|filter| decline(filter, |it| operator(it).is_some_and(CompareOperator::is_ordering)))],
    ),
    rewriting(
        "filter-substrings-declined",
        &["AMB-61"],
        "A filter with co, sw or ew is answered with 400 invalidFilter.",
        DECLINED,
        &[Parsed(|filter| decline(filter, |it| operator(it).is_some_and(CompareOperator::is_substring)))],
    ),
    rewriting(
        "filter-contains-and-ends-with-declined",
        &["AMB-61"],
        "A filter with co or ew, which no index serves, is answered with 400 invalidFilter.",
        DECLINED,
        &[Parsed(|filter| {
            decline(filter, |it| {
                matches!(operator(it), Some(CompareOperator::Contains | CompareOperator::EndsWith))
            });
        })],
    ),
    rewriting(
        "filter-presence-declined",
        &["AMB-61"],
        "A filter with pr is answered with 400 invalidFilter.",
        DECLINED,
        &[Parsed(|filter| decline(filter, |it| matches!(it, Filter::Present(_))))],
    ),
    rewriting(
        "filter-on-names-and-ids-only",
        &["AMB-61"],
        "A filter on anything but id, externalId, userName and displayName is answered with 400 invalidFilter.",
        DECLINED,
        &[Parsed(|filter| {
            const INDEXED: &[&str] = &["id", "externalId", "userName", "displayName"];
            decline(filter, |it| {
                path(it).is_some_and(|path| !INDEXED.iter().any(|name| path.name.eq_ignore_ascii_case(name)))
            });
        })],
    ),
    rewriting(
        "filter-on-user-name-only",
        &["AMB-61"],
        "Users are filtered by userName eq and groups by displayName eq; any other filter is answered with 400 invalidFilter.",
        DECLINED,
        &[Parsed(|filter| {
            decline(filter, |it| {
                let names = ["userName", "displayName"];
                let is_by_name = path(it)
                    .is_some_and(|path| names.iter().any(|name| path.name.eq_ignore_ascii_case(name)));
                !is_by_name || operator(it) != Some(CompareOperator::Equal)
            });
        })],
    ),
    rewriting(
        "filter-on-several-values-declined",
        &["AMB-61"],
        "A filter on an attribute with several values, or a part of one, is answered with 400 invalidFilter.",
        DECLINED,
        &[Parsed(|filter| {
            let definition = filter.definition;
            decline(filter, |it| {
                path(it)
                    .and_then(|path| definition.attribute(&path.without_sub()))
                    .is_some_and(|attribute| attribute.multi_valued)
            });
        })],
    ),
    rewriting(
        "filter-on-extensions-declined",
        &["AMB-61"],
        "A filter on an attribute of an extension is answered with 400 invalidFilter.",
        DECLINED,
        &[Parsed(|filter| {
            let is_extension = |urn: &str| urn.to_ascii_lowercase().contains(":extension:");
            decline(filter, |it| path(it).and_then(|path| path.urn.as_deref()).is_some_and(is_extension));
        })],
    ),
    rewriting(
        "filter-on-meta-declined",
        &["AMB-61"],
        "A filter on meta is answered with 400 invalidFilter.",
        DECLINED,
        &[Parsed(|filter| {
            decline(filter, |it| path(it).is_some_and(|path| path.name.eq_ignore_ascii_case("meta")));
        })],
    ),
    rewriting(
        "filter-mixture-needs-parentheses",
        &["AMB-68"],
        "A filter with and beside or, and no parentheses, is answered with 400 invalidFilter.",
        DECLINED,
        &[Parsed(|filter| {
            if !filter.text.contains('(') {
                let is_mixed = |it: &Filter| {
                    matches!(it, Filter::Or(operands)
                        if operands.iter().any(|operand| matches!(operand, Filter::And(_))))
                };
                decline(filter, is_mixed);
            }
        })],
    ),
    rewriting(
        "filter-brackets-without-parentheses",
        &["AMB-70"],
        "A filter with parentheses, or with both and and or, between its brackets is answered with 400 invalidFilter.",
        "RFC 7644 section 3.4.2.2: brackets may be supported; what their grammar nests is in dispute (errata 4690, 7322)",
        &[Parsed(|filter| {
            decline(filter, |it| match it {
                Filter::ValuePath { filter, .. } => match filter.as_ref() {
                    Filter::And(operands) | Filter::Or(operands) => {
                        !operands.iter().all(|operand| operator(operand).is_some())
                    }
                    inner => operator(inner).is_none(),
                },
                _ => false,
            });
        })],
    ),
    rewriting(
        "filter-literal-without-quotes-read-as-text",
        &["AMB-76"],
        "A single word without quotes is read as a text.",
        "RFC 7644 section 3.4.2.1 prints such a filter itself (meta.resourceType eq User), against its own grammar",
        &[Parsed(|filter| {
            static BARE: LazyLock<Option<Regex>> =
                LazyLock::new(|| Regex::new(r"(?i)^([\w.:$-]+ (?:eq|ne|co|sw|ew)) ([a-z]\w*)$").ok());
            let bare = BARE.as_ref().and_then(|bare| bare.captures(filter.text));
            if let (true, Some(parts)) = (filter.parsed.is_err(), bare)
                && let Ok(tree) = Filter::parse(&format!("{} {}", &parts[1], Value::from(&parts[2])))
            {
                filter.parsed = Ok(Some(tree));
            }
        })],
    ),
    choice(
        "title-is-case-exact",
        &["AMB-29"],
        "/Schemas declares title case-exact, and filters compare it with regard to case.",
        "RFC 7643 section 8.7.1 prints the schemas as an example whose values may change; behaviour and declaration agree",
        |behaviour| {
            behaviour
                .schemas
                .push(|set| declare(set, names::USER, "title", |attribute| attribute.case_exact = true));
        },
    ),
    rewriting(
        "filter-literals-converted",
        &["AMB-63"],
        "A text that is compared with a boolean is taken for one.",
        "RFC 7644 section 3.4.2.2: eq is of identical values, and how a literal becomes a value is not said; a warning",
        &[Parsed(|filter| {
            let definition = filter.definition;
            let is_literal = |problem: &FilterTypeError| problem.kind == FilterTypeErrorKind::Literal;
            reread(filter, &is_literal, &|it| match it {
                Filter::Compare { path, value: FilterValue::String(text), .. }
                    if definition.attribute(path).is_some_and(|it| it.kind == AttributeType::Boolean) =>
                {
                    let value = FilterValue::Boolean(text.eq_ignore_ascii_case("true"));
                    Some(with_value(it, value))
                }
                _ => None,
            });
        })],
    ),
    rewriting(
        "filter-literal-of-another-type-equals-nothing",
        &["AMB-63"],
        "A comparison with a literal of another type finds nothing.",
        "RFC 7644 section 3.4.2.2: eq is of identical values, and a text is identical with no boolean",
        &[Parsed(|filter| {
            finds_nothing_by(filter, |_, problem| problem.kind == FilterTypeErrorKind::Literal)
        })],
    ),
    rewriting(
        "filter-on-whole-attribute-declined",
        &["AMB-64"],
        "A comparison of emails without a sub-attribute is answered with 400 invalidFilter.",
        "RFC 7644 section 3.4.2.2: of a complex attribute a sub-attribute is to be named; its examples do not; a warning",
        &[Parsed(|filter| {
            let definition = filter.definition;
            decline(filter, |it| match it {
                Filter::Compare { path, .. } => {
                    path.sub.is_none()
                        && definition.attribute(path).is_some_and(|it| !it.sub_attributes.is_empty())
                }
                _ => false,
            });
        })],
    ),
    rewriting(
        "filter-on-whole-name-finds-nothing",
        &["AMB-64"],
        "A comparison of name without a sub-attribute finds nothing.",
        "RFC 7644 section 3.4.2.1: what has no value to compare does not match; a warning, because the client is not told",
        &[Parsed(|filter| {
            // What its type forbids of a boolean is still refused (RFC 7644 Table 3).
            finds_nothing_by(filter, |definition, problem| {
                let attribute = definition.attribute(&problem.path);
                attribute.is_some_and(|attribute| attribute.kind == AttributeType::Complex)
            });
        })],
    ),
    rewriting(
        "filter-on-password-finds-nothing",
        &["AMB-09", "AMB-33"],
        "A filter on password finds nothing, in a URL too.",
        "RFC 7643 section 7 lets a service provider take what is never returned in a filter; that a URL is no place for it (RFC 7644 section 7.5.2) is warned of",
        &[Parsed(|filter| finds_nothing_by(filter, |_, problem| problem.kind == FilterTypeErrorKind::Never))],
    ),
    rewriting(
        "filter-null-declined",
        &["AMB-66"],
        "A comparison with null is answered with 400 invalidFilter.",
        "RFC 7644 section 3.4.2.2: an operation that is not recognised is declined; its grammar has null; a warning",
        &[Parsed(|filter| {
            decline(filter, |it| matches!(it, Filter::Compare { value: FilterValue::Null, .. }));
        })],
    ),
    rewriting(
        "filter-null-equals-nothing",
        &["AMB-66"],
        "A comparison with null finds nothing, as in SQL.",
        "RFC 7644 section 3.4.2.2 does not say what null equals; RFC 7643 section 2.5 makes it the state of what is absent; a warning",
        &[Parsed(|filter| {
            map(filter, &|it| match it {
                Filter::Compare { path, value: FilterValue::Null, .. } => Some(nothing(path)),
                _ => None,
            });
        })],
    ),
    rewriting(
        "filter-not-equal-needs-a-value",
        &["AMB-66"],
        "ne does not find who has no value.",
        "RFC 7644 section 3.4.2.2: ne is of values that are not identical, and where there is none there is nothing to compare",
        &[Parsed(|filter| {
            let definition = filter.definition;
            map(filter, &|it| match it {
                Filter::Compare { path, operator: CompareOperator::NotEqual, .. }
                    if definition.attribute(&path.without_sub()).is_some_and(|it| !it.multi_valued) =>
                {
                    Some(Filter::And(vec![Filter::Present(path.clone()), it.clone()]))
                }
                _ => None,
            });
        })],
    ),
    rewriting(
        "filter-not-equal-of-several-is-of-none",
        &["AMB-65"],
        "ne on several values finds who has none that is equal, and not who has another one too.",
        "RFC 7644 section 3.4.2.2: a filter matches if any of the values does, and what ne of a value is when another is equal is in dispute",
        &[Parsed(|filter| {
            let definition = filter.definition;
            map(filter, &|it| match it {
                Filter::Compare { path, operator: CompareOperator::NotEqual, value }
                    if definition.attribute(&path.without_sub()).is_some_and(|it| it.multi_valued) =>
                {
                    let equal = Filter::Compare {
                        path: path.clone(),
                        operator: CompareOperator::Equal,
                        value: value.clone(),
                    };
                    Some(Filter::Not(Box::new(equal)))
                }
                _ => None,
            });
        })],
    ),
    rewriting(
        "filter-path-behind-brackets-followed",
        &["AMB-71"],
        "A filter such as emails[type eq \"work\"].value eq \"…\" is evaluated for one value at a time.",
        "RFC 7644 section 3.4.2.2 does not have the form, section 3.5.2 has it for PATCH; a note",
        &[Parsed(|filter| {
            static BEHIND: LazyLock<Option<Regex>> =
                LazyLock::new(|| Regex::new(r"^(\w+)\[([^\]]+)\]\.(\w+ \w\w .+)$").ok());
            let behind = BEHIND.as_ref().and_then(|behind| behind.captures(filter.text));
            if let (true, Some(parts)) = (filter.parsed.is_err(), behind)
                && let Ok(tree) = Filter::parse(&format!("{}[({}) and {}]", &parts[1], &parts[2], &parts[3]))
            {
                filter.parsed = Ok(Some(tree));
            }
        })],
    ),
    rewriting(
        "filter-on-references-declined",
        &["AMB-73"],
        "A filter on $ref is answered with 400 invalidFilter.",
        "RFC 7644 section 3.4.2.2: the grammar of filters has no dollar sign in a name",
        &[Parsed(|filter| {
            decline(filter, |it| match it {
                Filter::ValuePath { filter: inner, .. } => {
                    any_part(inner, &|it| path(it).is_some_and(|path| path.name.starts_with('$')))
                }
                it => path(it).and_then(|path| path.sub.as_deref()).is_some_and(|sub| sub.starts_with('$')),
            });
        })],
    ),
];

/// Declines a filter of which a part is of a kind.
fn decline(filter: &mut ParsedFilter<'_>, is: impl Fn(&Filter) -> bool) {
    if let Ok(Some(tree)) = &filter.parsed
        && any_part(tree, &is)
    {
        filter.parsed = Err(ScimError::invalid_filter("this filter is not supported here"));
    }
}

/// Takes a filter that was refused for problems of one kind alone, with parts of it changed.
fn reread(
    filter: &mut ParsedFilter<'_>,
    is: &impl Fn(&FilterTypeError) -> bool,
    change: &impl Fn(&Filter) -> Option<Filter>,
) {
    if filter.parsed.is_err()
        && let Ok(tree) = Filter::parse(filter.text)
        && problems(&tree, filter.definition).iter().all(is)
    {
        filter.parsed = Ok(Some(changed(&tree, change)));
    }
}

/// Takes comparisons that have a problem of one kind for such as nothing matches.
fn finds_nothing_by(
    filter: &mut ParsedFilter<'_>,
    is: impl Fn(&ResourceDefinition, &FilterTypeError) -> bool,
) {
    let definition = filter.definition;
    let is = |problem: &FilterTypeError| is(definition, problem);
    reread(filter, &is, &|it| match it {
        Filter::Compare { path, .. } => problems(it, definition).iter().any(is).then(|| nothing(path)),
        _ => None,
    });
}

/// A filter that nothing matches.
pub(super) fn nothing(path: &AttributePath) -> Filter {
    let present = Filter::Present(path.clone());
    Filter::And(vec![present.clone(), Filter::Not(Box::new(present))])
}

/// Changes parts of a filter.
fn map(filter: &mut ParsedFilter<'_>, change: &impl Fn(&Filter) -> Option<Filter>) {
    if let Ok(Some(tree)) = &filter.parsed {
        filter.parsed = Ok(Some(changed(tree, change)));
    }
}

/// A filter with parts of it changed, outside of brackets. Its depth is bounded by the parser.
fn changed(filter: &Filter, change: &impl Fn(&Filter) -> Option<Filter>) -> Filter {
    let each = |operands: &[Filter]| operands.iter().map(|operand| changed(operand, change)).collect();
    change(filter).unwrap_or_else(|| match filter {
        Filter::And(operands) => Filter::And(each(operands)),
        Filter::Or(operands) => Filter::Or(each(operands)),
        Filter::Not(operand) => Filter::Not(Box::new(changed(operand, change))),
        other => other.clone(),
    })
}

/// A comparison with another value.
fn with_value(comparison: &Filter, value: FilterValue) -> Filter {
    match comparison.clone() {
        Filter::Compare { path, operator, .. } => Filter::Compare { path, operator, value },
        other => other,
    }
}

fn path(filter: &Filter) -> Option<&AttributePath> {
    match filter {
        Filter::Compare { path, .. } | Filter::Present(path) | Filter::ValuePath { path, .. } => Some(path),
        _ => None,
    }
}
