//! All schemas and resource types of a service provider, the core ones among them.

use std::sync::LazyLock;

use serde_json::Value;

use super::{ResourceType, Schema, SchemaExtension};
use crate::scim::definition::{ExtensionDefinition, ResourceDefinition};
use crate::scim::list::ListResponse;
use crate::scim::names;
use crate::scim::problem::{Parsed, Problem, join};
use crate::scim::resource::{elements, get};

/// All schemas and resource types of a service provider.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SchemaSet {
    /// The schemas.
    pub schemas: Vec<Schema>,
    /// The resource types.
    pub resource_types: Vec<ResourceType>,
}

static CORE: LazyLock<SchemaSet> = LazyLock::new(|| {
    let document: Value =
        serde_json::from_str(include_str!("../core_schemas.json")).expect("the embedded schemas are JSON");
    let schemas = elements(&document).iter().filter_map(|schema| Schema::from_json(schema).value).collect();
    let resource_type = |name: &str, endpoint: &str, schema: &str, description: &str| ResourceType {
        id: Some(name.into()),
        name: name.into(),
        endpoint: endpoint.into(),
        description: description.into(),
        schema: schema.into(),
        extensions: Vec::new(),
    };
    let mut user = resource_type("User", "/Users", names::USER, "An account of a person");
    user.extensions.push(SchemaExtension { schema: names::ENTERPRISE_USER.into(), required: false });
    let group = resource_type("Group", "/Groups", names::GROUP, "A named set of members");
    SchemaSet { schemas, resource_types: vec![user, group] }
});

