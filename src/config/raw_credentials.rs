//! `credentials`, as they are written.

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::Deserialize;

use super::raw::one_of;
use super::text::{Text, Texts};

/// The word for our own access tokens.
pub(super) const ACCESS_TOKEN: &str = "access_token";

/// The word for API keys.
pub(super) const API_KEY: &str = "api_key";

/// The words that `type` takes.
pub(super) const CREDENTIAL_TYPES: [&str; 1] = ["static"];

/// How API keys may come.
#[derive(Default, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(super) struct RawApiKeys {
    /// A scheme for `Authorization: {scheme} {id}:{secret}`, beside `Bearer` and `X-API-Key`; left out: none.
    pub(super) scheme: Option<Text>,
}

/// What requests to protected servers may carry.
#[derive(Default, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(super) struct RawCredential {
    /// Its name in `accepts`, in rules and in logs: 1 to 40 of a-z, 0-9, -. No upstream has it.
    #[schemars(required)]
    pub(super) id: Option<Text>,
    /// What it is. `static` is a bearer token that stands here.
    #[schemars(required, schema_with = "credential_type")]
    pub(super) r#type: Option<Text>,
    /// `static`: the token, 32 characters or more.
    pub(super) token: Option<Text>,
    /// A file that holds `token`.
    pub(super) token_file: Option<Text>,
    /// `static`: whom servers and logs are told.
    pub(super) subject: Option<Text>,
    /// `static`: what it allows, as far as a server has these scopes.
    pub(super) scopes: Option<Texts>,
}

fn credential_type(_: &mut SchemaGenerator) -> Schema {
    one_of(&CREDENTIAL_TYPES)
}
