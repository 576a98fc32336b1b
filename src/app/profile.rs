//! `scimspec profile`: the profiles that there are, and the beginning of a new one.

use std::fmt::Write as _;

use super::{AppError, files, print};
use crate::cli::{NewKind, ProfileCommand, ProfileNewArguments};
use crate::config::Config;
use crate::outcome::Exit;
use crate::profile::{Kind, skeleton};

/// Runs the command.
pub fn run(config: &Config, command: &ProfileCommand) -> Result<Exit, AppError> {
    match command {
        ProfileCommand::List(_) => list(config),
        ProfileCommand::New(arguments) => new(arguments),
    }
}

fn list(config: &Config) -> Result<Exit, AppError> {
    let library = files::library(config)?;
    let profiles: Vec<_> = library.profiles().values().collect();
    let width = profiles.iter().map(|profile| profile.name.chars().count()).max().unwrap_or(0);
    let mut text = String::new();
    for profile in profiles {
        let cases = profile.cases(&library).count();
        let kind = profile.kind.to_string();
        let _ = writeln!(text, "{:<width$}  {kind:<8}  {} ({cases} cases)", profile.name, profile.title);
    }
    print(&text)?;
    Ok(Exit::Conformant)
}

fn new(arguments: &ProfileNewArguments) -> Result<Exit, AppError> {
    let kind = match arguments.kind {
        NewKind::Client => Kind::Client,
        NewKind::Server => Kind::Server,
    };
    let folder = arguments.dir.clone().unwrap_or_else(|| arguments.name.clone().into());
    let written = skeleton::write(&arguments.name, kind, &folder)?;
    let shown = folder.display();
    let mut text = String::new();
    for path in &written.files {
        let _ = writeln!(text, "{}", path.display());
    }
    let _ = write!(
        text,
        "\nlook:  scimspec check {shown}\nrun:   scimspec run URL --profile {}",
        written.profile.display()
    );
    print(&text)?;
    Ok(Exit::Conformant)
}
