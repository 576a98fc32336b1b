//! Fuzzing lifecycles: users and groups that are created, changed, renamed, deactivated, deleted and created again, held
//! against a model after each step; and several clients at once, held against every order of their requests.
//!
//! First comes a tour of short sequences that goes through every transition, then races, then sequences of chance. Each
//! is played in a name space of its own. What contradicts the model is tried again from scratch and shrunk: cut at the step
//! that showed it, reduced to the resources and names that it is about, then step by step and value by value.

pub mod ground;
mod hunt;
pub mod look;
pub mod model;
pub mod order;
mod patience;
pub mod play;
pub mod problem;
pub mod race;
mod read;
pub mod record;
mod request;
pub mod saved;
mod shrink;
pub mod step;
pub mod tour;
mod write;

use std::sync::Arc;

use super::tally::{self, Tally};
use super::{Ended, Found, Setting};
use crate::target::exchange::Exchange;
use problem::{Problem, Signature};
use step::Sequence;

/// What is needed to fuzz.
pub type Fuzz<'a> = Setting<'a, SavedSequence>;

/// Fuzzes lifecycles, and says what came of it.
pub async fn fuzz(setting: &Setting<'_>) -> Found {
    let saved = saved::sequences(setting.saved);
    match setting.with(&saved).lifecycles().await {
        Ok(fuzzed) => record::found(&fuzzed, setting.catalogue, setting.options.seed),
        Err(error) => record::unjudged(&error),
    }
}

/// A counterexample of an earlier run.
#[derive(Debug, Clone, PartialEq)]
pub struct SavedSequence {
    /// Its name, for people: the file.
    pub name: String,
    /// The steps.
    pub steps: Sequence,
}

/// A property that lifecycles are held to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Property {
    /// What was found before and saved.
    Saved,
    /// Every transition once.
    Transitions,
    /// Several clients at once.
    Races,
    /// Sequences of chance.
    Chance,
}

impl tally::Property for Property {
    const ALL: &'static [Property] =
        &[Property::Saved, Property::Transitions, Property::Races, Property::Chance];

    fn name(self) -> &'static str {
        match self {
            Property::Saved => "saved",
            Property::Transitions => "transitions",
            Property::Races => "races",
            Property::Chance => "chance",
        }
    }

    fn title(self) -> &'static str {
        match self {
            Property::Saved => "what an earlier run has found holds now",
            Property::Transitions => "every step of a lifecycle leads where the RFCs have it lead",
            Property::Races => {
                "what several clients do at once comes to what they would do one after the other"
            }
            Property::Chance => "lifecycles of chance lead where the RFCs have them lead",
        }
    }
}

/// What one cause showed, as small as it gets.
#[derive(Debug, Clone)]
pub struct Counterexample {
    /// Which property it breaks.
    pub property: Property,
    /// The steps as they were first seen, up to the one that showed it.
    pub seen: Sequence,
    /// The smallest sequence that shows it.
    pub steps: Sequence,
    /// What it shows.
    pub problem: Problem,
    /// Whether it showed again from scratch. `None` where that could not be tried.
    pub again: Option<bool>,
    /// The exchanges of the smallest sequence, in order.
    pub exchanges: Vec<Arc<Exchange>>,
    /// The requests made when it was first seen, those of the probe among them.
    pub sighted_at: u64,
    /// The requests made when it was as small as it gets.
    pub minimal_at: u64,
}

/// A cause with what shows it.
#[derive(Debug, Clone)]
pub struct Cause {
    /// What all sightings have in common.
    pub signature: Signature,
    /// How often it was seen.
    pub sightings: u64,
    /// What it was first seen by.
    pub shown: Counterexample,
}

/// What fuzzing lifecycles came to.
#[derive(Debug)]
pub struct Fuzzed {
    /// The causes that were found, in the order of their first sighting.
    pub causes: Vec<Cause>,
    /// What was tried.
    pub tally: Tally<Property>,
    /// How many steps were taken.
    pub steps: u64,
    /// What a reader should know.
    pub notes: Vec<String>,
    /// Why it ended.
    pub ended: Ended,
    /// How many resources were made, by endpoint.
    pub resources: Vec<(String, usize)>,
    /// The saved cases that hold now.
    pub mended: Vec<String>,
}

/// Why lifecycles cannot be fuzzed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FuzzError {
    /// The service provider declares no users.
    #[error("the server declares no users")]
    NoUsers,
    /// The run only reads.
    #[error("fuzzing makes resources, and the run is --read-only")]
    ReadOnly,
}

impl Fuzz<'_> {
    /// Fuzzes lifecycles until everything was tried, the budget is spent or the run is interrupted. What was made stays
    /// for the target's clean-up.
    ///
    /// # Errors
    /// If there is nothing that could live.
    pub async fn lifecycles(&self) -> Result<Fuzzed, FuzzError> {
        hunt::hunt(self).await
    }
}
