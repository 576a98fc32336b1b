//! Pages of one list held together: what RFC 7644 §3.4.2.4 promises to a client that reads a list from its first
//! row to its last. Each page by itself is judged by its expectation and by the rules.

use std::collections::BTreeMap;

use crate::scim::list::ListResponse;
use crate::scim::resource::get;
use crate::suite::model::Invariant;
use crate::target::exchange::{Exchange, ExchangeId};
use serde_json::Value;

/// One page, as far as it counts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    /// The exchange that showed it.
    pub exchange: ExchangeId,
    /// The `startIndex` that was asked for.
    pub asked_from: u64,
    /// `totalResults`.
    pub total: Option<u64>,
    /// The ids of its rows; `None` for a row without one.
    pub ids: Vec<Option<String>>,
}

impl Page {
    /// The page that an exchange showed, if it is one.
    pub fn of(exchange: &Exchange, asked_from: u64) -> Option<Page> {
        let body = exchange.json().filter(|_| exchange.status() == Some(200))?;
        let list = ListResponse::from_json(body).value?;
        let id = |row: &Value| match get(row, "id") {
            Some(Value::String(id)) => Some(id.clone()),
            Some(Value::Number(id)) => Some(id.to_string()),
            _ => None,
        };
        Some(Page {
            exchange: exchange.id,
            asked_from,
            total: list.total_results,
            ids: list.resources.iter().map(id).collect(),
        })
    }

    fn rows(&self) -> u64 {
        self.ids.len() as u64
    }
}

/// Pages of one list, in the order in which they were asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Walk {
    /// How many resources each page was asked for.
    pub size: u64,
    /// The pages, the first first.
    pub pages: Vec<Page>,
    /// The page that was asked for beyond the end.
    pub beyond: Option<Page>,
}

impl Walk {
    /// A walk that has not begun.
    pub fn new(size: u64) -> Walk {
        Walk { size, ..Walk::default() }
    }

    fn rows(&self) -> u64 {
        self.pages.iter().map(Page::rows).sum()
    }

    /// The total that the page read last says.
    pub fn total(&self) -> Option<u64> {
        self.pages.last().and_then(|page| page.total)
    }

    /// Where the next page begins; `None` where the list has come to its end.
    pub fn next(&self) -> Option<u64> {
        let Some(last) = self.pages.last() else { return Some(1) };
        let is_over = last.ids.is_empty() || last.total.is_none_or(|total| self.rows() >= total);
        (!is_over).then(|| self.rows() + 1)
    }

    /// The first index beyond the end.
    pub fn beyond_the_end(&self) -> u64 {
        self.rows().max(self.total().unwrap_or_default()).saturating_add(1)
    }
}

/// An invariant that does not hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Broken {
    /// Which.
    pub invariant: Invariant,
    /// The exchange that shows it.
    pub exchange: ExchangeId,
    /// One line.
    pub message: String,
    /// What would have been right.
    pub expected: String,
    /// What came.
    pub actual: String,
}

impl Invariant {
    /// The name as suites write it.
    pub fn name(self) -> &'static str {
        match self {
            Invariant::NoRepeats => "no-repeats",
            Invariant::TotalStable => "total-stable",
            Invariant::TotalAgrees => "total-agrees",
            Invariant::PageSizeKept => "page-size-kept",
            Invariant::Ends => "ends",
        }
    }
}

/// Which of the invariants a walk breaks, each once.
pub fn judge(walk: &Walk, invariants: &[Invariant]) -> Vec<Broken> {
    invariants.iter().filter_map(|invariant| broken(walk, *invariant)).collect()
}

fn broken(walk: &Walk, invariant: Invariant) -> Option<Broken> {
    let (page, message, expected, actual) = match invariant {
        Invariant::NoRepeats => repeat(walk),
        Invariant::TotalStable => other_total(walk),
        Invariant::TotalAgrees => other_count(walk),
        Invariant::PageSizeKept => other_size(walk),
        Invariant::Ends => endless(walk),
    }?;
    Some(Broken { invariant, exchange: page.exchange, message, expected, actual })
}

type Wrong<'w> = Option<(&'w Page, String, String, String)>;

fn repeat(walk: &Walk) -> Wrong<'_> {
    let mut first: BTreeMap<&str, &Page> = BTreeMap::new();
    for page in &walk.pages {
        for id in page.ids.iter().flatten() {
            let Some(before) = first.insert(id, page) else { continue };
            let message = if before.asked_from == page.asked_from {
                "a page shows one resource twice".to_owned()
            } else {
                "a page repeats a resource of an earlier page".to_owned()
            };
            let actual =
                format!("the same id on the pages from {} and from {}", before.asked_from, page.asked_from);
            return Some((page, message, "every resource once".to_owned(), actual));
        }
    }
    None
}

