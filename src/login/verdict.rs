//! What policy says of an arrival, with what only the store knows: whose an admin's address is.

use crate::clock::Timestamp;
use crate::domain::{AuditEvent, AuditKind, AuthorizationRequest};
use crate::policy::{Asked, Verdict};
use crate::protocol::ScopeSet;
use crate::store::StoreError;

use super::Login;
use super::session::Live;

impl Login {
    /// What of the request would be granted to whoever is signed in, for our page: nothing is asked of
    /// the upstream and nothing is pinned.
    pub(super) async fn foreseen(
        &self,
        request: &AuthorizationRequest,
        live: Option<&Live>,
        now: Timestamp,
    ) -> Result<Option<ScopeSet>, StoreError> {
        let resource = self.resources.find(&request.resource);
        let Some((live, resource)) = live.zip(resource) else { return Ok(None) };
        let identity = self.people.last_known(&live.session.identity, now).await?;
        let asked = Asked::new(&identity, &request.client_id, resource);
        let mut verdict = self.policy.decide(asked);
        if let Some(address) = &verdict.pin {
            let owner = self.store.admin_pin(address).await?;
            if owner.is_some_and(|owner| owner != identity.person()) {
                verdict = self.policy.decide(Asked { is_address_taken: true, ..asked });
            }
        }
        Ok(Some(verdict.narrow(&request.scopes)))
    }

    /// Asks policy. An address that makes an admin is pinned to the account that brings it first,
    /// so that whoever gets a used address gets no more than anybody (identity requirements, "For
    /// all of them").
    pub(super) async fn verdict(&self, asked: Asked<'_>, now: Timestamp) -> Result<Verdict<'_>, StoreError> {
        let verdict = self.policy.decide(asked);
        let Some(address) = &verdict.pin else { return Ok(verdict) };
        let person = asked.identity.person();
        let owner = self.store.pin_admin(address, &person).await?;
        if owner == person {
            return Ok(verdict);
        }
        let mut event = AuditEvent::new(AuditKind::AdminRefused, now)
            .person(person)
            .upstream(&asked.identity.upstream)
            .because(format!("the address is pinned to {owner}, who signed in with it first"));
        event.client = asked.client.cloned();
        event.resource = Some(asked.resource.url.to_string());
        self.journal.record(event);
        Ok(self.policy.decide(Asked { is_address_taken: true, ..asked }))
    }
}
