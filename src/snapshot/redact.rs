//! What no two runs have in common, replaced by what it stands for.
//!
//! Values go by their path (`id`, `meta`, `$ref`, locations, versions, cursors) and by the names that the case has for
//! them: a fresh value `mail` reads `[mail]`, the id of `ann` reads `[ann.id]`. Short values are never searched for, so
//! that a payload keeps everything that it says by itself. What changes its type keeps its new one: only texts and
//! numbers are replaced where a text or number is expected.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};

use crate::report::mask::{Masker, Ours};
use crate::scim::datetime;
use crate::suite::fresh::carries_mark;

/// Values shorter than this are known by their path only.
const SHORTEST: usize = 6;
/// From this length on, a value is recognised inside a word, too.
const TELLING: usize = 12;
/// Longer values are known as a whole only.
const LONGEST: usize = 1024;
/// How many values a case may know.
const MOST: usize = 4096;
/// The letters and digits of a word that a resource made from a fixture carries, behind the run's mark.
const WORD: usize = 8;

/// What a case has names for.
#[derive(Debug, Clone, Default)]
pub struct Names {
    mark: String,
    base_url: String,
    ids: BTreeMap<String, String>,
    texts: Vec<(String, String)>,
}

impl Names {
    /// Nothing but the mark of the run and the base URL of the service provider.
    pub fn new(mark: &str, base_url: &str) -> Names {
        Names {
            mark: mark.to_owned(),
            base_url: base_url.trim_end_matches('/').to_owned(),
            ..Names::default()
        }
    }

    /// Names a text. The first name of a text stays.
    pub fn text(&mut self, text: &str, name: &str) {
        let known = |(known, _): &(String, String)| known == text;
        if (SHORTEST..=LONGEST).contains(&text.chars().count())
            && self.texts.len() < MOST
            && !self.texts.iter().any(known)
        {
            self.texts.push((text.to_owned(), format!("[{name}]")));
        }
    }

    /// Names an id, wherever ids stand. A long one is recognised elsewhere, too.
    pub fn id(&mut self, id: &str, name: &str) {
        self.ids.entry(id.to_owned()).or_insert_with(|| format!("[{name}.id]"));
        if id.chars().count() >= TELLING && !carries_mark(id, &self.mark) {
            self.text(id, &format!("{name}.id"));
        }
    }

    /// Names the words of this run's that a resource holds and that have no name yet: what a fixture made unique.
    pub fn words(&mut self, resource: &Value, name: &str) {
        let mut found = Vec::new();
        texts_of(resource, 0, &mut |text| {
            for word in words(text, &self.mark) {
                if !found.contains(&word) {
                    found.push(word);
                }
            }
        });
        // What is part of a value with a name is no word of the resource's own.
        found.retain(|word| !self.texts.iter().any(|(known, _)| known.contains(word.as_str())));
        for (at, word) in found.iter().enumerate() {
            let name = if at == 0 { name.to_owned() } else { format!("{name}-{}", at + 1) };
            self.text(word, &name);
        }
    }

    fn id_named(&self, id: &str) -> Option<&str> {
        let folded = || {
            let mut known = self.ids.iter().filter(|(known, _)| known.contains('@'));
            known.find(|(known, _)| known.eq_ignore_ascii_case(id)).map(|(_, name)| name)
        };
        self.ids.get(id).or_else(folded).map(String::as_str)
    }

    /// Ready to redact.
    pub fn redaction(mut self) -> Redaction {
        // The longest first: what is part of another must not take it apart.
        self.texts.sort_by(|(a, _), (b, _)| b.len().cmp(&a.len()).then_with(|| a.cmp(b)));
        let origin = url::Url::parse(&self.base_url)
            .ok()
            .map(|url| url.origin().ascii_serialization())
            .filter(|origin| origin != "null")
            .unwrap_or_default();
        Redaction { origin, names: self }
    }
}

/// The texts of a value in one order, whatever the order of its members.
fn texts_of(value: &Value, depth: usize, call: &mut dyn FnMut(&str)) {
    const DEEPEST: usize = 128;
    match value {
        Value::String(text) => call(text),
        Value::Array(items) if depth < DEEPEST => {
            items.iter().for_each(|item| texts_of(item, depth + 1, call));
        }
        Value::Object(members) if depth < DEEPEST => {
            let sorted: BTreeMap<&String, &Value> = members.iter().collect();
            sorted.values().for_each(|member| texts_of(member, depth + 1, call));
        }
        _ => {}
    }
}

