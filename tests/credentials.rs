//! All ways to authenticate: what is on the wire, what is shown of it, and every way in which a token endpoint or a
//! certificate can be trouble.

mod binary;
mod hostile;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use binary::{Bench, RUNTIME, Ran, Reference, TOKEN, VARIABLE, stable};
use futures_util::{StreamExt, future, stream};
use hostile::{Act, Behaviour, Hostile, answer};
use rcgen::{CertificateParams, CertifiedIssuer, DnType, KeyPair};
use rustls::RootCertStore;
use rustls::pki_types::PrivateKeyDer;
use rustls::server::WebPkiClientVerifier;
use scimspec::outcome::Exit;
use scimspec::server::{Fault, ServerOptions};
use scimspec::suite::model::Auth;
use scimspec::target::exchange::TransportFailure;
use scimspec::target::failure::hint;
use scimspec::target::{
    ClientAuth, ClientCertificate, ClientCredentials, Credentials, Limits, RequestPlan, Sent, Target,
    TargetOptions,
};
use serde_json::json;

const MARK: &str = "s0mark123";
const SECRET: &str = "client-s3cret/with+marks";

fn limits() -> Limits {
    Limits {
        connect: Duration::from_secs(2),
        request: Duration::from_millis(600),
        body: 1 << 20,
        repeats: 1,
        back_off: Duration::from_millis(10),
        ..Limits::default()
    }
}

fn client_of(endpoint: &Hostile) -> ClientCredentials {
    let url = format!("http://127.0.0.1:{}/token", endpoint.port()).parse().unwrap();
    ClientCredentials::new(url, "scimspec client", SECRET).unwrap()
}

fn options(server: &Hostile, auth: Credentials) -> TargetOptions {
    TargetOptions { limits: limits(), auth, ..TargetOptions::new(server.base_url(), MARK) }
}

fn target(server: &Hostile, endpoint: &Hostile) -> Target {
    Target::new(options(server, Credentials::OAuth(Box::new(client_of(endpoint))))).unwrap()
}

async fn get(target: &Target, auth: Auth) -> Sent {
    target.send(RequestPlan { auth, ..RequestPlan::get("/Users", "test") }).await.unwrap()
}

/// A token endpoint that counts: `access-token-1`, `access-token-2`, …
fn issuing(more: &'static str) -> Hostile {
    let issued = AtomicUsize::new(0);
    Hostile::scripted(move |_| {
        let number = issued.fetch_add(1, Ordering::SeqCst) + 1;
        let body = format!(
            r#"{{"access_token": "access-token-{number}", "refresh_token": "refresh-{number}"{more}}}"#
        );
        Act::Bytes(answer(200, &[("Content-Type", "application/json")], body.as_bytes()))
    })
}

/// A service provider that takes this token, and tells everything that it was sent.
fn taking(token: impl Fn(&str) -> bool + Send + Sync + 'static) -> Hostile {
    Hostile::scripted(move |request| {
        let sent = request.header("authorization").unwrap_or_default().to_owned();
        let status = if token(sent.strip_prefix("Bearer ").unwrap_or_default()) { 200 } else { 401 };
        Act::json(
            status,
            &json!({"sent": sent, "refresh": "refresh-1", "base64": STANDARD.encode(sent.rsplit(' ').next().unwrap())}),
        )
    })
}

fn bearers(server: &Hostile) -> Vec<String> {
    let all = server.received();
    all.iter().map(|request| request.header("authorization").unwrap_or("none").to_owned()).collect()
}

// --- tokens are fetched, kept and renewed -----------------------------------------------------------------

