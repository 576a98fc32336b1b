//! What `scimspec serve` offers beyond the core resources: types and extensions out of a file, tenants, `/Me`, a
//! seeded directory, a limit on requests, the log, the configuration for `scimspec run`.

mod binary;
mod client;

use std::io::{BufRead, BufReader, Read};
use std::num::NonZeroU32;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use binary::{Bench as Shell, TOKEN};
use client::{Bench, ENTERPRISE, GROUP, LIST, PATCH_OP, Reply, SEARCH, USER};
use reqwest::Method;
use scimspec::server::{Fault, RateLimit, SchemaFile, ServerOptions};
use serde_json::{Value, json};

const DEVICE: &str = "urn:example:scim:schemas:2.0:Device";
const BADGE: &str = "urn:example:scim:schemas:extension:2.0:Badge";

/// Devices with whatever a schema can say, and an extension that people and devices share.
fn devices() -> Value {
    json!({
        "schemas": [
            {"id": DEVICE, "name": "Device", "description": "A thing with a plug", "attributes": [
                {"name": "serialNumber", "type": "string", "required": true, "caseExact": true,
                 "mutability": "immutable", "uniqueness": "server"},
                {"name": "label", "type": "string", "uniqueness": "server"},
                {"name": "pin", "type": "string", "mutability": "writeOnly", "returned": "never"},
                {"name": "notes", "type": "string", "returned": "request"},
                {"name": "firmware", "type": "string", "mutability": "readOnly"},
                {"name": "slots", "type": "integer"},
                {"name": "owner", "type": "complex", "subAttributes": [
                    {"name": "value", "type": "string"},
                    {"name": "$ref", "type": "reference", "referenceTypes": ["User"]}
                ]},
                {"name": "ports", "type": "complex", "multiValued": true, "subAttributes": [
                    {"name": "value", "type": "string"}, {"name": "speed", "type": "integer"}
                ]}
            ]},
            {"id": BADGE, "name": "Badge", "attributes": [
                {"name": "number", "type": "string", "uniqueness": "server"},
                {"name": "color", "type": "string"}
            ]}
        ],
        "resourceTypes": [
            {"name": "Device", "endpoint": "/Devices", "schema": DEVICE, "schemaExtensions": [
                {"schema": BADGE, "required": false}
            ]},
            {"name": "User", "endpoint": "/Users", "schema": USER, "schemaExtensions": [
                {"schema": BADGE, "required": false}
            ]}
        ]
    })
}

async fn with_devices() -> Bench {
    let schemas = SchemaFile::parse(&devices().to_string(), "devices.json").unwrap();
    assert_eq!(schemas.notes(), [""; 0]);
    Bench::new(ServerOptions { schemas: Some(schemas), ..ServerOptions::default() }).await
}

async fn device(bench: &Bench, serial: &str, more: Value) -> Reply {
    let mut body = json!({"schemas": [DEVICE], "serialNumber": serial});
    for (name, value) in more.as_object().unwrap() {
        body[name] = value.clone();
    }
    bench.post("/Devices", body).await
}

/// Who a list shows, by an attribute.
fn listed<'a>(list: &'a Reply, attribute: &str) -> Vec<&'a str> {
    assert_eq!(list.status, 200, "{}", list.text);
    let rows = list.body["Resources"].as_array().map(Vec::as_slice).unwrap_or_default();
    rows.iter().map(|row| row[attribute].as_str().unwrap_or_default()).collect()
}

#[tokio::test]
async fn a_type_out_of_a_file_is_discovered() {
    let bench = with_devices().await;
    let types = bench.get("/ResourceTypes").await;
    let names: Vec<&str> = listed(&types, "name");
    assert_eq!(names, ["User", "Group", "Device"]);
    let one = bench.get("/ResourceTypes/Device").await;
    assert_eq!(
        (one.status, &one.body["endpoint"], &one.body["schema"]),
        (200, &json!("/Devices"), &json!(DEVICE))
    );
    let user = bench.get("/ResourceTypes/User").await;
    let extensions: Vec<&Value> =
        user.body["schemaExtensions"].as_array().unwrap().iter().map(|it| &it["schema"]).collect();
    assert_eq!(extensions, [ENTERPRISE, BADGE]);
    let schemas = bench.get("/Schemas").await;
    assert!(listed(&schemas, "id").contains(&DEVICE));
    let schema = bench.get(&format!("/Schemas/{DEVICE}")).await;
    assert_eq!(schema.body["attributes"][0]["uniqueness"], "server");

    // What discovery prints can be given to another server, and makes the same one.
    let printed = json!({"schemas": schemas.body, "resourceTypes": types.body});
    let again = SchemaFile::parse(&printed.to_string(), "printed.json").unwrap();
    let again = Bench::new(ServerOptions { schemas: Some(again), ..ServerOptions::default() }).await;
    for path in ["/Schemas", "/ResourceTypes"] {
        let strip = |reply: Reply| {
            let mut rows = reply.body["Resources"].clone();
            rows.as_array_mut().unwrap().iter_mut().for_each(|row| row["meta"] = Value::Null);
            rows
        };
        assert_eq!(strip(again.get(path).await), strip(bench.get(path).await), "{path}");
    }
}

