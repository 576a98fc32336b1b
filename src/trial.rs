//! libtest-mimic in front of the executor: one trial a part, which waits for its outcome and prints it.
//!
//! The trials run nothing themselves, so that phases, concurrency and clean-up are the executor's alone.
//! This module refuses to know reports: what a failure looks like is handed in.

use std::sync::Arc;

use libtest_mimic::{Arguments, Completion, Failed, FormatSetting, Trial};

use crate::outcome::{Outcome, Verdict};
use crate::run::board::Board;

/// How an outcome that is no pass is described under its name.
pub type Describe = Arc<dyn Fn(&Outcome) -> String + Send + Sync>;

/// A trial for each part, by id and the word that stands before it (its level).
pub fn trials(
    parts: Vec<(String, String)>,
    board: &Arc<Board>,
    describe: &Describe,
    deny_warnings: bool,
) -> Vec<Trial> {
    parts
        .into_iter()
        .map(|(id, kind)| {
            let board = Arc::clone(board);
            let describe = Arc::clone(describe);
            let name = id.clone();
            Trial::ignorable_test(name, move || match board.wait(&id) {
                None => Err(Failed::from("the run ended before this case did")),
                Some(outcome) => conclude(&outcome, &describe, deny_warnings),
            })
            .with_kind(kind)
        })
        .collect()
}

fn conclude(outcome: &Outcome, describe: &Describe, deny_warnings: bool) -> Result<Completion, Failed> {
    match &outcome.verdict {
        // In its printable form: what blocked a case may repeat what the service provider sent.
        Verdict::Skipped { .. } | Verdict::KnownFailure => Ok(Completion::ignored_with(describe(outcome))),
        Verdict::Failed | Verdict::UnexpectedPass | Verdict::Errored { .. } => {
            Err(Failed::from(describe(outcome)))
        }
        Verdict::Warned if deny_warnings => Err(Failed::from(describe(outcome))),
        Verdict::Passed
        | Verdict::Noted
        | Verdict::Warned
        | Verdict::Deviates { .. }
        | Verdict::Inconclusive { .. } => Ok(Completion::Completed),
    }
}

/// The arguments under which the trials are printed: in order, one a line.
pub fn arguments(color: libtest_mimic::ColorSetting) -> Arguments {
    Arguments {
        test_threads: Some(1),
        color: Some(color),
        format: Some(FormatSetting::Pretty),
        ..Arguments::default()
    }
}
