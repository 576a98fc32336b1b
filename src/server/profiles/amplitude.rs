//! Amplitude's SCIM server, as its API reference and its help centre describe it.
//!
//! Where the documents speak, the double does what they say; where they are silent, it does what RFC 7644 says; where
//! they contradict each other, or would have it harm a client, the choice stands here:
//!
//! - **Ids** (AMP-12, AMP-13): the e-mail address, in the spelling in which the user was created. `id`, `userName` and
//!   the one address are the same; the list of addresses follows `userName`, whatever a create says of it.
//! - **An id on create** (AMP-15): "`id` and `userName` must be valid emails". One that is there has to be an address,
//!   and the same as `userName`; one that is not there is not missed, or Okta could create nobody.
//! - **"The original request body"** (AMP-14, AMP-20) is the answer to POST and PUT of a user, with two exceptions: the
//!   `id` is added where the client left it out, since nobody could find the user otherwise, and a password is left
//!   out, since it is returned to nobody (RFC 7643 §7). To PATCH it would be a PatchOp, which is no user: the answer is
//!   the user (AMP-21), as in the document's example and in RFC 7644 §3.5.2.
//! - **Page size** (AMP-08): the documents know `itemsPerPage` only, so `count` is ignored as any other parameter that
//!   they do not name. In the answer (AMP-09) it is the size of the page that was asked for, as in the example, where
//!   it is 100 over one resource; RFC 7644 would have the number of resources there.
//! - **Ids of groups** (AMP-24 to AMP-26): a JSON integer in lists and in the answer to a create, a string in a single
//!   read and in the answer to PATCH and PUT, as in the examples.
//! - **Placeholders** (AMP-28, AMP-31): a pending user without a name is stored and shown with `NO_GIVEN_NAME` and
//!   `NO_FAMILY_NAME`, as the help centre says; a name that the create gives is kept. As a member of a group such a
//!   user is called so too, but for the answer to the create of the group, whose example says `undefined undefined`.
//! - **Removal** (AMP-22, AMP-41): a user made inactive is shown so in the answer to that write, and is gone then: 404,
//!   out of every list and group, to be created anew. `active` false on create makes no sense of it, and is ignored.
//! - **The e-mail address** cannot be changed (AMP-19): 400 mutability, as RFC 7644 §3.5.1 has it. Another spelling of
//!   the same address is no change.
//! - **A duplicate** (AMP-16, AMP-37): 409 uniqueness, pending or joined, in any spelling (RFC 7644 §3.3).
//! - **Other attributes** of users (AMP-32) are ignored, in PATCH too.
//! - **Discovery** (AMP-35), `/Bulk`, `/Me` and `/.search` are 404: the guide calls its list the routes that are
//!   supported, and they are not on it. PUT of a group (AMP-29) is not described either, but belongs to a route that is:
//!   it works as the RFC says.
//! - **`meta`** (AMP-34): of users the resource type alone; of groups the times too, with an offset. No versions; the
//!   `Location` of a create is the RFC's.
//! - **429** (AMP-05): the documents give the limit and no status. It is 429 with a SCIM error and `Retry-After` in
//!   whole seconds, counted in windows of a minute that begin with the first request.
//! - **Signing up** (AMP-18) asks for a name, says the help centre: whoever joins without one has, from then on, the
//!   two parts of the address for it.

mod faults;

use std::num::NonZeroU32;

use axum::http::header::{CONTENT_LOCATION, ETAG};
use axum::http::{Method, StatusCode};
use serde_json::{Map, Value, json};

use super::super::behaviour::{Behaviour, UserIds};
use super::super::endpoint::{Endpoint, Kind};
use super::super::fault::{Change, ParsedFilter, PatchOperations, Seen};
use super::super::message::{Answer, Request};
use super::super::profile::ProfileEntry;
use super::super::rate::RateLimit;
use super::super::read::mentions;
use super::super::rewrite::{body_of, each_meta, each_resource, each_time, object};
use super::super::store::Store;
use super::super::write::is_email;
use super::Rewrite;
use crate::scim::error::ScimError;
use crate::scim::filter::Filter;
use crate::scim::names;
use crate::scim::resource::{elements, is_unassigned, member, member_name};
use crate::scim::schema::SchemaSet;
use crate::scim::text::fold_case;

