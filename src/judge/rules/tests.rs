//! Every rule seen to hold, to be broken, and to be silent about what the RFCs leave open.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::judge::testing::{AllBut, error, exchange, list, raw, user, with, with_header, with_request};
use crate::requirement::Catalogue;
use crate::suite::load::Library;
use crate::suite::model::Auth;
use crate::target::exchange::{Body, BodyProblem};

/// What a rule should say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Say {
    Silent,
    Held,
    Warns,
    Fails,
}

fn say(name: &str, exchange: &Exchange, reading: Reading) -> (Say, Vec<Finding>) {
    say_with(name, exchange, reading, &History::default(), &Pairs::of([exchange]))
}

/// What a rule says with what the run showed besides.
fn say_after(
    name: &str,
    exchange: &Exchange,
    reading: Reading,
    history: &History<'_>,
) -> (Say, Vec<Finding>) {
    say_with(name, exchange, reading, history, &Pairs::of([exchange]))
}

/// What a rule says of the last of several exchanges.
fn say_last(name: &str, earlier: &[Exchange], exchange: &Exchange, reading: Reading) -> (Say, Vec<Finding>) {
    let pairs = Pairs::of(earlier.iter().chain([exchange]));
    say_with(name, exchange, reading, &History::default(), &pairs)
}

fn say_with(
    name: &str,
    exchange: &Exchange,
    reading: Reading,
    history: &History<'_>,
    pairs: &Pairs<'_>,
) -> (Say, Vec<Finding>) {
    static DEFINITIONS: std::sync::LazyLock<Definitions> =
        std::sync::LazyLock::new(|| Definitions::of(SchemaSet::core()));
    let mutes = BTreeMap::new();
    let context = RuleContext {
        level: Level::Must,
        spec: &[],
        place: None,
        definitions: &DEFINITIONS,
        history,
        capabilities: &AllBut(&[]),
        reading,
        mutes: &mutes,
        pairs,
        validated: None,
    };
    let view = View::of(&context);
    let rule = by_name(name).unwrap_or_else(|| panic!("no rule {name}"));
    match (rule.judge)(exchange, &view) {
        RuleVerdict::NotEligible => (Say::Silent, Vec::new()),
        RuleVerdict::Held => (Say::Held, Vec::new()),
        RuleVerdict::Broke(findings) | RuleVerdict::BrokeBeside { findings, .. } => {
            let worst = findings.iter().map(|finding| finding.severity).max();
            (if worst == Some(Severity::Failure) { Say::Fails } else { Say::Warns }, findings)
        }
    }
}

