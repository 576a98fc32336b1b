//! `run.json`: the report as it stands, the primary artefact from which all others can be made again.

use std::path::Path;

use serde_json::Value;

use super::file::{self, WriteError};
use super::model::RunReport;

/// The report as JSON text, ending in a line feed.
///
/// # Errors
/// None that input could cause: every member of the report has a JSON form.
pub fn render(report: &RunReport) -> Result<String, serde_json::Error> {
    let mut text = serde_json::to_string_pretty(report)?;
    text.push('\n');
    Ok(text)
}

/// Writes the report, replacing the file as a whole. Missing folders are made.
///
/// # Errors
/// When the file cannot be written; an older one is left as it was.
pub fn write(report: &RunReport, path: &Path) -> Result<(), WriteError> {
    let text = render(report).map_err(|error| file::failed(path, std::io::Error::other(error)))?;
    file::replace(path, text.as_bytes())
}

/// The JSON Schema of the report: `schema/report.schema.json`.
pub fn schema() -> Value {
    let mut schema = schemars::schema_for!(RunReport);
    schema.insert("title".to_owned(), "A report of scimspec".into());
    schema.to_value()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::outcome::{Difference, ErrorCause, Outcome, SkipReason, Verdict};
    use crate::report::model::BODY_LIMIT;
    use crate::report::sample;

    #[test]
    fn the_report_reads_back_as_it_was_written() {
        let report = sample::report();
        let text = render(&report).unwrap();
        assert_eq!(serde_json::from_str::<RunReport>(&text).unwrap(), report);
    }

    /// The longest text in a JSON value.
    fn longest(value: &Value) -> usize {
        match value {
            Value::String(text) => text.len(),
            Value::Array(elements) => elements.iter().map(longest).max().unwrap_or(0),
            Value::Object(members) => members.values().map(longest).max().unwrap_or(0),
            _ => 0,
        }
    }

    #[test]
    fn every_text_that_a_service_provider_has_a_hand_in_is_bounded() {
        let long = "long ".repeat(100_000);
        let mut failed = sample::status_failure();
        failed.findings[0].differences =
            vec![Difference { path: long.clone(), expected: long.clone(), actual: long.clone() }];
        let errored = |id: &str, verdict| Outcome { id: id.to_owned(), verdict, ..sample::errored() };
        let reason = SkipReason::BlockedBy { case: "create/x".to_owned(), detail: long.clone() };
        let outcomes = [
            failed,
            errored("a/inconclusive", Verdict::Inconclusive { why: long.clone() }),
            errored(
                "a/errored",
                Verdict::Errored { cause: ErrorCause::Precondition { detail: long.clone() } },
            ),
            errored("a/skipped", Verdict::Skipped { reason }),
        ];
        let mut exchanges = sample::exchanges();
        let mut first = (*exchanges[0]).clone();
        first.request.headers.push((long.clone(), long.clone()));
        exchanges[0] = first.into();
        let report = serde_json::to_value(sample::report_of(&outcomes, &exchanges, false)).unwrap();
        assert!(longest(&report) < BODY_LIMIT + 64, "{} bytes", longest(&report));
    }

    #[test]
    fn the_report_keeps_its_own_schema() {
        let validator = jsonschema::validator_for(&schema()).unwrap();
        let mut instance = serde_json::to_value(sample::report()).unwrap();
        let errors: Vec<String> =
            validator.iter_errors(&instance).map(|e| format!("{e} at {}", e.instance_path())).collect();
        assert!(errors.is_empty(), "{errors:#?}");
        instance["outcomes"][0]["verdict"]["kind"] = "splendid".into();
        assert!(!validator.is_valid(&instance), "the schema refuses an unknown verdict");
    }

    #[test]
    fn the_schema_of_the_report_is_committed() {
        crate::committed::hold_schema("report", &format!("{:#}\n", schema()));
    }

    #[test]
    fn folders_are_made_and_an_older_report_is_replaced() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a/b/run.json");
        write(&sample::report(), &path).unwrap();
        write(&sample::report(), &path).unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), render(&sample::report()).unwrap());
        let left: Vec<_> = std::fs::read_dir(dir.path().join("a/b")).unwrap().collect();
        assert_eq!(left.len(), 1, "no temporary file is left: {left:?}");
    }
}
