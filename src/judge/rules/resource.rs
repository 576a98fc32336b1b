//! Rules about what every resource has: `schemas`, `id`, `meta` (RFC 7643 section 3), and about the headers
//! that repeat it.

use serde_json::Value;
use url::Url;

use super::pairs::id_in_path;
use super::{Fault, Found, Rule, RuleVerdict, View, found, success, verdict};
use crate::judge::check::is_etag;
use crate::judge::{kind, same_id, words};
use crate::scim::datetime;
use crate::scim::names::is_version;
use crate::scim::resource::{elements, get, is_unassigned};
use crate::suite::model::Capability;
use crate::target::exchange::{Exchange, Request};

pub const SCHEMAS_PRESENT: Rule =
    Rule { name: "schemas-present", subject: "resource", judge: schemas_present };
pub const ID_PRESENT: Rule = Rule { name: "id-present", subject: "resource", judge: id_present };
pub const ID_STABLE: Rule =
    Rule { name: "id-stable", subject: "resource answered at its own URL", judge: id_stable };
pub const META_COMPLETE: Rule =
    Rule { name: "meta-complete", subject: "whole resource", judge: meta_complete };
pub const META_RESOURCE_TYPE: Rule =
    Rule { name: "meta-resource-type", subject: "meta.resourceType", judge: meta_resource_type };
pub const LOCATION_ON_CREATE: Rule =
    Rule { name: "location-on-create", subject: "201", judge: location_on_create };
pub const LOCATION_EQUALS_META: Rule = Rule {
    name: "location-equals-meta",
    subject: "resource with a Location or Content-Location header",
    judge: location_equals_meta,
};
pub const LOCATION_IS_ADDRESS: Rule =
    Rule { name: "location-is-address", subject: "resource", judge: location_is_address };
pub const ETAG_SYNTAX: Rule = Rule { name: "etag-syntax", subject: "ETag header", judge: etag_syntax };
pub const ETAG_EQUALS_VERSION: Rule = Rule {
    name: "etag-equals-version",
    subject: "resource with an ETag or a version",
    judge: etag_equals_version,
};
pub const PASSWORD_NEVER_RETURNED: Rule =
    Rule { name: "password-never-returned", subject: "User", judge: password_never_returned };
pub const CREATED_EQUALS_MODIFIED: Rule =
    Rule { name: "created-equals-modified", subject: "201 with both times", judge: created_equals_modified };

/// The first fault of each kind is enough: rows of a list mostly share it.
fn first_per_kind(faults: impl IntoIterator<Item = Fault>) -> Vec<Fault> {
    let mut kept: Vec<Fault> = Vec::new();
    for fault in faults {
        let is_known = kept.iter().any(|known| {
            known.expected_class == fault.expected_class
                && known.actual_class == fault.actual_class
                && known.severity == fault.severity
        });
        if !is_known {
            kept.push(fault);
        }
    }
    kept
}

/// The verdict on all resources that the rule has something to say about.
fn each<'a>(
    rule: &str,
    exchange: &Exchange,
    found: impl IntoIterator<Item = Found<'a>>,
    judge: impl Fn(&Found<'a>) -> Vec<Fault>,
) -> RuleVerdict {
    let mut is_eligible = false;
    let mut faults = Vec::new();
    for resource in found {
        is_eligible = true;
        faults.extend(judge(&resource));
    }
    if !is_eligible {
        return RuleVerdict::NotEligible;
    }
    verdict(rule, exchange, first_per_kind(faults))
}

/// The one resource that is the answer; none where the answer is a list.
fn single<'a>(exchange: &'a Exchange, context: &'a View<'_>) -> Option<Found<'a>> {
    found(exchange, context).into_iter().next().filter(|found| found.row.is_none())
}

