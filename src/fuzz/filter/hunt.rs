//! The state of a hunt, and what every phase does with it: ask, judge, confirm, and put what was found to its cause.

use std::collections::HashMap;

use futures_util::future::join_all;
use serde_json::Value;

use super::ask::{Answer, Asked, Way, ask};
use super::features::features;
use super::terms::Term;
use super::verdict::{Judge, Verdict};
use super::{Counterexample, Fuzz, FuzzError, Fuzzed, Property, RowInQuestion, harm};
use crate::fuzz::Ended;
use crate::fuzz::cause::{Causes, Feature, Features};
use crate::fuzz::course::{Course, Heard};
use crate::fuzz::dataset::{DataSet, Maker};
use crate::fuzz::dice::Dice;
use crate::fuzz::tally::Tally;
use crate::oracle::truth::explain;
use crate::oracle::world::{World, Worlds};
use crate::scim::filter::{CompareOperator, Filter};

/// So many requests are kept for shrinking what is found late.
pub(super) const FOR_SHRINKING: u64 = 30;

/// A resource type that is filtered.
pub(super) struct Field {
    pub(super) set: DataSet,
    pub(super) terms: Vec<Term>,
    pub(super) worlds: Worlds,
    /// Whether several filters may go into one request.
    pub(super) batches: bool,
    /// How often several filters in one request looked wrong, and none of them was.
    pub(super) misfires: u32,
    /// What narrows a filter to ours, where there are many others.
    pub(super) narrowing: Option<String>,
    /// How it is asked.
    pub(super) way: Way,
    /// Comparisons that were seen to be right, to build others of.
    pub(super) right: Vec<Trial>,
}

/// A filter that is going to be asked.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Trial {
    pub(super) text: String,
    pub(super) filter: Filter,
    pub(super) features: Features,
}

pub(super) struct Hunt<'a> {
    pub(super) fuzz: &'a Fuzz<'a>,
    pub(super) fields: Vec<Field>,
    pub(super) causes: Causes<Counterexample>,
    pub(super) tally: Tally<Property>,
    pub(super) notes: Vec<String>,
    pub(super) mended: Vec<String>,
    pub(super) course: Course,
    pub(super) memo: HashMap<(usize, String), (Verdict, Asked)>,
    /// Whether it was looked at whether filters have an effect at all.
    controlled: bool,
    /// Whether calibration was taken back.
    uncalibrated: bool,
    /// How many sets of fresh copies were made.
    pub(super) copies: u32,
}

/// Fuzzes.
pub(super) async fn hunt(fuzz: &Fuzz<'_>) -> Result<Fuzzed, FuzzError> {
    if fuzz.target.is_read_only() {
        return Err(FuzzError::ReadOnly);
    }
    let mut hunt = Hunt {
        fuzz,
        fields: Vec::new(),
        causes: Causes::default(),
        tally: Tally::default(),
        notes: Vec::new(),
        mended: Vec::new(),
        course: Course::begin(fuzz.target),
        memo: HashMap::new(),
        controlled: false,
        uncalibrated: false,
        copies: 0,
    };
    hunt.prepare().await?;
    if hunt.course.ended.is_none() {
        hunt.phases().await;
    }
    let dialect = hunt.fields.first().map(|field| field.worlds.dialect()).unwrap_or_default();
    let resources =
        hunt.fields.iter().map(|field| (field.set.endpoint.clone(), field.set.rows.len())).collect();
    Ok(Fuzzed {
        causes: hunt.causes.into_all(),
        tally: hunt.tally,
        dialect,
        notes: hunt.notes,
        ended: hunt.course.ended.unwrap_or(Ended::Done),
        resources,
        mended: hunt.mended,
    })
}

