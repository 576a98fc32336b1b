//! Resources that are shown wrongly (RFC 7643 §2, §3).

use axum::http::{Method, StatusCode};
use serde_json::{Value, json};

use super::super::endpoint::Kind;
use super::super::fault::{FaultEntry, Rewrite, Seen};
use super::super::message::Answer;
use super::super::rewrite::{each_member, each_meta, each_time, each_user};
use super::{body_of, each_resource, fault, object};
use crate::scim::names;
use Rewrite::Answer as At;

pub(super) const FAULTS: &[FaultEntry] = &[
    fault(
        "password-echoed",
        &["DEF-257"],
        "The answer to a write shows the password that was sent.",
        "everybody: the password is in every log",
        &["RFC7643-4.1.1-17", "RFC7643-4.1.1-25", "RFC7643-7-25"],
        &[At(|seen, answer| {
            let password = body_of(seen.request).and_then(|body| body.get("password").cloned());
            if let Some(password) = password {
                each_resource(seen, answer, |resource| {
                    resource.insert("password".to_owned(), password.clone());
                });
            }
        })],
    ),
    fault(
        "password-hash-returned",
        &["DEF-257"],
        "Users are shown with the hash of their password.",
        "everybody: hashes can be attacked at leisure",
        &["RFC7643-4.1.1-17", "RFC7643-7-27"],
        &[At(|seen, answer| {
            let store = seen.store;
            each_resource(seen, answer, |resource| {
                let record = resource.get("id").and_then(Value::as_str).and_then(|id| store.get(id));
                if let Some(digest) = record.and_then(|record| record.password.as_deref()) {
                    resource.insert("password".to_owned(), digest.into());
                }
            });
        })],
    ),
    fault(
        "schemas-missing-in-resources",
        &[],
        "Users and groups are shown without schemas.",
        "clients that tell resources by their URN",
        &["RFC7643-3-02", "RFC7643-2.1-01", "RFC7644-3.1-02"],
        &[At(|seen, answer| remove(seen, answer, "schemas"))],
    ),
    fault(
        "schemas-without-extension",
        &["DEF-080"],
        "A user shows enterprise attributes, but schemas lacks the URN of the extension.",
        "clients that read an extension only if it is announced",
        &["RFC7643-3.3-07", "RFC7643-3-09", "RFC7643-4.3-01"],
        &[At(|seen, answer| {
            each_resource(seen, answer, |resource| {
                if let Some(Value::Array(schemas)) = resource.get_mut("schemas") {
                    schemas.retain(|urn| urn != names::ENTERPRISE_USER);
                }
            });
        })],
    ),
    fault(
        "schemas-repeated",
        &[],
        "schemas has the same URN twice.",
        "clients with a set there",
        &["RFC7643-3-04"],
        &[At(|seen, answer| {
            each_resource(seen, answer, |resource| {
                if let Some(Value::Array(schemas)) = resource.get_mut("schemas") {
                    schemas.extend(schemas.first().cloned());
                }
            });
        })],
    ),
    fault(
        "schemas-foreign",
        &[],
        "schemas has a URN that no resource type declares.",
        "clients that look it up",
        &["RFC7643-3-03", "RFC7643-7-01"],
        &[At(|seen, answer| {
            each_resource(seen, answer, |resource| {
                if let Some(Value::Array(schemas)) = resource.get_mut("schemas") {
                    schemas.push("urn:example:params:scim:schemas:internal".into());
                }
            });
        })],
    ),
    fault(
        "id-missing",
        &[],
        "Users and groups are shown without id.",
        "every client: nothing can be updated",
        &["RFC7643-3.1-05", "RFC7643-3.1-12"],
        &[At(|seen, answer| remove(seen, answer, "id"))],
    ),
    fault(
        "id-as-number",
        &[],
        "The id is a number.",
        "typed clients",
        &["RFC7643-3.1-12", "RFC7643-2.3-02"],
        &[At(|seen, answer| {
            each_resource(seen, answer, |resource| {
                if let Some(id) = resource.get_mut("id") {
                    let sum = id.as_str().unwrap_or_default().bytes();
                    *id = sum.fold(7_u32, |sum, byte| sum.wrapping_mul(31) ^ u32::from(byte)).into();
                }
            });
        })],
    ),
    fault(
        "meta-missing",
        &["DEF-042"],
        "Users and groups are shown without meta.",
        "clients that follow meta.location or compare lastModified",
        &["RFC7643-3.1-01", "RFC7643-3.1-19", "RFC7644-3.3-09"],
        &[At(|seen, answer| remove(seen, answer, "meta"))],
    ),
    fault(
        "create-shows-no-meta",
        &[],
        "The answer to a create has no meta; reads have it.",
        "clients that keep the location and version of what they made",
        &["RFC7643-3.1-02", "RFC7644-3.3.1-01"],
        &[At(|seen, answer| {
            if answer.status == StatusCode::CREATED {
                remove(seen, answer, "meta");
            }
        })],
    ),
    fault(
        "meta-location-missing",
        &["DEF-042"],
        "meta has no location.",
        "clients that follow it",
        &["RFC7643-3.1-24", "RFC7644-3.3-09"],
        &[At(|seen, answer| each_meta(seen, answer, |meta| drop(meta.shift_remove("location"))))],
    ),
    fault(
        "meta-location-relative",
        &["DEF-043"],
        "meta.location is relative.",
        "clients that follow it as it is",
        &["RFC7643-3.1-24"],
        &[At(|seen, answer| {
            let base = seen.base;
            each_meta(seen, answer, |meta| {
                if let Some(Value::String(location)) = meta.get_mut("location") {
                    *location = location.replace(base, "");
                }
            });
        })],
    ),
    fault(
        "meta-location-internal-host",
        &["DEF-044"],
        "meta.location names a host that the client cannot reach.",
        "clients that follow it",
        &["RFC7643-3.1-24", "RFC7644-3.4.1-03", "RFC7644-3.3-09"],
        &[At(|seen, answer| {
            let base = seen.base;
            each_meta(seen, answer, |meta| {
                if let Some(Value::String(location)) = meta.get_mut("location") {
                    *location = location.replace(base, "http://backend.internal:9000/scim/v2");
                }
            });
        })],
    ),
    fault(
        "meta-resource-type-missing",
        &[],
        "meta has no resourceType.",
        "clients that search several types at once",
        &["RFC7643-3.1-20", "RFC7644-3.3.1-01"],
        &[At(|seen, answer| each_meta(seen, answer, |meta| drop(meta.shift_remove("resourceType"))))],
    ),
    fault(
        "meta-resource-type-wrong",
        &[],
        "meta.resourceType is Users or Groups.",
        "clients that search several types at once",
        &["RFC7643-3.1-20", "RFC7643-3-01"],
        &[At(|seen, answer| {
            each_meta(seen, answer, |meta| {
                if let Some(Value::String(name)) = meta.get_mut("resourceType") {
                    name.push('s');
                }
            });
        })],
    ),
    fault(
        "meta-times-missing",
        &[],
        "meta has neither created nor lastModified.",
        "clients that synchronise what changed",
        &["RFC7643-3.1-21", "RFC7643-3.1-22", "RFC7643-3.1-19"],
        &[At(|seen, answer| {
            each_meta(seen, answer, |meta| {
                meta.shift_remove("created");
                meta.shift_remove("lastModified");
            });
        })],
    ),
    fault(
        "times-without-zone",
        &["DEF-049"],
        "Times have no time zone.",
        "clients, which read another instant",
        &["RFC7643-2.3.5-01"],
        &[At(|seen, answer| each_time(seen, answer, |time| time.trim_end_matches('Z').into()))],
    ),
    fault(
        "times-with-blank",
        &[],
        "Times have a blank instead of the T.",
        "clients with strict parsers",
        &["RFC7643-2.3.5-01", "RFC7643-2.3.5-02"],
        &[At(|seen, answer| each_time(seen, answer, |time| time.replace('T', " ").into()))],
    ),
    fault(
        "times-as-numbers",
        &[],
        "Times are numbers of seconds.",
        "typed clients",
        &["RFC7643-2.3.5-02", "RFC7643-2.3-02"],
        &[At(|seen, answer| {
            each_time(seen, answer, |time| {
                let seconds = crate::scim::datetime::parse(time).map(|time| time.utc.timestamp());
                seconds.unwrap_or_default().into()
            });
        })],
    ),
    fault(
        "last-modified-frozen",
        &["DEF-050"],
        "meta.lastModified never changes.",
        "clients that synchronise what changed",
        &["RFC7643-3.1-22", "RFC7644-3.5.1-18"],
        &[At(|seen, answer| {
            each_meta(seen, answer, |meta| {
                if let Some(created) = meta.get("created").cloned() {
                    meta.insert("lastModified".to_owned(), created);
                }
            });
        })],
    ),
    fault(
        "created-moves",
        &[],
        "meta.created changes with every change of the resource.",
        "clients that order by age",
        &["RFC7643-3.1-21", "RFC7644-3.5.1-18"],
        &[At(|seen, answer| {
            each_meta(seen, answer, |meta| {
                if let Some(modified) = meta.get("lastModified").cloned() {
                    meta.insert("created".to_owned(), modified);
                }
            });
        })],
    ),
    fault(
        "last-modified-differs-at-birth",
        &[],
        "A resource that never changed has another lastModified than created.",
        "clients that tell new from changed",
        &["RFC7643-3.1-23"],
        &[At(|seen, answer| {
            each_meta(seen, answer, |meta| {
                if meta.get("created") == meta.get("lastModified") {
                    meta.insert("lastModified".to_owned(), "2001-01-01T00:00:00.000Z".into());
                }
            });
        })],
    ),
    fault(
        "active-as-text",
        &["DEF-061"],
        "active is the text \"true\" or \"false\".",
        "clients in whose language \"false\" is true: a leaver looks active",
        &["RFC7643-2.3.2-01", "RFC7643-4.1.1-16", "RFC7643-2.3-02"],
        &[At(|seen, answer| {
            each_resource(seen, answer, |resource| {
                if let Some(active) = resource.get_mut("active") {
                    *active = active.to_string().into();
                }
            });
        })],
    ),
    fault(
        "single-value-as-object",
        &[],
        "A list of one element is shown as that element.",
        "typed clients",
        &["RFC7643-2.4-01", "RFC7644-3.8-10"],
        &[At(|seen, answer| {
            each_resource(seen, answer, |resource| {
                for name in ["emails", "phoneNumbers", "members"] {
                    if let Some(value) = resource.get_mut(name)
                        && value.as_array().is_some_and(|elements| elements.len() == 1)
                    {
                        *value = value[0].take();
                    }
                }
            });
        })],
    ),
    fault(
        "email-types-lost",
        &["DEF-041"],
        "The elements of emails have lost their type and primary.",
        "Entra, whose mapping selects by type",
        &["RFC7643-2.4-03", "RFC7644-3.1-08"],
        &[At(|seen, answer| {
            each_resource(seen, answer, |resource| {
                let emails = resource.get_mut("emails").and_then(Value::as_array_mut);
                for email in emails.into_iter().flatten().filter_map(Value::as_object_mut) {
                    email.shift_remove("type");
                    email.shift_remove("primary");
                }
            });
        })],
    ),
    fault(
        "absent-as-null-text",
        &["DEF-052"],
        "A nickName that was never given is shown as the text \"None\".",
        "people, who are called None",
        &["RFC7643-2.5-01", "RFC7644-3.1-08"],
        &[At(|seen, answer| {
            each_user(seen, answer, |user| {
                user.entry("nickName").or_insert_with(|| "None".into());
            });
        })],
    ),
    fault(
        "undeclared-member-shown",
        &["DEF-188"],
        "Resources have a member that no schema declares.",
        "strict clients",
        &["RFC7644-3.4-02"],
        &[At(|seen, answer| {
            each_resource(seen, answer, |resource| {
                resource.insert("internalReference".to_owned(), 4711.into());
            });
        })],
    ),
    fault(
        "names-in-lower-case",
        &["DEF-241"],
        "Attribute names are shown in lower case.",
        "clients that compare names exactly",
        &["RFC7644-3.4-02", "RFC7643-8.1-01"],
        &[At(|seen, answer| {
            each_resource(seen, answer, |resource| {
                let members = std::mem::take(resource);
                for (name, value) in members {
                    let name = if name.starts_with("urn:") { name } else { name.to_lowercase() };
                    resource.insert(name, value);
                }
            });
        })],
    ),
    fault(
        "extension-flattened",
        &["DEF-238"],
        "Enterprise attributes are shown among the core ones.",
        "every client of the extension",
        &["RFC7643-3-09", "RFC7643-3.3-07", "RFC7643-8.3-01"],
        &[At(|seen, answer| {
            each_resource(seen, answer, |resource| {
                if let Some(Value::Object(extension)) = resource.shift_remove(names::ENTERPRISE_USER) {
                    resource.extend(extension);
                }
            });
        })],
    ),
    fault(
        "extension-by-short-name",
        &["DEF-238"],
        "The enterprise extension is shown as \"enterprise\" instead of under its URN.",
        "every client of the extension",
        &["RFC7643-3-09", "RFC7643-3.3-07"],
        &[At(|seen, answer| {
            each_resource(seen, answer, |resource| {
                if let Some(extension) = resource.shift_remove(names::ENTERPRISE_USER) {
                    resource.insert("enterprise".to_owned(), extension);
                }
            });
        })],
    ),
    fault(
        "external-id-hidden",
        &["DEF-230"],
        "externalId is kept, but never shown.",
        "Entra, which matches by it",
        &["RFC7643-3.1-13", "RFC7643-3.1-17", "RFC7644-3.4-03"],
        &[At(|seen, answer| remove(seen, answer, "externalId"))],
    ),
    fault(
        "external-id-invented",
        &["DEF-266"],
        "A resource without externalId is shown with one.",
        "clients that match by it",
        &["RFC7643-3.1-14"],
        &[At(|seen, answer| {
            each_resource(seen, answer, |resource| {
                let id = resource.get("id").cloned().unwrap_or_default();
                resource.entry("externalId").or_insert(id);
            });
        })],
    ),
    fault(
        "user-name-differs-between-answers",
        &["DEF-038"],
        "A create shows the userName that was sent, a GET shows the externalId or id instead.",
        "Okta and Entra, which do not find the user again and create it once more",
        &["RFC7644-3.1-08", "RFC7644-3.4.1-02"],
        &[At(|seen, answer| {
            if seen.request.method == Method::GET {
                each_user(seen, answer, |user| {
                    let other = user.get("externalId").or_else(|| user.get("id")).cloned();
                    if let (Some(other), true) = (other, user.contains_key("userName")) {
                        user.insert("userName".to_owned(), other);
                    }
                });
            }
        })],
    ),
    fault(
        "groups-of-user-missing",
        &["DEF-203"],
        "A user does not show the groups that list it.",
        "clients that read memberships from the user",
        &["RFC7643-4.1.2-19"],
        &[At(|seen, answer| remove(seen, answer, "groups"))],
    ),
    fault(
        "groups-of-user-only-everybody",
        &[],
        "A user shows the group of everybody, and none of those that list it.",
        "clients that read memberships from the user",
        &["RFC7643-4.1.2-19"],
        &[At(|seen, answer| {
            let base = seen.base;
            each_user(seen, answer, |user| {
                let reference = format!("{base}/Groups/everybody");
                let everybody = json!({ "value": "everybody", "$ref": reference, "display": "Everybody", "type": "direct" });
                user.insert("groups".to_owned(), json!([everybody]));
            });
        })],
    ),
    fault(
        "groups-of-user-by-name",
        &["DEF-203"],
        "The value of a user's groups is the name of the group and not its id.",
        "clients that follow it",
        &["RFC7643-4.1.2-23"],
        &[At(|seen, answer| {
            each_user(seen, answer, |user| {
                let groups = user.get_mut("groups").and_then(Value::as_array_mut);
                for group in groups.into_iter().flatten().filter_map(Value::as_object_mut) {
                    if let Some(name) = group.get("display").cloned() {
                        group.insert("value".to_owned(), name);
                    }
                }
            });
        })],
    ),
    fault(
        "member-references-missing",
        &["DEF-201"],
        "Members have neither $ref nor type, and groups are found by the type of their members all the same.",
        "clients that walk members",
        &["RFC7644-3.4.2.2-02"],
        &[At(|seen, answer| {
            each_member(seen, answer, |member| {
                member.shift_remove("$ref");
                member.shift_remove("type");
            });
        })],
    ),
    fault(
        "member-references-broken",
        &["DEF-201"],
        "The $ref of a member leads nowhere.",
        "clients that walk members",
        &["RFC7643-2.3.7-04", "RFC7643-4.2-06"],
        &[At(|seen, answer| {
            let base = seen.base.to_owned();
            each_member(seen, answer, |member| {
                member.insert("$ref".to_owned(), format!("{base}/Members/1").into());
            });
        })],
    ),
    fault(
        "member-references-lead-back",
        &[],
        "The $ref of a member is the address of the group that has it.",
        "clients that walk members: they go round in a circle",
        &["RFC7643-2.3.7-04", "RFC7643-4.2-06"],
        &[At(|seen, answer| {
            let base = seen.base;
            each_resource(seen, answer, |resource| {
                let id = resource.get("id").and_then(Value::as_str).unwrap_or_default();
                let reference = Value::from(format!("{base}/Groups/{id}"));
                let members = resource.get_mut("members").and_then(Value::as_array_mut);
                for member in members.into_iter().flatten().filter_map(Value::as_object_mut) {
                    member.insert("$ref".to_owned(), reference.clone());
                }
            });
        })],
    ),
    fault(
        "create-shows-foreign-id",
        &["DEF-259", "DEF-266"],
        "A create answers with the id of another user.",
        "everybody: the next update hits somebody else",
        &["RFC7643-3.1-06", "RFC7643-3.1-07", "RFC7644-3.3-09"],
        &[At(|seen, answer| {
            let other = seen.store.all().find(|record| record.kind == Kind::User);
            if let (StatusCode::CREATED, Some(other)) = (answer.status, other) {
                let id = other.id.as_str();
                if let Some(body) = object(answer) {
                    body.insert("id".to_owned(), id.into());
                }
            }
        })],
    ),
    fault(
        "answers-non-ascii-as-question-marks",
        &[],
        "Letters beyond ASCII are shown as question marks.",
        "people whose names have such letters",
        &["RFC7644-3.8-01", "RFC7643-2.3.1-01"],
        &[At(|seen, answer| {
            each_resource(seen, answer, |resource| {
                for value in resource.values_mut() {
                    to_ascii(value);
                }
            });
        })],
    ),
];

fn remove(seen: &Seen<'_>, answer: &mut Answer, member: &str) {
    each_resource(seen, answer, |resource| {
        resource.shift_remove(member);
    });
}

/// Replaces letters beyond ASCII, in the strings of a resource: nesting there is bounded by the schemas.
fn to_ascii(value: &mut Value) {
    match value {
        Value::String(text) => {
            *text = text.chars().map(|letter| if letter.is_ascii() { letter } else { '?' }).collect();
        }
        Value::Array(elements) => elements.iter_mut().for_each(to_ascii),
        Value::Object(members) => members.values_mut().for_each(to_ascii),
        _ => {}
    }
}
