//! Single values as an operator writes them, wherever: on the command line, in the environment, in the file.

use std::time::Duration;

use chrono::NaiveDate;
use serde::{Deserialize, Deserializer, de};
use url::Url;

use crate::suite::model::parse_duration;
use crate::target::Rate;

/// The base URL of a service provider, without what cannot be part of one.
///
/// # Errors
/// What is wrong with it and what to do instead, in one line.
pub fn base_url(text: &str) -> Result<Url, String> {
    let url = url_as_typed(text)?;
    if holds_credentials(&url) {
        return Err("it holds credentials, which would be shown; use --basic USER with the password in the environment".to_owned());
    }
    Ok(url)
}

/// Whether user or password stand in a URL.
pub fn holds_credentials(url: &Url) -> bool {
    !url.username().is_empty() || url.password().is_some()
}

/// As [`base_url`], for the command line: there, what is refused is repeated in the message, so credentials in the URL
/// have to be refused later.
///
/// # Errors
/// What is wrong with it and what to do instead, in one line.
pub fn url_as_typed(text: &str) -> Result<Url, String> {
    let text = text.trim();
    let url = Url::parse(text).map_err(|error| match error {
        url::ParseError::RelativeUrlWithoutBase => {
            "it has no scheme; write it like https://scim.example.com/v2".to_owned()
        }
        other => other.to_string(),
    })?;
    if !matches!(url.scheme(), "http" | "https") {
        let host = url.cannot_be_a_base() || url.host().is_none();
        let hint = if host { format!("; did you mean http://{text}?") } else { String::new() };
        return Err(format!(
            "'{}' is not a scheme that SCIM is spoken over: http or https{hint}",
            url.scheme()
        ));
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err(
            "a base URL has no query and no fragment; put what every request needs in --header".to_owned()
        );
    }
    Ok(url)
}

/// The URL of a token endpoint, which may have a query (RFC 6749 section 3.2).
///
/// # Errors
/// What is wrong with it and what to do instead, in one line.
pub fn token_url(text: &str) -> Result<Url, String> {
    let url = token_url_as_typed(text)?;
    if holds_credentials(&url) {
        return Err(
            "it holds credentials, which would be shown; they go into client_id and a variable".to_owned()
        );
    }
    Ok(url)
}

/// As [`token_url`], for the command line: credentials in it are refused later, without repeating them.
///
/// # Errors
/// What is wrong with it and what to do instead, in one line.
pub fn token_url_as_typed(text: &str) -> Result<Url, String> {
    let url = Url::parse(text.trim()).map_err(|error| match error {
        url::ParseError::RelativeUrlWithoutBase => {
            "it has no scheme; write it like https://id.example.com/oauth2/token".to_owned()
        }
        other => other.to_string(),
    })?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err(format!("'{}' is not a scheme of a token endpoint: https", url.scheme()));
    }
    if url.fragment().is_some() {
        return Err("a token endpoint has no fragment".to_owned());
    }
    Ok(url)
}

/// A parameter, `NAME=VALUE`.
///
/// # Errors
/// That it is none.
pub fn parameter(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.trim().is_empty() => {
            Ok((name.trim().to_owned(), value.trim().to_owned()))
        }
        _ => Err("it is no parameter; write it like audience=https://api.example.com".to_owned()),
    }
}

/// A time such as `30s`, `500ms` or `2m`; never zero.
///
/// # Errors
/// That it is none.
pub fn time(text: &str) -> Result<Duration, String> {
    match parse_duration(text.trim()) {
        Some(time) if !time.is_zero() => Ok(time),
        Some(_) => Err("a time limit of nothing lets nothing through".to_owned()),
        None => Err("it is no time; write it like 30s, 500ms or 2m".to_owned()),
    }
}

/// A header, `Name: value`.
///
/// # Errors
/// That it is none.
pub fn header(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once(':').ok_or("it is no header; write it like 'X-Tenant: 7'")?;
    let (name, value) = (name.trim(), value.trim());
    if name.is_empty()
        || !name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte))
    {
        return Err(format!("'{name}' is no name of a header"));
    }
    if value.chars().any(char::is_control) {
        return Err("its value holds control characters".to_owned());
    }
    Ok((name.to_owned(), value.to_owned()))
}

