//! Operations of a PATCH over a schema, made for a resource as it is: an attribute, what is done to it, and how the path
//! names it.
//!
//! Only what a client may write and reads again is touched. Each operation changes what it is about, as far as that can
//! be; what the RFC leaves open is told apart by whoever judges.

use proptest::prelude::*;
use proptest::sample::{Index, select};
use serde_json::{Map, Value, json};

use super::data::{MARK, Oddity, WORDS};
use super::filter::filters;
use crate::oracle::derived::{is_free, is_visible, refers};
use crate::scim::definition::ResourceDefinition;
use crate::scim::filter::{CompareOperator, Filter, FilterValue, element_matches};
use crate::scim::path::AttributePath;
use crate::scim::resource::{elements, get, is_unassigned, member, set_member};
use crate::scim::schema::{Attribute, AttributeType, Mutability, Uniqueness};

/// What new values are made of.
#[derive(Debug, Clone)]
pub struct Stock {
    /// The domain of addresses.
    pub domain: String,
    /// Ids of resources that may be referred to.
    pub references: Vec<String>,
    /// How odd texts may be.
    pub oddity: Oddity,
}

/// An attribute of the resource itself or of an extension.
#[derive(Debug, Clone, PartialEq)]
pub struct Place {
    /// The URI of the extension that it is of.
    pub urn: Option<String>,
    /// The attribute.
    pub attribute: Attribute,
}

/// What an attribute holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Class {
    /// One value without parts.
    Simple,
    /// One value with parts.
    Complex,
    /// Several values.
    Several,
}

/// What an operation does, and how it says so.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Form {
    /// Another value in the place of the one that is there.
    Replace,
    /// Another value added.
    Add,
    /// What is there, added again.
    AddSame,
    /// What is there, as its own replacement.
    ReplaceSame,
    /// The attribute removed.
    Remove,
    /// A value added where there is none.
    AddToNothing,
    /// A value for one that is not there.
    ReplaceNothing,
    /// `null`, or no values.
    Clear,
    /// Another value, without a path.
    ReplacePathless,
    /// Another value added, without a path.
    AddPathless,
    /// The name in another case.
    OtherCase,
    /// The name with the URI of the core schema.
    FullName,
    /// One part replaced by its path.
    PartReplace,
    /// One part added by its path.
    PartAdd,
    /// One part removed by its path.
    PartRemove,
    /// One part added by an object.
    AddPart,
    /// An object of one part as a replacement.
    ReplaceWithPart,
    /// An object of one part, without a path.
    PathlessPart,
    /// A value that is the primary one.
    AddPrimary,
    /// Three values at once.
    AddThree,
    /// A part of the one value that a filter selects, replaced.
    SelectedPart,
    /// A part of the one value that a filter selects, added.
    SelectedAddPart,
    /// A part of the one value that a filter selects, removed.
    SelectedPartRemove,
    /// The one value that a filter selects, replaced as a whole.
    SelectedWhole,
    /// The one value that a filter selects, removed.
    SelectedRemove,
    /// A part of several values that a filter selects.
    ManyPart,
    /// Several values that a filter selects, removed.
    ManyRemove,
    /// A value made primary by a filter.
    SelectedPrimary,
    /// A part of what a filter of several terms selects.
    JoinedPart,
    /// What a filter of several terms selects, removed.
    JoinedRemove,
}

impl Form {
    /// All of them, in an order in which each finds what it needs, as a rule.
    pub const ALL: [Form; 30] = [
        Form::Replace,
        Form::Add,
        Form::AddSame,
        Form::AddPart,
        Form::PartReplace,
        Form::SelectedPart,
        Form::SelectedRemove,
        Form::ReplacePathless,
        Form::AddPrimary,
        Form::AddPathless,
        Form::SelectedAddPart,
        Form::PartRemove,
        Form::Remove,
        Form::AddToNothing,
        Form::AddThree,
        Form::ManyPart,
        Form::SelectedPrimary,
        Form::ManyRemove,
        Form::FullName,
        Form::Clear,
        Form::ReplaceNothing,
        Form::SelectedPartRemove,
        Form::SelectedWhole,
        Form::PathlessPart,
        Form::OtherCase,
        Form::PartAdd,
        Form::ReplaceSame,
        Form::JoinedPart,
        Form::JoinedRemove,
        Form::ReplaceWithPart,
    ];

