//! How a resource is shown (RFC 7643 §2–4, RFC 7644 §3.9), and what the server makes of what it is given.

use axum::http::Method;
use chrono::FixedOffset;
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::super::endpoint::Kind;
use super::super::fault::{Change, Rewrite, Seen};
use super::super::message::Answer;
use super::super::rewrite::{each_member, each_meta, each_resource, each_time, each_user};
use super::super::variant::VariantEntry;
use super::filters::nothing;
use super::rewriting;
use crate::scim::datetime;
use crate::scim::filter::Filter;
use crate::scim::names;
use crate::scim::path::AttributePath;
use Rewrite::{Answer as At, Change as Writing};

pub(super) const VARIANTS: &[VariantEntry] = &[
    // --- ids ---------------------------------------------------------------------------------------------------
    rewriting(
        "id-of-digits",
        &["AMB-32"],
        "An id is a string of digits: \"1803989619\".",
        "RFC 7643 section 3.1: id is an opaque string",
        &[Writing(|change| name(change, |uuid| uuid.as_fields().0.to_string()))],
    ),
    rewriting(
        "id-like-an-address",
        &["AMB-32"],
        "An id looks like an e-mail address: \"a~b+1803989619@id.example.com\".",
        "RFC 7643 section 3.1: id is an opaque string",
        &[Writing(|change| name(change, |uuid| format!("a~b+{}@id.example.com", uuid.as_fields().0)))],
    ),
    rewriting(
        "id-of-letters",
        &["AMB-32"],
        "An id is 32 letters, large and small.",
        "RFC 7643 section 3.1: id is an opaque, case-exact string",
        &[Writing(|change| {
            name(change, |uuid| {
                let letter = |(at, digit): (usize, char)| {
                    let letter = char::from(b'a' + digit.to_digit(16).unwrap_or_default() as u8);
                    if at.is_multiple_of(3) { letter.to_ascii_uppercase() } else { letter }
                };
                uuid.simple().to_string().char_indices().map(letter).collect()
            });
        })],
    ),
    rewriting(
        "id-in-capitals",
        &["AMB-32"],
        "An id is a UUID in capitals.",
        "RFC 7643 section 3.1: id is an opaque, case-exact string",
        &[Writing(|change| name(change, |uuid| uuid.to_string().to_uppercase()))],
    ),
    rewriting(
        "id-to-be-escaped",
        &["AMB-32"],
        "An id holds what a URL must escape: \"ü 1803989619/%41?#\".",
        "RFC 7643 section 3.1: id is an opaque string; RFC 3986 section 2.1 says how a URL holds it",
        &[Writing(|change| name(change, |uuid| format!("ü {}/%41?#", uuid.as_fields().0)))],
    ),
    rewriting(
        "id-with-quotes",
        &["AMB-32"],
        "An id holds quotes, a backslash and a comma.",
        "RFC 7643 section 3.1: id is an opaque string; RFC 8259 section 7 says how JSON holds it",
        &[Writing(|change| name(change, |uuid| format!("a\"b\\c,{}='d'", uuid.as_fields().0)))],
    ),
    rewriting(
        "id-as-a-name",
        &["AMB-32"],
        "An id is long, and made like a distinguished name: \"uid=…,ou=people,dc=example\".",
        "RFC 7643 section 3.1: id is an opaque string, of no limited length",
        &[Writing(|change| {
            name(change, |uuid| {
                format!("uid={uuid},ou=people,ou=accounts and more,o=Example Inc.,dc=example")
            });
        })],
    ),
    // --- times -------------------------------------------------------------------------------------------------
    rewriting(
        "times-with-zero-offset",
        &["AMB-15"],
        "Times end in +00:00.",
        "RFC 7643 section 2.3.5: an xsd:dateTime may have its zone as an offset",
        &[At(|seen, answer| each_time(seen, answer, |time| time.replace('Z', "+00:00").into()))],
    ),
    rewriting(
        "times-with-offset",
        &["AMB-15"],
        "Times are told at +05:30.",
        "RFC 7643 section 2.3.5: an xsd:dateTime may have its zone as an offset",
        &[At(|seen, answer| {
            each_time(seen, answer, |time| {
                let zone = FixedOffset::east_opt(19_800);
                match (datetime::parse(time), zone) {
                    (Some(instant), Some(zone)) => {
                        let local = instant.utc.with_timezone(&zone);
                        local.to_rfc3339_opts(chrono::SecondsFormat::Millis, true).into()
                    }
                    _ => time.into(),
                }
            });
        })],
    ),
    rewriting(
        "times-with-microseconds",
        &["AMB-15"],
        "Times have six digits of a second.",
        "RFC 7643 section 2.3.5: an xsd:dateTime may have a fraction of any length",
        &[At(|seen, answer| each_time(seen, answer, |time| time.replace('Z', "000Z").into()))],
    ),
    VariantEntry {
        settle: Some(|behaviour| behaviour.clock_step = chrono::Duration::seconds(1)),
        ..rewriting(
            "times-in-seconds",
            &["AMB-15"],
            "Times are whole seconds, without a fraction, so that two changes within a second show the same time.",
            "RFC 7643 section 2.3.5: the fraction of an xsd:dateTime is optional",
            &[At(|seen, answer| each_time(seen, answer, |time| time.replace(".000Z", "Z").into()))],
        )
    },
    rewriting(
        "times-without-zone-at-all",
        &["AMB-15"],
        "Times have no zone.",
        "RFC 7643 section 2.3.5: the zone of an xsd:dateTime is optional; a warning",
        &[At(|seen, answer| each_time(seen, answer, |time| time.trim_end_matches('Z').into()))],
    ),
    rewriting(
        "times-by-two-clocks",
        &["AMB-14"],
        "created is 4 ms before lastModified when a resource is new.",
        "RFC 7643 section 3.1: the two are the same for a new resource; a warning, because they are readings of a clock",
        &[At(|seen, answer| {
            each_meta(seen, answer, |meta| {
                if let Some(Value::String(created)) = meta.get_mut("created")
                    && let Some(instant) = datetime::parse(created)
                {
                    let earlier = instant.utc - chrono::TimeDelta::milliseconds(4);
                    *created = super::super::represent::date_time(earlier);
                }
            });
        })],
    ),
    // --- what is not there -------------------------------------------------------------------------------------
    rewriting(
        "unassigned-as-null",
        &["AMB-17"],
        "Whole resources show single attributes without a value as null.",
        "RFC 7643 section 2.5: null and absent are the same",
        &[At(|seen, answer| {
            each_whole(seen, answer, |resource, kind| {
                let names: &[&str] = match kind {
                    Kind::User => &["externalId", "nickName", "title", "displayName", "locale", "profileUrl"],
                    _ => &["externalId"],
                };
                for name in names {
                    resource.entry(*name).or_insert(Value::Null);
                }
                if let Some(Value::Object(name)) = resource.get_mut("name") {
                    name.entry("middleName").or_insert(Value::Null);
                }
            });
        })],
    ),
    rewriting(
        "unassigned-as-empty",
        // Whoever shows empty arrays takes them back.
        &["AMB-17", "AMB-108"],
        "Whole resources show lists without a value as [].",
        "RFC 7643 section 2.5: an empty array and absent are the same",
        &[At(|seen, answer| {
            each_whole(seen, answer, |resource, kind| {
                let names: &[&str] = match kind {
                    Kind::User => &["emails", "phoneNumbers", "addresses", "groups", "roles", "photos"],
                    _ => &["members"],
                };
                for name in names {
                    resource.entry(*name).or_insert_with(|| json!([]));
                }
            });
        })],
    ),
    rewriting(
        "unassigned-as-empty-object",
        &["AMB-17"],
        "Whole users without a name show name as {}.",
        "RFC 7643 section 2.5: what has no value is unassigned; a warning",
        &[At(|seen, answer| {
            each_whole(seen, answer, |resource, kind| {
                if kind == Kind::User {
                    resource.entry("name").or_insert_with(|| json!({}));
                }
            });
        })],
    ),
    rewriting(
        "schemas-only-in-whole-resources",
        &["AMB-11"],
        "What attributes asks for comes without schemas, unless it names them.",
        "RFC 7644 section 3.4.2: the rows of its examples have none; a warning, because RFC 7643 section 3 wants them",
        &[At(|seen, answer| {
            if is_projected(seen) {
                each_resource(seen, answer, |resource| {
                    resource.shift_remove("schemas");
                });
            }
        })],
    ),
    rewriting(
        "location-below-the-base",
        &["AMB-13"],
        "meta.location is relative to the base URL: /Users/….",
        "RFC 7643 section 2.3.7: a reference may be relative; a warning",
        &[At(|seen, answer| {
            let base = seen.base.to_owned();
            each_meta(seen, answer, |meta| {
                if let Some(Value::String(location)) = meta.get_mut("location") {
                    *location = location.replace(&base, "");
                }
            });
        })],
    ),
    // --- values that the server makes ---------------------------------------------------------------------------
    rewriting(
        "addresses-get-display",
        &["AMB-26", "AMB-29"],
        "Each element of emails shows a display that the server made.",
        "RFC 7643 section 2.4: display is for people, and the schemas describe it as read-only",
        &[Writing(|change| {
            each_email(change, |email| {
                if let Some(Value::String(value)) = email.get("value") {
                    let display = format!("<{value}>");
                    email.insert("display".to_owned(), display.into());
                }
            });
        })],
    ),
    rewriting(
        "primary-always-said",
        &["AMB-23"],
        "Each element of emails that is not primary says so: primary is false.",
        "RFC 7643 section 2.4: without a value, primary is false",
        &[At(|seen, answer| {
            each_user(seen, answer, |user| {
                let emails = user.get_mut("emails").and_then(Value::as_array_mut);
                for email in emails.into_iter().flatten().filter_map(Value::as_object_mut) {
                    if email.contains_key("value") && email.contains_key("type") {
                        email.entry("primary").or_insert(Value::Bool(false));
                    }
                }
            });
        })],
    ),
    rewriting(
        "display-name-made",
        &["AMB-25", "AMB-29"],
        "A user that is created without displayName gets its userName for one.",
        "RFC 7644 section 3.3: the service provider may alter or add attributes of what is posted",
        &[Writing(|change| {
            made(change, |user| {
                let name = user.get("userName").cloned().unwrap_or_default();
                user.entry("displayName").or_insert(name);
            });
        })],
    ),
    rewriting(
        "formatted-name-made",
        &["AMB-25"],
        "A user that is created without name.formatted gets one from givenName and familyName.",
        "RFC 7644 section 3.3: the service provider may alter or add attributes of what is posted",
        &[Writing(|change| {
            made(change, |user| {
                if let Some(Value::Object(name)) = user.get_mut("name") {
                    let part = |part: &str| name.get(part).and_then(Value::as_str).unwrap_or_default();
                    let formatted = format!("{} {}", part("givenName"), part("familyName"));
                    name.entry("formatted").or_insert(formatted.trim().into());
                }
            });
        })],
    ),
    // --- references --------------------------------------------------------------------------------------------
    rewriting(
        "members-without-reference",
        &["AMB-13"],
        "Members have no $ref.",
        "RFC 7643 section 4.2: the sub-attributes of members are optional but for value",
        &[At(|seen, answer| each_member(seen, answer, |member| drop(member.shift_remove("$ref"))))],
    ),
    rewriting(
        "members-with-relative-reference",
        &["AMB-13"],
        "The $ref of a member is ../Users/….",
        "RFC 7643 sections 2.3.7 and 8.3: a reference may be relative, and is so in the example",
        &[At(|seen, answer| {
            let base = seen.base.to_owned();
            let shorten = |element: &mut Map<String, Value>| {
                if let Some(Value::String(reference)) = element.get_mut("$ref") {
                    *reference = reference.replace(&base, "..");
                }
            };
            each_member(seen, answer, shorten);
            each_group_of_user(seen, answer, |groups| {
                groups.iter_mut().filter_map(Value::as_object_mut).for_each(shorten);
            });
        })],
    ),
    rewriting(
        "members-by-value-alone",
        &["AMB-26"],
        "Members have a value, and nothing else.",
        "RFC 7643 section 4.2: type, display and $ref are optional",
        &[
            At(|seen, answer| each_member(seen, answer, |member| member.retain(|name, _| name == "value"))),
            // What members do not have, no filter finds them by.
            Rewrite::Filter(|filter| {
                if let Ok(Some(tree)) = &filter.parsed {
                    filter.parsed = Ok(Some(by_value_alone(tree, false)));
                }
            }),
        ],
    ),
    rewriting(
        "groups-without-type",
        &["AMB-34"],
        "The groups of a user have no type.",
        "RFC 7643 section 4.1.2: type is optional",
        &[At(|seen, answer| {
            each_group_of_user(seen, answer, |groups| {
                for group in groups.iter_mut().filter_map(Value::as_object_mut) {
                    group.shift_remove("type");
                }
            });
        })],
    ),
    rewriting(
        "groups-of-users-not-shown",
        &["AMB-34"],
        "A user does not show its groups.",
        "RFC 7643 section 4.1.2: groups is optional; a warning",
        &[At(|seen, answer| each_resource(seen, answer, |resource| drop(resource.shift_remove("groups"))))],
    ),
    rewriting(
        "manager-by-value-alone",
        &["AMB-27"],
        "The manager has a value, and neither $ref nor displayName.",
        "RFC 7643 section 4.3: value and $ref are recommended, displayName is optional",
        &[At(|seen, answer| {
            each_user(seen, answer, |user| {
                let extension = user.get_mut(names::ENTERPRISE_USER);
                let manager = extension.and_then(|it| it.get_mut("manager")).and_then(Value::as_object_mut);
                if let Some(manager) = manager {
                    manager.retain(|name, _| name == "value");
                }
            });
        })],
    ),
];

