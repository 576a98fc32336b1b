//! POST, PUT, PATCH and DELETE of one resource (RFC 7644 §3.3, §3.5, §3.6), and the rules that need the store:
//! unique names, members that exist. Each write is judged whole before anything is stored.

use std::borrow::Cow;

use axum::http::StatusCode;
use axum::http::header::{CONTENT_LOCATION, ETAG, LOCATION};
use indexmap::IndexSet;
use percent_encoding::percent_decode_str;
use serde_json::{Map, Value};
use uuid::Uuid;

use super::behaviour::{Behaviour, UnknownMembers, UserIds};
use super::endpoint::Kind;
use super::fault::{Change, Conflicts, PatchOperations};
use super::message::Answer;
use super::negotiate::{Precondition, Refusal, precondition, read_object};
use super::normalize::{declares, normalize};
use super::query::projection_of;
use super::read::{find, precondition_failed};
use super::represent::Representer;
use super::retain::retain;
use super::service::{Call, Service, State};
use super::store::{Record, Store};
use crate::scim::error::ScimError;
use crate::scim::names;
use crate::scim::patch::{PatchOperation, PatchRequest, apply};
use crate::scim::project::Projection;
use crate::scim::resource::member_name;
use crate::scim::text::fold_case;
use crate::scim::validate::ValidationPurpose;

/// A resource that a write is to change.
struct Target {
    record: Record,
    /// How it looks before the write, with the digest in the place of the password.
    before: Value,
}

/// A write that passed, ready for the store.
struct Draft {
    attributes: Map<String, Value>,
    password: Option<String>,
}

impl Service {
    /// POST to a collection.
    pub(crate) fn create(&self, state: &mut State, call: &Call, kind: Kind) -> Result<Answer, Refusal> {
        let sent = read_object(&call.request)?;
        let projection = projection_of(&call.request)?;
        let known = self.behaviour.known_as.filter(|_| kind == Kind::User);
        if let Some(id) = known.and_then(|known| known(&state.store, &sent)) {
            return self.update_known(state, call, &id, sent, &projection);
        }
        let (after, refusal) =
            outcome(self.judge(state, call, kind, None, &sent, ValidationPurpose::CreateRequest));
        let State { store, memory, .. } = state;
        let mut change = Change {
            method: &call.request.method,
            kind,
            definition: self.definition(kind),
            sent: &Value::Object(sent),
            operations: &[],
            before: None,
            after,
            refusal,
            id: Uuid::new_v4().to_string(),
            touch: false,
            store,
            memory,
        };
        self.faults.change(&mut change);
        let Change { after, refusal, id, .. } = change;
        if let Some(after) = after {
            let draft = draft(store, None, kind, after);
            store.insert(id.clone(), kind, draft.attributes, draft.password);
            self.invite_members(store, &id);
        }
        if let Some(refusal) = refusal {
            return Err(refusal.into());
        }
        self.show(store, call, StatusCode::CREATED, kind, &id, &projection)
    }

    /// POST of a user who is there already, on a server that updates one then: what is sent takes the place of what
    /// was there, and what is not sent stays.
    fn update_known(
        &self,
        state: &mut State,
        call: &Call,
        id: &str,
        sent: Map<String, Value>,
        projection: &Projection,
    ) -> Result<Answer, Refusal> {
        let target = self.unmodified(&state.store, call, Kind::User, id)?;
        let mut whole = target.record.attributes.clone();
        for (name, value) in &sent {
            let name = member_name(&whole, name).unwrap_or(name).to_owned();
            match (whole.get_mut(&name), value) {
                (Some(Value::Object(extension)), Value::Object(sent)) if name.starts_with("urn:") => {
                    for (name, value) in sent {
                        let name = member_name(extension, name).unwrap_or(name).to_owned();
                        extension.insert(name, value.clone());
                    }
                }
                _ => {
                    whole.insert(name, value.clone());
                }
            }
        }
        let purpose = ValidationPurpose::ReplaceRequest;
        let result = self.judge(state, call, Kind::User, Some(&target.record), &whole, purpose);
        self.commit(state, call, &target, &Value::Object(sent), &[], result)?;
        self.show(&state.store, call, StatusCode::OK, Kind::User, id, projection)
    }

