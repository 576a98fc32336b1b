//! Requests that a service provider has to refuse: each a PATCH with one mistake in it.

use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Value, json};

use super::patch::{Class, Place, Stock, parts};
use crate::oracle::derived::refers;
use crate::scim::definition::ResourceDefinition;
use crate::scim::names;
use crate::scim::resource::{elements, get};
use crate::scim::schema::AttributeType;

/// A mistake.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Slip {
    /// An attribute that no schema defines.
    UnknownAttribute,
    /// A part that no schema defines.
    UnknownPart,
    /// An attribute that only the server writes.
    ReadOnly,
    /// The part of a reference that says whom it refers to.
    Identity,
    /// A removal without a path.
    RemoveWithoutPath,
    /// A removal without a path, with a value.
    RemoveOfValue,
    /// A path that is none.
    BadPath,
    /// A path to what objects of a programming language have.
    Prototype,
    /// A filter in a path that is none.
    BadFilter,
    /// A path that is no text.
    PathOfAnotherType,
    /// A replacement of what a filter does not find.
    NoTarget,
    /// A value of another type.
    AnotherType,
    /// A text for a boolean.
    TextForBoolean,
    /// A text for a complex value.
    TextForComplex,
    /// A required attribute removed.
    RequiredRemoved,
    /// A required attribute replaced by null.
    RequiredCleared,
    /// `schemas` removed.
    SchemasRemoved,
    /// A name that another resource has.
    Taken,
    /// An `op` that SCIM does not have.
    UnknownOp,
    /// No `op`.
    NoOp,
    /// No `Operations`.
    NoOperations,
    /// An `add` without a value.
    NoValue,
    /// A filter on an attribute with a single value.
    FilterOnSingle,
    /// A value without a path that is no object.
    NoObject,
    /// A good operation before one that finds nothing.
    GoodThenNoTarget,
    /// A good operation before one on an attribute that no schema defines.
    GoodThenUnknown,
    /// A good operation before a removal without a path.
    GoodThenRemove,
    /// A good operation behind a bad one.
    BadThenGood,
    /// What an earlier run has found.
    Saved,
}

/// How bad it is if a request with the mistake succeeds and changes nothing. Whatever it changes beyond what some reading
/// allows is a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ignored {
    /// It is a failure.
    Failure,
    /// It is a warning: some servers ignore what they do not know or do not let be changed.
    Warning,
}

impl Slip {
    /// All that are made here, the most telling first.
    pub const ALL: [Slip; 28] = [
        Slip::NoTarget,
        Slip::RemoveWithoutPath,
        Slip::UnknownAttribute,
        Slip::BadPath,
        Slip::ReadOnly,
        Slip::GoodThenNoTarget,
        Slip::TextForBoolean,
        Slip::RequiredRemoved,
        Slip::Taken,
        Slip::BadFilter,
        Slip::Prototype,
        Slip::UnknownOp,
        Slip::NoOperations,
        Slip::NoValue,
        Slip::Identity,
        Slip::PathOfAnotherType,
        Slip::SchemasRemoved,
        Slip::AnotherType,
        Slip::TextForComplex,
        Slip::UnknownPart,
        Slip::GoodThenUnknown,
        Slip::RequiredCleared,
        Slip::FilterOnSingle,
        Slip::NoOp,
        Slip::RemoveOfValue,
        Slip::NoObject,
        Slip::GoodThenRemove,
        Slip::BadThenGood,
    ];

