//! The server's profiles over HTTP: each answers as its vendor documents it.

mod client;

use std::num::NonZeroU32;
use std::time::Duration;

use client::{Bench, ENTERPRISE, GROUP, LIST, PATCH_OP, Reply, USER};
use futures_util::{StreamExt, stream};
use regex::{Captures, Regex};
use reqwest::Method;
use scimspec::server::{Fault, RateLimit, ServerOptions, ServerProfile, list_faults, start};
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
    bench.find("meta.created gt \"2001-02-03T04:05:06Z\"").await.refused(400, Some("invalidFilter"));
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

const LEARNAMP: &str = "urn:ietf:params:scim:schemas:extension:learnamp:2.0:User";

fn employee(user_name: &str, address: &str) -> Value {
    json!({
        "schemas": [USER, ENTERPRISE, LEARNAMP],
        "userName": user_name,
        "name": { "givenName": "Lee", "familyName": "Amp" },
        "emails": [{ "value": address, "primary": true, "type": "work" }],
        "active": true,
        "title": "Analyst",
        "timezone": "Europe/London",
        "roles": [{ "value": "admin", "primary": true }],
        ENTERPRISE: { "department": "Sales", "manager": { "value": "Boss@example.com" } },
        LEARNAMP: { "hireDate": "2026-03-02", "team": "North", "custom1": "a", "unknown": "b" }
    })
}

#[tokio::test]
async fn learn_amp_updates_whom_it_knows_by_address() {
    let bench = Bench::new(options("learnamp")).await;
    assert_eq!(bench.post("/Users", employee("boss", "boss@example.com")).await.status, 201);
    let created = bench.post("/Users", employee("lee", "lee@example.com")).await;
    assert_eq!(created.status, 201, "{}", created.text);
    let path = format!("/Users/{}", created.id());
    let read = bench.get(&path).await.body;
    assert_eq!(read[LEARNAMP], json!({ "hireDate": "2026-03-02", "team": "North", "custom1": "a" }));
    assert_eq!(read[ENTERPRISE]["department"], "Sales");
    assert_eq!(read[ENTERPRISE]["manager"]["value"], "Boss@example.com");
    assert_eq!((&read["title"], &read["timezone"]), (&json!("Analyst"), &json!("Europe/London")));
    assert_eq!(read.get("roles"), None);

    // Another userName, the same address in another case: the same user, with what was not sent.
    let body = json!({
        "schemas": [USER], "userName": "lee.amp", "title": "Lead",
        "emails": [{ "value": "LEE@example.com", "primary": true }],
        LEARNAMP: { "team": "South" }
    });
    let updated = bench.post("/Users", body).await;
    assert_eq!((updated.status, updated.id()), (200, created.id()), "{}", updated.text);
    assert_eq!(updated.body["userName"], "lee.amp");
    assert_eq!((&updated.body["title"], &updated.body["active"]), (&json!("Lead"), &json!(true)));
    assert_eq!(updated.body[LEARNAMP], json!({ "hireDate": "2026-03-02", "team": "South", "custom1": "a" }));
    assert_eq!(bench.get("/Users").await.body["totalResults"], 2);

    bench.post("/Users", employee("BOSS", "new@example.com")).await.refused(409, Some("uniqueness"));
    bench.put(&path, employee("lee", "boss@example.com")).await.refused(409, Some("uniqueness"));
    bench
        .post("/Users", json!({ "schemas": [USER], "userName": "x" }))
        .await
        .refused(400, Some("invalidValue"));
    let bare = bench.post("/Users", json!({ "schemas": [USER], "userName": "x@example.com" })).await;
    assert_eq!((bare.status, &bare.body["emails"][0]["value"]), (201, &json!("x@example.com")));
}

