//! Profiles: which suites answer a question such as "does it keep the RFCs?" or "will Okta work with it?".
//!
//! A profile is a file (`suites/profiles/NAME.yaml`, or `profiles/NAME.yaml` in a user's directory). This module refuses
//! to know how cases run and what they came to.

use globset::{GlobBuilder, GlobMatcher};
use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::Deserialize;

use crate::suite::diagnostic::{Diagnostic, Severity};
use crate::suite::load::{Library, Origin, SuiteFile};
use crate::suite::model::Case;
use crate::suite::nearest::suggestion;
use crate::suite::place::Places;
use crate::suite::yaml;

/// Which suites and cases a run consists of.
#[derive(Debug, Clone)]
pub struct Profile {
    /// Its name: `rfc`, `okta`.
    pub name: String,
    /// What it answers, in one line.
    pub title: String,
    /// The documents it stands on.
    pub documents: Vec<String>,
    /// Globs over the paths of suite files below `suites/`: `rfc7644/**`.
    pub suites: Vec<String>,
    /// Globs over case ids; of the suites selected only these run. None means all.
    pub cases: Vec<String>,
    /// Tags; of the suites selected only cases with one of them run. None means all.
    pub tags: Vec<String>,
    /// Globs over case ids that are left out.
    pub skip: Vec<String>,
    /// What the readiness table shows, by the name of the feature.
    pub features: IndexMap<String, Feature>,
    /// The wire forms in which actions are done: `patch`, `put`. None means all that there are.
    pub forms: Vec<String>,
    /// The client whose needs the features are, as people call it: `Okta`. Its profile ends with a readiness table.
    pub client: Option<String>,
    matchers: Matchers,
}

/// One line of the readiness table.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Feature {
    /// What it is called there.
    pub title: String,
    /// The cases with one of these tags decide about it.
    pub tags: Vec<String>,
    /// Whether the profile is not served without it.
    #[serde(default)]
    pub core: bool,
}

#[derive(Debug, Clone, Default)]
struct Matchers {
    suites: Vec<GlobMatcher>,
    cases: Vec<GlobMatcher>,
    skip: Vec<GlobMatcher>,
}

/// Why there is no such profile.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("there is no profile `{name}`; {}", hint(.name, .known))]
pub struct UnknownProfile {
    /// The name that was asked for.
    pub name: String,
    /// The profiles that there are.
    pub known: Vec<String>,
}

fn hint(name: &str, known: &[String]) -> String {
    let all = format!("known are: {}", known.join(", "));
    match crate::suite::nearest::nearest(name, known.iter().map(String::as_str)) {
        Some(found) => format!("did you mean `{found}`? {all}"),
        None => all,
    }
}

/// A profile as its file says it.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
#[schemars(title = "Profile")]
pub struct ProfileFile {
    /// Its name; the file is named after it.
    pub profile: String,
    /// What it answers, in one line.
    pub title: String,
    /// The documents it stands on, as links.
    #[serde(default)]
    pub documents: Vec<String>,
    /// Globs over the paths of suite files: `rfc7644/**`.
    pub suites: Vec<String>,
    /// Globs over case ids; of the suites selected only these run.
    #[serde(default)]
    pub cases: Vec<String>,
    /// Of the suites selected only cases with one of these tags run.
    #[serde(default)]
    pub tags: Vec<String>,
    /// Globs over case ids that are left out.
    #[serde(default)]
    pub skip: Vec<String>,
    /// What the readiness table shows.
    #[serde(default)]
    pub features: IndexMap<String, Feature>,
    /// The wire forms in which actions are done: `patch`, `put`. None means all that there are.
    #[serde(default)]
    pub forms: Vec<String>,
    /// The client whose needs the features are: `Okta`. A run ends with the readiness table then.
    pub client: Option<String>,
}

impl Profile {
    /// Reads a profile's file.
    ///
    /// # Errors
    /// Where the text is no profile, or a glob is malformed.
    pub fn read(file: &str, source: &str) -> Result<Profile, Box<Diagnostic>> {
        let ProfileFile { profile, title, documents, suites, cases, tags, skip, features, forms, client } =
            yaml::read(file, source)?;
        let matchers = Matchers {
            suites: compile(file, source, "suites", &suites)?,
            cases: compile(file, source, "cases", &cases)?,
            skip: compile(file, source, "skip", &skip)?,
        };
        Ok(Profile {
            name: profile,
            title,
            documents,
            suites,
            cases,
            tags,
            skip,
            features,
            forms,
            client,
            matchers,
        })
    }

