//! One resource type with its schemas resolved: which attribute does a path name?

use std::sync::LazyLock;

use super::path::AttributePath;
use super::schema::{Attribute, AttributeType, Mutability, Returned, Schema, Uniqueness};

/// An extension of a resource type, with its schema.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExtensionDefinition {
    /// The extension's schema.
    pub schema: Schema,
    /// Whether each resource must have it.
    pub required: bool,
}

/// A resource type with its base schema, its extensions, and the common attributes of RFC 7643 §3.1.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResourceDefinition {
    /// The resource type's name, as in `meta.resourceType`.
    pub name: String,
    /// Its endpoint: `/Users`.
    pub endpoint: String,
    /// The base schema.
    pub schema: Schema,
    /// The extensions.
    pub extensions: Vec<ExtensionDefinition>,
}

/// What a path names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Resolved<'a> {
    /// An attribute of the base schema, or a common attribute.
    Attribute {
        /// The attribute.
        attribute: &'a Attribute,
        /// The sub-attribute, where the path has one.
        sub: Option<&'a Attribute>,
        /// The extension whose container holds the attribute; `None` for the resource itself.
        extension: Option<&'a Schema>,
    },
    /// A whole extension: its URI stands alone.
    Extension(&'a Schema),
    /// The whole resource: the URI of the base schema stands alone.
    Resource(&'a Schema),
}

impl<'a> Resolved<'a> {
    /// The innermost attribute named: the sub-attribute, else the attribute.
    pub fn leaf(self) -> Option<&'a Attribute> {
        match self {
            Resolved::Attribute { attribute, sub, .. } => Some(sub.unwrap_or(attribute)),
            _ => None,
        }
    }
}

/// The attributes that each resource has (RFC 7643 §3, §3.1).
static COMMON: LazyLock<Vec<Attribute>> = LazyLock::new(|| {
    let read_only = |name: &str, kind: AttributeType, case_exact: bool| Attribute {
        mutability: Mutability::ReadOnly,
        case_exact,
        ..Attribute::new(name, kind)
    };
    let schemas = Attribute {
        multi_valued: true,
        required: true,
        returned: Returned::Always,
        description: "The schemas of the resource".into(),
        ..Attribute::new("schemas", AttributeType::String)
    };
    let id = Attribute {
        required: true,
        returned: Returned::Always,
        uniqueness: Uniqueness::Server,
        description: "The service provider's identifier of the resource".into(),
        ..read_only("id", AttributeType::String, true)
    };
    let external_id = Attribute {
        case_exact: true,
        description: "The client's identifier of the resource".into(),
        ..Attribute::new("externalId", AttributeType::String)
    };
    let meta = Attribute {
        description: "What the service provider says about the resource".into(),
        sub_attributes: vec![
            read_only("resourceType", AttributeType::String, true),
            read_only("created", AttributeType::DateTime, false),
            read_only("lastModified", AttributeType::DateTime, false),
            Attribute {
                reference_types: vec!["uri".into()],
                ..read_only("location", AttributeType::Reference, true)
            },
            read_only("version", AttributeType::String, true),
        ],
        ..read_only("meta", AttributeType::Complex, false)
    };
    vec![schemas, id, external_id, meta]
});

/// The default sub-attributes of a multi-valued attribute (RFC 7643 §2.4), for schemas that leave them out.
static IMPLICIT: LazyLock<Vec<Attribute>> = LazyLock::new(|| {
    vec![
        Attribute::new("value", AttributeType::String),
        Attribute { reference_types: vec!["uri".into()], ..Attribute::new("$ref", AttributeType::Reference) },
        Attribute::new("type", AttributeType::String),
        Attribute { mutability: Mutability::Immutable, ..Attribute::new("display", AttributeType::String) },
        Attribute::new("primary", AttributeType::Boolean),
    ]
});

impl ResourceDefinition {
    /// A definition from its parts.
    pub fn new(
        name: String,
        endpoint: String,
        schema: Schema,
        extensions: Vec<ExtensionDefinition>,
    ) -> ResourceDefinition {
        ResourceDefinition { name, endpoint, schema, extensions }
    }

