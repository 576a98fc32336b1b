//! Schemas and resource types: the characteristics of attributes (RFC 7643 §2.2, §6, §7).
//!
//! A server's own `/Schemas` and `/ResourceTypes` may be broken in any way: the readers keep what is
//! readable, take the RFC's default for what is not, and report each problem. The core schemas come from
//! `core_schemas.json`: RFC 7643 §8.7 with the verified errata, `addresses.primary` (erratum 6005),
//! `members.display` (6011), `authenticationSchemes.type` and `primary` (8011, 7921), `etag` (9018), and
//! the members that RFC 9865 and RFC 9967 add to the service provider's configuration.
//! `schemaExtensions` is optional there, as §6 has it.

use std::fmt;
use std::sync::LazyLock;

use serde_json::{Map, Value, json};

use super::definition::{ExtensionDefinition, ResourceDefinition};
use super::list::ListResponse;
use super::names;
use super::problem::{Parsed, Problem, join, json_type};
use super::resource::{self, elements, get};

/// How deep attributes may nest in a schema. The RFC allows two levels, its own Schema schema needs three.
const MAX_ATTRIBUTE_DEPTH: usize = 6;

/// The most attributes read from one schema, sub-attributes included.
const MAX_ATTRIBUTES: usize = 20_000;

macro_rules! keyword_enum {
    ($(#[$meta:meta])* $name:ident { $($(#[$variant_meta:meta])* $variant:ident = $text:literal,)+ }) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum $name {
            $($(#[$variant_meta])* $variant,)+
        }

        impl $name {
            /// All of them.
            pub const ALL: &'static [$name] = &[$($name::$variant,)+];

            /// The keyword as it is written in a schema.
            pub fn as_str(self) -> &'static str {
                match self {
                    $($name::$variant => $text,)+
                }
            }

            /// The keyword that is written so, exactly.
            pub fn parse(text: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|keyword| keyword.as_str() == text)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str())
            }
        }
    };
}

keyword_enum! {
    /// The data type of an attribute (RFC 7643 §2.3).
    AttributeType {
        /// A string.
        String = "string",
        /// `true` or `false`.
        Boolean = "boolean",
        /// A number.
        Decimal = "decimal",
        /// A whole number.
        Integer = "integer",
        /// An xsd:dateTime in a string.
        DateTime = "dateTime",
        /// Base64 in a string.
        Binary = "binary",
        /// A URI in a string.
        Reference = "reference",
        /// An object of sub-attributes.
        Complex = "complex",
    }
}

keyword_enum! {
    /// When an attribute can be written (RFC 7643 §7).
    Mutability {
        /// Never by a client.
        ReadOnly = "readOnly",
        /// At any time.
        ReadWrite = "readWrite",
        /// When the resource is created, or as long as there is no value.
        Immutable = "immutable",
        /// At any time, but not read.
        WriteOnly = "writeOnly",
    }
}

keyword_enum! {
    /// When an attribute is returned (RFC 7643 §7).
    Returned {
        /// In each representation, whatever is asked for.
        Always = "always",
        /// Never.
        Never = "never",
        /// Unless something else is asked for.
        Default = "default",
        /// If asked for, or written in the same request.
        Request = "request",
    }
}

keyword_enum! {
    /// Where the values of an attribute are unique (RFC 7643 §7).
    Uniqueness {
        /// Nowhere.
        None = "none",
        /// At this service provider.
        Server = "server",
        /// Everywhere.
        Global = "global",
    }
}

/// An attribute with its characteristics.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attribute {
    /// Its name, in the spelling of the schema.
    pub name: String,
    /// Its data type; `type` in a schema.
    pub kind: AttributeType,
    /// Whether it holds an array.
    pub multi_valued: bool,
    /// What it is, for people.
    pub description: String,
    /// Whether a resource must have a value.
    pub required: bool,
    /// Suggested values.
    pub canonical_values: Vec<String>,
    /// Whether case matters when values are compared.
    pub case_exact: bool,
    /// When it can be written.
    pub mutability: Mutability,
    /// When it is returned.
    pub returned: Returned,
    /// Where its values are unique.
    pub uniqueness: Uniqueness,
    /// What a reference can point to.
    pub reference_types: Vec<String>,
    /// The sub-attributes of a complex attribute.
    pub sub_attributes: Vec<Attribute>,
}

