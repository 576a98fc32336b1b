//! The BulkRequest and BulkResponse messages (RFC 7644 §3.7), and the references between their operations: which there
//! are, in which order the operations can run, what a reference is replaced by. Refuses to know how an operation runs.

use std::collections::{BTreeSet, HashMap};

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use serde_json::{Map, Value, json};

use super::error::ScimError;
use super::names;
use super::problem::{Parsed, Problem, json_type};
use super::resource::{self, MAX_DEPTH};

/// What a reference to a resource of the same job begins with (RFC 7644 §3.7.2).
pub const REFERENCE: &str = "bulkId:";

/// What a path segment may hold as it is (RFC 3986 §2.3).
const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// A bulk job as a client asks for it.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct BulkRequest {
    /// How many errors end the job; none: it goes on whatever fails.
    pub fail_on_errors: Option<u64>,
    /// The operations, in the order given.
    pub operations: Vec<BulkOperation>,
}

/// One operation of a bulk job.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct BulkOperation {
    /// The HTTP method, as written.
    pub method: Option<String>,
    /// The path below the base URL: `/Users`, `/Users/42`, `/Groups/bulkId:x`.
    pub path: Option<String>,
    /// The name that other operations of the job know the new resource by.
    pub bulk_id: Option<String>,
    /// The version that the resource has to have.
    pub version: Option<String>,
    /// What would be the body of a single request.
    pub data: Option<Value>,
    /// What is wrong with the operation's own members, if anything: this operation fails, and no other.
    pub problem: Option<ScimError>,
}

impl BulkRequest {
    /// Reads the message.
    ///
    /// # Errors
    /// 400 invalidSyntax where the message itself is malformed, so that no operation can be told from another; 400
    /// invalidValue where two POSTs have one bulkId (RFC 7644 §3.7: unique within the request).
    pub fn parse(message: &Map<String, Value>) -> Result<BulkRequest, ScimError> {
        let urns = resource::member(message, "schemas").map(resource::elements).unwrap_or_default();
        let is_bulk =
            |urn: &Value| urn.as_str().is_some_and(|urn| urn.eq_ignore_ascii_case(names::BULK_REQUEST));
        if !urns.iter().any(is_bulk) {
            return Err(ScimError::invalid_syntax(format!("schemas: {} is expected", names::BULK_REQUEST)));
        }
        let fail_on_errors = match resource::member(message, "failOnErrors") {
            None | Some(Value::Null) => None,
            Some(number) => Some(number.as_u64().ok_or_else(|| {
                ScimError::invalid_syntax(format!("failOnErrors: an integer is expected, not {number}"))
            })?),
        };
        let operations = match resource::member(message, "Operations") {
            Some(Value::Array(operations)) if !operations.is_empty() => operations,
            Some(Value::Array(_) | Value::Null) | None => {
                return Err(ScimError::invalid_syntax("Operations: at least one is expected"));
            }
            Some(other) => {
                let found = json_type(other);
                return Err(ScimError::invalid_syntax(format!(
                    "Operations: an array is expected, not {found}"
                )));
            }
        };
        let operations: Vec<BulkOperation> = operations
            .iter()
            .enumerate()
            .map(|(index, operation)| match operation {
                Value::Object(members) => Ok(BulkOperation::parse(members)),
                other => Err(ScimError::invalid_syntax(format!(
                    "Operations[{index}]: an object is expected, not {}",
                    json_type(other)
                ))),
            })
            .collect::<Result<_, _>>()?;
        let mut taken = BTreeSet::new();
        for operation in operations.iter().filter(|operation| operation.is_post()) {
            if let Some(bulk_id) = &operation.bulk_id
                && !taken.insert(bulk_id)
            {
                return Err(ScimError::invalid_value(format!(
                    "bulkId: {bulk_id:?} is there twice, and has to be unique within the request"
                )));
            }
        }
        Ok(BulkRequest { fail_on_errors, operations })
    }
}

