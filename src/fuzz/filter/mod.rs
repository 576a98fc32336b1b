//! Fuzzing filters against a live service provider.
//!
//! Resources are made and read back; a few probes settle the dialect; then connectives, look-ups, the sweep of
//! attribute × operator × literal, slips and hostile texts, relations between answers, and filters of chance as long as
//! the budget lasts. Many filters travel in one request, each for a slice of the resources; whatever looks wrong counts
//! only once it was asked alone. What is wrong is shrunk by asking for its parts, judged anew on fresh resources, and put
//! to its cause; what a known cause explains is not asked any more.

mod again;
mod anew;
pub mod ask;
mod batches;
pub mod features;
mod hunt;
mod phases;
mod prepare;
pub mod record;
mod relation;
pub mod saved;
mod shrink;
mod slips;
pub mod terms;
pub mod verdict;

use std::sync::Arc;

use super::cause::{Cause, Features, Harm};
use super::dataset::{DataSet, TooFew};
use super::tally::{self, Tally};
use super::{Ended, Found, Setting};
use crate::oracle::truth::Explanation;
use crate::target::exchange::Exchange;
use ask::Way;
use saved::SavedCase;
use verdict::Verdict;

/// What is needed to fuzz.
pub type Fuzz<'a> = Setting<'a, SavedCase>;

/// Fuzzes filters, and says what came of it.
pub async fn fuzz(setting: &Setting<'_>) -> Found {
    let saved = saved::cases(setting.saved);
    match setting.with(&saved).filters().await {
        Ok(fuzzed) => record::found(&fuzzed, setting.catalogue, setting.options.seed),
        Err(error) => record::unjudged(&error),
    }
}

/// A property that filters are held to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Property {
    /// What was found before and saved.
    Saved,
    /// `and`, `or`, `not`, parentheses and brackets.
    Connectives,
    /// One comparison for equality, as clients look accounts up.
    Lookups,
    /// Every operator on every attribute.
    Comparisons,
    /// What is no filter is refused.
    Slips,
    /// Texts that are meant to hurt do not.
    Hostile,
    /// Answers that belong together agree.
    Relations,
    /// Filters of chance.
    Random,
}

impl tally::Property for Property {
    const ALL: &'static [Property] = &[
        Property::Saved,
        Property::Connectives,
        Property::Lookups,
        Property::Comparisons,
        Property::Slips,
        Property::Hostile,
        Property::Relations,
        Property::Random,
    ];

    fn name(self) -> &'static str {
        match self {
            Property::Saved => "saved",
            Property::Connectives => "connectives",
            Property::Lookups => "lookups",
            Property::Comparisons => "comparisons",
            Property::Slips => "slips",
            Property::Hostile => "hostile",
            Property::Relations => "relations",
            Property::Random => "random",
        }
    }

    fn title(self) -> &'static str {
        match self {
            Property::Saved => "what an earlier run has found holds now",
            Property::Connectives => "and, or, not, parentheses and brackets mean what RFC 7644 says",
            Property::Lookups => "a comparison for equality finds exactly who is equal",
            Property::Comparisons => "every operator finds, on every attribute, exactly what it has to",
            Property::Slips => "what is no filter is refused with 400 invalidFilter",
            Property::Hostile => "no literal breaks the server, or gets around the filter",
            Property::Relations => "filters that belong together find what belongs together",
            Property::Random => "filters of chance find exactly what they have to",
        }
    }
}

/// What one sighting of a cause showed.
#[derive(Debug, Clone)]
pub struct Counterexample {
    /// Which property it breaks.
    pub property: Property,
    /// Where it was asked.
    pub endpoint: String,
    /// The filter that was seen first.
    pub seen: String,
    /// The smallest filter that shows it.
    pub filter: String,
    /// For a relation, what it is held against.
    pub against: Option<Against>,
    /// What the answer to the smallest one comes to.
    pub verdict: Verdict,
    /// The resources that differ, with why they have to match, or not.
    pub rows: Vec<RowInQuestion>,
    /// The exchange that shows it.
    pub exchange: Option<Arc<Exchange>>,
    /// What is at fault, in features.
    pub features: Features,
    /// Whether it showed again from scratch: on fresh resources, or where there are none to it, asked once more. `None`
    /// where that could not be tried.
    pub again: Option<bool>,
    /// The resources that show it, for a case that can be replayed.
    pub data: Option<DataSet>,
    /// The requests made when it was first seen, those of the probe among them.
    pub sighted_at: u64,
    /// The requests made when it was as small as it gets.
    pub minimal_at: u64,
    /// The requests that shrinking took.
    pub shrinking: u64,
    /// How many terms the smallest filter has.
    pub terms: usize,
}

/// What the answer to a filter is held against: the answer to another one, or to the same, asked in another way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Against {
    /// The filter that is asked first, with GET.
    pub filter: String,
    /// How the one that is held against it is asked.
    pub way: Way,
}

/// A resource that an answer is wrong about.
#[derive(Debug, Clone, PartialEq)]
pub struct RowInQuestion {
    /// Its name for people.
    pub label: String,
    /// Its id, if it is ours.
    pub id: Option<String>,
    /// Whether it must match.
    pub must: bool,
    /// Why.
    pub explanation: Explanation,
}

/// What fuzzing filters came to.
#[derive(Debug)]
pub struct Fuzzed {
    /// The causes that were found, in the order of their first sighting.
    pub causes: Vec<Cause<Counterexample>>,
    /// What was tried.
    pub tally: Tally<Property>,
    /// The service provider's dialect, as far as probes settled it.
    pub dialect: Vec<String>,
    /// What a reader should know.
    pub notes: Vec<String>,
    /// Why it ended.
    pub ended: Ended,
    /// How many resources it was judged on, by endpoint.
    pub resources: Vec<(String, usize)>,
    /// The saved cases that hold now.
    pub mended: Vec<String>,
}

/// Why filters cannot be fuzzed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FuzzError {
    /// There are no resources to filter.
    #[error(transparent)]
    TooFew(#[from] TooFew),
    /// The service provider says that it has no filters, and refuses one.
    #[error("the server has no filters: {0}")]
    NoFilters(String),
    /// The service provider declares no users.
    #[error("the server declares no resource type that could be filtered")]
    NoResources,
    /// The run only reads.
    #[error("fuzzing makes resources, and the run is --read-only")]
    ReadOnly,
}

impl Fuzz<'_> {
    /// Fuzzes filters until everything was tried, the budget is spent or the run is interrupted. What was made stays for
    /// the target's clean-up.
    ///
    /// # Errors
    /// If there is nothing to filter, or no filter.
    pub async fn filters(&self) -> Result<Fuzzed, FuzzError> {
        hunt::hunt(self).await
    }
}

/// What a verdict does.
pub(crate) fn harm(verdict: &Verdict) -> Harm {
    match verdict {
        Verdict::Wrong(mistake) if !mistake.is_firm => Harm::Contradiction,
        Verdict::Wrong(_) | Verdict::Right | Verdict::Nothing(_) => Harm::Wrong,
        Verdict::Refused { .. } => Harm::Refused,
        Verdict::Served { .. } | Verdict::Miscalled { .. } => Harm::Served,
        Verdict::Broken(_) => Harm::Broken,
    }
}
