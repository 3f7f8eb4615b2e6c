//! `GET /oauth/callback/{upstream}`: the upstream's answer, believed after every check. Until
//! they are all passed, the upstream's token endpoint is not called (SEC-042).

use crate::clock::Timestamp;
use crate::domain::{AuditKind, LoginId, LoginStep, PendingLogin, TrustedReturn};
use crate::protocol::{ErrorCode, OAuthError, Params, Repeated};
use crate::upstream::{Upstream, UpstreamError};

use super::{ClientReturn, Login, PageError, Step};

/// What the upstream's redirect and the browser bring.
pub struct UpstreamAnswer<'a> {
    /// The path that it came to.
    pub upstream: &'a str,
    /// Its parameters.
    pub params: &'a Params,
    /// The browser's cookie for a login.
    pub cookie: &'a (dyn Fn(&LoginId) -> Option<String> + Sync),
}

/// A login whose answer has come from its upstream, in its browser, for its client.
#[derive(Clone, Copy)]
pub(super) struct Arrival<'a> {
    pub(super) login: &'a PendingLogin,
    pub(super) to: &'a TrustedReturn,
    pub(super) upstream: &'a Upstream,
    pub(super) now: Timestamp,
}

/// The secrets of one login towards its upstream.
struct Proofs {
    nonce: String,
    verifier: String,
}

impl Login {
    /// Takes the upstream's answer.
    pub async fn upstream_return(&self, answer: UpstreamAnswer<'_>) -> Result<Step, PageError> {
        let now = self.clock.now();
        let known = self.upstreams.find(answer.upstream);
        let upstream = known.ok_or(PageError::UnknownUpstream)?;
        let (login, proofs) = self.recognise(&answer, now).await?;
        let one = |name| {
            let bad = |repeated: Repeated| PageError::BadRequest(repeated.to_string());
            answer.params.one(name).map_err(bad)
        };
        let (code, error, iss) = (one("code")?, one("error")?, one("iss")?);
        if let Err(fault) = upstream.check_response_issuer(iss, now).await {
            return Err(self.not_theirs(&login, fault, now).await);
        }
        // From here on the login is used up, whatever happens (SEC-057).
        if self.store.take_login(&login.id, now).await?.is_none() {
            return Err(PageError::LoginOver);
        }
        let to = self.way_back(&login, now).await?;
        let arrival = Arrival { login: &login, to: &to, upstream, now };
        match (error, code) {
            (Some(error), _) => self.reported(&arrival, error, one("error_description")?).await,
            (None, Some(code)) => self.exchange(&arrival, code, proofs).await,
            (None, None) => {
                let text = "the identity provider's answer has neither code nor error";
                Err(PageError::BadRequest(text.into()))
            }
        }
    }

    /// The login that this answer belongs to: its state, its upstream, its browser.
    async fn recognise(
        &self,
        answer: &UpstreamAnswer<'_>,
        now: Timestamp,
    ) -> Result<(PendingLogin, Proofs), PageError> {
        let over = || PageError::LoginOver;
        let sent = answer.params.one("state").ok().flatten().ok_or_else(over)?;
        let id = sent.split_once('.').and_then(|(id, _)| LoginId::parse(id)).ok_or_else(over)?;
        let login = self.store.login(&id, now).await?.ok_or_else(over)?;
        let LoginStep::AwaitingUpstream { upstream, state, browser, nonce, verifier, .. } = &login.step
        else {
            return Err(over());
        };
        if upstream.as_str() != answer.upstream || !state.is_of(sent) {
            return Err(over());
        }
        let cookie = (answer.cookie)(&id);
        if !cookie.is_some_and(|cookie| browser.is_of(&cookie)) {
            self.record(AuditKind::SignInDenied, &login, Some("another browser"), now).await;
            return Err(PageError::WrongBrowser);
        }
        let proofs = Proofs { nonce: nonce.clone(), verifier: verifier.clone() };
        Ok((login, proofs))
    }

    async fn exchange(&self, arrival: &Arrival<'_>, code: &str, proofs: Proofs) -> Result<Step, PageError> {
        let Arrival { upstream, now, .. } = *arrival;
        match upstream.sign_in(code, (&proofs.nonce, &proofs.verifier), now).await {
            Ok(identity) => self.finish(arrival, identity).await,
            Err(fault) => Err(self.failed(arrival, fault).await),
        }
    }

    /// The upstream says no. A person who declined there goes back to the client; anything else
    /// is worth reading.
    async fn reported(
        &self,
        arrival: &Arrival<'_>,
        error: &str,
        text: Option<&str>,
    ) -> Result<Step, PageError> {
        let Arrival { login, to, now, .. } = *arrival;
        let reason = format!("the identity provider said {}", error.escape_debug());
        self.record(AuditKind::SignInDenied, login, Some(&reason), now).await;
        let state = login.request.state.as_deref();
        let said = "the sign-in at the identity provider did not succeed";
        let denied = OAuthError::new(ErrorCode::AccessDenied, said);
        let back = ClientReturn::error(to.clone(), &self.issuer, state, &denied);
        if error == "access_denied" {
            return Ok(Step::ReturnToClient(back));
        }
        Err(PageError::UpstreamReported {
            code: error.to_owned(),
            text: text.map(str::to_owned),
            return_to: Box::new(back),
        })
    }

    /// The answer is not from the provider that was asked: a bad request, and nothing that the
    /// client is told (SEC-045). The login stays: the true answer may still come.
    async fn not_theirs(&self, login: &PendingLogin, fault: UpstreamError, now: Timestamp) -> PageError {
        self.record(AuditKind::SignInDenied, login, Some(&fault.to_string()), now).await;
        match fault {
            UpstreamError::Unavailable { .. } => PageError::UpstreamUnavailable(None, fault),
            UpstreamError::Refused { .. } => {
                let text = "the answer did not come from the identity provider that was asked";
                PageError::BadRequest(text.into())
            }
        }
    }

    async fn failed(&self, arrival: &Arrival<'_>, fault: UpstreamError) -> PageError {
        let Arrival { login, to, now, .. } = *arrival;
        self.record(AuditKind::SignInDenied, login, Some(&fault.to_string()), now).await;
        let back = |code, text| {
            let state = login.request.state.as_deref();
            let error = OAuthError::new(code, text);
            Box::new(ClientReturn::error(to.clone(), &self.issuer, state, &error))
        };
        match fault {
            UpstreamError::Unavailable { .. } => PageError::UpstreamUnavailable(
                Some(back(ErrorCode::TemporarilyUnavailable, "the identity provider is unavailable")),
                fault,
            ),
            UpstreamError::Refused { .. } => PageError::UpstreamRefused(
                back(ErrorCode::AccessDenied, "the identity provider's answer was refused"),
                fault,
            ),
        }
    }
}