impl BulkOperation {
    /// Reads one operation. What is wrong with it is kept as its problem.
    fn parse(members: &Map<String, Value>) -> BulkOperation {
        let mut problem = None;
        let mut text = |name: &str| match resource::member(members, name) {
            None | Some(Value::Null) => None,
            Some(Value::String(text)) => Some(text.clone()),
            Some(other) => {
                let message = format!("{name}: a string is expected, not {}", json_type(other));
                problem.get_or_insert(ScimError::invalid_syntax(message));
                None
            }
        };
        let [method, path, bulk_id, version] = ["method", "path", "bulkId", "version"].map(&mut text);
        let data = resource::member(members, "data").filter(|data| !data.is_null()).cloned();
        let mut operation = BulkOperation { method, path, bulk_id, version, data, problem };
        if operation.problem.is_none() {
            operation.problem = operation.lack();
        }
        operation
    }

    /// What a sound operation has and this one lacks.
    fn lack(&self) -> Option<ScimError> {
        let Some(method) = self.method.as_deref() else {
            return Some(ScimError::invalid_syntax("method is required"));
        };
        if !["POST", "PUT", "PATCH", "DELETE"].iter().any(|known| known.eq_ignore_ascii_case(method)) {
            let message = format!("method: POST, PUT, PATCH or DELETE is expected, not {method:?}");
            return Some(ScimError::invalid_value(message));
        }
        match self.path.as_deref() {
            None => return Some(ScimError::invalid_syntax("path is required")),
            Some(path) if !path.starts_with('/') => {
                let message =
                    format!("path: a path below the base URL, such as /Users, is expected, not {path:?}");
                return Some(ScimError::invalid_path(message));
            }
            Some(_) => {}
        }
        if self.is_post() && self.bulk_id.as_deref().unwrap_or_default().is_empty() {
            return Some(ScimError::invalid_value("bulkId is required where the method is POST"));
        }
        if self.data.is_none() && !method.eq_ignore_ascii_case("DELETE") {
            return Some(ScimError::invalid_syntax("data is required but where the method is DELETE"));
        }
        None
    }

    /// Whether it makes a resource.
    pub fn is_post(&self) -> bool {
        self.method.as_deref().is_some_and(|method| method.eq_ignore_ascii_case("POST"))
    }

    /// The bulkIds that its path and its data refer to.
    pub fn references(&self) -> BTreeSet<String> {
        let mut found = BTreeSet::new();
        if let Some(path) = &self.path {
            resolve_path(path, |bulk_id| {
                found.insert(bulk_id.to_owned());
                None
            });
        }
        if let Some(data) = &self.data {
            resolve(data, |bulk_id| {
                found.insert(bulk_id.to_owned());
                Resolution::Keep
            });
        }
        found
    }
}

/// What becomes of a reference.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Resolution {
    /// It becomes this id.
    Id(String),
    /// It goes, with the complex value that it stands in, for now.
    LeaveOut,
    /// It stays as it is.
    Keep,
}

/// The data with its references resolved. A reference is a text that is `bulkId:` and a bulkId; in `$ref`, one that
/// ends so after a slash; in the `path` of a PATCH operation, one in quotes.
pub fn resolve(data: &Value, mut resolution: impl FnMut(&str) -> Resolution) -> Value {
    match rewrite(data, "", 0, &mut resolution) {
        Rewritten::Kept(value) => value,
        Rewritten::Gone | Rewritten::Dropped => Value::Null,
    }
}

enum Rewritten {
    Kept(Value),
    /// A reference that is left out: the complex value around it goes too.
    Gone,
    /// A complex value that went with its reference.
    Dropped,
}

