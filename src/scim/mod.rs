//! The reading of RFC 7643 and RFC 7644: parse, print, evaluate. Knows no HTTP, holds no fault.
//!
//! | module | reads |
//! |---|---|
//! | [`schema`] | schemas, resource types and their characteristics (RFC 7643 §2, §6, §7) |
//! | [`definition`] | one resource type with its schemas resolved: which attribute a path names |
//! | [`path`] | attribute notation and PATCH paths (RFC 7644 §3.10, §3.5.2) |
//! | [`filter`] | the filter language (RFC 7644 §3.4.2.2) |
//! | [`patch`] | PATCH (RFC 7644 §3.5.2) |
//! | [`validate`] | a resource against its schemas |
//! | [`project`] | `attributes` and `excludedAttributes` (RFC 7644 §3.9) |
//! | [`sort`] | `sortBy` (RFC 7644 §3.4.2.3) |
//! | [`compare`] | equality of resources as SCIM sees it |
//! | [`error`], [`list`] | the Error and ListResponse messages (RFC 7644 §3.12, §3.4.2) |
//! | [`at`] | one value at an attribute path, whatever the schemas say |
//! | [`bulk`] | Bulk messages and the references inside them (RFC 7644 §3.7) |
//!
//! Whatever a peer sends may be broken: readers here keep what is readable and return the
//! [`problem::Problem`]s, and everything that recurses over input bounds its depth.

pub mod at;
pub mod bulk;
pub mod compare;
pub mod datetime;
pub mod definition;
pub mod error;
pub mod filter;
pub mod list;
pub mod names;
pub mod patch;
pub mod path;
pub mod problem;
pub mod project;
pub mod resource;
pub mod schema;
pub mod sort;
pub mod text;
pub mod validate;
