//! Whether a resource matches a filter, in one reading of the RFCs, and why: a tree walk to be read beside
//! RFC 7644 §3.4.2.2.
//!
//! The answer is `None` where what the service provider knows decides, and not its reading: what the resource does
//! not show, digits of a time that are not printed, an order of texts that collations disagree about. Two-valued
//! logic holds for everything else: what is not true is false, and `not` turns it round.

use std::cell::Cell;
use std::cmp::Ordering;
use std::fmt;

use chrono::{DurationRound, TimeDelta};
use serde_json::{Number, Value};

use super::world::{Knob, Knobs, World};
use crate::scim::datetime;
use crate::scim::definition::{Resolved, ResourceDefinition, sub_attribute};
use crate::scim::filter::{CompareOperator, Filter, FilterValue, MAX_DEPTH};
use crate::scim::path::AttributePath;
use crate::scim::resource::{elements, get, is_unassigned};
use crate::scim::schema::{Attribute, AttributeType, Mutability, Returned};
use crate::scim::text::fold_case;

/// Whether the resource matches the filter in that world; `None` where the resource does not show what decides.
pub fn evaluate(
    filter: &Filter,
    resource: &Value,
    definition: &ResourceDefinition,
    world: World,
) -> Option<bool> {
    evaluate_asking(filter, resource, definition, &Asking::in_world(world))
}

/// A world that notes which of its knobs were asked for.
#[derive(Debug)]
pub(super) struct Asking {
    world: World,
    asked: Cell<Knobs>,
}

impl Asking {
    pub(super) fn in_world(world: World) -> Asking {
        Asking { world, asked: Cell::default() }
    }

    /// The knobs asked for so far.
    pub(super) fn asked(&self) -> Knobs {
        self.asked.get()
    }

    fn departs(&self, knob: Knob) -> bool {
        self.asked.set(self.asked.get().with(knob));
        self.world.departs(knob)
    }

    /// The answer of the usual setting, or of the other one; only if they differ is it a question.
    fn choose<T: PartialEq>(&self, knob: Knob, usual: T, other: T) -> T {
        if usual != other && self.departs(knob) { other } else { usual }
    }
}

pub(super) fn evaluate_asking(
    filter: &Filter,
    resource: &Value,
    definition: &ResourceDefinition,
    world: &Asking,
) -> Option<bool> {
    let here = Here { subject: resource, kind: Kind::Resource(definition), world };
    let answer = here.holds(filter, 0);
    let has_unknown = here.has(filter, 0, |named, _| matches!(named, Named::Unknown));
    let answer =
        if has_unknown { world.choose(Knob::UnknownFindsNothing, answer, Some(false)) } else { answer };
    // A filter that may be refused for what it compares may find nothing at all, too (AMB-64): only what it must not
    // find is known.
    let compares_whole = || here.has(filter, 0, |named, is_compared| is_compared && named.is_whole());
    if answer != Some(false) && compares_whole() { None } else { answer }
}

/// What a filter is about here: a resource, or one element of an attribute, between brackets.
#[derive(Clone, Copy)]
struct Here<'a> {
    subject: &'a Value,
    kind: Kind<'a>,
    world: &'a Asking,
}

