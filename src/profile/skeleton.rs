//! The beginning of a profile: a commented file and a first suite beside it, which pass the lint and run as they are.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use super::Kind;

/// What was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Written {
    /// All files.
    pub files: Vec<PathBuf>,
    /// The profile among them.
    pub profile: PathBuf,
}

/// Why nothing was written.
#[derive(Debug, thiserror::Error)]
pub enum SkeletonError {
    /// The name cannot be one.
    #[error("`{name}` cannot be the name of a profile: small letters, digits and - only")]
    Name {
        /// The name.
        name: String,
    },
    /// A file is there already.
    #[error("{} is there already, and is left as it is; choose another name, or another folder with --dir", .path.display())]
    Exists {
        /// The file.
        path: PathBuf,
    },
    /// A file or folder cannot be written.
    #[error("{}: {error}", .path.display())]
    Io {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        error: io::Error,
    },
}

/// Writes the files of a new profile below a folder, which is made where needed.
///
/// # Errors
/// [`SkeletonError`]; where a file is there already, nothing is written.
pub fn write(name: &str, kind: Kind, folder: &Path) -> Result<Written, SkeletonError> {
    let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    if !name.starts_with(fits) || !name.ends_with(fits) || !name.chars().all(|c| fits(c) || c == '-') {
        return Err(SkeletonError::Name { name: name.to_owned() });
    }
    let profile = folder.join("profiles").join(format!("{name}.yaml"));
    let suite = folder.join(name).join("users.yaml");
    let text = match kind {
        Kind::Server => SERVER,
        Kind::Client | Kind::Standard => CLIENT,
    };
    let files = [(profile.clone(), text.replace("NAME", name)), (suite, SUITE.replace("NAME", name))];
    if let Some((path, _)) = files.iter().find(|(path, _)| path.exists()) {
        return Err(SkeletonError::Exists { path: path.clone() });
    }
    for (path, text) in &files {
        let failed = |error: io::Error| match error.kind() {
            io::ErrorKind::AlreadyExists => SkeletonError::Exists { path: path.clone() },
            _ => SkeletonError::Io { path: path.clone(), error },
        };
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent).map_err(failed)?;
        }
        let mut file = OpenOptions::new().write(true).create_new(true).open(path).map_err(failed)?;
        file.write_all(text.as_bytes()).map_err(failed)?;
    }
    Ok(Written { files: files.into_iter().map(|(path, _)| path).collect(), profile })
}

/// `NAME` stands for the profile's name.
const CLIENT: &str = r#"# What NAME needs of a SCIM server. 'scimspec schema profile' prints the format for editors;
# 'scimspec check' says what is wrong with this folder.
profile: NAME
title: NAME as the client
kind: client
# Where the client's behaviour is documented.
documents: []
# Suites by their paths: those in the folder beside this one, and shipped ones ('scimspec list' shows them).
suites: ["NAME/**", "rules/**"]
# Of these suites only some cases, by their ids. The rules cost no request: they look at every answer of the run.
cases:
  - NAME-*/*
  - rules/no-server-error
  - rules/json-well-formed
  - rules/list-shape
  - rules/id-present
  - rules/id-stable
  - rules/password-never-returned
# Cases that are left out: skip: ["rules/id-stable"]

# What the summary says of each feature; the cases with its tags decide. Without one that is core, nothing works.
features:
  create: {title: Users are created and found again, tags: [NAME.create], core: true}
  deactivate: {title: Users are deactivated, tags: [NAME.deactivate]}
"#;

const SERVER: &str = r#"# What NAME documents about its SCIM server. 'scimspec schema profile' prints the format for editors;
# 'scimspec check' says what is wrong with this folder.
profile: NAME
title: NAME as documented
kind: server
# Where it is documented.
documents: []
# Suites by their paths: those in the folder beside this one, and shipped ones ('scimspec list' shows them).
suites: ["NAME/**", "rfc7644/3.3-create.yaml", "rules/**"]
# Cases that are left out: skip: ["rules/id-stable"]

# How pages are asked for where the parameter is not called count, and the most rows of a page.
page-size: {parameter: count, max: 200, default: 200}
# How much the service bears: defaults under --rate and --requests.
limits: {rate: 600/s}
# How long a write may take to show in reads: consistency: 5s

# What only an operator knows. Cases read it as ${setting.hire-date}; a case without its value is skipped.
# settings:
#   hire-date: {title: where the hire date stands, default: hireDate, confirm: true}

# Where the documents say something else than the RFC. As documented → "deviates"; as the RFC has it → "passed", and
# this entry is obsolete; anything else → "failed".
deviations: []
#  - case: create/minimal-user
#    step: made
#    instead: {status: 200}
#    cite: [https://docs.example.com/scim#create]
#    why: creates are answered with 200
#  - rule: rules/location-on-create
#    on: [POST /Users]
#    instead: {checks: [{header: Location, absent: true}]}
#    cite: [https://docs.example.com/scim#create]
#    why: no Location is documented

features:
  create: {title: Users are created and found again, tags: [NAME.create], core: true}
  deactivate: {title: Users are deactivated, tags: [NAME.deactivate]}
"#;

const SUITE: &str = r#"# The first suite of the profile NAME. 'scimspec schema suite' prints the format for editors.
suite: NAME-users
title: Users come, are found, and are deactivated
cases:
  - id: create-and-find
    title: A user who was created is found by userName
    # What a client does when this fails, and how to mend it.
    consequence: The user is created a second time, or not at all.
    tags: [NAME.create]
    # An id of docs of your own has no place in the catalogue; a requirement of the RFCs has.
    spec: [RFC7644-3.3-01]
    # Values made anew for each run; what a run creates, it deletes.
    fresh: {name: user-name}
    steps:
      - id: ann
        send: POST /Users
        # user is a fixture of scimspec's; fixtures of yours stand in fixtures/ beside profiles/.
        make: {fixture: user, set: {userName: "${name}"}, template: true}
        expect: {status: 201, body: {userName: "${name}"}}
      - query: {endpoint: /Users, filter: 'userName eq "${name}"'}
        expect: {status: 200, list: {ours: [ann], foreign: none}}

  - id: deactivate
    title: A user is deactivated with PATCH
    tags: [NAME.deactivate]
    requires: [patch]
    given: {ann: user}
    steps:
      - send: PATCH /Users/${ann.id}
        operations: [{op: replace, path: active, value: false}]
        expect: {status: [200, 204]}
      - read: ann
        expect: {status: 200, body: {active: false}}
"#;
