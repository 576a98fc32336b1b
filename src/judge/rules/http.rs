//! Rules about status, headers, media type, and whether there is a body.

use std::collections::HashSet;
use std::fmt;

use chrono::DateTime;
use serde::Deserializer;
use serde::de::{DeserializeSeed, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::{Fault, Rule, RuleVerdict, View, is_known_endpoint, success, verdict};
use crate::judge::{error, kind, words};
use crate::scim::names;
use crate::suite::model::Auth;
use crate::target::exchange::{BYTE_ORDER_MARK, BodyProblem, Exchange, Response};

pub const NO_SERVER_ERROR: Rule = Rule { name: "no-server-error", subject: "answer", judge: no_server_error };
pub const CONTENT_TYPE: Rule =
    Rule { name: "content-type", subject: "answer with a body", judge: content_type };
pub const CHARSET: Rule = Rule { name: "charset-is-utf-8", subject: "charset parameter", judge: charset };
pub const JSON_WELL_FORMED: Rule =
    Rule { name: "json-well-formed", subject: "JSON body", judge: json_well_formed };
pub const MEMBER_NAMES_UNIQUE: Rule =
    Rule { name: "member-names-unique", subject: "JSON body", judge: member_names_unique };
pub const BODY_PRESENT: Rule =
    Rule { name: "body-present", subject: "success that returns a resource or list", judge: body_present };
pub const NO_CONTENT: Rule = Rule { name: "no-content", subject: "204", judge: no_content };
pub const UNAUTHORIZED_CHALLENGE: Rule =
    Rule { name: "unauthorized-challenge", subject: "401", judge: unauthorized_challenge };
pub const ALLOW_ON_405: Rule = Rule { name: "allow-on-405", subject: "405", judge: allow_on_405 };
pub const ETAG_ON_304: Rule = Rule { name: "etag-on-304", subject: "304", judge: etag_on_304 };
pub const COOKIES_END_WITH_THE_SESSION: Rule = Rule {
    name: "cookies-end-with-the-session",
    subject: "Set-Cookie header",
    judge: cookies_end_with_the_session,
};
pub const ACCEPTED_IS_ASYNCHRONOUS: Rule =
    Rule { name: "accepted-is-asynchronous", subject: "202", judge: accepted_is_asynchronous };
pub const NO_STACK_TRACE: Rule =
    Rule { name: "no-stack-trace", subject: "error with a body", judge: no_stack_trace };
pub const CREDENTIALS_NOT_REPEATED: Rule = Rule {
    name: "credentials-not-repeated",
    subject: "answer to a request with credentials",
    judge: credentials_not_repeated,
};
pub const RESOURCES_ARE_PRIVATE: Rule = Rule {
    name: "resources-are-private",
    subject: "answer that shows resources",
    judge: resources_are_private,
};

/// What frameworks of common languages print when an error escapes.
const TRACES: &[&str] = &[
    "Traceback (most recent call last)",
    "\n\tat ",
    "\\n\\tat ",
    "\n    at ",
    "\\n    at ",
    "goroutine 1 [",
    "panicked at ",
    "System.NullReferenceException",
    "java.lang.",
    "org.springframework.",
    "PG::",
    "SQLSTATE[",
    "ActiveRecord::",
    "Illuminate\\",
    "sqlite3.",
    "org.postgresql.",
    "org.hibernate.",
    "syntax error at or near",
    "You have an error in your SQL syntax",
    "ORA-009",
    "System.Data.SqlClient.",
    "Npgsql.",
    "MongoServerError",
];

/// 500 is the server's own trouble, whatever was asked. 501 refuses a feature; 502, 503 and 504 come from a
/// front end or ask for patience.
fn no_server_error(exchange: &Exchange, _: &View<'_>) -> RuleVerdict {
    let Some(response) = exchange.response() else { return RuleVerdict::NotEligible };
    let status = response.status;
    if status < 500 {
        return RuleVerdict::Held;
    }
    if matches!(status, 501..=504) {
        return RuleVerdict::NotEligible;
    }
    let fault = Fault::new(
        format!("answered {}: the request broke the server", words::status(status)),
        "a success, or an error that names what is wrong with the request",
        words::answer(response),
    )
    .class("status below 500", format!("status {status}"));
    verdict("no-server-error", exchange, vec![fault])
}

/// The media type without parameters, in small letters.
fn essence(response: &Response) -> Option<String> {
    let kind = response.header("content-type")?;
    Some(kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase())
}

/// Which media types the client asked for.
enum Accepted {
    /// SCIM, by name or by default.
    Scim,
    /// JSON, but not SCIM.
    Json,
    /// Neither.
    Other,
}

fn accepted(exchange: &Exchange) -> Accepted {
    let Some(accept) = exchange.request.header("accept") else { return Accepted::Scim };
    let accept = accept.to_ascii_lowercase();
    let any = |types: &[&str]| {
        accept.split(',').any(|it| types.contains(&it.split(';').next().unwrap_or_default().trim()))
    };
    if any(&[names::MEDIA_TYPE]) {
        Accepted::Scim
    } else if any(&["application/json"]) {
        Accepted::Json
    } else if any(&["*/*", "application/*"]) {
        Accepted::Scim
    } else {
        Accepted::Other
    }
}

fn has_readable_body(exchange: &Exchange, response: &Response) -> bool {
    !matches!(exchange.request.method.as_str(), "HEAD" | "OPTIONS")
        && !response.body.is_empty()
        && !(300..400).contains(&response.status)
        && response.status >= 200
}

fn content_type(exchange: &Exchange, context: &View<'_>) -> RuleVerdict {
    let Some(response) = exchange.response().filter(|response| has_readable_body(exchange, response)) else {
        return RuleVerdict::NotEligible;
    };
    let accepted = accepted(exchange);
    let is_gateways = error::may_come_from_gateway(response.status)
        || (response.status >= 400 && !is_known_endpoint(exchange, context));
    let essence = essence(response);
    match (essence.as_deref(), &accepted) {
        (_, Accepted::Other) => return RuleVerdict::NotEligible,
        (Some(names::MEDIA_TYPE), _) | (Some("application/json"), Accepted::Json) => {
            return RuleVerdict::Held;
        }
        _ => {}
    }
    let shown = match response.header("content-type").map(str::trim) {
        None => "none".to_owned(),
        Some("") => "empty".to_owned(),
        Some(kind) => words::clip(kind, 80),
    };
    let class = match &essence {
        None => "absent".to_owned(),
        Some(essence) if essence.is_empty() => "empty".to_owned(),
        Some(essence) => essence.clone(),
    };
    let fault = Fault::new(
        format!("the Content-Type is {shown}, expected {}", names::MEDIA_TYPE),
        names::MEDIA_TYPE,
        shown.clone(),
    )
    .class(names::MEDIA_TYPE, words::clip(&class, 60));
    let is_json = class == "application/json" || class.ends_with("+json");
    let fault = if is_json {
        fault.warning_unless_strict(context)
    } else if is_gateways {
        fault.warning()
    } else {
        fault
    };
    verdict("content-type", exchange, vec![fault])
}

fn charset(exchange: &Exchange, _: &View<'_>) -> RuleVerdict {
    let Some(response) = exchange.response().filter(|response| has_readable_body(exchange, response)) else {
        return RuleVerdict::NotEligible;
    };
    let Some(kind) = response.header("content-type").filter(|_| is_json(response)) else {
        return RuleVerdict::NotEligible;
    };
    let charset = kind.split(';').skip(1).find_map(|parameter| {
        let (name, value) = parameter.split_once('=')?;
        name.trim().eq_ignore_ascii_case("charset").then(|| value.trim().trim_matches('"').to_owned())
    });
    let Some(charset) = charset else { return RuleVerdict::NotEligible };
    // US-ASCII is a part of UTF-8.
    if ["utf-8", "utf8", "us-ascii"].iter().any(|known| charset.eq_ignore_ascii_case(known)) {
        return RuleVerdict::Held;
    }
    let charset = words::clip(&charset, 40);
    let fault = Fault::new(
        format!("the body is labelled charset={charset}; JSON is UTF-8"),
        "charset=utf-8, or none",
        format!("charset={charset}"),
    )
    .class("utf-8", "other charset");
    verdict("charset-is-utf-8", exchange, vec![fault])
}

fn is_json(response: &Response) -> bool {
    essence(response).is_some_and(|kind| kind == "application/json" || kind.ends_with("+json"))
}

fn json_well_formed(exchange: &Exchange, _: &View<'_>) -> RuleVerdict {
    let Some(response) = exchange.response().filter(|response| has_readable_body(exchange, response)) else {
        return RuleVerdict::NotEligible;
    };
    // What calls itself something else is no JSON by right; its media type is another rule's business.
    if !is_json(response) {
        return RuleVerdict::NotEligible;
    }
    let fault = match response.body.json() {
        Ok(_) if response.body.bytes().starts_with(BYTE_ORDER_MARK) => Fault::new(
            "the body begins with a byte order mark",
            "JSON in UTF-8 without a mark",
            "a byte order mark",
        )
        .class("JSON", "byte order mark")
        .breaks(&["RFC8259-8.1-02"]),
        Ok(_) => return RuleVerdict::Held,
        // Our own limit, and a connection that broke, say nothing about the JSON.
        Err(BodyProblem::Empty | BodyProblem::TooLarge { .. } | BodyProblem::CutOff { .. }) => {
            return RuleVerdict::NotEligible;
        }
        Err(problem) => Fault::new(
            format!("the body calls itself JSON, but {}", words::problem(problem, response)),
            "well-formed JSON in UTF-8",
            words::clip(&response.body.text(), 200),
        )
        .class("JSON", words::problem_class(problem)),
    };
    verdict("json-well-formed", exchange, vec![fault])
}

fn member_names_unique(exchange: &Exchange, _: &View<'_>) -> RuleVerdict {
    let Some(response) = exchange.response().filter(|response| has_readable_body(exchange, response)) else {
        return RuleVerdict::NotEligible;
    };
    if response.body.json().is_err() {
        return RuleVerdict::NotEligible;
    }
    let Some(name) = repeated_name(response.body.bytes()) else { return RuleVerdict::Held };
    let name = words::quote(&name);
    let fault = Fault::new(
        format!("the body has the member {name} twice in one object"),
        "each name once in an object",
        format!("{name} twice"),
    )
    .class("unique names", "repeated name");
    verdict("member-names-unique", exchange, vec![fault])
}

/// The first member name that stands twice in one object of the JSON text.
fn repeated_name(bytes: &[u8]) -> Option<String> {
    let mut repeated = None;
    let mut reader = serde_json::Deserializer::from_slice(bytes);
    // The reader itself stops at its own depth limit, and the body was read once already.
    let read = Names { repeated: &mut repeated }.deserialize(&mut reader);
    read.ok().and(repeated)
}

/// Walks a JSON text and keeps the first name that repeats.
struct Names<'n> {
    repeated: &'n mut Option<String>,
}

