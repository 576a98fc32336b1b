//! What a resource may look like after a write, given the request, the resource as it was last read, and the service
//! provider's own schemas.
//!
//! The RFCs leave room, and every legal answer is accepted: unknown attributes are dropped, readOnly ones ignored, an
//! unassigned value is none, whether absent, null or empty; lists have no order; what was not asserted may get a
//! default; values come back in canonical form; a server adds what it derives ([`derived`]). Of a PATCH, each reading
//! of its operations is a world ([`patched`]), and it is enough to live in one of them. What is left is a
//! [`Departure`], with its grade in each reading of the RFCs.
//!
//! Of what the write says nothing, `id` and `meta` among it, nothing is said here either.

#[cfg(test)]
mod tests;

use std::collections::{BTreeSet, HashMap, VecDeque};

use serde_json::{Map, Value};

use super::derived::{
    self, Likeness, is_computed, is_free, is_not_canonical, is_nothing, is_primary, is_usual_default,
    is_visible, refers,
};
use super::patched;
use crate::scim::compare::same_value;
use crate::scim::definition::{ResourceDefinition, sub_attribute};
use crate::scim::problem::join;
use crate::scim::resource::{MAX_DEPTH, elements, get, is_deeper_than, is_unassigned, member};
use crate::scim::schema::{Attribute, AttributeType, Mutability, Returned};
use crate::scim::text::fold_case;

/// The path of a departure that is about a PATCH as a whole.
pub const OPERATIONS: &str = "Operations";

/// The most departures that are told of one resource.
const MAX_DEPARTURES: usize = 50;

/// Lists with more pairs of values than this are paired by `value` alone.
const MAX_PAIRS: usize = 4096;

/// Of values that have the same `value`, so many are looked at to find the one that is meant.
const MAX_ALIKE: usize = 64;

/// A write that was answered, and whose effect a read shows.
#[derive(Debug, Clone, Copy)]
pub enum Write<'a> {
    /// A POST that made the resource.
    Create {
        /// The request.
        sent: &'a Value,
    },
    /// A PUT that succeeded.
    Replace {
        /// The request.
        sent: &'a Value,
        /// The resource as last read before, if it was.
        before: Option<&'a Value>,
    },
    /// A PATCH that succeeded.
    Patch {
        /// The request.
        sent: &'a Value,
        /// The resource as last read before.
        before: &'a Value,
    },
    /// Any write that was refused.
    Refused {
        /// The resource as last read before.
        before: &'a Value,
    },
    /// A write that succeeded, by the resource in its own answer.
    Answered {
        /// The answer.
        answer: &'a Value,
        /// Whether it was a create, whose answer may leave things out (RFC 7644 section 3.3: SHOULD).
        create: bool,
    },
}

/// How bad a departure is. In the order of severity.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Grade {
    /// Worth knowing.
    Note,
    /// Legal under some reading, or against a SHOULD.
    Warning,
    /// A failure in the strict reading, a warning in the lenient one.
    FailureIfStrict,
    /// Legal under no reading.
    Failure,
}

/// A difference between what a write has to lead to and what was read.
#[derive(Debug, Clone, PartialEq)]
pub struct Departure {
    /// Where, in attribute notation; an index is that of the expected value, or, where nothing is expected, of the
    /// one that is there.
    pub path: String,
    /// What the write leads to; `None` for no value.
    pub expected: Option<Value>,
    /// What was read; `None` for no value.
    pub actual: Option<Value>,
    /// How bad it is.
    pub grade: Grade,
    /// Why, in words.
    pub why: &'static str,
    /// The requirements that it breaks.
    pub requirements: &'static [&'static str],
    /// The dispute that the grade follows, where there is one.
    pub dispute: Option<&'static str>,
}

/// All departures of what was read from what the write leads to; none where every reading of the RFCs is kept. `None`
/// where nothing can be said: the request is none that the model can follow.
pub fn departures(
    write: &Write<'_>,
    read: &Value,
    definition: &ResourceDefinition,
) -> Option<Vec<Departure>> {
    if is_deeper_than(read, MAX_DEPTH) {
        return None;
    }
    let empty = Value::Object(Map::new());
    match *write {
        Write::Create { sent } => compared(Stance::Create, sent, &empty, read, definition),
        Write::Replace { sent, before } => {
            compared(Stance::Replace, sent, before.unwrap_or(&empty), read, definition)
        }
        Write::Refused { before } => compared(Stance::Refused, before, before, read, definition),
        Write::Answered { answer, create } => {
            compared(Stance::Answered { create }, answer, &empty, read, definition)
        }
        Write::Patch { sent, before } => after_patch(sent, before, read, definition),
    }
}

