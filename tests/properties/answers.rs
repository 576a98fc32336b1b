//! Whatever a service provider answers: the judge and every rule come to the same judgement twice, say something about
//! each thing that they find, and the reports of it are sound.
//!
//! The expectations are those of real cases with all that they stood on, as a run against the reference server judged
//! them; the answers are its own with something altered.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use bytes::Bytes;
use scimspec::judge::rules::{
    Definitions, Pairs, RULES, RuleContext, RuleVerdict, Validated, View, judge_all,
};
use scimspec::judge::{Context, History, Judgement, Ours, judge};
use scimspec::outcome::{Finding, Level, Outcome, Place, Reading, Verdict};
use scimspec::run::Observed;
use scimspec::scim::schema::SchemaSet;
use scimspec::suite::model::Expect;
use scimspec::suite::template::Scope;
use scimspec::target::Capabilities;
use scimspec::target::capabilities::{Answer, Discovery};
use scimspec::target::exchange::{Body, Exchange};
use scimspec::target::probe::Probe;
use serde_json::{Map, Value, json};

use crate::choices::{Choices, TEXTS};
use crate::common::{Trial, everything};
use crate::reports;

/// Bodies beyond this teach nothing that smaller ones do not, and take longer.
const LARGEST: usize = 300 << 10;

/// How many exchanges before and after the altered one the rules look at.
const AROUND: (usize, usize) = (10, 4);

/// A judgement of a real run with all that it was made of.
struct Judged {
    id: String,
    expect: Expect,
    exchange: Exchange,
    scope: Scope,
    ours: Ours,
    sent: BTreeMap<String, Value>,
    filter: Option<String>,
    level: Level,
    spec: Vec<String>,
}

/// A real run.
pub struct Recorded {
    judged: Vec<Judged>,
    exchanges: Vec<Arc<Exchange>>,
    probe: Probe,
}

