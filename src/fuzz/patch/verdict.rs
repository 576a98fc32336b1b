//! What the answer to a PATCH comes to, together with the resource before and after. A finding needs every reading of the
//! operations against it; what the RFC leaves open, or lets a service provider decline, is said here, operation by
//! operation.

use serde_json::Value;

use super::play::{Answer, Played};
use super::standing::standing;
use crate::fuzz::cause::Harm;
use crate::fuzz::strategy::patch_slip::{Ignored, Slip};
use crate::oracle::patched::{Effect, effect};
use crate::oracle::written::{Departure, Grade, Write, departures};
use crate::outcome::Severity;
use crate::scim::definition::ResourceDefinition;
use crate::scim::resource::{elements, get, is_unassigned};

/// What a PATCH has to come to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wants {
    /// It is carried out, in one of the readings of its operations; or refused, where that may be.
    Carried,
    /// It is refused, for this mistake.
    Refused(Slip),
}

/// What an answer comes to.
#[derive(Debug, Clone, PartialEq)]
pub enum Verdict {
    /// It is right, or may be.
    Right,
    /// It succeeded, and the resource is not what it has to be.
    Wrong(Vec<Departure>),
    /// The resource is right, and the answer is not.
    Misreported(String),
    /// It is refused, and should not be.
    Refused {
        /// The status.
        status: u16,
        /// The keyword.
        scim_type: Option<String>,
    },
    /// It is refused, and the resource has changed.
    Changed(Vec<Departure>),
    /// It succeeded, and has to be refused; what it changed.
    Served {
        /// The status.
        status: u16,
        /// What it changed.
        changed: Vec<Departure>,
    },
    /// It is refused, and not as it should be.
    Miscalled {
        /// The status.
        status: u16,
        /// The keyword.
        scim_type: Option<String>,
    },
    /// The service provider broke.
    Broken(String),
    /// Nothing can be said.
    Nothing(String),
}

/// A verdict, and how bad it is.
#[derive(Debug, Clone, PartialEq)]
pub struct Judgement {
    /// The verdict.
    pub verdict: Verdict,
    /// How bad it is.
    pub severity: Severity,
}

impl Judgement {
    fn of(verdict: Verdict, severity: Severity) -> Judgement {
        Judgement { verdict, severity }
    }

    fn failure(verdict: Verdict) -> Judgement {
        Judgement::of(verdict, Severity::Failure)
    }

    fn right() -> Judgement {
        Judgement::of(Verdict::Right, Severity::Note)
    }

    fn nothing(why: impl Into<String>) -> Judgement {
        Judgement::of(Verdict::Nothing(why.into()), Severity::Note)
    }

    /// Whether it is a finding.
    pub fn is_bad(&self) -> bool {
        !matches!(self.verdict, Verdict::Right | Verdict::Nothing(_))
    }

    /// What it does.
    pub fn harm(&self) -> Harm {
        match self.verdict {
            Verdict::Wrong(_) | Verdict::Changed(_) | Verdict::Right | Verdict::Nothing(_) => Harm::Wrong,
            Verdict::Misreported(_) => Harm::Contradiction,
            Verdict::Refused { .. } => Harm::Refused,
            Verdict::Served { .. } | Verdict::Miscalled { .. } => Harm::Served,
            Verdict::Broken(_) => Harm::Broken,
        }
    }

    /// What differs, where anything does.
    pub fn departures(&self) -> &[Departure] {
        match &self.verdict {
            Verdict::Wrong(found) | Verdict::Changed(found) => found,
            Verdict::Served { changed, .. } => changed,
            _ => &[],
        }
    }
}

/// Judges what was played.
pub fn judge(played: &Played, wants: Wants, definition: &ResourceDefinition) -> Judgement {
    match &played.answer {
        Answer::Nothing(why) => return Judgement::nothing(why.clone()),
        Answer::Broken(what) => return Judgement::failure(Verdict::Broken(what.clone())),
        Answer::Done { status, .. } if !matches!(status, 200 | 204) => {
            return Judgement::failure(Verdict::Misreported(format!(
                "answered {status}, where 200 or 204 is due"
            )));
        }
        Answer::Done { .. } | Answer::Refused { .. } => {}
    }
    match (wants, &played.answer) {
        (Wants::Carried, Answer::Done { .. }) => carried(played, definition),
        (Wants::Carried, Answer::Refused { status, scim_type, .. }) => {
            declined(played, *status, scim_type.as_deref(), definition)
        }
        (Wants::Refused(slip), Answer::Done { status, .. }) => served(played, slip, *status, definition),
        (Wants::Refused(slip), Answer::Refused { status, scim_type, flaw }) => {
            refused(played, slip, *status, scim_type.as_deref(), flaw.as_deref(), definition)
        }
        _ => Judgement::nothing("it was not answered"),
    }
}

