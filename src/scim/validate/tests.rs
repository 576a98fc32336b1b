use super::*;
use crate::scim::schema::SchemaSet;
use serde_json::json;

fn kinds(resource: Value, name: &str, purpose: ValidationPurpose) -> Vec<(String, ViolationKind)> {
    let definition = SchemaSet::core().definition(name).unwrap();
    validate(&resource, &definition, purpose).into_iter().map(|it| (it.path, it.kind)).collect()
}

#[test]
fn legal_answers_raise_no_alarm() {
    let answers = [
        json!({"schemas": [names::USER], "id": "1", "userName": "a", "emails": [], "nickName": null, "name": {}}),
        json!({"SCHEMAS": [names::USER.to_uppercase()], "id": "1", "USERNAME": "a", "userType": "Robot",
               "emails": [{"value": "a", "type": "never heard of"}], "addresses": [{"type": "work", "primary": true}]}),
        json!({"schemas": [names::USER, names::ENTERPRISE_USER], "id": "1", "userName": "a"}),
        json!({"schemas": [names::USER, names::ENTERPRISE_USER], "id": "1", "userName": "a",
               names::ENTERPRISE_USER: {"manager": {"value": "2", "displayName": "B"}},
               "groups": [{"value": "g", "$ref": "../Groups/g", "display": "G"}],
               "photos": [{"value": "https://x/y.png", "type": "photo"}],
               "x509Certificates": [{"value": "MIIDQzCCAqygAwIBAgICEAAwDQ=="}],
               "meta": {"resourceType": "User", "created": "2010-01-23T04:56:22Z", "location": "https://x/Users/1",
                        "lastModified": "2011-05-13T04:42:34+02:00", "version": "W/\"1\""}}),
    ];
    for answer in answers {
        assert_eq!(kinds(answer.clone(), "User", ValidationPurpose::Answer), [], "{answer}");
    }
    assert_eq!(kinds(json!({"id": "1", "title": "x"}), "User", ValidationPurpose::ProjectedAnswer), []);
    let config = json!({
        "schemas": [names::SERVICE_PROVIDER_CONFIG], "patch": {"supported": true},
        "bulk": {"supported": false, "maxOperations": 0, "maxPayloadSize": 0},
        "filter": {"supported": true, "maxResults": 200}, "changePassword": {"supported": false},
        "sort": {"supported": true}, "etag": {"supported": true},
        "authenticationSchemes": [{"type": "oauthbearertoken", "name": "n", "description": "d", "primary": true}]
    });
    assert_eq!(kinds(config, "ServiceProviderConfig", ValidationPurpose::Answer), []);
    for schema in &SchemaSet::core().schemas {
        assert_eq!(kinds(schema.to_json(), "Schema", ValidationPurpose::Answer), [], "{}", schema.id);
    }
    for resource_type in &SchemaSet::core().resource_types {
        assert_eq!(kinds(resource_type.to_json(), "ResourceType", ValidationPurpose::Answer), []);
    }
}

#[test]
fn broken_answers_are_told() {
    use ViolationKind::{Duplicate, Multiplicity, Never, Primary, Required, Schemas, Shape, Type, Unknown};
    let answer = json!({
        "schemas": [names::USER, "urn:x", names::USER],
        "userName": 5, "active": "true", "emails": {"value": "a"}, "title": ["x"], "password": "secret",
        "phoneNumbers": [{"value": "1", "primary": true}, {"value": "2", "primary": true}, "3"],
        "meta": {"created": "yesterday"}, "nickName": "a", "nickname": "b", "robot": 1,
        names::ENTERPRISE_USER: {"employeeNumber": 7, "manager": []},
        "x509Certificates": [{"value": "not base64!"}],
    });
    let found = kinds(answer, "User", ValidationPurpose::Answer);
    let enterprise = format!("{}:employeeNumber", names::ENTERPRISE_USER);
    let expected = [
        ("nickname", Duplicate),
        ("userName", Type),
        ("active", Type),
        ("emails", Multiplicity),
        ("title", Multiplicity),
        ("password", Never),
        ("phoneNumbers[2]", Type),
        ("phoneNumbers", Primary),
        ("meta.created", Type),
        ("robot", Unknown),
        (enterprise.as_str(), Type),
        ("x509Certificates[0].value", Type),
        ("id", Required),
        ("schemas[1]", Schemas),
        ("schemas[2]", Schemas),
        ("schemas", Schemas),
    ];
    let expected: Vec<(String, ViolationKind)> =
        expected.iter().map(|(path, kind)| ((*path).to_owned(), *kind)).collect();
    assert_eq!(found, expected);
    assert_eq!(kinds(json!([]), "User", ValidationPurpose::Answer), [(String::new(), Shape)]);
    let mut deep = json!(1);
    for _ in 0..100 {
        deep = json!([deep]);
    }
    assert_eq!(kinds(json!({"x": deep}), "User", ValidationPurpose::Answer), [(String::new(), Shape)]);
}

#[test]
fn requests_are_checked_but_for_what_is_read_only() {
    use ViolationKind::{Canonical, Required, Schemas};
    let request = json!({"id": 7, "meta": "x", "groups": 1, "emails": [{"value": "a", "type": "boat"}], "userName": ""});
    assert_eq!(
        kinds(request, "User", ValidationPurpose::CreateRequest),
        [
            ("emails[0].type".to_owned(), Canonical),
            ("userName".to_owned(), Required),
            ("schemas".to_owned(), Schemas)
        ]
    );
    let request =
        json!({"schemas": [names::USER], "userName": "a", names::ENTERPRISE_USER: {"department": "d"}});
    assert_eq!(kinds(request, "User", ValidationPurpose::ReplaceRequest), []);
}

#[test]
fn a_resource_of_many_schemas_is_looked_through_once() {
    let urns: Vec<String> = (0..100_000).map(|number| format!("urn:example:{number}")).collect();
    let found = kinds(json!({"schemas": urns, "id": "1"}), "User", ValidationPurpose::ProjectedAnswer);
    assert_eq!(found.len(), MAX_VIOLATIONS);
    let twice = json!({"schemas": [names::USER, "urn:ietf:params:scim:schemas:core:2.0:USER"], "id": "1"});
    let repeated = [("schemas[1]".to_owned(), ViolationKind::Schemas)];
    assert_eq!(kinds(twice, "User", ValidationPurpose::ProjectedAnswer), repeated);
}

#[test]
fn base64_is_known_when_seen() {
    for text in ["", "AA==", "AAA=", "AAAA", "AA", "-_8=", "AAAA\r\nAAAA"] {
        assert!(is_base64(text), "{text}");
    }
    for text in ["A", "A===", "AA=", "AAAA=", "A A=", "é"] {
        assert!(!is_base64(text), "{text}");
    }
}