fn schemas_present(exchange: &Exchange, context: &View<'_>) -> RuleVerdict {
    let is_projected = kind::is_projected(&exchange.request);
    each("schemas-present", exchange, found(exchange, context), |found| {
        let schemas = get(found.resource, "schemas");
        let path = found.path("schemas");
        let class = found.path_class("schemas");
        let urns = schemas.and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        if urns.is_empty() || !urns.iter().all(Value::is_string) {
            let shown = schemas.map_or("absent".to_owned(), words::show);
            let fault = Fault::new(
                format!("{path} is {shown}, expected an array of schema URIs"),
                "a non-empty array of URIs",
                shown,
            )
            .class(format!("{class} URIs"), words::class_of(schemas))
            .breaks(if schemas.is_none() {
                &["RFC7643-2.1-01", "RFC7643-3-02"]
            } else {
                &["RFC7643-3-02"]
            });
            // The RFC's own examples of projections, and of /Schemas, leave it out.
            let is_open = is_projected || found.is_discovery;
            let fault = if is_open { fault } else { fault.breaks_too(&["RFC7644-3.1-02"]) };
            return vec![if is_open && schemas.is_none() { fault.warning() } else { fault }];
        }
        if let Some(urn) = urns.iter().filter_map(Value::as_str).find(|urn| Url::parse(urn).is_err()) {
            let is_quoted = urn.contains(['"', '\'']);
            let what =
                if is_quoted { "with the quotation marks of the RFC's text" } else { "which is no URI" };
            let fault = Fault::new(
                format!("{path} holds {}, {what}", words::quote(urn)),
                "the URI of a schema",
                words::quote(urn),
            )
            .class(format!("{class} URI"), if is_quoted { "quoted text" } else { "other text" })
            .breaks(&["RFC7643-3-06"]);
            return vec![if is_quoted { fault.breaks_too(&["RFC7643-1.1-01"]) } else { fault }];
        }
        let texts: Vec<String> = urns.iter().filter_map(Value::as_str).map(str::to_ascii_lowercase).collect();
        let repeated = texts.iter().enumerate().find(|(index, urn)| texts[..*index].contains(urn));
        repeated
            .map(|(_, urn)| {
                Fault::new(
                    format!("{path} holds {} twice", words::quote(urn)),
                    "each URI once",
                    words::show(&Value::Array(urns.to_vec())),
                )
                .class(format!("{class} unique"), "repeated URI")
                .breaks(&["RFC7643-3-04"])
            })
            .into_iter()
            .collect()
    })
}

fn id_present(exchange: &Exchange, context: &View<'_>) -> RuleVerdict {
    // Of the discovery resources only Schema has an id by right.
    let resources = found(exchange, context).into_iter().filter(|found| {
        !found.is_discovery || found.definition.is_some_and(|definition| definition.name == "Schema")
    });
    each("id-present", exchange, resources, |found| {
        let id = get(found.resource, "id");
        let path = found.path("id");
        let class = found.path_class("id");
        match id {
            Some(Value::String(id)) if id.contains("bulkId") => vec![
                Fault::new(
                    format!("{path} contains the reserved word bulkId"),
                    "an id without bulkId",
                    words::quote(id),
                )
                .class(format!("{class} without bulkId"), "bulkId")
                .breaks(&["RFC7643-3.1-11"]),
            ],
            Some(Value::String(id)) if !id.is_empty() => Vec::new(),
            other => {
                let shown = other.map_or("absent".to_owned(), words::show_typed);
                let requirements: &[&str] = match other {
                    None => &["RFC7643-3.1-05", "RFC7643-3.1-12"],
                    Some(_) => &["RFC7643-3.1-05"],
                };
                vec![
                    Fault::new(
                        format!("{path} is {shown}, expected a non-empty string"),
                        "a non-empty string",
                        shown,
                    )
                    .class(
                        format!("{class} string"),
                        if other.is_some_and(Value::is_string) {
                            "empty string"
                        } else {
                            words::class_of(other)
                        },
                    )
                    .breaks(requirements),
                ]
            }
        }
    })
}

fn id_stable(exchange: &Exchange, context: &View<'_>) -> RuleVerdict {
    if !matches!(exchange.request.method.as_str(), "GET" | "PUT" | "PATCH") {
        return RuleVerdict::NotEligible;
    }
    let Some(asked) = id_in_path(&exchange.request.path) else { return RuleVerdict::NotEligible };
    let Some(found) = single(exchange, context).filter(|found| !found.is_discovery) else {
        return RuleVerdict::NotEligible;
    };
    let id = match get(found.resource, "id") {
        Some(Value::String(id)) => id.clone(),
        Some(Value::Number(id)) => id.to_string(),
        _ => return RuleVerdict::NotEligible,
    };
    // A server may find a resource by its id in other letters; that is no other id.
    if id.eq_ignore_ascii_case(&asked) || same_id(&id, &asked) {
        return RuleVerdict::Held;
    }
    let fault = Fault::new(
        "the answer holds another id than the URL",
        format!("id {}", words::quote(&asked)),
        format!("id {}", words::quote(&id)),
    )
    .class("id of the URL", "other id");
    verdict("id-stable", exchange, vec![fault])
}

