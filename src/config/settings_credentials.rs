//! What requests to protected servers may carry beside our access tokens, checked.

use crate::domain::UpstreamId;
use crate::protocol::ScopeSet;
use crate::secret::Digest;

/// One of `credentials`.
#[derive(Debug, Clone)]
pub struct CredentialConfig {
    /// Its name, which no upstream has.
    pub id: UpstreamId,
    /// What it is.
    pub kind: CredentialKind,
}

/// What a credential is.
#[derive(Debug, Clone)]
pub enum CredentialKind {
    /// A bearer token that stands in the configuration.
    Static {
        /// Its digest.
        token: Digest,
        /// Whom it stands for.
        subject: String,
        /// What it allows.
        scopes: ScopeSet,
    },
}
