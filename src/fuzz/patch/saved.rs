//! Counterexamples of PATCH as suites, and back.

use std::fmt::Write as _;

use serde_json::{Value, json};

use super::verdict::{Verdict, Wants};
use super::{Counterexample, Property, operations};
use crate::fuzz::Subject;
use crate::fuzz::saved::{Head, REFERENCE, SavedSuite, replaced};
use crate::fuzz::strategy::data::MARK;
use crate::fuzz::strategy::patch_slip::Slip;
use crate::scim::names;
use crate::scim::resource::{elements, get, schemas};

/// The name that a suite has for the resource that is patched.
const HANDLE: &str = "r1";
/// The most resources that a suite refers to.
const REFERENCES: usize = 8;

/// A counterexample of an earlier run.
#[derive(Debug, Clone, PartialEq)]
pub struct SavedCase {
    /// Its name, for people: the file.
    pub name: String,
    /// Where the resource is.
    pub endpoint: String,
    /// The resource, with [`MARK`] for its word, and `${n1.id}` for the first that it refers to.
    pub resource: Value,
    /// The body, in the same way.
    pub body: Value,
    /// Whether attributes are asked for.
    pub projected: bool,
    /// Whether it has to be refused.
    pub is_refused: bool,
}

impl SavedCase {
    /// A value of it, with the ids of resources that are there; none where it refers to more.
    pub fn with(&self, value: &Value, references: &[String]) -> Option<Value> {
        let mut value = value.clone();
        for (index, id) in references.iter().enumerate().take(REFERENCES) {
            value = replaced(&value, &format!("${{n{}.id}}", index + 1), id);
        }
        (!value.to_string().contains("${")).then_some(value)
    }
}

/// The cases of suites that can be tried first. What refers to what only a suite knows is for `run` to replay.
pub fn cases(suites: &[SavedSuite]) -> Vec<SavedCase> {
    let mut cases = Vec::new();
    for SavedSuite { name, suite, .. } in suites {
        for case in &suite.cases {
            let resource = case.given.get(HANDLE).and_then(|given| given.inline.as_ref());
            let step = case.steps.iter().find(|step| step.operations.is_some() || step.body.is_some());
            let (Some(resource), Some(step)) = (resource, step) else { continue };
            let path = step.send.as_deref().and_then(|send| send.strip_prefix("PATCH "));
            let Some((endpoint, query)) = path.and_then(|path| path.split_once("/${r1.id}")) else {
                continue;
            };
            let body = match (&step.operations, &step.body) {
                (Some(operations), _) => json!({"schemas": [names::PATCH_OP], "Operations": operations}),
                (None, Some(body)) => body.clone(),
                (None, None) => continue,
            };
            let expects_error = step.expect.as_ref().is_some_and(|expect| expect.error.is_some());
            cases.push(SavedCase {
                name: name.clone(),
                endpoint: endpoint.to_owned(),
                resource: replaced(resource, REFERENCE, MARK),
                body: replaced(&body, REFERENCE, MARK),
                projected: !query.is_empty(),
                is_refused: expects_error,
            });
        }
    }
    // A name that another resource has is known to a suite only.
    cases.retain(|case| !case.body.to_string().contains("${other"));
    cases
}

/// The suite that shows a counterexample; none where a suite cannot say it.
pub fn suite(name: &str, about: &str, shown: &Counterexample, spec: &[String], seed: u64) -> Option<String> {
    if matches!(shown.property, Property::Neighbours | Property::Twins) {
        return None;
    }
    let mut body = replaced(&shown.body, MARK, REFERENCE);
    let mut resource = replaced(&shown.resource, MARK, REFERENCE);
    let mut given = String::new();
    for (index, id) in shown.references.iter().enumerate() {
        let reference = format!("${{n{}.id}}", index + 1);
        body = replaced(&body, id, &reference);
        resource = replaced(&resource, id, &reference);
        let user_name = format!("{REFERENCE}n{}", index + 1);
        let user = json!({"schemas": [names::USER], "userName": user_name});
        writeln!(given, "      n{}:\n        inline: {user}", index + 1).ok()?;
    }
    if shown.wants == Wants::Refused(Slip::Taken) {
        let operations = body.get_mut("Operations").and_then(Value::as_array_mut);
        for operation in operations.into_iter().flatten().filter_map(Value::as_object_mut) {
            operation.insert("value".to_owned(), "${other.userName}".into());
        }
        let user = json!({"schemas": [names::USER], "userName": format!("{REFERENCE}o")});
        writeln!(given, "      other:\n        inline: {user}").ok()?;
    }
    writeln!(given, "      {HANDLE}:\n        inline: {resource}").ok()?;
    let send = format!(
        "PATCH {}/${{{HANDLE}.id}}{}",
        shown.endpoint,
        if shown.projected { "?attributes=id" } else { "" }
    );
    let is_plain = schemas(&shown.body) == [names::PATCH_OP]
        && shown.body.as_object().is_some_and(|it| it.len() == 2 && it.contains_key("Operations"));
    let said = match is_plain {
        true => format!("operations: {}", get(&body, "Operations")?),
        false => format!("body: {body}"),
    };
    let mut steps = String::new();
    let times: &[&str] = if shown.property == Property::Repeats { &["once", "change"] } else { &["change"] };
    for id in times {
        let expectation = expectation(shown, &body)?;
        write!(
            steps,
            "      - id: {id}\n        send: {send}\n        {said}\n        expect: {expectation}\n"
        )
        .ok()?;
        match shown.wants {
            Wants::Refused(_) => writeln!(steps, "      - unchanged: [{HANDLE}]").ok()?,
            Wants::Carried => writeln!(
                steps,
                "      - read: {HANDLE}\n        expect: {{status: 200, becomes: {{from: {HANDLE}, patched-by: {id}}}}}"
            )
            .ok()?,
        }
    }
    let head = Head {
        subject: Subject::Patch,
        seed,
        comment: None,
        name,
        about: format!("PATCH: {about}"),
        requires: &["patch"],
        title: &Value::from(operations(&shown.body)).to_string(),
        level: Some(shown.judgement.severity.level()),
        spec,
    };
    Some(format!("{}    fresh: {{word: word}}\n    given:\n{given}    steps:\n{steps}", head.text()))
}

/// What the answer has to be; none where a suite cannot say it.
fn expectation(shown: &Counterexample, body: &Value) -> Option<String> {
    match (shown.wants, &shown.judgement.verdict) {
        (Wants::Refused(slip), _) => {
            let usual = slip.usual();
            let keyword = match usual {
                [] => String::new(),
                usual => format!(", usual-scimType: [{}]", usual.join(", ")),
            };
            let status = if slip.allows(409) { "[400, 409]" } else { "400" };
            Some(format!("{{error: {{status: {status}{keyword}}}}}"))
        }
        (Wants::Carried, _) if shown.projected => Some("{status: 200}".to_owned()),
        (Wants::Carried, Verdict::Misreported(what)) => {
            if what.contains("lastModified") {
                return None;
            }
            // One plain value can be looked for in the answer.
            let [operation] = elements(get(body, "Operations")?) else { return None };
            let (path, value) = (get(operation, "path")?.as_str()?, get(operation, "value")?.as_str()?);
            let is_name = path.chars().all(|it| it.is_ascii_alphanumeric());
            let shows = json!({ path: value });
            is_name.then(|| {
                format!(
                    "{{any: [{{name: quiet, status: 204}}, {{name: shown, status: 200, body: {shows}}}]}}"
                )
            })
        }
        (Wants::Carried, _) => Some("{status: [200, 204]}".to_owned()),
    }
}
