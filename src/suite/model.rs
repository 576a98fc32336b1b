//! The suite format as types: what an author can write, and nothing else.
//!
//! Every mapping is a flat struct that refuses unknown keys, so that a slip is reported where it stands; where
//! "exactly one of" holds, the loader checks it and a view such as [`Step::action`] gives the meaning. This
//! module refuses to know files, templates, networks and verdicts: it is the language, not its reading. The
//! JSON Schema in `schema/suite.schema.json` is generated from it, and its doc comments are what editors show.

use std::borrow::Cow;
use std::fmt;
use std::time::Duration;

use indexmap::IndexMap;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{self, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::Value;

use super::vectors::Vector;
use crate::outcome::Level;
use crate::scim::schema::{AttributeType, Mutability, Returned, Uniqueness};

/// A suite: cases about one section of a document or one feature.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Suite {
    /// Its name, the first half of every case id: `patch`.
    pub suite: String,
    /// What it is about, in plain words.
    pub title: String,
    /// The default level of its cases; without it, the strongest level that a case cites.
    pub level: Option<Level>,
    /// Requirement ids that all its cases are about.
    #[serde(default)]
    pub spec: Vec<String>,
    /// What the service provider has to claim; otherwise every case is skipped with the evidence.
    #[serde(default)]
    pub requires: Vec<Requires>,
    /// Tags of all its cases, such as `okta.create`.
    #[serde(default)]
    pub tags: Vec<String>,
    /// What a client does when these cases fail.
    pub consequence: Option<String>,
    /// What every step of the suite starts from.
    #[serde(default)]
    pub defaults: Defaults,
    /// The cases.
    pub cases: Vec<Case>,
    /// Steps that cases do under one name, perhaps in several wire forms.
    #[serde(default)]
    pub actions: IndexMap<String, Routine>,
}

/// Steps under one name, which cases do with arguments. Exactly one of `steps` and `forms`.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
#[schemars(rename = "SuiteAction")]
pub struct Routine {
    /// Its parameters. In its steps `${a}` is what the caller passes; where a name of a resource or step stands, the
    /// parameter stands for the name passed.
    #[serde(default)]
    pub params: Vec<String>,
    /// Its steps, where there is one way to do it. Ids and captures in them are its own, unless they are parameters.
    #[serde(default)]
    pub steps: Vec<Step>,
    /// Its steps by wire form, such as patch and put. A case that does it is run once for each form, as `suite/case@put`,
    /// and needs what the form's steps require.
    #[serde(default)]
    pub forms: IndexMap<String, Vec<Step>>,
}

/// What every step of a suite starts from.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Defaults {
    /// Headers of every request; a step's own win, and `null` there takes one away.
    #[serde(default)]
    pub headers: IndexMap<String, Option<String>>,
    /// The credentials of every request.
    pub auth: Option<Auth>,
    /// How long reads may take to agree.
    pub eventually: Option<Eventually>,
}

/// One behaviour with the steps that show it.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Case {
    /// Permanent, unique in its suite, without data in it: `replace-by-value-filter`.
    pub id: String,
    /// The behaviour in plain words, as a statement that is true of a good server.
    pub title: String,
    /// Why it matters.
    pub why: Option<String>,
    /// How to mend a server that fails it.
    pub hint: Option<String>,
    /// What a client does when it fails.
    pub consequence: Option<String>,
    /// Where the behaviour is documented, when that is no RFC: ids of the vendor catalogue.
    #[serde(default)]
    pub source: Vec<String>,
    /// How strongly it binds; without it, the strongest level cited.
    pub level: Option<Level>,
    /// The requirement ids it tests.
    #[serde(default)]
    pub spec: Vec<String>,
    /// What the service provider has to claim; otherwise the case is skipped.
    #[serde(default)]
    pub requires: Vec<Requires>,
    /// Tags for selection and for the readiness table.
    #[serde(default)]
    pub tags: Vec<String>,
    /// What the operator has to allow, since it may disturb the target.
    #[serde(default)]
    pub allow: Vec<Permission>,
    /// Runs alone, after everything else.
    #[serde(default)]
    pub exclusive: bool,
    /// A shared, named set of resources (`fixtures/populations/NAME.yaml`) that the case only reads.
    pub population: Option<String>,
    /// Resources that exist before the first step.
    #[serde(default)]
    pub given: IndexMap<String, Given>,
    /// Values made anew for every run of the case.
    #[serde(default)]
    pub fresh: IndexMap<String, Fresh>,
    /// The same steps with other data: each row becomes a trial of its own.
    #[serde(default)]
    pub rows: Vec<Row>,
    /// Steps that prepare; when one fails the case is errored, never failed.
    #[serde(default)]
    pub setup: Vec<Step>,
    /// The steps. Exactly one of `steps`, `rule` and `vectors` is given.
    #[serde(default)]
    pub steps: Vec<Step>,
    /// The name of a rule that is judged over every exchange of the run.
    pub rule: Option<String>,
    /// Trials that stand in a file of their own, instead of steps.
    pub vectors: Option<Vectors>,
    /// Trials that the service provider's own schemas make: the steps once for each attribute that fits.
    pub for_each: Option<ForEach>,
}

/// Trials made from the service provider's own schemas, each reported as `suite/case[User.nickName]`. Where no attribute
/// fits, the case is skipped.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct ForEach {
    /// Which attributes.
    pub attribute: AttributeSelector,
    /// What the attribute is called in the case: `${NAME.path}` is its path, `${NAME.name}` its name, `${NAME.value}` and
    /// `${NAME.other}` are values that it can have, and `${NAME.upper}` is the first of them in capitals.
    #[serde(rename = "as")]
    pub name: String,
}

/// Attributes of a resource type by their characteristics; what is not said may be anything. Only attributes that hold one
/// value, and no sub-attributes, of the base schema and of extensions.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct AttributeSelector {
    /// The name of the resource type, such as `User`.
    pub of: String,
    /// The data types.
    #[serde(default, rename = "type")]
    pub kinds: Vec<AttributeType>,
    /// Whether a resource must have a value.
    pub required: Option<bool>,
    /// Whether case matters.
    pub case_exact: Option<bool>,
    /// When it can be written.
    #[serde(default)]
    pub mutability: Vec<Mutability>,
    /// When it is returned.
    #[serde(default)]
    pub returned: Vec<Returned>,
    /// Where its values are unique.
    #[serde(default)]
    pub uniqueness: Vec<Uniqueness>,
    /// Names of attributes that other cases are about.
    #[serde(default)]
    pub without: Vec<String>,
}

/// Trials that stand in a file of their own (`fixtures/vectors/FILE.yaml`), each reported as `suite/case[vector-id]`.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Vectors {
    /// What they are about.
    pub kind: VectorKind,
    /// The name of the file, without its ending.
    pub file: String,
    /// Ids of vectors that are left out, since other cases send the very same request.
    #[serde(default)]
    pub without: Vec<String>,
    /// The vectors, but for those left out. The loader puts them here.
    #[serde(skip)]
    pub trials: Vec<Vector>,
    /// Ids of `without` that the file does not have, with their position. The loader puts them here.
    #[serde(skip)]
    pub unknown: Vec<(usize, String)>,
}

