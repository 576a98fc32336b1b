//! POST, PUT and DELETE that do something else (RFC 7644 §3.3, §3.5.1, §3.6).

use axum::http::{Method, StatusCode};
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::super::endpoint::{Endpoint, Kind};
use super::super::fault::{Change, FaultEntry, Rewrite, Seen};
use super::super::message::{Answer, Content};
use super::{SHOW, body_of, each_resource, fault, object, refuse};
use crate::scim::error::ScimError;
use crate::scim::names;
use crate::scim::resource::is_unassigned;
use Rewrite::{Answer as At, Change as Written, Conflicts as Unique};

pub(super) const FAULTS: &[FaultEntry] = &[
    fault(
        "create-answers-without-body",
        &[],
        "A create answers 201 without a body.",
        "clients that take the id from it",
        &["RFC7644-3.3-08", "RFC7644-3.3-09"],
        &[At(|_, answer| {
            if answer.status == StatusCode::CREATED {
                answer.content = Content::Empty;
            }
        })],
    ),
    fault(
        "create-echoes-request",
        &["DEF-041", "DEF-188"],
        "A create shows what was sent, attributes that no schema knows included, and not what was stored.",
        "clients that compare the answer with a later GET",
        &["RFC7644-3.3-10", "RFC7644-3.1-08"],
        &[At(|seen, answer| {
            if answer.status == StatusCode::CREATED
                && let (Some(Value::Object(sent)), Some(body)) = (body_of(seen.request), object(answer))
            {
                for (name, value) in sent {
                    if !["id", "meta", "password"].contains(&name.as_str()) {
                        body.insert(name, value);
                    }
                }
            }
        })],
    ),
    fault(
        "create-stores-nothing",
        &[],
        "A create answers 201, but the resource cannot be read afterwards.",
        "everybody: the account does not exist",
        &["RFC7644-3.3-01", "RFC7644-3.4.1-02"],
        &[
            Written(|change| {
                if change.before.is_none() {
                    let id = Value::String(change.id.clone());
                    change.memory.deleted.push(json!({ "id": id, "lost": true }));
                }
            }),
            At(refuse_lost),
        ],
    ),
    fault(
        "create-drops-emails",
        &["DEF-041"],
        "The emails of a new user are not stored.",
        "Entra and Okta, which send them again with every cycle",
        &["RFC7644-3.3-01", "RFC7643-8.2-01"],
        &[Written(|change| created(change, |after| drop(after.shift_remove("emails"))))],
    ),
    fault(
        "create-drops-name",
        &[],
        "The name of a new user is not stored.",
        "people, who have none",
        &["RFC7644-3.3-01", "RFC7643-8.2-01"],
        &[Written(|change| created(change, |after| drop(after.shift_remove("name"))))],
    ),
    fault(
        "create-drops-extension",
        &["DEF-239"],
        "The enterprise extension of a new user is not stored.",
        "Entra, which sends department and manager there",
        &["RFC7643-8.3-01", "RFC7643-3-09"],
        &[Written(|change| {
            created(change, |after| {
                after.shift_remove(names::ENTERPRISE_USER);
                after.insert("schemas".to_owned(), json!([names::USER]));
            });
        })],
    ),
    fault(
        "create-drops-members",
        &["DEF-196"],
        "The members of a new group are not stored.",
        "people, who have no access",
        &["RFC7643-4.2-05", "RFC7643-8.4-01"],
        &[Written(|change| created(change, |after| drop(after.shift_remove("members"))))],
    ),
    fault(
        "create-ignores-inactive",
        &["DEF-040"],
        "A user created with active=false is active.",
        "everybody: somebody has access who should not",
        &["RFC7644-3.3-01", "RFC7643-4.1.1-16"],
        &[Written(|change| {
            let kind = change.kind;
            created(change, |after| {
                if kind == Kind::User {
                    after.insert("active".to_owned(), true.into());
                }
            });
        })],
    ),
    fault(
        "id-chosen-by-client",
        &["DEF-037"],
        "A create takes the id that the client sends, even one in use.",
        "everybody: one account overwrites another",
        &["RFC7643-3.1-09", "RFC7644-3.3-02"],
        &[Written(|change| {
            if let (None, Some(id)) = (change.before, change.sent.get("id").and_then(Value::as_str)) {
                change.id = id.to_owned();
            }
        })],
    ),
    fault(
        "meta-taken-from-client",
        &["DEF-231"],
        "A write takes meta.created, meta.location and meta.resourceType from the client.",
        "clients that rely on them",
        &["RFC7643-3.1-18", "RFC7644-3.3-02", "RFC7644-3.5.1-11"],
        &[
            Written(|change| {
                if let Some(Value::Object(meta)) = change.sent.get("meta") {
                    let shown = change.memory.shown.entry(change.id.clone()).or_default();
                    shown.insert("meta".to_owned(), Value::Object(meta.clone()));
                }
            }),
            SHOW,
        ],
    ),
    fault(
        "groups-of-user-writable",
        &["DEF-202"],
        "A POST or PUT of a user with groups changes what groups it shows.",
        "everybody: memberships appear that no group has",
        &["RFC7643-4.1.2-26", "RFC7644-3.3-02", "RFC7644-3.5.1-11"],
        &[
            Written(|change| {
                if let (Kind::User, Some(groups)) = (change.kind, change.sent.get("groups")) {
                    let shown = change.memory.shown.entry(change.id.clone()).or_default();
                    shown.insert("groups".to_owned(), groups.clone());
                }
            }),
            SHOW,
        ],
    ),
    fault(
        "create-read-only-refused",
        &["DEF-054"],
        "A create that has id or meta is refused with 400.",
        "clients that copy a resource",
        &["RFC7644-3.3-02", "RFC7643-3.1-18"],
        &[Written(|change| refuse_read_only(change, &Method::POST))],
    ),
    fault(
        "missing-user-name-accepted",
        &["DEF-234"],
        "A user without userName is created.",
        "everybody: nobody can sign in to it",
        &["RFC7643-4.1.1-01", "RFC7643-4.1.1-03"],
        &[Written(|change| accept_without(change, Kind::User, "userName"))],
    ),
    fault(
        "missing-display-name-accepted",
        &["DEF-207"],
        "A group without displayName is created.",
        "administrators, who cannot tell it from others",
        &["RFC7643-4.2-02"],
        &[Written(|change| accept_without(change, Kind::Group, "displayName"))],
    ),
    fault(
        "unknown-attribute-answers-500",
        &[],
        "A create with an attribute that no schema knows is answered with 500.",
        "clients that send one attribute more than the server knows, and repeat a 5xx for ever",
        &["RFC7643-2-01"],
        &[Written(|change| {
            let definition = change.definition;
            let is_known = |name: &String| {
                name.eq_ignore_ascii_case("schemas")
                    || definition.top_attribute(name).is_some()
                    || definition.extension(name).is_some()
            };
            let is_unknown = change.sent.as_object().is_some_and(|sent| !sent.keys().all(is_known));
            if *change.method == Method::POST && is_unknown {
                break_down(change, "Unrecognized field");
            }
        })],
    ),
    fault(
        "unknown-member-answers-500",
        &[],
        "A group with a member that does not exist is answered with 500.",
        "identity providers whose user is gone by the time its group comes",
        &["RFC7643-2.3.7-05"],
        &[Written(|change| {
            let members = change.sent.get("members").and_then(Value::as_array).into_iter().flatten();
            let mut ids = members.filter_map(|member| member.get("value")?.as_str());
            if change.kind == Kind::Group && ids.any(|id| change.store.get(id).is_none()) {
                break_down(change, "foreign key violation");
            }
        })],
    ),
    fault(
        "unsuggested-type-answers-500",
        &[],
        "A telephone number of a type that the schema does not suggest is answered with 500.",
        "directories with types of their own",
        &["RFC7643-2.3.1-03", "RFC7643-4.1.2-08"],
        &[Written(|change| {
            const SUGGESTED: [&str; 6] = ["work", "home", "mobile", "fax", "pager", "other"];
            let numbers = change.after.as_ref().and_then(|after| after.get("phoneNumbers")?.as_array());
            let mut types = numbers.into_iter().flatten().filter_map(|number| number.get("type")?.as_str());
            if types.any(|kind| !SUGGESTED.contains(&kind)) {
                break_down(change, "no enum constant");
            }
        })],
    ),
    fault(
        "wrong-types-accepted",
        &["DEF-035", "DEF-061"],
        "A create or PUT stores values of the wrong type, such as \"true\" for active, and shows them.",
        "clients in whose language \"false\" is true",
        &["RFC7643-2.3.2-01", "RFC7643-2.3-02", "RFC7644-3.12-25"],
        &[Written(|change| {
            let is_write = [Method::POST, Method::PUT].contains(change.method);
            let has_name = change.sent.get("userName").is_some_and(|name| !is_unassigned(name));
            if is_write && has_name && is_invalid(change) {
                change.after = Some(change.sent.clone());
                change.refusal = None;
            }
        })],
    ),
    fault(
        "two-primaries-accepted",
        &["DEF-232"],
        "Two primary e-mail addresses are stored.",
        "people, whose mail goes to the wrong one",
        &["RFC7643-2.4-04"],
        &[Written(|change| {
            let emails = change.sent.get("emails").and_then(Value::as_array);
            let primaries = emails.into_iter().flatten().filter(|email| email["primary"] == true).count();
            if change.after.is_none() && primaries > 1 && [Method::POST, Method::PUT].contains(change.method)
            {
                change.after = Some(change.sent.clone());
                change.refusal = None;
            }
        })],
    ),
    fault(
        "duplicate-accepted",
        &[],
        "A second user with the same userName is created.",
        "everybody: two accounts share a login",
        &["RFC7644-3.3-11", "RFC7643-4.1.1-02"],
        &[Unique(|conflicts| {
            if conflicts.method == Method::POST {
                conflicts.ids.clear();
            }
        })],
    ),
    fault(
        "duplicate-in-other-case-accepted",
        &[],
        "A second user whose userName differs in case only is created.",
        "everybody: two accounts share a login",
        &["RFC7643-4.1.1-03", "RFC7643-4.1.1-02"],
        &[Unique(|conflicts| {
            let store = conflicts.store;
            let name = conflicts.user_name;
            conflicts.ids.retain(|id| store.get(id).and_then(|record| record.text("userName")) == Some(name));
        })],
    ),
    fault(
        "duplicate-updates-existing",
        &["DEF-259", "DEF-265"],
        "A create with a userName in use answers 201 and overwrites the account that has it.",
        "everybody: an account is taken over",
        &["RFC7644-3.3-11", "RFC7643-4.1.1-02", "RFC7643-3.1-08"],
        &[Written(|change| {
            let name = change.sent.get("userName").and_then(Value::as_str).unwrap_or_default();
            let existing = change.store.users_named(name).next().map(|record| record.id.clone());
            if let (None, None, Some(id)) = (change.before, &change.after, existing) {
                change.after = Some(change.sent.clone());
                change.refusal = None;
                change.id = id;
            }
        })],
    ),
    fault(
        "external-id-unique",
        &[],
        "A second user with the same externalId is refused with 409.",
        "tenants with more than one source",
        &["RFC7643-3.1-16"],
        &[Written(|change| {
            let wanted = change.sent.get("externalId").and_then(Value::as_str);
            let taken = wanted.is_some()
                && change.store.all().any(|other| {
                    other.kind == change.kind && other.id != change.id && other.text("externalId") == wanted
                });
            if taken && change.after.is_some() {
                change.after = None;
                change.refusal = Some(ScimError::uniqueness("externalId is in use"));
            }
        })],
    ),
    fault(
        "put-ignored",
        &[],
        "A PUT answers 200 and changes nothing.",
        "Okta, which updates by PUT",
        &["RFC7644-3.5.1-01", "RFC7644-3.5.1-04"],
        &[Written(|change| {
            if change.method == Method::PUT {
                change.after = change.before.cloned();
                change.refusal = None;
            }
        })],
    ),
    fault(
        "put-missing",
        &["DEF-057"],
        "PUT is answered with 501.",
        "Okta, which updates by PUT",
        &["RFC7644-3.5-01", "RFC7644-3.2-09"],
        &[At(|seen, answer| {
            if seen.request.method == Method::PUT && matches!(seen.endpoint, Endpoint::Resource(..)) {
                refuse(answer, StatusCode::NOT_IMPLEMENTED, None, "use PATCH");
            }
        })],
    ),
    fault(
        "put-answers-204",
        &[],
        "A PUT answers 204 without a body.",
        "clients that read the result",
        &["RFC7644-3.5.1-13"],
        &[At(|seen, answer| {
            if seen.request.method == Method::PUT && answer.status == StatusCode::OK {
                *answer = Answer::empty(StatusCode::NO_CONTENT);
            }
        })],
    ),
    fault(
        "put-creates",
        &[],
        "A PUT to an id that does not exist answers 201.",
        "clients with a wrong id, which make a second account",
        &["RFC7644-3.5.1-02", "RFC7644-3.2-06"],
        &[At(|seen, answer| {
            if seen.request.method == Method::PUT
                && answer.status == StatusCode::NOT_FOUND
                && let Endpoint::Resource(_, id) = seen.endpoint
                && let Some(Value::Object(mut sent)) = body_of(seen.request)
            {
                sent.insert("id".to_owned(), id.as_str().into());
                *answer = Answer::json(StatusCode::CREATED, Value::Object(sent));
            }
        })],
    ),
    fault(
        "put-changes-id",
        &["DEF-046"],
        "After a PUT the resource has another id.",
        "everybody: every link is orphaned",
        &["RFC7643-3.1-07", "RFC7643-7-20"],
        &[
            Written(|change| {
                if change.method == Method::PUT && change.after.is_some() {
                    let shown = change.memory.shown.entry(change.id.clone()).or_default();
                    shown.insert("id".to_owned(), Uuid::new_v4().to_string().into());
                }
            }),
            SHOW,
        ],
    ),
    fault(
        "put-loses-the-resource",
        &[],
        "A PUT is answered with 200, and the resource cannot be read afterwards.",
        "everybody: the account is gone",
        &["RFC7643-7-21", "RFC7644-3.5.1-01"],
        &[
            Written(|change| {
                if *change.method == Method::PUT && change.after.is_some() {
                    change.memory.deleted.push(json!({ "id": change.id.clone(), "lost": true }));
                }
            }),
            At(|seen, answer| {
                if seen.request.method == Method::GET {
                    refuse_lost(seen, answer);
                }
            }),
        ],
    ),
    fault(
        "put-read-only-refused",
        &["DEF-054"],
        "A PUT of what a GET returned is refused with 400, because it has id and meta.",
        "Okta, which sends the whole resource back",
        &["RFC7644-3.5.1-11", "RFC7643-2-01", "RFC7644-3.1-06"],
        &[Written(|change| refuse_read_only(change, &Method::PUT))],
    ),
    fault(
        "put-keeps-cleared-values",
        &["DEF-111", "DEF-236"],
        "null and [] in a PUT leave the old value.",
        "Okta, which clears attributes so",
        &["RFC7644-3.5.1-15", "RFC7643-2.5-02"],
        &[Written(|change| {
            if let (true, Some(before), Some(sent)) =
                (change.method == Method::PUT, change.before, change.sent.as_object())
            {
                let kept: Map<String, Value> = sent
                    .iter()
                    .filter(|(_, value)| is_unassigned(value))
                    .filter_map(|(name, _)| Some((name.clone(), before.get(name)?.clone())))
                    .collect();
                if let Some(after) = change.after.as_mut().and_then(Value::as_object_mut) {
                    after.extend(kept);
                }
            }
        })],
    ),
    fault(
        "put-needs-password",
        &[],
        "A PUT answers 400, because the password that nobody can read is missing.",
        "Okta, which sends the whole resource back",
        &["RFC7643-7-24", "RFC7643-1.1-02"],
        &[Written(|change| {
            let had = change.before.is_some_and(|before| before.get("password").is_some());
            if change.method == Method::PUT && had && change.sent.get("password").is_none() {
                change.after = None;
                change.refusal = Some(ScimError::invalid_value("password: is required"));
            }
        })],
    ),
    fault(
        "put-external-id-ignored",
        &["DEF-056", "DEF-205"],
        "A PUT does not change externalId.",
        "Entra, which matches by it",
        &["RFC7644-3.5.1-04"],
        &[Written(|change| {
            let before = change.before.and_then(|before| before.get("externalId")).cloned();
            if let (&Method::PUT, Some(after)) =
                (change.method, change.after.as_mut().and_then(Value::as_object_mut))
            {
                after.shift_remove("externalId");
                after.extend(before.map(|value| ("externalId".to_owned(), value)));
            }
        })],
    ),
    fault(
        "put-members-ignored",
        &[],
        "A PUT of a group does not change its members.",
        "people, who keep access or get none",
        &["RFC7644-3.5.1-04", "RFC7643-4.2-03"],
        &[Written(|change| {
            let before = change.before.and_then(|before| before.get("members")).cloned();
            if let (&Method::PUT, Some(after)) =
                (change.method, change.after.as_mut().and_then(Value::as_object_mut))
            {
                after.shift_remove("members");
                after.extend(before.map(|value| ("members".to_owned(), value)));
            }
        })],
    ),
    fault(
        "put-user-name-unchecked",
        &["DEF-292", "DEF-058"],
        "A PUT takes a userName that another user has.",
        "everybody: two accounts share a login",
        &["RFC7644-3.5.1-16", "RFC7643-4.1.1-02"],
        &[Unique(|conflicts| {
            if conflicts.method == Method::PUT {
                conflicts.ids.clear();
            }
        })],
    ),
    fault(
        "put-missing-user-name-accepted",
        &["DEF-234"],
        "A PUT without userName leaves a user without one.",
        "everybody: nobody can sign in to it",
        &["RFC7643-4.1.1-01", "RFC7644-3.5.1-17"],
        &[Written(|change| {
            let lacks = change.sent.get("userName").is_none_or(is_unassigned);
            if change.method == Method::PUT && change.kind == Kind::User && lacks {
                change.after = Some(change.sent.clone());
                change.refusal = None;
            }
        })],
    ),
    fault(
        "put-answers-old-state",
        &["DEF-066"],
        "A PUT answers with the resource as it was before.",
        "clients that trust the answer",
        &["RFC7644-3.5.1-13", "RFC7644-3.1-08"],
        &[
            Written(|change| remember(change, &Method::PUT)),
            At(|seen, answer| {
                if seen.request.method == Method::PUT {
                    let previous = std::mem::take(&mut seen.memory.previous);
                    show_previous(seen.endpoint, answer, &previous);
                    seen.memory.previous = previous;
                }
            }),
        ],
    ),
    fault(
        "delete-answers-200",
        &[],
        "DELETE answers 200 with a body instead of 204.",
        "clients that read 204 only",
        &["RFC7644-3.6-06"],
        &[At(|seen, answer| {
            if seen.request.method == Method::DELETE && answer.status == StatusCode::NO_CONTENT {
                *answer = Answer::json(StatusCode::OK, json!({}));
            }
        })],
    ),
    fault(
        "delete-keeps-resource",
        &[],
        "After a DELETE the resource can still be read; a user is inactive.",
        "clients, for which the account is still there",
        &["RFC7644-3.6-03", "RFC7644-3.6-01", "RFC7644-3.2-08"],
        &[Written(|change| {
            if change.method == Method::DELETE {
                let mut kept = change.before.cloned().unwrap_or_default();
                if change.kind == Kind::User {
                    kept["active"] = false.into();
                }
                change.after = Some(kept);
            }
        })],
    ),
    fault(
        "deleted-stay-in-lists",
        &["DEF-122"],
        "A deleted resource answers 404, but is still listed.",
        "importers, which take it for living",
        &["RFC7644-3.6-04"],
        &[
            Written(bury),
            Rewrite::Rows(|rows| {
                let filter_is_absent = rows.filter.is_none();
                let kind = rows.endpoint.kind().map(Kind::name);
                let of_kind = |row: &&Value| {
                    let name = row.pointer("/meta/resourceType").and_then(Value::as_str);
                    kind.is_none() || name == kind
                };
                if filter_is_absent {
                    // First of all, so that they stand on the first page of a long list, too.
                    let gone: Vec<Value> = rows.memory.deleted.iter().filter(of_kind).cloned().collect();
                    rows.rows.splice(0..0, gone);
                }
            }),
        ],
    ),
    fault(
        "deleted-stay-findable",
        &["DEF-122"],
        "A deleted user answers 404, but a search by userName finds it.",
        "identity providers, which then update what is gone",
        &["RFC7644-3.6-04"],
        &[
            Written(bury),
            Rewrite::Rows(|rows| {
                let text = rows.filter.map(ToString::to_string).unwrap_or_default();
                let named =
                    |row: &&Value| row.get("userName").is_some_and(|name| text.contains(&name.to_string()));
                rows.rows.extend(rows.memory.deleted.iter().filter(named).cloned());
            }),
        ],
    ),
    fault(
        "deleted-name-stays-taken",
        &["DEF-297"],
        "The userName of a deleted user cannot be used again.",
        "people who come back",
        &["RFC7644-3.6-05"],
        &[
            Written(bury),
            Unique(|conflicts| {
                let name = conflicts.user_name;
                let taken = conflicts.memory.deleted.iter().any(|row| {
                    row.get("userName")
                        .and_then(Value::as_str)
                        .is_some_and(|other| other.eq_ignore_ascii_case(name))
                });
                if taken {
                    conflicts.ids.push("gone".to_owned());
                }
            }),
        ],
    ),
    fault(
        "deleted-writable",
        &[],
        "PUT and PATCH of a deleted resource answer 200.",
        "clients that believe in a change that never was",
        &["RFC7644-3.6-03", "RFC7644-3.5.2-25"],
        &[At(|seen, answer| {
            let is_write = [Method::PUT, Method::PATCH].contains(&seen.request.method);
            if is_write
                && answer.status == StatusCode::NOT_FOUND
                && let Endpoint::Resource(_, id) = seen.endpoint
            {
                *answer = Answer::json(StatusCode::OK, json!({ "id": id }));
            }
        })],
    ),
    fault(
        "delete-of-group-leaves-it",
        &[],
        "A deleted group is still among the groups of its users.",
        "applications that grant rights by groups",
        &["RFC7643-4.1.2-19"],
        &[Written(bury), At(|seen, answer| haunt(seen, answer, ["members", "groups"], "direct"))],
    ),
    fault(
        "delete-of-member-leaves-it",
        &["DEF-123"],
        "A deleted user is still shown as a member of its groups.",
        "clients that walk members",
        &["RFC7644-3.6-09"],
        &[Written(bury), At(|seen, answer| haunt(seen, answer, ["groups", "members"], "User"))],
    ),
];

