//! Rules on every exchange of a run, at no request: what holds of every answer, whatever the case that asked.
//!
//! A rule says first whether it is eligible: it never speaks about answers that the RFCs leave open, such as
//! those of a gateway in front of the server, of HEAD, or of a projection. Rules find the same fault on many
//! exchanges; [`judge_all`] makes one finding of it.
//!
//! | module | rules about |
//! |---|---|
//! | `http` | status, headers, media type, whether there is a body |
//! | `error` | SCIM errors |
//! | `list` | ListResponses |
//! | `filter` | ListResponses against the filter that was asked for |
//! | `query` | answers to queries against each other: order, rows, projections, totals |
//! | `resource` | `id`, `meta`, `schemas`, entity tags, passwords |
//! | `schema` | resources against the service provider's own schemas |
//! | `definitions` | those schemas against the ones that RFC 7643 prints |
//! | `written` | reads against the writes before them |
//! | `version` | what marks a change: version and lastModified |
//!
//! Rules of the last kind hold an exchange against earlier ones, which [`Pairs`] keeps.

mod definitions;
mod error;
mod filter;
mod http;
mod list;
mod pairs;
mod query;
mod resource;
mod schema;
#[cfg(test)]
mod tests;
mod validated;
mod version;
mod written;

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::{kind, words};
use crate::outcome::{Difference, Finding, Level, Place, Reading, Severity, Signature};
use crate::profile::COUNT;
use crate::scim::definition::ResourceDefinition;
use crate::scim::names;
use crate::scim::resource::{get, schemas};
use crate::scim::schema::{Schema, SchemaSet};
use crate::suite::model::{Capability, Requires};
use crate::target::exchange::{Exchange, ExchangeId, Response};

use super::context::Claims;
use super::history::History;

pub use pairs::Pairs;
pub use validated::Validated;

/// What [`judge_all`] has to know beside the exchanges.
pub struct RuleContext<'a> {
    /// The level of the rule's case: findings are no more severe.
    pub level: Level,
    /// The requirement ids of the rule's case.
    pub spec: &'a [String],
    /// Where the rule's case stands.
    pub place: Option<&'a Place>,
    /// The service provider's resource types, with the core ones where it shows none.
    pub definitions: &'a Definitions,
    /// What the run showed of the resources that it created.
    pub history: &'a History<'a>,
    /// What the service provider claims.
    pub capabilities: &'a dyn Claims,
    /// Which reading of the RFCs applies.
    pub reading: Reading,
    /// Exchanges that a rule does not judge, by the rule's name (`mutes` in a suite).
    pub mutes: &'a BTreeMap<String, BTreeSet<ExchangeId>>,
    /// The exchanges of the run by resource, for rules that hold one against another.
    pub pairs: &'a Pairs<'a>,
    /// What the validator says of the resources in these exchanges, where several rules ask for it.
    pub validated: Option<&'a Validated<'a>>,
}

/// What a rule sees beside the exchange.
pub struct View<'a> {
    capabilities: &'a dyn Claims,
    reading: Reading,
    definitions: &'a Definitions,
    history: &'a History<'a>,
    pairs: &'a Pairs<'a>,
    mutes: &'a BTreeMap<String, BTreeSet<ExchangeId>>,
    validated: Option<&'a Validated<'a>>,
}

impl View<'_> {
    /// The view in that context.
    pub fn of<'a>(context: &RuleContext<'a>) -> View<'a> {
        View {
            capabilities: context.capabilities,
            reading: context.reading,
            definitions: context.definitions,
            history: context.history,
            pairs: context.pairs,
            mutes: context.mutes,
            validated: context.validated,
        }
    }

    /// Whether a rule is not to judge that exchange.
    fn mutes(&self, rule: &str, exchange: ExchangeId) -> bool {
        self.mutes.get(rule).is_some_and(|muted| muted.contains(&exchange))
    }

    /// The size of page that a request asks for, under whichever name the profile gives it.
    fn asked_size(&self, exchange: &Exchange) -> Option<String> {
        let name = self.capabilities.page_size().map_or(COUNT, |page| page.parameter.as_str());
        parameter(exchange, name)
    }

    fn claims(&self, capability: Capability) -> bool {
        self.capabilities.check(&Requires::Capability(capability)).is_ok()
    }
}

/// The resource types of a service provider with their schemas resolved, made once for a run.
#[derive(Debug, Clone, Default)]
pub struct Definitions {
    resources: Vec<ResourceDefinition>,
    discovery: Vec<ResourceDefinition>,
}

