//! What a person has approved, remembered: the same question is not asked again for a while.

use serde::{Deserialize, Serialize};

use crate::clock::Timestamp;
use crate::protocol::ScopeSet;
use crate::secret::Digest;

use super::{AuthorizationRequest, Client, PersonId};

/// Which question it was: a person, a client, a redirect, a resource (SEC-036, SEC-040). A digest, so
/// that nothing of them can be told from a record's name (SEC-167).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConsentKey(Digest);

impl ConsentKey {
    /// The question that this request puts to this person.
    #[must_use]
    pub fn of(person: &PersonId, request: &AuthorizationRequest) -> Self {
        let parts = [
            person.as_str(),
            request.client_id.as_str(),
            request.redirect_uri.as_str(),
            request.resource.as_str(),
        ];
        let text: String = parts.map(|part| format!("{}:{part}", part.len())).concat();
        Self(Digest::of(&text))
    }

    /// Its text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }
}

/// A remembered answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RememberedConsent {
    /// The scopes that were approved. A request for some of them is covered.
    pub scopes: ScopeSet,
    /// What the client told about itself then: [`Client::as_shown`].
    pub shown: Digest,
    /// When it was last given.
    pub given_at: Timestamp,
    /// When the question is asked again.
    pub ends_at: Timestamp,
}

impl RememberedConsent {
    /// Does it answer this request, by this client as it is now (SEC-036, SEC-037)?
    #[must_use]
    pub fn covers(&self, client: &Client, asked: &ScopeSet, now: Timestamp) -> bool {
        now < self.ends_at && self.shown == client.as_shown() && self.scopes.includes(asked)
    }
}
