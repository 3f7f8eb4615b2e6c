//! `grant_type=authorization_code` (OAuth 2.1 section 4.1.3). Here a code is redeemed.

use crate::clients::AuthenticatedClient;
use crate::clock::Timestamp;

use crate::domain::{AuditKind, Client, ClientOrigin, Grant, GrantState, Redemption};
use crate::protocol::{ErrorCode, OAuthError, Params, ScopeSet};
use crate::tokens::Authorization;

use super::{Presented, TokenEndpoint, Transition, invalid_grant};

impl TokenEndpoint {
    /// Reads a code. A failed attempt consumes nothing (INT-52): another client's (SEC-073), a
    /// wrong verifier (SEC-074, SEC-077), another redirect (SEC-079).
    pub(super) fn read_code(&self, form: &Params) -> Result<Presented, OAuthError> {
        let missing = |name| OAuthError::new(ErrorCode::InvalidRequest, format!("{name} is missing"));
        let code = form.one("code")?.ok_or_else(|| missing("code"))?;
        let verifier = form.one("code_verifier")?.ok_or_else(|| missing("code_verifier"))?;
        let redirect = form.one("redirect_uri")?;
        let code = self.codes.read(code, verifier).ok_or_else(invalid_grant)?;
        if redirect.is_some_and(|uri| !code.went_to(uri)) {
            return Err(invalid_grant());
        }
        Ok(Presented { grant: *code.grant(), transition: Transition::Redeem, asked: None })
    }

    pub(super) async fn redeem(
        &self,
        client: &AuthenticatedClient,
        grant: Grant,
        scopes: &ScopeSet,
        now: Timestamp,
    ) -> Result<Authorization, OAuthError> {
        if let GrantState::Active { .. } = grant.state {
            return Err(self.replayed(&grant, now).await);
        }
        // Before the code is used up: a fault here costs the client nothing.
        let until = now.plus(self.rules.keep_client);
        self.keep(client.client(), until).await?;
        let redeemed = self.store.redeem_code(&grant.id, now, self.rules.rotation.idle).await;
        match redeemed.map_err(OAuthError::unavailable)? {
            Redemption::Gone => Err(invalid_grant()),
            Redemption::AlreadyRedeemed => Err(self.replayed(&grant, now).await),
            outcome @ Redemption::Redeemed => {
                self.record(AuditKind::TokenIssued, &grant, now);
                Authorization::redeemed(grant, outcome, scopes).ok_or_else(invalid_grant)
            }
        }
    }

    /// Lets a client live as long as what it is granted (INT-36).
    async fn keep(&self, client: &Client, until: Timestamp) -> Result<(), OAuthError> {
        let kept = match client.origin {
            // For the time when its document cannot be fetched.
            ClientOrigin::MetadataDocument => {
                let client = Client { expires_at: Some(until), ..client.clone() };
                self.store.remember_client(&client).await.map(|()| true)
            }
            ClientOrigin::Configured | ClientOrigin::Operator | ClientOrigin::Registered => {
                self.store.keep_client(&client.id, until).await
            }
        };
        // Deleted while it came here: its tokens would outlive it.
        if !kept.map_err(OAuthError::unavailable)? && client.origin == ClientOrigin::Registered {
            return Err(OAuthError::new(ErrorCode::InvalidClient, "the client is gone"));
        }
        Ok(())
    }

    /// A second valid redemption: somebody else may hold the first one's tokens, so the family
    /// ends (OAuth 2.1 section 4.1.3, SEC-076).
    async fn replayed(&self, grant: &Grant, now: Timestamp) -> OAuthError {
        if let Err(fault) = self.store.end_grant(&grant.id).await {
            return OAuthError::unavailable(fault);
        }
        self.record(AuditKind::CodeReplayed, grant, now);
        invalid_grant()
    }
}
