//! Credentials: from variables and files into a type that does not show them, with the names under which reports may
//! speak of them.

use std::path::Path;

use crate::report::model::{CredentialNames, HeaderRecord};
use crate::target::Credentials;

use super::environment::Environment;
use super::error::ConfigError;
use super::settings::{self, Settings};
use super::value;

/// The longest token file that is read.
const TOKEN_BYTES: u64 = 64 * 1024;

/// How to get in, and what may be said about it.
#[derive(Default)]
pub(super) struct Access {
    pub(super) credentials: Credentials,
    pub(super) names: CredentialNames,
    pub(super) second: Option<Credentials>,
    pub(super) headers: Vec<(String, String)>,
    pub(super) written: Vec<HeaderRecord>,
}

/// The credentials that settings name, read from where they say.
pub(super) fn access(settings: &Settings, environment: &Environment) -> Result<Access, ConfigError> {
    let mut access = Access::default();
    let mut given: Vec<String> = Vec::new();
    if let Some(name) = &settings.token_env {
        access.credentials = Credentials::bearer(environment.demand(name, "token_env")?)?;
        access.names = CredentialNames::Bearer { variable: name.clone() };
        given.push("token_env".to_owned());
    }
    if let Some(path) = &settings.token_file {
        access.credentials = Credentials::bearer(&token_file(path)?)?;
        access.names = CredentialNames::Bearer { variable: "SCIM_TOKEN".to_owned() };
        given.push("token_file".to_owned());
    }
    if let Some(user) = &settings.basic {
        let name = settings.password_env.as_deref().unwrap_or("SCIMSPEC_PASSWORD");
        let named_by = if settings.password_env.is_some() { "password_env" } else { "basic" };
        access.credentials = Credentials::basic(user, environment.demand(name, named_by)?)?;
        access.names = CredentialNames::Basic { user: user.clone(), variable: name.to_owned() };
        given.push("basic".to_owned());
    }
    for line in &settings.header {
        let (name, written) =
            value::header(line).map_err(|why| ConfigError::Header { text: line.clone(), why })?;
        if variables(&written).next().is_some() {
            access.credentials = Credentials::header(&format!("{name}: {}", filled(&written, environment)?))?;
            access.names = CredentialNames::None;
            given.push(format!("the header {name} with a variable"));
        } else if names_a_secret(&name) {
            return Err(ConfigError::OpenSecret { name });
        } else {
            access.headers.push((name.clone(), written.clone()));
        }
        access.written.push(HeaderRecord { name, value: written });
    }
    if let [first, second, ..] = given.as_slice() {
        return Err(ConfigError::SeveralCredentials { first: first.clone(), second: second.clone() });
    }
    if let (true, Some(token)) = (given.is_empty(), environment.get("SCIMSPEC_TOKEN")) {
        access.credentials = Credentials::bearer(token)?;
        access.names = CredentialNames::Bearer { variable: "SCIMSPEC_TOKEN".to_owned() };
    }
    access.second = match &settings.second {
        Some(settings::Second { token_env: Some(_), token_file: Some(_) }) => {
            return Err(ConfigError::SeveralCredentials {
                first: "second.token_env".to_owned(),
                second: "second.token_file".to_owned(),
            });
        }
        Some(settings::Second { token_env: Some(name), .. }) => {
            Some(Credentials::bearer(environment.demand(name, "second.token_env")?)?)
        }
        Some(settings::Second { token_file: Some(path), .. }) => {
            Some(Credentials::bearer(&token_file(path)?)?)
        }
        _ => None,
    };
    Ok(access)
}

fn token_file(path: &Path) -> Result<String, ConfigError> {
    use std::io::Read;
    let unreadable =
        |source| ConfigError::Unreadable { what: "the token file", path: path.to_owned(), source };
    let mut text = String::new();
    let file = std::fs::File::open(path).map_err(unreadable)?;
    file.take(TOKEN_BYTES).read_to_string(&mut text).map_err(unreadable)?;
    Ok(text)
}

/// The variables in a text: `${NAME}`.
pub(super) fn variables(text: &str) -> impl Iterator<Item = &str> {
    text.split("${").skip(1).filter_map(|rest| rest.split_once('}')).map(|(name, _)| name)
}

/// A text with its variables filled in.
fn filled(text: &str, environment: &Environment) -> Result<String, ConfigError> {
    let mut filled = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("${") {
        filled.push_str(before);
        let Some((name, after)) = after.split_once('}') else {
            filled.push_str("${");
            rest = after;
            continue;
        };
        filled.push_str(environment.demand(name, "header")?.trim());
        rest = after;
    }
    filled.push_str(rest);
    Ok(filled)
}

/// Whether a header of that name usually holds a secret.
fn names_a_secret(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    ["authorization", "cookie", "token", "secret", "password", "api-key", "apikey", "api_key"]
        .iter()
        .any(|telling| name.contains(telling))
}