/// A filter in which nothing matches a comparison of what is beside the value of a member. Its depth is bounded by the
/// parser.
fn by_value_alone(filter: &Filter, is_within: bool) -> Filter {
    let each =
        |operands: &[Filter]| operands.iter().map(|operand| by_value_alone(operand, is_within)).collect();
    let is_members = |path: &AttributePath| path.name.eq_ignore_ascii_case("members");
    match filter {
        Filter::And(operands) => Filter::And(each(operands)),
        Filter::Or(operands) => Filter::Or(each(operands)),
        Filter::Not(operand) => Filter::Not(Box::new(by_value_alone(operand, is_within))),
        Filter::ValuePath { path, filter } if is_members(path) => {
            Filter::ValuePath { path: path.clone(), filter: Box::new(by_value_alone(filter, true)) }
        }
        Filter::Compare { path, .. } | Filter::Present(path) => {
            let part = if is_within {
                Some(path.name.as_str())
            } else {
                path.sub.as_deref().filter(|_| is_members(path))
            };
            let has_it = part.is_none_or(|part| part.eq_ignore_ascii_case("value"));
            if has_it { filter.clone() } else { nothing(path) }
        }
        Filter::ValuePath { .. } => filter.clone(),
    }
}

/// Gives a resource that is being created another id.
fn name(change: &mut Change<'_>, id: fn(&Uuid) -> String) {
    if change.before.is_none() {
        change.id = id(&Uuid::new_v4());
    }
}