/// What the paths of a filter are relative to.
#[derive(Clone, Copy)]
enum Kind<'a> {
    Resource(&'a ResourceDefinition),
    Element(&'a Attribute),
}

/// What a path names.
enum Named<'a> {
    /// An attribute, and where its values are.
    Attribute { attribute: &'a Attribute, sub: Option<&'a Attribute>, container: Option<&'a Value> },
    /// The element itself: `value` between the brackets of a simple attribute.
    Element(&'a Attribute),
    /// A whole extension, or the whole resource.
    Container(Option<&'a Value>),
    /// Nothing that is defined.
    Unknown,
    /// Nothing that is defined, but something that is there all the same, or that another spelling would name.
    Doubtful,
}

impl Named<'_> {
    /// Whether it is a complex value with nothing in it that stands for the whole.
    fn is_whole(&self) -> bool {
        let Named::Attribute { attribute, sub, .. } = self else {
            return matches!(self, Named::Container(_));
        };
        let leaf = sub.unwrap_or(attribute);
        leaf.kind == AttributeType::Complex && !(leaf.multi_valued && leaf.sub_attribute("value").is_some())
    }
}

/// The values that a path leads to.
struct Values<'a> {
    /// What was found, arrays taken apart; what is unassigned left out.
    assigned: Vec<&'a Value>,
    /// How many elements lack the sub-attribute.
    incomplete: usize,
}

impl<'a> Here<'a> {
    fn holds(self, filter: &Filter, depth: usize) -> Option<bool> {
        if depth > MAX_DEPTH {
            return None;
        }
        match filter {
            Filter::And(all) => every(all.iter().map(|each| self.holds(each, depth + 1))),
            Filter::Or(all) => any(all.iter().map(|each| self.holds(each, depth + 1))),
            Filter::Not(inner) => self.holds(inner, depth + 1).map(|holds| !holds),
            Filter::Present(path) => self.present(path),
            Filter::Compare { path, operator, value } => self.compare(path, *operator, value),
            Filter::ValuePath { path, filter } => self.value_path(path, filter, depth),
        }
    }

    /// What a path names here, and where its values are.
    fn named(self, path: &AttributePath) -> Named<'a> {
        match self.kind {
            Kind::Resource(definition) => self.named_in_resource(path, definition),
            // A whole path between brackets: some servers understand it.
            Kind::Element(_) if path.urn.is_some() || path.sub.is_some() => Named::Doubtful,
            Kind::Element(parent) if parent.kind == AttributeType::Complex => {
                match sub_attribute(parent, &path.name) {
                    Some(attribute) => {
                        Named::Attribute { attribute, sub: None, container: Some(self.subject) }
                    }
                    None if get(self.subject, &path.name).is_some() => Named::Doubtful,
                    None => Named::Unknown,
                }
            }
            Kind::Element(parent) if path.name.eq_ignore_ascii_case("value") => Named::Element(parent),
            Kind::Element(_) => Named::Unknown,
        }
    }

    fn named_in_resource(self, path: &AttributePath, definition: &'a ResourceDefinition) -> Named<'a> {
        let Some(resolved) = definition.resolve(path) else {
            let is_shown = path.urn.is_none() && get(self.subject, &path.name).is_some();
            let lacks_urn = path.urn.is_none()
                && definition.extensions.iter().any(|it| it.schema.attribute(&path.name).is_some());
            return if is_shown || lacks_urn { Named::Doubtful } else { Named::Unknown };
        };
        if let Some(urn) = &path.urn {
            let whole = path.to_string();
            let mut known =
                definition.extensions.iter().map(|it| &it.schema.id).chain([&definition.schema.id]);
            let is_exact = known.any(|schema| schema == urn || *schema == whole);
            if !is_exact && self.world.departs(Knob::UriPrefixCase) {
                return Named::Unknown;
            }
        }
        match resolved {
            Resolved::Resource(_) => Named::Container(Some(self.subject)),
            Resolved::Extension(schema) => Named::Container(get(self.subject, &schema.id)),
            Resolved::Attribute { attribute, sub, extension } => {
                let container = match extension {
                    None => Some(self.subject),
                    Some(schema) => get(self.subject, &schema.id),
                };
                Named::Attribute { attribute, sub, container }
            }
        }
    }

    /// Whether a path of the filter names something of that kind; it is also said whether it is compared.
    fn has(self, filter: &Filter, depth: usize, wanted: fn(&Named<'_>, bool) -> bool) -> bool {
        if depth > MAX_DEPTH {
            return false;
        }
        match filter {
            Filter::And(all) | Filter::Or(all) => all.iter().any(|each| self.has(each, depth + 1, wanted)),
            Filter::Not(inner) => self.has(inner, depth + 1, wanted),
            Filter::Present(path) => wanted(&self.named(path), false),
            Filter::Compare { path, .. } => wanted(&self.named(path), true),
            Filter::ValuePath { path, filter } => {
                let named = self.named(path);
                let within = match &named {
                    Named::Attribute { attribute, sub, .. } => {
                        let kind = Kind::Element(sub.unwrap_or(attribute));
                        Here { subject: &Value::Null, kind, ..self }.has(filter, depth + 1, wanted)
                    }
                    _ => false,
                };
                wanted(&named, false) || within
            }
        }
    }

    /// `pr`: a value that is neither empty nor null, or of a complex attribute a member that is (RFC 7644 Table 3).
    fn present(self, path: &AttributePath) -> Option<bool> {
        let (attribute, sub, container) = match self.named(path) {
            Named::Unknown => return Some(false),
            Named::Doubtful => return None,
            Named::Element(_) => return self.shows_something(self.subject),
            Named::Container(container) => {
                return container.map_or(Some(false), |container| self.shows_something(container));
            }
            Named::Attribute { attribute, sub, container } => (attribute, sub, container),
        };
        if is_secret(attribute, sub) {
            return None;
        }
        let values = values(container, attribute, sub.map(|sub| sub.name.as_str()));
        let shown = any(values.assigned.iter().map(|value| self.shows_something(value)));
        if shown != Some(false) {
            let is_primary = sub.map_or_else(
                || matches!(self.kind, Kind::Element(parent) if is_primary(attribute, parent)),
                |sub| is_primary(sub, attribute),
            );
            let may_be_assumed =
                is_primary && values.assigned.iter().all(|value| **value == Value::Bool(false));
            let is_unknown = may_be_assumed && self.world.departs(Knob::AssumedPrimaryIsShown);
            return if is_unknown { None } else { shown };
        }
        if is_hidden(attribute, sub) {
            return None;
        }
        let assumed = values.incomplete > 0 && sub.is_some_and(|sub| is_primary(sub, attribute))
            || self.lacks_primary(attribute);
        Some(assumed && self.world.departs(Knob::AssumedPrimaryIsPresent))
    }

    fn shows_something(self, value: &Value) -> Option<bool> {
        match value {
            Value::String(text) if text.is_empty() => Some(self.world.departs(Knob::EmptyIsPresent)),
            // Whether empty texts fill a complex value is open.
            Value::Object(members)
                if members.values().all(|member| member == "" || is_unassigned(member)) =>
            {
                if members.values().any(|member| member == "") { None } else { Some(false) }
            }
            other => Some(!is_unassigned(other)),
        }
    }

    /// Whether this is an element without a `primary`, which the path names.
    fn lacks_primary(self, attribute: &Attribute) -> bool {
        matches!(self.kind, Kind::Element(parent) if is_primary(attribute, parent))
            && get(self.subject, &attribute.name).is_none_or(Value::is_null)
    }

    fn compare(self, path: &AttributePath, operator: CompareOperator, literal: &FilterValue) -> Option<bool> {
        let is_not_equal = operator == CompareOperator::NotEqual;
        let (attribute, sub, container) = match self.named(path) {
            Named::Unknown => return Some(is_not_equal && self.world.departs(Knob::NotEqualOnUnknown)),
            Named::Doubtful => return None,
            Named::Container(_) => return self.incomparable(operator),
            Named::Element(attribute) => {
                let values = Values { assigned: vec![self.subject], incomplete: 0 };
                return self.compare_values(&values, operator, literal, attribute, None);
            }
            Named::Attribute { attribute, sub, container } => (attribute, sub, container),
        };
        if is_secret(attribute, sub) {
            return None;
        }
        let leaf = sub.unwrap_or(attribute);
        if leaf.kind == AttributeType::Complex {
            // `emails co "x"` means emails.value (Figure 2); without a `value` there is nothing to compare.
            let value = leaf.sub_attribute("value").filter(|_| leaf.multi_valued);
            let Some(value) = value else { return self.incomparable(operator) };
            let as_value = self.attribute(attribute, Some(value), container, operator, literal);
            let otherwise = self.incomparable(operator);
            return self.world.choose(Knob::ComplexMeansValue, as_value, otherwise);
        }
        if let Some(knob) = form_of_its_own(attribute, sub)
            && let FilterValue::String(text) = literal
            && self.world.departs(knob)
        {
            // All that is known of the form that is compared: it is not the one that is shown.
            let shown = values(container, attribute, sub.map(|sub| sub.name.as_str()));
            let is_shown = shown.assigned.iter().any(|value| value.as_str() == Some(text.as_str()));
            return match operator {
                CompareOperator::Equal if is_shown => Some(false),
                CompareOperator::NotEqual if is_shown => Some(true),
                _ => None,
            };
        }
        self.attribute(attribute, sub, container, operator, literal)
    }

    /// A comparison of what cannot be compared: false, and of `ne` it is open.
    fn incomparable(self, operator: CompareOperator) -> Option<bool> {
        let is_not_equal = operator == CompareOperator::NotEqual;
        Some(is_not_equal && self.world.departs(Knob::IncomparableDiffers))
    }

    fn attribute(
        self,
        attribute: &'a Attribute,
        sub: Option<&'a Attribute>,
        container: Option<&'a Value>,
        operator: CompareOperator,
        literal: &FilterValue,
    ) -> Option<bool> {
        const FALSE: &Value = &Value::Bool(false);
        let mut values = values(container, attribute, sub.map(|sub| sub.name.as_str()));
        if is_hidden(attribute, sub) && values.assigned.is_empty() {
            return None;
        }
        let leaf = sub.unwrap_or(attribute);
        let lacks_primary = values.incomplete > 0 && sub.is_some_and(|sub| is_primary(sub, attribute))
            || self.lacks_primary(attribute);
        let parent = sub.map(|_| attribute);
        if lacks_primary && *literal != FilterValue::Null {
            let plain = self.compare_values(&values, operator, literal, leaf, parent);
            // SHALL be assumed to be false (RFC 7643 §2.4).
            values.assigned.push(FALSE);
            values.incomplete = 0;
            let assumed = self.compare_values(&values, operator, literal, leaf, parent);
            return self.world.choose(Knob::PrimaryAssumedFalse, assumed, plain);
        }
        self.compare_values(&values, operator, literal, leaf, parent)
    }

    /// A comparison with the values of an attribute: it holds if it holds for any of them.
    fn compare_values(
        self,
        values: &Values<'_>,
        operator: CompareOperator,
        literal: &FilterValue,
        attribute: &Attribute,
        parent: Option<&Attribute>,
    ) -> Option<bool> {
        use CompareOperator::{Equal, NotEqual};
        if *literal == FilterValue::Null {
            let is_assigned = !values.assigned.is_empty();
            if is_assigned && values.incomplete > 0 {
                // Whether an element without the sub-attribute is one whose value is null is nowhere said (AMB-66).
                return None;
            }
            return match operator {
                Equal => Some(self.world.choose(Knob::CompareWithNull, !is_assigned, false)),
                NotEqual => Some(self.world.choose(Knob::CompareWithNull, is_assigned, false)),
                _ => None,
            };
        }
        let is_text = !matches!(attribute.kind, AttributeType::Boolean);
        if operator.is_ordering() && (!is_text || attribute.kind == AttributeType::Binary) {
            // SHALL be refused (RFC 7644 Table 3); what is found instead is nobody's reading.
            return None;
        }
        let one = |value: &Value, operator| self.compare_one(value, operator, literal, attribute, parent);
        if operator != NotEqual {
            if values.assigned.is_empty() && operator == Equal && *literal == FilterValue::from("") {
                return None;
            }
            return any(values.assigned.iter().map(|value| one(value, operator)));
        }
        if !fits(attribute.kind, literal) {
            let plain =
                if values.assigned.is_empty() { self.on_absent() } else { self.incomparable(operator) };
            let converted = self.not_equal(values, |value| one(value, Equal));
            return if values.assigned.is_empty() {
                self.world.choose(Knob::IncomparableDiffers, Some(false), plain)
            } else {
                self.world.choose(Knob::LiteralConverted, plain, converted)
            };
        }
        if values.assigned.is_empty() && *literal == FilterValue::from("") {
            return None;
        }
        self.not_equal(values, |value| one(value, Equal))
    }

    /// `ne` where nothing is assigned.
    fn on_absent(self) -> Option<bool> {
        let knob = match self.kind {
            Kind::Resource(_) => Knob::NotEqualOnAbsent,
            Kind::Element(_) => Knob::NotEqualInBrackets,
        };
        Some(!self.world.departs(knob))
    }

    /// `ne`, made of what `eq` says of each value.
    fn not_equal(self, values: &Values<'_>, is_equal: impl Fn(&Value) -> Option<bool>) -> Option<bool> {
        if values.assigned.is_empty() {
            return self.on_absent();
        }
        let equal: Vec<Option<bool>> = values.assigned.iter().map(|value| is_equal(value)).collect();
        let differs = |equal: &Option<bool>| equal.map(|equal| !equal);
        let any_differs = any(equal.iter().map(differs));
        let none_equal = every(equal.iter().map(differs));
        let with_incomplete = if values.incomplete > 0 { Some(true) } else { any_differs };
        let any_differs = self.world.choose(Knob::NotEqualOnIncomplete, any_differs, with_incomplete);
        self.world.choose(Knob::NotEqualOnSeveral, any_differs, none_equal)
    }

    /// A comparison with one value, all operators but `ne`.
    fn compare_one(
        self,
        value: &Value,
        operator: CompareOperator,
        literal: &FilterValue,
        attribute: &Attribute,
        parent: Option<&Attribute>,
    ) -> Option<bool> {
        use AttributeType::{Binary, Boolean, DateTime, Decimal, Integer, Reference};
        let kind = attribute.kind;
        if !has_type(value, kind) {
            // A value that is not of its own type is another rule's business.
            return None;
        }
        if operator.is_substring() && matches!(kind, Boolean | Integer | Decimal) {
            let (value, literal) = (plain_text(value), plain_text(&literal.to_json()));
            let as_text = substring(&value, operator, &literal, false);
            return self.world.choose(Knob::SubstringOfNumber, Some(false), as_text);
        }
        if !fits(kind, literal) {
            let converted = converted(literal, kind).map_or(Some(false), |literal| {
                self.compare_one(value, operator, &literal, attribute, parent)
            });
            return self.world.choose(Knob::LiteralConverted, Some(false), converted);
        }
        match (value, literal) {
            (Value::Bool(value), FilterValue::Boolean(literal)) => Some(value == literal),
            (Value::Number(value), FilterValue::Number(literal)) => {
                Some(in_order(operator, order_numbers(value, literal)?))
            }
            (Value::String(value), FilterValue::String(literal)) if kind == DateTime => {
                self.compare_times(value, operator, literal)
            }
            (Value::String(value), FilterValue::String(literal)) if operator.is_substring() => {
                let found = self
                    .in_either_case(attribute, parent, |exact| substring(value, operator, literal, exact));
                let found = if literal.is_empty() {
                    self.world.choose(Knob::EmptySubstring, found, Some(false))
                } else {
                    found
                };
                match kind {
                    Reference | Binary => self.world.choose(Knob::SubstringOfReference, found, Some(false)),
                    _ => found,
                }
            }
            (Value::String(value), FilterValue::String(literal)) if operator.is_ordering() => {
                let in_case =
                    |exact| order_texts(value, literal, exact).map(|order| in_order(operator, order));
                let exact = attribute.compares_exactly();
                self.world.choose(Knob::OrderCase, in_case(exact), in_case(!exact))
            }
            (Value::String(value), FilterValue::String(literal)) => {
                self.in_either_case(attribute, parent, |exact| equal_texts(value, literal, exact))
            }
            _ => None,
        }
    }

    /// What a comparison of texts says with the attribute's regard to case; where that is in dispute, either.
    fn in_either_case(
        self,
        attribute: &Attribute,
        parent: Option<&Attribute>,
        compare: impl Fn(bool) -> Option<bool>,
    ) -> Option<bool> {
        let exact = attribute.compares_exactly();
        let parent = match self.kind {
            Kind::Element(parent) => Some(parent),
            Kind::Resource(_) => parent,
        };
        let names_another = attribute.name.eq_ignore_ascii_case("value") && parent.is_some_and(refers);
        let knob = match attribute.kind {
            AttributeType::Reference | AttributeType::Binary => Some(Knob::ReferenceCase),
            _ if names_another => Some(Knob::ReferenceCase),
            _ if parent.is_some() => None,
            _ if std::ptr::eq(attribute, common("id")) => Some(Knob::IdCase),
            _ if std::ptr::eq(attribute, common("schemas")) => Some(Knob::SchemaUriCase),
            _ => None,
        };
        match knob {
            None => compare(exact),
            Some(knob) => self.world.choose(knob, compare(exact), compare(!exact)),
        }
    }

    /// A comparison of two dateTimes (AMB-75). A text that is none has no order.
    fn compare_times(self, value: &str, operator: CompareOperator, literal: &str) -> Option<bool> {
        if operator.is_substring() {
            // A server may keep another text of the same instant than it shows.
            return None;
        }
        let is_equality = operator == CompareOperator::Equal;
        let same_text = Some(value == literal);
        let (Some(stored), Some(wanted)) = (datetime::parse(value), datetime::parse(literal)) else {
            return if is_equality { same_text } else { Some(false) };
        };
        let distance = stored.utc.signed_duration_since(wanted.utc).abs();
        if !(stored.has_zone && wanted.has_zone) && distance <= TimeDelta::hours(15) {
            return None;
        }
        // The last digit shown may stand for more that are not: the value lies within one unit of what it shows.
        let unit = unit(value);
        let instant = |from: chrono::DateTime<chrono::Utc>, to: chrono::DateTime<chrono::Utc>| {
            let order = from.cmp(&to);
            let is_near = order != Ordering::Greater && to.signed_duration_since(from) < unit;
            match (is_near, order) {
                (false, order) => Some(in_order(operator, order)),
                // At least as late as shown, if not later.
                (true, Ordering::Equal) if operator == CompareOperator::GreaterOrEqual => Some(true),
                (true, Ordering::Equal) if operator == CompareOperator::LessThan => Some(false),
                (true, _) => None,
            }
        };
        let whole = instant(stored.utc, wanted.utc);
        let second = TimeDelta::seconds(1);
        let cut = match (stored.utc.duration_trunc(second), wanted.utc.duration_trunc(second)) {
            (Ok(from), Ok(to)) => Some(in_order(operator, from.cmp(&to))),
            _ => whole,
        };
        // Where nobody knows the digits, cutting them off decides nothing either.
        let by_instant =
            if whole.is_none() { None } else { self.world.choose(Knob::FractionsCut, whole, cut) };
        if is_equality { self.world.choose(Knob::DateTimeAsText, by_instant, same_text) } else { by_instant }
    }

    /// `attribute[filter]`: one element matches the filter as a whole (RFC 7644 §3.4.2.2).
    fn value_path(self, path: &AttributePath, filter: &Filter, depth: usize) -> Option<bool> {
        let (attribute, sub, container) = match self.named(path) {
            Named::Unknown | Named::Container(_) | Named::Element(_) => return Some(false),
            Named::Doubtful => return None,
            Named::Attribute { attribute, sub, container } => (attribute, sub, container),
        };
        if is_secret(attribute, sub) {
            return None;
        }
        let leaf = sub.unwrap_or(attribute);
        if leaf.kind != AttributeType::Complex && !leaf.multi_valued {
            return Some(false);
        }
        let values = values(container, attribute, sub.map(|sub| sub.name.as_str()));
        if values.assigned.is_empty() {
            return if is_hidden(attribute, sub) { None } else { Some(false) };
        }
        any(values.assigned.iter().map(|element| {
            if leaf.kind == AttributeType::Complex && !element.is_object() {
                return None;
            }
            Here { subject: element, kind: Kind::Element(leaf), world: self.world }.holds(filter, depth + 1)
        }))
    }
}

/// Whether all hold.
fn every(answers: impl Iterator<Item = Option<bool>>) -> Option<bool> {
    any(answers.map(|answer| answer.map(|holds| !holds))).map(|fails| !fails)
}

/// Whether any holds: one that does is enough, and without it one that nobody knows leaves it open.
fn any(answers: impl Iterator<Item = Option<bool>>) -> Option<bool> {
    let mut is_known = true;
    for answer in answers {
        match answer {
            Some(true) => return Some(true),
            Some(false) => {}
            None => is_known = false,
        }
    }
    is_known.then_some(false)
}

/// The values of an attribute, or of a sub-attribute in each of its elements.
fn values<'v>(container: Option<&'v Value>, attribute: &Attribute, sub: Option<&str>) -> Values<'v> {
    let all = container.and_then(|container| get(container, &attribute.name)).map(elements);
    let assigned = |value: &&Value| !is_unassigned(value);
    let all: Vec<&Value> = all.unwrap_or_default().iter().filter(assigned).collect();
    let Some(sub) = sub else { return Values { assigned: all, incomplete: 0 } };
    let mut found = Values { assigned: Vec::new(), incomplete: 0 };
    for element in all {
        let before = found.assigned.len();
        match get(element, sub) {
            Some(value) => found.assigned.extend(elements(value).iter().filter(assigned)),
            // Some servers write the bare value where an object with `value` is due.
            None if !element.is_object() && sub.eq_ignore_ascii_case("value") => found.assigned.push(element),
            None => {}
        }
        if found.assigned.len() == before {
            found.incomplete += 1;
        }
    }
    found
}

