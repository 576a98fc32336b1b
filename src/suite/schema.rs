//! The JSON Schema of suite files, generated from [`super::model`]; editors complete and check by it.

use schemars::generate::SchemaSettings;
use serde_json::Value;

use super::model::Suite;

/// The schema (draft 2020-12).
pub fn schema_json() -> Value {
    let mut schema = SchemaSettings::draft2020_12().into_generator().into_root_schema_for::<Suite>();
    schema.insert("title".to_owned(), "A suite of scimspec".into());
    schema.to_value()
}

/// The schema as the file `schema/suite.schema.json` holds it.
pub fn schema_text() -> String {
    format!("{:#}\n", schema_json())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::suite::{Library, yaml};

    #[test]
    fn the_schema_file_equals_the_generated_one() {
        crate::committed::hold_schema("suite", &schema_text());
    }

    #[test]
    fn every_embedded_suite_keeps_the_schema() {
        let validator = jsonschema::validator_for(&schema_json()).unwrap();
        let library = Library::embedded().unwrap();
        assert!(!library.suites().is_empty());
        for file in library.suites() {
            let value: Value = yaml::read(&file.file, file.text().source()).unwrap();
            let slips: Vec<String> = validator
                .iter_errors(&value)
                .map(|error| format!("{}: {}: {error}", file.file, error.instance_path()))
                .collect();
            assert!(slips.is_empty(), "{}", slips.join("\n"));
        }
    }

    #[test]
    fn the_schema_refuses_what_the_reader_refuses() {
        let validator = jsonschema::validator_for(&schema_json()).unwrap();
        for source in [
            "suite: a\ntitle: b\ncases: [{id: c, title: d, step: []}]",
            "suite: a\ntitle: b\ncases: [{id: c, title: d, steps: [{send: GET /, expect: {status: 99}}]}]",
            "suite: a\ntitle: b\ncases: [{id: c, title: d, requires: [patsh]}]",
            "suite: a\ntitle: b\ncases: [{id: c, title: d, steps: [{eventually: {within: 5}}]}]",
            "suite: a\ncases: []",
        ] {
            let value: Value = yaml::read("x.yaml", source).unwrap();
            assert!(!validator.is_valid(&value), "{source}");
            assert!(yaml::read::<Suite>("x.yaml", source).is_err(), "{source}");
        }
    }
}
