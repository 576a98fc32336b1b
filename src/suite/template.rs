//! `${…}`: what a name in a suite stands for, and how its value goes into a path, a filter or a body.
//!
//! A reference reads members and elements of named values and nothing more: no functions, no arithmetic. This module
//! refuses to know where the values come from; whoever runs a case puts them into the [`Scope`].

use std::fmt::Write as _;
use std::ops::Range;

use indexmap::IndexMap;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Map, Value, json};

use super::nearest::suggestion;

/// All but the unreserved characters of RFC 3986 section 2.3.
const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// How a value is written into the text around it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Escape {
    /// As it is.
    None,
    /// Percent-encoded as one segment of a URL's path. An empty value, `.` and `..` are refused: they would address
    /// another resource, or the whole collection.
    PathSegment,
    /// As inside a JSON string, for filters and for the paths of PATCH operations.
    JsonString,
}

/// One `${name.member[0]}` in a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reference {
    /// The name that it begins with.
    pub name: String,
    /// The way from there.
    pub path: Vec<Selector>,
    /// The bytes of the text that it takes, with `${` and `}`.
    pub span: Range<usize>,
}

/// One step of a reference into a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Selector {
    /// A member of an object; attribute names have no case (RFC 7643 section 2.1).
    Member(String),
    /// An element of an array, from zero.
    Element(usize),
}

impl Reference {
    /// The reference as it is written, without `${` and `}`.
    pub fn text(&self) -> String {
        written(&self.name, &self.path)
    }
}

fn written(name: &str, path: &[Selector]) -> String {
    let mut text = name.to_owned();
    for selector in path {
        // Writing to a String never fails.
        let _ = match selector {
            Selector::Member(member) => write!(text, ".{member}"),
            Selector::Element(index) => write!(text, "[{index}]"),
        };
    }
    text
}

/// Why a template has no value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TemplateError {
    /// It is not of the form `${name.member[0]}`.
    #[error("`{text}` is no reference: {why}")]
    Malformed {
        /// The piece that is meant to be one.
        text: String,
        /// What is wrong with it.
        why: &'static str,
        /// The bytes it takes in the text.
        span: Range<usize>,
    },
    /// Nothing has that name.
    #[error("`${{{reference}}}`: nothing is called `{name}` here{}", hint(.known, .name))]
    UnknownName {
        /// The whole reference.
        reference: String,
        /// The name.
        name: String,
        /// The names that there are.
        known: Vec<String>,
    },
    /// The value has no such member or element.
    #[error("`${{{reference}}}`: `{at}` {has}{}", hint(.known, .missing))]
    NoMember {
        /// The whole reference.
        reference: String,
        /// The part of it that has a value.
        at: String,
        /// What that value lacks, in words.
        has: String,
        /// The member that was asked for, or empty.
        missing: String,
        /// The members that there are.
        known: Vec<String>,
    },
    /// An object, list or null cannot stand inside a text.
    #[error("`${{{reference}}}` is {kind}, which cannot stand inside a text")]
    NotText {
        /// The whole reference.
        reference: String,
        /// What it is.
        kind: &'static str,
    },
    /// The value would address something else than one resource.
    #[error("`${{{reference}}}` is {value:?}, which cannot stand as one segment of a path")]
    NoSegment {
        /// The whole reference.
        reference: String,
        /// The value.
        value: String,
    },
}

impl TemplateError {
    /// Whether the reference is sound and its value is not: in a suite that passed the lint, an earlier answer did not
    /// bring it.
    pub fn is_lack(&self) -> bool {
        !matches!(self, TemplateError::Malformed { .. })
    }
}

fn hint(known: &[String], word: &str) -> String {
    suggestion(word, known.iter().map(String::as_str)).map(|hint| format!("; {hint}")).unwrap_or_default()
}

/// The references of a text, in order, or where it is malformed.
///
/// # Errors
/// The first `${` that begins no reference.
pub fn parse(text: &str) -> Result<Vec<Reference>, TemplateError> {
    let mut all = Vec::new();
    let mut from = 0;
    while let Some(at) = text[from..].find("${").map(|at| from + at) {
        let Some(end) = text[at..].find('}').map(|end| at + end) else {
            return Err(TemplateError::Malformed {
                text: text[at..].to_owned(),
                why: "its `}` is missing",
                span: at..text.len(),
            });
        };
        let span = at..end + 1;
        match reference(&text[at + 2..end]) {
            Ok((name, path)) => all.push(Reference { name, path, span }),
            Err(why) => {
                return Err(TemplateError::Malformed { text: text[span.clone()].to_owned(), why, span });
            }
        }
        from = end + 1;
    }
    Ok(all)
}

