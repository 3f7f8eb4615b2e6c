//! The file as it is written: every key, its description for the schema, and nothing checked.
//!
//! Which keys exist is decided here and nowhere else: the schema is made from these types, and
//! `shape` refuses every key that the schema does not have. Every field may be absent here, also
//! those that the schema requires: `check` says better what is missing. (`serde(default)` stands
//! where schemars does not see for itself that a field may be absent.) `access` is in
//! `raw_access`, what is about clients in `raw_clients`, `credentials` in `raw_credentials`,
//! `resources` in `raw_resources`.

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;

use super::defaults;
use super::raw_access::RawAccess;
use super::raw_clients::{RawClientDocuments, RawClients, RawRegistration};
use super::raw_credentials::{RawApiKeys, RawCredential};
use super::raw_resources::RawResource;
use super::settings::{Preset, SigningAlgorithm};
use super::text::{Located, Text, TextOr, Texts};

/// The configuration of Gatelodge. Every text may hold `${VAR}`, `${VAR:-default}` or
/// `${VAR:?hint}`.
#[derive(Default, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(super) struct RawConfig {
    /// The broker's public URL, exactly as clients will see it: https, without a trailing slash.
    /// Plain http only on loopback.
    #[schemars(required)]
    pub(super) issuer: Option<Text>,
    /// The address and port to listen on.
    #[schemars(extend("default" = defaults::LISTEN))]
    pub(super) listen: Option<Text>,
    /// How many connections may be open at once, in each process; 1 to 1000000. More wait until one closes.
    #[serde(default)]
    #[schemars(schema_with = "count", extend("default" = 10000))]
    pub(super) max_connections: Option<Text>,
    /// `Host` headers to accept beside the issuer's own, such as the name that a health check uses.
    pub(super) allowed_hosts: Option<Texts>,
    /// Proxies, by address or network (`10.0.0.0/8`), whose `X-Forwarded-For` says where a request
    /// comes from. Nobody else's is believed.
    pub(super) trusted_proxies: Option<Texts>,
    /// The operator's secret, 32 characters or more. Records at rest and refresh tokens hang on
    /// it. Needed with Redis; else one is generated.
    pub(super) secret: Option<Text>,
    /// A file that holds `secret`.
    pub(super) secret_file: Option<Text>,
    /// Secrets that still open records and refresh tokens, or open them already: for the time of
    /// a change of `secret`.
    pub(super) previous_secrets: Option<Texts>,
    /// A file that holds `previous_secrets`, one a line.
    pub(super) previous_secrets_file: Option<Text>,
    /// Where state is kept: `memory`, a file, a `redis://` or `rediss://` URL, or a mapping that
    /// says more about a Redis.
    #[schemars(extend("default" = defaults::STORE))]
    pub(super) store: Option<RawStore>,
    /// What every Redis key begins with.
    #[schemars(extend("default" = defaults::STORE_PREFIX))]
    pub(super) store_prefix: Option<Text>,
    /// The identity providers that people sign in with.
    #[schemars(required, length(min = 1))]
    pub(super) upstreams: Option<Vec<Located<RawUpstream>>>,
    /// The MCP servers that tokens are for.
    #[schemars(required, length(min = 1))]
    pub(super) resources: Option<Vec<Located<RawResource>>>,
    /// What requests to protected servers may carry beside our access tokens, where we decide about them.
    pub(super) credentials: Option<Vec<Located<RawCredential>>>,
    /// How API keys may come, at servers that accept them.
    #[serde(default)]
    pub(super) api_keys: RawApiKeys,
    /// Is there an HTTP API for API keys, at `{issuer}/admin/api`? Who may use it, the scopes
    /// `gatelodge:keys` and `gatelodge:admin` say.
    #[serde(default)]
    #[schemars(schema_with = "flag", extend("default" = false))]
    pub(super) admin_api: Option<Text>,
    /// Who may do what.
    #[schemars(required)]
    pub(super) access: Option<Located<RawAccess>>,
    /// How long things live.
    #[serde(default)]
    pub(super) tokens: RawTokens,
    /// How long people stay signed in in their browsers, and what is not asked again meanwhile.
    #[serde(default)]
    pub(super) browser_sessions: RawBrowserSessions,
    /// How many sign-ins may be begun.
    #[serde(default)]
    pub(super) sign_ins: RawSignIns,
    /// May the proxies in `trusted_proxies` ask at `/verify` whether a request may pass?
    #[serde(default)]
    #[schemars(schema_with = "flag", extend("default" = false))]
    pub(super) forward_auth: Option<Text>,
    /// How tokens are signed.
    #[serde(default)]
    pub(super) signing: RawSigning,
    /// How clients register themselves.
    #[serde(default)]
    pub(super) registration: RawRegistration,
    /// Clients whose identifier is the URL of their metadata.
    #[serde(default)]
    pub(super) client_documents: RawClientDocuments,
    /// Clients that are known beforehand: a list, or a mapping that also says which others there may be.
    pub(super) clients: Option<RawClients>,
    /// What is logged, and how.
    #[serde(default)]
    pub(super) logs: RawLogs,
}

