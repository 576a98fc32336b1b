//! A reference server in this process, with a client that shows what it answers.

#![allow(dead_code, reason = "each test binary uses its own part")]

use reqwest::Method;
use scimspec::server::{Fault, RunningServer, ServerOptions, start};
use serde_json::{Value, json};

pub const USER: &str = "urn:ietf:params:scim:schemas:core:2.0:User";
pub const GROUP: &str = "urn:ietf:params:scim:schemas:core:2.0:Group";
pub const ENTERPRISE: &str = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";
pub const ERROR: &str = "urn:ietf:params:scim:api:messages:2.0:Error";
pub const LIST: &str = "urn:ietf:params:scim:api:messages:2.0:ListResponse";
pub const PATCH_OP: &str = "urn:ietf:params:scim:api:messages:2.0:PatchOp";
pub const SEARCH: &str = "urn:ietf:params:scim:api:messages:2.0:SearchRequest";

/// A server with a client for it.
pub struct Bench {
    pub server: RunningServer,
    pub client: reqwest::Client,
}

pub struct Reply {
    pub status: u16,
    pub headers: reqwest::header::HeaderMap,
    pub text: String,
    pub body: Value,
}

impl Reply {
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map(|value| value.to_str().unwrap()).unwrap_or_default()
    }

    /// Asserts a SCIM error.
    #[track_caller]
    pub fn refused(&self, status: u16, scim_type: Option<&str>) {
        assert_eq!(self.status, status, "{}", self.text);
        assert_eq!(self.header("content-type"), "application/scim+json");
        assert_eq!(self.body["schemas"], json!([ERROR]));
        assert_eq!(self.body["status"], status.to_string());
        assert_eq!(self.body.get("scimType").and_then(Value::as_str), scim_type, "{}", self.text);
        assert!(self.body["detail"].is_string());
    }

    pub fn id(&self) -> String {
        self.body["id"].as_str().unwrap().to_owned()
    }

    /// The userNames of a list, in its order.
    pub fn names(&self) -> Vec<&str> {
        let rows = self.body["Resources"].as_array().unwrap();
        rows.iter().map(|row| row["userName"].as_str().unwrap_or_default()).collect()
    }
}

impl Bench {
    pub async fn new(options: ServerOptions) -> Self {
        Self::with_client(options, reqwest::Client::new()).await
    }

    pub async fn with_client(options: ServerOptions, client: reqwest::Client) -> Self {
        Self { server: start(options).await.unwrap(), client }
    }

    pub async fn plain() -> Self {
        Self::new(ServerOptions::default()).await
    }

    pub async fn with_fault(name: &str) -> Self {
        let faults = vec![Fault::from_name(name).unwrap()];
        Self::new(ServerOptions { faults, ..ServerOptions::default() }).await
    }

    pub fn request(&self, method: Method, path: &str) -> reqwest::RequestBuilder {
        self.request_by(self.server.token(), method, path)
    }

    /// A request with another token than the server's first.
    pub fn request_by(&self, token: &str, method: Method, path: &str) -> reqwest::RequestBuilder {
        let url = format!("{}{path}", self.server.base_url());
        self.client.request(method, url).bearer_auth(token)
    }

    pub async fn send(&self, request: reqwest::RequestBuilder) -> Reply {
        let response = request.send().await.unwrap();
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let text = response.text().await.unwrap();
        let body = serde_json::from_str(&text).unwrap_or(Value::Null);
        Reply { status, headers, text, body }
    }

    pub async fn get(&self, path: &str) -> Reply {
        self.send(self.request(Method::GET, path)).await
    }

    pub async fn delete(&self, path: &str) -> Reply {
        self.send(self.request(Method::DELETE, path)).await
    }

    pub async fn write(&self, method: Method, path: &str, body: Value) -> Reply {
        let request = self.request(method, path).header("content-type", "application/scim+json");
        self.send(request.body(body.to_string())).await
    }

    pub async fn post(&self, path: &str, body: Value) -> Reply {
        self.write(Method::POST, path, body).await
    }

    pub async fn put(&self, path: &str, body: Value) -> Reply {
        self.write(Method::PUT, path, body).await
    }

    pub async fn patch(&self, path: &str, operations: Value) -> Reply {
        self.write(Method::PATCH, path, json!({ "schemas": [PATCH_OP], "Operations": operations })).await
    }

    pub async fn user(&self, name: &str, more: Value) -> Reply {
        let mut body = json!({ "schemas": [USER], "userName": name });
        for (name, value) in more.as_object().unwrap() {
            body[name] = value.clone();
        }
        let reply = self.post("/Users", body).await;
        assert_eq!(reply.status, 201, "{}", reply.text);
        reply
    }

    pub async fn group(&self, name: &str, members: &[&str]) -> Reply {
        let members: Vec<Value> = members.iter().map(|id| json!({ "value": id })).collect();
        let body = json!({ "schemas": [GROUP], "displayName": name, "members": members });
        let reply = self.post("/Groups", body).await;
        assert_eq!(reply.status, 201, "{}", reply.text);
        reply
    }

    pub async fn find(&self, filter: &str) -> Reply {
        self.find_in("/Users", filter).await
    }

    pub async fn find_in(&self, path: &str, filter: &str) -> Reply {
        let query =
            url::form_urlencoded::Serializer::new(String::new()).append_pair("filter", filter).finish();
        self.get(&format!("{path}?{query}")).await
    }
}
