//! Expect × Exchange → findings. Pure: no network, no clock, no file.
//!
//! [`judge`] looks at one exchange with the expectation of one step; [`rules`] look at every exchange of a
//! run. Both speak in [`Finding`]s. This module refuses to know how requests are made, how names get their
//! values, and what a verdict does to the exit code.
//!
//! How an expectation is judged: `requires` first; then the status, since everything after a wrong one would
//! be echo; then `never`; then the block's own demands; then the first of `any` that holds wholly, or
//! `otherwise`; then each block of `also` apart.

mod context;
pub mod rules;

use crate::outcome::Finding;
use crate::suite::model::Expect;
use crate::target::exchange::Exchange;

pub use context::{Claims, Context, Handle, Names, Ours, Reading, same_id};

use crate::outcome::Place;

/// What an expectation came to.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Judgement {
    /// What contradicts the expectation, most severe first. Empty: it holds.
    pub findings: Vec<Finding>,
    /// The name of the alternative that was taken, for `when`.
    pub matched: Option<String>,
    /// What is worth knowing about a pass: an alternative's reason, a part that was not judged.
    pub notes: Vec<String>,
    /// Whether the status was one of those expected. Where it was not, the case ends, unless no finding is a
    /// failure.
    pub status_held: bool,
    /// What is wrong with the expectation itself; the case is errored, never failed.
    pub error: Option<ExpectError>,
}

/// Why an expectation cannot be judged: the suite's fault, or ours, never the service provider's.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct ExpectError {
    /// What is wrong, and how to mend it.
    pub message: String,
    /// Where in the suite.
    pub place: Option<Place>,
}

/// Judges one exchange by the expectation of its step.
///
/// An exchange without an answer is not judged: it holds nothing about the service provider. The executor
/// makes the case errored; here it gives an empty judgement whose status did not hold.
pub fn judge(expect: &Expect, exchange: &Exchange, context: &Context<'_>) -> Judgement {
    let _ = (expect, exchange, context);
    Judgement::default()
}
