//! Bulk on the reference server (RFC 7644 §3.7), and each way of getting it wrong seen by a case.

mod common;

use std::collections::BTreeMap;

use common::{Trial, everything};
use scimspec::outcome::Verdict;
use scimspec::server::{self, BulkLimits, Fault, RunningServer, ServerOptions, faults};
use serde_json::{Value, json};

const USER: &str = "urn:ietf:params:scim:schemas:core:2.0:User";
const GROUP: &str = "urn:ietf:params:scim:schemas:core:2.0:Group";
const REQUEST: &str = "urn:ietf:params:scim:api:messages:2.0:BulkRequest";
const RESPONSE: &str = "urn:ietf:params:scim:api:messages:2.0:BulkResponse";
const PATCH: &str = "urn:ietf:params:scim:api:messages:2.0:PatchOp";

struct Bench {
    server: RunningServer,
    client: reqwest::Client,
}

impl Bench {
    async fn new() -> Bench {
        Bench::with(BulkLimits::default()).await
    }

    async fn with(bulk: BulkLimits) -> Bench {
        let server = server::start(ServerOptions { bulk, ..ServerOptions::default() }).await.unwrap();
        Bench { server, client: reqwest::Client::new() }
    }

    async fn send(&self, method: &str, path: &str, body: String) -> (u16, Value) {
        let url = format!("{}{path}", self.server.base_url());
        let request = self.client.request(method.parse().unwrap(), url).bearer_auth(self.server.token());
        let request = request.header("Content-Type", "application/scim+json").body(body);
        let answer = request.send().await.unwrap();
        let status = answer.status().as_u16();
        (status, serde_json::from_str(&answer.text().await.unwrap()).unwrap_or_default())
    }

    async fn get(&self, path: &str) -> (u16, Value) {
        self.send("GET", path, String::new()).await
    }

    /// The results of a job that is answered with 200.
    async fn job(&self, operations: Value, more: Value) -> Vec<Value> {
        let mut message = json!({"schemas": [REQUEST], "Operations": operations});
        for (name, value) in more.as_object().unwrap() {
            message[name] = value.clone();
        }
        let (status, body) = self.send("POST", "/Bulk", message.to_string()).await;
        assert_eq!((status, &body["schemas"]), (200, &json!([RESPONSE])), "{body}");
        assert!(body.get("failOnErrors").is_none());
        body["Operations"].as_array().unwrap().clone()
    }

    async fn run(&self, operations: Value) -> Vec<Value> {
        self.job(operations, json!({})).await
    }

    async fn count(&self, endpoint: &str) -> u64 {
        self.get(endpoint).await.1["totalResults"].as_u64().unwrap()
    }

    /// What a result's location shows.
    async fn shown(&self, result: &Value) -> Value {
        let location = result["location"].as_str().unwrap_or_else(|| panic!("no location: {result}"));
        let path = location.strip_prefix(self.server.base_url()).unwrap();
        let (status, body) = self.get(path).await;
        assert_eq!(status, 200, "{body}");
        body
    }
}

fn user(bulk_id: &str) -> Value {
    let data = json!({"schemas": [USER], "userName": format!("{bulk_id}@example.com")});
    json!({"method": "POST", "path": "/Users", "bulkId": bulk_id, "data": data})
}

fn group(bulk_id: &str, members: &[&str]) -> Value {
    let members: Vec<Value> = members.iter().map(|id| json!({"value": id})).collect();
    let data = json!({"schemas": [GROUP], "displayName": bulk_id, "members": members});
    json!({"method": "POST", "path": "/Groups", "bulkId": bulk_id, "data": data})
}

fn statuses(results: &[Value]) -> Vec<&str> {
    results.iter().map(|result| result["status"].as_str().unwrap()).collect()
}

fn members(group: &Value) -> Vec<&str> {
    group["members"]
        .as_array()
        .map(|all| all.iter().map(|it| it["value"].as_str().unwrap()).collect())
        .unwrap_or_default()
}

