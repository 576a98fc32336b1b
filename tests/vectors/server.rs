//! The vectors hold for the reference server, asked over HTTP: what the store, the indexes and the answers add to the
//! reading of SCIM does not change it. Each comes out as preferred, but for those listed here by name, which take an
//! outcome that is accepted too.

use std::collections::{BTreeMap, BTreeSet};

use scimspec::scim::compare::{CompareOptions, differences};
use scimspec::scim::names;
use scimspec::scim::schema::SchemaSet;
use scimspec::server::{RunningServer, ServerOptions, start};
use serde_json::{Value, json};

use super::{Instants, list, population, read, set, substituted, text};

/// A server with a client for it, and the ids of what the vectors name.
struct Bench {
    server: RunningServer,
    client: reqwest::Client,
    ids: BTreeMap<String, String>,
}

impl Bench {
    async fn new() -> Bench {
        let server = start(ServerOptions::default()).await.unwrap();
        Bench { server, client: reqwest::Client::new(), ids: BTreeMap::new() }
    }

    async fn send(&self, method: reqwest::Method, path: &str, body: Option<&Value>) -> (u16, Value) {
        let url = format!("{}{path}", self.server.base_url());
        let mut request = self.client.request(method, url).bearer_auth(self.server.token());
        if let Some(body) = body {
            request = request.header("content-type", "application/scim+json").body(body.to_string());
        }
        let response = request.send().await.unwrap();
        let status = response.status().as_u16();
        (status, serde_json::from_str(&response.text().await.unwrap()).unwrap_or(Value::Null))
    }

    async fn create(&mut self, key: &str, endpoint: &str, resource: &Value) -> Value {
        let (status, created) = self.send(reqwest::Method::POST, endpoint, Some(resource)).await;
        assert_eq!(status, 201, "{key}: {created}");
        self.ids.insert(key.to_owned(), text(&created, "id").to_owned());
        created
    }

    fn substituted(&self, text: &str) -> String {
        substituted(text, &|key| self.ids.get(key).cloned(), &Instants::WIDE)
    }

    fn substituted_value(&self, value: &Value) -> Value {
        serde_json::from_str(&self.substituted(&value.to_string())).unwrap()
    }
}

/// What came of a filter vector: keys of resources, or an error.
#[derive(Debug, PartialEq)]
enum Found {
    Ids(BTreeSet<String>),
    Error(String, Option<String>),
}

fn found(outcome: &Value) -> Found {
    match outcome.get("error") {
        Some(error) => {
            Found::Error(text(error, "status").to_owned(), error["scimType"].as_str().map(str::to_owned))
        }
        None => Found::Ids(set(list(outcome, "ids"))),
    }
}

#[tokio::test]
async fn filter_vectors() {
    let document = read("filter.yaml");
    let mut bench = Bench::new().await;
    for (key, endpoint, resource) in population() {
        let resource = bench.substituted_value(&resource);
        bench.create(&key, endpoint, &resource).await;
    }
    let keys: BTreeMap<&str, &str> = bench.ids.iter().map(|(key, id)| (id.as_str(), key.as_str())).collect();
    let (mut failures, mut not_preferred) = (Vec::new(), Vec::new());
    let vectors = list(&document, "vectors");
    assert_eq!(vectors.len(), 146);
    for vector in vectors {
        let id = text(vector, "id");
        let filter = bench.substituted(text(vector, "filter"));
        let endpoint = text(vector, "endpoint").trim_end_matches('/');
        let query =
            url::form_urlencoded::Serializer::new(String::new()).append_pair("filter", &filter).finish();
        let (status, body) = bench.send(reqwest::Method::GET, &format!("{endpoint}?{query}"), None).await;
        let outcome = if status == 200 {
            let rows = list(&body, "Resources");
            assert_eq!(body["totalResults"], rows.len(), "{id}: one page has them all");
            Found::Ids(rows.iter().map(|row| keys[text(row, "id")].to_owned()).collect())
        } else {
            Found::Error(status.to_string(), body["scimType"].as_str().map(str::to_owned))
        };
        let search = json!({"schemas": [names::SEARCH_REQUEST], "filter": filter});
        let (_, searched) =
            bench.send(reqwest::Method::POST, &format!("{endpoint}/.search"), Some(&search)).await;
        assert_eq!(searched, body, "{id}: .search answers as GET does");
        if outcome == found(&vector["expected"]) {
            continue;
        }
        if list(vector, "also_accepted").iter().any(|it| outcome == found(it)) {
            not_preferred.push(id);
        } else {
            failures.push(format!("{id} {filter}: {outcome:?}"));
        }
    }
    assert!(failures.is_empty(), "{failures:#?}");
    assert_eq!(not_preferred, [""; 0], "accepted, but not preferred");
}

/// Accepted, but not preferred: the server makes the choices that identity providers rely on, and a `replace` without
/// value is invalidSyntax to it, as an `add` without value is.
const PATCH_VECTORS_NOT_PREFERRED: [&str; 6] = ["PV-019", "PV-047", "PV-066", "PV-075", "PV-084", "PV-093"];

#[tokio::test]
async fn patch_vectors() {
    let document = read("patch.yaml");
    let mut bench = Bench::new().await;
    for key in ["a", "b", "c", "pv-other"] {
        bench.create(key, "/Users", &json!({"schemas": [names::USER], "userName": key})).await;
    }
    bench.create("g", "/Groups", &json!({"schemas": [names::GROUP], "displayName": "Other"})).await;
    let (mut failures, mut not_preferred) = (Vec::new(), Vec::new());
    let vectors = list(&document, "vectors");
    assert_eq!(vectors.len(), 131);
    for vector in vectors {
        let id = text(vector, "id");
        let definition = SchemaSet::core().definition(text(vector, "resource_type")).unwrap();
        let initial = bench.substituted_value(&document["initial_resources"][text(vector, "initial")]);
        let before = bench.create("this", &definition.endpoint, &initial).await;
        let path = format!("{}/{}", definition.endpoint, text(&before, "id"));
        let body = match vector.get("operations") {
            Some(operations) => json!({"schemas": [names::PATCH_OP], "Operations": operations}),
            None => vector["request"].clone(),
        };
        let body = bench.substituted_value(&body);
        let query = vector["query"].as_str().map(|query| format!("?{query}")).unwrap_or_default();
        let (status, answer) =
            bench.send(reqwest::Method::PATCH, &format!("{path}{query}"), Some(&body)).await;
        let (read, after) = bench.send(reqwest::Method::GET, &path, None).await;
        assert_eq!(read, 200, "{id}");
        let is_met = |expected: &Value| {
            let resource = match expected.get("error") {
                Some(error) => {
                    // A refused request changes nothing at all, not even the time.
                    return status.to_string() == text(error, "status")
                        && answer.get("scimType") == error.get("scimType")
                        && after == before;
                }
                None if expected["unchanged"] == true => initial.clone(),
                None => bench.substituted_value(&expected["resource"]),
            };
            status == 200
                && differences(&resource, &after, &definition, &CompareOptions::whole_but_derived())
                    .is_empty()
        };
        if is_met(&vector["expected"]) {
        } else if list(vector, "also_accepted").iter().any(is_met) {
            not_preferred.push(id);
        } else {
            failures.push(format!(
                "{id} {body}\n  got {status} {answer}\n  read {after}\n  expected {}",
                vector["expected"]
            ));
        }
        let (status, _) = bench.send(reqwest::Method::DELETE, &path, None).await;
        assert_eq!(status, 204, "{id}");
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
    assert_eq!(not_preferred, PATCH_VECTORS_NOT_PREFERRED);
}
