//! An answer as the text that is accepted or refused: status line, the few headers that matter, body.

use serde_json::Value;

use crate::target::exchange::{Exchange, Response};

use super::redact::{Asked, Redaction};

/// How many bytes of one text in a body are kept.
const TEXT_LIMIT: usize = 4 * 1024;
/// How many bytes of a whole payload are kept.
const LIMIT: usize = 256 * 1024;

/// The headers that belong to a payload. What proxies and clocks add does not.
const HEADERS: [&str; 5] = ["Content-Type", "Location", "ETag", "WWW-Authenticate", "Retry-After"];

/// The payload of an answer, redacted; none where no answer came.
///
/// `filtered` says whether the request was a query with a filter.
pub fn payload(exchange: &Exchange, redaction: &Redaction, filtered: bool) -> Option<String> {
    let response = exchange.response()?;
    let asked = Asked {
        endpoint: &exchange.request.endpoint,
        status: response.status,
        sorted: asks_for_order(exchange),
        filtered,
    };
    let mut text = status_line(response);
    for name in HEADERS {
        for value in response.headers_named(name) {
            text.push_str(&format!("{name}: {}\n", one_line(&redaction.header(name, value))));
        }
    }
    if !response.body.is_empty() {
        text.push('\n');
        text.push_str(&body(response, redaction, asked));
        text.push('\n');
    }
    Some(clip(&text, LIMIT))
}

fn status_line(response: &Response) -> String {
    let code = reqwest::StatusCode::from_u16(response.status).ok();
    match code.and_then(|code| code.canonical_reason()) {
        Some(reason) => format!("HTTP {} {reason}\n", response.status),
        None => format!("HTTP {}\n", response.status),
    }
}

fn body(response: &Response, redaction: &Redaction, asked: Asked<'_>) -> String {
    match response.body.json() {
        Ok(json) => {
            // Long texts are cut behind their names, and what names look for is shorter than what is kept.
            let bounded = bounded(json, 4 * TEXT_LIMIT);
            format!("{:#}", self::bounded(&redaction.body(&bounded, asked), TEXT_LIMIT))
        }
        Err(_) => clip(&redaction.text(&clip(&response.body.text(), LIMIT)), LIMIT),
    }
}

/// A value whose texts are no longer than that. Its depth is bounded by the parser that read it.
fn bounded(value: &Value, limit: usize) -> Value {
    match value {
        Value::String(text) => Value::from(clip(text, limit)),
        Value::Array(items) => items.iter().map(|item| bounded(item, limit)).collect(),
        Value::Object(members) => Value::Object(
            members.iter().map(|(name, member)| (clip(name, limit), bounded(member, limit))).collect(),
        ),
        other => other.clone(),
    }
}

fn clip(text: &str, limit: usize) -> String {
    crate::report::text::clip(text, limit)
}

fn one_line(text: &str) -> String {
    crate::report::text::one_line(text)
}

/// Whether the request wants a list in an order of its own.
fn asks_for_order(exchange: &Exchange) -> bool {
    let query = exchange.request.path.split_once('?').map(|(_, query)| query).unwrap_or_default();
    query.split('&').any(|part| part.to_ascii_lowercase().starts_with("sortby="))
        || exchange.request.json().is_some_and(|body| body.get("sortBy").is_some())
}
