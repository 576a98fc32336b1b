//! The resource types whose resources can be created here: User and Group, and those that a schema file adds.

use std::sync::{Mutex, PoisonError};

/// One resource type.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Kind {
    User,
    Group,
    /// One that a schema file defines.
    Custom(&'static CustomKind),
}

/// What a type out of a schema file is called.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct CustomKind {
    name: String,
    segment: String,
    schema: String,
}

/// All custom kinds of this process. A kind is copied all over a request's way, so it is a reference that lives as
/// long as the process; equal ones are kept once, however many servers are started.
static CUSTOM: Mutex<Vec<&'static CustomKind>> = Mutex::new(Vec::new());

impl Kind {
    /// The types that each server has.
    pub(crate) const CORE: [Kind; 2] = [Kind::User, Kind::Group];

    /// The type of this name, endpoint segment and base schema.
    pub(crate) fn custom(name: &str, segment: &str, schema: &str) -> Self {
        let kind =
            CustomKind { name: name.to_owned(), segment: segment.to_owned(), schema: schema.to_owned() };
        let mut all = CUSTOM.lock().unwrap_or_else(PoisonError::into_inner);
        let known = all.iter().find(|known| ***known == kind).copied();
        Kind::Custom(known.unwrap_or_else(|| {
            let kept: &'static CustomKind = Box::leak(Box::new(kind));
            all.push(kept);
            kept
        }))
    }

    /// The name of the resource type, as in `meta.resourceType`.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Kind::User => "User",
            Kind::Group => "Group",
            Kind::Custom(kind) => &kind.name,
        }
    }

    /// The last segment of the type's endpoint.
    pub(crate) fn segment(self) -> &'static str {
        match self {
            Kind::User => "Users",
            Kind::Group => "Groups",
            Kind::Custom(kind) => &kind.segment,
        }
    }

    /// The URI of the type's base schema.
    pub(crate) fn schema(self) -> &'static str {
        match self {
            Kind::User => crate::scim::names::USER,
            Kind::Group => crate::scim::names::GROUP,
            Kind::Custom(kind) => &kind.schema,
        }
    }

    /// Whether it is User or Group.
    pub(crate) fn is_core(self) -> bool {
        !matches!(self, Kind::Custom(_))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_kinds_are_one() {
        let device = Kind::custom("Device", "Devices", "urn:x:Device");
        assert_eq!(device, Kind::custom("Device", "Devices", "urn:x:Device"));
        assert_ne!(device, Kind::custom("Device", "Devices", "urn:x:Other"));
        assert_eq!((device.name(), device.segment(), device.is_core()), ("Device", "Devices", false));
    }
}
