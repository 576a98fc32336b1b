//! Other spellings of a filter that mean the same: keywords and names in another case, the schema's URI before a name,
//! parentheses that change nothing. What the RFCs leave in dispute (several blanks, `not(`, `True`) is left out.

use proptest::prelude::*;

use crate::scim::definition::{Resolved, ResourceDefinition};
use crate::scim::filter::Filter;
use crate::scim::path::AttributePath;

/// What is spelled otherwise.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Spelling {
    /// Operators and connectives in capitals.
    pub capital_operators: bool,
    /// The names of attributes in capitals.
    pub capital_names: bool,
    /// The URI of the base schema before the names of its attributes.
    pub uris: bool,
    /// Parentheses around every part.
    pub parentheses: bool,
}

impl Spelling {
    /// Nothing but capital operators.
    pub const OPERATORS: Spelling =
        Spelling { capital_operators: true, capital_names: false, uris: false, parentheses: false };
    /// Nothing but capital names.
    pub const NAMES: Spelling =
        Spelling { capital_operators: false, capital_names: true, uris: false, parentheses: false };
    /// Nothing but whole names.
    pub const URIS: Spelling =
        Spelling { capital_operators: false, capital_names: false, uris: true, parentheses: false };
    /// Nothing but parentheses.
    pub const PARENTHESES: Spelling =
        Spelling { capital_operators: false, capital_names: false, uris: false, parentheses: true };

    /// The filter, spelled so.
    pub fn write(self, filter: &Filter, definition: &ResourceDefinition) -> String {
        self.part(filter, Some(definition))
    }

    fn word(self, word: &str) -> String {
        if self.capital_operators { word.to_uppercase() } else { word.to_owned() }
    }

    fn name(self, name: &str) -> String {
        if self.capital_names { name.to_uppercase() } else { name.to_owned() }
    }

    /// A path; between brackets there is no definition, and no URI.
    fn path(self, path: &AttributePath, definition: Option<&ResourceDefinition>) -> String {
        let urn = path.urn.clone().or_else(|| {
            let definition = definition.filter(|_| self.uris)?;
            // The common attributes belong to no schema.
            let is_common = ResourceDefinition::common_attributes()
                .iter()
                .any(|common| common.name.eq_ignore_ascii_case(&path.name));
            let is_of_base = matches!(
                definition.resolve(path),
                Some(Resolved::Attribute { extension: None, .. }) if !is_common
            );
            is_of_base.then(|| definition.schema.id.clone())
        });
        let urn = urn.map(|urn| format!("{urn}:")).unwrap_or_default();
        let sub = path.sub.as_ref().map(|sub| format!(".{}", self.name(sub))).unwrap_or_default();
        format!("{urn}{}{sub}", self.name(&path.name))
    }

    /// The depth is that of the filter, which its parser bounds.
    fn part(self, filter: &Filter, definition: Option<&ResourceDefinition>) -> String {
        let grouped = |operand: &Filter, always: bool| {
            let text = self.part(operand, definition);
            let is_open = matches!(operand, Filter::And(_) | Filter::Or(_));
            if self.parentheses || (always && is_open) { format!("({text})") } else { text }
        };
        let joined = |operands: &[Filter], word: &str, always: fn(&Filter) -> bool| {
            let parts: Vec<String> = operands.iter().map(|it| grouped(it, always(it))).collect();
            parts.join(&format!(" {} ", self.word(word)))
        };
        match filter {
            Filter::And(operands) => joined(operands, "and", |_| true),
            Filter::Or(operands) => joined(operands, "or", |it| matches!(it, Filter::Or(_))),
            Filter::Not(operand) => format!("{} ({})", self.word("not"), self.part(operand, definition)),
            Filter::Present(path) => format!("{} {}", self.path(path, definition), self.word("pr")),
            Filter::Compare { path, operator, value } => {
                format!("{} {} {value}", self.path(path, definition), self.word(operator.as_str()))
            }
            Filter::ValuePath { path, filter } => {
                format!("{}[{}]", self.path(path, definition), self.part(filter, None))
            }
        }
    }
}

/// Any spelling.
pub fn spellings() -> impl Strategy<Value = Spelling> {
    (any::<bool>(), any::<bool>(), any::<bool>(), any::<bool>()).prop_map(
        |(capital_operators, capital_names, uris, parentheses)| Spelling {
            capital_operators,
            capital_names,
            uris,
            parentheses,
        },
    )
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::scim::filter::matches;
    use crate::scim::schema::SchemaSet;

    #[test]
    fn spellings_mean_the_same() {
        let user = SchemaSet::core().definition("User").unwrap();
        let filter = Filter::parse(
            "title pr and (userName sw \"A\" or not (emails[type eq \"x\"])) and meta.created pr",
        )
        .unwrap();
        assert_eq!(Spelling::default().write(&filter, &user), filter.to_string());
        assert_eq!(
            Spelling::URIS.write(&Filter::parse("name.givenName pr and id pr").unwrap(), &user),
            "urn:ietf:params:scim:schemas:core:2.0:User:name.givenName pr and id pr"
        );
        assert_eq!(
            Spelling::OPERATORS.write(&Filter::parse("title eq \"a\"").unwrap(), &user),
            "title EQ \"a\""
        );
        let resources = [
            json!({"userName": "Ab", "title": "t", "meta": {"created": "2024-01-01T00:00:00Z"}}),
            json!({"userName": "b", "title": "t", "emails": [{"type": "x"}]}),
        ];
        for bits in 0..16_u8 {
            let bit = |at: u8| bits & (1 << at) != 0;
            let spelling = Spelling {
                capital_operators: bit(0),
                capital_names: bit(1),
                uris: bit(2),
                parentheses: bit(3),
            };
            let text = spelling.write(&filter, &user);
            let again = Filter::parse(&text).unwrap();
            for resource in &resources {
                assert_eq!(matches(&again, resource, &user), matches(&filter, resource, &user), "{text}");
            }
        }
    }
}
