//! Filters made ready for the records of one resource type: each attribute resolved, each literal read and folded,
//! once. What a filter means is said by [`matches`](crate::scim::filter::matches), which reads a resource as JSON; a
//! predicate gives the same answers about a stored record, and derives of it no more than the filter asks for.
//!
//! A predicate also knows which records an index can find for it. Refuses to know how a filter is written, and what
//! a query does with the rows.

use std::borrow::Cow;
use std::cmp::Ordering;

use chrono::{DateTime, Utc};
use serde_json::{Number, Value};

use super::index::Column;
use super::represent::{Representer, in_milliseconds};
use super::store::Record;
use crate::scim::datetime;
use crate::scim::definition::{Resolved, ResourceDefinition, sub_attribute};
use crate::scim::filter::evaluate::{FilterTypeErrorKind, order_numbers, problems};
use crate::scim::filter::{CompareOperator, Filter, FilterTypeError, FilterValue};
use crate::scim::path::AttributePath;
use crate::scim::resource::{elements, get, is_unassigned, member};
use crate::scim::schema::{Attribute, AttributeType, Schema};
use crate::scim::text;

/// A filter over the records of one resource type.
#[derive(Debug)]
pub(crate) struct Predicate {
    node: Node<RecordRead>,
}

impl Predicate {
    /// Makes a filter ready. An attribute that is not defined has no value (RFC 7644 §3.4.2.1).
    ///
    /// # Errors
    /// If a comparison does not suit the type of its attribute, whatever the data.
    pub(crate) fn compile(filter: &Filter, definition: &ResourceDefinition) -> Result<Self, FilterTypeError> {
        let problem = problems(filter, definition)
            .into_iter()
            .find(|problem| problem.kind != FilterTypeErrorKind::Unknown);
        match problem {
            Some(problem) => Err(problem),
            None => Ok(Self { node: record_node(filter, definition) }),
        }
    }

    /// Whether a record matches.
    pub(crate) fn holds(&self, record: &Record, representer: &Representer<'_>) -> bool {
        self.node.holds(&Viewed { record, representer })
    }

    /// The places, in order, of all records that can match, as far as indexes tell; they may hold others too. None
    /// if every record has to be looked at. `find` looks a value up, folded unless its column is exact.
    pub(crate) fn places<'i>(
        &self,
        find: &impl Fn(&Column<'_>, &str) -> Option<Cow<'i, [u64]>>,
    ) -> Option<Cow<'i, [u64]>> {
        self.node.places(None, find)
    }
}

/// A filter, or a part of one, with `R` for what its paths name: a part of a record, or of an element.
#[derive(Debug)]
enum Node<R> {
    Constant(bool),
    All(Vec<Node<R>>),
    Any(Vec<Node<R>>),
    Not(Box<Node<R>>),
    /// What the values there have to be.
    Test(R, Test),
    /// One element there has to match as a whole.
    Element(R, Box<Node<ElementRead>>),
}

/// Finds values in a subject.
trait Reads {
    type Subject<'a>;

    /// Whether a test holds for any of the values, arrays taken apart.
    fn any(&self, subject: &Self::Subject<'_>, test: &mut dyn FnMut(Datum<'_>) -> bool) -> bool;

    /// The indexable attribute that is read here, between the brackets of `parent` if it stands there.
    fn column<'c>(&'c self, parent: Option<&Column<'c>>, exact: bool) -> Option<Column<'c>>;
}

impl<R: Reads> Node<R> {
    /// The depth is that of the filter, which the parser bounds.
    fn holds(&self, subject: &R::Subject<'_>) -> bool {
        match self {
            Node::Constant(holds) => *holds,
            Node::All(nodes) => nodes.iter().all(|node| node.holds(subject)),
            Node::Any(nodes) => nodes.iter().any(|node| node.holds(subject)),
            Node::Not(node) => !node.holds(subject),
            Node::Test(read, test) => match test {
                Test::Present => read.any(subject, &mut |value| value.is_present()),
                Test::Assigned(expected) => read.any(subject, &mut |value| value.is_assigned()) == *expected,
                Test::Is(comparison) => read.any(subject, &mut |value| comparison.holds(value)),
                Test::IsNot(comparison) => {
                    let mut has_value = false;
                    let differs = read.any(subject, &mut |value| {
                        has_value = true;
                        !comparison.holds(value)
                    });
                    differs || !has_value
                }
            },
            Node::Element(read, node) => read.any(subject, &mut |element| node.holds(&element)),
        }
    }

