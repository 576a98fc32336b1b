//! Tenants that are not kept apart (RFC 7644 §6).

use axum::http::Method;

use super::super::fault::{FaultEntry, Rewrite};
use super::super::message::Request;
use super::fault;
use Rewrite::Request as Before;

/// The tenant that everybody is taken for.
const FIRST: usize = 0;

pub(super) const FAULTS: &[FaultEntry] = &[
    fault(
        "tenants-read-each-other",
        &["DEF-258"],
        "A resource is shown to whoever knows its id, whatever the tenant.",
        "every tenant, whose people others read",
        &["RFC7642-4-02", "RFC7644-6.1-03", "RFC7644-2-09"],
        &[Before(|request| {
            if request.method == Method::GET && names_resource(request) {
                request.tenant = FIRST;
            }
        })],
    ),
    fault(
        "tenants-write-each-other",
        &["DEF-258"],
        "A resource is changed and deleted by whoever knows its id, whatever the tenant.",
        "every tenant, whose people others take over",
        &["RFC7642-4-02", "RFC7644-6.1-03", "RFC7644-2-09"],
        &[Before(|request| {
            let writes = [Method::PUT, Method::PATCH, Method::DELETE].contains(&request.method);
            if writes && names_resource(request) {
                request.tenant = FIRST;
            }
        })],
    ),
    fault(
        "tenants-list-each-other",
        &["DEF-258"],
        "A list without filter shows the resources of another tenant.",
        "every tenant, whose people others read",
        &["RFC7642-4-02", "RFC7644-6.1-03", "RFC7644-2-09"],
        &[Before(|request| {
            if request.method == Method::GET
                && !names_resource(request)
                && request.parameter("filter").is_none()
            {
                request.tenant = FIRST;
            }
        })],
    ),
    fault(
        "tenants-find-each-other",
        &["DEF-258"],
        "A filter and a .search find the resources of another tenant.",
        "every tenant, whose people others match and take over",
        &["RFC7642-4-02", "RFC7644-6.1-03", "RFC7644-2-09"],
        &[Before(|request| {
            if request.parameter("filter").is_some() || request.path.ends_with("/.search") {
                request.tenant = FIRST;
            }
        })],
    ),
    fault(
        "tenants-share-external-ids",
        &["DEF-258"],
        "A filter on externalId finds the resources of another tenant.",
        "every tenant, whose directory takes over whoever has the same externalId elsewhere",
        &["RFC7643-3.1-15"],
        &[Before(|request| {
            if request.parameter("filter").is_some_and(|filter| filter.contains("externalId")) {
                request.tenant = FIRST;
            }
        })],
    ),
];

/// Whether a path names one resource: an endpoint and an id.
fn names_resource(request: &Request) -> bool {
    request.path_below().split_once('/').is_some_and(|(_, id)| id != ".search")
}
