//! Profiles: which suites answer a question such as "does it keep the RFCs?" or "will Okta work with it?", and what a
//! vendor documents otherwise than the RFCs ask.
//!
//! A profile is a file (`suites/profiles/NAME.yaml`, or `profiles/NAME.yaml` in a user's directory). This module refuses
//! to know how cases run and what they came to.

pub mod deviation;
pub mod setting;
pub mod skeleton;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use globset::{GlobBuilder, GlobMatcher};
use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, de};

use crate::outcome::Place;
use crate::suite::diagnostic::{Diagnostic, Severity};
use crate::suite::load::{Library, Origin, SuiteFile};
use crate::suite::model::{Case, duration, duration_schema};
use crate::suite::nearest::suggestion;
use crate::suite::place::Places;
use crate::suite::text::Text;
use crate::suite::yaml;
use crate::target::Rate;

pub use deviation::Deviation;
pub use setting::{Confirmed, Setting, UnknownSetting};

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
    /// Where its file comes from.
    pub origin: Origin,
    /// Whom it speaks of.
    pub kind: Kind,
    /// The server inside scimspec that behaves as is documented (`serve --profile NAME`).
    pub server: Option<String>,
    /// How pages of lists are asked for.
    pub page_size: Option<PageSize>,
    /// How much the vendor's service bears.
    pub limits: Pacing,
    /// How long a write may take to show in reads.
    pub consistency: Option<Duration>,
    /// What the operator says or confirms, by name.
    pub settings: IndexMap<String, Setting>,
    /// Where the vendor documents something else than the RFCs ask.
    pub deviations: Vec<Deviation>,
    text: Arc<Text>,
}

/// Whom a profile speaks of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// The documents of the standard themselves.
    Standard,
    /// A client: will it work with the server?
    Client,
    /// A vendor's server: does it behave as documented?
    Server,
}

impl std::fmt::Display for Kind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Kind::Standard => "standard",
            Kind::Client => "client",
            Kind::Server => "server",
        })
    }
}

/// How pages of lists are asked for, where that differs from RFC 7644 section 3.4.2.4.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct PageSize {
    /// The name of the query parameter that the RFC calls `count`: the `count` of every query travels under it.
    #[serde(default = "count")]
    pub parameter: String,
    /// The most rows of a page, whatever is asked for.
    pub max: Option<u64>,
    /// The most rows of a page where nothing is asked for.
    pub default: Option<u64>,
}

fn count() -> String {
    COUNT.to_owned()
}

/// The name of the parameter for the size of a page (RFC 7644 section 3.4.2.4).
pub const COUNT: &str = "count";

impl PageSize {
    /// The most rows that a page may hold, by whether its size was asked for.
    pub fn limit(&self, asked: bool) -> Option<u64> {
        if asked { self.max } else { self.default.into_iter().chain(self.max).min() }
    }
}

/// How much a vendor's service bears: the defaults under what the operator says.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Pacing {
    /// The pace: `90/min`, `5/s`, `1000/h`.
    #[serde(default, deserialize_with = "rate")]
    #[schemars(with = "Option<String>", extend("pattern" = "^[0-9]+/(s|sec|second|m|min|minute|h|hour)$"))]
    pub rate: Option<Rate>,
    /// How many requests a run may make in all.
    pub requests: Option<u64>,
}

