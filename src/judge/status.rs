//! The status of an answer.

use super::bench::{Bench, Wrong};
use super::words;
use crate::outcome::Finding;
use crate::suite::model::{StatusPattern, StatusSet};

/// Judges the status; a server error is never right unless it is written.
pub fn judge(bench: &Bench<'_>, set: &StatusSet, check: &str) -> Option<Finding> {
    let status = bench.response.status;
    if set.contains(status) {
        return None;
    }
    let expected = words::statuses(set);
    Some(bench.broken(Wrong {
        check: "status".to_owned(),
        at: Some(check.to_owned()),
        message: format!("{} answered {}, expected {expected}", bench.subject(), words::status(status)),
        expected,
        actual: words::answer(bench.response),
        expected_class: format!("status {set}"),
        actual_class: format!("status {status}"),
        ..Wrong::default()
    }))
}

/// Judges the status of a block that writes none: success where it looks at a resource or list, anything but
/// a server error otherwise.
pub fn judge_unwritten(bench: &Bench<'_>, success: bool) -> Option<Finding> {
    let status = bench.response.status;
    if success {
        return judge(bench, &StatusSet(vec![StatusPattern::Class(2)]), "");
    }
    (status >= 500).then(|| {
        bench.broken(Wrong {
            check: "status".to_owned(),
            at: Some(String::new()),
            message: format!("{} answered {}, a server error", bench.subject(), words::status(status)),
            expected: "any status but a server error".to_owned(),
            actual: words::answer(bench.response),
            expected_class: "status below 500".to_owned(),
            actual_class: format!("status {status}"),
            ..Wrong::default()
        })
    })
}