fn rewrite(
    value: &Value,
    name: &str,
    depth: usize,
    resolution: &mut impl FnMut(&str) -> Resolution,
) -> Rewritten {
    if depth > MAX_DEPTH {
        return Rewritten::Kept(value.clone());
    }
    match value {
        Value::String(text) => rewrite_text(text, name, resolution),
        Value::Array(elements) => {
            let kept =
                elements.iter().filter_map(|element| match rewrite(element, name, depth + 1, resolution) {
                    Rewritten::Kept(value) => Some(value),
                    Rewritten::Gone | Rewritten::Dropped => None,
                });
            Rewritten::Kept(kept.collect())
        }
        Value::Object(members) => {
            let mut kept = Map::new();
            let mut gone = false;
            for (name, member) in members {
                match rewrite(member, name, depth + 1, resolution) {
                    Rewritten::Kept(value) => {
                        kept.insert(name.clone(), value);
                    }
                    Rewritten::Gone => gone = true,
                    Rewritten::Dropped => {}
                }
            }
            if gone && depth > 0 { Rewritten::Dropped } else { Rewritten::Kept(Value::Object(kept)) }
        }
        other => Rewritten::Kept(other.clone()),
    }
}

fn rewrite_text(text: &str, name: &str, resolution: &mut impl FnMut(&str) -> Resolution) -> Rewritten {
    let kept = |text: String| Rewritten::Kept(Value::String(text));
    if let Some(bulk_id) = text.strip_prefix(REFERENCE).filter(|bulk_id| !bulk_id.is_empty()) {
        return match resolution(bulk_id) {
            Resolution::Id(id) => kept(id),
            Resolution::LeaveOut => Rewritten::Gone,
            Resolution::Keep => kept(text.to_owned()),
        };
    }
    if name.eq_ignore_ascii_case("$ref")
        && let Some((before, last)) = text.rsplit_once('/')
        && let Some(bulk_id) = last.strip_prefix(REFERENCE).filter(|bulk_id| !bulk_id.is_empty())
    {
        return match resolution(bulk_id) {
            Resolution::Id(id) => kept(format!("{before}/{}", utf8_percent_encode(&id, SEGMENT))),
            Resolution::LeaveOut => Rewritten::Gone,
            Resolution::Keep => kept(text.to_owned()),
        };
    }
    if name.eq_ignore_ascii_case("path") {
        return kept(rewrite_filter(text, resolution));
    }
    kept(text.to_owned())
}

/// Resolves the references in quotes: `members[value eq "bulkId:x"]`.
fn rewrite_filter(text: &str, resolution: &mut impl FnMut(&str) -> Resolution) -> String {
    let mut parts: Vec<String> = text.split('"').map(str::to_owned).collect();
    // Every second part stands in quotes.
    for part in parts.iter_mut().skip(1).step_by(2) {
        if let Some(bulk_id) = part.strip_prefix(REFERENCE)
            && let Resolution::Id(id) = resolution(bulk_id)
        {
            *part = id;
        }
    }
    parts.join("\"")
}

/// The path with each segment that is a reference replaced, where the reference has an id.
pub fn resolve_path(path: &str, mut id_of: impl FnMut(&str) -> Option<String>) -> String {
    let segments = path.split('/').map(|segment| {
        let decoded = percent_decode_str(segment).decode_utf8_lossy();
        let id = decoded.strip_prefix(REFERENCE).and_then(&mut id_of);
        id.map_or_else(|| segment.to_owned(), |id| path_segment(&id))
    });
    segments.collect::<Vec<_>>().join("/")
}

/// An id as a segment of a path.
pub fn path_segment(id: &str) -> String {
    utf8_percent_encode(id, SEGMENT).to_string()
}

/// The order in which operations run: that of the request, but that an operation waits for those whose resources it
/// refers to. Operations that refer to each other in a circle form one group, and so does one that refers to itself.
pub fn groups(operations: &[BulkOperation]) -> Vec<Vec<usize>> {
    let mut makers: HashMap<&str, usize> = HashMap::new();
    for (index, operation) in operations.iter().enumerate() {
        if let Some(bulk_id) = operation.bulk_id.as_deref().filter(|_| operation.is_post()) {
            makers.entry(bulk_id).or_insert(index);
        }
    }
    let needs: Vec<Vec<usize>> = operations
        .iter()
        .map(|operation| {
            let mut needs: Vec<usize> =
                operation.references().iter().filter_map(|it| makers.get(it.as_str()).copied()).collect();
            needs.sort_unstable();
            needs
        })
        .collect();
    components(&needs)
}

