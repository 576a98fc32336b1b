//! The README, executed from top to bottom.
//!
//! Its blocks are files (`yaml`, `toml`; the comment in the first line names the file) and terminals (`console`).
//! Files are written into an empty folder, commands run in it, and what a block shows of their output has to come
//! out, but for what differs from run to run: ids, times, dates. A line `...` stands for any lines. An exit code
//! other than 0 has to be shown with `echo $?`. The address of the README's server is that of a `scimspec serve`
//! without a fault, or of the one that a section starts itself. Commands of cargo are those that `.ci/run` runs.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::LazyLock;
use std::thread;
use std::time::{Duration, Instant};

use regex::Regex;
use scimspec::outcome::Exit;
use tempfile::TempDir;

/// The address of the server in the README.
const ADDRESS: &str = "http://127.0.0.1:8080/scim/v2";
/// How long `scimspec serve` may take to say its address.
const SERVED_WITHIN: Duration = Duration::from_secs(20);

#[test]
fn every_block_of_the_readme_is_true() {
    let readme = read("README.md");
    let mut terminal = Terminal::open();
    let mut executed = 0;
    let mut section = 0;
    for block in blocks(&readme) {
        if block.section != section {
            section = block.section;
            terminal.server = None;
        }
        match block.language {
            "yaml" | "toml" => terminal.write(&block),
            "console" => terminal.run(&block),
            other => panic!("README.md:{}: no test executes a block of {other:?}", block.line),
        }
        executed += 1;
    }
    assert!(executed >= 6, "only {executed} blocks: were they found?");
}

/// The case that the README shows holds above; on a server that ignores PATCH it has to fail.
#[test]
fn the_case_of_the_readme_can_fail() {
    let readme = read("README.md");
    let mut terminal = Terminal::open();
    let suite =
        blocks(&readme).into_iter().find(|block| block.language == "yaml").expect("the README has a case");
    terminal.write(&suite);
    terminal.variables.insert("SCIM_TOKEN".to_owned(), "s3cr3t-token".to_owned());
    terminal.server =
        Some(terminal.serve("scimspec serve --port 8080 --token $SCIM_TOKEN --fault patch-ignored"));
    let output = terminal.execute(&format!(
        "scimspec run {ADDRESS} --token-env SCIM_TOKEN --suites my-suites --case 'titles/*'"
    ));
    assert_eq!(terminal.last, i32::from(Exit::Failures.code()), "{output}");
    assert!(output.contains("FAILED titles/replace"), "{output}");
}

#[test]
fn exit_codes_of_the_readme_are_those_of_the_program() {
    let row = Regex::new(r"(?m)^\| `?(\d)`? \|").expect("the pattern is valid");
    let documented: Vec<u8> = row
        .captures_iter(&read("README.md"))
        .map(|row| row[1].parse().expect("a digit is a number"))
        .collect();
    let known = [Exit::Conformant, Exit::Failures, Exit::Usage, Exit::Unreachable, Exit::NothingRan];
    assert_eq!(documented, known.map(Exit::code));
}

#[test]
fn links_of_the_readme_lead_somewhere() {
    let link = Regex::new(r"\]\(([^)#:]+)\)").expect("the pattern is valid");
    let readme = read("README.md");
    let targets: Vec<&str> =
        link.captures_iter(&readme).map(|link| link.get(1).expect("the group took part").as_str()).collect();
    assert!(!targets.is_empty());
    for target in targets {
        assert!(Path::new(env!("CARGO_MANIFEST_DIR")).join(target).exists(), "{target} does not exist");
    }
}

/// What the text and its tables name has to exist, also where no block executes it.
#[test]
fn options_of_the_readme_are_options_of_the_program() {
    let option = Regex::new(r"`[^`\n]*`").expect("the pattern is valid");
    let named = Regex::new(r"--[a-z][a-z-]+").expect("the pattern is valid");
    let help: String = ["run", "serve", "list", "snapshots", "profile", "baseline", "fuzz lifecycle"]
        .iter()
        .map(|command| {
            let output =
                Command::new(env!("CARGO_BIN_EXE_scimspec")).args(command.split(' ')).arg("--help").output();
            String::from_utf8(output.expect("the program runs").stdout).expect("help is UTF-8")
        })
        .collect();
    let readme = read("README.md");
    let mut seen = 0;
    for code in option.find_iter(&readme).filter(|code| !code.as_str().starts_with("`cargo ")) {
        for name in named.find_iter(code.as_str()) {
            let is_known =
                help.split(|c: char| !(c.is_ascii_alphanumeric() || c == '-')).any(|it| it == name.as_str());
            assert!(is_known, "the README names {}, which no command knows", name.as_str());
            seen += 1;
        }
    }
    assert!(seen > 10, "only {seen} options: were they found?");
}

