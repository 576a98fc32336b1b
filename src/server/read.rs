//! GET of one resource, and queries (RFC 7644 §3.4).

use axum::http::header::{CONTENT_LOCATION, ETAG, LOCATION};
use axum::http::{Method, StatusCode};
use serde_json::Value;

use super::endpoint::{Endpoint, Kind};
use super::fault::{ParsedFilter, Rows};
use super::message::Answer;
use super::negotiate::{Precondition, Refusal, precondition, read_object};
use super::query::{Query, projection_of};
use super::represent::Representer;
use super::service::{Call, Service, State};
use super::store::{Record, Store};
use crate::scim::error::{ScimError, ScimType};
use crate::scim::filter::evaluate::{FilterTypeErrorKind, problems};
use crate::scim::filter::{CompareOperator, Filter, FilterValue, matches};
use crate::scim::list::ListResponse;
use crate::scim::names;
use crate::scim::path::AttributePath;
use crate::scim::sort::{self, SortKey};

impl Service {
    /// GET of one resource.
    pub(crate) fn get_resource(
        &self,
        state: &State,
        call: &Call,
        kind: Kind,
        id: &str,
    ) -> Result<Answer, Refusal> {
        let record = find(&state.store, kind, id)?;
        let projection = projection_of(&call.request)?;
        let representer = Representer { store: &state.store, base: &call.base };
        let version = representer.version(record);
        let location = representer.location(record);
        let answer = match precondition(&call.request, &version) {
            Precondition::Proceed => {
                let resource = representer.resource(record);
                Answer::json(StatusCode::OK, projection.apply(&resource, self.definition(kind)))
            }
            Precondition::NotModified => Answer::empty(StatusCode::NOT_MODIFIED),
            Precondition::Failed => return Err(precondition_failed()),
        };
        Ok(answer
            .with_header(ETAG, &version)
            .with_header(LOCATION, &location)
            .with_header(CONTENT_LOCATION, &location))
    }

    /// A query: GET of a collection or the root, or POST of a SearchRequest.
    pub(crate) fn query(&self, state: &mut State, call: &Call) -> Result<Answer, Refusal> {
        let mut query = if call.request.method == Method::POST {
            Query::of_search(&read_object(&call.request)?)?
        } else {
            Query::of(&call.request)?
        };
        self.faults.query(&mut query);
        let kinds: Vec<Kind> = match call.endpoint.kind() {
            Some(kind) => vec![kind],
            None => self.types.kinds().to_vec(),
        };
        let filter = self.filter(query.filter.as_deref(), &kinds, call)?;

        let representer = Representer { store: &state.store, base: &call.base };
        let mut rows = Vec::new();
        for record in candidates(&state.store, filter.as_ref(), &kinds) {
            if !kinds.contains(&record.kind) {
                continue;
            }
            let resource = match &filter {
                Some(filter) if mentions(filter, "version") => representer.resource(record),
                _ => representer.candidate(record),
            };
            let definition = self.definition(record.kind);
            let matched = match &filter {
                Some(filter) => matches(filter, &resource, definition).map_err(ScimError::from)?,
                None => true,
            };
            if matched {
                rows.push(resource);
            }
        }
        let mut rows = Rows {
            endpoint: &call.endpoint,
            filter: filter.as_ref(),
            rows,
            store: &state.store,
            base: &call.base,
            memory: &mut state.memory,
        };
        self.faults.rows(&mut rows);
        let mut rows = rows.rows;

        if let Some(sort_by) = &query.sort_by {
            self.sort(&mut rows, sort_by, query.descending)?;
        }
        let total = rows.len();
        let most = self.behaviour.max_results;
        let count = query.count.or(self.behaviour.default_page).unwrap_or(most).min(most);
        let mut page: Vec<Value> =
            rows.into_iter().skip(query.start_index.saturating_sub(1)).take(count).collect();
        for row in &mut page {
            let kind = self.kind_of(row);
            complete(row, &representer);
            *row = query.projection.apply(row, self.definition(kind));
        }
        let list = ListResponse::page(total as u64, query.start_index as u64, page);
        Ok(Answer::json(StatusCode::OK, list.to_json()))
    }

    /// Parses a filter and checks it against what it is to be applied to. An attribute that no schema of a single
    /// resource type defines is refused (RFC 7644 Table 9); where several types are searched, it has no value
    /// (§3.4.2.1).
    fn filter(&self, text: Option<&str>, kinds: &[Kind], call: &Call) -> Result<Option<Filter>, Refusal> {
        let Some(text) = text else { return Ok(None) };
        let parse = || {
            let filter = Filter::parse(text).map_err(|error| ScimError::invalid_filter(error.to_string()))?;
            if mentions(&filter, "password") && call.request.method != Method::POST {
                return Err(ScimError::with_type(
                    403,
                    ScimType::Sensitive,
                    "a URL is no place for a password; use POST /.search (RFC 7644 section 7.5.2)",
                ));
            }
            for kind in kinds {
                for problem in problems(&filter, self.definition(*kind)) {
                    if problem.kind != FilterTypeErrorKind::Unknown || kinds.len() == 1 {
                        return Err(problem.into());
                    }
                }
            }
            Ok(Some(filter))
        };
        let definition = self.definition(kinds.first().copied().unwrap_or(Kind::User));
        let mut parsed = ParsedFilter { text, definition, parsed: parse() };
        self.faults.filter(&mut parsed);
        Ok(parsed.parsed?)
    }

