//! PATCH that does something else (RFC 7644 §3.5.2).

use axum::http::{Method, StatusCode};
use serde_json::{Map, Value, json};

use super::super::endpoint::{Endpoint, Kind};
use super::super::fault::{Change, FaultEntry, PatchOperations, Rewrite};
use super::super::message::{Answer, Content};
use super::writes::{remember, show_previous};
use super::{SHOW, body_of, fault, object, refuse, rewrite_body};
use crate::scim::error::{ScimError, ScimType};
use crate::scim::filter::{CompareOperator, Filter, FilterValue};
use crate::scim::names;
use crate::scim::patch::{PatchOp, PatchOperation, PatchOptions, apply};
use crate::scim::path::{AttributePath, PatchPath};
use crate::scim::resource::elements;
use Rewrite::{Answer as At, Change as Written, Operations as Ops};

pub(super) const FAULTS: &[FaultEntry] = &[
    fault(
        "patch-missing",
        &["DEF-084", "DEF-025"],
        "PATCH is answered with 501, although patch.supported is true.",
        "Entra and Okta, which deactivate by PATCH",
        &["RFC7643-5-24", "RFC7644-3.5-02"],
        &[At(|seen, answer| {
            if seen.request.method == Method::PATCH && matches!(seen.endpoint, Endpoint::Resource(..)) {
                refuse(answer, StatusCode::NOT_IMPLEMENTED, None, "PATCH is not supported");
            }
        })],
    ),
    fault(
        "patch-ignored",
        &["DEF-090", "DEF-110"],
        "A PATCH answers 200 and changes nothing.",
        "everybody: leavers keep access while the identity provider records success",
        &["RFC7644-3.5.2-01", "RFC7644-3.5.2.3-01", "RFC7644-3.5.2.1-01"],
        &[Written(|change| {
            if change.method == Method::PATCH && change.after.is_some() {
                change.after = change.before.cloned();
            }
        })],
    ),
    fault(
        "patch-deactivation-ignored",
        &["DEF-110"],
        "A PATCH of active answers 200 and changes nothing.",
        "everybody: leavers keep access",
        &["RFC7644-3.5.2.3-01", "RFC7643-4.1.1-16"],
        &[Written(|change| keep_before(change, &["active"]))],
    ),
    fault(
        "patch-reactivation-ignored",
        &["DEF-114"],
        "A PATCH sets active to false, but never back to true.",
        "people who come back",
        &["RFC7644-3.5.2.3-01"],
        &[Written(|change| {
            if change.before.is_some_and(|before| before.get("active") == Some(&Value::Bool(false))) {
                keep_before(change, &["active"]);
            }
        })],
    ),
    fault(
        "patch-inactive-refused",
        &["DEF-008"],
        "A PATCH of a user who is inactive is answered with 409.",
        "Entra, which retries for ever",
        &["RFC7644-3.5.2-01", "RFC7644-3.5.2-23"],
        &[Written(|change| {
            let inactive = |before: &Value| before.get("active") == Some(&Value::Bool(false));
            if change.method == Method::PATCH && change.before.is_some_and(inactive) {
                change.after = None;
                change.refusal = Some(ScimError::new(409, "the user has to be active"));
            }
        })],
    ),
    fault(
        "patch-op-case-sensitive",
        &["DEF-062"],
        "Add, Replace and Remove with a capital are refused with 400.",
        "Entra and OneLogin, which write them so",
        &["RFC7644-3.5.2-05"],
        &[Rewrite::Request(|request| {
            if request.method == Method::PATCH {
                rewrite_body(request, |body| {
                    let operations = body.get_mut("Operations").and_then(Value::as_array_mut);
                    for op in operations.into_iter().flatten().filter_map(|it| it.get_mut("op")) {
                        if op.as_str().is_some_and(|op| op.chars().any(char::is_uppercase)) {
                            *op = format!("unknown {}", op.as_str().unwrap_or_default()).into();
                        }
                    }
                });
            }
        })],
    ),
    fault(
        "patch-pathless-ignored",
        &["DEF-067"],
        "An operation without path has no effect.",
        "Okta, which deactivates so",
        &["RFC7644-3.5.2.3-02", "RFC7644-3.5.2.1-04"],
        &[Ops(|operations| operations.list.retain(|it| it.path.is_some()))],
    ),
    fault(
        "patch-pathless-first-attribute-only",
        &["DEF-088", "DEF-070"],
        "Of an operation without path only the first attribute counts.",
        "Okta and Entra, which send several",
        &["RFC7644-3.5.2.3-02", "RFC7644-3.5.2.1-14"],
        &[Ops(|operations| {
            for operation in &mut operations.list {
                if let (None, Some(Value::Object(members))) = (&operation.path, &mut operation.value) {
                    *members = std::mem::take(members).into_iter().take(1).collect();
                }
            }
        })],
    ),
    fault(
        "patch-first-operation-only",
        &["DEF-092"],
        "Of several operations only the first counts.",
        "Entra, which sends one for each attribute",
        &["RFC7644-3.5.2-17"],
        &[Ops(|operations| operations.list.truncate(1))],
    ),
    fault(
        "patch-operations-reversed",
        &["DEF-092"],
        "Operations are applied from the last to the first.",
        "clients that replace members by remove and add",
        &["RFC7644-3.5.2-17", "RFC7644-3.5.2.2-12"],
        &[Ops(|operations| operations.list.reverse())],
    ),
    fault(
        "patch-not-atomic",
        &["DEF-091"],
        "Of a PATCH that fails, the operations before the failing one stay.",
        "everybody: half-applied profiles",
        &["RFC7644-3.5.2-19", "RFC7644-3.5.2-20", "RFC5789-2-01"],
        &[Written(|change| {
            if let (Some(_), Some(before), None) = (&change.refusal, change.before, &change.after)
                && change.method == Method::PATCH
            {
                change.after = Some(apply_while_possible(change.operations, before, change));
            }
        })],
    ),
    fault(
        "patch-failure-hidden",
        &["DEF-090", "DEF-208"],
        "A PATCH that fails answers 200 and changes nothing.",
        "everybody: the identity provider records success",
        &["RFC7644-3.5.2-21", "RFC7644-3.5.2-12"],
        &[At(|seen, answer| {
            if seen.request.method == Method::PATCH
                && [StatusCode::BAD_REQUEST, StatusCode::CONFLICT].contains(&answer.status)
            {
                *answer = Answer::empty(StatusCode::NO_CONTENT);
            }
        })],
    ),
    fault(
        "patch-add-replaces",
        &["DEF-108"],
        "add to an attribute with several values replaces them.",
        "everybody: adding a member removes the others",
        &["RFC7644-3.5.2.1-07"],
        &[Ops(|operations| {
            for operation in &mut operations.list {
                if operation.op == PatchOp::Add {
                    operation.op = PatchOp::Replace;
                }
            }
        })],
    ),
    fault(
        "patch-replace-adds",
        &["DEF-104"],
        "replace of an attribute with several values adds to them.",
        "everybody: access is never taken away",
        &["RFC7644-3.5.2.3-04", "RFC7644-3.5.2.3-10"],
        &[Ops(|operations| {
            for operation in &mut operations.list {
                let is_plain = operation.path.as_ref().is_some_and(|path| path.filter.is_none());
                if operation.op == PatchOp::Replace && is_plain {
                    operation.op = PatchOp::Add;
                }
            }
        })],
    ),
    fault(
        "patch-remove-ignored",
        &["DEF-118"],
        "remove answers 200 and removes nothing.",
        "everybody: access is never taken away",
        &["RFC7644-3.5.2.2-01", "RFC7644-3.5.2.2-03", "RFC7644-3.5.2.2-04"],
        &[Ops(|operations| operations.list.retain(|it| it.op != PatchOp::Remove))],
    ),
    fault(
        "patch-filtered-remove-ignored",
        &["DEF-063"],
        "remove with a filter, such as members[value eq \"…\"], removes nothing.",
        "everybody: access is never taken away",
        &["RFC7644-3.5.2.2-05", "RFC7644-3.5.2.2-06"],
        &[Ops(|operations| {
            operations.list.retain(|it| {
                it.op != PatchOp::Remove || it.path.as_ref().is_none_or(|path| path.filter.is_none())
            });
        })],
    ),
    fault(
        "patch-filtered-remove-wipes-all",
        &["DEF-064", "DEF-093"],
        "remove with a filter removes all values.",
        "everybody: one leaver empties the group",
        &["RFC7644-3.5.2.2-05", "RFC7644-3.5.2.2-06"],
        &[Ops(|operations| {
            for operation in &mut operations.list {
                if let (PatchOp::Remove, Some(path)) = (operation.op, &mut operation.path) {
                    path.filter = None;
                }
            }
        })],
    ),
    fault(
        "patch-remove-without-path-accepted",
        &["DEF-119"],
        "remove without path answers 204.",
        "clients with a mistake, which do not learn of it",
        &["RFC7644-3.5.2.2-02"],
        &[At(|seen, answer| {
            let body = body_of(seen.request).unwrap_or_default();
            let operations = body.get("Operations").map(elements).unwrap_or_default();
            let is_pathless_remove = |it: &Value| {
                it.get("path").is_none()
                    && it
                        .get("op")
                        .and_then(Value::as_str)
                        .is_some_and(|op| op.eq_ignore_ascii_case("remove"))
            };
            if seen.request.method == Method::PATCH
                && answer.status == StatusCode::BAD_REQUEST
                && operations.iter().any(is_pathless_remove)
            {
                *answer = Answer::empty(StatusCode::NO_CONTENT);
            }
        })],
    ),
    fault(
        "patch-no-target-ignored",
        &["DEF-208"],
        "replace with a filter that matches nothing answers 204.",
        "clients, which believe in a change that never was",
        &["RFC7644-3.5.2.3-09"],
        &[At(|seen, answer| {
            if seen.request.method == Method::PATCH && scim_type(answer) == Some("noTarget") {
                *answer = Answer::empty(StatusCode::NO_CONTENT);
            }
        })],
    ),
    fault(
        "patch-no-target-appends",
        &["DEF-072"],
        "replace with a filter that matches nothing adds an element.",
        "strict clients",
        &["RFC7644-3.5.2.3-09"],
        &[Ops(|operations| {
            let before = operations.before;
            for operation in &mut operations.list {
                if let (PatchOp::Replace, Some(path)) = (operation.op, &operation.path)
                    && path.filter.is_some()
                    && !finds(path, before, operations.definition)
                {
                    operation.op = PatchOp::Add;
                }
            }
        })],
    ),
    fault(
        "patch-no-target-answers-404",
        &[],
        "replace with a filter that matches nothing is answered with 404.",
        "clients, which take the resource for deleted",
        &["RFC7644-3.5.2.3-09", "RFC7644-3.12-24"],
        &[At(|seen, answer| {
            if seen.request.method == Method::PATCH && scim_type(answer) == Some("noTarget") {
                super::set_status(answer, StatusCode::NOT_FOUND);
            }
        })],
    ),
    fault(
        "patch-filtered-replace-hits-all",
        &["DEF-075"],
        "replace with a filter changes every element.",
        "people, whose private address becomes that of the office",
        &["RFC7644-3.5.2.3-08", "RFC7644-3.5.2.3-07"],
        &[Ops(|operations| {
            for operation in &mut operations.list {
                if let (PatchOp::Replace, Some(path)) = (operation.op, &mut operation.path)
                    && let (Some(_), Some(sub)) = (&path.filter, &path.sub)
                {
                    path.filter = Some(Filter::Or(vec![
                        Filter::Present(AttributePath::of("value")),
                        Filter::Present(AttributePath::of(sub.clone())),
                    ]));
                }
            }
        })],
    ),
    fault(
        "patch-filtered-replace-hits-first",
        &["DEF-075"],
        "replace with a filter changes the first element, whichever matches.",
        "people, whose private address becomes that of the office",
        &["RFC7644-3.5.2.3-08", "RFC7644-3.5.2.3-07"],
        &[Ops(|operations| {
            let before = operations.before;
            for operation in &mut operations.list {
                if let (PatchOp::Replace, Some(path)) = (operation.op, &mut operation.path)
                    && path.filter.is_some()
                    && let Some(value) = first_value(before, &path.attribute.name)
                {
                    path.filter = Some(Filter::Compare {
                        path: AttributePath::of("value"),
                        operator: CompareOperator::Equal,
                        value: FilterValue::String(value),
                    });
                }
            }
        })],
    ),
    fault(
        "patch-filtered-replace-drops-siblings",
        &["DEF-075"],
        "replace with a filter removes the elements that do not match.",
        "people, who lose their other addresses",
        &["RFC7644-3.5.2.3-07", "RFC7644-3.5.2.3-08"],
        &[Written(|change| {
            let filtered = change.operations.iter().find_map(|it| {
                let path = it.path.as_ref()?;
                (it.op == PatchOp::Replace && path.filter.is_some()).then(|| path.attribute.name.clone())
            });
            let Some(name) = filtered else { return };
            let before = change.before.and_then(|before| before.get(&name)).map(elements).unwrap_or_default();
            if let Some(Value::Array(after)) = change.after.as_mut().and_then(|after| after.get_mut(&name)) {
                after.retain(|element| !before.contains(element));
            }
        })],
    ),
    fault(
        "patch-primary-not-reset",
        &["DEF-105"],
        "After a PATCH that makes one element primary, another one is primary too.",
        "people, whose mail goes to the wrong address",
        &["RFC7644-3.5.2-18", "RFC7643-2.4-04", "RFC7644-3.5.2.3-11"],
        &[Written(|change| {
            let Some(before) = change.before else { return };
            if change.method != Method::PATCH {
                return;
            }
            for name in ["emails", "phoneNumbers", "addresses"] {
                let primaries: Vec<&Value> = before
                    .get(name)
                    .map(elements)
                    .unwrap_or_default()
                    .iter()
                    .filter(|element| element["primary"] == true)
                    .collect();
                let after = change.after.as_mut().and_then(|after| after.get_mut(name));
                for element in after.and_then(Value::as_array_mut).into_iter().flatten() {
                    let was = |other: &&Value| {
                        other.get("value") == element.get("value") && other.get("type") == element.get("type")
                    };
                    if primaries.iter().any(was) {
                        element["primary"] = true.into();
                    }
                }
            }
        })],
    ),
    fault(
        "patch-complex-replace-drops-siblings",
        &["DEF-099"],
        "replace of one part of name removes the other parts.",
        "people, who lose half of their name",
        &["RFC7644-3.5.2.3-06", "RFC7644-3.5.2.1-06"],
        &[Written(|change| {
            let part = change.operations.iter().find_map(|it| {
                let value = it.value.as_ref()?;
                match &it.path {
                    Some(path) if path.attribute.name.eq_ignore_ascii_case("name") => {
                        match &path.attribute.sub {
                            Some(sub) => Some(json!({ sub.as_str(): value })),
                            None => Some(value.clone()),
                        }
                    }
                    None => value.get("name").cloned(),
                    Some(_) => None,
                }
            });
            if let (Some(part), Some(after)) = (part, &mut change.after)
                && part.is_object()
            {
                after["name"] = part;
            }
        })],
    ),
    fault(
        "patch-extension-ignored",
        &["DEF-077", "DEF-079"],
        "A PATCH of an attribute of the enterprise extension answers 200 and changes nothing.",
        "Entra, whose department and manager never arrive",
        &["RFC7644-3.5.2-13", "RFC7644-3.5.2.1-05"],
        &[Written(|change| keep_before(change, &[names::ENTERPRISE_USER]))],
    ),
    fault(
        "patch-extension-refused",
        &["DEF-077", "DEF-109"],
        "A PATCH whose path begins with the URN of the extension is refused with 400.",
        "Entra, whose department and manager never arrive",
        &["RFC7644-3.5.2-13", "RFC7644-3.5.2-07"],
        &[Ops(|operations| {
            for operation in &mut operations.list {
                if let Some(path) = &mut operation.path
                    && path.attribute.urn.as_deref().is_some_and(|urn| urn.contains("extension"))
                {
                    path.attribute = AttributePath::of("0:User");
                }
            }
        })],
    ),
    fault(
        "patch-core-urn-refused",
        &["DEF-082"],
        "A PATCH whose path begins with the URN of the core schema is refused with 400.",
        "clients that write whole names",
        &["RFC7644-3.5.2-13", "RFC7644-3.10-01"],
        &[Ops(|operations| {
            for operation in &mut operations.list {
                if let Some(path) = &mut operation.path
                    && path.attribute.urn.as_deref().is_some_and(|urn| urn.contains(":core:"))
                {
                    path.attribute = AttributePath::of("0:User");
                }
            }
        })],
    ),
    fault(
        "patch-sub-attribute-ignored",
        &["DEF-068"],
        "A PATCH of name.familyName answers 200 and changes nothing.",
        "people, who keep their old name",
        &["RFC7644-3.5.2-13", "RFC7644-3.5.2-08"],
        &[Ops(|operations| {
            operations.list.retain(|it| it.path.as_ref().is_none_or(|path| path.attribute.sub.is_none()));
        })],
    ),
    fault(
        "patch-attribute-case-sensitive",
        &["DEF-241"],
        "A PATCH of DISPLAYNAME answers 200 and changes nothing.",
        "clients with another spelling",
        &["RFC7643-2.1-03", "RFC7644-3.10-05"],
        &[Ops(|operations| {
            let definition = operations.definition;
            let is_exact =
                |name: &str| definition.top_attribute(name).is_none_or(|attribute| attribute.name == name);
            operations.list.retain(|it| it.path.as_ref().is_none_or(|path| is_exact(&path.attribute.name)));
            for operation in &mut operations.list {
                if let (None, Some(Value::Object(members))) = (&operation.path, &mut operation.value) {
                    members.retain(|name, _| is_exact(name));
                }
            }
        })],
    ),
    fault(
        "patch-user-name-unchecked",
        &["DEF-112"],
        "A PATCH takes a userName that another user has.",
        "everybody: two accounts share a login",
        &["RFC7644-3.5.2-26", "RFC7643-4.1.1-02"],
        &[Rewrite::Conflicts(|conflicts| {
            if conflicts.method == Method::PATCH {
                conflicts.ids.clear();
            }
        })],
    ),
    fault(
        "patch-writes-read-only",
        &["DEF-231"],
        "A PATCH of id, meta or groups changes what is shown.",
        "everybody: identity and privileges change",
        &["RFC7644-3.5.2-09", "RFC7643-7-20", "RFC7644-3.12-21"],
        &[Ops(show_read_only), SHOW],
    ),
    fault(
        "patch-unknown-attribute-stored",
        &["DEF-188", "DEF-267"],
        "A PATCH of an attribute that no schema knows is stored and shown.",
        "everybody: roles can be smuggled in",
        &["RFC7644-3.5.2-09", "RFC7643-2-01"],
        &[Ops(show_unknown), SHOW],
    ),
    fault(
        "patch-wrong-type-stored",
        &["DEF-061"],
        "A PATCH of active with the text \"False\" is stored and shown as text.",
        "Entra: the leaver looks active to every client",
        &["RFC7643-2.3.2-01", "RFC7644-3.12-25"],
        &[Ops(show_boolean_texts), SHOW],
    ),
    fault(
        "patch-invalid-path-answers-500",
        &["DEF-086"],
        "A path that is none is answered with 500.",
        "identity providers, which retry a 5xx for ever",
        &["RFC7644-3.12-23", "RFC7644-3.5.2-07"],
        &[At(|seen, answer| {
            if seen.request.method == Method::PATCH
                && matches!(scim_type(answer), Some("invalidPath" | "invalidFilter"))
            {
                refuse(answer, StatusCode::INTERNAL_SERVER_ERROR, None, "cannot read property of null");
            }
        })],
    ),
    fault(
        "patch-required-removable",
        &["DEF-234"],
        "A PATCH removes userName.",
        "everybody: nobody can sign in",
        &["RFC7644-3.5.2.2-08", "RFC7643-4.1.1-01"],
        &[Written(|change| {
            let removes = change.operations.iter().any(|it| {
                it.path.as_ref().is_some_and(|path| path.attribute.name.eq_ignore_ascii_case("userName"))
                    && (it.op == PatchOp::Remove || it.value.as_ref().is_none_or(Value::is_null))
            });
            if let (true, true, Some(before)) = (removes, change.refusal.is_some(), change.before) {
                let mut after = before.clone();
                if let Some(after) = after.as_object_mut() {
                    after.shift_remove("userName");
                }
                change.after = Some(after);
                change.refusal = None;
            }
        })],
    ),
    fault(
        "patch-touches-on-no-change",
        &["DEF-083"],
        "A PATCH that adds what is there changes meta.lastModified.",
        "clients that synchronise what changed",
        &["RFC7644-3.5.2.1-12", "RFC7644-3.5.2.1-11"],
        &[Written(|change| change.touch = change.method == Method::PATCH)],
    ),
    fault(
        "patch-no-change-refused",
        &["DEF-083", "DEF-096"],
        "A PATCH that changes nothing is refused with 400.",
        "Okta and Entra, which repeat themselves",
        &["RFC7644-3.5.2.1-11", "RFC7644-3.5.2.1-13", "RFC7644-3.5.2.2-09"],
        &[Written(|change| {
            let same = |after: &Value, before: &Value| {
                after.as_object().is_some_and(|after| {
                    after.iter().all(|(name, value)| {
                        name == "schemas" || is_same(value, before.get(name).unwrap_or(&Value::Null))
                    }) && count_writable(before) == count_writable(&Value::Object(after.clone()))
                })
            };
            if let (&Method::PATCH, Some(after), Some(before)) = (change.method, &change.after, change.before)
                && same(after, before)
            {
                change.after = None;
                change.refusal =
                    Some(ScimError::with_type(400, ScimType::InvalidValue, "nothing would change"));
            }
        })],
    ),
    fault(
        "patch-answers-old-state",
        &["DEF-066"],
        "A PATCH answers with the resource as it was before.",
        "clients that trust the answer",
        &["RFC7644-3.5.2-23", "RFC7644-3.1-08"],
        &[
            Written(|change| remember(change, &Method::PATCH)),
            At(|seen, answer| {
                if seen.request.method == Method::PATCH {
                    let previous = std::mem::take(&mut seen.memory.previous);
                    show_previous(seen.endpoint, answer, &previous);
                    seen.memory.previous = previous;
                }
            }),
        ],
    ),
    fault(
        "patch-answers-202",
        &[],
        "A PATCH answers 202.",
        "clients, which do not know whether it is done",
        &["RFC7644-3.5.2-23"],
        &[At(|seen, answer| {
            if seen.request.method == Method::PATCH && answer.status == StatusCode::OK {
                answer.status = StatusCode::ACCEPTED;
            }
        })],
    ),
    fault(
        "patch-answers-empty-200",
        &[],
        "A PATCH answers 200 without a body.",
        "clients that read the result",
        &["RFC7644-3.5.2-23"],
        &[At(|seen, answer| {
            if seen.request.method == Method::PATCH && answer.status == StatusCode::OK {
                answer.content = Content::Empty;
            }
        })],
    ),
    fault(
        "patch-answers-204-despite-attributes",
        &["DEF-117"],
        "A PATCH with attributes answers 204.",
        "clients that asked for attributes",
        &["RFC7644-3.5.2-24"],
        &[At(|seen, answer| {
            if seen.request.method == Method::PATCH
                && answer.status == StatusCode::OK
                && seen.request.parameter("attributes").is_some()
            {
                *answer = Answer::empty(StatusCode::NO_CONTENT);
            }
        })],
    ),
    fault(
        "patch-answers-part",
        &[],
        "A PATCH answers 200 with the changed attributes only.",
        "clients that take the answer for the whole resource",
        &["RFC7644-3.5.2-23"],
        &[At(|seen, answer| {
            if seen.request.method == Method::PATCH
                && answer.status == StatusCode::OK
                && seen.request.parameter("attributes").is_none()
                && let Some(body) = object(answer)
            {
                body.retain(|name, _| ["schemas", "id", "meta"].contains(&name.as_str()));
            }
        })],
    ),
    fault(
        "patch-empty-operations-accepted",
        &["DEF-240"],
        "A PATCH without operations answers 204.",
        "clients with a mistake, which do not learn of it",
        &["RFC7644-3.5.2-04"],
        &[At(|seen, answer| {
            let body = body_of(seen.request).unwrap_or_default();
            let is_empty = body.get("Operations").map(elements).unwrap_or_default().is_empty();
            if seen.request.method == Method::PATCH && answer.status == StatusCode::BAD_REQUEST && is_empty {
                *answer = Answer::empty(StatusCode::NO_CONTENT);
            }
        })],
    ),
    fault(
        "patch-rename-empties-group",
        &["DEF-095"],
        "A PATCH of a group's displayName removes its members.",
        "Okta, which renames so: everybody loses access",
        &["RFC7644-3.5.2.3-12", "RFC7644-3.5.2.3-03"],
        &[Written(|change| {
            let names_members = change.sent.to_string().contains("members");
            if change.method == Method::PATCH && change.kind == Kind::Group && !names_members {
                drop_member(change, "members");
            }
        })],
    ),
    fault(
        "patch-empty-list-ignored",
        &["DEF-111", "DEF-197"],
        "replace with [] leaves the old values.",
        "Okta, which empties groups so",
        &["RFC7643-2.5-02", "RFC7644-3.5.2.3-04"],
        &[Ops(|operations| {
            operations.list.retain(|it| it.value.as_ref().is_none_or(|value| *value != json!([])));
        })],
    ),
    fault(
        "patch-null-ignored",
        &["DEF-236"],
        "replace with null leaves the old value.",
        "Okta, which clears attributes so",
        &["RFC7643-2.5-02"],
        &[Ops(|operations| {
            operations.list.retain(|it| !it.value.as_ref().is_some_and(Value::is_null));
            for operation in &mut operations.list {
                if let (None, Some(Value::Object(members))) = (&operation.path, &mut operation.value) {
                    members.retain(|_, value| !value.is_null());
                }
            }
        })],
    ),
    fault(
        "patch-existing-member-added-twice",
        &[],
        "Adding a member that is there lists it twice.",
        "clients that count members, or take one away and believe it gone",
        &["RFC7643-2.4-11"],
        &[
            Ops(|operations| {
                let before = operations.before.get("members").map(elements).unwrap_or_default().to_vec();
                for operation in operations.list.iter() {
                    let is_members = operation.path.as_ref().is_some_and(|it| it.attribute.name == "members");
                    let again =
                        operation.value.as_ref().filter(|_| operation.op == PatchOp::Add && is_members);
                    for member in again.map(elements).unwrap_or_default() {
                        let is_it =
                            |it: &&Value| it.get("value").is_some() && it.get("value") == member.get("value");
                        if before.iter().any(|it| is_it(&it)) {
                            let shown = operations.memory.shown.entry(operations.id.to_owned()).or_default();
                            shown.insert("members again".to_owned(), member.clone());
                        }
                    }
                }
            }),
            At(|seen, answer| {
                let shown = std::mem::take(&mut seen.memory.shown);
                super::each_resource(seen, answer, |resource| {
                    let id = resource.get("id").and_then(Value::as_str).unwrap_or_default();
                    let again = shown.get(id).and_then(|it| it.get("members again"));
                    if let (Some(again), Some(Value::Array(members))) = (again, resource.get_mut("members")) {
                        members.push(again.clone());
                    }
                });
                seen.memory.shown = shown;
            }),
        ],
    ),
    fault(
        "patch-existing-member-refused",
        &["DEF-096"],
        "Adding a member that is there is answered with 409.",
        "Entra, which repeats itself",
        &["RFC7644-3.5.2.1-11", "RFC7644-3.5.2.1-13"],
        &[Written(|change| {
            let before = change.before.and_then(|before| before.get("members")).map(elements);
            let ids: Vec<&Value> =
                before.unwrap_or_default().iter().filter_map(|member| member.get("value")).collect();
            let repeats = change.operations.iter().any(|it| {
                it.op == PatchOp::Add
                    && it.path.as_ref().is_some_and(|path| path.attribute.name == "members")
                    && it
                        .value
                        .as_ref()
                        .map(elements)
                        .unwrap_or_default()
                        .iter()
                        .any(|member| member.get("value").is_some_and(|id| ids.contains(&id)))
            });
            if repeats {
                change.after = None;
                change.refusal = Some(ScimError::uniqueness("the member is there"));
            }
        })],
    ),
    fault(
        "patch-absent-member-refused",
        &["DEF-089"],
        "Removing who is not a member is answered with 404.",
        "Entra, which repeats itself",
        &["RFC7644-3.5.2.2-09"],
        &[
            Ops(|operations| {
                let misses = operations.list.iter().any(|it| {
                    it.op == PatchOp::Remove
                        && it.path.as_ref().is_some_and(|path| {
                            path.filter.is_some() && !finds(path, operations.before, operations.definition)
                        })
                });
                if misses {
                    operations.memory.shown.entry("refuse".to_owned()).or_default();
                }
            }),
            At(|seen, answer| {
                if seen.memory.shown.remove("refuse").is_some() {
                    refuse(answer, StatusCode::NOT_FOUND, None, "no such member");
                }
            }),
        ],
    ),
    fault(
        "patch-members-beyond-two-dropped",
        &["DEF-094"],
        "A PATCH adds two members at most; the others are dropped.",
        "people, who have no access",
        &["RFC7644-3.5.2.1-07"],
        &[Ops(|operations| {
            for operation in &mut operations.list {
                if let (PatchOp::Add, Some(Value::Array(members))) = (operation.op, &mut operation.value) {
                    members.truncate(2);
                }
            }
        })],
    ),
    fault(
        "patch-external-id-ignored",
        &["DEF-085", "DEF-056"],
        "A PATCH of externalId answers 200 and changes nothing.",
        "Entra, which matches by it",
        &["RFC7644-3.5.2.1-05", "RFC7644-3.5.2.3-01"],
        &[Written(|change| keep_before(change, &["externalId"]))],
    ),
    fault(
        "patch-group-rename-ignored",
        &["DEF-113"],
        "A PATCH of a group's displayName answers 200 and changes nothing.",
        "Okta and Entra, whose groups keep their old names",
        &["RFC7644-3.5.2.3-03"],
        &[Written(|change| {
            if change.kind == Kind::Group {
                keep_before(change, &["displayName"]);
            }
        })],
    ),
    fault(
        "patch-foreign-message-accepted",
        &["DEF-208"],
        "A body that is no PatchOp answers 204.",
        "clients with a mistake, which do not learn of it",
        &["RFC7644-3.5.2-03", "RFC7644-3.5.2-04"],
        &[At(|seen, answer| {
            let body = body_of(seen.request).unwrap_or_default();
            if seen.request.method == Method::PATCH
                && answer.status == StatusCode::BAD_REQUEST
                && body.get("Operations").is_none()
            {
                *answer = Answer::empty(StatusCode::NO_CONTENT);
            }
        })],
    ),
    fault(
        "patch-unknown-op-ignored",
        &["DEF-090"],
        "An operation that is neither add nor remove nor replace answers 204.",
        "clients with a mistake, which do not learn of it",
        &["RFC7644-3.5.2-05", "RFC7644-3.5.2-02"],
        &[At(|seen, answer| {
            let body = body_of(seen.request).unwrap_or_default();
            let operations = body.get("Operations").map(elements).unwrap_or_default();
            let is_known = |it: &Value| {
                it.get("op").and_then(Value::as_str).is_some_and(|op| {
                    ["add", "remove", "replace"].iter().any(|known| known.eq_ignore_ascii_case(op))
                })
            };
            if seen.request.method == Method::PATCH
                && answer.status == StatusCode::BAD_REQUEST
                && operations.iter().any(|it| !is_known(it))
            {
                *answer = Answer::empty(StatusCode::NO_CONTENT);
            }
        })],
    ),
];

