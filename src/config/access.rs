//! Credentials: from variables and files into a type that does not show them, with the names under which reports may
//! speak of them.

use std::io::Read;
use std::path::Path;

use secrecy::SecretString;

use crate::report::model::{AccessNames, CertificateFiles, CredentialNames, HeaderRecord, SecondNames};
use crate::target::{ClientCertificate, ClientCredentials, Credentials, consent_needed};

use super::environment::Environment;
use super::error::ConfigError;
use super::settings::{OAuth, Settings};
use super::value;

/// The longest file with a secret or a certificate that is read.
const FILE_BYTES: u64 = 256 * 1024;

/// How to get in, and what may be said about it.
#[derive(Default)]
pub(super) struct Access {
    pub(super) credentials: Credentials,
    pub(super) names: CredentialNames,
    pub(super) second: Option<Credentials>,
    pub(super) headers: Vec<(String, String)>,
    pub(super) written: Vec<HeaderRecord>,
    pub(super) keys: Vec<(String, SecretString)>,
    pub(super) certificate: Option<ClientCertificate>,
    pub(super) second_certificate: Option<ClientCertificate>,
    pub(super) access_names: AccessNames,
}

/// What says who asks, of the first tenant or of the second.
struct Said<'a> {
    /// What stands before the keys of its settings: nothing, or `second.`.
    prefix: &'static str,
    token_env: Option<&'a str>,
    token_file: Option<&'a Path>,
    basic: Option<&'a str>,
    password_env: Option<&'a str>,
    oauth: &'a OAuth,
    cert: Option<&'a Path>,
    key: Option<&'a Path>,
    insecure: bool,
}

/// Credentials with the names under which reports may speak of them, and the setting that gave them.
struct Given {
    credentials: Credentials,
    names: CredentialNames,
    by: String,
}

/// The credentials that settings name, read from where they say.
pub(super) fn access(settings: &Settings, environment: &Environment) -> Result<Access, ConfigError> {
    let mut access = Access::default();
    let insecure = settings.insecure.unwrap_or(false);
    let said = Said {
        prefix: "",
        token_env: settings.token_env.as_deref(),
        token_file: settings.token_file.as_deref(),
        basic: settings.basic.as_deref(),
        password_env: settings.password_env.as_deref(),
        oauth: &settings.oauth,
        cert: settings.cert.as_deref(),
        key: settings.key.as_deref(),
        insecure,
    };
    let mut given = said.credentials(environment)?;
    let mut secret: Vec<HeaderRecord> = Vec::new();
    for line in &settings.header {
        let (name, written) =
            value::header(line).map_err(|why| ConfigError::Header { text: line.clone(), why })?;
        let record = HeaderRecord { name, value: written };
        if variables(&record.value).next().is_some() {
            secret.push(record.clone());
        } else if names_a_secret(&record.name) {
            return Err(ConfigError::OpenSecret { name: record.name });
        } else {
            access.headers.push((record.name.clone(), record.value.clone()));
        }
        access.written.push(record);
    }
    // `Authorization` says who asks, and so does the first secret header where nothing else does; the others are
    // keys to a gateway, which every request needs, whoever asks.
    let authorization = secret.iter().position(|header| header.name.eq_ignore_ascii_case("authorization"));
    let carrier = authorization.or_else(|| (given.is_empty() && !secret.is_empty()).then_some(0));
    if let Some(carrier) = carrier {
        given.push(header(&secret.remove(carrier), environment)?);
    }
    for key in secret {
        let value = filled(&key.value, environment)?;
        // What can be sent as credentials can be sent as a key.
        Credentials::header(&format!("{}: {value}", key.name))?;
        access.keys.push((key.name, value.trim().to_owned().into()));
    }
    match one(given)? {
        Some(given) => (access.credentials, access.names) = (given.credentials, given.names),
        None => {
            if let Some(token) = environment.get("SCIMSPEC_TOKEN") {
                access.credentials = Credentials::bearer(token)?;
                access.names = CredentialNames::Bearer { variable: "SCIMSPEC_TOKEN".to_owned() };
            }
        }
    }
    (access.certificate, access.access_names.certificate) = said.certificate()?.unzip();
    second(&mut access, settings, environment)?;
    Ok(access)
}

