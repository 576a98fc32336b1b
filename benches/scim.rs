//! How long the reading of SCIM itself takes: filters parsed and evaluated, PATCH applied, resources projected,
//! validated and compared. `cargo bench --bench scim`; the figures stand in docs/performance.md.

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use scimspec::scim::compare::{CompareOptions, differences};
use scimspec::scim::definition::ResourceDefinition;
use scimspec::scim::filter::{Filter, matches};
use scimspec::scim::names;
use scimspec::scim::patch::{PatchOptions, PatchRequest, apply};
use scimspec::scim::project::Projection;
use scimspec::scim::schema::SchemaSet;
use scimspec::scim::validate::{ValidationPurpose, validate};
use serde_json::{Value, json};

/// What identity providers send, from the shortest to the longest.
const FILTERS: [(&str, &str); 4] = [
    ("equal", r#"userName eq "bjensen@example.com""#),
    ("value path", r#"emails[type eq "work" and value co "@example.com"]"#),
    (
        "mixed",
        r#"userType eq "Employee" and (emails.type eq "work" or not (title pr)) and meta.lastModified gt "2024-01-01T00:00:00Z""#,
    ),
    ("forty terms", ""),
];

fn filter_text(name: &str, text: &str) -> String {
    if name == "forty terms" {
        let terms: Vec<String> = (0..40).map(|at| format!(r#"userName eq "user{at}@example.com""#)).collect();
        terms.join(" or ")
    } else {
        text.to_owned()
    }
}

fn user() -> ResourceDefinition {
    SchemaSet::core().definition("User").expect("the core schemas define it")
}

fn resource() -> Value {
    let mut resource: Value =
        serde_json::from_str(include_str!("../fixtures/full-user.json")).expect("the fixture is JSON");
    resource["id"] = "2819c223-7f76-453a-919d-413861904646".into();
    resource["meta"] = json!({
        "resourceType": "User",
        "created": "2025-01-23T04:56:22.000Z",
        "lastModified": "2025-05-13T04:42:34.000Z",
        "location": "https://example.com/v2/Users/2819c223-7f76-453a-919d-413861904646",
    });
    resource
}

fn filters(criterion: &mut Criterion) {
    let (definition, resource) = (user(), resource());
    let mut group = criterion.benchmark_group("filter");
    for (name, text) in FILTERS {
        let text = filter_text(name, text);
        group.throughput(Throughput::Bytes(text.len() as u64));
        group.bench_with_input(BenchmarkId::new("parse", name), &text, |bencher, text| {
            bencher.iter(|| Filter::parse(black_box(text)));
        });
        let filter = Filter::parse(&text).expect("it is a filter");
        group.bench_with_input(BenchmarkId::new("evaluate", name), &filter, |bencher, filter| {
            bencher.iter(|| matches(black_box(filter), black_box(&resource), &definition));
        });
    }
    group.finish();
}

fn patches(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("patch");
    let options = PatchOptions::default();
    let body = json!({"schemas": [names::PATCH_OP], "Operations": [
        {"op": "replace", "path": "active", "value": false},
        {"op": "replace", "path": "emails[type eq \"work\"].value", "value": "new@example.com"},
        {"op": "add", "value": {"title": "Guide", "name": {"middleName": "Jane"}}},
    ]});
    let (definition, resource) = (user(), resource());
    group.bench_function("parse", |bencher| {
        bencher.iter(|| PatchRequest::parse(black_box(&body), options));
    });
    let operations = PatchRequest::parse(&body, options).expect("it is a PATCH");
    group.bench_function("apply to a user", |bencher| {
        bencher.iter(|| apply(black_box(&operations), black_box(&resource), &definition, options));
    });
    let definition = SchemaSet::core().definition("Group").expect("the core schemas define it");
    for size in [10, 1_000] {
        let members: Vec<Value> = (0..size).map(|at| json!({"value": format!("id-{at}")})).collect();
        let resource = json!({"schemas": [names::GROUP], "id": "1", "displayName": "G", "members": members});
        let body = json!({"schemas": [names::PATCH_OP], "Operations": [
            {"op": "add", "path": "members", "value": [{"value": "another"}]},
            {"op": "remove", "path": "members[value eq \"id-5\"]"},
        ]});
        let operations = PatchRequest::parse(&body, options).expect("it is a PATCH");
        group.bench_with_input(BenchmarkId::new("members of", size), &size, |bencher, _| {
            bencher.iter(|| apply(black_box(&operations), black_box(&resource), &definition, options));
        });
    }
    group.finish();
}

fn resources(criterion: &mut Criterion) {
    let (definition, resource) = (user(), resource());
    let mut group = criterion.benchmark_group("resource");
    for (name, projection) in [
        ("default", Projection::Default),
        ("attributes", Projection::parse(Some("userName,emails.value"), None).expect("they are names")),
        (
            "excludedAttributes",
            Projection::parse(None, Some("emails,name.givenName")).expect("they are names"),
        ),
    ] {
        group.bench_function(BenchmarkId::new("project", name), |bencher| {
            bencher.iter(|| projection.apply(black_box(&resource), &definition));
        });
    }
    group.bench_function("validate", |bencher| {
        bencher.iter(|| validate(black_box(&resource), &definition, ValidationPurpose::Answer));
    });
    let mut other = resource.clone();
    other["title"] = "Guide".into();
    group.bench_function("compare", |bencher| {
        bencher.iter(|| differences(black_box(&resource), &other, &definition, &CompareOptions::whole()));
    });
    group.finish();
}

criterion_group!(benches, filters, patches, resources);
criterion_main!(benches);