/// How bad the worst of some departures is.
fn severity(found: &[Departure]) -> Option<Severity> {
    let worst = found.iter().map(|it| it.grade).max()?;
    match worst {
        Grade::Failure => Some(Severity::Failure),
        Grade::FailureIfStrict | Grade::Warning => Some(Severity::Warning),
        Grade::Note => None,
    }
}

/// What became of what is no matter of the operations: the id, and when it was made.
fn of_identity(before: &Value, after: &Value) -> Vec<Departure> {
    let mut found = Vec::new();
    for (pointer, path) in
        [("/id", "id"), ("/meta/created", "meta.created"), ("/meta/resourceType", "meta.resourceType")]
    {
        let (was, is) = (before.pointer(pointer), after.pointer(pointer));
        if was.is_some() && was != is {
            found.push(Departure {
                path: path.to_owned(),
                expected: was.cloned(),
                actual: is.cloned(),
                grade: Grade::Failure,
                why: "it stays the same as long as the resource is there",
                requirements: &["RFC7643-3.1-07"],
                dispute: None,
            });
        }
    }
    found
}

/// Whether whoever was not said to be inactive any more is active: what is removed has no value, but that is what a create
/// without one leads to as well.
fn is_back_to_default(departure: &Departure) -> bool {
    departure.path.eq_ignore_ascii_case("active")
        && departure.expected.is_none()
        && departure.actual == Some(Value::Bool(true))
}

/// What became of a displayName that the operations are not about. It may follow a name, and so change along with it; but
/// it cannot follow what is as it was, and be gone (RFC 7644 section 3.5.2: what no operation names stays).
fn of_display_name(
    body: &Value,
    before: &Value,
    after: &Value,
    definition: &ResourceDefinition,
) -> Option<Departure> {
    let is_there = |resource: &Value| get(resource, "displayName").is_some_and(|it| !is_unassigned(it));
    // Where there is no name that it may be computed from, it is judged as any attribute is.
    definition.top_attribute("name")?;
    if !is_there(before) || is_there(after) {
        return None;
    }
    let Effect::Changes(changes) = effect(body, before, definition) else { return None };
    let may_take_it_along = |name: &str, is: Option<&Value>| match name.to_ascii_lowercase().as_str() {
        "displayname" | "name" | "username" => true,
        _ => is.is_none_or(is_unassigned),
    };
    if changes.iter().any(|(name, (_, is))| may_take_it_along(name, is.as_ref())) {
        return None;
    }
    Some(Departure {
        path: "displayName".to_owned(),
        expected: get(before, "displayName").cloned(),
        actual: None,
        grade: Grade::Failure,
        why: "the operations are about nothing that it may be computed from, and it is gone",
        requirements: &["RFC7644-3.5.2-17"],
        dispute: None,
    })
}

fn carried(played: &Played, definition: &ResourceDefinition) -> Judgement {
    let Played { before, body, after, .. } = played;
    let Some(after) = after else {
        return match &played.unread {
            Some(why) => Judgement::failure(Verdict::Broken(why.clone())),
            None => Judgement::nothing("the resource could not be read afterwards"),
        };
    };
    let Some(mut found) = departures(&Write::Patch { sent: body, before }, after, definition) else {
        return Judgement::nothing("the model cannot follow the operations");
    };
    found.iter_mut().filter(|it| is_back_to_default(it)).for_each(|it| {
        it.grade = it.grade.min(Grade::Warning);
        it.why = "it has to have no value after the operations, and has its default";
    });
    found.extend(of_identity(before, after));
    found.extend(of_display_name(body, before, after, definition));
    if let Some(severity) = severity(&found) {
        let result = standing(body, before, definition).result;
        found.sort_by_key(|it| std::cmp::Reverse(it.grade));
        return Judgement::of(Verdict::Wrong(found), severity.min(result));
    }
    if let Some(what) = misreported(played, after, definition) {
        return Judgement::failure(Verdict::Misreported(what));
    }
    // What adds nothing new is no modification (RFC 7644 section 3.5.2.1).
    let modified = |resource: &Value| resource.pointer("/meta/lastModified").cloned();
    if adds_nothing(body, before, definition) && modified(before) != modified(after) {
        let what = "adds only what is there, and meta.lastModified changed";
        return Judgement::of(Verdict::Misreported(what.to_owned()), Severity::Warning);
    }
    Judgement::right()
}

