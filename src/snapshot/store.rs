//! Where accepted payloads are: those inside scimspec, or a folder of the operator's. Folders hold what is pending, too.
//!
//! A folder belongs to one target: it holds what its operator looked at and accepted. Nothing accepted is ever deleted
//! or changed by a run; a run only writes and takes back what is pending.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use include_dir::{Dir, include_dir};

use crate::outcome::SnapshotDifference;
use crate::report::file::{WriteError, replace};
use crate::suite::Diagnostic;
use crate::suite::load::Library;
use crate::suite::model::Case;

use super::compare;
use super::file::{ACCEPTED, DamagedSnapshot, PENDING, SnapshotFile, diagnostic};

/// Everything below `snapshots/`, as built into the binary.
static EMBEDDED: Dir<'static> = include_dir!("$CARGO_MANIFEST_DIR/snapshots");

/// The set of the RFCs' own payloads, for the server inside scimspec.
pub const RFC: &str = "rfc";

/// The largest file that is read, in bytes.
const MAX_FILE: u64 = 4 * 1024 * 1024;
/// How deep folders are searched for what is pending.
const MAX_DEPTH: usize = 8;

/// Accepted payloads that a run compares with.
#[derive(Debug)]
pub struct Snapshots {
    accepted: BTreeMap<String, SnapshotFile>,
    place: Place,
}

#[derive(Debug)]
enum Place {
    /// Inside scimspec: what is not there is not judged. Documents of vendors print bodies and no headers, so that
    /// headers are judged on the reference server only.
    Shipped { set: String, headers: bool },
    /// A folder: what is not there is written, to be accepted.
    Folder { folder: PathBuf, required: bool },
}

/// What a comparison came to.
#[derive(Debug, Clone, PartialEq)]
pub enum Compared {
    /// As accepted.
    Same,
    /// Nothing was ever accepted, and nothing is kept here.
    NotJudged,
    /// Nothing was accepted yet; the payload waits in a file.
    Missing {
        /// The file.
        pending: PathBuf,
        /// Whether that is a failure (`--snapshots-required`).
        required: bool,
    },
    /// Another payload was accepted.
    Differs(Box<SnapshotDifference>),
}

