//! The oracle against the reading in `scim::filter`, and against the vectors under `fixtures/vectors/`.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::{
    Just, ProptestConfig, Strategy, prop, prop_assert, prop_assert_eq, prop_oneof, proptest,
};
use serde_json::json;

use super::*;
use crate::oracle::world::{Truth, Worlds};
use crate::scim::filter::{FilterTypeErrorKind, evaluate::problems, matches};
use crate::scim::schema::SchemaSet;

fn user() -> ResourceDefinition {
    SchemaSet::core().definition("User").unwrap()
}

fn in_world(filter: &str, resource: &Value, world: World) -> Option<bool> {
    evaluate(&Filter::parse(filter).unwrap(), resource, &user(), world)
}

fn conventional(filter: &str, resource: &Value) -> Option<bool> {
    in_world(filter, resource, World::CONVENTIONAL)
}

#[test]
fn each_knob_makes_a_difference() {
    let resource = json!({
        "id": "aB", "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"], "userName": "b", "displayName": "",
        "profileUrl": "x:a", "active": true,
        "emails": [{"type": "work", "value": "a"}, {"value": "b"}], "phoneNumbers": [{"value": "1", "primary": false}],
        "meta": {"created": "2026-01-01T00:00:00.500000000Z", "version": "W/\"1\"", "location": "/Users/aB"},
    });
    let cases = [
        (Knob::NotEqualOnAbsent, r#"title ne "x""#),
        (Knob::NotEqualOnSeveral, r#"emails.value ne "a""#),
        (Knob::NotEqualOnIncomplete, r#"emails.type ne "work""#),
        (Knob::NotEqualInBrackets, r#"emails[type ne "x" and value eq "b"]"#),
        (Knob::PrimaryAssumedFalse, "emails.primary eq false"),
        (Knob::AssumedPrimaryIsPresent, "emails.primary pr"),
        (Knob::CompareWithNull, "title eq null"),
        (Knob::ReferenceCase, r#"profileUrl eq "X:A""#),
        (Knob::IdCase, r#"id eq "AB""#),
        (Knob::SchemaUriCase, r#"schemas eq "URN:ietf:params:scim:schemas:core:2.0:User""#),
        (Knob::UriPrefixCase, r#"URN:ietf:params:scim:schemas:core:2.0:User:userName eq "b""#),
        (Knob::ComplexMeansValue, r#"emails co "a""#),
        (Knob::SubstringOfReference, r#"profileUrl co "a""#),
        (Knob::SubstringOfNumber, r#"active co "ru""#),
        (Knob::DateTimeAsText, r#"meta.created ne "2026-01-01T01:00:00.5+01:00""#),
        (Knob::FractionsCut, r#"meta.created gt "2026-01-01T00:00:00.2Z""#),
        (Knob::EmptyIsPresent, "displayName pr"),
        (Knob::EmptySubstring, r#"userName co """#),
        (Knob::LiteralConverted, r#"active eq "true""#),
        (Knob::IncomparableDiffers, r#"name ne "x""#),
        (Knob::NotEqualOnUnknown, r#"unheardOf ne "x""#),
        (Knob::UnknownFindsNothing, r#"unheardOf eq "x" or userName eq "b""#),
        (Knob::OrderCase, r#"userName gt "C""#),
        (Knob::VersionAsShown, r#"meta.version eq "W/\"1\"""#),
        (Knob::LocationAsShown, r#"meta.location ne "/Users/aB""#),
        (Knob::AssumedPrimaryIsShown, "phoneNumbers.primary pr"),
    ];
    let mut seen: BTreeSet<Knob> = BTreeSet::new();
    for (knob, filter) in cases {
        let usual = conventional(filter, &resource);
        let other = in_world(filter, &resource, World::CONVENTIONAL.with(knob, true));
        assert!(usual != other, "{knob:?} {filter}: {usual:?} {other:?}");
        assert_eq!(Worlds::all().truth(&Filter::parse(filter).unwrap(), &resource, &user()), Truth::Open);
        seen.insert(knob);
    }
    let missing: Vec<_> = Knob::ALL.iter().filter(|knob| !seen.contains(knob)).collect();
    assert!(missing.is_empty(), "{missing:?}");
}

#[test]
fn what_is_not_shown_decides_nothing() {
    let resource = json!({
        "userName": "a-b", "active": "true", "department": "Sales",
        "meta": {"created": "2026-01-01T00:00:00Z"},
    });
    for filter in [
        r#"password eq "x""#,
        "not (password pr)",
        r#"meta.created sw "2026""#,
        r#"meta.created gt "2026-01-01T00:00:00Z""#,
        r#"meta.created lt "2026-01-01T00:00:00.3Z""#,
        r#"meta.created gt "2026-01-01T04:00:00""#,
        r#"userName gt "ab""#,
        r#"userName lt "é""#,
        "active eq true",
        "active gt true",
        r#"department eq "Sales""#,
        r#"employeeNumber eq "1""#,
    ] {
        assert_eq!(conventional(filter, &resource), None, "{filter}");
    }
    // What is known may decide all the same.
    assert_eq!(conventional(r#"password eq "x" and userName eq "b""#, &resource), Some(false));
    assert_eq!(conventional(r#"password eq "x" or userName eq "A-B""#, &resource), Some(true));
    assert_eq!(conventional(r#"meta.created ge "2026-01-01T00:00:00Z""#, &resource), Some(true));
    assert_eq!(conventional(r#"meta.created gt "2025-12-31T23:59:59Z""#, &resource), Some(true));
    assert_eq!(conventional(r#"meta.created lt "2026-01-01T00:00:01Z""#, &resource), Some(true));
}

#[test]
fn an_explanation_shows_what_decides() {
    let resource =
        json!({"userName": "ann", "title": "Boss", "emails": [{"value": "a@x"}, {"value": "b@x"}]});
    let explained =
        |filter: &str| explain(&Filter::parse(filter).unwrap(), &resource, &user(), World::CONVENTIONAL);
    let words = |filter: &str| explained(filter).deciding().words();
    assert_eq!(
        words(r#"userName pr and not (title eq "boss")"#),
        "title eq \"boss\" is true, since title is \"Boss\""
    );
    assert_eq!(words(r#"nickName pr or title sw "b""#), "title sw \"b\" is true, since title is \"Boss\"");
    assert_eq!(
        words(r#"nickName pr or emails.value ew "y""#),
        "nickName pr or emails.value ew \"y\" is false, since nickName is unassigned; emails.value is \"a@x\", \"b@x\""
    );
    assert_eq!(
        words(r#"emails[type eq "work"]"#),
        "emails[type eq \"work\"] is false, since emails is {\"value\":\"a@x\"}, {\"value\":\"b@x\"}"
    );
    assert_eq!(
        explained(r#"not (title eq "boss" or password pr)"#).to_string(),
        "not (title eq \"boss\" or password pr) is false\n  title eq \"boss\" or password pr is true\n    \
         title eq \"boss\" is true (title is \"Boss\")\n    password pr is not known (password is not shown)"
    );
}

fn text() -> impl Strategy<Value = String> {
    prop::sample::select(vec![
        "a", "A", "ab", "Ab", "b", "zoë", "ZOË", "50%", "x_y", "O'M", "\"q\\", "1", "a b",
    ])
    .prop_map(str::to_owned)
}

fn time() -> impl Strategy<Value = String> {
    prop::sample::select(vec![
        "2026-01-01T00:00:00Z",
        "2026-01-01T01:00:00+01:00",
        "2026-01-01T00:00:00.500Z",
        "2026-01-02T00:00:00.25Z",
        "2025-12-31T23:00:00-05:00",
    ])
    .prop_map(str::to_owned)
}

fn element() -> impl Strategy<Value = Value> {
    (prop::option::of(text()), prop::option::of(text()), prop::option::of(proptest::arbitrary::any::<bool>()))
        .prop_map(|(value, kind, primary)| {
            let mut element = serde_json::Map::new();
            element.extend(value.map(|it| ("value".to_owned(), it.into())));
            element.extend(kind.map(|it| ("type".to_owned(), it.into())));
            element.extend(primary.map(|it| ("primary".to_owned(), it.into())));
            // An element without any value is none (RFC 7643 §2.5).
            if element.is_empty() {
                element.insert("display".to_owned(), "x".into());
            }
            Value::Object(element)
        })
}

fn resource() -> impl Strategy<Value = Value> {
    let maybe = || prop::option::of(text());
    let elements = prop::collection::vec(element(), 0..4);
    let head = (text(), maybe(), maybe(), maybe(), prop::option::of(proptest::arbitrary::any::<bool>()));
    (head, maybe(), maybe(), elements, time(), maybe()).prop_map(
        |((user_name, title, external_id, profile_url, active), given, family, emails, created, department)| {
            json!({
                "id": "aB1",
                "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"],
                "userName": user_name, "title": title, "externalId": external_id, "active": active,
                "profileUrl": profile_url, "name": {"givenName": given, "familyName": family}, "emails": emails,
                "meta": {"resourceType": "User", "created": created},
                "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User": {"department": department},
            })
        },
    )
}

fn operator() -> impl Strategy<Value = CompareOperator> {
    prop::sample::select(CompareOperator::ALL.to_vec())
}

fn compare(path: &str, operator: CompareOperator, value: FilterValue) -> Filter {
    Filter::Compare { path: AttributePath::parse(path).unwrap(), operator, value }
}

fn literal() -> impl Strategy<Value = FilterValue> {
    prop_oneof![
        6 => text().prop_map(FilterValue::String),
        1 => Just(FilterValue::Null),
        1 => proptest::arbitrary::any::<bool>().prop_map(FilterValue::Boolean),
    ]
}

fn texts(paths: &'static [&'static str]) -> impl Strategy<Value = Filter> {
    (prop::sample::select(paths), operator(), literal())
        .prop_map(|(path, operator, value)| compare(path, operator, value))
}

fn flags(path: &'static str) -> impl Strategy<Value = Filter> {
    use CompareOperator::{Equal, NotEqual};
    (prop::sample::select(vec![Equal, NotEqual]), proptest::arbitrary::any::<bool>())
        .prop_map(move |(operator, value)| compare(path, operator, value.into()))
}

fn present(paths: &'static [&'static str]) -> impl Strategy<Value = Filter> {
    prop::sample::select(paths).prop_map(|path| Filter::Present(AttributePath::parse(path).unwrap()))
}

fn connected(leaf: impl Strategy<Value = Filter> + 'static) -> impl Strategy<Value = Filter> {
    leaf.prop_recursive(3, 12, 3, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 2..4).prop_map(Filter::And),
            prop::collection::vec(inner.clone(), 2..4).prop_map(Filter::Or),
            inner.prop_map(|it| Filter::Not(Box::new(it))),
        ]
    })
}

fn filter() -> impl Strategy<Value = Filter> {
    let in_brackets = connected(prop_oneof![
        texts(&["value", "type"]),
        flags("primary"),
        present(&["value", "type", "primary"]),
    ]);
    connected(prop_oneof![
        5 => texts(&[
            "userName", "title", "externalId", "profileUrl", "name.givenName", "name.familyName", "emails.value",
            "emails.type", "emails", "id", "meta.resourceType", "unheardOf",
            "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:department", "USERNAME",
        ]),
        1 => flags("active"),
        1 => flags("emails.primary"),
        1 => (operator(), time()).prop_map(|(operator, at)| {
            compare("meta.created", operator, FilterValue::String(at))
        }),
        2 => present(&["title", "name", "name.givenName", "emails", "emails.type", "active", "unheardOf"]),
        2 => in_brackets.prop_map(|inner| Filter::ValuePath {
            path: AttributePath::of("emails"),
            filter: Box::new(inner),
        }),
    ])
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1000, failure_persistence: None, ..ProptestConfig::default() })]

    /// Where the oracle commits itself in the conventional world, it says what `scim::filter` says.
    #[test]
    fn the_conventional_world_is_the_reading_of_scim(filter in filter(), resource in resource()) {
        let definition = user();
        if let Ok(expected) = matches(&filter, &resource, &definition) {
            let found = evaluate(&filter, &resource, &definition, World::CONVENTIONAL);
            prop_assert!(found.is_none_or(|found| found == expected), "{filter}: {found:?}");
            let truth = Worlds::all().truth(&filter, &resource, &definition);
            prop_assert!(truth != if expected { Truth::MustNot } else { Truth::Must }, "{filter}");
        }
    }

    /// A verdict over worlds is that of each world.
    #[test]
    fn a_verdict_holds_in_each_world(filter in filter(), resource in resource(), seed in proptest::arbitrary::any::<u32>()) {
        let definition = user();
        let world = Knob::ALL.iter().enumerate().fold(World::CONVENTIONAL, |world, (index, knob)| {
            world.with(*knob, seed & (1 << index) != 0)
        });
        let found = evaluate(&filter, &resource, &definition, world);
        match Worlds::all().truth(&filter, &resource, &definition) {
            Truth::Must => prop_assert_eq!(found, Some(true)),
            Truth::MustNot => prop_assert_eq!(found, Some(false)),
            Truth::Open => {}
        }
        // An undefined attribute may make a filter find nothing as a whole; else `not` turns each answer round.
        if !filter.to_string().contains("unheardOf") {
            let negated = Filter::Not(Box::new(filter.clone()));
            prop_assert_eq!(evaluate(&negated, &resource, &definition, world), found.map(|found| !found));
        }
        // An explanation says of the whole what the evaluation says.
        prop_assert!(!explain(&filter, &resource, &definition, world).to_string().is_empty());
    }
}

#[test]
fn the_oracle_commits_itself() {
    use proptest::strategy::ValueTree;
    use proptest::test_runner::TestRunner;
    let mut runner = TestRunner::deterministic();
    let definition = user();
    let (mut known, mut all) = (0, 0);
    for _ in 0..500 {
        let filter = filter().new_tree(&mut runner).unwrap().current();
        let resource = resource().new_tree(&mut runner).unwrap().current();
        all += 1;
        known += usize::from(evaluate(&filter, &resource, &definition, World::CONVENTIONAL).is_some());
    }
    assert!(known * 10 > all * 7, "{known} of {all}");
}

fn vectors(name: &str) -> Value {
    fixture(&format!("vectors/{name}"))
}

fn fixture(name: &str) -> Value {
    let path = format!("{}/fixtures/{name}", env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(&path).unwrap();
    let options = serde_saphyr::options! {
        strict_booleans: true,
        leading_zero_numbers_as_strings: true,
        underscored_numbers_as_strings: true,
    };
    serde_saphyr::from_str_with_options(&text, options).unwrap_or_else(|error| panic!("{path}: {error}"))
}

fn list<'a>(value: &'a Value, member: &str) -> &'a [Value] {
    value[member].as_array().map(Vec::as_slice).unwrap_or_default()
}

fn ids(value: &Value) -> BTreeSet<String> {
    elements(value).iter().filter_map(Value::as_str).map(str::to_owned).collect()
}

fn substituted(text: &str) -> String {
    let mut text = text
        .replace("${before}", "2026-01-01T00:00:00Z")
        .replace("${before-east}", "2026-01-01T05:30:00+05:30")
        .replace("${after-west}", "2026-01-01T16:00:00-08:00")
        .replace("${run}", "run7")
        .replace("${domain}", "example.com");
    for key in ["u1", "u2", "u3", "u4", "u5", "u6", "g1", "g2"] {
        text = text.replace(&format!("${{{key}.id}}"), &format!("id-of-{key}"));
    }
    text
}

/// Filter vectors without ambiguity on which nothing is said for some resource, with what leaves it open.
const OPEN: [&str; 4] = [
    // The dispute about `ne` on an absent attribute.
    "FV-023", "FV-099", "FV-138", "FV-139",
];

#[test]
fn filter_vectors() {
    let document = vectors("filter.yaml");
    let population = fixture("populations/filters.yaml");
    let mut wrong = Vec::new();
    let mut open: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let mut judged = 0;
    for vector in list(&document, "vectors") {
        let id = vector["id"].as_str().unwrap();
        let Ok(filter) = Filter::parse(&substituted(vector["filter"].as_str().unwrap())) else { continue };
        let outcomes: Vec<&Value> = std::iter::once(&vector["expected"])
            .chain(list(vector, "also_accepted"))
            .filter(|outcome| outcome.get("ids").is_some())
            .collect();
        let endpoint = vector["endpoint"].as_str().unwrap();
        for (key, member) in population["members"].as_object().unwrap() {
            let kind = if key.starts_with('g') { "Group" } else { "User" };
            let definition = SchemaSet::core().definition(kind).unwrap();
            if endpoint != "/" && endpoint != definition.endpoint {
                continue;
            }
            let mut resource: Value =
                serde_json::from_str(&substituted(&member["inline"].to_string())).unwrap();
            resource["id"] = format!("id-of-{key}").into();
            resource["meta"] = json!({
                "resourceType": definition.name,
                "created": "2026-01-01T00:00:00.250Z",
                "lastModified": "2026-01-01T00:00:00.250Z",
            });
            let truth = Worlds::all().truth(&filter, &resource, &definition);
            let accepted: BTreeSet<bool> =
                outcomes.iter().map(|outcome| ids(&outcome["ids"]).contains(key.as_str())).collect();
            // Where only a refusal is accepted, a list says nothing.
            let is_wrong = match truth {
                Truth::Must => !accepted.is_empty() && !accepted.contains(&true),
                Truth::MustNot => !accepted.is_empty() && !accepted.contains(&false),
                Truth::Open => false,
            };
            // What may be either way must not be decided.
            if is_wrong || (accepted.len() == 2 && truth != Truth::Open) {
                wrong.push(format!("{id} {filter}: {key} {truth}"));
            }
            let is_undisputed = vector.get("ambiguity").is_none() && accepted.len() == 1;
            if truth == Truth::Open && is_undisputed {
                open.entry(format!("{id} {filter}")).or_default().push(key.to_owned());
            }
            judged += usize::from(truth != Truth::Open);
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    let open_ids: Vec<&str> = open.keys().map(|key| key.split(' ').next().unwrap_or_default()).collect();
    assert!(open_ids.iter().all(|id| OPEN.contains(id)), "{open:#?}");
    assert!(judged > 400, "{judged}");
}

#[test]
fn filter_corpus_evaluation() {
    let document = vectors("filter_corpus.yaml");
    let evaluation = &document["evaluation"];
    let mut wrong = Vec::new();
    let (mut open, mut all) = (0, 0);
    for vector in list(evaluation, "vectors") {
        let filter = Filter::parse(vector["filter"].as_str().unwrap()).unwrap();
        let (must, may) = (ids(&vector["must"]), ids(&vector["open"]));
        for resource in list(evaluation, "dataset") {
            let id = resource["id"].as_str().unwrap();
            let truth = Worlds::all().truth(&filter, resource, &user());
            let is_wrong = match (must.contains(id), may.contains(id)) {
                (_, true) => truth != Truth::Open,
                (true, _) => truth == Truth::MustNot,
                (false, false) => truth == Truth::Must,
            };
            if is_wrong {
                wrong.push(format!("{} {filter}: {id} {truth}", vector["id"]));
            }
            all += 1;
            open += usize::from(truth == Truth::Open && !may.contains(id));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert!(open * 10 < all, "{open} of {all} are open without need");
}

#[test]
fn a_filter_that_suits_no_type_finds_nobody_for_sure() {
    let resource = json!({"userName": "a", "name": {"givenName": "x"}});
    let filter = Filter::parse(r#"name eq "x""#).unwrap();
    assert_eq!(problems(&filter, &user())[0].kind, FilterTypeErrorKind::Operator);
    assert_eq!(Worlds::all().truth(&filter, &resource, &user()), Truth::MustNot);
}

#[test]
fn null_among_elements_that_lack_the_sub_attribute_is_open() {
    let definition = SchemaSet::core().definition("User").unwrap();
    let some = json!({"ims": [{"value": "a", "type": "xmpp"}, {"value": "b"}]});
    for filter in ["ims.type eq null", "ims.type ne null"] {
        let filter = Filter::parse(filter).unwrap();
        assert_eq!(evaluate(&filter, &some, &definition, World::CONVENTIONAL), None, "{filter}");
    }
}
