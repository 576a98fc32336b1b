//! What no reading of a disputed spot allows.

use serde_json::{Value, json};

use super::super::endpoint::{Endpoint, Kind};
use super::super::fault::{FaultEntry, Rewrite};
use super::{each_resource, fault, rewrite_body};
use crate::scim::patch::{PatchOp, PatchOperation};
use Rewrite::{Answer as At, Operations as Ops, Request as Before};

pub(super) const FAULTS: &[FaultEntry] = &[
    fault(
        "password-found-by-a-part",
        &[],
        "A search finds who has a password with these letters in it.",
        "everybody: whoever may search can guess passwords letter by letter",
        &["RFC7643-9.2-01"],
        &[Before(|request| {
            if request.path.ends_with("/.search") {
                rewrite_body(request, |body| {
                    // The case searches for the right password, so leaving the comparison out comes to the same.
                    if let Some(Value::String(filter)) = body.get_mut("filter")
                        && let Some(start) = filter.find(" and password co ")
                    {
                        filter.truncate(start);
                    }
                });
            }
        })],
    ),
    fault(
        "default-shown-but-not-searched",
        &[],
        "A user written without active is shown as active, and not found by it.",
        "importers that ask for active users",
        &["RFC7644-3.4.2.2-34"],
        &[At(|seen, answer| {
            if matches!(seen.endpoint, Endpoint::Resource(Kind::User, _) | Endpoint::Resources(Kind::User))
                && seen.request.parameter("attributes").is_none()
            {
                each_resource(seen, answer, |user| {
                    if user.contains_key("userName") {
                        user.entry("active").or_insert_with(|| json!(true));
                    }
                });
            }
        })],
    ),
    fault(
        "patch-complex-replace-substitutes",
        &[],
        "A replace of name with a part of it removes the other parts.",
        "people, who lose their family name when the given name changes",
        &["RFC7644-3.5.2.3-06"],
        &[Ops(|operations| {
            let list = std::mem::take(&mut operations.list);
            operations.list = list
                .into_iter()
                .flat_map(|operation| {
                    let is_name = operation.path.as_ref().is_some_and(|path| path.to_string() == "name");
                    let removed = (operation.op == PatchOp::Replace && is_name).then(|| PatchOperation {
                        op: PatchOp::Remove,
                        value: None,
                        ..operation.clone()
                    });
                    removed.into_iter().chain([operation])
                })
                .collect();
        })],
    ),
];
