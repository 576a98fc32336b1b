//! Equality of resources as SCIM sees it.
//!
//! * Attribute names compare without regard to case (RFC 7643 §2.1).
//! * Absent, `null` and `[]` are one state (§2.5), and so is a complex value of nothing but those.
//!   An expected `null` or `[]` thus says: no value here.
//! * The values of a multi-valued attribute have no order, and a value that stands there twice counts once.
//! * Strings compare as `caseExact` says, references and binaries exactly, dateTimes as instants, numbers by value.
//! * A missing `primary` is false (§2.4).
//! * What is not defined compares exactly, arrays again without order.

#[cfg(test)]
mod tests;
mod values;

use serde_json::{Map, Value};

use super::datetime;
use super::definition::{ResourceDefinition, sub_attribute};
use super::filter::evaluate::order_numbers;
use super::problem::join;
use super::resource::{MAX_DEPTH, elements, is_unassigned, member};
use super::schema::{Attribute, AttributeType, Mutability, Returned, Schema};
use super::text;

/// The most differences that are reported.
const MAX_DIFFERENCES: usize = 100;

/// How much of the actual resource the expected one speaks of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Extent {
    /// What is expected must be there; whatever else is there is left aside.
    Subset,
    /// What is expected must be there, and nothing else.
    Whole,
}

/// How resources are compared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CompareOptions {
    /// Subset or whole.
    pub extent: Extent,
    /// In a whole comparison: whether what a server may derive by itself is left aside.
    ///
    /// Left aside altogether: `meta` and whatever else is readOnly (but a changed `id` is a difference),
    /// and `name.formatted`. Left aside where nothing is expected: `id`, `active: true`, `displayName`, and
    /// `$ref` and `type` of values that refer to resources, and any value's `display`. In `schemas`, an extension counts
    /// only if its container is expected. To insist that one of these is gone, expect `null`.
    pub ignore_server_derived: bool,
    /// Attributes that are left aside, in attribute notation without indexes: `externalId`, `emails.display`.
    pub ignore: Vec<String>,
}

impl CompareOptions {
    /// Each expected member must be there.
    pub fn subset() -> Self {
        CompareOptions { extent: Extent::Subset, ignore_server_derived: false, ignore: Vec::new() }
    }

    /// Each expected member must be there, and nothing else.
    pub fn whole() -> Self {
        CompareOptions { extent: Extent::Whole, ..CompareOptions::subset() }
    }

    /// As [`whole`](Self::whole), but for what a server may derive by itself.
    pub fn whole_but_derived() -> Self {
        CompareOptions { ignore_server_derived: true, ..CompareOptions::whole() }
    }
}

/// One difference.
#[derive(Debug, Clone, PartialEq)]
pub struct Difference {
    /// Where, in attribute notation; the index is that of the expected value, or, where nothing is expected,
    /// of the actual one: `emails[1].type`.
    pub path: String,
    /// What was expected; `None` for no value.
    pub expected: Option<Value>,
    /// What is there; `None` for no value.
    pub actual: Option<Value>,
}

/// All differences between what is expected and what is there, in the order of the expected resource; those of
/// what is not expected last. At most a hundred.
pub fn differences(
    expected: &Value,
    actual: &Value,
    definition: &ResourceDefinition,
    options: &CompareOptions,
) -> Vec<Difference> {
    let mut comparison = Comparison { options, out: Vec::new() };
    match (expected, actual) {
        (Value::Object(expected_members), Value::Object(actual_members)) => {
            comparison.members(
                expected_members,
                actual_members,
                Scope::Resource(definition),
                Place::default(),
                0,
            );
        }
        _ if expected == actual => {}
        _ => comparison.report("", Some(expected), Some(actual)),
    }
    comparison.out
}

/// Whether two values of an attribute are the same; `None` for an attribute that is not defined.
pub fn same_value(left: &Value, right: &Value, attribute: Option<&Attribute>) -> bool {
    value_differences(left, right, attribute, Extent::Whole).is_empty()
}

/// Whether all of `part` is also in `whole`, as the values of an attribute.
pub fn contains_value(part: &Value, whole: &Value, attribute: Option<&Attribute>) -> bool {
    value_differences(part, whole, attribute, Extent::Subset).is_empty()
}

fn value_differences(
    expected: &Value,
    actual: &Value,
    attribute: Option<&Attribute>,
    extent: Extent,
) -> Vec<Difference> {
    let options = CompareOptions { extent, ..CompareOptions::subset() };
    let mut comparison = Comparison { options: &options, out: Vec::new() };
    comparison.value(expected, actual, attribute, Scope::Nothing, Place::default(), 0);
    comparison.out
}

