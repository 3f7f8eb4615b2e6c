//! An authorization becomes an access token (RFC 9068).

use std::sync::Arc;
use std::time::Duration;

use crate::clock::Timestamp;
use crate::protocol::Issuer;
use crate::secret::{Secret, random};

use super::{AccessClaims, AccessTokenVerifier, Audience, Authorization, KeyError, SigningKeys};

/// Bytes that the claims of most tokens fit into.
const USUAL_CLAIMS: usize = 768;

/// A fresh access token.
#[derive(Debug)]
pub struct AccessToken {
    /// The token.
    pub token: Secret,
    /// How long it lives.
    pub lifetime: Duration,
}

/// Mints access tokens, and from nothing but an [`Authorization`].
#[derive(Debug, Clone)]
pub struct Minter {
    issuer: Issuer,
    keys: Arc<SigningKeys>,
    lifetime: Duration,
}

impl Minter {
    /// Mints in the name of `issuer`.
    #[must_use]
    pub fn new(issuer: Issuer, keys: Arc<SigningKeys>, lifetime: Duration) -> Self {
        Self { issuer, keys, lifetime }
    }

    /// Mints. The audience is the grant's resource, as configured, and nothing else (SEC-016);
    /// a token never outlives its grant.
    pub fn mint(&self, authorization: &Authorization, now: Timestamp) -> Result<AccessToken, KeyError> {
        let grant = authorization.grant();
        let exp = now.plus(self.lifetime).min(grant.ends_at);
        let claims = AccessClaims {
            iss: self.issuer.as_str().to_owned(),
            sub: grant.identity.person().as_str().to_owned(),
            aud: Audience::One(grant.resource.as_str().to_owned()),
            exp,
            iat: now,
            nbf: None,
            jti: random::id(),
            client_id: grant.client_id.as_str().to_owned(),
            scope: authorization.scopes().to_string(),
            grant_id: Some(grant.id.to_string()),
            email: grant.identity.email.as_ref().map(ToString::to_string),
            name: grant.identity.name.clone(),
        };
        let mut written = Vec::with_capacity(USUAL_CLAIMS);
        serde_json::to_writer(&mut written, &claims).map_err(|_| KeyError::Generation)?;
        let token = Secret::new(self.keys.at(now).signer().sign(&written)?);
        Ok(AccessToken { token, lifetime: exp.since(now) })
    }

    /// Is the key of this name one of those that verify our tokens at `now`?
    #[must_use]
    pub fn knows_key(&self, kid: &str, now: Timestamp) -> bool {
        self.keys.at(now).verifying().knows(Some(kid))
    }

    /// What verifies the tokens that were minted here and are not over at `now`.
    #[must_use]
    pub fn verifier(&self, now: Timestamp) -> AccessTokenVerifier {
        AccessTokenVerifier::new(self.issuer.as_str(), self.keys.at(now).verifying().clone())
    }
}
