use serde_json::json;

use super::*;

const BASE: &str = "http://127.0.0.1:4711/scim/v2";
const MARK: &str = "s0proof00";

fn redaction() -> Redaction {
    let mut names = Names::new(MARK, BASE);
    names.text("s0proof00k1k1k1k1@example.com", "mail");
    names.text("Belazito", "family");
    names.id("42", "ann");
    names.id("9b2c4d1e-0000-4000-8000-00000000beef", "team");
    names.words(&json!({"userName": "s0proof00abcdefgh@example.com", "name": {"givenName": "Ann"}}), "ann");
    names.redaction()
}

fn body(value: Value) -> Value {
    redaction().body(&value, Asked { endpoint: "/Users/{id}", status: 200, sorted: false, filtered: true })
}

#[test]
fn a_resource_keeps_what_it_says_and_loses_what_differs() {
    let shown = body(json!({
        "meta": {"resourceType": "User", "location": format!("{BASE}/Users/42"), "version": "W/\"a330bc54\"",
            "created": "2010-01-23T04:56:22Z", "lastModified": "2011-05-13T04:42:34.123+02:00"},
        "userName": "s0proof00abcdefgh@example.com",
        "name": {"givenName": "Ann", "familyName": "Belazito", "formatted": "Ann Belazito"},
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"],
        "emails": [{"value": "s0proof00k1k1k1k1@example.com", "type": "work", "primary": true}, {"value": "x@y.z"}],
        "groups": [{"value": "9b2c4d1e-0000-4000-8000-00000000beef", "$ref": "../Groups/9b2c4d1e-0000-4000-8000-00000000beef"}],
        "id": "42",
        "title": "42", "nickName": "id", "active": true,
    }));
    assert_eq!(
        shown,
        json!({
            "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"],
            "id": "[ann.id]",
            "name": {"familyName": "[family]", "formatted": "Ann [family]", "givenName": "Ann"},
            "userName": "[ann]@example.com",
            "active": true,
            "emails": [{"primary": true, "type": "work", "value": "[mail]"}, {"value": "x@y.z"}],
            "groups": [{"$ref": "../Groups/[team.id]", "value": "[team.id]"}],
            "nickName": "id", "title": "42",
            "meta": {"created": "[dateTime]", "lastModified": "[dateTime]", "location": "[base]/Users/[ann.id]",
                "resourceType": "User", "version": "W/\"[version]\""},
        })
    );
    let names: Vec<&String> = shown.as_object().unwrap().keys().collect();
    assert_eq!(names[..4], ["schemas", "id", "userName", "name"], "the order is one");
    assert_eq!(names[names.len() - 1], "meta");
}

#[test]
fn orders_without_meaning_are_no_difference() {
    let one = json!({"id": "42", "userName": "a", "emails": [{"value": "b", "type": "x"}, {"value": "a"}], "schemas": ["b", "a"]});
    let other = json!({"schemas": ["a", "b"], "emails": [{"value": "a"}, {"type": "x", "value": "b"}], "userName": "a", "id": "42"});
    assert_eq!(body(one).to_string(), body(other).to_string());
}

#[test]
fn what_changes_its_type_is_seen() {
    let shown = body(
        json!({"id": 42, "meta": {"created": 7, "lastModified": "yesterday", "version": 3, "location": null}}),
    );
    assert_eq!(shown["id"], "[ann.id: number]");
    assert_eq!(
        shown["meta"],
        json!({"created": 7, "lastModified": "yesterday", "version": 3, "location": null})
    );
    assert_eq!(body(json!({"id": 7}))["id"], "[id: number]");
    assert_eq!(body(json!({"id": ""}))["id"], "");
}

#[test]
fn lists_keep_their_order_only_where_it_was_asked_for() {
    let list = json!({"totalResults": 2, "Resources": [{"id": "9b2c4d1e-0000-4000-8000-00000000beef"}, {"id": "42"}]});
    let shown = |sorted| {
        let asked = Asked { endpoint: "/Users", status: 200, sorted, filtered: true };
        redaction().body(&list, asked)["Resources"].clone()
    };
    assert_eq!(shown(false), json!([{"id": "[ann.id]"}, {"id": "[team.id]"}]));
    assert_eq!(shown(true), json!([{"id": "[team.id]"}, {"id": "[ann.id]"}]));
}

#[test]
fn strangers_leave_one_word_behind() {
    let stranger = |n: u32| {
        json!({"schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"], "id": format!("x{n}"),
            "userName": format!("eve{n}@corp.com"), "meta": {"resourceType": "User"}})
    };
    let list = |rows: Vec<Value>| json!({"totalResults": rows.len(), "itemsPerPage": rows.len(), "startIndex": 1, "Resources": rows});
    let asked = Asked { endpoint: "/Users", status: 200, sorted: false, filtered: false };
    let few = redaction().body(&list(vec![stranger(1), json!({"id": "42"})]), asked);
    let many = redaction().body(&list((0..40).map(stranger).chain([json!({"id": "42"})]).collect()), asked);
    assert_eq!(few, many);
    assert_eq!(few["Resources"], json!(["[other User resources]", {"id": "[ann.id]"}]));
    assert_eq!((&few["totalResults"], &few["startIndex"]), (&json!("[number]"), &json!(1)));
    // With a filter on what is ours, the numbers are part of what the answer says.
    let filtered = Asked { filtered: true, ..asked };
    assert_eq!(redaction().body(&list(vec![json!({"id": "42"})]), filtered)["totalResults"], 1);
    assert!(!redaction().body(&stranger(1), asked).to_string().contains("corp.com"), "structure only");
}

