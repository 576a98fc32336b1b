//! Where suites cite requirements, vendors' statements and disputes: the index from an id back to the cases.
//!
//! Every place counts that the format has: suite, case, row, vector, step, expectation, check. It refuses to know whether a
//! citation is earned; that is [`super::proof`].

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::suite::load::Library;
use crate::suite::model::{Case, Expect, Step};

/// Which cases cite an id, by the id.
#[derive(Debug, Default)]
pub struct Citations {
    by_id: BTreeMap<String, Vec<Citation>>,
}

/// A case that cites an id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Citation {
    /// The case: `create/user`.
    pub case: String,
    /// The row or vector of it that alone does, where it is one.
    pub row: Option<String>,
    /// Whether it is a rule, judged over every exchange.
    pub rule: bool,
}

impl Citation {
    /// The id of what cites: `create/user`, `filter/operators[eq]`.
    pub fn id(&self) -> String {
        match &self.row {
            Some(row) => format!("{}[{row}]", self.case),
            None => self.case.clone(),
        }
    }
}

impl Citations {
    /// What all suites of a library cite.
    pub fn of(library: &Library) -> Citations {
        let mut citations = Citations::default();
        for file in library.suites() {
            for (index, case) in file.suite.cases.iter().enumerate() {
                let mut ids: BTreeSet<&str> = BTreeSet::new();
                ids.extend(file.suite.spec.iter().map(String::as_str));
                // The steps of actions stand in the forms of a case, and its own stand in each of them.
                for (_, formed) in file.forms_of(index) {
                    of_case(formed, &mut ids);
                }
                let by = |row: Option<&str>| Citation {
                    case: file.case_id(case),
                    row: row.map(str::to_owned),
                    rule: case.rule.is_some(),
                };
                for id in &ids {
                    citations.note(id, by(None));
                }
                for vector in case.vectors.iter().flat_map(|vectors| &vectors.trials) {
                    let disputes = vector.said.get("ambiguity").and_then(Value::as_array);
                    let disputes = disputes.into_iter().flatten().filter_map(Value::as_str);
                    let own: BTreeSet<&str> =
                        vector.spec.iter().map(String::as_str).chain(disputes).collect();
                    for id in own.difference(&ids) {
                        citations.note(id, by(Some(&vector.id)));
                    }
                }
                for row in &case.rows {
                    let mut own: BTreeSet<&str> = row.spec.iter().map(String::as_str).collect();
                    row.expect.values().for_each(|expect| of_expect(expect, &mut own));
                    for id in own.difference(&ids) {
                        citations.note(id, by(Some(&row.id)));
                    }
                }
            }
        }
        citations
    }

    /// The cases that cite an id, in the order of the files.
    pub fn of_id(&self, id: &str) -> &[Citation] {
        self.by_id.get(id).map(Vec::as_slice).unwrap_or_default()
    }

    /// Every id that is cited.
    pub fn ids(&self) -> impl Iterator<Item = &str> {
        self.by_id.keys().map(String::as_str)
    }

    fn note(&mut self, id: &str, citation: Citation) {
        self.by_id.entry(id.to_owned()).or_default().push(citation);
    }
}

/// What a case cites anywhere but in its rows.
fn of_case<'s>(case: &'s Case, ids: &mut BTreeSet<&'s str>) {
    ids.extend(case.spec.iter().chain(&case.source).map(String::as_str));
    case.setup.iter().chain(&case.steps).for_each(|step| of_step(step, ids));
}

fn of_step<'s>(step: &'s Step, ids: &mut BTreeSet<&'s str>) {
    ids.extend(step.spec.iter().chain(&step.source).map(String::as_str));
    step.expect.iter().for_each(|expect| of_expect(expect, ids));
}

