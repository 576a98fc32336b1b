//! Finds suite files, fixtures and populations, embedded in the binary and in a user's directories, and reads them.
//!
//! A directory of the user's adds to what is embedded; a file of the same relative path replaces the embedded one, so
//! that an exported and edited copy works. This module refuses to judge what the suites say ([`super::lint`] does) and
//! to know targets.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use include_dir::{Dir, include_dir};
use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use super::action::{self, Expansion, Slip};
use super::diagnostic::{Diagnostic, Severity};
use super::model::{Case, Given, Suite};
use super::place::Spot;
use super::template;
use super::text::Text;
use super::vectors;
use super::yaml;
use crate::outcome::Place;
use crate::profile::Profile;
use sha2::{Digest, Sha256};

/// Everything below `suites/`, as built into the binary.
pub static EMBEDDED_SUITES: Dir<'static> = include_dir!("$CARGO_MANIFEST_DIR/suites");
/// Everything below `fixtures/`, as built into the binary.
pub static EMBEDDED_FIXTURES: Dir<'static> = include_dir!("$CARGO_MANIFEST_DIR/fixtures");

/// How deep a user's directory is searched.
const MAX_DIRECTORIES: usize = 16;

/// Where a suite file comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// Built into the binary.
    Embedded,
    /// From a directory that the user named.
    User,
    /// From a directory that the user named, in place of an embedded file of the same path.
    Replaced,
}

/// One suite file: its text, what it says, and where each part stands.
#[derive(Debug)]
pub struct SuiteFile {
    /// The path as reports print it: `suites/rfc7644/3.5.2-patch.yaml`, or as the user named it.
    pub file: String,
    /// The path below the suites' root, by which profiles select: `rfc7644/3.5.2-patch.yaml`.
    pub path: String,
    /// Where it comes from.
    pub origin: Origin,
    /// What it says.
    pub suite: Suite,
    /// Whether a profile of the user's selects it.
    pub is_claimed: bool,
    text: Text,
    expansion: Expansion,
    settings: OnceLock<Settings>,
}

/// The settings that a suite file refers to: of the suite, and of each case.
#[derive(Debug, Default)]
struct Settings {
    suite: BTreeSet<String>,
    cases: Vec<BTreeSet<String>>,
}

impl SuiteFile {
    fn read(file: Source) -> Result<SuiteFile, Box<Diagnostic>> {
        let suite: Suite = yaml::read(&file.name, &file.text)?;
        let does = |case: &Case| case.setup.iter().chain(&case.steps).any(|step| !step.call.is_empty());
        let expansion = if suite.actions.is_empty() && !suite.cases.iter().any(does) {
            Expansion::default()
        } else {
            action::expand(&suite, &yaml::read(&file.name, &file.text)?)
        };
        let text = Text::new(file.name.clone(), file.text);
        Ok(SuiteFile {
            suite,
            file: file.name,
            path: file.path,
            origin: file.origin,
            is_claimed: false,
            text,
            expansion,
            settings: OnceLock::new(),
        })
    }

    /// The settings that a case refers to, `${setting.NAME}`, in whatever it says.
    pub fn settings_of(&self, case: &Case) -> BTreeSet<&str> {
        let settings = self.settings.get_or_init(|| self.read_settings());
        let index = self.suite.cases.iter().position(|other| other.id == case.id);
        let own = index.and_then(|index| settings.cases.get(index));
        settings.suite.iter().chain(own.into_iter().flatten()).map(String::as_str).collect()
    }

    /// A reference may stand in any text and in any key: the file is looked through as it was written.
    fn read_settings(&self) -> Settings {
        let mut settings = Settings::default();
        let source = self.text.source();
        let written: Option<Value> =
            source.contains("${setting").then(|| yaml::read(&self.file, source).ok()).flatten();
        for (key, value) in written.iter().filter_map(Value::as_object).flatten() {
            match (key.as_str(), value) {
                ("cases", Value::Array(cases)) => {
                    settings.cases = cases.iter().map(settings_in).collect();
                }
                _ => settings.suite.extend(settings_in(value)),
            }
        }
        settings
    }

    /// A case as it runs: itself, or with the steps of its actions in place, once for each wire form, which comes first.
    pub fn forms_of(&self, index: usize) -> Vec<(Option<&str>, &Case)> {
        match self.expansion.cases.get(&index) {
            Some(formed) => formed.iter().map(|it| (it.form.as_deref(), &it.case)).collect(),
            None => self.suite.cases.get(index).map(|case| (None, case)).into_iter().collect(),
        }
    }

