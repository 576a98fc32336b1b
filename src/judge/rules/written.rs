//! Rules that hold a read against the write before it: what was written is what is read, what was refused changed
//! nothing, what a write answered is true, and what a resource never loses.
//!
//! What a write has to lead to is for the oracle to say ([`oracle::written`](crate::oracle::written)), and which
//! exchanges make a pair; here a departure becomes a finding.

use super::pairs::{Pair, id_in_path, represented, shown};
use super::{Fault, Rule, RuleVerdict, View, success, verdict};
use crate::judge::body::without_indexes;
use crate::judge::{kind, words};
use crate::oracle::written::{Departure, Grade, OPERATIONS, Write, departures};
use crate::outcome::{Difference, Severity};
use crate::scim::datetime;
use crate::scim::definition::ResourceDefinition;
use crate::scim::resource::get;
use crate::target::exchange::Exchange;

pub const WRITTEN_IS_READ: Rule =
    Rule { name: "written-is-read", subject: "read of what was written before", judge: written_is_read };
pub const REFUSED_CHANGES_NOTHING: Rule = Rule {
    name: "refused-changes-nothing",
    subject: "read before and after a write that was refused",
    judge: refused_changes_nothing,
};
pub const WRITE_ANSWER_IS_READ: Rule = Rule {
    name: "write-answer-is-read",
    subject: "read of what the answer to a write showed",
    judge: write_answer_is_read,
};
pub const CREATED_STAYS: Rule =
    Rule { name: "created-stays", subject: "resource shown twice with meta.created", judge: created_stays };
pub const DELETED_IS_GONE: Rule =
    Rule { name: "deleted-is-gone", subject: "read of a deleted resource", judge: deleted_is_gone };

/// The most departures of one read that become findings of their own.
const MAX_FAULTS: usize = 8;

/// A read with the write before it, where the rule is to speak about both.
struct Seen<'a> {
    pair: Pair<'a>,
    definition: &'a ResourceDefinition,
}

fn seen<'a>(rule: &str, read: &Exchange, view: &View<'a>) -> Option<Seen<'a>> {
    let pair = view.pairs.pair(read)?;
    if view.mutes(rule, pair.write.id) || kind::discovery_type(&read.request).is_some() {
        return None;
    }
    let definition = view.definitions.by_endpoint(read)?;
    Some(Seen { pair, definition })
}

fn written_is_read(read: &Exchange, view: &View<'_>) -> RuleVerdict {
    const RULE: &str = "written-is-read";
    let Some(Seen { pair, definition }) = seen(RULE, read, view) else { return RuleVerdict::NotEligible };
    let write = pair.write;
    let method = write.request.method.as_str();
    if success(write).is_none() || !matches!(write.status(), Some(200 | 201 | 204)) {
        return RuleVerdict::NotEligible;
    }
    let Some(resource) = shown(read) else {
        // A read of our own asks with the right credentials for what has just been written.
        let is_lost = read.reason.is_some() && matches!(read.status(), Some(404 | 410)) && method != "DELETE";
        if !is_lost {
            return RuleVerdict::NotEligible;
        }
        let status = words::status(read.status().unwrap_or_default());
        let fault = Fault::new(
            format!("the resource cannot be read after {} succeeded ({})", words::subject(write), write.id),
            "200 (OK) with the resource",
            &*status,
        )
        .class(format!("{method} resource"), "not found")
        .breaks(if method == "POST" { &["RFC7644-3.3-01"] } else { &["RFC7643-7-21"] });
        return told(RULE, read, &pair, vec![fault]);
    };
    let Some(sent) = write.request.json() else { return RuleVerdict::NotEligible };
    let before = pair.before.map(|(_, before)| before);
    let wrote = match (method, before) {
        // A POST to a resource is none that SCIM defines.
        ("POST", _) if id_in_path(&write.request.path).is_none() => Write::Create { sent: &sent },
        ("PUT", before) => Write::Replace { sent: &sent, before },
        ("PATCH", Some(before)) => Write::Patch { sent: &sent, before },
        _ => return RuleVerdict::NotEligible,
    };
    judged(RULE, read, &pair, view, departures(&wrote, resource, definition))
}