impl Attribute {
    /// An attribute with the default characteristics of RFC 7643 §2.2.
    pub fn new(name: impl Into<String>, kind: AttributeType) -> Self {
        Attribute {
            name: name.into(),
            kind,
            multi_valued: false,
            description: String::new(),
            required: false,
            canonical_values: Vec::new(),
            case_exact: false,
            mutability: Mutability::ReadWrite,
            returned: Returned::Default,
            uniqueness: Uniqueness::None,
            reference_types: Vec::new(),
            sub_attributes: Vec::new(),
        }
    }

    /// The declared sub-attribute called `name`, without regard to case.
    pub fn sub_attribute(&self, name: &str) -> Option<&Attribute> {
        self.sub_attributes.iter().find(|sub| sub.name.eq_ignore_ascii_case(name))
    }

    /// Whether case matters when its values are compared. References and binaries are case-exact by
    /// their type (RFC 7643 §2.3.6, §2.3.7), whatever the schema says.
    pub fn compares_exactly(&self) -> bool {
        match self.kind {
            AttributeType::Reference | AttributeType::Binary => true,
            _ => self.case_exact,
        }
    }

    /// Reads one attribute as far as it can be read. `None` if it has no name.
    pub fn from_json(value: &Value) -> Parsed<Attribute> {
        let mut reader = AttributeReader { problems: Vec::new(), left: MAX_ATTRIBUTES };
        let value = reader.attribute(value, "", 0);
        Parsed { value, problems: reader.problems }
    }

    /// The attribute as a schema lists it, each characteristic that applies to its type written out.
    pub fn to_json(&self) -> Value {
        self.to_json_at(0)
    }

    fn to_json_at(&self, depth: usize) -> Value {
        let mut out = Map::new();
        out.insert("name".into(), self.name.as_str().into());
        out.insert("type".into(), self.kind.as_str().into());
        out.insert("multiValued".into(), self.multi_valued.into());
        out.insert("description".into(), self.description.as_str().into());
        out.insert("required".into(), self.required.into());
        if !self.canonical_values.is_empty() {
            out.insert("canonicalValues".into(), self.canonical_values.clone().into());
        }
        let is_text =
            matches!(self.kind, AttributeType::String | AttributeType::Reference | AttributeType::Binary);
        if is_text || self.case_exact {
            out.insert("caseExact".into(), self.case_exact.into());
        }
        out.insert("mutability".into(), self.mutability.as_str().into());
        out.insert("returned".into(), self.returned.as_str().into());
        let has_no_uniqueness = matches!(self.kind, AttributeType::Boolean | AttributeType::Complex);
        if !has_no_uniqueness || self.uniqueness != Uniqueness::None {
            out.insert("uniqueness".into(), self.uniqueness.as_str().into());
        }
        if !self.reference_types.is_empty() {
            out.insert("referenceTypes".into(), self.reference_types.clone().into());
        }
        if !self.sub_attributes.is_empty() && depth < MAX_ATTRIBUTE_DEPTH {
            let subs = self.sub_attributes.iter().map(|sub| sub.to_json_at(depth + 1)).collect();
            out.insert("subAttributes".into(), Value::Array(subs));
        }
        Value::Object(out)
    }
}

/// A schema: a URI and its attributes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Schema {
    /// The schema's URI.
    pub id: String,
    /// Its name, for people.
    pub name: String,
    /// What it is, for people.
    pub description: String,
    /// Its attributes.
    pub attributes: Vec<Attribute>,
}

impl Schema {
    /// The attribute called `name`, without regard to case.
    pub fn attribute(&self, name: &str) -> Option<&Attribute> {
        self.attributes.iter().find(|attribute| attribute.name.eq_ignore_ascii_case(name))
    }