/// The words in a text that begin with the mark and are as long as those that fixtures are made unique by.
fn words(text: &str, mark: &str) -> Vec<String> {
    if mark.is_empty() {
        return Vec::new();
    }
    let starts = text.match_indices(mark).map(|(at, _)| at);
    starts
        .map(|at| {
            let rest = &text[at + mark.len()..];
            let more = rest.bytes().take(WORD).take_while(u8::is_ascii_alphanumeric).count();
            text[at..at + mark.len() + more].to_owned()
        })
        .filter(|word| word.len() == mark.len() + WORD)
        .collect()
}

/// How an answer was asked for, as far as it says what may differ from run to run.
#[derive(Debug, Clone, Copy, Default)]
pub struct Asked<'a> {
    /// The endpoint, without ids: `/Users/{id}`.
    pub endpoint: &'a str,
    /// The status that came.
    pub status: u16,
    /// Whether the order of a list is the request's own wish (`sortBy`).
    pub sorted: bool,
    /// Whether a query has a filter: without one, what others have counts, too.
    pub filtered: bool,
}

/// Redacts the answers of one step.
#[derive(Debug, Clone)]
pub struct Redaction {
    names: Names,
    origin: String,
}

impl Redaction {
    /// A text without what has a name, and without the base URL and what carries the run's mark.
    pub fn text(&self, text: &str) -> String {
        let mut pieces: Vec<Piece<'_>> = vec![Piece::Raw(text)];
        let urls = [(&self.names.base_url, "[base]"), (&self.origin, "[origin]")];
        for (url, name) in urls.into_iter().filter(|(url, _)| !url.is_empty()) {
            split(&mut pieces, url, name, false);
        }
        for (known, name) in &self.names.texts {
            let lonely = known.chars().count() < TELLING && !carries_mark(known, &self.names.mark);
            split(&mut pieces, known, name, lonely);
        }
        pieces.iter().fold(String::with_capacity(text.len()), |mut whole, piece| {
            match piece {
                Piece::Raw(raw) => whole.push_str(&self.unmarked(raw)),
                Piece::Name(name) => whole.push_str(name),
            }
            whole
        })
    }

