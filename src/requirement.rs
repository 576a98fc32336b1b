//! The catalogue: what the RFCs ask, and what vendors document, each with an id, a level, a sentence and a link.
//!
//! Suites cite it, reports quote it. It is data (`suites/requirements/`), one file a document, read when the first of
//! its ids is asked for. This module refuses to know suites and verdicts.

pub mod definitions;

use std::collections::HashMap;
use std::fmt;
use std::sync::OnceLock;

use include_dir::File;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::outcome::Level;
use crate::suite::load::EMBEDDED_SUITES;
use crate::suite::model::{Case, Suite};
use crate::suite::nearest::nearest;
use crate::suite::yaml;

/// One thing that a document asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Requirement {
    /// Permanent: document, section and number, such as `RFC7644-3.5.2.3-08`.
    pub id: String,
    /// The document: `RFC7644`.
    pub document: String,
    /// The section it stands in: `3.5.2.3`.
    pub section: String,
    /// How strongly it binds. A plain statement, grammar or example of an RFC binds like a must.
    pub level: Level,
    /// The document's own word for that: `MUST NOT`, `SHALL`, or `implied` for a plain statement.
    pub keyword: String,
    /// Whom it binds.
    pub actor: Actor,
    /// What is asked, in one sentence.
    pub sentence: String,
    /// What has to be there for it to apply, in words; none for always.
    pub condition: Option<String>,
    /// How well a client can see over HTTP whether it is kept.
    pub observable: Observable,
    /// What it is about, in one word: `patch`, `filter`.
    pub feature: String,
    /// The disputes about it.
    pub ambiguity: Vec<String>,
    /// The ids of the RFC errata that touch it.
    pub errata: Vec<String>,
    /// Why no case tests it, where none does.
    pub untested: Option<Untested>,
    /// Why a case that cites it covers it though no fault of the embedded server shows so, where that is right.
    pub unproven: Option<String>,
}

/// Why no case tests a requirement.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Untested {
    /// The kind of reason.
    pub because: Because,
    /// The reason, in one sentence.
    pub why: String,
}

/// Kinds of reasons why no case tests a requirement.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Because {
    /// Nothing that crosses the wire shows whether it is kept.
    Unobservable,
    /// The operator would have to do something outside of SCIM first.
    NeedsHook,
    /// It takes credentials of a second tenant, or of another client.
    NeedsSecondTenant,
    /// Trying it could disturb the service provider.
    Disruptive,
    /// It permits, or defines a word; no answer could break it.
    NothingToBreak,
    /// It binds the makers of something else: clients, other documents, registries.
    NotTheServer,
}

impl Because {
    /// Whether no case of any kind could test it: there is nothing to see, nothing to break, or nobody to blame.
    pub fn is_beyond_tests(self) -> bool {
        matches!(self, Because::Unobservable | Because::NothingToBreak | Because::NotTheServer)
    }
}

impl fmt::Display for Because {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Because::Unobservable => "cannot be observed",
            Because::NeedsHook => "needs a hook",
            Because::NeedsSecondTenant => "needs a second tenant",
            Because::Disruptive => "disruptive",
            Because::NothingToBreak => "nothing to break",
            Because::NotTheServer => "does not bind the server",
        })
    }
}

impl Requirement {
    /// Where the section can be read: `https://www.rfc-editor.org/rfc/rfc7644#section-3.5.2.3`.
    pub fn link(&self) -> String {
        section_link(&self.document, &self.section)
    }
}

/// Where a section of an RFC can be read: `https://www.rfc-editor.org/rfc/rfc7644#section-3.5.2.3`.
pub fn section_link(document: &str, section: &str) -> String {
    let document = document.to_lowercase();
    // Appendices have a letter first and an anchor of their own.
    let kind = if section.starts_with(|c: char| c.is_ascii_digit()) { "section" } else { "appendix" };
    format!("https://www.rfc-editor.org/rfc/{document}#{kind}-{section}")
}

impl fmt::Display for Requirement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({}): {}", self.id, self.keyword, self.sentence)
    }
}

/// Whom a requirement binds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Actor {
    /// The service provider.
    #[default]
    Server,
    /// The client.
    Client,
    /// Both sides.
    Both,
}

/// How well a client can see over HTTP whether a requirement is kept.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize, Serialize, JsonSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum Observable {
    /// Wholly.
    #[default]
    Fully,
    /// Only in part, or only with an operator's help.
    Partly,
    /// Not at all.
    Not,
}