#[tokio::test]
async fn one_token_is_fetched_for_all_who_wait_and_shown_to_nobody() {
    let endpoint = issuing(r#", "token_type": "bearer", "expires_in": 3600"#);
    let server = taking(|token| token == "access-token-1");
    let target = target(&server, &endpoint);
    let all = future::join_all((0..8).map(|_| get(&target, Auth::Good))).await;
    assert!(all.iter().all(|sent| sent.exchange.status() == Some(200)));

    let asked = endpoint.received();
    assert_eq!(asked.len(), 1, "one fetch serves all");
    assert_eq!((asked[0].method.as_str(), asked[0].path.as_str()), ("POST", "/token"));
    assert_eq!(asked[0].body, b"grant_type=client_credentials");
    let basic = STANDARD.encode("scimspec+client:client-s3cret%2Fwith%2Bmarks");
    assert_eq!(asked[0].header("authorization"), Some(format!("Basic {basic}").as_str()));
    assert_eq!(asked[0].header("content-type"), Some("application/x-www-form-urlencoded"));

    let shown = format!("{target:?} {all:?} {:?}", target.exchanges());
    for secret in ["access-token-1", "refresh-1", SECRET, &STANDARD.encode("access-token-1")] {
        assert!(!shown.contains(secret), "{secret} in {shown}");
    }
    assert!(shown.contains(r#"("Authorization", "***")"#), "{shown}");
}

#[tokio::test]
async fn a_client_may_authenticate_in_the_body_and_ask_for_more() {
    let endpoint = issuing("");
    let server = taking(|_| true);
    let mut client = client_of(&endpoint);
    client.client_auth = ClientAuth::Body;
    client.scope = Some("scim".to_owned());
    client.parameters = vec![("audience".to_owned(), "https://api".to_owned())];
    let target = Target::new(options(&server, Credentials::OAuth(Box::new(client)))).unwrap();
    target.authenticate().await.unwrap();
    let asked = &endpoint.received()[0];
    assert_eq!(
        String::from_utf8_lossy(&asked.body),
        "grant_type=client_credentials&scope=scim&audience=https%3A%2F%2Fapi&client_id=scimspec+client\
         &client_secret=client-s3cret%2Fwith%2Bmarks"
    );
    assert_eq!(asked.header("authorization"), None);
    // Nothing was asked of the service provider for that, and the token is kept.
    assert!(server.received().is_empty());
    get(&target, Auth::Good).await;
    assert_eq!(endpoint.received().len(), 1);
}

#[tokio::test]
async fn a_token_is_renewed_before_it_expires() {
    let endpoint = issuing(r#", "expires_in": 1"#);
    let server = taking(|_| true);
    let target = target(&server, &endpoint);
    get(&target, Auth::Good).await;
    tokio::time::sleep(Duration::from_millis(1100)).await;
    get(&target, Auth::Good).await;
    assert_eq!(bearers(&server), ["Bearer access-token-1", "Bearer access-token-2"]);
}

#[tokio::test]
async fn a_refused_token_is_renewed_once_and_then_the_refusal_stands() {
    let endpoint = issuing("");
    let server = taking(|token| token == "access-token-2");
    let target = target(&server, &endpoint);
    let sent = get(&target, Auth::Good).await;
    assert_eq!(sent.exchange.status(), Some(200));
    assert_eq!(sent.also.iter().map(|also| also.status()).collect::<Vec<_>>(), [Some(401)]);

    let endpoint = issuing("");
    let server = taking(|_| false);
    let target = self::target(&server, &endpoint);
    for _ in 0..3 {
        assert_eq!(get(&target, Auth::Good).await.exchange.status(), Some(401));
    }
    // The second token was no better, so it is not for its age that it is refused.
    assert_eq!(endpoint.received().len(), 2);
    assert_eq!(server.received().len(), 4);
}

#[tokio::test]
async fn many_refused_at_once_share_the_new_token() {
    let endpoint = issuing("");
    let server = taking(|token| token == "access-token-2");
    let target = target(&server, &endpoint);
    let all = future::join_all((0..6).map(|_| get(&target, Auth::Good))).await;
    assert!(all.iter().all(|sent| sent.exchange.status() == Some(200)));
    assert_eq!(endpoint.received().len(), 2);
}

#[tokio::test]
async fn wrong_tokens_have_the_form_of_the_right_one() {
    let endpoint = Hostile::scripted(|_| Act::json(200, &json!({"access_token": "eyJh.eyJz.c2lnbmF0dXJl"})));
    let server = taking(|_| true);
    let target = target(&server, &endpoint);
    target.authenticate().await.unwrap();
    for auth in [Auth::Good, Auth::Bad, Auth::None] {
        get(&target, auth).await;
    }
    let sent = bearers(&server);
    assert_eq!(sent[0], "Bearer eyJh.eyJz.c2lnbmF0dXJl");
    assert!(sent[1].starts_with("Bearer eyJ") && sent[1].split('.').count() == 3 && sent[1] != sent[0]);
    assert_eq!(sent[2], "none");
}

#[tokio::test]
async fn a_second_tenant_has_a_client_of_its_own() {
    let (first, second) =
        (issuing(""), Hostile::scripted(|_| Act::json(200, &json!({"access_token": "of-the-second"}))));
    let server = taking(|_| true);
    let mut options = options(&server, Credentials::OAuth(Box::new(client_of(&first))));
    options.second = Some(Credentials::OAuth(Box::new(client_of(&second))));
    let target = Target::new(options).unwrap();
    target.authenticate().await.unwrap();
    let shown = format!("{:?} {:?}", get(&target, Auth::Good).await, get(&target, Auth::Second).await);
    assert_eq!(bearers(&server), ["Bearer access-token-1", "Bearer of-the-second"]);
    assert!(!shown.contains("of-the-second") && !shown.contains("access-token-1"));
}

// --- a token endpoint that lies -----------------------------------------------------------------------------

#[tokio::test]
async fn no_behaviour_of_a_token_endpoint_hangs_or_gets_anything_sent() {
    stream::iter(Behaviour::ALL)
        .for_each_concurrent(9, |behaviour| async move {
            let endpoint = Hostile::start(behaviour);
            let server = taking(|_| true);
            let target = target(&server, &endpoint);
            let before = Instant::now();
            let error = target.authenticate().await.expect_err(&format!("{behaviour:?}"));
            assert!(before.elapsed() < Duration::from_secs(6), "{behaviour:?} took {:?}", before.elapsed());
            assert!(!error.hint().is_empty() && !error.to_string().contains(SECRET), "{error}");
            // A request does not go out without its token, and says why.
            let sent = get(&target, Auth::Good).await;
            let failure = sent.exchange.answer.as_ref().unwrap_err();
            assert!(matches!(failure, TransportFailure::NoToken { .. }), "{behaviour:?}: {failure:?}");
            assert_eq!(hint(failure), error.hint());
            assert!(server.received().is_empty(), "{behaviour:?}");
        })
        .await;
}

#[tokio::test]
async fn the_secret_follows_no_redirect_and_no_echo_shows_it() {
    let elsewhere = issuing("");
    let to = format!("http://127.0.0.1:{}/token?code=x", elsewhere.port());
    let endpoint = Hostile::scripted(move |_| Act::Bytes(answer(307, &[("Location", &to)], b"")));
    let server = taking(|_| true);
    let error = target(&server, &endpoint).authenticate().await.unwrap_err();
    assert!(elsewhere.received().is_empty());
    assert!(error.to_string().contains("redirects") && !error.to_string().contains("code=x"), "{error}");
    assert_eq!(error.exit(), Exit::Unreachable);

    // Repeated at the very place where a long text is cut.
    let echo = Hostile::scripted(|request| {
        let header = request.header("authorization").unwrap_or_default();
        let description = format!("{}{SECRET} {header}", "x".repeat(190));
        Act::json(400, &json!({"error": SECRET, "error_description": description}))
    });
    let error = target(&server, &echo).authenticate().await.unwrap_err();
    assert_eq!(error.exit(), Exit::Usage);
    let shown = format!("{error} {error:?}");
    assert!(!shown.contains("client-s3cr") && shown.contains("***"), "{shown}");
}

#[tokio::test]
async fn a_failing_endpoint_is_not_asked_by_each_who_waits() {
    let endpoint = Hostile::scripted(|_| Act::json(400, &json!({"error": "invalid_client"})));
    let server = taking(|_| true);
    let target = target(&server, &endpoint);
    let all = future::join_all((0..8).map(|_| get(&target, Auth::Good))).await;
    assert!(all.iter().all(|sent| sent.exchange.answer.is_err()));
    assert_eq!(endpoint.received().len(), 1);
}

#[tokio::test]
async fn a_hiccup_of_the_endpoint_is_waited_out_once() {
    let tries = AtomicUsize::new(0);
    let endpoint = Hostile::scripted(move |_| match tries.fetch_add(1, Ordering::SeqCst) {
        0 => Act::json(503, &json!({})),
        _ => Act::json(200, &json!({"access_token": "late-token"})),
    });
    let server = taking(|token| token == "late-token");
    assert_eq!(get(&target(&server, &endpoint), Auth::Good).await.exchange.status(), Some(200));
}

// --- Okta's three modes, and a gateway's key -----------------------------------------------------------------

#[tokio::test]
async fn the_modes_of_okta_are_on_the_wire_and_not_in_the_output() {
    let basic = format!("Basic {}", STANDARD.encode("okta:0kta-passw0rd"));
    for (credentials, sent, form) in [
        (Credentials::basic("okta", "0kta-passw0rd").unwrap(), basic.as_str(), "Basic "),
        // Header Auth: what was typed is the whole value, with a scheme or without one.
        (Credentials::header("Authorization: 131313-0kta").unwrap(), "131313-0kta", "wrong"),
        (
            Credentials::header("Authorization: Bearer 131313-0kta").unwrap(),
            "Bearer 131313-0kta",
            "Bearer wrong",
        ),
        (Credentials::bearer("00bearer-0kta").unwrap(), "Bearer 00bearer-0kta", "Bearer wrong"),
    ] {
        let server = Hostile::scripted(|request| {
            let sent = request.header("authorization").unwrap_or_default().to_owned();
            Act::json(200, &json!({"sent": sent, "bare": sent.rsplit(' ').next()}))
        });
        let mut options = options(&server, credentials);
        options.keys = vec![("X-Api-Key".to_owned(), "gateway-k3y".to_owned().into())];
        let target = Target::new(options).unwrap();
        let mut shown = String::new();
        for auth in [Auth::Good, Auth::Bad, Auth::None] {
            shown.push_str(&format!("{:?}", get(&target, auth).await));
        }
        let received = bearers(&server);
        assert_eq!(received[0], sent);
        assert!(received[1].starts_with(form) && received[1] != sent, "{}", received[1]);
        assert_eq!(received[2], "none");
        for secret in ["0kta-passw0rd", "131313-0kta", "00bearer-0kta", "gateway-k3y", sent] {
            assert!(!shown.contains(secret), "{secret} in {shown}");
        }
        // The gateway lets in whoever asks.
        let keys = server.received();
        assert!(keys.iter().all(|request| request.header("x-api-key") == Some("gateway-k3y")));
    }
}

// --- certificates --------------------------------------------------------------------------------------------

/// An authority with a server certificate for localhost and certificates of clients.
struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
}

impl Authority {
    fn new() -> Authority {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, "scimspec test authority");
        Authority { issuer: CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap() }
    }

    fn pem(&self) -> String {
        AsRef::<rcgen::Certificate>::as_ref(&self.issuer).pem()
    }

    /// Certificate and key for a name, in PEM.
    fn issue(&self, name: &str) -> (rcgen::Certificate, KeyPair) {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        (params.signed_by(&key, &self.issuer).unwrap(), key)
    }
}

/// A server that demands a client's certificate of that authority, in front of a port that speaks plain HTTP. Without
/// a port it answers by itself, with the end of the certificate that it was shown.
async fn demanding(authority: &Authority, port: Option<u16>) -> u16 {
    let (certificate, key) = authority.issue("localhost");
    let mut roots = RootCertStore::empty();
    roots.add(AsRef::<rcgen::Certificate>::as_ref(&authority.issuer).der().clone()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let verifier =
        WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider)).build().unwrap();
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_client_cert_verifier(verifier)
        .with_single_cert(vec![certificate.der().clone()], PrivateKeyDer::Pkcs8(key.serialize_der().into()))
        .unwrap();
    let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(config));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let here = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let acceptor = acceptor.clone();
            tokio::spawn(async move {
                use tokio::io::{AsyncReadExt, AsyncWriteExt};
                match acceptor.accept(stream).into_fallible().await {
                    Ok(mut stream) => match port {
                        Some(port) => {
                            let mut plain =
                                tokio::net::TcpStream::connect(("127.0.0.1", port)).await.unwrap();
                            let _ = tokio::io::copy_bidirectional(&mut stream, &mut plain).await;
                        }
                        None => {
                            let shown = stream.get_ref().1.peer_certificates().unwrap()[0].to_vec();
                            let body = json!({"certificate": STANDARD.encode(shown)}).to_string();
                            let _ = stream.read(&mut [0; 4096]).await;
                            let _ = stream.write_all(&answer(200, &[], body.as_bytes())).await;
                            let _ = stream.shutdown().await;
                        }
                    },
                    // The alert is to arrive, rather than a reset for what was not read.
                    Err((_, mut stream)) => {
                        let _ = stream.shutdown().await;
                        while matches!(stream.read(&mut [0; 4096]).await, Ok(read) if read > 0) {}
                    }
                }
            });
        }
    });
    here
}

