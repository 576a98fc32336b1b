//! What belongs to others is reduced to its structure before it enters a report.
//!
//! A target may hold the resources of a real tenant. Where an answer shows resources that the run did not
//! create, the report keeps their members, types, `schemas` and `meta.resourceType` (enough to see what is
//! wrong), and replaces every other value by `…`. Secrets are no concern of this module: they are masked before
//! an exchange is made.

use std::cell::RefCell;
use std::collections::BTreeSet;

use serde_json::{Map, Value};

/// What stands in the place of a value that is not ours.
pub const PLACEHOLDER: &str = "…";

/// Masked values shorter than this are not searched for in the text of findings: they would match by chance.
const TELLING: usize = 5;

/// How many masked values are remembered, so that findings can be freed of them.
const REMEMBERED: usize = 4_096;

/// What the run created.
#[derive(Debug, Clone, Default)]
pub struct Ours {
    /// The ids of all resources that the run created.
    pub ids: BTreeSet<String>,
    /// The mark in every value that the run generated.
    pub mark: String,
}

impl Ours {
    /// Whether a resource is ours: by its id, or by the mark in a value that identifies it.
    fn owns(&self, resource: &Map<String, Value>) -> bool {
        match resource.get("id").and_then(Value::as_str) {
            Some(id) if self.ids.contains(id) => true,
            _ => self.marked(resource),
        }
    }

    /// Whether a value that identifies the resource carries the mark. Members and nested values do not count: a
    /// group of somebody else's may list a user of ours.
    fn marked(&self, resource: &Map<String, Value>) -> bool {
        const IDENTIFYING: [&str; 3] = ["userName", "displayName", "externalId"];
        !self.mark.is_empty()
            && resource.iter().any(|(name, value)| {
                IDENTIFYING.iter().any(|known| known.eq_ignore_ascii_case(name))
                    && value.as_str().is_some_and(|text| self.in_text(text))
            })
    }

    /// Whether a text carries the mark, whatever the case of its letters.
    fn in_text(&self, text: &str) -> bool {
        !self.mark.is_empty() && text.to_ascii_lowercase().contains(&self.mark.to_ascii_lowercase())
    }
}

/// Masks the bodies of one run, and remembers what it took out so that findings can be freed of it too.
pub struct Masker<'a> {
    ours: &'a Ours,
    removed: RefCell<BTreeSet<String>>,
}