impl<'de> DeserializeSeed<'de> for Names<'_> {
    type Value = ();
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Names<'_> {
    type Value = ();
    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }
    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }
    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        Ok(())
    }
    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        Ok(())
    }
    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        Ok(())
    }
    fn visit_str<E>(self, _: &str) -> Result<(), E> {
        Ok(())
    }
    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }
    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        while seq.next_element_seed(Names { repeated: &mut *self.repeated })?.is_some() {}
        Ok(())
    }
    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let mut seen = HashSet::new();
        while let Some(name) = map.next_key::<String>()? {
            if self.repeated.is_some() {
                map.next_value::<IgnoredAny>()?;
                continue;
            }
            map.next_value_seed(Names { repeated: &mut *self.repeated })?;
            if !seen.insert(name.clone()) && self.repeated.is_none() {
                *self.repeated = Some(name);
            }
        }
        Ok(())
    }
}

fn body_present(exchange: &Exchange, _: &View<'_>) -> RuleVerdict {
    let Some(response) = success(exchange) else { return RuleVerdict::NotEligible };
    let expected = match (exchange.request.method.as_str(), response.status) {
        ("GET", 200) | ("PUT", 200) | ("PATCH", 200) | ("POST", 200 | 201) => "the resource or list",
        _ => return RuleVerdict::NotEligible,
    };
    if !response.body.is_empty() {
        return RuleVerdict::Held;
    }
    let status = words::status(response.status);
    let fault = Fault::new(
        format!("answered {status} without a body, expected {expected}"),
        expected,
        "an empty body",
    )
    .class("body", "empty body");
    // The body of a create is recommended (RFC 7644 section 3.3).
    let fault =
        if exchange.request.method == "POST" { fault.warning().breaks(&["RFC7644-3.3-08"]) } else { fault };
    verdict("body-present", exchange, vec![fault])
}