impl Vectors {
    /// The vector that a part of a job is a trial of, by the id of the part: `suite/case[vector-id]`.
    pub fn trial_of(&self, part: &str) -> Option<&Vector> {
        let (_, id) = part.strip_suffix(']')?.rsplit_once('[')?;
        self.trials.iter().find(|vector| vector.id == id)
    }
}

/// What vectors are about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum VectorKind {
    /// Filters, and which members of the case's population each finds.
    Filter,
    /// PATCH requests, and what becomes of a resource by each.
    Patch,
}

impl Case {
    /// The ids of its rows or vectors, each a trial of its own: `suite/case[id]`.
    pub fn trial_ids(&self) -> impl Iterator<Item = &str> {
        let vectors = self.vectors.iter().flat_map(|vectors| &vectors.trials);
        self.rows.iter().map(|row| row.id.as_str()).chain(vectors.map(|vector| vector.id.as_str()))
    }
}

/// What may disturb a target and has to be allowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Permission {
    /// Could degrade or lock the service for others.
    Disruptive,
    /// Takes minutes.
    Slow,
}

/// A resource that exists before the first step: `ann: user` (a fixture's name), or a mapping.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Given {
    /// The fixture (`fixtures/NAME.json`) it starts from.
    pub fixture: Option<String>,
    /// The resource itself, instead of a fixture.
    pub inline: Option<Value>,
    /// Top-level attributes to set; `null` stays.
    pub set: IndexMap<String, Value>,
    /// Attributes to leave out.
    pub without: Vec<String>,
    /// How many of it; the name then has `.members` and `.ids`.
    pub times: Option<u32>,
}

/// A value made anew for every run of the case.
#[derive(Debug, Clone, PartialEq)]
pub enum Fresh {
    /// A generated value of that kind, unique in the run.
    Kind(FreshKind),
    /// Another fresh value in capitals.
    Upper(String),
    /// Another fresh value in small letters.
    Lower(String),
    /// Another fresh value with its letters' case alternating.
    Mixed(String),
}

/// The generators of fresh values. All but names of people carry the run's mark.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum FreshKind {
    /// An e-mail address in the reserved domain, in small letters.
    Email,
    /// An e-mail address with capitals in its local part.
    MixedCaseEmail,
    /// A userName: as the operator's pattern says, else an e-mail address.
    UserName,
    /// A name for a group.
    DisplayName,
    /// A given name.
    GivenName,
    /// A family name.
    FamilyName,
    /// An external id, with capitals and small letters.
    ExternalId,
    /// A word of eight random small letters and digits.
    Word,
    /// A password that common policies take.
    Password,
    /// A UUID that no resource has.
    Uuid,
}

/// One set of data for a case.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Row {
    /// Unique in the case; the trial is `suite/case[id]`.
    pub id: String,
    /// What `${row.NAME}` stands for.
    #[serde(default)]
    pub data: IndexMap<String, Value>,
    /// The level of this row.
    pub level: Option<Level>,
    /// Requirement ids of this row, beside the case's.
    #[serde(default)]
    pub spec: Vec<String>,
    /// What this row needs.
    #[serde(default)]
    pub requires: Vec<Requires>,
    /// Expectations that replace those of the steps named.
    #[serde(default)]
    pub expect: IndexMap<String, Expect>,
}

/// One step: an action, and what should come of it.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Step {
    /// A name by which later steps refer to it. A step that returned a resource is a handle like a given.
    pub id: Option<String>,
    /// Reports this step, and those after it up to the next checkpoint, as a case of its own.
    pub checkpoint: Option<String>,
    /// What the checkpoint shows, in plain words.
    pub title: Option<String>,
    /// The level of the checkpoint.
    pub level: Option<Level>,
    /// The requirement ids of the checkpoint or step.
    #[serde(default)]
    pub spec: Vec<String>,
    /// Sources of the checkpoint in a vendor catalogue.
    #[serde(default)]
    pub source: Vec<String>,
    /// What a client does when the checkpoint fails.
    pub consequence: Option<String>,
    /// Runs only where an earlier step matched one of the alternatives named.
    #[serde(default)]
    pub when: IndexMap<String, Vec<String>>,
    /// Runs only where the service provider claims this.
    #[serde(default)]
    pub requires: Vec<Requires>,
    /// The credentials of this request.
    pub auth: Option<Auth>,
    /// Headers of this request; `null` takes a default one away.
    #[serde(default)]
    pub headers: IndexMap<String, Option<String>>,
    /// How the query is percent-encoded.
    pub encode: Option<Encode>,
    /// Names for parts of the answer.
    #[serde(default)]
    pub capture: IndexMap<String, Capture>,
    /// Repeats the request until the expectation holds, within the time.
    pub eventually: Option<Eventually>,

    /// Action: a request, `METHOD /path`. Each `${…}` is percent-encoded as one segment.
    pub send: Option<String>,
    /// The body of `send`, word for word.
    #[serde(default, deserialize_with = "some_value")]
    pub body: Option<Value>,
    /// The body of `send`, built from something that is there.
    pub make: Option<Make>,
    /// The operations of a PatchOp; the envelope is added.
    #[serde(default, deserialize_with = "some_value")]
    pub operations: Option<Value>,
    /// The operations of a BulkRequest; the envelope is added.
    pub bulk: Option<BulkMake>,
    /// The body of `send` as text, whatever it is.
    pub raw: Option<String>,
    /// Action: a query of an endpoint.
    pub query: Option<Query>,
    /// Action: reads the resource of that name again.
    pub read: Option<String>,
    /// Action: the resources named are as they were before the step before.
    #[serde(default)]
    pub unchanged: Vec<String>,

    /// What should come.
    pub expect: Option<Expect>,

    /// Action: the steps of an action of the suite, with its arguments: `{NAME: {user: ann, mail: "${mail}"}}`.
    #[serde(rename = "do", default)]
    pub call: IndexMap<String, IndexMap<String, Value>>,
    /// Action: pages of a list, one after the other.
    pub paginate: Option<Paginate>,
    /// Where the step stands in its file, if that is not where the case has it: `actions.rename.forms.put[0]`.
    #[serde(skip)]
    pub stands_at: Option<String>,
    /// Action: a command of the operator's, by its name under `[hooks]` in `scimspec.toml`.
    pub hook: Option<String>,
    /// What the hook is told: each as `SCIMSPEC_ARG_` and the name in capitals.
    #[serde(default)]
    pub with: IndexMap<String, String>,
    /// Names for members of the JSON object that the hook prints.
    #[serde(default)]
    pub gives: IndexMap<String, String>,
    /// How long the hook may take, where that is less than the operator allows.
    #[serde(default, deserialize_with = "duration")]
    #[schemars(schema_with = "duration_schema")]
    pub within: Option<Duration>,
    /// Action: many requests as fast as they are answered.
    pub burst: Option<Burst>,
    /// Action: a pause.
    pub wait: Option<Wait>,
    /// Resources that the request makes beside the one it asks for, as paths such as `/Users/${mail}`: they are ours,
    /// and the clean-up deletes them.
    #[serde(default)]
    pub creates: Vec<String>,
    /// Action: several requests at once.
    pub parallel: Option<Parallel>,
    /// The body of `send` as bytes that are no text, two hexadecimal digits each, with blanks between them or not.
    pub hex: Option<String>,
}

