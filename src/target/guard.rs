//! What a request would touch, and whether it may. Pure: it looks at method, path, headers and body, and asks
//! [`Ownership`] what is ours; it sends nothing.
//!
//! The rule: read anything, create anywhere, change and delete only what this run created. A service provider
//! under test may obey what it should refuse (`DELETE /Users`, `POST /Schemas`), so requests that only a
//! correct server survives need a permission of the step that sends them.

use percent_encoding::percent_decode_str;
use serde_json::Value;

use super::failure::shorten;
use crate::scim::bulk::REFERENCE;

/// What a step may do beyond the rule. Nothing by default.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Permissions {
    /// Writes to a whole collection or to discovery endpoints, which a correct server refuses.
    pub collection: bool,
    /// Bulk requests; each operation inside is still judged by itself.
    pub bulk: bool,
    /// Writes to `/Me`: the operator's own account.
    pub me: bool,
}

/// What a request would touch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Touch {
    /// Nothing.
    Read,
    /// Nothing, by POST (RFC 7644 section 3.4.3).
    Search,
    /// Makes a resource.
    Create {
        /// Where, such as `/Users`.
        endpoint: String,
    },
    /// Changes or deletes one resource.
    Write {
        /// Where it lies, such as `/Users`.
        endpoint: String,
        /// Its id, percent-decoded.
        id: String,
    },
    /// Could change or delete a whole collection, or the service provider's own configuration.
    Collection {
        /// The path.
        path: String,
    },
    /// A Bulk request (RFC 7644 section 3.7).
    Bulk,
    /// The authenticated subject (RFC 7644 section 3.11).
    Me,
}

/// What the guard asks about ids.
pub trait Ownership {
    /// Whether this run created it (even if it has been deleted since).
    fn owns(&self, endpoint: &str, id: &str) -> bool;
    /// Whether no resource of that id can have existed before this run.
    fn never_existed(&self, id: &str) -> bool;
    /// Whether it was seen as somebody else's, at this endpoint or, without one, at any.
    fn is_foreign(&self, endpoint: Option<&str>, id: &str) -> bool;
}

/// Why a request is not sent.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The run only reads.
    #[error("{method} {path} could write, and the run is --read-only")]
    ReadOnly {
        /// The method.
        method: String,
        /// The path.
        path: String,
    },
    /// It would change a resource that this run did not create.
    #[error("{method} {endpoint}/{id} is not sent: {why}")]
    NotOurs {
        /// The method.
        method: String,
        /// The endpoint.
        endpoint: String,
        /// The id.
        id: String,
        /// Why it does not count as ours.
        why: String,
    },
    /// It would name somebody else's resource inside its body, as a group's member for instance.
    #[error("{method} {path} is not sent: its body refers to '{id}', which this run did not create")]
    RefersToForeign {
        /// The method.
        method: String,
        /// The path.
        path: String,
        /// The id referred to.
        id: String,
    },
    /// It needs a permission that the step does not have.
    #[error("{method} {path} is not sent: {what}, and the step has no permission for that")]
    NotPermitted {
        /// The method.
        method: String,
        /// The path.
        path: String,
        /// What it would touch.
        what: &'static str,
    },
    /// It leaves the base URL, by `..` for instance.
    #[error("{path} is not sent: it lies outside of the base URL")]
    OutsideBase {
        /// The path.
        path: String,
    },
    /// It cannot be sent at all: the suite's fault.
    #[error("the request cannot be sent: {why}")]
    Unsendable {
        /// What is wrong with it.
        why: String,
    },
    /// The ledger cannot be written, so nothing may be created.
    #[error("nothing is created while the ledger cannot be written: {why}")]
    Ledger {
        /// What the system says.
        why: String,
    },
}

/// Endpoints of discovery (RFC 7644 section 4). Nothing may be written there, ever.
const DISCOVERY: [&str; 4] = ["schemas", "resourcetypes", "serviceproviderconfig", "serviceproviderconfigs"];

/// The parts of a request that decide what it touches.
#[derive(Debug, Clone, Copy)]
pub struct Asked<'a> {
    /// The method as written.
    pub method: &'a str,
    /// The path below the base URL, percent-encoded, without query.
    pub path: &'a str,
    /// The query, if any, without its question mark.
    pub query: Option<&'a str>,
    /// The value of `X-HTTP-Method-Override`, which some frameworks obey.
    pub method_override: Option<&'a str>,
    /// The body.
    pub body: Option<&'a [u8]>,
}