/// Says of a resource that the memory has as lost that it is not there.
fn refuse_lost(seen: &mut Seen<'_>, answer: &mut Answer) {
    let Endpoint::Resource(_, id) = seen.endpoint else { return };
    let lost = |row: &Value| row["id"] == id.as_str() && row["lost"] == true;
    if seen.memory.deleted.iter().any(lost) {
        refuse(answer, StatusCode::NOT_FOUND, None, "no such resource");
    }
}

/// Fails as a server does where nobody has caught an exception.
fn break_down(change: &mut Change<'_>, detail: &str) {
    change.after = None;
    change.refusal = Some(ScimError::new(500, detail));
}

/// Changes what is stored of a create.
fn created(change: &mut Change<'_>, edit: impl FnOnce(&mut Map<String, Value>)) {
    if change.before.is_none()
        && let Some(after) = change.after.as_mut().and_then(Value::as_object_mut)
    {
        edit(after);
    }
}

/// Whether a write was refused because of its values.
fn is_invalid(change: &Change<'_>) -> bool {
    change.refusal.as_ref().is_some_and(|refusal| refusal.status == 400)
}

/// Stores what was sent, if all that was wrong with a create is that it lacks an attribute.
fn accept_without(change: &mut Change<'_>, kind: Kind, name: &str) {
    let lacks = change.sent.get(name).is_none_or(|value| is_unassigned(value) || value == "");
    if change.method == Method::POST && change.kind == kind && lacks && is_invalid(change) {
        change.after = Some(change.sent.clone());
        change.refusal = None;
    }
}

