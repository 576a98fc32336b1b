//! Where a vendor documents something else than the RFCs ask: which expectation that replaces, and by what.
//!
//! Pure data and the question what a deviation is about. What it makes of an answer is the executor's affair.

use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, de};

use crate::suite::model::{Case, Expect, Step};
use crate::target::exchange::Exchange;

/// A documented behaviour that departs from the RFCs. What is documented replaces what the RFC asks: an answer that is
/// as documented deviates, one that is as the RFC has it passes, and any other fails.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Deviation {
    /// The case or checkpoint that it is about: `create/minimal-user`, or one row of it, `create/names[long]`.
    pub case: Option<String>,
    /// The step whose expectation is replaced, where the case has several: by its id, or where it has none by its
    /// place among the steps of the case or checkpoint, from 1.
    #[serde(default, deserialize_with = "step")]
    #[schemars(schema_with = "step_schema")]
    pub step: Option<String>,
    /// The rule that it is about, by the id of its case: `rules/location-on-create`.
    pub rule: Option<String>,
    /// For a rule: the requests whose answers are documented otherwise, `METHOD /Endpoint`, an id as `{id}`:
    /// `POST /Groups`, `GET /Groups/{id}`. A `*` as the method means any, a `*` at the end whatever comes there:
    /// `* /Groups*`.
    #[serde(default)]
    pub on: Vec<Request>,
    /// For a rule: only its findings whose message holds this text, where it looks at several things.
    pub finding: Option<String>,
    /// What is documented.
    pub instead: Expect,
    /// Where it is documented: ids of the vendor's catalogue, or links.
    pub cite: Vec<String>,
    /// Why the document is followed here, in plain words.
    pub why: String,
}

fn step<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    struct StepVisitor;
    impl de::Visitor<'_> for StepVisitor {
        type Value = Option<String>;
        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("the id of a step, or its place from 1")
        }
        fn visit_str<E: de::Error>(self, id: &str) -> Result<Option<String>, E> {
            Ok(Some(id.to_owned()))
        }
        fn visit_u64<E: de::Error>(self, place: u64) -> Result<Option<String>, E> {
            Ok(Some(place.to_string()))
        }
        fn visit_i64<E: de::Error>(self, place: i64) -> Result<Option<String>, E> {
            Ok(Some(place.to_string()))
        }
    }
    deserializer.deserialize_any(StepVisitor)
}

fn step_schema(_: &mut SchemaGenerator) -> Schema {
    json_schema!({"oneOf": [{"type": "string"}, {"type": "integer", "minimum": 1}]})
}

/// What a deviation is about.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Subject<'d> {
    /// One step of a case or checkpoint.
    Case {
        /// The id of the case, row or checkpoint.
        id: &'d str,
        /// The step, where it is named.
        step: Option<&'d str>,
    },
    /// A rule, on some of the exchanges.
    Rule {
        /// The id of the rule's case.
        id: &'d str,
        /// The requests.
        on: &'d [Request],
        /// What the findings' messages have to hold.
        finding: Option<&'d str>,
    },
}