impl Asked<'_> {
    /// The methods that a server might take this for.
    fn methods(&self) -> Vec<String> {
        let mut methods = vec![self.method.to_ascii_uppercase()];
        methods.extend(self.method_override.map(|name| name.trim().to_ascii_uppercase()));
        for pair in self.query.unwrap_or_default().split('&') {
            if let Some(name) = pair.strip_prefix("_method=") {
                methods.push(name.to_ascii_uppercase());
            }
        }
        methods
    }
}

/// Whether the path leads to discovery.
pub(crate) fn is_discovery(path: &str) -> bool {
    let first = path.split('/').find(|segment| !segment.is_empty()).unwrap_or_default();
    DISCOVERY.iter().any(|name| first.eq_ignore_ascii_case(name))
}

/// What a request touches by this method. `endpoints` are the known ones, such as `/Users`; without a match the
/// first segment of the path counts as the endpoint.
pub fn classify(method: &str, path: &str, endpoints: &[String]) -> Touch {
    let method = method.to_ascii_uppercase();
    if matches!(method.as_str(), "GET" | "HEAD" | "OPTIONS" | "TRACE") {
        return Touch::Read;
    }
    let segments: Vec<String> = path
        .split('/')
        .filter(|segment| !segment.is_empty())
        .map(|segment| percent_decode_str(segment).decode_utf8_lossy().into_owned())
        .collect();
    let whole = || Touch::Collection { path: path.to_owned() };
    let Some(first) = segments.first() else { return whole() };
    let post = method == "POST";
    if post && segments.last().is_some_and(|last| last == ".search") {
        return Touch::Search;
    }
    if first.eq_ignore_ascii_case("me") {
        return Touch::Me;
    }
    if first.eq_ignore_ascii_case("bulk") {
        return if post && segments.len() == 1 { Touch::Bulk } else { whole() };
    }
    if DISCOVERY.iter().any(|name| first.eq_ignore_ascii_case(name)) {
        return whole();
    }
    let (endpoint, rest) = split(&segments, endpoints);
    match rest.first() {
        None if post => Touch::Create { endpoint },
        None => whole(),
        Some(id) => Touch::Write { endpoint, id: id.clone() },
    }
}

/// The path with what follows the endpoint replaced: `/Users/{id}`; discovery keeps its form alike.
pub fn pattern(path: &str, endpoints: &[String]) -> String {
    let path = path.split(['?', '#']).next().unwrap_or_default();
    let segments: Vec<String> = path.split('/').filter(|s| !s.is_empty()).map(str::to_owned).collect();
    let (endpoint, rest) = split(&segments, endpoints);
    if segments.is_empty() {
        return "/".to_owned();
    }
    match rest {
        [] => endpoint,
        [last] if last == ".search" => format!("{endpoint}/.search"),
        [_] => format!("{endpoint}/{{id}}"),
        [_, deeper @ ..] => format!("{endpoint}/{{id}}/{}", deeper.join("/")),
    }
}

/// The endpoint, as the service provider spells it where known, and the segments below it.
fn split<'a>(segments: &'a [String], endpoints: &[String]) -> (String, &'a [String]) {
    let mut best: Option<(&String, usize)> = None;
    for endpoint in endpoints {
        let names: Vec<&str> = endpoint.split('/').filter(|name| !name.is_empty()).collect();
        let fits = !names.is_empty()
            && names.len() <= segments.len()
            && names.iter().zip(segments).all(|(name, segment)| name.eq_ignore_ascii_case(segment));
        if fits && best.is_none_or(|(_, length)| length < names.len()) {
            best = Some((endpoint, names.len()));
        }
    }
    match best {
        Some((endpoint, length)) => (endpoint.clone(), &segments[length..]),
        None => {
            let first = segments.first().cloned().unwrap_or_default();
            (format!("/{first}"), segments.get(1..).unwrap_or_default())
        }
    }
}

/// Judges a request. The answer is what it touches by its real method, if it may be sent.
///
/// # Errors
/// Why it may not.
pub fn decide(
    asked: &Asked<'_>,
    endpoints: &[String],
    permissions: Permissions,
    read_only: bool,
    ownership: &impl Ownership,
) -> Result<Touch, Refusal> {
    let mut touches =
        asked.methods().into_iter().map(|method| (classify(&method, asked.path, endpoints), method));
    let real = touches.next();
    for (touch, method) in touches {
        judge(&touch, &method, asked, endpoints, permissions, read_only, ownership)?;
    }
    match real {
        Some((touch, method)) => {
            judge(&touch, &method, asked, endpoints, permissions, read_only, ownership)?;
            Ok(touch)
        }
        None => Ok(Touch::Read),
    }
}