    /// Reads a schema as far as it can be read. `None` if it has no id.
    pub fn from_json(value: &Value) -> Parsed<Schema> {
        let mut problems = Vec::new();
        let Some(object) = value.as_object() else {
            problems.push(Problem::new("", format!("a schema is an object, this is {}", json_type(value))));
            return Parsed { value: None, problems };
        };
        let id = text(object, "id", "", true, &mut problems);
        let name = text(object, "name", "", false, &mut problems).unwrap_or_default();
        let description = text(object, "description", "", false, &mut problems).unwrap_or_default();
        let mut reader = AttributeReader { problems, left: MAX_ATTRIBUTES };
        let attributes = match resource::member(object, "attributes") {
            Some(list) => reader.attributes(list, "attributes", 0),
            None => {
                reader.problems.push(Problem::new("attributes", "is missing"));
                Vec::new()
            }
        };
        let value = id.map(|id| Schema { id, name, description, attributes });
        Parsed { value, problems: reader.problems }
    }

    /// The schema as a resource of `/Schemas`, without `meta`.
    pub fn to_json(&self) -> Value {
        json!({
            "schemas": [names::SCHEMA],
            "id": self.id,
            "name": self.name,
            "description": self.description,
            "attributes": self.attributes.iter().map(Attribute::to_json).collect::<Vec<_>>(),
        })
    }
}

/// A schema that extends a resource type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SchemaExtension {
    /// The schema's URI.
    pub schema: String,
    /// Whether each resource must have it.
    pub required: bool,
}

/// A kind of resource (RFC 7643 §6).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResourceType {
    /// Its identifier; often its name. Optional (§6).
    pub id: Option<String>,
    /// Its name, which `meta.resourceType` repeats.
    pub name: String,
    /// Where its resources are, relative to the base URI, as written: `/Users`.
    pub endpoint: String,
    /// What it is, for people.
    pub description: String,
    /// The URI of the base schema.
    pub schema: String,
    /// The schemas that extend it.
    pub extensions: Vec<SchemaExtension>,
}

impl ResourceType {
    /// Reads a resource type as far as it can be read. `None` if name, endpoint or schema is missing.
    pub fn from_json(value: &Value) -> Parsed<ResourceType> {
        let mut problems = Vec::new();
        let Some(object) = value.as_object() else {
            problems.push(Problem::new(
                "",
                format!("a resource type is an object, this is {}", json_type(value)),
            ));
            return Parsed { value: None, problems };
        };
        let id = text(object, "id", "", false, &mut problems);
        let name = text(object, "name", "", true, &mut problems);
        let endpoint = text(object, "endpoint", "", true, &mut problems);
        let description = text(object, "description", "", false, &mut problems).unwrap_or_default();
        let schema = text(object, "schema", "", true, &mut problems);
        let mut extensions = Vec::new();
        if let Some(list) = resource::member(object, "schemaExtensions") {
            if !matches!(list, Value::Array(_) | Value::Null) {
                problems.push(Problem::new(
                    "schemaExtensions",
                    format!("is {}, expected an array", json_type(list)),
                ));
            }
            for (index, extension) in elements(list).iter().enumerate() {
                let place = format!("schemaExtensions[{index}]");
                let Some(extension) = extension.as_object() else {
                    let message = format!("is {}, expected an object", json_type(extension));
                    problems.push(Problem::new(place, message));
                    continue;
                };
                let required = boolean(extension, "required", &place, &mut problems);
                if required.is_none() && resource::member(extension, "required").is_none() {
                    problems.push(Problem::new(join(&place, "required"), "is missing"));
                }
                if let Some(schema) = text(extension, "schema", &place, true, &mut problems) {
                    extensions.push(SchemaExtension { schema, required: required.unwrap_or(false) });
                }
            }
        }
        let value = match (name, endpoint, schema) {
            (Some(name), Some(endpoint), Some(schema)) => {
                Some(ResourceType { id, name, endpoint, description, schema, extensions })
            }
            _ => None,
        };
        Parsed { value, problems }
    }

