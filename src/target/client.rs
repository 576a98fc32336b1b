//! The target: one service provider, spoken to by a client that keeps promises.
//!
//! Every request passes the guard, the budget and the pace, every answer is bounded and masked before anybody
//! sees it, and every create is written to the ledger before it is sent. The client follows redirects only
//! within the base URL, so credentials never reach another origin. What an answer means is for others to judge.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use indexmap::IndexMap;
use secrecy::SecretString;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use url::Url;

use super::batch::BulkUse;
use super::credentials::{Credentials, CredentialsError, Masks};
use super::exchange::{Exchange, ExchangeId};
use super::guard::{Ownership, Refusal, Touch};
use super::ledger::{Intent, Ledger, OwnedResource};
use super::options::Limits;
use super::ownership::Register;
use super::pace::{Pace, Rate};
use super::pauses::{HOPELESS, Pauses};
pub use super::request::{Created, RequestPlan, Sent, resource_path};
use super::setup::Clients;
use super::tokens::TokenSource;
use crate::scim::names::MEDIA_TYPE;
use crate::suite::model::Auth;

/// On whose behalf a request is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Purpose {
    /// A case, the probe, a population.
    Run,
    /// Cleaning up: neither an interrupt nor the budget stops it.
    CleanUp,
}

/// A service provider under test.
pub struct Target {
    pub(super) base: String,
    pub(super) base_path: String,
    pub(super) base_url: Url,
    pub(super) address: String,
    pub(super) auth: Credentials,
    pub(super) wrong: Credentials,
    pub(super) second: Option<Credentials>,
    pub(super) headers: Vec<(String, String)>,
    pub(super) user_agent: String,
    pub(super) masks: Masks,
    pub(super) pace: Pace,
    pub(super) rate: Option<Rate>,
    pub(super) limits: Limits,
    pub(super) requests: Option<u64>,
    pub(super) read_only: bool,
    pub(super) mark: String,
    pub(super) page_size_parameter: String,
    pub(super) interrupted: CancellationToken,
    pub(super) state: Mutex<State>,
    /// Held while a first create is read back, so that those at the same time need not be.
    pub(super) first_look: tokio::sync::Mutex<()>,
    pub(super) clients: Clients,
    pub(super) second_clients: Option<Clients>,
    pub(super) tokens: Option<TokenSource>,
    pub(super) second_tokens: Option<TokenSource>,
    pub(super) keys: Vec<(String, SecretString)>,
    pub(super) settle: Option<Duration>,
}

/// What changes while a run goes on.
#[derive(Debug)]
pub(super) struct State {
    pub(super) register: Register,
    pub(super) ledger: Ledger,
    pub(super) intents: IndexMap<u64, Intent>,
    /// Resources that a create was answered with and that are not ours to delete: endpoint, id, why.
    pub(super) disowned: Vec<(String, String, String)>,
    /// Resources that could not be shown to be ours yet: endpoint, id, what proof is missing.
    pub(super) unproven: Vec<(String, String, String)>,
    /// Endpoints where an answer to a create was seen to be true.
    pub(crate) honest: BTreeSet<String>,
    /// Endpoints that a create was sent to.
    pub(super) tried: BTreeSet<String>,
    /// Endpoint and resource type of what can be created.
    pub(super) endpoints: Vec<(String, String)>,
    pub(super) next_intent: u64,
    pub(super) next_exchange: u64,
    pub(super) made: u64,
    /// When an answer last made it doubtful whether connections stay open, whatever their headers say.
    pub(super) doubted: Option<Instant>,
    pub(super) log: Vec<Arc<Exchange>>,
    pub(super) log_bytes: usize,
    pub(super) log_dropped: u64,
    /// The first trouble with writing the ledger after something was created; the clean-up reports it.
    pub(super) ledger_trouble: Option<String>,
    /// The operator's credentials since a hook renewed them.
    pub(super) renewed: Option<Credentials>,
    /// The operator's credentials before that.
    pub(super) old: Option<Credentials>,
    /// How many new resources did not show however long they were waited for.
    pub(super) never_shown: u32,
    /// How Bulk may be used for what no case asks for, where it may.
    pub(super) bulk: Option<BulkUse>,
    /// The origins of which everything can be deleted with the next Bulk job.
    pub(super) ended: BTreeSet<String>,
    /// Requests of the budget that are kept for what many cases wait for.
    pub(super) reserved: usize,
}

impl State {
    /// How many requests are kept: to delete what is there now, to look for what may be, and for what cases wait for.
    pub(super) fn clean_up_requests(&self) -> usize {
        let alive = self.register.alive().count();
        self.bulk.as_ref().map_or(alive, |bulk| bulk.deletions(alive)) + self.intents.len() + self.reserved
    }
}

impl fmt::Debug for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Target")
            .field("base_url", &self.base)
            .field("mark", &self.mark)
            .finish_non_exhaustive()
    }
}

impl Target {
    /// The base URL, without a slash at its end.
    pub fn base_url(&self) -> &str {
        &self.base
    }

    /// The base URL.
    pub fn url(&self) -> &Url {
        &self.base_url
    }