/// Why payloads cannot be compared.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// A file that is no snapshot.
    #[error("{}", .0.message)]
    Damaged(Box<Diagnostic>),
    /// A folder or file that cannot be read.
    #[error("cannot read {}: {source}", path.display())]
    Unreadable {
        /// Which.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// A file that is too large to be a payload.
    #[error("{} is larger than {MAX_FILE} bytes, which no payload is", path.display())]
    TooLarge {
        /// Which.
        path: PathBuf,
    },
    /// A file that cannot be put in place.
    #[error(transparent)]
    Write(#[from] WriteError),
    /// A file that cannot be renamed or deleted.
    #[error("cannot {what} {}: {source}", path.display())]
    Change {
        /// `accept` or `delete`.
        what: &'static str,
        /// Which.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
}

impl Snapshots {
    /// The payloads inside scimspec that a run is compared with: those of a profile of the same name, which is a server's;
    /// and on the reference server inside scimspec, those of the RFCs. None where there are none.
    ///
    /// # Errors
    /// A file that is damaged; a test holds that there is none.
    pub fn shipped(profile: &str, reference_server: bool) -> Result<Option<Snapshots>, StoreError> {
        let own = Some(profile).filter(|name| *name != RFC);
        let set = own
            .and_then(|name| EMBEDDED.get_dir(name))
            .or_else(|| if reference_server { EMBEDDED.get_dir(RFC) } else { None });
        let Some(set) = set else { return Ok(None) };
        let mut accepted = BTreeMap::new();
        for file in set.files() {
            let path = file.path().to_string_lossy().into_owned();
            let Some(key) = key_of(file.path(), ACCEPTED) else { continue };
            let name = format!("snapshots/{path}");
            accepted.insert(key, parse(&name, &String::from_utf8_lossy(file.contents()))?);
        }
        let headers = set.path() == Path::new(RFC);
        let place = Place::Shipped { set: format!("snapshots/{}", set.path().display()), headers };
        Ok(Some(Snapshots { accepted, place }))
    }

    /// The payloads in a folder, which need not be there yet.
    ///
    /// # Errors
    /// A file that cannot be read, or is no snapshot, with its line.
    pub fn folder(folder: &Path, required: bool) -> Result<Snapshots, StoreError> {
        let mut accepted = BTreeMap::new();
        for path in files(folder, 1)? {
            if let Some(key) = key_of(&path, ACCEPTED) {
                accepted.insert(key, read(&path)?);
            }
        }
        Ok(Snapshots { accepted, place: Place::Folder { folder: folder.to_owned(), required } })
    }

    /// Compares a payload with the accepted one of that key, and in a folder takes note of what is to be accepted.
    ///
    /// # Errors
    /// When the pending payload cannot be written.
    pub fn compare(&self, key: &str, received: &SnapshotFile) -> Result<Compared, StoreError> {
        let accepted = self.accepted.get(key);
        let file = |ending: &str| match &self.place {
            Place::Shipped { set, .. } => PathBuf::from(format!("{set}/{key}{ending}")),
            Place::Folder { folder, .. } => folder.join(format!("{key}{ending}")),
        };
        let pending = file(PENDING);
        let payload = match self.place {
            Place::Shipped { headers: false, .. } => Cow::Owned(compare::without_headers(&received.payload)),
            _ => Cow::Borrowed(received.payload.as_str()),
        };
        if let Some(accepted) = accepted
            && compare::same(&accepted.payload, &payload)
        {
            if let Place::Folder { .. } = self.place {
                take_back(&pending)?;
            }
            return Ok(Compared::Same);
        }
        let is_kept = match &self.place {
            Place::Shipped { .. } if accepted.is_none() => return Ok(Compared::NotJudged),
            Place::Shipped { .. } => false,
            Place::Folder { .. } => {
                replace(&pending, received.text().as_bytes())?;
                true
            }
        };
        Ok(match (accepted, &self.place) {
            (Some(accepted), _) => Compared::Differs(Box::new(SnapshotDifference {
                name: key.to_owned(),
                file: file(ACCEPTED).display().to_string(),
                pending: is_kept.then(|| pending.display().to_string()),
                diff: compare::diff(&accepted.payload, &payload),
                accepted: accepted.payload.clone(),
                received: payload.into_owned(),
            })),
            (None, Place::Folder { required, .. }) => Compared::Missing { pending, required: *required },
            (None, Place::Shipped { .. }) => Compared::NotJudged,
        })
    }

    /// The keys of what is accepted.
    pub fn keys(&self) -> impl Iterator<Item = &str> {
        self.accepted.keys().map(String::as_str)
    }
}

/// What is pending, accepted and no longer asked for in a folder and those below it.
#[derive(Debug, Default)]
pub struct Folder {
    /// What waits for a decision, by path.
    pub pending: Vec<Pending>,
    /// How many payloads are accepted.
    pub accepted: usize,
    /// Accepted payloads that no case asks for.
    pub unreferenced: Vec<PathBuf>,
}

/// A payload that waits for a decision.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pending {
    /// Its file, `….snap.new`.
    pub path: PathBuf,
    /// What is in it.
    pub received: SnapshotFile,
    /// What was accepted under its name, if anything was.
    pub accepted: Option<SnapshotFile>,
}

impl Folder {
    /// Looks through a folder. `asked` are the keys that the cases of the suites ask for ([`keys`]).
    ///
    /// # Errors
    /// A file that cannot be read, or is no snapshot, with its line.
    pub fn read(folder: &Path, asked: &BTreeSet<String>) -> Result<Folder, StoreError> {
        // Unlike a run, which may be the first, nobody looks into a folder that is not there.
        fs::read_dir(folder).map_err(|source| StoreError::Unreadable { path: folder.to_owned(), source })?;
        let mut found = Folder::default();
        for path in files(folder, MAX_DEPTH)? {
            if let Some(key) = key_of(&path, ACCEPTED) {
                // A damaged file is worth knowing of, whether or not anything waits to replace it.
                read(&path)?;
                found.accepted += 1;
                let bare = key.split('.').next().unwrap_or(&key);
                if !asked.contains(bare) {
                    found.unreferenced.push(path);
                }
            } else if key_of(&path, PENDING).is_some() {
                let received = read(&path)?;
                let beside = path.with_extension("");
                let accepted = if beside.is_file() { Some(read(&beside)?) } else { None };
                found.pending.push(Pending { path, received, accepted });
            }
        }
        Ok(found)
    }
}

impl Pending {
    /// The case that it belongs to: as its file says, or as its name does.
    pub fn case(&self) -> String {
        let named = || key_of(&self.path, PENDING).unwrap_or_default().replacen("__", "/", 1);
        self.received.case().map_or_else(named, str::to_owned)
    }

    /// Makes it the accepted payload.
    ///
    /// # Errors
    /// When it cannot be renamed.
    pub fn accept(&self) -> Result<(), StoreError> {
        fs::rename(&self.path, self.path.with_extension("")).map_err(|source| StoreError::Change {
            what: "accept",
            path: self.path.clone(),
            source,
        })
    }

    /// Takes it away; what was accepted stays.
    ///
    /// # Errors
    /// When it cannot be deleted.
    pub fn reject(&self) -> Result<(), StoreError> {
        take_back(&self.path)
    }
}

/// The name of a payload's file without its ending: suite and snapshot, and for a row or a wire form of a case what tells
/// it from its siblings. `variant` is what the id of the job has behind that of the case: `[row]`, `@put`.
pub fn key(suite: &str, snapshot: &str, variant: &str) -> String {
    let plain = |text: &str| -> String {
        let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
        text.chars().map(|c| if allowed(c) { c } else { '_' }).collect()
    };
    let mut key = format!("{}__{}", plain(suite), plain(snapshot));
    for part in variant.split(['[', ']', '@']).filter(|part| !part.is_empty()) {
        key.push('.');
        key.push_str(&plain(part));
    }
    key
}

/// The keys that the suites ask for, without rows.
pub fn keys(library: &Library) -> BTreeSet<String> {
    let cases =
        library.suites().iter().flat_map(|file| file.suite.cases.iter().map(move |case| (file, case)));
    cases
        .flat_map(|(file, case)| names(case).into_iter().map(move |name| key(&file.suite.suite, name, "")))
        .collect()
}

/// The snapshots that a case asks for.
pub fn names(case: &Case) -> Vec<&str> {
    let steps = case.setup.iter().chain(&case.steps).filter_map(|step| step.expect.as_ref());
    let rows = case.rows.iter().flat_map(|row| row.expect.values());
    steps.chain(rows).filter_map(|expect| expect.snapshot.as_deref()).collect()
}

/// The key of a file with that ending.
fn key_of(path: &Path, ending: &str) -> Option<String> {
    let name = path.file_name()?.to_str()?;
    name.strip_suffix(ending).filter(|key| !key.is_empty() && !key.starts_with('.')).map(str::to_owned)
}

/// The files of a folder in order; none where it is not there.
fn files(folder: &Path, depth: usize) -> Result<Vec<PathBuf>, StoreError> {
    let unreadable = |source| StoreError::Unreadable { path: folder.to_owned(), source };
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(unreadable(error)),
    };
    let mut all = Vec::new();
    for entry in entries {
        let entry = entry.map_err(unreadable)?;
        let kind = entry.file_type().map_err(unreadable)?;
        if kind.is_dir() && depth > 1 {
            all.extend(files(&entry.path(), depth - 1)?);
        } else if !kind.is_dir() {
            all.push(entry.path());
        }
    }
    all.sort();
    Ok(all)
}

