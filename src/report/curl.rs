//! The curl command that makes a request again, by hand.
//!
//! Secrets stand in it as the variables that hold them: a report never knew more. What cannot be reproduced
//! from a report (a body that was shortened) is said in a comment.

use super::model::{CredentialNames, ExchangeRecord, HeaderRecord, RequestRecord, TargetIdentity};
use super::text;

/// What a masked credential reads as.
const MASK: &str = "***";

/// Headers that curl sets itself, or that only identify the run.
const OWN: [&str; 9] = [
    "host",
    "user-agent",
    "content-length",
    "accept-encoding",
    "connection",
    "traceparent",
    "transfer-encoding",
    "cookie",
    "expect",
];

/// Wider commands are broken into a line for each option.
const LINE: usize = 100;

/// The command for an exchange, in one or more lines that a POSIX shell reads as one.
pub fn command(exchange: &ExchangeRecord, target: &TargetIdentity) -> String {
    let request = &exchange.request;
    let mut parts = Vec::new();
    match request.method.as_str() {
        "GET" if request.body.is_none() => {}
        "HEAD" => parts.push("--head".to_owned()),
        method => parts.push(format!("-X {}", quote(method))),
    }
    let mut sent_type = false;
    for header in &request.headers {
        if OWN.iter().any(|own| own.eq_ignore_ascii_case(&header.name)) {
            continue;
        }
        sent_type |= header.name.eq_ignore_ascii_case("content-type");
        parts.push(option(header, request, target));
    }
    parts.extend(connection(request, target));
    let mut remark = "";
    if let Some(body) = &request.body {
        if !sent_type {
            // Without this, curl adds a media type that was not sent.
            parts.push("-H 'Content-Type:'".to_owned());
        }
        parts.push(format!("--data-binary {}", quote(&body.text)));
        if body.shortened {
            remark = "# the body is shortened here: the report does not hold all of it\n";
        }
    }
    let head = "curl -sSi";
    let url = quote(&request.url);
    let whole = format!("{head} {} {url}", parts.join(" "));
    if parts.is_empty() {
        format!("{head} {url}")
    } else if whole.len() <= LINE {
        format!("{remark}{whole}")
    } else {
        format!("{remark}{head} {url} \\\n  {}", parts.join(" \\\n  "))
    }
}

/// One header as an option: `-H 'Accept: application/scim+json'`, or with the variable of a secret.
fn option(header: &HeaderRecord, request: &RequestRecord, target: &TargetIdentity) -> String {
    let HeaderRecord { name, value } = header;
    if !value.contains(MASK) {
        return format!("-H {}", quote(&format!("{name}: {value}")));
    }
    let second = target.access.second.as_ref().filter(|_| request.second);
    let own = second.into_iter().filter_map(|second| second.header.as_ref()).chain(&target.headers);
    if let Some(own) = own.into_iter().find(|own| own.name.eq_ignore_ascii_case(name)) {
        return format!("-H {}", quote_with_variables(&format!("{name}: {}", own.value)));
    }
    match second.map_or(&target.credentials, |second| &second.credentials) {
        CredentialNames::Basic { user, variable } => {
            format!("-u {}", quote_with_variables(&format!("{user}:${{{variable}}}")))
        }
        CredentialNames::Bearer { variable } => {
            format!("-H {}", quote_with_variables(&format!("{name}: Bearer ${{{variable}}}")))
        }
        CredentialNames::None | CredentialNames::Header { .. } | CredentialNames::OAuth { .. } => {
            let token = CredentialNames::TOKEN;
            format!("-H {}", quote_with_variables(&format!("{name}: Bearer ${{{token}}}")))
        }
    }
}

/// What makes the connection the same: whose certificate is shown, which are trusted.
fn connection(request: &RequestRecord, target: &TargetIdentity) -> Vec<String> {
    if !request.url.starts_with("https:") {
        return Vec::new();
    }
    let access = &target.access;
    let second = access.second.as_ref().filter(|_| request.second);
    let certificate = second.and_then(|second| second.certificate.as_ref()).or(access.certificate.as_ref());
    let files = [
        ("--cert", certificate.map(|files| &files.cert)),
        ("--key", certificate.and_then(|files| files.key.as_ref())),
        ("--cacert", access.cacert.as_ref()),
    ];
    let mut parts: Vec<String> = files
        .into_iter()
        .filter_map(|(name, file)| file.map(|file| format!("{name} {}", quote(file))))
        .collect();
    if access.insecure {
        parts.push("-k".to_owned());
    }
    parts
}

/// A word as a POSIX shell reads it literally. What a terminal would act on is written in `$'…'`, which every
/// common shell knows.
pub fn quote(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:@%+=,~".contains(c);
    if !word.is_empty() && word.chars().all(plain) && !word.starts_with('~') {
        return word.to_owned();
    }
    if text::visible(word) == word && !word.contains('\n') {
        return format!("'{}'", word.replace('\'', r"'\''"));
    }
    let mut quoted = String::from("$'");
    for c in word.chars() {
        match c {
            '\'' | '\\' => quoted.extend(['\\', c]),
            '\n' => quoted.push_str("\\n"),
            '\t' => quoted.push_str("\\t"),
            c if text::visible(c.encode_utf8(&mut [0; 4])) == c.encode_utf8(&mut [0; 4]) as &str => {
                quoted.push(c)
            }
            c => {
                for byte in c.encode_utf8(&mut [0; 4]).bytes() {
                    quoted.push_str(&format!("\\x{byte:02x}"));
                }
            }
        }
    }
    quoted.push('\'');
    quoted
}

