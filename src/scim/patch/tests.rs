use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::scim::definition::ResourceDefinition;
use crate::scim::error::ScimType;
use crate::scim::schema::{Schema, SchemaSet};
use crate::scim::validate::{ValidationPurpose, ViolationKind, validate};

const STRICT: PatchOptions = PatchOptions {
    lower_case_op_only: false,
    boolean_strings: false,
    add_creates_from_filter: false,
    replace_creates_from_filter: false,
    remove_listed_values: false,
    path_keys: false,
    extension_paths: false,
    ignore_read_only_members: false,
    ignore_unknown: false,
    max_operations: None,
};

fn user() -> ResourceDefinition {
    SchemaSet::core().definition("User").unwrap()
}

fn run(
    definition: &ResourceDefinition,
    resource: Value,
    operations: Value,
    options: PatchOptions,
) -> Result<Value, ScimError> {
    let body = json!({"schemas": [names::PATCH_OP], "Operations": operations});
    apply(&PatchRequest::parse(&body, options)?, &resource, definition, options)
}

fn patched(resource: Value, operations: Value, options: PatchOptions) -> Value {
    run(&user(), resource, operations, options).unwrap()
}

fn refused(resource: Value, operations: Value, options: PatchOptions) -> ScimType {
    let error = run(&user(), resource, operations, options).unwrap_err();
    assert_eq!(error.status, 400);
    error.scim_type.unwrap()
}

#[test]
fn the_default_is_strict() {
    assert_eq!(PatchOptions::default(), STRICT);
    let boolean = json!([{"op": "Replace", "path": "active", "value": "False"}]);
    assert_eq!(refused(json!({}), boolean.clone(), STRICT), ScimType::InvalidValue);
    assert_eq!(patched(json!({}), boolean.clone(), PatchOptions::entra()), json!({"active": false}));
    let lower = PatchOptions { lower_case_op_only: true, ..PatchOptions::entra() };
    assert_eq!(refused(json!({}), boolean, lower), ScimType::InvalidSyntax);
}

#[test]
fn entra_creates_from_filters_and_removes_listed_values() {
    let add = json!([{"op": "Add", "path": "emails[type eq \"work\"].value", "value": "a@example.com"}]);
    assert_eq!(refused(json!({}), add.clone(), STRICT), ScimType::NoTarget);
    assert_eq!(
        patched(json!({}), add, PatchOptions::entra()),
        json!({"emails": [{"type": "work", "value": "a@example.com"}]})
    );
    let group = SchemaSet::core().definition("Group").unwrap();
    let resource = json!({"displayName": "g", "members": [{"value": "1", "type": "User"}, {"value": "2"}]});
    let remove = json!([{"op": "remove", "path": "members", "value": [{"value": "1"}]}]);
    let left = run(&group, resource.clone(), remove.clone(), PatchOptions::entra()).unwrap();
    assert_eq!(left["members"], json!([{"value": "2"}]));
    assert_eq!(run(&group, resource, remove, STRICT).unwrap().get("members"), None);
    let keys = json!([{"op": "add", "value": {
        "name.givenName": "A", "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:department": "D"
    }}]);
    assert_eq!(refused(json!({}), keys.clone(), STRICT), ScimType::InvalidPath);
    assert_eq!(
        patched(json!({"schemas": [names::USER]}), keys, PatchOptions::entra()),
        json!({
            "schemas": [names::USER, names::ENTERPRISE_USER], "name": {"givenName": "A"},
            names::ENTERPRISE_USER: {"department": "D"}
        })
    );
}

