//! Deviations from what Learn Amp documents.

use axum::http::{Method, StatusCode};
use serde_json::{Map, Value, json};

use super::super::super::endpoint::{Endpoint, Kind};
use super::super::super::fault::{Change, FaultEntry, Rewrite};
use super::super::super::rewrite::{each_user, object, refuse};
use super::super::super::store::{Record, Store};
use super::super::{rewriting, settling};
use super::{EXTENSION, address_of, manager_of, named, user_of_address};
use crate::scim::error::ScimError;
use crate::scim::names;
use Rewrite::{Answer as At, Change as Written, Operations, Rows};

pub(super) const FAULTS: &[FaultEntry] = &[
    FaultEntry {
        settle: Some(|behaviour| behaviour.known_as = None),
        ..rewriting(
            "learnamp-duplicate-conflicts",
            &["LAMP-02"],
            "A create with the address of a user who is there is refused with 409.",
            "Okta, whose second assignment fails",
            &[Written(|change| {
                let has_twin = change.after.as_ref().and_then(Value::as_object).is_some_and(|after| {
                    address_of(after).is_some_and(|address| named(change.store, address).is_some())
                });
                if creates(change) && has_twin {
                    change.after = None;
                    change.refusal = Some(ScimError::uniqueness("emails: the address is in use"));
                }
            })],
        )
    },
    settling(
        "learnamp-duplicate-created",
        &["LAMP-02"],
        "A create with the address of a user who is there makes a second one.",
        "people with two accounts",
        |behaviour| behaviour.known_as = None,
    ),
    rewriting(
        "learnamp-duplicate-ignored",
        &["LAMP-02"],
        "A create with the address of a user who is there is answered with 200, and changes nothing.",
        "administrators, whose update is lost",
        &[Written(|change| {
            if updates_by_create(change) {
                change.after = change.before.cloned();
            }
        })],
    ),
    rewriting(
        "learnamp-duplicate-clears",
        &["LAMP-02"],
        "A create with the address of a user who is there clears what it does not send.",
        "people who lose their title and their team",
        &[Written(|change| {
            if updates_by_create(change)
                && let (Some(after), Some(sent)) =
                    (change.after.as_mut().and_then(Value::as_object_mut), change.sent.as_object())
            {
                after.retain(|name, _| sent.keys().any(|sent| sent.eq_ignore_ascii_case(name)));
            }
        })],
    ),
    rewriting(
        "learnamp-duplicate-deactivates",
        &["LAMP-02", "LAMP-14"],
        "A create with the address of a user who is there makes the user inactive.",
        "people who are locked out by a second assignment",
        &[Written(|change| {
            if updates_by_create(change)
                && let Some(after) = &mut change.after
            {
                after["active"] = false.into();
            }
        })],
    ),
    settling(
        "learnamp-matches-user-name",
        &["LAMP-03"],
        "A create updates the user with the same userName, whatever the address.",
        "people whose account becomes somebody else's",
        |behaviour| behaviour.known_as = Some(user_of_name),
    ),
    settling(
        "learnamp-matches-exact-case",
        &["LAMP-02"],
        "A create with the address of a user who is there in another case makes a second one.",
        "people with two accounts",
        |behaviour| behaviour.known_as = Some(user_of_exact_address),
    ),
    rewriting(
        "learnamp-deactivate-deletes",
        &["LAMP-05"],
        "Who is made inactive cannot be read any more.",
        "leavers, whose records are gone",
        &[At(|seen, answer| {
            if let Endpoint::Resource(Kind::User, id) = seen.endpoint
                && seen.request.method == Method::GET
                && seen.store.get(id).is_some_and(is_inactive)
            {
                refuse(answer, StatusCode::NOT_FOUND, None, "there is no such user");
            }
        })],
    ),
    rewriting(
        "learnamp-inactive-unlisted",
        &["LAMP-14"],
        "Lists and filters leave out who is inactive.",
        "Okta, which creates people anew who come back",
        &[Rows(|rows| rows.rows.retain(|row| row["active"] != false))],
    ),
    rewriting(
        "learnamp-deactivate-ignored",
        &["LAMP-05", "LAMP-14"],
        "active false is taken and not kept.",
        "the organisation, whose leavers keep their access",
        &[Written(|change| keep_active(change, true))],
    ),
    rewriting(
        "learnamp-reactivate-ignored",
        &["LAMP-14"],
        "Who is inactive cannot be made active again.",
        "people who come back",
        &[Written(|change| {
            if change.before.is_some_and(|before| before["active"] == false) {
                keep_active(change, false);
            }
        })],
    ),
    rewriting(
        "learnamp-manager-lost",
        &["LAMP-10"],
        "A manager who is named by address is not kept.",
        "people without a manager",
        &[Written(|change| {
            set_extension(change, names::ENTERPRISE_USER, |extension| {
                extension.shift_remove("manager");
            });
        })],
    ),
    rewriting(
        "learnamp-manager-unknown-fails",
        &["LAMP-10"],
        "A create whose manager is no user is answered with 500.",
        "people who come before their manager",
        &[Written(|change| {
            let manager = manager_of(Some(change.sent)).and_then(Value::as_str);
            if creates(change) && manager.is_some_and(|address| named(change.store, address).is_none()) {
                change.after = None;
                change.refusal = Some(ScimError::new(500, "manager is None"));
            }
        })],
    ),
    rewriting(
        "learnamp-department-lost",
        &["LAMP-09"],
        "The department is not kept.",
        "people who land in no team",
        &[Written(|change| {
            set_extension(change, names::ENTERPRISE_USER, |extension| {
                extension.shift_remove("department");
            });
        })],
    ),
    rewriting(
        "learnamp-title-not-updated",
        &["LAMP-04", "LAMP-08"],
        "The job title stays what the create said.",
        "people who are promoted",
        &[Written(|change| {
            if let (Some(before), Some(after)) = (change.before, &mut change.after)
                && change.kind == Kind::User
                && let Some(title) = before.get("title")
            {
                after["title"] = title.clone();
            }
        })],
    ),
    rewriting(
        "learnamp-names-swapped",
        &["LAMP-06"],
        "The given name is kept as the family name, and the other way round.",
        "everybody",
        &[Written(|change| {
            let after = change.after.as_mut().filter(|_| change.before.is_none());
            if let Some(name) = after.and_then(|after| after.get_mut("name")).and_then(Value::as_object_mut)
                && let (Some(given), Some(family)) =
                    (name.get("givenName").cloned(), name.get("familyName").cloned())
            {
                name.insert("givenName".to_owned(), family);
                name.insert("familyName".to_owned(), given);
            }
        })],
    ),
    rewriting(
        "learnamp-hire-date-lost",
        &["LAMP-11"],
        "The hire date is not kept.",
        "reports on who is new",
        &[Written(|change| {
            set_extension(change, EXTENSION, |extension| {
                extension.shift_remove("hireDate");
            });
        })],
    ),
    rewriting(
        "learnamp-hire-date-with-time",
        &["LAMP-11"],
        "The hire date comes back with a time of day.",
        "clients that compare it, and push it again and again",
        &[At(|seen, answer| {
            each_user(seen, answer, |user| {
                let date = user.get_mut(EXTENSION).and_then(|extension| extension.get_mut("hireDate"));
                if let Some(Value::String(date)) = date {
                    date.push_str("T00:00:00Z");
                }
            });
        })],
    ),
    rewriting(
        "learnamp-time-zone-renamed",
        &["LAMP-12"],
        "The time zone comes back without its region.",
        "clients that know time zones by their names",
        &[At(|seen, answer| {
            each_user(seen, answer, |user| {
                if let Some(Value::String(zone)) = user.get_mut("timezone") {
                    *zone = zone.rsplit('/').next().unwrap_or_default().to_owned();
                }
            });
        })],
    ),
    rewriting(
        "learnamp-custom-field-refused",
        &["LAMP-13"],
        "A create with a field of the extension that is not configured is refused with 400.",
        "whoever maps one attribute too many",
        &[Written(|change| {
            const CONFIGURED: [&str; 4] = ["hireDate", "team", "custom1", "custom2"];
            let sent = change.sent.get(EXTENSION).and_then(Value::as_object);
            let unknown = sent.and_then(|sent| sent.keys().find(|name| !CONFIGURED.contains(&name.as_str())));
            if let (true, Some(name)) = (creates(change), unknown) {
                let refusal = ScimError::invalid_value(format!("{EXTENSION}:{name}: is not configured"));
                change.after = None;
                change.refusal = Some(refusal);
            }
        })],
    ),
    rewriting(
        "learnamp-custom-field-lost",
        &["LAMP-13"],
        "The custom fields that are configured are not kept.",
        "the organisation, which configured them",
        &[Written(|change| {
            set_extension(change, EXTENSION, |extension| {
                extension.retain(|name, _| !name.starts_with("custom"))
            });
        })],
    ),
    rewriting(
        "learnamp-roles-taken",
        &["LAMP-15"],
        "The roles of a create are shown, and given.",
        "the organisation, of which anyone can become an administrator",
        &[
            Written(|change| {
                if let (Kind::User, Some(roles)) = (change.kind, change.sent.get("roles")) {
                    let shown = change.memory.shown.entry(change.id.clone()).or_default();
                    shown.insert("roles".to_owned(), roles.clone());
                }
            }),
            super::super::SHOW,
        ],
    ),
    rewriting(
        "learnamp-roles-refused",
        &["LAMP-15"],
        "A create with roles is refused with 400.",
        "Okta, where roles are mapped",
        &[Written(|change| {
            if creates(change) && change.sent.get("roles").is_some() {
                change.after = None;
                change.refusal = Some(ScimError::invalid_value("roles: cannot be set"));
            }
        })],
    ),
    rewriting(
        "learnamp-email-not-updated",
        &["LAMP-07"],
        "A new address is taken and not kept.",
        "people who log in with it",
        &[Written(|change| {
            if let (Some(before), Some(after)) = (change.before, &mut change.after)
                && change.kind == Kind::User
            {
                after["emails"] = before["emails"].clone();
            }
        })],
    ),
    rewriting(
        "learnamp-patch-of-title-ignored",
        &["LAMP-04", "LAMP-16"],
        "A PATCH of the job title changes nothing.",
        "people who are promoted",
        &[Operations(|operations| {
            operations.list.retain(|operation| {
                operation.path.as_ref().is_none_or(|path| !path.attribute.name.eq_ignore_ascii_case("title"))
            });
        })],
    ),
    rewriting(
        "learnamp-wrong-token-lists-nobody",
        &["LAMP-17"],
        "A list asked for with a wrong token is empty, and 200.",
        "administrators, who take the token for right",
        &[At(|seen, answer| {
            if answer.status == StatusCode::UNAUTHORIZED
                && *seen.endpoint == Endpoint::Resources(Kind::User)
                && seen.request.method == Method::GET
            {
                answer.status = StatusCode::OK;
                if let Some(body) = object(answer) {
                    *body = Map::from_iter([
                        ("schemas".to_owned(), json!([names::LIST_RESPONSE])),
                        ("totalResults".to_owned(), 0.into()),
                    ]);
                }
            }
        })],
    ),
];