#[tokio::test]
async fn learn_amp_keeps_who_is_deactivated_and_leaves_out_unknown_managers() {
    let bench = Bench::new(options("learnamp")).await;
    let created = bench.post("/Users", employee("lee", "lee@example.com")).await;
    assert_eq!(created.body[ENTERPRISE], json!({ "department": "Sales" }), "nobody is called boss");
    let path = format!("/Users/{}", created.id());
    for active in [false, true] {
        let reply = bench.patch(&path, json!([{ "op": "replace", "value": { "active": active } }])).await;
        assert_eq!(reply.status, 200, "{}", reply.text);
        let found = bench.find("userName eq \"lee\"").await.body;
        assert_eq!(found["Resources"][0]["active"], active);
        assert_eq!(found["Resources"][0]["id"], created.body["id"]);
    }
    let roles = json!([{ "op": "add", "path": "roles", "value": [{ "value": "admin" }] }]);
    assert_eq!(bench.patch(&path, roles).await.body.get("roles"), None);
    assert_eq!(bench.get("/Groups").await.status, 200);
    assert_eq!(bench.get("/ServiceProviderConfig").await.status, 200);
    assert!(bench.get(&format!("/Schemas/{LEARNAMP}")).await.text.contains("hireDate"));
}

/// Runs the command of a hook, as `scimspec run` does.
#[cfg(unix)]
async fn run_hook(config: &toml::Table, name: &str, user: &str) -> std::process::Output {
    let command = config["hooks"][name]["command"].as_str().unwrap();
    let mut shell = tokio::process::Command::new("sh");
    shell.args(["-c", command]).env("SCIMSPEC_ARG_USER", user).output().await.unwrap()
}

#[cfg(unix)]
#[tokio::test]
async fn the_configuration_has_hooks_that_work_and_no_secret() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::Builder::new().prefix("it's a folder").tempdir().unwrap();
    let path = folder.path().join("aim.toml");
    let bench = Bench::new(ServerOptions { write_config: Some(path.clone()), ..options("amplitude") }).await;
    let text = std::fs::read_to_string(&path).unwrap();
    let config: toml::Table = text.parse().unwrap();
    assert_eq!(config["profile"].as_str(), Some("amplitude"));
    assert_eq!(config["url"].as_str(), Some(bench.server.base_url()));
    for secret in [bench.server.token(), bench.server.second_token(), bench.server.control_token().unwrap()] {
        assert!(!text.contains(secret), "{text}");
    }
    for name in ["aim.toml.token", "aim.toml.second-token", "aim.toml.control"] {
        let mode = std::fs::metadata(folder.path().join(name)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{name}");
    }

    bench.invited("o'ann+\"x\"&y@example.com").await;
    let accepted = run_hook(&config, "accept-invitation", "O'ann+\"x\"&y@example.com").await;
    assert!(accepted.status.success(), "{accepted:?}");
    let said: Value = serde_json::from_slice(&accepted.stdout).unwrap();
    assert_eq!(said, json!({ "user": "o'ann+\"x\"&y@example.com" }));
    let refused = run_hook(&config, "accept-invitation", "nobody@example.com").await;
    assert!(
        !refused.status.success() && String::from_utf8_lossy(&refused.stderr).contains("404"),
        "{refused:?}"
    );

    let rotated = run_hook(&config, "rotate-key", "").await;
    let said: Value = serde_json::from_slice(&rotated.stdout).unwrap();
    assert_eq!(
        std::fs::read_to_string(folder.path().join("aim.toml.token")).unwrap(),
        said["token"].as_str().unwrap()
    );
    bench.get("/Users").await.refused(401, None);
    let list = bench.request_by(said["token"].as_str().unwrap(), Method::GET, "/Users");
    assert_eq!(bench.send(list).await.body["totalResults"], 1);

    let path = folder.path().join("learnamp.toml");
    let _bench = Bench::new(ServerOptions { write_config: Some(path.clone()), ..options("learnamp") }).await;
    let config: toml::Table = std::fs::read_to_string(path).unwrap().parse().unwrap();
    assert_eq!((config["profile"].as_str(), config.get("hooks")), (Some("learnamp"), None));
}

#[test]
fn each_profile_lists_its_faults() {
    for (name, least) in [("amplitude", 60), ("learnamp", 20)] {
        let text = list_faults(Some(ServerProfile::from_name(name).unwrap()));
        assert!(text.lines().count() >= least, "{text}");
        assert!(text.lines().all(|line| line.starts_with(&format!("{name}-"))), "{text}");
        assert!(!list_faults(None).contains(&format!("{name}-")));
    }
}