impl Hunt<'_> {
    pub(super) fn maker(&self) -> Maker<'_> {
        Maker {
            target: self.fuzz.target,
            schemas: &self.fuzz.probe.schemas,
            generator: self.fuzz.generator,
            templates: self.fuzz.templates,
        }
    }

    pub(super) fn dice(&self, stream: &str) -> Dice {
        Dice::new(self.fuzz.options.seed, stream)
    }

    /// Whether there is a budget for something new.
    pub(super) fn may_search(&self) -> bool {
        self.fuzz.target.can_spare(FOR_SHRINKING)
    }

    /// Whether the hunt goes on; where not, why it ended is noted.
    pub(super) fn goes_on(&mut self) -> bool {
        let is_found =
            || self.causes.all().iter().any(|it| it.sightings.iter().any(|it| it.again != Some(false)));
        let Fuzz { target, options, .. } = self.fuzz;
        self.course.goes_on(target, options, FOR_SHRINKING, self.tally.tried(), is_found)
    }

    pub(super) fn tell(&self, doing: &str) {
        let found = self.causes.all().len();
        self.fuzz.progress.tell(self.fuzz.target.requests_made(), self.tally.tried(), found, doing);
    }

    pub(super) fn in_flight(&self) -> usize {
        self.fuzz.options.in_flight.max(1)
    }

    /// A filter with what it has about it; none for a text that is no filter.
    pub(super) fn trial(&self, field: usize, text: &str) -> Option<Trial> {
        let filter = Filter::parse(text).ok()?;
        let Field { set, terms, .. } = &self.fields[field];
        let features = features(text, &filter, &set.definition, terms);
        Some(Trial { text: text.to_owned(), filter, features })
    }

    /// Whether a known cause explains what would come of it.
    pub(super) fn is_explained(&mut self, features: &Features) -> bool {
        let explained = self.causes.explains(features).is_some();
        self.tally.left_alone += u64::from(explained);
        explained
    }

    /// The text as it is sent.
    pub(super) fn narrowed(&self, field: usize, text: &str) -> String {
        match &self.fields[field].narrowing {
            Some(narrowing) => format!("{narrowing} and ({text})"),
            None => text.to_owned(),
        }
    }

    /// Asks several filters, each by itself, as many at once as may be.
    pub(super) async fn ask_all(&self, field: usize, texts: &[String], way: Way, reason: &str) -> Vec<Asked> {
        let Field { set, way: usual, .. } = &self.fields[field];
        let (endpoint, way) = (&set.endpoint, if way == Way::Get { *usual } else { way });
        let mut all = Vec::new();
        for some in texts.chunks(self.in_flight()) {
            let narrowed: Vec<String> = some.iter().map(|text| self.narrowed(field, text)).collect();
            let asked = narrowed.iter().map(|text| ask(self.fuzz.target, endpoint, text, way, reason));
            all.extend(join_all(asked).await);
        }
        all
    }

    /// Takes note of whether an answer says that it is no use to go on.
    pub(super) fn heed(&mut self, asked: &Asked) {
        let answered = asked.exchange.as_ref().is_some_and(|exchange| exchange.answer.is_ok());
        self.tally.unjudged += u64::from(matches!(asked.answer, Answer::Nothing(_)));
        let heard = match &asked.answer {
            Answer::Nothing(why) => Heard::Nothing(why),
            Answer::Broken(why) => Heard::Broken(why),
            Answer::List(_) | Answer::Refused { .. } => Heard::Something,
        };
        self.course.heed(self.fuzz.target, answered, heard);
    }

    /// Judges the answer to a filter that was asked alone.
    pub(super) fn judge(&self, field: usize, filter: &Filter, asked: &Asked) -> Verdict {
        let Field { set, worlds, narrowing, .. } = &self.fields[field];
        Judge { data: set, worlds, is_narrowed: narrowing.is_some() }.judge(filter, asked)
    }

    /// Takes note of a verdict about a filter that was asked alone; what is bad is hunted down.
    pub(super) async fn note(
        &mut self,
        field: usize,
        property: Property,
        trial: &Trial,
        verdict: Verdict,
        asked: Asked,
    ) {
        self.heed(&asked);
        match verdict {
            Verdict::Nothing(_) => {}
            Verdict::Right => {
                self.tally.judge(property);
                self.was_right(field, trial, asked.answer.is_served());
            }
            Verdict::Wrong(mistake) if !mistake.is_firm => {
                // Some reading allows it, but not the one that the probes showed: a defect may have been taken for a
                // reading. Nothing is said against a server on such grounds.
                self.tally.judge(property);
                for field in &mut self.fields {
                    field.worlds = field.worlds.in_every_reading();
                }
                if !std::mem::replace(&mut self.uncalibrated, true) {
                    self.notes.push(format!(
                        "the answer to {} fits no reading that the probes of the dialect left; from then on every reading counted as possible",
                        trial.text
                    ));
                }
                self.memo.clear();
            }
            bad => {
                self.tally.judge(property);
                if !self.is_explained(&trial.features) {
                    self.hunt_down(field, property, trial, bad, asked).await;
                }
            }
        }
    }

    /// Takes note of a filter that was right to be answered as it was. What is refused by right is not built upon: it would
    /// have everything around it refused.
    pub(super) fn was_right(&mut self, field: usize, trial: &Trial, is_served: bool) {
        self.causes.was_right(&trial.features);
        let is_simple = is_served && matches!(trial.filter, Filter::Compare { .. } | Filter::Present(_));
        let right = &mut self.fields[field].right;
        if is_simple
            && trial.text == trial.filter.to_string()
            && right.len() < 400
            && !right.iter().any(|known| known.text == trial.text)
        {
            right.push(trial.clone());
        }
    }

    /// Asks these filters alone, one after the other where one request is under way at a time.
    pub(super) async fn try_alone(
        &mut self,
        field: usize,
        property: Property,
        texts: Vec<String>,
        reason: &str,
    ) {
        let mut texts = texts.into_iter();
        loop {
            if !self.goes_on() {
                return;
            }
            let mut trials = Vec::new();
            while trials.len() < self.in_flight() {
                let Some(text) = texts.next() else { break };
                let Some(trial) = self.trial(field, &text) else { continue };
                if !self.is_explained(&trial.features) {
                    trials.push(trial);
                }
            }
            if trials.is_empty() {
                return;
            }
            self.tell(reason);
            let asked: Vec<String> = trials.iter().map(|trial| trial.text.clone()).collect();
            let asked = self.ask_all(field, &asked, Way::Get, reason).await;
            for (trial, asked) in trials.iter().zip(asked) {
                let verdict = self.judge(field, &trial.filter, &asked);
                self.note(field, property, trial, verdict, asked).await;
            }
        }
    }

    /// The resources that an answer is wrong about, with the reasons.
    pub(super) fn questioned(
        &self,
        set: &DataSet,
        worlds: &Worlds,
        filter: &Filter,
        verdict: &Verdict,
    ) -> Vec<RowInQuestion> {
        let Verdict::Wrong(mistake) = verdict else { return Vec::new() };
        // Where the dialect decides, the reasons are those of a world that fits it.
        let world =
            worlds.settled().fold(World::CONVENTIONAL, |world, (knob, departs)| world.with(knob, departs));
        let of = |label: String, id: Option<String>, state: &Value, must| RowInQuestion {
            label,
            id,
            must,
            explanation: explain(filter, state, &set.definition, world),
        };
        let ours = |id: &String, must| {
            let row = set.row(id)?;
            Some(of(set.label(row), Some(row.id.clone()), &row.state, must))
        };
        let missing = mistake.missing.iter().filter_map(|id| ours(id, true));
        let surplus = mistake.surplus.iter().filter_map(|id| ours(id, false));
        let strangers = mistake
            .strangers
            .iter()
            .map(|state| of("a resource that is not of this run".to_owned(), None, state, false));
        missing.chain(surplus).chain(strangers).collect()
    }

    /// Whether filters have an effect at all: one that finds everybody and one that finds nobody are asked, once. Where
    /// both are answered alike, that is the cause of everything.
    async fn is_of_every_filter(
        &mut self,
        field: usize,
        property: Property,
        trial: &Trial,
        verdict: &Verdict,
        asked: &Asked,
    ) -> bool {
        if std::mem::replace(&mut self.controlled, true) {
            return false;
        }
        let sighted_at = self.fuzz.target.requests_made();
        let Some(name) = self.fields[field].terms.first().map(|term| term.path.clone()) else { return false };
        let nobody = Filter::Compare {
            path: name.clone(),
            operator: CompareOperator::Equal,
            value: "nobody is called this".into(),
        };
        let texts = [Filter::Present(name).to_string(), nobody.to_string()];
        let controls = self.ask_all(field, &texts, Way::Get, "see whether filters have an effect").await;
        let found = |asked: &Asked| match &asked.answer {
            Answer::List(found) => {
                let set = &self.fields[field].set;
                Some(found.ids().filter(|id| set.row(id).is_some()).count())
            }
            _ => None,
        };
        let all = self.fields[field].set.rows.len();
        let what = match controls.as_slice() {
            [everybody, nobody] => match (&everybody.answer, &nobody.answer) {
                (Answer::List(_), Answer::List(_)) => match (found(everybody), found(nobody)) {
                    (Some(one), Some(other)) if one == other && one == all => "every filter is ignored",
                    (Some(0), Some(0)) => "every filter finds nothing",
                    _ => return false,
                },
                (Answer::Broken(_), Answer::Broken(_)) => "every filter breaks the server",
                // The attribute may be one that is not supported; the name is what clients look for.
                (Answer::Refused { .. }, Answer::Refused { .. }) if self.refuses_names(field).await => {
                    "every filter is refused"
                }
                _ => return false,
            },
            _ => return false,
        };
        let Field { set, worlds, .. } = &self.fields[field];
        let minimal_at = self.fuzz.target.requests_made();
        let mut counterexample = Counterexample {
            property,
            endpoint: set.endpoint.clone(),
            seen: trial.text.clone(),
            rows: self.questioned(set, worlds, &trial.filter, verdict),
            filter: trial.text.clone(),
            against: None,
            exchange: asked.exchange.clone(),
            features: Features::new(),
            again: Some(true),
            data: None,
            sighted_at,
            minimal_at,
            shrinking: minimal_at - sighted_at,
            terms: count(&trial.filter),
            verdict: verdict.clone(),
        };
        // It showed twice; fresh resources are for a case that can be replayed.
        self.judge_anew(field, &mut counterexample, trial).await;
        counterexample.again = Some(true);
        self.notes.push(format!("{what}, so that nothing more was tried"));
        self.causes.add(&Features::new(), harm(verdict), counterexample);
        self.course.ended = Some(Ended::Done);
        true
    }

    /// Whether a plain comparison with the name that every resource has is refused.
    async fn refuses_names(&self, field: usize) -> bool {
        let Field { set, .. } = &self.fields[field];
        let name = if set.definition.name == "User" { "userName" } else { "displayName" };
        let text = format!("{name} eq \"nobody is called this\"");
        let reason = "see whether there is any filter";
        let asked = self.ask_all(field, &[text], Way::Get, reason).await;
        asked.iter().all(|asked| matches!(asked.answer, Answer::Refused { .. }))
    }

    /// Shrinks what was seen, judges it anew, and puts it to its cause.
    async fn hunt_down(
        &mut self,
        field: usize,
        property: Property,
        trial: &Trial,
        verdict: Verdict,
        asked: Asked,
    ) {
        if self.is_of_every_filter(field, property, trial, &verdict, &asked).await {
            return;
        }
        let before = self.fuzz.target.requests_made();
        self.tell("shrinking what looks wrong");
        let minimal = self.shrink(field, trial, verdict, asked).await;
        let minimal_at = self.fuzz.target.requests_made();
        let Field { set, worlds, .. } = &self.fields[field];
        let counterexample = Counterexample {
            property,
            endpoint: set.endpoint.clone(),
            seen: trial.text.clone(),
            rows: self.questioned(set, worlds, &minimal.trial.filter, &minimal.verdict),
            filter: minimal.trial.text.clone(),
            against: None,
            exchange: minimal.asked.exchange.clone(),
            features: minimal.features.clone(),
            again: None,
            data: None,
            sighted_at: before,
            minimal_at,
            shrinking: minimal_at - before,
            terms: count(&minimal.trial.filter),
            verdict: minimal.verdict.clone(),
        };
        self.put_to_cause(field, counterexample, Some(minimal.trial)).await;
        self.tally.shrinking += self.fuzz.target.requests_made() - before;
    }

    /// Puts a counterexample to its cause; the first of a cause is judged anew.
    pub(super) async fn put_to_cause(
        &mut self,
        field: usize,
        counterexample: Counterexample,
        minimal: Option<Trial>,
    ) {
        let features = counterexample.features.clone();
        let harm = harm(&counterexample.verdict);
        let mut counterexample = counterexample;
        let is_new = !self.causes.all().iter().any(|cause| {
            cause.harm == harm
                && cause.features.intersection(&features).any(|it| !matches!(it, Feature::Type(_)))
        });
        if let Some(trial) = minimal.filter(|_| is_new || self.causes.all().len() < 3) {
            self.judge_anew(field, &mut counterexample, &trial).await;
            // Fresh resources are what they were read to be; any others may have been changed by somebody meanwhile.
            let is_fresh = counterexample.again == Some(true) && counterexample.data.is_some();
            if !is_fresh
                && counterexample.again.is_some()
                && self.has_changed(field, &trial.filter, &counterexample.rows).await
            {
                return;
            }
        }
        self.causes.add(&features, harm, counterexample);
    }
}

/// How many comparisons a filter has.
pub(super) fn count(filter: &Filter) -> usize {
    match filter {
        Filter::And(all) | Filter::Or(all) => all.iter().map(count).sum(),
        Filter::Not(inner) | Filter::ValuePath { filter: inner, .. } => count(inner),
        Filter::Present(_) | Filter::Compare { .. } => 1,
    }
}