/// A fenced block.
struct Block<'a> {
    language: &'a str,
    lines: Vec<&'a str>,
    /// The line of its first line in the README, from 1.
    line: usize,
    /// How many headings stand before it.
    section: usize,
}

fn blocks(markdown: &str) -> Vec<Block<'_>> {
    let mut found = Vec::new();
    let mut open: Option<Block<'_>> = None;
    let mut section = 0;
    for (index, line) in markdown.lines().enumerate() {
        match (line.strip_prefix("```"), open.take()) {
            (Some(language), None) => {
                open = Some(Block { language: language.trim(), lines: Vec::new(), line: index + 2, section });
            }
            (Some(_), Some(block)) => found.push(block),
            (None, Some(mut block)) => {
                block.lines.push(line);
                open = Some(block);
            }
            (None, None) => section += usize::from(line.starts_with('#')),
        }
    }
    assert!(open.is_none(), "the last block of the README is not closed");
    found
}

/// A command of a block, with the output that the block shows.
struct Entry<'a> {
    command: String,
    shown: Vec<&'a str>,
    line: usize,
}

fn entries<'a>(block: &Block<'a>) -> Vec<Entry<'a>> {
    let mut entries: Vec<Entry<'a>> = Vec::new();
    let mut continued = false;
    for (index, &line) in block.lines.iter().enumerate() {
        let place = block.line + index;
        if let Some(command) = line.strip_prefix("$ ") {
            entries.push(Entry { command: command.to_owned(), shown: Vec::new(), line: place });
        } else {
            let entry =
                entries.last_mut().unwrap_or_else(|| panic!("README.md:{place}: output before a command"));
            if continued {
                entry.command.push('\n');
                entry.command.push_str(line);
            } else {
                entry.shown.push(line);
            }
        }
        continued =
            entries.last().is_some_and(|entry| entry.shown.is_empty() && entry.command.ends_with('\\'));
    }
    entries
}

/// Somebody who follows the README in an empty folder.
struct Terminal {
    folder: TempDir,
    variables: BTreeMap<String, String>,
    server: Option<Served>,
    last: i32,
}

impl Terminal {
    fn open() -> Terminal {
        let folder = tempfile::tempdir().expect("a folder can be made");
        Terminal { folder, variables: BTreeMap::new(), server: None, last: 0 }
    }

    fn write(&mut self, block: &Block<'_>) {
        let name = block.lines[0].strip_prefix("# ").unwrap_or_else(|| {
            panic!("README.md:{}: a comment in the first line names the file", block.line);
        });
        let path = self.folder.path().join(name);
        fs::create_dir_all(path.parent().expect("a file is in a folder")).expect("the folder can be made");
        let text = block.lines.join("\n");
        self.have_a_server_for(&text);
        fs::write(&path, self.located(&text)).expect("the file can be written");
    }

    fn run(&mut self, block: &Block<'_>) {
        let entries = entries(block);
        for (index, entry) in entries.iter().enumerate() {
            let Entry { command, shown, line } = entry;
            if command == "echo $?" {
                assert_eq!(shown.join("\n").trim(), self.last.to_string(), "README.md:{line}: the exit code");
            } else if let Some(cargo) = command.strip_prefix("cargo ") {
                let ci = read(".ci/run").replace(" --locked", "");
                assert!(ci.contains(&format!("cargo {cargo}")), "README.md:{line}: .ci/run does not run it");
            } else if let Some(variable) = command.strip_prefix("export ") {
                let (name, value) = variable.split_once('=').expect("export has a value");
                self.variables.insert(name.to_owned(), value.to_owned());
            } else if command.starts_with("scimspec serve") && !command.contains("--list-faults") {
                // The one before ends here: it is the same address.
                self.server = None;
                self.server = Some(self.serve(command));
                let expected = shown.first().copied().unwrap_or(ADDRESS);
                assert_eq!(expected, ADDRESS, "README.md:{line}: the first line is the base URL");
            } else {
                let output = self.execute(command);
                let explained = entries.get(index + 1).is_some_and(|next| next.command == "echo $?");
                assert!(
                    self.last == 0 || explained,
                    "README.md:{line}: {command}\nexit code {}\n{output}",
                    self.last
                );
                if let Err(missing) = shows(&output, shown) {
                    panic!("README.md:{line}: {command}\ndoes not print\n{missing}\nbut\n{output}");
                }
            }
        }
    }

    /// What a command prints, with the README's address instead of the real one.
    fn execute(&mut self, command: &str) -> String {
        self.have_a_server_for(command);
        let output =
            self.shell(&self.located(command)).output().unwrap_or_else(|error| panic!("{command}: {error}"));
        self.last = output.status.code().unwrap_or_else(|| panic!("{command}: {}", output.status));
        let text = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
        match &self.server {
            Some(server) => text.replace(&server.base_url, ADDRESS),
            None => text.into_owned(),
        }
    }

