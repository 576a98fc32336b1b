//! One trial of a case: a row, a vector of a file, an attribute that a service provider declares.

use std::io;

use serde_json::Value;
use serde_json::ser::{Formatter, Serializer};

use super::Line;
use crate::outcome::Level;
use crate::plan::each;
use crate::scim::schema::SchemaSet;
use crate::suite::model::{Case, ForEach, Requires, Row, VectorKind};
use crate::suite::vectors::{FilterVector, Found, PatchVector, Patched, Refused, Vector};

/// One of the trials that a case is made of.
pub struct Trial<'c> {
    /// What stands in the brackets of its id.
    pub id: &'c str,
    /// Its own title.
    pub title: Option<&'c str>,
    /// Its own level.
    pub level: Option<Level>,
    /// What it needs beyond the case.
    pub requires: &'c [Requires],
    what: What<'c>,
}

enum What<'c> {
    Row(&'c Row),
    /// With the population that it is about.
    Vector(VectorKind, &'c Vector, Option<&'c str>),
    Attribute,
}

impl<'c> Trial<'c> {
    /// The trial of that name. Attributes are those of some service provider's schemas, so any name of one will do.
    pub fn of(case: &'c Case, id: &'c str) -> Option<Trial<'c>> {
        if let Some(row) = case.rows.iter().find(|row| row.id == id) {
            let Row { level, requires, .. } = row;
            return Some(Trial { id, title: None, level: *level, requires, what: What::Row(row) });
        }
        if case.for_each.is_some() {
            return is_attribute(id).then_some(Trial {
                id,
                title: None,
                level: None,
                requires: &[],
                what: What::Attribute,
            });
        }
        let vectors = case.vectors.as_ref()?;
        let vector = vectors.trials.iter().find(|vector| vector.id == id)?;
        let Vector { title, level, requires, .. } = vector;
        let what = What::Vector(vectors.kind, vector, case.population.as_deref());
        Some(Trial { id, title: Some(title), level: *level, requires, what })
    }

    /// Why its outcome is what it is.
    pub fn reasoning(&self) -> Option<&'c str> {
        match self.what {
            What::Vector(_, vector, _) => vector.said.get("reasoning").and_then(Value::as_str),
            What::Row(_) | What::Attribute => None,
        }
    }

    /// The data of a row, as its requests are filled with them.
    pub fn data(&self) -> Vec<Line> {
        match self.what {
            What::Row(row) => {
                let said = |(name, value): (&String, &Value)| {
                    let value = value.as_str().map_or_else(|| spaced(value), str::to_owned);
                    Line::Named(format!("${{row.{name}}}"), value)
                };
                row.data.iter().map(said).collect()
            }
            What::Vector(..) | What::Attribute => Vec::new(),
        }
    }

    /// The request of a vector.
    pub fn request(&self) -> Vec<Line> {
        match self.what {
            What::Vector(kind, vector, _) => match kind {
                VectorKind::Filter => FilterVector::read(vector).map_or_else(|_| Vec::new(), |it| asked(&it)),
                VectorKind::Patch => PatchVector::read(vector).map_or_else(|_| Vec::new(), |it| sent(&it)),
            },
            What::Row(_) | What::Attribute => Vec::new(),
        }
    }

    /// What is right to come of a vector, what is right as well, and what is warned of.
    pub fn outcomes(&self) -> Vec<(&'static str, Vec<Line>)> {
        let What::Vector(kind, vector, population) = self.what else { return Vec::new() };
        let labels = ["right", "right too"];
        match kind {
            VectorKind::Filter => {
                let Ok(vector) = FilterVector::read(vector) else { return Vec::new() };
                let mut said = vec![found(&vector.expected)];
                if let Some(of) = population.filter(|_| vector.members().next().is_some()) {
                    said.push(Line::Aside(format!("who they are stands in fixtures/populations/{of}.yaml")));
                }
                vec![(labels[0], said), (labels[1], vector.also_accepted.iter().map(found).collect())]
            }
            VectorKind::Patch => {
                let Ok(vector) = PatchVector::read(vector) else { return Vec::new() };
                let tolerated = vector.tolerated.iter().map(|it| Line::Said(it.why.clone())).collect();
                vec![
                    (labels[0], vec![patched(&vector.expected)]),
                    (labels[1], vector.also_accepted.iter().map(patched).collect()),
                    ("warned of", tolerated),
                ]
            }
        }
    }
}

