use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::scim::definition::ResourceDefinition;
use crate::scim::path::PatchPath;
use crate::scim::schema::SchemaSet;

fn user() -> ResourceDefinition {
    SchemaSet::core().definition("User").unwrap()
}

fn error(text: &str) -> FilterError {
    Filter::parse(text).expect_err(text)
}

#[test]
fn precedence_is_not_then_and_then_or() {
    let filter = Filter::parse("a pr or b pr and not (c pr)").unwrap();
    let Filter::Or(terms) = &filter else { panic!("{filter:?}") };
    assert_eq!(terms[0], Filter::Present(AttributePath::of("a")));
    let Filter::And(factors) = &terms[1] else { panic!("{filter:?}") };
    assert_eq!(factors[1], Filter::Not(Box::new(Filter::Present(AttributePath::of("c")))));
}

#[test]
fn errors_have_a_place_and_a_hint() {
    let no_operator = error("userName regex \"x\"");
    assert_eq!(no_operator.position, 9);
    assert!(no_operator.hint.unwrap().contains("eq, ne, co"));
    assert_eq!(error("not title pr").hint.unwrap(), "not needs parentheses: not (title pr)");
    assert_eq!(error("active eq True").hint.unwrap(), "write true");
    assert_eq!(error("title eq x").hint.unwrap(), "a string stands in double quotes");
    assert_eq!(error("(title pr").position, 9);
    assert_eq!(error("title eq \"a\nb\"").position, 11);
    assert_eq!(error("title pr é").position, 9);
    assert_eq!(error("").position, 0);
}

#[test]
fn depth_and_length_are_bounded() {
    let nested = |depth: usize| format!("{}a pr{}", "(".repeat(depth), ")".repeat(depth));
    assert!(Filter::parse(&nested(MAX_DEPTH)).is_ok());
    assert!(error(&nested(MAX_DEPTH + 1)).message.contains("deeper"));
    assert!(error(&"(".repeat(MAX_LENGTH)).message.contains("deeper"));
    assert!(error(&"not (".repeat(1000)).message.contains("deeper"));
    assert!(error(&"a".repeat(MAX_LENGTH + 1)).message.contains("bytes"));
    let flat = vec!["a pr"; 2000].join(" or ");
    assert_eq!(Filter::parse(&flat).unwrap().to_string(), flat);
}

#[test]
fn patch_paths_tell_filter_trouble_from_path_trouble() {
    for (path, in_filter) in [
        ("emails[type foo \"x\"].value", true),
        ("emails[0]", true),
        ("emails[]", true),
        ("emails[type eq \"x\"", false),
        ("/displayName", false),
        ("display name", false),
        ("", false),
    ] {
        let error = PatchPath::parse(path).expect_err(path);
        assert_eq!(error.in_filter, in_filter, "{path}: {error}");
    }
    let path = PatchPath::parse("urn:x:2.0:A:emails[type EQ \"work\"].value").unwrap();
    assert_eq!(path.to_string(), "urn:x:2.0:A:emails[type eq \"work\"].value");
}

#[test]
fn types_are_checked_whatever_the_data() {
    use FilterTypeErrorKind::{Literal, Never, Operator, Unknown};
    for (text, kind) in [
        ("active gt true", Operator),
        ("active co \"x\"", Operator),
        ("x509Certificates.value le \"AAAA\"", Operator),
        ("name eq \"x\"", Operator),
        ("addresses eq \"x\"", Operator),
        ("userName[value eq \"x\"]", Operator),
        ("active eq \"true\"", Literal),
        ("userName eq 5", Literal),
        ("title gt null", Literal),
        ("meta.created gt \"yesterday\"", Literal),
        ("emails[primary ge false]", Operator),
        ("password sw \"a\"", Never),
        ("userName pr or not (active lt true)", Operator),
        ("unknown eq \"x\"", Unknown),
        ("emails[unknown pr]", Unknown),
    ] {
        let filter = Filter::parse(text).unwrap();
        assert_eq!(check(&filter, &user()).expect_err(text).kind, kind, "{text}");
        let matched = matches(&filter, &json!({"userName": "x"}), &user());
        if kind == Unknown {
            assert_eq!(matched, Ok(false), "{text}");
        } else {
            assert_eq!(matched.expect_err(text).kind, kind);
        }
    }
}

#[test]
fn values_compare_as_their_type_says() {
    let resource = json!({
        "UserName": "Bjensen",
        "profileUrl": "https://example.com/Eve",
        "emails": [{"value": "a@example.com", "type": "work"}, {"value": "b@example.com", "type": "home", "primary": true}],
        "meta": {"created": "2011-05-13T04:42:34+02:00"},
        "title": "",
        "nickName": null,
        "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User": {"manager": {"value": "M1"}}
    });
    for (text, expected) in [
        ("userName eq \"bJENSEN\"", true),
        ("profileUrl eq \"https://example.com/eve\"", false),
        ("meta.created eq \"2011-05-13T02:42:34.000Z\"", true),
        ("meta.created co \"2011\"", true),
        ("title pr", false),
        ("title eq \"\"", true),
        ("nickName eq null", true),
        ("emails ne null", true),
        ("not (nickName eq \"x\")", true),
        ("emails.primary eq false", true),
        ("emails[type eq \"work\" and primary eq false]", true),
        ("emails[type eq \"work\" and primary pr]", false),
        ("emails[type eq \"home\" and value eq \"A@example.com\"]", false),
        ("emails co \"B@EXAMPLE\"", true),
        ("urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:manager.value eq \"m1\"", false),
        ("urn:ietf:params:scim:schemas:extension:enterprise:2.0:User pr", true),
        ("unknown ne \"x\"", false),
    ] {
        let filter = Filter::parse(text).unwrap();
        assert_eq!(matches(&filter, &resource, &user()), Ok(expected), "{text}");
    }
}