/// The common attribute of that name (RFC 7643 §3.1).
fn common(name: &str) -> *const Attribute {
    ResourceDefinition::common_attributes()
        .iter()
        .find(|attribute| attribute.name == name)
        .map_or(std::ptr::null(), std::ptr::from_ref)
}

/// The knob of a value that the service provider makes up when it shows a resource, and may keep in another form.
fn form_of_its_own(attribute: &Attribute, sub: Option<&Attribute>) -> Option<Knob> {
    let sub = sub.filter(|_| attribute.name.eq_ignore_ascii_case("meta"))?;
    match sub.name.to_ascii_lowercase().as_str() {
        "version" => Some(Knob::VersionAsShown),
        "location" => Some(Knob::LocationAsShown),
        _ => None,
    }
}

/// Whether an attribute's `$ref` is declared to lead to a resource, so that its `value` is an id.
fn refers(attribute: &Attribute) -> bool {
    attribute.sub_attribute("$ref").is_some_and(|reference| reference.kind == AttributeType::Reference)
}

fn is_primary(sub: &Attribute, parent: &Attribute) -> bool {
    parent.multi_valued && sub.kind == AttributeType::Boolean && sub.name.eq_ignore_ascii_case("primary")
}

/// Whether a value is there and never shown: what a filter finds by it says nothing (AMB-37).
fn is_secret(attribute: &Attribute, sub: Option<&Attribute>) -> bool {
    [Some(attribute), sub]
        .into_iter()
        .flatten()
        .any(|it| it.returned == Returned::Never || it.mutability == Mutability::WriteOnly)
}

