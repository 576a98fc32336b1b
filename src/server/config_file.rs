//! `--write-config FILE`: a `scimspec.toml` that aims `scimspec run` at this server. The tokens are written beside it,
//! each in a file that only its owner can read. Where the server has control endpoints, hooks call them.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use super::{RunningServer, ServerProfile};

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
    /// The header that opens the control endpoints, for curl to read.
    control: PathBuf,
}

impl Files {
    fn of(path: &Path) -> Result<Files, ConfigFileError> {
        let no_file = || ConfigFileError::NoFile { path: path.to_owned() };
        let name = path.file_name().and_then(|name| name.to_str()).ok_or_else(no_file)?;
        if path.is_dir() {
            return Err(no_file());
        }
        let beside = |ending: &str| path.with_file_name(format!("{name}.{ending}"));
        Ok(Files {
            config: path.to_owned(),
            token: beside("token"),
            second_token: beside("second-token"),
            control: beside("control"),
        })
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
        for path in [&self.config, &self.token, &self.second_token, &self.control] {
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

/// The file that holds the first tenant's token.
///
/// # Errors
/// If the path is that of no file.
pub(super) fn token_file(path: &Path) -> Result<PathBuf, ConfigFileError> {
    // The folder of today, whichever folder the server is in when the token is renewed.
    let absolute = std::path::absolute(path);
    let path = absolute.map_err(|source| ConfigFileError::Write { path: path.to_owned(), source })?;
    Ok(Files::of(&path)?.token)
}

/// Writes the configuration for a server.
///
/// # Errors
/// If something is there that is not ours, or a file cannot be written.
pub(super) fn write(
    path: &Path,
    server: &RunningServer,
    profile: Option<ServerProfile>,
) -> Result<(), ConfigFileError> {
    let files = Files::of(path)?;
    files.check()?;
    replace(&files.token, server.token())?;
    replace(&files.second_token, server.second_token())?;
    let mut text = text(&files, server.base_url(), profile);
    if let (Some(url), Some(token)) = (server.control_url(), server.control_token()) {
        replace(&files.control, &format!("Authorization: Bearer {token}\n"))?;
        let control = std::path::absolute(&files.control);
        let control =
            control.map_err(|source| ConfigFileError::Write { path: files.control.clone(), source })?;
        text.push_str(&hooks(&control, url));
    }
    replace(&files.config, &text)
}

/// The hooks that call the control endpoints. No secret is on a command line: curl reads its header from a file.
fn hooks(control: &Path, url: &str) -> String {
    let file = quoted(&format!("@{}", control.display()));
    let call = |name: &str, more: &str| {
        let command = format!("curl -fsS -X POST -H {file}{more} {}", quoted(&format!("{url}/{name}")));
        format!("\n[hooks.{name}]\ncommand = {}\nwithin = \"10s\"\n", toml::Value::from(command))
    };
    let user = " --data-urlencode \"user=$SCIMSPEC_ARG_USER\"";
    format!(
        "\n# What only an administrator or an invited person can do.\n{}{}",
        call("accept-invitation", user).trim_start(),
        call("rotate-key", ""),
    )
}

/// A word as a shell takes it literally.
fn quoted(word: &str) -> String {
    format!("'{}'", word.replace('\'', r"'\''"))
}

fn text(files: &Files, base_url: &str, profile: Option<ServerProfile>) -> String {
    // A path in the file is relative to its folder.
    let name = |path: &Path| {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        toml::Value::from(name.as_ref()).to_string()
    };
    let chosen = profile.map(|profile| format!("profile = {}\n", toml::Value::from(profile.name())));
    let needs = match profile {
        None => {
            "\n# The server takes whatever RFC 7643 allows: it needs neither [template] nor [new], and no hooks to prepare it.\n"
        }
        Some(_) => "",
    };
    format!(
        "{MARK}\n\
         # 'scimspec run' with it (in its folder, or by --config) tests that server, as long as it runs.\n\
         url = {}\n\
         token_file = {}\n\
         {}\
         \n\
         # Another tenant of the same server, of which nothing may be seen in the first.\n\
         [second]\n\
         token_file = {}\n\
         {needs}",
        toml::Value::from(base_url),
        name(&files.token),
        chosen.unwrap_or_default(),
        name(&files.second_token),
    )
}

/// Puts a file in place as a whole, readable for its owner only.
pub(super) fn replace(path: &Path, text: &str) -> Result<(), ConfigFileError> {
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
