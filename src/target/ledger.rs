//! What this run created, on disk, so that a killed run can be cleaned up after.
//!
//! One file a run, one JSON object a line: an intent before each create, the id after it, the deletion when it
//! is gone. It holds the base URL, ids and generated names, never credentials and never a resource that is not
//! ours. The file is locked while its run lives, so that `scimspec clean` leaves running runs alone.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, BufRead, BufReader, Write};
use std::path::{Path, PathBuf};

use chrono::{DateTime, Utc};
use indexmap::IndexMap;
use serde::{Deserialize, Serialize};
use url::Url;

/// Where a run's ledger lies.
#[derive(Debug, Clone, Default)]
pub enum LedgerLocation {
    /// Nowhere: what a killed run leaves is lost. For servers that vanish with the process.
    #[default]
    Memory,
    /// A file of its own in this directory, which is made when the first create comes.
    Directory(PathBuf),
    /// The ledger of an earlier run, to finish its clean-up.
    Resume(Box<Leftover>),
}

/// A create that is about to be sent, or whose outcome is not known.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Intent {
    /// Its number in the ledger.
    pub number: u64,
    /// Where, such as `/Users`.
    pub endpoint: String,
    /// The attribute by which it can be found again, when it has one that carries the run's mark.
    pub attribute: Option<String>,
    /// That attribute's value.
    pub value: Option<String>,
    /// Whether the mark stands anywhere in it.
    #[serde(default)]
    pub marked: bool,
    /// The case that wants it.
    pub origin: String,
    /// When.
    pub time: DateTime<Utc>,
}

/// A resource that this run created.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OwnedResource {
    /// Where it lies, such as `/Users`.
    pub endpoint: String,
    /// Its id.
    pub id: String,
    /// Its resource type, such as `User`.
    pub resource_type: String,
    /// The case that created it.
    pub origin: String,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
enum Entry {
    Run { version: u32, base_url: String, mark: String, started: DateTime<Utc> },
    Intent(Intent),
    Settled { number: u64 },
    Owned(OwnedResource),
    Deleted { endpoint: String, id: String },
}

/// Why a ledger cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum LedgerError {
    /// The system says no.
    #[error("cannot {what} {path}: {source}")]
    Io {
        /// What was attempted.
        what: &'static str,
        /// The file or directory.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// It is not a ledger, or of a later version.
    #[error("{path} is no ledger that this version reads: {why}")]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        why: String,
    },
    /// Its run still lives.
    #[error("the run of {path} is still going")]
    Running {
        /// The file.
        path: PathBuf,
    },
}

const VERSION: u32 = 1;

/// The writing end.
#[derive(Debug)]
pub(crate) struct Ledger {
    store: Store,
}

#[derive(Debug)]
enum Store {
    Memory,
    Planned { directory: PathBuf, base_url: Url, mark: String },
    File { file: File, path: PathBuf },
}

impl Ledger {
    /// A ledger that writes nothing before its first entry; a leftover is locked at once.
    pub(crate) fn new(location: LedgerLocation, base_url: &Url, mark: &str) -> Result<Ledger, LedgerError> {
        let store = match location {
            LedgerLocation::Memory => Store::Memory,
            LedgerLocation::Directory(directory) => {
                Store::Planned { directory, base_url: base_url.clone(), mark: mark.to_owned() }
            }
            LedgerLocation::Resume(leftover) => {
                let path = leftover.path;
                let file = OpenOptions::new().append(true).open(&path).map_err(|source| LedgerError::Io {
                    what: "open",
                    path: path.clone(),
                    source,
                })?;
                lock(&file, &path)?;
                Store::File { file, path }
            }
        };
        Ok(Ledger { store })
    }

    pub(crate) fn intent(&mut self, intent: &Intent) -> Result<(), LedgerError> {
        self.append(&Entry::Intent(intent.clone()))
    }

    pub(crate) fn settled(&mut self, number: u64) -> Result<(), LedgerError> {
        self.append(&Entry::Settled { number })
    }

    pub(crate) fn owned(&mut self, resource: &OwnedResource) -> Result<(), LedgerError> {
        self.append(&Entry::Owned(resource.clone()))
    }

    pub(crate) fn deleted(&mut self, endpoint: &str, id: &str) -> Result<(), LedgerError> {
        self.append(&Entry::Deleted { endpoint: endpoint.to_owned(), id: id.to_owned() })
    }

    /// Takes the file away: nothing is left that it would be needed for.
    pub(crate) fn close(&mut self) -> Result<(), LedgerError> {
        if let Store::File { path, .. } = &self.store {
            fs::remove_file(path).map_err(|source| LedgerError::Io {
                what: "remove",
                path: path.clone(),
                source,
            })?;
            self.store = Store::Memory;
        }
        Ok(())
    }

    /// The file, once there is one.
    pub(crate) fn path(&self) -> Option<&Path> {
        match &self.store {
            Store::File { path, .. } => Some(path),
            _ => None,
        }
    }