    /// What is wrong about the suite's actions.
    pub fn slips(&self) -> &[Slip] {
        &self.expansion.slips
    }

    /// The file with the places of its nodes.
    pub fn text(&self) -> &Text {
        &self.text
    }

    /// Where the node at a path such as `cases[3].steps[1].expect.spec[0]` stands; the nearest ancestor when that
    /// exact path is not there.
    pub fn place(&self, path: &str) -> Place {
        self.text.place(path)
    }

    /// The id of a case of this file: `suite/case`.
    pub fn case_id(&self, case: &Case) -> String {
        format!("{}/{}", self.suite.suite, case.id)
    }
}

/// A shared, named set of resources that cases only read (`fixtures/populations/NAME.yaml`).
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Population {
    /// What it is good for, in plain words.
    pub title: Option<String>,
    /// Its resources by name, in the order in which they are created. A member may refer to those before it.
    pub members: IndexMap<String, Given>,
    /// Whether its cases get along with a part of it: members are made without what the service provider does not declare,
    /// and one that it refuses all the same is left out.
    #[serde(default)]
    pub partial: bool,
}

/// All that suites are made of: the suite files, the fixtures, the populations, the profiles.
#[derive(Debug, Default)]
pub struct Library {
    suites: Vec<SuiteFile>,
    fixtures: BTreeMap<String, (Value, Text)>,
    populations: BTreeMap<String, (Population, Text)>,
    profiles: BTreeMap<String, Profile>,
    vector_files: Vec<String>,
}

impl Library {
    /// What is built into the binary.
    ///
    /// # Errors
    /// As [`Library::load`]; a test holds that there are none.
    pub fn embedded() -> Result<Library, Vec<Diagnostic>> {
        Library::load(&[])
    }

    /// What is built into the binary and what stands in the directories (or single files) named.
    ///
    /// # Errors
    /// Every file that cannot be read, with place and hint.
    pub fn load(user: &[PathBuf]) -> Result<Library, Vec<Diagnostic>> {
        let mut files = Files::default();
        let mut diagnostics = Vec::new();
        files.embed(&EMBEDDED_SUITES);
        files.embed_fixtures(&EMBEDDED_FIXTURES);
        for directory in user {
            files.add_user(directory, &mut diagnostics);
        }
        let library = files.read(&mut diagnostics);
        if diagnostics.is_empty() { Ok(library) } else { Err(diagnostics) }
    }

    /// What stands in these files alone, each a path below the suites' root with its text, as a user's directory would
    /// hold them. Nothing that is built in is among them.
    ///
    /// # Errors
    /// As [`Library::load`].
    pub fn of_texts(texts: impl IntoIterator<Item = (String, String)>) -> Result<Library, Vec<Diagnostic>> {
        let mut files = Files::default();
        let mut diagnostics = Vec::new();
        for (path, text) in texts {
            files.sort(Source { name: path.clone(), path, origin: Origin::User, text: Cow::Owned(text) });
        }
        let library = files.read(&mut diagnostics);
        if diagnostics.is_empty() { Ok(library) } else { Err(diagnostics) }
    }

    /// The suite files: the embedded ones in the order of their paths, then the user's.
    pub fn suites(&self) -> &[SuiteFile] {
        &self.suites
    }

    /// The fixture of that name (`fixtures/NAME.json`).
    pub fn fixture(&self, name: &str) -> Option<&Value> {
        self.fixtures.get(name).map(|(fixture, _)| fixture)
    }

    /// The names of all fixtures.
    pub fn fixture_names(&self) -> impl Iterator<Item = &str> {
        self.fixtures.keys().map(String::as_str)
    }

    /// The population of that name.
    pub fn population(&self, name: &str) -> Option<&Population> {
        self.populations.get(name).map(|(population, _)| population)
    }

    /// The names of all populations.
    pub fn population_names(&self) -> impl Iterator<Item = &str> {
        self.populations.keys().map(String::as_str)
    }

    /// The names of all files of vectors.
    pub fn vector_file_names(&self) -> impl Iterator<Item = &str> {
        self.vector_files.iter().map(String::as_str)
    }

    /// The fixtures with the files they stand in.
    pub(super) fn fixtures(&self) -> impl Iterator<Item = (&Value, &Text)> {
        self.fixtures.values().map(|(fixture, text)| (fixture, text))
    }