    /// The mark alone reads `[run]`, and what begins with it and has no name `[fresh]`.
    fn unmarked<'t>(&self, text: &'t str) -> Cow<'t, str> {
        let mark = self.names.mark.to_ascii_lowercase();
        if !carries_mark(text, &mark) {
            return Cow::Borrowed(text);
        }
        // Case is folded in ASCII only, so that offsets stay what they are.
        let folded = text.to_ascii_lowercase();
        let mut shown = String::new();
        let mut from = 0;
        while let Some(at) = folded[from..].find(&mark).map(|at| from + at) {
            shown.push_str(&text[from..at]);
            let rest = &text.as_bytes()[at + mark.len()..];
            let more = rest.iter().take_while(|byte| byte.is_ascii_alphanumeric()).count();
            shown.push_str(if more > 0 { "[fresh]" } else { "[run]" });
            from = at + mark.len() + more;
        }
        shown.push_str(&text[from..]);
        Cow::Owned(shown)
    }

    /// A header's value.
    pub fn header(&self, name: &str, value: &str) -> String {
        match name.to_ascii_lowercase().as_str() {
            "location" | "content-location" => self.location(value),
            "etag" => version(value),
            "retry-after" if value.bytes().all(|byte| byte.is_ascii_digit()) && !value.is_empty() => {
                "[seconds]".to_owned()
            }
            _ => self.text(value),
        }
    }

    /// A body, in one order: attributes have none (RFC 7643 section 2.1), nor have the values of multi-valued ones
    /// (section 2.4), nor lists without `sortBy` (RFC 7644 section 3.4.2.3).
    pub fn body(&self, body: &Value, asked: Asked<'_>) -> Value {
        let discovery = is_discovery(asked.endpoint);
        let mut body = body.clone();
        let mut strangers = false;
        if !discovery && asked.status < 400 {
            strangers = self.without_strangers(&mut body);
        }
        // A single resource of somebody else's keeps its structure only, also where it stands in a Bulk answer.
        let ours = Ours { ids: self.names.ids.keys().cloned().collect(), mark: self.names.mark.clone() };
        let known = body.as_object().is_some_and(|resource| !is_list(resource) && self.knows(resource));
        let masked = if known { None } else { Masker::new(&ours).body(&body, asked.endpoint, asked.status) };
        let place = Place { discovery, ordered: false, parent: "" };
        let mut redacted = self.value(&masked.unwrap_or(body), place, asked.sorted);
        if let Value::Object(members) = &mut redacted
            && is_list(members)
            && !discovery
            && (strangers || !asked.filtered)
        {
            for (name, member) in members.iter_mut() {
                let counts =
                    ["totalResults", "itemsPerPage"].iter().any(|known| known.eq_ignore_ascii_case(name));
                if counts && member.is_number() {
                    *member = Value::from("[number]");
                }
            }
        }
        redacted
    }

    /// Puts one word in the place of the rows of a list that are not this case's: how many there are, and what they
    /// are, is nobody's business and differs from run to run.
    fn without_strangers(&self, body: &mut Value) -> bool {
        let Some(members) = body.as_object_mut().filter(|members| is_list(members)) else { return false };
        let Some(rows) = members.get_mut("Resources").and_then(Value::as_array_mut) else { return false };
        let mut kinds = BTreeSet::new();
        rows.retain(|row| {
            let Some(resource) = row.as_object() else { return true };
            let known = self.knows(resource);
            if !known {
                kinds.insert(kind(resource));
            }
            known
        });
        rows.extend(kinds.iter().map(|kind| Value::from(format!("[other {kind} resources]"))));
        !kinds.is_empty()
    }

    /// Whether the case has a name for a resource: for its id, or for a value that identifies it.
    fn knows(&self, resource: &Map<String, Value>) -> bool {
        const IDENTIFYING: [&str; 3] = ["userName", "displayName", "externalId"];
        let id = match resource.get("id") {
            Some(Value::String(id)) => Some(id.clone()),
            Some(Value::Number(id)) => Some(id.to_string()),
            _ => None,
        };
        id.is_some_and(|id| self.names.id_named(&id).is_some())
            || resource.iter().any(|(name, value)| {
                IDENTIFYING.iter().any(|known| known.eq_ignore_ascii_case(name))
                    && value.as_str().is_some_and(|text| {
                        carries_mark(text, &self.names.mark)
                            && self.names.texts.iter().any(|(known, _)| text.contains(known.as_str()))
                    })
            })
    }

    /// The depth of a body is bounded by the parser that read it.
    fn value(&self, value: &Value, place: Place<'_>, sorted: bool) -> Value {
        match value {
            Value::String(text) => Value::from(self.text(text)),
            Value::Array(items) => {
                let inner = Place { ordered: false, ..place };
                let mut items: Vec<Value> =
                    items.iter().map(|item| self.value(item, inner, sorted)).collect();
                if !place.ordered {
                    items.sort_by_cached_key(ToString::to_string);
                }
                Value::Array(items)
            }
            Value::Object(members) => {
                let mut named: Vec<(&String, &Value)> = members.iter().collect();
                named.sort_by(|(a, _), (b, _)| order(a).cmp(&order(b)));
                let redact = |(name, member): (&String, &Value)| {
                    let member = self.without_groups_of_others(name, member)?;
                    Some((name.clone(), self.member(members, name, &member, place, sorted)))
                };
                Value::Object(named.into_iter().filter_map(redact).collect())
            }
            other => other.clone(),
        }
    }

    /// The groups of a user without those that other cases of this run have put it into: which cases run is no part of
    /// a payload. Nothing where no others are left.
    fn without_groups_of_others<'v>(&self, name: &str, member: &'v Value) -> Option<Cow<'v, Value>> {
        let Some(groups) = member.as_array().filter(|_| name.eq_ignore_ascii_case("groups")) else {
            return Some(Cow::Borrowed(member));
        };
        let of_others = |group: &Value| {
            let id = group.get("value").and_then(Value::as_str);
            id.is_some_and(|id| self.names.id_named(id).is_none())
                && carries_mark(&group.to_string(), &self.names.mark)
        };
        if !groups.iter().any(of_others) {
            return Some(Cow::Borrowed(member));
        }
        let own: Vec<Value> = groups.iter().filter(|group| !of_others(group)).cloned().collect();
        (!own.is_empty()).then_some(Cow::Owned(Value::Array(own)))
    }

    fn member(
        &self,
        of: &Map<String, Value>,
        name: &str,
        member: &Value,
        place: Place<'_>,
        sorted: bool,
    ) -> Value {
        let lower = name.to_ascii_lowercase();
        match (lower.as_str(), member) {
            ("id", Value::String(id)) if !place.discovery => Value::from(self.id(id)),
            ("id", Value::Number(id)) if !place.discovery => Value::from(self.numeric(&id.to_string())),
            ("created" | "lastmodified", Value::String(date)) if place.parent == "meta" => {
                if datetime::parse(date).is_some() { Value::from("[dateTime]") } else { member.clone() }
            }
            // A resource's version, or that of an operation of a Bulk answer.
            ("version", Value::String(text)) if place.parent == "meta" || of.contains_key("method") => {
                Value::from(version(text))
            }
            ("location", Value::String(url)) if place.parent == "meta" || of.contains_key("method") => {
                Value::from(self.location(url))
            }
            ("$ref", Value::String(url)) => Value::from(self.location(url)),
            ("value", Value::String(id)) if refers(of, place.parent) => Value::from(self.id(id)),
            // An address may be an id; what it is called as a text says more of it.
            ("value", Value::String(id)) if self.names.id_named(id).is_some() => {
                let text = self.text(id);
                Value::from(if text == *id { self.id(id) } else { text })
            }
            ("value", Value::Number(id)) if refers(of, place.parent) => {
                Value::from(self.numeric(&id.to_string()))
            }
            ("nextcursor" | "previouscursor", Value::String(cursor)) if !cursor.is_empty() => {
                Value::from("[cursor]")
            }
            _ => {
                let ordered = sorted && lower == "resources";
                self.value(member, Place { discovery: place.discovery, ordered, parent: &lower }, sorted)
            }
        }
    }

    fn id(&self, id: &str) -> String {
        match self.names.id_named(id) {
            Some(name) => name.to_owned(),
            // What was reduced to its structure stays so.
            None if id.is_empty() || id == crate::report::mask::PLACEHOLDER => id.to_owned(),
            None => {
                let text = self.text(id);
                if text == id { "[id]".to_owned() } else { text }
            }
        }
    }

    /// An id that came as a number: a change of its type is to be seen.
    fn numeric(&self, id: &str) -> String {
        let name = self.names.id_named(id).unwrap_or("[id]");
        format!("{}: number]", name.trim_end_matches(']'))
    }

    /// A URL of a resource, absolute or not: without its base, and with names for ids.
    fn location(&self, url: &str) -> String {
        let (base, path) = [(&self.names.base_url, "[base]"), (&self.origin, "[origin]")]
            .into_iter()
            .filter(|(known, _)| !known.is_empty())
            .find_map(|(known, name)| {
                let rest = url.strip_prefix(known.as_str())?;
                (rest.is_empty() || rest.starts_with('/')).then_some((name, rest))
            })
            .unwrap_or(("", url));
        let mut shown: Vec<String> = Vec::new();
        let mut discovery = false;
        for segment in path.split('/') {
            let decoded = percent_encoding::percent_decode_str(segment).decode_utf8_lossy();
            let named = self.names.id_named(&decoded).map(str::to_owned);
            shown.push(named.unwrap_or_else(|| self.text(segment)));
            discovery |= ["Schemas", "ResourceTypes", "ServiceProviderConfig"].contains(&segment);
        }
        // `…/Users/{id}`: what nobody has a name for is an id all the same.
        let last = shown.len() - 1;
        let raw = path.rsplit('/').next().unwrap_or_default();
        let untouched = !raw.is_empty() && shown[last] == raw && !raw.starts_with('.');
        if last > 0
            && untouched
            && !discovery
            && raw != crate::report::mask::PLACEHOLDER
            && is_id(&shown, raw)
        {
            "[id]".clone_into(&mut shown[last]);
        }
        format!("{base}{}", shown.join("/"))
    }
}