/// Whether a value may be there though it is not shown.
fn is_hidden(attribute: &Attribute, sub: Option<&Attribute>) -> bool {
    [Some(attribute), sub].into_iter().flatten().any(|it| it.returned == Returned::Request)
}

/// Whether a literal is of the attribute's type.
fn fits(kind: AttributeType, literal: &FilterValue) -> bool {
    match (kind, literal) {
        (AttributeType::Boolean, literal) => matches!(literal, FilterValue::Boolean(_)),
        (AttributeType::Integer | AttributeType::Decimal, literal) => {
            matches!(literal, FilterValue::Number(_))
        }
        (_, literal) => matches!(literal, FilterValue::String(_)),
    }
}

/// Whether a value is of the attribute's type.
fn has_type(value: &Value, kind: AttributeType) -> bool {
    match kind {
        AttributeType::Boolean => value.is_boolean(),
        AttributeType::Integer | AttributeType::Decimal => value.is_number(),
        _ => value.is_string(),
    }
}

/// A literal as one of the attribute's type, where it can be read so.
fn converted(literal: &FilterValue, kind: AttributeType) -> Option<FilterValue> {
    let text = plain_text(&literal.to_json());
    match kind {
        AttributeType::Boolean if text.eq_ignore_ascii_case("true") => Some(FilterValue::Boolean(true)),
        AttributeType::Boolean if text.eq_ignore_ascii_case("false") => Some(FilterValue::Boolean(false)),
        AttributeType::Boolean | AttributeType::Complex => None,
        AttributeType::Integer | AttributeType::Decimal => text.parse().ok().map(FilterValue::Number),
        _ => Some(FilterValue::String(text)),
    }
}

