//! A constructed run with one outcome of each kind, for the tests of the reports.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use super::mask::Ours;
use super::model::*;
use crate::outcome::*;
use crate::readiness::{Behind, FeatureReadiness, Readiness};
use crate::suite::model::Auth;
use crate::target::exchange::*;

const USER: &str = "urn:ietf:params:scim:schemas:core:2.0:User";
const BASE: &str = "http://localhost:8080/scim/v2";

pub(crate) fn started() -> DateTime<Utc> {
    DateTime::parse_from_rfc3339("2026-11-20T08:15:00Z").unwrap().to_utc()
}

pub(crate) fn exchange(
    id: u64,
    method: &str,
    path: &str,
    sent: Option<Value>,
    status: u16,
    came: &[u8],
) -> Arc<Exchange> {
    let endpoint = match path.split('?').next().unwrap() {
        path if path.matches('/').count() > 1 => format!("{}/{{id}}", &path[..path.rfind('/').unwrap()]),
        path => path.to_owned(),
    };
    let mut headers = vec![
        ("Accept".to_owned(), "application/scim+json".to_owned()),
        ("Authorization".to_owned(), "***".to_owned()),
        ("User-Agent".to_owned(), "scimspec/0.1.0".to_owned()),
    ];
    if sent.is_some() {
        headers.push(("Content-Type".to_owned(), "application/scim+json".to_owned()));
    }
    Arc::new(Exchange {
        id: ExchangeId(id),
        origin: "sample".to_owned(),
        reason: None,
        request: Request {
            method: method.to_owned(),
            url: format!("{BASE}{path}"),
            path: path.to_owned(),
            endpoint,
            auth: Auth::Good,
            headers,
            body: sent.map(|sent| Bytes::from(sent.to_string())),
        },
        answer: Ok(Response {
            status,
            headers: vec![
                ("Content-Type".to_owned(), "application/scim+json".to_owned()),
                ("Date".to_owned(), "Fri, 20 Nov 2026 08:15:00 GMT".to_owned()),
                ("Server".to_owned(), "example/1.2".to_owned()),
            ],
            body: Body::whole(Bytes::copy_from_slice(came)),
            repeats_secret: false,
        }),
        started: started(),
        elapsed: Duration::from_millis(12),
    })
}

fn user(name: &str, id: &str, more: &Value) -> Value {
    let mut user = json!({
        "schemas": [USER], "id": id, "userName": name,
        "name": {"givenName": "Ann", "familyName": "Lee"},
        "meta": {"resourceType": "User", "location": format!("{BASE}/Users/{id}"),
            "created": "2026-11-20T08:15:00Z", "lastModified": "2026-11-20T08:15:00Z"},
    });
    for (name, member) in more.as_object().unwrap() {
        user[name] = member.clone();
    }
    user
}

pub(crate) fn finding(check: &str, message: &str, expected: &str, actual: &str, exchange: u64) -> Finding {
    Finding {
        check: check.to_owned(),
        level: Level::Must,
        severity: Severity::Failure,
        requirements: vec!["RFC7644-3.3-11".to_owned()],
        message: message.to_owned(),
        expected: expected.to_owned(),
        actual: actual.to_owned(),
        differences: Vec::new(),
        exchange: Some(ExchangeId(exchange)),
        place: Some(Place { file: "suites/rfc7644/3.3-create.yaml".to_owned(), line: 41, column: 17 }),
        signature: Signature {
            check: check.to_owned(),
            method: "POST".to_owned(),
            endpoint: "/Users".to_owned(),
            expected: "status 409".to_owned(),
            actual: "status 201".to_owned(),
        },
        snapshot: None,
    }
}

pub(crate) fn outcome(id: &str, title: &str, verdict: Verdict, exchanges: &[u64]) -> Outcome {
    let (suite, _) = id.split_once('/').unwrap();
    Outcome {
        id: id.to_owned(),
        suite: suite.to_owned(),
        title: title.to_owned(),
        level: Level::Must,
        spec: vec!["RFC7644-3.3-11".to_owned()],
        tags: vec!["create".to_owned()],
        place: Place { file: format!("suites/rfc7644/{suite}.yaml"), line: 31, column: 5 },
        verdict,
        findings: Vec::new(),
        exchanges: exchanges.iter().map(|id| ExchangeId(*id)).collect(),
        duration_ms: 17 * exchanges.len() as u64,
        consequence: None,
        hint: None,
        notes: Vec::new(),
        baseline: None,
    }
}

fn difference(path: &str, expected: &str, actual: &str) -> Difference {
    Difference { path: path.to_owned(), expected: expected.to_owned(), actual: actual.to_owned() }
}

