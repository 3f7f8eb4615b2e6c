//! The end of what a person has here.

use crate::clock::Timestamp;
use crate::domain::{BrowserSessionId, Identity, PersonId, UpstreamId, UpstreamSession};
use crate::store::StoreError;

use super::Login;

/// Which of what a person has.
#[derive(Debug, Clone, Copy)]
pub(super) enum Extent<'a> {
    /// All of it.
    Everything,
    /// What came through this upstream.
    Through(&'a UpstreamId),
    /// What came of this session there.
    Session(&'a UpstreamId, UpstreamSession),
}

impl Extent<'_> {
    fn includes(self, identity: &Identity) -> bool {
        match self {
            Self::Everything => true,
            Self::Through(upstream) => identity.upstream == *upstream,
            Self::Session(upstream, session) => {
                identity.upstream == *upstream && identity.session == Some(session)
            }
        }
    }
}

impl Login {
    /// Ends browser sessions. How many there were.
    pub(super) async fn end_sessions(
        &self,
        person: &PersonId,
        extent: Extent<'_>,
        now: Timestamp,
    ) -> Result<usize, StoreError> {
        let mut all = self.store.browser_sessions_of(person, now).await?;
        all.retain(|(_, session)| extent.includes(&session.identity));
        let ids: Vec<BrowserSessionId> = all.into_iter().map(|(id, _)| id).collect();
        if ids.is_empty() { Ok(0) } else { self.store.end_browser_sessions(&ids).await }
    }

    /// Ends grants. How many there were.
    pub(super) async fn end_grants(
        &self,
        person: &PersonId,
        extent: Extent<'_>,
        now: Timestamp,
    ) -> Result<usize, StoreError> {
        let mut ended = 0;
        for grant in self.store.grants_of(person, now).await? {
            if extent.includes(&grant.identity) && self.store.end_grant(&grant.id).await? {
                ended += 1;
            }
        }
        Ok(ended)
    }
}
