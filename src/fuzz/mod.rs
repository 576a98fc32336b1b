//! Fuzzing with properties: what no suite has written down, tried against a live service provider and judged by the
//! oracle.
//!
//! | module | does |
//! |---|---|
//! | [`strategy`] | resources, literals, filters, spellings and slips as strategies that any property can compose |
//! | [`dice`] | draws from them, the same again for the same seed |
//! | [`dataset`] | makes the resources that are fuzzed over, and reads them back |
//! | [`cause`] | groups what was sighted by its cause, so that one defect is reported once |
//! | [`course`] | how long a hunt goes on, and why it ended |
//! | [`heard`] | what came of a request, before it means anything to a fuzzer |
//! | [`tally`] | what was tried of each property, counted |
//! | [`filter`] | fuzzes filters: what is asked in which order, shrinking, judging anew |
//! | [`patch`] | fuzzes PATCH: what is sent in which order, what it comes to, shrinking on fresh resources |
//! | [`lifecycle`] | fuzzes lifecycles: the steps, the model, races, the tour, judging, shrinking |
//! | [`subject`] | what can be fuzzed, and what each fuzzer is given and gives |
//! | [`record`] | what outcomes and records of all kinds have in common |
//! | [`saved`] | suites that fuzzing has saved: `scimspec run` replays them, and they are tried first the next time |
//! | [`progress`] | who is told how far it is |
//!
//! What is right is said by [`oracle`](crate::oracle); requests, pace, budget, ledger and clean-up are the
//! [`target`](crate::target)'s.

pub mod cause;
pub mod course;
pub mod dataset;
pub mod dice;
pub mod filter;
pub mod heard;
pub mod lifecycle;
pub mod patch;
pub mod progress;
pub mod record;
pub mod saved;
pub mod strategy;
pub mod subject;
pub mod tally;

pub use subject::{Found, Setting, Subject};

/// The origin of the exchanges made.
pub const ORIGIN: &str = "fuzz";

/// What a run of fuzzing is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// The seed of everything that is drawn.
    pub seed: u64,
    /// How many filters, or whatever is fuzzed, are tried at most; without it, the budget of requests is the limit.
    pub most: Option<u64>,
    /// How many requests are under way at once.
    pub in_flight: usize,
    /// Whether it ends once a cause is found.
    pub stop_at_first: bool,
    /// Whether every exchange is kept, and not only those that show something.
    pub keeps_all: bool,
}

/// Why it ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ended {
    /// All that was wanted was tried.
    Done,
    /// The budget of requests is spent.
    BudgetSpent,
    /// Somebody interrupted it.
    Interrupted,
    /// The target does not serve any more, or does not let us in.
    Gone(String),
}