impl Recorded {
    /// Runs these cases against the reference server in this process.
    pub fn of(cases: &[&str]) -> Recorded {
        let judged = Mutex::new(Vec::new());
        let observer = |observed: &Observed<'_>| {
            let context = observed.context;
            judged.lock().expect("no panic before").push(Judged {
                id: observed.id.to_owned(),
                expect: observed.expect.clone(),
                exchange: observed.exchange.clone(),
                scope: context.scope.clone(),
                ours: context.ours.clone(),
                sent: context.sent.clone(),
                filter: context.filter.map(str::to_owned),
                level: context.level,
                spec: context.spec.to_vec(),
            });
        };
        let cases = cases.iter().map(|case| (*case).to_owned()).collect();
        let trial = Trial { observer: Some(&observer), jobs: 1, cases, ..Trial::of(everything()) };
        let ran = trial.run().expect("the server can be probed");
        let judged = judged.into_inner().expect("no panic before");
        assert!(judged.len() > 50, "{} judgements", judged.len());
        Recorded { judged, exchanges: ran.exchanges, probe: ran.probe }
    }

    /// Alters one answer, and judges it.
    pub fn check(&self, bytes: &[u8]) {
        let mut choices = Choices::new(bytes);
        let judged = &self.judged[choices.below(self.judged.len())];
        let reading = if choices.once_in(2) { Reading::Strict } else { Reading::Lenient };
        let (schemas, capabilities) = self.claims(&mut choices);
        let exchange = altered(&judged.exchange, &mut choices);
        self.judge(judged, &exchange, reading, &schemas, &capabilities);
        self.rule(&exchange, reading, &schemas, &capabilities);
    }

    /// What the service provider says of itself, sometimes with something altered.
    fn claims(&self, choices: &mut Choices<'_>) -> (SchemaSet, Capabilities) {
        if !choices.once_in(4) {
            return (self.probe.schemas.clone(), self.probe.capabilities.clone());
        }
        let document = |path: &str, choices: &mut Choices<'_>| {
            let read = |it: &&Arc<Exchange>| it.origin == "probe" && it.request.path == path;
            let Some(exchange) = self.exchanges.iter().find(read) else { return Answer::default() };
            let exchange = altered(exchange, choices);
            Answer { status: exchange.status(), json: exchange.json().cloned(), summary: "came".to_owned() }
        };
        let discovery = Discovery {
            config: document("/ServiceProviderConfig", choices),
            resource_types: document("/ResourceTypes", choices),
            schemas: document("/Schemas", choices),
            ..Discovery::default()
        };
        let read = SchemaSet::from_discovery(discovery.schemas.success(), discovery.resource_types.success());
        let schemas = read.value.unwrap_or_default().or_core();
        let (capabilities, _) = Capabilities::new(&discovery, schemas.clone());
        (schemas, capabilities)
    }

    fn judge(
        &self,
        judged: &Judged,
        exchange: &Exchange,
        reading: Reading,
        schemas: &SchemaSet,
        capabilities: &Capabilities,
    ) {
        let place = |path: &str| Place { file: format!("{}.{path}", judged.id), line: 1, column: 1 };
        let context = Context {
            scope: &judged.scope,
            schemas,
            capabilities,
            reading,
            ours: &judged.ours,
            sent: &judged.sent,
            filter: judged.filter.as_deref(),
            level: judged.level,
            spec: &judged.spec,
            place: &place,
        };
        let judgement = judge(&judged.expect, exchange, &context);
        assert_eq!(judgement, judge(&judged.expect, exchange, &context), "{}", judged.id);
        let Judgement { findings, notes, error, .. } = judgement;
        if let Some(error) = &error {
            // What earlier answers brought is what it was: an altered answer makes no suite wrong.
            assert!(error.is_lack, "{}: {error:?}", judged.id);
        }
        findings.iter().for_each(says_something);
        let outcome = outcome(&judged.id, findings, notes, exchange);
        reports::check(&[outcome], &[Arc::new(exchange.clone())], reading == Reading::Strict);
    }

    /// Every rule on the altered exchange, among those around it.
    fn rule(&self, exchange: &Exchange, reading: Reading, schemas: &SchemaSet, capabilities: &Capabilities) {
        let at = self.exchanges.iter().position(|known| known.id == exchange.id).unwrap_or(0);
        let from = at.saturating_sub(AROUND.0);
        let to = (at + AROUND.1).min(self.exchanges.len() - 1);
        let around: Vec<&Exchange> = self.exchanges[from..=to]
            .iter()
            .map(AsRef::as_ref)
            .map(|known| if known.id == exchange.id { exchange } else { known })
            .collect();
        let all = || around.iter().copied();
        let definitions = Definitions::of(schemas);
        let (history, pairs, validated) = (History::of(all()), Pairs::of(all()), Validated::of(all()));
        let mutes = BTreeMap::<String, BTreeSet<_>>::new();
        let context = RuleContext {
            level: Level::Must,
            spec: &[],
            place: None,
            definitions: &definitions,
            history: &history,
            capabilities,
            reading,
            mutes: &mutes,
            pairs: &pairs,
            validated: Some(&validated),
        };
        for rule in RULES {
            let outcome = judge_all(rule, all(), &context);
            outcome.findings.iter().for_each(|found| {
                says_something(&found.finding);
                assert_eq!(found.finding.check, rule.name);
            });
            // Alone, without what was found out for all rules.
            let view = View::of(&RuleContext { validated: None, ..context });
            let (first, second) =
                ((rule.judge)(exchange, &view), (rule.judge)(exchange, &View::of(&context)));
            assert_eq!(first, second, "{}", rule.name);
            if let RuleVerdict::Broke(findings) | RuleVerdict::BrokeBeside { findings, .. } = first {
                assert!(!findings.is_empty(), "{} breaks and says nothing", rule.name);
            }
        }
    }
}

fn says_something(finding: &Finding) {
    let Finding { check, message, expected, actual, signature, .. } = finding;
    for (what, text) in [("check", check), ("message", message), ("expected", expected), ("actual", actual)] {
        assert!(!text.trim().is_empty(), "no {what}: {finding:?}");
    }
    // What the comparison of two runs goes by has a few words of ours, and nothing that was answered.
    for text in
        [&signature.check, &signature.method, &signature.endpoint, &signature.expected, &signature.actual]
    {
        assert!(text.len() < 1000, "{} bytes in the signature of {check}", text.len());
    }
}

/// The outcome of a case that found these.
fn outcome(id: &str, findings: Vec<Finding>, notes: Vec<String>, exchange: &Exchange) -> Outcome {
    let suite = id.split('/').next().unwrap_or_default().to_owned();
    Outcome {
        id: id.to_owned(),
        title: format!("{suite}, altered"),
        level: Level::Must,
        spec: Vec::new(),
        tags: Vec::new(),
        place: Place { file: format!("suites/{suite}.yaml"), line: 1, column: 1 },
        verdict: Verdict::of(&findings),
        findings,
        exchanges: vec![exchange.id],
        duration_ms: 1,
        consequence: None,
        hint: None,
        notes,
        baseline: None,
        suite,
    }
}

