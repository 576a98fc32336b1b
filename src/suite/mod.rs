//! Suites: what an author writes, read into types, checked, and kept with the place of every part.

pub mod action;
pub mod block;
pub mod diagnostic;
pub mod export;
pub mod fresh;
pub mod lint;
pub mod list;
pub mod load;
pub mod model;
pub mod nearest;
pub mod place;
pub mod schema;
pub mod template;
pub mod text;
pub mod vectors;
pub mod yaml;

pub use diagnostic::Diagnostic;
pub use load::{Library, Population, SuiteFile};
pub use schema::schema_json;