/// What is wrong with the answer to a PATCH that was carried out.
fn misreported(played: &Played, after: &Value, definition: &ResourceDefinition) -> Option<String> {
    let Answer::Done { status, shown } = &played.answer else { return None };
    if played.projected {
        return (*status == 204).then(|| "asked for attributes, and was answered 204".to_owned());
    }
    match (status, shown) {
        (200, None) => Some("answered 200 without the resource".to_owned()),
        (200, Some(shown)) => {
            let write = Write::Answered { answer: shown, create: false };
            let found = departures(&write, after, definition)?;
            let worst = found.iter().find(|it| it.grade == Grade::Failure)?;
            Some(format!("the answer shows another {} than a read: {}", worst.path, worst.why))
        }
        _ => None,
    }
}

/// Whether operations only add what is there.
fn adds_nothing(body: &Value, before: &Value, definition: &ResourceDefinition) -> bool {
    let is_add = |operation: &Value| get(operation, "op") == Some(&"add".into());
    let operations = get(body, "Operations").map(elements).unwrap_or_default();
    !operations.is_empty()
        && operations.iter().all(is_add)
        && matches!(effect(body, before, definition), Effect::Changes(changes) if changes.is_empty())
}

/// What a refusal comes to whatever was refused: it changed something all the same, or it is about something else.
fn of_any_refusal(played: &Played, status: u16, definition: &ResourceDefinition) -> Option<Judgement> {
    if let Some(changed) = changed(played, definition) {
        return Some(Judgement::failure(Verdict::Changed(changed)));
    }
    matches!(status, 401 | 407 | 413).then(|| Judgement::nothing(format!("answered {status}")))
}

fn declined(
    played: &Played,
    status: u16,
    scim_type: Option<&str>,
    definition: &ResourceDefinition,
) -> Judgement {
    if let Some(judgement) = of_any_refusal(played, status, definition) {
        return judgement;
    }
    if status == 400 && matches!(effect(&played.body, &played.before, definition), Effect::Refused(_)) {
        return Judgement::right();
    }
    let refusal = match status {
        400 => standing(&played.body, &played.before, definition).refusal,
        _ => Severity::Failure,
    };
    let scim_type = scim_type.map(str::to_owned);
    Judgement::of(Verdict::Refused { status, scim_type }, refusal)
}

/// What a refused PATCH changed all the same.
fn changed(played: &Played, definition: &ResourceDefinition) -> Option<Vec<Departure>> {
    let after = played.after.as_ref()?;
    let mut found = departures(&Write::Refused { before: &played.before }, after, definition)?;
    found.extend(of_identity(&played.before, after));
    found.retain(|it| it.grade == Grade::Failure);
    (!found.is_empty()).then_some(found)
}

fn served(played: &Played, slip: Slip, status: u16, definition: &ResourceDefinition) -> Judgement {
    let Some(after) = &played.after else {
        return match &played.unread {
            Some(why) => Judgement::failure(Verdict::Broken(why.clone())),
            None => Judgement::nothing("the resource could not be read afterwards"),
        };
    };
    let Some(changes) = changed(played, definition) else {
        if let Some(stranger) = stored(&played.before, after, definition) {
            return Judgement::failure(Verdict::Served { status, changed: vec![stranger] });
        }
        let severity = match slip.ignored() {
            Ignored::Failure => Severity::Failure,
            Ignored::Warning => Severity::Warning,
        };
        return Judgement::of(Verdict::Served { status, changed: Vec::new() }, severity);
    };
    // What some server is known to make of it is a warning.
    let by_model =
        departures(&Write::Patch { sent: &played.body, before: &played.before }, after, definition);
    let is_known = slip != Slip::Taken
        && of_identity(&played.before, after).is_empty()
        && by_model.is_some_and(|found| found.iter().all(|it| it.grade < Grade::Failure));
    let severity = if is_known { Severity::Warning } else { Severity::Failure };
    Judgement::of(Verdict::Served { status, changed: changes }, severity)
}