    fn sort(&self, rows: &mut [Value], sort_by: &str, descending: bool) -> Result<(), Refusal> {
        let path = AttributePath::parse(sort_by)
            .map_err(|error| ScimError::invalid_value(format!("sortBy is no attribute: {error}")))?;
        rows.sort_by(|left, right| {
            let key = |row: &Value| sort::key(row, &path, self.definition(self.kind_of(row)));
            let (left, right) = (key(left), key(right));
            let is_lowest = |key: &SortKey| self.behaviour.missing_sorts_lowest && *key == SortKey::Missing;
            let order = is_lowest(&right).cmp(&is_lowest(&left)).then_with(|| left.order(&right));
            if descending { order.reverse() } else { order }
        });
        Ok(())
    }

    /// The type of a row, by what it says itself.
    fn kind_of(&self, row: &Value) -> Kind {
        let name = row.pointer("/meta/resourceType").and_then(Value::as_str);
        name.and_then(|name| self.types.named(name)).unwrap_or(Kind::User)
    }
}

/// The resource of this id, if it is of this type.
pub(crate) fn find<'a>(store: &'a Store, kind: Kind, id: &str) -> Result<&'a Record, ScimError> {
    match store.get(id) {
        Some(record) if record.kind == kind => Ok(record),
        _ => Err(ScimError::not_found(format!("there is no {} {id:?}", kind.name()))),
    }
}

pub(crate) fn precondition_failed() -> Refusal {
    ScimError::new(412, "the resource is not in the version that the precondition names").into()
}

/// Adds to a row what [`Representer::candidate`] leaves out.
fn complete(row: &mut Value, representer: &Representer<'_>) {
    let version = row
        .get("id")
        .and_then(Value::as_str)
        .and_then(|id| representer.store.get(id))
        .map(|record| representer.version(record));
    if let (Some(version), Some(meta)) = (version, row.get_mut("meta").and_then(Value::as_object_mut)) {
        meta.insert("version".to_owned(), version.into());
    }
}

/// The records that a filter can match: all, or those that an index finds. The indexes know the core types only.
fn candidates<'a>(store: &'a Store, filter: Option<&Filter>, kinds: &[Kind]) -> Vec<&'a Record> {
    let are_indexed = kinds.iter().all(|kind| kind.is_core());
    match filter.filter(|_| are_indexed).and_then(|filter| indexed(store, filter)) {
        Some(records) => records,
        None => store.all().collect(),
    }
}

/// The records that an index finds for a filter, if one serves it: `id eq` or `userName eq` on its own, or as an
/// operand of `and`.
fn indexed<'a>(store: &'a Store, filter: &Filter) -> Option<Vec<&'a Record>> {
    match filter {
        Filter::And(operands) => operands.iter().find_map(|operand| indexed(store, operand)),
        Filter::Compare { path, operator: CompareOperator::Equal, value: FilterValue::String(text) } => {
            let is_core = path.urn.as_deref().is_none_or(|urn| urn.eq_ignore_ascii_case(names::USER));
            if !is_core || path.sub.is_some() {
                None
            } else if path.name.eq_ignore_ascii_case("id") {
                Some(store.get(text).into_iter().collect())
            } else if path.name.eq_ignore_ascii_case("userName") {
                Some(store.users_named(text).collect())
            } else {
                None
            }
        }
        _ => None,
    }
}

/// Whether a filter speaks of an attribute or sub-attribute of this name.
fn mentions(filter: &Filter, name: &str) -> bool {
    let names = |path: &AttributePath| {
        path.name.eq_ignore_ascii_case(name)
            || path.sub.as_deref().is_some_and(|sub| sub.eq_ignore_ascii_case(name))
    };
    match filter {
        Filter::And(operands) | Filter::Or(operands) => {
            operands.iter().any(|operand| mentions(operand, name))
        }
        Filter::Not(operand) => mentions(operand, name),
        Filter::Compare { path, .. } | Filter::Present(path) => names(path),
        Filter::ValuePath { path, filter } => names(path) || mentions(filter, name),
    }
}

/// Whether an endpoint answers queries.
pub(crate) fn is_query(endpoint: &Endpoint, method: &Method) -> bool {
    match endpoint {
        Endpoint::Root | Endpoint::Resources(_) => method == Method::GET || method == Method::HEAD,
        Endpoint::RootSearch | Endpoint::Search(_) => method == Method::POST,
        _ => false,
    }
}
