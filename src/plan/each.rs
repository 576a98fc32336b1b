//! The trials of a case that the service provider's schemas make (`for-each`): which attributes fit, and what the case may
//! know of each. Refuses to know their values, which a run makes.

use std::fmt::Write as _;

use crate::scim::schema::{Attribute, AttributeType, SchemaSet};
use crate::suite::model::{AttributeSelector, ForEach};
use crate::target::needs;

/// The attribute that one trial is about.
#[derive(Debug, Clone, PartialEq)]
pub struct Each {
    /// What it is called in the case.
    pub name: String,
    /// What the trial is called: `User.nickName`, `EnterpriseUser.department`.
    pub id: String,
    /// Its path in the resource type, with the URN of its extension.
    pub path: String,
    /// Its definition.
    pub attribute: Attribute,
}

/// The attributes that a case is tried with, in the order of the schemas.
pub fn trials(for_each: &ForEach, schemas: &SchemaSet) -> Vec<Each> {
    let selector = &for_each.attribute;
    let Some(definition) = schemas.definition(&selector.of) else { return Vec::new() };
    let each = |prefix: &str, place: &str, attribute: &Attribute| Each {
        name: for_each.name.clone(),
        id: format!("{prefix}.{}", attribute.name),
        path: format!("{place}{}", attribute.name),
        attribute: attribute.clone(),
    };
    let is_common = |it: &&Attribute| {
        ["schemas", "id", "externalId", "meta"].iter().any(|name| it.name.eq_ignore_ascii_case(name))
    };
    let base = definition.schema.attributes.iter().filter(|it| !is_common(it));
    let mut found: Vec<Each> =
        base.filter(|it| fits(selector, it)).map(|it| each(&selector.of, "", it)).collect();
    for extension in &definition.extensions {
        let name = extension.schema.name.replace(' ', "");
        let prefix = if name.is_empty() { extension.schema.id.clone() } else { name };
        let attributes = extension.schema.attributes.iter().filter(|it| fits(selector, it));
        found.extend(attributes.map(|it| each(&prefix, &format!("{}:", extension.schema.id), it)));
    }
    found
}

fn fits(selector: &AttributeSelector, attribute: &Attribute) -> bool {
    fn allows<T: PartialEq>(wanted: &[T], value: &T) -> bool {
        wanted.is_empty() || wanted.contains(value)
    }
    let is_left_out = selector.without.iter().any(|name| name.eq_ignore_ascii_case(&attribute.name));
    !is_left_out
        && !attribute.multi_valued
        && attribute.kind != AttributeType::Complex
        && allows(&selector.kinds, &attribute.kind)
        && selector.required.is_none_or(|it| it == attribute.required)
        && selector.case_exact.is_none_or(|it| it == attribute.case_exact)
        && allows(&selector.mutability, &attribute.mutability)
        && allows(&selector.returned, &attribute.returned)
        && allows(&selector.uniqueness, &attribute.uniqueness)
        && needs::can_make(attribute)
}

/// What is looked for, in words: `a string of User with mutability immutable`.
pub fn wanted(selector: &AttributeSelector) -> String {
    fn either<T: ToString>(all: &[T]) -> String {
        all.iter().map(T::to_string).collect::<Vec<_>>().join(" or ")
    }
    let mut text = format!("an attribute of {}", selector.of);
    if !selector.without.is_empty() {
        let _ = write!(text, " other than {}", selector.without.join(", "));
    }
    let mut characteristics = Vec::new();
    if !selector.kinds.is_empty() {
        characteristics.push(format!("type {}", either(&selector.kinds)));
    }
    characteristics.extend(selector.required.map(|it| format!("required {it}")));
    characteristics.extend(selector.case_exact.map(|it| format!("caseExact {it}")));
    for (name, words) in [
        ("mutability", either(&selector.mutability)),
        ("returned", either(&selector.returned)),
        ("uniqueness", either(&selector.uniqueness)),
    ] {
        if !words.is_empty() {
            characteristics.push(format!("{name} {words}"));
        }
    }
    if !characteristics.is_empty() {
        let _ = write!(text, " with {}", characteristics.join(", "));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scim::schema::{Mutability, Uniqueness};

    fn ids(selector: AttributeSelector) -> Vec<String> {
        let for_each = ForEach { attribute: selector, name: "attribute".to_owned() };
        trials(&for_each, SchemaSet::core()).into_iter().map(|each| each.id).collect()
    }

    #[test]
    fn attributes_are_found_by_their_characteristics() {
        let of = || AttributeSelector { of: "User".to_owned(), ..AttributeSelector::default() };
        assert_eq!(ids(AttributeSelector { required: Some(true), ..of() }), ["User.userName"]);
        assert_eq!(
            ids(AttributeSelector { mutability: vec![Mutability::WriteOnly], ..of() }),
            ["User.password"]
        );
        let unique = vec![Uniqueness::Server, Uniqueness::Global];
        let others = AttributeSelector { uniqueness: unique, without: vec!["username".to_owned()], ..of() };
        assert!(ids(others.clone()).is_empty());
        assert_eq!(
            wanted(&others),
            "an attribute of User other than username with uniqueness server or global"
        );
        let texts = AttributeSelector { kinds: vec![AttributeType::String], ..of() };
        assert!(ids(texts).contains(&"EnterpriseUser.department".to_owned()));
        assert!(ids(AttributeSelector { of: "Spoon".to_owned(), ..of() }).is_empty());
    }
}
