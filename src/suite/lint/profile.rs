//! Looks through a profile: whether what it names is there, whether what it says can ever apply.

use std::collections::BTreeSet;

use globset::{Glob, GlobMatcher};
use serde_json::Value;
use url::Url;

use super::super::load::{Library, SuiteFile};
use super::super::model::{Action, Case, Expect};
use super::super::nearest::suggestion;
use super::case::id;
use super::expectation::{self, Place};
use super::names::{Condition, Names};
use super::{Known, Report};
use crate::profile::deviation::{NoStep, Request, Subject};
use crate::profile::{Deviation, Profile};
use crate::server::ServerProfile;

/// Everything that is wrong with a profile.
pub(super) fn profile(report: &mut Report<'_>, library: &Library, known: Known<'_>, profile: &Profile) {
    id(report, "profile", &profile.name);
    let file = profile.text().file();
    let stem = file.rsplit(['/', '\\']).next().unwrap_or(file).split('.').next().unwrap_or(file);
    if stem != profile.name {
        let hint = Some(format!("call the file {}.yaml", profile.name));
        report.warn("profile", format!("the file of the profile `{}` is called {stem}", profile.name), hint);
    }
    selection(report, library, profile);
    features(report, library, profile);
    numbers(report, profile);
    settings(report, library, profile);
    if let Some(server) = &profile.server
        && let Err(unknown) = ServerProfile::from_name(server)
    {
        let hint = suggestion(server, unknown.known.iter().copied());
        report.error("server", format!("there is no double called `{server}`"), hint);
    }
    for (index, deviation) in profile.deviations.iter().enumerate() {
        let twin = profile.deviations[..index].iter().position(|other| is_same(other, deviation));
        Look { report, library, known, profile, deviation, path: &format!("deviations[{index}]") }.all(twin);
    }
}

/// Whether two deviations are about the same answers.
fn is_same(one: &Deviation, other: &Deviation) -> bool {
    (&one.case, &one.step, &one.rule, &one.on, &one.finding)
        == (&other.case, &other.step, &other.rule, &other.on, &other.finding)
}

/// Suites, cases, tags and skips: each selects something.
fn selection(report: &mut Report<'_>, library: &Library, profile: &Profile) {
    if profile.suites.is_empty() {
        let hint = Some("such as `suites: [\"rfc7644/**\"]`; 'scimspec list' shows the files".to_owned());
        report.key_error("suites", "a profile without suites tests nothing", hint);
    }
    for (index, glob) in profile.suites.iter().enumerate() {
        let Some(matcher) = matcher(glob) else { continue };
        if !library.suites().iter().any(|file| matcher.is_match(&file.path)) {
            let begin = |file: &SuiteFile| file.path.split('/').next().map(|name| format!("{name}/**"));
            let all: BTreeSet<String> = library.suites().iter().filter_map(begin).collect();
            let hint = suggestion(glob, all.iter().map(String::as_str));
            report.error(&format!("suites[{index}]"), format!("no suite is called `{glob}`"), hint);
        }
    }
    let ids = |any: bool| -> Vec<String> {
        let taken = |file: &&SuiteFile| any || profile.takes(&file.path);
        let files = library.suites().iter().filter(taken);
        files.flat_map(|file| file.suite.cases.iter().map(|case| file.case_id(case))).collect()
    };
    let (selected, all) = (ids(false), ids(true));
    for (key, globs) in [("cases", &profile.cases), ("skip", &profile.skip)] {
        for (index, glob) in globs.iter().enumerate() {
            let Some(matcher) = matcher(glob) else { continue };
            if selected.iter().any(|id| matcher.is_match(id)) {
                continue;
            }
            let (message, hint) = if all.iter().any(|id| matcher.is_match(id)) {
                let hint = "add its suite file to `suites`".to_owned();
                (format!("no suite of this profile has a case `{glob}`"), Some(hint))
            } else {
                let suites: BTreeSet<String> =
                    library.suites().iter().map(|file| format!("{}/*", file.suite.suite)).collect();
                let known = all.iter().chain(&suites).map(String::as_str);
                (format!("there is no case `{glob}`"), suggestion(glob, known))
            };
            report.error(&format!("{key}[{index}]"), message, hint);
        }
    }
    let tags = tags_of(library.suites().iter().filter(|file| profile.takes(&file.path)));
    for (index, tag) in profile.tags.iter().enumerate() {
        if !tags.contains(tag.as_str()) {
            report.unknown(&format!("tags[{index}]"), "case with the tag", tag, tags.iter().copied());
        }
    }
}

