//! The mechanism of profiles: a server that behaves as a vendor documents, instead of to the letter of the RFCs.
//!
//! A profile settles the choices of the server ([`Behaviour`]) and rewrites data at its seams, as variants and faults
//! do; it has a catalogue of faults of its own, each a deviation from what the vendor documents. The profiles
//! themselves are [`profiles`](super::profiles).

use std::fmt;

use super::behaviour::Behaviour;
use super::fault::{FaultEntry, Rewrite, nearest};
use super::profiles;

/// What a vendor's server is like, as its documents have it.
pub struct ProfileEntry {
    /// Its name, in kebab-case, permanent.
    pub name: &'static str,
    /// Whose server it stands for, in a few words.
    pub title: &'static str,
    /// Whether invitations can be accepted and the key be renewed from outside, by control endpoints.
    pub is_controlled: bool,
    /// In groups, by what they are about.
    pub(crate) faults: &'static [&'static [FaultEntry]],
    pub(crate) settle: fn(&mut Behaviour),
    pub(crate) rewrites: &'static [Rewrite],
}

impl ProfileEntry {
    /// The defects that only this profile can have: deviations from what the vendor documents.
    pub fn faults(&self) -> impl Iterator<Item = &'static FaultEntry> + use<> {
        self.faults.iter().copied().flatten()
    }
}

/// A profile that a server is to have.
#[derive(Clone, Copy)]
pub struct ServerProfile(&'static ProfileEntry);

impl ServerProfile {
    /// The profile of this name.
    ///
    /// # Errors
    /// If there is none; the error lists those that there are.
    pub fn from_name(name: &str) -> Result<Self, UnknownServerProfile> {
        let names = || profiles::catalogue().iter().map(|entry| entry.name);
        match profiles::catalogue().iter().find(|entry| entry.name == name) {
            Some(entry) => Ok(Self(entry)),
            None => Err(UnknownServerProfile {
                name: name.to_owned(),
                nearest: nearest(name, names()),
                known: names().collect(),
            }),
        }
    }

    /// Its name.
    pub fn name(self) -> &'static str {
        self.0.name
    }

    /// Its entry in the catalogue.
    pub fn entry(self) -> &'static ProfileEntry {
        self.0
    }

    pub(crate) fn rewrites(self) -> &'static [Rewrite] {
        self.0.rewrites
    }
}

impl fmt::Debug for ServerProfile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ServerProfile").field(&self.0.name).finish()
    }
}

/// The faults of all profiles.
pub(super) fn all_faults() -> impl Iterator<Item = &'static FaultEntry> {
    profiles::catalogue().iter().flat_map(ProfileEntry::faults)
}

/// The profile that alone can have a fault; none if every server can.
pub(super) fn owner_of(fault: &str) -> Option<&'static str> {
    let has = |entry: &&ProfileEntry| entry.faults().any(|known| known.name == fault);
    profiles::catalogue().iter().find(has).map(|entry| entry.name)
}

/// No profile of the server has this name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "the server has no profile {name:?}{}; there are {}",
    .nearest.map(|name| format!(", did you mean {name}?")).unwrap_or_default(),
    .known.join(", ")
)]
pub struct UnknownServerProfile {
    /// The name given.
    pub name: String,
    /// The most similar name that there is, if one is similar.
    pub nearest: Option<&'static str>,
    /// The names that there are.
    pub known: Vec<&'static str>,
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::super::faults;
    use super::*;

    #[test]
    fn an_unknown_name_gets_a_hint() {
        let error = ServerProfile::from_name("amplitud").unwrap_err().to_string();
        assert!(error.contains("did you mean amplitude?"), "{error}");
        let error = ServerProfile::from_name("###").unwrap_err().to_string();
        assert!(error.contains("there are amplitude, "), "{error}");
    }

    #[test]
    fn faults_bear_the_name_of_their_profile_and_no_other_has_it() {
        let mut names: BTreeSet<&str> = faults::catalogue().iter().map(|entry| entry.name).collect();
        for profile in profiles::catalogue() {
            for fault in profile.faults() {
                assert!(fault.name.starts_with(&format!("{}-", profile.name)), "{}", fault.name);
                assert!(names.insert(fault.name), "{} is there twice", fault.name);
                assert!(fault.settle.is_some() || !fault.rewrites.is_empty(), "{} does nothing", fault.name);
                assert!(!fault.requirements.is_empty(), "{} contradicts nothing", fault.name);
                assert_eq!(owner_of(fault.name), Some(profile.name));
            }
        }
        assert_eq!(owner_of("filter-ignored"), None);
    }
}