const STATUSES: &[u16] = &[
    200, 201, 202, 204, 205, 206, 299, 300, 301, 304, 307, 308, 400, 401, 403, 404, 405, 409, 410, 412, 413,
    415, 418, 428, 429, 499, 500, 501, 503, 599, 600, 999, 100, 101,
];

const HEADERS: &[&str] = &[
    "content-type",
    "etag",
    "location",
    "date",
    "server",
    "allow",
    "www-authenticate",
    "cache-control",
    "set-cookie",
    "retry-after",
    "content-length",
    "content-location",
    "access-control-allow-origin",
    "link",
    "last-modified",
    "vary",
];

const HEADER_VALUES: &[&str] = &[
    "",
    " ",
    "*",
    ",",
    ";",
    "=",
    "\"",
    "application/scim+json",
    "application/scim+json;charset=",
    "text/html",
    "a/b/c",
    "/",
    "application/json; charset=\"utf-8",
    "W/\"1\"",
    "W/",
    "\"",
    "W/\"a\"b\"",
    "/Users/1",
    "//",
    "http://[",
    "http://x/%zz?#",
    "Bearer realm=",
    "Bearer, Basic, , realm=\"\\\"",
    "Sat, 22 Nov 2026 10:00:00 GMT",
    "99999999999999999999",
    "-1",
    "a=b; Max-Age=99999999999999999999",
    "a; Expires=x; Path",
    "public, max-age=1e9",
    "\\xFF\\x00",
    "<x>; rel=next",
];

/// The exchange with its answer altered.
fn altered(exchange: &Exchange, choices: &mut Choices<'_>) -> Exchange {
    let mut altered = exchange.clone();
    let Ok(response) = &mut altered.answer else { return altered };
    if choices.once_in(4) {
        response.status = choices.pick(STATUSES);
    }
    for _ in 0..choices.below(4) {
        let name = choices.pick(HEADERS);
        if choices.once_in(2) {
            response.headers.retain(|(known, _)| !known.eq_ignore_ascii_case(name));
        }
        if choices.once_in(2) {
            let value = match choices.below(3) {
                0 => choices.pick(HEADER_VALUES).to_owned(),
                1 => choices.pick(HEADER_VALUES).repeat(1 + choices.below(2000)),
                // As the client shows what is no visible ASCII.
                _ => choices.text().chars().filter(|c| *c == ' ' || c.is_ascii_graphic()).collect(),
            };
            response.headers.push((name.to_owned(), value));
        }
    }
    response.repeats_secret = choices.once_in(64);
    let mut bytes = match response.body.json() {
        Ok(json) => {
            let mut json = json.clone();
            for _ in 0..choices.below(5) {
                alter(&mut json, choices);
            }
            json.to_string().into_bytes()
        }
        Err(_) => response.body.bytes().to_vec(),
    };
    if choices.once_in(4) {
        spoil(&mut bytes, choices);
    }
    bytes.truncate(LARGEST);
    response.body = Body::whole(Bytes::from(bytes));
    altered
}

/// Alters one node of a JSON value.
fn alter(json: &mut Value, choices: &mut Choices<'_>) {
    let mut left = choices.below(count(json));
    let mut how = Some(choices);
    visit(json, &mut left, &mut |node| {
        if let Some(choices) = how.take() {
            alter_node(node, choices);
        }
    });
}

fn count(value: &Value) -> usize {
    1 + match value {
        Value::Array(elements) => elements.iter().map(count).sum(),
        Value::Object(members) => members.values().map(count).sum(),
        _ => 0,
    }
}

/// Visits the node of that number, in the order of the text. The depth is that of a body that could be read.
fn visit(value: &mut Value, left: &mut usize, change: &mut dyn FnMut(&mut Value)) -> bool {
    if *left == 0 {
        change(value);
        return true;
    }
    *left -= 1;
    match value {
        Value::Array(elements) => elements.iter_mut().any(|inner| visit(inner, left, change)),
        Value::Object(members) => members.values_mut().any(|inner| visit(inner, left, change)),
        _ => false,
    }
}