/// The strongly connected components of a graph, what is needed first (Tarjan's algorithm with its own stack, since a
/// chain may be as long as the job).
fn components(needs: &[Vec<usize>]) -> Vec<Vec<usize>> {
    let mut number: Vec<Option<usize>> = vec![None; needs.len()];
    let mut lowest = vec![0; needs.len()];
    let mut is_open = vec![false; needs.len()];
    let (mut open, mut found, mut next) = (Vec::new(), Vec::new(), 0);
    for root in 0..needs.len() {
        if number[root].is_some() {
            continue;
        }
        let mut path = vec![(root, 0)];
        while let Some((node, edge)) = path.pop() {
            if edge == 0 {
                number[node] = Some(next);
                lowest[node] = next;
                next += 1;
                open.push(node);
                is_open[node] = true;
            }
            match needs[node].get(edge) {
                Some(&needed) => {
                    path.push((node, edge + 1));
                    match number[needed] {
                        None => path.push((needed, 0)),
                        Some(known) if is_open[needed] => lowest[node] = lowest[node].min(known),
                        Some(_) => {}
                    }
                }
                None => {
                    if let Some(&(parent, _)) = path.last() {
                        lowest[parent] = lowest[parent].min(lowest[node]);
                    }
                    if Some(lowest[node]) == number[node] {
                        let mut component = Vec::new();
                        while let Some(member) = open.pop() {
                            is_open[member] = false;
                            component.push(member);
                            if member == node {
                                break;
                            }
                        }
                        component.sort_unstable();
                        found.push(component);
                    }
                }
            }
        }
    }
    found
}

/// What came of a bulk job.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct BulkResponse {
    /// The results of the operations that ran.
    pub operations: Vec<BulkResult>,
}

/// What came of one operation.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct BulkResult {
    /// The method, as the request has it.
    pub method: Option<String>,
    /// The bulkId, as the request has it.
    pub bulk_id: Option<String>,
    /// The version of the resource now.
    pub version: Option<String>,
    /// Where the resource is; not that of a create that failed.
    pub location: Option<String>,
    /// The HTTP status that a single request would have had.
    pub status: Option<u16>,
    /// The body that a single request would have had. Always there where the operation failed.
    pub response: Option<Value>,
}

impl BulkResponse {
    /// The message body.
    pub fn to_json(&self) -> Value {
        let operations: Vec<Value> = self.operations.iter().map(BulkResult::to_json).collect();
        json!({ "schemas": [names::BULK_RESPONSE], "Operations": operations })
    }

    /// Reads the message as far as it can be read.
    pub fn from_json(body: &Value) -> Parsed<BulkResponse> {
        let Some(object) = body.as_object() else {
            let message = format!("a BulkResponse is an object, this is {}", json_type(body));
            return Parsed { value: None, problems: vec![Problem::new("", message)] };
        };
        let mut problems = Vec::new();
        if !resource::schemas(body).contains(&names::BULK_RESPONSE) {
            problems.push(Problem::new("schemas", format!("{} is missing", names::BULK_RESPONSE)));
        }
        let elements = match resource::member(object, "Operations") {
            Some(Value::Array(elements)) => elements.as_slice(),
            Some(other) => {
                let message = format!("an array is expected, this is {}", json_type(other));
                problems.push(Problem::new("Operations", message));
                &[]
            }
            None => {
                problems.push(Problem::new("Operations", "is missing"));
                &[]
            }
        };
        let operations = elements
            .iter()
            .enumerate()
            .map(|(index, element)| BulkResult::from_json(element, index, &mut problems));
        Parsed { value: Some(BulkResponse { operations: operations.collect() }), problems }
    }
}