impl Deviation {
    /// What it is about; `None` where it names neither a case nor a rule, or both, which the lint reports.
    pub fn subject(&self) -> Option<Subject<'_>> {
        match (&self.case, &self.rule) {
            (Some(id), None) => Some(Subject::Case { id, step: self.step.as_deref() }),
            (None, Some(id)) => Some(Subject::Rule { id, on: &self.on, finding: self.finding.as_deref() }),
            _ => None,
        }
    }

    /// What it is about, for people: `create/minimal-user, step made`, `rules/id-present on POST /Groups`.
    pub fn label(&self) -> String {
        match self.subject() {
            Some(Subject::Case { id, step: None }) => id.to_owned(),
            Some(Subject::Case { id, step: Some(step) }) => format!("{id}, step {step}"),
            Some(Subject::Rule { id, on, .. }) => {
                let on: Vec<String> = on.iter().map(ToString::to_string).collect();
                format!("{id} on {}", on.join(", "))
            }
            None => "a deviation without a subject".to_owned(),
        }
    }

    /// Whether it is about the case, row or checkpoint of that full id. A case means all its rows and forms.
    pub fn is_about_case(&self, full: &str) -> bool {
        self.rule.is_none()
            && self.case.as_deref().is_some_and(|id| {
                full.strip_prefix(id).is_some_and(|rest| {
                    rest.is_empty() || (rest.starts_with(['[', '@']) && !id.contains('['))
                })
            })
    }

    /// Whether it is about the findings of that rule's case on an exchange.
    pub fn is_about_rule(&self, case: &str, exchange: &Exchange) -> bool {
        matches!(self.subject(), Some(Subject::Rule { id, on, .. })
            if id == case && on.iter().any(|request| request.is_of(exchange)))
    }

    /// The step of a case whose expectation it replaces, by its position.
    ///
    /// # Errors
    /// Why there is none.
    pub fn step_of(&self, suite: &str, case: &Case) -> Result<usize, NoStep> {
        let id = self.case.as_deref().unwrap_or_default();
        let bare = id.split(['[', '@']).next().unwrap_or(id);
        let name =
            bare.strip_prefix(suite).and_then(|rest| rest.strip_prefix('/')).ok_or(NoStep::OtherCase)?;
        let all = case.steps.iter().enumerate();
        let steps: Vec<(usize, &Step)> = if case.id == name {
            all.collect()
        } else {
            let from = case
                .steps
                .iter()
                .position(|step| step.checkpoint.as_deref() == Some(name))
                .ok_or(NoStep::OtherCase)?;
            all.skip(from)
                .enumerate()
                .take_while(|(offset, (_, step))| *offset == 0 || step.checkpoint.is_none())
                .map(|(_, step)| step)
                .collect()
        };
        if let Some(wanted) = &self.step {
            let ids = || steps.iter().filter_map(|(_, step)| step.id.clone()).collect();
            let place = wanted.parse::<usize>().ok().and_then(|place| place.checked_sub(1));
            let found = steps
                .iter()
                .find(|(_, step)| step.id.as_ref() == Some(wanted))
                .or_else(|| place.and_then(|place| steps.get(place)));
            let (index, step) = found.ok_or_else(|| NoStep::Unknown { known: ids() })?;
            return if step.unchanged.is_empty() { Ok(*index) } else { Err(NoStep::NothingExpected) };
        }
        let expects = |step: &Step| {
            let in_row = |id: &String| case.rows.iter().any(|row| row.expect.contains_key(id));
            step.expect.is_some() || step.id.as_ref().is_some_and(in_row)
        };
        let expecting: Vec<&(usize, &Step)> = steps.iter().filter(|(_, step)| expects(step)).collect();
        match expecting.as_slice() {
            [] => Err(NoStep::NothingExpected),
            [(index, _)] => Ok(*index),
            several => Err(NoStep::Several {
                known: several.iter().filter_map(|(_, step)| step.id.clone()).collect(),
            }),
        }
    }
}

/// Why a deviation replaces no expectation of a case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NoStep {
    /// It is about another case.
    OtherCase,
    /// No step of the case or checkpoint has that id.
    Unknown {
        /// The ids that there are.
        known: Vec<String>,
    },
    /// Several steps expect something, and none is named.
    Several {
        /// Their ids, as far as they have one.
        known: Vec<String>,
    },
    /// No step of it expects anything that could be replaced.
    NothingExpected,
}

/// Requests by method and endpoint, as a deviation from a rule names them: `POST /Groups`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    method: String,
    endpoint: String,
}

impl Request {
    /// Reads `METHOD /Endpoint`; `None` where the text is not that.
    pub fn parse(text: &str) -> Option<Request> {
        let (method, endpoint) = text.split_once(' ')?;
        let endpoint = endpoint.trim();
        let is_method = method == "*" || method.bytes().all(|byte| byte.is_ascii_uppercase());
        let stars = endpoint.matches('*').count();
        let sound = is_method
            && !method.is_empty()
            && (endpoint.starts_with('/') || endpoint == "*")
            && (stars == 0 || (stars == 1 && endpoint.ends_with('*')))
            && !endpoint.contains([' ', '?']);
        sound.then(|| Request {
            method: method.to_owned(),
            endpoint: if endpoint.len() > 1 {
                endpoint.trim_end_matches('/').to_owned()
            } else {
                endpoint.to_owned()
            },
        })
    }

    /// Whether the exchange began with such a request.
    pub fn is_of(&self, exchange: &Exchange) -> bool {
        self.covers(&exchange.request.method, &exchange.request.endpoint)
    }

    /// Whether it means requests of that method to that endpoint, such as `/Groups/{id}`.
    pub fn covers(&self, method: &str, endpoint: &str) -> bool {
        let endpoint = if endpoint.len() > 1 { endpoint.trim_end_matches('/') } else { endpoint };
        (self.method == "*" || self.method == method)
            && match self.endpoint.strip_suffix('*') {
                Some(begin) => endpoint.starts_with(begin),
                None => endpoint == self.endpoint,
            }
    }
}

