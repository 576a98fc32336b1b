use super::*;
use crate::scim::names;
use crate::scim::schema::SchemaSet;
use serde_json::json;

fn user() -> ResourceDefinition {
    SchemaSet::core().definition("User").unwrap()
}

fn paths(expected: Value, actual: Value, options: &CompareOptions) -> Vec<String> {
    differences(&expected, &actual, &user(), options).into_iter().map(|it| it.path).collect()
}

#[test]
fn what_is_the_same_to_scim_is_no_difference() {
    let whole = CompareOptions::whole();
    for (expected, actual) in [
        (json!({"userName": "A"}), json!({"USERNAME": "a"})),
        (json!({"userName": "a", "nickName": null, "emails": []}), json!({"userName": "a"})),
        (json!({"userName": "a"}), json!({"userName": "a", "title": null, "name": {"givenName": null}})),
        (
            json!({"meta": {"created": "2020-01-01T00:00:00Z"}}),
            json!({"meta": {"created": "2020-01-01T01:00:00.0+01:00"}}),
        ),
        (
            json!({"emails": [{"value": "a", "primary": false}, {"value": "b", "type": "work"}]}),
            json!({"emails": [{"value": "B", "type": "Work"}, {"value": "a"}, {"value": "a"}]}),
        ),
        (json!({"x": [1, 2.0]}), json!({"x": [2, 1]})),
    ] {
        assert_eq!(differences(&expected, &actual, &user(), &whole), [], "{expected} {actual}");
    }
}

#[test]
fn differences_have_a_place() {
    let subset = CompareOptions::subset();
    assert_eq!(paths(json!({"externalId": "A"}), json!({"externalId": "a"}), &subset), ["externalId"]);
    assert_eq!(paths(json!({"active": true}), json!({"active": "true"}), &subset), ["active"]);
    assert_eq!(paths(json!({"nickName": null}), json!({"nickName": "x"}), &subset), ["nickName"]);
    assert_eq!(
        paths(
            json!({"emails": [{"value": "a"}, {"value": "b", "type": "work"}]}),
            json!({"emails": [{"value": "b", "type": "home"}, {"value": "a", "type": "home"}]}),
            &subset
        ),
        ["emails[1].type"]
    );
    assert_eq!(paths(json!({"emails": [{"value": "a"}]}), json!({"emails": []}), &subset), ["emails"]);
    let enterprise = names::ENTERPRISE_USER;
    assert_eq!(
        paths(json!({enterprise: {"department": "A"}}), json!({enterprise: {"department": "B"}}), &subset),
        [format!("{enterprise}:department")]
    );
    let whole = CompareOptions::whole();
    assert_eq!(paths(json!({}), json!({"id": "1", "title": "x"}), &whole), ["id", "title"]);
    assert_eq!(
        paths(
            json!({"emails": [{"value": "a"}]}),
            json!({"emails": [{"value": "b"}, {"value": "a"}]}),
            &whole
        ),
        ["emails[0]"]
    );
    assert_eq!(paths(json!([]), json!({}), &whole), [""]);
}

#[test]
fn elements_are_paired_so_that_as_many_as_possible_fit() {
    let expected = json!({"emails": [{"type": "work"}, {"value": "a"}, {"value": "b"}]});
    let actual = json!({"emails": [
        {"value": "a", "type": "work"}, {"value": "b", "type": "work"}, {"value": "c", "type": "work"}
    ]});
    assert_eq!(paths(expected, actual, &CompareOptions::subset()), Vec::<String>::new());
    let expected = json!({"emails": [{"type": "work"}, {"type": "work", "value": "a"}]});
    let actual = json!({"emails": [{"value": "a", "type": "work"}]});
    assert_eq!(paths(expected, actual, &CompareOptions::subset()).len(), 1);
}

#[test]
fn what_a_server_derives_is_left_aside_unless_it_is_expected_to_be_gone() {
    let derived = CompareOptions::whole_but_derived();
    let group = SchemaSet::core().definition("Group").unwrap();
    let expected = json!({"displayName": "g", "members": [{"value": "1"}], "meta": {"version": "1"}});
    let actual = json!({
        "id": "7", "displayName": "g", "meta": {"version": "2"},
        "members": [{"value": "1", "$ref": "http://x/1", "type": "User", "display": "One"}]
    });
    assert_eq!(differences(&expected, &actual, &group, &derived), []);
    assert_eq!(differences(&expected, &actual, &group, &CompareOptions::whole()).len(), 5);
    let none: [&str; 0] = [];
    let from = json!({"userName": "a", "password": "p", "name": {"givenName": "A"}});
    let to = json!({"userName": "a", "displayName": "A", "active": true, "name": {"givenName": "A", "formatted": "A"}});
    assert_eq!(paths(from, to.clone(), &derived), none);
    assert_eq!(paths(json!({"id": "1"}), json!({"id": "2"}), &derived), ["id"]);
    assert_eq!(paths(json!({"displayName": null}), json!({"displayName": "A"}), &derived), ["displayName"]);
    assert_eq!(paths(json!({}), json!({"active": false, "title": "x"}), &derived), ["active", "title"]);
    let listed = json!({"schemas": [names::USER, names::ENTERPRISE_USER]});
    assert_eq!(paths(json!({"schemas": [names::USER]}), listed.clone(), &derived), none);
    assert_eq!(paths(listed.clone(), json!({"schemas": [names::USER]}), &derived), none);
    assert_eq!(paths(listed, json!({"schemas": [names::ENTERPRISE_USER]}), &derived), ["schemas[0]"]);
}

#[test]
fn attributes_can_be_left_aside() {
    let options =
        CompareOptions { ignore: vec!["Emails.display".into(), "title".into()], ..CompareOptions::whole() };
    let expected = json!({"emails": [{"value": "a", "display": "A"}, {"type": "work"}], "title": "x"});
    let actual = json!({"emails": [{"type": "work", "display": "C"}, {"value": "a", "display": "B"}]});
    assert_eq!(differences(&expected, &actual, &user(), &options), []);
}

#[test]
fn long_lists_are_compared_in_time() {
    let members = |range: std::ops::Range<u32>| -> Value {
        range.map(|it| json!({"value": it.to_string()})).collect::<Vec<_>>().into()
    };
    let group = SchemaSet::core().definition("Group").unwrap();
    let (expected, actual) = (json!({"members": members(0..3000)}), json!({"members": members(0..2999)}));
    assert_eq!(differences(&expected, &actual, &group, &CompareOptions::whole()).len(), 1);
}