#[tokio::test]
async fn a_fault_of_a_profile_needs_the_profile() {
    let faults = vec![Fault::from_name("amplitude-limit-missing").unwrap()];
    for options in [ServerOptions::default(), options("learnamp")] {
        let refused = start(ServerOptions { faults: faults.clone(), ..options }).await.unwrap_err();
        assert!(refused.to_string().contains("--profile amplitude"), "{refused}");
    }
    start(ServerOptions { faults, ..options("amplitude") }).await.unwrap().shutdown().await;
}

/// What a server answers, line by line.
struct Walk {
    bench: Bench,
    times: Regex,
    lines: Vec<String>,
}

impl Walk {
    async fn of(profile: &str, fault: Option<&str>) -> Self {
        let faults = fault.map(|name| Fault::from_name(name).unwrap()).into_iter().collect();
        let client = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build().unwrap();
        let bench = Bench::with_client(ServerOptions { faults, ..options(profile) }, client).await;
        let times = Regex::new(r"\d{4}-\d\d-\d\d[T ][0-9:.]+(Z|\+00:00)?").unwrap();
        Self { bench, times, lines: Vec::new() }
    }

    /// Notes an answer: the times by their form and whether a resource has changed, seconds to wait by their form.
    fn note(&mut self, label: &str, reply: &Reply) {
        let base = self.bench.server.base_url();
        let mut created: Option<String> = None;
        let body = self.times.replace_all(&reply.text, |found: &Captures<'_>| {
            let form: String =
                found[0].chars().map(|it| if it.is_ascii_digit() { '0' } else { it }).collect();
            match created.take() {
                Some(created) => {
                    format!("{form} {}", if created == found[0] { "as created" } else { "later" })
                }
                None => {
                    created = Some(found[0].to_owned());
                    form
                }
            }
        });
        let wait = reply.header("retry-after").replace(|it: char| it.is_ascii_digit(), "0");
        let line = format!(
            "{label}: {} | {} {} {} | {body}",
            reply.status,
            reply.header("content-type"),
            reply.header("location"),
            wait.trim_start_matches('0'),
        );
        let wait = if wait.is_empty() { "" } else { " wait" };
        self.lines.push(format!("{}{wait}", line.replace(base, "")));
    }

    async fn send(&mut self, method: &str, path: &str, body: Value) -> Reply {
        let about = body["userName"].as_str().map_or_else(|| body.to_string(), str::to_owned);
        let label = format!("{method} {path} {about}");
        let method = Method::from_bytes(method.as_bytes()).unwrap();
        let request = self.bench.request(method, path);
        let request = if body.is_null() {
            request
        } else {
            request.header("content-type", "application/scim+json; charset=utf-8").body(body.to_string())
        };
        let reply = self.bench.send(request).await;
        self.note(&label, &reply);
        reply
    }

    async fn get(&mut self, path: &str) {
        self.send("GET", path, Value::Null).await;
    }

    async fn patch(&mut self, path: &str, operations: Value) {
        let body = json!({ "schemas": [PATCH_OP], "Operations": operations });
        self.send("PATCH", path, body).await;
    }
}

