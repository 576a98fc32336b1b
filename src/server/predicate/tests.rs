use proptest::prelude::*;
use serde_json::json;

use super::super::endpoint::Kind;
use super::super::generate;
use super::super::represent::Representer;
use super::*;
use crate::scim::filter::matches;

proptest! {
    #![proptest_config(generate::config(300))]

    /// A predicate answers as the naive evaluation of the whole resource does, and indexes never miss a record.
    #[test]
    fn compiled_is_naive(store in generate::store(), filters in proptest::collection::vec(generate::filter(), 1..12)) {
        let representer = Representer { store: &store, base: "http://h/scim/v2" };
        for filter in &filters {
            for kind in generate::kinds() {
                let definition = generate::definition(kind);
                let predicate = Predicate::compile(filter, definition);
                let places = predicate.as_ref().ok().and_then(|predicate| {
                    predicate.places(&|column, text| store.find(kind, column, text))
                });
                if let Some(places) = &places {
                    prop_assert!(places.is_sorted());
                }
                for record in store.of_kind(kind, ..) {
                    let naive = matches(filter, &representer.resource(record), definition);
                    let compiled = match &predicate {
                        Ok(predicate) => Ok(predicate.holds(record, &representer)),
                        Err(error) => Err(error.clone()),
                    };
                    prop_assert_eq!(&compiled, &naive, "{} on {}", filter, representer.resource(record));
                    if let (Some(places), Ok(true)) = (&places, &compiled) {
                        prop_assert!(places.contains(&record.place), "{} misses {}", filter, record.id);
                    }
                }
            }
        }
    }
}

/// How many records the indexes leave to be looked at; none if they say nothing.
fn candidates(store: &super::super::store::Store, kind: Kind, filter: &str) -> Option<usize> {
    let predicate = Predicate::compile(&Filter::parse(filter).unwrap(), generate::definition(kind)).unwrap();
    predicate.places(&|column, text| store.find(kind, column, text)).map(|places| places.len())
}

#[test]
fn what_identity_providers_ask_for_is_found_by_index() {
    let mut store = generate::empty_store();
    for number in 0..100 {
        let user = json!({
            "userName": format!("User{number}"), "externalId": format!("E{number}"), "displayName": format!("D{}", number % 10),
            "emails": [{"type": "work", "value": format!("u{number}@Example.com")}],
        });
        store.insert(format!("u{number}"), Kind::User, user.as_object().cloned().unwrap(), None);
    }
    let group = json!({"displayName": "G", "members": [{"value": "u1"}, {"value": "u2"}]});
    store.insert("g".to_owned(), Kind::Group, group.as_object().cloned().unwrap(), None);
    for (filter, expected) in [
        (r#"id eq "u7""#, Some(1)),
        (r#"userName eq "uSER7""#, Some(1)),
        (r#"urn:ietf:params:scim:schemas:core:2.0:User:userName eq "user7""#, Some(1)),
        (r#"externalId eq "E7""#, Some(1)),
        (r#"externalId eq "e7""#, Some(0)),
        (r#"emails.value eq "U7@example.com""#, Some(1)),
        (r#"emails eq "U7@example.com""#, Some(1)),
        (r#"emails[type eq "work" and value eq "U7@example.com"]"#, Some(1)),
        (r#"displayName eq "d3""#, Some(10)),
        (r#"active eq true and (displayName eq "d3" and userName eq "user3")"#, Some(1)),
        (r#"userName eq "user3" or id eq "u4" or userName eq "user4""#, Some(2)),
        (r#"userName eq "user3" or active eq true"#, None),
        (r#"not (userName eq "user3")"#, None),
        (r#"userName sw "user3""#, None),
    ] {
        assert_eq!(candidates(&store, Kind::User, filter), expected, "{filter}");
    }
    for (filter, expected) in [
        (r#"displayName eq "g""#, Some(1)),
        (r#"members.value eq "U2""#, Some(1)),
        (r#"members eq "u3""#, Some(0)),
        (r#"members[value eq "u1"]"#, Some(1)),
    ] {
        assert_eq!(candidates(&store, Kind::Group, filter), expected, "{filter}");
    }
}
