//! Revocation (RFC 7009): a client ends its own grant, by refresh or access token.

use crate::clients::{AuthenticatedClient, Credentials};
use crate::clock::Timestamp;
use crate::domain::{AuditKind, GrantId};
use crate::protocol::{ErrorCode, OAuthError, Params};

use super::TokenEndpoint;

impl TokenEndpoint {
    /// Ends the grant that the token belongs to. A token that is not alive is no error; another
    /// client's is refused and stays alive (RFC 7009 section 2.1, SEC-133). The hint is not
    /// needed: our tokens tell their kind.
    pub async fn revoke(&self, credentials: &Credentials, form: &Params) -> Result<(), OAuthError> {
        form.check_repeats()?;
        let now = self.clock.now();
        let client = self.authenticator.authenticate(credentials, now).await?;
        let outcome = self.end(&client, form, now).await;
        client.settled(outcome).await
    }

    async fn end(
        &self,
        client: &AuthenticatedClient,
        form: &Params,
        now: Timestamp,
    ) -> Result<(), OAuthError> {
        let missing = || OAuthError::new(ErrorCode::InvalidRequest, "token is missing");
        let token = form.one("token")?.ok_or_else(missing)?;
        let Some(id) = self.grant_behind(token, now) else { return Ok(()) };
        let found = self.store.grant(&id, now).await.map_err(OAuthError::unavailable)?;
        let Some(grant) = found else {
            // Nothing is alive here. A first call may have been told to come again because no replica
            // had heard of the end yet: the store makes sure of that now.
            self.store.end_grant(&id).await.map_err(OAuthError::unavailable)?;
            return Ok(());
        };
        if grant.client_id != client.client().id {
            let text = "this token was issued to another client";
            return Err(OAuthError::new(ErrorCode::InvalidGrant, text));
        }
        if self.store.end_grant(&id).await.map_err(OAuthError::unavailable)? {
            self.record(AuditKind::GrantRevoked, &grant, now);
        }
        Ok(())
    }

    fn grant_behind(&self, token: &str, now: Timestamp) -> Option<GrantId> {
        if let Some(refresh) = self.refresh_tokens.read(token) {
            return Some(*refresh.grant());
        }
        let verified = self.minter.verifier(now).verify_for_any(token, now).ok()?;
        GrantId::parse(verified.claims().grant_id.as_deref()?)
    }
}