/// Goes through what Amplitude documents.
async fn walk_amplitude(fault: Option<&'static str>) -> Vec<String> {
    let mut walk = Walk::of("amplitude", fault).await;
    let off = json!([{ "op": "replace", "value": { "active": false } }]);
    let find = |address: &str| format!("/Users?filter=userName%20eq%20%22{address}%22");
    for address in ["ann@example.com", "bob@example.com"] {
        walk.send("POST", "/Users", person(address)).await;
    }
    let accepted = walk.bench.accept("bob@example.com").await;
    walk.note("accept", &accepted);
    for path in [
        "/Users/ann@example.com",
        "/Users/BOB@example.com",
        "/Users/ann%40example.com",
        "/Users",
        "/Users?itemsPerPage=1",
        "/Users?startIndex=2&itemsPerPage=1",
    ] {
        walk.get(path).await;
    }
    walk.get(&find("ann@example.com")).await;
    walk.get(&find("ANN@example.com")).await;
    for address in ["ann@example.com", "ANN@example.com", "bob@example.com"] {
        walk.send("POST", "/Users", person(address)).await;
    }
    let request = walk.bench.request(Method::POST, "/Users/").header("content-type", "application/json");
    let reply = walk.bench.send(request.body(person("cat@example.com").to_string())).await;
    walk.note("a plain create", &reply);
    let okta = json!({
        "schemas": [USER], "userName": "dan@example.com", "active": true, "password": "s3cret-of-dan",
        "emails": [{ "value": "dan@example.com", "primary": true }], "displayName": "Dan"
    });
    walk.send("POST", "/Users", okta).await;
    walk.get("/Users/dan@example.com").await;
    walk.send("POST", "/Users", with(person("eve@example.com"), "id", json!("eve"))).await;
    walk.send("POST", "/Users", with(person("eve"), "id", Value::Null)).await;

    let members = json!([{ "value": "ann@example.com" }, { "value": "bob@example.com" }, { "value": "new@example.com" }]);
    let body = json!({ "schemas": [GROUP], "displayName": "Team", "members": members });
    let created = walk.send("POST", "/Groups", body).await;
    let group = created.body["id"].to_string();
    let path = format!("/Groups/{}", group.trim_matches('"'));
    walk.send("POST", "/Groups", json!({ "schemas": [GROUP], "displayName": "Other" })).await;
    for path in [
        "/Groups",
        &path,
        "/Groups/word",
        "/Groups?filter=displayName%20eq%20%22Team%22",
        "/Users/new@example.com",
    ] {
        walk.get(path).await;
    }
    walk.patch(
        &path,
        json!([{ "op": "add", "path": "members", "value": [{ "value": "late@example.com" }] }]),
    )
    .await;
    walk.get("/Users/late@example.com").await;
    walk.patch(&path, json!([{ "op": "remove", "path": "members[value eq \"late@example.com\"]" }])).await;
    walk.patch(&path, json!([{ "op": "replace", "value": { "displayName": "Renamed" } }])).await;
    walk.get(&path).await;

    let mut body = person("ann@example.com");
    body["name"]["givenName"] = json!("Ann");
    body["groups"] = json!([{ "value": group.trim_matches('"') }]);
    walk.send("PUT", "/Users/ann@example.com", body).await;
    walk.patch(
        "/Users/ann@example.com",
        json!([{ "op": "replace", "path": "name.familyName", "value": "Lee" }]),
    )
    .await;
    walk.patch(
        "/Users/ann@example.com",
        json!([{ "op": "replace", "value": { "name": { "givenName": "A" } } }]),
    )
    .await;
    walk.get("/Users/ann@example.com").await;
    walk.send("PUT", "/Users/cat@example.com", person("other@example.com")).await;
    walk.get("/Users/cat@example.com").await;
    walk.send("PUT", "/Users/nobody@example.com", person("nobody@example.com")).await;
    let joining = with(person("fay@example.com"), "groups", json!([{ "value": group.trim_matches('"') }]));
    walk.send("POST", "/Users", joining.clone()).await;
    walk.get(&path).await;
    walk.send("PUT", "/Users/fay@example.com", joining).await;
    walk.get(&path).await;

    walk.patch("/Users/ann@example.com", off).await;
    walk.get("/Users/ann@example.com").await;
    walk.get(&path).await;
    walk.send("POST", "/Users", person("ann@example.com")).await;
    walk.send("PUT", "/Users/bob@example.com", with(person("bob@example.com"), "active", json!(false))).await;
    walk.get("/Users/bob@example.com").await;
    for address in ["Cat@example.com", "cat@example.com", "cat@example.com"] {
        walk.send("DELETE", &format!("/Users/{address}"), Value::Null).await;
    }
    walk.get("/Users/cat@example.com").await;
    walk.send("POST", "/Users", person("cat@example.com")).await;
    walk.send("DELETE", &path, Value::Null).await;
    walk.get("/Users/new@example.com").await;

    let mut others = Vec::new();
    for token in [walk.bench.server.second_token(), "wrong"] {
        for path in ["/Users", "/Users/cat@example.com"] {
            others.push(walk.bench.send(walk.bench.request_by(token, Method::GET, path)).await);
        }
    }
    for reply in others {
        walk.note("another key", &reply);
    }
    let members: Vec<Value> =
        (0..130).map(|number| json!({ "value": format!("u{number}@example.com") })).collect();
    walk.send("POST", "/Groups", json!({ "schemas": [GROUP], "displayName": "Many", "members": members }))
        .await;
    for query in ["", "?itemsPerPage=150", "?startIndex=120"] {
        walk.get(&format!("/Users{query}")).await;
    }
    let mut count = 0;
    while count < 150 {
        count += 1;
        if walk.bench.get("/Users?itemsPerPage=1").await.status != 200 {
            break;
        }
    }
    walk.lines.push(format!("refused after {count}"));
    walk.get("/Users?itemsPerPage=1").await;
    let rotated =
        walk.bench.control(walk.bench.server.control_token().unwrap(), "rotate-key", json!({})).await;
    let new = rotated.body["token"].as_str().unwrap_or_default();
    let reply = walk.bench.send(walk.bench.request_by(new, Method::GET, "/Groups?itemsPerPage=1")).await;
    walk.note("new key", &reply);
    walk.get("/Groups?itemsPerPage=1").await;
    walk.lines
}

