//! `scimspec coverage`: which requirements are tested, by what, and why others are not.

use super::{AppError, files, print};
use crate::cli::{CoverageArguments, CoverageFormat};
use crate::config::Config;
use crate::coverage::{self, Citations, Proofs, Selection, markdown, text};
use crate::outcome::{Exit, Level};
use crate::requirement::Catalogue;
use crate::suite::nearest::suggestion;

/// Runs the command.
pub fn coverage(config: &Config, arguments: &CoverageArguments) -> Result<Exit, AppError> {
    let library = files::library(config)?;
    let catalogue = Catalogue::embedded();
    for asked in &arguments.document {
        known_document(catalogue, asked)?;
    }
    let selection = Selection {
        documents: arguments.document.clone(),
        sections: arguments.section.clone(),
        levels: arguments.level.iter().map(|level| Level::from(*level)).collect(),
        states: arguments.state.clone(),
    };
    let report = coverage::report(catalogue, &Citations::of(&library), Proofs::embedded(), &selection);
    if report.documents.is_empty() {
        return Err(AppError::NoRequirement);
    }
    // Who asks for the proven ones by their state wants to see them.
    let proven = arguments.proven || arguments.state.contains(&coverage::State::Proven);
    print(&match arguments.format {
        CoverageFormat::Text => text::render(&report, proven, config.look),
        CoverageFormat::Json => coverage::json(&report).map_err(std::io::Error::other)?,
        CoverageFormat::Markdown => markdown::render(&report),
    })?;
    Ok(Exit::Conformant)
}

fn known_document(catalogue: &Catalogue, asked: &str) -> Result<(), AppError> {
    let with_requirements = || catalogue.documents().filter(|document| document.starts_with("RFC"));
    if with_requirements().any(|document| document.eq_ignore_ascii_case(asked)) {
        return Ok(());
    }
    Err(AppError::UnknownDocument {
        document: asked.to_owned(),
        hint: suggestion(&asked.to_uppercase(), with_requirements()).unwrap_or_default(),
    })
}
