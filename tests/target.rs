//! The client against a server that misbehaves: nothing hangs, nothing panics, nothing of others is touched, no
//! secret is shown, and each kind of trouble has its name.

mod hostile;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use futures_util::{StreamExt, stream};
use hostile::{Act, Behaviour, Directory, Hostile, answer, error, tls_server};
use scimspec::outcome::Exit;
use scimspec::suite::model::{Auth, Capability};
use scimspec::target::exchange::{BodyProblem, Exchange, TransportFailure};
use scimspec::target::failure::hint;
use scimspec::target::probe::{ProbeError, probe};
use scimspec::target::{
    Created, Credentials, LedgerLocation, Leftovers, Limits, Refusal, RequestPlan, Sent, Target, TargetError,
    TargetOptions,
};
use serde_json::{Value, json};

const MARK: &str = "s0mark123";
const TOKEN: &str = "tOp-s3cret/t0ken+==";

fn limits() -> Limits {
    Limits {
        connect: Duration::from_secs(2),
        request: Duration::from_millis(400),
        body: 1 << 20,
        log: 64 << 20,
        repeats: 2,
        retry_after: Duration::from_secs(1),
        back_off: Duration::from_millis(10),
        grace: Duration::from_millis(100),
    }
}

fn options(server: &Hostile) -> TargetOptions {
    TargetOptions {
        limits: limits(),
        auth: Credentials::bearer(TOKEN).unwrap(),
        ..TargetOptions::new(server.base_url(), MARK)
    }
}

fn target(server: &Hostile) -> Target {
    Target::new(options(server)).unwrap()
}

async fn get(target: &Target, path: &str) -> Sent {
    target.send(RequestPlan::get(path, "test")).await.unwrap()
}

fn create(endpoint: &str, body: &Value) -> RequestPlan {
    RequestPlan::new("POST", endpoint, "test").json(body)
}

fn user(number: u32) -> Value {
    json!({"schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"],
        "userName": format!("{MARK}-{number}@example.com")})
}

async fn make(target: &Target, endpoint: &str, body: &Value) -> String {
    match target.send(create(endpoint, body)).await.unwrap().created {
        Some(Created::Owned { id, .. }) => id,
        other => panic!("not ours: {other:?}"),
    }
}

fn directory() -> (Arc<Directory>, Hostile) {
    let directory = Arc::new(Directory::default());
    let serving = Arc::clone(&directory);
    (directory, Hostile::scripted(move |request| serving.act(request)))
}

// --- bounded -------------------------------------------------------------------------------------------

/// Every behaviour in turn, several at once, since many of them do nothing but wait.
async fn each_behaviour(check: impl AsyncFn(Behaviour)) {
    stream::iter(Behaviour::ALL).for_each_concurrent(9, |behaviour| check(behaviour)).await;
}

#[tokio::test]
async fn no_behaviour_hangs_or_panics_and_memory_is_bounded() {
    each_behaviour(async |behaviour| {
        let server = Hostile::start(behaviour);
        let target = target(&server);
        let before = Instant::now();
        let sent = get(&target, "/Users").await;
        assert!(before.elapsed() < Duration::from_secs(6), "{behaviour:?} took {:?}", before.elapsed());
        if let Some(response) = sent.exchange.response() {
            assert!(response.body.bytes().len() <= limits().body, "{behaviour:?}");
        }
        let posted = target.send(create("/Users", &user(1))).await.unwrap();
        assert!(
            !matches!(posted.created, Some(Created::Owned { .. })),
            "{behaviour:?} made us own something"
        );
        assert!(!format!("{:?}", target.exchanges()).contains(TOKEN), "{behaviour:?}");
    })
    .await;
}

#[tokio::test]
async fn trouble_before_the_answer_has_its_name() {
    for (behaviour, expected) in [
        (Behaviour::Hang, "timed out"),
        (Behaviour::DripHead, "timed out"),
        (Behaviour::CloseAfterAccept, "closed"),
        (Behaviour::CloseBeforeAnswer, "closed"),
        (Behaviour::NotHttp, "not http"),
        (Behaviour::HugeHeaders, "not http"),
        (Behaviour::ManyHeaders, "not http"),
        (Behaviour::ControlByteInHeader, "not http"),
    ] {
        let server = Hostile::start(behaviour);
        let sent = get(&target(&server), "/Users").await;
        let failure = sent.exchange.answer.as_ref().unwrap_err();
        let actual = match failure {
            TransportFailure::TimedOut { limit } => {
                assert_eq!(*limit, limits().request);
                "timed out"
            }
            TransportFailure::Closed { .. } => "closed",
            TransportFailure::NotHttp { .. } => "not http",
            _ => "something else",
        };
        assert_eq!(actual, expected, "{behaviour:?}: {failure}");
        assert!(!hint(failure).is_empty());
    }
}

