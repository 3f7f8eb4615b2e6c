//! What policy says of an arrival, with what only the store knows: whose an admin's address is.

use crate::clock::Timestamp;
use crate::domain::{AuditEvent, AuditKind};
use crate::policy::{Asked, Verdict};
use crate::store::StoreError;

use super::Login;

impl Login {
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
