//! The model seen to accept every legal answer, and to see every other.

use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::scim::names;
use crate::scim::patch::{self, PatchOptions, PatchRequest};
use crate::scim::schema::SchemaSet;

fn user() -> ResourceDefinition {
    SchemaSet::core().definition("User").unwrap()
}

fn told(write: &Write<'_>, read: &Value) -> Vec<(String, Grade)> {
    let all = departures(write, read, &user()).expect("the model follows");
    all.into_iter().map(|it| (it.path, it.grade)).collect()
}

fn created(sent: &Value, read: &Value) -> Vec<(String, Grade)> {
    told(&Write::Create { sent }, read)
}

fn replaced(sent: &Value, before: &Value, read: &Value) -> Vec<(String, Grade)> {
    told(&Write::Replace { sent, before: Some(before) }, read)
}

fn patch_op(operations: &Value) -> Value {
    json!({"schemas": [names::PATCH_OP], "Operations": operations})
}

fn patched(operations: Value, before: &Value, read: &Value) -> Vec<(String, Grade)> {
    told(&Write::Patch { sent: &patch_op(&operations), before }, read)
}

fn row(path: &str, grade: Grade) -> Vec<(String, Grade)> {
    vec![(path.to_owned(), grade)]
}

#[test]
fn the_name_of_a_group_follows_nothing() {
    let group = SchemaSet::core().definition("Group").unwrap();
    let before =
        json!({"schemas": [names::GROUP], "id": "1", "displayName": "Team", "members": [{"value": "2"}]});
    let sent = patch_op(&json!([{"op": "remove", "path": "members"}]));
    let read = |name: &str| {
        let read = json!({"schemas": [names::GROUP], "id": "1", "displayName": name});
        let write = Write::Patch { sent: &sent, before: &before };
        let all = departures(&write, &read, &group).expect("the model follows");
        all.into_iter().map(|it| (it.path, it.grade)).collect::<Vec<_>>()
    };
    assert_eq!(read("Team"), vec![]);
    assert_eq!(read("Crew"), row("displayName", Grade::Failure));
}

#[test]
fn a_create_may_be_answered_in_many_ways() {
    let sent = json!({
        "schemas": [names::USER], "userName": "Ann@Example.com", "id": "mine", "color": "red", "password": "t1meMa$heen",
        "title": "Engineer", "nickName": null, "roles": [], "groups": [{"value": "1"}],
        "emails": [
            {"value": "Ann@Example.com", "type": "work", "primary": true, "display": "Ann"},
            {"value": "ann@home.example", "type": "cottage"},
        ],
        "active": "True",
        (names::ENTERPRISE_USER): {"department": "Sales", "manager": {"value": "7", "displayName": "Me"}},
    });
    let read = json!({
        "schemas": [names::USER, names::ENTERPRISE_USER], "id": "1", "meta": {"resourceType": "User"},
        "username": "ann@example.com", "title": "Engineer", "displayName": "Ann", "name": {"formatted": "Ann"},
        "nickName": [], "groups": [{"value": "2"}], "active": true,
        "emails": [
            {"value": "ann@home.example", "primary": false},
            {"value": "ann@example.com", "type": "Work", "primary": true, "$ref": "https://example.com/ann"},
        ],
        (names::ENTERPRISE_USER): {"department": "Sales", "manager": {"value": "7", "$ref": "../Users/7", "displayName": "Eve"}},
    });
    assert_eq!(created(&sent, &read), []);
}