fn tags_of<'l>(files: impl Iterator<Item = &'l SuiteFile>) -> BTreeSet<&'l str> {
    files
        .flat_map(|file| file.suite.tags.iter().chain(file.suite.cases.iter().flat_map(|case| &case.tags)))
        .map(String::as_str)
        .collect()
}

/// As a profile compiles it; a malformed one was reported when the profile was read.
fn matcher(glob: &str) -> Option<GlobMatcher> {
    Glob::new(glob).ok().map(|glob| glob.compile_matcher())
}

/// Each feature has tags, and each tag a case.
fn features(report: &mut Report<'_>, library: &Library, profile: &Profile) {
    let mut tags: BTreeSet<&str> = BTreeSet::new();
    for (file, case) in profile.cases(library) {
        tags.extend(file.suite.tags.iter().chain(&case.tags).map(String::as_str));
    }
    for (name, feature) in &profile.features {
        let path = format!("features.{name}");
        if feature.tags.is_empty() {
            let hint = Some("add the tags of the cases that decide about it".to_owned());
            report.key_error(&format!("{path}.tags"), format!("the feature `{name}` has no tags"), hint);
        }
        for (index, tag) in feature.tags.iter().enumerate() {
            if !tags.contains(tag.as_str()) {
                let at = format!("{path}.tags[{index}]");
                report.error(
                    &at,
                    format!("no case of this profile has the tag `{tag}`"),
                    suggestion(tag, tags.iter().copied()),
                );
            }
        }
    }
}

/// Sizes of pages and limits.
fn numbers(report: &mut Report<'_>, profile: &Profile) {
    if let Some(page) = &profile.page_size {
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
        if page.parameter.is_empty() || !page.parameter.chars().all(plain) {
            let message = format!("`{}` cannot be the name of a query parameter", page.parameter);
            report.error("page-size.parameter", message, Some("such as `pageSize`".to_owned()));
        }
        for (key, number) in [("max", page.max), ("default", page.default)] {
            if number == Some(0) {
                report.error(&format!("page-size.{key}"), "a page of nothing holds no list", None);
            }
        }
        if let (Some(max), Some(default)) = (page.max, page.default)
            && max < default
        {
            let hint = Some(format!("`max` holds whatever is asked for: at least {default}"));
            report.error("page-size.max", format!("at most {max} rows, and {default} by default"), hint);
        }
    }
    if profile.limits.requests == Some(0) {
        let hint = Some("leave it out for no limit".to_owned());
        report.error("limits.requests", "a run without requests tests nothing", hint);
    }
}

/// Settings have sound names and values, and somebody asks for them.
fn settings(report: &mut Report<'_>, library: &Library, profile: &Profile) {
    let mut asked: BTreeSet<&str> = BTreeSet::new();
    for (file, case) in profile.cases(library) {
        asked.extend(file.settings_of(case));
    }
    for (name, setting) in &profile.settings {
        let path = format!("settings.{name}");
        let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
        if name.is_empty() || !name.chars().all(fits) {
            let hint = Some("letters, digits, - and _".to_owned());
            report.key_error(&path, format!("`{name}` cannot be the name of a setting"), hint);
        }
        if matches!(setting.default, Some(Value::Object(_) | Value::Array(_) | Value::Null)) {
            let hint = Some("a text, a number, true or false".to_owned());
            report.error(&format!("{path}.default"), "a setting is a single value", hint);
        }
        if !asked.contains(name.as_str()) {
            let hint = Some(format!("a case says `${{setting.{name}}}`, or the setting can go"));
            report.key_warn(&path, format!("no case of this profile asks for `{name}`"), hint);
        }
    }
}

/// One deviation.
struct Look<'r, 'd, 'l> {
    report: &'r mut Report<'d>,
    library: &'l Library,
    known: Known<'l>,
    profile: &'l Profile,
    deviation: &'l Deviation,
    path: &'r str,
}

