//! The server's profiles over HTTP: each answers as its vendor documents it.

mod client;

use std::num::NonZeroU32;
use std::time::Duration;

use client::{Bench, GROUP, LIST, Reply, USER};
use reqwest::Method;
use scimspec::server::{Fault, RateLimit, ServerOptions, ServerProfile, start};
use serde_json::{Value, json};

fn options(profile: &str) -> ServerOptions {
    ServerOptions { profile: Some(ServerProfile::from_name(profile).unwrap()), ..ServerOptions::default() }
}

async fn amplitude() -> Bench {
    Bench::new(options("amplitude")).await
}

fn person(address: &str) -> Value {
    json!({
        "schemas": [USER],
        "id": address,
        "userName": address,
        "name": { "givenName": "Data", "familyName": "Monster" },
        "emails": [{ "value": address, "primary": true }],
        "meta": { "resourceType": "User" }
    })
}

fn with(mut body: Value, member: &str, value: Value) -> Value {
    body[member] = value;
    body
}

impl Bench {
    async fn invited(&self, address: &str) -> Reply {
        let reply = self.post("/Users", person(address)).await;
        assert_eq!(reply.status, 201, "{}", reply.text);
        reply
    }

    async fn team(&self, members: &[&str]) -> String {
        let members: Vec<Value> = members.iter().map(|it| json!({ "value": it })).collect();
        let body = json!({ "schemas": [GROUP], "displayName": "Team", "members": members });
        let reply = self.post("/Groups", body).await;
        assert_eq!(reply.status, 200, "{}", reply.text);
        reply.body["id"].to_string()
    }

    async fn control(&self, token: &str, name: &str, body: Value) -> Reply {
        let url = format!("{}/{name}", self.server.control_url().unwrap());
        let request = self.client.post(url).bearer_auth(token).header("content-type", "application/json");
        self.send(request.body(body.to_string())).await
    }

    async fn accept(&self, address: &str) -> Reply {
        let token = self.server.control_token().unwrap();
        self.control(token, "accept-invitation", json!({ "user": address })).await
    }
}

#[tokio::test]
async fn amplitude_answers_a_create_with_the_request() {
    let bench = amplitude().await;
    assert!(bench.server.base_url().ends_with("/scim/1"));
    let reply = bench.post("/Users/", person("ann@example.com")).await;
    assert_eq!((reply.status, &reply.body), (201, &person("ann@example.com")));
    assert_eq!(reply.header("location"), format!("{}/Users/ann@example.com", bench.server.base_url()));

    // The way that Okta does it: no id, and much that Amplitude does not have.
    let okta = json!({
        "schemas": [USER, "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"],
        "userName": "Bob@example.com", "name": { "givenName": "Bob", "familyName": "B" },
        "emails": [{ "value": "bob@example.com", "primary": true, "type": "work" }],
        "displayName": "Bob B", "locale": "en-US", "externalId": "00u1", "groups": [], "active": true,
        "password": "s3cret-of-bob"
    });
    let reply = bench.post("/Users", okta.clone()).await;
    assert_eq!(reply.status, 201, "{}", reply.text);
    assert_eq!(reply.body["id"], "Bob@example.com");
    assert_eq!(reply.body["externalId"], "00u1");
    assert!(!reply.text.contains("s3cret-of-bob"));
    let read = bench.get("/Users/bob%40EXAMPLE.com").await;
    assert_eq!(
        read.body,
        json!({
            "schemas": [USER], "id": "Bob@example.com", "userName": "Bob@example.com",
            "name": { "givenName": "Bob", "familyName": "B" }, "active": true,
            "emails": [{ "value": "Bob@example.com", "primary": true }],
            "groups": [], "meta": { "resourceType": "User" }
        })
    );
    assert_eq!(read.header("etag"), "");
}

