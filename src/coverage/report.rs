//! The report on coverage: counts by document, section and level, the aims, and each requirement with its state.
//!
//! All that any format prints is in here; [`super::text`] and [`super::markdown`] only lay it out.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Serialize;

use super::citation::{Citation, Citations};
use super::proof::{Proof, Proofs};
use super::state::{self, State};
use super::tally::{AIMS, APART, CORE, Tally};
use crate::outcome::Level;
use crate::requirement::{Actor, Because, Catalogue, Observable, Requirement, section_link};

/// The version of the format.
const VERSION: u32 = 1;

/// Which requirements a report is about. Nothing chosen means all.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Selection {
    /// Those of these documents.
    pub documents: Vec<String>,
    /// Those of these sections and of the sections below them.
    pub sections: Vec<String>,
    /// Those of these levels.
    pub levels: Vec<Level>,
    /// Of the requirements, not of the counts: those in these states.
    pub states: Vec<State>,
}

impl Selection {
    /// Whether it leaves the counts whole.
    pub fn is_whole(&self) -> bool {
        self.documents.is_empty() && self.sections.is_empty() && self.levels.is_empty()
    }

    fn counts(&self, requirement: &Requirement) -> bool {
        let in_section = |section: &String| {
            let below = requirement.section.strip_prefix(section.as_str());
            below.is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
        };
        let of_document = |document: &String| document.eq_ignore_ascii_case(&requirement.document);
        (self.documents.is_empty() || self.documents.iter().any(of_document))
            && (self.sections.is_empty() || self.sections.iter().any(in_section))
            && (self.levels.is_empty() || self.levels.contains(&requirement.level))
    }

    fn lists(&self, state: State) -> bool {
        self.states.is_empty() || self.states.contains(&state)
    }
}

/// What a service provider is asked, and how far that is tested.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    /// The version of this format.
    pub version: u32,
    /// The aims and what is reached of them; none where only a part was asked for.
    pub aims: Vec<Reached>,
    /// The documents: first those that the aims are about, then those that they lean on, then what is apart.
    pub documents: Vec<DocumentCoverage>,
    /// The requirements in the order of the documents.
    pub requirements: Vec<Entry>,
}

/// An aim, and what is reached of it.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Reached {
    /// The level that it is about.
    pub level: Level,
    /// How well what it is about can be observed.
    pub observable: Observable,
    /// The share that is to be covered, in percent.
    pub percent: f64,
    /// The counts, over the documents that the aims are about.
    pub tally: Tally,
    /// The share that is covered, in percent.
    pub covered: Option<f64>,
    /// Whether that is enough.
    pub met: bool,
}

/// What part a document plays.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// The aims are about it.
    Core,
    /// The others stand on it.
    LeanedOn,
    /// It is reported for itself.
    Apart,
}

/// The counts of one document.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct DocumentCoverage {
    /// What the ids of its requirements begin with: `RFC7644`.
    pub id: String,
    /// Its title.
    pub title: String,
    /// Where it can be read.
    pub link: String,
    /// What part it plays.
    pub role: Role,
    /// The counts by level and by how well they can be observed.
    pub counts: Vec<Count>,
    /// The same by section.
    pub sections: Vec<SectionCoverage>,
}

/// The counts of one section.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SectionCoverage {
    /// Its number: `3.5.2.3`.
    pub section: String,
    /// What it is called.
    pub title: String,
    /// Where it can be read.
    pub link: String,
    /// The counts by level and by how well they can be observed.
    pub counts: Vec<Count>,
}

/// The counts of one level.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Count {
    /// The level.
    pub level: Level,
    /// How well they can be observed.
    pub observable: Observable,
    /// How many there are.
    pub tally: Tally,
    /// The share of those that a case could test and that are covered, in percent; none where there are none.
    pub covered: Option<f64>,
}

/// One requirement, and how far it is tested.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Entry {
    /// Its id: `RFC7644-3.5.2.3-08`.
    pub id: String,
    /// Its document.
    pub document: String,
    /// Its section.
    pub section: String,
    /// How strongly it binds.
    pub level: Level,
    /// The document's own word for that.
    pub keyword: String,
    /// How well it can be observed.
    pub observable: Observable,
    /// What is asked.
    pub sentence: String,
    /// What has to be there for it to apply.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub condition: Option<String>,
    /// Where it can be read.
    pub link: String,
    /// How far it is tested.
    pub state: State,
    /// The kind of reason why it is not, where there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub because: Option<Because>,
    /// The reason in words, where there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The cases, rows and rules that cite it.
    pub cases: Vec<String>,
    /// What shows that it is tested.
    pub proofs: Vec<Proof>,
}

impl DocumentCoverage {
    /// The number that people know it by: `RFC 7644`.
    pub fn name(&self) -> String {
        self.id.replacen("RFC", "RFC ", 1)
    }