/// Many reads as fast as they are answered, to see where the service provider's limit is. It begins after a whole
/// window of the pace without a request, and nothing goes on before another one has passed.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Burst {
    /// The request, `GET /path`.
    pub send: String,
    /// The statuses that end it.
    pub until: StatusSet,
    /// How many requests at most.
    pub at_most: u32,
    /// How long at most.
    #[serde(deserialize_with = "required_duration")]
    #[schemars(schema_with = "duration_schema")]
    pub within: Duration,
}

/// Several requests at once, which nothing keeps apart but the service provider: one request so many times, one for each of
/// several resources, or different ones. Exactly one of `times`, `over` and `requests`. What they create has the name of
/// the step, and `when` can ask for the tally that all answers are of. Where one of them gets no answer, or is told that
/// there were too many, the whole case is done once more with fresh values.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Parallel {
    /// The request, so many times.
    pub times: Option<u32>,
    /// The request, once for each resource of this name (a given with `times`).
    pub over: Option<String>,
    /// What the request calls the resource that it is for, with `over`.
    #[serde(rename = "as")]
    pub name: Option<String>,
    /// Different requests.
    #[serde(default)]
    pub requests: Vec<ParallelRequest>,
    /// The request of `times` and `over`, `METHOD /path`.
    pub send: Option<String>,
    /// Its body, word for word.
    #[serde(default, deserialize_with = "some_value")]
    pub body: Option<Value>,
    /// Its body, built from something that is there.
    pub make: Option<Make>,
    /// The operations of a PatchOp; the envelope is added.
    #[serde(default, deserialize_with = "some_value")]
    pub operations: Option<Value>,
}

/// One of several requests that are sent at once.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct ParallelRequest {
    /// The request, `METHOD /path`.
    pub send: String,
    /// Its body, word for word.
    #[serde(default, deserialize_with = "some_value")]
    pub body: Option<Value>,
    /// Its body, built from something that is there.
    pub make: Option<Make>,
    /// The operations of a PatchOp; the envelope is added.
    #[serde(default, deserialize_with = "some_value")]
    pub operations: Option<Value>,
}

impl Parallel {
    /// The requests as they are written, each as a step of its own: one for `times` and `over`.
    pub fn steps(&self) -> Vec<Step> {
        let of = |send: &Option<String>, body: &Option<Value>, make: &Option<Make>, operations| Step {
            send: send.clone(),
            body: body.clone(),
            make: make.clone(),
            operations,
            ..Step::default()
        };
        if self.requests.is_empty() {
            return vec![of(&self.send, &self.body, &self.make, self.operations.clone())];
        }
        self.requests
            .iter()
            .map(|request| {
                let ParallelRequest { send, body, make, operations } = request;
                of(&Some(send.clone()), body, make, operations.clone())
            })
            .collect()
    }

    /// How many requests are sent, where nobody knows how many resources there are.
    pub fn at_least(&self) -> usize {
        self.times.map_or(self.requests.len().max(2), |times| times as usize)
    }
}

/// A pause. Exactly one of `retry-after` and `for`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Wait {
    /// As long as the last 429 asked for; a window of the pace where it asked for nothing.
    #[serde(default)]
    pub retry_after: bool,
    /// That long.
    #[serde(default, rename = "for", deserialize_with = "duration")]
    #[schemars(schema_with = "duration_schema")]
    pub time: Option<Duration>,
    /// No longer than this.
    #[serde(default, deserialize_with = "duration")]
    #[schemars(schema_with = "duration_schema")]
    pub at_most: Option<Duration>,
}