pub(super) const PROFILE: ProfileEntry = ProfileEntry {
    name: "amplitude",
    title: "Amplitude's SCIM API, by its API reference and its help centre",
    faults: faults::FAULTS,
    is_controlled: true,
    settle,
    rewrites: &[
        Rewrite::Request(read_page_size),
        Rewrite::Filter(refuse_times),
        Rewrite::Operations(leave_out_groups),
        Rewrite::Change(keep_what_is_supported),
        Rewrite::Change(number_groups),
        Rewrite::Answer(show),
    ],
};

/// The size of a page where the client does not say, and the largest one (AMP-08).
const PAGE: usize = 100;

/// How many requests an organisation has in a minute (AMP-05).
const REQUESTS: NonZeroU32 = NonZeroU32::new(100).unwrap();

/// What pending users are called who have not said (AMP-31).
const NO_GIVEN_NAME: &str = "NO_GIVEN_NAME";
const NO_FAMILY_NAME: &str = "NO_FAMILY_NAME";

/// The first id of a group: those of the documents have three digits.
const FIRST_GROUP: u64 = 632;

fn settle(behaviour: &mut Behaviour) {
    behaviour.base_path = "/scim/1";
    behaviour.is_whole = false;
    behaviour.max_results = PAGE;
    behaviour.rate_limit = behaviour.rate_limit.or(Some(RateLimit::a_minute(REQUESTS)));
    behaviour.demands.email_user_name = true;
    behaviour.user_ids = UserIds::UserNames;
    behaviour.invite = Some(invited);
    behaviour.accept = Some(sign_up);
    behaviour.inactive_leave = true;
    behaviour.seeded = Some(adopt);
    behaviour.patch.ignore_unknown = true;
    behaviour.schemas.push(keep_supported_attributes);
}

/// Leaves the attributes of the documents' table (AMP-32). The enterprise extension stays known, without attributes:
/// who declares it is not refused.
fn keep_supported_attributes(set: &mut SchemaSet) {
    for schema in &mut set.schemas {
        if schema.id == names::ENTERPRISE_USER {
            schema.attributes.clear();
        } else if schema.id == names::USER {
            schema.attributes.retain(|attribute| {
                ["userName", "name", "emails", "active", "groups"].contains(&attribute.name.as_str())
            });
            for attribute in &mut schema.attributes {
                let supported: &[&str] = match attribute.name.as_str() {
                    "name" => &["givenName", "familyName"],
                    "emails" => &["value", "primary"],
                    _ => continue,
                };
                attribute.sub_attributes.retain(|sub| supported.contains(&sub.name.as_str()));
            }
        }
    }
}

/// Turns the documents' parameter into the RFC's, and leaves out what the documents do not have (AMP-08).
fn read_page_size(request: &mut Request) {
    request.query.retain(|(name, _)| name != "count" && name != "cursor");
    for (name, _) in &mut request.query {
        if name == "itemsPerPage" {
            "count".clone_into(name);
        }
    }
}

/// Users are shown without times, so that nobody can look for them by these (AMP-10, AMP-34).
fn refuse_times(filter: &mut ParsedFilter<'_>) {
    let is_about_meta = |parsed: &Filter| mentions(parsed, "meta");
    if filter.definition.schema.id == names::USER
        && filter.parsed.as_ref().is_ok_and(|parsed| parsed.as_ref().is_some_and(is_about_meta))
    {
        filter.parsed = Err(ScimError::invalid_filter("meta of a user has nothing to filter by"));
    }
}

/// `groups` is ignored on the routes of users (AMP-17); by the RFC it is read-only, and a PATCH of it refused.
fn leave_out_groups(operations: &mut PatchOperations<'_>) {
    if operations.definition.schema.id == names::USER {
        operations.list.retain(|operation| {
            let path = operation.path.as_ref().map(|path| path.attribute.name.as_str());
            !path.is_some_and(|name| name.eq_ignore_ascii_case("groups"))
        });
    }
}