/// Whether a text may be the name of an attribute in the id of a trial: `User.title`, `EnterpriseUser.department`.
fn is_attribute(id: &str) -> bool {
    id.rsplit_once('.').is_some_and(|(of, name)| {
        let is_name = |text: &str| !text.is_empty() && !text.contains(['[', ']', '/', ' ']);
        is_name(of) && is_name(name)
    })
}

/// Which attributes a case is tried with, and which of the core schemas these are.
pub fn range(for_each: &ForEach) -> Vec<Line> {
    let mut lines = vec![
        Line::Said(each::wanted(&for_each.attribute)),
        Line::Aside(
            "as the service provider's own /Schemas declares it; each is a trial of its own".to_owned(),
        ),
    ];
    let core = each::trials(for_each, SchemaSet::core());
    let names: Vec<&str> = core.iter().map(|each| each.id.as_str()).collect();
    lines.push(Line::Aside(match names.as_slice() {
        [] => "in the schemas of RFC 7643 none is declared so".to_owned(),
        names => format!("in the schemas of RFC 7643: {}", names.join(", ")),
    }));
    lines
}

fn asked(vector: &FilterVector) -> Vec<Line> {
    let endpoint = if vector.endpoint == "/" { "" } else { &vector.endpoint };
    vec![Line::Named(format!("GET {endpoint}?filter={}", vector.filter), String::new())]
}

fn found(found: &Found) -> Line {
    Line::Said(match (&found.ids, &found.error) {
        (Some(ids), _) if ids.is_empty() => "nobody is found".to_owned(),
        (Some(ids), _) => format!("finds {}", ids.join(", ")),
        (None, Some(error)) => refused(error),
        (None, None) => String::new(),
    })
}

fn refused(error: &Refused) -> String {
    match &error.scim_type {
        Some(scim_type) => format!("refused with {} {scim_type}", error.status),
        None => format!("refused with {}", error.status),
    }
}

fn sent(vector: &PatchVector) -> Vec<Line> {
    let query = vector.query.as_ref().map(|query| format!("?{query}")).unwrap_or_default();
    let body = vector.operations.as_ref().or(vector.request.as_ref());
    vec![
        Line::Named(format!("PATCH /{}s/{{id}}{query}", vector.resource_type), String::new()),
        Line::Said(body.map(spaced).unwrap_or_default()),
        Line::Aside(format!("to {}", spaced(&vector.initial_resource))),
    ]
}

fn patched(patched: &Patched) -> Line {
    Line::Said(match (&patched.resource, &patched.error) {
        (Some(resource), _) => spaced(resource),
        (None, Some(error)) => refused(error),
        (None, None) => "success, and nothing changes".to_owned(),
    })
}

/// JSON in one line with blanks, so that it can be wrapped.
fn spaced(value: &Value) -> String {
    struct Spaced;
    impl Formatter for Spaced {
        fn begin_array_value<W: ?Sized + io::Write>(
            &mut self,
            writer: &mut W,
            first: bool,
        ) -> io::Result<()> {
            if first { Ok(()) } else { writer.write_all(b", ") }
        }

        fn begin_object_key<W: ?Sized + io::Write>(&mut self, writer: &mut W, first: bool) -> io::Result<()> {
            self.begin_array_value(writer, first)
        }

        fn begin_object_value<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
            writer.write_all(b": ")
        }
    }
    let mut bytes = Vec::new();
    match serde::Serialize::serialize(value, &mut Serializer::with_formatter(&mut bytes, Spaced)) {
        Ok(()) => String::from_utf8_lossy(&bytes).into_owned(),
        Err(_) => value.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn json_can_be_wrapped() {
        let value = json!({"op": "add", "value": [1, "a,b:c"], "none": {}});
        assert_eq!(spaced(&value), r#"{"op": "add", "value": [1, "a,b:c"], "none": {}}"#);
    }

    #[test]
    fn names_of_attributes_are_told_from_others() {
        assert!(is_attribute("User.badge") && is_attribute("urn:example:2.0:User.badge"));
        assert!(!is_attribute("badge") && !is_attribute("User.") && !is_attribute("User.a b"));
    }
}
