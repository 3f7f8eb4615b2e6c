//! Does a token that verified still count? Unlike its signature, that can change at any moment.

use std::sync::Arc;

use crate::clients::{Clients, FindClientError};
use crate::clock::Timestamp;
use crate::domain::{ClientId, Grant, GrantId};
use crate::store::Store;
use crate::store::revocations::Revocations;
use crate::tokens::AccessClaims;

/// What knows whether grants still stand.
#[derive(Debug, Clone)]
pub struct Liveness {
    clients: Clients,
    store: Arc<dyn Store>,
    revocations: Arc<Revocations>,
}

impl Liveness {
    /// Asks which clients may be used at all, where grants live, and what has been revoked.
    #[must_use]
    pub fn new(clients: Clients, store: Arc<dyn Store>, revocations: Arc<Revocations>) -> Self {
        Self { clients, store, revocations }
    }

    /// The grant that a token hangs on, if it still stands, its client may still be used, and nobody has
    /// revoked what it was issued to. Grant and client are asked for together, in one round trip; where
    /// clients wait for the operator's word, that is a second one.
    pub(super) async fn grant_of(
        &self,
        claims: &AccessClaims,
        now: Timestamp,
    ) -> Result<Option<Grant>, FindClientError> {
        let Some(id) = grant_named_by(claims) else { return Ok(None) };
        let client = ClientId::new(&claims.client_id);
        let (grant, admitted) =
            tokio::join!(self.store.grant(&id, now), self.clients.still_admits(&client, now));
        let Some(grant) = grant?.filter(|grant| grant.client_id == client) else { return Ok(None) };
        let stands = !self.is_revoked(&grant, now).await? && admitted?;
        Ok(stands.then_some(grant))
    }

    /// Has somebody revoked what this grant was opened for? By the grant's age, not the token's: a replica
    /// that had not heard of the revocation yet may have issued a token since.
    pub(super) async fn is_revoked(&self, grant: &Grant, now: Timestamp) -> Result<bool, FindClientError> {
        Ok(self.revocations.has_ended(grant, now).await?)
    }
}

/// The grant that a token says it hangs on.
pub(super) fn grant_named_by(claims: &AccessClaims) -> Option<GrantId> {
    claims.grant_id.as_deref().and_then(GrantId::parse)
}
