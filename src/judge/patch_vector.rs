//! A PATCH vector × what came of it → findings: the status by the vector's outcomes, the resource afterwards by the
//! model of a write in each reading ([`oracle::written`](crate::oracle::written)).
//!
//! The vector says what becomes of the resource that it starts from. Where the service provider keeps another one
//! (an attribute that it insists on, say), the model has the last word.

use serde_json::{Value, json};

use super::body::without_indexes;
use super::words;
use crate::oracle::patched::{Effect, effect};
use crate::oracle::written::{Departure, Grade, OPERATIONS, Write, departures};
use crate::outcome::{Difference, Finding, Level, Place, Reading, Severity, Signature};
use crate::scim::definition::ResourceDefinition;
use crate::scim::names;
use crate::scim::resource::get;
use crate::suite::vectors::{PatchVector, Refused, Tolerated};
use crate::target::exchange::ExchangeId;

/// The name of the check, in findings.
const CHECK: &str = "patch-vector";

/// The most departures of one resource that become findings of their own.
const MAX_FINDINGS: usize = 4;

/// What came of a vector, and what it is judged by.
#[derive(Debug, Clone, Copy)]
pub struct Came<'a> {
    /// The vector.
    pub vector: &'a PatchVector,
    /// The body that was sent.
    pub sent: &'a Value,
    /// The resource that the vector starts from, as the vector has it.
    pub initial: &'a Value,
    /// The resource as it was read before.
    pub before: &'a Value,
    /// The status of the answer.
    pub status: u16,
    /// The error in the answer, or the resource.
    pub answer: Option<&'a Value>,
    /// The resource as it was read afterwards.
    pub after: &'a Value,
    /// The service provider's own schemas.
    pub definition: &'a ResourceDefinition,
    /// Which reading of the RFCs applies.
    pub reading: Reading,
    /// The level of the trial: findings are no more severe.
    pub level: Level,
    /// The requirement ids of the trial.
    pub spec: &'a [String],
    /// Where the case stands.
    pub place: Option<&'a Place>,
    /// The exchange that shows it.
    pub exchange: Option<ExchangeId>,
}

/// What contradicts the vector and the model, most severe first. Empty: it holds.
pub fn judge(came: &Came<'_>) -> Vec<Finding> {
    let mut findings = match came.status {
        200 | 204 => succeeded(came),
        400..=499 => refused(came),
        status => vec![came.finding(Told {
            expected: came.expected(),
            actual: words::status(status),
            expected_class: came.expected_class(),
            actual_class: format!("status {status}"),
            ..Told::new(format!("{} is the answer", words::status(status)))
        })],
    };
    findings.sort_by_key(|finding| std::cmp::Reverse(finding.severity));
    findings
}

/// A finding before it has a level.
struct Told {
    message: String,
    severity: Severity,
    expected: String,
    actual: String,
    expected_class: String,
    actual_class: String,
    differences: Vec<Difference>,
}

impl Told {
    fn new(message: String) -> Told {
        Told {
            message,
            severity: Severity::Failure,
            expected: String::new(),
            actual: String::new(),
            expected_class: String::new(),
            actual_class: String::new(),
            differences: Vec::new(),
        }
    }
}

