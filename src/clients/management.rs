//! What a client that registered itself does with that later (RFC 7592): it reads, changes and takes
//! back its registration, with the token that it was given for it.

use std::time::Duration;

use crate::clock::Timestamp;
use crate::domain::{AuditEvent, AuditKind, Client, ClientAuthMethod, ClientId, Revoked, StoredClient};
use crate::protocol::registration::{RegistrationRequest, RegistrationResponse, UpdatedClient};
use crate::protocol::{ErrorCode, OAuthError};
use crate::secret::{Digest, Secret};

use super::registration::{Caller, Registration, Standing};
use super::remembered::OLDEST_MEMORY;

/// How long no replica remembers a client that has changed: longer than what one has remembered lives, and any
/// request takes.
const CHANGED: Duration = Duration::from_secs(2 * OLDEST_MEMORY.as_secs());

/// A client, and the proof that it is the one who asks.
struct Own {
    client: Client,
    is_used: bool,
    token: Secret,
    digest: Digest,
}

/// One answer for a client that is gone, one that never was, and a token of another (SEC-115).
fn not_yours() -> OAuthError {
    OAuthError::new(
        ErrorCode::InvalidToken,
        "the registration access token does not hold, or the client is gone",
    )
}

impl Registration {
    /// What is registered (section 2.1).
    pub async fn read(&self, id: &ClientId, caller: &Caller) -> Result<RegistrationResponse, OAuthError> {
        let own = self.own(id, caller, self.parts.clock.now()).await?;
        Ok(self.response(&own.client, None, &own.token))
    }

    /// Puts these metadata in place of all that was registered (section 2.2). A secret is made only where
    /// there was none.
    pub async fn update(
        &self,
        id: &ClientId,
        caller: &Caller,
        (named, request): (&UpdatedClient, &RegistrationRequest),
    ) -> Result<RegistrationResponse, OAuthError> {
        let now = self.parts.clock.now();
        let Own { client, is_used, token, digest } = self.own(id, caller, now).await?;
        self.check_open()?;
        self.check_rate(caller, now)?;
        check_named(&client, named)?;
        let secret = secret_of(&client).cloned();
        let Client { id, created_at, expires_at, .. } = client;
        let standing = Standing { id, access_token: digest, created_at, expires_at, secret };
        let (client, secret) = self.described(request, standing)?;
        // Before it changes, so that nothing that breaks off in between leaves it remembered as it was. Of
        // newcomers nobody remembers anything, and anybody can change one as often as they like.
        if is_used {
            self.forbid_memory(&client.id, now).await?;
        }
        if !self.parts.store.update_client(&client).await.map_err(OAuthError::unavailable)? {
            return Err(not_yours());
        }
        let event = AuditEvent::new(AuditKind::ClientUpdated, now).client(&client.id);
        if is_used || self.is_used_meanwhile(&client.id, now).await? {
            self.parts.journal.record(event);
        } else {
            self.parts.journal.mention(&event);
        }
        Ok(self.response(&client, secret, &token))
    }

    /// Forgets the client, and ends what it was granted (section 2.3).
    pub async fn delete(&self, id: &ClientId, caller: &Caller) -> Result<(), OAuthError> {
        let now = self.parts.clock.now();
        let Own { client, .. } = self.own(id, caller, now).await?;
        // One that was never used has no grant: to revoke nothing would only fill the store, at the will
        // of anybody.
        let event = AuditEvent::new(AuditKind::ClientDeleted, now).client(id);
        let forgotten = self.parts.store.forget_unused_client(id).await;
        if forgotten.map_err(OAuthError::unavailable)? {
            self.parts.journal.mention(&event);
        } else {
            // A client outlives its grants (INT-36), so after its end there is none.
            let left = client.expires_at.unwrap_or(now).since(now) + self.rules.access_lifetime;
            // In this order: what breaks off in between is asked for again.
            let revoked = self.parts.revocations.revoke(&Revoked::Client(id.clone()), now, left).await;
            revoked.map_err(OAuthError::unavailable)?;
            self.parts.store.forget_client(id).await.map_err(OAuthError::unavailable)?;
            self.parts.journal.record(event);
        }
        Ok(())
    }

    /// From now on no replica remembers what the client was.
    async fn forbid_memory(&self, id: &ClientId, now: Timestamp) -> Result<(), OAuthError> {
        let what = Revoked::MemoryOf(id.clone());
        let forbidden = self.parts.revocations.revoke(&what, now, CHANGED).await;
        forbidden.map_err(OAuthError::unavailable)
    }

    /// Was a newcomer used for the first time while it changed? Then nobody goes on remembering what it was.
    async fn is_used_meanwhile(&self, id: &ClientId, now: Timestamp) -> Result<bool, OAuthError> {
        let known = self.parts.store.stored_client(id, now).await.map_err(OAuthError::unavailable)?;
        let is_used = known.is_some_and(|known| known.is_used);
        if is_used {
            self.forbid_memory(id, now).await?;
        }
        Ok(is_used)
    }

    /// The client, if this is its token.
    async fn own(&self, id: &ClientId, caller: &Caller, now: Timestamp) -> Result<Own, OAuthError> {
        let token = caller.token.clone().ok_or_else(not_yours)?;
        let known = self.parts.store.stored_client(id, now).await.map_err(OAuthError::unavailable)?;
        let StoredClient { client, is_used } = known.ok_or_else(not_yours)?;
        let digest = client.registration.as_ref().map(|registration| registration.access_token.clone());
        let digest = digest.filter(|digest| digest.is_of(token.expose())).ok_or_else(not_yours)?;
        Ok(Own { client, is_used, token, digest })
    }
}

/// An update names the client that it is about, and no secret but its own.
fn check_named(client: &Client, named: &UpdatedClient) -> Result<(), OAuthError> {
    let refuse = |text| Err(OAuthError::new(ErrorCode::InvalidClientMetadata, text));
    if named.client_id.as_deref() != Some(client.id.as_str()) {
        return refuse("client_id must be there, and be the client's own");
    }
    let is_own = |secret: &Secret| secret_of(client).is_some_and(|digest| digest.is_of(secret.expose()));
    if named.client_secret.as_ref().is_some_and(|secret| !is_own(secret)) {
        return refuse("client_secret is not the client's own; it cannot be chosen");
    }
    Ok(())
}

fn secret_of(client: &Client) -> Option<&Digest> {
    match &client.auth {
        ClientAuthMethod::ClientSecretBasic(digest) | ClientAuthMethod::ClientSecretPost(digest) => {
            Some(digest)
        }
        // Whoever registered itself has no secret of the operator's.
        ClientAuthMethod::None
        | ClientAuthMethod::KeyedSecret { .. }
        | ClientAuthMethod::PrivateKeyJwt { .. } => None,
    }
}