fn read(path: &Path) -> Result<SnapshotFile, StoreError> {
    let unreadable = |source| StoreError::Unreadable { path: path.to_owned(), source };
    let mut bytes = Vec::new();
    fs::File::open(path)
        .and_then(|file| file.take(MAX_FILE + 1).read_to_end(&mut bytes))
        .map_err(unreadable)?;
    if bytes.len() as u64 > MAX_FILE {
        return Err(StoreError::TooLarge { path: path.to_owned() });
    }
    let name = path.display().to_string();
    match std::str::from_utf8(&bytes) {
        Ok(text) => parse(&name, text),
        Err(error) => {
            let line = bytes[..error.valid_up_to()].iter().filter(|byte| **byte == b'\n').count() + 1;
            let damaged = DamagedSnapshot {
                place: crate::outcome::Place {
                    file: name,
                    line: u32::try_from(line).unwrap_or(u32::MAX),
                    column: 1,
                },
                message: "the file is not UTF-8".to_owned(),
            };
            Err(StoreError::Damaged(Box::new(diagnostic(&damaged, &String::from_utf8_lossy(&bytes)))))
        }
    }
}

fn parse(name: &str, text: &str) -> Result<SnapshotFile, StoreError> {
    SnapshotFile::parse(name, text).map_err(|error| StoreError::Damaged(Box::new(diagnostic(&error, text))))
}

