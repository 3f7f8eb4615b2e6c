//! `credentials`, as they are written.

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::Deserialize;

use super::defaults;
use super::raw::{count, duration, flag, one_of};
use super::text::{Text, Texts};

/// The word for our own access tokens.
pub(super) const ACCESS_TOKEN: &str = "access_token";

/// The word for API keys.
pub(super) const API_KEY: &str = "api_key";

/// The words that `type` takes.
pub(super) const CREDENTIAL_TYPES: [&str; 6] = ["static", "jwt", "introspection", "remote", "clerk", "none"];

/// The words that `auth` takes here.
pub(super) const INTROSPECTION_AUTHS: [&str; 2] = ["client_secret_basic", "client_secret_post"];

/// The words that `scopes_from` takes.
pub(super) const SCOPE_SOURCES: [&str; 2] = ["policy", "token"];

/// How API keys may come.
#[derive(Default, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(super) struct RawApiKeys {
    /// A scheme for `Authorization: {scheme} {id}:{secret}`, beside `Bearer` and `X-API-Key`; left out: none.
    pub(super) scheme: Option<Text>,
}

/// What requests to protected servers may carry. Which keys belong to which type is told in
/// docs/credentials.md.
#[derive(Default, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(super) struct RawCredential {
    /// Its name in `accepts`, in rules and in logs: 1 to 40 of a-z, 0-9, -. No upstream has it.
    #[schemars(required)]
    pub(super) id: Option<Text>,
    /// What it is. `static` is a bearer token that stands here; `jwt`, `introspection`, `remote` and `clerk`
    /// are tokens of others; `none` is no credential at all, for development.
    #[schemars(required, schema_with = "credential_type")]
    pub(super) r#type: Option<Text>,
    /// `static`: the token, 32 characters or more.
    pub(super) token: Option<Text>,
    /// A file that holds `token`.
    pub(super) token_file: Option<Text>,
    /// `static`: whom servers and logs are told.
    pub(super) subject: Option<Text>,
    /// `static` and `none`: what it allows, as far as a server has these scopes.
    pub(super) scopes: Option<Texts>,
    /// Who issued the tokens, exactly as they name it; of `remote`, whose accounts it speaks of. Its metadata
    /// is at `<issuer>/.well-known/openid-configuration`.
    pub(super) issuer: Option<Text>,
    /// `jwt`, `clerk`: where the issuer's keys are, if not where its metadata says.
    pub(super) jwks_url: Option<Text>,
    /// Whom the tokens must be made out to: one of these. Never the id of an application that people sign in
    /// to. Left out: to the server at which they are shown, by its URL; of `clerk`, to anybody.
    pub(super) audience: Option<Texts>,
    /// Scopes that the token must carry, as its issuer names them.
    pub(super) required_scopes: Option<Texts>,
    /// `policy`: it allows what policy gives its account. `token`: of that, only what it names itself.
    #[serde(default)]
    #[schemars(schema_with = "scope_source", extend("default" = defaults::SCOPES_FROM))]
    pub(super) scopes_from: Option<Text>,
    /// The claim that names the account; a dotted path reaches into objects.
    #[schemars(extend("default" = defaults::SUBJECT_CLAIM))]
    pub(super) subject_claim: Option<Text>,
    /// The claim that holds the email address. It counts if the claim of this name and `_verified` is true.
    #[schemars(extend("default" = defaults::EMAIL_CLAIM))]
    pub(super) email_claim: Option<Text>,
    /// Does the address count without that?
    #[serde(default)]
    #[schemars(schema_with = "flag", extend("default" = false))]
    pub(super) trust_email: Option<Text>,
    /// The claim that holds the groups.
    #[schemars(extend("default" = defaults::GROUPS_CLAIM))]
    pub(super) groups_claim: Option<Text>,
    /// The claim that holds the roles.
    #[schemars(extend("default" = defaults::ROLES_CLAIM))]
    pub(super) roles_claim: Option<Text>,
    /// Only people of these domains; and only for these may it vouch.
    pub(super) allowed_domains: Option<Texts>,
    /// `jwt`, `clerk`: which algorithms may sign the tokens.
    pub(super) algorithms: Option<Texts>,
    /// How far the issuer's clock may be off.
    #[serde(default)]
    #[schemars(schema_with = "duration", extend("default" = defaults::CLOCK_SKEW))]
    pub(super) clock_skew: Option<Text>,
    /// How old a token may be, by its `iat`.
    #[serde(default)]
    #[schemars(schema_with = "duration")]
    pub(super) max_age: Option<Text>,
    /// `jwt`: must a token say when it ends? Without, `max_age` ends it.
    #[serde(default)]
    #[schemars(schema_with = "flag", extend("default" = true))]
    pub(super) require_expiry: Option<Text>,
    /// `jwt`, `clerk`: how long the keys are used before they are asked for again.
    #[serde(default)]
    #[schemars(schema_with = "duration", extend("default" = defaults::JWKS_REFRESH))]
    pub(super) jwks_refresh: Option<Text>,
    /// How long a call may take.
    #[serde(default)]
    #[schemars(schema_with = "duration", extend("default" = defaults::CREDENTIAL_TIMEOUT))]
    pub(super) timeout: Option<Text>,
    /// `introspection`, `remote`: who is asked; of `introspection`, if not whom the issuer's metadata names.
    pub(super) url: Option<Text>,
    /// `introspection`: our client there.
    pub(super) client_id: Option<Text>,
    /// `introspection`: its secret.
    pub(super) client_secret: Option<Text>,
    /// A file that holds `client_secret`.
    pub(super) client_secret_file: Option<Text>,
    /// `introspection`: where the secret goes.
    #[serde(default)]
    #[schemars(schema_with = "introspection_auth", extend("default" = INTROSPECTION_AUTHS[0]))]
    pub(super) auth: Option<Text>,
    /// `remote`: what the `Authorization` header carries, whole.
    pub(super) authorization: Option<Text>,
    /// A file that holds `authorization`.
    pub(super) authorization_file: Option<Text>,
    /// `introspection`, `remote`: how long an answer is believed.
    #[serde(default)]
    #[schemars(schema_with = "duration", extend("default" = defaults::ANSWER_CACHE))]
    pub(super) cache: Option<Text>,
    /// `introspection`, `remote`: tokens not known to be good that are asked about in a minute.
    #[serde(default)]
    #[schemars(schema_with = "count", extend("default" = 600))]
    pub(super) most_calls: Option<Text>,
    /// `clerk`: the origins of the applications whose sessions count (`azp`).
    pub(super) authorized_parties: Option<Texts>,
}

fn credential_type(_: &mut SchemaGenerator) -> Schema {
    one_of(&CREDENTIAL_TYPES)
}

fn introspection_auth(_: &mut SchemaGenerator) -> Schema {
    one_of(&INTROSPECTION_AUTHS)
}

fn scope_source(_: &mut SchemaGenerator) -> Schema {
    one_of(&SCOPE_SOURCES)
}
