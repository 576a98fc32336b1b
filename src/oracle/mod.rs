//! The oracle: what SCIM says should come out of a request.
//!
//! Stands on [`scim`](crate::scim) only, and is naive on purpose: it is read beside the RFC. The reference server
//! evaluates through predicates of its own, so that neither can hide a mistake of the other. Nothing here knows
//! HTTP, exchanges or verdicts.
//!
//! | module | says |
//! |---|---|
//! | [`world`] | which points the RFCs leave open, and which readings of them are still possible |
//! | [`truth`] | whether a resource matches a filter, in one reading, and why |
//! | [`calibrate`] | which readings a service provider has, learned from its answers |
//! | [`population`] | resources designed to tell right from wrong, and what a list of them must hold |
//! | [`batch`] | several filters in one query, and what each of them may find |
//! | [`written`] | what a resource may look like after a write |
//! | [`patched`] | the states that a PATCH may lead to, one for each reading of its operations |
//! | [`derived`] | what a service provider may add to a resource, or change in it, by itself |

pub mod batch;
pub mod calibrate;
pub mod derived;
pub mod patched;
pub mod population;
pub mod truth;
pub mod world;
pub mod written;
