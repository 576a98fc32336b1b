//! Requests that overlap. A correct server carries each of them out as if it were alone; with a fault that says
//! which requests may overlap, two of them that are under way at once both see the store as the first of them found
//! it, and then both write: a check and a write with no lock around the two.
//!
//! Nothing about it is left to chance: the first of the two waits until the second has come, or until it is clear
//! that there is none.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;

use super::message::Answer;
use super::service::State;
use super::store::Store;

/// How long a request waits for another one that it overlaps with.
const MOST: Duration = Duration::from_millis(200);

/// The requests that wait for another one, by what they have in common.
#[derive(Debug, Default)]
pub(crate) struct Overlaps {
    waiting: Mutex<HashMap<String, Arc<Meeting>>>,
}

/// Two requests that overlap.
#[derive(Debug, Default)]
pub(crate) struct Meeting {
    met: Notify,
    /// The store as both of them see it, once the first has begun.
    found: Mutex<Option<Store>>,
}

impl Overlaps {
    /// Waits for another request with this key, and not for long. None where none came.
    pub(super) async fn meet(&self, key: &str) -> Option<Arc<Meeting>> {
        let meeting = {
            let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(meeting) = waiting.remove(key) {
                meeting.met.notify_one();
                return Some(meeting);
            }
            let meeting = Arc::new(Meeting::default());
            waiting.insert(key.to_owned(), Arc::clone(&meeting));
            meeting
        };
        if tokio::time::timeout(MOST, meeting.met.notified()).await.is_ok() {
            return Some(meeting);
        }
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        match waiting.get(key) {
            Some(still) if Arc::ptr_eq(still, &meeting) => {
                waiting.remove(key);
                None
            }
            // It came at the last moment.
            _ => Some(meeting),
        }
    }
}

/// Performs a request on the store as it is, or as the request that it overlaps with found it.
pub(super) fn overlapping(
    state: &mut State,
    meeting: Option<&Meeting>,
    perform: impl FnOnce(&mut State) -> Answer,
) -> Answer {
    let Some(meeting) = meeting else { return perform(state) };
    let mut found = meeting.found.lock().unwrap_or_else(PoisonError::into_inner);
    let Some(before) = found.take() else {
        *found = Some(state.store.clone());
        return perform(state);
    };
    let now = std::mem::replace(&mut state.store, before.clone());
    let answer = perform(state);
    let written = std::mem::replace(&mut state.store, now);
    state.store.overwrite(&before, &written);
    answer
}

#[cfg(test)]
mod tests {
    use axum::http::StatusCode;
    use serde_json::{Map, Value, json};

    use super::*;
    use crate::server::endpoint::Kind;

    fn set(state: &mut State, meeting: Option<&Meeting>, id: &str, name: &str) {
        overlapping(state, meeting, |state| {
            let mut attributes =
                state.store.get(id).map_or_else(Map::new, |record| record.attributes.clone());
            attributes.insert(name.to_owned(), json!(true));
            match state.store.get(id) {
                Some(_) => state.store.update(id, attributes, None, true),
                None => state.store.insert(id.to_owned(), Kind::User, attributes, None),
            }
            Answer::empty(StatusCode::OK)
        });
    }

    fn names(state: &State, id: &str) -> Vec<String> {
        let attributes = state.store.get(id).map(|record| Value::Object(record.attributes.clone()));
        attributes.iter().filter_map(Value::as_object).flat_map(Map::keys).cloned().collect()
    }

    #[test]
    fn of_two_that_overlap_the_second_overwrites_the_first() {
        let mut state = State::default();
        set(&mut state, None, "a", "base");
        set(&mut state, None, "a", "one");
        assert_eq!(names(&state, "a"), ["base", "one"]);
        let meeting = Meeting::default();
        set(&mut state, Some(&meeting), "a", "two");
        set(&mut state, Some(&meeting), "a", "three");
        assert_eq!(names(&state, "a"), ["base", "one", "three"]);
    }

    #[tokio::test]
    async fn only_those_meet_that_have_something_in_common() {
        let overlaps = Overlaps::default();
        let (first, second, other) = tokio::join!(overlaps.meet("a"), overlaps.meet("a"), overlaps.meet("b"));
        assert!(first.is_some() && second.is_some() && other.is_none());
        assert!(overlaps.waiting.lock().unwrap().is_empty());
    }
}
