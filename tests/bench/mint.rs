//! More access tokens like one that was issued: signed with the same key, each with an identifier of its own.
//! For what a token costs that nobody has seen before.

use gatelodge::secret::random;
use jsonwebtoken::{EncodingKey, Header};
use serde_json::{Map, Value};

use crate::Fault;

/// A key as a server reads it from a file (PEM).
pub(crate) fn new_key() -> Result<String, Fault> {
    Ok(rcgen::KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256)?.serialize_pem())
}

/// Makes tokens like one.
pub(crate) struct Mint {
    key: EncodingKey,
    header: Header,
    claims: Map<String, Value>,
}

impl Mint {
    /// Like `token`, which this key has signed.
    pub(crate) fn like(token: &str, key: &str) -> Result<Self, Fault> {
        let claims = jsonwebtoken::dangerous::insecure_decode(token)?.claims;
        let (key, header) = (EncodingKey::from_ec_pem(key.as_bytes())?, jsonwebtoken::decode_header(token)?);
        Ok(Self { key, header, claims })
    }

    /// For another server.
    pub(crate) fn for_resource(mut self, resource: &str) -> Self {
        self.claims.insert("aud".to_owned(), resource.into());
        self
    }

    /// One more.
    pub(crate) fn next(&mut self) -> Result<String, Fault> {
        self.claims.insert("jti".to_owned(), random::id().into());
        Ok(jsonwebtoken::encode(&self.header, &self.claims, &self.key)?)
    }
}

impl std::fmt::Debug for Mint {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Mint")
    }
}
