//! POST to `/Bulk` (RFC 7644 §3.7): the limits, the order, the references, and when the job ends. Each operation runs
//! as the single request that it stands for would; what that comes to is the other modules' business.
//!
//! A reference that no operation of the job can fill, and one to an operation that failed, fails its operation with
//! 409. Resources that refer to each other in a circle are created without the references at first and replaced as
//! soon as all are there; if one of them cannot be, none of them stays.

use std::collections::HashMap;
use std::time::Duration;

use axum::http::header::{
    CONTENT_LENGTH, CONTENT_TYPE, ETAG, IF_MATCH, IF_NONE_MATCH, LOCATION, TRANSFER_ENCODING,
};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode};
use bytes::Bytes;
use percent_encoding::percent_decode_str;
use serde_json::Value;
use url::form_urlencoded;

use super::auth::Credentials;
use super::endpoint::Endpoint;
use super::fault::{BulkJob, BulkStep, Seen};
use super::message::{Answer, Request, SCIM_JSON};
use super::negotiate::{Refusal, read_object};
use super::service::{Call, Service, State, refuse};
use crate::scim::bulk::{
    self, BulkOperation, BulkRequest, BulkResponse, BulkResult, Resolution, path_segment, resolve,
    resolve_path,
};
use crate::scim::error::ScimError;

/// The limits of a bulk job, as ServiceProviderConfig says them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BulkLimits {
    /// The most operations of one job.
    pub max_operations: usize,
    /// The largest message, in bytes.
    pub max_payload_size: usize,
}

impl Default for BulkLimits {
    fn default() -> Self {
        Self { max_operations: 1000, max_payload_size: 1 << 20 }
    }
}

impl BulkLimits {
    /// 413 for a message that is too large, naming the limit (RFC 7644 §3.7.4).
    pub(crate) fn payload_error(&self) -> ScimError {
        let limit = self.max_payload_size;
        ScimError::new(413, format!("the message is larger than maxPayloadSize, which is {limit} bytes"))
    }

    /// 413 for a job of too many operations, naming the limit (RFC 7644 §3.7.4).
    fn count_error(&self, count: usize) -> ScimError {
        let limit = self.max_operations;
        ScimError::new(413, format!("{count} operations are more than maxOperations, which is {limit}"))
    }
}

/// What became of the operation that was to make the resource of a bulkId.
#[derive(Debug, Clone)]
enum Maker {
    Made(String),
    Failed,
}

/// A job under way.
struct Job<'a> {
    service: &'a Service,
    call: &'a Call,
    operations: &'a [BulkOperation],
    makers: HashMap<String, Maker>,
    results: Vec<Option<BulkResult>>,
    errors: u64,
    delay: Duration,
}

impl Service {
    /// POST to `/Bulk`.
    pub(crate) fn bulk(&self, state: &mut State, call: &Call) -> Result<Answer, Refusal> {
        let mut job = self.read_job(call)?;
        self.faults.bulk(&mut job);
        let BulkJob { request, groups, refusal } = job;
        let mut job = Job {
            service: self,
            call,
            operations: &request.operations,
            makers: HashMap::new(),
            results: vec![None; request.operations.len()],
            errors: 0,
            delay: Duration::ZERO,
        };
        // The n-th error ends the job; no error at all cannot be asked for, so 0 means the first, too.
        let limit = request.fail_on_errors.map(|count| count.max(1));
        for group in &groups {
            if limit.is_some_and(|limit| job.errors >= limit) {
                break;
            }
            job.run_group(state, group);
        }
        if let Some(refusal) = refusal {
            return Err(refusal.into());
        }
        let response = BulkResponse { operations: job.results.into_iter().flatten().collect() };
        let mut answer = Answer::json(StatusCode::OK, response.to_json());
        answer.delay = (!job.delay.is_zero()).then_some(job.delay);
        Ok(answer)
    }

    /// What is to be done, or why nothing is.
    fn read_job(&self, call: &Call) -> Result<BulkJob, Refusal> {
        let too_large = call.request.body.len() > self.behaviour.bulk.max_payload_size;
        let message = match read_object(&call.request) {
            Err(_) if too_large => return Err(self.behaviour.bulk.payload_error().into()),
            message => message?,
        };
        let (request, refusal) = match BulkRequest::parse(&message) {
            Ok(request) => (request, None),
            Err(error) => (BulkRequest::default(), Some(error)),
        };
        let count = request.operations.len();
        let refusal = if too_large {
            Some(self.behaviour.bulk.payload_error())
        } else if count > self.behaviour.bulk.max_operations {
            Some(self.behaviour.bulk.count_error(count))
        } else {
            refusal
        };
        let groups = if refusal.is_some() { Vec::new() } else { bulk::groups(&request.operations) };
        Ok(BulkJob { request, groups, refusal })
    }

