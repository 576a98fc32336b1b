//! Rules that hold what a service provider declares in /Schemas against what RFC 7643 defines (section 8.7).
//!
//! The RFC prints its schemas as a representation whose values may differ, so a difference is graded by what it does to a
//! client: another type, or one value instead of many, and the client can neither write nor read the attribute; any other
//! characteristic is a choice that clients can follow once they know it. Attributes that are left out are a choice, too.

use serde_json::Value;

use super::{Fault, Rule, RuleVerdict, View, found, verdict};
use crate::judge::{kind, words};
use crate::outcome::{Difference, Severity};
use crate::requirement::definitions::of_definition;
use crate::scim::names;
use crate::scim::resource::{elements, get};
use crate::scim::schema::{Attribute, AttributeType, Mutability, Returned, SchemaSet, Uniqueness};
use crate::suite::model::Capability;
use crate::target::exchange::Exchange;

pub const CORE_DEFINITIONS: Rule =
    Rule { name: "core-definitions", subject: "core schema at /Schemas", judge: core_definitions };
pub const RESOURCE_TYPES_DEFINED: Rule = Rule {
    name: "resource-types-defined",
    subject: "resource type at /ResourceTypes",
    judge: resource_types_defined,
};

/// How deep definitions are compared: the schema of schemas nests sub-attributes once more than any other.
const MAX_DEPTH: usize = 3;

/// The most differences that one finding lists.
const MAX_DIFFERENCES: usize = 20;

/// A characteristic that is declared otherwise than printed.
struct Departure {
    /// Where: `name.givenName.type`.
    path: String,
    expected: String,
    actual: String,
    /// As severe as the rule's level, if none.
    severity: Option<Severity>,
    /// Whether it is left out, and takes a default that is not what is printed.
    is_default: bool,
}

fn core_definitions(exchange: &Exchange, context: &View<'_>) -> RuleVerdict {
    const RULE: &str = "core-definitions";
    let mut is_eligible = false;
    let mut faults = Vec::new();
    for found in found(exchange, context) {
        let is_schema = found.definition.is_some_and(|it| it.schema.id.eq_ignore_ascii_case(names::SCHEMA));
        let Some(id) = get(found.resource, "id").and_then(Value::as_str).filter(|_| is_schema) else {
            continue;
        };
        // Those of an older kind list the attributes that every resource has.
        if let Some(fault) = common_attributes(id, found.resource) {
            faults.push(fault.warning_unless_strict(context));
        }
        faults.extend(urn_of_scim(id));
        is_eligible |= !faults.is_empty();
        let Some(printed) = SchemaSet::core().schema(id) else { continue };
        is_eligible = true;
        let declared = get(found.resource, "attributes").map(elements).unwrap_or_default();
        let mut missing = Vec::new();
        // What later RFCs and errata add is not printed in RFC 7643.
        let is_printed = |it: &&Attribute| of_definition(&printed.id, &it.name).is_some();
        for attribute in printed.attributes.iter().filter(is_printed) {
            let Some(declaration) = named(declared, &attribute.name) else {
                missing.push(attribute.name.as_str());
                continue;
            };
            let mut departures = Vec::new();
            compare(declaration, attribute, &attribute.name, &[], 0, &mut departures);
            faults.extend(faults_of(&printed.id, &printed.name, attribute, departures));
        }
        faults.extend(left_out(&printed.name, &missing));
    }
    if is_eligible { verdict(RULE, exchange, faults) } else { RuleVerdict::NotEligible }
}

/// The definition of that name, without regard to case.
fn named<'a>(definitions: &'a [Value], name: &str) -> Option<&'a Value> {
    definitions
        .iter()
        .find(|it| get(it, "name").and_then(Value::as_str).is_some_and(|it| it.eq_ignore_ascii_case(name)))
}

