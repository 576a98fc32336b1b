//! The binary as its users start it: in an empty folder of its own, with nothing of this machine in its environment,
//! and never for longer than a minute. Whatever it leaves behind is searched for the secret.

#![allow(dead_code, reason = "each test binary uses its own part")]

use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::LazyLock;
use std::thread;
use std::time::{Duration, Instant};

use regex::Regex;
use scimspec::server::{RunningServer, ServerOptions, start};
use serde_json::Value;
use tempfile::TempDir;
use tokio::runtime::Runtime;

/// The token of every server and every run here. It may appear on the wire and nowhere else.
pub const TOKEN: &str = "tOp-s3cret/t0ken+==";
/// The variable that holds it.
pub const VARIABLE: &str = "TROUBLE_TOKEN";
/// How long a run may take before it counts as hanging.
const PATIENCE: Duration = Duration::from_secs(60);

/// An empty folder to run the binary in.
pub struct Bench {
    folder: TempDir,
}

/// What a run came to.
#[derive(Debug)]
pub struct Ran {
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
    pub took: Duration,
}

/// A run that has not ended yet.
pub struct Going {
    pub child: Child,
    started: Instant,
    out: thread::JoinHandle<String>,
    err: thread::JoinHandle<String>,
}

impl Bench {
    pub fn new() -> Bench {
        Bench { folder: tempfile::tempdir().unwrap() }
    }

    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    pub fn join(&self, name: &str) -> PathBuf {
        self.path().join(name)
    }

    pub fn write(&self, name: &str, text: &str) {
        let path = self.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    pub fn read(&self, name: &str) -> String {
        fs::read_to_string(self.join(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
    }

    pub fn json(&self, name: &str) -> Value {
        serde_json::from_str(&self.read(name)).unwrap()
    }

    /// The command of these words. The token stands in its variable.
    pub fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_scimspec"));
        command
            .args(words)
            .current_dir(self.path())
            .env_clear()
            .env("HOME", self.path())
            .env("XDG_STATE_HOME", self.join("state"))
            .env("COLUMNS", "100")
            .env("RUST_BACKTRACE", "0")
            .env(VARIABLE, TOKEN);
        command
    }

    /// Starts the command and reads all that it says.
    pub fn start(&self, words: &[&str]) -> Going {
        let mut child = self
            .command(words)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let (out, err) = (child.stdout.take().unwrap(), child.stderr.take().unwrap());
        let drain = |mut pipe: Box<dyn Read + Send>| {
            thread::spawn(move || {
                let mut bytes = Vec::new();
                pipe.read_to_end(&mut bytes).unwrap();
                String::from_utf8(bytes).expect("what is printed is UTF-8")
            })
        };
        Going { child, started: Instant::now(), out: drain(Box::new(out)), err: drain(Box::new(err)) }
    }

    /// Runs the command to its end, and looks for the secret in all that it left.
    pub fn run(&self, words: &[&str]) -> Ran {
        let ran = self.start(words).end();
        self.no_secret(&ran);
        ran
    }

    /// The secret is in no output and in no file; neither is a panic.
    pub fn no_secret(&self, ran: &Ran) {
        for (name, text) in [("stdout", &ran.stdout), ("stderr", &ran.stderr)] {
            assert!(!text.contains(TOKEN), "the token is on {name}:\n{text}");
            assert!(!text.contains("panicked at"), "{name}:\n{text}");
        }
        for file in files(self.path()) {
            let text = String::from_utf8_lossy(&fs::read(&file).unwrap()).into_owned();
            assert!(!text.contains(TOKEN), "the token is in {}", file.display());
        }
    }

    /// The ledgers that are left.
    pub fn ledgers(&self) -> Vec<PathBuf> {
        files(&self.join("state"))
    }
}

impl Going {
    /// Sends a signal, by its number.
    pub fn signal(&self, name: &str) {
        let sent = Command::new("kill").args([name, &self.child.id().to_string()]).status().unwrap();
        assert!(sent.success());
    }

    /// Waits for its end. A run that does not end is killed, and fails the test.
    pub fn end(mut self) -> Ran {
        let status = loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                break status;
            }
            if self.started.elapsed() > PATIENCE {
                self.child.kill().unwrap();
                self.child.wait().unwrap();
                let (out, err) = (self.out.join().unwrap(), self.err.join().unwrap());
                panic!("it hangs; so far it said:\n{out}\n{err}");
            }
            thread::sleep(Duration::from_millis(10));
        };
        Ran {
            code: status.code(),
            took: self.started.elapsed(),
            stdout: self.out.join().unwrap(),
            stderr: self.err.join().unwrap(),
        }
    }
}