impl Definitions {
    /// Resolves all resource types of the set, and those of the discovery endpoints.
    pub fn of(set: &SchemaSet) -> Definitions {
        Definitions {
            resources: set.resource_types.iter().map(|kind| set.definition_of(kind)).collect(),
            discovery: ["ServiceProviderConfig", "ResourceType", "Schema"]
                .into_iter()
                .filter_map(|name| set.definition(name))
                .collect(),
        }
    }

    /// What the endpoint of the request serves.
    fn by_endpoint(&self, exchange: &Exchange) -> Option<&ResourceDefinition> {
        if let Some(name) = kind::discovery_type(&exchange.request) {
            return self.discovery.iter().find(|it| it.name == name);
        }
        let segment = kind::first_segment(&exchange.request);
        self.resources.iter().find(|it| it.endpoint.trim_matches('/').rsplit('/').next() == Some(segment))
    }

    /// Whether a segment of a path is the endpoint of a resource type, or of discovery.
    fn is_endpoint(&self, segment: &str) -> bool {
        let is_discovery = matches!(segment, "ServiceProviderConfig" | "ResourceTypes" | "Schemas");
        is_discovery
            || (!segment.is_empty()
                && self
                    .resources
                    .iter()
                    .any(|it| it.endpoint.trim_matches('/').rsplit('/').next() == Some(segment)))
    }

    /// Whether the service provider declares a schema that a resource type has, with attributes.
    fn declares(&self, urn: &str) -> bool {
        let is_it = |it: &Schema| it.id.eq_ignore_ascii_case(urn) && !it.attributes.is_empty();
        self.resources.iter().any(|it| is_it(&it.schema) || it.extensions.iter().any(|it| is_it(&it.schema)))
    }

    /// What a resource says it is.
    fn by_itself(&self, resource: &Value) -> Option<&ResourceDefinition> {
        let named = get(resource, "meta").and_then(|meta| get(meta, "resourceType")).and_then(Value::as_str);
        let all = || self.resources.iter().chain(&self.discovery);
        named.and_then(|name| all().find(|it| it.name == name)).or_else(|| {
            let urns = schemas(resource);
            all().find(|it| urns.iter().any(|urn| urn.eq_ignore_ascii_case(&it.schema.id)))
        })
    }
}

/// How many findings of one severity a rule keeps: whoever answers with new names each time is told of no more.
const MOST_FINDINGS: usize = 200;

/// What a rule says about one exchange.
#[derive(Debug, Clone, PartialEq)]
pub enum RuleVerdict {
    /// It has nothing to say: the exchange is none that the rule is about.
    NotEligible,
    /// The rule holds.
    Held,
    /// The rule is broken.
    Broke(Vec<Finding>),
    /// The rule is broken, by the exchange held against others.
    BrokeBeside {
        /// What is wrong with the exchange.
        findings: Vec<Finding>,
        /// The exchanges that it was held against, in order.
        beside: Vec<ExchangeId>,
    },
}

/// A statement about every exchange it is eligible for.
pub struct Rule {
    /// Its permanent name, the `check` of its findings.
    pub name: &'static str,
    /// What it looks for, as the reason of a skip names it: `saw no {subject}`.
    pub subject: &'static str,
    /// Judges one exchange.
    pub judge: fn(&Exchange, &View<'_>) -> RuleVerdict,
}

/// A finding with every exchange that shows it.
#[derive(Debug, Clone, PartialEq)]
pub struct RuleFinding {
    /// The finding as the first exchange shows it.
    pub finding: Finding,
    /// All exchanges that show it, in order.
    pub exchanges: Vec<ExchangeId>,
    /// The exchanges that the first of them was held against, in order.
    pub beside: Vec<ExchangeId>,
    /// The deviation of the profile that documents it, by its position: then it is no contradiction, and a note.
    pub documented: Option<usize>,
}

/// What a profile says of an answer that breaks a rule, or that keeps it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Document {
    /// Nothing: the rule's own judgement stands.
    Silent,
    /// The answer is as the deviation of that position documents it.
    Kept(usize),
}

/// Asked for each judged exchange: with what the rule found, or with nothing where it held.
pub type Documents<'d> = dyn Fn(&Exchange, Option<&Finding>) -> Document + 'd;

/// What a rule came to over a run.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct RuleOutcome {
    /// How many exchanges it was judged on; none means that the rule is skipped.
    pub eligible: usize,
    /// What it found, each kind once.
    pub findings: Vec<RuleFinding>,
}