fn meta_complete(exchange: &Exchange, context: &View<'_>) -> RuleVerdict {
    if kind::is_projected(&exchange.request) {
        return RuleVerdict::NotEligible;
    }
    let resources = found(exchange, context).into_iter().filter(|found| !found.is_discovery);
    each("meta-complete", exchange, resources, |found| {
        let Some(meta) = get(found.resource, "meta").filter(|meta| meta.is_object()) else {
            let meta = get(found.resource, "meta");
            let path = found.path("meta");
            let shown = meta.map_or("absent".to_owned(), words::show);
            return vec![
                Fault::new(format!("{path} is {shown}, expected an object"), "meta as an object", shown)
                    .class(format!("{} object", found.path_class("meta")), words::class_of(meta)),
            ];
        };
        [("resourceType", false), ("location", false), ("created", true), ("lastModified", true)]
            .into_iter()
            .filter_map(|(name, is_recommended)| {
                let value = get(meta, name);
                let is_text = value.and_then(Value::as_str).is_some_and(|text| !text.is_empty());
                if is_text {
                    return None;
                }
                let path = found.path(&format!("meta.{name}"));
                let shown = value.map_or("absent".to_owned(), words::show_typed);
                let fault = Fault::new(format!("{path} is {shown}, expected a string"), "a string", shown)
                    .class(
                        format!("{} string", found.path_class(&format!("meta.{name}"))),
                        words::class_of(value),
                    );
                // A server that keeps no times can say none; the two others it always knows.
                let is_missing = value.is_none_or(is_unassigned);
                Some(if is_recommended && is_missing { fault.warning() } else { fault })
            })
            .collect()
    })
}

fn meta_resource_type(exchange: &Exchange, context: &View<'_>) -> RuleVerdict {
    let is_at_own_endpoint = context.definitions.by_endpoint(exchange).is_some();
    let resources = found(exchange, context).into_iter().filter(|found| {
        is_at_own_endpoint
            && get(found.resource, "meta")
                .and_then(|meta| get(meta, "resourceType"))
                .is_some_and(Value::is_string)
    });
    each("meta-resource-type", exchange, resources, |found| {
        let named =
            get(found.resource, "meta").and_then(|meta| get(meta, "resourceType")).and_then(Value::as_str);
        let (Some(named), Some(definition)) = (named, found.definition) else { return Vec::new() };
        if named == definition.name {
            return Vec::new();
        }
        let fault = Fault::new(
            format!(
                "{} is {}, expected \"{}\"",
                found.path("meta.resourceType"),
                words::quote(named),
                definition.name
            ),
            format!("\"{}\"", definition.name),
            words::quote(named),
        )
        .class(format!("{} {}", found.path_class("meta.resourceType"), definition.name), "other name");
        vec![if found.is_discovery { fault.warning() } else { fault }]
    })
}

/// A URI resolved against the request, and against the base URL of the service provider.
fn resolved(exchange: &Exchange, reference: &str) -> Option<Url> {
    Url::parse(&exchange.request.url).ok()?.join(reference).ok()
}

/// Whether a reference names what `to` names, read against the request, or against the base URL as RFC 7643
/// section 2.3.7 has it.
fn leads_to(exchange: &Exchange, reference: &str, to: &Url) -> Same {
    let mut readings: Vec<Url> = resolved(exchange, reference).into_iter().collect();
    if !reference.contains("://") {
        let below = reference.trim_start_matches("../").trim_start_matches('/');
        readings.extend(base(exchange).and_then(|base| base.join(below).ok()));
    }
    let path = |url: &Url| url.path().trim_end_matches('/').to_owned();
    if readings.iter().any(|url| path(url) == path(to) && url.origin() == to.origin()) {
        Same::Wholly
    } else if readings.iter().any(|url| path(url) == path(to)) {
        Same::AtOtherHost
    } else {
        Same::No
    }
}

/// How two URIs stand to each other.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Same {
    Wholly,
    AtOtherHost,
    No,
}

/// The base URL: what stands before the path below it.
fn base(exchange: &Exchange) -> Option<Url> {
    let url = exchange.request.url.split(['?', '#']).next()?;
    let path = exchange.request.path.split(['?', '#']).next()?;
    let base = url.strip_suffix(path)?;
    Url::parse(&format!("{}/", base.trim_end_matches('/'))).ok()
}

