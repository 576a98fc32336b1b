//! The commands: what each wires together, and how its trouble is said.
//!
//! This is the edge: it starts the runtime, reads the environment through [`crate::config`], prints, and turns
//! every result into an [`Exit`]. It decides nothing that a pure stage could decide.

mod baseline;
mod clean;
mod coverage;
mod error;
mod explain;
mod files;
mod fuzz;
mod plan;
mod probe;
mod profile;
mod run;
mod serve;
mod session;
mod snapshots;

use std::io::{self, Write};

use crate::cli::{Cli, Command};
use crate::config::{Config, Environment};
use crate::outcome::Exit;

pub use baseline::BaselineError;
pub use error::AppError;

/// Runs a command line. What went wrong is said on standard error, with what to do about it.
pub fn main(cli: &Cli) -> Exit {
    match dispatch(cli) {
        Ok(exit) => exit,
        // Whoever reads our output has gone away: nobody is left to tell.
        Err(error) if error.is_broken_pipe() => Exit::Conformant,
        Err(error) => {
            eprint!("{error}");
            error.exit()
        }
    }
}

fn dispatch(cli: &Cli) -> Result<Exit, AppError> {
    let environment = Environment::read()?;
    let config = Config::load(cli, &environment)?;
    for warning in &config.warnings {
        eprintln!("warning: {warning}");
    }
    match &cli.command {
        Command::Run(_) => run::run(&config),
        Command::Fuzz(command) => fuzz::fuzz(&config, command),
        Command::List(arguments) => files::list(&config, arguments),
        Command::Check(arguments) => files::check(&config, arguments),
        Command::Schema(arguments) => files::schema(arguments),
        Command::Profile(command) => profile::run(&config, command),
        Command::Probe(arguments) => probe::probe(&config, arguments),
        Command::Serve(arguments) => serve::serve(arguments),
        Command::Clean(_) => clean::clean(&config),
        Command::Snapshots(arguments) => snapshots::snapshots(&config, arguments),
        Command::Coverage(arguments) => coverage::coverage(&config, arguments),
        Command::Explain(arguments) => explain::explain(&config, arguments),
        Command::Baseline(arguments) => baseline::baseline(&config, &arguments.action),
    }
}

/// Prints what a command is for.
fn print(text: &str) -> Result<(), AppError> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes())?;
    if !text.ends_with('\n') {
        out.write_all(b"\n")?;
    }
    out.flush()?;
    Ok(())
}

/// The runtime that everything asynchronous runs on.
fn runtime() -> Result<tokio::runtime::Runtime, AppError> {
    Ok(tokio::runtime::Builder::new_multi_thread().enable_all().build()?)
}
