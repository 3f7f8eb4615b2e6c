//! Which clients the operator lets in at all: by name, or one by one.

use crate::clock::Timestamp;
use crate::domain::{Application, Client, ClientId, KnownClient};
use crate::store::StoreError;

use super::Clients;

/// What the operator says about clients that are not the operator's own.
#[derive(Debug, Clone, Default)]
pub struct ClientPolicy {
    /// Only these, if any list was written.
    pub allow: Option<Vec<&'static KnownClient>>,
    /// Every other one waits for the operator's word, and is not simply refused.
    pub require_approval: bool,
}

impl ClientPolicy {
    /// Is the client let in without being looked at?
    fn admits(&self, client: &Client) -> bool {
        match &self.allow {
            Some(known) => known.iter().any(|known| known.is(client)),
            None => !self.require_approval,
        }
    }

    /// Could a document at this URL make a client that is let in, or that may wait for it?
    pub(super) fn may_admit_document(&self, url: &str) -> bool {
        let is_listed = |known: &Vec<&KnownClient>| known.iter().any(|known| known.publishes_at(url));
        self.require_approval || self.allow.as_ref().is_none_or(is_listed)
    }
}

/// May a client be used here?
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Admission {
    /// It may.
    Admitted,
    /// It may not: it is not on the list, or was refused.
    Refused,
    /// Nobody has said anything about it yet.
    Waits(Box<Application>),
}

impl Clients {
    /// May this client be used here? Asked when a sign-in begins, at each of its steps, and for every
    /// token, so that what the operator changes counts at once.
    pub async fn admission(&self, client: &Client, now: Timestamp) -> Result<Admission, StoreError> {
        if client.origin.is_the_operator_s()
            || self.documents().is_pinned(&client.id)
            || self.policy().admits(client)
        {
            return Ok(Admission::Admitted);
        }
        if !self.policy().require_approval {
            return Ok(Admission::Refused);
        }
        let application = Application::of(client, now);
        Ok(match self.store().decision(&application.key).await? {
            Some(decision) if decision.is_approved => Admission::Admitted,
            Some(_) => Admission::Refused,
            None => Admission::Waits(Box::new(application)),
        })
    }

    /// Is there still a client of this identifier that may be used here? For what it was given before: by what
    /// is known, as whether a token counts must not hang on the client's host. The authorization and token
    /// endpoints ask that, and forget the client where it says so.
    pub async fn still_admits(&self, id: &ClientId, now: Timestamp) -> Result<bool, StoreError> {
        match self.known(id, now).await? {
            Some(client) => Ok(self.admission(&client, now).await? == Admission::Admitted),
            None => Ok(false),
        }
    }
}