    fn places<'i>(
        &self,
        parent: Option<&Column<'_>>,
        find: &impl Fn(&Column<'_>, &str) -> Option<Cow<'i, [u64]>>,
    ) -> Option<Cow<'i, [u64]>> {
        match self {
            Node::Constant(false) => Some(Cow::Borrowed(&[])),
            Node::All(nodes) => {
                nodes.iter().filter_map(|node| node.places(parent, find)).min_by_key(|places| places.len())
            }
            Node::Any(nodes) => {
                let mut all = Vec::new();
                for node in nodes {
                    all.extend_from_slice(&node.places(parent, find)?);
                }
                all.sort_unstable();
                all.dedup();
                Some(Cow::Owned(all))
            }
            Node::Test(read, Test::Is(Comparison::Text { operator, literal, exact }))
                if *operator == CompareOperator::Equal =>
            {
                find(&read.column(parent, *exact)?, literal)
            }
            Node::Element(read, node) => node.places(Some(&read.column(parent, false)?), find),
            Node::Constant(true) | Node::Not(_) | Node::Test(..) => None,
        }
    }
}

/// A value as a test sees it.
#[derive(Clone, Copy)]
enum Datum<'a> {
    Text(&'a str),
    /// A time that the server gave. Only comparisons by time see one.
    Instant(DateTime<Utc>),
    /// Anything but a string.
    Json(&'a Value),
}

impl<'a> Datum<'a> {
    fn of(value: &'a Value) -> Self {
        match value {
            Value::String(text) => Self::Text(text),
            other => Self::Json(other),
        }
    }

    /// `pr`: neither null nor empty, and of a complex value at least one member is not (RFC 7644 Table 3).
    fn is_present(self) -> bool {
        match self {
            Self::Text(text) => !text.is_empty(),
            other => other.is_assigned(),
        }
    }

    fn is_assigned(self) -> bool {
        match self {
            Self::Json(value) => !is_unassigned(value),
            Self::Text(_) | Self::Instant(_) => true,
        }
    }
}

/// What the values of an attribute have to be.
#[derive(Debug)]
enum Test {
    Present,
    /// `ne null`, or `eq null` if false.
    Assigned(bool),
    Is(Comparison),
    /// No value, or one for which the comparison does not hold.
    IsNot(Comparison),
}

impl Test {
    fn of(operator: CompareOperator, literal: &FilterValue, attribute: &Attribute) -> Self {
        match (operator, literal) {
            (operator, FilterValue::Null) => Self::Assigned(operator != CompareOperator::Equal),
            (CompareOperator::NotEqual, _) => {
                Self::IsNot(Comparison::of(CompareOperator::Equal, literal, attribute))
            }
            _ => Self::Is(Comparison::of(operator, literal, attribute)),
        }
    }

    fn is_by_time(&self) -> bool {
        matches!(self, Self::Is(Comparison::Time { .. }) | Self::IsNot(Comparison::Time { .. }))
    }
}

/// A comparison with a literal, by any operator but `ne`.
#[derive(Debug)]
enum Comparison {
    Boolean(bool),
    Number {
        operator: CompareOperator,
        literal: Number,
    },
    Text {
        operator: CompareOperator,
        /// Folded unless the attribute is exact.
        literal: String,
        exact: bool,
    },
    Time {
        operator: CompareOperator,
        literal: String,
        instant: DateTime<Utc>,
    },
    /// With a literal that no value is comparable to.
    Nothing,
}

impl Comparison {
    fn of(operator: CompareOperator, literal: &FilterValue, attribute: &Attribute) -> Self {
        match literal {
            FilterValue::Null => Self::Nothing,
            FilterValue::Boolean(literal) => Self::Boolean(*literal),
            FilterValue::Number(literal) => Self::Number { operator, literal: literal.clone() },
            FilterValue::String(literal)
                if attribute.kind == AttributeType::DateTime && !operator.is_substring() =>
            {
                match datetime::parse(literal) {
                    Some(instant) => Self::Time { operator, literal: literal.clone(), instant: instant.utc },
                    None => Self::Nothing,
                }
            }
            FilterValue::String(literal) => {
                let exact = attribute.compares_exactly();
                Self::Text { operator, literal: text::comparable(literal, exact).into_owned(), exact }
            }
        }
    }

    fn holds(&self, value: Datum<'_>) -> bool {
        match (self, value) {
            (Self::Boolean(literal), Datum::Json(Value::Bool(value))) => value == literal,
            (Self::Number { operator, literal }, Datum::Json(Value::Number(value))) => {
                order_numbers(value, literal).is_some_and(|order| admits(*operator, order))
            }
            (Self::Text { operator, literal, exact }, Datum::Text(value)) => {
                let value = text::comparable(value, *exact);
                match operator {
                    CompareOperator::Equal => value == *literal,
                    CompareOperator::Contains => value.contains(literal.as_str()),
                    CompareOperator::StartsWith => value.starts_with(literal.as_str()),
                    CompareOperator::EndsWith => value.ends_with(literal.as_str()),
                    _ => admits(*operator, value.as_ref().cmp(literal.as_str())),
                }
            }
            (Self::Time { operator, instant, .. }, Datum::Instant(value)) => {
                admits(*operator, value.cmp(instant))
            }
            (Self::Time { operator, literal, instant }, Datum::Text(value)) => match datetime::parse(value) {
                Some(value) => admits(*operator, value.utc.cmp(instant)),
                // A stored value that is no dateTime can be identical, but has no order.
                None => value == literal && admits(*operator, Ordering::Equal),
            },
            _ => false,
        }
    }
}

/// Whether an operator holds for a value that stands so to the literal.
fn admits(operator: CompareOperator, order: Ordering) -> bool {
    match operator {
        CompareOperator::Equal => order.is_eq(),
        CompareOperator::GreaterThan => order.is_gt(),
        CompareOperator::GreaterOrEqual => order.is_ge(),
        CompareOperator::LessThan => order.is_lt(),
        CompareOperator::LessOrEqual => order.is_le(),
        CompareOperator::NotEqual => order.is_ne(),
        CompareOperator::Contains | CompareOperator::StartsWith | CompareOperator::EndsWith => false,
    }
}

/// A record with what shows it.
struct Viewed<'a> {
    record: &'a Record,
    representer: &'a Representer<'a>,
}

