//! Lists, the limit on requests, keys, and the organisations that they open.

use std::num::NonZeroU32;

use axum::http::header::RETRY_AFTER;
use axum::http::{Method, StatusCode};
use chrono::{TimeDelta, Utc};
use serde_json::Value;

use super::super::super::super::behaviour::OldKeys;
use super::super::super::super::endpoint::{Endpoint, Kind};
use super::super::super::super::fault::{FaultEntry, Rewrite};
use super::super::super::super::rate::RateLimit;
use super::super::super::super::rewrite::{object, set_raw, set_status};
use super::super::super::{rewriting, settling};
use super::super::PAGE;
use crate::scim::filter::{Filter, FilterValue};
use Rewrite::{Answer as At, Query as Asked, Request as Before, Rows};

pub(super) const FAULTS: &[FaultEntry] = &[
    settling(
        "amplitude-page-of-200",
        &["AMP-08"],
        "A page can have 200 users.",
        "clients that have room for 100",
        |behaviour| {
            behaviour.max_results = 2 * PAGE;
            behaviour.default_page = Some(PAGE);
        },
    ),
    settling(
        "amplitude-page-of-20",
        &["AMP-08"],
        "A page has 20 users where the client does not say.",
        "Okta, which takes a page shorter than 100 for the last one",
        |behaviour| behaviour.default_page = Some(20),
    ),
    rewriting(
        "amplitude-page-size-ignored",
        &["AMP-08"],
        "itemsPerPage in a query is ignored.",
        "clients that want a short page",
        &[Asked(|query| query.count = None)],
    ),
    rewriting(
        "amplitude-page-size-not-shown",
        &["AMP-06", "AMP-09"],
        "A list has no itemsPerPage.",
        "clients that page by it",
        &[At(|_, answer| {
            if let Some(body) = object(answer) {
                body.shift_remove("itemsPerPage");
            }
        })],
    ),
    rewriting(
        "amplitude-start-index-from-zero",
        &["AMP-07"],
        "startIndex counts from 0: with 1 the first user is missing.",
        "imports, which miss somebody on each page",
        &[
            Before(|request| {
                for (name, value) in &mut request.query {
                    if name == "startIndex"
                        && let Ok(index) = value.parse::<u64>()
                    {
                        *value = index.saturating_add(1).to_string();
                    }
                }
            }),
            At(|seen, answer| {
                let asked = seen.request.parameter("startIndex").and_then(|index| index.parse::<u64>().ok());
                if let (Some(asked), Some(body)) = (asked, object(answer))
                    && body.contains_key("startIndex")
                {
                    body.insert("startIndex".to_owned(), asked.saturating_sub(1).into());
                }
            }),
        ],
    ),
    rewriting(
        "amplitude-total-is-page",
        &["AMP-06", "TRUTO-07"],
        "totalResults is the number of users on the page.",
        "imports, which end after the first page",
        &[At(|_, answer| {
            if let Some(body) = object(answer)
                && let Some(rows) = body.get("Resources").and_then(Value::as_array).map(Vec::len)
            {
                body.insert("totalResults".to_owned(), rows.into());
            }
        })],
    ),
    rewriting(
        "amplitude-pending-unlisted",
        &["AMP-06"],
        "The list of users leaves out who has not joined yet.",
        "imports, which create them again",
        &[Rows(|rows| {
            if *rows.endpoint == Endpoint::Resources(Kind::User) && rows.filter.is_none() {
                rows.rows.retain(|row| rows.store.has_joined(row["id"].as_str().unwrap_or_default()));
            }
        })],
    ),
    rewriting(
        "amplitude-joined-listed-twice",
        &["AMP-06"],
        "Who has joined is in the list twice, as a user and as an invitation.",
        "imports, which meet one id twice",
        &[Rows(|rows| {
            if *rows.endpoint == Endpoint::Resources(Kind::User) && rows.filter.is_none() {
                let joined = |row: &&Value| rows.store.has_joined(row["id"].as_str().unwrap_or_default());
                let twice: Vec<Value> = rows.rows.iter().filter(joined).cloned().collect();
                rows.rows.extend(twice);
            }
        })],
    ),
    rewriting(
        "amplitude-filter-case-sensitive",
        &["AMP-10"],
        "A filter on userName finds an address only in the case of its create.",
        "Okta, which creates the person a second time",
        &[Rows(|rows| {
            if let Some(Filter::Compare { path, value: FilterValue::String(wanted), .. }) = rows.filter
                && path.name.eq_ignore_ascii_case("userName")
            {
                rows.rows.retain(|row| row["userName"].as_str() == Some(wanted));
            }
        })],
    ),
    rewriting(
        "amplitude-filter-misses-pending",
        &["AMP-10", "AMP-16"],
        "A filter does not find who has not joined yet.",
        "Okta, which invites them again",
        &[Rows(|rows| {
            if *rows.endpoint == Endpoint::Resources(Kind::User) && rows.filter.is_some() {
                rows.rows.retain(|row| rows.store.has_joined(row["id"].as_str().unwrap_or_default()));
            }
        })],
    ),
    settling(
        "amplitude-limit-missing",
        &["AMP-05"],
        "There is no limit on requests.",
        "nobody, until a burst takes the service down",
        |behaviour| behaviour.rate_limit = None,
    ),
    settling(
        "amplitude-limit-of-50",
        &["AMP-05"],
        "The limit is 50 requests a minute.",
        "syncs that keep to 100, and fail",
        |behaviour| behaviour.rate_limit = Some(RateLimit::a_minute(const { NonZeroU32::new(50).unwrap() })),
    ),
    settling(
        "amplitude-limit-renewed-with-key",
        &["AMP-05"],
        "The limit is that of the key: a new key begins a new minute.",
        "other organisations, at whose cost it can be evaded",
        |behaviour| behaviour.old_keys = OldKeys::RefusedWithTheirLimit,
    ),
    rewriting(
        "amplitude-limit-without-retry-after",
        &["AMP-05"],
        "429 comes without Retry-After.",
        "Okta, which waits five minutes then",
        &[At(|_, answer| {
            if answer.status == StatusCode::TOO_MANY_REQUESTS {
                answer.headers.remove(RETRY_AFTER);
            }
        })],
    ),
    rewriting(
        "amplitude-limit-retry-after-date",
        &["AMP-05"],
        "Retry-After of a 429 is a date.",
        "Okta, which reads seconds only",
        &[At(|_, answer| {
            if answer.status == StatusCode::TOO_MANY_REQUESTS {
                let date = Utc::now() + TimeDelta::seconds(60);
                answer.set_header(RETRY_AFTER, &date.format("%a, %d %b %Y %H:%M:%S GMT").to_string());
            }
        })],
    ),
    rewriting(
        "amplitude-limit-answers-503",
        &["AMP-05"],
        "A request over the limit is answered with 503.",
        "clients that take the service for down",
        &[At(|_, answer| {
            if answer.status == StatusCode::TOO_MANY_REQUESTS {
                set_status(answer, StatusCode::SERVICE_UNAVAILABLE);
            }
        })],
    ),
    rewriting(
        "amplitude-limit-answers-html",
        &["AMP-05"],
        "A 429 has a page of HTML for a body.",
        "clients that look for a SCIM error",
        &[At(|_, answer| {
            if answer.status == StatusCode::TOO_MANY_REQUESTS {
                set_raw(answer, "text/html", "<html><body>429 Too Many Requests</body></html>");
            }
        })],
    ),
    settling(
        "amplitude-old-key-lives",
        &["AMP-04"],
        "The old key still works after a new one was made.",
        "the organisation whose key has leaked",
        |behaviour| behaviour.old_keys = OldKeys::Taken,
    ),
    rewriting(
        "amplitude-bad-key-answers-200",
        &["AMP-03"],
        "A list asked for with a wrong key is empty, and 200.",
        "administrators, who take the key for right",
        &[At(|seen, answer| {
            if answer.status == StatusCode::UNAUTHORIZED
                && seen.request.headers.contains_key(axum::http::header::AUTHORIZATION)
                && matches!(seen.endpoint, Endpoint::Resources(_))
            {
                let list = serde_json::json!({
                    "schemas": [crate::scim::names::LIST_RESPONSE],
                    "startIndex": 1, "itemsPerPage": PAGE, "totalResults": 0, "Resources": []
                });
                *answer = super::super::Answer::json(StatusCode::OK, list);
            }
        })],
    ),
    rewriting(
        "amplitude-other-organisation-listed",
        &["AMP-02"],
        "Each key lists the users of the first organisation.",
        "every organisation, whose people others see",
        &[Before(|request| {
            if request.method == Method::GET && !request.path_below().contains('/') {
                request.tenant = 0;
            }
        })],
    ),
    rewriting(
        "amplitude-other-organisation-read",
        &["AMP-02"],
        "Each key reads any user and group of the first organisation by its id.",
        "every organisation, whose people others see",
        &[Before(|request| {
            if request.method == Method::GET && request.path_below().contains('/') {
                request.tenant = 0;
            }
        })],
    ),
];
