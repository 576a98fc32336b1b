//! One value at an attribute path, set or read without a schema: for paths that no `/Schemas` declares and only an operator
//! knows, such as `urn:example:User:hireDate` or `emails[type eq "work"].value`.
//!
//! A service provider's own PATCH goes by its schemas ([`super::patch`]); this module refuses to know them. A path is
//! taken as it reads: a member, a sub-member, the elements that a filter matches.

use serde_json::{Map, Value, json};

use super::filter::{CompareOperator, Filter};
use super::path::PatchPath;
use super::resource::{elements, member, member_mut, set_member};

/// The values at a path: none where nothing is there, several where an attribute on the way is multi-valued.
pub fn values<'v>(resource: &'v Value, path: &PatchPath) -> Vec<&'v Value> {
    let mut here: Vec<&Value> = vec![resource];
    if let Some(urn) = extension(path) {
        here = below(&here, urn);
    }
    here = below(&here, &path.attribute.name);
    if let Some(filter) = &path.filter {
        here = here
            .into_iter()
            .flat_map(|found| match found {
                Value::Array(_) => elements(found).iter().collect(),
                single => vec![single],
            })
            .filter(|element| pairs(filter).is_some_and(|pairs| fits(element, &pairs)))
            .collect();
    }
    match path.attribute.sub.as_deref().or(path.sub.as_deref()) {
        Some(sub) => below(&here, sub),
        None => here,
    }
}

/// The members of that name, of objects and of the elements of lists.
fn below<'v>(values: &[&'v Value], name: &str) -> Vec<&'v Value> {
    let of = |value: &'v Value| value.as_object().and_then(|object| member(object, name));
    values
        .iter()
        .flat_map(|value| match value {
            Value::Array(elements) => elements.iter().filter_map(of).collect::<Vec<_>>(),
            other => of(other).into_iter().collect(),
        })
        .collect()
}

/// Sets the value at a path; what is missing on the way is made, `schemas` included. Of a filter, the element that
/// matches is changed, or one is added that does.
///
/// # Errors
/// Why there is no one place that the path means, in words.
pub fn set(resource: &mut Value, path: &PatchPath, value: Value) -> Result<(), String> {
    let Value::Object(mut members) = std::mem::take(resource) else {
        return Err("what it is set in is no object".to_owned());
    };
    let done = set_in(&mut members, path, value);
    *resource = Value::Object(members);
    done
}

fn set_in(members: &mut Map<String, Value>, path: &PatchPath, value: Value) -> Result<(), String> {
    let attribute = path.attribute.name.as_str();
    let Some(urn) = extension(path) else { return set_attribute(members, attribute, path, value) };
    let listed = member(members, "schemas").map(elements).unwrap_or_default();
    let is_listed = |listed: &Value| listed.as_str().is_some_and(|listed| listed.eq_ignore_ascii_case(urn));
    if !listed.iter().any(is_listed) {
        let mut schemas = listed.to_vec();
        schemas.push(json!(urn));
        set_member(members, "schemas", Value::Array(schemas));
    }
    set_attribute(object_at(members, urn)?, attribute, path, value)
}

fn set_attribute(
    members: &mut Map<String, Value>,
    attribute: &str,
    path: &PatchPath,
    value: Value,
) -> Result<(), String> {
    let sub = path.attribute.sub.as_deref().or(path.sub.as_deref());
    let Some(filter) = &path.filter else {
        match sub {
            Some(sub) => set_member(object_at(members, attribute)?, sub, value),
            None => set_member(members, attribute, value),
        }
        return Ok(());
    };
    let pairs = pairs(filter).ok_or("its filter is no `name eq value`, alone or joined by `and`")?;
    if member(members, attribute).is_none_or(Value::is_null) {
        set_member(members, attribute, json!([]));
    }
    let Some(Value::Array(list)) = member_mut(members, attribute) else {
        return Err(format!("{attribute} is no list that a filter could select from"));
    };
    let index = match list.iter().position(|element| fits(element, &pairs)) {
        Some(index) => index,
        None => {
            let element = pairs.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
            list.push(Value::Object(element));
            list.len() - 1
        }
    };
    match (&mut list[index], sub) {
        (Value::Object(element), Some(sub)) => set_member(element, sub, value),
        (element, None) => *element = value,
        (_, Some(sub)) => return Err(format!("an element of {attribute} has no {sub}")),
    }
    Ok(())
}

