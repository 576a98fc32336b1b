//! What a filter has about it: the features by which sightings are told to have one cause.

use crate::fuzz::cause::{Feature, Features};
use crate::scim::definition::{Resolved, ResourceDefinition, sub_attribute};
use crate::scim::filter::{CompareOperator, Filter, FilterValue};
use crate::scim::path::AttributePath;
use crate::scim::schema::{Attribute, AttributeType};

use super::terms::{Term, name};

/// The features of a filter as it is written. `terms` have the values that its literals are compared with.
pub fn features(text: &str, filter: &Filter, definition: &ResourceDefinition, terms: &[Term]) -> Features {
    let mut features = Features::new();
    let canonical = filter.to_string();
    if text != canonical {
        let spelled = if text.eq_ignore_ascii_case(&canonical) {
            "operators in capitals"
        } else {
            "parentheses around parts"
        };
        features.insert(Feature::Spelling(spelled));
    }
    if super::hunt::count(filter) > 2 {
        features.insert(Feature::Connective(SEVERAL.to_owned()));
    }
    let seen = Seen { definition, terms };
    seen.part(filter, None, &mut features);
    features
}

/// What every filter of more than two comparisons has.
pub const SEVERAL: &str = "more than two terms";

/// The word for a node.
pub fn kind(filter: &Filter) -> &'static str {
    match filter {
        Filter::And(_) => "and",
        Filter::Or(_) => "or",
        Filter::Not(_) => "not",
        Filter::ValuePath { .. } => "[]",
        Filter::Present(_) => "pr",
        Filter::Compare { operator, .. } => operator.as_str(),
    }
}

/// What makes a connective what it is, as far as its operands matter.
pub fn connectives(filter: &Filter) -> Features {
    let mut features = Features::new();
    let word = kind(filter);
    let connective = |text: String| Feature::Connective(text);
    let operands: Vec<&Filter> = match filter {
        Filter::And(all) | Filter::Or(all) => {
            if all.len() > 2 {
                features.insert(connective(format!("{word} of three")));
            }
            all.iter().collect()
        }
        Filter::Not(inner) => vec![inner],
        Filter::ValuePath { filter, .. } => vec![filter],
        Filter::Present(_) | Filter::Compare { .. } => return features,
    };
    features.insert(connective(word.to_owned()));
    for operand in operands {
        if matches!(operand, Filter::And(_) | Filter::Or(_) | Filter::Not(_) | Filter::ValuePath { .. }) {
            features.insert(connective(format!("{} within {word}", kind(operand))));
        }
    }
    features
}

struct Seen<'a> {
    definition: &'a ResourceDefinition,
    terms: &'a [Term],
}

impl<'a> Seen<'a> {
    /// The depth is that of the filter, which its parser bounds.
    fn part(&self, filter: &Filter, within: Option<&AttributePath>, features: &mut Features) {
        features.extend(connectives(filter));
        match filter {
            Filter::And(all) | Filter::Or(all) => all.iter().for_each(|it| self.part(it, within, features)),
            Filter::Not(inner) => self.part(inner, within, features),
            Filter::ValuePath { path, filter } => self.part(filter, Some(path), features),
            Filter::Present(path) | Filter::Compare { path, .. }
                if self.attribute(path, within).is_none() =>
            {
                features.insert(Feature::Slip("an attribute that is not defined"));
            }
            Filter::Compare { path, .. } if self.attribute(path, within).is_some_and(is_whole) => {
                features.insert(Feature::Slip("a complex attribute compared as a whole"));
            }
            Filter::Present(path) => {
                features.insert(Feature::Operator("pr"));
                self.path(path, within, features);
            }
            Filter::Compare { path, operator, value } => {
                features.insert(Feature::Operator(operator.as_str()));
                if operator.is_ordering() {
                    features.insert(Feature::Family("order"));
                }
                if operator.is_substring() {
                    features.insert(Feature::Family("substring"));
                }
                self.path(path, within, features);
                self.literal(path, within, *operator, value, features);
            }
        }
    }