fn refused_changes_nothing(read: &Exchange, view: &View<'_>) -> RuleVerdict {
    const RULE: &str = "refused-changes-nothing";
    let Some(Seen { pair, definition }) = seen(RULE, read, view) else { return RuleVerdict::NotEligible };
    let is_refused = pair.write.status().is_some_and(|status| (400..500).contains(&status) && status != 429);
    let Some((_, before)) = pair.before.filter(|_| is_refused) else {
        return RuleVerdict::NotEligible;
    };
    let Some(resource) = shown(read) else {
        let is_lost = read.reason.is_some() && matches!(read.status(), Some(404 | 410));
        if !is_lost {
            return RuleVerdict::NotEligible;
        }
        let fault = Fault::new(
            format!(
                "the resource is gone after {} was refused ({})",
                words::subject(pair.write),
                pair.write.id
            ),
            "the resource as it was",
            words::status(read.status().unwrap_or_default()),
        )
        .class(format!("{} resource", pair.write.request.method), "not found");
        return told(RULE, read, &pair, vec![fault]);
    };
    let requirements: &[&str] = match pair.write.request.method.as_str() {
        "PUT" => &["RFC7644-3.5.1-17"],
        _ => &["RFC7644-3.5.2-19", "RFC7644-3.5.2-20"],
    };
    let departures = departures(&Write::Refused { before }, resource, definition).map(|mut all| {
        all.iter_mut().for_each(|departure| departure.requirements = requirements);
        all
    });
    judged(RULE, read, &pair, view, departures)
}

fn write_answer_is_read(read: &Exchange, view: &View<'_>) -> RuleVerdict {
    const RULE: &str = "write-answer-is-read";
    let Some(Seen { pair, definition }) = seen(RULE, read, view) else { return RuleVerdict::NotEligible };
    let (Some(answer), Some(resource)) = (represented(pair.write), shown(read)) else {
        return RuleVerdict::NotEligible;
    };
    let create = pair.write.request.method == "POST";
    judged(RULE, read, &pair, view, departures(&Write::Answered { answer, create }, resource, definition))
}

fn created_stays(exchange: &Exchange, view: &View<'_>) -> RuleVerdict {
    let created = |exchange: &Exchange| {
        let text = get(get(represented(exchange)?, "meta")?, "created")?.as_str()?.to_owned();
        Some((datetime::parse(&text)?.utc, text))
    };
    let Some((now, now_text)) = created(exchange) else { return RuleVerdict::NotEligible };
    let Some(first) = view.pairs.first_shown(exchange) else { return RuleVerdict::NotEligible };
    let Some((then, then_text)) = created(first) else { return RuleVerdict::NotEligible };
    // The answer to a write may print other digits of a second than a read; two reads print the same.
    let are_reads = shown(exchange).is_some() && shown(first).is_some() && now_text.len() == then_text.len();
    let tolerated = if are_reads { 0 } else { 999 };
    if (now - then).num_milliseconds().abs() <= tolerated {
        return RuleVerdict::Held;
    }
    let fault = Fault::new(
        format!(
            "meta.created is {}, and was {} in {}",
            words::quote(&now_text),
            words::quote(&then_text),
            first.id
        ),
        words::quote(&then_text),
        words::quote(&now_text),
    )
    .class("meta.created as before", "another time");
    beside(verdict("created-stays", exchange, vec![fault]), [first.id])
}