#[tokio::test]
async fn amplitude_wants_addresses_and_each_once() {
    let bench = amplitude().await;
    bench
        .post("/Users", with(person("ann@example.com"), "id", json!("ann")))
        .await
        .refused(400, Some("invalidValue"));
    let other = with(person("ann@example.com"), "id", json!("bob@example.com"));
    bench.post("/Users", other).await.refused(400, Some("invalidValue"));
    bench
        .post("/Users", json!({ "schemas": [USER], "userName": "ann" }))
        .await
        .refused(400, Some("invalidValue"));
    assert_eq!(bench.get("/Users").await.body["totalResults"], 0);
    bench.invited("ann@example.com").await;
    bench.post("/Users", person("ANN@example.com")).await.refused(409, Some("uniqueness"));
    assert_eq!(bench.accept("ann@example.com").await.status, 200);
    bench.post("/Users", person("ann@example.com")).await.refused(409, Some("uniqueness"));
    bench.get("/Users/010101001010101011001010101011").await.refused(404, None);
}

#[tokio::test]
async fn amplitude_users_are_active_until_they_are_gone() {
    let bench = amplitude().await;
    for joins in [false, true] {
        bench.invited("ann@example.com").await;
        let group = bench.team(&["ann@example.com"]).await;
        if joins {
            assert_eq!(bench.accept("Ann@example.com").await.body, json!({ "user": "ann@example.com" }));
        }
        assert_eq!(bench.get("/Users/ann@example.com").await.body["active"], true);
        let off = with(person("ann@example.com"), "active", json!(false));
        let reply = bench.put("/Users/ann@example.com", off.clone()).await;
        assert_eq!((reply.status, reply.body), (200, off));
        bench.get("/Users/ann@example.com").await.refused(404, None);
        assert_eq!(bench.find("userName eq \"ann@example.com\"").await.body["totalResults"], 0);
        assert_eq!(bench.get(&format!("/Groups/{group}")).await.body.get("members"), None);

        bench.invited("ann@example.com").await;
        let off = json!([{ "op": "replace", "value": { "active": false } }]);
        let reply = bench.patch("/Users/ANN@example.com", off.clone()).await;
        assert_eq!((reply.status, &reply.body["active"]), (200, &json!(false)));
        bench.patch("/Users/ann@example.com", off).await.refused(404, None);

        bench.invited("ann@example.com").await;
        let reply = bench.delete("/Users/ann%40example.COM").await;
        assert_eq!((reply.status, reply.text.as_str()), (204, ""));
        bench.delete("/Users/ann@example.com").await.refused(404, None);
        bench.put("/Users/ann@example.com", person("ann@example.com")).await.refused(404, None);
    }
}

#[tokio::test]
async fn amplitude_keeps_the_address_and_ignores_what_it_does_not_have() {
    let bench = amplitude().await;
    bench.invited("ann@example.com").await;
    let group = bench.team(&[]).await;
    let mutability = Some("mutability");
    bench.put("/Users/ann@example.com", person("bob@example.com")).await.refused(400, mutability);
    let other = json!([{ "value": "bob@example.com", "primary": true }]);
    let body = with(person("ann@example.com"), "emails", other);
    bench.put("/Users/ann@example.com", body).await.refused(400, mutability);
    let rename = json!([{ "op": "replace", "path": "userName", "value": "bob@example.com" }]);
    bench.patch("/Users/ann@example.com", rename).await.refused(400, mutability);

    let mut body = person("ANN@example.com");
    body["name"]["givenName"] = json!("Ann");
    body["groups"] = json!([{ "value": group }]);
    body["title"] = json!("Analyst");
    let reply = bench.put("/Users/ann@example.com", body.clone()).await;
    assert_eq!((reply.status, reply.body), (200, body));
    let ignored = json!([
        { "op": "add", "path": "groups", "value": [{ "value": group }] },
        { "op": "replace", "path": "title", "value": "Analyst" },
        { "op": "replace", "path": "name.familyName", "value": "Lee" }
    ]);
    let reply = bench.patch("/Users/ann@example.com", ignored).await;
    assert_eq!(reply.status, 200, "{}", reply.text);
    assert_eq!(reply.body, bench.get("/Users/ann@example.com").await.body);
    assert_eq!(reply.body["name"], json!({ "givenName": "Ann", "familyName": "Lee" }));
    assert_eq!((&reply.body["userName"], &reply.body["groups"]), (&json!("ann@example.com"), &json!([])));
    assert_eq!(reply.body.get("title"), None);
}

