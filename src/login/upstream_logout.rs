//! Back-channel logout: an upstream says that somebody has signed out there, and what they granted
//! after that sign-in ends here (OpenID Connect Back-Channel Logout 1.0 section 2.7, SEC-060).

use crate::clock::Timestamp;
use crate::domain::{AuditEvent, AuditKind, PersonId, UpstreamId, UpstreamSession};
use crate::protocol::{ErrorCode, OAuthError};
use crate::store::StoreError;
use crate::upstream::{LoggedOut, UpstreamError};

use super::Login;

impl Login {
    /// Ends the grants that a logout token is about: those of one session where it names one, else all
    /// of the person's through this upstream.
    pub async fn upstream_logout(&self, upstream: &str, token: &str) -> Result<(), OAuthError> {
        let invalid = |text: &str| OAuthError::new(ErrorCode::InvalidRequest, text);
        let now = self.clock.now();
        let upstream = self.upstreams.find(upstream).ok_or_else(|| invalid("no such identity provider"))?;
        let LoggedOut { subject, sid } =
            upstream.logged_out(token, now).await.map_err(|error| match error {
                UpstreamError::Unavailable { .. } => OAuthError::unavailable(error),
                UpstreamError::Refused { .. } => invalid("the logout token does not hold").caused_by(error),
            })?;
        let session = sid.map(|sid| UpstreamSession::of(upstream.id(), &sid));
        let person = match (subject, session) {
            (Some(subject), _) => Some(upstream.person(&subject)),
            (None, Some(session)) => {
                self.store.person_of(session, now).await.map_err(OAuthError::unavailable)?
            }
            (None, None) => None,
        };
        // Nobody of ours: the provider has been heard, and that is all that it asks.
        let Some(person) = person else { return Ok(()) };
        let ended = self.end_grants((&person, upstream.id(), session), now).await;
        let ended = ended.map_err(OAuthError::unavailable)?;
        let event = AuditEvent::new(AuditKind::UpstreamLogout, now).person(person).upstream(upstream.id());
        self.journal.record(event.because(format!("{ended} sessions ended")));
        Ok(())
    }

    async fn end_grants(
        &self,
        (person, upstream, session): (&PersonId, &UpstreamId, Option<UpstreamSession>),
        now: Timestamp,
    ) -> Result<usize, StoreError> {
        let mut ended = 0;
        for grant in self.store.grants_of(person, now).await? {
            let identity = &grant.identity;
            let is_meant = session.is_none_or(|session| identity.session == Some(session));
            if identity.upstream == *upstream && is_meant && self.store.end_grant(&grant.id).await? {
                ended += 1;
            }
        }
        Ok(ended)
    }
}