    fn append(&mut self, entry: &Entry) -> Result<(), LedgerError> {
        if let Store::Planned { directory, base_url, mark } = &self.store {
            let (file, path) = create(directory, mark)?;
            let first = Entry::Run {
                version: VERSION,
                base_url: base_url.to_string(),
                mark: mark.clone(),
                started: Utc::now(),
            };
            self.store = Store::File { file, path };
            self.write(&first)?;
        }
        self.write(entry)
    }

    /// One line in one write, so that a kill leaves whole lines (or a cut last one, which the reader skips).
    fn write(&mut self, entry: &Entry) -> Result<(), LedgerError> {
        let Store::File { file, path } = &mut self.store else { return Ok(()) };
        let io = |source| LedgerError::Io { what: "write", path: path.clone(), source };
        let mut line = serde_json::to_vec(entry).map_err(|error| io(error.into()))?;
        line.push(b'\n');
        file.write_all(&line).map_err(io)?;
        file.flush().map_err(|source| LedgerError::Io { what: "write", path: path.clone(), source })
    }
}

fn create(directory: &Path, mark: &str) -> Result<(File, PathBuf), LedgerError> {
    fs::create_dir_all(directory).map_err(|source| LedgerError::Io {
        what: "make",
        path: directory.to_owned(),
        source,
    })?;
    let path = directory.join(format!("{mark}.jsonl"));
    let file = OpenOptions::new()
        .append(true)
        .create_new(true)
        .open(&path)
        .map_err(|source| LedgerError::Io { what: "create", path: path.clone(), source })?;
    lock(&file, &path)?;
    Ok((file, path))
}

fn lock(file: &File, path: &Path) -> Result<(), LedgerError> {
    match file.try_lock() {
        Ok(()) => Ok(()),
        Err(TryLockError::WouldBlock) => Err(LedgerError::Running { path: path.to_owned() }),
        Err(TryLockError::Error(source)) => {
            Err(LedgerError::Io { what: "lock", path: path.to_owned(), source })
        }
    }
}

/// What a run that did not finish left behind.
#[derive(Debug, Clone)]
pub struct Leftover {
    /// The ledger's file.
    pub path: PathBuf,
    /// Where the resources lie.
    pub base_url: Url,
    /// The mark that they carry.
    pub mark: String,
    /// When the run began.
    pub started: DateTime<Utc>,
    /// Resources that are not known to be gone, in the order of creation.
    pub owned: Vec<OwnedResource>,
    /// Creates whose outcome is not known.
    pub intents: Vec<Intent>,
}

/// All that lies in a ledger directory.
#[derive(Debug, Default)]
pub struct Leftovers {
    /// Runs that did not finish, the oldest first.
    pub finished: Vec<Leftover>,
    /// Files of runs that are still going.
    pub running: Vec<PathBuf>,
    /// Files that cannot be read, with the reason.
    pub unreadable: Vec<LedgerError>,
}

impl Leftovers {
    /// Reads a ledger directory. One that is not there holds nothing.
    ///
    /// # Errors
    /// When the directory cannot be listed.
    pub fn find(directory: &Path) -> Result<Leftovers, LedgerError> {
        let list = |source| LedgerError::Io { what: "list", path: directory.to_owned(), source };
        let mut found = Leftovers::default();
        let entries = match fs::read_dir(directory) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(found),
            Err(error) => return Err(list(error)),
        };
        for entry in entries {
            let path = entry.map_err(list)?.path();
            if path.extension().is_none_or(|extension| extension != "jsonl") {
                continue;
            }
            match Leftover::read(&path) {
                Ok(leftover) => found.finished.push(leftover),
                Err(LedgerError::Running { path }) => found.running.push(path),
                Err(error) => found.unreadable.push(error),
            }
        }
        found.finished.sort_by_key(|leftover| leftover.started);
        Ok(found)
    }
}

impl Leftover {
    /// Reads one ledger.
    ///
    /// # Errors
    /// When its run still lives, or it is no ledger.
    pub fn read(path: &Path) -> Result<Leftover, LedgerError> {
        let io = |what| move |source| LedgerError::Io { what, path: path.to_owned(), source };
        let file = File::open(path).map_err(io("open"))?;
        lock(&file, path)?;
        let mut leftover: Option<Leftover> = None;
        let mut owned: IndexMap<(String, String), OwnedResource> = IndexMap::new();
        let mut intents: IndexMap<u64, Intent> = IndexMap::new();
        for line in BufReader::new(&file).split(b'\n') {
            let line = line.map_err(io("read"))?;
            // A kill in the middle of a write leaves a cut line, which says nothing that was acted upon.
            let Ok(entry) = serde_json::from_slice::<Entry>(&line) else { continue };
            match entry {
                Entry::Run { version, .. } if version > VERSION => {
                    let why = format!("it is of version {version}");
                    return Err(LedgerError::Unreadable { path: path.to_owned(), why });
                }
                Entry::Run { base_url, mark, started, .. } => {
                    let base_url = base_url.parse().map_err(|error| LedgerError::Unreadable {
                        path: path.to_owned(),
                        why: format!("'{base_url}' is no URL: {error}"),
                    })?;
                    leftover = Some(Leftover {
                        path: path.to_owned(),
                        base_url,
                        mark,
                        started,
                        owned: Vec::new(),
                        intents: Vec::new(),
                    });
                }
                Entry::Intent(intent) => {
                    intents.insert(intent.number, intent);
                }
                Entry::Settled { number } => {
                    intents.shift_remove(&number);
                }
                Entry::Owned(resource) => {
                    owned.insert((resource.endpoint.clone(), resource.id.clone()), resource);
                }
                Entry::Deleted { endpoint, id } => {
                    owned.shift_remove(&(endpoint, id));
                }
            }
        }
        let Some(mut leftover) = leftover else {
            let why = "it has no line that names its run".to_owned();
            return Err(LedgerError::Unreadable { path: path.to_owned(), why });
        };
        leftover.owned = owned.into_values().collect();
        leftover.intents = intents.into_values().collect();
        Ok(leftover)
    }