    /// The title without what all documents of SCIM say: `Protocol`.
    pub fn short_title(&self) -> String {
        let whole = "System for Cross-domain Identity Management";
        match self.title.split_once(": ") {
            Some((before, after)) if before == whole => after.to_owned(),
            _ => {
                let named = format!("{whole} (SCIM)");
                // As its authors spelt it in one title.
                let other = named.replacen("System for", "System of", 1);
                self.title.replacen(&named, "SCIM", 1).replacen(&other, "SCIM", 1)
            }
        }
    }
}

/// The counts of one level in some counts, whatever can be observed of them.
pub fn of_level(counts: &[Count], level: Level) -> Tally {
    let mut tally = Tally::default();
    counts.iter().filter(|count| count.level == level).for_each(|count| tally.add(&count.tally));
    tally
}

/// The report on what is selected of the catalogue.
pub fn report(
    catalogue: &Catalogue,
    citations: &Citations,
    proofs: &Proofs,
    selection: &Selection,
) -> Report {
    let bound = catalogue.requirements().filter(|one| one.actor != Actor::Client);
    let all: Vec<(&Requirement, State)> = bound
        .map(|one| (one, State::of(one, citations.of_id(&one.id), proofs.of(&one.id))))
        .filter(|(one, _)| selection.counts(one))
        .collect();
    let mut documents: Vec<DocumentCoverage> =
        catalogue.documents().filter_map(|code| document(catalogue, code, &all)).collect();
    documents.sort_by_key(|document| document.role);
    let order: Vec<String> = documents.iter().map(|document| document.id.clone()).collect();
    let mut requirements: Vec<Entry> = all
        .iter()
        .filter(|(_, state)| selection.lists(*state))
        .map(|(one, state)| entry(one, *state, citations.of_id(&one.id), proofs.of(&one.id)))
        .collect();
    requirements.sort_by_key(|entry| order.iter().position(|id| *id == entry.document));
    let aims = if selection.is_whole() { aims(&documents) } else { Vec::new() };
    Report { version: VERSION, aims, documents, requirements }
}

fn aims(documents: &[DocumentCoverage]) -> Vec<Reached> {
    let counts: Vec<&Count> = documents
        .iter()
        .filter(|document| document.role == Role::Core)
        .flat_map(|document| &document.counts)
        .collect();
    AIMS.iter()
        .map(|aim| {
            let mut tally = Tally::default();
            counts
                .iter()
                .filter(|count| count.level == aim.level && count.observable == aim.observable)
                .for_each(|count| tally.add(&count.tally));
            let covered = tally.percent();
            Reached {
                level: aim.level,
                observable: aim.observable,
                percent: aim.percent,
                tally,
                covered,
                met: covered.is_none_or(|covered| covered >= aim.percent),
            }
        })
        .collect()
}

/// The counts of a document; `None` where nothing of it is selected.
fn document(catalogue: &Catalogue, code: &str, all: &[(&Requirement, State)]) -> Option<DocumentCoverage> {
    let own: Vec<(&Requirement, State)> =
        all.iter().copied().filter(|(one, _)| one.document == code).collect();
    if own.is_empty() {
        return None;
    }
    let mut sections: Vec<&str> = Vec::new();
    for (one, _) in &own {
        if !sections.contains(&one.section.as_str()) {
            sections.push(&one.section);
        }
    }
    let (title, link) = catalogue.about(code).unwrap_or_default();
    Some(DocumentCoverage {
        id: code.to_owned(),
        title: title.to_owned(),
        link: link.to_owned(),
        role: match code {
            APART => Role::Apart,
            code if CORE.contains(&code) => Role::Core,
            _ => Role::LeanedOn,
        },
        counts: counts(own.iter().copied()),
        sections: sections
            .into_iter()
            .map(|section| SectionCoverage {
                section: section.to_owned(),
                title: catalogue.section_title(code, section).unwrap_or_default().to_owned(),
                link: section_link(code, section),
                counts: counts(own.iter().copied().filter(|(one, _)| one.section == section)),
            })
            .collect(),
    })
}

/// Counts by level, the strongest first, and by how well they can be observed.
fn counts<'r>(requirements: impl Iterator<Item = (&'r Requirement, State)>) -> Vec<Count> {
    let mut tallies: BTreeMap<(std::cmp::Reverse<Level>, Observable), Tally> = BTreeMap::new();
    for (one, state) in requirements {
        tallies.entry((std::cmp::Reverse(one.level), one.observable)).or_default().count(state);
    }
    tallies
        .into_iter()
        .map(|((level, observable), tally)| Count {
            level: level.0,
            observable,
            covered: tally.percent(),
            tally,
        })
        .collect()
}

