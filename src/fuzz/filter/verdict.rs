//! What an answer to a filter comes to. A finding needs every possible world against it; where the RFCs leave it open,
//! nothing is said.

use std::collections::BTreeSet;

use serde_json::Value;

use super::ask::{Answer, Asked, Found};
use crate::fuzz::dataset::DataSet;
use crate::oracle::world::{Truth, Worlds};
use crate::scim::definition::{Resolved, ResourceDefinition, sub_attribute};
use crate::scim::filter::{Filter, FilterValue};
use crate::scim::path::AttributePath;
use crate::scim::resource::get;
use crate::scim::schema::AttributeType;

/// What is wrong with a list.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Mistake {
    /// The ids of ours that must be there and are not.
    pub missing: Vec<String>,
    /// The ids of ours that must not be there and are.
    pub surplus: Vec<String>,
    /// Rows of others that must not be there, as they are shown.
    pub strangers: Vec<Value>,
    /// Ids that stand there twice.
    pub repeated: Vec<String>,
    /// Whether it is wrong in every reading of the RFCs, and not only in that which the service provider showed before.
    pub is_firm: bool,
}

impl Mistake {
    fn is_none(&self) -> bool {
        self.missing.is_empty()
            && self.surplus.is_empty()
            && self.strangers.is_empty()
            && self.repeated.is_empty()
    }
}

/// What an answer comes to.
#[derive(Debug, Clone, PartialEq)]
pub enum Verdict {
    /// It is right, or may be.
    Right,
    /// The list is wrong.
    Wrong(Mistake),
    /// It is refused, and should not be.
    Refused {
        /// The status.
        status: u16,
        /// The keyword.
        scim_type: Option<String>,
    },
    /// It is served, and must be refused.
    Served {
        /// How many rows came.
        rows: usize,
    },
    /// It is refused, and not as it should be.
    Miscalled {
        /// The status.
        status: u16,
        /// The keyword.
        scim_type: Option<String>,
    },
    /// The service provider broke.
    Broken(String),
    /// Nothing can be said.
    Nothing(String),
}

impl Verdict {
    /// Whether it is a finding.
    pub fn is_bad(&self) -> bool {
        !matches!(self, Verdict::Right | Verdict::Nothing(_))
    }
}

/// What is known when an answer is judged.
#[derive(Debug, Clone, Copy)]
pub struct Judge<'a> {
    /// Our resources.
    pub data: &'a DataSet,
    /// The worlds that the service provider may live in.
    pub worlds: &'a Worlds,
    /// Whether the filter was narrowed to ours, so that strangers say nothing.
    pub is_narrowed: bool,
}

impl Judge<'_> {
    /// Judges the answer to a filter that has to be served.
    pub fn judge(&self, filter: &Filter, asked: &Asked) -> Verdict {
        match &asked.answer {
            Answer::List(found) => {
                let mistake = self.mistake(filter, found);
                if mistake.is_none() { Verdict::Right } else { Verdict::Wrong(mistake) }
            }
            Answer::Refused { status, .. }
                if matches!(status, 400 | 501) && may_be_refused(filter, &self.data.definition) =>
            {
                Verdict::Right
            }
            Answer::Refused { status: 413 | 414 | 431, .. } if filter.to_string().len() > LONG => {
                Verdict::Nothing("the filter is too long for it".to_owned())
            }
            Answer::Refused { status, scim_type } => {
                Verdict::Refused { status: *status, scim_type: scim_type.clone() }
            }
            Answer::Broken(what) => Verdict::Broken(what.clone()),
            Answer::Nothing(why) => Verdict::Nothing(why.clone()),
        }
    }

    /// What is wrong with a list.
    fn mistake(&self, filter: &Filter, found: &Found) -> Mistake {
        let definition = &self.data.definition;
        let truth = |state: &Value| self.worlds.truth(filter, state, definition);
        let every_reading = self.worlds.in_every_reading();
        let firm = |state: &Value, wanted| {
            *self.worlds == every_reading || every_reading.truth(filter, state, definition) == wanted
        };
        let mut mistake = Mistake::default();
        let mut seen = BTreeSet::new();
        for row in found.rows() {
            let Some(id) = get(row, "id").and_then(Value::as_str) else { continue };
            if !seen.insert(id.to_ascii_lowercase()) {
                mistake.repeated.push(id.to_owned());
                mistake.is_firm = true;
                continue;
            }
            let ours = self.data.row(id);
            if ours.is_none() && self.is_narrowed {
                continue;
            }
            // A row shows what it is now, whatever it was when it was read; and what was read must be against it, too.
            if truth(row) != Truth::MustNot || ours.is_some_and(|ours| truth(&ours.state) != Truth::MustNot) {
                continue;
            }
            mistake.is_firm |= firm(row, Truth::MustNot);
            match ours {
                Some(ours) => mistake.surplus.push(ours.id.clone()),
                None if is_of(row, definition) => mistake.strangers.push(row.clone()),
                None => {}
            }
        }
        if found.is_complete {
            for row in self.data.rows.iter().filter(|row| !row.state.is_null()) {
                if !seen.contains(&row.id.to_ascii_lowercase()) && truth(&row.state) == Truth::Must {
                    mistake.is_firm |= firm(&row.state, Truth::Must);
                    mistake.missing.push(row.id.clone());
                }
            }
        }
        mistake
    }

    /// Judges the answer to a text that is no filter.
    pub fn judge_slip(&self, asked: &Asked, demands_keyword: bool) -> Verdict {
        match &asked.answer {
            Answer::List(found) => Verdict::Served { rows: found.rows().count() },
            Answer::Refused { status: 400, scim_type } => match scim_type.as_deref() {
                Some("invalidFilter") => Verdict::Right,
                None if !demands_keyword => Verdict::Right,
                _ => Verdict::Miscalled { status: 400, scim_type: scim_type.clone() },
            },
            Answer::Refused { status, scim_type } => {
                Verdict::Miscalled { status: *status, scim_type: scim_type.clone() }
            }
            Answer::Broken(what) => Verdict::Broken(what.clone()),
            Answer::Nothing(why) => Verdict::Nothing(why.clone()),
        }
    }
}