    /// Whether the operation has no path, so that several of them are one.
    pub fn is_pathless(self) -> bool {
        matches!(self, Form::ReplacePathless | Form::AddPathless | Form::PathlessPart)
    }
}

impl Place {
    /// The name that a path has for it.
    pub fn path(&self) -> String {
        match &self.urn {
            Some(urn) => format!("{urn}:{}", self.attribute.name),
            None => self.attribute.name.clone(),
        }
    }

    /// What it holds.
    pub fn class(&self) -> Class {
        match (self.attribute.multi_valued, self.attribute.kind) {
            (true, _) => Class::Several,
            (false, AttributeType::Complex) => Class::Complex,
            (false, _) => Class::Simple,
        }
    }

    /// Its value in a resource, if it has one.
    pub fn value<'v>(&self, resource: &'v Value) -> Option<&'v Value> {
        let holder = match &self.urn {
            Some(urn) => get(resource, urn)?,
            None => resource,
        };
        get(holder, &self.attribute.name).filter(|value| !is_unassigned(value))
    }

    /// An object that says its value, as a value without a path does.
    fn object(&self, value: Value) -> Value {
        let inner = json!({ self.attribute.name.as_str(): value });
        match &self.urn {
            Some(urn) => json!({ urn.as_str(): inner }),
            None => inner,
        }
    }
}

/// The attributes that a client writes and reads again; those that refer to others only where there are some.
pub fn places(definition: &ResourceDefinition, stock: &Stock) -> Vec<Place> {
    let core = definition.top_attributes().map(|attribute| (None, attribute));
    let of_extensions = definition.extensions.iter().flat_map(|extension| {
        let urn = &extension.schema.id;
        extension.schema.attributes.iter().map(move |attribute| (Some(urn.clone()), attribute))
    });
    core.chain(of_extensions)
        .filter(|(urn, attribute)| {
            let is_common =
                ["schemas", "id", "meta"].iter().any(|it| it.eq_ignore_ascii_case(&attribute.name));
            !(urn.is_none() && is_common) && is_writable(attribute) && !attribute.name.contains('$')
        })
        .filter(|(_, attribute)| match attribute.kind {
            AttributeType::Complex if refers(attribute) => {
                !stock.references.is_empty() && attribute.sub_attribute("value").is_some()
            }
            AttributeType::Complex => {
                let value = attribute.sub_attribute("value");
                value.is_none_or(|it| it.kind != AttributeType::Binary) && !parts(attribute).is_empty()
            }
            AttributeType::Binary => false,
            _ => true,
        })
        .map(|(urn, attribute)| Place { urn, attribute: attribute.clone() })
        .collect()
}

fn is_writable(attribute: &Attribute) -> bool {
    attribute.mutability == Mutability::ReadWrite && is_visible(attribute)
}

/// The parts of a complex value that a client writes and reads again.
pub fn parts(attribute: &Attribute) -> Vec<&Attribute> {
    let is_part = |sub: &&Attribute| {
        (is_writable(sub) || (sub.mutability == Mutability::Immutable && is_visible(sub)))
            && !matches!(sub.kind, AttributeType::Complex | AttributeType::Binary)
            && !sub.multi_valued
            && !sub.name.starts_with('$')
    };
    let all = attribute.sub_attributes.iter().filter(is_part);
    if refers(attribute) {
        all.filter(|sub| sub.name.eq_ignore_ascii_case("value")).collect()
    } else {
        all.collect()
    }
}

/// The parts that an operation may be about by themselves: what follows from others is not judged.
fn targets(attribute: &Attribute) -> Vec<&Attribute> {
    parts(attribute)
        .into_iter()
        .filter(|sub| {
            sub.mutability == Mutability::ReadWrite
                && !is_free(sub, Some(attribute))
                && !sub.name.eq_ignore_ascii_case("primary")
        })
        .collect()
}

