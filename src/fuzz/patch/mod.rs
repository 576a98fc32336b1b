//! Fuzzing PATCH against a live service provider.
//!
//! A resource that has a value for whatever its schemas let a client write is patched again and again; after each PATCH it
//! is read, and the model goes on from what was read. First sequences of operations, then the sweep of form × attribute,
//! several operations in one PATCH, then mistakes that have to be refused, and PATCHes of chance as long as the budget
//! lasts. Whatever looks wrong counts only once it has shown again on a fresh resource; it is shrunk there, operation by
//! operation, and put to its cause; what a known cause explains is not tried any more.

mod beside;
mod chance;
pub mod features;
mod hunt;
mod mistakes;
mod phases;
pub mod play;
mod prepare;
pub mod record;
pub mod saved;
mod shrink;
mod standing;
pub mod verdict;

use std::sync::Arc;

use serde_json::Value;

use super::cause::{Cause, Features};
use super::tally::{self, Tally};
use super::{Ended, Found, Setting};
use crate::target::exchange::Exchange;
use saved::SavedCase;
use verdict::{Judgement, Wants};

/// What is needed to fuzz. With several requests under way, PATCHes of chance come from as many clients, each of which has
/// resources of its own.
pub type Fuzz<'a> = Setting<'a, SavedCase>;

/// Fuzzes PATCH, and says what came of it.
pub async fn fuzz(setting: &Setting<'_>) -> Found {
    let saved = saved::cases(setting.saved);
    match setting.with(&saved).patches().await {
        Ok(fuzzed) => record::found(&fuzzed, setting.catalogue, setting.options.seed),
        Err(error) => record::unjudged(&error),
    }
}

/// A property that PATCHes are held to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Property {
    /// What was found before and saved.
    Saved,
    /// Several operations in one PATCH.
    Sequences,
    /// Every form of operation on every attribute.
    Operations,
    /// What is no PATCH of the resource is refused.
    Mistakes,
    /// A PATCH and the PUT that says the same.
    Twins,
    /// The same replacement twice.
    Repeats,
    /// Another resource of the type.
    Neighbours,
    /// PATCHes of chance.
    Random,
}

impl tally::Property for Property {
    const ALL: &'static [Property] = &[
        Property::Saved,
        Property::Sequences,
        Property::Operations,
        Property::Mistakes,
        Property::Twins,
        Property::Repeats,
        Property::Neighbours,
        Property::Random,
    ];

    fn name(self) -> &'static str {
        match self {
            Property::Saved => "saved",
            Property::Sequences => "sequences",
            Property::Operations => "operations",
            Property::Mistakes => "mistakes",
            Property::Twins => "twins",
            Property::Repeats => "repeats",
            Property::Neighbours => "neighbours",
            Property::Random => "random",
        }
    }

    fn title(self) -> &'static str {
        match self {
            Property::Saved => "what an earlier run has found holds now",
            Property::Sequences => "several operations are carried out one after the other",
            Property::Operations => "every operation changes exactly what its path names",
            Property::Mistakes => "what cannot be carried out is refused, and changes nothing",
            Property::Twins => "a PATCH leads to what the PUT leads to that says the same",
            Property::Repeats => "a replacement made twice is as one made once",
            Property::Neighbours => "a PATCH of one resource leaves the others as they are",
            Property::Random => "operations of chance do exactly what they have to",
        }
    }
}

/// What one sighting of a cause showed.
#[derive(Debug, Clone)]
pub struct Counterexample {
    /// Which property it breaks.
    pub property: Property,
    /// The resource type.
    pub resource_type: String,
    /// Where the resources are.
    pub endpoint: String,
    /// The body that was seen first, with [`MARK`](super::strategy::data::MARK) for the word of the resource.
    pub seen: Value,
    /// The smallest body that shows it, in the same way.
    pub body: Value,
    /// What it has to come to.
    pub wants: Wants,
    /// Whether attributes were asked for.
    pub projected: bool,
    /// What it came to.
    pub judgement: Judgement,
    /// The resource before.
    pub before: Value,
    /// The resource that shows it, as it is made, in the same way.
    pub resource: Value,
    /// The ids of other resources of ours that stand in all that.
    pub references: Vec<String>,
    /// The exchange that shows it.
    pub exchange: Option<Arc<Exchange>>,
    /// What is at fault, in features.
    pub features: Features,
    /// Whether it showed again from scratch, on a fresh resource. `None` where that could not be tried.
    pub again: Option<bool>,
    /// The requests made when it was first seen, those of the probe among them.
    pub sighted_at: u64,
    /// The requests made when it was as small as it gets.
    pub minimal_at: u64,
    /// The requests that shrinking took.
    pub shrinking: u64,
}

impl Counterexample {
    /// The operations of the smallest body.
    pub fn operations(&self) -> &[Value] {
        operations(&self.body)
    }
}

/// The operations of a body; none where it has none.
pub fn operations(body: &Value) -> &[Value] {
    body.get("Operations").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default()
}

/// What fuzzing PATCH came to.
#[derive(Debug)]
pub struct Fuzzed {
    /// The causes that were found, in the order of their first sighting.
    pub causes: Vec<Cause<Counterexample>>,
    /// What was tried.
    pub tally: Tally<Property>,
    /// What a reader should know.
    pub notes: Vec<String>,
    /// Why it ended.
    pub ended: Ended,
    /// How many attributes were patched, by endpoint.
    pub attributes: Vec<(String, usize)>,
    /// The saved cases that hold now.
    pub mended: Vec<String>,
}

/// Why PATCH cannot be fuzzed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FuzzError {
    /// There is no resource to patch.
    #[error("no resource could be created at {endpoint}: {why}")]
    NoResource {
        /// Where.
        endpoint: String,
        /// What the last refusal was.
        why: String,
    },
    /// The service provider says that it has no PATCH, and refuses one.
    #[error("the server has no PATCH: {0}")]
    NoPatch(String),
    /// The service provider declares nothing that could be patched.
    #[error("the server declares no resource type that could be patched")]
    NoResources,
    /// The run only reads.
    #[error("fuzzing makes resources, and the run is --read-only")]
    ReadOnly,
}

impl Fuzz<'_> {
    /// Fuzzes PATCH until everything was tried, the budget is spent or the run is interrupted. What was made stays for
    /// the target's clean-up.
    ///
    /// # Errors
    /// If there is nothing to patch, or no PATCH.
    pub async fn patches(&self) -> Result<Fuzzed, FuzzError> {
        hunt::hunt(self).await
    }
}