/// Deletes a pending payload, if there is one.
fn take_back(path: &Path) -> Result<(), StoreError> {
    match fs::remove_file(path) {
        Err(source) if source.kind() != io::ErrorKind::NotFound => {
            Err(StoreError::Change { what: "delete", path: path.to_owned(), source })
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn received(payload: &str) -> SnapshotFile {
        SnapshotFile {
            description: Some("users/create: a user".to_owned()),
            payload: format!("{payload}\n"),
            ..SnapshotFile::default()
        }
    }

    #[test]
    fn a_folder_records_and_compares() {
        let temporary = tempfile::tempdir().unwrap();
        let folder = temporary.path().join("accepted");
        let compare = |payload: &str, required: bool| {
            let snapshots = Snapshots::folder(&folder, required).unwrap();
            snapshots.compare("users__create", &received(payload)).unwrap()
        };
        let pending = folder.join("users__create.snap.new");
        assert_eq!(
            compare("HTTP 201 Created", false),
            Compared::Missing { pending: pending.clone(), required: false }
        );
        assert!(matches!(compare("HTTP 201 Created", true), Compared::Missing { required: true, .. }));
        let asked = BTreeSet::from(["users__create".to_owned()]);
        let found = Folder::read(&folder, &asked).unwrap();
        assert_eq!((found.pending.len(), found.accepted), (1, 0));
        assert_eq!((found.pending[0].case().as_str(), &found.pending[0].accepted), ("users/create", &None));
        found.pending[0].accept().unwrap();
        assert_eq!(compare("HTTP 201 Created", true), Compared::Same);

        let Compared::Differs(difference) = compare("HTTP 200 OK", false) else { panic!("it differs") };
        assert!(difference.diff.contains("-HTTP 201 Created\n+HTTP 200 OK"), "{}", difference.diff);
        assert_eq!(difference.pending, Some(pending.display().to_string()));
        assert!(pending.is_file());
        assert_eq!(compare("HTTP 201 Created", false), Compared::Same);
        assert!(!pending.is_file(), "what is as accepted again waits for nothing");

        compare("HTTP 200 OK", false);
        let found = Folder::read(&folder, &BTreeSet::new()).unwrap();
        assert_eq!(found.unreferenced, [folder.join("users__create.snap")]);
        found.pending[0].reject().unwrap();
        assert_eq!(compare("HTTP 201 Created", false), Compared::Same);
    }

    #[test]
    fn damage_is_found_before_anything_runs() {
        let folder = tempfile::tempdir().unwrap();
        let write = |bytes: &[u8]| fs::write(folder.path().join("a__b.snap"), bytes).unwrap();
        write(b"---\nsource: x\n---\nnothing\n");
        let StoreError::Damaged(error) = Snapshots::folder(folder.path(), false).unwrap_err() else {
            panic!("it is damaged")
        };
        assert_eq!(error.place.line, 4);
        write(b"---\nsource: x\n---\nHTTP 200 OK\n\xff\n");
        let StoreError::Damaged(error) = Snapshots::folder(folder.path(), false).unwrap_err() else {
            panic!("it is damaged")
        };
        assert_eq!((error.place.line, error.message.as_str()), (5, "the file is not UTF-8"));
        write(&vec![b'x'; 5 * 1024 * 1024]);
        assert!(matches!(Snapshots::folder(folder.path(), false), Err(StoreError::TooLarge { .. })));
    }

    #[test]
    fn keys_are_file_names() {
        assert_eq!(key("create", "user", ""), "create__user");
        assert_eq!(key("create", "user", "[two-emails]@put"), "create__user.two-emails.put");
        assert_eq!(key("../x", "a/b", "[..]"), "___x__a_b.__");
        assert_eq!(key_of(Path::new("d/a__b.row.snap.new"), PENDING).as_deref(), Some("a__b.row"));
        assert_eq!(key_of(Path::new("d/a__b.snap.new"), ACCEPTED), None);
        assert_eq!(key_of(Path::new(".snap"), ACCEPTED), None);
    }

    #[test]
    fn shipped_payloads_are_sound_asked_for_and_complete() {
        let library = Library::embedded().unwrap();
        let asked = keys(&library);
        let mut shipped = BTreeSet::new();
        for set in EMBEDDED.dirs() {
            let name = set.path().to_string_lossy().into_owned();
            let snapshots = Snapshots::shipped(&name, name == RFC).unwrap().unwrap();
            for key in snapshots.keys() {
                assert!(
                    asked.contains(key.split('.').next().unwrap()),
                    "snapshots/{name}/{key}: no case asks for it"
                );
                shipped.insert(key.split('.').next().unwrap().to_owned());
            }
        }
        let missing: Vec<&String> = asked.difference(&shipped).collect();
        assert!(missing.is_empty(), "no payload is accepted for {missing:?}");
    }

    #[test]
    fn other_targets_are_not_compared_with_what_is_shipped() {
        assert!(Snapshots::shipped("rfc", false).unwrap().is_none());
        assert!(Snapshots::shipped("okta", false).unwrap().is_none());
        assert!(Snapshots::shipped("okta", true).unwrap().is_some());
    }
}
