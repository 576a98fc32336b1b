//! Several filters in one request, each for a slice of the resources; what looks wrong is asked alone.

use std::collections::BTreeSet;

use futures_util::future::join_all;

use super::Property;
use super::ask::{Answer, Asked, Way, ask};
use super::hunt::{Hunt, Trial};
use super::verdict::Verdict;
use crate::oracle::world::Truth;

/// So many suspects in one request that are right alone, and several filters in one request are what is wrong.
const INNOCENT: usize = 4;
/// After so many requests with several filters that looked wrong for no filter's sake, each is asked alone.
const MISFIRES: u32 = 3;

impl Hunt<'_> {
    /// Asks batches, as many at once as may be, and sorts out what came.
    pub(super) async fn try_batches(
        &mut self,
        field: usize,
        property: Property,
        batches: Vec<Vec<(usize, Trial)>>,
    ) {
        let texts: Vec<String> = batches.iter().map(|batch| self.together(field, batch)).collect();
        let way = self.fields[field].way;
        let endpoint = self.fields[field].set.endpoint.clone();
        let asked =
            join_all(texts.iter().map(|text| ask(self.fuzz.target, &endpoint, text, way, "try filters")))
                .await;
        for (batch, asked) in batches.into_iter().zip(asked) {
            self.sort_out(field, property, batch, asked).await;
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

    /// What came of several filters in one request: those that are right are noted, each suspect is asked alone.
    async fn sort_out(&mut self, field: usize, property: Property, batch: Vec<(usize, Trial)>, asked: Asked) {
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
                    let half: Vec<(usize, Trial)> = half
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
            let ids: BTreeSet<String> = found.ids().map(str::to_ascii_lowercase).collect();
            let is_complete = found.is_complete;
            let it = &self.fields[field];
            let mut suspects: BTreeSet<usize> = BTreeSet::new();
            for row in &it.set.rows {
                let is_found = ids.contains(&row.id.to_ascii_lowercase());
                let Some(at) = batch.iter().position(|(slice, _)| *slice == row.slice) else {
                    // Nobody asked for this one: any of them may be the reason.
                    if is_found {
                        suspects.extend(0..batch.len());
                    }
                    continue;
                };
                match it.worlds.truth(&batch[at].1.filter, &row.state, &it.set.definition) {
                    Truth::Must if !is_found && is_complete => drop(suspects.insert(at)),
                    Truth::MustNot if is_found => drop(suspects.insert(at)),
                    _ => {}
                }
            }
            let mut innocent = 0;
            let mut is_guilty = suspects.is_empty();
            for (at, (_, trial)) in batch.iter().enumerate() {
                if !suspects.contains(&at) {
                    self.tally.judge(property);
                    self.was_right(field, trial);
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
