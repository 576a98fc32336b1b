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

pub mod calibrate;
pub mod population;
pub mod truth;
pub mod world;