fn entry(one: &Requirement, state: State, citations: &[Citation], proofs: &[Proof]) -> Entry {
    let (because, reason) = state::reason(one, state);
    Entry {
        id: one.id.clone(),
        document: one.document.clone(),
        section: one.section.clone(),
        level: one.level,
        keyword: one.keyword.clone(),
        observable: one.observable,
        sentence: one.sentence.clone(),
        condition: one.condition.clone(),
        link: one.link(),
        state,
        because,
        reason: reason.map(str::to_owned),
        cases: citations.iter().map(Citation::id).collect(),
        proofs: proofs.to_vec(),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::LazyLock;

    use super::*;
    use crate::coverage::tally::percent_text;
    use crate::suite::Library;

    fn all(selection: &Selection) -> Report {
        static CITATIONS: LazyLock<Citations> =
            LazyLock::new(|| Citations::of(&Library::embedded().unwrap()));
        report(Catalogue::embedded(), &CITATIONS, Proofs::embedded(), selection)
    }

    #[test]
    fn every_requirement_that_binds_the_server_is_counted_once_and_those_of_clients_are_not() {
        let report = all(&Selection::default());
        let bound = Catalogue::embedded().requirements().filter(|one| one.actor != Actor::Client).count();
        assert_eq!(report.requirements.len(), bound);
        let sum = |counts: &[Count]| counts.iter().map(|count| count.tally.asked).sum::<u32>();
        let total: u32 = report.documents.iter().map(|document| sum(&document.counts)).sum();
        assert_eq!(total as usize, bound);
        for document in &report.documents {
            let of_sections: u32 = document.sections.iter().map(|section| sum(&section.counts)).sum();
            assert_eq!(of_sections, sum(&document.counts), "{}", document.id);
        }
        let roles: Vec<Role> = report.documents.iter().map(|document| document.role).collect();
        assert!(roles.is_sorted() && roles.last() == Some(&Role::Apart), "{roles:?}");
    }

    #[test]
    fn a_selection_narrows_counts_by_document_section_and_level_and_the_list_by_state() {
        let selection = Selection {
            documents: vec!["rfc7644".into()],
            sections: vec!["3.5".into()],
            levels: vec![Level::Must],
            states: vec![State::Missing, State::Cited],
        };
        let report = all(&selection);
        assert!(report.aims.is_empty(), "an aim is about the whole");
        assert_eq!(report.documents.len(), 1);
        let sections: Vec<&str> =
            report.documents[0].sections.iter().map(|section| section.section.as_str()).collect();
        assert!(sections.contains(&"3.5.2.3") && sections.iter().all(|it| it.starts_with("3.5")));
        assert!(report.documents[0].counts.iter().all(|count| count.level == Level::Must));
        assert!(report.requirements.iter().all(|one| matches!(one.state, State::Missing | State::Cited)));
        let states = Selection { states: Vec::new(), ..selection };
        assert!(all(&states).requirements.len() > report.requirements.len());
        assert_eq!(all(&states).documents, report.documents);
    }

    #[test]
    fn what_is_reached_does_not_fall_back() {
        for (aim, reached) in AIMS.iter().zip(all(&Selection::default()).aims) {
            let missing: Vec<String> = all(&Selection::default())
                .requirements
                .into_iter()
                .filter(|one| one.level == aim.level && one.observable == aim.observable)
                .filter(|one| CORE.contains(&one.document.as_str()))
                .filter(|one| !matches!(one.state, State::Proven | State::Exempt | State::BeyondTests))
                .map(|one| format!("{} ({})", one.id, one.state.words()))
                .collect();
            assert!(
                reached.covered.is_none_or(|covered| covered >= aim.floor),
                "{} of {:?} is covered of {:?}, {:?}; at least {} % were:\n{}",
                percent_text(reached.covered),
                reached.tally.testable(),
                aim.level,
                aim.observable,
                aim.floor,
                missing.join("\n")
            );
        }
    }

    #[test]
    fn what_is_cited_has_no_reason_why_nothing_tests_it() {
        let contradictory: Vec<String> = all(&Selection::default())
            .requirements
            .into_iter()
            .filter(|one| {
                let untested = Catalogue::embedded().get(&one.id).is_some_and(|it| it.untested.is_some());
                untested && !one.cases.is_empty()
            })
            .map(|one| format!("{} is cited by {}", one.id, one.cases.join(", ")))
            .collect();
        assert!(
            contradictory.is_empty(),
            "the catalogue says `untested`; take that out, or the citation:\n{}",
            contradictory.join("\n")
        );
    }

    #[test]
    fn an_exemption_is_of_what_is_cited_and_not_proven() {
        for one in all(&Selection::default()).requirements {
            let exempt = Catalogue::embedded().get(&one.id).is_some_and(|it| it.unproven.is_some());
            assert!(
                !exempt || one.state == State::Exempt,
                "{} says `unproven`, and is {}: take that out",
                one.id,
                one.state.words()
            );
        }
    }

    #[test]
    fn the_schema_of_the_report_is_committed_and_kept() {
        crate::committed::hold_schema("coverage", &format!("{:#}\n", crate::coverage::schema()));
        let validator = jsonschema::validator_for(&crate::coverage::schema()).unwrap();
        let mut instance = serde_json::to_value(all(&Selection::default())).unwrap();
        let errors: Vec<String> =
            validator.iter_errors(&instance).map(|e| format!("{e} at {}", e.instance_path())).collect();
        assert!(errors.is_empty(), "{errors:#?}");
        instance["requirements"][0]["state"] = "splendid".into();
        assert!(!validator.is_valid(&instance), "the schema refuses an unknown state");
    }
}