    /// The profile of that name.
    ///
    /// # Errors
    /// [`UnknownProfile`], with those that there are.
    pub fn by_name<'l>(library: &'l Library, name: &str) -> Result<&'l Profile, UnknownProfile> {
        library.profiles().get(name).ok_or_else(|| UnknownProfile {
            name: name.to_owned(),
            known: library.profiles().keys().cloned().collect(),
        })
    }

    /// Whether a case of a suite file belongs to the profile. Suites that a user adds always do: naming their directory
    /// selects them.
    pub fn includes(&self, file: &SuiteFile, case: &Case) -> bool {
        if file.origin == Origin::User {
            return true;
        }
        let id = file.case_id(case);
        let tagged = |tag: &String| file.suite.tags.contains(tag) || case.tags.contains(tag);
        self.matchers.suites.iter().any(|glob| glob.is_match(&file.path))
            && (self.matchers.cases.is_empty() || self.matchers.cases.iter().any(|glob| glob.is_match(&id)))
            && (self.tags.is_empty() || self.tags.iter().any(tagged))
            && !self.matchers.skip.iter().any(|glob| glob.is_match(&id))
    }

    /// Whether cases are run in a wire form; those without one always are.
    pub fn takes_form(&self, form: Option<&str>) -> bool {
        self.forms.is_empty() || form.is_none_or(|form| self.forms.iter().any(|own| own == form))
    }

    /// The cases of a library that belong to the profile, in the order of the files.
    pub fn cases<'l>(&self, library: &'l Library) -> impl Iterator<Item = (&'l SuiteFile, &'l Case)> {
        library
            .suites()
            .iter()
            .flat_map(|file| file.suite.cases.iter().map(move |case| (file, case)))
            .filter(|(file, case)| self.includes(file, case))
    }
}

fn compile(
    file: &str,
    source: &str,
    key: &str,
    globs: &[String],
) -> Result<Vec<GlobMatcher>, Box<Diagnostic>> {
    globs
        .iter()
        .enumerate()
        .map(|(index, glob)| match GlobBuilder::new(glob).literal_separator(true).build() {
            Ok(glob) => Ok(glob.compile_matcher()),
            Err(error) => {
                let spot = Places::read(source).spot(&format!("{key}[{index}]"));
                let message = format!("`{glob}` is no glob: {}", error.kind());
                let hint = suggestion(glob, ["rfc7644/**", "rules/*"]);
                Err(Box::new(yaml::diagnostic_at(file, source, spot, Severity::Error, message, hint)))
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_profile_is_answered_with_those_there_are() {
        let library = Library::embedded().unwrap();
        let error = Profile::by_name(&library, "okat").unwrap_err().to_string();
        assert!(error.starts_with("there is no profile `okat`; did you mean `okta`? known are: "), "{error}");
        assert_eq!(Profile::by_name(&library, "rfc").unwrap().name, "rfc");
    }

    #[test]
    fn every_glob_and_feature_of_a_shipped_profile_selects_something() {
        let library = Library::embedded().unwrap();
        assert!(library.profiles().len() >= 2);
        for (name, profile) in library.profiles() {
            let ids: Vec<String> = profile.cases(&library).map(|(file, case)| file.case_id(case)).collect();
            assert!(!ids.is_empty(), "{name} selects nothing");
            let Matchers { suites, cases, skip } = &profile.matchers;
            for glob in suites {
                let some = library.suites().iter().any(|file| glob.is_match(&file.path));
                assert!(some, "{name}: no suite is {}", glob.glob());
            }
            for glob in cases {
                assert!(ids.iter().any(|id| glob.is_match(id)), "{name}: no case is {}", glob.glob());
            }
            for glob in skip {
                assert!(!ids.iter().any(|id| glob.is_match(id)), "{name}: {} runs", glob.glob());
            }
            for (feature, Feature { tags, .. }) in &profile.features {
                let tagged = profile.cases(&library).any(|(file, case)| {
                    tags.iter().any(|tag| case.tags.contains(tag) || file.suite.tags.contains(tag))
                });
                assert!(tagged, "{name}: no case has a tag of the feature {feature}");
            }
        }
    }

    #[test]
    fn globs_tags_and_skips_select_cases_and_a_users_suites_always_run() {
        let directory = tempfile::tempdir().unwrap();
        let suite = "suite: mine\ntitle: x\ncases: [{id: a, title: b, steps: [{send: GET /Users}]}]\n";
        std::fs::write(directory.path().join("mine.yaml"), suite).unwrap();
        let library = Library::load(&[directory.path().to_owned()]).unwrap();
        let ids = |text: &str| {
            let profile = Profile::read("p.yaml", &format!("profile: p\ntitle: t\n{text}")).unwrap();
            profile.cases(&library).map(|(file, case)| file.case_id(case)).collect::<Vec<_>>()
        };
        assert_eq!(ids("suites: []"), ["mine/a"]);
        let all = ids("suites: [\"rfc7644/**\"]");
        let creates = ids("suites: [\"rfc7644/**\"]\ncases: [\"create/*\"]");
        assert!(creates.len() > 1 && creates.len() < all.len());
        assert!(creates.iter().all(|id| id.starts_with("create/") || id == "mine/a"), "{creates:?}");
        assert_eq!(ids("suites: [\"rfc7644/**\"]\ntags: [rfc.create]"), creates);
        let others = ids("suites: [\"rfc7644/**\"]\nskip: [\"create/*\"]");
        assert_eq!(others.len() + creates.len(), all.len() + 1, "only mine/a is in both");
    }

    #[test]
    fn a_malformed_glob_is_located() {
        let error = Profile::read("p.yaml", "profile: x\ntitle: y\nsuites: [\"a/[\"]\n").unwrap_err();
        assert_eq!((error.place.line, error.place.column), (3, 10), "{error}");
    }
}
