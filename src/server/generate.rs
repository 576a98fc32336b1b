//! For tests: directories and queries made at random, small enough to hit each other, odd enough to hurt.

use std::sync::{Arc, LazyLock};

use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Map, Value, json};

use super::index::IndexedAttributes;
use super::kind::Kind;
use super::store::Store;
use crate::scim::definition::{ExtensionDefinition, ResourceDefinition};
use crate::scim::filter::{CompareOperator, Filter, FilterValue};
use crate::scim::names;
use crate::scim::path::AttributePath;
use crate::scim::schema::{Schema, SchemaSet};

const DEVICE: &str = "urn:example:2.0:Device";
const DEVICE_MORE: &str = "urn:example:2.0:DeviceMore";

/// How many cases a property tries: `SCIMSPEC_PROPERTY_CASES`, or else `default`.
pub(crate) fn config(default: u32) -> ProptestConfig {
    let cases = std::env::var("SCIMSPEC_PROPERTY_CASES").ok().and_then(|cases| cases.parse().ok());
    ProptestConfig { cases: cases.unwrap_or(default), failure_persistence: None, ..ProptestConfig::default() }
}

/// A type of its own, with every sort of attribute.
fn device() -> Kind {
    Kind::custom("Device", "Devices", DEVICE)
}

pub(crate) fn kinds() -> [Kind; 3] {
    [Kind::User, Kind::Group, device()]
}

static DEFINITIONS: LazyLock<[(Kind, ResourceDefinition); 3]> = LazyLock::new(|| {
    let schema = |id: &str, attributes: Value| {
        Schema::from_json(&json!({ "id": id, "name": id, "attributes": attributes })).value.unwrap()
    };
    let text = |name: &str, exact: bool| json!({"name": name, "type": "string", "caseExact": exact});
    let base = schema(
        DEVICE,
        json!([
            {"name": "serial", "type": "string", "uniqueness": "server"}, text("label", true),
            {"name": "size", "type": "integer"}, {"name": "weight", "type": "decimal"},
            {"name": "bought", "type": "dateTime"}, {"name": "key", "type": "binary"},
            {"name": "home", "type": "reference", "referenceTypes": ["uri"]},
            {"name": "tags", "type": "string", "multiValued": true},
            {"name": "seen", "type": "dateTime", "multiValued": true},
            {"name": "members", "type": "complex", "multiValued": true, "subAttributes": [text("value", true), text("tags", false)]},
            {"name": "groups", "type": "string"},
            {"name": "parts", "type": "complex", "multiValued": true, "subAttributes": [
                {"name": "value", "type": "string", "uniqueness": "global"}, {"name": "primary", "type": "boolean"},
                {"name": "codes", "type": "string", "multiValued": true},
                {"name": "inner", "type": "complex", "multiValued": true, "subAttributes": [text("value", false), {"name": "size", "type": "integer"}]},
            ]},
        ]),
    );
    let more = schema(
        DEVICE_MORE,
        json!([{"name": "asset", "type": "string", "uniqueness": "server", "caseExact": true}, text("manager", false)]),
    );
    let extension = ExtensionDefinition { schema: more, required: false };
    let core = |name: &str| SchemaSet::core().definition(name).unwrap();
    [
        (Kind::User, core("User")),
        (Kind::Group, core("Group")),
        (device(), ResourceDefinition::new("Device".into(), "/Devices".into(), base, vec![extension])),
    ]
});

pub(crate) fn definition(kind: Kind) -> &'static ResourceDefinition {
    &DEFINITIONS.iter().find(|(known, _)| *known == kind).unwrap().1
}

/// A store with the indexes of all three types.
pub(crate) fn empty_store() -> Store {
    let types = DEFINITIONS.iter().map(|(kind, definition)| (*kind, definition));
    Store::new(Arc::default(), Arc::new(IndexedAttributes::of(types)))
}

/// Texts that are near each other: in case, in what folding makes of them, as times, as ids.
const TEXTS: [&str; 22] = [
    "",
    "a",
    "A",
    "ab",
    "AB",
    "b",
    "Zoé",
    "ZOÉ",
    "straße",
    "STRASSE",
    "ὀδός",
    "u1",
    "U1",
    "u2",
    "g1",
    "true",
    "work",
    "2011-05-13T04:42:34Z",
    "2011-05-13T06:42:34+02:00",
    "2011-05-13T04:42:34.5Z",
    "2011-05-13",
    "User",
];

const IDS: [&str; 8] = ["u1", "u2", "u3", "g1", "g2", "G2", "d1", "gone"];

