//! Files of vectors: trials of one case that stand apart from it, since there are many and other tests read them too.
//!
//! Gives each case of vectors those of its file. What a vector means beyond its head is the business of its kind:
//! [`FilterVector`] for filters, [`PatchVector`] for PATCH requests. It refuses to know how vectors are run.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

use super::diagnostic::Diagnostic;
use super::model::{Requires, Suite};
use super::yaml;
use crate::outcome::Level;

/// One vector: what is reported of it, and what it says.
#[derive(Debug, Clone)]
pub struct Vector {
    /// Unique in its file; the trial is `suite/case[id]`.
    pub id: String,
    /// The behaviour in plain words.
    pub title: String,
    /// The requirement ids that it tests, beside the case's.
    pub spec: Vec<String>,
    /// Its level; without it, the strongest cited.
    pub level: Option<Level>,
    /// What it needs; otherwise it is skipped.
    pub requires: Vec<Requires>,
    /// All that stands in the file.
    pub said: Value,
}

/// What every vector has, whatever its kind.
#[derive(Debug, Deserialize)]
struct Head {
    id: String,
    title: String,
    #[serde(default)]
    spec: Vec<String>,
    level: Option<Level>,
    #[serde(default)]
    requires: Vec<Requires>,
}

/// A filter, and which members of a population it finds.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FilterVector {
    /// Its id.
    pub id: String,
    /// Vectors of one kind have one.
    pub group: String,
    /// `/Users`, `/Groups`, or `/` for both.
    pub endpoint: String,
    /// The filter; values in `${…}` are escaped as inside a JSON string.
    pub filter: String,
    /// The preferred outcome.
    pub expected: Found,
    /// Outcomes that a fair judge accepts too.
    #[serde(default)]
    pub also_accepted: Vec<Found>,
    /// The section that decides.
    pub section: String,
    /// Why the outcome is what it is.
    pub reasoning: String,
    /// The disputes of the RFCs that it touches.
    #[serde(default)]
    pub ambiguity: Vec<String>,
    /// Whether the RFC names the scimType of the refusal; otherwise it is usual.
    #[serde(default)]
    pub demands_scim_type: bool,
    /// See [`Vector`].
    #[serde(default)]
    pub title: String,
    /// See [`Vector`].
    #[serde(default)]
    pub spec: Vec<String>,
    /// See [`Vector`].
    pub level: Option<Level>,
    /// See [`Vector`].
    #[serde(default)]
    pub requires: Vec<Requires>,
}

/// What a filter finds. Exactly one of `ids` and `error`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Found {
    /// Members of the population, by name.
    pub ids: Option<Vec<String>>,
    /// A refusal.
    pub error: Option<Refused>,
}

/// A refusal of a request (RFC 7644 section 3.12).
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Refused {
    /// The status, as a text.
    pub status: String,
    /// The scimType.
    pub scim_type: Option<String>,
}

impl FilterVector {
    /// What a vector says as one about a filter.
    ///
    /// # Errors
    /// Why it is none.
    pub fn read(vector: &Vector) -> Result<FilterVector, String> {
        let read: FilterVector =
            serde_json::from_value(vector.said.clone()).map_err(|error| error.to_string())?;
        let is_one = |found: &Found| found.ids.is_some() != found.error.is_some();
        if !read.outcomes().all(is_one) {
            return Err("an outcome is either ids or an error".to_owned());
        }
        Ok(read)
    }

    /// The outcomes that are accepted, the preferred one first.
    pub fn outcomes(&self) -> impl Iterator<Item = &Found> {
        std::iter::once(&self.expected).chain(&self.also_accepted)
    }

    /// The members of the population that are named.
    pub fn members(&self) -> impl Iterator<Item = &str> {
        self.outcomes().filter_map(|found| found.ids.as_ref()).flatten().map(String::as_str)
    }
}

/// A PATCH request, and what may become of a resource by it.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PatchVector {
    /// Its id.
    pub id: String,
    /// Vectors of one kind have one.
    pub group: String,
    /// `User` or `Group`.
    pub resource_type: String,
    /// The name of the resource that it starts from.
    pub initial: String,
    /// That resource. The loader puts it here.
    pub initial_resource: Value,
    /// The operations, to which the envelope is added.
    pub operations: Option<Value>,
    /// The whole body, where that is what the vector is about.
    pub request: Option<Value>,
    /// The query of the request.
    pub query: Option<String>,
    /// The preferred outcome.
    pub expected: Patched,
    /// Outcomes that a fair judge accepts too.
    #[serde(default)]
    pub also_accepted: Vec<Patched>,
    /// Outcomes that are not right, and that clients survive.
    #[serde(default)]
    pub tolerated: Vec<Tolerated>,
    /// The section that decides.
    pub section: String,
    /// Why the outcome is what it is.
    pub reasoning: String,
    /// The disputes of the RFCs that it touches.
    #[serde(default)]
    pub ambiguity: Vec<String>,
    /// What has to be supported, in words; `requires` has it for the executor.
    pub condition: Option<String>,
    /// What else is to be known.
    pub note: Option<String>,
    /// Cases that send much the same. Where requests are scarce, they are enough.
    #[serde(default)]
    pub covered: Vec<String>,
    /// See [`Vector`].
    #[serde(default)]
    pub title: String,
    /// See [`Vector`].
    #[serde(default)]
    pub spec: Vec<String>,
    /// See [`Vector`].
    pub level: Option<Level>,
    /// See [`Vector`].
    #[serde(default)]
    pub requires: Vec<Requires>,
}