/// The departures from the nearest world.
fn after_patch(
    sent: &Value,
    before: &Value,
    read: &Value,
    definition: &ResourceDefinition,
) -> Option<Vec<Departure>> {
    let mut nearest: Option<(patched::World, Vec<Departure>)> = None;
    let mut right: Option<Vec<Departure>> = None;
    for world in patched::worlds(sent, before, definition)? {
        let found = compared(Stance::Patch, &world.state, before, read, definition)?;
        if world.remark.is_none() && right.as_ref().is_none_or(|known| found.len() < known.len()) {
            right = Some(found.clone());
        }
        let distance = |world: &patched::World, found: &[Departure]| {
            let remark = world.remark.map(|it| it.grade);
            (found.iter().map(|it| Some(it.grade)).max().flatten().max(remark), found.len())
        };
        if nearest
            .as_ref()
            .is_none_or(|(known, known_found)| distance(&world, &found) < distance(known, known_found))
        {
            nearest = Some((world, found));
        }
    }
    let (world, found) = nearest?;
    let Some(remark) = world.remark.filter(|_| found.is_empty()) else { return Some(found) };
    // It lives in a world that is not quite right: told by what it differs in from one that is.
    let told = right.filter(|found| !found.is_empty()).unwrap_or_else(|| {
        let path = OPERATIONS.to_owned();
        vec![Stance::Patch.departure(path, get(sent, "Operations"), None, remark.grade, remark.why)]
    });
    let regraded = |departure| Departure {
        grade: remark.grade,
        why: remark.why,
        dispute: Some(remark.dispute),
        ..departure
    };
    Some(told.into_iter().map(regraded).collect())
}

fn compared(
    stance: Stance,
    expected: &Value,
    before: &Value,
    read: &Value,
    definition: &ResourceDefinition,
) -> Option<Vec<Departure>> {
    let (expected, before, read) = (expected.as_object()?, before.as_object()?, read.as_object()?);
    if is_deeper_than(&Value::Object(expected.clone()), MAX_DEPTH) {
        return None;
    }
    // A user's displayName follows the name; that of a group follows nothing.
    let has_name = definition.top_attribute("name").is_some();
    let mut comparison = Comparison { stance, is_primary_open: false, has_name, out: Vec::new() };
    comparison.resource(expected, before, read, definition);
    comparison.out.truncate(MAX_DEPARTURES);
    // Few groups come from elsewhere, so few servers keep an externalId of theirs (AMB-31).
    let is_dropped =
        |it: &Departure| it.grade == Grade::Warning && it.path == "externalId" && it.actual.is_none();
    if definition.name.eq_ignore_ascii_case("Group") {
        comparison.out.iter_mut().filter(|it| is_dropped(it)).for_each(|it| it.grade = Grade::Note);
    }
    Some(comparison.out)
}

/// What the expected resource is, and so what its silence means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stance {
    /// The body of a POST: what it does not name may have any default.
    Create,
    /// The body of a PUT: what it does not name may be cleared or have any default, and should not be kept.
    Replace,
    /// The resource as the operations leave it: nothing else may be there.
    Patch,
    /// The resource as it was.
    Refused,
    /// The answer to the write.
    Answered { create: bool },
}

impl Stance {
    /// Whether the expected resource is a request, whose values may not fit their attributes.
    fn is_request(self) -> bool {
        matches!(self, Stance::Create | Stance::Replace)
    }

    fn requirements(self) -> &'static [&'static str] {
        match self {
            Stance::Create => &["RFC7644-3.3-01"],
            Stance::Replace => &["RFC7644-3.5.1-01", "RFC7644-3.5.1-04"],
            Stance::Patch => &["RFC7644-3.5.2-17"],
            Stance::Refused => &["RFC7644-3.5.1-17", "RFC7644-3.5.2-19", "RFC7644-3.5.2-20"],
            Stance::Answered { create: true } => &["RFC7644-3.3-08", "RFC7644-3.3-10"],
            Stance::Answered { create: false } => &["RFC7644-3.5.1-13", "RFC7644-3.5.2-23"],
        }
    }

    fn departure(
        self,
        path: String,
        expected: Option<&Value>,
        actual: Option<&Value>,
        grade: Grade,
        why: &'static str,
    ) -> Departure {
        Departure {
            path,
            expected: expected.cloned(),
            actual: actual.cloned(),
            grade,
            why,
            requirements: self.requirements(),
            dispute: None,
        }
    }
}

