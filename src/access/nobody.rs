//! Requests without a credential, for development: only such as begin and stay on this machine.

use std::sync::Arc;

use crate::domain::UpstreamId;
use crate::protocol::ScopeSet;

use super::Caller;

/// Whom servers are told.
const SUBJECT: &str = "anonymous";

/// Somebody who shows nothing.
#[derive(Debug)]
pub struct Nobody(Arc<Caller>);

impl Nobody {
    /// Nobody may do this.
    #[must_use]
    pub fn new(id: &UpstreamId, scopes: ScopeSet) -> Self {
        let credential = format!("none:{id}").into();
        let subject = SUBJECT.to_owned();
        Self(Arc::new(Caller { subject, email: None, name: None, client: None, scopes, credential }))
    }

    pub(super) fn caller(&self) -> Arc<Caller> {
        Arc::clone(&self.0)
    }
}
