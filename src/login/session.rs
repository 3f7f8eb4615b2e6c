//! The browser's session: who is signed in here, and until when.

use std::net::IpAddr;
use std::slice;
use std::time::Duration;

use crate::clock::Timestamp;
use crate::domain::{
    AuditEvent, AuditKind, BrowserSession, BrowserSessionId, GrantId, Identity, LoginStep, ShownTo,
};
use crate::people::NotCurrent;
use crate::secret::Secret;
use crate::store::StoreError;
use crate::upstream::UpstreamError;

use super::{Login, PageError, SignedInAs};

/// Longest ID token that is kept for sign-out: it goes there in a URL.
const LONGEST_ID_TOKEN: usize = 4096;

/// How long people stay signed in in a browser.
#[derive(Debug, Clone, Copy)]
pub struct SessionRules {
    /// Unused.
    pub idle: Duration,
    /// Whatever happens.
    pub absolute: Duration,
}

/// Whoever comes: from where, and with which cookies.
#[derive(Clone, Copy)]
pub struct Visitor<'a> {
    /// The address.
    pub address: IpAddr,
    /// What binds our page's form to the browser.
    pub form: Option<&'a str>,
    /// The browser's session.
    pub session: Option<&'a str>,
}

/// A session that holds.
pub(super) struct Live {
    pub(super) id: BrowserSessionId,
    pub(super) session: BrowserSession,
    pub(super) upstream: String,
}

impl Live {
    /// That a page was shown for this session, and the grant that Allow will open.
    pub(super) fn shown_to(&self) -> ShownTo {
        let grant = GrantId::generate(&self.session.identity.person());
        ShownTo { session: self.id.within_person().clone(), grant }
    }

    /// Was the page of this login shown for this session?
    pub(super) fn was_shown(&self, step: &LoginStep) -> bool {
        match step {
            LoginStep::AwaitingConsent { shown_to: Some(shown), .. }
            | LoginStep::Allowed { shown_to: shown, .. } => shown.session == *self.id.within_person(),
            LoginStep::AwaitingConsent { shown_to: None, .. } | LoginStep::AwaitingUpstream { .. } => false,
        }
    }

    /// Who, for a page.
    pub(super) fn shown(&self) -> SignedInAs {
        SignedInAs { person: self.session.identity.label(), upstream: self.upstream.clone() }
    }
}

impl Login {
    /// The session of this cookie, if it holds: not over, not revoked, and of an identity provider
    /// that there still is. A store that cannot be asked is a fault, and signs nobody out.
    pub(super) async fn live_session(
        &self,
        cookie: Option<&str>,
        now: Timestamp,
    ) -> Result<Option<Live>, StoreError> {
        let known = cookie.and_then(BrowserSessionId::of_cookie);
        let Some(id) = known.filter(|_| self.rules.session.is_some()) else { return Ok(None) };
        let session = match self.store.browser_session(&id, now).await {
            Ok(Some(session)) => session,
            Ok(None) => return Ok(None),
            // Of a secret that is used no more: nothing else would end that.
            Err(StoreError::Unreadable(why)) => {
                tracing::warn!(why, "a browser session cannot be read: the person signs in again");
                return Ok(None);
            }
            Err(fault) => return Err(fault),
        };
        let person = session.identity.person();
        // Where to look was the cookie's word; whose it is, is the record's.
        if person.tag() != id.person() {
            return Ok(None);
        }
        if self.revocations.current(now).await?.revokes_person(&person, session.signed_in_at) {
            return Ok(None);
        }
        let upstream = self.upstreams.find(session.identity.upstream.as_str());
        Ok(upstream.map(|upstream| Live { id, session, upstream: upstream.label().to_owned() }))
    }

    /// The person of a session, for a new grant, as the upstream knows them now. Nobody, if it no
    /// longer does: then the session is over, too.
    pub(super) async fn person_of(&self, live: &Live, now: Timestamp) -> Result<Option<Identity>, PageError> {
        let identity = &live.session.identity;
        let known = self.people.known(live.id.person(), now).await?;
        match self.people.current(identity, known, now).await {
            Ok(identity) => Ok(Some(identity.into_owned())),
            Err(gone @ NotCurrent::Gone(_)) => {
                self.store.end_browser_sessions(slice::from_ref(&live.id)).await?;
                let event = AuditEvent::new(AuditKind::SignInDenied, now)
                    .person(identity.person())
                    .upstream(&identity.upstream);
                self.journal.record(event.because(format!("{gone}; the browser session ended")));
                Ok(None)
            }
            Err(fault @ NotCurrent::Unavailable(_)) => Err(PageError::UpstreamUnavailable(
                None,
                UpstreamError::Unavailable {
                    upstream: identity.upstream.to_string(),
                    cause: fault.to_string(),
                },
            )),
            Err(NotCurrent::Store(fault)) => Err(PageError::Unavailable(fault)),
        }
    }

    /// A session that is used lives on, up to its end.
    pub(super) async fn keep_session(&self, live: &Live, now: Timestamp) -> Result<(), StoreError> {
        let Some(rules) = self.rules.session else { return Ok(()) };
        match live.session.idle_end_to_write(now, rules.idle) {
            Some(until) => self.store.keep_browser_session(&live.id, until, now).await,
            None => Ok(()),
        }
    }

    /// Begins a session: always a new one, and the one that the browser had ends (SEC-159). Gives back
    /// the cookie.
    pub(super) async fn begin_session(
        &self,
        (identity, id_token): (Identity, Option<Secret>),
        longest: Option<Duration>,
        old: Option<&str>,
        now: Timestamp,
    ) -> Result<Option<Secret>, StoreError> {
        let Some(rules) = self.rules.session else { return Ok(None) };
        let life = longest.map_or(rules.absolute, |longest| longest.min(rules.absolute));
        let ends_at = now.plus(life);
        let (id, cookie) = BrowserSessionId::generate(&identity.person());
        let session = BrowserSession {
            identity,
            signed_in_at: now,
            idle_ends_at: now.plus(rules.idle).min(ends_at),
            ends_at,
            id_token: id_token.filter(|token| token.expose().len() <= LONGEST_ID_TOKEN),
        };
        self.store.begin_browser_session(&id, &session, now).await?;
        if let Some(old) = old.and_then(BrowserSessionId::of_cookie) {
            self.store.end_browser_sessions(&[old]).await?;
        }
        Ok(Some(cookie))
    }
}
