//! Our nouns and their state machines. No I/O.
//!
//! | noun | what it is |
//! |---|---|
//! | [`Client`] | an MCP client application; only it can hand out a [`TrustedReturn`] |
//! | [`Place`] | where a client stands that nobody has used |
//! | [`KnownClient`] | an application that people know by name, and its redirects |
//! | [`ClientLimits`] | what the operator lets a client ask for |
//! | [`OperatorClient`], [`Application`], [`Decision`] | clients by command, and those that wait for one |
//! | [`PendingLogin`] | one sign-in under way: consent, then upstream |
//! | [`Identity`] | who the identity provider says a person is, and which facts may decide |
//! | [`UpstreamGrant`] | what an upstream has said of a person, and what it is asked again with |
//! | [`Grant`] | person, client, resource and scopes; its refresh tokens are one family |
//! | [`BrowserSession`] | a browser in which somebody is signed in |
//! | [`RememberedConsent`] | what a person has approved, and need not be asked again |
//! | [`ApiKey`] | what a program shows in place of a person |
//! | [`Resource`] | a protected MCP server and its scopes |
//! | [`Forwarding`] | how requests are passed on to one, and what its tools need |
//! | [`Tenants`] | whose servers one may be, and what each of them needs |
//! | [`Rule`] | who gets which scopes, or is denied |
//! | [`KeyRing`] | the broker's signing keys over time |
//! | [`NotBefore`] | every revocation of a person, a client or everything |
//! | [`AuditEvent`] | what happened, for the log and the audit stream |

mod api_key;
mod audit;
mod browser_session;
mod client;
mod client_book;
mod client_limits;
mod consent;
mod email;
mod forwarding;
mod grant;
mod identity;
mod key_ring;
mod known_clients;
mod login;
mod place;
mod rate_window;
mod resource;
mod revocation;
mod rule;
mod tenant;
mod upstream_grant;

pub use api_key::{
    ApiKey, ApiKeyId, ApiKeyLifetime, ApiKeyState, MOST_API_KEYS, MOST_API_KEYS_KEPT, USE_NOTED_EVERY,
    base62, is_api_key_name, keys_of, scopes_meant,
};
pub use audit::{AuditEvent, AuditKind};
pub use browser_session::{BrowserSession, BrowserSessionId, MOST_BROWSER_SESSIONS, living_of};
pub use client::{
    Client, ClientAuthMethod, ClientId, ClientOrigin, ClientRegistration, HeldSecret, RedirectMismatch,
    SecretPlace, StoredClient, TrustedReturn,
};
pub use client_book::{APPLICATION_LIFETIME, Application, Decision, MOST_APPLICATIONS, OperatorClient};
pub use client_limits::{BeyondLimits, ClientLimits};
pub use consent::{ConsentKey, RememberedConsent};
pub use email::{DomainName, EmailAddress, InvalidDomain, InvalidEmail};
pub use forwarding::{Forwarding, IdentityForm, ToolPattern, ToolRules};
pub use grant::{
    Grant, GrantId, GrantState, LAST_GENERATION, MOST_GRANTS, Redemption, Rotation, RotationRules, alive_of,
};
pub use identity::{Account, Identity, InvalidAccount, PersonId, PersonTag, UpstreamId, UpstreamSession};
pub use key_ring::{
    Haste, KeyRing, KeyState, KeysNow, NOTICED, NewKey, PUBLISHED_AFTER, PUBLISHED_AHEAD, RingKey,
};
pub use known_clients::KnownClient;
pub use login::{AuthorizationRequest, FormProof, LoginId, LoginStep, PendingLogin, ShownTo};
pub use place::Place;
pub use rate_window::{RateWindow, Taken};
pub use resource::{ADMIN_API_PATH, ADMIN_SCOPE, Accepted, KEYS_SCOPE, RequestLimits, Resource, Resources};
pub use revocation::{NotBefore, Revoked};
pub use rule::{Conditions, Effect, Rule};
pub use tenant::{Tenant, TenantName, Tenants};
pub use upstream_grant::{Standing, UpstreamCredential, UpstreamGrant, UpstreamToken};