/// An attribute in its place.
#[derive(Clone, Copy)]
struct Spot<'a> {
    attribute: &'a Attribute,
    /// The complex attribute around it.
    parent: Option<&'a Attribute>,
    path: &'a str,
    /// Whether the expected resource names it, with no value.
    is_cleared: bool,
}

impl Spot<'_> {
    fn is_external_id(&self) -> bool {
        self.parent.is_none() && self.attribute.name.eq_ignore_ascii_case("externalId")
    }
}

struct Comparison {
    stance: Stance,
    /// Whether any value of the list may be the primary one.
    is_primary_open: bool,
    /// Whether the resource has a name that its displayName may be computed from.
    has_name: bool,
    out: Vec<Departure>,
}

impl Comparison {
    fn tell(&mut self, departure: Departure) {
        if self.out.len() < MAX_DEPARTURES {
            self.out.push(departure);
        }
    }

    fn report(
        &mut self,
        spot: Spot<'_>,
        expected: Option<&Value>,
        actual: Option<&Value>,
        grade: Grade,
        why: &'static str,
    ) {
        self.tell(self.stance.departure(spot.path.to_owned(), expected, actual, grade, why));
    }

    fn disputed(
        &mut self,
        spot: Spot<'_>,
        (expected, actual): (Option<&Value>, Option<&Value>),
        grade: Grade,
        why: &'static str,
        dispute: &'static str,
        requirements: &'static [&'static str],
    ) {
        let told = self.stance.departure(spot.path.to_owned(), expected, actual, grade, why);
        self.tell(Departure { dispute: Some(dispute), requirements, ..told });
    }

    fn resource(
        &mut self,
        expected: &Map<String, Value>,
        before: &Map<String, Value>,
        read: &Map<String, Value>,
        definition: &ResourceDefinition,
    ) {
        let top: Vec<&Attribute> =
            definition.top_attributes().filter(|it| !it.name.eq_ignore_ascii_case("schemas")).collect();
        self.members(&top, None, expected, before, read, &|name| name.to_owned());
        let nothing = Map::new();
        for extension in &definition.extensions {
            let urn = extension.schema.id.as_str();
            let container = |resource: &Map<String, Value>| {
                member(resource, urn).and_then(Value::as_object).cloned().unwrap_or_else(|| nothing.clone())
            };
            let attributes: Vec<&Attribute> = extension.schema.attributes.iter().collect();
            let (expected, before, read) = (container(expected), container(before), container(read));
            self.members(&attributes, None, &expected, &before, &read, &|name| format!("{urn}:{name}"));
        }
        let is_declared =
            |name: &str| definition.top_attribute(name).is_some() || definition.extension(name).is_some();
        self.undeclared(expected, read, &is_declared);
        self.schemas(expected, before, read, definition);
    }

    /// Attributes that no schema declares (AMB-18): they may be dropped.
    fn undeclared(
        &mut self,
        expected: &Map<String, Value>,
        read: &Map<String, Value>,
        is_declared: &dyn Fn(&str) -> bool,
    ) {
        for (name, value) in expected.iter().filter(|(name, _)| !is_declared(name)) {
            let actual = member(read, name).filter(|it| !is_unassigned(it));
            let is_same = actual.is_some_and(|actual| same_value(value, actual, None));
            let why = match self.stance {
                Stance::Create | Stance::Replace if is_same && !is_unassigned(value) => {
                    "no schema declares it, and it was stored all the same"
                }
                Stance::Patch | Stance::Refused if !is_same && !is_unassigned(value) => {
                    "no schema declares it, and it changed"
                }
                Stance::Answered { .. } if !is_same && !is_unassigned(value) => {
                    "no schema declares it, and the answer to the write alone shows it so"
                }
                _ => continue,
            };
            let expected = (!self.stance.is_request()).then_some(value);
            let told = self.stance.departure(name.clone(), expected, actual, Grade::Warning, why);
            self.tell(Departure { dispute: Some("AMB-18"), ..told });
        }
        if self.stance != Stance::Patch {
            return;
        }
        let is_new = |name: &str, value: &Value| {
            !is_declared(name) && !is_unassigned(value) && member(expected, name).is_none()
        };
        for (name, value) in read.iter().filter(|(name, value)| is_new(name, value)) {
            let why = "no schema declares it, and it was stored all the same";
            let told = self.stance.departure(name.clone(), None, Some(value), Grade::Warning, why);
            self.tell(Departure { dispute: Some("AMB-111"), ..told });
        }
    }

    /// The members of the resource, of an extension's container, or of a complex value.
    fn members(
        &mut self,
        attributes: &[&Attribute],
        parent: Option<&Attribute>,
        expected: &Map<String, Value>,
        before: &Map<String, Value>,
        read: &Map<String, Value>,
        path: &dyn Fn(&str) -> String,
    ) {
        // What follows other values may not follow anything where none of them was touched.
        let is_untouched = match self.stance {
            Stance::Refused => true,
            Stance::Patch => expected == before,
            Stance::Create | Stance::Replace | Stance::Answered { .. } => false,
        };
        for &attribute in attributes {
            let is_free = is_free(attribute, parent);
            if (is_free && !is_untouched) || !self.is_compared(attribute) {
                continue;
            }
            if is_primary(attribute) && self.is_primary_open {
                continue;
            }
            let path = path(&attribute.name);
            let is_cleared = member(expected, &attribute.name).is_some_and(is_unassigned);
            let spot = Spot { attribute, parent, path: &path, is_cleared };
            let assigned = |members: &'_ Map<String, Value>| {
                member(members, &attribute.name).filter(|it| !is_nothing(it, attribute)).cloned()
            };
            let (expected, before, read) = (assigned(expected), assigned(before), assigned(read));
            if is_free {
                self.follower(spot, expected.as_ref(), read.as_ref());
                continue;
            }
            self.attribute(spot, expected.as_ref(), before.as_ref(), read.as_ref());
        }
    }

    /// Whether an attribute may have changed along with others.
    fn is_computed(&self, spot: Spot<'_>) -> bool {
        is_computed(spot.attribute, spot.parent) && (spot.parent.is_some() || self.has_name)
    }

    /// Whether the expected resource says anything of an attribute.
    fn is_compared(&self, attribute: &Attribute) -> bool {
        // What only the server writes counts between two of its own views.
        let is_own_view = matches!(self.stance, Stance::Answered { .. })
            && attribute.mutability == Mutability::ReadOnly
            && matches!(attribute.returned, Returned::Default | Returned::Always);
        is_visible(attribute) || is_own_view
    }

    fn attribute(
        &mut self,
        spot: Spot<'_>,
        expected: Option<&Value>,
        before: Option<&Value>,
        read: Option<&Value>,
    ) {
        let attribute = spot.attribute;
        // What the operations leave alone may follow what they change.
        let is_same = |(left, right): (&Value, &Value)| same_value(left, right, Some(attribute));
        if self.stance == Stance::Patch
            && self.is_computed(spot)
            && (expected.zip(before).is_some_and(is_same) || (expected.is_none() && before.is_none()))
        {
            return;
        }
        let is_complex = attribute.kind == AttributeType::Complex && !attribute.multi_valued;
        if is_complex && [expected, read].into_iter().flatten().all(Value::is_object) {
            return self.complex(spot, expected, before, read);
        }
        match (expected, read) {
            (None, None) => {}
            (None, Some(read)) => self.unasked(spot, before, read),
            (Some(expected), read) if attribute.multi_valued => {
                self.list(spot, elements(expected), before, read.map(elements).unwrap_or_default());
            }
            (Some(expected), None) => self.missing(spot, expected, before),
            (Some(expected), Some(read)) => self.single(spot, expected, before, read),
        }
    }

    /// A part that follows others, none of which was touched.
    fn follower(&mut self, spot: Spot<'_>, expected: Option<&Value>, read: Option<&Value>) {
        let Some(expected) = expected else { return };
        if read.is_some_and(|read| same_value(expected, read, Some(spot.attribute))) {
            return;
        }
        let is_derived = self.is_computed(spot) || spot.parent.is_some_and(refers);
        let grade = if is_derived { Grade::Warning } else { Grade::Failure };
        self.report(spot, Some(expected), read, grade, "the write is not about it, and it changed");
    }

    /// The URNs in `schemas`, where the write is about no extension.
    fn schemas(
        &mut self,
        expected: &Map<String, Value>,
        before: &Map<String, Value>,
        read: &Map<String, Value>,
        definition: &ResourceDefinition,
    ) {
        let is_untouched = match self.stance {
            Stance::Refused => true,
            Stance::Patch => {
                let same = |name: &str| member(expected, name) == member(before, name);
                same("schemas") && definition.extensions.iter().all(|it| same(&it.schema.id))
            }
            Stance::Create | Stance::Replace | Stance::Answered { .. } => false,
        };
        let urns = |resource: &Map<String, Value>| -> BTreeSet<String> {
            let urns = member(resource, "schemas").map(elements).unwrap_or_default();
            urns.iter().filter_map(Value::as_str).map(str::to_ascii_lowercase).collect()
        };
        if is_untouched && urns(before) != urns(read) {
            let (was, is) = (member(before, "schemas"), member(read, "schemas"));
            let why = "the write is about no extension, and the schemas changed";
            let told = self.stance.departure("schemas".to_owned(), was, is, Grade::Warning, why);
            self.tell(Departure { dispute: Some("AMB-16"), ..told });
        }
    }

    /// A complex value: each of its parts. One that is not there at all is told of as a whole.
    fn complex(
        &mut self,
        spot: Spot<'_>,
        expected: Option<&Value>,
        before: Option<&Value>,
        read: Option<&Value>,
    ) {
        let members = |value: Option<&Value>| value.and_then(Value::as_object).cloned().unwrap_or_default();
        let subs = subs(spot.attribute);
        let mut inner = Comparison { out: Vec::new(), ..*self };
        inner.members(
            &subs,
            Some(spot.attribute),
            &members(expected),
            &members(before),
            &members(read),
            &|name| join(spot.path, name),
        );
        match (expected, read) {
            (Some(expected), None) if !inner.out.is_empty() => self.missing(spot, expected, before),
            _ => inner.out.into_iter().for_each(|it| self.tell(it)),
        }
    }

    /// A value is expected, and there is none.
    fn missing(&mut self, spot: Spot<'_>, expected: &Value, before: Option<&Value>) {
        if self.stance.is_request() && !self.fits(spot, expected) {
            return;
        }
        // A label of one's own may be dropped (AMB-21).
        if before.is_none() && is_not_canonical(expected, spot.attribute) {
            return;
        }
        if spot.is_external_id() && before.is_none() && !matches!(self.stance, Stance::Answered { .. }) {
            let why = "externalId is not kept";
            let requirements = &["RFC7643-3.1-13", "RFC7643-3.1-17"];
            return self.disputed(spot, (Some(expected), None), Grade::Warning, why, "AMB-31", requirements);
        }
        if self.stance == Stance::Replace
            && spot.attribute.mutability == Mutability::Immutable
            && before.is_none()
        {
            let why = "it is immutable and had no value, so the one that was sent has to be taken";
            let requirements = &["RFC7644-3.5.1-10"];
            return self.disputed(spot, (Some(expected), None), Grade::Failure, why, "AMB-94", requirements);
        }
        let grade = if expected.as_str() == Some("") { Grade::Note } else { self.grade_of_change(spot) };
        let why = match self.stance {
            Stance::Create | Stance::Replace => "it was sent, and is not there",
            Stance::Patch => "it has to be there after the operations",
            Stance::Refused => "the write was refused, and took it away",
            Stance::Answered { .. } => "the answer to the write shows it, and it is not there",
        };
        let told = self.stance.departure(spot.path.to_owned(), Some(expected), None, grade, why);
        let is_owed = matches!(self.stance, Stance::Create) && spot.attribute.returned == Returned::Default;
        // What is returned by default has to be there, however it got lost.
        let requirements =
            if is_owed { &["RFC7644-3.3-01", "RFC7643-7-29", "RFC7644-3.9-01"] } else { told.requirements };
        self.tell(Departure { requirements, ..told });
    }

    /// A value is there that nothing was said of.
    fn unasked(&mut self, spot: Spot<'_>, before: Option<&Value>, read: &Value) {
        let is_usual = is_usual_default(spot.attribute, spot.parent, read);
        let is_kept = before.is_some_and(|before| same_value(before, read, Some(spot.attribute)));
        match self.stance {
            Stance::Create | Stance::Replace if is_usual => {}
            Stance::Create | Stance::Replace if spot.is_external_id() && !is_kept => {
                let why = "nobody sent it, and only clients set externalId";
                let told = (None, Some(read));
                // An empty text identifies nothing, so nothing was issued.
                let grade = if read.as_str() == Some("") { Grade::Warning } else { Grade::Failure };
                self.disputed(spot, told, grade, why, "AMB-31", &["RFC7643-3.1-14"]);
            }
            Stance::Replace if is_kept => self.kept(spot, read),
            Stance::Create | Stance::Replace => {
                let why = "nobody sent it: a default of the server";
                let told = self.stance.departure(spot.path.to_owned(), None, Some(read), Grade::Note, why);
                let requirements: &[&str] = match self.stance {
                    Stance::Create => &["RFC7644-3.3-04"],
                    _ => &["RFC7644-3.5.1-05"],
                };
                self.tell(Departure { requirements, ..told });
            }
            Stance::Answered { .. } if is_usual => {}
            Stance::Answered { create } => {
                let grade = if create { Grade::Warning } else { self.grade_of_change(spot) };
                self.report(spot, None, Some(read), grade, "the answer to the write leaves it out");
            }
            Stance::Patch if spot.parent.is_some_and(refers) && is_usual => {}
            Stance::Patch => {
                let why = "it must not be there after the operations";
                let grade = if self.is_computed(spot) { Grade::Warning } else { Grade::Failure };
                self.report(spot, None, Some(read), grade, why);
            }
            Stance::Refused => {
                let why = "the write was refused, and put it there";
                self.report(spot, None, Some(read), Grade::Failure, why);
            }
        }
    }

    /// What a PUT left out is as it was.
    fn kept(&mut self, spot: Spot<'_>, read: &Value) {
        let told = (None, Some(read));
        if spot.attribute.mutability == Mutability::Immutable {
            return;
        }
        if spot.is_cleared {
            let why = "null or an empty list was sent for it, and it kept its old value";
            let requirements = &["RFC7643-2.5-02", "RFC7644-3.5.1-15"];
            self.disputed(spot, told, Grade::Failure, why, "AMB-108", requirements);
        } else if spot.attribute.required {
            let why = "it is required, was left out, and kept its old value";
            self.disputed(spot, told, Grade::Warning, why, "AMB-95", &["RFC7644-3.5.1-12"]);
        } else {
            let why = "it was left out, and kept its old value instead of being cleared or set to a default";
            let requirements = &["RFC7644-3.5.1-01", "RFC7644-3.5.1-05"];
            self.disputed(spot, told, Grade::Warning, why, "AMB-91", requirements);
        }
    }

    /// Two single values.
    fn single(&mut self, spot: Spot<'_>, expected: &Value, before: Option<&Value>, read: &Value) {
        let likeness = derived::likeness(expected, read, spot.attribute, spot.parent);
        if self.stance == Stance::Replace
            && spot.attribute.mutability == Mutability::Immutable
            && let Some(before) = before
            && derived::likeness(before, expected, spot.attribute, spot.parent) == Likeness::Other
        {
            return self.immutable(spot, expected, before, read);
        }
        match likeness {
            Likeness::Same => {}
            _ if self.stance.is_request() && !self.fits(spot, expected) => {}
            Likeness::Trimmed => {
                let why = "blanks around the value are gone";
                self.report(spot, Some(expected), Some(read), Grade::Warning, why);
            }
            Likeness::Other => {
                let grade = self.grade_of_change(spot);
                let why = match self.stance {
                    Stance::Create | Stance::Replace => "another value was sent",
                    Stance::Patch => "it has another value after the operations",
                    Stance::Refused => "the write was refused, and changed it",
                    Stance::Answered { .. } => "the answer to the write shows another value",
                };
                self.report(spot, Some(expected), Some(read), grade, why);
            }
        }
    }

    /// A PUT with another value of an immutable attribute, answered with success (AMB-94).
    fn immutable(&mut self, spot: Spot<'_>, sent: &Value, before: &Value, read: &Value) {
        let told = (Some(before), Some(read));
        let requirements = &["RFC7643-7-23", "RFC7644-3.5.1-08"];
        if derived::likeness(before, read, spot.attribute, spot.parent) == Likeness::Same {
            let why = "another value of an immutable attribute was sent, and was ignored instead of refused";
            let requirements = &["RFC7644-3.5.1-09"];
            self.disputed(spot, (Some(sent), Some(read)), Grade::Warning, why, "AMB-94", requirements);
        } else {
            self.disputed(spot, told, Grade::Failure, "it is immutable, and changed", "AMB-94", requirements);
        }
    }

    /// How bad it is that a value is another one.
    fn grade_of_change(&self, spot: Spot<'_>) -> Grade {
        let is_own = spot.attribute.mutability == Mutability::ReadOnly
            && !spot.attribute.name.eq_ignore_ascii_case("id");
        if is_own { Grade::Warning } else { Grade::Failure }
    }

    /// Whether a value that a client sent is one of its attribute at all. One that is not should have been refused;
    /// what became of it is for the case to judge (AMB-20).
    fn fits(&self, spot: Spot<'_>, sent: &Value) -> bool {
        derived::fits(sent, spot.attribute)
    }

    /// Two lists, in any order.
    fn list(&mut self, spot: Spot<'_>, expected: &[Value], before: Option<&Value>, read: &[Value]) {
        let attribute = spot.attribute;
        let count =
            |list: &[Value]| list.iter().filter(|it| get(it, "primary") == Some(&Value::Bool(true))).count();
        // Whoever sends none or several primary values leaves the choice to the server (AMB-23).
        let is_primary_open = match self.stance {
            Stance::Create | Stance::Replace | Stance::Patch => count(expected) != 1,
            Stance::Refused | Stance::Answered { .. } => false,
        };
        let before = before.map(elements).unwrap_or_default();
        // By key, once: lists may be long, and a hostile one must not cost the square of its length.
        let known: HashMap<String, &Value> = before.iter().rev().map(|it| (key(it, attribute), it)).collect();
        let earlier = |value: &Value| known.get(&key(value, attribute)).copied();
        let between = |expected: &Value, read: &Value, path: &str| {
            let mut inner = Comparison { is_primary_open, out: Vec::new(), ..*self };
            let element = Spot { path, ..spot };
            inner.element(element, expected, earlier(expected), read);
            inner.out
        };
        let at = |index: usize| format!("{}[{index}]", spot.path);
        let pairs =
            Pairs::of(expected, read, attribute, &|expected, read| between(expected, read, "").is_empty());
        let mut found: Vec<Departure> = Vec::new();
        for (left, right) in &pairs.pairs {
            found.extend(between(&expected[*left], &read[*right], &at(*left)));
        }
        found.into_iter().for_each(|it| self.tell(it));
        // What a reference says beside its id follows from that.
        let is_reference = refers(attribute);
        let identity = |value: &Value| (key(value, attribute), label(value).filter(|_| !is_reference));
        let mut times: HashMap<(String, Option<String>), usize> = HashMap::new();
        for value in expected {
            *times.entry(identity(value)).or_default() += 1;
        }
        for &left in &pairs.missing {
            // The same value twice is one value (AMB-24).
            let is_repeated = times.get(&identity(&expected[left])).is_some_and(|times| *times > 1);
            if is_unassigned(&expected[left]) || is_repeated {
                continue;
            }
            let path = at(left);
            self.missing(Spot { path: &path, ..spot }, &expected[left], earlier(&expected[left]));
        }
        for &right in &pairs.extra {
            if is_unassigned(&read[right]) {
                continue;
            }
            let path = at(right);
            let spot = Spot { path: &path, ..spot };
            let (grade, why, dispute) = if times.contains_key(&identity(&read[right])) {
                (Grade::Warning, "the same value is there twice", Some("AMB-24"))
            } else if self.stance == Stance::Create {
                (Grade::Warning, "nobody sent it: a value that the server added", None)
            } else {
                let why = match self.stance {
                    Stance::Replace => "it was not sent: the list was not replaced",
                    Stance::Refused => "the write was refused, and put it there",
                    Stance::Answered { .. } => "the answer to the write leaves it out",
                    Stance::Create | Stance::Patch => "it must not be there after the operations",
                };
                (self.grade_of_change(spot), why, None)
            };
            let told = self.stance.departure(path.clone(), None, Some(&read[right]), grade, why);
            self.tell(Departure { dispute, ..told });
        }
    }

    /// Two values of a list.
    fn element(&mut self, spot: Spot<'_>, expected: &Value, before: Option<&Value>, read: &Value) {
        if expected.is_object() && read.is_object() {
            self.complex(spot, Some(expected), before, Some(read));
        } else {
            self.single(spot, expected, before, read);
        }
    }
}