#[test]
fn what_a_create_loses_or_changes_is_told() {
    let sent = json!({
        "userName": "ann", "title": "Engineer", "externalId": "E1", "name": {"givenName": "Ann", "familyName": "Archer"},
        "emails": [{"value": "a@example.com", "type": "work"}, {"value": "b@example.com", "type": "home"}],
        "color": "red",
    });
    let whole = |change: Value| {
        let mut read = sent.clone();
        read.as_object_mut().unwrap().remove("color");
        for (name, value) in change.as_object().unwrap() {
            read[name] = value.clone();
        }
        created(&sent, &read)
    };
    assert_eq!(whole(json!({})), []);
    assert_eq!(whole(json!({"title": null})), row("title", Grade::Failure));
    assert_eq!(whole(json!({"title": "Surveyor"})), row("title", Grade::Failure));
    assert_eq!(whole(json!({"title": "Engineer "})), row("title", Grade::Warning));
    assert_eq!(whole(json!({"externalId": null})), row("externalId", Grade::Warning));
    assert_eq!(whole(json!({"externalId": "e1"})), row("externalId", Grade::Failure));
    assert_eq!(whole(json!({"name": null})), row("name", Grade::Failure));
    assert_eq!(whole(json!({"name": {"givenName": "Ann"}})), row("name.familyName", Grade::Failure));
    assert_eq!(whole(json!({"color": "red"})), row("color", Grade::Warning));
    assert_eq!(whole(json!({"userType": "Employee"})), row("userType", Grade::Note));
    let emails = |list: Value| whole(json!({ "emails": list }));
    assert_eq!(emails(json!([{"value": "b@example.com", "type": "home"}])), row("emails[0]", Grade::Failure));
    assert_eq!(
        emails(
            json!([{"value": "a@example.com", "type": "work"}, {"value": "c@example.com", "type": "home"}])
        ),
        row("emails[1].value", Grade::Failure)
    );
    assert_eq!(
        emails(
            json!([{"value": "a@example.com", "type": "home"}, {"value": "b@example.com", "type": "home"}])
        ),
        row("emails[0].type", Grade::Failure)
    );
    let twice = json!([
        {"value": "a@example.com", "type": "work"}, {"value": "b@example.com", "type": "home"},
        {"value": "a@example.com", "type": "work"},
    ]);
    assert_eq!(emails(twice), row("emails[2]", Grade::Warning));
    // A server never makes an externalId.
    assert_eq!(
        created(&json!({"userName": "ann"}), &json!({"userName": "ann", "externalId": "x"})),
        row("externalId", Grade::Failure)
    );
}

#[test]
fn what_a_put_leaves_out_is_cleared_or_kept() {
    let before = json!({"userName": "ann", "title": "Engineer", "active": false, "nickName": "Annie", "name": {"givenName": "Ann", "familyName": "Archer"}});
    let sent = json!({"userName": "ann", "name": {"givenName": "Eve"}});
    let with = |more: Value| {
        let mut read = sent.clone();
        for (name, value) in more.as_object().unwrap() {
            read[name] = value.clone();
        }
        replaced(&sent, &before, &read)
    };
    assert_eq!(with(json!({})), []);
    assert_eq!(with(json!({"active": true})), [], "a default");
    assert_eq!(with(json!({"title": "Engineer"})), row("title", Grade::Warning));
    assert_eq!(with(json!({"active": false})), row("active", Grade::Warning));
    assert_eq!(
        with(json!({"name": {"givenName": "Eve", "familyName": "Archer"}})),
        row("name.familyName", Grade::Warning)
    );
    assert_eq!(with(json!({"name": {"givenName": "Ann"}})), row("name.givenName", Grade::Failure));
    let null = json!({"userName": "ann", "title": null});
    assert_eq!(
        replaced(&null, &before, &json!({"userName": "ann", "title": "Engineer"})),
        row("title", Grade::Failure)
    );
    let list = |value: &str| json!([{ "value": value }]);
    let (old, new) = (json!({"emails": list("a@example.com")}), json!({"emails": list("b@example.com")}));
    let both = json!({"emails": [{"value": "a@example.com"}, {"value": "b@example.com"}]});
    assert_eq!(replaced(&new, &old, &both), row("emails[0]", Grade::Failure), "the list was not replaced");
}

#[test]
fn an_immutable_attribute_keeps_its_value() {
    let mut definition = user();
    for attribute in &mut definition.schema.attributes {
        if attribute.name == "nickName" {
            attribute.mutability = Mutability::Immutable;
        }
    }
    let (before, sent) = (json!({"nickName": "A"}), json!({"nickName": "B"}));
    let grade = |read: Value| {
        let write = Write::Replace { sent: &sent, before: Some(&before) };
        departures(&write, &read, &definition)
            .unwrap()
            .into_iter()
            .map(|it| (it.grade, it.dispute))
            .collect::<Vec<_>>()
    };
    assert_eq!(grade(json!({"nickName": "A"})), [(Grade::Warning, Some("AMB-94"))]);
    assert_eq!(grade(json!({"nickName": "B"})), [(Grade::Failure, Some("AMB-94"))]);
}