/// The credentials of the second tenant.
fn second(access: &mut Access, settings: &Settings, environment: &Environment) -> Result<(), ConfigError> {
    let Some(second) = &settings.second else { return Ok(()) };
    let said = Said {
        prefix: "second.",
        token_env: second.token_env.as_deref(),
        token_file: second.token_file.as_deref(),
        basic: second.basic.as_deref(),
        password_env: second.password_env.as_deref(),
        oauth: &second.oauth,
        cert: second.cert.as_deref(),
        key: second.key.as_deref(),
        insecure: settings.insecure.unwrap_or(false),
    };
    let mut given = said.credentials(environment)?;
    let mut record = None;
    if let Some(line) = &second.header {
        let (name, written) =
            value::header(line).map_err(|why| ConfigError::Header { text: line.clone(), why })?;
        if variables(&written).next().is_none() {
            return Err(ConfigError::OpenSecret { name });
        }
        let written = HeaderRecord { name, value: written };
        given.push(Given { by: "second.header".to_owned(), ..header(&written, environment)? });
        record = Some(written);
    }
    let given = one(given)?;
    let (certificate, files) = said.certificate()?.unzip();
    if given.is_none() && certificate.is_none() {
        return Ok(());
    }
    let (credentials, names) = given.map(|given| (given.credentials, given.names)).unwrap_or_default();
    access.second = Some(credentials);
    access.second_certificate = certificate;
    access.access_names.second = Some(SecondNames { credentials: names, header: record, certificate: files });
    Ok(())
}

/// The one that is given, if any; two of them contradict each other.
fn one(given: Vec<Given>) -> Result<Option<Given>, ConfigError> {
    if let [first, second, ..] = given.as_slice() {
        let (first, second) = (first.by.clone(), second.by.clone());
        return Err(ConfigError::SeveralCredentials { first, second });
    }
    Ok(given.into_iter().next())
}

