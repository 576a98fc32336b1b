//! The rest of a list. A query that leaves the size of the page to the service provider may be answered in parts
//! (RFC 7644 §3.4.2.4); what a case says of the list holds for all of them together. Judges nothing.

use std::sync::Arc;

use bytes::Bytes;
use serde_json::{Value, json};

use super::case::CaseRun;
use super::request::Prepared;
use crate::outcome::Verdict;
use crate::scim::list::ListResponse;
use crate::suite::model::{Action, Step};
use crate::target::Sent;
use crate::target::exchange::{Body, Exchange};

/// The most pages that are asked for. What a case looks for is a handful of resources of its own.
const MOST_PAGES: usize = 10;

impl CaseRun<'_> {
    /// Asks for the pages after the first, if the step's query leaves their size open and narrows the list by a
    /// filter; the answer then holds the rows of all. Pages that do not come leave it as partial as it was.
    ///
    /// # Errors
    /// The verdict where no exchange came of a request.
    pub(super) async fn all_pages(
        &mut self,
        step: &Step,
        prepared: &Prepared,
        first: Sent,
    ) -> Result<Sent, Verdict> {
        let Ok(Action::Query(query)) = step.action() else { return Ok(first) };
        let leaves_size_open = query.start_index.is_none() && query.count.is_none() && query.cursor.is_none();
        if query.filter.is_none() || !leaves_size_open {
            return Ok(first);
        }
        let Some((total, mut rows)) = part_of(&first.exchange) else { return Ok(first) };
        if rows.is_empty() || rows.len() as u64 >= total {
            return Ok(first);
        }
        for _ in 1..MOST_PAGES {
            let Ok(plan) = self.plan(&page(prepared, rows.len() + 1), step) else { break };
            let next = self.send(plan).await?;
            match part_of(&next.exchange) {
                Some((_, more)) if !more.is_empty() => rows.extend(more),
                _ => break,
            }
            if rows.len() as u64 >= total {
                break;
            }
        }
        self.last = Some(Arc::clone(&first.exchange));
        let exchange = with_rows(&first.exchange, rows);
        Ok(Sent { exchange: Arc::new(exchange), ..first })
    }
}

/// The total and the rows of a page.
fn part_of(exchange: &Exchange) -> Option<(u64, Vec<Value>)> {
    let body = exchange.json().filter(|_| exchange.status() == Some(200))?;
    let list = ListResponse::from_json(body).value?;
    Some((list.total_results?, list.resources))
}

/// The same query from another row on.
fn page(prepared: &Prepared, start_index: usize) -> Prepared {
    let mut page = prepared.clone();
    match &mut page.json {
        Some(json) => {
            json["startIndex"] = start_index.into();
            page.body = Some(Bytes::from(json.to_string()));
        }
        None => page.path = format!("{}&startIndex={start_index}", page.path),
    }
    page
}

/// The first answer as it would be if all rows stood in it.
fn with_rows(first: &Exchange, rows: Vec<Value>) -> Exchange {
    let mut whole = first.clone();
    let mut body = first.json().cloned().unwrap_or_default();
    if let (Some(list), Ok(response)) = (body.as_object_mut(), &mut whole.answer) {
        list.insert("itemsPerPage".to_owned(), rows.len().into());
        list.insert("Resources".to_owned(), json!(rows));
        response.body = Body::whole(Bytes::from(body.to_string()));
    }
    whole
}
