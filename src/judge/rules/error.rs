//! Rules about SCIM errors (RFC 7644 section 3.12).

use serde_json::Value;

use super::{Fault, Rule, RuleVerdict, View, is_known_endpoint, success, verdict};
use crate::judge::error::{ErrorStatus, error_status, may_come_from_gateway, names_error};
use crate::judge::{kind, words};
use crate::scim::error::ScimType;
use crate::scim::names;
use crate::scim::resource::member;
use crate::target::exchange::{Exchange, Response};

pub const ERROR_SHAPE: Rule = Rule { name: "error-shape", subject: "error", judge: error_shape };
pub const ERROR_STATUS_MATCHES: Rule =
    Rule { name: "error-status-matches", subject: "SCIM error", judge: error_status_matches };
pub const SCIM_TYPE_REGISTERED: Rule =
    Rule { name: "scim-type-registered", subject: "scimType", judge: scim_type_registered };

pub const ERROR_IS_NO_SUCCESS: Rule =
    Rule { name: "error-is-no-success", subject: "success with a JSON object", judge: error_is_no_success };

/// What calls itself an error has the status of one: clients look no further than at a 200.
fn error_is_no_success(exchange: &Exchange, _: &View<'_>) -> RuleVerdict {
    let Some(body) = success(exchange).and_then(|response| response.body.json().ok()?.as_object()) else {
        return RuleVerdict::NotEligible;
    };
    if !names_error(body) {
        return RuleVerdict::Held;
    }
    let status = words::status(exchange.status().unwrap_or_default());
    let fault = Fault::new(format!("answered {status} with a SCIM error"), "the status of the error", status)
        .class("status of an error", "success");
    verdict("error-is-no-success", exchange, vec![fault])
}

/// The answer, if it is an error that has a body by right.
fn refusal(exchange: &Exchange) -> Option<&Response> {
    let response = exchange.response()?;
    let has_body = !matches!(exchange.request.method.as_str(), "HEAD" | "OPTIONS");
    (response.status >= 400 && has_body).then_some(response)
}

fn error_shape(exchange: &Exchange, context: &View<'_>) -> RuleVerdict {
    let Some(response) = refusal(exchange) else { return RuleVerdict::NotEligible };
    // A broken connection or our own limit says nothing about the error.
    let fault = match response.body.json() {
        Ok(Value::Object(object)) if names_error(object) => {
            return match member(object, "detail") {
                Some(detail) if !detail.is_string() && !detail.is_null() => {
                    let fault = Fault::new(
                        format!("the error's detail is {}, expected a string", words::article(detail)),
                        "detail as a string, or none",
                        words::show(detail),
                    )
                    .class("detail string", words::class(detail))
                    .breaks(&["RFC7644-3.12-06"]);
                    verdict("error-shape", exchange, vec![fault])
                }
                _ => RuleVerdict::Held,
            };
        }
        Ok(body) => {
            let found = body.as_object().and_then(|object| member(object, "schemas"));
            Fault::new(
                format!("answered {} with a JSON body that is no SCIM error", words::status(response.status)),
                format!("schemas with {}", names::ERROR),
                match found {
                    Some(schemas) => format!("schemas {}", words::show(schemas)),
                    None => words::show(body),
                },
            )
            .class("SCIM error", if found.is_some() { "other schemas" } else { "no schemas" })
            .breaks(&["RFC7644-3.12-03"])
        }
        Err(problem) => {
            use crate::target::exchange::BodyProblem::{CutOff, TooLarge};
            if matches!(problem, CutOff { .. } | TooLarge { .. }) {
                return RuleVerdict::NotEligible;
            }
            let why = words::problem(problem, response);
            Fault::new(
                format!("answered {} without a SCIM error: {why}", words::status(response.status)),
                "a SCIM error as JSON",
                why,
            )
            .class("SCIM error", words::problem_class(problem))
            .breaks(&["RFC7644-3.12-02"])
        }
    };
    let is_search_refused = kind::is_search(&exchange.request) && matches!(response.status, 404 | 405 | 501);
    // Who gets a 406 has said that it cannot read what errors are written in.
    let is_elsewhere = !is_known_endpoint(exchange, context) || is_search_refused || response.status == 406;
    let fault = if may_come_from_gateway(response.status) || is_elsewhere { fault.warning() } else { fault };
    verdict("error-shape", exchange, vec![fault])
}

fn error_status_matches(exchange: &Exchange, context: &View<'_>) -> RuleVerdict {
    let Some(response) = refusal(exchange) else { return RuleVerdict::NotEligible };
    let Some(object) = response.body.json().ok().and_then(Value::as_object).filter(|it| names_error(it))
    else {
        return RuleVerdict::NotEligible;
    };
    let code = response.status;
    let found = member(object, "status");
    let expected = format!("\"status\": \"{code}\"");
    let shown = found.map_or("no status".to_owned(), words::show_typed);
    let fault = match error_status(object, code) {
        ErrorStatus::Right => return RuleVerdict::Held,
        ErrorStatus::Number => {
            Fault::new("the error's status is a number, expected a string", expected, shown)
                .class("status as string", "number")
                .warning_unless_strict(context)
        }
        ErrorStatus::Missing => {
            Fault::new("the error has no status", expected, shown).class("status as string", "absent")
        }
        ErrorStatus::Other => Fault::new(
            format!("the error says status {shown}, the answer is {}", words::status(code)),
            expected,
            shown,
        )
        .class("status as string", "other status"),
    };
    verdict("error-status-matches", exchange, vec![fault])
}

fn scim_type_registered(exchange: &Exchange, _: &View<'_>) -> RuleVerdict {
    let Some(response) = refusal(exchange) else { return RuleVerdict::NotEligible };
    let Some(object) = response.body.json().ok().and_then(Value::as_object).filter(|it| names_error(it))
    else {
        return RuleVerdict::NotEligible;
    };
    let Some(keyword) = member(object, "scimType").filter(|keyword| !keyword.is_null()) else {
        return RuleVerdict::NotEligible;
    };
    if keyword.as_str().and_then(ScimType::parse).is_some() {
        return RuleVerdict::Held;
    }
    let fault = Fault::new(
        format!("scimType {} is none of the registered keywords", words::show(keyword)),
        "a keyword of RFC 7644 table 9 or RFC 9865",
        words::show(keyword),
    )
    .class("registered scimType", words::class(keyword));
    // A keyword of one's own is no worse for clients than none (AMB-02); what is no text is no keyword.
    let fault = if keyword.is_string() { fault.warning() } else { fault };
    verdict("scim-type-registered", exchange, vec![fault])
}
