//! `POST /oauth/consent`: the answer to our page. The button is the consent, and only after it
//! does an upstream learn of the login (SEC-027, SEC-028).

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::clock::Timestamp;
use crate::domain::{AuditKind, EmailAddress, FormProof, LoginId, LoginStep, PendingLogin, UpstreamId};
use crate::protocol::{ErrorCode, OAuthError};
use crate::secret::{Digest, MacKey, Secret};
use crate::upstream::Hints;

use super::session::{Live, Visitor};
use super::{ClientReturn, ConsentAsked, Login, Notice, PageError, Step};

/// The same button within this time is a double click.
pub(super) const DOUBLE_CLICK: Duration = Duration::from_secs(5);

/// The secrets of one login towards its upstream and its browser.
struct Secrets {
    state: Secret,
    nonce: String,
    verifier: String,
    cookie: Secret,
}

/// What the form and the browser bring.
#[derive(Clone, Copy)]
pub struct ConsentForm<'a> {
    /// Which login.
    pub login: &'a str,
    /// The form's one-time token.
    pub form_token: &'a str,
    /// The browser's cookies.
    pub visitor: Visitor<'a>,
    /// The button.
    pub choice: Choice<'a>,
    /// The address in the page's field, as it was typed.
    pub email: Option<&'a str>,
}

/// The button.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Choice<'a> {
    /// Continue with this upstream.
    Upstream(&'a str),
    /// Continue with the one where the typed address signs in.
    Find,
    /// Allow, as whoever is signed in here.
    Allow,
    /// Deny.
    Deny,
}

impl ConsentForm<'_> {
    /// Is it from the page that this proves?
    pub(super) fn fits(&self, proof: &FormProof) -> bool {
        proof.holds(self.form_token, self.visitor.form)
    }

    fn address(&self) -> Option<EmailAddress> {
        self.email?.trim().parse().ok()
    }
}

impl Login {
    /// Takes the answer. It counts once, from the browser that the page was shown in (SEC-033);
    /// both halves of a double click are one answer (SEC-039).
    pub async fn consent(&self, form: ConsentForm<'_>) -> Result<Step, PageError> {
        // The other half may have come in between; then the login is read once more.
        match self.answer(form).await? {
            Some(step) => Ok(step),
            None => self.answer(form).await?.ok_or(PageError::FormNotValid),
        }
    }

    /// Nothing, if somebody else moved the login on in the meantime.
    async fn answer(&self, form: ConsentForm<'_>) -> Result<Option<Step>, PageError> {
        let now = self.clock.now();
        let not_valid = || PageError::FormNotValid;
        let id = LoginId::parse(form.login).ok_or_else(not_valid)?;
        let login = self.store.login(&id, now).await?.ok_or_else(not_valid)?;
        let chosen = match form.choice {
            Choice::Upstream(name) => self.upstreams.find(name),
            Choice::Find => form.address().and_then(|email| self.upstreams.of_domain(email.domain())),
            Choice::Allow | Choice::Deny => None,
        };
        let (proof, sent) = match &login.step {
            LoginStep::AwaitingConsent { form, .. } => (form, None),
            LoginStep::AwaitingUpstream { form: answered, approved_at, upstream, state, .. } => {
                // The browser throws the first click's answer away; without this the person
                // would be stuck (SEC-039). Anything else is a replay.
                let again = chosen.is_some_and(|chosen| chosen.id() == upstream);
                if !again || now.since(*approved_at) >= DOUBLE_CLICK {
                    return Err(not_valid());
                }
                (answered, Some(state))
            }
            LoginStep::Allowed { .. } => return self.allowed_again(&login, form, now).await.map(Some),
        };
        if !form.fits(proof) {
            return Err(not_valid());
        }
        let upstream = match (chosen, form.choice) {
            (Some(upstream), _) => upstream,
            (None, Choice::Upstream(_)) => return Err(PageError::UnknownUpstream),
            (None, Choice::Find) => return self.ask_again(login, form, now).await.map(Some),
            (None, Choice::Allow) => return self.allow(login, form, now).await,
            (None, Choice::Deny) => return self.deny(&login, now).await.map(Some),
        };
        let mut candidates = self.key.each().map(|key| secrets_of(&key, &login.id, form.form_token));
        // The first click may have been answered by a replica whose secret is another already.
        let secrets = candidates.find(|one| sent.is_none_or(|state| state.is_of(one.state.expose())));
        let (secrets, is_answered) = (secrets.ok_or_else(not_valid)?, sent.is_some());
        // Before the login moves on: an upstream that is down leaves the page as it is, and the
        // person can choose another.
        let typed = form.address().map(|email| email.to_string());
        let hints = Hints {
            login: typed.as_deref().or(login.request.login_hint.as_deref()),
            another_account: wants_another(&login),
        };
        let proofs = (secrets.nonce.as_str(), secrets.verifier.as_str());
        let url = upstream.authorization_url(secrets.state.expose(), proofs, hints, now).await;
        let url = url.map_err(|error| PageError::UpstreamUnavailable(None, error))?;
        let (id, cookie) = (login.id.clone(), secrets.cookie.clone());
        if !is_answered && !self.approve(login, upstream.id().clone(), secrets, now).await? {
            return Ok(None);
        }
        Ok(Some(Step::GoUpstream { url, login: id, cookie }))
    }

