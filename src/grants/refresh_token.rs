//! `grant_type=refresh_token` (OAuth 2.1 section 4.3): rotation, with a grace window for clients
//! that refresh twice at once (PRIN-4).

use std::borrow::Cow;

use crate::clock::Timestamp;
use crate::domain::{AuditEvent, AuditKind, Grant, Rotation, UpstreamGrant};
use crate::people::NotCurrent;
use crate::protocol::{ErrorCode, OAuthError, Params, ScopeSet};
use crate::store::StoreError;
use crate::tokens::Authorization;

use super::{Presented, TokenEndpoint, Transition, invalid_grant};

impl TokenEndpoint {
    /// Reads a refresh token whose MAC holds.
    pub(super) fn read_refresh_token(&self, form: &Params) -> Result<Presented, OAuthError> {
        let missing = || OAuthError::new(ErrorCode::InvalidRequest, "refresh_token is missing");
        let text = form.one("refresh_token")?.ok_or_else(missing)?;
        let token = self.refresh_tokens.read(text).ok_or_else(invalid_grant)?;
        // Wider than the grant is cut, not refused (INT-57); narrower is for this access token.
        let asked = form.one("scope")?.map(ScopeSet::parse_lenient);
        Ok(Presented { grant: *token.grant(), transition: Transition::Rotate(token.generation()), asked })
    }

    /// What is known of the person, for a refresh alone: a code is redeemed right after its sign-in.
    pub(super) async fn known(
        &self,
        presented: Option<&Presented>,
        now: Timestamp,
    ) -> Result<Vec<UpstreamGrant>, StoreError> {
        match presented {
            Some(Presented { grant, transition: Transition::Rotate(_), .. }) => {
                self.people.known(grant.person(), now).await
            }
            _ => Ok(Vec::new()),
        }
    }

    /// The grant with what the upstream says now. Whoever is refused there loses the family; an
    /// upstream that does not answer ends nothing (REL-12).
    pub(super) async fn with_current_facts(
        &self,
        grant: Grant,
        known: Vec<UpstreamGrant>,
        now: Timestamp,
    ) -> Result<Grant, OAuthError> {
        match self.people.current(&grant.identity, known, now).await {
            Ok(Cow::Owned(identity)) => Ok(Grant { identity, ..grant }),
            Ok(Cow::Borrowed(_)) => Ok(grant),
            Err(gone @ NotCurrent::Gone(_)) => {
                self.store.end_grant(&grant.id).await.map_err(OAuthError::unavailable)?;
                let event = AuditEvent::new(AuditKind::RefreshDenied, now).grant(&grant);
                self.journal.record(event.because(format!("{gone}; the session ended")));
                Err(invalid_grant())
            }
            Err(fault @ (NotCurrent::Unavailable(_) | NotCurrent::Store(_))) => {
                Err(OAuthError::unavailable(fault))
            }
        }
    }

    pub(super) async fn rotate(
        &self,
        grant: Grant,
        presented: u64,
        scopes: &ScopeSet,
        now: Timestamp,
    ) -> Result<Authorization, OAuthError> {
        let rotated = self.store.rotate_refresh(&grant.id, presented, now, self.rules.rotation).await;
        match rotated.map_err(OAuthError::unavailable)? {
            Rotation::Gone => Err(invalid_grant()),
            Rotation::Reused => {
                self.record(AuditKind::RefreshReused, &grant, now);
                Err(invalid_grant())
            }
            outcome @ Rotation::Successor { .. } => {
                self.journal.mention(&AuditEvent::new(AuditKind::TokenRefreshed, now).grant(&grant));
                Authorization::rotated(grant, outcome, scopes).ok_or_else(invalid_grant)
            }
        }
    }
}