/// A status that is wrong: the server accepts a second user of the same name.
pub(crate) fn status_failure() -> Outcome {
    Outcome {
        findings: vec![finding(
            "status",
            "a second user with the same userName was created",
            "status 409",
            "status 201",
            2,
        )],
        consequence: Some(
            "Okta links the person to the second account, and deactivates the wrong one when the person leaves."
                .to_owned(),
        ),
        hint: Some("Compare userName without regard to case before storing a user, and answer 409 with scimType uniqueness.".to_owned()),
        ..outcome(
            "create/duplicate-user-name",
            "a second user with the same userName is refused with 409 and scimType uniqueness",
            Verdict::Failed,
            &[1, 2],
        )
    }
}

/// A resource that is not what it should be, in three places.
pub(crate) fn body_failure() -> Outcome {
    let mut wrong = finding(
        "becomes",
        "PATCH replace on a value filter changed more than the matching element",
        "the user as it was, with emails[type eq \"work\"] replaced",
        "3 members differ",
        5,
    );
    wrong.requirements = vec!["RFC7644-3.5.2.3-08".to_owned()];
    wrong.place = Some(Place { file: "suites/rfc7644/3.5.2-patch.yaml".to_owned(), line: 88, column: 11 });
    wrong.differences = vec![
        difference(
            "emails[type eq \"work\"].value",
            "\"new-sk3x9q@example.com\"",
            "\"ann-sk3x9q@example.com\"",
        ),
        difference("active", "true", "absent"),
        difference(
            "emails",
            r#"[{"type":"work","value":"new-sk3x9q@example.com","primary":true},{"type":"home","value":"home-sk3x9q@example.com"}]"#,
            r#"[{"type":"work","value":"ann-sk3x9q@example.com","primary":true},{"type":"home","value":"new-sk3x9q@example.com"}]"#,
        ),
    ];
    Outcome {
        findings: vec![wrong],
        spec: vec!["RFC7644-3.5.2.3-08".to_owned()],
        ..outcome(
            "patch/replace-by-value-filter[work]",
            "replace on a value filter changes the matching element only",
            Verdict::Failed,
            &[3, 4, 5],
        )
    }
}

/// A list with a row that is not ours and does not belong there.
pub(crate) fn list_failure() -> Outcome {
    let mut wrong = finding(
        "list.foreign",
        "the list holds users that do not match the filter",
        "only users with userName eq \"ann-sk3x9q@example.com\"",
        "2 other users, such as \"eve@corp.example\"",
        6,
    );
    wrong.requirements = vec!["RFC7644-3.4.2.2-01".to_owned()];
    Outcome {
        findings: vec![wrong],
        spec: vec!["RFC7644-3.4.2.2-01".to_owned()],
        ..outcome(
            "query/by-user-name",
            "a filter on userName returns the user of that name",
            Verdict::Failed,
            &[6],
        )
    }
}

/// A recommendation that is not kept.
pub(crate) fn warning() -> Outcome {
    let mut odd = finding(
        "header",
        "the answer to a create has no Location header",
        "header Location: the URL of the new user",
        "no header Location",
        1,
    );
    odd.severity = Severity::Warning;
    odd.level = Level::Should;
    odd.requirements = vec!["RFC7644-3.3-05".to_owned()];
    Outcome {
        level: Level::Should,
        findings: vec![odd],
        spec: vec!["RFC7644-3.3-05".to_owned()],
        ..outcome(
            "create/location",
            "a create answers with the Location of the new resource",
            Verdict::Warned,
            &[1],
        )
    }
}

/// A case that could not be judged.
pub(crate) fn errored() -> Outcome {
    outcome(
        "delete/then-read",
        "a deleted user is gone",
        Verdict::Errored { cause: ErrorCause::Transport { detail: "no answer within 30 s".to_owned() } },
        &[7, 8],
    )
}

fn skipped(id: &str, reason: SkipReason) -> Outcome {
    outcome(id, "a skipped case", Verdict::Skipped { reason }, &[])
}

