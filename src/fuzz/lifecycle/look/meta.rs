//! Where a resource is, when it changed, and which version it is: what every write has to move, or to leave.

use chrono::TimeDelta;
use serde_json::Value;
use url::Url;

use super::{AT_BIRTH, CLOCKS, Look, Wrote, bare, step_of_clock, version_of, worst};
use crate::fuzz::lifecycle::model::Known;
use crate::fuzz::lifecycle::play::Stop;
use crate::fuzz::lifecycle::problem::Problem;
use crate::fuzz::lifecycle::step::Kind;
use crate::oracle::written::{Write, departures};
use crate::scim::datetime;
use crate::scim::definition::ResourceDefinition;
use crate::scim::resource::get;
use crate::target::exchange::Exchange;

impl Look<'_> {
    /// A create says where the resource is, in its header and in its body alike (AMB-13, AMB-90).
    pub(super) fn location(
        &self,
        created: &Exchange,
        answer: Option<&Value>,
        state: &Value,
    ) -> Result<(), Stop> {
        let header = created.response().and_then(|response| response.header("Location"));
        let Some(header) = header else {
            let message = format!("{}: the answer has no Location", self.step);
            return Err(self
                .problem("Location", message, created.id)
                .told("Location with the address of the resource", "none")
                .breaks(&["RFC7644-3.3-09"])
                .into());
        };
        let said = |resource: &Value| get(get(resource, "meta")?, "location")?.as_str().map(str::to_owned);
        let Some(said) = answer.and_then(said).or_else(|| said(state)) else { return Ok(()) };
        if Url::parse(&created.request.url).is_ok_and(|request| self.is_one_place(&request, header, &said)) {
            return Ok(());
        }
        let message = format!("{}: Location and meta.location differ", self.step);
        Err(self
            .problem("Location", message, created.id)
            .told(format!("Location: {said}"), format!("Location: {header}"))
            .breaks(&["RFC7644-3.3-09", "RFC7643-3.1-24"])
            .into())
    }

    /// Whether two references lead to one place. Whatever is relative is so to the base URL, or to the request.
    pub(super) fn is_one_place(&self, request: &Url, header: &str, said: &str) -> bool {
        let places = |text: &str| -> Vec<Url> {
            let folder = Url::parse(&format!("{}/", self.base.as_str().trim_end_matches('/')));
            let bases = folder.ok().into_iter().chain([request.clone()]);
            let trimmed = |url: Url| {
                let path = url.path().trim_end_matches('/').to_owned();
                let mut url = url;
                url.set_path(&path);
                url
            };
            let joined = bases.filter_map(|base| base.join(text).ok());
            // `/Users/…` is meant below the base URL by those who leave it out (AMB-13).
            let below =
                text.starts_with('/').then(|| format!("{}{text}", self.base.as_str().trim_end_matches('/')));
            joined.chain(below.and_then(|it| Url::parse(&it).ok())).map(trimmed).collect()
        };
        let said = places(said);
        places(header).iter().any(|place| said.contains(place))
    }

    /// `meta.created` stays, and `meta.lastModified` does not go back.
    pub(super) fn times(
        &self,
        known: &Known,
        next: &mut Known,
        (wrote, definition): (&Wrote<'_>, &ResourceDefinition),
        state: &Value,
        read: &Exchange,
    ) -> Result<(), Stop> {
        let exchange = read.id;
        let time = |name: &str| {
            let text = get(get(state, "meta")?, name)?.as_str()?.to_owned();
            Some((datetime::parse(&text)?.utc, text))
        };
        let created = time("created");
        if let (Some((then, then_text)), Some((now, now_text))) = (&known.created, &created)
            && then_text.len() == now_text.len()
            && then != now
        {
            let message = format!("after: {}, meta.created of {} is another one", self.step, self.who);
            return Err(self
                .problem("meta.created", message, exchange)
                .told(format!("meta.created: {then_text}"), format!("meta.created: {now_text}"))
                .breaks(&["RFC7643-3.1-21"])
                .into());
        }
        let modified = time("lastModified");
        if let (Some(then), Some((now, text))) = (known.modified, &modified)
            && (*now - then).num_milliseconds() < -CLOCKS
        {
            let message =
                format!("after: {}, meta.lastModified of {} is earlier than before", self.step, self.who);
            return Err(self
                .problem("meta.lastModified", message, exchange)
                .told(
                    format!("meta.lastModified: {} or later", then.to_rfc3339()),
                    format!("meta.lastModified: {text}"),
                )
                .breaks(&["RFC7643-3.1-22"])
                .into());
        }
        if let (Wrote::Create { .. }, Some((created, created_text)), Some((modified, text))) =
            (wrote, &created, &modified)
            && (*modified - *created).num_milliseconds().abs() >= AT_BIRTH
        {
            let side = if modified < created { "before" } else { "after" };
            let message = format!(
                "after: {}, meta.lastModified of {} lies {side} meta.created, though nothing changed it since",
                self.step, self.who
            );
            return Err(self
                .problem(&format!("lastModified {side} created"), message, exchange)
                .told(format!("meta.lastModified: {created_text}"), format!("meta.lastModified: {text}"))
                .breaks(&["RFC7643-3.1-23"])
                .into());
        }
        if let (Some((then, since)), Some((_, text)), Some(write)) =
            (&known.modified_at, &modified, wrote.exchange())
            && then == text
            && self.who.kind == Kind::User
            && write.started - *since > TimeDelta::from_std(step_of_clock(text)).unwrap_or(TimeDelta::MAX)
            && self.has_changed(known, state, definition)
        {
            let message =
                format!("after: {}, {} has changed, and its meta.lastModified has not", self.step, self.who);
            return Err(self
                .problem("meta.lastModified as before", message, exchange)
                .told(format!("meta.lastModified later than {text}"), format!("meta.lastModified: {text}"))
                .breaks(&["RFC7643-3.1-22", "RFC7644-3.5.1-18"])
                .into());
        }
        next.created = known.created.clone().or(created);
        if let Some((time, text)) = modified {
            let is_known = known.modified_at.as_ref().is_some_and(|(known, _)| *known == text);
            if !is_known {
                let shown = TimeDelta::from_std(read.elapsed).unwrap_or_default();
                next.modified_at = Some((text, read.started + shown));
            }
            next.modified = Some(time);
        }
        Ok(())
    }

    /// Whether a resource is another one than it was, by what clients write to it themselves.
    pub(super) fn has_changed(&self, known: &Known, now: &Value, definition: &ResourceDefinition) -> bool {
        let before = self.without_dead(&known.state);
        !worst(departures(&Write::Refused { before: &before }, &self.without_dead(now), definition))
            .is_empty()
    }

    /// The version is in the header and in the resource alike, and changes when the resource does (AMB-132).
    pub(super) fn version(
        &self,
        known: &Known,
        next: &mut Known,
        wrote: &Wrote<'_>,
        read: &Exchange,
        definition: &ResourceDefinition,
    ) -> Result<Vec<Problem>, Stop> {
        if !self.ground.etag {
            return Ok(Vec::new());
        }
        let header = read.response().and_then(|response| response.header("ETag"));
        let Some(header) = header else {
            let message = format!("a read of {} has no ETag, though etag.supported is true", self.who);
            return Err(self
                .problem("ETag", message, read.id)
                .told("ETag", "none")
                .breaks(&["RFC7644-3.14-02"])
                .into());
        };
        let said = version_of(&next.state);
        if let Some(said) = said.filter(|said| bare(said) != bare(header)) {
            let message = format!("a read of {} has another ETag than meta.version", self.who);
            return Err(self
                .problem("ETag of version", message, read.id)
                .told(format!("ETag: {said}"), format!("ETag: {header}"))
                .breaks(&["RFC7643-3.1-25"])
                .into());
        }
        if let Some(before) = known.tag.as_deref().filter(|_| wrote.is_write()) {
            let has_changed = self.has_changed(known, &next.state, definition);
            if has_changed && bare(before) == bare(header) {
                let message =
                    format!("after: {}, {} has changed, and its version has not", self.step, self.who);
                return Err(self
                    .problem("version", message, read.id)
                    .told(format!("another ETag than {before}"), format!("ETag: {header}"))
                    .breaks(&["RFC7644-3.14-08"])
                    .into());
            }
            if bare(before) != bare(header) {
                next.earlier.retain(|tag| bare(tag) != bare(header));
                // Only a version of another state is one that must not match.
                if has_changed {
                    next.earlier.push(before.to_owned());
                }
            }
        }
        let mut warnings = Vec::new();
        if said.is_none() && self.ground.shows_versions {
            let message = format!("a read of {} has an ETag, and no meta.version", self.who);
            let problem = self.problem("no version", message, read.id);
            let told = problem.told(format!("meta.version: {header}"), "meta.version: nothing");
            warnings.push(told.breaks(&["RFC7644-3.14-03"]).warning());
        }
        // What a write is answered with has to be good for the next one.
        let answered = wrote.exchange().and_then(Exchange::response).and_then(|it| it.header("ETag"));
        let answered = answered.or_else(|| version_of(wrote.answer()?));
        if let Some(answered) = answered.filter(|answered| bare(answered) != bare(header)) {
            let message = format!("{}: the answer has another version than a read", self.step);
            return Err(self
                .problem("answer version", message, read.id)
                .told(format!("version: {header}"), format!("version: {answered}"))
                .breaks(match wrote {
                    Wrote::Create { .. } => &["RFC7644-3.14-04"],
                    Wrote::Replace { .. } => &["RFC7644-3.5.1-14"],
                    _ => &["RFC7644-3.14-08"],
                })
                .into());
        }
        next.tag = Some(header.to_owned());
        next.earlier.retain(|tag| bare(tag) != bare(header));
        Ok(warnings)
    }
}