fn alter_node(node: &mut Value, choices: &mut Choices<'_>) {
    match node {
        Value::Object(members) if !choices.once_in(4) => alter_object(members, choices),
        Value::Array(elements) if !choices.once_in(4) => {
            let at = choices.below(elements.len());
            match choices.below(6) {
                0 if !elements.is_empty() => {
                    elements.remove(at);
                }
                1 if !elements.is_empty() => {
                    let copy = elements[at].clone();
                    elements.insert(at, copy);
                }
                2 => elements.reverse(),
                3 => elements.push(odd(choices)),
                4 if !elements.is_empty() => {
                    let copy = elements[at].clone();
                    let size = 1 + copy.to_string().len();
                    let times = (choices.pick(&[3, 200, 2000])).min(60_000 / size);
                    elements.extend(std::iter::repeat_n(copy, times));
                }
                _ => elements.clear(),
            }
        }
        node => {
            *node = match choices.below(4) {
                0 => Value::from(node.to_string()),
                1 => json!([node.take()]),
                2 => json!({"value": node.take()}),
                _ => odd(choices),
            }
        }
    }
}

fn alter_object(members: &mut Map<String, Value>, choices: &mut Choices<'_>) {
    let names: Vec<String> = members.keys().cloned().collect();
    let Some(name) = names.get(choices.below(names.len())).cloned() else {
        members.insert(choices.pick(NAMES).to_owned(), odd(choices));
        return;
    };
    match choices.below(8) {
        0 => {
            members.shift_remove(&name);
        }
        1 => {
            let value = members.shift_remove(&name).unwrap_or_default();
            members.insert(other_name(&name, choices), value);
        }
        2 => {
            let value = members.get(&name).cloned().unwrap_or_default();
            members.insert(other_name(&name, choices), value);
        }
        3 => {
            members.insert(choices.pick(NAMES).to_owned(), odd(choices));
        }
        4 => {
            members.insert(choices.text(), odd(choices));
        }
        5 => {
            let other = names.get(choices.below(names.len())).cloned().unwrap_or_default();
            let value = members.get(&other).cloned().unwrap_or_default();
            members.insert(name, value);
        }
        6 => {
            let number = choices.pick(&[10_u32, 400, 3000]);
            members.extend((0..number).map(|number| (format!("{name}{number}"), Value::from(number))));
        }
        _ => {
            members.insert(name, odd(choices));
        }
    }
}

fn other_name(name: &str, choices: &mut Choices<'_>) -> String {
    match choices.below(4) {
        0 => name.to_uppercase(),
        1 => name.to_lowercase(),
        2 => format!("{name} "),
        _ => format!("urn:ietf:params:scim:schemas:core:2.0:User:{name}"),
    }
}

const NAMES: &[&str] = &[
    "id",
    "ID",
    "schemas",
    "meta",
    "userName",
    "emails",
    "value",
    "$ref",
    "type",
    "primary",
    "display",
    "members",
    "groups",
    "active",
    "password",
    "externalId",
    "Resources",
    "totalResults",
    "itemsPerPage",
    "startIndex",
    "Operations",
    "status",
    "detail",
    "scimType",
    "location",
    "version",
    "response",
    "bulkId",
    "attributes",
    "subAttributes",
    "name",
    "multiValued",
    "returned",
    "mutability",
    "uniqueness",
    "caseExact",
    "endpoint",
    "schema",
    "schemaExtensions",
    "supported",
    "nextCursor",
    "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User",
    "urn:ietf:params:scim:schemas:core:2.0:User:userName",
    "",
    ".",
    "a.b",
    "a[b eq \"c\"]",
    "__proto__",
];

/// A value that is seldom answered.
fn odd(choices: &mut Choices<'_>) -> Value {
    match choices.below(18) {
        0 => Value::Null,
        1 => json!(choices.once_in(2)),
        2 => json!(choices.number()),
        3 => json!(-(choices.below(3).cast_signed())),
        4 => json!(f64::from_bits(choices.number())),
        5 => json!(choices.pick(&[u64::MAX, 1 << 53, 1 << 32, 4_294_967_295, 2_147_483_648])),
        6 => json!(i64::MIN),
        7 => json!([]),
        8 => json!({}),
        9 => json!([null, [], {}, "", 0]),
        10 => json!({"": {"": [""]}}),
        11 => json!([["a"], [["b"]]]),
        12 => {
            let depth = choices.pick(&[3, 30, 110]);
            (0..depth).fold(json!("deep"), |inner, level| {
                if level % 2 == 0 { json!([inner]) } else { json!({"value": inner}) }
            })
        }
        13 => json!(vec![choices.pick(TEXTS); choices.pick(&[2, 100, 3000])]),
        14 => json!({"value": choices.text(), "type": "work", "primary": true}),
        15 => {
            json!({"schemas": [choices.pick(NAMES)], "totalResults": 1, "Resources": [{"id": choices.text()}]})
        }
        _ => json!(choices.text()),
    }
}

