//! Hooks: commands of the operator's (`[hooks]` in `scimspec.toml`) for what no SCIM request can bring about, such as
//! accepting an invitation or renewing the key. Each is started by itself, bounded in time and in what it may print,
//! and ended together with whatever it has started.
//!
//! A hook is told by its environment and answers with nothing, or with one JSON object, on standard output. This
//! module refuses to know cases and verdicts, and masks nothing: who shows an error or what was printed does that.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::path::PathBuf;
use std::pin::pin;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use serde_json::{Map, Value};
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::process::{Child, Command};
use tokio::time::Instant;

use crate::target::exchange::humane;

/// How long a hook may take where nothing is said.
pub const WITHIN: Duration = Duration::from_secs(30);
/// The most bytes that a hook may print on standard output.
const MOST: usize = 1 << 20;
/// How many of the last bytes on standard error are kept.
const TAIL: usize = 2048;
/// How long output may still come once the command itself has ended: what it left behind may hold the pipe open.
const GRACE: Duration = Duration::from_millis(500);
/// Variables of ours that hold secrets; a hook never sees them.
const SECRETS: [&str; 2] = ["SCIMSPEC_TOKEN", "SCIMSPEC_PASSWORD"];

/// One command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hook {
    /// What is run.
    pub command: HookCommand,
    /// How long it may take.
    pub within: Duration,
    /// The folder it runs in; without one, the current folder.
    pub folder: Option<PathBuf>,
}

/// What is run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HookCommand {
    /// By `sh -c`.
    Shell(String),
    /// A program and its arguments, as they are. Never empty.
    Program(Vec<String>),
}

/// The hooks of a run.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Hooks {
    named: BTreeMap<String, Hook>,
    withheld: Vec<String>,
}

/// What a hook is told.
#[derive(Debug, Clone)]
pub struct Call<'c> {
    /// Its name, as `SCIMSPEC_HOOK`.
    pub name: &'c str,
    /// The base URL of the target, as `SCIMSPEC_URL`.
    pub url: &'c str,
    /// Each as `SCIMSPEC_ARG_` and the name in capitals, with `_` for `-`.
    pub arguments: Vec<(&'c str, String)>,
    /// A limit tighter than its own.
    pub within: Option<Duration>,
}

/// What a hook that did its work has printed.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Printed {
    /// The members of the JSON object on standard output; none where it printed nothing.
    pub members: Map<String, Value>,
    /// The end of standard error.
    pub complaint: String,
    /// How long it took.
    pub took: Duration,
}

/// Why a hook did not do its work. What is quoted is not masked yet; standard output is never quoted, since a key that
/// nobody knows yet may stand in it.
#[derive(Debug, thiserror::Error)]
pub enum HookError {
    /// There is none of that name.
    #[error("there is no hook '{name}'")]
    Unknown {
        /// The name.
        name: String,
    },
    /// The system does not start it.
    #[error("the hook '{name}' cannot be started: {source}")]
    NotStarted {
        /// The name.
        name: String,
        /// What the system says.
        source: std::io::Error,
    },
    /// It did not end in time, and was ended.
    #[error("the hook '{name}' did not end within {}, and was stopped{}", humane(*.limit), quoted(.complaint))]
    TimedOut {
        /// The name.
        name: String,
        /// The limit that passed.
        limit: Duration,
        /// The end of standard error.
        complaint: String,
    },
    /// It says that it failed.
    #[error("the hook '{name}' failed ({status}){}", quoted(.complaint))]
    Failed {
        /// The name.
        name: String,
        /// `exit status: 7`, or the signal that ended it.
        status: ExitStatus,
        /// The end of standard error.
        complaint: String,
    },
    /// It printed more than any answer is long.
    #[error("the hook '{name}' printed more than {MOST} bytes, and was stopped")]
    TooMuch {
        /// The name.
        name: String,
    },
    /// What it printed is no JSON object.
    #[error(
        "the hook '{name}' printed {bytes} bytes that are not one JSON object: {why}; a hook prints nothing else on \
         standard output (messages belong on standard error){}", quoted(.complaint)
    )]
    NotAnObject {
        /// The name.
        name: String,
        /// How much it printed.
        bytes: usize,
        /// What is wrong with it.
        why: String,
        /// The end of standard error.
        complaint: String,
    },
}

