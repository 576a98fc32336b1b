use super::*;
use crate::scim::list::ListResponse;

#[test]
fn the_core_schemas_are_sound_and_complete() {
    let document: Value = serde_json::from_str(include_str!("../core_schemas.json")).unwrap();
    for schema in elements(&document) {
        assert_eq!(Schema::from_json(schema).problems, []);
    }
    let core = SchemaSet::core();
    assert_eq!(core.schemas.len(), 6);
    let user = core.schema(names::USER).unwrap();
    let names: Vec<&str> = user.attributes.iter().map(|it| it.name.as_str()).collect();
    assert_eq!(names.len(), 21);
    let user_name = user.attribute("USERNAME").unwrap();
    assert!(user_name.required && !user_name.case_exact);
    assert_eq!(user_name.uniqueness, Uniqueness::Server);
    assert_eq!(user.attribute("password").unwrap().returned, Returned::Never);
    for schema in &core.schemas {
        for attribute in &schema.attributes {
            assert_eq!(
                attribute.kind == AttributeType::Complex,
                !attribute.sub_attributes.is_empty(),
                "{}:{}",
                schema.id,
                attribute.name
            );
        }
    }
}

#[test]
fn schemas_and_resource_types_round_trip() {
    for schema in &SchemaSet::core().schemas {
        let parsed = Schema::from_json(&schema.to_json());
        assert_eq!(parsed, Parsed { value: Some(schema.clone()), problems: vec![] });
    }
    for resource_type in &SchemaSet::core().resource_types {
        let parsed = ResourceType::from_json(&resource_type.to_json());
        assert_eq!(parsed, Parsed { value: Some(resource_type.clone()), problems: vec![] });
    }
}

#[test]
fn a_broken_schema_is_read_as_far_as_possible() {
    let parsed = Schema::from_json(&json!({
        "id": "urn:x", "name": 7,
        "attributes": [
            {"name": "a", "type": "String", "multiValued": "true", "mutability": "sometimes"},
            {"name": "b", "subAttributes": [{"name": "c", "type": "boolean"}]},
            {"type": "string"},
            {"name": "A", "type": "string"},
            5
        ]
    }));
    let schema = parsed.value.unwrap();
    assert_eq!(schema.attributes.len(), 2);
    assert!(schema.attributes[0].multi_valued);
    assert_eq!(schema.attributes[0].mutability, Mutability::ReadWrite);
    assert_eq!(schema.attributes[1].kind, AttributeType::Complex);
    let places: Vec<&str> = parsed.problems.iter().map(|it| it.path.as_str()).collect();
    assert_eq!(
        places,
        [
            "name",
            "attributes[a].type",
            "attributes[a].multiValued",
            "attributes[a].mutability",
            "attributes[b].type",
            "attributes[2].name",
            "attributes[A]",
            "attributes[4]"
        ]
    );
}

#[test]
fn deep_schemas_are_cut() {
    let mut value = json!({"name": "x", "type": "complex"});
    for _ in 0..200 {
        value = json!({"name": "x", "type": "complex", "subAttributes": [value]});
    }
    let parsed = Attribute::from_json(&value);
    assert!(parsed.value.is_some());
    assert_eq!(parsed.problems.len(), 1);
}

#[test]
fn discovery_is_completed_from_the_core() {
    let list = ListResponse::complete(vec![json!({"id": "urn:x", "attributes": []}), json!({})]).to_json();
    let parsed = SchemaSet::from_discovery(Some(&list), None);
    assert_eq!(parsed.problems.len(), 2);
    let set = parsed.value.unwrap().or_core();
    assert!(set.schema("URN:X").is_some());
    assert_eq!(set.definition("User").unwrap().extensions.len(), 1);
    assert_eq!(set.definition_by_endpoint("Groups").unwrap().name, "Group");
    assert!(set.definition("Schema").is_some());
    assert!(set.definition("Robot").is_none());
}
