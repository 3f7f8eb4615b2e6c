//! Bearer tokens that stand in the configuration: for a job, a probe, a client that can nothing else.

use std::sync::Arc;

use crate::domain::UpstreamId;
use crate::protocol::ScopeSet;
use crate::secret::Digest;

use super::Caller;

/// One token that the operator gave out.
#[derive(Debug)]
pub struct StaticToken {
    digest: Digest,
    caller: Arc<Caller>,
}

impl StaticToken {
    /// The token with this digest stands for `subject`.
    #[must_use]
    pub fn new(id: &UpstreamId, digest: Digest, subject: String, scopes: ScopeSet) -> Self {
        let credential = format!("static:{id}").into();
        let caller = Caller { subject, email: None, name: None, client: None, scopes, credential };
        Self { digest, caller: Arc::new(caller) }
    }

    /// Who shows this token. Digests are compared, and in constant time.
    pub(super) fn caller(&self, token: &str) -> Option<Arc<Caller>> {
        self.digest.is_of(token).then(|| Arc::clone(&self.caller))
    }
}