fn judge(
    touch: &Touch,
    method: &str,
    asked: &Asked<'_>,
    endpoints: &[String],
    permissions: Permissions,
    read_only: bool,
    ownership: &impl Ownership,
) -> Result<(), Refusal> {
    if matches!(touch, Touch::Read | Touch::Search) {
        return Ok(());
    }
    let (method, path) = (method.to_owned(), asked.path.to_owned());
    if read_only {
        return Err(Refusal::ReadOnly { method, path });
    }
    match touch {
        Touch::Read | Touch::Search => Ok(()),
        Touch::Create { .. } => no_foreign_reference(asked, &method, ownership),
        Touch::Write { endpoint, id } => {
            may_write(&method, endpoint, id, ownership)?;
            no_foreign_reference(asked, &method, ownership)
        }
        Touch::Collection { .. } if permissions.collection => Ok(()),
        // With nothing to write, nothing is written, whoever obeys.
        Touch::Collection { .. } if writes_nothing(&method, asked) => Ok(()),
        Touch::Collection { .. } => Err(Refusal::NotPermitted {
            method,
            path,
            what: "a server that obeys would change a whole collection or its own configuration",
        }),
        Touch::Me if permissions.me => Ok(()),
        Touch::Me => {
            Err(Refusal::NotPermitted { method, path, what: "it would change the operator's own account" })
        }
        Touch::Bulk if permissions.bulk => bulk(asked, endpoints, permissions, ownership),
        Touch::Bulk => Err(Refusal::NotPermitted { method, path, what: "it is a bulk request" }),
    }
}

fn may_write(method: &str, endpoint: &str, id: &str, ownership: &impl Ownership) -> Result<(), Refusal> {
    if ownership.owns(endpoint, id) {
        return Ok(());
    }
    let why = if ownership.is_foreign(Some(endpoint), id) {
        "it was there before this run".to_owned()
    } else if ownership.never_existed(id) {
        return Ok(());
    } else {
        "this run did not create it; for an id that does not exist, use a fresh uuid or one that holds ${run}"
            .to_owned()
    };
    Err(Refusal::NotOurs {
        method: method.to_owned(),
        endpoint: endpoint.to_owned(),
        id: shorten(id, 200),
        why,
    })
}

/// Whether a request would write to an endpoint of discovery, and has nothing that could be written.
fn writes_nothing(method: &str, asked: &Asked<'_>) -> bool {
    let path = asked.path.trim_matches('/');
    DISCOVERY.iter().any(|name| path.eq_ignore_ascii_case(name))
        && matches!(method, "POST" | "PUT" | "PATCH")
        && asked.body.unwrap_or_default().is_empty()
}

/// Refuses bodies that would draw somebody else's resource in: adding a member to a group changes the member
/// too, and some service providers send it an invitation.
fn no_foreign_reference(asked: &Asked<'_>, method: &str, ownership: &impl Ownership) -> Result<(), Refusal> {
    let Some(body) = asked.body.and_then(|body| serde_json::from_slice::<Value>(body).ok()) else {
        return Ok(());
    };
    let foreign = references(&body).into_iter().find(|id| ownership.is_foreign(None, id));
    match foreign {
        None => Ok(()),
        Some(id) => Err(Refusal::RefersToForeign {
            method: method.to_owned(),
            path: asked.path.to_owned(),
            id: shorten(&id, 200),
        }),
    }
}

/// Attributes whose `value` is the id of another resource, and whose change that resource's owner may notice.
const REFERRING: [&str; 2] = ["members", "manager"];

/// The ids that a resource or a PatchOp refers to by [`REFERRING`] attributes. The parser has bounded the depth.
fn references(body: &Value) -> Vec<String> {
    let mut found = Vec::new();
    let mut open = vec![(body, false)];
    while let Some((value, referring)) = open.pop() {
        match value {
            Value::Object(members) => {
                let path =
                    members.get("path").and_then(Value::as_str).unwrap_or_default().to_ascii_lowercase();
                let referring = referring || REFERRING.iter().any(|name| path.contains(name));
                for (name, value) in members {
                    let name = name.to_ascii_lowercase();
                    let refers = REFERRING.iter().any(|it| name.ends_with(it));
                    match value {
                        // Beside the id stand texts that are none, such as `display` and `type`.
                        Value::String(id) if refers || (referring && name == "value") => {
                            found.push(id.clone())
                        }
                        Value::String(_) => {}
                        value => open.push((value, referring || refers)),
                    }
                }
            }
            Value::Array(items) => open.extend(items.iter().map(|item| (item, referring))),
            // Some clients write the id itself where an object belongs.
            Value::String(id) if referring => found.push(id.clone()),
            _ => {}
        }
    }
    found
}

