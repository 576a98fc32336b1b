//! Each construct of an expectation, seen to hold and to break.

use std::time::Duration;

use proptest::prelude::*;
use serde_json::{Value, json};

use super::testing::{AllBut, World, error, exchange, list, raw, user, with, with_header, with_request};
use super::*;
use crate::outcome::{Level, Severity};
use crate::scim::names;
use crate::scim::schema::Returned;
use crate::suite::model::Capability;

/// The checks that found something, each with its severity.
fn found(judgement: &Judgement) -> Vec<(&str, Severity)> {
    assert_eq!(judgement.error, None);
    judgement.findings.iter().map(|finding| (finding.check.as_str(), finding.severity)).collect()
}

fn failed(judgement: &Judgement) -> Vec<&str> {
    found(judgement)
        .into_iter()
        .filter(|(_, severity)| *severity == Severity::Failure)
        .map(|(check, _)| check)
        .collect()
}

fn message(judgement: &Judgement) -> &str {
    judgement.findings.first().map_or("", |finding| finding.message.as_str())
}

fn get_user() -> Exchange {
    exchange("GET", "/Users/1", 200, user("1"))
}

// --- status ----------------------------------------------------------------------------------------------

#[test]
fn a_wrong_status_ends_the_judging() {
    let world = World::default();
    let answer = exchange("POST", "/Users", 200, user("1"));
    let judgement = world.judge(json!({"status": 201, "body": {"userName": "other"}}), &answer);
    assert_eq!(failed(&judgement), ["status"]);
    assert_eq!(message(&judgement), "POST /Users answered 200 (OK), expected 201 (Created)");
    assert!(!judgement.status_held);
    let finding = &judgement.findings[0];
    assert_eq!(finding.signature.expected, "status 201");
    assert_eq!(finding.signature.actual, "status 200");
    assert_eq!(finding.place.as_ref().map(|place| place.file.as_str()), Some("expect.status"));

    let judgement = world.judge(json!({"status": [200, 201], "body": {"userName": "other"}}), &answer);
    assert_eq!(failed(&judgement), ["body"]);
    assert!(judgement.status_held);
}

#[test]
fn a_server_error_is_never_right_unless_written() {
    let world = World::default();
    let broken = exchange("GET", "/Users/1", 500, error(500, None));
    assert_eq!(failed(&world.judge(json!({"status": "5xx"}), &broken)), Vec::<&str>::new());
    assert_eq!(failed(&world.judge(json!({"status": ["2xx", "4xx"]}), &broken)), ["status"]);
    let check = json!({"checks": [{"header": "Content-Type", "present": true}]});
    assert_eq!(failed(&world.judge(check.clone(), &broken)), ["status"]);
    let refused = exchange("GET", "/Users/1", 404, error(404, None));
    assert_eq!(failed(&world.judge(check, &refused)), Vec::<&str>::new());
}

#[test]
fn a_server_error_that_is_written_is_right_for_what_is_judged_beside_it() {
    let world = World::default();
    let declined = exchange("POST", "/Bulk", 501, error(501, None));
    let beside = json!([{"checks": [{"each": "$.Operations", "length": 1, "or-none": true}]}]);
    let written = json!({"any": [{"error": {"status": 501}}, {"status": 200}], "also": beside});
    assert_eq!(failed(&world.judge(written, &declined)), Vec::<&str>::new());
    let unwritten = json!({"any": [{"error": {"status": 404}}, {"status": 200}], "also": beside});
    assert_eq!(failed(&world.judge(unwritten, &declined)), ["status"]);
}

#[test]
fn a_resource_or_list_means_success() {
    let world = World::with_users(&["1"]);
    let refused = exchange("GET", "/Users/1", 404, error(404, None));
    for expect in [
        json!({"becomes": {"from": "1"}}),
        json!({"list": {"ours": []}}),
        json!({"resource": "User"}),
        json!({"body": {"userName": "x"}}),
        json!({"also": [{"body": {"userName": "x"}}]}),
    ] {
        let judgement = world.judge(expect, &refused);
        assert!(!judgement.status_held);
        assert!(message(&judgement).contains("answered 404 (Not Found), expected 2xx"), "{judgement:#?}");
    }
}

#[test]
fn what_is_returned_on_request_is_not_missed_where_nobody_asked() {
    let by_default = World::with_users(&["1"]);
    let mut on_request = World::with_users(&["1"]);
    let attributes = on_request.schemas.schemas.iter_mut().flat_map(|schema| &mut schema.attributes);
    for attribute in attributes.filter(|attribute| attribute.name == "emails") {
        attribute.returned = Returned::Request;
    }
    let shown =
        |method: &str, path: &str| exchange(method, path, 200, with(user("1"), "/emails", Value::Null));
    for expect in [
        json!({"checks": [{"path": "$.emails", "type": "array"}]}),
        json!({"checks": [{"values": "$.emails[*].value", "includes": "ann@example.com"}]}),
        json!({"body": {"emails": [{"value": "ann@example.com"}]}}),
        json!({"becomes": {"from": "1"}}),
    ] {
        let fails =
            |world: &World, answer: &Exchange| !failed(&world.judge(expect.clone(), answer)).is_empty();
        assert!(!fails(&on_request, &shown("GET", "/Users/1")), "{expect}");
        assert!(fails(&on_request, &shown("GET", "/Users/1?attributes=userName,Emails")), "{expect}");
        assert!(fails(&on_request, &with_request(shown("PUT", "/Users/1"), &user("1"))), "{expect}");
        assert!(
            !fails(&on_request, &with_request(shown("PATCH", "/Users/1"), &json!({"op": 1}))),
            "{expect}"
        );
        assert!(fails(&by_default, &shown("GET", "/Users/1")), "{expect}");
    }
    // What is shown all the same is judged.
    let other =
        exchange("GET", "/Users/1", 200, with(user("1"), "/emails", json!([{"value": "b@example.com"}])));
    assert_eq!(failed(&on_request.judge(json!({"becomes": {"from": "1"}}), &other)), ["becomes"]);
}