/// What becomes of a user that is created or changed: the attributes that there are, each as the documents have it, or
/// the reason why not.
fn keep_what_is_supported(change: &mut Change<'_>) {
    if change.kind != Kind::User {
        return;
    }
    let Some(Value::Object(after)) = &change.after else { return };
    match supported(change, after) {
        Ok(user) => {
            if change.before.is_none() {
                change.id = text(&user, "userName").to_owned();
            }
            change.after = Some(Value::Object(user));
        }
        Err(refusal) => {
            change.after = None;
            change.refusal = Some(refusal);
        }
    }
}

fn supported(change: &Change<'_>, after: &Map<String, Value>) -> Result<Map<String, Value>, ScimError> {
    let address = match change.before {
        None => {
            let address = text(after, "userName");
            check_id(change.sent, address)?;
            address
        }
        Some(before) => {
            let address = before.get("userName").and_then(Value::as_str).unwrap_or_default();
            check_same_address(change, after, address)?;
            address
        }
    };
    let active = match change.before {
        None => true,
        Some(_) => after.get("active").and_then(Value::as_bool).unwrap_or(true),
    };
    let name = after.get("name").and_then(Value::as_object);
    Ok(user(address, name, active))
}

/// A user as the store keeps it, in the order of the documents' examples.
fn user(address: &str, name: Option<&Map<String, Value>>, active: bool) -> Map<String, Value> {
    let part = |part: &str, placeholder: &str| {
        let given = name.and_then(|name| name.get(part)).and_then(Value::as_str);
        Value::from(given.filter(|given| !given.is_empty()).unwrap_or(placeholder))
    };
    Map::from_iter([
        ("schemas".to_owned(), json!([names::USER])),
        ("userName".to_owned(), address.into()),
        (
            "name".to_owned(),
            json!({
                "givenName": part("givenName", NO_GIVEN_NAME),
                "familyName": part("familyName", NO_FAMILY_NAME),
            }),
        ),
        ("active".to_owned(), active.into()),
        ("emails".to_owned(), json!([{ "value": address, "primary": true }])),
    ])
}

/// The id that a create says, if it says one, is the address (AMP-15).
fn check_id(sent: &Value, address: &str) -> Result<(), ScimError> {
    let sent = sent.as_object().and_then(|sent| member(sent, "id")).filter(|id| !is_unassigned(id));
    match sent {
        None => Ok(()),
        Some(Value::String(id)) if is_email(id) && is_same(id, address) => Ok(()),
        Some(Value::String(id)) if is_email(id) => {
            Err(ScimError::invalid_value("id: has to be the same e-mail address as userName"))
        }
        Some(_) => Err(ScimError::invalid_value("id: has to be an e-mail address")),
    }
}

/// Neither the user name nor the address that counts is another one (AMP-19); a PUT may repeat the id.
fn check_same_address(
    change: &Change<'_>,
    after: &Map<String, Value>,
    address: &str,
) -> Result<(), ScimError> {
    let sent_id = change.sent.as_object().filter(|_| change.method == Method::PUT);
    let sent_id = sent_id.and_then(|sent| member(sent, "id")).and_then(Value::as_str);
    let others = [
        ("id", sent_id.filter(|id| !id.is_empty())),
        ("userName", Some(text(after, "userName"))),
        ("emails", counting(after.get("emails"))),
    ];
    for (attribute, value) in others {
        if value.is_some_and(|value| !is_same(value, address)) {
            return Err(ScimError::mutability(format!("{attribute}: the e-mail address cannot be changed")));
        }
    }
    Ok(())
}

/// The address that counts: the primary one, else the only one.
fn counting(emails: Option<&Value>) -> Option<&str> {
    let emails = emails.map(elements).unwrap_or_default();
    let primary = emails.iter().find(|email| email.get("primary") == Some(&Value::Bool(true)));
    let only = emails.first().filter(|_| emails.len() == 1);
    primary.or(only)?.get("value")?.as_str()
}

fn is_same(left: &str, right: &str) -> bool {
    fold_case(left) == fold_case(right)
}