/// Filters longer than this may be too long for a URL.
const LONG: usize = 2000;

/// Whether a row is of that type, or does not say.
fn is_of(row: &Value, definition: &ResourceDefinition) -> bool {
    let kind = row.pointer("/meta/resourceType").and_then(Value::as_str);
    kind.is_none_or(|kind| kind.eq_ignore_ascii_case(&definition.name))
}

/// Whether a service provider may refuse a filter although it follows the grammar: comparisons that the RFCs do not say
/// how to make (AMB-60 to AMB-64, AMB-66, AMB-73).
pub fn may_be_refused(filter: &Filter, definition: &ResourceDefinition) -> bool {
    part_may_be_refused(filter, definition, None)
}

/// The depth is that of the filter, which its parser bounds.
fn part_may_be_refused(
    filter: &Filter,
    definition: &ResourceDefinition,
    within: Option<&AttributePath>,
) -> bool {
    let attribute = |path: &AttributePath| {
        let whole = within.unwrap_or(path);
        let Resolved::Attribute { attribute, sub, .. } = definition.resolve(whole)? else { return None };
        match within {
            Some(_) => sub_attribute(attribute, &path.name),
            None => Some(sub.unwrap_or(attribute)),
        }
    };
    match filter {
        Filter::And(all) | Filter::Or(all) => {
            all.iter().any(|it| part_may_be_refused(it, definition, within))
        }
        Filter::Not(inner) => part_may_be_refused(inner, definition, within),
        Filter::ValuePath { path, filter } => {
            attribute(path).is_none() || part_may_be_refused(filter, definition, Some(path))
        }
        Filter::Present(path) => attribute(path).is_none(),
        Filter::Compare { path, operator, value } => {
            let Some(attribute) = attribute(path) else { return true };
            let is_text = matches!(attribute.kind, AttributeType::String);
            let fits = match (attribute.kind, value) {
                (_, FilterValue::Null) | (AttributeType::Complex, _) => false,
                (AttributeType::Boolean, value) => matches!(value, FilterValue::Boolean(_)),
                (AttributeType::Integer | AttributeType::Decimal, value) => {
                    matches!(value, FilterValue::Number(_))
                }
                (_, value) => matches!(value, FilterValue::String(_)),
            };
            let is_hard = matches!(value, FilterValue::String(text) if text.is_empty() || text.chars().any(char::is_control));
            let is_odd = (operator.is_substring() && !is_text)
                || (operator.is_ordering()
                    && matches!(
                        attribute.kind,
                        AttributeType::Boolean | AttributeType::Binary | AttributeType::Reference
                    ));
            !fits || is_odd || is_hard || path.name.starts_with('$')
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scim::schema::SchemaSet;

    #[test]
    fn what_the_rfcs_do_not_say_how_to_make_may_be_refused() {
        let user = SchemaSet::core().definition("User").unwrap();
        let may = |text: &str| may_be_refused(&Filter::parse(text).unwrap(), &user);
        for text in [
            "active co \"t\"",
            "title eq null",
            "nosuch pr",
            "emails co \"x\"",
            "profileUrl gt \"x\"",
            "title pr and active eq \"true\"",
            "emails[primary sw \"t\"]",
            "title eq \"\"",
        ] {
            assert!(may(text), "{text}");
        }
        for text in [
            "title co \"t\"",
            "active eq true",
            "meta.created gt \"2024-01-01T00:00:00Z\"",
            "emails[type eq \"work\"]",
            "emails pr",
            "profileUrl eq \"x\"",
        ] {
            assert!(!may(text), "{text}");
        }
    }
}
