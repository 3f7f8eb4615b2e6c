//! Who asks, as a server behind the gateway is told: a short token of a type of its own, so that nobody takes
//! it for an access token (SEC-141).

use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;

use crate::clock::Timestamp;
use crate::protocol::Issuer;

use super::{KeyError, SigningKeys};

/// The `typ` of an identity token.
pub const IDENTITY_TYPE: &str = "gatelodge-identity+jwt";

/// How long one holds.
pub const IDENTITY_LIFETIME: Duration = Duration::from_secs(60);

/// What one says of who asks.
#[derive(Debug, Serialize)]
pub struct IdentityClaims<'a> {
    /// The person, or what acts without one.
    pub sub: &'a str,
    /// The server that it is for, as people type it.
    pub aud: &'a str,
    /// What is allowed, space-delimited.
    pub scope: &'a str,
    /// The tenant that the request is for, where the server has several.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tenant: Option<&'a str>,
    /// The client that asks, where there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client_id: Option<&'a str>,
    /// The person's verified email address.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub email: Option<&'a str>,
    /// A name to show; decides nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<&'a str>,
}

#[derive(Serialize)]
struct Dated<'a> {
    iss: &'a str,
    iat: Timestamp,
    exp: Timestamp,
    #[serde(flatten)]
    claims: &'a IdentityClaims<'a>,
}

/// An identity token, and what it holds by.
#[derive(Debug, Clone)]
pub struct IdentityToken {
    /// The token.
    pub token: String,
    /// The key that signed it.
    pub kid: String,
    /// When it was signed.
    pub issued_at: Timestamp,
}

/// Signs identity tokens.
#[derive(Debug, Clone)]
pub struct IdentityMinter {
    issuer: Issuer,
    keys: Arc<SigningKeys>,
}

impl IdentityMinter {
    /// Signs in the name of `issuer`.
    #[must_use]
    pub fn new(issuer: Issuer, keys: Arc<SigningKeys>) -> Self {
        Self { issuer, keys }
    }

    /// Signs a token that holds from now on.
    pub fn mint(&self, claims: &IdentityClaims<'_>, now: Timestamp) -> Result<IdentityToken, KeyError> {
        let dated = Dated { iss: self.issuer.as_str(), iat: now, exp: now.plus(IDENTITY_LIFETIME), claims };
        let written = serde_json::to_vec(&dated).map_err(|_| KeyError::Generation)?;
        let keys = self.keys.at(now);
        let token = keys.signer().sign_identity(&written)?;
        Ok(IdentityToken { token, kid: keys.signer().kid().to_owned(), issued_at: now })
    }

    /// Is this the key that signs now? One that leaked signs no more.
    #[must_use]
    pub fn signs_with(&self, kid: &str, now: Timestamp) -> bool {
        self.keys.at(now).signer().kid() == kid
    }
}