/// A named exchange with what the rule should say, in the lenient reading.
type Row = (&'static str, Exchange, Say);

fn check(rule: &str, rows: Vec<Row>) {
    let says: BTreeSet<String> = rows.iter().map(|(_, _, say)| format!("{say:?}")).collect();
    assert!(says.contains("Held"), "{rule} needs a green example");
    assert!(says.contains("Fails") || says.contains("Warns"), "{rule} needs a red example");
    for (what, exchange, expected) in rows {
        let (said, findings) = say(rule, &exchange, Reading::Lenient);
        assert_eq!(said, expected, "{rule}: {what}: {findings:#?}");
        for finding in findings {
            assert_eq!(finding.check, rule);
            assert!(!finding.message.contains('\n'), "{rule}: {}", finding.message);
            assert!(
                !finding.signature.expected.is_empty() && !finding.signature.actual.is_empty(),
                "{rule}: {what}"
            );
        }
    }
}

fn get_user() -> Exchange {
    exchange("GET", "/Users/1", 200, user("1"))
}

fn get(body: Value) -> Exchange {
    exchange("GET", "/Users/1", 200, body)
}

fn created(body: Value) -> Exchange {
    with_header(exchange("POST", "/Users", 201, body), "Location", "http://127.0.0.1:8080/scim/v2/Users/1")
}

fn query(path: &str, body: Value) -> Exchange {
    exchange("GET", path, 200, body)
}

const SCIM: &[(&str, &str)] = &[("Content-Type", "application/scim+json; charset=utf-8")];
const HTML: &[(&str, &str)] = &[("Content-Type", "text/html")];

#[test]
fn http_rules() {
    check(
        "no-server-error",
        vec![
            ("a success", get_user(), Say::Held),
            ("an error", exchange("GET", "/Users/2", 404, error(404, None)), Say::Held),
            ("500", exchange("POST", "/Users", 500, error(500, None)), Say::Fails),
            ("501 refuses a feature", exchange("PATCH", "/Users/1", 501, error(501, None)), Say::Silent),
            ("503 asks for patience", exchange("GET", "/Users/1", 503, Value::Null), Say::Silent),
        ],
    );
    let typed = |kind: &'static str| raw("GET", "/Users/1", 200, &[("Content-Type", kind)], b"{}");
    let mut wants_json = typed("application/json");
    wants_json.request.headers = vec![("Accept".into(), "application/json".into())];
    let mut wants_html = typed("text/html");
    wants_html.request.headers = vec![("Accept".into(), "text/html".into())];
    let mut head = typed("text/html");
    head.request.method = "HEAD".into();
    let mut options = typed("text/plain");
    options.request.method = "OPTIONS".into();
    check(
        "content-type",
        vec![
            ("scim+json", get_user(), Say::Held),
            ("with charset", typed("application/scim+json; charset=utf-8"), Say::Held),
            ("in capitals", typed("Application/SCIM+JSON"), Say::Held),
            ("json", typed("application/json"), Say::Warns),
            ("json where json was asked for", wants_json, Say::Held),
            ("html where html was asked for", wants_html, Say::Silent),
            ("html", typed("text/html"), Say::Fails),
            ("none", raw("GET", "/Users/1", 200, &[], b"{}"), Say::Fails),
            ("a gateway's 401", raw("GET", "/Users", 401, HTML, b"<html>"), Say::Warns),
            ("an unknown endpoint", raw("GET", "/Nothing", 404, HTML, b"<html>"), Say::Warns),
            ("204", exchange("DELETE", "/Users/1", 204, Value::Null), Say::Silent),
            ("304", raw("GET", "/Users/1", 304, HTML, b""), Say::Silent),
            ("HEAD", head, Say::Silent),
            ("OPTIONS", options, Say::Silent),
        ],
    );
    assert_eq!(say("content-type", &typed("application/json"), Reading::Strict).0, Say::Fails);
    check(
        "charset-is-utf-8",
        vec![
            ("utf-8", typed("application/scim+json; charset=UTF-8"), Say::Held),
            ("quoted", typed("application/scim+json; charset=\"utf-8\""), Say::Held),
            ("none", typed("application/scim+json"), Say::Silent),
            ("latin", typed("application/scim+json; charset=iso-8859-1"), Say::Fails),
            ("not JSON", typed("text/html; charset=iso-8859-1"), Say::Silent),
        ],
    );
    let mut cut = get_user();
    if let Ok(response) = &mut cut.answer {
        response.body = Body::broken(
            bytes::Bytes::from_static(b"{"),
            BodyProblem::CutOff { received: 1, why: "reset".into() },
        );
    }
    check(
        "json-well-formed",
        vec![
            ("JSON", get_user(), Say::Held),
            ("broken", raw("GET", "/Users/1", 200, SCIM, b"{\"id\": "), Say::Fails),
            ("not UTF-8", raw("GET", "/Users/1", 200, SCIM, b"\"\xff\""), Say::Fails),
            ("a mark", raw("GET", "/Users/1", 200, SCIM, b"\xef\xbb\xbf{}"), Say::Fails),
            ("html that says so", raw("GET", "/Users/1", 404, HTML, b"<html>"), Say::Silent),
            ("empty", raw("GET", "/Users/1", 200, SCIM, b""), Say::Silent),
            ("a connection that broke", cut, Say::Silent),
        ],
    );
    check(
        "member-names-unique",
        vec![
            ("unique", get_user(), Say::Held),
            (
                "the same name in two objects",
                raw("GET", "/Users/1", 200, SCIM, br#"{"a":{"b":1},"c":[{"b":1}]}"#),
                Say::Held,
            ),
            ("repeated", raw("GET", "/Users/1", 200, SCIM, br#"{"a":{"b":1,"c":2,"b":3}}"#), Say::Fails),
            ("broken JSON", raw("GET", "/Users/1", 200, SCIM, b"{"), Say::Silent),
        ],
    );
    check(
        "body-present",
        vec![
            ("GET", get_user(), Say::Held),
            ("GET without", exchange("GET", "/Users/1", 200, Value::Null), Say::Fails),
            ("PATCH 200 without", exchange("PATCH", "/Users/1", 200, Value::Null), Say::Fails),
            ("PATCH 204", exchange("PATCH", "/Users/1", 204, Value::Null), Say::Silent),
            ("POST 201 without", exchange("POST", "/Users", 201, Value::Null), Say::Warns),
            ("DELETE 204", exchange("DELETE", "/Users/1", 204, Value::Null), Say::Silent),
            ("an error without", exchange("GET", "/Users/1", 404, Value::Null), Say::Silent),
        ],
    );
    check(
        "no-content",
        vec![
            ("empty", exchange("DELETE", "/Users/1", 204, Value::Null), Say::Held),
            ("length 0", raw("DELETE", "/Users/1", 204, &[("Content-Length", "0")], b""), Say::Held),
            ("length 2", raw("DELETE", "/Users/1", 204, &[("Content-Length", "2")], b""), Say::Fails),
            ("a body", exchange("DELETE", "/Users/1", 204, json!({})), Say::Fails),
            ("200", get_user(), Say::Silent),
        ],
    );
    let unauthorized = exchange("GET", "/Users", 401, error(401, None));
    check(
        "unauthorized-challenge",
        vec![
            ("challenge", with_header(unauthorized.clone(), "WWW-Authenticate", "Bearer"), Say::Held),
            ("none", unauthorized.clone(), Say::Warns),
            ("403", exchange("GET", "/Users", 403, error(403, None)), Say::Silent),
        ],
    );
    assert_eq!(say("unauthorized-challenge", &unauthorized, Reading::Strict).0, Say::Fails);
    let refused = exchange("DELETE", "/Schemas", 405, error(405, None));
    check(
        "allow-on-405",
        vec![
            ("Allow", with_header(refused.clone(), "Allow", "GET"), Say::Held),
            ("none", refused, Say::Warns),
            ("501", exchange("DELETE", "/Schemas", 501, error(501, None)), Say::Silent),
        ],
    );
    let not_modified = exchange("GET", "/Users/1", 304, Value::Null);
    check(
        "etag-on-304",
        vec![
            ("ETag", with_header(not_modified.clone(), "ETag", "W/\"1\""), Say::Held),
            ("none", not_modified.clone(), Say::Warns),
            ("200", get_user(), Say::Silent),
        ],
    );
    assert_eq!(say("etag-on-304", &not_modified, Reading::Strict).0, Say::Fails);
    let cookie = |text: &str| with_header(get_user(), "Set-Cookie", text);
    check(
        "cookies-end-with-the-session",
        vec![
            ("of the session", cookie("id=7; Path=/; HttpOnly"), Say::Held),
            ("a year", cookie("id=7; Max-Age=31536000"), Say::Fails),
            ("a far day", cookie("id=7; expires=Wed, 01 Jan 2098 00:00:00 GMT"), Say::Fails),
            ("taken away", cookie("id=; Max-Age=0; Expires=Wed, 01 Jan 2098 00:00:00 GMT"), Say::Held),
            ("of the past", cookie("id=; Expires=Thu, 01 Jan 1970 00:00:00 GMT"), Say::Held),
            ("no date", cookie("id=7; Expires=never"), Say::Held),
            ("none", get_user(), Say::Silent),
        ],
    );
    let mut repeated = exchange("GET", "/Users/1", 401, error(401, None));
    if let Ok(response) = &mut repeated.answer {
        response.repeats_secret = true;
    }
    let mut of_nobody = get_user();
    of_nobody.request.auth = Auth::None;
    check(
        "credentials-not-repeated",
        vec![
            ("a user", get_user(), Say::Held),
            ("the token", repeated, Say::Fails),
            ("no credentials", of_nobody.clone(), Say::Silent),
        ],
    );
    let cached = |text: &str| with_header(get_user(), "Cache-Control", text);
    let cross = |origin: &str, credentials: &str| {
        let open = with_header(get_user(), "Access-Control-Allow-Origin", origin);
        with_header(open, "Access-Control-Allow-Credentials", credentials)
    };
    check(
        "resources-are-private",
        vec![
            ("nothing said", get_user(), Say::Held),
            ("no-store", cached("no-store"), Say::Held),
            ("private", cached("private, max-age=60"), Say::Held),
            ("public", cached("public, max-age=600"), Say::Fails),
            ("for shared caches", cached("S-MaxAge=600"), Say::Fails),
            ("to be asked for again", cached("public, no-cache"), Say::Held),
            ("every page", cross("*", "true"), Say::Fails),
            ("every page, without credentials", cross("*", "false"), Say::Held),
            ("one page", cross("https://console.example.com", "true"), Say::Held),
            ("no credentials", of_nobody, Say::Silent),
            ("an error", exchange("GET", "/Users/1", 404, error(404, None)), Say::Silent),
        ],
    );
    let accepted = |headers: &[(&str, &str)]| raw("DELETE", "/Users/1", 202, headers, b"");
    let whole = [("Set-Txn", "7f3a"), ("Location", "/Users/1"), ("Preference-Applied", "respond-async")];
    check(
        "accepted-is-asynchronous",
        vec![
            ("all of it", accepted(&whole), Say::Held),
            ("no Preference-Applied", accepted(&whole[..2]), Say::Warns),
            ("no Location", accepted(&[whole[0], whole[2]]), Say::Fails),
            ("nothing", accepted(&[]), Say::Fails),
            ("a body", raw("DELETE", "/Users/1", 202, &whole, b"{}"), Say::Fails),
            ("204", exchange("DELETE", "/Users/1", 204, Value::Null), Say::Silent),
        ],
    );
    check(
        "no-stack-trace",
        vec![
            ("a detail", exchange("GET", "/Users/1", 404, error(404, None)), Say::Held),
            (
                "a trace",
                exchange(
                    "POST",
                    "/Users",
                    500,
                    with(error(500, None), "/detail", "x\n\tat com.acme.Users.create(Users.java:42)".into()),
                ),
                Say::Fails,
            ),
            (
                "python",
                raw("POST", "/Users", 500, HTML, b"Traceback (most recent call last): File x"),
                Say::Fails,
            ),
            ("a success", get_user(), Say::Silent),
        ],
    );
}

#[test]
fn error_rules() {
    let at = |status: u16, body: Value| exchange("GET", "/Users/1", status, body);
    let mut head = at(404, Value::Null);
    head.request.method = "HEAD".into();
    check(
        "error-shape",
        vec![
            ("an error", at(404, error(404, None)), Say::Held),
            ("without detail", at(404, with(error(404, None), "/detail", Value::Null)), Say::Held),
            ("with extra members", at(404, with(error(404, None), "/trackingId", 7.into())), Say::Held),
            ("empty", at(404, Value::Null), Say::Fails),
            ("html", raw("GET", "/Users/1", 404, HTML, b"<html>"), Say::Fails),
            ("other JSON", at(404, json!({"error": "not found"})), Say::Fails),
            ("a gateway's 401", raw("GET", "/Users", 401, HTML, b"<html>"), Say::Warns),
            ("429", raw("GET", "/Users", 429, &[], b""), Say::Warns),
            ("an unknown endpoint", raw("GET", "/Nothing", 404, HTML, b"<html>"), Say::Warns),
            ("no .search", raw("POST", "/Users/.search", 404, HTML, b"<html>"), Say::Warns),
            ("HEAD", head, Say::Silent),
            ("a success", get_user(), Say::Silent),
            (
                "a detail that is no text",
                at(404, with(error(404, None), "/detail", json!({"a": 1}))),
                Say::Fails,
            ),
        ],
    );
    let number = at(404, with(error(404, None), "/status", 404.into()));
    check(
        "error-status-matches",
        vec![
            ("the same", at(404, error(404, None)), Say::Held),
            ("a number", number.clone(), Say::Warns),
            ("none", at(404, with(error(404, None), "/status", Value::Null)), Say::Fails),
            ("another", at(404, error(400, None)), Say::Fails),
            ("no SCIM error", at(404, json!({"status": 4})), Say::Silent),
        ],
    );
    assert_eq!(say("error-status-matches", &number, Reading::Strict).0, Say::Fails);
    check(
        "scim-type-registered",
        vec![
            ("registered", at(400, error(400, Some("invalidFilter"))), Say::Held),
            ("of RFC 9865", at(400, error(400, Some("invalidCursor"))), Say::Held),
            ("made up", at(400, error(400, Some("badFilter"))), Say::Warns),
            ("a number", at(400, with(error(400, None), "/scimType", json!(7))), Say::Fails),
            ("none", at(400, error(400, None)), Say::Silent),
        ],
    );
}

#[test]
fn list_rules() {
    let one = || list(vec![user("1")]);
    let without = |name: &str| with(one(), &format!("/{name}"), Value::Null);
    let nothing = |extra: Value| {
        let mut body = json!({"schemas": [names::LIST_RESPONSE], "totalResults": 0});
        for (name, value) in extra.as_object().expect("an object") {
            body[name] = value.clone();
        }
        body
    };
    let cursor = json!({"schemas": [names::LIST_RESPONSE], "nextCursor": "x", "Resources": [user("1")]});
    check(
        "list-shape",
        vec![
            ("a list", query("/Users", one()), Say::Held),
            ("Resources missing at 0", query("/Users", nothing(json!({}))), Say::Held),
            ("Resources [] at 0", query("/Users", nothing(json!({"Resources": []}))), Say::Held),
            (
                "Resources null at 0",
                raw(
                    "GET",
                    "/Users",
                    200,
                    SCIM,
                    format!(
                        r#"{{"schemas":["{}"],"totalResults":0,"Resources":null}}"#,
                        names::LIST_RESPONSE
                    )
                    .as_bytes(),
                ),
                Say::Warns,
            ),
            (
                "count=0",
                query("/Users?count=0", with(without("Resources"), "/totalResults", 9.into())),
                Say::Held,
            ),
            ("beyond the end", query("/Users?startIndex=5", without("Resources")), Say::Held),
            ("Resources missing", query("/Users", without("Resources")), Say::Fails),
            ("no totalResults", query("/Users", without("totalResults")), Say::Fails),
            ("no totalResults with a cursor", query("/Users?cursor", cursor), Say::Held),
            ("totalResults as text", query("/Users", with(one(), "/totalResults", "1".into())), Say::Fails),
            ("startIndex as text", query("/Users", with(one(), "/startIndex", "1".into())), Say::Fails),
            ("no schemas", query("/Users", without("schemas")), Say::Fails),
            ("an array", query("/Users", json!([user("1")])), Say::Fails),
            ("discovery", query("/Schemas", nothing(json!({}))), Say::Held),
            ("discovery as an array", query("/Schemas", json!([])), Say::Fails),
            ("a single resource", get_user(), Say::Silent),
            ("ServiceProviderConfig", query("/ServiceProviderConfig", json!({})), Say::Silent),
            ("an error", exchange("GET", "/Users", 400, error(400, None)), Say::Silent),
            (
                "search",
                with_request(exchange("POST", "/Users/.search", 200, json!({})), &json!({})),
                Say::Fails,
            ),
        ],
    );
    let partial = |body: Value| with(body, "/totalResults", 7.into());
    let items = query("/Users", with(one(), "/itemsPerPage", 20.into()));
    check(
        "list-arithmetic",
        vec![
            ("a list", query("/Users", one()), Say::Held),
            (
                "complete without counters",
                query("/Users", with(without("startIndex"), "/itemsPerPage", Value::Null)),
                Say::Held,
            ),
            ("a page", query("/Users?count=1", partial(one())), Say::Held),
            ("a cap", query("/Users?count=100", partial(one())), Say::Held),
            (
                "a page that says nothing",
                query("/Users?count=1", with(partial(without("startIndex")), "/itemsPerPage", Value::Null)),
                Say::Fails,
            ),
            ("a page that says half", query("/Users?count=1", partial(without("startIndex"))), Say::Warns),
            ("more than the total", query("/Users", with(one(), "/totalResults", 0.into())), Say::Fails),
            ("itemsPerPage is the page size asked for", items.clone(), Say::Warns),
            ("more than count", query("/Users?count=0", one()), Say::Fails),
            ("negative count", query("/Users?count=-1", one()), Say::Fails),
            ("count that is no number", query("/Users?count=abc", one()), Say::Held),
            (
                "startIndex echoed",
                query("/Users?startIndex=3", with(partial(one()), "/startIndex", 3.into())),
                Say::Held,
            ),
            ("startIndex not kept", query("/Users?startIndex=3", partial(one())), Say::Fails),
            ("startIndex below 1", query("/Users?startIndex=0", one()), Say::Held),
            (
                "startIndex 9999 on an empty page",
                query(
                    "/Users?startIndex=9999",
                    json!({"schemas": [names::LIST_RESPONSE], "totalResults": 7, "startIndex": 9999, "itemsPerPage": 0, "Resources": []}),
                ),
                Say::Held,
            ),
            ("discovery ignores count", query("/Schemas?count=0", list(vec![json!({"id": "x"})])), Say::Held),
            (
                "search",
                with_request(exchange("POST", "/Users/.search", 200, one()), &json!({"count": 0})),
                Say::Fails,
            ),
            ("not a list", get_user(), Say::Silent),
        ],
    );
    assert_eq!(say("list-arithmetic", &items, Reading::Strict).0, Say::Fails);
    check(
        "list-no-repeats",
        vec![
            ("two", query("/Users", list(vec![user("1"), user("2")])), Say::Held),
            ("twice", query("/Users", list(vec![user("1"), user("2"), user("1")])), Say::Fails),
            ("one", query("/Users", one()), Say::Silent),
            ("rows without id", query("/Users", list(vec![json!({}), json!({})])), Say::Held),
        ],
    );
    let many = |count: usize| list((0..count).map(|id| user(&id.to_string())).collect());
    check(
        "list-within-limit",
        vec![
            ("as many as the limit", query("/Users", many(3)), Say::Held),
            ("none", query("/Users", many(0)), Say::Held),
            ("more", query("/Users?count=10", many(4)), Say::Fails),
            ("more by search", exchange("POST", "/Users/.search", 200, many(4)), Say::Fails),
            ("discovery", query("/Schemas", many(4)), Say::Silent),
            ("not a list", get_user(), Say::Silent),
        ],
    );
}

#[test]
fn resource_rules() {
    let without = |pointer: &str| with(user("1"), pointer, Value::Null);
    check(
        "schemas-present",
        vec![
            ("there", get_user(), Say::Held),
            ("in rows", query("/Users", list(vec![user("1")])), Say::Held),
            ("missing", get(without("/schemas")), Say::Fails),
            ("empty", get(with(user("1"), "/schemas", json!([]))), Say::Fails),
            ("a text", get(with(user("1"), "/schemas", names::USER.into())), Say::Fails),
            ("twice", get(with(user("1"), "/schemas", json!([names::USER, names::USER]))), Say::Fails),
            ("missing in a row", query("/Users", list(vec![user("1"), without("/schemas")])), Say::Fails),
            (
                "missing in a projection",
                query("/Users?attributes=userName", list(vec![without("/schemas")])),
                Say::Warns,
            ),
            (
                "missing in /Schemas",
                query("/Schemas", list(vec![json!({"id": "urn:x", "attributes": []})])),
                Say::Warns,
            ),
            ("an error", exchange("GET", "/Users/1", 404, error(404, None)), Say::Silent),
            ("nothing", exchange("DELETE", "/Users/1", 204, Value::Null), Say::Silent),
        ],
    );
    check(
        "id-present",
        vec![
            ("there", get_user(), Say::Held),
            ("missing", get(without("/id")), Say::Fails),
            ("empty", get(with(user("1"), "/id", "".into())), Say::Fails),
            ("a number", get(with(user("1"), "/id", 1.into())), Say::Fails),
            ("bulkId", get(with(user("1"), "/id", "bulkId:7".into())), Say::Fails),
            (
                "missing in a projection",
                query("/Users?attributes=userName", list(vec![without("/id")])),
                Say::Fails,
            ),
            (
                "ServiceProviderConfig has none",
                query("/ServiceProviderConfig", json!({"schemas": [names::SERVICE_PROVIDER_CONFIG]})),
                Say::Silent,
            ),
            (
                "ResourceTypes have none",
                query("/ResourceTypes", list(vec![json!({"name": "User"})])),
                Say::Silent,
            ),
        ],
    );
    check(
        "id-stable",
        vec![
            ("the same", get_user(), Say::Held),
            ("with a query", query("/Users/1?attributes=id", user("1")), Say::Held),
            ("percent-encoded", query("/Users/ann%40example.com", user("ann@example.com")), Say::Held),
            (
                "an e-mail address in other letters",
                query("/Users/ANN%40example.com", user("ann@example.com")),
                Say::Held,
            ),
            ("another", get(user("2")), Say::Fails),
            ("after PUT", exchange("PUT", "/Users/1", 200, user("2")), Say::Fails),
            ("a create", created(user("1")), Say::Silent),
            (
                "discovery",
                query("/ResourceTypes/User", json!({"id": "x", "schemas": [names::RESOURCE_TYPE]})),
                Say::Silent,
            ),
        ],
    );
    check(
        "meta-complete",
        vec![
            ("whole", get_user(), Say::Held),
            ("missing", get(without("/meta")), Say::Fails),
            ("no resourceType", get(without("/meta/resourceType")), Say::Fails),
            ("no location", get(without("/meta/location")), Say::Fails),
            ("no created", get(without("/meta/created")), Say::Warns),
            ("created as a number", get(with(user("1"), "/meta/created", 1.into())), Say::Fails),
            ("a projection", query("/Users/1?attributes=userName", without("/meta")), Say::Silent),
            (
                "discovery",
                query("/ServiceProviderConfig", json!({"schemas": [names::SERVICE_PROVIDER_CONFIG]})),
                Say::Silent,
            ),
        ],
    );
    check(
        "meta-resource-type",
        vec![
            ("User", get_user(), Say::Held),
            ("Users", get(with(user("1"), "/meta/resourceType", "Users".into())), Say::Fails),
            ("in other letters", get(with(user("1"), "/meta/resourceType", "user".into())), Say::Fails),
            ("no meta", get(without("/meta")), Say::Silent),
            (
                "discovery",
                query("/Schemas", list(vec![json!({"id": "urn:x", "meta": {"resourceType": "Schemas"}})])),
                Say::Warns,
            ),
        ],
    );
    check(
        "location-on-create",
        vec![
            ("there", created(user("1")), Say::Held),
            (
                "relative",
                with_header(exchange("POST", "/Users", 201, user("1")), "Location", "/scim/v2/Users/1"),
                Say::Held,
            ),
            ("missing", exchange("POST", "/Users", 201, user("1")), Say::Fails),
            ("of another", created(user("2")), Say::Warns),
            ("without a body", created(Value::Null), Say::Held),
            ("200", exchange("POST", "/Users", 200, user("1")), Say::Silent),
        ],
    );
    let located = |at: &str| with_header(get_user(), "Location", at);
    check(
        "location-equals-meta",
        vec![
            ("the same", located("http://127.0.0.1:8080/scim/v2/Users/1"), Say::Held),
            ("with a slash", located("http://127.0.0.1:8080/scim/v2/Users/1/"), Say::Held),
            ("relative header", located("/scim/v2/Users/1"), Say::Held),
            ("another", located("http://127.0.0.1:8080/scim/v2/Users/2"), Say::Fails),
            ("another host", located("https://scim.example.com/scim/v2/Users/1"), Say::Warns),
            (
                "a relative meta.location",
                with_header(
                    get(with(user("1"), "/meta/location", "/Users/1".into())),
                    "Location",
                    "http://127.0.0.1:8080/scim/v2/Users/1",
                ),
                Say::Warns,
            ),
            (
                "Content-Location differs",
                with_header(get_user(), "Content-Location", "/scim/v2/Users/9"),
                Say::Fails,
            ),
            ("no header", get_user(), Say::Silent),
        ],
    );
    let at = |location: &str| get(with(user("1"), "/meta/location", location.into()));
    check(
        "location-is-address",
        vec![
            ("as it is", get_user(), Say::Held),
            ("relative", at("/Users/1"), Say::Held),
            ("encoded", at("http://127.0.0.1:8080/scim/v2/Users/a%20b%C3%A9"), Say::Held),
            ("of another host", at("https://scim.example.com/other/Users/1"), Say::Held),
            ("below more versions", at("https://example.com/v1/scim/v2/Users/1"), Say::Held),
            ("a query", at("http://127.0.0.1:8080/scim/v2/Users/1?tenant=7"), Say::Fails),
            ("a blank", at("http://127.0.0.1:8080/scim/v2/Users/a b"), Say::Fails),
            ("beyond ASCII", at("http://127.0.0.1:8080/scim/v2/Users/é"), Say::Fails),
            ("the version elsewhere", at("http://127.0.0.1:8080/v2/scim/Users/1"), Say::Fails),
            ("an error", exchange("GET", "/Users/1", 404, error(404, None)), Say::Silent),
        ],
    );
    check(
        "etag-syntax",
        vec![
            ("weak", with_header(get_user(), "ETag", "W/\"1\""), Say::Held),
            ("strong", with_header(get_user(), "ETag", "\"1\""), Say::Held),
            ("bare", with_header(get_user(), "ETag", "1"), Say::Fails),
            ("small w", with_header(get_user(), "ETag", "w/\"1\""), Say::Fails),
            ("none", get_user(), Say::Silent),
        ],
    );
    check(
        "etag-equals-version",
        vec![
            ("the same", with_header(get_user(), "ETag", "W/\"1\""), Say::Held),
            ("without W/", with_header(get_user(), "ETag", "\"1\""), Say::Warns),
            ("another", with_header(get_user(), "ETag", "W/\"2\""), Say::Fails),
            ("no header on GET", get_user(), Say::Fails),
            ("no header on PUT", exchange("PUT", "/Users/1", 200, user("1")), Say::Silent),
            ("no version", with_header(get(without("/meta/version")), "ETag", "W/\"1\""), Say::Warns),
            ("a projection", query("/Users/1?attributes=userName", without("/meta")), Say::Silent),
            ("a list", query("/Users", list(vec![user("1")])), Say::Silent),
        ],
    );
    let password = json!({"schemas": [names::USER], "userName": "a", "password": "s3cret-Passw0rd"});
    let echoed = with(user("1"), "/nickName", "s3cret-Passw0rd".into());
    check(
        "password-never-returned",
        vec![
            ("none", get_user(), Say::Held),
            (
                "null",
                raw(
                    "GET",
                    "/Users/1",
                    200,
                    SCIM,
                    format!(r#"{{"schemas":["{}"],"id":"1","password":null}}"#, names::USER).as_bytes(),
                ),
                Say::Held,
            ),
            ("there", get(with(user("1"), "/password", "x".into())), Say::Fails),
            ("hidden by stars", get(with(user("1"), "/password", "********".into())), Say::Fails),
            ("in a row", query("/Users", list(vec![with(user("1"), "/Password", "x".into())])), Say::Fails),
            ("elsewhere", with_request(created(echoed), &password), Say::Fails),
            ("sent and not returned", with_request(created(user("1")), &password), Say::Held),
            (
                "a group has none",
                query("/Groups/1", json!({"schemas": [names::GROUP], "id": "1"})),
                Say::Silent,
            ),
        ],
    );
    let modified = |at: &str| created(with(user("1"), "/meta/lastModified", at.into()));
    check(
        "created-equals-modified",
        vec![
            ("the same", created(user("1")), Say::Held),
            ("in another form", modified("2026-11-22T11:00:00.000+01:00"), Say::Held),
            ("a moment later", modified("2026-11-22T10:00:00.004Z"), Say::Warns),
            ("much later", modified("2026-11-22T10:00:09Z"), Say::Fails),
            (
                "a read",
                get(with(user("1"), "/meta/lastModified", "2026-11-23T10:00:00Z".into())),
                Say::Silent,
            ),
        ],
    );
}

#[test]
fn schema_rules() {
    let changed = |pointer: &str, value: Value| get(with(user("1"), pointer, value));
    check(
        "date-time-format",
        vec![
            ("Z", get_user(), Say::Held),
            ("+00:00", changed("/meta/created", "2026-11-22T10:00:00+00:00".into()), Say::Held),
            ("microseconds", changed("/meta/created", "2026-11-22T10:00:00.123456Z".into()), Say::Held),
            ("no zone", changed("/meta/created", "2026-11-22T10:00:00".into()), Say::Warns),
            ("a blank for T", changed("/meta/created", "2026-11-22 10:00:00Z".into()), Say::Fails),
            ("a number", changed("/meta/created", 1_700_000_000.into()), Say::Fails),
            (
                "in a row",
                query("/Users", list(vec![with(user("1"), "/meta/lastModified", "today".into())])),
                Say::Fails,
            ),
            (
                "none there",
                query("/Users/1?attributes=userName", with(user("1"), "/meta", Value::Null)),
                Say::Silent,
            ),
        ],
    );
    check(
        "reference-syntax",
        vec![
            ("absolute", get_user(), Say::Held),
            ("relative", changed("/meta/location", "../Users/1".into()), Say::Held),
            ("empty", changed("/meta/location", "".into()), Say::Fails),
            ("with blanks", changed("/meta/location", "not a uri".into()), Say::Fails),
            ("the client's own profileUrl", changed("/profileUrl", "not a uri".into()), Say::Warns),
        ],
    );
    check(
        "attribute-types",
        vec![
            ("sound", get_user(), Say::Held),
            ("a boolean as text", changed("/active", "true".into()), Say::Fails),
            ("one object for an array", changed("/emails", json!({"value": "a"})), Say::Fails),
            ("a number for text", changed("/userName", 7.into()), Say::Fails),
            (
                "null",
                raw(
                    "GET",
                    "/Users/1",
                    200,
                    SCIM,
                    format!(
                        r#"{{"schemas":["{}"],"id":"1","userName":"a","title":null,"emails":[]}}"#,
                        names::USER
                    )
                    .as_bytes(),
                ),
                Say::Held,
            ),
            ("an error", exchange("GET", "/Users/1", 404, error(404, None)), Say::Silent),
        ],
    );
    check(
        "one-primary",
        vec![
            ("one", get_user(), Say::Held),
            (
                "two",
                changed("/emails", json!([{"value": "a", "primary": true}, {"value": "b", "primary": true}])),
                Say::Fails,
            ),
            (
                "none",
                changed("/emails", json!([{"value": "a"}, {"value": "b", "primary": false}])),
                Say::Held,
            ),
            ("no array of objects", changed("/emails", Value::Null), Say::Silent),
        ],
    );
    let with_container = with(user("1"), &format!("/{}", names::ENTERPRISE_USER), json!({"department": "x"}));
    let both = json!([names::USER, names::ENTERPRISE_USER]);
    check(
        "schemas-match",
        vec![
            ("the base schema", get_user(), Say::Held),
            ("with its container", get(with(with_container.clone(), "/schemas", both.clone())), Say::Held),
            ("a URI without container", get(with(user("1"), "/schemas", both)), Say::Held),
            ("a container without URI", get(with_container), Say::Fails),
            ("the base schema is missing", changed("/schemas", json!([names::GROUP])), Say::Fails),
            (
                "a projection",
                query("/Users/1?attributes=userName", json!({"schemas": [names::GROUP], "id": "1"})),
                Say::Silent,
            ),
        ],
    );
    check(
        "never-returned",
        vec![("none", get_user(), Say::Held), ("password", changed("/password", "x".into()), Say::Fails)],
    );
    check(
        "required-present",
        vec![
            ("there", get_user(), Say::Held),
            ("no userName", changed("/userName", Value::Null), Say::Fails),
            (
                "a projection",
                query("/Users/1?attributes=title", json!({"schemas": [names::USER], "id": "1"})),
                Say::Silent,
            ),
        ],
    );
    check(
        "attributes-declared",
        vec![
            ("declared", get_user(), Say::Held),
            ("a stranger", changed("/shoeSize", 44.into()), Say::Warns),
        ],
    );
}

#[test]
fn the_suite_of_rules_and_the_table_agree() {
    let library = Library::embedded().unwrap_or_else(|problems| panic!("{problems:#?}"));
    let suite = library
        .suites()
        .iter()
        .map(|file| &file.suite)
        .find(|suite| suite.suite == "rules")
        .expect("the suite of rules is embedded");
    let written: BTreeSet<&str> = suite.cases.iter().filter_map(|case| case.rule.as_deref()).collect();
    let known: BTreeSet<&str> = RULES.iter().map(|rule| rule.name).collect();
    assert_eq!(written, known);
    assert!(known.len() >= 18 && known.len() == RULES.len());
    for case in &suite.cases {
        assert_eq!(Some(case.id.as_str()), case.rule.as_deref());
        assert!(case.hint.is_some(), "{} has no hint", case.id);
        assert!(!case.spec.is_empty(), "{} cites nothing", case.id);
        for id in &case.spec {
            let requirement =
                Catalogue::embedded().get(id).unwrap_or_else(|| panic!("{}: no requirement {id}", case.id));
            assert!(
                case.level.is_none_or(|level| level <= requirement.level),
                "{}: stronger than {id}",
                case.id
            );
        }
    }
}

/// The requirements that single faults name are among those that the rule's case cites.
#[test]
fn faults_break_what_their_rule_cites() {
    let library = Library::embedded().unwrap_or_else(|problems| panic!("{problems:#?}"));
    let cases: BTreeMap<&str, &[String]> = library
        .suites()
        .iter()
        .filter(|file| file.suite.suite == "rules")
        .flat_map(|file| &file.suite.cases)
        .filter_map(|case| Some((case.rule.as_deref()?, case.spec.as_slice())))
        .collect();
    let mut seen = 0;
    for body in [
        user("1"),
        json!({"schemas": [names::USER, names::USER], "id": "bulkId:1", "meta": {"version": "x"}}),
        json!({"id": 1}),
        json!({"schemas": [names::LIST_RESPONSE], "totalResults": 9, "itemsPerPage": 3, "startIndex": 4, "Resources": [user("1")]}),
        json!({"schemas": [names::LIST_RESPONSE], "Resources": [user("1"), user("2")]}),
        json!({"schemas": [names::ERROR], "detail": 1}),
        json!({"error": 1}),
    ] {
        for (method, path, status) in [
            ("GET", "/Users/1", 200),
            ("GET", "/Users?count=1", 200),
            ("POST", "/Users", 201),
            ("GET", "/Users/1", 404),
        ] {
            let exchange = with_header(exchange(method, path, status, body.clone()), "ETag", "W/\"7\"");
            for rule in RULES {
                for finding in say(rule.name, &exchange, Reading::Lenient).1 {
                    for id in &finding.requirements {
                        assert!(
                            cases[rule.name].contains(id),
                            "{}: {id} is not cited by its case",
                            rule.name
                        );
                        seen += 1;
                    }
                }
            }
        }
    }
    assert!(seen > 10);
}

#[test]
fn equal_findings_are_one_with_several_exchanges() {
    let rule = by_name("id-present").expect("the rule");
    let mut broken: Vec<Exchange> = (0..4).map(|_| get(with(user("1"), "/id", Value::Null))).collect();
    broken.push(query("/Users", list(vec![with(user("1"), "/id", Value::Null)])));
    broken.push(get_user());
    broken.push(exchange("DELETE", "/Users/1", 204, Value::Null));
    for (index, exchange) in broken.iter_mut().enumerate() {
        exchange.id = ExchangeId(index as u64 + 1);
    }
    let mutes = BTreeMap::from([("id-present".to_owned(), BTreeSet::from([ExchangeId(4)]))]);
    let spec = ["RFC7643-3.1-11".to_owned()];
    let definitions = Definitions::of(SchemaSet::core());
    let context = RuleContext {
        level: Level::Should,
        spec: &spec,
        place: None,
        definitions: &definitions,
        history: &History::default(),
        capabilities: &AllBut(&[]),
        reading: Reading::Lenient,
        mutes: &mutes,
        pairs: &Pairs::default(),
        validated: None,
    };
    let outcome = judge_all(rule, &broken, &context);
    assert_eq!(outcome.eligible, 5);
    for found in &outcome.findings {
        assert_eq!(found.finding.level, Level::Should);
        assert_eq!(found.finding.severity, Severity::Warning, "no more than the level of the case");
        assert_eq!(found.finding.requirements, ["RFC7643-3.1-05", "RFC7643-3.1-12"], "what it breaks itself");
    }
    let shown: Vec<(&str, Vec<u64>)> = outcome
        .findings
        .iter()
        .map(|found| {
            (found.finding.signature.endpoint.as_str(), found.exchanges.iter().map(|id| id.0).collect())
        })
        .collect();
    assert_eq!(shown, [("/Users/{id}", vec![1, 2, 3]), ("/Users", vec![5])]);
}

/// A read of a user with attributes that nobody declares, named by numbers from one on, or by what is given.
fn with_strangers(id: u64, names: impl IntoIterator<Item = String>) -> Exchange {
    let mut stranger = user("1");
    stranger.as_object_mut().expect("an object").extend(names.into_iter().map(|name| (name, json!(1))));
    Exchange { id: ExchangeId(id), ..get(stranger) }
}

#[test]
fn a_rule_tells_of_so_many_findings_and_no_more() {
    let rule = by_name("attributes-declared").expect("the rule");
    let names = |from: u64| (0..150).map(move |number| format!("stranger{}", from * 1000 + number));
    let broken: Vec<Exchange> = (1..=3).map(|id| with_strangers(id, names(id))).collect();
    let definitions = Definitions::of(SchemaSet::core());
    let context = RuleContext {
        level: Level::Must,
        spec: &[],
        place: None,
        definitions: &definitions,
        history: &History::default(),
        capabilities: &AllBut(&[]),
        reading: Reading::Lenient,
        mutes: &BTreeMap::new(),
        pairs: &Pairs::default(),
        validated: None,
    };
    let outcome = judge_all(rule, &broken, &context);
    assert_eq!((outcome.eligible, outcome.findings.len()), (3, super::MOST_FINDINGS));
}

#[test]
fn a_long_name_of_the_service_providers_does_not_make_a_long_signature() {
    let (said, findings) =
        say("attributes-declared", &with_strangers(1, ["x".repeat(5000)]), Reading::Lenient);
    assert_eq!((said, findings.len()), (Say::Warns, 1));
    let class = &findings[0].signature.expected;
    assert!(class.contains("xxx") && class.len() < 250, "{class}");
}

#[test]
fn an_empty_content_type_is_said_to_be_empty() {
    let (said, findings) =
        say("content-type", &raw("GET", "/Users/1", 200, &[("Content-Type", "")], b"{}"), Reading::Lenient);
    assert_eq!((said, findings[0].actual.as_str()), (Say::Fails, "empty"));
    assert_eq!(findings[0].signature.actual, "empty");
}

#[test]
fn a_group_of_many_members_is_looked_through_once() {
    let group = |last: u64| {
        let members =
            (0..30_000).chain([last]).map(|number| json!({"value": format!("u{number}"), "type": "User"}));
        let members: Vec<Value> = members.collect();
        get(with(with(user("1"), "/emails", Value::from(members)), "/title", json!("x")))
    };
    assert_eq!(say("values-differ", &group(30_000), Reading::Lenient).0, Say::Held);
    assert_ne!(say("values-differ", &group(29_999), Reading::Lenient).0, Say::Held);
}

/// A read after other exchanges of the same case, numbered in order, with what the rule should say of it.
fn check_after(rule: &str, rows: Vec<(&str, Vec<Exchange>, Say)>) {
    let says: BTreeSet<String> = rows.iter().map(|(_, _, say)| format!("{say:?}")).collect();
    assert!(says.contains("Held") && says.contains("Fails"), "{rule} needs a green and a red example");
    for (what, mut exchanges, expected) in rows {
        for (index, exchange) in exchanges.iter_mut().enumerate() {
            if exchange.id == ExchangeId(1) {
                exchange.id = ExchangeId(index as u64 + 1);
            }
            exchange.started += chrono::TimeDelta::seconds(index as i64);
        }
        let last = exchanges.pop().expect("a read");
        let (said, findings) = say_last(rule, &exchanges, &last, Reading::Lenient);
        assert_eq!(said, expected, "{rule}: {what}: {findings:#?}");
        for finding in findings {
            assert_eq!(finding.check, rule);
            assert!(!finding.signature.expected.is_empty() && !finding.signature.actual.is_empty());
        }
    }
}

/// A write of `/Users/1`.
fn write(method: &str, status: u16, sent: &Value, answer: Value) -> Exchange {
    let path = if method == "POST" { "/Users" } else { "/Users/1" };
    with_request(exchange(method, path, status, answer), sent)
}

fn titled(title: &str) -> Value {
    with(user("1"), "/title", json!(title))
}

fn patch_title(title: &str) -> Value {
    json!({"schemas": [names::PATCH_OP], "Operations": [{"op": "replace", "path": "title", "value": title}]})
}

/// Of another case.
fn foreign(exchange: Exchange) -> Exchange {
    Exchange { origin: "test/other".to_owned(), ..exchange }
}

fn read_back(exchange: Exchange) -> Exchange {
    Exchange { reason: Some("read back".to_owned()), ..exchange }
}

#[test]
fn written_is_read() {
    let gone = || exchange("GET", "/Users/1", 404, error(404, None));
    let made = |sent: Value| write("POST", 201, &sent, user("1"));
    let put = |title: &str| write("PUT", 200, &titled(title), titled(title));
    let patch = |title: &str| write("PATCH", 204, &patch_title(title), Value::Null);
    let other_write = || with_request(exchange("PUT", "/Groups/7", 200, json!({})), &json!({}));
    let late = |mut exchange: Exchange| {
        exchange.id = ExchangeId(9);
        exchange
    };
    let slow = |mut exchange: Exchange| {
        exchange.elapsed = std::time::Duration::from_secs(60);
        exchange
    };
    check_after(
        "written-is-read",
        vec![
            ("made", vec![made(user("1")), get_user()], Say::Held),
            ("made otherwise", vec![made(titled("A")), get_user()], Say::Fails),
            ("made, and not there", vec![made(user("1")), read_back(gone())], Say::Fails),
            ("a 404 that a step asked for", vec![made(user("1")), gone()], Say::Silent),
            ("replaced", vec![put("A"), get(titled("A"))], Say::Held),
            ("replaced otherwise", vec![put("A"), get(titled("B"))], Say::Fails),
            (
                "kept",
                vec![get(titled("A")), write("PUT", 200, &user("1"), Value::Null), get(titled("A"))],
                Say::Warns,
            ),
            ("patched", vec![get_user(), patch("A"), get(titled("A"))], Say::Held),
            ("patched in vain", vec![get_user(), patch("A"), get_user()], Say::Fails),
            ("patched from the unknown", vec![patch("A"), get_user()], Say::Silent),
            ("patched after a write", vec![get_user(), put("B"), patch("A"), get(titled("B"))], Say::Silent),
            (
                "refused",
                vec![get_user(), write("PATCH", 400, &patch_title("A"), error(400, None)), get_user()],
                Say::Silent,
            ),
            (
                "broken",
                vec![get_user(), write("PATCH", 500, &patch_title("A"), error(500, None)), get_user()],
                Say::Silent,
            ),
            ("by another case", vec![foreign(put("A")), get(titled("B"))], Say::Silent),
            ("read by another case", vec![put("A"), foreign(get(titled("B")))], Say::Silent),
            ("projected", vec![put("A"), query("/Users/1?attributes=title", titled("B"))], Say::Silent),
            (
                "another resource written since",
                vec![get_user(), patch("A"), other_write(), get_user()],
                Say::Silent,
            ),
            ("an exchange that the log lost", vec![put("A"), late(get(titled("B")))], Say::Silent),
            ("read while it was written", vec![slow(put("A")), get(titled("B"))], Say::Silent),
            ("nothing written", vec![get_user(), get(titled("B"))], Say::Silent),
        ],
    );
    // Of several reads the last one counts, so that a slow server may be asked again.
    let earlier = [put("A"), get(titled("B")), get(titled("A"))].into_iter().enumerate().map(
        |(index, mut exchange)| {
            exchange.id = ExchangeId(index as u64 + 1);
            exchange.started += chrono::TimeDelta::seconds(index as i64);
            exchange
        },
    );
    let all: Vec<Exchange> = earlier.collect();
    let pairs = Pairs::of(&all);
    assert!(pairs.pair(&all[1]).is_none());
    assert!(pairs.pair(&all[2]).is_some());
}

#[test]
fn refused_changes_nothing() {
    let refused = |method: &str| write(method, 400, &patch_title("A"), error(400, None));
    check_after(
        "refused-changes-nothing",
        vec![
            ("as it was", vec![get_user(), refused("PATCH"), get_user()], Say::Held),
            ("changed by a PATCH", vec![get_user(), refused("PATCH"), get(titled("A"))], Say::Fails),
            ("changed by a PUT", vec![get_user(), refused("PUT"), get(titled("A"))], Say::Fails),
            (
                "gone by a DELETE",
                vec![
                    get_user(),
                    refused("DELETE"),
                    read_back(exchange("GET", "/Users/1", 404, error(404, None))),
                ],
                Say::Fails,
            ),
            ("never read before", vec![refused("PATCH"), get(titled("A"))], Say::Silent),
            (
                "too many requests",
                vec![get_user(), write("PATCH", 429, &patch_title("A"), error(429, None)), get(titled("A"))],
                Say::Silent,
            ),
            (
                "carried out",
                vec![get_user(), write("PATCH", 204, &patch_title("A"), Value::Null), get(titled("A"))],
                Say::Silent,
            ),
        ],
    );
}

#[test]
fn write_answer_is_read() {
    let put = |answer: Value| write("PUT", 200, &titled("A"), answer);
    check_after(
        "write-answer-is-read",
        vec![
            ("the same", vec![put(titled("A")), get(titled("A"))], Say::Held),
            ("another value", vec![put(titled("B")), get(titled("A"))], Say::Fails),
            ("something left out", vec![put(user("1")), get(titled("A"))], Say::Fails),
            (
                "left out of a create",
                vec![write("POST", 201, &titled("A"), user("1")), get(titled("A"))],
                Say::Warns,
            ),
            ("no answer", vec![write("PUT", 204, &titled("A"), Value::Null), get(titled("A"))], Say::Silent),
            (
                "left out of a create, and a group made of it since",
                vec![
                    write("POST", 201, &titled("A"), user("1")),
                    with_request(
                        exchange("POST", "/Groups", 201, json!({"id": "2", "displayName": "Team"})),
                        &json!({"displayName": "Team", "members": [{"value": "1"}]}),
                    ),
                    get(titled("A")),
                ],
                Say::Silent,
            ),
            (
                "another version",
                vec![put(with(titled("A"), "/meta/version", json!("W/\"0\""))), get(titled("A"))],
                Say::Warns,
            ),
        ],
    );
}

#[test]
fn created_stays_and_deleted_is_gone() {
    let at = |time: &str| get(with(user("1"), "/meta/created", json!(time)));
    check_after(
        "created-stays",
        vec![
            ("the same", vec![get_user(), get_user()], Say::Held),
            ("in another zone", vec![get_user(), at("2026-11-22T11:00:00+01:00")], Say::Held),
            ("later", vec![get_user(), at("2026-11-22T10:00:01Z")], Say::Fails),
            (
                "more digits in the answer to a write",
                vec![
                    write(
                        "POST",
                        201,
                        &user("1"),
                        with(user("1"), "/meta/created", json!("2026-11-22T10:00:00.789Z")),
                    ),
                    get_user(),
                ],
                Say::Held,
            ),
            (
                "milliseconds later",
                vec![at("2026-11-22T10:00:00.001Z"), at("2026-11-22T10:00:00.002Z")],
                Say::Fails,
            ),
            ("seen once", vec![get_user()], Say::Silent),
            ("in another case", vec![foreign(get_user()), at("2026-11-22T10:00:01Z")], Say::Silent),
        ],
    );
    let deleted = || exchange("DELETE", "/Users/1", 204, Value::Null);
    let answers = |status: u16| exchange("GET", "/Users/1", status, error(status, None));
    check_after(
        "deleted-is-gone",
        vec![
            ("gone", vec![deleted(), answers(404)], Say::Held),
            ("410", vec![deleted(), answers(410)], Say::Warns),
            ("still there", vec![deleted(), get_user()], Say::Fails),
            ("no access", vec![deleted(), answers(401)], Say::Silent),
            (
                "not deleted",
                vec![exchange("DELETE", "/Users/1", 403, error(403, None)), get_user()],
                Say::Silent,
            ),
        ],
    );
}

#[test]
fn versions_follow_writes_and_times_never_go_back() {
    let versioned = |resource: Value, version: &str| with(resource, "/meta/version", json!(version));
    let put = |answer: Value| write("PUT", 200, &titled("A"), answer);
    let late = |resource: Value, time: &str| with(resource, "/meta/lastModified", json!(time));
    check_after(
        "version-follows-writes",
        vec![
            (
                "a new one",
                vec![
                    get_user(),
                    put(versioned(titled("A"), "W/\"2\"")),
                    get(versioned(titled("A"), "W/\"2\"")),
                ],
                Say::Held,
            ),
            (
                "the answer has the old one",
                vec![get_user(), put(titled("A")), get(versioned(titled("A"), "W/\"2\""))],
                Say::Fails,
            ),
            (
                "a create has another one",
                vec![write("POST", 201, &titled("A"), titled("A")), get(versioned(titled("A"), "W/\"2\""))],
                Say::Fails,
            ),
            ("the same in quotes", vec![get_user(), put(versioned(user("1"), "1")), get_user()], Say::Held),
            (
                "frozen",
                vec![
                    get_user(),
                    put(late(titled("A"), "2026-11-22T10:00:09Z")),
                    get(late(titled("A"), "2026-11-22T10:00:09Z")),
                ],
                Say::Fails,
            ),
            ("frozen within a second", vec![get_user(), put(titled("A")), get(titled("A"))], Say::Warns),
            (
                "frozen within a second, and not shown by the write",
                vec![get_user(), write("PUT", 204, &titled("A"), Value::Null), get(titled("A"))],
                Say::Warns,
            ),
            (
                "not shown by the write",
                vec![
                    get_user(),
                    write("PUT", 204, &titled("A"), Value::Null),
                    get(versioned(titled("A"), "W/\"2\"")),
                ],
                Say::Silent,
            ),
            (
                "another one after a refusal",
                vec![
                    get_user(),
                    write("PUT", 400, &titled("A"), error(400, None)),
                    get(versioned(user("1"), "W/\"2\"")),
                ],
                Say::Warns,
            ),
            (
                "the same after a refusal",
                vec![get_user(), write("PUT", 400, &titled("A"), error(400, None)), get_user()],
                Say::Held,
            ),
        ],
    );
    check_after(
        "modified-never-back",
        vec![
            ("the same", vec![get_user(), put(titled("A")), get(titled("A"))], Say::Held),
            (
                "later",
                vec![get_user(), put(titled("A")), get(late(titled("A"), "2026-11-22T10:00:01Z"))],
                Say::Held,
            ),
            (
                "earlier",
                vec![get_user(), put(titled("A")), get(late(titled("A"), "2026-11-22T09:59:59Z"))],
                Say::Fails,
            ),
            (
                "never read before",
                vec![put(titled("A")), get(late(titled("A"), "2001-01-01T00:00:00Z"))],
                Say::Silent,
            ),
        ],
    );
}

fn json_value() -> impl Strategy<Value = Value> {
    let name = prop_oneof![
        Just("schemas".to_owned()),
        Just("id".to_owned()),
        Just("meta".to_owned()),
        Just("Resources".to_owned()),
        Just("totalResults".to_owned()),
        Just("emails".to_owned()),
        Just("status".to_owned()),
        "[a-zA-Z$:.\\[\\]]{0,6}",
    ];
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        ".{0,8}".prop_map(Value::from),
        Just(Value::from(names::USER)),
        Just(Value::from(names::LIST_RESPONSE)),
        Just(Value::from(names::ERROR)),
    ];
    leaf.prop_recursive(5, 40, 6, move |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            proptest::collection::vec((name.clone(), inner), 0..6)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn no_rule_panics(
        body in json_value(),
        status in prop_oneof![Just(200_u16), Just(201), Just(204), Just(400), Just(401), Just(404), Just(500)],
        method in prop_oneof![Just("GET"), Just("POST"), Just("PATCH"), Just("HEAD")],
        path in prop_oneof![Just("/Users"), Just("/Users/1?count=-1"), Just("/Users/.search"), Just("/Schemas"), Just("/"), Just("")],
        header in "[ -~]{0,12}",
    ) {
        let answered = with_header(exchange(method, path, status, body.clone()), "Location", &header);
        let answered = with_request(with_header(answered, "ETag", &header), &body);
        for rule in RULES {
            say(rule.name, &answered, Reading::Strict);
        }
    }
}

/// What a run showed before: two users created for all cases, and a list of both.
fn shown_before() -> Vec<Exchange> {
    let bob = with(with(user("2"), "/userName", json!("bob")), "/emails", Value::Null);
    let mut told = vec![
        exchange("POST", "/Users", 201, user("1")),
        exchange("POST", "/Users", 201, user("2")),
        exchange("GET", "/Users", 200, list(vec![user("1"), bob])),
    ];
    for (index, exchange) in told.iter_mut().enumerate() {
        exchange.id = ExchangeId(index as u64 + 1);
        exchange.origin = "population".to_owned();
        exchange.started -= chrono::TimeDelta::seconds(60 - index as i64);
    }
    told
}

/// A query of Users by a filter.
fn filtered(filter: &str, rows: Vec<Value>) -> Exchange {
    let encoded = percent_encoding::utf8_percent_encode(filter, percent_encoding::NON_ALPHANUMERIC);
    exchange("GET", &format!("/Users?filter={encoded}"), 200, list(rows))
}

#[test]
fn rows_are_judged_by_the_filter() {
    let ann = r#"userName eq "Ann@example.com""#;
    let stranger = || with(user("9"), "/userName", json!("zoe"));
    let search = |rows| with_request(exchange("POST", "/.search", 200, list(rows)), &json!({"filter": ann}));
    check(
        "filter-rows-match",
        vec![
            ("the one that matches", filtered(ann, vec![user("1")]), Say::Held),
            ("nobody", filtered(ann, Vec::new()), Say::Silent),
            ("a stranger who matches", filtered(ann, vec![with(user("9"), "/title", json!("x"))]), Say::Held),
            ("somebody else", filtered(ann, vec![user("1"), stranger()]), Say::Fails),
            ("by .search at the root", search(vec![stranger()]), Say::Fails),
            ("one that is found there", search(vec![user("1")]), Say::Held),
            ("a filter that nobody can read", filtered("userName eq", vec![stranger()]), Say::Silent),
            ("ne on an absent attribute", filtered(r#"title ne "x""#, vec![stranger()]), Say::Silent),
            ("not on an absent attribute", filtered(r#"not (title eq "x")"#, vec![stranger()]), Say::Held),
            (
                "two filters",
                exchange("GET", "/Users?filter=title%20pr&filter=id%20pr", 200, list(vec![stranger()])),
                Say::Silent,
            ),
            ("a plus", exchange("GET", "/Users?filter=title+pr", 200, list(vec![stranger()])), Say::Silent),
            (
                "a projection",
                exchange(
                    "GET",
                    "/Users?filter=title%20pr&attributes=id",
                    200,
                    list(vec![json!({"id": "9"})]),
                ),
                Say::Silent,
            ),
            ("an error", exchange("GET", "/Users?filter=title%20pr", 400, error(400, None)), Say::Silent),
            (
                "discovery",
                exchange("GET", "/Schemas?filter=title%20pr", 200, list(vec![stranger()])),
                Say::Silent,
            ),
        ],
    );
    let told = shown_before();
    let history = History::of(&told);
    let broken = filtered(r#"userName pr and not (emails[type eq "work"])"#, vec![user("1"), stranger()]);
    let (said, findings) = say_after("filter-rows-match", &broken, Reading::Lenient, &history);
    assert_eq!((said, findings.len()), (Say::Fails, 1), "{findings:#?}");
    assert!(
        findings[0].message.contains("(2 such rows)") && findings[0].message.contains("ann@home.example"),
        "{}",
        findings[0].message
    );
    assert!(
        findings[0].message.ends_with("so not (emails[type eq \"work\"]) is false (2 such rows)"),
        "{}",
        findings[0].message
    );
    // What a stranger's resource holds stays out of the report.
    let broken =
        filtered(r#"title pr and userName eq "x""#, vec![with(stranger(), "/title", json!("Secret"))]);
    let (_, findings) = say_after("filter-rows-match", &broken, Reading::Lenient, &history);
    let text = format!("{findings:?}");
    assert!(text.contains("row '9'") && !text.contains("Secret") && !text.contains("zoe"), "{text}");
    // A resource that was changed may stand in a list that an index has not caught up with.
    let mut told = told;
    told.push(exchange("PATCH", "/Users/1", 204, Value::Null));
    told[3].id = ExchangeId(4);
    told[3].started -= chrono::TimeDelta::seconds(30);
    let history = History::of(&told);
    let changed = filtered(r#"userName eq "old""#, vec![user("1")]);
    assert_eq!(say_after("filter-rows-match", &changed, Reading::Lenient, &history).0, Say::Silent);
}

#[test]
fn known_resources_are_found() {
    let told = shown_before();
    let history = History::of(&told);
    let say = |exchange: &Exchange| say_after("filter-finds-all", exchange, Reading::Lenient, &history);
    let ann = r#"emails.type eq "home""#;
    assert_eq!(say(&filtered(ann, vec![user("1")])).0, Say::Held);
    let (said, findings) = say(&filtered(ann, Vec::new()));
    assert_eq!((said, findings.len()), (Say::Fails, 1));
    assert_eq!(
        findings[0].message,
        "GET /Users: the list lacks the resource '1', which matches the filter emails.type eq \"home\": \
         emails.type is \"work\", \"home\""
    );
    assert_eq!(findings[0].requirements, ["RFC7644-3.4.2.2-06"]);
    let (_, findings) = say(&filtered(r#"not (emails.type eq "work")"#, Vec::new()));
    assert_eq!(findings[0].requirements, ["RFC7644-3.4.2.2-22"]);
    assert!(
        findings[0]
            .message
            .ends_with("since emails.type is unassigned, so not (emails.type eq \"work\") is true")
    );
    // A page, a projection that shows the id, an open question, and a run that knows nothing.
    let mut page = filtered(ann, Vec::new());
    if let Ok(response) = &mut page.answer {
        response.body = Body::whole(with(list(Vec::new()), "/totalResults", json!(7)).to_string().into());
    }
    assert_eq!(say(&page).0, Say::Silent);
    let query = "/Users?attributes=id&filter=emails.type%20eq%20%22home%22";
    assert_eq!(say(&exchange("GET", query, 200, list(vec![json!({"id": "1"})]))).0, Say::Held);
    assert_eq!(say(&exchange("GET", query, 200, list(Vec::new()))).0, Say::Fails);
    let second = format!("{query}&startIndex=2");
    assert_eq!(say(&exchange("GET", &second, 200, list(Vec::new()))).0, Say::Silent);
    assert_eq!(say(&filtered(r#"title ne "x""#, Vec::new())).0, Say::Silent);
    let nobody =
        say_after("filter-finds-all", &filtered(ann, Vec::new()), Reading::Lenient, &History::default());
    assert_eq!(nobody.0, Say::Silent);
}

/// An exchange after those, with a number and a time of its own.
fn later(mut exchange: Exchange, number: u64) -> Exchange {
    exchange.id = ExchangeId(number);
    exchange.started += chrono::TimeDelta::seconds(60 * i64::try_from(number).unwrap());
    exchange
}

#[test]
fn sorted_lists_stand_in_order() {
    let named = |id: &str, name: &str| with(user(id), "/userName", json!(name));
    let sorted = |query: &str, rows: Vec<Value>| exchange("GET", &format!("/Users?{query}"), 200, list(rows));
    let (ann, bob) = (named("1", "ann"), named("2", "BOB"));
    let titled = |id: &str, title: &str| with(user(id), "/title", json!(title));
    let reachable = |id: &str, emails: Value| with(user(id), "/emails", emails);
    let first = json!([{"value": "z@x"}, {"value": "a@x", "primary": true}]);
    let second = json!([{"value": "b@x"}]);
    check(
        "sorted-in-order",
        vec![
            ("in order", sorted("sortBy=userName", vec![ann.clone(), bob.clone()]), Say::Held),
            ("reversed", sorted("sortBy=userName", vec![bob.clone(), ann.clone()]), Say::Fails),
            (
                "descending",
                sorted("sortBy=userName&sortOrder=descending", vec![bob.clone(), ann.clone()]),
                Say::Held,
            ),
            (
                "not descending",
                sorted("sortBy=userName&sortOrder=descending", vec![ann.clone(), bob.clone()]),
                Say::Fails,
            ),
            (
                "by the primary value",
                sorted(
                    "sortBy=emails.value",
                    vec![reachable("1", first.clone()), reachable("2", second.clone())],
                ),
                Say::Held,
            ),
            (
                "by the first value",
                sorted("sortBy=emails.value", vec![reachable("2", second), reachable("1", first)]),
                Say::Fails,
            ),
            (
                "letters that collations differ on",
                { sorted("sortBy=title", vec![titled("1", "_x"), titled("2", "-x")]) },
                Say::Silent,
            ),
            ("no such attribute", sorted("sortBy=nope", vec![bob.clone(), ann.clone()]), Say::Silent),
            ("not sorted", sorted("count=2", vec![bob.clone(), ann.clone()]), Say::Silent),
            ("projected", sorted("sortBy=userName&attributes=userName", vec![bob, ann]), Say::Silent),
        ],
    );
    let absent = sorted("sortBy=title", vec![user("1"), titled("2", "x")]);
    let (said, findings) = say("sorted-in-order", &absent, Reading::Lenient);
    assert_eq!(
        (said, findings[0].requirements.as_slice()),
        (Say::Warns, &["RFC7644-3.4.2.3-06".to_owned()][..])
    );
    assert_eq!(say("sorted-in-order", &absent, Reading::Strict).0, Say::Fails);
}

#[test]
fn answers_agree_about_a_resource() {
    let created = later(exchange("POST", "/Users", 201, user("1")), 1);
    let read = later(exchange("GET", "/Users/1", 200, user("1")), 2);
    let told = [created.clone(), read.clone()];
    let history = History::of(&told);
    let say =
        |name: &str, exchange: Exchange| say_after(name, &later(exchange, 3), Reading::Lenient, &history).0;
    let query = |path: &str, row: Value| exchange("GET", path, 200, list(vec![row]));
    let other = with(user("1"), "/userName", json!("other"));
    assert_eq!(say("row-is-the-resource", query("/Users", user("1"))), Say::Held);
    assert_eq!(say("row-is-the-resource", query("/Users", other.clone())), Say::Fails);
    assert_eq!(say("row-is-the-resource", query("/Users", user("7"))), Say::Silent);
    // Where a user and a group have one id, they are two resources all the same.
    let group = json!({"schemas": [names::GROUP], "id": "1", "displayName": "Team"});
    assert_eq!(say("row-is-the-resource", query("/Groups", group)), Say::Silent);
    let part = |name: Value| json!({"schemas": [names::USER], "id": "1", "userName": name});
    let user_name = user("1")["userName"].clone();
    let projected = "/Users/1?attributes=userName";
    assert_eq!(say("projection-keeps-values", exchange("GET", projected, 200, part(user_name))), Say::Held);
    assert_eq!(say("projection-keeps-values", exchange("GET", projected, 200, part("x".into()))), Say::Fails);
    assert_eq!(say("projection-keeps-values", exchange("GET", "/Users/1", 200, user("1"))), Say::Silent);
    // A write between the two explains a difference.
    let told = [created, read, later(exchange("PATCH", "/Users/1", 204, Value::Null), 3)];
    let history = History::of(&told);
    let after = later(query("/Users", other), 4);
    assert_eq!(say_after("row-is-the-resource", &after, Reading::Lenient, &history).0, Say::Silent);
}

#[test]
fn a_total_is_the_same_on_every_page() {
    let created = later(exchange("POST", "/Users", 201, user("1")), 1);
    let first = later(filtered("title pr", vec![user("1")]), 2);
    let told = [created, first];
    let history = History::of(&told);
    let say =
        |answer: Exchange| say_after("total-is-stable", &later(answer, 3), Reading::Lenient, &history).0;
    let total = |total: u64| {
        let body = with(list(vec![user("1")]), "/totalResults", json!(total));
        exchange("GET", "/Users?filter=title%20pr&startIndex=1", 200, body)
    };
    assert_eq!(say(total(1)), Say::Held);
    assert_eq!(say(total(2)), Say::Fails);
    assert_eq!(say(filtered("title eq \"x\"", vec![user("1")])), Say::Silent);
    let stranger = exchange("GET", "/Users?filter=title%20pr", 200, list(vec![user("1"), user("9")]));
    assert_eq!(say(stranger), Say::Silent);
}
