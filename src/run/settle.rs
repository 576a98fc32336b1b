//! What an exchange comes to: judged, its resources named, its captures taken.

use serde_json::Value;

use super::Observed;
use super::case::{CaseRun, Flow};
use super::names::Created;
use super::request::Prepared;
use crate::judge::{self, Context, Handle, Judgement};
use crate::outcome::{Finding, Level, Place, Severity, Signature};
use crate::plan::{Part, is_write};
use crate::suite::model::{Capture, Expect, Step};
use crate::target::exchange::Exchange;
use crate::target::{Created as Ownership, Sent, identifier};

/// The path of a part of what stands at another path: `cases[0].steps[1].expect` and `checks[2]`.
pub(super) fn part_of(path: &str, below: &str) -> String {
    let separator = if below.is_empty() || below.starts_with('[') { "" } else { "." };
    format!("{path}{separator}{below}")
}

impl CaseRun<'_> {
    /// Takes note of a judged exchange: findings, captures, handles.
    pub(super) fn settle(
        &mut self,
        step: &Step,
        prepared: &Prepared,
        expect: &Expect,
        place: &str,
        sent: &Sent,
        judgement: Judgement,
    ) -> Flow {
        let exchange = &sent.exchange;
        self.shared.mute(&expect.mutes, exchange.id);
        if let Some(error) = judgement.error {
            // What was found before the error is the service provider's all the same.
            self.part().findings.extend(judgement.findings);
            return self.stop(error.is_lack, error.to_string());
        }
        let deviated = !judgement.findings.is_empty();
        let failed = judgement.findings.iter().any(|finding| finding.severity == Severity::Failure);
        if let (Some(id), Some(matched)) = (&step.id, judgement.matched) {
            self.names.matched.insert(id.clone(), matched);
        }
        let part = self.part();
        part.findings.extend(judgement.findings);
        part.notes.extend(judgement.notes);
        let succeeded = exchange.status().is_some_and(|status| (200..300).contains(&status));
        if is_write(step) && succeeded {
            self.names.written();
        }
        // Against a recommendation a wrong status only warns, and a refusal leaves as little to stand on.
        let is_broken = !judgement.status_held && (failed || (deviated && !succeeded));
        if is_broken && !succeeded {
            // What was refused, and should not have been, leaves nothing behind that later steps could stand on.
            if let Some(id) = &step.id {
                self.names.sent.remove(id);
            }
            return Flow::End;
        }
        self.own(step, prepared, sent, place);
        if is_broken {
            return Flow::End;
        }
        let flow = if succeeded { self.capture(&step.capture, exchange, place) } else { Flow::On };
        self.snapshot(expect, exchange, prepared, place);
        flow
    }

    /// Names the resource that a step returned, and reports a create that gave us somebody else's.
    fn own(&mut self, step: &Step, prepared: &Prepared, sent: &Sent, place: &str) {
        let collection = prepared.endpoint.trim_end_matches("/{id}").to_owned();
        let json = sent.exchange.json();
        // A resource that was made now, or any other answer that is one: `{id: old, read: ann}`.
        let shown = json.and_then(identifier);
        let id = match &sent.created {
            Some(Ownership::Disowned { id, why }) => {
                let finding = self.finding(
                    "ownership",
                    &sent.exchange,
                    place,
                    format!(
                        "{} {} answered with a resource that is not the one sent",
                        prepared.method, collection
                    ),
                    "a new resource with the attributes sent and an id never seen before".to_owned(),
                    format!("the id '{id}': {why}"),
                );
                self.part().findings.push(finding);
                return;
            }
            Some(Ownership::Owned { id, .. }) => Some(id.as_str()),
            Some(Ownership::Unproven { .. } | Ownership::WithoutId) | None => shown.as_deref(),
        };
        let Some(name) = &step.id else { return };
        if let Some(id) = id {
            let handle = Handle {
                resource_type: self.shared.kind_at(&collection),
                id: Some(id.to_owned()),
                // Where the answer does not show it, what was sent says what it is called.
                state: json.or(prepared.json.as_ref()).cloned(),
            };
            let read = prepared.method == "GET";
            self.names.resource(name, &Created { handle, endpoint: collection }, read);
        } else if let Some(json) = json {
            self.names.value(name, json.clone());
        }
    }

    fn capture(
        &mut self,
        captures: &indexmap::IndexMap<String, Capture>,
        exchange: &Exchange,
        place: &str,
    ) -> Flow {
        for (name, capture) in captures {
            let (value, what) = match (&capture.header, &capture.path) {
                (Some(header), _) => (
                    exchange.response().and_then(|response| response.header(header)).map(Value::from),
                    format!("the header {header}"),
                ),
                (None, Some(path)) => match serde_json_path::JsonPath::parse(path) {
                    Ok(parsed) => (
                        exchange.json().and_then(|json| parsed.query(json).exactly_one().ok().cloned()),
                        path.clone(),
                    ),
                    Err(error) => return self.suite_error(format!("capture {name}: {error}")),
                },
                (None, None) => return self.suite_error(format!("capture {name} needs path or header")),
            };
            if capture.resource
                && let Some(location) = value.as_ref().and_then(Value::as_str)
                && let Some(created) = self.shared.located(location)
            {
                self.names.resource(name, &created, false);
                continue;
            }
            let (value, what) = match value {
                Some(_) if capture.resource => (None, format!("location of a resource at {what}")),
                value => (value, what),
            };
            match value {
                Some(value) => self.names.value(name, value),
                None => {
                    let finding = self.finding(
                        "capture",
                        exchange,
                        place,
                        format!("the answer holds no {what}, which the rest of the case needs"),
                        format!("{what} once"),
                        "absent".to_owned(),
                    );
                    self.part().findings.push(finding);
                    return Flow::End;
                }
            }
        }
        Flow::On
    }

    pub(super) fn judge(
        &self,
        expect: &Expect,
        exchange: &Exchange,
        prepared: &Prepared,
        step: &Step,
        place: &str,
    ) -> Judgement {
        let part = &self.job.parts[self.current];
        let spec = if step.spec.is_empty() || step.checkpoint.is_some() { &part.spec } else { &step.spec };
        let level = step
            .level
            .or_else(|| if step.spec.is_empty() { None } else { self.cited(&step.spec) })
            .unwrap_or(part.level);
        let at = |below: &str| -> Place { self.job.file.place(&part_of(place, below)) };
        self.judge_in(expect, exchange, prepared, place, (level, spec), &at)
    }

    /// Judges an exchange by an expectation from anywhere: with its level and requirements, and with the place of each of
    /// its parts.
    pub(super) fn judge_in(
        &self,
        expect: &Expect,
        exchange: &Exchange,
        prepared: &Prepared,
        place: &str,
        (level, spec): (Level, &[String]),
        at: &dyn Fn(&str) -> Place,
    ) -> Judgement {
        let part = &self.job.parts[self.current];
        let context = Context {
            scope: &self.names.scope,
            schemas: &self.shared.probe.schemas,
            capabilities: &self.shared.probe.capabilities,
            reading: self.shared.reading,
            ours: &self.names.ours,
            sent: &self.names.sent,
            filter: prepared.filter.as_deref(),
            level,
            spec,
            place: at,
        };
        let judgement = judge::judge(expect, exchange, &context);
        if let Some(observer) = self.shared.observer {
            observer(&Observed {
                id: &part.id,
                place,
                expect,
                exchange,
                context: &context,
                judgement: &judgement,
            });
        }
        judgement
    }

    /// The strongest level of the requirements cited.
    fn cited(&self, ids: &[String]) -> Option<Level> {
        self.shared.catalogue.strongest(ids.iter().map(String::as_str))
    }

    pub(super) fn finding(
        &self,
        check: &str,
        exchange: &Exchange,
        place: &str,
        message: String,
        expected: String,
        actual: String,
    ) -> Finding {
        let part: &Part = &self.job.parts[self.current];
        Finding {
            check: check.to_owned(),
            level: part.level,
            severity: part.level.severity(),
            requirements: part.spec.clone(),
            message,
            expected,
            actual,
            differences: Vec::new(),
            exchange: Some(exchange.id),
            place: Some(self.job.file.place(place)),
            signature: Signature {
                check: check.to_owned(),
                method: exchange.request.method.clone(),
                endpoint: exchange.request.endpoint.clone(),
                expected: "present".to_owned(),
                actual: "absent or foreign".to_owned(),
            },
            snapshot: None,
        }
    }
}