/// Whether the last segment of a path is an id rather than an endpoint: it stands behind one, which is written in the
/// plural.
fn is_id(segments: &[String], last: &str) -> bool {
    let before = segments.iter().rev().nth(1);
    before.is_some_and(|before| before.ends_with('s') && before.starts_with(|c: char| c.is_ascii_uppercase()))
        && !last.starts_with('?')
}

/// Where a value stands.
#[derive(Clone, Copy)]
struct Place<'p> {
    /// In a document that describes the service: ids there are names, and the same in each run.
    discovery: bool,
    /// In a list whose order was asked for.
    ordered: bool,
    /// The member that it belongs to, in small letters.
    parent: &'p str,
}

enum Piece<'t> {
    Raw(&'t str),
    Name(&'t str),
}

/// Puts a name where a text stands. A `lonely` one counts as a word of its own only.
fn split<'t>(pieces: &mut Vec<Piece<'t>>, known: &str, name: &'t str, lonely: bool) {
    if !pieces.iter().any(|piece| matches!(piece, Piece::Raw(raw) if raw.contains(known))) {
        return;
    }
    let mut after = Vec::with_capacity(pieces.len() + 2);
    for piece in pieces.drain(..) {
        let Piece::Raw(raw) = piece else {
            after.push(piece);
            continue;
        };
        let mut from = 0;
        for (at, _) in raw.match_indices(known) {
            let end = at + known.len();
            let alone =
                !raw[..at].ends_with(char::is_alphanumeric) && !raw[end..].starts_with(char::is_alphanumeric);
            if lonely && !alone {
                continue;
            }
            after.push(Piece::Raw(&raw[from..at]));
            after.push(Piece::Name(name));
            from = end;
        }
        after.push(Piece::Raw(&raw[from..]));
    }
    *pieces = after;
}