/// The well-formed references of a text, in order.
pub fn references(text: &str) -> impl Iterator<Item = Reference> {
    parse(text).unwrap_or_default().into_iter()
}

/// The well-formed references of all texts in a value, its keys apart.
pub fn references_in(value: &Value) -> Vec<Reference> {
    let mut all = Vec::new();
    each_text(value, &mut |text| all.extend(references(text)));
    all
}

/// Calls for each text in a value, keys apart. The depth of the value is that of the file it was read from, which the
/// reader bounds.
pub(super) fn each_text<'v>(value: &'v Value, call: &mut dyn FnMut(&'v str)) {
    match value {
        Value::String(text) => call(text),
        Value::Array(elements) => elements.iter().for_each(|element| each_text(element, call)),
        Value::Object(members) => members.values().for_each(|member| each_text(member, call)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// As [`each_text`], and for each key too.
pub(super) fn each_text_and_key<'v>(value: &'v Value, call: &mut dyn FnMut(&'v str)) {
    match value {
        Value::String(text) => call(text),
        Value::Array(elements) => elements.iter().for_each(|element| each_text_and_key(element, call)),
        Value::Object(members) => members.iter().for_each(|(key, member)| {
            call(key);
            each_text_and_key(member, call);
        }),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// Reads `name.member[0].member`.
fn reference(text: &str) -> Result<(String, Vec<Selector>), &'static str> {
    let (name, mut rest) = word(text);
    if name.is_empty() {
        return Err("it begins with a name, such as ${ann.id}");
    }
    let mut path = Vec::new();
    while !rest.is_empty() {
        if let Some(after) = rest.strip_prefix('.') {
            let (member, after) = word(after);
            if member.is_empty() {
                return Err("a `.` is followed by a member's name");
            }
            path.push(Selector::Member(member.to_owned()));
            rest = after;
        } else if let Some(after) = rest.strip_prefix('[') {
            let Some((index, after)) = after.split_once(']') else { return Err("its `]` is missing") };
            let Ok(index) = index.parse() else { return Err("an index is a number from 0") };
            path.push(Selector::Element(index));
            rest = after;
        } else {
            return Err("a name is followed by `.member`, `[0]` or `}`");
        }
    }
    Ok((name.to_owned(), path))
}

/// A name: letters, digits, `_`, `-`, `$`, and `:` for the URNs that extensions go by.
fn word(text: &str) -> (&str, &str) {
    let end = text
        .find(|c: char| !(c.is_alphanumeric() || matches!(c, '_' | '-' | '$' | ':')))
        .unwrap_or(text.len());
    text.split_at(end)
}

#[derive(Debug, Clone, PartialEq)]
enum Named {
    Value(Value),
    /// A resource; it has `.member` besides its own members.
    Handle(Value),
    /// Several resources; they have `.members` and `.ids`.
    Handles(Vec<Value>),
}

/// What the names of one trial stand for.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Scope {
    names: IndexMap<String, Named>,
}

impl Scope {
    /// A scope without names.
    pub fn new() -> Scope {
        Scope::default()
    }

    /// Names a value. A value of the same name is replaced.
    pub fn insert(&mut self, name: impl Into<String>, value: Value) {
        self.names.insert(name.into(), Named::Value(value));
    }

    /// Names a resource: besides its members it has `.member`, `{"value": its id}`.
    pub fn insert_handle(&mut self, name: impl Into<String>, resource: &Value) {
        self.names.insert(name.into(), Named::Handle(resource.clone()));
    }

    /// Names several resources (`times: n`): the name has `.members` and `.ids`, and `[0]`, `[1]` for each.
    pub fn insert_handles(&mut self, name: impl Into<String>, resources: &[Value]) {
        self.names.insert(name.into(), Named::Handles(resources.to_vec()));
    }

    /// Whether the name is known.
    pub fn contains(&self, name: &str) -> bool {
        self.names.contains_key(name)
    }

    /// The names, in the order in which they came.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.names.keys().map(String::as_str)
    }

    /// The resource of that name, for a single handle.
    pub fn handle(&self, name: &str) -> Option<&Value> {
        match self.names.get(name) {
            Some(Named::Handle(resource)) => Some(resource),
            _ => None,
        }
    }

    /// The value of a reference written without `${` and `}`: `ann.emails[0].value`.
    ///
    /// # Errors
    /// [`TemplateError::Malformed`], [`TemplateError::UnknownName`], [`TemplateError::NoMember`].
    pub fn value(&self, text: &str) -> Result<Value, TemplateError> {
        let (name, path) = reference(text).map_err(|why| TemplateError::Malformed {
            text: text.to_owned(),
            why,
            span: 0..text.len(),
        })?;
        self.lookup(&name, &path)
    }

    fn lookup(&self, name: &str, path: &[Selector]) -> Result<Value, TemplateError> {
        let Some(named) = self.names.get(name) else {
            return Err(TemplateError::UnknownName {
                reference: written(name, path),
                name: name.to_owned(),
                known: self.names().map(str::to_owned).collect(),
            });
        };
        match named {
            Named::Value(value) => walk(value, name, path, 0),
            Named::Handle(resource) => match path.first() {
                Some(Selector::Member(member)) if member == "member" => match resource.get("id") {
                    Some(id) => walk(&json!({ "value": id }), name, path, 1),
                    None => Err(missing(resource, name, path, 0, "id")),
                },
                _ => walk(resource, name, path, 0),
            },
            Named::Handles(resources) => match path.first() {
                Some(Selector::Member(member)) if member == "members" || member == "ids" => {
                    let mut all = Vec::with_capacity(resources.len());
                    for (index, resource) in resources.iter().enumerate() {
                        let Some(id) = resource.get("id") else {
                            let at = [Selector::Element(index)];
                            return Err(missing(resource, name, &at, 1, "id"));
                        };
                        all.push(if member == "ids" { id.clone() } else { json!({ "value": id }) });
                    }
                    walk(&Value::Array(all), name, path, 1)
                }
                Some(Selector::Member(_)) => Err(TemplateError::NoMember {
                    reference: written(name, path),
                    at: name.to_owned(),
                    has: "stands for several resources".to_owned(),
                    missing: String::new(),
                    known: vec!["members".into(), "ids".into(), "[0]".into()],
                }),
                _ => walk(&Value::Array(resources.clone()), name, path, 0),
            },
        }
    }

    /// A text with its references replaced.
    ///
    /// # Errors
    /// Every [`TemplateError`].
    pub fn text(&self, text: &str, escape: Escape) -> Result<String, TemplateError> {
        let mut result = String::with_capacity(text.len());
        let mut from = 0;
        for reference in parse(text)? {
            result.push_str(&text[from..reference.span.start]);
            from = reference.span.end;
            let value = self.lookup(&reference.name, &reference.path)?;
            let plain = match value {
                Value::String(text) => text,
                Value::Bool(_) | Value::Number(_) => value.to_string(),
                Value::Null => {
                    return Err(TemplateError::NotText { reference: reference.text(), kind: "null" });
                }
                Value::Array(_) => {
                    return Err(TemplateError::NotText { reference: reference.text(), kind: "a list" });
                }
                Value::Object(_) => {
                    return Err(TemplateError::NotText { reference: reference.text(), kind: "an object" });
                }
            };
            match escape {
                Escape::None => result.push_str(&plain),
                Escape::PathSegment => {
                    if matches!(plain.as_str(), "" | "." | "..") {
                        return Err(TemplateError::NoSegment { reference: reference.text(), value: plain });
                    }
                    result.extend(utf8_percent_encode(&plain, SEGMENT));
                }
                Escape::JsonString => {
                    let quoted = Value::String(plain).to_string();
                    result.push_str(&quoted[1..quoted.len() - 1]);
                }
            }
        }
        result.push_str(&text[from..]);
        Ok(result)
    }

    /// A value with the references in its texts and in the names of its members replaced. A text that is one reference and nothing else becomes the
    /// value itself, with its type.
    ///
    /// # Errors
    /// Every [`TemplateError`] but [`TemplateError::NoSegment`].
    pub fn resolve(&self, value: &Value) -> Result<Value, TemplateError> {
        Ok(match value {
            Value::String(text) => {
                let references = parse(text)?;
                match references.as_slice() {
                    [] => value.clone(),
                    [whole] if whole.span == (0..text.len()) => self.lookup(&whole.name, &whole.path)?,
                    _ => Value::String(self.text(text, Escape::None)?),
                }
            }
            Value::Array(elements) => {
                Value::Array(elements.iter().map(|element| self.resolve(element)).collect::<Result<_, _>>()?)
            }
            Value::Object(members) => {
                let mut resolved = Map::with_capacity(members.len());
                for (name, member) in members {
                    resolved.insert(self.key(name)?, self.resolve(member)?);
                }
                Value::Object(resolved)
            }
            Value::Null | Value::Bool(_) | Value::Number(_) => value.clone(),
        })
    }

    /// A member's name with its references replaced.
    fn key(&self, name: &str) -> Result<String, TemplateError> {
        if name.contains("${") { self.text(name, Escape::None) } else { Ok(name.to_owned()) }
    }

    /// The operations of a PatchOp with their references replaced. In the `path` of each, values are escaped as inside
    /// a JSON string, since a value filter quotes them.
    ///
    /// # Errors
    /// As [`Scope::resolve`].
    pub fn resolve_operations(&self, operations: &Value) -> Result<Value, TemplateError> {
        let Value::Array(operations) = operations else { return self.resolve(operations) };
        let mut resolved = Vec::with_capacity(operations.len());
        for operation in operations {
            let Value::Object(members) = operation else {
                resolved.push(self.resolve(operation)?);
                continue;
            };
            let mut object = Map::with_capacity(members.len());
            for (name, member) in members {
                let value = match member {
                    Value::String(path) if name.eq_ignore_ascii_case("path") => {
                        Value::String(self.text(path, Escape::JsonString)?)
                    }
                    other => self.resolve(other)?,
                };
                object.insert(name.clone(), value);
            }
            resolved.push(Value::Object(object));
        }
        Ok(Value::Array(resolved))
    }
}

/// Follows a reference from its `done`-th selector on.
fn walk(value: &Value, name: &str, path: &[Selector], done: usize) -> Result<Value, TemplateError> {
    let mut value = value;
    for (index, selector) in path.iter().enumerate().skip(done) {
        let next = match (selector, value) {
            (Selector::Member(member), Value::Object(members)) => members.get(member).or_else(|| {
                members.iter().find(|(known, _)| known.eq_ignore_ascii_case(member)).map(|(_, value)| value)
            }),
            (Selector::Element(element), Value::Array(elements)) => elements.get(*element),
            _ => None,
        };
        let asked = match selector {
            Selector::Member(member) => member.as_str(),
            Selector::Element(_) => "",
        };
        value = next.ok_or_else(|| missing(value, name, path, index, asked))?;
    }
    Ok(value.clone())
}

fn missing(value: &Value, name: &str, path: &[Selector], at: usize, asked: &str) -> TemplateError {
    let (has, known) = match (value, path.get(at)) {
        (Value::Array(elements), Some(Selector::Element(_))) => match elements.len() {
            1 => ("has 1 element".to_owned(), Vec::new()),
            n => (format!("has {n} elements"), Vec::new()),
        },
        (Value::Object(members), _) if !asked.is_empty() => {
            (format!("has no member `{asked}`"), members.keys().cloned().collect())
        }
        (Value::Object(_), _) => ("is an object, not a list".to_owned(), Vec::new()),
        (Value::Array(_), _) => ("is a list; say which element: `[0]`".to_owned(), Vec::new()),
        (Value::Null, _) => ("is null".to_owned(), Vec::new()),
        _ => ("is a single value without members".to_owned(), Vec::new()),
    };
    TemplateError::NoMember {
        reference: written(name, path),
        at: written(name, path.get(..at).unwrap_or(path)),
        has,
        missing: asked.to_owned(),
        known,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scope() -> Scope {
        let mut scope = Scope::new();
        scope.insert_handle(
            "ann",
            &json!({"id": "a b/c", "userName": "Ann\"", "active": true, "emails": [{"value": "a@b"}], "n": null}),
        );
        scope.insert_handles("crowd", &[json!({"id": "1"}), json!({"id": "2"})]);
        scope.insert("row", json!({"op": "add", "n": 3}));
        scope.insert("dots", json!(".."));
        scope
    }

    #[test]
    fn a_whole_value_keeps_its_type_and_a_part_becomes_text() {
        let resolved =
            scope().resolve(&json!({"a": "${ann.active}", "b": ["x${row.n}y"], "c": null})).unwrap();
        assert_eq!(resolved, json!({"a": true, "b": ["x3y"], "c": null}));
        assert_eq!(scope().resolve(&json!("${ann.emails[0]}")).unwrap(), json!({"value": "a@b"}));
        assert_eq!(scope().resolve(&json!("${ann.n}")).unwrap(), Value::Null);
    }

    #[test]
    fn members_and_ids_of_handles() {
        assert_eq!(scope().value("ann.member").unwrap(), json!({"value": "a b/c"}));
        assert_eq!(scope().value("crowd.members").unwrap(), json!([{"value": "1"}, {"value": "2"}]));
        assert_eq!(scope().value("crowd.ids").unwrap(), json!(["1", "2"]));
        assert_eq!(scope().value("crowd[1].id").unwrap(), json!("2"));
        assert_eq!(
            scope().value("crowd.id").unwrap_err().to_string(),
            "`${crowd.id}`: `crowd` stands for several resources; known here: members, ids, [0]"
        );
    }

    #[test]
    fn values_are_escaped_for_where_they_stand() {
        let scope = scope();
        assert_eq!(scope.text("GET /Users/${ann.id}", Escape::PathSegment).unwrap(), "GET /Users/a%20b%2Fc");
        assert_eq!(
            scope.text("userName eq \"${ann.userName}\"", Escape::JsonString).unwrap(),
            "userName eq \"Ann\\\"\""
        );
        assert_eq!(
            scope
                .resolve_operations(&json!([{"op": "${row.op}", "path": "x[y eq \"${ann.userName}\"]", "value": "${ann.userName}"}]))
                .unwrap(),
            json!([{"op": "add", "path": "x[y eq \"Ann\\\"\"]", "value": "Ann\""}])
        );
    }

    #[test]
    fn a_value_that_would_address_the_collection_is_refused() {
        let error = scope().text("DELETE /Users/${dots}", Escape::PathSegment).unwrap_err();
        assert_eq!(error.to_string(), "`${dots}` is \"..\", which cannot stand as one segment of a path");
    }

    #[test]
    fn errors_name_what_is_known() {
        let scope = scope();
        assert_eq!(
            scope.value("anm.id").unwrap_err().to_string(),
            "`${anm.id}`: nothing is called `anm` here; did you mean `ann`?"
        );
        assert_eq!(
            scope.value("ann.usrName").unwrap_err().to_string(),
            "`${ann.usrName}`: `ann` has no member `usrName`; did you mean `userName`?"
        );
        assert_eq!(
            scope.value("ann.emails[3].x").unwrap_err().to_string(),
            "`${ann.emails[3].x}`: `ann.emails` has 1 element"
        );
        assert_eq!(
            scope.text("x ${ann.emails}", Escape::None).unwrap_err().to_string(),
            "`${ann.emails}` is a list, which cannot stand inside a text"
        );
    }

    #[test]
    fn attribute_names_have_no_case() {
        assert_eq!(scope().value("ann.USERNAME").unwrap(), json!("Ann\""));
    }

    #[test]
    fn malformed_references_say_why() {
        for (text, why) in [
            ("${ann.id", "its `}` is missing"),
            ("${}", "it begins with a name, such as ${ann.id}"),
            ("${ann.}", "a `.` is followed by a member's name"),
            ("${ann[x]}", "an index is a number from 0"),
            ("${ann id}", "a name is followed by `.member`, `[0]` or `}`"),
        ] {
            match parse(text) {
                Err(TemplateError::Malformed { why: said, .. }) => assert_eq!(said, why, "{text}"),
                other => panic!("{text}: {other:?}"),
            }
        }
        assert_eq!(references("a ${b.c} d ${e}").map(|r| r.text()).collect::<Vec<_>>(), ["b.c", "e"]);
    }
}
