//! Exchanges with one thing changed.

use bytes::Bytes;
use scimspec::scim::resource::{member, member_mut, remove_member, set_member};
use scimspec::target::exchange::{Body, Exchange, Response};
use serde_json::{Map, Value};

/// The exchange with its answer changed.
pub fn answer(exchange: &Exchange, change: impl FnOnce(&mut Response)) -> Exchange {
    let mut altered = exchange.clone();
    if let Ok(response) = &mut altered.answer {
        change(response);
    }
    altered
}

/// The exchange with another status.
pub fn status(exchange: &Exchange, status: u16) -> Exchange {
    answer(exchange, |response| response.status = status)
}

/// The exchange with another body.
pub fn text(exchange: &Exchange, text: &str) -> Exchange {
    answer(exchange, |response| response.body = Body::whole(Bytes::copy_from_slice(text.as_bytes())))
}

/// The exchange with its JSON body changed; `None` where there is none, or nothing changed.
pub fn json(exchange: &Exchange, change: impl FnOnce(&mut Value)) -> Option<Exchange> {
    let before = exchange.json()?;
    let mut after = before.clone();
    change(&mut after);
    (after != *before).then(|| text(exchange, &after.to_string()))
}

/// The exchange with the object that is its body changed.
pub fn object(exchange: &Exchange, change: impl FnOnce(&mut Map<String, Value>)) -> Option<Exchange> {
    json(exchange, |body| {
        if let Some(object) = body.as_object_mut() {
            change(object);
        }
    })
}

/// The exchange with a header set, or without it.
pub fn header(exchange: &Exchange, name: &str, value: Option<&str>) -> Exchange {
    answer(exchange, |response| {
        response.headers.retain(|(known, _)| !known.eq_ignore_ascii_case(name));
        response.headers.extend(value.map(|value| (name.to_owned(), value.to_owned())));
    })
}

/// Whether the answer has that header.
pub fn has_header(exchange: &Exchange, name: &str) -> bool {
    exchange.response().is_some_and(|response| response.header(name).is_some())
}

/// A value of the same type that is another one, whatever the case of its letters.
pub fn other(value: &Value) -> Value {
    match value {
        Value::Null => Value::from("altered"),
        Value::Bool(flag) => Value::from(!flag),
        Value::Number(number) => {
            number.as_i64().map_or_else(|| Value::from(-1), |number| Value::from(number + 1))
        }
        Value::String(text) => Value::from(format!("{text}-altered")),
        Value::Array(elements) => match elements.split_first() {
            Some((first, rest)) => std::iter::once(other(first)).chain(rest.iter().cloned()).collect(),
            None => Value::from(vec!["altered"]),
        },
        Value::Object(members) => {
            Value::Object(members.iter().map(|(name, value)| (name.clone(), other(value))).collect())
        }
    }
}

/// Visits every place that a path of member names leads to; arrays on the way are entered at each element. The
/// visitor gets the object that holds the last name, and the name.
pub fn each_at(value: &mut Value, path: &[String], visit: &mut dyn FnMut(&mut Map<String, Value>, &str)) {
    match value {
        Value::Array(elements) => {
            for element in elements {
                each_at(element, path, visit);
            }
        }
        Value::Object(members) => match path {
            [] => {}
            [last] => visit(members, last),
            [first, rest @ ..] => {
                if let Some(inner) = member_mut(members, first) {
                    each_at(inner, rest, visit);
                }
            }
        },
        _ => {}
    }
}

/// The exchange without the member that the path leads to.
pub fn without(exchange: &Exchange, path: &[String]) -> Option<Exchange> {
    json(exchange, |body| {
        each_at(body, path, &mut |members, name| {
            remove_member(members, name);
        });
    })
}

/// The exchange with the members that the path leads to changed.
pub fn changed(exchange: &Exchange, path: &[String], change: &dyn Fn(&Value) -> Value) -> Option<Exchange> {
    json(exchange, |body| {
        each_at(body, path, &mut |members, name| {
            if let Some(value) = member(members, name) {
                let value = change(value);
                set_member(members, name, value);
            }
        });
    })
}

/// The exchange with a member where the path leads, whether there was one or not.
pub fn with(exchange: &Exchange, path: &[String], value: &Value) -> Option<Exchange> {
    json(exchange, |body| {
        each_at(body, path, &mut |members, name| {
            set_member(members, name, value.clone());
        });
    })
}

/// The rows of the list that is the answer.
pub fn rows(exchange: &Exchange, change: impl FnOnce(&mut Vec<Value>)) -> Option<Exchange> {
    object(exchange, |body| {
        let mut rows = match member(body, "Resources") {
            Some(Value::Array(rows)) => rows.clone(),
            _ => Vec::new(),
        };
        let before = rows.len();
        change(&mut rows);
        // What the counters say is kept true, so that the list is wrong in one thing only.
        for name in ["totalResults", "itemsPerPage"] {
            if let Some(count) = member(body, name).and_then(Value::as_u64) {
                set_member(
                    body,
                    name,
                    Value::from((count + rows.len() as u64).saturating_sub(before as u64)),
                );
            }
        }
        set_member(body, "Resources", Value::Array(rows));
    })
}