fn rate<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Rate>, D::Error> {
    let text = String::deserialize(deserializer)?;
    let expected = "a rate such as 100/min, 5/s or 1000/h";
    text.parse().map(Some).map_err(|_| de::Error::invalid_value(de::Unexpected::Str(&text), &expected))
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

/// The JSON Schema of profile files: `schema/profile.schema.json`.
pub fn schema() -> serde_json::Value {
    let mut schema = schemars::generate::SchemaSettings::draft2020_12()
        .into_generator()
        .into_root_schema_for::<ProfileFile>();
    schema.insert("title".to_owned(), "A profile of scimspec".into());
    schema.to_value()
}

/// Why there is no such profile.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("there is no profile `{name}`{}", hint(.name, .known))]
pub struct UnknownProfile {
    /// The name that was asked for.
    pub name: String,
    /// The profiles that there are.
    pub known: Vec<String>,
}

fn hint(name: &str, known: &[String]) -> String {
    if is_file(name) {
        return String::new();
    }
    let all = format!("known are: {}", known.join(", "));
    match crate::suite::nearest::nearest(name, known.iter().map(String::as_str)) {
        Some(found) => format!("; did you mean `{found}`? {all}"),
        None => format!("; {all}"),
    }
}

/// Whether a profile is asked for by its file, not by its name.
pub fn is_file(asked: &str) -> bool {
    asked.contains(['/', '\\']) || asked.ends_with(".yaml") || asked.ends_with(".yml")
}

/// What to load for a profile's file: the file, or, where it stands in a folder `profiles`, the folder around that, with
/// the suites and fixtures that belong to it.
pub fn library_of(file: &Path) -> PathBuf {
    let folder = file.parent().filter(|folder| folder.file_name().is_some_and(|name| name == "profiles"));
    match folder.and_then(Path::parent) {
        Some(around) if around.as_os_str().is_empty() => PathBuf::from("."),
        Some(around) => around.to_owned(),
        None => file.to_owned(),
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
    /// Whom it speaks of: `client` (will it work with the server?), `server` (does it behave as its vendor
    /// documents?), or `standard`. Without it `server` where one is named below, else `client`.
    pub kind: Option<Kind>,
    /// For a vendor's server: the name of the double that behaves so, `scimspec serve --profile NAME`.
    pub server: Option<String>,
    /// How pages of lists are asked for, and how long they are.
    pub page_size: Option<PageSize>,
    /// How much the service bears: defaults under the operator's `--rate` and `--requests`.
    #[serde(default)]
    pub limits: Pacing,
    /// How long a write may take to show in reads: `5s`.
    #[serde(default, deserialize_with = "duration")]
    #[schemars(schema_with = "duration_schema")]
    pub consistency: Option<Duration>,
    /// What the operator says or confirms under `[settings]` in `scimspec.toml`; suites read it as `${setting.NAME}`.
    #[serde(default)]
    pub settings: IndexMap<String, Setting>,
    /// Where the vendor documents something else than the RFCs ask.
    #[serde(default)]
    pub deviations: Vec<Deviation>,
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
        let ProfileFile {
            profile,
            title,
            documents,
            suites,
            cases,
            tags,
            skip,
            features,
            forms,
            client,
            kind,
            server,
            page_size,
            limits,
            consistency,
            settings,
            deviations,
        } = yaml::read(file, source)?;
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
            origin: Origin::Embedded,
            kind: kind.unwrap_or(if server.is_some() { Kind::Server } else { Kind::Client }),
            server,
            page_size,
            limits,
            consistency,
            settings,
            deviations,
            text: Arc::new(Text::new(file.to_owned(), source.to_owned().into())),
        })
    }

    /// The file with the places of its nodes.
    pub fn text(&self) -> &Text {
        &self.text
    }

    /// Where the node at a path such as `deviations[3].instead` stands.
    pub fn place(&self, path: &str) -> Place {
        self.text.place(path)
    }

    /// What the query parameter for the size of a page is called.
    pub fn page_size_parameter(&self) -> &str {
        self.page_size.as_ref().map_or(COUNT, |page| page.parameter.as_str())
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

    /// The profile that was asked for by its name, or by its file.
    ///
    /// # Errors
    /// [`UnknownProfile`], with those that there are.
    pub fn chosen<'l>(library: &'l Library, asked: &str) -> Result<&'l Profile, UnknownProfile> {
        if !is_file(asked) {
            return Profile::by_name(library, asked);
        }
        let place = |file: &str| std::fs::canonicalize(file).ok();
        let wanted = place(asked);
        let is_it = |profile: &&Profile| {
            profile.origin != Origin::Embedded && wanted.is_some() && place(profile.text().file()) == wanted
        };
        library.profiles().values().find(is_it).ok_or_else(|| UnknownProfile {
            name: asked.to_owned(),
            known: library.profiles().keys().cloned().collect(),
        })
    }

    /// Whether its globs select a suite file by its path.
    pub fn takes(&self, path: &str) -> bool {
        self.matchers.suites.iter().any(|glob| glob.is_match(path))
    }

    /// Whether a case of a suite file belongs to the profile. Suites that a user adds always do, since naming their
    /// directory selects them; but which of the user's profiles takes them is for these profiles to say.
    pub fn includes(&self, file: &SuiteFile, case: &Case) -> bool {
        if file.origin == Origin::User && (self.origin != Origin::User || !file.is_claimed) {
            return true;
        }
        let id = file.case_id(case);
        let tagged = |tag: &String| file.suite.tags.contains(tag) || case.tags.contains(tag);
        self.takes(&file.path)
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
    fn the_schema_file_equals_the_generated_one_and_shipped_profiles_keep_it() {
        crate::committed::hold_schema("profile", &format!("{:#}\n", schema()));
        let validator = jsonschema::validator_for(&schema()).unwrap();
        for profile in Library::embedded().unwrap().profiles().values() {
            let value: serde_json::Value =
                yaml::read(profile.text().file(), profile.text().source()).unwrap();
            let slips: Vec<String> = validator.iter_errors(&value).map(|error| error.to_string()).collect();
            assert!(slips.is_empty(), "{}: {slips:?}", profile.name);
        }
    }

    #[test]
    fn a_profile_of_the_user_says_which_of_several_suites_it_takes() {
        let directory = tempfile::tempdir().unwrap();
        let write = |path: &str, text: &str| {
            let path = directory.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        };
        for name in ["one", "two", "free"] {
            let case = "{id: a, title: b, steps: [{send: GET /Users, expect: {status: 200}}]}";
            write(&format!("{name}/s.yaml"), &format!("suite: {name}\ntitle: x\ncases: [{case}]\n"));
        }
        for name in ["one", "two"] {
            let text = format!("profile: {name}\ntitle: t\nsuites: [\"{name}/**\"]\n");
            write(&format!("profiles/{name}.yaml"), &text);
        }
        let file = directory.path().join("profiles/one.yaml");
        let library = Library::load(&[library_of(&file)]).unwrap();
        let ids = |profile: &Profile| {
            profile.cases(&library).map(|(file, case)| file.case_id(case)).collect::<Vec<_>>()
        };
        assert_eq!(ids(Profile::chosen(&library, &file.display().to_string()).unwrap()), ["free/a", "one/a"]);
        assert_eq!(ids(Profile::chosen(&library, "two").unwrap()), ["free/a", "two/a"]);
        let of_rfc = ids(Profile::chosen(&library, "rfc").unwrap());
        assert!(["free/a", "one/a", "two/a"].iter().all(|id| of_rfc.iter().any(|other| other == id)));
        let error = Profile::chosen(&library, "./nowhere.yaml").unwrap_err();
        assert_eq!(error.to_string(), "there is no profile `./nowhere.yaml`");
    }

    #[test]
    fn a_profile_takes_the_forms_that_it_names() {
        let profile = |forms: &str| {
            Profile::read("p.yaml", &format!("profile: p\ntitle: t\nsuites: ['**']\n{forms}")).unwrap()
        };
        let put = profile("forms: [put]\n");
        assert!(put.takes_form(Some("put")) && put.takes_form(None) && !put.takes_form(Some("patch")));
        assert!(profile("").takes_form(Some("patch")));
    }

    #[test]
    fn a_malformed_glob_is_located() {
        let error = Profile::read("p.yaml", "profile: x\ntitle: y\nsuites: [\"a/[\"]\n").unwrap_err();
        assert_eq!((error.place.line, error.place.column), (3, 10), "{error}");
    }
}