#[tokio::test]
async fn a_type_out_of_a_file_lives_its_whole_life() {
    let bench = with_devices().await;
    let created = device(
        &bench,
        "S-1",
        json!({"label": "Printer", "slots": 2, "firmware": "9", "ports": [
            {"value": "eth0", "speed": 1000}
        ]}),
    )
    .await;
    assert_eq!(created.status, 201, "{}", created.text);
    assert_eq!(created.body["meta"]["resourceType"], "Device");
    let path = format!("/Devices/{}", created.id());
    let location = format!("{}{path}", bench.server.base_url());
    assert_eq!(
        (created.header("location"), &created.body["meta"]["location"]),
        (&*location, &json!(location))
    );
    assert!(created.body.get("firmware").is_none(), "what is read-only is the server's to give");

    let read = bench.get(&path).await;
    assert_eq!((read.status, &read.body), (200, &created.body));
    assert_eq!(read.header("etag"), read.body["meta"]["version"]);
    assert_eq!(bench.get(&format!("{path}?attributes=slots")).await.body.as_object().unwrap().len(), 3);
    bench.get(&format!("/Users/{}", created.id())).await.refused(404, None);

    // Not written as its schema has it.
    device(&bench, "S-2", json!({"slots": "two"})).await.refused(400, Some("invalidValue"));
    bench.post("/Devices", json!({"schemas": [DEVICE]})).await.refused(400, Some("invalidValue"));
    bench
        .post("/Devices", json!({"schemas": [USER], "serialNumber": "S-2"}))
        .await
        .refused(400, Some("invalidSyntax"));

    device(&bench, "S-2", json!({"label": "Scanner", "slots": 4})).await;
    bench.user("ann", json!({})).await;
    for (path, filter, expected) in [
        ("/Devices", r#"label eq "PRINTER""#, vec!["S-1"]),
        ("/Devices", r#"serialNumber eq "s-1""#, vec![]),
        ("/Devices", r#"ports[speed gt 100]"#, vec!["S-1"]),
        ("/Devices", r#"slots ge 2"#, vec!["S-1", "S-2"]),
        ("", r#"slots ge 2"#, vec!["S-1", "S-2"]),
        ("", r#"meta.resourceType eq "Device" and id pr"#, vec!["S-1", "S-2"]),
    ] {
        assert_eq!(listed(&bench.find_in(path, filter).await, "serialNumber"), expected, "{path} {filter}");
    }
    bench.find_in("/Devices", r#"userName eq "ann""#).await.refused(400, Some("invalidFilter"));
    assert_eq!(
        listed(&bench.get("/Devices?sortBy=slots&sortOrder=descending").await, "serialNumber"),
        ["S-2", "S-1"]
    );
    assert_eq!(bench.get("").await.body["totalResults"], 3);
    for path in ["/.search", "/Devices/.search"] {
        let body = json!({"schemas": [SEARCH], "filter": "slots eq 4", "attributes": ["label"]});
        let found = bench.post(path, body).await;
        assert_eq!((&found.body["schemas"], listed(&found, "label")), (&json!([LIST]), vec!["Scanner"]));
    }

    let patched = bench
        .patch(
            &path,
            json!([
                {"op": "replace", "path": "label", "value": "Plotter"},
                {"op": "add", "path": "ports", "value": [{"value": "usb0"}]},
                {"op": "replace", "path": "ports[value eq \"eth0\"].speed", "value": 10},
            ]),
        )
        .await;
    assert_eq!(patched.status, 200, "{}", patched.text);
    assert_eq!(patched.body["ports"], json!([{"value": "eth0", "speed": 10}, {"value": "usb0"}]));
    let put = bench.put(&path, json!({"schemas": [DEVICE], "serialNumber": "S-1", "slots": 1})).await;
    assert_eq!((put.status, put.body.get("label"), &put.body["slots"]), (200, None, &json!(1)));
    assert_eq!(bench.get(&path).await.body, put.body);

    let allowed = bench.send(bench.request(Method::POST, &path)).await;
    allowed.refused(405, None);
    assert_eq!(allowed.header("allow"), "GET, HEAD, PUT, PATCH, DELETE, OPTIONS");
    assert_eq!(bench.delete(&path).await.status, 204);
    bench.get(&path).await.refused(404, None);
    bench.get("/devices").await.refused(404, None);
}

#[tokio::test]
async fn characteristics_out_of_a_file_are_kept() {
    let bench = with_devices().await;
    let one = device(&bench, "S-1", json!({"label": "Printer", "pin": "1234", "notes": "by the door"})).await;
    let path = format!("/Devices/{}", one.id());
    let put = |body: Value| bench.put(&path, body);

    // returned: never and request.
    assert!(!one.text.contains("1234") && one.body.get("notes").is_none());
    for query in ["?attributes=pin,notes", "?attributes=notes&excludedAttributes="] {
        let shown = bench.get(&format!("{path}{query}")).await;
        assert_eq!((shown.body.get("pin"), &shown.body["notes"]), (None, &json!("by the door")));
    }

    // uniqueness, with case where the schema says so; on create, PUT and PATCH, and freed by a change.
    device(&bench, "S-1", json!({})).await.refused(409, Some("uniqueness"));
    device(&bench, "S-3", json!({"label": "PRINTER"})).await.refused(409, Some("uniqueness"));
    let other = device(&bench, "s-1", json!({"label": "Scanner"})).await;
    assert_eq!(other.status, 201, "{}", other.text);
    put(json!({"schemas": [DEVICE], "serialNumber": "S-1", "label": "scanner"}))
        .await
        .refused(409, Some("uniqueness"));
    bench
        .patch(&path, json!([{"op": "replace", "path": "label", "value": "Scanner"}]))
        .await
        .refused(409, Some("uniqueness"));
    assert_eq!(bench.get(&path).await.body["label"], "Printer");
    assert_eq!(bench.delete(&format!("/Devices/{}", other.id())).await.status, 204);
    let renamed = bench.patch(&path, json!([{"op": "replace", "path": "label", "value": "Scanner"}])).await;
    assert_eq!(renamed.status, 200, "{}", renamed.text);
    assert_eq!(device(&bench, "S-4", json!({"label": "Printer"})).await.status, 201);

    // mutability: written once, then neither changed nor, by a PUT that leaves it out, taken away.
    put(json!({"schemas": [DEVICE], "serialNumber": "S-9"})).await.refused(400, Some("mutability"));
    bench
        .patch(&path, json!([{"op": "replace", "path": "serialNumber", "value": "S-9"}]))
        .await
        .refused(400, Some("mutability"));
    let kept = put(json!({"schemas": [DEVICE], "label": "Scanner"})).await;
    assert_eq!((kept.status, &kept.body["serialNumber"]), (200, &json!("S-1")), "{}", kept.text);

    // Nobody finds out what is write-only by comparing with it.
    for (path, refused) in [("/Devices", "pin eq \"1234\""), ("", "pin sw \"1\"")] {
        bench.find_in(path, refused).await.refused(400, Some("invalidFilter"));
    }
}

#[tokio::test]
async fn an_extension_out_of_a_file_extends_the_core() {
    let bench = with_devices().await;
    let ann = bench.user("ann", json!({BADGE: {"number": "7", "color": "red"}})).await;
    assert_eq!(ann.body["schemas"], json!([USER, BADGE]));
    let path = format!("/Users/{}", ann.id());
    let twin = json!({"schemas": [USER, BADGE], "userName": "bob", BADGE: {"number": "7"}});
    bench.post("/Users", twin).await.refused(409, Some("uniqueness"));
    // Unique among its kind: a device may have the number of a person.
    assert_eq!(device(&bench, "S-1", json!({BADGE: {"number": "7"}})).await.status, 201);
    assert_eq!(bench.find(&format!(r#"{BADGE}:color eq "red""#)).await.names(), ["ann"]);
    let patched = bench
        .patch(&path, json!([{"op": "replace", "path": format!("{BADGE}:color"), "value": "blue"}]))
        .await;
    assert_eq!(patched.body[BADGE], json!({"number": "7", "color": "blue"}));
    let only = bench.get(&format!("{path}?attributes={BADGE}:number")).await;
    assert_eq!(only.body[BADGE], json!({"number": "7"}));
    let gone = bench.put(&path, json!({"schemas": [USER], "userName": "ann"})).await;
    assert_eq!((gone.body.get(BADGE), &gone.body["schemas"]), (None, &json!([USER])));
    // Groups have users and groups for members.
    let id = bench.get("/Devices").await.body["Resources"][0]["id"].clone();
    let group = json!({"schemas": [GROUP], "displayName": "G", "members": [{"value": id}]});
    bench.post("/Groups", group).await.refused(400, Some("invalidValue"));
}

#[tokio::test]
async fn faults_show_in_types_out_of_a_file() {
    let schemas = SchemaFile::parse(&devices().to_string(), "devices.json").unwrap();
    let faults = vec![Fault::from_name("filter-ignored").unwrap()];
    let options = ServerOptions { schemas: Some(schemas), faults, ..ServerOptions::default() };
    let bench = Bench::new(options).await;
    device(&bench, "S-1", json!({})).await;
    assert_eq!(listed(&bench.find_in("/Devices", r#"label eq "x""#).await, "serialNumber"), ["S-1"]);
}

#[tokio::test]
async fn tenants_see_nothing_of_each_other() {
    let bench =
        Bench::new(ServerOptions { second_token: Some("other".to_owned()), ..ServerOptions::default() })
            .await;
    assert_eq!(bench.server.second_token(), "other");
    let ann = bench.user("ann", json!({"externalId": "1"})).await;
    let group = bench.group("G", &[&ann.id()]).await;
    let other = |method: Method, path: String, body: Option<Value>| {
        let mut request = bench.request_by("other", method, &path);
        if let Some(body) = body {
            request = request.header("content-type", "application/scim+json").body(body.to_string());
        }
        bench.send(request)
    };
    for path in ["", "/Users", "/Groups", "/Users?filter=userName%20eq%20%22ann%22"] {
        let list = other(Method::GET, path.to_owned(), None).await;
        assert_eq!((list.status, &list.body["totalResults"]), (200, &json!(0)), "{path}");
    }
    let path = format!("/Users/{}", ann.id());
    let user = json!({"schemas": [USER], "userName": "ann"});
    let patch =
        json!({"schemas": [PATCH_OP], "Operations": [{"op": "replace", "path": "title", "value": "x"}]});
    for (method, body) in [
        (Method::GET, None),
        (Method::PUT, Some(user.clone())),
        (Method::PATCH, Some(patch)),
        (Method::DELETE, None),
    ] {
        other(method, path.clone(), body).await.refused(404, None);
    }
    // The same name is free there, and neither list nor group grows here.
    let twin = other(Method::POST, "/Users".to_owned(), Some(user)).await;
    assert_eq!(twin.status, 201, "{}", twin.text);
    let foreign = json!({"schemas": [GROUP], "displayName": "H", "members": [{"value": ann.id()}]});
    other(Method::POST, "/Groups".to_owned(), Some(foreign)).await.refused(400, Some("invalidValue"));
    let members = json!([{"op": "add", "path": "members", "value": [{"value": twin.id()}]}]);
    bench.patch(&format!("/Groups/{}", group.id()), members).await.refused(400, Some("invalidValue"));
    assert_eq!(bench.get("/Users").await.body["totalResults"], 1);
    assert_eq!(bench.get(&path).await.body, bench.find("id pr").await.body["Resources"][0]);
    other(Method::GET, "/Me".to_owned(), None).await.refused(501, None);
    bench.send(bench.request_by("third", Method::GET, "/Users")).await.refused(401, None);
}

#[tokio::test]
async fn me_is_the_user_whom_the_token_belongs_to() {
    let bench = Bench::plain().await;
    for method in [Method::GET, Method::POST, Method::PATCH] {
        bench.send(bench.request(method, "/Me")).await.refused(501, None);
    }
    let bench = Bench::new(ServerOptions { me: Some("Ann".to_owned()), ..ServerOptions::default() }).await;
    bench.get("/Me").await.refused(404, None);
    bench.delete("/Me").await.refused(404, None);
    bench.user("bob", json!({})).await;
    let ann = bench.user("ann", json!({"title": "Boss"})).await;
    let location = format!("{}/Users/{}", bench.server.base_url(), ann.id());
    let me = bench.get("/Me").await;
    assert_eq!((me.status, &me.body), (200, &ann.body));
    assert_eq!((me.header("location"), me.header("content-location")), (&*location, &*location));
    assert_eq!(me.body["meta"]["location"], location);
    assert_eq!(me.header("etag"), ann.header("etag"));
    assert_eq!(bench.get("/Me?attributes=title").await.body.as_object().unwrap().len(), 3);
    let fresh = bench.request(Method::GET, "/Me").header("if-none-match", ann.header("etag"));
    assert_eq!(bench.send(fresh).await.status, 304);

    let stale = bench.request(Method::PUT, "/Me").header("if-match", "\"stale\"");
    bench.send(stale.body("{}")).await.refused(412, None);
    let renamed = json!([{"op": "replace", "path": "userName", "value": "anna"}]);
    let patched = bench.patch("/Me?attributes=userName", renamed).await;
    assert_eq!((patched.status, &patched.body["userName"]), (200, &json!("anna")), "{}", patched.text);
    assert_eq!((patched.header("location"), patched.body.get("title")), (&*location, None));
    // A user who is renamed stays who it is.
    let put = bench.put("/Me", json!({"schemas": [USER], "userName": "anna", "title": "Chief"})).await;
    assert_eq!((put.status, &put.body["id"], put.header("location")), (200, &ann.body["id"], &*location));
    assert_eq!(bench.get(&format!("/Users/{}", ann.id())).await.body["title"], "Chief");

    let posted = bench.post("/Me", json!({"schemas": [USER], "userName": "carl"})).await;
    posted.refused(405, None);
    assert_eq!(posted.header("allow"), "GET, HEAD, PUT, PATCH, DELETE, OPTIONS");
    let options = bench.send(bench.request(Method::OPTIONS, "/Me")).await;
    assert_eq!((options.status, options.header("allow")), (204, posted.header("allow")));
    let head = bench.send(bench.request(Method::HEAD, "/Me")).await;
    assert_eq!((head.status, head.text.as_str(), head.header("location")), (200, "", &*location));
    bench.get("/Me/name").await.refused(404, None);
    let anonymous = bench.client.get(format!("{}/Me", bench.server.base_url()));
    bench.send(anonymous).await.refused(401, None);
    let second = bench.server.second_token().to_owned();
    bench.send(bench.request_by(&second, Method::GET, "/Me")).await.refused(501, None);

    assert_eq!(bench.delete("/Me").await.status, 204);
    bench.get("/Me").await.refused(404, None);
    assert_eq!(bench.get("/Users").await.names(), ["bob"]);
    // The name is given again, and with it the token.
    bench.user("ANN", json!({})).await;
    assert_eq!(bench.get("/Me").await.body["userName"], "ANN");
}

#[tokio::test]
async fn a_seeded_directory_is_always_the_same() {
    let bench = Bench::new(ServerOptions { seed_users: 50, ..ServerOptions::default() }).await;
    let users = bench.get("/Users?sortBy=externalId").await;
    assert_eq!(users.body["totalResults"], 50);
    let again = Bench::new(ServerOptions { seed_users: 50, ..ServerOptions::default() }).await;
    assert_eq!(again.get("/Users?sortBy=externalId").await.names(), users.names());
    let rows = users.body["Resources"].as_array().unwrap();
    assert!(rows.iter().all(|row| row["userName"].as_str().unwrap().ends_with("@example.com")));
    assert!(rows.iter().any(|row| row.get(ENTERPRISE).is_some()));
    assert!(rows.iter().any(|row| row.get(ENTERPRISE).is_none()));
    assert!(rows.iter().all(|row| row["groups"].as_array().unwrap().len() == 2), "a team and its department");
    assert_eq!(bench.get("/Groups").await.body["totalResults"], 4);
    let manager = rows.iter().find_map(|row| row.pointer(&format!("/{ENTERPRISE}/manager"))).unwrap();
    assert!(manager["displayName"].is_string() && manager["$ref"].is_string());
    let one = &rows[17];
    assert_eq!(bench.find(&format!("userName eq {}", one["userName"])).await.body["Resources"][0], *one);
    assert_eq!(bench.find(&format!("externalId eq {}", one["externalId"])).await.body["Resources"][0], *one);
    // It is a directory like any other.
    let path = format!("/Users/{}", one["id"].as_str().unwrap());
    let put = bench.put(&path, one.clone()).await;
    assert_eq!((put.status, &put.body), (200, one));
    bench
        .post("/Users", json!({"schemas": [USER], "userName": one["userName"]}))
        .await
        .refused(409, Some("uniqueness"));
    assert_eq!(bench.delete(&path).await.status, 204);
    let second = bench.server.second_token().to_owned();
    let other = bench.send(bench.request_by(&second, Method::GET, "/Users")).await;
    assert_eq!(other.body["totalResults"], 0);
}

#[tokio::test]
async fn one_request_too_many_is_told_when_to_come_back() {
    let limit = |requests, seconds| {
        RateLimit::new(NonZeroU32::new(requests).unwrap(), Duration::from_secs(seconds), None).unwrap()
    };
    let bench =
        Bench::new(ServerOptions { rate_limit: Some(limit(3, 3600)), ..ServerOptions::default() }).await;
    for _ in 0..3 {
        assert_eq!(bench.get("/Users").await.status, 200);
    }
    let refused = bench.post("/Users", json!({"schemas": [USER], "userName": "ann"})).await;
    refused.refused(429, None);
    let seconds: u64 = refused.header("retry-after").parse().unwrap();
    assert!((3500..=3600).contains(&seconds), "{seconds}");
    // Each token has its own limit, and nobody's requests count for none.
    let second = bench.server.second_token().to_owned();
    assert_eq!(bench.send(bench.request_by(&second, Method::GET, "/Users")).await.body["totalResults"], 0);
    bench.send(bench.request_by("nobody", Method::GET, "/Users")).await.refused(401, None);

    let bench = Bench::new(ServerOptions { rate_limit: Some(limit(1, 1)), ..ServerOptions::default() }).await;
    assert_eq!(bench.get("/Users").await.status, 200);
    let refused = bench.get("/Users").await;
    refused.refused(429, None);
    assert_eq!(refused.header("retry-after"), "1");
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(bench.get("/Users").await.status, 200, "the time told is enough");
}

#[tokio::test]
async fn http_is_kept_to() {
    let bench = Bench::plain().await;
    let ann = bench.user("ann", json!({})).await;
    let path = format!("/Users/{}", ann.id());
    for accept in ["text/html", "application/xml;q=0.9, text/*", "application/scim+json;q=0"] {
        for (method, path) in [(Method::GET, &*path), (Method::GET, "/Schemas"), (Method::POST, "/Users")] {
            bench.send(bench.request(method, path).header("accept", accept)).await.refused(406, None);
        }
    }
    for accept in
        ["*/*", "application/*", "text/html, application/json;q=0.1", "APPLICATION/SCIM+JSON; charset=utf-8"]
    {
        let shown = bench.send(bench.request(Method::GET, &path).header("accept", accept)).await;
        assert_eq!((shown.status, shown.header("content-type")), (200, "application/scim+json"), "{accept}");
    }
    for (method, path, allow) in [
        (Method::DELETE, "/Users", "GET, HEAD, POST, OPTIONS"),
        (Method::GET, "/Users/.search", "POST, OPTIONS"),
        (Method::POST, "", "GET, HEAD, OPTIONS"),
        (Method::PUT, "/ServiceProviderConfig", "GET, HEAD, OPTIONS"),
        (Method::POST, "/Schemas", "GET, HEAD, OPTIONS"),
        (Method::TRACE, &*path, "GET, HEAD, PUT, PATCH, DELETE, OPTIONS"),
    ] {
        let refused = bench.send(bench.request(method.clone(), path)).await;
        refused.refused(405, None);
        assert_eq!(refused.header("allow"), allow, "{method} {path}");
        let options = bench.send(bench.request(Method::OPTIONS, path)).await;
        assert_eq!((options.status, options.header("allow")), (204, allow), "{path}");
    }
    for path in ["/ServiceProviderConfig", "/ResourceTypes", "/Schemas", "/ResourceTypes/User"] {
        bench.get(&format!("{path}?filter=id%20pr")).await.refused(403, None);
        let (get, head) = (bench.get(path).await, bench.send(bench.request(Method::HEAD, path)).await);
        assert_eq!((head.status, head.text.as_str()), (200, ""));
        assert_eq!(head.header("content-length"), get.text.len().to_string());
    }
    for (scheme, token) in [("Bearer", "wrong"), ("Basic", "YTpi"), ("Bearer", "")] {
        let url = format!("{}{path}", bench.server.base_url());
        let refused =
            bench.send(bench.client.get(url).header("authorization", format!("{scheme} {token}"))).await;
        refused.refused(401, None);
        assert!(refused.header("www-authenticate").starts_with("Bearer realm="));
    }
    let text = bench.request(Method::POST, "/Users").header("content-type", "text/plain").body("{}");
    bench.send(text).await.refused(415, None);
    // Each operation that returns a resource returns as much of it as was asked for.
    let user = json!({"schemas": [USER], "userName": "bob", "title": "x"});
    let title = json!([{"op": "replace", "path": "title", "value": "y"}]);
    for reply in [
        bench.post("/Users?attributes=userName", user.clone()).await,
        bench
            .put(
                &format!("{path}?excludedAttributes=title,meta"),
                json!({"schemas": [USER], "userName": "ann", "title": "x"}),
            )
            .await,
        bench.patch(&format!("{path}?attributes=userName"), title).await,
    ] {
        let shown: Vec<&String> = reply.body.as_object().unwrap().keys().collect();
        assert_eq!(shown, ["schemas", "id", "userName"], "{}", reply.text);
    }
    bench.post("/Users?attributes=a&excludedAttributes=b", user).await.refused(400, Some("invalidValue"));
}

/// `scimspec serve` in a process of its own, until it is dropped.
struct Serving {
    child: Child,
    url: String,
    said: Vec<String>,
}

impl Serving {
    fn start(shell: &Shell, words: &[&str]) -> Serving {
        let words = [&["serve", "--token", TOKEN], words].concat();
        let mut child = shell
            .command(&words)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let url = lines.next().unwrap().unwrap();
        let mut said = vec![lines.next().unwrap().unwrap()];
        for what in ["--second-token", "--write-config"] {
            if words.contains(&what) {
                said.push(lines.next().unwrap().unwrap());
            }
        }
        Serving { child, url, said }
    }

    /// Ends the server as a service manager does, and returns its log.
    fn end(mut self) -> String {
        let pid = self.child.id().to_string();
        assert!(std::process::Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
        let started = Instant::now();
        while self.child.try_wait().unwrap().is_none() {
            assert!(started.elapsed() < Duration::from_secs(20), "it does not end");
            std::thread::sleep(Duration::from_millis(10));
        }
        assert_eq!(self.child.wait().unwrap().code(), Some(0));
        let mut log = String::new();
        self.child.stderr.take().unwrap().read_to_string(&mut log).unwrap();
        log
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        // It may have ended.
        let _ = self.child.kill();
    }
}

/// A few requests, among them some with secrets, and what the log says of them.
fn logged(format: &str) -> String {
    let shell = Shell::new();
    let serving = Serving::start(&shell, &["--log", format, "--second-token", "second-s3cret"]);
    assert_eq!(
        serving.said,
        ["Authorization: Bearer (the token you chose)", "Second tenant: Bearer (the second token you chose)"]
    );
    let url = serving.url.clone();
    binary::RUNTIME.block_on(async {
        let client = reqwest::Client::new();
        let user = json!({"schemas": [USER], "userName": "ann@corp.example", "password": "hunter22"});
        let post = client.post(format!("{url}/Users")).bearer_auth(TOKEN).body(user.to_string());
        assert_eq!(post.send().await.unwrap().status(), 201);
        let query = "filter=userName%20eq%20%22ann%40corp.example%22&count=5&access_token=tok3n";
        let get = client.get(format!("{url}/Users?{query}")).bearer_auth("second-s3cret");
        assert_eq!(get.send().await.unwrap().status(), 200);
        let get = client.get(format!("{url}/Users/7")).bearer_auth("wr0ng-token");
        assert_eq!(get.send().await.unwrap().status(), 401);
    });
    let log = serving.end();
    for secret in [TOKEN, "second-s3cret", "wr0ng-token", "tok3n", "hunter22", "ann@", "Bearer"] {
        assert!(!log.contains(secret), "{secret} is in the log:\n{log}");
    }
    log
}

#[test]
fn the_log_for_programs_is_an_object_a_line() {
    let log = logged("json");
    let lines: Vec<Value> = log.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let short: Vec<_> = lines
        .iter()
        .map(|line| {
            (
                line["method"].as_str().unwrap(),
                line["path"].as_str().unwrap(),
                line["status"].as_u64().unwrap(),
            )
        })
        .collect();
    assert_eq!(
        short,
        [("POST", "/scim/v2/Users", 201), ("GET", "/scim/v2/Users", 200), ("GET", "/scim/v2/Users/7", 401)]
    );
    let names: Vec<&String> = lines[1].as_object().unwrap().keys().collect();
    assert_eq!(names, ["time", "method", "path", "query", "status", "duration", "bytes"]);
    assert_eq!(lines[1]["query"], json!({"filter": "userName eq \"…\"", "count": "5", "access_token": "…"}));
    assert!(lines[0].get("query").is_none());
    for line in &lines {
        assert!(chrono::DateTime::parse_from_rfc3339(line["time"].as_str().unwrap()).is_ok());
        assert!(line["duration"].as_u64().unwrap() < 20_000_000 && line["bytes"].as_u64().unwrap() > 50);
    }
}

#[test]
fn the_log_for_people_is_a_line_too_and_can_be_off() {
    let log = logged("text");
    let lines: Vec<&str> = log.lines().collect();
    assert_eq!(lines.len(), 3, "{log}");
    assert!(lines[0].starts_with("POST /scim/v2/Users 201 "), "{log}");
    assert!(
        lines[1].starts_with("GET /scim/v2/Users?filter=userName eq \"…\"&count=5&access_token=… 200 "),
        "{log}"
    );
    assert_eq!(logged("off"), "");
}

#[cfg(unix)]
#[test]
fn the_configuration_makes_run_test_the_server() {
    use std::os::unix::fs::PermissionsExt;
    let shell = Shell::new();
    let config = shell.join("aim/scimspec.toml");
    let words =
        ["--write-config", config.to_str().unwrap(), "--second-token", "second-s3cret", "--log", "json"];
    std::fs::create_dir(shell.join("aim")).unwrap();
    let serving = Serving::start(&shell, &words);
    assert_eq!(serving.said[2], format!("Configuration: {}", config.display()));
    let text = shell.read("aim/scimspec.toml");
    assert!(text.contains(&format!("url = \"{}\"", serving.url)), "{text}");
    assert!(!text.contains(TOKEN) && !text.contains("second-s3cret"), "{text}");
    for (name, token) in [("token", TOKEN), ("second-token", "second-s3cret")] {
        let path = format!("aim/scimspec.toml.{name}");
        assert_eq!(shell.read(&path), token);
        let mode = std::fs::metadata(shell.join(&path)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{path}");
    }
    let ran = shell
        .start(&["run", "--config", config.to_str().unwrap(), "--case", "create/*", "--json", "run.json"])
        .end()
        .exits(0);
    assert!(ran.stdout.contains("passed"), "{}", ran.stdout);
    assert!(!ran.stdout.contains(TOKEN) && !shell.read("run.json").contains(TOKEN));
    let log = serving.end();
    assert!(log.lines().filter(|line| line.contains("\"POST\"")).count() > 3, "it was this server:\n{log}");

    // Its own files are written anew for the next server; another's are left alone.
    let serving = Serving::start(&shell, &words);
    assert!(shell.read("aim/scimspec.toml").contains(&serving.url));
    serving.end();
    shell.write("aim/scimspec.toml", "url = \"https://scim.example.com/v2\"\n");
    let refused = shell.start(&["serve", "--write-config", config.to_str().unwrap()]).end().exits(2);
    assert!(
        refused.stderr.contains("was not written by 'scimspec serve --write-config'"),
        "{}",
        refused.stderr
    );
    assert_eq!(shell.read("aim/scimspec.toml"), "url = \"https://scim.example.com/v2\"\n");
    assert_eq!(refused.stdout, "");
}

#[test]
fn slips_are_met_with_a_place_and_a_hint() {
    let shell = Shell::new();
    let mut slip = devices();
    slip["resourceTypes"][0]["schema"] = json!("urn:example:scim:schemas:2.0:Devise");
    slip["schemas"][1]["attributes"][0]["type"] = json!("text");
    shell.write("slip.json", &slip.to_string());
    shell.write("broken.json", "{\"schemas\": [\n  }");
    for (words, expected) in [
        (
            vec!["--schemas", "slip.json"],
            "resourceTypes[Device].schema: is \"urn:example:scim:schemas:2.0:Devise\", which is no schema of this file; did you mean `urn:example:scim:schemas:2.0:Device`?",
        ),
        (
            vec!["--schemas", "slip.json"],
            "schemas[urn:example:scim:schemas:extension:2.0:Badge].attributes[number].type: is \"text\", expected one of string, ",
        ),
        (vec!["--schemas", "broken.json"], "error: broken.json:2:3: this is not JSON"),
        (vec!["--schemas", "none.json"], "error: cannot read the schemas in none.json"),
        (vec!["--rate-limit", "fast"], "'fast' is no rate; write it like 100/min, 5/s or 1000/h"),
        (
            vec!["--rate-limit", "10/min", "--rate-window", "1s"],
            "10 requests in 60 s are less than one in a window of 1 s",
        ),
        (vec!["--rate-window", "1s"], "--rate-limit"),
        (vec!["--token", "a", "--second-token", "a"], "the second tenant needs a token of its own"),
        (vec!["--write-config", "."], "is no path of a file to write"),
        (vec!["--profile", "amplitud"], "the server has no profile \"amplitud\", did you mean amplitude?"),
        (
            vec!["--profile", "learnamp", "--fault", "amplitude-id-opaque"],
            "amplitude-id-opaque is a fault of the profile amplitude: it takes --profile amplitude",
        ),
    ] {
        let ran = shell.run(&[&["serve"], &words[..]].concat()).exits(2);
        assert!(ran.stderr.contains(expected), "{words:?}\n{}\nlacks {expected}", ran.stderr);
        assert_eq!(ran.stdout, "", "{words:?}");
    }
}