fn quoted(complaint: &str) -> String {
    if complaint.is_empty() { String::new() } else { format!("; its last words: {complaint}") }
}

impl Hooks {
    /// The hooks by their names, and the variables of the environment that none of them may see.
    pub fn new(named: BTreeMap<String, Hook>, withheld: Vec<String>) -> Hooks {
        Hooks { named, withheld }
    }

    /// The names that there are.
    pub fn names(&self) -> BTreeSet<String> {
        self.named.keys().cloned().collect()
    }

    /// Runs a hook to its end, or to its limit. Dropped on the way, it is stopped.
    ///
    /// # Errors
    /// Why it did not do its work.
    pub async fn run(&self, call: &Call<'_>) -> Result<Printed, HookError> {
        let name = call.name.to_owned();
        let Some(hook) = self.named.get(call.name) else { return Err(HookError::Unknown { name }) };
        let started = Instant::now();
        let mut child = self
            .command(hook, call)
            .spawn()
            .map_err(|source| HookError::NotStarted { name: name.clone(), source })?;
        let group = Group::of(&child);
        let limit = call.within.map_or(hook.within, |within| within.min(hook.within));
        let (mut out, mut tail) = (Vec::new(), VecDeque::new());
        let ended = {
            let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
            let reading = async { tokio::join!(bounded(stdout, &mut out), last(stderr, &mut tail)).0 };
            tokio::time::timeout(limit, ended(&mut child, reading)).await
        };
        let complaint = text(&tail);
        let status = match ended {
            Err(_) => {
                group.stop(&mut child).await;
                return Err(HookError::TimedOut { name, limit, complaint });
            }
            Ok(None) => {
                group.stop(&mut child).await;
                return Err(HookError::TooMuch { name });
            }
            Ok(Some(Err(source))) => return Err(HookError::NotStarted { name, source }),
            Ok(Some(Ok(status))) => status,
        };
        group.done();
        if !status.success() {
            return Err(HookError::Failed { name, status, complaint });
        }
        let members = match members(&out) {
            Ok(members) => members,
            Err(why) => return Err(HookError::NotAnObject { name, bytes: out.len(), why, complaint }),
        };
        Ok(Printed { members, complaint, took: started.elapsed() })
    }

    fn command(&self, hook: &Hook, call: &Call<'_>) -> Command {
        let mut command = match &hook.command {
            HookCommand::Shell(line) => {
                let mut command = Command::new("sh");
                command.arg("-c").arg(line);
                command
            }
            HookCommand::Program(words) => {
                let mut words = words.iter();
                let mut command = Command::new(words.next().map_or("", String::as_str));
                command.args(words);
                command
            }
        };
        for secret in self.withheld.iter().map(String::as_str).chain(SECRETS) {
            command.env_remove(secret);
        }
        command.env("SCIMSPEC_HOOK", call.name).env("SCIMSPEC_URL", call.url);
        for (name, value) in &call.arguments {
            command.env(format!("SCIMSPEC_ARG_{}", name.to_ascii_uppercase().replace('-', "_")), value);
        }
        if let Some(folder) = &hook.folder {
            command.current_dir(folder);
        }
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
        #[cfg(unix)]
        command.process_group(0);
        command
    }
}

/// Waits for the end of a command and of what it prints. `None` where it printed too much.
async fn ended(
    child: &mut Child,
    reading: impl Future<Output = bool>,
) -> Option<Result<ExitStatus, std::io::Error>> {
    let mut reading = pin!(reading);
    tokio::select! {
        fits = &mut reading => if fits { Some(child.wait().await) } else { None },
        status = child.wait() => match tokio::time::timeout(GRACE, reading).await {
            Ok(false) => None,
            Ok(true) | Err(_) => Some(status),
        },
    }
}

