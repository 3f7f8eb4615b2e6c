//! What happened, for the log and the audit stream (SEC-163). Never a secret, never a token.

use serde::{Deserialize, Serialize};

use crate::clock::Timestamp;

use super::{ApiKey, ApiKeyId, ClientId, GrantId, PersonId, UpstreamId};

/// The kinds of event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AuditKind {
    /// A client registered itself.
    ClientRegistered,
    /// A client that had registered itself says something else about itself now.
    ClientUpdated,
    /// A client took its registration back: its grants ended.
    ClientDeleted,
    /// One address registers more clients than it may: told once in a minute.
    RegistrationLimited,
    /// More sign-ins were begun than may be.
    SignInsLimited,
    /// Requests to a protected server were refused: too many came.
    RequestsLimited,
    /// A client that the operator has said nothing about was used: it waits.
    ClientWaits,
    /// The operator let a client in.
    ClientApproved,
    /// The operator refused a client.
    ClientRefused,
    /// The operator added a client.
    ClientAdded,
    /// The operator gave a client another secret.
    ClientSecretRotated,
    /// The operator removed a client; its grants ended.
    ClientRemoved,
    /// A person approved a client on our page.
    ConsentGiven,
    /// A person declined.
    ConsentDenied,
    /// A person approved a client on our page, and the answer is remembered.
    ConsentRemembered,
    /// A remembered approval stood in for the page.
    ConsentUsed,
    /// An identity provider vouched for a person.
    SignedIn,
    /// A person was signed in here already: a grant came of the browser's session.
    SignedInBySession,
    /// A person signed out here.
    SignedOut,
    /// A sign-in was refused: the upstream's answer did not hold, or policy grants nothing.
    SignInDenied,
    /// An address of `admin_users` is pinned to another account: it makes nobody else an admin.
    AdminRefused,
    /// The pin of such an address was taken out by the operator.
    AdminUnpinned,
    /// First tokens of a grant.
    TokenIssued,
    /// A refresh token was rotated.
    TokenRefreshed,
    /// A refresh was refused: policy no longer grants anything, the operator has revoked it, or the
    /// upstream refuses the person.
    RefreshDenied,
    /// A refresh token was used again after its grace window: the family ended.
    RefreshReused,
    /// An authorization code was redeemed a second time: the family ended.
    CodeReplayed,
    /// A grant was ended by its client.
    GrantRevoked,
    /// The next signing key was published.
    KeysRotated,
    /// An identity provider said that a person has signed out: grants of that sign-in ended.
    UpstreamLogout,
    /// Every grant of a person, of a client, or of everybody was ended by the operator.
    AccessRevoked,
    /// An API key was made for a person.
    ApiKeyCreated,
    /// An API key was revoked.
    ApiKeyRevoked,
}

impl AuditKind {
    /// The name in the log, the same as in the stream.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ClientRegistered => "client_registered",
            Self::ClientUpdated => "client_updated",
            Self::ClientDeleted => "client_deleted",
            Self::RegistrationLimited => "registration_limited",
            Self::SignInsLimited => "sign_ins_limited",
            Self::RequestsLimited => "requests_limited",
            Self::ClientWaits => "client_waits",
            Self::ClientApproved => "client_approved",
            Self::ClientRefused => "client_refused",
            Self::ClientAdded => "client_added",
            Self::ClientSecretRotated => "client_secret_rotated",
            Self::ClientRemoved => "client_removed",
            Self::ConsentGiven => "consent_given",
            Self::ConsentDenied => "consent_denied",
            Self::ConsentRemembered => "consent_remembered",
            Self::ConsentUsed => "consent_used",
            Self::SignedIn => "signed_in",
            Self::SignedInBySession => "signed_in_by_session",
            Self::SignedOut => "signed_out",
            Self::SignInDenied => "sign_in_denied",
            Self::AdminRefused => "admin_refused",
            Self::AdminUnpinned => "admin_unpinned",
            Self::TokenIssued => "token_issued",
            Self::TokenRefreshed => "token_refreshed",
            Self::RefreshDenied => "refresh_denied",
            Self::RefreshReused => "refresh_reused",
            Self::CodeReplayed => "code_replayed",
            Self::GrantRevoked => "grant_revoked",
            Self::KeysRotated => "keys_rotated",
            Self::UpstreamLogout => "upstream_logout",
            Self::AccessRevoked => "access_revoked",
            Self::ApiKeyCreated => "api_key_created",
            Self::ApiKeyRevoked => "api_key_revoked",
        }
    }
}

/// One event. Absent members are not known at that point.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditEvent {
    /// When.
    pub at: Timestamp,
    /// What.
    pub kind: AuditKind,
    /// By or for which client.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub client: Option<ClientId>,
    /// Who.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub person: Option<PersonId>,
    /// At which identity provider.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub upstream: Option<UpstreamId>,
    /// Which grant.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub grant: Option<GrantId>,
    /// Which API key.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub api_key: Option<ApiKeyId>,
    /// Who did it, where that is not the person.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub by: Option<PersonId>,
    /// Which server.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub resource: Option<String>,
    /// Which scopes.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub scopes: Option<String>,
    /// The rules of the policy that applied, by name.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub rules: Option<String>,
    /// Why, in words.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub reason: Option<String>,
}

impl AuditEvent {
    /// An event of which nothing but its kind is known yet.
    #[must_use]
    pub fn new(kind: AuditKind, at: Timestamp) -> Self {
        Self {
            at,
            kind,
            client: None,
            person: None,
            upstream: None,
            grant: None,
            api_key: None,
            by: None,
            resource: None,
            scopes: None,
            rules: None,
            reason: None,
        }
    }

    /// Names the client.
    #[must_use]
    pub fn client(mut self, client: &ClientId) -> Self {
        self.client = Some(client.clone());
        self
    }

    /// Names the person.
    #[must_use]
    pub fn person(mut self, person: PersonId) -> Self {
        self.person = Some(person);
        self
    }

    /// Names the identity provider.
    #[must_use]
    pub fn upstream(mut self, upstream: &UpstreamId) -> Self {
        self.upstream = Some(upstream.clone());
        self
    }

    /// Names the grant, and with it client, person, resource and scopes.
    #[must_use]
    pub fn grant(mut self, grant: &super::Grant) -> Self {
        self.grant = Some(grant.id);
        self.client = Some(grant.client_id.clone());
        self.person = Some(grant.identity.person());
        self.upstream = Some(grant.identity.upstream.clone());
        self.resource = Some(grant.resource.to_string());
        self.scopes = Some(grant.scopes.to_string());
        self
    }

    /// Names the API key, and with it servers and scopes.
    #[must_use]
    pub fn api_key(mut self, key: &ApiKey) -> Self {
        self.api_key = Some(key.id);
        let servers = key.resources.iter().map(ToString::to_string);
        self.resource = Some(servers.collect::<Vec<_>>().join(" "));
        self.scopes = Some(key.scopes.to_string());
        self
    }

    /// Names the rules that applied, unless there were none.
    #[must_use]
    pub fn by_rules(mut self, rules: String) -> Self {
        self.rules = Some(rules).filter(|rules| !rules.is_empty());
        self
    }

    /// Says why.
    #[must_use]
    pub fn because(mut self, reason: impl Into<String>) -> Self {
        self.reason = Some(reason.into());
        self
    }
}
