//! Where the executor posts outcomes and the trials wait for theirs.
//!
//! The executor decides the order in which cases run; a trial only asks for its id. Nothing here knows what an
//! outcome means.

use std::collections::BTreeMap;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use crate::outcome::Outcome;

/// What is made of an outcome before anybody sees it.
pub type Revise = Box<dyn Fn(Outcome) -> Outcome + Send + Sync>;

/// The outcomes of a run, by id, as they come.
#[derive(Default)]
pub struct Board {
    state: Mutex<State>,
    changed: Condvar,
    revise: Option<Revise>,
}

#[derive(Debug, Default)]
struct State {
    outcomes: BTreeMap<String, Outcome>,
    closed: bool,
}

impl Board {
    /// A board that shows outcomes as they are after a revision.
    pub fn revising(revise: Option<Revise>) -> Board {
        Board { revise, ..Board::default() }
    }

    /// Posts an outcome and wakes whoever waits for it.
    pub fn post(&self, outcome: Outcome) {
        let outcome = match &self.revise {
            Some(revise) => revise(outcome),
            None => outcome,
        };
        self.lock().outcomes.insert(outcome.id.clone(), outcome);
        self.changed.notify_all();
    }

    /// Says that nothing more will come.
    pub fn close(&self) {
        self.lock().closed = true;
        self.changed.notify_all();
    }

    /// Waits for the outcome of an id. `None` where the run ended without one.
    pub fn wait(&self, id: &str) -> Option<Outcome> {
        let mut state = self.lock();
        loop {
            if let Some(outcome) = state.outcomes.get(id) {
                return Some(outcome.clone());
            }
            if state.closed {
                return None;
            }
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    // A panic while the lock was held cannot leave the map half-written: each post is one insertion.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