/// What an expectation cites, in all its blocks. Their nesting is that of a file that was read, which is bounded.
fn of_expect<'s>(expect: &'s Expect, ids: &mut BTreeSet<&'s str>) {
    ids.extend(expect.spec.iter().chain(&expect.amb).map(String::as_str));
    let of_never = expect
        .never
        .iter()
        .flat_map(|never| never.spec.iter().chain(never.checks.iter().flat_map(|check| &check.spec)));
    ids.extend(of_never.map(String::as_str));
    let checks = expect.checks.iter().chain(expect.any.iter().flat_map(|alternative| &alternative.checks));
    ids.extend(checks.flat_map(|check| &check.spec).map(String::as_str));
    expect.also.iter().for_each(|also| of_expect(also, ids));
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use regex::Regex;

    use super::*;
    use crate::requirement::Catalogue;

    #[test]
    fn every_id_that_stands_in_a_suite_is_found() {
        let library = Library::embedded().unwrap();
        let citations = Citations::of(&library);
        let found: HashSet<&str> = citations.ids().collect();
        let id = Regex::new(r"\b(RFC\d+-[0-9A-Z.]+-\d+|AMB-\d+)\b").unwrap();
        let mut missed = Vec::new();
        for file in library.suites() {
            let lines = file.text().source().lines().filter(|line| {
                let line = line.trim_start();
                !line.starts_with('#') && (line.contains("spec:") || line.contains("amb:"))
            });
            for line in lines {
                let cited = id.find_iter(line).map(|found| found.as_str());
                missed
                    .extend(cited.filter(|id| !found.contains(id)).map(|id| format!("{}: {id}", file.file)));
            }
        }
        assert!(
            missed.is_empty(),
            "a place that cites is not looked at by this module:\n{}",
            missed.join("\n")
        );
    }

    #[test]
    fn narrow_places_and_rows_count() {
        let directory = tempfile::tempdir().unwrap();
        let suite = "\
suite: mine
title: x
spec: [RFC7644-3.3-01]
cases:
  - id: a
    title: b
    spec: [RFC7644-3.3-07]
    rows:
      - {id: one, spec: [RFC7644-3.3-08], data: {x: 1}}
      - {id: two, spec: [RFC7644-3.3-07], data: {x: 2}}
    steps:
      - send: GET /Users
        spec: [RFC7644-3.3-09]
        expect:
          status: 200
          spec: [RFC7644-3.4.1-01]
          amb: [AMB-1]
          checks: [{path: $.id, present: true, spec: [RFC7644-3.4.1-02]}]
          never: [{because: x, status: 500, spec: [RFC7644-3.12-01]}]
          also: [{title: y, any: [{name: z, checks: [{path: $.id, present: true, spec: [RFC7643-3.1-05]}]}]}]
";
        std::fs::write(directory.path().join("mine.yaml"), suite).unwrap();
        let library = Library::load(&[directory.path().to_owned()]).unwrap();
        let citations = Citations::of(&library);
        let by = |id: &str| -> Vec<String> {
            citations.of_id(id).iter().map(Citation::id).filter(|id| id.starts_with("mine/")).collect()
        };
        for id in [
            "RFC7644-3.3-01",
            "RFC7644-3.3-07",
            "RFC7644-3.3-09",
            "RFC7644-3.4.1-01",
            "RFC7644-3.4.1-02",
            "RFC7644-3.12-01",
            "RFC7643-3.1-05",
            "AMB-1",
        ] {
            assert_eq!(by(id), ["mine/a"], "{id}");
        }
        assert_eq!(by("RFC7644-3.3-08"), ["mine/a[one]"]);
        assert!(Catalogue::embedded().get("RFC7644-3.3-08").is_some());
    }

    #[test]
    fn a_rule_is_told_from_a_case() {
        let citations = Citations::of(&Library::embedded().unwrap());
        let cited = citations.of_id("RFC7644-3.12-01");
        assert!(cited.iter().any(|one| one.rule && one.case == "rules/no-server-error"), "{cited:?}");
    }
}