#[test]
fn severity_follows_the_level() {
    let answer = exchange("GET", "/Users/1", 204, Value::Null);
    for (level, severity) in
        [(Level::Must, Severity::Failure), (Level::Should, Severity::Warning), (Level::May, Severity::Note)]
    {
        let world = World { level, ..World::default() };
        assert_eq!(found(&world.judge(json!({"status": 200}), &answer)), [("status", severity)]);
    }
    let judgement = World::default().judge(json!({"status": 200, "level": "should"}), &answer);
    assert_eq!(found(&judgement), [("status", Severity::Warning)]);
}

#[test]
fn cited_requirements_set_level_and_citation() {
    let answer = exchange("GET", "/Users/1", 204, Value::Null);
    let judgement = World::default().judge(json!({"status": 200, "spec": ["RFC8259-4-01"]}), &answer);
    assert_eq!(found(&judgement), [("status", Severity::Warning)]);
    assert_eq!(judgement.findings[0].requirements, ["RFC8259-4-01"]);
}

#[test]
fn without_an_answer_nothing_is_judged() {
    let mut broken = get_user();
    broken.answer = Err(crate::target::exchange::TransportFailure::Closed { why: "reset".into() });
    let judgement = World::default().judge(json!({"status": 200}), &broken);
    assert_eq!(judgement, Judgement::default());
    assert!(!judgement.status_held);
}

// --- error -----------------------------------------------------------------------------------------------

#[test]
fn an_error_is_judged_by_status_shape_and_keyword() {
    let world = World::default();
    let expect = json!({"error": {"status": 409, "scimType": "uniqueness"}});
    let at = |body: Value| exchange("POST", "/Users", 409, body);
    for (body, expected) in [
        (error(409, Some("uniqueness")), vec![]),
        (error(409, None), vec!["error.scimType"]),
        (error(409, Some("invalidValue")), vec!["error.scimType"]),
        (error(400, Some("uniqueness")), vec!["error.status"]),
        (with(error(409, Some("uniqueness")), "/status", Value::Null), vec!["error.status"]),
        (with(error(409, Some("uniqueness")), "/detail", Value::Null), vec![]),
        (with(error(409, Some("uniqueness")), "/schemas", Value::Null), vec!["error.schemas"]),
        (json!([]), vec!["error.body"]),
        (Value::Null, vec!["error.body"]),
    ] {
        assert_eq!(failed(&world.judge(expect.clone(), &at(body.clone()))), expected, "{body}");
    }
    let other = exchange("POST", "/Users", 400, error(400, Some("uniqueness")));
    let judgement = world.judge(expect, &other);
    assert_eq!(failed(&judgement), ["status"]);
    assert!(!judgement.status_held);
}

#[test]
fn a_numeric_error_status_is_a_warning_in_the_lenient_reading() {
    let answer = exchange("GET", "/Users/1", 404, with(error(404, None), "/status", 404.into()));
    let expect = json!({"error": {"status": 404}});
    let lenient = World::default().judge(expect.clone(), &answer);
    assert_eq!(found(&lenient), [("error.status", Severity::Warning)]);
    assert!(lenient.status_held);
    let strict = World { reading: Reading::Strict, ..World::default() }.judge(expect, &answer);
    assert_eq!(found(&strict), [("error.status", Severity::Failure)]);
}

#[test]
fn a_usual_keyword_is_noted_when_absent_and_warned_when_other() {
    let world = World::default();
    let expect = json!({"error": {"status": 400, "usual-scimType": ["noTarget", "invalidPath"]}});
    let at = |keyword: Option<&str>| exchange("PATCH", "/Users/1", 400, error(400, keyword));
    assert_eq!(found(&world.judge(expect.clone(), &at(Some("invalidPath")))), []);
    assert_eq!(found(&world.judge(expect.clone(), &at(None))), [("error.scimType", Severity::Note)]);
    assert_eq!(found(&world.judge(expect, &at(Some("tooMany")))), [("error.scimType", Severity::Warning)]);
}

#[test]
fn a_gateway_may_answer_without_a_scim_error() {
    let world = World::default();
    let page = raw("GET", "/Users", 401, &[("Content-Type", "text/html")], b"<html>no</html>");
    assert_eq!(
        found(&world.judge(json!({"error": {"status": 401}}), &page)),
        [("error.body", Severity::Warning)]
    );
    let page = raw("GET", "/Users/1", 404, &[("Content-Type", "text/html")], b"<html>no</html>");
    let judgement = world.judge(json!({"error": {"status": 404}}), &page);
    assert_eq!(found(&judgement), [("error.body", Severity::Failure)]);
    assert!(message(&judgement).contains("the body is not JSON (Content-Type text/html)"));
}

// --- body ------------------------------------------------------------------------------------------------

