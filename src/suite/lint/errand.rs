//! Looks at the steps that ask for more than a request: hooks, bursts, pauses, and what a request makes on the side.

use super::super::model::{Action, Auth, Burst, Case, Expect, Permission, Step, Tally, Wait};
use super::super::template;
use super::Report;
use super::case::one_of;
use super::names::{Condition, Names};

/// What a hook is told; and what only a hook is told.
pub(super) fn hook(
    report: &mut Report<'_>,
    names: &Names<'_>,
    path: &str,
    step: &Step,
    condition: &Condition,
) {
    let at = |key: &str| format!("{path}.{key}");
    if let Some(name) = &step.hook {
        let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        if name.is_empty() || !name.chars().all(fits) {
            let hint = Some("such as `accept-invitation`".to_owned());
            let message = format!("`{name}` cannot be the name of a hook: small letters, digits and - only");
            report.error(&at("hook"), message, hint);
        }
        if step.expect.is_some() {
            let hint = Some("look at what it did with a request of the next step".to_owned());
            report.key_error(&at("expect"), "a hook has no answer that could be judged", hint);
        }
    }
    for (key, text) in &step.with {
        let path = format!("{path}.with.{key}");
        let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
        if key.is_empty() || !key.chars().all(fits) {
            let message = format!("`{key}` cannot become the name of a variable");
            report.key_error(&path, message, Some("letters, digits, - and _".to_owned()));
        }
        names.text(report, &path, text, condition);
    }
    let idle = [
        ("with", !step.with.is_empty()),
        ("gives", !step.gives.is_empty()),
        ("within", step.within.is_some()),
    ];
    for (key, _) in idle.into_iter().filter(|(_, present)| *present && step.hook.is_none()) {
        report.key_error(&at(key), format!("`{key}` has no `hook` to belong to"), None);
    }
}

/// A burst disturbs others, and its numbers mean something only where nothing else is sent.
pub(super) fn burst(
    report: &mut Report<'_>,
    names: &Names<'_>,
    case: &Case,
    path: &str,
    burst: &Burst,
    condition: &Condition,
) {
    let at = |key: &str| format!("{path}.{key}");
    let Burst { send, until, at_most, within } = burst;
    if !case.allow.contains(&Permission::Disruptive) {
        let hint = Some("add `allow: [disruptive]` to the case".to_owned());
        report.key_error(path, "a burst takes a service provider's limit away from everybody", hint);
    }
    if !case.exclusive {
        let hint = Some("add `exclusive: true` to the case".to_owned());
        report.key_error(path, "a burst counts what it sends, and has to run alone", hint);
    }
    names.text(report, &at("send"), send, condition);
    if send.strip_prefix("GET ").is_none_or(|target| !target.starts_with('/')) {
        let hint = Some("such as `GET /Users?startIndex=1`".to_owned());
        report.error(&at("send"), "a burst only reads", hint);
    }
    if until.0.is_empty() {
        report.key_error(&at("until"), "nothing ends this burst", Some("such as [429]".to_owned()));
    }
    if !(1..=10_000).contains(at_most) {
        report.error(&at("at-most"), "a burst has between 1 and 10000 requests", None);
    }
    if within.is_zero() {
        report.error(&at("within"), "no time at all is too short", None);
    }
}

/// A pause.
pub(super) fn wait(report: &mut Report<'_>, path: &str, step: &Step, wait: &Wait) {
    let Wait { retry_after, time, at_most } = wait;
    one_of(report, path, &[("retry-after", *retry_after), ("for", time.is_some())]);
    if let (Some(time), Some(most)) = (time, at_most)
        && most < time
    {
        report.error(&format!("{path}.at-most"), "it waits for longer than this", None);
    }
    if step.expect.is_some() {
        report.key_error(path, "a pause has no answer that could be judged", None);
    }
}

/// Which step has many answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Many {
    None,
    Burst,
    Parallel,
}