impl Stock {
    /// A value of a simple attribute; another one than `current` where there are others.
    fn simple(
        &self,
        attribute: &Attribute,
        parent: Option<&str>,
        number: usize,
        current: Option<&Value>,
    ) -> Value {
        match attribute.kind {
            AttributeType::Boolean => match current {
                Some(Value::Bool(current)) => (!current).into(),
                _ => false.into(),
            },
            AttributeType::Integer => json!(number % 1000),
            AttributeType::Decimal => json!((number % 1000) as f64 / 4.0),
            AttributeType::DateTime => {
                format!("2024-{:02}-{:02}T08:{:02}:00Z", number % 12 + 1, number % 28 + 1, number % 60).into()
            }
            AttributeType::Reference => format!("https://{}/{MARK}/of-{number}", self.domain).into(),
            _ => self.text(attribute, parent, number, current).into(),
        }
    }

    fn text(
        &self,
        attribute: &Attribute,
        parent: Option<&str>,
        number: usize,
        current: Option<&Value>,
    ) -> String {
        let of = |all: &[&str]| {
            let other: Vec<&&str> =
                all.iter().filter(|it| current.is_none_or(|current| current != **it)).collect();
            other.get(number % other.len().max(1)).map_or_else(String::new, |it| (**it).to_owned())
        };
        let canonical: Vec<&str> = attribute.canonical_values.iter().map(String::as_str).collect();
        if !canonical.is_empty() {
            return of(&canonical);
        }
        let word = match self.oddity {
            Oddity::Tame => format!("Word {number}"),
            Oddity::Odd => format!("{} {number}", WORDS[number % WORDS.len()]),
        };
        match (parent, attribute.name.as_str()) {
            (None, "userName") => format!("{MARK}.u{number}@{}", self.domain),
            (None, "locale" | "preferredLanguage") => of(&["en-US", "de-DE", "fr-CA"]),
            (None, "timezone") => of(&["America/Los_Angeles", "Europe/Berlin", "Asia/Tokyo"]),
            (None, "externalId") => format!("{MARK}-ext-{number}"),
            (None, "displayName") if attribute.required => format!("{MARK} {word}"),
            (Some("emails"), "value") => format!("{MARK}.m{number}@{}", self.domain),
            (Some("phoneNumbers"), "value") => format!("+1-555-{:04}", number % 10_000),
            (Some("ims"), "value") => format!("handle{number}"),
            (_, "country") => of(&["US", "DE", "FR"]),
            (_, "postalCode") => format!("{:05}", number % 100_000),
            (_, "type") => of(&["work", "home", "other"]),
            _ if attribute.uniqueness != Uniqueness::None => format!("{MARK} {word}"),
            _ => word,
        }
    }

    fn reference(&self, number: usize) -> Value {
        self.references.get(number % self.references.len().max(1)).cloned().unwrap_or_default().into()
    }

    /// A complex value with all of its parts but `primary`; `label` is the number of its type.
    fn complex(&self, attribute: &Attribute, number: usize, label: Option<usize>) -> Value {
        let mut members = Map::new();
        for sub in parts(attribute) {
            let value = match sub.name.as_str() {
                "primary" => continue,
                "value" if refers(attribute) => self.reference(number),
                "type" => self.simple(sub, Some(&attribute.name), label.unwrap_or(number), None),
                _ => self.simple(sub, Some(&attribute.name), number, None),
            };
            members.insert(sub.name.clone(), value);
        }
        Value::Object(members)
    }

    fn element(&self, attribute: &Attribute, number: usize, label: usize) -> Value {
        match attribute.kind {
            AttributeType::Complex => self.complex(attribute, number, Some(label)),
            _ => self.simple(attribute, None, number, None),
        }
    }