/// All rules, in the order of their modules.
pub static RULES: &[Rule] = &[
    http::NO_SERVER_ERROR,
    http::CONTENT_TYPE,
    http::CHARSET,
    http::JSON_WELL_FORMED,
    http::MEMBER_NAMES_UNIQUE,
    http::BODY_PRESENT,
    http::NO_CONTENT,
    http::UNAUTHORIZED_CHALLENGE,
    http::ALLOW_ON_405,
    http::NO_STACK_TRACE,
    http::ETAG_ON_304,
    http::COOKIES_END_WITH_THE_SESSION,
    http::ACCEPTED_IS_ASYNCHRONOUS,
    http::CREDENTIALS_NOT_REPEATED,
    http::RESOURCES_ARE_PRIVATE,
    error::ERROR_SHAPE,
    error::ERROR_STATUS_MATCHES,
    error::SCIM_TYPE_REGISTERED,
    error::ERROR_IS_NO_SUCCESS,
    list::LIST_SHAPE,
    list::LIST_ARITHMETIC,
    list::LIST_NO_REPEATS,
    list::LIST_WITHIN_LIMIT,
    filter::FILTER_ROWS_MATCH,
    filter::FILTER_FINDS_ALL,
    query::SORTED_IN_ORDER,
    query::ROW_IS_THE_RESOURCE,
    query::PROJECTION_KEEPS_VALUES,
    query::TOTAL_IS_STABLE,
    resource::SCHEMAS_PRESENT,
    resource::ID_PRESENT,
    resource::ID_STABLE,
    resource::META_COMPLETE,
    resource::META_RESOURCE_TYPE,
    resource::LOCATION_ON_CREATE,
    resource::LOCATION_EQUALS_META,
    resource::LOCATION_IS_ADDRESS,
    resource::ETAG_SYNTAX,
    resource::ETAG_EQUALS_VERSION,
    resource::PASSWORD_NEVER_RETURNED,
    resource::CREATED_EQUALS_MODIFIED,
    schema::DATE_TIME_FORMAT,
    schema::REFERENCE_SYNTAX,
    schema::ATTRIBUTE_TYPES,
    schema::ONE_PRIMARY,
    schema::SCHEMAS_MATCH,
    schema::NEVER_RETURNED,
    schema::REQUIRED_PRESENT,
    schema::ATTRIBUTES_DECLARED,
    schema::VALUES_DIFFER,
    definitions::CORE_DEFINITIONS,
    definitions::RESOURCE_TYPES_DEFINED,
    written::WRITTEN_IS_READ,
    written::REFUSED_CHANGES_NOTHING,
    written::WRITE_ANSWER_IS_READ,
    written::CREATED_STAYS,
    written::DELETED_IS_GONE,
    version::VERSION_FOLLOWS_WRITES,
    version::MODIFIED_NEVER_BACK,
];

/// The rules that hold a read against the write before it.
pub const OF_WRITES: [&Rule; 4] = [
    &written::WRITTEN_IS_READ,
    &written::REFUSED_CHANGES_NOTHING,
    &written::WRITE_ANSWER_IS_READ,
    &written::CREATED_STAYS,
];

/// The rules that hold a read against the one write before it. Of several that were sent at once nobody knows which
/// that is, so that these do not judge them.
pub const OF_ONE_WRITE: [Rule; 6] = [
    version::VERSION_FOLLOWS_WRITES,
    version::MODIFIED_NEVER_BACK,
    written::WRITTEN_IS_READ,
    written::REFUSED_CHANGES_NOTHING,
    written::WRITE_ANSWER_IS_READ,
    written::DELETED_IS_GONE,
];

/// The rule of that name.
pub fn by_name(name: &str) -> Option<&'static Rule> {
    RULES.iter().find(|rule| rule.name == name)
}

/// Judges the exchanges by one rule. Findings with equal signatures and severity are one finding with several
/// exchanges.
pub fn judge_all<'e>(
    rule: &Rule,
    exchanges: impl IntoIterator<Item = &'e Exchange>,
    context: &RuleContext<'_>,
) -> RuleOutcome {
    judge_by(rule, exchanges, context, &|_, _| Document::Silent)
}

