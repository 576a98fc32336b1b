//! `--schemas FILE`: resource types and extensions of the user's own, read as the discovery endpoints of a service
//! provider print them, and checked so strictly that every type which passes can be served.
//!
//! ```json
//! {"schemas": [{"id": "urn:…", "name": "…", "attributes": […]}], "resourceTypes": [{"name": "…", …}]}
//! ```
//!
//! Either member may be the list itself or the ListResponse around it. What the core has already (RFC 7643 §8.7) is
//! the server's own, and stays so: of the resource types User and Group, only further extensions are taken.

mod reader;
#[cfg(test)]
mod tests;

use std::fmt;
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::kind::Kind;
use crate::scim::problem::Problem;
use crate::scim::schema::{ResourceType, Schema, SchemaExtension, SchemaSet};
use reader::Reader;

/// The largest file that is read, in bytes.
const MAX_FILE: u64 = 16 << 20;

/// Resource types and extensions beside the core ones.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SchemaFile {
    /// Schemas that the core does not have.
    schemas: Vec<Schema>,
    /// Resource types that the core does not have.
    resource_types: Vec<ResourceType>,
    /// Extensions of the resource types of the core, by their names.
    extensions: Vec<(String, SchemaExtension)>,
    notes: Vec<String>,
}

/// Why a schema file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum SchemaFileError {
    /// It cannot be read.
    #[error("cannot read the schemas in {}: {source}", .path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// It is too large to be one.
    #[error("{} is larger than {MAX_FILE} bytes", .path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
    },
    /// It is no JSON.
    #[error("{file}:{line}:{column}: this is not JSON: {message}")]
    Syntax {
        /// What the file is called.
        file: String,
        /// The line, counted from 1.
        line: usize,
        /// The column, counted from 1.
        column: usize,
        /// What the parser said.
        message: String,
    },
    /// It does not describe what can be served.
    #[error("{file} holds no schemas and resource types that can be served:{problems}")]
    Contents {
        /// What the file is called.
        file: String,
        /// Each thing that is wrong, with its place.
        problems: Problems,
    },
}

/// Things that are wrong with a file, each with its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problems(pub Vec<Problem>);

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|problem| write!(f, "\n  {problem}"))
    }
}

impl SchemaFile {
    /// Reads a file.
    ///
    /// # Errors
    /// If it cannot be read, is no JSON, or describes something that cannot be served; each spot is named.
    pub fn read(path: &Path) -> Result<SchemaFile, SchemaFileError> {
        use std::io::Read;
        let unreadable = |source| SchemaFileError::Unreadable { path: path.to_owned(), source };
        let mut text = String::new();
        let file = std::fs::File::open(path).map_err(unreadable)?;
        let read = file.take(MAX_FILE + 1).read_to_string(&mut text).map_err(unreadable)?;
        if read as u64 > MAX_FILE {
            return Err(SchemaFileError::TooLarge { path: path.to_owned() });
        }
        SchemaFile::parse(&text, &path.display().to_string())
    }

    /// Understands the text of a file; `name` is what messages call it.
    ///
    /// # Errors
    /// If it is no JSON, or describes something that cannot be served; each spot is named.
    pub fn parse(text: &str, name: &str) -> Result<SchemaFile, SchemaFileError> {
        let document: Value = serde_json::from_str(text).map_err(|error| SchemaFileError::Syntax {
            file: name.to_owned(),
            line: error.line(),
            column: error.column(),
            message: error.to_string(),
        })?;
        Reader::read(&document).map_err(|problems| SchemaFileError::Contents {
            file: name.to_owned(),
            problems: Problems(problems),
        })
    }

    /// What is not wrong, but may not be meant: what the server keeps as its own, and what is of no use.
    pub fn notes(&self) -> &[String] {
        &self.notes
    }

    /// Adds everything to the core's set.
    pub(crate) fn add_to(&self, set: &mut SchemaSet) {
        set.schemas.extend(self.schemas.iter().cloned());
        for (name, extension) in &self.extensions {
            if let Some(core) = set.resource_types.iter_mut().find(|core| core.name == *name) {
                core.extensions.push(extension.clone());
            }
        }
        set.resource_types.extend(self.resource_types.iter().cloned());
    }

    /// The kinds of the further resource types.
    pub(crate) fn kinds(&self) -> impl Iterator<Item = Kind> {
        self.resource_types.iter().map(|it| Kind::custom(&it.name, it.endpoint_name(), &it.schema))
    }
}