    /// The populations with the files they stand in.
    pub(super) fn populations(&self) -> impl Iterator<Item = (&Population, &Text)> {
        self.populations.values().map(|(population, text)| (population, text))
    }

    /// Sixteen hexadecimal digits over every suite file, so that two reports show whether they ran the same suites.
    pub fn digest(&self) -> String {
        let mut hash = Sha256::new();
        for file in &self.suites {
            hash.update(file.file.as_bytes());
            hash.update(file.text().source().as_bytes());
        }
        hash.finalize().iter().take(8).map(|byte| format!("{byte:02x}")).collect()
    }

    /// The profiles by name.
    pub fn profiles(&self) -> &BTreeMap<String, Profile> {
        &self.profiles
    }
}

/// A file that was found: its name for people, its path below the root, its text.
struct Source {
    name: String,
    path: String,
    origin: Origin,
    text: Cow<'static, str>,
}

/// Everything found, by path, so that a user's file takes the place of an embedded one.
#[derive(Default)]
struct Files {
    suites: IndexMap<String, Source>,
    fixtures: IndexMap<String, Source>,
    populations: IndexMap<String, Source>,
    profiles: IndexMap<String, Source>,
    vectors: IndexMap<String, Source>,
}

impl Files {
    fn embed(&mut self, directory: &Dir<'static>) {
        for (path, text) in embedded_files(directory) {
            let source = Source { name: format!("suites/{path}"), path, origin: Origin::Embedded, text };
            self.sort(source);
        }
    }

    fn embed_fixtures(&mut self, directory: &Dir<'static>) {
        for (path, text) in embedded_files(directory) {
            let source = Source {
                name: format!("fixtures/{path}"),
                path: format!("fixtures/{path}"),
                origin: Origin::Embedded,
                text,
            };
            self.sort(source);
        }
    }

    fn add_user(&mut self, given: &Path, diagnostics: &mut Vec<Diagnostic>) {
        let mut found = Vec::new();
        let is_file = given.is_file();
        if is_file {
            found.push((given.to_owned(), file_name(given)));
        } else {
            find(given, "", 0, &mut found, diagnostics);
            if found.is_empty() && diagnostics.is_empty() {
                diagnostics.push(Diagnostic::about_file(
                    given.display().to_string(),
                    "no suite, fixture or profile stands in this directory",
                    Some("suites are files named *.yaml"),
                ));
            }
        }
        for (file, path) in found {
            let name = file.display().to_string();
            match read_text(&file) {
                Ok(text) => {
                    let path = path.strip_prefix("suites/").map(str::to_owned).unwrap_or(path);
                    self.sort(Source { name, path, origin: Origin::User, text: Cow::Owned(text) });
                }
                Err(trouble) => diagnostics.push(Diagnostic::about_file(name, trouble, None)),
            }
        }
    }

    /// Puts a file where it belongs by its path; what is no part of a suite is left alone.
    fn sort(&mut self, source: Source) {
        let yaml = is_yaml(&source.path);
        let kind = if let Some(fixture) = source.path.strip_prefix("fixtures/") {
            if yaml && is_in(fixture, "populations/") {
                &mut self.populations
            } else if yaml && is_in(fixture, "vectors/") {
                &mut self.vectors
            } else if fixture.ends_with(".json") && !fixture.contains('/') {
                &mut self.fixtures
            } else {
                return;
            }
        } else if yaml && (is_in(&source.path, "profiles/") || is_profile(&source)) {
            &mut self.profiles
        } else if source.path.starts_with("requirements/") || !yaml {
            return;
        } else {
            &mut self.suites
        };
        let mut source = source;
        if let Some(before) = kind.get(&source.path)
            && before.origin != Origin::User
        {
            source.origin = Origin::Replaced;
        }
        kind.insert(source.path.clone(), source);
    }

