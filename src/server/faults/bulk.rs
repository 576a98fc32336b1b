//! Defects of bulk jobs: references, the end of a job, its limits, and what its results say.

use axum::http::{Method, StatusCode};
use bytes::Bytes;
use serde_json::{Map, Value, json};

use super::super::auth::Credentials;
use super::super::endpoint::Endpoint;
use super::super::fault::{BulkJob, BulkStep, Change, FaultEntry, Rewrite, Seen};
use super::super::message::Answer;
use super::{body_of, fault, object, refuse, set_status};
use crate::scim::bulk::REFERENCE;
use crate::scim::names;
use Rewrite::{Answer as At, Bulk as Job, BulkStep as Step, Change as Write, Request as Asked};

pub(super) const FAULTS: &[FaultEntry] = &[
    fault(
        "bulk-references-stored",
        &["DEF-210"],
        "A bulkId reference is stored as it stands, as a member and as a manager.",
        "clients that make groups with their members; nobody is in them",
        &["RFC7644-3.7.2-02", "RFC7644-3.7.2-04", "RFC7644-3.7.2-05"],
        &[Step(|step| step.keep_references()), Write(|change| change.store_references())],
    ),
    fault(
        "bulk-references-refused",
        &["DEF-210"],
        "An operation that refers to a bulkId is answered with 400.",
        "clients that make groups with their members",
        &["RFC7644-3.7.2-01", "RFC7644-3.7.2-02"],
        &[Step(|step| {
            if step.refers() {
                step.refuse(StatusCode::BAD_REQUEST, "there is no such resource");
            }
        })],
    ),
    fault(
        "bulk-references-in-extensions-stored",
        &[],
        "A bulkId reference inside of an extension is stored as it stands.",
        "people whose manager is nobody",
        &["RFC7644-3.7.2-04"],
        &[Step(|step| {
            let sent = step.sent.data.as_ref().and_then(|data| data.get(names::ENTERPRISE_USER));
            if let (Some(sent), Some(data)) = (sent, step.data.as_mut().and_then(Value::as_object_mut)) {
                data.insert(names::ENTERPRISE_USER.to_owned(), sent.clone());
            }
        })],
    ),
    fault(
        "bulk-references-dropped",
        &[],
        "A bulkId reference that cannot be resolved is left out, and the rest is stored.",
        "administrators, whose groups lack members without a word",
        &["RFC7644-3.7.2-05"],
        &[Step(|step| {
            if step.answer.is_some() && step.refers() {
                step.answer = None;
                if let Some(data) = step.data.as_mut().and_then(Value::as_object_mut) {
                    data.remove("members");
                }
            }
        })],
    ),
    fault(
        "bulk-forward-references-dropped",
        &[],
        "A member that is made by a later operation is left out of its group.",
        "clients that send groups first; the groups stay empty",
        &["RFC7644-3.7-23"],
        &[
            Job(|job| {
                if job.refusal.is_none() {
                    job.in_given_order();
                }
            }),
            Step(|step| {
                if step.answer.is_some() && step.refers() {
                    step.answer = None;
                    if let Some(data) = step.data.as_mut().and_then(Value::as_object_mut) {
                        data.remove("members");
                    }
                }
            }),
        ],
    ),
    fault(
        "bulk-circle-left-open",
        &[],
        "Of two groups that refer to each other the first stays without its member.",
        "clients that copy nested groups",
        &["RFC7644-3.7.1-01", "RFC7644-3.7.1-03"],
        &[Write(|change| {
            // Only the completion of a circle replaces a group of this job by one with members.
            if *change.method == Method::PUT && change.sent.get("members").is_some() {
                change.after = change.before.cloned();
            }
        })],
    ),
    fault(
        "bulk-path-references-unknown",
        &[],
        "A path with a bulkId is answered with 404.",
        "clients that change what they have just made",
        &["RFC7644-3.7.2-06"],
        &[Step(|step| {
            if step.sent.path.as_ref().is_some_and(|path| path.contains(REFERENCE)) {
                step.refuse(StatusCode::NOT_FOUND, "there is no such resource");
            }
        })],
    ),
    fault(
        "bulk-stops-at-first-error",
        &["DEF-211"],
        "A job ends at its first error although nobody asked for that.",
        "clients whose later operations are lost",
        &["RFC7644-3.7-19"],
        &[Job(|job| job.request.fail_on_errors = Some(1))],
    ),
    fault(
        "bulk-fail-on-errors-ignored",
        &["DEF-211"],
        "A job goes on whatever failOnErrors says.",
        "clients whose later operations stand on earlier ones",
        &["RFC7644-3.7-05", "RFC7644-3.7-20", "RFC7644-3.7.3-06"],
        &[Job(|job| job.request.fail_on_errors = None)],
    ),
    fault(
        "bulk-fail-on-errors-as-flag",
        &["DEF-211"],
        "failOnErrors ends a job at the first error, whatever its number.",
        "clients that allow for some errors",
        &["RFC7644-3.7-05", "RFC7644-3.7-20"],
        &[Job(|job| {
            if job.request.fail_on_errors.is_some() {
                job.request.fail_on_errors = Some(1);
            }
        })],
    ),
    fault(
        "bulk-fail-on-errors-one-late",
        &["DEF-211"],
        "A job ends one error after the one that failOnErrors names.",
        "clients whose later operations stand on earlier ones",
        &["RFC7644-3.7-05", "RFC7644-3.7-20", "RFC7644-3.7.3-06"],
        &[Job(|job| job.request.fail_on_errors = job.request.fail_on_errors.map(|count| count + 1))],
    ),
    fault(
        "bulk-fail-on-errors-echoed",
        &[],
        "A BulkResponse repeats failOnErrors.",
        "clients that are strict about messages",
        &["RFC7644-3.7-06"],
        &[At(|seen, answer| {
            let count = body_of(seen.request).and_then(|body| body.get("failOnErrors").cloned());
            if let Some(body) = bulk_response(seen, answer) {
                body.insert("failOnErrors".to_owned(), count.unwrap_or(json!(0)));
            }
        })],
    ),
    fault(
        "bulk-ids-not-unique",
        &["DEF-212"],
        "Two POSTs with one bulkId are both done.",
        "clients whose references mean two things",
        &["RFC7644-3.7-09"],
        &[Asked(|request| {
            if is_bulk(request)
                && let Some(mut body) = body_of(request)
                && let Some(Value::Array(all)) = body.get_mut("Operations")
            {
                let mut twice = false;
                for index in 1..all.len() {
                    let (before, rest) = all.split_at_mut(index);
                    let own = rest[0].get("bulkId");
                    if own.is_some() && before.iter().any(|other| other.get("bulkId") == own) {
                        twice = true;
                        rest[0]["bulkId"] = format!("again-{index}").into();
                    }
                }
                if twice {
                    request.body = Bytes::from(body.to_string());
                }
            }
        })],
    ),
    fault(
        "bulk-post-needs-no-bulk-id",
        &[],
        "A POST without bulkId is done, and its result cannot be told from others.",
        "clients that forget it find out only with another provider",
        &["RFC7644-3.7-09"],
        &[Step(|step| {
            if step.sent.is_post() && step.sent.bulk_id.is_none() {
                step.answer = None;
            }
        })],
    ),
    fault(
        "bulk-limits-ignored",
        &["DEF-213"],
        "Jobs of any size are done, whatever maxOperations and maxPayloadSize say.",
        "other tenants, while one job takes the whole server",
        &["RFC7644-3.7.4-03"],
        &[Job(|job| {
            if job.is_too_large() {
                job.refusal = None;
                job.in_given_order();
            }
        })],
    ),
    fault(
        "bulk-limits-answered-with-400",
        &[],
        "A job that exceeds a limit is answered with 400.",
        "clients, which do not learn that a smaller job would do",
        &["RFC7644-3.7.4-03"],
        &[Job(|job| {
            if job.is_too_large()
                && let Some(refusal) = &mut job.refusal
            {
                refusal.status = 400;
            }
        })],
    ),
    fault(
        "bulk-limits-after-the-fact",
        &[],
        "A job that exceeds a limit is done, and then answered with 413.",
        "clients that cut the job up and send it again",
        &["RFC7644-3.7.4-03"],
        &[Job(|job| {
            if job.is_too_large() {
                job.in_given_order();
            }
        })],
    ),
    fault(
        "bulk-limit-not-named",
        &[],
        "The 413 of a job that exceeds a limit does not say which.",
        "clients, which cannot tell by how much to cut it",
        &["RFC7644-3.7.4-04", "RFC7644-3.12-15"],
        &[Job(|job| {
            if job.is_too_large()
                && let Some(refusal) = &mut job.refusal
            {
                refusal.detail = "too much".to_owned();
            }
        })],
    ),
    fault(
        "bulk-status-number",
        &["DEF-209"],
        "The status of a result is a number.",
        "clients that read a text",
        &["RFC7644-3.7-16", "RFC7644-3.7.3-03"],
        &[At(|seen, answer| {
            each_result(seen, answer, |result| {
                let code =
                    result.get("status").and_then(Value::as_str).and_then(|code| code.parse::<u16>().ok());
                result.extend(code.map(|code| ("status".to_owned(), code.into())));
            });
        })],
    ),
    fault(
        "bulk-status-object-and-response-text",
        &["DEF-209"],
        "The status of a result is an object, and its response a text with JSON in it.",
        "clients, which miss that something failed",
        &["RFC7644-3.7-16", "RFC7644-3.7-14", "RFC7644-3.7-17"],
        &[At(|seen, answer| {
            each_result(seen, answer, |result| {
                if let Some(code) = result.get("status").cloned() {
                    result.insert("status".to_owned(), json!({ "code": code }));
                }
                if let Some(response) = result.get("response").map(Value::to_string) {
                    result.insert("response".to_owned(), response.into());
                }
            });
        })],
    ),
    fault(
        "bulk-failures-hidden",
        &["DEF-208"],
        "Every operation is answered with 201, whatever became of it.",
        "clients, which take for done what failed",
        &["RFC7644-3.7-16", "RFC7644-3.7.3-03"],
        &[At(|seen, answer| {
            each_result(seen, answer, |result| {
                result.insert("status".to_owned(), "201".into());
                result.remove("response");
            });
        })],
    ),
    fault(
        "bulk-errors-without-response",
        &[],
        "The result of an operation that failed holds its status only.",
        "administrators, who learn nothing of the cause",
        &["RFC7644-3.7-14", "RFC7644-3.7-17"],
        &[At(|seen, answer| {
            each_result(seen, answer, |result| {
                result.remove("response");
            });
        })],
    ),
    fault(
        "bulk-errors-without-detail",
        &[],
        "The error of an operation that failed has no detail.",
        "administrators, who learn nothing of the cause",
        &["RFC7644-3.7.3-04"],
        &[At(|seen, answer| {
            each_result(seen, answer, |result| {
                if let Some(response) = result.get_mut("response").and_then(Value::as_object_mut) {
                    response.shift_remove("detail");
                }
            });
        })],
    ),
    fault(
        "bulk-error-details-as-objects",
        &[],
        "The detail of the error of an operation is an object of a program's own.",
        "administrators, who are shown nothing that they could read",
        &["RFC7644-3.7.3-04"],
        &[At(|seen, answer| {
            each_result(seen, answer, |result| {
                if let Some(response) = result.get_mut("response").and_then(Value::as_object_mut)
                    && response.contains_key("detail")
                {
                    response.insert("detail".to_owned(), json!({ "code": 4711 }));
                }
            });
        })],
    ),
    fault(
        "bulk-fails-as-a-whole",
        &[],
        "A job of which an operation failed is answered with 400, though the others were done.",
        "clients, which send the whole job again",
        &["RFC7644-3.7-18", "RFC7644-3.7.3-07"],
        &[At(|seen, answer| {
            let mut failed = false;
            each_result(seen, answer, |result| failed |= result.contains_key("response"));
            if failed {
                refuse(answer, StatusCode::BAD_REQUEST, None, "an operation failed");
            }
        })],
    ),
    fault(
        "bulk-results-without-bulk-id",
        &[],
        "Results do not repeat the bulkId.",
        "clients, which cannot tell which resource is which",
        &["RFC7644-3.7-21"],
        &[At(|seen, answer| {
            each_result(seen, answer, |result| {
                result.remove("bulkId");
            });
        })],
    ),
    fault(
        "bulk-results-without-location",
        &[],
        "Results do not say where the resource is.",
        "clients, which have to search for what they made",
        &["RFC7644-3.7-13", "RFC7644-3.7.3-02", "RFC7644-3.7.2-03"],
        &[At(|seen, answer| {
            each_result(seen, answer, |result| {
                result.remove("location");
            });
        })],
    ),
    fault(
        "bulk-results-without-method",
        &[],
        "Results do not repeat the method.",
        "clients, which have to count to know what a result is of",
        &["RFC7644-3.7-08"],
        &[At(|seen, answer| {
            each_result(seen, answer, |result| {
                result.remove("method");
            });
        })],
    ),
    fault(
        "bulk-location-relative",
        &[],
        "The location of a result is a path.",
        "clients that follow it as it stands",
        &["RFC7644-3.7-13"],
        &[At(|seen, answer| {
            let base = seen.base.to_owned();
            each_result(seen, answer, |result| {
                let path =
                    result.get("location").and_then(Value::as_str).and_then(|it| it.strip_prefix(&base));
                let path = path.map(Value::from);
                result.extend(path.map(|path| ("location".to_owned(), path)));
            });
        })],
    ),
    fault(
        "bulk-version-of-result-wrong",
        &[],
        "The version of a result is not that of the resource.",
        "clients, whose next write is refused",
        &["RFC7644-3.7.2-03"],
        &[At(|seen, answer| {
            each_result(seen, answer, |result| {
                if result.contains_key("version") {
                    result.insert("version".to_owned(), "W/\"0\"".into());
                }
            });
        })],
    ),
    fault(
        "bulk-version-ignored",
        &["DEF-214"],
        "The version of an operation is not looked at.",
        "people whose changes are overwritten",
        &["RFC7644-3.7-10", "RFC7644-3.7.3-07"],
        &[Step(|step| step.version = None)],
    ),
    fault(
        "bulk-response-of-the-request-schema",
        &[],
        "The schemas of the answer say BulkRequest.",
        "clients that go by schemas",
        &["RFC7644-3.7-04"],
        &[At(|seen, answer| {
            if let Some(body) = bulk_response(seen, answer) {
                body.insert("schemas".to_owned(), json!([names::BULK_REQUEST]));
            }
        })],
    ),
    fault(
        "bulk-creates-only",
        &[],
        "PUT, PATCH and DELETE are answered with success, and nothing is done.",
        "people who leave and keep their accounts",
        &["RFC7644-3.7-02", "RFC7644-3.7.3-05"],
        &[Step(|step| {
            if !step.sent.is_post() && step.answer.is_none() {
                step.answer = Some(Answer::empty(StatusCode::NO_CONTENT));
            }
        })],
    ),
    fault(
        "bulk-any-method",
        &[],
        "An operation with the method GET is answered with 200.",
        "clients that read so from this provider, and from no other",
        &["RFC7644-3.7-02"],
        &[Step(|step| {
            if step.sent.method.as_deref() == Some("GET") {
                step.answer = Some(Answer::empty(StatusCode::OK));
            }
        })],
    ),
    fault(
        "bulk-any-path",
        &[],
        "An operation on a path that leads nowhere is answered with 200.",
        "clients whose changes were never made",
        &["RFC7644-3.7-11"],
        &[At(|seen, answer| {
            each_result(seen, answer, |result| {
                let lost = result.get("status").and_then(Value::as_str) == Some("404");
                if lost && result.get("method").and_then(Value::as_str) == Some("PUT") {
                    result.insert("status".to_owned(), "200".into());
                    result.remove("response");
                }
            });
        })],
    ),
    fault(
        "bulk-malformed-accepted",
        &["DEF-208"],
        "A message that is no BulkRequest is answered with 200 and no results.",
        "clients with a defect that nobody tells them of",
        &["RFC7644-3.7-07", "RFC7644-3.7-18"],
        &[At(|seen, answer| {
            if *seen.endpoint == Endpoint::Bulk && answer.status == StatusCode::BAD_REQUEST {
                let body = json!({ "schemas": [names::BULK_RESPONSE], "Operations": [] });
                *answer = Answer::json(StatusCode::OK, body);
            }
        })],
    ),
    fault(
        "bulk-needs-no-credentials",
        &["DEF-281"],
        "A bulk job is done for anybody.",
        "everybody: a stranger can delete all accounts",
        &["RFC7642-4-02"],
        &[Asked(|request| {
            if is_bulk(request) {
                request.credentials = Credentials::Valid;
            }
        })],
    ),
    fault(
        "bulk-answers-500",
        &[],
        "A job of which an operation failed is answered with 500.",
        "clients, which send it again and again",
        &["RFC7644-3.7-18", "RFC7644-3.7-19"],
        &[At(|seen, answer| {
            let mut failed = false;
            each_result(seen, answer, |result| failed |= result.contains_key("response"));
            if failed {
                refuse(answer, StatusCode::INTERNAL_SERVER_ERROR, None, "an operation failed");
                set_status(answer, StatusCode::INTERNAL_SERVER_ERROR);
            }
        })],
    ),
];