/// Whose members are compared.
#[derive(Clone, Copy)]
enum Scope<'a> {
    Resource(&'a ResourceDefinition),
    Container(&'a Schema),
    Complex(&'a Attribute),
    /// Something that is not defined.
    Nothing,
}

impl<'a> Scope<'a> {
    fn attribute(self, name: &str) -> Option<&'a Attribute> {
        match self {
            Scope::Resource(definition) => definition.top_attribute(name),
            Scope::Container(schema) => schema.attribute(name),
            Scope::Complex(attribute) => sub_attribute(attribute, name),
            Scope::Nothing => None,
        }
    }
}

/// Where a comparison stands: as shown, and without indexes.
#[derive(Clone, Default)]
struct Place {
    shown: String,
    notation: String,
}

impl Place {
    fn member(&self, name: &str, in_container: bool) -> Place {
        if in_container {
            let separated = |path: &str| format!("{path}:{name}");
            return Place { shown: separated(&self.shown), notation: separated(&self.notation) };
        }
        Place { shown: join(&self.shown, name), notation: join(&self.notation, name) }
    }

    fn element(&self, index: usize) -> Place {
        Place { shown: format!("{}[{index}]", self.shown), notation: self.notation.clone() }
    }
}

struct Comparison<'o> {
    options: &'o CompareOptions,
    out: Vec<Difference>,
}