/// What of an attribute and its sub-attributes is declared otherwise than printed.
fn compare(
    declaration: &Value,
    printed: &Attribute,
    path: &str,
    parents: &[&Attribute],
    depth: usize,
    departures: &mut Vec<Departure>,
) {
    // What cannot be read at all is for the cases about /Schemas; here it counts as the default.
    let Some(declared) = Attribute::from_json(declaration).value else { return };
    let mut differs = |characteristic: &str, expected: String, actual: String, severity: Option<Severity>| {
        if expected != actual {
            departures.push(Departure {
                path: format!("{path}.{characteristic}"),
                expected,
                actual,
                severity,
                is_default: get(declaration, characteristic).is_none_or(Value::is_null),
            });
        }
    };
    let warning = Some(Severity::Warning);
    let says_no_type = get(declaration, "type").is_none_or(Value::is_null);
    if !(says_no_type && declared.kind == printed.kind) {
        differs("type", printed.kind.to_string(), declared.kind.to_string(), None);
    }
    // Before verified errata, the schema extensions of a resource type were printed as one, and so were the reference types
    // of a sub-attribute (erratum 5607).
    let is_of_sub = parents.last().is_some_and(|it| it.name == "subAttributes");
    let was_one = printed.name == "schemaExtensions" || is_of_sub && printed.name == "referenceTypes";
    let severity = if was_one { warning } else { None };
    differs("multiValued", printed.multi_valued.to_string(), declared.multi_valued.to_string(), severity);
    // A userName that need not be there, and a password that comes back, break what sections 4.1.1 and 9 demand.
    let is_user_name = parents.is_empty() && printed.name == "userName";
    let is_password = parents.is_empty() && printed.name == "password";
    if !has_open_requirement(printed, parents) {
        let severity = if is_user_name { None } else { warning };
        differs("required", printed.required.to_string(), declared.required.to_string(), severity);
    }
    if printed.name != "display" {
        let (expected, actual) = (printed.mutability.to_string(), declared.mutability.to_string());
        differs("mutability", expected, actual, warning);
    }
    let severity = if is_password { None } else { warning };
    differs("returned", printed.returned.to_string(), declared.returned.to_string(), severity);
    if !has_open_case(printed) {
        differs("caseExact", printed.case_exact.to_string(), declared.case_exact.to_string(), warning);
    }
    if !has_open_uniqueness(printed, parents) {
        differs("uniqueness", printed.uniqueness.to_string(), declared.uniqueness.to_string(), warning);
    }
    if depth + 1 >= MAX_DEPTH || declared.kind != printed.kind {
        return;
    }
    let declared = get(declaration, "subAttributes").map(elements).unwrap_or_default();
    let parents: Vec<&Attribute> = parents.iter().copied().chain([printed]).collect();
    for sub in printed.sub_attributes.iter().filter(|sub| !is_unprinted(printed, sub)) {
        if let Some(declaration) = named(declared, &sub.name) {
            compare(declaration, sub, &format!("{path}.{}", sub.name), &parents, depth + 1, departures);
        }
    }
}

/// Whether a sub-attribute of the core schemas stands in errata only (8011, 7921).
fn is_unprinted(attribute: &Attribute, sub: &Attribute) -> bool {
    attribute.name == "authenticationSchemes" && matches!(sub.name.as_str(), "type" | "primary")
}

/// Whether RFC 7643 contradicts itself about `required`: of the manager's sub-attributes (4.3, and errata 6403 and 8359),
/// of the extensions of a resource type (6), of a group's name (erratum 5368), of etag and a scheme's type (5).
fn has_open_requirement(printed: &Attribute, parents: &[&Attribute]) -> bool {
    let is_of_manager = parents.first().is_some_and(|it| it.name == "manager");
    is_of_manager || matches!(printed.name.as_str(), "schemaExtensions" | "type" | "etag")
}