#[test]
fn a_patch_lives_in_one_of_its_worlds() {
    let before = json!({
        "userName": "ann", "displayName": "Ann Archer", "name": {"givenName": "Ann", "familyName": "Archer", "formatted": "Ann Archer"},
        "emails": [{"value": "a@example.com", "type": "work", "primary": true}, {"value": "b@example.com", "type": "home"}],
    });
    let with = |name: &str, value: Value| {
        let mut read = before.clone();
        read[name] = value;
        read
    };
    let remove = json!([{"op": "remove", "path": "emails", "value": [{"value": "a@example.com"}]}]);
    assert_eq!(patched(remove.clone(), &before, &with("emails", json!(null))), []);
    assert_eq!(
        patched(
            remove.clone(),
            &before,
            &with("emails", json!([{"value": "b@example.com", "type": "home"}]))
        ),
        []
    );
    assert_ne!(patched(remove, &before, &before), []);
    // What is computed follows, and nothing else does.
    let rename = json!([{"op": "replace", "path": "name.familyName", "value": "Smith"}]);
    let mut renamed =
        with("name", json!({"givenName": "Ann", "familyName": "Smith", "formatted": "Ann Smith"}));
    renamed["displayName"] = json!("Ann Smith");
    assert_eq!(patched(rename.clone(), &before, &renamed), []);
    renamed["title"] = json!("Engineer");
    assert_eq!(patched(rename.clone(), &before, &renamed), row("title", Grade::Failure));
    assert_eq!(patched(rename, &before, &before), row("name.familyName", Grade::Failure));
    // The previous primary value is one no more.
    let primary = json!([{"op": "replace", "path": "emails[type eq \"home\"].primary", "value": true}]);
    let two = json!([
        {"value": "a@example.com", "type": "work", "primary": true}, {"value": "b@example.com", "type": "home", "primary": true},
    ]);
    assert_eq!(patched(primary, &before, &with("emails", two)), row("emails[0].primary", Grade::Failure));
    // What had to be refused may be left out, and no more.
    let unknown = json!([{"op": "add", "path": "color", "value": "red"}]);
    assert_eq!(patched(unknown.clone(), &before, &before), row("Operations", Grade::Warning));
    assert_eq!(patched(unknown, &before, &with("title", json!("red"))), row("title", Grade::Failure));
}

#[test]
fn a_graded_world_is_told_by_its_grade() {
    let before = json!({"userName": "ann"});
    let read = json!({"userName": "ann", "emails": [{"type": "work", "value": "a@example.com"}]});
    let operation =
        |op: &str| json!([{"op": op, "path": "emails[type eq \"work\"].value", "value": "a@example.com"}]);
    assert_eq!(patched(operation("add"), &before, &read), []);
    let grades: Vec<Grade> =
        patched(operation("replace"), &before, &read).into_iter().map(|(_, grade)| grade).collect();
    assert_eq!(grades, [Grade::FailureIfStrict]);
}

#[test]
fn a_refused_write_changes_nothing() {
    let before = json!({
        "id": "1", "userName": "ann", "title": "Engineer", "meta": {"lastModified": "2026-11-22T10:00:00Z"},
        "emails": [{"value": "a@example.com", "display": "A"}], "x": 1,
    });
    let refused = |read: &Value| told(&Write::Refused { before: &before }, read);
    assert_eq!(refused(&before), []);
    let mut read = before.clone();
    read["meta"]["lastModified"] = json!("2026-11-22T11:00:00Z");
    assert_eq!(refused(&read), [], "AMB-104");
    read["title"] = json!("Surveyor");
    read["displayName"] = json!("Ann");
    read["x"] = json!(2);
    let mut paths: Vec<_> = refused(&read).into_iter().map(|(path, _)| path).collect();
    paths.sort();
    assert_eq!(paths, ["displayName", "title", "x"]);
}

