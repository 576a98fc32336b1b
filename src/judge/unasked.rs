//! What an answer need not show: attributes that the service provider declares as returned on request, where the request did
//! not ask for them (RFC 7643 section 7). Whoever keeps large groups declares their members so.

use super::bench::Bench;
use super::kind;
use super::rules::parameter;
use crate::scim::schema::Returned;

/// Whether the answer need not show the attribute that a path leads to or through: a JSONPath, or a path in attribute
/// notation. The answer to a write has to show what the write named, be it in its body or in `attributes`.
pub fn may_be_left_out(bench: &Bench<'_>, path: &str) -> bool {
    let request = &bench.exchange.request;
    let Some(name) = attribute(path) else { return false };
    let is_on_request = kind::by_endpoint(bench.context.schemas, request)
        .and_then(|definition| Some(definition.top_attribute(name)?.returned))
        .is_some_and(|returned| returned == Returned::Request);
    let names_it = |text: &str| text.to_ascii_lowercase().contains(&name.to_ascii_lowercase());
    let is_asked = || parameter(bench.exchange, "attributes").is_some_and(|asked| names_it(&asked));
    let is_written = || {
        let body = request.body.as_deref().filter(|_| kind::is_write(request));
        body.is_some_and(|body| names_it(&String::from_utf8_lossy(body)))
    };
    is_on_request && !is_asked() && !is_written()
}

/// The attribute that a path begins with: `members` of `$.Resources[0].members[*].value`.
fn attribute(path: &str) -> Option<&str> {
    let path = path.strip_prefix("$.").unwrap_or(path);
    let path = match path.strip_prefix("Resources[") {
        Some(row) => row.split_once("].")?.1,
        None => path,
    };
    let name = path.split(['.', '[']).next()?;
    (!name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'$'))
        .then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_begins_with_an_attribute() {
        for (path, name) in [
            ("$.members[*].value", Some("members")),
            ("$.Resources[0].members", Some("members")),
            ("$.Resources[*].members[?@.value == 'a.b'].type", Some("members")),
            ("members[value eq \"1\"].type", Some("members")),
            ("emails", Some("emails")),
            ("$['urn:x:y'].department", None),
            ("$.Resources[*]", None),
            ("$", None),
        ] {
            assert_eq!(attribute(path).filter(|name| *name != "$"), name, "{path}");
        }
    }
}