#[test]
fn schemas_and_containers_stay_together() {
    let resource = json!({
        "schemas": [names::USER, names::ENTERPRISE_USER], "userName": "a", names::ENTERPRISE_USER: {"department": "D"}
    });
    let path = |name: &str| format!("{}:{name}", names::ENTERPRISE_USER);
    let bare = json!({"schemas": [names::USER], "userName": "a"});
    for operations in [
        json!([{"op": "remove", "path": path("department")}]),
        json!([{"op": "replace", "path": path("department"), "value": null}]),
        json!([{"op": "remove", "path": format!("schemas[value eq \"{}\"]", names::ENTERPRISE_USER)}]),
        json!([{"op": "replace", "path": "schemas", "value": [names::USER]}]),
        json!([{"op": "replace", "value": {names::ENTERPRISE_USER: null}}]),
    ] {
        assert_eq!(patched(resource.clone(), operations.clone(), STRICT), bare, "{operations}");
    }
    let listed = json!({"schemas": [names::USER, names::ENTERPRISE_USER], "userName": "a"});
    let nothing = json!([{"op": "remove", "path": path("division")}]);
    assert_eq!(patched(listed.clone(), nothing.clone(), STRICT), listed);
    assert_eq!(patched(bare.clone(), nothing, STRICT), bare);
    let lost = json!([{"op": "replace", "path": "schemas", "value": [names::ENTERPRISE_USER]}]);
    assert_eq!(refused(resource.clone(), lost, STRICT), ScimType::Mutability);
    let strange = json!([{"op": "add", "path": "schemas", "value": ["urn:x"]}]);
    assert_eq!(refused(resource.clone(), strange, STRICT), ScimType::InvalidValue);
    let whole = json!([{"op": "remove", "path": names::ENTERPRISE_USER}]);
    assert_eq!(refused(resource.clone(), whole.clone(), STRICT), ScimType::InvalidPath);
    assert_eq!(patched(resource, whole, PatchOptions::entra()), bare);
}

#[test]
fn one_value_is_primary() {
    let resource = json!({"emails": [{"value": "a", "primary": true}, {"value": "b"}]});
    let expected = json!({"emails": [{"value": "a", "primary": false}, {"value": "b", "primary": true}]});
    for operation in [
        json!({"op": "add", "path": "emails[value eq \"b\"].primary", "value": true}),
        json!({"op": "replace", "path": "emails[value eq \"b\"]", "value": {"value": "b", "primary": true}}),
        json!({"op": "add", "path": "emails", "value": [{"value": "b", "primary": true}]}),
        json!({"op": "add", "value": {"emails": {"value": "b", "primary": true}}}),
    ] {
        assert_eq!(patched(resource.clone(), json!([operation]), STRICT), expected, "{operation}");
    }
    let both = json!([{"op": "replace", "path": "emails.primary", "value": true}]);
    assert_eq!(refused(resource.clone(), both, STRICT), ScimType::InvalidValue);
    let two = json!([{"op": "add", "path": "emails", "value": [{"value": "c", "primary": true}, {"value": "d", "primary": true}]}]);
    assert_eq!(refused(resource, two, STRICT), ScimType::InvalidValue);
}

#[test]
fn what_is_there_already_changes_nothing() {
    let group = SchemaSet::core().definition("Group").unwrap();
    let resource =
        json!({"id": "7", "displayName": "g", "members": [{"value": "1", "$ref": "x", "type": "User"}]});
    for operation in [
        json!({"op": "add", "path": "members", "value": [{"value": "1", "display": "One"}]}),
        json!({"op": "add", "path": "members", "value": []}),
        json!({"op": "replace", "value": {"id": "7", "displayName": "g"}}),
        json!({"op": "remove", "path": "members[value eq \"2\"]"}),
        json!({"op": "replace", "path": "members[value eq \"1\"].value", "value": "1"}),
    ] {
        assert_eq!(
            run(&group, resource.clone(), json!([operation]), STRICT).unwrap(),
            resource,
            "{operation}"
        );
    }
    let other = json!([{"op": "replace", "value": {"id": "8"}}]);
    assert_eq!(run(&group, resource, other, STRICT).unwrap_err().scim_type, Some(ScimType::Mutability));
}

