//! What lifecycles are made of on one service provider: the types, attributes and features that it declares. What it does
//! not declare is not asked of it.

use serde_json::{Value, json};

use super::step::Kind;
use crate::fuzz::strategy::data::MARK;
use crate::oracle::derived::{fits, is_visible};
use crate::scim::definition::ResourceDefinition;
use crate::scim::names;
use crate::scim::schema::{Attribute, AttributeType, Mutability, Returned};
use crate::suite::model::{Capability, Requires};
use crate::target::needs;
use crate::target::probe::Probe;

/// More resources of others than this, and a list without filter does not show ours.
const STRANGERS: u64 = 60;

/// An attribute with the few values that it is given.
#[derive(Debug, Clone, PartialEq)]
pub struct Tint {
    /// Its name, or the URN of an extension.
    pub name: String,
    /// The values.
    pub values: Vec<Value>,
    /// Whether it can be taken away.
    pub is_removable: bool,
    /// Whether it is the same to write it once more, whatever it was: one value and not several.
    pub is_single: bool,
}

/// What there is.
#[derive(Debug, Clone, PartialEq)]
pub struct Ground {
    /// Users.
    pub user: ResourceDefinition,
    /// Groups, where there are any that take members.
    pub group: Option<ResourceDefinition>,
    /// Whether PATCH is claimed.
    pub patch: bool,
    /// Whether versions are claimed.
    pub etag: bool,
    /// Whether filters are claimed.
    pub filter: bool,
    /// What users are given.
    pub tints: Vec<Tint>,
    /// Whether users can be renamed.
    pub renames_users: bool,
    /// Whether groups can be renamed.
    pub renames_groups: bool,
    /// Whether names are found in other letters.
    pub folds: bool,
    /// Whether lists without filter are short enough.
    pub lists: bool,
    /// Whether users have a password that clients set.
    pub password: bool,
    /// Whether versions are in `meta` as well.
    pub shows_versions: bool,
    /// Whether users show the groups that they are in, by their schema.
    pub shows_groups: bool,
}

impl Ground {
    /// What a service provider declares; none where it has no users.
    pub fn of(probe: &Probe, strangers: u64, domain: &str) -> Option<Ground> {
        let claims = |capability| probe.capabilities.check(&Requires::Capability(capability)).is_ok();
        let user = probe.schemas.definition("User")?;
        let is_writable =
            |attribute: &Attribute| attribute.mutability == Mutability::ReadWrite && is_visible(attribute);
        let group = probe.schemas.definition("Group").filter(|group| {
            let members = group.top_attribute("members");
            claims(Capability::Groups) && members.is_some_and(|it| it.multi_valued && is_writable(it))
        });
        let can_rename = |definition: &ResourceDefinition, name: &str| {
            definition.top_attribute(name).is_some_and(is_writable)
        };
        Some(Ground {
            patch: claims(Capability::Patch),
            etag: claims(Capability::Etag),
            filter: claims(Capability::Filter),
            tints: tints(&user, domain),
            renames_users: can_rename(&user, "userName"),
            renames_groups: group.as_ref().is_some_and(|group| can_rename(group, "displayName")),
            folds: user.top_attribute("userName").is_some_and(|it| !it.compares_exactly()),
            lists: strangers <= STRANGERS,
            password: takes_password(&user),
            shows_versions: true,
            shows_groups: group.is_some() && shows_groups(&user),
            user,
            group,
        })
    }

    /// The definition of a type.
    pub fn definition(&self, kind: Kind) -> Option<&ResourceDefinition> {
        match kind {
            Kind::User => Some(&self.user),
            Kind::Group => self.group.as_ref(),
        }
    }

    /// Where resources of a type are.
    pub fn endpoint(&self, kind: Kind) -> &str {
        self.definition(kind).map_or("/Users", |it| it.endpoint.trim_end_matches('/'))
    }

    /// Whether resources of a type can be renamed.
    pub fn renames(&self, kind: Kind) -> bool {
        match kind {
            Kind::User => self.renames_users,
            Kind::Group => self.renames_groups,
        }
    }

    /// The tint of that name.
    pub fn tint(&self, name: &str) -> Option<&Tint> {
        self.tints.iter().find(|tint| tint.name == name)
    }
}