/// The exchanges of the outcomes above.
pub(crate) fn exchanges() -> Vec<Arc<Exchange>> {
    let ann = "ann-sk3x9q@example.com";
    let mail = |work: &str, home: &str| json!({"emails": [{"type": "work", "value": work, "primary": true}, {"type": "home", "value": home}]});
    let new = json!({"schemas": [USER], "userName": ann, "name": {"givenName": "Ann", "familyName": "Lee"}});
    let patch = json!({"schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"], "Operations": [
        {"op": "replace", "path": "emails[type eq \"work\"].value", "value": "new-sk3x9q@example.com"}]});
    let mut before = mail(ann, "home-sk3x9q@example.com");
    before["active"] = json!(true);
    let after = mail(ann, "new-sk3x9q@example.com");
    let list = json!({"schemas": ["urn:ietf:params:scim:api:messages:2.0:ListResponse"], "totalResults": 3, "startIndex": 1,
    "itemsPerPage": 3, "Resources": [
        user(ann, "u1", &json!({})),
        user("eve@corp.example", "9001", &json!({"active": false, "title": "Head of Payroll"})),
        user("bob@corp.example", "9002", &json!({"phoneNumbers": [{"value": "+49 30 1234567"}]})),
    ]});
    let mut timed_out = (*exchange(8, "GET", "/Users/u1", None, 200, b"")).clone();
    timed_out.answer = Err(TransportFailure::TimedOut { limit: Duration::from_secs(30) });
    timed_out.elapsed = Duration::from_secs(30);
    vec![
        exchange(
            1,
            "POST",
            "/Users",
            Some(new.clone()),
            201,
            user(ann, "u1", &json!({})).to_string().as_bytes(),
        ),
        exchange(2, "POST", "/Users", Some(new), 201, user(ann, "u2", &json!({})).to_string().as_bytes()),
        exchange(3, "GET", "/Users/u1", None, 200, user(ann, "u1", &before).to_string().as_bytes()),
        exchange(4, "PATCH", "/Users/u1", Some(patch), 204, b""),
        exchange(5, "GET", "/Users/u1", None, 200, user(ann, "u1", &after).to_string().as_bytes()),
        exchange(
            6,
            "GET",
            "/Users?filter=userName%20eq%20%22ann-sk3x9q%40example.com%22",
            None,
            200,
            list.to_string().as_bytes(),
        ),
        exchange(7, "DELETE", "/Users/u1", None, 204, b""),
        Arc::new(timed_out),
        exchange(9, "GET", "/ServiceProviderConfig", None, 200, b"{}"),
    ]
}

fn requirement(id: &str) -> Option<RequirementText> {
    let (level, sentence, section) = match id {
        "RFC7644-3.3-11" => (
            Level::Must,
            "A create that conflicts with existing resources (e.g. duplicate userName) fails with 409 and scimType uniqueness.",
            "3.3",
        ),
        "RFC7644-3.5.2.3-08" => (
            Level::Must,
            "A replace whose path has a value filter replaces the matching elements only.",
            "3.5.2.3",
        ),
        "RFC7644-3.4.2.2-01" => {
            (Level::Must, "A filter returns the resources that match it, and no others.", "3.4.2.2")
        }
        "RFC7644-3.3-05" => {
            (Level::Should, "The answer to a create carries the Location of the new resource.", "3.3")
        }
        _ => return None,
    };
    Some(RequirementText {
        level,
        sentence: sentence.to_owned(),
        link: format!("https://www.rfc-editor.org/rfc/rfc7644#section-{section}"),
    })
}

pub(crate) fn outcomes() -> Vec<Outcome> {
    let sort = || SkipReason::Capability {
        needs: "sort".to_owned(),
        evidence: "ServiceProviderConfig.sort.supported = false".to_owned(),
    };
    vec![
        outcome("create/minimal-user", "a user is created from userName alone", Verdict::Passed, &[1]),
        status_failure(),
        warning(),
        body_failure(),
        list_failure(),
        errored(),
        skipped("query/sort-by-user-name", sort()),
        skipped("query/sort-descending", sort()),
        skipped("bulk/too-many", SkipReason::NeedsAllow { permission: "disruptive".to_owned() }),
    ]
}

/// The report of a run with these outcomes and exchanges.
pub(crate) fn report_of(outcomes: &[Outcome], exchanges: &[Arc<Exchange>], deny_warnings: bool) -> RunReport {
    let ours = Ours { ids: ["u1".to_owned(), "u2".to_owned()].into(), mark: "sk3x9q".to_owned() };
    let mut report = Run {
        suites: "5f2a".to_owned(),
        target: TargetIdentity {
            base_url: BASE.to_owned(),
            embedded: false,
            product: Some("example/1.2".to_owned()),
            documentation: None,
            credentials: CredentialNames::Bearer { variable: "SCIM_TOKEN".to_owned() },
            headers: Vec::new(),
            access: Default::default(),
        },
        profile: "rfc".to_owned(),
        reading: Reading::Lenient,
        deny_warnings,
        seed: 7,
        ours: &ours,
        started: started(),
        duration: Duration::from_millis(31_240),
        arguments: vec![BASE.to_owned(), "--token-env".to_owned(), "SCIM_TOKEN".to_owned()],
        capabilities: vec![CapabilityEvidence {
            name: "sort".to_owned(),
            claimed: Some(false),
            evidence: "ServiceProviderConfig.sort.supported = false".to_owned(),
        }],
        outcomes,
        exchanges,
        requests: 14,
        keep: Keep::Evidence,
        requirement: &requirement,
        clean_up: CleanUpRecord {
            deleted: 2,
            already_gone: 1,
            left_behind: vec![LeftBehind {
                path: "/Users/u2".to_owned(),
                why: "DELETE answered 500".to_owned(),
            }],
        },
        interrupted: false,
        deviations: Vec::new(),
        settling: None,
        readiness: Vec::new(),
        client: None,
        require_core: false,
        narrowed: false,
        baseline: None,
        fuzz: None,
    }
    .report();
    // The snapshots stand whatever the version is.
    report.harness.version = "1.2.3".to_owned();
    report
}

