//! Users: their ids, how they are invited, changed and removed.

use axum::http::header::{CONTENT_TYPE, LOCATION};
use axum::http::{HeaderValue, Method, StatusCode};
use serde_json::{Map, Value, json};

use super::super::super::super::behaviour::UserIds;
use super::super::super::super::endpoint::{Endpoint, Kind};
use super::super::super::super::fault::{Change, FaultEntry, Rewrite, Seen};
use super::super::super::super::message::{Answer, Content, Request};
use super::super::super::super::rewrite::{body_of, each_resource, object, refuse, rewrite_body};
use super::super::super::{SHOW, rewriting, settling};
use super::super::{NO_FAMILY_NAME, NO_GIVEN_NAME};
use crate::scim::error::ScimError;
use crate::scim::names;
use crate::scim::resource::{elements, is_unassigned, member};
use Rewrite::{Answer as At, Change as Written, Conflicts as Taken, Operations, Request as Before};

pub(super) const FAULTS: &[FaultEntry] = &[
    settling(
        "amplitude-id-case-sensitive",
        &["AMP-13"],
        "An id in another case is nobody's: 404 on every route.",
        "Okta, whose logins are not always spelled as the user was created",
        |behaviour| behaviour.user_ids = UserIds::Opaque,
    ),
    rewriting(
        "amplitude-delete-case-sensitive",
        &["AMP-13", "AMP-23"],
        "DELETE knows an id in lower case only.",
        "administrators, whose leavers stay",
        &[Before(|request| {
            if request.method == Method::DELETE && request.path_below().contains('@') {
                let below = request.path_below().trim_start_matches("Users/").to_owned();
                if below.chars().any(char::is_uppercase) {
                    request.path.push_str(".unknown");
                }
            }
        })],
    ),
    rewriting(
        "amplitude-id-encoded-unknown",
        &["AMP-11"],
        "An id with %40 in the path is nobody's.",
        "clients that encode the whole segment",
        &[Before(|request| request.path = request.path.replace("%40", "%2540"))],
    ),
    FaultEntry {
        settle: Some(|behaviour| behaviour.user_ids = UserIds::Opaque),
        ..rewriting(
            "amplitude-id-opaque",
            &["AMP-12"],
            "The id is a UUID, and the e-mail address is none.",
            "whoever builds URLs from addresses, as the documents do",
            &[
                Written(|change| {
                    if change.kind == Kind::User && change.before.is_none() {
                        change.id = uuid::Uuid::new_v4().to_string();
                    }
                }),
                At(|seen, answer| {
                    let name = body_of(seen.request)
                        .and_then(|body| Some(body.get("userName")?.as_str()?.to_owned()));
                    let id = name.and_then(|name| Some(seen.store.users_named(&name).next()?.id.clone()));
                    if let (true, Some(id), Some(body)) = (is_created(seen, answer), id, object(answer)) {
                        body.insert("id".to_owned(), id.into());
                    }
                }),
            ],
        )
    },
    rewriting(
        "amplitude-id-required",
        &["AMP-15"],
        "A create without id is refused with 400.",
        "Okta, which never sends one and can create nobody",
        &[Written(|change| {
            let sent = change.sent.as_object();
            if creates_user(change) && sent.and_then(|sent| member(sent, "id")).is_none_or(is_unassigned) {
                refuse_change(change, ScimError::invalid_value("id: is missing"));
            }
        })],
    ),
    rewriting(
        "amplitude-id-unchecked",
        &["AMP-15"],
        "A create with an id that is no e-mail address succeeds.",
        "whoever relies on ids being addresses",
        &[Before(|request| {
            if request.method == Method::POST && request.path_below() == "Users" {
                rewrite_body(request, |body| {
                    if let Some(body) = body.as_object_mut()
                        && member(body, "id").and_then(Value::as_str).is_some_and(|id| !id.contains('@'))
                    {
                        body.shift_remove("id");
                    }
                });
            }
        })],
    ),
    settling(
        "amplitude-user-name-unchecked",
        &["AMP-15"],
        "A userName that is no e-mail address is taken.",
        "people who get no invitation, since there is nowhere to send it",
        |behaviour| behaviour.demands.email_user_name = false,
    ),
    rewriting(
        "amplitude-create-answers-200",
        &["AMP-14"],
        "A create is answered with 200.",
        "clients that take 201 for created",
        &[At(|seen, answer| {
            if is_created(seen, answer) {
                answer.status = StatusCode::OK;
            }
        })],
    ),
    rewriting(
        "amplitude-create-answer-empty",
        &["AMP-14"],
        "A create is answered without a body.",
        "Okta, which takes the id from it",
        &[At(|seen, answer| {
            if is_created(seen, answer) {
                answer.content = Content::Empty;
            }
        })],
    ),
    rewriting(
        "amplitude-create-answers-another",
        &["AMP-14"],
        "The answer to a create has the names in lower case.",
        "clients that compare what they sent with what they got",
        &[At(|seen, answer| {
            if is_created(seen, answer)
                && let Some(name) = object(answer).and_then(|body| body.get_mut("name"))
            {
                for part in name.as_object_mut().into_iter().flat_map(|name| name.iter_mut()) {
                    if let Value::String(text) = part.1 {
                        *text = text.to_lowercase();
                    }
                }
            }
        })],
    ),
    rewriting(
        "amplitude-create-invites-another",
        &["AMP-14", "AMP-18"],
        "A create is answered with 201, and a mangled address is invited.",
        "people who never get their invitation",
        &[Written(|change| {
            if creates_user(change) && change.refusal.is_none() {
                change.id = format!("lost-{}", change.id);
                if let Some(after) = change.after.as_mut().and_then(Value::as_object_mut) {
                    let lost =
                        format!("lost-{}", after.get("userName").and_then(Value::as_str).unwrap_or_default());
                    after.insert("userName".to_owned(), lost.into());
                }
            }
        })],
    ),
    rewriting(
        "amplitude-create-slash-unknown",
        &["AMP-38"],
        "POST to /Users/ is 404; without the slash it works.",
        "whoever copies the document's sample",
        &[Before(|request| {
            if request.method == Method::POST && request.path.ends_with("/Users/") {
                request.path = format!("{}/Unknown", request.base_path);
            }
        })],
    ),
    rewriting(
        "amplitude-create-redirected",
        &["AMP-38"],
        "POST to /Users is redirected to /Users/.",
        "Okta, which follows no redirect with a body",
        &[
            Before(|request| {
                if request.method == Method::POST && request.path.ends_with("/Users") {
                    request.path = format!("{}/Redirected", request.base_path);
                }
            }),
            At(|seen, answer| {
                if seen.request.path.ends_with("/Redirected") && answer.status == StatusCode::NOT_FOUND {
                    *answer = Answer::empty(StatusCode::PERMANENT_REDIRECT);
                    answer.set_header(LOCATION, &format!("{}/Users/", seen.base));
                }
            }),
        ],
    ),
    rewriting(
        "amplitude-json-refused",
        &["AMP-39"],
        "A body that is application/json is refused with 415.",
        "whoever copies the document's sample",
        &[Before(|request| refuse_media_type(request, |value| value.starts_with("application/json")))],
    ),
    rewriting(
        "amplitude-charset-refused",
        &["AMP-39"],
        "A body whose media type has a charset is refused with 415.",
        "Okta, which sends application/scim+json; charset=utf-8",
        &[Before(|request| refuse_media_type(request, |value| value.contains("charset")))],
    ),
    rewriting(
        "amplitude-password-echoed",
        &["AMP-14", "RFC7643-7-01"],
        "The answer to a create has the password in it.",
        "users, whose password gets into logs",
        &[At(|seen, answer| {
            let password = body_of(seen.request).and_then(|body| body.get("password").cloned());
            if let (true, Some(password), Some(body)) = (is_created(seen, answer), password, object(answer)) {
                body.insert("password".to_owned(), password);
            }
        })],
    ),
    rewriting(
        "amplitude-duplicate-invited-again",
        &["AMP-16", "AMP-37"],
        "A create of somebody who has a pending invitation succeeds.",
        "people who get one invitation after the other",
        &[Taken(|conflicts| conflicts.ids.retain(|id| conflicts.store.has_joined(id)))],
    ),
    rewriting(
        "amplitude-duplicate-joined-taken",
        &["AMP-16"],
        "A create of somebody who has joined succeeds.",
        "joined users, who are made pending again",
        &[Taken(|conflicts| conflicts.ids.retain(|id| !conflicts.store.has_joined(id)))],
    ),
    rewriting(
        "amplitude-duplicate-by-case",
        &["AMP-13", "AMP-16"],
        "The same address in another case is another user.",
        "people with two accounts, one of which nobody removes",
        &[Taken(|conflicts| conflicts.ids.retain(|id| id == conflicts.user_name))],
    ),
    rewriting(
        "amplitude-duplicate-answers-500",
        &["AMP-16"],
        "A create of somebody who is there already is answered with 500.",
        "Okta, which tries again and again",
        &[At(|seen, answer| {
            if seen.request.method == Method::POST && answer.status == StatusCode::CONFLICT {
                refuse(answer, StatusCode::INTERNAL_SERVER_ERROR, None, "duplicate key value");
            }
        })],
    ),
    rewriting(
        "amplitude-pending-inactive",
        &["AMP-18", "AMP-37"],
        "Users are shown inactive until they have accepted the invitation.",
        "Okta, which deactivates them, or invites them again",
        &[At(|seen, answer| show_active(seen, answer, |seen, id| seen.store.has_joined(id)))],
    ),
    rewriting(
        "amplitude-joined-inactive",
        &["AMP-18"],
        "Users are shown inactive once they have accepted the invitation.",
        "everybody who has joined",
        &[At(|seen, answer| show_active(seen, answer, |seen, id| !seen.store.has_joined(id)))],
    ),
    rewriting(
        "amplitude-placeholder-missing",
        &["AMP-31"],
        "A pending user without a name is shown without one.",
        "Okta, whose import wants a given and a family name",
        &[At(|_, answer| {
            let Some(body) = object(answer) else { return };
            let rows = match body.get_mut("Resources") {
                Some(Value::Array(rows)) => rows.iter_mut().filter_map(Value::as_object_mut).collect(),
                _ => vec![body],
            };
            for user in rows {
                let name = user.get("name").and_then(|name| name.get("givenName")).and_then(Value::as_str);
                if name == Some(NO_GIVEN_NAME) {
                    user.shift_remove("name");
                }
            }
        })],
    ),
    rewriting(
        "amplitude-placeholder-for-all",
        &["AMP-20", "AMP-31"],
        "A pending user has the placeholders for a name, whatever the client says.",
        "administrators, who see no name until somebody joins",
        &[Written(|change| {
            if change.kind == Kind::User
                && !change.store.has_joined(&change.id)
                && let Some(after) = change.after.as_mut().filter(|_| change.before.is_none_or(is_pending))
            {
                after["name"] = json!({ "givenName": NO_GIVEN_NAME, "familyName": NO_FAMILY_NAME });
            }
        })],
    ),
    rewriting(
        "amplitude-put-deactivate-ignored",
        &["AMP-22"],
        "A PUT with active false is answered with 200, and removes nobody.",
        "wizard apps of Okta, whose leavers keep their access",
        &[Written(|change| stay_active(change, |change| change.method == Method::PUT))],
    ),
    rewriting(
        "amplitude-patch-deactivate-ignored",
        &["AMP-22", "TRUTO-06"],
        "A PATCH to active false is answered with 200, and removes nobody.",
        "Okta's catalogue apps, whose leavers keep their access",
        &[Written(|change| stay_active(change, |change| change.method == Method::PATCH))],
    ),
    rewriting(
        "amplitude-deactivate-leaves-pending",
        &["AMP-22"],
        "Only who has joined is removed by active false; an invitation is not revoked.",
        "the organisation, which leavers can still join",
        &[Written(|change| stay_active(change, |change| !change.store.has_joined(&change.id)))],
    ),
    settling(
        "amplitude-deactivate-keeps",
        &["AMP-22", "AMP-41"],
        "A user made inactive stays, inactive.",
        "Okta, which cannot create the person anew",
        |behaviour| behaviour.inactive_leave = false,
    ),
    rewriting(
        "amplitude-deactivate-blocks-return",
        &["AMP-41"],
        "Who was removed by active false cannot be created again: 409.",
        "people who come back",
        &[
            Written(|change| {
                if deactivates(change) {
                    remember(change);
                }
            }),
            Taken(conflict_with_remembered),
        ],
    ),
    rewriting(
        "amplitude-deactivate-leaves-member",
        &["AMP-22"],
        "Who was removed by active false is still listed in the groups.",
        "Okta's group push, which meets members that are nobody",
        &[
            Written(|change| {
                if deactivates(change) {
                    remember(change);
                }
            }),
            At(|seen, answer| {
                let deleted = std::mem::take(&mut seen.memory.deleted);
                if let (Endpoint::Resource(Kind::Group, id), Some(body)) = (seen.endpoint, object(answer)) {
                    let was_in = |user: &&Value| {
                        let groups = user.get("groups").map(elements).unwrap_or_default();
                        groups.iter().any(|group| group.get("value").and_then(Value::as_str) == Some(id))
                    };
                    for user in deleted.iter().filter(was_in) {
                        let members = body.entry("members").or_insert_with(|| json!([]));
                        if let (Some(members), Some(id)) = (members.as_array_mut(), user.get("id")) {
                            members.push(json!({ "value": id }));
                        }
                    }
                }
                seen.memory.deleted = deleted;
            }),
        ],
    ),
    rewriting(
        "amplitude-delete-leaves-invitation",
        &["AMP-23"],
        "The invitation of a deleted user stays: a new create is refused with 409.",
        "people who come back, and those who should not",
        &[
            Written(|change| {
                if change.kind == Kind::User
                    && change.method == Method::DELETE
                    && !change.store.has_joined(&change.id)
                {
                    remember(change);
                }
            }),
            Taken(conflict_with_remembered),
        ],
    ),
    rewriting(
        "amplitude-delete-answers-200",
        &["AMP-23"],
        "DELETE of a user is answered with 200 and a body.",
        "clients that expect no body",
        &[At(|seen, answer| {
            if matches!(seen.endpoint, Endpoint::Resource(Kind::User, _))
                && answer.status == StatusCode::NO_CONTENT
            {
                *answer = Answer::json(StatusCode::OK, json!({ "deleted": true }));
            }
        })],
    ),
    rewriting(
        "amplitude-delete-deactivates",
        &["AMP-23"],
        "DELETE of a user only makes it inactive.",
        "people who asked to be deleted",
        &[Written(|change| {
            if change.kind == Kind::User && change.method == Method::DELETE {
                let mut after = change.before.cloned().unwrap_or_default();
                after["active"] = false.into();
                change.after = Some(after);
            }
        })],
    ),
    rewriting(
        "amplitude-email-change-taken",
        &["AMP-19"],
        "A PUT with another e-mail address changes it.",
        "the ids that everybody else keeps",
        &[Written(|change| {
            let is_refused = change.refusal.as_ref().is_some_and(|error| error.detail.contains("e-mail"));
            if change.kind == Kind::User
                && change.method == Method::PUT
                && is_refused
                && let (Some(before), Some(address)) = (change.before, change.sent.get("userName"))
            {
                let mut after = before.clone();
                after["userName"] = address.clone();
                after["emails"] = json!([{ "value": address, "primary": true }]);
                change.after = Some(after);
                change.refusal = None;
            }
        })],
    ),
    rewriting(
        "amplitude-email-change-answers-500",
        &["AMP-19"],
        "A change of the e-mail address is answered with 500.",
        "Okta, which tries again and again after a login changed",
        &[At(|seen, answer| {
            if matches!(seen.endpoint, Endpoint::Resource(Kind::User, _))
                && answer.body().is_some_and(|body| body["scimType"] == "mutability")
            {
                refuse(answer, StatusCode::INTERNAL_SERVER_ERROR, None, "immutable primary key");
            }
        })],
    ),
    rewriting(
        "amplitude-put-unknown-succeeds",
        &["AMP-20"],
        "A PUT to an address that was never invited is answered with 200.",
        "clients that take the person for updated",
        &[At(|seen, answer| {
            if matches!(seen.endpoint, Endpoint::Resource(Kind::User, _))
                && seen.request.method == Method::PUT
                && answer.status == StatusCode::NOT_FOUND
            {
                *answer = Answer::json(StatusCode::OK, body_of(seen.request).unwrap_or_default());
            }
        })],
    ),
    rewriting(
        "amplitude-put-name-ignored",
        &["AMP-20"],
        "A PUT is answered with the new name, and keeps the old one.",
        "profile updates, which never arrive",
        &[Written(|change| {
            if change.kind == Kind::User
                && change.method == Method::PUT
                && let (Some(before), Some(after)) = (change.before, &mut change.after)
            {
                after["name"] = before["name"].clone();
            }
        })],
    ),
    rewriting(
        "amplitude-patch-path-ignored",
        &["AMP-21"],
        "A PATCH of a user does nothing where the operation has a path.",
        "clients that patch one attribute at a time",
        &[Operations(|operations| {
            if operations.definition.schema.id == names::USER {
                operations.list.retain(|operation| operation.path.is_none());
            }
        })],
    ),
    rewriting(
        "amplitude-patch-pathless-ignored",
        &["AMP-21"],
        "A PATCH of a user does nothing where the operation has no path.",
        "Okta, whose operations have none",
        &[Operations(|operations| {
            if operations.definition.schema.id == names::USER {
                operations.list.retain(|operation| operation.path.is_some());
            }
        })],
    ),
    rewriting(
        "amplitude-unsupported-refused",
        &["AMP-32"],
        "A create with an attribute that is not supported is refused with 400.",
        "Okta, which always sends displayName and locale",
        &[Written(|change| {
            const SUPPORTED: [&str; 8] =
                ["schemas", "id", "userName", "name", "emails", "active", "groups", "meta"];
            let unsupported = change
                .sent
                .as_object()
                .and_then(|sent| sent.keys().find(|name| !SUPPORTED.contains(&name.as_str())));
            if let (true, Some(name)) = (creates_user(change), unsupported) {
                let error = ScimError::invalid_value(format!("{name}: is not supported"));
                refuse_change(change, error);
            }
        })],
    ),
    rewriting(
        "amplitude-groups-applied-on-create",
        &["AMP-17"],
        "The groups in a create of a user are joined.",
        "permissions, which whoever provisions users can give out",
        &[Written(|change| join_groups(change, Method::POST)), SHOW],
    ),
    rewriting(
        "amplitude-groups-applied-on-update",
        &["AMP-17", "TRUTO-04"],
        "The groups in a PUT of a user are joined.",
        "permissions, which whoever provisions users can give out",
        &[Written(|change| join_groups(change, Method::PUT)), SHOW],
    ),
];