/// Reads to the end; `false` where there is more than [`MOST`].
async fn bounded(source: Option<impl AsyncRead + Unpin>, into: &mut Vec<u8>) -> bool {
    let Some(mut source) = source else { return true };
    let mut buffer = [0; 4096];
    // A pipe that cannot be read any more has ended.
    while let Ok(read @ 1..) = source.read(&mut buffer).await {
        into.extend_from_slice(&buffer[..read]);
        if into.len() > MOST {
            return false;
        }
    }
    true
}

/// Reads to the end and keeps the last of it.
async fn last(source: Option<impl AsyncRead + Unpin>, into: &mut VecDeque<u8>) {
    let Some(mut source) = source else { return };
    let mut buffer = [0; 4096];
    while let Ok(read @ 1..) = source.read(&mut buffer).await {
        into.extend(&buffer[..read]);
        into.drain(..into.len().saturating_sub(TAIL));
    }
}

fn text(bytes: &VecDeque<u8>) -> String {
    let bytes: Vec<u8> = bytes.iter().copied().collect();
    String::from_utf8_lossy(&bytes).trim().replace('\n', " / ")
}

/// The members of the object that a hook printed.
fn members(out: &[u8]) -> Result<Map<String, Value>, String> {
    if out.iter().all(u8::is_ascii_whitespace) {
        return Ok(Map::new());
    }
    match serde_json::from_slice(out) {
        Ok(Value::Object(members)) => Ok(members),
        Ok(Value::Array(_)) => Err("it is a list".to_owned()),
        Ok(_) => Err("it is a single value".to_owned()),
        // Where and how it is malformed; the text itself is not repeated.
        Err(error) if error.is_eof() => Err("it breaks off".to_owned()),
        Err(error) => Err(format!("it is no JSON from line {}, column {} on", error.line(), error.column())),
    }
}

/// The process group of a command, ended when this is dropped before the command has.
struct Group {
    #[cfg(unix)]
    leader: Option<rustix::process::Pid>,
}

impl Group {
    fn of(child: &Child) -> Group {
        Group {
            #[cfg(unix)]
            leader: child.id().and_then(|id| i32::try_from(id).ok()).and_then(rustix::process::Pid::from_raw),
        }
    }

    /// Ends the group, and waits until the command is gone.
    async fn stop(self, child: &mut Child) {
        drop(self);
        // A process that cannot be killed is the system's; the run goes on without it.
        drop(tokio::time::timeout(GRACE, child.kill()).await);
    }

    /// The command has ended by itself.
    fn done(mut self) {
        #[cfg(unix)]
        {
            self.leader = None;
        }
        #[cfg(not(unix))]
        let _ = &mut self;
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        #[cfg(unix)]
        if let Some(leader) = self.leader.take() {
            // A group that has ended meanwhile is what was wanted.
            let _ = rustix::process::kill_process_group(leader, rustix::process::Signal::KILL);
        }
    }
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    fn hooks(command: &str) -> Hooks {
        let hook = Hook {
            command: HookCommand::Shell(command.to_owned()),
            within: Duration::from_secs(20),
            folder: None,
        };
        Hooks::new(BTreeMap::from([("it".to_owned(), hook)]), vec!["PATH_TO_NOWHERE".to_owned()])
    }

    async fn ran(command: &str, within: Option<Duration>) -> Result<Printed, HookError> {
        let arguments = vec![("user-id", "a b".to_owned())];
        hooks(command).run(&Call { name: "it", url: "http://localhost/scim", arguments, within }).await
    }

    async fn said(command: &str, within: Option<Duration>) -> String {
        ran(command, within).await.unwrap_err().to_string()
    }