fn deleted_is_gone(read: &Exchange, view: &View<'_>) -> RuleVerdict {
    const RULE: &str = "deleted-is-gone";
    if let Some(delete) = view.pairs.deleted_before(read) {
        let message = format!("the new resource has the id of one that was deleted before ({})", delete.id);
        let fault = Fault::new(message, "an id that no resource ever had", "the id of a deleted resource")
            .class("new id", "id of a deleted resource")
            .breaks(&["RFC7643-3.1-08"]);
        return beside(verdict(RULE, read, vec![fault]), [delete.id]);
    }
    let Some(Seen { pair, .. }) = seen(RULE, read, view) else { return RuleVerdict::NotEligible };
    let is_deleted = pair.write.request.method == "DELETE" && matches!(pair.write.status(), Some(200 | 204));
    let Some(status) = read.status().filter(|_| is_deleted) else { return RuleVerdict::NotEligible };
    let fault = match status {
        404 => return RuleVerdict::Held,
        410 => {
            Fault::new("a deleted resource is 410, where 404 is due", "404 (Not Found)", words::status(410))
                .class("404", "status 410")
                .warning()
        }
        200..=299 => {
            let message = format!("the resource is still there after it was deleted ({})", pair.write.id);
            Fault::new(message, "404 (Not Found)", words::status(status))
                .class("404", format!("status {status}"))
        }
        // Who is not let in is told nothing; what breaks is for other rules.
        _ => return RuleVerdict::NotEligible,
    };
    told(RULE, read, &pair, vec![fault])
}

/// The verdict on a read that departs from what it should show.
fn judged(
    rule: &str,
    read: &Exchange,
    pair: &Pair<'_>,
    view: &View<'_>,
    departures: Option<Vec<Departure>>,
) -> RuleVerdict {
    let Some(mut departures) = departures else { return RuleVerdict::NotEligible };
    departures.sort_by_key(|departure| std::cmp::Reverse(departure.grade));
    let rest: Vec<Difference> = departures.iter().skip(MAX_FAULTS).map(words::departure).collect();
    let mut faults = departures
        .into_iter()
        .take(MAX_FAULTS)
        .map(|departure| {
            let difference = words::departure(&departure);
            let write = words::subject(pair.write);
            let path = without_indexes(&departure.path);
            let dispute = departure.dispute.map(|dispute| format!(" ({dispute})")).unwrap_or_default();
            let message = if departure.path == OPERATIONS {
                format!("{write} succeeded ({}), though {}{dispute}", pair.write.id, departure.why)
            } else {
                format!(
                    "{} is {} after {write} ({}), expected {}: {}{dispute}",
                    departure.path, difference.actual, pair.write.id, difference.expected, departure.why
                )
            };
            let mut fault = Fault::new(
                message,
                format!("{}: {}", difference.path, difference.expected),
                format!("{}: {}", difference.path, difference.actual),
            )
            .class(
                format!(
                    "{} {path} {}",
                    pair.write.request.method,
                    words::class_of(departure.expected.as_ref())
                ),
                format!("{path} {}: {}", words::class_of(departure.actual.as_ref()), departure.why),
            )
            .breaks(departure.requirements);
            fault.differences = vec![difference];
            match departure.grade {
                Grade::Failure => fault,
                Grade::FailureIfStrict => fault.warning_unless_strict(view),
                Grade::Warning => fault.warning(),
                Grade::Note => Fault { severity: Some(Severity::Note), ..fault },
            }
        })
        .collect::<Vec<_>>();
    if let Some(last) = faults.last_mut().filter(|_| !rest.is_empty()) {
        last.message.push_str(&format!("; and {} more", rest.len()));
        last.differences.extend(rest);
    }
    told(rule, read, pair, faults)
}

/// The verdict with the exchanges that the read was held against.
fn told(rule: &str, read: &Exchange, pair: &Pair<'_>, faults: Vec<Fault>) -> RuleVerdict {
    beside(
        verdict(rule, read, faults),
        pair.before.map(|(before, _)| before.id).into_iter().chain([pair.write.id]),
    )
}

fn beside(
    verdict: RuleVerdict,
    exchanges: impl IntoIterator<Item = crate::target::exchange::ExchangeId>,
) -> RuleVerdict {
    match verdict {
        RuleVerdict::Broke(findings) => {
            RuleVerdict::BrokeBeside { findings, beside: exchanges.into_iter().collect() }
        }
        other => other,
    }
}
