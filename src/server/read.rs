//! GET of one resource, and queries (RFC 7644 §3.4).

use std::collections::HashMap;

use axum::http::header::{CONTENT_LOCATION, ETAG, LOCATION};
use axum::http::{Method, StatusCode};
use serde_json::Value;

use super::cursor::{Binding, Cursor};
use super::endpoint::{Endpoint, Kind};
use super::fault::{ParsedFilter, Rows};
use super::message::Answer;
use super::negotiate::{Precondition, Refusal, precondition, read_object};
use super::order::{Order, Position};
use super::predicate::Predicate;
use super::query::{Query, projection_of};
use super::represent::Representer;
use super::rows::{Content, Page, Row, Window, matching, page_of, page_of_all};
use super::service::{Call, Service, State};
use super::store::{Record, Store};
use crate::scim::definition::ResourceDefinition;
use crate::scim::error::{ScimError, ScimType};
use crate::scim::filter::Filter;
use crate::scim::filter::evaluate::{FilterTypeErrorKind, problems};
use crate::scim::list::ListResponse;
use crate::scim::path::AttributePath;

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
                let resource = representer.resource_in(record, version.clone());
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
        let path = query.sort_by.as_deref().map(sort_path).transpose()?;
        let order = match &path {
            Some(path) => Order::by(path, query.descending, self.defined(&kinds))
                .with_missing_lowest(self.behaviour.missing_sorts_lowest),
            None => Order::CREATION,
        };
        let State { store, memory, .. } = state;
        let binding = query.cursor.is_some().then(|| binding(&query, &kinds, store));
        let mut window = self.window(&query, binding.as_ref())?;
        let most = self.behaviour.max_results;
        let count = query.count.or(self.behaviour.default_page).unwrap_or(most).min(most);
        let representer = Representer { store, base: &call.base };

        let page = match kinds.as_slice() {
            [kind] if filter.is_none() && order.is_by_creation() && !self.faults.rewrite_rows() => {
                page_of_all(store, *kind, window, count)
            }
            _ => {
                let predicates = match &filter {
                    Some(filter) => Some(self.predicates(filter, &kinds)?),
                    None => None,
                };
                let records = matching(&representer, &kinds, predicates.as_ref());
                let rows = if self.faults.rewrite_rows() {
                    let rows = records.into_iter().map(|record| representer.resource(record)).collect();
                    let endpoint = &call.endpoint;
                    let mut rows =
                        Rows { endpoint, filter: filter.as_ref(), rows, store, base: &call.base, memory };
                    self.faults.rows(&mut rows);
                    self.rows_of_resources(rows.rows, store, &order, window.is_by_cursor())
                } else {
                    let row = |record| Row::of(record, order.key(record, &representer));
                    records.into_iter().map(row).collect()
                };
                window.settle(&rows);
                page_of(rows, &order, window, count)
            }
        };
        let list = self.list(page, &query, binding.as_ref(), &representer);
        Ok(Answer::json(StatusCode::OK, list.into_json()))
    }

    /// Rows that are resources already. They keep their order, unless another is asked for; for a cursor each has the
    /// place of its record, and what has none stands last.
    fn rows_of_resources(
        &self,
        resources: Vec<Value>,
        store: &Store,
        order: &Order<'_>,
        by_cursor: bool,
    ) -> Vec<Row<'static>> {
        let row = |(number, resource): (usize, Value)| {
            let key = order.key_of_resource(&resource, self.definition(self.kind_of(&resource)));
            let place = if by_cursor {
                record_of(&resource, store).map_or(u64::MAX, |record| record.place)
            } else {
                number as u64
            };
            Row { position: Position { key, place }, content: Content::Resource(resource) }
        };
        resources.into_iter().enumerate().map(row).collect()
    }

    /// Which page a query asks for; what its cursor is bound to, if it has one.
    fn window(&self, query: &Query, binding: Option<&Binding>) -> Result<Window, ScimError> {
        let (token, binding) = match (query.cursor.as_deref(), binding) {
            (None, _) | (_, None) => return Ok(Window::Skip(query.start_index.saturating_sub(1))),
            (Some(""), _) => return Ok(Window::First),
            (Some(token), Some(binding)) => (token, binding),
        };
        let cursor = self.cursors.open(token, binding)?;
        if cursor.count != query.count {
            return Err(ScimError::bad_request(
                ScimType::InvalidCount,
                "count has to stay the same from page to page",
            ));
        }
        Ok(if cursor.is_backward { Window::Before(cursor.position) } else { Window::After(cursor.position) })
    }

    /// The message that shows a page.
    fn list(
        &self,
        page: Page<'_>,
        query: &Query,
        binding: Option<&Binding>,
        representer: &Representer<'_>,
    ) -> ListResponse {
        let cursor = |row: Option<&Row<'_>>, is_backward: bool| {
            let position = row?.position.clone();
            self.cursors.seal(&Cursor { position, is_backward, count: query.count }, binding?)
        };
        let next_cursor = page.has_next.then(|| cursor(page.rows.last(), false)).flatten();
        let previous_cursor = page.has_previous.then(|| cursor(page.rows.first(), true)).flatten();
        let resources: Vec<Value> = page
            .rows
            .into_iter()
            .map(|row| {
                let (resource, kind) = match row.content {
                    Content::Record(record) => (representer.resource(record), record.kind),
                    Content::Resource(mut resource) => {
                        let kind = self.kind_of(&resource);
                        complete(&mut resource, representer);
                        (resource, kind)
                    }
                };
                query.projection.apply(&resource, self.definition(kind))
            })
            .collect();
        let list = ListResponse::page(page.total as u64, query.start_index as u64, resources);
        // What has a cursor has no index (RFC 9865 §2.4).
        let start_index = list.start_index.filter(|_| binding.is_none());
        ListResponse { start_index, next_cursor, previous_cursor, ..list }
    }

    fn defined<'a>(&'a self, kinds: &'a [Kind]) -> impl Iterator<Item = (Kind, &'a ResourceDefinition)> {
        kinds.iter().map(|kind| (*kind, self.definition(*kind)))
    }

    fn predicates(&self, filter: &Filter, kinds: &[Kind]) -> Result<HashMap<Kind, Predicate>, ScimError> {
        let compile = |(kind, definition)| Ok((kind, Predicate::compile(filter, definition)?));
        self.defined(kinds).map(compile).collect()
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

fn sort_path(sort_by: &str) -> Result<AttributePath, ScimError> {
    AttributePath::parse(sort_by)
        .map_err(|error| ScimError::invalid_value(format!("sortBy is no attribute: {error}")))
}

/// What a cursor is bound to: everything that the client has to repeat from page to page (RFC 9865 §2), and whose
/// resources they are.
fn binding(query: &Query, kinds: &[Kind], store: &Store) -> Binding {
    let asked = format!("{:?}", (&query.filter, &query.sort_by, query.descending, &query.projection));
    let names = kinds.iter().map(|kind| kind.name().as_bytes());
    Binding::of(names.chain([asked.as_bytes(), store.identity()]))
}

/// Adds to a row what [`Representer::candidate`] leaves out.
fn complete(row: &mut Value, representer: &Representer<'_>) {
    let version = record_of(row, representer.store).map(|record| representer.version(record));
    if let (Some(version), Some(meta)) = (version, row.get_mut("meta").and_then(Value::as_object_mut)) {
        meta.insert("version".to_owned(), version.into());
    }
}

/// The record that a row shows.
fn record_of<'a>(row: &Value, store: &'a Store) -> Option<&'a Record> {
    store.get(row.get("id")?.as_str()?)
}

/// Whether a filter speaks of an attribute or sub-attribute of this name.
pub(super) fn mentions(filter: &Filter, name: &str) -> bool {
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

#[cfg(test)]
mod tests;