/// What a URI may hold (RFC 3986 section 2): the reserved and the unreserved characters, and the percent sign.
fn belongs_in_uri(c: char) -> bool {
    c.is_ascii_alphanumeric() || "-._~:/?#[]@!$&'()*+,;=%".contains(c)
}

/// Locations are the base URI and the path of the resource, encoded as URIs are.
fn location_is_address(exchange: &Exchange, context: &View<'_>) -> RuleVerdict {
    // Where the base URI ends in a version, that is what stands before the endpoint.
    let version = base(exchange)
        .and_then(|base| base.path_segments()?.rfind(|segment| !segment.is_empty()).map(str::to_owned))
        .filter(|segment| is_version(segment));
    let location_of = |found: &Found<'_>| {
        meta_text(found.resource, "location").filter(|location| !location.is_empty()).map(str::to_owned)
    };
    let located: Vec<Found<'_>> =
        found(exchange, context).into_iter().filter(|found| location_of(found).is_some()).collect();
    each("location-is-address", exchange, located, |found| {
        let Some(location) = location_of(found) else { return Vec::new() };
        let (path, class) = (found.path("meta.location"), found.path_class("meta.location"));
        let shown = words::quote(&location);
        let mut faults = Vec::new();
        if let Some(stray) = location.chars().find(|c| !belongs_in_uri(*c)) {
            faults.push(
                Fault::new(
                    format!(
                        "{path} has {} in it, which a URI holds percent-encoded only",
                        words::quote(&stray.to_string())
                    ),
                    "a percent-encoded URI",
                    &*shown,
                )
                .class(format!("{class} encoded"), "other characters")
                .breaks(&["RFC7644-1.2-01"]),
            );
        }
        if location.contains('?') {
            faults.push(
                Fault::new(
                    format!("{path} has a query: clients append paths and queries to what comes before"),
                    "a URI without a query",
                    &*shown,
                )
                .class(format!("{class} without a query"), "query")
                .breaks(&["RFC7644-1.3-01"]),
            );
        }
        let endpoint = found.definition.map(|definition| definition.endpoint.trim_matches('/').to_owned());
        if let (Some(version), Some(endpoint)) = (&version, endpoint.filter(|it| !it.is_empty())) {
            let segments: Vec<&str> =
                location.split(['?', '#']).next().unwrap_or_default().split('/').collect();
            let first = endpoint.split('/').next().unwrap_or_default();
            let is_there = segments.iter().any(|segment| segment.eq_ignore_ascii_case(version));
            let precedes = segments
                .windows(2)
                .any(|pair| pair[0].eq_ignore_ascii_case(version) && pair[1].eq_ignore_ascii_case(first));
            if is_there && !precedes {
                faults.push(
                    Fault::new(
                        format!("{path} has {version} elsewhere than before {first}"),
                        format!("…/{version}/{first}/…"),
                        &*shown,
                    )
                    .class(format!("{class} version before the endpoint"), "version elsewhere")
                    .breaks(&["RFC7644-3.13-02"]),
                );
            }
        }
        faults
    })
}

fn meta_text<'a>(resource: &'a Value, name: &str) -> Option<&'a str> {
    get(resource, "meta").and_then(|meta| get(meta, name)).and_then(Value::as_str)
}

fn location_on_create(exchange: &Exchange, context: &View<'_>) -> RuleVerdict {
    let is_create = exchange.request.method == "POST" && !kind::is_search(&exchange.request);
    let Some(response) = success(exchange).filter(|response| response.status == 201 && is_create) else {
        return RuleVerdict::NotEligible;
    };
    let location = response.header("location").map(str::trim).filter(|location| !location.is_empty());
    let Some(location) = location else {
        let fault = Fault::new(
            "answered 201 (Created) without a Location header",
            "Location with the URI of the new resource",
            "no Location",
        )
        .class("Location", "absent");
        return verdict("location-on-create", exchange, vec![fault]);
    };
    let Some(url) = resolved(exchange, location) else {
        let fault = Fault::new(
            format!("the Location header {} is no URI", words::quote(location)),
            "a URI",
            words::quote(location),
        )
        .class("Location", "no URI");
        return verdict("location-on-create", exchange, vec![fault]);
    };
    // The last segment is the id: whoever follows the Location finds the resource that the body shows.
    let id = single(exchange, context)
        .and_then(|found| get(found.resource, "id").and_then(Value::as_str).map(str::to_owned));
    let last = url.path().trim_end_matches('/').rsplit('/').next().unwrap_or_default().to_owned();
    let last = percent_encoding::percent_decode_str(&last).decode_utf8_lossy().into_owned();
    let faults = match id {
        Some(id) if !same_id(&id, &last) => vec![
            Fault::new(
                "the Location header does not end in the id of the new resource",
                format!("a URI that ends in {}", words::quote(&id)),
                words::quote(location),
            )
            .class("Location with id", "other id")
            .warning(),
        ],
        _ => Vec::new(),
    };
    verdict("location-on-create", exchange, faults)
}

