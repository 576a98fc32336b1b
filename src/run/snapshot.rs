//! The payload of an answer against the accepted one: what the case has names for is taken out, the rest compared.

use serde_json::Value;

use super::case::CaseRun;
use super::request::Prepared;
use crate::outcome::{ErrorCause, Finding, Severity, Signature, SnapshotDifference, Verdict};
use crate::snapshot::file::SnapshotFile;
use crate::snapshot::{Compared, Names, Redaction, compare, payload, store};
use crate::suite::model::Expect;
use crate::target::exchange::Exchange;

/// Names of every case that stand for the same in every run, or for the mark, which is known without them.
const COMMON: [&str; 3] = ["run", "domain", "row"];

impl CaseRun<'_> {
    /// Compares the payload of a judged answer with the accepted one, where the step asks for it and there is one for
    /// this target.
    pub(super) fn snapshot(
        &mut self,
        expect: &Expect,
        exchange: &Exchange,
        prepared: &Prepared,
        place: &str,
    ) {
        let (Some(name), Some(snapshots)) = (&expect.snapshot, self.shared.snapshots) else { return };
        if expect.requires.iter().any(|requires| self.shared.claims(requires).is_err()) {
            return;
        }
        let Some(payload) = payload(exchange, &self.redaction(exchange), prepared.filter.is_some()) else {
            return;
        };
        let case = self.job.file.case_id(self.job.case);
        let key =
            store::key(&self.job.file.suite.suite, name, self.origin.strip_prefix(&case).unwrap_or_default());
        let received = SnapshotFile {
            source: Some(self.job.file.file.clone()),
            expression: Some(format!("{} {}", exchange.request.method, exchange.request.endpoint)),
            description: Some(format!("{}: {}", self.origin, self.job.case.title)),
            payload,
        };
        let finding = match snapshots.compare(&key, &received) {
            Ok(Compared::Same | Compared::NotJudged) => return,
            Ok(Compared::Missing { pending, required }) => {
                let severity = if required { Severity::Failure } else { Severity::Warning };
                let message = format!("{}: no payload is accepted yet as `{key}`", subject(exchange));
                let actual = format!("the one that came, which waits in {}", pending.display());
                self.differing(
                    exchange,
                    place,
                    severity,
                    message,
                    "an accepted payload".to_owned(),
                    actual,
                    None,
                )
            }
            Ok(Compared::Differs(difference)) => {
                let (out, into) = compare::changed(&difference.diff);
                let message = format!(
                    "{} answered with another payload than the one accepted as `{key}`",
                    subject(exchange)
                );
                let expected = format!("the payload in {}", difference.file);
                let actual = format!("lines taken out: {out}, lines put in: {into}");
                self.differing(
                    exchange,
                    place,
                    Severity::Failure,
                    message,
                    expected,
                    actual,
                    Some(difference),
                )
            }
            Err(error) => {
                self.part().trouble = Some(Verdict::Errored {
                    cause: ErrorCause::Harness { detail: format!("snapshot `{key}`: {error}") },
                });
                return;
            }
        };
        self.part().findings.push(finding);
    }

    #[expect(clippy::too_many_arguments, reason = "the parts of one finding")]
    fn differing(
        &self,
        exchange: &Exchange,
        place: &str,
        severity: Severity,
        message: String,
        expected: String,
        actual: String,
        snapshot: Option<Box<SnapshotDifference>>,
    ) -> Finding {
        let part = &self.job.parts[self.current];
        let class = if snapshot.is_some() { "another payload" } else { "nothing accepted" };
        Finding {
            check: "snapshot".to_owned(),
            level: part.level,
            severity,
            // What the operator accepted is no requirement of anybody else's.
            requirements: Vec::new(),
            message,
            expected,
            actual,
            differences: Vec::new(),
            exchange: Some(exchange.id),
            place: Some(self.job.file.place(&format!("{place}.snapshot"))),
            signature: Signature {
                check: "snapshot".to_owned(),
                method: exchange.request.method.clone(),
                endpoint: exchange.request.endpoint.clone(),
                expected: "the accepted payload".to_owned(),
                actual: class.to_owned(),
            },
            snapshot,
        }
    }

    /// Everything that the case has a name for, fresh values first: what they are part of is named after them.
    fn redaction(&self, exchange: &Exchange) -> Redaction {
        let names = &self.names;
        let mut known = Names::new(names.generator.mark(), self.shared.target.base_url());
        let value = |name: &str| names.scope.value(name).ok();
        for name in self.job.case.fresh.keys() {
            if let Some(Value::String(text)) = value(name) {
                known.text(&text, name);
            }
        }
        for name in names.scope.names().filter(|name| !COMMON.contains(name)) {
            let handles = names.ours.handles(name);
            for (at, handle) in handles.iter().enumerate() {
                let name = if handles.len() == 1 { name.to_owned() } else { format!("{name}-{}", at + 1) };
                if let Some(id) = &handle.id {
                    known.id(id, &name);
                }
                if let Some(state) = &handle.state {
                    known.words(state, &name);
                }
            }
            if let (true, Some(Value::String(text))) = (handles.is_empty(), value(name)) {
                known.text(&text, name);
            }
        }
        for (step, body) in &names.sent {
            known.words(body, step);
        }
        if let Some(body) = exchange.request.json() {
            known.words(&body, "sent");
        }
        known.redaction()
    }
}

fn subject(exchange: &Exchange) -> String {
    format!("{} {}", exchange.request.method, exchange.request.endpoint)
}
