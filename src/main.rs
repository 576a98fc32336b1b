//! Parses the command line, calls the library, turns the result into an exit code.

use std::process::ExitCode;

use clap::Parser;
use clap::error::ErrorKind;
use scimspec::app;
use scimspec::cli::Cli;
use scimspec::outcome::Exit;

/// JSON is many small values, made and dropped by the thousand: the server and the judge are a good part faster with it.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    match Cli::try_parse() {
        Ok(cli) => app::main(&cli).into(),
        Err(error) => {
            let asked = matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion);
            // Nobody is left to tell where this cannot be printed.
            let _ = error.print();
            if asked { Exit::Conformant.into() } else { Exit::Usage.into() }
        }
    }
}
