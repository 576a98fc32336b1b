//! The parameters of a query: from the URL of a GET (RFC 7644 §3.4.2) or the body of a `/.search` (§3.4.3) to one
//! form. Pure. What a filter means is for [`filter`](crate::scim::filter).

use serde_json::{Map, Value};

use super::message::Request;
use crate::scim::error::{ScimError, ScimType};
use crate::scim::names;
use crate::scim::project::Projection;
use crate::scim::resource::{elements, is_unassigned, member};

/// What a query asks for.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Query {
    pub filter: Option<String>,
    pub sort_by: Option<String>,
    /// Whether `sortOrder` is `descending`.
    pub descending: bool,
    /// 1-based; at least 1. Of no account where there is a cursor.
    pub start_index: usize,
    /// The cursor, if pages are to be turned by cursor (RFC 9865 §2). The first page has the empty one.
    pub cursor: Option<String>,
    /// At most so many; none if the client does not say.
    pub count: Option<usize>,
    pub projection: Projection,
}

/// The projection that the URL of a request asks for.
pub(crate) fn projection_of(request: &Request) -> Result<Projection, ScimError> {
    Projection::parse(request.parameter("attributes"), request.parameter("excludedAttributes"))
}

impl Query {
    /// Reads the parameters of a GET.
    pub(crate) fn of(request: &Request) -> Result<Self, ScimError> {
        let integer = |name: &str| request.parameter(name).map(|text| integer(name, text)).transpose();
        let cursor = request.parameter("cursor").map(str::to_owned);
        Ok(Self {
            filter: request.parameter("filter").map(str::to_owned),
            sort_by: request.parameter("sortBy").filter(|name| !name.is_empty()).map(str::to_owned),
            descending: descending(request.parameter("sortOrder"))?,
            start_index: start_index(integer("startIndex")?),
            count: for_cursor(integer("count"), cursor.as_deref())?.map(at_least_zero),
            cursor,
            projection: projection_of(request)?,
        })
    }

    /// Reads a SearchRequest.
    pub(crate) fn of_search(body: &Map<String, Value>) -> Result<Self, ScimError> {
        require_message(body, names::SEARCH_REQUEST)?;
        let text = |name: &str| match member(body, name) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) => Ok(Some(text.clone())),
            Some(_) => Err(ScimError::invalid_syntax(format!("{name} has to be a string"))),
        };
        let integer = |name: &str| match member(body, name) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::Number(number)) if number.as_i64().is_some() => Ok(number.as_i64()),
            Some(Value::Number(number)) if number.is_u64() => Ok(Some(i64::MAX)),
            Some(_) => Err(ScimError::invalid_syntax(format!("{name} has to be an integer"))),
        };
        let list = |name: &str| match member(body, name) {
            Some(value @ (Value::Array(_) | Value::Null)) => elements(value)
                .iter()
                .map(|name| name.as_str().map(str::to_owned))
                .collect::<Option<Vec<_>>>()
                .ok_or_else(|| ScimError::invalid_syntax(format!("{name} has to hold strings"))),
            None => Ok(Vec::new()),
            Some(_) => Err(ScimError::invalid_syntax(format!("{name} has to be an array of strings"))),
        };
        let cursor = text("cursor")?;
        Ok(Self {
            filter: text("filter")?,
            sort_by: text("sortBy")?.filter(|name| !name.is_empty()),
            descending: descending(text("sortOrder")?.as_deref())?,
            start_index: start_index(integer("startIndex")?),
            count: for_cursor(integer("count"), cursor.as_deref())?.map(at_least_zero),
            cursor,
            projection: Projection::from_names(&list("attributes")?, &list("excludedAttributes")?)?,
        })
    }
}

/// Refuses a message that does not say that it is this one (RFC 7644 §3.1).
pub(crate) fn require_message(body: &Map<String, Value>, urn: &str) -> Result<(), ScimError> {
    let schemas = member(body, "schemas").filter(|value| !is_unassigned(value)).map(elements);
    let says = |value: &Value| value.as_str().is_some_and(|text| text.eq_ignore_ascii_case(urn));
    match schemas {
        Some(schemas) if schemas.iter().any(says) => Ok(()),
        Some(_) => Err(ScimError::invalid_syntax(format!("schemas does not have {urn}"))),
        None => Err(ScimError::invalid_syntax(format!("schemas is missing, it has to have {urn}"))),
    }
}

fn descending(order: Option<&str>) -> Result<bool, ScimError> {
    match order {
        None | Some("") => Ok(false),
        Some(order) if order.eq_ignore_ascii_case("ascending") => Ok(false),
        Some(order) if order.eq_ignore_ascii_case("descending") => Ok(true),
        Some(order) => {
            Err(ScimError::invalid_value(format!("sortOrder is ascending or descending, not {order:?}")))
        }
    }
}

/// Reads an integer of any length; what is too large for us is as large as we can say.
fn integer(name: &str, text: &str) -> Result<i64, ScimError> {
    let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(ScimError::invalid_value(format!("{name} has to be an integer, not {text:?}")));
    }
    Ok(text.parse().unwrap_or(if text.starts_with('-') { i64::MIN } else { i64::MAX }))
}

/// Where pages are turned by cursor, a count that is none has a keyword of its own (RFC 9865 §2.1).
fn for_cursor<T>(count: Result<T, ScimError>, cursor: Option<&str>) -> Result<T, ScimError> {
    count.map_err(|error| match cursor {
        Some(_) => ScimError::bad_request(ScimType::InvalidCount, error.detail),
        None => error,
    })
}

/// A value below 1 is taken as 1 (RFC 7644 §3.4.2.4).
fn start_index(value: Option<i64>) -> usize {
    usize::try_from(value.unwrap_or(1).max(1)).unwrap_or(usize::MAX)
}

/// A negative count is taken as 0 (RFC 7644 §3.4.2.4).
fn at_least_zero(value: i64) -> usize {
    usize::try_from(value.max(0)).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn search(body: Value) -> Result<Query, ScimError> {
        Query::of_search(body.as_object().unwrap())
    }

    #[test]
    fn paging_below_the_bounds_is_read_as_the_bounds() {
        let query =
            search(json!({"schemas": [names::SEARCH_REQUEST], "startIndex": -3, "count": -1})).unwrap();
        assert_eq!((query.start_index, query.count), (1, Some(0)));
        assert_eq!(integer("count", "99999999999999999999"), Ok(i64::MAX));
        for text in ["", "x", "1.5", "0x1", "--1", "1 "] {
            assert_eq!(integer("count", text).unwrap_err().status, 400, "{text}");
        }
    }

    #[test]
    fn a_search_has_to_be_one() {
        for body in [
            json!({}),
            json!({"schemas": []}),
            json!({"schemas": [names::PATCH_OP]}),
            json!({"schemas": [names::SEARCH_REQUEST], "filter": 1}),
            json!({"schemas": [names::SEARCH_REQUEST], "count": 1.5}),
            json!({"schemas": [names::SEARCH_REQUEST], "attributes": "userName"}),
            json!({"schemas": [names::SEARCH_REQUEST], "sortOrder": "up"}),
            json!({"schemas": [names::SEARCH_REQUEST], "attributes": ["a"], "excludedAttributes": ["b"]}),
        ] {
            assert_eq!(search(body.clone()).unwrap_err().status, 400, "{body}");
        }
    }
}
