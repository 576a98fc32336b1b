//! What hurts an identity provider that sends back what it read, looks up those who left, and pushes whole groups.

use axum::http::{Method, StatusCode};
use serde_json::{Value, json};
use uuid::Uuid;

use super::super::endpoint::{Endpoint, Kind};
use super::super::fault::{Change, FaultEntry, Rewrite};
use super::{SHOW, each_resource, fault, object, refuse};
use crate::scim::error::ScimError;
use crate::scim::patch::PatchOp;
use crate::scim::resource::is_unassigned;
use Rewrite::{Answer as At, Change as Written};

pub(super) const FAULTS: &[FaultEntry] = &[
    fault(
        "put-refuses-groups",
        &["DEF-054"],
        "A PUT of a user who is in a group is refused with 400, because it has groups.",
        "Okta, which sends back what it read",
        &["RFC7644-3.5.1-11", "OKTA-OIN-25"],
        &[Written(|change| {
            let groups = change.sent.get("groups").is_some_and(|groups| !is_unassigned(groups));
            if change.method == Method::PUT && change.kind == Kind::User && groups {
                refused(change, ScimError::mutability("groups is readOnly"));
            }
        })],
    ),
    fault(
        "user-patch-needs-path",
        &["DEF-067"],
        "A PATCH of a user by an operation without path is refused with 400.",
        "Okta, which deactivates so",
        &["RFC7644-3.5.2.3-02", "RFC7644-3.5.2.1-04"],
        &[Written(|change| {
            if change.kind == Kind::User && change.operations.iter().any(|it| it.path.is_none()) {
                refused(change, ScimError::invalid_syntax("an operation needs a path"));
            }
        })],
    ),
    fault(
        "group-patch-refuses-id",
        &["DEF-071"],
        "A PATCH of a group whose value repeats the id is refused with 400.",
        "Okta, whose every push begins so",
        &["RFC7644-3.5.2.3-02", "OKTA-OIN-57"],
        &[Written(|change| {
            let has_id = |value: &Value| value.get("id").is_some();
            let repeats =
                change.operations.iter().any(|it| it.path.is_none() && it.value.as_ref().is_some_and(has_id));
            if change.kind == Kind::Group && repeats {
                refused(change, ScimError::mutability("id is readOnly"));
            }
        })],
    ),
    fault(
        "members-not-emptied",
        &["DEF-197"],
        "A replacement of the members of a group by none is refused with 400, by PATCH and by PUT.",
        "Okta, which empties groups so",
        &["RFC7643-2.5-02", "RFC7644-3.5.2.3-04"],
        &[Written(|change| {
            let is_empty = |value: Option<&Value>| value == Some(&json!([]));
            let by_patch = change.operations.iter().any(|it| {
                it.op == PatchOp::Replace
                    && it.path.as_ref().is_some_and(|path| path.attribute.name == "members")
                    && is_empty(it.value.as_ref())
            });
            let had =
                change.before.and_then(|before| before.get("members")).is_some_and(|it| !is_unassigned(it));
            let by_put = change.method == Method::PUT && is_empty(change.sent.get("members"));
            if change.kind == Kind::Group && had && (by_patch || by_put) {
                refused(change, ScimError::invalid_value("members is empty"));
            }
        })],
    ),
    fault(
        "inactive-users-not-found",
        &["DEF-297"],
        "A filter finds no user who is inactive.",
        "Okta, which then tries to create who is there",
        &["RFC7644-3.4.2.2-06", "RFC7644-3.4.2.2-02"],
        &[Rewrite::Rows(|rows| {
            if rows.filter.is_some() {
                rows.rows.retain(|row| row.get("active") != Some(&Value::Bool(false)));
            }
        })],
    ),
    fault(
        "inactive-users-not-shown",
        &["DEF-122"],
        "A user who is inactive cannot be read: the answer is 404.",
        "Okta, which never deletes and takes the user for gone",
        &["RFC7644-3.4.1-02", "RFC7643-4.1.1-16"],
        &[At(|seen, answer| {
            let is_inactive =
                object(answer).is_some_and(|body| body.get("active") == Some(&Value::Bool(false)));
            let is_read = seen.request.method == Method::GET;
            if is_read && is_inactive && matches!(seen.endpoint, Endpoint::Resource(Kind::User, _)) {
                refuse(answer, StatusCode::NOT_FOUND, None, "no such user");
            }
        })],
    ),
    fault(
        "deactivation-empties-name",
        &[],
        "Whoever is set inactive loses the name.",
        "people who come back",
        &["RFC7644-3.5.2.3-01", "RFC7644-3.5.1-01"],
        &[Written(|change| {
            let was_active = change.before.is_some_and(|before| before.get("active") == Some(&true.into()));
            if was_active
                && let Some(after) = change.after.as_mut().and_then(Value::as_object_mut)
                && after.get("active") == Some(&false.into())
            {
                after.shift_remove("name");
            }
        })],
    ),
    fault(
        "reactivation-makes-new-id",
        &["DEF-046"],
        "Whoever is set active again has another id from then on.",
        "everybody: every link is orphaned",
        &["RFC7643-3.1-07"],
        &[
            Written(|change| {
                let active = |user: Option<&Value>| user.and_then(|user| user.get("active")?.as_bool());
                if active(change.before) == Some(false) && active(change.after.as_ref()) == Some(true) {
                    let shown = change.memory.shown.entry(change.id.clone()).or_default();
                    shown.insert("id".to_owned(), Uuid::new_v4().to_string().into());
                }
            }),
            SHOW,
        ],
    ),
    fault(
        "external-id-of-leaver-taken",
        &["DEF-297"],
        "A create with the externalId of a user who is inactive is refused with 409.",
        "Okta, which creates anew whose login was edited on the assignment",
        &[],
        &[Written(|change| {
            let wanted = change.sent.get("externalId").and_then(Value::as_str);
            let taken = wanted.is_some()
                && change.before.is_none()
                && change.store.all().any(|other| {
                    other.kind == Kind::User
                        && other.id != change.id
                        && other.text("externalId") == wanted
                        && other.attributes.get("active") == Some(&Value::Bool(false))
                });
            if taken {
                refused(change, ScimError::uniqueness("externalId is taken"));
            }
        })],
    ),
    fault(
        "placeholder-password-refused",
        &[],
        "A create whose password has no capital letter is refused with 400.",
        "Okta, which sends a placeholder of small letters and digits",
        &["OKTA-OIN-18"],
        &[Written(|change| {
            let password = change.sent.get("password").and_then(Value::as_str);
            if change.before.is_none() && password.is_some_and(|it| !it.contains(char::is_uppercase)) {
                refused(change, ScimError::invalid_value("the password is too weak"));
            }
        })],
    ),
    fault(
        "group-put-conflicts-with-itself",
        &[],
        "A PUT of a group with the name that it has is answered with 409.",
        "Okta, which sends the name with each change of members",
        &["RFC7644-3.5.1-01", "OKTA-OIN-57"],
        &[Written(|change| {
            let name = |group: &Value| group.get("displayName").cloned();
            let same = change.before.is_some_and(|before| name(before) == name(change.sent));
            if change.method == Method::PUT && change.kind == Kind::Group && same {
                refused(change, ScimError::uniqueness("displayName is taken"));
            }
        })],
    ),
    fault(
        "group-name-stays-taken",
        &["DEF-297"],
        "The name of a group that was renamed or deleted cannot be used again.",
        "Okta, whose push of the next group of that name fails",
        &["RFC7644-3.6-05", "OKTA-OIN-43"],
        &[Written(|change| {
            if change.kind != Kind::Group {
                return;
            }
            let name = |group: &Value| group.get("displayName").cloned();
            let wanted = change.after.as_ref().and_then(name);
            let given_up = |row: &Value| row["group"] == true && Some(&row["displayName"]) == wanted.as_ref();
            match change.before.and_then(name) {
                Some(old) if Some(&old) != wanted.as_ref() && change.refusal.is_none() => {
                    change.memory.deleted.push(json!({ "group": true, "displayName": old }));
                }
                None if change.memory.deleted.iter().any(given_up) => {
                    refused(change, ScimError::uniqueness("displayName is taken"));
                }
                _ => {}
            }
        })],
    ),
    fault(
        "groups-listed-without-members",
        &["DEF-051"],
        "The rows of a list of groups lack the members, which a GET by id shows.",
        "Okta, which drops the people on import",
        &["RFC7644-3.4.2-11", "RFC7644-3.4-03"],
        &[At(|seen, answer| {
            let is_list = object(answer).is_some_and(|body| body.contains_key("Resources"));
            if is_list {
                each_resource(seen, answer, |row| drop(row.shift_remove("members")));
            }
        })],
    ),
    fault(
        "large-count-refused",
        &[],
        "A count of a hundred or more is refused with 400.",
        "Okta, which asks for a hundred at a time",
        &["OKTA-OIN-35"],
        &[At(|seen, answer| {
            let is_large = |(name, value): &(String, String)| {
                name == "count" && value.parse::<u32>().is_ok_and(|count| count >= 100)
            };
            if seen.request.query.iter().any(is_large) {
                refuse(answer, StatusCode::BAD_REQUEST, Some("invalidValue"), "count is too large");
            }
        })],
    ),
];

fn refused(change: &mut Change<'_>, why: ScimError) {
    change.after = None;
    change.refusal = Some(why);
}
