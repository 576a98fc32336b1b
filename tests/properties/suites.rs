//! Whatever stands in a suite file, a profile, a population, a fixture or a file of vectors: it is read or refused, twice
//! in the same way; whoever is told what is wrong is told a place that is in the file; and what is sound can be listed
//! and planned.

use std::sync::LazyLock;

use include_dir::Dir;
use scimspec::judge::rules::RULES;
use scimspec::outcome::Place;
use scimspec::plan::{Conditions, Estimate, Selection, Together, plan};
use scimspec::profile::Profile;
use scimspec::requirement::Catalogue;
use scimspec::suite::diagnostic::{Diagnostic, Severity};
use scimspec::suite::lint::{Known, lint};
use scimspec::suite::list;
use scimspec::suite::load::{EMBEDDED_FIXTURES, EMBEDDED_SUITES, Library};
use scimspec::suite::model::Permission;

use crate::choices::{Choices, TEXTS};

/// Larger texts teach nothing that smaller ones do not, and take longer.
const LARGEST: usize = 256 << 10;

/// The files inside scimspec, each with its path below the suites' root.
pub static FILES: LazyLock<Vec<(String, &'static str)>> = LazyLock::new(|| {
    let mut files = Vec::new();
    collect(&EMBEDDED_SUITES, "", &mut files);
    collect(&EMBEDDED_FIXTURES, "fixtures/", &mut files);
    files.retain(|(path, _)| !path.starts_with("requirements/") && !path.ends_with(".md"));
    files.sort();
    files
});

fn collect(directory: &Dir<'static>, root: &str, files: &mut Vec<(String, &'static str)>) {
    for file in directory.files() {
        let path = format!("{root}{}", file.path().display());
        files.push((path, file.contents_utf8().expect("our files are UTF-8")));
    }
    for below in directory.dirs() {
        collect(below, root, files);
    }
}

static EVERYTHING: LazyLock<Profile> = LazyLock::new(|| {
    Profile::read("everything.yaml", "profile: everything\ntitle: Every case\nsuites: ['**']\n")
        .expect("the profile is sound")
});

/// Where a text can stand.
pub const PLACES: &[&str] = &[
    "x/suite.yaml",
    "profiles/x.yaml",
    "fixtures/populations/x.yaml",
    "fixtures/vectors/filter.yaml",
    "fixtures/x.json",
];

/// The first byte says where the text stands that the others are.
pub fn check_bytes(bytes: &[u8]) {
    let mut choices = Choices::new(bytes);
    let path = choices.pick(PLACES);
    if let Ok(text) = std::str::from_utf8(choices.rest()) {
        check(path, text);
    }
}

/// A file of ours with slips in it.
pub fn check_slips(bytes: &[u8]) {
    let mut choices = Choices::new(bytes);
    let (path, text) = &FILES[choices.below(FILES.len())];
    check(path, &with_slips(text, &mut choices));
}

/// Reads a file, and does with it what the commands about files do.
pub fn check(path: &str, text: &str) {
    if text.len() > LARGEST {
        return;
    }
    let first = read(path, text);
    assert_eq!(first, read(path, text), "it is read in the same way twice");
    for diagnostic in &first {
        is_located(diagnostic, path, text);
    }
}

/// What is wrong with a file beside those of ours that it speaks of.
fn read(path: &str, text: &str) -> Vec<Diagnostic> {
    let is_meant = |known: &str| {
        let name = known.rsplit('/').next().unwrap_or(known);
        let stem = name.split('.').next().unwrap_or(name);
        known.starts_with("fixtures/") && known != path && text.contains(stem)
    };
    let beside = FILES.iter().filter(|(known, _)| is_meant(known) && !known.contains("/vectors/"));
    let mut texts: Vec<(String, String)> =
        beside.map(|(known, text)| (known.clone(), (*text).to_owned())).collect();
    texts.push((path.to_owned(), text.to_owned()));
    let library = match Library::of_texts(texts) {
        Ok(library) => library,
        Err(diagnostics) => {
            assert!(!diagnostics.is_empty(), "who refuses says why");
            return diagnostics;
        }
    };
    let catalogue = Catalogue::embedded();
    let rules: Vec<&str> = RULES.iter().map(|rule| rule.name).collect();
    let diagnostics = lint(&library, Known { catalogue, rules: &rules });
    // What `list` and a run do next, whether or not there are errors: neither may fall over them.
    assert_eq!(library.digest().len(), 16);
    let conditions = Conditions {
        claims: &|_| Ok(()),
        allow: &[Permission::Disruptive, Permission::Slow],
        read_only: false,
        schemas: None,
    };
    let entries = list::entries(&library, &EVERYTHING, catalogue, true);
    assert!(serde_json::from_str::<serde_json::Value>(&list::json(&entries)).is_ok());
    for file in library.suites() {
        for case in &file.suite.cases {
            file.settings_of(case);
        }
    }
    if diagnostics.iter().all(|it| it.severity != Severity::Error) {
        let plan = plan(library.suites(), catalogue, &EVERYTHING, &Selection::default(), &conditions);
        let cases: usize = library.suites().iter().map(|file| file.suite.cases.len()).sum();
        assert!(plan.jobs.len() >= cases, "{} jobs of {cases} cases", plan.jobs.len());
        Estimate::of(&plan, &library, &|_| Ok(()), Together::default()).text(None);
    }
    diagnostics
}