impl Ran {
    /// The exit code, which has to be this one.
    #[track_caller]
    pub fn exits(self, code: i32) -> Ran {
        assert_eq!(self.code, Some(code), "stdout:\n{}\nstderr:\n{}", self.stdout, self.stderr);
        self
    }

    /// What was said on standard error and how it ended, without what differs from run to run.
    pub fn trouble(&self) -> String {
        format!(
            "{}exit {}\n",
            stable(&self.stderr),
            self.code.map_or("by a signal".to_owned(), |c| c.to_string())
        )
    }
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    let mut all = Vec::new();
    for entry in entries {
        let path = entry.unwrap().path();
        if path.is_dir() { all.extend(files(&path)) } else { all.push(path) }
    }
    all.sort();
    all
}

static PORT: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"(127\.0\.0\.1|localhost):\d{5}").unwrap());
static FOLDER: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"/[^\s:']*/\.tmp\w+").unwrap());

/// What the system says of a name that does not resolve depends on whether there is a network.
static UNKNOWN: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"(does not resolve: ).*").unwrap());

/// Whether a closed connection shows as the end of its stream or as a reset is a matter of moments.
static CLOSED: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"(without an answer: ).*(closed before message completed|reset by peer|[Bb]roken pipe).*")
        .unwrap()
});
static BYTES: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"broke off after \d+ bytes").unwrap());
static ID: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"\b[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\b").unwrap());

/// Without what differs from run to run and from machine to machine: ports, temporary folders, ids.
pub fn stable(text: &str) -> String {
    let text = PORT.replace_all(text, "$1:PORT");
    let text = FOLDER.replace_all(&text, "FOLDER");
    let text = UNKNOWN.replace_all(&text, "${1}WHY");
    let text = CLOSED.replace_all(&text, "${1}WHY");
    let text = BYTES.replace_all(&text, "broke off after N bytes");
    ID.replace_all(&text, "ID").into_owned()
}

/// Where servers of this process run.
pub static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| {
    tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap()
});

/// The reference server, in this process.
pub struct Reference {
    server: RunningServer,
}

impl Reference {
    pub fn start(options: ServerOptions) -> Reference {
        let options = ServerOptions { token: Some(TOKEN.to_owned()), ..options };
        Reference { server: RUNTIME.block_on(start(options)).unwrap() }
    }

    pub fn good() -> Reference {
        Reference::start(ServerOptions::default())
    }

    pub fn url(&self) -> &str {
        self.server.base_url()
    }

    pub fn port(&self) -> u16 {
        self.url().parse::<url::Url>().unwrap().port().unwrap()
    }
}

/// What the reference server at a port itself answers, past every proxy: `null` is no body.
pub fn ask(port: u16, method: &str, path: &str, body: Option<&Value>) -> Value {
    let method = method.parse::<reqwest::Method>().expect("a method");
    let request = reqwest::Client::new()
        .request(method, format!("http://127.0.0.1:{port}/scim/v2{path}"))
        .bearer_auth(TOKEN)
        .header("Content-Type", "application/scim+json")
        .body(body.map(Value::to_string).unwrap_or_default());
    let text = RUNTIME.block_on(async { request.send().await?.text().await });
    serde_json::from_str(&text.expect("the reference server answers")).unwrap_or(Value::Null)
}

/// How many resources a reference server has at an endpoint.
pub fn there(port: u16, endpoint: &str) -> u64 {
    ask(port, "GET", endpoint, None)["totalResults"].as_u64().expect("a list")
}

/// How many outcomes of a report have that verdict.
pub fn count(report: &Value, verdict: &str) -> u64 {
    report["summary"]["verdicts"][verdict].as_u64().unwrap_or_else(|| panic!("no {verdict}"))
}

/// Waits until something holds.
pub fn until(what: &str, holds: impl Fn() -> bool) {
    let started = Instant::now();
    while !holds() {
        assert!(started.elapsed() < Duration::from_secs(40), "{what} never came");
        thread::sleep(Duration::from_millis(5));
    }
}
