//! `scimspec serve`: the server in the foreground, and the list of the faults it can have.

use std::io::Write;

use super::{ServerError, ServerOptions, faults, start, variants};

/// Serves until Ctrl-C or SIGTERM.
///
/// The first line written is the base URL, alone; the second says how to authenticate; then one each speaks of the
/// second tenant, if its token was chosen, of the configuration, if one was written, and of the variants and the
/// faults, if there are any. A token that the caller chose is not repeated.
///
/// # Errors
/// If the server cannot start, `out` cannot be written, or signals cannot be awaited.
pub async fn serve(options: ServerOptions, out: &mut impl Write) -> Result<(), ServerError> {
    let chosen = options.token.is_some();
    let is_second_chosen = options.second_token.is_some();
    let planted: Vec<&str> = options.faults.iter().map(|fault| fault.name()).collect();
    let config = options.write_config.clone();
    let chosen_variants: Vec<&str> = options.variants.iter().map(|variant| variant.name()).collect();
    let server = start(options).await?;
    writeln!(out, "{}", server.base_url())?;
    if chosen {
        writeln!(out, "Authorization: Bearer (the token you chose)")?;
    } else {
        writeln!(out, "Authorization: Bearer {}", server.token())?;
    }
    if is_second_chosen {
        writeln!(out, "Second tenant: Bearer (the second token you chose)")?;
    }
    if let Some(path) = config {
        writeln!(out, "Configuration: {}", path.display())?;
    }
    if !chosen_variants.is_empty() {
        writeln!(out, "Variants: {}", chosen_variants.join(", "))?;
    }
    if !planted.is_empty() {
        writeln!(out, "Planted: {}", planted.join(", "))?;
    }
    out.flush()?;
    interrupted().await?;
    server.shutdown().await;
    Ok(())
}

/// Waits for Ctrl-C, or for SIGTERM where there is one.
///
/// # Errors
/// If signals cannot be awaited.
pub async fn interrupted() -> std::io::Result<()> {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        let mut terminate = signal(SignalKind::terminate())?;
        tokio::select! {
            result = tokio::signal::ctrl_c() => result,
            _ = terminate.recv() => Ok(()),
        }
    }
    #[cfg(not(unix))]
    tokio::signal::ctrl_c().await
}

/// The catalogue of faults as text: of each its name first, then what a client sees, who is hurt, and where it comes
/// from.
pub fn list_faults() -> String {
    let catalogue = faults::catalogue();
    let width = catalogue.iter().map(|entry| entry.name.len()).max().unwrap_or(0);
    let mut text = String::new();
    for entry in catalogue {
        let mut origin: Vec<&str> = entry.requirements.to_vec();
        origin.extend(entry.defects);
        text.push_str(&format!(
            "{:width$}  {} [{}: {}] ({})\n",
            entry.name,
            entry.client_sees,
            entry.seam(),
            entry.hurts,
            origin.join(", "),
        ));
    }
    text
}

/// The catalogue of variants as text: of each its name first, then what a client sees, and what makes it legal.
pub fn list_variants() -> String {
    let catalogue = variants::catalogue();
    let width = catalogue.iter().map(|entry| entry.name.len()).max().unwrap_or(0);
    let mut text = String::new();
    for entry in catalogue {
        let disputes = entry.disputes.join(", ");
        let disputes = if disputes.is_empty() { disputes } else { format!(" ({disputes})") };
        text.push_str(&format!(
            "{:width$}  {} [{}]{disputes}\n",
            entry.name, entry.client_sees, entry.allowed_by
        ));
    }
    text
}
