//! Writes the embedded suites, fixtures and their schema to a directory, where they can be read, copied and changed.
//!
//! The directory has the layout of the repository (`suites/`, `fixtures/`, `schema/`) and can be given to `--suites`. It
//! never overwrites a file that says something else.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::load::{EMBEDDED_FIXTURES, EMBEDDED_SUITES, embedded_files};
use super::schema::schema_text;

/// What an export came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Exported {
    /// Files written.
    pub written: usize,
    /// Files that were there already and say the same.
    pub unchanged: usize,
}

/// Why an export did not happen.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// Files stand there that say something else. Nothing was written.
    #[error("{} would be overwritten with other content: {}; export into an empty directory, or move {} away",
        count(.0), list(.0), if .0.len() == 1 { "it" } else { "them" })]
    Differs(Vec<PathBuf>),
    /// A file or directory cannot be read or written.
    #[error("{}: {error}", .path.display())]
    Io {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        error: io::Error,
    },
}

fn count(paths: &[PathBuf]) -> String {
    match paths.len() {
        1 => "1 file".to_owned(),
        n => format!("{n} files"),
    }
}

fn list(paths: &[PathBuf]) -> String {
    let mut text = paths.iter().take(3).map(|path| path.display().to_string()).collect::<Vec<_>>().join(", ");
    if paths.len() > 3 {
        text.push_str(", …");
    }
    text
}

/// Writes everything that is embedded below a directory, which is made where needed.
///
/// # Errors
/// [`ExportError::Differs`] before anything is written; [`ExportError::Io`].
pub fn export(directory: &Path) -> Result<Exported, ExportError> {
    let below = |root: &str, path: &str| directory.join(root).join(path);
    let suites =
        embedded_files(&EMBEDDED_SUITES).into_iter().map(|(path, text)| (below("suites", &path), text));
    let fixtures =
        embedded_files(&EMBEDDED_FIXTURES).into_iter().map(|(path, text)| (below("fixtures", &path), text));
    let schema = (directory.join("schema/suite.schema.json"), schema_text().into());
    let files: Vec<_> = suites.chain(fixtures).chain([schema]).collect();

    let mut differ = Vec::new();
    let mut missing = Vec::new();
    for (path, text) in &files {
        match fs::read(path) {
            Ok(there) if there == text.as_bytes() => {}
            Ok(_) => differ.push(path.clone()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => missing.push((path, text)),
            Err(error) => return Err(ExportError::Io { path: path.clone(), error }),
        }
    }
    if !differ.is_empty() {
        return Err(ExportError::Differs(differ));
    }
    for (path, text) in &missing {
        let trouble = |error| ExportError::Io { path: (*path).clone(), error };
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent).map_err(trouble)?;
        }
        fs::write(path, text.as_bytes()).map_err(trouble)?;
    }
    Ok(Exported { written: missing.len(), unchanged: files.len() - missing.len() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::profile::Profile;
    use crate::suite::Library;

    #[test]
    fn an_export_can_be_given_back_and_is_not_overwritten_once_edited() {
        let directory = tempfile::tempdir().unwrap();
        let first = export(directory.path()).unwrap();
        assert!(first.written > 10 && first.unchanged == 0, "{first:?}");
        assert_eq!(export(directory.path()).unwrap(), Exported { written: 0, unchanged: first.written });

        let embedded = Library::embedded().unwrap();
        let again = Library::load(&[directory.path().to_owned()]).unwrap();
        assert_eq!(
            again.suites().len(),
            embedded.suites().len(),
            "an exported file replaces the embedded one"
        );
        assert_eq!(again.profiles().len(), embedded.profiles().len());
        let cases = |library: &Library| Profile::by_name(library, "okta").unwrap().cases(library).count();
        assert_eq!(
            cases(&again),
            cases(&embedded),
            "a profile selects from an export what it selects otherwise"
        );
        assert_eq!(again.fixture_names().count(), embedded.fixture_names().count());

        let edited = directory.path().join("suites/profiles/rfc.yaml");
        fs::write(&edited, "profile: rfc\n").unwrap();
        let error = export(directory.path()).unwrap_err();
        assert!(matches!(&error, ExportError::Differs(files) if *files == [edited.clone()]), "{error}");
        assert_eq!(fs::read_to_string(&edited).unwrap(), "profile: rfc\n");
    }
}
