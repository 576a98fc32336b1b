//! Exchanges and contexts for the tests of this module.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use chrono::{TimeZone, Utc};
use serde_json::{Value, json};

use super::{Claims, Context, Handle, Judgement, Ours, Reading, judge};
use crate::outcome::{Level, Place};
use crate::scim::names;
use crate::scim::schema::SchemaSet;
use crate::suite::model::{Auth, Capability, Expect, Requires};
use crate::suite::template::Scope;
use crate::target::exchange::{Body, Exchange, ExchangeId, Request, Response};

/// An exchange: method, path below the base URL, status, and the body as JSON.
pub fn exchange(method: &str, path: &str, status: u16, body: Value) -> Exchange {
    let text = if body.is_null() { String::new() } else { body.to_string() };
    let headers: &[(&str, &str)] =
        if text.is_empty() { &[] } else { &[("Content-Type", "application/scim+json")] };
    raw(method, path, status, headers, text.as_bytes())
}

/// An exchange with a body as bytes.
pub fn raw(method: &str, path: &str, status: u16, headers: &[(&str, &str)], body: &[u8]) -> Exchange {
    let plain = path.split('?').next().unwrap_or_default();
    let segments: Vec<&str> = plain.trim_matches('/').split('/').collect();
    let endpoint = match segments.as_slice() {
        [first, ".search"] => format!("/{first}/.search"),
        [first, _] => format!("/{first}/{{id}}"),
        [first] => format!("/{first}"),
        _ => plain.to_owned(),
    };
    Exchange {
        id: ExchangeId(1),
        origin: "test/case".to_owned(),
        reason: None,
        request: Request {
            method: method.to_owned(),
            url: format!("http://127.0.0.1:8080/scim/v2{path}"),
            path: path.to_owned(),
            endpoint,
            auth: Auth::Good,
            headers: vec![("Accept".to_owned(), "application/scim+json".to_owned())],
            body: None,
        },
        answer: Ok(Response {
            status,
            headers: headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect(),
            body: Body::whole(Bytes::copy_from_slice(body)),
            repeats_secret: false,
        }),
        started: Utc.with_ymd_and_hms(2026, 11, 22, 10, 0, 0).single().expect("a date"),
        elapsed: Duration::from_millis(20),
    }
}

/// The same exchange with one more header in the answer.
pub fn with_header(mut exchange: Exchange, name: &str, value: &str) -> Exchange {
    if let Ok(response) = &mut exchange.answer {
        response.headers.push((name.to_owned(), value.to_owned()));
    }
    exchange
}

/// The same exchange with a body in the request.
pub fn with_request(mut exchange: Exchange, body: &Value) -> Exchange {
    exchange.request.body = Some(Bytes::from(body.to_string()));
    exchange
}

/// A sound User.
pub fn user(id: &str) -> Value {
    json!({
        "schemas": [names::USER],
        "id": id,
        "userName": "ann@example.com",
        "name": {"givenName": "Ann", "familyName": "Archer"},
        "active": true,
        "emails": [
            {"value": "ann@example.com", "type": "work", "primary": true},
            {"value": "ann@home.example", "type": "home"},
        ],
        "meta": {
            "resourceType": "User",
            "created": "2026-11-22T10:00:00Z",
            "lastModified": "2026-11-22T10:00:00Z",
            "location": format!("http://127.0.0.1:8080/scim/v2/Users/{id}"),
            "version": "W/\"1\"",
        },
    })
}

/// The value with one member replaced, or removed by null.
pub fn with(mut value: Value, pointer: &str, new: Value) -> Value {
    let (parent, name) = pointer.rsplit_once('/').expect("a pointer");
    let parent = value.pointer_mut(parent).expect("the parent is there").as_object_mut().expect("an object");
    if new.is_null() {
        parent.shift_remove(name);
    } else {
        parent.insert(name.to_owned(), new);
    }
    value
}

/// A sound ListResponse.
pub fn list(rows: Vec<Value>) -> Value {
    json!({
        "schemas": [names::LIST_RESPONSE],
        "totalResults": rows.len(),
        "startIndex": 1,
        "itemsPerPage": rows.len(),
        "Resources": rows,
    })
}

/// A sound SCIM error.
pub fn error(status: u16, scim_type: Option<&str>) -> Value {
    let mut body = json!({"schemas": [names::ERROR], "status": status.to_string(), "detail": "no"});
    if let Some(scim_type) = scim_type {
        body["scimType"] = scim_type.into();
    }
    body
}

/// Claims everything but what is listed, and lists of three resources at most.
pub struct AllBut(pub &'static [Capability]);

impl Claims for AllBut {
    fn check(&self, requires: &Requires) -> Result<(), String> {
        match requires {
            Requires::Capability(capability) if self.0.contains(capability) => {
                Err(format!("ServiceProviderConfig.{}.supported = false", capability.name()))
            }
            Requires::Not(inner) => match self.check(inner) {
                Ok(()) => Err("it is there".to_owned()),
                Err(_) => Ok(()),
            },
            _ => Ok(()),
        }
    }

    fn max_results(&self) -> Option<u64> {
        Some(3)
    }
}

/// What the tests judge with.
pub struct World {
    pub scope: Scope,
    pub schemas: SchemaSet,
    pub ours: Ours,
    pub sent: BTreeMap<String, Value>,
    pub reading: Reading,
    pub level: Level,
    pub filter: Option<String>,
    pub claims: AllBut,
}

impl Default for World {
    fn default() -> World {
        World {
            scope: Scope::new(),
            schemas: SchemaSet::core().clone(),
            ours: Ours::new(),
            sent: BTreeMap::new(),
            reading: Reading::Lenient,
            level: Level::Must,
            filter: None,
            claims: AllBut(&[]),
        }
    }
}

impl World {
    /// A world with these Users, each named by its id.
    pub fn with_users(ids: &[&str]) -> World {
        let mut world = World::default();
        for id in ids {
            world.scope.insert_handle(*id, &user(id));
            let handle = Handle {
                resource_type: "User".to_owned(),
                id: Some((*id).to_owned()),
                state: Some(user(id)),
            };
            world.ours.insert(*id, handle);
        }
        world
    }

    /// Judges an exchange by an expectation written in JSON.
    pub fn judge(&self, expect: Value, exchange: &Exchange) -> Judgement {
        let expect: Expect = serde_json::from_value(expect).expect("an expectation");
        let place = |path: &str| Place { file: format!("expect.{path}"), line: 1, column: 1 };
        let context = Context {
            scope: &self.scope,
            schemas: &self.schemas,
            capabilities: &self.claims,
            reading: self.reading,
            ours: &self.ours,
            sent: &self.sent,
            filter: self.filter.as_deref(),
            level: self.level,
            spec: &[],
            place: &place,
        };
        judge(&expect, exchange, &context)
    }
}