fn plain_text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// Whether an order is what an operator asks for.
fn in_order(operator: CompareOperator, order: Ordering) -> bool {
    match operator {
        CompareOperator::Equal => order == Ordering::Equal,
        CompareOperator::GreaterThan => order == Ordering::Greater,
        CompareOperator::GreaterOrEqual => order != Ordering::Less,
        CompareOperator::LessThan => order == Ordering::Less,
        CompareOperator::LessOrEqual => order != Ordering::Greater,
        _ => false,
    }
}

/// Both texts without regard to case, if the simple and the full case mapping agree about a comparison of them.
fn folded(left: &str, right: &str, compare: impl Fn(&str, &str) -> bool) -> Option<bool> {
    let full = compare(&fold_case(left), &fold_case(right));
    let simple = compare(&left.to_lowercase(), &right.to_lowercase());
    (full == simple).then_some(full)
}

fn equal_texts(value: &str, literal: &str, exact: bool) -> Option<bool> {
    if exact { Some(value == literal) } else { folded(value, literal, |value, literal| value == literal) }
}

fn substring(value: &str, operator: CompareOperator, literal: &str, exact: bool) -> Option<bool> {
    let found = |value: &str, literal: &str| match operator {
        CompareOperator::Contains => value.contains(literal),
        CompareOperator::StartsWith => value.starts_with(literal),
        _ => value.ends_with(literal),
    };
    if exact { Some(found(value, literal)) } else { folded(value, literal, found) }
}

