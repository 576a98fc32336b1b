//! The mechanism of variants: a named legal answer other than the one that the server gives by itself. The twin of
//! [`fault`](super::fault): faults prove that cases can fail, variants that they raise no false alarm.
//!
//! A variant either settles a choice of the server ([`Behaviour`]), or rewrites data at a seam, as a fault does. The
//! catalogue itself is [`variants`](super::variants).

use std::fmt;

use super::behaviour::Behaviour;
use super::fault::{Rewrite, nearest};
use super::variants;

/// One legal answer of the catalogue.
#[derive(Clone, Copy)]
pub struct VariantEntry {
    /// Its name, in kebab-case, permanent.
    pub name: &'static str,
    /// The disputes that it is a side of: ids of the form `AMB-96`, as suites and requirements name them. Two variants
    /// of one dispute exclude each other. AMB-29, on how far the schemas may differ, stands also with those that add
    /// to attributes which another schema may lack.
    pub disputes: &'static [&'static str],
    /// What a client sees, in one sentence.
    pub client_sees: &'static str,
    /// Why it is legal, with its source.
    pub allowed_by: &'static str,
    pub(crate) settle: Option<fn(&mut Behaviour)>,
    pub(crate) rewrites: &'static [Rewrite],
}

impl fmt::Debug for VariantEntry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("VariantEntry").field(&self.name).finish()
    }
}

/// A legal answer that is to be given.
#[derive(Clone, Copy)]
pub struct Variant(&'static VariantEntry);

impl Variant {
    /// The variant of this name.
    ///
    /// # Errors
    /// If there is none; the error names the nearest.
    pub fn from_name(name: &str) -> Result<Self, UnknownVariant> {
        match variants::catalogue().iter().find(|entry| entry.name == name) {
            Some(entry) => Ok(Self(entry)),
            None => Err(UnknownVariant {
                name: name.to_owned(),
                nearest: nearest(name, variants::catalogue().iter().map(|entry| entry.name)),
            }),
        }
    }

    /// Its name.
    pub fn name(self) -> &'static str {
        self.0.name
    }

    /// Its entry in the catalogue.
    pub fn entry(self) -> &'static VariantEntry {
        self.0
    }

    /// Whether a server can be both: no dispute has them on two sides.
    pub fn goes_with(self, other: Variant) -> bool {
        self.name() != other.name() && !self.0.disputes.iter().any(|id| other.0.disputes.contains(id))
    }
}

impl fmt::Debug for Variant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Variant").field(&self.0.name).finish()
    }
}

/// No variant has this name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("there is no variant {name:?}{}", .nearest.map(|name| format!("; did you mean {name}?")).unwrap_or_default())]
pub struct UnknownVariant {
    /// The name given.
    pub name: String,
    /// The most similar name that there is, if one is similar.
    pub nearest: Option<&'static str>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_name_gets_a_hint() {
        let error = Variant::from_name("patch-no-contnt").unwrap_err();
        assert_eq!(error.nearest, Some("patch-no-content"));
        assert!(error.to_string().contains("did you mean patch-no-content?"));
    }

    #[test]
    fn two_sides_of_one_dispute_exclude_each_other() {
        let named = |name: &str| Variant::from_name(name).unwrap();
        assert!(!named("patch-no-content").goes_with(named("patch-no-content")));
        assert!(named("patch-no-content").goes_with(named("page-of-ten")));
    }
}