impl BulkJob {
    /// Has every operation run by itself, as they stand.
    fn in_given_order(&mut self) {
        self.groups = (0..self.request.operations.len()).map(|index| vec![index]).collect();
    }

    fn is_too_large(&self) -> bool {
        self.refusal.as_ref().is_some_and(|refusal| refusal.status == 413)
    }
}

impl BulkStep<'_> {
    fn refers(&self) -> bool {
        !self.sent.references().is_empty()
    }

    fn refuse(&mut self, status: StatusCode, detail: &str) {
        let mut answer = Answer::empty(status);
        refuse(&mut answer, status, None, detail);
        self.answer = Some(answer);
    }

    /// Lets the references in the data stand, whether or not they can be resolved.
    fn keep_references(&mut self) {
        if self.refers() {
            self.data.clone_from(&self.sent.data);
            self.answer = self.sent.problem.as_ref().and(self.answer.take());
        }
    }
}

impl Change<'_> {
    /// Stores members that are references instead of refusing them.
    fn store_references(&mut self) {
        let refers = self.sent.get("members").is_some_and(|members| members.to_string().contains(REFERENCE));
        if refers && self.after.is_none() {
            self.refusal = None;
            self.after = Some(self.sent.clone());
        }
    }
}

fn is_bulk(request: &super::super::message::Request) -> bool {
    request.path_below() == "Bulk"
}

/// The BulkResponse of an answer.
fn bulk_response<'a>(seen: &Seen<'_>, answer: &'a mut Answer) -> Option<&'a mut Map<String, Value>> {
    if *seen.endpoint == Endpoint::Bulk && answer.status == StatusCode::OK { object(answer) } else { None }
}

/// Changes each result of a BulkResponse.
pub(super) fn each_result(seen: &Seen<'_>, answer: &mut Answer, change: impl FnMut(&mut Map<String, Value>)) {
    let operations = bulk_response(seen, answer).and_then(|body| body.get_mut("Operations"));
    if let Some(Value::Array(results)) = operations {
        results.iter_mut().filter_map(Value::as_object_mut).for_each(change);
    }
}