    /// PUT to a resource.
    pub(crate) fn replace(
        &self,
        state: &mut State,
        call: &Call,
        kind: Kind,
        id: &str,
    ) -> Result<Answer, Refusal> {
        let target = self.unmodified(&state.store, call, kind, id)?;
        let record = &target.record;
        let sent = read_object(&call.request)?;
        let projection = projection_of(&call.request)?;
        let result = retain(&sent, &record.attributes, self.definition(kind)).and_then(|whole| {
            self.judge(state, call, kind, Some(record), &whole, ValidationPurpose::ReplaceRequest)
        });
        let result = result.map(|mut kept| {
            // A write-only attribute that the client leaves out is not asserted: it never saw it.
            if let (false, Some(digest)) = (kept.contains_key("password"), &record.password) {
                kept.insert("password".to_owned(), digest.as_str().into());
            }
            kept
        });
        self.commit(state, call, &target, &Value::Object(sent), &[], result)?;
        let answer = self.show(&state.store, call, StatusCode::OK, kind, id, &projection);
        self.let_inactive_leave(&mut state.store, id);
        answer
    }

    /// PATCH of a resource.
    pub(crate) fn patch(
        &self,
        state: &mut State,
        call: &Call,
        kind: Kind,
        id: &str,
    ) -> Result<Answer, Refusal> {
        let target = self.unmodified(&state.store, call, kind, id)?;
        let Target { record, before } = &target;
        let sent = Value::Object(read_object(&call.request)?);
        let projection = projection_of(&call.request)?;
        let list = PatchRequest::parse(&sent, self.behaviour.patch)?;
        let definition = self.definition(kind);
        let mut operations = PatchOperations { list, definition, id, before, memory: &mut state.memory };
        self.faults.operations(&mut operations);
        let operations = operations.list;
        let result = apply(&operations, before, definition, self.behaviour.patch).and_then(|after| {
            let Value::Object(mut after) = after else {
                return Err(ScimError::invalid_value("the resource would no longer be an object"));
            };
            drop_undeclared(before, &mut after);
            drop_derived_reference(record, before, &mut after);
            self.judge(state, call, kind, Some(record), &after, ValidationPurpose::ReplaceRequest)
        });
        self.commit(state, call, &target, &sent, &operations, result)?;
        let answer = self.show(&state.store, call, StatusCode::OK, kind, id, &projection);
        self.let_inactive_leave(&mut state.store, id);
        answer
    }

    /// DELETE of a resource.
    pub(crate) fn delete(
        &self,
        state: &mut State,
        call: &Call,
        kind: Kind,
        id: &str,
    ) -> Result<Answer, Refusal> {
        let Target { record, before } = self.unmodified(&state.store, call, kind, id)?;
        let State { store, memory, .. } = state;
        let mut change = Change {
            method: &call.request.method,
            kind,
            definition: self.definition(kind),
            sent: &Value::Null,
            operations: &[],
            before: Some(&before),
            after: None,
            refusal: None,
            id: id.to_owned(),
            touch: false,
            store,
            memory,
        };
        self.faults.change(&mut change);
        match change.after {
            None => store.remove(id),
            Some(after) => {
                let draft = draft(store, Some(&record), kind, after);
                store.update(id, draft.attributes, draft.password, true);
            }
        }
        Ok(Answer::empty(StatusCode::NO_CONTENT))
    }

    /// The resource that a write is to change, if it exists and its preconditions hold.
    fn unmodified(&self, store: &Store, call: &Call, kind: Kind, id: &str) -> Result<Target, Refusal> {
        let record = find(store, kind, id)?;
        let representer = Representer { store, base: &call.base };
        let version = representer.version(record);
        if precondition(&call.request, &version) != Precondition::Proceed {
            return Err(precondition_failed());
        }
        let mut before = representer.resource_in(record, version);
        if let (Some(digest), Some(object)) = (&record.password, before.as_object_mut()) {
            object.insert("password".to_owned(), digest.as_str().into());
        }
        Ok(Target { record: record.clone(), before })
    }

    /// What a resource that a client sent, or a PATCH made, is to be kept as; or why it is refused.
    fn judge(
        &self,
        state: &State,
        call: &Call,
        kind: Kind,
        record: Option<&Record>,
        sent: &Map<String, Value>,
        purpose: ValidationPurpose,
    ) -> Result<Map<String, Value>, ScimError> {
        let mut kept = normalize(sent, self.definition(kind), purpose)?;
        match kind {
            Kind::User => self.judge_user(state, call, record, &kept)?,
            Kind::Group => {
                judge_members(&state.store, record, &mut kept, &self.behaviour)?;
            }
            Kind::Custom(_) => {}
        }
        let own = record.map(|record| record.id.as_str());
        match state.store.conflict(kind, &kept, own) {
            None => Ok(kept),
            Some(attribute) => Err(ScimError::uniqueness(format!("{attribute}: the value is in use"))),
        }
    }