/// The meaning of a step's action.
#[derive(Debug, Clone)]
pub enum Action<'a> {
    /// A request with an optional body.
    Send {
        /// Method and path, as written.
        line: &'a str,
        /// The body.
        payload: Payload<'a>,
    },
    /// A query of an endpoint.
    Query(&'a Query),
    /// A read of a named resource.
    Read(&'a str),
    /// A comparison of named resources with their state before the last write.
    Unchanged(&'a [String]),
    /// The steps of an action of the suite. A case that runs has these steps in its place.
    Do(&'a IndexMap<String, IndexMap<String, Value>>),
    /// Pages of a list, one after the other.
    Paginate(&'a Paginate),
    /// A command of the operator's.
    Hook(&'a str),
    /// Many requests as fast as they are answered.
    Burst(&'a Burst),
    /// A pause.
    Wait(&'a Wait),
    /// Several requests at once.
    Parallel(&'a Parallel),
}

/// The body of a request.
#[derive(Debug, Clone)]
pub enum Payload<'a> {
    /// None.
    None,
    /// JSON, word for word.
    Body(&'a Value),
    /// Built from a handle or fixture.
    Make(&'a Make),
    /// The operations of a PatchOp.
    Operations(&'a Value),
    /// The operations of a BulkRequest.
    Bulk(&'a BulkMake),
    /// Text, whatever it is.
    Raw(&'a str),
    /// Bytes, as hexadecimal digits.
    Hex(&'a str),
}

/// The bytes that hexadecimal digits stand for, two for each, blanks left out; nothing where they stand for none.
pub fn bytes_of_hex(digits: &str) -> Option<Vec<u8>> {
    let digits: Vec<u8> = digits
        .chars()
        .filter(|c| !c.is_whitespace())
        .map(|c| c.to_digit(16)?.try_into().ok())
        .collect::<Option<_>>()?;
    let (pairs, rest) = digits.as_chunks::<2>();
    rest.is_empty().then(|| pairs.iter().map(|[high, low]| high * 16 + low).collect())
}

impl Step {
    /// The action of this step, or why it has none or several.
    ///
    /// # Errors
    /// The names of the actions or payloads that stand in each other's way.
    pub fn action(&self) -> Result<Action<'_>, ActionError> {
        let mut actions = Vec::new();
        if let Some(line) = &self.send {
            actions.push(("send", Action::Send { line, payload: self.payload()? }));
        }
        if let Some(query) = &self.query {
            actions.push(("query", Action::Query(query)));
        }
        if let Some(name) = &self.read {
            actions.push(("read", Action::Read(name)));
        }
        if !self.unchanged.is_empty() {
            actions.push(("unchanged", Action::Unchanged(&self.unchanged)));
        }
        if !self.call.is_empty() {
            actions.push(("do", Action::Do(&self.call)));
        }
        if let Some(paginate) = &self.paginate {
            actions.push(("paginate", Action::Paginate(paginate)));
        }
        if let Some(name) = &self.hook {
            actions.push(("hook", Action::Hook(name)));
        }
        if let Some(burst) = &self.burst {
            actions.push(("burst", Action::Burst(burst)));
        }
        if let Some(wait) = &self.wait {
            actions.push(("wait", Action::Wait(wait)));
        }
        if let Some(parallel) = &self.parallel {
            actions.push(("parallel", Action::Parallel(parallel)));
        }
        match actions.len() {
            0 => Err(ActionError::None),
            1 => Ok(actions.remove(0).1),
            _ => Err(ActionError::Several(actions.iter().map(|(name, _)| *name).collect())),
        }
    }

    fn payload(&self) -> Result<Payload<'_>, ActionError> {
        let mut payloads = Vec::new();
        if let Some(body) = &self.body {
            payloads.push(("body", Payload::Body(body)));
        }
        if let Some(make) = &self.make {
            payloads.push(("make", Payload::Make(make)));
        }
        if let Some(operations) = &self.operations {
            payloads.push(("operations", Payload::Operations(operations)));
        }
        if let Some(bulk) = &self.bulk {
            payloads.push(("bulk", Payload::Bulk(bulk)));
        }
        if let Some(raw) = &self.raw {
            payloads.push(("raw", Payload::Raw(raw)));
        }
        if let Some(hex) = &self.hex {
            payloads.push(("hex", Payload::Hex(hex)));
        }
        match payloads.len() {
            0 => Ok(Payload::None),
            1 => Ok(payloads.remove(0).1),
            _ => Err(ActionError::Several(payloads.iter().map(|(name, _)| *name).collect())),
        }
    }
}

/// Why a step has no single meaning.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ActionError {
    /// No action stands in the step.
    #[error(
        "a step needs one action: send, query, read, unchanged, do, paginate, hook, burst, wait or parallel"
    )]
    None,
    /// More than one stands there.
    #[error("{} exclude each other in one step", .0.join(" and "))]
    Several(Vec<&'static str>),
}

/// A query of an endpoint, by GET or by POST to `.search`.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Query {
    /// `/Users`, `/Groups`, `/`.
    pub endpoint: String,
    /// A filter; values in `${…}` are escaped as inside a JSON string.
    pub filter: Option<String>,
    /// The attribute to sort by.
    #[serde(rename = "sortBy")]
    pub sort_by: Option<String>,
    /// `ascending` or `descending`.
    #[serde(rename = "sortOrder")]
    pub sort_order: Option<String>,
    /// The one-based index of the first result.
    #[serde(rename = "startIndex")]
    pub start_index: Option<i64>,
    /// How many results at most.
    pub count: Option<i64>,
    /// Where the page begins, where pages are turned by cursor (RFC 9865): empty for the first.
    pub cursor: Option<String>,
    /// Attributes to return.
    #[serde(default)]
    pub attributes: Vec<String>,
    /// Attributes to leave out.
    #[serde(default, rename = "excludedAttributes")]
    pub excluded_attributes: Vec<String>,
    /// `get` (default), `search`, or both: each is asked and judged.
    #[serde(default)]
    pub by: Vec<By>,
}

/// Pages of a list, asked for one after the other: from the first on, each from where the one before ended, and at last
/// one beyond the end of the list.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Paginate {
    /// `/Users`, `/Groups`.
    pub endpoint: String,
    /// How pages are turned.
    pub by: Turning,
    /// How many resources a page is asked for.
    pub size: u32,
    /// A filter; values in `${…}` are escaped as inside a JSON string.
    pub filter: Option<String>,
    /// How many pages are asked for at most, the one beyond the end apart (default 4).
    pub pages: Option<u32>,
}

impl Paginate {
    /// How many pages are asked for at most, the one beyond the end apart.
    pub fn most_pages(&self) -> u32 {
        self.pages.unwrap_or(4)
    }
}

/// How pages are turned.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Turning {
    /// By `startIndex` and `count` (RFC 7644 section 3.4.2.4).
    Index,
}

/// What holds for the pages of a list together (RFC 7644 section 3.4.2.4).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Invariant {
    /// No resource stands on two pages, nor twice on one.
    NoRepeats,
    /// Every page says the same `totalResults`.
    TotalStable,
    /// A list that was read to its end holds as many resources as `totalResults` says.
    TotalAgrees,
    /// No page holds more resources than were asked for.
    PageSizeKept,
    /// Beyond the end of the list there is nothing. What such a page is answered with otherwise is no concern of it.
    Ends,
}

/// How a query travels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum By {
    /// GET with query parameters.
    Get,
    /// POST to `.search` with a SearchRequest.
    Search,
}

/// A resource built from something that is there. Exactly one of `from`, `fixture` and `sent`.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Make {
    /// The handle it starts from: a given, or a step that returned a resource.
    pub from: Option<String>,
    /// The fixture it starts from.
    pub fixture: Option<String>,
    /// The step whose request body it starts from.
    pub sent: Option<String>,
    /// Top-level attributes to set; `null` stays.
    #[serde(default)]
    pub set: IndexMap<String, Value>,
    /// Attributes to leave out.
    #[serde(default)]
    pub without: Vec<String>,
    /// Whether the operator's template and the server's required attributes are filled in.
    #[serde(default)]
    pub template: bool,
    /// Values at attribute paths, for paths that a setting names: `{"${setting.hire-date}": "2026-03-02"}`. What is
    /// missing on the way is made, the URN of an extension in `schemas` included.
    #[serde(default)]
    pub at: IndexMap<String, Value>,
    /// Whether attributes that the service provider's schemas do not declare are left out.
    #[serde(default)]
    pub declared: bool,
}

/// A BulkRequest (RFC 7644 section 3.7) built from its operations. What is wrong on purpose may stand in them, too.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct BulkMake {
    /// How many errors end the job.
    #[serde(default, rename = "failOnErrors", deserialize_with = "some_value")]
    pub fail_on_errors: Option<Value>,
    /// The operations, in order.
    pub operations: Vec<BulkStep>,
    /// Makes the message larger than the service provider says it takes.
    pub exceeds: Option<BulkLimit>,
}

/// One operation of a BulkRequest. At most one of `data`, `make` and `patch`.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct BulkStep {
    /// The method.
    pub method: Option<String>,
    /// The path; each `${…}` is percent-encoded as one segment.
    pub path: Option<String>,
    /// The name that other operations refer to it by.
    #[serde(rename = "bulkId")]
    pub bulk_id: Option<String>,
    /// The version that the resource has to have.
    pub version: Option<String>,
    /// The data, word for word.
    #[serde(default, deserialize_with = "some_value")]
    pub data: Option<Value>,
    /// The data, built from something that is there.
    pub make: Option<Make>,
    /// The operations of a PatchOp as the data; the envelope is added.
    #[serde(default, deserialize_with = "some_value")]
    pub patch: Option<Value>,
}

/// A limit of Bulk that ServiceProviderConfig says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
pub enum BulkLimit {
    /// The last operation is repeated until there is one more than `maxOperations`.
    #[serde(rename = "maxOperations")]
    MaxOperations,
    /// Blanks are added until there is one byte more than `maxPayloadSize`.
    #[serde(rename = "maxPayloadSize")]
    MaxPayloadSize,
}

/// What `becomes` compares with: a resource as it should be now.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Becomes {
    /// The handle whose last known state it starts from.
    pub from: Option<String>,
    /// The step whose request body it starts from.
    pub sent: Option<String>,
    /// Top-level attributes that differ; `null` means absent.
    #[serde(default)]
    pub set: IndexMap<String, Value>,
    /// Attributes that are gone.
    #[serde(default)]
    pub without: Vec<String>,
    /// The step whose PATCH operations were applied.
    pub patched_by: Option<String>,
}

