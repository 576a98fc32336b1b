//! Why no answer came: the HTTP client's errors turned into [`TransportFailure`], each with a hint for people.

use std::error::Error;
use std::io;
use std::time::Duration;

use super::exchange::TransportFailure;
use super::options::Limits;

/// A name that does not resolve; made by our resolver so that it can be told from other trouble by its type.
#[derive(Debug, thiserror::Error)]
#[error("{why}")]
pub(crate) struct Unresolved {
    pub(crate) host: String,
    pub(crate) why: String,
}

/// The system's resolver, with an error that keeps its type.
#[derive(Debug)]
pub(crate) struct SystemResolver;

impl reqwest::dns::Resolve for SystemResolver {
    fn resolve(&self, name: reqwest::dns::Name) -> reqwest::dns::Resolving {
        let host = name.as_str().to_owned();
        Box::pin(async move {
            let found = tokio::net::lookup_host((host.as_str(), 0)).await.map(Iterator::collect::<Vec<_>>);
            match found {
                Ok(addresses) => {
                    let addresses: reqwest::dns::Addrs = Box::new(addresses.into_iter());
                    Ok(addresses)
                }
                Err(error) => Err(Unresolved { host, why: error.to_string() }.into()),
            }
        })
    }
}

/// The failure that this error is. `address` is host and port of the target.
pub(crate) fn classify(error: &reqwest::Error, address: &str, limits: &Limits) -> TransportFailure {
    let address = address.to_owned();
    let mut refused = None;
    let mut closed = None;
    for cause in causes(error) {
        if let Some(unresolved) = cause.downcast_ref::<Unresolved>() {
            return TransportFailure::Resolve { host: unresolved.host.clone(), why: unresolved.why.clone() };
        }
        if let Some(tls) = cause.downcast_ref::<rustls::Error>() {
            return TransportFailure::Tls { address, why: tls.to_string() };
        }
        if let Some(http) = cause.downcast_ref::<hyper::Error>() {
            if http.is_parse() {
                return TransportFailure::NotHttp { why: http.to_string() };
            }
            if http.is_incomplete_message() || http.is_canceled() || http.is_closed() {
                closed = Some(http.to_string());
            }
        }
        if let Some(system) = cause.downcast_ref::<io::Error>() {
            if let Some(tls) = wrapped_tls(system) {
                return TransportFailure::Tls { address, why: tls.to_string() };
            }
            if matches!(
                system.kind(),
                io::ErrorKind::ConnectionReset
                    | io::ErrorKind::ConnectionAborted
                    | io::ErrorKind::BrokenPipe
                    | io::ErrorKind::UnexpectedEof
            ) {
                closed = Some(system.to_string());
            } else {
                refused = Some(system.to_string());
            }
        }
    }
    if error.is_timeout() {
        return TransportFailure::TimedOut {
            limit: if error.is_connect() { limits.connect } else { limits.request },
        };
    }
    match (error.is_connect(), refused, closed) {
        (true, Some(why), _) => TransportFailure::Connect { address, why },
        (true, None, Some(why)) => TransportFailure::Closed { why: format!("while connecting: {why}") },
        (true, None, None) => TransportFailure::Connect { address, why: innermost(error) },
        (false, _, Some(why)) => TransportFailure::Closed { why },
        (false, Some(why), None) => TransportFailure::Closed { why },
        (false, None, None) => TransportFailure::Closed { why: innermost(error) },
    }
}

/// What to do about it, for people.
pub fn hint(failure: &TransportFailure) -> String {
    match failure {
        TransportFailure::Resolve { host, .. } => {
            format!("check the spelling of '{host}', and whether a VPN is needed")
        }
        TransportFailure::Connect { address, .. } => {
            format!("is the server running, and does it listen on {address}?")
        }
        TransportFailure::Tls { why, .. } if why.contains("UnknownIssuer") || why.contains("CaUsedAsEndEntity") => {
            "the certificate is not signed by an authority that this machine trusts; trust its authority with \
             --cacert FILE, or take any certificate with --insecure"
                .to_owned()
        }
        TransportFailure::Tls { why, .. } if why.contains("received fatal alert") && wants_certificate(why) => {
            "the server asks for a client certificate: --cert FILE --key FILE; if one was given, the server does not \
             take it, and its log should say why"
                .to_owned()
        }
        TransportFailure::Tls { why, .. } if why.contains("Expired") => {
            "renew the certificate; --insecure tests the server in the meantime".to_owned()
        }
        TransportFailure::Tls { why, .. } if why.contains("NotValidForName") || why.contains("not valid for") => {
            "the certificate is for another name; use that name in the URL".to_owned()
        }
        TransportFailure::Tls { why, .. } if why.contains("corrupt message") || why.contains("InvalidContentType") => {
            "the port does not seem to speak TLS; try http:// instead of https://".to_owned()
        }
        TransportFailure::Tls { .. } => "check the certificate and the TLS versions of the server".to_owned(),
        TransportFailure::TimedOut { limit } if *limit < Duration::from_secs(5) => {
            "the time limit is short; raise it if the server is slow rather than stuck".to_owned()
        }
        TransportFailure::TimedOut { .. } => {
            "the server accepts connections but does not answer, or a firewall swallows them".to_owned()
        }
        TransportFailure::Closed { .. } => {
            "the server, or something before it, hangs up; its log should say why".to_owned()
        }
        TransportFailure::NotHttp { why } if why.contains("head is too large") => {
            "its answers carry more in their headers than HTTP clients read; a proxy before it may add them".to_owned()
        }
        TransportFailure::NotHttp { .. } => {
            "something else than an HTTP server listens there; if it speaks TLS, use https://".to_owned()
        }
        TransportFailure::NotSent { .. } => "raise --requests, or run fewer cases".to_owned(),
        TransportFailure::NoToken { hint, .. } => hint.clone(),
    }
}

/// Whether an alert of the server's is about the certificate of the client (RFC 8446 section 6.2).
fn wants_certificate(alert: &str) -> bool {
    let alerts = [
        "CertificateRequired",
        "BadCertificate",
        "UnsupportedCertificate",
        "CertificateRevoked",
        "CertificateExpired",
        "CertificateUnknown",
        "UnknownCA",
        "AccessDenied",
        "HandshakeFailure",
        "DecryptError",
    ];
    alerts.iter().any(|name| alert.contains(name))
}

/// The TLS error inside of an `io::Error`, which its `source` steps over; such errors may be wrapped twice.
fn wrapped_tls(error: &io::Error) -> Option<&rustls::Error> {
    let mut error = error;
    for _ in 0..4 {
        let inner = error.get_ref()?;
        match inner.downcast_ref::<rustls::Error>() {
            Some(tls) => return Some(tls),
            None => error = inner.downcast_ref::<io::Error>()?,
        }
    }
    None
}

fn causes<'a>(error: &'a (dyn Error + 'static)) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    std::iter::successors(Some(error), |&error| error.source()).take(16)
}

/// The text of the innermost cause, which is the one that says something.
pub(crate) fn innermost(error: &(dyn Error + 'static)) -> String {
    causes(error).last().map(|cause| shorten(&cause.to_string(), 300)).unwrap_or_default()
}

/// The text, cut to that many characters.
pub(crate) fn shorten(text: &str, most: usize) -> String {
    match text.char_indices().nth(most) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}