    /// In words.
    pub fn words(self) -> &'static str {
        match self {
            Slip::UnknownAttribute => "an attribute that is not defined",
            Slip::UnknownPart => "a part that is not defined",
            Slip::ReadOnly => "a readOnly attribute",
            Slip::Identity => "an immutable part",
            Slip::RemoveWithoutPath | Slip::RemoveOfValue => "a remove without a path",
            Slip::BadPath => "a path that is none",
            Slip::Prototype => "a path to __proto__",
            Slip::BadFilter => "a path with a filter that is none",
            Slip::PathOfAnotherType => "a path that is no text",
            Slip::NoTarget => "a replace whose filter finds nothing",
            Slip::AnotherType | Slip::TextForComplex | Slip::NoObject => "a value of another type",
            Slip::TextForBoolean => "a text for a boolean",
            Slip::RequiredRemoved => "a required attribute removed",
            Slip::RequiredCleared => "a required attribute cleared",
            Slip::SchemasRemoved => "schemas removed",
            Slip::Taken => "a name that is taken",
            Slip::UnknownOp => "an op that does not exist",
            Slip::NoOp => "an operation without op",
            Slip::NoOperations => "a body without Operations",
            Slip::NoValue => "an add without a value",
            Slip::FilterOnSingle => "a filter on a single value",
            Slip::GoodThenNoTarget | Slip::GoodThenUnknown | Slip::GoodThenRemove | Slip::BadThenGood => {
                "a good operation beside a bad one"
            }
            Slip::Saved => "what was saved",
        }
    }

    /// The keywords that suit it (RFC 7644 Table 9); none, where any does.
    pub fn usual(self) -> &'static [&'static str] {
        match self {
            Slip::UnknownAttribute | Slip::UnknownPart => {
                &["invalidPath", "noTarget", "invalidValue", "invalidSyntax"]
            }
            Slip::ReadOnly | Slip::Identity => &["mutability"],
            Slip::RemoveWithoutPath | Slip::RemoveOfValue => &["noTarget"],
            Slip::BadPath | Slip::Prototype => {
                &["invalidPath", "noTarget", "invalidFilter", "invalidSyntax", "invalidValue"]
            }
            Slip::BadFilter => &["invalidFilter", "invalidPath", "noTarget"],
            Slip::PathOfAnotherType => &["invalidPath", "invalidSyntax", "invalidValue", "noTarget"],
            Slip::NoTarget => &["noTarget"],
            Slip::AnotherType | Slip::TextForBoolean | Slip::TextForComplex => {
                &["invalidValue", "invalidSyntax"]
            }
            Slip::NoObject => &["invalidValue", "invalidSyntax", "noTarget", "invalidPath"],
            Slip::RequiredRemoved => &["mutability", "invalidValue"],
            Slip::RequiredCleared => &["invalidValue", "mutability", "invalidSyntax"],
            Slip::SchemasRemoved => {
                &["mutability", "invalidValue", "invalidPath", "noTarget", "invalidSyntax"]
            }
            Slip::Taken => &["uniqueness"],
            Slip::UnknownOp => &["invalidSyntax", "invalidValue", "invalidPath"],
            Slip::NoOp | Slip::NoOperations | Slip::NoValue => &["invalidSyntax", "invalidValue"],
            Slip::FilterOnSingle => &["invalidPath", "noTarget", "invalidFilter", "invalidValue"],
            Slip::GoodThenNoTarget
            | Slip::GoodThenUnknown
            | Slip::GoodThenRemove
            | Slip::BadThenGood
            | Slip::Saved => &[],
        }
    }

    /// Another status than 400 that is a warning: forbidden, or in conflict with what is there.
    pub fn tolerates(self, status: u16) -> bool {
        match self {
            Slip::ReadOnly | Slip::Identity | Slip::RequiredRemoved | Slip::SchemasRemoved => {
                matches!(status, 403 | 409)
            }
            _ => false,
        }
    }

    /// Whether a status is as good as 400.
    pub fn allows(self, status: u16) -> bool {
        status == 400 || (status == 409 && matches!(self, Slip::Taken))
    }

    /// How bad it is if it is ignored.
    pub fn ignored(self) -> Ignored {
        match self {
            Slip::UnknownAttribute
            | Slip::UnknownPart
            | Slip::ReadOnly
            | Slip::Identity
            | Slip::AnotherType
            | Slip::TextForBoolean
            | Slip::TextForComplex
            | Slip::SchemasRemoved
            | Slip::FilterOnSingle
            | Slip::Prototype
            | Slip::GoodThenUnknown => Ignored::Warning,
            _ => Ignored::Failure,
        }
    }

    /// The requirement that it is about.
    pub fn requirement(self) -> &'static str {
        match self {
            Slip::UnknownAttribute
            | Slip::UnknownPart
            | Slip::BadPath
            | Slip::Prototype
            | Slip::FilterOnSingle
            | Slip::NoObject => "RFC7644-3.5.2-07",
            Slip::ReadOnly | Slip::Identity => "RFC7644-3.5.2-09",
            Slip::RemoveWithoutPath | Slip::RemoveOfValue => "RFC7644-3.5.2.2-02",
            Slip::BadFilter => "RFC7644-3.12-23",
            Slip::PathOfAnotherType => "RFC7644-3.5.2-06",
            Slip::NoTarget => "RFC7644-3.5.2.3-09",
            Slip::AnotherType | Slip::TextForBoolean | Slip::TextForComplex | Slip::RequiredCleared => {
                "RFC7644-3.12-25"
            }
            Slip::RequiredRemoved | Slip::SchemasRemoved => "RFC7644-3.5.2.2-08",
            Slip::Taken => "RFC7644-3.5.2-26",
            Slip::UnknownOp | Slip::NoOp => "RFC7644-3.5.2-05",
            Slip::NoOperations => "RFC7644-3.5.2-04",
            Slip::NoValue => "RFC7644-3.5.2.1-02",
            Slip::GoodThenNoTarget | Slip::GoodThenUnknown | Slip::GoodThenRemove | Slip::BadThenGood => {
                "RFC7644-3.5.2-20"
            }
            Slip::Saved => "RFC7644-3.5.2-21",
        }
    }
}

