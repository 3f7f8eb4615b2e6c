//! Back-channel logout: an upstream says that somebody has signed out there, and what they granted
//! after that sign-in ends here (OpenID Connect Back-Channel Logout 1.0 section 2.7, SEC-060).

use crate::domain::{AuditEvent, AuditKind, UpstreamSession};
use crate::protocol::{ErrorCode, OAuthError};
use crate::upstream::{LoggedOut, UpstreamError};

use super::Login;
use super::ending::Extent;

impl Login {
    /// Ends the browser sessions and the grants that a logout token is about: those of one session
    /// where it names one, else all of the person's through this upstream.
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
        let extent =
            session.map_or(Extent::Through(upstream.id()), |session| Extent::Session(upstream.id(), session));
        // The sessions first: from then on no grant comes of them.
        let browsers = self.end_sessions(&person, extent, now).await.map_err(OAuthError::unavailable)?;
        let grants = self.end_grants(&person, extent, now).await.map_err(OAuthError::unavailable)?;
        let event = AuditEvent::new(AuditKind::UpstreamLogout, now).person(person).upstream(upstream.id());
        self.journal.record(event.because(format!("{grants} grants and {browsers} browser sessions ended")));
        Ok(())
    }
}
