//! `scimspec clean`: deletes what killed runs left behind, by their ledgers.

use url::Url;

use super::{AppError, print, runtime};
use crate::config::Config;
use crate::outcome::Exit;
use crate::target::{LedgerLocation, Leftover, Leftovers, Target, consent_needed};

/// Runs the command: without a URL it lists what is left where; with one it deletes what is left there.
pub fn clean(config: &Config) -> Result<Exit, AppError> {
    let leftovers = Leftovers::find(&config.state)?;
    for path in &leftovers.running {
        print(&format!("{}: its run is still going; left alone", path.display()))?;
    }
    for trouble in &leftovers.unreadable {
        eprintln!("warning: {trouble}");
    }
    let Some(url) = &config.url else {
        return list(&leftovers);
    };
    let (here, elsewhere): (Vec<Leftover>, Vec<Leftover>) =
        leftovers.finished.into_iter().partition(|leftover| same_place(&leftover.base_url, url));
    if here.is_empty() {
        print(&format!("nothing of ours is left at {url}"))?;
        for leftover in &elsewhere {
            print(&format!("  but there is something at {}", leftover.base_url))?;
        }
        return Ok(Exit::Conformant);
    }
    if consent_needed(url) && !config.consent {
        return Err(AppError::Consent { host: url.host_str().unwrap_or_default().to_owned() });
    }
    let runtime = runtime()?;
    let mut complete = true;
    for leftover in here {
        let mark = leftover.mark.clone();
        let mut options = config.target_options(url.clone(), &mark);
        // What is left is deleted by the operator's own credentials.
        options.second = None;
        options.ledger = LedgerLocation::Resume(Box::new(leftover));
        let target = Target::new(options)?;
        runtime.block_on(target.authenticate())?;
        let done = runtime.block_on(target.clean_up());
        print(&format!(
            "run {mark}: {} deleted, {} gone already",
            done.deleted.len(),
            done.already_gone.len()
        ))?;
        for left in &done.left {
            print(&format!("  not deleted: {left}"))?;
        }
        for other in &done.disowned {
            print(&format!("  not ours, left alone: {other}"))?;
        }
        let refused =
            done.left.iter().any(|left| ["401", "403"].iter().any(|status| left.why.ends_with(status)));
        if refused && config.credentials.is_none() {
            print("  = help: give the credentials, as for the run: --token-env VAR")?;
        }
        complete &= done.is_complete();
    }
    Ok(if complete { Exit::Conformant } else { Exit::Unreachable })
}

fn list(leftovers: &Leftovers) -> Result<Exit, AppError> {
    if leftovers.finished.is_empty() {
        print("no run left anything behind")?;
    }
    for leftover in &leftovers.finished {
        print(&format!(
            "{} (run {} of {}): {} resources, {} creates without an answer\n  to delete them: scimspec clean {}",
            leftover.base_url,
            leftover.mark,
            leftover.started.format("%Y-%m-%d %H:%M UTC"),
            leftover.owned.len(),
            leftover.intents.len(),
            leftover.base_url,
        ))?;
    }
    Ok(Exit::Conformant)
}

fn same_place(one: &Url, other: &Url) -> bool {
    one.as_str().trim_end_matches('/') == other.as_str().trim_end_matches('/')
}
