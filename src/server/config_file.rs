//! `--write-config FILE`: a `scimspec.toml` that aims `scimspec run` at this server. The tokens are written beside it,
//! each in a file that only its owner can read.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use super::RunningServer;

/// What a file of ours begins with. Only such a file is ever overwritten.
const MARK: &str = "# Written by 'scimspec serve --write-config', which overwrites it without asking.";

/// Why the configuration could not be written.
#[derive(Debug, thiserror::Error)]
pub enum ConfigFileError {
    /// Something is there that this server did not write.
    #[error(
        "{} is there already and was not written by 'scimspec serve --write-config'; move it away, or write elsewhere",
        .path.display()
    )]
    Foreign {
        /// The file.
        path: PathBuf,
    },
    /// The path is that of no file.
    #[error("{} is no path of a file to write", .path.display())]
    NoFile {
        /// The path.
        path: PathBuf,
    },
    /// It cannot be written.
    #[error("cannot write {}: {source}", .path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

/// The files that a configuration consists of.
struct Files {
    config: PathBuf,
    token: PathBuf,
    second_token: PathBuf,
}

impl Files {
    fn of(path: &Path) -> Result<Files, ConfigFileError> {
        let no_file = || ConfigFileError::NoFile { path: path.to_owned() };
        let name = path.file_name().and_then(|name| name.to_str()).ok_or_else(no_file)?;
        if path.is_dir() {
            return Err(no_file());
        }
        let beside = |ending: &str| path.with_file_name(format!("{name}.{ending}"));
        Ok(Files { config: path.to_owned(), token: beside("token"), second_token: beside("second-token") })
    }

    /// Makes sure that nothing is overwritten that somebody else wrote.
    fn check(&self) -> Result<(), ConfigFileError> {
        let failed = |path: &Path, source| ConfigFileError::Write { path: path.to_owned(), source };
        let mut begins = Vec::new();
        match File::open(&self.config) {
            Ok(file) => {
                let length = MARK.len() as u64;
                file.take(length).read_to_end(&mut begins).map_err(|error| failed(&self.config, error))?;
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(failed(&self.config, error)),
        }
        if begins == MARK.as_bytes() {
            return Ok(());
        }
        for path in [&self.config, &self.token, &self.second_token] {
            match fs::symlink_metadata(path) {
                Ok(_) => return Err(ConfigFileError::Foreign { path: path.clone() }),
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(failed(path, error)),
            }
        }
        Ok(())
    }
}

/// Makes sure, before the server starts, that the configuration has a place.
///
/// # Errors
/// If something is there that is not ours.
pub(super) fn check(path: &Path) -> Result<(), ConfigFileError> {
    Files::of(path)?.check()
}

/// Writes the configuration for a server.
///
/// # Errors
/// If something is there that is not ours, or a file cannot be written.
pub(super) fn write(path: &Path, server: &RunningServer) -> Result<(), ConfigFileError> {
    let files = Files::of(path)?;
    files.check()?;
    replace(&files.token, server.token())?;
    replace(&files.second_token, server.second_token())?;
    replace(&files.config, &text(&files, server.base_url()))
}

fn text(files: &Files, base_url: &str) -> String {
    // A path in the file is relative to its folder.
    let name = |path: &Path| {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        toml::Value::from(name.as_ref()).to_string()
    };
    format!(
        "{MARK}\n\
         # 'scimspec run' with it (in its folder, or by --config) tests that server, as long as it runs.\n\
         url = {}\n\
         token_file = {}\n\
         \n\
         # Another tenant of the same server, of which nothing may be seen in the first.\n\
         [second]\n\
         token_file = {}\n\
         \n\
         # The server takes whatever RFC 7643 allows: it needs neither [template] nor [new], and no hooks to prepare it.\n",
        toml::Value::from(base_url),
        name(&files.token),
        name(&files.second_token),
    )
}

/// Puts a file in place as a whole, readable for its owner only.
fn replace(path: &Path, text: &str) -> Result<(), ConfigFileError> {
    let failed = |source| ConfigFileError::Write { path: path.to_owned(), source };
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let beside = path.with_file_name(format!(".{name}.{}.tmp", std::process::id()));
    let written = create(&beside)
        .and_then(|mut file| file.write_all(text.as_bytes()))
        .and_then(|()| fs::rename(&beside, path));
    written.map_err(|error| {
        // What counts is the first error.
        let _ = fs::remove_file(&beside);
        failed(error)
    })
}

fn create(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt;
        options.mode(0o600);
    }
    options.open(path)
}
