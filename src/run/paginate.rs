//! A list read page by page: the requests, each page's own expectation, and what the pages come to together.
//! What an invariant means is the judge's business.

use std::sync::Arc;

use super::case::{CaseRun, Flow};
use super::request;
use crate::judge::pages::{self, Broken, Page, Walk};
use crate::outcome::Signature;
use crate::suite::model::{
    By, Encode, Expect, Invariant, Paginate, Query, StatusPattern, StatusSet, Step, Turning,
};

impl CaseRun<'_> {
    /// Reads pages, and judges them together. Whoever else uses the target may have changed the list meanwhile: what
    /// is broken has to be broken twice.
    pub(super) async fn paginate(
        &mut self,
        step: &Step,
        paginate: &Paginate,
        expect: &Expect,
        place: &str,
    ) -> Flow {
        let mut broken = Vec::new();
        for _ in 0..2 {
            let before = self.part().findings.len();
            let Ok(walk) = self.walk(step, paginate, expect, place).await else { return Flow::End };
            broken = pages::judge(&walk, &expect.invariants);
            if broken.is_empty() || self.part().findings.len() > before {
                break;
            }
        }
        for one in broken {
            self.broken(one, paginate, place);
        }
        Flow::On
    }

    /// The pages, as far as they were wanted and came.
    ///
    /// # Errors
    /// A page ended the case.
    async fn walk(
        &mut self,
        step: &Step,
        paginate: &Paginate,
        expect: &Expect,
        place: &str,
    ) -> Result<Walk, ()> {
        let Turning::Index = paginate.by;
        let mut walk = Walk::new(paginate.size.into());
        for _ in 0..paginate.most_pages() {
            let Some(from) = walk.next() else { break };
            match self.page(step, paginate, expect, place, from).await? {
                Some(page) => walk.pages.push(page),
                None => return Ok(walk),
            }
        }
        if expect.invariants.contains(&Invariant::Ends) && walk.total().is_some() {
            // Whether that is answered with an empty list or refused is another question.
            let answered = [2, 3, 4].map(StatusPattern::Class);
            let expect = Expect { status: Some(StatusSet(answered.into())), ..Expect::default() };
            let from = walk.beyond_the_end();
            walk.beyond = self.page(step, paginate, &expect, place, from).await?;
        }
        Ok(walk)
    }

    async fn page(
        &mut self,
        step: &Step,
        paginate: &Paginate,
        expect: &Expect,
        place: &str,
        from: u64,
    ) -> Result<Option<Page>, ()> {
        let query = Query {
            endpoint: paginate.endpoint.clone(),
            filter: paginate.filter.clone(),
            start_index: Some(i64::try_from(from).unwrap_or(i64::MAX)),
            count: Some(paginate.size.into()),
            ..Query::default()
        };
        let encode = step.encode.unwrap_or(Encode::Strict);
        let prepared =
            request::query(&query, By::Get, encode, &self.names.scope, self.shared.page_size_parameter());
        match self.exchange(step, prepared, expect, place).await {
            Flow::End => Err(()),
            Flow::On => Ok(self.last.as_ref().and_then(|exchange| Page::of(exchange, from))),
        }
    }

    fn broken(&mut self, broken: Broken, paginate: &Paginate, place: &str) {
        let Some(exchange) = self.last.as_ref().map(Arc::clone) else { return };
        let Broken { invariant, exchange: shown_by, message, expected, actual } = broken;
        let check = format!("invariants.{}", invariant.name());
        let mut finding = self.finding(
            &check,
            &exchange,
            &format!("{place}.invariants"),
            format!("GET {}: {message}", paginate.endpoint),
            expected,
            actual,
        );
        finding.exchange = Some(shown_by);
        finding.signature = Signature {
            expected: invariant.name().to_owned(),
            actual: "broken".to_owned(),
            ..finding.signature
        };
        self.part().findings.push(finding);
    }
}