/// Alters the bytes themselves.
fn spoil(bytes: &mut Vec<u8>, choices: &mut Choices<'_>) {
    let at = choices.below(bytes.len());
    match choices.below(8) {
        0 => bytes.truncate(at),
        1 => {
            bytes.insert(at, choices.pick(&[0xff, 0xc0, 0x80, 0xed, 0, b'"', b'\\', b'{', b']', b',', b'1']))
        }
        2 => {
            bytes.splice(0..0, b"\xef\xbb\xbf".iter().copied());
        }
        3 => bytes.extend_from_slice(choices.pick(&[&b"x"[..], b"{}", b"\0", b"\n\n", b"//"])),
        4 => *bytes = "[".repeat(choices.pick(&[100, 127, 128, 129, 60_000])).into_bytes(),
        5 => {
            let twice: &[u8] = choices.pick(&[
                &b"{\"id\":1,"[..],
                b"{\"schemas\":[],",
                b"{\"\\u0069d\":null,",
                b"{\"Resources\":[],",
            ]);
            if bytes.first() == Some(&b'{') {
                bytes.splice(0..1, twice.iter().copied());
            }
        }
        6 => *bytes = choices.rest().to_vec(),
        _ => {
            let from =
                bytes.iter().skip(at).position(|byte| *byte == b'"').map_or(at, |found| at + found + 1);
            let escape: &[u8] = choices.pick(&[
                &b"\\ud800"[..],
                b"\\u0000",
                b"\\udfff\\ud800",
                b"\\x",
                b"\\u001b[31m",
                b"\xf4\x90\x80\x80",
            ]);
            bytes.splice(from.min(bytes.len())..from.min(bytes.len()), escape.iter().copied());
        }
    }
}

