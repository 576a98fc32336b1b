//! Coverage: what of the catalogue binds a service provider, which cases and rules test it, what has been shown to be
//! tested, and why the rest is not.
//!
//! Pure: a library of suites, the catalogue and the proofs go in, a [`Report`] comes out, which is printed as
//! [`text`], [`markdown`] or JSON. It refuses to know targets and verdicts, and how a proof came about: that a fault
//! turns a case red is shown by the tests and read from [`proof`].

pub mod citation;
pub mod markdown;
pub mod proof;
pub mod report;
pub mod state;
pub mod tally;
pub mod text;

pub use citation::{Citation, Citations};
pub use proof::{Proof, Proofs};
pub use report::{Report, Selection, report};
pub use state::State;

/// The JSON Schema of the report: `schema/coverage.schema.json`.
pub fn schema() -> serde_json::Value {
    let mut schema = schemars::schema_for!(Report);
    schema.insert("title".to_owned(), "Coverage of the requirements, by scimspec".into());
    schema.to_value()
}

/// The report as JSON text, ending in a line feed.
///
/// # Errors
/// None that input could cause: every member of the report has a JSON form.
pub fn json(report: &Report) -> Result<String, serde_json::Error> {
    Ok(format!("{}\n", serde_json::to_string_pretty(report)?))
}