/// Plain values, of which each service provider that declares the attribute takes any.
fn tints(user: &ResourceDefinition, domain: &str) -> Vec<Tint> {
    let mail = |word: &str| format!("{MARK}.{word}@{domain}");
    let wanted: [(&str, Vec<Value>); 9] = [
        ("title", vec![json!("Engineer"), json!("Director")]),
        ("nickName", vec![json!("Annie"), json!("Sunny")]),
        ("active", vec![json!(true), json!(false)]),
        (
            "name",
            vec![
                json!({"givenName": "Ann", "familyName": "Archer"}),
                json!({"givenName": "Bea", "familyName": "Baker"}),
            ],
        ),
        ("displayName", vec![json!("Ann Archer"), json!("Bea Baker")]),
        (
            "emails",
            vec![
                json!([{"value": mail("work"), "type": "work", "primary": true}]),
                json!([
                    {"value": mail("work"), "type": "work", "primary": true},
                    {"value": mail("home"), "type": "home"}
                ]),
            ],
        ),
        ("externalId", vec![json!(format!("{MARK}-Ext-1")), json!(format!("{MARK}-Ext-2"))]),
        ("userType", vec![json!("Employee"), json!("Contractor")]),
        (names::ENTERPRISE_USER, vec![json!({"department": "Sales"}), json!({"department": "Support"})]),
    ];
    let mut tints = Vec::new();
    for (name, values) in wanted {
        if let Some(extension) = user.extension(name) {
            let has = extension.schema.attribute("department");
            if has.is_some_and(|it| is_plain(it) && it.kind == AttributeType::String) {
                tints.push(Tint { name: name.to_owned(), values, is_removable: false, is_single: false });
            }
            continue;
        }
        let Some(attribute) = user.top_attribute(name).filter(|it| is_plain(it)) else { continue };
        // Parts that are not declared are left out of it, and what is then left has to be of the attribute's type.
        let values: Vec<Value> = values
            .into_iter()
            .filter_map(|value| needs::declared(json!({ name: value }), user).get(name).cloned())
            .filter(|value| fits(value, attribute) && value.is_array() == attribute.multi_valued)
            .collect();
        let is_canonical = attribute.canonical_values.is_empty();
        if values.len() == 2 && is_canonical {
            tints.push(Tint {
                name: name.to_owned(),
                values,
                is_removable: !attribute.required && name != "active" && name != "externalId",
                is_single: !attribute.multi_valued && attribute.kind != AttributeType::Complex,
            });
        }
    }
    tints
}

fn takes_password(user: &ResourceDefinition) -> bool {
    let password = user.top_attribute("password");
    password.is_some_and(|it| {
        it.kind == AttributeType::String
            && matches!(it.mutability, Mutability::WriteOnly | Mutability::ReadWrite)
    })
}

fn shows_groups(user: &ResourceDefinition) -> bool {
    let groups = user.top_attribute("groups");
    groups.is_some_and(|it| matches!(it.returned, Returned::Default | Returned::Always))
}

/// Whether a client writes it and reads it again.
fn is_plain(attribute: &Attribute) -> bool {
    attribute.mutability == Mutability::ReadWrite && is_visible(attribute)
}

#[cfg(test)]
pub mod testing {
    use super::*;
    use crate::scim::schema::SchemaSet;

    /// A service provider that declares everything.
    pub fn ground() -> Ground {
        let schemas = SchemaSet::core();
        let user = schemas.definition("User").unwrap();
        Ground {
            tints: tints(&user, "example.com"),
            password: true,
            shows_versions: true,
            shows_groups: true,
            user,
            group: schemas.definition("Group"),
            patch: true,
            etag: true,
            filter: true,
            renames_users: true,
            renames_groups: true,
            folds: true,
            lists: true,
        }
    }

    #[test]
    fn what_is_declared_is_used() {
        let ground = ground();
        let names: Vec<&str> = ground.tints.iter().map(|tint| tint.name.as_str()).collect();
        assert_eq!(names.len(), 9, "{names:?}");
        assert!(ground.tint("title").is_some_and(|tint| tint.is_removable && tint.is_single));
        assert!(ground.tint("emails").is_some_and(|tint| !tint.is_single && tint.values.len() == 2));
        assert!(ground.tint("active").is_some_and(|tint| !tint.is_removable));
    }
}