impl<'a> Masker<'a> {
    /// A masker for a run that created these resources.
    pub fn new(ours: &'a Ours) -> Masker<'a> {
        Masker { ours, removed: RefCell::default() }
    }

    /// The body with every foreign resource reduced to its structure, or `None` where nothing had to be
    /// changed. `endpoint` is the request's, without ids.
    pub fn body(&mut self, body: &Value, endpoint: &str, status: u16) -> Option<Value> {
        if is_discovery(endpoint) || (status >= 400 && !looks_like_resource(body)) {
            return None;
        }
        let mut reduced = body.clone();
        self.walk(&mut reduced).then_some(reduced)
    }

    /// Finds the resources in a message and reduces those that are not ours. Recursion is bounded by the depth
    /// limit under which the body was parsed.
    fn walk(&self, value: &mut Value) -> bool {
        match value {
            Value::Array(items) => items.iter_mut().fold(false, |any, item| self.walk(item) | any),
            Value::Object(members) => {
                if is_message(members) {
                    members.iter_mut().fold(false, |any, (name, member)| {
                        // The members of a message that hold resources, by RFC 7644 sections 3.4.2 and 3.7.
                        let holds = ["Resources", "Operations", "response", "data"];
                        (holds.iter().any(|known| known.eq_ignore_ascii_case(name)) && self.walk(member))
                            | any
                    })
                } else if is_envelope_part(members) {
                    members
                        .iter_mut()
                        .filter(|(name, _)| ["response", "data"].contains(&name.as_str()))
                        .fold(false, |any, (_, member)| self.walk(member) | any)
                } else if is_discovery_resource(members) || self.ours.owns(members) {
                    false
                } else {
                    self.reduce_members(members)
                }
            }
            _ => false,
        }
    }

    fn reduce_members(&self, members: &mut Map<String, Value>) -> bool {
        members.iter_mut().fold(false, |any, (name, member)| {
            let kept = name == "schemas" || (name == "resourceType" && member.is_string());
            (!kept && self.reduce(member)) | any
        })
    }

    fn reduce(&self, value: &mut Value) -> bool {
        match value {
            Value::String(text) => {
                if text.is_empty() || text == PLACEHOLDER || self.ours.ids.contains(text.as_str()) {
                    return false;
                }
                let mut removed = self.removed.borrow_mut();
                if text.len() >= TELLING && removed.len() < REMEMBERED {
                    removed.insert(std::mem::replace(text, PLACEHOLDER.to_owned()));
                } else {
                    PLACEHOLDER.clone_into(text);
                }
                true
            }
            Value::Array(items) => items.iter_mut().fold(false, |any, item| self.reduce(item) | any),
            Value::Object(members) => self.reduce_members(members),
            // Numbers and booleans keep their type by keeping themselves: they name nobody.
            Value::Null | Value::Bool(_) | Value::Number(_) => false,
        }
    }

    /// A body that cannot be read as JSON. Where it answers for resources, whatever stands between quotation
    /// marks is masked, unless it is a member's name, a URN, or ours.
    pub fn broken(&mut self, text: &str, endpoint: &str, status: u16) -> (String, bool) {
        if is_discovery(endpoint) || !(200..300).contains(&status) {
            return (text.to_owned(), false);
        }
        let mut shown = String::with_capacity(text.len());
        let mut masked = false;
        let mut rest = text;
        while let Some(open) = rest.find('"') {
            shown.push_str(&rest[..=open]);
            rest = &rest[open + 1..];
            let close = closing_quote(rest).unwrap_or(rest.len());
            let (inside, after) = rest.split_at(close);
            let is_name = after.get(1..).is_some_and(|after| after.trim_start().starts_with(':'));
            let known =
                inside.starts_with("urn:") || self.ours.ids.contains(inside) || self.ours.in_text(inside);
            if is_name || known || inside.is_empty() {
                shown.push_str(inside);
            } else {
                shown.push_str(PLACEHOLDER);
                masked = true;
            }
            if let Some(after) = after.strip_prefix('"') {
                shown.push('"');
                rest = after;
            } else {
                rest = after;
            }
        }
        shown.push_str(rest);
        (shown, masked)
    }

    /// A finding's text without the values that were masked in the bodies: whole JSON strings, and addresses
    /// wherever they stand.
    pub fn sentence(&self, text: &str) -> String {
        let removed = self.removed.borrow();
        let mut shown = text.to_owned();
        for value in removed.iter().filter(|value| text.contains(value.as_str())) {
            let quoted = format!("\"{value}\"");
            shown = shown.replace(&quoted, &format!("\"{PLACEHOLDER}\""));
            if value.contains('@') {
                shown = shown.replace(value.as_str(), PLACEHOLDER);
            }
        }
        shown
    }
}

/// The end of a JSON string that has been opened, in bytes.
fn closing_quote(text: &str) -> Option<usize> {
    let mut escaped = false;
    text.bytes().position(|byte| {
        let ends = byte == b'"' && !escaped;
        escaped = byte == b'\\' && !escaped;
        ends
    })
}

/// Discovery documents describe the service, not anybody in it (RFC 7644 section 4).
fn is_discovery(endpoint: &str) -> bool {
    let path = endpoint.split(['?', '#']).next().unwrap_or(endpoint);
    ["/ServiceProviderConfig", "/ResourceTypes", "/Schemas"].iter().any(|discovery| {
        path.strip_prefix(discovery).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    })
}

fn schemas(members: &Map<String, Value>) -> impl Iterator<Item = &str> {
    members.get("schemas").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str)
}

fn is_discovery_resource(members: &Map<String, Value>) -> bool {
    const DISCOVERY: [&str; 3] = [
        "urn:ietf:params:scim:schemas:core:2.0:ServiceProviderConfig",
        "urn:ietf:params:scim:schemas:core:2.0:ResourceType",
        "urn:ietf:params:scim:schemas:core:2.0:Schema",
    ];
    let mut schemas = schemas(members).peekable();
    schemas.peek().is_some() && schemas.all(|urn| DISCOVERY.contains(&urn))
}

/// Whether an object is a SCIM message (list, error, bulk) and no resource, also where `schemas` is missing.
fn is_message(members: &Map<String, Value>) -> bool {
    schemas(members).any(|urn| urn.starts_with("urn:ietf:params:scim:api:messages:"))
        || members.get("Resources").is_some_and(Value::is_array)
        || (members.contains_key("detail") && members.contains_key("status"))
}

/// Whether the body of an error is a resource or a list all the same. What is neither is the error's own words,
/// in whatever shape, and those are evidence.
fn looks_like_resource(body: &Value) -> bool {
    ["id", "userName", "Resources", "Operations"].iter().any(|name| body.get(name).is_some())
        || body.is_array()
}

/// Whether an object is one operation of a bulk message (RFC 7644 section 3.7).
fn is_envelope_part(members: &Map<String, Value>) -> bool {
    members.contains_key("method") && (members.contains_key("status") || members.contains_key("path"))
}

