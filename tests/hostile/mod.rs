//! A tiny server that misbehaves on purpose, below HTTP where it has to: each behaviour has a name. It runs on
//! threads of its own, needs no runtime, and ends when dropped.

#![allow(dead_code, reason = "each test binary uses its own part")]

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, LazyLock, Mutex};
use std::time::Duration;

use async_compression::tokio::write::GzipEncoder;
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt;

/// What the server does with every request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Behaviour {
    /// Reads the request and never answers.
    Hang,
    /// Announces a body and sends a byte of it every 20 ms.
    Drip,
    /// Sends the head of the answer a byte every 20 ms.
    DripHead,
    /// A body without end.
    Endless,
    /// 64 MiB of blanks in 64 KiB of gzip.
    GzipBomb,
    /// Says gzip and sends plain text.
    LyingEncoding,
    /// A body that is not JSON.
    InvalidJson,
    /// 100,000 arrays in each other.
    DeepNesting,
    /// A string with a byte that is not UTF-8.
    InvalidUtf8,
    /// The same member twice.
    DuplicateKeys,
    /// Half of the announced body.
    CloseMidBody,
    /// Closes the connection as soon as it is accepted.
    CloseAfterAccept,
    /// Reads the request and closes the connection.
    CloseBeforeAnswer,
    /// Greets like an SSH server.
    NotHttp,
    /// A head of four megabytes.
    HugeHeaders,
    /// A thousand headers.
    ManyHeaders,
    /// A header's value with a control byte.
    ControlByteInHeader,
    /// A header's value with bytes beyond ASCII, and terminal escapes in the body.
    Unprintable,
    /// 429 for ever, with `Retry-After: 0`.
    TooManyRequests,
    /// 429 for ever, without Retry-After.
    TooManyRequestsSilent,
    /// 429 that asks for an hour.
    TooManyRequestsHour,
    /// 500 with an HTML page.
    ServerErrorHtml,
    /// 200 with a log-in page.
    LoginPage,
    /// 401 with a challenge.
    Unauthorized,
    /// 404 with JSON that is no SCIM.
    PlainNotFound,
    /// 204 to everything.
    NoContent,
    /// A redirect to itself.
    RedirectLoop,
}

impl Behaviour {
    /// All of them.
    pub const ALL: [Behaviour; 27] = [
        Behaviour::Hang,
        Behaviour::Drip,
        Behaviour::DripHead,
        Behaviour::Endless,
        Behaviour::GzipBomb,
        Behaviour::LyingEncoding,
        Behaviour::InvalidJson,
        Behaviour::DeepNesting,
        Behaviour::InvalidUtf8,
        Behaviour::DuplicateKeys,
        Behaviour::CloseMidBody,
        Behaviour::CloseAfterAccept,
        Behaviour::CloseBeforeAnswer,
        Behaviour::NotHttp,
        Behaviour::HugeHeaders,
        Behaviour::ManyHeaders,
        Behaviour::ControlByteInHeader,
        Behaviour::Unprintable,
        Behaviour::TooManyRequests,
        Behaviour::TooManyRequestsSilent,
        Behaviour::TooManyRequestsHour,
        Behaviour::ServerErrorHtml,
        Behaviour::LoginPage,
        Behaviour::Unauthorized,
        Behaviour::PlainNotFound,
        Behaviour::NoContent,
        Behaviour::RedirectLoop,
    ];