#[test]
fn a_body_is_a_subset() {
    let world = World::default();
    for (body, holds) in [
        (json!({"userName": "ann@example.com"}), true),
        (json!({"USERNAME": "ANN@example.com"}), true),
        (json!({"name": {"givenName": "Ann"}}), true),
        (json!({"emails": [{"value": "ann@home.example"}]}), true),
        (json!({"emails": [{"type": "home"}, {"type": "work"}]}), true),
        (json!({"title": null, "phoneNumbers": []}), true),
        (json!({"userName": "bob@example.com"}), false),
        (json!({"emails": [{"value": "bob@example.com"}]}), false),
        (json!({"active": "true"}), false),
        (json!({"userName": null}), false),
        (json!({"title": "Clerk"}), false),
        (json!([1]), false),
    ] {
        let judgement = world.judge(json!({"status": 200, "body": body}), &get_user());
        assert_eq!(failed(&judgement).is_empty(), holds, "{body}: {judgement:#?}");
    }
    let judgement = world.judge(json!({"body": {"active": false}}), &get_user());
    assert_eq!(message(&judgement), "GET /Users/{id}: active is true, expected false");
    assert_eq!(judgement.findings[0].differences[0].path, "active");
    assert_eq!(judgement.findings[0].signature.actual, "active boolean");
}

#[test]
fn the_rows_of_a_list_are_compared_as_resources() {
    let world = World::default();
    let answer = exchange("GET", "/Users", 200, list(vec![user("1"), user("2")]));
    for (body, holds) in [
        (json!({"totalResults": 2, "Resources": [{"id": "2"}]}), true),
        (json!({"Resources": [{"id": "2", "active": true}, {"id": "1"}]}), true),
        (json!({"schemas": [names::LIST_RESPONSE]}), true),
        (json!({"totalResults": 1}), false),
        (json!({"Resources": [{"id": "3"}]}), false),
        (json!({"Resources": []}), false),
        (json!({"totalResults": "2"}), false),
    ] {
        let judgement = world.judge(json!({"body": body}), &answer);
        assert_eq!(failed(&judgement).is_empty(), holds, "{body}: {judgement:#?}");
    }
    let empty = exchange("GET", "/Users", 200, json!({"schemas": [names::LIST_RESPONSE], "totalResults": 0}));
    assert_eq!(failed(&world.judge(json!({"body": {"Resources": []}}), &empty)), Vec::<&str>::new());
}

#[test]
fn a_body_that_is_no_json_is_a_finding() {
    let page = raw("GET", "/Users/1", 200, &[("Content-Type", "text/html")], b"<html>");
    for expect in [
        json!({"body": {"userName": "x"}}),
        json!({"resource": "User"}),
        json!({"list": {"ours": []}}),
        json!({"becomes": {"from": "1"}}),
    ] {
        let judgement = World::with_users(&["1"]).judge(expect, &page);
        assert_eq!(failed(&judgement).len(), 1);
        assert!(message(&judgement).contains("not JSON"), "{}", message(&judgement));
    }
}

#[test]
fn values_of_names_are_filled_in() {
    let world = World::with_users(&["1"]);
    let expect = json!({"body": {"userName": "${1.userName}", "emails": ["${1.emails[0]}"]}});
    assert_eq!(failed(&world.judge(expect, &get_user())), Vec::<&str>::new());
    let judgement = world.judge(json!({"body": {"userName": "${nobody.userName}"}}), &get_user());
    let error = judgement.error.expect("an error of the suite");
    assert!(error.message.contains("nobody"), "{error}");
    assert!(judgement.findings.is_empty());
}

// --- becomes ---------------------------------------------------------------------------------------------

#[test]
fn becomes_compares_the_whole_resource() {
    let world = World::with_users(&["1"]);
    let read = |body: Value| exchange("GET", "/Users/1", 200, body);
    let titled = with(user("1"), "/title", "Clerk".into());
    let later = with(titled.clone(), "/meta/lastModified", "2026-11-22T11:00:00Z".into());
    for (becomes, answer, holds) in [
        (json!({"from": "1"}), user("1"), true),
        (json!({"from": "1"}), titled.clone(), false),
        (json!({"from": "1", "set": {"title": "Clerk"}}), titled.clone(), true),
        (json!({"from": "1", "set": {"title": "Clerk"}}), later, true),
        (json!({"from": "1", "set": {"title": "Clerk"}}), user("1"), false),
        (json!({"from": "1", "set": {"title": null}}), titled, false),
        (json!({"from": "1", "without": ["name"]}), with(user("1"), "/name", Value::Null), true),
        (json!({"from": "1", "without": ["name"]}), user("1"), false),
        (json!({"from": "1"}), with(user("1"), "/name/formatted", "Ann Archer".into()), true),
        (json!({"from": "1"}), with(user("1"), "/id", "2".into()), false),
        (
            json!({"from": "1"}),
            with(
                user("1"),
                "/emails",
                json!([{"value": "ann@home.example", "type": "home", "primary": false}, {"value": "ann@example.com", "type": "work", "primary": true}]),
            ),
            true,
        ),
        (
            json!({"from": "1", "set": {"emails": ["${1.emails[1]}"]}}),
            with(user("1"), "/emails", json!([{"value": "ann@home.example", "type": "home"}])),
            true,
        ),
        (json!({"from": "1", "set": {"emails": ["${1.emails[1]}"]}}), user("1"), false),
    ] {
        let judgement = world.judge(json!({"becomes": becomes}), &read(answer.clone()));
        assert_eq!(failed(&judgement).is_empty(), holds, "{becomes} {answer}: {judgement:#?}");
    }
}

#[test]
fn what_was_not_sent_may_be_defaulted() {
    let mut world = World::default();
    let body = json!({"schemas": [names::USER], "userName": "ann@example.com", "emails": [{"value": "ann@example.com"}]});
    world.sent.insert("create".to_owned(), body);
    let answer =
        with(user("1"), "/emails", json!([{"value": "ann@example.com", "type": "work", "primary": true}]));
    let created = exchange("POST", "/Users", 201, answer);
    let expect = |becomes: Value| json!({"status": 201, "becomes": becomes});
    assert_eq!(failed(&world.judge(expect(json!({"sent": "create"})), &created)), Vec::<&str>::new());
    let explicit = expect(json!({"sent": "create", "set": {"active": null}}));
    assert_eq!(failed(&world.judge(explicit, &created)), ["becomes"]);
    let appended = exchange("POST", "/Users", 201, user("1"));
    assert_eq!(
        failed(&world.judge(expect(json!({"sent": "create"})), &appended)),
        ["becomes"],
        "an e-mail too many"
    );
    let dropped = exchange("POST", "/Users", 201, with(user("1"), "/emails", Value::Null));
    assert_eq!(failed(&world.judge(expect(json!({"sent": "create"})), &dropped)), ["becomes"]);
}

