//! `/Me`, the alias of the authenticated subject (RFC 7644 §3.11): where the first tenant's token was given to a user,
//! a request to `/Me` is one to that user's own address.

use super::endpoint::{Endpoint, Kind};
use super::message::Request;
use super::service::State;
use crate::scim::error::ScimError;

/// The user that a token belongs to.
#[derive(Debug, Default)]
pub(crate) struct Subject {
    user_name: Option<String>,
    /// The id, once known: a user that is renamed stays who it is.
    id: Option<String>,
}

impl Subject {
    /// A subject that is, or is going to be, the user with this name.
    pub(crate) fn named(user_name: &str) -> Self {
        Self { user_name: Some(user_name.to_owned()), id: None }
    }
}

impl State {
    /// The endpoint that a request is for, with the subject's own address in the place of `/Me`; `/Me` itself where
    /// the token belongs to nobody.
    pub(crate) fn resolve(&mut self, endpoint: Endpoint) -> Endpoint {
        let (Endpoint::Me, Some(user_name)) = (&endpoint, &self.me.user_name) else { return endpoint };
        let is_there = |id: &String| self.store.get(id).is_some_and(|user| user.kind == Kind::User);
        let id = self.me.id.take().filter(is_there).or_else(|| {
            let mut named = self.store.users_named(user_name);
            named.next().map(|user| user.id.clone())
        });
        self.me.id.clone_from(&id);
        match id {
            Some(id) => Endpoint::Resource(Kind::User, id),
            // Nobody has this id, so that each method has the answer that a user who is gone has.
            None => Endpoint::Resource(Kind::User, String::new()),
        }
    }
}

/// Why `/Me` cannot be had where the token belongs to nobody.
pub(crate) fn unsupported(request: &Request) -> ScimError {
    ScimError::new(501, format!("{} is not supported: the token belongs to no user", request.path))
}