#[test]
fn an_answer_is_the_resource() {
    let answer = json!({
        "id": "1", "userName": "ann", "title": "Engineer", "groups": [{"value": "1"}],
        "meta": {"created": "2026-11-22T10:00:00.123Z", "version": "W/\"1\""},
    });
    let answered = |read: &Value, create| told(&Write::Answered { answer: &answer, create }, read);
    assert_eq!(answered(&answer, true), []);
    let mut read = answer.clone();
    read["meta"]["created"] = json!("2026-11-22T10:00:00Z");
    assert_eq!(answered(&read, true), [], "fewer digits of a second");
    read["meta"]["version"] = json!("W/\"2\"");
    assert_eq!(answered(&read, true), row("meta.version", Grade::Warning));
    let mut read = answer.clone();
    read["id"] = json!("2");
    assert_eq!(answered(&read, true), row("id", Grade::Failure));
    let mut read = answer.clone();
    read["nickName"] = json!("Annie");
    assert_eq!(answered(&read, true), row("nickName", Grade::Warning));
    assert_eq!(answered(&read, false), row("nickName", Grade::Failure));
    read["title"] = json!("Surveyor");
    assert!(answered(&read, true).contains(&("title".to_owned(), Grade::Failure)));
}

#[test]
fn long_lists_are_paired_by_value() {
    let list = |from: u32| -> Value {
        (from..from + 3000).map(|n| json!({"value": format!("{n}@example.com")})).collect()
    };
    let sent = json!({"emails": list(0)});
    assert_eq!(created(&sent, &sent), []);
    let shifted = created(&sent, &json!({"emails": list(1)}));
    assert_eq!(shifted, row("emails[0].value", Grade::Failure));
    assert_eq!(created(&sent, &json!({"emails": list(100)})).len(), MAX_DEPARTURES);
}

#[test]
fn many_values_that_look_alike_cost_no_more_than_others() {
    let alike: Value = (0..200_000).map(|_| json!({"value": "a"})).collect();
    let (answer, mut read) = (json!({"emails": alike}), json!({"emails": alike}));
    let answered = |read: &Value| told(&Write::Answered { answer: &answer, create: false }, read);
    assert_eq!(answered(&read), []);
    read["emails"].as_array_mut().unwrap().truncate(100_000);
    assert_eq!(answered(&read), []);
    read["emails"].as_array_mut().unwrap().push(json!({"value": "b"}));
    assert_eq!(answered(&read), row("emails[100000]", Grade::Failure));
}

#[test]
fn nesting_without_end_is_nothing_to_speak_of() {
    let mut deep = json!("end");
    for _ in 0..100 {
        deep = json!({ "name": deep });
    }
    assert_eq!(departures(&Write::Create { sent: &json!({}) }, &deep, &user()), None);
    assert_eq!(departures(&Write::Create { sent: &deep }, &json!({}), &user()), None);
}

fn some<T: std::fmt::Debug + Clone + 'static>(values: &[T]) -> impl Strategy<Value = T> + use<T> {
    proptest::sample::select(values.to_vec())
}

/// A User with some of its attributes; every value that it has is legal.
fn resource() -> impl Strategy<Value = Value> {
    let email = (some(&["a", "b", "c"]), some(&["work", "home"]), any::<bool>());
    let emails = proptest::collection::vec(email, 0..3).prop_map(|all| {
        let mut list: Vec<Value> = Vec::new();
        for (name, kind, primary) in all {
            let value = format!("{name}@example.com");
            if list.iter().any(|it| it["value"] == json!(value) && it["type"] == json!(kind)) {
                continue;
            }
            let is_first = primary && list.iter().all(|it| it.get("primary").is_none());
            list.push(if is_first {
                json!({"value": value, "type": kind, "primary": true})
            } else {
                json!({"value": value, "type": kind})
            });
        }
        Value::Array(list)
    });
    let text = || proptest::option::of(some(&["A", "B", "Ö"]));
    (text(), text(), text(), emails, proptest::option::of(any::<bool>()), text()).prop_map(
        |(title, nick, given, emails, active, department)| {
            let mut user = json!({"schemas": [names::USER], "userName": "ann"});
            for (name, value) in [("title", title), ("nickName", nick)] {
                if let Some(value) = value {
                    user[name] = json!(value);
                }
            }
            if let Some(given) = given {
                user["name"] = json!({"givenName": given, "familyName": "Archer"});
            }
            if emails != json!([]) {
                user["emails"] = emails;
            }
            if let Some(active) = active {
                user["active"] = json!(active);
            }
            if let Some(department) = department {
                user["schemas"] = json!([names::USER, names::ENTERPRISE_USER]);
                user[names::ENTERPRISE_USER] = json!({"department": department});
            }
            user
        },
    )
}