    fn judge_user(
        &self,
        state: &State,
        call: &Call,
        record: Option<&Record>,
        kept: &Map<String, Value>,
    ) -> Result<(), ScimError> {
        let user_name = kept.get("userName").and_then(Value::as_str).unwrap_or_default();
        if user_name.trim().is_empty() {
            return Err(ScimError::invalid_value("userName: must not be empty (RFC 7643 section 4.1.1)"));
        }
        if self.behaviour.demands.email_user_name && !is_email(user_name) {
            return Err(ScimError::invalid_value("userName: this server takes e-mail addresses only"));
        }
        let State { store, memory, .. } = state;
        let others = store.users_named(user_name).map(|other| other.id.clone());
        let ids = others.filter(|id| record.is_none_or(|record| record.id != *id)).collect();
        let mut conflicts = Conflicts { method: &call.request.method, user_name, store, ids, memory };
        self.faults.conflicts(&mut conflicts);
        if conflicts.ids.is_empty() {
            Ok(())
        } else {
            Err(ScimError::uniqueness(format!("userName: {user_name:?} is in use")))
        }
    }

    /// Stores a change of a resource that exists, unless it is refused.
    fn commit(
        &self,
        state: &mut State,
        call: &Call,
        target: &Target,
        sent: &Value,
        operations: &[PatchOperation],
        result: Result<Map<String, Value>, ScimError>,
    ) -> Result<(), Refusal> {
        let Target { record, before } = target;
        let State { store, memory, .. } = state;
        let (after, refusal) = outcome(result);
        let mut change = Change {
            method: &call.request.method,
            kind: record.kind,
            definition: self.definition(record.kind),
            sent,
            operations,
            before: Some(before),
            after,
            refusal,
            id: record.id.clone(),
            touch: false,
            store,
            memory,
        };
        self.faults.change(&mut change);
        let Change { after, refusal, touch, .. } = change;
        if let Some(after) = after {
            let draft = draft(store, Some(record), record.kind, after);
            let touch = touch || draft.attributes != record.attributes || draft.password != record.password;
            store.update(&record.id, draft.attributes, draft.password, touch);
            self.invite_members(store, &record.id);
        }
        match refusal {
            Some(refusal) => Err(refusal.into()),
            None => Ok(()),
        }
    }

    /// Makes users of the members of a group who are none yet, on a server that invites them.
    fn invite_members(&self, store: &mut Store, group: &str) {
        let Some(invite) = self.behaviour.invite else { return };
        let members = store.get(group).into_iter().flat_map(Record::member_ids);
        let unknown: Vec<String> = members.filter(|id| store.get(id).is_none()).map(str::to_owned).collect();
        for address in unknown {
            let user = invite(&address);
            store.insert(address, Kind::User, user, None);
        }
    }

    /// Removes a user who is not active any more, on a server that keeps none.
    fn let_inactive_leave(&self, store: &mut Store, id: &str) {
        let is_inactive = |record: &Record| {
            record.kind == Kind::User && record.attributes.get("active") == Some(&Value::Bool(false))
        };
        if self.behaviour.inactive_leave && store.get(id).is_some_and(is_inactive) {
            store.remove(id);
        }
    }

    /// The answer that shows a resource as it is now.
    fn show(
        &self,
        store: &Store,
        call: &Call,
        status: StatusCode,
        kind: Kind,
        id: &str,
        projection: &Projection,
    ) -> Result<Answer, Refusal> {
        let record = find(store, kind, id)?;
        let representer = Representer { store, base: &call.base };
        let version = representer.version(record);
        let resource = representer.resource_in(record, version.clone());
        let location = representer.location(record);
        Ok(Answer::json(status, projection.apply(&resource, self.definition(kind)))
            .with_header(ETAG, &version)
            .with_header(LOCATION, &location)
            .with_header(CONTENT_LOCATION, &location))
    }
}

fn outcome(result: Result<Map<String, Value>, ScimError>) -> (Option<Value>, Option<ScimError>) {
    match result {
        Ok(kept) => (Some(Value::Object(kept)), None),
        Err(error) => (None, Some(error)),
    }
}