#[test]
fn immutable_attributes_are_written_once() {
    let schema = Schema::from_json(&json!({"id": "urn:t", "attributes": [
        {"name": "once", "type": "string", "multiValued": false, "mutability": "immutable"},
        {"name": "list", "type": "string", "multiValued": true, "mutability": "immutable", "caseExact": true},
        {"name": "must", "type": "complex", "multiValued": true, "required": true, "subAttributes": [
            {"name": "value", "type": "integer", "multiValued": false, "required": true}]}
    ]}));
    let definition = ResourceDefinition::new("T".into(), "/T".into(), schema.value.unwrap(), vec![]);
    let resource = json!({"must": [{"value": 1}]});
    let add = json!([{"op": "add", "value": {"once": "a", "list": ["x"]}}]);
    let written = run(&definition, resource, add, STRICT).unwrap();
    assert_eq!(written, json!({"must": [{"value": 1}], "once": "a", "list": ["x"]}));
    for (operation, scim_type) in [
        (json!({"op": "replace", "path": "once", "value": "b"}), ScimType::Mutability),
        (json!({"op": "remove", "path": "once"}), ScimType::Mutability),
        (json!({"op": "add", "path": "list", "value": ["y"]}), ScimType::Mutability),
        (json!({"op": "remove", "path": "list[value eq \"x\"]"}), ScimType::Mutability),
        (json!({"op": "remove", "path": "must[value eq 1]"}), ScimType::Mutability),
        (json!({"op": "remove", "path": "must[value eq 1].value"}), ScimType::Mutability),
        (json!({"op": "replace", "path": "must", "value": []}), ScimType::InvalidValue),
        (json!({"op": "replace", "path": "must", "value": [{"value": 1.5}]}), ScimType::InvalidValue),
        (json!({"op": "replace", "path": "must", "value": [{"type": "x"}]}), ScimType::InvalidValue),
        (json!({"op": "replace", "path": "once[value eq \"a\"]", "value": "b"}), ScimType::InvalidPath),
        (
            json!({"op": "replace", "path": "must[value eq \"a\"]", "value": {"value": 2}}),
            ScimType::InvalidFilter,
        ),
    ] {
        let error = run(&definition, written.clone(), json!([operation]), STRICT).unwrap_err();
        assert_eq!(error.scim_type, Some(scim_type), "{operation}: {error}");
    }
    let again =
        json!([{"op": "add", "path": "once", "value": "A"}, {"op": "add", "path": "list", "value": ["x"]}]);
    assert!(run(&definition, written, again, STRICT).is_ok());
}

#[test]
fn what_is_read_only_stays() {
    let resource = json!({
        "userName": "a", "groups": [{"value": "g"}], "meta": {"created": "2020-01-01T00:00:00Z"},
        names::ENTERPRISE_USER: {"manager": {"value": "1", "displayName": "M"}}
    });
    let manager = format!("{}:manager.displayName", names::ENTERPRISE_USER);
    for operation in [
        json!({"op": "remove", "path": "groups[value eq \"g\"]"}),
        json!({"op": "remove", "path": "groups"}),
        json!({"op": "add", "path": "groups[value eq \"g\"].display", "value": "G"}),
        json!({"op": "replace", "path": "groups.display", "value": "G"}),
        json!({"op": "remove", "path": "meta.created"}),
        json!({"op": "remove", "path": manager}),
        json!({"op": "replace", "path": manager, "value": "N"}),
        json!({"op": "add", "value": {"meta": {"created": "2021-01-01T00:00:00Z"}}}),
    ] {
        assert_eq!(
            refused(resource.clone(), json!([operation]), STRICT),
            ScimType::Mutability,
            "{operation}"
        );
    }
    let members = json!([{"op": "replace", "value": {"groups": [], "title": "T"}}]);
    let mild = PatchOptions { ignore_read_only_members: true, ..STRICT };
    let after = patched(resource.clone(), members, mild);
    assert_eq!((&after["groups"], &after["title"]), (&resource["groups"], &json!("T")));
}