#[tokio::test]
async fn a_server_that_is_not_there_refuses_the_connection() {
    let server = Hostile::start(Behaviour::Hang);
    let gone = options(&server);
    let port = server.port();
    drop(server);
    // The port is free again once its listener is gone; wait for that.
    for _ in 0..100 {
        if std::net::TcpStream::connect(("127.0.0.1", port)).is_err() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let sent = get(&Target::new(gone).unwrap(), "/Users").await;
    let failure = sent.exchange.answer.as_ref().unwrap_err();
    assert!(matches!(failure, TransportFailure::Connect { .. }), "{failure:?}");
    assert!(failure.to_string().contains(&format!("127.0.0.1:{port}")), "{failure}");
}

#[tokio::test]
async fn a_name_that_does_not_resolve_is_told_from_a_server_that_is_down() {
    let mut options = TargetOptions::new("http://no-such-host.invalid/scim".parse().unwrap(), MARK);
    options.limits.connect = Duration::from_secs(20);
    let sent = get(&Target::new(options).unwrap(), "/Users").await;
    let failure = sent.exchange.answer.as_ref().unwrap_err();
    let TransportFailure::Resolve { host, .. } = failure else { panic!("{failure:?}") };
    assert_eq!(host, "no-such-host.invalid");
    assert!(hint(failure).contains("no-such-host.invalid"));
}

#[tokio::test]
async fn trouble_in_the_body_has_its_name() {
    for behaviour in [
        Behaviour::Drip,
        Behaviour::Endless,
        Behaviour::GzipBomb,
        Behaviour::LyingEncoding,
        Behaviour::InvalidJson,
        Behaviour::DeepNesting,
        Behaviour::InvalidUtf8,
        Behaviour::CloseMidBody,
        Behaviour::NoContent,
    ] {
        let server = Hostile::start(behaviour);
        let sent = get(&target(&server), "/Users").await;
        let response =
            sent.exchange.response().unwrap_or_else(|| panic!("{behaviour:?}: {:?}", sent.exchange.answer));
        let problem = response.body.json().unwrap_err();
        let right = match behaviour {
            Behaviour::Drip | Behaviour::CloseMidBody => {
                matches!(problem, BodyProblem::CutOff { received, .. } if *received > 0)
            }
            Behaviour::Endless | Behaviour::GzipBomb => {
                *problem == BodyProblem::TooLarge { limit: limits().body }
                    && response.body.bytes().len() == limits().body
            }
            Behaviour::LyingEncoding => matches!(problem, BodyProblem::Compression { .. }),
            Behaviour::InvalidJson => matches!(problem, BodyProblem::NotJson { .. }),
            Behaviour::DeepNesting => *problem == BodyProblem::TooDeep,
            Behaviour::InvalidUtf8 => *problem == BodyProblem::NotUtf8 { offset: 7 },
            _ => *problem == BodyProblem::Empty,
        };
        assert!(right, "{behaviour:?}: {problem:?}");
    }
}

#[tokio::test]
async fn odd_but_whole_answers_are_read() {
    let server = Hostile::start(Behaviour::DuplicateKeys);
    assert_eq!(get(&target(&server), "/Users").await.exchange.json().unwrap()["id"], "2");
    let server = Hostile::start(Behaviour::Unprintable);
    let sent = get(&target(&server), "/Users").await;
    assert_eq!(sent.exchange.response().unwrap().header("x-odd"), Some("caf\\xE9 \\xFF"));
    assert!(sent.exchange.json().unwrap().as_str().unwrap().contains("]]>"));
}

#[tokio::test]
async fn a_time_out_covers_head_and_body_together() {
    let server = Hostile::start(Behaviour::Drip);
    let before = Instant::now();
    get(&target(&server), "/Users").await;
    assert!(before.elapsed() < limits().request * 2, "{:?}", before.elapsed());
}

/// A target whose answers are long, with a log that few of them fit into.
fn with_a_small_log() -> (Hostile, Target) {
    let server = Hostile::scripted(|_| Act::json(200, &json!({"text": "x".repeat(10_000)})));
    let mut options = options(&server);
    options.limits.log = 200_000;
    let target = Target::new(options).unwrap();
    (server, target)
}

#[tokio::test]
async fn the_log_keeps_within_its_limit() {
    let (_server, target) = with_a_small_log();
    for _ in 0..10 {
        assert_eq!(get(&target, "/Users").await.exchange.status(), Some(200));
    }
    let kept = target.exchanges();
    assert!(!kept.is_empty() && kept.len() < 10, "{}", kept.len());
    assert_eq!(kept.len() as u64 + target.exchanges_dropped(), 10);
    assert_eq!(target.exchange(kept[0].id).unwrap().id, kept[0].id);
}

#[tokio::test]
async fn what_nobody_holds_is_let_go_of_and_makes_room() {
    let (_server, target) = with_a_small_log();
    let before = get(&target, "/Users").await.exchange.id;
    let first = target.next_exchange();
    let mut held = Vec::new();
    for number in 0..20 {
        let sent = get(&target, "/Users").await;
        if number % 10 == 9 {
            held.push(sent.exchange);
        } else {
            drop(sent);
        }
        target.let_go(first);
    }
    let kept: Vec<_> = target.exchanges().iter().map(|exchange| exchange.id).collect();
    assert_eq!(kept, [before, held[0].id, held[1].id]);
    assert_eq!(target.exchanges_dropped(), 0);
    assert_eq!(target.exchange(held[1].id).unwrap().id, held[1].id);
    drop(held);
    target.let_go(first);
    assert_eq!(target.exchanges().len(), 1);
}

// --- redirects and credentials --------------------------------------------------------------------------

#[tokio::test]
async fn credentials_never_reach_another_origin() {
    let (_, elsewhere) = directory();
    let location = format!("http://127.0.0.1:{}/scim/v2/Users", elsewhere.port());
    for status in [301, 302, 303, 307, 308] {
        let to = location.clone();
        let server = Hostile::scripted(move |_| Act::Bytes(answer(status, &[("Location", &to)], b"")));
        let target = target(&server);
        assert_eq!(get(&target, "/Users").await.exchange.status(), Some(status));
        let posted = target.send(create("/Users", &user(1))).await.unwrap();
        assert_eq!(posted.exchange.status(), Some(status));
    }
    assert_eq!(elsewhere.connections(), 0);
}

#[tokio::test]
async fn a_redirect_within_the_base_url_is_followed_as_exchanges_of_its_own() {
    let server = Hostile::scripted(|request| match request.path.as_str() {
        "/scim/v2/Users" => Act::Bytes(answer(308, &[("Location", "/scim/v2/Users/")], b"")),
        "/scim/v2/Users/" if request.method == "GET" => Act::json(200, &json!({"Resources": []})),
        "/scim/v2/Users/" => {
            let mut made = request.json();
            made["id"] = json!("1");
            Act::json(201, &made)
        }
        _ => Act::Bytes(answer(302, &[("Location", "/login")], b"")),
    });
    let target = target(&server);
    let sent = get(&target, "/Users").await;
    assert_eq!(sent.exchange.status(), Some(200));
    assert_eq!(sent.also.len(), 1);
    assert_eq!(sent.also[0].status(), Some(308));
    let posted = target.send(create("/Users", &user(1))).await.unwrap();
    assert!(matches!(posted.created, Some(Created::Owned { .. })), "{:?}", posted.created);
    // Outside of the base URL the answer is what it is.
    assert_eq!(get(&target, "/Groups").await.exchange.status(), Some(302));
    assert!(!server.lines().iter().any(|line| line.contains("login")));
}

#[tokio::test]
async fn a_redirect_cannot_turn_a_write_to_somebody_elses_resource() {
    let server = Hostile::scripted(|request| match (request.method.as_str(), request.path.as_str()) {
        ("POST", _) => {
            let mut made = request.json();
            made["id"] = json!("ours");
            Act::json(201, &made)
        }
        (_, "/scim/v2/Users/ours") => Act::Bytes(answer(307, &[("Location", "/scim/v2/Users/theirs")], b"")),
        _ => Act::json(200, &json!({})),
    });
    let target = target(&server);
    let id = make(&target, "/Users", &user(1)).await;
    // The first create is read back, and a read may be redirected.
    let before = server.lines().len();
    let sent = target.send(RequestPlan::new("DELETE", format!("/Users/{id}"), "test")).await.unwrap();
    assert_eq!(sent.exchange.status(), Some(307));
    assert!(!server.lines()[before..].iter().any(|line| line.contains("theirs")), "{:?}", server.lines());
}

#[tokio::test]
async fn redirects_end() {
    let server = Hostile::scripted(|request| {
        let to = format!("{}x", request.path);
        Act::Bytes(answer(307, &[("Location", &to)], b""))
    });
    let sent = get(&target(&server), "/Users").await;
    assert_eq!(sent.exchange.status(), Some(307));
    assert_eq!(server.received().len(), 4);
}

// --- secrets --------------------------------------------------------------------------------------------

#[tokio::test]
async fn no_secret_survives_an_echo() {
    let secret = "hunter2-hunter2";
    let given = [
        Credentials::bearer(TOKEN).unwrap(),
        Credentials::basic("admin", secret).unwrap(),
        Credentials::header(&format!("X-Api-Key: {secret}")).unwrap(),
    ];
    for credentials in given {
        let server = Hostile::scripted(|request| {
            let all: Vec<String> =
                request.headers.iter().map(|(name, value)| format!("{name}: {value}")).collect();
            let sent = request.header("authorization").or(request.header("x-api-key")).unwrap_or_default();
            let bare = sent.rsplit(' ').next().unwrap_or_default().to_owned();
            let mut plain = bare.clone();
            if let Some(pair) = STANDARD.decode(&bare).ok().and_then(|pair| String::from_utf8(pair).ok()) {
                plain = pair;
            }
            let body =
                json!({"headers": all, "token": bare, "plain": plain, "base64": STANDARD.encode(&bare)});
            let headers = [("X-Echo", sent), ("WWW-Authenticate", &format!("Bearer error=\"{bare}\""))];
            Act::Bytes(answer(401, &headers, body.to_string().as_bytes()))
        });
        let mut options = options(&server);
        let scheme = credentials.scheme();
        options.auth = credentials;
        options.headers = vec![("X-Tenant-Secret".to_owned(), "another-secret-value".to_owned())];
        let target = Target::new(options).unwrap();
        let sent = get(&target, &format!("/Users?filter={TOKEN}")).await;
        let shown = format!("{:?} {:?}", target, sent);
        let body = sent.exchange.response().unwrap().body.text();
        for form in [TOKEN, secret, &STANDARD.encode(format!("admin:{secret}")), "another-secret-value"] {
            let other = scheme == "bearer" && form == secret || scheme != "bearer" && form == TOKEN;
            assert!(other || !shown.contains(form), "{scheme}: {form} in {shown}");
            assert!(other || !body.contains(form), "{scheme}: {form} in {body}");
        }
        assert!(body.contains("***"), "{body}");
        // The server did get them.
        let received = &server.received()[0];
        assert!(received.header("authorization").or(received.header("x-api-key")).is_some());
        assert_eq!(received.header("x-tenant-secret"), Some("another-secret-value"));
    }
}

#[tokio::test]
async fn whose_credentials_a_request_carries() {
    let (_, server) = directory();
    let mut options = options(&server);
    options.second = Some(Credentials::bearer("second-token").unwrap());
    let target = Target::new(options).unwrap();
    for auth in [Auth::Good, Auth::None, Auth::Bad, Auth::Second] {
        let mut plan = RequestPlan::get("/Users", "test");
        plan.auth = auth;
        target.send(plan).await.unwrap();
    }
    let carried: Vec<Option<String>> =
        server.received().iter().map(|request| request.header("authorization").map(str::to_owned)).collect();
    assert_eq!(carried[0], Some(format!("Bearer {TOKEN}")));
    assert_eq!(carried[1], None);
    let wrong = carried[2].clone().unwrap();
    assert!(wrong.starts_with("Bearer ") && !wrong.contains(TOKEN), "{wrong}");
    assert_eq!(carried[3].as_deref(), Some("Bearer second-token"));
    let shown: Vec<Option<String>> = target
        .exchanges()
        .iter()
        .map(|exchange| exchange.request.header("Authorization").map(str::to_owned))
        .collect();
    assert_eq!(shown, [Some("***".to_owned()), None, Some(wrong), Some("***".to_owned())]);
}

#[tokio::test]
async fn headers_can_be_replaced_and_taken_away_and_are_shown_as_sent() {
    let (_, server) = directory();
    let target = target(&server);
    let mut plan = create("/Users", &user(1));
    plan.headers = vec![
        ("content-type".to_owned(), Some("text/plain".to_owned())),
        ("Accept".to_owned(), None),
        ("X-New".to_owned(), Some("1".to_owned())),
    ];
    let sent = target.send(plan).await.unwrap();
    let received = &server.received()[0];
    for name in ["Content-Type", "Accept", "X-New", "User-Agent"] {
        assert_eq!(received.header(name), sent.exchange.request.header(name), "{name}");
    }
    assert_eq!(received.header("content-type"), Some("text/plain"));
    assert!(received.header("user-agent").unwrap().starts_with("scimspec/"));
    let mut plan = RequestPlan::get("/Users", "test");
    plan.headers = vec![("X-Bad".to_owned(), Some("a\nb".to_owned()))];
    assert!(matches!(target.send(plan).await, Err(Refusal::Unsendable { .. })));
}

// --- pace -----------------------------------------------------------------------------------------------

#[tokio::test]
async fn a_wait_that_is_asked_for_is_kept_and_the_request_repeated() {
    let count = Arc::new(AtomicUsize::new(0));
    let counting = Arc::clone(&count);
    let server = Hostile::scripted(move |_| match counting.fetch_add(1, Ordering::SeqCst) {
        0 => Act::Bytes(answer(429, &[("Retry-After", "1")], b"{}")),
        1 => Act::Bytes(answer(503, &[("Retry-After", "0")], b"{}")),
        _ => Act::json(200, &json!({})),
    });
    let target = target(&server);
    let before = Instant::now();
    let sent = get(&target, "/Users").await;
    assert_eq!(sent.exchange.status(), Some(200));
    assert!(before.elapsed() >= Duration::from_secs(1));
    assert!(sent.exchange.elapsed < Duration::from_millis(900), "waiting is not the server's time");
    assert_eq!(sent.also.iter().map(|it| it.status().unwrap()).collect::<Vec<_>>(), [429, 503]);
    assert_eq!(target.requests_made(), 3);
    assert_eq!(target.exchanges().len(), 3);
}

#[tokio::test]
async fn patience_ends() {
    for (behaviour, requests) in [
        (Behaviour::TooManyRequests, 3),
        (Behaviour::TooManyRequestsSilent, 3),
        (Behaviour::TooManyRequestsHour, 1),
    ] {
        let server = Hostile::start(behaviour);
        let sent = get(&target(&server), "/Users").await;
        assert_eq!(sent.exchange.status(), Some(429), "{behaviour:?}");
        assert_eq!(server.received().len(), requests, "{behaviour:?}");
    }
    let server = Hostile::start(Behaviour::TooManyRequests);
    let mut plan = RequestPlan::get("/Users", "test");
    plan.impatient = true;
    target(&server).send(plan).await.unwrap();
    assert_eq!(server.received().len(), 1);
}

#[tokio::test]
async fn only_reads_are_repeated_after_a_broken_connection() {
    let server = Hostile::start(Behaviour::CloseBeforeAnswer);
    let target = target(&server);
    get(&target, "/Users").await;
    assert_eq!(server.received().len(), 2);
    target.send(create("/Users", &user(1))).await.unwrap();
    assert_eq!(server.received().len(), 3);
}

/// As Express does where an error is passed on behind the answer.
#[tokio::test]
async fn no_write_is_lost_on_a_connection_that_an_error_left_behind() {
    let server = Hostile::scripted(|request| match request.method.as_str() {
        "GET" => Act::Forsake(b"HTTP/1.1 500 Broken\r\nContent-Length: 2\r\n\r\n{}".to_vec()),
        _ => Act::Bytes(answer(201, &[], user(1).to_string().as_bytes())),
    });
    let target = target(&server);
    assert_eq!(get(&target, "/Users").await.exchange.status(), Some(500));
    let sent = target.send(create("/Users", &user(1))).await.unwrap();
    assert_eq!(sent.exchange.status(), Some(201), "{:?}", sent.exchange.answer);
    let writes = server.lines().into_iter().filter(|line| line.starts_with("POST")).count();
    assert_eq!(writes, 1);
}

#[tokio::test]
async fn the_rate_is_kept_by_parallel_requests() {
    let (_, server) = directory();
    let mut options = options(&server);
    options.rate = Some("50/s".parse().unwrap());
    let target = Target::new(options).unwrap();
    let before = Instant::now();
    futures_util::future::join_all((0..6).map(|_| get(&target, "/Users"))).await;
    assert!(before.elapsed() >= Duration::from_millis(99), "{:?}", before.elapsed());
}

#[tokio::test]
async fn the_budget_is_kept_with_a_reserve_for_the_clean_up() {
    let (directory, server) = directory();
    let mut options = options(&server);
    options.requests = Some(8);
    let target = Target::new(options).unwrap();
    make(&target, "/Users", &user(1)).await;
    make(&target, "/Users", &user(2)).await;
    // Two made and the first of them read back; two kept back to delete them, and one to look for strays.
    for _ in 0..2 {
        assert_eq!(get(&target, "/Users").await.exchange.status(), Some(200));
    }
    for plan in [RequestPlan::get("/Users", "test"), create("/Users", &user(3))] {
        let sent = target.send(plan).await.unwrap();
        let failure = sent.exchange.answer.as_ref().unwrap_err();
        assert!(matches!(failure, TransportFailure::NotSent { .. }), "{failure}");
        assert!(failure.to_string().contains("budget of 8"), "{failure}");
    }
    assert_eq!(server.received().len(), 5);
    assert_eq!(target.requests_made(), 5);
    let done = target.clean_up().await;
    assert!(done.is_complete(), "{:?}", done.left);
    assert!(directory.rows().is_empty());
    assert_eq!(server.received().len(), 8, "the clean-up is within the budget");
}

#[tokio::test]
async fn an_interrupt_ends_what_is_under_way_and_leaves_the_clean_up_alone() {
    let directory = Arc::new(Directory::default());
    let serving = Arc::clone(&directory);
    let server =
        Hostile::scripted(
            move |request| {
                if request.path.ends_with("/hang") { Act::Hang } else { serving.act(request) }
            },
        );
    let mut options = options(&server);
    options.limits.request = Duration::from_secs(30);
    let target = Target::new(options).unwrap();
    make(&target, "/Users", &user(1)).await;
    let before = Instant::now();
    let (hanging, ()) = tokio::join!(get(&target, "/hang"), async {
        tokio::time::sleep(Duration::from_millis(50)).await;
        target.interrupt();
    });
    assert!(before.elapsed() < Duration::from_secs(2), "{:?}", before.elapsed());
    assert!(matches!(hanging.exchange.answer, Err(TransportFailure::Closed { .. })));
    assert!(target.interrupted());
    let later = get(&target, "/Users").await;
    assert!(matches!(later.exchange.answer, Err(TransportFailure::NotSent { .. })));
    let done = target.clean_up().await;
    assert_eq!(done.deleted.len(), 1);
    assert!(directory.rows().is_empty());
}

// --- ownership ------------------------------------------------------------------------------------------

#[tokio::test]
async fn a_create_answered_with_a_known_strangers_id_is_not_ours() {
    let server = Hostile::scripted(|request| match request.method.as_str() {
        // It echoes what was sent, under the id of somebody who was there before.
        "POST" => {
            let mut made = request.json();
            made["id"] = json!("theirs");
            Act::json(201, &made)
        }
        _ => Act::json(200, &json!({"Resources": [{"id": "theirs", "userName": "ceo@example.com"}]})),
    });
    let target = target(&server);
    get(&target, "/Users").await;
    let sent = target.send(create("/Users", &user(1))).await.unwrap();
    let Some(Created::Disowned { id, why }) = sent.created else { panic!("{:?}", sent.created) };
    assert_eq!(id, "theirs");
    assert!(why.contains("there before"), "{why}");
    for method in ["DELETE", "PUT", "PATCH"] {
        let refused = target.send(RequestPlan::new(method, "/Users/theirs", "test")).await;
        assert!(matches!(refused, Err(Refusal::NotOurs { .. })), "{method}: {refused:?}");
    }
    let done = target.clean_up().await;
    assert_eq!(done.disowned.len(), 1);
    assert!(!server.lines().iter().any(|line| line.starts_with("DELETE")), "{:?}", server.lines());
}

#[tokio::test]
async fn a_create_answered_with_a_whole_stranger_is_not_ours() {
    let stranger = json!({"id": "42", "userName": "ceo@example.com"});
    let row = stranger.clone();
    let server =
        Hostile::scripted(move |request| Act::json(if request.method == "POST" { 201 } else { 200 }, &row));
    let target = target(&server);
    let sent = target.send(create("/Users", &user(1))).await.unwrap();
    assert!(matches!(sent.created, Some(Created::Disowned { .. })), "{:?}", sent.created);
    assert_eq!(sent.also.len(), 1, "it was read back");
    target.clean_up().await;
    assert!(!server.lines().iter().any(|line| line.starts_with("DELETE")), "{:?}", server.lines());
}

#[tokio::test]
async fn a_create_answered_200_with_an_old_resource_is_not_ours() {
    let server = Hostile::scripted(|request| {
        // Updates instead of duplicating: the old resource now carries what was sent.
        let mut merged = request.json();
        merged["id"] = json!("42");
        merged["meta"] = json!({"created": "2011-05-13T04:42:34Z"});
        Act::json(200, &merged)
    });
    let sent = target(&server).send(create("/Users", &user(1))).await.unwrap();
    assert!(matches!(sent.created, Some(Created::Disowned { .. })), "{:?}", sent.created);
}

#[tokio::test]
async fn an_id_in_the_location_alone_is_proven_by_a_read() {
    let directory = Arc::new(Directory::default());
    let serving = Arc::clone(&directory);
    let server = Hostile::scripted(move |request| {
        if request.method == "POST" {
            let made = serving.create("/Users", request.json());
            let location =
                format!("https://proxy.example.com/scim/v2/Users/{}", made["id"].as_str().unwrap());
            return Act::Bytes(answer(201, &[("Location", &location)], b""));
        }
        serving.act(request)
    });
    let target = target(&server);
    let id = make(&target, "/Users", &user(1)).await;
    assert!(target.owns("/Users", &id));
    assert!(target.clean_up().await.is_complete());
    assert!(directory.rows().is_empty());
}

#[tokio::test]
async fn a_create_without_a_mark_proves_nothing_and_is_reported() {
    let (directory, server) = directory();
    let target = target(&server);
    let sent = target.send(create("/Users", &json!({"userName": "bjensen"}))).await.unwrap();
    let Some(Created::Unproven { id, .. }) = sent.created else { panic!("{:?}", sent.created) };
    assert!(!target.owns("/Users", &id));
    let done = target.clean_up().await;
    assert!(!done.is_complete());
    assert_eq!(done.left[0].id.as_deref(), Some(id.as_str()));
    assert_eq!(directory.rows().len(), 1, "nobody's business to delete");
}

#[tokio::test]
async fn a_create_without_an_id_is_found_at_clean_up() {
    let directory = Arc::new(Directory::default());
    let serving = Arc::clone(&directory);
    let server = Hostile::scripted(move |request| {
        if request.method == "POST" {
            serving.create("/Users", request.json());
            return Act::Bytes(answer(201, &[], b""));
        }
        serving.act(request)
    });
    let target = target(&server);
    let sent = target.send(create("/Users", &user(1))).await.unwrap();
    assert_eq!(sent.created, Some(Created::WithoutId));
    let done = target.clean_up().await;
    assert_eq!(done.deleted.len(), 1, "{:?}", done.left);
    assert!(directory.rows().is_empty());
}

#[tokio::test]
async fn what_a_bulk_request_creates_is_ours_after_a_read() {
    let directory = Arc::new(Directory::default());
    let serving = Arc::clone(&directory);
    let server = Hostile::scripted(move |request| {
        if !request.path.ends_with("/Bulk") {
            return serving.act(request);
        }
        let asked = request.json();
        let answers: Vec<Value> = asked["Operations"]
            .as_array()
            .unwrap()
            .iter()
            .map(|operation| {
                let made = serving.create("/Users", operation["data"].clone());
                json!({"method": "POST", "bulkId": operation["bulkId"], "status": "201",
                    "location": format!("/scim/v2/Users/{}", made["id"].as_str().unwrap())})
            })
            .collect();
        Act::json(200, &json!({"Operations": answers}))
    });
    let target = target(&server);
    let operation = |number: u32| json!({"method": "POST", "path": "/Users", "bulkId": format!("b{number}"), "data": user(number)});
    let mut plan = create("/Bulk", &json!({"Operations": [operation(1), operation(2)]}));
    assert!(matches!(target.send(plan.clone()).await, Err(Refusal::NotPermitted { .. })));
    plan.permissions.bulk = true;
    let sent = target.send(plan).await.unwrap();
    assert_eq!(sent.also.len(), 2, "each is read back");
    assert_eq!(target.owned().len(), 2);
    assert!(target.clean_up().await.is_complete());
    assert!(directory.rows().is_empty());
}

#[tokio::test]
async fn what_a_refused_create_made_all_the_same_is_swept_up() {
    let directory = Arc::new(Directory::default());
    let serving = Arc::clone(&directory);
    let server = Hostile::scripted(move |request| {
        if request.method == "POST" {
            serving.create("/Users", request.json());
            return Act::json(400, &error(400, "no, but yes"));
        }
        serving.act(request)
    });
    directory.plant("/Users", json!({"id": "theirs", "userName": "ceo@example.com"}));
    let target = target(&server);
    assert_eq!(target.send(create("/Users", &user(1))).await.unwrap().created, None);
    assert_eq!(directory.rows().len(), 2);
    assert_eq!(target.clean_up().await.deleted.len(), 1);
    assert_eq!(directory.rows().len(), 1);
}

#[tokio::test]
async fn the_guard_stands_before_the_wire() {
    let (_, server) = directory();
    let target = target(&server);
    for (method, path) in [
        ("DELETE", "/Users"),
        ("DELETE", "/Users/"),
        ("DELETE", "/Users/somebody"),
        ("PUT", "/Users/%73omebody"),
        ("DELETE", "/Schemas"),
        ("PATCH", "/Me"),
        ("POST", "/Bulk"),
        ("DELETE", "/Users/x/.."),
        ("DELETE", "/../../other/Users/x"),
        ("GET", "/%2e%2e/admin"),
        ("GET", "Users"),
        ("GET", "/../v2x/Users"),
        ("BAD METHOD", "/Users"),
    ] {
        let refused = target.send(RequestPlan::new(method, path, "test")).await;
        assert!(refused.is_err(), "{method} {path} was sent");
    }
    assert_eq!(server.connections(), 0);
    target.never_existed(["a-fresh-uuid"]);
    for path in ["/Users/a-fresh-uuid", &format!("/Users/none-{MARK}")] {
        let sent = target.send(RequestPlan::new("DELETE", path, "test")).await.unwrap();
        assert_eq!(sent.exchange.status(), Some(404), "{path}");
    }
}

#[tokio::test]
async fn read_only_writes_nothing() {
    let (_, server) = directory();
    let mut options = options(&server);
    options.read_only = true;
    let target = Target::new(options).unwrap();
    assert!(matches!(target.send(create("/Users", &user(1))).await, Err(Refusal::ReadOnly { .. })));
    assert_eq!(get(&target, "/Users").await.exchange.status(), Some(200));
    assert_eq!(server.received().len(), 1);
}

#[tokio::test]
async fn a_put_that_creates_is_cleaned_up_and_a_changed_id_is_followed() {
    let directory = Arc::new(Directory::default());
    let serving = Arc::clone(&directory);
    let server = Hostile::scripted(move |request| {
        if request.method == "PUT" {
            let mut made = request.json();
            made["id"] = made["userName"].clone();
            serving.plant("/Users", made.clone());
            return Act::json(200, &made);
        }
        serving.act(request)
    });
    let target = target(&server);
    let id = make(&target, "/Users", &user(1)).await;
    target.send(RequestPlan::new("PUT", format!("/Users/{id}"), "test").json(&user(2))).await.unwrap();
    let renamed = user(2)["userName"].as_str().unwrap().to_owned();
    assert!(target.owns("/Users", &renamed));
    target.send(RequestPlan::new("PUT", format!("/Users/no-{MARK}"), "test").json(&user(3))).await.unwrap();
    assert!(target.clean_up().await.is_complete());
    // The planted rows have ids with an at sign, which the clean-up escapes.
    assert!(server.lines().iter().any(|line| line.starts_with("DELETE") && line.contains("%40")));
}

// --- ledger and clean-up --------------------------------------------------------------------------------

#[tokio::test]
async fn clean_up_deletes_groups_first_then_users_from_the_last() {
    let (directory, server) = directory();
    let state = tempfile::tempdir().unwrap();
    let mut options = options(&server);
    options.ledger = LedgerLocation::Directory(state.path().to_owned());
    let target = Target::new(options).unwrap();
    get(&target, "/Users").await;
    assert_eq!(std::fs::read_dir(state.path()).unwrap().count(), 0, "a run that only reads writes nothing");
    let first = make(&target, "/Users", &user(1)).await;
    let group = make(&target, "/Groups", &json!({"displayName": format!("Group {MARK}")})).await;
    let last = make(&target, "/Users", &user(2)).await;
    let ledger = std::fs::read_to_string(state.path().join(format!("{MARK}.jsonl"))).unwrap();
    assert!(ledger.contains(&last) && !ledger.contains(TOKEN), "{ledger}");
    let done = target.clean_up().await;
    assert!(done.is_complete());
    let deleted: Vec<&str> = done.deleted.iter().map(|resource| resource.id.as_str()).collect();
    assert_eq!(deleted, [group.as_str(), &last, &first]);
    assert!(directory.rows().is_empty());
    assert_eq!(std::fs::read_dir(state.path()).unwrap().count(), 0, "nothing is left to remember");
    assert!(target.clean_up().await.deleted.is_empty());
}

#[tokio::test]
async fn a_case_is_cleaned_up_after_by_itself() {
    let (directory, server) = directory();
    let target = target(&server);
    let mut other = create("/Users", &user(1));
    other.origin = "population".to_owned();
    target.send(other).await.unwrap();
    make(&target, "/Users", &user(2)).await;
    assert_eq!(target.clean_up_after("test", false).await.deleted.len(), 1);
    assert_eq!(directory.rows().len(), 1);
}

#[tokio::test]
async fn what_a_killed_run_left_is_finished() {
    let directory = Arc::new(Directory::default());
    let serving = Arc::clone(&directory);
    let server = Hostile::scripted(move |request| {
        let made = request.method == "POST" && request.json()["title"] == "dies";
        if made {
            // Created, but the answer never arrives.
            serving.create("/Users", request.json());
            return Act::Close;
        }
        serving.act(request)
    });
    directory.plant("/Users", json!({"id": "theirs", "userName": "ceo@example.com"}));
    let state = tempfile::tempdir().unwrap();
    let mut killed = options(&server);
    killed.ledger = LedgerLocation::Directory(state.path().to_owned());
    let target = Target::new(killed).unwrap();
    make(&target, "/Users", &user(1)).await;
    let mut lost = user(2);
    lost["title"] = json!("dies");
    target.send(create("/Users", &lost)).await.unwrap();
    assert_eq!(Leftovers::find(state.path()).unwrap().running.len(), 1);
    drop(target);

    let mut found = Leftovers::find(state.path()).unwrap();
    assert_eq!(found.finished.len(), 1);
    let leftover = found.finished.remove(0);
    assert_eq!((leftover.owned.len(), leftover.intents.len()), (1, 1));
    assert_eq!(leftover.base_url, server.base_url());
    let mut again =
        TargetOptions { ledger: LedgerLocation::Resume(Box::new(leftover.clone())), ..options(&server) };
    again.run_mark = leftover.mark.clone();
    let done = Target::new(again).unwrap().clean_up().await;
    assert!(done.is_complete(), "{:?}", done.left);
    assert_eq!(done.deleted.len(), 2);
    assert_eq!(directory.rows().len(), 1, "the stranger stays");
    assert!(Leftovers::find(state.path()).unwrap().finished.is_empty());
}

#[tokio::test]
async fn what_cannot_be_deleted_is_reported_and_remembered() {
    let directory = Arc::new(Directory::default());
    let serving = Arc::clone(&directory);
    let server = Hostile::scripted(move |request| {
        if request.method == "DELETE" { Act::json(405, &error(405, "never")) } else { serving.act(request) }
    });
    let state = tempfile::tempdir().unwrap();
    let mut options = options(&server);
    options.ledger = LedgerLocation::Directory(state.path().to_owned());
    let target = Target::new(options).unwrap();
    let id = make(&target, "/Users", &user(1)).await;
    let done = target.clean_up().await;
    assert_eq!(done.left.len(), 1);
    assert_eq!(done.left[0].to_string(), format!("/Users/{id}: DELETE answered 405"));
    assert!(done.ledger.is_some_and(|path| path.exists()));
}

#[tokio::test]
async fn a_server_that_ignores_filters_loses_nobody() {
    let directory = Arc::new(Directory::default());
    let serving = Arc::clone(&directory);
    let server = Hostile::scripted(move |request| {
        let mut unfiltered = request.clone();
        if request.method == "GET" {
            unfiltered.path = request.path.split('?').next().unwrap().to_owned();
        }
        if request.method == "POST" {
            return Act::Hang;
        }
        serving.act(&unfiltered)
    });
    directory.plant("/Users", json!({"id": "theirs", "userName": "ceo@example.com"}));
    let target = target(&server);
    target.send(create("/Users", &user(1))).await.unwrap();
    let done = target.clean_up().await;
    assert!(done.is_complete(), "{:?}", done.left);
    assert!(!server.lines().iter().any(|line| line.starts_with("DELETE")), "{:?}", server.lines());
}

#[tokio::test]
async fn cleaning_up_a_server_that_is_gone_ends_soon() {
    let dead = Arc::new(std::sync::atomic::AtomicBool::new(false));
    let directory = Arc::new(Directory::default());
    let (serving, dying) = (Arc::clone(&directory), Arc::clone(&dead));
    let server =
        Hostile::scripted(
            move |request| {
                if dying.load(Ordering::SeqCst) { Act::Close } else { serving.act(request) }
            },
        );
    let target = target(&server);
    for number in 0..20 {
        make(&target, "/Users", &user(number)).await;
    }
    dead.store(true, Ordering::SeqCst);
    let before = server.received().len();
    let done = target.clean_up().await;
    assert_eq!(done.left.len(), 20);
    assert!(server.received().len() - before < 12, "{}", server.received().len() - before);
}

#[tokio::test]
async fn a_ledger_that_cannot_be_written_stops_creates() {
    let (directory, server) = directory();
    let state = tempfile::tempdir().unwrap();
    let file = state.path().join("in-the-way");
    std::fs::write(&file, "x").unwrap();
    let mut options = options(&server);
    options.ledger = LedgerLocation::Directory(file.join("below"));
    let target = Target::new(options).unwrap();
    let refused = target.send(create("/Users", &user(1))).await;
    assert!(matches!(refused, Err(Refusal::Ledger { .. })), "{refused:?}");
    assert!(directory.rows().is_empty());
}

// --- set-up ---------------------------------------------------------------------------------------------

#[test]
fn options_that_cannot_work_are_refused_without_showing_secrets() {
    let refused =
        |url: &str| Target::new(TargetOptions::new(url.parse().unwrap(), MARK)).unwrap_err().to_string();
    let with_password = refused("https://ann:pa55word@example.com/scim");
    assert!(!with_password.contains("pa55word") && with_password.contains("credentials"), "{with_password}");
    assert!(refused("ftp://example.com/").contains("http"));
    assert!(refused("https://example.com/scim?token=x").contains("query"));
    let mark = Target::new(TargetOptions::new("http://localhost/".parse().unwrap(), "a-b"));
    assert!(matches!(mark, Err(TargetError::Mark { .. })));
    let mut options = TargetOptions::new("https://localhost/".parse().unwrap(), MARK);
    options.roots = vec![b"no certificate".to_vec()];
    assert!(matches!(Target::new(options), Err(TargetError::Client { what: "certificate", .. })));
}

// --- TLS ------------------------------------------------------------------------------------------------

async fn tls_failure(options: TargetOptions) -> TransportFailure {
    get(&Target::new(options).unwrap(), "/Users").await.exchange.answer.clone().unwrap_err()
}

#[tokio::test]
async fn certificates_are_checked_and_the_failure_says_what_to_do() {
    let (port, pem) = tls_server().await;
    let secure = |host: &str| {
        let mut options = TargetOptions::new(format!("https://{host}:{port}/scim").parse().unwrap(), MARK);
        options.limits = Limits { request: Duration::from_secs(5), ..limits() };
        options
    };
    let failure = tls_failure(secure("localhost")).await;
    assert!(matches!(failure, TransportFailure::Tls { .. }), "{failure:?}");
    assert!(hint(&failure).contains("--insecure"), "{failure}: {}", hint(&failure));

    let trusting = TargetOptions { roots: vec![pem.clone().into_bytes()], ..secure("localhost") };
    assert_eq!(get(&Target::new(trusting).unwrap(), "/Users").await.exchange.status(), Some(200));
    let blind = TargetOptions { insecure: true, ..secure("127.0.0.1") };
    assert_eq!(get(&Target::new(blind).unwrap(), "/Users").await.exchange.status(), Some(200));

    let misnamed = TargetOptions { roots: vec![pem.into_bytes()], ..secure("127.0.0.1") };
    let failure = tls_failure(misnamed).await;
    assert!(matches!(failure, TransportFailure::Tls { .. }), "{failure:?}");
    assert!(hint(&failure).contains("name"), "{failure}: {}", hint(&failure));
}

#[tokio::test]
async fn the_wrong_scheme_is_recognised_both_ways() {
    let (port, _) = tls_server().await;
    let mut plain = TargetOptions::new(format!("http://127.0.0.1:{port}/scim").parse().unwrap(), MARK);
    plain.limits = limits();
    let failure = tls_failure(plain).await;
    assert!(hint(&failure).contains("https://"), "{failure:?}");

    let server = Hostile::start(Behaviour::NotHttp);
    let mut secure = options(&server);
    secure.base_url.set_scheme("https").unwrap();
    let plain_http = Hostile::start(Behaviour::PlainNotFound);
    for port in [server.port(), plain_http.port()] {
        secure.base_url.set_port(Some(port)).unwrap();
        let failure = tls_failure(secure.clone()).await;
        // A server that waits for a line's end never answers a TLS greeting; both are told apart from an answer.
        let known = matches!(failure, TransportFailure::Tls { .. } | TransportFailure::TimedOut { .. });
        assert!(known, "{failure:?}");
    }
}

// --- probe ----------------------------------------------------------------------------------------------

async fn probed(server: &Hostile) -> ProbeError {
    probe(&target(server)).await.unwrap_err()
}

#[tokio::test]
async fn a_target_that_cannot_be_tested_says_why() {
    let server = Hostile::start(Behaviour::Hang);
    let error = probed(&server).await;
    assert!(
        matches!(error, ProbeError::Unreachable { failure: TransportFailure::TimedOut { .. }, .. }),
        "{error}"
    );
    assert_eq!(error.exit(), Exit::Unreachable);
    assert_eq!(server.received().len(), 1, "it is not asked again");

    let server = Hostile::start(Behaviour::Unauthorized);
    let error = probed(&server).await;
    assert!(matches!(error, ProbeError::Unauthorized { status: 401, .. }), "{error}");
    assert_eq!(error.exit(), Exit::Usage);
    assert!(error.hint().contains("--token-env") && error.hint().contains("realm"), "{}", error.hint());

    for behaviour in
        [Behaviour::LoginPage, Behaviour::PlainNotFound, Behaviour::NoContent, Behaviour::InvalidJson]
    {
        let error = probed(&Hostile::start(behaviour)).await;
        assert!(matches!(error, ProbeError::NotScim { .. }), "{behaviour:?}: {error}");
        assert_eq!(error.exit(), Exit::Unreachable);
        assert!(error.hint().contains("base URL"), "{behaviour:?}: {}", error.hint());
    }

    let server = Hostile::start(Behaviour::PlainNotFound);
    let mut options = options(&server);
    options.base_url.set_path("/");
    let error = probe(&Target::new(options).unwrap()).await.unwrap_err();
    assert!(error.hint().contains("/scim/v2"), "{}", error.hint());

    for (behaviour, status) in [(Behaviour::ServerErrorHtml, 500), (Behaviour::TooManyRequestsHour, 429)] {
        let error = probed(&Hostile::start(behaviour)).await;
        assert!(
            matches!(error, ProbeError::Down { status: each, .. } if each == status),
            "{behaviour:?}: {error}"
        );
    }

    let server =
        Hostile::scripted(|_| Act::Bytes(answer(301, &[("Location", "https://elsewhere.example/x")], b"")));
    let error = probed(&server).await;
    assert!(error.hint().contains("https://elsewhere.example/x"), "{}", error.hint());
}

#[tokio::test]
async fn no_behaviour_makes_the_probe_hang() {
    each_behaviour(async |behaviour| {
        let server = Hostile::start(behaviour);
        let before = Instant::now();
        let outcome = probe(&target(&server)).await;
        assert!(before.elapsed() < Duration::from_secs(10), "{behaviour:?} took {:?}", before.elapsed());
        assert!(outcome.is_err(), "{behaviour:?} passed for SCIM");
    })
    .await;
}

#[tokio::test]
async fn a_server_without_discovery_is_tested_all_the_same() {
    let directory = Arc::new(Directory::default());
    let serving = Arc::clone(&directory);
    let server = Hostile::scripted(move |request| {
        if request.header("authorization").is_none() {
            return Act::json(401, &error(401, "who?"));
        }
        if request.path.contains("/Users") { serving.act(request) } else { Act::json(404, &error(404, "no")) }
    });
    let target = target(&server);
    let found = probe(&target).await.unwrap();
    let claim = |capability| found.capabilities.claim(capability).unwrap();
    assert!(claim(Capability::Patch).supported && claim(Capability::Patch).assumed);
    assert!(claim(Capability::Users).supported);
    assert!(!claim(Capability::Groups).supported);
    assert!(claim(Capability::Authentication).supported);
    assert!(!claim(Capability::Schemas).supported);
    assert!(!found.problems.is_empty());
    assert_eq!(found.exchanges.len(), server.received().len());
    let text = found.text(&target);
    assert!(text.contains("assumed supported, since /ServiceProviderConfig answered 404"), "{text}");
    assert!(!text.contains(TOKEN));
    assert_eq!(found.json(&target)["features"]["groups"]["supported"], false);
}

#[tokio::test]
async fn endpoints_of_discovery_are_known_to_the_guard() {
    let server = Hostile::scripted(|request| {
        let list = |rows: Value| json!({"schemas": ["urn:ietf:params:scim:api:messages:2.0:ListResponse"], "totalResults": 1, "Resources": rows});
        let path = request.path.split('?').next().unwrap_or_default();
        match (request.method.as_str(), path) {
            (_, "/scim/v2/ResourceTypes") => Act::json(
                200,
                &list(json!([
                {"name": "User", "endpoint": "Users", "schema": "urn:ietf:params:scim:schemas:core:2.0:User"},
                {"name": "Device", "endpoint": "/scim/v2/things/Devices", "schema": "urn:acme:Device"}])),
            ),
            ("POST", _) => {
                let mut made = request.json();
                made["id"] = json!("1");
                Act::json(201, &made)
            }
            (_, "/scim/v2/Users") => Act::json(200, &list(json!([]))),
            _ => Act::json(404, &error(404, "no")),
        }
    });
    let target = target(&server);
    let found = probe(&target).await.unwrap();
    assert_eq!(found.capabilities.endpoint("User"), Some("/Users"));
    assert_eq!(found.capabilities.endpoint("Device"), Some("/things/Devices"));
    let sent = target.send(create("/things/Devices", &json!({"displayName": MARK}))).await.unwrap();
    assert_eq!(sent.created, Some(Created::Owned { resource_type: "Device".to_owned(), id: "1".to_owned() }));
    let exchange: &Exchange = &sent.exchange;
    assert_eq!(exchange.request.endpoint, "/things/Devices");
}

/// Whom a group invites is a user that nobody asked for by a request of its own.
#[tokio::test]
async fn what_a_request_makes_on_the_side_is_ours() {
    let directory = Arc::new(Directory::default());
    let mail = format!("ann-{MARK}@example.com");
    let (there, invited) = (Arc::clone(&directory), mail.clone());
    let server = Hostile::scripted(move |request| {
        if request.method == "POST" && request.path.ends_with("/Groups") {
            if request.json()["displayName"] == "refused" {
                return Act::json(400, &error(400, "no"));
            }
            there.plant("/Users", json!({"id": invited, "userName": invited}));
        }
        there.act(request)
    });
    let target = target(&server);
    let plan = |name: &str, id: &str| RequestPlan {
        creates: vec![("/Users".to_owned(), id.to_owned())],
        ..create("/Groups", &json!({"displayName": name, "members": [{"value": id}]}))
    };
    target.send(plan("refused", &mail)).await.unwrap();
    assert!(!target.owns("/Users", &mail), "nothing came of it");
    target.send(plan(&format!("team {MARK}"), &mail)).await.unwrap();
    assert!(target.owns("/Users", &mail) && target.owns("/Users", &mail.to_uppercase()));
    let refusal = target.send(plan("team", "boss@example.com")).await.unwrap_err();
    assert!(matches!(refusal, Refusal::NotOurs { .. }), "{refusal}");
    let clean_up = target.clean_up().await;
    assert!(clean_up.is_complete(), "{:?}", clean_up.left);
    // The directory looks for the id as it stands in the path, so it has nobody of that name to delete.
    let asked = format!("DELETE /scim/v2/Users/{}", mail.replace('@', "%40"));
    assert!(server.lines().iter().any(|line| line.contains(&asked)), "{:?}", server.lines());
}