    /// Moves the login on; false if somebody else did.
    async fn approve(
        &self,
        mut login: PendingLogin,
        upstream: UpstreamId,
        secrets: Secrets,
        now: Timestamp,
    ) -> Result<bool, PageError> {
        let from = login.step.ordinal();
        login.request.sign_in_anew = wants_another(&login);
        let LoginStep::AwaitingConsent { form, .. } = login.step else { return Ok(false) };
        login.step = LoginStep::AwaitingUpstream {
            form,
            approved_at: now,
            upstream,
            state: Digest::of(secrets.state.expose()),
            browser: Digest::of(secrets.cookie.expose()),
            nonce: secrets.nonce,
            verifier: secrets.verifier,
        };
        let moved = self.store.advance_login(&login, from, now).await?;
        if moved {
            self.record(AuditKind::ConsentGiven, &login, None, now);
        }
        Ok(moved)
    }

    /// The same page once more: nothing has happened, and its form still holds. It says nothing of
    /// which domains there are.
    async fn ask_again(
        &self,
        login: PendingLogin,
        form: ConsentForm<'_>,
        now: Timestamp,
    ) -> Result<Step, PageError> {
        let notice = if form.address().is_some() { Notice::UnknownDomain } else { Notice::NoAddress };
        let live = self.live_session(form.visitor.session, now).await?;
        let live = live.filter(|live| live.was_shown(&login.step));
        self.show_again(login, form, (live.as_ref(), notice), now).await
    }

    /// The page once more, for whoever is signed in.
    pub(super) async fn show_again(
        &self,
        login: PendingLogin,
        form: ConsentForm<'_>,
        (live, notice): (Option<&Live>, Notice),
        now: Timestamp,
    ) -> Result<Step, PageError> {
        let client = self.clients.find(&login.request.client_id, None, now).await?;
        let client = client.ok_or(PageError::UnknownClient)?;
        let foreseen = self.foreseen(&login.request, live, now).await?;
        Ok(Step::ShowConsent(Box::new(ConsentAsked {
            foreseen,
            login: login.id,
            form_token: Secret::new(form.form_token.to_owned()),
            browser: Secret::new(form.visitor.form.unwrap_or_default().to_owned()),
            request: login.request,
            self_registered: client.is_self_registered(),
            client_name: client.name,
            signed_in: live.map(Live::shown),
            notice: Some(notice),
        })))
    }

    async fn deny(&self, login: &PendingLogin, now: Timestamp) -> Result<Step, PageError> {
        let (_, to) = self.way_back(login, now).await?;
        if self.store.take_login(&login.id, now).await?.is_none() {
            return Err(PageError::FormNotValid);
        }
        self.record(AuditKind::ConsentDenied, login, None, now);
        let state = login.request.state.as_deref();
        let error = OAuthError::new(ErrorCode::AccessDenied, "the person declined");
        let back = ClientReturn::error(to, &self.issuer, state, &error);
        Ok(Step::ReturnToClient { back, session: None })
    }
}

/// Must the upstream ask who signs in? Also where the page offered to go on with a session: whoever
/// chooses an upstream there means another account.
fn wants_another(login: &PendingLogin) -> bool {
    let offered = matches!(&login.step, LoginStep::AwaitingConsent { shown_to: Some(_), .. });
    login.request.sign_in_anew || offered
}

/// The secrets towards the upstream follow from the page's one-time token, which is random, and a
/// key that only we have: both halves of a double click get the same ones.
fn secrets_of(key: &MacKey, login: &LoginId, form_token: &str) -> Secrets {
    let derive = |purpose: &str| {
        let message = format!("{purpose}\n{login}\n{form_token}");
        URL_SAFE_NO_PAD.encode(key.tag(message.as_bytes()))
    };
    Secrets {
        state: Secret::new(format!("{login}.{}", derive("state"))),
        nonce: derive("nonce"),
        verifier: derive("verifier"),
        cookie: Secret::new(derive("cookie")),
    }
}