/// What should come of a step.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Expect {
    /// The status: `200`, `2xx`, or a list.
    pub status: Option<StatusSet>,
    /// A SCIM error.
    pub error: Option<ErrorExpect>,
    /// A part of the answer, as a subset: what is written must be there; arrays as sets; `null` and `[]` mean
    /// absent, null or empty.
    #[serde(default, deserialize_with = "some_value")]
    pub body: Option<Value>,
    /// The whole resource.
    pub becomes: Option<Becomes>,
    /// A ListResponse.
    pub list: Option<ListExpect>,
    /// The answer is a resource of that type that keeps the server's own schemas.
    pub resource: Option<String>,
    /// Single checks.
    #[serde(default)]
    pub checks: Vec<Check>,
    /// Rules that do not judge this exchange, each with a reason beside it in a comment.
    #[serde(default)]
    pub mutes: Vec<String>,
    /// The level of this block.
    pub level: Option<Level>,
    /// The requirement ids of this block.
    #[serde(default)]
    pub spec: Vec<String>,
    /// Judged only where the service provider claims this.
    #[serde(default)]
    pub requires: Vec<Requires>,
    /// What this block shows, in plain words.
    pub title: Option<String>,
    /// The disputes of the RFCs that decided this expectation.
    #[serde(default)]
    pub amb: Vec<String>,
    /// Alternatives: the first that holds wholly is taken.
    #[serde(default)]
    pub any: Vec<Alternative>,
    /// The verdict when no alternative holds.
    pub otherwise: Option<AlternativeVerdict>,
    /// Further blocks, judged apart, each at its own level.
    #[serde(default)]
    pub also: Vec<Expect>,
    /// What must not come, looked at first.
    #[serde(default)]
    pub never: Vec<Never>,
    /// What holds for all pages of a `paginate` together.
    #[serde(default)]
    pub invariants: Vec<Invariant>,
    /// The name of the accepted payload that the answer is compared with, unique in the suite: `minimal-user`. What
    /// differs from run to run (ids, times, versions, values with a name) is left out of the comparison. It is judged on
    /// the server inside scimspec, and elsewhere with `--snapshots` only; so say beside it what any answer has to keep.
    #[schemars(regex(pattern = "^[a-z0-9]+(-[a-z0-9]+)*$"))]
    pub snapshot: Option<String>,
    /// How the answers of a `burst` or `parallel` divide. Of a burst, the rest of the expectation is about the answer that
    /// ended it.
    #[serde(default)]
    pub tally: Vec<Tally>,
}

/// How many of many answers are of one kind. Exactly one of `status` and `error`; with `rest`, every answer that no
/// other tally counts has to be of that kind.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Tally {
    /// What messages call them.
    pub name: Option<String>,
    /// Their status.
    pub status: Option<StatusSet>,
    /// They are SCIM errors.
    pub error: Option<ErrorExpect>,
    /// So many of them.
    pub exactly: Option<u32>,
    /// At least so many.
    pub at_least: Option<u32>,
    /// At most so many.
    pub at_most: Option<u32>,
    /// Every answer that no other tally counts.
    #[serde(default)]
    pub rest: bool,
    /// What another number means, in the lenient reading, where that is no failure.
    pub verdict: Option<AlternativeVerdict>,
    /// What it means in the strict reading; without it, the same.
    pub strict: Option<AlternativeVerdict>,
}

/// One of several answers that are legal, or at least known.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Alternative {
    /// The name by which `when` refers to it.
    pub name: Option<String>,
    /// The status.
    pub status: Option<StatusSet>,
    /// A SCIM error.
    pub error: Option<ErrorExpect>,
    /// A part of the answer.
    #[serde(default, deserialize_with = "some_value")]
    pub body: Option<Value>,
    /// The whole resource.
    pub becomes: Option<Becomes>,
    /// A ListResponse.
    pub list: Option<ListExpect>,
    /// A resource of that type.
    pub resource: Option<String>,
    /// Single checks.
    #[serde(default)]
    pub checks: Vec<Check>,
    /// Considered only where the service provider claims this.
    #[serde(default)]
    pub requires: Vec<Requires>,
    /// What it means for the case, in the lenient reading (default `pass`).
    #[serde(default)]
    pub verdict: AlternativeVerdict,
    /// What it means in the strict reading; without it, the same.
    pub strict: Option<AlternativeVerdict>,
    /// Why, for a verdict that is no pass.
    pub why: Option<String>,
}

/// What an alternative means for the case.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum AlternativeVerdict {
    /// Right.
    #[default]
    Pass,
    /// A warning.
    Warn,
    /// Recorded.
    Note,
    /// A failure.
    Fail,
}

/// An answer that must not come.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Never {
    /// What would be wrong about it, in plain words; the failure's message.
    pub because: String,
    /// The status.
    pub status: Option<StatusSet>,
    /// A part of the answer.
    #[serde(default, deserialize_with = "some_value")]
    pub body: Option<Value>,
    /// A ListResponse.
    pub list: Option<ListExpect>,
    /// Single checks.
    #[serde(default)]
    pub checks: Vec<Check>,
    /// The requirement ids that it would break.
    #[serde(default)]
    pub spec: Vec<String>,
}

/// A SCIM error (RFC 7644 section 3.12): its status, its schema, and perhaps its scimType.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ErrorExpect {
    /// The status.
    pub status: StatusSet,
    /// A scimType that is demanded (one, or any of a list).
    #[serde(default, rename = "scimType", deserialize_with = "one_or_many")]
    #[schemars(schema_with = "one_or_many_schema")]
    pub scim_type: Vec<String>,
    /// A scimType that is usual: absent is noted, another is a warning.
    #[serde(default, rename = "usual-scimType", deserialize_with = "one_or_many")]
    #[schemars(schema_with = "one_or_many_schema")]
    pub usual_scim_type: Vec<String>,
}

/// What a ListResponse holds, seen from the resources that this run created.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ListExpect {
    /// Exactly these of ours, or `some` for at least one of ours.
    pub ours: Option<Ours>,
    /// What the other rows may be.
    #[serde(default)]
    pub foreign: Foreign,
    /// Whether ours have to come in the order written.
    #[serde(default)]
    pub ordered: bool,
}

/// Which of our resources a list has to hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ours {
    /// At least one.
    Some,
    /// Exactly these, by handle.
    Exactly(Vec<String>),
}

/// What the rows that are not ours may be.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Foreign {
    /// Anything.
    #[default]
    Any,
    /// Only resources that match the filter, by our own evaluation.
    Matching,
    /// None at all.
    None,
}