#[test]
fn operations_are_applied_to_the_last_known_state() {
    let mut world = World::with_users(&["1"]);
    let operations = json!({"schemas": [names::PATCH_OP], "Operations": [
        {"op": "Replace", "path": "emails[type eq \"home\"].value", "value": "new@home.example"},
        {"op": "remove", "path": "name.familyName"},
    ]});
    world.sent.insert("patch".to_owned(), operations);
    let expect = json!({"becomes": {"from": "1", "patched-by": "patch"}});
    let mut after = user("1");
    after["emails"][1]["value"] = "new@home.example".into();
    after = with(after, "/name/familyName", Value::Null);
    assert_eq!(
        failed(&world.judge(expect.clone(), &exchange("GET", "/Users/1", 200, after))),
        Vec::<&str>::new()
    );
    assert_eq!(failed(&world.judge(expect, &get_user())), ["becomes"]);
}

#[test]
fn becomes_needs_something_to_start_from() {
    let world = World::with_users(&["1"]);
    for becomes in [
        json!({"from": "nobody"}),
        json!({"sent": "nothing"}),
        json!({}),
        json!({"from": "1", "sent": "x"}),
        json!({"from": "1", "patched-by": "nothing"}),
    ] {
        let judgement = world.judge(json!({"becomes": becomes}), &get_user());
        assert!(judgement.error.is_some(), "{becomes}");
        assert!(judgement.findings.is_empty());
    }
}

// --- list ------------------------------------------------------------------------------------------------

#[test]
fn a_list_holds_exactly_ours() {
    let mut world = World::with_users(&["a", "b", "c"]);
    world.ours.insert_created("other-case");
    let answer = |ids: &[&str]| exchange("GET", "/Users", 200, list(ids.iter().map(|id| user(id)).collect()));
    for (expect, ids, expected) in [
        (json!({"ours": ["a", "b"]}), vec!["b", "a"], vec![]),
        (json!({"ours": ["a", "b"]}), vec!["b", "stranger", "a"], vec![]),
        (json!({"ours": ["a", "b"]}), vec!["a"], vec!["list.ours"]),
        (json!({"ours": ["a"]}), vec!["a", "b"], vec!["list.ours"]),
        (json!({"ours": ["a"]}), vec!["a", "a"], vec!["list.ours"]),
        (json!({"ours": []}), vec![], vec![]),
        (json!({"ours": []}), vec!["c"], vec!["list.ours"]),
        (json!({"ours": ["a"], "foreign": "none"}), vec!["a"], vec![]),
        (json!({"ours": ["a"], "foreign": "none"}), vec!["a", "stranger"], vec!["list.foreign"]),
        (json!({"ours": ["a", "b"], "ordered": true}), vec!["a", "x", "b"], vec![]),
        (json!({"ours": ["a", "b"], "ordered": true}), vec!["b", "a"], vec!["list.ours"]),
        (json!({"ours": "some"}), vec!["x", "c"], vec![]),
        (json!({"ours": "some"}), vec!["other-case"], vec![]),
        (json!({"ours": "some"}), vec!["x"], vec!["list.ours"]),
    ] {
        let judgement = world.judge(json!({"list": expect}), &answer(&ids));
        assert_eq!(failed(&judgement), expected, "{expect} {ids:?}: {judgement:#?}");
    }
    let judgement = world.judge(json!({"list": {"ours": ["nobody"]}}), &answer(&[]));
    assert!(judgement.error.is_some());
}

#[test]
fn strangers_are_held_against_the_filter() {
    let mut world = World::with_users(&["a"]);
    world.ours.insert_created("other-case");
    world.filter = Some("userName eq \"ann@example.com\"".to_owned());
    let bob = |id: &str| with(user(id), "/userName", "bob@example.com".into());
    let answer = |rows: Vec<Value>| exchange("GET", "/Users?filter=x", 200, list(rows));
    let matching = json!({"list": {"ours": ["a"], "foreign": "matching"}});
    assert_eq!(
        failed(&world.judge(matching.clone(), &answer(vec![user("a"), user("x")]))),
        Vec::<&str>::new()
    );
    assert_eq!(failed(&world.judge(matching.clone(), &answer(vec![user("a"), bob("x")]))), ["list.foreign"]);
    let none = json!({"list": {"ours": ["a"], "foreign": "none"}});
    // Another case of this run may hold what matches too; what does not match is wrong whosever it is.
    assert_eq!(
        failed(&world.judge(none.clone(), &answer(vec![user("a"), user("other-case")]))),
        Vec::<&str>::new()
    );
    assert_eq!(failed(&world.judge(none, &answer(vec![user("a"), bob("other-case")]))), ["list.foreign"]);
    world.filter = Some("userName xx".to_owned());
    assert!(world.judge(matching, &answer(vec![user("a"), user("x")])).error.is_some());
}

#[test]
fn a_projection_shows_too_little_to_judge_strangers() {
    let mut world = World::with_users(&["a"]);
    world.filter = Some("userName eq \"ann@example.com\"".to_owned());
    let row = json!({"schemas": [names::USER], "id": "x"});
    let answer = exchange("GET", "/Users?attributes=id&filter=x", 200, list(vec![user("a"), row]));
    let expect = json!({"list": {"ours": ["a"], "foreign": "matching"}});
    assert_eq!(failed(&world.judge(expect, &answer)), Vec::<&str>::new());
}