fn text() -> impl Strategy<Value = String> {
    prop_oneof![9 => select(TEXTS.to_vec()).prop_map(str::to_owned), 1 => "\\PC{0,3}"]
}

fn number() -> impl Strategy<Value = Value> {
    prop_oneof![
        (-2_i64..3).prop_map(Value::from),
        select(vec![json!(1.0), json!(0.5), json!(-0.0), json!(9_007_199_254_740_993_u64), json!(u64::MAX)]),
    ]
}

fn scalar() -> impl Strategy<Value = Value> {
    prop_oneof![
        6 => text().prop_map(Value::from),
        1 => number(),
        1 => any::<bool>().prop_map(Value::from),
        1 => Just(Value::Null),
    ]
}

/// An element of a complex attribute, or what somebody might put there instead.
fn element() -> impl Strategy<Value = Value> {
    let names =
        select(vec!["value", "VALUE", "type", "primary", "display", "givenName", "codes", "size", "x"]);
    let value = prop_oneof![
        4 => scalar(),
        1 => any::<bool>().prop_map(Value::from),
        1 => proptest::collection::vec(scalar(), 0..3).prop_map(Value::from),
    ];
    let inner = proptest::collection::vec(
        proptest::collection::vec((names.clone(), value.clone()), 0..3).prop_map(object),
        0..3,
    );
    prop_oneof![
        6 => proptest::collection::vec((names, value), 0..4).prop_map(object),
        1 => inner.prop_map(|inner| json!({ "inner": inner })),
        1 => scalar(),
    ]
}