/// The object of that name, made where it is missing.
fn object_at<'m>(
    members: &'m mut Map<String, Value>,
    name: &str,
) -> Result<&'m mut Map<String, Value>, String> {
    if member(members, name).is_none_or(Value::is_null) {
        set_member(members, name, json!({}));
    }
    match member_mut(members, name) {
        Some(Value::Object(object)) => Ok(object),
        _ => Err(format!("{name} is there, and is no object")),
    }
}

/// The schema that a path names, unless its attributes stand at the top of a resource.
fn extension(path: &PatchPath) -> Option<&str> {
    let urn = path.attribute.urn.as_deref()?;
    let is_core = [super::names::USER, super::names::GROUP].iter().any(|core| core.eq_ignore_ascii_case(urn));
    (!is_core).then_some(urn)
}

/// What a filter of equalities says of each sub-attribute; `None` for any other filter.
fn pairs(filter: &Filter) -> Option<Vec<(&str, Value)>> {
    match filter {
        Filter::Compare { path, operator: CompareOperator::Equal, value } if path.sub.is_none() => {
            Some(vec![(path.name.as_str(), value.to_json())])
        }
        Filter::And(all) => all.iter().map(pairs).collect::<Option<Vec<_>>>().map(|all| all.concat()),
        _ => None,
    }
}

fn fits(element: &Value, pairs: &[(&str, Value)]) -> bool {
    let Some(members) = element.as_object() else { return false };
    pairs.iter().all(|(name, value)| match (member(members, name), value) {
        (Some(Value::String(found)), Value::String(wanted)) => found.eq_ignore_ascii_case(wanted),
        (found, wanted) => found == Some(wanted),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(text: &str) -> PatchPath {
        PatchPath::parse(text).unwrap_or_else(|error| panic!("{text}: {error}"))
    }

    #[test]
    fn what_is_set_at_a_path_is_read_there() {
        for (text, expected) in [
            ("title", json!({"title": "x"})),
            ("urn:ietf:params:scim:schemas:core:2.0:User:title", json!({"title": "x"})),
            ("name.givenName", json!({"name": {"givenName": "x"}})),
            (
                "urn:example:params:scim:1.0:User:hireDate",
                json!({"schemas": ["urn:example:params:scim:1.0:User"], "urn:example:params:scim:1.0:User": {"hireDate": "x"}}),
            ),
            (
                "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:manager.value",
                json!({"schemas": [super::super::names::ENTERPRISE_USER], super::super::names::ENTERPRISE_USER: {"manager": {"value": "x"}}}),
            ),
            ("emails[type eq \"work\"].value", json!({"emails": [{"type": "work", "value": "x"}]})),
        ] {
            let mut resource = json!({});
            set(&mut resource, &path(text), json!("x")).unwrap();
            assert_eq!(resource, expected, "{text}");
            assert_eq!(values(&resource, &path(text)), [&json!("x")], "{text}");
        }
    }

    #[test]
    fn what_is_there_is_kept() {
        let mut resource = json!({
            "schemas": ["urn:example:User"], "urn:Example:User": {"team": "a"},
            "emails": [{"type": "home", "value": "h"}, {"type": "Work", "value": "w", "primary": true}]
        });
        set(&mut resource, &path("urn:example:User:hireDate"), json!("x")).unwrap();
        set(&mut resource, &path("emails[type eq \"work\"].value"), json!("new")).unwrap();
        assert_eq!(
            resource,
            json!({
                "schemas": ["urn:example:User"], "urn:Example:User": {"team": "a", "hireDate": "x"},
                "emails": [{"type": "home", "value": "h"}, {"type": "Work", "value": "new", "primary": true}]
            })
        );
        assert_eq!(values(&resource, &path("emails.value")), [&json!("h"), &json!("new")]);
        assert_eq!(values(&resource, &path("nickName")), Vec::<&Value>::new());
    }

    #[test]
    fn what_has_no_one_place_is_refused() {
        for (text, resource) in [
            ("emails[value co \"x\"].type", json!({})),
            ("emails[type eq \"work\"].value", json!({"emails": "x"})),
            ("name.givenName", json!({"name": "Ann"})),
            ("title", json!([])),
        ] {
            let mut set_in = resource.clone();
            assert!(set(&mut set_in, &path(text), json!("x")).is_err(), "{text}");
        }
    }
}
