//! Rules that hold resources against the service provider's own schemas (RFC 7643 sections 2 and 7).

use std::collections::HashSet;

use serde_json::Value;
use url::Url;

use super::validated::Violations;
use super::{Fault, Found, Rule, RuleVerdict, View, found, parameter, verdict};
use crate::judge::check::is_uri_reference;
use crate::judge::{kind, words};
use crate::outcome::Difference;
use crate::scim::datetime;
use crate::scim::definition::ResourceDefinition;
use crate::scim::names;
use crate::scim::path::AttributePath;
use crate::scim::resource::{elements, get, is_unassigned};
use crate::scim::schema::{Attribute, AttributeType, Returned};
use crate::scim::validate::{ValidationPurpose, Violation, ViolationKind, validate};
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
pub const VALUES_DIFFER: Rule =
    Rule { name: "values-differ", subject: "attribute with several values", judge: values_differ };

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
        let text = value.as_str().filter(|text| is_uri_reference(text));
        let Some(text) = text else {
            return Some(
                Fault::new(
                    format!("{path} is {}, expected a URI", words::show_typed(value)),
                    "an absolute or relative URI",
                    words::show_typed(value),
                )
                .class(
                    format!("{class} URI"),
                    if value.is_string() { "other text" } else { words::class(value) },
                )
                .breaks(&["RFC7643-2.3.7-01"]),
            );
        };
        // References that clients store lead where they like.
        if is_servers(class) { leads_somewhere(path, class, text, context) } else { None }
    })
}

/// Whether the server makes the value of that path, and no client.
fn is_servers(path: &str) -> bool {
    path.contains("meta.") || path.ends_with("$ref")
}

