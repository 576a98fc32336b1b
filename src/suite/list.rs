//! The cases of a profile as a list, for people and for programs.

use std::fmt::Write as _;
use std::sync::atomic::{AtomicUsize, Ordering};

use schemars::JsonSchema;
use serde::Serialize;

use super::load::{Library, SuiteFile};
use crate::outcome::{Level, Place};
use crate::plan::each;
use crate::profile::Profile;
use crate::requirement::Catalogue;

/// One case in a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Entry {
    /// The permanent id: `suite/case`.
    pub id: String,
    /// How strongly it binds.
    pub level: Level,
    /// The case in plain words.
    pub title: String,
    /// The requirements that it cites, with those of its suite.
    pub spec: Vec<String>,
    /// Where it is documented otherwise.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub source: Vec<String>,
    /// Its tags, with those of its suite.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<String>,
    /// The ids of its rows; each becomes a trial of its own. Of those, the ones that are selected.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub rows: Vec<String>,
    /// Which attributes of the service provider's /Schemas it is tried with, each a trial of its own:
    /// `an attribute of User with mutability immutable`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub for_each: Option<String>,
    /// The wire forms that it is run in, each a trial of its own: `suite/case@put`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub forms: Vec<String>,
    /// Whether it is a rule, judged over every exchange of the run.
    pub rule: bool,
    /// Whether `rows` are vectors of a file.
    #[serde(skip)]
    pub vectors: bool,
    /// How many trials it has, and those that are selected where that is not all of them.
    #[serde(skip)]
    pub narrowed: Option<(usize, Vec<Trial>)>,
    /// The suite file that it stands in.
    pub file: String,
    /// Where in it, if that was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub place: Option<Place>,
}

/// One trial of a case, where only some are selected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trial {
    /// Its id: `suite/case[row]`.
    pub id: String,
    /// How strongly it binds.
    pub level: Level,
    /// It in plain words.
    pub title: String,
}

impl Entry {
    /// Leaves out the trials that are not among those selected.
    pub fn narrow(&mut self, selected: &[Trial]) {
        let of = |row: &String| format!("{}[{row}]", self.id);
        let chosen: Vec<Trial> = self
            .rows
            .iter()
            .filter_map(|row| selected.iter().find(|trial| trial.id == of(row)).cloned())
            .collect();
        if chosen.is_empty() || chosen.len() == self.rows.len() {
            return;
        }
        let all = self.rows.len();
        self.rows =
            self.rows.iter().filter(|row| chosen.iter().any(|trial| trial.id == of(row))).cloned().collect();
        self.narrowed = Some((all, chosen));
    }
}

/// The cases of a profile, in the order of the files; with their places only where these are wanted, since they take
/// as long to find as the suites take to read.
pub fn entries(library: &Library, profile: &Profile, catalogue: &Catalogue, places: bool) -> Vec<Entry> {
    if places {
        prepare(library, profile);
    }
    let mut entries = Vec::new();
    for file in library.suites() {
        for (index, case) in file.suite.cases.iter().enumerate() {
            if !profile.includes(file, case) {
                continue;
            }
            let both = |of_suite: &[String], of_case: &[String]| {
                let mut all = of_suite.to_vec();
                all.extend(of_case.iter().filter(|one| !of_suite.contains(one)).cloned());
                all
            };
            entries.push(Entry {
                id: file.case_id(case),
                level: catalogue.level_of(&file.suite, case),
                title: case.title.clone(),
                spec: both(&file.suite.spec, &case.spec),
                source: case.source.clone(),
                tags: both(&file.suite.tags, &case.tags),
                rows: case.trial_ids().map(str::to_owned).collect(),
                for_each: case.for_each.as_ref().map(|for_each| each::wanted(&for_each.attribute)),
                forms: file
                    .forms_of(index)
                    .into_iter()
                    .filter_map(|(form, _)| form)
                    .filter(|form| profile.takes_form(Some(form)))
                    .map(str::to_owned)
                    .collect(),
                rule: case.rule.is_some(),
                vectors: case.vectors.is_some(),
                narrowed: None,
                file: file.file.clone(),
                place: places.then(|| file.place(&format!("cases[{index}].id"))),
            });
        }
    }
    entries
}