/// What becomes of a resource. Exactly one of its members.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Patched {
    /// The resource afterwards.
    pub resource: Option<Value>,
    /// Success, and the resource is as it was.
    pub unchanged: Option<bool>,
    /// A refusal, and the resource is as it was.
    pub error: Option<Refused>,
}

/// An outcome that is a warning. Exactly one of `unchanged`, `error` and `like`.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tolerated {
    /// Success, and the resource is as it was.
    pub unchanged: Option<bool>,
    /// A refusal.
    pub error: Option<Refused>,
    /// Success, and the resource is as if these had been the operations.
    pub like: Option<Value>,
    /// Whether the strict reading does not tolerate it.
    #[serde(default)]
    pub fails_if_strict: bool,
    /// Why it is not right, to follow what came.
    pub why: String,
}

impl PatchVector {
    /// What a vector says as one about a PATCH.
    ///
    /// # Errors
    /// Why it is none.
    pub fn read(vector: &Vector) -> Result<PatchVector, String> {
        let read: PatchVector =
            serde_json::from_value(vector.said.clone()).map_err(|error| error.to_string())?;
        if read.operations.is_some() == read.request.is_some() {
            return Err("a vector has either operations or a request".to_owned());
        }
        let is_one = |it: &Patched| {
            [it.resource.is_some(), it.unchanged == Some(true), it.error.is_some()]
                .iter()
                .filter(|it| **it)
                .count()
                == 1
        };
        if !read.outcomes().all(is_one) {
            return Err("an outcome is either a resource, or unchanged, or an error".to_owned());
        }
        let is_one = |it: &Tolerated| {
            [it.like.is_some(), it.unchanged == Some(true), it.error.is_some()]
                .iter()
                .filter(|it| **it)
                .count()
                == 1
        };
        if !read.tolerated.iter().all(is_one) {
            return Err(
                "what is tolerated is either unchanged, or an error, or like other operations".to_owned()
            );
        }
        let status = |it: &Refused| it.status.parse::<u16>().is_ok_and(|it| (400..600).contains(&it));
        let errors = read.errors().chain(read.tolerated.iter().filter_map(|it| it.error.as_ref()));
        if !errors.into_iter().all(status) {
            return Err("the status of an error is one".to_owned());
        }
        Ok(read)
    }

    /// The outcomes that are accepted, the preferred one first.
    pub fn outcomes(&self) -> impl Iterator<Item = &Patched> {
        std::iter::once(&self.expected).chain(&self.also_accepted)
    }

    /// The refusals that are accepted, the preferred one first.
    pub fn errors(&self) -> impl Iterator<Item = &Refused> {
        self.outcomes().filter_map(|it| it.error.as_ref())
    }

    /// Whether a success is accepted.
    pub fn may_succeed(&self) -> bool {
        self.outcomes().any(|it| it.error.is_none())
    }
}