fn no_content(exchange: &Exchange, _: &View<'_>) -> RuleVerdict {
    let Some(response) = exchange.response().filter(|response| response.status == 204) else {
        return RuleVerdict::NotEligible;
    };
    let length = response.header("content-length").and_then(|length| length.trim().parse::<u64>().ok());
    let length = length.unwrap_or(0).max(response.body.bytes().len() as u64);
    if length == 0 {
        return RuleVerdict::Held;
    }
    let fault = Fault::new(
        format!("answered 204 (No Content) with a body of {length} bytes"),
        "no content",
        format!("{length} bytes"),
    )
    .class("empty body", "body");
    verdict("no-content", exchange, vec![fault])
}

fn unauthorized_challenge(exchange: &Exchange, context: &View<'_>) -> RuleVerdict {
    let Some(response) = exchange.response().filter(|response| response.status == 401) else {
        return RuleVerdict::NotEligible;
    };
    if response.headers_named("www-authenticate").any(|challenge| !challenge.trim().is_empty()) {
        return RuleVerdict::Held;
    }
    let fault = Fault::new(
        "answered 401 (Unauthorized) without a WWW-Authenticate header",
        "WWW-Authenticate with a challenge, such as Bearer",
        "no WWW-Authenticate",
    )
    .class("WWW-Authenticate", "absent")
    .warning_unless_strict(context);
    verdict("unauthorized-challenge", exchange, vec![fault])
}

