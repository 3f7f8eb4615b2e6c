//! `clients`, `client_documents` and `registration` as they are written.

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::Deserialize;

use super::defaults;
use super::list_or::ListOr;
use super::raw::{count, duration, flag, one_of};
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

/// How clients register themselves.
#[derive(Default, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(super) struct RawRegistration {
    /// May clients register themselves?
    #[serde(default)]
    #[schemars(schema_with = "flag", extend("default" = true))]
    pub(super) open: Option<Text>,
    /// What whoever registers has to bring as a bearer token, 32 characters or more; left out:
    /// nothing.
    pub(super) initial_access_token: Option<Text>,
    /// A file that holds `initial_access_token`.
    pub(super) initial_access_token_file: Option<Text>,
    /// Where the answers of such clients may go; left out: anywhere. Whole URIs; hosts (`claude.ai`,
    /// `*.example.com`), which mean https; `http://localhost` and `http://127.0.0.1`, any port and path;
    /// schemes of applications (`cursor:`).
    pub(super) allowed_redirect_uris: Option<Texts>,
    /// How many registrations from one address in a minute; 1 to 1000000. Of IPv6 a /64 is one.
    #[serde(default)]
    #[schemars(schema_with = "count", extend("default" = 60))]
    pub(super) per_address: Option<Text>,
    /// How many registrations that nobody uses are kept: beyond, the oldest of these make room; 1 to
    /// 1000000.
    #[serde(default)]
    #[schemars(schema_with = "count", extend("default" = 10000))]
    pub(super) most_unused: Option<Text>,
    /// How long a registration that nobody uses is kept; 1h to 365d.
    #[serde(default)]
    #[schemars(schema_with = "duration", extend("default" = defaults::UNUSED_LIFETIME))]
    pub(super) unused_lifetime: Option<Text>,
    /// Redirect hosts whose clients get a secret when they name no authentication method.
    pub(super) secret_hosts: Option<Texts>,
}

/// Clients whose identifier is the URL of their metadata (Client ID Metadata Documents).
#[derive(Default, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(super) struct RawClientDocuments {
    /// May clients name themselves by URL?
    #[serde(default)]
    #[schemars(schema_with = "flag", extend("default" = true))]
    pub(super) enabled: Option<Text>,
    /// Only clients of these hosts and the hosts below them; left out: of any.
    pub(super) allowed_hosts: Option<Texts>,
    /// No clients of these hosts and the hosts below them.
    pub(super) denied_hosts: Option<Texts>,
    /// Hosts, exactly, whose names may lead to addresses of a private network.
    pub(super) private_hosts: Option<Texts>,
    /// How many unknown documents are fetched for one address in a minute; 1 to 1000000. Of IPv6 a /64 is one.
    #[serde(default)]
    #[schemars(schema_with = "count", extend("default" = 60))]
    pub(super) per_address: Option<Text>,
    /// Documents that are not fetched, for hosts that cannot be reached.
    pub(super) pinned: Option<Vec<Located<RawPinnedDocument>>>,
}

/// A client's metadata document that is not fetched: `document` or `file`.
#[derive(Default, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(super) struct RawPinnedDocument {
    /// The client's URL.
    #[schemars(required)]
    pub(super) client_id: Option<Text>,
    /// The document, as JSON in a text.
    pub(super) document: Option<Text>,
    /// A file that holds the document.
    pub(super) file: Option<Text>,
}