    fn read(self, diagnostics: &mut Vec<Diagnostic>) -> Library {
        let mut library = Library::default();
        for (_, source) in self.fixtures {
            let name = stem(&source.path);
            match serde_json::from_str(&source.text) {
                Ok(value @ Value::Object(_)) => {
                    library.fixtures.insert(name, (value, Text::new(source.name, source.text)));
                }
                Ok(_) => diagnostics.push(yaml::diagnostic_at(
                    &source.name,
                    &source.text,
                    Spot::START,
                    Severity::Error,
                    "a fixture is a JSON object",
                    None,
                )),
                Err(error) => diagnostics.push(json_trouble(&source, &error)),
            }
        }
        for (_, source) in self.populations {
            match yaml::read(&source.name, &source.text) {
                Ok(population) => {
                    let name = stem(&source.path);
                    library.populations.insert(name, (population, Text::new(source.name, source.text)));
                }
                Err(trouble) => diagnostics.push(*trouble),
            }
        }
        for (_, source) in self.profiles {
            match Profile::read(&source.name, &source.text) {
                Ok(mut profile) => {
                    profile.origin = source.origin;
                    library.profiles.insert(profile.name.clone(), profile);
                }
                Err(trouble) => diagnostics.push(*trouble),
            }
        }
        let mut vectors = vectors::Files::new(
            self.vectors.into_values().map(|source| (stem(&source.path), source.name, source.text)),
        );
        library.vector_files = vectors.names();
        for read in read_suites(self.suites.into_values().collect()) {
            match read {
                Ok(mut suite) => {
                    vectors.give_to(&mut suite.suite, diagnostics);
                    let own = library.profiles.values().filter(|profile| profile.origin == Origin::User);
                    suite.is_claimed = own.into_iter().any(|profile| profile.takes(&suite.path));
                    library.suites.push(suite);
                }
                Err(trouble) => diagnostics.push(*trouble),
            }
        }
        library
    }
}

/// Reads suite files on as many threads as there are processors, and keeps their order.
fn read_suites(sources: Vec<Source>) -> Vec<Result<SuiteFile, Box<Diagnostic>>> {
    let threads = std::thread::available_parallelism().map_or(1, usize::from).min(8);
    if threads == 1 || sources.len() < 4 {
        return sources.into_iter().map(SuiteFile::read).collect();
    }
    // Dealt by size, so that every thread has about as much to read.
    let mut order: Vec<(usize, Source)> = sources.into_iter().enumerate().collect();
    order.sort_by_key(|(_, source)| std::cmp::Reverse(source.text.len()));
    let mut hands: Vec<(usize, Vec<(usize, Source)>)> = (0..threads).map(|_| (0, Vec::new())).collect();
    for (index, source) in order {
        if let Some(hand) = hands.iter_mut().min_by_key(|(bytes, _)| *bytes) {
            hand.0 += source.text.len();
            hand.1.push((index, source));
        }
    }
    let mut read: Vec<(usize, Result<SuiteFile, Box<Diagnostic>>)> = std::thread::scope(|scope| {
        let workers: Vec<_> = hands
            .into_iter()
            .map(|(_, hand)| {
                scope.spawn(move || {
                    hand.into_iter()
                        .map(|(index, source)| (index, SuiteFile::read(source)))
                        .collect::<Vec<_>>()
                })
            })
            .collect();
        workers
            .into_iter()
            .flat_map(|worker| match worker.join() {
                Ok(read) => read,
                Err(panic) => std::panic::resume_unwind(panic),
            })
            .collect()
    });
    read.sort_by_key(|(index, _)| *index);
    read.into_iter().map(|(_, result)| result).collect()
}

/// The names of the settings in all texts and keys of a value.
fn settings_in(value: &Value) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    template::each_text_and_key(value, &mut |text| {
        names.extend(template::references(text).filter(|found| found.name == "setting").filter_map(
            |found| match found.path.first() {
                Some(template::Selector::Member(name)) => Some(name.clone()),
                _ => None,
            },
        ));
    });
    names
}

/// The files below an embedded directory, by path, in order.
pub(super) fn embedded_files(directory: &Dir<'static>) -> Vec<(String, Cow<'static, str>)> {
    fn collect(directory: &Dir<'static>, into: &mut Vec<(String, Cow<'static, str>)>) {
        for file in directory.files() {
            let path = file.path().to_string_lossy().replace('\\', "/");
            into.push((path, String::from_utf8_lossy(file.contents())));
        }
        for below in directory.dirs() {
            collect(below, into);
        }
    }
    let mut files = Vec::new();
    collect(directory, &mut files);
    files.sort_by(|(a, _), (b, _)| a.cmp(b));
    files
}

