use std::collections::BTreeSet;

use axum::http::HeaderMap;
use bytes::Bytes;
use proptest::prelude::*;

use super::super::ServerOptions;
use super::super::auth::Credentials;
use super::super::endpoint::BASE_PATH;
use super::super::fault::{Fault, FaultEntry, Rewrite};
use super::super::generate;
use super::super::message::{Content, Request};
use super::*;
use crate::scim::filter::matches;
use crate::scim::sort::{self, SortOrder};

/// Changes nothing, and has rows be resources before they are a page.
static IDLE: FaultEntry = FaultEntry {
    name: "idle",
    defects: &[],
    client_sees: "",
    hurts: "",
    requirements: &[],
    family: None,
    settle: None,
    rewrites: &[Rewrite::Rows(|_| {})],
};

fn service(faults: Vec<Fault>) -> Service {
    let options = ServerOptions { faults, max_results: 4, ..ServerOptions::default() };
    Service::new(&options, &["a", "b"], "127.0.0.1:1".parse().unwrap()).unwrap()
}

/// What a client asks for.
#[derive(Debug, Clone)]
struct Asked {
    endpoint: Endpoint,
    filter: Option<Filter>,
    sort_by: Option<String>,
    descending: bool,
    start_index: usize,
    count: Option<usize>,
    cursor: Option<String>,
}

impl Asked {
    fn call(&self) -> Call {
        let mut query = Vec::new();
        let mut give = |name: &str, value: Option<String>| {
            query.extend(value.map(|value| (name.to_owned(), value)));
        };
        give("filter", self.filter.as_ref().map(ToString::to_string));
        give("sortBy", self.sort_by.clone());
        give("sortOrder", self.descending.then(|| "descending".to_owned()));
        give("startIndex", Some(self.start_index.to_string()));
        give("count", self.count.map(|count| count.to_string()));
        give("cursor", self.cursor.clone());
        let request = Request {
            method: Method::GET,
            path: String::new(),
            base_path: BASE_PATH,
            query,
            headers: HeaderMap::new(),
            body: Bytes::new(),
            credentials: Credentials::Valid,
            tenant: 0,
        };
        Call { request, endpoint: self.endpoint.clone(), base: "http://h/scim/v2".to_owned() }
    }

    /// The answer's body, or the error.
    fn of(&self, service: &Service, state: &mut State) -> Result<Value, ScimError> {
        match service.query(state, &self.call()) {
            Err(refusal) => Err(refusal.error),
            Ok(answer) => match answer.content {
                Content::Json(body) => Ok(body),
                other => panic!("{other:?}"),
            },
        }
    }

    /// The resources of all pages, by cursor, and where forward turned to back, the same again.
    fn walk(&self, service: &Service, state: &mut State) -> Result<Vec<Value>, ScimError> {
        let mut asked = Self { cursor: Some(String::new()), ..self.clone() };
        let (mut all, mut pages) = (Vec::new(), Vec::new());
        loop {
            let page = asked.of(service, state)?;
            all.extend_from_slice(page["Resources"].as_array().unwrap());
            let next = page.get("nextCursor").and_then(Value::as_str).map(str::to_owned);
            pages.push(page);
            assert!(pages.len() < 20, "the walk does not end");
            match next {
                Some(_) => asked.cursor = next,
                None => break,
            }
        }
        let mut last = pages.pop().unwrap();
        while let Some(expected) = pages.pop() {
            asked.cursor = Some(last["previousCursor"].as_str().unwrap().to_owned());
            last = asked.of(service, state)?;
            assert_eq!(last["Resources"], expected["Resources"], "backwards");
        }
        assert_eq!(last.get("previousCursor"), None, "the first page");
        Ok(all)
    }

    /// The resources in all, found and sorted without any cleverness.
    fn naively(&self, service: &Service, store: &Store) -> Vec<Value> {
        let representer = Representer { store, base: "http://h/scim/v2" };
        let kinds: Vec<Kind> = match self.endpoint.kind() {
            Some(kind) => vec![kind],
            None => service.types.kinds().to_vec(),
        };
        let is_wanted = |record: &&Record| kinds.contains(&record.kind);
        let mut rows: Vec<Value> = Vec::new();
        for record in store.all().filter(is_wanted) {
            let resource = representer.resource(record);
            let definition = service.definition(record.kind);
            if self.filter.as_ref().is_none_or(|filter| matches(filter, &resource, definition).unwrap()) {
                rows.push(resource);
            }
        }
        // Of two types only one definition could be asked.
        if let ([kind], Some(sort_by)) = (kinds.as_slice(), &self.sort_by) {
            let order = if self.descending { SortOrder::Descending } else { SortOrder::Ascending };
            sort::sort(&mut rows, &sort_path(sort_by).unwrap(), order, service.definition(*kind));
        }
        rows
    }
}