fn allow_on_405(exchange: &Exchange, context: &View<'_>) -> RuleVerdict {
    let Some(response) = exchange.response().filter(|response| response.status == 405) else {
        return RuleVerdict::NotEligible;
    };
    if response.header("allow").is_some() {
        return RuleVerdict::Held;
    }
    let fault = Fault::new(
        "answered 405 (Method Not Allowed) without an Allow header",
        "Allow with the methods that are supported",
        "no Allow",
    )
    .class("Allow", "absent")
    .warning_unless_strict(context);
    verdict("allow-on-405", exchange, vec![fault])
}

/// A 304 has the entity tag that a 200 would have had (RFC 9110 section 15.4.5).
fn etag_on_304(exchange: &Exchange, context: &View<'_>) -> RuleVerdict {
    let Some(response) = exchange.response().filter(|response| response.status == 304) else {
        return RuleVerdict::NotEligible;
    };
    if response.header("etag").is_some_and(|tag| !tag.trim().is_empty()) {
        return RuleVerdict::Held;
    }
    let fault =
        Fault::new("answered 304 (Not Modified) without an ETag", "the ETag of the version", "no ETag")
            .class("ETag", "absent")
            .warning_unless_strict(context);
    verdict("etag-on-304", exchange, vec![fault])
}

/// A cookie that outlasts the session stands in for credentials that nobody sees (RFC 7644 section 7.4).
fn cookies_end_with_the_session(exchange: &Exchange, _: &View<'_>) -> RuleVerdict {
    let Some(response) = exchange.response() else { return RuleVerdict::NotEligible };
    let mut cookies = response.headers_named("set-cookie").peekable();
    if cookies.peek().is_none() {
        return RuleVerdict::NotEligible;
    }
    let lasting = cookies.find(|cookie| {
        let attribute = |wanted: &str| {
            cookie.split(';').skip(1).find_map(|attribute| {
                let (name, value) = attribute.split_once('=')?;
                name.trim().eq_ignore_ascii_case(wanted).then(|| value.trim())
            })
        };
        // What lies in the past takes a cookie away.
        match (attribute("max-age"), attribute("expires")) {
            (Some(seconds), _) => seconds.parse::<i64>().is_ok_and(|seconds| seconds > 0),
            (None, Some(date)) => {
                DateTime::parse_from_rfc2822(date).is_ok_and(|end| end.to_utc() > exchange.started)
            }
            (None, None) => false,
        }
    });
    let Some(cookie) = lasting else { return RuleVerdict::Held };
    let name = words::clip(cookie.split('=').next().unwrap_or_default(), 40);
    let fault = Fault::new(
        format!("sets the cookie {name}, which outlasts the session"),
        "a cookie without Max-Age and Expires, or none",
        "a lasting cookie",
    )
    .class("session cookie", "lasting cookie");
    verdict("cookies-end-with-the-session", exchange, vec![fault])
}

/// Nothing of the credentials comes back: answers are logged where requests are not.
fn credentials_not_repeated(exchange: &Exchange, _: &View<'_>) -> RuleVerdict {
    let Some(response) = exchange.response().filter(|_| exchange.request.auth != Auth::None) else {
        return RuleVerdict::NotEligible;
    };
    if !response.repeats_secret {
        return RuleVerdict::Held;
    }
    let status = words::status(response.status);
    let fault = Fault::new(
        format!("answered {status} with the client's own token or password in it"),
        "an answer without credentials",
        "credentials, masked here",
    )
    .class("no credentials", "credentials");
    verdict("credentials-not-repeated", exchange, vec![fault])
}