#[test]
fn a_capped_page_is_no_failure() {
    let world = World::with_users(&["a", "b", "c"]);
    let capped = with(list(vec![user("a")]), "/totalResults", 3.into());
    let judgement =
        world.judge(json!({"list": {"ours": ["a", "b", "c"]}}), &exchange("GET", "/Users", 200, capped));
    assert_eq!(found(&judgement), [("list.ours", Severity::Warning)]);
    let wrong = with(list(vec![user("c")]), "/totalResults", 3.into());
    let judgement =
        world.judge(json!({"list": {"ours": ["a"]}}), &exchange("GET", "/Users?count=1", 200, wrong));
    assert_eq!(failed(&judgement), ["list.ours"], "the page had room for what was asked");
}

#[test]
fn an_empty_list_may_leave_resources_out() {
    let world = World::with_users(&["a"]);
    for body in [
        json!({"schemas": [names::LIST_RESPONSE], "totalResults": 0}),
        json!({"schemas": [names::LIST_RESPONSE], "totalResults": 0, "Resources": []}),
        json!({"schemas": [names::LIST_RESPONSE], "totalResults": 0, "Resources": null}),
    ] {
        let judgement = world
            .judge(json!({"list": {"ours": [], "foreign": "none"}}), &exchange("GET", "/Users", 200, body));
        assert_eq!(failed(&judgement), Vec::<&str>::new());
    }
    for body in
        [json!([]), json!({"Resources": {}, "schemas": [names::LIST_RESPONSE]}), json!({"totalResults": 0})]
    {
        let judgement = world.judge(json!({"list": {"ours": []}}), &exchange("GET", "/Users", 200, body));
        assert_eq!(failed(&judgement), ["list"]);
    }
}

// --- resource --------------------------------------------------------------------------------------------

#[test]
fn a_resource_keeps_its_schemas() {
    let world = World::default();
    for (body, expected) in [
        (user("1"), vec![]),
        (with(user("1"), "/active", "true".into()), vec![("resource", Severity::Failure)]),
        (with(user("1"), "/userName", Value::Null), vec![("resource", Severity::Failure)]),
        (with(user("1"), "/shoeSize", 44.into()), vec![("resource", Severity::Warning)]),
        (with(user("1"), "/meta/resourceType", "Users".into()), vec![("resource", Severity::Failure)]),
        (with(user("1"), "/meta/created", "2026-11-22T10:00:00.123456+00:00".into()), vec![]),
    ] {
        let judgement =
            world.judge(json!({"resource": "User"}), &exchange("GET", "/Users/1", 200, body.clone()));
        assert_eq!(found(&judgement), expected, "{body}: {judgement:#?}");
    }
    assert!(world.judge(json!({"resource": "Unicorn"}), &get_user()).error.is_some());
}

// --- checks ----------------------------------------------------------------------------------------------