#[tokio::test]
async fn amplitude_pages_by_its_own_parameter() {
    let bench = Bench::new(ServerOptions { seed_users: 120, ..options("amplitude") }).await;
    for (query, rows, shown) in [
        ("", 100, 100),
        ("?itemsPerPage=7", 7, 7),
        ("?itemsPerPage=500", 100, 100),
        ("?count=7", 100, 100),
        ("?startIndex=101", 20, 100),
        ("?startIndex=118&itemsPerPage=10", 3, 10),
    ] {
        let reply = bench.get(&format!("/Users{query}")).await;
        assert_eq!(reply.body["schemas"], json!([LIST]), "{}", reply.text);
        assert_eq!(reply.body["totalResults"], 120);
        assert_eq!(reply.body["Resources"].as_array().unwrap().len(), rows, "{query}");
        assert_eq!(reply.body["itemsPerPage"], shown, "{query}");
    }
    let first = bench.get("/Users?itemsPerPage=1").await.body["Resources"][0].clone();
    assert_eq!((&first["id"], &first["active"]), (&first["userName"], &json!(true)));
    assert_eq!(first["meta"], json!({ "resourceType": "User" }));
    let group = bench.get("/Groups?itemsPerPage=1").await.body["Resources"][0].clone();
    assert!(group["id"].is_u64() && group["members"][0]["value"] == first["id"], "{group}");
}

#[tokio::test]
async fn amplitude_invites_the_members_of_groups() {
    let bench = amplitude().await;
    bench.invited("ann@example.com").await;
    let body = json!({
        "schemas": [GROUP], "displayName": "Team",
        "members": [{ "value": "Ann@Example.com" }, { "value": "new@example.com" }]
    });
    let created = bench.post("/Groups", body).await;
    assert_eq!(created.status, 200, "{}", created.text);
    assert!(created.body["id"].is_u64());
    assert_eq!(
        created.body["members"],
        json!([
            { "value": "ann@example.com", "display": "Data Monster" },
            { "value": "new@example.com", "display": "undefined undefined" }
        ])
    );
    let path = format!("/Groups/{}", created.body["id"]);
    let read = bench.get(&path).await.body;
    assert_eq!(read["id"], created.body["id"].to_string());
    assert_eq!(read["members"][1]["display"], "NO_GIVEN_NAME NO_FAMILY_NAME");
    let created = read["meta"]["created"].as_str().unwrap();
    assert!(
        created.ends_with("+00:00") && created.len() == "2022-02-03T20:40:22.000+00:00".len(),
        "{created}"
    );
    assert_eq!(read["meta"].as_object().unwrap().len(), 3);

    let user = bench.get("/Users/new@example.com").await.body;
    assert_eq!(user["name"], json!({ "givenName": "NO_GIVEN_NAME", "familyName": "NO_FAMILY_NAME" }));
    assert_eq!((&user["active"], &user["groups"][0]["display"]), (&json!(true), &json!("Team")));
    assert_eq!(bench.accept("new@example.com").await.status, 200);
    assert_eq!(
        bench.get("/Users/new@example.com").await.body["name"],
        json!({ "givenName": "new", "familyName": "example.com" })
    );

    let add = json!([{ "op": "add", "path": "members", "value": [{ "value": "late@example.com" }] }]);
    let patched = bench.patch(&path, add).await;
    assert_eq!((patched.status, &patched.body["id"]), (200, &read["id"]));
    assert_eq!(patched.body["members"].as_array().unwrap().len(), 3);
    assert_eq!(bench.get("/Users/late@example.com").await.body["active"], true);
    let remove = json!([{ "op": "remove", "path": "members[value eq \"LATE@example.com\"]" }]);
    assert_eq!(bench.patch(&path, remove).await.body["members"].as_array().unwrap().len(), 2);
    let body =
        json!({ "schemas": [GROUP], "displayName": "Renamed", "members": [{ "value": "late@example.com" }] });
    let replaced = bench.put(&path, body).await;
    assert_eq!((replaced.status, &replaced.body["displayName"]), (200, &json!("Renamed")));
    assert_eq!(bench.delete(&path).await.status, 204);
    bench.get(&path).await.refused(404, None);
    assert_eq!(bench.get("/Users/late@example.com").await.status, 200);
    let nobody = json!({ "schemas": [GROUP], "displayName": "T", "members": [{ "value": "nobody" }] });
    bench.post("/Groups", nobody).await.refused(400, Some("invalidValue"));
}