/// Lines as YAML counts them.
fn lines(text: &str) -> Vec<&str> {
    text.lines().flat_map(|line| line.split('\r')).collect()
}

/// Whether whoever follows a diagnostic finds something there, and nothing that moves a terminal's cursor.
fn is_located(diagnostic: &Diagnostic, path: &str, text: &str) {
    let said = diagnostic.render(false);
    let raw: Vec<char> = said.chars().filter(|c| c.is_control() && *c != '\n').collect();
    assert!(raw.is_empty(), "{said:?} holds {raw:?}");
    assert!(!diagnostic.message.trim().is_empty(), "{diagnostic:?}");
    assert!(said.len() < 64 << 10, "{} bytes about {} bytes", said.len(), text.len());
    let Place { file, line, column } = &diagnostic.place;
    if file != path {
        assert!(FILES.iter().any(|(known, _)| known == file), "{diagnostic}: there is no such file");
        return;
    }
    let lines = lines(text);
    let (line, column) = (*line as usize, *column as usize);
    assert!(line >= 1 && column >= 1, "{diagnostic}");
    assert!(line <= lines.len() + 1, "{diagnostic}, of {} lines", lines.len());
    if let Some(line) = lines.get(line - 1) {
        assert!(column <= line.chars().count() + 1, "{diagnostic} in {line:?}");
    }
}

/// A text with up to four slips in it.
pub fn with_slips(text: &str, choices: &mut Choices<'_>) -> String {
    let mut text = text.to_owned();
    for _ in 0..=choices.below(4) {
        text = slip(&text, choices);
        text.truncate((0..=LARGEST.min(text.len())).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0));
    }
    text
}

fn slip(text: &str, choices: &mut Choices<'_>) -> String {
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    if lines.is_empty() {
        return choices.text();
    }
    let at = choices.below(lines.len());
    match choices.below(16) {
        0 => {
            lines.remove(at);
        }
        1 => {
            let copy = lines[at].clone();
            let to = choices.below(lines.len());
            lines.insert(to, copy);
        }
        2 => {
            let with = choices.below(lines.len());
            lines.swap(at, with);
        }
        3..=5 => lines[at] = with_value(&lines[at], &scalar(choices)),
        6 => lines[at].insert_str(0, &" ".repeat(1 + choices.below(5))),
        7 => lines[at] = lines[at].strip_prefix("  ").unwrap_or_default().to_owned(),
        8 => {
            let with = choices.text();
            let place = choices.below(lines[at].chars().count() + 1);
            let byte = lines[at].char_indices().nth(place).map_or(lines[at].len(), |(byte, _)| byte);
            lines[at].insert_str(byte, &with);
        }
        9 => lines.truncate(at + 1),
        10 => lines[at] = with_key(&lines[at], choices.pick(KEYS)),
        11 => {
            let (_, other) = &FILES[choices.below(FILES.len())];
            let other: Vec<&str> = other.lines().collect();
            let from = choices.below(other.len());
            let taken = other.iter().skip(from).take(1 + choices.below(30)).map(|line| (*line).to_owned());
            lines.splice(at..at, taken);
        }
        12 => return lines.join(choices.pick(&["\r", "\r\n", "\n\n", "\u{2028}"])),
        13 => {
            return format!(
                "{}{}",
                choices.pick(&["\u{feff}", "---\n", "%YAML 1.1\n---\n", "{", "- "]),
                text
            );
        }
        14 => {
            let place = choices.below(text.chars().count());
            return text.chars().take(place).collect();
        }
        _ => {
            let count = 1 + choices.below(lines.len() - at);
            lines.drain(at..at + count);
        }
    }
    lines.join("\n") + "\n"
}

/// A line with another value behind its key or dash.
fn with_value(line: &str, value: &str) -> String {
    let from = line.find(": ").map(|at| at + 2).or_else(|| line.find("- ").map(|at| at + 2));
    format!("{}{value}", &line[..from.unwrap_or(line.len())])
}

/// A line with another key.
fn with_key(line: &str, key: &str) -> String {
    let indent = line.len() - line.trim_start_matches([' ', '-']).len();
    match line.find(':') {
        Some(colon) if colon >= indent => format!("{}{key}{}", &line[..indent], &line[colon..]),
        _ => format!("{}{key}: {}", &line[..indent], line.trim_start()),
    }
}