#[test]
fn checks_hold_and_break() {
    let mut world = World::with_users(&["1"]);
    world.scope.insert("since", json!("2026-11-22T09:00:00Z"));
    let answer = with_header(with_header(get_user(), "ETag", "W/\"1\""), "Location", "/scim/v2/Users/1");
    for (check, holds) in [
        (json!({"path": "$.id", "equals": "1"}), true),
        (json!({"path": "$.id", "equals": "2"}), false),
        (json!({"path": "$.id", "equals": 1}), false),
        (json!({"path": "$.nothing", "equals": null}), true),
        (json!({"path": "$.nothing", "equals": "x"}), false),
        (json!({"path": "$.userName", "equals-ci": "ANN@EXAMPLE.COM"}), true),
        (json!({"path": "$.userName", "equals-ci": "BOB@EXAMPLE.COM"}), false),
        (json!({"path": "$.id", "differs": "2"}), true),
        (json!({"path": "$.id", "differs": "${1.id}"}), false),
        (json!({"path": "$.id", "one-of": ["1", "2"]}), true),
        (json!({"path": "$.id", "one-of": ["2", "3"]}), false),
        (json!({"path": "$.meta.version", "same-as": "header ETag"}), true),
        (json!({"path": "$.meta.location", "same-as": "header Location"}), true),
        (json!({"path": "$.id", "same-as": "$.userName"}), false),
        (json!({"path": "$.active", "type": "boolean"}), true),
        (json!({"path": "$.active", "type": "string"}), false),
        (json!({"path": "$.meta.created", "is": "date-time"}), true),
        (json!({"path": "$.id", "is": "date-time"}), false),
        (json!({"path": "$.meta.location", "is": "uri"}), true),
        (json!({"path": "$.id", "is": "uri"}), false),
        (json!({"path": "$.meta.location", "locates": "1"}), true),
        (json!({"header": "Location", "locates": "%31"}), false),
        (json!({"header": "Location", "locates": "${1.id}"}), true),
        (json!({"path": "$.meta.location", "locates": "2"}), false),
        (json!({"path": "$.id", "locates": "1"}), false),
        (json!({"path": "$.id", "is": "uri-reference"}), true),
        (json!({"path": "$.schemas[0]", "is": "urn"}), true),
        (json!({"path": "$.id", "is": "urn"}), false),
        (json!({"path": "$.id", "is": "integer"}), true),
        (json!({"path": "$.userName", "is": "integer"}), false),
        (json!({"header": "etag", "is": "etag"}), true),
        (json!({"header": "Location", "is": "etag"}), false),
        (json!({"path": "$.id", "present": true}), true),
        (json!({"path": "$.title", "present": true}), false),
        (json!({"path": "$.id", "nonempty": true}), true),
        (json!({"path": "$.title", "nonempty": true}), false),
        (json!({"path": "$.title", "absent": true}), true),
        (json!({"path": "$.id", "absent": true}), false),
        (json!({"path": "$.title", "empty": true}), true),
        (json!({"path": "$.id", "empty": true}), false),
        (json!({"path": "$.emails", "length": 2}), true),
        (json!({"path": "$.emails", "length": 1}), false),
        (json!({"path": "$.id", "length": 1}), true),
        (json!({"path": "$.id", "min": 1}), true),
        (json!({"path": "$.id", "min": 2}), false),
        (json!({"path": "$.id", "max": 1}), true),
        (json!({"path": "$.id", "max": 0}), false),
        (json!({"path": "$.userName", "includes": "@example"}), true),
        (json!({"path": "$.userName", "includes": "@other"}), false),
        (json!({"path": "$.userName", "excludes": "@other"}), true),
        (json!({"path": "$.userName", "excludes": "@example"}), false),
        (json!({"path": "$.userName", "matches": "^[a-z]+@"}), true),
        (json!({"path": "$.userName", "matches": "^[0-9]+@"}), false),
        (json!({"path": "$.meta.created", "after": "${since}"}), true),
        (json!({"path": "$.meta.created", "before": "${since}"}), false),
        (json!({"path": "$.meta.created", "before": "2026-11-22T12:00:00+01:00"}), true),
        (json!({"path": "$.emails[*].type", "equals": "work"}), false),
        (json!({"each": "$.emails[*].value", "includes": "@"}), true),
        (json!({"each": "$.emails[*].type", "equals": "work"}), false),
        (json!({"each": "$.phones[*].type", "equals": "work"}), false),
        (json!({"each": "$.phones[*].type", "equals": "work", "or-none": true}), true),
        (json!({"values": "$.emails[*].type", "set": ["home", "work"]}), true),
        (json!({"values": "$.emails[*].type", "set": ["work"]}), false),
        (json!({"values": "$.emails[*].type", "includes": ["work"]}), true),
        (json!({"values": "$.emails[*].type", "includes": ["other"]}), false),
        (json!({"values": "$.emails[*].type", "excludes": ["other"]}), true),
        (json!({"values": "$.emails[*].type", "excludes": "work"}), false),
        (json!({"values": "$.emails[*]", "length": 2}), true),
        (json!({"values": "$.emails[*]", "min": 3}), false),
        (json!({"values": "$.phones[*]", "empty": true}), true),
        (json!({"values": "$.emails[?@.value == \"${1.userName}\"].type", "set": ["work"]}), true),
        (json!({"header": "Retry-After", "absent": true}), true),
        (json!({"header": "ETag", "absent": true}), false),
        (json!({"elapsed": true, "at-most": "1s"}), true),
        (json!({"elapsed": true, "at-most": "10ms"}), false),
    ] {
        let judgement = world.judge(json!({"status": 200, "checks": [check.clone()]}), &answer);
        assert_eq!(judgement.error, None, "{check}");
        assert_eq!(judgement.findings.is_empty(), holds, "{check}: {judgement:#?}");
        if let Some(finding) = judgement.findings.first() {
            assert_eq!(finding.check, "checks[0]");
            assert!(finding.message.starts_with("GET /Users/{id}: "), "{}", finding.message);
            assert!(!finding.expected.is_empty() && !finding.actual.is_empty());
        }
        assert!(judgement.status_held, "a wrong check does not end the case");
    }
}

#[test]
fn a_check_that_makes_no_sense_is_an_error_of_the_suite() {
    let world = World::default();
    for check in [
        json!({"path": "$.id"}),
        json!({"equals": "1"}),
        json!({"path": "$.id", "header": "ETag", "equals": "1"}),
        json!({"path": "$.id", "equals": "1", "nonempty": true}),
        json!({"path": "$[", "equals": "1"}),
        json!({"path": "$.id", "matches": "("}),
        json!({"path": "$.id", "before": "yesterday"}),
        json!({"elapsed": true, "equals": 5}),
        json!({"values": "$.id", "set": "1"}),
    ] {
        let judgement = world.judge(json!({"checks": [check.clone()]}), &get_user());
        assert!(judgement.error.is_some(), "{check}");
    }
}

#[test]
fn a_check_has_a_level_of_its_own_and_says_what_came() {
    let world = World::default();
    let answer = exchange("GET", "/Users/1", 200, with(user("1"), "/active", "true".into()));
    let judgement = world.judge(
        json!({"status": 200, "checks": [{"path": "$.active", "type": "boolean", "level": "should"}]}),
        &answer,
    );
    assert_eq!(found(&judgement), [("checks[0]", Severity::Warning)]);
    assert_eq!(message(&judgement), "GET /Users/{id}: $.active is \"true\" (a string), expected a boolean");
    assert_eq!(judgement.findings[0].signature.actual, "string");
    let long = exchange("GET", "/Users/1", 200, with(user("1"), "/title", "ä".repeat(5000).into()));
    let judgement = world.judge(json!({"checks": [{"path": "$.title", "equals": "x"}]}), &long);
    assert!(message(&judgement).len() < 600);
}

#[test]
fn an_answer_without_body_has_nothing_absent() {
    let empty = exchange("DELETE", "/Users/1", 204, Value::Null);
    let world = World::default();
    let absent = json!({"status": 204, "checks": [{"path": "$.password", "absent": true}]});
    assert_eq!(failed(&world.judge(absent, &empty)), Vec::<&str>::new());
    let there = json!({"status": 204, "checks": [{"path": "$.id", "nonempty": true}]});
    assert_eq!(failed(&world.judge(there, &empty)), ["checks[0]"]);
}

