//! What holds where the file says nothing. These texts are read like the file's own, and the
//! schema shows them: there is no second list of defaults.

pub(super) const LISTEN: &str = "127.0.0.1:9400";
pub(super) const MAX_CONNECTIONS: &str = "10000";
pub(super) const STORE: &str = "./gatelodge.db";
pub(super) const STORE_PREFIX: &str = "gl:";

pub(super) const UPSTREAM_SCOPES: [&str; 3] = ["openid", "email", "profile"];
pub(super) const GROUPS_CLAIM: &str = "groups";
pub(super) const GOOGLE_ISSUER: &str = "https://accounts.google.com";
pub(super) const GITHUB_ISSUER: &str = "https://github.com";
pub(super) const GITHUB_SCOPES: [&str; 3] = ["read:user", "user:email", "read:org"];
/// What Clerk wants to be asked for before it tells the organisation.
pub(super) const CLERK_ORGANIZATION_SCOPE: &str = "user:org:read";

pub(super) const RECHECK: &str = "true";
pub(super) const RECHECK_AFTER: &str = "1m";
pub(super) const OUTAGE_TOLERANCE: &str = "24h";

pub(super) const ACCESS_LIFETIME: &str = "30m";
pub(super) const REFRESH_IDLE: &str = "30d";
pub(super) const REFRESH_ABSOLUTE: &str = "90d";
pub(super) const REFRESH_GRACE: &str = "120s";
pub(super) const CODE_LIFETIME: &str = "60s";
pub(super) const LOGIN_LIFETIME: &str = "10m";

pub(super) const SESSION_IDLE: &str = "1h";
pub(super) const SESSION_ABSOLUTE: &str = "12h";
pub(super) const REMEMBER_CONSENT: &str = "90d";

pub(super) const SIGN_INS_PER_ADDRESS: &str = "300";
pub(super) const MOST_PENDING: &str = "20000";

pub(super) const UPSTREAM_TIMEOUT: &str = "60s";
pub(super) const STREAM_IDLE: &str = "1h";
pub(super) const STREAMS: &str = "100";
pub(super) const BODY_LIMIT: &str = "4MiB";
pub(super) const IDENTITY: &str = "headers";
pub(super) const IDENTITY_HEADER: &str = "X-Gatelodge-Identity";
pub(super) const TENANT_HEADER: &str = "X-Tenant-ID";

pub(super) const ALGORITHM: &str = "ES256";
pub(super) const ROTATE_EVERY: &str = "90d";

pub(super) const REGISTRATION_OPEN: &str = "true";
pub(super) const PER_ADDRESS: &str = "60";
pub(super) const MOST_UNUSED: &str = "10000";
pub(super) const UNUSED_LIFETIME: &str = "30d";
pub(super) const CLIENT_DOCUMENTS: &str = "true";
pub(super) const DOCUMENTS_PER_ADDRESS: &str = "60";
pub(super) const CLIENT_AUTH: &str = "client_secret_basic";
pub(super) const CLIENT_GRANTS: [&str; 2] = ["authorization_code", "refresh_token"];
pub(super) const REQUIRE_APPROVAL: &str = "false";

pub(super) const SCOPES_FROM: &str = "policy";
pub(super) const SUBJECT_CLAIM: &str = "sub";
pub(super) const EMAIL_CLAIM: &str = "email";
pub(super) const ROLES_CLAIM: &str = "roles";
pub(super) const CLOCK_SKEW: &str = "60s";
pub(super) const JWKS_REFRESH: &str = "1h";
pub(super) const CREDENTIAL_TIMEOUT: &str = "5s";
pub(super) const ANSWER_CACHE: &str = "10s";
pub(super) const MOST_CALLS: &str = "600";

pub(super) const LOG_FORMAT: &str = "json";
pub(super) const LOG_LEVEL: &str = "info";

/// Which scope implies which, where a server has them.
pub(super) const SCOPE_HIERARCHY: [(&str, &str); 2] = [("mcp:admin", "mcp:write"), ("mcp:write", "mcp:read")];

/// The same as the file would write it.
pub(super) fn scope_hierarchy() -> serde_json::Value {
    SCOPE_HIERARCHY.into_iter().map(|(scope, implied)| (scope.to_owned(), vec![implied])).collect()
}
