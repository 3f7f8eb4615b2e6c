//! The checked configuration: what the rest of the broker is wired from.

use std::fmt;
use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::path::PathBuf;
use std::time::Duration;

use ipnet::IpNet;

use crate::domain::{
    Accepted, Account, DomainName, EmailAddress, Forwarding, RequestLimits, Rule, UpstreamId,
};
pub use crate::protocol::SigningAlgorithm;
use crate::protocol::{Issuer, ResourceUri, Scope, ScopeSet};
use crate::secret::{MasterSecret, Secret};

use super::settings_clients::{ClientConfig, ClientDocumentsConfig, ClientPolicyConfig, RegistrationConfig};
use super::settings_credentials::CredentialConfig;

/// The longest `refresh_absolute` that is accepted, and so the longest life of any grant.
pub const LONGEST_GRANT: Duration = Duration::from_secs(3650 * 24 * 3600);

/// Everything that an operator decides, checked.
#[derive(Debug, Clone)]
pub struct Config {
    /// The broker's own identifier.
    pub issuer: Issuer,
    /// Where it listens.
    pub listen: SocketAddr,
    /// How many connections may be open at once.
    pub max_connections: NonZeroU32,
    /// `Host` headers that are accepted beside the issuer's own.
    pub allowed_hosts: Vec<String>,
    /// Proxies whose `X-Forwarded-For` is believed.
    pub trusted_proxies: Vec<IpNet>,
    /// Where the operator's secret comes from.
    pub secret: SecretSource,
    /// Secrets that open and verify beside it, and make nothing new.
    pub previous_secrets: Vec<MasterSecret>,
    /// Where state is kept.
    pub store: StoreConfig,
    /// The identity providers; at least one.
    pub upstreams: Vec<UpstreamConfig>,
    /// The protected servers; at least one, all different (SEC-143).
    pub resources: Vec<ResourceConfig>,
    /// What requests to them may carry beside our access tokens.
    pub credentials: Vec<CredentialConfig>,
    /// The scheme for API keys in two halves, if there is one.
    pub api_key_scheme: Option<String>,
    /// Where the HTTP API is, which is one of the resources; none: there is none.
    pub admin_api: Option<ResourceUri>,
    /// Who may do what.
    pub access: AccessConfig,
    /// How long things live.
    pub tokens: TokenConfig,
    /// How long browsers stay signed in.
    pub browser_sessions: BrowserSessionConfig,
    /// How many sign-ins may be begun.
    pub sign_ins: SignInConfig,
    /// May proxies ask whether a request may pass?
    pub forward_auth: bool,
    /// How tokens are signed.
    pub signing: SigningConfig,
    /// How clients register themselves.
    pub registration: RegistrationConfig,
    /// Clients whose identifier is the URL of their metadata.
    pub client_documents: ClientDocumentsConfig,
    /// Clients that the operator names.
    pub clients: Vec<ClientConfig>,
    /// Which others there may be.
    pub client_policy: ClientPolicyConfig,
    /// What is logged, and how.
    pub logs: LogConfig,
}

/// Where the operator's secret comes from.
#[derive(Debug, Clone)]
pub enum SecretSource {
    /// From the configuration.
    Given(MasterSecret),
    /// Generated at the first start and kept in this file, beside the embedded store.
    KeptBeside(PathBuf),
    /// Generated at every start: nothing outlives the process in a memory store.
    Ephemeral,
}

/// Where state is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StoreConfig {
    /// Nowhere: it ends with the process.
    Memory,
    /// In one file.
    Embedded {
        /// The file, relative to the working directory.
        path: PathBuf,
    },
    /// In Redis, shared by several replicas.
    Redis(Box<RedisConfig>),
}

/// A Redis, whatever its shape.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RedisConfig {
    /// Its servers.
    pub servers: RedisServers,
    /// Who the broker is to them; goes before what a URL says.
    pub account: RedisAccount,
    /// Certificates for `rediss://`.
    pub tls: RedisTls,
    /// What every key begins with.
    pub prefix: String,
}

/// The three shapes. Each URL is `redis://` or `rediss://`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RedisServers {
    /// One server; its URL may hold a password.
    Single(Secret),
    /// A primary that sentinels name.
    Sentinel {
        /// The sentinels.
        sentinels: Vec<Secret>,
        /// What they call the primary.
        master: String,
        /// Who the broker is to them.
        account: RedisAccount,
    },
    /// Some nodes of a cluster.
    Cluster(Vec<Secret>),
}

/// A user and a password of Redis.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RedisAccount {
    /// The ACL user.
    pub username: Option<String>,
    /// The password.
    pub password: Option<Secret>,
}

/// Certificates in PEM, as the files hold them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RedisTls {
    /// Whom to trust instead of what the machine trusts.
    pub authorities: Option<String>,
    /// The broker's certificate and its key.
    pub identity: Option<(String, Secret)>,
}