/// What is wrong with a reference to a resource of the service provider: that it is relative and leads to no endpoint, that
/// HTTP cannot follow it, or that it is written otherwise than RFC 3986 section 6.2 normalizes it.
fn leads_somewhere(path: &str, class: &str, text: &str, context: &View<'_>) -> Option<Fault> {
    let Ok(url) = Url::parse(text) else {
        let place = text.split(['?', '#']).next().unwrap_or_default();
        let has_endpoint = place.split('/').any(|segment| context.definitions.is_endpoint(segment));
        return (!has_endpoint).then(|| {
            Fault::new(
                format!("{path} is {}, which is no address below the base URL", words::quote(text)),
                "a relative URI with the endpoint of a resource type, such as Users/42",
                words::quote(text),
            )
            .class(format!("{class} below the base URL"), "no endpoint")
            .breaks(&["RFC7643-2.3.7-02"])
        });
    };
    if !matches!(url.scheme(), "http" | "https") {
        return Some(
            Fault::new(
                format!("{path} is {}, which HTTP cannot follow", words::quote(text)),
                "a URI with http or https",
                words::quote(text),
            )
            .class(format!("{class} for HTTP"), "other scheme")
            .breaks(&["RFC7643-2.3.7-03"]),
        );
    }
    let has_dots =
        text.split(['?', '#']).next().is_some_and(|it| it.split('/').any(|it| it == "." || it == ".."));
    let authority = text.split("://").nth(1).and_then(|rest| rest.split(['/', '?', '#']).next());
    let host = authority.map(|it| it.rsplit('@').next().unwrap_or(it)).unwrap_or_default();
    let scheme = text.split("://").next().unwrap_or_default();
    let is_upper = |it: &str| it.bytes().any(|byte| byte.is_ascii_uppercase());
    (has_dots || is_upper(scheme) || is_upper(host)).then(|| {
        let fault = Fault::new(
            format!("{path} is {}, which is not written in its canonical form", words::quote(text)),
            words::quote(url.as_str()),
            words::quote(text),
        )
        .class(format!("{class} canonical"), if has_dots { "path with dots" } else { "other form" })
        .breaks(&["RFC7643-2.4-08"]);
        // Section 2.4 says it of $ref. What lies in front of a service provider decides how its host is written.
        if has_dots && class.ends_with("$ref") { fault } else { fault.warning_unless_strict(context) }
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
                faults.push(if is_servers(&path) { fault } else { fault.warning() });
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
    grade: impl Fn(Fault, &Violation, &ResourceDefinition) -> Fault,
) -> RuleVerdict {
    let all: Vec<Found<'_>> = found(exchange, context).into_iter().take(MOST_ROWS).collect();
    if all.is_empty() {
        return RuleVerdict::NotEligible;
    }
    let find = || violations(exchange, &all);
    let known = match context.validated {
        Some(validated) => validated.violations(exchange, find),
        None => find().into(),
    };
    let mut is_eligible = false;
    let mut faults: Vec<Fault> = Vec::new();
    for (found, violations) in all.iter().zip(known.iter()) {
        let Some(definition) = found.definition.filter(|_| is_about(found)) else { continue };
        is_eligible = true;
        for violation in violations {
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
            faults.push(grade(fault, violation, definition));
        }
    }
    if is_eligible { verdict(rule, exchange, faults) } else { RuleVerdict::NotEligible }
}

/// What the validator says of each of these resources.
fn violations(exchange: &Exchange, all: &[Found<'_>]) -> Violations {
    let purpose = if kind::is_projected(&exchange.request) {
        ValidationPurpose::ProjectedAnswer
    } else {
        ValidationPurpose::Answer
    };
    let of = |found: &Found<'_>| {
        found.definition.map(|definition| validate(found.resource, definition, purpose)).unwrap_or_default()
    };
    all.iter().map(of).collect()
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

/// Discovery has cases of its own, so that a fault there is not told twice.
fn no_discovery(found: &Found<'_>) -> bool {
    !found.is_discovery
}

fn attribute_types(exchange: &Exchange, context: &View<'_>) -> RuleVerdict {
    let kinds = [ViolationKind::Type, ViolationKind::Multiplicity, ViolationKind::Shape];
    by_validator("attribute-types", exchange, context, &kinds, any_resource, by_type)
}

/// A fault with the requirement about the type that the attribute has.
fn by_type(fault: Fault, violation: &Violation, definition: &ResourceDefinition) -> Fault {
    let path = without_indexes(&violation.path);
    let attribute = AttributePath::parse(&path).ok().and_then(|path| definition.attribute(&path));
    let fault = match attribute {
        Some(attribute) if attribute.multi_valued && violation.kind == ViolationKind::Multiplicity => {
            fault.breaks(&["RFC7643-2.4-01"])
        }
        Some(attribute) if violation.kind == ViolationKind::Type => match attribute.kind {
            AttributeType::Boolean => fault.breaks(&["RFC7643-2.3.2-01"]),
            AttributeType::Decimal => fault.breaks(&["RFC7643-2.3.3-01"]),
            AttributeType::Integer => fault.breaks(&["RFC7643-2.3.4-01"]),
            AttributeType::DateTime => fault.breaks(&["RFC7643-2.3.5-01", "RFC7643-2.3.5-02"]),
            AttributeType::Binary => fault.breaks(&["RFC7643-2.3.6-01"]),
            AttributeType::Complex if attribute.multi_valued => fault.breaks(&["RFC7643-2.4-02"]),
            _ => fault,
        },
        _ => fault,
    };
    // Pairs, arrays and objects stand for single values, several, and parts.
    let is_of_another_form = violation.kind == ViolationKind::Multiplicity
        || attribute.is_some_and(|attribute| attribute.kind == AttributeType::Complex);
    let fault = if is_of_another_form { fault.breaks_too(&["RFC7644-3.8-10"]) } else { fault };
    fault.breaks_too(&["RFC7643-2.3-02"])
}

fn one_primary(exchange: &Exchange, context: &View<'_>) -> RuleVerdict {
    let has_elements = |found: &Found<'_>| {
        let is_plural =
            |value: &Value| value.as_array().is_some_and(|elements| elements.iter().any(Value::is_object));
        found.resource.as_object().is_some_and(|members| members.values().any(is_plural))
    };
    let grade = |fault: Fault, violation: &Violation, _: &ResourceDefinition| {
        let fault = fault.breaks(&["RFC7643-2.4-04"]);
        let is_about_schemes = violation.path.eq_ignore_ascii_case("authenticationSchemes");
        if is_about_schemes { fault.breaks_too(&["RFC7643-5-23"]) } else { fault }
    };
    by_validator("one-primary", exchange, context, &[ViolationKind::Primary], has_elements, grade)
}

fn schemas_match(exchange: &Exchange, context: &View<'_>) -> RuleVerdict {
    if kind::is_projected(&exchange.request) {
        return RuleVerdict::NotEligible;
    }
    // What has no schemas at all is the business of schemas-present.
    let names_some = |found: &Found<'_>| {
        no_discovery(found) && get(found.resource, "schemas").is_some_and(|urns| !elements(urns).is_empty())
    };
    let kinds = [ViolationKind::Schemas, ViolationKind::Container];
    by_validator("schemas-match", exchange, context, &kinds, names_some, |fault, violation, definition| {
        if violation.kind == ViolationKind::Container {
            return fault.breaks(&["RFC7643-3-08"]);
        }
        let names_extension =
            definition.extensions.iter().any(|it| violation.message.contains(&it.schema.id));
        if names_extension {
            let fault = fault.breaks(&["RFC7643-3.3-07", "RFC7643-3-09"]);
            let is_enterprise = violation.message.contains(names::ENTERPRISE_USER);
            return if is_enterprise { fault.breaks_too(&["RFC7643-4.3-01"]) } else { fault };
        }
        let lacks_base = violation.message.ends_with(&definition.schema.id);
        if lacks_base { fault.breaks(&["RFC7643-3.3-03"]) } else { fault.breaks(&["RFC7643-3-03"]) }
    })
}

fn never_returned(exchange: &Exchange, context: &View<'_>) -> RuleVerdict {
    const RULE: &str = "never-returned";
    let verdict =
        by_validator(RULE, exchange, context, &[ViolationKind::Never], no_discovery, |fault, _, _| {
            fault.breaks(&["RFC7643-7-27", "RFC7643-7-25"])
        });
    let unasked = super::verdict(RULE, exchange, shown_unasked(exchange, context));
    match (verdict, unasked) {
        (RuleVerdict::Broke(mut findings), RuleVerdict::Broke(more)) => {
            findings.extend(more);
            RuleVerdict::Broke(findings)
        }
        (RuleVerdict::Held, RuleVerdict::Broke(findings)) => RuleVerdict::Broke(findings),
        (verdict, _) => verdict,
    }
}

fn required_present(exchange: &Exchange, context: &View<'_>) -> RuleVerdict {
    if kind::is_projected(&exchange.request) {
        return RuleVerdict::NotEligible;
    }
    let kinds = [ViolationKind::Required, ViolationKind::RequiredExtension];
    by_validator(
        "required-present",
        exchange,
        context,
        &kinds,
        no_discovery,
        |fault, violation, definition| {
            let is_of_required = definition
                .extensions
                .iter()
                .any(|it| it.required && violation.path.starts_with(it.schema.id.as_str()));
            let fault = if is_of_required { fault.breaks(&["RFC7643-6-11"]) } else { fault };
            fault.breaks_too(&["RFC7643-2.2-02"])
        },
    )
}

fn attributes_declared(exchange: &Exchange, context: &View<'_>) -> RuleVerdict {
    by_validator(
        "attributes-declared",
        exchange,
        context,
        &[ViolationKind::Unknown],
        no_discovery,
        |fault, _, _| fault.warning(),
    )
}

/// What a read shows without being asked for it, though it is declared as returned on request. The answer to a write may
/// show what the request wrote.
fn shown_unasked(exchange: &Exchange, context: &View<'_>) -> Vec<Fault> {
    let is_read = exchange.request.method == "GET" || kind::is_search(&exchange.request);
    let asked = parameter(exchange, "attributes").unwrap_or_default().to_ascii_lowercase();
    let mut faults: Vec<Fault> = Vec::new();
    for found in found(exchange, context).into_iter().filter(|it| is_read && no_discovery(it)).take(MOST_ROWS)
    {
        let Some(definition) = found.definition else { continue };
        for (path, attribute, holder) in on_request(found.resource, definition) {
            let is_asked = asked.contains(&attribute.name.to_ascii_lowercase());
            let value = holder.and_then(|holder| get(holder, &attribute.name));
            let Some(value) = value.filter(|value| !is_unassigned(value) && !is_asked) else { continue };
            let class = format!("{} on request", found.path_class(&path));
            if faults.iter().any(|known| known.expected_class == class) {
                continue;
            }
            faults.push(
                Fault::new(
                    format!(
                        "{} is returned on request, and shown without being asked for",
                        found.path(&path)
                    ),
                    "nothing, unless the attributes parameter names it",
                    words::show_typed(value),
                )
                .class(class, "present")
                .breaks(&["RFC7643-7-30"]),
            );
        }
    }
    faults
}

/// The attributes that are returned on request, each with its path and with what may hold it.
fn on_request<'a>(
    resource: &'a Value,
    definition: &'a ResourceDefinition,
) -> Vec<(String, &'a Attribute, Option<&'a Value>)> {
    let is_so = |it: &&Attribute| it.returned == Returned::Request;
    let own = definition.top_attributes().filter(is_so).map(|it| (it.name.clone(), it, Some(resource)));
    let extensions = definition.extensions.iter().flat_map(|extension| {
        let holder = get(resource, &extension.schema.id);
        let attributes = extension.schema.attributes.iter().filter(is_so);
        attributes.map(move |it| (format!("{}:{}", extension.schema.id, it.name), it, holder))
    });
    own.chain(extensions).collect()
}

