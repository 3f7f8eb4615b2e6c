//! `resources`, as they are written.

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;

use super::defaults;
use super::raw::{VARIABLE, count, duration, flag, one_of};
use super::raw_credentials::ACCESS_TOKEN;
use super::text::{Located, Pairs, Text, Texts};

/// A protected MCP server.
#[derive(Default, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(super) struct RawResource {
    /// Its URL, exactly as people type it into their client.
    #[schemars(required)]
    pub(super) url: Option<Text>,
    /// The name on our pages.
    #[schemars(required)]
    pub(super) name: Option<Text>,
    /// Its scopes, each with what a person reads about it before consenting.
    #[schemars(required, extend("minProperties" = 1))]
    pub(super) scopes: Option<Located<Pairs>>,
    /// Which of its scopes every request needs, where proxies ask us (`forward_auth`).
    pub(super) required_scopes: Option<Texts>,
    /// Which of its scopes the first challenge asks for, beside those: what most requests need. Default: all.
    pub(super) everyday_scopes: Option<Texts>,
    /// What requests may carry, where we decide about them: `access_token` and `api_key`, which are ours,
    /// and what `credentials` names. They are tried in this order.
    #[schemars(extend("default" = [ACCESS_TOKEN]))]
    pub(super) accepts: Option<Texts>,
    /// Its own address, where requests come to us and we pass them on: what stands below `url` is
    /// appended. It gets neither the client's credential nor headers that say who asks but ours.
    pub(super) upstream_url: Option<Text>,
    /// How long it may take to begin an answer; 1s to 1h.
    #[serde(default)]
    #[schemars(schema_with = "duration", extend("default" = defaults::UPSTREAM_TIMEOUT))]
    pub(super) upstream_timeout: Option<Text>,
    /// How long a stream of it may be silent before it is ended; 10s to 30d.
    #[serde(default)]
    #[schemars(schema_with = "duration", extend("default" = defaults::STREAM_IDLE))]
    pub(super) stream_idle: Option<Text>,
    /// How many streams one caller may listen to at once, in each process, and how many calls of theirs may be
    /// under way; 1 to 1000000. More are answered 429.
    #[serde(default)]
    #[schemars(schema_with = "count", extend("default" = 100))]
    pub(super) streams: Option<Text>,
    /// The longest body of a request: 1KiB to 64MiB.
    #[serde(default)]
    #[schemars(schema_with = "size", extend("default" = defaults::BODY_LIMIT))]
    pub(super) body_limit: Option<Text>,
    /// Does it get what the client showed us? MCP forbids that for access tokens of ours.
    #[serde(default)]
    #[schemars(schema_with = "flag", extend("default" = false))]
    pub(super) forward_credential: Option<Text>,
    /// How it is told who asks: in `headers` as forward-auth tells it, in a `jwt` that we sign, or not at
    /// all (`none`).
    #[serde(default)]
    #[schemars(schema_with = "identity", extend("default" = defaults::IDENTITY))]
    pub(super) identity: Option<Text>,
    /// The header of the `jwt`; in `Authorization` it is a bearer token.
    #[schemars(extend("default" = defaults::IDENTITY_HEADER))]
    pub(super) identity_header: Option<Text>,
    /// What its tools need beside `required_scopes`, by name; `*` stands for anything. Where several name a
    /// tool it needs them all.
    pub(super) tools: Option<Located<Pairs<Texts>>>,
    /// The header that says whose server of `tenants` a request is for.
    #[schemars(extend("default" = defaults::TENANT_HEADER))]
    pub(super) tenant_header: Option<Text>,
    /// Tenants by the name that the header has for them, each with a server and scopes of its own. `upstream_url`
    /// of the resource is then for requests without the header; left out, every request must have it.
    pub(super) tenants: Option<Located<Pairs<Located<RawTenant>>>>,
    /// How many requests may come, where we decide about them.
    #[serde(default)]
    pub(super) limits: RawRequestLimits,
    /// Is this the server that a request without `resource` means? A single server always is.
    #[serde(default)]
    #[schemars(schema_with = "flag", extend("default" = false))]
    pub(super) default: Option<Text>,
}

/// One of several tenants behind a server.
#[derive(Default, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(super) struct RawTenant {
    /// The address of its server; what stands below `url` is appended.
    #[schemars(required)]
    pub(super) upstream_url: Option<Text>,
    /// What its requests need besides what every request needs.
    #[schemars(required)]
    pub(super) required_scopes: Option<Texts>,
}

/// How many requests may come to a server in a minute. All replicas count together; more are answered 429.
#[derive(Default, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(super) struct RawRequestLimits {
    /// From one address; 1 to 1000000. Left out: any number. Of IPv6 a /64 is one.
    #[serde(default)]
    #[schemars(schema_with = "count")]
    pub(super) per_address: Option<Text>,
    /// With one credential: the tokens of one grant are one; 1 to 1000000. Left out: any number.
    #[serde(default)]
    #[schemars(schema_with = "count")]
    pub(super) per_credential: Option<Text>,
}

/// The words that `identity` takes.
pub(super) const IDENTITIES: [&str; 3] = ["headers", "jwt", "none"];

fn size(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": "string", "anyOf": [{ "pattern": "^[0-9]+[KM]iB$" }, { "pattern": VARIABLE }] })
}

fn identity(_: &mut SchemaGenerator) -> Schema {
    one_of(&IDENTITIES)
}
