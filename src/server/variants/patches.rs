//! PATCH where the RFC leaves the choice (RFC 7644 §3.5.2).

use axum::http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use axum::http::{Method, StatusCode};
use serde_json::{Value, json};

use super::super::endpoint::{Endpoint, Kind};
use super::super::fault::{Change, Rewrite, Seen};
use super::super::message::{Answer, Content};
use super::super::rewrite::rewrite_body;
use super::super::variant::VariantEntry;
use super::{choice, rewriting};
use crate::scim::definition::ResourceDefinition;
use crate::scim::error::{ScimError, ScimType};
use crate::scim::filter::{Filter, matches};
use crate::scim::names;
use crate::scim::patch::{PatchOp, PatchOperation};
use crate::scim::path::PatchPath;
use crate::scim::resource::{elements, is_unassigned, member};
use Rewrite::{Answer as At, Change as Written, Operations as Ops, Request as Before};

pub(super) const VARIANTS: &[VariantEntry] = &[
    rewriting(
        "patch-no-content",
        &["AMB-96"],
        "A successful PATCH is answered 204 without a body, unless the request asks for attributes.",
        "RFC 7644 section 3.5.2: a service provider may return 204 unless attributes is specified",
        &[At(|seen, answer| say_nothing(seen, answer, |_, _| true))],
    ),
    rewriting(
        "patch-of-group-no-content",
        &["AMB-96"],
        "A successful PATCH of a Group, which may be large, is answered 204 without a body, unless the request asks for attributes.",
        "RFC 7644 section 3.5.2: a service provider may return 204 unless attributes is specified",
        &[At(|seen, answer| {
            say_nothing(seen, answer, |seen, _| matches!(seen.endpoint, Endpoint::Resource(Kind::Group, _)));
        })],
    ),
    rewriting(
        "patch-without-change-no-content",
        &["AMB-96"],
        "A PATCH that changes nothing is answered 204 without a body, unless the request asks for attributes; any other 200.",
        "RFC 7644 section 3.5.2: a service provider may return 204 unless attributes is specified",
        &[
            Written(|change| {
                if let (&Method::PATCH, Some(before)) = (change.method, change.before) {
                    let time = before.pointer("/meta/lastModified").cloned().unwrap_or_default();
                    change.memory.previous.insert(change.id.clone(), time);
                }
            }),
            At(|seen, answer| {
                say_nothing(seen, answer, |seen, body| {
                    let Endpoint::Resource(_, id) = seen.endpoint else { return false };
                    seen.memory.previous.get(id) == body.pointer("/meta/lastModified")
                });
            }),
        ],
    ),
    choice(
        "patch-op-in-lower-case-only",
        &["AMB-97"],
        "An op that is not in lower case is answered with 400 invalidSyntax.",
        "RFC 7644 section 3.5.2 writes add, remove and replace, and says nothing of their case",
        |behaviour| behaviour.patch.lower_case_op_only = true,
    ),
    rewriting(
        "patch-remove-without-match-refused",
        &["AMB-99"],
        "A remove whose filter matches nothing is answered with 400 noTarget.",
        "RFC 7644 Table 9: noTarget where a path yields nothing that could be operated on",
        &[Written(|change| {
            let misses = |operation: &PatchOperation| {
                let path = operation.path.as_ref().filter(|path| path.filter.is_some());
                operation.op == PatchOp::Remove
                    && path
                        .zip(change.before)
                        .is_some_and(|(path, before)| !finds(path, before, change.definition))
            };
            if change.operations.iter().any(misses) {
                refused(change, ScimError::no_target("no value matches the filter"));
            }
        })],
    ),
    rewriting(
        "patch-remove-of-nothing-refused",
        &["AMB-99"],
        "A remove of an attribute that has no value, or whose filter matches nothing, is answered with 400 noTarget.",
        "RFC 7644 Table 9: noTarget where a path yields nothing that could be operated on",
        &[Written(|change| {
            let is_alone = change.operations.len() == 1;
            let misses = |operation: &PatchOperation| {
                let path = operation.path.as_ref();
                operation.op == PatchOp::Remove
                    && path.zip(change.before).is_some_and(|(path, before)| {
                        let present = Filter::Present(path.attribute.clone());
                        !matches(&present, before, change.definition).unwrap_or(true)
                            || !finds(path, before, change.definition)
                    })
            };
            // Of several operations, one may have made what a later one removes.
            if is_alone && change.operations.iter().any(misses) {
                refused(change, ScimError::no_target("there is no such value"));
            }
        })],
    ),
    choice(
        "patch-add-without-match-refused",
        &["AMB-100"],
        "An add whose filter matches nothing is answered with 400 noTarget.",
        "RFC 7644 section 3.5.2.1 does not say what follows; Table 9 has noTarget",
        |behaviour| behaviour.patch.add_creates_from_filter = false,
    ),
    choice(
        "patch-replace-without-match-creates",
        &["AMB-100"],
        "A replace whose filter matches nothing makes the value that the filter describes.",
        "RFC 7644 section 3.5.2.3 has noTarget, which is warned of; Entra relies on the value being made",
        |behaviour| behaviour.patch.replace_creates_from_filter = true,
    ),
    rewriting(
        "patch-removal-of-required-is-invalid-value",
        &["AMB-101"],
        "Removing a required or readOnly attribute is answered with 400 invalidValue.",
        "RFC 7644 section 3.5.2.2 has mutability, which Table 9 describes for something else; Table 9 has invalidValue for a required value that is missing",
        &[Written(|change| {
            let removes = change.operations.iter().any(|operation| operation.op == PatchOp::Remove);
            if let (true, Some(refusal)) = (removes, &mut change.refusal)
                && refusal.scim_type == Some(ScimType::Mutability)
            {
                refusal.scim_type = Some(ScimType::InvalidValue);
            }
        })],
    ),
    rewriting(
        "patch-of-read-only-ignored",
        &["AMB-109"],
        "An operation on id, meta or groups has no effect, and no error.",
        "RFC 7644 section 3.1 and section 3.5.1 have readOnly values ignored in a PUT; that section 3.5.2 has an error is warned of",
        &[Ops(|operations| {
            operations.list.retain(|operation| {
                operation.path.as_ref().is_none_or(|path| !is_read_only(&path.attribute.name))
            });
        })],
    ),
    rewriting(
        "patch-of-read-only-forbidden",
        &["AMB-109"],
        "An operation on id, meta or groups is answered with 403.",
        "RFC 7644 Table 8 has 403 for an operation that is not permitted; that Table 9 has 400 for this one is warned of",
        &[Written(|change| {
            let is_meant = change.operations.iter().any(|operation| {
                operation.path.as_ref().is_some_and(|path| is_read_only(&path.attribute.name))
            });
            if is_meant && change.refusal.is_some() {
                change.refusal = Some(ScimError::new(403, "the attribute is readOnly"));
            }
        })],
    ),
    rewriting(
        "patch-of-primary-by-filter-refused",
        &["AMB-110"],
        "A path to the primary of one value is answered with 400 invalidPath: the whole list has to be sent.",
        "RFC 7644 section 3.5.2 lets a service provider decline a path that it does not support; section 3.4.2.2 has brackets optional",
        &[Written(|change| {
            let is_such = |path: &PatchPath| {
                path.filter.is_some()
                    && path.sub.as_deref().is_some_and(|sub| sub.eq_ignore_ascii_case("primary"))
            };
            if change.operations.iter().filter_map(|operation| operation.path.as_ref()).any(is_such) {
                refused(change, ScimError::invalid_path("primary cannot be set by a filter"));
            }
        })],
    ),
    choice(
        "patch-of-unknown-path-ignored",
        &["AMB-111"],
        "An operation on an attribute that no schema defines has no effect, and no error.",
        "RFC 7644 section 3.3 has a server free to ignore what it does not know; that a PATCH gets no word of it is warned of",
        |behaviour| behaviour.patch.ignore_unknown = true,
    ),
    rewriting(
        "patch-of-unknown-path-is-no-target",
        &["AMB-111"],
        "A path to an attribute that no schema defines is answered with 400 noTarget.",
        "RFC 7644 Table 9: noTarget where a path yields no attribute that could be operated on",
        &[Written(|change| for_unknown_path(change, ScimType::NoTarget))],
    ),
    rewriting(
        "patch-of-unknown-path-is-invalid-syntax",
        &["AMB-111"],
        "A path to an attribute that no schema defines is answered with 400 invalidSyntax.",
        "RFC 7644 Table 9: invalidSyntax where a body does not conform to the request schema",
        &[Written(|change| for_unknown_path(change, ScimType::InvalidSyntax))],
    ),
    rewriting(
        "patch-without-schemas-accepted",
        &["AMB-19"],
        "A PATCH whose body does not say that it is a PatchOp is carried out.",
        "RFC 7644 section 3.5.2 binds the client; no sentence has the server refuse",
        &[Before(|request| {
            if request.method == Method::PATCH {
                rewrite_body(request, |body| {
                    if let Some(body) = body.as_object_mut()
                        && member(body, "schemas").is_none_or(is_unassigned)
                    {
                        body.insert("schemas".to_owned(), json!([names::PATCH_OP]));
                    }
                });
            }
        })],
    ),
    rewriting(
        "patch-filter-of-one-comparison-only",
        &["AMB-70"],
        "A path whose filter is more than one comparison is answered with 400 invalidFilter.",
        "RFC 7644 section 3.4.2.2: filters are optional, and what is not supported is declined with invalidFilter",
        &[Written(|change| {
            let is_more = |path: &PatchPath| {
                path.filter.as_ref().is_some_and(|filter| !matches!(filter, Filter::Compare { .. }))
            };
            if change.operations.iter().filter_map(|operation| operation.path.as_ref()).any(is_more) {
                refused(change, ScimError::invalid_filter("a filter in a path is one comparison"));
            }
        })],
    ),
    rewriting(
        "patch-doubles-a-value-added-again",
        &["AMB-24"],
        "An add of an e-mail address that is there lists it twice.",
        "RFC 7643 section 2.4: a value should not be returned twice, which is warned of",
        &[Written(|change| {
            let before =
                change.before.and_then(|before| before.get("emails")).map(elements).unwrap_or_default();
            let again: Vec<Value> = change
                .operations
                .iter()
                .filter(|operation| {
                    let path = operation.path.as_ref();
                    operation.op == PatchOp::Add && path.is_some_and(|path| path.to_string() == "emails")
                })
                .flat_map(|operation| operation.value.as_ref().map(elements).unwrap_or_default())
                .filter(|added| before.iter().any(|known| known["value"] == added["value"]))
                .cloned()
                .collect();
            let emails = change.after.as_mut().and_then(|after| after.get_mut("emails"));
            if let Some(Value::Array(emails)) = emails {
                emails.extend(again.into_iter().map(|mut email| {
                    if let Some(members) = email.as_object_mut() {
                        members.shift_remove("primary");
                    }
                    email
                }));
            }
        })],
    ),
    choice(
        "patch-remove-takes-all-values",
        &["AMB-98"],
        "A remove with a path and a value takes away all values, not only those that it lists.",
        "RFC 7644 section 3.5.2.2: without a filter all values are removed; a remove has no value there",
        |behaviour| behaviour.patch.remove_listed_values = false,
    ),
    rewriting(
        "patch-remove-with-value-refused",
        &["AMB-98"],
        "A remove with a path and a value is answered with 400 invalidSyntax.",
        "RFC 7644 section 3.5.2.2 has no value for a remove; Table 9 has invalidSyntax",
        &[Written(|change| {
            let has_value = |operation: &PatchOperation| {
                operation.op == PatchOp::Remove && operation.path.is_some() && operation.value.is_some()
            };
            if change.operations.iter().any(has_value) {
                refused(change, ScimError::invalid_syntax("a remove takes no value"));
            }
        })],
    ),
    rewriting(
        "patch-of-a-part-merged",
        &["AMB-102"],
        "A replace of what a filter selects changes the sub-attributes that it names, and leaves the others.",
        "RFC 7644 section 3.5.2.3: of a complex attribute, what is not specified is left unchanged",
        &[Ops(|operations| {
            let (before, definition) = (operations.before, operations.definition);
            for operation in &mut operations.list {
                let is_part = operation.value.as_ref().is_some_and(Value::is_object)
                    && operation.path.as_ref().is_some_and(|path| {
                        path.filter.is_some() && path.sub.is_none() && finds(path, before, definition)
                    });
                if operation.op == PatchOp::Replace && is_part {
                    operation.op = PatchOp::Add;
                }
            }
        })],
    ),
    choice(
        "patch-paths-as-keys-refused",
        &["AMB-105"],
        "A key of a value that is a path, such as name.givenName, is answered with 400 invalidPath.",
        "RFC 7644 section 3.5.2.3: the value holds attributes, and a path is no name of one",
        |behaviour| behaviour.patch.path_keys = false,
    ),
    rewriting(
        "patch-paths-as-keys-passed-over",
        &["AMB-105"],
        "A key of a value that is a path, such as name.givenName, has no effect, and no error.",
        "RFC 7644 section 3.3 has a server free to ignore what it does not know; that a PATCH gets no word of it is warned of",
        &[Ops(|operations| {
            for operation in operations.list.iter_mut().filter(|operation| operation.path.is_none()) {
                if let Some(Value::Object(members)) = &mut operation.value {
                    members.retain(|name, _| name.contains(':') || !name.contains('.'));
                }
            }
        })],
    ),
    choice(
        "patch-of-whole-extension-refused",
        &["AMB-106"],
        "A path that is the URN of an extension is answered with 400 invalidPath.",
        "RFC 7644 section 3.5.2: the grammar of paths demands an attribute",
        |behaviour| behaviour.patch.extension_paths = false,
    ),
    choice(
        "patch-takes-texts-for-booleans",
        &["AMB-20"],
        "The texts True and False are taken for booleans in a PATCH.",
        "RFC 7643 section 2.3.2: a boolean is stored as one; that another type was taken for it is warned of",
        |behaviour| behaviour.patch.boolean_strings = true,
    ),
    rewriting(
        "patch-of-many-by-one-refused",
        &["AMB-107"],
        "A single object for an attribute with several values is answered with 400 invalidValue.",
        "RFC 7643 section 2.4: the values of such an attribute are an array, and so they are in each example of a PATCH",
        &[Written(|change| {
            let definition = change.definition;
            let is_single = |operation: &PatchOperation| {
                let path = operation.path.as_ref().filter(|path| path.filter.is_none());
                let attribute = path
                    .filter(|path| path.attribute.sub.is_none())
                    .and_then(|path| definition.attribute(&path.attribute));
                operation.op != PatchOp::Remove
                    && attribute.is_some_and(|attribute| attribute.multi_valued)
                    && operation.value.as_ref().is_some_and(Value::is_object)
            };
            if change.operations.iter().any(is_single) {
                refused(change, ScimError::invalid_value("the values have to be an array"));
            }
        })],
    ),
    rewriting(
        "patch-edits-members",
        &["AMB-35"],
        "A replace of the value of a member puts another member in its place.",
        "RFC 7643 section 4.2 has the parts of a member immutable, and members itself readWrite; that one is edited in place is warned of",
        &[Ops(|operations| {
            let list = std::mem::take(&mut operations.list);
            operations.list = list
                .into_iter()
                .flat_map(|operation| {
                    let path = operation.path.as_ref().filter(|path| {
                        operation.op == PatchOp::Replace
                            && path.attribute.name.eq_ignore_ascii_case("members")
                            && path.filter.is_some()
                            && path.sub.as_deref().is_some_and(|sub| sub.eq_ignore_ascii_case("value"))
                    });
                    let Some(path) = path else { return vec![operation] };
                    let whole = |filter| PatchPath { filter, sub: None, ..path.clone() };
                    let removed = PatchOperation {
                        op: PatchOp::Remove,
                        path: Some(whole(path.filter.clone())),
                        value: None,
                    };
                    let added = PatchOperation {
                        op: PatchOp::Add,
                        path: Some(whole(None)),
                        value: Some(json!([{ "value": operation.value }])),
                    };
                    vec![removed, added]
                })
                .collect();
        })],
    ),
    rewriting(
        "patch-of-schemas-refused",
        &["AMB-113"],
        "An operation on schemas is answered with 400 mutability.",
        "RFC 7644 section 3.5.2 speaks of operations that modify schemas, and does not say that there must be some; a warning",
        &[Written(|change| {
            let is_schemas = |path: &PatchPath| path.attribute.name.eq_ignore_ascii_case("schemas");
            if change.operations.iter().filter_map(|operation| operation.path.as_ref()).any(is_schemas) {
                refused(change, ScimError::mutability("schemas follows from the attributes"));
            }
        })],
    ),
    rewriting(
        "patch-of-each-value-refused",
        &["AMB-114"],
        "A path to a sub-attribute of several values, without a filter, is answered with 400 invalidPath.",
        "RFC 7644 section 3.5.2 does not say what such a path does; Table 9 has invalidPath",
        &[Written(|change| {
            let definition = change.definition;
            let is_such = |path: &PatchPath| {
                path.filter.is_none()
                    && path.attribute.sub.is_some()
                    && definition.attribute(&path.attribute.without_sub()).is_some_and(|it| it.multi_valued)
            };
            if change.operations.iter().filter_map(|operation| operation.path.as_ref()).any(is_such) {
                refused(change, ScimError::invalid_path("a filter has to say which value is meant"));
            }
        })],
    ),
];

