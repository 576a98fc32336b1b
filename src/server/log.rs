//! One line a request, on standard error: method, path, query, status, time taken, length of the answer. Never a
//! header, a body or a token. Of the query, only what SCIM defines is shown (RFC 7644 §3.4.2, §3.9), and of a filter
//! its form without the strings and numbers that it compares with: those are people's names, addresses and secrets.

use std::fmt;
use std::io::Write;
use std::time::Duration;

use chrono::{DateTime, Utc};
use serde_json::{Map, Value, json};

use super::represent::date_time;
use crate::scim::filter::{Filter, FilterValue};

/// What stands for a value that is not shown.
const HIDDEN: &str = "…";

/// The parameters whose values say nothing about people.
const SHOWN: [&str; 8] =
    ["attributes", "excludedAttributes", "sortBy", "sortOrder", "startIndex", "count", "cursor", "filter"];

/// How requests are noted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Log {
    /// Not at all.
    #[default]
    Off,
    /// For people: `GET /scim/v2/Users?count=10 200 412 µs 1834 B`.
    Text,
    /// For programs: a JSON object a line, with `time`, `method`, `path`, `query` (an object, if there is one),
    /// `status`, `duration` (in microseconds) and `bytes` (of the answer's body).
    Json,
}

/// One request with its answer, as far as the log may know it.
#[derive(Debug)]
pub(crate) struct Entry<'a> {
    /// When the request came.
    pub time: DateTime<Utc>,
    pub method: &'a str,
    pub path: &'a str,
    pub query: &'a [(String, String)],
    pub status: u16,
    pub duration: Duration,
    /// The length of the answer's body.
    pub bytes: u64,
}

impl Log {
    /// Writes one line. That nobody reads the log does not disturb the server.
    pub(crate) fn write(self, entry: &Entry<'_>) {
        let line = match self {
            Log::Off => return,
            Log::Text => format!("{entry}\n"),
            Log::Json => format!("{}\n", entry.json()),
        };
        let _ = std::io::stderr().lock().write_all(line.as_bytes());
    }
}

impl Entry<'_> {
    fn json(&self) -> Value {
        let mut line = json!({
            "time": date_time(self.time),
            "method": self.method,
            "path": self.path,
        });
        if !self.query.is_empty() {
            let mut query = Map::new();
            for (name, value) in self.query {
                // The first counts, for the server as well.
                query.entry(name.as_str()).or_insert_with(|| shown(name, value).into());
            }
            line["query"] = Value::Object(query);
        }
        line["status"] = self.status.into();
        line["duration"] = u64::try_from(self.duration.as_micros()).unwrap_or(u64::MAX).into();
        line["bytes"] = self.bytes.into();
        line
    }
}

impl fmt::Display for Entry<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.method, self.path)?;
        for (index, (name, value)) in self.query.iter().enumerate() {
            let value = shown(name, value);
            write!(f, "{}{}={}", if index == 0 { '?' } else { '&' }, plain(name), plain(&value))?;
        }
        write!(f, " {} {} µs {} B", self.status, self.duration.as_micros(), self.bytes)
    }
}

/// What of a parameter may be shown.
fn shown(name: &str, value: &str) -> String {
    if !SHOWN.contains(&name) {
        return HIDDEN.to_owned();
    }
    if name != "filter" {
        return value.to_owned();
    }
    match Filter::parse(value) {
        Ok(mut filter) => {
            hide(&mut filter);
            filter.to_string()
        }
        Err(_) => HIDDEN.to_owned(),
    }
}

fn hide(filter: &mut Filter) {
    match filter {
        Filter::And(operands) | Filter::Or(operands) => operands.iter_mut().for_each(hide),
        Filter::Not(operand) => hide(operand),
        Filter::ValuePath { filter, .. } => hide(filter),
        Filter::Compare { value, .. } => {
            if !matches!(value, FilterValue::Boolean(_) | FilterValue::Null) {
                *value = FilterValue::String(HIDDEN.to_owned());
            }
        }
        Filter::Present(_) => {}
    }
}

/// A text without what would break a line, or a terminal.
fn plain(text: &str) -> String {
    text.chars().map(|letter| if letter.is_control() { '\u{fffd}' } else { letter }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(query: &[(String, String)]) -> Entry<'_> {
        Entry {
            time: DateTime::UNIX_EPOCH,
            method: "GET",
            path: "/scim/v2/Users",
            query,
            status: 200,
            duration: Duration::from_micros(412),
            bytes: 1834,
        }
    }

    fn query(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn a_filter_is_shown_without_what_it_compares_with() {
        let filter = "userName eq \"ann@corp.example\" and not (emails[type eq \"work\" and primary eq true] or x gt 7)";
        let query = query(&[("filter", filter), ("count", "10"), ("access_token", "s3cret")]);
        assert_eq!(
            entry(&query).json(),
            json!({
                "time": "1970-01-01T00:00:00.000Z",
                "method": "GET",
                "path": "/scim/v2/Users",
                "query": {
                    "filter": "userName eq \"…\" and not (emails[type eq \"…\" and primary eq true] or x gt \"…\")",
                    "count": "10",
                    "access_token": "…",
                },
                "status": 200,
                "duration": 412,
                "bytes": 1834,
            })
        );
    }

    #[test]
    fn the_line_for_people_stays_one_line() {
        let query = query(&[("sortBy", "a\nb"), ("filter", "userName eq \"Ann")]);
        assert_eq!(
            entry(&query).to_string(),
            "GET /scim/v2/Users?sortBy=a\u{fffd}b&filter=… 200 412 µs 1834 B"
        );
        assert_eq!(entry(&[]).to_string(), "GET /scim/v2/Users 200 412 µs 1834 B");
    }
}