impl<'l> Look<'_, '_, 'l> {
    fn at(&self, key: &str) -> String {
        format!("{}.{key}", self.path)
    }

    fn all(&mut self, twin: Option<usize>) {
        if let Some(twin) = twin {
            let first = self.report.text.places().spot(&format!("deviations[{twin}]")).line;
            let hint = Some(format!("the first stands in line {first}; let one say it all"));
            self.report.error(self.path, "a second deviation about the same answers never applies", hint);
        }
        self.citations();
        if self.deviation.why.trim().is_empty() {
            let hint = Some("reports show it beside the citation".to_owned());
            self.report.error(&self.at("why"), "the reason is empty", hint);
        }
        match self.deviation.subject() {
            Some(Subject::Case { id, .. }) => self.case(id),
            Some(Subject::Rule { id, on, .. }) => self.rule(id, on),
            None => {
                let hint = Some("add `case: suite/case`, or `rule: rules/name` with `on`".to_owned());
                if self.deviation.case.is_some() {
                    self.report.key_error(&self.at("rule"), "`case` and `rule` exclude each other", hint);
                } else {
                    self.report.error(self.path, "a deviation is about a `case` or a `rule`", hint);
                }
            }
        }
    }

    /// Where it is documented: in the catalogue, or at an address.
    fn citations(&mut self) {
        let cite = &self.deviation.cite;
        if cite.is_empty() {
            let hint = Some("ids of the vendor's catalogue, or links to its documents".to_owned());
            self.report.key_error(&self.at("cite"), "a deviation without a citation is a failure", hint);
        }
        for (index, id) in cite.iter().enumerate() {
            let is_link = Url::parse(id).is_ok_and(|url| matches!(url.scheme(), "http" | "https"));
            if !is_link && self.known.catalogue.source(id).is_none() {
                let hint = match self.known.catalogue.nearest_source(id) {
                    Some(near) => format!("did you mean `{near}`?"),
                    None => "an id of the catalogue, or a link: https://…".to_owned(),
                };
                let at = self.at(&format!("cite[{index}]"));
                self.report.error(&at, format!("there is no source `{id}`"), Some(hint));
            }
        }
    }

    fn misplaced(&mut self, key: &str, of: &str) {
        let message = format!("`{key}` belongs to a deviation from a {of}");
        self.report.key_error(&self.at(key), message, Some("leave it out".to_owned()));
    }

    fn case(&mut self, id: &str) {
        if !self.deviation.on.is_empty() {
            self.misplaced("on", "rule");
        }
        if self.deviation.finding.is_some() {
            self.misplaced("finding", "rule");
        }
        let Some((file, case)) = self.find(id, |file, case| {
            !matches!(self.deviation.step_of(&file.suite.suite, case), Err(NoStep::OtherCase))
        }) else {
            return;
        };
        if case.rule.is_some() {
            let hint = Some(format!("write `rule: {id}`, and `on` with the requests"));
            return self.report.key_error(&self.at("case"), format!("`{id}` is a rule"), hint);
        }
        if let Some((_, row)) = id.split_once('[') {
            let row = row.trim_end_matches(']');
            if !case.rows.iter().any(|known| known.id == row) {
                let rows = case.rows.iter().map(|row| row.id.as_str());
                return self.report.unknown(&self.at("case"), "row", row, rows);
            }
        }
        // As it runs: with the steps of its actions in place, in each wire form.
        let index = file.suite.cases.iter().position(|other| other.id == case.id).unwrap_or_default();
        let forms = file.forms_of(index);
        let suite = &file.suite.suite;
        let step_of = |case: &Case| self.deviation.step_of(suite, case);
        let found = forms.iter().find(|(_, case)| step_of(case).is_ok()).or(forms.first());
        let case = found.map_or(case, |(_, case)| *case);
        match step_of(case) {
            Ok(step) => self.instead_of(file, case, step),
            Err(NoStep::OtherCase) => {}
            Err(NoStep::Unknown { known }) => {
                let step = self.deviation.step.as_deref().unwrap_or_default();
                let hint = if known.is_empty() {
                    Some("none of its steps has an id; say which it is: 1, 2, …".to_owned())
                } else {
                    suggestion(step, known.iter().map(String::as_str))
                };
                self.report.error(&self.at("step"), format!("`{id}` has no step `{step}`"), hint);
            }
            Err(NoStep::Several { known }) => {
                let hint = if known.is_empty() {
                    "say which: `step: 1` is the first".to_owned()
                } else {
                    format!("add `step`: {}", known.join(", "))
                };
                let message = format!("several steps of `{id}` expect something");
                self.report.error(&self.at("case"), message, Some(hint));
            }
            Err(NoStep::NothingExpected) => {
                let hint = Some("name another `step`".to_owned());
                let message = format!("nothing is expected there that could be documented otherwise: `{id}`");
                self.report.error(&self.at("case"), message, hint);
            }
        }
    }