/// The order of two texts, where all collations agree about it: only letters and digits of ASCII have an order that
/// all share (AMB-74).
pub fn order_texts(left: &str, right: &str, exact: bool) -> Option<Ordering> {
    let case = |text: &str| if exact { text.to_owned() } else { fold_case(text).into_owned() };
    let (left, right) = (case(left), case(right));
    let (mut left, mut right) = (left.chars(), right.chars());
    loop {
        return match (left.next(), right.next()) {
            (None, None) => Some(Ordering::Equal),
            (Some(a), Some(b)) if a == b => continue,
            (a, b) => {
                let is_sure = |it: Option<char>| it.is_none_or(|it| it.is_ascii_alphanumeric());
                (is_sure(a) && is_sure(b)).then(|| a.cmp(&b))
            }
        };
    }
}

/// The order of two numbers; whole ones exactly, also beyond the precision of doubles.
fn order_numbers(left: &Number, right: &Number) -> Option<Ordering> {
    let whole = |number: &Number| number.as_i64().map(i128::from).or_else(|| number.as_u64().map(i128::from));
    match (whole(left), whole(right)) {
        (Some(left), Some(right)) => Some(left.cmp(&right)),
        _ => left.as_f64()?.partial_cmp(&right.as_f64()?),
    }
}

