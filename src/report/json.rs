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
    use crate::report::sample;

    #[test]
    fn the_report_reads_back_as_it_was_written() {
        let report = sample::report();
        let text = render(&report).unwrap();
        assert_eq!(serde_json::from_str::<RunReport>(&text).unwrap(), report);
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