    /// What this behaviour does with a request.
    pub fn act(self, request: &Received) -> Act {
        let body = |bytes: &[u8]| Act::Bytes(answer(200, &[], bytes));
        let head = |length: usize| {
            format!(
                "HTTP/1.1 200 OK\r\nContent-Type: application/scim+json\r\nContent-Length: {length}\r\n\r\n"
            )
            .into_bytes()
        };
        let with = |lines: &str| {
            Act::Bytes(format!("HTTP/1.1 200 OK\r\n{lines}Content-Length: 2\r\n\r\n{{}}").into())
        };
        let every = Duration::from_millis(20);
        match self {
            Behaviour::Hang => Act::Hang,
            Behaviour::Drip => Act::Drip { first: head(10_000), then: vec![b' '; 10_000], every },
            Behaviour::DripHead => Act::Drip { first: Vec::new(), then: answer(200, &[], b"{}"), every },
            Behaviour::Endless => Act::Endless {
                first: b"HTTP/1.1 200 OK\r\nContent-Type: application/scim+json\r\n\r\n[".to_vec(),
            },
            Behaviour::GzipBomb => Act::Bytes(answer(200, &[("Content-Encoding", "gzip")], &BOMB)),
            Behaviour::LyingEncoding => Act::Bytes(answer(200, &[("Content-Encoding", "gzip")], b"{}")),
            Behaviour::InvalidJson => body(br#"{"schemas": [}"#),
            Behaviour::DeepNesting => body("[".repeat(100_000).as_bytes()),
            Behaviour::InvalidUtf8 => body(b"{\"a\": \"\xff\"}"),
            Behaviour::DuplicateKeys => body(br#"{"id": "1", "id": "2"}"#),
            Behaviour::CloseMidBody => Act::Bytes([head(100), br#"{"schemas""#.to_vec()].concat()),
            Behaviour::CloseAfterAccept | Behaviour::CloseBeforeAnswer => Act::Close,
            Behaviour::NotHttp => Act::Bytes(b"SSH-2.0-OpenSSH_9.6\r\n".to_vec()),
            Behaviour::HugeHeaders => with(&format!("X-Huge: {}\r\n", "x".repeat(4 << 20))),
            Behaviour::ManyHeaders => with(&"X-Many: x\r\n".repeat(1000)),
            Behaviour::ControlByteInHeader => with("X-Odd: a\u{1}b\r\n"),
            Behaviour::Unprintable => Act::Bytes(
                [
                    b"HTTP/1.1 200 OK\r\nX-Odd: caf\xe9 \xff\r\nContent-Length: 20\r\n\r\n".as_slice(),
                    b"\"\\u001b[31m \xef\xbf\xbe ]]>\"",
                ]
                .concat(),
            ),
            Behaviour::TooManyRequests => Act::Bytes(answer(429, &[("Retry-After", "0")], b"{}")),
            Behaviour::TooManyRequestsSilent => Act::Bytes(answer(429, &[], b"{}")),
            Behaviour::TooManyRequestsHour => Act::Bytes(answer(429, &[("Retry-After", "3600")], b"{}")),
            Behaviour::ServerErrorHtml => {
                Act::Bytes(answer(500, &[("Content-Type", "text/html")], b"<html>Oops</html>"))
            }
            Behaviour::LoginPage => Act::Bytes(answer(
                200,
                &[("Content-Type", "text/html")],
                b"<!doctype html><form>Log in</form>",
            )),
            Behaviour::Unauthorized => {
                let error = error(401, "no");
                Act::Bytes(answer(
                    401,
                    &[("WWW-Authenticate", "Bearer realm=\"x\"")],
                    error.to_string().as_bytes(),
                ))
            }
            Behaviour::PlainNotFound => Act::Bytes(answer(404, &[], br#"{"error": "Not Found"}"#)),
            Behaviour::NoContent => {
                Act::Bytes(b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n".to_vec())
            }
            Behaviour::RedirectLoop => {
                let to = if request.path.ends_with("/a") { "/b" } else { "/a" };
                Act::Bytes(answer(307, &[("Location", to)], b""))
            }
        }
    }
}

/// A request that arrived.
#[derive(Debug, Clone)]
pub struct Received {
    pub method: String,
    /// The target with its query.
    pub path: String,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Received {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(known, _)| known.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
    }

    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or(Value::Null)
    }
}

/// What is done with one request.
pub enum Act {
    Bytes(Vec<u8>),
    /// Keeps the connection open behind the answer, and closes it on the next request.
    Forsake(Vec<u8>),
    Drip {
        first: Vec<u8>,
        then: Vec<u8>,
        every: Duration,
    },
    Endless {
        first: Vec<u8>,
    },
    Hang,
    Close,
    /// Closes the connection and stops to listen: the server has died.
    Die,
}

impl Act {
    pub fn json(status: u16, body: &Value) -> Act {
        Act::Bytes(answer(status, &[], body.to_string().as_bytes()))
    }
}

/// A SCIM error.
pub fn error(status: u16, detail: &str) -> Value {
    json!({"schemas": ["urn:ietf:params:scim:api:messages:2.0:Error"], "status": status.to_string(), "detail": detail})
}

/// An HTTP answer, whole.
pub fn answer(status: u16, headers: &[(&str, &str)], body: &[u8]) -> Vec<u8> {
    let mut head =
        format!("HTTP/1.1 {status} Whatever\r\nConnection: close\r\nContent-Length: {}\r\n", body.len());
    if !headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("content-type")) {
        head.push_str("Content-Type: application/scim+json\r\n");
    }
    for (name, value) in headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    head.push_str("\r\n");
    [head.into_bytes(), body.to_vec()].concat()
}

/// Made once: in a debug build it takes its time.
static BOMB: LazyLock<Vec<u8>> = LazyLock::new(|| {
    // On a thread of its own, since the caller may be inside of a runtime.
    std::thread::spawn(|| tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(bomb()))
        .join()
        .unwrap()
});

async fn bomb() -> Vec<u8> {
    let mut encoder = GzipEncoder::new(Vec::new());
    let blanks = vec![b' '; 1 << 20];
    for _ in 0..64 {
        encoder.write_all(&blanks).await.unwrap();
    }
    encoder.shutdown().await.unwrap();
    encoder.into_inner()
}

type Script = dyn Fn(&Received) -> Act + Send + Sync;

/// The server.
pub struct Hostile {
    port: u16,
    shared: Arc<Shared>,
}

struct Shared {
    port: u16,
    script: Box<Script>,
    close_at_once: bool,
    received: Mutex<Vec<Received>>,
    connections: AtomicUsize,
    stopping: AtomicBool,
}

impl Hostile {
    /// Misbehaves in one way, always.
    pub fn start(behaviour: Behaviour) -> Hostile {
        if behaviour == Behaviour::GzipBomb {
            LazyLock::force(&BOMB);
        }
        Hostile::launch(
            Box::new(move |request| behaviour.act(request)),
            behaviour == Behaviour::CloseAfterAccept,
        )
    }

    /// Answers as the script says.
    pub fn scripted(script: impl Fn(&Received) -> Act + Send + Sync + 'static) -> Hostile {
        Hostile::launch(Box::new(script), false)
    }

    fn launch(script: Box<Script>, close_at_once: bool) -> Hostile {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let shared = Arc::new(Shared {
            port,
            script,
            close_at_once,
            received: Mutex::default(),
            connections: AtomicUsize::new(0),
            stopping: AtomicBool::new(false),
        });
        let accepting = Arc::clone(&shared);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                if accepting.stopping.load(Ordering::SeqCst) {
                    return;
                }
                accepting.connections.fetch_add(1, Ordering::SeqCst);
                let serving = Arc::clone(&accepting);
                if let Ok(stream) = stream {
                    std::thread::spawn(move || serving.serve(stream));
                }
            }
        });
        Hostile { port, shared }
    }

    /// `http://127.0.0.1:PORT/scim/v2`.
    pub fn base_url(&self) -> url::Url {
        format!("http://127.0.0.1:{}/scim/v2", self.port).parse().unwrap()
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    /// Everything that arrived so far.
    pub fn received(&self) -> Vec<Received> {
        self.shared.received.lock().unwrap().clone()
    }

    /// Method and path of everything that arrived so far.
    pub fn lines(&self) -> Vec<String> {
        self.received().iter().map(|request| format!("{} {}", request.method, request.path)).collect()
    }

    pub fn connections(&self) -> usize {
        self.shared.connections.load(Ordering::SeqCst)
    }
}

impl Drop for Hostile {
    fn drop(&mut self) {
        self.shared.stop();
    }
}

impl Shared {
    fn stop(&self) {
        self.stopping.store(true, Ordering::SeqCst);
        // Wakes the accepting thread, so that it sees the flag.
        let _ = TcpStream::connect(("127.0.0.1", self.port));
    }

    fn serve(&self, mut stream: TcpStream) {
        if self.close_at_once {
            return;
        }
        let Some(request) = read(&mut stream) else { return };
        self.received.lock().unwrap().push(request.clone());
        let stopped = || self.stopping.load(Ordering::SeqCst);
        match (self.script)(&request) {
            Act::Close => {}
            Act::Die => return self.stop(),
            Act::Bytes(bytes) => {
                let _ = stream.write_all(&bytes);
            }
            Act::Forsake(bytes) => {
                let _ = stream.write_all(&bytes);
                let _ = stream.set_read_timeout(Some(Duration::from_secs(2)));
                let _ = stream.read(&mut [0; 1024]);
                return;
            }
            Act::Hang => {
                while !stopped() {
                    std::thread::sleep(Duration::from_millis(20));
                }
            }
            Act::Drip { first, then, every } => {
                if stream.write_all(&first).is_err() {
                    return;
                }
                for byte in then {
                    if stopped() || stream.write_all(&[byte]).is_err() {
                        return;
                    }
                    std::thread::sleep(every);
                }
            }
            Act::Endless { first } => {
                let chunk = vec![b' '; 64 << 10];
                let mut going = stream.write_all(&first).is_ok();
                while going && !stopped() {
                    going = stream.write_all(&chunk).is_ok();
                }
            }
        }
        // A plain drop with unread input would reset the connection under the answer.
        let _ = stream.shutdown(Shutdown::Write);
        let _ = stream.set_read_timeout(Some(Duration::from_millis(200)));
        let _ = stream.read(&mut [0; 1024]);
    }
}

fn read(stream: &mut TcpStream) -> Option<Received> {
    let mut bytes = Vec::new();
    let mut chunk = [0; 8192];
    let end = loop {
        if let Some(at) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
            break at;
        }
        match stream.read(&mut chunk) {
            Ok(0) | Err(_) => return None,
            Ok(read) => bytes.extend_from_slice(&chunk[..read]),
        }
    };
    let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
    let mut lines = head.split("\r\n");
    let mut first = lines.next()?.split(' ');
    let (method, path) = (first.next()?.to_owned(), first.next()?.to_owned());
    let headers: Vec<(String, String)> = lines
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.to_owned(), value.trim().to_owned()))
        .collect();
    let mut request = Received { method, path, headers, body: bytes[end + 4..].to_vec() };
    let length = request.header("content-length").and_then(|length| length.parse().ok()).unwrap_or(0);
    while request.body.len() < length {
        match stream.read(&mut chunk) {
            Ok(0) | Err(_) => return None,
            Ok(read) => request.body.extend_from_slice(&chunk[..read]),
        }
    }
    Some(request)
}