fn location_equals_meta(exchange: &Exchange, context: &View<'_>) -> RuleVerdict {
    let Some(found) = single(exchange, context).filter(|found| !found.is_discovery) else {
        return RuleVerdict::NotEligible;
    };
    let Some(meta) = meta_text(found.resource, "location").filter(|location| !location.is_empty()) else {
        return RuleVerdict::NotEligible;
    };
    let Some(response) = exchange.response() else { return RuleVerdict::NotEligible };
    let mut is_eligible = false;
    let mut faults = Vec::new();
    for name in ["Location", "Content-Location"] {
        let Some(header) = response.header(name).map(str::trim).filter(|header| !header.is_empty()) else {
            continue;
        };
        let Some(url) = resolved(exchange, header) else { continue };
        is_eligible = true;
        match leads_to(exchange, meta, &url) {
            Same::Wholly => {}
            same => {
                let fault = Fault::new(
                    format!("the {name} header and meta.location differ"),
                    format!("meta.location {}", words::quote(header)),
                    format!("meta.location {}", words::quote(meta)),
                )
                .class(
                    format!("{name} = meta.location"),
                    if same == Same::No { "other URI" } else { "other host" },
                );
                // Behind a proxy one of the two often keeps the inner name.
                faults.push(if same == Same::No { fault } else { fault.warning() });
            }
        }
    }
    if is_eligible && !meta.contains("://") {
        faults.push(
            Fault::new(
                format!("meta.location is relative: {}", words::quote(meta)),
                "an absolute URI",
                words::quote(meta),
            )
            .class("meta.location absolute", "relative")
            .warning(),
        );
    }
    if is_eligible { verdict("location-equals-meta", exchange, faults) } else { RuleVerdict::NotEligible }
}

fn etag_syntax(exchange: &Exchange, _: &View<'_>) -> RuleVerdict {
    let Some(tag) = exchange.response().and_then(|response| response.header("etag")) else {
        return RuleVerdict::NotEligible;
    };
    if is_etag(tag.trim()) {
        return RuleVerdict::Held;
    }
    let fault = Fault::new(
        format!("the ETag {} is no entity tag", words::quote(tag)),
        "a quoted text, such as W/\"1\"",
        words::quote(tag),
    )
    .class("entity tag", "other text");
    let is_small = tag.trim().starts_with("w/") && is_etag(&tag.trim()[2..]);
    let fault = if is_small { fault.breaks(&["RFC7643-3.1-28", "RFC9110-8.8.3-01"]) } else { fault };
    verdict("etag-syntax", exchange, vec![fault])
}

/// The opaque part of a tag, without `W/` and quotes.
fn opaque(tag: &str) -> &str {
    let tag = tag.trim();
    tag.strip_prefix("W/").unwrap_or(tag).trim_matches('"')
}