    /// The resource type as a resource of `/ResourceTypes`, without `meta`.
    pub fn to_json(&self) -> Value {
        let mut out = Map::new();
        out.insert("schemas".into(), json!([names::RESOURCE_TYPE]));
        if let Some(id) = &self.id {
            out.insert("id".into(), id.as_str().into());
        }
        out.insert("name".into(), self.name.as_str().into());
        out.insert("endpoint".into(), self.endpoint.as_str().into());
        out.insert("description".into(), self.description.as_str().into());
        out.insert("schema".into(), self.schema.as_str().into());
        let extensions = self
            .extensions
            .iter()
            .map(|extension| json!({ "schema": extension.schema, "required": extension.required }));
        out.insert("schemaExtensions".into(), extensions.collect());
        Value::Object(out)
    }

    /// The endpoint without slashes around it: `Users`. Of an absolute URI the last segment.
    pub fn endpoint_name(&self) -> &str {
        let trimmed = self.endpoint.trim_matches('/');
        if trimmed.contains("://") { trimmed.rsplit('/').next().unwrap_or(trimmed) } else { trimmed }
    }
}

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
        serde_json::from_str(include_str!("core_schemas.json")).expect("the embedded schemas are JSON");
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

struct AttributeReader {
    problems: Vec<Problem>,
    left: usize,
}

impl AttributeReader {
    fn attributes(&mut self, list: &Value, place: &str, depth: usize) -> Vec<Attribute> {
        let list = match list {
            Value::Array(list) => list,
            Value::Null => return Vec::new(),
            other => {
                self.problems
                    .push(Problem::new(place, format!("is {}, expected an array", json_type(other))));
                return Vec::new();
            }
        };
        let mut attributes: Vec<Attribute> = Vec::new();
        for (index, value) in list.iter().enumerate() {
            if self.left == 0 {
                self.problems.push(Problem::new(place, format!("has more than {MAX_ATTRIBUTES} attributes")));
                break;
            }
            self.left -= 1;
            let here = match get(value, "name").and_then(Value::as_str) {
                Some(name) => format!("{place}[{name}]"),
                None => format!("{place}[{index}]"),
            };
            if let Some(attribute) = self.attribute(value, &here, depth) {
                if attributes.iter().any(|it| it.name.eq_ignore_ascii_case(&attribute.name)) {
                    self.problems.push(Problem::new(here, "is listed more than once"));
                } else {
                    attributes.push(attribute);
                }
            }
        }
        attributes
    }

    fn attribute(&mut self, value: &Value, place: &str, depth: usize) -> Option<Attribute> {
        let Some(object) = value.as_object() else {
            self.problems.push(Problem::new(place, format!("is {}, expected an object", json_type(value))));
            return None;
        };
        let name = text(object, "name", place, true, &mut self.problems);
        let kind = self.keyword(object, "type", place, AttributeType::ALL, AttributeType::as_str);
        if kind.is_none() && resource::member(object, "type").is_none_or(Value::is_null) {
            self.problems.push(Problem::new(join(place, "type"), "is missing"));
        }
        let mut attribute = Attribute::new(name.unwrap_or_default(), kind.unwrap_or(AttributeType::String));
        let problems = &mut self.problems;
        attribute.multi_valued = boolean(object, "multiValued", place, problems).unwrap_or(false);
        attribute.description = text(object, "description", place, false, problems).unwrap_or_default();
        attribute.required = boolean(object, "required", place, problems).unwrap_or(false);
        attribute.case_exact = boolean(object, "caseExact", place, problems).unwrap_or(false);
        attribute.canonical_values = texts(object, "canonicalValues", place, problems);
        attribute.reference_types = texts(object, "referenceTypes", place, problems);
        if let Some(mutability) =
            self.keyword(object, "mutability", place, Mutability::ALL, Mutability::as_str)
        {
            attribute.mutability = mutability;
        }
        if let Some(returned) = self.keyword(object, "returned", place, Returned::ALL, Returned::as_str) {
            attribute.returned = returned;
        }
        if let Some(uniqueness) =
            self.keyword(object, "uniqueness", place, Uniqueness::ALL, Uniqueness::as_str)
        {
            attribute.uniqueness = uniqueness;
        }
        if let Some(subs) =
            resource::member(object, "subAttributes").filter(|subs| !resource::is_unassigned(subs))
        {
            let here = join(place, "subAttributes");
            if depth + 1 >= MAX_ATTRIBUTE_DEPTH {
                self.problems.push(Problem::new(here, "nests too deep"));
            } else {
                attribute.sub_attributes = self.attributes(subs, &here, depth + 1);
                if kind.is_some_and(|kind| kind != AttributeType::Complex) {
                    self.problems.push(Problem::new(here, "stands on an attribute that is not complex"));
                }
                if kind.is_none() {
                    attribute.kind = AttributeType::Complex;
                }
            }
        }
        if attribute.name.is_empty() { None } else { Some(attribute) }
    }