// --- requires, any, also, never --------------------------------------------------------------------------

#[test]
fn what_is_not_claimed_is_not_judged() {
    let world = World { claims: AllBut(&[Capability::Sort]), ..World::default() };
    let judgement = world.judge(json!({"status": 400, "requires": ["sort"]}), &get_user());
    assert!(judgement.findings.is_empty() && judgement.status_held);
    assert_eq!(judgement.notes, ["not judged, needs sort: ServiceProviderConfig.sort.supported = false"]);
    let blocks = json!({
        "status": 200,
        "checks": [{"path": "$.id", "equals": "x", "requires": ["sort"]}],
        "also": [{"requires": ["sort"], "body": {"userName": "x"}}, {"requires": [{"not": "sort"}], "body": {"userName": "x"}}],
        "any": [{"requires": ["sort"], "status": 200, "name": "sorted"}, {"status": 200, "name": "plain"}],
    });
    let judgement = world.judge(blocks, &get_user());
    assert_eq!(failed(&judgement), ["also[1].body"]);
    assert_eq!(judgement.matched.as_deref(), Some("plain"));
    assert_eq!(judgement.notes.len(), 3, "{:?}", judgement.notes);
}

#[test]
fn the_first_alternative_that_holds_is_taken() {
    let world = World::with_users(&["1"]);
    let expect = json!({"any": [
        {"name": "refused", "error": {"status": 400, "scimType": "invalidFilter"}},
        {"name": "empty", "status": 200, "list": {"ours": [], "foreign": "none"}},
        {"name": "odd", "error": {"status": 501}, "verdict": "warn", "strict": "fail", "why": "501 says that the feature is missing"},
        {"name": "known", "status": 404, "verdict": "note"},
        {"name": "wrong", "status": 403, "verdict": "fail", "why": "it is not forbidden"},
    ]});
    let refused = exchange("GET", "/Users", 400, error(400, Some("invalidFilter")));
    let judgement = world.judge(expect.clone(), &refused);
    assert_eq!((found(&judgement), judgement.matched.as_deref()), (vec![], Some("refused")));
    let empty = exchange("GET", "/Users", 200, list(vec![]));
    let judgement = world.judge(expect.clone(), &empty);
    assert_eq!((found(&judgement), judgement.matched.as_deref()), (vec![], Some("empty")));

    let odd = exchange("GET", "/Users", 501, error(501, None));
    let judgement = world.judge(expect.clone(), &odd);
    assert_eq!(
        (found(&judgement), judgement.matched.as_deref()),
        (vec![("any", Severity::Warning)], Some("odd"))
    );
    assert_eq!(
        message(&judgement),
        "GET /Users answered 501 (Not Implemented): 501 says that the feature is missing"
    );
    let strict = World { reading: Reading::Strict, ..World::with_users(&["1"]) };
    assert_eq!(found(&strict.judge(expect.clone(), &odd)), [("any", Severity::Failure)]);
    let known = exchange("GET", "/Users", 404, error(404, None));
    assert_eq!(found(&world.judge(expect.clone(), &known)), [("any", Severity::Note)]);
    let wrong = exchange("GET", "/Users", 403, error(403, None));
    assert_eq!(found(&world.judge(expect.clone(), &wrong)), [("any", Severity::Failure)]);

    // The alternative whose status matched is the one that is shown.
    let full = exchange("GET", "/Users", 200, list(vec![user("1")]));
    let judgement = world.judge(expect.clone(), &full);
    assert_eq!(failed(&judgement), ["list.ours"]);
    assert!(judgement.status_held && judgement.matched.is_none());
    assert_eq!(
        judgement.findings[0].place.as_ref().map(|place| place.file.as_str()),
        Some("expect.any[1].list.ours")
    );

    // None matched: all acceptable answers are listed, those that fail anyway left out.
    let conflict = exchange("GET", "/Users", 409, error(409, None));
    let judgement = world.judge(expect, &conflict);
    assert_eq!(failed(&judgement), ["status"]);
    assert!(!judgement.status_held);
    assert_eq!(
        message(&judgement),
        "GET /Users answered 409 (Conflict), expected 400 (Bad Request) with scimType invalidFilter, 200 (OK), 501 (Not Implemented) or 404 (Not Found)"
    );
}

#[test]
fn otherwise_decides_when_none_holds() {
    let world = World::default();
    let expect = |otherwise: &str| json!({"any": [{"status": 204}], "otherwise": otherwise});
    for (otherwise, expected) in [
        ("pass", vec![]),
        ("note", vec![("status", Severity::Note)]),
        ("warn", vec![("status", Severity::Warning)]),
        ("fail", vec![("status", Severity::Failure)]),
    ] {
        assert_eq!(found(&world.judge(expect(otherwise), &get_user())), expected);
    }
}

#[test]
fn an_alternative_is_not_broken_by_a_remark() {
    let world = World::default();
    let answer = exchange("PATCH", "/Users/1", 400, with(error(400, None), "/status", 400.into()));
    let expect =
        json!({"any": [{"name": "refused", "error": {"status": 400, "usual-scimType": "noTarget"}}]});
    let judgement = world.judge(expect, &answer);
    assert_eq!(judgement.matched.as_deref(), Some("refused"));
    assert_eq!(found(&judgement), [("error.status", Severity::Warning), ("error.scimType", Severity::Note)]);
}

