//! The state of a hunt, and what every phase does with it: ask, judge, confirm, and put what was found to its cause.

use std::collections::{BTreeMap, HashMap};

use futures_util::future::join_all;
use serde_json::Value;

use super::ask::{Answer, Asked, Way, ask};
use super::features::features;
use super::terms::{Term, terms};
use super::verdict::{Judge, Verdict};
use super::{Counterexample, Fuzz, FuzzError, Fuzzed, Property, RowInQuestion, Tally, harm};
use crate::fuzz::Ended;
use crate::fuzz::cause::{Causes, Feature, Features};
use crate::fuzz::dataset::{BESIDE, BY_BULK, DataSet, Maker, ONE_BY_ONE, Row};
use crate::fuzz::dice::Dice;
use crate::fuzz::strategy::data::marked;
use crate::oracle::batch::paths;
use crate::oracle::calibrate;
use crate::oracle::truth::explain;
use crate::oracle::world::{Truth, World, Worlds};
use crate::scim::filter::{CompareOperator, Filter};
use crate::scim::resource::get;
use crate::scim::schema::Mutability;
use crate::suite::model::{Capability, Requires};
use crate::target::{BulkUse, probe};

/// After so many answers in a row that did not come, the target counts as gone.
const GONE_AFTER: u32 = 4;
/// After so many answers in a row that say nothing, it is no use to go on.
const HOPELESS: u32 = 4;
/// So many resources of others are judged by what they show; with more of them, filters are narrowed to ours.
const STRANGERS: u64 = 100;
/// The requests that making and reading resources takes beside one for each.
const AROUND: u64 = 8;
/// So many requests are kept for shrinking what is found late, or a fifth of what is left.
const FOR_SHRINKING: u64 = 30;

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
    pub(super) right: Vec<Filter>,
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
    pub(super) tally: Tally,
    pub(super) notes: Vec<String>,
    pub(super) mended: Vec<String>,
    pub(super) ended: Option<Ended>,
    pub(super) memo: HashMap<(usize, String), (Verdict, Asked)>,
    silent: u32,
    hopeless: u32,
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
        ended: None,
        memo: HashMap::new(),
        silent: 0,
        hopeless: 0,
        controlled: false,
        uncalibrated: false,
        copies: 0,
    };
    hunt.prepare().await?;
    if hunt.ended.is_none() {
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
        ended: hunt.ended.unwrap_or(Ended::Done),
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

    /// Makes the resources: of users, and beside them of groups, or of whatever type the service provider has.
    async fn prepare(&mut self) -> Result<(), FuzzError> {
        let Fuzz { target, probe, saved, .. } = self.fuzz;
        if let Some(bulk) = BulkUse::of(&probe.capabilities) {
            target.may_use_bulk(bulk);
        }
        let mut kinds: Vec<_> = probe.schemas.resource_types.iter().collect();
        kinds.sort_by_key(|kind| match kind.name.as_str() {
            "User" => 0,
            "Group" => 1,
            _ => 2,
        });
        for kind in kinds.into_iter().take(2) {
            if self.fields.len() == 1 && (!self.may_search() || self.ended.is_some()) {
                break;
            }
            let Some(definition) = probe.schemas.definition(&kind.name) else { continue };
            self.tell(&format!("making resources at {}", definition.endpoint));
            let size = match (self.fields.is_empty(), target.bulk().is_some()) {
                (true, true) => BY_BULK,
                (true, false) => ONE_BY_ONE,
                (false, true) => BESIDE,
                (false, false) => BESIDE / 2,
            };
            // What is made has to be deleted, one by one if need be.
            let affordable = |size: &usize| target.can_spare(2 * *size as u64 + AROUND);
            let Some(size) =
                [size, BESIDE, BESIDE / 2, BESIDE / 4].into_iter().filter(|it| *it <= size).find(affordable)
            else {
                if self.fields.is_empty() {
                    self.notes.push(
                        "the budget of requests allows no resources to filter: --requests 200 is a beginning"
                            .to_owned(),
                    );
                    self.ended = Some(Ended::BudgetSpent);
                }
                break;
            };
            let members = self.fields.first().map(|field| field.set.rows.clone()).unwrap_or_default();
            let endpoint = definition.endpoint.trim_end_matches('/');
            let also: Vec<Value> = saved
                .iter()
                .filter(|case| case.endpoint == endpoint)
                .flat_map(|case| case.resources.iter().cloned())
                .collect();
            let mut dice = self.dice(&format!("data {}", kind.name));
            match self.maker().make(&definition, size, &members, also, &mut dice).await {
                Ok(set) => {
                    let field = self.field(set);
                    self.fields.push(field);
                }
                Err(_) if target.interrupted() => self.ended = Some(Ended::Interrupted),
                Err(error) if self.fields.is_empty() && !target.can_spare(FOR_SHRINKING) => {
                    self.notes.push(error.to_string());
                    self.ended = Some(Ended::BudgetSpent);
                }
                Err(error) if self.fields.is_empty() && probe.schemas.resource_types.len() == 1 => {
                    return Err(error.into());
                }
                Err(error) => self.notes.push(error.to_string()),
            }
            if self.ended.is_some() {
                return Ok(());
            }
        }
        if self.fields.is_empty() {
            return if self.ended.is_some() { Ok(()) } else { Err(FuzzError::NoResources) };
        }
        // Who is in a group shows it.
        if self.fields.len() > 1 {
            let mut set = self.fields[0].set.clone();
            self.maker().refresh(&mut set).await;
            self.fields[0] = self.field(set);
        }
        self.filters_there().await?;
        self.pages_there().await;
        Ok(())
    }

    /// Whether all of what is there can be seen page by page; where it cannot, `.search` may do better.
    async fn pages_there(&mut self) {
        let target = self.fuzz.target;
        for field in &mut self.fields {
            let Some(name) = field.terms.first().map(|term| term.path.clone()) else { continue };
            if !target.can_spare(FOR_SHRINKING) {
                return;
            }
            let text = Filter::Present(name).to_string();
            let text = field
                .narrowing
                .as_ref()
                .map_or(text.clone(), |narrowing| format!("{narrowing} and ({text})"));
            let reason = "see whether all pages can be read";
            let asked = ask(target, &field.set.endpoint, &text, Way::Get, reason).await;
            let Answer::List(found) = asked.answer else { continue };
            if !found.pages_repeat {
                continue;
            }
            let asked = ask(target, &field.set.endpoint, &text, Way::Search, reason).await;
            let endpoint = &field.set.endpoint;
            if matches!(&asked.answer, Answer::List(found) if found.is_complete) {
                field.way = Way::Search;
                self.notes.push(format!("the pages of GET {endpoint} repeat what was shown before, so filters were sent to {endpoint}/.search"));
            } else {
                self.notes.push(format!("the pages of GET {endpoint} repeat what was shown before, so nothing is said of what longer lists miss"));
            }
        }
    }

    fn field(&self, set: DataSet) -> Field {
        let strangers = self.strangers(&set);
        let narrowing = (strangers > STRANGERS).then(|| {
            let name = if set.definition.name == "User" { "userName" } else { "displayName" };
            format!("{name} sw {}", Value::from(set.word.as_str()))
        });
        Field {
            terms: terms(&set.definition, &set.states()),
            worlds: Worlds::all(),
            batches: set.is_sliced(),
            misfires: 0,
            narrowing,
            way: Way::Get,
            right: Vec::new(),
            set,
        }
    }

    /// How many resources of others there are, as the probe was told.
    fn strangers(&self, set: &DataSet) -> u64 {
        let exchanges = self.fuzz.target.exchanges();
        let mut totals = exchanges
            .iter()
            .rev()
            .filter(|it| {
                it.origin == probe::ORIGIN
                    && it.request.method == "GET"
                    && it.request.endpoint == set.endpoint
            })
            .filter_map(|it| get(it.json()?, "totalResults")?.as_u64());
        totals.next().unwrap_or(0)
    }

    /// Whether there are filters at all: one that is not said to have them may refuse them.
    async fn filters_there(&mut self) -> Result<(), FuzzError> {
        let Err(evidence) = self.fuzz.probe.capabilities.check(&Requires::Capability(Capability::Filter))
        else {
            return Ok(());
        };
        let Some(field) = self.fields.first() else { return Ok(()) };
        let Some(text) = field.set.slice_filter(0) else { return Ok(()) };
        let asked =
            ask(self.fuzz.target, &field.set.endpoint, &text, Way::Get, "see whether there are filters")
                .await;
        match asked.answer {
            Answer::Refused { status, .. } => {
                Err(FuzzError::NoFilters(format!("{evidence}, and a filter is answered with {status}")))
            }
            _ => Ok(()),
        }
    }

    /// Whether there is a budget for something new.
    pub(super) fn may_search(&self) -> bool {
        self.fuzz.target.can_spare(FOR_SHRINKING)
    }

    /// Whether the hunt goes on; where not, why it ended is noted.
    pub(super) fn goes_on(&mut self) -> bool {
        if self.ended.is_some() {
            return false;
        }
        let is_found =
            || self.causes.all().iter().any(|it| it.sightings.iter().any(|it| it.again != Some(false)));
        let has_enough = self.fuzz.options.most.is_some_and(|most| self.tally.filters() >= most);
        if self.fuzz.target.interrupted() {
            self.ended = Some(Ended::Interrupted);
        } else if has_enough || (self.fuzz.options.stop_at_first && is_found()) {
            self.ended = Some(Ended::Done);
        } else if !self.may_search() {
            self.ended = Some(Ended::BudgetSpent);
        }
        self.ended.is_none()
    }

    pub(super) fn tell(&self, doing: &str) {
        let found = self.causes.all().len();
        self.fuzz.progress.tell(self.fuzz.target.requests_made(), self.tally.filters(), found, doing);
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
        self.silent = if answered { 0 } else { self.silent + 1 };
        match &asked.answer {
            Answer::Nothing(why) => {
                self.hopeless += 1;
                self.tally.unjudged += 1;
                if self.hopeless >= HOPELESS && self.ended.is_none() && !self.fuzz.target.interrupted() {
                    let spent = !self.fuzz.target.can_spare(0);
                    self.ended = Some(if spent { Ended::BudgetSpent } else { Ended::Gone(why.clone()) });
                }
            }
            Answer::Broken(why) if self.silent >= GONE_AFTER && self.ended.is_none() => {
                self.ended = Some(Ended::Gone(why.clone()));
            }
            _ => self.hopeless = 0,
        }
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
                *self.tally.judged.entry(property).or_default() += 1;
                self.was_right(field, trial);
            }
            Verdict::Wrong(mistake) if !mistake.is_firm => {
                // Some reading allows it, but not the one that the probes showed: a defect may have been taken for a
                // reading. Nothing is said against a server on such grounds.
                *self.tally.judged.entry(property).or_default() += 1;
                for field in &mut self.fields {
                    field.worlds = Worlds::all();
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
                *self.tally.judged.entry(property).or_default() += 1;
                if !self.is_explained(&trial.features) {
                    self.hunt_down(field, property, trial, bad, asked).await;
                }
            }
        }
    }

    pub(super) fn was_right(&mut self, field: usize, trial: &Trial) {
        self.causes.was_right(&trial.features);
        let is_simple = matches!(trial.filter, Filter::Compare { .. } | Filter::Present(_));
        let right = &mut self.fields[field].right;
        if is_simple
            && trial.text == trial.filter.to_string()
            && right.len() < 400
            && !right.contains(&trial.filter)
        {
            right.push(trial.filter.clone());
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
                _ => return false,
            },
            _ => return false,
        };
        let Field { set, worlds, .. } = &self.fields[field];
        let minimal_at = self.fuzz.target.requests_made();
        let counterexample = Counterexample {
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
        self.notes.push(format!("{what}, so that nothing more was tried"));
        self.causes.add(&Features::new(), harm(verdict), counterexample);
        self.ended = Some(Ended::Done);
        true
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
        }
        self.causes.add(&features, harm, counterexample);
    }

    /// Judges a counterexample on resources that nobody has filtered yet; where it needs none, asks once more.
    async fn judge_anew(&mut self, field: usize, counterexample: &mut Counterexample, trial: &Trial) {
        if !self.fuzz.target.can_spare(6) {
            return;
        }
        self.tell("judging it anew on fresh resources");
        let ids: Vec<String> = counterexample.rows.iter().filter_map(|row| row.id.clone()).collect();
        let set = &self.fields[field].set;
        // What only the service provider gives cannot be made again.
        let is_given = |name: &str| {
            let attribute = set.definition.top_attribute(name);
            let is_made_anew = ["id", "meta", "schemas"].iter().any(|known| known.eq_ignore_ascii_case(name));
            !is_made_anew && attribute.is_some_and(|it| it.mutability == Mutability::ReadOnly)
        };
        if ids.is_empty()
            || paths(&trial.filter).iter().any(|path| path.urn.is_none() && is_given(&path.name))
        {
            let texts = [trial.text.clone()];
            let asked = self.ask_all(field, &texts, Way::Get, "ask once more").await;
            if let Some(asked) = asked.into_iter().next() {
                let verdict = self.judge(field, &trial.filter, &asked);
                counterexample.again = match verdict {
                    Verdict::Nothing(_) => None,
                    verdict => Some(verdict.is_bad()),
                };
            }
            return;
        }
        // One that is missed and one that is found wrongly, and one that was right beside them.
        let wrong =
            |must: bool| counterexample.rows.iter().find(move |row| row.must == must && row.id.is_some());
        let mut chosen: Vec<&str> =
            [wrong(true), wrong(false)].into_iter().flatten().filter_map(|row| row.id.as_deref()).collect();
        let beside = set.rows.iter().find(|row| {
            let truth = self.fields[field].worlds.truth(&trial.filter, &row.state, &set.definition);
            let opposite = if wrong(true).is_some() { Truth::MustNot } else { Truth::Must };
            !ids.contains(&row.id) && truth == opposite
        });
        chosen.extend(beside.map(|row| row.id.as_str()));
        let rows: Vec<_> = chosen.iter().filter_map(|id| set.row(id)).cloned().collect();
        // The attributes that the filter is about are enough, as a rule; if they are not, the whole resources.
        let named: Vec<String> =
            paths(&trial.filter).iter().map(|path| path.name.to_ascii_lowercase()).collect();
        for keeps_all in [false, true] {
            let keeps = |name: &str| keeps_all || named.contains(&name.to_ascii_lowercase());
            // A part of a name may reach into the mark from either side.
            self.copies += 1;
            let (mark, number) = (self.fuzz.generator.mark(), self.copies);
            let word = if keeps_all { format!("f{number}{mark}") } else { format!("{mark}f{number}") };
            let judged = self.judge_copies(field, counterexample, trial, &rows, &word, &keeps).await;
            let Some(is_bad) = judged else { return };
            counterexample.again = Some(is_bad);
            if is_bad {
                return;
            }
        }
    }

    /// Judges a counterexample on copies of resources; none where they could not be made, or asked about.
    async fn judge_copies(
        &mut self,
        field: usize,
        counterexample: &mut Counterexample,
        trial: &Trial,
        rows: &[Row],
        word: &str,
        keeps: &dyn Fn(&str) -> bool,
    ) -> Option<bool> {
        let refs: Vec<_> = rows.iter().collect();
        let set = &self.fields[field].set;
        let fresh = self.maker().copies(set, &refs, word, keeps).await?;
        let pairs = pairs(rows, &fresh, &set.word);
        let filter = renamed(&trial.filter, &pairs, &set.word, word);
        // A spelling is kept where no literal has changed.
        let text = if filter == trial.filter { trial.text.clone() } else { filter.to_string() };
        let narrowed = self
            .narrowed(field, &text)
            .replace(&Value::from(set.word.as_str()).to_string(), &Value::from(word).to_string());
        let asked = ask(
            self.fuzz.target,
            &fresh.endpoint,
            &narrowed,
            self.fields[field].way,
            "judge it on fresh resources",
        )
        .await;
        let judge = Judge { data: &fresh, worlds: &self.fields[field].worlds, is_narrowed: true };
        let verdict = judge.judge(&filter, &asked);
        if matches!(verdict, Verdict::Nothing(_)) {
            return None;
        }
        let is_bad = verdict.is_bad();
        if is_bad {
            let worlds = self.fields[field].worlds.clone();
            counterexample.rows = self.questioned(&fresh, &worlds, &filter, &verdict);
            counterexample.filter = text;
            counterexample.verdict = verdict;
            counterexample.exchange = asked.exchange;
            counterexample.data = Some(fresh);
        }
        Some(is_bad)
    }

    /// Settles the dialect by a few probes. What contradicts every reading is hunted down as any other finding.
    pub(super) async fn calibrate(&mut self, field: usize) {
        let Field { set, .. } = &self.fields[field];
        let known: Vec<(String, Value)> =
            set.rows.iter().map(|row| (row.id.clone(), row.state.clone())).collect();
        let known: Vec<(&str, &Value)> = known.iter().map(|(id, state)| (id.as_str(), state)).collect();
        let probes = calibrate::probes(&set.definition, &known);
        for probe in probes {
            if !self.goes_on() {
                return;
            }
            let text = probe.filter.to_string();
            self.tell("settling the dialect");
            let asked =
                self.ask_all(field, std::slice::from_ref(&text), Way::Get, "settle the dialect").await;
            for asked in asked {
                self.heed(&asked);
                let Answer::List(found) = &asked.answer else { continue };
                if !found.is_complete {
                    continue;
                }
                let ids = found
                    .ids()
                    .filter_map(|id| known.iter().find(|(known, _)| known.eq_ignore_ascii_case(id)));
                let ids = ids.map(|(id, _)| *id).collect();
                let Field { set, worlds, .. } = &mut self.fields[field];
                // What contradicts all readings is found by the sweep, too, and one comparison at a time.
                if worlds.observe(&probe.filter, &set.definition, &known, &ids).is_err() {
                    self.notes.push(format!(
                        "a probe of the dialect at {} was answered as no reading of the RFCs has it; what it asks stays open",
                        set.endpoint
                    ));
                }
            }
        }
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

/// The texts of the original resources with those of their copies at the same places.
fn pairs(rows: &[Row], fresh: &DataSet, mark: &str) -> BTreeMap<String, String> {
    let mut pairs = BTreeMap::new();
    for (old, new) in rows.iter().zip(&fresh.rows) {
        paired(&old.state, &new.state, &mut pairs, 0);
        // What was only sent may be a part of what a filter asks for.
        paired(&marked(&old.sent, mark), &marked(&new.sent, &fresh.word), &mut pairs, 0);
    }
    pairs
}

fn paired(old: &Value, new: &Value, pairs: &mut BTreeMap<String, String>, depth: usize) {
    const DEEPEST: usize = 16;
    match (old, new) {
        (Value::String(old), Value::String(new)) if old != new => {
            pairs.entry(old.clone()).or_insert_with(|| new.clone());
        }
        (Value::Array(old), Value::Array(new)) if depth < DEEPEST => {
            old.iter().zip(new).for_each(|(old, new)| paired(old, new, pairs, depth + 1));
        }
        (Value::Object(old), Value::Object(new)) if depth < DEEPEST => {
            for (name, old) in old {
                if let Some(new) = new.get(name) {
                    paired(old, new, pairs, depth + 1);
                }
            }
        }
        _ => {}
    }
}

/// The filter with its literals as they are for the copies.
fn renamed(filter: &Filter, pairs: &BTreeMap<String, String>, mark: &str, word: &str) -> Filter {
    let part = |it: &Filter| renamed(it, pairs, mark, word);
    match filter {
        Filter::And(all) => Filter::And(all.iter().map(part).collect()),
        Filter::Or(all) => Filter::Or(all.iter().map(part).collect()),
        Filter::Not(inner) => Filter::Not(Box::new(part(inner))),
        Filter::ValuePath { path, filter } => {
            Filter::ValuePath { path: path.clone(), filter: Box::new(part(filter)) }
        }
        Filter::Compare { path, operator, value: crate::scim::filter::FilterValue::String(text) } => {
            let renamed = match pairs.get(text) {
                Some(new) => new.clone(),
                None => text.replace(mark, word).replace(&mark.to_uppercase(), &word.to_uppercase()),
            };
            Filter::Compare { path: path.clone(), operator: *operator, value: renamed.as_str().into() }
        }
        other => other.clone(),
    }
}