/// What was shown to somebody with credentials is shown to nobody else, by a shared cache or by a page of another site.
fn resources_are_private(exchange: &Exchange, context: &View<'_>) -> RuleVerdict {
    let shows = |_: &&Response| {
        exchange.request.auth != Auth::None
            && kind::discovery_type(&exchange.request).is_none()
            && is_known_endpoint(exchange, context)
    };
    let Some(response) = success(exchange).filter(shows).filter(|response| !response.body.is_empty()) else {
        return RuleVerdict::NotEligible;
    };
    let directives: Vec<String> = response
        .headers_named("cache-control")
        .flat_map(|value| value.split(','))
        .map(|directive| directive.trim().to_ascii_lowercase())
        .collect();
    let says = |wanted: &str| directives.iter().any(|directive| directive == wanted);
    let is_kept = !says("no-store") && !says("no-cache") && !says("private") && !says("max-age=0");
    let is_shared =
        says("public") || directives.iter().any(|it| it.starts_with("s-maxage=") && it != "s-maxage=0");
    let is = |name: &str, wanted: &str| {
        response.header(name).is_some_and(|value| value.trim().eq_ignore_ascii_case(wanted))
    };
    let mut faults = Vec::new();
    if is_shared && is_kept {
        let shown = words::clip(&directives.join(", "), 80);
        faults.push(
            Fault::new(
                format!("lets shared caches keep the resource: Cache-Control is {shown}"),
                "Cache-Control: no-store, or private",
                format!("Cache-Control: {shown}"),
            )
            .class("private", "public"),
        );
    }
    if is("access-control-allow-origin", "*") && is("access-control-allow-credentials", "true") {
        faults.push(
            Fault::new(
                "lets the pages of all sites read the resource with the credentials of whoever looks at them",
                "one origin in Access-Control-Allow-Origin, or none",
                "Access-Control-Allow-Origin: * with Access-Control-Allow-Credentials: true",
            )
            .class("known origins", "every origin"),
        );
    }
    verdict("resources-are-private", exchange, faults)
}

/// A 202 says where to ask later and by which name (RFC 9967 section 2.5.1.1).
fn accepted_is_asynchronous(exchange: &Exchange, _: &View<'_>) -> RuleVerdict {
    let Some(response) = exchange.response().filter(|response| response.status == 202) else {
        return RuleVerdict::NotEligible;
    };
    let mut faults = Vec::new();
    if !response.body.is_empty() {
        faults.push(
            Fault::new("answered 202 (Accepted) with a body", "no body", words::answer(response))
                .class("empty body", "body")
                .breaks(&["RFC9967-2.5.1.1-05"]),
        );
    }
    let headers: [(&str, &str, &'static [&'static str]); 3] = [
        ("Set-Txn", "the name of the transaction", &["RFC9967-3-01", "RFC9967-2.5.1.1-06"]),
        ("Location", "where the result will be, or the resource", &["RFC9967-2.5.1.1-08"]),
        ("Preference-Applied", "respond-async", &["RFC9967-2.5.1.1-07"]),
    ];
    for (name, what, requirements) in headers {
        if response.header(name).is_some_and(|value| !value.trim().is_empty()) {
            continue;
        }
        let fault = Fault::new(
            format!("answered 202 (Accepted) without {name}"),
            format!("{name}: {what}"),
            format!("no {name}"),
        )
        .class(name, "absent")
        .breaks(requirements);
        faults.push(if name == "Preference-Applied" { fault.warning() } else { fault });
    }
    verdict("accepted-is-asynchronous", exchange, faults)
}

fn no_stack_trace(exchange: &Exchange, _: &View<'_>) -> RuleVerdict {
    let Some(response) = exchange.response() else { return RuleVerdict::NotEligible };
    if response.status < 400 || response.body.is_empty() {
        return RuleVerdict::NotEligible;
    }
    let text = response.body.text();
    let Some(trace) = TRACES.iter().find(|trace| text.contains(**trace)) else { return RuleVerdict::Held };
    let at = text.find(trace).unwrap_or(0);
    let fault = Fault::new(
        format!("the {} shows the inside of the server", words::status(response.status)),
        "a detail for people, without code and tables",
        words::clip(text.get(at..).unwrap_or_default().trim_start(), 160),
    )
    .class("detail for people", "stack trace");
    verdict("no-stack-trace", exchange, vec![fault])
}
