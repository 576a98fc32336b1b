//! Payload snapshots: an answer as text, without what differs from run to run, compared with the one that was
//! accepted.
//!
//! [`redact`] takes out what no two runs have in common, by its path and by the names that a case has for it;
//! [`payload`](mod@payload) lays the rest out in one order; [`compare`] says what differs; [`file`](mod@file) reads and writes insta's
//! format; [`store`] knows where accepted payloads are, and what is pending. None of them knows how a request was
//! made, or what a difference does to a verdict.

pub mod compare;
pub mod file;
pub mod payload;
pub mod redact;
pub mod store;

pub use payload::payload;
pub use redact::{Names, Redaction};
pub use store::{Compared, Snapshots};
