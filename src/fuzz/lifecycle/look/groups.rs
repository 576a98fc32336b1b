//! The groups that a user shows: those that have it as a member, and where they are said to be.

use percent_encoding::percent_decode_str;
use serde_json::Value;

use super::Look;
use crate::fuzz::lifecycle::model::Known;
use crate::fuzz::lifecycle::play::Stop;
use crate::fuzz::lifecycle::problem::Problem;
use crate::fuzz::lifecycle::step::Kind;
use crate::judge::same_id;
use crate::scim::resource::{elements, get, is_unassigned};
use crate::target::exchange::ExchangeId;

impl Look<'_> {
    /// The groups that a user shows are those that have it as a member, where it shows any (RFC 7643 section 4.1.2).
    pub(super) fn groups(
        &self,
        known: &Known,
        state: &Value,
        exchange: ExchangeId,
    ) -> Result<Vec<Problem>, Stop> {
        if self.who.kind != Kind::User {
            return Ok(Vec::new());
        }
        let Some(rows) = get(state, "groups").filter(|it| !is_unassigned(it)).map(elements) else {
            return Ok(self.groups_missing(exchange).into_iter().collect());
        };
        let listed: Vec<&str> = rows.iter().filter_map(|group| get(group, "value")?.as_str()).collect();
        let told = |message: String, expected: String, actual: String| {
            self.problem("groups", message, exchange).told(expected, actual).breaks(&["RFC7643-4.1.2-19"])
        };
        let has = |group: &Known| {
            let members = get(&group.state, "members").map(elements).unwrap_or_default();
            members
                .iter()
                .any(|it| get(it, "value").and_then(Value::as_str).is_some_and(|id| same_id(id, &known.id)))
        };
        for (group, of) in self.model.all_living(Kind::Group) {
            let is_listed = listed.iter().any(|id| same_id(id, &of.id));
            if has(of) && !is_listed {
                let message = format!("{} is a member of {group}, which its groups do not show", self.who);
                return Err(told(
                    message,
                    format!("groups with {group}"),
                    format!("groups: {}", listed.join(", ")),
                )
                .about([group])
                .into());
            }
            // A group that does not show its members says nothing.
            if !has(of) && is_listed && of.shows_members {
                let message = format!("{} is no member of {group}, which its groups show", self.who);
                return Err(told(
                    message,
                    format!("groups without {group}"),
                    format!("groups: {}", listed.join(", ")),
                )
                .about([group])
                .into());
            }
        }
        let mut warnings = Vec::new();
        for row in rows {
            let id = get(row, "value").and_then(Value::as_str).unwrap_or_default();
            let Some((group, of)) = self.model.by_id(Kind::Group, id).filter(|(_, of)| has(of)) else {
                continue;
            };
            if let Some(place) = get(row, "$ref").and_then(Value::as_str)
                && !self.leads_to(place, Kind::Group, &of.id)
            {
                let message = format!("$ref of {group} among the groups of {} leads elsewhere", self.who);
                return Err(self
                    .problem("groups.$ref", message, exchange)
                    .told(format!("$ref of {group}"), format!("$ref: {place}"))
                    .breaks(&["RFC7643-4.1.2-24"])
                    .about([group])
                    .into());
            }
            let kind = get(row, "type").and_then(Value::as_str).unwrap_or("direct");
            if !kind.eq_ignore_ascii_case("direct") && warnings.is_empty() {
                let message = format!("{} is a member of {group} itself, and shown as {kind}", self.who);
                warnings.push(
                    self.problem("groups.type", message, exchange)
                        .told("type: direct", format!("type: {kind}"))
                        .breaks(match kind.eq_ignore_ascii_case("indirect") {
                            true => &["RFC7643-4.1.2-21"],
                            false => &["RFC7643-4.1.2-20"],
                        })
                        .about([group])
                        .warning(),
                );
            }
        }
        let dead = self.model.dead(Kind::Group);
        if let Some(id) = listed.iter().find(|id| dead.contains(**id)) {
            let message = format!("the groups of {} show one that was deleted", self.who);
            let group = self.model.ever(Kind::Group, id);
            return Err(told(message, "groups that there are".to_owned(), format!("the deleted {id}"))
                .about(group)
                .into());
        }
        Ok(warnings)
    }

    /// A member of a group that shows no groups at all, though its schema has them (AMB-34).
    pub(super) fn groups_missing(&self, exchange: ExchangeId) -> Option<Problem> {
        let is_member = |group: &Known| self.model.members(group).contains(&self.who);
        let (group, _) = self
            .model
            .all_living(Kind::Group)
            .find(|(_, group)| self.ground.shows_groups && is_member(group))?;
        let message = format!("{} is a member of {group}, and shows no groups", self.who);
        Some(
            self.problem("no groups", message, exchange)
                .told(format!("groups with {group}"), "groups: nothing")
                .breaks(&["RFC7643-4.1.2-19"])
                .about([group])
                .warning(),
        )
    }

    /// Whether a reference ends as the address of a resource does.
    pub(super) fn leads_to(&self, place: &str, kind: Kind, id: &str) -> bool {
        let path = place.split(['?', '#']).next().unwrap_or_default().trim_end_matches('/');
        let mut parts = path.rsplit('/').map(|part| percent_decode_str(part).decode_utf8_lossy());
        let endpoint = self.ground.endpoint(kind).trim_start_matches('/');
        let is_it = parts.next().is_some_and(|last| same_id(&last, id));
        is_it && parts.next().is_none_or(|part| part.eq_ignore_ascii_case(endpoint))
    }
}