    /// The attribute that a path names, and whether that is of an extension.
    fn attribute(
        &self,
        path: &AttributePath,
        within: Option<&AttributePath>,
    ) -> Option<(&'a Attribute, bool, bool)> {
        let whole = within.unwrap_or(path);
        let Resolved::Attribute { attribute, sub, extension } = self.definition.resolve(whole)? else {
            return None;
        };
        let several = attribute.multi_valued;
        let leaf = match within {
            Some(_) => sub_attribute(attribute, &path.name)?,
            None => sub.unwrap_or(attribute),
        };
        Some((leaf, several || leaf.multi_valued, extension.is_some()))
    }

    fn path(&self, path: &AttributePath, within: Option<&AttributePath>, features: &mut Features) {
        let name = name(path, within);
        if let Some((parent, _)) = name.split_once('.') {
            features.insert(Feature::Parent(parent.to_owned()));
        }
        features.insert(Feature::Attribute(name));
        let Some((attribute, several, extension)) = self.attribute(path, within) else { return };
        features.insert(Feature::Type(attribute.kind.as_str()));
        if several {
            features.insert(Feature::Several);
        }
        if extension {
            features.insert(Feature::Extension);
        } else if path.urn.is_some() {
            features.insert(Feature::Spelling("names with the URI of their schema"));
        }
        let written = path.sub.as_ref().unwrap_or(&path.name);
        if attribute.name != *written {
            features.insert(Feature::Spelling("names in another case"));
        }
    }

    fn literal(
        &self,
        path: &AttributePath,
        within: Option<&AttributePath>,
        operator: CompareOperator,
        value: &FilterValue,
        features: &mut Features,
    ) {
        let mut add = |what| {
            features.insert(Feature::Literal(what));
        };
        let text = match value {
            FilterValue::Null => return add("null"),
            FilterValue::Boolean(true) => return add("true"),
            FilterValue::Boolean(false) => return add("false"),
            FilterValue::Number(_) => return,
            FilterValue::String(text) => text,
        };
        for (letters, what) in [
            (&['"', '\\'][..], "escapes"),
            (&['%'], "percent signs"),
            (&['_'], "underscores"),
            (&['*'], "asterisks"),
            (&['(', ')', '[', ']'], "brackets"),
            (&['\''], "apostrophes"),
            (&[' '], "blanks"),
        ] {
            if text.contains(letters) {
                add(what);
            }
        }
        if text.is_empty() {
            add("no letter");
        }
        if text.chars().any(char::is_control) {
            add("control characters");
        }
        if !text.is_ascii() {
            add("letters beyond ASCII");
        }
        let wanted = name(path, within);
        let term = self.terms.iter().find(|term| term.name == wanted);
        if term.is_some_and(|term| term.stands_in_other_case(operator, text)) {
            add("other case");
        }
    }
}

/// Whether it is a complex attribute with nothing in it that stands for it.
fn is_whole((attribute, several, _): (&Attribute, bool, bool)) -> bool {
    attribute.kind == AttributeType::Complex && !(several && attribute.sub_attribute("value").is_some())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scim::schema::SchemaSet;

    fn of(text: &str) -> Vec<String> {
        let definition = SchemaSet::core().definition("User").unwrap();
        let filter = Filter::parse(text).unwrap();
        features(text, &filter, &definition, &[]).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn features_are_what_may_be_at_fault() {
        assert_eq!(
            of("title ew \"a%\""),
            [
                "the attribute title",
                "the operator ew",
                "comparisons by a part of the text",
                "literals with percent signs",
                "attributes of type string"
            ]
        );
        assert!(of("title EW \"a\"").contains(&"operators in capitals".to_owned()));
        assert!(of("TITLE ew \"a\"").contains(&"names in another case".to_owned()));
        assert!(of("title pr or (userName pr and id pr)").contains(&"parentheses around parts".to_owned()));
        let mixed = of("title pr or userName pr and id pr");
        assert!(mixed.contains(&"and within or".to_owned()) && mixed.contains(&"or".to_owned()));
        assert!(of("emails[type eq \"work\"]").contains(&"the attribute emails.type".to_owned()));
        assert!(
            of("urn:ietf:params:scim:schemas:core:2.0:User:title pr")
                .contains(&"names with the URI of their schema".to_owned())
        );
    }
}
