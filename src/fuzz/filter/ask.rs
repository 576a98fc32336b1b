//! One filter asked, and what came back, before anybody judges it.

use std::sync::Arc;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Value, json};

use crate::fuzz::ORIGIN;
use crate::fuzz::heard::{Unheard, keyword, response};
use crate::scim::list::ListResponse;
use crate::scim::names;
use crate::scim::resource::get;
use crate::target::exchange::{Exchange, TransportFailure};
use crate::target::{RequestPlan, Target};

/// What a query value keeps unescaped; a blank is `%20`, never `+`.
const QUERY: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');
/// Rows asked for at once.
pub const ROWS: usize = 200;
/// Pages of one answer that are read, at most.
const PAGES: usize = 10;

/// What came back.
#[derive(Debug, Clone)]
pub enum Answer {
    /// A list.
    List(Found),
    /// 4xx.
    Refused {
        /// The status.
        status: u16,
        /// The keyword of the error, if it has one.
        scim_type: Option<String>,
    },
    /// The service provider broke: 5xx, no answer, or one that is no list.
    Broken(String),
    /// Nothing that says anything: a limit, an interrupt, credentials.
    Nothing(String),
}

impl Answer {
    /// Whether the filter was served.
    pub fn is_served(&self) -> bool {
        matches!(self, Answer::List(_))
    }
}

/// A list, all pages together.
#[derive(Debug, Clone, Default)]
pub struct Found {
    /// The exchanges that brought the pages.
    pages: Vec<Arc<Exchange>>,
    /// Whether that is all that matches.
    pub is_complete: bool,
    /// `totalResults`, if it is there.
    pub total: Option<u64>,
    /// Whether a page showed what an earlier one had shown: the pages are wrong, whatever the filter is.
    pub pages_repeat: bool,
}

impl Found {
    /// The rows.
    pub fn rows(&self) -> impl Iterator<Item = &Value> {
        self.pages.iter().filter_map(|page| page.json()).flat_map(ListResponse::rows)
    }

    /// The ids of the rows, as text.
    pub fn ids(&self) -> impl Iterator<Item = &str> {
        self.rows().filter_map(|row| get(row, "id")).filter_map(Value::as_str)
    }
}

/// An answer with the exchange that brought it.
#[derive(Debug, Clone)]
pub struct Asked {
    /// The exchange; of several pages the first one.
    pub exchange: Option<Arc<Exchange>>,
    /// What it says.
    pub answer: Answer,
}

/// How a filter is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// GET with a query.
    Get,
    /// POST to `.search` (RFC 7644 §3.4.3).
    Search,
    /// GET, so many rows a page.
    Pages(usize),
}

/// Asks a filter at an endpoint.
pub async fn ask(target: &Target, endpoint: &str, filter: &str, way: Way, reason: &str) -> Asked {
    let size = match way {
        Way::Pages(size) => size,
        Way::Get | Way::Search => ROWS,
    };
    let mut asked = page(target, endpoint, filter, way, size, 1, reason).await;
    // One time-out may be anybody's; two are the service provider's.
    let timed_out = |asked: &Asked| {
        asked
            .exchange
            .as_ref()
            .is_some_and(|exchange| matches!(exchange.answer, Err(TransportFailure::TimedOut { .. })))
    };
    if timed_out(&asked) {
        asked = page(target, endpoint, filter, way, size, 1, reason).await;
    }
    for _ in 1..PAGES {
        let Answer::List(found) = &mut asked.answer else { break };
        let shown = found.rows().count();
        if found.is_complete || shown == 0 || found.total.is_none_or(|total| shown as u64 >= total) {
            break;
        }
        let next = page(target, endpoint, filter, way, size, shown + 1, reason).await;
        match next.answer {
            Answer::List(next) if next.rows().next().is_some() => {
                if next.ids().any(|id| found.ids().any(|known| known == id)) {
                    found.pages_repeat = true;
                    break;
                }
                found.pages.extend(next.pages);
                found.is_complete =
                    found.total == Some(found.rows().count() as u64) && next.total == found.total;
            }
            Answer::List(_) => break,
            other => return Asked { exchange: next.exchange, answer: other },
        }
    }
    asked
}

async fn page(
    target: &Target,
    endpoint: &str,
    filter: &str,
    way: Way,
    size: usize,
    start: usize,
    reason: &str,
) -> Asked {
    let parameter = target.page_size_parameter();
    let mut plan = if way == Way::Search {
        let mut body = json!({"schemas": [names::SEARCH_REQUEST], "filter": filter, (parameter): size});
        if start > 1 {
            body["startIndex"] = start.into();
        }
        RequestPlan::new("POST", format!("{endpoint}/.search"), ORIGIN).json(&body)
    } else {
        let start = if start > 1 { format!("&startIndex={start}") } else { String::new() };
        let filter = utf8_percent_encode(filter, QUERY);
        RequestPlan::get(format!("{endpoint}?filter={filter}&{parameter}={size}{start}"), ORIGIN)
    };
    plan.reason = Some(reason.to_owned());
    match target.send(plan).await {
        Err(refusal) => Asked { exchange: None, answer: Answer::Nothing(refusal.to_string()) },
        Ok(sent) => Asked { answer: read(target, &sent.exchange, start), exchange: Some(sent.exchange) },
    }
}

/// What an exchange says.
fn read(target: &Target, exchange: &Arc<Exchange>, start: usize) -> Answer {
    let response = match response(target, exchange) {
        Ok(response) => response,
        Err(Unheard::Nothing(why)) => return Answer::Nothing(why),
        Err(Unheard::Broken(why)) => return Answer::Broken(why),
    };
    match response.status {
        429 | 503 => Answer::Nothing(format!("{}, also after waiting", response.status)),
        401 | 403 | 407 => {
            Answer::Nothing(format!("answered {}: the credentials were not accepted", response.status))
        }
        500.. if response.status != 501 => Answer::Broken(format!("answered {}", response.status)),
        400..=499 | 501 => Answer::Refused { status: response.status, scim_type: keyword(exchange) },
        200 => {
            let body = match response.body.json() {
                Err(problem) => return Answer::Broken(format!("answered 200, and {problem}")),
                Ok(body) => body,
            };
            let Some(list) = ListResponse::without_resources(body) else {
                return Answer::Broken("answered 200 with JSON that is no ListResponse".to_owned());
            };
            let (total, has_cursor) = (list.total_results, list.next_cursor.is_some());
            let shown = ListResponse::rows(body).count() as u64;
            let is_complete = start == 1 && total == Some(shown) && !has_cursor;
            let pages = vec![Arc::clone(exchange)];
            Answer::List(Found { pages, is_complete, total, pages_repeat: false })
        }
        status => Answer::Broken(format!("answered {status}, where 200 or 400 is due")),
    }
}