/// Answers a successful PATCH with 204 where a check picks it and the request asks for no attributes.
fn say_nothing(seen: &Seen<'_>, answer: &mut Answer, picks: impl Fn(&Seen<'_>, &Value) -> bool) {
    let projected = seen.request.parameter("attributes").is_some();
    let is_success = seen.request.method == Method::PATCH && answer.status == StatusCode::OK;
    if is_success && !projected && answer.body().is_some_and(|body| picks(seen, body)) {
        answer.status = StatusCode::NO_CONTENT;
        answer.content = Content::Empty;
        answer.headers.remove(CONTENT_TYPE);
        answer.headers.remove(CONTENT_LENGTH);
    }
}

/// Refuses a write, unless it is refused already.
fn refused(change: &mut Change<'_>, refusal: ScimError) {
    if change.refusal.is_none() {
        change.after = None;
        change.refusal = Some(refusal);
    }
}

/// Gives the refusal of an unknown attribute another keyword.
fn for_unknown_path(change: &mut Change<'_>, scim_type: ScimType) {
    if let (&Method::PATCH, Some(refusal)) = (change.method, &mut change.refusal)
        && refusal.scim_type == Some(ScimType::InvalidPath)
    {
        refusal.scim_type = Some(scim_type);
    }
}

fn is_read_only(name: &str) -> bool {
    ["id", "meta", "groups"].iter().any(|read_only| read_only.eq_ignore_ascii_case(name))
}

/// Whether the filter of a path matches a value.
fn finds(path: &PatchPath, before: &Value, definition: &ResourceDefinition) -> bool {
    let Some(filter) = &path.filter else { return true };
    let whole = Filter::ValuePath { path: path.attribute.clone(), filter: Box::new(filter.clone()) };
    matches(&whole, before, definition).unwrap_or(true)
}
