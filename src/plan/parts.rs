//! What a case is reported as: itself, or its checkpoints, each with its level, its requirements and its place.

use super::Part;
use crate::outcome::Level;
use crate::requirement::Catalogue;
use crate::suite::load::SuiteFile;
use crate::suite::model::{Case, Row};
use crate::suite::vectors::Vector;

/// The parts that a case is reported as: itself, or its checkpoints. Steps before the first checkpoint belong
/// to it.
pub fn parts(
    file: &SuiteFile,
    case: &Case,
    form: Option<&str>,
    row: Option<&Row>,
    path: &str,
    catalogue: &Catalogue,
) -> Vec<Part> {
    let form = form.map(|form| format!("@{form}")).unwrap_or_default();
    let suffix = row.map(|row| format!("{form}[{}]", row.id)).unwrap_or(form);
    let own_spec = |extra: &[String]| -> Vec<String> {
        let mut spec: Vec<String> = Vec::new();
        let row_spec = row.map(|row| row.spec.as_slice()).unwrap_or_default();
        for id in extra.iter().chain(row_spec).chain(&case.spec).chain(&file.suite.spec) {
            if !spec.contains(id) {
                spec.push(id.clone());
            }
        }
        spec
    };
    let level = |own: Option<Level>, spec: &[String]| {
        own.or(row.and_then(|row| row.level))
            .or(case.level)
            .or(file.suite.level)
            .or_else(|| catalogue.strongest(spec.iter().map(String::as_str)))
            .unwrap_or_else(|| catalogue.level_of(&file.suite, case))
    };
    let consequence = |own: &Option<String>| {
        own.clone().or_else(|| case.consequence.clone()).or_else(|| file.suite.consequence.clone())
    };
    let checkpoints: Vec<Part> = case
        .steps
        .iter()
        .enumerate()
        .filter_map(|(index, step)| {
            let name = step.checkpoint.as_ref()?;
            let spec = own_spec(&step.spec);
            Some(Part {
                id: format!("{}/{name}{suffix}", file.suite.suite),
                title: step.title.clone().unwrap_or_else(|| case.title.clone()),
                level: level(step.level, &spec),
                spec,
                path: step.stands_at.clone().unwrap_or_else(|| format!("{path}.steps[{index}]")),
                consequence: consequence(&step.consequence),
            })
        })
        .collect();
    if !checkpoints.is_empty() {
        return checkpoints;
    }
    if let Some(vectors) = &case.vectors {
        let part = |vector: &Vector| {
            let spec = own_spec(&vector.spec);
            let cited = catalogue.strongest(spec.iter().map(String::as_str));
            Part {
                id: format!("{}/{}[{}]", file.suite.suite, case.id, vector.id),
                title: vector.title.clone(),
                level: vector.level.or(case.level).or(file.suite.level).or(cited).unwrap_or(Level::Must),
                spec,
                path: path.to_owned(),
                consequence: consequence(&None),
            }
        };
        return vectors.trials.iter().map(part).collect();
    }
    let spec = own_spec(&[]);
    vec![Part {
        id: format!("{}/{}{suffix}", file.suite.suite, case.id),
        title: case.title.clone(),
        level: level(None, &spec),
        spec,
        path: path.to_owned(),
        consequence: consequence(&None),
    }]
}
