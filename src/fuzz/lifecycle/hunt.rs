//! What is played in which order, what becomes of a sighting, and when it ends.

use std::collections::BTreeSet;

use futures_util::future::join_all;
use serde_json::Value;

use super::ground::Ground;
use super::patience::Patience;
use super::play::{Played, Sighting, Stage, play};
use super::problem::Signature;
use super::shrink::{self, Shrinker};
use super::step::{Kind, Sequence, Step};
use super::tour::{races, tour};
use super::{Cause, Counterexample, Fuzz, FuzzError, Fuzzed, Property};
use crate::fuzz::cause::Harm;
use crate::fuzz::course::Course;
use crate::fuzz::dice::Dice;
use crate::fuzz::strategy::lifecycle::{Avoided, sequences};
use crate::fuzz::tally::{Property as _, Tally};
use crate::fuzz::{Ended, ORIGIN};
use crate::scim::resource::get;
use crate::target::probe;

/// So many requests are kept for shrinking what is found late.
const FOR_SHRINKING: u64 = 60;
/// How often each race is run.
const ROUNDS: usize = 3;
/// The most requests that go into one cause.
const MOST_A_CAUSE: u64 = 300;
/// How often a race is tried again, since it need not show each time.
const ATTEMPTS: usize = 5;

struct Hunt<'a> {
    fuzz: &'a Fuzz<'a>,
    ground: Ground,
    patience: Patience,
    causes: Vec<Cause>,
    known: BTreeSet<Signature>,
    /// What is passed over while something is tried again and shrunk.
    passed_over: BTreeSet<Signature>,
    avoided: Avoided,
    tally: Tally<Property>,
    steps: u64,
    notes: Vec<String>,
    mended: Vec<String>,
    course: Course,
    /// How many sequences were played, shrinking included.
    played: u64,
}

/// Fuzzes.
pub(super) async fn hunt(fuzz: &Fuzz<'_>) -> Result<Fuzzed, FuzzError> {
    if fuzz.target.is_read_only() {
        return Err(FuzzError::ReadOnly);
    }
    let users = fuzz.probe.schemas.definition("User").ok_or(FuzzError::NoUsers)?;
    let strangers = strangers(fuzz, users.endpoint.trim_end_matches('/'));
    let ground = Ground::of(fuzz.probe, strangers, fuzz.generator.domain()).ok_or(FuzzError::NoUsers)?;
    let mut hunt = Hunt {
        fuzz,
        ground,
        patience: Patience::new(fuzz.target.settle_time()),
        causes: Vec::new(),
        known: BTreeSet::new(),
        passed_over: BTreeSet::new(),
        avoided: Avoided::new(),
        tally: Tally::default(),
        steps: 0,
        notes: Vec::new(),
        mended: Vec::new(),
        course: Course::begin(fuzz.target),
        played: 0,
    };
    hunt.phases().await;
    let count = |kind: Kind| {
        let endpoint = hunt.ground.endpoint(kind);
        let owned = fuzz.target.owned();
        (endpoint.to_owned(), owned.iter().filter(|it| it.endpoint == endpoint).count())
    };
    let kinds = [Kind::User, Kind::Group].into_iter().filter(|kind| hunt.ground.definition(*kind).is_some());
    Ok(Fuzzed {
        resources: kinds.map(count).filter(|(_, count)| *count > 0).collect(),
        causes: hunt.causes,
        tally: hunt.tally,
        steps: hunt.steps,
        notes: hunt.notes,
        ended: hunt.course.ended.unwrap_or(Ended::Done),
        mended: hunt.mended,
    })
}

/// How many resources of others there are, as the probe was told.
fn strangers(fuzz: &Fuzz<'_>, endpoint: &str) -> u64 {
    let exchanges = fuzz.target.exchanges();
    let mut totals = exchanges
        .iter()
        .rev()
        .filter(|it| {
            it.origin == probe::ORIGIN && it.request.method == "GET" && it.request.endpoint == endpoint
        })
        .filter_map(|it| get(it.json()?, "totalResults").and_then(Value::as_u64));
    totals.next().unwrap_or(0)
}

