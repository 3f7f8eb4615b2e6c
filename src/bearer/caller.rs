//! Who asks: what every kind of credential comes down to.

use std::sync::Arc;

use crate::protocol::ScopeSet;

use super::{Challenge, Guarded, VerifiedAccess};

/// Who may pass, and what for. Only what checked a credential makes one.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Caller {
    pub(crate) subject: String,
    pub(crate) email: Option<String>,
    pub(crate) name: Option<String>,
    pub(crate) client: Option<String>,
    pub(crate) scopes: ScopeSet,
    pub(crate) credential: Arc<str>,
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

    /// May they do all that is needed? Whoever may do nothing does not pass, also where nothing is needed: they
    /// are genuine, and policy gives them nothing here.
    #[must_use]
    pub fn may(&self, needed: &ScopeSet) -> bool {
        !self.scopes.is_empty() && self.scopes.includes(needed)
    }

    /// What was shown, for logs and limits: its kind and, where it has one, its public name. Never a secret.
    #[must_use]
    pub fn credential(&self) -> &str {
        &self.credential
    }

    /// The same, shared.
    #[must_use]
    pub fn shared_credential(&self) -> Arc<str> {
        Arc::clone(&self.credential)
    }
}

/// Does what the caller may do include all that is needed? Nothing, where nothing is: that is for whoever let the
/// caller in ([`Caller::may`]).
pub fn require(caller: &Caller, guarded: &Guarded, needed: &ScopeSet) -> Result<(), Challenge> {
    if caller.scopes().includes(needed) {
        return Ok(());
    }
    Err(Challenge::insufficient_scope(guarded, needed, caller.scopes()))
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