    /// So many values: the first and the last are of one type, the second is of another one, and primary.
    fn list(&self, attribute: &Attribute, number: usize, count: usize) -> Value {
        let mut list: Vec<Value> = Vec::new();
        for index in 0..count {
            let mut element = self.element(attribute, number + index, [0, 1, 0][index % 3]);
            let may_be_primary =
                index == 1 && attribute.sub_attribute("primary").is_some() && !refers(attribute);
            if let Some(members) = element.as_object_mut().filter(|_| may_be_primary) {
                members.insert("primary".to_owned(), true.into());
            }
            if !list.contains(&element) {
                list.push(element);
            }
        }
        Value::Array(list)
    }

    /// A value of an attribute as a whole.
    fn whole(&self, place: &Place, number: usize, current: Option<&Value>) -> Value {
        let attribute = &place.attribute;
        match place.class() {
            Class::Simple => self.simple(attribute, None, number, current),
            Class::Complex => self.complex(attribute, number, None),
            Class::Several => self.list(attribute, number, 3),
        }
    }
}

/// A resource that has a value for each of these attributes.
pub fn resources(definition: &ResourceDefinition, places: Vec<Place>, stock: Stock) -> BoxedStrategy<Value> {
    let schema = definition.schema.id.clone();
    let required: Vec<String> =
        definition.extensions.iter().filter(|it| it.required).map(|it| it.schema.id.clone()).collect();
    (0..9000_usize)
        .prop_map(move |number| {
            let mut urns = vec![Value::from(schema.as_str())];
            let mut members = Map::new();
            for urn in places.iter().filter_map(|it| it.urn.as_ref()).chain(&required) {
                if !urns.contains(&urn.as_str().into()) {
                    urns.push(urn.as_str().into());
                    members.insert(urn.clone(), Value::Object(Map::new()));
                }
            }
            for (index, place) in places.iter().enumerate() {
                let value = match place.attribute.kind {
                    // Who is inactive may be kept from everything.
                    AttributeType::Boolean => true.into(),
                    _ => stock.whole(place, number + index * 7, None),
                };
                match &place.urn {
                    None => drop(members.insert(place.attribute.name.clone(), value)),
                    Some(urn) => {
                        if let Some(container) = members.get_mut(urn).and_then(Value::as_object_mut) {
                            container.insert(place.attribute.name.clone(), value);
                        }
                    }
                }
            }
            let mut whole = Map::from_iter([("schemas".to_owned(), Value::Array(urns))]);
            whole.extend(members);
            Value::Object(whole)
        })
        .boxed()
}

fn operation(op: &str, path: Option<String>, value: Option<Value>) -> Value {
    let mut members = Map::from_iter([("op".to_owned(), Value::from(op))]);
    members.extend(path.map(|path| ("path".to_owned(), path.into())));
    members.extend(value.map(|value| ("value".to_owned(), value)));
    Value::Object(members)
}

/// Operations of that form at that place of a resource; none where the resource has not got what they need.
pub fn operations(
    form: Form,
    place: &Place,
    state: &Value,
    definition: &ResourceDefinition,
    stock: &Stock,
) -> Option<BoxedStrategy<Value>> {
    let current = place.value(state).cloned();
    match form {
        Form::Replace
        | Form::Add
        | Form::AddSame
        | Form::ReplaceSame
        | Form::Remove
        | Form::Clear
        | Form::ReplacePathless
        | Form::AddPathless
        | Form::OtherCase
        | Form::FullName => of_something(form, place, current?, definition, stock),
        Form::AddToNothing | Form::ReplaceNothing => {
            let op = if form == Form::AddToNothing { "add" } else { "replace" };
            let (place, stock) = (place.clone(), stock.clone());
            current.is_none().then(|| {
                numbers()
                    .prop_map(move |number| {
                        operation(op, Some(place.path()), Some(stock.whole(&place, number, None)))
                    })
                    .boxed()
            })
        }
        Form::PartReplace
        | Form::PartAdd
        | Form::PartRemove
        | Form::AddPart
        | Form::ReplaceWithPart
        | Form::PathlessPart => of_part(form, place, &current?, stock),
        Form::AddPrimary | Form::AddThree => of_list(form, place, &current?, stock),
        _ => of_selected(form, place, &current?, stock),
    }
}

