//! Dynamic client registration as real clients send it and want it answered (RFC 7591), and what they
//! manage of it later (RFC 7592).
//!
//! Requests are read leniently member by member: a member that is absent, `null` or `""` is
//! absent, unknown members are ignored (INT-33 to INT-35). So is a `software_statement`, which RFC 7591
//! section 3.1.1 leaves to the server: nobody here is asked whose word it would be.

use serde::{Deserialize, Deserializer, Serialize};

use crate::secret::Secret;

/// The members of a registration request that the broker uses (RFC 7591 section 2).
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct RegistrationRequest {
    /// Where answers may go.
    #[serde(deserialize_with = "null_as_default")]
    pub redirect_uris: Vec<String>,
    /// How the client authenticates at the token endpoint.
    #[serde(deserialize_with = "empty_as_none")]
    pub token_endpoint_auth_method: Option<String>,
    /// What it would like to do; grants that we do not have are left out of the answer.
    #[serde(deserialize_with = "null_as_none")]
    pub grant_types: Option<Vec<String>>,
    /// What it expects back from the authorization endpoint.
    #[serde(deserialize_with = "null_as_none")]
    pub response_types: Option<Vec<String>>,
    /// What it calls itself: hostile data.
    #[serde(deserialize_with = "empty_as_none")]
    pub client_name: Option<String>,
    /// Its home page: hostile data, shown nowhere as a link.
    #[serde(deserialize_with = "empty_as_none")]
    pub client_uri: Option<String>,
    /// A space-delimited list.
    #[serde(deserialize_with = "empty_as_none")]
    pub scope: Option<String>,
    /// The product behind the client.
    #[serde(deserialize_with = "empty_as_none")]
    pub software_id: Option<String>,
    /// Its version.
    #[serde(deserialize_with = "empty_as_none")]
    pub software_version: Option<String>,
    /// Keys by value, refused together with `jwks_uri` (SEC-110).
    pub jwks: Option<serde_json::Value>,
    /// Keys by reference; not fetched before the client signs.
    #[serde(deserialize_with = "empty_as_none")]
    pub jwks_uri: Option<String>,
}

/// What an update names beside the metadata that are to hold from now on (RFC 7592 section 2.2). What else
/// only the server may say, as clients that send back all that they were told do, is ignored.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct UpdatedClient {
    /// The client, once more.
    #[serde(deserialize_with = "empty_as_none")]
    pub client_id: Option<String>,
    /// Its secret, if at all: the one that it has.
    #[serde(deserialize_with = "empty_as_secret")]
    pub client_secret: Option<Secret>,
}

fn empty_as_secret<'de, D: Deserializer<'de>>(d: D) -> Result<Option<Secret>, D::Error> {
    Ok(empty_as_none(d)?.map(Secret::new))
}

fn null_as_default<'de, D: Deserializer<'de>, T: Default + Deserialize<'de>>(d: D) -> Result<T, D::Error> {
    Ok(Option::<T>::deserialize(d)?.unwrap_or_default())
}

fn null_as_none<'de, D: Deserializer<'de>, T: Deserialize<'de>>(d: D) -> Result<Option<T>, D::Error> {
    Option::<T>::deserialize(d)
}

fn empty_as_none<'de, D: Deserializer<'de>>(d: D) -> Result<Option<String>, D::Error> {
    Ok(Option::<String>::deserialize(d)?.filter(|text| !text.is_empty()))
}

/// The answer: what is registered, effective values and all (RFC 7591 section 3.2.1, RFC 7592 section 3).
#[derive(Clone, Serialize)]
pub struct RegistrationResponse {
    /// The new identifier.
    pub client_id: String,
    /// Unix seconds.
    pub client_id_issued_at: u64,
    /// For confidential clients only (INT-31), shown once.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client_secret: Option<String>,
    /// Unix seconds, 0 for never; present with a secret.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client_secret_expires_at: Option<u64>,
    /// What the client manages its registration with, and nobody else.
    pub registration_access_token: String,
    /// Where it does so.
    pub registration_client_uri: String,
    /// Byte for byte as sent (INT-32).
    pub redirect_uris: Vec<String>,
    /// The method that is enforced.
    pub token_endpoint_auth_method: &'static str,
    /// The keys by which it proves itself, as sent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub jwks: Option<serde_json::Value>,
    /// Or where they are.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub jwks_uri: Option<String>,
    /// The grants that the client may use.
    pub grant_types: Vec<&'static str>,
    /// Always `code`.
    pub response_types: Vec<&'static str>,
    /// As sent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client_name: Option<String>,
    /// As sent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client_uri: Option<String>,
    /// What is left of the scopes sent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scope: Option<String>,
    /// As sent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub software_id: Option<String>,
    /// As sent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub software_version: Option<String>,
}
