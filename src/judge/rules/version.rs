//! Rules about what marks a change: the version of a resource, and the time of its last change. Both hold a read against
//! the write before it, and the read before that.

use chrono::{DateTime, Utc};
use serde_json::Value;

use super::pairs::{Pair, represented, shown};
use super::{Fault, Rule, RuleVerdict, View, success, verdict};
use crate::judge::{kind, words};
use crate::scim::compare::same_value;
use crate::scim::datetime;
use crate::scim::resource::get;
use crate::suite::model::Capability;
use crate::target::exchange::Exchange;

pub const VERSION_FOLLOWS_WRITES: Rule = Rule {
    name: "version-follows-writes",
    subject: "read of a resource with its version after a write",
    judge: version_follows_writes,
};
pub const MODIFIED_NEVER_BACK: Rule = Rule {
    name: "modified-never-back",
    subject: "read of meta.lastModified before and after a write",
    judge: modified_never_back,
};

fn pair<'a>(rule: &str, read: &Exchange, view: &View<'a>) -> Option<Pair<'a>> {
    shown(read)?;
    let pair = view.pairs.pair(read)?;
    let is_about_it = !view.mutes(rule, pair.write.id) && kind::discovery_type(&read.request).is_none();
    is_about_it.then_some(pair)
}

/// The version that an answer shows of its resource: the opaque part, without `W/` and quotes.
fn version(exchange: &Exchange) -> Option<String> {
    let tag = exchange.response()?.header("etag").and_then(opaque);
    tag.or_else(|| version_in(represented(exchange)?))
}

/// The version that a resource shows of itself.
fn version_in(resource: &Value) -> Option<String> {
    opaque(get(get(resource, "meta")?, "version")?.as_str()?)
}

fn opaque(tag: &str) -> Option<String> {
    let tag = tag.trim();
    let tag = tag.strip_prefix("W/").unwrap_or(tag).trim_matches('"');
    (!tag.is_empty()).then(|| tag.to_owned())
}

/// The version in what showed the resource before: a read of it, or a row of a list, which has no header for it.
fn version_before(exchange: &Exchange, image: &Value) -> Option<String> {
    if shown(exchange).is_some() { version(exchange) } else { version_in(image) }
}

fn modified(resource: &Value) -> Option<(DateTime<Utc>, &str)> {
    let text = get(get(resource, "meta")?, "lastModified")?.as_str()?;
    Some((datetime::parse(text)?.utc, text))
}

/// Whether two reads show the same but for meta.
fn is_same(left: &Value, right: &Value) -> bool {
    let without = |resource: &Value| {
        let mut resource = resource.clone();
        if let Some(members) = resource.as_object_mut() {
            members.retain(|name, _| !name.eq_ignore_ascii_case("meta"));
        }
        resource
    };
    same_value(&without(left), &without(right), None)
}

fn version_follows_writes(read: &Exchange, view: &View<'_>) -> RuleVerdict {
    const RULE: &str = "version-follows-writes";
    if !view.claims(Capability::Etag) {
        return RuleVerdict::NotEligible;
    }
    let Some(Pair { write, before }) = pair(RULE, read, view) else { return RuleVerdict::NotEligible };
    let (Some(now), Some(resource)) = (version(read), shown(read)) else { return RuleVerdict::NotEligible };
    let method = write.request.method.as_str();
    let mut faults = Vec::new();
    if success(write).is_some() {
        // An answer that shows something else is another rule's; then its version says nothing either.
        let told = version(write).filter(|_| represented(write).is_some_and(|answer| is_same(answer, resource)));
        let is_told = told.is_some();
        if let Some(told) = told.filter(|told| *told != now) {
            let fault = Fault::new(
                format!(
                    "the version is {}, and {} in the answer to {} ({})",
                    words::quote(&now),
                    words::quote(&told),
                    words::subject(write),
                    write.id
                ),
                format!("the version {}", words::quote(&told)),
                format!("the version {}", words::quote(&now)),
            )
            .class(format!("version of the answer to {method}"), "other version")
            .breaks(match method {
                "POST" => &["RFC7644-3.3-12"],
                "PUT" => &["RFC7644-3.5.1-14"],
                _ => &["RFC7644-3.14-08"],
            });
            faults.push(fault);
        }
        let then = before.and_then(|(before, image)| Some((before, version_before(before, image)?, image)));
        if let Some((before, then, image)) = then
            && then == now
            && !is_same(image, resource)
        {
            let fault = Fault::new(
                format!(
                    "the resource changed, and its version is {} as in {}",
                    words::quote(&now),
                    before.id
                ),
                "another version",
                format!("the version {}", words::quote(&now)),
            )
            .class(format!("other version after {method}"), "same version")
            .breaks(&["RFC7644-3.14-08"]);
            // Versions made of whole seconds are late, and not frozen.
            let same_second =
                modified(image).zip(modified(resource)).is_some_and(|(then, now)| then.0 == now.0);
            faults.push(if same_second { fault.warning() } else { fault });
        }
        return if is_told || !faults.is_empty() { verdict(RULE, read, faults) } else { RuleVerdict::NotEligible };
    }
    let is_refused = write.status().is_some_and(|status| (400..500).contains(&status) && status != 429);
    let then = before.filter(|_| is_refused);
    let Some((before, then)) = then.and_then(|(it, image)| Some((it, version_before(it, image)?))) else {
        return RuleVerdict::NotEligible;
    };
    if then != now {
        let fault = Fault::new(
            format!(
                "the version is {} after {} was refused, and was {} in {}",
                words::quote(&now),
                words::subject(write),
                words::quote(&then),
                before.id
            ),
            format!("the version {}", words::quote(&then)),
            format!("the version {}", words::quote(&now)),
        )
        .class(format!("version as before a refused {method}"), "other version")
        .warning();
        faults.push(fault);
    }
    verdict(RULE, read, faults)
}

fn modified_never_back(read: &Exchange, view: &View<'_>) -> RuleVerdict {
    const RULE: &str = "modified-never-back";
    let Some(Pair { write, before: Some((before, image)) }) = pair(RULE, read, view) else {
        return RuleVerdict::NotEligible;
    };
    let (Some((now, now_text)), Some((then, then_text))) = (shown(read).and_then(modified), modified(image))
    else {
        return RuleVerdict::NotEligible;
    };
    if now >= then {
        return RuleVerdict::Held;
    }
    let fault = Fault::new(
        format!(
            "meta.lastModified is {} after {} ({}), and was {} before it ({})",
            words::quote(now_text),
            words::subject(write),
            write.id,
            words::quote(then_text),
            before.id
        ),
        format!("{} or later", words::quote(then_text)),
        words::quote(now_text),
    )
    .class("lastModified as before or later", "earlier");
    verdict(RULE, read, vec![fault])
}