fn find(
    directory: &Path,
    prefix: &str,
    depth: usize,
    found: &mut Vec<(PathBuf, String)>,
    diagnostics: &mut Vec<Diagnostic>,
) {
    let trouble = |error: &std::io::Error| {
        Diagnostic::about_file(directory.display().to_string(), unreadable(error), None)
    };
    let entries = match fs::read_dir(directory) {
        Ok(entries) => entries,
        Err(error) => return diagnostics.push(trouble(&error)),
    };
    let mut names = Vec::new();
    for entry in entries {
        match entry.and_then(|entry| entry.file_type().map(|kind| (entry.path(), kind))) {
            Ok(entry) => names.push(entry),
            Err(error) => diagnostics.push(trouble(&error)),
        }
    }
    names.sort_by(|(a, _), (b, _)| a.cmp(b));
    for (path, kind) in names {
        let name = file_name(&path);
        if name.starts_with('.') {
            continue;
        }
        // Links to directories are not followed, so the search ends.
        if kind.is_dir() {
            if depth < MAX_DIRECTORIES {
                find(&path, &format!("{prefix}{name}/"), depth + 1, found, diagnostics);
            } else {
                diagnostics.push(Diagnostic::about_file(
                    path.display().to_string(),
                    "directories are nested too deeply here",
                    None,
                ));
            }
        } else if is_yaml(&name) || name.ends_with(".json") {
            found.push((path, format!("{prefix}{name}")));
        }
    }
}

fn unreadable(error: &std::io::Error) -> String {
    match error.kind() {
        std::io::ErrorKind::NotFound => "there is no such file or folder".to_owned(),
        _ => format!("this cannot be read: {error}"),
    }
}

fn read_text(file: &Path) -> Result<String, String> {
    let size = fs::metadata(file).map_err(|error| unreadable(&error))?.len();
    if size > yaml::MAX_FILE {
        return Err(format!("this is too large: {size} bytes, at most {} are read", yaml::MAX_FILE));
    }
    let bytes = fs::read(file).map_err(|error| unreadable(&error))?;
    String::from_utf8(bytes).map_err(|error| format!("this is no UTF-8 text: {error}"))
}

fn json_trouble(source: &Source, error: &serde_json::Error) -> Diagnostic {
    let text = error.to_string();
    let message = text.split(" at line ").next().unwrap_or(&text);
    yaml::diagnostic_at(
        &source.name,
        &source.text,
        spot_of(&source.text, error.line(), error.column()),
        Severity::Error,
        format!("this fixture is no JSON: {message}"),
        None,
    )
}

/// The spot that a reader of JSON names by a line, which a line feed alone ends, and a column in bytes.
fn spot_of(text: &str, line: usize, column: usize) -> Spot {
    let begin: usize = text.split_inclusive('\n').take(line.saturating_sub(1)).map(str::len).sum();
    let at = (begin + column.saturating_sub(1)).min(text.len());
    let at = (0..=at).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
    let before = &text[..at];
    let ends = before.replace("\r\n", "\n");
    let lines = ends.matches(['\n', '\r']).count();
    let since = before.rfind(['\n', '\r']).map_or(0, |end| end + 1);
    Spot {
        line: u32::try_from(lines + 1).unwrap_or(u32::MAX),
        column: u32::try_from(before[since..].chars().count() + 1).unwrap_or(u32::MAX),
        length: 1,
    }
}

/// Whether a file of the user's is a profile though it stands elsewhere: it begins as one.
fn is_profile(source: &Source) -> bool {
    let begins = |key: &str| source.text.lines().any(|line| line.starts_with(key));
    source.origin == Origin::User && begins("profile:") && !begins("suite:")
}

fn is_yaml(path: &str) -> bool {
    path.ends_with(".yaml") || path.ends_with(".yml")
}

fn is_in(path: &str, directory: &str) -> bool {
    path.strip_prefix(directory).is_some_and(|name| !name.contains('/'))
}

fn stem(path: &str) -> String {
    let name = path.rsplit('/').next().unwrap_or(path);
    name.rsplit_once('.').map_or(name, |(stem, _)| stem).to_owned()
}

fn file_name(path: &Path) -> String {
    path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_in_a_fixture_is_shown_at_its_character() {
        for (text, line, column) in [
            ("{\"ä日本\": x}", 1, 9),
            ("{\r\n  \"ö\": x}", 2, 8),
            ("{\r  \"ö\": x}", 2, 8),
            ("{\"a\": \"日\u{1}\"}", 1, 9),
            ("{\"日本\": ", 1, 7),
        ] {
            let texts = [("fixtures/x.json".to_owned(), text.to_owned())];
            let diagnostics = Library::of_texts(texts).expect_err("it is no JSON");
            let place = &diagnostics[0].place;
            assert_eq!((place.line, place.column), (line, column), "{text:?}: {}", diagnostics[0]);
        }
    }
}