fn object(members: Vec<(&'static str, Value)>) -> Value {
    Value::Object(members.into_iter().map(|(name, value)| (name.to_owned(), value)).collect())
}

fn value() -> impl Strategy<Value = Value> {
    prop_oneof![
        4 => scalar(),
        1 => proptest::collection::vec(scalar(), 0..3).prop_map(Value::from),
        3 => proptest::collection::vec(element(), 0..4).prop_map(Value::from),
        1 => element(),
    ]
}

/// What a store may hold: names stand in the spelling of the schema there.
fn attributes() -> impl Strategy<Value = Map<String, Value>> {
    let names = select(vec![
        "userName",
        "displayName",
        "externalId",
        "title",
        "active",
        "emails",
        "name",
        "x509Certificates",
        "serial",
        "label",
        "size",
        "weight",
        "bought",
        "key",
        "home",
        "tags",
        "seen",
        "parts",
        "groups",
    ]);
    let ids = || proptest::collection::vec(select(IDS.to_vec()), 0..4);
    let enterprise = (
        proptest::option::of(text()),
        proptest::option::of(prop_oneof![select(IDS.to_vec()).prop_map(Value::from), scalar()]),
    )
        .prop_map(|(department, manager)| {
            let mut extension = Map::new();
            if let Some(department) = department {
                extension.insert("department".into(), department.into());
            }
            if let Some(manager) = manager {
                extension.insert("manager".into(), json!({ "value": manager }));
            }
            Value::Object(extension)
        });
    let more = (value(), text()).prop_map(|(asset, manager)| json!({ "asset": asset, "manager": manager }));
    (
        proptest::collection::vec((names, value()), 0..7),
        proptest::option::of(ids()),
        proptest::option::of(enterprise),
        proptest::option::of(more),
    )
        .prop_map(|(members, ids, enterprise, more)| {
            let mut attributes: Map<String, Value> =
                members.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
            if let Some(ids) = ids {
                let members: Vec<Value> = ids.into_iter().map(|id| json!({ "value": id })).collect();
                attributes.insert("members".into(), members.into());
            }
            if let Some(enterprise) = enterprise {
                attributes.insert(names::ENTERPRISE_USER.into(), enterprise);
            }
            if let Some(more) = more {
                attributes.insert(DEVICE_MORE.into(), more);
            }
            attributes
        })
}

/// A directory of users, groups that hold them and each other, and devices, some of them changed and removed again.
pub(crate) fn store() -> impl Strategy<Value = Store> {
    let resource = (select(IDS[..7].to_vec()), attributes());
    let change = (select(IDS[..7].to_vec()), proptest::option::of(attributes()));
    (proptest::collection::vec(resource, 1..7), proptest::collection::vec(change, 0..3)).prop_map(
        |(resources, changes)| {
            let mut store = empty_store();
            for (id, attributes) in resources {
                let kind = match &id[..1] {
                    "u" => Kind::User,
                    "d" => device(),
                    _ => Kind::Group,
                };
                store.insert(id.to_owned(), kind, attributes, None);
            }
            for (id, change) in changes {
                match change {
                    Some(attributes) => store.update(id, attributes, None, true),
                    None => store.remove(id),
                }
            }
            store
        },
    )
}

fn path() -> impl Strategy<Value = AttributePath> {
    let paths: Vec<String> = [
        "id",
        "userName",
        "USERNAME",
        "displayName",
        "externalId",
        "title",
        "active",
        "emails",
        "emails.value",
        "emails.type",
        "emails.primary",
        "emails.$ref",
        "name",
        "name.givenName",
        "x509Certificates.value",
        "schemas",
        "meta",
        "meta.created",
        "meta.lastModified",
        "meta.resourceType",
        "meta.location",
        "meta.version",
        "groups",
        "groups.value",
        "groups.display",
        "groups.type",
        "members",
        "members.value",
        "members.display",
        "members.type",
        "members.tags",
        "serial",
        "label",
        "size",
        "weight",
        "bought",
        "key",
        "home",
        "tags",
        "seen",
        "parts",
        "parts.value",
        "parts.primary",
        "parts.codes",
        "parts.inner",
        "unknown",
        "name.unknown",
        "password",
        names::USER,
        names::GROUP,
        DEVICE,
        names::ENTERPRISE_USER,
        DEVICE_MORE,
    ]
    .into_iter()
    .map(str::to_owned)
    .chain(
        ["department", "manager", "manager.value", "manager.displayName"]
            .map(|name| format!("{}:{name}", names::ENTERPRISE_USER)),
    )
    .chain([format!("{DEVICE_MORE}:asset"), format!("{DEVICE_MORE}:manager"), format!("{DEVICE}:serial")])
    .collect();
    select(paths).prop_map(|path| AttributePath::parse(&path).unwrap())
}

fn sub_path() -> impl Strategy<Value = AttributePath> {
    select(vec![
        "value",
        "VALUE",
        "type",
        "primary",
        "display",
        "$ref",
        "givenName",
        "codes",
        "size",
        "inner",
        "created",
        "version",
        "unknown",
    ])
    .prop_map(AttributePath::of)
}

fn literal() -> impl Strategy<Value = FilterValue> {
    prop_oneof![
        8 => text().prop_map(FilterValue::String),
        2 => any::<bool>().prop_map(FilterValue::Boolean),
        2 => number().prop_filter_map("a number", |value| match value {
            Value::Number(number) => Some(FilterValue::Number(number)),
            _ => None,
        }),
        1 => Just(FilterValue::Null),
    ]
}

/// Nearly every second comparison is by `eq`, which is what indexes are asked for.
fn operator() -> impl Strategy<Value = CompareOperator> {
    prop_oneof![2 => Just(CompareOperator::Equal), 3 => select(CompareOperator::ALL.to_vec())]
}

fn condition(
    path: impl Strategy<Value = AttributePath> + Clone + 'static,
    depth: u32,
) -> impl Strategy<Value = Filter> {
    let leaf = prop_oneof![
        4 => (path.clone(), operator(), literal())
            .prop_map(|(path, operator, value)| Filter::Compare { path, operator, value }),
        1 => path.prop_map(Filter::Present),
    ];
    leaf.prop_recursive(depth, 8, 3, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 2..4).prop_map(Filter::And),
            proptest::collection::vec(inner.clone(), 2..4).prop_map(Filter::Or),
            inner.prop_map(|inner| Filter::Not(Box::new(inner))),
        ]
    })
}

/// A filter, of which the smaller part suits all types.
pub(crate) fn filter() -> impl Strategy<Value = Filter> {
    let paths = path().boxed();
    let nested = (sub_path(), condition(sub_path().boxed(), 1))
        .prop_map(|(path, filter)| Filter::ValuePath { path, filter: Box::new(filter) });
    let inner = prop_oneof![5 => condition(sub_path().boxed(), 2), 1 => nested];
    let value_path = (paths.clone(), inner)
        .prop_map(|(path, filter)| Filter::ValuePath { path, filter: Box::new(filter) })
        .boxed();
    let leaf = prop_oneof![2 => condition(paths, 1), 1 => value_path];
    leaf.prop_recursive(2, 6, 3, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 2..4).prop_map(Filter::And),
            proptest::collection::vec(inner.clone(), 2..4).prop_map(Filter::Or),
            inner.prop_map(|inner| Filter::Not(Box::new(inner))),
        ]
    })
}

/// Something to sort by.
pub(crate) fn sort_by() -> impl Strategy<Value = String> {
    path().prop_map(|path| path.to_string())
}