/// The files that there are, read when a case first asks for them.
pub(super) struct Files {
    sources: BTreeMap<String, (String, Cow<'static, str>)>,
    read: BTreeMap<String, Vec<Vector>>,
}

impl Files {
    /// Files by their name, each with what people call it and its text.
    pub(super) fn new(files: impl Iterator<Item = (String, String, Cow<'static, str>)>) -> Files {
        let sources = files.map(|(name, shown, text)| (name, (shown, text))).collect();
        Files { sources, read: BTreeMap::new() }
    }

    pub(super) fn names(&self) -> Vec<String> {
        self.sources.keys().cloned().collect()
    }

    /// Gives each case of vectors its trials. A file that is not there is for lint to report.
    pub(super) fn give_to(&mut self, suite: &mut Suite, diagnostics: &mut Vec<Diagnostic>) {
        for vectors in suite.cases.iter_mut().filter_map(|case| case.vectors.as_mut()) {
            if !self.read.contains_key(&vectors.file) {
                let read = self.file(&vectors.file).unwrap_or_else(|diagnostic| {
                    diagnostics.push(*diagnostic);
                    Vec::new()
                });
                self.read.insert(vectors.file.clone(), read);
            }
            let all = self.read.get(&vectors.file).map(Vec::as_slice).unwrap_or_default();
            let is_known = |id: &String| all.iter().any(|vector| vector.id == *id);
            vectors.unknown =
                vectors.without.iter().cloned().enumerate().filter(|(_, id)| !is_known(id)).collect();
            vectors.trials =
                all.iter().filter(|vector| !vectors.without.contains(&vector.id)).cloned().collect();
        }
    }

    fn file(&self, name: &str) -> Result<Vec<Vector>, Box<Diagnostic>> {
        let Some((shown, text)) = self.sources.get(name) else { return Ok(Vec::new()) };
        let document: Value = yaml::read(shown, text)?;
        let trouble = |why: String| Box::new(Diagnostic::about_file(shown.clone(), why, None));
        let vectors = document
            .get("vectors")
            .and_then(Value::as_array)
            .ok_or_else(|| trouble("a file of vectors has `vectors`".to_owned()))?;
        let initial = document.get("initial_resources");
        vectors
            .iter()
            .enumerate()
            .map(|(index, said)| {
                let mut said = said.clone();
                let named =
                    said.get("initial").and_then(Value::as_str).and_then(|name| initial?.get(name)).cloned();
                if let (Some(resource), Some(members)) = (named, said.as_object_mut()) {
                    members.insert("initial_resource".to_owned(), resource);
                }
                let head: Head = serde_json::from_value(said.clone())
                    .map_err(|error| trouble(format!("vectors[{index}]: {error}")))?;
                let Head { id, title, spec, level, requires } = head;
                Ok(Vector { id, title, spec, level, requires, said })
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn suite(without: &str) -> Suite {
        let case = format!(
            "{{id: c, title: t, population: core, vectors: {{kind: filter, file: some, without: [{without}]}}}}"
        );
        yaml::read("s.yaml", &format!("suite: s\ntitle: t\ncases: [{case}]")).unwrap()
    }

    fn given(text: &'static str, without: &str) -> (Suite, Vec<Diagnostic>) {
        let mut suite = suite(without);
        let mut diagnostics = Vec::new();
        let files = [("some".to_owned(), "some.yaml".to_owned(), Cow::Borrowed(text))];
        Files::new(files.into_iter()).give_to(&mut suite, &mut diagnostics);
        (suite, diagnostics)
    }

    #[test]
    fn a_case_has_the_vectors_of_its_file_but_for_those_left_out() {
        let text =
            "vectors: [{id: a, title: x, spec: [r]}, {id: b, title: y, level: may, requires: [patch]}]";
        let (suite, diagnostics) = given(text, "a, z");
        assert!(diagnostics.is_empty());
        let vectors = suite.cases[0].vectors.as_ref().unwrap();
        assert_eq!(suite.cases[0].trial_ids().collect::<Vec<_>>(), ["b"]);
        assert_eq!(vectors.unknown, [(1, "z".to_owned())]);
        assert_eq!(vectors.trials[0].level, Some(Level::May));
        assert_eq!(vectors.trials[0].requires.len(), 1);
    }

    #[test]
    fn a_file_that_is_none_is_said_to_be() {
        for text in ["entries: []", "vectors: [{id: a}]", "vectors: [{id: a, title: x, level: most}]", "a: ["]
        {
            let (_, diagnostics) = given(text, "");
            assert_eq!(diagnostics.len(), 1, "{text}");
        }
    }

    #[test]
    fn a_patch_vector_has_its_resource_and_sound_outcomes() {
        let vector = |rest: &str| {
            let text = format!(
                "initial_resources: {{min: {{userName: a}}}}\nvectors: [{{id: a, title: x, group: g, resource_type: User, \
                 initial: min, section: s, reasoning: r, {rest}}}]"
            );
            let text: &'static str = Box::leak(text.into_boxed_str());
            let (suite, diagnostics) = given(text, "");
            assert!(diagnostics.is_empty(), "{diagnostics:?}");
            PatchVector::read(&suite.cases[0].vectors.as_ref().unwrap().trials[0])
        };
        let read =
            vector("operations: [], expected: {unchanged: true}, also_accepted: [{error: {status: '400'}}]");
        let read = read.unwrap();
        assert_eq!(read.initial_resource, json!({"userName": "a"}));
        assert!(read.may_succeed() && read.errors().count() == 1);
        for wrong in [
            "expected: {unchanged: true}",
            "operations: [], expected: {}",
            "operations: [], expected: {unchanged: true, error: {status: '400'}}",
            "operations: [], expected: {error: {status: '200'}}",
            "operations: [], expected: {unchanged: true}, tolerated: [{why: x}]",
        ] {
            assert!(vector(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn an_outcome_is_ids_or_an_error() {
        let vector = |expected: Value| {
            let said = json!({
                "id": "a", "title": "t", "group": "eq", "endpoint": "/Users", "filter": "title pr",
                "expected": expected, "section": "x", "reasoning": "y",
            });
            let title = String::new();
            FilterVector::read(&Vector {
                id: "a".into(),
                title,
                spec: vec![],
                level: None,
                requires: vec![],
                said,
            })
        };
        assert_eq!(vector(json!({"ids": ["u1"]})).unwrap().members().collect::<Vec<_>>(), ["u1"]);
        assert!(vector(json!({"error": {"status": "400", "scimType": "invalidFilter"}})).is_ok());
        assert!(vector(json!({})).is_err());
        assert!(vector(json!({"ids": [], "error": {"status": "400"}})).is_err());
        assert!(vector(json!({"id": []})).is_err());
    }
}
