//! `attributes` and `excludedAttributes` (RFC 7644 §3.9).

use serde_json::Value;

use super::definition::ResourceDefinition;
use super::error::ScimError;
use super::path::AttributePath;

/// Which attributes a client asked for.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Projection {
    /// Nothing was asked: what is returned by default.
    #[default]
    Default,
    /// `attributes`: the minimum set and these.
    Only(Vec<AttributePath>),
    /// `excludedAttributes`: the default set without these.
    Without(Vec<AttributePath>),
}

impl Projection {
    /// Reads the two parameters, each a comma-separated list. A name that is malformed is ignored, as an unknown one is.
    ///
    /// # Errors
    /// 400 invalidValue if both are given: they exclude each other.
    pub fn parse(_attributes: Option<&str>, _excluded: Option<&str>) -> Result<Projection, ScimError> {
        todo!()
    }

    /// The part of a resource that was asked for.
    pub fn apply(&self, _resource: &Value, _definition: &ResourceDefinition) -> Value {
        todo!()
    }
}