fn pem(certificate: &rcgen::Certificate, key: &KeyPair) -> ClientCertificate {
    ClientCertificate::from_pem(certificate.pem().as_bytes(), Some(key.serialize_pem().as_bytes())).unwrap()
}

fn secure(port: u16, authority: &Authority) -> TargetOptions {
    TargetOptions {
        limits: Limits { request: Duration::from_secs(5), ..limits() },
        roots: vec![authority.pem().into_bytes()],
        ..TargetOptions::new(format!("https://localhost:{port}/scim/v2").parse().unwrap(), MARK)
    }
}

#[tokio::test]
async fn a_server_is_shown_the_certificate_of_whoever_asks() {
    let authority = Authority::new();
    let port = demanding(&authority, None).await;
    let ((one, one_key), (two, two_key)) = (authority.issue("one"), authority.issue("two"));
    let mut options = secure(port, &authority);
    options.certificate = Some(pem(&one, &one_key));
    options.second = Some(Credentials::None);
    options.second_certificate = Some(pem(&two, &two_key));
    let target = Target::new(options).unwrap();
    for (auth, certificate) in [(Auth::Good, &one), (Auth::Second, &two), (Auth::Good, &one)] {
        let sent = get(&target, auth).await;
        let body = sent.exchange.json().unwrap_or_else(|| panic!("{:?}", sent.exchange.answer));
        assert_eq!(body["certificate"], STANDARD.encode(certificate.der()), "{auth:?}");
    }
}