impl Hunt<'_> {
    fn stage(&self) -> Stage<'_> {
        Stage {
            target: self.fuzz.target,
            ground: &self.ground,
            generator: self.fuzz.generator,
            templates: self.fuzz.templates,
            known: &self.known,
            patience: &self.patience,
        }
    }

    async fn phases(&mut self) {
        for saved in self.fuzz.saved {
            let has_found = self.causes.len();
            self.take(Property::Saved, vec![saved.steps.clone()]).await;
            if self.course.ended.is_some() {
                return;
            }
            if self.causes.len() == has_found && self.course.is_heard() {
                self.mended.push(saved.name.clone());
            }
        }
        self.take(Property::Transitions, tour(&self.ground)).await;
        let clients = self.fuzz.options.in_flight;
        if clients > 1 {
            for _ in 0..ROUNDS {
                for race in races(&self.ground, clients) {
                    self.take(Property::Races, vec![race]).await;
                }
            }
        }
        let mut number = 0_u64;
        while self.goes_on() {
            let mut drawn = Vec::new();
            for _ in 0..clients.max(1) {
                let mut dice = Dice::new(self.fuzz.options.seed, &format!("lifecycle {number}"));
                number += 1;
                drawn.extend(dice.draw(&sequences(&self.ground, &self.avoided, clients)));
            }
            if drawn.is_empty() {
                break;
            }
            self.take(Property::Chance, drawn).await;
        }
    }

    /// Whether the hunt goes on; where not, why it ended is noted.
    fn goes_on(&mut self) -> bool {
        let is_found = || self.causes.iter().any(|cause| cause.shown.again != Some(false));
        let Fuzz { target, options, .. } = self.fuzz;
        self.course.goes_on(target, options, FOR_SHRINKING, self.tally.tried(), is_found)
    }

    fn tell(&self, doing: &str) {
        let found = self.causes.len();
        self.fuzz.progress.tell(self.fuzz.target.requests_made(), self.tally.tried(), found, doing);
    }

    fn origin(&mut self) -> String {
        self.played += 1;
        format!("{ORIGIN} lifecycle {}", self.played)
    }

    /// Plays sequences, as many at once as may be, and sees to what they show.
    async fn take(&mut self, property: Property, sequences: Vec<Sequence>) {
        let mut left = sequences.into_iter().peekable();
        while left.peek().is_some() && self.goes_on() {
            let allowed =
                self.fuzz.options.most.map_or(u64::MAX, |most| most.saturating_sub(self.tally.tried()));
            let at_once = (self.fuzz.options.in_flight.max(1) as u64).min(allowed) as usize;
            let mut some: Vec<Sequence> = left.by_ref().take(at_once).collect();
            if property != Property::Saved {
                some.iter_mut().for_each(|steps| steps.retain(|step| !self.avoided.contains(step.word())));
            }
            self.tell(property.title());
            let origins: Vec<String> = some.iter().map(|_| self.origin()).collect();
            let stage = self.stage();
            let plays = some.iter().zip(&origins).map(|(steps, origin)| play(stage, steps, origin, None));
            let all = join_all(plays).await;
            let sighted_at = self.fuzz.target.requests_made();
            for ((steps, played), origin) in some.iter().zip(all).zip(&origins) {
                self.heed(property, &played);
                self.fuzz.target.clean_up_after(origin, false).await;
                for sighting in &played.sightings {
                    self.sighted(property, steps, sighting, &played, sighted_at).await;
                }
            }
        }
    }

    fn heed(&mut self, property: Property, played: &Played) {
        self.steps += played.steps;
        self.tally.left_alone += played.left_alone;
        self.tally.judge(property);
        for feature in &played.declined {
            let note = format!("{feature} are declined, and left out");
            if !self.notes.contains(&note) {
                self.notes.push(note);
            }
            match *feature {
                "lists without filter" => self.ground.lists = false,
                "searches in other letters" => self.ground.folds = false,
                _ => self.ground.filter = false,
            }
        }
        match &played.nothing {
            None => self.course.said_something(),
            Some(why) => {
                self.tally.unjudged += 1;
                self.course.said_nothing(self.fuzz.target, why, 1);
            }
        }
    }

    /// A sighting: one of a known cause is counted, another one is tried again and shrunk.
    async fn sighted(
        &mut self,
        property: Property,
        steps: &[Step],
        sighting: &Sighting,
        played: &Played,
        sighted_at: u64,
    ) {
        let signature = &sighting.problem.signature;
        if let Some(cause) = self.causes.iter_mut().find(|cause| cause.signature == *signature) {
            cause.sightings += 1;
            self.tally.left_alone += 1;
            return;
        }
        // What is missing everywhere is told once, whichever step showed it.
        let is_told = match signature.differs.as_str() {
            "no groups" => !self.ground.shows_groups,
            "no version" => !self.ground.shows_versions,
            _ => false,
        };
        if is_told {
            self.tally.left_alone += 1;
            return;
        }
        let seen: Sequence = steps.iter().take(sighting.at + 1).cloned().collect();
        let mut shown = Counterexample {
            property,
            seen: seen.clone(),
            steps: seen.clone(),
            problem: sighting.problem.clone(),
            again: None,
            exchanges: played.exchanges.clone(),
            sighted_at,
            minimal_at: sighted_at,
        };
        let before = self.fuzz.target.requests_made();
        self.confirm(&mut shown).await;
        if shown.again == Some(true) {
            self.shrink(&mut shown, before).await;
        }
        shown.minimal_at = sighted_at + (self.fuzz.target.requests_made() - before);
        self.tally.shrinking += self.fuzz.target.requests_made() - before;
        if shown.again != Some(false) {
            self.avoid(&shown);
        }
        self.known.insert(signature.clone());
        self.causes.push(Cause { signature: signature.clone(), sightings: 1, shown });
    }

    /// Tries it again from scratch.
    async fn confirm(&mut self, shown: &mut Counterexample) {
        self.tell("trying it again from scratch");
        let attempts = attempts(&shown.seen);
        self.passed_over.clear();
        for _ in 0..attempts {
            let Some(mut played) = self.try_steps(&shown.seen, &shown.problem.signature).await else {
                return;
            };
            if played.shows(&shown.problem.signature).is_none() && self.ended_at_what_is_known(&played) {
                // What is known is in the way of the rest, as a create is whose every answer lacks something.
                self.passed_over.clone_from(&self.known);
                match self.try_steps(&shown.seen, &shown.problem.signature).await {
                    Some(again) => played = again,
                    None => return,
                }
            }
            if let Some(sighting) = played.shows(&shown.problem.signature) {
                shown.again = Some(true);
                shown.steps.truncate(sighting.at + 1);
                shown.problem = sighting.problem.clone();
                shown.exchanges.clone_from(&played.exchanges);
                return;
            }
            if played.nothing.is_none() {
                shown.again = Some(false);
            }
        }
    }

    /// Whether a sequence went no further than something that is known.
    fn ended_at_what_is_known(&self, played: &Played) -> bool {
        played.sightings.last().is_some_and(|it| self.known.contains(&it.problem.signature))
    }

    async fn shrink(&mut self, shown: &mut Counterexample, before: u64) {
        let signature = shown.problem.signature.clone();
        let mut shrinker = Shrinker::new(shown.steps.clone(), &shown.problem);
        while let Some(candidate) = shrinker.candidate() {
            let spent = self.fuzz.target.requests_made() - before;
            let cost: usize = candidate.iter().map(|step| 2 * step.requests() + 2).sum();
            if spent >= MOST_A_CAUSE
                || !self.fuzz.target.can_spare(cost as u64)
                || self.fuzz.target.interrupted()
            {
                break;
            }
            self.tell("shrinking");
            let mut is_smaller = false;
            for _ in 0..attempts(&candidate).min(3) {
                let Some(played) = self.try_steps(&candidate, &signature).await else { break };
                if let Some(sighting) = played.shows(&signature) {
                    shown.steps = candidate.iter().take(sighting.at + 1).cloned().collect();
                    shown.problem = sighting.problem.clone();
                    shown.exchanges.clone_from(&played.exchanges);
                    is_smaller = true;
                    break;
                }
            }
            match is_smaller {
                true => shrinker.accept(shown.steps.clone()),
                false => shrinker.reject(),
            }
        }
    }

    /// Plays steps once more, looking for one thing. None where there is no budget for it.
    async fn try_steps(&mut self, steps: &[Step], signature: &Signature) -> Option<Played> {
        let cost: usize = steps.iter().map(|step| 2 * step.requests() + 1).sum();
        if self.fuzz.target.interrupted() || !self.fuzz.target.can_spare(cost as u64) {
            return None;
        }
        let origin = self.origin();
        let stage = Stage { known: &self.passed_over, ..self.stage() };
        let played = play(stage, steps, &origin, Some(signature)).await;
        self.fuzz.target.clean_up_after(&origin, false).await;
        Some(played)
    }

    /// What fails as a whole is not asked any more.
    fn avoid(&mut self, shown: &Counterexample) {
        let Signature { harm, step, differs } = &shown.problem.signature;
        let is_whole = matches!(harm, Harm::Refused | Harm::Broken) || differs.starts_with("status ");
        let is_missing = *harm == Harm::Refused && matches!(differs.as_str(), "405" | "501");
        let is_bare = is_missing || shrink::is_bare(&shown.steps);
        match *step {
            "read" | "create" => {}
            "find" | "count" | "list" => drop(self.avoided.insert(step)),
            step if is_whole && is_bare => drop(self.avoided.insert(step)),
            _ => {}
        }
        if ["version", "ETag", "ETag of version", "answer version"].contains(&differs.as_str()) {
            self.ground.etag = false;
        }
        match differs.as_str() {
            "no groups" => self.ground.shows_groups = false,
            "no version" => self.ground.shows_versions = false,
            _ => {}
        }
        let path = differs.split([' ', '.']).next().unwrap_or_default().to_owned();
        let is_attribute = *harm == Harm::Wrong;
        self.ground.tints.retain(|tint| !is_attribute || !tint.name.eq_ignore_ascii_case(&path));
    }
}

/// How often a sequence is tried: one with a race need not show what it has shown.
fn attempts(steps: &[Step]) -> usize {
    if steps.iter().any(|step| matches!(step, Step::AtOnce { .. })) { ATTEMPTS } else { 1 }
}