#[tokio::test]
async fn each_operation_is_what_it_would_be_alone() {
    let bench = Bench::new().await;
    let results = bench.run(json!([user("ann"), user("ben"), group("staff", &["bulkId:ann"])])).await;
    assert_eq!(statuses(&results), ["201", "201", "201"]);
    assert_eq!(results[0]["bulkId"], "ann");
    assert_eq!((&results[0]["method"], results[0].get("response")), (&json!("POST"), None));
    let (ann, ben, staff) =
        (bench.shown(&results[0]).await, bench.shown(&results[1]).await, bench.shown(&results[2]).await);
    assert_eq!(members(&staff), [ann["id"].as_str().unwrap()]);
    for (result, resource) in [(&results[1], &ben), (&results[2], &staff)] {
        assert_eq!(result["version"], resource["meta"]["version"]);
    }
    let patch = json!({"schemas": [PATCH], "Operations": [{"op": "add", "path": "title", "value": "x"}]});
    let results = bench
        .run(json!([
            {"method": "PUT", "path": format!("/Users/{}", ann["id"].as_str().unwrap()), "version": ann["meta"]["version"],
                "data": {"schemas": [USER], "userName": "new@example.com"}},
            {"method": "PATCH", "path": format!("/Users/{}", ann["id"].as_str().unwrap()), "version": ann["meta"]["version"], "data": patch},
            {"method": "DELETE", "path": format!("/Users/{}", ben["id"].as_str().unwrap())},
            {"method": "DELETE", "path": format!("/Users/{}", ben["id"].as_str().unwrap()), "bulkId": "gone"},
        ]))
        .await;
    assert_eq!(statuses(&results), ["200", "412", "204", "404"]);
    assert_eq!(bench.shown(&results[0]).await["userName"], "new@example.com");
    for result in [&results[1], &results[3]] {
        assert_eq!(result["response"]["status"], result["status"]);
        assert!(result["location"].as_str().unwrap().starts_with("http"));
    }
    assert_eq!(results[3]["bulkId"], "gone");
    assert_eq!(bench.count("/Users").await, 1);
}

#[tokio::test]
async fn references_are_resolved_in_any_order() {
    let bench = Bench::new().await;
    let manager = json!({"schemas": [USER], "userName": "m", "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User": {"manager": {"value": "bulkId:boss"}}});
    let patch = json!({"schemas": [PATCH], "Operations": [{"op": "add", "path": "members", "value": [{"value": "bulkId:boss"}]}]});
    let results = bench
        .run(json!([
            {"method": "PATCH", "path": "/Groups/bulkId:late", "data": patch},
            group("late", &["bulkId:m", "bulkId:late2"]),
            {"method": "POST", "path": "/Users", "bulkId": "m", "data": manager},
            user("boss"),
            group("late2", &[]),
        ]))
        .await;
    assert_eq!(statuses(&results), ["200", "201", "201", "201", "201"], "{results:#?}");
    let (m, boss, late2) =
        (bench.shown(&results[2]).await, bench.shown(&results[3]).await, bench.shown(&results[4]).await);
    let late = bench.shown(&results[1]).await;
    assert_eq!(members(&late), [&m["id"], &late2["id"], &boss["id"]].map(|id| id.as_str().unwrap()));
    let manager = &m["urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"]["manager"];
    assert_eq!(manager["value"], boss["id"]);
    assert!(!late.to_string().contains("bulkId") && !m.to_string().contains("bulkId"));
}

#[tokio::test]
async fn a_circle_is_closed_or_leaves_nothing() {
    let bench = Bench::new().await;
    let results = bench
        .run(json!([group("a", &["bulkId:b"]), group("b", &["bulkId:c"]), group("c", &["bulkId:a"])]))
        .await;
    assert_eq!(statuses(&results), ["201", "201", "201"], "{results:#?}");
    let mut shown = Vec::new();
    for result in &results {
        shown.push(bench.shown(result).await);
    }
    for (index, group) in shown.iter().enumerate() {
        assert_eq!(members(group), [shown[(index + 1) % 3]["id"].as_str().unwrap()]);
    }
    // A group cannot be its own member here, and where one of a circle fails none stays.
    let results = bench
        .run(json!([
            group("self", &["bulkId:self"]),
            group("x", &["bulkId:y"]),
            group("y", &["bulkId:x", "nobody"]),
            user("ann")
        ]))
        .await;
    assert_eq!(statuses(&results), ["409", "409", "400", "201"], "{results:#?}");
    assert!(results.iter().take(3).all(|result| result.get("location").is_none()));
    assert_eq!((bench.count("/Groups").await, bench.count("/Users").await), (3, 1));
}

#[tokio::test]
async fn what_cannot_be_resolved_fails_with_what_stands_on_it() {
    let bench = Bench::new().await;
    let results = bench
        .run(json!([
            user("ann"),
            {"method": "POST", "path": "/Users", "bulkId": "twin", "data": {"schemas": [USER], "userName": "ann@example.com"}},
            group("of-twin", &["bulkId:twin"]),
            group("of-nobody", &["bulkId:nobody"]),
            group("of-group", &["bulkId:of-twin"]),
            {"method": "DELETE", "path": "/Users/bulkId:twin"},
            user("ben"),
        ]))
        .await;
    assert_eq!(statuses(&results), ["201", "409", "409", "409", "409", "409", "201"]);
    assert_eq!((bench.count("/Groups").await, bench.count("/Users").await), (0, 2));
}

#[tokio::test]
async fn the_nth_error_ends_a_job() {
    for (limit, done) in [(json!(null), 5), (json!(0), 2), (json!(1), 2), (json!(2), 4), (json!(3), 5)] {
        let bench = Bench::new().await;
        let wrong = json!({"method": "DELETE", "path": "/Users/nobody"});
        let results = bench
            .job(json!([user("a"), wrong, user("b"), wrong, user("c")]), json!({"failOnErrors": limit}))
            .await;
        assert_eq!(results.len(), done, "{limit}");
        assert_eq!(
            bench.count("/Users").await as usize,
            results.iter().filter(|it| it["status"] == "201").count()
        );
    }
}

