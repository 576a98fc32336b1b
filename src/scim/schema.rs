//! Schemas and resource types: the characteristics of attributes (RFC 7643 §2.2, §6, §7).
//!
//! A server's own `/Schemas` and `/ResourceTypes` may be broken in any way: the readers keep what is
//! readable, take the RFC's default for what is not, and report each problem. The core schemas come from
//! `core_schemas.json`: RFC 7643 §8.7 with the verified errata, `addresses.primary` (erratum 6005),
//! `members.display` (6011), `authenticationSchemes.type` and `primary` (8011, 7921), `etag` (9018), and
//! the members that RFC 9865 and RFC 9967 add to the service provider's configuration.
//! `schemaExtensions` is optional there, as §6 has it.

mod read;
mod set;
#[cfg(test)]
mod tests;

use std::fmt;

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::names;
use super::problem::{Parsed, Problem, join, json_type};
use super::resource::{self, elements};
use read::{AttributeReader, MAX_ATTRIBUTE_DEPTH, boolean, text};
pub use set::SchemaSet;

macro_rules! keyword_enum {
    ($(#[$meta:meta])* $name:ident { $($(#[$variant_meta:meta])* $variant:ident = $text:literal,)+ }) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Deserialize, JsonSchema)]
        pub enum $name {
            $($(#[$variant_meta])* #[serde(rename = $text)] $variant,)+
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
        let mut reader = AttributeReader::new(Vec::new());
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
        let mut reader = AttributeReader::new(problems);
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
