//! Whether a target may be tested without asking. A service provider on this machine is the developer's own; any
//! other could hold somebody's directory.

use url::{Host, Url};

/// Whether the operator has to consent (`--yes`, `consent = true`) before this target is written to: true for
/// every host but `localhost` (and names below it, RFC 6761 section 6.3), 127.0.0.0/8 and `::1`.
pub fn consent_needed(base_url: &Url) -> bool {
    match base_url.host() {
        Some(Host::Domain(name)) => {
            let name = name.trim_end_matches('.').to_ascii_lowercase();
            name != "localhost" && !name.ends_with(".localhost")
        }
        Some(Host::Ipv4(address)) => !address.is_loopback(),
        Some(Host::Ipv6(address)) => {
            !address.is_loopback() && !address.to_ipv4_mapped().is_some_and(|mapped| mapped.is_loopback())
        }
        None => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loopback_needs_no_consent() {
        for url in [
            "http://localhost:8080/scim/v2",
            "http://LOCALHOST./",
            "http://scim.localhost/",
            "https://127.0.0.1:1/",
            "http://127.9.9.9/",
            "http://[::1]:8080/scim",
            "http://[::ffff:127.0.0.1]/",
        ] {
            assert!(!consent_needed(&url.parse().unwrap()), "{url}");
        }
    }

    #[test]
    fn everything_else_does() {
        for url in [
            "https://api.example.com/scim",
            "http://10.0.0.1/",
            "http://0.0.0.0:8080/",
            "http://localhost.example.com/",
            "http://notlocalhost/",
            "http://[2001:db8::1]/",
            "http://[::ffff:10.0.0.1]/",
        ] {
            assert!(consent_needed(&url.parse().unwrap()), "{url}");
        }
    }
}