fn text<'a>(object: &'a Map<String, Value>, name: &str) -> &'a str {
    object.get(name).and_then(Value::as_str).unwrap_or_default()
}

/// Groups are numbered (AMP-24).
fn number_groups(change: &mut Change<'_>) {
    if change.kind == Kind::Group && change.before.is_none() {
        change.id = (FIRST_GROUP + change.store.next_place()).to_string();
    }
}

/// A member of a group who was not invited before (AMP-27).
fn invited(address: &str) -> Map<String, Value> {
    user(address, None, true)
}

/// Whoever signs up says a name.
fn sign_up(attributes: &mut Map<String, Value>) {
    let address = text(attributes, "userName").to_owned();
    let (local, domain) = address.split_once('@').unwrap_or((&address, "Joined"));
    let Some(name) = attributes.get_mut("name").and_then(Value::as_object_mut) else { return };
    for (part, placeholder, said) in
        [("givenName", NO_GIVEN_NAME, local), ("familyName", NO_FAMILY_NAME, domain)]
    {
        if text(name, part) == placeholder {
            name.insert(part.to_owned(), said.into());
        }
    }
}

/// The people who are there from the beginning: they have joined.
fn adopt(directory: &Store, store: &mut Store) {
    let mut ids = std::collections::HashMap::new();
    for person in directory.all().filter(|record| record.kind == Kind::User) {
        let address = person.text("userName").unwrap_or_default();
        let name = person.attributes.get("name").and_then(Value::as_object);
        store.insert(address.to_owned(), Kind::User, user(address, name, true), None);
        store.join(address);
        ids.insert(person.id.clone(), address.to_owned());
    }
    for group in directory.all().filter(|record| record.kind == Kind::Group) {
        let members: Vec<Value> =
            group.member_ids().filter_map(|id| ids.get(id)).map(|id| json!({ "value": id })).collect();
        let id = (FIRST_GROUP + store.next_place()).to_string();
        let mut attributes = group.attributes.clone();
        attributes.insert("members".to_owned(), members.into());
        ids.insert(group.id.clone(), id.clone());
        store.insert(id, Kind::Group, attributes, None);
    }
}

/// Shapes an answer as the documents' examples are.
fn show(seen: &mut Seen<'_>, answer: &mut Answer) {
    for version in [ETAG, CONTENT_LOCATION] {
        answer.headers.remove(version);
    }
    if !answer.status.is_success() {
        return;
    }
    match seen.endpoint.kind() {
        Some(Kind::User) => show_users(seen, answer),
        Some(Kind::Group) => show_groups(seen, answer),
        _ => {}
    }
    if let (Endpoint::Resources(_), Some(body)) = (seen.endpoint, object(answer))
        && body.contains_key("itemsPerPage")
    {
        let asked = seen.request.parameter("count").and_then(|count| count.parse().ok());
        body.insert("itemsPerPage".to_owned(), asked.unwrap_or(PAGE).min(PAGE).into());
    }
}

fn show_users(seen: &Seen<'_>, answer: &mut Answer) {
    each_meta(seen, answer, |meta| meta.retain(|name, _| name == "resourceType"));
    each_resource(seen, answer, |user| {
        let groups = user.get_mut("groups").and_then(Value::as_array_mut);
        for group in groups.into_iter().flatten().filter_map(Value::as_object_mut) {
            group.retain(|name, _| name == "value" || name == "display");
        }
    });
    let is_projected =
        ["attributes", "excludedAttributes"].iter().any(|it| seen.request.parameter(it).is_some());
    let Some(body) = object(answer) else { return };
    if matches!(seen.endpoint, Endpoint::Resource(..)) && !is_projected && !body.contains_key("groups") {
        // Before `meta`, where the example has it.
        let place = body.len().saturating_sub(1);
        body.shift_insert(place, "groups".to_owned(), json!([]));
    }
    if seen.request.method == Method::POST || seen.request.method == Method::PUT {
        echo(seen.request, body);
    }
}

