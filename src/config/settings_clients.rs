//! The part of the checked configuration that is about client applications.

use std::num::NonZeroU32;
use std::time::Duration;

use crate::domain::{ClientLimits, DomainName, KnownClient};
use crate::protocol::client_document::{ClientDocument, ClientKeys};
use crate::protocol::{RedirectPattern, RedirectUri, ResourceUri};
use crate::secret::Secret;

/// How clients register themselves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RegistrationConfig {
    /// May they?
    pub open: bool,
    /// What they have to bring.
    pub initial_access_token: Option<Secret>,
    /// Where their answers may go; nothing named: anywhere.
    pub allowed_redirect_uris: Vec<RedirectPattern>,
    /// How many from one address in a minute.
    pub per_address: NonZeroU32,
    /// How many that nobody uses are kept.
    pub most_unused: NonZeroU32,
    /// How long a registration that nobody uses is kept.
    pub unused_lifetime: Duration,
    /// Redirect hosts whose clients get a secret when they name no authentication method (INT-30).
    pub secret_hosts: Vec<String>,
}

/// Clients whose identifier is the URL of their metadata.
#[derive(Debug, Clone)]
pub struct ClientDocumentsConfig {
    /// Are there any?
    pub enabled: bool,
    /// Only of these hosts, if any are named.
    pub allowed_hosts: Vec<DomainName>,
    /// Not of these.
    pub denied_hosts: Vec<DomainName>,
    /// Hosts whose names may lead into a private network.
    pub private_hosts: Vec<DomainName>,
    /// How many unknown ones are fetched for one address in a minute.
    pub per_address: NonZeroU32,
    /// Documents that are not fetched.
    pub pinned: Vec<PinnedDocument>,
}

/// A document that the operator has (INT-42).
#[derive(Debug, Clone)]
pub struct PinnedDocument {
    /// The client's URL.
    pub client_id: String,
    /// What stands there.
    pub document: ClientDocument,
}

/// A client that the operator names.
#[derive(Debug, Clone)]
pub struct ClientConfig {
    /// The servers about whose tokens it may ask (RFC 7662).
    pub introspects: Vec<ResourceUri>,
    /// Its identifier.
    pub id: String,
    /// The name on our pages.
    pub name: String,
    /// Where answers may go.
    pub redirect_uris: Vec<RedirectUri>,
    /// How it authenticates.
    pub auth: ClientAuth,
    /// May it have refresh tokens?
    pub may_refresh: bool,
    /// What it may ask for.
    pub limits: ClientLimits,
}

/// How a client authenticates at the token endpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ClientAuth {
    /// Not at all: PKCE alone protects the code.
    None,
    /// HTTP Basic.
    ClientSecretBasic(Secret),
    /// In the request body.
    ClientSecretPost(Secret),
    /// A JWT, signed with one of these keys.
    PrivateKeyJwt(ClientKeys),
}

/// Which clients there may be beside the operator's own.
#[derive(Debug, Clone, Default)]
pub struct ClientPolicyConfig {
    /// Only these, if any list was written.
    pub allow: Option<Vec<&'static KnownClient>>,
    /// Does every other one wait for the operator's word?
    pub require_approval: bool,
}
