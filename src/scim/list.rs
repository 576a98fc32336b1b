//! The ListResponse message of RFC 7644 §3.4.2, built and read.

use serde_json::{Map, Value, json};

use super::names;
use super::problem::{Parsed, Problem, json_type};
use super::resource;

/// A page of resources.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ListResponse {
    /// How many resources match in all. `None` only where cursor paging leaves it out (RFC 9865 §2).
    pub total_results: Option<u64>,
    /// The 1-based index of the first resource of this page.
    pub start_index: Option<u64>,
    /// How many resources this page holds.
    pub items_per_page: Option<u64>,
    /// The resources of this page.
    pub resources: Vec<Value>,
    /// The cursor of the page before (RFC 9865 §2).
    pub previous_cursor: Option<String>,
    /// The cursor of the page after (RFC 9865 §2).
    pub next_cursor: Option<String>,
}

impl ListResponse {
    /// A list that is complete in one page.
    pub fn complete(resources: Vec<Value>) -> Self {
        let total = resources.len() as u64;
        ListResponse::page(total, 1, resources)
    }

    /// One page of an indexed list: of `total` resources those from `start_index` (1-based) on.
    pub fn page(total: u64, start_index: u64, resources: Vec<Value>) -> Self {
        ListResponse {
            total_results: Some(total),
            start_index: Some(start_index),
            items_per_page: Some(resources.len() as u64),
            resources,
            ..ListResponse::default()
        }
    }

    /// The message body. `Resources` is written even if empty: some clients insist, and none minds.
    pub fn to_json(&self) -> Value {
        self.clone().into_json()
    }

    /// The message body, made of the resources themselves.
    pub fn into_json(self) -> Value {
        let mut body = Map::new();
        body.insert("schemas".into(), json!([names::LIST_RESPONSE]));
        for (name, number) in [
            ("totalResults", self.total_results),
            ("startIndex", self.start_index),
            ("itemsPerPage", self.items_per_page),
        ] {
            if let Some(number) = number {
                body.insert(name.into(), number.into());
            }
        }
        for (name, cursor) in [("previousCursor", self.previous_cursor), ("nextCursor", self.next_cursor)] {
            if let Some(cursor) = cursor {
                body.insert(name.into(), cursor.into());
            }
        }
        body.insert("Resources".into(), Value::Array(self.resources));
        Value::Object(body)
    }

    /// Reads a list as far as it can be read.
    ///
    /// Problems are violations of form that hold for each list: types, the message URN, a page with more
    /// resources than the total. Whether a member may be missing depends on the request, and is not
    /// judged here, but for `totalResults`, which only a list with a cursor may leave out.
    pub fn from_json(body: &Value) -> Parsed<ListResponse> {
        let Some(object) = body.as_object() else {
            let message = format!("a ListResponse is an object, this is {}", json_type(body));
            return Parsed { value: None, problems: vec![Problem::new("", message)] };
        };
        let mut problems = Vec::new();
        let mut list = ListResponse::head(object, &mut problems);
        ListResponse::look_through(object, &mut problems);
        list.resources = ListResponse::rows(body).cloned().collect();

        let has_cursor = list.next_cursor.is_some() || list.previous_cursor.is_some();
        if resource::member(object, "totalResults").is_none() && !has_cursor {
            problems.push(Problem::new("totalResults", "is missing"));
        }
        if let Some(total) = list.total_results
            && (list.resources.len() as u64) > total
        {
            let message = format!("is {total}, but this page alone holds {} resources", list.resources.len());
            problems.push(Problem::new("totalResults", message));
        }
        Parsed { value: Some(list), problems }
    }

    /// What a list says beside its resources, which stay where they are; none where it is no object.
    pub fn without_resources(body: &Value) -> Option<ListResponse> {
        body.as_object().map(|object| ListResponse::head(object, &mut Vec::new()))
    }

    /// The resources of a list, where they are; what is no object is none.
    pub fn rows(body: &Value) -> impl Iterator<Item = &Value> {
        let rows = resource::get(body, "Resources").and_then(Value::as_array);
        rows.into_iter().flatten().filter(|row| row.is_object())
    }

