//! A resource as JSON: members by name without regard to case, and what counts as unassigned.

use serde_json::{Map, Value};

/// The deepest nesting that is read. A SCIM resource needs four levels.
pub const MAX_DEPTH: usize = 32;

/// The member called `name`: the exact spelling if there is one, else the first that differs in case only
/// (RFC 7643 §2.1).
pub fn member<'a>(object: &'a Map<String, Value>, name: &str) -> Option<&'a Value> {
    let in_another_case = || object.iter().find(|(key, _)| key.eq_ignore_ascii_case(name));
    object.get(name).or_else(|| in_another_case().map(|(_, value)| value))
}

/// How the object spells the member called `name`.
pub fn member_name<'a>(object: &'a Map<String, Value>, name: &str) -> Option<&'a str> {
    match object.get_key_value(name) {
        Some((key, _)) => Some(key),
        None => object.keys().find(|key| key.eq_ignore_ascii_case(name)).map(String::as_str),
    }
}

/// The member called `name`, to change it.
pub fn member_mut<'a>(object: &'a mut Map<String, Value>, name: &str) -> Option<&'a mut Value> {
    let key = member_name(object, name)?.to_owned();
    object.get_mut(&key)
}

/// Sets the member called `name`, keeping the spelling that is there.
pub fn set_member(object: &mut Map<String, Value>, name: &str, value: Value) {
    let key = member_name(object, name).unwrap_or(name).to_owned();
    object.insert(key, value);
}

/// Removes every member called `name`, however spelled; the first value removed.
pub fn remove_member(object: &mut Map<String, Value>, name: &str) -> Option<Value> {
    let mut removed = None;
    while let Some(key) = member_name(object, name).map(str::to_owned) {
        let value = object.shift_remove(&key);
        if removed.is_none() {
            removed = value;
        }
    }
    removed
}

/// The value's member called `name`, if the value is an object.
pub fn get<'a>(value: &'a Value, name: &str) -> Option<&'a Value> {
    value.as_object().and_then(|object| member(object, name))
}

/// Whether a value is unassigned: `null` or an empty array (RFC 7643 §2.5), or an object of which every
/// member is. An absent member is unassigned too. The empty string and `false` are values.
pub fn is_unassigned(value: &Value) -> bool {
    is_unassigned_at(value, 0)
}

fn is_unassigned_at(value: &Value, depth: usize) -> bool {
    match value {
        Value::Null => true,
        Value::Array(elements) => elements.is_empty(),
        Value::Object(members) => {
            depth < MAX_DEPTH && members.values().all(|member| is_unassigned_at(member, depth + 1))
        }
        _ => false,
    }
}

/// The elements of a value: of an array each, of `null` none, of anything else itself.
pub fn elements(value: &Value) -> &[Value] {
    match value {
        Value::Array(elements) => elements,
        Value::Null => &[],
        other => std::slice::from_ref(other),
    }
}

/// The URNs in a resource's `schemas`; what is no string is left out.
pub fn schemas(resource: &Value) -> Vec<&str> {
    get(resource, "schemas").map(elements).unwrap_or_default().iter().filter_map(Value::as_str).collect()
}

/// Whether a value nests deeper than `limit` arrays and objects. Safe for any depth.
pub fn is_deeper_than(value: &Value, limit: usize) -> bool {
    let mut open = vec![(value, 0)];
    while let Some((value, depth)) = open.pop() {
        if depth > limit {
            return true;
        }
        match value {
            Value::Array(elements) => open.extend(elements.iter().map(|value| (value, depth + 1))),
            Value::Object(members) => open.extend(members.values().map(|value| (value, depth + 1))),
            _ => {}
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn members_are_found_without_regard_to_case() {
        let resource = json!({"UserName": "a", "userName": "b"});
        assert_eq!(get(&resource, "userName"), Some(&json!("b")));
        assert_eq!(get(&resource, "USERNAME"), Some(&json!("a")));
        assert_eq!(get(&json!("text"), "userName"), None);
    }

    #[test]
    fn setting_keeps_the_spelling_and_removing_takes_all() {
        let mut resource = json!({"UserName": "a"});
        let object = resource.as_object_mut().unwrap();
        set_member(object, "userName", json!("c"));
        assert_eq!(object.len(), 1);
        object.insert("username".into(), json!("d"));
        assert_eq!(remove_member(object, "userName"), Some(json!("c")));
        assert!(object.is_empty());
    }

    #[test]
    fn unassigned_is_null_empty_or_empty_all_through() {
        for value in [json!(null), json!([]), json!({}), json!({"a": null, "b": {"c": []}})] {
            assert!(is_unassigned(&value), "{value}");
        }
        for value in [json!(""), json!(false), json!(0), json!([null]), json!({"a": ""})] {
            assert!(!is_unassigned(&value), "{value}");
        }
    }

    #[test]
    fn depth_is_counted() {
        assert!(!is_deeper_than(&json!({"a": [1]}), 2));
        assert!(is_deeper_than(&json!({"a": [[1]]}), 2));
    }
}
