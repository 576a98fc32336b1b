//! A step that runs one of the operator's hooks: what it is told, what its answer names, and what it comes to where it
//! does not do its work. That is trouble of the operator's, and never a finding.

use std::collections::BTreeMap;

use serde_json::Value;

use super::case::{CaseRun, Flow};
use crate::hook::{Call, HookError, Printed};
use crate::outcome::{SkipReason, Verdict};
use crate::suite::model::Step;
use crate::suite::template::Escape;
use crate::target::capabilities::missing_hook;
use crate::target::failure::shorten;

/// The member that renews the operator's credentials.
const TOKEN: &str = "token";
/// How much of what a hook printed a note shows.
const SHOWN: usize = 400;

impl CaseRun<'_> {
    /// Runs a hook and takes up what it gives.
    pub(super) async fn hook(&mut self, step: &Step, name: &str, path: &str) -> Flow {
        let mut arguments = Vec::new();
        for (key, text) in &step.with {
            match self.names.scope.text(text, Escape::None) {
                Ok(text) => arguments.push((key.as_str(), text)),
                Err(error) => return self.stop(error.is_lack(), format!("{path}.with.{key}: {error}")),
            }
        }
        // What the last write made is read before the hook may change it.
        self.read_back().await;
        let target = self.shared.target;
        let call = Call { name, url: target.base_url(), arguments, within: step.within };
        let ran = tokio::select! {
            biased;
            () = target.until_interrupted() => {
                self.part().trouble = Some(Verdict::Skipped { reason: SkipReason::Interrupted });
                return Flow::End;
            }
            ran = self.shared.hooks.run(&call) => ran,
        };
        self.names.written();
        self.reads.forget();
        let printed = match ran {
            Ok(printed) => printed,
            Err(HookError::Unknown { name }) => {
                let reason = SkipReason::NotConfigured { what: missing_hook(&name) };
                self.part().trouble = Some(Verdict::Skipped { reason });
                return Flow::End;
            }
            Err(error) => return self.stop(true, target.masks().text(&error.to_string())),
        };
        if let Some(token) = printed.members.get(TOKEN) {
            let renewed = match token.as_str() {
                Some(token) => target.renew(token).map_err(|error| error.to_string()),
                None => Err("it is no text".to_owned()),
            };
            if let Err(why) = renewed {
                return self.stop(true, format!("the hook '{name}' gave a token that cannot be used: {why}"));
            }
        }
        let note = note(name, &printed);
        let note = target.masks().text(&note);
        self.part().notes.push(note);
        for (given, member) in &step.gives {
            let Some(value) = printed.members.get(member) else {
                let members: Vec<&str> = printed.members.keys().map(String::as_str).collect();
                let printed = if members.is_empty() { "nothing".to_owned() } else { members.join(", ") };
                return self.stop(
                    true,
                    format!("the hook '{name}' gave no '{member}', which the case needs; it gave {printed}"),
                );
            };
            self.names.value(given, value.clone());
        }
        Flow::On
    }
}

/// What a hook did, for the notes: values whose names say that they are secrets are left out.
fn note(name: &str, printed: &Printed) -> String {
    let telling = |name: &str| {
        let name = name.to_ascii_lowercase();
        ["token", "key", "secret", "password", "credential", "auth"].iter().any(|word| name.contains(word))
    };
    let members: BTreeMap<&str, Value> = printed
        .members
        .iter()
        .map(|(name, value)| {
            let value = if telling(name) { Value::from("***") } else { value.clone() };
            (name.as_str(), value)
        })
        .collect();
    let mut note = format!("the hook '{name}' took {} ms", printed.took.as_millis());
    if !members.is_empty() {
        let shown = serde_json::to_string(&members).unwrap_or_default();
        note.push_str(&format!(" and gave {}", shorten(&shown, SHOWN)));
    }
    if !printed.complaint.is_empty() {
        note.push_str(&format!("; it said: {}", shorten(&printed.complaint, SHOWN)));
    }
    note
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;
    use std::time::Duration;

    #[test]
    fn a_note_shows_no_secret() {
        let members = json!({"token": "abc", "user": "ann"}).as_object().cloned().unwrap();
        let printed = Printed { members, complaint: "done".to_owned(), took: Duration::from_millis(12) };
        assert_eq!(
            note("rotate-key", &printed),
            r#"the hook 'rotate-key' took 12 ms and gave {"token":"***","user":"ann"}; it said: done"#
        );
        assert_eq!(note("x", &Printed::default()), "the hook 'x' took 0 ms");
    }
}