#[test]
fn also_is_judged_apart() {
    let world = World::default();
    let expect = json!({
        "status": 200,
        "body": {"userName": "other"},
        "also": [
            {"level": "should", "title": "the answer is whole", "spec": ["RFC8259-4-01"], "checks": [{"path": "$.title", "present": true}]},
            {"body": {"active": true}},
        ],
    });
    let judgement = world.judge(expect, &get_user());
    assert_eq!(found(&judgement), [("body", Severity::Failure), ("also[0].checks[0]", Severity::Warning)]);
    let also = &judgement.findings[1];
    assert!(also.message.starts_with("the answer is whole: "));
    assert_eq!(also.requirements, ["RFC8259-4-01"]);
    assert_eq!(also.place.as_ref().map(|place| place.file.as_str()), Some("expect.also[0].checks[0]"));
    // Under a wrong status they would be echo.
    let refused = exchange("GET", "/Users/1", 404, error(404, None));
    let judgement = world.judge(json!({"status": 200, "also": [{"body": {"userName": "x"}}]}), &refused);
    assert_eq!(failed(&judgement), ["status"]);
}

#[test]
fn a_mere_check_beside_a_refusal_does_not_ask_for_success() {
    let world = World::default();
    let refused = exchange("GET", "/Users/1", 404, error(404, None));
    let expect = json!({"error": {"status": 404}, "also": [{"level": "should", "body": {"status": "404"}}]});
    assert_eq!(found(&world.judge(expect, &refused)), []);
}

#[test]
fn never_comes_first() {
    let world = World::with_users(&["1"]);
    let expect = json!({
        "any": [{"error": {"status": 400}}, {"status": 200, "list": {"ours": []}}],
        "never": [
            {"because": "the filter was ignored and everything came back", "status": 200, "list": {"ours": "some"}, "spec": ["RFC7644-3.4.2.2-02"]},
            {"because": "a password is shown", "checks": [{"path": "$..password", "present": true}]},
        ],
    });
    let full = exchange("GET", "/Users", 200, list(vec![user("1")]));
    let judgement = world.judge(expect.clone(), &full);
    assert_eq!(found(&judgement), [("never[0]", Severity::Failure)]);
    assert_eq!(message(&judgement), "GET /Users: the filter was ignored and everything came back");
    assert_eq!(judgement.findings[0].requirements, ["RFC7644-3.4.2.2-02"]);
    let empty = exchange("GET", "/Users", 200, list(vec![]));
    assert_eq!(found(&world.judge(expect.clone(), &empty)), []);
    // Without a status of its own it looks at every answer.
    let leak = exchange("GET", "/Users", 400, with(error(400, None), "/password", "x".into()));
    assert_eq!(found(&world.judge(expect, &leak)), [("never[1]", Severity::Failure)]);
}

#[test]
fn findings_keep_their_fingerprint_whatever_the_ids() {
    let world = World::default();
    let expect = json!({"body": {"userName": "x", "emails": [{"value": "y"}]}});
    let one = world.judge(expect.clone(), &exchange("GET", "/Users/1", 200, user("1")));
    let other = with(user("b7"), "/userName", "zoe@example.com".into());
    let two = world.judge(expect, &exchange("GET", "/Users/b7", 200, other));
    assert_eq!(one.findings[0].fingerprint("c"), two.findings[0].fingerprint("c"));
    assert!(!one.findings[0].signature.actual.contains("ann"));
}

#[test]
fn the_slowness_that_is_shown_is_that_of_the_answer() {
    let mut slow = get_user();
    slow.elapsed = Duration::from_millis(1500);
    let judgement = World::default().judge(json!({"checks": [{"elapsed": true, "at-most": "600ms"}]}), &slow);
    assert_eq!(message(&judgement), "GET /Users/{id}: the answer took 1500 ms, at most 600 ms expected");
}

fn any_json() -> impl Strategy<Value = Value> {
    let name = prop_oneof![
        Just("schemas".to_owned()),
        Just("id".to_owned()),
        Just("emails".to_owned()),
        Just("Resources".to_owned()),
        Just("totalResults".to_owned()),
        Just("status".to_owned()),
        Just("value".to_owned()),
        "[a-zA-Z$:.\\[\\]é]{0,6}",
    ];
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        ".{0,200}".prop_map(Value::from),
    ];
    leaf.prop_recursive(6, 48, 6, move |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            proptest::collection::vec((name.clone(), inner), 0..6)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn no_answer_makes_the_judge_panic(
        body in any_json(),
        state in any_json(),
        status in prop_oneof![Just(200_u16), Just(400), Just(404)],
        path in prop_oneof![Just("/Users"), Just("/Users/1"), Just("/Nothing"), Just("/")],
    ) {
        let mut world = World::with_users(&["a"]);
        world.ours.insert("b", Handle { resource_type: "User".into(), id: None, state: Some(state.clone()) });
        world.sent.insert("s".to_owned(), state.clone());
        world.filter = Some("emails[type eq \"x\"] or not (userName pr)".to_owned());
        let answer = exchange("GET", path, status, body);
        for expect in [
            json!({"any": [{"error": {"status": 400, "usual-scimType": "x"}}, {"status": 200, "body": state}], "otherwise": "warn"}),
            json!({"status": [200, 400, 404], "list": {"ours": ["a"], "foreign": "matching", "ordered": true}}),
            json!({"status": [200, 400, 404], "becomes": {"from": "b", "set": {"title": null}}}),
            json!({"status": [200, 400, 404], "becomes": {"sent": "s", "without": ["emails"]}}),
            json!({"status": [200, 400, 404], "becomes": {"from": "b", "patched-by": "s"}}),
            json!({"status": [200, 400, 404], "resource": "User"}),
            json!({"status": [200, 400, 404], "checks": [{"each": "$..id", "length": 2}, {"values": "$..*", "includes": [1]}, {"path": "$", "same-as": "$.id"}]}),
        ] {
            for finding in world.judge(expect, &answer).findings {
                prop_assert!(!finding.message.is_empty());
            }
        }
    }
}