/// What a path names in a record.
#[derive(Debug)]
enum RecordRead {
    Id,
    Created,
    LastModified,
    /// A sub-attribute of `meta`.
    Meta(String),
    /// The whole of an extension.
    Extension(String),
    Attribute {
        extension: Option<String>,
        name: String,
        sub: Option<SubRead>,
    },
}

/// What is read of each element of an attribute.
#[derive(Debug)]
struct SubRead {
    name: String,
    /// Whether a missing value counts as false: `primary` (RFC 7643 §2.4).
    missing_is_false: bool,
    /// Whether an element that is no object counts for its own `value`, as some servers write it.
    bare: bool,
}

impl SubRead {
    fn plain(name: &str) -> Self {
        Self { name: name.to_owned(), missing_is_false: false, bare: false }
    }
}

impl RecordRead {
    fn of(attribute: &Attribute, sub: Option<SubRead>, extension: Option<&Schema>) -> Self {
        match (extension, attribute.name.as_str(), sub) {
            (None, "id", None) => Self::Id,
            (None, "meta", Some(sub)) => Self::Meta(sub.name),
            (extension, name, sub) => Self::Attribute {
                extension: extension.map(|schema| schema.id.clone()),
                name: name.to_owned(),
                sub,
            },
        }
    }

    /// The same place, read as a time where that spares writing it and reading it back.
    fn for_test(self, test: &Test) -> Self {
        match self {
            Self::Meta(name) if test.is_by_time() && name == "created" => Self::Created,
            Self::Meta(name) if test.is_by_time() && name == "lastModified" => Self::LastModified,
            other => other,
        }
    }
}

impl Reads for RecordRead {
    type Subject<'a> = Viewed<'a>;