/// One subject, one predicate.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Check {
    /// Subject: exactly one node of the answer, by JSONPath (RFC 9535).
    pub path: Option<String>,
    /// Subject: every node that the JSONPath selects, at least one unless `or-none`.
    pub each: Option<String>,
    /// Subject: the nodes that the JSONPath selects, as a set.
    pub values: Option<String>,
    /// Subject: a header of the answer.
    pub header: Option<String>,
    /// Subject: the time from request to the end of the answer.
    #[serde(default)]
    pub elapsed: bool,
    /// For `each`: no node at all is right too.
    #[serde(default)]
    pub or_none: bool,

    /// Is this value.
    #[serde(default, deserialize_with = "some_value")]
    pub equals: Option<Value>,
    /// Is this text, whatever the case of its letters.
    pub equals_ci: Option<String>,
    /// Is not this value.
    #[serde(default, deserialize_with = "some_value")]
    pub differs: Option<Value>,
    /// Is one of these values.
    pub one_of: Option<Vec<Value>>,
    /// Is the same as another node of the answer, by JSONPath, or `header NAME`.
    pub same_as: Option<String>,
    /// Has this JSON type.
    #[serde(rename = "type")]
    pub kind: Option<JsonType>,
    /// Has this format.
    pub is: Option<Format>,
    /// Is there, even as null.
    #[serde(default)]
    pub present: bool,
    /// Is there and neither null nor empty.
    #[serde(default)]
    pub nonempty: bool,
    /// Is not there.
    #[serde(default)]
    pub absent: bool,
    /// Is absent, null or empty.
    #[serde(default)]
    pub empty: bool,
    /// Has that many elements or characters.
    pub length: Option<u64>,
    /// Is at least this number.
    pub min: Option<f64>,
    /// Is at most this number.
    pub max: Option<f64>,
    /// Contains these elements, or this text.
    #[serde(default, deserialize_with = "some_value")]
    pub includes: Option<Value>,
    /// Contains none of these elements, nor this text.
    #[serde(default, deserialize_with = "some_value")]
    pub excludes: Option<Value>,
    /// Is exactly this set.
    #[serde(default, deserialize_with = "some_value")]
    pub set: Option<Value>,
    /// Matches this regular expression.
    pub matches: Option<String>,
    /// Is the URI of the resource with this id, absolute or relative, whichever way it escapes the id.
    pub locates: Option<String>,
    /// Is an instant before this one.
    pub before: Option<String>,
    /// Is an instant after this one, or the same.
    pub after: Option<String>,
    /// Took at most this long (`600ms`, `5s`).
    #[serde(default, deserialize_with = "duration")]
    #[schemars(schema_with = "duration_schema")]
    pub at_most: Option<Duration>,

    /// The level of this check.
    pub level: Option<Level>,
    /// The requirement ids of this check.
    #[serde(default)]
    pub spec: Vec<String>,
    /// Judged only where the service provider claims this.
    #[serde(default)]
    pub requires: Vec<Requires>,
    /// Subject: exactly one value of the answer, by its attribute path: `${setting.hire-date}`,
    /// `urn:example:User:hireDate`, `emails[type eq "work"].value`.
    pub attribute: Option<String>,
}

/// The JSON types.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum JsonType {
    /// Text.
    String,
    /// Any number.
    Number,
    /// A number without a fraction.
    Integer,
    /// True or false.
    Boolean,
    /// A list.
    Array,
    /// A mapping.
    Object,
    /// Null.
    Null,
}

/// Formats that a text can have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Format {
    /// An xsd:dateTime with date and time (RFC 7643 section 2.3.5).
    DateTime,
    /// An absolute URI.
    Uri,
    /// An absolute URI or a relative reference.
    UriReference,
    /// An entity tag (RFC 9110 section 8.8.3).
    Etag,
    /// A `urn:`.
    Urn,
    /// Only digits.
    Integer,
}

/// What the service provider has to claim. `patch` and the like stand for a field of its discovery.
#[derive(Debug, Clone, PartialEq)]
pub enum Requires {
    /// A feature of ServiceProviderConfig, or an endpoint.
    Capability(Capability),
    /// An attribute that /Schemas defines: `{attribute: User.title}`.
    Attribute(String),
    /// An attribute that /Schemas defines, and that a client may change: `{writable: User.userName}`.
    Writable(String),
    /// A schema that a resource type has: `{schema: URN}`.
    Schema(String),
    /// Something the operator configures: `{principal: second}`.
    Principal(String),
    /// A command that the operator configures: `{hook: rotate-key}`.
    Hook(String),
    /// The opposite.
    Not(Box<Requires>),
}

/// The features that a service provider can claim.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Capability {
    /// PATCH.
    Patch,
    /// Bulk operations.
    Bulk,
    /// Filters.
    Filter,
    /// Changing passwords.
    ChangePassword,
    /// A limit of the operations of a Bulk request that can be exceeded with good grace.
    #[serde(rename = "bulk.maxOperations")]
    BulkMaxOperations,
    /// A limit of the size of a Bulk request that can be exceeded with good grace.
    #[serde(rename = "bulk.maxPayloadSize")]
    BulkMaxPayloadSize,
    /// Sorting.
    Sort,
    /// Entity tags.
    Etag,
    /// Paging by index: absent from most configurations, then assumed.
    #[serde(rename = "page.index")]
    PageIndex,
    /// Paging by cursor (RFC 9865).
    #[serde(rename = "page.cursor")]
    PageCursor,
    /// Users.
    Users,
    /// Groups.
    Groups,
    /// /Schemas can be read.
    Schemas,
    /// /ResourceTypes can be read.
    ResourceTypes,
    /// /ServiceProviderConfig can be read.
    ServiceProviderConfig,
    /// Credentials are configured, so that there is something to test.
    Authentication,
    /// The base URL ends in a version of the protocol, such as `/v2`.
    #[serde(rename = "versioned-url")]
    VersionedUrl,
}

/// The names of [`Capability`] as suites write them.
pub const CAPABILITIES: &[(&str, Capability)] = &[
    ("patch", Capability::Patch),
    ("bulk", Capability::Bulk),
    ("bulk.maxOperations", Capability::BulkMaxOperations),
    ("bulk.maxPayloadSize", Capability::BulkMaxPayloadSize),
    ("filter", Capability::Filter),
    ("change-password", Capability::ChangePassword),
    ("sort", Capability::Sort),
    ("etag", Capability::Etag),
    ("page.index", Capability::PageIndex),
    ("page.cursor", Capability::PageCursor),
    ("users", Capability::Users),
    ("groups", Capability::Groups),
    ("schemas", Capability::Schemas),
    ("resource-types", Capability::ResourceTypes),
    ("service-provider-config", Capability::ServiceProviderConfig),
    ("authentication", Capability::Authentication),
    ("versioned-url", Capability::VersionedUrl),
];

impl Capability {
    /// The name as suites write it.
    pub fn name(self) -> &'static str {
        CAPABILITIES.iter().find(|(_, capability)| *capability == self).map_or("", |(name, _)| name)
    }
}

impl fmt::Display for Requires {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Requires::Capability(capability) => f.write_str(capability.name()),
            Requires::Attribute(path) => write!(f, "attribute {path}"),
            Requires::Writable(path) => write!(f, "attribute {path} with mutability readWrite"),
            Requires::Schema(urn) => write!(f, "schema {urn}"),
            Requires::Principal(name) => write!(f, "credentials '{name}'"),
            Requires::Hook(name) => write!(f, "the hook '{name}'"),
            Requires::Not(inner) => write!(f, "no {inner}"),
        }
    }
}