/// An attribute that no schema defines, and that is there now.
fn stored(before: &Value, after: &Value, definition: &ResourceDefinition) -> Option<Departure> {
    let is_known =
        |name: &str| definition.top_attribute(name).is_some() || definition.extension(name).is_some();
    let (name, value) = after
        .as_object()?
        .iter()
        .find(|(name, value)| !is_known(name) && !is_unassigned(value) && get(before, name) != Some(value))?;
    Some(Departure {
        path: name.clone(),
        expected: None,
        actual: Some(value.clone()),
        grade: Grade::Failure,
        why: "no schema defines it, and it was stored",
        requirements: &["RFC7643-2-01"],
        dispute: Some("AMB-111"),
    })
}

fn refused(
    played: &Played,
    slip: Slip,
    status: u16,
    scim_type: Option<&str>,
    flaw: Option<&str>,
    definition: &ResourceDefinition,
) -> Judgement {
    if let Some(judgement) = of_any_refusal(played, status, definition) {
        return judgement;
    }
    let miscalled = || Verdict::Miscalled { status, scim_type: scim_type.map(str::to_owned) };
    if slip.tolerates(status) {
        return Judgement::of(miscalled(), Severity::Warning);
    }
    if !slip.allows(status) {
        return Judgement::failure(miscalled());
    }
    if let Some(flaw) = flaw {
        return Judgement::failure(Verdict::Misreported(flaw.to_owned()));
    }
    let usual = slip.usual();
    match scim_type {
        Some(scim_type) if !usual.is_empty() && !usual.contains(&scim_type) => {
            Judgement::of(miscalled(), Severity::Warning)
        }
        _ => Judgement::right(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scim::names;
    use crate::scim::schema::SchemaSet;
    use serde_json::json;

    fn of(operations: Value, before: Value, after: Value) -> Option<Severity> {
        let definition = SchemaSet::core().definition("User").unwrap();
        let played = Played {
            before,
            body: json!({"schemas": [names::PATCH_OP], "Operations": operations}),
            projected: false,
            answer: Answer::Done { status: 204, shown: None },
            exchange: None,
            after: Some(after),
            unread: None,
        };
        let judgement = judge(&played, Wants::Carried, &definition);
        judgement.is_bad().then_some(judgement.severity)
    }

    #[test]
    fn a_display_name_may_follow_a_name_and_not_vanish_beside_it() {
        let title = json!([{"op": "replace", "path": "title", "value": "B"}]);
        let ann = json!({"userName": "ann", "displayName": "Ann", "title": "A"});
        let told = |after: Value| of(title.clone(), ann.clone(), after);
        assert_eq!(told(json!({"userName": "ann", "displayName": "Ann", "title": "B"})), None);
        assert_eq!(told(json!({"userName": "ann", "title": "B"})), Some(Severity::Failure));
        let renamed = json!([{"op": "replace", "path": "userName", "value": "bea"}]);
        assert_eq!(of(renamed, ann.clone(), json!({"userName": "bea", "title": "A"})), None);
        let removed = json!([{"op": "remove", "path": "title"}]);
        assert_eq!(of(removed, ann, json!({"userName": "ann"})), None);
    }

    #[test]
    fn who_is_not_said_to_be_inactive_may_be_active() {
        let removed = json!([{"op": "remove", "path": "active"}]);
        let of = |active: Value| of(removed.clone(), json!({"userName": "ann", "active": false}), active);
        assert_eq!(of(json!({"userName": "ann"})), None);
        assert_eq!(of(json!({"userName": "ann", "active": true})), Some(Severity::Warning));
        assert_eq!(of(json!({"userName": "ann", "active": false})), Some(Severity::Failure));
    }
}