/// The worth of the last digit that a dateTime shows.
fn unit(text: &str) -> TimeDelta {
    let fraction = text.split_once('.').map_or("", |(_, rest)| rest);
    let digits = fraction.bytes().take_while(u8::is_ascii_digit).count().min(9);
    TimeDelta::nanoseconds(10_i64.pow(9 - u32::try_from(digits).unwrap_or(9)))
}

/// The evaluation of a filter, node by node.
#[derive(Debug, Clone, PartialEq)]
pub struct Explanation {
    /// The filter, or the part of it, as text.
    pub filter: String,
    /// What kind of node it is, for requirements and signatures: `eq`, `pr`, `and`, `not`, `[]`.
    pub kind: &'static str,
    /// What it evaluates to.
    pub answer: Option<bool>,
    /// What the attribute holds, of a comparison: `title is unassigned`.
    pub because: Option<String>,
    /// The operands. Of a value path none: its filter is about each element by itself.
    pub operands: Vec<Explanation>,
}

/// How many values of an attribute an explanation shows.
const SHOWN: usize = 5;

/// How long an explanation shows one value, in characters.
const LENGTH: usize = 80;

/// The evaluation of a filter in one world, node by node.
pub fn explain(
    filter: &Filter,
    resource: &Value,
    definition: &ResourceDefinition,
    world: World,
) -> Explanation {
    let asking = Asking::in_world(world);
    let here = Here { subject: resource, kind: Kind::Resource(definition), world: &asking };
    here.explain(filter, 0)
}

