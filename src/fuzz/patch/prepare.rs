//! What comes before the first PATCH: a resource of each type that has whatever can be written, some that others refer
//! to, and one beside that nobody patches.

use serde_json::{Value, json};

use super::hunt::{Field, Hunt};
use super::play::Stage;
use super::{Fuzz, FuzzError};
use crate::fuzz::Ended;
use crate::fuzz::strategy::data::{MARK, Oddity};
use crate::fuzz::strategy::patch::{Place, Stock, places, resources};
use crate::scim::definition::ResourceDefinition;
use crate::suite::model::{Capability, Requires};

/// How many resources others refer to.
const REFERENCES: usize = 6;
/// The requests that one field takes before its first PATCH.
const AROUND: u64 = 12;

impl Hunt<'_> {
    /// Makes the resources.
    pub(super) async fn prepare(&mut self) -> Result<(), FuzzError> {
        let Fuzz { target, probe, .. } = self.fuzz;
        let mut references = Vec::new();
        let mut trouble: Option<FuzzError> = None;
        for kind in self.fuzz.kinds() {
            if !target.can_spare(AROUND * 2) {
                if self.fields.is_empty() {
                    let note =
                        "the budget of requests allows no resource to patch: --requests 200 is a beginning";
                    self.notes.push(note.to_owned());
                    self.course.ended = Some(Ended::BudgetSpent);
                }
                break;
            }
            let Some(definition) = probe.schemas.definition(&kind.name) else { continue };
            self.tell(&format!("making resources at {}", definition.endpoint));
            if self.fields.is_empty() {
                references = self.references(&definition).await;
            }
            match self.field(&definition, references.clone()).await {
                Ok(field) => self.fields.push(field),
                Err(_) if target.interrupted() => self.course.ended = Some(Ended::Interrupted),
                Err(why) => {
                    let endpoint = definition.endpoint.clone();
                    let error = FuzzError::NoResource { endpoint, why };
                    if !self.fields.is_empty() {
                        self.notes.push(error.to_string());
                    }
                    trouble.get_or_insert(error);
                }
            }
            if self.course.ended.is_some() {
                return Ok(());
            }
        }
        match trouble {
            Some(error) if self.fields.is_empty() => return Err(error),
            _ if self.fields.is_empty() && self.course.ended.is_none() => return Err(FuzzError::NoResources),
            _ => {}
        }
        self.patch_there().await
    }

    /// Resources that others may refer to, with nothing but what is required.
    async fn references(&mut self, definition: &ResourceDefinition) -> Vec<String> {
        let Fuzz { target, .. } = self.fuzz;
        let fuzz = self.fuzz;
        let stage = Stage::of(fuzz, definition);
        let bodies: Vec<(String, Value)> = (0..REFERENCES)
            .map(|_| {
                self.words += 1;
                (stage.endpoint().to_owned(), stage.body(&bare(definition), &self.word(self.words)))
            })
            .collect();
        let planted = match target.bulk() {
            Some(_) => target.plant(&bodies, crate::fuzz::ORIGIN).await.unwrap_or_default(),
            None => Vec::new(),
        };
        let mut ids: Vec<String> = planted.into_iter().flatten().map(|grown| grown.id).collect();
        // Where each costs a request, three have to do.
        while ids.len() < 3 && target.can_spare(AROUND) {
            self.words += 1;
            let word = self.word(self.words);
            match stage.make(&bare(definition), &word, "make a resource to refer to").await {
                Ok(specimen) => ids.push(specimen.id),
                Err(_) => break,
            }
        }
        ids
    }

    async fn field(
        &mut self,
        definition: &ResourceDefinition,
        references: Vec<String>,
    ) -> Result<Field, String> {
        let fuzz = self.fuzz;
        let stage = Stage::of(fuzz, definition);
        let stock =
            Stock { domain: self.fuzz.generator.domain().to_owned(), references, oddity: Oddity::Tame };
        let all = places(definition, &stock);
        let is_core = |it: &Place| it.urn.is_none();
        let is_plain = |it: &Place| it.urn.is_none() && it.attribute.sub_attributes.is_empty();
        let some = [
            all.clone(),
            all.iter().filter(|it| is_core(it)).cloned().collect(),
            all.iter().filter(|it| is_plain(it)).cloned().collect(),
            all.iter().filter(|it| it.attribute.required).cloned().collect(),
        ];
        let mut why = "it declares nothing that a client writes".to_owned();
        let mut tried = 0;
        for places in some {
            if places.len() == tried || places.is_empty() {
                continue;
            }
            tried = places.len();
            let mut dice = self.dice(&format!("resource {}", definition.name));
            let strategy = resources(definition, places.clone(), stock.clone());
            let Some(whole) = dice.draw(&strategy) else { continue };
            self.words += 1;
            let specimen = match stage.make(&whole, &self.word(self.words), "make a resource to patch").await
            {
                Ok(specimen) => specimen,
                Err(refusal) => {
                    why = refusal;
                    continue;
                }
            };
            // What does not come back is left alone.
            let places: Vec<Place> =
                places.into_iter().filter(|place| place.value(&specimen.state).is_some()).collect();
            self.words += 1;
            let beside =
                stage.make(&whole, &self.word(self.words), "make a resource that stays as it is").await;
            return Ok(Field {
                base: stage.neutral(&specimen),
                definition: definition.clone(),
                odd: Stock { oddity: Oddity::Odd, ..stock.clone() },
                stock,
                places,
                specimen,
                others: Vec::new(),
                bystander: beside.ok(),
                together: true,
                blind: Default::default(),
                recent: Vec::new(),
            });
        }
        Err(why)
    }

    /// Whether there is PATCH at all: a service provider that is not said to have it may refuse it.
    async fn patch_there(&mut self) -> Result<(), FuzzError> {
        let patch = Requires::Capability(Capability::Patch);
        let Err(evidence) = self.fuzz.probe.capabilities.check(&patch) else { return Ok(()) };
        let Some(body) =
            self.fields.first().and_then(|field| super::phases::simplest(field).into_iter().next())
        else {
            return Ok(());
        };
        let played = self.send_one(0, &body).await;
        match played.answer {
            super::play::Answer::Refused { status, .. } => {
                Err(FuzzError::NoPatch(format!("{evidence}, and a PATCH is answered with {status}")))
            }
            _ => Ok(()),
        }
    }

    /// The word of the resource of that number: no word is a part of another one.
    pub(super) fn word(&self, number: u32) -> String {
        format!("{}p{number}x", self.fuzz.generator.mark())
    }
}

/// A resource that has a name, and nothing else.
fn bare(definition: &ResourceDefinition) -> Value {
    let mut resource = json!({"schemas": [definition.schema.id]});
    if definition.top_attribute("userName").is_some() {
        resource["userName"] = MARK.into();
    } else if definition.top_attribute("displayName").is_some() {
        resource["displayName"] = MARK.into();
    }
    resource
}
