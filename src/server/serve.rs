//! `scimspec serve`: the server in the foreground, and the list of the faults it can have.

use std::io::Write;

use super::{FaultEntry, ServerError, ServerOptions, ServerProfile, faults, start, variants};

/// Serves until Ctrl-C or SIGTERM.
///
/// The first line written is the base URL, alone; the second says how to authenticate; then one each speaks of the
/// second tenant, if its token was chosen, of the profile and its control endpoints, if it has some, of the
/// configuration, if one was written, and of the variants and the faults, if there are any. A token that the caller chose is not repeated.
///
/// # Errors
/// If the server cannot start, `out` cannot be written, or signals cannot be awaited.
pub async fn serve(options: ServerOptions, out: &mut impl Write) -> Result<(), ServerError> {
    let chosen = options.token.is_some();
    let is_second_chosen = options.second_token.is_some();
    let planted: Vec<&str> = options.faults.iter().map(|fault| fault.name()).collect();
    let config = options.write_config.clone();
    let profile = options.profile;
    let chosen_variants: Vec<&str> = options.variants.iter().map(|variant| variant.name()).collect();
    // Whoever reads the address may stop the server at once, and has to be heard.
    let mut signals = Signals::listen()?;
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
    if let Some(profile) = profile {
        writeln!(out, "Profile: {}, {}", profile.name(), profile.entry().title)?;
    }
    if let (Some(url), Some(token)) = (server.control_url(), server.control_token()) {
        writeln!(out, "Control: {url} with Bearer {token}")?;
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
    signals.next().await?;
    server.shutdown().await;
    Ok(())
}

/// Waits for Ctrl-C, or for SIGTERM where there is one.
///
/// # Errors
/// If signals cannot be awaited.
pub async fn interrupted() -> std::io::Result<()> {
    Signals::listen()?.next().await
}

/// The signals that end a server. They are heard from the moment when this is made.
struct Signals {
    #[cfg(unix)]
    interrupt: tokio::signal::unix::Signal,
    #[cfg(unix)]
    terminate: tokio::signal::unix::Signal,
}

#[cfg(unix)]
impl Signals {
    fn listen() -> std::io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        Ok(Self { interrupt: signal(SignalKind::interrupt())?, terminate: signal(SignalKind::terminate())? })
    }

    async fn next(&mut self) -> std::io::Result<()> {
        tokio::select! {
            _ = self.interrupt.recv() => Ok(()),
            _ = self.terminate.recv() => Ok(()),
        }
    }
}

#[cfg(not(unix))]
impl Signals {
    fn listen() -> std::io::Result<Self> {
        Ok(Self {})
    }

    async fn next(&mut self) -> std::io::Result<()> {
        tokio::signal::ctrl_c().await
    }
}

/// The catalogue of faults, or that of a profile, as text: of each its name first, then what a client sees, who is hurt, and where it comes
/// from.
pub fn list_faults(profile: Option<ServerProfile>) -> String {
    let catalogue: Vec<&FaultEntry> = match profile {
        None => faults::catalogue().iter().collect(),
        Some(profile) => profile.entry().faults().collect(),
    };
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