/// A value that authors do not write on purpose.
fn scalar(choices: &mut Choices<'_>) -> String {
    match choices.below(4) {
        0 | 1 => choices.pick(SCALARS).to_owned(),
        2 => {
            let (open, close) = choices.pick(&[
                ("[", "]"),
                ("{a: ", "}"),
                ("- ", ""),
                ("? ", ""),
                ("\"${", "}\""),
                ("'(", "'"),
                ("not (", ")"),
                ("$[?(", ")]"),
                ("$[?(!", ")]"),
                ("$.a[?@.b[?", "]]"),
                ("a[b eq ", "]"),
                ("'((", "))'"),
            ]);
            let depth = choices.pick(&[2, 90, 130, 1000, 5000]);
            let inner = choices.pick(SCALARS);
            let quote = choices.pick(&["", "'"]);
            format!("{quote}{}{inner}{}{quote}", open.repeat(depth), close.repeat(depth))
        }
        _ => {
            let text = choices.text();
            let text = text.replace('\\', "\\\\").replace('"', "\\\"");
            format!("\"{text}\"")
        }
    }
}

/// Keys of the format, of all kinds of files.
const KEYS: &[&str] = &[
    "suite",
    "title",
    "cases",
    "id",
    "steps",
    "send",
    "make",
    "expect",
    "any",
    "also",
    "never",
    "checks",
    "body",
    "becomes",
    "list",
    "resource",
    "status",
    "error",
    "spec",
    "level",
    "requires",
    "tags",
    "given",
    "fresh",
    "rows",
    "data",
    "vectors",
    "population",
    "for-each",
    "rule",
    "setup",
    "defaults",
    "actions",
    "do",
    "with",
    "hook",
    "burst",
    "parallel",
    "paginate",
    "invariants",
    "tally",
    "checkpoint",
    "snapshot",
    "mutes",
    "when",
    "capture",
    "headers",
    "auth",
    "path",
    "equals",
    "matches",
    "each",
    "values",
    "includes",
    "same-as",
    "profile",
    "suites",
    "skip",
    "features",
    "deviations",
    "settings",
    "page-size",
    "documents",
    "client",
    "members",
    "fixture",
    "times",
    "creates",
    "allow",
    "pause",
    "consequence",
    "hint",
    "filter",
    "expected",
    "<<",
    "",
];

/// Values that mean something else than they look like, or that cost more than they look like.
const SCALARS: &[&str] = &[
    "x",
    "",
    "~",
    "null",
    "true",
    "yes",
    "0",
    "-1",
    "4294967296",
    "18446744073709551616",
    "1e999",
    "0x1F",
    "0o17",
    ".nan",
    ".inf",
    "1_000",
    "007",
    "12:30:45",
    "2026-11-22",
    "&a x",
    "*a",
    "!!binary x",
    "!x y",
    "!!set {a, b}",
    "|",
    ">-",
    "|9",
    "\"\\0\"",
    "\"\\ud800\"",
    "\"\\U0010FFFF\"",
    "\"open",
    "'open",
    "[",
    "{",
    "]",
    "}",
    "[]",
    "{}",
    "[[]]",
    "{a: }",
    "{a: {b: {c: }}}",
    "[a, [b, [c]]]",
    "{<<: *a}",
    "{? a : b}",
    "? a",
    "- - - a",
    "%",
    "@",
    "`",
    "#",
    "2xx",
    "[2xx, 4xx]",
    "99xx",
    "GET",
    "GET /",
    "POST /Users HTTP/1.1",
    "PATCH /Users/${x.id}?a=b&${c}=${d}",
    "\"${x}\"",
    "\"${x.y[0].z}\"",
    "\"${x.emails[type eq \\\"work\\\"].value}\"",
    "\"${setting.x}\"",
    "\"${row.x}\"",
    "\"${${x}}\"",
    "\"${x[\"",
    "$.a[",
    "\"$..*\"",
    "\"$[-9223372036854775808:9223372036854775807:-1]\"",
    "\"$[?(@.a == 'b' && !(@.c))]\"",
    "\"$[?match(@.a, '(a+)+$')]\"",
    "'(((((((((('",
    "'(a{1000}){1000}'",
    "'(?i)^\\p{L}+$'",
    "'\\'",
    "30s",
    "1e400s",
    "-5m",
    "9999999999d",
    "RFC7644-3.3-01",
    "RFC0-0",
    "user",
    "okta-user",
    "filters",
    "User",
    "User.emails",
    "not patch",
    "[patch, bulk]",
    "\u{202e}x",
    "\u{feff}x",
    "\u{85}x",
    "\u{0}",
    "\u{7}",
    "\u{1b}[31m",
    "日本",
    "\t",
    "\tx",
    "a\tb",
    "a: b: c",
    "&a [*a, *a]",
    "&a [&b [&c [*a, *b, *c]]]",
];

/// Texts that readers trip over are all tried as the value of each kind of file at least once.
pub fn each_odd_text() -> impl Iterator<Item = (&'static str, String)> {
    PLACES.iter().flat_map(|path| {
        TEXTS.iter().chain(SCALARS).flat_map(move |odd| {
            let alone = (*path, (*odd).to_owned());
            let within = (*path, format!("suite: {odd}\ntitle: {odd}\ncases: {odd}\n"));
            [alone, within]
        })
    })
}