/// Passes a request on to the server at a port of this machine and gives its answer, in which it takes the other's
/// place: absolute URLs lead back to where the request was sent.
pub fn forward(port: u16, request: &Received) -> Act {
    let Some(answer) = forwarded(port, request) else { return Act::Close };
    let here = request.header("host").unwrap_or_default().to_owned();
    let there = format!("127.0.0.1:{port}");
    // Ports that the system hands out have five digits, so that lengths stay what they are.
    assert_eq!(here.len(), there.len());
    let mut answer = answer;
    let mut at = 0;
    while let Some(found) = answer[at..].windows(there.len()).position(|part| part == there.as_bytes()) {
        answer[at + found..at + found + there.len()].copy_from_slice(here.as_bytes());
        at += found + there.len();
    }
    Act::Bytes(answer)
}

/// The answer of the server at that port, byte for byte; `None` if it has gone.
pub fn forwarded(port: u16, request: &Received) -> Option<Vec<u8>> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).ok()?;
    let mut head = format!(
        "{} {} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nConnection: close\r\n",
        request.method, request.path
    );
    for (name, value) in &request.headers {
        if !["host", "connection"].contains(&name.to_ascii_lowercase().as_str()) {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
    }
    head.push_str("\r\n");
    stream.write_all(&[head.into_bytes(), request.body.clone()].concat()).ok()?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).ok()?;
    Some(answer)
}

