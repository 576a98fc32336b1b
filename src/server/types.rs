//! The resource types and schemas of one server: the core ones, what a schema file adds, and what the server demands
//! beyond them. Made once, when the server starts.

use std::sync::Arc;

use super::ServerError;
use super::behaviour::Behaviour;
use super::index::IndexedAttributes;
use super::kind::Kind;
use super::schema_file::SchemaFile;
use super::unique::UniqueAttributes;
use crate::scim::definition::ResourceDefinition;
use crate::scim::names;
use crate::scim::path::AttributePath;
use crate::scim::schema::{Attribute, SchemaSet};

/// The resource types of one server.
pub(crate) struct Types {
    schemas: SchemaSet,
    kinds: Vec<Kind>,
    /// Of each kind, in the order of `kinds`: User and Group are the first two.
    definitions: Vec<ResourceDefinition>,
    unique: Arc<UniqueAttributes>,
    indexed: Arc<IndexedAttributes>,
}

impl Types {
    /// The core types, as the server chooses to have them, with what a schema file adds and what the server demands.
    ///
    /// # Errors
    /// If a demand names an attribute that User does not have.
    pub(crate) fn new(file: Option<&SchemaFile>, behaviour: &Behaviour) -> Result<Self, ServerError> {
        let mut schemas = SchemaSet::core().clone();
        for change in &behaviour.schemas {
            change(&mut schemas);
        }
        let mut kinds = Kind::CORE.to_vec();
        if let Some(file) = file {
            file.add_to(&mut schemas);
            kinds.extend(file.kinds());
        }
        for name in &behaviour.demands.required {
            require(&mut schemas, name)?;
        }
        let definitions: Vec<ResourceDefinition> = kinds
            .iter()
            .map(|kind| {
                schemas.definition(kind.name()).unwrap_or_else(|| {
                    unreachable!("each kind is of a resource type of the set, {} too", kind.name());
                })
            })
            .collect();
        let unique = UniqueAttributes::of(kinds.iter().copied().zip(&definitions));
        let indexed = IndexedAttributes::of(kinds.iter().copied().zip(&definitions));
        Ok(Self { schemas, kinds, definitions, unique: Arc::new(unique), indexed: Arc::new(indexed) })
    }

    /// All schemas, and the resource types as discovery lists them.
    pub(crate) fn schemas(&self) -> &SchemaSet {
        &self.schemas
    }

    /// All types: User, Group, then those of the file in its order.
    pub(crate) fn kinds(&self) -> &[Kind] {
        &self.kinds
    }

    /// The definition of a type. A kind of another server has none here, and gets User's; none ever comes.
    pub(crate) fn definition(&self, kind: Kind) -> &ResourceDefinition {
        let place = self.kinds.iter().position(|known| *known == kind).unwrap_or(0);
        &self.definitions[place]
    }

    /// The type with this name, compared exactly (`name` is case-exact, RFC 7643 §6).
    pub(crate) fn named(&self, name: &str) -> Option<Kind> {
        self.kinds.iter().copied().find(|kind| kind.name() == name)
    }

    /// What is unique beyond ids and user names.
    pub(crate) fn unique(&self) -> &Arc<UniqueAttributes> {
        &self.unique
    }

    /// What resources are found by without looking at all of them.
    pub(crate) fn indexed(&self) -> &Arc<IndexedAttributes> {
        &self.indexed
    }
}

/// Declares an attribute of User required, with its parent.
fn require(schemas: &mut SchemaSet, name: &str) -> Result<(), ServerError> {
    let unknown = || ServerError::UnknownAttribute { name: name.to_owned() };
    let path = AttributePath::parse(name).map_err(|_| unknown())?;
    let urn = path.urn.as_deref().unwrap_or(names::USER);
    let schema =
        schemas.schemas.iter_mut().find(|schema| schema.id.eq_ignore_ascii_case(urn)).ok_or_else(unknown)?;
    let attribute = find(&mut schema.attributes, &path.name).ok_or_else(unknown)?;
    attribute.required = true;
    if let Some(sub) = &path.sub {
        find(&mut attribute.sub_attributes, sub).ok_or_else(unknown)?.required = true;
    }
    Ok(())
}

fn find<'a>(attributes: &'a mut [Attribute], name: &str) -> Option<&'a mut Attribute> {
    attributes.iter_mut().find(|attribute| attribute.name.eq_ignore_ascii_case(name))
}
