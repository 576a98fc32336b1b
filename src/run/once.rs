//! Reads that several cases ask for, and the service provider answers once.
//!
//! Nothing is written while read-only cases run, so one answer serves all of them: another case's, the probe's, or one
//! that showed a resource as it was made. A case that asks twice means it, and so does one with conditions or credentials
//! of its own. What an answer means to each is its own business.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};

use super::Shared;
use crate::suite::model::Auth;
use crate::target::exchange::Exchange;
use crate::target::{Refusal, RequestPlan, Sent, probe};

/// Plain reads by what they ask, with the answer once there is one.
#[derive(Debug, Default)]
pub(super) struct PlainReads(Mutex<BTreeMap<Plain, Arc<tokio::sync::Mutex<Option<Sent>>>>>);

/// What a plain read asks for.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Plain {
    path: String,
    is_anonymous: bool,
    /// Header fields beside the usual ones, in small letters, as they go out.
    headers: Vec<(String, String)>,
}

impl Plain {
    /// What a request asks for, if it is a plain read. `usual` is the media type that is accepted where it does not say.
    fn of(plan: &RequestPlan, usual: &str) -> Option<Plain> {
        const OWN: [&str; 3] = ["if-none-match", "if-match", "authorization"];
        if plan.method != "GET" || !matches!(plan.auth, Auth::Good | Auth::None) {
            return None;
        }
        let mut headers = Vec::new();
        for (name, value) in &plan.headers {
            let name = name.to_ascii_lowercase();
            if OWN.contains(&name.as_str()) {
                return None;
            }
            let value = match value {
                Some(value) => value.clone(),
                // The HTTP library sends this one where it is missing.
                None if name == "accept" => "*/*".to_owned(),
                None => return None,
            };
            if name != "accept" || value != usual {
                headers.push((name, value));
            }
        }
        headers.sort();
        Some(Plain { path: plan.path.clone(), is_anonymous: plan.auth == Auth::None, headers })
    }

    /// Whether an exchange of the probe answers it.
    fn is_answered_by(&self, exchange: &Exchange) -> bool {
        let auth = if self.is_anonymous { Auth::None } else { Auth::Good };
        let request = &exchange.request;
        exchange.origin == probe::ORIGIN
            && request.method == "GET"
            && request.path == self.path
            && request.auth == auth
            && self.headers.is_empty()
            && is_settled(exchange)
    }
}

impl Shared<'_> {
    /// Sends a request of a case that only reads, unless another case or the probe has asked for exactly that.
    pub(super) async fn send_once(
        &self,
        plan: RequestPlan,
        asked: &mut BTreeSet<Plain>,
    ) -> Result<Sent, Refusal> {
        let plain = Plain::of(&plan, self.target.accepted_by_default())
            .filter(|plain| self.patience.is_none() && asked.insert(plain.clone()));
        let Some(plain) = plain else { return self.send(plan).await };
        let known = {
            let mut reads = self.plain_reads.0.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(reads.entry(plain.clone()).or_insert_with(|| {
                let probed = self.target.exchanges().into_iter().take_while(|it| it.origin == probe::ORIGIN);
                let serves = probed.filter(|exchange| plain.is_answered_by(exchange)).last();
                let sent = serves.map(|exchange| Sent { exchange, also: Vec::new(), created: None });
                Arc::new(tokio::sync::Mutex::new(sent))
            }))
        };
        let mut known = known.lock().await;
        if let Some(sent) = known.as_ref() {
            return Ok(sent.clone());
        }
        let sent = self.send(plan).await?;
        if is_settled(&sent.exchange) {
            *known = Some(Sent { also: Vec::new(), ..sent.clone() });
        }
        Ok(sent)
    }

    /// Keeps a plain read that was made before the cases, of what nothing has changed since.
    pub(super) fn keep_read(&self, plan: &RequestPlan, sent: Sent) {
        let plain = Plain::of(plan, self.target.accepted_by_default());
        if let Some(plain) = plain.filter(|_| is_settled(&sent.exchange)) {
            let kept = Arc::new(tokio::sync::Mutex::new(Some(Sent { also: Vec::new(), ..sent })));
            self.plain_reads.0.lock().unwrap_or_else(PoisonError::into_inner).insert(plain, kept);
        }
    }
}

/// Whether an answer says what it says for good: another request would not mend it.
fn is_settled(exchange: &Exchange) -> bool {
    exchange.status().is_some_and(|status| status < 500 && status != 429)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scim::names::MEDIA_TYPE;

    #[test]
    fn a_plain_read_is_known_by_path_credentials_and_headers_as_they_go_out() {
        let of = |method: &str, auth, headers: &[(&str, Option<&str>)]| {
            let mut plan = RequestPlan::new(method, "/Users/1", "me");
            plan.auth = auth;
            plan.headers =
                headers.iter().map(|(name, value)| ((*name).to_owned(), value.map(str::to_owned))).collect();
            Plain::of(&plan, MEDIA_TYPE)
        };
        let plain = of("GET", Auth::Good, &[]);
        assert!(plain.is_some());
        assert_eq!(plain, of("GET", Auth::Good, &[("accept", Some(MEDIA_TYPE))]));
        assert_eq!(
            of("GET", Auth::Good, &[("Accept", None)]),
            of("GET", Auth::Good, &[("Accept", Some("*/*"))])
        );
        assert_ne!(plain, of("GET", Auth::Good, &[("Accept", None)]));
        assert_ne!(plain, of("GET", Auth::None, &[]));
        assert_eq!(of("HEAD", Auth::Good, &[]), None);
        assert_eq!(of("GET", Auth::Bad, &[]), None);
        assert_eq!(of("GET", Auth::Good, &[("If-None-Match", Some("*"))]), None);
        assert_eq!(of("GET", Auth::None, &[("Authorization", Some("Spoon"))]), None);
    }
}
