//! Every slip that the reader or the lint knows, seen as an author sees it: file, line, caret, hint.
//!
//! Each file of `tests/broken-suites/` has one slip; its rendered diagnostics are a snapshot. And what is shipped has
//! none.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use scimspec::judge::rules::RULES;
use scimspec::requirement::Catalogue;
use scimspec::suite::lint::{Known, lint};
use scimspec::suite::{Diagnostic, Library};

const BROKEN: &str = "tests/broken-suites";

/// What the reader or the lint finds in each of these files, by the file.
fn diagnose(files: &[PathBuf]) -> BTreeMap<String, Vec<Diagnostic>> {
    let unreadable = Library::load(files).expect_err("some of the files cannot be read");
    let cannot_be_read = |file: &&PathBuf| unreadable.iter().any(|found| found.place.file == name_of(file));
    let readable: Vec<PathBuf> = files.iter().filter(|file| !cannot_be_read(file)).cloned().collect();
    let library = Library::load(&readable).expect("what cannot be read was left out");
    let known = Known { catalogue: Catalogue::embedded(), rules: &["media-type", "error-body"] };
    let mut found: BTreeMap<String, Vec<Diagnostic>> = BTreeMap::new();
    for diagnostic in unreadable.into_iter().chain(lint(&library, known)) {
        found.entry(diagnostic.place.file.clone()).or_default().push(diagnostic);
    }
    found
}

fn name_of(file: &Path) -> String {
    file.display().to_string()
}

#[test]
fn every_slip_is_located_and_explained() {
    let mut files: Vec<PathBuf> = fs::read_dir(BROKEN).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    assert!(files.len() > 80, "{}", files.len());
    let found = diagnose(&files);
    let mut silent = Vec::new();
    for file in files {
        let name = file.file_stem().unwrap().to_string_lossy().into_owned();
        let Some(diagnostics) = found.get(&name_of(&file)) else {
            silent.push(name);
            continue;
        };
        let rendered: Vec<String> = diagnostics.iter().map(|diagnostic| diagnostic.render(false)).collect();
        insta::with_settings!({ snapshot_path => "snapshots/check", prepend_module_to_snapshot => false, omit_expression => true }, {
            insta::assert_snapshot!(name, rendered.join("\n\n"));
        });
    }
    assert!(silent.is_empty(), "nothing was found in: {silent:?}");
}

#[test]
fn every_slip_of_a_profile_is_located_and_explained() {
    let mut files: Vec<PathBuf> =
        fs::read_dir("tests/broken-profiles").unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    assert!(files.len() > 35, "{}", files.len());
    let rules: Vec<&str> = RULES.iter().map(|rule| rule.name).collect();
    let known = Known { catalogue: Catalogue::embedded(), rules: &rules };
    let mut silent = Vec::new();
    for file in files {
        // Each by itself: one name twice would be another slip.
        let found = match Library::load(std::slice::from_ref(&file)) {
            Ok(library) => lint(&library, known),
            Err(unreadable) => unreadable,
        };
        let name = file.file_stem().unwrap().to_string_lossy().into_owned();
        if found.is_empty() {
            silent.push(name);
            continue;
        }
        assert!(found.iter().all(|diagnostic| diagnostic.place.file == name_of(&file)), "{found:#?}");
        let rendered: Vec<String> = found.iter().map(|diagnostic| diagnostic.render(false)).collect();
        insta::with_settings!({ snapshot_path => "snapshots/check-profiles", prepend_module_to_snapshot => false, omit_expression => true }, {
            insta::assert_snapshot!(name, rendered.join("\n\n"));
        });
    }
    assert!(silent.is_empty(), "nothing was found in: {silent:?}");
}

#[test]
fn fixtures_and_populations_are_looked_through() {
    let library = Library::load(&[PathBuf::from("tests/broken-library")]).unwrap();
    let known = Known { catalogue: Catalogue::embedded(), rules: &[] };
    let rendered: Vec<String> = lint(&library, known)
        .iter()
        .filter(|diagnostic| diagnostic.place.file.starts_with("tests/"))
        .map(|diagnostic| diagnostic.render(false))
        .collect();
    insta::with_settings!({ snapshot_path => "snapshots", prepend_module_to_snapshot => false, omit_expression => true }, {
        insta::assert_snapshot!("broken-library", rendered.join("\n\n"));
    });
}

#[test]
fn what_is_shipped_is_clean() {
    let library = Library::embedded().unwrap_or_else(|diagnostics| {
        let rendered: Vec<String> = diagnostics.iter().map(|diagnostic| diagnostic.render(false)).collect();
        panic!("{}", rendered.join("\n\n"));
    });
    let rules: Vec<&str> = RULES.iter().map(|rule| rule.name).collect();
    let found = lint(&library, Known { catalogue: Catalogue::embedded(), rules: &rules });
    let rendered: Vec<String> = found.iter().map(|diagnostic| diagnostic.render(false)).collect();
    assert!(rendered.is_empty(), "{}\n{} findings", rendered.join("\n\n"), rendered.len());
}

#[test]
fn a_directory_without_suites_and_one_that_is_not_there_are_explained() {
    let empty = tempfile::tempdir().unwrap();
    let diagnostics = Library::load(&[empty.path().to_owned()]).unwrap_err();
    assert_eq!(diagnostics.len(), 1);
    assert!(diagnostics[0].render(false).contains("no suite, fixture or profile stands in this directory"));

    let missing = empty.path().join("nowhere");
    let diagnostics = Library::load(std::slice::from_ref(&missing)).unwrap_err();
    assert_eq!(diagnostics.len(), 1);
    assert!(diagnostics[0].message.contains("there is no such file or folder"), "{}", diagnostics[0]);
    assert_eq!(diagnostics[0].place.file, missing.display().to_string());
}

#[test]
fn a_users_directory_adds_suites_fixtures_and_profiles_and_replaces_by_path() {
    let directory = tempfile::tempdir().unwrap();
    let write = |path: &str, text: &str| {
        let path = directory.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    };
    write(
        "deep/mine.yml",
        "suite: mine\ntitle: Mine\ncases:\n  - {id: a, title: b, given: {x: mine}, steps: [{read: x, expect: {status: 200}}]}\n",
    );
    write("fixtures/mine.json", r#"{"userName": "{{unique}}"}"#);
    write("fixtures/user.json", r#"{"userName": "other"}"#);
    write("profiles/mine.yaml", "profile: mine\ntitle: Mine\nsuites: [\"deep/**\"]\n");
    let library = Library::load(&[directory.path().to_owned()]).unwrap();
    assert!(library.suites().iter().any(|file| file.path == "deep/mine.yml"));
    assert_eq!(library.fixture("mine").unwrap()["userName"], "{{unique}}");
    assert_eq!(library.fixture("user").unwrap()["userName"], "other");
    assert!(library.profiles().contains_key("mine") && library.profiles().contains_key("rfc"));
}

#[test]
fn a_broken_fixture_is_located() {
    let directory = tempfile::tempdir().unwrap();
    fs::create_dir(directory.path().join("fixtures")).unwrap();
    fs::write(directory.path().join("fixtures/user.json"), "{\n  \"userName\": \"x\",\n}\n").unwrap();
    let diagnostics = Library::load(&[directory.path().to_owned()]).unwrap_err();
    assert_eq!((diagnostics[0].place.line, diagnostics[0].place.column), (3, 1), "{}", diagnostics[0]);
    assert!(diagnostics[0].message.starts_with("this fixture is no JSON: "), "{}", diagnostics[0]);
}