/// Asserts that each fault of a profile shows in a walk, and returns the line in which it first does.
fn first_lines(sound: &[String], seen: Vec<(&'static str, Vec<String>)>) -> Vec<(&'static str, String)> {
    let mut first = Vec::new();
    let mut unseen = Vec::new();
    for (name, lines) in seen {
        match sound.iter().zip(&lines).find(|(sound, line)| sound != line) {
            Some((_, line)) => first.push((name, line.clone())),
            None => unseen.push(name),
        }
    }
    assert!(unseen.is_empty(), "nothing shows these faults: {unseen:?}");
    first
}

#[tokio::test]
async fn every_fault_of_amplitude_shows() {
    let sound = walk_amplitude(None).await;
    assert_eq!(sound, walk_amplitude(None).await, "a sound double answers alike twice");
    let names = ServerProfile::from_name("amplitude").unwrap().entry().faults().map(|entry| entry.name);
    let walks = names.map(|name| async move { (name, walk_amplitude(Some(name)).await) });
    let seen: Vec<(&str, Vec<String>)> = stream::iter(walks).buffer_unordered(4).collect().await;
    let first = first_lines(&sound, seen);
    assert!(first.len() >= 60, "{}", first.len());
    for (name, label, status) in [
        ("amplitude-id-case-sensitive", "GET /Users/BOB@example.com", 404),
        ("amplitude-id-encoded-unknown", "GET /Users/ann%40example.com", 404),
        ("amplitude-create-answers-200", "POST /Users", 200),
        ("amplitude-create-slash-unknown", "a plain create", 404),
        ("amplitude-create-redirected", "POST /Users", 308),
        ("amplitude-duplicate-by-case", "POST /Users ANN", 201),
        ("amplitude-pending-inactive", "GET /Users/ann@example.com", 200),
        ("amplitude-group-read-id-integer", "GET /Groups/", 200),
        ("amplitude-members-unknown-refused", "POST /Groups", 400),
        ("amplitude-members-not-invited", "POST /Groups", 200),
        ("amplitude-patch-deactivate-ignored", "PATCH /Users/ann@example.com", 200),
        ("amplitude-put-deactivate-ignored", "GET /Users/bob@example.com", 200),
        ("amplitude-delete-leaves-invitation", "POST /Users cat", 409),
        ("amplitude-group-delete-removes-users", "GET /Users/new@example.com", 404),
        ("amplitude-other-organisation-listed", "another key", 200),
        ("amplitude-old-key-lives", "GET /Groups?itemsPerPage=1", 429),
        ("amplitude-limit-answers-503", "GET /Users?itemsPerPage=1", 503),
    ] {
        let (_, line) = first.iter().find(|(seen, _)| *seen == name).unwrap();
        assert!(line.starts_with(label) && line.contains(&format!(": {status} |")), "{name}: {line}");
    }
}

/// Goes through what Learn Amp documents.
async fn walk_learn_amp(fault: Option<&'static str>) -> Vec<String> {
    let mut walk = Walk::of("learnamp", fault).await;
    // Ids are random: each is named after the user.
    let mut ids: Vec<(String, String)> = Vec::new();
    for (name, address) in
        [("boss", "boss@example.com"), ("lee", "lee@example.com"), ("lee", "other@example.com")]
    {
        let reply = walk.send("POST", "/Users", employee(name, address)).await;
        ids.extend(reply.body["id"].as_str().map(|id| (id.to_owned(), format!("ID-OF-{address}"))));
    }
    let lee = ids.get(1).map(|(id, _)| format!("/Users/{id}")).unwrap_or_default();
    let again = json!({
        "schemas": [USER], "userName": "lee.amp", "title": "Lead",
        "emails": [{ "value": "lee@example.com", "primary": true }]
    });
    let reply = walk.send("POST", "/Users", again.clone()).await;
    ids.extend(reply.body["id"].as_str().map(|id| (id.to_owned(), "ID-OF-twin".to_owned())));
    let mut unlike = again;
    unlike["userName"] = json!("lee.two");
    unlike["emails"][0]["value"] = json!("LEE@example.com");
    let reply = walk.send("POST", "/Users", unlike).await;
    ids.extend(reply.body["id"].as_str().map(|id| (id.to_owned(), "ID-OF-twin".to_owned())));
    walk.get(&lee).await;
    let mut manager = employee("mia", "mia@example.com");
    manager[ENTERPRISE]["manager"]["value"] = json!("nobody@example.com");
    let reply = walk.send("POST", "/Users", manager).await;
    ids.extend(reply.body["id"].as_str().map(|id| (id.to_owned(), "ID-OF-mia".to_owned())));
    walk.patch(&lee, json!([{ "op": "replace", "path": "title", "value": "Chief" }])).await;
    walk.send("PUT", &lee, employee("lee", "lee.amp@example.com")).await;
    for active in [false, true] {
        walk.patch(&lee, json!([{ "op": "replace", "value": { "active": active } }])).await;
        walk.get(&lee).await;
        walk.get("/Users?filter=userName%20eq%20%22lee%22").await;
    }
    let reply = walk.bench.send(walk.bench.request_by("wrong", Method::GET, "/Users")).await;
    walk.note("wrong token", &reply);
    let versions = Regex::new(r#"W/\\?"[0-9a-f]{16}\\?""#).unwrap();
    let name = |line: &String| {
        let line = versions.replace_all(line, "VERSION").into_owned();
        ids.iter().fold(line, |line, (id, name)| line.replace(id, name))
    };
    walk.lines.iter().map(name).collect()
}

#[tokio::test]
async fn every_fault_of_learn_amp_shows() {
    let sound = walk_learn_amp(None).await;
    assert_eq!(sound, walk_learn_amp(None).await, "a sound double answers alike twice");
    let mut seen = Vec::new();
    for entry in ServerProfile::from_name("learnamp").unwrap().entry().faults() {
        seen.push((entry.name, walk_learn_amp(Some(entry.name)).await));
    }
    let first = first_lines(&sound, seen);
    assert!(first.len() >= 20, "{}", first.len());
    for (name, label, status) in [
        ("learnamp-duplicate-conflicts", "POST /Users lee.amp", 409),
        ("learnamp-duplicate-created", "POST /Users lee.amp", 201),
        ("learnamp-duplicate-ignored", "POST /Users lee.amp", 200),
        ("learnamp-matches-user-name", "POST /Users lee", 200),
        ("learnamp-matches-exact-case", "POST /Users lee.two", 201),
        ("learnamp-manager-unknown-fails", "POST /Users boss", 500),
        ("learnamp-deactivate-deletes", "GET /Users/", 404),
        ("learnamp-roles-refused", "POST /Users boss", 400),
        ("learnamp-wrong-token-lists-nobody", "wrong token", 200),
    ] {
        let (_, line) = first.iter().find(|(seen, _)| *seen == name).unwrap();
        assert!(line.starts_with(label) && line.contains(&format!(": {status} |")), "{name}: {line}");
    }
}