    /// The scheme of the operator's credentials, for reports.
    pub fn auth_scheme(&self) -> String {
        self.auth.scheme()
    }

    /// Whether requests carry credentials at all.
    pub fn has_credentials(&self) -> bool {
        !self.auth.is_none()
    }

    /// Whether there are credentials of a second tenant.
    pub fn has_second(&self) -> bool {
        self.second.is_some()
    }

    /// The connections on which a request with these credentials goes.
    pub(super) fn clients(&self, auth: Auth) -> &Clients {
        match auth {
            Auth::Second => self.second_clients.as_ref().unwrap_or(&self.clients),
            Auth::Good | Auth::None | Auth::Bad | Auth::Old => &self.clients,
        }
    }

    /// From now on the operator's credentials are these, everywhere, clean-up included; those before stay at hand as
    /// [`Auth::Old`]. Both are masked.
    ///
    /// # Errors
    /// When the secret cannot be sent.
    pub fn renew(&self, secret: &str) -> Result<(), CredentialsError> {
        let renewed = self.auth.renewed(secret)?;
        self.masks.learn(&renewed);
        let mut state = self.state();
        state.old = Some(state.renewed.take().unwrap_or_else(|| self.auth.clone()));
        state.renewed = Some(renewed);
        Ok(())
    }

    /// In how long the service provider's limit counts requests: the time that the pace is given for, or a minute, as
    /// nearly all say.
    pub fn window(&self) -> Duration {
        self.rate.map_or(Duration::from_secs(60), |rate| rate.per)
    }

    /// Waits for the turn of a request that will be sent unpaced, together with others that have had theirs.
    pub async fn await_turn(&self) {
        self.pace.turn().await;
    }

    /// Closes the gate for that long: nothing is sent before, clean-up included.
    pub fn pause(&self, wait: Duration) {
        self.pace.pause(wait);
    }

    /// How long the gate stays closed.
    pub fn closed_for(&self) -> Duration {
        self.pace.closed_for()
    }

    /// The run's mark.
    pub fn run_mark(&self) -> &str {
        &self.mark
    }

    /// The media type that a request accepts where it does not say: SCIM's, or the operator's.
    pub fn accepted_by_default(&self) -> &str {
        let own = self.headers.iter().rfind(|(name, _)| name.eq_ignore_ascii_case("accept"));
        own.map_or(MEDIA_TYPE, |(_, value)| value)
    }

    /// What the query parameter for the size of a page is called.
    pub fn page_size_parameter(&self) -> &str {
        &self.page_size_parameter
    }

    /// What keeps secrets out of any text that is going to be shown.
    pub fn masks(&self) -> &Masks {
        &self.masks
    }

    /// The limits.
    pub fn limits(&self) -> &Limits {
        &self.limits
    }

    /// Whether the run only reads.
    pub fn is_read_only(&self) -> bool {
        self.read_only
    }

    /// Tells which endpoints there are, each with its resource type, as the probe found them.
    pub fn know_endpoints(&self, endpoints: impl IntoIterator<Item = (String, String)>) {
        let mut state = self.state();
        for (endpoint, resource_type) in endpoints {
            state.endpoints.retain(|(known, _)| !known.eq_ignore_ascii_case(&endpoint));
            state.endpoints.push((endpoint, resource_type));
        }
    }

    /// Declares ids that no resource can have had before this run, such as a fresh UUID, so that requests which
    /// name them are allowed. Ids that carry the run's mark need no declaration.
    pub fn never_existed<I: Into<String>>(&self, ids: impl IntoIterator<Item = I>) {
        self.state().register.declare(ids.into_iter().map(Into::into));
    }

    /// Keeps so many requests of the budget, from now on.
    pub fn reserve(&self, requests: usize) {
        self.state().reserved = requests;
    }

    /// Whether this run created the resource.
    pub fn owns(&self, endpoint: &str, id: &str) -> bool {
        self.state().register.owns(endpoint, id)
    }

    /// Everything that this run created, in order, what is gone included.
    pub fn owned(&self) -> Vec<OwnedResource> {
        self.state().register.all().cloned().collect()
    }

    /// Every request made so far.
    pub fn requests_made(&self) -> u64 {
        self.state().made
    }

    /// Every exchange made so far, in order; the oldest, as far as they fit in [`Limits::log`], without those that were
    /// [let go](Target::let_go).
    pub fn exchanges(&self) -> Vec<Arc<Exchange>> {
        self.state().log.clone()
    }

    /// The exchange of that number, if it fits in the log.
    pub fn exchange(&self, id: ExchangeId) -> Option<Arc<Exchange>> {
        let state = self.state();
        let at = state.log.binary_search_by_key(&id, |exchange| exchange.id).ok()?;
        state.log.get(at).cloned()
    }