    /// Whether nothing is left.
    pub fn is_empty(&self) -> bool {
        self.owned.is_empty() && self.intents.is_empty()
    }

    /// Forgets it: the operator says that what is left may stay.
    ///
    /// # Errors
    /// When the file cannot be removed.
    pub fn forget(self) -> Result<(), LedgerError> {
        fs::remove_file(&self.path).map_err(|source| LedgerError::Io {
            what: "remove",
            path: self.path,
            source,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn intent(number: u64) -> Intent {
        Intent {
            number,
            endpoint: "/Users".to_owned(),
            attribute: Some("userName".to_owned()),
            value: Some(format!("ann-m4rk-{number}@example.com")),
            marked: true,
            origin: "create/minimal".to_owned(),
            time: Utc::now(),
        }
    }

    fn owned(id: &str) -> OwnedResource {
        OwnedResource {
            endpoint: "/Users".to_owned(),
            id: id.to_owned(),
            resource_type: "User".to_owned(),
            origin: "create/minimal".to_owned(),
        }
    }

    fn ledger(directory: &Path) -> Ledger {
        let base_url = "http://localhost/scim".parse().unwrap();
        Ledger::new(LedgerLocation::Directory(directory.to_owned()), &base_url, "m4rk").unwrap()
    }

    #[test]
    fn what_is_open_is_read_back() {
        let directory = tempfile::tempdir().unwrap();
        let mut ledger = ledger(&directory.path().join("made/when/needed"));
        assert_eq!(ledger.path(), None);
        for number in 1..=3 {
            ledger.intent(&intent(number)).unwrap();
        }
        ledger.settled(1).unwrap();
        ledger.owned(&owned("a")).unwrap();
        ledger.settled(2).unwrap();
        ledger.owned(&owned("b")).unwrap();
        ledger.deleted("/Users", "a").unwrap();
        let path = ledger.path().unwrap().to_owned();

        assert!(matches!(Leftover::read(&path), Err(LedgerError::Running { .. })));
        drop(ledger);
        let leftover = Leftover::read(&path).unwrap();
        assert_eq!(leftover.owned, [owned("b")]);
        assert_eq!(leftover.intents.len(), 1);
        assert_eq!(leftover.intents[0].number, 3);
        assert_eq!(leftover.mark, "m4rk");
        assert!(!leftover.is_empty());
    }

    #[test]
    fn a_line_cut_by_a_kill_is_skipped() {
        let directory = tempfile::tempdir().unwrap();
        let mut ledger = ledger(directory.path());
        ledger.owned(&owned("a")).unwrap();
        let path = ledger.path().unwrap().to_owned();
        drop(ledger);
        OpenOptions::new()
            .append(true)
            .open(&path)
            .unwrap()
            .write_all(br#"{"event":"deleted","endp"#)
            .unwrap();
        assert_eq!(Leftover::read(&path).unwrap().owned.len(), 1);
    }

    #[test]
    fn a_directory_is_sorted_out() {
        let directory = tempfile::tempdir().unwrap();
        assert!(Leftovers::find(&directory.path().join("missing")).unwrap().finished.is_empty());
        fs::write(directory.path().join("junk.jsonl"), "what?").unwrap();
        fs::write(directory.path().join("note.txt"), "not looked at").unwrap();
        let mut running = ledger(directory.path());
        running.intent(&intent(1)).unwrap();
        let found = Leftovers::find(directory.path()).unwrap();
        assert_eq!((found.finished.len(), found.running.len(), found.unreadable.len()), (0, 1, 1));
        running.close().unwrap();
        assert_eq!(Leftovers::find(directory.path()).unwrap().running.len(), 0);
    }

    #[test]
    fn two_runs_never_share_a_file() {
        let directory = tempfile::tempdir().unwrap();
        let mut first = ledger(directory.path());
        first.intent(&intent(1)).unwrap();
        let mut second = ledger(directory.path());
        assert!(matches!(second.intent(&intent(1)), Err(LedgerError::Io { what: "create", .. })));
    }
}