    /// A keyword; another case than the RFC's is a problem, but understood.
    fn keyword<T: Copy>(
        &mut self,
        object: &Map<String, Value>,
        name: &str,
        place: &str,
        all: &[T],
        as_str: fn(T) -> &'static str,
    ) -> Option<T> {
        let value = resource::member(object, name).filter(|value| !value.is_null())?;
        let written = value.as_str();
        let found =
            written.and_then(|text| all.iter().copied().find(|it| as_str(*it).eq_ignore_ascii_case(text)));
        if found.map(as_str) != written || found.is_none() {
            let expected: Vec<&str> = all.iter().map(|it| as_str(*it)).collect();
            let message = format!("is {value}, expected one of {}", expected.join(", "));
            self.problems.push(Problem::new(join(place, name), message));
        }
        found
    }
}

fn text(
    object: &Map<String, Value>,
    name: &str,
    place: &str,
    required: bool,
    problems: &mut Vec<Problem>,
) -> Option<String> {
    match resource::member(object, name) {
        Some(Value::String(text)) if !text.is_empty() || !required => Some(text.clone()),
        None | Some(Value::Null) => {
            if required {
                problems.push(Problem::new(join(place, name), "is missing"));
            }
            None
        }
        Some(other) => {
            problems.push(Problem::new(join(place, name), format!("is {other}, expected a string")));
            None
        }
    }
}

fn texts(object: &Map<String, Value>, name: &str, place: &str, problems: &mut Vec<Problem>) -> Vec<String> {
    let Some(value) = resource::member(object, name) else { return Vec::new() };
    if !matches!(value, Value::Array(_) | Value::Null) {
        problems.push(Problem::new(join(place, name), format!("is {}, expected an array", json_type(value))));
    }
    let mut texts = Vec::new();
    for (index, element) in elements(value).iter().enumerate() {
        match element {
            Value::String(text) => texts.push(text.clone()),
            other => {
                let message = format!("is {}, expected a string", json_type(other));
                problems.push(Problem::new(join(place, &format!("{name}[{index}]")), message));
            }
        }
    }
    texts
}

fn boolean(
    object: &Map<String, Value>,
    name: &str,
    place: &str,
    problems: &mut Vec<Problem>,
) -> Option<bool> {
    match resource::member(object, name) {
        Some(Value::Bool(boolean)) => Some(*boolean),
        None | Some(Value::Null) => None,
        Some(other) => {
            problems.push(Problem::new(join(place, name), format!("is {other}, expected true or false")));
            match other.as_str() {
                Some(text) if text.eq_ignore_ascii_case("true") => Some(true),
                Some(text) if text.eq_ignore_ascii_case("false") => Some(false),
                _ => None,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_core_schemas_are_sound_and_complete() {
        let document: Value = serde_json::from_str(include_str!("core_schemas.json")).unwrap();
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
        let list =
            ListResponse::complete(vec![json!({"id": "urn:x", "attributes": []}), json!({})]).to_json();
        let parsed = SchemaSet::from_discovery(Some(&list), None);
        assert_eq!(parsed.problems.len(), 2);
        let set = parsed.value.unwrap().or_core();
        assert!(set.schema("URN:X").is_some());
        assert_eq!(set.definition("User").unwrap().extensions.len(), 1);
        assert_eq!(set.definition_by_endpoint("Groups").unwrap().name, "Group");
        assert!(set.definition("Schema").is_some());
        assert!(set.definition("Robot").is_none());
    }
}