impl fmt::Display for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.method, self.endpoint)
    }
}

impl<'de> Deserialize<'de> for Request {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Request, D::Error> {
        let text = String::deserialize(deserializer)?;
        Request::parse(&text).ok_or_else(|| {
            let expected = "a request such as POST /Groups, GET /Groups/{id} or * /Groups*";
            de::Error::invalid_value(de::Unexpected::Str(&text), &expected)
        })
    }
}

impl JsonSchema for Request {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Request".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "Requests by method and endpoint: POST /Groups, GET /Groups/{id}, * /Groups*.",
            "type": "string",
            "pattern": "^([A-Z]+|\\*) (/[^ ?*]*\\*?|\\*)$"
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::suite::model::Suite;
    use crate::suite::yaml;

    #[test]
    fn requests_are_told_apart_by_method_and_endpoint() {
        let covers = |pattern: &str, method: &str, endpoint: &str| {
            Request::parse(pattern).unwrap_or_else(|| panic!("{pattern}")).covers(method, endpoint)
        };
        for (pattern, method, endpoint, expected) in [
            ("POST /Groups", "POST", "/Groups", true),
            ("POST /Groups", "POST", "/Groups/", true),
            ("POST /Groups", "GET", "/Groups", false),
            ("POST /Groups", "POST", "/Groups/{id}", false),
            ("GET /Groups/{id}", "GET", "/Groups/{id}", true),
            ("* /Groups*", "PATCH", "/Groups/{id}", true),
            ("* /Groups*", "GET", "/Users", false),
            ("GET *", "GET", "/Users/.search", true),
        ] {
            assert_eq!(covers(pattern, method, endpoint), expected, "{pattern} {method} {endpoint}");
        }
        for text in ["POST", "post /Groups", "GET Groups", "GET /*/x", "GET /Users?count=1", " /Users", ""] {
            assert_eq!(Request::parse(text), None, "{text}");
        }
    }

    fn deviation(text: &str) -> Deviation {
        let text = format!("{text}\ninstead: {{status: 200}}\ncite: [https://example.com/]\nwhy: x\n");
        yaml::read("p.yaml", &text).unwrap()
    }

    #[test]
    fn a_case_means_its_rows_and_a_row_means_itself() {
        let case = deviation("case: names/long");
        assert!(case.is_about_case("names/long") && case.is_about_case("names/long[a]"));
        assert!(case.is_about_case("names/long@put") && !case.is_about_case("names/longer"));
        let row = deviation("case: names/long[a]");
        assert!(row.is_about_case("names/long[a]") && !row.is_about_case("names/long[b]"));
        assert!(!row.is_about_case("names/long"));
    }

    #[test]
    fn the_step_is_the_one_named_or_the_only_one_that_expects_something() {
        let suite: Suite = yaml::read(
            "s.yaml",
            "suite: s\ntitle: t\ncases:\n  - id: one\n    title: t\n    steps:\n      - {send: GET /Users, id: a}\n      \
             - {send: GET /Users, id: b, expect: {status: 200}}\n  - id: flow\n    title: t\n    steps:\n      \
             - {checkpoint: first, title: t, send: GET /Users, id: a, expect: {status: 200}}\n      \
             - {checkpoint: second, title: t, send: GET /Users, id: b, expect: {status: 200}}\n      \
             - {send: GET /Users, id: c, expect: {status: 200}}\n",
        )
        .unwrap();
        let (one, flow) = (&suite.cases[0], &suite.cases[1]);
        assert_eq!(deviation("case: s/one").step_of("s", one), Ok(1));
        assert_eq!(deviation("case: s/one\nstep: a").step_of("s", one), Ok(0));
        assert_eq!(deviation("case: s/first").step_of("s", flow), Ok(0));
        assert_eq!(deviation("case: s/second\nstep: c").step_of("s", flow), Ok(2));
        assert_eq!(deviation("case: s/second\nstep: 2").step_of("s", flow), Ok(2));
        let several = Err(NoStep::Several { known: vec!["b".to_owned(), "c".to_owned()] });
        assert_eq!(deviation("case: s/second").step_of("s", flow), several);
        let unknown = Err(NoStep::Unknown { known: vec!["a".to_owned()] });
        assert_eq!(deviation("case: s/first\nstep: c").step_of("s", flow), unknown);
        assert_eq!(deviation("case: s/one").step_of("s", flow), Err(NoStep::OtherCase));
    }
}