/// Whose credentials a request carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Auth {
    /// The operator's.
    Good,
    /// None.
    None,
    /// Well-formed ones that are wrong.
    Bad,
    /// Those of a second tenant.
    Second,
    /// The operator's as they were before a hook replaced them.
    Old,
}

/// How a query is percent-encoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Encode {
    /// Everything but unreserved characters (default).
    Strict,
    /// Only what has to be.
    Minimal,
    /// Strict, with `+` for a blank.
    Plus,
}

/// A name for a part of an answer. Exactly one of the two.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Capture {
    /// One node by JSONPath.
    pub path: Option<String>,
    /// A header.
    pub header: Option<String>,
    /// Whether it is the location of a resource, which the name then stands for.
    #[serde(default)]
    pub resource: bool,
}

/// How long an expectation may take to come true.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Eventually {
    /// At most this long.
    #[serde(deserialize_with = "required_duration")]
    #[schemars(schema_with = "duration_schema")]
    pub within: Duration,
    /// Pause between attempts (default a tenth of `within`, at least 100 ms).
    #[serde(default, deserialize_with = "duration")]
    #[schemars(schema_with = "duration_schema")]
    pub every: Option<Duration>,
}

/// A set of HTTP statuses.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct StatusSet(pub Vec<StatusPattern>);

/// One status, or a class of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StatusPattern {
    /// Exactly this one.
    Code(u16),
    /// Every one of the class: 2 for `2xx`.
    Class(u8),
}

impl StatusSet {
    /// Whether the status is one of the set.
    pub fn contains(&self, status: u16) -> bool {
        self.0.iter().any(|pattern| match *pattern {
            StatusPattern::Code(code) => code == status,
            StatusPattern::Class(class) => status / 100 == u16::from(class),
        })
    }
}

impl fmt::Display for StatusSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, pattern) in self.0.iter().enumerate() {
            if index > 0 {
                f.write_str(if index + 1 == self.0.len() { " or " } else { ", " })?;
            }
            match pattern {
                StatusPattern::Code(code) => write!(f, "{code}")?,
                StatusPattern::Class(class) => write!(f, "{class}xx")?,
            }
        }
        Ok(())
    }
}

// --- reading -------------------------------------------------------------------------------------------

/// Reads a value so that an explicit `null` stays `Some(Value::Null)`.
fn some_value<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Value>, D::Error> {
    Value::deserialize(deserializer).map(Some)
}

fn one_or_many<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    struct OneOrMany;
    impl<'de> Visitor<'de> for OneOrMany {
        type Value = Vec<String>;
        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a text or a list of them")
        }
        fn visit_str<E: de::Error>(self, text: &str) -> Result<Vec<String>, E> {
            Ok(vec![text.to_owned()])
        }
        fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Vec<String>, A::Error> {
            let mut all = Vec::new();
            while let Some(text) = seq.next_element()? {
                all.push(text);
            }
            Ok(all)
        }
    }
    deserializer.deserialize_any(OneOrMany)
}

fn one_or_many_schema(_: &mut SchemaGenerator) -> Schema {
    json_schema!({"oneOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}, "minItems": 1}]})
}

/// Parses `600ms`, `5s`, `2m`.
pub fn parse_duration(text: &str) -> Option<Duration> {
    let digits = text.find(|c: char| !c.is_ascii_digit())?;
    let number: u64 = text[..digits].parse().ok()?;
    match &text[digits..] {
        "ms" => Some(Duration::from_millis(number)),
        "s" => Some(Duration::from_secs(number)),
        "m" => Some(Duration::from_secs(number.checked_mul(60)?)),
        _ => None,
    }
}

fn required_duration<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    let text = String::deserialize(deserializer)?;
    parse_duration(&text).ok_or_else(|| {
        de::Error::invalid_value(de::Unexpected::Str(&text), &"a duration such as 600ms, 5s or 2m")
    })
}

pub(crate) fn duration<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Duration>, D::Error> {
    required_duration(deserializer).map(Some)
}

pub(crate) fn duration_schema(_: &mut SchemaGenerator) -> Schema {
    json_schema!({"type": "string", "pattern": "^[0-9]+(ms|s|m)$"})
}

impl<'de> Deserialize<'de> for Given {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Given, D::Error> {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Long {
            fixture: Option<String>,
            inline: Option<Value>,
            #[serde(default)]
            set: IndexMap<String, Value>,
            #[serde(default)]
            without: Vec<String>,
            times: Option<u32>,
        }
        struct GivenVisitor;
        impl<'de> Visitor<'de> for GivenVisitor {
            type Value = Given;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a fixture's name, or a mapping with fixture or inline, set, without, times")
            }
            fn visit_str<E: de::Error>(self, name: &str) -> Result<Given, E> {
                Ok(Given { fixture: Some(name.to_owned()), ..Given::default() })
            }
            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Given, A::Error> {
                let Long { fixture, inline, set, without, times } =
                    Long::deserialize(de::value::MapAccessDeserializer::new(map))?;
                Ok(Given { fixture, inline, set, without, times })
            }
        }
        deserializer.deserialize_any(GivenVisitor)
    }
}

impl JsonSchema for Given {
    fn schema_name() -> Cow<'static, str> {
        "Given".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "A resource that exists before the first step: a fixture's name, or a mapping.",
            "oneOf": [
                {"type": "string"},
                {"type": "object", "additionalProperties": false, "properties": {
                    "fixture": {"type": "string", "description": "The fixture it starts from."},
                    "inline": {"type": "object", "description": "The resource itself, instead of a fixture."},
                    "set": {"type": "object", "description": "Top-level attributes to set; null stays."},
                    "without": {"type": "array", "items": {"type": "string"}, "description": "Attributes to leave out."},
                    "times": {"type": "integer", "minimum": 1, "description": "How many of it; the name then has .members and .ids."}
                }}
            ]
        })
    }
}

impl<'de> Deserialize<'de> for Fresh {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Fresh, D::Error> {
        struct FreshVisitor;
        impl<'de> Visitor<'de> for FreshVisitor {
            type Value = Fresh;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a kind such as email, or {upper: NAME}, {lower: NAME}, {mixed: NAME}")
            }
            fn visit_str<E: de::Error>(self, kind: &str) -> Result<Fresh, E> {
                FreshKind::deserialize(de::value::StrDeserializer::new(kind)).map(Fresh::Kind)
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Fresh, A::Error> {
                let Some((how, name)) = map.next_entry::<String, String>()? else {
                    return Err(de::Error::invalid_length(0, &"one of upper, lower, mixed"));
                };
                let fresh = match how.as_str() {
                    "upper" => Fresh::Upper(name),
                    "lower" => Fresh::Lower(name),
                    "mixed" => Fresh::Mixed(name),
                    other => return Err(de::Error::unknown_field(other, &["upper", "lower", "mixed"])),
                };
                match map.next_key::<String>()? {
                    None => Ok(fresh),
                    Some(_) => Err(de::Error::invalid_length(2, &"one of upper, lower, mixed")),
                }
            }
        }
        deserializer.deserialize_any(FreshVisitor)
    }
}