fn succeeded(came: &Came<'_>) -> Vec<Finding> {
    let by_model = || {
        let write = Write::Patch { sent: came.sent, before: came.before };
        departures(&write, came.after, came.definition)
    };
    // A resource that is not what the vector starts from may well be changed by what would fail on the other.
    let is_as_meant = !matches!(
        (effect(came.sent, came.initial, came.definition), effect(came.sent, came.before, came.definition)),
        (Effect::Refused(_), Effect::Changes(_))
    );
    if came.vector.may_succeed() || !is_as_meant {
        let found = match by_model() {
            Some(found) => found,
            // A request that is no PatchOp to the model is one that changes nothing.
            None => departures(&Write::Refused { before: came.before }, came.after, came.definition)
                .unwrap_or_default(),
        };
        let is_bad = found.iter().any(|it| it.grade >= Grade::FailureIfStrict);
        if is_bad && let Some(tolerated) = came.tolerated_success() {
            return vec![came.tolerate(tolerated, words::status(came.status))];
        }
        return came.departed(found);
    }
    if let Some(tolerated) = came.tolerated_success() {
        return vec![came.tolerate(tolerated, words::status(came.status))];
    }
    let mut told = vec![came.finding(Told {
        expected: came.expected(),
        actual: words::status(came.status),
        expected_class: came.expected_class(),
        actual_class: "success".to_owned(),
        ..Told::new(format!("{} is the answer to what has to be refused", words::status(came.status)))
    })];
    let harmed = departures(&Write::Refused { before: came.before }, came.after, came.definition);
    told.extend(came.departed(harmed.unwrap_or_default()).into_iter().take(1));
    told
}

fn refused(came: &Came<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    let changed = departures(&Write::Refused { before: came.before }, came.after, came.definition);
    findings.extend(came.departed(changed.unwrap_or_default()));
    let scim_type = came.answer.and_then(|answer| get(answer, "scimType")).and_then(Value::as_str);
    let actual = match scim_type {
        Some(scim_type) => format!("{} with scimType {scim_type}", words::status(came.status)),
        None => words::status(came.status),
    };
    let is_status = |it: &Refused| it.status == came.status.to_string();
    let errors: Vec<&Refused> = came.vector.errors().filter(|it| is_status(it)).collect();
    if errors.is_empty() {
        // What the resource at hand does not allow may be refused, whatever the vector has of its own.
        let is_due = matches!(effect(came.sent, came.before, came.definition), Effect::Refused(_))
            && came.vector.errors().next().is_none();
        let tolerated = came.vector.tolerated.iter().find(|it| {
            it.error.as_ref().is_some_and(|it| {
                is_status(it)
                    && (it.scim_type.is_none() || scim_type.is_none() || it.scim_type.as_deref() == scim_type)
            })
        });
        match tolerated {
            _ if is_due => {}
            Some(tolerated) => findings.push(came.tolerate(tolerated, actual)),
            None => findings.push(came.finding(Told {
                expected: came.expected(),
                actual: actual.clone(),
                expected_class: came.expected_class(),
                actual_class: format!("status {}", came.status),
                ..Told::new(format!("{actual} is the answer"))
            })),
        }
        return findings;
    }
    let known: Vec<&str> = errors.iter().filter_map(|it| it.scim_type.as_deref()).collect();
    if let Some(scim_type) = scim_type
        && !known.is_empty()
        && !known.contains(&scim_type)
    {
        findings.push(came.finding(Told {
            severity: Severity::Warning,
            expected: format!("scimType {}", known.join(" or ")),
            actual: format!("scimType {scim_type}"),
            expected_class: format!("scimType {}", known.join("|")),
            actual_class: format!("scimType {scim_type}"),
            ..Told::new(format!("the refusal has the scimType {scim_type}"))
        }));
    }
    findings
}

