//! Whatever a service provider does with the operator's secret in its answers, the secret stands in no exchange, and so
//! in nothing that is made of one.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE, URL_SAFE_NO_PAD};
use scimspec::target::exchange::Exchange;
use scimspec::target::{Credentials, Limits, RequestPlan, Target, TargetOptions};
use serde_json::json;
use tokio::runtime::Runtime;

use crate::choices::Choices;
use crate::hostile::{Act, Hostile, answer};
use crate::reports::each_text;

/// The letters of a secret: all that a bearer token may be made of (RFC 6750 section 2.1), quotes that some use, and
/// no more.
const LETTERS: &[u8] = b"abcXYZ019-._~+/=\"\\&<>'%";

/// A server that answers as it is told, and a way to ask it.
pub struct Echo {
    server: Hostile,
    next: Arc<Mutex<Vec<u8>>>,
    runtime: Runtime,
}

impl Echo {
    pub fn start() -> Echo {
        let next = Arc::new(Mutex::new(Vec::new()));
        let serving = Arc::clone(&next);
        let server = Hostile::scripted(move |_| Act::Bytes(serving.lock().expect("no panic").clone()));
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        Echo { server, next, runtime }
    }

    /// Answers with the secret in a form made by chance, and looks for it and its other forms in what is kept.
    pub fn check(&self, bytes: &[u8]) {
        let mut choices = Choices::new(bytes);
        let letters = |choices: &mut Choices<'_>| char::from(choices.pick(LETTERS));
        // Long enough to stand nowhere by chance.
        let secret: String = (0..12 + choices.below(30)).map(|_| letters(&mut choices)).collect();
        let secret = format!("k9{secret}q");
        let body = match choices.below(3) {
            0 => json_with(&secret, &mut choices),
            1 => format!("<p>no access for {}</p>", form(&secret, &mut choices)),
            _ => format!("{{\"detail\": \"{}", json_text(&form(&secret, &mut choices), &mut choices)),
        };
        let header = form(&secret, &mut choices);
        let status = choices.pick(&[200_u16, 401, 500]);
        let headers = [("X-Echo", header.as_str()), ("WWW-Authenticate", "Bearer realm=\"x\"")];
        *self.next.lock().expect("no panic") = answer(status, &headers, body.as_bytes());
        let exchange = self.ask(&secret);
        let response = exchange.response().unwrap_or_else(|| panic!("no answer: {:?}", exchange.answer));
        let mut shown = vec![response.body.text()];
        shown.extend(response.headers.iter().map(|(_, value)| value.clone()));
        shown.extend(exchange.request.headers.iter().map(|(_, value)| value.clone()));
        if let Ok(json) = response.body.json() {
            each_text(json, &mut |text| shown.push(text.to_owned()));
        }
        for known in (0..FORMS).map(|how| form_of(&secret, how)) {
            for text in &shown {
                assert!(!text.contains(&known), "{known} stands in {text:.500}, which came as {body:.500}");
            }
        }
    }

    fn ask(&self, secret: &str) -> Arc<Exchange> {
        self.runtime.block_on(async {
            let auth = Credentials::bearer(secret).expect("it can be sent");
            let limits = Limits { request: Duration::from_secs(10), ..Limits::default() };
            let options =
                TargetOptions { auth, limits, ..TargetOptions::new(self.server.base_url(), "s0proof00") };
            let target = Target::new(options).expect("the options are sound");
            target.send(RequestPlan::get("/Users", "test")).await.expect("nothing is touched").exchange
        })
    }
}

/// A form in which a secret may come back, on one line.
fn form(secret: &str, choices: &mut Choices<'_>) -> String {
    form_of(secret, choices.below(FORMS))
}

const FORMS: usize = 8;

fn form_of(secret: &str, how: usize) -> String {
    match how {
        0 => STANDARD.encode(secret),
        1 => STANDARD_NO_PAD.encode(secret),
        2 => URL_SAFE.encode(secret),
        3 => URL_SAFE_NO_PAD.encode(secret),
        4 => url::form_urlencoded::byte_serialize(secret.as_bytes()).collect(),
        5 => format!("Bearer {secret}"),
        6 => format!("{secret}{secret}"),
        _ => secret.to_owned(),
    }
}

/// JSON with the secret somewhere in it: as a value, within one, as a name.
fn json_with(secret: &str, choices: &mut Choices<'_>) -> String {
    let said = json_text(&form(secret, choices), choices);
    let plain = json!({"schemas": ["urn:x"], "id": "1"}).to_string();
    let inner = match choices.below(4) {
        0 => format!("\"detail\": \"{said}\""),
        1 => format!("\"detail\": \"token '{said}' is not known\""),
        2 => format!("\"{said}\": [1]"),
        _ => format!("\"emails\": [{{\"value\": \"{said}\", \"display\": \"{said}{said}\"}}]"),
    };
    format!("{}, {inner}}}", plain.trim_end_matches('}'))
}

/// A text as it may stand in JSON: some characters escaped that need not be (RFC 8259 section 7).
fn json_text(text: &str, choices: &mut Choices<'_>) -> String {
    let how = choices.below(4);
    let mut escaped = String::new();
    for c in text.chars() {
        let must = matches!(c, '"' | '\\');
        let may = match how {
            0 => false,
            // As libraries do that want their JSON to be safe inside HTML.
            1 => matches!(c, '<' | '>' | '&' | '\'' | '=' | '+'),
            2 => choices.once_in(2),
            _ => true,
        };
        match (must, may, c) {
            (_, true, c) if choices.once_in(2) => escaped.push_str(&format!("\\u{:04X}", u32::from(c))),
            (_, true, '/') => escaped.push_str("\\/"),
            (_, true, c) => escaped.push_str(&format!("\\u{:04x}", u32::from(c))),
            (true, false, c) => escaped.extend(['\\', c]),
            (false, false, c) => escaped.push(c),
        }
    }
    escaped
}
