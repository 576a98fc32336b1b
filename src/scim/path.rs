//! Attribute notation (RFC 7644 §3.10) and the path of a PATCH operation (§3.5.2).
//!
//! Only the form of a path is read here; whether it names an attribute is for
//! [`ResourceDefinition`](super::definition::ResourceDefinition) to say.

use std::fmt;

use super::filter::{Filter, FilterError, parse};

/// `[urn:]name[.sub]`: the name of an attribute, as written. Names compare without regard to case.
///
/// The notation cannot tell a schema URN on its own (`urn:…:2.0:User`) from an attribute `User` of a schema
/// `urn:…:2.0`; the definition of the resource decides.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct AttributePath {
    /// The schema's URI, without the colon that ends it.
    pub urn: Option<String>,
    /// The attribute.
    pub name: String,
    /// The sub-attribute.
    pub sub: Option<String>,
}

impl AttributePath {
    /// A path of a name only.
    pub fn of(name: impl Into<String>) -> Self {
        AttributePath { urn: None, name: name.into(), sub: None }
    }

    /// Reads `[urn:]name[.sub]`.
    ///
    /// # Errors
    /// If the text is no attribute notation; the position is a byte offset into it.
    pub fn parse(text: &str) -> Result<Self, FilterError> {
        parse::attribute_path(text)
    }

    /// The same attribute, whatever its sub-attribute.
    pub fn without_sub(&self) -> Self {
        AttributePath { sub: None, ..self.clone() }
    }

    /// The same attribute's sub-attribute.
    pub fn with_sub(&self, sub: impl Into<String>) -> Self {
        AttributePath { sub: Some(sub.into()), ..self.clone() }
    }
}

impl fmt::Display for AttributePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(urn) = &self.urn {
            write!(f, "{urn}:")?;
        }
        f.write_str(&self.name)?;
        match &self.sub {
            Some(sub) => write!(f, ".{sub}"),
            None => Ok(()),
        }
    }
}

/// The `path` of a PATCH operation: `attrPath / valuePath [subAttr]`.
#[derive(Debug, Clone, PartialEq)]
pub struct PatchPath {
    /// The attribute; where there is a filter, its `sub` is `None`.
    pub attribute: AttributePath,
    /// The value filter between brackets.
    pub filter: Option<Filter>,
    /// The sub-attribute behind the brackets.
    pub sub: Option<String>,
}

impl PatchPath {
    /// Reads a PATCH path.
    ///
    /// # Errors
    /// If the text is none; the position is a byte offset into it.
    pub fn parse(text: &str) -> Result<Self, FilterError> {
        parse::patch_path(text)
    }
}

impl fmt::Display for PatchPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.attribute)?;
        if let Some(filter) = &self.filter {
            write!(f, "[{filter}]")?;
        }
        match &self.sub {
            Some(sub) => write!(f, ".{sub}"),
            None => Ok(()),
        }
    }
}
