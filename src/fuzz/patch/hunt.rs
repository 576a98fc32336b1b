//! The state of a hunt, and what every phase does with it: play, judge, confirm, and put what was found to its cause.

use std::collections::BTreeSet;

use serde_json::Value;

use super::features::features;
use super::play::{Answer, Played, Specimen, Stage};
use super::verdict::{Judgement, Verdict, Wants, judge};
use super::{Counterexample, Fuzz, FuzzError, Fuzzed, Property, operations};
use crate::fuzz::Ended;
use crate::fuzz::cause::{Causes, Feature, Features};
use crate::fuzz::course::{Course, Heard};
use crate::fuzz::dice::Dice;
use crate::fuzz::strategy::patch::{Place, Stock};
use crate::fuzz::tally::Tally;
use crate::oracle::written::Grade;
use crate::scim::definition::ResourceDefinition;

/// So many requests are kept for shrinking what is found late.
pub(super) const FOR_SHRINKING: u64 = 24;
/// Of one PATCH so many operations are hunted down.
const CULPRITS: usize = 3;

/// A resource type that is patched.
pub(super) struct Field {
    pub(super) definition: ResourceDefinition,
    pub(super) stock: Stock,
    /// The same, with texts that servers stumble over.
    pub(super) odd: Stock,
    /// The attributes that may be written, and come back.
    pub(super) places: Vec<Place>,
    /// A resource that has all of them.
    pub(super) base: Value,
    /// The resource that is patched.
    pub(super) specimen: Specimen,
    /// Those of the other clients.
    pub(super) others: Vec<Specimen>,
    /// One that nobody patches.
    pub(super) bystander: Option<Specimen>,
    /// Whether several operations may go into one PATCH.
    pub(super) together: bool,
    /// Attributes that any PATCH harms, as is known: nothing more is said of them.
    pub(super) blind: BTreeSet<String>,
    /// What was sent since the bystander was last read.
    pub(super) recent: Vec<Value>,
}

/// A PATCH that is going to be sent.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Trial {
    pub(super) property: Property,
    pub(super) body: Value,
    pub(super) wants: Wants,
    pub(super) projected: bool,
}

impl Trial {
    pub(super) fn carried(property: Property, body: Value) -> Trial {
        Trial { property, body, wants: Wants::Carried, projected: false }
    }
}

pub(super) struct Hunt<'a> {
    pub(super) fuzz: &'a Fuzz<'a>,
    pub(super) fields: Vec<Field>,
    pub(super) causes: Causes<Counterexample>,
    pub(super) tally: Tally<Property>,
    pub(super) notes: Vec<String>,
    pub(super) mended: Vec<String>,
    pub(super) course: Course,
    /// How many resources have been made.
    pub(super) words: u32,
    /// Whether it is known that answers are wrong, so that nothing more is said of them.
    pub(super) deaf: bool,
    /// Whether it was looked at whether any PATCH is right at all.
    pub(super) controlled: bool,
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
        words: 0,
        deaf: false,
        controlled: false,
    };
    hunt.prepare().await?;
    if hunt.course.ended.is_none() {
        hunt.phases().await;
    }
    let attributes = hunt.fields.iter().map(|field| (field.definition.endpoint.clone(), field.places.len()));
    Ok(Fuzzed {
        attributes: attributes.collect(),
        causes: hunt.causes.into_all(),
        tally: hunt.tally,
        notes: hunt.notes,
        ended: hunt.course.ended.unwrap_or(Ended::Done),
        mended: hunt.mended,
    })
}