fn other_total(walk: &Walk) -> Wrong<'_> {
    let total = walk.pages.first()?.total?;
    let other =
        walk.pages.iter().chain(&walk.beyond).find(|page| page.total.is_some_and(|it| it != total))?;
    Some((
        other,
        "totalResults changes from page to page".to_owned(),
        format!("{total}, as on the first page"),
        format!("{} on the page from {}", other.total.unwrap_or_default(), other.asked_from),
    ))
}

fn other_count(walk: &Walk) -> Wrong<'_> {
    let last = walk.pages.last()?;
    let total = last.total?;
    // As long as there is more to read, nobody knows how much it is.
    if walk.next().is_some() || walk.rows() == total {
        return None;
    }
    let message = if walk.rows() < total {
        "the pages end before all that totalResults counts was shown"
    } else {
        "the pages show more than totalResults counts"
    };
    Some((last, message.to_owned(), format!("{total} resources"), format!("{} resources", walk.rows())))
}

fn other_size(walk: &Walk) -> Wrong<'_> {
    let page = walk.pages.iter().find(|page| page.rows() > walk.size)?;
    Some((
        page,
        "a page holds more resources than were asked for".to_owned(),
        format!("at most {}", walk.size),
        page.rows().to_string(),
    ))
}

fn endless(walk: &Walk) -> Wrong<'_> {
    let beyond = walk.beyond.as_ref().filter(|page| !page.ids.is_empty())?;
    Some((
        beyond,
        "a page beyond the end of the list holds resources".to_owned(),
        format!("none from index {} on", beyond.asked_from),
        beyond.rows().to_string(),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [Invariant; 5] = [
        Invariant::NoRepeats,
        Invariant::TotalStable,
        Invariant::TotalAgrees,
        Invariant::PageSizeKept,
        Invariant::Ends,
    ];

    fn page(asked_from: u64, total: u64, ids: &[&str]) -> Page {
        Page {
            exchange: ExchangeId(asked_from),
            asked_from,
            total: Some(total),
            ids: ids.iter().map(|id| Some((*id).to_owned())).collect(),
        }
    }

    fn walk(pages: &[Page]) -> Walk {
        Walk { size: 2, pages: pages.to_vec(), beyond: None }
    }

    fn found(walk: &Walk) -> Vec<(Invariant, u64)> {
        judge(walk, &ALL).into_iter().map(|broken| (broken.invariant, broken.exchange.0)).collect()
    }

    #[test]
    fn a_list_read_to_its_end_holds() {
        let mut whole = walk(&[page(1, 3, &["a", "b"]), page(3, 3, &["c"])]);
        whole.beyond = Some(page(4, 3, &[]));
        assert_eq!(found(&whole), []);
        assert_eq!((whole.next(), whole.beyond_the_end()), (None, 4));
        assert_eq!(found(&walk(&[page(1, 0, &[])])), []);
    }

    #[test]
    fn a_list_that_is_not_at_its_end_may_go_on() {
        let part = walk(&[page(1, 9, &["a", "b"])]);
        assert_eq!((found(&part), part.next(), part.beyond_the_end()), (vec![], Some(3), 10));
        let short = walk(&[page(1, 9, &["a"])]);
        assert_eq!((found(&short), short.next()), (vec![], Some(2)), "a provider may show fewer");
        assert_eq!(Walk::new(2).next(), Some(1));
    }

    #[test]
    fn every_invariant_can_be_broken() {
        let repeats = walk(&[page(1, 4, &["a", "b"]), page(3, 4, &["b", "c"])]);
        assert_eq!(found(&repeats), [(Invariant::NoRepeats, 3)]);
        assert_eq!(found(&walk(&[page(1, 2, &["a", "a"])])), [(Invariant::NoRepeats, 1)]);
        let changes = walk(&[page(1, 2, &["a"]), page(2, 3, &["b"])]);
        assert_eq!(found(&changes), [(Invariant::TotalStable, 2)]);
        let stops = walk(&[page(1, 5, &["a", "b"]), page(3, 5, &[])]);
        assert_eq!(found(&stops), [(Invariant::TotalAgrees, 3)]);
        assert_eq!(found(&walk(&[page(1, 1, &["a", "b"])])), [(Invariant::TotalAgrees, 1)]);
        assert_eq!(found(&walk(&[page(1, 9, &["a", "b", "c"])])), [(Invariant::PageSizeKept, 1)]);
        let mut ends = walk(&[page(1, 1, &["a"])]);
        ends.beyond = Some(page(2, 1, &["a"]));
        assert_eq!(found(&ends), [(Invariant::Ends, 2)]);
    }

    #[test]
    fn only_what_is_asked_for_is_judged() {
        let repeats = walk(&[page(1, 2, &["a", "a"])]);
        assert_eq!(judge(&repeats, &[Invariant::Ends]), []);
    }
}