/// An entity tag without its opaque part (RFC 9110 section 8.8.3): weak or strong, quoted or not.
fn version(tag: &str) -> String {
    let (weak, opaque) = tag.strip_prefix("W/").map_or(("", tag), |rest| ("W/", rest));
    let quoted = opaque.len() > 2 && opaque.starts_with('"') && opaque.ends_with('"');
    match (quoted, opaque.is_empty() || opaque == "\"\"") {
        (_, true) => tag.to_owned(),
        (true, _) => format!("{weak}\"[version]\""),
        (false, _) => format!("{weak}[version]"),
    }
}

/// Whether a complex value refers to a resource, so that its `value` is an id (RFC 7643 section 2.3.7).
fn refers(of: &Map<String, Value>, parent: &str) -> bool {
    of.contains_key("$ref") || ["members", "groups", "manager"].contains(&parent)
}

fn is_list(members: &Map<String, Value>) -> bool {
    members.contains_key("Resources") || members.contains_key("totalResults")
}

fn is_discovery(endpoint: &str) -> bool {
    ["/ServiceProviderConfig", "/ResourceTypes", "/Schemas"].iter().any(|known| endpoint.starts_with(known))
}

/// The resource type of a row, as far as it says.
fn kind(resource: &Map<String, Value>) -> String {
    let meta = resource.get("meta").and_then(|meta| meta.get("resourceType")).and_then(Value::as_str);
    let schema = || {
        let schemas = resource.get("schemas").and_then(Value::as_array)?;
        schemas.first()?.as_str()?.rsplit(':').next()
    };
    let kind = meta.or_else(schema).unwrap_or("unknown");
    let plain = |c: &char| c.is_ascii_alphanumeric();
    kind.chars().filter(plain).take(40).collect()
}

/// Where a member stands among the others: what names a resource first, extensions and `meta` last.
fn order(name: &str) -> (u8, &str) {
    let rank = match name {
        "schemas" => 0,
        "id" => 1,
        "externalId" => 2,
        "userName" => 3,
        "name" => 4,
        "displayName" => 5,
        "meta" => 9,
        name if name.starts_with("urn:") => 8,
        _ => 6,
    };
    (rank, name)
}

#[cfg(test)]
mod tests;
