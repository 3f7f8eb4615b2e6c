//! `grant_type=refresh_token` (OAuth 2.1 section 4.3): rotation, with a grace window for clients
//! that refresh twice at once (PRIN-4).

use crate::clock::Timestamp;
use crate::domain::{AuditKind, Grant, Rotation};
use crate::protocol::{ErrorCode, OAuthError, Params, ScopeSet};
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
                self.record(AuditKind::TokenRefreshed, &grant, now);
                Authorization::rotated(grant, outcome, scopes).ok_or_else(invalid_grant)
            }
        }
    }
}