fn asked() -> impl Strategy<Value = Asked> {
    let endpoints = vec![Endpoint::Resources(Kind::User), Endpoint::Resources(Kind::Group), Endpoint::Root];
    (
        proptest::sample::select(endpoints),
        proptest::option::weighted(0.6, generate::filter()),
        proptest::option::weighted(0.6, generate::sort_by()),
        any::<bool>(),
        0_usize..6,
        proptest::option::weighted(0.8, 0_usize..5),
    )
        .prop_map(|(endpoint, filter, sort_by, descending, start_index, count)| Asked {
            endpoint,
            filter,
            sort_by,
            descending,
            start_index,
            count,
            cursor: None,
        })
}

proptest! {
    #![proptest_config(generate::config(200))]

    /// Rows that are records until they are shown, rows that are resources from the start, and rows found without
    /// index, predicate and precomputed keys make the same pages, by number and by cursor.
    #[test]
    fn all_ways_to_a_page_lead_to_the_same(store in generate::store(), queries in proptest::collection::vec(asked(), 1..6)) {
        let (fast, slow) = (service(Vec::new()), service(vec![Fault::of(&IDLE)]));
        let mut state = State::new(store);
        for asked in queries {
            let page = asked.of(&fast, &mut state);
            prop_assert_eq!(&page, &asked.of(&slow, &mut state), "{:?}", asked);
            let Ok(page) = page else { continue };
            let rows = asked.naively(&fast, &state.store);
            prop_assert_eq!(&page["totalResults"], rows.len(), "{:?}", asked);
            let walked = asked.walk(&fast, &mut state);
            prop_assert_eq!(&walked, &asked.walk(&slow, &mut state), "{:?}", asked);
            if asked.endpoint == Endpoint::Root && asked.sort_by.is_some() {
                continue;
            }
            let ids = |rows: &[Value]| -> Vec<Value> { rows.iter().map(|row| row["id"].clone()).collect() };
            let shown: Vec<Value> = rows
                .iter()
                .skip(asked.start_index.saturating_sub(1))
                .take(asked.count.unwrap_or(4).min(4))
                .cloned()
                .collect();
            prop_assert_eq!(ids(page["Resources"].as_array().unwrap()), ids(&shown), "{:?}", asked);
            if asked.count != Some(0) {
                prop_assert_eq!(ids(&walked.unwrap()), ids(&rows), "{:?}", asked);
            }
        }
    }
}

/// Between two pages others are added and removed: who was there all the time is met once.
#[test]
fn a_walk_meets_everybody_who_stays_once() {
    let service = service(Vec::new());
    let mut state = State::new(generate::empty_store());
    let add = |store: &mut Store, name: String| {
        let user = serde_json::json!({ "userName": name });
        store.insert(name, Kind::User, user.as_object().cloned().unwrap(), None);
    };
    for number in 0..40 {
        add(&mut state.store, format!("stays{number:02}"));
        add(&mut state.store, format!("goes{number:02}"));
    }
    for sort_by in [None, Some("userName".to_owned())] {
        let mut asked = Asked {
            endpoint: Endpoint::Resources(Kind::User),
            filter: None,
            sort_by,
            descending: false,
            start_index: 1,
            count: Some(4),
            cursor: Some(String::new()),
        };
        let (mut met, mut number) = (Vec::new(), 0);
        loop {
            let page = asked.of(&service, &mut state).unwrap();
            let names =
                page["Resources"].as_array().unwrap().iter().map(|row| row["userName"].as_str().unwrap());
            met.extend(names.filter(|name| name.starts_with("stays")).map(str::to_owned));
            let Some(next) = page.get("nextCursor") else { break };
            asked.cursor = Some(next.as_str().unwrap().to_owned());
            state.store.remove(&format!("goes{number:02}"));
            add(&mut state.store, format!("comes{number}"));
            number += 1;
        }
        assert_eq!((met.len(), met.iter().collect::<BTreeSet<_>>().len()), (40, 40));
    }
}