/// Something a vendor documents about its client or server.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Source {
    /// Permanent: `OKTA-SPEC-06`.
    pub id: String,
    /// What it is about.
    pub title: String,
    /// What is documented, in one or two sentences.
    pub sentence: String,
    /// How much hangs on it; must unless said otherwise.
    #[serde(default = "must")]
    pub level: Level,
    /// The document, and the place in it.
    pub document: String,
    /// Where it can be read.
    pub link: Option<String>,
}

fn must() -> Level {
    Level::Must
}

/// All requirements and sources.
#[derive(Debug)]
pub struct Catalogue {
    documents: Vec<Document>,
}

/// One file of the catalogue; its entries are read on first use.
#[derive(Debug)]
struct Document {
    /// The file's name without its ending: `rfc7644`, `amplitude`.
    name: String,
    /// What its ids begin with: `RFC7644`, `AMP`.
    code: &'static str,
    file: &'static File<'static>,
    entries: OnceLock<Entries>,
    levels: OnceLock<HashMap<&'static str, Level>>,
}

#[derive(Debug, Default)]
struct Entries {
    title: String,
    link: String,
    requirements: Vec<Requirement>,
    sources: Vec<Source>,
    by_id: HashMap<String, usize>,
}

impl Catalogue {
    /// What is built into the binary.
    pub fn embedded() -> &'static Catalogue {
        static CATALOGUE: OnceLock<Catalogue> = OnceLock::new();
        CATALOGUE.get_or_init(|| {
            let mut documents: Vec<Document> = EMBEDDED_SUITES
                .get_dir("requirements")
                .into_iter()
                .flat_map(|directory| directory.files())
                .filter_map(|file| {
                    let name = file.path().file_name()?.to_str()?.strip_suffix(".yaml")?.to_owned();
                    let text = file.contents_utf8()?;
                    let code = text.lines().find_map(|line| line.strip_prefix("document: "))?.trim();
                    Some(Document { name, code, file, entries: OnceLock::new(), levels: OnceLock::new() })
                })
                .collect();
            documents.sort_by(|a, b| a.name.cmp(&b.name));
            Catalogue { documents }
        })
    }

    /// The requirement of that id.
    pub fn get(&self, id: &str) -> Option<&Requirement> {
        let entries = self.document_of(id)?.entries();
        entries.by_id.get(id).and_then(|index| entries.requirements.get(*index))
    }

    /// The vendor's statement of that id.
    pub fn source(&self, id: &str) -> Option<&Source> {
        let entries = self.document_of(id)?.entries();
        entries.by_id.get(id).and_then(|index| entries.sources.get(*index))
    }

    /// All requirements, document by document, in the order of the documents.
    pub fn requirements(&self) -> impl Iterator<Item = &Requirement> {
        self.documents.iter().flat_map(|document| &document.entries().requirements)
    }

    /// All vendors' statements.
    pub fn sources(&self) -> impl Iterator<Item = &Source> {
        self.documents.iter().flat_map(|document| &document.entries().sources)
    }

    /// The requirement id most like one that does not exist.
    pub fn nearest(&self, id: &str) -> Option<&str> {
        nearest_id(id, self.requirements().map(|requirement| requirement.id.as_str()))
    }

    /// The source id most like one that does not exist.
    pub fn nearest_source(&self, id: &str) -> Option<&str> {
        nearest_id(id, self.sources().map(|source| source.id.as_str()))
    }

    /// The strongest level among the requirements and sources of these ids; unknown ids do not count.
    pub fn strongest<'a>(&self, ids: impl IntoIterator<Item = &'a str>) -> Option<Level> {
        let level = |id: &str| self.document_of(id)?.levels().get(id).copied();
        ids.into_iter().filter_map(level).max()
    }

    /// The level of a case: its own, else its suite's, else the strongest that it cites anywhere. A case that cites
    /// nothing binds like a must.
    pub fn level_of(&self, suite: &Suite, case: &Case) -> Level {
        let own = || suite.spec.iter().chain(&case.spec).chain(&case.source).map(String::as_str);
        let narrower = || {
            let steps = case.steps.iter().flat_map(|step| {
                step.spec.iter().chain(&step.source).chain(step.expect.iter().flat_map(|expect| &expect.spec))
            });
            let vectors = case.vectors.iter().flat_map(|vectors| &vectors.trials);
            steps
                .chain(case.rows.iter().flat_map(|row| &row.spec))
                .chain(vectors.flat_map(|vector| &vector.spec))
                .map(String::as_str)
        };
        case.level
            .or(suite.level)
            .or_else(|| self.strongest(own()))
            .or_else(|| self.strongest(narrower()))
            .unwrap_or(Level::Must)
    }

    /// The documents by what their ids begin with, such as `RFC7644`.
    pub fn documents(&self) -> impl Iterator<Item = &'static str> {
        self.documents.iter().map(|document| document.code)
    }

    /// The title of a document, and where it can be read.
    pub fn about(&self, document: &str) -> Option<(&str, &str)> {
        let entries = self.documents.iter().find(|one| one.code == document)?.entries();
        Some((&entries.title, &entries.link))
    }

    /// What a section of a document is called.
    pub fn section_title(&self, document: &str, section: &str) -> Option<&'static str> {
        self.documents.iter().find(|one| one.code == document)?.section_title(section)
    }

    /// The document that an id belongs to, by its first part.
    fn document_of(&self, id: &str) -> Option<&Document> {
        let name = id.split_once('-')?.0;
        self.documents.iter().find(|document| document.code.eq_ignore_ascii_case(name))
    }
}

