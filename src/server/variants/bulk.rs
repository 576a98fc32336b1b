//! Bulk jobs and their results (RFC 7644 §3.7) where the RFC leaves the choice.

use serde_json::{Map, Value, json};

use super::super::endpoint::Endpoint;
use super::super::fault::{Rewrite, Seen};
use super::super::message::Answer;
use super::super::represent::Representer;
use super::super::rewrite::object;
use super::super::variant::VariantEntry;
use super::rewriting;
use Rewrite::Answer as At;

pub(super) const VARIANTS: &[VariantEntry] = &[
    rewriting(
        "bulk-status-as-an-object",
        &["AMB-120"],
        "The status of an operation is an object with its code, not a text.",
        "RFC 7644 section 3.7.3: the status attribute includes the code attribute; its examples have a text; a warning",
        &[At(|seen, answer| {
            each_result(seen, answer, |_, result| {
                if let Some(code) = result.get("status").cloned() {
                    result.insert("status".to_owned(), json!({ "code": code }));
                }
            });
        })],
    ),
    rewriting(
        "bulk-results-with-resources",
        &["AMB-120"],
        "The result of an operation that succeeded holds the resource as it is at the end of the job.",
        "RFC 7644 section 3.7: response is the body of the answer; it may be left out where the status is a success",
        &[At(|seen, answer| {
            each_result(seen, answer, |seen, result| {
                let location = result.get("location").and_then(Value::as_str).unwrap_or_default();
                let is_success =
                    result["status"].as_str().is_some_and(|status| matches!(status, "200" | "201"));
                let id = location.rsplit('/').next().unwrap_or_default();
                if let Some(record) = seen.store.get(id).filter(|_| is_success) {
                    let representer = Representer { store: seen.store, base: seen.base };
                    result.insert("response".to_owned(), representer.resource(record));
                }
            });
        })],
    ),
    rewriting(
        "bulk-order-kept",
        &["AMB-122"],
        "Operations run in the order of the job, and one that refers to a later one fails with 409.",
        "RFC 7644 section 3.7.1: a service provider tries to resolve references to later operations, and may stop with 409; a warning",
        &[Rewrite::Bulk(|job| {
            let mut order = job.groups.concat();
            order.sort_unstable();
            job.groups = order.into_iter().map(|index| vec![index]).collect();
        })],
    ),
    rewriting(
        "bulk-deletes-without-location",
        &["AMB-127"],
        "The result of a delete, and that of a write that failed, has no location.",
        "RFC 7644 section 3.7: location is required but for a POST that failed; a warning, because nothing is there any more",
        &[At(|seen, answer| {
            each_result(seen, answer, |_, result| {
                let is_success = result["status"].as_str().is_some_and(|status| status.starts_with('2'));
                if !is_success || result.get("method").is_some_and(|method| method == "DELETE") {
                    result.shift_remove("location");
                }
            });
        })],
    ),
];

/// Changes each result of a bulk job.
fn each_result(seen: &Seen<'_>, answer: &mut Answer, change: impl Fn(&Seen<'_>, &mut Map<String, Value>)) {
    if *seen.endpoint == Endpoint::Bulk && answer.status.is_success() {
        let results = object(answer).and_then(|body| body.get_mut("Operations")?.as_array_mut());
        results
            .into_iter()
            .flatten()
            .filter_map(Value::as_object_mut)
            .for_each(|result| change(seen, result));
    }
}
