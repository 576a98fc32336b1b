use super::*;
use crate::scim::names;
use crate::scim::schema::Returned;
use serde_json::json;

fn parse(document: Value) -> Result<SchemaFile, SchemaFileError> {
    SchemaFile::parse(&document.to_string(), "f.json")
}

fn device() -> Value {
    json!({"id": "urn:x:Device", "name": "Device", "attributes": [{"name": "serial", "type": "string"}]})
}

fn device_type() -> Value {
    json!({"name": "Device", "endpoint": "/Devices", "schema": "urn:x:Device"})
}

fn file(schemas: Value, resource_types: Value) -> Value {
    json!({"schemas": schemas, "resourceTypes": resource_types})
}

#[test]
fn lists_and_list_responses_are_read() {
    let listed =
        |rows: Value| json!({"schemas": [names::LIST_RESPONSE], "totalResults": 1, "Resources": rows});
    let plain = parse(file(json!([device()]), json!([device_type()]))).unwrap();
    let wrapped = parse(file(listed(json!([device()])), listed(json!([device_type()])))).unwrap();
    assert_eq!(plain, wrapped);
    assert_eq!(plain.notes(), [""; 0]);
    let kinds: Vec<_> = plain.kinds().map(|kind| (kind.name(), kind.segment(), kind.schema())).collect();
    assert_eq!(kinds, [("Device", "Devices", "urn:x:Device")]);
}

#[test]
fn what_the_server_itself_prints_adds_nothing() {
    let core = SchemaSet::core();
    let schemas: Vec<Value> = core.schemas.iter().map(Schema::to_json).collect();
    let types: Vec<Value> = core.resource_types.iter().map(ResourceType::to_json).collect();
    assert_eq!(parse(file(schemas.into(), types.into())).unwrap(), SchemaFile::default());
}

#[test]
fn an_extension_of_user_is_taken_and_the_core_stays() {
    let user = json!({"name": "User", "endpoint": "/Users", "schema": names::USER, "schemaExtensions": [
        {"schema": names::ENTERPRISE_USER, "required": true}, {"schema": "URN:X:device", "required": true}
    ]});
    let schemas = json!([device(), {"id": names::USER, "attributes": []}, {"id": "urn:x:Spare", "attributes": [
        {"name": "a", "type": "string"}
    ]}]);
    let read = parse(file(schemas, json!([user]))).unwrap();
    assert_eq!(read.notes().len(), 2, "{:?}", read.notes());
    let mut set = SchemaSet::core().clone();
    read.add_to(&mut set);
    let extensions = &set.resource_type("User").unwrap().extensions;
    let shown: Vec<_> = extensions.iter().map(|it| (it.schema.as_str(), it.required)).collect();
    assert_eq!(shown, [(names::ENTERPRISE_USER, false), ("urn:x:Device", true)]);
}

#[test]
fn each_slip_is_named_with_its_place() {
    let with = |member: &str, value: Value| {
        let mut changed = device_type();
        changed[member] = value;
        file(json!([device()]), json!([changed]))
    };
    let attribute = |attribute: Value| file(json!([{"id": "urn:x:D", "attributes": [attribute]}]), json!([]));
    let cases = [
        (json!([]), "the file holds an array, expected an object"),
        (json!({"schema": []}), "schema: is no member of a schema file; did you mean `schemas`?"),
        (json!({"schemas": 7}), "schemas: is a number, expected an array, or a ListResponse"),
        (with("endpoint", json!("/users")), "resourceTypes[Device].endpoint: is \"/users\", which a type"),
        (
            with("endpoint", json!("/bulk/")),
            "resourceTypes[Device].endpoint: is \"/bulk/\", which SCIM reserves",
        ),
        (
            with("endpoint", json!("/a/b")),
            "resourceTypes[Device].endpoint: is \"/a/b\", expected one segment",
        ),
        (
            with("schema", json!("urn:x:Devise")),
            "resourceTypes[Device].schema: is \"urn:x:Devise\", which is no schema of this file; did you mean `urn:x:Device`?",
        ),
        (with("schema", json!(names::SCHEMA)), "which is no schema of this file"),
        (with("schema", Value::Null), "resourceTypes[Device].schema: is missing"),
        (with("name", json!("schema")), "resourceTypes[schema].name: is \"schema\", which discovery"),
        (
            with("name", json!("User")),
            "resourceTypes[User].endpoint: is \"Devices\", but User is a type of the core",
        ),
        (
            with("schemaExtensions", json!([{"schema": "urn:x:Device", "required": false}])),
            "schemaExtensions[0].schema: is \"urn:x:Device\", which the type has already",
        ),
        (with("schemaExtensions", json!([{"schema": "urn:y"}])), "schemaExtensions[0].required: is missing"),
        (file(json!([device(), device()]), json!([])), "schemas[urn:x:Device]: is there more than once"),
        (
            file(json!([device()]), json!([device_type(), device_type()])),
            "resourceTypes[Device]: is there more than once",
        ),
        (
            file(json!([{"id": "Device", "attributes": []}]), json!([])),
            "schemas[Device].id: is \"Device\", expected a URN",
        ),
        (file(json!([{"attributes": []}]), json!([])), "schemas[0].id: is missing"),
        (file(json!([{"id": "urn:x:D"}]), json!([])), "schemas[urn:x:D].attributes: is missing"),
        (attribute(json!({"type": "string"})), "attributes[0].name: is missing"),
        (
            attribute(json!({"name": "a b", "type": "string"})),
            "attributes[a b].name: is \"a b\", expected a letter",
        ),
        (
            attribute(json!({"name": "a", "type": "strng"})),
            "attributes[a].type: is \"strng\", expected one of string",
        ),
        (
            attribute(json!({"name": "a", "type": "string", "mutability": "once"})),
            "attributes[a].mutability: is \"once\", expected one of readOnly",
        ),
        (
            attribute(json!({"name": "a", "type": "string", "required": "yes"})),
            "attributes[a].required: is \"yes\", expected true or false",
        ),
        (attribute(json!({"name": "a", "type": "complex"})), "attributes[a].subAttributes: is missing"),
        (
            attribute(json!({"name": "a", "type": "boolean", "uniqueness": "server"})),
            "attributes[a].uniqueness: is server",
        ),
        (
            attribute(
                json!({"name": "a", "type": "complex", "subAttributes": [{"name": "b", "type": "complex", "subAttributes": [{"name": "c", "type": "string"}]}]}),
            ),
            "attributes[a].subAttributes[b].type: is complex",
        ),
    ];
    for (document, expected) in cases {
        let error = parse(document.clone()).expect_err(&document.to_string()).to_string();
        assert!(error.contains(expected), "{error}\nlacks {expected}");
    }
    let error = SchemaFile::parse("{\n  \"schemas\": [,]}", "f.json").unwrap_err();
    assert!(error.to_string().starts_with("f.json:2:15: this is not JSON"), "{error}");
}

#[test]
fn what_is_write_only_is_never_returned() {
    let attribute = json!({"name": "pin", "type": "string", "mutability": "writeOnly"});
    let read = parse(file(json!([{"id": "urn:x:D", "attributes": [attribute]}]), json!([]))).unwrap();
    assert_eq!(read.schemas[0].attributes[0].returned, Returned::Never);
}
