//! `scimspec explain`: what an id stands for, why it matters and how to mend it.

use super::{AppError, files, print};
use crate::cli::ExplainArguments;
use crate::config::Config;
use crate::coverage::{Citations, Proofs};
use crate::explain::{self, Sources};
use crate::outcome::Exit;
use crate::requirement::Catalogue;

/// Runs the command. Nothing is printed where one of several ids does not exist.
pub fn explain(config: &Config, arguments: &ExplainArguments) -> Result<Exit, AppError> {
    let library = files::library(config)?;
    let citations = Citations::of(&library);
    let sources = Sources {
        library: &library,
        catalogue: Catalogue::embedded(),
        citations: &citations,
        proofs: Proofs::embedded(),
    };
    let mut shown = Vec::new();
    for id in &arguments.ids {
        let cards = explain::explain(id, sources)?;
        shown.extend(cards.iter().map(|card| card.render(config.look)));
    }
    print(&shown.join("\n"))?;
    Ok(Exit::Conformant)
}
