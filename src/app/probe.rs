//! `scimspec probe`: what a service provider claims, and where it says so.

use super::{AppError, print, runtime};
use crate::cli::{Format, ProbeArguments};
use crate::config::Config;
use crate::outcome::Exit;
use crate::suite::fresh::run_mark;
use crate::target::probe::probe as ask;
use crate::target::{LedgerLocation, Target};

/// Runs the command. It only reads, so that it needs no consent and keeps no ledger.
pub fn probe(config: &Config, arguments: &ProbeArguments) -> Result<Exit, AppError> {
    let url = config.url.clone().ok_or(AppError::NoUrl { command: "probe" })?;
    let mut options = config.target_options(url, &run_mark());
    options.read_only = true;
    options.ledger = LedgerLocation::Memory;
    let target = Target::new(options)?;
    let runtime = runtime()?;
    runtime.block_on(target.authenticate())?;
    let probe = runtime.block_on(ask(&target))?;
    print(&match arguments.format {
        Format::Text => probe.text(&target),
        Format::Json => format!("{:#}", probe.json(&target)),
    })?;
    Ok(Exit::Conformant)
}