/// What a mistake is made with.
#[derive(Debug, Clone, Copy)]
pub struct Ground<'a> {
    /// The attributes that may be written.
    pub places: &'a [Place],
    /// The resource as it is.
    pub state: &'a Value,
    /// Its type.
    pub definition: &'a ResourceDefinition,
    /// What values are made of.
    pub stock: &'a Stock,
    /// Another resource of the type, whose names are taken.
    pub other: Option<&'a Value>,
}

/// Bodies with that mistake; none where the resource type has not got what it needs.
pub fn bodies(slip: Slip, ground: Ground<'_>) -> Option<BoxedStrategy<Value>> {
    let Ground { places, state, definition, other, .. } = ground;
    let is_text = |it: &&Place| {
        it.attribute.kind == AttributeType::String
            && !it.attribute.multi_valued
            && it.attribute.canonical_values.is_empty()
    };
    // A name of a resource is no good for mistakes, since values of it are of one form; nor is one that servers compute.
    let is_plain = |it: &&Place| {
        is_text(it)
            && !it.attribute.required
            && !["displayName", "externalId", "locale", "preferredLanguage", "timezone"]
                .contains(&it.attribute.name.as_str())
    };
    let texts: Vec<&Place> = places.iter().filter(is_plain).collect();
    let text = texts.first().copied().or_else(|| places.iter().find(is_text));
    let lists: Vec<&Place> = places
        .iter()
        .filter(|it| it.class() == Class::Several && it.attribute.kind == AttributeType::Complex)
        .filter(|it| it.value(state).is_some())
        .collect();
    let plain_lists: Vec<&Place> = lists.iter().copied().filter(|it| !refers(&it.attribute)).collect();
    let complex: Vec<&Place> =
        places.iter().filter(|it| it.class() == Class::Complex && !refers(&it.attribute)).collect();
    let body = |operations: Value| json!({"schemas": [names::PATCH_OP], "Operations": operations});
    let one = |op: &str, path: String, value: Value| body(json!([{"op": op, "path": path, "value": value}]));
    let good = |text: &Place| json!({"op": "replace", "path": text.path(), "value": good_value(text)});
    let missing = |list: &Place| {
        let sub = parts(&list.attribute).iter().find(|it| it.name != "primary").map(|it| it.name.clone());
        let path = format!("{}[value eq \"nothing like it\"].{}", list.path(), sub.unwrap_or_default());
        json!({"op": "replace", "path": path, "value": "x"})
    };
    let some: Vec<Value> = match slip {
        Slip::UnknownAttribute => vec![
            one("replace", "noSuchAttribute".to_owned(), "x".into()),
            one("add", "noSuchAttribute".to_owned(), "x".into()),
        ],
        Slip::UnknownPart => {
            complex.iter().map(|it| one("replace", format!("{}.noSuchPart", it.path()), "x".into())).collect()
        }
        Slip::ReadOnly => {
            let declares = |name: &str| definition.top_attribute(name).is_some();
            let mut all = vec![
                one("replace", "id".to_owned(), "another".into()),
                one("replace", "meta.created".to_owned(), "2000-01-01T00:00:00Z".into()),
            ];
            if declares("groups") {
                all.push(one("add", "groups".to_owned(), json!([{"value": "another"}])));
            }
            all
        }
        Slip::Identity => lists
            .iter()
            .filter(|it| refers(&it.attribute))
            .filter_map(|it| {
                let first = elements(it.value(state)?).first()?;
                let id = get(first, "value")?.as_str()?;
                let other = ground.stock.references.iter().find(|other| {
                    let known = elements(it.value(state).unwrap_or(&Value::Null));
                    !known.iter().any(|it| get(it, "value") == Some(&other.as_str().into()))
                })?;
                let path = format!("{}[value eq {}].value", it.path(), Value::from(id));
                Some(one("replace", path, other.as_str().into()))
            })
            .collect(),
        Slip::RemoveWithoutPath => vec![body(json!([{"op": "remove"}]))],
        Slip::RemoveOfValue => {
            let text = text?;
            vec![body(json!([{"op": "remove", "value": {text.attribute.name.as_str(): "x"}}]))]
        }
        Slip::BadPath => {
            let text = text?;
            let mut all = vec![
                one("replace", format!("/{}", text.attribute.name), "x".into()),
                one("replace", format!(".{}", text.attribute.name), "x".into()),
                one("remove", format!(".{}", text.attribute.name), Value::Null),
                one("replace", String::new(), "x".into()),
            ];
            if let Value::Object(removal) = &mut all[2]["Operations"][0] {
                removal.shift_remove("value");
            }
            if let Some(list) = plain_lists.first() {
                all.push(one("replace", format!("{}[type eq \"work\"", list.path()), "x".into()));
            }
            all
        }
        Slip::Prototype => vec![one("replace", "__proto__.polluted".to_owned(), "x".into())],
        Slip::BadFilter => {
            let list = plain_lists.first().or(lists.first())?;
            let mut all = Vec::new();
            for bad in ["type foo \"work\"", "", "type eq", "type eq work", "0"] {
                all.push(one("replace", format!("{}[{bad}].display", list.path()), "x".into()));
            }
            all
        }
        Slip::PathOfAnotherType => vec![body(json!([{"op": "replace", "path": 7, "value": "x"}]))],
        Slip::NoTarget => plain_lists.iter().map(|it| body(json!([missing(it)]))).collect(),
        Slip::AnotherType => {
            let text = text?;
            vec![
                one("replace", text.path(), json!({"not": "a text"})),
                one("add", text.path(), json!(["a", "b"])),
            ]
        }
        Slip::TextForBoolean => {
            let boolean = places.iter().find(|it| it.attribute.kind == AttributeType::Boolean)?;
            let texts = ["False", "no boolean", "True"];
            texts.map(|text| one("replace", boolean.path(), text.into())).to_vec()
        }
        Slip::TextForComplex => complex
            .iter()
            .chain(&lists)
            .filter(|it| it.attribute.kind == AttributeType::Complex)
            .map(|it| one("replace", it.path(), "a text".into()))
            .collect(),
        Slip::RequiredRemoved => {
            required(places).map(|it| body(json!([{"op": "remove", "path": it.path()}]))).collect()
        }
        Slip::RequiredCleared => required(places).map(|it| one("replace", it.path(), Value::Null)).collect(),
        Slip::SchemasRemoved => vec![body(json!([{"op": "remove", "path": "schemas"}]))],
        Slip::Taken => {
            let name = definition.top_attribute("userName")?;
            let taken = get(other?, &name.name)?.clone();
            vec![one("replace", name.name.clone(), taken)]
        }
        Slip::UnknownOp => {
            let text = text?;
            ["move", "test", "set"].map(|op| one(op, text.path(), good_value(text))).to_vec()
        }
        Slip::NoOp => vec![body(json!([{"path": text?.path(), "value": good_value(text?)}]))],
        Slip::NoOperations => vec![
            json!({"schemas": [names::PATCH_OP]}),
            json!({"schemas": [definition.schema.id], text?.attribute.name.as_str(): good_value(text?)}),
        ],
        Slip::NoValue => vec![body(json!([{"op": "add", "path": text?.path()}]))],
        Slip::FilterOnSingle => {
            vec![one("replace", format!("{}[value eq \"x\"]", text?.path()), good_value(text?))]
        }
        Slip::NoObject => vec![body(json!([{"op": "add", "value": "a text"}]))],
        Slip::GoodThenNoTarget => {
            let list = plain_lists.first()?;
            vec![body(json!([good(text?), missing(list)]))]
        }
        Slip::GoodThenUnknown => {
            vec![body(json!([good(text?), {"op": "replace", "path": "noSuchAttribute", "value": "x"}]))]
        }
        Slip::GoodThenRemove => vec![body(json!([good(text?), {"op": "remove"}]))],
        Slip::BadThenGood => vec![body(json!([{"op": "remove"}, good(text?)]))],
        Slip::Saved => Vec::new(),
    };
    (!some.is_empty()).then(|| select(some).boxed())
}