    #[tokio::test]
    async fn a_hook_is_told_by_its_environment_and_answers_with_an_object() {
        let command = r#"printf '{"name": "%s %s", "user": "%s"}' "$SCIMSPEC_HOOK" "$SCIMSPEC_URL" "$SCIMSPEC_ARG_USER_ID"; echo well >&2"#;
        let printed = ran(command, None).await.unwrap();
        assert_eq!(printed.members["name"], "it http://localhost/scim");
        assert_eq!(printed.members["user"], "a b");
        assert_eq!(printed.complaint, "well");
        assert_eq!(ran("true", None).await.unwrap().members, Map::new());
        assert!(matches!(
            hooks("true").run(&Call { name: "that", url: "", arguments: Vec::new(), within: None }).await,
            Err(HookError::Unknown { .. })
        ));
    }

    #[tokio::test]
    async fn a_program_is_run_as_it_is() {
        let hook = |words: &[&str]| Hook {
            command: HookCommand::Program(words.iter().map(|word| (*word).to_owned()).collect()),
            within: Duration::from_secs(20),
            folder: Some(PathBuf::from("/")),
        };
        let call = Call { name: "it", url: "", arguments: Vec::new(), within: None };
        let run = |words: &'static [&'static str]| {
            Hooks::new(BTreeMap::from([("it".to_owned(), hook(words))]), Vec::new())
        };
        let printed = run(&["printf", "%s", r#"{"a": "$HOME;"}"#]).run(&call).await.unwrap();
        assert_eq!(printed.members["a"], "$HOME;");
        let error = run(&["/no/such/program"]).run(&call).await.unwrap_err();
        assert!(error.to_string().starts_with("the hook 'it' cannot be started: "), "{error}");
    }

    #[tokio::test]
    async fn what_a_hook_gets_wrong_is_said() {
        assert_eq!(
            said("echo first >&2; echo no such user >&2; exit 7", None).await,
            "the hook 'it' failed (exit status: 7); its last words: first / no such user"
        );
        for (command, why) in [
            ("echo hello", "it is no JSON from line 1, column 1 on"),
            ("echo '[1]'", "it is a list"),
            ("echo 7", "it is a single value"),
            ("printf '{'", "it breaks off"),
            ("echo '{} {}'", "it is no JSON from line 1, column 4 on"),
        ] {
            let said = said(command, None).await;
            assert!(said.contains(&format!("that are not one JSON object: {why}; ")), "{command}: {said}");
            assert!(!said.contains("hello"), "{said}");
        }
        let said = said("yes", None).await;
        assert_eq!(said, "the hook 'it' printed more than 1048576 bytes, and was stopped");
    }

    #[tokio::test]
    async fn a_hook_that_hangs_is_stopped_with_all_it_has_started() {
        let folder = tempfile::tempdir().unwrap();
        let pid = folder.path().join("pid");
        let command = format!("sleep 300 & echo $! > {}; echo waiting >&2; wait", pid.display());
        let started = Instant::now();
        assert_eq!(
            said(&command, Some(Duration::from_millis(400))).await,
            "the hook 'it' did not end within 400 ms, and was stopped; its last words: waiting"
        );
        assert!(started.elapsed() < Duration::from_secs(10));
        let pid = std::fs::read_to_string(pid).unwrap();
        let stat = format!("/proc/{}/stat", pid.trim());
        let gone = || match std::fs::read_to_string(&stat) {
            Ok(stat) => stat.contains(" Z "),
            Err(_) => true,
        };
        for _ in 0..100 {
            if gone() {
                return;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        panic!("what the hook has started goes on");
    }

    #[tokio::test]
    async fn what_a_hook_leaves_behind_does_not_hold_it_up() {
        let started = Instant::now();
        let printed = ran(r#"sleep 3 & echo '{"a": 1}'"#, None).await.unwrap();
        assert_eq!(printed.members["a"], 1);
        assert!(started.elapsed() < Duration::from_millis(2500), "{:?}", started.elapsed());
    }
}
