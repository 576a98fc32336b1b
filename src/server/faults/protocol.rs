//! Wrong at the frame of the protocol: requests that are under way at once and overwrite each other.

use axum::http::Method;
use axum::http::header::IF_MATCH;
use serde_json::Value;

use super::super::fault::{FaultEntry, Rewrite};
use super::super::message::Request;
use super::{body_of, fault};
use Rewrite::Overlap;

pub(super) const FAULTS: &[FaultEntry] = &[
    fault(
        "race-creates-twice",
        &["DEF-247"],
        "Two creates of one userName that are under way at once both succeed.",
        "everybody whom a client that retries has given a second account",
        &["RFC7643-4.1.1-02", "RFC7644-3.3-11"],
        &[Overlap(|request| {
            let body = body_of(request).filter(|_| request.method == Method::POST)?;
            Some(format!("create {}", body.get("userName").and_then(Value::as_str)?))
        })],
    ),
    fault(
        "race-loses-members",
        &["DEF-245"],
        "Of two members that are added to a group at once, one is lost.",
        "people without the access that their directory gave them",
        &["RFC5789-2-01"],
        &[Overlap(|request| overwrites(request, "Groups"))],
    ),
    fault(
        "race-loses-attributes",
        &["DEF-245"],
        "Of two attributes of a user that are changed at once, one keeps its old value.",
        "clients that send each change by itself",
        &["RFC5789-2-01"],
        &[Overlap(|request| overwrites(request, "Users"))],
    ),
    fault(
        "race-passes-preconditions",
        &["DEF-216"],
        "Two writes with the same If-Match that are under way at once both succeed.",
        "clients that guard against lost updates, and lose them",
        &["RFC9110-13.1.1-03"],
        &[Overlap(|request| {
            let condition = request.header(&IF_MATCH)?;
            Some(format!("{} if {condition}", request.path))
        })],
    ),
    fault(
        "race-deletes-twice",
        &[],
        "Two deletions of one resource that are under way at once both answer 204.",
        "clients that count what they deleted",
        &["RFC7644-3.6-03"],
        &[Overlap(|request| (request.method == Method::DELETE).then(|| format!("delete {}", request.path)))],
    ),
];

/// The PATCH requests to one resource.
fn overwrites(request: &Request, endpoint: &str) -> Option<String> {
    let is_one = request.method == Method::PATCH
        && !request.headers.contains_key(IF_MATCH)
        && request.path_below().starts_with(endpoint);
    is_one.then(|| format!("patch {}", request.path))
}