fn scim_type(answer: &Answer) -> Option<&str> {
    answer.body()?.get("scimType")?.as_str()
}

/// Applies operations one after the other until one fails.
fn apply_while_possible(operations: &[PatchOperation], before: &Value, change: &Change<'_>) -> Value {
    let mut state = before.clone();
    for operation in operations {
        match apply(std::slice::from_ref(operation), &state, change.definition, PatchOptions::default()) {
            Ok(after) => state = after,
            Err(_) => break,
        }
    }
    state
}

/// Whether the filter of a path matches an element.
fn finds(path: &PatchPath, before: &Value, definition: &crate::scim::definition::ResourceDefinition) -> bool {
    let Some(filter) = &path.filter else { return true };
    let whole = Filter::ValuePath { path: path.attribute.clone(), filter: Box::new(filter.clone()) };
    crate::scim::filter::matches(&whole, before, definition).unwrap_or(true)
}

fn first_value(before: &Value, name: &str) -> Option<String> {
    let value = before.get(name)?.get(0)?.get("value")?;
    value.as_str().map(str::to_owned)
}

/// Leaves attributes of a PATCH as they were.
pub(super) fn keep_before(change: &mut Change<'_>, names: &[&str]) {
    if let (&Method::PATCH, Some(before), Some(after)) =
        (change.method, change.before, change.after.as_mut().and_then(Value::as_object_mut))
    {
        for name in names {
            match before.get(*name) {
                Some(value) => after.insert((*name).to_owned(), value.clone()),
                None => after.shift_remove(*name),
            };
        }
    }
}

