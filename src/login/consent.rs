//! `POST /oauth/consent`: the answer to our page. The button is the consent, and only after it
//! does an upstream learn of the login (SEC-027, SEC-028).

use crate::clock::Timestamp;
use crate::domain::{AuditKind, LoginId, LoginStep, PendingLogin};
use crate::protocol::{ErrorCode, OAuthError};
use crate::secret::{Digest, Secret, random};
use crate::upstream::UpstreamError;

use super::{ClientReturn, Login, PageError, Step};

/// What the form and the browser bring.
#[derive(Debug, Clone, Copy)]
pub struct ConsentForm<'a> {
    /// Which login.
    pub login: &'a str,
    /// The form's one-time token.
    pub form_token: &'a str,
    /// The browser's cookie.
    pub browser: Option<&'a str>,
    /// The button: an upstream's name, or nothing for "deny".
    pub upstream: Option<&'a str>,
}

impl Login {
    /// Takes the answer. It counts once, from the browser that the page was shown in (SEC-033).
    pub async fn consent(&self, form: ConsentForm<'_>) -> Result<Step, PageError> {
        let now = self.clock.now();
        let not_valid = || PageError::FormNotValid;
        let id = LoginId::parse(form.login).ok_or_else(not_valid)?;
        let login = self.store.login(&id, now).await?.ok_or_else(not_valid)?;
        let LoginStep::AwaitingConsent { form_token, browser } = &login.step else {
            return Err(not_valid());
        };
        let same_browser = form.browser.is_some_and(|cookie| browser.is_of(cookie));
        if !same_browser || !form_token.is_of(form.form_token) {
            return Err(not_valid());
        }
        match form.upstream {
            Some(upstream) => self.approve(login, upstream, now).await,
            None => self.deny(&login, now).await,
        }
    }

    async fn deny(&self, login: &PendingLogin, now: Timestamp) -> Result<Step, PageError> {
        let to = self.way_back(login, now).await?;
        if self.store.take_login(&login.id, now).await?.is_none() {
            return Err(PageError::FormNotValid);
        }
        self.record(AuditKind::ConsentDenied, login, None, now).await;
        let state = login.request.state.as_deref();
        let error = OAuthError::new(ErrorCode::AccessDenied, "the person declined");
        Ok(Step::ReturnToClient(ClientReturn::error(to, &self.issuer, state, &error)))
    }

    async fn approve(
        &self,
        mut login: PendingLogin,
        upstream: &str,
        now: Timestamp,
    ) -> Result<Step, PageError> {
        let known = self.upstreams.find(upstream);
        let upstream = known.ok_or(PageError::UnknownUpstream)?;
        let state = Secret::new(format!("{}.{}", login.id, random::token()));
        let (nonce, verifier) = (random::token(), random::token());
        let cookie = Secret::new(random::token());
        // Before the login moves on: an upstream that is down leaves the page as it is, and the
        // person can choose another.
        let hint = login.request.login_hint.as_deref();
        let url = upstream.authorization_url(state.expose(), (&nonce, &verifier), hint, now).await;
        let url = url.map_err(|error: UpstreamError| PageError::UpstreamUnavailable(None, error))?;
        let from = login.step.ordinal();
        login.step = LoginStep::AwaitingUpstream {
            upstream: upstream.id().clone(),
            state: Digest::of(state.expose()),
            browser: Digest::of(cookie.expose()),
            nonce,
            verifier,
        };
        if !self.store.advance_login(&login, from, now).await? {
            return Err(PageError::FormNotValid);
        }
        self.record(AuditKind::ConsentGiven, &login, None, now).await;
        Ok(Step::GoUpstream { url, login: login.id, cookie })
    }
}