#[tokio::test]
async fn what_is_wrong_with_an_operation_fails_it_alone() {
    let bench = Bench::new().await;
    let mut nameless = user("x");
    nameless.as_object_mut().unwrap().remove("bulkId");
    let results = bench
        .run(json!([
            nameless,
            {"method": "GET", "path": "/Users"},
            {"method": "POST", "path": "/Robots", "bulkId": "r", "data": {}},
            {"method": "POST", "path": "/Bulk", "bulkId": "b", "data": {"schemas": [REQUEST], "Operations": [user("inner")]}},
            {"method": "POST", "path": "/Users/.search", "bulkId": "s", "data": {}},
            {"method": "POST", "path": "/Me", "bulkId": "m", "data": {}},
            {"method": "DELETE", "path": "/Users"},
            {"method": "PUT", "path": "/Schemas", "data": {}},
            {"method": "POST", "path": "/Users", "bulkId": "t", "data": "text"},
            user("good"),
        ]))
        .await;
    assert_eq!(
        statuses(&results),
        ["400", "400", "404", "400", "400", "501", "405", "405", "400", "201"],
        "{results:#?}"
    );
    assert!(results.iter().take(9).all(|result| result["response"]["detail"].is_string()));
    assert_eq!(bench.count("/Users").await, 1);
}

#[tokio::test]
async fn limits_and_malformed_messages_refuse_the_whole_job() {
    let bench = Bench::with(BulkLimits { max_operations: 2, max_payload_size: 2000 }).await;
    let (_, config) = bench.get("/ServiceProviderConfig").await;
    assert_eq!(config["bulk"], json!({"supported": true, "maxOperations": 2, "maxPayloadSize": 2000}));
    let message = |operations: Value| json!({"schemas": [REQUEST], "Operations": operations}).to_string();
    let padded = format!("{}{}", message(json!([user("a")])), " ".repeat(2000));
    let megabytes = format!("{}{}", message(json!([user("a")])), " ".repeat(3 << 20));
    for (body, status, words) in [
        (message(json!([user("a"), user("b"), user("c")])), 413, "maxOperations, which is 2"),
        (padded, 413, "maxPayloadSize, which is 2000"),
        (megabytes, 413, "maxPayloadSize, which is 2000"),
        (message(json!([user("a"), user("a")])), 400, "bulkId"),
        (message(json!([])), 400, "Operations"),
        ("{".to_owned(), 400, "JSON"),
        (json!({"Operations": [user("a")]}).to_string(), 400, "schemas"),
    ] {
        let (got, answer) = bench.send("POST", "/Bulk", body).await;
        assert_eq!((got, &answer["status"]), (status, &json!(status.to_string())), "{answer}");
        assert!(answer["detail"].as_str().unwrap().contains(words), "{answer}");
    }
    assert_eq!(bench.count("/Users").await, 0);
    assert_eq!(bench.get("/Bulk").await.0, 405);
}

/// Each fault of Bulk, planted alone, turns a case about Bulk red, and no case errs.
#[test]
fn each_fault_is_seen() {
    let (mut seen, mut troubles) = (BTreeMap::new(), Vec::new());
    let about = |name: &str| name.starts_with("bulk-") || name == "service-config-claims-bulk";
    for entry in faults::catalogue().iter().filter(|entry| about(entry.name)) {
        let fault = Fault::from_name(entry.name).unwrap();
        let cases = vec!["bulk/*".to_owned(), "method/bulk-*".to_owned()];
        let ran = Trial { faults: vec![fault], cases, ..Trial::of(everything()) }.run().unwrap();
        let red: Vec<String> = ran
            .outcomes
            .iter()
            .filter(|outcome| matches!(outcome.verdict, Verdict::Failed | Verdict::Warned | Verdict::Noted))
            .map(|outcome| format!("{} {}", outcome.verdict.word(), outcome.id))
            .collect();
        let errors = ran.outcomes.iter().filter(|outcome| matches!(outcome.verdict, Verdict::Errored { .. }));
        troubles
            .extend(errors.map(|outcome| format!("{}: {}: {:?}", entry.name, outcome.id, outcome.verdict)));
        if !ran.clean_up.is_complete() || ran.remaining != Ok(Vec::new()) {
            troubles.push(format!("{}: {:?} {:?}", entry.name, ran.clean_up.left, ran.remaining));
        }
        println!("{}: {}", entry.name, red.join(", "));
        seen.insert(entry.name, red);
    }
    assert!(troubles.is_empty(), "{}", troubles.join("\n"));
    let missed: Vec<&&str> = seen.iter().filter(|(_, red)| red.is_empty()).map(|(name, _)| name).collect();
    assert!(seen.len() >= 30 && missed.is_empty(), "{missed:?}");
}
