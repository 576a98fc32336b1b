//! The bench: one exchange, and the block of an expectation by which it is judged right now. It makes
//! findings with the level, requirements and place of that block.

use serde_json::Value;

use super::context::Context;
use super::{ExpectError, words};
use crate::outcome::{Difference, Finding, Level, Severity, Signature};
use crate::requirement::Catalogue;
use crate::suite::model::Requires;
use crate::suite::template::{Escape, TemplateError};
use crate::target::exchange::{Exchange, Response};

/// The most differences that one finding lists.
const MOST_DIFFERENCES: usize = 50;

/// One exchange under one block.
#[derive(Clone)]
pub struct Bench<'a> {
    /// The exchange.
    pub exchange: &'a Exchange,
    /// Its answer.
    pub response: &'a Response,
    /// What the executor gave.
    pub context: &'a Context<'a>,
    /// The level that applies here.
    pub level: Level,
    /// The requirement ids that apply here.
    pub spec: Vec<String>,
    /// The path of the block below `expect`: empty, `any[1]`, `also[0]`, `never[0]`.
    pub at: String,
    /// What the names of checks begin with: empty, or `also[0].`.
    pub prefix: String,
}

/// What is wrong, before it has a level and a place.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Wrong {
    /// The check's name, and its path below the block where that is no other.
    pub check: String,
    /// The path below the block, where it is not the check's name.
    pub at: Option<String>,
    /// One line.
    pub message: String,
    /// What would have been right.
    pub expected: String,
    /// What came.
    pub actual: String,
    /// The class of what was expected.
    pub expected_class: String,
    /// The class of what came.
    pub actual_class: String,
    /// Member by member.
    pub differences: Vec<Difference>,
}

/// What a part of a block came to.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Judged {
    /// Demands that do not hold.
    pub broken: Vec<Finding>,
    /// What is worth a warning or a note though the demand holds: the lenient reading, a keyword that is
    /// usual but absent, a check of a lower level than its block.
    pub remarks: Vec<Finding>,
}

impl Judged {
    /// Whether every demand holds.
    pub fn holds(&self) -> bool {
        self.broken.is_empty()
    }

    /// Takes in what another part came to.
    pub fn absorb(&mut self, other: Judged) {
        self.broken.extend(other.broken);
        self.remarks.extend(other.remarks);
    }

    /// All of it, demands first.
    pub fn into_findings(self) -> Vec<Finding> {
        let mut findings = self.broken;
        findings.extend(self.remarks);
        findings
    }
}

impl<'a> Bench<'a> {
    /// The bench for a block inside this one: with its own level and requirements where it has them.
    pub fn inner(&self, level: Option<Level>, spec: &[String]) -> Bench<'a> {
        let mut inner = self.clone();
        let cited = Catalogue::embedded().strongest(spec.iter().map(String::as_str));
        inner.level = level.or(cited).unwrap_or(self.level);
        if !spec.is_empty() {
            inner.spec = spec.to_vec();
        }
        inner
    }

    /// The same bench for a block at that path below `expect`.
    pub fn at(mut self, at: impl Into<String>) -> Bench<'a> {
        self.at = at.into();
        self
    }

    /// A demand that does not hold: as severe as its level.
    pub fn broken(&self, wrong: Wrong) -> Finding {
        self.finding(wrong, self.level.severity())
    }

    /// A finding of a severity of its own.
    pub fn finding(&self, wrong: Wrong, severity: Severity) -> Finding {
        let Wrong { check, at, message, expected, actual, expected_class, actual_class, mut differences } =
            wrong;
        let path = self.path(at.as_deref().unwrap_or(&check));
        differences.truncate(MOST_DIFFERENCES);
        let check = format!("{}{check}", self.prefix);
        Finding {
            level: self.level,
            severity,
            requirements: self.spec.clone(),
            message,
            expected,
            actual,
            differences,
            exchange: Some(self.exchange.id),
            place: Some((self.context.place)(&path)),
            signature: Signature {
                check: check.clone(),
                method: self.exchange.request.method.clone(),
                endpoint: self.exchange.request.endpoint.clone(),
                expected: words::bounded_class(&expected_class),
                actual: words::bounded_class(&actual_class),
            },
            snapshot: None,
            check,
        }
    }

    /// The path below `expect` of a part of this block.
    pub fn path(&self, part: &str) -> String {
        match (self.at.is_empty(), part.is_empty()) {
            (true, _) => part.to_owned(),
            (false, true) => self.at.clone(),
            (false, false) => format!("{}.{part}", self.at),
        }
    }

    /// Something wrong with the expectation itself.
    pub fn error(&self, part: &str, message: impl Into<String>) -> ExpectError {
        let place = Some((self.context.place)(&self.path(part)));
        ExpectError { is_lack: false, message: message.into(), place }
    }

    /// The error that an earlier answer did not bring what that part of the block stands on.
    pub fn lack(&self, part: &str, message: impl Into<String>) -> ExpectError {
        ExpectError { is_lack: true, ..self.error(part, message) }
    }

    fn template(&self, part: &str, error: &TemplateError) -> ExpectError {
        ExpectError { is_lack: error.is_lack(), ..self.error(part, error.to_string()) }
    }

    /// The value with its names resolved.
    pub fn resolve(&self, part: &str, value: &Value) -> Result<Value, ExpectError> {
        self.context.scope.resolve(value).map_err(|error| self.template(part, &error))
    }

    /// The text with its names resolved.
    pub fn text(&self, part: &str, text: &str) -> Result<String, ExpectError> {
        self.context.scope.text(text, Escape::None).map_err(|error| self.template(part, &error))
    }

    /// A JSONPath with its names resolved, each escaped as inside a string literal.
    pub fn json_path(&self, part: &str, path: &str) -> Result<String, ExpectError> {
        self.context.scope.text(path, Escape::JsonString).map_err(|error| self.template(part, &error))
    }

    /// Why a part that requires something is not judged, if it is not.
    pub fn missing(&self, requires: &[Requires]) -> Option<String> {
        requires.iter().find_map(|required| {
            let evidence = self.context.capabilities.check(required).err()?;
            Some(format!("needs {required}: {evidence}"))
        })
    }

    /// Method and endpoint: what messages begin with.
    pub fn subject(&self) -> String {
        words::subject(self.exchange)
    }

    /// The answer's JSON, or the finding that it has none.
    pub fn json(&self, check: &str, expected: &str) -> Result<&'a Value, Box<Finding>> {
        self.response.body.json().map_err(|problem| {
            let why = words::problem(problem, self.response);
            Box::new(self.broken(Wrong {
                check: check.to_owned(),
                message: format!(
                    "{} answered {}, but {why}",
                    self.subject(),
                    words::status(self.response.status)
                ),
                expected: expected.to_owned(),
                actual: why,
                expected_class: "JSON".to_owned(),
                actual_class: words::problem_class(problem).to_owned(),
                ..Wrong::default()
            }))
        })
    }
}