/// Reduces a resource to what the store keeps: members to their ids, the password to its digest, nothing that the
/// server derives.
fn draft(store: &Store, record: Option<&Record>, kind: Kind, after: Value) -> Draft {
    let Value::Object(mut attributes) = after else {
        return Draft { attributes: Map::new(), password: None };
    };
    for derived in ["id", "meta", "groups"] {
        attributes.shift_remove(derived);
    }
    let known = record.and_then(|record| record.password.as_deref());
    let password = attributes.shift_remove("password").and_then(|value| match value {
        Value::String(text) if Some(text.as_str()) == known => Some(text),
        Value::String(text) => Some(store.password_digest(&text)),
        _ => None,
    });
    if let (Kind::Group, Some(Value::Array(members))) = (kind, attributes.get_mut("members")) {
        for member in members {
            if let Value::Object(member) = member {
                member.retain(|name, _| name == "value");
            }
        }
    }
    Draft { attributes, password }
}

/// Checks that each member exists, where that is asked for, and is there once. A member may be given by its `$ref` alone.
fn judge_members(
    store: &Store,
    record: Option<&Record>,
    kept: &mut Map<String, Value>,
    behaviour: &Behaviour,
) -> Result<(), ScimError> {
    let Some(Value::Array(members)) = kept.get_mut("members") else { return Ok(()) };
    let mut ids: IndexSet<String> = IndexSet::with_capacity(members.len());
    for member in &*members {
        let reference = member.get("$ref").and_then(Value::as_str);
        let id = match (member.get("value").and_then(Value::as_str), reference) {
            (Some(id), _) => Cow::Borrowed(id),
            (None, Some(reference)) => {
                percent_decode_str(reference.rsplit('/').next().unwrap_or_default()).decode_utf8_lossy()
            }
            (None, None) => return Err(ScimError::invalid_value("members: an element has no value")),
        };
        let id = behaviour.user_ids.spelling(store, &id).map_or(id.clone(), Cow::Borrowed);
        let is_invited = behaviour.invite.is_some() && is_email(&id);
        if !is_invited && store.get(&id).is_none_or(|record| !record.kind.is_core()) {
            match behaviour.unknown_members {
                UnknownMembers::Taken => {}
                UnknownMembers::Dropped => continue,
                UnknownMembers::Refused => {
                    let detail = format!("members: there is no User or Group {id:?}");
                    return Err(ScimError::invalid_value(detail));
                }
            }
        }
        if record.is_some_and(|group| group.id == id) {
            return Err(ScimError::invalid_value("members: a group cannot be a member of itself"));
        }
        if behaviour.user_ids == UserIds::UserNames
            && ids.iter().any(|known| fold_case(known) == fold_case(&id))
        {
            continue;
        }
        ids.insert(id.into_owned());
    }
    *members = ids.into_iter().map(|id| serde_json::json!({ "value": id })).collect();
    Ok(())
}

/// Takes out each extension whose URI a PATCH took out of `schemas`.
fn drop_undeclared(before: &Value, after: &mut Map<String, Value>) {
    let Some(before) = before.as_object() else { return };
    let gone: Vec<String> = before
        .keys()
        .filter(|name| name.starts_with("urn:") && declares(before, name) && !declares(after, name))
        .cloned()
        .collect();
    for urn in gone {
        after.shift_remove(&urn);
    }
}

/// Takes out the manager's `$ref` where a PATCH left it as it was shown, though it named another manager, or nobody ever
/// wrote one: what only the server says is no change.
fn drop_derived_reference(record: &Record, before: &Value, after: &mut Map<String, Value>) {
    let manager = |extension: Option<&Value>| extension.and_then(|it| it.get("manager")).cloned();
    let stored = manager(record.attributes.get(names::ENTERPRISE_USER));
    let is_derived = stored.is_none_or(|manager| manager.get("$ref").is_none());
    let old = manager(before.get(names::ENTERPRISE_USER));
    let new = after
        .get_mut(names::ENTERPRISE_USER)
        .and_then(|extension| extension.get_mut("manager"))
        .and_then(Value::as_object_mut);
    if let (Some(old), Some(new)) = (old, new)
        && (is_derived || old.get("value") != new.get("value"))
        && old.get("$ref") == new.get("$ref")
    {
        new.shift_remove("$ref");
    }
}

/// Whether a text is an e-mail address, as far as a picky server looks: one `@` between two parts, a domain with a
/// dot, no blank.
pub(crate) fn is_email(text: &str) -> bool {
    match text.split_once('@') {
        Some((local, domain)) => {
            !local.is_empty()
                && domain.contains('.')
                && !domain.contains('@')
                && domain.split('.').all(|label| !label.is_empty())
                && !text.contains(char::is_whitespace)
        }
        None => false,
    }
}
