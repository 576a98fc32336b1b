//! Reports: what a run found, for people and for machines.
//!
//! [`model::RunReport`] is the one source. It is built once from the outcomes and exchanges of a run, masked
//! and bounded, and every writer derives from it: [`json`] (the primary artefact), [`junit`], [`terminal`].
//! [`failure`] renders the block that shows one failure, for the terminal and for JUnit alike. Reports decide
//! nothing: verdicts come from `judge`, the exit code from `outcome`.

pub mod curl;
pub mod failure;
pub mod file;
pub mod fuzz;
pub mod json;
pub mod junit;
pub mod layout;
pub mod look;
pub mod mask;
pub mod model;
mod page;
#[cfg(test)]
pub(crate) mod sample;
pub mod terminal;
pub mod text;