impl Hunt<'_> {
    pub(super) fn dice(&self, stream: &str) -> Dice {
        Dice::new(self.fuzz.options.seed, &format!("patch {stream}"))
    }

    pub(super) fn stage(&self, field: usize) -> Stage<'_> {
        Stage::of(self.fuzz, &self.fields[field].definition)
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

    /// Whether a known cause explains what would come of an operation.
    pub(super) fn is_explained(&mut self, features: &Features) -> bool {
        let explained = self.causes.explains(features).is_some();
        self.tally.left_alone += u64::from(explained);
        explained
    }

    /// Takes note of whether an answer says that it is no use to go on.
    pub(super) fn heed(&mut self, played: &Played) {
        let answered = played.exchange.as_ref().is_some_and(|exchange| exchange.answer.is_ok());
        self.tally.unjudged += u64::from(matches!(played.answer, Answer::Nothing(_)));
        let heard = match &played.answer {
            Answer::Nothing(why) => Heard::Nothing(why),
            Answer::Broken(why) => Heard::Broken(why),
            Answer::Done { .. } | Answer::Refused { .. } => Heard::Something,
        };
        self.course.heed(self.fuzz.target, answered, heard);
    }

    /// Judges what was played, but for what is known anyhow.
    pub(super) fn judge(&self, field: usize, played: &Played, wants: Wants) -> Judgement {
        let Field { definition, blind, .. } = &self.fields[field];
        let mut judgement = judge(played, wants, definition);
        let is_seen = |path: &str| !blind.iter().any(|known| *known == top(path));
        let is_nothing_left = match &mut judgement.verdict {
            Verdict::Wrong(found) | Verdict::Changed(found) => {
                found.retain(|it| is_seen(&it.path));
                found.iter().all(|it| it.grade == Grade::Note)
            }
            Verdict::Misreported(_) => self.deaf,
            _ => false,
        };
        if is_nothing_left {
            judgement.verdict = Verdict::Right;
        }
        judgement
    }

    /// Sends one PATCH to the resource of a field, and reads it.
    pub(super) async fn send_one(&mut self, field: usize, body: &Value) -> Played {
        let mut specimen = self.fields[field].specimen.clone();
        let played = self.stage(field).play(&mut specimen, body, false, "see whether there is PATCH").await;
        self.fields[field].specimen = specimen;
        played
    }

    /// Plays a trial on the resource of a field, and takes note of what comes of it.
    pub(super) async fn try_it(&mut self, field: usize, trial: &Trial, reason: &str) -> bool {
        self.tell(reason);
        let mut specimen = self.fields[field].specimen.clone();
        let word = specimen.word.clone();
        let played = self.stage(field).play(&mut specimen, &trial.body, trial.projected, reason).await;
        self.fields[field].specimen = specimen;
        self.fields[field].recent.push(trial.body.clone());
        self.note(field, trial, played, &word).await
    }

    /// Takes note of what was played; what is bad is hunted down. Whether it was right.
    pub(super) async fn note(&mut self, field: usize, trial: &Trial, played: Played, word: &str) -> bool {
        self.heed(&played);
        let judgement = self.judge(field, &played, trial.wants);
        match &judgement.verdict {
            Verdict::Nothing(_) => {
                if !matches!(played.answer, Answer::Nothing(_)) {
                    self.tally.unjudged += 1;
                }
                true
            }
            Verdict::Right => {
                self.tally.judge(trial.property);
                let definition = &self.fields[field].definition;
                let right: Vec<Features> = operations(&trial.body)
                    .iter()
                    .map(|operation| features(std::slice::from_ref(operation), &played.before, definition))
                    .collect();
                if trial.wants == Wants::Carried {
                    right.iter().for_each(|it| self.causes.was_right(it));
                }
                true
            }
            _ => {
                self.tally.judge(trial.property);
                let before = self.fuzz.target.requests_made();
                let mut left = judgement;
                for _ in 0..CULPRITS {
                    if !self.hunt_down(field, trial, &played, &left, word).await {
                        break;
                    }
                    // What was found may explain the rest.
                    left = self.judge(field, &played, trial.wants);
                    if matches!(left.verdict, Verdict::Right) {
                        break;
                    }
                }
                self.tally.shrinking += self.fuzz.target.requests_made() - before;
                // What was found may have cost the resource what others need.
                if self.goes_on() {
                    self.renew(field).await;
                }
                false
            }
        }
    }

    /// Makes a new resource to patch, as the first one was.
    pub(super) async fn renew(&mut self, field: usize) {
        self.words += 1;
        let word = self.word(self.words);
        let made =
            self.stage(field).make(&self.fields[field].base, &word, "make another resource to patch").await;
        match made {
            Ok(specimen) => self.fields[field].specimen = specimen,
            Err(_) if self.fuzz.target.interrupted() => {}
            Err(why) => {
                let note = format!(
                    "no other resource could be made at {}: {why}",
                    self.fields[field].definition.endpoint
                );
                if !self.notes.contains(&note) {
                    self.notes.push(note);
                }
            }
        }
    }

    /// Puts a counterexample to its cause.
    pub(super) fn put_to_cause(&mut self, counterexample: Counterexample) {
        let features = counterexample.features.clone();
        let harm = counterexample.judgement.harm();
        self.causes.add(&features, harm, counterexample);
        let is_several =
            |it: &Feature| matches!(it, Feature::Connective(what) if what == "several operations");
        if self.causes.all().iter().any(|cause| cause.features.iter().any(is_several))
            && self.fields.iter().any(|field| field.together)
        {
            self.fields.iter_mut().for_each(|field| field.together = false);
            let note =
                "several operations in one PATCH are not carried out right, so each was sent by itself";
            self.notes.push(note.to_owned());
        }
    }
}

/// The attribute at the top of a path, folded: `emails` of `emails[0].type`, `urn:…:User:department` as a whole.
pub(super) fn top(path: &str) -> String {
    let (urn, name) = match path.rsplit_once(':') {
        Some((urn, name)) if path.starts_with("urn:") => (format!("{urn}:"), name),
        _ => (String::new(), path),
    };
    let end = name.find(['.', '[']).unwrap_or(name.len());
    format!("{urn}{}", &name[..end]).to_ascii_lowercase()
}