/// An answer that is large in one way: the way, and a body with so many of something.
type Large = (&'static str, fn(usize) -> Value);

const LARGE: &[Large] = &[
    ("rows", |many| {
        let row = |number| {
            json!({"schemas": [USER], "id": format!("u{number}"), "userName": format!("n{number}"),
            "meta": {"resourceType": "User", "location": format!("http://127.0.0.1/Users/u{number}")}})
        };
        list((0..many).map(row).collect())
    }),
    ("one row, again and again", |many| {
        list(vec![json!({"schemas": [USER], "id": "u1", "userName": "n"}); many])
    }),
    ("attributes that nobody declares", |many| {
        let unknown = (0..many).map(|number| (format!("attribute{number}"), json!(number)));
        let mut user = user();
        user.as_object_mut().expect("an object").extend(unknown);
        user
    }),
    ("values", |many| {
        with(
            user(),
            "emails",
            |number| json!({"value": format!("{number}@example.com"), "type": "work"}),
            many,
        )
    }),
    ("values that are alike", |many| {
        with(user(), "emails", |_| json!({"value": "a@example.com", "type": "work", "primary": true}), many)
    }),
    ("values of a kind that is none", |many| with(user(), "emails", |number| json!(number), many)),
    ("schemas", |many| with(user(), "schemas", |number| json!(format!("urn:example:{number}")), many)),
    ("members", |many| {
        let group = json!({"schemas": ["urn:ietf:params:scim:schemas:core:2.0:Group"], "id": "g1", "displayName": "g",
            "meta": {"resourceType": "Group", "location": "http://127.0.0.1/Groups/g1"}});
        with(group, "members", |number| json!({"value": format!("u{number}"), "type": "User"}), many)
    }),
    ("a long text", |many| {
        let mut user = user();
        user["displayName"] = json!("日".repeat(many));
        user
    }),
    ("operations", |many| {
        let done = |number| {
            json!({"method": "POST", "bulkId": format!("b{number}"), "status": "201",
            "location": format!("http://127.0.0.1/Users/u{number}")})
        };
        json!({"schemas": ["urn:ietf:params:scim:api:messages:2.0:BulkResponse"],
            "Operations": (0..many).map(done).collect::<Vec<_>>()})
    }),
    ("schemas with attributes", |many| {
        let attribute =
            |number| json!({"name": format!("a{number}"), "type": "string", "multiValued": false});
        let attributes: Vec<Value> = (0..many).map(attribute).collect();
        list(vec![json!({"id": USER, "name": "User", "attributes": attributes})])
    }),
    ("objects in each other", |many| {
        (0..many / 60).map(|_| (0..60).fold(json!("deep"), |inner, _| json!({"value": [inner]}))).collect()
    }),
];

const USER: &str = "urn:ietf:params:scim:schemas:core:2.0:User";

fn user() -> Value {
    json!({"schemas": [USER], "id": "u1", "userName": "n", "meta": {"resourceType": "User",
        "location": "http://127.0.0.1/Users/u1"}})
}

fn list(rows: Vec<Value>) -> Value {
    json!({"schemas": ["urn:ietf:params:scim:api:messages:2.0:ListResponse"], "totalResults": rows.len(), "startIndex": 1,
        "itemsPerPage": rows.len(), "Resources": rows})
}

fn with(mut resource: Value, name: &str, value: impl Fn(usize) -> Value, many: usize) -> Value {
    resource[name] = (0..many).map(value).collect();
    resource
}

impl Recorded {
    /// What takes longer than `patience` to judge of an answer with so many of something: an expectation or a rule, and how
    /// long.
    pub fn slow(&self, many: usize, patience: Duration) -> Vec<String> {
        let mut slow = Vec::new();
        let mut tried = BTreeSet::new();
        let (schemas, capabilities) = (&self.probe.schemas, &self.probe.capabilities);
        for (what, body) in LARGE {
            let bytes = Bytes::from(body(many).to_string());
            for judged in &self.judged {
                // One of each kind of expectation is enough.
                let kind = format!("{what} {:?}", std::mem::discriminant(&judged.expect.list));
                let kind = format!(
                    "{kind} {} {}",
                    judged.expect.becomes.is_some(),
                    judged.expect.resource.is_some()
                );
                let kind =
                    format!("{kind} {} {}", judged.expect.body.is_some(), judged.expect.checks.len().min(2));
                let kind = format!("{kind} {:?}", judged.exchange.request.endpoint);
                if !tried.insert(kind) {
                    continue;
                }
                let mut exchange = judged.exchange.clone();
                let Ok(response) = &mut exchange.answer else { continue };
                response.body = Body::whole(bytes.clone());
                let clock = Instant::now();
                self.judge(judged, &exchange, Reading::Lenient, schemas, capabilities);
                if clock.elapsed() > patience {
                    eprintln!("{many} {what}: {}: {:?}", judged.id, clock.elapsed());
                    slow.push(format!("{many} {what}: {}: {:?}", judged.id, clock.elapsed()));
                }
            }
            self.slow_rules(what, &bytes, patience, &mut slow);
        }
        slow
    }

    fn slow_rules(&self, what: &str, bytes: &Bytes, patience: Duration, slow: &mut Vec<String>) {
        let mut around: Vec<Exchange> = Vec::new();
        for wanted in ["/Users/{id}", "/Users", "/Groups/{id}", "/Groups", "/Schemas", "/Bulk"] {
            let found =
                self.exchanges.iter().filter(|it| it.request.endpoint == wanted && it.status() < Some(203));
            for known in found.take(4) {
                let mut exchange = Exchange::clone(known);
                if let Ok(response) = &mut exchange.answer {
                    response.body = Body::whole(bytes.clone());
                }
                around.push(exchange);
            }
        }
        let definitions = Definitions::of(&self.probe.schemas);
        let (history, pairs) = (History::of(&around), Pairs::of(&around));
        let context = RuleContext {
            level: Level::Must,
            spec: &[],
            place: None,
            definitions: &definitions,
            history: &history,
            capabilities: &self.probe.capabilities,
            reading: Reading::Strict,
            mutes: &BTreeMap::new(),
            pairs: &pairs,
            validated: None,
        };
        for rule in RULES {
            let clock = Instant::now();
            judge_all(rule, &around, &context);
            if clock.elapsed() > patience {
                eprintln!("{what}: {} on {}: {:?}", rule.name, around.len(), clock.elapsed());
                slow.push(format!("{what}: {} on {}: {:?}", rule.name, around.len(), clock.elapsed()));
            }
        }
    }
}
