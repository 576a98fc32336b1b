//! What should come out of a request: models that are written from the RFCs alone, apart from the server and from
//! what judges.
//!
//! | module | says |
//! |---|---|
//! | [`written`] | what a resource may look like after a write |
//! | [`patched`] | the states that a PATCH may lead to, one for each reading of its operations |
//! | [`derived`] | what a service provider may add to a resource, or change in it, by itself |

pub mod derived;
pub mod patched;
pub mod written;