impl JsonSchema for Fresh {
    fn schema_name() -> Cow<'static, str> {
        "Fresh".into()
    }
    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let kind = generator.subschema_for::<FreshKind>();
        let derived = |how: &str| json_schema!({"type": "object", "additionalProperties": false, "required": [how], "properties": {how: {"type": "string"}}});
        json_schema!({
            "description": "A value made anew for every run of the case.",
            "oneOf": [kind, derived("upper"), derived("lower"), derived("mixed")]
        })
    }
}

impl<'de> Deserialize<'de> for Ours {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Ours, D::Error> {
        struct OursVisitor;
        impl<'de> Visitor<'de> for OursVisitor {
            type Value = Ours;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list of names, or some")
            }
            fn visit_str<E: de::Error>(self, text: &str) -> Result<Ours, E> {
                if text == "some" {
                    Ok(Ours::Some)
                } else {
                    Err(E::invalid_value(de::Unexpected::Str(text), &self))
                }
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Ours, A::Error> {
                let mut names = Vec::new();
                while let Some(name) = seq.next_element()? {
                    names.push(name);
                }
                Ok(Ours::Exactly(names))
            }
        }
        deserializer.deserialize_any(OursVisitor)
    }
}

impl JsonSchema for Ours {
    fn schema_name() -> Cow<'static, str> {
        "Ours".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "Exactly these of our resources, by handle; or some: at least one of ours.",
            "oneOf": [{"const": "some"}, {"type": "array", "items": {"type": "string"}}]
        })
    }
}

impl<'de> Deserialize<'de> for StatusSet {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<StatusSet, D::Error> {
        struct StatusVisitor;
        fn code<E: de::Error>(number: u64) -> Result<StatusPattern, E> {
            match u16::try_from(number) {
                Ok(code @ 100..=599) => Ok(StatusPattern::Code(code)),
                _ => {
                    Err(E::invalid_value(de::Unexpected::Unsigned(number), &"an HTTP status from 100 to 599"))
                }
            }
        }
        fn class<E: de::Error>(text: &str) -> Result<StatusPattern, E> {
            match text.as_bytes() {
                [digit @ b'1'..=b'5', b'x', b'x'] => Ok(StatusPattern::Class(digit - b'0')),
                _ => Err(E::invalid_value(
                    de::Unexpected::Str(text),
                    &"an HTTP status (100 to 599), a class such as 2xx, or a list of them",
                )),
            }
        }
        struct Element(StatusPattern);
        impl<'de> Deserialize<'de> for Element {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Element, D::Error> {
                struct ElementVisitor;
                impl Visitor<'_> for ElementVisitor {
                    type Value = Element;
                    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                        f.write_str("an HTTP status (100 to 599) or a class such as 2xx")
                    }
                    fn visit_u64<E: de::Error>(self, number: u64) -> Result<Element, E> {
                        code(number).map(Element)
                    }
                    fn visit_i64<E: de::Error>(self, number: i64) -> Result<Element, E> {
                        code(u64::try_from(number).unwrap_or(0)).map(Element)
                    }
                    fn visit_str<E: de::Error>(self, text: &str) -> Result<Element, E> {
                        class(text).map(Element)
                    }
                }
                deserializer.deserialize_any(ElementVisitor)
            }
        }
        impl<'de> Visitor<'de> for StatusVisitor {
            type Value = StatusSet;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an HTTP status (100 to 599), a class such as 2xx, or a list of them")
            }
            fn visit_u64<E: de::Error>(self, number: u64) -> Result<StatusSet, E> {
                Ok(StatusSet(vec![code(number)?]))
            }
            fn visit_i64<E: de::Error>(self, number: i64) -> Result<StatusSet, E> {
                Ok(StatusSet(vec![code(u64::try_from(number).unwrap_or(0))?]))
            }
            fn visit_str<E: de::Error>(self, text: &str) -> Result<StatusSet, E> {
                Ok(StatusSet(vec![class(text)?]))
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<StatusSet, A::Error> {
                let mut patterns = Vec::new();
                while let Some(Element(pattern)) = seq.next_element()? {
                    patterns.push(pattern);
                }
                if patterns.is_empty() {
                    return Err(de::Error::invalid_length(0, &"at least one HTTP status"));
                }
                Ok(StatusSet(patterns))
            }
        }
        deserializer.deserialize_any(StatusVisitor)
    }
}

impl JsonSchema for StatusSet {
    fn schema_name() -> Cow<'static, str> {
        "Status".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let one = json_schema!({"oneOf": [
            {"type": "integer", "minimum": 100, "maximum": 599},
            {"type": "string", "pattern": "^[1-5]xx$"}
        ]});
        json_schema!({
            "description": "An HTTP status, a class such as 2xx, or a list of them.",
            "oneOf": [
                {"type": "integer", "minimum": 100, "maximum": 599},
                {"type": "string", "pattern": "^[1-5]xx$"},
                {"type": "array", "items": one, "minItems": 1}
            ]
        })
    }
}

impl<'de> Deserialize<'de> for Requires {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Requires, D::Error> {
        struct RequiresVisitor;
        impl<'de> Visitor<'de> for RequiresVisitor {
            type Value = Requires;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a capability such as patch, or {attribute: User.title}, {writable: User.userName}, {schema: URN}, {principal: second}, {hook: NAME}, {not: …}")
            }
            fn visit_str<E: de::Error>(self, name: &str) -> Result<Requires, E> {
                Capability::deserialize(de::value::StrDeserializer::new(name)).map(Requires::Capability)
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Requires, A::Error> {
                const KEYS: &[&str] = &["attribute", "writable", "schema", "principal", "hook", "not"];
                const ONE: &str = "one of attribute, writable, schema, principal, hook, not";
                let Some(key) = map.next_key::<String>()? else {
                    return Err(de::Error::invalid_length(0, &ONE));
                };
                let requires = match key.as_str() {
                    "attribute" => Requires::Attribute(map.next_value()?),
                    "writable" => Requires::Writable(map.next_value()?),
                    "schema" => Requires::Schema(map.next_value()?),
                    "principal" => Requires::Principal(map.next_value()?),
                    "hook" => Requires::Hook(map.next_value()?),
                    "not" => Requires::Not(Box::new(map.next_value()?)),
                    other => return Err(de::Error::unknown_field(other, KEYS)),
                };
                match map.next_key::<String>()? {
                    None => Ok(requires),
                    Some(_) => Err(de::Error::invalid_length(2, &ONE)),
                }
            }
        }
        deserializer.deserialize_any(RequiresVisitor)
    }
}

impl JsonSchema for Requires {
    fn schema_name() -> Cow<'static, str> {
        "Requires".into()
    }
    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let capability = generator.subschema_for::<Capability>();
        let text = |key: &str| json_schema!({"type": "object", "additionalProperties": false, "required": [key], "properties": {key: {"type": "string"}}});
        json_schema!({
            "description": "What the service provider has to claim.",
            "oneOf": [capability, text("attribute"), text("writable"), text("schema"), text("principal"), text("hook"),
                {"type": "object", "additionalProperties": false, "required": ["not"], "properties": {"not": {"$ref": "#/$defs/Requires"}}}]
        })
    }
}