#[test]
fn the_request_is_bounded() {
    let operations = vec![json!({"op": "remove", "path": "title"}); 3];
    let body = json!({"schemas": [names::PATCH_OP], "Operations": operations});
    assert!(PatchRequest::parse(&body, STRICT).is_ok());
    let bounded = PatchOptions { max_operations: Some(2), ..STRICT };
    assert!(PatchRequest::parse(&body, bounded).is_err());
    let mut deep = json!(1);
    for _ in 0..100 {
        deep = json!([deep]);
    }
    assert_eq!(
        refused(json!({}), json!([{"op": "add", "path": "title", "value": deep}]), STRICT),
        ScimType::InvalidSyntax
    );
    let members: Vec<Value> = (0..20_000).map(|it| json!({"value": it.to_string()})).collect();
    let group = SchemaSet::core().definition("Group").unwrap();
    let add = json!([{"op": "add", "path": "members", "value": members}]);
    let resource = json!({"displayName": "g", "members": members});
    assert_eq!(run(&group, resource.clone(), add, STRICT).unwrap(), resource);
}

fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::Bool),
        (0..3_i64).prop_map(Value::from),
        proptest::sample::select(vec!["work", "home", "a@example.com", "b@example.com", "x", ""])
            .prop_map(Value::from),
    ];
    let names =
        proptest::sample::select(vec!["value", "type", "primary", "display", "givenName", "Department", "x"]);
    leaf.prop_recursive(2, 12, 3, move |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..3).prop_map(Value::from),
            proptest::collection::vec((names.clone(), inner), 0..3).prop_map(|members| members
                .into_iter()
                .map(|(name, value)| (name.to_owned(), value))
                .collect()),
        ]
    })
}

fn operation() -> impl Strategy<Value = Value> {
    let paths = vec![
        "userName",
        "title",
        "active",
        "name",
        "name.givenName",
        "emails",
        "emails.type",
        "emails.primary",
        "id",
        "schemas",
        "emails[type eq \"work\"]",
        "emails[type eq \"work\"].value",
        "emails[primary eq true].type",
        "groups",
        "meta.created",
        "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:department",
        "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:manager.value",
        "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User",
    ];
    let whole = prop_oneof![
        value().prop_map(|value| json!({"emails": value})),
        value().prop_map(|value| json!({"name": value, "title": "T"})),
        value()
            .prop_map(|value| json!({"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User": value})),
    ];
    let ops = proptest::sample::select(vec!["add", "remove", "replace"]);
    prop_oneof![
        4 => (ops.clone(), proptest::sample::select(paths), value())
            .prop_map(|(op, path, value)| json!({"op": op, "path": path, "value": value})),
        1 => (ops, whole).prop_map(|(op, value)| json!({"op": op, "value": value})),
    ]
}

proptest! {
    /// Whatever is sent, what comes out is a legal resource; and a replace that was done can be done again
    /// without a further change.
    #[test]
    fn a_legal_resource_stays_legal(operations in proptest::collection::vec(operation(), 1..5), is_mild in any::<bool>()) {
        let options = if is_mild { PatchOptions::entra() } else { STRICT };
        let mut resource = json!({
            "schemas": [names::USER], "id": "1", "userName": "a", "active": true,
            "emails": [{"value": "a@example.com", "type": "work", "primary": true}, {"value": "b@example.com", "type": "home"}]
        });
        for operation in operations {
            let Ok(after) = run(&user(), resource.clone(), json!([operation]), options) else { continue };
            let broken: Vec<_> = validate(&after, &user(), ValidationPurpose::Answer)
                .into_iter()
                .filter(|it| it.kind != ViolationKind::Never)
                .collect();
            prop_assert!(broken.is_empty(), "{operation} makes of {resource}\n{after}\n{broken:?}");
            // What is written anew keeps its place unless its filter no longer finds it.
            if operation["op"] == "add" && !operation["path"].as_str().is_some_and(|path| path.contains('[')) {
                let again = run(&user(), after.clone(), json!([operation]), options);
                prop_assert_eq!(again.as_ref(), Ok(&after), "{}", operation);
            }
            resource = after;
        }
    }
}