    fn rule(&mut self, id: &str, on: &[Request]) {
        if self.deviation.step.is_some() {
            self.misplaced("step", "case");
        }
        if on.is_empty() {
            let hint = Some("such as `on: [POST /Groups]`".to_owned());
            self.report.key_error(
                &self.at("rule"),
                "the requests are missing whose answers are documented",
                hint,
            );
        }
        let Some((_, case)) = self.find(id, |file, case| file.case_id(case) == id) else { return };
        if case.rule.is_none() {
            let hint = Some(format!("write `case: {id}`"));
            return self.report.key_error(&self.at("rule"), format!("`{id}` is no rule"), hint);
        }
        let mut names = Names::new(&[]);
        names.know_settings(self.library);
        self.instead(&names, false, false);
        let stands_on = |expect: &Expect| {
            expect.becomes.is_some() || expect.list.as_ref().is_some_and(|list| list.ours.is_some())
        };
        if stands_on(&self.deviation.instead) {
            let hint = Some("use `status`, `body` or `checks`".to_owned());
            let message = "a rule knows no resources of a case to compare with";
            self.report.key_error(&self.at("instead"), message, hint);
        }
    }

    /// The case that is meant, if it is there and the profile selects it.
    fn find(
        &mut self,
        id: &str,
        is_it: impl Fn(&SuiteFile, &Case) -> bool,
    ) -> Option<(&'l SuiteFile, &'l Case)> {
        let key = if self.deviation.rule.is_some() { "rule" } else { "case" };
        let all = || {
            self.library
                .suites()
                .iter()
                .flat_map(|file| file.suite.cases.iter().map(move |case| (file, case)))
        };
        let Some((file, case)) = all().find(|(file, case)| is_it(file, case)) else {
            let mut known: Vec<String> = Vec::new();
            for (file, case) in all().filter(|(_, case)| key == "case" || case.rule.is_some()) {
                known.push(file.case_id(case));
                let checkpoints = case.steps.iter().filter_map(|step| step.checkpoint.as_ref());
                known.extend(checkpoints.map(|name| format!("{}/{name}", file.suite.suite)));
            }
            self.report.unknown(&self.at(key), key, id, known.iter().map(String::as_str));
            return None;
        };
        if !self.profile.includes(file, case) {
            let hint = Some("add it to `suites` or `cases`, or leave the deviation out".to_owned());
            let message = format!("the profile does not run `{id}`, so this never applies");
            self.report.error(&self.at(key), message, hint);
        }
        Some((file, case))
    }

    fn instead_of(&mut self, file: &'l SuiteFile, case: &'l Case, step: usize) {
        let Some(step) = case.steps.get(step) else { return };
        if step.expect.as_ref() == Some(&self.deviation.instead) && case.rows.is_empty() {
            let hint = Some("leave the deviation out".to_owned());
            let message = "this is what the case expects, so it never applies";
            self.report.key_error(&self.at("instead"), message, hint);
        }
        let filter = matches!(step.action(), Ok(Action::Query(query)) if query.filter.is_some());
        let names = super::case::names_of(self.library, self.known, file, case);
        let pages = matches!(step.action(), Ok(Action::Paginate(_)));
        self.instead(&names, filter, pages);
    }

    fn instead(&mut self, names: &Names<'_>, filter: bool, pages: bool) {
        // What holds only under a condition of the case is there under the same condition here.
        let condition = Condition::anything();
        let place = Place { known: self.known, names, condition: &condition, cited: &[], filter, pages };
        let path = self.at("instead");
        expectation::expect(self.report, place, &path, &self.deviation.instead);
    }
}