/// Ids differ in their numbers, so a slip is sought near the end: the longest common beginning wins, then likeness.
fn nearest_id<'a>(id: &str, candidates: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let common = |candidate: &str| id.bytes().zip(candidate.bytes()).take_while(|(a, b)| a == b).count();
    let candidates: Vec<&str> = candidates.collect();
    let best = candidates.iter().map(|candidate| common(candidate)).max()?;
    // Less than the document and a digit of the section in common is no likeness.
    if best > id.find('-')? + 1 {
        let like = candidates.iter().copied().filter(|candidate| common(candidate) == best);
        return like.min_by_key(|candidate| strsim::damerau_levenshtein(id, candidate));
    }
    nearest(id, candidates.iter().copied())
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct DocumentFile {
    document: String,
    title: String,
    link: String,
    #[serde(default)]
    requirements: Vec<RequirementEntry>,
    #[serde(default)]
    sources: Vec<Source>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RequirementEntry {
    id: String,
    section: String,
    level: Level,
    keyword: Option<String>,
    #[serde(default)]
    actor: Actor,
    sentence: String,
    condition: Option<String>,
    #[serde(default)]
    observable: Observable,
    feature: String,
    #[serde(default)]
    ambiguity: Vec<String>,
    #[serde(default)]
    errata: Vec<String>,
    untested: Option<Untested>,
    unproven: Option<String>,
}

impl Document {
    /// The entries. The file is part of the binary, and a test reads every one: what cannot be read here was never
    /// released.
    fn entries(&self) -> &Entries {
        self.entries.get_or_init(|| match self.read() {
            Ok(entries) => entries,
            Err(trouble) => unreachable!("the embedded catalogue is broken: {trouble}"),
        })
    }

    /// The levels alone, without reading the file as YAML: `list` and the plan need no more of it, and 800 entries
    /// cost as much as all suites together. The files are our own, an entry's `id` stands before its `level`, and a
    /// test holds this equal to what the YAML says.
    fn levels(&self) -> &HashMap<&'static str, Level> {
        self.levels.get_or_init(|| {
            let mut levels = HashMap::new();
            let mut id = "";
            for line in self.file.contents_utf8().unwrap_or_default().lines() {
                if let Some(found) = line.strip_prefix("  - id: ") {
                    id = found;
                    levels.insert(id, Level::Must);
                } else if let Some(level) = line.strip_prefix("    level: ") {
                    let level = match level {
                        "may" => Level::May,
                        "should" => Level::Should,
                        _ => Level::Must,
                    };
                    levels.insert(id, level);
                }
            }
            levels
        })
    }

    /// The name of a section: the comment that stands before its entries, `# 3.5.2 Modifying with PATCH`. A test holds
    /// that every section has one.
    fn section_title(&self, section: &str) -> Option<&'static str> {
        let lines = self.file.contents_utf8().unwrap_or_default().lines();
        lines.filter_map(|line| line.strip_prefix("  # ")?.split_once(' ')).find_map(|(number, title)| {
            let is_it = number.trim_end_matches('.') == section;
            is_it.then_some(title.trim())
        })
    }

    fn read(&self) -> Result<Entries, Box<crate::suite::Diagnostic>> {
        let name = format!("suites/{}", self.file.path().display());
        let text = String::from_utf8_lossy(self.file.contents());
        let DocumentFile { document, title, link, requirements, sources } = yaml::read(&name, &text)?;
        let mut entries = Entries { title, link: link.clone(), ..Entries::default() };
        for entry in requirements {
            entries.by_id.insert(entry.id.clone(), entries.requirements.len());
            entries.requirements.push(Requirement {
                keyword: entry.keyword.unwrap_or_else(|| entry.level.to_string()),
                id: entry.id,
                document: document.clone(),
                section: entry.section,
                level: entry.level,
                actor: entry.actor,
                sentence: entry.sentence,
                condition: entry.condition,
                observable: entry.observable,
                feature: entry.feature,
                ambiguity: entry.ambiguity,
                errata: entry.errata,
                untested: entry.untested,
                unproven: entry.unproven,
            });
        }
        for mut source in sources {
            source.link.get_or_insert_with(|| link.clone());
            entries.by_id.insert(source.id.clone(), entries.sources.len());
            entries.sources.push(source);
        }
        Ok(entries)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn every_document_of_the_catalogue_can_be_read() {
        let catalogue = Catalogue::embedded();
        assert!(!catalogue.documents.is_empty());
        for document in &catalogue.documents {
            if let Err(trouble) = document.read() {
                panic!("{}", trouble.render(false));
            }
        }
    }

    #[test]
    fn the_levels_read_alone_are_those_of_the_entries() {
        let catalogue = Catalogue::embedded();
        let mut levels = HashMap::new();
        levels.extend(catalogue.requirements().map(|one| (one.id.as_str(), one.level)));
        levels.extend(catalogue.sources().map(|one| (one.id.as_str(), one.level)));
        let alone: HashMap<&str, Level> =
            catalogue.documents.iter().flat_map(|document| document.levels().clone()).collect();
        assert_eq!(alone, levels);
    }

    #[test]
    fn ids_are_unique_and_begin_with_their_document_and_section() {
        let mut seen = HashSet::new();
        for requirement in Catalogue::embedded().requirements() {
            let Requirement { id, document, section, .. } = requirement;
            assert!(seen.insert(id), "{id} twice");
            let number = id.strip_prefix(&format!("{document}-{section}-")).unwrap_or_default();
            assert!(
                number.len() >= 2 && number.bytes().all(|b| b.is_ascii_digit()),
                "{id}: not of {document} {section}"
            );
            assert!(Catalogue::embedded().get(id) == Some(requirement), "{id} is not found by its id");
        }
        assert!(seen.len() > 800, "{}", seen.len());
        for source in Catalogue::embedded().sources() {
            assert!(seen.insert(&source.id), "{} twice", source.id);
            assert!(source.link.is_some(), "{} has no link", source.id);
            assert_eq!(Catalogue::embedded().source(&source.id), Some(source), "{}", source.id);
        }
    }

    #[test]
    fn every_section_has_a_name_and_every_document_a_title() {
        let catalogue = Catalogue::embedded();
        for Requirement { id, document, section, .. } in catalogue.requirements() {
            assert!(
                catalogue.section_title(document, section).is_some(),
                "{id}: no comment names its section"
            );
        }
        assert_eq!(catalogue.section_title("RFC7644", "1.2"), Some("Notational Conventions"));
        for document in catalogue.documents() {
            assert!(catalogue.about(document).is_some_and(|(title, _)| !title.is_empty()), "{document}");
        }
    }

    #[test]
    fn a_link_leads_to_the_section() {
        let requirement = Catalogue::embedded().get("RFC7644-3.5.2.3-08").unwrap();
        assert_eq!(requirement.link(), "https://www.rfc-editor.org/rfc/rfc7644#section-3.5.2.3");
        assert_eq!(requirement.level, Level::Must);
    }

    #[test]
    fn a_wrong_number_is_answered_with_a_neighbour() {
        let catalogue = Catalogue::embedded();
        assert_eq!(catalogue.get("RFC7644-3.5.2.3-80"), None);
        assert!(catalogue.nearest("RFC7644-3.5.2.3-80").unwrap().starts_with("RFC7644-3.5.2.3-0"));
        assert_eq!(catalogue.nearest("RCF7644-3.3-01"), Some("RFC7644-3.3-01"));
        assert_eq!(catalogue.nearest("nonsense"), None);
        assert_eq!(catalogue.nearest_source("OKTA-SPEC-99").map(|id| &id[..10]), Some("OKTA-SPEC-"));
    }

    #[test]
    fn the_strongest_level_of_several() {
        let catalogue = Catalogue::embedded();
        assert_eq!(catalogue.strongest(["RFC7644-1.3-02", "RFC7644-1.3-01"]), Some(Level::Must));
        assert_eq!(catalogue.strongest(["RFC7644-1.3-02"]), Some(Level::May));
        assert_eq!(catalogue.strongest([]), None);
    }
}
