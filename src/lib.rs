//! scimspec: the conformance harness for SCIM 2.0 servers.
//!
//! Five nouns carry the whole program:
//!
//! * a **suite** holds cases, written in YAML, that describe documented behaviour ([`suite`]);
//! * a **target** is the server under test, spoken to by a client that keeps promises ([`target`]);
//! * an **exchange** is one request with its answer, exactly as it crossed the wire ([`target::exchange`]);
//! * a **finding** is one contradiction between an exchange and a requirement ([`outcome`]);
//! * an **outcome** is what a case came to: its verdict with the evidence ([`outcome`]).
//!
//! They pass through one pipeline: discover (files) and probe (network) → plan (pure) → execute
//! (network) → judge (pure) → report (files). The pure stages hold all decisions.

#![forbid(unsafe_code)]

pub mod app;
pub mod baseline;
pub mod cli;
pub mod config;
pub mod coverage;
pub mod dispute;
pub mod explain;
pub mod fuzz;
pub mod hook;
pub mod judge;
pub mod oracle;
pub mod outcome;
pub mod plan;
pub mod profile;
pub mod readiness;
pub mod report;
pub mod requirement;
pub mod run;
pub mod scim;
pub mod server;
pub mod snapshot;
pub mod suite;
pub mod target;
pub mod trial;

#[cfg(test)]
mod committed;