#[test]
fn groups_of_other_cases_are_none_of_this_one() {
    let other = json!({"value": "x9", "display": "Group s0proof00zzzzzzzz"});
    let own = json!({"value": "9b2c4d1e-0000-4000-8000-00000000beef", "display": "Group s0proof00yyyyyyyy"});
    let theirs = json!({"value": "x1", "display": "Everyone"});
    let shown = body(json!({"id": "42", "groups": [other, own, theirs]}));
    assert_eq!(
        shown["groups"],
        json!([{"display": "Everyone", "value": "[id]"}, {"display": "Group [fresh]", "value": "[team.id]"}])
    );
    assert_eq!(body(json!({"id": "42", "groups": [other]})).get("groups"), None);
    assert_eq!(body(json!({"id": "42", "groups": []}))["groups"], json!([]));
}

#[test]
fn discovery_keeps_its_ids() {
    let asked = Asked { endpoint: "/Schemas/{id}", status: 200, sorted: false, filtered: false };
    let schema = json!({"id": "urn:ietf:params:scim:schemas:core:2.0:User", "name": "User",
        "meta": {"location": format!("{BASE}/Schemas/urn:ietf:params:scim:schemas:core:2.0:User")}});
    let shown = redaction().body(&schema, asked);
    assert_eq!(shown["id"], "urn:ietf:params:scim:schemas:core:2.0:User");
    assert_eq!(shown["meta"]["location"], "[base]/Schemas/urn:ietf:params:scim:schemas:core:2.0:User");
}

#[test]
fn bulk_answers_are_redacted_operation_by_operation() {
    let asked = Asked { endpoint: "/Bulk", status: 200, sorted: false, filtered: false };
    let shown = redaction().body(
        &json!({"schemas": ["urn:ietf:params:scim:api:messages:2.0:BulkResponse"], "Operations": [
            {"method": "POST", "bulkId": "qwerty", "status": "201", "version": "W/\"x\"", "location": format!("{BASE}/Users/42")},
            {"method": "POST", "bulkId": "other", "status": "201", "location": format!("{BASE}/Users/77")}]}),
        asked,
    );
    assert_eq!(
        shown["Operations"],
        json!([
            {"bulkId": "other", "location": "[base]/Users/[id]", "method": "POST", "status": "201"},
            {"bulkId": "qwerty", "location": "[base]/Users/[ann.id]", "method": "POST", "status": "201", "version": "W/\"[version]\""}])
    );
}

#[test]
fn headers_are_redacted_by_name() {
    let redaction = redaction();
    for (name, value, shown) in [
        ("Location", "http://127.0.0.1:4711/scim/v2/Users/42", "[base]/Users/[ann.id]"),
        ("location", "/scim/v2/Users/4242", "/scim/v2/Users/[id]"),
        ("Location", "http://127.0.0.1:4711/other/Users/1", "[origin]/other/Users/[id]"),
        ("Location", "", ""),
        ("ETag", "\"abc\"", "\"[version]\""),
        ("ETag", "W/\"\"", "W/\"\""),
        ("Retry-After", "17", "[seconds]"),
        ("Retry-After", "soon", "soon"),
        ("Content-Type", "application/scim+json;charset=utf-8", "application/scim+json;charset=utf-8"),
    ] {
        assert_eq!(redaction.header(name, value), shown, "{name}: {value}");
    }
}

#[test]
fn short_values_are_never_searched_for() {
    let mut names = Names::new(MARK, BASE);
    names.text("a", "letter");
    names.text("1", "one");
    names.id("7", "seven");
    let redaction = names.redaction();
    assert_eq!(redaction.text("a 1 7 banana"), "a 1 7 banana");
    // A fresh name of a person is six letters or more, and counts as a word of its own only.
    let mut names = Names::new(MARK, BASE);
    names.text("Bonita", "given");
    assert_eq!(names.redaction().text("Bonita Bonitas, Bonita"), "[given] Bonitas, [given]");
}

#[test]
fn what_carries_the_mark_is_never_kept() {
    let shown = redaction().text("x S0PROOF00zzz9 s0proof00abcdefgh-s0proof00");
    assert_eq!(shown, "x [fresh] [ann]-[run]");
}

#[test]
fn names_that_look_like_paths_are_names() {
    let shown = body(
        json!({"meta.created": "2010-01-23T04:56:22Z", "id.id": "42", "$ref.x": "42", "a[0]": {"id": "42"}, "": "42", "id": "42", "createdAt": "2010-01-23T04:56:22Z", "created": "2010-01-23T04:56:22Z"}),
    );
    assert_eq!(shown["meta.created"], "2010-01-23T04:56:22Z");
    assert_eq!(shown["created"], "2010-01-23T04:56:22Z", "only where it stands in meta");
    assert_eq!(shown["id.id"], "42");
    assert_eq!(shown["a[0]"]["id"], "[ann.id]");
    assert_eq!(shown[""], "42");
}

#[test]
fn hostile_sizes_end() {
    let long = "s0proof00abcdefgh ".repeat(60_000);
    let shown = redaction().text(&long);
    assert!(shown.starts_with("[ann] [ann]") && !shown.contains(MARK));
    let mut deep = json!({"id": "42"});
    for _ in 0..120 {
        deep = json!({ "a": [deep] });
    }
    assert!(body(deep).to_string().contains("[ann.id]"));
    let mut names = Names::new(MARK, BASE);
    for n in 0..10_000 {
        names.id(&format!("{n:020}"), "crowd");
        names.text(&"x".repeat(n % 2_000), "long");
    }
    assert_eq!(names.redaction().text("00000000000000000007"), "[crowd.id]");
}