/// What is made of a number, or of the next one where that is there already.
fn another(there: &Value, number: usize, make: impl Fn(usize) -> Value) -> Value {
    let made = make(number);
    if made == *there { make(number + 1) } else { made }
}

fn numbers() -> impl Strategy<Value = usize> {
    0..9000_usize
}

fn of_something(
    form: Form,
    place: &Place,
    current: Value,
    definition: &ResourceDefinition,
    stock: &Stock,
) -> Option<BoxedStrategy<Value>> {
    let class = place.class();
    let fixed = |value: Value| Some(Just(value).boxed());
    let (place, stock) = (place.clone(), stock.clone());
    match form {
        Form::Remove | Form::Clear if place.attribute.required => None,
        Form::Remove => fixed(operation("remove", Some(place.path()), None)),
        Form::Clear if class == Class::Several => {
            fixed(operation("replace", Some(place.path()), Some(json!([]))))
        }
        Form::Clear => fixed(operation("replace", Some(place.path()), Some(Value::Null))),
        Form::AddSame | Form::ReplaceSame => {
            let value = written(&place.attribute, &current);
            if is_unassigned(&value) {
                return None;
            }
            let op = if form == Form::AddSame { "add" } else { "replace" };
            match (form, class) {
                (Form::AddSame, Class::Several) => {
                    // A primary one would be made primary again.
                    let some =
                        elements(&value).iter().find(|it| get(it, "primary") != Some(&Value::Bool(true)))?;
                    fixed(operation(op, Some(place.path()), Some(json!([some]))))
                }
                _ => fixed(operation(op, Some(place.path()), Some(value))),
            }
        }
        Form::FullName if place.urn.is_some() || class == Class::Complex => None,
        Form::FullName if !definition.schema.attributes.iter().any(|it| it.name == place.attribute.name) => {
            None
        }
        Form::OtherCase if class == Class::Complex => None,
        _ => {
            let schema = definition.schema.id.clone();
            Some(
                numbers()
                    .prop_map(move |number| {
                        let is_added = matches!(form, Form::Add | Form::AddPathless);
                        let value = if is_added && class == Class::Several {
                            json!([stock.element(&place.attribute, number, number)])
                        } else {
                            another(&written(&place.attribute, &current), number, |number| {
                                stock.whole(&place, number, Some(&current))
                            })
                        };
                        let op = if is_added { "add" } else { "replace" };
                        let path = match form {
                            Form::OtherCase => other_case(&place.path(), &place.attribute.name),
                            Form::FullName => format!("{schema}:{}", place.attribute.name),
                            _ => place.path(),
                        };
                        if form.is_pathless() {
                            operation(op, None, Some(place.object(value)))
                        } else {
                            operation(op, Some(path), Some(value))
                        }
                    })
                    .boxed(),
            )
        }
    }
}

/// The path with the name in capitals, or in small letters where it has none other.
fn other_case(path: &str, name: &str) -> String {
    let other =
        if name.to_ascii_uppercase() == name { name.to_ascii_lowercase() } else { name.to_ascii_uppercase() };
    format!("{}{other}", &path[..path.len() - name.len()])
}

/// A value as a client writes it: without what only the server says.
pub fn written(attribute: &Attribute, value: &Value) -> Value {
    match value {
        Value::Array(list) => list.iter().map(|it| written(attribute, it)).collect(),
        Value::Object(members) if attribute.kind == AttributeType::Complex => {
            let known = parts(attribute);
            let is_known = |name: &str| known.iter().any(|sub| sub.name.eq_ignore_ascii_case(name));
            members
                .iter()
                .filter(|(name, _)| is_known(name))
                .map(|(name, it)| (name.clone(), it.clone()))
                .collect()
        }
        other => other.clone(),
    }
}

