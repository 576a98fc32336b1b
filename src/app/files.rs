//! `scimspec list`, `check` and `schema`: the commands about files, which need no server.

use std::collections::HashSet;
use std::path::Path;

use super::{AppError, print};
use crate::cli::{CheckArguments, Format, ListArguments, SchemaArguments, SchemaOf};
use crate::config::{self, Config};
use crate::judge::rules;
use crate::outcome::Exit;
use crate::plan::{Conditions, Part, plan};
use crate::profile::{self, Profile};
use crate::report::json;
use crate::requirement::Catalogue;
use crate::suite::diagnostic::{Diagnostic, Severity};
use crate::suite::lint::{self, Known};
use crate::suite::load::{Library, Origin};
use crate::suite::model::Permission;
use crate::suite::{export, list};

/// `scimspec list`.
pub fn list(config: &Config, arguments: &ListArguments) -> Result<Exit, AppError> {
    if let Some(directory) = &arguments.export {
        let exported = export::export(directory)?;
        let export::Exported { written, unchanged } = exported;
        print(&format!("{}: {written} files written, {unchanged} there already", directory.display()))?;
        return Ok(Exit::Conformant);
    }
    if arguments.plan {
        return super::plan::show(config);
    }
    if arguments.target.url.is_some() {
        eprintln!("warning: without --plan no server is asked; the URL says nothing here");
    }
    let library = library(config)?;
    let profile = Profile::chosen(&library, &config.profile)?;
    let catalogue = Catalogue::embedded();
    let conditions = Conditions {
        claims: &|_| Ok(()),
        allow: &[Permission::Disruptive, Permission::Slow],
        read_only: false,
        schemas: None,
    };
    let plan = plan(library.suites(), catalogue, profile, &config.selection, &conditions);
    let selected: HashSet<String> =
        plan.jobs.iter().map(|job| format!("{}/{}", job.file.suite.suite, job.case.id)).collect();
    let mut entries = list::entries(&library, profile, catalogue, arguments.format == Format::Json);
    entries.retain(|entry| selected.contains(&entry.id));
    let trials: Vec<list::Trial> = plan.jobs.iter().flat_map(|job| &job.parts).map(trial).collect();
    entries.iter_mut().for_each(|entry| entry.narrow(&trials));
    if entries.is_empty() {
        return Err(AppError::NothingSelected);
    }
    print(&match arguments.format {
        Format::Text => list::text(&entries),
        Format::Json => list::json(&entries),
    })?;
    Ok(Exit::Conformant)
}

fn trial(part: &Part) -> list::Trial {
    list::Trial { id: part.id.clone(), level: part.level, title: part.title.clone() }
}

/// `scimspec check`.
pub fn check(config: &Config, arguments: &CheckArguments) -> Result<Exit, AppError> {
    let paths = [config.suites.as_slice(), arguments.paths.as_slice()].concat();
    let library = Library::load(&paths).map_err(|all| AppError::suites(all, config))?;
    let users = |diagnostic: &&Diagnostic| {
        paths.is_empty()
            || !library
                .suites()
                .iter()
                .any(|file| file.origin == Origin::Embedded && file.file == diagnostic.place.file)
    };
    let found = lint(&library);
    let found: Vec<&Diagnostic> = found.iter().filter(users).collect();
    for diagnostic in &found {
        eprintln!("{}\n", diagnostic.render(config.look.colour));
    }
    let errors = found.iter().filter(|diagnostic| diagnostic.severity == Severity::Error).count();
    let warnings = found.len() - errors;
    let files = library.suites().iter().filter(|file| paths.is_empty() || file.origin != Origin::Embedded);
    let (files, cases) =
        files.fold((0, 0), |(files, cases), file| (files + 1, cases + file.suite.cases.len()));
    let counted = |profile: &&Profile| paths.is_empty() || profile.origin != Origin::Embedded;
    let profiles = library.profiles().values().filter(counted).count();
    let profiles = match profiles {
        0 => String::new(),
        1 => ", 1 profile".to_owned(),
        many => format!(", {many} profiles"),
    };
    print(&format!("{files} suite files, {cases} cases{profiles}: {errors} errors, {warnings} warnings"))?;
    Ok(if errors > 0 { Exit::Usage } else { Exit::Conformant })
}

/// The suites: embedded, the user's own, and those that belong to a profile given by its file.
///
/// # Errors
/// What cannot be read.
pub fn library(config: &Config) -> Result<Library, AppError> {
    let mut paths = config.suites.clone();
    if profile::is_file(&config.profile) {
        let file = Path::new(&config.profile);
        let around = profile::library_of(file);
        // Where its suites were named, too, they are not read twice.
        if file.is_file() && !paths.contains(&around) {
            paths.push(around);
        }
    }
    Library::load(&paths).map_err(|all| AppError::suites(all, config))
}

/// Everything that is wrong with a library.
pub fn lint(library: &Library) -> Vec<Diagnostic> {
    let names: Vec<&str> = rules::RULES.iter().map(|rule| rule.name).collect();
    lint::lint(library, Known { catalogue: Catalogue::embedded(), rules: &names })
}

/// A schema as the files in `schema/` hold it.
fn schema_text(schema: &serde_json::Value) -> String {
    format!("{schema:#}\n")
}

/// `scimspec schema`.
pub fn schema(arguments: &SchemaArguments) -> Result<Exit, AppError> {
    print(&match arguments.of {
        SchemaOf::Suite => crate::suite::schema::schema_text(),
        SchemaOf::Report => schema_text(&json::schema()),
        SchemaOf::Profile => schema_text(&profile::schema()),
        SchemaOf::Config => schema_text(&config::settings::schema()),
        SchemaOf::Coverage => schema_text(&crate::coverage::schema()),
    })?;
    Ok(Exit::Conformant)
}
