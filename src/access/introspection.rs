//! Token introspection (RFC 7662): a protected server asks whether an access token still counts.
//! Unlike a server that only checks the JWT, it sees a revocation within a second (SEC-134).

use std::collections::HashMap;
use std::sync::Arc;

use serde::Serialize;

use crate::clients::{AuthenticatedClient, Authenticator, Credentials};
use crate::clock::{Clock, Timestamp};
use crate::domain::ClientId;
use crate::protocol::{ErrorCode, OAuthError, Params, ResourceUri};
use crate::tokens::{AccessClaims, Audience, Minter};

use super::Liveness;

/// Everything that introspection asks.
#[derive(Debug)]
pub struct Introspection {
    /// Who is calling.
    pub authenticator: Arc<Authenticator>,
    /// Which client may ask about the tokens of which servers.
    pub servers: HashMap<ClientId, Vec<ResourceUri>>,
    /// What minted our tokens, and knows the keys that verify them.
    pub minter: Minter,
    /// Whether it still counts.
    pub liveness: Liveness,
    /// The present.
    pub clock: Arc<dyn Clock>,
}

/// What a server is told of a token (RFC 7662 section 2.2).
#[derive(Debug, Serialize)]
pub struct Introspected {
    active: bool,
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    token: Option<ActiveToken>,
}

#[derive(Debug, Serialize)]
struct ActiveToken {
    iss: String,
    sub: String,
    aud: Audience,
    exp: Timestamp,
    iat: Timestamp,
    jti: String,
    client_id: String,
    scope: String,
    token_type: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    username: Option<String>,
}

impl Introspection {
    /// Answers. Whatever is not an access token for a server of the caller's, alive, is only
    /// `"active": false` (SEC-130, SEC-131).
    pub async fn introspect(
        &self,
        credentials: &Credentials,
        form: &Params,
    ) -> Result<Introspected, OAuthError> {
        form.check_repeats()?;
        let now = self.clock.now();
        let client = self.authenticator.authenticate(credentials, now).await?;
        let outcome = self.answer(&client, form, now).await;
        client.settled(outcome).await
    }

    async fn answer(
        &self,
        client: &AuthenticatedClient,
        form: &Params,
        now: Timestamp,
    ) -> Result<Introspected, OAuthError> {
        let refused = || OAuthError::new(ErrorCode::AccessDenied, "this client protects no server");
        let servers = self.servers.get(&client.client().id).ok_or_else(refused)?;
        let missing = || OAuthError::new(ErrorCode::InvalidRequest, "token is missing");
        let token = form.one("token")?.ok_or_else(missing)?;
        let verifier = self.minter.verifier(now);
        let verified = servers.iter().find_map(|server| verifier.verify(token, server, now).ok());
        let Some(verified) = verified else { return Ok(Introspected { active: false, token: None }) };
        let alive = self.liveness.grant_of(verified.claims(), now).await?.is_some();
        let token = alive.then(|| ActiveToken::of(verified.claims().clone()));
        Ok(Introspected { active: alive, token })
    }
}

impl ActiveToken {
    fn of(claims: AccessClaims) -> Self {
        Self {
            iss: claims.iss,
            sub: claims.sub,
            aud: claims.aud,
            exp: claims.exp,
            iat: claims.iat,
            jti: claims.jti,
            client_id: claims.client_id,
            scope: claims.scope,
            token_type: "Bearer",
            username: claims.email,
        }
    }
}