/// Adds to a user that is being created.
fn made(change: &mut Change<'_>, add: impl FnOnce(&mut Map<String, Value>)) {
    if let (Method::POST, Kind::User, Some(Value::Object(after))) =
        (change.method.clone(), change.kind, &mut change.after)
    {
        add(after);
    }
}

fn each_email(change: &mut Change<'_>, edit: impl FnMut(&mut Map<String, Value>)) {
    let emails =
        change.after.as_mut().and_then(|after| after.get_mut("emails")).and_then(Value::as_array_mut);
    emails.into_iter().flatten().filter_map(Value::as_object_mut).for_each(edit);
}

fn each_group_of_user(seen: &Seen<'_>, answer: &mut Answer, mut change: impl FnMut(&mut Vec<Value>)) {
    each_resource(seen, answer, |resource| {
        if let Some(Value::Array(groups)) = resource.get_mut("groups") {
            change(groups);
            if groups.is_empty() {
                resource.shift_remove("groups");
            }
        }
    });
}

/// Whether the request, in its URL or its body, asks for a part of resources.
fn is_projected(seen: &Seen<'_>) -> bool {
    let body = super::super::rewrite::body_of(seen.request);
    ["attributes", "excludedAttributes"].iter().any(|name| {
        seen.request.parameter(name).is_some() || body.as_ref().is_some_and(|body| body.get(name).is_some())
    })
}

/// Changes each resource that is shown whole, that is, where no part of it was asked for.
fn each_whole(seen: &Seen<'_>, answer: &mut Answer, change: impl Fn(&mut Map<String, Value>, Kind)) {
    if is_projected(seen) {
        return;
    }
    each_resource(seen, answer, |resource| {
        let kind = resource.get("meta").and_then(|meta| meta.get("resourceType")).and_then(Value::as_str);
        match kind {
            Some("User") => change(resource, Kind::User),
            Some("Group") => change(resource, Kind::Group),
            _ => {}
        }
    });
}