/// Judges each operation of a Bulk request by itself.
fn bulk(
    asked: &Asked<'_>,
    endpoints: &[String],
    permissions: Permissions,
    ownership: &impl Ownership,
) -> Result<(), Refusal> {
    let body = asked.body.unwrap_or_default();
    let operations = bulk_operations(body);
    if operations.is_empty() {
        // Nothing that we can read, yet a more generous parser might: no word of a method that changes.
        let text = String::from_utf8_lossy(body).to_ascii_uppercase();
        return match ["PUT", "PATCH", "DELETE"].into_iter().find(|word| text.contains(word)) {
            None => Ok(()),
            Some(_) => Err(Refusal::Unsendable {
                why: "the Bulk body cannot be read, so what it would change cannot be judged".to_owned(),
            }),
        };
    }
    for operation in &operations {
        let data = operation.data.as_ref().map(Value::to_string);
        let inner = Asked {
            method: &operation.method,
            path: &operation.path,
            query: None,
            method_override: None,
            body: data.as_deref().map(str::as_bytes),
        };
        let touch = classify(inner.method, inner.path, endpoints);
        match &touch {
            // What the job itself makes is ours.
            Touch::Write { id, .. } if id.starts_with(REFERENCE) => {
                no_foreign_reference(&inner, &operation.method, ownership)?;
            }
            Touch::Bulk => {
                return Err(Refusal::NotPermitted {
                    method: operation.method.clone(),
                    path: operation.path.clone(),
                    what: "it is a bulk request inside a bulk request",
                });
            }
            touch => judge(touch, &operation.method, &inner, endpoints, permissions, false, ownership)?,
        }
    }
    Ok(())
}

/// One operation of a Bulk request.
#[derive(Debug, Clone, PartialEq)]
pub struct BulkOperation {
    /// The method.
    pub method: String,
    /// The path.
    pub path: String,
    /// Its bulkId.
    pub bulk_id: Option<String>,
    /// The resource or PatchOp.
    pub data: Option<Value>,
}