impl Came<'_> {
    /// The outcome that is tolerated and that this success is, if there is one.
    fn tolerated_success(&self) -> Option<&Tolerated> {
        let is_like = |write: &Write<'_>| {
            departures(write, self.after, self.definition)
                .is_some_and(|found| found.iter().all(|it| it.grade < Grade::FailureIfStrict))
        };
        self.vector.tolerated.iter().find(|it| match &it.like {
            Some(operations) => {
                let sent = json!({"schemas": [names::PATCH_OP], "Operations": operations});
                is_like(&Write::Patch { sent: &sent, before: self.before })
            }
            None => it.unchanged == Some(true) && is_like(&Write::Refused { before: self.before }),
        })
    }

    fn tolerate(&self, tolerated: &Tolerated, actual: String) -> Finding {
        let fails = tolerated.fails_if_strict && self.reading == Reading::Strict;
        self.finding(Told {
            severity: if fails { Severity::Failure } else { Severity::Warning },
            expected: self.expected(),
            actual: actual.clone(),
            expected_class: self.expected_class(),
            actual_class: format!("status {}, tolerated", self.status),
            ..Told::new(format!("{actual}: {}", tolerated.why))
        })
    }

    /// What would have been right, in words.
    fn expected(&self) -> String {
        let mut all: Vec<String> = Vec::new();
        if self.vector.may_succeed() {
            all.push("200 with the resource, or 204".to_owned());
        }
        for error in self.vector.errors() {
            let scim_type =
                error.scim_type.as_ref().map(|it| format!(" with scimType {it}")).unwrap_or_default();
            all.push(format!("{}{scim_type}", error.status));
        }
        all.join(", or ")
    }

    fn expected_class(&self) -> String {
        if self.vector.may_succeed() { "success".to_owned() } else { "refusal".to_owned() }
    }

    /// Departures as findings.
    fn departed(&self, mut found: Vec<Departure>) -> Vec<Finding> {
        found.sort_by_key(|departure| std::cmp::Reverse(departure.grade));
        let rest = found.len().saturating_sub(MAX_FINDINGS);
        let mut findings: Vec<Finding> = found
            .iter()
            .take(MAX_FINDINGS)
            .map(|departure| {
                let difference = words::departure(departure);
                let dispute = departure.dispute.map(|it| format!(" ({it})")).unwrap_or_default();
                let message = if departure.path == OPERATIONS {
                    format!("it succeeded, though {}{dispute}", departure.why)
                } else {
                    format!(
                        "{} is {}, expected {}: {}{dispute}",
                        departure.path, difference.actual, difference.expected, departure.why
                    )
                };
                let path = without_indexes(&departure.path);
                self.finding(Told {
                    message,
                    severity: match departure.grade {
                        Grade::Failure => Severity::Failure,
                        Grade::FailureIfStrict if self.reading == Reading::Strict => Severity::Failure,
                        Grade::FailureIfStrict | Grade::Warning => Severity::Warning,
                        Grade::Note => Severity::Note,
                    },
                    expected: format!("{}: {}", difference.path, difference.expected),
                    actual: format!("{}: {}", difference.path, difference.actual),
                    expected_class: format!("{path} {}", words::class_of(departure.expected.as_ref())),
                    actual_class: format!(
                        "{path} {}: {}",
                        words::class_of(departure.actual.as_ref()),
                        departure.why
                    ),
                    differences: vec![difference],
                })
            })
            .collect();
        if let Some(last) = findings.last_mut().filter(|_| rest > 0) {
            last.message.push_str(&format!("; and {rest} more"));
        }
        findings
    }

    fn finding(&self, told: Told) -> Finding {
        let resource_type = &self.vector.resource_type;
        Finding {
            check: CHECK.to_owned(),
            level: self.level,
            severity: told.severity.min(self.level.severity()),
            requirements: self.spec.to_vec(),
            message: format!("PATCH of a {resource_type}: {}", told.message),
            expected: told.expected,
            actual: told.actual,
            differences: told.differences,
            exchange: self.exchange,
            place: self.place.cloned(),
            signature: Signature {
                check: CHECK.to_owned(),
                method: "PATCH".to_owned(),
                endpoint: format!("/{resource_type}s/{{id}}"),
                expected: words::bounded_class(&told.expected_class),
                actual: words::bounded_class(&told.actual_class),
            },
            snapshot: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scim::schema::SchemaSet;
    use crate::suite::vectors::Vector;

    fn vector(rest: Value) -> PatchVector {
        let mut said = json!({
            "id": "v", "title": "t", "group": "g", "resource_type": "User", "initial": "min",
            "initial_resource": initial(), "section": "s", "reasoning": "r",
        });
        said.as_object_mut().unwrap().extend(rest.as_object().unwrap().clone());
        let vector =
            Vector { id: "v".into(), title: "t".into(), spec: vec![], level: None, requires: vec![], said };
        PatchVector::read(&vector).unwrap()
    }

    fn initial() -> Value {
        json!({"schemas": [names::USER], "userName": "a", "title": "Guide"})
    }

    fn worst(
        vector: &PatchVector,
        status: u16,
        answer: Value,
        after: Value,
        reading: Reading,
    ) -> Option<Severity> {
        let definition = SchemaSet::core().definition("User").unwrap();
        let sent = json!({"schemas": [names::PATCH_OP], "Operations": vector.operations});
        let initial = initial();
        let findings = judge(&Came {
            vector,
            sent: &sent,
            initial: &initial,
            before: &initial,
            status,
            answer: Some(&answer),
            after: &after,
            definition: &definition,
            reading,
            level: Level::Must,
            spec: &[],
            place: None,
            exchange: None,
        });
        findings.iter().map(|it| it.severity).max()
    }

    #[test]
    fn a_success_is_judged_by_the_model() {
        let add = vector(json!({
            "operations": [{"op": "add", "path": "nickName", "value": "N"}],
            "expected": {"resource": {"nickName": "N"}},
        }));
        let with = |name: &str, value: &str| {
            let mut after = initial();
            after[name] = value.into();
            after
        };
        let say = |status, after| worst(&add, status, Value::Null, after, Reading::Lenient);
        assert_eq!(say(200, with("nickName", "N")), None);
        assert_eq!(say(204, initial()), Some(Severity::Failure));
        assert_eq!(say(202, with("nickName", "N")), Some(Severity::Failure));
        assert_eq!(say(400, initial()), Some(Severity::Failure));
        assert_eq!(say(500, initial()), Some(Severity::Failure));
        let mut lost = with("nickName", "N");
        lost["title"] = Value::Null;
        assert_eq!(say(200, lost), Some(Severity::Failure), "a neighbour is gone");
    }

    #[test]
    fn a_refusal_has_its_status_and_changes_nothing() {
        let remove = vector(json!({
            "operations": [{"op": "remove", "path": "userName"}],
            "expected": {"error": {"status": "400", "scimType": "mutability"}},
            "tolerated": [{"error": {"status": "403"}, "why": "table 9 has 400 for this"}],
        }));
        let say = |status, scim_type: Option<&str>, after| {
            worst(&remove, status, json!({"scimType": scim_type}), after, Reading::Lenient)
        };
        assert_eq!(say(400, Some("mutability"), initial()), None);
        assert_eq!(say(400, None, initial()), None);
        assert_eq!(say(400, Some("tooMany"), initial()), Some(Severity::Warning));
        assert_eq!(say(403, None, initial()), Some(Severity::Warning));
        assert_eq!(say(409, None, initial()), Some(Severity::Failure));
        assert_eq!(say(204, None, initial()), Some(Severity::Failure));
        let mut lost = initial();
        lost["title"] = Value::Null;
        assert_eq!(say(400, None, lost), Some(Severity::Failure));
    }

    #[test]
    fn what_is_tolerated_may_fail_in_the_strict_reading() {
        let path = "emails[type eq \"none\"].value";
        let replace = vector(json!({
            "operations": [{"op": "replace", "path": path, "value": "x@example.com"}],
            "expected": {"error": {"status": "400", "scimType": "noTarget"}},
            "tolerated": [{
                "like": [{"op": "add", "path": "emails", "value": [{"type": "none", "value": "x@example.com"}]}],
                "fails_if_strict": true, "why": "it made a value",
            }],
        }));
        let mut made = initial();
        made["emails"] = json!([{"type": "none", "value": "x@example.com"}]);
        let say = |after, reading| worst(&replace, 200, Value::Null, after, reading);
        assert_eq!(say(made.clone(), Reading::Lenient), Some(Severity::Warning));
        assert_eq!(say(made, Reading::Strict), Some(Severity::Failure));
        assert_eq!(say(initial(), Reading::Lenient), Some(Severity::Failure));
    }
}