/// Whether RFC 7643 contradicts itself about caseExact: references and binaries are case-exact by their type (2.3.6,
/// 2.3.7), ids by section 3.1, and the printed schemas say mostly false. Of other types it says nothing.
fn has_open_case(printed: &Attribute) -> bool {
    let has_case = matches!(printed.kind, AttributeType::String);
    !has_case || matches!(printed.name.as_str(), "id" | "value" | "name" | "endpoint")
}

/// Whether `uniqueness` means nothing, or is in dispute: of complex attributes, and of discovery resources' ids and names.
fn has_open_uniqueness(printed: &Attribute, parents: &[&Attribute]) -> bool {
    let is_of_discovery = parents.is_empty() && matches!(printed.name.as_str(), "id" | "name" | "endpoint");
    printed.kind == AttributeType::Complex || is_of_discovery
}

/// What is wrong with the definition of an attribute, with at most one fault of each severity.
fn faults_of(urn: &str, schema: &str, attribute: &Attribute, departures: Vec<Departure>) -> Vec<Fault> {
    let mut faults: Vec<Fault> = Vec::new();
    for departure in departures {
        let known = faults
            .iter_mut()
            .find(|fault| fault.severity == departure.severity && fault.actual_class == class(&departure));
        let difference = Difference {
            path: format!("{schema}.{}", departure.path),
            expected: departure.expected.clone(),
            actual: departure.actual.clone(),
        };
        if let Some(known) = known {
            if known.differences.len() < MAX_DIFFERENCES {
                known.differences.push(difference);
            }
            continue;
        }
        let left_out = if departure.is_default { " by default, as it is left out" } else { "" };
        let mut fault = Fault::new(
            format!(
                "/Schemas declares {schema}.{} as {}{left_out}, RFC 7643 as {}",
                departure.path, departure.actual, departure.expected
            ),
            &*departure.expected,
            &*departure.actual,
        )
        .class(format!("{schema}.{} as printed", attribute.name), class(&departure));
        fault.severity = departure.severity;
        fault.differences.push(difference);
        if let Some(requirements) = of_definition(urn, &attribute.name) {
            fault = fault.breaks(requirements);
        }
        if departure.is_default {
            fault = fault.breaks_too(&["RFC7643-2.2-01"]);
        }
        faults.push(fault);
    }
    faults
}

fn class(departure: &Departure) -> &'static str {
    if departure.is_default { "left out" } else { "declared otherwise" }
}

/// A note of the attributes that a service provider does without.
fn left_out(schema: &str, missing: &[&str]) -> Option<Fault> {
    if missing.is_empty() {
        return None;
    }
    let mut fault = Fault::new(
        format!("/Schemas does not declare these attributes of {schema}: {}", missing.join(", ")),
        format!("the attributes of {schema}, as far as they are supported"),
        words::clip(&missing.join(", "), 200),
    )
    .class(format!("{schema} attributes"), "some left out")
    .breaks(&["RFC7643-8.7-01"]);
    fault.severity = Some(Severity::Note);
    Some(fault)
}

/// What is wrong with a URN in the namespace of SCIM, which has schemas and messages of the protocol (RFC 7643 section
/// 10.2.1); the names below them are registered.
fn urn_of_scim(id: &str) -> Option<Fault> {
    const NAMESPACE: &str = "urn:ietf:params:scim:";
    let rest = id
        .get(..NAMESPACE.len())
        .filter(|it| it.eq_ignore_ascii_case(NAMESPACE))
        .map(|it| &id[it.len()..])?;
    let mut parts = rest.split(':');
    let is_kind =
        parts.next().is_some_and(|it| it.eq_ignore_ascii_case("schemas") || it.eq_ignore_ascii_case("api"));
    let names: Vec<&str> = parts.collect();
    if is_kind && !names.is_empty() && names.iter().all(|it| !it.is_empty()) {
        return None;
    }
    let fault = Fault::new(
        format!("the schema {} stands in the namespace of SCIM, and is no schema of it", words::quote(id)),
        "urn:ietf:params:scim:schemas: or urn:ietf:params:scim:api:, and a registered name",
        words::quote(id),
    );
    Some(fault.class("URN of SCIM", "other kind").breaks(&["RFC7643-10.2.1-01"]))
}