/// A value that is as good as any, where a mistake stands beside it.
fn good_value(place: &Place) -> Value {
    let mark = super::data::MARK;
    match place.attribute.name.as_str() {
        _ if place.attribute.required => format!("{mark} good").into(),
        // Some servers let no two resources have the same, and would refuse it for that.
        "externalId" => format!("{mark}-good").into(),
        _ => "a good one".into(),
    }
}

fn required(places: &[Place]) -> impl Iterator<Item = &Place> {
    places.iter().filter(|it| it.attribute.required && it.urn.is_none() && !it.attribute.multi_valued)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fuzz::dice::Dice;
    use crate::fuzz::strategy::data::Oddity;
    use crate::fuzz::strategy::patch::{places, resources};
    use crate::oracle::patched::{Effect, effect};
    use crate::requirement::Catalogue;
    use crate::scim::schema::SchemaSet;

    #[test]
    fn every_mistake_is_one() {
        for kind in ["User", "Group"] {
            let definition = SchemaSet::core().definition(kind).unwrap();
            let stock = Stock {
                domain: "example.com".to_owned(),
                references: ["a", "b", "c", "d", "e"].map(str::to_owned).to_vec(),
                oddity: Oddity::Tame,
            };
            let places = places(&definition, &stock);
            let mut dice = Dice::new(1, "slips");
            let state = dice.draw(&resources(&definition, places.clone(), stock.clone())).unwrap();
            let mut made = 0;
            for slip in Slip::ALL {
                let ground = Ground {
                    places: &places,
                    state: &state,
                    definition: &definition,
                    stock: &stock,
                    other: Some(&state),
                };
                let Some(strategy) = bodies(slip, ground) else { continue };
                made += 1;
                for _ in 0..8 {
                    let body = dice.draw(&strategy).unwrap();
                    // Whether a name is taken is no matter of one resource.
                    if slip != Slip::Taken {
                        let done = effect(&body, &state, &definition);
                        assert!(
                            matches!(done, Effect::Refused(_)),
                            "{slip:?} {body} is carried out: {done:?}"
                        );
                    }
                }
            }
            assert!(made >= if kind == "User" { 26 } else { 20 }, "{kind}: {made}");
        }
    }

    #[test]
    fn every_requirement_is_in_the_catalogue() {
        for slip in Slip::ALL {
            assert!(Catalogue::embedded().get(slip.requirement()).is_some(), "{slip:?}");
        }
    }
}