/// A small directory with just enough SCIM to create, list, read and delete, for scripts to build upon.
#[derive(Default)]
pub struct Directory {
    rows: Mutex<Vec<(String, Value)>>,
    next: AtomicUsize,
}

impl Directory {
    /// Puts a resource there that is nobody's in particular.
    pub fn plant(&self, endpoint: &str, resource: Value) {
        self.rows.lock().unwrap().push((endpoint.to_owned(), resource));
    }

    /// What is there.
    pub fn rows(&self) -> Vec<Value> {
        self.rows.lock().unwrap().iter().map(|(_, row)| row.clone()).collect()
    }

    /// Stores a new resource and returns it as it would be answered.
    pub fn create(&self, endpoint: &str, mut resource: Value) -> Value {
        let id = format!("id-{}", self.next.fetch_add(1, Ordering::SeqCst));
        if !resource.is_object() {
            resource = json!({});
        }
        resource["id"] = json!(id);
        self.plant(endpoint, resource.clone());
        resource
    }

    /// Answers like a decent service provider.
    pub fn act(&self, request: &Received) -> Act {
        let path = request.path.strip_prefix("/scim/v2").unwrap_or(&request.path);
        let (path, query) = path.split_once('?').unwrap_or((path, ""));
        let mut segments = path.trim_matches('/').splitn(2, '/');
        let endpoint = format!("/{}", segments.next().unwrap_or_default());
        let id = segments.next().map(str::to_owned);
        let mine = |(at, row): &(String, Value)| *at == endpoint && row["id"].as_str() == id.as_deref();
        match (request.method.as_str(), &id) {
            ("POST", None) => Act::json(201, &self.create(&endpoint, request.json())),
            ("GET", None) => {
                let wanted = query.split('&').find_map(|pair| pair.strip_prefix("filter=")).map(|filter| {
                    let filter =
                        percent_encoding::percent_decode_str(filter).decode_utf8_lossy().into_owned();
                    let mut words = filter.splitn(3, ' ').map(str::to_owned).collect::<Vec<_>>();
                    let value = words.pop().unwrap_or_default().trim_matches('"').to_owned();
                    (words[0].clone(), words[1] == "eq", value)
                });
                let rows = self.rows.lock().unwrap();
                let found: Vec<&Value> = rows
                    .iter()
                    .filter(|(at, _)| *at == endpoint)
                    .map(|(_, row)| row)
                    .filter(|row| match &wanted {
                        None => true,
                        Some((name, true, value)) => row[name.as_str()] == json!(value),
                        Some((name, false, value)) => {
                            row[name.as_str()].as_str().is_some_and(|text| text.contains(value.as_str()))
                        }
                    })
                    .collect();
                Act::json(
                    200,
                    &json!({"schemas": ["urn:ietf:params:scim:api:messages:2.0:ListResponse"],
                        "totalResults": found.len(), "Resources": found}),
                )
            }
            ("GET", Some(_)) => match self.rows.lock().unwrap().iter().find(|row| mine(row)) {
                Some((_, row)) => Act::json(200, row),
                None => Act::json(404, &error(404, "no such resource")),
            },
            ("DELETE", Some(_)) => {
                let mut rows = self.rows.lock().unwrap();
                let before = rows.len();
                rows.retain(|row| !mine(row));
                if rows.len() < before {
                    Act::Bytes(b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n".to_vec())
                } else {
                    Act::json(404, &error(404, "no such resource"))
                }
            }
            _ => Act::json(405, &error(405, "no")),
        }
    }
}

/// A TLS server with a certificate that nobody signed; every connection gets `{}`.
pub async fn tls_server() -> (u16, String) {
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let key = rustls::pki_types::PrivateKeyDer::Pkcs8(made.signing_key.serialize_der().into());
    let config =
        rustls::ServerConfig::builder_with_provider(Arc::new(rustls::crypto::aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![made.cert.der().clone()], key)
            .unwrap();
    let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(config));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let acceptor = acceptor.clone();
            tokio::spawn(async move {
                use tokio::io::{AsyncReadExt, AsyncWriteExt};
                let Ok(mut stream) = acceptor.accept(stream).await else { return };
                let _ = stream.read(&mut [0; 4096]).await;
                let _ = stream.write_all(&answer(200, &[], b"{}")).await;
                let _ = stream.shutdown().await;
            });
        }
    });
    (port, made.cert.pem())
}
