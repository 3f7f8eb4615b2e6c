//! Remembered consent: who has approved this before is not asked again, unless any program on the
//! machine could take the answer (SEC-036 to SEC-038, SEC-040). Policy is asked all the same.

use crate::clock::Timestamp;
use crate::domain::{AuditEvent, AuditKind, ConsentKey, PersonId, RememberedConsent};
use crate::store::StoreError;

use super::Login;
use super::finish::Asking;

impl Login {
    /// Has this person approved this, of this client as it is now?
    pub(super) async fn is_remembered(
        &self,
        asking: Asking<'_>,
        person: &PersonId,
    ) -> Result<bool, StoreError> {
        Ok(self
            .remembered(asking, person)
            .await?
            .is_some_and(|consent| consent.covers(asking.client, &asking.request.scopes, asking.now)))
    }

    /// Remembers that this person has approved this, beside what they approved before.
    pub(super) async fn remember(&self, asking: Asking<'_>, person: &PersonId) -> Result<(), StoreError> {
        let Asking { request, client, now, .. } = asking;
        let shown = client.as_shown();
        // A client that has changed while the page was open was not approved as it is now.
        if !self.may_remember(asking) || request.shown.as_ref() != Some(&shown) {
            return Ok(());
        }
        let before = self.remembered(asking, person).await?;
        let still = before.filter(|before| before.covers(client, &before.scopes, now));
        let scopes = request.scopes.clone();
        let ends_at = now.plus(self.rules.remember_consent);
        let consent = match still.filter(|before| !request.scopes.includes(&before.scopes)) {
            // What was not on this page lives no longer for it.
            Some(before) => RememberedConsent { scopes: before.scopes.union(&scopes), ..before },
            None => RememberedConsent { scopes, shown, given_at: now, ends_at },
        };
        self.store.remember_consent(&ConsentKey::of(person, request), &consent, now).await?;
        let event = AuditEvent::new(AuditKind::ConsentRemembered, now).client(&client.id);
        let mut event = event.person(person.clone());
        event.resource = Some(request.resource.to_string());
        event.scopes = Some(consent.scopes.to_string());
        self.journal.record(event);
        Ok(())
    }

    fn may_remember(&self, asking: Asking<'_>) -> bool {
        !self.rules.remember_consent.is_zero() && !asking.to.is_for_any_local_program()
    }

    /// What is remembered and not revoked, within what the configuration says today.
    async fn remembered(
        &self,
        asking: Asking<'_>,
        person: &PersonId,
    ) -> Result<Option<RememberedConsent>, StoreError> {
        let Asking { request, client, now, .. } = asking;
        if !self.may_remember(asking) {
            return Ok(None);
        }
        let found = match self.store.consent(&ConsentKey::of(person, request), now).await {
            // To ask once more is always safe.
            Err(StoreError::Unreadable(why)) => {
                tracing::warn!(why, "a remembered consent cannot be read: the person is asked again");
                None
            }
            found => found?,
        };
        let Some(consent) = found else { return Ok(None) };
        let is_revoked = self.revocations.current(now).await?.revokes(person, &client.id, consent.given_at);
        let is_young = |consent: &RememberedConsent| now < until(consent, self.rules.remember_consent);
        Ok(Some(consent).filter(|consent| !is_revoked && is_young(consent)))
    }
}

fn until(consent: &RememberedConsent, longest: std::time::Duration) -> Timestamp {
    consent.given_at.plus(longest)
}