fn refuse_read_only(change: &mut Change<'_>, method: &Method) {
    let has = ["id", "meta"].iter().any(|name| change.sent.get(name).is_some());
    if change.method == *method && has {
        change.after = None;
        change.refusal = Some(ScimError::mutability("id and meta are readOnly"));
    }
}

/// Remembers a resource that is deleted.
fn bury(change: &mut Change<'_>) {
    if let (&Method::DELETE, None, Some(before)) = (change.method, &change.after, change.before) {
        let mut before = before.clone();
        if let Some(before) = before.as_object_mut() {
            before.shift_remove("password");
        }
        change.memory.deleted.push(before);
    }
}

/// Shows what is deleted where it was shown before: `[there, here]` is the attribute by which the one referred to the other,
/// and the one by which this still refers to it.
fn haunt(seen: &mut Seen<'_>, answer: &mut Answer, [there, here]: [&str; 2], kind: &str) {
    let deleted = std::mem::take(&mut seen.memory.deleted);
    each_resource(seen, answer, |resource| {
        let id = resource.get("id").cloned().unwrap_or_default();
        let ghosts = deleted.iter().filter(|row| {
            let references = row.get(there).and_then(Value::as_array);
            references.into_iter().flatten().any(|reference| reference["value"] == id)
        });
        let ghosts: Vec<Value> = ghosts.map(|row| json!({ "value": row["id"], "type": kind })).collect();
        if !ghosts.is_empty() {
            let shown = resource.entry(here).or_insert_with(|| json!([]));
            if let Some(shown) = shown.as_array_mut() {
                shown.extend(ghosts);
            }
        }
    });
    seen.memory.deleted = deleted;
}

/// Remembers how a resource looked before a write with this method.
pub(super) fn remember(change: &mut Change<'_>, method: &Method) {
    if let (true, Some(before)) = (change.method == *method, change.before) {
        let mut before = before.clone();
        if let Some(before) = before.as_object_mut() {
            before.shift_remove("password");
        }
        change.memory.previous.insert(change.id.clone(), before);
    }
}

/// Shows a resource as it was remembered.
pub(super) fn show_previous(
    endpoint: &Endpoint,
    answer: &mut Answer,
    previous: &std::collections::HashMap<String, Value>,
) {
    if let (true, Endpoint::Resource(_, id)) = (answer.status == StatusCode::OK, endpoint)
        && let (Some(before), Some(body)) = (previous.get(id), answer.body_mut())
    {
        *body = before.clone();
    }
}
