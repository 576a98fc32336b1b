//! Defects that no collected server had, each here because a requirement forbids it and a case tells of it: bodies that
//! mislead a reader, and discovery that denies what the server has.

use axum::http::header::{AUTHORIZATION, CACHE_CONTROL, CONTENT_TYPE};
use axum::http::{HeaderValue, Method, StatusCode};
use bytes::Bytes;
use serde_json::{Value, json};

use super::super::endpoint::Endpoint;
use super::super::fault::{FaultEntry, Rewrite, Seen};
use super::super::message::{Answer, Content};
use super::super::rewrite::each_meta;
use super::{each_resource, fault, object, refuse};
use crate::scim::filter::{Filter, FilterValue};
use Rewrite::{Answer as At, Filter as Parsed};

pub(super) const FAULTS: &[FaultEntry] = &[
    fault(
        "charset-latin-1",
        &[],
        "The Content-Type of each body says charset=iso-8859-1.",
        "people whose names are not ASCII",
        &["RFC7644-3.8-02"],
        &[At(|_, answer| {
            if answer.headers.contains_key(CONTENT_TYPE) {
                let labelled = HeaderValue::from_static("application/scim+json; charset=iso-8859-1");
                answer.headers.insert(CONTENT_TYPE, labelled);
            }
        })],
    ),
    fault(
        "member-twice",
        &[],
        "A User or Group has its schemas twice, the first time empty.",
        "clients, of which some take the first and some the last",
        &["RFC8259-4-01"],
        &[At(|seen, answer| {
            if matches!(seen.endpoint, Endpoint::Resource(..))
                && answer.status.is_success()
                && let Some(body) = answer.body().map(Value::to_string)
            {
                let twice = body.replacen('{', "{\"schemas\":[],", 1);
                answer.content = Content::Raw(Bytes::from(twice));
            }
        })],
    ),
    fault(
        "error-with-stack-trace",
        &[],
        "The detail of an error is a stack trace.",
        "the operator, whose code and tables anyone can read",
        &["RFC7644-3.12-06"],
        &[At(|_, answer| {
            if answer.status.is_client_error()
                && let Some(body) = object(answer)
            {
                let trace = "Traceback (most recent call last):\n  File \"app.py\", line 7, in get";
                body.insert("detail".to_owned(), trace.into());
            }
        })],
    ),
    fault(
        "error-repeats-token",
        &["DEF-225"],
        "The detail of an error names the header Authorization with its value.",
        "the operator, whose token is in the logs of every client",
        &["RFC7644-7.7-01"],
        &[At(|seen, answer| {
            let authorization = seen.request.header(&AUTHORIZATION).unwrap_or_default().to_owned();
            if answer.status.is_client_error()
                && let Some(body) = object(answer)
            {
                let detail = format!("refused; the request had Authorization: {authorization}");
                body.insert("detail".to_owned(), detail.into());
            }
        })],
    ),
    fault(
        "resources-in-public-caches",
        &[],
        "Users and groups are sent with Cache-Control: public.",
        "everybody, whose data a cache in between hands to whoever asks",
        &["RFC7644-7.7-01"],
        &[At(|seen, answer| {
            if matches!(seen.endpoint, Endpoint::Resource(..) | Endpoint::Resources(_)) {
                answer.set_header(CACHE_CONTROL, "public, max-age=300");
            }
        })],
    ),
    fault(
        "locations-from-forwarded-host",
        &["DEF-256"],
        "meta.location has the host of X-Forwarded-Host, whoever sends it.",
        "clients behind a cache, whose requests go to another's server with their token",
        &["RFC7644-7.7-01"],
        &[At(|seen, answer| {
            let host = seen.request.headers.get("x-forwarded-host").and_then(|host| host.to_str().ok());
            if let Some(host) = host {
                let (base, forwarded) = (seen.base, format!("https://{host}/scim/v2"));
                each_meta(seen, answer, |meta| {
                    if let Some(Value::String(location)) = meta.get_mut("location") {
                        *location = location.replace(base, &forwarded);
                    }
                });
            }
        })],
    ),
    fault(
        "meta-location-no-uri",
        &[],
        "meta.location is a sentence.",
        "clients that follow it",
        &["RFC7643-2.3.7-01", "RFC7643-3.1-20"],
        &[At(|seen, answer| {
            each_resource(seen, answer, |resource| {
                if let Some(meta) = resource.get_mut("meta").and_then(Value::as_object_mut) {
                    meta.insert("location".to_owned(), "no location was configured".into());
                }
            });
        })],
    ),
    fault(
        "options-answers-500",
        &[],
        "OPTIONS is answered with 500.",
        "browsers, which ask before they send",
        &["RFC9110-9.1-01"],
        &[At(|seen, answer| {
            if seen.request.method == Method::OPTIONS {
                refuse(answer, StatusCode::INTERNAL_SERVER_ERROR, None, "no such method");
            }
        })],
    ),
    fault(
        "patch-denied-with-403",
        &[],
        "/ServiceProviderConfig says that there is no PATCH, and PATCH is answered with 403.",
        "administrators, who look for a missing permission",
        &["RFC7644-3.12-17"],
        &[At(|seen, answer| {
            deny(seen, answer, "patch");
            if seen.request.method == Method::PATCH {
                refuse(answer, StatusCode::FORBIDDEN, None, "there is no PATCH here");
            }
        })],
    ),
    fault(
        "filter-denied-and-ignored",
        &[],
        "/ServiceProviderConfig says that there are no filters, and a filter has no effect.",
        "identity providers, which take the first row for their match",
        &["RFC7644-3.4.2.2-02", "RFC7644-3.4.2.2-01"],
        &[Parsed(|filter| filter.parsed = Ok(None)), At(|seen, answer| deny(seen, answer, "filter"))],
    ),
    fault(
        "filter-denied-and-half-done",
        &[],
        "/ServiceProviderConfig says that there are no filters, and in a filter a boolean is compared as text: nobody has it.",
        "clients that never read the configuration",
        &["RFC7644-3.4.2.2-02"],
        &[
            Parsed(|filter| {
                super::filters::rewrite(filter, |it| match it {
                    Filter::Compare { value: FilterValue::Boolean(_), .. } => super::filters::nothing(),
                    other => other,
                });
            }),
            At(|seen, answer| deny(seen, answer, "filter")),
        ],
    ),
];

/// Makes ServiceProviderConfig deny a feature.
fn deny(seen: &Seen<'_>, answer: &mut Answer, feature: &str) {
    if *seen.endpoint == Endpoint::ServiceProviderConfig
        && answer.status.is_success()
        && let Some(config) = object(answer)
    {
        config.insert(feature.to_owned(), json!({ "supported": false, "maxResults": 200 }));
    }
}
