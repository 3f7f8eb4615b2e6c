//! Signing out: the browser's session ends, then the one at its upstream where that has a place for
//! it (OpenID Connect RP-Initiated Logout 1.0); on request, whatever applications may do in the
//! person's name, too.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::clock::Timestamp;
use crate::domain::{AuditEvent, AuditKind, BrowserSessionId, Revoked};
use crate::secret::Secret;

use super::ending::Extent;
use super::session::Live;
use super::{Login, PageError, SignedInAs};

/// Where a browser comes back to from an upstream's sign-out page.
const DONE: &str = "/oauth/logout/done";

/// What a step of signing out leads to.
#[derive(Debug)]
pub enum SignOut {
    /// Ask whether.
    Ask {
        /// Who is signed in.
        who: SignedInAs,
        /// What the form must bring: it is this session's.
        form_token: Secret,
    },
    /// Nobody is signed in here (any more).
    Done {
        /// The upstream that was left, too.
        also_at: Option<String>,
    },
    /// The session here is over; the upstream's sign-out page is next.
    GoUpstream {
        /// Its URL.
        url: String,
    },
}

/// What the form and the browser bring.
#[derive(Clone, Copy)]
pub struct SignOutForm<'a> {
    /// The form's token.
    pub form_token: Option<&'a str>,
    /// The browser's session.
    pub session: Option<&'a str>,
    /// End what applications may do, too?
    pub end_access: bool,
}

impl Login {
    /// `GET /oauth/logout`: asks, and ends nothing.
    pub async fn ask_sign_out(&self, session: Option<&str>) -> Result<SignOut, PageError> {
        let live = self.live_session(session, self.clock.now()).await?;
        Ok(live.map_or(SignOut::Done { also_at: None }, |live| {
            let token = URL_SAFE_NO_PAD.encode(self.key.tag(&proof_of(&live.id)));
            SignOut::Ask { who: live.shown(), form_token: Secret::new(token) }
        }))
    }

    /// `POST /oauth/logout`. The token is worth nothing once the session is over.
    pub async fn sign_out(&self, form: SignOutForm<'_>) -> Result<SignOut, PageError> {
        let now = self.clock.now();
        let Some(live) = self.live_session(form.session, now).await? else {
            return Ok(SignOut::Done { also_at: None });
        };
        let sent = form.form_token.and_then(|token| URL_SAFE_NO_PAD.decode(token).ok());
        if !sent.is_some_and(|sent| self.key.verify(&proof_of(&live.id), &sent)) {
            return Err(PageError::FormNotValid);
        }
        let person = live.session.identity.person();
        let upstream = live.session.identity.upstream.clone();
        let next = self.upstream_sign_out(&live, now).await;
        // Before the session: whoever has to come again after a fault is still signed in.
        let mut ended = 0;
        if form.end_access {
            ended = self.end_grants(&person, Extent::Everything, now).await?;
            // Also what was approved, and other browsers: nothing comes back without a page.
            let keep = self.rules.remember_consent.max(self.rules.grant);
            self.revocations.revoke(&Revoked::Person(person.clone()), now, keep).await?;
            self.end_sessions(&person, Extent::Everything, now).await?;
        }
        self.store.end_browser_sessions(&[live.id]).await?;
        let event = AuditEvent::new(AuditKind::SignedOut, now).person(person).upstream(&upstream);
        self.journal.record(if form.end_access {
            event.because(format!("{ended} grants ended, too"))
        } else {
            event
        });
        Ok(next.map_or(SignOut::Done { also_at: None }, |url| SignOut::GoUpstream { url }))
    }

    /// `GET /oauth/logout/done`: back from an upstream's sign-out page.
    pub async fn signed_out(&self, state: Option<&str>, session: Option<&str>) -> Result<SignOut, PageError> {
        // Whoever opens this page while signed in has not signed out.
        let asked = self.ask_sign_out(session).await?;
        if matches!(asked, SignOut::Ask { .. }) {
            return Ok(asked);
        }
        let vouched = state.and_then(|state| state.split_once('.')).filter(|(upstream, tag)| {
            let tag = URL_SAFE_NO_PAD.decode(tag).unwrap_or_default();
            self.key.verify(&left(upstream), &tag)
        });
        let upstream = vouched.and_then(|(upstream, _)| self.upstreams.find(upstream));
        Ok(SignOut::Done { also_at: upstream.map(|upstream| upstream.label().to_owned()) })
    }

    /// The upstream's sign-out page, if it has one. A provider that does not answer keeps nobody
    /// signed in here.
    async fn upstream_sign_out(&self, live: &Live, now: Timestamp) -> Option<String> {
        let name = live.session.identity.upstream.as_str();
        let upstream = self.upstreams.find(name)?;
        let state = format!("{name}.{}", URL_SAFE_NO_PAD.encode(self.key.tag(&left(name))));
        let back = self.issuer.url(DONE);
        let url = upstream.sign_out_url(live.session.id_token.as_ref(), (&back, &state), now).await;
        url.unwrap_or_else(|fault| {
            tracing::warn!(%fault, "signing out at the identity provider is left out");
            None
        })
    }
}

/// What a form's token is a tag over: bound to one session, so a page of another cannot be sent.
fn proof_of(session: &BrowserSessionId) -> Vec<u8> {
    format!("sign out\n{}", session.within_person().as_str()).into_bytes()
}

/// What the `state` that goes through an upstream's sign-out page is a tag over: the page that says so
/// believes nobody else.
fn left(upstream: &str) -> Vec<u8> {
    format!("signed out at\n{upstream}").into_bytes()
}