/// Reads the places on as many threads as there are processors. They are read on first use anyway; together they take
/// as long as the suites themselves, and a list should be there at once.
fn prepare(library: &Library, profile: &Profile) {
    let included = |file: &&SuiteFile| file.suite.cases.iter().any(|case| profile.includes(file, case));
    let work: Vec<&SuiteFile> = library.suites().iter().filter(included).collect();
    let next = AtomicUsize::new(0);
    let take = || {
        while let Some(one) = work.get(next.fetch_add(1, Ordering::Relaxed)) {
            one.text().places();
        }
    };
    let threads = std::thread::available_parallelism().map_or(1, usize::from).min(8);
    std::thread::scope(|scope| {
        for _ in 1..threads {
            scope.spawn(take);
        }
        take();
    });
}

/// The list as text: a heading a suite, a line a case, the counts at the end.
pub fn text(entries: &[Entry]) -> String {
    let width = entries.iter().map(|entry| entry.id.chars().count()).max().unwrap_or(0).min(48);
    let mut text = String::new();
    let mut file = "";
    for entry in entries {
        if entry.file != file {
            file = &entry.file;
            let gap = if text.is_empty() { "" } else { "\n" };
            let _ = writeln!(text, "{gap}{file}");
        }
        let kind = if entry.vectors { "vectors" } else { "rows" };
        let rows = match (entry.rows.len(), &entry.narrowed) {
            (n, Some((all, _))) => format!(" ({n} of {all} {kind})"),
            (0, None) if entry.for_each.is_some() => " (for each attribute)".to_owned(),
            (0, None) => String::new(),
            (n, None) => format!(" ({n} {kind})"),
        };
        let forms = match entry.forms.as_slice() {
            [] => String::new(),
            forms => format!(" (@{})", forms.join(", @")),
        };
        let _ = writeln!(
            text,
            "  {:<width$}  {:<6}  {}{forms}{rows}",
            entry.id,
            entry.level.to_string(),
            entry.title
        );
        for trial in entry.narrowed.iter().flat_map(|(_, trials)| trials) {
            let Trial { id, level, title } = trial;
            let _ = writeln!(
                text,
                "    {id:<0$}  {level:<6}  {title}",
                width.saturating_sub(2),
                level = level.to_string()
            );
        }
    }
    let (must, should, may) =
        entries.iter().fold((0, 0, 0), |(must, should, may), entry| match entry.level {
            Level::Must => (must + 1, should, may),
            Level::Should => (must, should + 1, may),
            Level::May => (must, should, may + 1),
        });
    let suites = {
        let mut files: Vec<&str> = entries.iter().map(|entry| entry.file.as_str()).collect();
        files.dedup();
        files.len()
    };
    let _ = writeln!(
        text,
        "\n{} cases in {suites} suites: {must} must, {should} should, {may} may",
        entries.len()
    );
    text
}

/// The list as JSON.
pub fn json(entries: &[Entry]) -> String {
    format!("{:#}\n", serde_json::json!({ "cases": entries }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_case_stands_once_with_its_place() {
        let library = Library::embedded().unwrap();
        let profile = Profile::by_name(&library, "rfc").unwrap();
        let entries = entries(&library, profile, Catalogue::embedded(), true);
        assert_eq!(entries.len(), profile.cases(&library).count());
        let first = entries.first().unwrap();
        let source = library.suites().iter().find(|file| file.file == first.file).unwrap().text().source();
        let line = source.lines().nth(first.place.as_ref().unwrap().line as usize - 1).unwrap();
        assert!(line.contains(first.id.split('/').nth(1).unwrap()), "{line}");
        let text = text(&entries);
        assert!(text.lines().count() >= entries.len() + 2);
        assert!(text.contains(&format!("{} cases in ", entries.len())), "{text}");
        let json: serde_json::Value = serde_json::from_str(&json(&entries)).unwrap();
        assert_eq!(json["cases"].as_array().unwrap().len(), entries.len());
    }
}