/// A day, as ISO 8601 writes it.
///
/// # Errors
/// What to write instead.
pub fn date(text: &str) -> Result<NaiveDate, String> {
    text.trim().parse().map_err(|_| "it is no date; write it like 2027-03-31".to_owned())
}

/// A number of cases at once: at least one.
///
/// # Errors
/// That it is none.
pub fn jobs(text: &str) -> Result<u16, String> {
    match text.trim().parse() {
        Ok(0) => Err("nothing would run; write at least 1".to_owned()),
        Ok(jobs) => Ok(jobs),
        Err(_) => Err("it is no number from 1 to 65535".to_owned()),
    }
}

/// Yes or no, as the environment says it.
///
/// # Errors
/// That it is neither.
pub fn switch(text: &str) -> Result<bool, String> {
    match text.trim().to_ascii_lowercase().as_str() {
        "1" | "true" | "yes" | "on" => Ok(true),
        "0" | "false" | "no" | "off" => Ok(false),
        _ => Err("write true or false".to_owned()),
    }
}

fn checked<'de, D: Deserializer<'de>, T>(
    deserializer: D,
    check: impl Fn(&str) -> Result<T, String>,
) -> Result<Option<T>, D::Error> {
    let text = String::deserialize(deserializer)?;
    check(&text).map(Some).map_err(|why| de::Error::custom(format!("'{text}' cannot be used: {why}")))
}

pub(super) fn de_base_url<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Url>, D::Error> {
    // A URL with credentials in it must not be repeated in the message.
    let text = String::deserialize(deserializer)?;
    base_url(&text).map(Some).map_err(|why| de::Error::custom(format!("this URL cannot be used: {why}")))
}

pub(super) fn de_token_url<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Url>, D::Error> {
    let text = String::deserialize(deserializer)?;
    token_url(&text).map(Some).map_err(|why| de::Error::custom(format!("this URL cannot be used: {why}")))
}

pub(super) fn de_time<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Duration>, D::Error> {
    checked(deserializer, time)
}

pub(super) fn de_rate<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Rate>, D::Error> {
    let text = String::deserialize(deserializer)?;
    text.parse().map(Some).map_err(de::Error::custom)
}

pub(super) fn de_jobs<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u16>, D::Error> {
    match u16::deserialize(deserializer)? {
        0 => Err(de::Error::custom("nothing would run; write at least 1")),
        jobs => Ok(Some(jobs)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base_urls_say_what_is_wrong_with_them() {
        assert_eq!(
            base_url("http://localhost:8080/scim/v2").unwrap().as_str(),
            "http://localhost:8080/scim/v2"
        );
        for (text, why) in [
            ("localhost:8080/scim", "did you mean http://localhost:8080/scim?"),
            ("scim.example.com/v2", "no scheme"),
            ("ftp://example.com/", "http or https"),
            ("https://ann:secret@example.com/", "--basic"),
            ("https://example.com/scim?tenant=7", "no query"),
            ("http://", "empty host"),
        ] {
            let error = base_url(text).unwrap_err();
            assert!(error.contains(why) && !error.contains("secret"), "{text}: {error}");
        }
    }

    #[test]
    fn values_are_checked() {
        assert_eq!(time("30s"), Ok(Duration::from_secs(30)));
        assert!(time("0s").is_err() && time("30").is_err() && time("").is_err());
        assert_eq!(header(" X-Tenant : 7: 8 "), Ok(("X-Tenant".to_owned(), "7: 8".to_owned())));
        assert!(header("X Tenant: 7").is_err() && header("x").is_err() && header("a: b\r\nc: d").is_err());
        assert_eq!((switch("Yes"), switch("0")), (Ok(true), Ok(false)));
        assert!(switch("maybe").is_err() && jobs("0").is_err());
    }
}