/// A word in which `${VAR}` stays for the shell to fill in, and nothing else does.
fn quote_with_variables(word: &str) -> String {
    let mut quoted = String::from('"');
    let mut rest = text::one_line(word);
    while let Some(at) = rest.find(['$', '"', '`', '\\']) {
        let special = rest.split_off(at);
        quoted.push_str(&rest);
        let variable = special.strip_prefix("${").and_then(|tail| tail.split_once('}')).map(|(name, _)| name);
        let taken = match variable {
            Some(name) if is_variable(name) => {
                quoted.push_str(&format!("${{{name}}}"));
                name.len() + 3
            }
            _ => {
                quoted.push('\\');
                quoted.push_str(&special[..1]);
                1
            }
        };
        rest = special[taken..].to_owned();
    }
    quoted.push_str(&rest);
    quoted.push('"');
    quoted
}

/// Whether a word is the name of a variable.
fn is_variable(name: &str) -> bool {
    !name.is_empty()
        && !name.starts_with(|c: char| c.is_ascii_digit())
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::model::{AccessNames, CertificateFiles, SecondNames};

    #[test]
    fn words_survive_the_shell() {
        for word in [
            "http://x/Users?filter=a%20eq",
            "it's",
            "a\nb",
            "\u{1b}[31m\t\\",
            "",
            "$HOME `id` \"q\" !x",
            "日本",
            "~root",
            "create/x[row]",
            "\u{202e}\\'",
        ] {
            let out = std::process::Command::new("bash")
                .args(["-c", &format!("printf %s {}", quote(word))])
                .output()
                .unwrap();
            assert_eq!(String::from_utf8_lossy(&out.stdout), word, "{}", quote(word));
        }
    }

    fn header(name: &str, value: &str) -> HeaderRecord {
        HeaderRecord { name: name.to_owned(), value: value.to_owned() }
    }

    fn target() -> TargetIdentity {
        let files = |name: &str| CertificateFiles {
            cert: format!("{name}.pem"),
            key: Some(format!("my {name}.key")),
        };
        TargetIdentity {
            base_url: "https://h/scim".to_owned(),
            embedded: false,
            product: None,
            documentation: None,
            credentials: CredentialNames::OAuth {
                token_url: "https://id/token".to_owned(),
                client_id: "c".to_owned(),
                variable: "CLIENT_SECRET".to_owned(),
            },
            headers: vec![header("X-Api-Key", "${API_KEY}")],
            access: AccessNames {
                insecure: true,
                cacert: Some("ca.pem".to_owned()),
                certificate: Some(files("one")),
                second: Some(SecondNames {
                    credentials: CredentialNames::Header {
                        name: "Authorization".to_owned(),
                        variables: vec!["SECOND".to_owned()],
                    },
                    header: Some(header("Authorization", "SSWS ${SECOND}")),
                    certificate: Some(files("two")),
                }),
            },
        }
    }

    fn request(second: bool) -> RequestRecord {
        RequestRecord {
            method: "GET".to_owned(),
            url: "https://h/scim/Users".to_owned(),
            path: "/Users".to_owned(),
            headers: vec![header("Authorization", "***"), header("X-Api-Key", "***")],
            body: None,
            second,
        }
    }

    #[test]
    fn each_tenant_is_let_in_by_what_is_its_own() {
        let target = target();
        let shown = |second| {
            let request = request(second);
            let headers = request.headers.iter().map(|it| option(it, &request, &target));
            headers.chain(connection(&request, &target)).collect::<Vec<_>>().join(" ")
        };
        assert_eq!(
            shown(false),
            "-H \"Authorization: Bearer ${SCIM_TOKEN}\" -H \"X-Api-Key: ${API_KEY}\" --cert one.pem --key 'my one.key' \
             --cacert ca.pem -k"
        );
        assert_eq!(
            shown(true),
            "-H \"Authorization: SSWS ${SECOND}\" -H \"X-Api-Key: ${API_KEY}\" --cert two.pem --key 'my two.key' \
             --cacert ca.pem -k"
        );
        let plain = RequestRecord { url: "http://h/scim/Users".to_owned(), ..request(false) };
        assert!(connection(&plain, &target).is_empty());
    }

    #[test]
    fn only_variables_stay_for_the_shell() {
        let line = quote_with_variables("X-Key: a ${SCIM_KEY} $(id) `id` \"x\" ${1} \\ $HOME");
        let out = std::process::Command::new("bash")
            .env("SCIM_KEY", "sec ret")
            .args(["-c", &format!("printf %s {line}")])
            .output()
            .unwrap();
        assert_eq!(String::from_utf8_lossy(&out.stdout), "X-Key: a sec ret $(id) `id` \"x\" ${1} \\ $HOME");
    }
}