/// The operations of a Bulk request that can be read.
pub fn bulk_operations(body: &[u8]) -> Vec<BulkOperation> {
    let Ok(Value::Object(members)) = serde_json::from_slice::<Value>(body) else { return Vec::new() };
    let operations = members.into_iter().filter(|(name, _)| name.eq_ignore_ascii_case("operations"));
    let operations = operations.flat_map(|(_, value)| match value {
        Value::Array(items) => items,
        other => vec![other],
    });
    operations
        .filter_map(|operation| {
            let Value::Object(members) = operation else { return None };
            let find = |wanted: &str| {
                members.iter().find(|(name, _)| name.eq_ignore_ascii_case(wanted)).map(|(_, value)| value)
            };
            let text = |wanted: &str| find(wanted).and_then(Value::as_str).map(str::to_owned);
            Some(BulkOperation {
                method: text("method").unwrap_or_default(),
                path: text("path").unwrap_or_default(),
                bulk_id: text("bulkId"),
                data: find("data").cloned(),
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    struct Ids;
    impl Ownership for Ids {
        fn owns(&self, endpoint: &str, id: &str) -> bool {
            endpoint.eq_ignore_ascii_case("/Users") && id == "ours"
        }
        fn never_existed(&self, id: &str) -> bool {
            id.contains("m4rk")
        }
        fn is_foreign(&self, _: Option<&str>, id: &str) -> bool {
            id == "theirs" || id == "m4rk-theirs"
        }
    }

    fn known() -> Vec<String> {
        vec!["/Users".to_owned(), "/Groups".to_owned(), "/v1/Devices".to_owned()]
    }

    fn asked<'a>(method: &'a str, path: &'a str, body: Option<&'a [u8]>) -> Asked<'a> {
        Asked { method, path, query: None, method_override: None, body }
    }

    fn decided(method: &str, path: &str) -> Result<Touch, Refusal> {
        decide(&asked(method, path, None), &known(), Permissions::default(), false, &Ids)
    }

    #[test]
    fn requests_are_classified() {
        let create = |endpoint: &str| Touch::Create { endpoint: endpoint.to_owned() };
        let write =
            |endpoint: &str, id: &str| Touch::Write { endpoint: endpoint.to_owned(), id: id.to_owned() };
        let collection = |path: &str| Touch::Collection { path: path.to_owned() };
        for (method, path, touch) in [
            ("GET", "/Users/1", Touch::Read),
            ("get", "/Me", Touch::Read),
            ("POST", "/Users", create("/Users")),
            ("POST", "/Users/", create("/Users")),
            ("POST", "/users", create("/Users")),
            ("POST", "/Unknown", create("/Unknown")),
            ("POST", "/v1/Devices", create("/v1/Devices")),
            ("POST", "/Users/.search", Touch::Search),
            ("POST", "/.search", Touch::Search),
            ("PUT", "/Users/.search", write("/Users", ".search")),
            ("POST", "/Users/1", write("/Users", "1")),
            ("DELETE", "/Users/a%2Fb", write("/Users", "a/b")),
            ("delete", "/Users/1", write("/Users", "1")),
            ("PURGE", "/v1/Devices/7/x", write("/v1/Devices", "7")),
            ("DELETE", "/Users", collection("/Users")),
            ("DELETE", "//Users//", collection("//Users//")),
            ("PUT", "/", collection("/")),
            ("POST", "", collection("")),
            ("POST", "/Schemas", collection("/Schemas")),
            ("PUT", "/ResourceTypes/User", collection("/ResourceTypes/User")),
            ("PATCH", "/serviceproviderconfig", collection("/serviceproviderconfig")),
            ("POST", "/Bulk", Touch::Bulk),
            ("DELETE", "/Bulk", collection("/Bulk")),
            ("PATCH", "/Me", Touch::Me),
            ("POST", "/%4De", Touch::Me),
        ] {
            assert_eq!(classify(method, path, &known()), touch, "{method} {path}");
        }
    }

    #[test]
    fn endpoints_are_grouped_without_ids() {
        for (path, expected) in [
            ("/Users/42?attributes=userName", "/Users/{id}"),
            ("/Users?filter=a/b", "/Users"),
            ("/users/42", "/Users/{id}"),
            ("/Users/.search", "/Users/.search"),
            ("/.search", "/.search"),
            ("/v1/Devices/7/parts", "/v1/Devices/{id}/parts"),
            ("/", "/"),
            ("", "/"),
        ] {
            assert_eq!(pattern(path, &known()), expected, "{path}");
        }
    }

    #[test]
    fn only_what_is_ours_is_written() {
        assert!(decided("DELETE", "/Users/ours").is_ok());
        assert!(decided("PATCH", "/users/ours").is_ok());
        assert!(decided("DELETE", "/Users/none-m4rk").is_ok());
        for path in ["/Users/theirs", "/Users/never-seen", "/Groups/ours", "/Users/m4rk-theirs"] {
            assert!(matches!(decided("DELETE", path), Err(Refusal::NotOurs { .. })), "{path}");
        }
        assert!(decided("GET", "/Users/theirs").is_ok());
    }

    #[test]
    fn what_only_a_correct_server_survives_needs_a_permission() {
        for (method, path) in
            [("DELETE", "/Users"), ("DELETE", "/Schemas"), ("PUT", ""), ("PATCH", "/Me"), ("POST", "/Bulk")]
        {
            assert!(matches!(decided(method, path), Err(Refusal::NotPermitted { .. })), "{method} {path}");
            let all = Permissions { collection: true, bulk: true, me: true };
            assert!(
                decide(&asked(method, path, None), &known(), all, false, &Ids).is_ok(),
                "{method} {path}"
            );
        }
    }

    #[test]
    fn where_nothing_can_be_written_nothing_but_that_may_be_sent() {
        for (method, path) in
            [("POST", "/ServiceProviderConfig"), ("PUT", "/Schemas"), ("PATCH", "/ResourceTypes")]
        {
            assert!(decided(method, path).is_ok(), "{method} {path}");
            let with_body = decide(
                &asked(method, path, Some(b"{}".as_slice())),
                &known(),
                Permissions::default(),
                false,
                &Ids,
            );
            assert!(matches!(with_body, Err(Refusal::NotPermitted { .. })), "{method} {path}");
        }
        for (method, path) in [("DELETE", "/Schemas"), ("POST", "/Schemas/x"), ("PUT", "/Users")] {
            assert!(matches!(decided(method, path), Err(Refusal::NotPermitted { .. })), "{method} {path}");
        }
    }

    #[test]
    fn read_only_refuses_every_write_and_no_read() {
        let all = Permissions { collection: true, bulk: true, me: true };
        for (method, path) in
            [("POST", "/Users"), ("DELETE", "/Users/ours"), ("POST", "/Bulk"), ("FOO", "/Users")]
        {
            let decision = decide(&asked(method, path, None), &known(), all, true, &Ids);
            assert!(matches!(decision, Err(Refusal::ReadOnly { .. })), "{method} {path}");
        }
        for (method, path) in [("GET", "/Users"), ("HEAD", "/Users/x"), ("POST", "/Users/.search")] {
            assert!(decide(&asked(method, path, None), &known(), all, true, &Ids).is_ok(), "{method} {path}");
        }
    }

    #[test]
    fn a_method_in_disguise_is_judged_too() {
        let mut disguised = asked("POST", "/Users/ours", None);
        assert!(decide(&disguised, &known(), Permissions::default(), false, &Ids).is_ok());
        disguised.path = "/Users";
        disguised.method_override = Some("delete");
        assert!(decide(&disguised, &known(), Permissions::default(), false, &Ids).is_err());
        disguised.method_override = None;
        disguised.method = "GET";
        disguised.query = Some("count=1&_method=DELETE");
        assert!(decide(&disguised, &known(), Permissions::default(), false, &Ids).is_err());
    }

    #[test]
    fn a_group_does_not_draw_strangers_in() {
        for body in [
            json!({"displayName": "g", "members": [{"value": "ours"}, {"value": "theirs"}]}),
            json!({"Operations": [{"op": "add", "path": "members", "value": [{"value": "theirs"}]}]}),
            json!({"Operations": [{"op": "add", "path": "manager.value", "value": "theirs"}]}),
            json!({"Operations": [{"op": "add", "value": {"members": [{"Value": "theirs"}]}}]}),
            json!({"Operations": [{"op": "add", "path": "members", "value": ["theirs"]}]}),
            json!({"urn:enterprise": {"manager": "theirs"}}),
        ] {
            let bytes = body.to_string();
            let decision = decide(
                &asked("POST", "/Groups", Some(bytes.as_bytes())),
                &known(),
                Permissions::default(),
                false,
                &Ids,
            );
            assert!(matches!(decision, Err(Refusal::RefersToForeign { .. })), "{body}");
        }
        // Only the id counts, not what stands beside it.
        let ours = json!({"members": [{"value": "ours", "type": "theirs", "display": "theirs"}]}).to_string();
        let fine = decide(
            &asked("POST", "/Groups", Some(ours.as_bytes())),
            &known(),
            Permissions::default(),
            false,
            &Ids,
        );
        assert!(fine.is_ok());
    }

    #[test]
    fn bulk_is_looked_into() {
        let bulk = Permissions { bulk: true, ..Permissions::default() };
        let decided =
            |body: &str| decide(&asked("POST", "/Bulk", Some(body.as_bytes())), &known(), bulk, false, &Ids);
        let operations = |operations: Value| json!({"schemas": [], "Operations": operations}).to_string();
        assert!(
            decided(&operations(json!([{"method": "POST", "path": "/Users", "bulkId": "a", "data": {}}])))
                .is_ok()
        );
        assert!(decided(&operations(json!([{"method": "DELETE", "path": "/Users/ours"}]))).is_ok());
        assert!(
            decided(&operations(json!([{"method": "PATCH", "path": "/Users/bulkId:a", "data": {}}]))).is_ok()
        );
        for refused in [
            json!([{"method": "DELETE", "path": "/Users/theirs"}]),
            json!([{"method": "PUT", "path": "/Groups/bulkId:a", "data": {"members": [{"value": "theirs"}]}}]),
            json!([{"method": "POST", "path": "/Users"}, {"METHOD": "delete", "path": "/Users/never-seen"}]),
            json!([{"method": "DELETE", "path": "/Users"}]),
            json!([{"method": "POST", "path": "/Bulk", "data": {}}]),
            json!([{"method": "POST", "path": "/Groups", "data": {"members": [{"value": "theirs"}]}}]),
        ] {
            assert!(decided(&operations(refused.clone())).is_err(), "{refused}");
        }
        assert!(decided("not json at all").is_ok());
        assert!(decided(r#"{"Operations":[{"method":"delete","path":"/Users/1"},]}"#).is_err());
    }
}