#[tokio::test]
async fn a_missing_or_foreign_certificate_is_told_with_what_to_do() {
    let authority = Authority::new();
    let port = demanding(&authority, None).await;
    let failure = |options: TargetOptions| async {
        get(&Target::new(options).unwrap(), Auth::Good).await.exchange.answer.clone().unwrap_err()
    };
    let without = failure(secure(port, &authority)).await;
    assert!(matches!(without, TransportFailure::Tls { .. }), "{without:?}");
    assert!(hint(&without).contains("--cert FILE"), "{without}: {}", hint(&without));

    let (foreign, key) = Authority::new().issue("one");
    let refused = TargetOptions { certificate: Some(pem(&foreign, &key)), ..secure(port, &authority) };
    let refused = failure(refused).await;
    assert!(hint(&refused).contains("does not take it"), "{refused}: {}", hint(&refused));

    let (known, key) = authority.issue("one");
    let blind =
        TargetOptions { certificate: Some(pem(&known, &key)), roots: Vec::new(), ..secure(port, &authority) };
    let untrusted = failure(blind.clone()).await;
    assert!(hint(&untrusted).contains("--cacert"), "{untrusted}: {}", hint(&untrusted));
    let insecure = TargetOptions { insecure: true, ..blind };
    assert_eq!(get(&Target::new(insecure).unwrap(), Auth::Good).await.exchange.status(), Some(200));
}