fn is_created(seen: &Seen<'_>, answer: &Answer) -> bool {
    *seen.endpoint == Endpoint::Resources(Kind::User) && answer.status == StatusCode::CREATED
}

fn creates_user(change: &Change<'_>) -> bool {
    change.kind == Kind::User && change.before.is_none() && change.after.is_some()
}

fn refuse_change(change: &mut Change<'_>, error: ScimError) {
    change.after = None;
    change.refusal = Some(error);
}

fn refuse_media_type(request: &mut Request, is_refused: fn(&str) -> bool) {
    if request.header(&CONTENT_TYPE).is_some_and(is_refused) {
        request.headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/octet-stream"));
    }
}

fn is_pending(user: &Value) -> bool {
    user.get("active") == Some(&Value::Bool(true))
}

/// Shows the users inactive of whom a test does not hold.
fn show_active(seen: &Seen<'_>, answer: &mut Answer, is_active: impl Fn(&Seen<'_>, &str) -> bool) {
    each_resource(seen, answer, |resource: &mut Map<String, Value>| {
        let id = resource.get("userName").and_then(Value::as_str).unwrap_or_default();
        let is_hidden = seen.store.get(id).is_some_and(|_| !is_active(seen, id));
        if is_hidden && resource.contains_key("active") {
            resource.insert("active".to_owned(), false.into());
        }
    });
}