/// Whether a schema lists id, externalId or meta as something else than section 3.1 makes of them. Such a listing has no
/// force, so whoever believes it is misled.
fn common_attributes(id: &str, schema: &Value) -> Option<Fault> {
    let is_discovery = [names::SERVICE_PROVIDER_CONFIG, names::RESOURCE_TYPE, names::SCHEMA]
        .iter()
        .any(|urn| urn.eq_ignore_ascii_case(id));
    if is_discovery {
        return None;
    }
    let declared = get(schema, "attributes").map(elements).unwrap_or_default();
    let says = |name: &str| Attribute::from_json(named(declared, name)?).value;
    let wrong = |name: &str, is_wrong: fn(&Attribute) -> bool| says(name).is_some_and(|it| is_wrong(&it));
    let name = if wrong("id", |it| {
        it.mutability != Mutability::ReadOnly || it.returned != Returned::Always || it.multi_valued
    }) {
        "id"
    } else if wrong("meta", |it| it.mutability != Mutability::ReadOnly || it.kind != AttributeType::Complex) {
        "meta"
    } else if wrong("externalId", |it| {
        it.mutability != Mutability::ReadWrite || it.uniqueness == Uniqueness::Global
    }) {
        "externalId"
    } else {
        return None;
    };
    Some(
        Fault::new(
            format!(
                "/Schemas lists {name} in {} with other characteristics than every resource's",
                words::quote(id)
            ),
            format!("{name} as RFC 7643 section 3.1 defines it, or not listed"),
            words::show(named(declared, name).unwrap_or(&Value::Null)),
        )
        .class(format!("{name} as common attribute"), "other characteristics")
        .breaks(&["RFC7643-3.1-04"]),
    )
}

/// Whether a schema is one that RFC 7643 defines.
fn is_core(urn: &str) -> bool {
    SchemaSet::core().schema(urn).is_some()
}

fn resource_types_defined(exchange: &Exchange, context: &View<'_>) -> RuleVerdict {
    const RULE: &str = "resource-types-defined";
    let is_about_types = kind::discovery_type(&exchange.request) == Some("ResourceType");
    if !is_about_types || !context.claims(Capability::Schemas) {
        return RuleVerdict::NotEligible;
    }
    let mut is_eligible = false;
    let mut faults = Vec::new();
    for found in found(exchange, context) {
        let text = |holder: &Value, name: &str| {
            get(holder, name).and_then(Value::as_str).filter(|it| !it.is_empty()).map(str::to_owned)
        };
        let name = text(found.resource, "name").unwrap_or_default();
        let unknown = |urn: &str, what: &str| {
            let message =
                format!("the resource type {} names {what} {}", words::quote(&name), words::quote(urn));
            Fault::new(
                format!("{message}, which /Schemas does not have"),
                "the id of a schema of /Schemas",
                words::quote(urn),
            )
            .class(format!("{what} in /Schemas"), "not there")
        };
        if let Some(urn) = text(found.resource, "schema") {
            is_eligible = true;
            if !context.definitions.declares(&urn) {
                let fault = unknown(&urn, "the schema").breaks(&["RFC7643-6-07"]);
                faults.push(if is_core(&urn) { fault } else { fault.breaks_too(&["RFC7643-3.2-01"]) });
            }
        }
        let extensions = get(found.resource, "schemaExtensions").map(elements).unwrap_or_default();
        for urn in extensions.iter().filter_map(|it| text(it, "schema")) {
            if !context.definitions.declares(&urn) {
                faults.push(unknown(&urn, "the extension").breaks(&["RFC7643-6-09"]));
            }
        }
    }
    if is_eligible { verdict(RULE, exchange, faults) } else { RuleVerdict::NotEligible }
}
