//! Discovery documents. Absent members are left out, never `null` (INT-11).

use serde::Serialize;

use super::ScopeSet;

/// Authorization server metadata (RFC 8414 section 2).
#[derive(Debug, Clone, Serialize)]
pub struct AuthorizationServerMetadata {
    /// The issuer identifier, byte for byte.
    pub issuer: String,
    /// Where a browser begins.
    pub authorization_endpoint: String,
    /// Where codes and refresh tokens are redeemed.
    pub token_endpoint: String,
    /// The public keys.
    pub jwks_uri: String,
    /// Where clients register, while registration is open.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub registration_endpoint: Option<String>,
    /// Where tokens are revoked (RFC 7009).
    pub revocation_endpoint: String,
    /// Where a protected server asks about a token (RFC 7662), if one may.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub introspection_endpoint: Option<String>,
    /// The methods of confidential clients, for introspection.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub introspection_endpoint_auth_methods_supported: Vec<&'static str>,
    /// The algorithms of `private_key_jwt`, for introspection.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub introspection_endpoint_auth_signing_alg_values_supported: Vec<&'static str>,
    /// Every scope that some resource has.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub scopes_supported: Vec<String>,
    /// Always `code`.
    pub response_types_supported: Vec<&'static str>,
    /// Always `query`.
    pub response_modes_supported: Vec<&'static str>,
    /// The grants of the token endpoint.
    pub grant_types_supported: Vec<&'static str>,
    /// `none` first (INT-13).
    pub token_endpoint_auth_methods_supported: Vec<&'static str>,
    /// The same methods, for revocation.
    pub revocation_endpoint_auth_methods_supported: Vec<&'static str>,
    /// Always `S256`.
    pub code_challenge_methods_supported: Vec<&'static str>,
    /// The algorithms of `private_key_jwt`.
    pub token_endpoint_auth_signing_alg_values_supported: Vec<&'static str>,
    /// The same algorithms, for revocation.
    pub revocation_endpoint_auth_signing_alg_values_supported: Vec<&'static str>,
    /// Clients may name themselves by the URL of their metadata.
    pub client_id_metadata_document_supported: bool,
    /// RFC 9207: every authorization response carries `iss`.
    pub authorization_response_iss_parameter_supported: bool,
}

/// Protected resource metadata (RFC 9728 section 2).
#[derive(Debug, Clone, Serialize)]
pub struct ProtectedResourceMetadata {
    /// The resource's URL exactly as people type it (INT-23).
    pub resource: String,
    /// One authorization server: ours (INT-03).
    pub authorization_servers: Vec<String>,
    /// The resource's scopes; never `offline_access` (SEC-139).
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub scopes_supported: Vec<String>,
    /// Tokens travel in the header only.
    pub bearer_methods_supported: Vec<&'static str>,
    /// The name that people see.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resource_name: Option<String>,
}

impl ProtectedResourceMetadata {
    /// The document of one resource guarded by one authorization server.
    #[must_use]
    pub fn new(resource: &str, issuer: &str, scopes: &ScopeSet, name: Option<&str>) -> Self {
        Self {
            resource: resource.to_owned(),
            authorization_servers: vec![issuer.to_owned()],
            scopes_supported: scopes.iter().map(ToString::to_string).collect(),
            bearer_methods_supported: vec!["header"],
            resource_name: name.map(str::to_owned),
        }
    }
}