fn drop_member(change: &mut Change<'_>, name: &str) {
    if let Some(after) = change.after.as_mut().and_then(Value::as_object_mut) {
        after.shift_remove(name);
    }
}

/// Takes out the operations that a check picks, and shows what they would have done: the attribute with this value.
fn show(operations: &mut PatchOperations<'_>, picks: impl Fn(&str, Option<&Value>) -> bool) {
    let shown: &mut Map<String, Value> = operations.memory.shown.entry(operations.id.to_owned()).or_default();
    operations.list.retain_mut(|operation| {
        let value = operation.value.as_mut();
        match (&operation.path, value) {
            (Some(path), value) => {
                let value = value.map(|value| value.clone());
                let name = &path.attribute.name;
                if path.filter.is_some() || path.attribute.urn.is_some() || !picks(name, value.as_ref()) {
                    return true;
                }
                let value = value.unwrap_or_default();
                let value = match &path.attribute.sub {
                    Some(sub) => {
                        let mut whole = operations.before.get(name).cloned().unwrap_or_else(|| json!({}));
                        if let Some(whole) = whole.as_object_mut() {
                            whole.insert(sub.clone(), value);
                        }
                        whole
                    }
                    None => value,
                };
                shown.insert(name.clone(), value);
                false
            }
            (None, Some(Value::Object(members))) => {
                members.retain(|name, value| {
                    let picked = picks(name, Some(value));
                    if picked {
                        shown.insert(name.clone(), value.clone());
                    }
                    !picked
                });
                !members.is_empty()
            }
            (None, _) => true,
        }
    });
}