fn values_differ(exchange: &Exchange, context: &View<'_>) -> RuleVerdict {
    const RULE: &str = "values-differ";
    let mut is_eligible = false;
    let mut faults: Vec<Fault> = Vec::new();
    for found in found(exchange, context).into_iter().filter(no_discovery).take(MOST_ROWS) {
        let Some(definition) = found.definition else { continue };
        for attribute in definition.top_attributes().filter(|it| it.multi_valued) {
            let values = get(found.resource, &attribute.name).map(elements).unwrap_or_default();
            if values.len() < 2 || attribute.kind != AttributeType::Complex {
                continue;
            }
            is_eligible = true;
            let pairs: Vec<(&Value, Option<&Value>)> = values
                .iter()
                .filter_map(|it| Some((get(it, "value").filter(|it| !is_unassigned(it))?, get(it, "type"))))
                .collect();
            // By their text, since a group may have members by the ten thousand.
            let mut seen = HashSet::new();
            let repeated = pairs
                .iter()
                .find(|(value, kind)| !seen.insert((value.to_string(), kind.map(ToString::to_string))));
            if let Some((value, _)) = repeated {
                faults.push(
                    Fault::new(
                        format!(
                            "{} holds {} twice with the same type",
                            found.path(&attribute.name),
                            words::show(value)
                        ),
                        "each value once",
                        words::show(value),
                    )
                    .class(format!("{} differ", found.path_class(&attribute.name)), "repeated value"),
                );
            }
        }
    }
    if !is_eligible {
        return RuleVerdict::NotEligible;
    }
    faults.dedup_by(|one, other| one.expected_class == other.expected_class);
    verdict(RULE, exchange, faults)
}