fn of_part(form: Form, place: &Place, current: &Value, stock: &Stock) -> Option<BoxedStrategy<Value>> {
    if place.class() != Class::Complex || refers(&place.attribute) {
        return None;
    }
    let targets: Vec<Attribute> = targets(&place.attribute).into_iter().cloned().collect();
    let there: Vec<Attribute> = targets
        .iter()
        .filter(|sub| get(current, &sub.name).is_some_and(|it| !is_unassigned(it)))
        .cloned()
        .collect();
    let chosen = match form {
        Form::PartRemove => there.into_iter().filter(|sub| !sub.required).collect(),
        // Some other part has to be there, or merging and substituting are the same.
        Form::AddPart | Form::ReplaceWithPart | Form::PathlessPart if there.len() < 2 => Vec::new(),
        _ => targets,
    };
    if chosen.is_empty() {
        return None;
    }
    let (place, stock, current) = (place.clone(), stock.clone(), current.clone());
    Some(
        (select(chosen), numbers())
            .prop_map(move |(sub, number)| {
                let there = get(&current, &sub.name);
                let value = another(there.unwrap_or(&Value::Null), number, |number| {
                    stock.simple(&sub, Some(&place.attribute.name), number, there)
                });
                let path = format!("{}.{}", place.path(), sub.name);
                let part = json!({ sub.name.as_str(): value.clone() });
                match form {
                    Form::PartRemove => operation("remove", Some(path), None),
                    Form::PartAdd => operation("add", Some(path), Some(value)),
                    Form::AddPart => operation("add", Some(place.path()), Some(part)),
                    Form::ReplaceWithPart => operation("replace", Some(place.path()), Some(part)),
                    Form::PathlessPart => operation("replace", None, Some(place.object(part))),
                    _ => operation("replace", Some(path), Some(value)),
                }
            })
            .boxed(),
    )
}

fn of_list(form: Form, place: &Place, current: &Value, stock: &Stock) -> Option<BoxedStrategy<Value>> {
    let attribute = &place.attribute;
    if place.class() != Class::Several {
        return None;
    }
    if form == Form::AddPrimary
        && (refers(attribute) || attribute.sub_attribute("primary").is_none_or(|it| !is_writable(it)))
    {
        return None;
    }
    let known = elements(current).to_vec();
    let (place, stock) = (place.clone(), stock.clone());
    Some(
        numbers()
            .prop_map(move |number| {
                let attribute = &place.attribute;
                let value = if form == Form::AddPrimary {
                    let mut element = stock.element(attribute, number, number);
                    if let Some(members) = element.as_object_mut() {
                        members.insert("primary".to_owned(), true.into());
                    }
                    json!([element])
                } else if refers(attribute) {
                    // Three who are not there yet, as far as there are so many.
                    let is_there =
                        |id: &String| known.iter().any(|it| get(it, "value") == Some(&id.as_str().into()));
                    let new = stock.references.iter().filter(|id| !is_there(id)).take(3);
                    new.map(|id| json!({ "value": id })).collect()
                } else {
                    (0..3).map(|index| stock.element(attribute, number + index, index)).collect()
                };
                operation("add", Some(place.path()), Some(value))
            })
            .boxed(),
    )
}

/// The comparisons that tell values of a list apart without any doubt: of parts that each of them has, as text.
pub fn terms(attribute: &Attribute, list: &[Value]) -> Vec<Filter> {
    let mut terms = Vec::new();
    let subs = attribute.sub_attributes.iter().filter(|sub| {
        sub.kind == AttributeType::String
            && !sub.multi_valued
            && is_visible(sub)
            && (!is_free(sub, Some(attribute)))
            && list
                .iter()
                .all(|it| get(it, &sub.name).is_some_and(|it| it.as_str().is_some_and(|it| !it.is_empty())))
    });
    for sub in subs {
        for element in list {
            let Some(text) = get(element, &sub.name).and_then(Value::as_str) else { continue };
            let compare = |operator, text: &str| Filter::Compare {
                path: AttributePath::of(sub.name.clone()),
                operator,
                value: FilterValue::String(text.to_owned()),
            };
            let term = compare(CompareOperator::Equal, text);
            if !terms.contains(&term) {
                terms.push(term);
                // A part of an id means nothing.
                if text.is_ascii() && text.len() > 3 && !refers(attribute) {
                    terms.push(compare(CompareOperator::StartsWith, &text[..text.len() - 1]));
                    terms.push(compare(CompareOperator::EndsWith, &text[1..]));
                }
            }
        }
    }
    terms
}

