//! Files that are there whole or not at all.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// A report could not be written.
#[derive(Debug, thiserror::Error)]
#[error("cannot write {}: {source}", path.display())]
pub struct WriteError {
    /// The file.
    pub path: PathBuf,
    /// What the system says.
    pub source: io::Error,
}

/// The error for a path.
pub(super) fn failed(path: &Path, source: io::Error) -> WriteError {
    WriteError { path: path.to_owned(), source }
}

/// Puts a file in place as a whole: it is written beside its place and renamed. Missing folders are made; an older
/// file is replaced, or stays as it was where something goes wrong.
///
/// # Errors
/// When a folder cannot be made, or the file cannot be written or renamed.
pub fn replace(path: &Path, bytes: &[u8]) -> Result<(), WriteError> {
    let Some(beside) = beside(path)? else {
        return std::fs::write(path, bytes).map_err(|error| failed(path, error));
    };
    let written = std::fs::File::create(&beside)
        .and_then(|mut file| file.write_all(bytes).and_then(|()| file.sync_all()))
        .and_then(|()| std::fs::rename(&beside, path));
    written.map_err(|error| {
        // What counts is the first error; a temporary file that stays is named in it by its folder.
        let _ = std::fs::remove_file(&beside);
        failed(path, error)
    })
}

/// The file that is written first and then renamed, in a folder that is there; none where the path is a device or a
/// pipe (`/dev/stdout`), which cannot be renamed over.
fn beside(path: &Path) -> Result<Option<PathBuf>, WriteError> {
    if path.is_dir() {
        return Err(failed(path, io::Error::new(io::ErrorKind::IsADirectory, "it is a folder")));
    }
    let Some(name) = path.file_name() else {
        return Err(failed(path, io::Error::new(io::ErrorKind::InvalidInput, "it is no file name")));
    };
    if path.exists() && !path.is_file() {
        return Ok(None);
    }
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    std::fs::create_dir_all(parent).map_err(|error| failed(path, error))?;
    Ok(Some(parent.join(format!(".{}.{}.tmp", name.to_string_lossy(), std::process::id()))))
}

/// Makes sure, before anything is tested, that a report can be written there later: a run of minutes whose report has
/// no place is lost. Missing folders are made; a file that is there stays as it is.
///
/// # Errors
/// When a folder cannot be made, or a file cannot be written in it.
pub fn check(path: &Path) -> Result<(), WriteError> {
    let Some(beside) = beside(path)? else { return Ok(()) };
    std::fs::File::create(&beside)
        .and_then(|_| std::fs::remove_file(&beside))
        .map_err(|error| failed(path, error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_written_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let error = replace(dir.path(), b"x").unwrap_err();
        assert!(error.to_string().ends_with("it is a folder"), "{error}");
        std::fs::write(dir.path().join("file"), b"x").unwrap();
        let error = replace(&dir.path().join("file/under"), b"x").unwrap_err();
        assert!(error.to_string().contains("cannot write"), "{error}");
    }
}
