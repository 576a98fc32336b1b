//! `scimspec serve`: the reference server in the foreground.

use std::io;

use super::{AppError, print, runtime};
use crate::cli::{LogFormat, ServeArguments};
use crate::outcome::Exit;
use crate::server::{self, Fault, Log, RateLimit, SchemaFile, ServerOptions, ServerProfile, Variant};
use crate::target::Rate;

/// Runs the command.
pub fn serve(arguments: &ServeArguments) -> Result<Exit, AppError> {
    let profile = arguments.profile.as_deref().map(ServerProfile::from_name).transpose()?;
    if arguments.list_faults {
        print(&server::list_faults(profile))?;
        return Ok(Exit::Conformant);
    }
    if arguments.list_variants {
        print(&server::list_variants())?;
        return Ok(Exit::Conformant);
    }
    let variants = arguments.variant.iter().map(|name| Variant::from_name(name)).collect::<Result<_, _>>()?;
    let faults = arguments.fault.iter().map(|name| Fault::from_name(name)).collect::<Result<_, _>>()?;
    let schemas = arguments.schemas.as_deref().map(SchemaFile::read).transpose()?;
    for note in schemas.iter().flat_map(SchemaFile::notes) {
        eprintln!("note: {note}");
    }
    let limit = |rate: Rate| RateLimit::new(rate.requests, rate.per, arguments.rate_window);
    let rate_limit = arguments.rate_limit.map(limit).transpose()?;
    let options = ServerOptions {
        port: arguments.port,
        token: arguments.token.clone(),
        second_token: arguments.second_token.clone(),
        faults,
        schemas,
        me: arguments.me.clone(),
        seed_users: arguments.seed_users,
        rate_limit,
        write_config: arguments.write_config.clone(),
        lag: arguments.lag,
        log: match arguments.log {
            LogFormat::Text => Log::Text,
            LogFormat::Json => Log::Json,
            LogFormat::Off => Log::Off,
        },
        variants,
        profile,
        ..ServerOptions::default()
    };
    runtime()?.block_on(server::serve(options, &mut io::stdout()))?;
    Ok(Exit::Conformant)
}