/// How many answers divide: of a burst, beside what ended it; of parallel requests, in each block.
pub(super) fn tallies(report: &mut Report<'_>, path: &str, expect: &Expect, many: Many) {
    let also =
        || expect.also.iter().enumerate().map(|(index, block)| (format!("{path}.also[{index}]"), block));
    match many {
        Many::None => {
            for (path, block) in [(path.to_owned(), expect)].into_iter().chain(also()) {
                if !block.tally.is_empty() {
                    let hint = Some("only `burst` and `parallel` have many answers".to_owned());
                    report.key_error(
                        &format!("{path}.tally"),
                        "there is one answer, and nothing to count",
                        hint,
                    );
                }
            }
        }
        Many::Burst => {
            tally(report, path, expect, " of the burst");
            for (path, _) in also().filter(|(_, block)| !block.tally.is_empty()) {
                let hint = Some("put it beside `also`".to_owned());
                report.key_error(&format!("{path}.tally"), "`also` judges what ended the burst", hint);
            }
        }
        Many::Parallel => {
            for (path, block) in [(path.to_owned(), expect)].into_iter().chain(also()) {
                tally(report, &path, block, "");
                let judges_one = !block.block().is_empty()
                    || !block.any.is_empty()
                    || !block.never.is_empty()
                    || block.snapshot.is_some();
                if judges_one {
                    let hint = Some("say it of a read that follows".to_owned());
                    report.key_error(&path, "many answers are counted by a `tally`, and nothing else", hint);
                }
            }
        }
    }
}

fn tally(report: &mut Report<'_>, path: &str, expect: &Expect, of_what: &str) {
    if expect.tally.is_empty() {
        let hint = Some("add `tally`: how many answers of which status".to_owned());
        report.key_error(path, format!("how the answers{of_what} divide is not judged"), hint);
    }
    let mut rests = 0;
    for (index, tally) in expect.tally.iter().enumerate() {
        let path = format!("{path}.tally[{index}]");
        let Tally { name: _, status, error, exactly, at_least, at_most, rest, verdict: _, strict: _ } = tally;
        one_of(report, &path, &[("status", status.is_some()), ("error", error.is_some())]);
        let counts = exactly.is_some() || at_least.is_some() || at_most.is_some();
        match (rest, counts) {
            (true, true) => report.key_error(
                &format!("{path}.rest"),
                "`rest` says that all others are of this kind, and counts none",
                Some("leave the number out".to_owned()),
            ),
            (false, false) => report.key_error(
                &path,
                "no number of answers can break this",
                Some("add `exactly`, `at-least`, `at-most` or `rest: true`".to_owned()),
            ),
            _ => {}
        }
        if exactly.is_some() && (at_least.is_some() || at_most.is_some()) {
            report.key_error(
                &format!("{path}.exactly"),
                "`exactly` leaves nothing to the other bounds",
                None,
            );
        }
        if *at_least == Some(0) {
            report.error(&format!("{path}.at-least"), "no number of answers can break this", None);
        }
        rests += u32::from(*rest);
        if rests > 1 && *rest {
            report.key_error(&format!("{path}.rest"), "there is one rest, and it is named already", None);
        }
    }
}

/// What a request makes on the side.
pub(super) fn creates(
    report: &mut Report<'_>,
    names: &Names<'_>,
    path: &str,
    step: &Step,
    action: &Action<'_>,
    condition: &Condition,
) {
    for (index, made) in step.creates.iter().enumerate() {
        let path = format!("{path}.creates[{index}]");
        names.text(report, &path, made, condition);
        let writes = matches!(action, Action::Send { line, .. } if !line.starts_with("GET "));
        if !writes {
            report.error(&path, "only a request that writes makes anything", None);
        }
        let segments: Vec<&str> = made.split('/').collect();
        let refers = segments.get(2).is_some_and(|id| template::references(id).next().is_some());
        if segments.len() != 3 || !made.starts_with('/') || !refers {
            let hint = Some("such as `/Users/${mail}`, with a fresh value".to_owned());
            report.error(&path, format!("`{made}` is not the path of a new resource"), hint);
        }
    }
}

/// There are old credentials only after a hook of the same case has replaced them, and whoever replaces them must not
/// have others run beside him.
pub(super) fn old_credentials(report: &mut Report<'_>, base: &str, case: &Case) {
    let mut hooked = case.setup.iter().any(|step| step.hook.is_some());
    for (index, step) in case.steps.iter().enumerate() {
        hooked |= step.hook.is_some();
        if step.auth != Some(Auth::Old) {
            continue;
        }
        let path = format!("{base}.steps[{index}].auth");
        if !hooked {
            let hint = Some("a `hook` that gives a `token` replaces them".to_owned());
            report.error(&path, "there are no old credentials before a hook has replaced them", hint);
        }
        if !case.exclusive {
            let hint = Some("add `exclusive: true` to the case".to_owned());
            report.error(&path, "a case that replaces the credentials has to run alone", hint);
        }
    }
}