/// A word, a path or a URL; or a mapping.
pub(super) type RawStore = TextOr<RawRedis>;

/// A Redis: one of `url`, `sentinel` and `cluster`, and how to get in.
#[derive(Default, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(super) struct RawRedis {
    /// One server: `redis://host:6379/0`, or `rediss://` for TLS.
    pub(super) url: Option<Text>,
    /// The sentinels that name the primary. `rediss://` holds for the servers, too.
    pub(super) sentinel: Option<Texts>,
    /// What the sentinels call the primary (`sentinel monitor NAME`).
    pub(super) master: Option<Text>,
    /// Some nodes of a Redis Cluster; the others are learnt from them.
    pub(super) cluster: Option<Texts>,
    /// The ACL user; left out, it is Redis's `default`.
    pub(super) username: Option<Text>,
    /// The user's password.
    pub(super) password: Option<Text>,
    /// A file that holds `password`.
    pub(super) password_file: Option<Text>,
    /// The ACL user at the sentinels, if they want one.
    pub(super) sentinel_username: Option<Text>,
    /// The password at the sentinels, if they want one.
    pub(super) sentinel_password: Option<Text>,
    /// A file that holds `sentinel_password`.
    pub(super) sentinel_password_file: Option<Text>,
    /// The certificate authorities (PEM) to trust instead of the machine's.
    pub(super) ca_file: Option<Text>,
    /// The broker's own certificate (PEM), where Redis asks for one.
    pub(super) cert_file: Option<Text>,
    /// The key (PEM) of `cert_file`.
    pub(super) key_file: Option<Text>,
}

