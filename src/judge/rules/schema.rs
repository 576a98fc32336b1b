//! Rules that hold resources against the service provider's own schemas (RFC 7643 sections 2 and 7).

use serde_json::Value;

use super::{Fault, Found, Rule, RuleVerdict, View, found, verdict};
use crate::judge::check::is_uri_reference;
use crate::judge::{kind, words};
use crate::outcome::Difference;
use crate::scim::datetime;
use crate::scim::definition::ResourceDefinition;
use crate::scim::resource::{elements, get};
use crate::scim::schema::{Attribute, AttributeType};
use crate::scim::validate::{ValidationPurpose, ViolationKind, validate};
use crate::target::exchange::Exchange;

pub const DATE_TIME_FORMAT: Rule =
    Rule { name: "date-time-format", subject: "dateTime value", judge: date_time_format };
pub const REFERENCE_SYNTAX: Rule =
    Rule { name: "reference-syntax", subject: "reference value", judge: reference_syntax };
pub const ATTRIBUTE_TYPES: Rule =
    Rule { name: "attribute-types", subject: "resource", judge: attribute_types };
pub const ONE_PRIMARY: Rule =
    Rule { name: "one-primary", subject: "multi-valued attribute", judge: one_primary };
pub const SCHEMAS_MATCH: Rule =
    Rule { name: "schemas-match", subject: "whole resource", judge: schemas_match };
pub const NEVER_RETURNED: Rule = Rule { name: "never-returned", subject: "resource", judge: never_returned };
pub const REQUIRED_PRESENT: Rule =
    Rule { name: "required-present", subject: "whole resource", judge: required_present };
pub const ATTRIBUTES_DECLARED: Rule =
    Rule { name: "attributes-declared", subject: "resource", judge: attributes_declared };

/// The rows of a list that are looked at. A fault of a server shows in the first ones.
const MOST_ROWS: usize = 50;

/// The values of a type in a resource, with their paths: those that its schemas declare.
fn values_of<'a>(
    resource: &'a Value,
    definition: &'a ResourceDefinition,
    wanted: AttributeType,
) -> Vec<(String, &'a Value)> {
    let mut values = Vec::new();
    let mut take = |prefix: &str, holder: &'a Value, attributes: &mut dyn Iterator<Item = &'a Attribute>| {
        for attribute in attributes {
            let Some(value) = get(holder, &attribute.name) else { continue };
            let path = format!("{prefix}{}", attribute.name);
            for element in elements(value) {
                if attribute.kind == wanted {
                    values.push((path.clone(), element));
                }
                for sub in &attribute.sub_attributes {
                    if sub.kind == wanted
                        && let Some(value) = get(element, &sub.name)
                    {
                        let path = format!("{path}.{}", sub.name);
                        values.extend(elements(value).iter().map(|value| (path.clone(), value)));
                    }
                }
            }
        }
    };
    take("", resource, &mut definition.top_attributes());
    for extension in &definition.extensions {
        if let Some(container) = get(resource, &extension.schema.id) {
            let prefix = format!("{}:", extension.schema.id);
            take(&prefix, container, &mut extension.schema.attributes.iter());
        }
    }
    values.retain(|(_, value)| !value.is_null());
    values
}

fn date_time_format(exchange: &Exchange, context: &View<'_>) -> RuleVerdict {
    on_values("date-time-format", exchange, context, AttributeType::DateTime, |path, class, value| {
        let expected = "an xsd:dateTime such as 2026-11-22T10:00:00Z";
        let Some(text) = value.as_str() else {
            return Some(
                Fault::new(
                    format!("{path} is {}, expected {expected}", words::show_typed(value)),
                    expected,
                    words::show_typed(value),
                )
                .class(format!("{class} dateTime"), words::class(value)),
            );
        };
        match datetime::parse(text) {
            None => Some(
                Fault::new(
                    format!("{path} is {}, expected {expected}", words::quote(text)),
                    expected,
                    words::quote(text),
                )
                .class(format!("{class} dateTime"), "other text"),
            ),
            Some(instant) if !instant.has_zone => Some(
                Fault::new(
                    format!("{path} has no time zone: {}", words::quote(text)),
                    "a dateTime with Z or an offset",
                    words::quote(text),
                )
                .class(format!("{class} time zone"), "no time zone")
                .warning(),
            ),
            Some(_) => None,
        }
    })
}

fn reference_syntax(exchange: &Exchange, context: &View<'_>) -> RuleVerdict {
    on_values("reference-syntax", exchange, context, AttributeType::Reference, |path, class, value| {
        let is_reference = value.as_str().is_some_and(is_uri_reference);
        (!is_reference).then(|| {
            Fault::new(
                format!("{path} is {}, expected a URI", words::show_typed(value)),
                "an absolute or relative URI",
                words::show_typed(value),
            )
            .class(format!("{class} URI"), if value.is_string() { "other text" } else { words::class(value) })
        })
    })
}

