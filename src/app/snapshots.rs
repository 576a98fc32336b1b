//! `scimspec snapshots`: payloads that wait in a folder, shown, accepted or rejected.

use super::{AppError, print};
use crate::cli::{SnapshotsAction, SnapshotsArguments};
use crate::config::{Config, ConfigError};
use crate::outcome::Exit;
use crate::plan::Selection;
use crate::report::look::{self, Look};
use crate::report::text;
use crate::snapshot::compare;
use crate::snapshot::store::{Folder, Pending, StoreError, keys};
use crate::suite::load::Library;

/// Runs the command.
///
/// # Errors
/// A folder that is not there, a file that is no snapshot, a suite that cannot be read.
pub fn snapshots(config: &Config, arguments: &SnapshotsArguments) -> Result<Exit, AppError> {
    let Some(folder) = &config.snapshots else { return Err(AppError::NoSnapshots) };
    let library = Library::load(&config.suites).map_err(|all| AppError::suites(all, config))?;
    let wrong = |error: StoreError| AppError::snapshots(error, config);
    let found = Folder::read(folder, &keys(&library)).map_err(wrong)?;
    let selection = Selection::new(&arguments.case, &[], &[]).map_err(ConfigError::from)?;
    let chosen: Vec<&Pending> =
        found.pending.iter().filter(|pending| selection.names(&pending.case())).collect();
    let rest = found.pending.len() - chosen.len();
    match arguments.action {
        SnapshotsAction::Diff => {
            print(&diff(&found, &chosen, config.look, &folder.display().to_string()))?;
            return Ok(if chosen.is_empty() { Exit::Conformant } else { Exit::Failures });
        }
        SnapshotsAction::Accept => chosen.iter().try_for_each(|pending| pending.accept()).map_err(wrong)?,
        SnapshotsAction::Reject => chosen.iter().try_for_each(|pending| pending.reject()).map_err(wrong)?,
    }
    let done = if arguments.action == SnapshotsAction::Accept { "accepted" } else { "rejected" };
    let mut said = String::new();
    for pending in &chosen {
        let path = pending.path.display().to_string();
        let path = path.strip_suffix(".new").unwrap_or(&path);
        said.push_str(&format!("{done}  {}  {path}\n", text::one_line(&pending.case())));
    }
    said.push_str(&format!("{} {done}", text::count(chosen.len() as u64, "payload")));
    if rest > 0 {
        said.push_str(&format!(", {} still waiting", rest));
    }
    print(&said)?;
    Ok(Exit::Conformant)
}

/// What waits, each with what differs; then what no case asks for, and the whole in numbers.
fn diff(found: &Folder, chosen: &[&Pending], look: Look, folder: &str) -> String {
    let mut said = String::new();
    for pending in chosen {
        let case = text::one_line(&pending.case());
        let path = text::one_line(&pending.path.display().to_string());
        let rule = "─".repeat(look.width.saturating_sub(text::columns(&case) + 4).max(2));
        said.push_str(&format!(
            "{} {} {}\n",
            look.paint(look::FAINT, "──"),
            look.paint(look::STRONG, &case),
            look.paint(look::FAINT, &rule)
        ));
        said.push_str(&format!("{}\n", look.paint(look::FAINT, &path)));
        let received = &pending.received.payload;
        let lines = match &pending.accepted {
            None => format!("nothing is accepted yet; received:\n{}", signed(received)),
            Some(accepted) if compare::same(&accepted.payload, received) => "as accepted".to_owned(),
            Some(accepted) => compare::diff(&accepted.payload, received),
        };
        for line in lines.lines() {
            let style = match line.chars().next() {
                Some('-') => look::GOOD,
                Some('+') => look::BAD,
                _ => look::FAINT,
            };
            said.push_str(&format!("{}\n", look.paint(style, &text::one_line(line))));
        }
        said.push('\n');
    }
    for path in &found.unreferenced {
        let path = text::one_line(&path.display().to_string());
        said.push_str(&format!("{path}: no case asks for it; delete it if it has served its time\n"));
    }
    let waiting = text::count(chosen.len() as u64, "payload");
    said.push_str(&format!("{waiting} waiting, {} accepted in {folder}", found.accepted));
    if !found.unreferenced.is_empty() {
        said.push_str(&format!(", {} of them not asked for", found.unreferenced.len()));
    }
    if !chosen.is_empty() {
        let folder = crate::report::curl::quote(folder);
        said.push_str(&format!("\nscimspec snapshots accept {folder} makes what waits the accepted payload"));
    }
    said.push('\n');
    said
}

fn signed(payload: &str) -> String {
    payload.lines().map(|line| format!("+{line}\n")).collect()
}