/// An identity provider.
#[derive(Default, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(super) struct RawUpstream {
    /// Its name in rules and in the callback URL `/oauth/callback/{id}`: 1 to 40 of a-z, 0-9, -.
    #[schemars(required)]
    pub(super) id: Option<Text>,
    /// The label on its button; by default the product's name.
    pub(super) name: Option<Text>,
    /// Which product it is; decides what may be trusted. `oidc` is any other OpenID Connect
    /// provider.
    #[schemars(required, schema_with = "preset")]
    pub(super) preset: Option<Text>,
    /// Its issuer URL, exactly as its ID tokens carry it. Google's and GitHub's are known.
    pub(super) issuer: Option<Text>,
    /// The broker's client id at the provider.
    #[schemars(required)]
    pub(super) client_id: Option<Text>,
    /// The broker's client secret at the provider.
    pub(super) client_secret: Option<Text>,
    /// A file that holds `client_secret`.
    pub(super) client_secret_file: Option<Text>,
    /// Only people of these email domains may sign in, and with no other upstream. Required for
    /// Google and, without `organizations`, for Clerk, where anyone can have an account.
    pub(super) allowed_domains: Option<Texts>,
    /// Only members of these organisations may sign in: ids at Clerk and Auth0, logins or `id:` and
    /// the numeric id at GitHub, where it is required.
    pub(super) organizations: Option<Texts>,
    /// Entra: the ids of the tenants whose accounts may sign in. Required where the issuer is
    /// `common` or `organizations`.
    pub(super) tenants: Option<Texts>,
    /// What the broker asks the provider for. GitHub's are read:user, user:email and read:org.
    #[schemars(extend("default" = defaults::UPSTREAM_SCOPES))]
    pub(super) scopes: Option<Texts>,
    /// The claim that holds the groups; dots reach into objects, as in `realm_access.roles`.
    #[schemars(extend("default" = defaults::GROUPS_CLAIM))]
    pub(super) groups_claim: Option<Text>,
    /// The claim that holds the roles, if it is not the product's usual one.
    pub(super) roles_claim: Option<Text>,
    /// The base of the provider's API, for GitHub Enterprise and Microsoft's national clouds.
    pub(super) api_url: Option<Text>,
    /// Which of its own identity providers it sends people to: an alias at Keycloak, a connection
    /// at Auth0.
    pub(super) idp_hint: Option<Text>,
    /// Lets the text `"true"` verify an email as the JSON `true` does, for a provider that writes it
    /// so, such as Amazon Cognito.
    #[serde(default)]
    #[schemars(schema_with = "flag", extend("default" = false))]
    pub(super) email_verified_as_text: Option<Text>,
    /// Is the provider asked again for facts when tokens are refreshed? For this the broker asks it
    /// for a refresh token, and keeps that sealed.
    #[serde(default)]
    #[schemars(schema_with = "flag", extend("default" = true))]
    pub(super) recheck: Option<Text>,
    /// How old facts may be before it is asked again; 0s to 24h.
    #[serde(default)]
    #[schemars(schema_with = "duration", extend("default" = defaults::RECHECK_AFTER))]
    pub(super) recheck_after: Option<Text>,
    /// How old facts may be while it does not answer; 0s to 30d. Then refreshes are answered 503.
    #[serde(default)]
    #[schemars(schema_with = "duration", extend("default" = defaults::OUTAGE_TOLERANCE))]
    pub(super) outage_tolerance: Option<Text>,
}

/// How long things live: a number and s, m, h or d, as in `30m`.
#[derive(Default, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(super) struct RawTokens {
    /// Access tokens; 1m to 24h.
    #[serde(default)]
    #[schemars(schema_with = "duration", extend("default" = defaults::ACCESS_LIFETIME))]
    pub(super) access_lifetime: Option<Text>,
    /// A grant that nobody refreshes; at least `access_lifetime`.
    #[serde(default)]
    #[schemars(schema_with = "duration", extend("default" = defaults::REFRESH_IDLE))]
    pub(super) refresh_idle: Option<Text>,
    /// A grant, however often it is refreshed; at least `refresh_idle`.
    #[serde(default)]
    #[schemars(schema_with = "duration", extend("default" = defaults::REFRESH_ABSOLUTE))]
    pub(super) refresh_absolute: Option<Text>,
    /// How long a refresh token that was just used is answered once more; 0s to 1h.
    #[serde(default)]
    #[schemars(schema_with = "duration", extend("default" = defaults::REFRESH_GRACE))]
    pub(super) refresh_grace: Option<Text>,
    /// Authorization codes; 1s to 60s.
    #[serde(default)]
    #[schemars(schema_with = "duration", extend("default" = defaults::CODE_LIFETIME))]
    pub(super) code_lifetime: Option<Text>,
    /// A sign-in under way; 1m to 10m.
    #[serde(default)]
    #[schemars(schema_with = "duration", extend("default" = defaults::LOGIN_LIFETIME))]
    pub(super) login_lifetime: Option<Text>,
}

