//! What came of a request, before it means anything to a fuzzer.

use serde_json::Value;

use crate::scim::resource::get;
use crate::target::Target;
use crate::target::exchange::{Exchange, Response, TransportFailure};

/// Why there is no response.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unheard {
    /// For a reason of ours, which says nothing of the service provider.
    Nothing(String),
    /// The service provider broke.
    Broken(String),
}

/// The response of an exchange.
///
/// # Errors
/// Why there is none.
pub fn response<'e>(target: &Target, exchange: &'e Exchange) -> Result<&'e Response, Unheard> {
    match &exchange.answer {
        Ok(response) => Ok(response),
        Err(TransportFailure::NotSent { why }) => Err(Unheard::Nothing(why.clone())),
        Err(_) if target.interrupted() => Err(Unheard::Nothing("the run was interrupted".to_owned())),
        Err(failure) => Err(Unheard::Broken(failure.to_string())),
    }
}

/// The keyword of a refusal, if it has one.
pub fn keyword(exchange: &Exchange) -> Option<String> {
    exchange.json().and_then(|body| get(body, "scimType")).and_then(Value::as_str).map(str::to_owned)
}