/// As [`judge_all`], where a vendor documents something else of some answers: a finding that is documented so becomes a
/// note of its own.
pub fn judge_by<'e>(
    rule: &Rule,
    exchanges: impl IntoIterator<Item = &'e Exchange>,
    context: &RuleContext<'_>,
    documents: &Documents<'_>,
) -> RuleOutcome {
    let mut outcome = RuleOutcome::default();
    let view = View::of(context);
    let muted = context.mutes.get(rule.name);
    for exchange in exchanges {
        if muted.is_some_and(|muted| muted.contains(&exchange.id)) {
            continue;
        }
        let (findings, beside) = match (rule.judge)(exchange, &view) {
            RuleVerdict::NotEligible => continue,
            RuleVerdict::Held => (Vec::new(), Vec::new()),
            RuleVerdict::Broke(findings) => (findings, Vec::new()),
            RuleVerdict::BrokeBeside { findings, beside } => (findings, beside),
        };
        outcome.eligible += 1;
        if findings.is_empty() {
            documents(exchange, None);
        }
        for finding in findings {
            let mut finding = in_case(finding, context);
            let documented = match documents(exchange, Some(&finding)) {
                Document::Silent => None,
                Document::Kept(deviation) => Some(deviation),
            };
            if documented.is_some() {
                finding.severity = Severity::Note;
            }
            add(&mut outcome.findings, finding, exchange.id, &beside, documented);
        }
    }
    outcome.findings.sort_by_key(|found| std::cmp::Reverse(found.finding.severity));
    outcome
}

/// The finding with the level, requirements and place of the rule's case. A fault that breaks only some of the
/// requirements named them itself.
fn in_case(finding: Finding, context: &RuleContext<'_>) -> Finding {
    let requirements =
        if finding.requirements.is_empty() { context.spec.to_vec() } else { finding.requirements };
    Finding {
        level: context.level,
        severity: finding.severity.min(context.level.severity()),
        requirements,
        place: context.place.cloned(),
        ..finding
    }
}

fn add(
    known: &mut Vec<RuleFinding>,
    finding: Finding,
    exchange: ExchangeId,
    beside: &[ExchangeId],
    documented: Option<usize>,
) {
    let alike = known.iter().filter(|it| it.finding.severity == finding.severity).count();
    let same = known.iter_mut().find(|known| {
        known.finding.signature == finding.signature
            && known.finding.severity == finding.severity
            && known.documented == documented
    });
    match same {
        Some(known) if known.exchanges.last() == Some(&exchange) => {}
        Some(known) => known.exchanges.push(exchange),
        None if alike >= MOST_FINDINGS => {}
        None => {
            let beside = beside.to_vec();
            known.push(RuleFinding { finding, exchanges: vec![exchange], beside, documented });
        }
    }
}

/// What is wrong with an exchange, before it has a level.
#[derive(Default)]
struct Fault {
    severity: Option<Severity>,
    requirements: Vec<&'static str>,
    message: String,
    expected: String,
    actual: String,
    expected_class: String,
    actual_class: String,
    differences: Vec<Difference>,
}

impl Fault {
    /// As severe as the rule's level.
    fn new(message: impl Into<String>, expected: impl Into<String>, actual: impl Into<String>) -> Fault {
        let (expected, actual) = (expected.into(), actual.into());
        Fault { message: message.into(), expected, actual, ..Fault::default() }
    }

    /// The classes for the signature: without ids, without values.
    fn class(mut self, expected: impl Into<String>, actual: impl Into<String>) -> Fault {
        self.expected_class = expected.into();
        self.actual_class = actual.into();
        self
    }

    /// The requirements that it breaks, where they are fewer than the rule cites.
    fn breaks(mut self, requirements: &'static [&'static str]) -> Fault {
        self.requirements = requirements.to_vec();
        self
    }

    /// More requirements that it breaks.
    fn breaks_too(mut self, requirements: &'static [&'static str]) -> Fault {
        self.requirements.extend(requirements);
        self
    }

    /// A warning in each reading.
    fn warning(mut self) -> Fault {
        self.severity = Some(Severity::Warning);
        self
    }

    /// A warning, but a failure in the strict reading.
    fn warning_unless_strict(self, context: &View<'_>) -> Fault {
        match context.reading {
            Reading::Strict => self,
            Reading::Lenient => self.warning(),
        }
    }
}

/// The verdict on an exchange that the rule is about.
fn verdict(rule: &str, exchange: &Exchange, faults: Vec<Fault>) -> RuleVerdict {
    if faults.is_empty() {
        return RuleVerdict::Held;
    }
    RuleVerdict::Broke(faults.into_iter().map(|fault| finding(rule, exchange, fault)).collect())
}