/// The report of the whole sample.
pub(crate) fn report() -> RunReport {
    report_of(&outcomes(), &exchanges(), false)
}

/// One outcome of each kind that a baseline makes: known, mended, half mended, broken in a new way, expired.
pub(crate) fn held_to_a_baseline() -> Vec<Outcome> {
    let tolerance = |reason: &str| Tolerance {
        reason: reason.to_owned(),
        issue: Some("SCIM-12".to_owned()),
        until: Some(started().date_naive()),
        ..Tolerance::default()
    };
    let known = |outcome: &Outcome, at: usize| vec![outcome.findings[at].fingerprint(&outcome.id)];
    let as_known = |id: &str, verdict| {
        let outcome = Outcome { id: id.to_owned(), verdict, ..status_failure() };
        let known = known(&outcome, 0);
        Outcome { baseline: Some(Tolerance { known, ..tolerance("mended with release 4.2") }), ..outcome }
    };
    let mended = Outcome {
        baseline: Some(Tolerance {
            gone: vec!["status: DELETE /Users/{id}, status 200 instead of status 204".to_owned()],
            ..tolerance("mended with release 4.2")
        }),
        ..outcome("delete/mended", "a delete answers 204", Verdict::UnexpectedPass, &[1])
    };
    let mut half = as_known("create/half-mended", Verdict::UnexpectedPass);
    half.baseline.as_mut().unwrap().gone = vec!["header: POST /Users, no header Location".to_owned()];
    let mut new = list_failure();
    let old = finding("status", "the list answers 203", "status 200", "status 203", 6);
    new.findings.push(old);
    let (is_new, is_known) = (known(&new, 0), known(&new, 1));
    new.baseline = Some(Tolerance { new: is_new, known: is_known, ..tolerance("203 is the gateway's") });
    let mut expired = as_known("create/expired", Verdict::Failed);
    expired.baseline.as_mut().unwrap().expired = true;
    vec![
        outcome("create/minimal-user", "a user is created from userName alone", Verdict::Passed, &[1]),
        as_known("create/known", Verdict::KnownFailure),
        as_known("create/known-too", Verdict::KnownFailure),
        mended,
        half,
        new,
        expired,
    ]
}

/// What the features of a client's profile came to, one of each kind.
pub(crate) fn features() -> Vec<FeatureReadiness> {
    let row = |feature: &str, title: &str, core, readiness, why: &str, cases| FeatureReadiness {
        feature: feature.to_owned(),
        title: title.to_owned(),
        core,
        readiness,
        why: why.to_owned(),
        cases,
    };
    let ids = |ids: &[&str]| ids.iter().map(|id| (*id).to_owned()).collect::<Vec<_>>();
    let failed = Behind {
        failed: ids(&["create/duplicate-user-name", "query/by-user-name"]),
        passed: ids(&["create/minimal-user"]),
        ..Behind::default()
    };
    let warned = Behind { warned: ids(&["create/location"]), ..Behind::default() };
    let passed = Behind { passed: ids(&["read/by-id"]), ..Behind::default() };
    let errored = Behind { unjudged: ids(&["delete/then-read"]), ..Behind::default() };
    let skipped =
        Behind { skipped: ids(&["query/sort-by-user-name", "query/sort-descending"]), ..Behind::default() };
    vec![
        row("connect", "Test the credentials", true, Readiness::Ready, "", passed),
        row("import", "Import people", true, Readiness::ReadyWithWarnings, "its only case warned", warned),
        row("create", "Create people", true, Readiness::NotReady, "2 of 3 cases failed", failed),
        row("delete", "Delete people", false, Readiness::NotTested, "errored (transport)", errored),
        row(
            "sort",
            "Sort",
            false,
            Readiness::NotTested,
            "needs sort: ServiceProviderConfig.sort.supported = false",
            skipped,
        ),
    ]
}
