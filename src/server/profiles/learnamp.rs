//! Learn Amp's SCIM server, as its help page describes it.
//!
//! The page names no endpoint, no status and no attribute path. The double does what the page says, and what RFC 7643
//! and RFC 7644 say otherwise: endpoints, discovery, groups (LAMP-18) and lists are those of the reference server. What
//! it assumes:
//!
//! - **The e-mail address** (LAMP-02, LAMP-03, LAMP-07) is the unique identifier: the primary address, else the first.
//!   A create with the address of a user who is there, in any case, updates that user: what is sent takes the place of
//!   what was there, what is not sent stays, the id too. The answer is 200, since nothing was created. A create without
//!   an address takes `userName` for it, and is refused (400 invalidValue) where that is none. PUT and PATCH to
//!   somebody else's address are refused with 409 uniqueness, and so is a user name that another user has.
//! - **The manager** (LAMP-10): `manager.value` of the enterprise extension is an e-mail address. The page has a manager
//!   not sync who is no user; so is an unknown one left out, and the rest of the user is written.
//! - **Department and team** (LAMP-09): `department` of the enterprise extension, and [`EXTENSION`]`:team`.
//! - **The hire date** (LAMP-11): [`EXTENSION`]`:hireDate`, a text such as `2026-03-02`. The URN and the names in it are
//!   ours: the vendor tells its customers what they are.
//! - **Custom fields** (LAMP-13): [`EXTENSION`]`:custom1` and `custom2` are configured; whatever else is sent there is
//!   ignored.
//! - **Roles** (LAMP-15) are no matter of SCIM: `roles` is ignored, and never shown.
//! - **Deactivation** (LAMP-05, LAMP-14) keeps the account, which can be found and made active again. DELETE is not
//!   described: it is the RFC's.
//! - **HTTPS** (LAMP-17) is for whatever stands in front: the double listens on this machine only.

mod faults;

use axum::http::Method;
use serde_json::{Map, Value, json};

use super::super::behaviour::Behaviour;
use super::super::endpoint::Kind;
use super::super::fault::Change;
use super::super::profile::ProfileEntry;
use super::super::store::{Record, Store};
use super::super::write::is_email;
use super::Rewrite;
use crate::scim::error::ScimError;
use crate::scim::names;
use crate::scim::resource::{elements, member};
use crate::scim::schema::{Attribute, AttributeType, Schema, SchemaExtension, SchemaSet};
use crate::scim::text::fold_case;

pub(super) const PROFILE: ProfileEntry = ProfileEntry {
    name: "learnamp",
    title: "Learn Amp's SCIM server, by its help page",
    is_controlled: false,
    faults: &[faults::FAULTS],
    settle,
    rewrites: &[Rewrite::Change(keep_addresses), Rewrite::Change(keep_known_manager)],
};

/// The extension of User that holds what the core schemas have no place for. The name is assumed.
pub(crate) const EXTENSION: &str = "urn:ietf:params:scim:schemas:extension:learnamp:2.0:User";

fn settle(behaviour: &mut Behaviour) {
    behaviour.known_as = Some(user_of_address);
    behaviour.patch.ignore_unknown = true;
    behaviour.schemas.push(declare);
}

/// The schemas of Learn Amp: no roles, and an extension.
fn declare(set: &mut SchemaSet) {
    for schema in set.schemas.iter_mut().filter(|schema| schema.id == names::USER) {
        schema.attributes.retain(|attribute| attribute.name != "roles");
    }
    let attributes = [
        ("hireDate", "The first day of employment, such as 2026-03-02"),
        ("team", "The primary team"),
        ("custom1", "A field of the organisation's own"),
        ("custom2", "A field of the organisation's own"),
    ];
    set.schemas.push(Schema {
        id: EXTENSION.to_owned(),
        name: "LearnAmpUser".to_owned(),
        description: "What Learn Amp keeps of a user beyond the core schemas".to_owned(),
        attributes: attributes
            .map(|(name, description)| Attribute {
                description: description.to_owned(),
                ..Attribute::new(name, AttributeType::String)
            })
            .into(),
    });
    for user in set.resource_types.iter_mut().filter(|it| it.name == "User") {
        user.extensions.push(SchemaExtension { schema: EXTENSION.to_owned(), required: false });
    }
}

/// The user that has the address which a body names.
fn user_of_address(store: &Store, sent: &Map<String, Value>) -> Option<String> {
    named(store, address_of(sent)?).map(|user| user.id.clone())
}

/// The user with this address, in any case.
fn named<'a>(store: &'a Store, address: &str) -> Option<&'a Record> {
    let address = fold_case(address);
    store
        .of_kind(Kind::User, ..)
        .find(|user| address_of(&user.attributes).is_some_and(|own| fold_case(own) == address))
}

/// The primary address, else the first; without any, the user name if it is an address.
fn address_of(user: &Map<String, Value>) -> Option<&str> {
    let emails = member(user, "emails").map(elements).unwrap_or_default();
    let primary = emails.iter().find(|email| email.get("primary") == Some(&Value::Bool(true)));
    let chosen = primary.or(emails.first()).and_then(|email| email.get("value")).and_then(Value::as_str);
    let name = || member(user, "userName").and_then(Value::as_str).filter(|name| is_email(name));
    chosen.filter(|address| !address.is_empty()).or_else(name)
}

/// Each user has an address, and nobody else has it.
fn keep_addresses(change: &mut Change<'_>) {
    if change.kind != Kind::User || change.method == Method::DELETE {
        return;
    }
    let Some(after) = change.after.as_mut().and_then(Value::as_object_mut) else { return };
    let refusal = match address_of(after).map(str::to_owned) {
        None => Some(ScimError::invalid_value("emails: an e-mail address is the identifier of a user")),
        Some(address) => {
            if !after.contains_key("emails") {
                let email = json!([{ "value": address, "type": "work", "primary": true }]);
                after.insert("emails".to_owned(), email);
            }
            let is_taken = change.before.is_some()
                && named(change.store, &address).is_some_and(|other| other.id != change.id);
            is_taken.then(|| ScimError::uniqueness(format!("emails: {address:?} is in use")))
        }
    };
    if refusal.is_some() {
        change.after = None;
        change.refusal = refusal;
    }
}

/// A manager is the address of a user who is there.
fn keep_known_manager(change: &mut Change<'_>) {
    let Some(manager) = manager_of(change.after.as_ref()) else { return };
    let is_known = manager.as_str().is_some_and(|address| named(change.store, address).is_some());
    if is_known {
        return;
    }
    if let Some(after) = change.after.as_mut().and_then(Value::as_object_mut) {
        let extension = after.get_mut(names::ENTERPRISE_USER).and_then(Value::as_object_mut);
        if let Some(extension) = extension {
            extension.shift_remove("manager");
            if extension.is_empty() {
                after.shift_remove(names::ENTERPRISE_USER);
            }
        }
    }
}

/// The value of the manager of a user.
fn manager_of(user: Option<&Value>) -> Option<&Value> {
    user?.get(names::ENTERPRISE_USER)?.get("manager").map(|manager| manager.get("value").unwrap_or(manager))
}
