//! The Error message of RFC 7644 §3.12: what SCIM answers when it refuses.

use std::fmt;

use serde_json::{Value, json};

use super::names;

/// The keyword of an error: Table 9 of RFC 7644, and the three that RFC 9865 adds for cursors.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ScimType {
    /// The filter breaks the grammar, or asks for a comparison that is not supported.
    InvalidFilter,
    /// The filter finds more than the server will process.
    TooMany,
    /// A value is in use or reserved.
    Uniqueness,
    /// The change contradicts the attribute's mutability or the resource's state.
    Mutability,
    /// The body does not conform to the schema of the request.
    InvalidSyntax,
    /// The `path` is malformed or invalid.
    InvalidPath,
    /// The `path` names nothing that could be operated on.
    NoTarget,
    /// A required value is missing, or a value does not fit its attribute.
    InvalidValue,
    /// The version of the protocol is not supported.
    InvalidVers,
    /// The URI holds sensitive information.
    Sensitive,
    /// The cursor is not one this server gave (RFC 9865 §2.1).
    InvalidCursor,
    /// The cursor has expired (RFC 9865 §2.1).
    ExpiredCursor,
    /// The count does not go with cursor paging (RFC 9865 §2.1).
    InvalidCount,
}

impl ScimType {
    /// All keywords.
    pub const ALL: [ScimType; 13] = [
        ScimType::InvalidFilter,
        ScimType::TooMany,
        ScimType::Uniqueness,
        ScimType::Mutability,
        ScimType::InvalidSyntax,
        ScimType::InvalidPath,
        ScimType::NoTarget,
        ScimType::InvalidValue,
        ScimType::InvalidVers,
        ScimType::Sensitive,
        ScimType::InvalidCursor,
        ScimType::ExpiredCursor,
        ScimType::InvalidCount,
    ];

    /// The keyword as it is written.
    pub fn as_str(self) -> &'static str {
        match self {
            ScimType::InvalidFilter => "invalidFilter",
            ScimType::TooMany => "tooMany",
            ScimType::Uniqueness => "uniqueness",
            ScimType::Mutability => "mutability",
            ScimType::InvalidSyntax => "invalidSyntax",
            ScimType::InvalidPath => "invalidPath",
            ScimType::NoTarget => "noTarget",
            ScimType::InvalidValue => "invalidValue",
            ScimType::InvalidVers => "invalidVers",
            ScimType::Sensitive => "sensitive",
            ScimType::InvalidCursor => "invalidCursor",
            ScimType::ExpiredCursor => "expiredCursor",
            ScimType::InvalidCount => "invalidCount",
        }
    }

    /// The keyword that is written so; `None` for one that no RFC registers.
    pub fn parse(text: &str) -> Option<ScimType> {
        ScimType::ALL.into_iter().find(|keyword| keyword.as_str() == text)
    }
}

impl fmt::Display for ScimType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A refusal: the HTTP status, its keyword, and a sentence for people.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{status}{}: {detail}", .scim_type.map(|keyword| format!(" {keyword}")).unwrap_or_default())]
pub struct ScimError {
    /// The HTTP status code.
    pub status: u16,
    /// The keyword, where one applies.
    pub scim_type: Option<ScimType>,
    /// What went wrong, for people.
    pub detail: String,
}

impl ScimError {
    /// An error without keyword.
    pub fn new(status: u16, detail: impl Into<String>) -> Self {
        ScimError { status, scim_type: None, detail: detail.into() }
    }

    /// An error with its keyword.
    pub fn with_type(status: u16, scim_type: ScimType, detail: impl Into<String>) -> Self {
        ScimError { status, scim_type: Some(scim_type), detail: detail.into() }
    }

    /// 400 with a keyword, as in Table 9.
    pub fn bad_request(scim_type: ScimType, detail: impl Into<String>) -> Self {
        ScimError::with_type(400, scim_type, detail)
    }

    /// 400 invalidFilter.
    pub fn invalid_filter(detail: impl Into<String>) -> Self {
        ScimError::bad_request(ScimType::InvalidFilter, detail)
    }

    /// 400 invalidSyntax.
    pub fn invalid_syntax(detail: impl Into<String>) -> Self {
        ScimError::bad_request(ScimType::InvalidSyntax, detail)
    }

    /// 400 invalidPath.
    pub fn invalid_path(detail: impl Into<String>) -> Self {
        ScimError::bad_request(ScimType::InvalidPath, detail)
    }

    /// 400 noTarget.
    pub fn no_target(detail: impl Into<String>) -> Self {
        ScimError::bad_request(ScimType::NoTarget, detail)
    }

    /// 400 invalidValue.
    pub fn invalid_value(detail: impl Into<String>) -> Self {
        ScimError::bad_request(ScimType::InvalidValue, detail)
    }

    /// 400 mutability.
    pub fn mutability(detail: impl Into<String>) -> Self {
        ScimError::bad_request(ScimType::Mutability, detail)
    }

    /// 409 uniqueness, as RFC 7644 §3.3 demands for a create.
    pub fn uniqueness(detail: impl Into<String>) -> Self {
        ScimError::with_type(409, ScimType::Uniqueness, detail)
    }

    /// 404.
    pub fn not_found(detail: impl Into<String>) -> Self {
        ScimError::new(404, detail)
    }

    /// The message body; `status` is a string, as RFC 7644 §3.12 has it.
    pub fn to_json(&self) -> Value {
        let mut body = json!({ "schemas": [names::ERROR], "status": self.status.to_string() });
        if let Some(object) = body.as_object_mut() {
            if let Some(keyword) = self.scim_type {
                object.insert("scimType".into(), keyword.as_str().into());
            }
            object.insert("detail".into(), self.detail.as_str().into());
        }
        body
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keywords_round_trip() {
        for keyword in ScimType::ALL {
            assert_eq!(ScimType::parse(keyword.as_str()), Some(keyword));
        }
        assert_eq!(ScimType::parse("InvalidFilter"), None);
    }

    #[test]
    fn the_status_is_a_string() {
        let body = ScimError::uniqueness("userName is taken").to_json();
        assert_eq!(
            body,
            json!({"schemas": [names::ERROR], "status": "409", "scimType": "uniqueness", "detail": "userName is taken"})
        );
        assert!(ScimError::not_found("gone").to_json().get("scimType").is_none());
    }
}