/// Which values of a list a filter selects.
pub fn selected(filter: &Filter, attribute: &Attribute, list: &[Value]) -> Vec<usize> {
    let is_it = |index: &usize| element_matches(filter, &list[*index], attribute).unwrap_or(false);
    (0..list.len()).filter(is_it).collect()
}

fn of_selected(form: Form, place: &Place, current: &Value, stock: &Stock) -> Option<BoxedStrategy<Value>> {
    let attribute = &place.attribute;
    let list = elements(current);
    if place.class() != Class::Several || attribute.kind != AttributeType::Complex || list.is_empty() {
        return None;
    }
    let is_many = matches!(form, Form::ManyPart | Form::ManyRemove);
    let is_joined = matches!(form, Form::JoinedPart | Form::JoinedRemove);
    let is_removal = matches!(form, Form::SelectedRemove | Form::ManyRemove | Form::JoinedRemove);
    if refers(attribute) && !is_removal {
        return None;
    }
    let all = terms(attribute, list);
    let is_fit = move |filter: &Filter, attribute: &Attribute, list: &[Value]| {
        let count = selected(filter, attribute, list).len();
        match (is_joined, is_many) {
            (true, _) => count > 0 && (list.len() < 2 || count < list.len()),
            (_, true) => count > 1,
            _ => count == 1,
        }
    };
    let filters: BoxedStrategy<Filter> = if is_joined {
        if list.len() < 2 || all.len() < 2 {
            return None;
        }
        let (attribute, list) = (attribute.clone(), list.to_vec());
        filters(all)
            .prop_filter("selects some of them by several terms", move |filter| {
                !matches!(filter, Filter::Compare { .. }) && is_fit(filter, &attribute, &list)
            })
            .boxed()
    } else {
        let plain: Vec<Filter> = all
            .into_iter()
            .filter(|it| matches!(it, Filter::Compare { operator: CompareOperator::Equal, .. }))
            .filter(|it| is_fit(it, attribute, list))
            .collect();
        if plain.is_empty() {
            return None;
        }
        select(plain).boxed()
    };
    let subs: Vec<Attribute> = targets(attribute).into_iter().cloned().collect();
    let (place, stock, list) = (place.clone(), stock.clone(), list.to_vec());
    let made = (filters, numbers(), any::<Index>()).prop_map(move |(filter, number, index)| {
        let attribute = &place.attribute;
        let path = format!("{}[{filter}]", place.path());
        let hit = selected(&filter, attribute, &list);
        let first = hit.first().and_then(|index| list.get(*index)).cloned().unwrap_or_default();
        if is_removal {
            return Some(operation("remove", Some(path), None));
        }
        if form == Form::SelectedPrimary {
            let may = attribute.sub_attribute("primary").is_some_and(is_writable)
                && get(&first, "primary") != Some(&Value::Bool(true));
            return may.then(|| operation("replace", Some(format!("{path}.primary")), Some(true.into())));
        }
        if form == Form::SelectedWhole {
            let mut whole = stock.element(attribute, number, 0);
            if let (Some(members), Some(label)) = (whole.as_object_mut(), get(&first, "type")) {
                set_member(members, "type", label.clone());
            }
            // One that marks the primary value keeps its mark.
            let mark = first.as_object().and_then(|it| member(it, "primary")).cloned();
            if let (Some(members), Some(mark)) = (whole.as_object_mut(), mark) {
                set_member(members, "primary", mark);
            }
            return Some(operation("replace", Some(path), Some(whole)));
        }
        let is_several = hit.len() > 1;
        let is_fit = |sub: &&Attribute| {
            let has = get(&first, &sub.name).is_some_and(|it| !is_unassigned(it));
            let is_key = sub.name.eq_ignore_ascii_case("value");
            match form {
                Form::SelectedPartRemove => has && !is_key && !sub.required,
                // What several values have in common does not make them one.
                _ => !is_several || !is_key,
            }
        };
        let fit: Vec<&Attribute> = subs.iter().filter(is_fit).collect();
        if fit.is_empty() {
            return None;
        }
        let sub = *index.get(&fit);
        let path = format!("{path}.{}", sub.name);
        if form == Form::SelectedPartRemove {
            return Some(operation("remove", Some(path), None));
        }
        let there = get(&first, &sub.name);
        let value = another(there.unwrap_or(&Value::Null), number, |number| {
            stock.simple(sub, Some(&attribute.name), number, there)
        });
        let op = if form == Form::SelectedAddPart { "add" } else { "replace" };
        Some(operation(op, Some(path), Some(value)))
    });
    Some(made.prop_filter_map("a part that suits", |made| made).boxed())
}