fn name() -> impl Strategy<Value = String> {
    prop_oneof![Just("$ref".to_owned()), Just("not".to_owned()), "[a-zA-Z][a-zA-Z0-9_-]{0,8}"]
}

fn path() -> impl Strategy<Value = AttributePath> {
    (proptest::option::of("urn:[a-z]{1,5}:[a-z0-9.:]{0,10}[a-z0-9]"), name(), proptest::option::of(name()))
        .prop_map(|(urn, name, sub)| AttributePath { urn, name, sub })
}

fn value() -> impl Strategy<Value = FilterValue> {
    prop_oneof![
        Just(FilterValue::Null),
        any::<bool>().prop_map(FilterValue::Boolean),
        any::<i64>().prop_map(|it| FilterValue::Number(it.into())),
        any::<f64>().prop_filter_map("finite", serde_json::Number::from_f64).prop_map(FilterValue::Number),
        any::<String>().prop_map(FilterValue::String),
    ]
}

fn expression(paths: BoxedStrategy<AttributePath>) -> BoxedStrategy<Filter> {
    let operators = proptest::sample::select(CompareOperator::ALL.to_vec());
    let leaf = prop_oneof![
        (paths.clone(), operators, value()).prop_map(|(path, operator, value)| Filter::Compare {
            path,
            operator,
            value
        }),
        paths.prop_map(Filter::Present),
    ];
    connected(leaf.boxed())
}

fn connected(leaf: BoxedStrategy<Filter>) -> BoxedStrategy<Filter> {
    leaf.prop_recursive(5, 40, 4, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 2..4).prop_map(Filter::And),
            proptest::collection::vec(inner.clone(), 2..4).prop_map(Filter::Or),
            inner.prop_map(|it| Filter::Not(Box::new(it))),
        ]
    })
    .boxed()
}

fn any_filter() -> BoxedStrategy<Filter> {
    let element = expression(name().prop_map(AttributePath::of).boxed());
    let value_path = (path(), element)
        .prop_map(|(path, filter)| Filter::ValuePath { path: path.without_sub(), filter: Box::new(filter) });
    connected(prop_oneof![4 => expression(path().boxed()), 1 => value_path].boxed())
}

proptest! {
    #[test]
    fn what_is_printed_reads_back(filter in any_filter()) {
        let printed = filter.to_string();
        prop_assume!(printed.len() <= MAX_LENGTH);
        prop_assert_eq!(Filter::parse(&printed), Ok(filter), "{}", printed);
    }

    #[test]
    fn any_text_is_read_or_refused(text in "[a-z \\[\\]()\"\\\\.:é$ntoradeq0-9-]{0,60}") {
        if let Err(error) = Filter::parse(&text) {
            prop_assert!(text.is_char_boundary(error.position), "{}: {}", text, error);
        }
        let _ = PatchPath::parse(&text);
    }
}

/// The filter with chains of one connective made flat, as the other parser reads them.
fn flat(filter: Filter) -> Filter {
    let spread = |operands: Vec<Filter>, same: fn(&Filter) -> bool| -> Vec<Filter> {
        let spread_one = |operand: Filter| match flat(operand) {
            Filter::And(inner) if same(&Filter::And(Vec::new())) => inner,
            Filter::Or(inner) if same(&Filter::Or(Vec::new())) => inner,
            other => vec![other],
        };
        operands.into_iter().flat_map(spread_one).collect()
    };
    match filter {
        Filter::And(operands) => Filter::And(spread(operands, |it| matches!(it, Filter::And(_)))),
        Filter::Or(operands) => Filter::Or(spread(operands, |it| matches!(it, Filter::Or(_)))),
        Filter::Not(operand) => Filter::Not(Box::new(flat(*operand))),
        Filter::ValuePath { path, filter } => Filter::ValuePath { path, filter: Box::new(flat(*filter)) },
        leaf => leaf,
    }
}

/// The filter without names that the other parser's grammar does not know: those that begin with `$`
/// (erratum 8924), and those that are called like a keyword.
fn with_plain_names(filter: Filter) -> Filter {
    let plain = |name: String| format!("x{}", name.replace('$', "-"));
    let path =
        |path: AttributePath| AttributePath { name: plain(path.name), sub: path.sub.map(plain), ..path };
    match filter {
        Filter::And(operands) => Filter::And(operands.into_iter().map(with_plain_names).collect()),
        Filter::Or(operands) => Filter::Or(operands.into_iter().map(with_plain_names).collect()),
        Filter::Not(operand) => Filter::Not(Box::new(with_plain_names(*operand))),
        Filter::Compare { path: it, operator, value } => Filter::Compare { path: path(it), operator, value },
        Filter::Present(it) => Filter::Present(path(it)),
        Filter::ValuePath { path: it, filter } => {
            Filter::ValuePath { path: path(it), filter: Box::new(with_plain_names(*filter)) }
        }
    }
}

proptest! {
    /// An independent implementation reads what is printed here as the same tree.
    #[test]
    fn another_parser_agrees(filter in any_filter().prop_map(with_plain_names)) {
        use scim_v2::filter::Filter as Other;

        let printed = filter.to_string();
        match printed.parse::<Other>() {
            Ok(other) => {
                let reprinted = other.to_string();
                prop_assert_eq!(Filter::parse(&reprinted).map(flat), Ok(flat(filter)), "{}\n{}", printed, reprinted);
            }
            // It has narrower limits.
            Err(error) => {
                let message = error.to_string();
                let is_limit = ["depth exceeds", "too many terms"].iter().any(|it| message.contains(it));
                prop_assert!(is_limit, "{}: {}", printed, message);
            }
        }
    }
}