/// The sub-attributes of a complex attribute: those declared, and where there are none, those that a list has by
/// default (RFC 7643 section 2.4). What a declaration leaves out is an unknown attribute, which a server may drop.
fn subs(attribute: &Attribute) -> Vec<&Attribute> {
    if attribute.sub_attributes.is_empty() {
        return ["value", "type", "primary"]
            .iter()
            .filter_map(|name| sub_attribute(attribute, name))
            .collect();
    }
    attribute.sub_attributes.iter().collect()
}

/// What tells a value of a list from the others: its `value` where it has one.
fn key(element: &Value, attribute: &Attribute) -> String {
    let text = |value: &Value, is_exact: bool| match value {
        Value::String(text) if is_exact => text.clone(),
        Value::String(text) => fold_case(text).into_owned(),
        other => other.to_string(),
    };
    match get(element, "value") {
        Some(value) => {
            text(value, sub_attribute(attribute, "value").is_some_and(Attribute::compares_exactly))
        }
        None => text(element, attribute.compares_exactly()),
    }
}

fn label(element: &Value) -> Option<String> {
    get(element, "type").and_then(Value::as_str).map(|text| fold_case(text).into_owned())
}

/// Which expected value of a list is which one that is there.
#[derive(Default)]
struct Pairs {
    pairs: Vec<(usize, usize)>,
    missing: Vec<usize>,
    extra: Vec<usize>,
}