impl Said<'_> {
    /// Every kind of credentials that is named.
    fn credentials(&self, environment: &Environment) -> Result<Vec<Given>, ConfigError> {
        let mut given = Vec::new();
        let by = |key: &str| format!("{}{key}", self.prefix);
        if let Some(name) = self.token_env {
            given.push(Given {
                credentials: Credentials::bearer(environment.demand(name, &by("token_env"))?)?,
                names: CredentialNames::Bearer { variable: name.to_owned() },
                by: by("token_env"),
            });
        }
        if let Some(path) = self.token_file {
            given.push(Given {
                credentials: Credentials::bearer(&secret_file(path, "the token file")?)?,
                names: CredentialNames::Bearer { variable: CredentialNames::TOKEN.to_owned() },
                by: by("token_file"),
            });
        }
        if let Some(user) = self.basic {
            let name = self.password_env.unwrap_or("SCIMSPEC_PASSWORD");
            let named_by = if self.password_env.is_some() { "password_env" } else { "basic" };
            given.push(Given {
                credentials: Credentials::basic(user, environment.demand(name, &by(named_by))?)?,
                names: CredentialNames::Basic { user: user.to_owned(), variable: name.to_owned() },
                by: by("basic"),
            });
        }
        if self.oauth.is_given() {
            given.push(self.client(environment)?);
        }
        Ok(given)
    }

    /// The client of an authorization server.
    fn client(&self, environment: &Environment) -> Result<Given, ConfigError> {
        let table = format!("{}oauth", self.prefix);
        let OAuth {
            token_url,
            client_id,
            client_secret_env,
            client_secret_file,
            scope,
            client_auth,
            parameters,
        } = self.oauth;
        let missing = |missing| ConfigError::OAuthIncomplete { table: table.clone(), missing };
        let url = token_url.clone().ok_or_else(|| missing("token_url"))?;
        let id = client_id.as_deref().ok_or_else(|| missing("client_id"))?;
        if value::holds_credentials(&url) {
            return Err(ConfigError::OpenUrl);
        }
        if url.scheme() == "http" && consent_needed(&url) && !self.insecure {
            return Err(ConfigError::OpenTokenUrl { host: url.host_str().unwrap_or_default().to_owned() });
        }
        let (secret, variable) = match (client_secret_env, client_secret_file) {
            (Some(_), Some(_)) => {
                return Err(ConfigError::SeveralCredentials {
                    first: format!("{table}.client_secret_env"),
                    second: format!("{table}.client_secret_file"),
                });
            }
            (None, Some(path)) => (secret_file(path, "the client's secret")?, "SCIM_CLIENT_SECRET"),
            (name, None) => {
                let name = name.as_deref().unwrap_or("SCIMSPEC_CLIENT_SECRET");
                (environment.demand(name, &format!("{table}.client_secret_env"))?.to_owned(), name)
            }
        };
        let mut grant = ClientCredentials::new(url, id, &secret)?;
        grant.scope.clone_from(scope);
        grant.client_auth = client_auth.unwrap_or_default();
        grant.parameters = parameters.iter().map(|(name, value)| (name.clone(), value.clone())).collect();
        let names = CredentialNames::OAuth {
            token_url: grant.shown_url(),
            client_id: grant.client_id.clone(),
            variable: variable.to_owned(),
        };
        Ok(Given { credentials: Credentials::OAuth(Box::new(grant)), names, by: table })
    }

    /// The client certificate.
    fn certificate(&self) -> Result<Option<(ClientCertificate, CertificateFiles)>, ConfigError> {
        let path = match (self.cert, self.key) {
            (None, None) => return Ok(None),
            (None, Some(_)) => return Err(ConfigError::KeyAlone { prefix: self.prefix }),
            (Some(path), _) => path,
        };
        let certificate = bytes(path, "the client certificate")?;
        let key = self.key.map(|path| bytes(path, "the private key")).transpose()?;
        let both = ClientCertificate::from_pem(&certificate, key.as_deref()).map_err(|error| {
            let at_fault = self.key.filter(|_| error.is_about_key()).unwrap_or(path);
            ConfigError::Certificate { path: at_fault.to_owned(), error }
        })?;
        let files = CertificateFiles {
            cert: path.display().to_string(),
            key: self.key.map(|path| path.display().to_string()),
        };
        Ok(Some((both, files)))
    }
}

/// A header whose value is made of variables, as credentials.
fn header(written: &HeaderRecord, environment: &Environment) -> Result<Given, ConfigError> {
    let HeaderRecord { name, value } = written;
    Ok(Given {
        credentials: Credentials::header(&format!("{name}: {}", filled(value, environment)?))?,
        names: CredentialNames::Header {
            name: name.clone(),
            variables: variables(value).map(str::to_owned).collect(),
        },
        by: format!("the header {name} with a variable"),
    })
}

fn secret_file(path: &Path, what: &'static str) -> Result<String, ConfigError> {
    let text = String::from_utf8(bytes(path, what)?);
    text.map_err(|error| ConfigError::Unreadable {
        what,
        path: path.to_owned(),
        source: std::io::Error::new(std::io::ErrorKind::InvalidData, error.utf8_error()),
    })
}

fn bytes(path: &Path, what: &'static str) -> Result<Vec<u8>, ConfigError> {
    let unreadable = |source| ConfigError::Unreadable { what, path: path.to_owned(), source };
    let mut bytes = Vec::new();
    let file = std::fs::File::open(path).map_err(unreadable)?;
    file.take(FILE_BYTES).read_to_end(&mut bytes).map_err(unreadable)?;
    Ok(bytes)
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