fn etag_equals_version(exchange: &Exchange, context: &View<'_>) -> RuleVerdict {
    let Some(response) = success(exchange) else { return RuleVerdict::NotEligible };
    let Some(found) = single(exchange, context).filter(|found| !found.is_discovery) else {
        return RuleVerdict::NotEligible;
    };
    let tag = response.header("etag");
    let version = meta_text(found.resource, "version").filter(|version| !version.is_empty());
    let is_projected = kind::is_projected(&exchange.request);
    let fault = match (tag, version) {
        (Some(tag), Some(version)) if tag.trim() == version => return RuleVerdict::Held,
        (Some(tag), Some(version)) => {
            let is_close = opaque(tag) == opaque(version);
            let fault = Fault::new(
                if is_close {
                    "the ETag header and meta.version differ in quotes or W/"
                } else {
                    "the ETag header and meta.version differ"
                },
                format!("meta.version {}", words::quote(tag)),
                format!("meta.version {}", words::quote(version)),
            )
            .class("ETag = meta.version", if is_close { "other form" } else { "other tag" })
            .breaks(match exchange.request.method.as_str() {
                "POST" => &["RFC7643-3.1-25", "RFC7644-3.3-12"],
                _ => &["RFC7643-3.1-25"],
            });
            if is_close { fault.warning() } else { fault }
        }
        _ if !context.claims(Capability::Etag) => return RuleVerdict::NotEligible,
        (None, None) if is_projected => return RuleVerdict::NotEligible,
        // A tag in the answer to PUT or POST is not owed where the content was transformed (RFC 9110 9.3.4).
        (None, _) if exchange.request.method == "GET" => {
            Fault::new("there is no ETag header though etag.supported is true", "an ETag header", "absent")
                .class("ETag", "absent")
                .breaks(&["RFC7644-3.14-02"])
        }
        (Some(tag), None) if !is_projected => Fault::new(
            "there is no meta.version beside the ETag header",
            format!("meta.version {}", words::quote(tag)),
            "absent",
        )
        .class("meta.version", "absent")
        .breaks(&["RFC7644-3.14-03"])
        .warning(),
        _ => return RuleVerdict::NotEligible,
    };
    verdict("etag-equals-version", exchange, vec![fault])
}

/// The passwords that the request set, as texts.
fn sent_passwords(request: &Request) -> Vec<String> {
    let Some(body) = request.json() else { return Vec::new() };
    let mut passwords: Vec<String> =
        get(&body, "password").and_then(Value::as_str).map(str::to_owned).into_iter().collect();
    for operation in get(&body, "Operations").map(elements).unwrap_or_default() {
        let value = get(operation, "value");
        let path = get(operation, "path").and_then(Value::as_str).unwrap_or_default();
        let is_password = path.rsplit(':').next().is_some_and(|name| name.eq_ignore_ascii_case("password"));
        let set = if is_password { value } else { value.and_then(|value| get(value, "password")) };
        passwords.extend(set.and_then(Value::as_str).map(str::to_owned));
    }
    passwords
}

fn password_never_returned(exchange: &Exchange, context: &View<'_>) -> RuleVerdict {
    let has_password = |found: &Found<'_>| {
        !found.is_discovery
            && found.definition.is_some_and(|definition| definition.top_attribute("password").is_some())
    };
    let resources = found(exchange, context).into_iter().filter(has_password);
    let sent: Vec<String> =
        sent_passwords(&exchange.request).into_iter().filter(|password| password.len() >= 6).collect();
    each("password-never-returned", exchange, resources, |found| {
        if get(found.resource, "password").is_some_and(|value| !is_unassigned(value)) {
            return vec![
                Fault::new(
                    format!("{} is returned", found.path("password")),
                    "no password, neither clear nor hashed",
                    "a password",
                )
                .class(format!("{} absent", found.path_class("password")), "present"),
            ];
        }
        let text = found.resource.to_string();
        let is_elsewhere = sent.iter().any(|password| {
            let quoted = Value::String(password.clone()).to_string();
            text.contains(&quoted)
        });
        if is_elsewhere {
            return vec![
                Fault::new(
                    "the password that was sent stands in another attribute",
                    "no password",
                    "the password",
                )
                .class("password absent", "present elsewhere"),
            ];
        }
        Vec::new()
    })
}

fn created_equals_modified(exchange: &Exchange, context: &View<'_>) -> RuleVerdict {
    let is_create = exchange.request.method == "POST" && exchange.status() == Some(201);
    let Some(found) = single(exchange, context).filter(|_| is_create) else {
        return RuleVerdict::NotEligible;
    };
    let time = |name: &str| meta_text(found.resource, name).and_then(datetime::parse).map(|time| time.utc);
    let (Some(created), Some(modified)) = (time("created"), time("lastModified")) else {
        return RuleVerdict::NotEligible;
    };
    let apart = (modified - created).abs();
    if apart.is_zero() {
        return RuleVerdict::Held;
    }
    let shown = match apart.num_milliseconds() {
        0 => "less than 1".to_owned(),
        milliseconds => milliseconds.to_string(),
    };
    let fault = Fault::new(
        format!("meta.created and meta.lastModified of a new resource are {shown} ms apart"),
        "the same instant",
        format!("{created} and {modified}"),
    )
    .class("lastModified = created", "other instant");
    // Two readings of one clock.
    let fault = if apart < chrono::TimeDelta::seconds(1) { fault.warning() } else { fault };
    verdict("created-equals-modified", exchange, vec![fault])
}
