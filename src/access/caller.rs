//! Who asks: what every kind of credential comes down to.

use std::sync::Arc;

use crate::protocol::ScopeSet;
use crate::tokens::VerifiedAccess;

/// Who may pass, and what for. Only what checked a credential makes one.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Caller {
    pub(super) subject: String,
    pub(super) email: Option<String>,
    pub(super) name: Option<String>,
    pub(super) client: Option<String>,
    pub(super) scopes: ScopeSet,
    pub(super) credential: Arc<str>,
}

impl Caller {
    /// The person, or what acts without one.
    #[must_use]
    pub fn subject(&self) -> &str {
        &self.subject
    }

    /// The person's verified email address.
    #[must_use]
    pub fn email(&self) -> Option<&str> {
        self.email.as_deref()
    }

    /// A name to show; decides nothing.
    #[must_use]
    pub fn name(&self) -> Option<&str> {
        self.name.as_deref()
    }

    /// The client that the credential was issued to, where there is one.
    #[must_use]
    pub fn client(&self) -> Option<&str> {
        self.client.as_deref()
    }

    /// What is allowed.
    #[must_use]
    pub fn scopes(&self) -> &ScopeSet {
        &self.scopes
    }

    /// What was shown, for logs and limits: its kind and, where it has one, its public name. Never a secret.
    #[must_use]
    pub fn credential(&self) -> &str {
        &self.credential
    }
}

impl From<VerifiedAccess> for Caller {
    fn from(access: VerifiedAccess) -> Self {
        let (claims, scopes) = access.into_parts();
        // A grant is what limits count by: its tokens come and go.
        let name = claims.grant_id.as_deref().unwrap_or(&claims.jti);
        Self {
            credential: format!("access_token:{name}").into(),
            subject: claims.sub,
            email: claims.email,
            name: claims.name,
            client: Some(claims.client_id),
            scopes,
        }
    }
}