    /// Starts a server without a fault, where the text speaks of one and none is running.
    fn have_a_server_for(&mut self, text: &str) {
        if text.contains(ADDRESS) && self.server.is_none() {
            self.server = Some(self.serve("scimspec serve --port 8080 --token $SCIM_TOKEN"));
        }
    }

    /// The text with the address of the running server instead of the README's.
    fn located(&self, text: &str) -> String {
        match &self.server {
            Some(server) => text.replace(ADDRESS, &server.base_url),
            None => text.to_owned(),
        }
    }

    fn serve(&self, command: &str) -> Served {
        assert!(command.contains("--port 8080"), "{command}: the README's address has port 8080");
        // `exec`, so that the child is the server and not a shell around it.
        let command = format!("exec {}", command.replace("--port 8080", "--port 0"));
        let log = self.folder.path().join("serve.log");
        let file = File::create(&log).expect("a log can be made");
        let requests = File::create(self.folder.path().join("requests.log")).expect("a log can be made");
        let child = self
            .shell(&command)
            .stdout(file)
            .stderr(requests)
            .spawn()
            .expect("scimspec serve can be started");
        let mut served = Served { child, base_url: String::new() };
        let deadline = Instant::now() + SERVED_WITHIN;
        loop {
            let said = fs::read_to_string(&log).expect("the log can be read");
            if let Some((first, _)) = said.split_once('\n') {
                first.trim().clone_into(&mut served.base_url);
                assert!(served.base_url.starts_with("http://127.0.0.1:"), "{command}: {first}");
                return served;
            }
            assert!(Instant::now() < deadline, "{command}: said no address within {SERVED_WITHIN:?}");
            thread::sleep(Duration::from_millis(20));
        }
    }

    fn shell(&self, command: &str) -> Command {
        let program = Path::new(env!("CARGO_BIN_EXE_scimspec"));
        let mut path = vec![program.parent().expect("a program is in a folder").to_path_buf()];
        path.extend(std::env::split_paths(&std::env::var_os("PATH").unwrap_or_default()));
        let mut shell = Command::new("bash");
        shell
            .args(["-euo", "pipefail", "-c", command])
            .current_dir(self.folder.path())
            .env("PATH", std::env::join_paths(path).expect("PATH can be joined"))
            .env("COLUMNS", "100")
            .env("XDG_STATE_HOME", self.folder.path().join("state"))
            .env("NO_COLOR", "1")
            .envs(&self.variables)
            .stdin(Stdio::null());
        shell
    }
}

/// A `scimspec serve` that ends with the test.
struct Served {
    child: Child,
    base_url: String,
}

impl Drop for Served {
    fn drop(&mut self) {
        // Both fail only where it is gone already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Whether the lines stand in the output in this order, next to each other where no `...` is between them.
///
/// # Errors
/// The lines that are missing.
fn shows(output: &str, lines: &[&str]) -> Result<(), String> {
    let output: Vec<String> = output.lines().map(lasting).collect();
    let mut from = 0;
    for part in lines.split(|line| *line == "...") {
        let part: Vec<String> = part.iter().map(|line| lasting(line)).collect();
        if part.is_empty() {
            continue;
        }
        match output[from..].windows(part.len()).position(|window| window == part) {
            Some(at) => from += at + part.len(),
            None => return Err(part.join("\n")),
        }
    }
    Ok(())
}

/// A line without what differs from run to run.
fn lasting(line: &str) -> String {
    static CHANGING: LazyLock<[(Regex, &str); 5]> = LazyLock::new(|| {
        [
            (r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", "ID"),
            (r"\d{4}-\d\d-\d\dT[0-9:.]+(Z|[+-]\d\d:\d\d)", "DATE"),
            (r"\b\d+(\.\d+)? ?(µs|ms|s)\b", "TIME"),
            (r"\.yaml:\d+:\d+", ".yaml:PLACE"),
            (r"#\d+", "#N"),
        ]
        .map(|(pattern, word)| (Regex::new(pattern).expect("the pattern is valid"), word))
    });
    let mut line = line.trim_end().to_owned();
    for (pattern, word) in CHANGING.iter() {
        line = pattern.replace_all(&line, *word).into_owned();
    }
    line
}

#[test]
fn shown_lines_have_to_come_out_in_order() {
    let output = "one\ntwo 12 ms\nthree\nfour";
    assert!(shows(output, &["one", "two 7 ms"]).is_ok());
    assert!(shows(output, &["one", "...", "four"]).is_ok());
    assert!(shows(output, &["one", "three"]).is_err());
    assert!(shows(output, &["three", "...", "one"]).is_err());
}

fn read(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(name);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}