/// Judges each value of a type. What a client stored itself, such as a profileUrl, is its own business, so
/// only what the server makes is a fault; the rest is a warning.
fn on_values(
    rule: &str,
    exchange: &Exchange,
    context: &View<'_>,
    wanted: AttributeType,
    judge: impl Fn(&str, &str, &Value) -> Option<Fault>,
) -> RuleVerdict {
    let mut is_eligible = false;
    let mut faults: Vec<Fault> = Vec::new();
    for found in found(exchange, context).into_iter().take(MOST_ROWS) {
        let Some(definition) = found.definition else { continue };
        for (path, value) in values_of(found.resource, definition, wanted) {
            is_eligible = true;
            let class = found.path_class(&path);
            if let Some(fault) = judge(&found.path(&path), &class, value)
                && !faults.iter().any(|known| known.expected_class == fault.expected_class)
            {
                let is_servers = path.starts_with("meta.") || path.ends_with("$ref");
                faults.push(if is_servers { fault } else { fault.warning() });
            }
        }
    }
    if is_eligible { verdict(rule, exchange, faults) } else { RuleVerdict::NotEligible }
}

/// Judges resources by the validator, keeping violations of some kinds only.
fn by_validator(
    rule: &str,
    exchange: &Exchange,
    context: &View<'_>,
    kinds: &[ViolationKind],
    is_about: impl Fn(&Found<'_>) -> bool,
    grade: impl Fn(Fault, &Found<'_>) -> Fault,
) -> RuleVerdict {
    let purpose = if kind::is_projected(&exchange.request) {
        ValidationPurpose::ProjectedAnswer
    } else {
        ValidationPurpose::Answer
    };
    let mut is_eligible = false;
    let mut faults: Vec<Fault> = Vec::new();
    for found in found(exchange, context).into_iter().take(MOST_ROWS) {
        let Some(definition) = found.definition.filter(|_| is_about(&found)) else { continue };
        is_eligible = true;
        for violation in validate(found.resource, definition, purpose) {
            if !kinds.contains(&violation.kind) {
                continue;
            }
            let class =
                format!("{} {:?}", found.path_class(&without_indexes(&violation.path)), violation.kind);
            let difference = Difference {
                path: found.path(&violation.path),
                expected: words::clip(&violation.message, 200),
                actual: String::new(),
            };
            if let Some(known) = faults.iter_mut().find(|known| known.expected_class == class) {
                if known.differences.len() < 20 {
                    known.differences.push(difference);
                }
                continue;
            }
            let message = words::clip(&violation.message, 200);
            let mut fault = Fault::new(
                format!("{}: {message}", found.path(&violation.path)),
                format!("a {} that keeps its schemas", definition.name),
                message,
            )
            .class(class, "violated");
            fault.differences.push(difference);
            faults.push(grade(fault, &found));
        }
    }
    if is_eligible { verdict(rule, exchange, faults) } else { RuleVerdict::NotEligible }
}

fn without_indexes(path: &str) -> String {
    let mut out = String::with_capacity(path.len());
    let mut is_inside = false;
    for c in path.chars() {
        match c {
            '[' => is_inside = true,
            ']' => is_inside = false,
            _ if !is_inside => out.push(c),
            _ => {}
        }
    }
    out
}

fn any_resource(_: &Found<'_>) -> bool {
    true
}

fn as_it_is(fault: Fault, _: &Found<'_>) -> Fault {
    fault
}

/// Discovery has cases of its own, so that a fault there is not told twice.
fn no_discovery(found: &Found<'_>) -> bool {
    !found.is_discovery
}

fn attribute_types(exchange: &Exchange, context: &View<'_>) -> RuleVerdict {
    let kinds = [ViolationKind::Type, ViolationKind::Multiplicity, ViolationKind::Shape];
    by_validator("attribute-types", exchange, context, &kinds, any_resource, as_it_is)
}

fn one_primary(exchange: &Exchange, context: &View<'_>) -> RuleVerdict {
    let has_elements = |found: &Found<'_>| {
        let is_plural =
            |value: &Value| value.as_array().is_some_and(|elements| elements.iter().any(Value::is_object));
        found.resource.as_object().is_some_and(|members| members.values().any(is_plural))
    };
    by_validator("one-primary", exchange, context, &[ViolationKind::Primary], has_elements, as_it_is)
}

fn schemas_match(exchange: &Exchange, context: &View<'_>) -> RuleVerdict {
    if kind::is_projected(&exchange.request) {
        return RuleVerdict::NotEligible;
    }
    // What has no schemas at all is the business of schemas-present.
    let names_some = |found: &Found<'_>| {
        no_discovery(found) && get(found.resource, "schemas").is_some_and(|urns| !elements(urns).is_empty())
    };
    by_validator("schemas-match", exchange, context, &[ViolationKind::Schemas], names_some, as_it_is)
}

fn never_returned(exchange: &Exchange, context: &View<'_>) -> RuleVerdict {
    by_validator("never-returned", exchange, context, &[ViolationKind::Never], no_discovery, as_it_is)
}

fn required_present(exchange: &Exchange, context: &View<'_>) -> RuleVerdict {
    if kind::is_projected(&exchange.request) {
        return RuleVerdict::NotEligible;
    }
    by_validator("required-present", exchange, context, &[ViolationKind::Required], no_discovery, as_it_is)
}

fn attributes_declared(exchange: &Exchange, context: &View<'_>) -> RuleVerdict {
    by_validator(
        "attributes-declared",
        exchange,
        context,
        &[ViolationKind::Unknown],
        no_discovery,
        |fault, _| fault.warning(),
    )
}
