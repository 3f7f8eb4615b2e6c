//! What an issuer says of itself (OpenID Connect Discovery 1.0 section 4), as far as we ask it anything.

use serde::Deserialize;

use crate::outbound::Outbound;

/// An issuer's metadata.
#[derive(Debug, Deserialize)]
pub(super) struct Metadata {
    issuer: String,
    pub(super) jwks_uri: Option<String>,
    pub(super) introspection_endpoint: Option<String>,
}

impl Metadata {
    /// Fetches it. It must name this issuer, byte for byte (RFC 8414 section 3.3, SEC-047).
    pub(super) async fn fetch(outbound: &Outbound, issuer: &str) -> Result<Self, String> {
        let url = format!("{}/.well-known/openid-configuration", issuer.trim_end_matches('/'));
        let document = outbound.get(&url).await.map_err(|error| error.to_string())?;
        let metadata: Self = serde_json::from_slice(&document)
            .map_err(|error| format!("its metadata cannot be read: {error}"))?;
        if metadata.issuer != issuer {
            return Err(format!("its metadata names another issuer than {issuer}"));
        }
        Ok(metadata)
    }
}