fn deactivates(change: &Change<'_>) -> bool {
    change.kind == Kind::User
        && change.before.is_some()
        && change.after.as_ref().is_some_and(|after| after["active"] == false)
}

fn stay_active(change: &mut Change<'_>, applies: fn(&Change<'_>) -> bool) {
    if deactivates(change) && applies(change) {
        change.after = change.before.cloned();
    }
}

/// Remembers a user as it was before it went.
fn remember(change: &mut Change<'_>) {
    change.memory.deleted.extend(change.before.cloned());
}

fn conflict_with_remembered(conflicts: &mut super::super::super::super::fault::Conflicts<'_>) {
    let is_this = |user: &Value| {
        user.get("userName")
            .and_then(Value::as_str)
            .is_some_and(|name| name.eq_ignore_ascii_case(conflicts.user_name))
    };
    if conflicts.memory.deleted.iter().any(is_this) {
        conflicts.ids.push(conflicts.user_name.to_owned());
    }
}

/// Has each group that a body names show the user as a member from now on.
fn join_groups(change: &mut Change<'_>, method: Method) {
    if change.kind != Kind::User || *change.method != method || change.after.is_none() {
        return;
    }
    for group in change.sent.get("groups").map(elements).unwrap_or_default() {
        let id = match group.get("value") {
            Some(Value::String(id)) => id.clone(),
            Some(Value::Number(id)) => id.to_string(),
            _ => continue,
        };
        let Some(record) = change.store.get(&id) else { continue };
        let mut members: Vec<Value> = record.member_ids().map(|id| json!({ "value": id })).collect();
        members.push(json!({ "value": change.id }));
        change.memory.shown.entry(id).or_default().insert("members".to_owned(), members.into());
    }
}