/// A JSON value with at most `rows` elements in each array and `chars` characters in each string; what was left
/// out is counted in its place.
pub fn shortened(value: &Value, rows: usize, chars: usize) -> Value {
    match value {
        Value::String(text) if text.len() > chars => Value::String(super::text::clip(text, chars)),
        Value::Array(items) => {
            let mut kept: Vec<Value> =
                items.iter().take(rows).map(|item| shortened(item, rows, chars)).collect();
            if items.len() > rows {
                kept.push(Value::String(format!("… {} more", items.len() - rows)));
            }
            Value::Array(kept)
        }
        Value::Object(members) => Value::Object(
            members.iter().map(|(name, member)| (name.clone(), shortened(member, rows, chars))).collect(),
        ),
        other => other.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn ours() -> Ours {
        Ours { ids: ["id-1".to_owned()].into(), mark: "k3x9q".to_owned() }
    }

    #[test]
    fn foreign_rows_keep_only_their_structure() {
        let ours = ours();
        let body = json!({
            "schemas": ["urn:ietf:params:scim:api:messages:2.0:ListResponse"],
            "totalResults": 3,
            "Resources": [
                {"schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"], "id": "id-1", "userName": "ann"},
                {"schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"], "id": "2819", "userName": "eve@corp.com",
                 "active": true, "emails": [{"value": "eve@corp.com", "type": "work", "primary": true}],
                 "meta": {"resourceType": "User", "location": "https://x/Users/2819", "version": null}},
                {"id": "2820", "userName": "K3X9Q-bob"},
            ],
        });
        let reduced = Masker::new(&ours).body(&body, "/Users", 200).unwrap();
        assert_eq!(reduced["Resources"][0], body["Resources"][0]);
        assert_eq!(reduced["Resources"][2], body["Resources"][2]);
        assert_eq!(
            reduced["Resources"][1],
            json!({"schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"], "id": "…", "userName": "…",
                "active": true, "emails": [{"value": "…", "type": "…", "primary": true}],
                "meta": {"resourceType": "User", "location": "…", "version": null}})
        );
    }

    #[test]
    fn a_foreign_group_is_masked_though_it_lists_a_user_of_ours() {
        let ours = ours();
        let body = json!({"id": "g9", "displayName": "Payroll", "members": [{"value": "id-1", "display": "k3x9q-ann"}]});
        let reduced = Masker::new(&ours).body(&body, "/Groups/{id}", 200).unwrap();
        assert_eq!(reduced["displayName"], "…");
        assert_eq!(reduced["members"][0]["value"], "id-1");
    }

    #[test]
    fn errors_discovery_and_what_is_ours_stay_word_for_word() {
        let ours = ours();
        let mut masker = Masker::new(&ours);
        let error = json!({"schemas": ["urn:ietf:params:scim:api:messages:2.0:Error"], "status": "409", "detail": "taken"});
        assert_eq!(masker.body(&error, "/Users", 409), None);
        assert_eq!(masker.body(&json!({"message": "taken"}), "/Users", 409), None);
        assert!(masker.body(&json!({"id": "9", "userName": "eve"}), "/Users", 409).is_some());
        assert_eq!(
            masker.body(&json!({"name": "User", "endpoint": "/Users"}), "/ResourceTypes/{id}", 200),
            None
        );
        assert_eq!(masker.body(&json!({"id": "id-1", "userName": "whatever"}), "/Users/{id}", 200), None);
        assert!(masker.body(&json!({"id": "x", "userName": "whatever"}), "/SchemasOfOthers", 200).is_some());
    }

    #[test]
    fn resources_inside_bulk_answers_are_masked() {
        let ours = ours();
        let body = json!({"schemas": ["urn:ietf:params:scim:api:messages:2.0:BulkResponse"], "Operations": [
            {"method": "GET", "status": "200", "location": "https://x/Users/7", "response": {"id": "7", "userName": "eve@corp.com"}}]});
        let reduced = Masker::new(&ours).body(&body, "/Bulk", 200).unwrap();
        assert_eq!(reduced["Operations"][0]["response"]["userName"], "…");
        assert_eq!(reduced["Operations"][0]["status"], "200");
    }

    #[test]
    fn broken_json_is_masked_by_its_quotation_marks() {
        let ours = ours();
        let text =
            r#"{"schemas":["urn:x"],"userName": "eve \"the\" admin","id":"id-1","x":"ann-k3x9q", "cut": "of"#;
        let (shown, masked) = Masker::new(&ours).broken(text, "/Users", 200);
        assert!(masked);
        assert_eq!(shown, r#"{"schemas":["urn:x"],"userName": "…","id":"id-1","x":"ann-k3x9q", "cut": "…"#);
        assert_eq!(
            Masker::new(&ours).broken("<h1 class=\"x\">", "/Users", 500),
            ("<h1 class=\"x\">".into(), false)
        );
    }

    #[test]
    fn findings_are_freed_of_masked_values() {
        let ours = ours();
        let mut masker = Masker::new(&ours);
        masker
            .body(&json!({"id": "2819-ab", "userName": "eve@corp.com", "title": "User"}), "/Users", 200)
            .unwrap();
        assert_eq!(
            masker.sentence(r#"row eve@corp.com ("2819-ab") of type User does not match"#),
            r#"row … ("…") of type User does not match"#
        );
    }

    #[test]
    fn long_json_is_shortened_inside() {
        let long = json!({"Resources": (0..50).collect::<Vec<_>>(), "detail": "x".repeat(400)});
        let short = shortened(&long, 2, 10);
        assert_eq!(short["Resources"], json!([0, 1, "… 48 more"]));
        assert_eq!(short["detail"], "xxxxxxxxxx… (390 more bytes)");
    }
}
