//! `clients` as it is written.

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::Deserialize;

use super::defaults;
use super::list_or::ListOr;
use super::raw::{flag, one_of};
use super::text::{Located, Text, Texts};

/// The clients, or what there is to say about all of them.
pub(super) type RawClients = ListOr<Located<RawClient>, RawClientPolicy>;

/// Clients that are known beforehand, and which others there may be.
#[derive(Default, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(super) struct RawClientPolicy {
    /// Only these applications, by name, beside the clients that you name or add yourself; left out: any.
    pub(super) allow: Option<Texts>,
    /// Does every other application wait for `gatelodge clients approve`?
    #[serde(default)]
    #[schemars(schema_with = "flag", extend("default" = false))]
    pub(super) require_approval: Option<Text>,
    /// The clients that are known beforehand.
    pub(super) named: Option<Vec<Located<RawClient>>>,
}

/// A client that is known beforehand.
#[derive(Default, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(super) struct RawClient {
    /// Its client id.
    #[schemars(required)]
    pub(super) id: Option<Text>,
    /// The name on our pages.
    #[schemars(required)]
    pub(super) name: Option<Text>,
    /// Where answers may go: whole URLs, compared exactly. A client that only introspects has none.
    pub(super) redirect_uris: Option<Texts>,
    /// The protected servers, by URL, about whose tokens it may ask (RFC 7662). Needs a secret or keys.
    pub(super) introspects: Option<Texts>,
    /// Its secret, 32 characters or more. Without one, and without keys, the client is public.
    pub(super) secret: Option<Text>,
    /// A file that holds `secret`.
    pub(super) secret_file: Option<Text>,
    /// How it proves itself.
    #[serde(default)]
    #[schemars(schema_with = "client_auth", extend("default" = defaults::CLIENT_AUTH))]
    pub(super) auth: Option<Text>,
    /// A file with its public keys (a JWK set), for `private_key_jwt`.
    pub(super) jwks_file: Option<Text>,
    /// The https URL of its public keys, for `private_key_jwt`.
    pub(super) jwks_uri: Option<Text>,
    /// The scopes that it may ask for at most; left out: all.
    pub(super) scopes: Option<Texts>,
    /// The servers, by URL, that it may ask for; left out: all.
    pub(super) resources: Option<Texts>,
    /// The grants that it may use: `authorization_code`, and `refresh_token` unless it is left out here.
    #[schemars(extend("default" = defaults::CLIENT_GRANTS))]
    pub(super) grant_types: Option<Texts>,
}

/// The words that `auth` takes.
pub(super) const CLIENT_AUTHS: [&str; 4] =
    ["none", "client_secret_basic", "client_secret_post", "private_key_jwt"];

fn client_auth(_: &mut SchemaGenerator) -> Schema {
    one_of(&CLIENT_AUTHS)
}