    fn any(&self, subject: &Viewed<'_>, test: &mut dyn FnMut(Datum<'_>) -> bool) -> bool {
        let Viewed { record, representer } = subject;
        match self {
            Self::Id => test(Datum::Text(&record.id)),
            Self::Created => test(Datum::Instant(in_milliseconds(record.created))),
            Self::LastModified => test(Datum::Instant(in_milliseconds(record.last_modified))),
            Self::Meta(name) => {
                representer.meta_member(record, name).is_some_and(|value| test(Datum::of(&value)))
            }
            Self::Extension(urn) => {
                member(&record.attributes, urn).is_some_and(|container| test(Datum::of(container)))
            }
            Self::Attribute { extension: None, name, sub: Some(sub) }
                if name == "members" && sub.name == "value" && record.has_members() =>
            {
                record.member_ids().any(|id| test(Datum::Text(id)))
            }
            Self::Attribute { extension, name, sub } => {
                let value = match extension {
                    None => representer.member(record, name),
                    Some(urn) => representer.extension_member(record, urn, name),
                };
                value.is_some_and(|value| any_of(&value, sub.as_ref(), test))
            }
        }
    }

    fn column<'c>(&'c self, _: Option<&Column<'c>>, exact: bool) -> Option<Column<'c>> {
        match self {
            Self::Id => Some(Column { extension: None, name: "id", sub: None, exact }),
            Self::Attribute { extension, name, sub } => Some(Column {
                extension: extension.as_deref(),
                name,
                sub: sub.as_ref().map(|sub| sub.name.as_str()),
                exact,
            }),
            _ => None,
        }
    }
}

fn any_of(value: &Value, sub: Option<&SubRead>, test: &mut dyn FnMut(Datum<'_>) -> bool) -> bool {
    let Some(sub) = sub else { return elements(value).iter().any(|value| test(Datum::of(value))) };
    elements(value).iter().any(|element| match get(element, &sub.name) {
        Some(value) if !value.is_null() => elements(value).iter().any(|value| test(Datum::of(value))),
        _ if sub.missing_is_false => test(Datum::Json(&Value::Bool(false))),
        _ if sub.bare && !element.is_object() => test(Datum::of(element)),
        _ => false,
    })
}

/// What a path between brackets names in an element.
#[derive(Debug)]
enum ElementRead {
    /// The element itself, of an attribute that is not complex.
    Itself,
    Member {
        name: String,
        missing_is_false: bool,
    },
}

impl Reads for ElementRead {
    type Subject<'a> = Datum<'a>;

    fn any(&self, subject: &Datum<'_>, test: &mut dyn FnMut(Datum<'_>) -> bool) -> bool {
        match self {
            Self::Itself => test(*subject),
            Self::Member { name, missing_is_false } => {
                let value = match subject {
                    Datum::Json(element) => get(element, name).filter(|value| !value.is_null()),
                    Datum::Text(_) | Datum::Instant(_) => None,
                };
                match value {
                    Some(value) => elements(value).iter().any(|value| test(Datum::of(value))),
                    None => *missing_is_false && test(Datum::Json(&Value::Bool(false))),
                }
            }
        }
    }

    fn column<'c>(&'c self, parent: Option<&Column<'c>>, exact: bool) -> Option<Column<'c>> {
        let parent = parent?;
        match self {
            Self::Itself => Some(Column { exact, ..*parent }),
            Self::Member { name, .. } if parent.sub.is_none() => {
                Some(Column { sub: Some(name.as_str()), exact, ..*parent })
            }
            Self::Member { .. } => None,
        }
    }
}