// --- as a user meets it --------------------------------------------------------------------------------------

fn run(bench: &Bench, words: &[&str]) -> Ran {
    let ran = bench.run(words);
    for text in [&ran.stdout, &ran.stderr] {
        assert!(!text.contains("-----BEGIN PRIVATE KEY-----\n") && !text.contains("access-token"), "{text}");
    }
    ran
}

#[test]
fn trouble_with_the_token_endpoint_is_one_clear_message() {
    type Scene = (&'static str, fn() -> Hostile);
    let scenes: [Scene; 6] = [
        ("refuses", || {
            Hostile::scripted(|_| {
                Act::json(401, &json!({"error": "invalid_client", "error_description": "No such client"}))
            })
        }),
        ("a page to log in", || Hostile::start(Behaviour::LoginPage)),
        ("another kind of token", || {
            Hostile::scripted(|_| Act::json(200, &json!({"access_token": "x", "token_type": "DPoP"})))
        }),
        ("expires before it comes", || {
            Hostile::scripted(|_| Act::json(200, &json!({"access_token": "x", "expires_in": -5})))
        }),
        ("redirects", || Hostile::start(Behaviour::RedirectLoop)),
        ("not there", || Hostile::start(Behaviour::PlainNotFound)),
    ];
    let reference = Reference::good();
    let mut told = String::new();
    for (name, start) in scenes {
        let endpoint = start();
        let bench = Bench::new();
        let token_url = format!("http://127.0.0.1:{}/token", endpoint.port());
        let words =
            ["run", reference.url(), "--oauth-token-url", &token_url, "--oauth-client-id", "scimspec"];
        let ran = run(&bench, &[&words[..], &["--oauth-client-secret-env", VARIABLE]].concat());
        assert!(!ran.stdout.contains("test result"), "{name} ran something");
        told.push_str(&format!("# {name}\n{}", ran.trouble()));
    }
    insta::assert_snapshot!(told);
}

#[test]
fn a_run_with_a_client_of_an_authorization_server() {
    let endpoint = Hostile::scripted(|_| {
        Act::json(200, &json!({"access_token": TOKEN, "token_type": "Bearer", "expires_in": 300}))
    });
    let faults = vec![Fault::from_name("patch-ignored").unwrap()];
    let reference = Reference::start(ServerOptions { faults, ..ServerOptions::default() });
    let bench = Bench::new();
    bench.write(
        "scimspec.toml",
        &format!(
            "url = '{}'\n[oauth]\ntoken_url = 'http://127.0.0.1:{}/token?tenant=7'\nclient_id = 'scimspec'\n\
             client_secret_env = '{VARIABLE}'\n",
            reference.url(),
            endpoint.port()
        ),
    );
    let ran = run(
        &bench,
        &[
            "run",
            "--case",
            "patch-replace/*",
            "--case",
            "authentication/*",
            "--json",
            "run.json",
            "--junit",
            "junit.xml",
        ],
    );
    let ran = ran.exits(1);
    assert_eq!(endpoint.received().len(), 1, "one token serves the run and its clean-up");
    assert!(ran.stdout.contains(r#"-H "Authorization: Bearer ${SCIM_TOKEN}""#), "{}", ran.stdout);
    let report = bench.json("run.json");
    assert_eq!(
        report["target"]["credentials"],
        json!({"scheme": "oauth", "token_url": format!("http://127.0.0.1:{}/token", endpoint.port()),
            "client_id": "scimspec", "variable": VARIABLE})
    );
    assert_eq!(report["summary"]["clean_up"]["left_behind"], json!([]));
    let junit = bench.read("junit.xml");
    assert!(junit.contains("OAuth 2 client scimspec at http://127.0.0.1:"), "{junit}");
    // The cases about wrong and missing credentials are judged, and hold.
    let passed = |id: &str| {
        let outcomes = report["outcomes"].as_array().unwrap();
        outcomes
            .iter()
            .any(|it| it["id"].as_str().unwrap().starts_with(id) && it["verdict"]["kind"] == "passed")
    };
    assert!(passed("authentication/"), "{}", ran.stdout);

    let probed = run(&bench, &["probe"]).exits(0);
    assert!(probed.stdout.contains("oauth"), "{}", probed.stdout);
}

#[test]
fn a_run_with_a_client_certificate() {
    let reference = Reference::good();
    let authority = Authority::new();
    let port = RUNTIME.block_on(demanding(&authority, Some(reference.port())));
    let (certificate, key) = authority.issue("scimspec");
    let bench = Bench::new();
    bench.write("client.pem", &certificate.pem());
    bench.write("client.key", &key.serialize_pem());
    bench.write("authority.pem", &authority.pem());
    let url = format!("https://localhost:{port}/scim/v2");
    let said = |more: &str| {
        let line = format!(
            "run {url} --token-env {VARIABLE} --case create/* --json run.json --junit junit.xml {more}"
        );
        run(&bench, &line.split_whitespace().collect::<Vec<_>>())
    };
    let ran = said("--cacert authority.pem --cert client.pem --key client.key");
    let report = bench.json("run.json");
    assert!(report["summary"]["verdicts"]["passed"].as_u64().unwrap() > 3, "{}", ran.stdout);
    assert_eq!(
        report["target"]["access"],
        json!({"cacert": "authority.pem", "certificate": {"cert": "client.pem", "key": "client.key"}})
    );
    assert!(!ran.stderr.contains("warning") && !bench.read("run.json").contains("BEGIN"));

    let insecure = said("--insecure --cert client.pem --key client.key");
    assert!(
        insecure.stderr.contains("warning: certificates are not checked (--insecure)"),
        "{}",
        insecure.stderr
    );
    assert!(insecure.stdout.contains("insecure: certificates were not checked"), "{}", insecure.stdout);
    assert_eq!(bench.json("run.json")["target"]["access"]["insecure"], true);
    assert!(bench.read("junit.xml").contains(r#"name="insecure""#));

    let told: Vec<String> = [
        "--cacert authority.pem",
        "--cert client.pem --key client.key",
        "--cacert authority.pem --cert client.pem",
        "--cacert authority.pem --key client.key",
        "--cacert client.key --cert client.pem --key client.key",
    ]
    .iter()
    .map(|more| format!("# {more}\n{}", said(more).trouble()))
    .collect();
    insta::assert_snapshot!(stable(&told.concat()));
}