fn operation() -> impl Strategy<Value = Value> {
    let email = json!({"value": "c@example.com", "type": "home"});
    let department = format!("{}:department", names::ENTERPRISE_USER);
    let targets: Vec<(String, Value)> = [
        ("title", json!("C")),
        ("nickName", json!("C")),
        ("active", json!(false)),
        ("name", json!({"givenName": "C"})),
        ("name.familyName", json!("C")),
        ("emails", json!([email])),
        ("emails[type eq \"work\"]", email.clone()),
        ("emails[type eq \"work\"].value", json!("c@example.com")),
        ("emails[value sw \"a\"].primary", json!(true)),
        ("emails.type", json!("home")),
        (department.as_str(), json!("C")),
    ]
    .into_iter()
    .map(|(path, value)| (path.to_owned(), value))
    .collect();
    let whole = json!({"title": "C", "name": {"familyName": "C"}, "emails": [email]});
    prop_oneof![
        4 => (some(&["add", "replace"]), some(&targets))
            .prop_map(|(op, (path, value))| json!({"op": op, "path": path, "value": value})),
        2 => some(&targets).prop_map(|(path, _)| json!({"op": "remove", "path": path})),
        1 => some(&["add", "replace"]).prop_map(move |op| json!({"op": op, "value": whole})),
    ]
}

/// The resource with one value that is not its own; none of the values generated is like it.
fn altered(read: &Value, which: usize) -> Value {
    let mut read = read.clone();
    let other = json!("altered@example.com");
    match which % 6 {
        0 => read["title"] = other,
        1 => read["userName"] = other,
        2 => read["active"] = json!(read.get("active") == Some(&json!(false))),
        3 => {
            let list = read.as_object_mut().unwrap().entry("emails").or_insert_with(|| json!([]));
            list.as_array_mut().unwrap().push(json!({"value": other, "type": "other"}));
        }
        4 => match read.get_mut("emails").and_then(|list| list.get_mut(0)) {
            Some(first) => first["value"] = other,
            None => read["nickName"] = other,
        },
        _ => read["name"] = json!({"givenName": other}),
    }
    read
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    /// What the reading of the RFC makes of a PATCH is accepted; the same with one value altered is told.
    #[test]
    fn a_patch_is_followed(
        before in resource(),
        operations in proptest::collection::vec(operation(), 1..4),
        which in 0_usize..6,
    ) {
        let sent = patch_op(&Value::Array(operations));
        let options = PatchOptions::default();
        let request = PatchRequest::parse(&sent, options).unwrap();
        let Ok(read) = patch::apply(&request, &before, &user(), options) else { return Ok(()) };
        let write = Write::Patch { sent: &sent, before: &before };
        prop_assert_eq!(told(&write, &read), []);
        let wrong = altered(&read, which);
        prop_assert!(!told(&write, &wrong).is_empty(), "{} made of {}", wrong, before);
    }

    /// A create or replacement is accepted as it was sent, and told where one value is another.
    #[test]
    fn a_create_and_a_put_are_followed(before in resource(), sent in resource(), which in 0_usize..6) {
        let write = Write::Replace { sent: &sent, before: Some(&before) };
        prop_assert_eq!(created(&sent, &sent), []);
        prop_assert_eq!(told(&write, &sent), []);
        let wrong = altered(&sent, which);
        // A user is active unless somebody says otherwise.
        let is_default = which == 2 && sent.get("active").is_none();
        prop_assert!(is_default || !created(&sent, &wrong).is_empty(), "{}", wrong);
        prop_assert!(is_default || !told(&write, &wrong).is_empty(), "{}", wrong);
    }

    /// A refused write is accepted where nothing changed, and told where one value did.
    #[test]
    fn a_refusal_is_followed(before in resource(), which in 0_usize..6) {
        let write = Write::Refused { before: &before };
        prop_assert_eq!(told(&write, &before), []);
        prop_assert!(!told(&write, &altered(&before, which)).is_empty());
    }
}