/// How long people stay signed in in their browsers: a number and s, m, h or d.
#[derive(Default, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(super) struct RawBrowserSessions {
    /// A browser that nobody uses; 1m to 30d.
    #[serde(default)]
    #[schemars(schema_with = "duration", extend("default" = defaults::SESSION_IDLE))]
    pub(super) idle: Option<Text>,
    /// A browser, however often it is used; at least `idle`, at most 30d. `0s`: no sessions, every
    /// request is a sign-in at the identity provider.
    #[serde(default)]
    #[schemars(schema_with = "duration", extend("default" = defaults::SESSION_ABSOLUTE))]
    pub(super) absolute: Option<Text>,
    /// How long somebody who approved a client is not asked again; at most 365d. `0s`: always asked.
    #[serde(default)]
    #[schemars(schema_with = "duration", extend("default" = defaults::REMEMBER_CONSENT))]
    pub(super) remember_consent: Option<Text>,
}

/// How tokens are signed.
#[derive(Default, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(super) struct RawSigning {
    /// The algorithm.
    #[serde(default)]
    #[schemars(schema_with = "algorithm", extend("default" = defaults::ALGORITHM))]
    pub(super) algorithm: Option<Text>,
    /// How long a key signs before the next one follows: 2d to 3650d, or `never`.
    #[serde(default)]
    #[schemars(schema_with = "rotation", extend("default" = defaults::ROTATE_EVERY))]
    pub(super) rotate_every: Option<Text>,
    /// Your own private key (PEM), or a list: the first signs, all are published. Without it the
    /// broker makes its keys, keeps them in the store and rotates them.
    pub(super) key_file: Option<Texts>,
}

/// How many sign-ins may be begun: each takes room in the store until it is over.
#[derive(Default, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(super) struct RawSignIns {
    /// How many from one address in a minute; 1 to 1000000. Of IPv6 a /64 is one.
    #[serde(default)]
    #[schemars(schema_with = "count", extend("default" = 300))]
    pub(super) per_address: Option<Text>,
    /// How many within `tokens.login_lifetime`, in each process; 1 to 1000000.
    #[serde(default)]
    #[schemars(schema_with = "count", extend("default" = 20000))]
    pub(super) most_pending: Option<Text>,
}

/// What is logged, and how.
#[derive(Default, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(super) struct RawLogs {
    /// The shape of a line.
    #[serde(default)]
    #[schemars(schema_with = "log_format", extend("default" = defaults::LOG_FORMAT))]
    pub(super) format: Option<Text>,
    /// A tracing filter, such as `info` or `info,gatelodge=debug`.
    #[schemars(extend("default" = defaults::LOG_LEVEL))]
    pub(super) level: Option<Text>,
}

/// The words that `format` takes.
pub(super) const LOG_FORMATS: [&str; 2] = ["text", "json"];

fn preset(_: &mut SchemaGenerator) -> Schema {
    one_of(&Preset::ALL.map(Preset::as_str))
}

fn algorithm(_: &mut SchemaGenerator) -> Schema {
    one_of(&SigningAlgorithm::ALL.map(SigningAlgorithm::as_str))
}

fn log_format(_: &mut SchemaGenerator) -> Schema {
    one_of(&LOG_FORMATS)
}

/// A variable may stand wherever a word may.
pub(super) const VARIABLE: &str = r"\$\{";

pub(super) fn one_of(words: &[&str]) -> Schema {
    json_schema!({ "type": "string", "anyOf": [{ "enum": words }, { "pattern": VARIABLE }] })
}

pub(super) fn duration(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": "string", "anyOf": [{ "pattern": "^[0-9]+[smhd]$" }, { "pattern": VARIABLE }] })
}

fn rotation(_: &mut SchemaGenerator) -> Schema {
    let written = [
        json_schema!({ "pattern": "^[0-9]+[smhd]$" }),
        json_schema!({ "const": "never" }),
        json_schema!({ "pattern": VARIABLE }),
    ];
    json_schema!({ "type": "string", "anyOf": written })
}

pub(super) fn count(_: &mut SchemaGenerator) -> Schema {
    let written = [json_schema!({ "type": "integer", "minimum": 1 }), json_schema!({ "pattern": VARIABLE })];
    json_schema!({ "type": ["integer", "string"], "anyOf": written })
}

pub(super) fn flag(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": ["boolean", "string"], "anyOf": [{ "enum": [true, false] }, { "pattern": VARIABLE }] })
}