impl Here<'_> {
    fn explain(self, filter: &Filter, depth: usize) -> Explanation {
        let (kind, because, operands): (_, _, Vec<&Filter>) = match filter {
            Filter::And(all) => ("and", None, all.iter().collect()),
            Filter::Or(all) => ("or", None, all.iter().collect()),
            Filter::Not(inner) => ("not", None, vec![inner]),
            Filter::Present(path) => ("pr", Some(self.holding(path)), Vec::new()),
            Filter::Compare { path, operator, .. } => {
                (operator.as_str(), Some(self.holding(path)), Vec::new())
            }
            Filter::ValuePath { path, .. } => ("[]", Some(self.holding(path)), Vec::new()),
        };
        let operands = if depth < MAX_DEPTH { operands } else { Vec::new() };
        Explanation {
            filter: filter.to_string(),
            kind,
            answer: self.holds(filter, depth),
            because,
            operands: operands.into_iter().map(|operand| self.explain(operand, depth + 1)).collect(),
        }
    }

    /// What the attribute holds, in words.
    fn holding(self, path: &AttributePath) -> String {
        let (attribute, sub, container) = match self.named(path) {
            Named::Unknown => return format!("{path} is not defined"),
            Named::Doubtful => return format!("{path} is not declared"),
            Named::Element(_) => return format!("{path} is {}", clip(self.subject)),
            Named::Container(None) => return format!("{path} is absent"),
            Named::Container(Some(_)) => return format!("{path} is there"),
            Named::Attribute { attribute, sub, container } => (attribute, sub, container),
        };
        if is_secret(attribute, sub) {
            return format!("{path} is not shown");
        }
        let found = values(container, attribute, sub.map(|sub| sub.name.as_str()));
        let mut shown: Vec<String> = found.assigned.iter().take(SHOWN).map(|value| clip(value)).collect();
        if found.assigned.len() > SHOWN {
            shown.push(format!("{} more", found.assigned.len() - SHOWN));
        }
        match shown.as_slice() {
            [] => format!("{path} is unassigned"),
            all => format!("{path} is {}", all.join(", ")),
        }
    }
}

fn clip(value: &Value) -> String {
    let text = value.to_string();
    if text.chars().count() <= LENGTH {
        return text;
    }
    text.chars().take(LENGTH).chain(['…']).collect()
}

impl Explanation {
    /// The way down to the node that decides: each node stands on the next one. Of several operands that would do
    /// each alone, it is the first; where several decide together, it ends with the node above them.
    pub fn deciding_path(&self) -> Vec<&Explanation> {
        let mut path = vec![self];
        let mut node = self;
        loop {
            let is_not = node.kind == "not";
            let mut deciding = node.operands.iter().filter(|operand| is_not || operand.answer == node.answer);
            let first = deciding.next();
            let takes_all = matches!((node.kind, node.answer), ("and", Some(true)) | ("or", Some(false)));
            match first {
                Some(first) if !takes_all || deciding.next().is_none() => {
                    path.push(first);
                    node = first;
                }
                _ => return path,
            }
        }
    }

    /// The node that decides: the innermost one without which the answer would be another.
    pub fn deciding(&self) -> &Explanation {
        self.deciding_path().last().copied().unwrap_or(self)
    }

    /// The node in words: `title eq "x" is false, since title is unassigned`.
    pub fn words(&self) -> String {
        match self.grounds().as_slice() {
            [] => self.verdict(),
            grounds => format!("{}, since {}", self.verdict(), grounds.join("; ")),
        }
    }

    /// What the attributes hold that decide, in words: of a node with operands what decides each of them.
    pub fn grounds(&self) -> Vec<String> {
        if let Some(because) = &self.because {
            return vec![because.clone()];
        }
        let mut grounds: Vec<String> = Vec::new();
        for operand in &self.operands {
            let deciding = operand.deciding();
            // An `and` or `or` below this one is said by its answer alone: grounds of grounds are no help.
            let ground = deciding.because.clone().unwrap_or_else(|| deciding.verdict());
            if !grounds.contains(&ground) {
                grounds.push(ground);
            }
        }
        grounds
    }

    /// The node with its answer: `title eq "x" is false`.
    pub fn verdict(&self) -> String {
        let answer = match self.answer {
            Some(true) => "true",
            Some(false) => "false",
            None => "not known",
        };
        format!("{} is {answer}", self.filter)
    }

    fn write(&self, f: &mut fmt::Formatter<'_>, depth: usize) -> fmt::Result {
        if depth > 0 {
            writeln!(f)?;
        }
        write!(f, "{:indent$}{}", "", self.verdict(), indent = depth * 2)?;
        if let Some(because) = &self.because {
            write!(f, " ({because})")?;
        }
        self.operands.iter().try_for_each(|operand| operand.write(f, depth + 1))
    }
}

impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.write(f, 0)
    }
}

#[cfg(test)]
mod tests;
