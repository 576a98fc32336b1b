//! A server whose reads lag behind its writes, as where reads are served by a replica: after a write, so many reads
//! see the store as it was before. They are counted and not timed, so that nothing about it depends on a clock.

use axum::http::Method;

use super::message::{Answer, Request};
use super::service::State;
use super::store::Store;

/// The store as reads see it, until they have caught up.
#[derive(Debug)]
pub(crate) struct Replica {
    store: Store,
    /// How many reads still see it.
    left: usize,
}

/// Performs a request against what it may see: a write always sees everything, a read what has reached the replica.
pub(super) fn lagging(
    state: &mut State,
    lag: usize,
    request: &Request,
    perform: impl FnOnce(&mut State) -> Answer,
) -> Answer {
    if lag == 0 {
        return perform(state);
    }
    let is_read = matches!(request.method, Method::GET | Method::HEAD | Method::OPTIONS)
        || request.path.trim_end_matches('/').ends_with("/.search");
    if is_read {
        let Some(mut replica) = state.replica.take() else { return perform(state) };
        std::mem::swap(&mut state.store, &mut replica.store);
        let answer = perform(state);
        std::mem::swap(&mut state.store, &mut replica.store);
        replica.left -= 1;
        state.replica = Some(replica).filter(|replica| replica.left > 0);
        return answer;
    }
    // What was written while reads lag becomes visible with the rest.
    let before = state.replica.is_none().then(|| state.store.clone());
    let answer = perform(state);
    if let Some(store) = before.filter(|_| answer.status.is_success()) {
        state.replica = Some(Replica { store, left: lag });
    }
    answer
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::server::auth::Credentials;
    use crate::server::endpoint::Kind;
    use axum::http::HeaderMap;
    use bytes::Bytes;
    use serde_json::Map;

    fn request(method: Method, path: &str) -> Request {
        Request {
            base_path: "",
            method,
            path: path.to_owned(),
            query: Vec::new(),
            headers: HeaderMap::new(),
            body: Bytes::new(),
            credentials: Credentials::Valid,
            tenant: 0,
        }
    }

    #[test]
    fn so_many_reads_see_what_was() {
        let mut state = State::default();
        let count = |state: &mut State, lag| {
            let mut seen = 0;
            lagging(state, lag, &request(Method::GET, "/Users"), |state| {
                seen = state.store.all().count();
                Answer::empty(axum::http::StatusCode::OK)
            });
            seen
        };
        let write = |state: &mut State, status| {
            lagging(state, 2, &request(Method::POST, "/Users"), |state| {
                let id = uuid::Uuid::new_v4().to_string();
                state.store.insert(id, Kind::User, Map::new(), None);
                Answer::empty(status)
            });
        };
        write(&mut state, axum::http::StatusCode::CREATED);
        assert_eq!([(); 4].map(|()| count(&mut state, 2)), [0, 0, 1, 1]);
        write(&mut state, axum::http::StatusCode::CREATED);
        assert_eq!(count(&mut state, 2), 1);
        // A second write in the meantime is seen together with the first.
        write(&mut state, axum::http::StatusCode::CREATED);
        assert_eq!([(); 2].map(|()| count(&mut state, 2)), [1, 3]);
        assert_eq!(count(&mut state, 0), 3);
    }
}