impl BulkResult {
    fn to_json(&self) -> Value {
        let mut body = Map::new();
        let texts = [
            ("method", &self.method),
            ("bulkId", &self.bulk_id),
            ("version", &self.version),
            ("location", &self.location),
        ];
        for (name, text) in texts {
            if let Some(text) = text {
                body.insert(name.to_owned(), text.as_str().into());
            }
        }
        if let Some(status) = self.status {
            body.insert("status".to_owned(), status.to_string().into());
        }
        if let Some(response) = &self.response {
            body.insert("response".to_owned(), response.clone());
        }
        Value::Object(body)
    }

    fn from_json(element: &Value, index: usize, problems: &mut Vec<Problem>) -> BulkResult {
        let at = |name: &str| format!("Operations[{index}].{name}");
        let text = |name: &str| resource::get(element, name).and_then(Value::as_str).map(str::to_owned);
        let status = match resource::get(element, "status") {
            Some(Value::String(code)) => code.parse().ok(),
            Some(other) => {
                // SCIM 1.1 had an object, and the example of RFC 7644 §3.7.2 still has.
                let code = resource::get(other, "code").unwrap_or(other);
                problems.push(Problem::new(at("status"), "a string is expected"));
                code.as_u64().and_then(|code| code.try_into().ok()).or_else(|| code.as_str()?.parse().ok())
            }
            None => None,
        };
        if status.is_none() {
            problems.push(Problem::new(at("status"), "holds no HTTP status"));
        }
        BulkResult {
            method: text("method"),
            bulk_id: text("bulkId"),
            version: text("version"),
            location: text("location"),
            status,
            response: resource::get(element, "response").cloned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(message: Value) -> Result<BulkRequest, ScimError> {
        BulkRequest::parse(message.as_object().unwrap())
    }

    fn operations(operations: Value) -> Vec<BulkOperation> {
        parse(json!({"schemas": [names::BULK_REQUEST], "Operations": operations})).unwrap().operations
    }

    fn group(bulk_id: &str, members: &[&str]) -> Value {
        let members: Vec<Value> = members.iter().map(|id| json!({"value": format!("bulkId:{id}")})).collect();
        json!({"method": "POST", "path": "/Groups", "bulkId": bulk_id, "data": {"members": members}})
    }

    #[test]
    fn a_malformed_message_is_refused_as_a_whole() {
        let good = group("a", &[]);
        for message in [
            json!({}),
            json!({"Operations": [good]}),
            json!({"schemas": [names::PATCH_OP], "Operations": [good]}),
            json!({"schemas": [names::BULK_REQUEST]}),
            json!({"schemas": [names::BULK_REQUEST], "Operations": []}),
            json!({"schemas": [names::BULK_REQUEST], "Operations": {}}),
            json!({"schemas": [names::BULK_REQUEST], "Operations": [good, 1]}),
            json!({"schemas": [names::BULK_REQUEST], "Operations": [good], "failOnErrors": "1"}),
            json!({"schemas": [names::BULK_REQUEST], "Operations": [good], "failOnErrors": -1}),
            json!({"schemas": [names::BULK_REQUEST], "Operations": [good, good]}),
        ] {
            assert_eq!(parse(message.clone()).unwrap_err().status, 400, "{message}");
        }
    }

    #[test]
    fn what_is_wrong_with_one_operation_stays_with_it() {
        let all = operations(json!([
            group("a", &[]),
            {"method": "POST", "path": "/Users", "data": {}},
            {"method": "GET", "path": "/Users"},
            {"method": "DELETE", "path": "Users/1"},
            {"method": "DELETE"},
            {"path": "/Users/1"},
            {"method": "PUT", "path": "/Users/1"},
            {"method": 1, "path": "/Users/1"},
            {"method": "delete", "path": "/Users/1"},
        ]));
        let sound: Vec<usize> = (0..all.len()).filter(|index| all[*index].problem.is_none()).collect();
        assert_eq!(sound, [0, 8]);
    }

    #[test]
    fn references_are_found_wherever_they_stand() {
        let all = operations(json!([{
            "method": "PATCH", "path": "/Groups/bulkId:path", "data": {
                "Operations": [{"op": "remove", "path": "members[value eq \"bulkId:filter\"]"},
                    {"op": "add", "path": "members", "value": [{"value": "bulkId:value", "$ref": "../Users/bulkId:ref"}]}],
                "displayName": "see bulkId:none", "title": "bulkId:"
            },
        }]));
        let found: Vec<String> = all[0].references().into_iter().collect();
        assert_eq!(found, ["filter", "path", "ref", "value"]);
        let resolved = resolve(all[0].data.as_ref().unwrap(), |id| Resolution::Id(format!("<{id}>")));
        assert_eq!(resolved["Operations"][0]["path"], "members[value eq \"<filter>\"]");
        assert_eq!(
            resolved["Operations"][1]["value"][0],
            json!({"value": "<value>", "$ref": "../Users/%3Cref%3E"})
        );
        assert_eq!(resolved["displayName"], "see bulkId:none");
        assert_eq!(resolve_path("/Groups/bulkId%3Ax", |_| Some("a/b".to_owned())), "/Groups/a%2Fb");
    }

    #[test]
    fn a_reference_is_left_out_with_its_value() {
        let data = json!({
            "displayName": "x",
            "members": [{"value": "bulkId:a", "type": "Group"}, {"value": "1"}],
            names::ENTERPRISE_USER: {"manager": {"value": "bulkId:a"}, "department": "y"},
        });
        assert_eq!(
            resolve(&data, |_| Resolution::LeaveOut),
            json!({"displayName": "x", "members": [{"value": "1"}], names::ENTERPRISE_USER: {"department": "y"}})
        );
    }

    #[test]
    fn what_is_needed_runs_first_and_the_order_is_kept_otherwise() {
        let order = |all: Value| groups(&operations(all));
        let none: &[&str] = &[];
        assert_eq!(order(json!([group("a", none), group("b", &["a"]), group("c", none)])), [[0], [1], [2]]);
        assert_eq!(order(json!([group("a", &["c"]), group("b", none), group("c", none)])), [[2], [0], [1]]);
        assert_eq!(
            order(json!([group("a", &["b"]), group("b", &["a"]), group("c", &["c"])])),
            vec![vec![0, 1], vec![2]]
        );
        let delete = json!({"method": "DELETE", "path": "/Groups/bulkId:z"});
        assert_eq!(order(json!([delete, group("z", none)])), [[1], [0]]);
        // A chain as long as a job needs no stack.
        let chain: Vec<Value> =
            (0..5000).map(|number| group(&number.to_string(), &[&(number + 1).to_string()])).collect();
        let order = order(Value::Array(chain));
        assert_eq!((order.len(), order[0][0], order[4999][0]), (5000, 4999, 0));
    }

    #[test]
    fn a_response_is_read_whatever_its_status_looks_like() {
        let response = BulkResponse {
            operations: vec![BulkResult {
                method: Some("POST".to_owned()),
                bulk_id: Some("a".to_owned()),
                status: Some(409),
                response: Some(ScimError::new(409, "no").to_json()),
                ..BulkResult::default()
            }],
        };
        let read = BulkResponse::from_json(&response.to_json());
        assert_eq!((read.value.as_ref(), read.problems.is_empty()), (Some(&response), true));
        for status in [json!(409), json!({"code": "409"}), json!({"code": 409})] {
            let mut body = response.to_json();
            body["Operations"][0]["status"] = status;
            let read = BulkResponse::from_json(&body);
            assert_eq!((read.value.as_ref(), read.problems.len()), (Some(&response), 1), "{body}");
        }
        assert_eq!(BulkResponse::from_json(&json!({})).problems.len(), 2);
        assert_eq!(BulkResponse::from_json(&json!([])).value, None);
    }
}