/// Operations without a path, put into one.
pub fn joined(operations: Vec<Value>) -> Vec<Value> {
    let mut operations = operations.into_iter();
    let Some(mut whole) = operations.next() else { return Vec::new() };
    for operation in operations {
        if let (Some(Value::Object(into)), Some(Value::Object(from))) =
            (whole.get_mut("value"), operation.get("value"))
        {
            for (name, value) in from {
                match (into.get_mut(name), value) {
                    (Some(Value::Object(into)), Value::Object(value)) => into.extend(value.clone()),
                    _ => drop(into.insert(name.clone(), value.clone())),
                }
            }
        }
    }
    vec![whole]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fuzz::dice::Dice;
    use crate::fuzz::strategy::data::marked;
    use crate::oracle::patched::{Effect, effect};
    use crate::scim::names;
    use crate::scim::schema::SchemaSet;
    use crate::scim::validate::{ValidationPurpose, validate};

    fn stock(oddity: Oddity) -> Stock {
        Stock {
            domain: "example.com".to_owned(),
            references: ["a", "b", "c", "d", "e", "f"].map(str::to_owned).to_vec(),
            oddity,
        }
    }

    #[test]
    fn every_form_can_be_made_and_is_carried_out() {
        for kind in ["User", "Group"] {
            let definition = SchemaSet::core().definition(kind).unwrap();
            let mut made = std::collections::BTreeSet::new();
            for seed in 0..8 {
                let stock = stock(if seed % 2 == 0 { Oddity::Tame } else { Oddity::Odd });
                let places = places(&definition, &stock);
                let mut dice = Dice::new(seed, "patch");
                let state = dice.draw(&resources(&definition, places.clone(), stock.clone())).unwrap();
                let problems = validate(&marked(&state, "s0"), &definition, ValidationPurpose::CreateRequest);
                assert!(problems.is_empty(), "{problems:?} in {state}");
                for form in Form::ALL {
                    for place in &places {
                        let bare = {
                            let mut bare = state.clone();
                            let holder = match &place.urn {
                                Some(urn) => bare.get_mut(urn).unwrap(),
                                None => &mut bare,
                            };
                            holder.as_object_mut().unwrap().shift_remove(&place.attribute.name);
                            bare
                        };
                        for state in [&state, &bare] {
                            let Some(strategy) = operations(form, place, state, &definition, &stock) else {
                                continue;
                            };
                            let Some(operation) = dice.draw(&strategy) else { continue };
                            made.insert(form);
                            let body = json!({"schemas": [names::PATCH_OP], "Operations": [operation]});
                            let done = effect(&body, state, &definition);
                            // What is added may be there already.
                            let is_same = matches!(form, Form::AddSame | Form::ReplaceSame)
                                || (matches!(form, Form::Add | Form::AddPathless)
                                    && place.attribute.multi_valued);
                            match done {
                                Effect::Refused(why) => panic!("{form:?} {operation} is refused: {why:?}"),
                                Effect::Changes(changes) => {
                                    assert!(is_same || !changes.is_empty(), "{form:?} {operation} of {state}")
                                }
                            }
                        }
                    }
                }
            }
            let least = if kind == "User" { Form::ALL.len() } else { 12 };
            assert!(made.len() >= least, "{kind}: {made:?}");
        }
    }
}