impl Pairs {
    /// Pairs first what is the same, then what has the same `value`, then the same `type`, then what is left alone on
    /// both sides.
    fn of(
        expected: &[Value],
        read: &[Value],
        attribute: &Attribute,
        is_same: &dyn Fn(&Value, &Value) -> bool,
    ) -> Pairs {
        let mut by_key: HashMap<String, VecDeque<usize>> = HashMap::new();
        for (index, element) in read.iter().enumerate() {
            by_key.entry(key(element, attribute)).or_default().push_back(index);
        }
        let keys: Vec<String> = expected.iter().map(|element| key(element, attribute)).collect();
        let is_small = expected.len().saturating_mul(read.len()) <= MAX_PAIRS;
        let mut taken = vec![false; read.len()];
        let mut partner: Vec<Option<usize>> = vec![None; expected.len()];
        let mut pass = |is_candidate: &dyn Fn(usize, usize) -> bool, within_key: bool| {
            for left in (0..expected.len()).filter(|left| partner[*left].is_none()).collect::<Vec<_>>() {
                let right = if within_key {
                    // Of many values that look alike, the first ones are enough to choose from.
                    let alike = by_key.get_mut(&keys[left]);
                    alike.and_then(|alike| {
                        let mut first = alike.iter().take(MAX_ALIKE);
                        let at = first.position(|right| !taken[*right] && is_candidate(left, *right))?;
                        alike.remove(at)
                    })
                } else {
                    (0..read.len()).find(|right| !taken[*right] && is_candidate(left, *right))
                };
                if let Some(right) = right {
                    taken[right] = true;
                    partner[left] = Some(right);
                }
            }
        };
        pass(&|left, right| is_same(&expected[left], &read[right]), true);
        if is_small {
            pass(&|left, right| is_same(&expected[left], &read[right]), false);
        }
        pass(&|left, right| label(&expected[left]) == label(&read[right]), true);
        pass(&|_, _| true, true);
        if is_small {
            let is_labelled = |left: usize, right: usize| {
                let label = label(&expected[left]);
                label.is_some() && label == self::label(&read[right])
            };
            pass(&is_labelled, false);
        }
        let missing: Vec<usize> = (0..expected.len()).filter(|left| partner[*left].is_none()).collect();
        let extra: Vec<usize> = (0..read.len()).filter(|right| !taken[*right]).collect();
        let mut pairs: Vec<(usize, usize)> =
            partner.iter().enumerate().filter_map(|(left, right)| Some((left, (*right)?))).collect();
        if let ([left], [right]) = (missing.as_slice(), extra.as_slice())
            && expected[*left].is_object() == read[*right].is_object()
        {
            pairs.push((*left, *right));
            return Pairs { pairs, ..Pairs::default() };
        }
        Pairs { pairs, missing, extra }
    }
}
