//! `scimspec serve`: the reference server in the foreground.

use std::io;

use super::{AppError, print, runtime};
use crate::cli::ServeArguments;
use crate::outcome::Exit;
use crate::server::{self, Fault, ServerOptions, Variant};

/// Runs the command.
pub fn serve(arguments: &ServeArguments) -> Result<Exit, AppError> {
    if arguments.list_faults {
        print(&server::list_faults())?;
        return Ok(Exit::Conformant);
    }
    if arguments.list_variants {
        print(&server::list_variants())?;
        return Ok(Exit::Conformant);
    }
    let variants = arguments.variant.iter().map(|name| Variant::from_name(name)).collect::<Result<_, _>>()?;
    let faults = arguments.fault.iter().map(|name| Fault::from_name(name)).collect::<Result<_, _>>()?;
    let options = ServerOptions {
        port: arguments.port,
        token: arguments.token.clone(),
        faults,
        variants,
        log: true,
        ..ServerOptions::default()
    };
    runtime()?.block_on(server::serve(options, &mut io::stdout()))?;
    Ok(Exit::Conformant)
}