    /// Lets go of the exchanges from that number on that only the log still holds: a run that is judged as it goes on holds
    /// what it needs as evidence, and the log of everything else would grow as long as the run lasts.
    pub fn let_go(&self, first: ExchangeId) {
        let mut state = self.state();
        let from = state.log.partition_point(|exchange| exchange.id < first);
        let (held, idle): (Vec<_>, Vec<_>) =
            state.log.split_off(from).into_iter().partition(|exchange| Arc::strong_count(exchange) > 1);
        state.log.extend(held);
        state.log_bytes = state.log_bytes.saturating_sub(idle.iter().map(|exchange| exchange.size()).sum());
        // Bodies take their time to go: nobody waits for that.
        drop(state);
    }

    /// The number that the next exchange will have.
    pub fn next_exchange(&self) -> ExchangeId {
        ExchangeId(self.state().next_exchange)
    }

    /// The exchanges from that number on, as far as they fit in the log.
    pub fn exchanges_since(&self, first: ExchangeId) -> Vec<Arc<Exchange>> {
        let state = self.state();
        let from = state.log.partition_point(|exchange| exchange.id < first);
        state.log[from..].to_vec()
    }

    /// How many exchanges did not fit in the log.
    pub fn exchanges_dropped(&self) -> u64 {
        self.state().log_dropped
    }

    /// From now on nothing is sent but clean-up; what is under way gets [`Limits::grace`] to end.
    pub fn interrupt(&self) {
        self.interrupted.cancel();
    }

    /// Ends when the run is interrupted.
    pub async fn until_interrupted(&self) {
        self.interrupted.cancelled().await;
    }

    /// Waits for that long, or until the run is interrupted.
    pub async fn rest(&self, pause: Duration) {
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            () = self.until_interrupted() => {}
        }
    }

    /// Whether the run was interrupted.
    pub fn interrupted(&self) -> bool {
        self.interrupted.is_cancelled()
    }

    /// Sends a request, waiting for its turn and for what the service provider asks to wait.
    ///
    /// # Errors
    /// Why the request is not sent at all: it would touch what is not ours, or it cannot be sent. Trouble on the
    /// way is no error but stands in the exchange.
    pub async fn send(&self, plan: RequestPlan) -> Result<Sent, Refusal> {
        self.dispatch(plan, Purpose::Run).await
    }

    pub(super) async fn dispatch(&self, plan: RequestPlan, purpose: Purpose) -> Result<Sent, Refusal> {
        let wire = self.prepare(&plan)?;
        let touch = self.admit(&wire, plan.permissions)?;
        // What may be refused comes first: an intent that is announced is a request that is sent.
        let beside = self.announce_beside(&plan)?;
        let creates = self.announce(&touch, &wire)?;
        let moment = self.state().register.now();
        let (exchange, mut also) = self.converse(wire, plan.permissions, purpose).await;
        let mut created = None;
        match (&touch, creates.as_slice()) {
            (Touch::Create { endpoint }, [intent]) => {
                let (outcome, read_back) = self.settle(intent, endpoint, moment, &exchange, purpose).await;
                created = outcome;
                also.extend(read_back);
            }
            (Touch::Bulk, intents) => {
                also.extend(self.settle_bulk(intents, moment, &exchange, purpose).await)
            }
            (Touch::Write { endpoint, id }, _) => self.note_write(endpoint, id, &exchange),
            _ => {}
        }
        self.settle_beside(&beside, &plan, &exchange);
        self.observe(&touch, &exchange);
        Ok(Sent { exchange, also, created })
    }

    /// How long reads may lag behind writes (`--settle`).
    pub fn settle_time(&self) -> Option<Duration> {
        self.settle
    }

    /// Reads one resource, outside of any case's steps.
    pub(super) async fn fetch(
        &self,
        endpoint: &str,
        id: &str,
        origin: &str,
        purpose: Purpose,
    ) -> Option<Arc<Exchange>> {
        let mut plan = RequestPlan::get(resource_path(endpoint, id), origin);
        plan.reason = Some("read to see whose it is".to_owned());
        let patience = self.settle.filter(|_| purpose == Purpose::Run && self.state().never_shown < HOPELESS);
        let now = || Instant::now().into_std();
        let mut pauses = patience.map(|within| Pauses::starting(now(), within));
        loop {
            let wire = self.prepare(&plan).ok()?;
            let (exchange, _) = self.converse(wire, plan.permissions, purpose).await;
            let is_missing = matches!(exchange.status(), Some(404 | 410)) && !self.interrupted();
            let Some(pauses) = pauses.as_mut().filter(|_| is_missing) else { return Some(exchange) };
            let Some(pause) = pauses.next(now()) else {
                self.state().never_shown += 1;
                return Some(exchange);
            };
            tokio::time::sleep(pause).await;
        }
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        // A panic elsewhere must not keep the clean-up from what is ours; every change below is whole.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The resource type at an endpoint.
    pub(super) fn resource_type(&self, endpoint: &str) -> String {
        let state = self.state();
        let known = state.endpoints.iter().find(|(known, _)| known.eq_ignore_ascii_case(endpoint));
        known
            .map_or_else(|| endpoint.trim_matches('/').to_owned(), |(_, resource_type)| resource_type.clone())
    }

    pub(super) fn endpoint_names(&self) -> Vec<String> {
        self.state().endpoints.iter().map(|(endpoint, _)| endpoint.clone()).collect()
    }
}