impl Comparison<'_> {
    fn report(&mut self, path: &str, expected: Option<&Value>, actual: Option<&Value>) {
        if self.out.len() < MAX_DIFFERENCES {
            let (expected, actual) = (expected.cloned(), actual.cloned());
            self.out.push(Difference { path: path.to_owned(), expected, actual });
        }
    }

    fn members(
        &mut self,
        expected: &Map<String, Value>,
        actual: &Map<String, Value>,
        scope: Scope<'_>,
        place: Place,
        depth: usize,
    ) {
        let in_container = matches!(scope, Scope::Container(_));
        for (name, value) in expected {
            let attribute = scope.attribute(name);
            let container = self.container(scope, name);
            let shown = attribute.map_or(name.as_str(), |it| &it.name);
            let here = place.member(shown, in_container);
            if self.is_ignored(&here) || self.is_left_aside(attribute, &here) {
                continue;
            }
            let there = member(actual, name).filter(|it| !is_no_value(it, attribute));
            if let (Some(definition), Some("schemas")) =
                (self.derives(scope), attribute.map(|it| it.name.as_str()))
            {
                self.schemas(value, there.unwrap_or(&Value::Null), definition, expected);
                continue;
            }
            match (is_no_value(value, attribute), there) {
                (true, None) => {}
                (true, Some(there)) => self.report(&here.shown, None, Some(there)),
                (false, None) => self.report(&here.shown, Some(value), None),
                (false, Some(there)) => match container {
                    Some(schema) => self.value(value, there, None, Scope::Container(schema), here, depth + 1),
                    None => self.value(value, there, attribute, Scope::Nothing, here, depth + 1),
                },
            }
        }
        if self.options.extent == Extent::Subset {
            return;
        }
        for (name, there) in actual {
            if member(expected, name).is_some() {
                continue;
            }
            let attribute = scope.attribute(name);
            let here = place.member(attribute.map_or(name.as_str(), |it| &it.name), in_container);
            let is_expectable = !is_no_value(there, attribute)
                && !self.is_ignored(&here)
                && !self.is_left_aside(attribute, &here)
                && !self.may_be_added(attribute, there, scope, &here);
            if !is_expectable {
                continue;
            }
            // Of a container only that counts which is not left aside within it.
            if let (Some(schema), Value::Object(members)) = (self.container(scope, name), there) {
                self.members(&Map::new(), members, Scope::Container(schema), here, depth + 1);
            } else {
                self.report(&here.shown, None, Some(there));
            }
        }
    }

    fn container<'a>(&self, scope: Scope<'a>, name: &str) -> Option<&'a Schema> {
        match scope {
            Scope::Resource(definition) => definition.extension(name).map(|it| &it.schema),
            _ => None,
        }
    }

    fn derives<'a>(&self, scope: Scope<'a>) -> Option<&'a ResourceDefinition> {
        match scope {
            Scope::Resource(definition) if self.derived() => Some(definition),
            _ => None,
        }
    }

    fn derived(&self) -> bool {
        self.options.extent == Extent::Whole && self.options.ignore_server_derived
    }

    fn is_ignored(&self, place: &Place) -> bool {
        self.options.ignore.iter().any(|it| it.eq_ignore_ascii_case(&place.notation))
    }

    /// Whether neither presence, absence nor value of an attribute counts.
    fn is_left_aside(&self, attribute: Option<&Attribute>, place: &Place) -> bool {
        let Some(attribute) = attribute.filter(|_| self.derived()) else { return false };
        let is_hidden =
            attribute.returned == Returned::Never || attribute.mutability == Mutability::WriteOnly;
        let is_read_only = attribute.mutability == Mutability::ReadOnly && place.notation != "id";
        is_hidden || is_read_only || place.notation == "name.formatted"
    }

    /// Whether a server may have added a member that nothing was said of.
    fn may_be_added(
        &self,
        attribute: Option<&Attribute>,
        value: &Value,
        scope: Scope<'_>,
        place: &Place,
    ) -> bool {
        if !self.derived() {
            return false;
        }
        match place.notation.as_str() {
            "id" | "displayName" => return true,
            "active" => return *value == Value::Bool(true),
            _ => {}
        }
        let (Scope::Complex(parent), Some(attribute)) = (scope, attribute) else { return false };
        match attribute.name.as_str() {
            "$ref" | "type" => parent.sub_attribute("$ref").is_some(),
            // It is for people, and the schemas describe it as read-only (RFC 7643 §2.4, §8.7.1).
            "display" => parent.multi_valued || parent.sub_attribute("$ref").is_some(),
            _ => false,
        }
    }

    /// `schemas`, where a server may list an extension without container, or not.
    fn schemas(
        &mut self,
        expected: &Value,
        actual: &Value,
        definition: &ResourceDefinition,
        resource: &Map<String, Value>,
    ) {
        let holds = |list: &Value, urn: &Value| {
            elements(list).iter().any(|it| match (it.as_str(), urn.as_str()) {
                (Some(left), Some(right)) => left.eq_ignore_ascii_case(right),
                _ => it == urn,
            })
        };
        for (index, urn) in elements(expected).iter().enumerate() {
            let is_empty_extension = urn.as_str().is_some_and(|urn| {
                definition.extension(urn).is_some() && member(resource, urn).is_none_or(is_unassigned)
            });
            if !is_empty_extension && !holds(actual, urn) {
                self.report(&format!("schemas[{index}]"), Some(urn), None);
            }
        }
        for (index, urn) in elements(actual).iter().enumerate() {
            let is_known = urn.as_str().is_some_and(|urn| definition.knows_schema(urn));
            if !is_known && !holds(expected, urn) {
                self.report(&format!("schemas[{index}]"), None, Some(urn));
            }
        }
    }

    /// Two values that are both assigned; `scope` counts only where there is no attribute.
    fn value(
        &mut self,
        expected: &Value,
        actual: &Value,
        attribute: Option<&Attribute>,
        scope: Scope<'_>,
        place: Place,
        depth: usize,
    ) {
        if depth > MAX_DEPTH {
            if expected != actual {
                self.report(&place.shown, Some(expected), Some(actual));
            }
            return;
        }
        let is_list = match attribute {
            Some(attribute) => attribute.multi_valued,
            None => expected.is_array() && actual.is_array(),
        };
        if is_list {
            return self.list(elements(expected), elements(actual), attribute, place, depth);
        }
        self.single(expected, actual, attribute, scope, place, depth);
    }

    fn single(
        &mut self,
        expected: &Value,
        actual: &Value,
        attribute: Option<&Attribute>,
        scope: Scope<'_>,
        place: Place,
        depth: usize,
    ) {
        if let (Value::Object(expected), Value::Object(actual)) = (expected, actual) {
            let scope = attribute.map_or(scope, Scope::Complex);
            return self.members(expected, actual, scope, place, depth);
        }
        let is_same = match (expected, actual) {
            (Value::String(expected), Value::String(actual)) => same_text(expected, actual, attribute),
            (Value::Number(expected), Value::Number(actual)) => {
                order_numbers(expected, actual).is_some_and(|order| order.is_eq())
            }
            (Value::Array(expected), Value::Array(actual)) => {
                // Only a single-valued attribute comes here: an array is wrong, but can be the same.
                return self.list(expected, actual, None, place, depth);
            }
            _ => expected == actual,
        };
        if !is_same {
            self.report(&place.shown, Some(expected), Some(actual));
        }
    }

    /// The differences between two elements, without reporting them.
    fn of_elements(
        &self,
        expected: &Value,
        actual: &Value,
        attribute: Option<&Attribute>,
        place: Place,
        depth: usize,
    ) -> Vec<Difference> {
        let mut inner = Comparison { options: self.options, out: Vec::new() };
        if attribute.is_none() && expected.is_array() && actual.is_array() {
            inner.value(expected, actual, None, Scope::Nothing, place, depth + 1);
        } else {
            inner.single(expected, actual, attribute, Scope::Nothing, place, depth + 1);
        }
        inner.out
    }
}

/// No value: unassigned, or a `primary` that is false.
fn is_no_value(value: &Value, attribute: Option<&Attribute>) -> bool {
    is_unassigned(value)
        || (*value == Value::Bool(false)
            && attribute.is_some_and(|it| {
                it.kind == AttributeType::Boolean && it.name.eq_ignore_ascii_case("primary")
            }))
}

fn same_text(expected: &str, actual: &str, attribute: Option<&Attribute>) -> bool {
    let Some(attribute) = attribute else { return expected == actual };
    if attribute.kind == AttributeType::DateTime
        && let (Some(expected), Some(actual)) = (datetime::parse(expected), datetime::parse(actual))
    {
        return expected.utc == actual.utc;
    }
    text::equal(expected, actual, attribute.compares_exactly())
}