fn show_read_only(operations: &mut PatchOperations<'_>) {
    show(operations, |name, _| ["id", "meta", "groups"].iter().any(|it| it.eq_ignore_ascii_case(name)));
}

fn show_unknown(operations: &mut PatchOperations<'_>) {
    let definition = operations.definition;
    show(operations, |name, _| definition.top_attribute(name).is_none() && !name.contains([':', '.']));
}

fn show_boolean_texts(operations: &mut PatchOperations<'_>) {
    show(operations, |name, value| {
        name.eq_ignore_ascii_case("active") && value.is_some_and(Value::is_string)
    });
}

/// Whether a value that is kept is the one that is shown, which may have more.
fn is_same(kept: &Value, shown: &Value) -> bool {
    match (kept, shown) {
        (Value::Object(kept), Value::Object(shown)) => {
            kept.iter().all(|(name, value)| shown.get(name).is_some_and(|shown| is_same(value, shown)))
        }
        (Value::Array(kept), Value::Array(shown)) => {
            kept.len() == shown.len() && kept.iter().zip(shown).all(|(kept, shown)| is_same(kept, shown))
        }
        _ => kept == shown,
    }
}

fn count_writable(resource: &Value) -> usize {
    let derived = ["id", "meta", "groups", "schemas"];
    resource
        .as_object()
        .map_or(0, |members| members.keys().filter(|name| !derived.contains(&name.as_str())).count())
}