fn record_node(filter: &Filter, definition: &ResourceDefinition) -> Node<RecordRead> {
    let nodes = |operands: &[Filter]| operands.iter().map(|it| record_node(it, definition)).collect();
    match filter {
        Filter::And(operands) => Node::All(nodes(operands)),
        Filter::Or(operands) => Node::Any(nodes(operands)),
        Filter::Not(operand) => Node::Not(Box::new(record_node(operand, definition))),
        Filter::Present(path) => match definition.resolve(path) {
            None => Node::Constant(false),
            Some(Resolved::Resource(_)) => Node::Constant(true),
            Some(Resolved::Extension(schema)) => {
                Node::Test(RecordRead::Extension(schema.id.clone()), Test::Present)
            }
            Some(Resolved::Attribute { attribute, sub, extension }) => {
                let sub = sub.map(|sub| SubRead::plain(&sub.name));
                Node::Test(RecordRead::of(attribute, sub, extension), Test::Present)
            }
        },
        Filter::Compare { path, operator, value } => {
            let Some(Resolved::Attribute { attribute, sub, extension }) = definition.resolve(path) else {
                return Node::Constant(false);
            };
            let leaf = sub.unwrap_or(attribute);
            let Some((compared, by_value)) = comparable(leaf) else { return Node::Constant(false) };
            let sub = if by_value {
                Some(SubRead { bare: true, ..SubRead::plain("value") })
            } else {
                sub.map(|sub| SubRead {
                    missing_is_false: *value != FilterValue::Null && is_primary(sub, attribute),
                    ..SubRead::plain(&sub.name)
                })
            };
            let test = Test::of(*operator, value, compared);
            Node::Test(RecordRead::of(attribute, sub, extension).for_test(&test), test)
        }
        Filter::ValuePath { path, filter } => match definition.resolve(path) {
            Some(Resolved::Attribute { attribute, sub, extension }) => {
                let element = Box::new(element_node(filter, sub.unwrap_or(attribute)));
                let sub = sub.map(|sub| SubRead::plain(&sub.name));
                Node::Element(RecordRead::of(attribute, sub, extension), element)
            }
            _ => Node::Constant(false),
        },
    }
}

fn element_node(filter: &Filter, parent: &Attribute) -> Node<ElementRead> {
    let nodes = |operands: &[Filter]| operands.iter().map(|it| element_node(it, parent)).collect();
    match filter {
        Filter::And(operands) => Node::All(nodes(operands)),
        Filter::Or(operands) => Node::Any(nodes(operands)),
        Filter::Not(operand) => Node::Not(Box::new(element_node(operand, parent))),
        Filter::Present(path) => match element_attribute(path, parent) {
            Some(attribute) => Node::Test(element_read(attribute, parent, false), Test::Present),
            None => Node::Constant(false),
        },
        Filter::Compare { path, operator, value } => {
            let Some(attribute) = element_attribute(path, parent) else { return Node::Constant(false) };
            let Some((compared, _)) = comparable(attribute) else { return Node::Constant(false) };
            let read = element_read(attribute, parent, *value != FilterValue::Null);
            Node::Test(read, Test::of(*operator, value, compared))
        }
        Filter::ValuePath { path, filter } => match element_attribute(path, parent) {
            Some(attribute) => Node::Element(
                element_read(attribute, parent, false),
                Box::new(element_node(filter, attribute)),
            ),
            None => Node::Constant(false),
        },
    }
}

/// What a path between the brackets of `parent` names: a sub-attribute, or of a simple attribute, by `value`, itself.
fn element_attribute<'a>(path: &AttributePath, parent: &'a Attribute) -> Option<&'a Attribute> {
    if path.urn.is_some() || path.sub.is_some() {
        return None;
    }
    if parent.kind == AttributeType::Complex {
        return sub_attribute(parent, &path.name);
    }
    path.name.eq_ignore_ascii_case("value").then_some(parent)
}

fn element_read(attribute: &Attribute, parent: &Attribute, assume_primary: bool) -> ElementRead {
    if parent.kind != AttributeType::Complex {
        return ElementRead::Itself;
    }
    ElementRead::Member {
        name: attribute.name.clone(),
        missing_is_false: assume_primary && is_primary(attribute, parent),
    }
}

/// The attribute that a comparison is made on: of a multi-valued complex attribute its `value`.
fn comparable(leaf: &Attribute) -> Option<(&Attribute, bool)> {
    if leaf.kind != AttributeType::Complex {
        return Some((leaf, false));
    }
    let value = leaf.sub_attribute("value").filter(|_| leaf.multi_valued)?;
    Some((value, true))
}

fn is_primary(sub: &Attribute, parent: &Attribute) -> bool {
    parent.multi_valued && sub.kind == AttributeType::Boolean && sub.name.eq_ignore_ascii_case("primary")
}

#[cfg(test)]
mod tests;