#[tokio::test]
async fn amplitude_has_no_other_routes() {
    let bench = amplitude().await;
    for path in ["/ServiceProviderConfig", "/ResourceTypes", "/Schemas", "/Me", "/Bulk", ""] {
        bench.get(path).await.refused(404, None);
    }
    bench.post("/Users/.search", json!({})).await.refused(404, None);
    let elsewhere = bench.server.base_url().replace("/scim/1", "/scim/v2/Users");
    bench.send(bench.client.get(elsewhere).bearer_auth(bench.server.token())).await.refused(404, None);
}

#[tokio::test]
async fn amplitude_takes_a_hundred_requests_a_minute_from_each_organisation() {
    let bench = amplitude().await;
    for _ in 0..100 {
        assert_eq!(bench.get("/Users").await.status, 200);
    }
    let reply = bench.get("/Users").await;
    reply.refused(429, None);
    assert!((1..=60).contains(&reply.header("retry-after").parse::<u32>().unwrap()));
    let second = bench.request_by(bench.server.second_token(), Method::GET, "/Users");
    assert_eq!(bench.send(second).await.status, 200);

    let limit = RateLimit::new(NonZeroU32::new(1).unwrap(), Duration::from_secs(60), None).unwrap();
    let bench = Bench::new(ServerOptions { rate_limit: Some(limit), ..options("amplitude") }).await;
    assert_eq!(bench.get("/Users").await.status, 200);
    bench.get("/Users").await.refused(429, None);
}

#[tokio::test]
async fn the_control_endpoints_have_a_token_of_their_own() {
    let bench = amplitude().await;
    bench.invited("ann@example.com").await;
    let (key, control) = (bench.server.token(), bench.server.control_token().unwrap());
    for token in [key, bench.server.second_token(), "wrong"] {
        bench
            .control(token, "accept-invitation", json!({ "user": "ann@example.com" }))
            .await
            .refused(401, None);
        bench.control(token, "rotate-key", json!({})).await.refused(401, None);
    }
    let list = |token: &str| bench.send(bench.request_by(token, Method::GET, "/Users"));
    list(control).await.refused(401, None);

    bench.accept("nobody@example.com").await.refused(404, None);
    assert_eq!(bench.accept("ANN@example.com").await.status, 200);
    bench.accept("ann@example.com").await.refused(409, None);
    bench.control(control, "accept-invitation", json!({})).await.refused(400, Some("invalidValue"));
    bench.control(control, "else", json!({})).await.refused(404, None);
    let url = format!("{}/rotate-key", bench.server.control_url().unwrap());
    bench.send(bench.client.get(url).bearer_auth(control)).await.refused(405, None);

    let rotated = bench.control(control, "rotate-key", json!({})).await;
    let new = rotated.body["token"].as_str().unwrap();
    assert_eq!(list(new).await.body["totalResults"], 1);
    list(key).await.refused(401, None);
    assert_eq!(list(bench.server.second_token()).await.body["totalResults"], 0);

    let plain = Bench::plain().await;
    assert_eq!((plain.server.control_url(), plain.server.control_token()), (None, None));
}

#[tokio::test]
async fn a_fault_of_a_profile_needs_the_profile() {
    for entry in ServerProfile::from_name("amplitude").unwrap().entry().faults.iter().take(1) {
        let faults = vec![Fault::from_name(entry.name).unwrap()];
        let refused = start(ServerOptions { faults, ..ServerOptions::default() }).await.unwrap_err();
        assert!(refused.to_string().contains("--profile amplitude"), "{refused}");
    }
}
