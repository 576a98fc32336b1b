//! Several filters in one request, each for a slice of the resources; what looks wrong is asked alone.

use std::collections::BTreeSet;

use futures_util::StreamExt;
use futures_util::stream::FuturesOrdered;

use super::Property;
use super::ask::{Answer, Asked, Found, Way, ask};
use super::hunt::{Field, Hunt, Trial};
use super::verdict::Verdict;
use crate::oracle::world::Truth;

/// So many suspects in one request that are right alone, and several filters in one request are what is wrong.
const INNOCENT: usize = 4;
/// After so many requests with several filters that looked wrong for no filter's sake, each is asked alone.
const MISFIRES: u32 = 3;

/// Filters that travel in one request, each with the slice of the resources that it is for.
pub(super) type Batch = Vec<(usize, Trial)>;

impl Hunt<'_> {
    /// Asks batches as long as there is a next one, as many at once as may be, and sorts out what comes, in the order in
    /// which it was asked. While an answer is judged, the next ones are under way.
    pub(super) async fn try_batches(
        &mut self,
        field: usize,
        property: Property,
        mut next: impl FnMut(&mut Self) -> Option<Batch>,
    ) {
        let target = self.fuzz.target;
        let mut under_way = FuturesOrdered::new();
        loop {
            while under_way.len() < self.in_flight() && self.goes_on() {
                let Some(batch) = next(self) else { break };
                let text = self.together(field, &batch);
                let Field { way, set, .. } = &self.fields[field];
                let (way, endpoint) = (*way, set.endpoint.clone());
                under_way.push_back(async move {
                    let asked = ask(target, &endpoint, &text, way, "try filters").await;
                    (batch, asked)
                });
            }
            let Some((batch, asked)) = under_way.next().await else { return };
            if self.is_right(field, &batch, &asked) {
                self.heed(&asked);
                for (_, trial) in &batch {
                    self.tally.judge(property);
                    self.was_right(field, trial, asked.answer.is_served());
                }
                continue;
            }
            // To find out more takes requests, and nobody would look at those under way: they come first.
            let others: Vec<(Batch, Asked)> = under_way.by_ref().collect().await;
            self.sort_out(field, property, batch, asked).await;
            for (batch, asked) in others {
                self.sort_out(field, property, batch, asked).await;
            }
        }
    }

    /// Whether all that was asked together is right.
    fn is_right(&self, field: usize, batch: &[(usize, Trial)], asked: &Asked) -> bool {
        match (batch, &asked.answer) {
            ([(_, only)], _) => self.judge(field, &only.filter, asked) == Verdict::Right,
            (several, Answer::List(found)) => self.suspects(field, several, found).is_empty(),
            _ => false,
        }
    }

    /// Several filters as one, each for its slice.
    fn together(&self, field: usize, batch: &[(usize, Trial)]) -> String {
        match batch {
            [(_, only)] => self.narrowed(field, &only.text),
            several => {
                let parts: Vec<String> = several
                    .iter()
                    .filter_map(|(slice, trial)| {
                        let slice = self.fields[field].set.slice_filter(*slice)?;
                        Some(format!("({slice} and ({}))", trial.text))
                    })
                    .collect();
                parts.join(" or ")
            }
        }
    }

    /// The positions of the filters that a list may be wrong about.
    fn suspects(&self, field: usize, batch: &[(usize, Trial)], found: &Found) -> BTreeSet<usize> {
        let ids: BTreeSet<String> = found.ids().map(str::to_ascii_lowercase).collect();
        let Field { set, worlds, .. } = &self.fields[field];
        let mut suspects = BTreeSet::new();
        for row in &set.rows {
            let is_found = ids.contains(&row.id.to_ascii_lowercase());
            let Some(at) = batch.iter().position(|(slice, _)| *slice == row.slice) else {
                // Nobody asked for this one: any of them may be the reason.
                if is_found {
                    suspects.extend(0..batch.len());
                }
                continue;
            };
            match worlds.truth(&batch[at].1.filter, &row.state, &set.definition) {
                Truth::Must if !is_found && found.is_complete => drop(suspects.insert(at)),
                Truth::MustNot if is_found => drop(suspects.insert(at)),
                _ => {}
            }
        }
        suspects
    }

    /// What came of several filters in one request: those that are right are noted, each suspect is asked alone.
    async fn sort_out(&mut self, field: usize, property: Property, batch: Batch, asked: Asked) {
        let mut open = vec![(batch, asked)];
        while let Some((batch, asked)) = open.pop() {
            if let [(_, only)] = batch.as_slice() {
                let verdict = self.judge(field, &only.filter, &asked);
                self.note(field, property, only, verdict, asked).await;
                continue;
            }
            self.heed(&asked);
            if self.course.ended.is_some() {
                return;
            }
            let Answer::List(found) = &asked.answer else {
                if matches!(asked.answer, Answer::Nothing(_)) || !self.goes_on() {
                    continue;
                }
                // One of them is refused, or breaks it: the halves tell which.
                let (left, right) = batch.split_at(batch.len() / 2);
                let way = self.fields[field].way;
                let endpoint = self.fields[field].set.endpoint.clone();
                for half in [left, right] {
                    let half: Batch = half
                        .iter()
                        .filter(|(_, trial)| self.causes.explains(&trial.features).is_none())
                        .cloned()
                        .collect();
                    if half.is_empty() || !self.goes_on() {
                        continue;
                    }
                    let text = self.together(field, &half);
                    let asked =
                        ask(self.fuzz.target, &endpoint, &text, way, "find out which filter it is").await;
                    open.push((half, asked));
                }
                continue;
            };
            let suspects = self.suspects(field, &batch, found);
            let mut innocent = 0;
            let mut is_guilty = suspects.is_empty();
            for (at, (_, trial)) in batch.iter().enumerate() {
                if !suspects.contains(&at) {
                    self.tally.judge(property);
                    self.was_right(field, trial, true);
                    continue;
                }
                if !self.goes_on() {
                    return;
                }
                if self.is_explained(&trial.features) {
                    is_guilty = true;
                    continue;
                }
                let texts = [trial.text.clone()];
                let Some(asked) = self.ask_all(field, &texts, Way::Get, "ask a suspect alone").await.pop()
                else {
                    continue;
                };
                let verdict = self.judge(field, &trial.filter, &asked);
                is_guilty |= verdict.is_bad();
                innocent += usize::from(verdict == Verdict::Right);
                self.note(field, property, trial, verdict, asked).await;
            }
            if !is_guilty && innocent > 0 {
                let it = &mut self.fields[field];
                it.misfires += 1;
                if it.batches && (it.misfires >= MISFIRES || innocent >= INNOCENT) {
                    it.batches = false;
                    let endpoint = it.set.endpoint.clone();
                    self.notes.push(format!(
                        "at {endpoint} several filters in one request found what none of them finds alone, so every one was asked by itself"
                    ));
                }
            }
        }
    }
}