fn finding(rule: &str, exchange: &Exchange, fault: Fault) -> Finding {
    Finding {
        check: rule.to_owned(),
        level: Level::Must,
        severity: fault.severity.unwrap_or(Severity::Failure),
        requirements: fault.requirements.iter().map(|id| (*id).to_owned()).collect(),
        message: format!("{}: {}", words::subject(exchange), fault.message),
        expected: fault.expected,
        actual: fault.actual,
        differences: fault.differences,
        exchange: Some(exchange.id),
        place: None,
        signature: Signature {
            check: rule.to_owned(),
            method: exchange.request.method.clone(),
            endpoint: exchange.request.endpoint.clone(),
            expected: words::bounded_class(&fault.expected_class),
            actual: words::bounded_class(&fault.actual_class),
        },
        snapshot: None,
    }
}

/// One resource in an answer.
struct Found<'a> {
    /// Which row of a list it is; nothing for the body itself.
    row: Option<usize>,
    /// The same without the index.
    class: &'static str,
    resource: &'a Value,
    definition: Option<&'a ResourceDefinition>,
    /// Whether it came from ServiceProviderConfig, ResourceTypes or Schemas.
    is_discovery: bool,
}

impl Found<'_> {
    /// The path of a member, for messages: `Resources[3].meta`.
    fn path(&self, member: &str) -> String {
        match self.row {
            None => member.to_owned(),
            Some(index) => format!("Resources[{index}].{member}"),
        }
    }

    /// The path of a member without indexes, for signatures: `Resources.meta`.
    fn path_class(&self, member: &str) -> String {
        if self.class.is_empty() { member.to_owned() } else { format!("{}.{member}", self.class) }
    }
}

/// The answer, if it is a success that a client reads: 2xx, and not to HEAD or OPTIONS.
fn success(exchange: &Exchange) -> Option<&Response> {
    let response = exchange.response()?;
    let is_read = !matches!(exchange.request.method.as_str(), "HEAD" | "OPTIONS");
    ((200..300).contains(&response.status) && is_read).then_some(response)
}

/// The resources in a successful answer: the body itself, or the rows of a list.
fn found<'a>(exchange: &'a Exchange, context: &'a View<'_>) -> Vec<Found<'a>> {
    let Some(body) = success(exchange).and_then(|response| response.body.json().ok()) else {
        return Vec::new();
    };
    if !body.is_object() {
        return Vec::new();
    }
    // What comes with the success of a DELETE is a resource only where it says so.
    let by_endpoint =
        context.definitions.by_endpoint(exchange).filter(|_| exchange.request.method != "DELETE");
    let is_discovery = kind::discovery_type(&exchange.request).is_some();
    let make = |row: Option<usize>, class: &'static str, resource: &'a Value| Found {
        row,
        class,
        resource,
        definition: by_endpoint.or_else(|| context.definitions.by_itself(resource)),
        is_discovery,
    };
    if kind::is_list(body) {
        let rows = get(body, "Resources").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        return rows
            .iter()
            .enumerate()
            .filter(|(_, row)| row.is_object())
            .map(|(index, row)| make(Some(index), "Resources", row))
            .collect();
    }
    let is_message = schemas(body).iter().any(|urn| {
        urn.get(..names::MESSAGE_PREFIX.len())
            .is_some_and(|prefix| prefix.eq_ignore_ascii_case(names::MESSAGE_PREFIX))
    });
    let resource = make(None, "", body);
    if is_message || resource.definition.is_none() { Vec::new() } else { vec![resource] }
}

/// Whether the path leads to what the service provider declares: a resource type's endpoint, or discovery.
fn is_known_endpoint(exchange: &Exchange, context: &View<'_>) -> bool {
    context.definitions.by_endpoint(exchange).is_some()
}

/// A parameter of the query, decoded; of `.search` the member of the body as text.
pub(super) fn parameter(exchange: &Exchange, name: &str) -> Option<String> {
    if kind::is_search(&exchange.request) {
        let body = exchange.request.json()?;
        return match get(&body, name)? {
            Value::String(text) => Some(text.clone()),
            Value::Null => None,
            other => Some(other.to_string()),
        };
    }
    let (_, query) = exchange.request.path.split_once('?')?;
    query.split('&').find_map(|pair| {
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        let value = value.replace('+', " ");
        (key == name).then(|| percent_encoding::percent_decode_str(&value).decode_utf8_lossy().into_owned())
    })
}