    /// The common attributes: `schemas`, `id`, `externalId`, `meta`.
    pub fn common_attributes() -> &'static [Attribute] {
        &COMMON
    }

    /// The attribute (or sub-attribute) that a path names; `None` for one that is not defined, and for
    /// the URI of a schema.
    pub fn attribute(&self, path: &AttributePath) -> Option<&Attribute> {
        self.resolve(path)?.leaf()
    }

    /// The attribute of the resource itself (not of an extension) called `name`. `schemas`, `id` and `meta` are
    /// always those of the RFC; `externalId` is the schema's own where that declares one.
    pub fn top_attribute(&self, name: &str) -> Option<&Attribute> {
        let common = COMMON.iter().find(|it| it.name.eq_ignore_ascii_case(name));
        match common {
            Some(common) if common.name != "externalId" => Some(common),
            _ => self.schema.attribute(name).or(common),
        }
    }

    /// All attributes of the resource itself: the common ones, then those of the base schema.
    pub fn top_attributes(&self) -> impl Iterator<Item = &Attribute> {
        let is_common =
            |it: &&Attribute| COMMON.iter().any(|common| common.name.eq_ignore_ascii_case(&it.name));
        let common = COMMON.iter().filter_map(|it| self.top_attribute(&it.name));
        common.chain(self.schema.attributes.iter().filter(move |it| !is_common(it)))
    }

    /// The extension with this URI, without regard to case.
    pub fn extension(&self, urn: &str) -> Option<&ExtensionDefinition> {
        self.extensions.iter().find(|it| it.schema.id.eq_ignore_ascii_case(urn))
    }

    /// What a path names, or `None` if that is not defined. Names and URIs compare without regard to
    /// case; an attribute of an extension needs the extension's URI.
    pub fn resolve(&self, path: &AttributePath) -> Option<Resolved<'_>> {
        if let Some(urn) = &path.urn {
            // `urn:…:2.0:User` reads as attribute `User` of `urn:…:2.0`; it is a schema if one is called so.
            let whole = path.to_string();
            if let Some(extension) = self.extension(&whole) {
                return Some(Resolved::Extension(&extension.schema));
            }
            if self.schema.id.eq_ignore_ascii_case(&whole) {
                return Some(Resolved::Resource(&self.schema));
            }
            if let Some(extension) = self.extension(urn) {
                let attribute = extension.schema.attribute(&path.name)?;
                return resolved(attribute, path.sub.as_deref(), Some(&extension.schema));
            }
            if !self.schema.id.eq_ignore_ascii_case(urn) {
                return None;
            }
        }
        resolved(self.top_attribute(&path.name)?, path.sub.as_deref(), None)
    }

    /// Whether the URI is the base schema's or an extension's.
    pub fn knows_schema(&self, urn: &str) -> bool {
        self.schema.id.eq_ignore_ascii_case(urn) || self.extension(urn).is_some()
    }

    /// The required URI set of a resource: the base schema and the required extensions.
    pub fn required_schemas(&self) -> impl Iterator<Item = &str> {
        let required = self.extensions.iter().filter(|it| it.required).map(|it| it.schema.id.as_str());
        std::iter::once(self.schema.id.as_str()).chain(required)
    }
}

/// The sub-attribute called `name`: the declared one, else, of a multi-valued complex attribute, the
/// default one of RFC 7643 §2.4.
pub fn sub_attribute<'a>(attribute: &'a Attribute, name: &str) -> Option<&'a Attribute> {
    attribute.sub_attribute(name).or_else(|| {
        let has_defaults = attribute.multi_valued && attribute.kind == AttributeType::Complex;
        IMPLICIT.iter().find(|it| has_defaults && it.name.eq_ignore_ascii_case(name))
    })
}

fn resolved<'a>(
    attribute: &'a Attribute,
    sub: Option<&str>,
    extension: Option<&'a Schema>,
) -> Option<Resolved<'a>> {
    let sub = match sub {
        None => None,
        Some(name) => Some(sub_attribute(attribute, name)?),
    };
    Some(Resolved::Attribute { attribute, sub, extension })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scim::names;
    use crate::scim::schema::SchemaSet;

    fn user() -> ResourceDefinition {
        SchemaSet::core().definition("User").unwrap()
    }

    fn leaf(text: &str) -> Option<String> {
        user().attribute(&AttributePath::parse(text).unwrap()).map(|it| it.name.clone())
    }

    #[test]
    fn paths_name_attributes() {
        for (path, name) in [
            ("USERNAME", "userName"),
            ("name.familyname", "familyName"),
            ("urn:ietf:params:scim:schemas:core:2.0:User:userName", "userName"),
            ("URN:IETF:PARAMS:SCIM:SCHEMAS:CORE:2.0:USER:NAME.GIVENNAME", "givenName"),
            ("urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:manager.displayName", "displayName"),
            ("urn:ietf:params:scim:schemas:core:2.0:User:meta.created", "created"),
            ("emails.$ref", "$ref"),
            ("schemas", "schemas"),
        ] {
            assert_eq!(leaf(path).as_deref(), Some(name), "{path}");
        }
        for path in ["employeeNumber", "name.value", "userName.value", "urn:other:userName", "schemas.value"]
        {
            assert_eq!(leaf(path), None, "{path}");
        }
    }

    #[test]
    fn a_schema_may_declare_its_own_external_id() {
        let mut user = user();
        assert_eq!(user.top_attributes().count(), 25);
        user.schema
            .attributes
            .push(Attribute { required: true, ..Attribute::new("ExternalID", AttributeType::String) });
        user.schema.attributes.push(Attribute::new("meta", AttributeType::String));
        assert_eq!(user.top_attributes().count(), 25);
        assert!(user.top_attribute("externalId").unwrap().required);
        assert_eq!(user.top_attribute("meta").unwrap().kind, AttributeType::Complex);
    }

    #[test]
    fn a_lone_urn_names_a_schema() {
        let user = user();
        let path =
            AttributePath::parse("urn:ietf:params:scim:schemas:extension:enterprise:2.0:user").unwrap();
        assert!(matches!(user.resolve(&path), Some(Resolved::Extension(_))));
        let path = AttributePath::parse(names::USER).unwrap();
        assert!(matches!(user.resolve(&path), Some(Resolved::Resource(_))));
    }
}