impl SchemaSet {
    /// The core schemas: User with its enterprise extension, Group, and the three schemas of discovery;
    /// the resource types are User and Group.
    pub fn core() -> &'static SchemaSet {
        &CORE
    }

    /// Reads a server's `/Schemas` and `/ResourceTypes`, each a ListResponse (or, tolerated, an array)
    /// as far as it can be read. What is absent stays empty: see [`SchemaSet::or_core`].
    pub fn from_discovery(schemas: Option<&Value>, resource_types: Option<&Value>) -> Parsed<SchemaSet> {
        let mut problems = Vec::new();
        let mut set = SchemaSet::default();
        for (index, schema) in rows(schemas, "Schemas", &mut problems).iter().enumerate() {
            let parsed = Schema::from_json(schema);
            let place = match get(schema, "id").and_then(Value::as_str) {
                Some(id) => format!("Schemas[{id}]"),
                None => format!("Schemas[{index}]"),
            };
            problems.extend(
                parsed.problems.into_iter().map(|it| Problem::new(join(&place, &it.path), it.message)),
            );
            if let Some(schema) = parsed.value {
                if set.schema(&schema.id).is_some() {
                    problems.push(Problem::new(place, "is listed more than once"));
                } else {
                    set.schemas.push(schema);
                }
            }
        }
        for (index, resource_type) in rows(resource_types, "ResourceTypes", &mut problems).iter().enumerate()
        {
            let parsed = ResourceType::from_json(resource_type);
            let place = match get(resource_type, "name").and_then(Value::as_str) {
                Some(name) => format!("ResourceTypes[{name}]"),
                None => format!("ResourceTypes[{index}]"),
            };
            problems.extend(
                parsed.problems.into_iter().map(|it| Problem::new(join(&place, &it.path), it.message)),
            );
            if let Some(resource_type) = parsed.value {
                if set.resource_type(&resource_type.name).is_some() {
                    problems.push(Problem::new(place, "is listed more than once"));
                } else {
                    set.resource_types.push(resource_type);
                }
            }
        }
        Parsed { value: Some(set), problems }
    }

    /// This set, completed from the core: schemas that are missing, and, only if there are no
    /// resource types at all, User and Group.
    #[must_use]
    pub fn or_core(mut self) -> SchemaSet {
        for schema in &SchemaSet::core().schemas {
            if self.schema(&schema.id).is_none() {
                self.schemas.push(schema.clone());
            }
        }
        if self.resource_types.is_empty() {
            self.resource_types = SchemaSet::core().resource_types.clone();
        }
        self
    }

    /// The schema with this URI, without regard to case.
    pub fn schema(&self, urn: &str) -> Option<&Schema> {
        self.schemas.iter().find(|schema| schema.id.eq_ignore_ascii_case(urn))
    }

    /// The resource type with this name, exactly if there is one, else without regard to case.
    pub fn resource_type(&self, name: &str) -> Option<&ResourceType> {
        self.resource_types
            .iter()
            .find(|it| it.name == name)
            .or_else(|| self.resource_types.iter().find(|it| it.name.eq_ignore_ascii_case(name)))
    }

    /// The resource type at this endpoint: `/Users`, `Users`, or a path that ends so.
    pub fn resource_type_by_endpoint(&self, endpoint: &str) -> Option<&ResourceType> {
        let wanted = endpoint.trim_matches('/');
        self.resource_types.iter().find(|it| it.endpoint_name() == wanted)
    }

    /// The definition of a resource type. `ServiceProviderConfig`, `ResourceType` and `Schema` are always
    /// defined. A schema that this set lacks is taken from the core; if that has none either, an empty
    /// schema stands for it, and its attributes are all unknown.
    pub fn definition(&self, resource_type_name: &str) -> Option<ResourceDefinition> {
        match self.resource_type(resource_type_name) {
            Some(resource_type) => Some(self.definition_of(resource_type)),
            None => self.discovery_definition(resource_type_name),
        }
    }

    /// The definition of the resource type at this endpoint.
    pub fn definition_by_endpoint(&self, endpoint: &str) -> Option<ResourceDefinition> {
        self.resource_type_by_endpoint(endpoint).map(|resource_type| self.definition_of(resource_type))
    }

    /// The definition of a resource type, which need not be one of this set.
    pub fn definition_of(&self, resource_type: &ResourceType) -> ResourceDefinition {
        let schema = |urn: &str| {
            self.schema(urn).or_else(|| SchemaSet::core().schema(urn)).cloned().unwrap_or_else(|| Schema {
                id: urn.to_owned(),
                name: String::new(),
                description: String::new(),
                attributes: Vec::new(),
            })
        };
        ResourceDefinition::new(
            resource_type.name.clone(),
            resource_type.endpoint.clone(),
            schema(&resource_type.schema),
            resource_type
                .extensions
                .iter()
                .map(|it| ExtensionDefinition { schema: schema(&it.schema), required: it.required })
                .collect(),
        )
    }

    fn discovery_definition(&self, name: &str) -> Option<ResourceDefinition> {
        let (endpoint, urn) = match name {
            "ServiceProviderConfig" => ("/ServiceProviderConfig", names::SERVICE_PROVIDER_CONFIG),
            "ResourceType" => ("/ResourceTypes", names::RESOURCE_TYPE),
            "Schema" => ("/Schemas", names::SCHEMA),
            _ => return None,
        };
        let schema = SchemaSet::core().schema(urn)?.clone();
        Some(ResourceDefinition::new(name.to_owned(), endpoint.to_owned(), schema, Vec::new()))
    }
}

/// The resources of a discovery answer.
fn rows(answer: Option<&Value>, name: &str, problems: &mut Vec<Problem>) -> Vec<Value> {
    match answer {
        None => Vec::new(),
        Some(Value::Array(rows)) => {
            problems.push(Problem::new(name, "is an array, expected a ListResponse"));
            rows.clone()
        }
        Some(other) => {
            let parsed = ListResponse::from_json(other);
            problems
                .extend(parsed.problems.into_iter().map(|it| Problem::new(join(name, &it.path), it.message)));
            parsed.value.map(|list| list.resources).unwrap_or_default()
        }
    }
}