fn creates(change: &Change<'_>) -> bool {
    change.kind == Kind::User && change.before.is_none()
}

/// Whether a POST updates a user who is there.
fn updates_by_create(change: &Change<'_>) -> bool {
    change.kind == Kind::User && change.method == Method::POST && change.before.is_some()
}

fn is_inactive(user: &Record) -> bool {
    user.attributes.get("active") == Some(&Value::Bool(false))
}

fn keep_active(change: &mut Change<'_>, active: bool) {
    if let (Kind::User, Some(after)) = (change.kind, change.after.as_mut().and_then(Value::as_object_mut))
        && after.contains_key("active")
    {
        after.insert("active".to_owned(), active.into());
    }
}

fn set_extension(change: &mut Change<'_>, urn: &str, set: impl FnOnce(&mut Map<String, Value>)) {
    let after = change.after.as_mut().and_then(Value::as_object_mut);
    if let Some(after) = after
        && let Some(extension) = after.get_mut(urn).and_then(Value::as_object_mut)
    {
        set(extension);
        if extension.is_empty() {
            after.shift_remove(urn);
        }
    }
}

fn user_of_name(store: &Store, sent: &Map<String, Value>) -> Option<String> {
    let name = sent.get("userName").and_then(Value::as_str)?;
    store.users_named(name).next().map(|user| user.id.clone())
}

fn user_of_exact_address(store: &Store, sent: &Map<String, Value>) -> Option<String> {
    let id = user_of_address(store, sent)?;
    let known = store.get(&id).and_then(|user| address_of(&user.attributes));
    (known == address_of(sent)).then_some(id)
}