    fn head(object: &Map<String, Value>, problems: &mut Vec<Problem>) -> ListResponse {
        match resource::member(object, "schemas") {
            Some(Value::Array(urns)) => {
                if !urns
                    .iter()
                    .any(|urn| urn.as_str().is_some_and(|urn| urn.eq_ignore_ascii_case(names::LIST_RESPONSE)))
                {
                    problems
                        .push(Problem::new("schemas", format!("does not contain {}", names::LIST_RESPONSE)));
                }
            }
            Some(other) => problems.push(Problem::new(
                "schemas",
                format!("is {}, expected an array with {}", json_type(other), names::LIST_RESPONSE),
            )),
            None => problems.push(Problem::new(
                "schemas",
                format!("is missing, expected [\"{}\"]", names::LIST_RESPONSE),
            )),
        }

        ListResponse {
            total_results: number(object, "totalResults", problems),
            start_index: number(object, "startIndex", problems),
            items_per_page: number(object, "itemsPerPage", problems),
            previous_cursor: cursor(object, "previousCursor", problems),
            next_cursor: cursor(object, "nextCursor", problems),
            resources: Vec::new(),
        }
    }

    /// Looks through the resources for what is none.
    fn look_through(object: &Map<String, Value>, problems: &mut Vec<Problem>) {
        match resource::member(object, "Resources") {
            Some(Value::Array(resources)) => {
                for (index, resource) in resources.iter().enumerate() {
                    if !resource.is_object() {
                        let message = format!("is {}, expected an object", json_type(resource));
                        problems.push(Problem::new(format!("Resources[{index}]"), message));
                    }
                }
            }
            Some(Value::Null) => {
                problems.push(Problem::new("Resources", "is null, expected an array or no member"));
            }
            Some(other) => {
                problems
                    .push(Problem::new("Resources", format!("is {}, expected an array", json_type(other))));
            }
            None => {}
        }
    }
}

fn number(object: &Map<String, Value>, name: &str, problems: &mut Vec<Problem>) -> Option<u64> {
    let value = resource::member(object, name)?;
    if let Some(number) = value.as_u64() {
        return Some(number);
    }
    // 3.0 is an integer to JSON Schema and to many JSON libraries.
    if let Some(number) =
        value.as_f64().filter(|number| number.fract() == 0.0 && (0.0..9.0e15).contains(number))
    {
        return Some(number as u64);
    }
    problems.push(Problem::new(name, format!("is {value}, expected an integer that is not negative")));
    // A number written as a string is still good enough to go on with.
    value.as_str().and_then(|text| text.trim().parse().ok())
}

fn cursor(object: &Map<String, Value>, name: &str, problems: &mut Vec<Problem>) -> Option<String> {
    match resource::member(object, name)? {
        Value::String(cursor) if !cursor.is_empty() => Some(cursor.clone()),
        other => {
            problems.push(Problem::new(name, format!("is {other}, expected a cursor or no member")));
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_built_reads_back_without_problem() {
        let list = ListResponse::page(7, 3, vec![json!({"id": "1"}), json!({"id": "2"})]);
        assert_eq!(ListResponse::from_json(&list.to_json()), Parsed { value: Some(list), problems: vec![] });
    }

    #[test]
    fn a_broken_list_is_read_as_far_as_possible() {
        let body = json!({
            "schemas": ["urn:x"], "totalResults": "1", "startIndex": -1, "nextCursor": "",
            "Resources": [{"id": "1"}, {"id": "2"}, 3]
        });
        let parsed = ListResponse::from_json(&body);
        let list = parsed.value.unwrap();
        assert_eq!(list.total_results, Some(1));
        assert_eq!(list.resources.len(), 2);
        let places: Vec<&str> = parsed.problems.iter().map(|problem| problem.path.as_str()).collect();
        assert_eq!(
            places,
            ["schemas", "totalResults", "startIndex", "nextCursor", "Resources[2]", "totalResults"]
        );
    }

    #[test]
    fn an_empty_list_may_lack_resources() {
        let body = json!({"schemas": [names::LIST_RESPONSE], "totalResults": 0});
        assert_eq!(ListResponse::from_json(&body).problems, []);
    }

    #[test]
    fn what_is_no_object_is_no_list() {
        assert_eq!(ListResponse::from_json(&json!([])).value, None);
    }
}