/// One identity provider.
#[derive(Debug, Clone)]
pub struct UpstreamConfig {
    /// Its name in rules and in the callback's path.
    pub id: UpstreamId,
    /// The label on its button.
    pub name: String,
    /// Which product it is.
    pub preset: Preset,
    /// Its issuer identifier, byte for byte as its ID tokens carry it.
    pub issuer: String,
    /// The broker's client id there.
    pub client_id: String,
    /// The broker's client secret there; none for a public client.
    pub client_secret: Option<Secret>,
    /// Only people of these organisations may sign in; empty: everyone whom the provider knows.
    pub allowed_domains: Vec<DomainName>,
    /// What the broker asks the provider for.
    pub scopes: Vec<String>,
    /// The claim that holds the groups; a dotted path reaches into objects.
    pub groups_claim: String,
    /// The claim that holds the roles, if it is not the product's usual one.
    pub roles_claim: Option<String>,
    /// Only members of these organisations may sign in; empty: the product's accounts all may.
    pub organizations: Vec<String>,
    /// Only accounts of these tenants may sign in; empty: the issuer is one tenant's.
    pub tenants: Vec<String>,
    /// The base of its API, if it is not the product's usual one.
    pub api_url: Option<String>,
    /// Which of its own identity providers it sends people to.
    pub idp_hint: Option<String>,
    /// Does the text `"true"` verify an email as the JSON `true` does?
    pub email_verified_as_text: bool,
    /// How it is asked again at refresh; none: never.
    pub recheck: Option<RecheckConfig>,
}

/// How an identity provider is asked again for facts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RecheckConfig {
    /// How old facts may be where newer ones can be had.
    pub after: Duration,
    /// How old they may be while the provider does not answer.
    pub outage_tolerance: Duration,
}

/// Which product an identity provider is: decides what may be trusted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Preset {
    /// Google Workspace.
    Google,
    /// Okta.
    Okta,
    /// Keycloak.
    Keycloak,
    /// Clerk.
    Clerk,
    /// Microsoft Entra.
    Entra,
    /// Auth0.
    Auth0,
    /// GitHub, or GitHub Enterprise.
    GitHub,
    /// Any other OpenID Connect provider.
    Oidc,
}

impl Preset {
    /// Every preset, in the order in which faults list them.
    pub const ALL: [Self; 8] = [
        Self::Google,
        Self::Okta,
        Self::Keycloak,
        Self::Clerk,
        Self::Entra,
        Self::Auth0,
        Self::GitHub,
        Self::Oidc,
    ];

    /// The word in the configuration.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Google => "google",
            Self::Okta => "okta",
            Self::Keycloak => "keycloak",
            Self::Clerk => "clerk",
            Self::Entra => "entra",
            Self::Auth0 => "auth0",
            Self::GitHub => "github",
            Self::Oidc => "oidc",
        }
    }
}

/// One protected MCP server.
#[derive(Debug, Clone)]
pub struct ResourceConfig {
    /// Its URL as people type it.
    pub url: ResourceUri,
    /// The name on our pages.
    pub name: String,
    /// Its scopes in the order of the file, each with what a person reads about it; at least one.
    pub scopes: Vec<(Scope, String)>,
    /// Which of them every request needs.
    pub required_scopes: ScopeSet,
    /// Which of them the first challenge asks for: those, and what most requests need.
    pub everyday_scopes: ScopeSet,
    /// What requests may carry, in the order in which it is tried; at least one.
    pub accepts: Vec<Accepted>,
    /// How requests are passed on to it, if they come to us.
    pub forwarding: Option<Forwarding>,
    /// How many requests may come.
    pub limits: RequestLimits,
    /// Is it meant by a request that names no resource?
    pub default: bool,
}

/// Who may do what.
#[derive(Debug, Clone)]
pub struct AccessConfig {
    /// What everyone who may sign in gets.
    pub default_scopes: ScopeSet,
    /// Who gets `admin_scopes`, by address.
    pub admin_emails: Vec<EmailAddress>,
    /// Who gets them, by account.
    pub admin_accounts: Vec<Account>,
    /// What they get.
    pub admin_scopes: ScopeSet,
    /// What others get or are denied, and when; each can apply to somebody.
    pub rules: Vec<Rule>,
    /// Which scopes each scope implies, in steps; without circles.
    pub scope_hierarchy: Vec<(Scope, ScopeSet)>,
    /// Whom to ask, shown to a person who gets nothing.
    pub contact: Option<String>,
}

/// How long things live.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TokenConfig {
    /// Access tokens.
    pub access_lifetime: Duration,
    /// A grant that nobody refreshes.
    pub refresh_idle: Duration,
    /// A grant, however often it is refreshed.
    pub refresh_absolute: Duration,
    /// How long a refresh token that was just used is answered once more.
    pub refresh_grace: Duration,
    /// Authorization codes.
    pub code_lifetime: Duration,
    /// A sign-in under way.
    pub login_lifetime: Duration,
}

/// How long browsers stay signed in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BrowserSessionConfig {
    /// Unused, and whatever happens; none: there are no sessions.
    pub ends: Option<(Duration, Duration)>,
    /// How long a consent is remembered; zero: not at all.
    pub remember_consent: Duration,
}

/// How tokens are signed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SigningConfig {
    /// With which algorithm.
    pub algorithm: SigningAlgorithm,
    /// The operator's own private keys (PEM), of which the first signs; without any the broker
    /// makes and keeps its keys.
    pub key_files: Vec<PathBuf>,
    /// How long a key that the broker made signs; `None` is for ever.
    pub rotate_every: Option<Duration>,
}

/// How many sign-ins may be begun.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SignInConfig {
    /// From one address in a minute.
    pub per_address: NonZeroU32,
    /// Within a login's lifetime, in each process.
    pub most_pending: NonZeroU32,
}

/// What is logged, and how.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogConfig {
    /// The shape of a line.
    pub format: LogFormat,
    /// A tracing filter such as `info` or `info,gatelodge=debug`.
    pub level: String,
}

/// The shape of a log line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    Text,
    /// For machines.
    Json,
}

impl fmt::Display for Preset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
