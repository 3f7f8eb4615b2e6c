//! `grant_type=refresh_token` (OAuth 2.1 section 4.3): rotation, with a grace window for clients
//! that refresh twice at once (PRIN-4).

use crate::clients::AuthenticatedClient;
use crate::clock::Timestamp;
use crate::domain::{AuditKind, Grant, Rotation};
use crate::protocol::{ErrorCode, OAuthError, Params, ScopeSet};
use crate::store::StoreError;
use crate::tokens::{Authorization, RefreshToken};

use super::{Redeemable, TokenEndpoint, Transition, invalid_grant};

/// A genuine refresh token, and its grant if that is there.
pub(super) type Family = Option<(RefreshToken, Option<Grant>)>;

impl TokenEndpoint {
    /// Reads the family of a refresh token whose MAC holds, and what has been revoked, while the
    /// client is looked up: three reads wait once for a Redis that is far away (REL-05).
    pub(super) async fn read_family(&self, form: &Params, now: Timestamp) -> Result<Family, StoreError> {
        let named = form.one("refresh_token").ok().flatten();
        let Some(token) = named.and_then(|text| self.refresh_tokens.read(text)) else { return Ok(None) };
        let (grant, _) =
            tokio::try_join!(self.store.grant(token.grant(), now), self.revocations.current(now))?;
        Ok(Some((token, grant)))
    }

    /// Finds the family that the request names.
    pub(super) async fn find_refresh_token(
        &self,
        client: &AuthenticatedClient,
        form: &Params,
        family: Result<Family, StoreError>,
        now: Timestamp,
    ) -> Result<Redeemable, OAuthError> {
        let missing = || OAuthError::new(ErrorCode::InvalidRequest, "refresh_token is missing");
        form.one("refresh_token")?.ok_or_else(missing)?;
        let (token, grant) = family.map_err(OAuthError::unavailable)?.ok_or_else(invalid_grant)?;
        let grant = self.own(client, grant, now).await?;
        // Wider than the grant is cut, not refused (INT-57); narrower is for this access token.
        let asked = form.one("scope")?.map(ScopeSet::parse_lenient);
        Ok(Redeemable { grant, transition: Transition::Rotate(token.generation()), asked })
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
                self.record(AuditKind::RefreshReused, &grant, now).await;
                Err(invalid_grant())
            }
            outcome @ Rotation::Successor { .. } => {
                self.record(AuditKind::TokenRefreshed, &grant, now).await;
                Authorization::rotated(grant, outcome, scopes).ok_or_else(invalid_grant)
            }
        }
    }
}
