//! Groups: their ids, their members, who is invited by them.

use axum::http::{Method, StatusCode};
use serde_json::{Value, json};

use super::super::super::super::behaviour::UnknownMembers;
use super::super::super::super::endpoint::{Endpoint, Kind};
use super::super::super::super::fault::{Change, FaultEntry, PatchOperations, Rewrite};
use super::super::super::super::message::{Answer, Content};
use super::super::super::super::rewrite::{each_member, each_meta, each_time, object, refuse};
use super::super::super::{rewriting, settling};
use super::super::{is_placeholder, user};
use crate::scim::names;
use crate::scim::patch::{PatchOp, PatchOperation};
use crate::scim::path::PatchPath;
use Rewrite::{Answer as At, Change as Written, Filter as Parsed, Operations};

pub(super) const FAULTS: &[FaultEntry] = &[
    rewriting(
        "amplitude-group-read-id-integer",
        &["AMP-25"],
        "The id of a group is a JSON integer in a single read, too.",
        "clients whose ids are strings",
        &[At(|seen, answer| {
            if let (Endpoint::Resource(Kind::Group, id), Some(body)) = (seen.endpoint, object(answer))
                && let (Ok(number), true) = (id.parse::<u64>(), body.contains_key("id"))
            {
                body.insert("id".to_owned(), number.into());
            }
        })],
    ),
    rewriting(
        "amplitude-group-id-differs",
        &["AMP-24", "AMP-25"],
        "The id of a group in a list is not the one under which it can be read.",
        "clients that go on from a list",
        &[At(|seen, answer| {
            if *seen.endpoint == Endpoint::Resources(Kind::Group)
                && let Some(Value::Array(rows)) = object(answer).and_then(|body| body.get_mut("Resources"))
            {
                for row in rows {
                    let id = row.get("id").and_then(Value::as_u64).unwrap_or_default();
                    row["id"] = (id + 10_000).into();
                }
            }
        })],
    ),
    rewriting(
        "amplitude-group-create-answers-202",
        &["AMP-26"],
        "The create of a group is answered with 202.",
        "clients that wait for the group",
        &[At(|seen, answer| {
            if seen.request.method == Method::POST
                && *seen.endpoint == Endpoint::Resources(Kind::Group)
                && answer.status == StatusCode::OK
            {
                answer.status = StatusCode::ACCEPTED;
            }
        })],
    ),
    rewriting(
        "amplitude-group-create-without-members",
        &["AMP-26", "AMP-27"],
        "The create of a group leaves its members out.",
        "Okta's group push, which takes them for pushed",
        &[Written(|change| {
            if change.kind == Kind::Group
                && change.before.is_none()
                && let Some(after) = change.after.as_mut().and_then(Value::as_object_mut)
            {
                after.shift_remove("members");
            }
        })],
    ),
    FaultEntry {
        settle: Some(|behaviour| {
            behaviour.invite = None;
            behaviour.unknown_members = UnknownMembers::Taken;
        }),
        ..rewriting(
            "amplitude-members-not-invited",
            &["AMP-27"],
            "A member who was not invited before is listed in the group, and is no user.",
            "people who never get their invitation",
            &[],
        )
    },
    settling(
        "amplitude-members-unknown-refused",
        &["AMP-27", "AMP-29"],
        "A group with a member who was not invited before is refused with 400.",
        "Okta's group push, if groups come before users",
        |behaviour| behaviour.invite = None,
    ),
    settling(
        "amplitude-members-unknown-dropped",
        &["AMP-27", "AMP-29"],
        "A member who was not invited before is left out without a word.",
        "people who never get their invitation",
        |behaviour| {
            behaviour.invite = None;
            behaviour.unknown_members = UnknownMembers::Dropped;
        },
    ),
    settling(
        "amplitude-members-invited-inactive",
        &["AMP-18", "AMP-27"],
        "Who is invited by a group is not active.",
        "Okta, which takes them for removed",
        |behaviour| behaviour.invite = Some(|address| user(address, None, false)),
    ),
    rewriting(
        "amplitude-member-display-undefined",
        &["AMP-28", "AMP-31"],
        "Members without a name are displayed as undefined undefined, whoever reads.",
        "administrators, who cannot tell who is meant",
        &[At(|seen, answer| {
            if seen.request.method != Method::POST {
                each_member(seen, answer, |member| {
                    if member.get("display").and_then(Value::as_str).is_some_and(is_placeholder) {
                        member.insert("display".to_owned(), "undefined undefined".into());
                    }
                });
            }
        })],
    ),
    rewriting(
        "amplitude-member-display-missing",
        &["AMP-25", "AMP-33"],
        "Members have a value only.",
        "administrators, who see addresses instead of names",
        &[At(|seen, answer| {
            each_member(seen, answer, |member| {
                member.shift_remove("display");
            });
        })],
    ),
    rewriting(
        "amplitude-add-replaces-members",
        &["AMP-29"],
        "Adding a member to a group removes the others.",
        "everybody else in the group, who loses their permissions",
        &[Operations(|operations| {
            for operation in &mut operations.list {
                let is_members = path_of(operation.path.as_ref()) == "members";
                if is_members && operation.op == PatchOp::Add {
                    operation.op = PatchOp::Replace;
                }
            }
        })],
    ),
    rewriting(
        "amplitude-add-renames-group",
        &["AMP-29"],
        "Adding a member renames the group, as in the document's example.",
        "Okta, which links groups by their names",
        &[Written(|change| {
            if touches_members(change)
                && let Some(after) = &mut change.after
            {
                after["displayName"] = "New Name".into();
            }
        })],
    ),
    rewriting(
        "amplitude-add-ignored",
        &["AMP-29", "TRUTO-05"],
        "Adding a member is answered with 200, and adds nobody.",
        "people who miss their permissions",
        &[Operations(|operations| drop_members(operations, PatchOp::Add))],
    ),
    rewriting(
        "amplitude-remove-ignored",
        &["TRUTO-05"],
        "Removing a member is answered with 200, and removes nobody.",
        "the organisation, whose leavers keep their permissions",
        &[Operations(|operations| drop_members(operations, PatchOp::Remove))],
    ),
    rewriting(
        "amplitude-group-rename-ignored",
        &["AMP-33"],
        "A PATCH of the displayName of a group changes nothing.",
        "Okta, whose renamed groups keep their names",
        &[Written(|change| {
            if change.kind == Kind::Group
                && change.method == Method::PATCH
                && let (Some(before), Some(after)) = (change.before, &mut change.after)
            {
                after["displayName"] = before["displayName"].clone();
            }
        })],
    ),
    rewriting(
        "amplitude-group-patch-answers-204",
        &["AMP-29"],
        "PATCH of a group is answered with 204 and no body.",
        "clients that take the group from the answer",
        &[At(|seen, answer| {
            if matches!(seen.endpoint, Endpoint::Resource(Kind::Group, _))
                && seen.request.method == Method::PATCH
                && answer.status == StatusCode::OK
            {
                *answer = Answer::empty(StatusCode::NO_CONTENT);
            }
        })],
    ),
    rewriting(
        "amplitude-group-delete-answers-200",
        &["AMP-30"],
        "DELETE of a group is answered with 200.",
        "clients that expect 204",
        &[At(|seen, answer| {
            if matches!(seen.endpoint, Endpoint::Resource(Kind::Group, _))
                && answer.status == StatusCode::NO_CONTENT
            {
                answer.status = StatusCode::OK;
                answer.content = Content::Empty;
            }
        })],
    ),
    rewriting(
        "amplitude-group-delete-removes-users",
        &["AMP-30"],
        "Who was in a deleted group is gone from the organisation.",
        "everybody who was in it",
        &[
            Written(|change| {
                if change.kind == Kind::Group && change.method == Method::DELETE {
                    let members =
                        change.store.get(&change.id).into_iter().flat_map(|group| group.member_ids());
                    let gone: Vec<Value> = members.map(|id| json!({ "id": id })).collect();
                    change.memory.deleted.extend(gone);
                }
            }),
            At(|seen, answer| {
                let is_gone = |id: &str| seen.memory.deleted.iter().any(|user| user["id"] == id);
                match seen.endpoint {
                    Endpoint::Resource(Kind::User, id) if is_gone(id) => {
                        refuse(answer, StatusCode::NOT_FOUND, None, "there is no such user");
                    }
                    Endpoint::Resources(Kind::User) => {
                        if let Some(Value::Array(rows)) =
                            object(answer).and_then(|body| body.get_mut("Resources"))
                        {
                            rows.retain(|row| !row["id"].as_str().is_some_and(is_gone));
                        }
                    }
                    _ => {}
                }
            }),
        ],
    ),
    rewriting(
        "amplitude-group-times-frozen",
        &["AMP-34"],
        "lastModified of a group is always the time of its creation.",
        "clients that read what has changed",
        &[At(|seen, answer| {
            each_meta(seen, answer, |meta| {
                if let (Some(created), true) =
                    (meta.get("created").cloned(), meta.contains_key("lastModified"))
                {
                    meta.insert("lastModified".to_owned(), created);
                }
            });
        })],
    ),
    rewriting(
        "amplitude-group-times-without-offset",
        &["AMP-34"],
        "The times of a group have a blank for the T, and no offset.",
        "clients that parse them",
        &[At(|seen, answer| {
            each_time(seen, answer, |time| time.replace('T', " ").replace("+00:00", "").into());
        })],
    ),
    rewriting(
        "amplitude-group-filter-ignored",
        &["AMP-40"],
        "A filter on groups is ignored.",
        "Okta, which links the first group of the list to its own",
        &[Parsed(|filter| {
            if filter.definition.schema.id == names::GROUP {
                filter.parsed = Ok(None);
            }
        })],
    ),
    rewriting(
        "amplitude-group-numbers-only",
        &["AMP-25"],
        "An id of a group that is no number is answered with 500.",
        "whoever mistypes one",
        &[At(|seen, answer| {
            if let Endpoint::Resource(Kind::Group, id) = seen.endpoint
                && id.parse::<u64>().is_err()
            {
                refuse(answer, StatusCode::INTERNAL_SERVER_ERROR, None, "invalid input syntax for integer");
            }
        })],
    ),
];

fn path_of(path: Option<&PatchPath>) -> &str {
    path.map_or("", |path| path.attribute.name.as_str())
}

fn touches_members(change: &Change<'_>) -> bool {
    let is_members = |operation: &PatchOperation| path_of(operation.path.as_ref()) == "members";
    change.kind == Kind::Group && change.operations.iter().any(is_members)
}

fn drop_members(operations: &mut PatchOperations<'_>, op: PatchOp) {
    operations.list.retain(|operation| operation.op != op || path_of(operation.path.as_ref()) != "members");
}