/// The original request body takes the place of the user (AMP-14, AMP-20).
fn echo(request: &Request, body: &mut Map<String, Value>) {
    let Some(Value::Object(mut original)) = body_of(request) else { return };
    if let Some(password) = member_name(&original, "password").map(str::to_owned) {
        original.shift_remove(&password);
    }
    if member(&original, "id").is_none_or(is_unassigned) {
        if let Some(empty) = member_name(&original, "id").map(str::to_owned) {
            original.shift_remove(&empty);
        }
        let id = body.get("id").cloned().unwrap_or_default();
        original.shift_insert(original.len().min(1), "id".to_owned(), id);
    }
    *body = original;
}

fn show_groups(seen: &Seen<'_>, answer: &mut Answer) {
    let is_create = seen.request.method == Method::POST;
    if is_create {
        // AMP-26.
        answer.status = StatusCode::OK;
    }
    each_time(seen, answer, |time| time.replace('Z', "+00:00").into());
    each_meta(seen, answer, |meta| {
        meta.retain(|name, _| ["resourceType", "created", "lastModified"].contains(&name.as_str()));
    });
    let is_numeric = matches!(seen.endpoint, Endpoint::Resources(_));
    each_resource(seen, answer, |group| {
        let id = group.get("id").and_then(Value::as_str).and_then(|id| id.parse::<u64>().ok());
        if let (true, Some(id)) = (is_numeric, id) {
            group.insert("id".to_owned(), id.into());
        }
        let members = group.get_mut("members").and_then(Value::as_array_mut);
        for element in members.into_iter().flatten().filter_map(Value::as_object_mut) {
            let display = element.get("value").and_then(Value::as_str).and_then(|id| display(seen.store, id));
            let display = match display {
                Some(display) if is_create && is_placeholder(&display) => {
                    Some("undefined undefined".to_owned())
                }
                display => display,
            };
            element.retain(|name, _| name == "value" || name == "display");
            if let (Some(display), true) = (display, element.contains_key("display")) {
                element.insert("display".to_owned(), display.into());
            }
        }
    });
}

fn is_placeholder(display: &str) -> bool {
    display == format!("{NO_GIVEN_NAME} {NO_FAMILY_NAME}")
}

/// The display name of a user: the given name, then the family name (AMP-32).
fn display(store: &Store, id: &str) -> Option<String> {
    let user = store.get(id).filter(|record| record.kind == Kind::User)?;
    let name = user.attributes.get("name")?.as_object()?;
    Some(format!("{} {}", text(name, "givenName"), text(name, "familyName")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn object(value: Value) -> Map<String, Value> {
        value.as_object().cloned().unwrap()
    }

    #[test]
    fn an_id_is_the_address_or_is_not_there() {
        for (sent, is_taken) in [
            (json!({}), true),
            (json!({ "id": null }), true),
            (json!({ "ID": "Ann@example.com" }), true),
            (json!({ "id": "bob@example.com" }), false),
            (json!({ "id": "ann" }), false),
            (json!({ "id": 7 }), false),
        ] {
            assert_eq!(check_id(&sent, "ann@example.com").is_ok(), is_taken, "{sent}");
        }
    }

    #[test]
    fn the_primary_address_counts_or_the_only_one() {
        let emails = |value: Value| counting(Some(&value)).map(str::to_owned);
        assert_eq!(emails(json!([{ "value": "a@b.c" }])).as_deref(), Some("a@b.c"));
        let two = json!([{ "value": "a@b.c" }, { "value": "d@e.f", "primary": true }]);
        assert_eq!(emails(two).as_deref(), Some("d@e.f"));
        assert_eq!(emails(json!([{ "value": "a@b.c" }, { "value": "d@e.f" }])), None);
        assert_eq!(counting(None), None);
    }

    #[test]
    fn whoever_signs_up_gets_the_names_that_are_missing() {
        let given = object(json!({ "givenName": "Ann" }));
        let mut attributes = user("ann@example.com", Some(&given), true);
        assert_eq!(attributes["name"], json!({ "givenName": "Ann", "familyName": NO_FAMILY_NAME }));
        sign_up(&mut attributes);
        assert_eq!(attributes["name"], json!({ "givenName": "Ann", "familyName": "example.com" }));
    }
}