    /// Runs one operation as the request that it stands for.
    fn operate(&self, state: &mut State, mut request: Request, base: &str) -> Answer {
        self.faults.request(&mut request);
        let endpoint = self.endpoint_of(&request.path);
        let call = Call { base: base.to_owned(), endpoint, request };
        let mut answer = match is_nested(&call.endpoint, &call.request.method) {
            true => refuse(
                ScimError::invalid_path(format!("{} takes no operation of a bulk job", call.request.path))
                    .into(),
            ),
            false => self.perform(state, &call).unwrap_or_else(refuse),
        };
        let State { store, memory, .. } = &mut *state;
        let mut seen =
            Seen { request: &call.request, endpoint: &call.endpoint, store, base: &call.base, memory };
        self.faults.answer(&mut seen, &mut answer);
        answer
    }
}

/// Whether an endpoint is none that operations are for, and would yet do something.
fn is_nested(endpoint: &Endpoint, method: &Method) -> bool {
    method == Method::POST && matches!(endpoint, Endpoint::Bulk | Endpoint::RootSearch | Endpoint::Search(_))
}

impl Job<'_> {
    /// Runs an operation, or several that refer to each other in a circle.
    fn run_group(&mut self, state: &mut State, group: &[usize]) {
        let circle: Vec<String> = match group {
            [index] if !self.refers_to_itself(*index) => Vec::new(),
            group => group.iter().filter_map(|index| self.operations[*index].bulk_id.clone()).collect(),
        };
        let mut answers: Vec<(usize, Answer)> = Vec::new();
        let mut incomplete = Vec::new();
        for &index in group {
            let (answer, left_out) = self.run(state, index, &circle);
            if left_out {
                incomplete.push(index);
            }
            let made = self.note(index, &answer);
            answers.push((index, answer));
            if !made && !circle.is_empty() {
                break;
            }
        }
        if !circle.is_empty() {
            self.complete(state, group, &incomplete, &mut answers);
        }
        for (index, answer) in answers {
            self.file(index, &answer);
        }
    }

    fn refers_to_itself(&self, index: usize) -> bool {
        let operation = &self.operations[index];
        let own = operation.bulk_id.as_ref().filter(|_| operation.is_post());
        own.is_some_and(|own| operation.references().contains(own))
    }

    /// Puts in the references that were left out of a circle, or takes the whole circle back.
    fn complete(
        &mut self,
        state: &mut State,
        group: &[usize],
        incomplete: &[usize],
        answers: &mut Vec<(usize, Answer)>,
    ) {
        let mut failed = answers.iter().any(|(_, answer)| !answer.status.is_success());
        for &index in incomplete {
            if failed {
                break;
            }
            let Some((_, answer)) = answers.iter_mut().find(|(each, _)| *each == index) else { continue };
            let put = self.put(state, index);
            if put.status.is_success() {
                // What the client sees is one create, of the resource as it is now.
                if let Some(version) = put.headers.get(ETAG) {
                    answer.headers.insert(ETAG, version.clone());
                }
            } else {
                let why = put.body().and_then(|body| body.get("detail")).and_then(Value::as_str);
                let detail =
                    format!("the circular reference cannot be resolved: {}", why.unwrap_or("refused"));
                *answer = refuse(ScimError::new(409, detail).into());
                failed = true;
            }
        }
        if !failed {
            return;
        }
        for &index in group {
            let Some(bulk_id) = &self.operations[index].bulk_id else { continue };
            if let Some(Maker::Made(id)) = self.makers.insert(bulk_id.clone(), Maker::Failed) {
                state.store.remove(&id);
            }
            let detail = "it refers in a circle to a resource that could not be created";
            let refusal = || refuse(ScimError::new(409, detail).into());
            match answers.iter_mut().find(|(each, _)| *each == index) {
                Some((_, answer)) if answer.status.is_success() => *answer = refusal(),
                Some(_) => {}
                None => answers.push((index, refusal())),
            }
        }
    }

    /// Replaces a resource that was created without some references by one that has them.
    fn put(&mut self, state: &mut State, index: usize) -> Answer {
        let operation = &self.operations[index];
        let (Some(Maker::Made(id)), Some(path), Some(data)) = (
            operation.bulk_id.as_ref().and_then(|bulk_id| self.makers.get(bulk_id)),
            &operation.path,
            &operation.data,
        ) else {
            return refuse(ScimError::new(409, "there is nothing to complete").into());
        };
        let path = path.split('?').next().unwrap_or_default().trim_end_matches('/');
        let path = format!("{path}/{}", path_segment(id));
        let data = resolve(data, |bulk_id| match self.makers.get(bulk_id) {
            Some(Maker::Made(id)) => Resolution::Id(id.clone()),
            _ => Resolution::Keep,
        });
        let request = self.request(Method::PUT, &path, None, Some(&data));
        self.service.operate(state, request, &self.call.base)
    }

    /// Runs one operation. Also tells whether references into its own circle were left out.
    fn run(&mut self, state: &mut State, index: usize, circle: &[String]) -> (Answer, bool) {
        let operation = &self.operations[index];
        let mut unresolved: Option<ScimError> = None;
        let mut left_out = false;
        let makers = &self.makers;
        let mut resolution = |bulk_id: &str| match makers.get(bulk_id) {
            Some(Maker::Made(id)) => Resolution::Id(id.clone()),
            None if circle.iter().any(|each| each == bulk_id) => {
                left_out = true;
                Resolution::LeaveOut
            }
            found => {
                let why = match found {
                    Some(_) => "the operation that was to create it failed",
                    None => "no operation of this job creates it",
                };
                let detail = format!("bulkId {bulk_id:?} cannot be resolved: {why}");
                unresolved.get_or_insert(ScimError::new(409, detail));
                Resolution::Keep
            }
        };
        let path = resolve_path(operation.path.as_deref().unwrap_or_default(), |bulk_id| {
            match resolution(bulk_id) {
                Resolution::Id(id) => Some(id),
                Resolution::LeaveOut | Resolution::Keep => None,
            }
        });
        let data = operation.data.as_ref().map(|data| resolve(data, &mut resolution));
        let refusal = operation.problem.clone().or(unresolved);
        let mut step = BulkStep {
            sent: operation,
            path,
            data,
            version: operation.version.clone(),
            answer: refusal.map(|error| refuse(error.into())),
        };
        self.service.faults.bulk_step(&mut step);
        let BulkStep { path, data, version, answer, .. } = step;
        if let Some(answer) = answer {
            return (answer, left_out);
        }
        let written = operation.method.as_deref().unwrap_or_default().to_ascii_uppercase();
        let method = Method::from_bytes(written.as_bytes()).unwrap_or(Method::GET);
        let version = version.filter(|_| method != Method::POST);
        let request = self.request(method, &path, version.as_deref(), data.as_ref());
        (self.service.operate(state, request, &self.call.base), left_out)
    }

    /// The single request that an operation stands for.
    fn request(&self, method: Method, path: &str, version: Option<&str>, data: Option<&Value>) -> Request {
        let (path, query) = path.split_once('?').unwrap_or((path, ""));
        let mut headers: HeaderMap = self.call.request.headers.clone();
        for own in [CONTENT_LENGTH, CONTENT_TYPE, IF_MATCH, IF_NONE_MATCH, TRANSFER_ENCODING] {
            headers.remove(own);
        }
        // A version that no header can hold is the version of nothing.
        if let Some(version) = version {
            let value = HeaderValue::from_str(version).unwrap_or(HeaderValue::from_static("\"\""));
            headers.insert(IF_MATCH, value);
        }
        let body = match data.filter(|_| method != Method::DELETE) {
            Some(data) => {
                headers.insert(CONTENT_TYPE, HeaderValue::from_static(SCIM_JSON));
                Bytes::from(data.to_string())
            }
            None => Bytes::new(),
        };
        Request {
            method,
            path: format!("{}{path}", self.call.request.base_path),
            base_path: self.call.request.base_path,
            query: form_urlencoded::parse(query.as_bytes()).into_owned().collect(),
            headers,
            body,
            credentials: Credentials::Valid,
            tenant: self.call.request.tenant,
        }
    }

    /// Takes note of what a POST made. False where the operation failed.
    fn note(&mut self, index: usize, answer: &Answer) -> bool {
        let operation = &self.operations[index];
        let succeeded = answer.status.is_success();
        if let Some(bulk_id) = operation.bulk_id.as_ref().filter(|_| operation.is_post()) {
            let maker = made_id(answer).filter(|_| succeeded).map_or(Maker::Failed, Maker::Made);
            self.makers.insert(bulk_id.clone(), maker);
        }
        succeeded
    }

    /// Files the result of an operation.
    fn file(&mut self, index: usize, answer: &Answer) {
        let operation = &self.operations[index];
        let succeeded = answer.status.is_success();
        if !succeeded {
            self.errors += 1;
        }
        self.delay = self.delay.max(answer.delay.unwrap_or_default());
        let header = |name| answer.headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
        // Every result says where the resource is, but that of a create that failed.
        let location = header(LOCATION).filter(|_| succeeded).or_else(|| {
            let path =
                operation.path.as_deref().filter(|path| path.starts_with('/') && !operation.is_post())?;
            let path = path.split('?').next().unwrap_or_default();
            let path = resolve_path(path, |bulk_id| match self.makers.get(bulk_id) {
                Some(Maker::Made(id)) => Some(id.clone()),
                _ => None,
            });
            Some(format!("{}{path}", self.call.base))
        });
        self.results[index] = Some(BulkResult {
            method: operation.method.clone(),
            bulk_id: operation.bulk_id.clone(),
            version: header(ETAG).filter(|_| succeeded),
            location,
            status: Some(answer.status.as_u16()),
            response: answer.body().filter(|_| !succeeded).cloned(),
        });
    }
}

/// The id of the resource that a create is answered with.
fn made_id(answer: &Answer) -> Option<String> {
    let shown = answer.body().and_then(|body| body.get("id")).and_then(Value::as_str).map(str::to_owned);
    shown.or_else(|| {
        let location = answer.headers.get(LOCATION)?.to_str().ok()?;
        let id = percent_decode_str(location.rsplit('/').next()?).decode_utf8().ok()?;
        Some(id.into_owned())
    })
}
